// SPDX-License-Identifier: GPL-2.0-only
/*
 * V2-FSM: the state machine. Every ordered pair of states with the steps that it
 * takes, for all sets of states that a device may have; what each state promises;
 * and that a request is refused whole or granted whole.
 */
#include "busy.h"
#include "v2_test.h"

#define UNITS	3
#define VALUE	77

/* --- One pair --------------------------------------------------------- */

/* The session of @fd goes on from @from to @to. */
static bool keeps_file(__u32 from, const struct v2_path *path)
{
	unsigned int i;

	if (!v2_saves(from))
		return false;
	for (i = 0; i < path->n; i++)
		if (!v2_saves(path->step[i]))
			return false;
	return true;
}

/* A file comes with these arcs, and with no other. */
static bool arc_gives_file(__u32 from, __u32 to)
{
	return (from == VFC2_RUNNING && to == VFC2_PRE_COPY) ||
		(from == VFC2_RUNNING_P2P && to == VFC2_PRE_COPY_P2P) ||
		(from == VFC2_STOP && to == VFC2_STOP_COPY) ||
		(from == VFC2_STOP && to == VFC2_RESUMING);
}

static void check_file(struct __test_metadata *_metadata, int fd, __u32 state)
{
	int flags = fcntl(fd, F_GETFL);
	ssize_t n;
	__u8 c;

	ASSERT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	ASSERT_LE(0, flags);
	ASSERT_EQ(state == VFC2_RESUMING ? O_WRONLY : O_RDONLY,
		  flags & O_ACCMODE);
	n = v2_saves(state) ? v2_read(fd, &c, 1) : v2_write(fd, &c, 0);
	ASSERT_EQ(v2_saves(state), n);
}

/* The driver went @path, if it can be seen. */
static void check_path(struct __test_metadata *_metadata,
		       const struct vfc_dev *d, __u32 from,
		       const struct v2_path *path, bool traced)
{
	struct v2_path taken;
	unsigned int i;

	if (!traced)
		return;
	ASSERT_TRUE(v2_trace_path(d->uuid, from, &taken));
	ASSERT_EQ(path->n, taken.n);
	for (i = 0; i < path->n; i++)
		ASSERT_EQ(path->step[i], taken.step[i]);
}

static void check_granted(struct __test_metadata *_metadata, struct vt *t,
			  __u32 from, __u32 to, const char *way, int old,
			  bool traced)
{
	struct v2_path path = v2_path(way);
	struct vfc_dev *d = &t->a;
	int fd, files = v2_files();
	__u32 last;

	v2_trace_clear();
	ASSERT_EQ(0, vfc2_set(d, to, &fd));
	ASSERT_EQ(to, GET2());
	check_path(_metadata, d, from, &path, traced);
	last = path.n > 1 ? path.step[path.n - 2] : from;
	ASSERT_EQ(path.file, arc_gives_file(last, to));
	ASSERT_EQ(path.file, fd >= 0);
	ASSERT_EQ(files + path.file, v2_files());
	vt_ticks(_metadata, d, t->m, v2_runs(to));
	if (old >= 0 && !keeps_file(from, &path))
		v2_dead(_metadata, old, v2_saves(from));
	else if (old >= 0)
		check_file(_metadata, old, to);
	if (fd < 0)
		return;
	check_file(_metadata, fd, to);
	close(fd);
}

/* The session of @old, one byte of which was moved, is as it was. */
static void check_untouched(struct __test_metadata *_metadata, struct vt *t,
			    __u32 state, int old)
{
	struct vfc_stream *s = &t->s;

	if (old < 0)
		return;
	if (state == VFC2_RESUMING) {
		ASSERT_EQ(0, vfc2_feed(old, 0, s->buf + 1, s->len - 1));
		ASSERT_EQ(0, vfc2_set(&t->a, VFC2_STOP, NULL));
		vt_check_small(_metadata, &t->a, t->m, UNITS, VALUE);
		return;
	}
	ASSERT_EQ(state == VFC2_STOP_COPY ? 0 : -ENOMSG, vfc2_drain(old, 0, s));
	if (state == VFC2_STOP_COPY)
		ASSERT_TRUE(v2_whole(s));
}

