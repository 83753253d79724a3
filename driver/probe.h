/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The hooks: found once by name, attached only while somebody needs them.
 */
#ifndef _FALCO_PROBE_H
#define _FALCO_PROBE_H

#include <linux/percpu.h>
#include <linux/types.h>

enum falco_hook {
	FALCO_HOOK_SYS_EXIT,
	FALCO_HOOK_SYS_ENTER,
	FALCO_HOOK_EXEC,
	FALCO_HOOK_EXIT,
	FALCO_HOOK_FORK, /* not on x86_64: there the child's own sys_exit tells */
	FALCO_HOOK_SWITCH,
	FALCO_HOOK_SIGNAL,
	FALCO_HOOK_FAULT_USER,   /* these two are not everywhere */
	FALCO_HOOK_FAULT_KERNEL,
	FALCO_HOOKS
};

/* Calls of hooks on a CPU; of the two at a system call, the exit one is counted. */
DECLARE_PER_CPU(u64, falco_hook_calls);

/* Find the tracepoints; -ENOENT if this kernel has them not. */
int falco_probe_init(void);

/* Whether @hook can be attached: page faults have no tracepoint on some architectures. */
bool falco_probe_has(enum falco_hook hook);

/* Wait until no hook runs any more. All are detached. Sleeps long. */
void falco_probe_exit(void);

/*
 * Attach and detach until exactly @hooks (a bit each) are attached. Never waits
 * for hooks that run. On an error what was attached stays; detaching cannot
 * fail. Under falco_lock.
 */
int falco_probe_set(u32 hooks);

#endif /* _FALCO_PROBE_H */
