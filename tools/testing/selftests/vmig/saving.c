// SPDX-License-Identifier: GPL-2.0-only
/*
 * V1-SAV: what a staged segment promises, and that the segments make a stream
 * which a second device accepts, whatever way the bytes are moved.
 */
#include "vmig_test.h"

/* Each way to move the bytes. */
FIXTURE(saving) {
	struct vt t;
};

FIXTURE_VARIANT(saving) {
	struct vfc_io io;
};

FIXTURE_VARIANT_ADD(saving, pread) { .io = { false, 0 } };
FIXTURE_VARIANT_ADD(saving, pread8) { .io = { false, 8 } };
FIXTURE_VARIANT_ADD(saving, mmap) { .io = { true, 0 } };

FIXTURE_SETUP(saving)
{
	vt_open_two(_metadata, &self->t);
	if (!variant->io.mmap || !self->t.a.area_size)
		return;
	ASSERT_EQ(0, vfc_map(&self->t.a));
	if (self->t.two)
		ASSERT_EQ(0, vfc_map(&self->t.b));
}

FIXTURE_TEARDOWN(saving)
{
	vt_close(&self->t);
}

/* Source and destination must differ by nothing that can be seen. */
static void check_restored(struct __test_metadata *_metadata, struct vt *t,
			   const struct vfc_stream *s, unsigned int n,
			   __u64 value)
{
	const struct vfc_dev *d = t->two ? &t->b : &t->a;

	vt_restore(_metadata, d, s);
	vt_check_small(_metadata, d, t->m, n, value);
}

static void prepare(struct __test_metadata *_metadata, struct vt *t,
		    unsigned int n, __u64 value)
{
	if (!t->m)
		return;
	vt_touch(_metadata, &t->a, t->m, n, value);
	ASSERT_EQ(0, t->m->reg_set(&t->a, (__u32)value));
}

/* Unit count that needs @n full sections and something. */
static unsigned int units_for(const struct vt *t, unsigned int n)
{
	return n * vfc_section(&t->a) / VFC_UNIT + 7;
}

/* 64 MiB, or all that there is. */
#define DRAIN_UNITS	((64 << 20) / VFC_UNIT)

TEST_F_TIMEOUT(saving, V1_SAV_05_V1_SAV_06_V1_SAV_07_drain, 240)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	unsigned int n = variant->io.step ? 20 : DRAIN_UNITS;
	__u64 first, pending, left;
	ssize_t size;

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	prepare(_metadata, &self->t, n, 300);
	SET(VFC_SAVING);
	first = R8(VFC_PENDING);
	for (pending = first; pending; pending = left) {
		size = vfc_save_segment(d, &variant->io, s);
		ASSERT_LT(0, size);
		ASSERT_GE(vfc_section(d), (__u64)size);
		ASSERT_GE(pending, (__u64)size);
		left = R8(VFC_PENDING);
		ASSERT_EQ(pending - size, left);
	}
	ASSERT_EQ(first, s->len);
	if (self->t.m && !variant->io.step)
		ASSERT_LE(vt_segments(d, self->t.m, n), s->nseg);
	SET(VFC_STOP);
	check_restored(_metadata, &self->t, s, n, 300);
}

TEST_F(saving, V1_SAV_01_V1_YZ_R3_pending_is_pure)
{
	struct vfc_dev *d = &self->t.a;
	__u64 pending;
	unsigned int i;
	__u32 state;

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	for (state = VFC_SAVING; state <= VFC_PRECOPY; state++) {
		ASSERT_EQ(0, vfc_reset(d));
		prepare(_metadata, &self->t, 10, 4);
		SET(state);
		pending = R8(VFC_PENDING);
		ASSERT_LT(0, pending);
		for (i = 0; i < 1000; i++)
			ASSERT_EQ(pending, R8(VFC_PENDING));
		/* neither does staging without the size count as collected */
		R8(VFC_OFFSET);
		for (i = 0; i < 100; i++)
			ASSERT_EQ(pending, R8(VFC_PENDING));
		vfc_stream_free(&self->t.s);
		ASSERT_EQ(0, vfc_drain(d, &variant->io, &self->t.s));
		SET(VFC_SAVING);
		ASSERT_EQ(0, vfc_drain(d, &variant->io, &self->t.s));
		check_restored(_metadata, &self->t, &self->t.s, 10, 4);
	}
}

