// SPDX-License-Identifier: GPL-2.0-only
/*
 * BAR2, the device memory: by pread and pwrite and through mappings, which show
 * the same bytes at all times.
 */
#include "accel_test.h"

#include <sys/mount.h>
#include <sys/stat.h>

FIXTURE(memory) {
	struct vfc_dev d;
	__u64 size;
	__u64 off;	/* of the region in the device file */
};

FIXTURE_SETUP(memory)
{
	at_open(_metadata, &self->d, "VFIO_DEV");
	self->size = at_region_size(&self->d, AT_MEM);
	self->off = at_region_offset(&self->d, AT_MEM);
	ASSERT_LE(8 * AT_PAGE, self->size);
}

FIXTURE_TEARDOWN(memory)
{
	vfc_close(&self->d);
}

static __u8 *map(const struct vfc_dev *d, __u64 off, size_t len, int flags)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, flags, d->fd, off);
}

#define MAP_ALL()	({ __u8 *m_ = map(d, self->off, self->size, MAP_SHARED);\
			   ASSERT_NE(MAP_FAILED, m_); m_; })

TEST_F(memory, region_info)
{
	struct vfc_dev *d = &self->d;
	struct vfio_region_info *info;

	ASSERT_EQ(0, vfc_region_info(d->fd, AT_MEM, &info));
	ASSERT_EQ(VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
		  VFIO_REGION_INFO_FLAG_MMAP, info->flags & 7);
	ASSERT_EQ(0, self->size & (self->size - 1));
	free(info);
	ASSERT_EQ(0, vfc_region_info(d->fd, AT_REGS, &info));
	ASSERT_EQ(0, info->flags & VFIO_REGION_INFO_FLAG_MMAP);
	free(info);
	ASSERT_EQ(0, vfc_region_info(d->fd, AT_MSIX, &info));
	ASSERT_EQ(0, info->flags & VFIO_REGION_INFO_FLAG_MMAP);
	free(info);
}

/* Untouched memory is zero, whichever way it is read first. */
TEST_F_TIMEOUT(memory, holes_read_zero, 120)
{
	struct vfc_dev *d = &self->d;
	__u8 buf[65536], *p = MAP_ALL();
	__u64 off;

	for (off = 0; off < self->size; off += sizeof(buf)) {
		READ_MEM(off, buf, sizeof(buf));
		ASSERT_TRUE(at_all(buf, 0, sizeof(buf)));
	}
	for (off = 0; off < self->size; off += 16 * AT_PAGE)
		ASSERT_EQ(0, p[off]);
	ASSERT_EQ(0, p[self->size - 1]);
	ASSERT_TRUE(at_all(p, 0, 64 * AT_PAGE));
	munmap(p, self->size);
}

TEST_F(memory, any_offset_and_length)
{
	static const struct {
		__u64 off;
		size_t n;
	} cases[] = {
		{ 0, 1 }, { 1, 1 }, { 4095, 1 }, { 4095, 2 }, { 3, 7 },
		{ 4090, 4102 }, { 8191, 12290 }, { 40960, 65536 }, { 77777, 3 },
	};
	struct vfc_dev *d = &self->d;
	__u8 *image = calloc(1, 200000), *buf = malloc(200000);
	unsigned int i;

	ASSERT_NE(NULL, image);
	ASSERT_NE(NULL, buf);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		at_fill(image + cases[i].off, cases[i].n, i);
		WRITE_MEM(cases[i].off, image + cases[i].off, cases[i].n);
		READ_MEM(cases[i].off, buf, cases[i].n);
		ASSERT_EQ(0, memcmp(image + cases[i].off, buf, cases[i].n));
	}
	READ_MEM(0, buf, 200000);
	ASSERT_EQ(0, memcmp(image, buf, 200000));
	free(image);
	free(buf);
}

