/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _FALCO_COMPAT_MM_H
#define _FALCO_COMPAT_MM_H

#include <linux/mm.h>

#ifndef FALCO_HAVE_VM_FLAGS_SET /* 6.3 */
static inline void vm_flags_mod(struct vm_area_struct *vma, unsigned long set, unsigned long clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

/* The member of vm_operations_struct that can refuse to split a mapping. */
#ifdef FALCO_HAVE_VM_MAY_SPLIT /* 5.11 */
#define vm_ops_may_split may_split
#else
#define vm_ops_may_split split
#endif

#endif /* _FALCO_COMPAT_MM_H */
