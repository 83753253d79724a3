/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _KNOWS_H
#define _KNOWS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

static inline int raw_open(int dir, const char *name, int flags)
{
	return syscall(SYS_openat, dir, name, flags, 0600);
}

/* own_cwd writes where we are, as proc.cwd has it: with a slash at the end. */
static inline void own_cwd(char *buf, size_t size)
{
	ssize_t n = readlink("/proc/thread-self/cwd", buf, size - 2);

	if (n < 0 && getcwd(buf, size - 2))
		n = strlen(buf);
	if (n < 0)
		n = 0;
	if (!n || buf[n - 1] != '/')
		buf[n++] = '/';
	buf[n] = 0;
}

/*
 * mark makes the event that a rule prints: opening what is not there. What we
 * know goes out on a line of its own, "X<tab>label<tab>field=value<tab>...".
 * "-" is a field without a value, "*" at the front stands for anything there.
 */
static inline void mark(const char *label, const char *fmt, ...)
{
	char name[128], line[2048];
	va_list ap;
	int n;

	snprintf(name, sizeof(name), "/marks/%s", label);
	raw_open(AT_FDCWD, name, O_RDONLY);
	n = snprintf(line, sizeof(line), "X\t%s", label);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	if (write(1, line, n) != n)
		_exit(1);
}

/* identity marks what every task can say of itself. more begins with a tab. */
static inline void identity(const char *label, const char *more)
{
	char cwd[PATH_MAX];

	own_cwd(cwd, sizeof(cwd));
	mark(label, "\tthread.tid=%ld\tproc.pid=%d\tproc.ppid=%d\tthread.vtid=%ld\tproc.vpid=%d\tproc.sid=%d\tproc.pgid=%d"
	     "\tuser.uid=%u\tgroup.gid=%u\tproc.cwd=%s\tthread.ismain=%s%s",
	     syscall(SYS_gettid), getpid(), getppid(), syscall(SYS_gettid), getpid(), getsid(0), getpgrp(),
	     geteuid(), getegid(), cwd, syscall(SYS_gettid) == getpid() ? "true" : "false", more);
}

/* descriptor marks and then asks for the flags of fd, which a rule prints too. */
static inline void descriptor(const char *label, int fd, const char *fmt, ...)
{
	char line[2048];
	va_list ap;
	int n;

	mark(label, "%s", "");
	fcntl(fd, F_GETFD);
	n = snprintf(line, sizeof(line), "F\t%s\tfd.num=%d", label, fd);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	if (write(1, line, n) != n)
		_exit(1);
}

/* file says of a file what the kernel says in /proc. */
static inline void file(const char *label, int fd, const char *type)
{
	char link[64], name[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/thread-self/fd/%d", fd);
	n = readlink(link, name, sizeof(name) - 1);
	if (n < 0) {
		descriptor(label, fd, "\tfd.type=-");
		return;
	}
	name[n] = 0;
	descriptor(label, fd, "\tfd.type=%s\tfd.name=%s", type, name);
}

static inline int child(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	return status;
}

void tasks(void);
void descriptors(void);
void sockets(void);
void after_exec(const char *label);

#endif
