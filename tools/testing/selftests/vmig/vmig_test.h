/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the protocol tests share: opening the device that the environment
 * names, the notation of the access lists, and the check that a refused
 * request changed nothing.
 *
 * Usage: PROGRAM [UUID [UUID2]], or VFIO_DEV=UUID VFIO_DEV2=UUID2 PROGRAM. UUID
 * is any mdev with a v1 migration region; UUID2 another one of the same type.
 *
 * The macros R4 to WD expect a variable `d` (struct vfc_dev *) in scope; they
 * assert full counts, so that a line of a test is one access that must
 * succeed. Accesses that must fail are written with the library's calls, whose
 * results are -errno.
 */
#ifndef VMIG_TEST_H
#define VMIG_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "vfio_client.h"
#include "vfio_model.h"
#include "vmig_records.h"

/* --- Program ---------------------------------------------------------- */

#define VT_EXIT_SKIP	4

/* Before main(): the harness of some kernels takes no arguments. */
static void __attribute__((constructor)) vt_arguments(int argc, char **argv)
{
	if (argc > 1 && argv[1][0] != '-')
		setenv("VFIO_DEV", argv[1], 1);
	if (argc > 2 && argv[1][0] != '-')
		setenv("VFIO_DEV2", argv[2], 1);
	if (!getenv("VFIO_DEV")) {
		printf("TAP version 13\n1..0 # SKIP no VFIO_DEV\n");
		exit(VT_EXIT_SKIP);
	}
}

/* --- Fixture ---------------------------------------------------------- */

/**
 * struct vt - the devices of a test
 * @a: VFIO_DEV, open and RUNNING
 * @b: VFIO_DEV2; open if @two
 * @two: there is a second device
 * @m: adapter for both, or NULL
 * @s: a stream, freed by the teardown
 */
struct vt {
	struct vfc_dev a;
	struct vfc_dev b;
	bool two;
	const struct vfc_model *m;
	struct vfc_stream s;
};

static const struct vfc_io vt_bulk = { false, 0 };
static const struct vfc_io vt_qemu = { false, 8 };
static const struct vfc_io vt_mmap = { true, 0 };

/*
 * How this test, which is a process of its own, and the helpers below move the
 * bytes of streams: as vt_bulk, or as vt_mmap after vt_by_mmap().
 */
static struct vfc_io vt_way;

static inline void vt_open(struct __test_metadata *_metadata, struct vt *t)
{
	ASSERT_EQ(0, vfc_open(&t->a, getenv("VFIO_DEV")));
	ASSERT_LE(0, t->a.mig_index);
	ASSERT_EQ(VFC_RUNNING, vfc_get(&t->a));
	t->m = vfc_model_find(&t->a);
}

static inline void vt_open_two(struct __test_metadata *_metadata, struct vt *t)
{
	vt_open(_metadata, t);
	if (!getenv("VFIO_DEV2"))
		return;
	ASSERT_EQ(0, vfc_open(&t->b, getenv("VFIO_DEV2")));
	ASSERT_LE(0, t->b.mig_index);
	ASSERT_EQ(VFC_RUNNING, vfc_get(&t->b));
	t->two = true;
}

/*
 * From here on through mappings, with @mapped. Where the section cannot be mapped
 * it is the same test again.
 */
static inline void vt_by_mmap(struct __test_metadata *_metadata, struct vt *t,
			      bool mapped)
{
	if (!mapped || !t->a.area_size)
		return;
	ASSERT_EQ(0, vfc_map(&t->a));
	if (t->two)
		ASSERT_EQ(0, vfc_map(&t->b));
	vt_way = vt_mmap;
}

/* Does the model do DMA, raise interrupts and rewrite its state by itself? */
static inline bool vt_works(const struct vfc_model *m)
{
	return m && m->start_noise;
}

/* Has the device @n units of state that can be touched? */
static inline bool vt_has(const struct vt *t, __u64 n)
{
	return t->m && t->m->units(&t->a) >= n;
}

