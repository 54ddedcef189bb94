// SPDX-License-Identifier: GPL-2.0-only
/*
 * DEV-01 to 04: stopped means stopped and drained. Everything is at work, the
 * state changes, and from then on nothing does, until it goes on as if it had
 * never been stopped.
 */
#include "accel_test.h"

#define DATA_SIZE	AT_MIB
#define DEV_SIZE	(2 * AT_MIB)	/* part of the device memory that is used */
#define QUIET_MS	1000

FIXTURE(stop) {
	struct at t;
	int32_t fd[MIMIC_ACCEL_NR_VECTORS];
	struct at_job job;
};

FIXTURE_SETUP(stop)
{
	at_setup(_metadata, &self->t, DATA_SIZE);
	ASSERT_LE(0, self->t.d.mig_index);
	at_msix(_metadata, &self->t.d, self->fd);
	self->job = (struct at_job){
		.dev = 1 << 20, .dev_pages = 100,
		.guest = AT_MEM_IOVA + DATA_SIZE / 2, .guest_pages = 100,
		.rate = 50000,
	};
}

FIXTURE_TEARDOWN(stop)
{
	at_close(_metadata, &self->t);
}

/* What a device could change if it were not quiet. */
struct world {
	__u8 *mem;
	__u8 *rings;
	__u8 *dev;
	__u32 regs[MIMIC_ACCEL_REGS_SIZE / 4];
};

static void world_take(struct __test_metadata *_metadata, struct at *t,
		       struct world *w)
{
	struct vfc_dev *d = &t->d;
	unsigned int i;

	if (!w->mem) {
		w->mem = malloc(t->mem.size);
		w->rings = malloc(t->rings.size);
		w->dev = malloc(DEV_SIZE);
		ASSERT_TRUE(w->mem && w->rings && w->dev);
	}
	for (i = 0; i < ARRAY_SIZE(w->regs); i++)
		w->regs[i] = REG(4 * i);
	READ_MEM(0, w->dev, DEV_SIZE);
	memcpy(w->mem, t->mem.p, t->mem.size);
	memcpy(w->rings, t->rings.p, t->rings.size);
}

static void world_free(struct world *w)
{
	free(w->mem);
	free(w->rings);
	free(w->dev);
	memset(w, 0, sizeof(*w));
}

static void world_equal(struct __test_metadata *_metadata, struct at *t,
			const struct world *a, const struct world *b)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(a->regs); i++)
		ASSERT_EQ(a->regs[i], b->regs[i])
			TH_LOG("register %03x", 4 * i);
	ASSERT_EQ(0, memcmp(a->mem, b->mem, t->mem.size));
	ASSERT_EQ(0, memcmp(a->rings, b->rings, t->rings.size));
	ASSERT_EQ(0, memcmp(a->dev, b->dev, DEV_SIZE));
}

/* Half a ring more for each that has room, so that they are never done soon. */
static void post(struct __test_metadata *_metadata, struct at *t)
{
	struct vfc_dev *d = &t->d;
	struct mimic_accel_desc desc;
	unsigned int n, i;
	__u64 guest;

	for (n = 0; n < MIMIC_ACCEL_NR_RINGS; n++) {
		struct at_ring *r = &t->ring[n];

		if (r->tail - REG(RING_REG(n, HEAD)) > r->size / 2)
			continue;
		for (i = 0; i < r->size / 2; i++) {
			guest = AT_MEM_IOVA + n * 100000 + i * 900;
			if (i & 1)
				desc = at_desc(MIMIC_ACCEL_OP_COPY_G2D, guest,
					       n * 400000ull, 150000);
			else
				desc = at_pattern(at_desc(MIMIC_ACCEL_OP_FILL_G,
							  0, guest, 90000),
						  r->tail + 1);
			desc = at_irq(desc);
			at_put(r, &desc);
		}
		at_bell(_metadata, r);
	}
}

