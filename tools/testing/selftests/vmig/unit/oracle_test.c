// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle itself, against the rules that it stands for: the matrix of
 * states, the odd sequences, R1 to R6, and what the section shows. Here the
 * results are made up: right ones must be permitted, wrong ones must not.
 *
 * Only a permitted result changes the oracle, so a wrong one can be tried at
 * any point before the right one.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"

#include "fake.h"

#define DATA	FAKE_DATA
#define SEC	FAKE_SECTION
#define P	1000
#define N1	300

FIXTURE(oracle) {
	struct oracle o;
	struct oracle_expect e;
	__u8 buf[DATA + SEC];
	__u8 *stream;
	size_t len;
};

FIXTURE_SETUP(oracle)
{
	struct oracle_geom g;

	fake_geom(&g);
	ASSERT_EQ(0, oracle_init(&self->o, &g));
}

FIXTURE_TEARDOWN(oracle)
{
	oracle_free(&self->o);
	free(self->stream);
}

/* --- Notation: was the result permitted? ------------------------------ */

static bool step(struct _test_data_oracle *t, enum oracle_op op, __u64 off,
		 __u64 len, const void *buf, long ret)
{
	struct oracle_access a = { op, off, len, buf };

	return oracle_step(&t->o, &a, ret, &t->e);
}

static bool r4(struct _test_data_oracle *t, __u64 off, __u32 v)
{
	return step(t, ORACLE_READ, off, 4, &v, 4);
}

static bool r8(struct _test_data_oracle *t, __u64 off, __u64 v)
{
	return step(t, ORACLE_READ, off, 8, &v, 8);
}

static bool w4(struct _test_data_oracle *t, __u64 off, __u32 v, long ret)
{
	return step(t, ORACLE_WRITE, off, 4, &v, ret);
}

static bool w8(struct _test_data_oracle *t, __u64 off, __u64 v, long ret)
{
	return step(t, ORACLE_WRITE, off, 8, &v, ret);
}

static bool set(struct _test_data_oracle *t, __u32 v, long ret)
{
	return w4(t, ORACLE_STATE, v, ret);
}

/* @n bytes that are all @is, at @at of the section. */
static bool rd(struct _test_data_oracle *t, __u64 at, __u64 n, __u8 is,
	       long ret)
{
	memset(t->buf, is, n);
	return step(t, ORACLE_READ, DATA + at, n, t->buf, ret);
}

static bool load(struct _test_data_oracle *t, __u64 at, __u64 n, __u8 is)
{
	memset(t->buf, is, n);
	return step(t, ORACLE_LOAD, at, n, t->buf, n);
}

static bool store(struct _test_data_oracle *t, __u64 at, __u64 n, __u8 is)
{
	memset(t->buf, is, n);
	return step(t, ORACLE_STORE, at, n, t->buf, n);
}

static bool wd(struct _test_data_oracle *t, __u64 at, const void *p, __u64 n,
	       long ret)
{
	return step(t, ORACLE_WRITE, DATA + at, n, p, ret);
}

static bool reset(struct _test_data_oracle *t)
{
	return step(t, ORACLE_RESET, 0, 0, NULL, 0);
}

#define OK(x)	ASSERT_TRUE(x)
#define BAD(x)	ASSERT_FALSE(x)

/* --- A stream that is complete ---------------------------------------- */

static void get_stream(struct __test_metadata *_metadata,
		       struct _test_data_oracle *t, unsigned int units)
{
	struct fake_pair *p = fake_new(FAKE_NO_BUG);
	unsigned int i;
	__u32 saving = ORACLE_SAVING;
	__u64 n = 0;

	ASSERT_NE(NULL, p);
	t->stream = malloc(64 * 4400);
	t->len = 0;
	fake_ops.open(p, 0);
	for (i = 0; i < units; i++)
		fake_ops.touch(p, 0, i, 100 + i);
	fake_ops.write(p, 0, 0, &saving, 4, ORACLE_STATE);
	for (;;) {
		fake_ops.read(p, 0, 0, &n, 8, ORACLE_PENDING);
		if (!n)
			break;
		fake_ops.read(p, 0, 0, &n, 8, ORACLE_SIZE);
		fake_ops.read(p, 0, 0, t->stream + t->len, n, DATA);
		t->len += n;
	}
	fake_free(p);
	ASSERT_LT(0, t->len);
}