static void check_refused(struct __test_metadata *_metadata, struct vt *t,
			  __u32 from, __u32 to, int old, bool traced)
{
	int fd, ret, files = v2_files();
	struct v2_path none = {};
	struct vfc_dev *d = &t->a;
	__u32 before, after;
	__u8 c;

	if (old >= 0 && v2_saves(from)) {
		vfc_stream_free(&t->s);
		ASSERT_EQ(1, v2_read(old, &c, 1));
		ASSERT_EQ(0, vfc_stream_add(&t->s, &c, 1));
	} else if (old >= 0) {
		ASSERT_EQ(1, v2_write(old, t->s.buf, 1));
	}
	if (t->m)
		ASSERT_EQ(0, t->m->reg_get(d, &before));
	v2_trace_clear();
	ret = vfc2_set(d, to, &fd);
	ASSERT_EQ(from == VFC2_ERROR ? -EIO : -EINVAL, ret);
	ASSERT_EQ(-1, fd);
	ASSERT_EQ(from, GET2());
	ASSERT_EQ(files, v2_files());
	check_path(_metadata, d, from, &none, traced);
	if (t->m) {
		ASSERT_EQ(0, t->m->reg_get(d, &after));
		ASSERT_EQ(before, after);
	}
	vt_ticks(_metadata, d, t->m, v2_runs(from));
	check_untouched(_metadata, t, from, old);
}

/* From RUNNING and back to it. */
static void check_pair(struct __test_metadata *_metadata, struct vt *t,
		       __u64 flags, __u32 from, __u32 to, bool traced)
{
	const char *way = v2_way(flags, from, to);
	struct vfc_dev *d = &t->a;
	int fd;

	vfc_stream_free(&t->s);
	if (from == VFC2_RESUMING)
		v2_small_stream(_metadata, d, t->m, UNITS, VALUE, &t->s);
	fd = v2_reach(_metadata, d, from);
	if (way && from == VFC2_RESUMING)
		ASSERT_EQ(0, vfc2_feed(fd, 0, t->s.buf, t->s.len));
	if (way)
		check_granted(_metadata, t, from, to, way, fd, traced);
	else
		check_refused(_metadata, t, from, to, fd, traced);
	if (fd >= 0)
		close(fd);
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(VFC2_RUNNING, GET2());
}

/* --- All pairs of a device that has all states ------------------------ */

FIXTURE(v2_matrix) {
	struct vt t;
	bool traced;
};

FIXTURE_VARIANT(v2_matrix) {
	__u32 from;
	__u32 to;
};

FIXTURE_SETUP(v2_matrix)
{
	if (!v2_open(_metadata, &self->t))
		SKIP(return, V2_NO_PROTOCOL);
	self->traced = v2_trace_open();
}

FIXTURE_TEARDOWN(v2_matrix)
{
	v2_trace_close();
	vt_close(&self->t);
}