/* Has each part done something? The rings are never left without work. */
static bool moved(struct __test_metadata *_metadata, struct at *t, __u64 seq,
		  __u32 head, __u32 count)
{
	struct vfc_dev *d = &t->d;

	post(_metadata, t);
	return REG64(MIMIC_ACCEL_STAMP_SEQ_LO) > seq + 3 &&
		REG(RING_REG(0, HEAD)) != head &&
		REG(MIMIC_ACCEL_TIMER_COUNT) != count;
}

static void all_at_work(struct __test_metadata *_metadata, struct at *t,
			const struct at_job *job)
{
	struct vfc_dev *d = &t->d;
	__u64 seq;
	__u32 head, count;

	if (!REG(MIMIC_ACCEL_STAMP_CTRL))
		at_job_start(_metadata, d, job);
	SETREG(MIMIC_ACCEL_TIMER_PERIOD, 200);
	post(_metadata, t);
	seq = REG64(MIMIC_ACCEL_STAMP_SEQ_LO);
	head = REG(RING_REG(0, HEAD));
	count = REG(MIMIC_ACCEL_TIMER_COUNT);
	AT_WAIT(moved(_metadata, t, seq, head, count));
}

/* The device has just been stopped: nothing may move for @ms. */
static void stays_quiet(struct __test_metadata *_metadata, struct at *t,
			const int32_t *fd, unsigned int ms)
{
	struct world before = {}, after = {};
	unsigned int i;

	for (i = 0; i < MIMIC_ACCEL_NR_VECTORS; i++)
		vfc_event_take(fd[i]);
	world_take(_metadata, t, &before);
	vfc_sleep_ms(ms);
	world_take(_metadata, t, &after);
	world_equal(_metadata, t, &before, &after);
	for (i = 0; i < MIMIC_ACCEL_NR_VECTORS; i++)
		ASSERT_EQ(0, vfc_event_take(fd[i]));
	world_free(&before);
	world_free(&after);
}

static void finish(struct __test_metadata *_metadata, struct at *t)
{
	struct vfc_dev *d = &t->d;
	unsigned int n;

	for (n = 0; n < MIMIC_ACCEL_NR_RINGS; n++) {
		at_wait(_metadata, &t->ring[n], t->ring[n].tail - 1);
		ASSERT_EQ(t->ring[n].tail, REG(RING_REG(n, HEAD)));
		ASSERT_EQ(0, REG(RING_REG(n, ERRORS)));
	}
}

TEST_F_TIMEOUT(stop, DEV_01_V1_ST_04_stopped_is_quiet, 120)
{
	struct vfc_dev *d = &self->t.d;
	__u64 took, best = ~0ull;
	int i;

	for (i = 0; i < 3; i++) {
		all_at_work(_metadata, &self->t, &self->job);
		took = vfc_now_us();
		ASSERT_EQ(4, vfc_set(d, VFC_STOP));
		took = vfc_now_us() - took;
		best = took < best ? took : best;
		stays_quiet(_metadata, &self->t, self->fd, QUIET_MS);
		AT_STATE(VFC_RUNNING);
	}
	/* 100 ms, but for what the machine and its host take from us. */
	ASSERT_GT(100000, best);
	finish(_metadata, &self->t);
}

/* However short the time between start and stop is. */
TEST_F_TIMEOUT(stop, DEV_01_many_times, 120)
{
	struct world before = {}, after = {};
	struct vfc_dev *d = &self->t.d;
	int i;

	all_at_work(_metadata, &self->t, &self->job);
	for (i = 0; i < 60; i++) {
		post(_metadata, &self->t);
		usleep(i * 37 % 3000);
		ASSERT_EQ(4, vfc_set(d, VFC_STOP));
		if (i % 6 == 0) {
			world_take(_metadata, &self->t, &before);
			usleep(20000);
			world_take(_metadata, &self->t, &after);
			world_equal(_metadata, &self->t, &before, &after);
		}
		ASSERT_EQ(4, vfc_set(d, VFC_RUNNING));
	}
	finish(_metadata, &self->t);
	world_free(&before);
	world_free(&after);
}

