// SPDX-License-Identifier: GPL-2.0-only
/*
 * V1-RES: loading a stream. The bytes are one stream however they are cut;
 * nothing shows before all of it is there and valid; refused is refused.
 */
#include "vmig_test.h"

#define UNITS	3
#define VALUE	555

/*
 * The stream comes from the first device and goes to the second (or the first
 * again). Variants: how its bytes are put into the section.
 */
FIXTURE(resume) {
	struct vt t;
	struct vfc_dev *d;
};

FIXTURE_VARIANT(resume) {
	struct vfc_io io;
};

FIXTURE_VARIANT_ADD(resume, pwrite) { .io = { false, 0 } };
FIXTURE_VARIANT_ADD(resume, pwrite8) { .io = { false, 8 } };
FIXTURE_VARIANT_ADD(resume, mmap) { .io = { true, 0 } };

FIXTURE_SETUP(resume)
{
	struct vt *t = &self->t;

	vt_open_two(_metadata, t);
	vt_small_stream(_metadata, &t->a, t->m, UNITS, VALUE, &t->s);
	self->d = t->two ? &t->b : &t->a;
	if (variant->io.mmap && self->d->area_size)
		ASSERT_EQ(0, vfc_map(self->d));
}

FIXTURE_TEARDOWN(resume)
{
	vt_close(&self->t);
}

static void check(struct __test_metadata *_metadata, struct vt *t,
		  const struct vfc_dev *d)
{
	SET(VFC_RUNNING);
	vt_check_small(_metadata, d, t->m, UNITS, VALUE);
}

/* Another UUID, another group, another parent: that does not matter. */
TEST_F(resume, V1_RES_01_STR_11_as_saved)
{
	struct vfc_dev *d = self->d;

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	ASSERT_EQ(0, vfc_load(d, &variant->io, &self->t.s));
	ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
	check(_metadata, &self->t, d);
	vt_migrates(_metadata, d);
}

TEST_F(resume, V1_RES_02_buffer_is_free_again)
{
	struct vfc_dev *d = self->d;
	struct vfc_stream *s = &self->t.s;
	__u8 junk[4096];
	size_t at, n;

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	memset(junk, 0xff, sizeof(junk));
	SET(VFC_RESUMING);
	for (at = 0; at < s->len; at += n) {
		n = s->len - at < 5000 ? s->len - at : 5000;
		ASSERT_EQ(8, vfc_feed(d, &variant->io, s->buf + at, n));
		ASSERT_EQ(0, vfc_provide(d, &variant->io, 0, junk,
					 sizeof(junk)));
	}
	check(_metadata, &self->t, d);
}

TEST_F(resume, V1_RES_04_splits)
{
	static const size_t sizes[] = { 7, 24, 64, 4095, 4096, 4097 };
	struct vfc_dev *d = self->d;
	struct vfc_stream *s = &self->t.s;
	unsigned int i, seed = 9;
	size_t at, n;

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		SET(VFC_RESUMING);
		ASSERT_EQ(0, vfc_feed_all(d, &variant->io, s->buf, s->len,
					  sizes[i]));
		check(_metadata, &self->t, d);
	}
	for (i = 0; i < 5; i++) {
		SET(VFC_RESUMING);
		for (at = 0; at < s->len; at += n) {
			n = 1 + rand_r(&seed) % 3000;
			if (n > s->len - at)
				n = s->len - at;
			ASSERT_EQ(8, vfc_feed(d, &variant->io, s->buf + at, n));
		}
		check(_metadata, &self->t, d);
	}
}

/* Each record in two pieces, cut at many places of it. */
TEST_F(resume, V1_RES_04_records_split)
{
	struct vfc_dev *d = self->d;
	struct vfc_stream *s = &self->t.s;
	struct vmr_list l;
	size_t i, cut;

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	ASSERT_EQ(0, vmr_parse(&l, s->buf, s->len));
	for (cut = 1; cut < 400; cut += cut < 48 ? 1 : 37) {
		SET(VFC_RESUMING);
		for (i = 0; i < l.n; i++) {
			size_t n = cut < l.rec[i].len ? cut : l.rec[i].len;

			ASSERT_EQ(8, vfc_feed(d, &variant->io,
					      s->buf + l.rec[i].off, n));
			ASSERT_EQ(8, vfc_feed(d, &variant->io,
					      s->buf + l.rec[i].off + n,
					      l.rec[i].len - n));
		}
		check(_metadata, &self->t, d);
	}
	vmr_free(&l);
}

/* In two pieces, at every place. By 8 bytes each takes long: at some places. */
TEST_F_TIMEOUT(resume, V1_RES_04_every_split_or_a_stride, 120)
{
	struct vfc_dev *d = self->d;
	struct vfc_stream *s = &self->t.s;
	size_t cut, step = vt_stride(s, 300) * (variant->io.step ? 61 : 1);

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	for (cut = 1; cut < s->len; cut += step) {
		SET(VFC_RESUMING);
		ASSERT_EQ(8, vfc_feed(d, &variant->io, s->buf, cut));
		ASSERT_EQ(8, vfc_feed(d, &variant->io, s->buf + cut,
				      s->len - cut));
		check(_metadata, &self->t, d);
	}
}

TEST_F(resume, V1_RES_05_merged)
{
	struct vfc_dev *d = self->d;
	struct vfc_stream s = {};

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	if (self->t.m)
		vt_touch(_metadata, &self->t.a, self->t.m, 600, VALUE);
	if (self->t.m)
		ASSERT_EQ(0, self->t.m->reg_set(&self->t.a, VALUE));
	ASSERT_EQ(0, vfc_save(&self->t.a, &vt_bulk, &s));
	ASSERT_EQ(0, vfc_reset(d));
	SET(VFC_RESUMING);
	ASSERT_EQ(0, vfc_feed_all(d, &variant->io, s.buf, s.len, 0));
	SET(VFC_RUNNING);
	vt_check_small(_metadata, d, self->t.m, self->t.m ? 600 : 0, VALUE);
	vfc_stream_free(&s);
}

