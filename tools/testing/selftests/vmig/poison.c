// SPDX-License-Identifier: GPL-2.0-only
/*
 * STR-09 on a kernel that fills memory which is free with patterns: none of
 * them is in a stream.
 *
 * Bytes that look like a pattern may be there for another reason. So a place of
 * the stream counts that has the same pattern in each of some sessions, between
 * which the device's state and the session's name change.
 */
#include "vmig_test.h"

#include <glob.h>

#define SESSIONS	4
#define UNITS		5	/* that the test writes */
#define VALUE		12

#define NO_POISON	"no poison here; boot with slub_debug=P page_poison=1 init_on_alloc=1"

/* Of the kernel's <linux/poison.h>: of objects, their ends, and of pages. */
static const __u8 patterns[] = { 0x5a, 0x6b, 0xa5, 0xaa };

/* --- Is memory poisoned? ---------------------------------------------- */

/* All the caches of kmalloc(), also those that are charged to a cgroup? */
static bool objects_poisoned(void)
{
	size_t i, n = 0;
	char text[8];
	glob_t g;

	if (glob("/sys/kernel/slab/kmalloc-*/poison", 0, NULL, &g))
		return false;
	for (i = 0; i < g.gl_pathc; i++)
		n += vfc_file_read(g.gl_pathv[i], text, sizeof(text)) > 0 &&
			atoi(text) == 1;
	globfree(&g);
	return n && n == i;
}

