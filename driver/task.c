// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Questions to a task_struct: who it is, what it may, where it lives, how big
 * it is. Functions stand in the order of the header.
 */
#include "task.h"

#include <linux/audit.h>
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/kdev_t.h>
#include <linux/mm.h>
#include <linux/nsproxy.h>
#include <linux/percpu.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/tty.h>
#include <linux/tty_driver.h>
#include <linux/uidgid.h>

#include "compat/capability.h"
#include "compat/fs.h"
#include "compat/uaccess.h"

/* Ancestors that falco_task_reaper() looks at: more is somebody's game. */
#define ANCESTORS_MAX 512

/* The schema names capabilities 0 to 40. */
#define CAPS_KNOWN GENMASK_ULL(40, 0)

static u32 pages_to_kb(unsigned long pages)
{
	return min_t(u64, (u64)pages << (PAGE_SHIFT - 10), U32_MAX);
}

/*
 * Since 6.2 the counters are kept by CPU, and what we read leaves out what has
 * not been summed up yet: rss can be some hundred kB behind, and 0 right after
 * exec. Summing up ourselves would visit all CPUs at every fork.
 */
void falco_task_memory(struct task_struct *task, struct falco_memory *memory)
{
	struct mm_struct *mm = task->mm;

	memset(memory, 0, sizeof(*memory));
	if (!mm)
		return;
	memory->size = pages_to_kb(READ_ONCE(mm->total_vm));
	memory->rss = pages_to_kb(get_mm_rss(mm));
	memory->swap = pages_to_kb(get_mm_counter(mm, MM_SWAPENTS));
}

static u64 cap_bits(const kernel_cap_t *set)
{
	return kernel_cap_bits(set) & CAPS_KNOWN;
}

void falco_task_creds(struct task_struct *task, struct falco_creds *creds)
{
	const struct cred *cred;

	rcu_read_lock();
	/* Of another task only the objective credentials may be read. */
	cred = task == current ? current_cred() : __task_cred(task);
	creds->uid = from_kuid(&init_user_ns, cred->euid);
	creds->gid = from_kgid(&init_user_ns, cred->egid);
	creds->inheritable = cap_bits(&cred->cap_inheritable);
	creds->permitted = cap_bits(&cred->cap_permitted);
	creds->effective = cap_bits(&cred->cap_effective);
	rcu_read_unlock();
}

void falco_task_comm(struct task_struct *task, char comm[TASK_COMM_LEN])
{
	/*
	 * Others may write it meanwhile (/proc/<pid>/comm): what we get can be
	 * a mixture, but it ends.
	 */
	memcpy(comm, task->comm, TASK_COMM_LEN);
	comm[TASK_COMM_LEN - 1] = '\0';
}

pid_t falco_task_parent(struct task_struct *task)
{
	pid_t pid;

	rcu_read_lock();
	pid = rcu_dereference(task->real_parent)->pid;
	rcu_read_unlock();
	return pid;
}

pid_t falco_task_vtid(struct task_struct *task)
{
	return task_pid_nr_ns(task, task_active_pid_ns(task));
}

pid_t falco_task_vpid(struct task_struct *task)
{
	return task_tgid_nr_ns(task, task_active_pid_ns(task));
}

pid_t falco_task_vpgid(struct task_struct *task)
{
	return task_pgrp_nr_ns(task, task_active_pid_ns(task));
}

pid_t falco_task_pgid(struct task_struct *task)
{
	return task_pgrp_nr_ns(task, &init_pid_ns);
}

bool falco_task_in_child_pidns(struct task_struct *task)
{
	struct pid_namespace *ns = task_active_pid_ns(task);
	/* Only the task itself replaces it, and only exit takes it away. */
	struct nsproxy *nsproxy = READ_ONCE(task->nsproxy);

	return ns != &init_pid_ns ||
	       (nsproxy && READ_ONCE(nsproxy->pid_ns_for_children) != ns);
}

u64 falco_task_pidns_start(struct task_struct *task)
{
	struct pid_namespace *ns = task_active_pid_ns(task);
	struct task_struct *init;
	u64 start = 0;

	if (!ns)
		return 0;
	rcu_read_lock();
	init = READ_ONCE(ns->child_reaper);
	if (init)
		start = init->start_time;
	rcu_read_unlock();
	return start;
}

/* A thread of @task's process that is not about to exit, @task itself apart. */
static struct task_struct *other_thread_rcu(struct task_struct *task)
{
	struct task_struct *thread;

	for_each_thread(task, thread) {
		if (thread != task && !(READ_ONCE(thread->flags) & PF_EXITING))
			return thread;
	}
	return NULL;
}

