// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does the random walk bite? It walks over a fake pair of devices, without a
 * bug and with each of a list of bugs, and has to find and shorten each.
 *
 * WALK_SEED=... makes another walk.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kselftest_harness.h"

#include "fake.h"

/* No bug needs more steps than this to be seen. */
#define SHORT	12
/* Steps of a walk that has to find something, or nothing. */
#define STEPS	400000

/*
 * Not a new one each time: that every bug is found by any walk is sure, that
 * every list becomes as short is not.
 */
static __u64 seed_of_run(void)
{
	const char *s = getenv("WALK_SEED");

	return s ? strtoull(s, NULL, 0) : 1;
}

static void say(const char *line)
{
	printf("# %s\n", line);
	fflush(stdout);	/* the harness leaves by _exit() */
}

static void walk(struct __test_metadata *_metadata, enum fake_bug bug,
		 struct walk_result *r)
{
	const struct walk_config config = {
		.seed = seed_of_run(),
		.steps = STEPS,
		.episode = -1,
		.many_fds = true,
		.log = say,
	};
	struct fake_pair *p = fake_new(bug);
	struct oracle_geom g;

	ASSERT_NE(NULL, p);
	fake_geom(&g);
	walk_run(&fake_ops, p, &g, &config, r);
	fake_free(p);
	printf("# seed %#llx: %llu steps, %llu drained, %llu restored\n",
	       config.seed, r->steps, r->drained, r->restored);
	fflush(stdout);
	ASSERT_EQ(0, r->error);
}

TEST(walker_agrees_with_a_right_device)
{
	struct walk_result r;

	walk(_metadata, FAKE_NO_BUG, &r);
	ASSERT_FALSE(r.diverged);
	ASSERT_EQ(STEPS, r.steps);
	/* It does get somewhere. */
	ASSERT_LT(STEPS / 2000, r.drained);
	ASSERT_LT(STEPS / 2000, r.restored);
	ASSERT_LT(STEPS / 2000, r.refused);
}

/* One and the same seed, one and the same walk. */
TEST(walker_is_reproducible)
{
	struct walk_result r[2];

	walk(_metadata, FAKE_NO_BUG, &r[0]);
	walk(_metadata, FAKE_NO_BUG, &r[1]);
	ASSERT_EQ(0, memcmp(&r[0], &r[1], sizeof(r[0])));
}

FIXTURE(bug) {
	int unused;
};

FIXTURE_VARIANT(bug) {
	enum fake_bug bug;
};

FIXTURE_VARIANT_ADD(bug, V1_YZ_R2_offset_acknowledges) {
	.bug = FAKE_ACK_ON_OFFSET
};

FIXTURE_VARIANT_ADD(bug, V1_YZ_R2_unsized_is_acknowledged) {
	.bug = FAKE_ACK_UNSIZED
};

FIXTURE_VARIANT_ADD(bug, V1_ST_10_same_state_restarts) {
	.bug = FAKE_RESTART
};

FIXTURE_VARIANT_ADD(bug, V1_RES_12_refusal_is_forgotten) {
	.bug = FAKE_NOT_LATCHED
};

FIXTURE_VARIANT_ADD(bug, V1_SAV_14_stale_behind_segment) {
	.bug = FAKE_STALE_BEHIND
};

FIXTURE_VARIANT_ADD(bug, V1_RES_08_stale_buffer) {
	.bug = FAKE_STALE_BUFFER
};

FIXTURE_VARIANT_ADD(bug, V1_Q7_T8_segment_is_torn) {
	.bug = FAKE_TORN
};

FIXTURE_VARIANT_ADD(bug, V1_SAV_02_zero_sticks) {
	.bug = FAKE_STICKY_ZERO
};

FIXTURE_VARIANT_ADD(bug, V1_ST_03_reserved_bits_ignored) {
	.bug = FAKE_RESERVED_BITS
};

FIXTURE_VARIANT_ADD(bug, V1_ST_39_back_to_precopy) {
	.bug = FAKE_BACK_TO_PRECOPY
};

FIXTURE_VARIANT_ADD(bug, V1_YZ_R5_doubt_is_lost) {
	.bug = FAKE_DOUBT_LOST
};

FIXTURE_VARIANT_ADD(bug, V1_YZ_R1_segment_grows) {
	.bug = FAKE_LIVE_SIZE
};

FIXTURE_VARIANT_ADD(bug, V1_ACC_09_fault_acknowledges) {
	.bug = FAKE_FAULT_ACKS
};

FIXTURE_VARIANT_ADD(bug, V1_ST_87_reset_keeps_session) {
	.bug = FAKE_RESET_KEEPS
};

FIXTURE_VARIANT_ADD(bug, V1_PRE_03_update_is_lost) {
	.bug = FAKE_LOST_UPDATE
};

FIXTURE_VARIANT_ADD(bug, V1_RES_14_incomplete_is_committed) {
	.bug = FAKE_HALF_COMMIT
};

FIXTURE_VARIANT_ADD(bug, V1_ST_12_state_of_an_fd) {
	.bug = FAKE_PER_FD
};

FIXTURE_SETUP(bug) {}
FIXTURE_TEARDOWN(bug) {}

TEST_F_TIMEOUT(bug, is_found_and_shortened, 120)
{
	struct walk_result r;

	walk(_metadata, variant->bug, &r);
	ASSERT_TRUE(r.diverged);
	ASSERT_TRUE(r.repeats);
	ASSERT_LE(r.minimal, SHORT);
}

TEST_HARNESS_MAIN
