// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the pure parts call of the kernel, in user space.
 *
 * The checksum is a library's. Code of a library is not instrumented, so the
 * bytes that it is going to read are asked about first.
 */
#include <errno.h>
#include <isa-l/crc.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/crc32c.h>
#include <linux/string.h>

#include "unit.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#undef memcpy

/* The library's register is the kernel's: unit tests hold it to known vectors. */
u32 crc32c(u32 crc, const void *buf, unsigned int len)
{
	if (len > INT_MAX)
		abort();
#ifdef __SANITIZE_ADDRESS__
	if (__asan_region_is_poisoned((void *)buf, len)) {
		fprintf(stderr, "# crc32c: outside of the buffer\n");
		abort();
	}
#endif
	return crc32_iscsi((unsigned char *)buf, len, crc);
}

ssize_t strscpy(char *to, const char *from, size_t size)
{
	size_t len = strnlen(from, size);

	if (!size)
		return -E2BIG;
	if (len == size) {
		memcpy(to, from, size - 1);
		to[size - 1] = 0;
		return -E2BIG;
	}
	memcpy(to, from, len + 1);
	return len;
}

struct unit_window unit_window;

/*
 * A window is memory without access, so that whoever looks into it in another
 * way than by memcpy() dies; what is copied from it comes from behind it, and
 * is counted for each byte.
 */
void *unit_memcpy(void *to, const void *from, size_t n)
{
	struct unit_window *w = &unit_window;
	size_t off = (const char *)from - (const char *)w->front, i;

	if (!w->front || (const char *)from < (const char *)w->front ||
	    off >= w->len)
		return memcpy(to, from, n);
	if (n > w->len - off)
		abort();
	for (i = 0; i < n; i++)
		w->fetched[off + i]++;
	return memcpy(to, (const char *)w->back + off, n);
}
