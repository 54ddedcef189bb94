// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saving and resuming whole devices, beside the passes over the data that cannot
 * be avoided. Those are measured right before and right after each transfer.
 */
#include <errno.h>

#include "bench.h"

/* --- Limits and transfers --------------------------------------------- */

const struct way way_mmap = { "v1 mmap", { true, 0 }, 0 };
const struct way way_file = { "v2 1 MiB", { false, 0 }, 1 << 20 };
static const struct way way_pages = { "v2 4 KiB", { false, 0 }, 4096 };
static const struct way way_bulk = { "v1 pread/pwrite", { false, 0 }, 0 };
static const struct way way_eight = { "v1 8 bytes", { false, 8 }, 0 };

static void emit_limits(struct bench *x, const struct pass_result *r)
{
	const struct {
		const char *name;
		__u64 ns;
	} passes[] = {
		{ "kcopy_save", r->kcopy_save },
		{ "kcopy_resume", r->kcopy_resume },
		{ "user_copy_read", r->kcopy_read },
		{ "user_copy_write", r->kcopy_write },
		{ "memcpy_read", r->ucopy_read },
		{ "memcpy_write", r->ucopy_write },
		{ "crc32c_kernel", r->kcrc },
		{ "crc32c_sse42", r->ucrc },
	};
	unsigned int i;

	emit_begin(x, "limits");
	emit_int(x, "bytes", r->bytes);
	emit_text(x, "kcopy", x->passes.kernel_name);
	emit_text(x, "crc32c", r->kcrc ? x->passes.driver : "SSE4.2");
	for (i = 0; i < NR(passes); i++)
		emit_num(x, passes[i].name, mib_per_s(r->bytes, passes[i].ns));
	emit_end(x);
}

static __u64 limit_crc(const struct pass_result *r)
{
	return r->kcrc ?: r->ucrc;
}

/*
 * ns that a save of r->bytes needs at least: checksum, memory to section, and the
 * client's copy out of the section. By v2 the section is the file's buffer, and
 * the kernel copies out of it, as it does for a pread().
 */
static __u64 limit_save(const struct pass_result *r, const struct vfc_io *io)
{
	return limit_crc(r) + r->kcopy_save +
	       (io->mmap ? r->ucopy_read : r->kcopy_read);
}

/* Likewise: the client's copy, section to memory, and checksum. */
static __u64 limit_resume(const struct pass_result *r, const struct vfc_io *io)
{
	return (io->mmap ? r->ucopy_write : r->kcopy_write) + r->kcopy_resume +
	       limit_crc(r);
}

/* In small steps the system calls are what cannot be avoided. */
static __u64 limit_of(const struct pass_result *r, const struct way *w, bool resume)
{
	__u64 limit = resume ? limit_resume(r, &w->io) : limit_save(r, &w->io);
	size_t step = w->v2 ?: w->io.step;

	if (step)
		limit += pass_syscalls(resume, r->bytes / step);
	return limit;
}

/* @r: the passes before the transfer, and those after it. */
static void emit_transfer(struct bench *x, bool resume, const struct way *w,
			  const struct cost *c, const struct pass_result *r)
{
	__u64 ns = limit_of(&r[0], w, resume) + limit_of(&r[1], w, resume);
	double limit = mib_per_s(r[0].bytes + r[1].bytes, ns);
	double have = mib_per_s(c->bytes, c->total);

	emit_begin(x, resume ? "resume" : "save");
	emit_text(x, "way", w->name);
	emit_int(x, "bytes", c->bytes);
	emit_int(x, "segments", c->segments);
	emit_num(x, "ms", c->total / 1e6);
	if (!w->v2) {
		emit_num(x, "driver_ms", c->driver / 1e6);
		emit_num(x, "client_ms", c->client / 1e6);
	}
	emit_num(x, "mib_s", have);
	emit_num(x, "limit_mib_s", limit);
	emit_num(x, "ratio", limit ? have / limit : 0);
	emit_end(x);
}

