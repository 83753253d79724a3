// SPDX-License-Identifier: Apache-2.0

/*
 * churn: a population of processes that do whatever changes what the daemon must
 * know of them, at random.
 *
 *	churn SEED SECONDS [ONLY]
 *
 * prints the seed, lets the population live for so long, then has all of it stand
 * still, prints "still", and waits for the end of its standard input. The same
 * seed makes each process take the same steps; how the processes interleave is
 * the machine's affair. ONLY is the name of a step: no others are taken.
 *
 * Each process works in bursts and rests in between, so that whoever compares
 * finds it at rest more often than not.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PEOPLE = 24, BURST = 40, MAXFD = 60, THREADS = 6 };

/* What the whole population shares. */
static struct shared {
	_Atomic int still;  /* everybody stops */
	_Atomic int people; /* who live */
	_Atomic unsigned long steps;
} *all;

static uint64_t state;
static int depth, threads;
static long only = -1;
static char self[] = "/proc/self/exe";

static uint32_t rnd(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % n;
}

static void seed_with(uint64_t s)
{
	state = s * 0x9e3779b97f4a7c15ull | 1;
	rnd(2);
	rnd(2);
}

static void rest(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static int some_fd(void)
{
	return 3 + rnd(MAXFD);
}

static const char *some_dir(void)
{
	static const char *dirs[] = { "/tmp/churn", "/tmp/churn/a", "/tmp/churn/a/b", "/tmp", "/", "/proc" };

	return dirs[rnd(sizeof(dirs) / sizeof(*dirs))];
}

static const char *some_path(void)
{
	static char path[128];
	static const char *forms[] = { "/tmp/churn/f%u", "f%u", "./f%u", "../f%u", "/tmp/churn/a/../f%u", "/tmp//churn/./a/f%u", "a/b/../../f%u" };

	snprintf(path, sizeof(path), forms[rnd(sizeof(forms) / sizeof(*forms))], rnd(8));
	return path;
}

static void step_open(void)
{
	int flags[] = { O_RDONLY, O_WRONLY | O_CREAT, O_RDWR | O_CREAT | O_CLOEXEC, O_RDWR | O_CREAT | O_TRUNC, O_RDONLY | O_PATH };

	open(some_path(), flags[rnd(5)], 0644);
}

static void step_opendir(void)
{
	open(some_dir(), O_RDONLY | O_DIRECTORY | (rnd(2) ? O_CLOEXEC : 0));
}

static void step_openat(void)
{
	int dir = open(some_dir(), O_RDONLY | O_DIRECTORY);

	openat(dir, some_path(), O_RDWR | O_CREAT, 0600);
	if (rnd(2))
		close(dir);
}

static void step_close(void)
{
	close(some_fd());
	close(some_fd());
}

static void step_dup(void)
{
	int from = some_fd();

	switch (rnd(5)) {
	case 0: dup(from); break;
	case 1: dup2(from, some_fd()); break;
	case 2: dup3(from, some_fd(), rnd(2) ? O_CLOEXEC : 0); break;
	case 3: fcntl(from, F_DUPFD, some_fd()); break;
	case 4: fcntl(from, F_DUPFD_CLOEXEC, some_fd()); break;
	}
}

static void step_cloexec(void)
{
	fcntl(some_fd(), F_SETFD, rnd(2) ? FD_CLOEXEC : 0);
}

static void step_range(void)
{
	unsigned int from = some_fd();

	syscall(SYS_close_range, from, from + rnd(6), rnd(3) ? 0 : 4 /* CLOSE_RANGE_CLOEXEC */);
}

static void step_pipe(void)
{
	int p[2];

	pipe2(p, rnd(2) ? O_CLOEXEC : 0);
}

static void step_anon(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	switch (rnd(8)) {
	case 0: eventfd(0, rnd(2) ? EFD_CLOEXEC : 0); break;
	case 1: epoll_create1(rnd(2) ? EPOLL_CLOEXEC : 0); break;
	case 2: inotify_init1(0); break;
	case 3: timerfd_create(CLOCK_MONOTONIC, 0); break;
	case 4: signalfd(-1, &set, 0); break;
	case 5: memfd_create("churned", rnd(2) ? MFD_CLOEXEC : 0); break;
	case 6: syscall(SYS_pidfd_open, getpid(), 0); break;
	case 7: epoll_create(1); break;
	}
}

static void step_socketpair(void)
{
	int s[2];

	socketpair(AF_UNIX, SOCK_STREAM | (rnd(2) ? SOCK_CLOEXEC : 0), 0, s);
}

static void step_unix(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0), c;

	snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/churn/s%d.%u", getpid(), rnd(1000000));
	if (bind(s, (void *)&a, sizeof(a)) || listen(s, 3))
		return;
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	if (!connect(c, (void *)&a, sizeof(a)))
		accept(s, NULL, NULL);
	unlink(a.sun_path);
}