/* Feed @n bytes from @from on in one segment; does that give @ret? */
static bool feed(struct _test_data_oracle *t, size_t from, size_t n, long ret)
{
	return wd(t, 0, t->stream + from, n, n) &&
	       w8(t, ORACLE_SIZE, n, ret);
}

static bool feed_all(struct _test_data_oracle *t, size_t piece)
{
	size_t at, n;

	for (at = 0; at < t->len; at += n) {
		n = t->len - at < piece ? t->len - at : piece;
		if (!feed(t, at, n, 8))
			return false;
	}
	return true;
}

static void reach(struct __test_metadata *_metadata,
		  struct _test_data_oracle *self, __u32 state)
{
	if (state != ORACLE_RUNNING)
		OK(state == ORACLE_ERROR ?
		   step(self, ORACLE_FAIL, 0, 0, NULL, 0) : set(self, state, 4));
	OK(r4(self, ORACLE_STATE, state));
}

/* --- States ----------------------------------------------------------- */

/* Section 3.2: o: ok, X: -EINVAL, E: -EIO, f: as the stream is */
static const char * const matrix[8] = {
	"oooooXXX",
	"oooooXXX",
	"oooXoXXX",
	"oooooXXX",
	"ffffoXXX",
	NULL,
	"EEEEEEEE",
	NULL,
};

TEST_F(oracle, V1_ST_20_to_83_matrix)
{
	__u32 from, to;
	char cell;
	long want;

	for (from = 0; from < 8; from++) {
		for (to = 0; matrix[from] && to < 8; to++) {
			OK(reset(self));
			reach(_metadata, self, from);
			cell = matrix[from][to];
			want = cell == 'o' ? 4 : cell == 'E' ? -EIO : -EINVAL;
			BAD(set(self, to, want == 4 ? -EINVAL : 4));
			BAD(set(self, to, -ENOMEM));
			OK(r4(self, ORACLE_STATE, from));
			OK(set(self, to, want));
			OK(r4(self, ORACLE_STATE, want == 4 ? to : from));
			BAD(r4(self, ORACLE_STATE, want == 4 ? to ^ 1 : from ^ 1));
		}
	}
}

TEST_F(oracle, V1_ST_52_to_55_with_a_stream)
{
	__u32 to;

	get_stream(_metadata, self, 2);
	for (to = 0; to < 4; to++) {
		OK(reset(self));
		OK(set(self, ORACLE_RESUMING, 4));
		OK(feed_all(self, SEC));
		BAD(set(self, to, -EINVAL));
		OK(set(self, to, 4));
		OK(r4(self, ORACLE_STATE, to));
	}
}

TEST_F(oracle, V1_ST_03_V1_ST_84_V1_ST_85_reserved_bits)
{
	int bit;

	for (bit = 3; bit < 32; bit++) {
		BAD(set(self, 1 | 1u << bit, 4));
		OK(set(self, 1 | 1u << bit, -EINVAL));
	}
	BAD(r4(self, ORACLE_STATE, 1 | 1u << 8));
	BAD(r4(self, ORACLE_STATE, 5));
	OK(set(self, ORACLE_ERROR, -EINVAL));
}

TEST_F(oracle, V1_ST_10_same_state_keeps_the_session)
{
	OK(set(self, ORACLE_SAVING, 4));
	OK(r8(self, ORACLE_PENDING, P));
	OK(r8(self, ORACLE_SIZE, N1));
	OK(rd(self, 0, N1, 0x11, N1));
	OK(set(self, ORACLE_SAVING, 4));
	BAD(rd(self, 0, N1, 0x12, N1));
	BAD(r8(self, ORACLE_SIZE, N1 + 1));
	BAD(r8(self, ORACLE_PENDING, P));
	OK(r8(self, ORACLE_PENDING, P - N1));
}

TEST_F(oracle, V1_ST_86_V1_ST_87_error_and_reset)
{
	reach(_metadata, self, ORACLE_ERROR);
	OK(r8(self, ORACLE_PENDING, 0));
	OK(r8(self, ORACLE_OFFSET, DATA));
	OK(r8(self, ORACLE_SIZE, 0));
	BAD(rd(self, 0, 8, 0, -EINVAL));
	OK(rd(self, 0, 8, 0, -EIO));
	OK(wd(self, 0, self->buf, 8, -EIO));
	OK(w8(self, ORACLE_SIZE, 1, -EINVAL));
	OK(reset(self));
	OK(r4(self, ORACLE_STATE, ORACLE_RUNNING));
	OK(load(self, 0, SEC, 0));
}

