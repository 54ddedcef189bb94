// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random streams, valid ones and such that are damaged with knowledge of their
 * structure (fields changed and checksums put right again), in random pieces.
 *
 * A second reader, which knows records and not bytes, says what has to come
 * out: which calls, which errno, whole or not. Where the damage is below the
 * level of records, only the rules that always hold are checked: nothing
 * outside the parser's memory, no value but 0 and the errnos, once refused is
 * refused.
 *
 * A failure names the seed and the round: UNIT_SEED=... runs the same rounds
 * again, UNIT_SECONDS=... runs for longer.
 */
#include "kselftest_harness.h"

#include <linux/kernel.h>
#include <asm/byteorder.h>

#include "records.h"
#include "unit.h"

#define MAX_RECORDS	96

/**
 * struct item - a record before it becomes bytes
 * @type: of the header
 * @flags: of the header
 * @reserved: of the header
 * @seq: of the header
 * @broken: the checksum is wrong
 * @lie: the header's length is another one by so much
 * @len: bytes of @payload
 * @payload: bytes
 */
struct item {
	u16 type;
	u16 flags;
	u32 reserved;
	u64 seq;
	bool broken;
	s32 lie;
	u32 len;
	u8 payload[VMIG_PAYLOAD_MAX];
};

struct list {
	unsigned int n;
	struct item *item[MAX_RECORDS];
};

static struct item *list_insert(struct list *l, unsigned int at)
{
	struct item *item = calloc(1, sizeof(*item));

	if (l->n == MAX_RECORDS)
		free(l->item[--l->n]);
	at = min(at, l->n);
	memmove(l->item + at + 1, l->item + at, (l->n - at) * sizeof(*l->item));
	l->item[at] = item;
	l->n++;
	return item;
}

static void list_drop(struct list *l, unsigned int at)
{
	free(l->item[at]);
	l->n--;
	memmove(l->item + at, l->item + at + 1, (l->n - at) * sizeof(*l->item));
}

static void list_free(struct list *l)
{
	while (l->n)
		free(l->item[--l->n]);
}

/*
 * Valid streams.
 */
static struct item *append(struct list *l, u16 type, u64 *seq, u32 len)
{
	struct item *item = list_insert(l, l->n);

	item->type = type;
	item->seq = (*seq)++;
	item->len = len;
	return item;
}

static u32 random_len(struct unit_dice *d, u32 most)
{
	switch (unit_below(d, 8)) {
	case 0:
		return most;
	case 1:
		return unit_below(d, most + 1);
	default:
		return unit_below(d, 64);
	}
}

static void random_bytes(struct unit_dice *d, u8 *p, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++)
		p[i] = unit_below(d, 256);
}

static void add_session(struct unit_dice *d, struct list *l, u64 *seq)
{
	struct vmig_rec_session session = {
		.magic = cpu_to_le64(VMIG_STREAM_MAGIC),
		.major = cpu_to_le16(VMIG_STREAM_MAJOR),
		.minor = cpu_to_le16(unit_below(d, 3)),
	};

	*seq = 0;
	random_bytes(d, session.id, 40);
	memcpy(append(l, VMIG_REC_SESSION, seq, sizeof(session))->payload,
	       &session, sizeof(session));
}

static void add_chunk(struct unit_dice *d, struct list *l, u64 *seq)
{
	struct vmig_rec_chunk chunk = {
		.object = cpu_to_le16(unit_below(d, 4)),
		.generation = cpu_to_le32(unit_below(d, 9)),
		.index = cpu_to_le64(unit_u64(d)),
	};
	u32 len = random_len(d, VMIG_CHUNK_SIZE);
	struct item *item = append(l, VMIG_REC_CHUNK, seq, sizeof(chunk) + len);

	memcpy(item->payload, &chunk, sizeof(chunk));
	random_bytes(d, item->payload + sizeof(chunk), min(len, 99u));
}