TEST_F(resume, V1_RES_08_missing_bytes_are_zero)
{
	struct vfc_dev *d = self->d;
	struct vfc_stream *s = &self->t.s;

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	SET(VFC_RESUMING);
	/* The whole stream once, so that old bytes would be the right ones. */
	ASSERT_EQ(0, vfc_provide(d, &variant->io, 0, s->buf, s->len));
	W8(VFC_SIZE, s->len);
	ASSERT_EQ(0, vfc_provide(d, &variant->io, 0, s->buf, s->len - 8));
	/* A second session whose END is cut: zeros instead, so refused. */
	ASSERT_EQ(-EINVAL, vfc_w8(d, VFC_SIZE, s->len));
	ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
	ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
}

TEST_F(resume, V1_RES_21_section_reads_back)
{
	struct vfc_dev *d = self->d;
	struct vfc_stream *s = &self->t.s;
	__u8 buf[256], zero[256] = {};
	size_t first = 480;	/* less than any stream has */

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	ASSERT_LT(first, s->len);
	SET(VFC_RESUMING);
	RD(0, buf, sizeof(buf));
	ASSERT_EQ(0, memcmp(buf, zero, sizeof(buf)));
	ASSERT_EQ(0, vfc_provide(d, &variant->io, 0, s->buf, first));
	RD(100, buf, sizeof(buf));
	ASSERT_EQ(0, memcmp(buf, s->buf + 100, sizeof(buf)));
	W8(VFC_SIZE, first);
	RD(0, buf, sizeof(buf));
	ASSERT_EQ(0, memcmp(buf, zero, sizeof(buf)));
	RD(first - 256, buf, sizeof(buf));
	ASSERT_EQ(0, memcmp(buf, zero, sizeof(buf)));
	ASSERT_EQ(0, vfc_feed_all(d, &variant->io, s->buf + first,
				  s->len - first, 0));
	check(_metadata, &self->t, d);
}

TEST_F(resume, V1_RES_21_V1_ST_87_reset_clears_the_section)
{
	struct vfc_dev *d = self->d;
	__u8 buf[4096], zero[4096] = {};

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	memset(buf, 0x77, sizeof(buf));
	SET(VFC_RESUMING);
	ASSERT_EQ(0, vfc_provide(d, &variant->io, 8192, buf, sizeof(buf)));
	ASSERT_EQ(0, vfc_reset(d));
	if (d->map)
		ASSERT_EQ(0, memcmp(vfc_data(d) + 8192, zero, sizeof(zero)));
	SET(VFC_RESUMING);
	RD(8192, buf, sizeof(buf));
	ASSERT_EQ(0, memcmp(buf, zero, sizeof(zero)));
}

TEST_F(resume, V1_RES_20_offset_is_pure)
{
	struct vfc_dev *d = self->d;
	struct vfc_stream *s = &self->t.s;
	size_t at, n;
	int i;

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	SET(VFC_RESUMING);
	for (at = 0; at < s->len; at += n) {
		n = s->len - at < 3000 ? s->len - at : 3000;
		ASSERT_EQ(0, vfc_provide(d, &variant->io, 0, s->buf + at, n));
		for (i = 0; i < 100; i++)
			ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
		ASSERT_EQ(0, R8(VFC_PENDING));
		ASSERT_EQ(0, R8(VFC_SIZE));
		W8(VFC_SIZE, n);
	}
	check(_metadata, &self->t, d);
}

/* --- The paths do not matter below ------------------------------------ */

FIXTURE(resume_more) {
	struct vt t;
	struct vfc_dev *d;
};

FIXTURE_SETUP(resume_more)
{
	struct vt *t = &self->t;

	vt_open_two(_metadata, t);
	vt_small_stream(_metadata, &t->a, t->m, UNITS, VALUE, &t->s);
	self->d = t->two ? &t->b : &t->a;
}

FIXTURE_TEARDOWN(resume_more)
{
	vt_close(&self->t);
}

struct flipper {
	__u8 *p;
	size_t n;
	bool stop;
};

