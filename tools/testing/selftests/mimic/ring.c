// SPDX-License-Identifier: GPL-2.0-only
/*
 * Command rings: every opcode over guest memory of any alignment, completions,
 * order, errors, and what halts a ring.
 */
#include "accel_test.h"

#define MEM_SIZE	AT_MIB
#define HALTED		(MIMIC_ACCEL_RING_STATUS_ENABLED |		\
			 MIMIC_ACCEL_RING_STATUS_HALTED)

FIXTURE(ring) {
	struct at t;
	__u64 size;	/* of the device memory */
};

FIXTURE_SETUP(ring)
{
	at_setup(_metadata, &self->t, MEM_SIZE);
	self->size = at_region_size(&self->t.d, AT_MEM);
}

FIXTURE_TEARDOWN(ring)
{
	at_close(_metadata, &self->t);
}

/* A copy of device memory, to be freed. */
#define DEVICE(off, n)	({						\
	__u8 *b_ = malloc(n);						\
	ASSERT_NE(NULL, b_);						\
	READ_MEM(off, b_, n);						\
	b_; })

/* Offsets in a page and lengths around its end. */
static const struct {
	__u32 src, dst, len;
} shapes[] = {
	{ 0, 0, 1 }, { 1, 4095, 1 }, { 4095, 0, 2 }, { 0, 4095, 2 },
	{ 0, 0, 4096 }, { 1, 0, 4096 }, { 0, 1, 4096 }, { 7, 9, 8191 },
	{ 4090, 3, 12 }, { 0, 0, 65536 }, { 123, 456, 100001 },
};

TEST_F(ring, copy_guest_to_device)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc;
	unsigned int i;
	__u8 *got;

	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		__u64 off = 4 * AT_PAGE + shapes[i].dst;
		__u32 n = shapes[i].len;

		at_fill(self->t.mem.p, MEM_SIZE, i);
		ASSERT_EQ(0, vfc_reset(d));	/* memory is zero */
		at_enable(_metadata, d);
		at_ring_start(_metadata, r, 16);
		desc = at_desc(MIMIC_ACCEL_OP_COPY_G2D,
			       AT_MEM_IOVA + shapes[i].src, off, n);
		ASSERT_EQ(0, at_ok(_metadata, r, &desc));
		got = DEVICE(off - 1, n + 2);
		ASSERT_EQ(0, got[0]);
		ASSERT_EQ(0, memcmp(self->t.mem.p + shapes[i].src, got + 1, n));
		ASSERT_EQ(0, got[n + 1]);
		free(got);
	}
}

TEST_F(ring, copy_device_to_guest)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[1];
	struct mimic_accel_desc desc;
	__u8 *p = self->t.mem.p, *image = malloc(MEM_SIZE);
	unsigned int i;

	ASSERT_NE(NULL, image);
	at_fill(image, MEM_SIZE, 99);
	WRITE_MEM(0, image, MEM_SIZE);
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		__u32 n = shapes[i].len, dst = 8 * AT_PAGE + shapes[i].dst;

		memset(p, 0xee, MEM_SIZE);
		desc = at_desc(MIMIC_ACCEL_OP_COPY_D2G, shapes[i].src,
			       AT_MEM_IOVA + dst, n);
		ASSERT_EQ(0, at_ok(_metadata, r, &desc));
		ASSERT_EQ(0, memcmp(image + shapes[i].src, p + dst, n));
		ASSERT_TRUE(at_all(p, 0xee, dst));
		ASSERT_TRUE(at_all(p + dst + n, 0xee, MEM_SIZE - dst - n));
	}
	free(image);
}

TEST_F(ring, copy_device_to_device)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc;
	__u8 *image = malloc(MEM_SIZE), *got;
	unsigned int i;

	ASSERT_NE(NULL, image);
	at_fill(image, MEM_SIZE, 5);
	WRITE_MEM(0, image, MEM_SIZE);
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		__u64 to = 2 * MEM_SIZE + shapes[i].dst;

		desc = at_desc(MIMIC_ACCEL_OP_COPY_D2D, shapes[i].src, to,
			       shapes[i].len);
		ASSERT_EQ(0, at_ok(_metadata, r, &desc));
		got = DEVICE(to, shapes[i].len);
		ASSERT_EQ(0, memcmp(image + shapes[i].src, got, shapes[i].len));
		free(got);
	}
	/* From a hole it copies zeros. */
	desc = at_desc(MIMIC_ACCEL_OP_COPY_D2D, self->size - AT_PAGE, 100, 50);
	at_ok(_metadata, r, &desc);
	got = DEVICE(99, 52);
	ASSERT_EQ(image[99], got[0]);
	ASSERT_TRUE(at_all(got + 1, 0, 50));
	ASSERT_EQ(image[150], got[51]);
	free(got);
	free(image);
}