static void add_begin(struct unit_dice *d, struct list *l, u64 *seq)
{
	u64 doubt = *seq - unit_below(d, *seq);
	struct vmig_rec_begin begin = { cpu_to_le64(doubt) };

	/* What is in doubt may have got lost, from the first to the last. */
	if (unit_below(d, 2)) {
		while (l->item[l->n - 1]->seq >= doubt)
			list_drop(l, l->n - 1);
	}
	memcpy(append(l, VMIG_REC_BEGIN, seq, sizeof(begin))->payload, &begin,
	       sizeof(begin));
}

static void add_blob(struct unit_dice *d, struct list *l, u64 *seq)
{
	u32 len = random_len(d, VMIG_BLOB_MAX - 1) + 1;
	struct vmig_rec_blob blob = {
		.object = cpu_to_le16(unit_below(d, 4)),
		.length = cpu_to_le32(len),
	};
	struct item *item = append(l, VMIG_REC_BLOB, seq, sizeof(blob) + len);

	memcpy(item->payload, &blob, sizeof(blob));
	random_bytes(d, item->payload + sizeof(blob), min(len, 99u));
}

static void add_optional(struct unit_dice *d, struct list *l, u64 *seq)
{
	struct item *item;

	if (unit_below(d, 4))
		return;
	item = append(l, VMIG_REC_END + 1 + unit_below(d, 3), seq,
		      random_len(d, VMIG_PAYLOAD_MAX));
	item->flags = VMIG_REC_F_OPTIONAL;
	random_bytes(d, item->payload, min(item->len, 99u));
}

static void add_sessions(struct unit_dice *d, struct list *l)
{
	unsigned int sessions = 1 + unit_below(d, 3), n;
	u64 seq;

	while (sessions--) {
		add_session(d, l, &seq);
		for (n = unit_below(d, 6); n; n--) {
			add_chunk(d, l, &seq);
			add_optional(d, l, &seq);
		}
		/* All but the last may be given up. */
		if (sessions && unit_below(d, 2))
			continue;
		add_begin(d, l, &seq);
		for (n = unit_below(d, 4); n; n--) {
			add_chunk(d, l, &seq);
			add_optional(d, l, &seq);
		}
		for (n = unit_below(d, 4); n; n--)
			add_blob(d, l, &seq);
		random_bytes(d, append(l, VMIG_REC_END, &seq,
				       sizeof(struct vmig_rec_end))->payload,
			     sizeof(struct vmig_rec_end));
	}
}

/*
 * Damage.
 */
static u64 interesting(struct unit_dice *d, u64 now)
{
	static const u64 values[] = {
		0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 4096, 4097,
		16384, 16385, 0x7fffffff, 0x80000000, 0xffffffff, ~0ull >> 1,
		1ull << 63, ~0ull,
	};

	switch (unit_below(d, 4)) {
	case 0:
		return now + 1;
	case 1:
		return now - 1;
	case 2:
		return now ^ 1ull << unit_below(d, 64);
	default:
		return values[unit_below(d, ARRAY_SIZE(values))];
	}
}

/* A field of the payload, most often one of its begin. */
static void damage_payload(struct unit_dice *d, struct item *item)
{
	u32 size = 1u << unit_below(d, 4), at;
	u64 value = 0;

	if (item->len < size)
		return;
	at = unit_below(d, unit_below(d, 4) ? min(item->len, 24u) : item->len);
	at = min(at & ~(size - 1), item->len - size);
	memcpy(&value, item->payload + at, size);
	value = cpu_to_le64(interesting(d, le64_to_cpu(value)));
	memcpy(item->payload + at, &value, size);
}

static void damage_item(struct unit_dice *d, struct item *item)
{
	switch (unit_below(d, 10)) {
	case 0:
		item->type = interesting(d, item->type);
		break;
	case 1:
		item->type = unit_below(d, 8);
		break;
	case 2:
		item->flags = interesting(d, item->flags);
		break;
	case 3:
		item->reserved = interesting(d, item->reserved);
		break;
	case 4:
		item->seq = interesting(d, item->seq);
		break;
	case 5:
		item->len = min(interesting(d, item->len),
				(u64)VMIG_PAYLOAD_MAX);
		break;
	case 6:
		item->broken = true;
		break;
	case 7:
		item->lie = interesting(d, 0);
		break;
	default:
		damage_payload(d, item);
		break;
	}
}