static struct task_struct *live_thread_rcu(struct task_struct *task)
{
	if (!(READ_ONCE(task->flags) & PF_EXITING))
		return task;
	return other_thread_rcu(task);
}

/*
 * The kernel picks the reaper in find_new_reaper(), under tasklist_lock and a
 * little later than our hook. We walk the same way under RCU: an ancestor that
 * we reached was linked when our section began, and its signal_struct goes only
 * with it, so the walk stays on living memory even where parents exit under it.
 */
static struct task_struct *reaper_rcu(struct task_struct *task)
{
	struct pid_namespace *ns = task_active_pid_ns(task);
	struct task_struct *reaper, *thread;
	struct pid *pid;
	unsigned int i;

	thread = other_thread_rcu(task);
	if (thread)
		return thread;
	if (!ns || READ_ONCE(ns->child_reaper) == task)
		return NULL;
	if (!task->signal->has_child_subreaper)
		return READ_ONCE(ns->child_reaper);

	reaper = rcu_dereference(task->real_parent);
	for (i = 0; i < ANCESTORS_MAX && reaper != &init_task; i++) {
		pid = task_pid(reaper);
		if (!pid || pid->level != ns->level)
			break;
		if (reaper->signal->is_child_subreaper) {
			thread = live_thread_rcu(reaper);
			if (thread)
				return thread;
		}
		reaper = rcu_dereference(reaper->real_parent);
	}
	return READ_ONCE(ns->child_reaper);
}

pid_t falco_task_reaper(struct task_struct *task)
{
	struct task_struct *reaper;
	pid_t pid = 0;

	if (list_empty(&task->children))
		return 0;
	rcu_read_lock();
	reaper = reaper_rcu(task);
	if (reaper)
		pid = reaper->pid;
	rcu_read_unlock();
	return pid;
}

u64 falco_task_fdlimit(struct task_struct *task)
{
	return READ_ONCE(task->signal->rlim[RLIMIT_NOFILE].rlim_cur);
}

u32 falco_task_loginuid(struct task_struct *task)
{
	return from_kuid(&init_user_ns, audit_get_loginuid(task));
}

/* Whether @tty is still the task's, and so was alive: signal->tty holds a reference. */
static bool still_tty(const struct task_struct *task, const struct tty_struct *tty)
{
	smp_rmb(); /* what was read of the tty was read before this look */
	return READ_ONCE(task->signal->tty) == tty;
}

/*
 * signal->tty is guarded by siglock, which a tracepoint must not take, and a
 * tty is freed without a grace period. So we read it as one reads a seqlock:
 * without trust (nofault), and follow or believe nothing before still_tty().
 */
u32 falco_task_tty(struct task_struct *task)
{
	struct tty_struct *tty = READ_ONCE(task->signal->tty);
	struct tty_driver *driver;
	int major, minor, index;

	if (!tty ||
	    copy_from_kernel_nofault(&driver, &tty->driver, sizeof(driver)) ||
	    copy_from_kernel_nofault(&index, &tty->index, sizeof(index)) ||
	    !still_tty(task, tty) ||
	    copy_from_kernel_nofault(&major, &driver->major, sizeof(major)) ||
	    copy_from_kernel_nofault(&minor, &driver->minor_start, sizeof(minor)) ||
	    !still_tty(task, tty))
		return 0;
	return new_encode_dev(MKDEV(major, minor + index));
}

#ifdef CONFIG_CGROUPS

struct subsystem {
	const char *name;
	u32 len; /* of the name */
	int id;
};

static const struct subsystem subsystems[] = {
#define SUBSYS(_x)                              \
	{                                       \
		.name = __stringify(_x),        \
		.len = sizeof(__stringify(_x)) - 1, \
		.id = _x##_cgrp_id,             \
	},
#include <linux/cgroup_subsys.h>
#undef SUBSYS
};

/* One "name=path" and its NUL; 0 if it does not fit or has no path. */
static u32 write_cgroup(char *buf, u32 size, const char *name, struct cgroup *cgrp)
{
	u32 len = strlen(name);
	int n;

	if (len + 2 > size)
		return 0;
	memcpy(buf, name, len);
	buf[len++] = '=';
	n = cgroup_path(cgrp, buf + len, size - len);
	if (n < 0 || n >= size - len)
		return 0;
	return len + n + 1;
}

#ifdef FALCO_HAVE_CGROUP_ID /* 5.5: and so 64 bits, and none that comes twice */

#define KNOWN_MAX 512 /* bytes of text that are worth keeping */

