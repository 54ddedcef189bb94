/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A raw VFIO client: what the kernel shows, one call for one system call.
 *
 * Invariants
 * - No globals and no output: everything hangs off struct vfc_dev.
 * - A call returns what the system call returned, or -errno. Nothing is
 *   retried, cut into pieces or checked on the way, so that a test sees what
 *   the driver did. Only functions that say so do more than one access.
 * - Register offsets are relative to the migration region's start; @data_off
 *   and the data calls' @off are relative to the data section's start.
 */
#ifndef VFIO_CLIENT_H
#define VFIO_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <sys/types.h>

#include <linux/vfio.h>

/* Header of the v1 migration region. */
#define VFC_STATE	0	/* u32 */
#define VFC_RESERVED	4	/* u32 */
#define VFC_PENDING	8	/* u64 */
#define VFC_OFFSET	16	/* u64 */
#define VFC_SIZE	24	/* u64 */
#define VFC_HEADER	32

/* Values of device_state. */
enum vfc_state {
	VFC_STOP = 0,
	VFC_RUNNING = 1,
	VFC_SAVING = 2,
	VFC_PRECOPY = 3,
	VFC_RESUMING = 4,
	VFC_ERROR = 6,
};

#define VFC_UUID_LEN	36

/**
 * struct vfc_dev - one open device with its own group and container, or, by its
 * device node, with its own iommufd
 * @container: fd with VFIO_TYPE1v2_IOMMU (or VFIO_TYPE1_IOMMU) set; -1 by node
 * @group: fd; -1 by node
 * @iommufd: fd; -1 by group
 * @ioas: the address space in @iommufd to which the device is attached
 * @fd: device fd
 * @uuid: of the mdev
 * @info: answer of VFIO_DEVICE_GET_INFO
 * @mig_index: index of the migration region, -1 if there is none
 * @mig: file offset of the migration region
 * @mig_size: its size
 * @data_off: offset of the data section in the region
 * @area_off: offset in the region of its first mappable area
 * @area_size: size of that area, 0 if nothing can be mapped
 * @map: the mapped area, or NULL
 */
struct vfc_dev {
	int container;
	int group;
	int iommufd;
	__u32 ioas;
	int fd;
	char uuid[VFC_UUID_LEN + 1];
	struct vfio_device_info info;
	int mig_index;
	__u64 mig;
	__u64 mig_size;
	__u64 data_off;
	__u64 area_off;
	__u64 area_size;
	__u8 *map;
};

/* --- Opening ---------------------------------------------------------- */

/*
 * Open @uuid and find its migration region (which may be missing): by its group,
 * or, with VFIO_CDEV=1 in the environment, by its node.
 */
int vfc_open(struct vfc_dev *d, const char *uuid);
int vfc_open_group(struct vfc_dev *d, const char *uuid);
int vfc_open_cdev(struct vfc_dev *d, const char *uuid);
/* Unmap and close everything; @d may be half open. */
void vfc_close(struct vfc_dev *d);
/*
 * One more device fd of the same group, or -errno; -EOPNOTSUPP by node, which can
 * be bound once.
 */
int vfc_device_fd(const struct vfc_dev *d);
#define VFC_ONE_FILE	"a device has one file by its node"

/*
 * The steps of which vfc_open_cdev() is made. The node of @uuid, not bound: nothing
 * but vfc_cdev_bind() works on it. -ENOENT: this kernel has no nodes.
 */
int vfc_cdev_node(const char *uuid);
int vfc_cdev_bind(int node, int iommufd);
/* A new address space of @iommufd. */
int vfc_ioas_alloc(int iommufd, __u32 *ioas);
int vfc_cdev_attach(int node, __u32 ioas);
int vfc_cdev_detach(int node);
/* Size of the data section in bytes. */
__u64 vfc_section(const struct vfc_dev *d);
int vfc_reset(const struct vfc_dev *d);
const char *vfc_state_name(__u32 state);

/* --- Regions ---------------------------------------------------------- */

/*
 * Full answer of GET_REGION_INFO with its capabilities in *@info (to be
 * freed).
 */
