/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _FALCO_COMPAT_SECURITY_H
#define _FALCO_COMPAT_SECURITY_H

#include <linux/capability.h>
#include <linux/security.h>

#ifndef FALCO_HAVE_LOCKDOWN /* 5.4 */
#define LOCKDOWN_PERF 0
static inline int security_locked_down(int what)
{
	return 0;
}
#endif

#ifndef CAP_PERFMON /* 5.8 */
#define CAP_PERFMON CAP_SYS_ADMIN
#endif

#endif /* _FALCO_COMPAT_SECURITY_H */
