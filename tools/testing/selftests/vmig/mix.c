// SPDX-License-Identifier: GPL-2.0-only
/*
 * MIX: both protocols on one device. There is one state with two views, a session
 * belongs to the protocol that opened it, and a stream to neither.
 */
#include "v2_test.h"

#define UNITS	6
#define VALUE	2024

FIXTURE(mix) {
	struct vt t;
	int fd;
};

FIXTURE_SETUP(mix)
{
	self->fd = -1;
	if (!v2_open_two(_metadata, &self->t))
		SKIP(return, V2_NO_PROTOCOL);
	if (self->t.a.mig_index < 0)
		SKIP(return, "this device does not offer the v1 protocol");
}

FIXTURE_TEARDOWN(mix)
{
	if (self->fd >= 0)
		close(self->fd);
	vt_close(&self->t);
}

/* What the v1 region shows of a state. */
static __u32 view(int state)
{
	switch (state) {
	case VFC2_STOP:
		return VFC_STOP;
	case VFC2_RUNNING:
	case VFC2_RUNNING_P2P:
		return VFC_RUNNING;
	case VFC2_STOP_COPY:
		return VFC_SAVING;
	case VFC2_PRE_COPY:
	case VFC2_PRE_COPY_P2P:
		return VFC_PRECOPY;
	case VFC2_RESUMING:
		return VFC_RESUMING;
	default:
		return VFC_ERROR;
	}
}

static void fill(struct __test_metadata *_metadata, struct vt *t)
{
	if (!t->m)
		return;
	vt_touch(_metadata, &t->a, t->m, UNITS, VALUE);
	ASSERT_EQ(0, t->m->reg_set(&t->a, VALUE));
}

/* --- Two views -------------------------------------------------------- */

TEST_F(mix, MIX_01_each_state_by_v2)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(v2_order); i++) {
		if (v2_order[i] == VFC2_ERROR && !vt_has_error_knob(d))
			continue;
		self->fd = v2_reach(_metadata, d, v2_order[i]);
		ASSERT_EQ(view(v2_order[i]), R4(VFC_STATE));
		if (self->fd >= 0)
			close(self->fd);
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
	}
	self->fd = -1;
}

TEST_F(mix, MIX_01_each_state_by_v1)
{
	static const int states[] = {
		VFC2_STOP, VFC2_RUNNING, VFC2_STOP_COPY, VFC2_PRE_COPY,
		VFC2_RESUMING,
	};
	struct vfc_dev *d = &self->t.a;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		W4(VFC_STATE, i);
		ASSERT_EQ(states[i], GET2());
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(VFC2_RUNNING, GET2());
	}
}

TEST_F_TIMEOUT(mix, MIX_01_random_calls, 60)
{
	__u64 n = vfc_number("MIX01_CALLS", 20000);
	struct vfc_dev *d = &self->t.a;
	unsigned int seed = 1, granted = 0;
	int r, fd, ret;
	__u64 v;
	__u8 buf[100];

	while (n--) {
		r = rand_r(&seed) >> 8;
		fd = -1;
		switch (r % 8) {
		case 0:
		case 1:
		case 2:
			ret = vfc2_set(d, (r >> 4) % 9, &fd);
			granted += !ret;
			break;
		case 3:
		case 4:
		case 5:
			ret = vfc_set(d, (r >> 4) % 8);
			granted += ret == 4;
			break;
		case 6:
			vfc_r8(d, (r >> 4) % 2 ? VFC_SIZE : VFC_PENDING, &v);
			break;
		default:
			if ((r >> 4) % 4 == 0)
				ASSERT_EQ(0, vfc_reset(d));
		}
		if (fd >= 0 && self->fd >= 0)
			close(self->fd);
		if (fd >= 0)
			self->fd = fd;
		if (self->fd >= 0)
			v2_read(self->fd, buf, 1 + r % 100);
		ASSERT_EQ(view(GET2()), R4(VFC_STATE));
		ASSERT_NE(VFC2_ERROR, GET2());
	}
	ASSERT_LT(1000, granted);
	ASSERT_EQ(0, vfc_reset(d));
	v2_migrates(_metadata, d);
	vt_migrates(_metadata, d);
}

