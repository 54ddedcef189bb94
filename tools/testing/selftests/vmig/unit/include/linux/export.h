/* SPDX-License-Identifier: GPL-2.0-only */
/* Nothing is exported from a program; the semicolon has to end something. */
#ifndef _UNIT_LINUX_EXPORT_H
#define _UNIT_LINUX_EXPORT_H

#define EXPORT_SYMBOL(...)	_Static_assert(1, "")
#define EXPORT_SYMBOL_GPL(...)	_Static_assert(1, "")

#endif /* _UNIT_LINUX_EXPORT_H */