TEST_F(saving, V1_SAV_01_V1_SAV_07_pending_while_dirtying)
{
	struct vfc_dev *d = &self->t.a;
	const struct vfc_model *m = self->t.m;
	struct vfc_dev *to = self->t.two ? &self->t.b : d;
	__u64 seq, pending, size;
	unsigned int i;
	bool staged;
	__u8 byte;

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	if (!vt_works(self->t.m))
		SKIP(return, VT_NO_WORK);
	ASSERT_EQ(0, m->start_noise(d, 16, 1000));
	SET(VFC_PRECOPY);
	for (i = 0; i < 1000; i++)
		R8(VFC_PENDING);
	ASSERT_LT(0, vfc_save_segment(d, &variant->io, &self->t.s));
	/* It is never less than what is staged. */
	for (i = 0; i < 50; i++) {
		R8(VFC_PENDING);	/* acknowledges the one before */
		R8(VFC_OFFSET);
		/* Nothing may have been there just then, and now there is. */
		staged = vfc_rd(d, 0, &byte, 1) == 1;
		pending = R8(VFC_PENDING);
		size = R8(VFC_SIZE);
		if (staged)
			ASSERT_LE(size, pending);
		if (size)
			ASSERT_LT(0, vfc_save_segment(d, &variant->io,
						      &self->t.s));
	}
	SET(VFC_SAVING);
	ASSERT_EQ(0, m->noise_seq(d, &seq));
	ASSERT_EQ(0, vfc_drain(d, &variant->io, &self->t.s));
	ASSERT_EQ(0, vfc_reset(to));
	ASSERT_EQ(0, vfc_load(to, &variant->io, &self->t.s));
	ASSERT_EQ(4, vfc_set(to, VFC_STOP));
	ASSERT_EQ(0, m->check_noise(to, 16, seq));
}

TEST_F(saving, V1_SAV_02_V1_YZ_R4_zero_is_not_sticky)
{
	struct vfc_dev *d = &self->t.a;
	__u8 buf[8];

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	prepare(_metadata, &self->t, 3, 70);
	SET(VFC_PRECOPY);
	ASSERT_EQ(0, vfc_drain(d, &variant->io, &self->t.s));
	ASSERT_EQ(0, R8(VFC_PENDING));
	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	ASSERT_EQ(0, R8(VFC_SIZE));
	ASSERT_EQ(0, R8(VFC_PENDING));
	ASSERT_EQ(-EINVAL, vfc_rd(d, 0, buf, 8));
	if (!vt_has(&self->t, 3))
		SKIP(return, VT_NO_ROOM);
	ASSERT_EQ(0, self->t.m->touch(d, 1, 71));
	ASSERT_LT(0, R8(VFC_PENDING));
	ASSERT_EQ(0, self->t.m->touch(d, 2, 72));
	ASSERT_EQ(0, vfc_drain(d, &variant->io, &self->t.s));
	SET(VFC_SAVING);
	ASSERT_EQ(0, vfc_drain(d, &variant->io, &self->t.s));
	check_restored(_metadata, &self->t, &self->t.s, 3, 70);
}

TEST_F(saving, V1_SAV_04_V1_YZ_R1_staged_is_constant)
{
	struct vfc_dev *d = &self->t.a;
	__u8 *first, *again;
	unsigned int i, seed = 4;
	__u32 state;
	__u64 size;

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	for (state = VFC_SAVING; state <= VFC_PRECOPY; state++) {
		ASSERT_EQ(0, vfc_reset(d));
		prepare(_metadata, &self->t, 20, 5);
		if (vt_works(self->t.m) && state == VFC_PRECOPY)
			ASSERT_EQ(0, self->t.m->start_noise(d, 20, 2000));
		SET(state);
		size = R8(VFC_SIZE);
		ASSERT_LT(0, size);
		first = malloc(size);
		again = malloc(size);
		ASSERT_TRUE(first && again);
		ASSERT_EQ(0, vfc_collect(d, &variant->io, 0, first, size));
		for (i = 0; i < 100; i++) {
			bool one = rand_r(&seed) & 256;

			ASSERT_EQ(one ? size : d->data_off,
				  R8(one ? VFC_SIZE : VFC_OFFSET));
		}
		/* nor a window on live memory */
		if (vt_has(&self->t, 4) && state == VFC_PRECOPY)
			ASSERT_EQ(0, self->t.m->touch(d, 3, 99));
		ASSERT_EQ(0, vfc_collect(d, &variant->io, 0, again, size));
		ASSERT_EQ(0, memcmp(first, again, size));
		free(first);
		free(again);
	}
}

