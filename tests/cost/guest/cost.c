// SPDX-License-Identifier: Apache-2.0
/*
 * Counts instructions: makes the same system call again and again and prints
 * what one took, by the task's own clock, which under -icount is a count of
 * instructions.
 *
 *	cost PHASE
 *	cost daemon PID ALERTS
 *
 * A phase says who listens, and which rows are worth counting then; the names
 * are those of cost_test.go. It prints
 *
 *	cost <phase> <row> <instructions>
 *	books <phase> <produced> <published> <lost>
 *
 * The rings belong to the parent of whoever is counted, who so neither forks
 * them nor ever looks at them: they are large enough for a whole phase.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../../driver/uapi/falco.h"

#define ROUNDS     7 /* of which the median counts */
#define RING_BYTES (128 << 20)
#define ALL_CALLS  454 /* SC codes */

/* pkg/schema/syscalls.tbl; the tracepoints that are no calls are left out. */
enum { SC_GETPID = 16, SC_SCHED_SWITCH = 397, SC_SIGNAL_DELIVER = 400 };

static const char *self;
static int zero, null, pair[2];
static char byte;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- what is counted ---- */

static void getpid_once(void)
{
	syscall(SYS_getpid);
}

static void read_once(void)
{
	if (read(zero, &byte, 1) != 1)
		die("read");
}

static void write_once(void)
{
	if (write(null, &byte, 1) != 1)
		die("write");
}

static void dup_close(void)
{
	close(dup(zero));
}

static void open_close(void)
{
	int fd = open("/tmp/file", O_RDONLY);

	if (fd < 0)
		die("open");
	close(fd);
}

static void open_nothing(void)
{
	if (open("/tmp/nothing", O_RDONLY) >= 0)
		die("open of nothing");
}

static void stat_once(void)
{
	struct stat st;

	if (fstatat(AT_FDCWD, "/tmp/file", &st, 0))
		die("fstatat");
}

static void send_recv(void)
{
	if (send(pair[0], &byte, 1, 0) != 1 || recv(pair[1], &byte, 1, 0) != 1)
		die("send, recv");
}

static void fork_wait(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	if (waitpid(pid, NULL, 0) != pid)
		die("fork, wait");
}

static void exec_wait(void)
{
	char *argv[] = { (char *)self, NULL }, *envp[] = { NULL };
	pid_t pid = fork();

	if (!pid) {
		execve(self, argv, envp);
		_exit(1);
	}
	if (waitpid(pid, NULL, 0) != pid)
		die("exec, wait");
}

static void close_nothing(void)
{
	close(-1);
}

static const struct row {
	const char *name;
	void (*once)(void);
	int times;
} rows[] = {
	{ "getpid", getpid_once, 20000 },
	{ "read", read_once, 20000 },
	{ "write", write_once, 20000 },
	{ "dup+close", dup_close, 10000 },
	{ "open+close", open_close, 4000 },
	{ "open-enoent", open_nothing, 4000 },
	{ "fstatat", stat_once, 5000 },
	{ "send+recv", send_recv, 5000 },
	{ "fork+exit+wait", fork_wait, 200 },
	{ "fork+exec+wait", exec_wait, 100 },
	{ "close-ebadf", close_nothing, 20000 },
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))
#define ALL_ROWS "getpid read write dup+close open+close open-enoent fstatat send+recv " \
		 "fork+exit+wait fork+exec+wait close-ebadf"

static const struct phase {
	const char *name;
	bool listens;
	unsigned int flags;
	int unwanted; /* an SC code */
	int snaplen;
	const char *rows;
} phases[] = {
	{ "bare", false, 0, 0, 0, ALL_ROWS },
	{ "idle", false, 0, 0, 0, ALL_ROWS },
	{ "unwanted", true, 0, SC_GETPID, 0, "getpid" },
	{ "unwanted-enter", true, FALCO_FILTER_ENTER, SC_GETPID, 0, "getpid" },
	{ "failed", true, FALCO_FILTER_SUCCESS, 0, 0, "open-enoent close-ebadf" },
	{ "failed-enter", true, FALCO_FILTER_SUCCESS | FALCO_FILTER_ENTER, 0, 0, "close-ebadf" },
	{ "all", true, 0, 0, 0, ALL_ROWS },
	{ "all-enter", true, FALCO_FILTER_ENTER, 0, 0, ALL_ROWS },
	{ "all-data", true, 0, 0, 4096, "read write send+recv" },
};

/* ---- counting ---- */

static uint64_t ns_of(struct timeval tv)
{
	return tv.tv_sec * 1000000000ull + tv.tv_usec * 1000ull;
}

