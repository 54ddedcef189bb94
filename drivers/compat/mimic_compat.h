/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that mimic.ko builds on. Nothing outside this
 * folder asks for a version.
 */
#ifndef _MIMIC_COMPAT_H
#define _MIMIC_COMPAT_H

#include <linux/build_bug.h>
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <linux/vfio.h>

#include "kernel_range.h"

/* An eventfd is signalled once per call from 6.8 on, and never by a count. */
static inline void mimic_eventfd_signal(struct eventfd_ctx *ctx)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	eventfd_signal(ctx, 1);
#else
	eventfd_signal(ctx);
#endif
}

/* A timer gets its function when it is initialized from 6.13 on. */
static inline void
mimic_hrtimer_setup(struct hrtimer *timer,
		    enum hrtimer_restart (*function)(struct hrtimer *),
		    clockid_t clock, enum hrtimer_mode mode)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
	hrtimer_init(timer, clock, mode);
	timer->function = function;
#else
	hrtimer_setup(timer, function, clock, mode);
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
 * Describe a region: sets size, offset and flags, and adds capabilities, which are
 * freed whatever is returned. The index is as the client gave it.
 */
typedef int mimic_region_info_fn(struct vfio_device *vfio,
				 struct vfio_region_info *info,
				 struct vfio_info_cap *caps);

/*
 * From 6.19 on the core answers VFIO_DEVICE_GET_REGION_INFO itself and has an op
 * for what only the driver knows. Before that it is the driver's ioctl.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
/* Where the capabilities go if there is room, and how large they are if not. */
static inline int mimic_compat_put_caps(struct vfio_region_info *info,
					struct vfio_info_cap *caps,
					void __user *arg)
{
	if (!caps->size)
		return 0;
	info->flags |= VFIO_REGION_INFO_FLAG_CAPS;
	if (info->argsz < sizeof(*info) + caps->size) {
		info->argsz = sizeof(*info) + caps->size;
		return 0;
	}
	vfio_info_cap_shift(caps, sizeof(*info));
	info->cap_offset = sizeof(*info);
	if (copy_to_user(arg + sizeof(*info), caps->buf, caps->size))
		return -EFAULT;
	return 0;
}

static inline long mimic_compat_region_info(struct vfio_device *vfio,
					    void __user *arg,
					    mimic_region_info_fn *describe)
{
	unsigned long minsz = offsetofend(struct vfio_region_info, offset);
	struct vfio_info_cap caps = {};
	struct vfio_region_info info;
	long ret;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	ret = describe(vfio, &info, &caps);
	if (!ret)
		ret = mimic_compat_put_caps(&info, &caps, arg);
	kfree(caps.buf);
	if (!ret && copy_to_user(arg, &info, minsz))
		ret = -EFAULT;
	return ret;
}

#define MIMIC_COMPAT_REGION_OPS(describe)
#else
static inline long mimic_compat_region_info(struct vfio_device *vfio,
					    void __user *arg,
					    mimic_region_info_fn *describe)
{
	return -ENOTTY;
}

#define MIMIC_COMPAT_REGION_OPS(describe)				\
	.get_region_info_caps = (describe),
#endif

/*
 * Kernels with iommufd refuse a device without these, and the others define them
 * as NULL.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define MIMIC_COMPAT_IOMMUFD_OPS
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define MIMIC_COMPAT_IOMMUFD_OPS					\
	.bind_iommufd	= vfio_iommufd_emulated_bind,			\
	.unbind_iommufd	= vfio_iommufd_emulated_unbind,			\
	.attach_ioas	= vfio_iommufd_emulated_attach_ioas,
#else
#define MIMIC_COMPAT_IOMMUFD_OPS					\
	.bind_iommufd	= vfio_iommufd_emulated_bind,			\
	.unbind_iommufd	= vfio_iommufd_emulated_unbind,			\
	.attach_ioas	= vfio_iommufd_emulated_attach_ioas,		\
	.detach_ioas	= vfio_iommufd_emulated_detach_ioas,
#endif

/* Members of vfio_device_ops that not every kernel has. */
#define MIMIC_COMPAT_VFIO_OPS(describe)					\
	MIMIC_COMPAT_REGION_OPS(describe)				\
	MIMIC_COMPAT_IOMMUFD_OPS

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

/*
 * Whether a report of logged DMA comes to anything. The helper for it was VFIO's
 * own up to 6.6; since then it is a part of iommufd, and a stub without.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#define MIMIC_SERVES_LOG	true
#else
#define MIMIC_SERVES_LOG	IS_ENABLED(CONFIG_IOMMUFD_DRIVER)
#endif

/* Its namespace, whose name became a string in 6.13. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#define MIMIC_IMPORT_NS		static_assert(true)
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define MIMIC_IMPORT_NS		MODULE_IMPORT_NS(IOMMUFD)
#else
#define MIMIC_IMPORT_NS		MODULE_IMPORT_NS("IOMMUFD")
#endif

#endif /* _MIMIC_COMPAT_H */
