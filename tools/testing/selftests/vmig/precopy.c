// SPDX-License-Identifier: GPL-2.0-only
/*
 * V1-PRE: saving while the device runs. What arrives is the state at the
 * instant of the stop, however often it changed before.
 */
#include "vmig_test.h"

#include <sched.h>

FIXTURE(precopy) {
	struct vt t;
};

FIXTURE_VARIANT(precopy) {
	bool mapped;
};

FIXTURE_VARIANT_ADD(precopy, pread) { .mapped = false };
FIXTURE_VARIANT_ADD(precopy, V1_DISC_11_mmap) { .mapped = true };

FIXTURE_SETUP(precopy)
{
	vt_open_two(_metadata, &self->t);
	vt_by_mmap(_metadata, &self->t, variant->mapped);
}

FIXTURE_TEARDOWN(precopy)
{
	vt_close(&self->t);
}

#define NOISE_UNITS	64
#define NOISE_MAX_RATE	1000000
#define LARGE_UNITS	((64 << 20) / VFC_UNIT)
#define HOT_UNITS	((64 << 10) / VFC_UNIT)

static struct vfc_dev *target(struct vt *t)
{
	return t->two ? &t->b : &t->a;
}

TEST_F(precopy, V1_PRE_01_device_runs)
{
	struct vfc_dev *d = &self->t.a;
	const struct vfc_model *m = self->t.m;
	__u64 ticks, more, seq, last, end;
	__u32 reg;
	int event;

	if (!vt_works(self->t.m))
		SKIP(return, VT_NO_WORK);
	event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, vfc_irq_set(d, m->irq_index, 0, 1, &event));
	ASSERT_EQ(0, m->start_noise(d, NOISE_UNITS, 1000));
	ASSERT_EQ(0, m->start_timer(d, 1000));
	SET(VFC_PRECOPY);
	ASSERT_EQ(0, m->ticks(d, &ticks));
	ASSERT_EQ(0, m->noise_seq(d, &seq));
	vfc_event_take(event);
	end = vfc_now_us() + 500000;
	do {
		ASSERT_EQ(0, m->reg_set(d, (__u32)end));
		ASSERT_EQ(0, m->reg_get(d, &reg));
		ASSERT_EQ((__u32)end, reg);
		if (R8(VFC_PENDING))
			ASSERT_LT(0, vfc_save_segment(d, &vt_way, &self->t.s));
	} while (vfc_now_us() < end);
	ASSERT_LT(0, vfc_event_wait(event, 5000));
	ASSERT_EQ(0, m->ticks(d, &more));
	ASSERT_LT(ticks, more);
	ASSERT_EQ(0, m->noise_seq(d, &last));
	ASSERT_LT(seq, last);
	ASSERT_EQ(VFC_PRECOPY, R4(VFC_STATE));
	close(event);
}

/* --- No lost update --------------------------------------------------- */

#define PRE02_ROUNDS	200	/* or what the environment has under this name */
#define PRE02_TIMEOUT	900	/* for thousands of them */

/* A record of a chunk, and sections that are larger than the one before by less. */
#define CHUNK_RECORD	(sizeof(struct vmig_rec) + \
			 sizeof(struct vmig_rec_chunk) + VFC_UNIT)
#define SECTION_MIN	32768
#define SECTION_STEP	4096
#define SECTION_STEPS	(CHUNK_RECORD / (CHUNK_RECORD - SECTION_STEP) + 1)

/**
 * struct round - what a migration under load is like
 * @section: bytes of the data section
 * @piece: the destination gets the stream in pieces of so many bytes; 0: in
 *	the segments that were saved
 * @units: that the device rewrites
 * @rate: how often a second
 * @still: units that are written once, before
 * @reads: segments that are collected before the stop
 * @ms: time before each
 * @mapped: move the stream through mappings
 */
struct round {
	__u64 section;
	size_t piece;
	unsigned int units;
	unsigned int rate;
	unsigned int still;
	unsigned int reads;
	unsigned int ms;
	bool mapped;
};

FIXTURE(rounds) {
	struct vt t;
	__u64 was;			/* size of the section */
	__u64 segments;			/* that were saved */
	bool ended[CHUNK_RECORD];	/* with so much room left */
};

FIXTURE_SETUP(rounds)
{
	vt_open_two(_metadata, &self->t);
	self->was = vfc_section(&self->t.a);
}