/* Little endian, repeated from the first byte on, cut at the end. */
static bool is_pattern(const __u8 *p, __u64 pattern, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] != (__u8)(pattern >> (i % 8 * 8)))
			return false;
	return true;
}

TEST_F(ring, fill)
{
	const __u64 pattern = 0x0123456789abcdefull;
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc;
	__u8 *p = self->t.mem.p, *got;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		__u32 n = shapes[i].len, dst = AT_PAGE + shapes[i].dst;

		memset(p, 0xdd, MEM_SIZE);
		desc = at_pattern(at_desc(MIMIC_ACCEL_OP_FILL_G, 0,
					  AT_MEM_IOVA + dst, n), pattern);
		ASSERT_EQ(0, at_ok(_metadata, r, &desc));
		ASSERT_TRUE(is_pattern(p + dst, pattern, n));
		ASSERT_EQ(0xdd, p[dst - 1]);
		ASSERT_TRUE(at_all(p + dst + n, 0xdd, MEM_SIZE - dst - n));

		desc = at_pattern(at_desc(MIMIC_ACCEL_OP_FILL_D, 0, dst, n),
				  ~pattern);
		ASSERT_EQ(0, at_ok(_metadata, r, &desc));
		got = DEVICE(dst, n);
		ASSERT_TRUE(is_pattern(got, ~pattern, n));
		free(got);
	}
}

/* The examples of RFC 3720, B.4, and the check value that everybody lists. */
static void crc_example(unsigned int i, __u8 buf[32])
{
	unsigned int k;

	for (k = 0; k < 32; k++)
		buf[k] = i == 0 ? 0 : i == 1 ? 0xff : i == 2 ? k : 31 - k;
}

static const __u32 crc_results[] = {
	0x8a9136aa, 0x62a8ab43, 0x46dd794e, 0x113fdb5c,
};

TEST_F(ring, crc32c_known_answers)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[1];
	struct mimic_accel_desc desc;
	__u8 buf[32];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(crc_results); i++) {
		crc_example(i, buf);
		memcpy(self->t.mem.p + AT_PAGE - 5, buf, 32);
		desc = at_desc(MIMIC_ACCEL_OP_CRC_G, AT_MEM_IOVA + AT_PAGE - 5,
			       0, 32);
		ASSERT_EQ(crc_results[i], at_ok(_metadata, r, &desc));
		WRITE_MEM(AT_PAGE - 7, buf, 32);
		desc = at_desc(MIMIC_ACCEL_OP_CRC_D, AT_PAGE - 7, 0, 32);
		ASSERT_EQ(crc_results[i], at_ok(_metadata, r, &desc));
	}
	memcpy(self->t.mem.p, "123456789", 9);
	desc = at_desc(MIMIC_ACCEL_OP_CRC_G, AT_MEM_IOVA, 0, 9);
	ASSERT_EQ(0xe3069283, at_ok(_metadata, r, &desc));
}

/* Long ones, against the kernel's crc32c as it offers it to programs. */
TEST_F(ring, crc32c_any_shape)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc;
	__u8 *p = self->t.mem.p;
	unsigned int i;
	__u32 crc;

	at_fill(p, MEM_SIZE, 31);
	WRITE_MEM(0, p, MEM_SIZE);
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		__u32 n = shapes[i].len;

		ASSERT_EQ(0, vmr_crc32c(p + shapes[i].src, n, &crc));
		desc = at_desc(MIMIC_ACCEL_OP_CRC_G,
			       AT_MEM_IOVA + shapes[i].src, 0, n);
		ASSERT_EQ(crc, at_ok(_metadata, r, &desc));
		ASSERT_EQ(0, vmr_crc32c(p + shapes[i].dst, n, &crc));
		desc = at_desc(MIMIC_ACCEL_OP_CRC_D, shapes[i].dst, 0, n);
		ASSERT_EQ(crc, at_ok(_metadata, r, &desc));
	}
}

