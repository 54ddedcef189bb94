// SPDX-License-Identifier: GPL-2.0-only
/*
 * Streams made record by record, and a sink that writes down what it hears.
 */
#include <stdlib.h>
#include <string.h>

#include <asm/byteorder.h>

#include "records.h"

void bytes_add(struct bytes *b, const void *p, size_t len)
{
	if (!len)
		return;
	b->p = realloc(b->p, b->len + len);
	if (!b->p)
		abort();
	memcpy(b->p + b->len, p, len);
	b->len += len;
}

bool bytes_equal(const struct bytes *a, const struct bytes *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->p, b->p, a->len));
}

void bytes_free(struct bytes *b)
{
	free(b->p);
	*b = (struct bytes) { };
}

void call_add(struct bytes *calls, enum call_kind kind, const void *head,
	      u32 head_len, u32 object, u32 crc, const void *data, u32 len)
{
	struct call call = {
		.kind = kind,
		.len = len,
		.head = head_len,
		.object = object,
		.crc = crc,
	};

	bytes_add(calls, &call, sizeof(call));
	bytes_add(calls, head, head_len);
	bytes_add(calls, data, len);
}

void record_seal(void *record, size_t len)
{
	u8 *at = (u8 *)record + offsetof(struct vmig_rec, crc);
	__le32 crc = 0;

	memcpy(at, &crc, sizeof(crc));
	crc = cpu_to_le32(vmig_crc(record, len));
	memcpy(at, &crc, sizeof(crc));
}

static void record_done(struct stream *s)
{
	if (++s->n > STREAM_MAX_RECORDS)
		abort();
	s->at[s->n] = s->out.len;
	s->calls_at[s->n] = s->calls.len;
}

/* A record that the engine's own function seals. */
static u32 record_add(struct stream *s, enum vmig_rec_type type,
		      const void *payload, u32 len)
{
	struct vmig_rec *rec = malloc(sizeof(*rec) + len);
	u32 crc;

	memset(rec, 0xa5, sizeof(*rec));
	memcpy(rec + 1, payload, len);
	crc = vmig_seal(rec, type, s->seq++, len);
	bytes_add(&s->out, rec, sizeof(*rec) + len);
	free(rec);
	return crc;
}

static void fill(struct stream *s, u8 *data, u32 len)
{
	u32 i;

	s->pattern += 29;
	for (i = 0; i < len; i++)
		data[i] = s->pattern + i * 7 + (i >> 8);
}

void stream_session(struct stream *s)
{
	static const char version[] = "mimic,unit,stream=1.1";
	struct vmig_rec_session session = {
		.magic = cpu_to_le64(VMIG_STREAM_MAGIC),
		.major = cpu_to_le16(VMIG_STREAM_MAJOR),
		.minor = cpu_to_le16(VMIG_STREAM_MINOR),
	};

	fill(s, session.id, sizeof(session.id));
	memcpy(session.version, version, sizeof(version));
	s->seq = 0;
	record_add(s, VMIG_REC_SESSION, &session, sizeof(session));
	call_add(&s->calls, CALL_SESSION, &session, sizeof(session), 0, 0, NULL,
		 0);
	record_done(s);
}

void stream_chunk(struct stream *s, u16 object, u32 generation, u64 index,
		  u32 len)
{
	struct {
		struct vmig_rec_chunk chunk;
		u8 data[VMIG_CHUNK_SIZE];
	} r = {
		.chunk.object = cpu_to_le16(object),
		.chunk.generation = cpu_to_le32(generation),
		.chunk.index = cpu_to_le64(index),
	};
	u32 crc;

	fill(s, r.data, len);
	crc = record_add(s, VMIG_REC_CHUNK, &r, sizeof(r.chunk) + len);
	call_add(&s->calls, CALL_CHUNK, &r.chunk, sizeof(r.chunk), 0, crc,
		 r.data, len);
	record_done(s);
}

void stream_begin(struct stream *s, u64 in_doubt)
{
	struct vmig_rec_begin begin = {
		.first_in_doubt = cpu_to_le64(in_doubt ?: s->seq),
	};

	record_add(s, VMIG_REC_BEGIN, &begin, sizeof(begin));
	record_done(s);
}

void stream_blob(struct stream *s, u16 object, u32 len)
{
	struct {
		struct vmig_rec_blob blob;
		u8 data[VMIG_BLOB_MAX];
	} r = {
		.blob.object = cpu_to_le16(object),
		.blob.length = cpu_to_le32(len),
	};

	fill(s, r.data, len);
	record_add(s, VMIG_REC_BLOB, &r, sizeof(r.blob) + len);
	call_add(&s->calls, CALL_BLOB, NULL, 0, object, 0, r.data, len);
	record_done(s);
}

void stream_end(struct stream *s)
{
	struct vmig_rec_end end;

	fill(s, (u8 *)&end, sizeof(end));
	record_add(s, VMIG_REC_END, &end, sizeof(end));
	call_add(&s->calls, CALL_END, &end, sizeof(end), 0, 0, NULL, 0);
	record_done(s);
}

