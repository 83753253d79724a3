/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of hostile.c share. A check that fails says so on standard error; the program then ends with 1.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../driver/uapi/falco.h"

#define PAGE 4096UL

static int checks, failures;
static volatile int at_line; /* where we are: told if we hang */

#define CHECK(cond)                                                                    \
	do {                                                                           \
		errno = 0;                                                             \
		at_line = __LINE__;                                                    \
		checks++;                                                              \
		if (!(cond)) {                                                         \
			failures++;                                                    \
			fprintf(stderr, "%s:%d: %s (errno %d)\n", __func__, __LINE__, #cond, errno); \
		}                                                                      \
	} while (0)

/* The call fails, and with this error. */
#define REFUSED(call, error) CHECK((long)(call) == -1 && errno == (error))

static inline int must(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
	return result;
}

static inline int open_device(void)
{
	return must(open("/dev/falco", O_RDWR | O_CLOEXEC), "open /dev/falco");
}

static inline int configure(int fd, unsigned int ring_bytes)
{
	struct falco_config config = { .size = sizeof(config), .ring_bytes = ring_bytes };

	return ioctl(fd, FALCO_IOC_CONFIG, &config);
}

static inline int want_everything(int fd)
{
	struct falco_filter filter = { .size = sizeof(filter), .flags = FALCO_FILTER_ENTER };

	memset(filter.syscalls, 0xff, sizeof(filter.syscalls));
	return ioctl(fd, FALCO_IOC_FILTER_SET, &filter);
}

static inline off_t offset_of(long cpu, unsigned long region)
{
	return (off_t)((unsigned long)cpu << FALCO_MMAP_CPU_SHIFT | region);
}

void mappings(void);
void inheritance(void);
void unserved(void);
void racing(int rounds);

#endif
