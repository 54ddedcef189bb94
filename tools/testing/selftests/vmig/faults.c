// SPDX-License-Identifier: GPL-2.0-only
/*
 * What may fail does so by itself: each step of the engine that can fail is made
 * to, by a knob in debugfs. The client gets that errno, the device is as before,
 * and the same request succeeds when the fault is gone. What may not fail is
 * tried with every fault armed.
 */
#include <errno.h>

#include "vmig_test.h"

#define UNITS	20
#define VALUE	4711

static const char *const steps[] = {
	"fail/save", "fail/resume", "fail/stage", "fail/reserve", "fail/parse",
	"fail/finish",
};

#define NR_STEPS	ARRAY_SIZE(steps)

FIXTURE(faults) {
	struct vt t;
	struct vfc_dev *d;	/* the destination */
};

FIXTURE_SETUP(faults)
{
	vt_open_two(_metadata, &self->t);
	self->d = self->t.two ? &self->t.b : &self->t.a;
	if (!vt_has_knob(&self->t.a, "fail"))
		SKIP(return, VT_NO_KNOB);
}

FIXTURE_TEARDOWN(faults)
{
	unsigned int i;

	for (i = 0; i < NR_STEPS; i++) {
		vt_knob_set(&self->t.a, steps[i], "0");
		vt_knob_set(self->d, steps[i], "0");
	}
	vt_close(&self->t);
}

static void arm(struct __test_metadata *_metadata, const struct vfc_dev *d,
		const char *step, int err, unsigned int skip, unsigned int times)
{
	char text[64];

	snprintf(text, sizeof(text), "%d %u %u", err, skip, times);
	ASSERT_LT(0, vt_knob_set(d, step, text));
}

static void arm_all(struct __test_metadata *_metadata, const struct vfc_dev *d,
		    int err)
{
	unsigned int i;

	for (i = 0; i < NR_STEPS; i++)
		arm(_metadata, d, steps[i], err, 0, 0);
}

/* A complete stream in a RESUMING device, or just the state. */
static void reach_loaded(struct __test_metadata *_metadata, struct vt *t,
			 const struct vfc_dev *d, __u32 state)
{
	int ret = vfc_reset(d);

	ASSERT_EQ(0, ret);
	if (state == VFC_RESUMING)
		ret = vfc_load(d, &vt_bulk, &t->s);
	else
		vt_reach(_metadata, d, state);
	ASSERT_EQ(0, ret);
}

/* Does the way from one state to another begin a session, and which? */
static const char *session_step(__u32 from, __u32 to)
{
	if (from == to || (from == VFC_SAVING && to == VFC_PRECOPY))
		return NULL;
	if (to == VFC_RESUMING)
		return "fail/resume";
	if (to == VFC_PRECOPY || (to == VFC_SAVING && from != VFC_PRECOPY))
		return "fail/save";
	return NULL;
}

static void enter_fails(struct __test_metadata *_metadata, struct vt *t,
			const struct vfc_dev *d, __u32 from, __u32 to, int err)
{
	const char *step = session_step(from, to);
	struct vt_snap before;

	if (!step)
		return;
	reach_loaded(_metadata, t, d, from);
	vt_snap(_metadata, d, t->m,
		from == VFC_SAVING || (from == VFC_PRECOPY && vt_has(t, 1)), &before);
	arm(_metadata, d, step, err, 0, 1);
	ASSERT_EQ(-err, vfc_w4(d, VFC_STATE, to))
		TH_LOG("%u to %u", from, to);
	vt_unchanged(_metadata, d, t->m, &before);
	vt_snap_free(&before);
	/* Once it is over, the same request is granted. */
	SET(to);
}

