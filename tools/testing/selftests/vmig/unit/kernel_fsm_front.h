/* SPDX-License-Identifier: GPL-2.0-only */
/* What the text of vfio_mig_get_next_state() needs before it. */
#include <errno.h>
#include <linux/kernel.h>

#include "kernel_fsm.h"

#define WARN_ON(condition)	(condition)

struct vfio_device {
	unsigned int migration_flags;
};
