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
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "compat/rcupdate.h"
#include "compat/timekeeping.h"
#include "consumer.h"
#include "fill.h"
#include "flat.h"
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

/* NULL if there is none to be had; cause_of_none() says why. */
static __always_inline struct falco_frame *claim_frame(void)
{
	struct scratch *s = this_cpu_ptr(&scratch);
	struct falco_frame *f = &s->frames[s->level];

	/* Whoever interrupts us between the two lines restores level: no atomic needed. */
	if (unlikely(s->level == LEVELS || !f->buf))
		return NULL;
	s->level++;
	barrier(); /* taken, before it is written to */
	return f;
}

static unsigned int cause_of_none(void)
{
	return this_cpu_read(scratch.level) == LEVELS ? FALCO_LOST_NESTED : FALCO_LOST_NO_MEMORY;
}

static __always_inline void release_frame(void)
{
	barrier();
	this_cpu_dec(scratch.level);
}

static u32 nested_flag(void)
{
	return this_cpu_read(scratch.level) > 1 ? FALCO_REC_NESTED : 0;
}

static struct falco_ring *ring_of(const struct falco_gate *gate, unsigned int listener)
{
	return *this_cpu_ptr(gate->listeners[listener].rings);
}

/* @left: the bits of those who come after i, in which the loop's author has no interest. */
#define for_each_listener(i, left, who) \
	for (left = (who); left && (i = __ffs(left), true); left &= left - 1)

static u32 snaplen_for(const struct falco_gate *gate, unsigned long who)
{
	unsigned long left;
	unsigned int i;
	u32 n = 0;

	for_each_listener(i, left, who)
		n = max(n, gate->listeners[i].snaplen);
	return n;
}

/* Behind the parameters, for all: who did not ask skips it. */
static noinline void extend(struct falco_frame *f, const struct falco_call *c)
{
	if (falco_opens_file(f->type) && c->ret >= 0)
		falco_ext_realpath(f, c->ret);
}

static void lose(const struct falco_gate *gate, unsigned long who, u16 type, unsigned int cause)
{
	u64 ns = ktime_get_boottime_ns();
	unsigned long left;
	unsigned int i;

	for_each_listener(i, left, who)
		falco_ring_lose(ring_of(gate, i), type, cause, ns);
}

/* Gather the event once, hand it to everybody in @who. */
static __always_inline void record_inline(const struct falco_gate *gate, unsigned long who,
					  u16 type, const struct falco_call *c)
{
	struct falco_frame *f;
	unsigned long left;
	unsigned int i;
	u64 ns;

	if (WARN_ON_ONCE(in_nmi())) /* no tracepoint of ours is in such code */
		return;
	for_each_listener(i, left, who)
		falco_ring_produced(ring_of(gate, i), type);
	f = claim_frame();
	if (unlikely(!f)) {
		lose(gate, who, type, cause_of_none());
		return;
	}
	falco_frame_begin(f, type, c->task->pid, snaplen_for(gate, who));
	f->flags |= nested_flag() | (c->compat ? FALCO_REC_COMPAT : 0);
	falco_events[type].fill(f, c);
	falco_frame_end(f);
	if (unlikely(gate->realpath & who))
		extend(f, c);

	ns = ktime_get_boottime_ns(); /* once for all, as late as can be */
	for_each_listener(i, left, who)
		falco_ring_commit(ring_of(gate, i), f, ns);
	release_frame();
}

