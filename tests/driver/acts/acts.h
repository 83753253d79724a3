/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all acts use: raw system calls, whose results are the kernel's, and
 * expectations, which are kept in memory and printed at the end, so that
 * between two acts there is nothing but the calls that are acted.
 */
#ifndef ACTS_H
#define ACTS_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Flags of a record, as "rec=" prints them (abi.tbl, REC_*). */
enum { FAULT = 4, TRUNCATED = 8, COMPAT = 32 };

/* Values of the schema's file_flags. */
enum {
	S_RDONLY = 1, S_WRONLY = 2, S_RDWR = 3, S_CREAT = 4, S_APPEND = 8, S_DSYNC = 0x10, S_EXCL = 0x20,
	S_NONBLOCK = 0x40, S_SYNC = 0x80, S_TRUNC = 0x100, S_DIRECT = 0x200, S_DIRECTORY = 0x400,
	S_CLOEXEC = 0x1000, S_TMPFILE = 0x2000, S_CREATED = 0x4000, S_UPPER = 0x8000, S_LOWER = 0x10000,
};

/* The page of expectations is shared with every process that an act forks. */
struct book {
	volatile int lock;
	size_t len;
	char text[1 << 20];
};
static struct book *book;
static long self; /* thread id of whoever acts */

static inline long raw6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define RAW_7(nr, a, b, c, d, e, f, ...) \
	raw6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define raw(...) RAW_7(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/* The same call as a 32-bit program makes it. Pointers must be below 4 GB. */
static inline long raw32_6(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret;

	__asm__ volatile("push %%rbp\n\tmov %[f], %%rbp\n\tint $0x80\n\tpop %%rbp"
			 : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), [f] "r"(f)
			 : "r8", "r9", "r10", "r11", "memory");
	return (int)ret;
}

#define RAW32_7(nr, a, b, c, d, e, f, ...) \
	raw32_6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define raw32(...) RAW32_7(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/* Expect an event of thread @tid: parameters as tests/driver/watch prints them. */
__attribute__((format(printf, 4, 5)))
static void expect_of(long tid, const char *check, const char *event, const char *format, ...)
{
	va_list args;

	while (__sync_lock_test_and_set(&book->lock, 1))
		;
	book->len += snprintf(book->text + book->len, sizeof(book->text) - book->len, "X %s %ld %s ",
			      check, tid, event);
	va_start(args, format);
	book->len += vsnprintf(book->text + book->len, sizeof(book->text) - book->len, format, args);
	va_end(args);
	if (book->len >= sizeof(book->text) - 1)
		abort();
	book->text[book->len++] = '\n';
	__sync_lock_release(&book->lock);
}

#define expect(check, event, ...) expect_of(self, check, event, __VA_ARGS__)

/* A call without which the acts cannot go on. */
static long must(const char *what, long ret)
{
	if (ret < 0) {
		fprintf(stderr, "acts: %s: %s\n", what, strerror(-ret));
		exit(1);
	}
	return ret;
}

struct object {
	unsigned long dev, ino;
};

static struct object object_of(int fd)
{
	struct stat st;

	must("fstat", raw(SYS_fstat, fd, &st));
	return (struct object){ st.st_dev, st.st_ino };
}

/*
 * Act in a child of its own, whose events are its own, and wait for it. The
 * call that makes it is one of its events: @nr is one that is not acted there.
 * Its memory is made resident, since what no call has touched yet the module
 * cannot read either.
 */
static void in_child_of(long nr, void (*act)(void))
{
	pid_t pid = raw(nr, SIGCHLD);
	int status;

	if (!pid) {
		self = raw(SYS_gettid);
		raw(SYS_mlockall, MCL_CURRENT);
		act();
		raw(SYS_exit_group, 0);
	}
	waitpid(pid, &status, 0);
	if (status) {
		fprintf(stderr, "acts: a child ended with status %#x\n", status);
		exit(1);
	}
}

static void in_child(void (*act)(void))
{
	in_child_of(SYS_fork, act);
}

#endif