TEST_F_TIMEOUT(ring, longest_command, 120)
{
	const __u32 n = MIMIC_ACCEL_MAX_LEN;
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc;
	struct at_mem big;
	__u32 crc, want;

	if (self->size < 2 * (__u64)n)
		SKIP(return, "the device memory is too small for it");
	at_mem_map(_metadata, d, &big, AT_MEM_IOVA + MEM_SIZE, n + AT_PAGE,
		   AT_RW);
	at_fill(big.p, n, 77);
	ASSERT_EQ(0, vmr_crc32c(big.p, n, &want));
	desc = at_desc(MIMIC_ACCEL_OP_COPY_G2D, big.iova, 0, n);
	at_ok(_metadata, r, &desc);
	/* The whole memory: the two halves just do not overlap. */
	desc = at_desc(MIMIC_ACCEL_OP_COPY_D2D, 0, n, n);
	at_ok(_metadata, r, &desc);
	desc = at_desc(MIMIC_ACCEL_OP_CRC_D, n, 0, n);
	ASSERT_EQ(want, at_ok(_metadata, r, &desc));
	memset(big.p, 0, n + AT_PAGE);
	desc = at_desc(MIMIC_ACCEL_OP_COPY_D2G, n, big.iova + 1, n);
	at_ok(_metadata, r, &desc);
	ASSERT_EQ(0, vmr_crc32c(big.p + 1, n, &crc));
	ASSERT_EQ(want, crc);
	ASSERT_EQ(0, big.p[0]);
	ASSERT_TRUE(at_all(big.p + n + 1, 0, AT_PAGE - 1));
	ASSERT_TRUE(at_guards_ok(&big));
	desc = at_desc(MIMIC_ACCEL_OP_COPY_G2D, big.iova, 0, n + 1);
	at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_DESC, 0);
}

/* --- Queueing --------------------------------------------------------- */

/* In order, one completion each, with its number, over many laps. */
TEST_F(ring, order_and_laps)
{
	static const __u32 sizes[] = { 2, 4, 64, 1024 };
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc;
	unsigned int i, lap;
	__u32 k, first;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		at_ring_start(_metadata, r, sizes[i]);
		for (lap = 0; lap < 3; lap++) {
			first = r->tail;
			for (k = 0; k < sizes[i]; k++) {
				desc = at_pattern(at_desc(MIMIC_ACCEL_OP_FILL_G,
							  0, AT_MEM_IOVA + 8 * k,
							  8), first + k + 1);
				desc.cookie = 3 * (first + k);
				at_put(r, &desc);
			}
			at_bell(_metadata, r);
			at_wait(_metadata, r, r->tail - 1);
			for (k = 0; k < sizes[i]; k++) {
				ASSERT_EQ(first + k + 1, r->cpl[k].seq);
				ASSERT_EQ(3 * (first + k), r->cpl[k].cookie);
				ASSERT_EQ(0, r->cpl[k].status);
				ASSERT_EQ(8, r->cpl[k].done);
				ASSERT_EQ(first + k + 1,
					  ((__u64 *)self->t.mem.p)[k]);
			}
			ASSERT_EQ(r->tail, REG(RING_REG(0, HEAD)));
			ASSERT_EQ(MIMIC_ACCEL_RING_STATUS_ENABLED,
				  REG(RING_REG(0, STATUS)));
		}
	}
	ASSERT_EQ(0, REG(RING_REG(0, ERRORS)));
}

/* Commands of one ring see what the earlier ones did. */
TEST_F(ring, commands_in_sequence)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[1];
	struct mimic_accel_desc desc;
	__u32 k, crc;
	int i;

	at_fill(self->t.mem.p, 5000, 8);
	ASSERT_EQ(0, vmr_crc32c(self->t.mem.p, 5000, &crc));
	desc = at_desc(MIMIC_ACCEL_OP_COPY_G2D, AT_MEM_IOVA, 0, 5000);
	at_put(r, &desc);
	for (i = 0; i < 20; i++) {
		desc = at_desc(MIMIC_ACCEL_OP_COPY_D2D, i * 6000ull,
			       (i + 1) * 6000ull, 5000);
		at_put(r, &desc);
		desc = at_desc(MIMIC_ACCEL_OP_FILL_D, 0, i * 6000ull, 5000);
		at_put(r, &desc);
	}
	desc = at_desc(MIMIC_ACCEL_OP_CRC_D, i * 6000ull, 0, 5000);
	k = at_put(r, &desc);
	at_bell(_metadata, r);
	at_wait(_metadata, r, k);
	ASSERT_EQ(crc, r->cpl[k].result);
	ASSERT_EQ(0, REG(RING_REG(1, ERRORS)));
}

