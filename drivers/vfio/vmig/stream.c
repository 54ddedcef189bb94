// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records: sealing and parsing.
 *
 * Invariants of the parser: nothing of a record is believed before its checksum
 * was right, except the length, which is bounded first; the input is read once,
 * byte by byte in order; what was refused once stays refused.
 */
#include <linux/build_bug.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/byteorder.h>

#include "stream.h"

static_assert(sizeof(struct vmig_rec) == 24);
static_assert(sizeof(struct vmig_rec_session) == 288);
static_assert(sizeof(struct vmig_rec_chunk) == 16);
static_assert(sizeof(struct vmig_rec_begin) == 8);
static_assert(sizeof(struct vmig_rec_blob) == 8);
static_assert(sizeof(struct vmig_rec_end) == 16);
static_assert(sizeof(struct vmig_rec_chunk) + VMIG_CHUNK_SIZE <= VMIG_PAYLOAD_MAX);

/**
 * vmig_crc_more() - go on with a crc32c
 * @crc: of what came before, ~0 at the begin; not inverted at the end
 * @buf: bytes
 * @len: how many
 *
 * Return: crc32c register.
 */
u32 vmig_crc_more(u32 crc, const void *buf, size_t len)
{
	return crc32c(crc, buf, len);
}

/**
 * vmig_crc() - the stream's checksum
 * @buf: bytes
 * @len: how many
 *
 * Return: crc32c with the customary initial and final inversion.
 */
u32 vmig_crc(const void *buf, size_t len)
{
	return ~vmig_crc_more(~0u, buf, len);
}

/* The stream's checksum of bytes that are in two places. */
static u32 vmig_crc_split(const void *head, size_t head_len, const void *tail,
			  size_t tail_len)
{
	u32 crc = vmig_crc_more(~0u, head, head_len);

	return tail_len ? ~vmig_crc_more(crc, tail, tail_len) : ~crc;
}

/**
 * vmig_seal_split() - fill in the header of a record that is in two places
 * @record: struct vmig_rec with the first bytes of the payload behind it, in
 *	memory that nobody else changes
 * @type: of the record
 * @seq: of the record
 * @length: bytes of payload, with those of @tail
 * @tail: the last bytes of the payload, in memory that nobody changes
 * @tail_len: how many, 0 to @length
 *
 * Return: the checksum that was put into the header.
 */
u32 vmig_seal_split(void *record, enum vmig_rec_type type, u64 seq, u32 length,
		    const void *tail, u32 tail_len)
{
	struct vmig_rec *rec = record;
	u32 crc;

	rec->type = cpu_to_le16(type);
	rec->flags = 0;
	rec->length = cpu_to_le32(length);
	rec->seq = cpu_to_le64(seq);
	rec->reserved = 0;
	rec->crc = 0;
	crc = vmig_crc_split(rec, sizeof(*rec) + length - tail_len, tail,
			     tail_len);
	rec->crc = cpu_to_le32(crc);
	return crc;
}

/**
 * vmig_seal() - fill in a record's header
 * @record: struct vmig_rec with the payload behind it, in memory that nobody
 *	else changes
 * @type: of the record
 * @seq: of the record
 * @length: bytes of payload
 *
 * Return: the checksum that was put into the header.
 */
u32 vmig_seal(void *record, enum vmig_rec_type type, u64 seq, u32 length)
{
	return vmig_seal_split(record, type, seq, length, NULL, 0);
}

/**
 * vmig_parser_init() - begin to read a stream
 * @p: parser
 * @sink: gets the records
 * @ctx: for @sink
 */
void vmig_parser_init(struct vmig_parser *p, const struct vmig_sink *sink,
		      void *ctx)
{
	p->sink = sink;
	p->ctx = ctx;
	p->phase = VMIG_PHASE_EMPTY;
	p->refused = false;
	p->seq = 0;
	p->nr_optional = 0;
	p->nr_sessions = 0;
	p->fill = 0;
	p->room = NULL;
}

static int vmig_parse_session(struct vmig_parser *p, const void *payload)
{
	const struct vmig_rec_session *s = payload;
	int ret;

	if (le64_to_cpu(s->magic) != VMIG_STREAM_MAGIC || s->reserved)
		return -EINVAL;
	if (le16_to_cpu(s->major) != VMIG_STREAM_MAJOR)
		return -EOPNOTSUPP;
	if (p->nr_sessions++ == VMIG_MAX_SESSIONS)
		return -EINVAL;
	ret = p->sink->session(p->ctx, s);
	if (ret)
		return ret;
	p->phase = VMIG_PHASE_PRE_COPY;
	p->nr_optional = 0;
	return 0;
}

