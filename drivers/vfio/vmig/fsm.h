/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state machine of vmig. Pure: no locks, no allocation, no kernel services,
 * so that the same source is tested in user space.
 */
#ifndef _VMIG_FSM_H
#define _VMIG_FSM_H

#include <linux/bits.h>
#include <linux/vmig.h>

/* Optional states, the same bits as VFIO_MIGRATION_*. */
#define VMIG_F_STOP_COPY	BIT(0)
#define VMIG_F_P2P		BIT(1)
#define VMIG_F_PRE_COPY		BIT(2)

int vmig_fsm_next(enum vmig_state cur, enum vmig_state target,
		  unsigned int flags, enum vmig_state *next);
bool vmig_fsm_saving(enum vmig_state state);
bool vmig_fsm_starts_session(enum vmig_state cur, enum vmig_state next);
enum vmig_run vmig_fsm_run(enum vmig_state state);

#endif /* _VMIG_FSM_H */
