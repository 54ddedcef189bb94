// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of state, and what is left for the stop after pre-copy.
 */
#include <errno.h>

#include <linux/vmig_stream.h>

#include "bench.h"

/* --- Changes of state ------------------------------------------------- */

/* Change the state and keep how long it took. */
static int sample_set(struct bench *x, const struct vfc_dev *d, const struct way *w,
		      __u32 state, struct samples *s)
{
	long long ns = timed_set(d, w, &x->file, state);

	if (ns < 0)
		return fail(x, ns, vfc_state_name(state));
	samples_add(s, ns);
	return 0;
}

/* A way round through all arcs that need no data, from RUNNING to RUNNING. */
static const struct {
	const char *name;
	__u32 to;
	bool twin;	/* an arc that is in the list already */
} tour[] = {
	{ "1->3", VFC_PRECOPY, false },
	{ "3->2", VFC_SAVING, false },
	{ "2->0", VFC_STOP, false },
	{ "0->1", VFC_RUNNING, false },
	{ "1->0", VFC_STOP, false },
	{ "0->2", VFC_SAVING, false },
	{ "2->1", VFC_RUNNING, false },
	{ "1->2", VFC_SAVING, false },
	{ "2->1", VFC_RUNNING, true },
	{ "1->3", VFC_PRECOPY, true },
	{ "3->1", VFC_RUNNING, false },
};

static int tour_arcs(struct bench *x)
{
	struct samples s[NR(tour)] = {}, discard = {};
	unsigned int i, k;
	int ret = samples_alloc(s, NR(tour), x->samples);

	if (!ret)
		ret = samples_alloc(&discard, 1, 1);
	for (k = 0; k < x->samples && !ret; k++) {
		for (i = 0; i < NR(tour) && !ret; i++) {
			discard.nr = 0;
			ret = sample_set(x, &x->a, &way_mmap, tour[i].to,
					 tour[i].twin ? &discard : &s[i]);
		}
	}
	for (i = 0; i < NR(tour) && !ret; i++)
		emit_samples(x, "arc", &way_mmap, tour[i].name, &s[i]);
	samples_free(&discard, 1);
	samples_free(s, NR(tour));
	return ret;
}

/* The destination has its memory full when it enters RESUMING. */
static int resume_arcs(struct bench *x)
{
	struct samples s[2] = {};
	unsigned int k;
	struct cost c;
	int ret = samples_alloc(s, 2, x->costly);

	if (!ret)
		ret = one_save(x, &way_mmap, &c);
	if (ret >= 0)
		ret = one_resume(x, &way_mmap, &c);
	for (k = 0; k < x->costly && ret >= 0; k++) {
		progress(x, "1->4 and 4->1: %u of %u", k + 1, x->costly);
		ret = sample_set(x, &x->b, &way_mmap, VFC_RESUMING, &s[0]);
		if (!ret)
			ret = fail(x, timed_feed(&x->b, &way_mmap, x->file, &x->st, &c,
						 NULL, NULL), "resume");
		if (!ret)
			ret = sample_set(x, &x->b, &way_mmap, VFC_RUNNING, &s[1]);
	}
	if (ret >= 0) {
		emit_samples(x, "arc", &way_mmap, "1->4", &s[0]);
		emit_samples(x, "arc", &way_mmap, "4->1", &s[1]);
	}
	samples_free(s, 2);
	return ret < 0 ? ret : 0;
}

int part_arcs(struct bench *x)
{
	int ret = open_devices(x, true);

	if (ret)
		return ret;
	progress(x, "changes of state: %u times", x->samples);
	ret = tour_arcs(x);
	if (!ret)
		ret = resume_arcs(x);
	close_devices(x);
	return ret;
}

/* --- Stops ------------------------------------------------------------ */

/* The stop by either protocol: its change of state, and the rest of the stream. */
static const struct way * const stop_ways[] = { &way_mmap, &way_file };

/* What a chunk takes in the stream */
#define CHUNK_RECORD	(sizeof(struct vmig_rec) + sizeof(struct vmig_rec_chunk) + VFC_UNIT)
/* What the stop may send besides: registers, and the begin and end of it */
#define STOP_FIXED	4096

/**
 * struct stop - a stop after pre-copy
 * @rounds: of pre-copy
 * @percent: of the units that were stored to in each of them
 * @sent: bytes in pre-copy
 * @chunks: units stored to after the last round
 * @ns: what the change of state took
 * @rest: the stream after it
 */
struct stop {
	unsigned int rounds;
	unsigned int percent;
	__u64 sent;
	__u64 chunks;
	__u64 ns;
	struct cost rest;
};