/* The states in which nothing may move, whichever way they are reached. */
TEST_F_TIMEOUT(stop, DEV_01_in_each_state, 120)
{
	static const __u32 paths[][3] = {
		{ VFC_STOP, VFC_STOP, VFC_STOP },
		{ VFC_SAVING, VFC_SAVING, VFC_SAVING },
		{ VFC_PRECOPY, VFC_SAVING, VFC_SAVING },
		{ VFC_PRECOPY, VFC_STOP, VFC_SAVING },
		{ VFC_STOP, VFC_SAVING, VFC_STOP },
	};
	struct vfc_dev *d = &self->t.d;
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		all_at_work(_metadata, &self->t, &self->job);
		for (k = 0; k < 3; k++)
			ASSERT_EQ(4, vfc_set(d, paths[i][k]));
		stays_quiet(_metadata, &self->t, self->fd, 200);
		AT_STATE(VFC_RUNNING);
	}
	finish(_metadata, &self->t);
}

/* V1-ST-93: after an internal error, too. */
TEST_F_TIMEOUT(stop, DEV_01_V1_ST_93_error_is_quiet, 60)
{
	struct vfc_dev *d = &self->t.d;

	all_at_work(_metadata, &self->t, &self->job);
	if (at_make_error(d) != 1)
		SKIP(return, AT_NO_KNOB);
	ASSERT_EQ(VFC_ERROR, vfc_get(d));
	stays_quiet(_metadata, &self->t, self->fd, 300);
	ASSERT_EQ(0, vfc_reset(d));
}

/* RESUMING is a device at power-on: nothing of before goes on. */
TEST_F_TIMEOUT(stop, DEV_01_resuming_is_quiet, 60)
{
	struct vfc_dev *d = &self->t.d;

	all_at_work(_metadata, &self->t, &self->job);
	ASSERT_EQ(4, vfc_set(d, VFC_RESUMING));
	at_enable(_metadata, d);
	stays_quiet(_metadata, &self->t, self->fd, 300);
	ASSERT_EQ(0, vfc_reset(d));
}

/* In pre-copy everything goes on as before, also while it is drained. */
TEST_F_TIMEOUT(stop, V1_PRE_01_precopy_is_not_stopped, 60)
{
	static const struct vfc_io bulk = { false, 0 };
	struct vfc_dev *d = &self->t.d;
	struct vfc_stream s = {};
	__u64 pending;
	int i;

	all_at_work(_metadata, &self->t, &self->job);
	AT_STATE(VFC_PRECOPY);
	for (i = 0; i < 5; i++) {
		all_at_work(_metadata, &self->t, &self->job);
		ASSERT_EQ(8, vfc_r8(d, VFC_PENDING, &pending));
		if (pending)
			ASSERT_LT(0, vfc_save_segment(d, &bulk, &s));
	}
	all_at_work(_metadata, &self->t, &self->job);
	AT_STATE(VFC_RUNNING);
	finish(_metadata, &self->t);
	vfc_stream_free(&s);
}

