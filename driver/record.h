/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * One event end to end. All of these run with preemption off, under a gate.
 */
#ifndef _FALCO_RECORD_H
#define _FALCO_RECORD_H

#include "args.h"
#include "gate.h"

/*
 * Native calls that the sieve has let pass, with numbers within the table. These
 * two are called with preemption on and take the gate by themselves.
 */
void falco_record_native(unsigned long nr, struct pt_regs *regs, long ret);
void falco_record_native_enter(unsigned long nr, struct pt_regs *regs);

/* All other calls; @nr and @abi are falco_args_nr()'s. */
void falco_record_foreign(const struct falco_gate *gate, struct pt_regs *regs, long ret, int nr,
			  enum falco_abi abi);
void falco_record_foreign_enter(const struct falco_gate *gate, struct pt_regs *regs, int nr,
				enum falco_abi abi);
void falco_record_exec(const struct falco_gate *gate, struct task_struct *task,
		       struct linux_binprm *bprm);
void falco_record_exit(const struct falco_gate *gate, struct task_struct *task);
void falco_record_fork(const struct falco_gate *gate, struct task_struct *parent,
		       struct task_struct *child);
void falco_record_switch(const struct falco_gate *gate, struct task_struct *prev,
			 struct task_struct *next);
void falco_record_signal(const struct falco_gate *gate, int sig,
			 const struct kernel_siginfo *info);
void falco_record_fault(const struct falco_gate *gate, u16 sc, unsigned long address,
			struct pt_regs *regs, unsigned long error_code);

/* Scratch memory of a CPU: allocated before it runs tasks, kept until the module goes. */
int falco_record_prepare(unsigned int cpu);
void falco_record_free(void);

#endif /* _FALCO_RECORD_H */