TEST_F(faults, V1_ST_05_V1_ST_06_V1_ST_07_entering_fails)
{
	static const int errs[] = { ENOMEM, EIO, ENOSPC };
	struct vt *t = &self->t;
	__u32 from, to;
	unsigned int i;

	vt_small_stream(_metadata, &t->a, t->m, UNITS, VALUE, &t->s);
	for (i = 0; i < 3; i++)
		for (from = VFC_STOP; from <= VFC_RESUMING; from++)
			for (to = VFC_STOP; to <= VFC_RESUMING; to++)
				enter_fails(_metadata, t, self->d, from, to,
					    errs[i]);
	vt_restore(_metadata, self->d, &t->s);
	vt_check_small(_metadata, self->d, t->m, UNITS, VALUE);
}

/* From RESUMING to saving: what was received is still there after a failure. */
TEST_F(faults, V1_ST_06_resume_then_save)
{
	struct vt *t = &self->t;
	struct vfc_dev *d = self->d;
	struct vfc_stream again = {};

	vt_small_stream(_metadata, &t->a, t->m, UNITS, VALUE, &t->s);
	ASSERT_EQ(0, vfc_load(d, &vt_bulk, &t->s));
	arm(_metadata, d, "fail/save", ENOMEM, 0, 3);
	ASSERT_EQ(-ENOMEM, vfc_w4(d, VFC_STATE, VFC_SAVING));
	ASSERT_EQ(-ENOMEM, vfc_w4(d, VFC_STATE, VFC_PRECOPY));
	ASSERT_EQ(-ENOMEM, vfc_w4(d, VFC_STATE, VFC_SAVING));
	ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
	SET(VFC_SAVING);
	ASSERT_EQ(0, vfc_drain(d, &vt_bulk, &again));
	vt_restore(_metadata, d, &again);
	vt_check_small(_metadata, d, t->m, UNITS, VALUE);
	vfc_stream_free(&again);
}

TEST_F(faults, V1_ST_09_what_cannot_fail)
{
	static const struct {
		__u32 from, to;
	} ways[] = {
		{ VFC_RUNNING, VFC_STOP }, { VFC_STOP, VFC_RUNNING },
		{ VFC_PRECOPY, VFC_RUNNING }, { VFC_SAVING, VFC_RUNNING },
		{ VFC_SAVING, VFC_STOP }, { VFC_PRECOPY, VFC_SAVING },
		{ VFC_PRECOPY, VFC_STOP },
	};
	struct vfc_dev *d = &self->t.a;
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		ASSERT_EQ(0, vfc_reset(d));
		vt_reach(_metadata, d, ways[i].from);
		arm_all(_metadata, d, ENOMEM);
		SET(ways[i].to);
		/* Nor can these. */
		ASSERT_EQ(4, vfc_w4(d, VFC_STATE, ways[i].to));
		R8(VFC_PENDING);
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
		for (k = 0; k < NR_STEPS; k++)
			arm(_metadata, d, steps[k], 0, 0, 0);
	}
	vt_migrates(_metadata, d);
}

/* After any failed write the state is a valid one, and not ERROR. */
TEST_F(faults, V1_ST_08_V1_Q7_T10_never_the_error_state)
{
	struct vt *t = &self->t;
	struct vfc_dev *d = self->d;
	__u32 from, to, now;
	unsigned int failed = 0;
	int ret;

	vt_small_stream(_metadata, &t->a, t->m, UNITS, VALUE, &t->s);
	for (from = VFC_STOP; from <= VFC_RESUMING; from++) {
		for (to = 0; to < 16; to++) {
			reach_loaded(_metadata, t, d, from);
			arm_all(_metadata, d, EIO);
			ret = vfc_w4(d, VFC_STATE, to);
			now = R4(VFC_STATE);
			ASSERT_EQ(ret == 4 ? to : from, now);
			failed += ret != 4;
			for (ret = 0; ret < (int)NR_STEPS; ret++)
				arm(_metadata, d, steps[ret], 0, 0, 0);
		}
	}
	ASSERT_LT(40, failed);
}

