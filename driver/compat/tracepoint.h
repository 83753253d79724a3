/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Prototypes of the hooks. The kernel's check_trace_callback_type_<event>()
 * proves them right at build time, which kCFI would do at run time.
 */
#ifndef _FALCO_COMPAT_TRACEPOINT_H
#define _FALCO_COMPAT_TRACEPOINT_H

#include <linux/tracepoint.h>

#ifdef FALCO_HAVE_EXIT_GROUP_DEAD /* 6.16 */
#define PROBE_SCHED_PROCESS_EXIT(name) \
	name(void *data, struct task_struct *task, bool group_dead)
#else
#define PROBE_SCHED_PROCESS_EXIT(name) \
	name(void *data, struct task_struct *task)
#endif

/*
 * On PREEMPT_RT a lock that we may meet in the kernel's own code (d_path) can
 * sleep, and ordinary tracepoints run with preemption off until they were moved
 * to SRCU: 6.19.
 */
#if defined(CONFIG_PREEMPT_RT) && !defined(FALCO_HAVE_TRACEPOINT_SRCU_FAST)
#define FALCO_TRACEPOINTS_ATOMIC 1
#else
#define FALCO_TRACEPOINTS_ATOMIC 0
#endif

#endif /* _FALCO_COMPAT_TRACEPOINT_H */
