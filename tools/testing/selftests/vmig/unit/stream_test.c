// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stream parser: what is a stream is read the same however it is cut, and
 * what was damaged, cut off or put in another order is refused.
 *
 * Every test compares all that the sink heard with what the stream says.
 */
#include "reader.h"

/*
 * The checksum.
 */
TEST(STR_10_crc32c_known_vectors)
{
	u8 buf[32];
	int i;

	EXPECT_EQ(0xe3069283, vmig_crc("123456789", 9));
	EXPECT_EQ(0x00000000, vmig_crc("", 0));
	/* RFC 3720, B.4 */
	memset(buf, 0, sizeof(buf));
	EXPECT_EQ(0x8a9136aa, vmig_crc(buf, sizeof(buf)));
	memset(buf, 0xff, sizeof(buf));
	EXPECT_EQ(0x62a8ab43, vmig_crc(buf, sizeof(buf)));
	for (i = 0; i < 32; i++)
		buf[i] = i;
	EXPECT_EQ(0x46dd794e, vmig_crc(buf, sizeof(buf)));
	for (i = 0; i < 32; i++)
		buf[i] = 31 - i;
	EXPECT_EQ(0x113fdb5c, vmig_crc(buf, sizeof(buf)));
}

TEST(STR_10_crc32c_in_parts)
{
	static const char digits[] = "123456789";
	unsigned int i, j;
	u32 crc;

	for (i = 0; i <= 9; i++) {
		for (j = i; j <= 9; j++) {
			crc = vmig_crc_more(~0u, digits, i);
			crc = vmig_crc_more(crc, digits + i, j - i);
			crc = vmig_crc_more(crc, digits + j, 9 - j);
			ASSERT_EQ(0xe3069283, ~crc);
		}
	}
}

TEST(STR_10_sealed_record_to_the_byte)
{
	/* The checksum was computed elsewhere, bit by bit. */
	static const u8 want[] = {
		0x03, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00,
		0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
		0x00, 0x00, 0x00, 0x00, 0x7b, 0x7a, 0xdb, 0xaf,
		0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
	};
	struct {
		struct vmig_rec rec;
		struct vmig_rec_begin begin;
	} r;
	u32 crc;

	/* Every byte of the header is written. */
	memset(&r, 0xa5, sizeof(r));
	r.begin.first_in_doubt = cpu_to_le64(0x1112131415161718ull);
	crc = vmig_seal(&r, VMIG_REC_BEGIN, 0x0102030405060708ull,
			sizeof(r.begin));
	EXPECT_EQ(0xafdb7a7b, crc);
	EXPECT_EQ(0, memcmp(want, &r, sizeof(want)));
}

TEST(STR_10_sizes_of_records)
{
	struct stream s = { };

	stream_session(&s);
	stream_chunk(&s, 1, 1, 0, VMIG_CHUNK_SIZE);
	stream_chunk(&s, 1, 1, 0, 0);
	stream_begin(&s, 0);
	stream_blob(&s, 1, 100);
	stream_end(&s);
	EXPECT_EQ(VMIG_LEN_SESSION, s.at[1]);
	EXPECT_EQ(VMIG_LEN_CHUNK(VMIG_CHUNK_SIZE), s.at[2] - s.at[1]);
	EXPECT_EQ(VMIG_LEN_CHUNK(0), s.at[3] - s.at[2]);
	EXPECT_EQ(VMIG_LEN_BEGIN, s.at[4] - s.at[3]);
	EXPECT_EQ(VMIG_LEN_BLOB(100), s.at[5] - s.at[4]);
	EXPECT_EQ(VMIG_LEN_END, s.at[6] - s.at[5]);
	stream_free(&s);
}

/*
 * Cuts.
 */
TEST(V1_RES_04_any_piece_size)
{
	struct stream s = { };
	size_t piece;

	stream_small(&s);
	for (piece = 0; piece <= s.out.len + 1; piece++)
		taken(_metadata, &s, piece);
	stream_free(&s);
	stream_large(&s);
	for (piece = 0; piece <= s.out.len; piece += piece < 64 ? 1 : 61)
		taken(_metadata, &s, piece);
	stream_free(&s);
}