FIXTURE_TEARDOWN(rounds)
{
	if (vfc_section(&self->t.a) != self->was)
		vt_section_set_both(&self->t, self->was, self->was);
	vt_close(&self->t);
}

/*
 * From one chunk, which is dirty again at once, to many more than a segment
 * holds, and to 64 MiB of which only a part changes. A segment ends where no
 * record fits any more: SECTION_STEPS sizes one after the other leave each room
 * that there can be. A client may cut the stream anywhere, also in a record.
 */
static struct round round_of(unsigned int n, unsigned int *seed)
{
	static const unsigned int units[] = { 1, 3, NOISE_UNITS, 300, 1024 };
	static const __u64 large[] = { 1 << 20, 16 << 20 };
	struct round r = {
		.section = SECTION_MIN + n % SECTION_STEPS * SECTION_STEP,
		.units = units[rand_r(seed) % ARRAY_SIZE(units)],
		.rate = rand_r(seed) % 8 ? 3000 : NOISE_MAX_RATE,
		.reads = rand_r(seed) % 8 * 3,
		.ms = rand_r(seed) % 5,
		.mapped = n / 2 % 2,
	};

	if (rand_r(seed) % 8 == 0)
		r.section = large[rand_r(seed) % ARRAY_SIZE(large)];
	if (n % 50 == 49)
		r.still = LARGE_UNITS >> n / 50 % 5;
	if (n % 2)
		r.piece = r.section - rand_r(seed) % CHUNK_RECORD;
	return r;
}

/* From RUNNING, busy, to SAVING with all of the stream collected. */
static void save_busy(struct __test_metadata *_metadata, struct vt *t,
		      const struct round *r, __u64 *seq)
{
	struct vfc_dev *d = &t->a;
	unsigned int i;

	vfc_stream_free(&t->s);
	ASSERT_EQ(0, vfc_reset(d));
	vt_touch(_metadata, d, t->m, r->still, r->still);
	ASSERT_EQ(0, t->m->start_noise(d, r->units, r->rate));
	SET(VFC_PRECOPY);
	for (i = 0; i < r->reads; i++) {
		vfc_sleep_ms(r->ms);
		if (R8(VFC_PENDING))
			ASSERT_LT(0, vfc_save_segment(d, &vt_way, &t->s));
	}
	SET(VFC_SAVING);
	ASSERT_EQ(0, t->m->noise_seq(d, seq));
	ASSERT_EQ(0, vfc_drain(d, &vt_way, &t->s));
}

/* What was written last before the stop, and nothing older. */
static void check_arrived(struct __test_metadata *_metadata, struct vt *t,
			  const struct round *r, __u64 seq)
{
	struct vfc_dev *d = target(t);
	unsigned int i;
	__u64 v;

	ASSERT_EQ(0, t->m->noise_seq(d, &v));
	ASSERT_EQ(seq, v);
	ASSERT_EQ(0, t->m->check_noise(d, r->units, seq));
	for (i = r->units; i < vt_units(d, t->m, r->still); i++) {
		ASSERT_EQ(0, t->m->read_back(d, i, &v));
		ASSERT_EQ(r->still + i, v);
	}
}

/* The device goes on where it was. */
static void check_goes_on(struct __test_metadata *_metadata, struct vt *t,
			  const struct round *r, __u64 seq)
{
	struct vfc_dev *d = target(t);
	__u64 now = seq;
	unsigned int i;

	SET(VFC_RUNNING);
	for (i = 0; i < 5000 && now == seq; i++) {
		vfc_sleep_ms(1);
		ASSERT_EQ(0, t->m->noise_seq(d, &now));
	}
	ASSERT_LT(seq, now);
	ASSERT_EQ(0, t->m->stop_noise(d, &now));
	ASSERT_EQ(0, t->m->check_noise(d, r->units, now));
}

static void noisy_round(struct __test_metadata *_metadata, struct vt *t,
			const struct round *r)
{
	struct vfc_dev *d;
	__u64 seq;

	save_busy(_metadata, t, r, &seq);
	d = target(t);
	ASSERT_EQ(0, vfc_reset(d));
	if (r->piece) {
		SET(VFC_RESUMING);
		ASSERT_EQ(0, vfc_feed_all(d, &vt_way, t->s.buf, t->s.len,
					  r->piece));
	} else {
		ASSERT_EQ(0, vfc_load(d, &vt_way, &t->s));
	}
	SET(VFC_STOP);
	check_arrived(_metadata, t, r, seq);
	check_goes_on(_metadata, t, r, seq);
}