struct mixer {
	const struct vfc_dev *d;
	bool v2;
	unsigned int seed;
	__u64 end;
	unsigned int odd;
};

static void *mix_calls(void *arg)
{
	struct mixer *m = arg;
	int r, ret;

	while (vfc_now_us() < m->end) {
		r = rand_r(&m->seed) >> 8;
		if (r % 16 == 0)
			ret = vfc_reset(m->d);
		else if (m->v2)
			ret = vfc2_set(m->d, (r >> 4) % 9, NULL);
		else
			ret = vfc_set(m->d, (r >> 4) % 8);
		m->odd += ret < 0 && ret != -EINVAL && ret != -EBUSY;
	}
	return NULL;
}

TEST_F_TIMEOUT(mix, MIX_01_MIX_03_threads, 120)
{
	__u64 end = vfc_now_us() + vfc_number("MIX01_MS", 2000) * 1000;
	struct vfc_dev *d = &self->t.a;
	struct mixer m[4] = {};
	pthread_t thread[4];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		m[i].d = d;
		m[i].v2 = i % 2;
		m[i].seed = i + 1;
		m[i].end = end;
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, mix_calls, &m[i]));
	}
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		ASSERT_EQ(0, m[i].odd);
	}
	ASSERT_EQ(view(GET2()), R4(VFC_STATE));
	ASSERT_EQ(0, vfc_reset(d));
	v2_migrates(_metadata, d);
	vt_migrates(_metadata, d);
}

/* --- Whose session it is ---------------------------------------------- */

TEST_F(mix, MIX_02_v1_sees_nothing_of_a_v2_session)
{
	static const __u32 sessions[] = {
		VFC2_PRE_COPY, VFC2_PRE_COPY_P2P, VFC2_STOP_COPY, VFC2_RESUMING,
	};
	struct vfc_dev *d = &self->t.a;
	unsigned int i, k;
	__u8 buf[8] = {};

	for (i = 0; i < ARRAY_SIZE(sessions); i++) {
		fill(_metadata, &self->t);
		self->fd = SET2(sessions[i]);
		for (k = 0; k < 3; k++) {
			ASSERT_EQ(0, R8(VFC_PENDING));
			ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
			ASSERT_EQ(0, R8(VFC_SIZE));
			ASSERT_EQ(-EINVAL, vfc_rd(d, 0, buf, 8));
			ASSERT_GT(0, vfc_wd(d, 0, buf, 8));
			ASSERT_GT(0, vfc_w8(d, VFC_SIZE, 8));
		}
		ASSERT_EQ(sessions[i], GET2());
		/* Nor was anything of it disturbed. */
		if (sessions[i] == VFC2_STOP_COPY) {
			ASSERT_EQ(0, vfc2_drain(self->fd, 0, &self->t.s));
			ASSERT_TRUE(v2_whole(&self->t.s));
		}
		if (sessions[i] == VFC2_RESUMING) {
			ASSERT_EQ(0, vfc2_feed(self->fd, 0, self->t.s.buf,
					       self->t.s.len));
			SET2(VFC2_RUNNING);
			vt_check_small(_metadata, d, self->t.m, UNITS, VALUE);
		}
		close(self->fd);
		ASSERT_EQ(0, vfc_reset(d));
	}
	self->fd = -1;
}

