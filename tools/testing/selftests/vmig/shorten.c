// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes a list of steps that diverges short; see shorten.h.
 */
#include <string.h>

#include "shorten.h"

/* In a longer list there are too many pairs. */
#define MAX_PAIRED	40

bool shorten_again(struct shorten *s)
{
	return s->runs++ < s->max_runs;
}

void *shorten_copy(struct shorten *s)
{
	return memcpy(s->tried, s->list, s->n * s->size);
}

bool shorten_keep(struct shorten *s, unsigned int n)
{
	long last = s->run(s->ctx, s->tried, n);

	if (last < 0)
		return false;
	s->n = last + 1;
	memcpy(s->list, s->tried, s->n * s->size);
	return true;
}

/* @from without @count of its @n steps, from @at on, in @tried: what is left. */
static unsigned int without(struct shorten *s, const void *from, unsigned int n,
			    unsigned int at, unsigned int count)
{
	char *to = s->tried;
	const char *rest = (const char *)from + (at + count) * s->size;

	memmove(to, from, at * s->size);
	memmove(to + at * s->size, rest, (n - at - count) * s->size);
	return n - count;
}

/* Leave out pieces of @count steps; has it become shorter? */
static bool leave_out(struct shorten *s, unsigned int count)
{
	unsigned int at = 0, n = s->n;

	while (at + count <= s->n && shorten_again(s)) {
		if (!shorten_keep(s, without(s, s->list, s->n, at, count)))
			at += count;
	}
	return s->n < n;
}

/* Leave out two steps that need each other. */
static bool leave_out_two(struct shorten *s)
{
	unsigned int i, j, n;

	for (i = 0; i < s->n; i++) {
		for (j = i; j + 1 < s->n && shorten_again(s); j++) {
			n = without(s, s->list, s->n, i, 1);
			n = without(s, s->tried, n, j, 1);
			if (shorten_keep(s, n))
				return true;
		}
	}
	return false;
}

void shorten_leave_out(struct shorten *s)
{
	unsigned int count = s->n / 2;
	bool shorter;

	while (count && s->runs < s->max_runs) {
		shorter = leave_out(s, count);
		if (count > 1)
			count /= 2;
		else if (!shorter && (s->n > MAX_PAIRED || !leave_out_two(s)))
			break;
	}
}