static void *flip(void *arg)
{
	struct flipper *f = arg;
	unsigned int seed = 2;
	size_t i;

	while (!__atomic_load_n(&f->stop, __ATOMIC_ACQUIRE)) {
		i = rand_r(&seed) % f->n;
		__atomic_fetch_xor(&f->p[i], 0x10, __ATOMIC_RELAXED);
		__atomic_fetch_xor(&f->p[i], 0x10, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Puts bytes of another valid stream there, and the right ones again. */
struct mixer {
	__u8 *p;
	const __u8 *good, *other;
	size_t n;
	bool stop;
};

static void *mix(void *arg)
{
	struct mixer *m = arg;
	unsigned int seed = 8;
	size_t at, n;

	while (!__atomic_load_n(&m->stop, __ATOMIC_ACQUIRE)) {
		at = rand_r(&seed) % m->n;
		n = rand_r(&seed) % (m->n - at) + 1;
		memcpy(m->p + at, m->other + at, n);
		usleep(20);
		memcpy(m->p + at, m->good + at, n);
		usleep(200);
	}
	return NULL;
}

/* Is memory all of the one stream or all of the other? No chunk is mixed. */
static void one_of_two(struct __test_metadata *_metadata, struct vt *t,
		       const struct vfc_dev *d, __u64 other)
{
	__u64 first = VALUE;
	__u32 scratch;

	ASSERT_EQ(0, t->m->reg_get(d, &scratch));
	ASSERT_TRUE(scratch == VALUE || scratch == other);
	if (!vt_units(d, t->m, 1))
		return;
	ASSERT_EQ(0, t->m->read_back(d, 0, &first));
	ASSERT_TRUE(first == VALUE || first == other);
	vt_check_touched(_metadata, d, t->m, UNITS, first);
}

/* A length that was seen too large makes the stream incomplete. */
static int load_mapped(struct vfc_dev *d, const struct vfc_stream *s)
{
	int ret;

	memcpy(vfc_data(d), s->buf, s->len);
	ret = vfc_w8(d, VFC_SIZE, s->len);
	return ret == 8 ? vfc_set(d, VFC_RUNNING) : ret;
}

TEST_F_TIMEOUT(resume_more, V1_RES_03_no_double_fetch, 60)
{
	struct vfc_dev *d = self->d;
	struct vfc_stream *s = &self->t.s, other = {};
	unsigned int accepted = 0, refused = 0;
	__u64 begin = vfc_now_us();
	pthread_t flipping, mixing;
	struct flipper f = {};
	struct mixer m = {};
	int ret;

	if (!d->area_size)
		SKIP(return, VT_NO_MMAP);
	vt_small_stream(_metadata, &self->t.a, self->t.m, UNITS, VALUE + 1000,
			&other);
	ASSERT_EQ(s->len, other.len);
	ASSERT_EQ(0, vfc_map(d));
	f.p = vfc_data(d);
	f.n = s->len;
	m = (struct mixer){ f.p, s->buf, other.buf, s->len, false };
	ASSERT_EQ(0, pthread_create(&flipping, NULL, flip, &f));
	ASSERT_EQ(0, pthread_create(&mixing, NULL, mix, &m));
	/* 5 seconds, or as long as it takes to be hit once. */
	while (vfc_now_us() < begin + (refused ? 5000000 : 30000000)) {
		ASSERT_EQ(0, vfc_reset(d));
		SET(VFC_RESUMING);
		ret = load_mapped(d, s);
		if (ret == 4) {
			/* It checked out, so it is the true one. */
			one_of_two(_metadata, &self->t, d, VALUE + 1000);
			accepted++;
		} else {
			ASSERT_EQ(-EINVAL, ret);
			ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
			refused++;
		}
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELEASE);
	__atomic_store_n(&m.stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(flipping, NULL));
	ASSERT_EQ(0, pthread_join(mixing, NULL));
	TH_LOG("%u accepted, %u refused", accepted, refused);
	/* Otherwise the bytes never changed at the right time. */
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		ASSERT_LT(0, refused);
	vfc_stream_free(&other);
}

TEST_F(resume_more, V1_RES_06_size_too_large)
{
	struct vfc_dev *d = self->d;
	__u64 bad[] = { vfc_section(d) + 1, ~0ull, 1ull << 63, 1ull << 32 };
	struct vfc_stream *s = &self->t.s;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		SET(VFC_RESUMING);
		ASSERT_EQ(0, vfc_provide(d, &vt_bulk, 0, s->buf, s->len));
		ASSERT_EQ(-EINVAL, vfc_w8(d, VFC_SIZE, bad[i]));
		/* poisoned */
		ASSERT_EQ(-EINVAL, vfc_feed(d, &vt_bulk, s->buf, s->len));
		ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
		ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
		ASSERT_EQ(0, vfc_reset(d));
	}
	vt_restore(_metadata, d, s);
}

TEST_F(resume_more, V1_RES_07_size_zero)
{
	struct vfc_dev *d = self->d;
	struct vfc_stream *s = &self->t.s;
	__u8 buf[64];

	SET(VFC_RESUMING);
	W8(VFC_SIZE, 0);
	ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
	ASSERT_EQ(0, vfc_provide(d, &vt_bulk, 0, s->buf, s->len));
	W8(VFC_SIZE, 0);	/* nothing at all: the bytes stay put */
	RD(0, buf, sizeof(buf));
	ASSERT_EQ(0, memcmp(buf, s->buf, sizeof(buf)));
	ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
	W8(VFC_SIZE, s->len);
	W8(VFC_SIZE, 0);
	check(_metadata, &self->t, d);
}

TEST_F(resume_more, V1_RES_11_any_width)
{
	static const size_t widths[] = { 1, 2, 3, 4, 8, 16, 4096 };
	struct vfc_dev *d = self->d;
	struct vfc_stream *s = &self->t.s;
	unsigned int i;
	size_t off, n;

	for (i = 0; i < ARRAY_SIZE(widths); i++) {
		SET(VFC_RESUMING);
		/* backwards: the order does not matter */
		for (off = s->len; off > 0; off -= n) {
			n = off < widths[i] ? off : widths[i];
			WD(off - n, s->buf + off - n, n);
		}
		W8(VFC_SIZE, s->len);
		check(_metadata, &self->t, d);
	}
	SET(VFC_RESUMING);
	ASSERT_EQ(4, vfc_wd(d, vfc_section(d) - 4, s->buf, 8));
	ASSERT_EQ(-EINVAL, vfc_wd(d, vfc_section(d), s->buf, 8));
}

TEST_F(resume_more, V1_RES_12_V1_RES_13_poison)
{
	struct vfc_dev *d = self->d;
	struct vfc_stream *s = &self->t.s;
	struct vmr_list l;
	size_t bad, i;
	int ret;

	ASSERT_EQ(0, vmr_parse(&l, s->buf, s->len));
	for (bad = 0; bad < l.n; bad++) {
		SET(VFC_RESUMING);
		s->buf[l.rec[bad].off + l.rec[bad].len - 1] ^= 4;
		for (i = 0; i < l.n; i++) {
			ret = vfc_feed(d, &vt_bulk, s->buf + l.rec[i].off,
				       l.rec[i].len);
			/* at once, and from then on */
			ASSERT_EQ(i < bad ? 8 : -EINVAL, ret)
				TH_LOG("record %zu of %zu", i, l.n);
		}
		s->buf[l.rec[bad].off + l.rec[bad].len - 1] ^= 4;
		ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
		ASSERT_EQ(-EINVAL, vfc_set(d, VFC_STOP));
		ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
		/* A whole good stream does not help either. */
		ASSERT_EQ(-EINVAL, vfc_feed(d, &vt_bulk, s->buf, s->len));
		ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
	}
	vmr_free(&l);
	SET(VFC_RESUMING);
	ASSERT_EQ(8, vfc_feed(d, &vt_bulk, s->buf, s->len));
	check(_metadata, &self->t, d);
}

/* Every prefix, by feeding byte after byte; each is refused by one state. */
TEST_F_TIMEOUT(resume_more, V1_RES_04_V1_RES_14_STR_02_every_prefix, 120)
{
	static const __u32 to[] = { VFC_RUNNING, VFC_STOP, VFC_SAVING,
				    VFC_PRECOPY };
	struct vfc_dev *d = self->d;
	struct vfc_stream s = {};
	size_t at;

	/* One chunk, so that the stream is short. */
	vt_small_stream(_metadata, &self->t.a, self->t.m, 1, VALUE, &s);
	SET(VFC_RESUMING);
	for (at = 0; at < s.len; at++) {
		ASSERT_EQ(-EINVAL, vfc_set(d, to[at % 4]))
			TH_LOG("%zu bytes to %u", at, to[at % 4]);
		ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
		ASSERT_EQ(1, vfc_wd(d, 0, s.buf + at, 1));
		ASSERT_EQ(8, vfc_w8(d, VFC_SIZE, 1));
	}
	ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
	SET(VFC_RUNNING);
	vt_check_small(_metadata, d, self->t.m, 1, VALUE);
	vfc_stream_free(&s);
}

/* Prefixes on their own: record borders, around them, and strides. */
TEST_F_TIMEOUT(resume_more, V1_RES_14_STR_02_truncated, 60)
{
	struct vfc_dev *d = self->d;
	struct vfc_stream *s = &self->t.s;
	struct vmr_list l;
	size_t i, len, k;

	ASSERT_EQ(0, vmr_parse(&l, s->buf, s->len));
	for (i = 0; i < l.n; i++) {
		for (k = 0; k < 3; k++) {
			len = l.rec[i].off + k * (l.rec[i].len - 1) / 2;
			SET(VFC_RESUMING);
			ASSERT_EQ(0, vfc_feed_all(d, &vt_bulk, s->buf, len, 0));
			ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
			ASSERT_EQ(-EINVAL, vfc_set(d, VFC_STOP));
			ASSERT_EQ(-EINVAL, vfc_set(d, VFC_SAVING));
			ASSERT_EQ(-EINVAL, vfc_set(d, VFC_PRECOPY));
			ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
			ASSERT_EQ(0, vfc_reset(d));
		}
	}
	for (len = 0; len < s->len; len += 97) {
		SET(VFC_RESUMING);
		ASSERT_EQ(0, vfc_feed_all(d, &vt_bulk, s->buf, len, 0));
		ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
		ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
		ASSERT_EQ(0, vfc_reset(d));
	}
	vmr_free(&l);
}

TEST_F(resume_more, V1_RES_15_no_stream)
{
	struct vfc_dev *d = self->d;

	SET(VFC_RESUMING);
	ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
	ASSERT_EQ(-EINVAL, vfc_set(d, VFC_STOP));
	ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
}

struct store {
	const struct vfc_dev *d;
	const struct vfc_model *m;
	bool write;
};

/* Reads mapped device memory, and may store: SIGBUS is the right answer. */
static int use_mapped(void *arg)
{
	const struct store *st = arg;
	volatile __u8 *v;
	__u8 *p;

	if (st->m->map(st->d, 1, &p))
		return 51;
	v = p;
	if (v[5])
		return 52;
	if (st->write)
		v[5] = 1;
	return 53;
}

TEST_F(resume_more, V1_RES_16_nothing_shows_before_the_commit)
{
	struct vfc_dev *d = self->d;
	const struct vfc_model *m = self->t.m;
	struct vfc_stream *s = &self->t.s;
	struct store st = { d, m, false };
	__u64 value;
	__u32 reg;
	size_t i, n;

	if (!vt_maps(self->t.m))
		SKIP(return, VT_NO_MAP);
	/* Old state: neither it nor the stream's may be seen. */
	vt_touch(_metadata, d, m, UNITS + 1, 42);
	ASSERT_EQ(0, m->reg_set(d, 42));
	SET(VFC_RESUMING);
	for (i = 0; i <= s->len; i += n) {
		n = s->len - i < 3000 ? s->len - i : 3000;
		if (n)
			ASSERT_EQ(8, vfc_feed(d, &vt_bulk, s->buf + i, n));
		ASSERT_EQ(0, m->reg_get(d, &reg));
		ASSERT_EQ(0, reg);
		ASSERT_EQ(0, m->read_back(d, i % UNITS, &value));
		ASSERT_EQ(0, value);
		if (!n)
			break;
	}
	/* Refused, or at least without effect. */
	m->touch(d, 1, 43);
	ASSERT_EQ(0, m->read_back(d, 1, &value));
	ASSERT_EQ(0, value);
	ASSERT_EQ(53, vfc_in_child(use_mapped, &st));
	st.write = true;
	ASSERT_EQ(-SIGBUS, vfc_in_child(use_mapped, &st));
	check(_metadata, &self->t, d);
	ASSERT_EQ(0, m->read_back(d, UNITS, &value));
	ASSERT_EQ(0, value);
}

#define MEM_AND_DMA	(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)

/* COMMAND and the flags of MSI-X read so. */
static void config_is(struct __test_metadata *_metadata,
		      const struct vfc_dev *d, __u16 command, __u16 enable)
{
	__u32 flags = vt_msix_flags(_metadata, d);

	ASSERT_EQ(command, vt_config(_metadata, d, PCI_COMMAND));
	ASSERT_EQ(enable, vt_config(_metadata, d, flags) &
		  PCI_MSIX_FLAGS_ENABLE);
}

static void config_write(struct __test_metadata *_metadata,
			 const struct vfc_dev *d, __u16 command, __u16 enable)
{
	__u32 flags = vt_msix_flags(_metadata, d);

	ASSERT_NE(0, flags);
	vt_config_set(_metadata, d, PCI_COMMAND, command);
	vt_config_set(_metadata, d, flags,
		      (vt_config(_metadata, d, flags) &
		       ~PCI_MSIX_FLAGS_ENABLE) | enable);
	config_is(_metadata, d, command, enable);
}

/* What the client sets in 4 is not what the stream has, and stays. */
TEST_F(resume_more, V1_RES_17_config_and_interrupts_in_resuming)
{
	struct vfc_dev *d = self->d;
	const struct vfc_model *m = self->t.m;
	const __u16 command = MEM_AND_DMA | PCI_COMMAND_INTX_DISABLE;
	const __u32 config = VFIO_PCI_CONFIG_REGION_INDEX;
	__u32 bar = 0xfebf0000, bar_seen;
	int event;

	if (!self->t.m)
		SKIP(return, VT_NO_MODEL);
	/* First what the stream has, without a word of the client. */
	vt_restore(_metadata, d, &self->t.s);
	ASSERT_NE(command, vt_config(_metadata, d, PCI_COMMAND));
	config_is(_metadata, d, vt_config(_metadata, d, PCI_COMMAND), 0);
	event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, event);
	ASSERT_EQ(0, vfc_load(d, &vt_bulk, &self->t.s));
	ASSERT_EQ(4, vfc_region_write(d, config, PCI_BASE_ADDRESS_0, &bar, 4));
	config_write(_metadata, d, command, PCI_MSIX_FLAGS_ENABLE);
	ASSERT_LE(0, vfc_irq_set(d, m->irq_index, 0, 1, &event));
	SET(VFC_RUNNING);
	config_is(_metadata, d, command, PCI_MSIX_FLAGS_ENABLE);
	ASSERT_EQ(4, vfc_region_read(d, config, PCI_BASE_ADDRESS_0, &bar_seen,
				     4));
	ASSERT_EQ(bar, bar_seen & ~0xfu);
	ASSERT_EQ(0, m->trigger(d));
	ASSERT_EQ(1, vfc_event_wait(event, 5000));
	vt_check_small(_metadata, d, m, UNITS, VALUE);
	close(event);
}

/* Bits that are set in the stream, and that the client clears in 4. */
TEST_F(resume_more, V1_RES_17_cleared_in_resuming)
{
	const __u16 command = MEM_AND_DMA | PCI_COMMAND_INTX_DISABLE;
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream s = {};

	config_write(_metadata, d, command, PCI_MSIX_FLAGS_ENABLE);
	ASSERT_EQ(0, vfc_save(d, &vt_bulk, &s));
	ASSERT_EQ(0, vfc_reset(d));
	d = self->d;
	vt_restore(_metadata, d, &s);
	config_is(_metadata, d, command, PCI_MSIX_FLAGS_ENABLE);
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(0, vfc_load(d, &vt_bulk, &s));
	config_write(_metadata, d, PCI_COMMAND_MASTER, PCI_MSIX_FLAGS_ENABLE);
	config_write(_metadata, d, PCI_COMMAND_MEMORY, 0);
	SET(VFC_RUNNING);
	config_is(_metadata, d, PCI_COMMAND_MEMORY, 0);
	vfc_stream_free(&s);
}

TEST_F(resume_more, V1_RES_18_quiet_before_running)
{
	struct vfc_dev *d = &self->t.a;
	const struct vfc_model *m = self->t.m;
	__u64 seq, now, ticks, ticks_now;
	struct vfc_stream s = {};
	int event;

	if (!vt_works(self->t.m))
		SKIP(return, VT_NO_WORK);
	event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, event);
	ASSERT_EQ(0, m->start_timer(d, 1000));
	ASSERT_EQ(0, m->start_noise(d, 4, 1000));
	ASSERT_EQ(0, vfc_save(d, &vt_bulk, &s));
	ASSERT_EQ(0, m->ticks(d, &ticks));
	ASSERT_EQ(0, m->noise_seq(d, &seq));
	ASSERT_EQ(0, vfc_reset(d));
	d = self->d;
	ASSERT_LE(0, vfc_irq_set(d, m->irq_index, 0, 1, &event));
	ASSERT_EQ(0, vfc_load(d, &vt_bulk, &s));
	ASSERT_EQ(0, vfc_event_wait(event, 300));
	/* Nor in STOP, where its registers show. */
	SET(VFC_STOP);
	ASSERT_EQ(0, vfc_event_wait(event, 200));
	ASSERT_EQ(0, m->ticks(d, &ticks_now));
	ASSERT_EQ(ticks, ticks_now);
	ASSERT_EQ(0, m->noise_seq(d, &now));
	ASSERT_EQ(seq, now);
	SET(VFC_RUNNING);
	ASSERT_LT(0, vfc_event_wait(event, 5000));
	ASSERT_EQ(0, m->ticks(d, &ticks_now));
	ASSERT_LE(ticks, ticks_now);
	vfc_stream_free(&s);
	close(event);
}

