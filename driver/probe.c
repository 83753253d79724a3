// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Whose hit: attach to tracepoints, and their callbacks.
 *
 * A callback that has something to do switches preemption off by itself: the
 * kernel's own state at this point differs between versions (off until 6.12, on
 * for system calls since, on everywhere in later ones), and the gate, the
 * scratch memory and the ring all rely on it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "probe.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/string.h>

#include <trace/events/sched.h>
#include <trace/events/signal.h>
#include <trace/events/syscalls.h>

#include "args.h"
#include "compat/rcupdate.h"
#include "compat/tracepoint.h"
#include "consumer.h"
#include "gate.h"
#include "record.h"

DEFINE_PER_CPU(u64, falco_hook_calls);

/* ---- callbacks ---- */

static __always_inline void count_call(void)
{
	this_cpu_inc(falco_hook_calls);
}

/* Returns the gate, which is valid until hook_leave(). */
static __always_inline const struct falco_gate *hook_enter(void)
{
	preempt_disable_notrace();
	return rcu_dereference_sched(falco_gate);
}

static __always_inline void hook_leave(void)
{
	preempt_enable_notrace();
}

/* In a way that the compiler cannot see through: not even speculation leaves the tables. */
static __always_inline unsigned long masked(u32 nr)
{
	OPTIMIZER_HIDE_VAR(nr);
	return nr & (FALCO_NR_MAX - 1);
}

/*
 * Out of line, and with the callbacks' own parameters: what all calls of the
 * machine go through needs no stack and moves no register.
 */
static noinline notrace void look_closer_at_exit(void *data, struct pt_regs *regs, long ret)
{
	const struct falco_gate *gate = hook_enter();
	enum falco_abi abi;
	int nr = falco_args_nr(regs, &abi);

	if (nr >= 0 && falco_gate_is_open(gate, FALCO_AT_EXIT, abi, nr))
		falco_record_foreign(gate, regs, ret, nr, abi);
	hook_leave();
}

static noinline notrace void look_closer_at_enter(void *data, struct pt_regs *regs)
{
	const struct falco_gate *gate = hook_enter();
	enum falco_abi abi;
	int nr = falco_args_nr(regs, &abi);

	if (nr >= 0 && falco_gate_is_open(gate, FALCO_AT_ENTER, abi, nr))
		falco_record_foreign_enter(gate, regs, nr, abi);
	hook_leave();
}

/* Foreign tables and odd numbers always are worth a closer look. */
static void notrace on_sys_exit(void *data, struct pt_regs *regs, long ret)
{
	u32 nr = syscall_get_nr(current, regs);

	count_call();
	if (unlikely(falco_args_foreign() || nr >= FALCO_NR_MAX)) {
		look_closer_at_exit(NULL, regs, ret);
		return;
	}
	if (unlikely(falco_sieve_passes(FALCO_AT_EXIT, masked(nr))))
		falco_record_native(masked(nr), regs, ret);
}

static void notrace on_sys_enter(void *data, struct pt_regs *regs, long id)
{
	u32 nr = syscall_get_nr(current, regs);

	if (unlikely(falco_args_foreign() || nr >= FALCO_NR_MAX)) {
		look_closer_at_enter(NULL, regs);
		return;
	}
	if (unlikely(falco_sieve_passes(FALCO_AT_ENTER, masked(nr))))
		falco_record_native_enter(masked(nr), regs);
}

static void notrace on_exec(void *data, struct task_struct *task, pid_t old_pid,
			    struct linux_binprm *bprm)
{
	const struct falco_gate *gate = hook_enter();

	count_call();
	falco_record_exec(gate, task, bprm);
	hook_leave();
}

static void notrace PROBE_SCHED_PROCESS_EXIT(on_exit)
{
	const struct falco_gate *gate = hook_enter();

	count_call();
	if (!(task->flags & PF_KTHREAD))
		falco_record_exit(gate, task);
	hook_leave();
}

static void notrace on_fork(void *data, struct task_struct *parent, struct task_struct *child)
{
	const struct falco_gate *gate = hook_enter();

	count_call();
	if (!(child->flags & PF_KTHREAD))
		falco_record_fork(gate, parent, child);
	hook_leave();
}

/* Interrupts are off and the run queue is locked. */
static void notrace PROBE_SCHED_SWITCH(on_switch)
{
	const struct falco_gate *gate = hook_enter();

	count_call();
	falco_record_switch(gate, prev, next);
	hook_leave();
}

/* Interrupts are off and siglock is held. */
static void notrace on_signal(void *data, int sig, struct kernel_siginfo *info,
			      struct k_sigaction *action)
{
	const struct falco_gate *gate = hook_enter();

	count_call();
	falco_record_signal(gate, sig, info);
	hook_leave();
}

