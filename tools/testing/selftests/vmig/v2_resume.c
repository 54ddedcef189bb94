// SPDX-License-Identifier: GPL-2.0-only
/*
 * V2-FSM-70 to 72, STR by v2, and failures: what a data file accepts, refuses and
 * forgets, and that a step which fails leaves a device that can go on. Faults come
 * from the knobs in debugfs.
 */
#include "v2_test.h"

#define UNITS	4
#define VALUE	555

static const char *const steps[] = {
	"fail/save", "fail/resume", "fail/stage", "fail/reserve", "fail/parse",
	"fail/finish",
};

FIXTURE(v2_resume) {
	struct vt t;
	struct vfc_dev *d;	/* the destination */
	struct vmr_list l;	/* the records of t.s */
	int fd;
};

FIXTURE_SETUP(v2_resume)
{
	struct vt *t = &self->t;

	self->fd = -1;
	if (!v2_open_two(_metadata, t))
		SKIP(return, V2_NO_PROTOCOL);
	self->d = v2_dest(t);
	v2_small_stream(_metadata, &t->a, t->m, UNITS, VALUE, &t->s);
	ASSERT_EQ(0, vmr_parse(&self->l, t->s.buf, t->s.len));
}

FIXTURE_TEARDOWN(v2_resume)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		vt_knob_set(&self->t.a, steps[i], "0");
		vt_knob_set(self->d, steps[i], "0");
	}
	if (self->fd >= 0)
		close(self->fd);
	vmr_free(&self->l);
	vt_close(&self->t);
}

static void arm(struct __test_metadata *_metadata, const struct vfc_dev *d,
		const char *step, int err, unsigned int skip, unsigned int times)
{
	char text[64];

	snprintf(text, sizeof(text), "%d %u %u", err, skip, times);
	ASSERT_LT(0, vt_knob_set(d, step, text));
}

/* It has what the stream has, and runs. */
static void good(struct __test_metadata *_metadata, struct vt *t,
		 struct vfc_dev *d)
{
	ASSERT_EQ(VFC2_RUNNING, GET2());
	vt_check_small(_metadata, d, t->m, UNITS, VALUE);
}

/* --- Streams that are not complete ------------------------------------ */

/* Each way out of RESUMING but a reset. */
static const __u32 outs[] = {
	VFC2_STOP, VFC2_RUNNING, VFC2_STOP_COPY, VFC2_RUNNING_P2P,
	VFC2_PRE_COPY, VFC2_PRE_COPY_P2P,
};

static void no_way_out(struct __test_metadata *_metadata, const struct vfc_dev *d)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(outs); i++) {
		REFUSED2(-EINVAL, outs[i]);
		ASSERT_EQ(VFC2_RESUMING, GET2());
	}
}

TEST_F(v2_resume, V2_FSM_70_V1_RES_15_no_data)
{
	struct vfc_dev *d = self->d;

	self->fd = SET2(VFC2_RESUMING);
	no_way_out(_metadata, d);
	/* It is incomplete, not wrong. */
	ASSERT_EQ(0, vfc2_feed(self->fd, 0, self->t.s.buf, self->t.s.len));
	SET2(VFC2_RUNNING);
	good(_metadata, &self->t, d);
}

TEST_F_TIMEOUT(v2_resume, V2_FSM_70_STR_02_every_prefix, 60)
{
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = self->d;
	size_t at, n, stride = vt_stride(s, 2000);

	/* One session: what is missing is asked for at each of its places. */
	self->fd = SET2(VFC2_RESUMING);
	for (at = 0; at < s->len; at += n) {
		REFUSED2(-EINVAL, VFC2_STOP);
		ASSERT_EQ(VFC2_RESUMING, GET2());
		n = s->len - at < stride ? s->len - at : stride;
		ASSERT_EQ(n, v2_write(self->fd, s->buf + at, n));
	}
	SET2(VFC2_RUNNING);
	good(_metadata, &self->t, d);
	close(self->fd);
	/* And a session each, at the borders of records. */
	for (at = 0; at < self->l.n; at++) {
		self->fd = SET2(VFC2_RESUMING);
		n = self->l.rec[at].off;
		ASSERT_EQ(0, vfc2_feed(self->fd, 0, s->buf, n));
		no_way_out(_metadata, d);
		ASSERT_EQ(0, vfc_reset(d));
		close(self->fd);
	}
	self->fd = -1;
	v2_restore(_metadata, d, s);
	good(_metadata, &self->t, d);
}