void stream_raw(struct stream *s, u16 type, u16 flags, u64 seq,
		const void *payload, u32 len)
{
	struct vmig_rec *rec = malloc(sizeof(*rec) + len);

	*rec = (struct vmig_rec) {
		.type = cpu_to_le16(type),
		.flags = cpu_to_le16(flags),
		.length = cpu_to_le32(len),
		.seq = cpu_to_le64(seq),
	};
	if (len)
		memcpy(rec + 1, payload, len);
	record_seal(rec, sizeof(*rec) + len);
	bytes_add(&s->out, rec, sizeof(*rec) + len);
	free(rec);
	record_done(s);
}

void stream_skipped(struct stream *s, u16 type, u32 len)
{
	u8 *payload = malloc(len ?: 1);

	fill(s, payload, len);
	stream_raw(s, type, VMIG_REC_F_OPTIONAL, s->seq++, payload, len);
	free(payload);
}

void stream_copy(struct stream *s, const struct stream *from, unsigned int i)
{
	bytes_add(&s->out, from->out.p + from->at[i],
		  from->at[i + 1] - from->at[i]);
	bytes_add(&s->calls, from->calls.p + from->calls_at[i],
		  from->calls_at[i + 1] - from->calls_at[i]);
	record_done(s);
}

void stream_copy_all(struct stream *s, const struct stream *from)
{
	unsigned int i;

	for (i = 0; i < from->n; i++)
		stream_copy(s, from, i);
}

void stream_free(struct stream *s)
{
	bytes_free(&s->out);
	bytes_free(&s->calls);
	*s = (struct stream) { };
}

void stream_small(struct stream *s)
{
	stream_session(s);
	stream_chunk(s, 1, 1, 0, 0);
	stream_chunk(s, 1, 1, 1, 24);
	stream_skipped(s, VMIG_REC_END + 1, 5);
	stream_begin(s, 0);
	stream_chunk(s, 1, 2, 0, 9);
	stream_blob(s, 7, 16);
	stream_end(s);
}

void stream_large(struct stream *s)
{
	stream_session(s);
	stream_chunk(s, 1, 1, 0, VMIG_CHUNK_SIZE);
	stream_chunk(s, 1, 1, 1, 0);
	stream_begin(s, 0);
	stream_chunk(s, 1, 2, 1, 1000);
	stream_blob(s, 7, 300);
	stream_end(s);
}

/*
 * The tape.
 */
static void tape_check(struct tape *t, const void *p, u32 len)
{
	const u8 *from = p;

	if (from < t->parser->buf ||
	    len > sizeof(t->parser->buf) ||
	    from > t->parser->buf + sizeof(t->parser->buf) - len)
		t->astray = true;
}

static int tape_called(struct tape *t)
{
	t->nr_calls++;
	if (t->hook)
		t->hook(t);
	return t->nr_calls == t->fail_at ? t->fail_with : 0;
}

static int tape_session(void *ctx, const struct vmig_rec_session *session)
{
	struct tape *t = ctx;

	tape_check(t, session, sizeof(*session));
	call_add(&t->calls, CALL_SESSION, session, sizeof(*session), 0, 0, NULL,
		 0);
	return tape_called(t);
}

/* Not a call that is written down: a stream does not say whether it comes. */
static void *tape_room(void *ctx)
{
	struct tape *t = ctx;

	memset(t->room, 0xa5, sizeof(t->room));
	t->lent = ++t->nr_rooms & 1;
	return t->lent ? t->room : NULL;
}

static int tape_chunk(void *ctx, const struct vmig_rec_chunk *chunk,
		      const void *data, u32 len, u32 crc)
{
	struct tape *t = ctx;

	tape_check(t, chunk, sizeof(*chunk));
	if (len < VMIG_CHUNK_SIZE || !t->lent)
		tape_check(t, data, len);
	else if (data != t->room)
		t->astray = true;
	if (len > VMIG_CHUNK_SIZE || (len == VMIG_CHUNK_SIZE && !t->nr_rooms))
		t->astray = true;
	t->nr_whole += len == VMIG_CHUNK_SIZE;
	call_add(&t->calls, CALL_CHUNK, chunk, sizeof(*chunk), 0, crc, data, len);
	return tape_called(t);
}

static int tape_blob(void *ctx, u16 object, const void *data, u32 len)
{
	struct tape *t = ctx;

	tape_check(t, data, len);
	if (!len || len > VMIG_BLOB_MAX)
		t->astray = true;
	call_add(&t->calls, CALL_BLOB, NULL, 0, object, 0, data, len);
	return tape_called(t);
}

static int tape_end(void *ctx, const struct vmig_rec_end *end)
{
	struct tape *t = ctx;

	tape_check(t, end, sizeof(*end));
	call_add(&t->calls, CALL_END, end, sizeof(*end), 0, 0, NULL, 0);
	return tape_called(t);
}

const struct vmig_sink tape_sink = {
	.session = tape_session,
	.room = tape_room,
	.chunk = tape_chunk,
	.blob = tape_blob,
	.end = tape_end,
};

void tape_free(struct tape *t)
{
	bytes_free(&t->calls);
}
