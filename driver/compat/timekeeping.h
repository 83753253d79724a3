/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _FALCO_COMPAT_TIMEKEEPING_H
#define _FALCO_COMPAT_TIMEKEEPING_H

#include <linux/ktime.h>
#include <linux/timekeeping.h>

#ifndef FALCO_HAVE_KTIME_GET_BOOTTIME_NS /* 5.3 */
#define ktime_get_boottime_ns ktime_get_boot_ns
#endif

#endif /* _FALCO_COMPAT_TIMEKEEPING_H */
