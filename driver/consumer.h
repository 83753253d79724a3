/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Who is listening, and to what: one open() of /dev/falco is one consumer,
 * whichever process or thread uses the descriptor.
 *
 *   alloc -> configure -> start -> stop -> (configure -> start -> ...) -> free
 *
 * Locks, outer first:
 *   setup              a consumer's own: CONFIG and START exclude each other
 *   falco_lock         who is started, selections, the gate, hooks
 *   falco_rings_lock   the list of consumers, their rings and mappings. Taken
 *                      under mmap_lock and cpu_hotplug_lock, and by poll() and
 *                      STATS: nothing that takes long is done inside, but the
 *                      rings of a CPU that comes up
 */
#ifndef _FALCO_CONSUMER_H
#define _FALCO_CONSUMER_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "ring.h"
#include "uapi/falco.h"

struct falco_selection;

struct falco_consumer {
	/* Read by hooks while started; constant then, but for rings that come into being. */
	u32 snaplen;
	struct falco_ring *__percpu *rings; /* all NULL before configure */

	wait_queue_head_t wait;
	struct mutex setup;        /* CONFIG and START, one at a time */
	bool started;              /* to write: falco_lock and falco_rings_lock; to read: either */
	bool stopped;              /* was started, and is no more */

	/* falco_lock */
	struct falco_selection *selection;
	struct list_head started_list;

	/* falco_rings_lock */
	struct list_head list;
	u32 ring_bytes;            /* 0: not configured; written under setup, too */
	u32 watermark;
	u32 generation;
	atomic_t mappings;         /* dropped without a lock */

	struct rcu_head rcu;
	struct work_struct work;
};

extern struct mutex falco_lock;
extern struct mutex falco_rings_lock;

int falco_consumer_init(void);
void falco_consumer_exit(void); /* no descriptor is open any more */

/* All of these sleep. */
struct falco_consumer *falco_consumer_alloc(void);

/* Stop if started, and free once no hook can see @c. Waits for no hook. */
void falco_consumer_release(struct falco_consumer *c);

int falco_consumer_configure(struct falco_consumer *c, const struct falco_config *config);
int falco_consumer_select(struct falco_consumer *c, const struct falco_filter *filter);
int falco_consumer_start(struct falco_consumer *c);
void falco_consumer_stop(struct falco_consumer *c); /* nothing is committed after it returns */
void falco_consumer_info(struct falco_consumer *c, struct falco_info *info);

/* The books of stats->cpu; @counts has FALCO_EV_MAX entries. */
int falco_consumer_stats(struct falco_consumer *c, struct falco_stats *stats,
			 struct falco_count *counts);

/*
 * The ring of a CPU that somebody in user space has named; NULL before configure,
 * and if there is no such CPU. Under falco_rings_lock.
 */
struct falco_ring *falco_consumer_ring(const struct falco_consumer *c, u64 cpu);

/* Whether some ring has enough to read. */
bool falco_consumer_ready(struct falco_consumer *c);

#endif /* _FALCO_CONSUMER_H */
