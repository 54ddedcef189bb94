// SPDX-License-Identifier: GPL-2.0-only
/*
 * V2-DL: the device's own log of the guest memory that it writes.
 *
 * Kernels that cannot serve its reports do not offer it. Then all of this is
 * skipped.
 */
#include "dirty.h"
#include "vfio_v2.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define PAGES		1024u	/* two blocks of 2 MiB */
#define SIZE		((__u64)PAGES * AT_PAGE)
#define WORDS		(PAGES / 64)
#define FAR_IOVA	(AT_MEM_IOVA + 160ull * AT_MIB)
#define FAR_PAGES	16u
#define LARGE		(2ull * AT_MIB)
#define MAX_RANGES	256u

#define NOT_SERVED	"this kernel serves no log of DMA (feature 6)"
#define SWALLOWED	"this kernel does not say when it cannot write a bitmap"

/* struct vfio_device_feature_dma_logging_control, _range and _report */
struct control {
	__u64 page_size;
	__u32 num_ranges;
	__u32 reserved;
	__u64 ranges;
};

struct range {
	__u64 iova;
	__u64 length;
};

struct report {
	__u64 iova;
	__u64 length;
	__u64 page_size;
	__u64 bitmap;
};

/* --- Calls ------------------------------------------------------------- */

/* START; *@page_size becomes what was selected. */
static int start_ranges(const struct vfc_dev *d, __u64 *page_size,
			const struct range *ranges, __u32 n)
{
	struct control control = {
		.page_size = *page_size,
		.num_ranges = n,
		.ranges = (uintptr_t)ranges,
	};
	int ret = vfc2_feature(d, VFC2_F_LOG_START | VFC2_SET, &control,
			       sizeof(control));

	*page_size = control.page_size;
	return ret;
}

static int start(const struct vfc_dev *d, __u64 page_size, __u64 iova,
		 __u64 length)
{
	struct range range = { .iova = iova, .length = length };

	return start_ranges(d, &page_size, &range, 1);
}

static int stop(const struct vfc_dev *d)
{
	return vfc2_feature(d, VFC2_F_LOG_STOP | VFC2_SET, NULL, 0);
}

static int report(const struct vfc_dev *d, __u64 page_size, __u64 iova,
		  __u64 length, void *bitmap)
{
	struct report arg = {
		.iova = iova,
		.length = length,
		.page_size = page_size,
		.bitmap = (uintptr_t)bitmap,
	};

	return vfc2_feature(d, VFC2_F_LOG_REPORT | VFC2_GET, &arg, sizeof(arg));
}

/* --- Fixture ------------------------------------------------------------ */

/* After at_arguments(): all or nothing, and the harness cannot skip a fixture. */
static void __attribute__((constructor)) skip_if_not_served(void)
{
	struct vfc_dev d;
	int ret;

	if (vfc_open(&d, getenv("VFIO_DEV")))
		return;
	ret = vfc2_probe(&d, VFC2_F_LOG_START, VFC2_SET);
	vfc_close(&d);
	if (ret != -ENOTTY)
		return;
	printf("TAP version 13\n1..0 # SKIP %s\n", NOT_SERVED);
	exit(AT_EXIT_SKIP);
}

FIXTURE(log) {
	struct at t;
	__u64 bits[WORDS];
	__u64 want[WORDS];
};

FIXTURE_SETUP(log)
{
	at_setup(_metadata, &self->t, SIZE);
}

FIXTURE_TEARDOWN(log)
{
	at_close(_metadata, &self->t);
}

#define START()		ASSERT_EQ(0, start(d, AT_PAGE, AT_MEM_IOVA, SIZE))

/* The log of the whole buffer is what is in self->want, which is cleared. */
#define EXPECT_LOG()	do {						\
	unsigned int p_;						\
	memset(self->bits, 0, sizeof(self->bits));			\
	ASSERT_EQ(0, report(d, AT_PAGE, AT_MEM_IOVA, SIZE, self->bits));\
	for (p_ = 0; p_ < PAGES; p_++)					\
		ASSERT_EQ(dirty_bit(self->want, p_),			\
			  dirty_bit(self->bits, p_))			\
			TH_LOG("page %u", p_);				\
	memset(self->want, 0, sizeof(self->want));			\
	} while (0)

/* There is no log. */
#define EXPECT_OFF()							\
	ASSERT_EQ(-EINVAL, report(d, AT_PAGE, AT_MEM_IOVA, SIZE, self->bits))

/* The device writes @len bytes at @off of the buffer. */
#define WRITE_GUEST(off, len)	do {					\
	struct mimic_accel_desc w_ = at_desc(MIMIC_ACCEL_OP_FILL_G, 0,	\
					     AT_MEM_IOVA + (off), (len));\
	at_ok(_metadata, &self->t.ring[0], &w_);			\
	} while (0)

