/* SPDX-License-Identifier: GPL-2.0-only */
/* Nothing is exported from a program; the semicolon has to end something. */
#ifndef _UNIT_LINUX_EXPORT_H
#define _UNIT_LINUX_EXPORT_H

#define UNIT_EXPORTED(sym)	_Static_assert(1, "")
#define EXPORT_SYMBOL		UNIT_EXPORTED
#define EXPORT_SYMBOL_GPL	UNIT_EXPORTED

#endif /* _UNIT_LINUX_EXPORT_H */
