// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transfers with a clock: see session.h. Nothing is allocated and no memory is
 * touched for the first time while the clock runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* --- States ----------------------------------------------------------- */

static const __u32 v2_states[] = {
	[VFC_STOP] = VFC2_STOP,
	[VFC_RUNNING] = VFC2_RUNNING,
	[VFC_SAVING] = VFC2_STOP_COPY,
	[VFC_PRECOPY] = VFC2_PRE_COPY,
	[VFC_RESUMING] = VFC2_RESUMING,
};

long long timed_set(const struct vfc_dev *d, const struct way *w, int *file,
		    __u32 state)
{
	int fd = -1, ret;
	__u64 start = pass_now_ns(), ns;

	ret = w->v2 ? vfc2_set(d, v2_states[state], &fd) : vfc_set(d, state);
	ns = pass_now_ns() - start;
	if (ret < 0)
		return ret;
	if (*file >= 0 && (state == VFC_STOP || state == VFC_RUNNING)) {
		close(*file);
		*file = -1;
	}
	if (fd >= 0)
		*file = fd;
	return ns;
}

/* --- v1 --------------------------------------------------------------- */

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

static int drain_v1(const struct vfc_dev *d, const struct vfc_io *io,
		    struct store *st, struct cost *c)
{
	__u64 begin = pass_now_ns(), start = begin, pending, off, size, now;
	int ret;

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

static int feed_v1(const struct vfc_dev *d, const struct vfc_io *io,
		   const struct store *st, struct cost *c,
		   void (*between)(void *ctx), void *ctx)
{
	const __u8 *p = st->buf;
	__u64 start, mid, end, off;
	size_t i;
	int ret;

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

/* --- v2 --------------------------------------------------------------- */

static int drain_v2(int file, size_t step, struct store *st, struct cost *c)
{
	__u64 begin = pass_now_ns();
	size_t room;
	ssize_t n;

	for (;;) {
		if (!st->keep)
			store_clear(st, false);
		room = st->cap - st->len;
		if (!room)
			return -ENOSPC;
		n = read(file, st->buf + st->len, room < step ? room : step);
		if (n <= 0)
			break;
		st->len += n;
		c->bytes += n;
		c->segments++;
	}
	/* in pre-copy, nothing now; or the end */
	if (n < 0 && errno != ENOMSG)
		return -errno;
	c->total = pass_now_ns() - begin;
	return 0;
}

static int feed_v2(int file, size_t step, const struct store *st, struct cost *c,
		   void (*between)(void *ctx), void *ctx)
{
	__u64 start;
	ssize_t n;

	while (c->bytes < st->len) {
		if (step > st->len - c->bytes)
			step = st->len - c->bytes;
		start = pass_now_ns();
		n = write(file, st->buf + c->bytes, step);
		if (n <= 0)
			return n ? -errno : -EIO;
		c->total += pass_now_ns() - start;
		c->bytes += n;
		c->segments++;
		if (between)
			between(ctx);
	}
	return 0;
}

/* --- Either ----------------------------------------------------------- */

int timed_drain(const struct vfc_dev *d, const struct way *w, int file,
		struct store *st, struct cost *c)
{
	memset(c, 0, sizeof(*c));
	return w->v2 ? drain_v2(file, w->v2, st, c) : drain_v1(d, &w->io, st, c);
}

int timed_feed(const struct vfc_dev *d, const struct way *w, int file,
	       const struct store *st, struct cost *c,
	       void (*between)(void *ctx), void *ctx)
{
	memset(c, 0, sizeof(*c));
	return w->v2 ? feed_v2(file, w->v2, st, c, between, ctx) :
		       feed_v1(d, &w->io, st, c, between, ctx);
}