TEST_F(resume_more, V1_RES_19_from_every_state)
{
	static const __u32 from[] = { VFC_STOP, VFC_RUNNING, VFC_SAVING,
					 VFC_PRECOPY };
	struct vfc_dev *d = self->d;
	struct vfc_stream other = {};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(from); i++) {
		ASSERT_EQ(0, vfc_reset(d));
		if (self->t.m)
			vt_touch(_metadata, d, self->t.m, 10, 1);
		vt_reach(_metadata, d, from[i]);
		if (from[i] == VFC_SAVING || from[i] == VFC_PRECOPY)
			ASSERT_LT(0, vfc_save_segment(d, &vt_bulk, &other));
		ASSERT_EQ(0, vfc_load(d, &vt_bulk, &self->t.s));
		check(_metadata, &self->t, d);
	}
	vfc_stream_free(&other);
}

/* A record that claims more than there can be is refused at its header. */
TEST_F(resume_more, V1_RES_22_length_is_bounded)
{
	static const __u32 lengths[] = { ~0u, 0x80000000, 0x7fffffff,
					    1 << 24, 65536 };
	struct vfc_dev *d = self->d;
	struct vfc_stream *s = &self->t.s;
	size_t sec = vfc_section(d), i, k, fed;
	struct vmr_list l;
	struct vmig_rec rec;
	__u8 *junk;
	int ret;

	junk = calloc(1, sec);
	ASSERT_NE(NULL, junk);
	ASSERT_EQ(0, vmr_parse(&l, s->buf, s->len));
	for (i = 0; i < l.n; i++) {
		for (k = 0; k < ARRAY_SIZE(lengths); k++) {
			SET(VFC_RESUMING);
			ASSERT_EQ(0, vfc_feed_all(d, &vt_bulk, s->buf,
						  l.rec[i].off, 0));
			rec = l.rec[i].head;
			rec.length = lengths[k];
			ret = vfc_feed(d, &vt_bulk, &rec, sizeof(rec));
			for (fed = 0; ret >= 0 && fed < 2 * sec; fed += sec)
				ret = vfc_feed(d, &vt_bulk, junk, sec);
			ASSERT_TRUE(ret == -EINVAL || ret == -EFBIG)
				TH_LOG("record %zu length %u: %d", i,
				       lengths[k], ret);
			ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
			ASSERT_EQ(0, vfc_reset(d));
		}
	}
	vmr_free(&l);
	free(junk);
}

