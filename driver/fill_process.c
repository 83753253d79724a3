// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Process events: the clone family, exec, exit; and the calls that change or
 * look into a process.
 *
 * A clone call is an event in the parent (sys_exit, the result is the child)
 * and one in the child (result 0): the child's own sys_exit, or where a new
 * task does not return through one that can be read, sched_process_fork. There
 * we run in the parent, whose memory the child has shared or copied, and c->task
 * is the child, which has not run yet.
 *
 * A successful exec is seen in sched_process_exec, when the new image is in
 * place and its strings are still as the caller passed them; a failed one in
 * sys_exit, where argv and envp are walked in the caller's memory.
 */
#include <linux/binfmts.h>
#include <linux/file.h>
#include <linux/kernel.h>
#include <linux/mm_types.h>
#include <linux/prctl.h>
#include <linux/ptrace.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

#include "dyn.h"
#include "file.h"
#include "fill.h"
#include "iov.h"
#include "task.h"

#define STRINGS_MAX 32768 /* bytes of args, and of env */
#define POINTERS_MAX 8192 /* entries of argv or envp that are looked at */
#define FAULTS_MAX   64 /* of them unreadable: each costs an exception */

/*
 * What env leaves free for the parameters behind it: two paths and 14 numbers,
 * the rest being room for those who round.
 */
#define EXEC_TAIL (2 * FALCO_PATH_MAX + 512)

/* The host's CLONE_* of a call that has no flags. */
#define FORK_FLAGS  0
#define VFORK_FLAGS (CLONE_VFORK | CLONE_VM)

/* A list of strings: [start, end) of memory, or an array of pointers. */
struct strings {
	u64 start;
	u64 end; /* 0: an array of pointers at start */
	bool compat;
};

static struct strings mm_args(struct mm_struct *mm)
{
	return (struct strings){
		.start = READ_ONCE(mm->arg_start),
		.end = READ_ONCE(mm->arg_end),
	};
}

static struct strings mm_env(struct mm_struct *mm)
{
	return (struct strings){
		.start = READ_ONCE(mm->env_start),
		.end = READ_ONCE(mm->env_end),
	};
}

static struct strings user_array(const struct falco_call *c, unsigned int arg)
{
	return (struct strings){ .start = c->args[arg], .compat = c->compat };
}

/* Memory of strings; a fault ends it there. */
static u32 read_range(struct falco_frame *f, u8 *p, u32 max, const struct strings *s)
{
	u64 want = s->end > s->start ? s->end - s->start : 0;
	u32 got;

	if (want > max) {
		want = max;
		f->flags |= FALCO_REC_TRUNCATED;
	}
	got = falco_read_pages(p, s->start, want);
	if (got < want)
		f->flags |= FALCO_REC_FAULT;
	return got;
}

/*
 * Strings behind pointers; those that cannot be read are left out. The limits
 * are for callers who want us to be busy with preemption off.
 */
static u32 read_pointers(struct falco_frame *f, u8 *p, u32 max, const struct strings *s)
{
	u32 width = s->compat ? sizeof(u32) : sizeof(u64);
	u32 i, n, faults = 0, len = 0;
	u64 ptr;

	if (!s->start)
		return 0;
	for (i = 0; len < max; i++) {
		if (i == POINTERS_MAX || faults == FAULTS_MAX) {
			f->flags |= FALCO_REC_TRUNCATED;
			break;
		}
		ptr = 0; /* little-endian: the narrow one fills the low half */
		if (!falco_read_user(f, &ptr, s->start + i * width, width) || !ptr)
			break;
		n = falco_read_user_str(f, p + len, ptr, max - len);
		if (!n)
			faults++;
		len += n;
	}
	return len;
}

/* All strings, @max bytes at most, the last one with its NUL in any case. */
static u32 read_strings(struct falco_frame *f, u8 *p, u32 max, const struct strings *s)
{
	u32 len = s->end ? read_range(f, p, max, s) : read_pointers(f, p, max, s);

	if (len)
		p[len - 1] = '\0';
	return len;
}

/*
 * exe and args: argv's first string and the others. They are read in one go
 * and lie in the frame as they lie in memory; then the line is drawn between
 * them. A first string as long as a path does not push the others out.
 */
