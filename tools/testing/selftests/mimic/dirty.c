// SPDX-License-Identifier: GPL-2.0-only
/*
 * V1-Q7-T11: what the device writes to guest memory shows in the container's
 * dirty bitmap, page by page; what it only reads does not.
 */
#include "dirty.h"

#include <sched.h>

#define PAGES		256u
#define WORDS		(PAGES / 64)

FIXTURE(dirty) {
	struct at t;
	__u64 bits[WORDS];
};

FIXTURE_SETUP(dirty)
{
	at_setup(_metadata, &self->t, PAGES * AT_PAGE);
	ASSERT_TRUE(vfc_dirty_capable(&self->t.d));
	ASSERT_EQ(0, vfc_dirty_start(&self->t.d));
}

FIXTURE_TEARDOWN(dirty)
{
	vfc_dirty_stop(&self->t.d);
	at_close(_metadata, &self->t);
}

/* Fetch and clear the bits of the data buffer. */
#define GET()	do {							\
	memset(self->bits, 0, sizeof(self->bits));			\
	ASSERT_EQ(0, vfc_dirty_get(d, AT_MEM_IOVA, PAGES * AT_PAGE,	\
				   self->bits));			\
	} while (0)

/* The bits that were fetched are these. */
#define SAME_BITS(want)	do {						\
	unsigned int p_;						\
	for (p_ = 0; p_ < PAGES; p_++) {				\
		ASSERT_EQ(dirty_bit(want, p_), dirty_bit(self->bits, p_))\
			TH_LOG("page %u", p_);				\
	}								\
	} while (0)

#define EXPECT_BITS(want)	do {					\
	GET();								\
	SAME_BITS(want);						\
	} while (0)

#define NOTHING		((__u64[WORDS]) { })

TEST_F(dirty, V1_Q7_T11_nothing_at_first)
{
	struct vfc_dev *d = &self->t.d;

	EXPECT_BITS(NOTHING);
}

/* Exact: the pages that were written to, edges included, and no others. */
TEST_F(dirty, V1_Q7_T11_ring_writes)
{
	static const struct {
		__u16 op;
		__u32 page, off, len;
	} writes[] = {
		{ MIMIC_ACCEL_OP_FILL_G, 0, 4095, 1 },
		{ MIMIC_ACCEL_OP_FILL_G, 10, 4095, 2 },
		{ MIMIC_ACCEL_OP_FILL_G, 20, 0, 4096 },
		{ MIMIC_ACCEL_OP_COPY_D2G, 30, 1, 4096 },
		{ MIMIC_ACCEL_OP_COPY_D2G, 63, 0, 3 * 4096 },
		{ MIMIC_ACCEL_OP_FILL_G, 255, 4095, 1 },
	};
	struct vfc_dev *d = &self->t.d;
	struct mimic_accel_desc desc;
	__u64 want[WORDS] = {};
	unsigned int i;
	__u32 off, p;

	for (i = 0; i < ARRAY_SIZE(writes); i++) {
		off = writes[i].page * AT_PAGE + writes[i].off;
		desc = at_desc(writes[i].op, 0, AT_MEM_IOVA + off,
			       writes[i].len);
		at_ok(_metadata, &self->t.ring[i % 2], &desc);
		for (p = off / AT_PAGE; p <= (off + writes[i].len - 1) / AT_PAGE;
		     p++)
			dirty_set(want, p);
	}
	EXPECT_BITS(want);
	/* Reading them cleared them. */
	EXPECT_BITS(NOTHING);
	desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0, AT_MEM_IOVA + 5 * AT_PAGE, 1);
	at_ok(_metadata, &self->t.ring[0], &desc);
	memset(want, 0, sizeof(want));
	dirty_set(want, 5);
	EXPECT_BITS(want);
}

TEST_F(dirty, V1_Q7_T11_reads_are_clean)
{
	struct vfc_dev *d = &self->t.d;
	struct mimic_accel_desc desc;

	desc = at_desc(MIMIC_ACCEL_OP_COPY_G2D, AT_MEM_IOVA, 0, 50 * AT_PAGE);
	at_ok(_metadata, &self->t.ring[0], &desc);
	desc = at_desc(MIMIC_ACCEL_OP_CRC_G, AT_MEM_IOVA, 0, PAGES * AT_PAGE);
	at_ok(_metadata, &self->t.ring[1], &desc);
	desc = at_desc(MIMIC_ACCEL_OP_FILL_D, 0, 0, 50 * AT_PAGE);
	at_ok(_metadata, &self->t.ring[0], &desc);
	EXPECT_BITS(NOTHING);
}

/* Completions are writes, descriptors are not. */
TEST_F(dirty, V1_Q7_T11_completions)
{
	const size_t size = self->t.rings.size;
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[1];
	struct mimic_accel_desc desc = NOP();
	__u32 pages = size / AT_PAGE, i, cpl;
	__u64 bits[8] = {};

	ASSERT_GE(ARRAY_SIZE(bits) * 64, pages);
	at_ring_start(_metadata, r, 256);
	/* 129 completions of 32 bytes: one page and one more. */
	for (i = 0; i < 129; i++)
		at_put(r, &desc);
	at_bell(_metadata, r);
	at_wait(_metadata, r, 128);
	ASSERT_EQ(129, REG(RING_REG(1, HEAD)));
	ASSERT_EQ(0, vfc_dirty_get(d, self->t.rings.iova, size, bits));
	cpl = (AT_RING_BYTES + AT_DESC_BYTES) / AT_PAGE;
	for (i = 0; i < pages; i++)
		ASSERT_EQ(i == cpl || i == cpl + 1, dirty_bit(bits, i))
			TH_LOG("page %u, completions begin at %u", i, cpl);
}

