// SPDX-License-Identifier: GPL-2.0-only
/*
 * Output of the benchmark: results as JSON, a line each, and progress.
 */
#include <stdarg.h>
#include <string.h>

#include "bench.h"

void progress(const struct bench *x, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "vmigbench: %4.0f s: ", (pass_now_ns() - x->begin) / 1e9);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

int fail(const struct bench *x, int err, const char *what)
{
	if (err < 0)
		progress(x, "%s: %s", what, strerror(-err));
	return err;
}

void emit_begin(struct bench *x, const char *part)
{
	fprintf(x->out, "{\"part\": \"%s\"", part);
	emit_int(x, "memory_mib", x->mem_units / UNITS_PER_MIB);
	emit_int(x, "touched_mib", x->units / UNITS_PER_MIB);
}

void emit_text(struct bench *x, const char *name, const char *value)
{
	fprintf(x->out, ", \"%s\": \"%s\"", name, value);
}

void emit_int(struct bench *x, const char *name, long long value)
{
	fprintf(x->out, ", \"%s\": %lld", name, value);
}

void emit_num(struct bench *x, const char *name, double value)
{
	fprintf(x->out, ", \"%s\": %.3f", name, value);
}

void emit_end(struct bench *x)
{
	fputs("}\n", x->out);
	fflush(x->out);
}

double mib_per_s(__u64 bytes, __u64 ns)
{
	return ns ? bytes / (double)MIB / (ns / 1e9) : 0;
}