/* ... in page @p; what was written is expected. */
#define DIRTY(page)	do {						\
	unsigned int p_ = (page);					\
	WRITE_GUEST(p_ * AT_PAGE + 8, 16);				\
	dirty_set(self->want, p_);					\
	} while (0)

/* --- Start -------------------------------------------------------------- */

TEST_F(log, V2_FEA_06_directions)
{
	static const struct {
		__u32 feature, good, bad;
	} f[] = {
		{ VFC2_F_LOG_START, VFC2_SET, VFC2_GET },
		{ VFC2_F_LOG_STOP, VFC2_SET, VFC2_GET },
		{ VFC2_F_LOG_REPORT, VFC2_GET, VFC2_SET },
	};
	struct vfc_dev *d = &self->t.d;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(f); i++) {
		ASSERT_EQ(0, vfc2_probe(d, f[i].feature, f[i].good));
		ASSERT_EQ(-EINVAL, vfc2_probe(d, f[i].feature, f[i].bad));
		ASSERT_EQ(-EINVAL, vfc2_probe(d, f[i].feature,
					      VFC2_GET | VFC2_SET));
	}
}

TEST_F(log, V2_DL_01_page_size_selected)
{
	static const struct {
		__u64 hint, selected;
	} sizes[] = {
		{ 4096, 4096 },
		{ 8192, 8192 },
		{ 65536, 65536 },
		{ LARGE, LARGE },
		{ 2 * LARGE, LARGE },
		{ 1ull << 30, LARGE },
		{ 1ull << 50, LARGE },
	};
	const struct range range = { .iova = 0, .length = 1ull << 51 };
	struct vfc_dev *d = &self->t.d;
	unsigned int i;
	__u64 size;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		size = sizes[i].hint;
		ASSERT_EQ(0, start_ranges(d, &size, &range, 1));
		ASSERT_EQ(sizes[i].selected, size);
		ASSERT_EQ(0, stop(d));
	}
}

TEST_F(log, V2_DL_02_odd_page_sizes)
{
	static const __u64 bad[] = { 0, 3, 4095, 6144, 4097, 12288,
				     (1ull << 63) + 4096, ~0ull };
	static const struct {
		__u64 hint, selected;
	} odd[] = { { 1, 4096 }, { 2, 4096 }, { 512, 4096 }, { 2048, 4096 },
		    { 1ull << 63, LARGE } };
	/* Aligned to everything, and as long as an address can tell. */
	const struct range range = { .iova = 0, .length = 1ull << 63 };
	const struct range small = { .iova = 512, .length = 1024 };
	struct vfc_dev *d = &self->t.d;
	unsigned int i;
	__u64 size;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		size = bad[i];
		ASSERT_EQ(-EINVAL, start_ranges(d, &size, &range, 1))
			TH_LOG("page size %llx", bad[i]);
		EXPECT_OFF();
	}
	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		size = odd[i].hint;
		ASSERT_EQ(0, start_ranges(d, &size, &range, 1));
		ASSERT_EQ(odd[i].selected, size);
		ASSERT_EQ(0, stop(d));
	}
	/* Aligned to what was asked for, but not to what would be tracked. */
	size = 512;
	ASSERT_EQ(-EINVAL, start_ranges(d, &size, &small, 1));
	EXPECT_OFF();
}

TEST_F(log, V2_DL_03_bad_ranges)
{
	static const struct {
		struct range r[2];
		int error;
	} bad[] = {
		{ { { .iova = 1, .length = 4096 } }, -EINVAL },
		{ { { .iova = 0, .length = 4095 } }, -EINVAL },
		{ { { .iova = 2048, .length = 4096 } }, -EINVAL },
		{ { { .iova = 0, .length = 8192 },
		    { .iova = 4096, .length = 4096 } }, -EINVAL },
		{ { { .iova = 4096, .length = 4096 },
		    { .iova = 4096, .length = 4096 } }, -EINVAL },
		{ { { .iova = -4096ull, .length = 8192 } }, -EOVERFLOW },
		{ { { .iova = -4096ull, .length = 4096 } }, -EOVERFLOW },
		{ { { .iova = 4096, .length = -4096ull } }, -EOVERFLOW },
	};
	struct range ranges[MAX_RANGES + 1];
	struct vfc_dev *d = &self->t.d;
	__u64 size = AT_PAGE;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		ASSERT_EQ(bad[i].error,
			  start_ranges(d, &size, bad[i].r,
				       bad[i].r[1].length ? 2 : 1))
			TH_LOG("case %u", i);
		EXPECT_OFF();
	}
	for (i = 0; i <= MAX_RANGES; i++) {
		ranges[i].iova = i * 2ull * AT_PAGE;
		ranges[i].length = AT_PAGE;
	}
	ASSERT_EQ(-EINVAL, start_ranges(d, &size, ranges, 0));
	ASSERT_EQ(-E2BIG, start_ranges(d, &size, ranges, MAX_RANGES + 1));
	ASSERT_EQ(-E2BIG, start_ranges(d, &size, ranges, ~0u));
	ASSERT_EQ(-EFAULT, start_ranges(d, &size, (void *)8, 1));
	ASSERT_EQ(-EFAULT, start_ranges(d, &size, NULL, MAX_RANGES));
	ASSERT_EQ(-EINVAL, vfc2_feature(d, VFC2_F_LOG_START | VFC2_SET, ranges,
					sizeof(struct control) - 1));
	EXPECT_OFF();
	ASSERT_EQ(0, start_ranges(d, &size, ranges, MAX_RANGES));
	ASSERT_EQ(0, stop(d));
}