TEST_F(mix, MIX_02_v2_leaves_a_v1_session_alone)
{
	struct vfc_dev *d = &self->t.a;
	__u64 size, n;
	__u32 state;

	for (state = VFC_SAVING; state <= VFC_PRECOPY; state++) {
		fill(_metadata, &self->t);
		SET(state);
		n = R8(VFC_SIZE);
		ASSERT_LT(0, n);
		ASSERT_EQ(state == VFC_SAVING ? VFC2_STOP_COPY : VFC2_PRE_COPY,
			  GET2());
		ASSERT_EQ(-1, SET2(GET2()));
		ASSERT_EQ(0, vfc2_data_size(d, &size));
		ASSERT_EQ(n, vfc_save_segment(d, &vt_bulk, &self->t.s));
		ASSERT_EQ(0, vfc_drain(d, &vt_bulk, &self->t.s));
		if (state == VFC_SAVING)
			ASSERT_TRUE(v2_whole(&self->t.s));
		ASSERT_EQ(-1, SET2(GET2()));
		if (state == VFC_PRECOPY)
			SET(VFC_SAVING);
		ASSERT_EQ(0, vfc_reset(d));
		if (state == VFC_SAVING)
			vt_restore(_metadata, d, &self->t.s);
		ASSERT_EQ(0, vfc_reset(d));
	}
	/* In RESUMING, with half of the data. */
	vfc_stream_free(&self->t.s);
	vt_small_stream(_metadata, d, self->t.m, UNITS, VALUE, &self->t.s);
	n = self->t.s.len / 2;
	SET(VFC_RESUMING);
	ASSERT_EQ(0, vfc_feed_all(d, &vt_bulk, self->t.s.buf, n, 0));
	ASSERT_EQ(VFC2_RESUMING, GET2());
	ASSERT_EQ(-1, SET2(VFC2_RESUMING));
	ASSERT_EQ(0, vfc_feed_all(d, &vt_bulk, self->t.s.buf + n,
				  self->t.s.len - n, 0));
	SET(VFC_RUNNING);
	vt_check_small(_metadata, d, self->t.m, UNITS, VALUE);
}

/* --- Requests about the other's session ------------------------------- */

/* v1 writes to a v2 session in @state. */
static void v1_in_v2(struct __test_metadata *_metadata, struct vfc_dev *d,
		     __u32 state)
{
	__u32 seen = view(state), to;
	int ret;

	for (to = VFC_SAVING; to <= VFC_RESUMING; to++) {
		ret = vfc_w4(d, VFC_STATE, to);
		if (to == seen) {
			ASSERT_EQ(4, ret);
		} else if (state == VFC2_STOP_COPY && to == VFC_PRECOPY) {
			/* Nobody may do that. */
			ASSERT_TRUE(ret == -EBUSY || ret == -EINVAL);
		} else {
			ASSERT_EQ(-EBUSY, ret)
				TH_LOG("%s to %u",
				       vfc2_state_name(state), to);
		}
		ASSERT_EQ(state, GET2());
	}
	ASSERT_EQ(-EINVAL, vfc_w4(d, VFC_STATE, 5));
	ASSERT_EQ(-EINVAL, vfc_w4(d, VFC_STATE, VFC_ERROR));
	ASSERT_EQ(state, GET2());
}

TEST_F(mix, MIX_03_v1_in_a_v2_session)
{
	static const __u32 saves[] = {
		VFC2_PRE_COPY, VFC2_PRE_COPY_P2P, VFC2_STOP_COPY,
	};
	struct vfc_dev *d = &self->t.a;
	unsigned int i;
	__u32 end;

	for (i = 0; i < ARRAY_SIZE(saves); i++) {
		for (end = VFC_STOP; end <= VFC_RUNNING; end++) {
			vfc_stream_free(&self->t.s);
			fill(_metadata, &self->t);
			self->fd = SET2(saves[i]);
			v2_take(_metadata, self->fd, 100, &self->t.s);
			v1_in_v2(_metadata, d, saves[i]);
			ASSERT_EQ(view(saves[i]) == VFC_SAVING ? 0 : -ENOMSG,
				  vfc2_drain(self->fd, 0, &self->t.s));
			v1_in_v2(_metadata, d, saves[i]);
			/* To end it is allowed. */
			SET(end);
			ASSERT_EQ(end == VFC_STOP ? VFC2_STOP : VFC2_RUNNING,
				  GET2());
			v2_dead(_metadata, self->fd, true);
			close(self->fd);
			ASSERT_EQ(0, vfc_reset(d));
		}
	}
	self->fd = -1;
}

TEST_F(mix, MIX_03_v1_ends_a_v2_resume)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	__u32 end;

	v2_small_stream(_metadata, d, self->t.m, UNITS, VALUE, s);
	for (end = VFC_STOP; end <= VFC_RUNNING; end++) {
		ASSERT_EQ(0, vfc_reset(d));
		self->fd = SET2(VFC2_RESUMING);
		ASSERT_EQ(0, vfc2_feed(self->fd, 0, s->buf, s->len / 2));
		/* As by its owner: it is not complete. */
		ASSERT_EQ(-EINVAL, vfc_set(d, end));
		ASSERT_EQ(VFC2_RESUMING, GET2());
		v1_in_v2(_metadata, d, VFC2_RESUMING);
		ASSERT_EQ(0, vfc2_feed(self->fd, 0, s->buf + s->len / 2,
				       s->len - s->len / 2));
		v1_in_v2(_metadata, d, VFC2_RESUMING);
		SET(end);
		vt_check_small(_metadata, d, self->t.m, UNITS, VALUE);
		v2_dead(_metadata, self->fd, false);
		close(self->fd);
	}
	self->fd = SET2(VFC2_RESUMING);
	ASSERT_EQ(0, vfc2_feed(self->fd, 0, s->buf, 100));
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
	v2_dead(_metadata, self->fd, false);
}