/* --- Access ----------------------------------------------------------- */

TEST_F(oracle, V1_ACC_01_widths)
{
	__u64 off, n;
	bool legal;

	for (off = 0; off < 32; off++) {
		for (n = 1; n <= 40; n++) {
			legal = n == 4 ? off == 0 || off == 4 :
				n == 8 && (off == 8 || off == 16 || off == 24);
			memset(self->buf, 0, n);
			if (!legal) {
				BAD(step(self, ORACLE_READ, off, n, self->buf, n));
				OK(step(self, ORACLE_READ, off, n, self->buf,
					-EINVAL));
				OK(step(self, ORACLE_WRITE, off, n, self->buf,
					-EINVAL));
			} else {
				BAD(step(self, ORACLE_READ, off, n, self->buf,
					 -EINVAL));
			}
		}
	}
}

TEST_F(oracle, V1_ACC_03_to_07_fields)
{
	static const __u32 states[] = { 0, 1, 4, 6 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		OK(reset(self));
		reach(_metadata, self, states[i]);
		OK(w4(self, ORACLE_RESERVED, ~0u, 4));
		BAD(r4(self, ORACLE_RESERVED, 1));
		OK(r4(self, ORACLE_RESERVED, 0));
		OK(w8(self, ORACLE_PENDING, 0, -EINVAL));
		OK(w8(self, ORACLE_OFFSET, DATA, -EINVAL));
		BAD(r8(self, ORACLE_PENDING, 1));
		BAD(r8(self, ORACLE_SIZE, 1));
		BAD(r8(self, ORACLE_OFFSET, DATA + 8));
		if (states[i] != ORACLE_RESUMING)
			BAD(w8(self, ORACLE_SIZE, 8, 8));
	}
}

TEST_F(oracle, V1_ACC_09_faults)
{
	OK(set(self, ORACLE_SAVING, 4));
	OK(r8(self, ORACLE_PENDING, P));
	OK(r8(self, ORACLE_SIZE, N1));
	BAD(step(self, ORACLE_READ, ORACLE_PENDING, 8, NULL, 8));
	OK(step(self, ORACLE_READ, ORACLE_PENDING, 8, NULL, -EFAULT));
	OK(rd(self, 0, N1, 1, N1));	/* not acknowledged */
	OK(step(self, ORACLE_WRITE, ORACLE_STATE, 4, NULL, -EFAULT));
	OK(r4(self, ORACLE_STATE, ORACLE_SAVING));
	OK(r8(self, ORACLE_PENDING, P - N1));
	/* A read of data_offset may have staged, or not. */
	OK(step(self, ORACLE_READ, ORACLE_OFFSET, 8, NULL, -EFAULT));
	OK(rd(self, 0, 8, 1, -EINVAL));
	OK(rd(self, 0, 8, 1, 8));
	BAD(rd(self, 0, 8, 1, -EINVAL));
}

TEST_F(oracle, V1_ACC_10_V1_ACC_11_ends)
{
	__u64 end = DATA + SEC;

	OK(set(self, ORACLE_RESUMING, 4));
	memset(self->buf, 0, 64);
	OK(step(self, ORACLE_READ, end - 4, 8, self->buf, 4));
	BAD(step(self, ORACLE_READ, end - 4, 8, self->buf, 8));
	OK(step(self, ORACLE_WRITE, end - 1, 2, self->buf, 1));
	OK(step(self, ORACLE_READ, end, 1, self->buf, -EINVAL));
	OK(step(self, ORACLE_READ, ~0ull - 3, 1, self->buf, -EINVAL));
	OK(step(self, ORACLE_READ, 28, 8, self->buf, -EINVAL));
	OK(step(self, ORACLE_READ, DATA - 4, 8, self->buf, -EINVAL));
	OK(step(self, ORACLE_READ, 8, 0, self->buf, 0));
	BAD(step(self, ORACLE_READ, 8, 0, self->buf, -EINVAL));
}

/* --- Sequences -------------------------------------------------------- */