TEST_F(v2_resume, V2_FSM_71_reset_gives_up)
{
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = self->d;
	__u32 scratch = 1;
	__u64 unit = 1;
	unsigned int part;

	for (part = 0; part <= 4; part++) {
		if (self->t.m)
			ASSERT_EQ(0, self->t.m->reg_set(d, 99));
		self->fd = SET2(VFC2_RESUMING);
		ASSERT_EQ(0, vfc2_feed(self->fd, 0, s->buf, s->len * part / 4));
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(VFC2_RUNNING, GET2());
		v2_dead(_metadata, self->fd, false);
		close(self->fd);
		if (self->t.m) {
			ASSERT_EQ(0, self->t.m->reg_get(d, &scratch));
			ASSERT_EQ(0, scratch);
		}
		if (vt_has(&self->t, 1)) {
			ASSERT_EQ(0, self->t.m->read_back(d, 0, &unit));
			ASSERT_EQ(0, unit);
		}
	}
	self->fd = -1;
	v2_restore(_metadata, d, s);
	good(_metadata, &self->t, d);
}

/* --- From RESUMING to saving ------------------------------------------ */

TEST_F(v2_resume, V2_FSM_72_what_was_loaded_is_saved)
{
	static const __u32 saves[] = {
		VFC2_STOP_COPY, VFC2_PRE_COPY, VFC2_PRE_COPY_P2P,
	};
	struct vfc_stream *s = &self->t.s, again = {};
	struct vfc_dev *d = self->d;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(saves); i++) {
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(0, vfc2_load(d, 0, s));
		self->fd = SET2(saves[i]);
		ASSERT_LE(0, self->fd);
		if (v2_precopies(saves[i]))
			ASSERT_EQ(-ENOMSG, vfc2_drain(self->fd, 0, &again));
		SET2(VFC2_STOP_COPY);
		ASSERT_EQ(0, vfc2_drain(self->fd, 0, &again));
		close(self->fd);
		ASSERT_TRUE(v2_whole(&again));
		/* It never ran, so all but the session's own id is the same. */
		if (saves[i] == VFC2_STOP_COPY) {
			ASSERT_EQ(s->len, again.len);
			ASSERT_EQ(0, memcmp(s->buf + V2_SESSION,
					    again.buf + V2_SESSION,
					    s->len - V2_SESSION));
		}
		v2_restore(_metadata, d, &again);
		good(_metadata, &self->t, d);
		vfc_stream_free(&again);
	}
	self->fd = -1;
}

/* --- Streams that are wrong ------------------------------------------- */

/* @n bytes at @buf are refused, by the write or at the end. */
static void refused(struct __test_metadata *_metadata, const struct vfc_dev *d,
		    const void *buf, size_t n)
{
	__u8 c = 0;
	int fd, ret;

	fd = SET2(VFC2_RESUMING);
	ret = vfc2_feed(fd, 0, buf, n);
	REFUSED2(-EINVAL, VFC2_RUNNING);
	ASSERT_EQ(VFC2_RESUMING, GET2());
	/* Once it was refused, it stays so. */
	if (ret) {
		ASSERT_TRUE(ret == -EINVAL || ret == -EOPNOTSUPP ||
			    ret == -EXDEV)
			TH_LOG("%d", ret);
		ASSERT_GT(0, v2_write(fd, &c, 1));
	}
	ASSERT_EQ(0, vfc_reset(d));
	close(fd);
}

TEST_F_TIMEOUT(v2_resume, STR_01_V2_FD_23_changed_bytes, 60)
{
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = self->d;
	size_t at, stride = s->len / 300 | 1;

	for (at = 0; at < s->len; at += at < 400 ? 7 : stride) {
		s->buf[at] ^= 0x10;
		refused(_metadata, d, s->buf, s->len);
		s->buf[at] ^= 0x10;
	}
	v2_restore(_metadata, d, s);
	good(_metadata, &self->t, d);
}