/* v2 requests in a v1 session, which shows as @state. */
static void v2_in_v1(struct __test_metadata *_metadata, struct vfc_dev *d,
		     __u32 state)
{
	static const __u32 other[] = {
		VFC2_PRE_COPY, VFC2_PRE_COPY_P2P, VFC2_STOP_COPY, VFC2_RESUMING,
	};
	unsigned int i;
	int fd, ret;

	for (i = 0; i < ARRAY_SIZE(other); i++) {
		ret = vfc2_set(d, other[i], &fd);
		ASSERT_EQ(-1, fd);
		if (other[i] == state) {
			ASSERT_EQ(0, ret);
		} else if (!v2_way(7, state, other[i])) {
			ASSERT_TRUE(ret == -EBUSY || ret == -EINVAL);
		} else {
			ASSERT_EQ(-EBUSY, ret)
				TH_LOG("%s to %s", vfc2_state_name(state),
				       vfc2_state_name(other[i]));
		}
		ASSERT_EQ(state, GET2());
	}
	REFUSED2(-EINVAL, VFC2_ERROR);
	REFUSED2(-EINVAL, 8);
	ASSERT_EQ(state, GET2());
}

TEST_F(mix, MIX_03_v2_in_a_v1_session)
{
	static const __u32 ends[] = {
		VFC2_STOP, VFC2_RUNNING, VFC2_RUNNING_P2P,
	};
	struct vfc_dev *d = &self->t.a;
	__u8 buf[8];
	__u32 state, seen;
	unsigned int i;
	__u64 n;

	for (state = VFC_SAVING; state <= VFC_PRECOPY; state++) {
		seen = state == VFC_SAVING ? VFC2_STOP_COPY : VFC2_PRE_COPY;
		for (i = 0; i < ARRAY_SIZE(ends); i++) {
			fill(_metadata, &self->t);
			SET(state);
			n = R8(VFC_SIZE);
			v2_in_v1(_metadata, d, seen);
			ASSERT_EQ(n, R8(VFC_SIZE));
			ASSERT_EQ(-1, SET2(ends[i]));
			/* Its segment went with it. */
			ASSERT_EQ(0, R8(VFC_PENDING));
			ASSERT_EQ(0, R8(VFC_SIZE));
			ASSERT_EQ(-EINVAL, vfc_rd(d, 0, buf, 8));
			ASSERT_EQ(0, vfc_reset(d));
		}
	}
}

TEST_F(mix, MIX_03_v2_ends_a_v1_resume)
{
	static const __u32 ends[] = { VFC2_STOP, VFC2_RUNNING };
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	unsigned int i;

	v2_small_stream(_metadata, d, self->t.m, UNITS, VALUE, s);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, vfc_reset(d));
		SET(VFC_RESUMING);
		ASSERT_EQ(0, vfc_feed_all(d, &vt_bulk, s->buf, s->len / 2, 0));
		REFUSED2(-EINVAL, ends[i]);
		ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
		ASSERT_EQ(0, vfc_feed_all(d, &vt_bulk, s->buf + s->len / 2,
					  s->len - s->len / 2, 0));
		v2_in_v1(_metadata, d, VFC2_RESUMING);
		ASSERT_EQ(-1, SET2(ends[i]));
		vt_check_small(_metadata, d, self->t.m, UNITS, VALUE);
	}
}

