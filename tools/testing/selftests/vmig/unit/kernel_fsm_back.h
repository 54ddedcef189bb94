/* SPDX-License-Identifier: GPL-2.0-only */
/* What makes a struct kernel_fsm of vfio_mig_get_next_state() and its header. */

static int kernel_fsm_next(unsigned int flags, unsigned int cur,
			   unsigned int target, unsigned int *next)
{
	struct vfio_device device = { .migration_flags = flags };
	enum vfio_device_mig_state step = *next;
	int ret = vfio_mig_get_next_state(&device, cur, target, &step);

	*next = step;
	return ret;
}

const struct kernel_fsm kernel_fsm = {
	.source = KERNEL_FSM_SOURCE,
	.states = {
		VFIO_DEVICE_STATE_ERROR,
		VFIO_DEVICE_STATE_STOP,
		VFIO_DEVICE_STATE_RUNNING,
		VFIO_DEVICE_STATE_STOP_COPY,
		VFIO_DEVICE_STATE_RESUMING,
		VFIO_DEVICE_STATE_RUNNING_P2P,
#ifdef VFIO_MIGRATION_PRE_COPY
		VFIO_DEVICE_STATE_PRE_COPY,
		VFIO_DEVICE_STATE_PRE_COPY_P2P,
#else
		-1, -1,
#endif
	},
	.flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P
#ifdef VFIO_MIGRATION_PRE_COPY
		| VFIO_MIGRATION_PRE_COPY
#endif
	,
	.next = kernel_fsm_next,
};
