// SPDX-License-Identifier: Apache-2.0
/*
 * What happens to a process without a call of its own: signals, page faults, and
 * that another one gets the CPU. Run with "acts hooks", watched by watch -only,
 * since there are many such events that no act is about.
 */
#include "acts.h"

#include <setjmp.h>
#include <sys/prctl.h>

static void nothing(int sig)
{
}

static void handle(int sig)
{
	struct sigaction action = { .sa_handler = nothing };

	sigaction(sig, &action, NULL);
}

/* Of most signals it is not told who sent them. */
static void act_signals(void)
{
	static const struct { int sig; bool told; } signals[] = {
		{ SIGTERM, true }, { SIGHUP, true }, { SIGINT, true }, { SIGTSTP, true }, { SIGQUIT, true }, { SIGUSR1, false },
		{ SIGUSR2, false }, { SIGPIPE, false }, { SIGSEGV, false }, { SIGWINCH, false },
	};
	siginfo_t info = { .si_code = SI_QUEUE };
	char check[64];

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		int sig = signals[i].sig;

		handle(sig);
		raw(SYS_kill, self, sig);
		snprintf(check, sizeof(check), "signal/kill/%d", sig);
		expect(check, "signaldeliver_e", "spid=%ld dpid=%ld sig=%d", signals[i].told ? self : 0, self, sig);
		raw(SYS_tgkill, self, self, sig);
		snprintf(check, sizeof(check), "signal/tgkill/%d", sig);
		expect(check, "signaldeliver_e", "spid=%ld dpid=%ld sig=%d", signals[i].told ? self : 0, self, sig);
	}
	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig += 10) {
		handle(sig);
		raw(SYS_kill, self, sig);
		snprintf(check, sizeof(check), "signal/real-time/%d", sig);
		expect(check, "signaldeliver_e", "spid=%ld dpid=%ld sig=%d", self, self, sig);
	}
	info.si_signo = SIGTERM;
	info.si_pid = 4242;
	raw(SYS_rt_sigqueueinfo, self, SIGTERM, &info);
	expect("signal/queued", "signaldeliver_e", "spid=4242 dpid=%ld sig=15", self);
}

/* Write to, or read from, @at, and say where the instruction is that does it. */
#define WRITE_AT(at) ({ unsigned long ip_; __asm__ volatile("mov $1f, %k0\n1:\tmovb $1, (%1)" : "=&r"(ip_) : "r"(at) : "memory"); ip_; })
#define READ_AT(at) ({ unsigned long ip_; char c_; \
	__asm__ volatile("mov $1f, %k0\n1:\tmovb (%2), %1" : "=&r"(ip_), "=q"(c_) : "r"(at) : "memory"); ip_; })

/* The kernel's own have no sender. */
static sigjmp_buf back;

static void jump(int sig)
{
	siglongjmp(back, 1);
}

static void act_kernel_signals(void)
{
	struct sigaction action = { .sa_handler = jump, .sa_flags = SA_NODEFER };
	static char byte;
	int fds[2];

	sigaction(SIGSEGV, &action, NULL);
	if (!sigsetjmp(back, 0))
		WRITE_AT(BAD);
	expect("signal/segv", "signaldeliver_e", "spid=0 dpid=%ld sig=11", self);
	sigaction(SIGILL, &action, NULL);
	if (!sigsetjmp(back, 0))
		__asm__ volatile("ud2");
	expect("signal/ill", "signaldeliver_e", "spid=0 dpid=%ld sig=4", self);
	handle(SIGPIPE);
	pipe(fds);
	close(fds[0]);
	raw(SYS_write, fds[1], &byte, 1);
	expect("signal/pipe", "signaldeliver_e", "spid=0 dpid=%ld sig=13", self);
}

/* Children tell their parents that they are gone; those who are killed don't hear who did it. */
static void act_child_signals(void)
{
	long pid;

	handle(SIGCHLD);
	pid = fork();
	if (!pid)
		raw(SYS_exit_group, 3);
	while (waitpid(pid, NULL, 0) < 0)
		;
	expect("signal/child", "signaldeliver_e", "spid=%ld dpid=%ld sig=17", pid, self);
	pid = fork();
	if (!pid)
		for (;;)
			raw(SYS_pause);
	raw(SYS_kill, pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0)
		;
	expect_of(pid, "signal/killed", "signaldeliver_e", "spid=0 dpid=%ld sig=9", pid);
	expect("signal/child-killed", "signaldeliver_e", "spid=%ld dpid=%ld sig=17", pid, self);
}