static void damage_list(struct unit_dice *d, struct list *l)
{
	unsigned int a = unit_below(d, l->n), b = unit_below(d, l->n);
	struct item *item = l->item[a];

	switch (unit_below(d, 8)) {
	case 0:
		if (l->n > 1)
			list_drop(l, a);
		break;
	case 1:
		*list_insert(l, b) = *item;
		break;
	case 2:
		l->item[a] = l->item[b];
		l->item[b] = item;
		break;
	case 3:
		while (l->n > a + 1)
			list_drop(l, l->n - 1);
		break;
	default:
		damage_item(d, item);
		break;
	}
}

static void list_bytes(const struct list *l, struct bytes *out)
{
	struct item *item;
	struct vmig_rec *rec;
	unsigned int i;

	for (i = 0; i < l->n; i++) {
		item = l->item[i];
		rec = malloc(sizeof(*rec) + item->len);
		*rec = (struct vmig_rec) {
			.type = cpu_to_le16(item->type),
			.flags = cpu_to_le16(item->flags),
			.length = cpu_to_le32(item->len + item->lie),
			.seq = cpu_to_le64(item->seq),
			.reserved = cpu_to_le32(item->reserved),
		};
		memcpy(rec + 1, item->payload, item->len);
		record_seal(rec, sizeof(*rec) + item->len);
		if (item->broken)
			rec->crc ^= cpu_to_le32(1);
		bytes_add(out, rec, sizeof(*rec) + item->len);
		free(rec);
	}
}

/*
 * The second reader.
 */

/**
 * struct reading - what has to come out
 * @calls: of the sink
 * @ret: of the feed
 * @whole: the stream is complete
 * @unknown: @ret and @whole say nothing: a length lies
 * @phase: 0 before a session, 1 before BEGIN, 2 before END, 3 after it
 * @seq: of the next record
 * @optional: records of the session
 */
struct reading {
	struct bytes calls;
	int ret;
	bool whole;
	bool unknown;
	int phase;
	u64 seq;
	unsigned int optional;
};

static u32 item_crc(const struct item *item)
{
	struct list one = { .n = 1, .item = { (struct item *)item } };
	struct bytes b = { };
	struct vmig_rec rec;

	list_bytes(&one, &b);
	memcpy(&rec, b.p, sizeof(rec));
	bytes_free(&b);
	return le32_to_cpu(rec.crc);
}

static int read_session(struct reading *r, const struct item *item)
{
	struct vmig_rec_session session;

	if (item->seq || item->len != sizeof(session))
		return -EINVAL;
	memcpy(&session, item->payload, sizeof(session));
	if (session.magic != cpu_to_le64(VMIG_STREAM_MAGIC) || session.reserved)
		return -EINVAL;
	if (session.major != cpu_to_le16(VMIG_STREAM_MAJOR))
		return -EOPNOTSUPP;
	call_add(&r->calls, CALL_SESSION, &session, sizeof(session), 0, 0, NULL,
		 0);
	r->phase = 1;
	r->optional = 0;
	return 0;
}

static int read_chunk(struct reading *r, const struct item *item)
{
	struct vmig_rec_chunk chunk;

	if (item->len < sizeof(chunk) ||
	    item->len > sizeof(chunk) + VMIG_CHUNK_SIZE)
		return -EINVAL;
	memcpy(&chunk, item->payload, sizeof(chunk));
	if (chunk.reserved)
		return -EINVAL;
	call_add(&r->calls, CALL_CHUNK, &chunk, sizeof(chunk), 0, item_crc(item),
		 item->payload + sizeof(chunk), item->len - sizeof(chunk));
	return 0;
}

