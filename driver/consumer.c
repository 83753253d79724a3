// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Who is listening, and to what. See consumer.h for the life of a consumer.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "consumer.h"

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/percpu.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "compat/rcupdate.h"
#include "gate.h"
#include "probe.h"
#include "record.h"

static uint default_ring_bytes = FALCO_RING_DEF_BYTES;
module_param_named(ring_bytes, default_ring_bytes, uint, 0444);
MODULE_PARM_DESC(ring_bytes, "bytes of one CPU's ring, for consumers that don't say");

DEFINE_MUTEX(falco_lock);       /* see consumer.h */
DEFINE_MUTEX(falco_rings_lock); /* see consumer.h */

/* One CONFIG after the other: has_memory_for() promises the same memory to one alone. */
static DEFINE_MUTEX(memory_lock);

static LIST_HEAD(consumers);         /* falco_rings_lock */
static LIST_HEAD(started_consumers); /* falco_lock */
static struct workqueue_struct *reaper;
static atomic_t dying; /* consumers that are closed and not yet freed */
static int hotplug_state;

/* ---- life ---- */

struct falco_consumer *falco_consumer_alloc(void)
{
	struct falco_consumer *c = kzalloc(sizeof(*c), GFP_KERNEL);
	static const struct falco_filter nothing;

	if (!c)
		return NULL;
	mutex_init(&c->setup);
	init_waitqueue_head(&c->wait);
	INIT_LIST_HEAD(&c->started_list);
	INIT_LIST_HEAD(&c->list);
	c->rings = alloc_percpu(struct falco_ring *);
	c->selection = falco_selection_alloc(&nothing);
	if (!c->rings || IS_ERR(c->selection)) {
		if (!IS_ERR(c->selection))
			falco_selection_free(c->selection);
		free_percpu(c->rings);
		kfree(c);
		return NULL;
	}
	mutex_lock(&falco_rings_lock);
	list_add_tail(&c->list, &consumers);
	mutex_unlock(&falco_rings_lock);
	return c;
}

static void free_rings(struct falco_consumer *c)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		falco_ring_free(*per_cpu_ptr(c->rings, cpu));
		*per_cpu_ptr(c->rings, cpu) = NULL;
	}
}

static void free_work(struct work_struct *work)
{
	struct falco_consumer *c = container_of(work, struct falco_consumer, work);

	free_rings(c);
	falco_selection_free(c->selection);
	free_percpu(c->rings);
	kfree(c);
	atomic_dec(&dying);
}

/* A grace period after the last gate that named it; freeing rings sleeps, so go on elsewhere. */
static void free_rcu(struct rcu_head *rcu)
{
	struct falco_consumer *c = container_of(rcu, struct falco_consumer, rcu);

	INIT_WORK(&c->work, free_work);
	queue_work(reaper, &c->work);
}

/* ---- the gate ---- */

/* Publish a gate for all that are started, and hook what it needs. */
static int reopen_gate(void)
{
	struct falco_gate *g = falco_gate_alloc();
	struct falco_consumer *c;
	u32 hooks;

	lockdep_assert_held(&falco_lock);
	list_for_each_entry(c, &started_consumers, started_list) {
		if (!falco_gate_add(g, c, c->selection)) {
			falco_gate_free(g);
			return -EBUSY;
		}
	}
	hooks = g->hooks;
	falco_gate_publish(g);
	return falco_probe_set(hooks);
}

/* STATS, which waits for nothing that takes long, looks at both under falco_rings_lock. */
static void set_started(struct falco_consumer *c, bool started)
{
	struct falco_ring *r;
	unsigned int cpu;

	mutex_lock(&falco_rings_lock);
	c->started = started;
	for_each_possible_cpu(cpu) {
		r = *per_cpu_ptr(c->rings, cpu);
		if (started)
			r->hooks_base = per_cpu(falco_hook_calls, cpu);
		else
			r->hooks += per_cpu(falco_hook_calls, cpu) - r->hooks_base;
	}
	mutex_unlock(&falco_rings_lock);
}

/* Hooks may be committing still, for a grace period. */
static void stop_locked(struct falco_consumer *c)
{
	lockdep_assert_held(&falco_lock);
	list_del_init(&c->started_list);
	set_started(c, false);
	reopen_gate(); /* fewer listeners, fewer hooks: cannot fail */
}

