// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the migration of two mdevs costs, by a raw client of the v1 region and of
 * the v2 data file: bytes per second of saving and resuming beside what this
 * machine could do at most, how long a change of state takes, what is left for
 * the stop after pre-copy, what the client pays for stores meanwhile, and the
 * kernel memory of a session.
 *
 * Prints one JSON object a line. A time is never judged: what fails is only
 * what does not work. The memory of the source is mapped and touched meanwhile,
 * as it is under a VMM.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

/* --- Devices ---------------------------------------------------------- */

static int open_one(struct bench *x, struct vfc_dev *d, const char *uuid, bool mmap)
{
	int ret = vfc_open(d, uuid);

	if (ret)
		return fail(x, ret, uuid);
	if (d->mig_index < 0)
		ret = -EOPNOTSUPP;
	if (!ret && mmap)
		ret = vfc_map(d);
	return fail(x, ret, "migration region");
}

/* Give the first @x->units units content, by stores as a guest makes them. */
static void fill(struct bench *x)
{
	__u64 i;

	for (i = 0; i < x->units; i++)
		vfc_unit_fill(x->map + i * VFC_UNIT, i + 1);
}

int refill(struct bench *x, __u64 units)
{
	__u32 any;
	int ret = vfc_reset(&x->a);

	if (!ret)
		ret = x->m->reg_get(&x->a, &any);	/* lets it decode */
	x->units = units;
	if (!ret)
		fill(x);
	return fail(x, ret, "reset");
}

void close_devices(struct bench *x)
{
	if (x->map)
		munmap(x->map, x->mem_units * VFC_UNIT);
	x->map = NULL;
	if (x->file >= 0)
		close(x->file);
	x->file = -1;
	vfc_close(&x->b);
	vfc_close(&x->a);
}

static __u64 touched_units(const struct bench *x)
{
	__u64 want = x->touch_mib * UNITS_PER_MIB;

	return want && want < x->mem_units ? want : x->mem_units;
}

int open_devices(struct bench *x, bool mmap)
{
	int ret = open_one(x, &x->a, x->uuid[0], mmap);

	if (ret)
		return ret;
	ret = open_one(x, &x->b, x->uuid[1], mmap);
	if (ret)
		goto err;
	x->m = vfc_model_find(&x->a);
	ret = x->m ? 0 : fail(x, -EOPNOTSUPP, "no adapter for this model");
	if (ret)
		goto err;
	x->mem_units = x->m->units(&x->a);
	ret = fail(x, x->m->map(&x->a, x->mem_units, &x->map), "map memory");
	if (ret)
		goto err;
	x->units = touched_units(x);
	fill(x);
	return 0;
err:
	close_devices(x);
	return ret;
}

int set(struct bench *x, const struct vfc_dev *d, const struct way *w, __u32 state)
{
	long long ret = timed_set(d, w, &x->file, state);

	return fail(x, ret < 0 ? ret : 0, vfc_state_name(state));
}

/* --- Program ---------------------------------------------------------- */

static const struct {
	const char *name;
	int (*run)(struct bench *x);
} parts[] = {
	{ "stream", part_stream },
	{ "eight", part_eight },
	{ "v2", part_v2 },
	{ "info", part_info },
	{ "faults", part_faults },
	{ "arcs", part_arcs },
	{ "drained", part_drained },
	{ "dirty", part_dirty },
	{ "memory", part_memory },
};

static const struct argp_option options[] = {
	{ "parts", 'p', "LIST", 0,
	  "Comma separated, of those below; default: all", 0 },
	{ "touch", 't', "MIB", 0,
	  "Touched memory in MiB, 1 to what the devices have; default: all", 0 },
	{ "rounds", 'r', "N", 0, "Transfers of each kind, 1 to 1000 (3)", 0 },
	{ "samples", 'n', "N", 0, "Changes of state, 1 to 100000 (100)", 0 },
	{ "costly", 'c', "N", 0,
	  "The same where each needs a transfer, 1 to 10000 (10)", 0 },
	{ "small", 's', "MIB", 0,
	  "Touched for part eight, and the little of part info, 1 to all (4)", 0 },
	{ "cgroup", 'g', "DIR", 0,
	  "Folder of this process's cgroup (version 2), for part memory", 0 },
	{ "output", 'o', "FILE", 0, "Append to FILE instead of stdout", 0 },
	{}
};

