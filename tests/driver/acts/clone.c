// SPDX-License-Identifier: Apache-2.0
/* Acts that make processes and threads. */
#include "acts.h"

#include <linux/sched.h>
#include <sys/resource.h>

/* Values of the schema's clone_flags. */
enum {
	C_FILES = 0x1, C_FS = 0x2, C_NEWPID = 0x40, C_SIGHAND = 0x800, C_SYSVSEM = 0x1000, C_THREAD = 0x2000,
	C_VM = 0x8000, C_VFORK = 0x8000000, C_IN_PIDNS = 0x20000000,
};

/* acts.c has moved us there; the controllers' own entries come before. */
#define CGROUPS "~\\x00unified=/acts\\x00"

static long nofile_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

/* The call @nr, whose child ends with 7 at once, on @stack if it is not NULL. */
static long child_of(long nr, long a, long b)
{
	long ret;

#if NARROW
	__asm__ volatile("int $0x80\n\t"
			 "test %%eax, %%eax\n\t"
			 "jnz 1f\n\t"
			 "mov $1, %%eax\n\t"
			 "mov $7, %%ebx\n\t"
			 "int $0x80\n"
			 "1:"
			 : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(0) : "memory");
#else
	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "mov $60, %%eax\n\t"
			 "mov $7, %%edi\n\t"
			 "syscall\n"
			 "1:"
			 : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(0) : "rcx", "r11", "memory");
#endif
	return ret;
}

/* What both sides of a clone call say, and how the child ends. */
static void expect_clone(const char *name, const char *event, long child, long flags)
{
	long limit = nofile_limit(), parent = raw(SYS_getppid);
	char check[64];

	snprintf(check, sizeof(check), "%s/parent", name);
	expect(check, event,
	       "res=%ld exe='" PROGRAM "' args='all\\x00' tid=%ld pid=%ld ptid=%ld cwd='' fdlimit=%ld pgft_maj=0 pgft_min=+ vm_size=%ld "
	       "vm_rss=%ld±%d vm_swap=0 comm='" COMM "' cgroups=" CGROUPS " flags=%ld uid=0 gid=0 vtid=%ld vpid=%ld pidns_init_start_ts=0",
	       child, self, self, parent, limit, mapped(), resident(), slack() + 64, flags, self, self);
	snprintf(check, sizeof(check), "%s/child", name);
	if (flags & C_NEWPID)
		expect_of(child, check, event, "res=0 tid=%ld pid=%ld ptid=%ld flags=%ld vtid=1 vpid=1 pidns_init_start_ts=+",
			  child, child, self, flags | C_IN_PIDNS);
	else if (flags & C_THREAD)
		expect_of(child, check, event, "res=0 tid=%ld pid=%ld ptid=%ld flags=%ld vtid=%ld vpid=%ld",
			  child, self, parent, flags, child, self);
	else
		expect_of(child, check, event,
			  "res=0 exe='" PROGRAM "' args='all\\x00' tid=%ld pid=%ld ptid=%ld cwd='' fdlimit=%ld vm_size=+ comm='" COMM "' "
			  "cgroups=" CGROUPS " flags=%ld uid=0 gid=0 vtid=%ld vpid=%ld pidns_init_start_ts=?",
			  child, child, self, limit, flags, child, child);
	snprintf(check, sizeof(check), "%s/exit", name);
	expect_of(child, check, "procexit_e", "status=1792 ret=7 sig=0 core=0 reaper_tid=0");
}

static void act_fork(void)
{
	long child = child_of(SYS_fork, 0, 0);

	raw(SYS_wait4, child, NULL, 0, NULL);
	expect_clone("fork", "fork_x", child, 0);
}

static void act_vfork(void)
{
	long child = child_of(SYS_vfork, 0, 0);

	raw(SYS_wait4, child, NULL, 0, NULL);
	expect_clone("vfork", "vfork_x", child, C_VFORK | C_VM);
}