/* The tests below run in both saving states. */
#define SAVING(name)							\
	static void name##_in(struct __test_metadata *_metadata,	\
			      struct _test_data_oracle *self);		\
	TEST_F(oracle, name)						\
	{								\
		OK(set(self, ORACLE_SAVING, 4));			\
		name##_in(_metadata, self);				\
		OK(reset(self));					\
		OK(set(self, ORACLE_PRECOPY, 4));			\
		name##_in(_metadata, self);				\
	}								\
	static void name##_in(struct __test_metadata *_metadata,	\
			      struct _test_data_oracle *self)

SAVING(V1_YZ_01)
{
	OK(r8(self, ORACLE_PENDING, P));
	OK(r8(self, ORACLE_OFFSET, DATA));
	BAD(r8(self, ORACLE_PENDING, P - N1));
	OK(r8(self, ORACLE_PENDING, P));
	OK(r8(self, ORACLE_SIZE, N1));
	OK(rd(self, 0, N1, 7, N1));
	OK(r8(self, ORACLE_PENDING, P - N1));
}

SAVING(V1_YZ_02_V1_YZ_06_V1_YZ_R1)
{
	int i;

	OK(r8(self, ORACLE_PENDING, P));
	for (i = 0; i < 5; i++) {
		OK(r8(self, ORACLE_OFFSET, DATA));
		OK(r8(self, ORACLE_SIZE, N1));
		BAD(r8(self, ORACLE_SIZE, N1 - 1));
		BAD(r8(self, ORACLE_SIZE, 0));
		OK(rd(self, i, 9, 7, 9));
		BAD(rd(self, i, 9, 6, 9));
	}
}

SAVING(V1_YZ_03_V1_YZ_R2)
{
	OK(r8(self, ORACLE_PENDING, P));
	OK(r8(self, ORACLE_OFFSET, DATA));
	OK(r8(self, ORACLE_SIZE, N1));
	BAD(r8(self, ORACLE_PENDING, P));
	OK(r8(self, ORACLE_PENDING, P - N1));
	ASSERT_EQ(N1, self->o.unread);
	ASSERT_EQ(1, self->o.acks);
	self->o.unread = 0;
	self->o.acks = 0;
}

SAVING(V1_YZ_04_V1_YZ_05)
{
	OK(r8(self, ORACLE_SIZE, N1));
	OK(r8(self, ORACLE_OFFSET, DATA));
	OK(rd(self, 0, N1, 7, N1));
	OK(r8(self, ORACLE_PENDING, P - N1));
	OK(r8(self, ORACLE_OFFSET, DATA));
	BAD(r8(self, ORACLE_SIZE, P - N1 + 1));
	OK(r8(self, ORACLE_SIZE, P - N1));
	BAD(r8(self, ORACLE_PENDING, 1));
	OK(r8(self, ORACLE_PENDING, 0));
	BAD(r8(self, ORACLE_SIZE, 1));
	OK(r8(self, ORACLE_SIZE, 0));
}

SAVING(V1_YZ_07)
{
	OK(r8(self, ORACLE_PENDING, P));
	BAD(rd(self, 0, 8, 0, 8));
	OK(rd(self, 0, 8, 0, -EINVAL));
	OK(r8(self, ORACLE_PENDING, P));
	OK(rd(self, 0, 8, 0, -EINVAL));
}

SAVING(V1_YZ_08_V1_YZ_09_V1_YZ_R3)
{
	OK(r8(self, ORACLE_PENDING, P));
	OK(r8(self, ORACLE_SIZE, N1));
	OK(rd(self, 0, N1 / 2, 7, N1 / 2));
	OK(r8(self, ORACLE_PENDING, P - N1));
	BAD(r8(self, ORACLE_PENDING, P - 2 * N1));
	OK(r8(self, ORACLE_PENDING, P - N1));
	OK(r8(self, ORACLE_PENDING, P - N1));
}

SAVING(V1_YZ_13_V1_YZ_14)
{
	__u32 state = self->o.state;

	OK(r8(self, ORACLE_SIZE, N1));
	OK(set(self, ORACLE_RUNNING, 4));
	BAD(r8(self, ORACLE_SIZE, N1));
	OK(r8(self, ORACLE_SIZE, 0));
	OK(rd(self, 0, 8, 0, -EINVAL));
	OK(set(self, state, 4));
	OK(r8(self, ORACLE_SIZE, N1));
	OK(reset(self));
	BAD(r8(self, ORACLE_PENDING, P));
	OK(r8(self, ORACLE_PENDING, 0));
}