TEST_F(dirty, V1_Q7_T11_stamps)
{
	struct vfc_dev *d = &self->t.d;
	struct at_job j = { .guest = AT_MEM_IOVA + 100 * AT_PAGE,
			    .guest_pages = 70, .dev_pages = 3, .rate = 1000 };
	__u64 want[WORDS] = {}, seq;
	__u32 i;

	at_job_start(_metadata, d, &j);
	AT_WAIT(REG64(MIMIC_ACCEL_STAMP_SEQ_LO) >= 20);
	SETREG(MIMIC_ACCEL_STAMP_CTRL, 0);
	seq = REG64(MIMIC_ACCEL_STAMP_SEQ_LO);
	for (i = 0; i < 70 && i < seq; i++)
		dirty_set(want, 100 + i);
	GET();
	/* A stamp given up at the end may have pinned its page, to write to it. */
	if (dirty_bit(self->bits, 100 + seq % 70))
		dirty_set(want, 100 + seq % 70);
	SAME_BITS(want);
}

/* What did not arrive is not dirty, nor is what was not allowed. */
TEST_F(dirty, failed_writes)
{
	struct vfc_dev *d = &self->t.d;
	struct mimic_accel_desc desc;
	struct at_mem ro;
	__u64 bits = 0;

	at_mem_map(_metadata, d, &ro, AT_HOLE_IOVA, 4 * AT_PAGE, AT_RO);
	desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0, ro.iova, ro.size);
	at_fails(_metadata, &self->t.ring[0], &desc, MIMIC_ACCEL_CPL_DMA_FAULT,
		 0);
	ASSERT_EQ(0, vfc_dirty_get(d, ro.iova, ro.size, &bits));
	ASSERT_EQ(0, bits);
	desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0, AT_MEM_IOVA, 8);
	desc.reserved0 = 1;
	at_fails(_metadata, &self->t.ring[0], &desc, MIMIC_ACCEL_CPL_BAD_DESC,
		 0);
	SETCFG16(PCI_COMMAND, PCI_COMMAND_MEMORY);
	at_put(&self->t.ring[1], &desc);
	at_bell(_metadata, &self->t.ring[1]);
	AT_WAIT(REG(RING_REG(1, STATUS)) & MIMIC_ACCEL_RING_STATUS_HALTED);
	EXPECT_BITS(NOTHING);
}

/* What was written before it was stopped is there after it was stopped. */
TEST_F(dirty, V1_Q7_T11_over_a_stop)
{
	struct vfc_dev *d = &self->t.d;
	struct mimic_accel_desc desc;
	__u64 want[WORDS] = {};

	if (d->mig_index < 0)
		SKIP(return, AT_NO_MIGRATION);
	desc = at_desc(MIMIC_ACCEL_OP_FILL_G, 0, AT_MEM_IOVA + 9 * AT_PAGE, 1);
	at_ok(_metadata, &self->t.ring[0], &desc);
	AT_STATE(VFC_STOP);
	dirty_set(want, 9);
	EXPECT_BITS(want);
	EXPECT_BITS(NOTHING);
	AT_STATE(VFC_RUNNING);
	EXPECT_BITS(NOTHING);
}

/*
 * As a migration does it: copy what is dirty, again and again, while rings and
 * stamp job write at full rate; stop the device, copy the rest, compare.
 */
TEST_F_TIMEOUT(dirty, V1_Q7_T11_no_lost_page, 120)
{
	struct vfc_dev *d = &self->t.d;
	struct at_job j = { .guest = AT_MEM_IOVA + PAGES / 2 * AT_PAGE,
			    .guest_pages = PAGES / 2, .rate = 20000 };
	__u8 *image = malloc(PAGES * AT_PAGE);
	struct dirty_load load = { .pages = PAGES / 2, .fills = 64, .max = 20000,
				   .seed = 5 };
	unsigned int round, k, seen;
	__u64 end;

	ASSERT_NE(NULL, image);
	memcpy(image, self->t.mem.p, PAGES * AT_PAGE);
	at_job_start(_metadata, d, &j);
	/* On a busy host no round need be long enough for a stamp. */
	AT_WAIT(REG64(MIMIC_ACCEL_STAMP_SEQ_LO) > 0);
	for (round = 0; round < 30; round++) {
		end = vfc_now_us() + AT_DEADLINE_MS * 1000ull;
		/* A round in which the device writes nothing would show nothing. */
		for (k = 0, seen = 0; k < 5 || !seen; k++) {
			ASSERT_GT(end, vfc_now_us());
			dirty_refill(_metadata, &self->t.ring[0], &load);
			dirty_refill(_metadata, &self->t.ring[1], &load);
			GET();
			seen |= memcmp(self->bits, NOTHING, sizeof(self->bits));
			dirty_copy(&self->t, self->bits, PAGES, image);
			if (!seen)
				sched_yield();
		}
		if (d->mig_index >= 0) {
			AT_STATE(VFC_STOP);
		} else {
			SETREG(MIMIC_ACCEL_STAMP_CTRL, 0);
			at_wait(_metadata, &self->t.ring[0],
				self->t.ring[0].tail - 1);
			at_wait(_metadata, &self->t.ring[1],
				self->t.ring[1].tail - 1);
		}
		GET();
		dirty_copy(&self->t, self->bits, PAGES, image);
		ASSERT_EQ(0, memcmp(image, self->t.mem.p, PAGES * AT_PAGE))
			TH_LOG("round %u", round);
		if (d->mig_index >= 0)
			AT_STATE(VFC_RUNNING);
		else
			SETREG(MIMIC_ACCEL_STAMP_CTRL,
			       MIMIC_ACCEL_STAMP_CTRL_RUN);
	}
	free(image);
}

TEST_HARNESS_MAIN