TEST_F(ring, two_rings_at_once)
{
	struct vfc_dev *d = &self->t.d;
	struct mimic_accel_desc desc;
	unsigned int n, i;
	__u64 base;

	for (n = 0; n < MIMIC_ACCEL_NR_RINGS; n++) {
		base = AT_MEM_IOVA + n * (MEM_SIZE / 2);
		for (i = 0; i < 60; i++) {
			desc = at_pattern(at_desc(MIMIC_ACCEL_OP_FILL_G, 0,
						  base + i * 4001, 4001),
					  n * 1000 + i + 1);
			at_put(&self->t.ring[n], &desc);
		}
	}
	for (n = 0; n < MIMIC_ACCEL_NR_RINGS; n++)
		at_bell(_metadata, &self->t.ring[n]);
	for (n = 0; n < MIMIC_ACCEL_NR_RINGS; n++)
		at_wait(_metadata, &self->t.ring[n], 59);
	for (n = 0; n < MIMIC_ACCEL_NR_RINGS; n++) {
		for (i = 0; i < 60; i++)
			ASSERT_TRUE(is_pattern(self->t.mem.p + n * MEM_SIZE / 2 +
					       i * 4001, n * 1000 + i + 1,
					       4001));
		ASSERT_EQ(60, REG(RING_REG(n, HEAD)));
	}
}

/* Descriptors and completions that are not aligned to pages, or share one. */
TEST_F(ring, arrays_anywhere)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc;
	struct at_ring own = *r;
	__u32 i;

	own.desc = (void *)(self->t.mem.p + AT_PAGE - 64);
	own.cpl = (void *)(self->t.mem.p + 3 * AT_PAGE - 32);
	own.size = 4;
	own.tail = 0;
	at_ring_setup(_metadata, &own, AT_MEM_IOVA + AT_PAGE - 64,
		      AT_MEM_IOVA + 3 * AT_PAGE - 32, 4);
	ASSERT_EQ(MIMIC_ACCEL_RING_STATUS_ENABLED, REG(RING_REG(0, STATUS)));
	memset(self->t.mem.p + 2 * AT_PAGE, 0x3c, 2 * AT_PAGE);
	memset(own.cpl, 0, 4 * 32);
	for (i = 0; i < 9; i++) {
		desc = NOP();
		at_ok(_metadata, &own, &desc);
	}
	ASSERT_TRUE(at_all(self->t.mem.p + 2 * AT_PAGE, 0x3c, AT_PAGE - 32));
	ASSERT_TRUE(at_all(own.cpl + 4, 0x3c, AT_PAGE + 32 - 4 * 32));
}

/* --- Bad commands ----------------------------------------------------- */

TEST_F(ring, bad_descriptors)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc;
	unsigned int i, errors = 0;
	__u16 bit;

	memset(self->t.mem.p, 0x44, MEM_SIZE);
	for (i = 8; i < 0x10000; i = i < 32 ? i + 1 : i * 2) {
		desc = at_desc(i, AT_MEM_IOVA, 0, 8);
		at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_DESC, 0);
		ASSERT_EQ(++errors, REG(RING_REG(0, ERRORS)));
	}
	desc = at_desc(0xffff, 0, 0, 8);
	at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_DESC, 0);
	for (bit = 2; bit; bit <<= 1) {
		desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0, AT_MEM_IOVA, 8);
		desc.flags = bit;
		at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_DESC, 0);
	}
	desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0, AT_MEM_IOVA, 0);
	at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_DESC, 0);
	desc.len = MIMIC_ACCEL_MAX_LEN + 1;
	at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_DESC, 0);
	desc.len = 0xffffffff;
	at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_DESC, 0);
	desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0, AT_MEM_IOVA, 8);
	desc.reserved0 = 1;
	at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_DESC, 0);
	for (i = 0; i < ARRAY_SIZE(desc.reserved); i++) {
		desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0, AT_MEM_IOVA, 8);
		desc.reserved[i] = 1ull << 63;
		at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_DESC, 0);
	}
	/* None of it was done, and the ring goes on. */
	ASSERT_TRUE(at_all(self->t.mem.p, 0x44, MEM_SIZE));
	desc = NOP();
	at_ok(_metadata, r, &desc);
	ASSERT_EQ(MIMIC_ACCEL_RING_STATUS_ENABLED, REG(RING_REG(0, STATUS)));
}