static void taken_cut(struct __test_metadata *_metadata, const struct stream *s,
		      size_t i, size_t j)
{
	struct reader r;

	reader_init(&r);
	ASSERT_EQ(0, reader_feed(&r, s->out.p, i));
	ASSERT_EQ(i == s->out.len, vmig_parser_complete(r.p));
	ASSERT_EQ(0, reader_feed(&r, s->out.p + i, j - i));
	ASSERT_EQ(j == s->out.len, vmig_parser_complete(r.p));
	ASSERT_EQ(0, reader_feed(&r, s->out.p + j, s->out.len - j));
	ASSERT_EQ(TAKEN, reader_outcome(_metadata, &r));
	ASSERT_TRUE(bytes_equal(&s->calls, &r.tape.calls));
	reader_free(&r);
}

TEST(V1_RES_04_cut_anywhere_twice)
{
	struct stream s = { };
	size_t i, j;

	stream_small(&s);
	for (i = 0; i <= s.out.len; i++) {
		for (j = i; j <= s.out.len; j++)
			taken_cut(_metadata, &s, i, j);
	}
	stream_free(&s);
}

TEST(V1_RES_04_random_cuts)
{
	u32 seed = unit_seed(), round;
	struct stream s = { };
	struct unit_dice d;
	struct reader r;
	size_t at, n;

	TH_LOG("UNIT_SEED=%u", seed);
	stream_large(&s);
	for (round = 0; round < 2000; round++) {
		d = unit_dice(seed, round);
		reader_init(&r);
		for (at = 0; at < s.out.len; at += n) {
			n = unit_below(&d, 1u << (1 + unit_below(&d, 13)));
			n = min(n, s.out.len - at);
			ASSERT_EQ(0, reader_feed(&r, s.out.p + at, n)) {
				TH_LOG("round %u", round);
			}
		}
		ASSERT_EQ(TAKEN, reader_outcome(_metadata, &r));
		ASSERT_TRUE(bytes_equal(&s.calls, &r.tape.calls));
		reader_free(&r);
	}
	stream_free(&s);
}

TEST(V1_RES_05_merged)
{
	struct stream s = { };
	int i;

	/* All of several sessions in one feed. */
	for (i = 0; i < 3; i++) {
		stream_small(&s);
		stream_large(&s);
	}
	taken(_metadata, &s, 0);
	taken(_metadata, &s, 1000);
	stream_free(&s);
}

TEST(V1_RES_07_nothing_is_nothing)
{
	struct stream s = { };
	struct reader r;
	size_t i;

	stream_small(&s);
	reader_init(&r);
	ASSERT_EQ(0, reader_feed(&r, NULL, 0));
	for (i = 0; i < s.out.len; i++) {
		ASSERT_FALSE(vmig_parser_complete(r.p));
		ASSERT_EQ(0, reader_feed(&r, s.out.p + i, 1));
		ASSERT_EQ(0, reader_feed(&r, s.out.p + i, 0));
	}
	ASSERT_EQ(TAKEN, reader_outcome(_metadata, &r));
	ASSERT_TRUE(bytes_equal(&s.calls, &r.tape.calls));
	reader_free(&r);
	stream_free(&s);
}

TEST(V1_RES_15_empty_stream)
{
	struct reader r;

	reader_init(&r);
	EXPECT_FALSE(vmig_parser_complete(r.p));
	reader_free(&r);
}

/*
 * Damage.
 */
TEST(STR_02_V1_RES_14_every_truncation)
{
	struct stream s = { };
	struct bytes b;
	int large;

	for (large = 0; large < 2; large++) {
		if (large)
			stream_large(&s);
		else
			stream_small(&s);
		for (b = s.out, b.len = 0; b.len < s.out.len; b.len++) {
			ASSERT_EQ(SHORT, outcome_of(_metadata, &b)) {
				TH_LOG("%zu bytes", b.len);
			}
		}
		ASSERT_EQ(TAKEN, outcome_of(_metadata, &b));
		stream_free(&s);
	}
}

TEST(STR_01_every_byte_every_value)
{
	struct stream s = { };
	unsigned int x;
	size_t i;

	stream_small(&s);
	for (i = 0; i < s.out.len; i++) {
		for (x = 1; x < 256; x++) {
			s.out.p[i] ^= x;
			ASSERT_NE(TAKEN, outcome_of(_metadata, &s.out)) {
				TH_LOG("byte %zu, xor %#x", i, x);
			}
			s.out.p[i] ^= x;
		}
	}
	ASSERT_EQ(TAKEN, outcome_of(_metadata, &s.out));
	stream_free(&s);
}

