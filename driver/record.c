// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * One event, end to end. Start reading here.
 *
 *   1. a hook has asked the gate and found its bit set          probe.c, gate.h
 *   2. what is it about? registers or tracepoint -> falco_call   args.c
 *   3. who wants it? a bit for each listener                    gate.c
 *      Each of their books counts it as produced, and from here on it is either
 *      published or lost with a cause, whatever happens.
 *   4. gather it once into this CPU's scratch memory            fill_*.c, write.c
 *   5. commit it to each listener's ring                        ring.c
 *
 * The functions stand in this order from the bottom to the top. Preemption is
 * off all the way: nothing here may sleep, fault or take a lock that can sleep.
 */
#include "record.h"

#include <linux/bug.h>
#include <linux/hardirq.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "compat/timekeeping.h"
#include "consumer.h"
#include "fill.h"
#include "ring.h"
#include "write.h"

/*
 * One frame for the task, two for interrupts or faults that hit a hook while it
 * is being filled. Those have no long strings to tell.
 */
#define LEVELS 3

static const u32 frame_size[LEVELS] = { SZ_64K, SZ_4K, SZ_4K };

struct scratch {
	u32 level; /* frames in use */
	struct falco_frame frames[LEVELS];
};

static DEFINE_PER_CPU(struct scratch, scratch);

/* NULL with *@cause set if there is none to be had. */
static struct falco_frame *claim_frame(unsigned int *cause)
{
	struct scratch *s = this_cpu_ptr(&scratch);
	struct falco_frame *f;

	/* Whoever interrupts us between the two lines restores level: no atomic needed. */
	if (unlikely(s->level == LEVELS)) {
		*cause = FALCO_LOST_NESTED;
		return NULL;
	}
	f = &s->frames[s->level];
	if (unlikely(!f->buf)) {
		*cause = FALCO_LOST_NO_MEMORY;
		return NULL;
	}
	s->level++;
	barrier(); /* taken, before it is written to */
	return f;
}

static void release_frame(void)
{
	barrier();
	this_cpu_ptr(&scratch)->level--;
}

static u32 nested_flag(void)
{
	return this_cpu_ptr(&scratch)->level > 1 ? FALCO_REC_NESTED : 0;
}

static struct falco_ring *ring_of(const struct falco_gate *gate, unsigned int listener)
{
	return gate->listeners[listener].consumer->rings[smp_processor_id()];
}

#define for_each_listener(i, who) for_each_set_bit(i, &(who), FALCO_LISTENERS_MAX)

static u32 snaplen_for(const struct falco_gate *gate, unsigned long who)
{
	unsigned int i;
	u32 n = 0;

	for_each_listener(i, who)
		n = max(n, gate->listeners[i].consumer->snaplen);
	return n;
}

static bool anybody_asked(const struct falco_gate *gate, unsigned long who, u32 flag)
{
	unsigned int i;

	for_each_listener(i, who)
		if (gate->listeners[i].selection->flags & flag)
			return true;
	return false;
}

/* Behind the parameters, for all: who did not ask skips it. */
static void extend(const struct falco_gate *gate, unsigned long who, struct falco_frame *f,
		   const struct falco_call *c)
{
	if (falco_opens_file(f->type) && c->ret >= 0 &&
	    anybody_asked(gate, who, FALCO_FILTER_REALPATH))
		falco_ext_realpath(f, c->ret);
}

static void lose(const struct falco_gate *gate, unsigned long who, u16 type, unsigned int cause)
{
	u64 ns = ktime_get_boottime_ns();
	unsigned int i;

	for_each_listener(i, who)
		falco_ring_lose(ring_of(gate, i), type, cause, ns);
}

/* Gather the event once, hand it to everybody in @who. */
static void record(const struct falco_gate *gate, unsigned long who, u16 type,
		   const struct falco_call *c)
{
	struct falco_frame *f;
	unsigned int cause, i;
	u64 ns;

	if (WARN_ON_ONCE(in_nmi())) /* no tracepoint of ours is in such code */
		return;
	for_each_listener(i, who)
		falco_ring_produced(ring_of(gate, i), type);
	f = claim_frame(&cause);
	if (unlikely(!f)) {
		lose(gate, who, type, cause);
		return;
	}
	falco_frame_begin(f, type, c->task->pid, snaplen_for(gate, who));
	f->flags |= nested_flag() | (c->compat ? FALCO_REC_COMPAT : 0);
	falco_events[type].fill(f, c);
	falco_frame_end(f);
	extend(gate, who, f, c);

	ns = ktime_get_boottime_ns(); /* once for all, as late as can be */
	for_each_listener(i, who)
		falco_ring_commit(ring_of(gate, i), f, ns);
	release_frame();
}

/* ---- system calls ---- */

static bool is_clone(u16 sc)
{
	return sc == FALCO_SC_CLONE || sc == FALCO_SC_CLONE3 ||
	       sc == FALCO_SC_FORK || sc == FALCO_SC_VFORK;
}

/* Events that another hook tells of, with more to say. */
static bool told_elsewhere(const struct falco_call *c)
{
	if (c->ret != 0)
		return false;
	if (c->sc == FALCO_SC_EXECVE || c->sc == FALCO_SC_EXECVEAT)
		return true; /* sched_process_exec; here the registers are the new program's */
	return !IS_ENABLED(CONFIG_X86_64) && is_clone(c->sc); /* the child: sched_process_fork */
}

void falco_record_sys_exit(const struct falco_gate *gate, struct pt_regs *regs, long ret, int nr,
			   enum falco_abi abi)
{
	const struct falco_syscall_desc *desc;
	struct falco_call c;
	unsigned long who;