TEST_F(log, V2_DL_04_ranges_of_nothing)
{
	static const struct range bad[][2] = {
		{ { .iova = 0 } },
		{ { .iova = 4096 } },
		{ { .iova = AT_MEM_IOVA } },
		{ { .iova = AT_MEM_IOVA, .length = 4096 }, { .iova = 8192 } },
		{ { .iova = AT_MEM_IOVA, .length = 4096 }, { .iova = 0 } },
		{ { .iova = -4096ull } },
	};
	struct vfc_dev *d = &self->t.d;
	__u64 size = AT_PAGE;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		ASSERT_EQ(-EINVAL, start_ranges(d, &size, bad[i],
						bad[i][0].length ? 2 : 1))
			TH_LOG("case %u", i);
		EXPECT_OFF();
	}
}

/* --- Memory ------------------------------------------------------------- */

#define CGROUP	"/sys/fs/cgroup"
#define GROUP	CGROUP "/mimic-log"

static long long group_bytes(void)
{
	char text[32];

	if (vfc_file_read(GROUP "/memory.current", text, sizeof(text)) < 0)
		return -1;
	return atoll(text);
}

/*
 * The whole of the addresses that can be asked for, then DMA here and there: what
 * is charged does not follow the range. The kernel charges in steps of 64 pages a
 * processor, which is why the bound is not tighter.
 */
TEST(V2_DL_05_memory_follows_the_pages)
{
	struct at t = {};
	__u64 want[WORDS] = {}, bits[WORDS] = {};
	struct vfc_dev *d = &t.d;
	struct mimic_accel_desc desc;
	struct range ranges[] = { { .iova = 0, .length = 1ull << 62 },
			     { .iova = 1ull << 62, .length = 1ull << 62 },
			     { .iova = 1ull << 63, .length = (1ull << 63) -
			       AT_PAGE } };
	__u64 size = AT_PAGE;
	long long before;
	unsigned int i;

	if (access(CGROUP "/cgroup.procs", F_OK))
		ASSERT_EQ(0, mount("none", CGROUP, "cgroup2", 0, NULL));
	vfc_file_write(CGROUP "/cgroup.subtree_control", "+memory", 7);
	mkdir(GROUP, 0755);
	if (group_bytes() < 0)
		SKIP(return, "no memory controller");
	ASSERT_EQ(1, vfc_file_write(GROUP "/cgroup.procs", "0", 1));
	at_setup(_metadata, &t, SIZE);
	before = group_bytes();
	ASSERT_EQ(0, start_ranges(d, &size, ranges, ARRAY_SIZE(ranges)));
	EXPECT_GT(65536 + 2 * 64 * (long long)AT_PAGE, group_bytes() - before);
	for (i = 0; i < PAGES; i += 100) {
		desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0,
			       AT_MEM_IOVA + i * AT_PAGE, 1);
		at_ok(_metadata, &t.ring[0], &desc);
		dirty_set(want, i);
	}
	ASSERT_EQ(0, report(d, size, AT_MEM_IOVA, SIZE, bits));
	ASSERT_EQ(0, memcmp(want, bits, sizeof(bits)));
	ASSERT_EQ(1, vfc_file_write(CGROUP "/cgroup.procs", "0", 1));
	at_close(_metadata, &t);
	rmdir(GROUP);
}

/* --- Start, stop and report --------------------------------------------- */

TEST_F(log, V2_DL_06_second_start)
{
	struct vfc_dev *d = &self->t.d;

	START();
	DIRTY(3);
	ASSERT_EQ(-EBUSY, start(d, AT_PAGE, AT_MEM_IOVA, SIZE));
	ASSERT_EQ(-EBUSY, start(d, LARGE, 0, LARGE));
	ASSERT_EQ(-EINVAL, start(d, 0, 0, LARGE));
	DIRTY(700);
	EXPECT_LOG();
}

