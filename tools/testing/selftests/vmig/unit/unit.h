/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the unit tests have in common: reproducible chance, and windows into
 * memory that count what is fetched from them.
 */
#ifndef UNIT_H
#define UNIT_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include <linux/types.h>

/**
 * struct unit_window - memory that unit_memcpy() watches; one at a time
 * @front: what the code under test gets, without access; NULL: none
 * @back: the bytes
 * @fetched: how often each byte was copied
 * @len: of each of them
 */
struct unit_window {
	void *front;
	void *back;
	unsigned int *fetched;
	size_t len;
};

extern struct unit_window unit_window;

/**
 * struct unit_dice - a reproducible sequence of numbers
 * @x: state of nrand48()
 */
struct unit_dice {
	unsigned short x[3];
};

/* The seed of this run: $UNIT_SEED, or a new one. */
static inline u32 unit_seed(void)
{
	const char *s = getenv("UNIT_SEED");
	u32 seed;

	if (s)
		return strtoul(s, NULL, 0);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = time(NULL);
	return seed;
}

/* Dice for one round, so that a round can be repeated alone. */
static inline struct unit_dice unit_dice(u32 seed, u32 round)
{
	u32 mixed = seed + round * 0x9e3779b9u;

	return (struct unit_dice) { { round, mixed, mixed >> 16 } };
}

/* 0 to @n - 1; @n from 1 to 2^31. */
static inline u32 unit_below(struct unit_dice *d, u32 n)
{
	return nrand48(d->x) % n;
}

static inline u64 unit_u64(struct unit_dice *d)
{
	return (u64)nrand48(d->x) << 42 ^ (u64)nrand48(d->x) << 21 ^
	       nrand48(d->x);
}

/* Is there time for another round? @end is 0 before the first one. */
static inline int unit_more(time_t *end, unsigned int seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!*end)
		*end = now.tv_sec + seconds;
	return now.tv_sec < *end;
}

#endif /* UNIT_H */
