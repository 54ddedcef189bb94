// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle of a device with two protocols. See mix_oracle.h.
 */
#include <errno.h>
#include <string.h>

#include "mix_oracle.h"

#define NO_PROMISE	(~0ull)

int mix_init(struct mix *m, const struct oracle_geom *g,
	     const char *(*way)(__u32 from, __u32 to))
{
	memset(m, 0, sizeof(*m));
	m->way = way;
	if (oracle_stream_init(&m->in, g) || oracle_stream_init(&m->out, g))
		return -ENOMEM;
	mix_power_on(m);
	return 0;
}

void mix_free(struct mix *m)
{
	oracle_stream_free(&m->in);
	oracle_stream_free(&m->out);
}

static void end_session(struct mix *m)
{
	m->owner = MIX_NOBODY;
	m->refused = false;
	m->idle = false;
	m->promise = NO_PROMISE;
}

void mix_power_on(struct mix *m)
{
	end_session(m);
	m->state = MIX_RUNNING;
}

void mix_fail(struct mix *m)
{
	end_session(m);
	m->state = MIX_ERROR;
}

static bool saves(__u32 state)
{
	return state == MIX_STOP_COPY || state == MIX_PRE_COPY ||
	       state == MIX_PRE_COPY_P2P;
}

bool mix_saves(const struct mix *m)
{
	return saves(m->state);
}

bool mix_precopies(const struct mix *m)
{
	return saves(m->state) && m->state != MIX_STOP_COPY;
}

bool mix_runs(const struct mix *m)
{
	return mix_precopies(m) || m->state == MIX_RUNNING ||
	       m->state == MIX_RUNNING_P2P;
}

__u32 mix_v1_state(const struct mix *m)
{
	static const __u32 view[MIX_STATES] = {
		[MIX_ERROR] = ORACLE_ERROR, [MIX_STOP] = ORACLE_STOP,
		[MIX_RUNNING] = ORACLE_RUNNING,
		[MIX_STOP_COPY] = ORACLE_SAVING,
		[MIX_RESUMING] = ORACLE_RESUMING,
		[MIX_RUNNING_P2P] = ORACLE_RUNNING,
		[MIX_PRE_COPY] = ORACLE_PRECOPY,
		[MIX_PRE_COPY_P2P] = ORACLE_PRECOPY,
	};

	return view[m->state];
}

static void begin_session(struct mix *m, enum mix_owner owner)
{
	end_session(m);
	m->owner = owner;
	if (m->state == MIX_RESUMING)
		oracle_stream_reset(&m->in);
	else
		oracle_stream_reset(&m->out);
}

static struct mix_move refused(int ret)
{
	return (struct mix_move) { .ret = ret };
}

/* There is a way, and it is not to where the device is. */
static struct mix_move go(struct mix *m, __u32 state, const char *way,
			  enum mix_owner owner)
{
	struct mix_move move = { .file = strchr(way, '+') };
	bool resumes = m->state == MIX_RESUMING;

	if (m->owner != MIX_NOBODY && m->owner != owner &&
	    (saves(state) || state == MIX_RESUMING))
		return refused(-EBUSY);
	if (resumes && (m->refused || !oracle_stream_complete(&m->in)))
		return refused(-EINVAL);
	move.leaves_resume = resumes;
	if (!saves(state) || !saves(m->state))
		end_session(m);
	/* More is to be sent once the device has stopped. */
	m->idle = m->idle && state != MIX_STOP_COPY;
	m->state = state;
	if (move.file)
		begin_session(m, owner);
	return move;
}

struct mix_move mix_set2(struct mix *m, __u32 state)
{
	const char *way;

	if (m->state == MIX_ERROR)
		return refused(-EIO);
	if (state == m->state)
		return refused(0);
	way = state < MIX_STATES ? m->way(m->state, state) : NULL;
	return way ? go(m, state, way, MIX_V2) : refused(-EINVAL);
}

struct mix_move mix_set1(struct mix *m, __u32 value)
{
	static const __u32 state[] = { MIX_STOP, MIX_RUNNING, MIX_STOP_COPY,
		MIX_PRE_COPY, MIX_RESUMING };
	const char *way;

	if (m->state == MIX_ERROR)
		return refused(-EIO);
	if (value > ORACLE_RESUMING)
		return refused(-EINVAL);
	if (value == mix_v1_state(m))
		return refused(0);
	way = m->way(m->state, state[value]);
	return way ? go(m, state[value], way, MIX_V1) : refused(-EINVAL);
}

const char *mix_out(struct mix *m, const void *buf, size_t n)
{
	if (m->idle)
		return "there are bytes, and there were none before";
	if (oracle_stream_complete(&m->out))
		return "there are bytes behind the end";
	if (oracle_stream_feed(&m->out, buf, n) < 0)
		return "the stream is not valid";
	if (m->promise != NO_PROMISE && n > m->promise)
		return "more bytes than MIG_DATA_SIZE has said";
	if (m->promise != NO_PROMISE)
		m->promise -= n;
	return NULL;
}

const char *mix_out_none(struct mix *m)
{
	if (m->state == MIX_STOP_COPY && !oracle_stream_complete(&m->out))
		return "the end comes too early";
	return NULL;
}

const char *mix_in(struct mix *m, const void *buf, size_t n, int ret)
{
	int want = -EINVAL;

	if (!m->refused)
		want = oracle_stream_feed(&m->in, buf, n);
	m->refused = m->refused || ret;
	if (want == ORACLE_EITHER ? !ret || ret == -EINVAL : ret == want)
		return NULL;
	return "bytes of a stream are judged differently";
}

const char *mix_promised(struct mix *m, __u64 bytes)
{
	if (!bytes)
		return "MIG_DATA_SIZE is 0";
	/* While it runs it is an estimate. */
	if (!mix_runs(m) && m->state != MIX_RESUMING)
		m->promise = bytes;
	return NULL;
}
