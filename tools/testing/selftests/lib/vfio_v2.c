// SPDX-License-Identifier: GPL-2.0-only
/*
 * The v2 protocol for the raw client. See vfio_v2.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vfio_v2.h"

#define DEFAULT_STEP	0x100000u

static int ret_errno(long ret)
{
	return ret < 0 ? -errno : (int)ret;
}

const char *vfc2_state_name(__u32 state)
{
	static const char * const names[VFC2_STATES] = {
		"ERROR", "STOP", "RUNNING", "STOP_COPY", "RESUMING",
		"RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P",
	};

	return state < VFC2_STATES ? names[state] : "no state";
}

int vfc2_feature(const struct vfc_dev *d, __u32 flags, void *data, size_t size)
{
	struct vfio_device_feature *feature;
	int ret;

	feature = calloc(1, sizeof(*feature) + size);
	if (!feature)
		return -ENOMEM;
	feature->argsz = sizeof(*feature) + size;
	feature->flags = flags;
	if (size)
		memcpy(feature->data, data, size);
	ret = ret_errno(ioctl(d->fd, VFIO_DEVICE_FEATURE, feature));
	if (size)
		memcpy(data, feature->data, size);
	free(feature);
	return ret;
}

int vfc2_probe(const struct vfc_dev *d, __u32 feature, __u32 directions)
{
	return vfc2_feature(d, feature | directions | VFC2_PROBE, NULL, 0);
}

int vfc2_flags(const struct vfc_dev *d, __u64 *flags)
{
	return vfc2_feature(d, VFC2_F_MIGRATION | VFC2_GET, flags,
			    sizeof(*flags));
}

int vfc2_set(const struct vfc_dev *d, __u32 state, int *fd)
{
	struct vfc2_mig_state set = { .device_state = state, .data_fd = -1 };
	int ret;

	ret = vfc2_feature(d, VFC2_F_DEVICE_STATE | VFC2_SET, &set, sizeof(set));
	if (ret < 0)
		set.data_fd = -1;
	if (fd)
		*fd = set.data_fd;
	else if (set.data_fd >= 0)
		close(set.data_fd);
	return ret;
}

int vfc2_get(const struct vfc_dev *d)
{
	struct vfc2_mig_state get = {};
	int ret;

	ret = vfc2_feature(d, VFC2_F_DEVICE_STATE | VFC2_GET, &get, sizeof(get));
	return ret < 0 ? ret : (int)get.device_state;
}

int vfc2_data_size(const struct vfc_dev *d, __u64 *size)
{
	return vfc2_feature(d, VFC2_F_DATA_SIZE | VFC2_GET, size, sizeof(*size));
}

int vfc2_opt_in(const struct vfc_dev *d)
{
	return vfc2_feature(d, VFC2_F_PRECOPY_INFOV2 | VFC2_SET, NULL, 0);
}

int vfc2_precopy_info(int fd, struct vfc2_precopy *info)
{
	info->argsz = sizeof(*info);
	return ret_errno(ioctl(fd, VFC2_PRECOPY_INFO, info));
}

int vfc2_drain(int fd, size_t step, struct vfc_stream *s)
{
	size_t size = step ? step : DEFAULT_STEP;
	void *buf = malloc(size);
	ssize_t n;
	int ret;

	if (!buf)
		return -ENOMEM;
	do {
		n = read(fd, buf, size);
		ret = n < 0 ? -errno : 0;
		if (n > 0)
			ret = vfc_stream_add(s, buf, n);
	} while (n > 0 && !ret);
	free(buf);
	return ret;
}

int vfc2_save(const struct vfc_dev *d, size_t step, struct vfc_stream *s)
{
	int fd, ret;

	ret = vfc2_set(d, VFC2_STOP_COPY, &fd);
	if (ret < 0)
		return ret;
	ret = vfc2_drain(fd, step, s);
	close(fd);
	return ret;
}

int vfc2_feed(int fd, size_t step, const void *buf, size_t n)
{
	const __u8 *from = buf;

	if (!step)
		step = DEFAULT_STEP;
	while (n) {
		size_t want = n < step ? n : step;
		ssize_t done = write(fd, from, want);

		if (done < 0)
			return -errno;
		from += done;
		n -= done;
	}
	return 0;
}

int vfc2_load(const struct vfc_dev *d, size_t step, const struct vfc_stream *s)
{
	int fd, ret;

	ret = vfc2_set(d, VFC2_RESUMING, &fd);
	if (ret < 0)
		return ret;
	ret = vfc2_feed(fd, step, s->buf, s->len);
	close(fd);
	return ret;
}
