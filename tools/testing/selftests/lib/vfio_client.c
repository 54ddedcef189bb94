// SPDX-License-Identifier: GPL-2.0-only
/*
 * A raw VFIO client. See vfio_client.h for the rules that hold here: one call
 * is one system call, errors are -errno, nothing is hidden.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vfio_client.h"

#define MDEV_DIR	"/sys/bus/mdev/devices"

static int ret_errno(long ret)
{
	return ret < 0 ? -errno : (int)ret;
}

/* --- Opening ---------------------------------------------------------- */

static int open_group(const char *uuid)
{
	char link[VFC_PATH], target[PATH_MAX], dev[64];
	ssize_t n;

	snprintf(link, sizeof(link), MDEV_DIR "/%s/iommu_group", uuid);
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	snprintf(dev, sizeof(dev), "/dev/vfio/%.32s", strrchr(target, '/') + 1);
	return ret_errno(open(dev, O_RDWR | O_CLOEXEC));
}

static int open_container(int group)
{
	int fd, ret;

	fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = ioctl(group, VFIO_GROUP_SET_CONTAINER, &fd);
	if (!ret)
		ret = ioctl(fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU);
	if (!ret)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

static void find_area(struct vfc_dev *d, struct vfio_region_info *info)
{
	struct vfio_region_info_cap_sparse_mmap *sparse;

	sparse = (void *)vfc_region_cap(info, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	if (!(info->flags & VFIO_REGION_INFO_FLAG_MMAP) || !sparse ||
	    !sparse->nr_areas)
		return;
	d->area_off = sparse->areas[0].offset;
	d->area_size = sparse->areas[0].size;
}

static int find_migration(struct vfc_dev *d)
{
	struct vfio_region_info *info;
	__u32 i;
	int ret;

	for (i = 0; i < d->info.num_regions; i++) {
		ret = vfc_region_info(d->fd, i, &info);
		if (ret == -EINVAL)
			continue;	/* a region that the device lacks */
		if (ret)
			return ret;
		if (vfc_region_is_migration(info)) {
			d->mig_index = i;
			d->mig = info->offset;
			d->mig_size = info->size;
			find_area(d, info);
			free(info);
			ret = vfc_r8(d, VFC_OFFSET, &d->data_off);
			return ret < 0 ? ret : 0;
		}
		free(info);
	}
	return 0;
}

static void open_nothing(struct vfc_dev *d, const char *uuid)
{
	memset(d, 0, sizeof(*d));
	d->container = -1;
	d->group = -1;
	d->iommufd = -1;
	d->fd = -1;
	d->mig_index = -1;
	snprintf(d->uuid, sizeof(d->uuid), "%s", uuid);
}

/* @ret: of opening. What it opened is closed if it or this failed. */
static int open_rest(struct vfc_dev *d, int ret)
{
	d->info.argsz = sizeof(d->info);
	if (ret >= 0)
		ret = ret_errno(ioctl(d->fd, VFIO_DEVICE_GET_INFO, &d->info));
	if (ret >= 0)
		ret = find_migration(d);
	if (ret < 0)
		vfc_close(d);
	return ret;
}

static int open_by_group(struct vfc_dev *d)
{
	d->group = open_group(d->uuid);
	if (d->group < 0)
		return d->group;
	d->container = open_container(d->group);
	if (d->container < 0)
		return d->container;
	d->fd = vfc_device_fd(d);
	return d->fd;
}

static int open_by_cdev(struct vfc_dev *d)
{
	int ret;

	d->fd = vfc_cdev_node(d->uuid);
	if (d->fd < 0)
		return d->fd;
	d->iommufd = ret_errno(open("/dev/iommu", O_RDWR | O_CLOEXEC));
	if (d->iommufd < 0)
		return d->iommufd;
	ret = vfc_cdev_bind(d->fd, d->iommufd);
	if (!ret)
		ret = vfc_ioas_alloc(d->iommufd, &d->ioas);
	if (!ret)
		ret = vfc_cdev_attach(d->fd, d->ioas);
	return ret;
}

int vfc_open_group(struct vfc_dev *d, const char *uuid)
{
	open_nothing(d, uuid);
	return open_rest(d, open_by_group(d));
}

int vfc_open_cdev(struct vfc_dev *d, const char *uuid)
{
	open_nothing(d, uuid);
	return open_rest(d, open_by_cdev(d));
}

int vfc_open(struct vfc_dev *d, const char *uuid)
{
	return vfc_number("VFIO_CDEV", 0) ? vfc_open_cdev(d, uuid) :
		vfc_open_group(d, uuid);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void vfc_close(struct vfc_dev *d)
{
	vfc_unmap(d);
	close_fd(&d->fd);
	close_fd(&d->group);
	close_fd(&d->container);
	close_fd(&d->iommufd);
}

int vfc_device_fd(const struct vfc_dev *d)
{
	if (d->iommufd >= 0)
		return -EOPNOTSUPP;
	return ret_errno(ioctl(d->group, VFIO_GROUP_GET_DEVICE_FD, d->uuid));
}

/*
 * What linux/vfio.h has of device nodes, and linux/iommufd.h: our own copies,
 * because the oldest distribution's headers lack them.
 */
struct bind_iommufd {
	__u32 argsz;
	__u32 flags;
	__s32 iommufd;
	__u32 out_devid;
};

struct attach_pt {
	__u32 argsz;
	__u32 flags;
	__u32 pt_id;
};

struct detach_pt {
	__u32 argsz;
	__u32 flags;
};

struct ioas_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_ioas_id;
};

struct ioas_map {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 reserved;
	__u64 user_va;
	__u64 length;
	__u64 iova;
};

struct ioas_unmap {
	__u32 size;
	__u32 ioas_id;
	__u64 iova;
	__u64 length;
};

#define BIND_IOMMUFD	_IO(VFIO_TYPE, VFIO_BASE + 18)
#define ATTACH_PT	_IO(VFIO_TYPE, VFIO_BASE + 19)
#define DETACH_PT	_IO(VFIO_TYPE, VFIO_BASE + 20)
#define IOAS_ALLOC	_IO(';', 0x81)
#define IOAS_MAP	_IO(';', 0x85)
#define IOAS_UNMAP	_IO(';', 0x86)
#define MAP_FIXED_IOVA	1
#define MAP_WRITEABLE	2
#define MAP_READABLE	4

int vfc_cdev_node(const char *uuid)
{
	char path[VFC_PATH], node[VFC_PATH];
	struct dirent *entry;
	int ret = -ENOENT;
	DIR *dir;

	snprintf(path, sizeof(path), MDEV_DIR "/%s/vfio-dev", uuid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (ret == -ENOENT && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "vfio", 4))
			continue;
		snprintf(node, sizeof(node), "/dev/vfio/devices/%.32s",
			 entry->d_name);
		ret = ret_errno(open(node, O_RDWR | O_CLOEXEC));
	}
	closedir(dir);
	return ret;
}

int vfc_cdev_bind(int node, int iommufd)
{
	struct bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = iommufd,
	};

	return ret_errno(ioctl(node, BIND_IOMMUFD, &bind));
}

