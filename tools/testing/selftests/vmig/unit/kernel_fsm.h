/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own state table, as far as its source package is there; see the
 * script kernel-fsm.
 */
#ifndef KERNEL_FSM_H
#define KERNEL_FSM_H

/**
 * struct kernel_fsm - what one kernel says about states
 * @source: name of the source package, or NULL if there is none
 * @flags: VFIO_MIGRATION_* that it knows
 * @states: its numbers of states, in the order of enum vmig_state, -1 if it
 *	does not know the state
 * @next: as vfio_mig_get_next_state() for a device with @flags
 */
struct kernel_fsm {
	const char *source;
	unsigned int flags;
	int states[8];
	int (*next)(unsigned int flags, unsigned int cur, unsigned int target,
		    unsigned int *next);
};

extern const struct kernel_fsm kernel_fsm;

#endif /* KERNEL_FSM_H */
