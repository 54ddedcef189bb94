/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A parser with a sink, and what the tests of it say again and again: this
 * stream is taken and says what it should; that one is refused, and stays so.
 * For test programs alone: the functions assert.
 */
#ifndef READER_H
#define READER_H

#include "kselftest_harness.h"

#include <linux/kernel.h>
#include <asm/byteorder.h>

#include "records.h"
#include "unit.h"

enum outcome {
	TAKEN = 1,	/* a whole, valid stream */
	SHORT,		/* nothing wrong yet, but not whole */
	REFUSED,
};

/**
 * struct reader - a parser and its sink
 * @p: allocated alone, so that its last member is the last thing in memory
 * @tape: sink
 * @ret: what the feed said that was refused
 * @fed: bytes, up to and with the feed that was refused
 */
struct reader {
	struct vmig_parser *p;
	struct tape tape;
	int ret;
	size_t fed;
};

static inline void reader_init(struct reader *r)
{
	static struct vmig_parser *p;

	/* One for all: initialising has to be enough. */
	if (!p)
		p = malloc(sizeof(*p));
	*r = (struct reader) { .p = p };
	r->tape.parser = p;
	vmig_parser_init(p, &tape_sink, &r->tape);
}

static inline int reader_feed(struct reader *r, const void *p, size_t len)
{
	r->fed += len;
	r->ret = vmig_parser_feed(r->p, p, len);
	return r->ret;
}

/* How things stand; and refused is refused, whatever comes. */
static inline enum outcome reader_outcome(struct __test_metadata *_metadata,
					  struct reader *r)
{
	unsigned int calls = r->tape.nr_calls;
	struct stream good = { };

	ASSERT_FALSE(r->tape.astray);
	if (!r->ret)
		return vmig_parser_complete(r->p) ? TAKEN : SHORT;
	ASSERT_GT(0, r->ret);
	ASSERT_FALSE(vmig_parser_complete(r->p));
	ASSERT_EQ(-EINVAL, vmig_parser_feed(r->p, NULL, 0));
	ASSERT_EQ(-EINVAL, vmig_parser_feed(r->p, "", 1));
	stream_session(&good);
	ASSERT_EQ(-EINVAL, vmig_parser_feed(r->p, good.out.p, good.out.len));
	stream_free(&good);
	ASSERT_FALSE(vmig_parser_complete(r->p));
	ASSERT_EQ(calls, r->tape.nr_calls);
	return REFUSED;
}

static inline void reader_free(struct reader *r)
{
	tape_free(&r->tape);
}

/* Feed in pieces of a size; 0: all at once. */
static inline void reader_pieces(struct reader *r, const struct bytes *b, size_t piece)
{
	size_t at, n;

	for (at = 0; at < b->len && !r->ret; at += n) {
		n = piece ? min(piece, b->len - at) : b->len;
		reader_feed(r, b->p + at, n);
	}
}

static inline enum outcome outcome_of(struct __test_metadata *_metadata,
				      const struct bytes *b)
{
	enum outcome outcome;
	struct reader r;

	reader_init(&r);
	reader_pieces(&r, b, 0);
	outcome = reader_outcome(_metadata, &r);
	reader_free(&r);
	return outcome;
}

/* The stream is taken, and says what it should. */
static inline void taken(struct __test_metadata *_metadata,
			 const struct stream *s, size_t piece)
{
	struct reader r;

	reader_init(&r);
	reader_pieces(&r, &s->out, piece);
	ASSERT_EQ(0, r.ret);
	ASSERT_EQ(TAKEN, reader_outcome(_metadata, &r));
	ASSERT_TRUE(bytes_equal(&s->calls, &r.tape.calls));
	reader_free(&r);
}

/* The stream is refused with this, at this byte; 0: anywhere. */
static inline void refused(struct __test_metadata *_metadata,
			   const struct stream *s, int ret, size_t at)
{
	struct reader r;
	size_t i;

	reader_init(&r);
	reader_pieces(&r, &s->out, 0);
	EXPECT_EQ(ret, r.ret);
	EXPECT_EQ(REFUSED, reader_outcome(_metadata, &r));
	reader_free(&r);

	reader_init(&r);
	for (i = 0; i < s->out.len && !r.ret; i++)
		reader_feed(&r, s->out.p + i, 1);
	EXPECT_EQ(ret, r.ret);
	EXPECT_EQ(at ?: r.fed, r.fed);
	reader_free(&r);
}

/* Where a field is in a record. */
#define HEAD(field)	offsetof(struct vmig_rec, field)
#define PAYLOAD(type, field)						\
	(sizeof(struct vmig_rec) + offsetof(struct type, field))

/* Records are not aligned in a stream. */
static inline u64 get(const struct stream *s, unsigned int i, size_t off,
		      size_t size)
{
	const u8 *p = s->out.p + s->at[i] + off;
	u64 value = 0;

	while (size--)
		value = value << 8 | p[size];
	return value;
}

/* Change a field of record @i, and make its checksum right again. */
static inline void put(struct stream *s, unsigned int i, size_t off,
		       size_t size, u64 value)
{
	u8 *p = s->out.p + s->at[i] + off;

	for (; size; size--, value >>= 8)
		*p++ = value;
	record_seal(s->out.p + s->at[i], s->at[i + 1] - s->at[i]);
}

#endif /* READER_H */
