/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between kernels in what the v2 protocol needs. Nothing outside
 * this folder asks for a version.
 */
#ifndef _VMIG_V2_COMPAT_H
#define _VMIG_V2_COMPAT_H

#include <linux/fs.h>
#include <linux/version.h>
#include <linux/vfio.h>

/* The feature by which a client opts in to flags of GET_PRECOPY_INFO. */
#define VMIG_FEATURE_PRECOPY_V2		12

/* Whether it has is noted by the core, which knows of that from 7.2 on. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 2, 0)
static inline bool vmig_compat_precopy_v2(struct vfio_device *vfio, bool ours)
{
	return ours;
}
#else
static inline bool vmig_compat_precopy_v2(struct vfio_device *vfio, bool ours)
{
	return vfio->precopy_info_v2;
}
#endif

/* The states and what belongs to them came in 6.2. */
#ifndef VFIO_MIGRATION_PRE_COPY
#define VFIO_MIGRATION_PRE_COPY			4
#endif

#ifndef VFIO_DEVICE_FEATURE_MIG_DATA_SIZE
#define VFIO_DEVICE_FEATURE_MIG_DATA_SIZE	9

struct vfio_device_feature_mig_data_size {
	__aligned_u64 stop_copy_length;
};
#endif

#ifndef VFIO_MIG_GET_PRECOPY_INFO
#define VFIO_MIG_GET_PRECOPY_INFO		_IO(VFIO_TYPE, VFIO_BASE + 21)

struct vfio_precopy_info {
	__u32 argsz;
	__u32 flags;
	__aligned_u64 initial_bytes;
	__aligned_u64 dirty_bytes;
};
#endif

/* Splicing from a file with read_iter; the name changed in 6.5. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define vmig_compat_splice_read		generic_file_splice_read
#else
#define vmig_compat_splice_read		copy_splice_read
#endif

#endif /* _VMIG_V2_COMPAT_H */
