// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Reserve, copy, publish; and what is lost is counted.
 *
 *             consumer_pos         published          reserve
 *                  | read by user       | being copied    |
 *   ---------------+--------------------+-----------------+--------------> bytes
 *      free again  |   READY records    |   nobody reads  |  free
 *                  +------------ at most size ------------+
 *
 * Positions only grow; a record lies at (position mod size), and since the pages
 * are mapped twice back to back it never has to be cut in two.
 *
 * One producer a ring: the CPU that it belongs to, with preemption off. What can
 * still come in between is an interrupt whose code faults, and so hits a hook.
 * Two rules make that safe:
 *
 *  1. Taking space (position, sequence number, timestamp, pending gap) is a dozen
 *     instructions with interrupts off: space, number and time are in the same
 *     order, always. No hook is in code that an NMI runs (record.c makes sure).
 *  2. Copying runs with interrupts on. Only the outermost commit publishes, for
 *     all: records inside are complete before it goes on, and the ones around it
 *     are not before it ends. So everything below published is READY, and there
 *     is no half-written record that a reader could meet. See leave().
 *
 * Ordering against user space (pkg/ring has the other ends):
 *
 *  producer_pos  store-release in leave()   pairs with  load-acquire in Refill:
 *                whoever sees the position sees the records before it.
 *  consumer_pos  load-acquire in reserve()  pairs with  store-release in Release:
 *                we overwrite only what has been read. The page is the reader's
 *                to write, hence it is believed only if it lies in
 *                [reserve - size, reserve]; else the ring counts as full.
 *  need_wakeup   we: store producer_pos, full barrier, load need_wakeup.
 *                reader: store need_wakeup, full barrier, load producer_pos.
 *                One of the two sees the other's store: no wake-up is lost.
 */
#include "ring.h"

#include <linux/atomic.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>

#include "write.h"

#define SHORT 512 /* bytes that may be copied with interrupts off */

/* The kernel's own words in the control page; never read back. */
#define tell(r, field, v) WRITE_ONCE((r)->control->field, v)

/* ---- the books ---- */

/*
 * Interrupts are off. The losses between two records follow each other in seq.
 * With limit 0 the next record looks closer, and finds what there is to tell.
 */
static void note_loss(struct falco_ring *r, u16 type, unsigned int cause)
{
	u64 seq = r->seq++;

	falco_count_up(&r->counts[type].lost[cause]);
	if (!r->losing) {
		memset(&r->gap, 0, sizeof(r->gap));
		r->gap.from_seq = seq;
		r->gap.first_ns = r->last_ns;
		r->losing = true;
		r->limit = 0;
	}
	r->gap.to_seq = seq;
	r->gap.last_ns = r->last_ns;
	r->gap.lost[cause]++;
	r->lost++;
	if (r->control)
		tell(r, lost, r->lost);
}

void falco_ring_lose(struct falco_ring *r, u16 type, unsigned int cause, u64 ns)
{
	unsigned long flags;

	local_irq_save(flags);
	r->last_ns = max(r->last_ns, ns);
	note_loss(r, type, cause);
	local_irq_restore(flags);
}

/* ---- space ---- */

#define GAP_SIZE (sizeof(struct falco_record_prefix) + sizeof(struct falco_gap))

static void put_gap(struct falco_ring *r)
{
	struct falco_record_prefix *prefix = (void *)(r->data + (r->reserve & r->mask));

	prefix->length = GAP_SIZE;
	prefix->flags = FALCO_REC_GAP;
	prefix->seq = r->gap.from_seq;
	memcpy(prefix + 1, &r->gap, sizeof(r->gap));
	r->reserve += GAP_SIZE;
	r->losing = false;
}