/* Where its segments ended because nothing more had room. */
static void note_ends(struct vt *t, bool *ended)
{
	size_t i, room;

	for (i = 0; i < t->s.nseg; i++) {
		room = vfc_section(&t->a) - t->s.seg[i];
		if (room < CHUNK_RECORD)
			ended[room] = true;
	}
}

TEST_F_TIMEOUT(rounds, V1_PRE_02_no_lost_update, PRE02_TIMEOUT)
{
	__u64 n = vfc_number("PRE02_ROUNDS", PRE02_ROUNDS), i, begin;
	unsigned int seed = 2, kinds = 0;
	struct vt *t = &self->t;
	struct round r;

	if (!vt_works(t->m))
		SKIP(return, VT_NO_WORK);
	begin = vfc_now_us();
	for (i = 0; i < n; i++) {
		r = round_of(i, &seed);
		if (vt_has_knob(&t->a, "section_size"))
			vt_resize_both(_metadata, t, r.section, r.section);
		vt_way = vt_bulk;
		vt_by_mmap(_metadata, t, r.mapped);
		noisy_round(_metadata, t, &r);
		self->segments += t->s.nseg;
		note_ends(t, self->ended);
	}
	for (i = 0; i < CHUNK_RECORD; i++)
		kinds += self->ended[i];
	TH_LOG("%llu rounds in %llu ms, %llu segments, full ones with %u different rooms left",
	       n, (vfc_now_us() - begin) / 1000, self->segments, kinds);
}

/* --- No torn chunk ---------------------------------------------------- */

struct rewriter {
	const struct vfc_dev *d;
	const struct vfc_model *m;
	bool stop;
	__u64 last;
	int ret;
};

static void *rewrite(void *arg)
{
	struct rewriter *r = arg;

	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE) && !r->ret)
		r->ret = r->m->touch(r->d, 0, ++r->last);
	return NULL;
}

/* The same through a mapping, where the saver must catch the stores. */
static void *rewrite_mapped(void *arg)
{
	struct rewriter *r = arg;
	__u8 *p, buf[VFC_UNIT];

	r->ret = r->m->map(r->d, 1, &p);
	if (r->ret)
		return NULL;
	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		vfc_unit_fill(buf, ++r->last);
		memcpy(p, buf, sizeof(buf));
	}
	munmap(p, VFC_UNIT);
	return NULL;
}

static void torn(struct __test_metadata *_metadata, struct vt *t,
		 void *(*fn)(void *))
{
	struct vfc_dev *d = &t->a;
	struct rewriter r = { .d = d, .m = t->m };
	__u64 value, end;
	pthread_t thread;

	SET(VFC_PRECOPY);
	ASSERT_EQ(0, pthread_create(&thread, NULL, fn, &r));
	end = vfc_now_us() + 500000;
	while (vfc_now_us() < end)
		if (R8(VFC_PENDING))
			ASSERT_LT(0, vfc_save_segment(d, &vt_way, &t->s));
	__atomic_store_n(&r.stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, r.ret);
	ASSERT_LT(1, r.last);
	SET(VFC_SAVING);
	ASSERT_EQ(0, vfc_drain(d, &vt_way, &t->s));
	vt_restore(_metadata, target(t), &t->s);
	ASSERT_EQ(0, t->m->read_back(target(t), 0, &value));
	ASSERT_EQ(r.last, value);
}

TEST_F(precopy, V1_PRE_03_no_torn_chunk)
{
	if (!vt_has(&self->t, 1))
		SKIP(return, VT_NO_ROOM);
	torn(_metadata, &self->t, rewrite);
}

TEST_F(precopy, V1_PRE_03_no_torn_chunk_mapped)
{
	if (!vt_maps(self->t.m))
		SKIP(return, VT_NO_MAP);
	torn(_metadata, &self->t, rewrite_mapped);
}