/* By rows and columns of the table, without the diagonal. */
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_01) { VFC2_STOP, VFC2_RUNNING };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_02) { VFC2_STOP, VFC2_STOP_COPY };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_03) { VFC2_STOP, VFC2_RESUMING };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_04) { VFC2_STOP, VFC2_RUNNING_P2P };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_05) { VFC2_STOP, VFC2_PRE_COPY };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_06) { VFC2_STOP, VFC2_PRE_COPY_P2P };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_07) { VFC2_STOP, VFC2_ERROR };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_08) { VFC2_RUNNING, VFC2_STOP };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_09) { VFC2_RUNNING, VFC2_STOP_COPY };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_10) { VFC2_RUNNING, VFC2_RESUMING };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_11) { VFC2_RUNNING, VFC2_RUNNING_P2P };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_12) { VFC2_RUNNING, VFC2_PRE_COPY };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_13) { VFC2_RUNNING, VFC2_PRE_COPY_P2P };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_14) { VFC2_RUNNING, VFC2_ERROR };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_15) { VFC2_STOP_COPY, VFC2_STOP };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_16) { VFC2_STOP_COPY, VFC2_RUNNING };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_17) { VFC2_STOP_COPY, VFC2_RESUMING };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_18) { VFC2_STOP_COPY, VFC2_RUNNING_P2P };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_19) { VFC2_STOP_COPY, VFC2_PRE_COPY };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_20) { VFC2_STOP_COPY, VFC2_PRE_COPY_P2P };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_21) { VFC2_STOP_COPY, VFC2_ERROR };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_22) { VFC2_RESUMING, VFC2_STOP };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_23) { VFC2_RESUMING, VFC2_RUNNING };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_24) { VFC2_RESUMING, VFC2_STOP_COPY };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_25) { VFC2_RESUMING, VFC2_RUNNING_P2P };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_26) { VFC2_RESUMING, VFC2_PRE_COPY };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_27) { VFC2_RESUMING, VFC2_PRE_COPY_P2P };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_28) { VFC2_RESUMING, VFC2_ERROR };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_29) { VFC2_RUNNING_P2P, VFC2_STOP };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_30) { VFC2_RUNNING_P2P, VFC2_RUNNING };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_31) { VFC2_RUNNING_P2P, VFC2_STOP_COPY };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_32) { VFC2_RUNNING_P2P, VFC2_RESUMING };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_33) { VFC2_RUNNING_P2P, VFC2_PRE_COPY };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_34) { VFC2_RUNNING_P2P, VFC2_PRE_COPY_P2P };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_35) { VFC2_RUNNING_P2P, VFC2_ERROR };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_36) { VFC2_PRE_COPY, VFC2_STOP };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_37) { VFC2_PRE_COPY, VFC2_RUNNING };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_38) { VFC2_PRE_COPY, VFC2_STOP_COPY };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_39) { VFC2_PRE_COPY, VFC2_RESUMING };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_40) { VFC2_PRE_COPY, VFC2_RUNNING_P2P };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_41) { VFC2_PRE_COPY, VFC2_PRE_COPY_P2P };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_42) { VFC2_PRE_COPY, VFC2_ERROR };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_43) { VFC2_PRE_COPY_P2P, VFC2_STOP };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_44) { VFC2_PRE_COPY_P2P, VFC2_RUNNING };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_45) { VFC2_PRE_COPY_P2P, VFC2_STOP_COPY };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_46) { VFC2_PRE_COPY_P2P, VFC2_RESUMING };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_47) { VFC2_PRE_COPY_P2P, VFC2_RUNNING_P2P };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_48) { VFC2_PRE_COPY_P2P, VFC2_PRE_COPY };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_49) { VFC2_PRE_COPY_P2P, VFC2_ERROR };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_50) { VFC2_ERROR, VFC2_STOP };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_51) { VFC2_ERROR, VFC2_RUNNING };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_52) { VFC2_ERROR, VFC2_STOP_COPY };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_53) { VFC2_ERROR, VFC2_RESUMING };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_54) { VFC2_ERROR, VFC2_RUNNING_P2P };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_55) { VFC2_ERROR, VFC2_PRE_COPY };
FIXTURE_VARIANT_ADD(v2_matrix, V2_FSM_56) { VFC2_ERROR, VFC2_PRE_COPY_P2P };

TEST_F(v2_matrix, V2_FSM_61_V2_FSM_64_pair)
{
	if (variant->from == VFC2_ERROR && !vt_has_error_knob(&self->t.a))
		SKIP(return, VT_NO_KNOB);
	check_pair(_metadata, &self->t, 7, variant->from, variant->to,
		   self->traced);
}

/* --- Devices that have fewer states ----------------------------------- */

FIXTURE(v2_flags) {
	struct vt t;
	char path[VFC_PATH];
	bool traced;
};

FIXTURE_VARIANT(v2_flags) {
	__u64 flags;
};

FIXTURE_VARIANT_ADD(v2_flags, stop_copy) { 1 };
FIXTURE_VARIANT_ADD(v2_flags, p2p) { 3 };
FIXTURE_VARIANT_ADD(v2_flags, precopy) { 5 };
FIXTURE_VARIANT_ADD(v2_flags, all) { 7 };

FIXTURE_SETUP(v2_flags)
{
	char text[8];

	if (!v2_open(_metadata, &self->t))
		SKIP(return, V2_NO_PROTOCOL);
	vt_knob(&self->t.a, "flags", self->path);
	if (access(self->path, F_OK))
		SKIP(return, V2_NO_FLAGS);
	/* Not while it is open. */
	ASSERT_EQ(-EBUSY, vfc_file_write(self->path, "7", 1));
	snprintf(text, sizeof(text), "%llu",
		 (unsigned long long)variant->flags);
	ASSERT_EQ(0, v2_reopen_with(&self->t.a, getenv("VFIO_DEV"), self->path,
				    text));
	self->traced = v2_trace_open();
}