/* Says the kernel's log that pages are, and that nothing clears them? */
static bool pages_poisoned(void)
{
	static const char * const says[] = {
		"CONFIG_PAGE_POISONING is on, will take precedence",
		"heap alloc:off, heap free:off",
	};
	bool seen[ARRAY_SIZE(says)] = {};
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char line[8192];
	unsigned int i;
	ssize_t n;

	if (kmsg < 0)
		return false;
	while ((n = read(kmsg, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		for (i = 0; i < ARRAY_SIZE(says); i++)
			seen[i] |= !!strstr(line, says[i]);
	}
	close(kmsg);
	return seen[0] && seen[1];
}

/* --- Search ----------------------------------------------------------- */

/**
 * struct hunt - places of a stream with a pattern in all sessions so far
 * @at: for each byte the pattern that begins there, or 0
 * @len: of the stream, the same in all sessions
 * @sessions: how many
 */
struct hunt {
	__u8 *at;
	size_t len;
	unsigned int sessions;
};

FIXTURE(poison) {
	struct vt t;
	bool on;
	struct hunt hunt;
};

FIXTURE_SETUP(poison)
{
	self->on = objects_poisoned() && pages_poisoned();
	vt_open_two(_metadata, &self->t);
}

FIXTURE_TEARDOWN(poison)
{
	free(self->hunt.at);
	vt_close(&self->t);
}

static bool is_pattern(__u8 byte)
{
	return memchr(patterns, byte, sizeof(patterns));
}

/*
 * Put zeros over what the test wrote, the contents of units 0 to @n - 1, and
 * over the name of the session.
 */
static void blank_own(struct __test_metadata *_metadata, struct vfc_stream *s,
		      unsigned int n)
{
	const size_t head = sizeof(struct vmig_rec);
	struct vmig_rec_session *session = (void *)(s->buf + head);
	struct vmig_rec_chunk c;
	struct vmr_list l;
	__u8 *p;
	size_t i;

	ASSERT_EQ(0, vmr_parse(&l, s->buf, s->len));
	memset(session->id, 0, sizeof(session->id));
	for (i = 0; i < l.n; i++) {
		p = s->buf + l.rec[i].off;
		/* It follows from the rest. */
		memset(p + offsetof(struct vmig_rec, crc), 0,
		       sizeof(l.rec[i].head.crc));
		if (l.rec[i].head.type != VMIG_REC_CHUNK)
			continue;
		memcpy(&c, p + head, sizeof(c));
		if (c.index >= n)
			continue;
		ASSERT_EQ(head + sizeof(c) + VFC_UNIT, l.rec[i].len);
		memset(p + head + sizeof(c), 0, VFC_UNIT);
	}
	vmr_free(&l);
}

/* Two bytes of the same pattern: one alone is the value of many a field. */
static void look(struct __test_metadata *_metadata, struct hunt *h,
		 const struct vfc_stream *s)
{
	size_t i;
	__u8 has;

	if (!h->sessions++) {
		h->len = s->len;
		h->at = malloc(s->len);
		ASSERT_NE(NULL, h->at);
		memset(h->at, 0xff, s->len);
	}
	ASSERT_EQ(h->len, s->len);
	for (i = 0; i < s->len; i++) {
		has = i + 1 < s->len && is_pattern(s->buf[i]) &&
			s->buf[i] == s->buf[i + 1] ? s->buf[i] : 0;
		h->at[i] = h->at[i] == 0xff || h->at[i] == has ? has : 0;
	}
}

static void found_nothing(struct __test_metadata *_metadata,
			  const struct hunt *h)
{
	size_t i = 0;

	ASSERT_LT(1, h->sessions);
	while (i < h->len && !h->at[i])
		i++;
	ASSERT_EQ(h->len, i)
		TH_LOG("0x%02x at %zu of %zu", h->at[i], i, h->len);
}

/* --- Tests ------------------------------------------------------------ */

/*
 * From reset: units that are written as a whole, and one, where there is a
 * mapping, of which the test writes one byte; its rest must be zeros. Stopped.
 */
static void make_state(struct __test_metadata *_metadata, struct vt *t,
		       __u64 value)
{
	struct vfc_dev *d = &t->a;
	__u8 *p;

	ASSERT_EQ(0, vfc_reset(d));
	if (t->m) {
		vt_touch(_metadata, d, t->m, UNITS, value);
		ASSERT_EQ(0, t->m->reg_set(d, (__u32)value));
	}
	if (vt_maps(t->m)) {
		ASSERT_EQ(0, t->m->map(d, UNITS + 1, &p));
		p[UNITS * VFC_UNIT + 100] = (__u8)value;
		munmap(p, (UNITS + 1) * VFC_UNIT);
	}
	if (vt_works(t->m))
		ASSERT_EQ(0, t->m->start_timer(d, 1000 * value));
	SET(VFC_STOP);
}

static unsigned int own_units(const struct vt *t)
{
	return t->m ? vt_units(&t->a, t->m, UNITS) : 0;
}

static void save(struct __test_metadata *_metadata, struct vt *t,
		 struct vfc_dev *d)
{
	vfc_stream_free(&t->s);
	ASSERT_EQ(0, vfc_save(d, &vt_bulk, &t->s));
	SET(VFC_STOP);
	blank_own(_metadata, &t->s, own_units(t));
}

TEST_F_TIMEOUT(poison, STR_09_no_poison_in_streams, 60)
{
	struct vt *t = &self->t;
	unsigned int i;

	if (!self->on)
		SKIP(return, NO_POISON);
	for (i = 1; i <= SESSIONS; i++) {
		make_state(_metadata, t, i * VALUE);
		save(_metadata, t, &t->a);
		look(_metadata, &self->hunt, &t->s);
	}
	found_nothing(_metadata, &self->hunt);
}

/* The other part of the tests' state: what a device has after a migration. */
TEST_F_TIMEOUT(poison, STR_09_no_poison_after_a_restore, 60)
{
	struct vt *t = &self->t;
	struct vfc_dev *d = &t->b;
	struct vfc_stream first = {};
	unsigned int i;

	if (!self->on)
		SKIP(return, NO_POISON);
	if (!t->two)
		SKIP(return, VT_NO_SECOND);
	for (i = 1; i <= SESSIONS; i++) {
		make_state(_metadata, t, i * VALUE);
		vfc_stream_free(&first);
		ASSERT_EQ(0, vfc_save(&t->a, &vt_bulk, &first));
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(0, vfc_load(d, &vt_bulk, &first));
		SET(VFC_STOP);
		vt_check_small(_metadata, d, t->m, UNITS, i * VALUE);
		save(_metadata, t, d);
		look(_metadata, &self->hunt, &t->s);
		/* Of two instances of one state: the session's name differs. */
		blank_own(_metadata, &first, own_units(t));
		ASSERT_EQ(first.len, t->s.len);
		ASSERT_EQ(0, memcmp(first.buf, t->s.buf, first.len));
	}
	found_nothing(_metadata, &self->hunt);
	vfc_stream_free(&first);
}

/* Would it be found? All of a pattern but its first byte is. */
TEST_F(poison, STR_09_poison_would_be_found)
{
	struct vt *t = &self->t;
	struct hunt *h = &self->hunt;
	unsigned int i, k;
	size_t at;

	make_state(_metadata, t, VALUE);
	for (i = 0; i < ARRAY_SIZE(patterns); i++) {
		free(h->at);
		memset(h, 0, sizeof(*h));
		for (k = 0; k < SESSIONS; k++) {
			save(_metadata, t, &t->a);
			at = t->s.len / 2;
			memset(t->s.buf + at, patterns[i], 3);
			look(_metadata, h, &t->s);
		}
		ASSERT_EQ(patterns[i], h->at[at]);
		ASSERT_EQ(patterns[i], h->at[at + 1]);
	}
}

TEST_HARNESS_MAIN