#define MAX_OPTIONAL	1024	/* stream-format.rst */
#define MAX_SESSIONS	256

/* Optional records without end would keep the parser busy without end. */
TEST_F_TIMEOUT(resume_more, V1_RES_22_optional_records_are_limited, 60)
{
	void *rec = malloc(VMR_OPTIONAL);
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = self->d;
	struct vmr_list l;
	__u32 crc;
	__u64 i;

	if (vmr_crc32c("x", 1, &crc))
		SKIP(return, "the kernel offers no crc32c to programs (AF_ALG)");
	ASSERT_NE(NULL, rec);
	ASSERT_EQ(0, vmr_parse(&l, s->buf, s->len));
	SET(VFC_RESUMING);
	ASSERT_EQ(8, vfc_feed(d, &vt_bulk, s->buf, l.rec[0].len));
	for (i = 1; i <= MAX_OPTIONAL + 1; i++) {
		ASSERT_EQ(0, vmr_optional(rec, i));
		ASSERT_EQ(i <= MAX_OPTIONAL ? 8 : -EINVAL,
			  vfc_feed(d, &vt_bulk, rec, VMR_OPTIONAL))
			TH_LOG("record %llu", (unsigned long long)i);
	}
	ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
	vt_restore(_metadata, d, s);
	vmr_free(&l);
	free(rec);
}

