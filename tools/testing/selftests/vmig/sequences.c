// SPDX-License-Identifier: GPL-2.0-only
/*
 * V1-YZ: the access sequences on which the text of the protocol is silent, one
 * test each, in stop-and-copy and (where it makes sense) in pre-copy of an
 * idle device. P is the pending value at first, n1 the first segment's size.
 */
#include "vmig_test.h"

#define UNITS	300	/* more than one section */
#define VALUE	4000

FIXTURE(sequence) {
	struct vt t;
	__u64 p;	/* P */
	__u8 *seg;	/* a copy of segment 1 */
};

FIXTURE_VARIANT(sequence) {
	__u32 state;
	bool mapped;
};

FIXTURE_VARIANT_ADD(sequence, saving) { VFC_SAVING, false };
FIXTURE_VARIANT_ADD(sequence, precopy) { VFC_PRECOPY, false };
FIXTURE_VARIANT_ADD(sequence, V1_DISC_11_saving_mmap) { VFC_SAVING, true };
FIXTURE_VARIANT_ADD(sequence, V1_DISC_11_precopy_mmap) { VFC_PRECOPY, true };

static void dirty(struct __test_metadata *_metadata, struct vt *t)
{
	if (!t->m)
		return;
	vt_touch(_metadata, &t->a, t->m, UNITS, VALUE);
	ASSERT_EQ(0, t->m->reg_set(&t->a, VALUE));
}

FIXTURE_SETUP(sequence)
{
	struct vfc_dev *d = &self->t.a;

	vt_open_two(_metadata, &self->t);
	vt_by_mmap(_metadata, &self->t, variant->mapped);
	dirty(_metadata, &self->t);
	SET(variant->state);
	self->seg = malloc(vfc_section(d));
	ASSERT_NE(NULL, self->seg);
}

FIXTURE_TEARDOWN(sequence)
{
	free(self->seg);
	vt_close(&self->t);
}

/*
 * Collect the rest and restore: the second device must hold the first one's
 * state. What was collected before is in the stream.
 */
static void finish_good(struct __test_metadata *_metadata, struct vt *t)
{
	struct vfc_dev *d = &t->a;

	ASSERT_EQ(0, vfc_drain(d, &vt_way, &t->s));
	if (R4(VFC_STATE) == VFC_PRECOPY) {
		SET(VFC_SAVING);
		ASSERT_EQ(0, vfc_drain(d, &vt_way, &t->s));
	}
	SET(VFC_STOP);
	d = t->two ? &t->b : &t->a;
	vt_restore(_metadata, d, &t->s);
	vt_check_small(_metadata, d, t->m, UNITS, VALUE);
}

/* Likewise, but the stream lacks something: refused, not restored wrong. */
static void finish_bad(struct __test_metadata *_metadata, struct vt *t)
{
	struct vfc_dev *d = &t->a;

	ASSERT_EQ(0, vfc_drain(d, &vt_way, &t->s));
	if (R4(VFC_STATE) == VFC_PRECOPY) {
		SET(VFC_SAVING);
		ASSERT_EQ(0, vfc_drain(d, &vt_way, &t->s));
	}
	SET(VFC_STOP);
	vt_refused(_metadata, t->two ? &t->b : &t->a, &t->s);
}

/* Read segment 1 of @n bytes and put it into the stream. */
static void collect(struct __test_metadata *_metadata, struct vt *t,
		    __u8 *seg, __u64 n)
{
	const struct vfc_dev *d = &t->a;

	ASSERT_EQ(0, vfc_collect(d, &vt_way, 0, seg, n));
	ASSERT_EQ(0, vfc_stream_add(&t->s, seg, n));
}

TEST_F(sequence, V1_YZ_01_pending_between_offset_and_size)
{
	struct vfc_dev *d = &self->t.a;
	__u64 p, n1;

	p = R8(VFC_PENDING);
	ASSERT_LT(0, p);
	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	ASSERT_EQ(p, R8(VFC_PENDING));
	n1 = R8(VFC_SIZE);
	ASSERT_LT(0, n1);
	collect(_metadata, &self->t, self->seg, n1);
	ASSERT_EQ(p - n1, R8(VFC_PENDING));
	finish_good(_metadata, &self->t);
}