static int vmig_parse_chunk(struct vmig_parser *p, const void *payload, u32 len,
			    u32 crc)
{
	const struct vmig_rec_chunk *chunk = payload;
	const void *data = p->room ? (const void *)p->room : chunk + 1;

	if (chunk->reserved)
		return -EINVAL;
	return p->sink->chunk(p->ctx, chunk, data, len - sizeof(*chunk), crc);
}

static int vmig_parse_begin(struct vmig_parser *p)
{
	if (p->phase != VMIG_PHASE_PRE_COPY)
		return -EINVAL;
	p->phase = VMIG_PHASE_STOP_COPY;
	return 0;
}

static int vmig_parse_blob(struct vmig_parser *p, const void *payload, u32 len)
{
	const struct vmig_rec_blob *blob = payload;

	if (p->phase != VMIG_PHASE_STOP_COPY || blob->reserved ||
	    le32_to_cpu(blob->length) != len - sizeof(*blob))
		return -EINVAL;
	return p->sink->blob(p->ctx, le16_to_cpu(blob->object), blob + 1,
			     len - sizeof(*blob));
}

static int vmig_parse_end(struct vmig_parser *p, const void *payload)
{
	int ret;

	if (p->phase != VMIG_PHASE_STOP_COPY)
		return -EINVAL;
	ret = p->sink->end(p->ctx, payload);
	if (!ret)
		p->phase = VMIG_PHASE_COMPLETE;
	return ret;
}

static int vmig_parse_unknown(struct vmig_parser *p, const struct vmig_rec *rec)
{
	if (le16_to_cpu(rec->flags) != VMIG_REC_F_OPTIONAL)
		return -EOPNOTSUPP;
	return ++p->nr_optional > VMIG_MAX_OPTIONAL ? -EINVAL : 0;
}

/* Lengths that the type allows; the flag is for types that we do not know. */
static bool vmig_record_shape(const struct vmig_rec *rec, u32 len)
{
	u16 type = le16_to_cpu(rec->type);

	if (type && type <= VMIG_REC_END && rec->flags)
		return false;
	switch (type) {
	case VMIG_REC_SESSION:
		return len == sizeof(struct vmig_rec_session);
	case VMIG_REC_CHUNK:
		return len >= sizeof(struct vmig_rec_chunk) &&
		       len <= sizeof(struct vmig_rec_chunk) + VMIG_CHUNK_SIZE;
	case VMIG_REC_BEGIN:
		return len == sizeof(struct vmig_rec_begin);
	case VMIG_REC_BLOB:
		return len > sizeof(struct vmig_rec_blob);
	case VMIG_REC_END:
		return len == sizeof(struct vmig_rec_end);
	default:
		return !(le16_to_cpu(rec->flags) & ~VMIG_REC_F_OPTIONAL);
	}
}

/*
 * Records are numbered without gaps. Two exceptions: a session begins at 0
 * whenever it comes, and BEGIN may follow a gap that starts just where it says
 * that delivery is in doubt.
 */
static bool vmig_record_in_order(const struct vmig_parser *p,
				 const struct vmig_rec *rec, const void *payload)
{
	const struct vmig_rec_begin *begin = payload;
	u64 seq = le64_to_cpu(rec->seq), doubt;

	switch (le16_to_cpu(rec->type)) {
	case VMIG_REC_SESSION:
		return seq == 0;
	case VMIG_REC_BEGIN:
		doubt = le64_to_cpu(begin->first_in_doubt);
		if (doubt > seq || !doubt)
			return false;
		return p->seq == seq || p->seq == doubt;
	default:
		return p->seq == seq;
	}
}

static u32 vmig_record_crc(const struct vmig_parser *p, u32 len)
{
	if (!p->room)
		return vmig_crc(p->buf, sizeof(struct vmig_rec) + len);
	return vmig_crc_split(p->buf, VMIG_LEN_CHUNK(0), p->room,
			      VMIG_CHUNK_SIZE);
}

static int vmig_parse_record(struct vmig_parser *p)
{
	struct vmig_rec *rec = (struct vmig_rec *)p->buf;
	const void *payload = rec + 1;
	u32 len = le32_to_cpu(rec->length), crc = le32_to_cpu(rec->crc);
	u16 type = le16_to_cpu(rec->type);
	int ret;

	rec->crc = 0;
	if (vmig_record_crc(p, len) != crc || rec->reserved ||
	    !vmig_record_shape(rec, len))
		return -EINVAL;
	if (type != VMIG_REC_SESSION && (p->phase == VMIG_PHASE_EMPTY ||
					 p->phase == VMIG_PHASE_COMPLETE))
		return -EINVAL;
	if (!vmig_record_in_order(p, rec, payload))
		return -EINVAL;

	switch (type) {
	case VMIG_REC_SESSION:
		ret = vmig_parse_session(p, payload);
		break;
	case VMIG_REC_CHUNK:
		ret = vmig_parse_chunk(p, payload, len, crc);
		break;
	case VMIG_REC_BEGIN:
		ret = vmig_parse_begin(p);
		break;
	case VMIG_REC_BLOB:
		ret = vmig_parse_blob(p, payload, len);
		break;
	case VMIG_REC_END:
		ret = vmig_parse_end(p, payload);
		break;
	default:
		ret = vmig_parse_unknown(p, rec);
		break;
	}
	p->seq = le64_to_cpu(rec->seq) + 1;
	return ret;
}