/* Has it memory that can be mapped? */
static inline bool vt_maps(const struct vfc_model *m)
{
	return m && m->map;
}

static inline void vt_close(struct vt *t)
{
	vfc_stream_free(&t->s);
	if (t->two)
		vfc_close(&t->b);
	vfc_close(&t->a);
}

/* Why tests are skipped. */
#define VT_NO_MODEL	"no adapter for this device model"
#define VT_NO_WORK	"this device model does nothing by itself"
#define VT_NO_MAP	"this device model has no memory to map"
#define VT_NO_ROOM	"this device has too little state for that"
#define VT_NO_SECOND	"no VFIO_DEV2"
#define VT_NO_MMAP	"the data section cannot be mapped"
#define VT_NO_KNOB	"no debugfs knobs for that"

/* --- Notation --------------------------------------------------------- */

#define R4(o)	({ __u32 v4_; ASSERT_EQ(4, vfc_r4(d, (o), &v4_)); v4_; })
#define R8(o)	({ __u64 v8_; ASSERT_EQ(8, vfc_r8(d, (o), &v8_)); v8_; })
#define W4(o, v)	ASSERT_EQ(4, vfc_w4(d, (o), (v)))
#define W8(o, v)	ASSERT_EQ(8, vfc_w8(d, (o), (v)))
/* n bytes, all of them */
#define RD(o, b, n)	({ ssize_t n_ = (n); ASSERT_EQ(n_, vfc_rd(d, (o), (b), n_)); })
#define WD(o, b, n)	({ ssize_t n_ = (n); ASSERT_EQ(n_, vfc_wd(d, (o), (b), n_)); })
/* Write a state and read it back. */
#define SET(v)	do {							\
		int state_ = (v);					\
		ASSERT_EQ(4, vfc_set(d, state_));			\
		ASSERT_EQ(state_, vfc_get(d));				\
	} while (0)

/* --- Knobs ------------------------------------------------------------ */

/* Files for tests, which the driver has per device in debugfs. */
static inline const char *vt_knob(const struct vfc_dev *d, const char *name,
				  char path[VFC_PATH])
{
	snprintf(path, VFC_PATH, "/sys/kernel/debug/mimic/%s/%s", d->uuid, name);
	return path;
}

static inline bool vt_has_knob(const struct vfc_dev *d, const char *name)
{
	char path[VFC_PATH];

	return access(vt_knob(d, name, path), F_OK) == 0;
}

/* What write(2) says: a count or -errno. */
static inline int vt_knob_set(const struct vfc_dev *d, const char *name,
			      const char *text)
{
	char path[VFC_PATH];

	return vfc_file_write(vt_knob(d, name, path), text, strlen(text));
}

/*
 * The size of the section can be changed only while the device is closed. 0 or
 * -errno, for use in a teardown: that begins anew with each assertion in it if
 * the test has failed.
 */
static inline int vt_section_set(struct vfc_dev *d, const char *uuid,
				 __u64 size)
{
	char text[32];
	int ret, opened;

	snprintf(text, sizeof(text), "%llu", (unsigned long long)size);
	vfc_close(d);
	ret = vt_knob_set(d, "section_size", text);
	opened = vfc_open(d, uuid);
	return ret < 0 ? ret : opened;
}

static inline int vt_section_set_both(struct vt *t, __u64 a, __u64 b)
{
	int ret = vt_section_set(&t->a, getenv("VFIO_DEV"), a);

	if (!ret && t->two)
		ret = vt_section_set(&t->b, getenv("VFIO_DEV2"), b);
	return ret;
}

static inline void vt_resize_both(struct __test_metadata *_metadata,
				  struct vt *t, __u64 a, __u64 b)
{
	ASSERT_EQ(0, vt_section_set_both(t, a, b));
	ASSERT_EQ(a, vfc_section(&t->a));
	if (t->two)
		ASSERT_EQ(b, vfc_section(&t->b));
}

