// SPDX-License-Identifier: GPL-2.0-only
/*
 * V1-CAN: giving up at every point of a migration, in every way. Afterwards
 * the device is as if nothing had been tried, and the next migration works.
 *
 * (Removal as a way to cancel is LIFE-02 in life.c.)
 */
#include "vmig_test.h"

FIXTURE(cancel) {
	struct vt t;
};

FIXTURE_VARIANT(cancel) {
	bool mapped;
};

FIXTURE_VARIANT_ADD(cancel, pread) { .mapped = false };
FIXTURE_VARIANT_ADD(cancel, V1_DISC_11_mmap) { .mapped = true };

FIXTURE_SETUP(cancel)
{
	vt_open_two(_metadata, &self->t);
	vt_by_mmap(_metadata, &self->t, variant->mapped);
}

FIXTURE_TEARDOWN(cancel)
{
	vt_close(&self->t);
}

#define UNITS	300	/* more than one segment */
#define VALUE	90000

/* How it is given up. */
enum way {
	BY_RUNNING, BY_STOP_RUNNING, BY_TWICE_RUNNING, BY_RESET, BY_CLOSE,
	BY_CLOSE_MAPPED
};

/* The mapping is the last that holds the device open. */
static void close_before_unmap(struct __test_metadata *_metadata,
			       struct vfc_dev *d)
{
	__u64 size = d->area_size;
	__u8 *map;

	ASSERT_EQ(0, vfc_map(d));
	map = d->map;
	d->map = NULL;
	close(d->fd);
	d->fd = -1;
	map[0] = map[size - 1];
	munmap(map, size);
}

static void give_up(struct __test_metadata *_metadata, struct vt *t,
		    enum way way)
{
	struct vfc_dev *d = &t->a;

	switch (way) {
	case BY_STOP_RUNNING:
		W4(VFC_STATE, VFC_STOP);
		W4(VFC_STATE, VFC_RUNNING);
		break;
	case BY_TWICE_RUNNING:
		W4(VFC_STATE, VFC_RUNNING);
		W4(VFC_STATE, VFC_RUNNING);
		break;
	case BY_RUNNING:
		W4(VFC_STATE, VFC_RUNNING);
		break;
	case BY_RESET:
		ASSERT_EQ(0, vfc_reset(d));
		break;
	case BY_CLOSE:
	case BY_CLOSE_MAPPED:
		if (way == BY_CLOSE_MAPPED && d->area_size)
			close_before_unmap(_metadata, d);
		vfc_close(d);
		ASSERT_EQ(0, vfc_open(d, getenv("VFIO_DEV")));
		vt_by_mmap(_metadata, t, vt_way.mmap);
		break;
	default:
		ASSERT_TRUE(false);
	}
	ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
	ASSERT_EQ(0, R8(VFC_PENDING));
	ASSERT_EQ(0, R8(VFC_SIZE));
}

static void dirty(struct __test_metadata *_metadata, struct vt *t)
{
	if (!t->m)
		return;
	vt_touch(_metadata, &t->a, t->m, UNITS, VALUE);
	ASSERT_EQ(0, t->m->reg_set(&t->a, VALUE));
}

/* The device still has its state, and another migration delivers it. */
static void next_migration(struct __test_metadata *_metadata, struct vt *t)
{
	struct vfc_dev *d = &t->a;

	vfc_stream_free(&t->s);
	SET(VFC_PRECOPY);
	ASSERT_EQ(0, vfc_drain(d, &vt_way, &t->s));
	SET(VFC_SAVING);
	ASSERT_EQ(0, vfc_drain(d, &vt_way, &t->s));
	SET(VFC_RUNNING);
	d = t->two ? &t->b : &t->a;
	vt_restore(_metadata, d, &t->s);
	vt_check_small(_metadata, d, t->m, UNITS, VALUE);
}

/* Are there so few units that a migration costs nothing? */
static bool is_small(const struct vt *t)
{
	return !t->m || vt_units(&t->a, t->m, UNITS) < UNITS;
}

/* A device in SAVING does not tick. Where it stands, and since when. */
static __u64 stands_still(struct __test_metadata *_metadata, struct vt *t,
			  __u64 *since)
{
	__u64 ticks, again;

	ASSERT_EQ(0, t->m->ticks(&t->a, &ticks));
	usleep(1000);
	ASSERT_EQ(0, t->m->ticks(&t->a, &again));
	ASSERT_EQ(ticks, again);
	*since = vfc_now_us();
	return ticks;
}

