/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What an event is about: the system call or the tracepoint hit, gathered once
 * and read by every filler. A falco_call lives on the probe's stack.
 */
#ifndef _FALCO_ARGS_H
#define _FALCO_ARGS_H

#include <linux/compat.h>
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/types.h>

#include <asm/syscall.h>

#include "compat/syscall.h"
#include "schema_gen.h"

struct kernel_siginfo;
struct linux_binprm;
struct task_struct;

struct falco_call {
	struct task_struct *task; /* current, except where a tracepoint says otherwise */
	struct pt_regs *regs;     /* NULL outside of system calls */
	u64 args[6];              /* socketcall unpacked; 32-bit callers: upper halves zero */
	s64 ret;                  /* 0 at entry; sign-extended for 32-bit callers */
	u32 nr;                   /* number in the caller's own table, as found */
	u16 sc;                   /* SC code of syscalls.tbl, FALCO_SC_UNKNOWN if none */
	u16 native_nr;            /* number on this architecture where it has the call, else nr */
	bool compat;              /* the caller's pointers and structures are 32 bits wide */
	bool regs32;              /* so are its registers: 64-bit numbers take two */
	u16 message;              /* which message of sendmmsg or recvmmsg the event is about, */
	u16 nmessages;            /* and how many of them have one; 0 for all other events */
	union {                   /* of one tracepoint each */
		struct linux_binprm *bprm;   /* sched_process_exec */
		struct task_struct *parent;  /* sched_process_fork: task is the child */
		struct task_struct *next;    /* sched_switch: task is the one that leaves */
		const struct kernel_siginfo *info; /* signal_deliver */
	};
};

/* Which of its tables a caller's number belongs to. */
enum falco_abi {
	FALCO_ABI_NATIVE,
	FALCO_ABI_32, /* 32-bit callers': of IA-32 on x86_64, of the ARM EABI on aarch64 */
	FALCO_ABIS
};

/* Stands for all numbers that the tables don't cover; never a call of its own. */
#define FALCO_NR_OTHER (FALCO_NR_MAX - 1)

#ifdef CONFIG_X86_64
u32 falco_args_x32_nr(u32 nr);

/* The row of the call that socketcall(@call) stands for, NULL if there is none. */
const struct falco_syscall_desc *falco_args_socketcall(unsigned int call);
#endif

/* Whether the current system call's number is not one of the native table. */
static __always_inline bool falco_args_foreign(void)
{
#ifdef CONFIG_X86_64
	return in_ia32_syscall();
#elif defined(CONFIG_COMPAT)
	return is_compat_task();
#else
	return false;
#endif
}

/*
 * falco_args_nr() - the current system call's number and table.
 *
 * Returns an index of the table of *@abi, FALCO_NR_OTHER for what is beyond it,
 * or a negative number if the task is in no system call. Reads registers only.
 */
static inline int falco_args_nr(struct pt_regs *regs, enum falco_abi *abi)
{
	int nr = syscall_get_nr(current, regs);

	*abi = FALCO_ABI_NATIVE;
	if (falco_args_foreign())
		*abi = FALCO_ABI_32;
#ifdef CONFIG_X86_64
	else if (nr >= FALCO_NR_MAX)
		nr = falco_args_x32_nr(nr);
#endif
	if (nr >= FALCO_NR_MAX)
		return FALCO_NR_OTHER;
	return nr < 0 ? nr : array_index_nospec(nr, FALCO_NR_MAX);
}

/*
 * falco_args_get_native() - fill @c from the registers of the current call,
 * which is native and not beyond the table.
 *
 * Sets everything but ret, and what tracepoints have of their own. Returns the
 * call's row.
 */
static __always_inline const struct falco_syscall_desc *
falco_args_get_native(struct falco_call *c, struct pt_regs *regs, unsigned int nr)
{
	const struct falco_syscall_desc *desc = &falco_syscalls[nr];
	unsigned int i;

	c->task = current;
	c->regs = regs;
	for (i = 0; i < ARRAY_SIZE(c->args); i++)
		c->args[i] = falco_arg(regs, i);
	c->nr = nr;
	c->sc = desc->sc;
	c->native_nr = nr;
	c->compat = false;
	c->regs32 = false;
	return desc;
}

/*
 * The same for every other caller, and for a native one with an odd number; @nr
 * and @abi are falco_args_nr()'s. The row of a socketcall is that of the call
 * inside. May read user memory, never faults.
 */
const struct falco_syscall_desc *falco_args_get_foreign(struct falco_call *c, struct pt_regs *regs,
							int nr, enum falco_abi abi);

/* Messages that the call @c moved, each of which is an event; 0 for all other calls. */
unsigned int falco_args_messages(const struct falco_call *c);

/* What the call returned, sign-extended for 32-bit callers, but for addresses. */
s64 falco_args_ret(const struct falco_call *c, long ret);

/* Once, before any hook is attached. */
void falco_args_init(void);

#endif /* _FALCO_ARGS_H */