/* Stop, and emit what that cost; leaves the device running. */
static int stop_now(struct bench *x, const struct way *w, struct stop *stop)
{
	long long ns = timed_set(&x->a, w, &x->file, VFC_SAVING);
	int ret = fail(x, ns < 0 ? ns : 0, "3->2");

	if (!ret)
		ret = drain(x, w, &stop->rest);
	if (ret)
		return ret;
	stop->ns = ns;
	emit_begin(x, "dirty");
	emit_text(x, "way", w->name);
	emit_int(x, "percent", stop->percent);
	emit_int(x, "rounds", stop->rounds);
	emit_int(x, "precopy_bytes", stop->sent);
	emit_int(x, "dirtied_bytes", stop->chunks * VFC_UNIT);
	emit_int(x, "aim_bytes", stop->chunks * CHUNK_RECORD + STOP_FIXED);
	emit_int(x, "stop_bytes", stop->rest.bytes);
	emit_num(x, "stop_set_us", stop->ns / 1e3);
	emit_num(x, "stop_copy_us", stop->rest.total / 1e3);
	emit_end(x);
	return set(x, &x->a, w, VFC_RUNNING);
}

static int drained_stop(struct bench *x, const struct way *w, struct stop *stop)
{
	struct cost c;
	int ret = set(x, &x->a, w, VFC_PRECOPY);

	if (!ret)
		ret = drain(x, w, &c);
	if (ret)
		return ret;
	stop->sent = c.bytes;
	return stop_now(x, w, stop);
}

static int drained_stops(struct bench *x, const struct way *w)
{
	struct stop stop = { .rounds = 1 };
	struct samples s[2] = {};
	unsigned int k;
	int ret = samples_alloc(s, 2, x->costly);

	for (k = 0; k < x->costly && !ret; k++) {
		progress(x, "drained stop, %s: %u of %u", w->name, k + 1, x->costly);
		ret = drained_stop(x, w, &stop);
		samples_add(&s[0], stop.ns);
		samples_add(&s[1], stop.rest.total);
	}
	if (!ret) {
		emit_samples(x, "drained", w, "3->2 drained", &s[0]);
		emit_samples(x, "drained", w, "the rest of the stream", &s[1]);
	}
	samples_free(s, 2);
	return ret;
}

/* The stop of an idle device of which everything has been sent. */
int part_drained(struct bench *x)
{
	unsigned int i;
	int ret = open_devices(x, true);

	if (ret)
		return ret;
	for (i = 0; i < NR(stop_ways) && !ret; i++)
		ret = drained_stops(x, stop_ways[i]);
	close_devices(x);
	return ret;
}

/* --- Dirtying --------------------------------------------------------- */

#define DIRTY_ROUNDS	4

/* Stores to @percent of the units, spread, others in each round. Returns how many. */
static __u64 dirty(struct bench *x, unsigned int percent, unsigned int round)
{
	__u64 n = x->units * percent / 100, i, unit;

	for (i = 0; i < n; i++) {
		unit = (i * 100 / percent + round * 7) % x->units;
		vfc_unit_fill(x->map + unit * VFC_UNIT, unit + 1);
	}
	return n;
}

static int dirty_run(struct bench *x, const struct way *w, unsigned int percent)
{
	struct stop stop = { .rounds = DIRTY_ROUNDS, .percent = percent };
	struct cost c;
	unsigned int i;
	int ret = set(x, &x->a, w, VFC_PRECOPY);

	for (i = 0; i < DIRTY_ROUNDS && !ret; i++) {
		if (i)
			dirty(x, percent, i);
		ret = drain(x, w, &c);
		stop.sent += c.bytes;
	}
	if (ret)
		return ret;
	stop.chunks = dirty(x, percent, DIRTY_ROUNDS);
	return stop_now(x, w, &stop);
}

static int dirty_runs(struct bench *x, const struct way *w)
{
	static const unsigned int percent[] = { 0, 1, 10 };
	unsigned int i, k;
	int ret = 0;

	for (i = 0; i < NR(percent) && !ret; i++) {
		for (k = 0; k < x->rounds && !ret; k++) {
			progress(x, "dirtying %u %%, %s: %u of %u", percent[i],
				 w->name, k + 1, x->rounds);
			ret = dirty_run(x, w, percent[i]);
		}
	}
	return ret;
}

int part_dirty(struct bench *x)
{
	unsigned int i;
	int ret = open_devices(x, true);

	if (ret)
		return ret;
	for (i = 0; i < NR(stop_ways) && !ret; i++)
		ret = dirty_runs(x, stop_ways[i]);
	close_devices(x);
	return ret;
}
