// SPDX-License-Identifier: GPL-2.0-only
/*
 * V1-RES: loading a stream. The bytes are one stream however they are cut;
 * nothing shows before all of it is there and valid; refused is refused.
 */
#include "vmig_test.h"

#include <linux/pci_regs.h>

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
	size_t first = 1000;

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
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

TEST_F_TIMEOUT(resume_more, V1_RES_03_no_double_fetch, 60)
{
	struct vfc_dev *d = self->d;
	struct vfc_stream *s = &self->t.s;
	unsigned int i, accepted = 0, refused = 0;
	struct flipper f = {};
	pthread_t thread;
	int ret;

	if (!d->area_size)
		SKIP(return, VT_NO_MMAP);
	ASSERT_EQ(0, vfc_map(d));
	f.p = vfc_data(d);
	f.n = s->len;
	ASSERT_EQ(0, pthread_create(&thread, NULL, flip, &f));
	for (i = 0; i < 300; i++) {
		ASSERT_EQ(0, vfc_reset(d));
		SET(VFC_RESUMING);
		memcpy(vfc_data(d), s->buf, s->len);
		ret = vfc_w8(d, VFC_SIZE, s->len);
		/* A length that was seen too large makes it incomplete. */
		if (ret == 8)
			ret = vfc_set(d, VFC_RUNNING);
		if (ret == 4) {
			/* It checked out, so it is the true one. */
			vt_check_small(_metadata, d, self->t.m, UNITS, VALUE);
			accepted++;
		} else {
			ASSERT_EQ(-EINVAL, ret);
			ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
			refused++;
		}
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	TH_LOG("%u accepted, %u refused", accepted, refused);
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

TEST_F(resume_more, V1_RES_09_V1_RES_10_section_sizes_differ)
{
	struct vfc_dev *d = self->d;
	struct vfc_stream s = {};

	if (!vt_has(&self->t, 256))
		SKIP(return, VT_NO_ROOM);
	vt_touch(_metadata, &self->t.a, self->t.m, 300, VALUE);
	ASSERT_EQ(0, self->t.m->reg_set(&self->t.a, VALUE));
	ASSERT_EQ(0, vfc_save(&self->t.a, &vt_bulk, &s));
	ASSERT_EQ(0, vfc_reset(d));
	SET(VFC_RESUMING);
	/* As QEMU feeds a section of 64 KiB. */
	ASSERT_EQ(0, vfc_feed_all(d, &vt_bulk, s.buf, s.len, 65536));
	SET(VFC_RUNNING);
	vt_check_small(_metadata, d, self->t.m, 300, VALUE);
	vfc_stream_free(&s);
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

/* Every prefix, by feeding byte after byte. */
TEST_F_TIMEOUT(resume_more, V1_RES_04_V1_RES_14_STR_02_every_prefix, 120)
{
	struct vfc_dev *d = self->d;
	struct vfc_stream s = {};
	size_t at;

	/* One chunk, so that the stream is short. */
	vt_small_stream(_metadata, &self->t.a, self->t.m, 1, VALUE, &s);
	SET(VFC_RESUMING);
	for (at = 0; at < s.len; at++) {
		if (at % 2 || at < 400 || s.len - at < 400)
			ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
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

TEST_F(resume_more, V1_RES_17_config_and_interrupts_in_resuming)
{
	struct vfc_dev *d = self->d;
	const struct vfc_model *m = self->t.m;
	const __u32 config = VFIO_PCI_CONFIG_REGION_INDEX;
	__u16 command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, seen;
	__u32 bar = 0xfebf0000, bar_seen;
	int event;

	if (!self->t.m)
		SKIP(return, VT_NO_MODEL);
	event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, event);
	ASSERT_EQ(0, vfc_load(d, &vt_bulk, &self->t.s));
	ASSERT_EQ(4, vfc_region_write(d, config, PCI_BASE_ADDRESS_0, &bar, 4));
	ASSERT_EQ(2, vfc_region_write(d, config, PCI_COMMAND, &command, 2));
	ASSERT_EQ(2, vfc_region_read(d, config, PCI_COMMAND, &seen, 2));
	ASSERT_EQ(command, seen);
	ASSERT_LE(0, vfc_irq_set(d, m->irq_index, 0, 1, &event));
	SET(VFC_RUNNING);
	ASSERT_EQ(2, vfc_region_read(d, config, PCI_COMMAND, &seen, 2));
	ASSERT_EQ(command, seen);
	ASSERT_EQ(4, vfc_region_read(d, config, PCI_BASE_ADDRESS_0, &bar_seen,
				     4));
	ASSERT_EQ(bar, bar_seen & ~0xfu);
	ASSERT_EQ(0, m->trigger(d));
	ASSERT_EQ(1, vfc_event_wait(event, 5000));
	vt_check_small(_metadata, d, m, UNITS, VALUE);
	close(event);
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

TEST_F(resume_more, V1_RES_faulting_size_does_not_poison)
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

TEST_F_TIMEOUT(resume_more, V1_RES_24_there_and_back, 60)
{
	struct vfc_dev *dev[2] = { &self->t.a, &self->t.b };
	struct vfc_dev *d;
	struct vfc_stream s = {};
	size_t len = 0;
	int hop;

	if (!self->t.two)
		SKIP(return, VT_NO_SECOND);
	vt_restore(_metadata, dev[0], &self->t.s);
	for (hop = 0; hop < 20; hop++) {
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
TEST_F(resume_more, V1_RES_01_saved_again)
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

TEST_HARNESS_MAIN
