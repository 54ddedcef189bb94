/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the benchmark share: the run, its devices, its output.
 *
 * Everything that can fail says so itself and returns -errno, so that a part
 * only hands errors up. A time is never an error.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdio.h>

#include "passes.h"
#include "session.h"
#include "vfio_client.h"
#include "vfio_model.h"

#define MIB		(1024 * 1024ull)
#define UNITS_PER_MIB	(MIB / VFC_UNIT)
#define NR(a)		(sizeof(a) / sizeof((a)[0]))

/**
 * struct bench - a run
 * @uuid: of source and destination
 * @parts: comma separated names, or NULL: all
 * @touch_mib: how much of the memory is touched; 0: all
 * @rounds: how often a transfer is measured
 * @samples: how often a change of state is measured
 * @costly: the same for changes that need a whole transfer
 * @small_mib: touched for transfers in steps of 8 bytes
 * @cgroup: folder of the cgroup that this process is in, or NULL
 * @path: where results go, or NULL: stdout
 * @out: the same, open
 * @a: source
 * @b: destination
 * @file: data file of the v2 session that one of them has, or -1
 * @m: adapter for both
 * @map: memory of @a, mapped
 * @mem_units: units of memory that the devices have
 * @units: how many of them are touched
 * @st: the saved stream
 * @passes: what the machine can do
 * @scratch: memory for @passes
 * @scratch_bytes: as much as is touched, or less if that is a lot
 * @begin: ns, for progress
 */
struct bench {
	const char *uuid[2];
	const char *parts;
	unsigned int touch_mib;
	unsigned int rounds;
	unsigned int samples;
	unsigned int costly;
	unsigned int small_mib;
	const char *cgroup;
	const char *path;
	FILE *out;
	struct vfc_dev a;
	struct vfc_dev b;
	int file;
	const struct vfc_model *m;
	__u8 *map;
	__u64 mem_units;
	__u64 units;
	struct store st;
	struct passes passes;
	__u8 *scratch;
	size_t scratch_bytes;
	__u64 begin;
};

/* v1 by mmap, and v2 by 1 MiB, as QEMU does it. */
extern const struct way way_mmap;
extern const struct way way_file;

/* --- Output: report.c ------------------------------------------------- */

/* A line on stderr, with the time since the begin. */
void __attribute__((format(printf, 2, 3)))
progress(const struct bench *x, const char *format, ...);
/* Say that @what failed, if @err is negative. Returns @err. */
int fail(const struct bench *x, int err, const char *what);
/* One result is one JSON object on a line: begin, fields, end. */
void emit_begin(struct bench *x, const char *part);
void emit_text(struct bench *x, const char *name, const char *value);
void emit_int(struct bench *x, const char *name, long long value);
void emit_num(struct bench *x, const char *name, double value);
void emit_end(struct bench *x);
double mib_per_s(__u64 bytes, __u64 ns);

/* --- Devices: vmigbench.c ----------------------------------------------- */

/* Open both; the source's memory is mapped, touched and RUNNING. */
int open_devices(struct bench *x, bool mmap);
void close_devices(struct bench *x);
/* Power-on again, then @units units of content. */
int refill(struct bench *x, __u64 units);
/* Change the state by the protocol of @w. 0 or -errno. */
int set(struct bench *x, const struct vfc_dev *d, const struct way *w, __u32 state);

/* --- Transfers that others need: transfers.c -------------------------- */

/* RUNNING, by way of SAVING, to RUNNING; the stream is in x->st. */
int one_save(struct bench *x, const struct way *w, struct cost *c);
/* x->st into the destination, which is reset before and RUNNING after. */
int one_resume(struct bench *x, const struct way *w, struct cost *c);
/* Collect all that is pending, and forget it. */
int drain(struct bench *x, const struct way *w, struct cost *c);

/* --- Durations: samples.c --------------------------------------------- */

/**
 * struct samples - durations of one thing
 * @ns: each
 * @nr: how many
 */
struct samples {
	__u64 *ns;
	unsigned int nr;
};

/* Room for @max durations in each of @nr things. 0 or -ENOMEM. */
int samples_alloc(struct samples *s, unsigned int nr, unsigned int max);
void samples_free(struct samples *s, unsigned int nr);
void samples_add(struct samples *s, __u64 ns);
/* That which @percent of them do not exceed, in ns; 0: the least. Sorts them. */
__u64 samples_at(struct samples *s, unsigned int percent);
/* A result in microseconds; none without samples. */
void emit_samples(struct bench *x, const char *part, const struct way *w,
		  const char *what, struct samples *s);

/* --- Parts ------------------------------------------------------------ */

int part_stream(struct bench *x);
int part_eight(struct bench *x);
int part_v2(struct bench *x);
int part_info(struct bench *x);
int part_faults(struct bench *x);
int part_arcs(struct bench *x);
int part_drained(struct bench *x);
int part_dirty(struct bench *x);
int part_memory(struct bench *x);

#endif /* BENCH_H */