TEST(STR_01_every_bit_of_a_larger_stream)
{
	struct stream s = { };
	size_t i;

	stream_large(&s);
	for (i = 0; i < s.out.len * 8; i++) {
		s.out.p[i / 8] ^= 1 << i % 8;
		ASSERT_NE(TAKEN, outcome_of(_metadata, &s.out)) {
			TH_LOG("bit %zu", i);
		}
		s.out.p[i / 8] ^= 1 << i % 8;
	}
	ASSERT_EQ(TAKEN, outcome_of(_metadata, &s.out));
	stream_free(&s);
}

/* A change that leaves the length alone is refused with the record's last byte. */
TEST(V1_RES_13_refused_with_the_record)
{
	struct stream s = { };
	struct reader r;
	unsigned int k;
	size_t i;

	stream_small(&s);
	for (k = 0; k < s.n; k++) {
		for (i = s.at[k]; i < s.at[k + 1]; i++) {
			if (i - s.at[k] >= offsetof(struct vmig_rec, length) &&
			    i - s.at[k] < offsetof(struct vmig_rec, seq))
				continue;
			s.out.p[i] ^= 0x40;
			reader_init(&r);
			ASSERT_EQ(0, reader_feed(&r, s.out.p, s.at[k]));
			if (k || i >= s.at[k] + sizeof(__le16)) {
				ASSERT_EQ(0, reader_feed(&r, s.out.p + s.at[k],
							 s.at[k + 1] - s.at[k] - 1));
				ASSERT_EQ(-EINVAL,
					  reader_feed(&r, s.out.p + s.at[k + 1] - 1, 1));
			} else {	/* another type cannot begin a stream */
				ASSERT_EQ(0, reader_feed(&r, s.out.p, 23));
				ASSERT_EQ(-EINVAL,
					  reader_feed(&r, s.out.p + 23, 1));
			}
			ASSERT_EQ(REFUSED, reader_outcome(_metadata, &r));
			/* Nothing of the record was told. */
			ASSERT_EQ(s.calls_at[k], r.tape.calls.len);
			reader_free(&r);
			s.out.p[i] ^= 0x40;
		}
	}
	stream_free(&s);
}

/*
 * Order.
 */
TEST(STR_03_every_record_dropped)
{
	unsigned int first, last, i;
	struct stream s = { }, t = { };

	stream_small(&s);
	for (first = 0; first < s.n; first++) {
		for (last = first; last < s.n; last++) {
			for (i = 0; i < s.n; i++) {
				if (i < first || i > last)
					stream_copy(&t, &s, i);
			}
			ASSERT_EQ(last == s.n - 1 ? SHORT : REFUSED,
				  outcome_of(_metadata, &t.out)) {
				TH_LOG("without %u to %u", first, last);
			}
			stream_free(&t);
		}
	}
	stream_free(&s);
}

TEST(STR_03_every_record_doubled)
{
	unsigned int which, where, i;
	struct stream s = { }, t = { };

	stream_small(&s);
	for (which = 0; which < s.n; which++) {
		for (where = 0; where <= s.n; where++) {
			for (i = 0; i < s.n; i++) {
				if (i == where)
					stream_copy(&t, &s, which);
				stream_copy(&t, &s, i);
			}
			if (where == s.n)
				stream_copy(&t, &s, which);
			if (which == 0 && where <= 1) {
				/* A doubled header restarts the session. */
				taken(_metadata, &t, 0);
			} else if (which == 0 && where == s.n) {
				/* Another session that is not over. */
				ASSERT_EQ(SHORT, outcome_of(_metadata, &t.out));
			} else {
				ASSERT_EQ(REFUSED, outcome_of(_metadata, &t.out)) {
					TH_LOG("%u before %u", which, where);
				}
			}
			stream_free(&t);
		}
	}
	stream_free(&s);
}

