// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state machine against the table of arcs, cell by cell, against the
 * rules that the tables follow from, and against the kernel's own function.
 */
#include "kselftest_harness.h"

#include "fsm.h"
#include "kernel_fsm.h"

enum {
	E = VMIG_STATE_ERROR,
	S = VMIG_STATE_STOP,
	R = VMIG_STATE_RUNNING,
	SC = VMIG_STATE_STOP_COPY,
	RS = VMIG_STATE_RESUMING,
	RP = VMIG_STATE_RUNNING_P2P,
	PC = VMIG_STATE_PRE_COPY,
	PP = VMIG_STATE_PRE_COPY_P2P,
};

static const char * const names[VMIG_NR_STATES] = {
	[E] = "E", [S] = "S", [R] = "R", [SC] = "SC",
	[RS] = "RS", [RP] = "RP", [PC] = "PC", [PP] = "PP",
};

/*
 * Appendix B. A cell has the states that are visited after the start, and "+fd"
 * if a data transfer begins; "=" is no change, and a cell that is not there is
 * a refusal.
 */
struct book {
	unsigned int flags;
	unsigned int permitted;
	const char *cell[VMIG_NR_STATES][VMIG_NR_STATES];
};

#define ROW7(s, r, sc, rs, rp, pc, pp) { [S] = s, [R] = r, [SC] = sc, \
	[RS] = rs, [RP] = rp, [PC] = pc, [PP] = pp }
#define ROW5(s, r, sc, rs, pc)	{ [S] = s, [R] = r, [SC] = sc, [RS] = rs, \
	[PC] = pc }
#define ROW3(s, r, sc, rs, rp)	{ [S] = s, [R] = r, [SC] = sc, [RS] = rs, \
	[RP] = rp }
#define ROW1(s, r, sc, rs)	{ [S] = s, [R] = r, [SC] = sc, [RS] = rs }

static const struct book books[] = {
	{
		.flags = VMIG_F_STOP_COPY | VMIG_F_P2P | VMIG_F_PRE_COPY,
		.permitted = 40,
		.cell = {
			[S] = ROW7("=", "RP R", "SC +fd", "RS +fd", "RP",
				   "RP R PC +fd", "RP PP +fd"),
			[R] = ROW7("RP S", "=", "RP S SC +fd", "RP S RS +fd",
				   "RP", "PC +fd", "RP PP +fd"),
			[SC] = ROW7("S", "S RP R", "=", "S RS +fd", "S RP",
				    NULL, NULL),
			[RS] = ROW7("S", "S RP R", "S SC +fd", "=", "S RP",
				    "S RP R PC +fd", "S RP PP +fd"),
			[RP] = ROW7("S", "R", "S SC +fd", "S RS +fd", "=",
				    "R PC +fd", "PP +fd"),
			[PC] = ROW7("R RP S", "R", "PP SC", "R RP S RS +fd",
				    "R RP", "=", "PP"),
			[PP] = ROW7("RP S", "RP R", "SC", "RP S RS +fd", "RP",
				    "PC", "="),
		},
	}, {
		.flags = VMIG_F_STOP_COPY | VMIG_F_PRE_COPY,
		.permitted = 19,
		.cell = {
			[S] = ROW5("=", "R", "SC +fd", "RS +fd", "R PC +fd"),
			[R] = ROW5("S", "=", "S SC +fd", "S RS +fd", "PC +fd"),
			[SC] = ROW5("S", "S R", "=", "S RS +fd", NULL),
			[RS] = ROW5("S", "S R", "S SC +fd", "=", "S R PC +fd"),
			[PC] = ROW5("R S", "R", "SC", "R S RS +fd", "="),
		},
	}, {
		.flags = VMIG_F_STOP_COPY | VMIG_F_P2P,
		.permitted = 20,
		.cell = {
			[S] = ROW3("=", "RP R", "SC +fd", "RS +fd", "RP"),
			[R] = ROW3("RP S", "=", "RP S SC +fd", "RP S RS +fd",
				   "RP"),
			[SC] = ROW3("S", "S RP R", "=", "S RS +fd", "S RP"),
			[RS] = ROW3("S", "S RP R", "S SC +fd", "=", "S RP"),
			[RP] = ROW3("S", "R", "S SC +fd", "S RS +fd", "="),
		},
	}, {
		.flags = VMIG_F_STOP_COPY,
		.permitted = 12,
		.cell = {
			[S] = ROW1("=", "R", "SC +fd", "RS +fd"),
			[R] = ROW1("S", "=", "S SC +fd", "S RS +fd"),
			[SC] = ROW1("S", "S R", "=", "S RS +fd"),
			[RS] = ROW1("S", "S R", "S SC +fd", "="),
		},
	},
};

