// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stream parser against those who know the format: strangers, fields and
 * lengths with right checksums, errors of the sink, and the bound by which
 * memory is reserved.
 */
#include "reader.h"

/*
 * Strangers.
 */
TEST(STR_05_foreign_streams)
{
	static const char tar[] = "README\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	u32 seed = unit_seed(), round;
	struct stream s = { };
	struct unit_dice d;
	struct reader r;
	u8 head[24];
	int i;

	TH_LOG("UNIT_SEED=%u", seed);
	for (round = 0; round < 20000; round++) {
		d = unit_dice(seed, round);
		for (i = 0; i < 24; i++)
			head[i] = unit_below(&d, 256);
		if (round == 0)
			memset(head, 0, sizeof(head));
		if (round == 1)
			memset(head, 0xff, sizeof(head));
		if (round == 2)
			memcpy(head, tar, sizeof(head));
		if (head[0] == VMIG_REC_SESSION && !head[1])
			continue;
		reader_init(&r);
		ASSERT_EQ(0, reader_feed(&r, head, 23));
		ASSERT_EQ(-EINVAL, reader_feed(&r, head + 23, 1));
		ASSERT_EQ(REFUSED, reader_outcome(_metadata, &r));
		ASSERT_EQ(0, r.tape.nr_calls);
		reader_free(&r);
	}
	/* Every other record of ours as the first one. */
	stream_chunk(&s, 1, 1, 0, 0);
	refused(_metadata, &s, -EINVAL, 24);
	stream_free(&s);
	stream_begin(&s, 0);
	refused(_metadata, &s, -EINVAL, 24);
	stream_free(&s);
	stream_skipped(&s, 6, 0);
	refused(_metadata, &s, -EINVAL, 24);
	stream_free(&s);
}

TEST(STR_05_session_of_another_format)
{
	struct stream s = { };
	unsigned int bit;

	for (bit = 0; bit < 64; bit++) {
		stream_small(&s);
		put(&s, 0, PAYLOAD(vmig_rec_session, magic), 8,
		    VMIG_STREAM_MAGIC ^ 1ull << bit);
		refused(_metadata, &s, -EINVAL, s.at[1]);
		stream_free(&s);
	}
	for (bit = 0; bit < 32; bit++) {
		stream_small(&s);
		put(&s, 0, PAYLOAD(vmig_rec_session, reserved), 4, 1u << bit);
		refused(_metadata, &s, -EINVAL, s.at[1]);
		stream_free(&s);
	}
}

TEST(STR_06_another_major)
{
	static const u16 majors[] = { 0, 2, 3, 255, 256, 257, 0x8001, 65535 };
	struct stream s = { };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(majors); i++) {
		stream_small(&s);
		put(&s, 0, PAYLOAD(vmig_rec_session, major), 2, majors[i]);
		refused(_metadata, &s, -EOPNOTSUPP, s.at[1]);
		stream_free(&s);
	}
}

TEST(STR_06_newer_minor_with_optional_records)
{
	static const u16 types[] = { 6, 7, 255, 256, 257, 0x8001, 65535 };
	struct stream s = { };
	unsigned int i;

	stream_session(&s);
	put(&s, 0, PAYLOAD(vmig_rec_session, minor), 2, VMIG_STREAM_MINOR + 7);
	/* The sink hears the header as it is. */
	bytes_free(&s.calls);
	call_add(&s.calls, CALL_SESSION, s.out.p + sizeof(struct vmig_rec),
		 sizeof(struct vmig_rec_session), 0, 0, NULL, 0);
	for (i = 0; i < ARRAY_SIZE(types); i++)
		stream_skipped(&s, types[i], i);
	stream_chunk(&s, 1, 1, 0, 7);
	stream_skipped(&s, 6, VMIG_PAYLOAD_MAX);
	stream_begin(&s, 0);
	stream_skipped(&s, 6, VMIG_CHUNK_SIZE);
	stream_blob(&s, 1, VMIG_BLOB_MAX);
	stream_skipped(&s, 6, 1);
	stream_end(&s);
	taken(_metadata, &s, 0);
	taken(_metadata, &s, 1);
	taken(_metadata, &s, 4096);
	stream_free(&s);
}