TEST_F(resume_more, V1_RES_22_sessions_are_limited)
{
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = self->d;
	struct vmr_list l;
	unsigned int i;

	ASSERT_EQ(0, vmr_parse(&l, s->buf, s->len));
	SET(VFC_RESUMING);
	for (i = 1; i <= MAX_SESSIONS + 1; i++)
		ASSERT_EQ(i <= MAX_SESSIONS ? 8 : -EINVAL,
			  vfc_feed(d, &vt_bulk, s->buf, l.rec[0].len))
			TH_LOG("session %u", i);
	ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
	vt_restore(_metadata, d, s);
	vmr_free(&l);
}

TEST_F(resume_more, V1_RES_08_faulting_size_does_not_poison)
{
	struct vfc_dev *d = self->d;
	struct vfc_stream *s = &self->t.s;

	SET(VFC_RESUMING);
	WD(0, s->buf, s->len);
	ASSERT_EQ(-EFAULT, vfc_pwrite(d, (void *)1, 8, VFC_SIZE));
	ASSERT_EQ(-EFAULT, vfc_wd(d, 0, (void *)1, 8));
	WD(0, s->buf, s->len);
	W8(VFC_SIZE, s->len);
	check(_metadata, &self->t, d);
}

TEST_F(resume_more, V1_RES_23_reset_starts_afresh)
{
	struct vfc_dev *d = self->d;
	struct vfc_stream *s = &self->t.s;

	SET(VFC_RESUMING);
	ASSERT_EQ(0, vfc_feed_all(d, &vt_bulk, s->buf, s->len / 2, 0));
	ASSERT_EQ(0, vfc_reset(d));
	SET(VFC_RESUMING);
	/* The second half alone begins in the middle of nothing. */
	ASSERT_GT(0, vfc_feed_all(d, &vt_bulk, s->buf + s->len / 2,
				  s->len - s->len / 2, 0));
	vt_restore(_metadata, d, s);
	vt_check_small(_metadata, d, self->t.m, UNITS, VALUE);
}