FIXTURE_TEARDOWN(v2_flags)
{
	v2_trace_close();
	v2_reopen_with(&self->t.a, getenv("VFIO_DEV"), self->path, "7");
	vt_close(&self->t);
}

TEST_F_TIMEOUT(v2_flags, V2_FSM_67_V2_FEA_11_all_pairs, 60)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i, k;
	__u64 flags;

	ASSERT_EQ(0, vfc2_flags(d, &flags));
	ASSERT_EQ(variant->flags, flags);
	for (i = 0; i < VFC2_STATES; i++) {
		if (!v2_has_state(flags, v2_order[i]) ||
		    (v2_order[i] == VFC2_ERROR && !vt_has_error_knob(d)))
			continue;
		for (k = 0; k < VFC2_STATES; k++)
			if (i != k)
				check_pair(_metadata, &self->t, flags,
					   v2_order[i], v2_order[k],
					   self->traced);
	}
}

/* With whatever it has, it migrates. */
TEST_F(v2_flags, V2_FSM_67_migrates)
{
	struct vfc_dev *d = &self->t.a;

	v2_small_stream(_metadata, d, self->t.m, UNITS, VALUE, &self->t.s);
	v2_restore(_metadata, d, &self->t.s);
	vt_check_small(_metadata, d, self->t.m, UNITS, VALUE);
	if (variant->flags & VFC2_HAS_PRE_COPY)
		v2_migrates(_metadata, d);
}

TEST_F(v2_flags, V2_PI_08_precopy_info)
{
	struct vfc_dev *d = &self->t.a;
	int want = variant->flags & VFC2_HAS_PRE_COPY ? 0 : -EINVAL;
	int ret = vfc2_probe(d, VFC2_F_PRECOPY_INFOV2, VFC2_SET);

	if (ret == -ENOTTY)
		SKIP(return, V2_NO_INFOV2);
	ASSERT_EQ(want, ret);
	ASSERT_EQ(want, vfc2_opt_in(d));
}

/* --- All else --------------------------------------------------------- */

FIXTURE(v2_states) {
	struct vt t;
};

FIXTURE_SETUP(v2_states)
{
	if (!v2_open_two(_metadata, &self->t))
		SKIP(return, V2_NO_PROTOCOL);
}

FIXTURE_TEARDOWN(v2_states)
{
	vt_close(&self->t);
}

/* The tracepoint says which steps there were: without it some of this is blind. */
TEST_F(v2_states, steps_can_be_seen)
{
	struct vfc_dev *d = &self->t.a;
	struct v2_path path;

	if (!v2_trace_open())
		SKIP(return, "no tracepoint vmig:vmig_state");
	v2_trace_clear();
	SET2(VFC2_STOP);
	ASSERT_TRUE(v2_trace_path(d->uuid, VFC2_RUNNING, &path));
	ASSERT_EQ(2, path.n);
	v2_trace_close();
}

TEST_F(v2_states, V2_FSM_57_error_cannot_be_set)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(v2_seven); i++) {
		fd = v2_reach(_metadata, d, v2_seven[i]);
		REFUSED2(-EINVAL, VFC2_ERROR);
		ASSERT_EQ(v2_seven[i], GET2());
		if (fd >= 0)
			close(fd);
		ASSERT_EQ(0, vfc_reset(d));
	}
	if (!vt_has_error_knob(d))
		return;
	v2_reach(_metadata, d, VFC2_ERROR);
	REFUSED2(-EIO, VFC2_ERROR);
	ASSERT_EQ(VFC2_ERROR, GET2());
}