/* What is read may be written: a state of no session as well. */
TEST_F(mix, MIX_03_V1_ST_10_the_value_that_is_read)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(v2_seven); i++) {
		self->fd = v2_reach(_metadata, d, v2_seven[i]);
		W4(VFC_STATE, R4(VFC_STATE));
		ASSERT_EQ(v2_seven[i], GET2())
			TH_LOG("%s", vfc2_state_name(v2_seven[i]));
		if (self->fd >= 0)
			close(self->fd);
		ASSERT_EQ(0, vfc_reset(d));
	}
	self->fd = -1;
}

TEST_F(mix, MIX_03_reset_ends_each)
{
	struct vfc_dev *d = &self->t.a;
	__u32 state;

	for (state = VFC_SAVING; state <= VFC_RESUMING; state++) {
		SET(state);
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(VFC2_RUNNING, GET2());
		/* And the other protocol may open one. */
		self->fd = SET2(VFC2_PRE_COPY);
		ASSERT_LE(0, self->fd);
		ASSERT_EQ(0, vfc_reset(d));
		v2_dead(_metadata, self->fd, true);
		close(self->fd);
	}
	self->fd = -1;
}

/* --- One stream ------------------------------------------------------- */

/* Load @s by v1, in segments as large as they can be. */
static void load_by_v1(struct __test_metadata *_metadata, struct vfc_dev *d,
		       const struct vfc_stream *s)
{
	ASSERT_EQ(0, vfc_reset(d));
	SET(VFC_RESUMING);
	ASSERT_EQ(0, vfc_feed_all(d, &vt_bulk, s->buf, s->len, 0));
	SET(VFC_RUNNING);
}

TEST_F(mix, STR_12_saved_by_v1_loaded_by_v2)
{
	struct vfc_dev *d = &self->t.a;

	fill(_metadata, &self->t);
	SET(VFC_PRECOPY);
	ASSERT_EQ(0, vfc_drain(d, &vt_bulk, &self->t.s));
	fill(_metadata, &self->t);
	SET(VFC_SAVING);
	ASSERT_EQ(0, vfc_drain(d, &vt_bulk, &self->t.s));
	SET(VFC_STOP);
	v2_restores(_metadata, &self->t, &self->t.s, UNITS, VALUE);
}

TEST_F(mix, STR_12_saved_by_v2_loaded_by_v1)
{
	struct vfc_dev *d = &self->t.a;

	fill(_metadata, &self->t);
	self->fd = SET2(VFC2_PRE_COPY);
	ASSERT_EQ(-ENOMSG, vfc2_drain(self->fd, 999, &self->t.s));
	fill(_metadata, &self->t);
	SET2(VFC2_STOP_COPY);
	ASSERT_EQ(0, vfc2_drain(self->fd, 999, &self->t.s));
	SET2(VFC2_STOP);
	d = v2_dest(&self->t);
	load_by_v1(_metadata, d, &self->t.s);
	vt_check_small(_metadata, d, self->t.m, UNITS, VALUE);
}

/* Of the same state, the same bytes behind the session's own id. */
TEST_F(mix, STR_12_the_same_bytes)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream one = {}, *two = &self->t.s;

	fill(_metadata, &self->t);
	SET2(VFC2_STOP);
	ASSERT_EQ(0, vfc_save(d, &vt_bulk, &one));
	SET(VFC_STOP);
	ASSERT_EQ(0, vfc2_save(d, 0, two));
	ASSERT_EQ(one.len, two->len);
	ASSERT_EQ(0, memcmp(one.buf + V2_SESSION, two->buf + V2_SESSION,
			    one.len - V2_SESSION));
	vfc_stream_free(&one);
}

/* --- What a device offers --------------------------------------------- */

#define NO_CHOICE	"no file to choose the protocols"

FIXTURE(mix_choice) {
	struct vfc_dev d;
	char path[VFC_PATH];
};

FIXTURE_SETUP(mix_choice)
{
	snprintf(self->path, sizeof(self->path),
		 "/sys/bus/mdev/devices/%s/migration_protocols",
		 getenv("VFIO_DEV"));
	if (access(self->path, F_OK))
		SKIP(return, NO_CHOICE);
	ASSERT_EQ(0, vfc_open(&self->d, getenv("VFIO_DEV")));
}

FIXTURE_TEARDOWN(mix_choice)
{
	v2_reopen_with(&self->d, getenv("VFIO_DEV"), self->path, "v1 v2");
	vfc_close(&self->d);
}