void falco_consumer_release(struct falco_consumer *c)
{
	mutex_lock(&falco_lock);
	if (c->started)
		stop_locked(c);
	mutex_unlock(&falco_lock);
	mutex_lock(&falco_rings_lock);
	list_del(&c->list);
	mutex_unlock(&falco_rings_lock);
	atomic_inc(&dying);
	call_rcu(&c->rcu, free_rcu);
}

int falco_consumer_start(struct falco_consumer *c)
{
	int err;

	mutex_lock(&c->setup);
	mutex_lock(&falco_lock);
	if (c->started || !c->ring_bytes) {
		err = c->started ? -EALREADY : -ENXIO;
		goto out;
	}
	list_add_tail(&c->started_list, &started_consumers);
	set_started(c, true);
	err = reopen_gate();
	if (err) {
		stop_locked(c);
		synchronize_rcu(); /* as in falco_consumer_stop() */
		goto out;
	}
	WRITE_ONCE(c->stopped, false);
out:
	mutex_unlock(&falco_lock);
	mutex_unlock(&c->setup);
	return err;
}

void falco_consumer_stop(struct falco_consumer *c)
{
	mutex_lock(&falco_lock);
	if (c->started) {
		stop_locked(c);
		WRITE_ONCE(c->stopped, true);
		/*
		 * Unlike close(), wait for commits under way: the books balance
		 * when we return, and CONFIG can free the rings.
		 */
		synchronize_rcu();
		wake_up_interruptible_poll(&c->wait, EPOLLIN | EPOLLRDNORM | EPOLLHUP);
	}
	mutex_unlock(&falco_lock);
}

int falco_consumer_select(struct falco_consumer *c, const struct falco_filter *filter)
{
	struct falco_selection *s = falco_selection_alloc(filter);
	int err = 0;

	if (IS_ERR(s))
		return PTR_ERR(s);
	mutex_lock(&falco_lock);
	swap(s, c->selection);
	if (c->started)
		err = reopen_gate();
	if (err) {
		swap(s, c->selection);
		reopen_gate(); /* what worked before */
	}
	mutex_unlock(&falco_lock);
	falco_selection_free(s); /* no gate to come names it */
	return err;
}

/* ---- rings ---- */

static bool valid_ring_bytes(u32 bytes)
{
	return is_power_of_2(bytes) && bytes >= PAGE_SIZE &&
	       bytes >= FALCO_RING_MIN_BYTES && bytes <= FALCO_RING_MAX_BYTES;
}

/*
 * While ring_bytes is 0 nobody else looks at the rings: neither mmap(), poll()
 * and STATS nor a CPU that comes up. So it takes no lock to free them and to
 * allocate others, which may be gigabytes: nobody waits for that but CONFIG.
 */
static int replace_rings(struct falco_consumer *c, u32 ring_bytes, u32 watermark)
{
	u32 generation;
	struct falco_ring *r;
	unsigned int cpu;
	int err = -ENOMEM;

	lockdep_assert_held(&c->setup);
	mutex_lock(&falco_rings_lock);
	if (atomic_read(&c->mappings)) {
		mutex_unlock(&falco_rings_lock);
		return -EBUSY;
	}
	c->ring_bytes = 0;
	generation = ++c->generation;
	mutex_unlock(&falco_rings_lock);

	free_rings(c);
	for_each_possible_cpu(cpu) {
		r = falco_ring_alloc(cpu, &c->wait);
		if (!r)
			goto err_rings;
		*per_cpu_ptr(c->rings, cpu) = r;
	}
	for_each_online_cpu(cpu) {
		r = *per_cpu_ptr(c->rings, cpu);
		err = falco_ring_map(r, cpu, ring_bytes, watermark, generation);
		if (err)
			goto err_rings;
	}

	mutex_lock(&falco_rings_lock);
	c->watermark = watermark;
	c->ring_bytes = ring_bytes;
	mutex_unlock(&falco_rings_lock);
	return 0;

err_rings:
	free_rings(c);
	return err;
}

/*
 * Rings may have half of what is available: the allocator would give them all
 * there is, and then somebody else would be killed for the next page.
 */
