// SPDX-License-Identifier: GPL-2.0-only
/*
 * What debugfs says of a session is what the client did: segments and bytes,
 * those that were acknowledged, those of them that no read(2) had fetched (R6),
 * reads of pending_bytes (V1-ACC-02), and streams that were refused.
 */
#include <errno.h>

#include "vmig_test.h"

#define UNITS	600

FIXTURE(counters) {
	struct vt t;
};

FIXTURE_SETUP(counters)
{
	vt_open(_metadata, &self->t);
	if (!vt_has_knob(&self->t.a, "migration"))
		SKIP(return, VT_NO_KNOB);
	if (self->t.m)
		vt_touch(_metadata, &self->t.a, self->t.m, UNITS, 1);
}

FIXTURE_TEARDOWN(counters)
{
	vt_close(&self->t);
}

/* A line "NAME: TEXT" of the file. */
static bool says(const struct vfc_dev *d, const char *line)
{
	char path[VFC_PATH], text[1024];

	if (vfc_file_read(vt_knob(d, "migration", path), text,
			  sizeof(text)) < 0)
		return false;
	return strstr(text, line);
}

TEST_F(counters, state_and_session)
{
	static const struct {
		__u32 state;
		const char *says, *session;
	} all[] = {
		{ VFC_RUNNING, "state: RUNNING\n", "session: none\nowner: none\n" },
		{ VFC_STOP, "state: STOP\n", "session: none\nowner: none\n" },
		{ VFC_SAVING, "state: STOP_COPY\n", "session: saving\nowner: v1\n" },
		{ VFC_PRECOPY, "state: PRE_COPY\n", "session: saving\nowner: v1\n" },
		{ VFC_RESUMING, "state: RESUMING\n",
		  "session: resuming\nowner: v1\n" },
		{ VFC_ERROR, "state: ERROR\n", "session: none\nowner: none\n" },
	};
	struct vfc_dev *d = &self->t.a;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		ASSERT_EQ(0, vfc_reset(d));
		vt_reach(_metadata, d, all[i].state);
		ASSERT_TRUE(says(d, all[i].says));
		ASSERT_TRUE(says(d, all[i].session));
	}
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_TRUE(says(d, all[0].says));
}

TEST_F(counters, V1_YZ_R6_all_was_read)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;

	ASSERT_EQ(0, vfc_save(d, &vt_bulk, s));
	ASSERT_EQ((long long)s->nseg, vt_counter(d, "segments"));
	ASSERT_EQ((long long)s->len, vt_counter(d, "bytes"));
	ASSERT_EQ((long long)s->nseg, vt_counter(d, "acked_segments"));
	ASSERT_EQ((long long)s->len, vt_counter(d, "acked_bytes"));
	ASSERT_EQ(0, vt_counter(d, "acked_unread_bytes"));
	/* They stay to be looked at, until the next session. */
	SET(VFC_RUNNING);
	ASSERT_EQ((long long)s->len, vt_counter(d, "acked_bytes"));
	SET(VFC_PRECOPY);
	ASSERT_EQ(0, vt_counter(d, "acked_bytes"));
}

/* Any way to read it counts: by 8 bytes, backwards, twice. */
TEST_F(counters, V1_YZ_R6_any_order_is_read)
{
	struct vfc_dev *d = &self->t.a;
	__u64 size, at;
	__u8 buf[64];

	SET(VFC_SAVING);
	size = R8(VFC_SIZE);
	for (at = size; at; at -= at < 64 ? at : 64) {
		__u64 n = at < 64 ? at : 64;

		RD(at - n, buf, n);
		RD(at - n, buf, n);
	}
	R8(VFC_PENDING);
	ASSERT_EQ(0, vt_counter(d, "acked_unread_bytes"));
	ASSERT_EQ((long long)size, vt_counter(d, "acked_bytes"));
}

/* Each byte that was not read is counted, and no more. */
TEST_F(counters, V1_YZ_R6_what_was_not_read)
{
	struct vfc_dev *d = &self->t.a;
	long long unread = 0;
	__u8 buf[300];
	__u64 size;

	if (d->area_size)
		ASSERT_EQ(NULL, d->map);
	SET(VFC_SAVING);
	size = R8(VFC_SIZE);
	ASSERT_LT(480, size);
	RD(0, buf, 100);
	RD(50, buf, 100);		/* overlaps: 150 in all */
	RD(size - 1, buf, 1);
	R8(VFC_PENDING);
	unread = size - 151;
	ASSERT_EQ(unread, vt_counter(d, "acked_unread_bytes"));
	if (!R8(VFC_PENDING))
		return;
	/* The next one is not read at all; what was read before does not count. */
	size = R8(VFC_SIZE);
	R8(VFC_PENDING);
	ASSERT_EQ(unread + (long long)size, vt_counter(d, "acked_unread_bytes"));
}