SAVING(V1_YZ_R4)
{
	OK(r8(self, ORACLE_PENDING, P));
	BAD(r8(self, ORACLE_SIZE, 0));
	BAD(r8(self, ORACLE_SIZE, SEC + 1));
	OK(r8(self, ORACLE_SIZE, P));
	OK(r8(self, ORACLE_PENDING, 0));
	OK(r8(self, ORACLE_OFFSET, DATA));
	OK(rd(self, 0, 1, 0, -EINVAL));
}

TEST_F(oracle, V1_YZ_R4_zero_is_final_when_stopped)
{
	OK(set(self, ORACLE_SAVING, 4));
	OK(r8(self, ORACLE_SIZE, N1));
	OK(r8(self, ORACLE_PENDING, 0));
	oracle_dirtied(&self->o, true);
	BAD(r8(self, ORACLE_PENDING, 1));
	OK(r8(self, ORACLE_PENDING, 0));
}

TEST_F(oracle, V1_YZ_16_V1_YZ_17_V1_SAV_02_not_sticky)
{
	OK(set(self, ORACLE_PRECOPY, 4));
	OK(r8(self, ORACLE_PENDING, 0));
	BAD(r8(self, ORACLE_PENDING, 1));
	oracle_dirtied(&self->o, true);
	BAD(r8(self, ORACLE_PENDING, 0));
	BAD(r8(self, ORACLE_SIZE, 0));
	OK(r8(self, ORACLE_PENDING, P));
	oracle_dirtied(&self->o, false);
	BAD(r8(self, ORACLE_SIZE, 0));
	OK(r8(self, ORACLE_SIZE, 40));
}

TEST_F(oracle, V1_YZ_10_V1_YZ_11_V1_YZ_12_V1_YZ_R5_in_doubt)
{
	OK(set(self, ORACLE_PRECOPY, 4));
	OK(r8(self, ORACLE_PENDING, N1));
	OK(r8(self, ORACLE_OFFSET, DATA));
	OK(set(self, ORACLE_SAVING, 4));
	BAD(r8(self, ORACLE_SIZE, N1 + 1));
	OK(r8(self, ORACLE_SIZE, N1));
	ASSERT_TRUE(self->o.in_doubt);
	OK(rd(self, 0, N1, 3, N1));
	/* The end of the stream is still to come. */
	BAD(r8(self, ORACLE_PENDING, 0));
	OK(r8(self, ORACLE_PENDING, P));
	OK(r8(self, ORACLE_SIZE, P));
	ASSERT_FALSE(self->o.in_doubt);
}

TEST_F(oracle, V1_SAV_09_something_when_stopped)
{
	OK(set(self, ORACLE_SAVING, 4));
	BAD(r8(self, ORACLE_PENDING, 0));
	BAD(r8(self, ORACLE_SIZE, 0));
	OK(r8(self, ORACLE_PENDING, 1));
	OK(reset(self));
	OK(set(self, ORACLE_PRECOPY, 4));
	OK(r8(self, ORACLE_PENDING, 0));
	OK(set(self, ORACLE_SAVING, 4));
	BAD(r8(self, ORACLE_PENDING, 0));
}

TEST_F(oracle, V1_SAV_07_busy_or_not)
{
	OK(set(self, ORACLE_PRECOPY, 4));
	OK(r8(self, ORACLE_PENDING, P));
	oracle_set_busy(&self->o, true);
	BAD(r8(self, ORACLE_PENDING, 0));
	OK(r8(self, ORACLE_PENDING, P + 1));
	OK(r8(self, ORACLE_SIZE, N1));
	BAD(r8(self, ORACLE_SIZE, N1 + 1));
	OK(r8(self, ORACLE_PENDING, 5 * P));
	OK(set(self, ORACLE_SAVING, 4));
	OK(r8(self, ORACLE_PENDING, P));
	BAD(r8(self, ORACLE_PENDING, P + 1));
}

/*
 * A busy device may have had something to stage when data_offset was read, or
 * not. That there is something when it has stopped says nothing of that.
 */