static void write_args(struct falco_frame *f, const struct strings *argv)
{
	u32 room, len, exe, args;
	u8 *p = falco_param_begin(f, &room), *rest;

	len = read_strings(f, p, min_t(u32, room, FALCO_PATH_MAX + STRINGS_MAX), argv);
	exe = len ? strnlen(p, len - 1) + 1 : 0;
	falco_param_end(f, exe);

	rest = p + exe;
	args = min_t(u32, len - exe, STRINGS_MAX);
	p = falco_param_begin(f, &room);
	args = min_t(u32, args, room);
	if (args < len - exe)
		f->flags |= FALCO_REC_TRUNCATED;
	memmove(p, rest, args);
	if (args)
		p[args - 1] = '\0';
	falco_param_end(f, args);
}

static void write_env(struct falco_frame *f, const struct strings *envp)
{
	u32 room;
	u8 *p = falco_param_begin(f, &room);

	room = min_t(u32, room > EXEC_TAIL ? room - EXEC_TAIL : 0, STRINGS_MAX);
	falco_param_end(f, read_strings(f, p, room, envp));
}

static void write_cgroups(struct falco_frame *f, struct task_struct *task)
{
	u32 room, len;
	bool cut;
	u8 *p = falco_param_begin(f, &room);

	len = falco_task_cgroups(task, p, room, &cut);
	if (cut)
		f->flags |= FALCO_REC_TRUNCATED;
	falco_param_end(f, len);
}

/* tid to cgroups: what the clone and exec events have in common. */
static void write_task(struct falco_frame *f, struct task_struct *task)
{
	struct falco_memory memory;
	char comm[TASK_COMM_LEN];

	falco_task_memory(task, &memory);
	falco_task_comm(task, comm);
	falco_write_s64(f, task->pid);
	falco_write_s64(f, task->tgid);
	falco_write_s64(f, falco_task_parent(task));
	falco_write_str(f, ""); /* cwd, which nobody reads any more */
	falco_write_u64(f, falco_task_fdlimit(task));
	falco_write_u64(f, READ_ONCE(task->maj_flt));
	falco_write_u64(f, READ_ONCE(task->min_flt));
	falco_write_u32(f, memory.size);
	falco_write_u32(f, memory.rss);
	falco_write_u32(f, memory.swap);
	falco_write_str(f, comm);
	write_cgroups(f, task);
}

/* In sched_process_fork the call's flags are gone; these can be seen. */
static u64 flags_of_fork(const struct falco_call *c)
{
	u64 flags = 0;

	if (c->task->pid != c->task->tgid)
		flags |= CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
	if (c->task->files == c->parent->files)
		flags |= CLONE_FILES;
	return flags;
}

static void write_clone(struct falco_frame *f, const struct falco_call *c, u64 host_flags)
{
	struct task_struct *task = c->task;
	u32 flags = falco_map(FALCO_MAP_CLONE_FLAGS, c->regs ? host_flags : flags_of_fork(c));
	struct falco_creds creds;

	falco_task_creds(task, &creds);
	if (falco_task_in_child_pidns(task))
		flags |= FALCO_CLONE_CHILD_IN_PIDNS;

	falco_write_s64(f, c->ret);
	if (c->ret >= 0 && task->mm) {
		struct strings argv = mm_args(task->mm);

		write_args(f, &argv);
	} else {
		falco_write_str(f, "");
		falco_write_absent(f);
	}
	write_task(f, task);
	falco_write_u32(f, flags);
	falco_write_u32(f, creds.uid);
	falco_write_u32(f, creds.gid);
	falco_write_s64(f, falco_task_vtid(task));
	falco_write_s64(f, falco_task_vpid(task));
	falco_write_u64(f, c->ret ? 0 : falco_task_pidns_start(task));
}

void falco_fill_clone_x(struct falco_frame *f, const struct falco_call *c)
{
	write_clone(f, c, c->args[0]);
}

/* The flags stand first in struct clone_args. */
void falco_fill_clone3_x(struct falco_frame *f, const struct falco_call *c)
{
	u64 flags = 0;

	if (c->regs)
		falco_read_user(f, &flags, c->args[0], sizeof(flags));
	write_clone(f, c, flags);
}

void falco_fill_fork_x(struct falco_frame *f, const struct falco_call *c)
{
	write_clone(f, c, FORK_FLAGS);
}

void falco_fill_vfork_x(struct falco_frame *f, const struct falco_call *c)
{
	write_clone(f, c, VFORK_FLAGS);
}

