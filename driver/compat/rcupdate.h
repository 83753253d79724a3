/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _FALCO_COMPAT_RCUPDATE_H
#define _FALCO_COMPAT_RCUPDATE_H

#include <linux/rcupdate.h>

/*
 * Our readers run with preemption off. Since 4.20 that alone makes them readers
 * of plain RCU; before, it made them readers of RCU-sched.
 */
#ifdef FALCO_HAVE_CALL_RCU_SCHED
#define call_rcu        call_rcu_sched
#define synchronize_rcu synchronize_sched
#define rcu_barrier     rcu_barrier_sched
#endif

#endif /* _FALCO_COMPAT_RCUPDATE_H */