static void play_order(struct __test_metadata *_metadata,
		       const struct stream *s, const unsigned int *order)
{
	struct stream t = { };
	bool sorted = true;
	unsigned int i;

	for (i = 0; i < s->n; i++) {
		sorted &= order[i] == i;
		stream_copy(&t, s, order[i]);
	}
	ASSERT_EQ(sorted, outcome_of(_metadata, &t.out) == TAKEN);
	stream_free(&t);
}

/* All 40320 of them, by Heap's method. */
TEST(STR_03_every_permutation)
{
	unsigned int order[8], count[8] = { }, i, swap, with, n = 1;
	struct stream s = { };

	stream_small(&s);
	ASSERT_EQ(ARRAY_SIZE(order), s.n);
	for (i = 0; i < 8; i++)
		order[i] = i;
	play_order(_metadata, &s, order);
	for (i = 0; i < 8;) {
		if (count[i] >= i) {
			count[i++] = 0;
			continue;
		}
		with = i % 2 ? count[i] : 0;
		swap = order[with];
		order[with] = order[i];
		order[i] = swap;
		play_order(_metadata, &s, order);
		n++;
		count[i]++;
		i = 0;
	}
	ASSERT_EQ(40320, n);
	stream_free(&s);
}

/*
 * Chunks 1 to 5, BEGIN as record 6: for each number that is in doubt and each
 * set of chunks that was delivered.
 */
TEST(STR_03_gap_in_doubt)
{
	unsigned int doubt, kept, i;
	struct stream s = { }, t = { };
	bool good;

	for (doubt = 0; doubt < 10; doubt++) {
		stream_session(&s);
		for (i = 1; i <= 5; i++)
			stream_chunk(&s, 1, 1, i, i);
		stream_begin(&s, ~0ull);
		put(&s, 6, PAYLOAD(vmig_rec_begin, first_in_doubt), 8, doubt);
		stream_chunk(&s, 1, 2, 5, 5);
		stream_blob(&s, 2, 1);
		stream_end(&s);
		for (kept = 0; kept < 32; kept++) {
			stream_copy(&t, &s, 0);
			for (i = 0; i < 5; i++) {
				if (kept & 1 << i)
					stream_copy(&t, &s, 1 + i);
			}
			for (i = 6; i < s.n; i++)
				stream_copy(&t, &s, i);
			/* All, or all that are not in doubt. */
			good = doubt >= 1 && doubt <= 6 &&
			       (kept == 31 || kept == (1u << (doubt - 1)) - 1);
			if (good) {
				taken(_metadata, &t, 0);
				taken(_metadata, &t, 1);
			} else {
				ASSERT_EQ(REFUSED, outcome_of(_metadata, &t.out)) {
					TH_LOG("doubt %u, kept %#x", doubt, kept);
				}
			}
			stream_free(&t);
		}
		stream_free(&s);
	}
}

TEST(STR_03_gap_only_before_begin)
{
	struct stream s = { };
	unsigned int k;
	s64 step;

	/* The right records with another number in one of them. */
	for (step = -2; step <= 2; step++) {
		for (k = 0; k < 8; k++) {
			stream_small(&s);
			put(&s, k, HEAD(seq), 8, get(&s, k, HEAD(seq), 8) + step);
			/* BEGIN's gap could be one; what follows it tells. */
			if (!step)
				taken(_metadata, &s, 0);
			else if (k == 4 && step > 0)
				refused(_metadata, &s, -EINVAL, s.at[6]);
			else
				refused(_metadata, &s, -EINVAL, s.at[k + 1]);
			stream_free(&s);
		}
	}
}

TEST(STR_03_phases)
{
	struct stream s = { };

	/* A blob before BEGIN. */
	stream_session(&s);
	stream_blob(&s, 1, 4);
	refused(_metadata, &s, -EINVAL, s.out.len);
	stream_free(&s);
	/* An end before BEGIN. */
	stream_session(&s);
	stream_end(&s);
	refused(_metadata, &s, -EINVAL, s.out.len);
	stream_free(&s);
	/* BEGIN twice. */
	stream_session(&s);
	stream_begin(&s, 0);
	stream_begin(&s, 0);
	refused(_metadata, &s, -EINVAL, s.out.len);
	stream_free(&s);
	/* BEGIN twice, the second one over a gap. */
	stream_session(&s);
	stream_begin(&s, 0);
	s.seq = 5;
	stream_begin(&s, 2);
	refused(_metadata, &s, -EINVAL, s.out.len);
	stream_free(&s);
	/* No chunks and no blobs: it is the sink that knows what there must be. */
	stream_session(&s);
	stream_begin(&s, 0);
	stream_end(&s);
	taken(_metadata, &s, 0);
	stream_free(&s);
	/* Chunks and blobs mixed. */
	stream_session(&s);
	stream_begin(&s, 0);
	stream_blob(&s, 1, 4);
	stream_chunk(&s, 1, 1, 1, 8);
	stream_blob(&s, 2, 4);
	stream_end(&s);
	taken(_metadata, &s, 0);
	stream_free(&s);
}