TEST_F(ring, ranges_of_device_memory)
{
	const __u64 size = self->size;
	const struct {
		__u64 off;
		__u32 len;
	} bad[] = {
		{ size, 1 }, { size - 1, 2 }, { size + AT_PAGE, 1 },
		{ ~0ull, 1 }, { ~0ull, 2 }, { ~0ull - 7, 16 },
		{ 1ull << 63, 8 }, { size - MIMIC_ACCEL_MAX_LEN + 1,
				     MIMIC_ACCEL_MAX_LEN },
	};
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[1];
	struct mimic_accel_desc desc;
	unsigned int i;
	__u8 *got;

	memset(self->t.mem.p, 0x44, MEM_SIZE);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		__u64 off = bad[i].off, g = AT_MEM_IOVA;
		__u32 len = bad[i].len;

		desc = at_desc(MIMIC_ACCEL_OP_COPY_G2D, g, off, len);
		at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_RANGE, 0);
		desc = at_desc(MIMIC_ACCEL_OP_COPY_D2G, off, g, len);
		at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_RANGE, 0);
		desc = at_desc(MIMIC_ACCEL_OP_COPY_D2D, off, 0, len);
		at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_RANGE, 0);
		desc = at_desc(MIMIC_ACCEL_OP_COPY_D2D, 0, off, len);
		at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_RANGE, 0);
		desc = at_desc(MIMIC_ACCEL_OP_FILL_D, 0, off, len);
		at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_RANGE, 0);
		desc = at_desc(MIMIC_ACCEL_OP_CRC_D, off, 0, len);
		at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_RANGE, 0);
	}
	ASSERT_EQ(6 * ARRAY_SIZE(bad), REG(RING_REG(1, ERRORS)));
	ASSERT_TRUE(at_all(self->t.mem.p, 0x44, MEM_SIZE));
	got = DEVICE(size - AT_PAGE, AT_PAGE);
	ASSERT_TRUE(at_all(got, 0, AT_PAGE));
	free(got);
	/* The last byte is fine. */
	desc = at_desc(MIMIC_ACCEL_OP_COPY_G2D, AT_MEM_IOVA, size - 1, 1);
	at_ok(_metadata, r, &desc);
	ASSERT_EQ(0x44, AT_READ(AT_MEM, size - 1, __u8));
}

TEST_F(ring, overlap)
{
	static const struct {
		__u64 src, dst;
		__u32 len;
		bool bad;
	} cases[] = {
		{ 1000, 1000, 1, true }, { 1000, 1001, 2, true },
		{ 1001, 1000, 2, true }, { 0, 9999, 10000, true },
		{ 9999, 0, 10000, true }, { 1000, 1001, 1, false },
		{ 1001, 1000, 1, false }, { 0, 10000, 10000, false },
		{ 10000, 0, 10000, false },
	};
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		desc = at_desc(MIMIC_ACCEL_OP_COPY_D2D, cases[i].src,
			       cases[i].dst, cases[i].len);
		if (cases[i].bad)
			at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_DESC,
				 0);
		else
			at_ok(_metadata, r, &desc);
	}
}

/* Guest memory that is not mapped, or ends half-way. */
TEST_F(ring, dma_fault)
{
	static const __u64 nowhere[] = {
		0, AT_HOLE_IOVA, AT_MEM_IOVA + MEM_SIZE, AT_MEM_IOVA - 8,
		~0ull - 7, 0x8000000000000000ull,
	};
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	const __u64 end = AT_MEM_IOVA + MEM_SIZE;
	struct mimic_accel_desc desc;
	__u32 done;
	unsigned int i;
	__u8 *got;

	for (i = 0; i < ARRAY_SIZE(nowhere); i++) {
		desc = at_desc(MIMIC_ACCEL_OP_COPY_G2D, nowhere[i], 0, 8);
		at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_DMA_FAULT, 0);
		desc = at_desc(MIMIC_ACCEL_OP_COPY_D2G, 0, nowhere[i], 8);
		at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_DMA_FAULT, 0);
		desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0, nowhere[i], 8);
		at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_DMA_FAULT, 0);
		desc = at_desc(MIMIC_ACCEL_OP_CRC_G, nowhere[i], 0, 8);
		at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_DMA_FAULT, 0);
	}
	/* Past the end of the address space. */
	desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0, ~0ull - 3, 8);
	at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_DMA_FAULT, 0);

	/* Two and a half pages are there: DONE says how much was done. */
	memset(self->t.mem.p, 0, MEM_SIZE);
	desc = at_pattern(at_desc(MIMIC_ACCEL_OP_FILL_G, 0, end - 10000, 20000),
			  ~0ull);
	done = at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_DMA_FAULT, 10000);
	ASSERT_TRUE(at_all(self->t.mem.p + MEM_SIZE - 10000, 0xff, done));
	ASSERT_TRUE(at_all(self->t.mem.p + MEM_SIZE - 10000 + done, 0,
			   10000 - done));
	ASSERT_EQ(10000, done);

	memset(self->t.mem.p, 0x31, MEM_SIZE);
	desc = at_desc(MIMIC_ACCEL_OP_COPY_G2D, end - 10000, 50, 20000);
	done = at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_DMA_FAULT, 10000);
	got = DEVICE(50, 20000);
	ASSERT_TRUE(at_all(got, 0x31, done));
	ASSERT_TRUE(at_all(got + done, 0, 20000 - done));
	free(got);
	desc = NOP();
	at_ok(_metadata, r, &desc);
}