static int read_begin(struct reading *r, const struct item *item)
{
	struct vmig_rec_begin begin;
	u64 doubt;

	if (item->len != sizeof(begin) || r->phase != 1)
		return -EINVAL;
	memcpy(&begin, item->payload, sizeof(begin));
	doubt = le64_to_cpu(begin.first_in_doubt);
	if (!doubt || doubt > item->seq ||
	    (r->seq != item->seq && r->seq != doubt))
		return -EINVAL;
	r->phase = 2;
	return 0;
}

static int read_blob(struct reading *r, const struct item *item)
{
	struct vmig_rec_blob blob;

	if (item->len <= sizeof(blob) || r->phase != 2)
		return -EINVAL;
	memcpy(&blob, item->payload, sizeof(blob));
	if (blob.reserved ||
	    le32_to_cpu(blob.length) != item->len - sizeof(blob))
		return -EINVAL;
	call_add(&r->calls, CALL_BLOB, NULL, 0, le16_to_cpu(blob.object), 0,
		 item->payload + sizeof(blob), item->len - sizeof(blob));
	return 0;
}

static int read_end(struct reading *r, const struct item *item)
{
	if (item->len != sizeof(struct vmig_rec_end) || r->phase != 2)
		return -EINVAL;
	call_add(&r->calls, CALL_END, item->payload, item->len, 0, 0, NULL, 0);
	r->phase = 3;
	return 0;
}

static int read_item(struct reading *r, const struct item *item)
{
	bool known = item->type >= VMIG_REC_SESSION &&
		     item->type <= VMIG_REC_END;
	bool inside = r->phase == 1 || r->phase == 2;

	if (item->broken || item->reserved ||
	    (item->flags & ~VMIG_REC_F_OPTIONAL) || (known && item->flags))
		return -EINVAL;
	if (item->type != VMIG_REC_SESSION && !inside)
		return -EINVAL;
	if (item->type != VMIG_REC_SESSION && item->type != VMIG_REC_BEGIN &&
	    item->seq != r->seq)
		return -EINVAL;
	switch (item->type) {
	case VMIG_REC_SESSION:
		return read_session(r, item);
	case VMIG_REC_CHUNK:
		return read_chunk(r, item);
	case VMIG_REC_BEGIN:
		return read_begin(r, item);
	case VMIG_REC_BLOB:
		return read_blob(r, item);
	case VMIG_REC_END:
		return read_end(r, item);
	}
	if (!item->flags)
		return -EOPNOTSUPP;
	return ++r->optional > VMIG_MAX_OPTIONAL ? -EINVAL : 0;
}

static struct reading read_list(const struct list *l)
{
	struct reading r = { };
	unsigned int i;

	for (i = 0; i < l->n && !r.ret; i++) {
		if (l->item[i]->lie) {
			r.unknown = true;
			break;
		}
		r.ret = read_item(&r, l->item[i]);
		r.seq = l->item[i]->seq + 1;
	}
	r.whole = !r.ret && r.phase == 3;
	return r;
}

/*
 * The parser.
 */
static int feed_randomly(struct unit_dice *d, struct vmig_parser *p,
			 const struct bytes *b)
{
	unsigned int shift = unit_below(d, 17);
	size_t at, n;
	int ret = 0;

	for (at = 0; at < b->len && !ret; at += n) {
		n = 1 + unit_below(d, 1u << shift);
		n = min(n, b->len - at);
		ret = vmig_parser_feed(p, b->p + at, n);
	}
	return ret;
}

/* What holds for all input. */
static void check_always(struct __test_metadata *_metadata,
			 struct vmig_parser *p, struct tape *tape, int ret)
{
	unsigned int calls = tape->nr_calls;

