// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle's reader of streams: stream-format.rst, judged record by record.
 *
 * It judges when the format says that a reader does: a header as soon as it is
 * there, the rest when the record is complete. Contents of blobs are the
 * device's and are not looked at.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

#define MAX_SESSIONS	256

static const void *payload_of(const struct oracle_stream *s)
{
	return s->rec + sizeof(struct vmig_rec);
}

static __u32 length_of(const struct oracle_stream *s)
{
	return le32toh(s->head.length);
}

int oracle_stream_init(struct oracle_stream *s, const struct oracle_geom *g)
{
	memset(s, 0, sizeof(*s));
	s->g = g;
	s->table = calloc(g->chunks + 1, sizeof(*s->table));
	return s->table ? 0 : -ENOMEM;
}

void oracle_stream_free(struct oracle_stream *s)
{
	free(s->table);
	s->table = NULL;
}

static void forget_session(struct oracle_stream *s)
{
	s->seq = 0;
	s->blobs = 0;
	if (s->sent)
		memset(s->table, 0, s->g->chunks * sizeof(*s->table));
	s->sent = 0;
}

void oracle_stream_reset(struct oracle_stream *s)
{
	forget_session(s);
	s->phase = ORACLE_NOTHING;
	s->sessions = 0;
	s->memory = 0;
	s->have = 0;
}

bool oracle_stream_complete(const struct oracle_stream *s)
{
	return s->phase == ORACLE_ENDED && !s->have;
}

static int on_session(struct oracle_stream *s)
{
	const struct vmig_rec_session *p = payload_of(s);

	if (length_of(s) != sizeof(*p) || s->head.seq ||
	    le64toh(p->magic) != VMIG_STREAM_MAGIC || p->reserved ||
	    !memchr(p->version, 0, sizeof(p->version)))
		return -EINVAL;
	if (le16toh(p->major) != VMIG_STREAM_MAJOR)
		return -EOPNOTSUPP;
	if (++s->sessions > MAX_SESSIONS)
		return -EINVAL;
	forget_session(s);
	memcpy(s->id, p->id, sizeof(s->id));
	s->phase = ORACLE_CHUNKS;
	s->seq = 1;
	return 0;
}

static int on_chunk(struct oracle_stream *s)
{
	const struct vmig_rec_chunk *p = payload_of(s);
	__u32 len = length_of(s);
	struct vmig_manifest_entry *c;

	if (len != sizeof(*p) && len != sizeof(*p) + VMIG_CHUNK_SIZE)
		return -EINVAL;
	if (p->reserved || (s->memory && le16toh(p->object) != s->memory))
		return -EINVAL;
	s->memory = le16toh(p->object);
	if (!s->g->chunks) {
		s->sent++;
		return 0;
	}
	if (le64toh(p->index) >= s->g->chunks)
		return -EINVAL;
	c = &s->table[le64toh(p->index)];
	if (le32toh(p->generation) <= le32toh(c->generation))
		return -EINVAL;
	s->sent += !c->generation;
	c->generation = p->generation;
	c->crc = s->head.crc;
	return 0;
}

static int on_blob(struct oracle_stream *s)
{
	const struct vmig_rec_blob *p = payload_of(s);
	__u32 len = length_of(s);
	unsigned int i;

	if (s->phase != ORACLE_STOPPED || len <= sizeof(*p) || p->reserved ||
	    le32toh(p->length) != len - sizeof(*p))
		return -EINVAL;
	for (i = 0; i < s->blobs; i++)
		if (s->blob[i] == le16toh(p->object))
			return -EINVAL;
	if (s->blobs == ORACLE_BLOBS)
		return -EINVAL;
	s->blob[s->blobs++] = le16toh(p->object);
	return 0;
}