int vfc_ioas_alloc(int iommufd, __u32 *ioas)
{
	struct ioas_alloc alloc = { .size = sizeof(alloc) };
	int ret = ret_errno(ioctl(iommufd, IOAS_ALLOC, &alloc));

	*ioas = alloc.out_ioas_id;
	return ret;
}

int vfc_cdev_attach(int node, __u32 ioas)
{
	struct attach_pt attach = { .argsz = sizeof(attach), .pt_id = ioas };

	return ret_errno(ioctl(node, ATTACH_PT, &attach));
}

int vfc_cdev_detach(int node)
{
	struct detach_pt detach = { .argsz = sizeof(detach) };

	return ret_errno(ioctl(node, DETACH_PT, &detach));
}

__u64 vfc_section(const struct vfc_dev *d)
{
	return d->mig_size - d->data_off;
}

int vfc_reset(const struct vfc_dev *d)
{
	return ret_errno(ioctl(d->fd, VFIO_DEVICE_RESET));
}

const char *vfc_state_name(__u32 state)
{
	static const char * const names[] = {
		"STOP", "RUNNING", "SAVING", "SAVING|RUNNING", "RESUMING",
		"invalid(5)", "ERROR", "invalid(7)",
	};

	return state < 8 ? names[state] : "reserved bits";
}

