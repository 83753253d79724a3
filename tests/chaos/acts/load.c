// SPDX-License-Identifier: Apache-2.0
/*
 * load KIND [PER_CPU [NICE]]: system calls without end, from PER_CPU processes for each CPU that is up, until somebody kills us.
 *
 *   mixed  one of many calls after the other: files, sockets, processes, threads, memory, failures
 *   storm  as many events as a CPU can make; each process keeps to its CPU
 *   nested  calls with much to tell, while a profiler's timer interrupts them and faults
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char page[4096];

static void files(void)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/tmp/load-%d", getpid());
	fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0600);
	(void)!write(fd, page, 100);
	(void)!pread(fd, page, 50, 10);
	fchmod(fd, 0644);
	close(fd);
	rename(name, name);
	unlink(name);
	fd = open("/proc/self/stat", O_RDONLY);
	(void)!read(fd, page, sizeof(page));
	close(fd);
	fd = open("/", O_DIRECTORY);
	close(openat(fd, "bin", O_PATH));
	close(fd);
}

static void failures(void)
{
	open("/nothing/of/this/name", O_RDONLY);
	open((char *)8, O_RDONLY);
	syscall(SYS_openat, AT_FDCWD, (void *)(1L << 40), 0);
	close(-1);
	syscall(SYS_connect, 0, (void *)-1L, 16);
	syscall(SYS_execve, "/nothing", (void *)1, (void *)1);
	syscall(9999);
}

static void sockets(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct iovec iov[3] = { { page, 10 }, { page, 0 }, { page, 700 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
	int pair[2], fd;

	if (!socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) {
		sendmsg(pair[0], &msg, 0);
		recv(pair[1], page, sizeof(page), 0);
		close(pair[0]);
		close(pair[1]);
	}
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	connect(fd, (void *)&to, sizeof(to));
	send(fd, page, 20, MSG_DONTWAIT);
	shutdown(fd, SHUT_RDWR);
	close(fd);
}

static void processes(char *self)
{
	char *argv[] = { self, "nothing", "some", "arguments", NULL }, *env[] = { "A=1", "B=2", NULL };
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	pid = vfork();
	if (!pid) {
		execve(self, argv, env);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

static void *thread(void *unused)
{
	getppid();
	return NULL;
}

static void threads(void)
{
	pthread_t t[3];
	int n = 0;

	while (n < 3 && !pthread_create(&t[n], NULL, thread, NULL))
		n++;
	while (n)
		pthread_join(t[--n], NULL);
}

static void memory(void)
{
	void *p = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return;
	mprotect(p, 4096, PROT_READ);
	madvise(p, 1 << 16, MADV_DONTNEED);
	munmap(p, 1 << 16);
}

static void rest(void)
{
	struct pollfd fds[8] = { { 0, POLLIN }, { 1, POLLOUT }, { -1, 0 } };
	int pipes[2];

	if (!pipe(pipes)) {
		(void)!write(pipes[1], page, 3000);
		(void)!read(pipes[0], page, 4000);
		dup2(pipes[0], pipes[1]);
		close(pipes[0]);
		close(pipes[1]);
	}
	poll(fds, 8, 0);
	chdir("/");
	umask(022);
	syscall(SYS_prctl, PR_SET_NAME, "load");
}

static void mixed(char *self)
{
	for (unsigned int i = 0;; i++) {
		files();
		failures();
		sockets();
		memory();
		rest();
		if (i % 4 == 0)
			threads();
		if (i % 16 == 0)
			processes(self);
	}
}

static void make_storm(int cpu)
{
	int null = open("/dev/null", O_RDWR);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (;;) {
		(void)!write(null, page, 1000);
		syscall(SYS_getppid);
		close(openat(AT_FDCWD, "/dev/null", O_RDONLY));
		fcntl(null, F_GETFD);
	}
}

/*
 * A clock that interrupts us some thousand times a second, whatever we are in, and then follows our frame pointers: reading
 * them faults, in the interrupt.
 */
static void profile(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_CPU_CLOCK, .sample_period = 200000,
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_CALLCHAIN, .exclude_callchain_kernel = 1,
	};

	if (syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0) < 0)
		perror("perf_event_open");
}

#ifdef __x86_64__
/* A call from a function whose frame is where nothing is. */
static long astray(long nr, long a, const void *b, long c)
{
	long ret;

	__asm__ volatile("mov %%rbp, %%r12\n\tmov $0x20000, %%rbp\n\tsyscall\n\tmov %%r12, %%rbp"
			 : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "r12", "memory");
	return ret;
}
#else
#define astray syscall
#endif

/* Short and long events, from registers, vectors and strings. */
static void make_nested(int cpu)
{
	static char argument[3000];
	char *argv[12];
	struct iovec iov[60];
	int null = open("/dev/null", O_RDWR);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (int i = 0; i < 60; i++)
		iov[i] = (struct iovec){ page, 1000 };
	memset(argument, 'a', sizeof(argument) - 1);
	for (int i = 0; i < 11; i++)
		argv[i] = argument;
	argv[11] = NULL;
	profile();
	for (;;) {
		astray(SYS_writev, null, iov, 60);
		astray(SYS_write, null, page, 200);
		astray(SYS_execve, (long)"/nothing", argv, (long)argv);
		astray(SYS_getppid, 0, NULL, 0);
	}
}

int main(int argc, char **argv)
{
	int storm = argc > 1 && !strcmp(argv[1], "storm"), nested = argc > 1 && !strcmp(argv[1], "nested");
	int each = argc > 2 ? atoi(argv[2]) : 1;
	cpu_set_t set;

	if (argc > 1 && !strcmp(argv[1], "nothing"))
		return 0;
	/* Whoever reads shall get a turn. */
	setpriority(PRIO_PROCESS, 0, argc > 3 ? atoi(argv[3]) : 5);
	sched_getaffinity(0, sizeof(set), &set);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		for (int i = 0; i < each && CPU_ISSET(cpu, &set); i++) {
			if (fork())
				continue;
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (storm)
				make_storm(cpu);
			if (nested)
				make_nested(cpu);
			mixed(argv[0]);
		}
	}
	for (;;)
		pause();
}