	ASSERT_FALSE(tape->astray);
	ASSERT_TRUE(!ret || ret == -EINVAL || ret == -EOPNOTSUPP ||
		    (ret == -EIO && tape->fail_at));
	if (!ret)
		return;
	ASSERT_FALSE(vmig_parser_complete(p));
	ASSERT_EQ(-EINVAL, vmig_parser_feed(p, "", 1));
	ASSERT_EQ(calls, tape->nr_calls);
}

static bool begins_with(const struct bytes *b, const struct bytes *begin)
{
	return b->len >= begin->len &&
	       (!begin->len || !memcmp(b->p, begin->p, begin->len));
}

/**
 * struct tally - how often what came out
 * @whole: complete streams
 * @cut: nothing wrong, but not complete
 * @refused: with -EINVAL
 * @unsupported: with -EOPNOTSUPP
 * @unknown: the second reader did not know
 */
struct tally {
	unsigned int whole;
	unsigned int cut;
	unsigned int refused;
	unsigned int unsupported;
	unsigned int unknown;
};

static void compare(struct __test_metadata *_metadata, struct unit_dice *d,
		    const struct list *l, struct tally *tally)
{
	struct vmig_parser *p = malloc(sizeof(*p));
	struct reading want = read_list(l);
	struct tape tape = { .parser = p };
	struct bytes b = { };
	int ret;

	list_bytes(l, &b);
	vmig_parser_init(p, &tape_sink, &tape);
	ret = feed_randomly(d, p, &b);
	check_always(_metadata, p, &tape, ret);
	if (want.unknown) {
		ASSERT_TRUE(begins_with(&tape.calls, &want.calls));
		tally->unknown++;
	} else {
		ASSERT_EQ(want.ret, ret);
		ASSERT_EQ(want.whole, vmig_parser_complete(p));
		ASSERT_TRUE(bytes_equal(&want.calls, &tape.calls));
		tally->whole += want.whole;
		tally->cut += !want.whole && !want.ret;
		tally->refused += want.ret == -EINVAL;
		tally->unsupported += want.ret == -EOPNOTSUPP;
	}
	bytes_free(&b);
	bytes_free(&want.calls);
	tape_free(&tape);
	free(p);
}

static u32 seed, round_now;

/* Not only a few, however slow the machine is. */
static bool another(time_t *end, unsigned int seconds)
{
	const char *s = getenv("UNIT_SECONDS");

	return round_now < 1024 || round_now % 64 ||
	       unit_more(end, s ? strtoul(s, NULL, 0) : seconds);
}

/* For those who die in a sanitizer or an assertion. */
static void say_where(int sig)
{
	fprintf(stderr, "# UNIT_SEED=%u, round %u\n", seed, round_now);
	signal(sig, SIG_DFL);
	raise(sig);
}

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>

static void say_where_at_death(void)
{
	fprintf(stderr, "# UNIT_SEED=%u, round %u\n", seed, round_now);
}
#endif

/* The harness' limit is for endless loops; $UNIT_SECONDS may be many. */
#define FUZZ(name)	TEST_F_TIMEOUT(fuzz, name, 24 * 60 * 60)

FIXTURE(fuzz) {
};

FIXTURE_SETUP(fuzz)
{
	seed = unit_seed();
	TH_LOG("UNIT_SEED=%u", seed);
	signal(SIGABRT, say_where);
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_set_death_callback(say_where_at_death);
#endif
}

FIXTURE_TEARDOWN(fuzz)
{
	TH_LOG("%u streams", round_now);
}

FUZZ(V1_RES_04_V1_PRE_09_STR_06_valid_streams)
{
	struct tally tally = { };
	struct list l = { };
	struct unit_dice d;
	time_t end = 0;

	for (; another(&end, 2); round_now++) {
		d = unit_dice(seed, round_now);
		add_sessions(&d, &l);
		compare(_metadata, &d, &l, &tally);
		list_free(&l);
	}
	ASSERT_EQ(round_now, tally.whole);
}