TEST_F(log, V2_DL_07_stop_without_start)
{
	struct vfc_dev *d = &self->t.d;

	ASSERT_EQ(0, stop(d));
	START();
	DIRTY(1);
	ASSERT_EQ(0, stop(d));
	ASSERT_EQ(0, stop(d));
	/* The next log does not begin with what the last one had. */
	START();
	memset(self->want, 0, sizeof(self->want));
	EXPECT_LOG();
}

TEST_F(log, V2_DL_08_report_without_start)
{
	struct vfc_dev *d = &self->t.d;

	EXPECT_OFF();
	START();
	EXPECT_LOG();
	ASSERT_EQ(0, stop(d));
	EXPECT_OFF();
}

TEST_F(log, V2_DL_09_V2_DL_17_bad_reports_lose_nothing)
{
	static const __u64 sizes[] = { 0, 1, 512, 2048, 4095, 4097, 6144, ~0ull };
	struct vfc_dev *d = &self->t.d;
	unsigned int i;

	START();
	DIRTY(0);
	DIRTY(1023);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		ASSERT_EQ(-EINVAL, report(d, sizes[i], AT_MEM_IOVA, SIZE,
					  self->bits));
	ASSERT_EQ(-EOVERFLOW, report(d, AT_PAGE, -4096ull, 8192, self->bits));
	ASSERT_EQ(-EOVERFLOW, report(d, AT_PAGE, AT_MEM_IOVA, -AT_MEM_IOVA,
				     self->bits));
	ASSERT_EQ(-EOVERFLOW, report(d, AT_PAGE, 1, ~0ull, self->bits));
	ASSERT_EQ(-EINVAL, report(d, AT_PAGE, AT_MEM_IOVA, 0, self->bits));
	ASSERT_EQ(-EINVAL, vfc2_feature(d, VFC2_F_LOG_REPORT | VFC2_GET,
					self->bits, sizeof(struct report) - 1));
	EXPECT_LOG();
}

TEST_F(log, V2_DL_10_bits_are_only_set)
{
	struct vfc_dev *d = &self->t.d;
	__u64 bits[WORDS];
	unsigned int p;

	START();
	DIRTY(1);
	DIRTY(4);
	DIRTY(1023);
	memset(bits, 0x55, sizeof(bits));
	ASSERT_EQ(0, report(d, AT_PAGE, AT_MEM_IOVA, SIZE, bits));
	for (p = 0; p < PAGES; p++)
		ASSERT_EQ(dirty_bit(self->want, p) || p % 2 == 0,
			  dirty_bit(bits, p))
			TH_LOG("page %u", p);
}

TEST_F(log, V2_DL_11_reads_and_clears_its_range)
{
	struct vfc_dev *d = &self->t.d;
	__u64 one = 0;

	START();
	DIRTY(10);
	DIRTY(11);
	ASSERT_EQ(0, report(d, AT_PAGE, AT_MEM_IOVA + 10 * AT_PAGE, AT_PAGE,
			    &one));
	ASSERT_EQ(1, one);
	memset(self->want, 0, sizeof(self->want));
	dirty_set(self->want, 11);
	EXPECT_LOG();
	EXPECT_LOG();
}

TEST_F(log, V2_DL_12_bit_positions)
{
	const __u64 base = AT_MEM_IOVA + 3 * AT_PAGE;
	struct vfc_dev *d = &self->t.d;
	__u64 bits[3], want[3];
	unsigned int i;

	START();
	for (i = 0; i <= 130; i++) {
		WRITE_GUEST((3 + i) * AT_PAGE, AT_PAGE);
		memset(bits, 0, sizeof(bits));
		memset(want, 0, sizeof(want));
		dirty_set(want, i);
		ASSERT_EQ(0, report(d, AT_PAGE, base, 131 * AT_PAGE, bits));
		ASSERT_EQ(0, memcmp(want, bits, sizeof(bits)))
			TH_LOG("bit %u: %llx %llx %llx", i, bits[0], bits[1],
			       bits[2]);
	}
}

/* --- What is logged ----------------------------------------------------- */

TEST_F(log, V2_DL_13_reads_are_clean)
{
	struct vfc_dev *d = &self->t.d;
	struct mimic_accel_desc desc;

	START();
	desc = at_desc(MIMIC_ACCEL_OP_COPY_G2D, AT_MEM_IOVA, 0, 50 * AT_PAGE);
	at_ok(_metadata, &self->t.ring[0], &desc);
	desc = at_desc(MIMIC_ACCEL_OP_CRC_G, AT_MEM_IOVA, 0, SIZE);
	at_ok(_metadata, &self->t.ring[1], &desc);
	desc = at_desc(MIMIC_ACCEL_OP_FILL_D, 0, 0, 50 * AT_PAGE);
	at_ok(_metadata, &self->t.ring[0], &desc);
	EXPECT_LOG();
}

