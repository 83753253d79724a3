/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _FALCO_COMPAT_SYSCALL_H
#define _FALCO_COMPAT_SYSCALL_H

#include <asm/syscall.h>

#ifndef FALCO_HAVE_SYSCALL_ARGS_3 /* 5.1 */
#define syscall_get_arguments(task, regs, args) syscall_get_arguments(task, regs, 0, 6, args)
#endif

#endif /* _FALCO_COMPAT_SYSCALL_H */
