/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * One CPU's ring of one consumer: memory, positions, and the books of what did
 * not fit. ring.c argues the memory ordering.
 */
#ifndef _FALCO_RING_H
#define _FALCO_RING_H

#include <linux/build_bug.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/mm_types.h>
#include <linux/types.h>
#include <linux/wait.h>

#include <asm/barrier.h>
#include <asm/local.h>

#include "schema_gen.h"

struct falco_frame;

struct falco_ring {
	/* The producer's: this CPU, preemption off. Interrupts nest, see ring.c. */
	u64 reserve;      /* bytes handed out since the ring came into being */
	u64 limit;        /* reserve may go so far; to go further, or if it is 0, look closer */
	u64 seq;          /* of the next event */
	u64 last_ns;      /* timestamps never fall below it */
	u64 published;    /* of the books, see below */
	u32 depth;        /* long commits under way on this CPU, one inside the other */
	u32 mask;         /* size - 1 */

	/* Constant while the consumer is started. */
	u8 *data;         /* size bytes, twice; NULL: the CPU has no ring */
	struct falco_ring_control *control;
	u32 size;
	u32 watermark;
	struct page **pages; /* the control page, then the data pages */
	u32 npages;

	u64 lost;         /* all causes, ever; for the control page */
	bool losing;      /* gap holds losses that no record tells of yet; limit is 0 then */
	struct falco_gap gap;

	struct irq_work wake;
	wait_queue_head_t *wait;

	/* The books: written here only, read by STATS from anywhere. */
	u64 hooks_base;   /* hook counter when the consumer was started */
	u64 hooks;        /* hook calls of earlier runs */
	struct falco_count counts[FALCO_EV_MAX];
};

/* The books of a CPU, without memory behind them. Sleeps. */
struct falco_ring *falco_ring_alloc(int cpu, wait_queue_head_t *wait);

/* Give @r memory of @size bytes, a power of two. Sleeps; -ENOMEM, -EINTR. */
int falco_ring_map(struct falco_ring *r, int cpu, u32 size, u32 watermark, u32 generation);

/* Nobody may be in a commit any more: a grace period after the last gate. Sleeps. */
void falco_ring_free(struct falco_ring *r);

/*
 * Interrupts are off and there is no room for a record of @size bytes, as far
 * as the ring knows: ask the reader, tell of what was lost. False: @type is
 * lost, and counted, at r->last_ns.
 */
bool falco_ring_make_room(struct falco_ring *r, u16 type, u32 size);

/* Wake the reader, who asked for it, if there is enough for him. */
void falco_ring_wake(struct falco_ring *r);

/* Pages that rings have, all together: none are left when the module goes. */
long falco_ring_pages(void);

/* One instruction or nearly so, which an interrupt cannot tear; read with READ_ONCE. */
static __always_inline void falco_count_up(u64 *n)
{
	BUILD_BUG_ON(sizeof(local_t) != sizeof(*n));
	local_inc((local_t *)n);
}

/* Count an event that passed the filter; before anything can go wrong with it. */
static __always_inline void falco_ring_produced(struct falco_ring *r, u16 type)
{
	falco_count_up(&r->counts[type].produced);
}

/* The same, of a type whose counts lie at @offset of all. */
static __always_inline void falco_ring_produced_at(struct falco_ring *r, u32 offset)
{
	falco_count_up((u64 *)((u8 *)r->counts + offset));
}

/*
 * For records that are short and written at once, with interrupts off; ring.c
 * tells why that is enough. In this order:
 *
 *   falco_ring_stamp()      the time of the event, which never steps back
 *   falco_ring_has_room()   or falco_ring_make_room()
 *   falco_ring_room()       where the event goes
 *   falco_ring_take()       the prefix; the event can be there already
 *   falco_ring_pad()        before the event: nothing of the last lap stays behind it
 *   falco_ring_publish()
 */
static __always_inline u64 falco_ring_stamp(struct falco_ring *r, u64 ns)
{
	ns = max(r->last_ns, ns);
	r->last_ns = ns;
	return ns;
}

static __always_inline bool falco_ring_has_room(const struct falco_ring *r, u32 size)
{
	return r->reserve + size <= r->limit;
}

/* Where the next event goes, if there is room for it. */
static __always_inline void *falco_ring_room(const struct falco_ring *r)
{
	return r->data + (r->reserve & r->mask) + sizeof(struct falco_record_prefix);
}

/* Make @event, which is where falco_ring_room() said, a record of @size bytes. */
static __always_inline void falco_ring_take(struct falco_ring *r, void *event, u32 size, u32 flags)
{
	struct falco_record_prefix *prefix = event - sizeof(*prefix);

	prefix->length = size;
	prefix->flags = flags;
	prefix->seq = r->seq;
	falco_count_up(&r->seq);
	falco_count_up(&r->published);
	r->reserve += size;
}

static __always_inline void falco_ring_pad(void *event, u32 size)
{
	*(u64 *)((u8 *)event - sizeof(struct falco_record_prefix) + size - sizeof(u64)) = 0;
}

/* No commit is under way on this CPU: what system calls end in is none of ours. */
static __always_inline void falco_ring_publish_outermost(struct falco_ring *r)
{
	struct falco_ring_control *control = r->control;
	u64 pos = r->reserve;

	WRITE_ONCE(control->last_ns, r->last_ns);
	/* Pairs with the reader's load-acquire: records before position. */
	smp_store_release(&control->producer_pos, pos);
	/* Our position before our look at need_wakeup; pairs with the reader's barrier. */
	smp_mb();
	if (unlikely(READ_ONCE(control->need_wakeup)))
		falco_ring_wake(r);
}

static __always_inline void falco_ring_publish(struct falco_ring *r)
{
	if (likely(!r->depth)) /* else whoever we have interrupted does it, for both */
		falco_ring_publish_outermost(r);
}

/*
 * Write @f to the ring, stamped with @ns or what keeps the ring in order. False
 * if it was lost, and counted. On the ring's CPU, preemption off.
 */
bool falco_ring_commit(struct falco_ring *r, const struct falco_frame *f, u64 ns);

/* Count an event that got no record. As falco_ring_commit(). */
void falco_ring_lose(struct falco_ring *r, u16 type, unsigned int cause, u64 ns);

/* Whether there is as much to read as the reader wants to be woken for. From anywhere. */
bool falco_ring_ready(const struct falco_ring *r);

#endif /* _FALCO_RING_H */
