// SPDX-License-Identifier: Apache-2.0
/*
 * A 64-bit program that makes calls as a 32-bit one does: int $0x80 works for
 * everybody. All pointers are static, hence below 4 GB.
 */
#include "acts.h"

#if !NARROW

#include <arpa/inet.h>
#include <sys/socket.h>

#define expect32(check, event, format, ...) expect(check, event, "abi=32 " format, ##__VA_ARGS__)

/* Numbers of 32-bit x86. */
enum {
	NR32_read = 3, NR32_write = 4, NR32_open = 5, NR32_close = 6, NR32_creat = 8, NR32_execve = 11, NR32_pipe = 42, NR32_clone = 120,
	NR32_getrlimit = 76, NR32_mmap = 90, NR32_socketcall = 102, NR32_writev = 146, NR32_readv = 145, NR32_poll = 168,
	NR32_nanosleep = 162, NR32_getresuid16 = 165, NR32_getresuid = 209, NR32_pread64 = 180, NR32_sendfile = 187,
	NR32_ugetrlimit = 191, NR32_mmap2 = 192, NR32_openat = 295, NR32_ppoll = 309, NR32_pwritev = 334, NR32_prlimit = 340,
	NR32_keyctl = 288, NR32_sendmsg = 370,
};

struct iov32 { uint32_t base, len; };
struct msg32 { uint32_t name, namelen, iov, iovlen, control, controllen, flags; };

#define P32(p) ((uint32_t)(uintptr_t)(p))

static void act_compat_files(void)
{
	static char name[] = "/tmp/compat", text[] = "thirty-two", buf[64];
	static struct iov32 iov[2];
	struct object o;
	long fd;

	fd = raw32(NR32_openat, AT_FDCWD, name, O_CREAT | O_RDWR, 0640);
	o = object_of(must("compat openat", fd));
	expect32("compat/openat/enter", "openat_e", "dirfd=-100 name='/tmp/compat' flags=%d mode=%d",
	       S_RDWR | S_CREAT, 0640);
	expect32("compat/openat", "openat_x", "fd=%ld dirfd=-100 name='/tmp/compat' flags=%d mode=%d dev=%lu ino=%lu",
	       fd, S_RDWR | S_CREAT | S_CREATED, 0640, o.dev, o.ino);
	raw32(NR32_open, "/tmp/none", O_RDONLY);
	expect32("compat/open/enter", "open_e", "name='/tmp/none'");
	expect32("compat/open", "open_x", "fd=-2 name='/tmp/none'");
	raw32(NR32_write, fd, text, 10);
	expect32("compat/write", "write_x", "res=10 data='thirty-two' fd=%ld size=10", fd);
	raw32(NR32_write, -1, text, 10);
	expect32("compat/write/bad", "write_x", "res=-9 fd=-1");
	iov[0] = (struct iov32){ P32(text), 4 };
	iov[1] = (struct iov32){ P32(text + 7), 3 };
	raw32(NR32_writev, fd, iov, 2);
	expect32("compat/writev", "writev_x", "res=7 data='thirtwo' size=7");
	raw32(NR32_pwritev, fd, iov, 1, 5, 1);
	expect32("compat/pwritev", "pwritev_x", "res=-27 data='thir' pos=%ld", 5 | 1L << 32);
	raw32(NR32_pread64, fd, buf, 6, 1, 0);
	expect32("compat/pread", "pread_x", "res=6 data='hirty-' pos=1");
	iov[0] = (struct iov32){ P32(buf), 64 };
	raw32(NR32_readv, 99, iov, 1);
	expect32("compat/readv/bad", "readv_x", "res=-9 size=0 data=- fd=99");
	static int32_t offset = 2;
	static int fds[2];

	raw32(NR32_pipe, fds);
	expect32("compat/pipe", "pipe_x", "res=0 fd1=%d fd2=%d ino=%lu", fds[0], fds[1], object_of(fds[0]).ino);
	raw32(NR32_sendfile, fds[1], fd, &offset, 3);
	expect32("compat/sendfile", "sendfile_x", "res=3 offset=5 out_fd=%d in_fd=%ld size=3", fds[1], fd);
	static struct { int fd; short events, revents; } polls[1];

	polls[0].fd = fds[0];
	polls[0].events = 1;
	raw32(NR32_poll, polls, 1, -1);
	expect32("compat/poll", "poll_x", "res=1 fds=1,%d:1 timeout=-1", fds[0]);
	static const int32_t wait[2] = { 0, 700 };

	raw32(NR32_ppoll, polls, 1, wait, NULL, 8);
	expect32("compat/ppoll", "ppoll_x", "res=1 timeout=700 sigmask=0");
	raw32(NR32_nanosleep, wait, NULL);
	expect32("compat/nanosleep", "nanosleep_x", "res=0 interval=700");
}