FUZZ(STR_08_damaged_fields_with_right_checksums)
{
	struct tally tally = { };
	struct list l = { };
	struct unit_dice d;
	unsigned int n;
	time_t end = 0;

	for (; another(&end, 4); round_now++) {
		d = unit_dice(seed, round_now);
		add_sessions(&d, &l);
		for (n = 1 + unit_below(&d, 3); n; n--)
			damage_list(&d, &l);
		compare(_metadata, &d, &l, &tally);
		list_free(&l);
	}
	TH_LOG("%u whole, %u cut, %u refused, %u unsupported, %u unknown",
	       tally.whole, tally.cut, tally.refused,
	       tally.unsupported, tally.unknown);
	/* The damage is neither always fatal nor never. */
	ASSERT_LT(0, tally.whole);
	ASSERT_LT(0, tally.cut);
	ASSERT_LT(0, tally.refused);
	ASSERT_LT(0, tally.unsupported);
	ASSERT_LT(0, tally.unknown);
}

FUZZ(STR_01_STR_08_damaged_bytes)
{
	struct vmig_parser *p = malloc(sizeof(*p));
	struct bytes b = { };
	struct list l = { };
	struct unit_dice d;
	struct tape tape;
	unsigned int n;
	time_t end = 0;
	size_t at;
	int ret;

	for (; another(&end, 2); round_now++) {
		d = unit_dice(seed, round_now);
		add_sessions(&d, &l);
		list_bytes(&l, &b);
		for (n = 1 + unit_below(&d, 4); n; n--) {
			at = unit_below(&d, unit_below(&d, 2) ?
					b.len : min(b.len, (size_t)700));
			b.p[at] = interesting(&d, b.p[at]);
		}
		tape = (struct tape) { .parser = p };
		vmig_parser_init(p, &tape_sink, &tape);
		ret = feed_randomly(&d, p, &b);
		check_always(_metadata, p, &tape, ret);
		bytes_free(&b);
		tape_free(&tape);
		list_free(&l);
	}
	free(p);
}

FUZZ(STR_08_noise_behind_a_header)
{
	struct vmig_parser *p = malloc(sizeof(*p));
	struct bytes b = { };
	struct list l = { };
	struct unit_dice d;
	struct tape tape;
	u8 noise[2000];
	time_t end = 0;
	u64 seq;
	int ret;

	for (; another(&end, 1); round_now++) {
		d = unit_dice(seed, round_now);
		add_session(&d, &l, &seq);
		list_bytes(&l, &b);
		random_bytes(&d, noise, sizeof(noise));
		bytes_add(&b, noise, 1 + unit_below(&d, sizeof(noise)));
		tape = (struct tape) { .parser = p };
		vmig_parser_init(p, &tape_sink, &tape);
		ret = feed_randomly(&d, p, &b);
		check_always(_metadata, p, &tape, ret);
		ASSERT_EQ(1, tape.nr_calls);
		ASSERT_FALSE(vmig_parser_complete(p));
		bytes_free(&b);
		tape_free(&tape);
		list_free(&l);
	}
	free(p);
}

FUZZ(V1_RES_12_random_errors_of_the_sink)
{
	struct vmig_parser *p = malloc(sizeof(*p));
	struct bytes b = { };
	struct list l = { };
	struct unit_dice d;
	struct tape tape;
	time_t end = 0;
	int ret;

	for (; another(&end, 1); round_now++) {
		d = unit_dice(seed, round_now);
		add_sessions(&d, &l);
		list_bytes(&l, &b);
		tape = (struct tape) {
			.parser = p,
			.fail_at = 1 + unit_below(&d, 12),
			.fail_with = -EIO,
		};
		vmig_parser_init(p, &tape_sink, &tape);
		ret = feed_randomly(&d, p, &b);
		check_always(_metadata, p, &tape, ret);
		ASSERT_EQ(tape.nr_calls == tape.fail_at ? -EIO : 0, ret);
		ASSERT_EQ(!ret, vmig_parser_complete(p));
		bytes_free(&b);
		tape_free(&tape);
		list_free(&l);
	}
	free(p);
}

TEST_HARNESS_MAIN