static void step_tcp(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM, 0), c;

	if (bind(s, (void *)&a, sizeof(a)) || listen(s, 3) || getsockname(s, (void *)&a, &len))
		return;
	c = socket(AF_INET, SOCK_STREAM, 0);
	if (!connect(c, (void *)&a, sizeof(a)))
		accept4(s, NULL, NULL, rnd(2) ? SOCK_CLOEXEC : 0);
	if (rnd(2))
		close(s);
}

static void step_tcp6(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t len = sizeof(a);
	int s = socket(AF_INET6, SOCK_STREAM, 0), c;

	if (bind(s, (void *)&a, sizeof(a)) || listen(s, 3) || getsockname(s, (void *)&a, &len))
		return;
	c = socket(AF_INET6, SOCK_STREAM, 0);
	if (!connect(c, (void *)&a, sizeof(a)))
		accept(s, NULL, NULL);
}

static void step_udp(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	connect(s, (void *)&a, sizeof(a));
}

static void step_rights(void)
{
	char byte = 0, room[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = CMSG_SPACE(sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int s[2], what = open("/tmp/churn/f1", O_RDONLY | O_CREAT, 0600);

	if (what < 0 || socketpair(AF_UNIX, SOCK_DGRAM, 0, s))
		return;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &what, sizeof(int));
	sendmsg(s[0], &m, 0);
	close(what);
	m.msg_controllen = sizeof(room);
	recvmsg(s[1], &m, rnd(2) ? MSG_CMSG_CLOEXEC : 0);
	close(s[0]);
	close(s[1]);
}

static void step_chdir(void)
{
	chdir(some_dir());
}

static void step_fchdir(void)
{
	int dir = open(some_dir(), O_RDONLY | O_DIRECTORY);

	fchdir(dir);
	close(dir);
}

static void step_name(void)
{
	char name[16];

	snprintf(name, sizeof(name), "churn %u", rnd(1000));
	prctl(PR_SET_NAME, name);
}

static void step_session(void)
{
	if (rnd(2))
		setsid();
	else
		setpgid(0, 0);
}

static void step_uid(void)
{
	switch (rnd(4)) {
	case 0: setresuid(rnd(3), rnd(3), 0); break;
	case 1: seteuid(rnd(2) ? 1 : 0); break;
	case 2: setresgid(rnd(3), rnd(3), 0); break;
	case 3: setegid(rnd(3)); break;
	}
}

static void step_caps(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d))
		return;
	d[0].permitted &= ~(1u << (22 + rnd(6)));
	d[0].effective = d[0].permitted;
	d[0].inheritable = rnd(2) ? d[0].permitted & 0xff : 0;
	syscall(SYS_capset, &h, d);
}

static void step_limit(void)
{
	struct rlimit r = { 500 + rnd(100), 1024 };

	setrlimit(RLIMIT_NOFILE, &r);
}

static void live(void);

static void born(uint64_t seed)
{
	depth++;
	threads = 0;
	seed_with(seed);
	live();
	_exit(0);
}

static int room_for_one(void)
{
	if (depth > 6 || all->people >= PEOPLE)
		return 0;
	all->people++;
	return 1;
}

static void step_fork(void)
{
	uint64_t seed = state ^ 0x5555;

	if (room_for_one() && !fork())
		born(seed);
}

