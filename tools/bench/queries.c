// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a v2 client waits for an answer to how much there is to send. The
 * driver keeps counters, so the answer should take as long with much memory in
 * use as with little.
 */
#include <errno.h>

#include "bench.h"

static int query_data_size(struct bench *x)
{
	__u64 size;

	return vfc2_data_size(&x->a, &size);
}

static int query_precopy(struct bench *x)
{
	struct vfc2_precopy info = {};

	return vfc2_precopy_info(x->file, &info);
}

static int query(struct bench *x, const char *what, int (*ask)(struct bench *x))
{
	struct samples s = {};
	unsigned int k;
	__u64 start;
	int ret = samples_alloc(&s, 1, x->samples);

	for (k = 0; k < x->samples && ret >= 0; k++) {
		start = pass_now_ns();
		ret = ask(x);
		samples_add(&s, pass_now_ns() - start);
	}
	if (ret >= 0)
		emit_samples(x, "info", &way_file, what, &s);
	samples_free(&s, 1);
	return fail(x, ret < 0 ? ret : 0, what);
}

static int queries(struct bench *x)
{
	int ret = query(x, "MIG_DATA_SIZE, RUNNING", query_data_size);

	if (!ret)
		ret = set(x, &x->a, &way_file, VFC_PRECOPY);
	if (!ret)
		ret = query(x, "MIG_DATA_SIZE, PRE_COPY", query_data_size);
	if (!ret)
		ret = query(x, "GET_PRECOPY_INFO, PRE_COPY", query_precopy);
	return ret ? ret : set(x, &x->a, &way_file, VFC_RUNNING);
}

int part_info(struct bench *x)
{
	int ret = open_devices(x, false);

	if (ret)
		return ret;
	progress(x, "how much is there to send: %u times", x->samples);
	ret = queries(x);
	if (!ret)
		ret = refill(x, x->small_mib * UNITS_PER_MIB);
	if (!ret)
		ret = queries(x);
	close_devices(x);
	return ret;
}
