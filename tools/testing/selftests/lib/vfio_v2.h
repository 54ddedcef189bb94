/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The v2 protocol for the raw client: VFIO_DEVICE_FEATURE and the data file.
 *
 * As in vfio_client.h a call returns what the system call returned, or -errno.
 * States, features and structures are our own copies of what the uapi says,
 * because the oldest distribution's header lacks some of them.
 */
#ifndef VFIO_V2_H
#define VFIO_V2_H

#include "vfio_client.h"

/* Values of device_state, enum vfio_device_mig_state. */
enum vfc2_state {
	VFC2_ERROR = 0,
	VFC2_STOP = 1,
	VFC2_RUNNING = 2,
	VFC2_STOP_COPY = 3,
	VFC2_RESUMING = 4,
	VFC2_RUNNING_P2P = 5,
	VFC2_PRE_COPY = 6,
	VFC2_PRE_COPY_P2P = 7,
	VFC2_STATES
};

/* Features of VFIO_DEVICE_FEATURE. */
#define VFC2_F_MIGRATION	1
#define VFC2_F_DEVICE_STATE	2
#define VFC2_F_LOG_START	6
#define VFC2_F_LOG_STOP		7
#define VFC2_F_LOG_REPORT	8
#define VFC2_F_DATA_SIZE	9
#define VFC2_F_PRECOPY_INFOV2	12

/* Bits of VFC2_F_MIGRATION. */
#define VFC2_HAS_STOP_COPY	1
#define VFC2_HAS_P2P		2
#define VFC2_HAS_PRE_COPY	4

/* Directions, in the upper bits of the feature's number. */
#define VFC2_GET	0x10000u
#define VFC2_SET	0x20000u
#define VFC2_PROBE	0x40000u

/* struct vfio_device_feature_mig_state */
struct vfc2_mig_state {
	__u32 device_state;
	__s32 data_fd;
};

/* struct vfio_precopy_info; VFIO_MIG_GET_PRECOPY_INFO */
struct vfc2_precopy {
	__u32 argsz;
	__u32 flags;
	__u64 initial_bytes;
	__u64 dirty_bytes;
};

#define VFC2_PRECOPY_INFO	_IO(VFIO_TYPE, VFIO_BASE + 21)
#define VFC2_PRECOPY_REINIT	1

const char *vfc2_state_name(__u32 state);

/*
 * One VFIO_DEVICE_FEATURE with @size bytes of payload, copied in from and back
 * out to @data; @flags is the feature's number and directions.
 */
int vfc2_feature(const struct vfc_dev *d, __u32 flags, void *data, size_t size);
/* PROBE of @feature with @directions (VFC2_GET, VFC2_SET, both). */
int vfc2_probe(const struct vfc_dev *d, __u32 feature, __u32 directions);
/* Bits of VFC2_F_MIGRATION. */
int vfc2_flags(const struct vfc_dev *d, __u64 *flags);
/*
 * Ask for @state. 0 or -errno; *@fd gets the data file or -1. Without @fd a file
 * is closed at once.
 */
int vfc2_set(const struct vfc_dev *d, __u32 state, int *fd);
/* The state, or -errno. */
int vfc2_get(const struct vfc_dev *d);
/* MIG_DATA_SIZE. */
int vfc2_data_size(const struct vfc_dev *d, __u64 *size);
/* Opt in to PRECOPY_INFOv2 until the last close. */
int vfc2_opt_in(const struct vfc_dev *d);
/* GET_PRECOPY_INFO on a data file; sets argsz. */
int vfc2_precopy_info(int fd, struct vfc2_precopy *info);

/*
 * Read @fd by @step bytes (0: 1 MiB) into @s until it says that there is nothing
 * (now): 0 at the end of the stream, -ENOMSG in pre-copy, or another -errno.
 */
int vfc2_drain(int fd, size_t step, struct vfc_stream *s);
/*
 * From RUNNING or STOP: SET(STOP_COPY), read all, close the file. Leaves the
 * device in STOP_COPY.
 */
int vfc2_save(const struct vfc_dev *d, size_t step, struct vfc_stream *s);
/* Write all @n bytes by @step (0: 1 MiB). 0, or the first -errno. */
int vfc2_feed(int fd, size_t step, const void *buf, size_t n);
/*
 * SET(RESUMING), write @s, close the file. Leaves the device in RESUMING, whatever
 * is returned.
 */
int vfc2_load(const struct vfc_dev *d, size_t step, const struct vfc_stream *s);

#endif /* VFIO_V2_H */