TEST_F(v2_states, V2_FSM_58_only_reset_leaves_error)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i;
	__u32 to;
	int fd;

	if (!vt_has_error_knob(d))
		SKIP(return, VT_NO_KNOB);
	for (i = 0; i < ARRAY_SIZE(v2_seven); i++) {
		fd = v2_reach(_metadata, d, v2_seven[i]);
		v2_reach(_metadata, d, VFC2_ERROR);
		if (fd >= 0)
			v2_dead(_metadata, fd, v2_saves(v2_seven[i]));
		for (to = 0; to < 10; to++)
			REFUSED2(-EIO, to);
		REFUSED2(-EIO, ~0u);
		ASSERT_EQ(VFC2_ERROR, GET2());
		vt_ticks(_metadata, d, self->t.m, false);
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(VFC2_RUNNING, GET2());
		if (fd >= 0) {
			v2_dead(_metadata, fd, v2_saves(v2_seven[i]));
			close(fd);
		}
	}
	v2_migrates(_metadata, d);
}

TEST_F(v2_states, V2_FSM_59_no_such_state)
{
	static const __u32 odd[] = { 8, 9, 16, 255, 256, 0x80000002, ~0u };
	struct vfc_dev *d = &self->t.a;
	unsigned int i, k;
	int fd;

	for (i = 0; i < ARRAY_SIZE(v2_seven); i++) {
		fd = v2_reach(_metadata, d, v2_seven[i]);
		for (k = 0; k < ARRAY_SIZE(odd); k++)
			REFUSED2(-EINVAL, odd[k]);
		ASSERT_EQ(v2_seven[i], GET2());
		if (fd >= 0)
			close(fd);
		ASSERT_EQ(0, vfc_reset(d));
	}
}

/* --- The state that it is in ------------------------------------------ */

/* In the middle of a session: nothing of it is lost or comes twice. */
static void same_while_saving(struct __test_metadata *_metadata, struct vt *t,
			      __u32 state)
{
	struct vfc_dev *d = &t->a;
	struct vfc_stream s = {};
	int fd, i;

	if (t->m) {
		vt_touch(_metadata, d, t->m, UNITS, VALUE);
		ASSERT_EQ(0, t->m->reg_set(d, VALUE));
	}
	fd = SET2(state);
	for (i = 0; i < 3; i++) {
		v2_take(_metadata, fd, 100, &s);
		ASSERT_EQ(-1, SET2(state));
	}
	ASSERT_EQ(state == VFC2_STOP_COPY ? 0 : -ENOMSG, vfc2_drain(fd, 0, &s));
	ASSERT_EQ(-1, SET2(state));
	SET2(VFC2_STOP_COPY);
	ASSERT_EQ(0, vfc2_drain(fd, 0, &s));
	ASSERT_EQ(-1, SET2(VFC2_STOP_COPY));
	ASSERT_EQ(0, vfc2_drain(fd, 0, &s));
	close(fd);
	ASSERT_TRUE(v2_whole(&s));
	SET2(VFC2_STOP);
	v2_restores(_metadata, t, &s, UNITS, VALUE);
	vfc_stream_free(&s);
}

TEST_F(v2_states, V2_FSM_60_same_state_while_saving)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(v2_seven); i++) {
		if (!v2_saves(v2_seven[i]))
			continue;
		ASSERT_EQ(0, vfc_reset(&self->t.a));
		same_while_saving(_metadata, &self->t, v2_seven[i]);
	}
}

TEST_F(v2_states, V2_FSM_60_same_state_while_resuming)
{
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = &self->t.a;
	size_t half;
	int fd;

	v2_small_stream(_metadata, d, self->t.m, UNITS, VALUE, s);
	half = s->len / 2;
	fd = SET2(VFC2_RESUMING);
	ASSERT_EQ(-1, SET2(VFC2_RESUMING));
	ASSERT_EQ(0, vfc2_feed(fd, 0, s->buf, half));
	ASSERT_EQ(-1, SET2(VFC2_RESUMING));
	ASSERT_EQ(0, vfc2_feed(fd, 0, s->buf + half, s->len - half));
	ASSERT_EQ(-1, SET2(VFC2_RESUMING));
	SET2(VFC2_RUNNING);
	vt_check_small(_metadata, d, self->t.m, UNITS, VALUE);
	close(fd);
}