static bool has_memory_for(const struct falco_consumer *c, u32 ring_bytes)
{
	u64 need = (u64)(ring_bytes >> PAGE_SHIFT) * num_online_cpus();
	/* free_rings() comes first */
	u64 ours = (u64)(c->ring_bytes >> PAGE_SHIFT) * num_online_cpus();

	return need <= (u64)max(si_mem_available(), 0L) / 2 + ours;
}

/* Wait until consumers that were closed have given their memory back; false if there are none. */
static bool reap(void)
{
	if (!atomic_read(&dying))
		return false;
	rcu_barrier();
	flush_workqueue(reaper);
	return true;
}

int falco_consumer_configure(struct falco_consumer *c, const struct falco_config *config)
{
	u32 ring_bytes = config->ring_bytes ? config->ring_bytes : default_ring_bytes;
	u32 watermark = config->watermark ? config->watermark : ring_bytes / 4;
	u32 snaplen = config->snaplen ? config->snaplen : FALCO_SNAPLEN_DEF;
	int err;

	if (config->flags || config->reserved)
		return -EINVAL;
	if (!valid_ring_bytes(ring_bytes) || watermark > ring_bytes || snaplen > FALCO_SNAPLEN_MAX)
		return -EINVAL;

	mutex_lock(&c->setup); /* it stays stopped */
	mutex_lock(&falco_lock);
	err = c->started ? -EBUSY : 0;
	mutex_unlock(&falco_lock);
	if (!err)
		err = mutex_lock_killable(&memory_lock);
	if (err)
		goto out;
	err = -ENOMEM;
	if (has_memory_for(c, ring_bytes) || (reap() && has_memory_for(c, ring_bytes))) {
		cpus_read_lock(); /* no CPU comes up between the rings of all that are */
		err = replace_rings(c, ring_bytes, watermark);
		cpus_read_unlock();
	}
	if (!err)
		c->snaplen = snaplen;
	mutex_unlock(&memory_lock);
out:
	mutex_unlock(&c->setup);
	return err;
}

/* A CPU is about to come up: what it needs exists before its first event. */
static int prepare_cpu(unsigned int cpu)
{
	struct falco_consumer *c;
	struct falco_ring *r;
	unsigned int other;

	/* Whatever fails is counted (no_memory, no_ring); the CPU comes up all the same. */
	falco_record_prepare(cpu);
	mutex_lock(&falco_rings_lock);
	list_for_each_entry(c, &consumers, list) {
		r = *per_cpu_ptr(c->rings, cpu);
		if (!c->ring_bytes || r->data)
			continue;
		if (falco_ring_map(r, cpu, c->ring_bytes, c->watermark, c->generation + 1))
			continue;
		c->generation++;
		for_each_possible_cpu(other) {
			r = *per_cpu_ptr(c->rings, other);
			if (r->control)
				WRITE_ONCE(r->control->generation, c->generation);
		}
	}
	mutex_unlock(&falco_rings_lock);
	return 0;
}

/* ---- questions ---- */

static u64 version(u64 major, u64 minor, u64 patch)
{
	return major << 44 | minor << 24 | patch;
}

void falco_consumer_info(struct falco_consumer *c, struct falco_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->abi_version = FALCO_ABI_VERSION;
	info->api_version = version(FALCO_API_MAJOR, FALCO_API_MINOR, FALCO_API_PATCH);
	info->schema_version = version(FALCO_SCHEMA_MAJOR, FALCO_SCHEMA_MINOR, FALCO_SCHEMA_PATCH);
	info->page_size = PAGE_SIZE;
	info->cpus = nr_cpu_ids;
	if (falco_probe_has(FALCO_HOOK_FAULT_USER))
		info->features |= FALCO_FEATURE_PAGE_FAULTS;
	mutex_lock(&falco_rings_lock);
	info->started = c->started;
	info->ring_bytes = c->ring_bytes;
	info->watermark = c->watermark;
	info->generation = c->generation;
	mutex_unlock(&falco_rings_lock);
}

/*
 * What happened before is read before what came of it: produced last. So the
 * books of a running consumer can show an event that is on its way, but never
 * an outcome without its event; those of a stopped one balance.
 */