/* --- Regions ---------------------------------------------------------- */

int vfc_region_info(int fd, __u32 index, struct vfio_region_info **info)
{
	struct vfio_region_info *buf, *more;
	__u32 size = sizeof(*buf);

	buf = calloc(1, size);
	if (!buf)
		return -ENOMEM;
	buf->argsz = size;
	buf->index = index;
	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, buf))
		goto fail;
	if (buf->argsz > size) {
		size = buf->argsz;
		more = calloc(1, size);
		free(buf);
		if (!more)
			return -ENOMEM;
		buf = more;
		buf->argsz = size;
		buf->index = index;
		if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, buf))
			goto fail;
	}
	*info = buf;
	return 0;
fail:
	free(buf);
	return -errno;
}

struct vfio_info_cap_header *vfc_region_cap(struct vfio_region_info *info,
					    __u16 id)
{
	struct vfio_info_cap_header *cap;
	__u32 off = info->cap_offset;

	if (!(info->flags & VFIO_REGION_INFO_FLAG_CAPS))
		return NULL;
	while (off && off + sizeof(*cap) <= info->argsz) {
		cap = (void *)((char *)info + off);
		if (cap->id == id)
			return cap;
		if (cap->next <= off)	/* the end, or a loop */
			break;
		off = cap->next;
	}
	return NULL;
}

bool vfc_region_is_migration(struct vfio_region_info *info)
{
	struct vfio_region_info_cap_type *type;

	type = (void *)vfc_region_cap(info, VFIO_REGION_INFO_CAP_TYPE);
	return type && type->type == 3 && type->subtype == 1;
}

static ssize_t region_rw(const struct vfc_dev *d, __u32 index, __u64 off,
			 void *buf, size_t n, bool write)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };
	ssize_t ret;

	if (ioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		return -errno;
	ret = write ? pwrite(d->fd, buf, n, info.offset + off) :
		      pread(d->fd, buf, n, info.offset + off);
	return ret < 0 ? -errno : ret;
}

ssize_t vfc_region_read(const struct vfc_dev *d, __u32 index, __u64 off,
			void *buf, size_t n)
{
	return region_rw(d, index, off, buf, n, false);
}

ssize_t vfc_region_write(const struct vfc_dev *d, __u32 index, __u64 off,
			 const void *buf, size_t n)
{
	return region_rw(d, index, off, (void *)buf, n, true);
}

/* --- Header and data section ------------------------------------------ */

ssize_t vfc_pread(const struct vfc_dev *d, void *buf, size_t n, __u64 off)
{
	ssize_t ret = pread(d->fd, buf, n, d->mig + off);

	return ret < 0 ? -errno : ret;
}

ssize_t vfc_pwrite(const struct vfc_dev *d, const void *buf, size_t n,
		   __u64 off)
{
	ssize_t ret = pwrite(d->fd, buf, n, d->mig + off);

	return ret < 0 ? -errno : ret;
}

int vfc_r4(const struct vfc_dev *d, __u64 off, __u32 *val)
{
	return vfc_pread(d, val, sizeof(*val), off);
}

int vfc_r8(const struct vfc_dev *d, __u64 off, __u64 *val)
{
	return vfc_pread(d, val, sizeof(*val), off);
}

int vfc_w4(const struct vfc_dev *d, __u64 off, __u32 val)
{
	return vfc_pwrite(d, &val, sizeof(val), off);
}

int vfc_w8(const struct vfc_dev *d, __u64 off, __u64 val)
{
	return vfc_pwrite(d, &val, sizeof(val), off);
}