static const char doc[] =
	"Measure the migration of two mdevs of one type, by both protocols.\n"
	"UUID is saved, UUID2 resumes.\n"
	"\vParts:\n"
	"  stream   v1: save and resume by mmap, and by pread and pwrite of segments\n"
	"  eight    v1: the same by accesses of 8 bytes\n"
	"  v2       v2: the same by read and write of 1 MiB and of 4 KiB\n"
	"  info     v2: MIG_DATA_SIZE and GET_PRECOPY_INFO, little and much touched\n"
	"  faults   stores to mapped memory, before and in pre-copy\n"
	"  arcs     v1: how long a change of state takes\n"
	"  drained  the stop of an idle device after a pre-copy with nothing left\n"
	"  dirty    what the stop costs with 0, 1 and 10 % dirtied a round\n"
	"  memory   v1: kernel memory of sessions\n"
	"\n"
	"Each line of output is a JSON object with its \"part\". Times are in the\n"
	"unit that their names end in, sizes in bytes or MiB (2^20 bytes), speeds in\n"
	"MiB of stream per second. \"ratio\" is the speed over \"limit_mib_s\", the\n"
	"speed that the passes over the data allow which cannot be avoided.";

static unsigned int number(struct argp_state *state, const char *arg,
			   unsigned int max)
{
	char *end;
	unsigned long n = strtoul(arg, &end, 0);

	if (*end || !n || n > max)
		argp_error(state, "'%s' must be from 1 to %u", arg, max);
	return n;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct bench *x = state->input;

	switch (key) {
	case 'p':
		x->parts = arg;
		return 0;
	case 't':
		x->touch_mib = number(state, arg, 1 << 20);
		return 0;
	case 'r':
		x->rounds = number(state, arg, 1000);
		return 0;
	case 'n':
		x->samples = number(state, arg, 100000);
		return 0;
	case 'c':
		x->costly = number(state, arg, 10000);
		return 0;
	case 's':
		x->small_mib = number(state, arg, 1 << 20);
		return 0;
	case 'g':
		x->cgroup = arg;
		return 0;
	case 'o':
		x->path = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num >= 2)
			return ARGP_ERR_UNKNOWN;
		x->uuid[state->arg_num] = arg;
		return 0;
	case ARGP_KEY_END:
		if (state->arg_num != 2)
			argp_error(state, "two devices are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "UUID UUID2",
	.doc = doc,
};

static bool part_wanted(const struct bench *x, const char *name)
{
	size_t len = strlen(name);
	const char *p = x->parts;

	while (p) {
		if (!strncmp(p, name, len) && (!p[len] || p[len] == ','))
			return true;
		p = strchr(p, ',');
		if (p)
			p++;
	}
	return !x->parts;
}

/* More does not change the speed of a pass, since no cache has that. */
#define SCRATCH_MAX	(64 * MIB)

/* What later parts need, by a look at the devices. */
static int prepare(struct bench *x)
{
	size_t section, bytes;
	int ret;

	ret = open_devices(x, false);
	if (ret)
		return ret;
	section = vfc_section(&x->a);
	/* records have headers */
	bytes = x->units * (VFC_UNIT + 64) + 16 * section;
	close_devices(x);
	x->scratch_bytes = x->units * VFC_UNIT;
	if (x->scratch_bytes > SCRATCH_MAX)
		x->scratch_bytes = SCRATCH_MAX;
	x->scratch = malloc(x->scratch_bytes);
	if (!x->scratch)
		return fail(x, -ENOMEM, "prepare");
	memset(x->scratch, 1, x->scratch_bytes);
	ret = store_open(&x->st, bytes, section);
	if (!ret)
		ret = passes_open(&x->passes, section);
	return fail(x, ret, "prepare");
}

static int run_parts(struct bench *x)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < NR(parts) && !ret; i++)
		if (part_wanted(x, parts[i].name))
			ret = parts[i].run(x);
	return ret;
}

int main(int argc, char **argv)
{
	struct bench x = {
		.rounds = 3, .samples = 100, .costly = 10, .small_mib = 4,
		.a.fd = -1, .b.fd = -1, .file = -1,
		.passes.alg = -1,
	};
	int ret;

	x.begin = pass_now_ns();
	argp_parse(&argp, argc, argv, 0, NULL, &x);
	x.out = x.path ? fopen(x.path, "ae") : stdout;
	if (!x.out)
		ret = fail(&x, -errno, x.path);
	else
		ret = prepare(&x);
	if (!ret)
		ret = run_parts(&x);
	passes_close(&x.passes);
	store_close(&x.st);
	free(x.scratch);
	if (x.path && x.out)
		fclose(x.out);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
