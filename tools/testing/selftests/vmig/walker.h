/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A random walk over a pair of devices, with an oracle beside each, and what
 * makes a divergence short.
 *
 * The walk is a list of steps. A step is one access, with all that it needs in
 * it, so that a list can be run again with steps left out. It is cut into
 * episodes, each of which begins with freshly opened devices and has a seed of
 * its own. In an episode that diverges, steps are left out as long as it still
 * does, and the rest is printed.
 *
 * What a client would collect is put together on the way: the bytes of each
 * acknowledged segment, as far as the oracle has seen them read. So any order
 * of accesses is a client, an honest one or not.
 *
 * Invariants
 * - Devices are reached through struct walk_ops only.
 * - The same seed gives the same steps as long as the device gives the same
 *   results. There is no clock and no sleep.
 * - All memory is bounded: streams by WALK_STREAM, lists by WALK_EPISODE.
 */
#ifndef VMIG_WALKER_H
#define VMIG_WALKER_H

#include <sys/types.h>

#include "oracle.h"

#define WALK_DEVS	2
#define WALK_FDS	4
#define WALK_UNITS	24	/* units of memory that are touched one by one */
#define WALK_SCRATCH	WALK_UNITS	/* "unit": a register */
#define WALK_BULK	(WALK_UNITS + 1)	/* "unit": many units at once */
#define WALK_VALUES	(WALK_UNITS + 2)
#define WALK_SLOTS	4	/* streams that are kept */
#define WALK_STREAM	(6u << 20)
#define WALK_EPISODE	5000	/* steps */

/**
 * struct walk_ops - how a device is reached
 * @open: open device @dev anew; with one fd
 * @close: close all of it
 * @read: pread on fd number @fd; NULL @buf: a pointer that faults
 * @write: pwrite
 * @reset: VFIO_DEVICE_RESET
 * @fd_add: one more fd, @dup: a duplicate of the first. 0 or -errno
 * @fd_del: close fd number @fd; the last one takes its number
 * @pin: close all fds while the mapping keeps the device open, and get one
 *	again; -errno if it cannot
 * @map: the mapped data section, NULL: not mapped
 * @touch: let unit @unit have @value, 0: clear it. NULL: nothing is known of
 *	the model
 * @peek: what it has
 * @noise: let the device change its own memory, or not
 * @noise_check: is what it wrote whole? Only while it is stopped
 * @fail: make an internal error. NULL: cannot
 */
struct walk_ops {
	int (*open)(void *ctx, int dev);
	void (*close)(void *ctx, int dev);
	ssize_t (*read)(void *ctx, int dev, int fd, void *buf, size_t n,
			__u64 off);
	ssize_t (*write)(void *ctx, int dev, int fd, const void *buf, size_t n,
			 __u64 off);
	int (*reset)(void *ctx, int dev, int fd);
	int (*fd_add)(void *ctx, int dev, bool dup);
	void (*fd_del)(void *ctx, int dev, int fd);
	int (*pin)(void *ctx, int dev);
	__u8 *(*map)(void *ctx, int dev);
	int (*touch)(void *ctx, int dev, unsigned int unit, __u64 value);
	int (*peek)(void *ctx, int dev, unsigned int unit, __u64 *value);
	int (*noise)(void *ctx, int dev, bool on);
	int (*noise_check)(void *ctx, int dev);
	int (*fail)(void *ctx, int dev);
};

enum walk_kind {
	WALK_READ,	/* len bytes at off */
	WALK_WRITE,	/* len bytes made of val at off */
	WALK_READ_FAULT,
	WALK_WRITE_FAULT,
	WALK_LOAD,	/* mapped; off in the section */
	WALK_STORE,
	WALK_POOL,	/* len bytes of a kept stream to off in the section */
	WALK_RESET,
	WALK_REOPEN,
	WALK_FD_ADD,
	WALK_FD_DUP,
	WALK_FD_DEL,
	WALK_PIN,
	WALK_TOUCH,	/* off: unit */
	WALK_NOISE,	/* val: on or off */
	WALK_CHECK,	/* compare what the device holds */
	WALK_FAIL,
};

/**
 * struct walk_step - one access
 * @kind: enum walk_kind
 * @dev: which device
 * @fd: which of its fds, modulo their number
 * @slot: WALK_POOL: which stream
 * @flip: WALK_POOL: the byte in the middle is changed by this
 * @mapped: WALK_POOL: by a store
 * @len: see the kinds
 * @off: see the kinds
 * @val: see the kinds; WALK_POOL: where in the stream
 */
struct walk_step {
	__u8 kind;
	__u8 dev;
	__u8 fd;
	__u8 slot;
	__u8 flip;
	bool mapped;
	__u32 len;
	__u64 off;
	__u64 val;
};

/**
 * struct walk_values - what a device should hold
 * @val: of each unit
 * @unknown: it is not known
 * @noise: it changes memory by itself
 */