TEST_F(log, V2_DL_14_exact)
{
	static const struct {
		__u16 op;
		__u32 off, len;
	} writes[] = {
		{ MIMIC_ACCEL_OP_FILL_G, 4095, 1 },
		{ MIMIC_ACCEL_OP_FILL_G, 11 * 4096 - 1, 2 },
		{ MIMIC_ACCEL_OP_FILL_G, 20 * 4096, 4096 },
		{ MIMIC_ACCEL_OP_COPY_D2G, 30 * 4096 + 1, 4096 },
		{ MIMIC_ACCEL_OP_COPY_D2G, 510 * 4096, 3 * 4096 },
		{ MIMIC_ACCEL_OP_FILL_G, 1024 * 4096 - 1, 1 },
	};
	struct vfc_dev *d = &self->t.d;
	struct mimic_accel_desc desc;
	unsigned int i;
	__u32 p;

	START();
	desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0, AT_MEM_IOVA, 0);
	at_fails(_metadata, &self->t.ring[0], &desc, MIMIC_ACCEL_CPL_BAD_DESC,
		 0);
	EXPECT_LOG();
	for (i = 0; i < ARRAY_SIZE(writes); i++) {
		desc = at_desc(writes[i].op, 0, AT_MEM_IOVA + writes[i].off,
			       writes[i].len);
		at_ok(_metadata, &self->t.ring[i % 2], &desc);
		for (p = writes[i].off / AT_PAGE;
		     p <= (writes[i].off + writes[i].len - 1) / AT_PAGE; p++)
			dirty_set(self->want, p);
	}
	EXPECT_LOG();
	EXPECT_LOG();
}

/* Completions are writes too; stamps are. */
TEST_F(log, V2_DL_14_completions_and_stamps)
{
	const __u64 rings = self->t.rings.size;
	struct at_job j = { .guest = AT_MEM_IOVA + 500 * AT_PAGE,
			    .guest_pages = 70, .dev_pages = 3, .rate = 1000 };
	struct vfc_dev *d = &self->t.d;
	struct mimic_accel_desc desc = NOP();
	struct range ranges[] = { { .iova = AT_MEM_IOVA, .length = SIZE },
			     { .iova = AT_RING_IOVA, .length = rings } };
	__u64 bits[8] = {}, size = AT_PAGE, seq;
	__u32 cpl = AT_DESC_BYTES / AT_PAGE, i;

	ASSERT_GE(ARRAY_SIZE(bits) * 64, rings / AT_PAGE);
	ASSERT_EQ(0, start_ranges(d, &size, ranges, 2));
	at_ok(_metadata, &self->t.ring[0], &desc);
	at_job_start(_metadata, d, &j);
	AT_WAIT(REG64(MIMIC_ACCEL_STAMP_SEQ_LO) >= 20);
	SETREG(MIMIC_ACCEL_STAMP_CTRL, 0);
	seq = REG64(MIMIC_ACCEL_STAMP_SEQ_LO);
	for (i = 0; i < 70 && i < seq; i++)
		dirty_set(self->want, 500 + i);
	EXPECT_LOG();
	ASSERT_EQ(0, report(d, AT_PAGE, AT_RING_IOVA, rings, bits));
	for (i = 0; i < rings / AT_PAGE; i++)
		ASSERT_EQ(i == cpl, dirty_bit(bits, i)) TH_LOG("page %u", i);
}

/* A page that is larger than what is reported at a time is reported whole. */
TEST_F(log, V2_DL_15_other_page_sizes)
{
	struct vfc_dev *d = &self->t.d;
	unsigned int p;
	__u64 bits;

	ASSERT_EQ(0, start(d, LARGE, AT_MEM_IOVA, SIZE));
	WRITE_GUEST(700 * AT_PAGE, 1);
	for (p = 512; p < 1024; p++)
		dirty_set(self->want, p);
	EXPECT_LOG();
	EXPECT_LOG();
	/* Of a part it is reported, too, and once more with the rest. */
	WRITE_GUEST(0, 1);
	bits = 0;
	ASSERT_EQ(0, report(d, AT_PAGE, AT_MEM_IOVA + 7 * AT_PAGE, 3 * AT_PAGE,
			    &bits));
	ASSERT_EQ(7, bits);
	for (p = 0; p < 512; p++)
		dirty_set(self->want, p);
	EXPECT_LOG();
	EXPECT_LOG();
	ASSERT_EQ(0, stop(d));

	START();
	WRITE_GUEST(700 * AT_PAGE, 3 * AT_PAGE);
	WRITE_GUEST(1023 * AT_PAGE, 1);
	bits = 0;
	ASSERT_EQ(0, report(d, LARGE, AT_MEM_IOVA, SIZE, &bits));
	ASSERT_EQ(2, bits);
	bits = 0;
	ASSERT_EQ(0, report(d, LARGE, AT_MEM_IOVA, SIZE, &bits));
	ASSERT_EQ(0, bits);
}

