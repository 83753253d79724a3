// SPDX-License-Identifier: Apache-2.0
/*
 * Pointers into memory that a userfaultfd never serves. Whoever touches it stands still for ever; the module must not be among
 * them. Prints the thread ids of who did what, then waits to be killed.
 */
#include "hostile.h"

#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <sys/prctl.h>

static char *nowhere; /* 16 pages that are never there */

static void *stuck_open(void *unused)
{
	printf("stuck open_e %ld\n", syscall(SYS_gettid));
	syscall(SYS_open, nowhere, O_RDONLY, 0);
	return NULL;
}

static void *stuck_openat(void *unused)
{
	printf("stuck openat_e %ld\n", syscall(SYS_gettid));
	syscall(SYS_openat, AT_FDCWD, nowhere + PAGE, O_RDONLY, 0);
	return NULL;
}

static void *stuck_creat(void *unused)
{
	printf("stuck creat_e %ld\n", syscall(SYS_gettid));
	syscall(SYS_creat, nowhere + 2 * PAGE, 0600);
	return NULL;
}

static void *stuck_connect(void *unused)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	printf("stuck connect_e %ld\n", syscall(SYS_gettid));
	syscall(SYS_connect, fd, nowhere + 3 * PAGE, sizeof(struct sockaddr_in));
	return NULL;
}

static void *stuck_exec(void *unused)
{
	printf("stuck - %ld\n", syscall(SYS_gettid));
	syscall(SYS_execve, "/bin/true", nowhere + 4 * PAGE, nowhere + 5 * PAGE);
	return NULL;
}

static void *stuck_write(void *unused)
{
	int pipes[2];

	printf("stuck - %ld\n", syscall(SYS_gettid));
	if (!pipe(pipes))
		syscall(SYS_write, pipes[1], nowhere + 6 * PAGE, 100);
	return NULL;
}

/* The kernel refuses these before it looks at the memory; the module looks at it afterwards. */
static void refused(void)
{
	char *p = nowhere + 8 * PAGE;
	struct iovec iov = { p, 100 };
	struct msghdr msg = { .msg_name = p, .msg_namelen = 16, .msg_iov = (void *)p, .msg_iovlen = 1 };

	syscall(SYS_write, -1, p, 100);
	printf("event write_x\n");
	syscall(SYS_pwrite64, -1, p, 100, 0);
	printf("event pwrite_x\n");
	syscall(SYS_writev, -1, &iov, 1);
	printf("event writev_x\n");
	syscall(SYS_connect, -1, p, 16);
	printf("event connect_x\n");
	syscall(SYS_bind, -1, p, 16);
	printf("event bind_x\n");
	syscall(SYS_sendto, -1, p, 100, 0, p, 16);
	printf("event sendto_x\n");
	syscall(SYS_sendmsg, -1, &msg, 0);
	printf("event sendmsg_x\n");
	syscall(SYS_setsockopt, -1, SOL_SOCKET, SO_RCVTIMEO, p, 16);
	printf("event setsockopt_x\n");
}

/* Arguments of a process that cannot be read, which fork's event would like to show. */
static void unreadable_arguments(void)
{
	pid_t pid;

	/* In this order: they come from the stack, which is above, and the start may not be behind the end. */
	must(prctl(PR_SET_MM, PR_SET_MM_ARG_START, nowhere + 9 * PAGE, 0, 0), "PR_SET_MM_ARG_START");
	must(prctl(PR_SET_MM, PR_SET_MM_ARG_END, nowhere + 10 * PAGE, 0, 0), "PR_SET_MM_ARG_END");
	pid = syscall(SYS_fork);
	if (!pid)
		_exit(0);
	printf("event fork_x\n");
	waitpid(pid, NULL, 0);
}

void unserved(void)
{
	void *(*stuck[])(void *) = { stuck_open, stuck_openat, stuck_creat, stuck_connect, stuck_exec, stuck_write };
	int uffd = must(syscall(SYS_userfaultfd, O_CLOEXEC), "userfaultfd");
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	pthread_t thread;

	nowhere = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.range.start = (unsigned long)nowhere;
	reg.range.len = 16 * PAGE;
	must(ioctl(uffd, UFFDIO_API, &api), "UFFDIO_API");
	must(ioctl(uffd, UFFDIO_REGISTER, &reg), "UFFDIO_REGISTER");
	printf("pid %d\n", getpid());
	refused();
	unreadable_arguments();
	for (unsigned int i = 0; i < sizeof(stuck) / sizeof(stuck[0]); i++)
		pthread_create(&thread, NULL, stuck[i], NULL);
	usleep(200000);
	printf("all stuck\n");
	for (;;)
		pause();
}