struct walk_values {
	__u64 val[WALK_VALUES];
	bool unknown[WALK_VALUES];
	bool noise;
};

/**
 * struct walk_stream - what was collected
 * @buf: bytes, WALK_STREAM of them at most
 * @len: how many
 * @honest: nothing that was acknowledged is missing
 * @complete: to the end of a session
 * @id: of its last session, if @complete
 * @at_stop: what the device held when it stopped
 */
struct walk_stream {
	__u8 *buf;
	size_t len;
	bool honest;
	bool complete;
	__u8 id[16];
	struct walk_values at_stop;
};

/**
 * struct walk_job - how the walk goes about to resume a device
 * @active: it does
 * @verify: then compare
 * @part: parts of the stream that are left
 * @slot: where they come from
 * @pos: next byte
 * @cut: end so many bytes early
 * @mode: how it is cut into segments
 * @flip: byte that is changed, -1: none
 * @size: segment that is being written
 * @done: bytes of it that were
 */
struct walk_job {
	bool active;
	bool verify;
	int part;
	__u8 slot[2];
	size_t pos;
	size_t cut;
	int mode;
	long flip;
	size_t size;
	size_t done;
};

struct walk_dev {
	struct oracle o;
	int nfds;
	struct walk_values v;
	struct walk_stream cur;
	bool check_due;
	struct walk_job job;
};

/**
 * struct walk_config - what a walk is like
 * @seed: of the whole walk
 * @salt: makes another walk of the same seed
 * @steps: that it takes; 0: none
 * @episode: the only episode to run, -1: all
 * @many_fds: over several fds
 * @log: gets each line of a report, without newline
 */
struct walk_config {
	__u64 seed;
	__u64 salt;
	__u64 steps;
	long episode;
	bool many_fds;
	void (*log)(const char *line);
};

/**
 * struct walk_result - how it ended
 * @steps: that were taken, without those of the shortening
 * @accesses: of them, to the region
 * @episodes: number of them
 * @drained: sessions that were collected to the end, honestly
 * @restored: streams that were committed
 * @verified: devices that were compared with what they should hold
 * @refused: commits and state writes that were refused as they should be
 * @acks: segments that were acknowledged
 * @largest: bytes of the longest stream
 * @diverged: the device and the rules differ
 * @error: -errno if it could not go on for another reason
 * @minimal: steps that are left of the episode
 * @repeats: the episode diverges again when it is run again
 */
struct walk_result {
	__u64 steps;
	__u64 accesses;
	__u64 episodes;
	__u64 drained;
	__u64 restored;
	__u64 verified;
	__u64 refused;
	__u64 acks;
	__u64 largest;
	bool diverged;
	int error;
	unsigned int minimal;
	bool repeats;
};

/**
 * struct walk - a walk on its way
 * @ops: how devices are reached
 * @ctx: for @ops
 * @config: what it is like
 * @result: how it goes
 * @geom: of both devices
 * @x: state of walk_random()
 * @probes: how often of 100 steps to do what must not matter
 * @wild: how often of 100 other steps not to act as a client would
 * @mapped: how often of 100 to move data by the mapping
 * @bulk: touch many units at once, too
 * @dev: the devices
 * @pool: streams; the last one was not collected to the end, or not honestly
 * @next: which of the others is overwritten next
 * @check: reader for streams that were collected
 * @buf: as large as the region, and a little more
 * @step: of this episode
 * @nsteps: how many
 * @trace: print each step
 * @got: the step's result in words, if @trace
 * @e: what was permitted
 * @why: what differs
 */
struct walk {
	const struct walk_ops *ops;
	void *ctx;
	const struct walk_config *config;
	struct walk_result *result;
	struct oracle_geom geom;
	__u64 x;
	unsigned int probes;
	unsigned int wild;
	unsigned int mapped;
	bool bulk;
	struct walk_dev dev[WALK_DEVS];
	struct walk_stream pool[WALK_SLOTS];
	unsigned int next;
	struct oracle_stream check;
	__u8 *buf;
	struct walk_step *step;
	unsigned int nsteps;
	bool trace;
	char got[64];
	struct oracle_expect e;
	char why[128];
};

#define WALK_SLACK	64	/* bytes of @buf behind the region */

void walk_run(const struct walk_ops *ops, void *ctx,
	      const struct oracle_geom *geom, const struct walk_config *config,
	      struct walk_result *result);

/* --- Inside (walk_plan.c) --------------------------------------------- */

/* A reproducible sequence of numbers. */
__u64 walk_random(__u64 *x);
/* Begin an episode: what will it be like? */
void walk_plan_begin(struct walk *w);
/* What to do next. */
void walk_plan(struct walk *w, struct walk_step *s);
/* The stream in @slot was collected honestly from @dev to its end. */
void walk_plan_drained(struct walk *w, int dev, unsigned int slot);

#endif /* VMIG_WALKER_H */
