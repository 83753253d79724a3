// SPDX-License-Identifier: Apache-2.0
/* Acts that wait, and on descriptors that are made to be waited for. */
#include "acts.h"

#include <poll.h>
#include <sys/epoll.h>

static void act_poll(void)
{
	static struct pollfd polls[3], crowd[300], most[4097];
	static const struct timespec wait = { 0, 1500 }; /* where the kernel cannot write what is left of it */
	static uint64_t mask = 0xfedcba9876543210;
	static const uint64_t limit[2] = { 4096, 4096 };
	int fds[2];

	raw(SYS_pipe, fds);
	polls[0] = (struct pollfd){ fds[0], 0, 0 };
	polls[1] = (struct pollfd){ fds[1], POLLOUT, 0 };
	polls[2] = (struct pollfd){ 999, POLLIN, 0 };
	CALL("poll", "poll_x", (SYS_poll, polls, 3, -1), "res=2 fds=3,%d:0,%d:4,999:64 timeout=-1", fds[0], fds[1]);
	CALL("poll/none", "poll_x", (SYS_poll, polls, 0, 1), "res=0 fds=0 timeout=1");
	CALL("poll/null", "poll_x", (SYS_poll, NULL, 1, 0), "res=-14 fds=0 timeout=0");
	CALL("poll/bad", "poll_x", (SYS_poll, BAD, 1, 2147483647), "res=-14 fds=0 timeout=2147483647 rec=fault");
	CALL("ppoll", "ppoll_x", (SYS_ppoll, polls, 3, &wait, &mask, 8), "res=2 fds=3,%d:0,%d:4,999:64 timeout=1500 sigmask=%u",
	     fds[0], fds[1], 0x76543210);
	CALL("ppoll/null", "ppoll_x", (SYS_ppoll, NULL, 1, NULL, NULL, 8), "res=-14 fds=0 timeout=0 sigmask=0");
	CALL("ppoll/bad", "ppoll_x", (SYS_ppoll, polls, 1, BAD, NULL, 8), "res=-14 timeout=0 sigmask=0 rec=fault");
	CALL("ppoll/bad-mask", "ppoll_x", (SYS_ppoll, polls, 1, &wait, BAD, 8), "res=-14 timeout=1500 sigmask=0 rec=fault");

#if NARROW
	/* The call whose seconds have 64 bits. */
	static const int64_t wide[2] = { 5, 7 };

	CALL("ppoll_time64", "ppoll_x", (SYS_ppoll_time64, polls, 1, wide, &mask, 8), "fds=1,%d:0 timeout=5000000007 sigmask=%u", fds[0], 0x76543210);
#endif
	for (int i = 0; i < 300; i++)
		crowd[i] = (struct pollfd){ -1, 0, 0 };
	crowd[0].fd = crowd[299].fd = 5000;
	CALL("poll/crowd", "poll_x", (SYS_poll, crowd, 300, 0), "res=2 fds=~300,5000:64,-1:0,-1:0,-1:0");
	must("prlimit", raw(SYS_prlimit64, 0, 7, limit, NULL));
	for (int i = 0; i < 4096; i++)
		most[i] = (struct pollfd){ i == 4095 ? 5000 : -1, 0, 0 };
	CALL("poll/most", "poll_x", (SYS_poll, most, 4096, 0), "res=1 fds=~4096,-1:0,-1:0");
	CALL("poll/too-many", "poll_x", (SYS_poll, most, 4097, 0), "res=-22 fds=~4097,-1:0,");
}

static void act_sleep(void)
{
	static const struct timespec nap = { 0, 1000 }, invalid = { 5, 2000000000 }, negative = { -1, 0 };

	CALL("nanosleep", "nanosleep_x", (SYS_nanosleep, &nap, NULL), "res=0 interval=1000");
	CALL("nanosleep/invalid", "nanosleep_x", (SYS_nanosleep, &invalid, NULL), "res=-22 interval=7000000000");
	CALL("nanosleep/negative", "nanosleep_x", (SYS_nanosleep, &negative, NULL), "res=-22 interval=%llu", -1000000000ULL);
	CALL("nanosleep/null", "nanosleep_x", (SYS_nanosleep, NULL, NULL), "res=-14 interval=0");
	CALL("nanosleep/bad", "nanosleep_x", (SYS_nanosleep, BAD, NULL), "res=-14 interval=0 rec=fault");
}