/* Each segment's staging fails, by whichever field is read; nothing is lost. */
static void staging_fails(struct __test_metadata *_metadata, struct vt *t,
			  const struct vfc_dev *to, __u64 field, bool precopy)
{
	struct vfc_dev *d = &t->a;
	__u64 value, pending;
	unsigned int fails = 0;

	vfc_stream_free(&t->s);
	ASSERT_EQ(0, vfc_reset(d));
	if (t->m) {
		vt_touch(_metadata, d, t->m, 600, VALUE);
		ASSERT_EQ(0, t->m->reg_set(d, VALUE));
	}
	if (precopy)
		SET(VFC_PRECOPY);
	else
		SET(VFC_SAVING);
again:
	for (pending = R8(VFC_PENDING); pending; pending = R8(VFC_PENDING)) {
		arm(_metadata, d, "fail/stage", ENOMEM, 0, 2);
		ASSERT_EQ(-ENOMEM, vfc_r8(d, field, &value));
		ASSERT_EQ(precopy ? VFC_PRECOPY : VFC_SAVING, R4(VFC_STATE));
		ASSERT_EQ(pending, R8(VFC_PENDING));
		ASSERT_EQ(-ENOMEM, vfc_r8(d, VFC_OFFSET, &value));
		ASSERT_LT(0, vfc_save_segment(d, &vt_bulk, &t->s));
		fails++;
	}
	if (precopy) {
		precopy = false;
		SET(VFC_SAVING);
		goto again;
	}
	ASSERT_LE(t->s.nseg, fails);
	SET(VFC_STOP);
	vt_restore(_metadata, to, &t->s);
	vt_check_small(_metadata, to, t->m, 600, VALUE);
}

TEST_F(faults, V1_SAV_16_V1_SAV_17_staging_by_offset)
{
	staging_fails(_metadata, &self->t, self->d, VFC_OFFSET, false);
	staging_fails(_metadata, &self->t, self->d, VFC_OFFSET, true);
}

TEST_F(faults, V1_SAV_16_V1_SAV_17_staging_by_size)
{
	staging_fails(_metadata, &self->t, self->d, VFC_SIZE, false);
	staging_fails(_metadata, &self->t, self->d, VFC_SIZE, true);
}

TEST_F(faults, V1_SAV_16_cancel_after_a_failure)
{
	struct vfc_dev *d = &self->t.a;
	__u32 state, back;
	__u64 value;

	for (state = VFC_SAVING; state <= VFC_PRECOPY; state++) {
		for (back = VFC_STOP; back <= VFC_RUNNING; back++) {
			ASSERT_EQ(0, vfc_reset(d));
			SET(state);
			arm(_metadata, d, "fail/stage", EIO, 0, 0);
			ASSERT_EQ(-EIO, vfc_r8(d, VFC_OFFSET, &value));
			SET(back);
			arm(_metadata, d, "fail/stage", 0, 0, 0);
			SET(VFC_RUNNING);
			vt_migrates(_metadata, d);
		}
	}
}

/* A segment for which there is no memory is not consumed: write its size again. */
TEST_F(faults, V1_RES_12_no_memory_consumes_nothing)
{
	struct vt *t = &self->t;
	struct vfc_dev *d = self->d;
	size_t off, n, step;

	vt_small_stream(_metadata, &t->a, t->m, UNITS, VALUE, &t->s);
	SET(VFC_RESUMING);
	step = t->s.len / 7 + 1;
	if (step > vfc_section(d))
		step = vfc_section(d);
	for (off = 0; off < t->s.len; off += n) {
		n = t->s.len - off < step ? t->s.len - off : step;
		WD(0, t->s.buf + off, n);
		arm(_metadata, d, "fail/reserve", ENOMEM, 0, 2);
		ASSERT_EQ(-ENOMEM, vfc_w8(d, VFC_SIZE, n));
		ASSERT_EQ(-ENOMEM, vfc_w8(d, VFC_SIZE, n));
		ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
		W8(VFC_SIZE, n);
	}
	SET(VFC_RUNNING);
	vt_check_small(_metadata, d, t->m, UNITS, VALUE);
}

