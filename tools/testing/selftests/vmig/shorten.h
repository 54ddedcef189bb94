/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What makes a list of steps that diverges short: steps are left out as long as
 * it still does. What a step is, only its walk knows.
 *
 * Invariants
 * - The list is replaced only by one that diverges, and at its last step.
 * - There are no more runs than max_runs says, however the list is.
 */
#ifndef VMIG_SHORTEN_H
#define VMIG_SHORTEN_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct shorten - a list that becomes shorter
 * @list: its steps
 * @n: how many
 * @size: bytes of a step
 * @tried: room for as many steps: the list that is run next
 * @run: run @n steps of a list: the first one that diverges, or -1
 * @ctx: for @run
 * @runs: how often it was run
 * @max_runs: when to give up
 */
struct shorten {
	void *list;
	unsigned int n;
	size_t size;
	void *tried;
	long (*run)(void *ctx, const void *list, unsigned int n);
	void *ctx;
	unsigned int runs;
	unsigned int max_runs;
};

/* May there be another run? It is counted. */
bool shorten_again(struct shorten *s);
/* The list as it is, in @tried. */
void *shorten_copy(struct shorten *s);
/* Run @n steps of @tried; they are the list now if they diverge. */
bool shorten_keep(struct shorten *s, unsigned int n);
/* Leave out what can be: large pieces, small ones, and in the end pairs. */
void shorten_leave_out(struct shorten *s);

#endif /* VMIG_SHORTEN_H */
