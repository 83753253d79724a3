/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _FALCO_COMPAT_CAPABILITY_H
#define _FALCO_COMPAT_CAPABILITY_H

#include <linux/capability.h>
#include <linux/types.h>

/* The set as one word. kernel_cap_t was two halves until 6.3. */
static inline u64 kernel_cap_bits(const kernel_cap_t *set)
{
#ifdef FALCO_HAVE_CAP_VAL
	return set->val;
#else
	return set->cap[0] | (u64)set->cap[1] << 32;
#endif
}

#endif /* _FALCO_COMPAT_CAPABILITY_H */