TEST(STR_06_unknown_mandatory_record)
{
	static const u16 types[] = { 6, 7, 255, 256, 258, 0x8003, 65535 };
	struct stream s = { };
	unsigned int i, flags;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		stream_session(&s);
		stream_chunk(&s, 1, 1, 0, 0);
		stream_raw(&s, types[i], 0, s.seq, "abc", 3);
		refused(_metadata, &s, -EOPNOTSUPP, s.out.len);
		stream_free(&s);
		/* Flags that nobody knows, with and without that one. */
		for (flags = 2; flags < 0x10000; flags = flags << 1 | (flags & 1)) {
			stream_session(&s);
			stream_raw(&s, types[i], flags, s.seq, "abc", 3);
			refused(_metadata, &s, -EINVAL, s.out.len);
			stream_free(&s);
			stream_session(&s);
			stream_raw(&s, types[i], flags | VMIG_REC_F_OPTIONAL, s.seq,
				   "abc", 3);
			refused(_metadata, &s, -EINVAL, s.out.len);
			stream_free(&s);
		}
	}
}

TEST(STR_06_known_records_have_no_flags)
{
	struct stream s = { };
	unsigned int k, bit;

	for (k = 0; k < 8; k++) {
		for (bit = 0; bit < 16; bit++) {
			stream_small(&s);
			if (get(&s, k, HEAD(type), 2) <= VMIG_REC_END) {
				put(&s, k, HEAD(flags), 2, 1u << bit);
				refused(_metadata, &s, -EINVAL, s.at[k + 1]);
			}
			stream_free(&s);
		}
	}
}

/* A guest that reboots in pre-copy begins a session anew; nobody does it for ever. */
TEST(V1_RES_22_too_many_sessions)
{
	struct stream head = { };
	struct reader r;
	unsigned int i;

	reader_init(&r);
	stream_session(&head);
	for (i = 0; i < VMIG_MAX_SESSIONS; i++)
		ASSERT_EQ(0, reader_feed(&r, head.out.p, head.out.len));
	ASSERT_EQ(-EINVAL, reader_feed(&r, head.out.p, head.out.len));
	ASSERT_EQ(-EINVAL, reader_feed(&r, head.out.p, 1));
	reader_free(&r);
	stream_free(&head);
}

TEST(STR_06_too_many_optional_records)
{
	struct stream head = { }, one = { }, tail = { };
	unsigned int n, i, sessions;
	struct reader r;
	int ret;

	for (n = VMIG_MAX_OPTIONAL - 1; n <= VMIG_MAX_OPTIONAL + 1; n++) {
		/* The count is of one session: the second one begins anew. */
		reader_init(&r);
		for (sessions = 0, ret = 0; sessions < 3 && !ret; sessions++) {
			stream_session(&head);
			ASSERT_EQ(0, reader_feed(&r, head.out.p, head.out.len));
			one.seq = 1;
			for (i = 0; i < n && !ret; i++) {
				stream_skipped(&one, 9, 0);
				ret = reader_feed(&r, one.out.p, one.out.len);
				one.n = 0;
				bytes_free(&one.out);
			}
			if (n > VMIG_MAX_OPTIONAL) {
				ASSERT_EQ(-EINVAL, ret);
				ASSERT_EQ(VMIG_MAX_OPTIONAL + 1, i);
				break;
			}
			tail.seq = one.seq;
			stream_begin(&tail, 0);
			stream_end(&tail);
			ASSERT_EQ(0, reader_feed(&r, tail.out.p, tail.out.len));
			stream_free(&head);
			stream_free(&tail);
		}
		ASSERT_EQ(n > VMIG_MAX_OPTIONAL ? REFUSED : TAKEN,
			  reader_outcome(_metadata, &r));
		reader_free(&r);
	}
	stream_free(&head);
}