int vfc_region_info(int fd, __u32 index, struct vfio_region_info **info);
/* First capability @id of @info, or NULL. */
struct vfio_info_cap_header *vfc_region_cap(struct vfio_region_info *info,
					    __u16 id);
/* Is this the v1 migration region? */
bool vfc_region_is_migration(struct vfio_region_info *info);
/* One access to region @index at @off. */
ssize_t vfc_region_read(const struct vfc_dev *d, __u32 index, __u64 off,
			void *buf, size_t n);
ssize_t vfc_region_write(const struct vfc_dev *d, __u32 index, __u64 off,
			 const void *buf, size_t n);

/* --- Header and data section ------------------------------------------ */

ssize_t vfc_pread(const struct vfc_dev *d, void *buf, size_t n, __u64 off);
ssize_t vfc_pwrite(const struct vfc_dev *d, const void *buf, size_t n,
		   __u64 off);
int vfc_r4(const struct vfc_dev *d, __u64 off, __u32 *val);
int vfc_r8(const struct vfc_dev *d, __u64 off, __u64 *val);
int vfc_w4(const struct vfc_dev *d, __u64 off, __u32 val);
int vfc_w8(const struct vfc_dev *d, __u64 off, __u64 val);
/* Write device_state. */
int vfc_set(const struct vfc_dev *d, __u32 state);
/* device_state, or -errno. */
int vfc_get(const struct vfc_dev *d);
/* One access to the data section. */
ssize_t vfc_rd(const struct vfc_dev *d, __u64 off, void *buf, size_t n);
ssize_t vfc_wd(const struct vfc_dev *d, __u64 off, const void *buf,
	       size_t n);
/* Map the area that holds the data section; it stays until vfc_unmap. */
int vfc_map(struct vfc_dev *d);
void vfc_unmap(struct vfc_dev *d);
/* The mapped data section, NULL if it is not mapped. */
__u8 *vfc_data(const struct vfc_dev *d);

/* --- Whole streams ---------------------------------------------------- */

/**
 * struct vfc_io - how to move the bytes of the data section
 * @mmap: copy through the mapping, which must exist
 * @step: bytes per pread or pwrite; 0: all at once; 8: as QEMU does, with a
 *	tail of 4, 2 and 1
 */
struct vfc_io {
	bool mmap;
	size_t step;
};

/**
 * struct vfc_stream - a saved stream
 * @buf: bytes
 * @len: how many
 * @cap: allocated
 * @seg: sizes of the segments in which they came
 * @nseg: how many
 */
struct vfc_stream {
	__u8 *buf;
	size_t len;
	size_t cap;
	size_t *seg;
	size_t nseg;
};

void vfc_stream_free(struct vfc_stream *s);
/* Append @n bytes as one segment. */
int vfc_stream_add(struct vfc_stream *s, const void *buf, size_t n);
/* Move @n bytes out of or into the data section as @io says. 0 or -errno. */
int vfc_collect(const struct vfc_dev *d, const struct vfc_io *io, __u64 off,
		void *buf, size_t n);
int vfc_provide(const struct vfc_dev *d, const struct vfc_io *io, __u64 off,
		const void *buf, size_t n);
/* Read offset, size and data of the current segment. Its size or -errno. */
ssize_t vfc_save_segment(const struct vfc_dev *d, const struct vfc_io *io,
			 struct vfc_stream *s);
/* Iterate until pending_bytes reads 0 (which acknowledges). 0 or -errno. */
int vfc_drain(const struct vfc_dev *d, const struct vfc_io *io,
	      struct vfc_stream *s);
/* From RUNNING or STOP: SAVING, drain, and leave it there. */
int vfc_save(const struct vfc_dev *d, const struct vfc_io *io,
	     struct vfc_stream *s);
/* Read offset, put data, write size. The result of the size write. */
int vfc_feed(const struct vfc_dev *d, const struct vfc_io *io, const void *buf,
	     size_t n);
/*
 * Feed @n bytes in segments of @seg bytes, 0: as large as the section is.
 * The first error ends it.
 */
