/* SPDX-License-Identifier: GPL-2.0-only */
/* Speculation is nothing that these tests can see: the index itself, evaluated once. */
#ifndef _UNIT_LINUX_NOSPEC_H
#define _UNIT_LINUX_NOSPEC_H

#define array_index_nospec(index, size)					\
({									\
	__auto_type _index = (index);					\
	_Static_assert(sizeof(_index) <= sizeof(long), "index");	\
	(void)(size);							\
	_index;								\
})

#endif /* _UNIT_LINUX_NOSPEC_H */
