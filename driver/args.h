/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What an event is about: the system call or the tracepoint hit, gathered once
 * and read by every filler. A falco_call lives on the probe's stack.
 */
#ifndef _FALCO_ARGS_H
#define _FALCO_ARGS_H

#include <linux/types.h>

struct linux_binprm;
struct pt_regs;
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
	union {                   /* of one tracepoint each */
		struct linux_binprm *bprm;   /* sched_process_exec */
		struct task_struct *parent;  /* sched_process_fork: task is the child */
	};
};

/* Which of its tables a caller's number belongs to. */
enum falco_abi {
	FALCO_ABI_NATIVE,
	FALCO_ABI_IA32, /* 32-bit numbers and structures on x86_64 */
	FALCO_ABIS
};

/* Numbers that the gate's bitmaps cover; the last stands for all beyond. */
#define FALCO_NR_MAX 512

/*
 * falco_args_nr() - the current system call's number and table.
 *
 * Returns the caller's own number, cut to FALCO_NR_MAX - 1, with the x32 bit
 * taken off; negative if the task is in no system call. Reads registers only.
 */
int falco_args_nr(struct pt_regs *regs, enum falco_abi *abi);

/*
 * falco_args_get() - fill @c from the registers of the current system call.
 *
 * Sets everything but ret. May read user memory (socketcall), never faults.
 */
void falco_args_get(struct falco_call *c, struct pt_regs *regs);

#endif /* _FALCO_ARGS_H */