static u32 exe_flags(struct file *exe)
{
	u32 flags = 0;

	if (!exe)
		return 0;
	if (falco_file_writable(exe))
		flags |= FALCO_EXE_WRITABLE;
	if (falco_file_memfd(exe))
		flags |= FALCO_EXE_FROM_MEMFD;
	switch (falco_file_layer(exe)) {
	case FALCO_LAYER_UPPER:
		flags |= FALCO_EXE_UPPER_LAYER;
		break;
	case FALCO_LAYER_LOWER:
		flags |= FALCO_EXE_LOWER_LAYER;
		break;
	case FALCO_LAYER_NONE:
		break;
	}
	return flags;
}

static void write_exe_path(struct falco_frame *f, struct file *exe)
{
	u32 room, len = 0;
	u8 *p = falco_param_begin(f, &room);

	if (exe)
		len = falco_file_path(f, exe, p, min_t(u32, room, FALCO_PATH_MAX));
	falco_param_end(f, len);
}

/* Everything but the filename, which execveat does not have. */
static void write_exec(struct falco_frame *f, const struct falco_call *c,
		       const struct strings *argv, const struct strings *envp)
{
	struct task_struct *task = c->task;
	struct file *exe = falco_task_exe(task);
	struct falco_creds creds;

	falco_task_creds(task, &creds);
	falco_write_s64(f, c->ret);
	write_args(f, argv);
	write_task(f, task);
	write_env(f, envp);
	falco_write_u32(f, falco_task_tty(task));
	falco_write_s64(f, falco_task_vpgid(task));
	falco_write_u32(f, falco_task_loginuid(task));
	falco_write_u32(f, exe_flags(exe));
	falco_write_u64(f, creds.inheritable);
	falco_write_u64(f, creds.permitted);
	falco_write_u64(f, creds.effective);
	falco_write_u64(f, exe ? falco_file_ino(exe) : 0);
	falco_write_u64(f, exe ? falco_file_ctime(exe) : 0);
	falco_write_u64(f, exe ? falco_file_mtime(exe) : 0);
	falco_write_u32(f, creds.uid);
	write_exe_path(f, exe);
	falco_write_s64(f, falco_task_pgid(task));
	falco_write_u32(f, creds.gid);
	if (exe)
		fput(exe);
}

/* Without registers we stand in sched_process_exec: the call has succeeded. */
void falco_fill_execve_x(struct falco_frame *f, const struct falco_call *c)
{
	struct strings argv, envp;

	if (c->regs) {
		argv = user_array(c, 1);
		envp = user_array(c, 2);
		write_exec(f, c, &argv, &envp);
		falco_write_user_str(f, c->args[0], FALCO_PATH_MAX);
	} else {
		argv = mm_args(c->task->mm);
		envp = mm_env(c->task->mm);
		write_exec(f, c, &argv, &envp);
		falco_write_str(f, c->bprm->filename);
	}
}

void falco_fill_execveat_x(struct falco_frame *f, const struct falco_call *c)
{
	struct strings argv = user_array(c, 2), envp = user_array(c, 3);

	write_exec(f, c, &argv, &envp);
}

void falco_fill_procexit_e(struct falco_frame *f, const struct falco_call *c)
{
	u32 code = c->task->exit_code;

	falco_write_s64(f, (s32)code);
	falco_write_s64(f, code >> 8 & 0xff);
	falco_write_u8(f, code & 0x7f);
	falco_write_u8(f, !!(code & 0x80));
	falco_write_s64(f, falco_task_reaper(c->task));
}

/* What stands at data depends on the request: a signal, a result, or a number. */
static void write_ptrace_data(struct falco_frame *f, const struct falco_call *c)
{
	u64 word = c->args[3];

	switch (c->args[0]) {
	case PTRACE_CONT:
	case PTRACE_SINGLESTEP:
	case PTRACE_DETACH:
	case PTRACE_SYSCALL:
		falco_write_dyn_u8(f, FALCO_PTRACE_SIGTYPE, word);
		return;
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
	case PTRACE_PEEKUSR:
		word = 0;
		falco_read_user(f, &word, c->args[3], c->compat ? sizeof(u32) : sizeof(u64));
		break;
	}
	falco_write_dyn_u64(f, FALCO_PTRACE_UINT64, word);
}