/* Ours and that of the children that we have waited for. */
static uint64_t task_time(void)
{
	struct timespec ts;
	struct rusage usage;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	getrusage(RUSAGE_CHILDREN, &usage);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec + ns_of(usage.ru_utime) + ns_of(usage.ru_stime);
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void count(const struct phase *phase, const struct row *row)
{
	uint64_t took[ROUNDS], before;

	for (int i = 0; i < row->times / 10 + 1; i++)
		row->once();
	for (int r = 0; r < ROUNDS; r++) {
		before = task_time();
		for (int i = 0; i < row->times; i++)
			row->once();
		took[r] = (task_time() - before) / row->times;
	}
	qsort(took, ROUNDS, sizeof(took[0]), ascending);
	printf("cost %s %s %lu\n", phase->name, row->name, took[ROUNDS / 2]);
}

static void prepare(void)
{
	int file = open("/tmp/file", O_CREAT | O_WRONLY, 0644);

	zero = open("/dev/zero", O_RDONLY);
	null = open("/dev/null", O_WRONLY);
	if (file < 0 || zero < 0 || null < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		die("prepare");
	close(file);
}

/* ---- who listens ---- */

static int listen_to(const struct phase *phase)
{
	struct falco_config config = {
		.size = sizeof(config),
		.ring_bytes = RING_BYTES,
		.snaplen = phase->snaplen,
	};
	struct falco_filter filter = { .size = sizeof(filter), .flags = phase->flags };
	int fd = open("/dev/falco", O_RDWR | O_CLOEXEC);

	for (int sc = 1; sc < ALL_CALLS; sc++)
		if (sc != phase->unwanted && (sc < SC_SCHED_SWITCH || sc > SC_SIGNAL_DELIVER))
			filter.syscalls[sc / 64] |= 1ull << sc % 64;
	filter.ignored_tgids[0] = getpid();
	if (fd < 0 || ioctl(fd, FALCO_IOC_CONFIG, &config) || ioctl(fd, FALCO_IOC_FILTER_SET, &filter) ||
	    ioctl(fd, FALCO_IOC_START))
		die("/dev/falco");
	return fd;
}

static void print_books(const struct phase *phase, int fd)
{
	struct falco_stats stats = { .size = sizeof(stats) };
	unsigned long long lost = 0;

	if (ioctl(fd, FALCO_IOC_STOP) || ioctl(fd, FALCO_IOC_STATS, &stats))
		die("stats");
	for (int i = 0; i < FALCO_LOST_CAUSES; i++)
		lost += stats.lost[i];
	printf("books %s %llu %llu %llu\n", phase->name, stats.produced, stats.published, lost);
}

static bool has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at += n)
		if ((at == words || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
			return true;
	return false;
}

static void run(const struct phase *phase)
{
	int fd = phase->listens ? listen_to(phase) : -1, status;
	pid_t pid = fork();

	if (!pid) {
		prepare();
		for (size_t i = 0; i < NROWS; i++)
			if (has_word(phase->rows, rows[i].name))
				count(phase, &rows[i]);
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		die("the one who is counted");
	if (fd >= 0)
		print_books(phase, fd);
}

/* ---- what the daemon has to do ---- */

#define SETTLE_NS 50000000 /* between two looks at whether it is done */

static uint64_t now(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		die("clock_gettime");
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void rest(long ns)
{
	struct timespec ts = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	nanosleep(&ts, NULL);
}

/* Waits until it has done all that there was. */
static void settle(clockid_t daemon)
{
	uint64_t before;

	do {
		before = now(daemon);
		rest(SETTLE_NS);
	} while (now(daemon) - before > SETTLE_NS / 100);
}

#define ALARMS	   51
#define PATIENCE_NS 5000000000 /* with an alert that does not come */

/*
 * How long it takes from a call that a rule is about to the line in a file, in
 * the median and at the most: at rest, when nobody is awake.
 */
static void time_alerts(const char *alerts)
{
	uint64_t took[ALARMS], began;
	struct stat st;
	off_t size;

	for (int i = 0; i < ALARMS; i++) {
		rest(37000000 + i * 100000); /* comes at another moment of the waits each time */
		size = stat(alerts, &st) ? 0 : st.st_size;
		began = now(CLOCK_MONOTONIC);
		mkdir("/tmp/alarm", 0700);
		while (stat(alerts, &st) || st.st_size == size) {
			if (now(CLOCK_MONOTONIC) - began > PATIENCE_NS) {
				printf("no alert in %s\n", alerts);
				return;
			}
			rest(20000);
		}
		took[i] = now(CLOCK_MONOTONIC) - began;
	}
	qsort(took, ALARMS, sizeof(took[0]), ascending);
	printf("latency %lu %lu\n", took[ALARMS / 2], took[ALARMS - 1]);
}

/*
 * What the daemon takes for each row, its own system calls and its collector
 * included, without what it takes at rest: instructions, by its own clock. And
 * its share of a processor, in millionths, at rest and at a hundred events a
 * second.
 */
static void count_daemon(pid_t pid)
{
	uint64_t before, began, idle;
	clockid_t daemon;

	if (clock_getcpuclockid(pid, &daemon))
		die("clock_getcpuclockid");
	prepare();
	settle(daemon);
	before = now(daemon);
	began = now(CLOCK_MONOTONIC);
	rest(10000000000);
	idle = (now(daemon) - before) * 1000000 / (now(CLOCK_MONOTONIC) - began);
	printf("share rest %lu\n", idle);

	before = now(daemon);
	began = now(CLOCK_MONOTONIC);
	for (int i = 0; i < 1000; i++) {
		write_once();
		rest(10000000);
	}
	printf("share hundred %lu\n", (now(daemon) - before) * 1000000 / (now(CLOCK_MONOTONIC) - began));

	for (size_t i = 0; i < NROWS; i++) {
		for (int k = 0; k < rows[i].times / 10 + 1; k++)
			rows[i].once();
		settle(daemon);
		before = now(daemon);
		began = now(CLOCK_MONOTONIC);
		for (int k = 0; k < rows[i].times; k++)
			rows[i].once();
		settle(daemon);
		printf("cost daemon %s %lu\n", rows[i].name,
		       (now(daemon) - before - (now(CLOCK_MONOTONIC) - began) * idle / 1000000) / rows[i].times);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 0; /* who is executed ends */
	self = argv[0];
	if (argc == 4 && !strcmp(argv[1], "daemon")) {
		count_daemon(atoi(argv[2]));
		time_alerts(argv[3]);
		return 0;
	}
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		if (!strcmp(phases[i].name, argv[1])) {
			run(&phases[i]);
			return 0;
		}
	}
	fprintf(stderr, "cost: no phase %s\n", argv[1]);
	return 2;
}
