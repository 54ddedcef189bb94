/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of dirty guest memory share, whoever reports it, the container or
 * the device's own log: bitmaps, and a load from which a migration's copy is made.
 *
 * A bitmap is of pages of AT_PAGE; its first bit is the page at AT_MEM_IOVA.
 */
#ifndef MIMIC_TEST_DIRTY_H
#define MIMIC_TEST_DIRTY_H

#include "accel_test.h"

static inline bool dirty_bit(const __u64 *bits, unsigned int page)
{
	return bits[page / 64] >> (page % 64) & 1;
}

static inline void dirty_set(__u64 *bits, unsigned int page)
{
	bits[page / 64] |= 1ull << (page % 64);
}

/* Copy those of the first @pages of guest memory that are dirty to @image. */
static inline void dirty_copy(const struct at *t, const __u64 *bits,
			      unsigned int pages, __u8 *image)
{
	unsigned int p;

	for (p = 0; p < pages; p++)
		if (dirty_bit(bits, p))
			memcpy(image + p * AT_PAGE, t->mem.p + p * AT_PAGE,
			       AT_PAGE);
}

/**
 * struct dirty_load - fills that a ring does at random places, all the time
 * @pages: of guest memory that they may write
 * @fills: how many the ring gets when it has done all
 * @max: bytes of one of them
 * @seed: of the next place
 */
struct dirty_load {
	unsigned int pages;
	unsigned int fills;
	__u32 max;
	__u32 seed;
};

/* Give @r more to do, if it has done what it got. */
static inline void dirty_refill(struct __test_metadata *_metadata,
				struct at_ring *r, struct dirty_load *load)
{
	__u32 room = load->pages * AT_PAGE - load->max, *seed = &load->seed;
	struct mimic_accel_desc desc;
	unsigned int i;

	if (r->tail && !at_done(r, r->tail - 1))
		return;
	for (i = 0; i < load->fills; i++) {
		*seed = *seed * 1664525 + 1013904223;
		desc = at_pattern(at_desc(MIMIC_ACCEL_OP_FILL_G, 0,
					  AT_MEM_IOVA + (*seed >> 8) % room,
					  1 + (*seed >> 5) % load->max), *seed);
		at_put(r, &desc);
	}
	at_bell(_metadata, r);
}

#endif /* MIMIC_TEST_DIRTY_H */