int vfc_set(const struct vfc_dev *d, __u32 state)
{
	return vfc_w4(d, VFC_STATE, state);
}

int vfc_get(const struct vfc_dev *d)
{
	__u32 val;
	int ret = vfc_r4(d, VFC_STATE, &val);

	if (ret != sizeof(val))
		return ret < 0 ? ret : -EIO;
	return val;
}

ssize_t vfc_rd(const struct vfc_dev *d, __u64 off, void *buf, size_t n)
{
	return vfc_pread(d, buf, n, d->data_off + off);
}

ssize_t vfc_wd(const struct vfc_dev *d, __u64 off, const void *buf,
	       size_t n)
{
	return vfc_pwrite(d, buf, n, d->data_off + off);
}

int vfc_map(struct vfc_dev *d)
{
	void *p;

	if (d->map)
		return 0;
	if (!d->area_size)
		return -EOPNOTSUPP;
	p = mmap(NULL, d->area_size, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd,
		 d->mig + d->area_off);
	if (p == MAP_FAILED)
		return -errno;
	d->map = p;
	return 0;
}

void vfc_unmap(struct vfc_dev *d)
{
	if (d->map)
		munmap(d->map, d->area_size);
	d->map = NULL;
}

__u8 *vfc_data(const struct vfc_dev *d)
{
	return d->map ? d->map + (d->data_off - d->area_off) : NULL;
}

/* --- Whole streams ---------------------------------------------------- */

void vfc_stream_free(struct vfc_stream *s)
{
	free(s->buf);
	free(s->seg);
	memset(s, 0, sizeof(*s));
}

static int stream_grow(struct vfc_stream *s, size_t n)
{
	size_t cap = s->cap ? s->cap : 65536;
	void *p;

	while (cap - s->len < n)
		cap *= 2;
	if (cap != s->cap) {
		p = realloc(s->buf, cap);
		if (!p)
			return -ENOMEM;
		s->buf = p;
		s->cap = cap;
	}
	p = realloc(s->seg, (s->nseg + 1) * sizeof(*s->seg));
	if (!p)
		return -ENOMEM;
	s->seg = p;
	return 0;
}

int vfc_stream_add(struct vfc_stream *s, const void *buf, size_t n)
{
	int ret = stream_grow(s, n);

	if (ret)
		return ret;
	memcpy(s->buf + s->len, buf, n);
	s->len += n;
	s->seg[s->nseg++] = n;
	return 0;
}