/* A line "NAME: NUMBER" of the device's "migration" file; -1: not there. */
static inline long long vt_counter(const struct vfc_dev *d, const char *name)
{
	char path[VFC_PATH], text[1024], *p;
	long long value;
	size_t len = strlen(name);

	if (vfc_file_read(vt_knob(d, "migration", path), text,
			  sizeof(text)) < 0)
		return -1;
	for (p = strtok(text, "\n"); p; p = strtok(NULL, "\n"))
		if (!strncmp(p, name, len) && p[len] == ':' &&
		    sscanf(p + len + 1, "%lld", &value) == 1)
			return value;
	return -1;
}

/* --- States ----------------------------------------------------------- */

static const __u32 vt_states[] = { 0, 1, 2, 3, 4, 6 };

/* The debug knob that makes an internal error; false if there is none. */
static inline bool vt_has_error_knob(const struct vfc_dev *d)
{
	return vt_has_knob(d, "internal_error");
}

static inline void vt_make_error(struct __test_metadata *_metadata,
				 const struct vfc_dev *d)
{
	ASSERT_EQ(1, vt_knob_set(d, "internal_error", "1"));
	ASSERT_EQ(VFC_ERROR, vfc_get(d));
}

/* Bring a device in RUNNING to @state by the shortest legal path. */
static inline void vt_reach(struct __test_metadata *_metadata,
			    const struct vfc_dev *d, __u32 state)
{
	if (state == VFC_ERROR)
		vt_make_error(_metadata, d);
	else if (state != VFC_RUNNING)
		SET(state);
}

/* --- "unchanged" ------------------------------------------------------ */

/**
 * struct vt_snap - what a refused request must leave alone
 * @state: device_state
 * @scratch: a register
 * @staged: a segment is staged: its size and bytes follow
 * @size: of the segment
 * @bytes: of the segment
 */
struct vt_snap {
	__u32 state;
	__u32 scratch;
	bool staged;
	__u64 size;
	__u8 *bytes;
};

/* With @staged the segment has been staged, and counts as sized after this. */
static inline void vt_snap(struct __test_metadata *_metadata,
			   const struct vfc_dev *d, const struct vfc_model *m,
			   bool staged, struct vt_snap *snap)
{
	memset(snap, 0, sizeof(*snap));
	snap->state = R4(VFC_STATE);
	if (m)
		ASSERT_EQ(0, m->reg_get(d, &snap->scratch));
	snap->staged = staged;
	if (!staged)
		return;
	snap->size = R8(VFC_SIZE);
	ASSERT_LT(0, snap->size);
	snap->bytes = malloc(snap->size);
	ASSERT_NE(NULL, snap->bytes);
	RD(0, snap->bytes, snap->size);
}

static inline void vt_unchanged(struct __test_metadata *_metadata,
				const struct vfc_dev *d,
				const struct vfc_model *m,
				const struct vt_snap *snap)
{
	struct vt_snap now;

	vt_snap(_metadata, d, m, snap->staged, &now);
	ASSERT_EQ(snap->state, now.state);
	ASSERT_EQ(snap->scratch, now.scratch);
	ASSERT_EQ(snap->size, now.size);
	if (snap->staged)
		ASSERT_EQ(0, memcmp(snap->bytes, now.bytes, now.size));
	free(now.bytes);
}

static inline void vt_snap_free(struct vt_snap *snap)
{
	free(snap->bytes);
	snap->bytes = NULL;
}

/* --- State of the device ---------------------------------------------- */

/* As many of @n units as the device has. */
static inline unsigned int vt_units(const struct vfc_dev *d,
				    const struct vfc_model *m, unsigned int n)
{
	__u64 units = m->units(d);

	return n < units ? n : units;
}

/* Fewest segments that @n units, or all that there are, take. */
static inline unsigned int vt_segments(const struct vfc_dev *d,
				       const struct vfc_model *m, unsigned int n)
{
	__u64 bytes = (__u64)vt_units(d, m, n) * VFC_UNIT;

	return (bytes + vfc_section(d) - 1) / vfc_section(d);
}