/*
 * Lengths and fields, with right checksums.
 */
TEST(STR_08_length_bombs)
{
	static const u32 lengths[] = {
		VMIG_PAYLOAD_MAX + 1, VMIG_PAYLOAD_MAX + 2, 65535, 65536, 1 << 20,
		0x7fffffe7, 0x7fffffff, 0x80000000, 0xffffffe7, 0xffffffe8,
		0xffffffe9, 0xfffffffe, 0xffffffff,
	};
	struct stream s = { };
	unsigned int i, k, type;

	for (k = 0; k < 8; k++) {
		for (i = 0; i < ARRAY_SIZE(lengths); i++) {
			for (type = 0; type < 8; type++) {
				stream_small(&s);
				put(&s, k, HEAD(type), 2, type);
				put(&s, k, HEAD(flags), 2, type > VMIG_REC_END);
				put(&s, k, HEAD(length), 4, lengths[i]);
				/* Not one byte of the payload is waited for. */
				refused(_metadata, &s, -EINVAL,
					s.at[k] + sizeof(struct vmig_rec));
				stream_free(&s);
			}
		}
	}
}

static bool length_fits(unsigned int type, u32 len)
{
	switch (type) {
	case VMIG_REC_SESSION:
		return len == 288;
	case VMIG_REC_CHUNK:
		return len >= 16 && len <= 16 + 4096;
	case VMIG_REC_BEGIN:
		return len == 8;
	case VMIG_REC_BLOB:
		return len > 8 && len <= 8 + 16384;
	case VMIG_REC_END:
		return len == 16;
	default:
		return true;
	}
}

/* Each type, at a place where it is allowed, with each length. */
TEST(STR_08_lengths_of_each_type)
{
	static u8 zero[VMIG_PAYLOAD_MAX + 1] __aligned(8);
	struct stream s = { };
	struct vmig_rec_session *session;
	struct vmig_rec_begin *begin;
	struct vmig_rec_blob *blob;
	struct reader r;
	unsigned int type;
	u32 len;

	for (type = VMIG_REC_SESSION; type <= VMIG_REC_END + 1; type++) {
		for (len = 0; len <= VMIG_PAYLOAD_MAX;
		     len += len < 700 || len > VMIG_PAYLOAD_MAX - 50 ||
			    (len > 4000 && len < 4200) ? 1 : 7) {
			memset(zero, 0, len);
			session = (void *)zero;
			begin = (void *)zero;
			blob = (void *)zero;
			if (type == VMIG_REC_SESSION && len >= 12) {
				session->magic = cpu_to_le64(VMIG_STREAM_MAGIC);
				session->major = cpu_to_le16(VMIG_STREAM_MAJOR);
			} else if (type == VMIG_REC_BEGIN && len >= 8) {
				begin->first_in_doubt = cpu_to_le64(1);
			} else if (type == VMIG_REC_BLOB && len >= 8) {
				blob->length = cpu_to_le32(len - 8);
			}
			stream_session(&s);
			if (type == VMIG_REC_BLOB || type == VMIG_REC_END)
				stream_begin(&s, 0);
			stream_raw(&s, type, type > VMIG_REC_END,
				   type == VMIG_REC_SESSION ? 0 : s.seq, zero, len);
			reader_init(&r);
			ASSERT_EQ(length_fits(type, len) ? 0 : -EINVAL,
				  reader_feed(&r, s.out.p, s.out.len)) {
				TH_LOG("type %u, %u bytes", type, len);
			}
			reader_outcome(_metadata, &r);
			reader_free(&r);
			stream_free(&s);
		}
	}
}

TEST(STR_08_length_of_a_blob_twice)
{
	static const s64 steps[] = { -16, -8, -1, 1, 8, 24, 1 << 16, -(1ll << 31) };
	struct stream s = { };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		stream_small(&s);
		put(&s, 6, PAYLOAD(vmig_rec_blob, length), 4, 16 + steps[i]);
		refused(_metadata, &s, -EINVAL, s.at[7]);
		stream_free(&s);
	}
}