/* Appendix B's list of arcs: which there are with which flags. */
struct arc {
	u8 from;
	u8 to;
	unsigned int with;
	unsigned int without;
	bool starts;
};

static const struct arc arcs[] = {
	{ RS, S, 0, 0, false },
	{ S, RS, 0, 0, true },
	{ S, SC, 0, 0, true },
	{ SC, S, 0, 0, false },
	{ R, S, 0, VMIG_F_P2P, false },
	{ S, R, 0, VMIG_F_P2P, false },
	{ R, RP, VMIG_F_P2P, 0, false },
	{ RP, R, VMIG_F_P2P, 0, false },
	{ RP, S, VMIG_F_P2P, 0, false },
	{ S, RP, VMIG_F_P2P, 0, false },
	{ R, PC, VMIG_F_PRE_COPY, 0, true },
	{ PC, R, VMIG_F_PRE_COPY, 0, false },
	{ PC, SC, VMIG_F_PRE_COPY, VMIG_F_P2P, false },
	{ PC, PP, VMIG_F_PRE_COPY | VMIG_F_P2P, 0, false },
	{ PP, PC, VMIG_F_PRE_COPY | VMIG_F_P2P, 0, false },
	{ PP, RP, VMIG_F_PRE_COPY | VMIG_F_P2P, 0, false },
	{ PP, SC, VMIG_F_PRE_COPY | VMIG_F_P2P, 0, false },
	{ RP, PP, VMIG_F_PRE_COPY | VMIG_F_P2P, 0, true },
};

static const struct arc *find_arc(unsigned int flags, unsigned int from,
				  unsigned int to)
{
	const struct arc *a;

	for (a = arcs; a < arcs + ARRAY_SIZE(arcs); a++) {
		if (a->from == from && a->to == to &&
		    (a->with & ~flags) == 0 && (a->without & flags) == 0)
			return a;
	}
	return NULL;
}

/* vmig_fsm_next() with any numbers, and with a result that must be kept. */
static int step(unsigned int flags, unsigned int from, unsigned int to,
		unsigned int *next)
{
	enum vmig_state n = *next;
	int ret = vmig_fsm_next((enum vmig_state)from, (enum vmig_state)to,
				flags, &n);

	*next = n;
	return ret;
}

/* Walk as the engine does, and write the way down as the book does. */
static void walk(struct __test_metadata *_metadata, unsigned int flags,
		 unsigned int from, unsigned int to, char *way, size_t size)
{
	unsigned int at = from, next = E, n = 0, starts = 0;
	const struct arc *arc;
	int ret;

	way[0] = 0;
	while (at != to) {
		ret = step(flags, at, to, &next);
		if (ret) {
			ASSERT_EQ(-EINVAL, ret);
			ASSERT_EQ(0, n) TH_LOG("stuck on the way");
			way[0] = 0;
			return;
		}
		arc = find_arc(flags, at, next);
		ASSERT_NE(NULL, arc) {
			TH_LOG("flags %u: no arc %s to %s", flags, names[at],
			       names[next]);
		}
		ASSERT_EQ(arc->starts, vmig_fsm_starts_session(at, next));
		starts += arc->starts;
		ASSERT_TRUE(!starts || next == to) {
			TH_LOG("a session on the way");
		}
		snprintf(way + strlen(way), size - strlen(way), "%s%s",
			 n ? " " : "", names[next]);
		at = next;
		ASSERT_LT(n++, VMIG_NR_STATES) TH_LOG("no end");
	}
	if (starts)
		snprintf(way + strlen(way), size - strlen(way), " +fd");
	if (!n)
		snprintf(way, size, "=");
}

