// SPDX-License-Identifier: Apache-2.0
/* Acts of processes that end, and on what they are. */
#include "acts.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

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
	while (raw(SYS_tgkill, self, forker, 0) == 0)
		; /* whoever is joined has its exit event still before it, and is to have its child then */
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

	if (!pid) {
		for (;;) {
			for (volatile int i = 0; i < 1000000; i++)
				;
			raw(SYS_sched_yield);
		}
	}
	raw(SYS_ptrace, PTRACE_ATTACH, 99999, 1, 2);
	expect("ptrace/nobody", "ptrace_x", "res=-3 addr=0:0 data=0:0 request=11 pid=99999");
	raw(SYS_ptrace, PTRACE_ATTACH, pid, 0, 0);
	expect("ptrace/attach", "ptrace_x", "res=0 addr=0:0 data=0:0 request=11 pid=%ld", pid);
	waitpid(pid, NULL, 0);
	raw(SYS_ptrace, PTRACE_PEEKDATA, pid, &word, &out);
	expect("ptrace/peek", "ptrace_x", "res=0 addr=0:%lu data=0:%ld request=3", (unsigned long)&word, word);
	raw(SYS_ptrace, PTRACE_POKEDATA, pid, &word, 77);
	expect("ptrace/poke", "ptrace_x", "res=0 addr=0:%lu data=0:77 request=6", (unsigned long)&word);
	CALL("ptrace/peek-text", "ptrace_x", (SYS_ptrace, PTRACE_PEEKTEXT, pid, &word, &out), "res=0 data=0:77 request=2");
	CALL("ptrace/peek-bad", "ptrace_x", (SYS_ptrace, PTRACE_PEEKDATA, pid, &word, BAD), "res=-14 addr=0:0 data=0:0 request=3");
	raw(SYS_ptrace, PTRACE_PEEKUSER, pid, 0, &out);
	expect("ptrace/peek-user", "ptrace_x", "res=0 addr=0:0 data=0:%lu request=4", (unsigned long)out);
	CALL("ptrace/syscall", "ptrace_x", (SYS_ptrace, PTRACE_SYSCALL, pid, 0, 0), "res=0 addr=0:0 data=1:0 request=13");
	waitpid(pid, NULL, 0);
	CALL("ptrace/singlestep", "ptrace_x", (SYS_ptrace, PTRACE_SINGLESTEP, pid, 0, SIGCHLD), "res=0 data=1:17 request=10");
	waitpid(pid, NULL, 0);
	CALL("ptrace/cont", "ptrace_x", (SYS_ptrace, PTRACE_CONT, pid, 0, SIGCHLD), "res=0 data=1:17 request=8");
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, 0);
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
	static char name[16];

	CALL("prctl/get-name", "prctl_x", (SYS_prctl, PR_GET_NAME, name), "res=0 option=16 arg2_str='new\\x20name' arg2_int=0");
	CALL("prctl/bad", "prctl_x", (SYS_prctl, PR_SET_NAME, BAD), "res=-14 option=15 arg2_str=- arg2_int=0 rec=fault");
	CALL("prctl/bad-subreaper", "prctl_x", (SYS_prctl, PR_GET_CHILD_SUBREAPER, BAD), "res=-14 option=37 arg2_str=- arg2_int=0 rec=fault");
	CALL("prctl/negative", "prctl_x", (SYS_prctl, -1, -1L), "res=-22 option=4294967295 arg2_int=%lld", NARROW ? 4294967295LL : -1LL);
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
	in_child(act_exit);
	in_child(act_exit_thread);
	in_child(act_ptrace);
	in_child(act_attributes);
}