TEST(STR_08_reserved_fields)
{
	struct stream s = { };
	unsigned int k, bit;

	for (k = 0; k < 8; k++) {
		for (bit = 0; bit < 32; bit++) {
			stream_small(&s);
			put(&s, k, HEAD(reserved), 4, 1u << bit);
			refused(_metadata, &s, -EINVAL, s.at[k + 1]);
			stream_free(&s);
		}
	}
	for (bit = 0; bit < 16; bit++) {
		stream_small(&s);
		put(&s, 2, PAYLOAD(vmig_rec_chunk, reserved), 2, 1u << bit);
		refused(_metadata, &s, -EINVAL, s.at[3]);
		stream_free(&s);
		stream_small(&s);
		put(&s, 6, PAYLOAD(vmig_rec_blob, reserved), 2, 1u << bit);
		refused(_metadata, &s, -EINVAL, s.at[7]);
		stream_free(&s);
	}
}

/* Numbers at the end of their range are numbers like others. */
TEST(STR_08_extreme_fields_reach_the_sink)
{
	struct stream s = { };

	stream_session(&s);
	stream_chunk(&s, 0xffff, 0xffffffff, ~0ull, 1);
	stream_chunk(&s, 0, 0, 1ull << 63, 0);
	s.seq = ~0ull - 1;
	stream_begin(&s, 3);
	stream_blob(&s, 0xffff, VMIG_BLOB_MAX);
	/* The number wraps. */
	stream_chunk(&s, 1, 2, 3, VMIG_CHUNK_SIZE);
	stream_end(&s);
	taken(_metadata, &s, 0);
	taken(_metadata, &s, 13);
	stream_free(&s);
}

/*
 * The sink says no.
 */
TEST(V1_RES_12_errors_of_the_sink_stay)
{
	static const int errors[] = {
		-EINVAL, -ENOMEM, -EOPNOTSUPP, -EXDEV, -EIO, -EFAULT,
	};
	struct stream s = { };
	unsigned int call, i;
	struct reader r;
	size_t piece;

	stream_small(&s);
	/* Session, two chunks, one more, blob, end: six calls. */
	for (call = 1; call <= 6; call++) {
		for (i = 0; i < ARRAY_SIZE(errors); i++) {
			for (piece = 0; piece < 30; piece += 7) {
				reader_init(&r);
				r.tape.fail_at = call;
				r.tape.fail_with = errors[i];
				reader_pieces(&r, &s.out, piece);
				ASSERT_EQ(errors[i], r.ret);
				ASSERT_EQ(call, r.tape.nr_calls);
				ASSERT_EQ(REFUSED, reader_outcome(_metadata, &r));
				reader_free(&r);
			}
		}
	}
	stream_free(&s);
}

TEST(V1_RES_12_refused_once)
{
	struct stream s = { };
	struct reader r;
	unsigned int k;

	/* A bad record, and then all of the good stream, and then another one. */
	stream_small(&s);
	for (k = 0; k < s.n; k++) {
		s.out.p[s.at[k + 1] - 1] ^= 1;
		reader_init(&r);
		ASSERT_EQ(-EINVAL, reader_feed(&r, s.out.p, s.at[k + 1]));
		s.out.p[s.at[k + 1] - 1] ^= 1;
		ASSERT_EQ(-EINVAL, reader_feed(&r, s.out.p + s.at[k],
					       s.out.len - s.at[k]));
		ASSERT_EQ(-EINVAL, reader_feed(&r, s.out.p, s.out.len));
		ASSERT_EQ(REFUSED, reader_outcome(_metadata, &r));
		ASSERT_EQ(s.calls_at[k], r.tape.calls.len);
		/* Initialised, it reads again. */
		vmig_parser_init(r.p, &tape_sink, &r.tape);
		bytes_free(&r.tape.calls);
		ASSERT_EQ(0, reader_feed(&r, s.out.p, s.out.len));
		ASSERT_TRUE(vmig_parser_complete(r.p));
		ASSERT_TRUE(bytes_equal(&s.calls, &r.tape.calls));
		reader_free(&r);
	}
	stream_free(&s);
}

