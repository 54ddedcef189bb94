/* SPDX-License-Identifier: GPL-2.0-only */
/* Strings, with a memcpy() that notes what it fetches; see unit_memcpy(). */
#ifndef _UNIT_LINUX_STRING_H
#define _UNIT_LINUX_STRING_H

#include <linux/types.h>
#include <string.h>

void *unit_memcpy(void *to, const void *from, size_t n);
#define memcpy(to, from, n)	unit_memcpy(to, from, n)

ssize_t strscpy(char *to, const char *from, size_t size);

#endif /* _UNIT_LINUX_STRING_H */