/* Memory that the device may only read. */
TEST_F(ring, read_only_mapping)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc;
	struct at_mem ro;
	__u32 crc;

	at_mem_map(_metadata, d, &ro, AT_HOLE_IOVA, 4 * AT_PAGE, AT_RO);
	at_fill(ro.p, ro.size, 3);
	ASSERT_EQ(0, vmr_crc32c(ro.p, ro.size, &crc));
	desc = at_desc(MIMIC_ACCEL_OP_CRC_G, ro.iova, 0, ro.size);
	ASSERT_EQ(crc, at_ok(_metadata, r, &desc));
	desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0, ro.iova + 5, 6000);
	at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_DMA_FAULT, 0);
	desc = at_desc(MIMIC_ACCEL_OP_COPY_D2G, 0, ro.iova, 1);
	at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_DMA_FAULT, 0);
	desc = at_desc(MIMIC_ACCEL_OP_CRC_G, ro.iova, 0, ro.size);
	ASSERT_EQ(crc, at_ok(_metadata, r, &desc));
	ASSERT_TRUE(at_guards_ok(&ro));
}

/* Unmapped while the device has used it: the next use faults. */
TEST_F(ring, unmap_takes_it_away)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc;
	struct at_mem m;
	int i;

	for (i = 0; i < 10; i++) {
		at_mem_map(_metadata, d, &m, AT_HOLE_IOVA, 16 * AT_PAGE, AT_RW);
		desc = at_pattern(at_desc(MIMIC_ACCEL_OP_FILL_G, 0, m.iova,
					  m.size), 0x0101010101010101ull * i);
		at_ok(_metadata, r, &desc);
		ASSERT_TRUE(at_all(m.p, i, m.size));
		ASSERT_EQ(0, vfc_dma_unmap(d, m.iova, m.size));
		memset(m.p, 0x77, m.size);
		desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0, m.iova, m.size);
		at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_DMA_FAULT, 0);
		ASSERT_TRUE(at_all(m.p, 0x77, m.size));
		ASSERT_TRUE(at_guards_ok(&m));
		at_mem_free(&m);
	}
}

/* --- Ring control ----------------------------------------------------- */

TEST_F(ring, enable_checks)
{
	static const struct {
		__u64 desc, cpl;
		__u32 size;
		bool good;
	} cases[] = {
		{ AT_RING_IOVA, AT_RING_IOVA, 0, false },
		{ AT_RING_IOVA, AT_RING_IOVA, 1, false },
		{ AT_RING_IOVA, AT_RING_IOVA, 3, false },
		{ AT_RING_IOVA, AT_RING_IOVA, 2048, false },
		{ AT_RING_IOVA, AT_RING_IOVA, 0x80000000, false },
		{ AT_RING_IOVA, AT_RING_IOVA, 0xffffffff, false },
		{ AT_RING_IOVA + 32, AT_RING_IOVA, 16, false },
		{ AT_RING_IOVA + 1, AT_RING_IOVA, 16, false },
		{ AT_RING_IOVA, AT_RING_IOVA + 16, 16, false },
		{ AT_RING_IOVA, AT_RING_IOVA + 1, 16, false },
		{ 0ull - 64 * 15, AT_RING_IOVA, 16, false },
		{ AT_RING_IOVA, 0ull - 32 * 15, 16, false },
		{ 0ull - 64 * 16, 0ull - 32 * 16, 16, true },
		{ 0, 0, 2, true },
		{ AT_RING_IOVA + 64, AT_RING_IOVA + 32, 1024, true },
	};
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	__u32 ignored = REG(MIMIC_ACCEL_IGNORED);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		at_ring_setup(_metadata, r, cases[i].desc, cases[i].cpl,
			      cases[i].size);
		ignored += !cases[i].good;
		ASSERT_EQ(cases[i].good, REG(RING_REG(0, CTRL)))
			TH_LOG("case %u", i);
		ASSERT_EQ(cases[i].good, REG(RING_REG(0, STATUS)));
		ASSERT_EQ(ignored, REG(MIMIC_ACCEL_IGNORED))
			TH_LOG("case %u", i);
	}
}

