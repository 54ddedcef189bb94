/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The v1 protocol with a clock: what vfc_drain() and vfc_load() of the raw
 * client do, and where the time goes meanwhile.
 */
#ifndef SESSION_H
#define SESSION_H

#include "vfio_client.h"

/**
 * struct cost - what a transfer cost
 * @bytes: of the stream
 * @segments: how many pieces
 * @driver: ns in reads and writes of the header: the driver makes or takes data
 * @client: ns in moving the bytes between the data section and the client
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
 * @seg: sizes of the segments
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

/* Write a state: ns that it took, or -errno. */
long long timed_set(const struct vfc_dev *d, __u32 state);
/* Collect until nothing is pending. 0 or -errno. */
int timed_drain(const struct vfc_dev *d, const struct vfc_io *io,
		struct store *st, struct cost *c);
/* Feed a stream in the pieces in which it was saved. 0 or -errno. */
int timed_feed(const struct vfc_dev *d, const struct vfc_io *io,
	       const struct store *st, struct cost *c,
	       void (*between)(void *ctx), void *ctx);

#endif /* SESSION_H */