TEST_F_TIMEOUT(resume_more, V1_RES_24_there_and_back, 120)
{
	struct vfc_dev *dev[2] = { &self->t.a, &self->t.b };
	struct vfc_dev *d;
	struct vfc_stream s = {};
	size_t len = 0;
	int hop, hops;

	if (!self->t.two)
		SKIP(return, VT_NO_SECOND);
	vt_restore(_metadata, dev[0], &self->t.s);
	hops = self->t.s.len <= VT_SMALL_STREAM ? 1000 : 100;
	for (hop = 0; hop < hops; hop++) {
		d = dev[hop % 2];
		vfc_stream_free(&s);
		SET(VFC_PRECOPY);
		ASSERT_EQ(0, vfc_drain(d, &vt_bulk, &s));
		SET(VFC_SAVING);
		ASSERT_EQ(0, vfc_drain(d, &vt_bulk, &s));
		SET(VFC_STOP);
		if (hop)
			ASSERT_EQ(len, s.len);
		len = s.len;
		d = dev[(hop + 1) % 2];
		vt_restore(_metadata, d, &s);
		vt_check_small(_metadata, d, self->t.m, UNITS, VALUE);
	}
	vfc_stream_free(&s);
}

/* What the destination saves at once is what it was given. */
TEST_F(resume_more, V1_RES_01_STR_09_saved_again)
{
	struct vfc_dev *d = self->d;
	struct vfc_stream again = {};
	struct vmr_list l, k;
	size_t i;

	ASSERT_EQ(0, vfc_load(d, &vt_bulk, &self->t.s));
	SET(VFC_STOP);
	ASSERT_EQ(0, vfc_save(d, &vt_bulk, &again));
	ASSERT_EQ(self->t.s.len, again.len);
	ASSERT_EQ(0, vmr_parse(&l, self->t.s.buf, self->t.s.len));
	ASSERT_EQ(0, vmr_parse(&k, again.buf, again.len));
	ASSERT_EQ(l.n, k.n);
	/* Record 0 has the session's name in it. */
	for (i = 1; i < l.n; i++)
		ASSERT_EQ(0, memcmp(self->t.s.buf + l.rec[i].off,
				    again.buf + k.rec[i].off, l.rec[i].len));
	vmr_free(&l);
	vmr_free(&k);
	vfc_stream_free(&again);
}

/* The counter is stored as it was, not in terms of the host's clock. */
TEST_F(resume_more, STR_13_time_is_relative)
{
	struct vfc_dev *d = &self->t.a;
	const struct vfc_model *m = self->t.m;
	struct vfc_stream s = {};
	__u64 ticks, there;

	if (!self->t.m)
		SKIP(return, VT_NO_MODEL);
	SET(VFC_STOP);
	ASSERT_EQ(0, vfc_save(d, &vt_bulk, &s));
	ASSERT_EQ(0, m->ticks(d, &ticks));
	vfc_sleep_ms(100);	/* must not count */
	ASSERT_EQ(0, vfc_reset(self->d));
	ASSERT_EQ(0, vfc_load(self->d, &vt_bulk, &s));
	d = self->d;
	SET(VFC_STOP);
	ASSERT_EQ(0, m->ticks(d, &there));
	ASSERT_EQ(ticks, there);
	vfc_stream_free(&s);
}

/*
 * Nothing in a stream depends on when it is made: 400 ms later, as on a host
 * that was started at another time, a stopped device gives the same again.
 */
TEST_F(resume_more, STR_09_STR_13_saved_later)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream s[2] = {};
	struct vmr_list l;
	int i;

	if (vt_works(self->t.m))
		ASSERT_EQ(0, self->t.m->start_timer(d, 1000));
	for (i = 0; i < 2; i++) {
		SET(VFC_STOP);
		vfc_sleep_ms(400 * i);
		ASSERT_EQ(0, vfc_save(d, &vt_bulk, &s[i]));
	}
	ASSERT_EQ(s[0].len, s[1].len);
	ASSERT_EQ(0, vmr_parse(&l, s[0].buf, s[0].len));
	/* Record 0 has the session's name in it. */
	ASSERT_EQ(0, memcmp(s[0].buf + l.rec[0].len, s[1].buf + l.rec[0].len,
			    s[0].len - l.rec[0].len));
	vmr_free(&l);
	vfc_stream_free(&s[0]);
	vfc_stream_free(&s[1]);
}

/* The sections of source and destination have sizes of their own. */
FIXTURE(section_sizes) {
	struct vt t;
	__u64 was;
};

FIXTURE_SETUP(section_sizes)
{
	vt_open_two(_metadata, &self->t);
	if (!self->t.two)
		SKIP(return, VT_NO_SECOND);
	if (!vt_has_knob(&self->t.a, "section_size"))
		SKIP(return, VT_NO_KNOB);
	self->was = vfc_section(&self->t.a);
}

FIXTURE_TEARDOWN(section_sizes)
{
	vt_section_set_both(&self->t, self->was, self->was);
	vt_close(&self->t);
}

/* Each segment in as many pieces as the section makes of it, as QEMU does. */
static int load_cut(const struct vfc_dev *d, const struct vfc_io *io,
		    const struct vfc_stream *s)
{
	const __u8 *p = s->buf;
	size_t i;
	int ret = vfc_set(d, VFC_RESUMING);

	for (i = 0; i < s->nseg && ret >= 0; p += s->seg[i++])
		ret = vfc_feed_all(d, io, p, s->seg[i], 0);
	return ret < 0 ? ret : 0;
}