TEST(V2_FSM_appendix_B_every_pair)
{
	const struct book *b;
	unsigned int from, to, next, permitted;
	char way[64];

	for (b = books; b < books + ARRAY_SIZE(books); b++) {
		permitted = 0;
		for (from = 0; from < VMIG_NR_STATES; from++) {
			for (to = 0; to < VMIG_NR_STATES; to++) {
				const char *cell = b->cell[from][to];

				next = 77;
				if (!cell) {
					EXPECT_EQ(-EINVAL,
						  step(b->flags, from, to, &next)) {
						TH_LOG("flags %u: %s to %s", b->flags,
						       names[from], names[to]);
					}
					EXPECT_EQ(77, next);
					continue;
				}
				walk(_metadata, b->flags, from, to, way,
				     sizeof(way));
				EXPECT_STREQ(cell, way) {
					TH_LOG("flags %u: %s to %s", b->flags,
					       names[from], names[to]);
				}
				permitted += from != to;
			}
		}
		EXPECT_EQ(b->permitted, permitted);
	}
}

TEST(V1_ST_10_same_state_is_a_step_to_itself)
{
	const struct book *b;
	unsigned int at, next;

	for (b = books; b < books + ARRAY_SIZE(books); b++) {
		for (at = 0; at < VMIG_NR_STATES; at++) {
			if (!b->cell[at][at])
				continue;
			next = 77;
			EXPECT_EQ(0, step(b->flags, at, at, &next));
			EXPECT_EQ(at, next);
			EXPECT_FALSE(vmig_fsm_starts_session(at, at));
		}
	}
}

TEST(V2_FSM_error_is_no_target_and_no_start)
{
	const struct book *b;
	unsigned int other, next = 77;

	for (b = books; b < books + ARRAY_SIZE(books); b++) {
		for (other = 0; other < VMIG_NR_STATES; other++) {
			EXPECT_EQ(-EINVAL, step(b->flags, E, other, &next));
			EXPECT_EQ(-EINVAL, step(b->flags, other, E, &next));
			EXPECT_EQ(77, next);
		}
	}
}

static void refused(struct __test_metadata *_metadata, unsigned int value)
{
	const struct book *b;
	unsigned int other, next = 77;

	for (b = books; b < books + ARRAY_SIZE(books); b++) {
		for (other = 0; other < VMIG_NR_STATES; other++) {
			ASSERT_EQ(-EINVAL, step(b->flags, other, value, &next)) {
				TH_LOG("to %u", value);
			}
			ASSERT_EQ(-EINVAL, step(b->flags, value, other, &next)) {
				TH_LOG("from %u", value);
			}
			ASSERT_EQ(77, next);
		}
	}
}

TEST(V2_FSM_illegal_values)
{
	unsigned int bit, low;

	for (low = VMIG_NR_STATES; low < 65536; low++)
		refused(_metadata, low);
	for (bit = 3; bit < 32; bit++) {
		for (low = 0; low < VMIG_NR_STATES; low++) {
			refused(_metadata, 1u << bit | low);
			refused(_metadata, ~0u << bit | low);
		}
	}
}