TEST_F(sequence, V1_YZ_02_nothing_after_the_size)
{
	struct vfc_dev *d = &self->t.a;
	__u64 p, n1;
	unsigned int i;

	p = R8(VFC_PENDING);
	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	n1 = R8(VFC_SIZE);
	for (i = 0; i < 30; i++) {
		vfc_sleep_ms(10);
		ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
		ASSERT_EQ(n1, R8(VFC_SIZE));
	}
	collect(_metadata, &self->t, self->seg, n1);
	ASSERT_EQ(p - n1, R8(VFC_PENDING));
	finish_good(_metadata, &self->t);
}

TEST_F(sequence, V1_YZ_03_V1_YZ_R2_acknowledged_unread)
{
	struct vfc_dev *d = &self->t.a;
	__u64 p, n1;

	p = R8(VFC_PENDING);
	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	n1 = R8(VFC_SIZE);
	ASSERT_EQ(p - n1, R8(VFC_PENDING));
	finish_bad(_metadata, &self->t);
}

TEST_F(sequence, V1_YZ_04_size_before_offset)
{
	struct vfc_dev *d = &self->t.a;
	__u64 p, n1;

	p = R8(VFC_PENDING);
	n1 = R8(VFC_SIZE);
	ASSERT_LT(0, n1);
	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	collect(_metadata, &self->t, self->seg, n1);
	ASSERT_EQ(p - n1, R8(VFC_PENDING));
	finish_good(_metadata, &self->t);
}

TEST_F(sequence, V1_YZ_05_no_first_pending)
{
	struct vfc_dev *d = &self->t.a;
	__u64 n1, left;

	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	n1 = R8(VFC_SIZE);
	ASSERT_LT(0, n1);
	collect(_metadata, &self->t, self->seg, n1);
	left = R8(VFC_PENDING);
	if (vt_has(&self->t, 256))
		ASSERT_LT(0, left);
	finish_good(_metadata, &self->t);
	/* More comes behind the stop that no read in pre-copy could know. */
	if (variant->state == VFC_SAVING)
		ASSERT_EQ(self->t.s.len - n1, left);
}

TEST_F(sequence, V1_YZ_06_everything_twice)
{
	struct vfc_dev *d = &self->t.a;
	__u64 n1;

	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	n1 = R8(VFC_SIZE);
	ASSERT_LT(0, n1);
	ASSERT_EQ(n1, R8(VFC_SIZE));
	collect(_metadata, &self->t, self->seg, n1);
	finish_good(_metadata, &self->t);
}

TEST_F(sequence, V1_YZ_07_data_before_anything)
{
	struct vfc_dev *d = &self->t.a;
	__u64 p = R8(VFC_PENDING);

	ASSERT_EQ(-EINVAL, vfc_rd(d, 0, self->seg, 8));
	ASSERT_EQ(-EINVAL, vfc_rd(d, 0, self->seg, vfc_section(d)));
	ASSERT_EQ(p, R8(VFC_PENDING));
	ASSERT_EQ(-EINVAL, vfc_rd(d, 0, self->seg, 8));	/* still not staged */
	finish_good(_metadata, &self->t);
}

TEST_F(sequence, V1_YZ_08_half_of_the_data)
{
	struct vfc_dev *d = &self->t.a;
	__u64 p, n1;

	p = R8(VFC_PENDING);
	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	n1 = R8(VFC_SIZE);
	collect(_metadata, &self->t, self->seg, n1 / 2);
	ASSERT_EQ(p - n1, R8(VFC_PENDING));
	finish_bad(_metadata, &self->t);
}

TEST_F(sequence, V1_YZ_09_one_acknowledgment)
{
	struct vfc_dev *d = &self->t.a;
	__u64 p, n1;

	p = R8(VFC_PENDING);
	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	n1 = R8(VFC_SIZE);
	RD(0, self->seg, n1);
	collect(_metadata, &self->t, self->seg, n1);
	ASSERT_EQ(p - n1, R8(VFC_PENDING));
	ASSERT_EQ(p - n1, R8(VFC_PENDING));
	ASSERT_EQ(p - n1, R8(VFC_PENDING));
	finish_good(_metadata, &self->t);
}