TEST_F(saving, V1_SAV_08_zero_is_final)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i;

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	prepare(_metadata, &self->t, 3, 1);
	ASSERT_EQ(0, vfc_save(d, &variant->io, &self->t.s));
	/*
	 * Nothing but accesses could change a device that is stopped, so that
	 * some of them say more than a longer time.
	 */
	for (i = 0; i < 100; i++) {
		if (self->t.m) {
			/* plain registers can still be written */
			ASSERT_EQ(0, self->t.m->reg_set(d, i));
			self->t.m->trigger(d);
		}
		if (vt_has(&self->t, 3))
			self->t.m->touch(d, i % 3, 1000 + i);
		vfc_sleep_ms(10);
		ASSERT_EQ(0, R8(VFC_PENDING));
		ASSERT_EQ(0, R8(VFC_SIZE));
		ASSERT_EQ(VFC_SAVING, R4(VFC_STATE));
	}
	/* What was collected is the state at the entry. */
	check_restored(_metadata, &self->t, &self->t.s, 3, 1);
}

TEST_F(saving, V1_SAV_09_V1_SAV_10_end_record)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	struct vmr_list l;
	size_t before;

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	prepare(_metadata, &self->t, 8, 800);
	SET(VFC_PRECOPY);
	ASSERT_EQ(0, vfc_drain(d, &variant->io, s));	/* gets to 0 */
	before = s->len;
	SET(VFC_SAVING);
	ASSERT_LE(1, R8(VFC_PENDING));
	ASSERT_EQ(0, vfc_drain(d, &variant->io, s));
	ASSERT_LT(before, s->len);
	ASSERT_EQ(0, vmr_parse(&l, s->buf, s->len));
	ASSERT_EQ(VMIG_REC_SESSION, l.rec[0].head.type);
	ASSERT_EQ(VMIG_REC_END, l.rec[l.n - 1].head.type);
	ASSERT_EQ(1, vmr_count(&l, VMIG_REC_END));
	vmr_free(&l);
	check_restored(_metadata, &self->t, s, 8, 800);
}

TEST_F(saving, V1_SAV_14_nothing_behind_the_segment)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int n = units_for(&self->t, 1);
	__u64 size, i, largest = 0;
	const __u8 *p;
	ssize_t got;

	if (!d->area_size)
		SKIP(return, VT_NO_MMAP);
	ASSERT_EQ(0, vfc_map(d));
	if (!vt_has(&self->t, 256))
		SKIP(return, VT_NO_ROOM);
	prepare(_metadata, &self->t, n, 1234);
	SET(VFC_SAVING);
	for (got = 1; R8(VFC_PENDING); ) {
		size = R8(VFC_SIZE);
		p = vfc_data(d);
		for (i = size; i < vfc_section(d); i++)
			if (p[i])
				break;
		ASSERT_EQ(vfc_section(d), i);
		got = vfc_save_segment(d, &variant->io, &self->t.s);
		ASSERT_LT(0, got);
		largest = size > largest ? size : largest;
	}
	ASSERT_GT(largest, (__u64)got);	/* a smaller last one */
}

TEST_F(saving, V1_SAV_19_new_session_from_nothing)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	struct vmr_list l;
	__u8 buf[100];

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	prepare(_metadata, &self->t, 30, 60);
	SET(VFC_PRECOPY);
	ASSERT_LE(sizeof(buf), R8(VFC_SIZE));
	ASSERT_EQ(0, vfc_collect(d, &variant->io, 0, buf, sizeof(buf)));
	SET(VFC_RUNNING);
	SET(VFC_PRECOPY);
	ASSERT_EQ(0, vfc_drain(d, &variant->io, s));
	SET(VFC_SAVING);
	ASSERT_EQ(0, vfc_drain(d, &variant->io, s));
	ASSERT_EQ(0, vmr_parse(&l, s->buf, s->len));
	ASSERT_EQ(VMIG_REC_SESSION, l.rec[0].head.type);
	ASSERT_EQ(0, l.rec[0].head.seq);
	/* Another session: its id differs. */
	ASSERT_NE(0, memcmp(buf, s->buf, sizeof(buf)));
	vmr_free(&l);
	check_restored(_metadata, &self->t, s, 30, 60);
}

FIXTURE(saving_more) {
	struct vt t;
};

FIXTURE_SETUP(saving_more)
{
	vt_open_two(_metadata, &self->t);
}

FIXTURE_TEARDOWN(saving_more)
{
	vt_close(&self->t);
}

struct peek {
	const struct vfc_dev *d;
	__u8 *buf;
};

static void *peek_thread(void *arg)
{
	struct peek *p = arg;

	memcpy(p->buf, vfc_data(p->d), vfc_section(p->d));
	return NULL;
}