static void act_epoll(void)
{
	static struct epoll_event events[4];
	static struct { long tv_sec, tv_usec; } none;
	long fd = CALL("epoll_create", "epoll_create_x", (SYS_epoll_create, 7), "size=7");

	CALL("epoll_create/invalid", "epoll_create_x", (SYS_epoll_create, 0), "res=-22 size=0");
	CALL("epoll_create/negative", "epoll_create_x", (SYS_epoll_create, -5), "res=-22 size=-5");
	CALL("epoll_create1", "epoll_create1_x", (SYS_epoll_create1, O_CLOEXEC), "flags=1");
	CALL("epoll_create1/invalid", "epoll_create1_x", (SYS_epoll_create1, 1), "res=-22 flags=0");
	CALL("epoll_wait", "epollwait_x", (SYS_epoll_wait, fd, events, 4, 0), "res=0 maxevents=4");
	CALL("epoll_wait/invalid", "epollwait_x", (SYS_epoll_wait, fd, events, -1, 0), "res=-22 maxevents=-1");
	CALL("epoll_wait/closed", "epollwait_x", (SYS_epoll_wait, 999, NULL, 1, 0), "res=-9 maxevents=1");
#if NARROW
	/* The number of this name takes its arguments in memory. */
	static unsigned long args[5];

	args[4] = (long)&none;
	CALL("select", "select_x", (SYS_select, args), "res=0");
	CALL("select/bad", "select_x", (SYS_select, BAD), "res=-14");
#else
	CALL("select", "select_x", (SYS_select, 0, NULL, NULL, NULL, &none), "res=0");
	CALL("select/invalid", "select_x", (SYS_select, -1, NULL, NULL, NULL, &none), "res=-22");
#endif
}

static void act_waitable(void)
{
	static uint64_t mask = 0x200;
	long fd, pidfd;

	CALL("eventfd", "eventfd_x", (SYS_eventfd, 77), "initval=77 flags=0");
	fd = CALL("eventfd2", "eventfd2_x", (SYS_eventfd2, 0x80000001, O_CLOEXEC), "flags=4096 initval=2147483649");
	CALL("eventfd2/invalid", "eventfd2_x", (SYS_eventfd2, 1, 2), "res=-22 flags=0 initval=1");
	CALL("signalfd", "signalfd_x", (SYS_signalfd, -1, &mask, 8), "fd=-1 mask=0 flags=0");
	CALL("signalfd/bad", "signalfd_x", (SYS_signalfd, fd, NULL, 8), "res=-14 fd=%ld", fd);
	CALL("signalfd/size", "signalfd_x", (SYS_signalfd, 999, &mask, 7), "res=-22 fd=999");
	CALL("signalfd4", "signalfd4_x", (SYS_signalfd4, -1, &mask, 8, O_CLOEXEC), "flags=4096 fd=-1 mask=0");
	CALL("signalfd4/closed", "signalfd4_x", (SYS_signalfd4, 999, &mask, 8, 0), "res=-9 flags=0 fd=999");
	CALL("timerfd_create", "timerfd_create_x", (SYS_timerfd_create, 1, O_NONBLOCK | O_CLOEXEC), "clockid=1 flags=64");
	CALL("timerfd_create/invalid", "timerfd_create_x", (SYS_timerfd_create, 200, 0), "res=-22 clockid=200 flags=0");
	raw(SYS_inotify_init);
	expect("inotify_init", "inotify_init_x", "res=+ flags=0");
	CALL("inotify_init1", "inotify_init1_x", (SYS_inotify_init1, O_NONBLOCK), "flags=64");
	CALL("inotify_init1/invalid", "inotify_init1_x", (SYS_inotify_init1, 1), "res=-22 flags=0");
	CALL("userfaultfd", "userfaultfd_x", (SYS_userfaultfd, O_CLOEXEC), "flags=%d", O_CLOEXEC);
	CALL("userfaultfd/invalid", "userfaultfd_x", (SYS_userfaultfd, -1), "res=-22 flags=4294967295");

	pidfd = CALL("pidfd_open", "pidfd_open_x", (SYS_pidfd_open, self, 0), "pid=%ld flags=0", self);
	CALL("pidfd_open/nobody", "pidfd_open_x", (SYS_pidfd_open, 99999, 0), "fd=-3 pid=99999 flags=0");
	CALL("pidfd_open/negative", "pidfd_open_x", (SYS_pidfd_open, -5, O_NONBLOCK), "fd=-22 pid=-5 flags=1");
	CALL("pidfd_getfd", "pidfd_getfd_x", (SYS_pidfd_getfd, pidfd, fd, 0), "pid_fd=%ld target_fd=%ld flags=0", pidfd, fd);
	CALL("pidfd_getfd/closed", "pidfd_getfd_x", (SYS_pidfd_getfd, pidfd, 999, 0), "fd=-9 target_fd=999");
	CALL("pidfd_getfd/flags", "pidfd_getfd_x", (SYS_pidfd_getfd, -1, -2, 6), "fd=-22 pid_fd=-1 target_fd=-2 flags=6");
}

static void act_wait(void)
{
	in_child(act_poll);
	in_child(act_sleep);
	in_child(act_epoll);
	in_child(act_waitable);
}