/* Plain values are taken, doorbells are ignored and counted. */
TEST_F(stop, DEV_03_writes_to_a_stopped_device)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc = NOP();
	__u32 ignored;

	at_job_set(_metadata, d, &self->job);
	SETREG(RING_REG(1, CTRL), 0);
	AT_STATE(VFC_STOP);
	ignored = REG(MIMIC_ACCEL_IGNORED);
	SETREG(MIMIC_ACCEL_SCRATCH, 3);
	SETREG(MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_TIMER);
	SETREG(MIMIC_ACCEL_STAMP_RATE, 44);
	SETREG(RING_REG(1, SIZE), 32);
	ASSERT_EQ(3, REG(MIMIC_ACCEL_SCRATCH));
	ASSERT_EQ(MIMIC_ACCEL_INT_TIMER, REG(MIMIC_ACCEL_INT_MASK));
	ASSERT_EQ(44, REG(MIMIC_ACCEL_STAMP_RATE));
	ASSERT_EQ(32, REG(RING_REG(1, SIZE)));
	ASSERT_EQ(ignored, REG(MIMIC_ACCEL_IGNORED));
	at_put(r, &desc);
	at_bell(_metadata, r);
	ASSERT_EQ(++ignored, REG(MIMIC_ACCEL_IGNORED));
	ASSERT_EQ(0, REG(RING_REG(0, TAIL)));
	SETREG(RING_REG(1, CTRL), MIMIC_ACCEL_RING_CTRL_ENABLE);
	ASSERT_EQ(++ignored, REG(MIMIC_ACCEL_IGNORED));
	ASSERT_EQ(0, REG(RING_REG(1, STATUS)));
	SETREG(MIMIC_ACCEL_STAMP_CTRL, MIMIC_ACCEL_STAMP_CTRL_RUN);
	ASSERT_EQ(++ignored, REG(MIMIC_ACCEL_IGNORED));
	ASSERT_EQ(0, REG(MIMIC_ACCEL_STAMP_CTRL));
	SETREG(MIMIC_ACCEL_INT_TRIGGER, MIMIC_ACCEL_INT_RING(0));
	ASSERT_EQ(++ignored, REG(MIMIC_ACCEL_IGNORED));
	ASSERT_EQ(0, REG(MIMIC_ACCEL_INT_STATUS));
	/* Nothing of it happens later. */
	AT_STATE(VFC_RUNNING);
	vfc_sleep_ms(30);
	ASSERT_EQ(0, r->cpl[0].seq);
	ASSERT_EQ(0, REG(MIMIC_ACCEL_INT_STATUS));
	at_bell(_metadata, r);
	at_wait(_metadata, r, 0);
}

/* Whatever a client of a device in SAVING does to it: not in this stream. */
static void disturb(struct __test_metadata *_metadata, struct at *t)
{
	struct vfc_dev *d = &t->d;
	__u64 junk = ~0ull;

	SETREG(MIMIC_ACCEL_SCRATCH, 0xbad);
	SETREG(MIMIC_ACCEL_INT_TRIGGER, MIMIC_ACCEL_INT_ALL);
	SETREG(RING_REG(0, TAIL), REG(RING_REG(0, TAIL)) + 1);
	SETREG(MIMIC_ACCEL_STAMP_CTRL, MIMIC_ACCEL_STAMP_CTRL_RUN);
	SETREG(0x800, 1);			/* counts in IGNORED */
	ASSERT_EQ(-EIO, vfc_region_write(d, AT_MEM, 0, &junk, sizeof(junk)));
}

/*
 * The rest of the stream @s goes to the second device, which takes the first
 * one's place: stopped, it is as the first one was @before.
 */
static void moves_as_it_was(struct __test_metadata *_metadata, struct at *t,
			    struct vfc_stream *s, struct world *before)
{
	static const struct vfc_io bulk = { false, 0 };
	struct vfc_dev *d = &t->d, b;
	struct world after = {};

	ASSERT_EQ(0, vfc_drain(d, &bulk, s));
	ASSERT_EQ(0, vfc_open(&b, getenv("VFIO_DEV2")));
	ASSERT_EQ(0, vfc_load(&b, &bulk, s));
	vfc_close(d);
	*d = b;
	AT_STATE(VFC_STOP);
	world_take(_metadata, t, &after);
	world_equal(_metadata, t, before, &after);
	world_free(&after);
}