/*
 * What this CPU has made last. In the hierarchy of cgroup v2 nothing is renamed
 * or moved: the cgroups' ids, which are given once, tell the text.
 */
struct known_cgroups {
	u64 unified;
	u64 ids[ARRAY_SIZE(subsystems)];
	u32 len; /* 0: nothing is known */
	char text[KNOWN_MAX];
};

static DEFINE_PER_CPU(struct known_cgroups, known_cgroups);

/* NULL: what @set is called can change. If len is not 0, the text is @set's. */
static struct known_cgroups *known_cgroups_of(const struct css_set *set)
{
	struct known_cgroups *known = this_cpu_ptr(&known_cgroups);
	struct cgroup *cgrp, *last = set->dfl_cgrp;
	u64 id = cgroup_id(last);
	int i;

	if (known->unified != id) {
		known->unified = id;
		known->len = 0;
	}
	for (i = 0; i < ARRAY_SIZE(subsystems); i++) {
		cgrp = set->subsys[subsystems[i].id]->cgroup;
		if (cgrp != last) {
			if (cgrp->root != &cgrp_dfl_root) {
				known->len = 0;
				return NULL; /* v1, which can rename */
			}
			last = cgrp;
			id = cgroup_id(cgrp);
		}
		if (known->ids[i] != id) {
			known->ids[i] = id;
			known->len = 0;
		}
	}
	return known;
}

static void keep_cgroups(struct known_cgroups *known, const char *text, u32 len)
{
	if (known && len <= KNOWN_MAX) {
		memcpy(known->text, text, len);
		known->len = len;
	}
}

#else

struct known_cgroups {
	u32 len;
	char text[];
};

static struct known_cgroups *known_cgroups_of(const struct css_set *set)
{
	return NULL;
}

static void keep_cgroups(struct known_cgroups *known, const char *text, u32 len)
{
}

#endif

/*
 * kernfs holds kernfs_rename_lock, a rwlock taken with interrupts off, while it
 * puts a path together. That spins for as long as a rename takes; on PREEMPT_RT
 * it would sleep, which is one of the reasons why the module refuses to load
 * where tracepoints run with preemption off there.
 *
 * On a machine with cgroup v2 alone most controllers live in the same cgroup:
 * then the path of the one before is copied, which takes no lock.
 */
u32 falco_task_cgroups(struct task_struct *task, char *buf, u32 size, bool *cut)
{
	struct cgroup *cgrp, *last = NULL;
	u32 unified, len = 0, n, path = 0, pathlen = 0;
	struct known_cgroups *known;
	struct css_set *set;
	int i;

	size = min_t(u32, size, FALCO_CGROUPS_MAX);
	*cut = false;
	rcu_read_lock();
	set = task_css_set(task); /* what it holds stays as it is */
	known = known_cgroups_of(set);
	if (known && known->len && known->len <= size) {
		len = known->len;
		memcpy(buf, known->text, len);
		rcu_read_unlock();
		return len;
	}

	/* The last one must fit: it is made first and waits at the end. */
	unified = write_cgroup(buf, size, "unified", set->dfl_cgrp);
	*cut |= !unified;
	size -= unified;
	memmove(buf + size, buf, unified);

	for (i = 0; i < ARRAY_SIZE(subsystems); i++) {
		const char *name = subsystems[i].name;
		u32 namelen = subsystems[i].len + 1; /* with "=" */

		cgrp = set->subsys[subsystems[i].id]->cgroup;
		if (cgrp != last) {
			n = write_cgroup(buf + len, size - len, name, cgrp);
		} else {
			n = namelen + pathlen;
			if (n > size - len) {
				n = 0;
			} else {
				memcpy(buf + len, name, namelen - 1);
				buf[len + namelen - 1] = '=';
				memcpy(buf + len + namelen, buf + path, pathlen);
			}
		}
		if (!n) {
			*cut = true;
			continue;
		}
		last = cgrp;
		path = len + namelen;
		pathlen = n - namelen;
		len += n;
	}
	memmove(buf + len, buf + size, unified);
	len += unified;
	if (!*cut)
		keep_cgroups(known, buf, len);
	rcu_read_unlock();
	return len;
}

#else

u32 falco_task_cgroups(struct task_struct *task, char *buf, u32 size, bool *cut)
{
	*cut = false;
	return 0;
}

#endif

struct file *falco_task_exe(struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	struct file *file;

	if (!mm)
		return NULL;
	rcu_read_lock();
	file = get_file_rcu(&mm->exe_file);
	rcu_read_unlock();
	return file;
}