/* Behind the units that never change, or among them if the device is full. */
TEST_F_TIMEOUT(precopy, V1_PRE_04_precopy_pays, 240)
{
	struct vfc_dev *d = &self->t.a;
	const struct vfc_model *m = self->t.m;
	unsigned int n, first, i;
	__u64 before, stopped, v;

	if (!vt_has(&self->t, 8 << 20 >> 12))
		SKIP(return, VT_NO_ROOM);
	n = vt_units(d, m, LARGE_UNITS);
	first = vt_units(d, m, LARGE_UNITS + HOT_UNITS) - HOT_UNITS;
	vt_touch(_metadata, d, m, first + HOT_UNITS, 1);
	SET(VFC_PRECOPY);
	ASSERT_EQ(0, vfc_drain(d, &vt_way, &self->t.s));
	before = self->t.s.len;
	ASSERT_LE((__u64)n * VFC_UNIT, before);
	/* 64 KiB change before the stop */
	for (i = first; i < first + HOT_UNITS; i++)
		ASSERT_EQ(0, m->touch(d, i, 7000 + i));
	SET(VFC_SAVING);
	ASSERT_EQ(0, vfc_drain(d, &vt_way, &self->t.s));
	stopped = self->t.s.len - before;
	ASSERT_LE(HOT_UNITS * VFC_UNIT, stopped);
	ASSERT_GE(1u << 20, stopped);
	d = target(&self->t);
	vt_restore(_metadata, d, &self->t.s);
	vt_check_touched(_metadata, d, m, first, 1);
	for (i = first; i < first + HOT_UNITS; i++) {
		ASSERT_EQ(0, m->read_back(d, i, &v));
		ASSERT_EQ(7000 + i, v);
	}
	TH_LOG("%u MiB in pre-copy, %llu bytes after the stop",
	       n / (1 << 20 >> 12), stopped);
}

TEST_F_TIMEOUT(precopy, V1_PRE_06_enter_and_leave, 60)
{
	struct vfc_dev *d = &self->t.a;
	const struct vfc_model *m = self->t.m;
	__u64 seq, ticks, before = 0;
	unsigned int i;
	__u32 reg;

	if (!vt_works(self->t.m))
		SKIP(return, VT_NO_WORK);
	ASSERT_EQ(0, m->start_noise(d, NOISE_UNITS, 2000));
	ASSERT_EQ(0, m->reg_set(d, 0x1234));
	for (i = 0; i < 1000; i++) {
		SET(VFC_PRECOPY);
		SET(VFC_RUNNING);
		ASSERT_EQ(0, m->ticks(d, &ticks));
		ASSERT_LE(before, ticks);
		before = ticks;
	}
	ASSERT_EQ(0, m->reg_get(d, &reg));
	ASSERT_EQ(0x1234, reg);
	ASSERT_EQ(0, m->stop_noise(d, &seq));
	ASSERT_LT(0, seq);
	ASSERT_EQ(0, m->check_noise(d, NOISE_UNITS, seq));
}

/* Straight to stop-and-copy, from RUNNING or by way of STOP. */
static void suspend(struct __test_metadata *_metadata, struct vt *t, bool stop)
{
	struct vfc_dev *d = &t->a;

	if (t->m) {
		vt_touch(_metadata, d, t->m, 20, 640);
		ASSERT_EQ(0, t->m->reg_set(d, 640));
	}
	if (stop)
		SET(VFC_STOP);
	ASSERT_EQ(0, vfc_save(d, &vt_way, &t->s));
	SET(VFC_STOP);
	vt_restore(_metadata, target(t), &t->s);
	vt_check_small(_metadata, target(t), t->m, 20, 640);
}

TEST_F(precopy, V1_PRE_07_from_running)
{
	suspend(_metadata, &self->t, false);
}

TEST_F(precopy, V1_PRE_08_from_stop)
{
	suspend(_metadata, &self->t, true);
}

enum { BY_SAVING, BY_RUNNING, BY_RESET, BY_PARTIAL_SAVING };

/* [part of session A][all of session B] is B. */
static void concatenate(struct __test_metadata *_metadata, struct vt *t, int by)
{
	struct vfc_dev *d = &t->a;

	if (t->m)
		vt_touch(_metadata, d, t->m, 300, 10);
	SET(VFC_PRECOPY);
	ASSERT_LT(0, R8(VFC_PENDING));
	ASSERT_LT(0, vfc_save_segment(d, &vt_way, &t->s));
	R8(VFC_PENDING);
	switch (by) {
	case BY_PARTIAL_SAVING:
		SET(VFC_SAVING);
		if (R8(VFC_PENDING))
			ASSERT_LT(0, vfc_save_segment(d, &vt_way, &t->s));
		SET(VFC_RUNNING);
		break;
	case BY_SAVING:
		SET(VFC_SAVING);
		SET(VFC_RUNNING);
		break;
	case BY_RUNNING:
		SET(VFC_RUNNING);
		break;
	case BY_RESET:
		ASSERT_EQ(0, vfc_reset(d));
		break;
	}
	if (t->m) {
		vt_touch(_metadata, d, t->m, 40, 7000);
		ASSERT_EQ(0, t->m->reg_set(d, 7000));
	}
	ASSERT_EQ(0, vfc_save(d, &vt_way, &t->s));
	SET(VFC_STOP);
	vt_restore(_metadata, target(t), &t->s);
	vt_check_small(_metadata, target(t), t->m, 40, 7000);
	if (vt_has(t, 101) && by == BY_RESET) {
		__u64 value;

		/* Session A's chunk, which B knows nothing of, is gone. */
		ASSERT_EQ(0, t->m->read_back(target(t), 100, &value));
		ASSERT_EQ(0, value);
	}
}