TEST_F(oracle, V1_SAV_07_perhaps_staged_before_the_stop)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		OK(reset(self));
		OK(set(self, ORACLE_PRECOPY, 4));
		oracle_set_busy(&self->o, true);
		OK(r8(self, ORACLE_PENDING, 0));
		OK(r8(self, ORACLE_OFFSET, DATA));
		OK(set(self, ORACLE_SAVING, 4));
		OK(r8(self, ORACLE_PENDING, P));
		BAD(rd(self, 0, SEC, 3, P + 1));
		OK(rd(self, 0, SEC, 3, i ? P : -EINVAL));
	}
}

/* --- The section ------------------------------------------------------ */

TEST_F(oracle, V1_SAV_11_V1_SAV_12_ends_of_a_segment)
{
	OK(set(self, ORACLE_SAVING, 4));
	OK(r8(self, ORACLE_PENDING, P));
	OK(r8(self, ORACLE_OFFSET, DATA));
	/* The size is not known, but a cut read tells. */
	OK(rd(self, 0, 100, 1, 100));
	OK(rd(self, 100, 400, 1, 200));
	BAD(r8(self, ORACLE_SIZE, 301));
	OK(r8(self, ORACLE_SIZE, 300));
	BAD(rd(self, 299, 8, 1, 8));
	OK(rd(self, 299, 8, 1, 1));
	BAD(rd(self, 300, 8, 1, 8));
	OK(rd(self, 300, 8, 1, -EINVAL));
	OK(wd(self, 0, self->buf, 8, -EINVAL));
	ASSERT_TRUE(oracle_segment_seen(&self->o));
}

TEST_F(oracle, V1_SAV_13_V1_SAV_14_V1_SAV_15_mapped)
{
	OK(set(self, ORACLE_SAVING, 4));
	OK(r8(self, ORACLE_SIZE, N1));
	OK(load(self, 0, N1, 5));
	BAD(rd(self, 0, N1, 6, N1));
	OK(rd(self, 0, N1, 5, N1));
	BAD(load(self, N1, 8, 1));
	OK(load(self, N1, SEC - N1, 0));
	OK(store(self, 10, 4, 9));
	OK(load(self, 10, 4, 9));
	BAD(load(self, 14, 4, 9));
	ASSERT_TRUE(oracle_segment_seen(&self->o));
	ASSERT_EQ(5, self->o.bytes[10]);
}

TEST_F(oracle, V1_SAV_14_stale_behind_a_size_learned_late)
{
	OK(set(self, ORACLE_SAVING, 4));
	OK(r8(self, ORACLE_OFFSET, DATA));
	OK(load(self, 500, 8, 1));
	BAD(r8(self, ORACLE_SIZE, 500));
	BAD(r8(self, ORACLE_SIZE, 507));
	OK(r8(self, ORACLE_SIZE, 508));
}

TEST_F(oracle, V1_DISC_08_zero_outside_sessions)
{
	OK(load(self, 0, SEC, 0));
	BAD(load(self, 9, 1, 1));
	OK(set(self, ORACLE_SAVING, 4));
	OK(set(self, ORACLE_STOP, 4));
	BAD(load(self, 9, 1, 1));
}

/* --- Resuming --------------------------------------------------------- */

TEST_F(oracle, V1_RES_04_V1_RES_05_any_pieces)
{
	static const size_t pieces[] = { 1, 7, 23, 24, 25, 4096, SEC };
	unsigned int i;

	get_stream(_metadata, self, 2);
	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		OK(reset(self));
		OK(set(self, ORACLE_RESUMING, 4));
		OK(feed_all(self, pieces[i]));
		OK(set(self, ORACLE_RUNNING, 4));
	}
}

TEST_F(oracle, V1_RES_06_V1_RES_07_sizes)
{
	OK(set(self, ORACLE_RESUMING, 4));
	OK(w8(self, ORACLE_SIZE, 0, 8));
	BAD(w8(self, ORACLE_SIZE, SEC + 1, 8));
	OK(w8(self, ORACLE_SIZE, SEC + 1, -EINVAL));
	ASSERT_TRUE(self->o.poisoned);
}

TEST_F(oracle, V1_RES_08_V1_RES_21_a_fresh_buffer)
{
	get_stream(_metadata, self, 2);
	OK(set(self, ORACLE_RESUMING, 4));
	OK(rd(self, 0, 64, 0, 64));
	OK(wd(self, 0, self->stream, 16, 16));
	BAD(rd(self, 16, 8, 1, 8));
	OK(step(self, ORACLE_READ, DATA, 16, self->stream, 16));
	OK(w8(self, ORACLE_SIZE, 16, 8));
	BAD(step(self, ORACLE_READ, DATA, 16, self->stream, 16));
	OK(rd(self, 0, 64, 0, 64));
	/* The rest was not written: it is zeros, and no record. */
	BAD(w8(self, ORACLE_SIZE, 1000, 8));
}