static void act_compat_rest(void)
{
	static uint32_t limit[2], map[6] = { 0, 8192, 3, 0x22, -1, 0 }, a, b, c;
	static uint16_t a16, b16, c16;
	static uint64_t limit64[2] = { 80, 0x100000000 };
	static uint32_t argv[4], envp[2];
	static char zero[] = "n", one[] = "x", e[] = "E=1", none[] = "/tmp/none";
	long at, pid;

	raw32(NR32_ugetrlimit, 7, limit);
	expect32("compat/getrlimit", "getrlimit_x", "res=0 cur=%d max=%d resource=7", limit[0], limit[1]);
	raw32(NR32_ugetrlimit, 9, limit);
	expect32("compat/getrlimit/infinity", "getrlimit_x", "res=0 cur=-1 max=-1 resource=9");
	raw32(NR32_prlimit, -1, 7, limit64, NULL);
	expect32("compat/prlimit", "prlimit_x", "res=-3 newcur=80 newmax=4294967296 pid=-1");
	at = (uint32_t)raw32(NR32_mmap, map);
	expect32("compat/mmap", "mmap_x", "res=? addr=0 length=8192 prot=3 flags=10 fd=-1 offset=0");
	at = (uint32_t)raw32(NR32_mmap2, 0, 4096, 1, 0x22, -1, 3);
	expect32("compat/mmap2", "mmap_x", "res=? length=4096 prot=1 fd=-1 offset=12288");
	(void)at;
	raw32(NR32_getresuid, &a, &b, &c);
	expect32("compat/getresuid", "getresuid_x", "res=0 ruid=0 euid=0 suid=0");
	raw32(NR32_getresuid16, &a16, &b16, &c16);
	expect32("compat/getresuid16", "getresuid_x", "res=0 ruid=0 euid=0 suid=0");
	raw32(NR32_keyctl, 0, -3, 0);
	expect32("compat/keyctl", "keyctl_x", "operation=0 arg2=0:-3");
	argv[0] = P32(zero);
	argv[1] = P32(one);
	envp[0] = P32(e);
	raw32(NR32_execve, none, argv, envp);
	expect32("compat/execve", "execve_x", "res=-2 exe='n' args='x\\x00' env='E=1\\x00' filename='/tmp/none'");
	pid = raw32(NR32_clone, SIGCHLD | CLONE_FILES, 0);
	if (!pid)
		raw(SYS_exit_group, 0);
	raw(SYS_wait4, pid, NULL, 0, NULL);
	expect32("compat/clone", "clone_x", "res=%ld flags=1", pid);
	expect_of(pid, "compat/clone/child", "clone_x", "abi=32 res=0 flags=1");
}

static void act_compat_sockets(void)
{
	static struct sockaddr_in at;
	static char text[] = "narrow", buf[32];
	static struct iov32 iov;
	static struct msg32 msg;
	static uint32_t args[6];
	int port, server, client, peer;

	at = in4("127.0.0.1", 4005);
#define SOCKETCALL(call, ...) \
	({ uint32_t a[6] = { __VA_ARGS__ }; memcpy(args, a, sizeof(a)); raw32(NR32_socketcall, call, args); })
	server = SOCKETCALL(1, AF_INET, SOCK_STREAM, 0);
	expect32("compat/socket", "socket_x", "fd=%d domain=2 type=1 proto=0 flags=0", server);
	SOCKETCALL(2, server, P32(&at), sizeof(at));
	expect32("compat/bind", "bind_x", "res=0 addr=127.0.0.1|4005 fd=%d", server);
	SOCKETCALL(4, server, 2);
	expect32("compat/listen", "listen_x", "res=0 fd=%d backlog=2", server);
	client = SOCKETCALL(1, AF_INET, SOCK_STREAM, 0);
	expect32("compat/socket/client", "socket_x", "fd=%d", client);
	SOCKETCALL(3, client, P32(&at), sizeof(at));
	port = port_of(client);
	expect32("compat/connect/enter", "connect_e", "fd=%d addr=127.0.0.1|4005", client);
	expect32("compat/connect", "connect_x", "res=0 tuple=127.0.0.1|%d>127.0.0.1|4005 fd=%d addr=127.0.0.1|4005", port,
	       client);
	peer = SOCKETCALL(5, server, 0, 0);
	expect32("compat/accept", "accept_x", "fd=%d tuple=127.0.0.1|%d>127.0.0.1|4005 queuemax=2", peer, port);
	SOCKETCALL(9, client, P32(text), 6, 0);
	expect32("compat/send", "send_x", "res=6 data='narrow' fd=%d size=6 tuple=127.0.0.1|%d>127.0.0.1|4005", client, port);
	SOCKETCALL(10, peer, P32(buf), 32, 0);
	expect32("compat/recv", "recv_x", "res=6 data='narrow' fd=%d size=32 tuple=127.0.0.1|%d>127.0.0.1|4005", peer, port);
	iov = (struct iov32){ P32(text), 6 };
	msg = (struct msg32){ .iov = P32(&iov), .iovlen = 1 };
	raw32(NR32_sendmsg, client, &msg, 0);
	expect32("compat/sendmsg", "sendmsg_x", "res=6 data='narrow' fd=%d size=6 tuple=127.0.0.1|%d>127.0.0.1|4005", client, port);
	iov = (struct iov32){ P32(buf), 32 };
	SOCKETCALL(17, peer, P32(&msg), 0);
	expect32("compat/recvmsg", "recvmsg_x", "res=6 size=6 data='narrow' fd=%d msgcontrol=-", peer);
}

static void act_compat(void)
{
	if (raw32(20) < 0) {
		fprintf(stderr, "acts: no 32-bit system calls in this kernel\n");
		exit(1);
	}
	in_child(act_compat_files);
	in_child(act_compat_rest);
	in_child(act_compat_sockets);
}

#else

static void act_compat(void)
{
}

#endif