static void cancel_all(struct __test_metadata *_metadata, struct vt *t,
		       __u32 state, enum way way)
{
	__u64 ticks = 0, after, start;
	struct vfc_dev *d = &t->a;
	enum vt_point point;

	for (point = VT_ENTRY; point < VT_POINTS; point++) {
		ASSERT_EQ(0, vfc_reset(d));
		dirty(_metadata, t);
		start = vfc_now_us();
		if (t->m)
			ASSERT_EQ(0, t->m->ticks(d, &ticks));
		ASSERT_EQ(0, vt_advance(d, state, point))
			TH_LOG("point %d", point);
		/* It goes on from there, and not before it may. */
		if (t->m && state == VFC_SAVING)
			ticks = stands_still(_metadata, t, &start);
		give_up(_metadata, t, way);
		if (way >= BY_RESET) {
			dirty(_metadata, t);	/* it was reset */
		} else if (t->m) {
			vt_check_small(_metadata, d, t->m, 3, VALUE);
			/* It was stopped for a part of that time at most. */
			ASSERT_EQ(0, t->m->ticks(d, &after));
			ASSERT_LE(ticks, after);
			ASSERT_GE(vfc_now_us() - start, after - ticks);
		}
		/* Costly where the state is large: at three of them. */
		if (point == VT_ENTRY || point == VT_SIZE || point == VT_END ||
		    is_small(t))
			next_migration(_metadata, t);
	}
}

TEST_F_TIMEOUT(cancel, V1_CAN_01_V1_CAN_02_V1_CAN_10_precopy_by_running, 60)
{
	cancel_all(_metadata, &self->t, VFC_PRECOPY, BY_RUNNING);
}

TEST_F_TIMEOUT(cancel, V1_CAN_02_precopy_by_stop_running, 60)
{
	cancel_all(_metadata, &self->t, VFC_PRECOPY, BY_STOP_RUNNING);
}

TEST_F_TIMEOUT(cancel, V1_CAN_03_V1_CAN_10_saving_by_running, 60)
{
	cancel_all(_metadata, &self->t, VFC_SAVING, BY_RUNNING);
}

TEST_F_TIMEOUT(cancel, V1_CAN_03_saving_by_stop_running, 60)
{
	cancel_all(_metadata, &self->t, VFC_SAVING, BY_STOP_RUNNING);
}

TEST_F_TIMEOUT(cancel, V1_CAN_04_saving_by_running_twice, 60)
{
	cancel_all(_metadata, &self->t, VFC_SAVING, BY_TWICE_RUNNING);
}

TEST_F_TIMEOUT(cancel, V1_CAN_06_precopy_by_reset, 60)
{
	cancel_all(_metadata, &self->t, VFC_PRECOPY, BY_RESET);
}

TEST_F_TIMEOUT(cancel, V1_CAN_06_saving_by_reset, 60)
{
	cancel_all(_metadata, &self->t, VFC_SAVING, BY_RESET);
}

TEST_F_TIMEOUT(cancel, V1_CAN_07_precopy_by_close, 60)
{
	cancel_all(_metadata, &self->t, VFC_PRECOPY, BY_CLOSE);
}

TEST_F_TIMEOUT(cancel, V1_CAN_07_saving_by_close, 60)
{
	cancel_all(_metadata, &self->t, VFC_SAVING, BY_CLOSE);
}

TEST_F_TIMEOUT(cancel, V1_CAN_07_precopy_by_close_mapped, 60)
{
	cancel_all(_metadata, &self->t, VFC_PRECOPY, BY_CLOSE_MAPPED);
}

TEST_F_TIMEOUT(cancel, V1_CAN_07_saving_by_close_mapped, 60)
{
	cancel_all(_metadata, &self->t, VFC_SAVING, BY_CLOSE_MAPPED);
}

TEST_F(cancel, V1_CAN_04_after_completion)
{
	struct vfc_dev *d = &self->t.a;

	dirty(_metadata, &self->t);
	ASSERT_EQ(0, vt_advance(d, VFC_SAVING, VT_END));
	SET(VFC_STOP);
	SET(VFC_RUNNING);
	SET(VFC_RUNNING);
	vt_check_small(_metadata, d, self->t.m, UNITS, VALUE);
	next_migration(_metadata, &self->t);
}

