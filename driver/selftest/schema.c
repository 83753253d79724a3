// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Whether the generated tables and the hand-written code believe the same:
 * rows that the walker can serve, fillers that write what their rows say.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "selftest.h"

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>

#include <asm/unistd.h>

#include "../args.h"
#include "../fill.h"
#include "../flat.h"
#include "../write.h"

#define FRAME_BYTES 65536

static bool has_filler(u16 type)
{
	return type == 0 || (type < FALCO_EV_MAX && falco_events[type].fill);
}

static bool test_syscalls(const struct falco_syscall_desc *table, const char *name)
{
	unsigned int nr;

	for (nr = 0; nr < FALCO_NR_MAX; nr++) {
		const struct falco_syscall_desc *d = &table[nr];

		if (d->sc >= FALCO_SC_MAX || !has_filler(d->exit) || !has_filler(d->enter)) {
			pr_err("schema self-test: %s: row of number %u\n", name, nr);
			return false;
		}
	}
	if (table[FALCO_NR_OTHER].sc != FALCO_SC_UNKNOWN) {
		pr_err("schema self-test: %s: the last row stands for unknown numbers\n", name);
		return false;
	}
	return true;
}

/* A few rows that a compiler of this architecture knows by itself. */
static bool test_numbers(void)
{
	static const struct {
		u16 nr, sc, exit;
	} known[] = {
		{ __NR_openat, FALCO_SC_OPENAT, FALCO_EV_OPENAT_X },
		{ __NR_execve, FALCO_SC_EXECVE, FALCO_EV_EXECVE_X },
		{ __NR_clone, FALCO_SC_CLONE, FALCO_EV_CLONE_X },
		{ __NR_connect, FALCO_SC_CONNECT, FALCO_EV_CONNECT_X },
		{ __NR_close, FALCO_SC_CLOSE, FALCO_EV_CLOSE_X },
		{ __NR_setns, FALCO_SC_SETNS, FALCO_EV_SETNS_X },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		const struct falco_syscall_desc *d = &falco_syscalls[known[i].nr];

		if (d->sc != known[i].sc || (d->exit && d->exit != known[i].exit)) {
			pr_err("schema self-test: number %u is not call %u\n", known[i].nr,
			       known[i].sc);
			return false;
		}
	}
	return true;
}

static bool auto_can(const struct falco_param_desc *p)
{
	switch (p->type) {
	case FALCO_PT_NONE:
	case FALCO_PT_BYTEBUF:
	case FALCO_PT_SOCKADDR:
	case FALCO_PT_SOCKTUPLE:
	case FALCO_PT_FDLIST:
	case FALCO_PT_DYN:
		return false;
	}
	return p->from != FALCO_FROM_CODE && p->arg < 6 && p->map < FALCO_MAP_MAX;
}

static bool test_events(void)
{
	unsigned int type, i;

	for (type = 0; type < FALCO_EV_MAX; type++) {
		const struct falco_event_desc *e = &falco_events[type];

		if (!e->fill)
			continue;
		for (i = 0; i < e->nparams; i++) {
			if (e->nparams > 32 ||
			    (e->fill == falco_fill_auto && !auto_can(&e->params[i]))) {
				pr_err("schema self-test: event %u, parameter %u\n", type, i);
				return false;
			}
		}
	}
	return true;
}

/* Events that need more of their tracepoint than can be made up here. */
static bool needs_tracepoint(unsigned int type, s64 ret)
{
	return type == FALCO_EV_SWITCH_E || type == FALCO_EV_PAGE_FAULT_E ||
	       type == FALCO_EV_SIGNALDELIVER_E ||
	       (type == FALCO_EV_EXECVE_X && ret == 0);
}

/*
 * Every filler writes each of its parameters once, in its type's width (the
 * writers of a debug build look), whatever the caller passed.
 */
static bool test_fillers(struct falco_frame *f, s64 ret, u64 arg)
{
	struct falco_call c = {
		.task = current,
		.regs = task_pt_regs(current),
		.args = { arg, arg, arg, arg, arg, arg },
		.ret = ret,
	};
	unsigned int type;
	bool pass = true;

	for (type = 0; type < FALCO_EV_MAX; type++) {
		if (!falco_events[type].fill || needs_tracepoint(type, ret))
			continue;
		preempt_disable();
		falco_frame_begin(f, type, current->pid, 80);
		falco_events[type].fill(f, &c);
		preempt_enable();
		if (f->broken || f->param != f->nparams || f->len > FALCO_EVENT_MAX) {
			pr_err("schema self-test: event %u, ret %lld, args %#llx: %u of %u parameters%s\n",
			       type, ret, arg, f->param, f->nparams, f->broken ? ", broken" : "");
			pass = false;
		}
	}
	return pass;
}

static void regs_set_nr(struct pt_regs *regs, int nr)
{
#ifdef CONFIG_X86_64
	regs->orig_ax = nr;
#elif defined(CONFIG_ARM64)
	regs->syscallno = nr;
#endif
}

