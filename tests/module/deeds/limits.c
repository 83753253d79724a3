// SPDX-License-Identifier: Apache-2.0
/* As much as a call can be given, and more. */
#include <poll.h>
#include <sys/resource.h>

static void deed_limits(void)
{
	static struct pollfd fds[8000];
	static struct iovec vec[1100];
	static char byte = 'v', path[5000], big[200000];
	struct rlimit files = { 8000, 8000 };
	int null = must("open", open("/dev/null", O_WRONLY)), zero = must("open", open("/dev/zero", O_RDONLY));

	must("mlockall", mlockall(MCL_CURRENT));
	must("setrlimit", setrlimit(RLIMIT_NOFILE, &files));
	for (unsigned int i = 0; i < LENGTH(fds); i++)
		fds[i] = (struct pollfd){ i == 4095 ? null : -1, POLLOUT };
	must("poll", syscall(SYS_poll, fds, 4096, 0));
	must("poll", syscall(SYS_poll, fds, 8000, 0));

	for (unsigned int i = 0; i < LENGTH(vec); i++)
		vec[i] = (struct iovec){ &byte, 1 };
	must("writev", syscall(SYS_writev, null, vec, 1024));
	syscall(SYS_writev, null, vec, 1100);
	must("readv", syscall(SYS_readv, zero, vec, 1024));
	memset(big, 'b', sizeof(big));
	must("write", syscall(SYS_write, null, big, sizeof(big)));

	memset(path, 'p', sizeof(path) - 1);
	path[0] = '/';
	syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
	path[4095] = 0;
	syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
}

#define WORDS 20000

/* Arguments of 2 MiB: to a program that there is, and to one that there is not; with holes. */
static void deed_arguments(void)
{
	static char *words[WORDS + 1], word[101];
	struct rlimit stack = { 64 << 20, 64 << 20 };

	must("setrlimit", setrlimit(RLIMIT_STACK, &stack));
	memset(word, 'w', 100);
	for (int i = 0; i < WORDS; i++)
		words[i] = word;
	words[0] = "deeds";
	words[1] = "nothing";
	must("mlockall", mlockall(MCL_CURRENT));
	syscall(SYS_execve, "/files/none", words, (char *[]){ "A=1", NULL });
	/* Newer kernels look for the file first. */
	syscall(SYS_execve, "/files/none", (char *[]){ "one", (char *)16, "three", NULL }, NULL);
	fact("hole", -errno);
	syscall(SYS_execve, (char *)16, (char **)16, (char **)16);
	words[WORDS / 2] = NULL;
	for (int i = 0; i < 2; i++) {
		pid_t pid = must("fork", fork());

		if (!pid) {
			syscall(SYS_execve, "/files/deeds", i ? words : (char *[]){ "deeds", "nothing", NULL },
				i ? (char *[]){ "B=2", NULL } : words);
			_exit(3);
		}
		fact(i ? "args" : "env", pid);
		waitpid(pid, NULL, 0);
	}
}