/* --- Under load --------------------------------------------------------- */

/* Few, so that writes, reports and copies meet at the same page. */
#define LOAD_PAGES	32u

/* Copy what is in the log, and count it in @seen. */
#define COPY_LOG()	do {						\
	__u64 bits_ = 0;						\
	ASSERT_EQ(0, report(d, AT_PAGE, AT_MEM_IOVA,			\
			    LOAD_PAGES * AT_PAGE, &bits_));		\
	dirty_copy(&self->t, &bits_, LOAD_PAGES, image);		\
	seen += __builtin_popcountll(bits_);				\
	} while (0)

#define ROUNDS		vfc_number("DL16_ROUNDS", 10000)

/*
 * The commands are many and short, and the stamps no more than an emulated
 * processor makes beside them: a device that never lets go of its lock has the
 * client wait for it most of the time, with nothing to meet.
 */
TEST_F_TIMEOUT(log, V2_DL_16_no_lost_page, 1800)
{
	struct vfc_dev *d = &self->t.d;
	struct at_job j = { .guest = AT_MEM_IOVA + LOAD_PAGES / 2 * AT_PAGE,
			    .guest_pages = LOAD_PAGES / 2, .rate = 2000 };
	__u8 *image = malloc(LOAD_PAGES * AT_PAGE);
	struct dirty_load load = { .pages = LOAD_PAGES / 2, .fills = 16,
				   .max = 2000, .seed = 7 };
	__u64 round, rounds = ROUNDS, end;
	unsigned int k, seen;

	if (d->mig_index < 0)
		SKIP(return, AT_NO_MIGRATION);
	ASSERT_NE(NULL, image);
	START();
	memcpy(image, self->t.mem.p, LOAD_PAGES * AT_PAGE);
	at_job_start(_metadata, d, &j);
	AT_WAIT(REG64(MIMIC_ACCEL_STAMP_SEQ_LO) > 0);
	for (round = 0; round < rounds; round++) {
		end = vfc_now_us() + AT_DEADLINE_MS * 1000ull;
		/* A round in which the device writes nothing would show nothing. */
		for (k = 0, seen = 0; k < 3 || !seen; k++) {
			ASSERT_GT(end, vfc_now_us());
			dirty_refill(_metadata, &self->t.ring[0], &load);
			dirty_refill(_metadata, &self->t.ring[1], &load);
			COPY_LOG();
			if (!seen)
				sched_yield();
		}
		AT_STATE(VFC_STOP);
		COPY_LOG();
		ASSERT_EQ(0, memcmp(image, self->t.mem.p, LOAD_PAGES * AT_PAGE))
			TH_LOG("round %llu", round);
		AT_STATE(VFC_RUNNING);
	}
	free(image);
}

/* Logs come and go under a device that writes; the last one is exact again. */
TEST_F_TIMEOUT(log, V2_DL_07_start_and_stop_under_load, 60)
{
	struct at_job j = { .guest = AT_MEM_IOVA, .guest_pages = PAGES,
			    .rate = 50000 };
	struct vfc_dev *d = &self->t.d;
	unsigned int i;

	at_job_start(_metadata, d, &j);
	for (i = 0; i < 500; i++) {
		ASSERT_EQ(0, start(d, i % 2 ? LARGE : AT_PAGE, AT_MEM_IOVA,
				   SIZE));
		ASSERT_EQ(0, report(d, AT_PAGE, AT_MEM_IOVA, SIZE, self->bits));
		ASSERT_EQ(0, stop(d));
	}
	SETREG(MIMIC_ACCEL_STAMP_CTRL, 0);
	START();
	EXPECT_LOG();
	DIRTY(999);
	EXPECT_LOG();
}

/* --- Bad bitmaps and ranges --------------------------------------------- */

/* A bitmap of two pages, of which the one does not let itself be written. */
#define FAR_SIZE	(FAR_IOVA + FAR_PAGES * AT_PAGE - AT_MEM_IOVA)