	if (falco_gate_refuses(gate, abi, ret))
		return;
	desc = falco_args_get(&c, regs, nr, abi);
	c.ret = falco_args_ret(&c, ret);
	if (told_elsewhere(&c))
		return;
	who = falco_gate_listeners(gate, c.task, c.sc, FALCO_AT_EXIT, c.ret < 0);
	if (who)
		who = falco_gate_by_fd(gate, who, c.sc, c.args[0]);
	if (!who)
		return;
	c.nmessages = falco_args_messages(&c);
	do {
		record(gate, who, desc->exit ? desc->exit : FALCO_EV_GENERIC_X, &c);
	} while (++c.message < c.nmessages);
}

void falco_record_sys_enter(const struct falco_gate *gate, struct pt_regs *regs, int nr,
			    enum falco_abi abi)
{
	const struct falco_syscall_desc *desc;
	struct falco_call c;
	unsigned long who;

	desc = falco_args_get(&c, regs, nr, abi);
	if (!desc->enter)
		return; /* a socketcall other than connect */
	who = falco_gate_listeners(gate, c.task, c.sc, FALCO_AT_ENTER, false);
	if (who)
		record(gate, who, desc->enter, &c);
}

/* ---- tracepoints: no registers, and arguments are zero ---- */

void falco_record_exec(const struct falco_gate *gate, struct task_struct *task,
		       struct linux_binprm *bprm)
{
	struct falco_call c = { .task = task, .sc = FALCO_SC_EXECVE, .bprm = bprm };
	unsigned long who;

	/* Which of the two calls it was cannot be seen here, and both have this event. */
	who = falco_gate_listeners(gate, task, FALCO_SC_EXECVE, FALCO_AT_EXIT, false) |
	      falco_gate_listeners(gate, task, FALCO_SC_EXECVEAT, FALCO_AT_EXIT, false);
	if (who)
		record(gate, who, FALCO_EV_EXECVE_X, &c);
}

void falco_record_exit(const struct falco_gate *gate, struct task_struct *task)
{
	struct falco_call c = { .task = task, .sc = FALCO_SC_SCHED_PROCESS_EXIT };
	unsigned long who = falco_gate_listeners(gate, task, c.sc, FALCO_AT_EXIT, false);

	if (who)
		record(gate, who, FALCO_EV_PROCEXIT_E, &c);
}

void falco_record_fork(const struct falco_gate *gate, struct task_struct *parent,
		       struct task_struct *child)
{
	struct falco_call c = { .task = child, .sc = FALCO_SC_CLONE, .parent = parent };
	unsigned long who;

	who = falco_gate_listeners(gate, child, FALCO_SC_CLONE, FALCO_AT_EXIT, false) |
	      falco_gate_listeners(gate, child, FALCO_SC_CLONE3, FALCO_AT_EXIT, false);
	if (who)
		record(gate, who, FALCO_EV_CLONE_X, &c);
}

void falco_record_switch(const struct falco_gate *gate, struct task_struct *prev,
			 struct task_struct *next)
{
	struct falco_call c = { .task = prev, .sc = FALCO_SC_SCHED_SWITCH, .next = next };
	unsigned long who = falco_gate_listeners(gate, prev, c.sc, FALCO_AT_EXIT, false);

	if (who)
		record(gate, who, FALCO_EV_SWITCH_E, &c);
}

void falco_record_signal(const struct falco_gate *gate, int sig, const struct kernel_siginfo *info)
{
	struct falco_call c = {
		.task = current,
		.sc = FALCO_SC_SIGNAL_DELIVER,
		.args = { sig },
		.info = info,
	};
	unsigned long who = falco_gate_listeners(gate, c.task, c.sc, FALCO_AT_EXIT, false);

	if (who)
		record(gate, who, FALCO_EV_SIGNALDELIVER_E, &c);
}

/*
 * Our own copies from user memory fault, too, and so do those that a profiler
 * makes in an NMI. The former are not the task's doing, the latter come where
 * we must not be: both are no events.
 */
void falco_record_fault(const struct falco_gate *gate, u16 sc, unsigned long address,
			struct pt_regs *regs, unsigned long error_code)
{
	struct falco_call c = {
		.task = current,
		.sc = sc,
		.args = { address, instruction_pointer(regs), error_code },
	};
	unsigned long who;

	if (in_nmi() || (in_task() && this_cpu_read(scratch.level)))
		return;
	who = falco_gate_listeners(gate, c.task, sc, FALCO_AT_EXIT, false);
	if (who)
		record(gate, who, FALCO_EV_PAGE_FAULT_E, &c);
}

/* ---- memory ---- */

int falco_record_prepare(unsigned int cpu)
{
	struct scratch *s = per_cpu_ptr(&scratch, cpu);
	unsigned int i;

	for (i = 0; i < LEVELS; i++) {
		struct falco_frame *f = &s->frames[i];

		if (f->buf)
			continue; /* the CPU was here before */
		f->size = frame_size[i];
		f->buf = kvmalloc_node(f->size, GFP_KERNEL, cpu_to_node(cpu));
		if (!f->buf)
			return -ENOMEM;
	}
	return 0;
}

void falco_record_free(void)
{
	unsigned int cpu, i;

	for_each_possible_cpu(cpu) {
		struct scratch *s = per_cpu_ptr(&scratch, cpu);

		for (i = 0; i < LEVELS; i++)
			kvfree(s->frames[i].buf);
	}
}