/*
 * More than one session.
 */
TEST(V1_PRE_09_partial_session_and_a_full_one)
{
	struct stream a = { }, b = { }, t = { };
	unsigned int n, i;

	stream_large(&a);
	stream_small(&b);
	for (n = 0; n <= a.n; n++) {
		for (i = 0; i < n; i++)
			stream_copy(&t, &a, i);
		stream_copy_all(&t, &b);
		taken(_metadata, &t, 0);
		taken(_metadata, &t, 1);
		taken(_metadata, &t, 100);
		stream_free(&t);
	}
	stream_free(&a);
	stream_free(&b);
}

TEST(V1_PRE_09_cut_inside_a_record)
{
	struct stream a = { }, b = { };
	struct bytes t = { };
	unsigned int k;
	size_t n;

	stream_small(&a);
	stream_small(&b);
	for (n = 1, k = 0; n < a.out.len; n++) {
		while (n > a.at[k])
			k++;
		if (n == a.at[k])
			continue;
		bytes_add(&t, a.out.p, n);
		bytes_add(&t, b.out.p, b.out.len);
		ASSERT_NE(TAKEN, outcome_of(_metadata, &t)) {
			TH_LOG("after %zu bytes", n);
		}
		bytes_free(&t);
	}
	stream_free(&a);
	stream_free(&b);
}

TEST(V1_PRE_09_second_session_is_not_over)
{
	struct stream a = { }, b = { };
	struct bytes t = { };
	size_t n;

	stream_small(&a);
	stream_large(&b);
	for (n = 0; n <= b.out.len; n++) {
		bytes_add(&t, a.out.p, a.out.len);
		bytes_add(&t, b.out.p, n);
		ASSERT_EQ(n == 0 || n == b.out.len ? TAKEN : SHORT,
			  outcome_of(_metadata, &t)) {
			TH_LOG("and %zu bytes", n);
		}
		bytes_free(&t);
	}
	stream_free(&a);
	stream_free(&b);
}

TEST(STR_04_bytes_after_the_end)
{
	static const u64 numbers[] = { 0, 1, 6, 7, 8, 9, ~0ull };
	struct vmig_rec_begin begin = { };
	struct stream s = { }, t = { };
	struct bytes b = { };
	unsigned int i, type;
	u8 byte;

	stream_small(&s);
	for (i = 0; i < 256; i++) {
		byte = i;
		bytes_add(&b, s.out.p, s.out.len);
		bytes_add(&b, &byte, 1);
		ASSERT_EQ(SHORT, outcome_of(_metadata, &b));
		bytes_free(&b);
	}
	/* Any record but a session, whatever number it has. */
	for (type = 0; type < 9; type++) {
		if (type == VMIG_REC_SESSION)
			continue;
		for (i = 0; i < ARRAY_SIZE(numbers); i++) {
			begin.first_in_doubt = cpu_to_le64(numbers[i]);
			stream_copy_all(&t, &s);
			stream_raw(&t, type, type > VMIG_REC_END, numbers[i],
				   &begin, sizeof(begin));
			refused(_metadata, &t, -EINVAL, t.out.len);
			stream_free(&t);
		}
	}
	/* END again, and END with the next number. */
	stream_copy_all(&t, &s);
	stream_copy(&t, &s, s.n - 1);
	refused(_metadata, &t, -EINVAL, t.out.len);
	stream_free(&t);
	stream_copy_all(&t, &s);
	t.seq = s.seq;
	stream_end(&t);
	refused(_metadata, &t, -EINVAL, t.out.len);
	stream_free(&t);
	stream_free(&s);
}

TEST_HARNESS_MAIN