TEST_F(ring, registers_are_locked_while_enabled)
{
	static const __u32 regs[] = {
		MIMIC_ACCEL_RING_DESC_LO, MIMIC_ACCEL_RING_DESC_HI,
		MIMIC_ACCEL_RING_CPL_LO, MIMIC_ACCEL_RING_CPL_HI,
		MIMIC_ACCEL_RING_SIZE,
	};
	struct vfc_dev *d = &self->t.d;
	__u32 ignored = REG(MIMIC_ACCEL_IGNORED), was;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		was = REG(MIMIC_ACCEL_RING(0) + regs[i]);
		SETREG(MIMIC_ACCEL_RING(0) + regs[i], was ^ 0x1000);
		ASSERT_EQ(was, REG(MIMIC_ACCEL_RING(0) + regs[i]));
		ASSERT_EQ(++ignored, REG(MIMIC_ACCEL_IGNORED));
	}
	SETREG(RING_REG(0, CTRL), 0);
	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		was = REG(MIMIC_ACCEL_RING(0) + regs[i]);
		SETREG(MIMIC_ACCEL_RING(0) + regs[i], was ^ 0x1000);
		ASSERT_EQ(was ^ 0x1000, REG(MIMIC_ACCEL_RING(0) + regs[i]));
	}
	ASSERT_EQ(ignored, REG(MIMIC_ACCEL_IGNORED));
	/* A doorbell of a ring that is not enabled. */
	SETREG(RING_REG(0, TAIL), 1);
	ASSERT_EQ(++ignored, REG(MIMIC_ACCEL_IGNORED));
	ASSERT_EQ(0, REG(RING_REG(0, STATUS)));
}

TEST_F(ring, bad_doorbell_halts)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc = NOP();
	__u32 ignored, bad[] = { 17, 18, 0x80000000, 0xffffffff };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		at_ring_start(_metadata, r, 16);
		at_ok(_metadata, r, &desc);
		SETREG(MIMIC_ACCEL_INT_STATUS, MIMIC_ACCEL_INT_ALL);
		SETREG(RING_REG(0, TAIL), 1 + bad[i]);
		ASSERT_EQ(HALTED, REG(RING_REG(0, STATUS)) & HALTED);
		ASSERT_EQ(MIMIC_ACCEL_INT_RING_ERROR,
			  REG(MIMIC_ACCEL_INT_STATUS));
		/* For good: a good one does not help. */
		ignored = REG(MIMIC_ACCEL_IGNORED);
		SETREG(RING_REG(0, TAIL), 2);
		ASSERT_EQ(ignored + 1, REG(MIMIC_ACCEL_IGNORED));
		ASSERT_EQ(HALTED, REG(RING_REG(0, STATUS)) & HALTED);
		ASSERT_EQ(1, REG(RING_REG(0, HEAD)));
		/* The other ring does not mind. */
		at_ok(_metadata, &self->t.ring[1], &desc);
		SETREG(RING_REG(0, CTRL), 0);
		ASSERT_EQ(0, REG(RING_REG(0, STATUS)));
	}
	at_ring_start(_metadata, r, 16);
	at_ok(_metadata, r, &desc);
	ASSERT_EQ(0, REG(RING_REG(0, ERRORS)));
	/* As many as there are entries is fine. */
	for (i = 0; i < 16; i++)
		at_put(r, &desc);
	at_bell(_metadata, r);
	at_wait(_metadata, r, 16);
}

#define WAIT_HALTED(n)	do {						\
	AT_WAIT(REG(RING_REG(n, STATUS)) & MIMIC_ACCEL_RING_STATUS_HALTED);\
	ASSERT_TRUE(REG(MIMIC_ACCEL_INT_STATUS) & MIMIC_ACCEL_INT_RING_ERROR);\
	} while (0)

TEST_F(ring, unreadable_descriptors_halt)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];

	at_ring_setup(_metadata, r, AT_HOLE_IOVA, AT_RING_IOVA, 16);
	ASSERT_EQ(1, REG(RING_REG(0, STATUS)));
	SETREG(RING_REG(0, TAIL), 1);
	WAIT_HALTED(0);
	ASSERT_EQ(0, REG(RING_REG(0, HEAD)));
	SETREG(RING_REG(0, CTRL), 0);
	ASSERT_EQ(0, REG(RING_REG(0, STATUS)));
}

