// SPDX-License-Identifier: GPL-2.0-only
/*
 * What may fail does so by itself: each step of the engine that can fail is made
 * to, by a knob in debugfs. The client gets that errno, the device is as before,
 * and the same request succeeds when the fault is gone. What may not fail is
 * tried with every fault armed.
 */
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

/* A device in RUNNING or PRECOPY runs: it was not stopped on the way. */
static void still_runs(struct __test_metadata *_metadata, struct vt *t,
		       const struct vfc_dev *d, __u32 state)
{
	__u64 before, after;
	unsigned int i;

	if (!t->m || (state != VFC_RUNNING && state != VFC_PRECOPY))
		return;
	ASSERT_EQ(0, t->m->ticks(d, &before));
	for (i = 0, after = before; after == before && i < 5000; i++) {
		usleep(10);
		ASSERT_EQ(0, t->m->ticks(d, &after));
	}
	ASSERT_LT(before, after);
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
	still_runs(_metadata, t, d, from);
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

/* --- What cannot fail ------------------------------------------------- */

static const struct {
	__u32 from, to;
} sure[] = {
	{ VFC_RUNNING, VFC_STOP }, { VFC_STOP, VFC_RUNNING },
	{ VFC_PRECOPY, VFC_RUNNING }, { VFC_SAVING, VFC_RUNNING },
	{ VFC_SAVING, VFC_STOP }, { VFC_PRECOPY, VFC_SAVING },
	{ VFC_PRECOPY, VFC_STOP },
};

/*
 * As much as there can be to do: the state is large, mapped and dirty, and a
 * segment in doubt.
 */
static void reach_full(struct __test_metadata *_metadata, struct vt *t,
		       __u32 state)
{
	struct vfc_dev *d = &t->a;
	unsigned int i, n;
	__u8 *p;

	vfc_unmap(d);
	ASSERT_EQ(0, vfc_reset(d));
	if (d->area_size)
		ASSERT_EQ(0, vfc_map(d));
	if (t->m)
		vt_touch(_metadata, d, t->m, 600, VALUE);
	vt_reach(_metadata, d, state);
	if (state == VFC_SAVING || state == VFC_PRECOPY)
		ASSERT_LT(0, R8(VFC_SIZE));
	for (i = 0; d->area_size && i < d->area_size; i += VFC_UNIT)
		(void)*(volatile __u8 *)(d->map + i);
	if (!vt_maps(t->m) || (state != VFC_RUNNING && state != VFC_PRECOPY))
		return;
	n = vt_units(d, t->m, 600);
	ASSERT_EQ(0, t->m->map(d, n, &p));
	for (i = 0; i < n; i++)
		*(volatile __u8 *)(p + i * VFC_UNIT) = p[i * VFC_UNIT];
	ASSERT_EQ(0, munmap(p, n * VFC_UNIT));
}

TEST_F(faults, no_fault_in_what_cannot_fail)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(sure); i++) {
		reach_full(_metadata, &self->t, sure[i].from);
		arm_all(_metadata, d, ENOMEM);
		SET(sure[i].to);
		/* Nor can these. */
		ASSERT_EQ(4, vfc_w4(d, VFC_STATE, sure[i].to));
		R8(VFC_PENDING);
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
		for (k = 0; k < NR_STEPS; k++)
			arm(_metadata, d, steps[k], 0, 0, 0);
	}
	vt_migrates(_metadata, d);
}

#define TRACING		"/sys/kernel/tracing"
#define TRACE		TRACING "/instances/vmig-faults"
#define VT_NO_TRACE	"the kernel does not trace allocations"

static bool trace_put(const char *file, const char *text)
{
	char path[VFC_PATH];

	snprintf(path, sizeof(path), TRACE "/%s", file);
	return vfc_file_write(path, text, strlen(text)) > 0;
}

/* Have each allocation that this thread makes recorded. */
static bool trace_open(void)
{
	static const char *const events[] = {
		"kmalloc", "kmem_cache_alloc", "mm_page_alloc",
	};
	char text[64];
	unsigned int i;

	if (access(TRACING "/instances", F_OK))
		mount("none", TRACING, "tracefs", 0, NULL);
	if (mkdir(TRACE, 0700) && errno != EEXIST)
		return false;
	snprintf(text, sizeof(text), "%d", (int)gettid());
	if (!trace_put("tracing_on", "0") || !trace_put("set_event_pid", text))
		return false;
	for (i = 0; i < ARRAY_SIZE(events); i++) {
		snprintf(text, sizeof(text), "events/kmem/%s/enable", events[i]);
		if (!trace_put(text, "1"))
			return false;
	}
	return true;
}

static void trace_close(void)
{
	trace_put("events/enable", "0");
	rmdir(TRACE);
}

/* Nothing is recorded until tracing_on says so. */
static void trace_clear(void)
{
	int fd = open(TRACE "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
}

/* Allocations between the two marks, the last one in @last; -1: no marks. */
static int trace_allocations(char last[256])
{
	char line[1024];
	FILE *f = fopen(TRACE "/trace", "r");
	bool inside = false, done = false;
	int n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			continue;
		if (strstr(line, "vmig-begin")) {
			inside = true;
		} else if (strstr(line, "vmig-end")) {
			done = inside;
			inside = false;
		} else if (inside) {
			snprintf(last, 256, "%.255s", line);
			n++;
		}
	}
	if (f)
		fclose(f);
	return done ? n : -1;
}

/* One write of the state. An interrupt may allocate, but not each time. */
static int allocations(struct __test_metadata *_metadata, struct vt *t,
		       __u32 from, __u32 to, char last[256])
{
	int marker = open(TRACE "/trace_marker", O_WRONLY | O_CLOEXEC);
	struct vfc_dev *d = &t->a;
	int n = -1, k, ret;

	ASSERT_LE(0, marker);
	for (k = 0; k < 3 && n; k++) {
		reach_full(_metadata, t, from);
		trace_clear();
		ASSERT_TRUE(trace_put("tracing_on", "1"));
		/* Open already: to open a file takes memory. */
		ASSERT_EQ(10, write(marker, "vmig-begin", 10));
		ret = vfc_w4(d, VFC_STATE, to);
		ASSERT_EQ(8, write(marker, "vmig-end", 8));
		ASSERT_TRUE(trace_put("tracing_on", "0"));
		ASSERT_EQ(4, ret);
		n = trace_allocations(last);
		ASSERT_LE(0, n);
	}
	close(marker);
	return n;
}

/* These ways cannot fail because they need no memory: they ask for none. */
TEST_F_TIMEOUT(faults, V1_ST_09_what_cannot_fail, 60)
{
	char last[256] = "";
	unsigned int i;
	int n;

	if (!trace_open())
		SKIP(return, VT_NO_TRACE);
	/* It sees allocations where there are some. */
	ASSERT_LT(0, allocations(_metadata, &self->t, VFC_RUNNING, VFC_PRECOPY,
				 last));
	for (i = 0; i < ARRAY_SIZE(sure); i++) {
		n = allocations(_metadata, &self->t, sure[i].from, sure[i].to,
				last);
		ASSERT_EQ(0, n)
			TH_LOG("%u to %u: %s", sure[i].from, sure[i].to, last);
	}
	trace_close();
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
