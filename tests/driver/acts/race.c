// SPDX-License-Identifier: Apache-2.0
/*
 * Things that go while the module looks at them: peers of unix sockets,
 * terminals, parents, memory, descriptors. Nothing is expected of the events
 * but that the kernel survives them.
 */
#include "acts.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define ROUNDS 2000

static volatile bool over;

static void *send_all_the_time(void *fd)
{
	while (!over)
		raw(SYS_sendto, *(int *)fd, "x", 1, MSG_DONTWAIT, NULL, 0);
	return NULL;
}

/* The peer is closed, and its memory used again, while a thread sends to it. */
static void race_peers(void)
{
	struct sockaddr_un at = un("/tmp/race");
	int client = socket(AF_UNIX, SOCK_DGRAM, 0);
	pthread_t thread;

	pthread_create(&thread, NULL, send_all_the_time, &client);
	for (int i = 0; i < ROUNDS; i++) {
		int peer = socket(AF_UNIX, SOCK_DGRAM, 0);

		at.sun_path[5] = 'a' + i % 26;
		raw(SYS_bind, peer, &at, sizeof(at));
		raw(SYS_connect, client, &at, sizeof(at));
		raw(SYS_unlink, at.sun_path);
		raw(SYS_close, peer);
	}
	over = true;
	pthread_join(thread, NULL);
}

/* The terminal is hung up while its session executes something. */
static void race_terminals(void)
{
	int unlock = 0;

	mkdir("/tmp/pts", 0755);
	mount("devpts", "/tmp/pts", "devpts", 0, "ptmxmode=0666");
	for (int i = 0; i < ROUNDS / 20; i++) {
		int master = open("/tmp/pts/ptmx", O_RDWR | O_NOCTTY), peer;
		pid_t pid;

		ioctl(master, TIOCSPTLCK, &unlock);
		peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
		pid = fork();
		if (!pid) {
			close(master);
			signal(SIGHUP, SIG_IGN);
			setsid();
			ioctl(peer, TIOCSCTTY, 0);
			raw(SYS_execve, PROGRAM, five, env);
		}
		close(peer);
		if (i % 2)
			sched_yield();
		close(master);
		waitpid(pid, NULL, 0);
	}
}

/* Parents and subreapers go at the same time as their children. */
static void race_parents(void)
{
	for (int i = 0; i < ROUNDS / 20; i++) {
		pid_t pid = fork();

		if (!pid) {
			raw(SYS_prctl, PR_SET_CHILD_SUBREAPER, i % 2);
			for (int depth = 0; depth < 5; depth++)
				if (fork() && fork())
					break;
			raw(SYS_exit_group, 0);
		}
		waitpid(pid, NULL, 0);
	}
}

static char *page;

static void *map_and_unmap(void *unused)
{
	while (!over) {
		raw(SYS_munmap, page, 4096);
		mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		memcpy(page, "/tmp/race", 10);
	}
	return unused;
}

static void race_memory(void)
{
	struct iovec iov[2] = { { "safe", 4 } };
	int null = open("/dev/null", O_WRONLY);
	pthread_t thread;

	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	iov[1] = (struct iovec){ page, 4096 };
	pthread_create(&thread, NULL, map_and_unmap, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		long fd = raw(SYS_openat, AT_FDCWD, page, O_CREAT | O_RDWR, 0600);

		if (fd >= 0)
			raw(SYS_close, fd);
		raw(SYS_writev, null, iov, 2);
		raw(SYS_write, null, page, 4096);
		raw(SYS_execve, page, page, page);
	}
	over = true;
	pthread_join(thread, NULL);
}

static void *open_and_close(void *unused)
{
	while (!over) {
		raw(SYS_close, 40);
		raw(SYS_dup2, 0, 40);
		raw(SYS_close_range, 41, 60, 0);
	}
	return unused;
}

/* A descriptor is closed before its event can look at it. */
static void race_descriptors(void)
{
	pthread_t thread;
	int fds[2];

	raw(SYS_close_range, 3, 60, 0);
	pthread_create(&thread, NULL, open_and_close, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		raw(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);
		raw(SYS_pipe, fds);
		raw(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, fds);
		raw(SYS_sendto, 40, "x", 1, MSG_DONTWAIT, NULL, 0);
		if (i % 10 == 0)
			raw(SYS_close_range, 3, 39, 0);
	}
	over = true;
	pthread_join(thread, NULL);
}

static int race_all(void)
{
	void (*races[])(void) = { race_peers, race_terminals, race_parents, race_memory, race_descriptors };
	int status, failed = 0;

	for (size_t i = 0; i < sizeof(races) / sizeof(*races); i++) {
		if (!fork()) {
			races[i]();
			raw(SYS_exit_group, 0);
		}
	}
	while (waitpid(-1, &status, 0) > 0)
		failed |= status;
	return !!failed;
}