static void act_clone(void)
{
	long child = child_of(SYS_clone, CLONE_FILES | CLONE_FS | SIGCHLD, 0);

	raw(SYS_wait4, child, NULL, 0, NULL);
	expect_clone("clone", "clone_x", child, C_FILES | C_FS);
	raw(SYS_clone, CLONE_THREAD, 0, 0, 0, 0);
	expect("clone/invalid", "clone_x", "res=-22 exe='' args=- flags=%d pidns_init_start_ts=0", C_THREAD);
}

static void act_clone_pidns(void)
{
	long child = child_of(SYS_clone, CLONE_NEWPID | SIGCHLD, 0);

	raw(SYS_wait4, child, NULL, 0, NULL);
	expect_clone("clone/pidns", "clone_x", child, C_NEWPID);
}

static void act_clone_thread(void)
{
	static char stack[4096];
	volatile int gone = 1;
	long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PARENT_SETTID;
	long child;

	child = child_of(SYS_clone, flags, (long)(stack + sizeof(stack)));
	while (raw(SYS_tgkill, self, child, 0) == 0)
		;
	expect_clone("clone/thread", "clone_x", child,
		     C_VM | C_FS | C_FILES | C_SIGHAND | C_THREAD | C_SYSVSEM | 0x200);
	(void)gone;
}

static void act_clone3(void)
{
	struct clone_args args = { .flags = CLONE_FILES, .exit_signal = SIGCHLD };
	long child = child_of(SYS_clone3, (long)&args, sizeof(args));

	raw(SYS_wait4, child, NULL, 0, NULL);
	expect_clone("clone3", "clone3_x", child, C_FILES);
	raw(SYS_clone3, NULL, sizeof(args));
	expect("clone3/null", "clone3_x", "res=-14 exe='' args=- flags=0 rec=fault");
}

/* A new namespace of each kind at once. The child is nobody there, and who it was outside. */
static void act_clone_namespaces(void)
{
	long host = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWCGROUP;
	long schema = 0x100000 | 0x20 | 0x80 | 0x8 | 0x10 | 0x40 | 0x10000000, child;

	must("setresgid", raw(SYS_setresgid, 78, 78, 78));
	must("setresuid", raw(SYS_setresuid, 77, 77, 77));
	child = child_of(SYS_clone, host | SIGCHLD, 0);
	must("clone", child);
	raw(SYS_wait4, child, NULL, 0, NULL);
	expect("clone/namespaces/parent", "clone_x", "res=%ld flags=%ld uid=77 gid=78 vtid=%ld pidns_init_start_ts=0", child, schema, self);
	expect_of(child, "clone/namespaces/child", "clone_x", "res=0 ptid=%ld flags=%ld uid=77 gid=78 vtid=1 vpid=1 pidns_init_start_ts=+",
		  self, schema | C_IN_PIDNS);
}

/* Who we are for everybody else: /proc is still the one from outside. */
static long outer_pid(void)
{
	char text[32] = "";

	if (readlink("/proc/self", text, sizeof(text) - 1) < 0)
		abort();
	return atol(text);
}

static void act_unshared(void)
{
	long child, first, outside = self;

	must("unshare", raw(SYS_unshare, CLONE_NEWPID));
	child = raw(SYS_fork);
	if (!child) {
		first = outer_pid();
		expect_of(first, "unshare/child", "fork_x", "res=0 tid=%ld ptid=%ld flags=%d vtid=1 vpid=1 pidns_init_start_ts=+", first, outside,
			  C_IN_PIDNS);
		child = raw(SYS_fork);
		if (!child) {
			long second = outer_pid();

			expect_of(second, "unshare/grandchild", "fork_x", "res=0 tid=%ld ptid=%ld flags=%d vtid=2 vpid=2 pidns_init_start_ts=@init",
				  second, first, C_IN_PIDNS);
			raw(SYS_exit_group, 0);
		}
		expect_of(first, "unshare/child/parent", "fork_x", "res=2 tid=%ld pid=%ld flags=%d vtid=1 vpid=1 pidns_init_start_ts=0", first, first,
			  C_IN_PIDNS);
		raw(SYS_wait4, child, NULL, 0, NULL);
		raw(SYS_exit_group, 0);
	}
	expect("unshare/parent", "fork_x", "res=%ld flags=%d vtid=%ld", child, C_IN_PIDNS, self);
	raw(SYS_wait4, child, NULL, 0, NULL);
}