bool falco_ring_make_room(struct falco_ring *r, u16 type, u32 size)
{
	u64 used, need = size + (r->losing ? GAP_SIZE : 0);

	if (unlikely(!r->data)) {
		note_loss(r, type, FALCO_LOST_NO_RING);
		return false;
	}
	/* Pairs with the reader's store-release of what it has read. */
	used = r->reserve - smp_load_acquire(&r->control->consumer_pos);
	if (used > r->size || need > r->size - used) {
		note_loss(r, type,
			  size + GAP_SIZE > r->size ? FALCO_LOST_TOO_BIG : FALCO_LOST_FULL);
		return false;
	}
	r->limit = r->reserve - used + r->size;
	if (r->losing)
		put_gap(r);
	return true;
}

/* ---- commit: the functions stand in the order in which a record meets them ---- */

static void enter(struct falco_ring *r)
{
	/* An interrupt leaves depth as it found it: a plain increment will do. */
	WRITE_ONCE(r->depth, r->depth + 1);
	barrier(); /* seen by interrupts before we take space */
}

/* Interrupts are off. The event's time is r->last_ns. NULL: lost, and counted. */
static void *take(struct falco_ring *r, const struct falco_frame *f, u32 size, u64 ns)
{
	void *event;

	falco_ring_stamp(r, ns);
	if (unlikely(!falco_ring_has_room(r, size)) && !falco_ring_make_room(r, f->type, size))
		return NULL;
	event = falco_ring_room(r);
	falco_ring_take(r, event, size, f->flags);
	return event;
}

/* Up to the next multiple of 8; memcpy() of unknown length is for long ones. */
static __always_inline void copy_words(u64 *to, const void *from, u32 len)
{
	const u64 *p = from, *end = from + len;

	do {
		*to++ = *p++;
	} while (p < end);
}

static void copy(void *to, const struct falco_frame *f, u64 ns)
{
	struct falco_event_header *h = to;

	copy_words(to, f->buf, f->len + f->ext);
	h->ts = ns;
}

/*
 * Publish, if we are the outermost. An interrupt that commits between our load
 * of reserve and depth = 0 relies on us, so look again afterwards: one that
 * comes later finds depth 0 and publishes itself. While we hold depth nobody
 * else stores the position, hence it never goes back.
 */
static void leave(struct falco_ring *r)
{
	u64 pos;

	barrier(); /* our record before we let go of depth */
	if (r->depth > 1) {
		WRITE_ONCE(r->depth, r->depth - 1);
		return;
	}
	for (;;) {
		pos = READ_ONCE(r->reserve);
		tell(r, last_ns, r->last_ns);
		/* Pairs with the reader's load-acquire: records before position. */
		smp_store_release(&r->control->producer_pos, pos);
		barrier();
		WRITE_ONCE(r->depth, 0);
		barrier();
		if (likely(READ_ONCE(r->reserve) == pos))
			break;
		WRITE_ONCE(r->depth, 1);
		barrier();
	}
	/* Our position before our look at need_wakeup; pairs with the reader's barrier. */
	smp_mb();
	if (unlikely(READ_ONCE(r->control->need_wakeup)))
		falco_ring_wake(r);
}

void falco_ring_wake(struct falco_ring *r)
{
	if (READ_ONCE(r->reserve) - READ_ONCE(r->control->consumer_pos) < r->watermark)
		return;
	tell(r, need_wakeup, 0); /* once is enough; the reader arms it again */
	irq_work_queue(&r->wake);
}

static bool commit_short(struct falco_ring *r, const struct falco_frame *f, u32 size, u64 ns)
{
	unsigned long flags;
	void *to;

	local_irq_save(flags);
	to = take(r, f, size, ns);
	if (likely(to)) {
		copy(to, f, r->last_ns);
		falco_ring_publish(r);
	}
	local_irq_restore(flags);
	return to;
}

static bool commit_long(struct falco_ring *r, const struct falco_frame *f, u32 size, u64 ns)
{
	unsigned long flags;
	void *to;

	enter(r);
	local_irq_save(flags);
	to = take(r, f, size, ns);
	ns = r->last_ns;
	local_irq_restore(flags);
	if (likely(to))
		copy(to, f, ns);
	leave(r);
	return to;
}