/* Both ways to an event that is nothing but registers give the same bytes. */
static bool test_flat(struct falco_frame *f, u8 *flat, u8 seed)
{
	const struct falco_flat *way;
	struct pt_regs regs;
	struct falco_call c = { .task = current, .regs = &regs };
	struct falco_event_header *h;
	unsigned int nr, i;

	for (i = 0; i < sizeof(regs); i++)
		((u8 *)&regs)[i] = seed + i * 37;
	for (nr = 0; nr < FALCO_NR_MAX; nr++) {
		way = falco_flat_calls[nr];
		if (!way)
			continue;
		regs_set_nr(&regs, nr);
		for (i = 0; i < ARRAY_SIZE(c.args); i++)
			c.args[i] = falco_arg(&regs, i);
		c.ret = (s8)seed;
		c.sc = falco_syscalls[nr].sc;
		c.native_nr = nr;

		falco_frame_begin(f, way->type, 0, 80);
		falco_events[way->type].fill(f, &c);
		falco_frame_end(f);
		h = (struct falco_event_header *)flat;
		h->ts = 0;
		h->tid = 0;
		way->put(flat, &regs, c.ret);
		if (h->len != f->len || memcmp(flat, f->buf, f->len) ||
		    way->size != ALIGN(sizeof(struct falco_record_prefix) + f->len, 8)) {
			pr_err("schema self-test: call %u, event %u: flat and walked differ\n",
			       nr, way->type);
			return false;
		}
	}
	return true;
}

/* Whether falco_read_words() reads any: else strings are left to the fillers. */
#ifdef FALCO_HAVE_ACCESS_OK_2
#define READS_WORDS true
#else
#define READS_WORDS false
#endif

/*
 * The same for events with strings: every argument is @arg, which is NULL or a
 * string that the task has in its memory.
 */
static bool test_strings(struct falco_frame *f, u8 *put, u64 arg)
{
	const struct falco_data *way;
	struct pt_regs regs;
	struct falco_call c = { .task = current, .regs = &regs, .ret = 7 };
	struct falco_event_header *h = (struct falco_event_header *)put;
	unsigned int nr, i, same = 0;
	u32 flags;

	for (i = 0; i < sizeof(regs) / sizeof(arg); i++)
		((u64 *)&regs)[i] = arg;
	for (nr = 0; nr < FALCO_NR_MAX; nr++) {
		way = falco_data_calls[nr];
		if (!way || way != &falco_strings[way->type])
			continue;
		regs_set_nr(&regs, nr);
		for (i = 0; i < ARRAY_SIZE(c.args); i++)
			c.args[i] = falco_arg(&regs, i);
		c.sc = falco_syscalls[nr].sc;
		c.native_nr = nr;

		falco_frame_begin(f, way->type, 0, 80);
		falco_events[way->type].fill(f, &c);
		falco_frame_end(f);
		flags = way->put(put, &regs, c.ret, FALCO_DATA_MAX);
		h->ts = 0;
		h->tid = 0;
		if (flags == FALCO_PUT_NONE && !READS_WORDS) {
			same++; /* a filler's, all of them */
			continue;
		}
		if (flags || f->flags || h->len != f->len || memcmp(put, f->buf, f->len) ||
		    sizeof(struct falco_record_prefix) + f->len > way->bound) {
			pr_err("schema self-test: call %u, event %u: put and walked differ\n",
			       nr, way->type);
			return false;
		}
		same++;
	}
	return same > 0;
}

static bool test_all_fillers(void)
{
	static const u64 args[] = { 0, 1, 2, 4096, 1ULL << 47, U64_MAX };
	static const s64 rets[] = { 0, 1, -ENOENT };
	struct falco_frame f = { .size = FRAME_BYTES };
	unsigned int i, j;
	u8 flat[FALCO_DATA_MAX + 256];
	bool pass = true;

	f.buf = kvmalloc(f.size, GFP_KERNEL);
	if (!f.buf)
		return false;
	for (i = 0; i < ARRAY_SIZE(args); i++)
		for (j = 0; j < ARRAY_SIZE(rets); j++)
			pass &= test_fillers(&f, rets[j], args[i]);
	for (i = 0; i < 256 && pass; i++)
		pass = test_flat(&f, flat, i);
	pass &= test_strings(&f, flat, 0);
	if (current->mm) /* insmod's, as a rule */
		pass &= test_strings(&f, flat, current->mm->arg_start);
	kvfree(f.buf);
	return pass;
}

bool falco_selftest_schema(void)
{
	bool pass = test_syscalls(falco_syscalls, "64-bit") &&
		    test_syscalls(falco_syscalls32, "32-bit") && test_numbers() && test_events();

	pass = pass && test_all_fillers();
	pr_info("schema self-test: %s\n", pass ? "pass" : "FAIL");
	return pass;
}