/* One that nobody has: the highest but some. */
static long free_tid(void)
{
	FILE *file = fopen("/proc/sys/kernel/pid_max", "r");
	long max = 0;

	if (!file || fscanf(file, "%ld", &max) != 1)
		exit(1);
	fclose(file);
	return max - 100;
}

static void act_clone3_forms(void)
{
	static int32_t tid[2];
	static struct clone_args args;
	long child, wanted = free_tid();

	tid[0] = wanted;
	args = (struct clone_args){ .flags = CLONE_FS, .exit_signal = SIGCHLD, .set_tid = (uintptr_t)tid, .set_tid_size = 1 };
	child = child_of(SYS_clone3, (long)&args, sizeof(args));
	raw(SYS_wait4, child, NULL, 0, NULL);
	expect("clone3/set_tid", "clone3_x", "res=%ld flags=2", wanted);
	expect_of(wanted, "clone3/set_tid/child", "clone3_x", "res=0 tid=%ld pid=%ld vtid=%ld flags=2", wanted, wanted, wanted);
	args.flags = CLONE_NEWUTS | CLONE_IO;
	args.set_tid_size = 0;
	args.set_tid = 0;
	child = child_of(SYS_clone3, (long)&args, 64);
	raw(SYS_wait4, child, NULL, 0, NULL);
	expect("clone3/short", "clone3_x", "res=%ld flags=%d", child, 0x80 | 0x4);
	expect_of(child, "clone3/short/child", "clone3_x", "res=0 tid=%ld flags=%d", child, 0x80 | 0x4);
	CALL("clone3/size", "clone3_x", (SYS_clone3, &args, 8), "res=-22 flags=%d", 0x80 | 0x4);
	CALL("clone3/bad", "clone3_x", (SYS_clone3, BAD, sizeof(args)), "res=-14 exe='' args=- flags=0 rec=fault");
}

/* Of three ids the effective ones are told. */
static void act_fork_as_others(void)
{
	long pid;

	must("setresgid", raw(SYS_setresgid, 5, 6, 7));
	must("setresuid", raw(SYS_setresuid, 8, 9, 10));
	pid = raw(SYS_fork);
	if (!pid)
		raw(SYS_exit_group, 0);
	raw(SYS_wait4, pid, NULL, 0, NULL);
	expect("fork/others", "fork_x", "res=%ld uid=9 gid=6", pid);
}

/*
 * The same cgroup of v2, of which a controller knows more or less: the module
 * keeps the text that it told last, by CPU.
 */
static void act_controllers(void)
{
	unsigned long cpu = 1;
	long fd = must("subtree_control", raw(SYS_openat, AT_FDCWD, "/sys/fs/cgroup/cgroup.subtree_control", O_WRONLY, 0));

	must("sched_setaffinity", raw(SYS_sched_setaffinity, 0, sizeof(cpu), &cpu));
	for (int i = 0; i < 4; i++) {
		long child;

		must("controller", raw(SYS_write, fd, i % 2 ? "+pids" : "-pids", 5));
		child = child_of(SYS_fork, 0, 0);
		raw(SYS_wait4, child, NULL, 0, NULL);
		expect(i % 2 ? "controllers/with" : "controllers/without", "fork_x", "res=%ld cgroups=~pids=%s\\x00", child, i % 2 ? "/acts" : "/");
	}
}

static void act_clones(void)
{
	in_child(act_fork);
	in_child(act_vfork);
	in_child(act_clone);
	in_child(act_clone_pidns);
	in_child(act_clone_thread);
	in_child(act_clone_namespaces);
	in_child(act_unshared);
	in_child(act_clone3);
	in_child(act_clone3_forms);
	in_child(act_fork_as_others);
	in_child(act_controllers);
}
