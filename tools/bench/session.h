/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Both protocols with a clock: what vfc_drain() and vfc_load(), or vfc2_drain()
 * and vfc2_feed(), of the raw client do, and where the time goes meanwhile.
 *
 * A state is named by its number in v1; by v2 the one is meant that is the same.
 */
#ifndef SESSION_H
#define SESSION_H

#include "vfio_client.h"
#include "vfio_v2.h"

/**
 * struct way - a protocol, and a way to move the bytes of its stream
 * @name: for the results
 * @io: by v1: how the client moves the bytes of the data section
 * @v2: by v2: bytes of one read() or write() of the data file; 0: by v1
 */
struct way {
	const char *name;
	struct vfc_io io;
	size_t v2;
};

/**
 * struct cost - what a transfer cost
 * @bytes: of the stream
 * @segments: how many pieces
 * @driver: ns in reads and writes of the header: the driver makes or takes data;
 *	0 by v2, where one call does all
 * @client: ns in moving the bytes between the data section and the client; 0
 *	by v2
 * @total: ns from the first access to the last
 */
struct cost {
	__u64 bytes;
	__u64 segments;
	__u64 driver;
	__u64 client;
	__u64 total;
};

/**
 * struct store - a stream in memory that was touched before the clock runs
 * @buf: bytes
 * @cap: bytes of @buf
 * @len: used bytes
 * @seg: sizes of the segments, by v1
 * @nseg: how many
 * @max: entries of @seg
 * @keep: append; otherwise each segment overwrites the last one
 */
struct store {
	__u8 *buf;
	size_t cap;
	size_t len;
	size_t *seg;
	size_t nseg;
	size_t max;
	bool keep;
};

/* Room for a stream of @cap bytes. 0 or -errno. */
int store_open(struct store *st, size_t cap, size_t section);
void store_close(struct store *st);
void store_clear(struct store *st, bool keep);

/*
 * Change the state: ns that it took, or -errno. *@file is the data file of a v2
 * session, or -1: it is there when one begins, and closed when it has ended.
 */
long long timed_set(const struct vfc_dev *d, const struct way *w, int *file,
		    __u32 state);
/* Collect until nothing is pending. 0 or -errno. */
int timed_drain(const struct vfc_dev *d, const struct way *w, int file,
		struct store *st, struct cost *c);
/* Feed a stream, by v1 in the pieces in which it was saved. 0 or -errno. */
int timed_feed(const struct vfc_dev *d, const struct way *w, int file,
	       const struct store *st, struct cost *c,
	       void (*between)(void *ctx), void *ctx);

#endif /* SESSION_H */