TEST_F(log, V2_DL_17_bad_bitmap)
{
	const unsigned int far = (FAR_IOVA - AT_MEM_IOVA) / AT_PAGE + 3;
	struct vfc_dev *d = &self->t.d;
	struct mimic_accel_desc desc;
	struct at_mem mem;
	__u64 *bits;
	int bad, ret;

	at_mem_map(_metadata, d, &mem, FAR_IOVA, FAR_PAGES * AT_PAGE, AT_RW);
	ASSERT_EQ(0, start(d, AT_PAGE, AT_MEM_IOVA, FAR_SIZE));
	for (bad = 0; bad < 2; bad++) {
		bits = mmap(NULL, 2 * AT_PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(MAP_FAILED, bits);
		WRITE_GUEST(5 * AT_PAGE, 1);
		desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0, FAR_IOVA + 3 * AT_PAGE,
			       1);
		at_ok(_metadata, &self->t.ring[0], &desc);
		ASSERT_EQ(0, mprotect((char *)bits + bad * AT_PAGE, AT_PAGE,
				      PROT_READ));
		ret = report(d, AT_PAGE, AT_MEM_IOVA, FAR_SIZE, bits);
		if (!ret)
			SKIP(return, SWALLOWED);
		ASSERT_EQ(-EFAULT, ret);
		ASSERT_EQ(0, mprotect((char *)bits + bad * AT_PAGE, AT_PAGE,
				      PROT_READ | PROT_WRITE));
		ASSERT_EQ(0, report(d, AT_PAGE, AT_MEM_IOVA, FAR_SIZE, bits));
		ASSERT_TRUE(dirty_bit(bits, 5));
		ASSERT_TRUE(dirty_bit(bits, far));
		munmap(bits, 2 * AT_PAGE);
	}
	ASSERT_EQ(0, vfc_dma_unmap(d, FAR_IOVA, FAR_PAGES * AT_PAGE));
	at_mem_free(&mem);
}

TEST_F(log, V2_DL_18_outside_of_the_ranges)
{
	/* Two that touch, a gap, another one. */
	const struct range ranges[] = {
		{ .iova = AT_MEM_IOVA + 20 * AT_PAGE, .length = 10 * AT_PAGE },
		{ .iova = AT_MEM_IOVA + 10 * AT_PAGE, .length = 10 * AT_PAGE },
		{ .iova = AT_MEM_IOVA + 40 * AT_PAGE, .length = 10 * AT_PAGE },
	};
	static const struct {
		__u32 page, pages;
	} bad[] = { { 0, 5 }, { 9, 1 }, { 9, 2 }, { 30, 1 }, { 29, 2 },
		    { 30, 10 }, { 25, 20 }, { 39, 2 }, { 49, 2 }, { 50, 1 },
		    { 0, PAGES } };
	struct vfc_dev *d = &self->t.d;
	__u64 size = AT_PAGE, bits = 0;
	unsigned int i;

	ASSERT_EQ(0, start_ranges(d, &size, ranges, ARRAY_SIZE(ranges)));
	for (i = 0; i < 60; i++)
		WRITE_GUEST(i * AT_PAGE, 1);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ASSERT_EQ(-EINVAL, report(d, AT_PAGE, AT_MEM_IOVA +
					  bad[i].page * AT_PAGE,
					  bad[i].pages * AT_PAGE, self->bits))
			TH_LOG("%u pages from %u", bad[i].pages, bad[i].page);
	ASSERT_EQ(-EINVAL, report(d, AT_PAGE, 0, AT_PAGE, self->bits));
	ASSERT_EQ(0, report(d, AT_PAGE, AT_MEM_IOVA + 10 * AT_PAGE,
			    20 * AT_PAGE, &bits));
	ASSERT_EQ((1ull << 20) - 1, bits);
	bits = 0;
	ASSERT_EQ(0, report(d, AT_PAGE, AT_MEM_IOVA + 40 * AT_PAGE,
			    10 * AT_PAGE, &bits));
	ASSERT_EQ((1ull << 10) - 1, bits);
}

/* --- States, reset, close ----------------------------------------------- */

TEST_F(log, V2_DL_19_in_every_state)
{
	static const int states[] = { VFC_RUNNING, VFC_PRECOPY, VFC_SAVING,
				      VFC_STOP, VFC_RESUMING };
	struct vfc_dev *d = &self->t.d;
	unsigned int i;

	if (d->mig_index < 0)
		SKIP(return, AT_NO_MIGRATION);
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		AT_STATE(states[i]);
		START();
		EXPECT_LOG();
		ASSERT_EQ(0, stop(d));
		ASSERT_EQ(states[i], vfc_get(d));
	}
	ASSERT_EQ(0, vfc_reset(d));
	if (at_make_error(d) < 0)
		return;
	START();
	EXPECT_LOG();
	ASSERT_EQ(0, stop(d));
}