TEST_F(memory, ends)
{
	struct vfc_dev *d = &self->d;
	__u8 buf[16];

	memset(buf, 0x77, sizeof(buf));
	ASSERT_EQ(3, vfc_region_write(d, AT_MEM, self->size - 3, buf, 16));
	memset(buf, 0, sizeof(buf));
	ASSERT_EQ(3, vfc_region_read(d, AT_MEM, self->size - 3, buf, 16));
	ASSERT_TRUE(at_all(buf, 0x77, 3));
	ASSERT_TRUE(at_all(buf + 3, 0, 13));
	ASSERT_EQ(-EINVAL, vfc_region_read(d, AT_MEM, self->size, buf, 1));
	ASSERT_EQ(-EINVAL, vfc_region_write(d, AT_MEM, self->size, buf, 1));
	ASSERT_EQ(0, vfc_region_read(d, AT_MEM, self->size - 3, buf, 0));
}

/* A buffer that faults: what was not there is not written. */
TEST_F(memory, bad_user_buffer)
{
	struct vfc_dev *d = &self->d;
	__u8 *p = mmap(NULL, 2 * AT_PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ssize_t n;

	ASSERT_NE(MAP_FAILED, p);
	munmap(p + AT_PAGE, AT_PAGE);
	memset(p, 0x66, AT_PAGE);
	ASSERT_EQ(-EFAULT, vfc_region_write(d, AT_MEM, 0, p + AT_PAGE, 8));
	ASSERT_EQ(-EFAULT, vfc_region_read(d, AT_MEM, 0, p + AT_PAGE, 8));
	ASSERT_EQ(0, AT_READ(AT_MEM, 0, __u64));
	/* Half of it: an error, or a short count that tells the truth. */
	n = vfc_region_write(d, AT_MEM, 0, p, 2 * AT_PAGE);
	ASSERT_TRUE(n == -EFAULT || n == AT_PAGE);
	if (n == AT_PAGE)
		ASSERT_EQ(0x66, AT_READ(AT_MEM, AT_PAGE - 1, __u8));
	ASSERT_EQ(0, AT_READ(AT_MEM, AT_PAGE, __u64));
	munmap(p, AT_PAGE);
}

TEST_F(memory, both_views_agree)
{
	struct vfc_dev *d = &self->d;
	__u8 buf[3 * AT_PAGE], want[3 * AT_PAGE], *p = MAP_ALL();
	unsigned int i;

	for (i = 0; i < 50; i++) {
		__u64 off = (i * 7919 * 64ull) % (self->size - sizeof(buf));

		at_fill(want, sizeof(want), i);
		if (i & 1)
			memcpy(p + off, want, sizeof(want));
		else
			WRITE_MEM(off, want, sizeof(want));
		READ_MEM(off, buf, sizeof(buf));
		ASSERT_EQ(0, memcmp(want, buf, sizeof(buf)));
		ASSERT_EQ(0, memcmp(want, p + off, sizeof(buf)));
	}
	p[self->size - 1] = 0x11;
	ASSERT_EQ(0x11, AT_READ(AT_MEM, self->size - 1, __u8));
	munmap(p, self->size);
}

/*
 * Read as a hole through the mapping first, then written from the other side:
 * the mapping must show it. And the other way round.
 */
TEST_F(memory, hole_that_was_mapped_gets_a_page)
{
	struct vfc_dev *d = &self->d;
	__u8 *p = MAP_ALL();
	unsigned int i;

	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, p[i * AT_PAGE]);
	for (i = 0; i < 64; i++)
		AT_WRITE(AT_MEM, i * AT_PAGE, __u8, i + 1);
	for (i = 0; i < 64; i++)
		ASSERT_EQ(i + 1, p[i * AT_PAGE]);
	for (i = 0; i < 64; i++)
		p[i * AT_PAGE + 1] = 2 * i + 1;
	for (i = 0; i < 64; i++)
		ASSERT_EQ(2 * i + 1, AT_READ(AT_MEM, i * AT_PAGE + 1, __u8));
	munmap(p, self->size);
}