/* A segment that is refused poisons the session, whichever it is. */
TEST_F(faults, V1_RES_12_refused_is_refused)
{
	struct vt *t = &self->t;
	struct vfc_dev *d = self->d;
	unsigned int skip;
	int ret;

	vt_small_stream(_metadata, &t->a, t->m, UNITS, VALUE, &t->s);
	for (skip = 0; skip < 5; skip++) {
		ASSERT_EQ(0, vfc_reset(d));
		arm(_metadata, d, "fail/parse", EINVAL, skip, 1);
		SET(VFC_RESUMING);
		ret = vfc_feed_all(d, &vt_bulk, t->s.buf, t->s.len,
				   t->s.len / 5 + 1);
		ASSERT_EQ(-EINVAL, ret);
		ASSERT_EQ(-EINVAL, vfc_feed(d, &vt_bulk, t->s.buf, 1));
		ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
		ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
	}
	vt_restore(_metadata, d, &t->s);
	vt_check_small(_metadata, d, t->m, UNITS, VALUE);
}

/* The last check fails: still RESUMING, and it can be asked again. */
TEST_F(faults, V1_RES_14_V1_ST_05_leaving_fails)
{
	static const __u32 to[] = {
		VFC_STOP, VFC_RUNNING, VFC_SAVING, VFC_PRECOPY,
	};
	struct vt *t = &self->t;
	struct vfc_dev *d = self->d;
	unsigned int i;

	vt_small_stream(_metadata, &t->a, t->m, UNITS, VALUE, &t->s);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(0, vfc_load(d, &vt_bulk, &t->s));
		arm(_metadata, d, "fail/finish", EIO, 0, 1);
		ASSERT_EQ(-EIO, vfc_w4(d, VFC_STATE, to[i]));
		ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
		SET(to[i]);
		SET(VFC_STOP);
		SET(VFC_RUNNING);
		vt_check_small(_metadata, d, t->m, UNITS, VALUE);
	}
}

/* Each class of refusal has its errno, and a bad pointer is none of them. */
TEST_F(faults, V1_ST_07_errno)
{
	struct vfc_dev *d = &self->t.a;
	__u32 v = 0;

	ASSERT_EQ(-EINVAL, vfc_w4(d, VFC_STATE, 5));
	ASSERT_EQ(-EINVAL, vfc_w4(d, VFC_STATE, 7));
	ASSERT_EQ(-EINVAL, vfc_w4(d, VFC_STATE, 8));
	SET(VFC_SAVING);
	ASSERT_EQ(-EINVAL, vfc_w4(d, VFC_STATE, VFC_PRECOPY));
	ASSERT_EQ(-EFAULT, vfc_pwrite(d, (void *)1, 4, VFC_STATE));
	SET(VFC_STOP);
	arm(_metadata, d, "fail/save", ENOMEM, 0, 1);
	ASSERT_EQ(-ENOMEM, vfc_w4(d, VFC_STATE, VFC_SAVING));
	vt_make_error(_metadata, d);
	for (v = 0; v < 16; v++)
		ASSERT_EQ(-EIO, vfc_w4(d, VFC_STATE, v));
	ASSERT_EQ(0, vfc_reset(d));
}

TEST_F(faults, knob_refuses_nonsense)
{
	static const char *const bad[] = {
		"x", "-1", "134", "1 x", "1 2 x", "1 2 3 4", "1,2", "99999999999",
		"1 2 3                                                   ",
	};
	struct vfc_dev *d = &self->t.a;
	char path[VFC_PATH], text[64];
	unsigned int i;

	ASSERT_LT(0, vt_knob_set(d, "fail/save", "12 3 4\n"));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ASSERT_EQ(-EINVAL, vt_knob_set(d, "fail/save", bad[i]))
			TH_LOG("text %u", i);
	ASSERT_LT(0, vfc_file_read(vt_knob(d, "fail/save", path), text,
				   sizeof(text)));
	ASSERT_STREQ("12 3 4\n", text);
	ASSERT_LT(0, vt_knob_set(d, "fail/save", "0"));
	ASSERT_LT(0, vfc_file_read(path, text, sizeof(text)));
	ASSERT_STREQ("0 0 0\n", text);
}

TEST_HARNESS_MAIN
