// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stamp job: what every page holds, at what rate, and what it refuses.
 */
#include "accel_test.h"

#define GUEST_PAGES	64
#define RUN		MIMIC_ACCEL_STAMP_CTRL_RUN
#define KEEP		MIMIC_ACCEL_STAMP_CTRL_KEEP
#define FACTOR		0x9e3779b97f4a7c15ull

FIXTURE(stamp) {
	struct at t;
	__u64 size;
};

FIXTURE_SETUP(stamp)
{
	at_setup(_metadata, &self->t, GUEST_PAGES * AT_PAGE);
	self->size = at_region_size(&self->t.d, AT_MEM);
}

FIXTURE_TEARDOWN(stamp)
{
	at_close(_metadata, &self->t);
}

#define SEQ()		REG64(MIMIC_ACCEL_STAMP_SEQ_LO)
#define SETCTRL(v)		SETREG(MIMIC_ACCEL_STAMP_CTRL, v)
#define RUNNING()	REG(MIMIC_ACCEL_STAMP_CTRL)

/* Does the page hold stamp @seq as the rule says? */
static void check_page(struct __test_metadata *_metadata, const void *p,
		       __u32 where, __u32 page, __u64 seq, __u64 addr)
{
	struct mimic_accel_stamp s;
	unsigned int i;
	__u32 crc;

	memcpy(&s, p, sizeof(s));
	ASSERT_EQ(MIMIC_ACCEL_STAMP_MAGIC, s.magic);
	ASSERT_EQ(where, s.where);
	ASSERT_EQ(page, s.page);
	ASSERT_EQ(seq, s.seq);
	ASSERT_EQ(addr, s.addr);
	for (i = 0; i < ARRAY_SIZE(s.fill); i++)
		ASSERT_EQ(seq * FACTOR + addr + i, s.fill[i]);
	ASSERT_EQ(0, vmr_crc32c(&s, offsetof(struct mimic_accel_stamp, crc),
				&crc));
	ASSERT_EQ(crc, s.crc);
	ASSERT_EQ(~crc, s.crc_inv);
}

/* The last stamp up to @seq that went to @page of @pages; 0: none. */
static __u64 last_stamp(__u64 seq, __u32 page, __u32 pages)
{
	return page < seq ? seq - (seq - 1 - page) % pages : 0;
}

/* Every page of both targets, given what SEQ says. */
static void check_all(struct __test_metadata *_metadata, struct at *t,
		      const struct at_job *j, __u64 seq)
{
	struct vfc_dev *d = &t->d;
	__u8 buf[AT_PAGE];
	__u64 s;
	__u32 i;

	for (i = 0; i < j->dev_pages; i++) {
		READ_MEM(j->dev + i * AT_PAGE, buf, sizeof(buf));
		s = last_stamp(seq, i, j->dev_pages);
		if (s)
			check_page(_metadata, buf, MIMIC_ACCEL_STAMP_IN_DEVICE,
				   i, s, j->dev + i * AT_PAGE);
		else
			ASSERT_TRUE(at_all(buf, 0, sizeof(buf)));
	}
	for (i = 0; i < j->guest_pages; i++) {
		__u8 *p = t->mem.p + (j->guest - t->mem.iova) + i * AT_PAGE;

		s = last_stamp(seq, i, j->guest_pages);
		if (s)
			check_page(_metadata, p, MIMIC_ACCEL_STAMP_IN_GUEST, i,
				   s, j->guest + i * AT_PAGE);
		else
			ASSERT_TRUE(at_all(p, 0, AT_PAGE));
	}
}