/* A whole migration of an idle device, after which it runs on. */
static void save_running(struct __test_metadata *_metadata, struct vfc_dev *d,
			 struct vfc_stream *s)
{
	vfc_stream_free(s);
	SET(VFC_PRECOPY);
	ASSERT_EQ(0, vfc_drain(d, &vt_way, s));
	SET(VFC_SAVING);
	ASSERT_EQ(0, vfc_drain(d, &vt_way, s));
	SET(VFC_RUNNING);
}

/*
 * Same records, byte by byte; all but the session's id and, unless the device
 * @stopped, what time changes.
 */
static void same_streams(struct __test_metadata *_metadata,
			 const struct vfc_stream *a, const struct vfc_stream *b,
			 bool stopped)
{
	struct vmr_list l;
	size_t i;

	ASSERT_EQ(a->len, b->len);
	ASSERT_EQ(0, vmr_parse(&l, a->buf, a->len));
	for (i = 0; i < l.n; i++) {
		const struct vmr *r = &l.rec[i];

		if (le16toh(r->head.type) == VMIG_REC_SESSION ||
		    (le16toh(r->head.type) == VMIG_REC_BLOB && !stopped))
			continue;
		ASSERT_EQ(0, memcmp(a->buf + r->off, b->buf + r->off, r->len))
			TH_LOG("record %zu", i);
	}
	vmr_free(&l);
}

TEST_F_TIMEOUT(cancel, V1_CAN_10_same_bytes_after_a_cancel, 60)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream before = {};
	enum vt_point point;
	__u32 state;

	dirty(_metadata, &self->t);
	save_running(_metadata, d, &before);
	for (state = VFC_SAVING; state <= VFC_PRECOPY; state++) {
		for (point = VT_ENTRY; point < VT_POINTS; point++) {
			ASSERT_EQ(0, vt_advance(d, state, point));
			SET(VFC_RUNNING);
			save_running(_metadata, d, &self->t.s);
			same_streams(_metadata, &before, &self->t.s, false);
		}
	}
	vfc_stream_free(&before);
}

/* Nor do the registers change by it, if the device was stopped all the time. */
TEST_F_TIMEOUT(cancel, V1_CAN_10_same_bytes_of_a_stopped_device, 60)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream before = {};
	unsigned int i;

	dirty(_metadata, &self->t);
	SET(VFC_STOP);
	ASSERT_EQ(0, vfc_save(d, &vt_way, &before));
	for (i = 0; i < 4; i++) {
		SET(VFC_STOP);
		SET(VFC_SAVING);
		if (i > 0)
			ASSERT_LT(0, R8(VFC_SIZE));
		if (i > 1)
			ASSERT_LT(0, vfc_save_segment(d, &vt_way, &self->t.s));
		if (i > 2)
			R8(VFC_PENDING);
		SET(VFC_STOP);
		vfc_stream_free(&self->t.s);
		ASSERT_EQ(0, vfc_save(d, &vt_way, &self->t.s));
		same_streams(_metadata, &before, &self->t.s, true);
	}
	vfc_stream_free(&before);
}

struct victim {
	const struct vfc_model *m;
	const char *uuid;
	__u32 state;
	enum vt_point point;
};

static int victim_main(void *arg)
{
	const struct victim *v = arg;
	struct vfc_dev d;
	unsigned int i, n;
	int ret;

	ret = vfc_open(&d, v->uuid);
	if (ret)
		return ret;
	n = v->m ? vt_units(&d, v->m, 20) : 0;
	for (i = 0; i < n && !ret; i++)
		ret = v->m->touch(&d, i, i + 1);
	if (!ret && d.area_size)
		ret = vfc_map(&d);
	return ret ? ret : vt_advance(&d, v->state, v->point);
}

TEST_F_TIMEOUT(cancel, V1_CAN_08_by_kill, 60)
{
	struct victim v = { .m = self->t.m, .uuid = getenv("VFIO_DEV") };
	struct vfc_dev *d = &self->t.a;
	struct vfc_child child;
	__u64 value;

	for (v.state = VFC_SAVING; v.state <= VFC_PRECOPY; v.state++) {
		for (v.point = VT_ENTRY; v.point < VT_POINTS; v.point++) {
			vfc_close(d);
			ASSERT_EQ(0, vfc_child_start(&child, victim_main, &v));
			ASSERT_EQ(0, vfc_child_kill(&child));
			ASSERT_EQ(0, vfc_open(d, v.uuid));
			vt_by_mmap(_metadata, &self->t, variant->mapped);
			ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
			ASSERT_EQ(0, R8(VFC_PENDING));
			if (!vt_has(&self->t, 4))
				continue;
			ASSERT_EQ(0, self->t.m->read_back(d, 3, &value));
			ASSERT_EQ(0, value);
		}
	}
	dirty(_metadata, &self->t);
	next_migration(_metadata, &self->t);
}