static void offers(struct __test_metadata *_metadata, struct vfc_dev *d,
		   bool v1, bool v2)
{
	static const __u32 features[] = {
		VFC2_F_MIGRATION, VFC2_F_DEVICE_STATE,
	};
	unsigned int i;

	ASSERT_EQ(v1, d->mig_index >= 0);
	ASSERT_EQ(v1, d->info.num_regions > VFIO_PCI_NUM_REGIONS);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(v2 ? 0 : -ENOTTY, vfc2_probe(d, features[i], VFC2_GET));
	ASSERT_EQ(v2 ? VFC2_RUNNING : -ENOTTY, GET2());
	if (v1) {
		ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
		vt_migrates(_metadata, d);
	}
	if (v2) {
		v2_migrates(_metadata, d);
	} else {
		REFUSED2(-ENOTTY, VFC2_STOP);
		REFUSED2(-ENOTTY, VFC2_PRE_COPY);
	}
}

TEST_F(mix_choice, MIX_04_which_protocols)
{
	static const struct {
		const char *text, *shown;
		bool v1, v2;
	} all[] = {
		{ "v1", "v1\n", true, false },
		{ "v2", "v2\n", false, true },
		{ "v1 v2\n", "v1 v2\n", true, true },
	};
	const char *uuid = getenv("VFIO_DEV");
	char text[64];
	unsigned int i;

	/* By default both. */
	ASSERT_LT(0, vfc_file_read(self->path, text, sizeof(text)));
	ASSERT_STREQ("v1 v2\n", text);
	offers(_metadata, &self->d, true, true);
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		ASSERT_EQ(0, v2_reopen_with(&self->d, uuid, self->path,
					    all[i].text));
		ASSERT_LT(0, vfc_file_read(self->path, text, sizeof(text)));
		ASSERT_STREQ(all[i].shown, text);
		offers(_metadata, &self->d, all[i].v1, all[i].v2);
	}
}

TEST_F(mix_choice, MIX_04_not_while_it_is_open)
{
	static const char *const some[] = { "v1", "v2", "v1 v2" };
	unsigned int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(-EBUSY, vfc_file_write(self->path, some[i],
						 strlen(some[i])));
	offers(_metadata, &self->d, true, true);
}

TEST_F(mix_choice, MIX_04_nonsense)
{
	static const char *const bad[] = {
		"", " ", "v3", "v1 v3", "v", "1", "v1,v2", "v1v2", "none", "v1 v2 v3",
	};
	char text[64];
	unsigned int i;

	vfc_close(&self->d);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		/* A write of no bytes does not come that far. */
		if (*bad[i])
			ASSERT_EQ(-EINVAL, vfc_file_write(self->path, bad[i],
							  strlen(bad[i])))
				TH_LOG("text %u", i);
	}
	ASSERT_LT(0, vfc_file_read(self->path, text, sizeof(text)));
	ASSERT_STREQ("v1 v2\n", text);
	ASSERT_EQ(0, vfc_open(&self->d, getenv("VFIO_DEV")));
	offers(_metadata, &self->d, true, true);
}

/* A stream of a device with one protocol loads into one with the other. */
TEST_F(mix_choice, MIX_04_STR_12_from_one_to_the_other)
{
	const struct vfc_model *m = vfc_model_find(&self->d);
	const char *uuid = getenv("VFIO_DEV");
	struct vfc_stream s = {};

	ASSERT_EQ(0, v2_reopen_with(&self->d, uuid, self->path, "v1"));
	vt_small_stream(_metadata, &self->d, m, UNITS, VALUE, &s);
	ASSERT_EQ(0, v2_reopen_with(&self->d, uuid, self->path, "v2"));
	v2_restore(_metadata, &self->d, &s);
	vt_check_small(_metadata, &self->d, m, UNITS, VALUE);
	vfc_stream_free(&s);
	v2_small_stream(_metadata, &self->d, m, UNITS, VALUE + 1, &s);
	ASSERT_EQ(0, v2_reopen_with(&self->d, uuid, self->path, "v1"));
	load_by_v1(_metadata, &self->d, &s);
	vt_check_small(_metadata, &self->d, m, UNITS, VALUE + 1);
	vfc_stream_free(&s);
}

TEST_HARNESS_MAIN
