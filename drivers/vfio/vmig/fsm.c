// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one state machine: which arc is taken next on the way from one state to
 * another. States and arcs are those of the v2 protocol (uapi/linux/vfio.h);
 * the v1 device_state is a view on it.
 *
 * The kernel has such a table too, but 6.1's lacks PRE_COPY and all of them
 * warn when asked about ERROR, which a client can provoke.
 */
#include <linux/errno.h>
#include <linux/nospec.h>

#include "fsm.h"

/* No way leads there. ERROR is never a target, so its number is free. */
#define NO	VMIG_STATE_ERROR
#define S	VMIG_STATE_STOP
#define R	VMIG_STATE_RUNNING
#define SC	VMIG_STATE_STOP_COPY
#define RS	VMIG_STATE_RESUMING
#define RP	VMIG_STATE_RUNNING_P2P
#define PC	VMIG_STATE_PRE_COPY
#define PP	VMIG_STATE_PRE_COPY_P2P

/* First state on the way from row to column, with all optional states. */
static const u8 vmig_fsm_table[VMIG_NR_STATES][VMIG_NR_STATES] = {
	/*                          E,  S,  R,  SC, RS, RP, PC, PP */
	[VMIG_STATE_ERROR]	= { NO, NO, NO, NO, NO, NO, NO, NO },
	[VMIG_STATE_STOP]	= { NO, S,  RP, SC, RS, RP, RP, RP },
	[VMIG_STATE_RUNNING]	= { NO, RP, R,  RP, RP, RP, PC, RP },
	[VMIG_STATE_STOP_COPY]	= { NO, S,  S,  SC, S,  S,  NO, NO },
	[VMIG_STATE_RESUMING]	= { NO, S,  S,  S,  RS, S,  S,  S  },
	[VMIG_STATE_RUNNING_P2P] = { NO, S,  R,  S,  S,  RP, R,  PP },
	[VMIG_STATE_PRE_COPY]	= { NO, R,  R,  PP, R,  R,  PC, PP },
	[VMIG_STATE_PRE_COPY_P2P] = { NO, RP, RP, SC, RP, RP, PC, PP },
};

/* Flags that a state needs. */
static const u8 vmig_fsm_needs[VMIG_NR_STATES] = {
	[VMIG_STATE_STOP_COPY]	= VMIG_F_STOP_COPY,
	[VMIG_STATE_RESUMING]	= VMIG_F_STOP_COPY,
	[VMIG_STATE_RUNNING_P2P] = VMIG_F_P2P,
	[VMIG_STATE_PRE_COPY]	= VMIG_F_PRE_COPY,
	[VMIG_STATE_PRE_COPY_P2P] = VMIG_F_PRE_COPY | VMIG_F_P2P,
};

static bool vmig_fsm_supported(enum vmig_state state, unsigned int flags)
{
	return (vmig_fsm_needs[state] & ~flags) == 0;
}

/**
 * vmig_fsm_next() - one step on the way to a state
 * @cur: state now
 * @target: state that is wanted, any value
 * @flags: VMIG_F_* of the device
 * @next: the state that the next arc leads to; @cur itself if it is @target
 *
 * Context: any.
 * Source: uapi/linux/vfio.h, comment on enum vfio_device_mig_state.
 * Return: 0, or -EINVAL if no sequence of arcs leads there.
 */
int vmig_fsm_next(enum vmig_state cur, enum vmig_state target,
		  unsigned int flags, enum vmig_state *next)
{
	unsigned int from = cur, to = target, step;

	if (from >= VMIG_NR_STATES || to >= VMIG_NR_STATES)
		return -EINVAL;
	from = array_index_nospec(from, VMIG_NR_STATES);
	to = array_index_nospec(to, VMIG_NR_STATES);
	if (!vmig_fsm_supported(from, flags) || !vmig_fsm_supported(to, flags))
		return -EINVAL;

	/* Walk over the states that this device does not have. */
	step = vmig_fsm_table[from][to];
	while (step != NO && !vmig_fsm_supported(step, flags))
		step = vmig_fsm_table[step][to];
	if (step == NO)
		return -EINVAL;
	*next = step;
	return 0;
}

/**
 * vmig_fsm_saving() - is the state one of those in which a stream is produced
 * @state: state
 *
 * Return: true for PRE_COPY, PRE_COPY_P2P and STOP_COPY.
 */
bool vmig_fsm_saving(enum vmig_state state)
{
	return state == VMIG_STATE_PRE_COPY ||
	       state == VMIG_STATE_PRE_COPY_P2P ||
	       state == VMIG_STATE_STOP_COPY;
}

/**
 * vmig_fsm_starts_session() - does an arc begin a data transfer
 * @cur: state before
 * @next: state after
 *
 * Return: true if the arc begins a saving or resuming session.
 */
bool vmig_fsm_starts_session(enum vmig_state cur, enum vmig_state next)
{
	if (next == VMIG_STATE_RESUMING)
		return cur != next;
	return vmig_fsm_saving(next) && !vmig_fsm_saving(cur);
}

/**
 * vmig_fsm_run() - what a device may do in a state
 * @state: state
 *
 * Return: how much activity the state allows.
 */
enum vmig_run vmig_fsm_run(enum vmig_state state)
{
	switch (state) {
	case VMIG_STATE_RUNNING:
	case VMIG_STATE_PRE_COPY:
		return VMIG_RUN_ALL;
	case VMIG_STATE_RUNNING_P2P:
	case VMIG_STATE_PRE_COPY_P2P:
		return VMIG_RUN_NO_DMA;
	default:
		return VMIG_RUN_NONE;
	}
}