/* Another order: dropped, doubled and swapped records. */
TEST_F(v2_resume, STR_03_another_order)
{
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = self->d;
	__u8 *buf = malloc(2 * s->len);
	const struct vmr *r, *next;
	size_t i, n;

	ASSERT_NE(NULL, buf);
	for (i = 0; i < self->l.n; i++) {
		r = &self->l.rec[i];
		memcpy(buf, s->buf, r->off);
		n = s->len - r->off - r->len;
		memcpy(buf + r->off, s->buf + r->off + r->len, n);
		refused(_metadata, d, buf, r->off + n);
		if (!i)		/* a second one begins anew */
			continue;
		memcpy(buf + r->off, s->buf + r->off, r->len);
		memcpy(buf + r->off + r->len, s->buf + r->off, s->len - r->off);
		refused(_metadata, d, buf, s->len + r->len);
		if (i + 1 == self->l.n)
			continue;
		next = r + 1;
		memcpy(buf, s->buf, s->len);
		memcpy(buf + r->off, s->buf + next->off, next->len);
		memcpy(buf + r->off + next->len, s->buf + r->off, r->len);
		refused(_metadata, d, buf, s->len);
	}
	free(buf);
	v2_restore(_metadata, d, s);
	good(_metadata, &self->t, d);
}

TEST_F(v2_resume, STR_05_foreign_bytes)
{
	struct vfc_dev *d = self->d;
	__u8 *buf = malloc(1 << 20);
	unsigned int seed = 3;
	size_t i;

	ASSERT_NE(NULL, buf);
	memset(buf, 0, 1 << 20);
	refused(_metadata, d, buf, 1 << 20);
	memset(buf, 0xff, 1 << 20);
	refused(_metadata, d, buf, 1 << 20);
	for (i = 0; i < 1 << 20; i++)
		buf[i] = rand_r(&seed) >> 8;
	refused(_metadata, d, buf, 1 << 20);
	free(buf);
	v2_restore(_metadata, d, &self->t.s);
	good(_metadata, &self->t, d);
}

/* A length that is not checked would be memory that is asked for. */
TEST_F(v2_resume, V2_FD_24_lengths_are_bounded)
{
	static const __u32 lengths[] = { ~0u, 0x80000000, 0x7fffffff, 1 << 24 };
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = self->d;
	struct vmig_rec rec;
	size_t i, k, fed;
	__u8 *zero = calloc(1, 1 << 20);
	int ret;

	ASSERT_NE(NULL, zero);
	for (i = 0; i < self->l.n; i++) {
		for (k = 0; k < ARRAY_SIZE(lengths); k++) {
			self->fd = SET2(VFC2_RESUMING);
			ASSERT_EQ(0, vfc2_feed(self->fd, 0, s->buf,
					       self->l.rec[i].off));
			rec = self->l.rec[i].head;
			rec.length = lengths[k];
			ret = vfc2_feed(self->fd, 0, &rec, sizeof(rec));
			for (fed = 0; !ret && fed < 4; fed++)
				ret = vfc2_feed(self->fd, 0, zero, 1 << 20);
			ASSERT_TRUE(ret == -EINVAL || ret == -EFBIG);
			REFUSED2(-EINVAL, VFC2_STOP);
			ASSERT_EQ(0, vfc_reset(d));
			close(self->fd);
		}
	}
	self->fd = -1;
	free(zero);
}

#define MAX_OPTIONAL	1024	/* stream-format.rst */

TEST_F_TIMEOUT(v2_resume, V2_FD_24_optional_records_are_limited, 60)
{
	__u8 *rec = malloc(VMR_OPTIONAL);
	struct vfc_dev *d = self->d;
	__u32 crc;
	__u64 i;

	if (vmr_crc32c("x", 1, &crc))
		SKIP(return, "the kernel offers no crc32c to programs (AF_ALG)");
	ASSERT_NE(NULL, rec);
	self->fd = SET2(VFC2_RESUMING);
	ASSERT_EQ(0, vfc2_feed(self->fd, 0, self->t.s.buf, V2_SESSION));
	for (i = 1; i <= MAX_OPTIONAL + 1; i++) {
		ASSERT_EQ(0, vmr_optional(rec, i));
		ASSERT_EQ(i <= MAX_OPTIONAL ? (ssize_t)VMR_OPTIONAL : -EINVAL,
			  v2_write(self->fd, rec, VMR_OPTIONAL));
	}
	REFUSED2(-EINVAL, VFC2_STOP);
	v2_restore(_metadata, d, &self->t.s);
	free(rec);
}

/* --- Faults ----------------------------------------------------------- */

/* Where the device may be after a failed request: at @from, or on the way. */
static bool on_path(const struct v2_path *path, __u32 from, __u32 state)
{
	unsigned int i;

	if (state == from)
		return true;
	for (i = 0; i < path->n; i++)
		if (path->step[i] == state)
			return true;
	return false;
}