TEST_F(memory, refused_mappings)
{
	struct vfc_dev *d = &self->d;
	__u64 off = self->off;
	unsigned int i;
	const struct {
		__u64 off;
		size_t len;
		int flags;
	} bad[] = {
		{ off, AT_PAGE, MAP_PRIVATE },
		{ off + self->size, AT_PAGE, MAP_SHARED },
		{ off, self->size + AT_PAGE, MAP_SHARED },
		{ off + self->size - AT_PAGE, 2 * AT_PAGE, MAP_SHARED },
		{ at_region_offset(d, AT_REGS), AT_PAGE, MAP_SHARED },
		{ at_region_offset(d, AT_MSIX), AT_PAGE, MAP_SHARED },
		{ at_region_offset(d, AT_CFG), AT_PAGE, MAP_SHARED },
		{ at_region_offset(d, VFIO_PCI_BAR1_REGION_INDEX), AT_PAGE,
		  MAP_SHARED },
		{ 0x7ffffffffffff000ull - 16 * AT_PAGE, AT_PAGE, MAP_SHARED },
	};

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		ASSERT_EQ(MAP_FAILED, map(d, bad[i].off, bad[i].len,
					  bad[i].flags))
			TH_LOG("case %u", i);
		ASSERT_TRUE(errno == EINVAL || errno == EOVERFLOW)
			TH_LOG("case %u: %s", i, strerror(errno));
	}
	/* Read-only ones are fine. */
	ASSERT_NE(MAP_FAILED, mmap(NULL, AT_PAGE, PROT_READ, MAP_SHARED, d->fd,
				   off));
}

/* Many mappings of parts, and another file of the same device. */
TEST_F(memory, several_mappings)
{
	struct vfc_dev *d = &self->d;
	__u8 *a, *b, *c, *all;
	int fd;

	fd = vfc_device_fd(d);
	if (fd == -EOPNOTSUPP)
		SKIP(return, VFC_ONE_FILE);
	ASSERT_LE(0, fd);
	all = MAP_ALL();
	a = map(d, self->off + 4 * AT_PAGE, AT_PAGE, MAP_SHARED);
	b = map(d, self->off + 4 * AT_PAGE, 3 * AT_PAGE, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, a);
	ASSERT_NE(MAP_FAILED, b);
	c = mmap(NULL, 2 * AT_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 self->off + 4 * AT_PAGE);
	ASSERT_NE(MAP_FAILED, c);
	close(fd);
	all[4 * AT_PAGE] = 9;
	ASSERT_EQ(9, a[0]);
	ASSERT_EQ(9, b[0]);
	ASSERT_EQ(9, c[0]);
	b[AT_PAGE] = 8;
	ASSERT_EQ(8, c[AT_PAGE]);
	ASSERT_EQ(8, AT_READ(AT_MEM, 5 * AT_PAGE, __u8));
	munmap(a, AT_PAGE);
	c[0] = 7;
	ASSERT_EQ(7, all[4 * AT_PAGE]);
	/* A hole in the middle of a mapping. */
	ASSERT_EQ(0, munmap(b + AT_PAGE, AT_PAGE));
	ASSERT_EQ(7, b[0]);
	b[2 * AT_PAGE] = 6;
	ASSERT_EQ(6, all[6 * AT_PAGE]);
	ASSERT_EQ(SIGSEGV, at_load_fault(b + AT_PAGE));
	munmap(all, self->size);
	ASSERT_EQ(7, c[0]);
}

struct forked {
	__u8 *p;
	const struct vfc_dev *d;
};

static int in_child(void *arg)
{
	struct forked *f = arg;
	__u8 v;

	if (f->p[0] != 1 || f->p[AT_PAGE] != 2)
		return 1;
	f->p[0] = 11;
	f->p[3 * AT_PAGE] = 13;		/* not touched by the parent yet */
	if (vfc_region_read(f->d, AT_MEM, 0, &v, 1) != 1 || v != 11)
		return 2;
	return munmap(f->p, 2 * AT_PAGE) ? 3 : 0;
}

