// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory of sessions, as the cgroup of this process has it: the engine
 * charges all that it allocates to who opened the device.
 */
#include <errno.h>

#include "bench.h"

/* --- Kernel memory ---------------------------------------------------- */

/* Kernel memory that the cgroup pays for; 0 if that cannot be told. */
static __u64 kernel_bytes(const struct bench *x)
{
	char path[VFC_PATH], line[128];
	unsigned long long bytes = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/memory.stat", x->cgroup);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "kernel %llu", &bytes) == 1)
			break;
	if (f)
		fclose(f);
	return bytes;
}

/**
 * struct usage - kernel memory at several times
 * @x: whose
 * @before: no session
 * @begin: it has begun
 * @peak: the most that was seen while data was moved
 * @end: all data was moved
 * @after: no session
 */
struct usage {
	const struct bench *x;
	__u64 before;
	__u64 begin;
	__u64 peak;
	__u64 end;
	__u64 after;
};

static void usage_sample(void *ctx)
{
	struct usage *u = ctx;
	__u64 now = kernel_bytes(u->x);

	if (now > u->peak)
		u->peak = now;
}

static void emit_usage(struct bench *x, const char *session, const struct usage *u,
		       __u64 bound)
{
	emit_begin(x, "kernel_memory");
	emit_text(x, "session", session);
	emit_int(x, "before", u->before);
	emit_int(x, "begin", u->begin - u->before);
	emit_int(x, "peak", u->peak - u->before);
	emit_int(x, "end", u->end - u->before);
	emit_int(x, "after", u->after - u->before);
	emit_int(x, "bound", bound);
	emit_end(x);
}

static int usage_save(struct bench *x)
{
	struct usage u = { .x = x, .before = kernel_bytes(x) };
	struct cost c;
	int ret = set(x, &x->a, &way_mmap, VFC_PRECOPY);

	if (ret >= 0) {
		u.begin = kernel_bytes(x);
		ret = drain(x, &way_mmap, &c);
		usage_sample(&u);
	}
	if (ret >= 0)
		ret = set(x, &x->a, &way_mmap, VFC_SAVING);
	if (ret >= 0)
		ret = drain(x, &way_mmap, &c);
	usage_sample(&u);
	u.end = kernel_bytes(x);
	if (ret >= 0)
		ret = set(x, &x->a, &way_mmap, VFC_RUNNING);
	u.after = kernel_bytes(x);
	if (ret < 0)
		return ret;
	/* the data section is there as long as the device is open */
	emit_usage(x, "saving", &u, x->mem_units * 8);
	return 0;
}

static int usage_resume(struct bench *x)
{
	struct usage u = { .x = x };
	struct cost c;
	int ret = one_save(x, &way_mmap, &c);

	u.before = kernel_bytes(x);
	if (ret >= 0)
		ret = set(x, &x->b, &way_mmap, VFC_RESUMING);
	u.begin = kernel_bytes(x);
	if (ret >= 0)
		ret = fail(x, timed_feed(&x->b, &way_mmap, x->file, &x->st, &c,
					 usage_sample, &u), "resume");
	u.end = kernel_bytes(x);
	if (ret >= 0)
		ret = set(x, &x->b, &way_mmap, VFC_RUNNING);
	u.after = kernel_bytes(x);
	if (ret < 0)
		return ret;
	emit_usage(x, "resuming", &u, x->mem_units * (VFC_UNIT + 8) +
		   vfc_section(&x->b));
	return 0;
}

int part_memory(struct bench *x)
{
	int ret;

	if (!x->cgroup || !kernel_bytes(x)) {
		progress(x, "kernel memory: skipped, no cgroup that tells it");
		return 0;
	}
	ret = open_devices(x, true);
	if (ret)
		return ret;
	progress(x, "kernel memory of sessions");
	ret = usage_save(x);
	if (!ret)
		ret = usage_resume(x);
	close_devices(x);
	return ret;
}
