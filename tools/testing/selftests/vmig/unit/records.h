/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Both ends of the stream parser: streams made record by record, which know
 * what a reader has to hear of them, and a sink that writes down what it hears.
 * Both use the same notation, so that "the parser said the right things" is one
 * comparison of bytes.
 */
#ifndef RECORDS_H
#define RECORDS_H

#include "stream.h"

/**
 * struct bytes - memory that grows, always allocated to its very size
 * @p: the bytes
 * @len: how many
 */
struct bytes {
	u8 *p;
	size_t len;
};

void bytes_add(struct bytes *b, const void *p, size_t len);
bool bytes_equal(const struct bytes *a, const struct bytes *b);
void bytes_free(struct bytes *b);

/* Notation: one of these and then the data. */
enum call_kind {
	CALL_SESSION = 1,
	CALL_CHUNK,
	CALL_BLOB,
	CALL_END,
};

/**
 * struct call - one call of a sink
 * @kind: of which function
 * @len: of the data, which follow
 * @head: data are this record's begin of payload; bytes of it
 * @object: of a blob
 * @crc: of a chunk
 */
struct call {
	u32 kind;
	u32 len;
	u32 head;
	u32 object;
	u32 crc;
};

void call_add(struct bytes *calls, enum call_kind kind, const void *head,
	      u32 head_len, u32 object, u32 crc, const void *data, u32 len);

#define STREAM_MAX_RECORDS	64

/**
 * struct stream - a stream, and what it says
 * @out: its bytes
 * @calls: what a sink hears of it
 * @n: records
 * @at: where each begins in @out, and where the last ends
 * @calls_at: the same in @calls
 * @seq: number of the next record
 * @pattern: differs with each payload
 */
struct stream {
	struct bytes out;
	struct bytes calls;
	unsigned int n;
	size_t at[STREAM_MAX_RECORDS + 1];
	size_t calls_at[STREAM_MAX_RECORDS + 1];
	u64 seq;
	u8 pattern;
};

/* Records. @in_doubt 0: none, so the record's own number. */
void stream_session(struct stream *s);
void stream_chunk(struct stream *s, u16 object, u32 generation, u64 index,
		  u32 len);
void stream_begin(struct stream *s, u64 in_doubt);
void stream_blob(struct stream *s, u16 object, u32 len);
void stream_end(struct stream *s);
void stream_skipped(struct stream *s, u16 type, u32 len);
/* Any record with a right checksum, of which a sink hears nothing. */
void stream_raw(struct stream *s, u16 type, u16 flags, u64 seq,
		const void *payload, u32 len);
/* Record @i of @from once more, with the calls that go with it. */
void stream_copy(struct stream *s, const struct stream *from, unsigned int i);
void stream_copy_all(struct stream *s, const struct stream *from);
void stream_free(struct stream *s);

/* A session of 8 records with all kinds of them, as short as possible. */
void stream_small(struct stream *s);
/* A session with whole-sized chunks and blobs. */
void stream_large(struct stream *s);

/* Put the checksum of a record of @len bytes right. */
void record_seal(void *record, size_t len);

/**
 * struct tape - a sink that writes down what it hears
 * @parser: whose memory the data must be in, or in @room
 * @calls: what was heard
 * @nr_calls: how often it was called
 * @nr_whole: chunks of full size among that
 * @nr_rooms: how often it was asked for a room; every other time there is one
 * @lent: the last time there was one
 * @room: that
 * @astray: data were not where they had to be
 * @fail_at: call that fails, from 1; 0: none
 * @fail_with: and how
 * @hook: called after each call was written down; NULL: not
 * @ctx: for @hook
 */
struct tape {
	const struct vmig_parser *parser;
	struct bytes calls;
	unsigned int nr_calls;
	unsigned int nr_whole;
	unsigned int nr_rooms;
	bool lent;
	u8 room[VMIG_CHUNK_SIZE];
	bool astray;
	unsigned int fail_at;
	int fail_with;
	void (*hook)(struct tape *tape);
	void *ctx;
};

extern const struct vmig_sink tape_sink;

void tape_free(struct tape *tape);

#endif /* RECORDS_H */
