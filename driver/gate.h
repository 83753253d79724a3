/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Wanted or not, and by whom: one snapshot of all that the hooks need to know,
 * replaced as a whole whenever a consumer starts, stops or changes its mind.
 *
 * Readers are the hooks, with preemption off; that is the read side of
 * falco_gate. Writers hold falco_lock (consumer.h).
 */
#ifndef _FALCO_GATE_H
#define _FALCO_GATE_H

#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#include "args.h"
#include "schema_gen.h"

struct falco_consumer;

#define FALCO_LISTENERS_MAX 32 /* consumers started at a time */

/* What one consumer wants; constant once it is in a gate. */
struct falco_selection {
	struct rcu_head rcu;
	u32 flags;      /* FALCO_FILTER_* */
	u32 ntgids;
	u32 tgids[FALCO_IGNORED_TGIDS];
	u32 heard_tid;  /* of one of these, and told of all the same */
	u32 fd_kinds;   /* FALCO_FD_*: the calls in fd_sc are wanted of these */
	DECLARE_BITMAP(sc, 512);
	DECLARE_BITMAP(fd_sc, 512);
};

struct falco_listener {
	struct falco_consumer *consumer;
	const struct falco_selection *selection;
	struct falco_ring *__percpu *rings; /* the consumer's */
	u32 snaplen;               /* the consumer's */
};

enum falco_side {
	FALCO_AT_EXIT,
	FALCO_AT_ENTER,
	FALCO_SIDES
};

struct falco_gate {
	struct rcu_head rcu;
	u32 hooks;      /* which of probe.h's are needed */
	u32 n;
	u32 success;    /* listeners who want no failed calls */
	bool simple;    /* one listener, and the kinds of descriptors are all the same to him */
	bool failures;  /* somebody wants calls that fail */
	u32 realpath;   /* listeners who want opened files' paths */
	u32 ignoring;   /* listeners who ignore some thread group */
	u64 ignored;    /* by the low bits of a thread group's number: one that somebody ignores? */
	struct falco_listener listeners[FALCO_LISTENERS_MAX];
	/* Who wants a native call: what is asked at each of them is asked when the gate is made. */
	u32 who[FALCO_SIDES][FALCO_NR_MAX];
	/* By SC code: somebody wants the call of some kinds of descriptors only. */
	DECLARE_BITMAP(fd_sc, 512);
	/* By the caller's own numbers, so that nothing is translated before the test. */
	DECLARE_BITMAP(open[FALCO_SIDES][FALCO_ABIS], FALCO_NR_MAX);
};

extern struct falco_gate __rcu *falco_gate; /* never NULL */

/*
 * What the gate has open for native numbers, or a little more while it changes.
 * It is always there, so that an unwanted call needs no read side to look at it.
 */
extern unsigned long falco_sieve[FALCO_SIDES][BITS_TO_LONGS(FALCO_NR_MAX)];

/*
 * Whether a native call is worth a closer look. This is all that an unwanted
 * call pays for: ten instructions, no stack, no atomic.
 */
static __always_inline bool falco_sieve_passes(enum falco_side side, unsigned long nr)
{
	return test_bit(nr, falco_sieve[side]);
}

/* Somebody wants calls that fail; kept as the sieve is. */
extern bool falco_sieve_failures;

/* Whether nobody wants a call because of what it returned: the sieve's second half. */
static __always_inline bool falco_sieve_stops(long ret)
{
	return unlikely(ret < 0) && !READ_ONCE(falco_sieve_failures);
}

/* The closer look. */
static inline bool falco_gate_is_open(const struct falco_gate *g, enum falco_side side,
				      enum falco_abi abi, int nr)
{
	return test_bit(nr, g->open[side][abi]);
}

/* The bits of @who without those who ignore the task's thread group. */
u32 falco_gate_without(const struct falco_gate *g, u32 who, const struct task_struct *task);

/*
 * Who wants an event of native call @nr: a bit for each entry of g->listeners.
 * @failed: the call returned an error.
 */
static __always_inline u32 falco_gate_native(const struct falco_gate *g, enum falco_side side,
					     unsigned long nr, bool failed)
{
	u32 who = g->who[side][nr];

	if (failed)
		who &= ~g->success;
	if (!who)
		return 0;
	if (unlikely(g->ignored >> ((u32)current->tgid % 64) & 1))
		who = falco_gate_without(g, who, current);
	return who;
}

/* The same for whatever has an SC code: other tables' calls, tracepoints. */
unsigned long falco_gate_listeners(const struct falco_gate *g, const struct task_struct *task,
				   u16 sc, enum falco_side side, bool failed);

/* Whether nobody wants the call because of what it returned. Cheap, and may miss some. */
static __always_inline bool falco_gate_refuses(const struct falco_gate *g, enum falco_abi abi,
					       long ret)
{
	if (likely(g->failures))
		return false;
	return IS_ERR_VALUE(abi == FALCO_ABI_NATIVE ? ret : (long)(s32)ret);
}

/* Those of @who that want call @sc although its descriptor is @fd. */
unsigned long falco_gate_by_fd(const struct falco_gate *g, unsigned long who, u16 sc, s32 fd);

/* ---- for writers ---- */

/* An error pointer if @filter makes no sense, or without memory. Sleeps. */
struct falco_selection *falco_selection_alloc(const struct falco_filter *filter);
void falco_selection_free(struct falco_selection *s); /* after a grace period */

/* An empty gate; never NULL. Sleeps. */
struct falco_gate *falco_gate_alloc(void);
void falco_gate_free(struct falco_gate *g); /* one that was never published */

/* False if the gate is full. */
bool falco_gate_add(struct falco_gate *g, struct falco_consumer *consumer,
		    const struct falco_selection *s);

/* Make @g the one that hooks see, and ours no more; the one before goes after a grace period. */
void falco_gate_publish(struct falco_gate *g);

#endif /* _FALCO_GATE_H */
