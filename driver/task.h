/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Questions to a task_struct.
 *
 * The task is current, or one that can neither run nor exit while we look: the
 * child in sched_process_fork, the one that leaves in sched_switch. None of
 * these functions sleeps or takes a lock that the task's owner could hold,
 * falco_task_cgroups() apart (see there).
 */
#ifndef _FALCO_TASK_H
#define _FALCO_TASK_H

#include <linux/sched.h>
#include <linux/types.h>

struct file;

#define FALCO_CGROUPS_MAX 4096 /* bytes of falco_task_cgroups() */

/* In kB, as all memory sizes of the schema; 0 for a task without memory. */
struct falco_memory {
	u32 size;
	u32 rss;
	u32 swap;
};

/* Ids in the initial user namespace, effective; sets in the kernel's bit numbers. */
struct falco_creds {
	u32 uid;
	u32 gid;
	u64 inheritable;
	u64 permitted;
	u64 effective;
};

void falco_task_memory(struct task_struct *task, struct falco_memory *memory);
void falco_task_creds(struct task_struct *task, struct falco_creds *creds);
void falco_task_comm(struct task_struct *task, char comm[TASK_COMM_LEN]);

/* Thread id of the parent, in the initial pid namespace. */
pid_t falco_task_parent(struct task_struct *task);

/* Ids in the task's own pid namespace: thread, process, process group. */
pid_t falco_task_vtid(struct task_struct *task);
pid_t falco_task_vpid(struct task_struct *task);
pid_t falco_task_vpgid(struct task_struct *task);

/* Process group in the initial pid namespace. */
pid_t falco_task_pgid(struct task_struct *task);

/* Whether the task, or what it forks, lives outside of the initial pid namespace. */
bool falco_task_in_child_pidns(struct task_struct *task);

/* Monotonic start time of the first process of the task's pid namespace, ns. */
u64 falco_task_pidns_start(struct task_struct *task);

/* Thread that inherits the children of an exiting task, 0 if there are none. */
pid_t falco_task_reaper(struct task_struct *task);

u64 falco_task_fdlimit(struct task_struct *task);
u32 falco_task_loginuid(struct task_struct *task);

/* Device number of the controlling terminal, 0 if there is none. */
u32 falco_task_tty(struct task_struct *task);

/*
 * The task's place in every hierarchy, as "<controller>=<path>" strings with a
 * NUL each, the default hierarchy last under the name "unified". What does not
 * fit into min(@size, FALCO_CGROUPS_MAX) is left out whole and sets @cut; the
 * last one is kept in any case. Returns the bytes written.
 */
u32 falco_task_cgroups(struct task_struct *task, char *buf, u32 size, bool *cut);

/* The file that the task executes, with a reference for fput(), or NULL. */
struct file *falco_task_exe(struct task_struct *task);

#endif /* _FALCO_TASK_H */