TEST_F(counters, V1_YZ_R6_mapped_is_unknown)
{
	struct vfc_dev *d = &self->t.a;

	if (!d->area_size)
		SKIP(return, VT_NO_MMAP);
	ASSERT_EQ(0, vfc_map(d));
	SET(VFC_SAVING);
	ASSERT_TRUE(says(d, "acked_unread_bytes: unknown\n"));
}

TEST_F(counters, V1_ACC_02_one_event_a_read)
{
	struct vfc_dev *d = &self->t.a;
	__u32 half;
	int i;

	SET(VFC_SAVING);
	for (i = 1; i <= 100; i++) {
		R8(VFC_PENDING);
		ASSERT_EQ(i, vt_counter(d, "pending_reads"));
		/* What is not an access to it is none. */
		ASSERT_EQ(-EINVAL, vfc_pread(d, &half, 4, VFC_PENDING));
		ASSERT_EQ(-EINVAL, vfc_pread(d, &half, 4, VFC_PENDING + 4));
		R8(VFC_OFFSET);
		ASSERT_EQ(i, vt_counter(d, "pending_reads"));
	}
}

TEST_F(counters, V1_RES_12_refusals)
{
	struct vfc_dev *d = &self->t.a;
	long long before = vt_counter(d, "refusals");
	__u8 junk[64] = "no stream";

	SET(VFC_RESUMING);
	ASSERT_EQ(-EINVAL, vfc_feed(d, &vt_bulk, junk, sizeof(junk)));
	ASSERT_EQ(before + 1, vt_counter(d, "refusals"));
	/* It is refused once, however often it is tried. */
	ASSERT_EQ(-EINVAL, vfc_feed(d, &vt_bulk, junk, sizeof(junk)));
	ASSERT_EQ(-EINVAL, vfc_w8(d, VFC_SIZE, vfc_section(d) + 1));
	ASSERT_EQ(before + 1, vt_counter(d, "refusals"));
	ASSERT_EQ(0, vfc_reset(d));
	SET(VFC_RESUMING);
	ASSERT_EQ(-EINVAL, vfc_w8(d, VFC_SIZE, vfc_section(d) + 1));
	ASSERT_EQ(before + 2, vt_counter(d, "refusals"));
	ASSERT_EQ(0, vfc_reset(d));
	vt_migrates(_metadata, d);
	ASSERT_EQ(before + 2, vt_counter(d, "refusals"));
}

TEST_F(counters, section_size)
{
	struct vfc_dev *d = &self->t.a;
	char path[VFC_PATH], text[32];
	__u64 was = vfc_section(d);

	ASSERT_EQ(-EBUSY, vt_knob_set(d, "section_size", "65536"));
	vfc_close(d);
	ASSERT_EQ(-EINVAL, vt_knob_set(d, "section_size", "65535"));
	ASSERT_EQ(-EINVAL, vt_knob_set(d, "section_size", "4096"));
	ASSERT_EQ(-EINVAL, vt_knob_set(d, "section_size", "0"));
	ASSERT_EQ(-EINVAL, vt_knob_set(d, "section_size", "33554432"));
	ASSERT_LT(0, vt_knob_set(d, "section_size", "131072"));
	ASSERT_EQ(0, vfc_open(d, getenv("VFIO_DEV")));
	ASSERT_EQ(131072, vfc_section(d));
	vt_migrates(_metadata, d);
	vfc_close(d);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)was);
	ASSERT_LT(0, vt_knob_set(d, "section_size", text));
	ASSERT_LT(0, vfc_file_read(vt_knob(d, "section_size", path), text,
				   sizeof(text)));
	ASSERT_EQ(was, strtoull(text, NULL, 0));
	ASSERT_EQ(0, vfc_open(d, getenv("VFIO_DEV")));
	ASSERT_EQ(was, vfc_section(d));
}

TEST_HARNESS_MAIN
