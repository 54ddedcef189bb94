/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that mimic.ko builds on. Nothing outside this
 * folder asks for a version.
 */
#ifndef _MIMIC_COMPAT_H
#define _MIMIC_COMPAT_H

#include <linux/eventfd.h>
#include <linux/sysfs.h>
#include <linux/version.h>
#include <linux/vfio.h>

/* An eventfd is signalled once per call from 6.8 on, and never by a count. */
static inline void mimic_eventfd_signal(struct eventfd_ctx *ctx)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	eventfd_signal(ctx, 1);
#else
	eventfd_signal(ctx);
#endif
}

/* The last thing that a release callback does; the core does it from 6.2 on. */
static inline void mimic_compat_release(struct vfio_device *vfio)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	vfio_free_device(vfio);
#endif
}

/*
 * Binary attributes became constant in steps: for the callback that decides
 * whether they are visible in 6.13, for reading and writing in 6.17.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#define mimic_bin_attr		struct bin_attribute
#else
#define mimic_bin_attr		const struct bin_attribute
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define mimic_bin_attr_visible	struct bin_attribute
#else
#define mimic_bin_attr_visible	const struct bin_attribute
#endif

/* MIG_DATA_SIZE is served by an op from 6.2 on, and by device_feature() before. */
#ifdef VFIO_DEVICE_FEATURE_MIG_DATA_SIZE
#define MIMIC_COMPAT_DATA_SIZE(fn)	.migration_get_data_size = fn,
#else
#define MIMIC_COMPAT_DATA_SIZE(fn)
#endif

/*
 * A device that does not offer the v2 protocol has no vfio_migration_ops. But
 * once it is registered with them, the core's debugfs uses them without asking
 * whether they are still there; then they refuse instead.
 */
static inline bool mimic_compat_mig_ops_may_go(void)
{
	return !IS_ENABLED(CONFIG_VFIO_DEBUGFS);
}

#endif /* _MIMIC_COMPAT_H */