bool falco_ring_commit(struct falco_ring *r, const struct falco_frame *f, u64 ns)
{
	u32 size = ALIGN(sizeof(struct falco_record_prefix) + f->len + f->ext, 8);

	if (unlikely(f->broken)) {
		falco_ring_lose(r, f->type, FALCO_LOST_TOO_BIG, ns);
		return false;
	}
	return size <= SHORT ? commit_short(r, f, size, ns) : commit_long(r, f, size, ns);
}

bool falco_ring_ready(const struct falco_ring *r)
{
	if (!r->data)
		return false;
	/* A position that makes no sense reads as much unread: the reader's own doing. */
	return READ_ONCE(r->reserve) - READ_ONCE(r->control->consumer_pos) >= r->watermark;
}

/* ---- memory ---- */

static void wake_reader(struct irq_work *work)
{
	struct falco_ring *r = container_of(work, struct falco_ring, wake);

	wake_up_interruptible_poll(r->wait, EPOLLIN | EPOLLRDNORM);
}

struct falco_ring *falco_ring_alloc(int cpu, wait_queue_head_t *wait)
{
	struct falco_ring *r = kvzalloc_node(sizeof(*r), GFP_KERNEL, cpu_to_node(cpu));

	if (!r)
		return NULL;
	r->wait = wait;
	init_irq_work(&r->wake, wake_reader);
	return r;
}

static atomic_long_t pages_in_use; /* of all rings */

long falco_ring_pages(void)
{
	return atomic_long_read(&pages_in_use);
}

static void free_pages_of(struct falco_ring *r)
{
	u32 i;

	if (r->data)
		vunmap(r->data);
	for (i = 0; i < r->npages; i++) {
		__free_page(r->pages[i]); /* drops our reference; a mapping may hold its own */
		cond_resched();
	}
	atomic_long_sub(r->npages, &pages_in_use);
	kvfree(r->pages);
	r->pages = NULL;
	r->npages = 0;
	r->data = NULL;
	r->control = NULL;
}

int falco_ring_map(struct falco_ring *r, int cpu, u32 size, u32 watermark, u32 generation)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN | __GFP_RETRY_MAYFAIL;
	u32 n = size >> PAGE_SHIFT;
	struct page **twice;
	u8 *data = NULL;
	int err = -ENOMEM;

	r->pages = kvcalloc(1 + n, sizeof(*r->pages), GFP_KERNEL);
	twice = kvmalloc_array(2 * n, sizeof(*twice), GFP_KERNEL);
	if (!r->pages || !twice)
		goto err_pages;
	/* Gigabytes, perhaps: others get a turn, and whoever is killed need not wait. */
	while (r->npages < 1 + n) {
		struct page *page;

		if (fatal_signal_pending(current)) {
			err = -EINTR;
			goto err_pages;
		}
		page = alloc_pages_node(cpu_to_node(cpu), gfp, 0);
		if (!page)
			goto err_pages;
		r->pages[r->npages++] = page;
		atomic_long_inc(&pages_in_use);
		cond_resched();
	}
	memcpy(twice, r->pages + 1, n * sizeof(*twice));
	memcpy(twice + n, r->pages + 1, n * sizeof(*twice));
	data = vmap(twice, 2 * n, VM_MAP, PAGE_KERNEL);
	if (!data)
		goto err_pages;
	kvfree(twice);

	r->control = page_address(r->pages[0]);
	r->control->cpu = cpu;
	r->control->ring_bytes = size;
	r->control->generation = generation;
	r->size = size;
	r->mask = size - 1;
	r->watermark = watermark;
	/* Last, and seen after the rest: a CPU that is coming up may commit at once. */
	smp_store_release(&r->data, data);
	return 0;

err_pages:
	kvfree(twice);
	free_pages_of(r);
	return err;
}

void falco_ring_free(struct falco_ring *r)
{
	if (!r)
		return;
	irq_work_sync(&r->wake);
	free_pages_of(r);
	kvfree(r);
}
