/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that vmig.ko builds on. Nothing outside this
 * folder asks for a version.
 */
#ifndef _VMIG_COMPAT_H
#define _VMIG_COMPAT_H

#include <linux/mm.h>
#include <linux/version.h>

#include "kernel_range.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
/* vm_flags became read-only, with helpers that check the lock, in 6.3. */
static inline void vmig_vm_flags_set(struct vm_area_struct *vma,
				     unsigned long flags)
{
	vma->vm_flags |= flags;
}
#else
static inline void vmig_vm_flags_set(struct vm_area_struct *vma,
				     unsigned long flags)
{
	vm_flags_set(vma, flags);
}
#endif

/* A fault holds the mmap lock, or from 6.4 on maybe only that of its VMA. */
static inline bool vmig_fault_has_mmap_lock(const struct vm_fault *vmf)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	return true;
#else
	return !(vmf->flags & FAULT_FLAG_VMA_LOCK);
#endif
}

/* From 6.10 on a trace event's __string() remembers its source. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define vmig_assign_str(field, src)	__assign_str(field, src)
#else
#define vmig_assign_str(field, src)	__assign_str(field)
#endif

#endif /* _VMIG_COMPAT_H */