/* Bits of an error code, as the schema has them. */
enum { PRESENT = 1, ABSENT = 2, WRITE = 4, READ = 8, USER = 0x10, KERNEL = 0x20, FETCH = 0x80 };

static void act_faults(void)
{
	struct sigaction action = { .sa_handler = jump, .sa_flags = SA_NODEFER };
	char *page = mmap(NULL, 5 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long ip;
	int zero = open("/dev/zero", O_RDONLY), null = open("/tmp/faults", O_CREAT | O_RDWR, 0600);

	raw(SYS_madvise, page, 5 * 4096, 15); /* MADV_NOHUGEPAGE */
	ip = WRITE_AT(page + 7);
	expect("fault/write", "page_fault_e", "addr=%lu ip=%lu error=%d", (unsigned long)page + 7, ip, ABSENT | WRITE | USER);
	ip = READ_AT(page + 4096 + 9);
	expect("fault/read", "page_fault_e", "addr=%lu ip=%lu error=%d", (unsigned long)page + 4096 + 9, ip, ABSENT | READ | USER);
	/* The page of zeros that was read from is everybody's. */
	ip = WRITE_AT(page + 4096 + 9);
	expect("fault/write-shared", "page_fault_e", "addr=%lu ip=%lu error=%d", (unsigned long)page + 4096 + 9, ip, PRESENT | WRITE | USER);

	raw(SYS_read, zero, page + 2 * 4096, 1);
	expect("fault/kernel-write", "page_fault_e", "addr=%lu ip=+ error=%d", (unsigned long)page + 2 * 4096, ABSENT | WRITE | KERNEL);

	mprotect(page, 4096, PROT_READ);
	sigaction(SIGSEGV, &action, NULL);
	if (!sigsetjmp(back, 0))
		WRITE_AT(page);
	expect("fault/refused", "page_fault_e", "addr=%lu ip=+ error=%d", (unsigned long)page, PRESENT | WRITE | USER);
	if (!sigsetjmp(back, 0))
		((void (*)(void))(page + 4 * 4096))();
	expect("fault/fetch", "page_fault_e", "addr=%lu ip=%lu error=%d", (unsigned long)page + 4 * 4096, (unsigned long)page + 4 * 4096,
	       ABSENT | READ | USER | FETCH);
	if (!sigsetjmp(back, 0))
		READ_AT(BAD);
	expect("fault/bad", "page_fault_e", "addr=16 ip=+ error=%d", ABSENT | READ | USER);
	close(null);
}

/* Two processes on one CPU, one of which lets the other run, and gets the CPU back when that one is done. */
static void act_switch(void)
{
	cpu_set_t first;
	char byte = 0, text[128] = "";
	int there[2], back_again[2], statm = open("/proc/self/statm", O_RDONLY);
	long pid, kb;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
	pipe(there);
	pipe(back_again);
	pid = fork();
	if (!pid) {
		for (int i = 0; i < 50; i++) {
			read(there[0], &byte, 1);
			write(back_again[1], &byte, 1);
		}
		raw(SYS_exit_group, 0);
	}
	for (int i = 0; i < 50; i++) {
		write(there[1], &byte, 1);
		read(back_again[0], &byte, 1);
	}
	pread(statm, text, sizeof(text) - 1, 0);
	kb = atol(text) * 4;
	expect("switch/there", "switch_e", "next=%ld pgft_maj=0 pgft_min=+ vm_size=%ld vm_rss=+ vm_swap=0", pid, kb);
	expect_of(pid, "switch/back", "switch_e", "next=%ld pgft_maj=0 pgft_min=+ vm_size=%ld vm_rss=+ vm_swap=0", self, kb);
	waitpid(pid, NULL, 0);
}

static void act_hooks(void)
{
	in_child(act_signals);
	in_child(act_kernel_signals);
	in_child(act_child_signals);
	in_child(act_faults);
	in_child(act_switch);
}
