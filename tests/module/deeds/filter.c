// SPDX-License-Identifier: Apache-2.0
/* Deeds for consumers that want only some of them. */
#include <sys/eventfd.h>

/* One byte, or eight, out of each kind of descriptor. */
static void deed_kinds(void)
{
	int pair[2], ends[2], regular, inet = bound(SOCK_DGRAM, 8000);
	struct sockaddr_in to = local(8000);
	char eight[8] = { 1 };

	make(REAL);
	regular = must("open", open(REAL, O_RDWR));
	must("write", pwrite(regular, "x", 1, 0));
	must("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	must("pipe", pipe2(ends, O_NONBLOCK));
	write(pair[0], "x", 1);
	write(ends[1], "x", 1);
	sendto(inet, "x", 1, 0, (void *)&to, sizeof(to));
	fact("regular", regular);
	fact("directory", must("open", open("/tmp", O_RDONLY)));
	fact("char", must("open", open("/dev/zero", O_RDONLY)));
	fact("pipe", ends[0]);
	fact("unix", pair[1]);
	fact("inet", inet);
	fact("anon", must("eventfd", eventfd(1, 0)));
	fact("none", 999);
	fact("socket", must("socket", socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, 0)));
	for (int fd = 0; fd < 40; fd++)
		if (fd > 2)
			syscall(SYS_read, fd, eight, fd == inet || fd == regular ? 1 : 8);
	syscall(SYS_read, 999, eight, 1);
}

static void deed_failures(void)
{
	fact("calls", 1000);
	for (int i = 0; i < 1000; i++) {
		syscall(SYS_openat, AT_FDCWD, "/tmp/deed.none", O_RDONLY);
		syscall(SYS_close, 999);
		syscall(SYS_fchmod, -1, 0);
	}
	make(REAL);
}
