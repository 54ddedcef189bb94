/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's crc32c(): the register goes in and comes out, nothing is inverted. */
#ifndef _UNIT_LINUX_CRC32C_H
#define _UNIT_LINUX_CRC32C_H

#include <linux/types.h>

u32 crc32c(u32 crc, const void *buf, unsigned int len);

#endif /* _UNIT_LINUX_CRC32C_H */