/* Distinct contents for the first @n units, or all that there are. */
static inline void vt_touch(struct __test_metadata *_metadata,
			    const struct vfc_dev *d, const struct vfc_model *m,
			    unsigned int n, __u64 value)
{
	unsigned int i;
	int ret;

	n = vt_units(d, m, n);
	for (i = 0, ret = 0; i < n && !ret; i++)
		ret = m->touch(d, i, value + i);
	ASSERT_EQ(0, ret);
}

static inline void vt_check_touched(struct __test_metadata *_metadata,
				    const struct vfc_dev *d,
				    const struct vfc_model *m, unsigned int n,
				    __u64 value)
{
	unsigned int i;
	__u64 seen;

	n = vt_units(d, m, n);
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, m->read_back(d, i, &seen));
		ASSERT_EQ(value + i, seen);
	}
}

/*
 * A small stream from @d, which is reset before and after: @n touched units
 * and, in the scratch register, @value. Without an adapter: what there is.
 */
static inline void vt_small_stream(struct __test_metadata *_metadata,
				   const struct vfc_dev *d,
				   const struct vfc_model *m, unsigned int n,
				   __u64 value, struct vfc_stream *s)
{
	ASSERT_EQ(0, vfc_reset(d));
	if (m) {
		vt_touch(_metadata, d, m, n, value);
		ASSERT_EQ(0, m->reg_set(d, (__u32)value));
	}
	ASSERT_EQ(0, vfc_save(d, &vt_way, s));
	ASSERT_LT(0, s->len);
	ASSERT_EQ(0, vfc_reset(d));
}

/* Does @d (in STOP or RUNNING) hold what vt_small_stream() saved? */
static inline void vt_check_small(struct __test_metadata *_metadata,
				  const struct vfc_dev *d,
				  const struct vfc_model *m, unsigned int n,
				  __u64 value)
{
	__u32 scratch;

	if (!m)
		return;
	ASSERT_EQ(0, m->reg_get(d, &scratch));
	ASSERT_EQ((__u32)value, scratch);
	vt_check_touched(_metadata, d, m, n, value);
}

/* Restore @s into @d from any state, and leave @d in RUNNING. */
static inline void vt_restore(struct __test_metadata *_metadata,
			      const struct vfc_dev *d,
			      const struct vfc_stream *s)
{
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(0, vfc_load(d, &vt_way, s));
	SET(VFC_RUNNING);
}

/* Feed @s to @d: it must be refused somewhere, and RESET must help. */
static inline void vt_refused(struct __test_metadata *_metadata,
			      const struct vfc_dev *d,
			      const struct vfc_stream *s)
{
	ASSERT_EQ(0, vfc_reset(d));
	vfc_load(d, &vt_way, s);
	ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
	ASSERT_EQ(VFC_RESUMING, vfc_get(d));
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(VFC_RUNNING, vfc_get(d));
}

/* From RUNNING: a whole migration of @d into itself by way of RESET. */
static inline void vt_migrates(struct __test_metadata *_metadata,
			       const struct vfc_dev *d)
{
	struct vfc_stream s = {};

	ASSERT_EQ(VFC_RUNNING, vfc_get(d));
	SET(VFC_PRECOPY);
	ASSERT_EQ(0, vfc_drain(d, &vt_way, &s));
	SET(VFC_SAVING);
	ASSERT_EQ(0, vfc_drain(d, &vt_way, &s));
	SET(VFC_STOP);
	vt_restore(_metadata, d, &s);
	vfc_stream_free(&s);
}

/* --- Exhaustive tests ------------------------------------------------- */

/* A stream of so many bytes is small: everything can be tried with it. */
#define VT_SMALL_STREAM	8192

/*
 * The distance of the places of @s to try: each one of a small stream, some
 * @n of a large one. Odd, so that all alignments come.
 */
static inline size_t vt_stride(const struct vfc_stream *s, size_t n)
{
	return s->len <= VT_SMALL_STREAM ? 1 : (s->len / n) | 1;
}

/* --- Config space ----------------------------------------------------- */