TEST_F(v2_states, V2_FSM_60_same_state_at_rest)
{
	static const __u32 rest[] = {
		VFC2_STOP, VFC2_RUNNING, VFC2_RUNNING_P2P,
	};
	struct vfc_dev *d = &self->t.a;
	__u32 scratch = VALUE;
	unsigned int i, k;

	if (self->t.m)
		ASSERT_EQ(0, self->t.m->reg_set(d, VALUE));
	for (i = 0; i < ARRAY_SIZE(rest); i++) {
		SET2(rest[i]);
		for (k = 0; k < 100; k++)
			ASSERT_EQ(-1, SET2(rest[i]));
		if (self->t.m)
			ASSERT_EQ(0, self->t.m->reg_get(d, &scratch));
		ASSERT_EQ(VALUE, scratch);
	}
}

/* --- One session, one file -------------------------------------------- */

TEST_F(v2_states, V2_FSM_62_one_stream_in_the_saving_states)
{
	static const __u32 walk[] = {
		VFC2_PRE_COPY_P2P, VFC2_PRE_COPY, VFC2_PRE_COPY_P2P,
		VFC2_PRE_COPY, VFC2_STOP_COPY,
	};
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = &self->t.a;
	int fd, step;
	unsigned int i;

	for (step = 0; step < 3; step++) {
		vfc_stream_free(s);
		ASSERT_EQ(0, vfc_reset(d));
		if (self->t.m)
			vt_touch(_metadata, d, self->t.m, 20, 1);
		fd = SET2(VFC2_PRE_COPY);
		for (i = 0; i < ARRAY_SIZE(walk); i++) {
			if (step == 1)
				v2_take(_metadata, fd, 50, s);
			if (step == 2)
				ASSERT_EQ(-ENOMSG, vfc2_drain(fd, 0, s));
			if (self->t.m)
				vt_touch(_metadata, d, self->t.m, 20, VALUE + i);
			if (self->t.m)
				ASSERT_EQ(0, self->t.m->reg_set(d, VALUE + i));
			ASSERT_EQ(-1, SET2(walk[i]));
		}
		ASSERT_EQ(0, vfc2_drain(fd, 0, s));
		ASSERT_TRUE(v2_whole(s));
		close(fd);
		SET2(VFC2_STOP);
		v2_restores(_metadata, &self->t, s, 20,
			    VALUE + ARRAY_SIZE(walk) - 1);
	}
}

/* --- What the states promise ------------------------------------------ */

static void answers(struct __test_metadata *_metadata, struct vfc_dev *d)
{
	__u32 msix = vt_msix_flags(_metadata, d);
	__u16 command = vt_config(_metadata, d, PCI_COMMAND);

	vt_config_set(_metadata, d, PCI_COMMAND, command ^ PCI_COMMAND_INTX_DISABLE);
	ASSERT_EQ(command ^ PCI_COMMAND_INTX_DISABLE,
		  vt_config(_metadata, d, PCI_COMMAND));
	vt_config_set(_metadata, d, PCI_COMMAND, command);
	if (!msix)
		return;
	vt_config_set(_metadata, d, msix, PCI_MSIX_FLAGS_MASKALL);
	ASSERT_TRUE(vt_config(_metadata, d, msix) & PCI_MSIX_FLAGS_MASKALL);
	vt_config_set(_metadata, d, msix, 0);
	ASSERT_FALSE(vt_config(_metadata, d, msix) & PCI_MSIX_FLAGS_MASKALL);
}

TEST_F_TIMEOUT(v2_states, V2_FSM_65_DEV_01_DEV_02_stopped_is_stopped, 60)
{
	static const __u32 stops[] = {
		VFC2_STOP, VFC2_STOP_COPY, VFC2_RESUMING,
	};
	const struct vfc_model *m = self->t.m;
	struct vfc_dev *d = &self->t.a;
	unsigned int i, k;
	int event;
	void *dma;

	if (!vt_works(m))
		SKIP(return, VT_NO_WORK);
	vt_make_busy(_metadata, d, m, &dma, &event);
	for (k = 0; k < 20; k++) {
		SET2(VFC2_STOP);
		vt_check_quiet(_metadata, d, m, dma, event, 30);
		SET2(VFC2_RUNNING);
	}
	for (i = 0; i < ARRAY_SIZE(stops); i++) {
		ASSERT_EQ(0, vfc2_set(d, stops[i], NULL));
		vt_check_quiet(_metadata, d, m, dma, event, 300);
		answers(_metadata, d);
		vt_check_quiet(_metadata, d, m, dma, event, 30);
		if (stops[i] == VFC2_RESUMING)
			break;
		SET2(VFC2_RUNNING);
		ASSERT_LT(0, vfc_event_wait(event, 5000));
	}
	close(event);
}

