// SPDX-License-Identifier: Apache-2.0
/*
 * Program herd makes many processes with many descriptors each, so that reading
 * /proc has something to do:
 *
 *	herd PROCESSES DESCRIPTORS
 *
 * It prints "ready" when all are there, and ends with them when its input does.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* open_more opens until descriptor number want - 1 is there, of all kinds. */
static int open_more(int want)
{
	static const char *const names[] = { "/dev/null", "/etc/passwd", "/etc", "/proc/self/status" };
	int pair[2], fd = 2;

	for (int i = 0; fd < want - 1; i++) {
		switch (i % 8) {
		case 5:
			if (want - fd < 3 || pipe(pair))
				continue;
			fd = pair[1];
			break;
		case 6:
			if (want - fd < 3 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
				continue;
			fd = pair[1];
			break;
		case 7:
			fd = i & 8 ? eventfd(0, 0) : socket(AF_INET, SOCK_DGRAM, 0);
			break;
		default:
			fd = open(names[i % 4], O_RDONLY);
		}
		if (fd < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int processes = argc > 2 ? atoi(argv[1]) : 0, descriptors = argc > 2 ? atoi(argv[2]) : 0;
	int ready[2];
	char c;

	/* Only what the task is about: input, output and errors stay. */
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	if (processes < 1 || pipe2(ready, O_CLOEXEC))
		return 2;
	for (int i = 0; i < processes; i++) {
		switch (fork()) {
		case -1:
			perror("fork");
			kill(0, SIGKILL);
			return 1;
		case 0:
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			dup2(ready[1], 2); /* to be told from the rest when all are there */
			close(ready[0]);
			close(ready[1]);
			if (open_more(descriptors) || write(2, "", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
	}
	close(ready[1]);
	for (int i = 0; i < processes; i++)
		if (read(ready[0], &c, 1) != 1)
			return 1;
	puts("ready");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