/* How many bytes the next access moves. */
static size_t next_step(const struct vfc_io *io, size_t left)
{
	size_t n = io->step ? io->step : left;

	if (n <= left)
		return n;
	if (io->step != 8)
		return left;
	return left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

int vfc_collect(const struct vfc_dev *d, const struct vfc_io *io, __u64 off,
		void *buf, size_t n)
{
	__u8 *p = buf;
	size_t step;
	ssize_t ret;

	if (io->mmap) {
		memcpy(buf, vfc_data(d) + off, n);
		return 0;
	}
	for (; n; n -= step, off += step, p += step) {
		step = next_step(io, n);
		ret = vfc_rd(d, off, p, step);
		if (ret < 0)
			return ret;
		if ((size_t)ret != step)
			return -EIO;
	}
	return 0;
}

int vfc_provide(const struct vfc_dev *d, const struct vfc_io *io, __u64 off,
		const void *buf, size_t n)
{
	const __u8 *p = buf;
	size_t step;
	ssize_t ret;

	if (io->mmap) {
		memcpy(vfc_data(d) + off, buf, n);
		return 0;
	}
	for (; n; n -= step, off += step, p += step) {
		step = next_step(io, n);
		ret = vfc_wd(d, off, p, step);
		if (ret < 0)
			return ret;
		if ((size_t)ret != step)
			return -EIO;
	}
	return 0;
}

ssize_t vfc_save_segment(const struct vfc_dev *d, const struct vfc_io *io,
			 struct vfc_stream *s)
{
	__u64 off, size;
	int ret;

	ret = vfc_r8(d, VFC_OFFSET, &off);
	if (ret < 0)
		return ret;
	ret = vfc_r8(d, VFC_SIZE, &size);
	if (ret < 0)
		return ret;
	if (off != d->data_off || size > vfc_section(d))
		return -ERANGE;
	ret = stream_grow(s, size);
	if (ret)
		return ret;
	ret = vfc_collect(d, io, 0, s->buf + s->len, size);
	if (ret)
		return ret;
	s->len += size;
	s->seg[s->nseg++] = size;
	return size;
}

int vfc_drain(const struct vfc_dev *d, const struct vfc_io *io,
	      struct vfc_stream *s)
{
	__u64 pending;
	ssize_t ret;

	for (;;) {
		ret = vfc_r8(d, VFC_PENDING, &pending);
		if (ret < 0)
			return ret;
		if (!pending)
			return 0;
		ret = vfc_save_segment(d, io, s);
		if (ret < 0)
			return ret;
		if (!ret)
			return -ENODATA;	/* pending, yet nothing came */
	}
}

int vfc_save(const struct vfc_dev *d, const struct vfc_io *io,
	     struct vfc_stream *s)
{
	int ret = vfc_set(d, VFC_SAVING);

	return ret < 0 ? ret : vfc_drain(d, io, s);
}

int vfc_feed(const struct vfc_dev *d, const struct vfc_io *io, const void *buf,
	     size_t n)
{
	__u64 off;
	int ret;

	ret = vfc_r8(d, VFC_OFFSET, &off);
	if (ret < 0)
		return ret;
	if (off != d->data_off)
		return -ERANGE;
	ret = vfc_provide(d, io, 0, buf, n);
	if (ret < 0)
		return ret;
	return vfc_w8(d, VFC_SIZE, n);
}

int vfc_feed_all(const struct vfc_dev *d, const struct vfc_io *io,
		 const void *buf, size_t n, size_t seg)
{
	const __u8 *p = buf;
	size_t step;
	int ret;

	if (!seg || seg > vfc_section(d))
		seg = vfc_section(d);
	for (; n; n -= step, p += step) {
		step = n < seg ? n : seg;
		ret = vfc_feed(d, io, p, step);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int vfc_load(const struct vfc_dev *d, const struct vfc_io *io,
	     const struct vfc_stream *s)
{
	const __u8 *p = s->buf;
	size_t i;
	int ret;

	ret = vfc_set(d, VFC_RESUMING);
	if (ret < 0)
		return ret;
	for (i = 0; i < s->nseg; p += s->seg[i++]) {
		ret = vfc_feed(d, io, p, s->seg[i]);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* --- DMA -------------------------------------------------------------- */

static int ioas_map(const struct vfc_dev *d, void *vaddr, __u64 iova,
		    __u64 size, __u32 flags)
{
	struct ioas_map map = {
		.size = sizeof(map),
		.flags = MAP_FIXED_IOVA |
			(flags & VFIO_DMA_MAP_FLAG_READ ? MAP_READABLE : 0) |
			(flags & VFIO_DMA_MAP_FLAG_WRITE ? MAP_WRITEABLE : 0),
		.ioas_id = d->ioas,
		.user_va = (uintptr_t)vaddr,
		.length = size,
		.iova = iova,
	};

	return ret_errno(ioctl(d->iommufd, IOAS_MAP, &map));
}

int vfc_dma_map_as(const struct vfc_dev *d, void *vaddr, __u64 iova,
		   __u64 size, __u32 flags)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = flags,
		.vaddr = (uintptr_t)vaddr,
		.iova = iova,
		.size = size,
	};

	if (d->iommufd >= 0)
		return ioas_map(d, vaddr, iova, size, flags);
	return ret_errno(ioctl(d->container, VFIO_IOMMU_MAP_DMA, &map));
}

int vfc_dma_map(const struct vfc_dev *d, void *vaddr, __u64 iova,
		__u64 size)
{
	return vfc_dma_map_as(d, vaddr, iova, size, VFIO_DMA_MAP_FLAG_READ |
			      VFIO_DMA_MAP_FLAG_WRITE);
}

int vfc_dma_unmap(const struct vfc_dev *d, __u64 iova, __u64 size)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = size,
	};
	struct ioas_unmap ioas_unmap = {
		.size = sizeof(ioas_unmap),
		.ioas_id = d->ioas,
		.iova = iova,
		.length = size,
	};

	if (d->iommufd >= 0)
		return ret_errno(ioctl(d->iommufd, IOAS_UNMAP, &ioas_unmap));
	return ret_errno(ioctl(d->container, VFIO_IOMMU_UNMAP_DMA, &unmap));
}

static int dirty_call(const struct vfc_dev *d, __u32 flags)
{
	struct vfio_iommu_type1_dirty_bitmap dirty = {
		.argsz = sizeof(dirty),
		.flags = flags,
	};

	return ret_errno(ioctl(d->container, VFIO_IOMMU_DIRTY_PAGES, &dirty));
}

int vfc_dirty_start(const struct vfc_dev *d)
{
	return dirty_call(d, VFIO_IOMMU_DIRTY_PAGES_FLAG_START);
}

int vfc_dirty_stop(const struct vfc_dev *d)
{
	return dirty_call(d, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP);
}

int vfc_dirty_get(const struct vfc_dev *d, __u64 iova, __u64 size,
		  __u64 *bitmap)
{
	struct {
		struct vfio_iommu_type1_dirty_bitmap head;
		struct vfio_iommu_type1_dirty_bitmap_get get;
	} arg = {
		.head.argsz = sizeof(arg),
		.head.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
		.get.iova = iova,
		.get.size = size,
		.get.bitmap.pgsize = 4096,
		.get.bitmap.size = (size / 4096 + 63) / 64 * 8,
		.get.bitmap.data = (void *)bitmap,
	};

	return ret_errno(ioctl(d->container, VFIO_IOMMU_DIRTY_PAGES, &arg));
}

bool vfc_dirty_capable(const struct vfc_dev *d)
{
	union {
		struct vfio_iommu_type1_info info;
		__u8 bytes[4096];
	} buf = { .info.argsz = sizeof(buf) };
	struct vfio_info_cap_header *cap;
	__u32 off;

	if (ioctl(d->container, VFIO_IOMMU_GET_INFO, &buf.info) ||
	    !(buf.info.flags & VFIO_IOMMU_INFO_CAPS))
		return false;
	for (off = buf.info.cap_offset; off && off + sizeof(*cap) < sizeof(buf);
	     off = cap->next) {
		cap = (void *)(buf.bytes + off);
		if (cap->id == VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION)
			return true;
	}
	return false;
}

/* --- Interrupts ------------------------------------------------------- */

int vfc_irq_set(const struct vfc_dev *d, __u32 index, __u32 start,
		__u32 count, const int32_t *fds)
{
	struct vfio_irq_set *set;
	size_t size = sizeof(*set) + count * sizeof(*fds);
	int ret;

	set = calloc(1, size);
	if (!set)
		return -ENOMEM;
	set->argsz = size;
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = index;
	set->start = start;
	set->count = count;
	memcpy(set->data, fds, count * sizeof(*fds));
	ret = ret_errno(ioctl(d->fd, VFIO_DEVICE_SET_IRQS, set));
	free(set);
	return ret;
}

int vfc_irq_disable(const struct vfc_dev *d, __u32 index)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
	};

	return ret_errno(ioctl(d->fd, VFIO_DEVICE_SET_IRQS, &set));
}

