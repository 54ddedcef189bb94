/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel's catch-all header gives: printing, limits, min() and max(). */
#ifndef _UNIT_LINUX_KERNEL_H
#define _UNIT_LINUX_KERNEL_H

#include_next <linux/kernel.h>
#include <linux/build_bug.h>
#include <linux/limits.h>
#include <linux/types.h>
#include <stdio.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

/* The comparison of pointers warns, as in the kernel, if the types differ. */
#define unit_cmp(x, y, op)						\
({									\
	__auto_type _x = (x);						\
	__auto_type _y = (y);						\
	(void)(&_x == &_y);						\
	_x op _y ? _x : _y;						\
})
#define min(x, y)	unit_cmp(x, y, <)
#define max(x, y)	unit_cmp(x, y, >)

#endif /* _UNIT_LINUX_KERNEL_H */