struct reader {
	const struct vfc_dev *d;
	bool stop;
	bool bad;
	unsigned int segments;
};

static void *keep_reading(void *arg)
{
	struct reader *r = arg;
	static const size_t n = 1 << 20;
	__u8 *buf = malloc(n);
	__u64 v;
	ssize_t ret;

	while (buf && !__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		r->bad |= vfc_r8(r->d, VFC_PENDING, &v) != 8;
		r->bad |= vfc_r8(r->d, VFC_OFFSET, &v) != 8;
		r->bad |= vfc_r8(r->d, VFC_SIZE, &v) != 8;
		ret = vfc_rd(r->d, 0, buf, n);
		r->bad |= ret <= 0 && ret != -EINVAL;
		r->segments += ret > 0;
	}
	free(buf);
	return NULL;
}

TEST_F_TIMEOUT(cancel, V1_CAN_05_beside_a_reader, 60)
{
	struct vfc_dev *d = &self->t.a;
	struct reader r = { .d = d };
	unsigned int i, slow = 0;
	__u64 start, worst = 0;
	int ret;
	pthread_t thread;

	dirty(_metadata, &self->t);
	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_reading, &r));
	for (i = 0; i < 60 || (!r.segments && i < 400); i++) {
		SET(i % 2 ? VFC_SAVING : VFC_PRECOPY);
		/* The longer, the longer the reader has got nothing. */
		vfc_sleep_ms(i % 7 + (r.segments ? 0 : i / 4));
		start = vfc_now_us();
		ret = i % 5 ? vfc_w4(d, VFC_STATE, VFC_RUNNING) : vfc_reset(d);
		start = vfc_now_us() - start;
		if (start > worst)
			worst = start;
		ASSERT_EQ(i % 5 ? 4 : 0, ret);
		slow += start > 100000;
		if (i % 5 == 0)
			dirty(_metadata, &self->t);
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_FALSE(r.bad);
	ASSERT_LT(0, r.segments);
	/* 100 ms, but for what the machine and its host take from us. */
	ASSERT_GE(i / 2, slow) TH_LOG("of %u, worst %llu us", i, worst);
	next_migration(_metadata, &self->t);
}

/* --- The resuming side ------------------------------------------------ */

TEST_F(cancel, V1_CAN_11_resuming_by_reset)
{
	struct vfc_dev *d = self->t.two ? &self->t.b : &self->t.a;
	struct vfc_stream *s = &self->t.s;
	size_t len[5], i;
	__u64 value;
	__u32 reg;

	vt_small_stream(_metadata, d, self->t.m, 5, 33, s);
	len[0] = 0;
	len[1] = 1;
	len[2] = s->len / 2;
	len[3] = s->len - 1;
	len[4] = s->len;
	for (i = 0; i < ARRAY_SIZE(len); i++) {
		SET(VFC_RESUMING);
		ASSERT_EQ(0, vfc_feed_all(d, &vt_way, s->buf, len[i], 0));
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
		if (self->t.m) {
			ASSERT_EQ(0, self->t.m->reg_get(d, &reg));
			ASSERT_EQ(0, reg);
		}
		if (vt_has(&self->t, 2)) {
			ASSERT_EQ(0, self->t.m->read_back(d, 1, &value));
			ASSERT_EQ(0, value);
		}
		vt_restore(_metadata, d, s);
		vt_check_small(_metadata, d, self->t.m, 5, 33);
	}
}

TEST_F(cancel, V1_CAN_12_resuming_by_running)
{
	struct vfc_dev *d = self->t.two ? &self->t.b : &self->t.a;
	struct vfc_stream *s = &self->t.s;
	size_t at = 0, n;

	vt_small_stream(_metadata, d, self->t.m, 5, 34, s);
	SET(VFC_RESUMING);
	while (at < s->len) {
		ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
		ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
		ASSERT_EQ(-EINVAL, vfc_set(d, VFC_STOP));
		ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
		n = s->len - at < 1000 ? s->len - at : 1000;
		ASSERT_EQ(8, vfc_feed(d, &vt_way, s->buf + at, n));
		at += n;
	}
	SET(VFC_RUNNING);
	vt_check_small(_metadata, d, self->t.m, 5, 34);
}

TEST_HARNESS_MAIN