#define LARGE	1048576
#define SMALL	65536

TEST_F_TIMEOUT(section_sizes, V1_RES_09_smaller, 60)
{
	struct vt *t = &self->t;
	struct vfc_dev *d = &t->b;

	if (!vt_has(t, 256))
		SKIP(return, VT_NO_ROOM);
	vt_resize_both(_metadata, t, LARGE, SMALL);
	vt_small_stream(_metadata, &t->a, t->m, 300, VALUE, &t->s);
	ASSERT_LT(vfc_section(d), t->s.seg[0]);
	ASSERT_EQ(0, load_cut(d, &vt_bulk, &t->s));
	SET(VFC_RUNNING);
	vt_check_small(_metadata, d, t->m, 300, VALUE);
}

/* Byte by byte as QEMU has it: by 8, with a tail. */
TEST_F_TIMEOUT(section_sizes, V1_RES_09_smaller_as_qemu, 60)
{
	struct vt *t = &self->t;
	struct vfc_dev *d = &t->b;

	if (!vt_has(t, 40))
		SKIP(return, VT_NO_ROOM);
	vt_resize_both(_metadata, t, 131072, SMALL);
	vt_small_stream(_metadata, &t->a, t->m, 40, VALUE, &t->s);
	ASSERT_LT(vfc_section(d), t->s.seg[0]);
	ASSERT_EQ(0, load_cut(d, &vt_qemu, &t->s));
	SET(VFC_RUNNING);
	vt_check_small(_metadata, d, t->m, 40, VALUE);
}

TEST_F_TIMEOUT(section_sizes, V1_RES_10_larger, 60)
{
	struct vt *t = &self->t;
	struct vfc_dev *d = &t->b;

	if (!vt_has(t, 256))
		SKIP(return, VT_NO_ROOM);
	vt_resize_both(_metadata, t, SMALL, LARGE);
	vt_small_stream(_metadata, &t->a, t->m, 300, VALUE, &t->s);
	ASSERT_LT(16, t->s.nseg);
	ASSERT_EQ(0, vfc_load(d, &vt_bulk, &t->s));
	SET(VFC_RUNNING);
	vt_check_small(_metadata, d, t->m, 300, VALUE);
	ASSERT_EQ(0, vfc_reset(d));
	/* And joined, as a client may that has all of it. */
	SET(VFC_RESUMING);
	ASSERT_EQ(0, vfc_feed_all(d, &vt_bulk, t->s.buf, t->s.len, 0));
	SET(VFC_RUNNING);
	vt_check_small(_metadata, d, t->m, 300, VALUE);
}

/* Pieces @from to @to of @n as one, the others as they are. */
static void load_joined(struct __test_metadata *_metadata,
			const struct vfc_dev *d, const __u8 *p,
			const size_t *piece, size_t n, size_t from, size_t to)
{
	size_t i, len;

	SET(VFC_RESUMING);
	for (i = 0; i < n; i++, p += len) {
		len = piece[i];
		while (i >= from && i < to)
			len += piece[++i];
		ASSERT_EQ(8, vfc_feed(d, &vt_bulk, p, len))
			TH_LOG("%zu to %zu of %zu joined", from, to, n);
	}
}

/* All ways to join neighbours: segments, or records where there is only one. */
TEST_F_TIMEOUT(section_sizes, V1_RES_05_all_merges, 60)
{
	struct vt *t = &self->t;
	struct vfc_dev *d = &t->b;
	size_t *piece, n, from, to;
	struct vmr_list l;

	vt_resize_both(_metadata, t, SMALL, LARGE);
	vt_small_stream(_metadata, &t->a, t->m, 130, VALUE, &t->s);
	ASSERT_EQ(0, vmr_parse(&l, t->s.buf, t->s.len));
	n = t->s.nseg > 1 ? t->s.nseg : l.n;
	piece = calloc(n, sizeof(*piece));
	ASSERT_NE(NULL, piece);
	for (from = 0; from < n; from++)
		piece[from] = t->s.nseg > 1 ? t->s.seg[from] : l.rec[from].len;
	for (from = 0; from < n; from++) {
		for (to = from + 1; to < n; to++) {
			load_joined(_metadata, d, t->s.buf, piece, n, from, to);
			SET(VFC_RUNNING);
			vt_check_small(_metadata, d, t->m, 130, VALUE);
			ASSERT_EQ(0, vfc_reset(d));
		}
	}
	vmr_free(&l);
	free(piece);
}

/* A client that has it mapped can store to the section when there is no session. */
TEST_F(resume_more, V1_ST_87_V1_RES_08_V1_RES_21_stored_outside_a_session)
{
	struct vfc_dev *d = self->d;
	__u8 buf[64], *p;

	if (!d->area_size)
		SKIP(return, VT_NO_MMAP);
	ASSERT_EQ(0, vfc_map(d));
	p = vfc_data(d);
	p[100] = 1;
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(0, p[100]);

	/* It is not what a short segment is completed with. */
	memset(p, 0xa5, sizeof(buf));
	SET(VFC_RESUMING);
	RD(0, buf, sizeof(buf));
	ASSERT_EQ(0, buf[0]);
	ASSERT_EQ(0, memcmp(buf, buf + 1, sizeof(buf) - 1));
	ASSERT_EQ(0, vfc_reset(d));

	/* Nor what follows one that is saved. */
	p[vfc_section(d) - 1] = 1;
	SET(VFC_SAVING);
	ASSERT_LT(R8(VFC_SIZE), vfc_section(d));
	ASSERT_EQ(0, p[vfc_section(d) - 1]);
	ASSERT_EQ(0, vfc_reset(d));
}

TEST_HARNESS_MAIN