void falco_fill_ptrace_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_s64(f, c->ret);
	if (c->ret < 0) {
		falco_write_dyn_u64(f, FALCO_PTRACE_UINT64, 0);
		falco_write_dyn_u64(f, FALCO_PTRACE_UINT64, 0);
	} else {
		falco_write_dyn_u64(f, FALCO_PTRACE_UINT64, c->args[2]);
		write_ptrace_data(f, c);
	}
	falco_write_u16(f, falco_map(FALCO_MAP_PTRACE_REQUEST, c->args[0]));
	falco_write_s64(f, (s32)c->args[1]);
}

void falco_fill_prctl_x(struct falco_frame *f, const struct falco_call *c)
{
	s64 number = c->args[1];
	s32 value = 0;

	falco_write_s64(f, c->ret);
	falco_write_u32(f, c->args[0]);
	switch ((u32)c->args[0]) {
	case PR_SET_NAME:
	case PR_GET_NAME:
		falco_write_user_str(f, c->args[1], FALCO_STR_MAX);
		number = 0;
		break;
	case PR_GET_CHILD_SUBREAPER:
		falco_read_user(f, &value, c->args[1], sizeof(value));
		falco_write_absent(f);
		number = value;
		break;
	default:
		falco_write_absent(f);
		break;
	}
	falco_write_s64(f, number);
}

struct limit {
	s64 cur;
	s64 max;
};

/* 32-bit x86 has two getrlimits; the older one knows a smaller infinity. */
#define IA32_OLD_GETRLIMIT 76
#define OLD_INFINITY 0x7fffffff

static s64 widen_limit(u32 v, u32 infinity)
{
	return v >= infinity ? -1 : (s64)v;
}

/* The rlimit at @uptr, zeros if there is none; @infinity is that of 32-bit words, else 0. */
static struct limit read_limit(struct falco_frame *f, u64 uptr, u32 infinity)
{
	struct limit limit = {};
	u32 narrow[2];

	if (!uptr)
		return limit;
	if (!infinity) {
		falco_read_user(f, &limit, uptr, sizeof(limit));
	} else if (falco_read_user(f, narrow, uptr, sizeof(narrow))) {
		limit.cur = widen_limit(narrow[0], infinity);
		limit.max = widen_limit(narrow[1], infinity);
	}
	return limit;
}

static const struct limit no_limit = { -1, -1 };

static void write_limit(struct falco_frame *f, struct limit limit)
{
	falco_write_s64(f, limit.cur);
	falco_write_s64(f, limit.max);
}

void falco_fill_getrlimit_x(struct falco_frame *f, const struct falco_call *c)
{
	u32 infinity = 0;

	if (c->regs32)
		infinity = c->nr == IA32_OLD_GETRLIMIT ? OLD_INFINITY : U32_MAX;
	falco_write_s64(f, c->ret);
	write_limit(f, c->ret ? no_limit : read_limit(f, c->args[1], infinity));
	falco_write_u8(f, falco_map(FALCO_MAP_RLIMIT_RESOURCE, (u32)c->args[0]));
}

void falco_fill_setrlimit_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_s64(f, c->ret);
	write_limit(f, read_limit(f, c->args[1], c->regs32 ? U32_MAX : 0));
	falco_write_u8(f, falco_map(FALCO_MAP_RLIMIT_RESOURCE, (u32)c->args[0]));
}

/* Here the words have 64 bits for everybody. */
void falco_fill_prlimit_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_s64(f, c->ret);
	write_limit(f, read_limit(f, c->args[2], 0));
	write_limit(f, c->ret ? no_limit : read_limit(f, c->args[3], 0));
	falco_write_s64(f, (s32)c->args[0]);
	falco_write_u8(f, falco_map(FALCO_MAP_RLIMIT_RESOURCE, (u32)c->args[1]));
}

/* The data as it lies on our side, of the length that was moved. */
static void write_process_vm(struct falco_frame *f, const struct falco_call *c)
{
	struct falco_iov iov = falco_iov(c, c->args[1], c->args[2]);

	falco_write_s64(f, c->ret);
	falco_write_s64(f, (s32)c->args[0]);
	if (c->ret > 0)
		falco_write_iov(f, &iov, c->ret);
	else
		falco_write_absent(f);
}

void falco_fill_process_vm_readv_x(struct falco_frame *f, const struct falco_call *c)
{
	write_process_vm(f, c);
}

void falco_fill_process_vm_writev_x(struct falco_frame *f, const struct falco_call *c)
{
	write_process_vm(f, c);
}