TEST_F(memory, fork_shares_the_mapping)
{
	struct vfc_dev *d = &self->d;
	struct forked f = { MAP_ALL(), d };

	f.p[0] = 1;
	f.p[AT_PAGE] = 2;
	ASSERT_EQ(0, vfc_in_child(in_child, &f));
	ASSERT_EQ(11, f.p[0]);
	ASSERT_EQ(13, f.p[3 * AT_PAGE]);
	f.p[AT_PAGE] = 4;
	ASSERT_EQ(4, AT_READ(AT_MEM, AT_PAGE, __u8));
	munmap(f.p, self->size);
}

TEST_F(memory, mremap)
{
	struct vfc_dev *d = &self->d;
	__u8 *p = map(d, self->off, 4 * AT_PAGE, MAP_SHARED), *q, *to;

	ASSERT_NE(MAP_FAILED, p);
	p[0] = 1;
	p[3 * AT_PAGE] = 3;
	to = mmap(NULL, 4 * AT_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		  0);
	ASSERT_NE(MAP_FAILED, to);
	q = mremap(p, 4 * AT_PAGE, 4 * AT_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   to);
	ASSERT_EQ(to, q);
	ASSERT_EQ(1, q[0]);
	ASSERT_EQ(3, q[3 * AT_PAGE]);
	ASSERT_EQ(0, q[2 * AT_PAGE]);
	q[2 * AT_PAGE] = 2;
	ASSERT_EQ(2, AT_READ(AT_MEM, 2 * AT_PAGE, __u8));
	ASSERT_EQ(SIGSEGV, at_load_fault(p));
	/* It cannot grow, to more than was asked for or beyond the memory. */
	ASSERT_EQ(MAP_FAILED, mremap(q, 4 * AT_PAGE, 8 * AT_PAGE,
				     MREMAP_MAYMOVE));
	/* But shrink. */
	ASSERT_EQ(q, mremap(q, 4 * AT_PAGE, AT_PAGE, 0));
	ASSERT_EQ(1, q[0]);
	munmap(q, AT_PAGE);
}

TEST_F(memory, no_decode_no_mapping)
{
	struct vfc_dev *d = &self->d;
	__u8 *p = MAP_ALL(), *q;
	int i;

	p[0] = 0x21;
	for (i = 0; i < 3; i++) {
		SETCFG16(PCI_COMMAND, PCI_COMMAND_MASTER);
		ASSERT_EQ(SIGBUS, at_load_fault(p));
		ASSERT_EQ(SIGBUS, at_store_fault(p, 0x22));
		ASSERT_EQ(SIGBUS, at_load_fault(p + 8 * AT_PAGE));
		/* A mapping can be made, to be used later. */
		q = map(d, self->off, AT_PAGE, MAP_SHARED);
		ASSERT_NE(MAP_FAILED, q);
		ASSERT_EQ(SIGBUS, at_load_fault(q));
		at_enable(_metadata, d);
		ASSERT_EQ(0, at_load_fault(p));
		ASSERT_EQ(0x21, p[0]);
		ASSERT_EQ(0x21, q[0]);
		ASSERT_EQ(0, at_store_fault(p + AT_PAGE, 0x23));
		ASSERT_EQ(0x23, AT_READ(AT_MEM, AT_PAGE, __u8));
		munmap(q, AT_PAGE);
	}
	munmap(p, self->size);
}

TEST_F(memory, powered_down_no_mapping)
{
	struct vfc_dev *d = &self->d;
	__u8 cap = at_cap(_metadata, d, PCI_CAP_ID_PM);
	__u8 *p = MAP_ALL();

	p[5] = 5;
	SETCFG16(cap + PCI_PM_CTRL, CFG16(cap + PCI_PM_CTRL) | 3);
	ASSERT_EQ(SIGBUS, at_load_fault(p + 5));
	SETCFG16(cap + PCI_PM_CTRL,
		 CFG16(cap + PCI_PM_CTRL) & ~PCI_PM_CTRL_STATE_MASK);
	ASSERT_EQ(5, p[5]);
	munmap(p, self->size);
}

