// SPDX-License-Identifier: Apache-2.0
/* Acts of and on processes. */
#include "acts.h"

#include <linux/capability.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

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
	       "res=%ld exe='" PROGRAM "' args='all\\x00' tid=%ld pid=%ld ptid=%ld cwd='' fdlimit=%ld pgft_maj=0 pgft_min=+ vm_size=+ "
	       "vm_rss=+ vm_swap=0 comm='" COMM "' cgroups=" CGROUPS " flags=%ld uid=0 gid=0 vtid=%ld vpid=%ld pidns_init_start_ts=0",
	       child, self, self, parent, limit, flags, self, self);
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

static unsigned long long permitted(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	raw(SYS_capget, &header, data);
	return (data[0].permitted | (unsigned long long)data[1].permitted << 32) & ((1ULL << 41) - 1);
}

/* A process that executes something and ends; what it executes ends with 5. */
static char *five[] = { "zero", "exit", "5", NULL };
static char *env[] = { "A=1", "B=two words", NULL };

static long execute(void (*how)(void))
{
	long pid = fork();
	int status;

	if (!pid) {
		how();
		raw(SYS_exit_group, 99);
	}
	waitpid(pid, &status, 0);
	if (WEXITSTATUS(status) == 99) {
		fprintf(stderr, "acts: an exec did not work\n");
		exit(1);
	}
	return pid;
}

static unsigned long long ns(struct timespec t)
{
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void by_path(void)
{
	raw(SYS_execve, PROGRAM, five, env);
}

static void by_relative_path(void)
{
	raw(SYS_chdir, "/files");
	raw(SYS_execve, "./" COMM, five, env);
}

static void as_nobody(void)
{
	raw(SYS_setresgid, 65534, 65534, 65534);
	raw(SYS_setresuid, 65534, 65534, 65534);
	raw(SYS_execve, PROGRAM, five, NULL);
}

static void by_script(void)
{
	static const char text[] = "#!" PROGRAM " exit\n";
	char *argv[] = { "s", "9", NULL };
	int fd = open("/tmp/script", O_CREAT | O_WRONLY, 0755);

	write(fd, text, sizeof(text) - 1);
	close(fd);
	raw(SYS_execve, "/tmp/script", argv, env);
}

static void by_memfd(void)
{
	int to = raw(SYS_memfd_create, "mem", 0), from = open(PROGRAM, O_RDONLY);

	while (sendfile(to, from, NULL, 1 << 20) > 0)
		;
	dup2(to, 50);
	raw(SYS_execveat, 50, "", five, env, AT_EMPTY_PATH);
}

static void by_descriptor(void)
{
	dup2(open("/files", O_PATH), 51);
	raw(SYS_execveat, 51, COMM, five, env, 0);
}

static char much[40001], many_letters[5001];

static void with_much(void)
{
	char *argv[] = { "zero", "exit", "5", much, "last", NULL };

	raw(SYS_execve, PROGRAM, argv, env);
}

/* Both are too much: what comes behind env must be there all the same. */
static void with_much_of_both(void)
{
	char *argv[] = { "zero", "exit", "5", much, NULL }, *envp[] = { much, NULL };

	raw(SYS_execve, PROGRAM, argv, envp);
}

/* A thread executes, and becomes the process. */
static void *execute_five(void *unused)
{
	raw(SYS_execve, PROGRAM, five, env);
	return unused;
}

static void by_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, execute_five, NULL);
	for (;;)
		raw(SYS_pause);
}

static void with_long_name(void)
{
	char *argv[] = { many_letters, "exit", "5", NULL };

	raw(SYS_execve, PROGRAM, argv, env);
}

static void with_no_arguments(void)
{
	raw(SYS_execve, PROGRAM, five, NULL);
}

/* A terminal of our own, which becomes the controlling one by being opened. */
static int *pty;

static void on_terminal(void)
{
	int master, peer, unlock = 0;

	mkdir("/tmp/pts", 0755);
	mount("devpts", "/tmp/pts", "devpts", 0, "ptmxmode=0666");
	master = open("/tmp/pts/ptmx", O_RDWR | O_NOCTTY);
	ioctl(master, TIOCSPTLCK, &unlock);
	setsid();
	peer = ioctl(master, TIOCGPTPEER, O_RDWR);
	if (peer < 0 || ioctl(peer, TIOCSCTTY, 0) < 0)
		_exit(99);
	dup2(peer, 9);
	struct stat st;

	fstat(peer, &st);
	*pty = st.st_rdev;
	raw(SYS_execve, PROGRAM, five, env);
}

