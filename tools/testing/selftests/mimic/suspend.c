// SPDX-License-Identifier: GPL-2.0-only
/*
 * LIFE-04: the host goes to sleep in the middle of a session, and the session goes
 * on when it has woken up. What sleeps is every task, client and device threads; the
 * rest of the way is left out (pm_test): mimic's devices have nothing to suspend, and
 * the test machine's file system does not survive it.
 *
 * It needs a machine of its own: all of it sleeps.
 */
#include <errno.h>

#include "../vmig/vmig_test.h"

#define UNITS	300
#define VALUE	8100

FIXTURE(suspend) {
	struct vt t;
	struct vfc_dev *to;
};

FIXTURE_SETUP(suspend)
{
	vt_open_two(_metadata, &self->t);
	self->to = self->t.two ? &self->t.b : &self->t.a;
	if (access("/sys/power/pm_test", W_OK))
		SKIP(return, "the kernel has no pm_test");
	if (self->t.m) {
		vt_touch(_metadata, &self->t.a, self->t.m, UNITS, VALUE);
		ASSERT_EQ(0, self->t.m->reg_set(&self->t.a, VALUE));
	}
}

FIXTURE_TEARDOWN(suspend)
{
	vt_close(&self->t);
}

static void put(struct __test_metadata *_metadata, const char *path,
		const char *text)
{
	ASSERT_EQ((int)strlen(text), vfc_file_write(path, text, strlen(text)))
		TH_LOG("%s: %s", path, text);
}

static void sleep_and_wake(struct __test_metadata *_metadata)
{
	put(_metadata, "/sys/module/suspend/parameters/pm_test_delay", "1");
	put(_metadata, "/sys/power/pm_test", "freezer");
	put(_metadata, "/sys/power/state", "freeze");
	put(_metadata, "/sys/power/pm_test", "none");
}

TEST_F_TIMEOUT(suspend, LIFE_04_saving, 120)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	__u8 *bytes = malloc(vfc_section(d)), *again = malloc(vfc_section(d));
	__u32 state;
	__u64 size;

	ASSERT_TRUE(bytes && again);
	if (d->area_size)
		ASSERT_EQ(0, vfc_map(d));
	for (state = VFC_SAVING; state <= VFC_PRECOPY; state++) {
		vfc_stream_free(s);
		SET(state);
		ASSERT_LT(0, vfc_save_segment(d, &vt_bulk, s));
		R8(VFC_PENDING);
		size = R8(VFC_SIZE);
		if (size)
			RD(0, bytes, size);
		sleep_and_wake(_metadata);
		ASSERT_EQ(state, R4(VFC_STATE));
		ASSERT_EQ(size, R8(VFC_SIZE));
		/* The same bytes, also through a mapping that was made before. */
		if (size) {
			RD(0, again, size);
			ASSERT_EQ(0, memcmp(bytes, again, size));
			ASSERT_EQ((ssize_t)size, vfc_save_segment(d, &vt_bulk, s));
		}
		if (size && d->map)
			ASSERT_EQ(0, memcmp(bytes, vfc_data(d), size));
		ASSERT_EQ(0, vfc_drain(d, &vt_bulk, s));
		SET(VFC_SAVING);
		ASSERT_EQ(0, vfc_drain(d, &vt_bulk, s));
		SET(VFC_RUNNING);
		vt_restore(_metadata, self->to, s);
		vt_check_small(_metadata, self->to, self->t.m, UNITS, VALUE);
	}
	free(bytes);
	free(again);
}

TEST_F_TIMEOUT(suspend, LIFE_04_resuming, 120)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	size_t half;

	ASSERT_EQ(0, vfc_save(d, &vt_bulk, s));
	SET(VFC_RUNNING);
	half = s->len / 2;
	d = self->to;
	ASSERT_EQ(0, vfc_reset(d));
	SET(VFC_RESUMING);
	ASSERT_LE(0, vfc_feed_all(d, &vt_bulk, s->buf, half, 0));
	sleep_and_wake(_metadata);
	ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
	ASSERT_LE(0, vfc_feed_all(d, &vt_bulk, s->buf + half, s->len - half, 0));
	SET(VFC_RUNNING);
	vt_check_small(_metadata, d, self->t.m, UNITS, VALUE);
}

/* Nor does a device that works lose what it is at. */
TEST_F_TIMEOUT(suspend, LIFE_04_running, 120)
{
	struct vfc_dev *d = &self->t.a;
	const struct vfc_model *m = self->t.m;
	__u64 before, after, seq;
	unsigned int i;

	if (!vt_works(m))
		SKIP(return, VT_NO_WORK);
	ASSERT_EQ(0, m->start_noise(d, 16, 500));
	sleep_and_wake(_metadata);
	ASSERT_EQ(0, m->noise_seq(d, &before));
	for (i = 0, after = before; after == before && i < 5000; i++) {
		vfc_sleep_ms(1);
		ASSERT_EQ(0, m->noise_seq(d, &after));
	}
	ASSERT_LT(before, after);
	ASSERT_EQ(0, m->stop_noise(d, &seq));
	ASSERT_EQ(0, m->check_noise(d, 16, seq));
}

TEST_HARNESS_MAIN
