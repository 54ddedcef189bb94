// SPDX-License-Identifier: GPL-2.0-only
/*
 * What write protection costs a client that stores to its mapped memory: a store
 * to a page that is writable, the first one to a page after it was sent in
 * pre-copy, which is caught, and the next ones, which should cost as little as
 * before the migration.
 *
 * One store to each page, so that every figure has misses of caches and of the
 * TLB in it. They vary with what the machine did before. So stores to ordinary
 * memory are measured at the same time: what is as dear there has nothing to do
 * with the device.
 */
#include <errno.h>

#include "bench.h"

/* Pages that are stored to: 32 MiB of them */
#define STORE_PAGES	8192

enum stores_when {
	IDLE,
	IDLE_ORDINARY,
	FIRST,
	SECOND,
	THIRD,
	ORDINARY,
	NR_WHEN
};

static const char * const stores_names[NR_WHEN] = {
	[IDLE] = "no session",
	[IDLE_ORDINARY] = "no session, ordinary memory",
	[FIRST] = "pre-copy, first store after a pass",
	[SECOND] = "pre-copy, second store",
	[THIRD] = "pre-copy, third store",
	[ORDINARY] = "pre-copy, ordinary memory",
};

/**
 * struct stores - times of passes, each of one store to each page
 * @pages: how many
 * @s: of each kind
 */
struct stores {
	__u64 pages;
	struct samples s[NR_WHEN];
};

static __u64 store_pass(__u8 *mem, __u64 pages)
{
	__u64 start = pass_now_ns(), i;

	for (i = 0; i < pages; i++) {
		volatile __u64 *p = (volatile __u64 *)(mem + i * VFC_UNIT);

		*p = i;
	}
	return pass_now_ns() - start;
}

static void store_device(struct bench *x, struct stores *t, enum stores_when when)
{
	samples_add(&t->s[when], store_pass(x->map, t->pages));
}

/* The second of two passes, since the first finds nothing in the TLB. */
static void store_ordinary(struct bench *x, struct stores *t, enum stores_when when)
{
	store_pass(x->scratch, t->pages);
	samples_add(&t->s[when], store_pass(x->scratch, t->pages));
}

static void stores_idle(struct bench *x, struct stores *t)
{
	unsigned int k;

	for (k = 0; k < x->costly; k++) {
		store_pass(x->map, t->pages);
		store_device(x, t, IDLE);
		store_ordinary(x, t, IDLE_ORDINARY);
	}
}

static int stores_precopy(struct bench *x, struct stores *t)
{
	struct cost c;
	unsigned int k;
	int ret = set(x, &x->a, &way_file, VFC_PRECOPY);

	for (k = 0; k < x->costly && !ret; k++) {
		ret = drain(x, &way_file, &c);
		if (ret)
			break;
		store_device(x, t, FIRST);
		store_device(x, t, SECOND);
		store_device(x, t, THIRD);
		store_ordinary(x, t, ORDINARY);
	}
	return ret ? ret : set(x, &x->a, &way_file, VFC_RUNNING);
}

static void emit_stores(struct bench *x, const char *what, __u64 pages,
			struct samples *s)
{
	emit_begin(x, "faults");
	emit_text(x, "what", what);
	emit_int(x, "pages", pages);
	emit_int(x, "samples", s->nr);
	emit_num(x, "min_ns", (double)samples_at(s, 0) / pages);
	emit_num(x, "median_ns", (double)samples_at(s, 50) / pages);
	emit_num(x, "max_ns", (double)samples_at(s, 100) / pages);
	emit_end(x);
}

static int stores_run(struct bench *x, struct stores *t)
{
	unsigned int i;
	int ret = samples_alloc(t->s, NR_WHEN, x->costly);

	if (ret)
		return ret;
	stores_idle(x, t);
	ret = stores_precopy(x, t);
	for (i = 0; i < NR_WHEN && !ret; i++)
		emit_stores(x, stores_names[i], t->pages, &t->s[i]);
	return ret;
}

static __u64 stores_pages(const struct bench *x)
{
	__u64 pages = x->scratch_bytes / VFC_UNIT;

	if (pages > x->units)
		pages = x->units;
	return pages < STORE_PAGES ? pages : STORE_PAGES;
}

int part_faults(struct bench *x)
{
	struct stores t = {};
	int ret = open_devices(x, false);

	if (ret)
		return ret;
	progress(x, "stores to mapped memory: %u passes", x->costly);
	t.pages = stores_pages(x);
	ret = stores_run(x, &t);
	samples_free(t.s, NR_WHEN);
	close_devices(x);
	return ret;
}
