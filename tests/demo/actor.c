// SPDX-License-Identifier: Apache-2.0

/*
 * actor plays the parts of the demo that a shell script cannot: one static
 * program, called under many names through symbolic links, because rules go by
 * the name of a program. The first argument says what to do, and each verb
 * makes exactly the system calls that its act needs and no other of interest.
 *
 *	nginx spawn /bin/sh -c true     fork, run, wait: a web server's shell
 *	cat read /etc/shadow            open for reading
 *
 * Verbs that take a PROG run it in the end, so that they can be chained:
 * "enter CGROUP", "user UID", "terminal". Exit code 1 means that the act did
 * not come off, which the script reports.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

static int failed(const char *what)
{
	fprintf(stderr, "actor: %s: %s\n", what, strerror(errno));
	return 1;
}

/* wait_for returns the exit code of a child, 1 if it died of a signal. */
static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return failed("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int run(char **argv)
{
	execv(argv[0], argv);
	return failed(argv[0]);
}

static int spawn(char **argv)
{
	pid_t pid = fork();

	if (pid < 0)
		return failed("fork");
	if (pid == 0)
		_exit(run(argv));
	return wait_for(pid);
}

/* --- files ------------------------------------------------------------- */

static int opened(int fd, const char *path)
{
	if (fd < 0)
		return failed(path);
	close(fd);
	return 0;
}

static int do_read(char **argv)
{
	return opened(open(argv[0], O_RDONLY), argv[0]);
}

/* The libc's open is openat(2); some rules ask for open(2) itself. */
static int do_open2(char **argv)
{
	return opened(syscall(SYS_open, argv[0], O_RDONLY), argv[0]);
}

/* Like open2, but the file may be missing: the attempt is the act. */
static int do_try2(char **argv)
{
	int fd = syscall(SYS_open, argv[0], O_RDONLY);

	if (fd >= 0)
		close(fd);
	return 0;
}

static int do_write(char **argv)
{
	return opened(open(argv[0], O_WRONLY | O_CREAT, 0644), argv[0]);
}

static int do_append(char **argv)
{
	return opened(open(argv[0], O_WRONLY | O_APPEND), argv[0]);
}

static int do_truncate(char **argv)
{
	return opened(open(argv[0], O_WRONLY | O_TRUNC), argv[0]);
}

static int do_creat(char **argv)
{
	return opened(syscall(SYS_creat, argv[0], 0644), argv[0]);
}

/* late PATH FIFO: wait until somebody writes to the fifo, then read PATH. */
static int do_late(char **argv)
{
	char byte;
	int fd = open(argv[1], O_RDONLY);

	if (fd < 0)
		return failed(argv[1]);
	if (read(fd, &byte, 1) < 0)
		return failed("read");
	close(fd);
	return do_read(argv);
}

static int do_fchmod(char **argv)
{
	int fd = open(argv[1], O_RDONLY);

	if (fd < 0 || fchmod(fd, strtoul(argv[0], NULL, 8)) < 0)
		return failed(argv[1]);
	close(fd);
	return 0;
}

/* --- processes --------------------------------------------------------- */

/* enter CGROUP PROG …: join a cgroup, as a runtime does for a container. */
static int do_enter(char **argv)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", argv[0]);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1)
		return failed(path);
	close(fd);
	return run(argv + 1);
}

/* user UID PROG …: become somebody else and lose every capability. */
static int do_user(char **argv)
{
	uid_t id = strtoul(argv[0], NULL, 10);

	if (setgroups(0, NULL) < 0 || setgid(id) < 0 || setuid(id) < 0)
		return failed("setuid");
	return run(argv + 1);
}

/* terminal PROG …: run with a controlling terminal of its own. */
static int do_terminal(char **argv)
{
	pid_t pid = fork();
	int master, slave;

	if (pid < 0)
		return failed("fork");
	if (pid)
		return wait_for(pid);
	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || unlockpt(master) < 0)
		_exit(failed("posix_openpt"));
	setsid();
	slave = open(ptsname(master), O_RDWR);
	if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
		_exit(failed("terminal"));
	_exit(spawn(argv));
}

/* memory at|proc PROG …: run a copy of PROG that has no file. */
static int do_memory(char **argv)
{
	char block[65536], path[64];
	int from = open(argv[1], O_RDONLY), to = memfd_create("x", MFD_CLOEXEC);
	ssize_t n;

	if (from < 0 || to < 0)
		return failed(argv[1]);
	while ((n = read(from, block, sizeof(block))) > 0)
		if (write(to, block, n) != n)
			return failed("write");
	close(from);
	if (!strcmp(argv[0], "at")) {
		syscall(SYS_execveat, to, "", argv + 1, environ, AT_EMPTY_PATH);
	} else {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", to);
		execve(path, argv + 1, environ);
	}
	return failed("exec from memory");
}

/* attach: take hold of a child with ptrace, let go of it, and end it. */
static int do_attach(char **argv)
{
	pid_t pid = fork();
	int status;

	(void)argv;
	if (pid == 0)
		for (;;)
			pause();
	if (pid < 0 || ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0)
		return failed("ptrace");
	waitpid(pid, &status, 0);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return 0;
}

/* The twin of attach: ask about a child and end it, take hold of nothing. */
static int do_signal(char **argv)
{
	pid_t pid = fork();
	int status;

	(void)argv;
	if (pid == 0)
		for (;;)
			pause();
	if (pid < 0 || ptrace(PTRACE_PEEKDATA, pid, NULL, NULL) != -1)
		return failed("ptrace");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return 0;
}

static int do_traceme(char **argv)
{
	(void)argv;
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? failed("ptrace") : 0;
}

