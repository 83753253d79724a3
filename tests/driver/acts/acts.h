/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all acts use: raw system calls, whose results are the kernel's, and
 * expectations, which are kept in memory and printed at the end, so that
 * between two acts there is nothing but the calls that are acted.
 *
 * An act makes a call and says what its event must tell:
 *
 *	raw(SYS_write, fd, NULL, 9);
 *	expect("write/null", "write_x", "res=-14 data=- size=9");
 *
 * or both in one, where the event's first parameter is what the call returned:
 *
 *	CALL("mprotect", "mprotect_x", (SYS_mprotect, at, 4096, PROT_READ), "addr=%lu length=4096 prot=1", at);
 *
 * and for each flag of a table:
 *
 *	EACH (f, prot_flags)
 *		CALL(of("mprotect", f), "mprotect_x", (SYS_mprotect, 0, 0, f->host), "prot=%u", f->schema);
 *
 * How values are written, and what stands for "any", is in driver_test.go. The
 * acts are compiled for x86_64 and for i386 (abi.h): what they pass is laid out
 * by the compiler that any 32-bit program has its layouts from.
 */
#ifndef ACTS_H
#define ACTS_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/stat.h>

#include "abi.h"

#define PROGRAM "/files/" COMM

/* An address that nobody can read, and none that is not NULL. */
#define BAD 16L

/* Values of the schema's file_flags. */
enum {
	S_RDONLY = 1, S_WRONLY = 2, S_RDWR = 3, S_CREAT = 4, S_APPEND = 8, S_DSYNC = 0x10, S_EXCL = 0x20,
	S_NONBLOCK = 0x40, S_SYNC = 0x80, S_TRUNC = 0x100, S_DIRECT = 0x200, S_DIRECTORY = 0x400,
	S_LARGEFILE = 0x800, S_CLOEXEC = 0x1000, S_TMPFILE = 0x2000, S_CREATED = 0x4000, S_UPPER = 0x8000,
	S_LOWER = 0x10000,
};

/* A flag, or a value, of the host's, and the schema's for it. */
struct flag {
	const char *name;
	unsigned int host, schema;
};

#define F(host, schema) { #host, host, schema }
#define EACH(f, table) for (const struct flag *f = (table); f < (table) + sizeof(table) / sizeof(*(table)); f++)

/* The page of expectations is shared with every process that an act forks. */
struct book {
	volatile int lock;
	size_t len;
	char text[4 << 20];
};
static struct book *book;
static long self; /* thread id of whoever acts */

/* How much data an event shows: what watch asked for. */
static int snaplen = 80;

/* A line for the book. */
static void vnote(const char *format, va_list args)
{
	while (__sync_lock_test_and_set(&book->lock, 1))
		;
	book->len += vsnprintf(book->text + book->len, sizeof(book->text) - book->len, format, args);
	if (book->len >= sizeof(book->text))
		abort();
	__sync_lock_release(&book->lock);
}

__attribute__((format(printf, 1, 2)))
static void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vnote(format, args);
	va_end(args);
}

/* Expect an event of thread @tid; parameters as watch prints them. */
#define expect_of(tid, check, event, format, ...) \
	note("X %s %ld %s " format "\n", check, (long)(tid), event, ##__VA_ARGS__)

#define expect(check, event, ...) expect_of(self, check, event, __VA_ARGS__)

#define EXPECT_RET(ret, check, event, format, ...) expect(check, event, "^=%ld " format, ret, ##__VA_ARGS__)

/* Make a call, expect its event, and that its first parameter is the result. */
#define CALL(check, event, call, ...) ({ long ret_ = raw call; EXPECT_RET(ret_, check, event, __VA_ARGS__); ret_; })

/* The check of one flag of many. */
__attribute__((unused))
static const char *of(const char *check, const struct flag *f)
{
	static char name[4][128];
	static unsigned int turn;
	char *p = name[turn++ % 4];

	snprintf(p, sizeof(*name), "%s/%s", check, f->name);
	for (char *c = p; *c; c++)
		if (*c == ' ')
			*c = '_';
	return p;
}

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

/* By statx, which no act is about. */
static struct object object_of(int fd)
{
	struct statx st;

	must("statx", raw(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st));
	return (struct object){ makedev(st.stx_dev_major, st.stx_dev_minor), st.stx_ino };
}

/* The nth word of /proc/self/statm, in kB. Whoever comes here has been forked by in_child(). */
static long statm(int n)
{
	static int fd = -1;
	char text[128] = "", *at = text;

	if (fd < 0)
		fd = open("/proc/self/statm", O_RDONLY);
	raw(SYS_pread64, fd, text, sizeof(text) - 1, WIDE(0));
	while (n-- && at)
		at = strchr(at + 1, ' ');
	return at ? atol(at) * (sysconf(_SC_PAGESIZE) / 1024) : -1;
}

static long mapped(void)
{
	return statm(0);
}

static long resident(void)
{
	return statm(1);
}

/*
 * From 6.2 on every CPU keeps pages of its own of each of three counters, which
 * /proc sums up and which a hook has no time for.
 */
static int slack(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	sscanf(name.release, "%d.%d", &major, &minor);
	return major > 6 || (major == 6 && minor >= 2) ? 3 * 2 * 32 * 4 : 0;
}

/*
 * Act in a child of its own, whose events are its own, and wait for it. Its
 * memory is made resident, since what no call has touched yet the module cannot
 * read either. An act that waits for something in vain ends. What comes up to
 * the alarm() is not part of the act: the line in the book says of whom.
 */
static void in_child_named(const char *name, void (*act)(void))
{
	pid_t pid = raw(SYS_fork);
	int status;

	if (!pid) {
		self = raw(SYS_gettid);
		note("B %ld\n", self);
		raw(SYS_mlockall, MCL_CURRENT);
		raw(SYS_alarm, 60);
		act();
		raw(SYS_exit_group, 0);
	}
	waitpid(pid, &status, 0);
	if (status) {
		fprintf(stderr, "acts: %s ended with status %#x\n", name, status);
		exit(1);
	}
}

#define in_child(act) in_child_named(#act, act)

#endif