/*
 * The bound by which memory is allocated before anything is parsed.
 */
TEST(V1_RES_08_chunks_to_come_are_bounded)
{
	u32 seed = unit_seed(), round;
	unsigned int whole, bound, i;
	struct stream s = { };
	struct unit_dice d;
	struct reader r;
	size_t at, n;

	TH_LOG("UNIT_SEED=%u", seed);
	for (round = 0; round < 300; round++) {
		d = unit_dice(seed, round);
		stream_session(&s);
		for (i = unit_below(&d, 40); i; i--) {
			n = unit_below(&d, 3);
			stream_chunk(&s, 1, 1, i, n == 0 ? 0 : n == 1 ?
				     unit_below(&d, VMIG_CHUNK_SIZE + 1) :
				     VMIG_CHUNK_SIZE);
			if (!unit_below(&d, 8))
				stream_session(&s);
		}
		reader_init(&r);
		for (at = 0; at < s.out.len; at += n) {
			n = unit_below(&d, 1u << (1 + unit_below(&d, 16)));
			n = min(n, s.out.len - at);
			whole = r.tape.nr_whole;
			bound = vmig_parser_max_chunks(r.p, n);
			ASSERT_EQ(0, reader_feed(&r, s.out.p + at, n));
			ASSERT_LE(r.tape.nr_whole - whole, bound) {
				TH_LOG("round %u", round);
			}
			/* And it is no more than the bytes can hold. */
			ASSERT_LE(bound, n / VMIG_LEN_CHUNK(VMIG_CHUNK_SIZE) +
				  VMIG_RECORD_MAX / VMIG_LEN_CHUNK(VMIG_CHUNK_SIZE) +
				  1);
		}
		reader_free(&r);
		stream_free(&s);
	}
}

TEST(V1_RES_08_bound_is_exact_for_whole_chunks)
{
	const size_t len = VMIG_LEN_CHUNK(VMIG_CHUNK_SIZE);
	struct stream s = { };
	struct reader r;
	unsigned int i;

	stream_session(&s);
	for (i = 0; i < 8; i++)
		stream_chunk(&s, 1, 1, i, VMIG_CHUNK_SIZE);
	reader_init(&r);
	ASSERT_EQ(0, vmig_parser_max_chunks(r.p, 0));
	ASSERT_EQ(0, reader_feed(&r, s.out.p, s.at[1]));
	for (i = 1; i < s.n; i++) {
		ASSERT_EQ(0, vmig_parser_max_chunks(r.p, 0));
		ASSERT_EQ(0, vmig_parser_max_chunks(r.p, len - 1));
		ASSERT_EQ(1, vmig_parser_max_chunks(r.p, len));
		ASSERT_EQ(s.n - i, vmig_parser_max_chunks(r.p, len * (s.n - i)));
		/* With one byte missing, that byte brings the chunk. */
		ASSERT_EQ(0, reader_feed(&r, s.out.p + s.at[i], len - 1));
		ASSERT_EQ(0, vmig_parser_max_chunks(r.p, 0));
		ASSERT_EQ(1, vmig_parser_max_chunks(r.p, 1));
		ASSERT_EQ(1, vmig_parser_max_chunks(r.p, len));
		ASSERT_EQ(2, vmig_parser_max_chunks(r.p, len + 1));
		ASSERT_EQ(0, reader_feed(&r, s.out.p + s.at[i + 1] - 1, 1));
	}
	ASSERT_EQ(8, r.tape.nr_whole);
	reader_free(&r);
	stream_free(&s);
}

TEST_HARNESS_MAIN