static void act_exec(void)
{
	struct stat st;
	unsigned long long caps = permitted();
	long pid, pgid = raw(SYS_getpgid, 0);

	pty = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	stat(PROGRAM, &st);
	memset(much, 'y', sizeof(much) - 1);
	memset(many_letters, 'z', sizeof(many_letters) - 1);

	pid = execute(by_path);
	expect_of(pid, "execve", "execve_x",
		  "res=0 exe='zero' args='exit\\x005\\x00' tid=%ld pid=%ld ptid=%ld cwd='' fdlimit=%ld pgft_maj=0 pgft_min=+ "
		  "vm_size=+ vm_rss=4±768 vm_swap=0 comm='" COMM "' cgroups=" CGROUPS " env='A=1\\x00B=two\\x20words\\x00' tty=0 vpgid=%ld "
		  "loginuid=4294967295 flags=1 cap_inheritable=0 cap_permitted=%llu cap_effective=%llu exe_ino=%lu "
		  "exe_ino_ctime=%llu exe_ino_mtime=%llu uid=0 trusted_exepath='" PROGRAM "' pgid=%ld gid=0 "
		  "filename='" PROGRAM "'",
		  pid, pid, self, nofile_limit(), pgid, caps, caps, st.st_ino, ns(st.st_ctim), ns(st.st_mtim), pgid);
	expect_of(pid, "execve/exit", "procexit_e", "status=1280 ret=5 sig=0 core=0 reaper_tid=0");

	pid = execute(by_relative_path);
	expect_of(pid, "execve/relative", "execve_x", "res=0 filename='./" COMM "' trusted_exepath='" PROGRAM "'");
	pid = execute(as_nobody);
	expect_of(pid, "execve/nobody", "execve_x", "res=0 env=- flags=0 cap_permitted=0 cap_effective=0 uid=65534 gid=65534");
	pid = execute(by_script);
	expect_of(pid, "execve/script", "execve_x",
		  "res=0 exe='" PROGRAM "' args='exit\\x00/tmp/script\\x009\\x00' comm='script' "
		  "filename='/tmp/script' trusted_exepath='" PROGRAM "'");
	pid = execute(by_memfd);
	expect_of(pid, "execveat/memfd", "execve_x",
		  "res=0 exe='zero' flags=5 trusted_exepath='/memfd:mem\\x20(deleted)' filename='/dev/fd/50'");
	pid = execute(by_descriptor);
	expect_of(pid, "execveat/descriptor", "execve_x",
		  "res=0 exe='zero' comm='" COMM "' trusted_exepath='" PROGRAM "' filename='/dev/fd/51/" COMM "'");
	pid = execute(with_much);
	expect_of(pid, "execve/much", "execve_x", "res=0 exe='zero' args='exit\\x005\\x00%.32760s\\x00' "
		  "env='A=1\\x00B=two\\x20words\\x00' rec=cut", much);
	pid = execute(with_much_of_both);
	expect_of(pid, "execve/much-of-both", "execve_x",
		  "res=0 exe='zero' args='exit\\x005\\x00%.32760s\\x00' env='%.10000s* trusted_exepath='" PROGRAM "' "
		  "pgid=%ld gid=0 filename='" PROGRAM "' rec=cut", much, much, pgid);
	pid = execute(by_thread);
	/* The first thread goes, and leaves its ids to the one that executes. */
	expect_of(pid, "execve/thread/leader", "procexit_e", "status=0 reaper_tid=0");
	expect_of(pid, "execve/thread", "execve_x", "res=0 exe='zero' tid=%ld pid=%ld filename='" PROGRAM "'", pid, pid);
	expect_of(pid, "execve/thread/exit", "procexit_e", "status=1280 ret=5");
	pid = execute(with_long_name);
	expect_of(pid, "execve/long-name", "execve_x", "res=0 exe='%s' args='exit\\x005\\x00'", many_letters);
	pid = execute(with_no_arguments);
	expect_of(pid, "execve/no-env", "execve_x", "res=0 env=-");
	pid = execute(on_terminal);
	expect_of(pid, "execve/terminal", "execve_x", "res=0 tty=%d vpgid=%ld pgid=%ld", *pty, pid, pid);
}