/* The ways to a device that is stopped, and back. */
static void to_stopped(struct __test_metadata *_metadata,
		       const struct vfc_dev *d, __u32 state, bool precopy)
{
	if (state == VFC_ERROR) {
		ASSERT_EQ(1, at_make_error(d));
		return;
	}
	if (precopy)
		AT_STATE(VFC_PRECOPY);
	AT_STATE(state);
}

/* Loads work, stores fault or are refused, and change nothing. */
static void frozen(struct __test_metadata *_metadata, const struct vfc_dev *d,
		   __u8 *p, const __u8 want[4])
{
	__u8 junk = 0x99;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, at_load_fault(p + i * AT_PAGE));
		ASSERT_EQ(SIGBUS, at_store_fault(p + i * AT_PAGE, junk));
		ASSERT_EQ(-EIO, vfc_region_write(d, AT_MEM, i * AT_PAGE, &junk,
						 1));
		ASSERT_EQ(want[i], p[i * AT_PAGE]);
		ASSERT_EQ(want[i], AT_READ(AT_MEM, i * AT_PAGE, __u8));
	}
}

FIXTURE(stopped) {
	struct vfc_dev d;
	__u64 off;
	__u64 size;
};

FIXTURE_VARIANT(stopped) {
	__u32 state;
	bool precopy;
};

FIXTURE_VARIANT_ADD(stopped, stop) { .state = VFC_STOP };
FIXTURE_VARIANT_ADD(stopped, saving) { .state = VFC_SAVING };
FIXTURE_VARIANT_ADD(stopped, precopy_saving) {
	.state = VFC_SAVING, .precopy = true,
};

FIXTURE_VARIANT_ADD(stopped, resuming) { .state = VFC_RESUMING };
FIXTURE_VARIANT_ADD(stopped, error) { .state = VFC_ERROR };

FIXTURE_SETUP(stopped)
{
	at_open(_metadata, &self->d, "VFIO_DEV");
	self->size = at_region_size(&self->d, AT_MEM);
	self->off = at_region_offset(&self->d, AT_MEM);
	ASSERT_LE(0, self->d.mig_index);
}

FIXTURE_TEARDOWN(stopped)
{
	vfc_close(&self->d);
}

/* What a restored device has is what this one had when it was stopped. */
static void check_saved(struct __test_metadata *_metadata,
			const struct vfc_dev *from, const __u8 want[4])
{
	static const struct vfc_io bulk = { false, 0 };
	struct vfc_stream s = {};
	struct vfc_dev b, *d = &b;
	unsigned int i;

	ASSERT_EQ(0, vfc_drain(from, &bulk, &s));
	at_open(_metadata, d, "VFIO_DEV2");
	ASSERT_EQ(0, vfc_load(d, &bulk, &s));
	AT_STATE(VFC_STOP);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(want[i], AT_READ(AT_MEM, i * AT_PAGE, __u8));
	vfc_close(d);
	vfc_stream_free(&s);
}

TEST_F(stopped, DEV_06_stores_change_nothing)
{
	static const __u8 before[4] = { 1, 2, 0, 0 }, nothing[4];
	bool empty = variant->state == VFC_RESUMING;
	struct vfc_dev *d = &self->d;
	__u8 *p = MAP_ALL();
	int k;

	if (variant->state == VFC_ERROR && at_make_error(d) != 1)
		SKIP(return, AT_NO_KNOB);
	for (k = 0; k < 3; k++) {
		ASSERT_EQ(0, vfc_reset(d));
		at_enable(_metadata, d);
		p[0] = before[0];
		AT_WRITE(AT_MEM, AT_PAGE, __u8, before[1]);
		to_stopped(_metadata, d, variant->state, variant->precopy);
		if (empty)	/* at power-on it decodes nothing */
			at_enable(_metadata, d);
		frozen(_metadata, d, p, empty ? nothing : before);
		if (variant->state == VFC_SAVING && getenv("VFIO_DEV2"))
			check_saved(_metadata, d, before);
		if (empty || variant->state == VFC_ERROR)
			continue;
		AT_STATE(VFC_RUNNING);
		ASSERT_EQ(0, at_store_fault(p, 7));
		ASSERT_EQ(0, at_store_fault(p + 3 * AT_PAGE, k));
		ASSERT_EQ(7, AT_READ(AT_MEM, 0, __u8));
		ASSERT_EQ(k, AT_READ(AT_MEM, 3 * AT_PAGE, __u8));
	}
	munmap(p, self->size);
}