/* One segment, by the eyes of another thread too; its size. */
static void same_bytes(struct __test_metadata *_metadata,
		       const struct vfc_dev *d, __u8 *copy, __u8 *mapped)
{
	struct peek p = { d, mapped };
	pthread_t thread;
	__u64 size;

	R8(VFC_OFFSET);		/* from here on the data are there */
	ASSERT_EQ(0, pthread_create(&thread, NULL, peek_thread, &p));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	size = R8(VFC_SIZE);
	RD(0, copy, size);
	ASSERT_EQ(0, memcmp(copy, mapped, size));
	ASSERT_EQ(0, memcmp(copy, vfc_data(d), size));
}

TEST_F(saving_more, V1_SAV_03_V1_SAV_15_V1_DISC_11_same_bytes)
{
	struct vfc_dev *d = &self->t.a;
	__u8 *copy, *mapped;
	unsigned int i;

	if (!d->area_size)
		SKIP(return, VT_NO_MMAP);
	ASSERT_EQ(0, vfc_map(d));
	prepare(_metadata, &self->t, units_for(&self->t, 1), 31);
	copy = malloc(vfc_section(d));
	mapped = malloc(vfc_section(d));
	ASSERT_TRUE(copy && mapped);
	if (vt_works(self->t.m))
		ASSERT_EQ(0, self->t.m->start_noise(d, 20, 2000));
	SET(VFC_PRECOPY);
	for (i = 0; i < 50; i++)
		if (R8(VFC_PENDING))
			same_bytes(_metadata, d, copy, mapped);
	SET(VFC_RUNNING);
	SET(VFC_SAVING);
	while (R8(VFC_PENDING))
		same_bytes(_metadata, d, copy, mapped);
	free(copy);
	free(mapped);
}

TEST_F(saving_more, V1_SAV_11_any_width)
{
	static const size_t widths[] = { 1, 2, 3, 4, 5, 8, 16, 4096 };
	struct vfc_dev *d = &self->t.a;
	__u8 *whole, *got;
	__u64 size, off;
	unsigned int i;
	size_t n;

	prepare(_metadata, &self->t, 2, 8);
	SET(VFC_SAVING);
	size = R8(VFC_SIZE);
	whole = malloc(size);
	got = malloc(size);
	ASSERT_TRUE(whole && got);
	RD(0, whole, size);
	for (i = 0; i < ARRAY_SIZE(widths); i++) {
		memset(got, 0xee, size);
		for (off = 0; off < size; off += n) {
			n = size - off < widths[i] ? size - off : widths[i];
			RD(off, got + off, n);
		}
		ASSERT_EQ(0, memcmp(whole, got, size));
	}
	/* backwards, overlapping */
	for (off = size; off-- > 0; ) {
		n = size - off < 3 ? size - off : 3;
		RD(off, got, n);
		ASSERT_EQ(0, memcmp(whole + off, got, n));
	}
	ASSERT_EQ(size, R8(VFC_SIZE));
	free(whole);
	free(got);
}

TEST_F(saving_more, V1_SAV_12_segment_end)
{
	struct vfc_dev *d = &self->t.a;
	__u64 size;
	__u8 *buf;

	buf = malloc(vfc_section(d) + 8);
	ASSERT_NE(NULL, buf);
	ASSERT_EQ(-EINVAL, vfc_rd(d, 0, buf, 8));
	prepare(_metadata, &self->t, 2, 8);
	SET(VFC_SAVING);
	ASSERT_EQ(-EINVAL, vfc_rd(d, 0, buf, 8));
	size = R8(VFC_SIZE);
	ASSERT_EQ((ssize_t)size, vfc_rd(d, 0, buf, size + 1));
	ASSERT_EQ((ssize_t)size, vfc_rd(d, 0, buf, vfc_section(d)));
	ASSERT_EQ(3, vfc_rd(d, size - 3, buf, 8));
	if (size < vfc_section(d)) {
		ASSERT_EQ(-EINVAL, vfc_rd(d, size, buf, 1));
		ASSERT_EQ(-EINVAL, vfc_rd(d, vfc_section(d) - 1, buf, 1));
	}
	R8(VFC_PENDING);
	ASSERT_EQ(-EINVAL, vfc_rd(d, 0, buf, 8));
	SET(VFC_STOP);
	ASSERT_EQ(-EINVAL, vfc_rd(d, 0, buf, 8));
	free(buf);
}

