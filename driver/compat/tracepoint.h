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

#ifdef FALCO_HAVE_SWITCH_PREV_STATE /* 5.19, carried back to 5.18 */
#define PROBE_SCHED_SWITCH(name) \
	name(void *data, bool preempt, struct task_struct *prev, struct task_struct *next, \
	     unsigned int prev_state)
#elif defined(FALCO_HAVE_SWITCH_PREV_STATE_SECOND) /* 5.18.0 alone */
#define PROBE_SCHED_SWITCH(name) \
	name(void *data, bool preempt, unsigned int prev_state, struct task_struct *prev, \
	     struct task_struct *next)
#else
#define PROBE_SCHED_SWITCH(name) \
	name(void *data, bool preempt, struct task_struct *prev, struct task_struct *next)
#endif

#ifndef FALCO_HAVE_KERNEL_SIGINFO /* 4.20: until then it is siginfo itself */
#define kernel_siginfo siginfo
#endif

/* Page faults are traced on x86 alone, and in one place for all others since 6.16. */
#ifdef FALCO_HAVE_FAULTS_GENERIC
#include <trace/events/exceptions.h>
#define FALCO_PAGE_FAULTS 1
#elif defined(FALCO_HAVE_FAULTS_X86)
#undef TRACE_INCLUDE_FILE /* older ones leave that to nobody */
#include <asm/trace/exceptions.h>
#define FALCO_PAGE_FAULTS 1
#else
#define FALCO_PAGE_FAULTS 0
#endif

#endif /* _FALCO_COMPAT_TRACEPOINT_H */