/* Bytes that the record under collection has in all, as far as that is known. */
static size_t vmig_record_size(const struct vmig_parser *p)
{
	const struct vmig_rec *rec = (const struct vmig_rec *)p->buf;

	if (p->fill < sizeof(*rec))
		return sizeof(*rec);
	return sizeof(*rec) + le32_to_cpu(rec->length);
}

/* Is it a chunk with all data that there can be, as far as that is known? */
static bool vmig_record_is_whole_chunk(const struct vmig_parser *p)
{
	const struct vmig_rec *rec = (const struct vmig_rec *)p->buf;

	return p->fill >= sizeof(*rec) &&
	       le16_to_cpu(rec->type) == VMIG_REC_CHUNK &&
	       vmig_record_size(p) == VMIG_LEN_CHUNK(VMIG_CHUNK_SIZE);
}

/*
 * How many bytes to collect before the next step: a record's header, then what
 * precedes the data of a whole chunk, then all of it.
 */
static size_t vmig_parser_want(const struct vmig_parser *p)
{
	if (p->fill < VMIG_LEN_CHUNK(0) && vmig_record_is_whole_chunk(p))
		return VMIG_LEN_CHUNK(0) - p->fill;
	return vmig_record_size(p) - p->fill;
}

static void vmig_parser_collect(struct vmig_parser *p, const void *in, size_t n)
{
	if (p->room)
		memcpy(p->room + p->fill - VMIG_LEN_CHUNK(0), in, n);
	else
		memcpy(p->buf + p->fill, in, n);
	p->fill += n;
}

static int vmig_parser_step(struct vmig_parser *p)
{
	const struct vmig_rec *rec = (const struct vmig_rec *)p->buf;
	int ret = 0;

	if (p->fill == sizeof(*rec)) {
		/*
		 * A stranger's first record is refused by what it is, without
		 * waiting for as many bytes as it claims to have.
		 */
		if (le32_to_cpu(rec->length) > VMIG_PAYLOAD_MAX ||
		    (p->phase == VMIG_PHASE_EMPTY &&
		     le16_to_cpu(rec->type) != VMIG_REC_SESSION))
			return -EINVAL;
	}
	if (p->fill == VMIG_LEN_CHUNK(0) && vmig_record_is_whole_chunk(p))
		p->room = p->sink->room(p->ctx);
	if (p->fill == vmig_record_size(p)) {
		ret = vmig_parse_record(p);
		p->fill = 0;
		p->room = NULL;
	}
	return ret;
}

/**
 * vmig_parser_feed() - read some bytes of a stream
 * @p: parser
 * @buf: bytes, cut anywhere; each is fetched once, so they may be in memory
 *	that somebody else changes
 * @len: how many
 *
 * Return: 0; or a negative errno, and then nothing is accepted any more and
 * each later call returns -EINVAL.
 */
int vmig_parser_feed(struct vmig_parser *p, const void *buf, size_t len)
{
	const u8 *in = buf;

	if (p->refused)
		return -EINVAL;
	while (len) {
		size_t n = min(vmig_parser_want(p), len);
		int ret;

		vmig_parser_collect(p, in, n);
		in += n;
		len -= n;
		ret = vmig_parser_step(p);
		if (ret) {
			p->refused = true;
			return ret;
		}
	}
	return 0;
}

/**
 * vmig_parser_complete() - is what was read a whole, valid stream
 * @p: parser
 *
 * Return: true if the last byte that was fed ended a session, and nothing was
 * refused.
 */
bool vmig_parser_complete(const struct vmig_parser *p)
{
	return p->phase == VMIG_PHASE_COMPLETE && !p->fill && !p->refused;
}

/**
 * vmig_parser_max_chunks() - how many chunks may come with data
 * @p: parser
 * @len: bytes that are about to be fed
 *
 * Return: an upper bound of the whole-sized CHUNK records that end within the
 * next @len bytes. A memory's last chunk may be shorter and is not counted.
 */
size_t vmig_parser_max_chunks(const struct vmig_parser *p, size_t len)
{
	return (p->fill + len) / VMIG_LEN_CHUNK(VMIG_CHUNK_SIZE);
}