/* Stopped at any time, SEQ says what each page holds. */
TEST_F_TIMEOUT(stamp, pages_are_what_seq_says, 120)
{
	static const struct at_job jobs[] = {
		{ .dev = 0, .dev_pages = 1, .rate = 1000 },
		{ .guest = AT_MEM_IOVA, .guest_pages = 1, .rate = 1000 },
		{ .dev = 3 * AT_PAGE, .dev_pages = 7,
		  .guest = AT_MEM_IOVA + 5 * AT_PAGE, .guest_pages = 11,
		  .rate = 3000 },
		{ .dev = AT_PAGE, .dev_pages = 100, .guest = AT_MEM_IOVA,
		  .guest_pages = GUEST_PAGES, .rate = 2000 },
	};
	struct vfc_dev *d = &self->t.d;
	unsigned int i, lap;
	__u64 seq;

	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		for (lap = 1; lap <= 2; lap++) {
			memset(self->t.mem.p, 0, self->t.mem.size);
			ASSERT_EQ(0, vfc_reset(d));
			at_enable(_metadata, d);
			at_job_start(_metadata, d, &jobs[i]);
			AT_WAIT(SEQ() >= lap * 30);
			SETCTRL(0);
			seq = SEQ();
			ASSERT_EQ(0, RUNNING());
			ASSERT_EQ(MIMIC_ACCEL_CPL_OK,
				  REG(MIMIC_ACCEL_STAMP_STATUS));
			check_all(_metadata, &self->t, &jobs[i], seq);
			/* And it stays so: the write that cleared RUN returned. */
			vfc_sleep_ms(30);
			ASSERT_EQ(seq, SEQ());
			check_all(_metadata, &self->t, &jobs[i], seq);
		}
	}
	/* Nothing beside the ranges. */
	ASSERT_EQ(0, AT_READ(AT_MEM, 0, __u64));
	ASSERT_EQ(0, AT_READ(AT_MEM, 101 * AT_PAGE, __u64));
}

/* The last page of the memory, and all of it. */
TEST_F(stamp, ends_of_the_memory)
{
	struct vfc_dev *d = &self->t.d;
	struct at_job j = { .dev = self->size - AT_PAGE, .dev_pages = 1,
			    .rate = 1000 };

	at_job_start(_metadata, d, &j);
	AT_WAIT(SEQ() >= 3);
	SETCTRL(0);
	check_all(_metadata, &self->t, &j, SEQ());
	j.dev = 0;
	j.dev_pages = self->size / AT_PAGE;
	at_job_start(_metadata, d, &j);
	AT_WAIT(SEQ() >= 3);
	SETCTRL(0);
	ASSERT_EQ(MIMIC_ACCEL_CPL_OK, REG(MIMIC_ACCEL_STAMP_STATUS));
}

/*
 * Not faster than RATE, apart from a tenth of a second that it may catch up;
 * and as fast as that, given time.
 */
TEST_F_TIMEOUT(stamp, rate, 120)
{
	static const __u32 rates[] = { 1, 10, 100, 1000 };
	struct vfc_dev *d = &self->t.d;
	__u64 begin, now, seq;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rates); i++) {
		struct at_job j = { .dev_pages = 4, .rate = rates[i] };
		__u64 end = rates[i] < 3 ? 2 : rates[i] / 3 + 2;

		begin = REG64(MIMIC_ACCEL_TICK_LO);
		at_job_start(_metadata, d, &j);
		do {
			usleep(1000);
			seq = SEQ();
			now = REG64(MIMIC_ACCEL_TICK_LO);
			ASSERT_GE((now - begin) * rates[i] / 1000000 +
				  rates[i] / 10 + 1, seq);
			ASSERT_GT(AT_DEADLINE_MS * 1000ull, now - begin);
		} while (seq < end);
		SETCTRL(0);
	}
}

/* As fast as it can: it falls behind, and is still stopped at once. */
TEST_F_TIMEOUT(stamp, highest_rate, 60)
{
	struct vfc_dev *d = &self->t.d;
	struct at_job j = { .dev_pages = 16, .guest = AT_MEM_IOVA,
			    .guest_pages = 16, .rate = 1000000 };
	__u64 seq;

	at_job_start(_metadata, d, &j);
	AT_WAIT(SEQ() >= 500);
	SETCTRL(0);
	seq = SEQ();
	check_all(_metadata, &self->t, &j, seq);
	ASSERT_EQ(seq, SEQ());
}

TEST_F(stamp, keep)
{
	struct vfc_dev *d = &self->t.d;
	struct at_job j = { .dev_pages = 5, .rate = 500 };
	__u64 seq;

	at_job_start(_metadata, d, &j);
	AT_WAIT(SEQ() >= 20);
	SETCTRL(0);
	seq = SEQ();
	SETCTRL(RUN | KEEP);
	ASSERT_EQ(RUN, RUNNING());	/* KEEP reads as zero */
	AT_WAIT(SEQ() >= seq + 5);
	SETCTRL(KEEP);			/* clears RUN */
	ASSERT_EQ(0, RUNNING());
	seq = SEQ();
	check_all(_metadata, &self->t, &j, seq);
	/* SEQ stays until it is started again, and then it begins anew. */
	SETREG(MIMIC_ACCEL_STAMP_RATE, 1);
	ASSERT_EQ(seq, SEQ());
	SETCTRL(RUN);
	ASSERT_GT(3, SEQ());
	SETCTRL(0);
}