static noinline void record(const struct falco_gate *gate, unsigned long who, u16 type,
			    const struct falco_call *c)
{
	record_inline(gate, who, type, c);
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

/* A call that moves several messages is an event for each. */
static __always_inline void record_messages(const struct falco_gate *gate, unsigned long who,
					    const struct falco_syscall_desc *desc,
					    struct falco_call *c)
{
	c->message = 0;
	c->nmessages = falco_args_messages(c);
	do {
		record(gate, who, desc->exit ? desc->exit : FALCO_EV_GENERIC_X, c);
	} while (unlikely(++c->message < c->nmessages));
}

static noinline notrace void record_native(unsigned long nr, struct pt_regs *regs, long ret)
{
	const struct falco_syscall_desc *desc;
	const struct falco_gate *gate;
	struct falco_call c;
	u32 who;

	preempt_disable_notrace();
	gate = rcu_dereference_sched(falco_gate);
	who = falco_gate_native(gate, FALCO_AT_EXIT, nr, ret < 0);
	if (who) {
		desc = falco_args_get_native(&c, regs, nr);
		c.ret = ret;
		if (!gate->simple)
			who = falco_gate_by_fd(gate, who, c.sc, c.args[0]);
		if (who && !told_elsewhere(&c))
			record_messages(gate, who, desc, &c);
	}
	preempt_enable_notrace();
}

/* There is room. */
static __always_inline void put_flat(struct falco_ring *r, const struct falco_flat *flat,
				     const struct pt_regs *regs, long ret, u64 ns)
{
	struct falco_event_header *h = falco_ring_room(r);

	falco_ring_take(r, h, flat->size, 0);
	falco_ring_pad(h, flat->size);
	h->ts = ns;
	h->tid = current->pid;
	flat->put(h, regs, ret);
	falco_ring_publish_outermost(r);
}

static noinline notrace void make_room_and_put(struct falco_ring *r, const struct falco_flat *flat,
					       const struct pt_regs *regs, long ret)
{
	if (falco_ring_make_room(r, flat->type, flat->size))
		put_flat(r, flat, regs, ret, r->last_ns);
}

/* Steps 2 to 5 for an event that is nothing but registers, and one listener. */
static __always_inline void record_flat(struct falco_ring *r, const struct falco_flat *flat,
					const struct pt_regs *regs, long ret)
{
	u64 ns;

	falco_ring_produced_at(r, flat->count);
	ns = falco_ring_stamp(r, ktime_get_boottime_ns());
	if (likely(falco_ring_has_room(r, flat->size)))
		put_flat(r, flat, regs, ret, ns);
	else
		make_room_and_put(r, flat, regs, ret);
}

/*
 * The same with data, of which nobody knows yet how much can be read. There is
 * room. False: it does not lie as this way needs it, and nothing has happened.
 */
static __always_inline bool put_data(struct falco_ring *r, const struct falco_data *data,
				     const struct pt_regs *regs, long ret, u32 snaplen)
{
	struct falco_event_header *h = falco_ring_room(r);
	u32 flags;

	this_cpu_inc(scratch.level); /* our own faults are no events */
	flags = data->put(h, regs, ret, snaplen);
	this_cpu_dec(scratch.level);
	if (unlikely(flags == FALCO_PUT_NONE))
		return false;
	falco_ring_produced_at(r, data->count);
	h->ts = falco_ring_stamp(r, ktime_get_boottime_ns());
	h->tid = current->pid;
	memset((u8 *)h + h->len, 0, sizeof(u64)); /* the padding */
	falco_ring_take(r, h, ALIGN(sizeof(struct falco_record_prefix) + h->len, 8), flags);
	falco_ring_publish_outermost(r);
	return true;
}

static noinline notrace void record_data(unsigned long nr, struct pt_regs *regs, long ret)
{
	const struct falco_data *data = falco_data_calls[nr];
	const struct falco_gate *gate;
	struct falco_ring *r;

	local_irq_disable();
	gate = rcu_dereference_sched(falco_gate);
	if (unlikely(!gate->simple))
		goto gather;
	if (falco_gate_native(gate, FALCO_AT_EXIT, nr, ret < 0)) {
		r = ring_of(gate, 0);
		if (unlikely(!falco_ring_has_room(r, data->bound)))
			goto gather;
		if (unlikely(!put_data(r, data, regs, ret, gate->listeners[0].snaplen)))
			goto gather;
	}
	local_irq_enable();
	return;

gather:
	local_irq_enable();
	record_native(nr, regs, ret);
}

static noinline notrace void record_registers(unsigned long nr, struct pt_regs *regs, long ret)
{
	const struct falco_gate *gate;

	local_irq_disable();
	gate = rcu_dereference_sched(falco_gate);
	if (unlikely(!gate->simple)) {
		local_irq_enable();
		record_native(nr, regs, ret);
		return;
	}
	if (falco_gate_native(gate, FALCO_AT_EXIT, nr, ret < 0))
		record_flat(ring_of(gate, 0), falco_flat_calls[nr], regs, ret);
	local_irq_enable();
}

/*
 * The sieve has let native call @nr pass. For the short ways interrupts are off
 * instead of preemption; the kernel leaves a system call with both on.
 */
notrace void falco_record_native(unsigned long nr, struct pt_regs *regs, long ret)
{
	lockdep_assert_irqs_enabled();
	if (falco_flat_calls[nr])
		record_registers(nr, regs, ret);
	else if (falco_sieve_stops(ret))
		return;
	else if (falco_data_calls[nr])
		record_data(nr, regs, ret);
	else
		record_native(nr, regs, ret);
}

void falco_record_native_enter(unsigned long nr, struct pt_regs *regs)
{
	const struct falco_gate *gate;
	struct falco_call c;
	u32 who;

	preempt_disable_notrace();
	gate = rcu_dereference_sched(falco_gate);
	who = falco_gate_native(gate, FALCO_AT_ENTER, nr, false);
	if (who) {
		u16 type = falco_args_get_native(&c, regs, nr)->enter;

		c.ret = 0;
		record(gate, who, type, &c);
	}
	preempt_enable_notrace();
}

/* The words of a socketcall lie in user memory: our own faults are no events. */
static const struct falco_syscall_desc *get_foreign(struct falco_call *c, struct pt_regs *regs,
						    int nr, enum falco_abi abi)
{
	const struct falco_syscall_desc *desc;

	this_cpu_inc(scratch.level);
	desc = falco_args_get_foreign(c, regs, nr, abi);
	this_cpu_dec(scratch.level);
	return desc;
}

void falco_record_foreign(const struct falco_gate *gate, struct pt_regs *regs, long ret, int nr,
			  enum falco_abi abi)
{
	const struct falco_syscall_desc *desc;
	struct falco_call c;
	unsigned long who;

	if (falco_gate_refuses(gate, abi, ret))
		return;
	desc = get_foreign(&c, regs, nr, abi);
	c.ret = falco_args_ret(&c, ret);
	if (told_elsewhere(&c))
		return;
	who = falco_gate_listeners(gate, c.task, c.sc, FALCO_AT_EXIT, c.ret < 0);
	if (who)
		who = falco_gate_by_fd(gate, who, c.sc, c.args[0]);
	if (who)
		record_messages(gate, who, desc, &c);
}

void falco_record_foreign_enter(const struct falco_gate *gate, struct pt_regs *regs, int nr,
				enum falco_abi abi)
{
	const struct falco_syscall_desc *desc;
	struct falco_call c;
	unsigned long who;

	desc = get_foreign(&c, regs, nr, abi);
	c.ret = 0;
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
		f->size = min_t(u32, frame_size[i] - FALCO_FRAME_SLACK, FALCO_EVENT_MAX);
		f->buf = kvmalloc_node(frame_size[i], GFP_KERNEL, cpu_to_node(cpu));
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