int vfc_feed_all(const struct vfc_dev *d, const struct vfc_io *io,
		 const void *buf, size_t n, size_t seg);
/* Enter RESUMING and feed @s with the segments it was saved in. */
int vfc_load(const struct vfc_dev *d, const struct vfc_io *io,
	     const struct vfc_stream *s);

/* --- DMA -------------------------------------------------------------- */

/* @flags: VFIO_DMA_MAP_FLAG_READ and VFIO_DMA_MAP_FLAG_WRITE */
int vfc_dma_map_as(const struct vfc_dev *d, void *vaddr, __u64 iova,
		   __u64 size, __u32 flags);
/* ... both of them. */
int vfc_dma_map(const struct vfc_dev *d, void *vaddr, __u64 iova,
		__u64 size);
int vfc_dma_unmap(const struct vfc_dev *d, __u64 iova, __u64 size);
int vfc_dirty_start(const struct vfc_dev *d);
int vfc_dirty_stop(const struct vfc_dev *d);
/* One bit for each 4 KiB page of the range, least significant first. */
int vfc_dirty_get(const struct vfc_dev *d, __u64 iova, __u64 size,
		  __u64 *bitmap);
/* Does the container say that it can track dirty pages? */
bool vfc_dirty_capable(const struct vfc_dev *d);

/* --- Interrupts ------------------------------------------------------- */

/* Bind @count eventfds (-1: none) from vector @start of @index on. */
int vfc_irq_set(const struct vfc_dev *d, __u32 index, __u32 start,
		__u32 count, const int32_t *fds);
/* Disable @index altogether. */
int vfc_irq_disable(const struct vfc_dev *d, __u32 index);
/* Value of a nonblocking eventfd, which it takes; 0 if there was none. */
__u64 vfc_event_take(int fd);
/* Wait up to @ms for an eventfd and take its value; 0 if it did not come. */
__u64 vfc_event_wait(int fd, int ms);

/* --- Another process -------------------------------------------------- */

/**
 * struct vfc_child - a forked client
 * @pid: its process
 * @pipe: it writes its verdict here
 */
struct vfc_child {
	pid_t pid;
	int pipe;
};

/*
 * Fork, run @fn(@arg) in the child, which then waits to be killed. Returns
 * when @fn is done: its result, or -errno.
 */
int vfc_child_start(struct vfc_child *c, int (*fn)(void *arg), void *arg);
/* kill -9 and reap: when this returns the child's files are closed. */
int vfc_child_kill(struct vfc_child *c);
/*
 * Run @fn in a child to its end. Its result (0 to 100), -signal if a signal
 * ended it.
 */
int vfc_in_child(int (*fn)(void *arg), void *arg);

/* --- mdev in sysfs ---------------------------------------------------- */

#define VFC_PATH	512

/* A fresh UUID. */
int vfc_uuid(char uuid[VFC_UUID_LEN + 1]);
/* Directory of the parent device of @uuid. */
int vfc_mdev_parent(const char *uuid, char path[VFC_PATH]);
/* Directory of the type of @uuid; its last component is the type's id. */
int vfc_mdev_type(const char *uuid, char path[VFC_PATH]);
/* Create @uuid in the directory of a type. */
int vfc_mdev_create(const char *type_dir, const char *uuid);
int vfc_mdev_remove(const char *uuid);
/*
 * migration_version of the instance (or, with @type, of its type) with a
 * terminating zero. Its length or -errno.
 */
int vfc_mdev_version(const char *uuid, bool type, char *buf, size_t size);
/* Whole small file; its length or -errno. Terminates @buf. */
int vfc_file_read(const char *path, char *buf, size_t size);
/* One write of @n bytes. */
int vfc_file_write(const char *path, const void *buf, size_t n);

/* --- Time ------------------------------------------------------------- */

__u64 vfc_now_us(void);
void vfc_sleep_ms(unsigned int ms);

/* --- Environment ------------------------------------------------------ */

/* The number that the environment has for @name, or @otherwise. */
__u64 vfc_number(const char *name, __u64 otherwise);

#endif /* VFIO_CLIENT_H */
