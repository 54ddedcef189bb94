// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transfers with a clock: see session.h. Nothing is allocated and no memory is
 * touched for the first time while the clock runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "passes.h"
#include "session.h"

int store_open(struct store *st, size_t cap, size_t section)
{
	memset(st, 0, sizeof(*st));
	st->cap = cap;
	/* drained pre-copy rounds make short segments */
	st->max = cap / section * 4 + 4096;
	st->buf = aligned_alloc(4096, (cap + 4095) & ~4095ul);
	st->seg = calloc(st->max, sizeof(*st->seg));
	if (!st->buf || !st->seg) {
		store_close(st);
		return -ENOMEM;
	}
	memset(st->buf, 1, cap);
	st->keep = true;
	return 0;
}

void store_close(struct store *st)
{
	free(st->buf);
	free(st->seg);
	memset(st, 0, sizeof(*st));
}

void store_clear(struct store *st, bool keep)
{
	st->len = 0;
	st->nseg = 0;
	st->keep = keep;
}

long long timed_set(const struct vfc_dev *d, __u32 state)
{
	__u64 start = pass_now_ns();
	int ret = vfc_set(d, state);

	return ret < 0 ? ret : (long long)(pass_now_ns() - start);
}

static int store_segment(const struct vfc_dev *d, const struct vfc_io *io,
			 struct store *st, __u64 size)
{
	int ret;

	if (!st->keep)
		store_clear(st, false);
	if (!size || size > st->cap - st->len || st->nseg == st->max)
		return -ENOSPC;
	ret = vfc_collect(d, io, 0, st->buf + st->len, size);
	st->len += size;
	st->seg[st->nseg++] = size;
	return ret;
}

int timed_drain(const struct vfc_dev *d, const struct vfc_io *io,
		struct store *st, struct cost *c)
{
	__u64 begin = pass_now_ns(), start = begin, pending, off, size, now;
	int ret;

	memset(c, 0, sizeof(*c));
	for (;;) {
		ret = vfc_r8(d, VFC_PENDING, &pending);
		if (ret < 0 || !pending)
			break;
		ret = vfc_r8(d, VFC_OFFSET, &off);
		if (ret > 0)
			ret = vfc_r8(d, VFC_SIZE, &size);
		if (ret < 0)
			break;
		now = pass_now_ns();
		c->driver += now - start;
		start = now;
		ret = store_segment(d, io, st, size);
		if (ret < 0)
			break;
		now = pass_now_ns();
		c->client += now - start;
		start = now;
		c->bytes += size;
		c->segments++;
	}
	now = pass_now_ns();
	c->driver += now - start;
	c->total = now - begin;
	return ret < 0 ? ret : 0;
}

int timed_feed(const struct vfc_dev *d, const struct vfc_io *io,
	       const struct store *st, struct cost *c,
	       void (*between)(void *ctx), void *ctx)
{
	const __u8 *p = st->buf;
	__u64 start, mid, end, off;
	size_t i;
	int ret;

	memset(c, 0, sizeof(*c));
	for (i = 0; i < st->nseg; p += st->seg[i++]) {
		start = pass_now_ns();
		ret = vfc_r8(d, VFC_OFFSET, &off);
		if (ret > 0)
			ret = vfc_provide(d, io, 0, p, st->seg[i]);
		if (ret < 0)
			return ret;
		mid = pass_now_ns();
		ret = vfc_w8(d, VFC_SIZE, st->seg[i]);
		if (ret < 0)
			return ret;
		end = pass_now_ns();
		c->client += mid - start;
		c->driver += end - mid;
		c->total += end - start;
		c->bytes += st->seg[i];
		c->segments++;
		if (between)
			between(ctx);
	}
	return 0;
}
