/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's names of types, on top of those that the uapi header has. */
#ifndef _UNIT_LINUX_TYPES_H
#define _UNIT_LINUX_TYPES_H

#include_next <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s8 s8;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;

#ifndef __user
#define __user
#endif
#ifndef __iomem
#define __iomem
#endif
#ifndef __aligned
#define __aligned(x)	__attribute__((aligned(x)))
#endif

#endif /* _UNIT_LINUX_TYPES_H */
