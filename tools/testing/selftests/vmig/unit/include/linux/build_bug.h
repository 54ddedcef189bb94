/* SPDX-License-Identifier: GPL-2.0-only */
/* static_assert() with or without a message. */
#ifndef _UNIT_LINUX_BUILD_BUG_H
#define _UNIT_LINUX_BUILD_BUG_H

#include <assert.h>

#undef static_assert
#define static_assert(expr, ...)	_Static_assert(expr, "" __VA_ARGS__)

#endif /* _UNIT_LINUX_BUILD_BUG_H */