static void act_exec_failed(void)
{
	char *argv[] = { "n", "x", "y z", NULL }, *empty[] = { "", "", NULL }, *bad[] = { "a", (char *)16, "b", NULL };

	raw(SYS_execve, "/tmp/none", argv, env);
	expect("execve/missing", "execve_x",
	       "res=-2 exe='n' args='x\\x00y\\x20z\\x00' tid=%ld pid=%ld comm='" COMM "' env='A=1\\x00B=two\\x20words\\x00' "
	       "uid=0 trusted_exepath='" PROGRAM "' filename='/tmp/none'", self, self);
	raw(SYS_execve, NULL, NULL, NULL);
	expect("execve/null", "execve_x", "res=-14 exe=- args=- env=- filename=-");
	raw(SYS_execve, PROGRAM, bad, env);
	expect("execve/fault", "execve_x", "res=-14 exe='a' args='b\\x00' rec=fault");
	static char *worse[102];

	worse[0] = "a";
	for (int i = 1; i < 100; i++)
		worse[i] = (char *)16;
	worse[100] = "b";
	raw(SYS_execve, PROGRAM, worse, env);
	expect("execve/faults", "execve_x", "res=-14 exe='a' args=- rec=fault|cut");
	raw(SYS_execveat, AT_FDCWD, "/tmp/none", argv, env, 0);
	struct stat st;
	unsigned long long caps = permitted();
	long pgid = raw(SYS_getpgid, 0);

	stat(PROGRAM, &st);
	expect("execveat/missing", "execveat_x",
	       "res=-2 exe='n' args='x\\x00y\\x20z\\x00' tid=%ld pid=%ld ptid=%ld cwd='' fdlimit=%ld pgft_maj=0 pgft_min=+ vm_size=+ vm_rss=+ "
	       "vm_swap=0 comm='" COMM "' cgroups=" CGROUPS " env='A=1\\x00B=two\\x20words\\x00' tty=0 vpgid=%ld loginuid=4294967295 flags=1 "
	       "cap_inheritable=0 cap_permitted=%llu cap_effective=%llu exe_ino=%lu exe_ino_ctime=%llu exe_ino_mtime=%llu uid=0 "
	       "trusted_exepath='" PROGRAM "' pgid=%ld gid=0",
	       self, self, (long)raw(SYS_getppid), nofile_limit(), pgid, caps, caps, (unsigned long)st.st_ino, ns(st.st_ctim), ns(st.st_mtim), pgid);
	CALL("execveat/null", "execveat_x", (SYS_execveat, AT_FDCWD, NULL, NULL, NULL, 0), "res=-14 exe=- args=- env=-");
	CALL("execveat/closed", "execveat_x", (SYS_execveat, 999, "", argv, NULL, AT_EMPTY_PATH), "res=-9 exe='n' args='x\\x00y\\x20z\\x00' env=-");
	CALL("execveat/bad", "execveat_x", (SYS_execveat, AT_FDCWD, BAD, BAD, BAD, 0), "res=-14 exe=- args=- env=- rec=fault");
	CALL("execve/bad", "execve_x", (SYS_execve, BAD, BAD, BAD), "res=-14 exe=- args=- env=- filename=- rec=fault");
	CALL("execve/directory", "execve_x", (SYS_execve, "/tmp", argv, env), "res=-13 exe='n' filename='/tmp'");
	CALL("execve/empty", "execve_x", (SYS_execve, "", empty, empty + 1),
	     "res=-2 exe='' args='\\x00' env='\\x00' filename=''");
}

/* A thread forks and goes; the child's new parent is another thread. */
static volatile long forker;

static void *fork_and_go(void *pipe)
{
	char byte;
	int *fds = pipe;

	forker = raw(SYS_gettid);
	if (!raw(SYS_fork)) {
		raw(SYS_close, fds[1]);
		raw(SYS_read, fds[0], &byte, 1);
		raw(SYS_exit_group, 0);
	}
	raw(SYS_exit, 4);
	return NULL;
}