TEST_F_TIMEOUT(stop, DEV_03_stream_is_of_the_stop, 60)
{
	static const struct vfc_io bulk = { false, 0 };
	struct vfc_dev *d = &self->t.d;
	struct world before = {};
	struct vfc_stream s = {};

	if (!getenv("VFIO_DEV2"))
		SKIP(return, AT_NO_SECOND);
	SETREG(MIMIC_ACCEL_SCRATCH, 0x12345678);
	all_at_work(_metadata, &self->t, &self->job);
	AT_STATE(VFC_SAVING);
	world_take(_metadata, &self->t, &before);
	disturb(_metadata, &self->t);
	ASSERT_LT(0, vfc_save_segment(d, &bulk, &s));
	disturb(_metadata, &self->t);
	moves_as_it_was(_metadata, &self->t, &s, &before);
	world_free(&before);
	vfc_stream_free(&s);
}

/* Who ends a job of a stopped device can rely on it. */
TEST_F(stop, DEV_03_ending_works_when_stopped)
{
	struct vfc_dev *d = &self->t.d;
	__u64 seq;
	__u32 head;

	all_at_work(_metadata, &self->t, &self->job);
	AT_STATE(VFC_STOP);
	SETREG(MIMIC_ACCEL_STAMP_CTRL, 0);
	SETREG(RING_REG(0, CTRL), 0);
	SETREG(RING_REG(1, CTRL), 0);
	SETREG(MIMIC_ACCEL_TIMER_PERIOD, 0);
	ASSERT_EQ(0, REG(MIMIC_ACCEL_STAMP_CTRL));
	ASSERT_EQ(0, REG(RING_REG(0, STATUS)));
	seq = REG64(MIMIC_ACCEL_STAMP_SEQ_LO);
	head = REG(RING_REG(0, HEAD));
	AT_STATE(VFC_RUNNING);
	vfc_sleep_ms(100);
	ASSERT_EQ(seq, REG64(MIMIC_ACCEL_STAMP_SEQ_LO));
	ASSERT_EQ(head, REG(RING_REG(0, HEAD)));
}

/*
 * DEV-04: a golden walk. With everything at work the device is saved and
 * restored into another one, which is stopped as well: all that can be read
 * is equal.
 */
TEST_F_TIMEOUT(stop, DEV_04_registers_after_restore, 60)
{
	struct vfc_dev *d = &self->t.d;
	struct vfc_stream s = {};
	struct world before = {};
	__u8 cfg[2][256], msix[2][4096];

	if (!getenv("VFIO_DEV2"))
		SKIP(return, AT_NO_SECOND);
	SETREG(MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_RING(1));
	SETREG(MIMIC_ACCEL_SCRATCH, 0x12345678);
	SETREG(0x400, 1);
	AT_WRITE(AT_MSIX, 16, __u64, 0x1234fee00000ull);
	SETCFG32(PCI_BASE_ADDRESS_2, 0xe0000000);
	all_at_work(_metadata, &self->t, &self->job);
	/* A message with nowhere to go. */
	ASSERT_EQ(0, vfc_irq_disable(d, VFIO_PCI_MSIX_IRQ_INDEX));
	SETREG(MIMIC_ACCEL_INT_TRIGGER, MIMIC_ACCEL_INT_RING(0));
	AT_STATE(VFC_SAVING);
	world_take(_metadata, &self->t, &before);
	ASSERT_EQ(256, vfc_region_read(d, AT_CFG, 0, cfg[0], 256));
	ASSERT_EQ(4096, vfc_region_read(d, AT_MSIX, 0, msix[0], 4096));
	ASSERT_NE(0, msix[0][0x800]);
	moves_as_it_was(_metadata, &self->t, &s, &before);
	ASSERT_EQ(256, vfc_region_read(d, AT_CFG, 0, cfg[1], 256));
	ASSERT_EQ(4096, vfc_region_read(d, AT_MSIX, 0, msix[1], 4096));
	ASSERT_EQ(0, memcmp(cfg[0], cfg[1], 256));
	ASSERT_EQ(0, memcmp(msix[0], msix[1], 4096));
	world_free(&before);
	vfc_stream_free(&s);
}

TEST_HARNESS_MAIN