/* Did the last units arrive? (All of it is what the tests are for.) */
static int spot_check(struct bench *x)
{
	__u64 i, value;
	int ret;

	for (i = 0; i < x->units; i += x->units / 16 + 1) {
		ret = x->m->read_back(&x->b, i, &value);
		if (ret || value != i + 1)
			return fail(x, ret ? ret : -EILSEQ, "what arrived");
	}
	return 0;
}

int one_save(struct bench *x, const struct way *w, struct cost *c)
{
	int ret = set(x, &x->a, w, VFC_SAVING);

	store_clear(&x->st, true);
	if (ret >= 0)
		ret = fail(x, timed_drain(&x->a, w, x->file, &x->st, c), "save");
	return ret < 0 ? ret : set(x, &x->a, w, VFC_RUNNING);
}

int one_resume(struct bench *x, const struct way *w, struct cost *c)
{
	int ret = fail(x, vfc_reset(&x->b), "reset");

	if (!ret)
		ret = set(x, &x->b, w, VFC_RESUMING);
	if (ret >= 0)
		ret = fail(x, timed_feed(&x->b, w, x->file, &x->st, c, NULL, NULL),
			   "resume");
	if (ret >= 0)
		ret = set(x, &x->b, w, VFC_RUNNING);
	return ret < 0 ? ret : spot_check(x);
}

static int measure_limits(struct bench *x, struct pass_result *r)
{
	size_t bytes = x->units * VFC_UNIT;
	int ret;

	if (bytes > x->scratch_bytes)
		bytes = x->scratch_bytes;
	ret = passes_run(&x->passes, x->scratch, bytes, r);
	if (!ret)
		emit_limits(x, r);
	return fail(x, ret, "passes");
}

/*
 * Limits on both sides of each transfer: what a machine that is busy for a while
 * slows down is both. @r: the limits before, and then those after.
 */
static int transfer_round(struct bench *x, const struct way *w, struct pass_result *r)
{
	struct pass_result around[3] = { *r };
	struct cost c;
	int ret = one_save(x, w, &c);

	if (ret >= 0)
		ret = measure_limits(x, &around[1]);
	if (ret < 0)
		return ret;
	emit_transfer(x, false, w, &c, &around[0]);
	ret = one_resume(x, w, &c);
	if (ret >= 0)
		ret = measure_limits(x, &around[2]);
	if (ret < 0)
		return ret;
	emit_transfer(x, true, w, &c, &around[1]);
	*r = around[2];
	return 0;
}

static int transfers(struct bench *x, const struct way *w, unsigned int mib)
{
	struct pass_result r;
	unsigned int i;
	int ret = open_devices(x, w->io.mmap);

	if (ret)
		return ret;
	if (mib)
		ret = refill(x, mib * UNITS_PER_MIB);
	if (!ret)
		ret = measure_limits(x, &r);
	for (i = 0; i < x->rounds && !ret; i++) {
		progress(x, "save and resume, %s, %llu MiB: %u of %u", w->name,
			 x->units / UNITS_PER_MIB, i + 1, x->rounds);
		ret = transfer_round(x, w, &r);
	}
	close_devices(x);
	return ret;
}

int drain(struct bench *x, const struct way *w, struct cost *c)
{
	store_clear(&x->st, false);
	return fail(x, timed_drain(&x->a, w, x->file, &x->st, c), "drain");
}

int part_stream(struct bench *x)
{
	int ret = transfers(x, &way_mmap, 0);

	return ret ? ret : transfers(x, &way_bulk, 0);
}

int part_v2(struct bench *x)
{
	int ret = transfers(x, &way_file, 0);

	return ret ? ret : transfers(x, &way_pages, 0);
}

int part_eight(struct bench *x)
{
	return transfers(x, &way_eight, x->small_mib);
}
