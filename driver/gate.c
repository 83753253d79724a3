// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Wanted or not. See gate.h.
 */
#include "gate.h"

#include <linux/err.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat/rcupdate.h"
#include "consumer.h"
#include "file.h"
#include "probe.h"

static struct falco_gate closed; /* while nobody listens; never freed */

struct falco_gate __rcu *falco_gate = (struct falco_gate __rcu *)&closed;

unsigned long falco_sieve[FALCO_SIDES][BITS_TO_LONGS(FALCO_NR_MAX)];
bool falco_sieve_failures;

/* ---- for hooks ---- */

static bool is_ignored(const struct falco_selection *s, const struct task_struct *task)
{
	u32 i;

	for (i = 0; i < s->ntgids; i++)
		if (s->tgids[i] == (u32)task->tgid)
			return s->heard_tid != (u32)task->pid;
	return false;
}

u32 falco_gate_without(const struct falco_gate *g, u32 who, const struct task_struct *task)
{
	unsigned long left = who & g->ignoring;
	unsigned int i;

	for_each_set_bit(i, &left, FALCO_LISTENERS_MAX)
		if (is_ignored(g->listeners[i].selection, task))
			who &= ~BIT(i);
	return who;
}

unsigned long falco_gate_listeners(const struct falco_gate *g, const struct task_struct *task,
				   u16 sc, enum falco_side side, bool failed)
{
	unsigned long who = 0;
	u32 i;

	for (i = 0; i < g->n; i++) {
		const struct falco_selection *s = g->listeners[i].selection;

		if (!test_bit(sc, s->sc))
			continue;
		if (side == FALCO_AT_ENTER && !(s->flags & FALCO_FILTER_ENTER))
			continue;
		if (failed && (s->flags & FALCO_FILTER_SUCCESS))
			continue;
		if (is_ignored(s, task))
			continue;
		who |= BIT(i);
	}
	return who;
}

unsigned long falco_gate_by_fd(const struct falco_gate *g, unsigned long who, u16 sc, s32 fd)
{
	u32 kind = 0, i;

	if (likely(!test_bit(sc, g->fd_sc)))
		return who;
	for (i = 0; i < g->n; i++) {
		const struct falco_selection *s = g->listeners[i].selection;

		if (!(who & BIT(i)) || !test_bit(sc, s->fd_sc))
			continue;
		if (!kind)
			kind = falco_file_kind(fd);
		if (!(s->fd_kinds & kind))
			who &= ~BIT(i);
	}
	return who;
}

/* ---- for writers ---- */

struct falco_selection *falco_selection_alloc(const struct falco_filter *filter)
{
	const u32 known = FALCO_FILTER_SUCCESS | FALCO_FILTER_ENTER | FALCO_FILTER_REALPATH;
	struct falco_selection *s;
	u32 i;

	if (filter->flags & ~known)
		return ERR_PTR(-EINVAL);
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return ERR_PTR(-ENOMEM);
	s->flags = filter->flags;
	BUILD_BUG_ON(sizeof(s->sc) != sizeof(filter->syscalls)); /* 64-bit words on both sides */
	memcpy(s->sc, filter->syscalls, sizeof(s->sc));
	memcpy(s->fd_sc, filter->fd_syscalls, sizeof(s->fd_sc));
	s->fd_kinds = filter->fd_kinds;
	s->heard_tid = filter->heard_tid;
	for (i = 0; i < FALCO_IGNORED_TGIDS; i++)
		if (filter->ignored_tgids[i])
			s->tgids[s->ntgids++] = filter->ignored_tgids[i];
	return s;
}

static void free_selection(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct falco_selection, rcu));
}

void falco_selection_free(struct falco_selection *s)
{
	if (s)
		call_rcu(&s->rcu, free_selection);
}

static void free_gate(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct falco_gate, rcu));
}

struct falco_gate *falco_gate_alloc(void)
{
	/* No more than two pages, and close() has nobody to tell that there is no memory. */
	BUILD_BUG_ON(sizeof(struct falco_gate) > 2 * PAGE_SIZE);
	return kzalloc(sizeof(struct falco_gate), GFP_KERNEL | __GFP_NOFAIL);
}

void falco_gate_free(struct falco_gate *g)
{
	kfree(g);
}

static void open_side(struct falco_gate *g, enum falco_side side, enum falco_abi abi,
		      unsigned int nr)
{
	__set_bit(nr, g->open[side][abi]);
	if (abi == FALCO_ABI_NATIVE)
		g->who[side][nr] |= BIT(g->n);
}

/* For the listener who becomes number g->n. */
static void open_for(struct falco_gate *g, const struct falco_selection *s, enum falco_abi abi,
		     unsigned int nr, const struct falco_syscall_desc *desc)
{
	if (!test_bit(desc->sc, s->sc))
		return;
	open_side(g, FALCO_AT_EXIT, abi, nr);
	if (desc->enter && (s->flags & FALCO_FILTER_ENTER))
		open_side(g, FALCO_AT_ENTER, abi, nr);
}

