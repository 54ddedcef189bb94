// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stream parser on memory that somebody else changes: each byte is fetched
 * once, and no record is told that is half old and half new.
 */
#include "reader.h"

#include <pthread.h>
#include <sys/mman.h>

/*
 * What is fed is memory without access. Only memcpy() gets bytes out of it (see
 * unit_memcpy()), and each byte may be got once.
 */
TEST(V1_RES_03_each_byte_is_fetched_once)
{
	struct unit_window *w = &unit_window;
	struct stream s = { };
	struct reader r;
	size_t piece, at, n;

	stream_large(&s);
	stream_small(&s);
	w->len = s.out.len;
	w->back = s.out.p;
	w->front = mmap(NULL, s.out.len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	ASSERT_NE(MAP_FAILED, w->front);
	for (piece = 1; piece < 3 * s.out.len; piece += 1 + piece / 8) {
		w->fetched = calloc(w->len, sizeof(*w->fetched));
		reader_init(&r);
		for (at = 0; at < s.out.len; at += n) {
			n = min(piece, s.out.len - at);
			ASSERT_EQ(0, reader_feed(&r, (u8 *)w->front + at, n));
			for (; n && w->fetched[at + n - 1] == 1; n--)
				;
			ASSERT_EQ(0, n) TH_LOG("byte %zu", at + n - 1);
			n = min(piece, s.out.len - at);
		}
		ASSERT_EQ(TAKEN, reader_outcome(_metadata, &r));
		ASSERT_TRUE(bytes_equal(&s.calls, &r.tape.calls));
		reader_free(&r);
		free(w->fetched);
	}
	munmap(w->front, w->len);
	w->front = NULL;
	stream_free(&s);
}

/**
 * struct vandal - changes what was already fed, from inside the sink
 * @s: what is fed
 * @page: where it is, in memory of its own
 * @seen: records that were read
 * @close: take the access away instead of changing
 */
struct vandal {
	const struct stream *s;
	u8 *page;
	unsigned int seen;
	bool close;
};

static void vandal_hook(struct tape *tape)
{
	struct vandal *v = tape->ctx;
	size_t upto;

	/* The record of this call; some say nothing. */
	while (v->s->calls_at[v->seen + 1] < tape->calls.len)
		v->seen++;
	upto = v->s->at[v->seen + 1];
	if (!v->close)
		memset(v->page, 0xee, upto);
	else if (upto >= 4096)
		mprotect(v->page, upto & ~4095ul, PROT_NONE);
}

TEST(V1_RES_03_input_changes_behind_the_parser)
{
	struct stream s = { };
	struct vandal v = { .s = &s };
	struct reader r;
	size_t room;

	stream_large(&s);
	stream_chunk(&s, 1, 1, 1, 0);	/* not reached: there is no session */
	s.n--;
	s.out.len = s.at[s.n];
	s.calls.len = s.calls_at[s.n];
	stream_large(&s);
	room = (s.out.len + 4095) & ~4095ul;
	for (v.close = false;; v.close = true) {
		v.page = mmap(NULL, room, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(MAP_FAILED, v.page);
		memcpy(v.page, s.out.p, s.out.len);
		v.seen = 0;
		reader_init(&r);
		r.tape.hook = vandal_hook;
		r.tape.ctx = &v;
		ASSERT_EQ(0, reader_feed(&r, v.page, s.out.len));
		ASSERT_EQ(TAKEN, reader_outcome(_metadata, &r));
		ASSERT_TRUE(bytes_equal(&s.calls, &r.tape.calls));
		reader_free(&r);
		munmap(v.page, room);
		if (v.close)
			break;
	}
	stream_free(&s);
}

/* Between feeds the buffer belongs to the client again. */
TEST(V1_RES_02_buffer_is_reused_between_feeds)
{
	struct stream s = { };
	struct reader r;
	size_t piece, at, n;
	u8 *buf;

	stream_small(&s);
	for (piece = 1; piece <= s.out.len; piece++) {
		reader_init(&r);
		for (at = 0; at < s.out.len; at += n) {
			n = min(piece, s.out.len - at);
			buf = malloc(n);
			memcpy(buf, s.out.p + at, n);
			ASSERT_EQ(0, reader_feed(&r, buf, n));
			memset(buf, 0xff, n);
			free(buf);
		}
		ASSERT_EQ(TAKEN, reader_outcome(_metadata, &r));
		ASSERT_TRUE(bytes_equal(&s.calls, &r.tape.calls));
		reader_free(&r);
	}
	stream_free(&s);
}

/**
 * struct race - memory that turns from one stream into another and back
 * @stop: tells the thread to end
 * @len: bytes
 * @shared: which the parser reads
 * @a: one stream
 * @b: another of the same records
 */
struct race {
	volatile int stop;
	size_t len;
	volatile u8 *shared;
	const u8 *a;
	const u8 *b;
};

static void *race_run(void *arg)
{
	struct race *race = arg;
	const u8 *from;
	unsigned int n;
	size_t i;

	for (n = 0; !race->stop; n++) {
		from = n % 2 ? race->a : race->b;
		for (i = 0; i < race->len; i++)
			race->shared[i] = from[i];
	}
	return NULL;
}

static bool of_stream(const struct stream *s, const struct bytes *calls,
		      unsigned int i)
{
	size_t at = s->calls_at[i], len = s->calls_at[i + 1] - at;

	return calls->len >= at + len && !memcmp(calls->p + at, s->calls.p + at,
						 len);
}

/* Each record that is told is wholly of one stream or of the other. */
TEST(V1_RES_03_no_half_old_half_new_record)
{
	struct stream a = { }, b = { .pattern = 101 };
	struct race race = { };
	unsigned int i, whole = 0, rounds;
	struct reader r;
	pthread_t thread;
	time_t end = 0;

	stream_large(&a);
	stream_large(&b);
	ASSERT_EQ(a.out.len, b.out.len);
	ASSERT_EQ(a.calls.len, b.calls.len);
	race.len = a.out.len;
	race.a = a.out.p;
	race.b = b.out.p;
	race.shared = malloc(race.len);
	memcpy((u8 *)race.shared, a.out.p, race.len);
	ASSERT_EQ(0, pthread_create(&thread, NULL, race_run, &race));
	for (rounds = 0; rounds % 64 || unit_more(&end, 1); rounds++) {
		reader_init(&r);
		reader_feed(&r, (const u8 *)race.shared, race.len);
		for (i = 0; i < a.n && a.calls_at[i] < r.tape.calls.len; i++) {
			ASSERT_TRUE(of_stream(&a, &r.tape.calls, i) ||
				    of_stream(&b, &r.tape.calls, i));
		}
		whole += reader_outcome(_metadata, &r) == TAKEN;
		reader_free(&r);
	}
	race.stop = 1;
	pthread_join(thread, NULL);
	TH_LOG("%u rounds, %u whole", rounds, whole);
	free((u8 *)race.shared);
	stream_free(&a);
	stream_free(&b);
}

TEST_HARNESS_MAIN