TEST_F(stamp, setting_run_again_changes_nothing)
{
	struct vfc_dev *d = &self->t.d;
	struct at_job j = { .dev_pages = 5, .rate = 500 };
	__u64 seq;

	at_job_start(_metadata, d, &j);
	AT_WAIT(SEQ() >= 20);
	seq = SEQ();
	SETCTRL(RUN);
	ASSERT_LE(seq, SEQ());
	SETCTRL(0);
	check_all(_metadata, &self->t, &j, SEQ());
}

/* No page at all is a job, too: it only counts. */
TEST_F(stamp, no_pages)
{
	struct vfc_dev *d = &self->t.d;
	struct at_job j = { .rate = 200 };

	at_job_start(_metadata, d, &j);
	AT_WAIT(SEQ() >= 5);
	SETCTRL(0);
	ASSERT_EQ(MIMIC_ACCEL_CPL_OK, REG(MIMIC_ACCEL_STAMP_STATUS));
	ASSERT_EQ(0, AT_READ(AT_MEM, 0, __u64));
	ASSERT_TRUE(at_all(self->t.mem.p, 0, self->t.mem.size));
}

TEST_F(stamp, bad_parameters)
{
	const __u64 size = self->size;
	const struct at_job bad[] = {
		{ .dev_pages = 1, .rate = 0 },
		{ .dev_pages = 1, .rate = 1000001 },
		{ .dev_pages = 1, .rate = 0xffffffff },
		{ .dev_pages = 1, .rate = 10, .dev = 1 },
		{ .dev_pages = 1, .rate = 10, .dev = 2048 },
		{ .dev_pages = 1, .rate = 10, .dev = size },
		{ .dev_pages = 2, .rate = 10, .dev = size - AT_PAGE },
		{ .dev_pages = size / AT_PAGE + 1, .rate = 10 },
		{ .dev_pages = 0xffffffff, .rate = 10 },
		{ .dev_pages = 1, .rate = 10, .dev = ~0ull - 4095 },
		{ .guest_pages = 1, .rate = 10, .guest = AT_MEM_IOVA + 64 },
		{ .guest_pages = 1, .rate = 10, .guest = ~0ull - 4094 },
		{ .guest_pages = 2, .rate = 10, .guest = ~0ull - 4095 },
		{ .guest_pages = 0xffffffff, .rate = 10,
		  .guest = 0xfffff00000002000ull },
	};
	struct vfc_dev *d = &self->t.d;
	struct at_job good = { .dev_pages = 1, .rate = 1000 };
	__u32 ignored = REG(MIMIC_ACCEL_IGNORED);
	unsigned int i;
	__u64 seq;

	at_job_start(_metadata, d, &good);
	AT_WAIT(SEQ() >= 3);
	SETCTRL(0);
	seq = SEQ();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		at_job_set(_metadata, d, &bad[i]);
		SETCTRL(RUN);
		ASSERT_EQ(0, RUNNING()) TH_LOG("case %u", i);
		ASSERT_EQ(++ignored, REG(MIMIC_ACCEL_IGNORED))
			TH_LOG("case %u", i);
		ASSERT_EQ(seq, SEQ());
	}
	at_job_start(_metadata, d, &good);
	AT_WAIT(SEQ() >= 1);
}

TEST_F(stamp, parameters_are_locked_while_it_runs)
{
	static const __u32 regs[] = {
		MIMIC_ACCEL_STAMP_RATE, MIMIC_ACCEL_STAMP_DEV_LO,
		MIMIC_ACCEL_STAMP_DEV_HI, MIMIC_ACCEL_STAMP_DEV_PAGES,
		MIMIC_ACCEL_STAMP_GUEST_PAGES, MIMIC_ACCEL_STAMP_GUEST_LO,
		MIMIC_ACCEL_STAMP_GUEST_HI,
	};
	struct vfc_dev *d = &self->t.d;
	struct at_job j = { .dev_pages = 3, .rate = 100 };
	__u32 ignored, was;
	unsigned int i;

	at_job_start(_metadata, d, &j);
	ignored = REG(MIMIC_ACCEL_IGNORED);
	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		was = REG(regs[i]);
		SETREG(regs[i], was + AT_PAGE);
		ASSERT_EQ(was, REG(regs[i])) TH_LOG("register %03x", regs[i]);
		ASSERT_EQ(++ignored, REG(MIMIC_ACCEL_IGNORED));
	}
	SETCTRL(0);
	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		SETREG(regs[i], AT_PAGE * (i + 1));
		ASSERT_EQ(AT_PAGE * (i + 1), REG(regs[i]));
	}
	ASSERT_EQ(ignored, REG(MIMIC_ACCEL_IGNORED));
}

