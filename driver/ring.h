/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * One CPU's ring of one consumer: memory, positions, and the books of what did
 * not fit. ring.c argues the memory ordering.
 */
#ifndef _FALCO_RING_H
#define _FALCO_RING_H

#include <linux/irq_work.h>
#include <linux/mm_types.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "schema_gen.h"

struct falco_frame;

struct falco_ring {
	/* The producer's: this CPU, preemption off. Interrupts nest, see ring.c. */
	u64 reserve;      /* bytes handed out since the ring came into being */
	u64 seq;          /* of the next event */
	u64 last_ns;      /* timestamps never fall below it */
	u32 depth;        /* commits under way on this CPU, one inside the other */
	bool losing;      /* gap holds losses that no record tells of yet */
	u64 lost;         /* all causes, ever; for the control page */
	struct falco_gap gap;

	/* Constant while the consumer is started. */
	struct falco_ring_control *control;
	u8 *data;         /* size bytes, twice; NULL: the CPU has no ring */
	u32 size;
	u32 watermark;
	struct page **pages; /* the control page, then the data pages */
	u32 npages;

	struct irq_work wake;
	wait_queue_head_t *wait;

	/* The books: written here only, read by STATS from anywhere. */
	u64 published;
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

/* Pages that rings have, all together: none are left when the module goes. */
long falco_ring_pages(void);

/* Count an event that passed the filter; before anything can go wrong with it. */
void falco_ring_produced(struct falco_ring *r, u16 type);

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