static void act_exit_thread(void)
{
	pthread_t thread;
	int fds[2];

	pipe(fds);
	pthread_create(&thread, NULL, fork_and_go, fds);
	pthread_join(thread, NULL);
	expect_of(forker, "procexit/reaper-thread", "procexit_e", "status=1024 ret=4 reaper_tid=%ld", self);
	close(fds[0]);
	close(fds[1]);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* C forks G and goes; G, which waits, gets another parent. Returns C. */
static long orphan(void)
{
	int fds[2];
	long c;
	char byte;

	pipe(fds);
	c = fork();
	if (!c) {
		if (!fork()) {
			close(fds[1]);
			read(fds[0], &byte, 1);
			raw(SYS_exit_group, 0);
		}
		raw(SYS_exit_group, 3);
	}
	waitpid(c, NULL, 0);
	close(fds[0]);
	close(fds[1]);
	return c;
}

static void act_exit(void)
{
	long pid;

	expect_of(orphan(), "procexit/reaper-init", "procexit_e", "status=768 ret=3 reaper_tid=1");
	raw(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1);
	expect_of(orphan(), "procexit/reaper-subreaper", "procexit_e", "reaper_tid=%ld", self);
	while (waitpid(-1, NULL, 0) > 0)
		;
	pid = fork();
	if (!pid)
		for (;;)
			raw(SYS_pause);
	raw(SYS_kill, pid, SIGKILL);
	expect("kill", "kill_x", "res=0 pid=%ld sig=9", pid);
	waitpid(pid, NULL, 0);
	expect_of(pid, "procexit/killed", "procexit_e", "status=9 ret=0 sig=9 core=0 reaper_tid=0");
	raw(SYS_tgkill, self, self, 0);
	expect("tgkill", "tgkill_x", "res=0 pid=%ld tid=%ld sig=0", self, self);
	CALL("tgkill/nobody", "tgkill_x", (SYS_tgkill, 99999, 99998, 9), "res=-3 pid=99999 tid=99998 sig=9");
	CALL("tgkill/negative", "tgkill_x", (SYS_tgkill, -1, -2, 300), "res=-22 pid=-1 tid=-2 sig=44");
	CALL("tkill", "tkill_x", (SYS_tkill, self, 0), "res=0 tid=%ld sig=0", self);
	CALL("tkill/nobody", "tkill_x", (SYS_tkill, 99999, 15), "res=-3 tid=99999 sig=15");
	CALL("kill/nobody", "kill_x", (SYS_kill, 99999, 64), "res=-3 pid=99999 sig=64");
	CALL("kill/group", "kill_x", (SYS_kill, -99999, 0), "res=-3 pid=-99999 sig=0");
	CALL("kill/invalid", "kill_x", (SYS_kill, self, 99), "res=-22 pid=%ld sig=99", self);
}

static void act_ptrace(void)
{
	static long word = (long)0x1122334455667788LL, out;
	long pid = fork();

	if (!pid)
		for (;;)
			raw(SYS_pause);
	raw(SYS_ptrace, PTRACE_ATTACH, 99999, 1, 2);
	expect("ptrace/nobody", "ptrace_x", "res=-3 addr=0:0 data=0:0 request=11 pid=99999");
	raw(SYS_ptrace, PTRACE_ATTACH, pid, 0, 0);
	expect("ptrace/attach", "ptrace_x", "res=0 addr=0:0 data=0:0 request=11 pid=%ld", pid);
	waitpid(pid, NULL, 0);
	raw(SYS_ptrace, PTRACE_PEEKDATA, pid, &word, &out);
	expect("ptrace/peek", "ptrace_x", "res=0 addr=0:%lu data=0:%ld request=3", (unsigned long)&word, word);
	raw(SYS_ptrace, PTRACE_POKEDATA, pid, &word, 77);
	expect("ptrace/poke", "ptrace_x", "res=0 addr=0:%lu data=0:77 request=6", (unsigned long)&word);
	raw(SYS_ptrace, PTRACE_DETACH, pid, 0, SIGCONT);
	expect("ptrace/detach", "ptrace_x", "res=0 data=1:18 request=12 pid=%ld", pid);
	raw(SYS_kill, pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void act_attributes(void)
{
	struct { unsigned long cur, max; } limit = { 100, 200 }, old;
	uint64_t before[2], other[2] = { 90, 200 };
	static char from[10] = "process_vm", to[10];
	struct iovec local = { to, 10 }, remote = { from, 10 };
	int subreaper = -1;

	raw(SYS_prctl, PR_SET_NAME, "new name");
	expect("prctl/name", "prctl_x", "res=0 option=15 arg2_str='new\\x20name' arg2_int=0");
	raw(SYS_prctl, PR_SET_NAME, NULL);
	expect("prctl/null", "prctl_x", "res=-14 option=15 arg2_str=- arg2_int=0");
	raw(SYS_prctl, PR_SET_PDEATHSIG, 9);
	expect("prctl/number", "prctl_x", "res=0 option=1 arg2_str=- arg2_int=9");
	raw(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1);
	expect("prctl/set-subreaper", "prctl_x", "res=0 option=36 arg2_int=1");
	raw(SYS_prctl, PR_GET_CHILD_SUBREAPER, &subreaper);
	expect("prctl/subreaper", "prctl_x", "res=0 option=37 arg2_str=- arg2_int=1");

	raw(SYS_setrlimit, RLIMIT_NOFILE, &limit);
	expect("setrlimit", "setrlimit_x", "res=0 cur=100 max=200 resource=7");
	raw(SYS_getrlimit, RLIMIT_NOFILE, &old);
	expect("getrlimit", "getrlimit_x", "res=0 cur=100 max=200 resource=7");
	raw(SYS_getrlimit, 99, &old);
	expect("getrlimit/invalid", "getrlimit_x", "res=-22 cur=-1 max=-1 resource=255");
	raw(SYS_prlimit64, 0, RLIMIT_NOFILE, other, before);
	expect("prlimit", "prlimit_x", "res=0 newcur=90 newmax=200 oldcur=100 oldmax=200 pid=0 resource=7");
	raw(SYS_prlimit64, self, RLIMIT_CORE, NULL, NULL);
	expect("prlimit/null", "prlimit_x", "res=0 newcur=0 newmax=0 oldcur=0 oldmax=0 pid=%ld resource=4", self);
	raw(SYS_prlimit64, -1, RLIMIT_NOFILE, other, NULL);
	expect("prlimit/nobody", "prlimit_x", "res=-3 newcur=90 newmax=200 oldcur=-1 oldmax=-1 pid=-1");

	raw(SYS_process_vm_readv, self, &local, 1, &remote, 1, 0);
	expect("process_vm_readv", "process_vm_readv_x", "res=10 pid=%ld data='process_vm'", self);
	raw(SYS_process_vm_writev, self, &remote, 1, &local, 1, 0);
	expect("process_vm_writev", "process_vm_writev_x", "res=10 pid=%ld data='process_vm'", self);
	raw(SYS_process_vm_readv, 99999, &local, 1, &remote, 1, 0);
	expect("process_vm_readv/nobody", "process_vm_readv_x", "res=-3 pid=99999 data=-");

	raw(SYS_setsid);
	expect("setsid", "setsid_x", "res=%ld", self);
	raw(SYS_setpgid, 99999, -1);
	expect("setpgid", "setpgid_x", "res=-22 pid=99999 pgid=-1");
	raw(SYS_unshare, CLONE_NEWNS | CLONE_FS);
	expect("unshare", "unshare_x", "res=0 flags=%d", 0x20 | C_FS);
	raw(SYS_setns, -1, CLONE_NEWNET);
	expect("setns", "setns_x", "res=-9 fd=-1 nstype=%d", 0x10);
}

static void act_process(void)
{
	in_child(act_fork);
	in_child(act_vfork);
	in_child(act_clone);
	in_child(act_clone_pidns);
	in_child(act_clone_thread);
	in_child(act_clone3);
	in_child(act_exec);
	in_child(act_exec_failed);
	in_child(act_exit);
	in_child(act_exit_thread);
	in_child(act_ptrace);
	in_child(act_attributes);
}