TEST_F(oracle, V1_RES_12_poison)
{
	get_stream(_metadata, self, 2);
	OK(set(self, ORACLE_RESUMING, 4));
	self->stream[40] ^= 1;
	OK(feed(self, 0, 24, 8));
	OK(feed(self, 24, 400, -EINVAL));
	self->stream[40] ^= 1;
	BAD(feed(self, 0, 100, 8));
	OK(feed(self, 0, 100, -EINVAL));
	BAD(set(self, ORACLE_RUNNING, 4));
	OK(set(self, ORACLE_RUNNING, -EINVAL));
	OK(set(self, ORACLE_RESUMING, 4));
	OK(feed(self, 0, 100, -EINVAL));
	OK(reset(self));
	OK(set(self, ORACLE_RESUMING, 4));
	OK(feed_all(self, SEC));
	OK(set(self, ORACLE_RUNNING, 4));
}

TEST_F(oracle, V1_RES_14_V1_RES_15_V1_CAN_12_V1_YZ_R6_prefixes)
{
	size_t n;

	get_stream(_metadata, self, 1);
	OK(set(self, ORACLE_RESUMING, 4));
	for (n = 0; n < self->len; n++) {
		BAD(set(self, n % 4, 4));
		OK(set(self, n % 4, -EINVAL));
		OK(feed(self, n, 1, 8));
	}
	BAD(set(self, ORACLE_RUNNING, -EINVAL));
	OK(set(self, ORACLE_RUNNING, 4));
}

TEST_F(oracle, STR_01_V1_YZ_R6_flips)
{
	size_t at;
	int ret;

	get_stream(_metadata, self, 1);
	for (at = 0; at < self->len; at++) {
		self->stream[at] ^= 1 << at % 8;
		oracle_stream_reset(&self->o.in);
		ret = oracle_stream_feed(&self->o.in, self->stream, self->len);
		ASSERT_TRUE(ret < 0 || !oracle_stream_complete(&self->o.in))
			TH_LOG("byte %zu", at);
		self->stream[at] ^= 1 << at % 8;
	}
}

/* Drop, double and swap records: only a doubled SESSION is taken. */
TEST_F(oracle, STR_03_V1_YZ_R6_records)
{
	struct oracle_stream *in = &self->o.in;
	size_t at[64], i, n = 0, off;
	struct vmig_rec head;
	int ret;

	get_stream(_metadata, self, 3);
	for (off = 0; off < self->len; n++) {
		at[n] = off;
		memcpy(&head, self->stream + off, sizeof(head));
		off += sizeof(head) + le32toh(head.length);
	}
	at[n] = off;
	for (i = 0; i < n; i++) {
		oracle_stream_reset(in);
		ret = oracle_stream_feed(in, self->stream, at[i]);
		if (!ret)
			ret = oracle_stream_feed(in, self->stream + at[i + 1],
						 self->len - at[i + 1]);
		ASSERT_TRUE(ret || !oracle_stream_complete(in));
		oracle_stream_reset(in);
		ret = oracle_stream_feed(in, self->stream, at[i + 1]);
		if (!ret)
			ret = oracle_stream_feed(in, self->stream + at[i],
						 self->len - at[i]);
		ASSERT_EQ(!i, ret >= 0 && oracle_stream_complete(in));
	}
}

TEST_F(oracle, STR_04_V1_PRE_09_behind_the_end)
{
	get_stream(_metadata, self, 1);
	OK(set(self, ORACLE_RESUMING, 4));
	OK(feed(self, 0, 400, 8));	/* a part of a session */
	OK(feed(self, 400, sizeof(struct vmig_rec) + 20, 8));
	OK(reset(self));
	OK(set(self, ORACLE_RESUMING, 4));
	OK(feed_all(self, SEC));
	OK(feed_all(self, SEC));	/* a second session */
	OK(feed(self, 0, 1, 8));
	BAD(set(self, ORACLE_RUNNING, 4));
	OK(set(self, ORACLE_RUNNING, -EINVAL));
}

TEST_HARNESS_MAIN