static inline __u16 vt_config(struct __test_metadata *_metadata,
			      const struct vfc_dev *d, __u32 off)
{
	__u16 v;

	ASSERT_EQ(2, vfc_region_read(d, VFIO_PCI_CONFIG_REGION_INDEX, off, &v,
				     2));
	return v;
}

static inline void vt_config_set(struct __test_metadata *_metadata,
				 const struct vfc_dev *d, __u32 off, __u16 v)
{
	ASSERT_EQ(2, vfc_region_write(d, VFIO_PCI_CONFIG_REGION_INDEX, off, &v,
				      2));
}

/* Offset of the flags of the MSI-X capability, 0 if there is none. */
static inline __u32 vt_msix_flags(struct __test_metadata *_metadata,
				  const struct vfc_dev *d)
{
	__u8 at = vt_config(_metadata, d, PCI_CAPABILITY_LIST);
	__u16 head;

	for (; at; at = head >> 8) {
		head = vt_config(_metadata, d, at);
		if ((head & 0xff) == PCI_CAP_ID_MSIX)
			return at + PCI_MSIX_FLAGS;
	}
	return 0;
}

/* --- A session under way ---------------------------------------------- */

/* How far a saving session went. */
enum vt_point {
	VT_ENTRY, VT_PENDING, VT_OFFSET, VT_SIZE, VT_HALF, VT_DATA, VT_ACK,
	VT_END,
	VT_POINTS
};

/* From RUNNING to @point of a session in SAVING or PRECOPY. 0 or -errno. */
static inline int vt_advance(const struct vfc_dev *d, __u32 state,
			     enum vt_point point)
{
	struct vfc_stream s = {};
	__u64 size = 0;
	__u8 buf[256];
	int ret = 0;

	if (state == VFC_SAVING)	/* as a migration does: by way of 3 */
		ret = vfc_set(d, VFC_PRECOPY);
	if (ret >= 0)
		ret = vfc_set(d, state);
	if (ret >= 0 && point >= VT_PENDING)
		ret = vfc_r8(d, VFC_PENDING, &size);
	if (ret >= 0 && point >= VT_OFFSET)
		ret = vfc_r8(d, VFC_OFFSET, &size);
	if (ret >= 0 && point >= VT_SIZE)
		ret = vfc_r8(d, VFC_SIZE, &size);
	if (ret >= 0 && point == VT_HALF)
		ret = vfc_rd(d, 0, buf, sizeof(buf));
	if (ret >= 0 && point >= VT_DATA)
		ret = vfc_save_segment(d, &vt_way, &s);
	if (ret >= 0 && point >= VT_ACK)
		ret = vfc_r8(d, VFC_PENDING, &size);
	if (ret >= 0 && point == VT_END)
		ret = vfc_drain(d, &vt_way, &s);
	vfc_stream_free(&s);
	return ret < 0 ? ret : 0;
}

/* --- Memory that is charged to this process --------------------------- */

#define VT_CGROUP	"/sys/fs/cgroup"
#define VT_GROUP	VT_CGROUP "/mimic-session"
#define VT_NO_CGROUP	"no memory controller"

/* Bytes charged to the group of vt_group_enter(), or -errno. */
static inline long long vt_group_bytes(void)
{
	char text[32];
	int ret = vfc_file_read(VT_GROUP "/memory.current", text, sizeof(text));

	return ret < 0 ? ret : atoll(text);
}

/* Put this process into a group of its own; false: there are no such. */
static inline bool vt_group_enter(void)
{
	if (access(VT_CGROUP "/cgroup.procs", F_OK) &&
	    mount("none", VT_CGROUP, "cgroup2", 0, NULL))
		return false;
	vfc_file_write(VT_CGROUP "/cgroup.subtree_control", "+memory", 7);
	mkdir(VT_GROUP, 0755);
	return vt_group_bytes() >= 0 &&
		vfc_file_write(VT_GROUP "/cgroup.procs", "0", 1) > 0;
}

static inline void vt_group_leave(void)
{
	vfc_file_write(VT_CGROUP "/cgroup.procs", "0", 1);
	rmdir(VT_GROUP);
}

#endif /* VMIG_TEST_H */
