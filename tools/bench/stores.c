// SPDX-License-Identifier: GPL-2.0-only
/*
 * What write protection costs a client that stores to its mapped memory: a store
 * to a page that is writable, the first one to a page after it was sent in
 * pre-copy, which is caught, and the next ones, which should cost as little as
 * before the migration. The second may find the processor's tables of pages
 * disturbed by the faults; the third does not.
 *
 * One store to each page, so that every figure has the same misses of caches and
 * of the TLB in it.
 */
#include <errno.h>

#include "bench.h"

/* Pages that are stored to: 32 MiB of them */
#define STORE_PAGES	8192

/**
 * struct stores - times of passes, each of one store to each page
 * @pages: how many
 * @idle: no session
 * @first: the first pass after all was sent
 * @second: the pass after that
 * @third: and the next
 */
struct stores {
	__u64 pages;
	struct samples idle;
	struct samples first;
	struct samples second;
	struct samples third;
};

static __u64 store_pass(struct bench *x, __u64 pages)
{
	__u64 start = pass_now_ns(), i;

	for (i = 0; i < pages; i++) {
		volatile __u64 *p = (volatile __u64 *)(x->map + i * VFC_UNIT);

		*p = i;
	}
	return pass_now_ns() - start;
}

static int stores_measure(struct bench *x, struct stores *t)
{
	struct cost c;
	unsigned int k;
	int ret;

	store_pass(x, t->pages);
	for (k = 0; k < x->costly; k++)
		samples_add(&t->idle, store_pass(x, t->pages));
	ret = set(x, &x->a, &way_file, VFC_PRECOPY);
	for (k = 0; k < x->costly && !ret; k++) {
		ret = drain(x, &way_file, &c);
		if (ret)
			break;
		samples_add(&t->first, store_pass(x, t->pages));
		samples_add(&t->second, store_pass(x, t->pages));
		samples_add(&t->third, store_pass(x, t->pages));
	}
	return ret ? ret : set(x, &x->a, &way_file, VFC_RUNNING);
}

static void emit_stores(struct bench *x, const struct stores *t, const char *what,
			struct samples *s)
{
	double pages = t->pages;

	emit_begin(x, "faults");
	emit_text(x, "what", what);
	emit_int(x, "pages", t->pages);
	emit_int(x, "samples", s->nr);
	emit_num(x, "min_ns", samples_at(s, 0) / pages);
	emit_num(x, "median_ns", samples_at(s, 50) / pages);
	emit_num(x, "max_ns", samples_at(s, 100) / pages);
	emit_end(x);
}

static int stores_run(struct bench *x, struct stores *t)
{
	int ret = samples_alloc(&t->idle, 1, x->costly);

	if (!ret)
		ret = samples_alloc(&t->first, 1, x->costly);
	if (!ret)
		ret = samples_alloc(&t->second, 1, x->costly);
	if (!ret)
		ret = samples_alloc(&t->third, 1, x->costly);
	if (!ret)
		ret = stores_measure(x, t);
	if (ret)
		return ret;
	emit_stores(x, t, "no session", &t->idle);
	emit_stores(x, t, "pre-copy, first store after a pass", &t->first);
	emit_stores(x, t, "pre-copy, second store", &t->second);
	emit_stores(x, t, "pre-copy, third store", &t->third);
	return 0;
}

int part_faults(struct bench *x)
{
	struct stores t = {};
	int ret = open_devices(x, false);

	if (ret)
		return ret;
	progress(x, "stores to mapped memory: %u passes", x->costly);
	t.pages = x->units < STORE_PAGES ? x->units : STORE_PAGES;
	ret = stores_run(x, &t);
	samples_free(&t.third, 1);
	samples_free(&t.second, 1);
	samples_free(&t.first, 1);
	samples_free(&t.idle, 1);
	close_devices(x);
	return ret;
}