/* Wait until the device has stored something: to @dma, which held @old. */
static bool stores_again(void *dma, const void *old)
{
	int i;

	for (i = 0; i < 5000; i++) {
		if (memcmp(dma, old, VT_DMA_BYTES))
			return true;
		vfc_sleep_ms(1);
	}
	return false;
}

TEST_F_TIMEOUT(v2_states, V2_FSM_66_no_dma_in_p2p, 60)
{
	static const struct {
		__u32 p2p, back;
	} ways[] = {
		{ VFC2_RUNNING_P2P, VFC2_RUNNING },
		{ VFC2_PRE_COPY_P2P, VFC2_PRE_COPY },
		{ VFC2_RUNNING_P2P, VFC2_RUNNING },
	};
	const struct vfc_model *m = self->t.m;
	struct vfc_dev *d = &self->t.a;
	void *dma, *old = malloc(VT_DMA_BYTES);
	unsigned int i;
	int event;

	ASSERT_NE(NULL, old);
	if (!vt_works(m))
		SKIP(return, VT_NO_WORK);
	vt_make_busy(_metadata, d, m, &dma, &event);
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		ASSERT_EQ(0, vfc2_set(d, ways[i].p2p, NULL));
		memcpy(old, dma, VT_DMA_BYTES);
		/* All but DMA goes on. */
		vfc_event_take(event);
		ASSERT_LT(0, vfc_event_wait(event, 5000));
		vt_ticks(_metadata, d, m, true);
		ASSERT_EQ(0, m->reg_set(d, i));
		vfc_sleep_ms(1000);
		ASSERT_EQ(0, memcmp(old, dma, VT_DMA_BYTES));
		ASSERT_EQ(0, vfc2_set(d, ways[i].back, NULL));
		ASSERT_TRUE(stores_again(dma, old));
	}
	close(event);
	free(old);
}

TEST_F(v2_states, V2_FSM_66_work_queued_in_p2p_waits)
{
	const struct vfc_model *m = self->t.m;
	struct vfc_dev *d = &self->t.a;
	void *dma, *old = malloc(VT_DMA_BYTES);
	int event;
	__u64 seq;

	ASSERT_NE(NULL, old);
	if (!vt_works(m))
		SKIP(return, VT_NO_WORK);
	vt_make_busy(_metadata, d, m, &dma, &event);
	ASSERT_EQ(0, m->stop_noise(d, &seq));
	SET2(VFC2_RUNNING_P2P);
	memcpy(old, dma, VT_DMA_BYTES);
	ASSERT_EQ(0, m->start_dma(d, VT_DMA_IOVA, VT_DMA_PAGES, 2000));
	vfc_sleep_ms(300);
	ASSERT_EQ(0, memcmp(old, dma, VT_DMA_BYTES));
	SET2(VFC2_RUNNING);
	ASSERT_TRUE(stores_again(dma, old));
	close(event);
	free(old);
}

/* As in V1-ST-11: only a request, a reset or the knob assigns the state. */
TEST_F_TIMEOUT(v2_states, V2_FSM_68_no_change_on_its_own, 60)
{
	const struct vfc_model *m = self->t.m;
	struct vfc_dev *d = &self->t.a;
	int fd, event = -1;
	unsigned int i, k;
	void *dma;

	for (i = 0; i < ARRAY_SIZE(v2_seven); i++) {
		ASSERT_EQ(0, vfc_reset(d));
		if (vt_works(m) && event < 0)
			vt_make_busy(_metadata, d, m, &dma, &event);
		else if (vt_works(m))
			ASSERT_EQ(0, m->start_dma(d, VT_DMA_IOVA, VT_DMA_PAGES,
						  2000));
		fd = SET2(v2_seven[i]);
		for (k = 0; k < 100; k++) {
			ASSERT_EQ(v2_seven[i], GET2());
			vfc_sleep_ms(5);
		}
		if (fd >= 0)
			close(fd);
	}
}