static void read_books(struct falco_ring *r, struct falco_stats *stats, struct falco_count *counts)
{
	unsigned int i, cause;

	stats->published = READ_ONCE(r->published);
	for (i = 0; i < FALCO_EV_MAX; i++) {
		for (cause = 0; cause < FALCO_LOST_CAUSES; cause++) {
			counts[i].lost[cause] = READ_ONCE(r->counts[i].lost[cause]);
			stats->lost[cause] += counts[i].lost[cause];
		}
	}
	smp_rmb(); /* the writer's order is the program's: one CPU */
	for (i = 0; i < FALCO_EV_MAX; i++) {
		counts[i].produced = READ_ONCE(r->counts[i].produced);
		stats->produced += counts[i].produced;
	}
}

int falco_consumer_stats(struct falco_consumer *c, struct falco_stats *stats,
			 struct falco_count *counts)
{
	struct falco_ring *r = NULL;
	u32 cpu = stats->cpu;
	int err = 0;

	memset(stats->lost, 0, sizeof(stats->lost));
	stats->produced = 0;
	stats->published = 0;
	stats->hooks = 0;
	mutex_lock(&falco_rings_lock);
	if (cpu >= nr_cpu_ids)
		err = -EINVAL;
	else if (!c->ring_bytes)
		err = -ENXIO;
	else
		r = falco_consumer_ring(c, cpu);
	cpu = array_index_nospec(cpu, nr_cpu_ids);
	if (r) { /* a hole in the numbers has empty books */
		read_books(r, stats, counts);
		stats->hooks = r->hooks;
		if (c->started)
			stats->hooks += per_cpu(falco_hook_calls, cpu) - r->hooks_base;
	}
	mutex_unlock(&falco_rings_lock);
	return err;
}

struct falco_ring *falco_consumer_ring(const struct falco_consumer *c, u64 cpu)
{
	if (cpu >= nr_cpu_ids || !c->ring_bytes)
		return NULL;
	cpu = array_index_nospec(cpu, nr_cpu_ids);
	return cpu_possible(cpu) ? *per_cpu_ptr(c->rings, cpu) : NULL;
}

bool falco_consumer_ready(struct falco_consumer *c)
{
	struct falco_ring *r;
	bool ready = false;
	unsigned int cpu;

	mutex_lock(&falco_rings_lock);
	for_each_possible_cpu(cpu) {
		if (!c->ring_bytes)
			break;
		r = *per_cpu_ptr(c->rings, cpu);
		ready |= falco_ring_ready(r);
	}
	mutex_unlock(&falco_rings_lock);
	return ready;
}

/* ---- the module's own ladder ---- */

static int prepare_online_cpus(void)
{
	unsigned int cpu;
	int err = 0;

	cpus_read_lock();
	for_each_online_cpu(cpu) {
		err = falco_record_prepare(cpu);
		if (err)
			break;
	}
	cpus_read_unlock();
	return err;
}

int falco_consumer_init(void)
{
	int err;

	if (!valid_ring_bytes(default_ring_bytes)) {
		pr_err("ring_bytes=%u: a power of two between %u and %u is needed\n",
		       default_ring_bytes, FALCO_RING_MIN_BYTES, FALCO_RING_MAX_BYTES);
		return -EINVAL;
	}
	reaper = alloc_workqueue("falco", WQ_UNBOUND, 0);
	if (!reaper)
		return -ENOMEM;
	/* No calls for CPUs that are up: for states of this kind kernels before 6.9 forget them. */
	err = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "falco:prepare", prepare_cpu, NULL);
	if (err < 0)
		goto err_hotplug;
	hotplug_state = err;
	err = prepare_online_cpus();
	if (err)
		goto err_prepare;
	return 0;

err_prepare:
	cpuhp_remove_state_nocalls(hotplug_state);
	falco_record_free();
err_hotplug:
	destroy_workqueue(reaper);
	return err;
}

void falco_consumer_exit(void)
{
	cpuhp_remove_state_nocalls(hotplug_state);
	rcu_barrier();             /* callbacks queue work ... */
	destroy_workqueue(reaper); /* ... work queues callbacks (selections) ... */
	rcu_barrier();             /* ... that only free */
	falco_record_free();
	WARN_ON(atomic_read(&dying) || falco_ring_pages()); /* freed twice, or never */
}
