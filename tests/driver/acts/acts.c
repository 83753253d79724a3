// SPDX-License-Identifier: Apache-2.0
/*
 * Program acts makes system calls and says which events it expects of them:
 * see driver_test.go. Each act is a process of its own.
 *
 *	acts all       all acts, expectations on standard output
 *	acts hooks     those on what happens without a call
 *	acts snaplen N those on data, of which N bytes are shown
 *	acts race      races, of which nothing is expected
 *	acts exit N    ends with N at once: what the acts execute
 */
#include "acts.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

/* One program from several files, by family, as in driver/. */
#include "path.c"
#include "names.c"
#include "io.c"
#include "wait.c"
#include "socket.c"
#include "address.c"
#include "message.c"
#include "sockopt.c"
#include "clone.c"
#include "exec.c"
#include "process.c"
#include "memory.c"
#include "cred.c"
#include "ipc.c"
#include "mount.c"
#include "kernel.c"
#include "compat.c"
#include "flags.c"
#include "values.c"
#include "overlay.c"
#include "hooks.c"
#include "snaplen.c"
#include "race.c"

/* Whoever acted before us has left files, ports and semaphores. */
static int start_afresh(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC))
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (ioctl(fd, SIOCSIFFLAGS, &lo))
		return -1;
	close(fd);
	mkdir("/sys/fs/cgroup/acts", 0755);
	fd = open("/sys/fs/cgroup/acts/cgroup.procs", O_WRONLY);
	if (write(fd, "0", 1) != 1)
		return -1;
	close(fd);
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("acts", "/tmp", "tmpfs", 0, NULL);
}

static void act_all(void)
{
	act_path();
	act_name();
	act_io();
	act_wait();
	act_socket();
	act_address();
	act_message();
	act_sockopt();
	act_clones();
	act_execs();
	act_process();
	act_memory();
	act_cred();
	act_ipc();
	act_mount();
	act_kernel();
	act_compat();
	act_flags();
	act_values();
	act_overlay();
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "exit"))
		return atoi(argv[2]);
	if (argc > 1 && !strcmp(argv[1], "race"))
		return race_all();
	if (argc < 2)
		return 2;
	if (argc > 2)
		snaplen = atoi(argv[2]);
	umask(0);
	if (start_afresh())
		return 1;
	book = mmap(NULL, sizeof(*book), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (book == MAP_FAILED)
		return 1;
	self = raw(SYS_gettid);
	if (!strcmp(argv[1], "hooks"))
		act_hooks();
	else if (!strcmp(argv[1], "snaplen"))
		act_snaplens();
	else
		act_all();
	for (size_t at = 0; at < book->len;) {
		ssize_t n = write(STDOUT_FILENO, book->text + at, book->len - at);

		if (n < 0)
			return 1;
		at += n;
	}
	return 0;
}
