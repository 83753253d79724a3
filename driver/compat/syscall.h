/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _FALCO_COMPAT_SYSCALL_H
#define _FALCO_COMPAT_SYSCALL_H

#include <asm/syscall.h>

#ifndef FALCO_HAVE_SYSCALL_ARGS_3 /* 5.1 */
#define syscall_get_arguments(task, regs, args) syscall_get_arguments(task, regs, 0, 6, args)
#endif

/*
 * One argument of a native call, and its number, of which the caller knows that it is
 * one: no look at the task, and none at the other arguments.
 */
static __always_inline u64 falco_arg(const struct pt_regs *regs, unsigned int n)
{
#ifdef CONFIG_X86_64
	switch (n) {
	case 0:
		return regs->di;
	case 1:
		return regs->si;
	case 2:
		return regs->dx;
	case 3:
		return regs->r10;
	case 4:
		return regs->r8;
	default:
		return regs->r9;
	}
#else
	unsigned long args[6];

	syscall_get_arguments(current, (struct pt_regs *)regs, args);
	return args[n];
#endif
}

static __always_inline u32 falco_arg_nr(const struct pt_regs *regs)
{
	return syscall_get_nr(current, (struct pt_regs *)regs);
}

#endif /* _FALCO_COMPAT_SYSCALL_H */