static int on_end(struct oracle_stream *s)
{
	const struct vmig_rec_end *p = payload_of(s);
	__u32 manifest;

	if (s->phase != ORACLE_STOPPED || length_of(s) != sizeof(*p) ||
	    le32toh(p->blobs) != s->blobs)
		return -EINVAL;
	s->phase = ORACLE_ENDED;
	if (!s->g->chunks)
		return ORACLE_EITHER;
	manifest = s->g->crc32c(s->table, s->g->chunks * sizeof(*s->table));
	if (le64toh(p->chunks) != s->sent || le32toh(p->manifest) != manifest)
		return -EINVAL;
	return 0;
}

/*
 * The one gap in the numbers that is permitted: from the segment in doubt to
 * BEGIN.
 */
static int on_begin(struct oracle_stream *s)
{
	const struct vmig_rec_begin *p = payload_of(s);
	__u64 seq = le64toh(s->head.seq), doubt;

	if (s->phase != ORACLE_CHUNKS || length_of(s) != sizeof(*p))
		return -EINVAL;
	doubt = le64toh(p->first_in_doubt);
	if (doubt > seq || seq < s->seq || (seq > s->seq && doubt != s->seq))
		return -EINVAL;
	s->seq = seq;
	s->phase = ORACLE_STOPPED;
	return 0;
}

static int judge_type(struct oracle_stream *s, __u16 type)
{
	switch (type) {
	case VMIG_REC_CHUNK:
		return on_chunk(s);
	case VMIG_REC_BEGIN:
		return on_begin(s);
	case VMIG_REC_BLOB:
		return on_blob(s);
	case VMIG_REC_END:
		return on_end(s);
	default:
		return -EOPNOTSUPP;
	}
}

static int judge_record(struct oracle_stream *s)
{
	struct vmig_rec head = s->head;
	__u16 type = le16toh(head.type), flags = le16toh(head.flags);
	__u32 crc;
	int ret;

	s->head.crc = 0;
	crc = s->g->crc32c(s->rec, sizeof(head) + length_of(s));
	s->head.crc = head.crc;
	if (crc != le32toh(head.crc) || head.reserved ||
	    (flags & ~VMIG_REC_F_OPTIONAL))
		return -EINVAL;
	if (type == VMIG_REC_SESSION)
		return flags ? -EINVAL : on_session(s);
	if (s->phase == ORACLE_ENDED)
		return -EINVAL;
	if (type != VMIG_REC_BEGIN && le64toh(head.seq) != s->seq)
		return -EINVAL;
	if (type > VMIG_REC_END && flags)
		ret = 0;
	else
		ret = flags ? -EINVAL : judge_type(s, type);
	s->seq++;
	return ret;
}

static int judge_header(const struct oracle_stream *s)
{
	bool session = le16toh(s->head.type) == VMIG_REC_SESSION;

	if (length_of(s) > 8 + VMIG_BLOB_MAX)
		return -EINVAL;
	if (s->phase == ORACLE_NOTHING && !session)
		return -EINVAL;
	/* Too late anyway: whether now or when it is complete is not said. */
	if (s->phase == ORACLE_ENDED && !session)
		return ORACLE_EITHER;
	return 0;
}

/* Move what is missing up to @want bytes of the record. */
static size_t collect(struct oracle_stream *s, const __u8 *p, size_t n,
		      size_t want)
{
	size_t part = want - s->have;

	if (part > n)
		part = n;
	memcpy(s->rec + s->have, p, part);
	s->have += part;
	return part;
}

int oracle_stream_feed(struct oracle_stream *s, const void *buf, size_t n)
{
	const __u8 *p = buf, *end = p + n;
	bool either = false;
	size_t want;
	int ret;

	while (p < end) {
		want = sizeof(struct vmig_rec);
		if (s->have < want) {
			p += collect(s, p, end - p, want);
			if (s->have < want)
				break;
			ret = judge_header(s);
			if (ret < 0)
				return ret;
			either |= ret == ORACLE_EITHER;
		}
		want += length_of(s);
		p += collect(s, p, end - p, want);
		if (s->have < want)
			break;
		ret = judge_record(s);
		if (ret < 0)
			return ret;
		either |= ret == ORACLE_EITHER;
		s->have = 0;
	}
	return either ? ORACLE_EITHER : 0;
}