TEST_F(precopy, V1_PRE_09_two_sessions_by_saving)
{
	concatenate(_metadata, &self->t, BY_SAVING);
}

TEST_F(precopy, V1_PRE_09_two_sessions_by_partial_saving)
{
	concatenate(_metadata, &self->t, BY_PARTIAL_SAVING);
}

TEST_F(precopy, V1_PRE_09_two_sessions_by_running)
{
	concatenate(_metadata, &self->t, BY_RUNNING);
}

TEST_F(precopy, V1_PRE_09_two_sessions_by_reset)
{
	concatenate(_metadata, &self->t, BY_RESET);
}

/*
 * A hole that is looked at through a mapping while the device is stopped shows
 * zeros then, and what is written later on, whichever way it is written.
 */
static void hole_seen(struct __test_metadata *_metadata, struct vt *t,
		      bool saving)
{
	struct vfc_dev *d = &t->a;
	__u64 value;
	__u8 *p;

	if (!vt_maps(t->m))
		SKIP(return, VT_NO_MAP);
	ASSERT_EQ(0, t->m->touch(d, 0, 1));
	ASSERT_EQ(0, t->m->map(d, 3, &p));
	if (saving)
		SET(VFC_PRECOPY);
	SET(saving ? VFC_SAVING : VFC_STOP);
	ASSERT_EQ(0, p[VFC_UNIT]);
	ASSERT_EQ(0, p[2 * VFC_UNIT]);
	SET(VFC_RUNNING);

	ASSERT_EQ(0, t->m->touch(d, 1, 7));
	ASSERT_EQ(0, vfc_unit_check(p + VFC_UNIT, &value));
	ASSERT_EQ(7, value);
	vfc_unit_fill(p + 2 * VFC_UNIT, 9);
	ASSERT_EQ(0, t->m->read_back(d, 2, &value));
	ASSERT_EQ(9, value);
}

TEST_F(precopy, DEV_06_hole_seen_while_stopped)
{
	hole_seen(_metadata, &self->t, false);
}

TEST_F(precopy, DEV_06_hole_seen_while_saving)
{
	hole_seen(_metadata, &self->t, true);
}

/* --- Memory of a session ---------------------------------------------- */

#define BOUND_UNITS	2048
/* What a processor may hold in store of a group, and small objects. */
#define BOUND_SLACK	(320 << 10)

FIXTURE(bound) {
	struct vt t;
	__u64 chunks;		/* of the device */
	__u64 touched;		/* bytes */
	__u64 fixed;		/* section, and which parts of it were read */
	long long closed;	/* charged before the device is opened */
};

/*
 * Memory for the stream is there before anything is measured, and all runs on one
 * processor, so that little is held in store.
 */
FIXTURE_SETUP(bound)
{
	struct vt *t = &self->t;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
	vt_open(_metadata, t);
	if (!vt_has(t, 256))
		SKIP(return, VT_NO_ROOM);
	self->chunks = t->m->units(&t->a);
	self->touched = (__u64)vt_units(&t->a, t->m, BOUND_UNITS) * VFC_UNIT;
	self->fixed = vfc_section(&t->a) + vfc_section(&t->a) / 8;
	vfc_close(&t->a);
	if (!vt_group_enter())
		SKIP(return, VT_NO_CGROUP);
	t->s.cap = 2 * self->touched + (4 << 20);
	t->s.buf = malloc(t->s.cap);
	ASSERT_NE(NULL, t->s.buf);
	memset(t->s.buf, 1, t->s.cap);
	self->closed = vt_group_bytes();
	ASSERT_LT(0, self->closed);
	ASSERT_EQ(0, vfc_open(&t->a, getenv("VFIO_DEV")));
}

FIXTURE_TEARDOWN(bound)
{
	vt_close(&self->t);
	vt_group_leave();
}

