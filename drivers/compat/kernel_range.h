/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernels that the modules are for. This is the only place that says so:
 * scripts/style compares the README with it, and the test "build" the kernel of
 * each machine.
 */
#ifndef _VMIG_KERNEL_RANGE_H
#define _VMIG_KERNEL_RANGE_H

#include <linux/version.h>

/* Both included. Newer ones may well build, but nobody has tried. */
#define VMIG_KERNEL_OLDEST	KERNEL_VERSION(6, 1, 0)
#define VMIG_KERNEL_NEWEST	KERNEL_VERSION(7, 3, 255)

#if LINUX_VERSION_CODE < VMIG_KERNEL_OLDEST
#error "mimic needs Linux 6.1 or newer"
#endif

#endif /* _VMIG_KERNEL_RANGE_H */
