// SPDX-License-Identifier: GPL-2.0-only
/*
 * Durations of one thing, and what is said of them: from the middle, from the
 * end, and the longest. All of them are kept, in room that is there before.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench.h"

int samples_alloc(struct samples *s, unsigned int nr, unsigned int max)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		s[i].ns = calloc(max, sizeof(*s[i].ns));
		if (!s[i].ns)
			return -ENOMEM;
	}
	return 0;
}

void samples_free(struct samples *s, unsigned int nr)
{
	while (nr--)
		free(s[nr].ns);
}

void samples_add(struct samples *s, __u64 ns)
{
	s->ns[s->nr++] = ns;
}

static int compare(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

__u64 samples_at(struct samples *s, unsigned int percent)
{
	unsigned int i = (s->nr * percent + 99) / 100;

	qsort(s->ns, s->nr, sizeof(*s->ns), compare);
	return s->ns[i ? i - 1 : 0];
}

void emit_samples(struct bench *x, const char *part, const struct way *w,
		  const char *what, struct samples *s)
{
	if (!s->nr)
		return;
	emit_begin(x, part);
	emit_text(x, "way", w->name);
	emit_text(x, "what", what);
	emit_int(x, "samples", s->nr);
	emit_num(x, "median_us", samples_at(s, 50) / 1e3);
	emit_num(x, "p95_us", samples_at(s, 95) / 1e3);
	emit_num(x, "max_us", samples_at(s, 100) / 1e3);
	emit_end(x);
}
