/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An oracle of a device that both protocols may use at any time: one state
 * machine, two views, one owner of a session (migration-rules.rst, V2-FSM, V2-FD,
 * MIX). It is told what was asked and what came of it.
 *
 * It is coarser than oracle.h, which knows every access of the migration region:
 * here a v1 client collects or provides whole segments. It knows nothing of the
 * driver; which ways there are it is told by the table of the tests.
 */
#ifndef MIX_ORACLE_H
#define MIX_ORACLE_H

#include "oracle.h"

/* States of the v2 protocol. */
enum mix_state {
	MIX_ERROR, MIX_STOP, MIX_RUNNING, MIX_STOP_COPY, MIX_RESUMING,
	MIX_RUNNING_P2P, MIX_PRE_COPY, MIX_PRE_COPY_P2P, MIX_STATES
};

enum mix_owner { MIX_NOBODY, MIX_V1, MIX_V2 };

/**
 * struct mix - one device
 * @way: the way from a state to another one: NULL if there is none, with a "+" if
 *	its last step begins a session
 * @state: enum mix_state
 * @owner: of the session
 * @refused: the stream that comes in was
 * @in: the stream that comes in
 * @out: the stream that goes out, as it was delivered
 * @idle: nothing is to be sent now, and nothing changes
 * @promise: most bytes that are still to come; ~0 if nothing was promised
 */
struct mix {
	const char *(*way)(__u32 from, __u32 to);
	__u32 state;
	enum mix_owner owner;
	bool refused;
	struct oracle_stream in;
	struct oracle_stream out;
	bool idle;
	__u64 promise;
};

int mix_init(struct mix *m, const struct oracle_geom *g,
	     const char *(*way)(__u32 from, __u32 to));
void mix_free(struct mix *m);
/* The device was reset, or opened anew. */
void mix_power_on(struct mix *m);
/* It has found an internal error. */
void mix_fail(struct mix *m);

bool mix_saves(const struct mix *m);
bool mix_precopies(const struct mix *m);
bool mix_runs(const struct mix *m);
/* What a read of v1's device_state gives. */
__u32 mix_v1_state(const struct mix *m);

/**
 * struct mix_move - what a request for a state must do
 * @ret: 0, or -errno and nothing changes
 * @file: a data file is returned
 * @leaves_resume: a complete stream is taken
 */
struct mix_move {
	int ret;
	bool file;
	bool leaves_resume;
};

/* SET of the v2 protocol, or a write of v1's device_state; and make it so. */
struct mix_move mix_set2(struct mix *m, __u32 state);
struct mix_move mix_set1(struct mix *m, __u32 value);

/*
 * @n bytes were delivered. NULL, or what is wrong with that.
 */
const char *mix_out(struct mix *m, const void *buf, size_t n);
/* There was nothing to deliver. NULL, or what is wrong with that. */
const char *mix_out_none(struct mix *m);
/* @n bytes were provided with this result: 0, or -errno. Likewise. */
const char *mix_in(struct mix *m, const void *buf, size_t n, int ret);
/* The device said how much there is to come. Likewise. */
const char *mix_promised(struct mix *m, __u64 bytes);

#endif /* MIX_ORACLE_H */