#ifdef CONFIG_X86_64
/* A socketcall is wanted if any of the calls inside is. */
static void open_for_socketcall(struct falco_gate *g, const struct falco_selection *s,
				unsigned int nr)
{
	const struct falco_syscall_desc *desc;
	unsigned int i;

	for (i = 1; (desc = falco_args_socketcall(i)); i++)
		open_for(g, s, FALCO_ABI_32, nr, desc);
}
#endif

/* Beside those of system calls, which follow from what is open. */
static u32 hooks_for(const struct falco_selection *s)
{
	u32 hooks = 0;

	if (test_bit(FALCO_SC_EXECVE, s->sc) || test_bit(FALCO_SC_EXECVEAT, s->sc))
		hooks |= BIT(FALCO_HOOK_EXEC);
	if (test_bit(FALCO_SC_SCHED_PROCESS_EXIT, s->sc))
		hooks |= BIT(FALCO_HOOK_EXIT);
	if (test_bit(FALCO_SC_SCHED_SWITCH, s->sc))
		hooks |= BIT(FALCO_HOOK_SWITCH);
	if (test_bit(FALCO_SC_SIGNAL_DELIVER, s->sc))
		hooks |= BIT(FALCO_HOOK_SIGNAL);
	if (test_bit(FALCO_SC_PAGE_FAULT_USER, s->sc))
		hooks |= BIT(FALCO_HOOK_FAULT_USER);
	if (test_bit(FALCO_SC_PAGE_FAULT_KERNEL, s->sc))
		hooks |= BIT(FALCO_HOOK_FAULT_KERNEL);
#ifndef CONFIG_X86_64
	if (test_bit(FALCO_SC_CLONE, s->sc) || test_bit(FALCO_SC_CLONE3, s->sc))
		hooks |= BIT(FALCO_HOOK_FORK);
#endif
	return hooks;
}

bool falco_gate_add(struct falco_gate *g, struct falco_consumer *consumer,
		    const struct falco_selection *s)
{
	unsigned int nr, i;

	if (g->n == FALCO_LISTENERS_MAX)
		return false;
	g->listeners[g->n].consumer = consumer;
	g->listeners[g->n].selection = s;
	g->listeners[g->n].rings = consumer->rings;
	g->listeners[g->n].snaplen = consumer->snaplen;
	if (s->flags & FALCO_FILTER_SUCCESS)
		g->success |= BIT(g->n);
	if (s->flags & FALCO_FILTER_REALPATH)
		g->realpath |= BIT(g->n);
	if (s->ntgids)
		g->ignoring |= BIT(g->n);
	for (i = 0; i < s->ntgids; i++)
		g->ignored |= BIT_ULL(s->tgids[i] % 64);
	g->hooks |= hooks_for(s);
	g->failures |= !(s->flags & FALCO_FILTER_SUCCESS);
	bitmap_or(g->fd_sc, g->fd_sc, s->fd_sc, FALCO_SC_MAX);
	for (nr = 0; nr < FALCO_NR_MAX; nr++) {
		open_for(g, s, FALCO_ABI_NATIVE, nr, &falco_syscalls[nr]);
		open_for(g, s, FALCO_ABI_32, nr, &falco_syscalls32[nr]);
#ifdef CONFIG_X86_64
		if (falco_syscalls32[nr].sc == FALCO_SC_SOCKETCALL)
			open_for_socketcall(g, s, nr);
#endif
	}
	g->n++;
	g->simple = g->n == 1 && bitmap_empty(g->fd_sc, FALCO_SC_MAX);
	if (memchr_inv(g->open[FALCO_AT_EXIT], 0, sizeof(g->open[FALCO_AT_EXIT])))
		g->hooks |= BIT(FALCO_HOOK_SYS_EXIT);
	if (memchr_inv(g->open[FALCO_AT_ENTER], 0, sizeof(g->open[FALCO_AT_ENTER])))
		g->hooks |= BIT(FALCO_HOOK_SYS_ENTER);
	return true;
}

static void set_sieve(const struct falco_gate *g, const struct falco_gate *or)
{
	unsigned int side, i;

	WRITE_ONCE(falco_sieve_failures, g->failures || or->failures);
	for (side = 0; side < FALCO_SIDES; side++)
		for (i = 0; i < ARRAY_SIZE(falco_sieve[side]); i++)
			WRITE_ONCE(falco_sieve[side][i], g->open[side][FALCO_ABI_NATIVE][i] |
							 or->open[side][FALCO_ABI_NATIVE][i]);
}

void falco_gate_publish(struct falco_gate *g)
{
	struct falco_gate *old;

	if (!g->n) {
		falco_gate_free(g);
		g = &closed;
	}
	old = rcu_dereference_protected(falco_gate, lockdep_is_held(&falco_lock));
	set_sieve(g, old); /* both, so that no call falls between the two */
	rcu_assign_pointer(falco_gate, g);
	set_sieve(g, g);
	if (old != &closed)
		call_rcu(&old->rcu, free_gate);
}