static int do_setns(char **argv)
{
	int fd = open("/proc/self/ns/uts", O_RDONLY);

	(void)argv;
	if (fd < 0 || setns(fd, CLONE_NEWUTS) < 0)
		return failed("setns");
	return 0;
}

static int do_unshare(char **argv)
{
	(void)argv;
	return unshare(CLONE_NEWUSER) < 0 ? failed("unshare") : 0;
}

static int do_unshare_uts(char **argv)
{
	(void)argv;
	return unshare(CLONE_NEWUTS) < 0 ? failed("unshare") : 0;
}

/* --- network ----------------------------------------------------------- */

static socklen_t address(struct sockaddr_storage *ss, const char *ip, int port)
{
	struct sockaddr_in *in = (void *)ss;
	struct sockaddr_in6 *in6 = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, ip, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		return sizeof(*in);
	}
	if (inet_pton(AF_INET6, ip, &in6->sin6_addr) != 1)
		return 0;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	return sizeof(*in6);
}

/*
 * connected returns a socket that is connected to a listener at ip and port,
 * which it forks: one that takes a single connection and leaves.
 */
static int connected(const char *ip, int port)
{
	struct sockaddr_storage ss;
	socklen_t len = address(&ss, ip, port);
	int listener, fd, on = 1;

	if (!len) {
		errno = EINVAL;
		return -1;
	}
	listener = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0)
		return -1;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (void *)&ss, len) < 0 || listen(listener, 1) < 0)
		return -1;
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (void *)&ss, len) < 0)
		return -1;
	close(listener);
	return fd;
}

static int do_connect(char **argv)
{
	int fd = connected(argv[0], atoi(argv[1]));

	return opened(fd, argv[0]);
}

/* reverse IP PORT PROG …: give PROG a connection for a terminal. */
static int do_reverse(char **argv)
{
	int i, fd = connected(argv[0], atoi(argv[1]));

	if (fd < 0)
		return failed(argv[0]);
	for (i = 0; i < 3; i++)
		if (dup2(fd, i) < 0)
			return failed("dup2");
	return run(argv + 2);
}

/* The twin of reverse: the streams become a unix socket. */
static int do_pair(char **argv)
{
	int i, fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return failed("socketpair");
	for (i = 0; i < 3; i++)
		if (dup2(fd[0], i) < 0)
			return failed("dup2");
	return run(argv);
}

static int do_packet(char **argv)
{
	(void)argv;
	return opened(socket(AF_PACKET, SOCK_RAW, 0), "packet socket");
}

static int do_datagram(char **argv)
{
	(void)argv;
	return opened(socket(AF_INET, SOCK_DGRAM, 0), "datagram socket");
}

/* --- kernel ------------------------------------------------------------ */

/* What is no module is refused; the attempt is the act. */
static int do_module(char **argv)
{
	(void)argv;
	return syscall(SYS_init_module, "none", 4, "actor=1") == 0;
}

static int do_bpf_load(char **argv)
{
	/* r0 = 0; exit */
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (uintptr_t)insns,
		.insn_cnt = LENGTH(insns),
		.license = (uintptr_t)"GPL",
	};

	(void)argv;
	return opened(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)), "bpf");
}

static int do_bpf_map(char **argv)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 4,
		.max_entries = 1,
	};

	(void)argv;
	return opened(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)), "bpf");
}

/* A ring through which the kernel would act without further calls. */
static int do_io_uring(char **argv)
{
	char params[256] = { 0 };

	(void)argv;
	return opened(syscall(SYS_io_uring_setup, 4, params), "io_uring");
}

static int do_nothing(char **argv)
{
	(void)argv;
	return 0;
}

static const struct verb {
	const char *name;
	int args; /* at least */
	int (*act)(char **argv);
} verbs[] = {
	{ "append", 1, do_append },	    { "attach", 0, do_attach },
	{ "bpf-load", 0, do_bpf_load },	    { "bpf-map", 0, do_bpf_map },
	{ "connect", 2, do_connect },	    { "creat", 1, do_creat },
	{ "datagram", 0, do_datagram },	    { "enter", 2, do_enter },
	{ "fchmod", 2, do_fchmod },	    { "io-uring", 0, do_io_uring },
	{ "late", 2, do_late },
	{ "memory", 2, do_memory },
	{ "module", 0, do_module },	    { "nothing", 0, do_nothing },
	{ "open2", 1, do_open2 },	    { "packet", 0, do_packet },
	{ "pair", 1, do_pair },		    { "read", 1, do_read },
	{ "reverse", 3, do_reverse },	    { "run", 1, run },
	{ "setns", 0, do_setns },	    { "signal", 0, do_signal },
	{ "spawn", 1, spawn },		    { "terminal", 1, do_terminal },
	{ "traceme", 0, do_traceme },	    { "truncate", 1, do_truncate },
	{ "try2", 1, do_try2 },		    { "unshare", 0, do_unshare },
	{ "unshare-uts", 0, do_unshare_uts }, { "user", 2, do_user },
	{ "write", 1, do_write },
};

/*
 * A name of a program whose arguments matter to a rule (grep, find, shred)
 * is not followed by a verb; it then does nothing, which is enough for a rule
 * that goes by the start of a program.
 */
int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc > 1 && i < LENGTH(verbs); i++) {
		if (strcmp(argv[1], verbs[i].name))
			continue;
		if (argc - 2 < verbs[i].args) {
			fprintf(stderr, "actor: %s: too few arguments\n", argv[1]);
			return 2;
		}
		return verbs[i].act(argv + 2);
	}
	return 0;
}