TEST_F(saving_more, V1_SAV_13_stores_change_nothing)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	__u8 junk[64];

	memset(junk, 0xff, sizeof(junk));
	prepare(_metadata, &self->t, units_for(&self->t, 1), 17);
	if (d->area_size)
		ASSERT_EQ(0, vfc_map(d));
	SET(VFC_PRECOPY);
	while (R8(VFC_PENDING)) {
		ASSERT_LT(0, vfc_save_segment(d, &vt_bulk, s));
		ASSERT_EQ(-EINVAL, vfc_wd(d, 0, junk, sizeof(junk)));
		if (d->map)
			memset(vfc_data(d), 0xff, vfc_section(d));
	}
	SET(VFC_SAVING);
	while (R8(VFC_PENDING)) {
		ASSERT_LT(0, vfc_save_segment(d, &vt_bulk, s));
		ASSERT_EQ(-EINVAL, vfc_wd(d, 0, junk, sizeof(junk)));
		if (d->map)
			memset(vfc_data(d), 0xff, vfc_section(d));
	}
	check_restored(_metadata, &self->t, s, units_for(&self->t, 1), 17);
}

/* A segment in doubt is made again from the state, not from the section. */
TEST_F(saving_more, V1_SAV_13_stores_into_a_segment_in_doubt)
{
	struct vfc_dev *d = &self->t.a;

	if (!d->area_size)
		SKIP(return, VT_NO_MMAP);
	ASSERT_EQ(0, vfc_map(d));
	prepare(_metadata, &self->t, 40, 18);
	SET(VFC_PRECOPY);
	ASSERT_LT(0, R8(VFC_PENDING));
	ASSERT_LT(0, R8(VFC_SIZE));
	memset(vfc_data(d), 0xff, vfc_section(d));
	SET(VFC_SAVING);
	/* Its first read acknowledges what was never delivered. */
	ASSERT_EQ(0, vfc_drain(d, &vt_bulk, &self->t.s));
	check_restored(_metadata, &self->t, &self->t.s, 40, 18);
}

static void *drain_thread(void *arg)
{
	const struct vfc_dev *d = arg;
	__u64 end = vfc_now_us() + 20000000;
	struct vfc_stream s = {};
	int ret;

	/* Another thread may take the segment away between two reads. */
	do {
		ret = vfc_drain(d, &vt_bulk, &s);
	} while ((ret == -ENODATA || ret == -EINVAL || ret == -EIO) &&
		 vfc_now_us() < end);
	vfc_stream_free(&s);
	return (void *)(long)ret;
}

TEST_F_TIMEOUT(saving_more, V1_SAV_18_many_collectors, 120)
{
	struct vfc_dev *d = &self->t.a;
	pthread_t thread[4];
	unsigned int i, k;
	void *ret;

	prepare(_metadata, &self->t, units_for(&self->t, 2), 88);
	for (k = 0; k < 5; k++) {
		SET(VFC_PRECOPY);
		SET(VFC_SAVING);
		for (i = 0; i < ARRAY_SIZE(thread); i++)
			ASSERT_EQ(0, pthread_create(&thread[i], NULL,
						    drain_thread, d));
		for (i = 0; i < ARRAY_SIZE(thread); i++) {
			ASSERT_EQ(0, pthread_join(thread[i], &ret));
			ASSERT_EQ(NULL, ret);
		}
		ASSERT_EQ(0, R8(VFC_PENDING));
		SET(VFC_RUNNING);
	}
	ASSERT_EQ(0, vfc_save(d, &vt_bulk, &self->t.s));
	check_restored(_metadata, &self->t, &self->t.s,
		       units_for(&self->t, 2), 88);
}

/* The same stopped state twice: nothing but the session's name may differ. */
TEST_F(saving_more, STR_09_nothing_undefined_in_the_stream)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	struct vfc_stream again = {};
	struct vmig_rec_session *p;
	struct vmig_rec *rec;
	unsigned int i;

	prepare(_metadata, &self->t, 5, 12);
	SET(VFC_STOP);
	ASSERT_EQ(0, vfc_save(d, &vt_bulk, s));
	SET(VFC_STOP);
	ASSERT_EQ(0, vfc_save(d, &vt_bulk, &again));
	ASSERT_EQ(s->len, again.len);
	for (i = 0; i < 2; i++) {
		rec = (void *)(i ? again.buf : s->buf);
		ASSERT_EQ(VMIG_REC_SESSION, rec->type);
		p = (void *)(rec + 1);
		memset(p->id, 0, sizeof(p->id));
		rec->crc = 0;
	}
	ASSERT_EQ(0, memcmp(s->buf, again.buf, s->len));
	vfc_stream_free(&again);
}

TEST_HARNESS_MAIN