static void request_fails(struct __test_metadata *_metadata, struct vt *t,
			  struct vfc_dev *d, __u32 from, __u32 to,
			  const char *step, unsigned int *failed)
{
	const char *way = v2_way(7, from, to);
	struct v2_path path;
	int old, ret, fd, now, files;

	if (!way || from == to)
		return;
	path = v2_path(way);
	ASSERT_EQ(0, vfc_reset(d));
	old = v2_reach(_metadata, d, from);
	if (from == VFC2_RESUMING)
		ASSERT_EQ(0, vfc2_feed(old, 0, t->s.buf, t->s.len));
	files = v2_files();
	arm(_metadata, d, step, ENOMEM, 0, 1);
	ret = vfc2_set(d, to, &fd);
	arm(_metadata, d, step, 0, 0, 0);
	now = GET2();
	if (!ret) {
		ASSERT_EQ(to, now);
		if (fd >= 0)
			close(fd);
	} else {
		ASSERT_EQ(-ENOMEM, ret);
		ASSERT_EQ(-1, fd);
		ASSERT_EQ(files, v2_files());
		ASSERT_TRUE(on_path(&path, from, now));
		/* A session that ended on the way has a dead file. */
		if (old >= 0 && now != (int)from && v2_saves(from) &&
		    !v2_saves(now))
			v2_dead(_metadata, old, true);
		++*failed;
		/* Go on from there. */
		SET2(VFC2_RUNNING);
	}
	if (old >= 0)
		close(old);
	ASSERT_EQ(0, vfc_reset(d));
}

TEST_F_TIMEOUT(v2_resume, V2_FSM_63_a_step_fails, 60)
{
	static const char *const begins[] = {
		"fail/save", "fail/resume", "fail/finish",
	};
	struct vfc_dev *d = self->d;
	unsigned int i, from, to, failed = 0;

	if (!vt_has_knob(d, "fail"))
		SKIP(return, VT_NO_KNOB);
	for (i = 0; i < ARRAY_SIZE(begins); i++)
		for (from = 0; from < ARRAY_SIZE(v2_seven); from++)
			for (to = 0; to < ARRAY_SIZE(v2_seven); to++)
				request_fails(_metadata, &self->t, d,
					      v2_seven[from], v2_seven[to],
					      begins[i], &failed);
	/* 11 arcs begin to save, 6 to resume, 6 leave RESUMING, at least. */
	ASSERT_LE(20, failed);
	v2_restore(_metadata, d, &self->t.s);
	good(_metadata, &self->t, d);
}

/* These are never refused, whatever cannot be had. */
TEST_F(v2_resume, V2_FSM_69_to_stop_and_to_run_do_not_fail)
{
	static const __u32 sure[] = {
		VFC2_RUNNING, VFC2_STOP, VFC2_RUNNING_P2P,
	};
	struct vfc_dev *d = &self->t.a;
	unsigned int i, k, n;

	if (!vt_has_knob(d, "fail"))
		SKIP(return, VT_NO_KNOB);
	for (i = 0; i < ARRAY_SIZE(v2_seven); i++) {
		if (v2_seven[i] == VFC2_RESUMING)
			continue;
		for (k = 0; k < ARRAY_SIZE(sure); k++) {
			if (self->t.m)
				vt_touch(_metadata, d, self->t.m, 300, VALUE);
			self->fd = v2_reach(_metadata, d, v2_seven[i]);
			for (n = 0; n < ARRAY_SIZE(steps); n++)
				arm(_metadata, d, steps[n], ENOMEM, 0, 0);
			ASSERT_EQ(-1, SET2(sure[k]));
			ASSERT_EQ(0, vfc_reset(d));
			for (n = 0; n < ARRAY_SIZE(steps); n++)
				arm(_metadata, d, steps[n], 0, 0, 0);
			if (self->fd >= 0)
				close(self->fd);
		}
	}
	self->fd = -1;
	v2_migrates(_metadata, d);
}

/* The last arc of a migration has all it needs since the session began. */
TEST_F(v2_resume, V2_FSM_69_nor_does_stop_and_copy_from_precopy)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i;

	if (!vt_has_knob(d, "fail"))
		SKIP(return, VT_NO_KNOB);
	for (i = 0; i < 2; i++) {
		self->fd = SET2(i ? VFC2_PRE_COPY : VFC2_PRE_COPY_P2P);
		arm(_metadata, d, "fail/save", ENOMEM, 0, 0);
		ASSERT_EQ(-1, SET2(VFC2_STOP_COPY));
		arm(_metadata, d, "fail/save", 0, 0, 0);
		SET2(VFC2_RUNNING);
		close(self->fd);
	}
	self->fd = -1;
}