TEST_F(sequence, V1_YZ_13_running_ends_the_segment)
{
	struct vfc_dev *d = &self->t.a;

	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	ASSERT_LT(0, R8(VFC_SIZE));
	W4(VFC_STATE, VFC_RUNNING);
	ASSERT_EQ(0, R8(VFC_SIZE));
	ASSERT_EQ(-EINVAL, vfc_rd(d, 0, self->seg, 8));
}

TEST_F(sequence, V1_YZ_14_reset_ends_the_segment)
{
	struct vfc_dev *d = &self->t.a;

	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	ASSERT_LT(0, R8(VFC_SIZE));
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(0, R8(VFC_PENDING));
	ASSERT_EQ(0, R8(VFC_SIZE));
	ASSERT_EQ(-EINVAL, vfc_rd(d, 0, self->seg, 8));
}

TEST_F(sequence, V1_YZ_15_acknowledged_on_another_fd)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_dev other = *d;
	__u64 p, n1, left;

	other.fd = vfc_device_fd(d);
	if (other.fd == -EOPNOTSUPP)
		SKIP(return, VFC_ONE_FILE);
	ASSERT_LE(0, other.fd);
	p = R8(VFC_PENDING);
	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	n1 = R8(VFC_SIZE);
	collect(_metadata, &self->t, self->seg, n1);
	ASSERT_EQ(8, vfc_r8(&other, VFC_PENDING, &left));
	ASSERT_EQ(p - n1, left);
	ASSERT_EQ(p - n1, R8(VFC_PENDING));
	ASSERT_EQ(-EINVAL, vfc_rd(d, 0, self->seg, 8));
	close(other.fd);
	finish_good(_metadata, &self->t);
}

FIXTURE(to_saving) {
	struct vt t;
};

FIXTURE_VARIANT(to_saving) {
	bool mapped;
};

FIXTURE_VARIANT_ADD(to_saving, pread) { .mapped = false };
FIXTURE_VARIANT_ADD(to_saving, V1_DISC_11_mmap) { .mapped = true };

FIXTURE_SETUP(to_saving)
{
	vt_open_two(_metadata, &self->t);
	vt_by_mmap(_metadata, &self->t, variant->mapped);
}

FIXTURE_TEARDOWN(to_saving)
{
	vt_close(&self->t);
}

/* The stop-and-copy part carries again what the segment in doubt carried. */
static void check_carried_again(struct __test_metadata *_metadata,
				const struct vfc_stream *s, size_t nseg)
{
	struct vmig_rec_chunk c, k;
	struct vmr_list l;
	size_t i, j, len = 0, found = 0;

	for (i = 0; i < nseg; i++)
		len += s->seg[i];
	ASSERT_EQ(0, vmr_parse(&l, s->buf, s->len));
	for (i = 0; i < l.n && l.rec[i].off < len; i++) {
		if (l.rec[i].head.type != VMIG_REC_CHUNK)
			continue;
		memcpy(&c, s->buf + l.rec[i].off + sizeof(struct vmig_rec),
		       sizeof(c));
		for (j = i + 1; j < l.n; j++) {
			if (l.rec[j].head.type != VMIG_REC_CHUNK)
				continue;
			memcpy(&k, s->buf + l.rec[j].off +
			       sizeof(struct vmig_rec), sizeof(k));
			if (k.index == c.index && k.object == c.object)
				break;
		}
		ASSERT_NE(l.n, j);
		found++;
	}
	ASSERT_LT(0, found);
	vmr_free(&l);
}

TEST_F(to_saving, V1_YZ_10_not_acknowledged_before_the_stop)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	__u64 before, after;

	dirty(_metadata, &self->t);
	SET(VFC_PRECOPY);
	ASSERT_LT(0, vfc_save_segment(d, &vt_way, s));
	W4(VFC_STATE, VFC_SAVING);
	/* The segment is still there, the same, until it is acknowledged. */
	ASSERT_EQ(s->seg[0], R8(VFC_SIZE));
	before = R8(VFC_PENDING);
	after = R8(VFC_PENDING);
	ASSERT_EQ(before, after);
	finish_good(_metadata, &self->t);
	/* The first of these reads acknowledged it. */
	ASSERT_EQ(s->len - s->seg[0], before);
	if (vt_has(&self->t, 1))
		check_carried_again(_metadata, s, 1);
}