/* As a migration does: it begins while the device runs and ends when it is saved. */
TEST_F(log, V2_DL_19_over_a_migration)
{
	struct vfc_dev *d = &self->t.d;

	if (d->mig_index < 0)
		SKIP(return, AT_NO_MIGRATION);
	AT_STATE(VFC_PRECOPY);
	START();
	DIRTY(77);
	DIRTY(600);
	AT_STATE(VFC_SAVING);
	EXPECT_LOG();
	ASSERT_EQ(0, stop(d));
	AT_STATE(VFC_STOP);
	EXPECT_OFF();
}

TEST_F(log, V2_DL_20_reset_keeps_it)
{
	struct vfc_dev *d = &self->t.d;

	START();
	DIRTY(42);
	ASSERT_EQ(0, vfc_reset(d));
	EXPECT_LOG();
	at_enable(_metadata, d);
	at_ring_start(_metadata, &self->t.ring[0], 64);
	DIRTY(43);
	at_flr(_metadata, d);
	EXPECT_LOG();
}

TEST_F(log, V2_DL_20_last_close_ends_it)
{
	struct vfc_dev *d = &self->t.d, other;
	char uuid[VFC_UUID_LEN + 1];

	START();
	DIRTY(42);
	strcpy(uuid, d->uuid);
	vfc_close(d);
	memset(self->want, 0, sizeof(self->want));
	ASSERT_EQ(0, vfc_open(&other, uuid));
	d = &other;
	EXPECT_OFF();
	START();
	EXPECT_LOG();
	/* Left for the kernel to clean up. */
	vfc_close(&other);
}

TEST_F(log, V2_DL_21_answer_cannot_be_written)
{
	const struct range range = { .iova = AT_MEM_IOVA, .length = SIZE };
	struct vfc_dev *d = &self->t.d;
	struct vfio_device_feature *f;
	struct control *control;

	f = mmap(NULL, AT_PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, f);
	f->argsz = sizeof(*f) + sizeof(*control);
	f->flags = VFC2_F_LOG_START | VFC2_SET;
	control = (void *)f->data;
	control->page_size = AT_PAGE;
	control->num_ranges = 1;
	control->ranges = (uintptr_t)&range;
	ASSERT_EQ(0, mprotect(f, AT_PAGE, PROT_READ));
	ASSERT_EQ(-1, ioctl(d->fd, VFIO_DEVICE_FEATURE, f));
	ASSERT_EQ(EFAULT, errno);
	EXPECT_OFF();
	START();
	DIRTY(1);
	EXPECT_LOG();
	munmap(f, AT_PAGE);
}

/* --- Memory that goes, or that cannot be reached ------------------------- */

TEST_F(log, V2_DL_22_unmapping_keeps_it)
{
	struct vfc_dev *d = &self->t.d;

	START();
	DIRTY(0);
	DIRTY(555);
	ASSERT_EQ(0, vfc_dma_unmap(d, AT_MEM_IOVA, SIZE));
	EXPECT_LOG();
	EXPECT_LOG();
}

TEST_F(log, V2_DL_23_failed_writes)
{
	const struct range range = { .iova = 0, .length = 1ull << 63 };
	struct vfc_dev *d = &self->t.d;
	struct mimic_accel_desc desc;
	__u64 size = AT_PAGE, bits = 0;
	struct at_mem ro;

	at_mem_map(_metadata, d, &ro, AT_HOLE_IOVA, 4 * AT_PAGE, AT_RO);
	ASSERT_EQ(0, start_ranges(d, &size, &range, 1));
	desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0, ro.iova, ro.size);
	at_fails(_metadata, &self->t.ring[0], &desc, MIMIC_ACCEL_CPL_DMA_FAULT,
		 0);
	desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0, ro.iova + ro.size, AT_PAGE);
	at_fails(_metadata, &self->t.ring[0], &desc, MIMIC_ACCEL_CPL_DMA_FAULT,
		 0);
	ASSERT_EQ(0, report(d, AT_PAGE, ro.iova, 16 * AT_PAGE, &bits));
	ASSERT_EQ(0, bits);
	/* No right to write at all: the ring halts, with nothing written. */
	EXPECT_LOG();
	SETCFG16(PCI_COMMAND, PCI_COMMAND_MEMORY);
	at_put(&self->t.ring[1], &desc);
	at_bell(_metadata, &self->t.ring[1]);
	AT_WAIT(REG(RING_REG(1, STATUS)) & MIMIC_ACCEL_RING_STATUS_HALTED);
	EXPECT_LOG();
	at_enable(_metadata, d);
	ASSERT_EQ(0, vfc_dma_unmap(d, ro.iova, ro.size));
	at_mem_free(&ro);
}

TEST_HARNESS_MAIN