struct hammer {
	__u8 *p;
	unsigned int n;
	bool stop;
};

static void *hammer(void *arg)
{
	struct hammer *h = arg;
	unsigned int i;
	__u64 round;

	for (round = 1; !__atomic_load_n(&h->stop, __ATOMIC_RELAXED); round++)
		for (i = 0; i < h->n; i++)
			__atomic_store_n((__u64 *)(h->p + i * AT_PAGE), round,
					 __ATOMIC_RELAXED);
	return NULL;
}

/* Aligned words are never torn between the two views. */
TEST_F_TIMEOUT(memory, words_are_whole, 60)
{
	struct vfc_dev *d = &self->d;
	struct hammer h = { .p = MAP_ALL(), .n = 4 };
	__u64 last[4] = {}, v;
	pthread_t thread;
	unsigned int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, hammer, &h));
	for (i = 0; i < 2000; i++) {
		v = AT_READ(AT_MEM, (i % 4) * AT_PAGE, __u64);
		ASSERT_LE(last[i % 4], v);
		last[i % 4] = v;
	}
	__atomic_store_n(&h.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	munmap(h.p, self->size);
}

/*
 * Who opened the device pays for what its threads write.
 */
#define CGROUP	"/sys/fs/cgroup"
#define CHARGED	(8ull * AT_MIB)

static int cgroup_put(const char *group, const char *file, const char *text)
{
	char path[VFC_PATH];

	snprintf(path, sizeof(path), CGROUP "%s/%s", group, file);
	return vfc_file_write(path, text, strlen(text)) < 0;
}

static long long cgroup_bytes(const char *group)
{
	char path[VFC_PATH];
	long long bytes = -1;
	FILE *f;

	snprintf(path, sizeof(path), CGROUP "%s/memory.current", group);
	f = fopen(path, "r");
	if (!f)
		return -1;
	if (fscanf(f, "%lld", &bytes) != 1)
		bytes = -1;
	fclose(f);
	return bytes;
}

TEST_F(memory, opener_is_charged)
{
	static const char group[] = "/mimic-test";
	struct mimic_accel_desc desc;
	struct at t = {};
	long long before;

	if (!getenv("VFIO_DEV2"))
		SKIP(return, AT_NO_SECOND);
	if (access(CGROUP "/cgroup.procs", F_OK))
		ASSERT_EQ(0, mount("none", CGROUP, "cgroup2", 0, NULL));
	cgroup_put("", "cgroup.subtree_control", "+memory");
	mkdir(CGROUP "/mimic-test", 0755);
	before = cgroup_bytes(group);
	if (before < 0)
		SKIP(return, "no memory controller");
	ASSERT_EQ(0, cgroup_put(group, "cgroup.procs", "0"));
	at_open(_metadata, &t.d, "VFIO_DEV2");
	ASSERT_EQ(0, cgroup_put("", "cgroup.procs", "0"));

	at_rings(_metadata, &t, 64);
	before = cgroup_bytes(group);
	desc = at_desc(MIMIC_ACCEL_OP_FILL_D, 0, 0, CHARGED);
	at_ok(_metadata, &t.ring[0], &desc);
	EXPECT_LE((long long)CHARGED, cgroup_bytes(group) - before);
	at_close(_metadata, &t);
	EXPECT_GT(before + (long long)CHARGED / 2, cgroup_bytes(group));
	EXPECT_EQ(0, rmdir(CGROUP "/mimic-test"));
}

TEST_HARNESS_MAIN