TEST_F(v2_states, V2_FSM_68_one_state_per_device)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_dev other = *d;
	int fd;

	other.fd = vfc_device_fd(d);
	ASSERT_LE(0, other.fd);
	fd = SET2(VFC2_PRE_COPY);
	ASSERT_EQ(VFC2_PRE_COPY, vfc2_get(&other));
	ASSERT_EQ(0, vfc2_set(&other, VFC2_STOP_COPY, NULL));
	ASSERT_EQ(VFC2_STOP_COPY, GET2());
	close(d->fd);
	d->fd = other.fd;
	ASSERT_EQ(VFC2_STOP_COPY, GET2());
	ASSERT_EQ(0, vfc2_drain(fd, 0, &self->t.s));
	ASSERT_TRUE(v2_whole(&self->t.s));
	close(fd);
	/* The last one takes the state along. */
	vfc_close(d);
	ASSERT_EQ(0, vfc_open(d, getenv("VFIO_DEV")));
	ASSERT_EQ(VFC2_RUNNING, GET2());
}

/* --- Several threads -------------------------------------------------- */

struct asker {
	const struct vfc_dev *d;
	unsigned int seed;
	__u64 end;
	unsigned int odd;	/* results that there must not be */
};

static void *ask(void *arg)
{
	struct asker *a = arg;
	int fd, ret;
	__u8 buf[4096];

	while (vfc_now_us() < a->end) {
		int r = rand_r(&a->seed) >> 8;

		if (r % 16 == 0) {
			a->odd += vfc_reset(a->d) != 0;
			continue;
		}
		ret = vfc2_set(a->d, (r >> 4) % 9, &fd);
		/* An empty RESUMING cannot be left, ERROR not be asked for. */
		a->odd += ret != 0 && ret != -EINVAL;
		if (fd < 0)
			continue;
		ret = v2_read(fd, buf, sizeof(buf));
		a->odd += ret < 0 && ret != -ENODEV && ret != -EBADF &&
			ret != -ENOMSG;
		close(fd);
	}
	return NULL;
}

TEST_F_TIMEOUT(v2_states, V2_FSM_68_requests_by_threads, 120)
{
	__u64 ms = vfc_number("FSM68_MS", 2000);
	struct vfc_dev *d = &self->t.a;
	struct asker a[4] = {};
	pthread_t thread[4];
	unsigned int i;
	int state, files = v2_files();

	for (i = 0; i < 4; i++) {
		a[i].d = d;
		a[i].seed = i + 1;
		a[i].end = vfc_now_us() + ms * 1000;
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, ask, &a[i]));
	}
	while (vfc_now_us() < a[0].end) {
		state = GET2();
		ASSERT_TRUE(state > VFC2_ERROR && state < VFC2_STATES);
	}
	for (i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		ASSERT_EQ(0, a[i].odd);
	}
	ASSERT_EQ(files, v2_files());
	ASSERT_EQ(0, vfc_reset(d));
	v2_migrates(_metadata, d);
}

/* --- Reset and close -------------------------------------------------- */

TEST_F(v2_states, V2_FSM_68_reset_from_any_state)
{
	const struct vfc_model *m = self->t.m;
	struct vfc_dev *d = &self->t.a;
	unsigned int i;
	__u32 scratch;
	int fd;

	for (i = 0; i < ARRAY_SIZE(v2_seven); i++) {
		if (m)
			ASSERT_EQ(0, m->reg_set(d, VALUE));
		fd = v2_reach(_metadata, d, v2_seven[i]);
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(VFC2_RUNNING, GET2());
		if (fd >= 0) {
			v2_dead(_metadata, fd, v2_saves(v2_seven[i]));
			close(fd);
		}
		if (!m)
			continue;
		ASSERT_EQ(0, m->reg_get(d, &scratch));
		ASSERT_EQ(0, scratch);
	}
	v2_migrates(_metadata, d);
}

TEST_F(v2_states, V2_FSM_68_running_after_open)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(v2_order); i++) {
		if (v2_order[i] == VFC2_ERROR && !vt_has_error_knob(d))
			continue;
		v2_reach(_metadata, d, v2_order[i]);
		vfc_close(d);
		ASSERT_EQ(0, vfc_open(d, getenv("VFIO_DEV")));
		ASSERT_EQ(VFC2_RUNNING, GET2());
	}
	v2_migrates(_metadata, d);
}

TEST_HARNESS_MAIN
