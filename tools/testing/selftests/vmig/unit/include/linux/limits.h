/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's limits of types; the C library includes this name too. */
#ifndef _UNIT_LINUX_LIMITS_H
#define _UNIT_LINUX_LIMITS_H

#include_next <linux/limits.h>

#define U8_MAX		((__u8)~0U)
#define U16_MAX		((__u16)~0U)
#define U32_MAX		((__u32)~0U)
#define U64_MAX		((__u64)~0ULL)

#endif /* _UNIT_LINUX_LIMITS_H */