/* A guest page that is not there ends the job, with a word. */
TEST_F(stamp, dma_fault_stops_it)
{
	struct vfc_dev *d = &self->t.d;
	struct at_job j = { .guest = AT_MEM_IOVA, .dev_pages = 3,
			    .guest_pages = GUEST_PAGES + 2, .rate = 10000 };
	int fds[MIMIC_ACCEL_NR_VECTORS];
	struct at_job ok;

	at_msix(_metadata, d, fds);
	at_job_begin(_metadata, d, &j);
	ASSERT_EQ(1, vfc_event_wait(fds[0], AT_DEADLINE_MS));
	ASSERT_EQ(MIMIC_ACCEL_INT_STAMP, REG(MIMIC_ACCEL_INT_STATUS));
	ASSERT_EQ(0, RUNNING());
	ASSERT_EQ(MIMIC_ACCEL_CPL_DMA_FAULT, REG(MIMIC_ACCEL_STAMP_STATUS));
	/* The last one that was written is the last one of the buffer. */
	ASSERT_EQ(GUEST_PAGES, SEQ());
	ok = j;
	ok.guest_pages = GUEST_PAGES;
	check_all(_metadata, &self->t, &ok, GUEST_PAGES);
	/* Started again with a good buffer it is fine. */
	at_job_start(_metadata, d, &ok);
	ASSERT_EQ(MIMIC_ACCEL_CPL_OK, REG(MIMIC_ACCEL_STAMP_STATUS));
	AT_WAIT(SEQ() >= 3);
	ASSERT_EQ(0, vfc_event_take(fds[0]));
	/* Without bus mastering likewise. */
	SETCFG16(PCI_COMMAND, PCI_COMMAND_MEMORY);
	ASSERT_EQ(1, vfc_event_wait(fds[0], AT_DEADLINE_MS));
	ASSERT_EQ(MIMIC_ACCEL_CPL_DMA_FAULT, REG(MIMIC_ACCEL_STAMP_STATUS));
}

/* Read-only guest memory is not written. */
TEST_F(stamp, read_only_guest_page)
{
	struct vfc_dev *d = &self->t.d;
	struct at_job j = { .guest = AT_HOLE_IOVA, .guest_pages = 2,
			    .rate = 1000 };
	struct at_mem ro;

	at_mem_map(_metadata, d, &ro, AT_HOLE_IOVA, 2 * AT_PAGE, AT_RO);
	at_job_begin(_metadata, d, &j);
	AT_WAIT(!RUNNING());
	ASSERT_EQ(MIMIC_ACCEL_CPL_DMA_FAULT, REG(MIMIC_ACCEL_STAMP_STATUS));
	ASSERT_EQ(0, SEQ());
	ASSERT_TRUE(at_all(ro.p, 0, ro.size));
	ASSERT_TRUE(at_guards_ok(&ro));
}

/* Next to the rings at full rate; all of them are right in the end. */
TEST_F_TIMEOUT(stamp, next_to_rings, 60)
{
	struct vfc_dev *d = &self->t.d;
	struct at_job j = { .dev = 1 << 20, .dev_pages = 32,
			    .guest = AT_MEM_IOVA + 32 * AT_PAGE,
			    .guest_pages = 32, .rate = 20000 };
	struct mimic_accel_desc desc;
	unsigned int i, n;

	at_job_start(_metadata, d, &j);
	for (i = 0; i < 10; i++) {
		for (n = 0; n < MIMIC_ACCEL_NR_RINGS; n++) {
			desc = at_pattern(at_desc(MIMIC_ACCEL_OP_FILL_G, 0,
						  AT_MEM_IOVA + n * 8 * AT_PAGE,
						  8 * AT_PAGE), i + 1);
			at_put(&self->t.ring[n], &desc);
			at_bell(_metadata, &self->t.ring[n]);
		}
		for (n = 0; n < MIMIC_ACCEL_NR_RINGS; n++)
			at_wait(_metadata, &self->t.ring[n], i);
	}
	AT_WAIT(SEQ() >= 100);
	SETCTRL(0);
	check_all(_metadata, &self->t, &j, SEQ());
	ASSERT_EQ(0, REG(RING_REG(0, ERRORS)) + REG(RING_REG(1, ERRORS)));
}

TEST_HARNESS_MAIN
