/* SPDX-License-Identifier: GPL-2.0-only */
/* The C library's errno.h includes this name too. */
#ifndef _UNIT_LINUX_ERRNO_H
#define _UNIT_LINUX_ERRNO_H

#include_next <linux/errno.h>

#endif /* _UNIT_LINUX_ERRNO_H */