static void step_orphan(void)
{
	uint64_t seed = state ^ 0xaaaa;
	pid_t child;

	if (!room_for_one())
		return;
	child = fork();
	if (!child) {
		if (!fork())
			born(seed);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static char *const *words(char *seed, size_t size)
{
	static char left[16], deep[16], which[16];
	static char *argv[] = { "churn", "-", NULL, left, deep, which, NULL };

	snprintf(seed, size, "%llu", (unsigned long long)state);
	snprintf(left, sizeof(left), "%d", fcntl(1023, F_GETFD) >= 0 ? 1023 : -1);
	snprintf(deep, sizeof(deep), "%d", depth);
	snprintf(which, sizeof(which), "%ld", only);
	argv[2] = seed;
	return argv;
}

static char *const someone[] = { "HOME=/tmp", "WHO=churn", NULL };
static char seed_word[32];

static void step_exec(void)
{
	if (fcntl(1023, F_GETFD) >= 0)
		execve(self, words(seed_word, sizeof(seed_word)), someone);
}

static void step_spawn(void)
{
	char *const *argv;

	if (fcntl(1023, F_GETFD) < 0 || !room_for_one())
		return;
	argv = words(seed_word, sizeof(seed_word));
	if (!vfork()) {
		execve(self, argv, someone);
		_exit(1);
	}
}

static void *thread_rests(void *arg)
{
	char name[16];

	snprintf(name, sizeof(name), "thread %lu", (unsigned long)arg);
	prctl(PR_SET_NAME, name);
	if ((unsigned long)arg % 3 == 0)
		return NULL;
	for (;;)
		rest(1000);
}

static void step_thread(void)
{
	pthread_t t;

	if (threads++ < THREADS && !pthread_create(&t, NULL, thread_rests, (void *)(unsigned long)rnd(100)))
		pthread_detach(t);
}

static void *thread_execs(void *arg)
{
	step_exec();
	return arg;
}

static void step_thread_exec(void)
{
	pthread_t t;

	if (!pthread_create(&t, NULL, thread_execs, NULL))
		pthread_join(t, NULL);
}

static void step_namespaces(void)
{
	switch (rnd(3)) {
	case 0: unshare(CLONE_NEWUTS | CLONE_NEWIPC); break;
	case 1: unshare(CLONE_FS); break;
	case 2: /* its children live in another pid namespace */
		if (depth < 3)
			unshare(CLONE_NEWPID);
		break;
	}
}

static void step_chroot(void)
{
	if (!rnd(4))
		chroot("/tmp/churn/a");
}

static void step_exit(void)
{
	if (depth > 0 && !rnd(4)) {
		all->people--;
		_exit(0);
	}
}

static const struct step {
	const char *name;
	void (*take)(void);
	int weight;
} steps[] = {
	{ "open", step_open, 12 },	   { "opendir", step_opendir, 4 },   { "openat", step_openat, 4 },
	{ "close", step_close, 14 },	   { "dup", step_dup, 8 },	     { "cloexec", step_cloexec, 4 },
	{ "range", step_range, 2 },	   { "pipe", step_pipe, 4 },	     { "anon", step_anon, 8 },
	{ "socketpair", step_socketpair, 3 }, { "unix", step_unix, 3 },	     { "tcp", step_tcp, 3 },
	{ "tcp6", step_tcp6, 2 },	   { "udp", step_udp, 2 },	     { "rights", step_rights, 3 },
	{ "chdir", step_chdir, 4 },	   { "fchdir", step_fchdir, 2 },     { "name", step_name, 2 },
	{ "session", step_session, 2 },	   { "uid", step_uid, 2 },	     { "caps", step_caps, 1 },
	{ "limit", step_limit, 1 },	   { "fork", step_fork, 6 },	     { "orphan", step_orphan, 2 },
	{ "exec", step_exec, 2 },	   { "spawn", step_spawn, 3 },	     { "thread", step_thread, 3 },
	{ "thread-exec", step_thread_exec, 1 }, { "namespaces", step_namespaces, 1 }, { "chroot", step_chroot, 1 },
	{ "exit", step_exit, 6 },
};

static const struct step *some_step(void)
{
	const struct step *s = steps;
	uint32_t sum = 0, at;

	if (only >= 0 && rnd(4))
		return &steps[only];
	if (only >= 0)
		return &steps[22]; /* fork: there have to be people */
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		sum += steps[i].weight;
	for (at = rnd(sum); at >= (uint32_t)s->weight; s++)
		at -= s->weight;
	return s;
}

static void live(void)
{
	for (;;) {
		for (int n = rnd(BURST); n > 0 && !all->still; n--) {
			all->steps++;
			some_step()->take();
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
		}
		if (all->still) {
			for (;;)
				pause();
		}
		rest(all->people < 4 ? 10 : rnd(3000));
	}
}

static void share(int fd)
{
	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (all == MAP_FAILED) {
		perror("churn: shared memory");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	char line[16];
	int fd;

	signal(SIGPIPE, SIG_IGN);
	if (argc == 6 && !strcmp(argv[1], "-")) { /* after an exec */
		share(atoi(argv[3]));
		depth = atoi(argv[4]);
		only = atol(argv[5]);
		seed_with(strtoull(argv[2], NULL, 10));
		live();
	}
	if (argc != 3 && argc != 4) {
		fprintf(stderr, "usage: churn SEED SECONDS [ONLY]\n");
		return 2;
	}
	for (size_t i = 0; argc == 4 && i < sizeof(steps) / sizeof(*steps); i++) {
		if (!strcmp(steps[i].name, argv[3]))
			only = i;
	}
	if (argc == 4 && only < 0) {
		fprintf(stderr, "churn: no step %s\n", argv[3]);
		return 2;
	}
	mkdir("/tmp/churn", 0777);
	mkdir("/tmp/churn/a", 0777);
	mkdir("/tmp/churn/a/b", 0777);
	chdir("/tmp/churn");
	fd = memfd_create("churn", 0);
	if (fd < 0 || ftruncate(fd, sizeof(*all)) || dup2(fd, 1023) != 1023) {
		perror("churn");
		return 1;
	}
	close(fd);
	share(1023);
	printf("seed %s\n", argv[1]);
	fflush(stdout);
	for (int i = 0; i < 6; i++) {
		all->people++;
		if (!fork())
			born(strtoull(argv[1], NULL, 10) * 64 + i);
	}
	for (long end = time(NULL) + atol(argv[2]); time(NULL) < end;) {
		rest(200);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (all->people < 3) { /* they died out */
			all->people++;
			if (!fork())
				born(strtoull(argv[1], NULL, 10) * 64 + time(NULL));
		}
	}
	all->still = 1;
	rest(4000);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	printf("still %lu steps, %d live\n", all->steps, all->people);
	fflush(stdout);
	while (read(0, line, sizeof(line)) > 0)
		;
	return 0;
}
