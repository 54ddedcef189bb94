/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The stream: sealing records, and a parser that takes them apart again. Pure,
 * so that the same source is tested in user space.
 */
#ifndef _VMIG_STREAM_H
#define _VMIG_STREAM_H

#include <linux/vmig.h>

#define VMIG_PAYLOAD_MAX	(sizeof(struct vmig_rec_blob) + VMIG_BLOB_MAX)
#define VMIG_RECORD_MAX		(sizeof(struct vmig_rec) + VMIG_PAYLOAD_MAX)

/* Sizes of whole records. */
#define VMIG_LEN_SESSION	(sizeof(struct vmig_rec) + sizeof(struct vmig_rec_session))
#define VMIG_LEN_CHUNK(n)	(sizeof(struct vmig_rec) + sizeof(struct vmig_rec_chunk) + (n))
#define VMIG_LEN_BEGIN		(sizeof(struct vmig_rec) + sizeof(struct vmig_rec_begin))
#define VMIG_LEN_BLOB(n)	(sizeof(struct vmig_rec) + sizeof(struct vmig_rec_blob) + (n))
#define VMIG_LEN_END		(sizeof(struct vmig_rec) + sizeof(struct vmig_rec_end))

/* More of them in one session are not a stream, but somebody who wastes our time. */
#define VMIG_MAX_OPTIONAL	1024

/*
 * As many sessions may one stream begin: a source does so when its guest reboots
 * during pre-copy. Each costs a pass over the tables.
 */
#define VMIG_MAX_SESSIONS	256

u32 vmig_crc_more(u32 crc, const void *buf, size_t len);
u32 vmig_crc(const void *buf, size_t len);
u32 vmig_seal(void *record, enum vmig_rec_type type, u64 seq, u32 length);
u32 vmig_seal_split(void *record, enum vmig_rec_type type, u64 seq, u32 length,
		    const void *tail, u32 tail_len);

/**
 * struct vmig_sink - who gets what the parser found
 * @session: a session begins; forget what came before. 0 or a negative errno
 * @room: VMIG_CHUNK_SIZE bytes where the data of a whole chunk may be collected,
 *	so that nobody has to copy them again: private memory, the parser's until
 *	@chunk or the next @room. Or NULL. Nothing of the record is known yet
 * @chunk: @len bytes of a chunk, or none for a hole; in the last @room, if there
 *	was any and the chunk is a whole one. @crc is the record's.
 *	0 or a negative errno
 * @blob: state of an object. 0 or a negative errno
 * @end: the session is over; check it as a whole. 0 or a negative errno
 *
 * The records' checksums, order and sizes are right when these are called (but
 * for @room); the fields' values are not checked. All are mandatory.
 */
struct vmig_sink {
	int (*session)(void *ctx, const struct vmig_rec_session *session);
	void *(*room)(void *ctx);
	int (*chunk)(void *ctx, const struct vmig_rec_chunk *chunk,
		     const void *data, u32 len, u32 crc);
	int (*blob)(void *ctx, u16 object, const void *data, u32 len);
	int (*end)(void *ctx, const struct vmig_rec_end *end);
};

enum vmig_phase {
	VMIG_PHASE_EMPTY,	/* before the first session */
	VMIG_PHASE_PRE_COPY,
	VMIG_PHASE_STOP_COPY,
	VMIG_PHASE_COMPLETE,
};

/**
 * struct vmig_parser - a stream on its way in
 * @sink: who gets the records
 * @ctx: for @sink
 * @phase: what was read so far
 * @refused: something was refused; nothing is accepted any more
 * @seq: number that the next record must have
 * @nr_optional: records skipped in this session
 * @nr_sessions: sessions begun
 * @fill: bytes that there are of the record that is being collected
 * @room: where the data of a whole chunk are collected, from the sink; or NULL
 * @buf: the record, or what precedes @room; private, so each byte of the input
 *	is fetched once
 */
struct vmig_parser {
	const struct vmig_sink *sink;
	void *ctx;
	enum vmig_phase phase;
	bool refused;
	u64 seq;
	u32 nr_optional;
	u32 nr_sessions;
	u32 fill;
	u8 *room;
	u8 buf[VMIG_RECORD_MAX] __aligned(8);
};

void vmig_parser_init(struct vmig_parser *p, const struct vmig_sink *sink,
		      void *ctx);
int vmig_parser_feed(struct vmig_parser *p, const void *buf, size_t len);
bool vmig_parser_complete(const struct vmig_parser *p);
size_t vmig_parser_max_chunks(const struct vmig_parser *p, size_t len);

#endif /* _VMIG_STREAM_H */