__u64 vfc_event_take(int fd)
{
	__u64 val;

	return read(fd, &val, sizeof(val)) == sizeof(val) ? val : 0;
}

__u64 vfc_event_wait(int fd, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (poll(&pfd, 1, ms) <= 0)
		return 0;
	return vfc_event_take(fd);
}

/* --- Another process -------------------------------------------------- */

int vfc_child_start(struct vfc_child *c, int (*fn)(void *arg), void *arg)
{
	int fds[2], ret;

	if (pipe(fds))
		return -errno;
	c->pid = fork();
	if (c->pid < 0) {
		ret = -errno;
		close(fds[0]);
		close(fds[1]);
		return ret;
	}
	if (!c->pid) {
		/* A test that fails must not leave a device open behind it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fds[0]);
		ret = fn(arg);
		if (write(fds[1], &ret, sizeof(ret)) != sizeof(ret))
			_exit(1);
		for (;;)
			pause();
	}
	close(fds[1]);
	c->pipe = fds[0];
	/* End of file: the child died before it had a verdict. */
	return read(fds[0], &ret, sizeof(ret)) == sizeof(ret) ? ret : -ECHILD;
}

int vfc_child_kill(struct vfc_child *c)
{
	int status;

	close(c->pipe);
	if (kill(c->pid, SIGKILL))
		return -errno;
	return waitpid(c->pid, &status, 0) < 0 ? -errno : 0;
}

int vfc_in_child(int (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return 101;
	if (!pid)
		_exit(fn(arg));
	if (waitpid(pid, &status, 0) < 0)
		return 102;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* --- mdev in sysfs ---------------------------------------------------- */

int vfc_file_read(const char *path, char *buf, size_t size)
{
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		n = -errno;
	else
		buf[n] = '\0';
	close(fd);
	return n;
}

int vfc_file_write(const char *path, const void *buf, size_t n)
{
	ssize_t ret;
	int fd;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, buf, n);
	if (ret < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int vfc_uuid(char uuid[VFC_UUID_LEN + 1])
{
	int ret = vfc_file_read("/proc/sys/kernel/random/uuid", uuid,
				VFC_UUID_LEN + 1);

	return ret < 0 ? ret : 0;
}

int vfc_mdev_parent(const char *uuid, char path[VFC_PATH])
{
	char link[VFC_PATH], real[PATH_MAX];

	snprintf(link, sizeof(link), MDEV_DIR "/%s", uuid);
	if (!realpath(link, real))
		return -errno;
	*strrchr(real, '/') = '\0';
	return snprintf(path, VFC_PATH, "%s", real) < VFC_PATH ? 0 :
		-ENAMETOOLONG;
}

int vfc_mdev_type(const char *uuid, char path[VFC_PATH])
{
	char link[VFC_PATH], real[PATH_MAX];

	snprintf(link, sizeof(link), MDEV_DIR "/%s/mdev_type", uuid);
	if (!realpath(link, real))
		return -errno;
	return snprintf(path, VFC_PATH, "%s", real) < VFC_PATH ? 0 :
		-ENAMETOOLONG;
}

int vfc_mdev_create(const char *type_dir, const char *uuid)
{
	char path[VFC_PATH + 16];
	int ret;

	snprintf(path, sizeof(path), "%s/create", type_dir);
	ret = vfc_file_write(path, uuid, strlen(uuid));
	return ret < 0 ? ret : 0;
}

int vfc_mdev_remove(const char *uuid)
{
	char path[VFC_PATH];
	int ret;

	snprintf(path, sizeof(path), MDEV_DIR "/%s/remove", uuid);
	ret = vfc_file_write(path, "1", 1);
	return ret < 0 ? ret : 0;
}

int vfc_mdev_version(const char *uuid, bool type, char *buf, size_t size)
{
	char path[VFC_PATH];

	snprintf(path, sizeof(path), MDEV_DIR "/%s/%smigration_version", uuid,
		 type ? "mdev_type/" : "");
	return vfc_file_read(path, buf, size);
}

/* --- Time ------------------------------------------------------------- */

__u64 vfc_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

void vfc_sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000l };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* --- Environment ------------------------------------------------------ */

__u64 vfc_number(const char *name, __u64 otherwise)
{
	const char *s = getenv(name);

	return s && *s ? strtoull(s, NULL, 0) : otherwise;
}