TEST_F(to_saving, V1_YZ_11_V1_YZ_R5_never_delivered)
{
	struct vfc_dev *d = &self->t.a;

	dirty(_metadata, &self->t);
	SET(VFC_PRECOPY);
	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	ASSERT_LT(0, R8(VFC_SIZE));
	W4(VFC_STATE, VFC_SAVING);
	finish_good(_metadata, &self->t);	/* begins with R8(8): ack */
}

/* The same with a second segment in doubt, when the first one arrived. */
TEST_F(to_saving, V1_YZ_11_second_never_delivered)
{
	struct vfc_dev *d = &self->t.a;

	if (!vt_has(&self->t, 256))
		SKIP(return, VT_NO_ROOM);
	dirty(_metadata, &self->t);
	SET(VFC_PRECOPY);
	ASSERT_LT(0, vfc_save_segment(d, &vt_way, &self->t.s));
	ASSERT_LT(0, R8(VFC_PENDING));
	ASSERT_LT(0, R8(VFC_SIZE));
	W4(VFC_STATE, VFC_SAVING);
	finish_good(_metadata, &self->t);
}

static void *write_saving(void *arg)
{
	return (void *)(long)vfc_set(arg, VFC_SAVING);
}

TEST_F(to_saving, V1_YZ_12_stopped_by_another_thread)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	__u8 *early;
	__u64 n1;
	pthread_t thread;
	void *ret;

	dirty(_metadata, &self->t);
	SET(VFC_PRECOPY);
	ASSERT_LT(0, R8(VFC_PENDING));
	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	early = malloc(vfc_section(d));
	ASSERT_NE(NULL, early);
	n1 = vfc_rd(d, 0, early, vfc_section(d));
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_saving, d));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	ASSERT_EQ((void *)4, ret);
	ASSERT_EQ(n1, R8(VFC_SIZE));
	ASSERT_LT(0, vfc_save_segment(d, &vt_way, s));
	ASSERT_EQ(n1, s->len);
	ASSERT_EQ(0, memcmp(early, s->buf, n1));
	free(early);
	finish_good(_metadata, &self->t);
}

TEST_F(to_saving, V1_YZ_16_dirty_after_zero)
{
	struct vfc_dev *d = &self->t.a;

	if (!vt_has(&self->t, 6))
		SKIP(return, VT_NO_ROOM);
	dirty(_metadata, &self->t);
	SET(VFC_PRECOPY);
	ASSERT_EQ(0, vfc_drain(d, &vt_way, &self->t.s));
	ASSERT_EQ(0, R8(VFC_PENDING));
	ASSERT_EQ(0, self->t.m->touch(d, 5, VALUE + 5));
	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	ASSERT_LT(0, R8(VFC_SIZE));
	ASSERT_LT(0, vfc_save_segment(d, &vt_way, &self->t.s));
	finish_good(_metadata, &self->t);
}

TEST_F(to_saving, V1_YZ_17_state_shrinks)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i, n;
	__u64 p;

	if (!vt_has(&self->t, 1))
		SKIP(return, VT_NO_ROOM);
	n = vt_units(d, self->t.m, UNITS);
	SET(VFC_PRECOPY);
	ASSERT_EQ(0, vfc_drain(d, &vt_way, &self->t.s));
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, self->t.m->touch(d, i, 1));
	p = R8(VFC_PENDING);
	ASSERT_LT(0, p);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, self->t.m->touch(d, i, 0));
	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	ASSERT_LT(0, R8(VFC_SIZE));
	dirty(_metadata, &self->t);
	ASSERT_LT(0, vfc_save_segment(d, &vt_way, &self->t.s));
	finish_good(_metadata, &self->t);
}

TEST_HARNESS_MAIN