#if FALCO_PAGE_FAULTS
static __always_inline void on_fault(u16 sc, unsigned long address, struct pt_regs *regs,
				     unsigned long error_code)
{
	const struct falco_gate *gate = hook_enter();

	count_call();
	falco_record_fault(gate, sc, address, regs, error_code);
	hook_leave();
}

static void notrace on_fault_user(void *data, unsigned long address, struct pt_regs *regs,
				  unsigned long error_code)
{
	on_fault(FALCO_SC_PAGE_FAULT_USER, address, regs, error_code);
}

static void notrace on_fault_kernel(void *data, unsigned long address, struct pt_regs *regs,
				    unsigned long error_code)
{
	on_fault(FALCO_SC_PAGE_FAULT_KERNEL, address, regs, error_code);
}

NOKPROBE_SYMBOL(on_fault_user);
NOKPROBE_SYMBOL(on_fault_kernel);
#endif

NOKPROBE_SYMBOL(on_sys_exit);
NOKPROBE_SYMBOL(on_sys_enter);
NOKPROBE_SYMBOL(look_closer_at_exit);
NOKPROBE_SYMBOL(look_closer_at_enter);

/* ---- attach and detach ---- */

static struct hook {
	const char *name;
	void *callback;
	struct tracepoint *tracepoint;
	bool attached;
	bool optional; /* where this kernel does not have it, nothing is told */
} hooks[FALCO_HOOKS] = {
	[FALCO_HOOK_SYS_EXIT]  = { "sys_exit", on_sys_exit },
	[FALCO_HOOK_SYS_ENTER] = { "sys_enter", on_sys_enter },
	[FALCO_HOOK_EXEC]      = { "sched_process_exec", on_exec },
	[FALCO_HOOK_EXIT]      = { "sched_process_exit", on_exit },
	[FALCO_HOOK_FORK]      = { "sched_process_fork", on_fork },
	[FALCO_HOOK_SWITCH]    = { "sched_switch", on_switch },
	[FALCO_HOOK_SIGNAL]    = { "signal_deliver", on_signal },
#if FALCO_PAGE_FAULTS
	[FALCO_HOOK_FAULT_USER]   = { "page_fault_user", on_fault_user, .optional = true },
	[FALCO_HOOK_FAULT_KERNEL] = { "page_fault_kernel", on_fault_kernel, .optional = true },
#endif
};

/* Does not compile where a callback has not the tracepoint's own prototype. */
static void __maybe_unused check_prototypes(void)
{
	check_trace_callback_type_sys_exit(on_sys_exit);
	check_trace_callback_type_sys_enter(on_sys_enter);
	check_trace_callback_type_sched_process_exec(on_exec);
	check_trace_callback_type_sched_process_exit(on_exit);
	check_trace_callback_type_sched_process_fork(on_fork);
	check_trace_callback_type_sched_switch(on_switch);
	check_trace_callback_type_signal_deliver(on_signal);
#if FALCO_PAGE_FAULTS
	check_trace_callback_type_page_fault_user(on_fault_user);
	check_trace_callback_type_page_fault_kernel(on_fault_kernel);
#endif
}

int falco_probe_set(u32 wanted)
{
	unsigned int i;
	int err;

	lockdep_assert_held(&falco_lock);
	for (i = 0; i < FALCO_HOOKS; i++) {
		struct hook *h = &hooks[i];
		bool want = (wanted & BIT(i)) && h->tracepoint;

		if (want == h->attached)
			continue;
		if (!want) {
			tracepoint_probe_unregister(h->tracepoint, h->callback, NULL);
			h->attached = false;
			continue;
		}
		err = tracepoint_probe_register(h->tracepoint, h->callback, NULL);
		if (err)
			return err;
		h->attached = true;
	}
	return 0;
}

static void find(struct tracepoint *tracepoint, void *unused)
{
	unsigned int i;

	for (i = 0; i < FALCO_HOOKS; i++)
		if (hooks[i].name && !strcmp(tracepoint->name, hooks[i].name))
			hooks[i].tracepoint = tracepoint;
}

int falco_probe_init(void)
{
	unsigned int i;

	for_each_kernel_tracepoint(find, NULL);
	for (i = 0; i < FALCO_HOOKS; i++) {
		if (hooks[i].name && !hooks[i].tracepoint && !hooks[i].optional) {
			pr_err("this kernel has no tracepoint %s: CONFIG_FTRACE_SYSCALLS?\n",
			       hooks[i].name);
			return -ENOENT;
		}
	}
	return 0;
}

bool falco_probe_has(enum falco_hook hook)
{
	return hooks[hook].tracepoint;
}

void falco_probe_exit(void)
{
	tracepoint_synchronize_unregister();
}