/* Charged since the device was closed: @bytes, what is fixed, 8 for a chunk. */
#define WITHIN(bytes)	do {						\
		long long most_ = (bytes) + self->fixed +		\
				  8 * self->chunks + BOUND_SLACK;	\
		ASSERT_GE(most_, vt_group_bytes() - self->closed);	\
	} while (0)

TEST_F_TIMEOUT(bound, V1_PRE_05_while_saving, 60)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	unsigned int k;

	WITHIN(0);
	vt_touch(_metadata, d, self->t.m, BOUND_UNITS, 1);
	WITHIN(self->touched);
	/* It is measured at all: the device's memory is charged here. */
	ASSERT_LE((long long)self->touched, vt_group_bytes() - self->closed);
	for (k = 0; k < 3; k++) {
		s->len = 0;
		s->nseg = 0;
		SET(VFC_PRECOPY);
		while (s->len < self->touched / 2) {
			ASSERT_LT(0, R8(VFC_PENDING));
			ASSERT_LT(0, vfc_save_segment(d, &vt_bulk, s));
			WITHIN(self->touched);
		}
		SET(VFC_SAVING);
		WITHIN(self->touched);
		while (R8(VFC_PENDING)) {
			ASSERT_LT(0, vfc_save_segment(d, &vt_bulk, s));
			WITHIN(self->touched);
		}
		SET(VFC_RUNNING);
	}
	ASSERT_EQ(0, vfc_reset(d));
	WITHIN(0);
}

/* Chunks that were received are all that grows, and they become the memory. */
TEST_F_TIMEOUT(bound, V1_PRE_05_V1_RES_22_while_resuming, 60)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	size_t at, n;
	unsigned int k;

	vt_touch(_metadata, d, self->t.m, BOUND_UNITS, 1);
	ASSERT_EQ(0, vfc_save(d, &vt_bulk, s));
	for (k = 0; k < 3; k++) {
		/* Also over a device whose memory is in use. */
		SET(VFC_RESUMING);
		for (at = 0; at < s->len; at += n) {
			n = s->len - at < vfc_section(d) ? s->len - at :
				vfc_section(d);
			ASSERT_EQ(8, vfc_feed(d, &vt_bulk, s->buf + at, n));
			WITHIN(at + n);
		}
		SET(VFC_RUNNING);
		WITHIN(self->touched);
		vt_check_touched(_metadata, d, self->t.m, BOUND_UNITS, 1);
	}
	ASSERT_EQ(0, vfc_reset(d));
	WITHIN(0);
}

/* Fill @buf with records that nobody needs; the next one has number @seq. */
static size_t fill_optional(__u8 *buf, size_t size, __u64 *seq)
{
	size_t at;

	for (at = 0; at + VMR_OPTIONAL <= size; at += VMR_OPTIONAL)
		if (vmr_optional(buf + at, (*seq)++))
			return 0;
	return at;
}

#define BOUND_RECORDS	1000ull	/* not more than may be skipped */

/* What is skipped leaves nothing behind, and each segment may have brought more. */
TEST_F_TIMEOUT(bound, V1_RES_22_while_records_are_skipped, 60)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	struct vmr_list l;
	__u64 seq = 1, fed = 0;
	long long first = 0;
	size_t n = 0;
	__u32 crc;

	if (vmr_crc32c("x", 1, &crc))
		SKIP(return, "the kernel offers no crc32c to programs (AF_ALG)");
	ASSERT_EQ(0, vfc_save(d, &vt_bulk, s));
	ASSERT_EQ(0, vmr_parse(&l, s->buf, s->len));
	SET(VFC_RESUMING);
	ASSERT_EQ(8, vfc_feed(d, &vt_bulk, s->buf, l.rec[0].len));
	vmr_free(&l);
	while (seq < BOUND_RECORDS) {
		n = fill_optional(s->buf, vfc_section(d), &seq);
		ASSERT_LT(0, n);
		ASSERT_EQ(8, vfc_feed(d, &vt_bulk, s->buf, n));
		/* From here on all is there that this test itself needs. */
		if (!fed)
			first = vt_group_bytes();
		fed += n;
		ASSERT_GE(first + BOUND_SLACK, vt_group_bytes());
	}
	/* It would show if each segment had kept pages for what it could have. */
	ASSERT_LT(4 * (n + BOUND_SLACK), fed);
	ASSERT_EQ(0, vfc_reset(d));
	WITHIN(0);
}

TEST_HARNESS_MAIN