/* A read that fails takes nothing along. */
TEST_F(v2_resume, V1_SAV_17_V2_FD_14_reads_fail)
{
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = &self->t.a;
	unsigned int fails = 0;
	__u8 buf[1000];
	ssize_t n;

	if (!vt_has_knob(d, "fail"))
		SKIP(return, VT_NO_KNOB);
	v2_restore(_metadata, d, s);
	vfc_stream_free(s);
	self->fd = SET2(VFC2_PRE_COPY);
	for (;;) {
		arm(_metadata, d, "fail/stage", EIO, 0, 1);
		n = v2_read(self->fd, buf, sizeof(buf));
		if (n == -EIO) {
			fails++;
			n = v2_read(self->fd, buf, sizeof(buf));
		}
		arm(_metadata, d, "fail/stage", 0, 0, 0);
		if (n == -ENOMSG) {
			ASSERT_EQ(-1, SET2(VFC2_STOP_COPY));
			continue;
		}
		ASSERT_LE(0, n);
		if (!n)
			break;
		ASSERT_EQ(0, vfc_stream_add(s, buf, n));
	}
	ASSERT_LT(0, fails);
	ASSERT_TRUE(v2_whole(s));
	SET2(VFC2_STOP);
	v2_restores(_metadata, &self->t, s, UNITS, VALUE);
}

/* A write for which there is no memory is not consumed. */
TEST_F(v2_resume, V1_RES_12_V2_FD_23_no_memory_consumes_nothing)
{
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = self->d;
	size_t at, n;

	if (!vt_has_knob(d, "fail"))
		SKIP(return, VT_NO_KNOB);
	self->fd = SET2(VFC2_RESUMING);
	for (at = 0; at < s->len; at += n) {
		n = s->len - at < 3000 ? s->len - at : 3000;
		arm(_metadata, d, "fail/reserve", ENOMEM, 0, 2);
		ASSERT_EQ(-ENOMEM, v2_write(self->fd, s->buf + at, n));
		ASSERT_EQ(-ENOMEM, v2_write(self->fd, s->buf + at, n));
		ASSERT_EQ(VFC2_RESUMING, GET2());
		ASSERT_EQ(n, v2_write(self->fd, s->buf + at, n));
	}
	SET2(VFC2_RUNNING);
	good(_metadata, &self->t, d);
}

TEST_F(v2_resume, V2_FD_23_refused_is_refused)
{
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = self->d;
	unsigned int skip;

	if (!vt_has_knob(d, "fail"))
		SKIP(return, VT_NO_KNOB);
	for (skip = 0; skip < 5; skip++) {
		arm(_metadata, d, "fail/parse", EINVAL, skip, 1);
		self->fd = SET2(VFC2_RESUMING);
		ASSERT_EQ(-EINVAL, vfc2_feed(self->fd, s->len / 5 + 1, s->buf,
					     s->len));
		ASSERT_EQ(-EINVAL, v2_write(self->fd, s->buf, 1));
		no_way_out(_metadata, d);
		ASSERT_EQ(0, vfc_reset(d));
		close(self->fd);
	}
	self->fd = -1;
	v2_restore(_metadata, d, s);
	good(_metadata, &self->t, d);
}

/* The last check fails: still RESUMING, and it can be asked again. */
TEST_F(v2_resume, V2_FSM_63_V2_FSM_70_leaving_fails)
{
	struct vfc_dev *d = self->d;
	unsigned int i;

	if (!vt_has_knob(d, "fail"))
		SKIP(return, VT_NO_KNOB);
	for (i = 0; i < ARRAY_SIZE(outs); i++) {
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(0, vfc2_load(d, 0, &self->t.s));
		arm(_metadata, d, "fail/finish", EIO, 0, 1);
		REFUSED2(-EIO, outs[i]);
		ASSERT_EQ(VFC2_RESUMING, GET2());
		ASSERT_EQ(0, vfc2_set(d, outs[i], NULL));
		SET2(VFC2_STOP);
		SET2(VFC2_RUNNING);
		good(_metadata, &self->t, d);
	}
}

TEST_HARNESS_MAIN
