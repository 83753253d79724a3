// SPDX-License-Identifier: Apache-2.0
/*
 * Program deeds does what a check of guest/ wants to look at: deeds NAME. It
 * says on standard output what cannot be known beforehand, a fact a line.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

static void fact(const char *name, long value)
{
	printf("%s %ld\n", name, value);
	fflush(stdout);
}

static long must(const char *what, long ret)
{
	if (ret == -1) {
		perror(what);
		exit(1);
	}
	return ret;
}

static void *pages(size_t n)
{
	void *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must("mmap", (long)p);
	return p;
}

#include "lies.c"
#include "net.c"
#include "filter.c"
#include "limits.c"
#include "trace.c"
#include "x32.c"

static const struct {
	const char *name;
	void (*run)(void);
} deeds[] = {
	{ "signals", deed_signals },
	{ "faults", deed_faults },
	{ "switches", deed_switches },
	{ "getpid", deed_getpid },
	{ "links", deed_links },
	{ "swap", deed_swap },
	{ "unserved", deed_unserved },
	{ "kinds", deed_kinds },
	{ "failures", deed_failures },
	{ "limits", deed_limits },
	{ "arguments", deed_arguments },
	{ "x32", deed_x32 },
	{ "ids", deed_ids },
	{ "socketcall", deed_socketcall },
	{ "messages", deed_messages },
	{ "vectors", deed_vectors },
	{ "sendto", deed_sendto },
};

int main(int argc, char **argv)
{
	for (unsigned int i = 0; argc > 1 && i < LENGTH(deeds); i++) {
		if (!strcmp(argv[1], deeds[i].name)) {
			alarm(45); /* for deeds that hang */
			fact("tid", syscall(SYS_gettid));
			deeds[i].run();
			return 0;
		}
	}
	fprintf(stderr, "usage: deeds NAME\n");
	return 2;
}