TEST_F(ring, unwritable_completions_halt)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct at_mem ro;
	int i;

	at_mem_map(_metadata, d, &ro, AT_HOLE_IOVA, AT_PAGE, AT_RO);
	for (i = 0; i < 2; i++) {
		r->desc[0] = NOP();
		at_ring_setup(_metadata, r, r->iova,
			      i ? ro.iova : ro.iova + 0x10000000, 16);
		SETREG(MIMIC_ACCEL_INT_STATUS, MIMIC_ACCEL_INT_ALL);
		SETREG(RING_REG(0, TAIL), 1);
		WAIT_HALTED(0);
		ASSERT_EQ(0, REG(RING_REG(0, HEAD)));
	}
	ASSERT_TRUE(at_all(ro.p, 0, ro.size));
}

TEST_F(ring, bus_master_off)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0,
					       AT_MEM_IOVA, 8);

	memset(self->t.mem.p, 0x55, AT_PAGE);
	SETCFG16(PCI_COMMAND, PCI_COMMAND_MEMORY);
	at_put(r, &desc);
	at_bell(_metadata, r);
	WAIT_HALTED(0);
	ASSERT_EQ(0, r->cpl[0].seq);
	ASSERT_TRUE(at_all(self->t.mem.p, 0x55, AT_PAGE));
	at_enable(_metadata, d);
	ASSERT_TRUE(REG(RING_REG(0, STATUS)) & MIMIC_ACCEL_RING_STATUS_HALTED);
	at_ring_start(_metadata, r, 16);
	desc = NOP();
	at_ok(_metadata, r, &desc);
}

/* Disabled in the middle of a long queue: it is over when the write returns. */
TEST_F(ring, disable_abandons)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc;
	__u8 *snap = malloc(MEM_SIZE);
	__u32 head, status;
	int i, k;

	ASSERT_NE(NULL, snap);
	for (k = 0; k < 5; k++) {
		at_ring_start(_metadata, r, 64);
		for (i = 0; i < 64; i++) {
			desc = at_pattern(at_desc(MIMIC_ACCEL_OP_FILL_G, 0,
						  AT_MEM_IOVA, MEM_SIZE),
					  0x0101010101010101ull * i);
			at_put(r, &desc);
		}
		at_bell(_metadata, r);
		AT_WAIT(REG(RING_REG(0, HEAD)) >= 1);
		status = REG(RING_REG(0, STATUS));
		ASSERT_EQ(0, status & MIMIC_ACCEL_RING_STATUS_HALTED);
		SETREG(RING_REG(0, CTRL), 0);
		memcpy(snap, self->t.mem.p, MEM_SIZE);
		head = REG(RING_REG(0, HEAD));
		ASSERT_EQ(0, REG(RING_REG(0, STATUS)));
		vfc_sleep_ms(20);
		ASSERT_EQ(0, memcmp(snap, self->t.mem.p, MEM_SIZE));
		ASSERT_EQ(head, REG(RING_REG(0, HEAD)));
		ASSERT_EQ(0, r->cpl[head & 63].seq);
	}
	/* Enabled again it begins at 0. */
	at_ring_start(_metadata, r, 64);
	ASSERT_EQ(0, REG(RING_REG(0, HEAD)));
	ASSERT_EQ(0, REG(RING_REG(0, TAIL)));
	desc = NOP();
	at_ok(_metadata, r, &desc);
	free(snap);
}

/* To enable what is enabled changes nothing. */
TEST_F(ring, enable_twice)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc = NOP();
	__u32 i;

	for (i = 0; i < 5; i++)
		at_ok(_metadata, r, &desc);
	SETREG(RING_REG(0, CTRL), MIMIC_ACCEL_RING_CTRL_ENABLE);
	ASSERT_EQ(5, REG(RING_REG(0, HEAD)));
	ASSERT_EQ(5, REG(RING_REG(0, TAIL)));
	at_ok(_metadata, r, &desc);
}

/* BUSY is there exactly while HEAD is not TAIL. */
TEST_F(ring, busy)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc;
	bool seen = false;
	int i;

	for (i = 0; i < 8; i++) {
		desc = at_desc(MIMIC_ACCEL_OP_FILL_D, 0, 0, 4 << 20);
		at_put(r, &desc);
	}
	at_bell(_metadata, r);
	while (!at_done(r, 7)) {
		seen |= REG(RING_REG(0, STATUS)) & MIMIC_ACCEL_RING_STATUS_BUSY;
		ASSERT_EQ(8, REG(RING_REG(0, TAIL)));
	}
	ASSERT_EQ(8, REG(RING_REG(0, HEAD)));
	ASSERT_EQ(MIMIC_ACCEL_RING_STATUS_ENABLED, REG(RING_REG(0, STATUS)));
	ASSERT_TRUE(seen);
}

TEST_HARNESS_MAIN