/* A wrong set of flags may not hang the kernel. */
TEST(V2_FSM_any_flags_come_to_an_end)
{
	unsigned int flags, from, to, at, next = E, n;

	alarm(10);
	for (flags = 0; flags < 8; flags++) {
		for (from = 0; from < VMIG_NR_STATES; from++) {
			for (to = 0; to < VMIG_NR_STATES; to++) {
				at = from;
				for (n = 0; at != to; n++) {
					if (step(flags, at, to, &next))
						break;
					ASSERT_LT(next, VMIG_NR_STATES);
					ASSERT_NE(E, next);
					ASSERT_LT(n, VMIG_NR_STATES);
					at = next;
				}
			}
		}
	}
	alarm(0);
}

TEST(V2_FSM_saving_states)
{
	unsigned int state;

	for (state = 0; state < VMIG_NR_STATES; state++) {
		EXPECT_EQ(state == SC || state == PC || state == PP,
			  vmig_fsm_saving(state));
	}
}

TEST(V2_FSM_sessions_start_and_go_on)
{
	const struct arc *a;

	for (a = arcs; a < arcs + ARRAY_SIZE(arcs); a++) {
		EXPECT_EQ(a->starts, vmig_fsm_starts_session(a->from, a->to)) {
			TH_LOG("%s to %s", names[a->from], names[a->to]);
		}
	}
}

TEST(V1_ST_04_run_levels)
{
	static const enum vmig_run want[VMIG_NR_STATES] = {
		[E] = VMIG_RUN_NONE,
		[S] = VMIG_RUN_NONE,
		[R] = VMIG_RUN_ALL,
		[SC] = VMIG_RUN_NONE,
		[RS] = VMIG_RUN_NONE,
		[RP] = VMIG_RUN_NO_DMA,
		[PC] = VMIG_RUN_ALL,
		[PP] = VMIG_RUN_NO_DMA,
	};
	unsigned int state;

	for (state = 0; state < VMIG_NR_STATES; state++)
		EXPECT_EQ(want[state], vmig_fsm_run(state));
	/* What nobody knows does nothing. */
	EXPECT_EQ(VMIG_RUN_NONE, vmig_fsm_run(VMIG_NR_STATES));
}

/* An arc of two P2P states may not stop a timer, nor one between RUNNING ones DMA. */
TEST(V2_FSM_arcs_change_one_level_at_most_with_P2P)
{
	const struct arc *a;

	for (a = arcs; a < arcs + ARRAY_SIZE(arcs); a++) {
		if (a->without & VMIG_F_P2P)
			continue;
		EXPECT_LE(abs((int)vmig_fsm_run(a->from) -
			      (int)vmig_fsm_run(a->to)), 1) {
			TH_LOG("%s to %s", names[a->from], names[a->to]);
		}
	}
}

TEST(V2_FSM_same_as_the_kernel)
{
	const struct book *b;
	unsigned int from, to, ours, theirs;
	int our_ret, their_ret;

	if (!kernel_fsm.source)
		SKIP(return, "the package linux-source is not installed");
	TH_LOG("%s, flags %u", kernel_fsm.source, kernel_fsm.flags);
	for (from = 0; from < VMIG_NR_STATES; from++) {
		ASSERT_TRUE(kernel_fsm.states[from] == (int)from ||
			    kernel_fsm.states[from] == -1);
	}
	for (b = books; b < books + ARRAY_SIZE(books); b++) {
		if (b->flags & ~kernel_fsm.flags)
			continue;
		for (from = 0; from < 16; from++) {
			for (to = 0; to < 16; to++) {
				ours = E;
				theirs = E;
				our_ret = step(b->flags, from, to, &ours);
				their_ret = kernel_fsm.next(b->flags, from, to,
							    &theirs);
				ASSERT_EQ(their_ret, our_ret) {
					TH_LOG("flags %u: %u to %u", b->flags,
					       from, to);
				}
				ASSERT_EQ(theirs, ours);
			}
		}
	}
}

TEST_HARNESS_MAIN
