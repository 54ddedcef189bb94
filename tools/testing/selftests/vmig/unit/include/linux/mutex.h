/* SPDX-License-Identifier: GPL-2.0-only */
/* A mutex for structures that hold one; the pure parts take none. */
#ifndef _UNIT_LINUX_MUTEX_H
#define _UNIT_LINUX_MUTEX_H

struct mutex {
	int unit;
};

#endif /* _UNIT_LINUX_MUTEX_H */
