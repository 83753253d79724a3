// SPDX-License-Identifier: Apache-2.0
/* Acts on sockets. */
#include "acts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_in in4(const char *ip, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

static struct sockaddr_in6 in6(const char *ip, int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	inet_pton(AF_INET6, ip, &a.sin6_addr);
	return a;
}

static int port_of(int fd)
{
	struct sockaddr_in6 a = {};
	socklen_t len = sizeof(a);

	raw(SYS_getsockname, fd, &a, &len);
	return ntohs(a.sin6_port); /* at the same place for both families */
}

/* i386 has no number for it, only the call that all socket calls once were. */
static long accept_raw(long fd, void *addr, void *len)
{
#if NARROW
	static long args[3];

	args[0] = fd;
	args[1] = (long)addr;
	args[2] = (long)len;
	return raw(SYS_socketcall, 5, args);
#else
	return raw(SYS_accept, fd, addr, len);
#endif
}

static void act_tcp(void)
{
	struct sockaddr_in at = in4("127.0.0.1", 4001), none = in4("127.0.0.1", 4);
	long server, client, peer;
	static char buf[256];
	int port;

	server = raw(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	expect("socket", "socket_x", "fd=%ld domain=2 type=%d proto=0 flags=%d", server, SOCK_STREAM | SOCK_CLOEXEC, S_CLOEXEC);
	raw(SYS_bind, server, &at, sizeof(at));
	expect("bind/inet", "bind_x", "res=0 addr=127.0.0.1|4001 fd=%ld", server);
	raw(SYS_bind, server, &at, 4);
	expect("bind/short", "bind_x", "res=-22 addr=- fd=%ld", server);
	raw(SYS_bind, server, NULL, 16);
	expect("bind/null", "bind_x", "res=-14 addr=-");
	raw(SYS_listen, server, 3);
	expect("listen", "listen_x", "res=0 fd=%ld backlog=3", server);

	client = raw(SYS_socket, AF_INET, SOCK_STREAM, 0);
	expect("socket/client", "socket_x", "fd=%ld flags=0", client);
	raw(SYS_connect, client, &none, sizeof(none));
	expect("connect/refused/enter", "connect_e", "fd=%ld addr=127.0.0.1|4", client);
	expect("connect/refused", "connect_x", "res=-111 tuple=- fd=%ld addr=127.0.0.1|4", client);
	raw(SYS_connect, client, &at, sizeof(at));
	port = port_of(client);
	expect("connect/enter", "connect_e", "fd=%ld addr=127.0.0.1|4001", client);
	expect("connect/inet", "connect_x", "res=0 tuple=127.0.0.1|%d>127.0.0.1|4001 fd=%ld addr=127.0.0.1|4001", port, client);
	raw(SYS_connect, 99, NULL, 0);
	expect("connect/bad/enter", "connect_e", "fd=99 addr=-");
	expect("connect/bad", "connect_x", "res=-9 tuple=- fd=99 addr=-");

	peer = accept_raw(server, NULL, NULL);
	expect("accept/inet", "accept_x", "fd=%ld tuple=127.0.0.1|%d>127.0.0.1|4001 queuepct=0 queuelen=0 queuemax=3", peer, port);

	raw(SYS_sendto, client, "to you", 6, 0, NULL, 0);
	expect("sendto/tcp", "sendto_x", "res=6 data='to\\x20you' fd=%ld size=6 tuple=127.0.0.1|%d>127.0.0.1|4001", client, port);
	raw(SYS_recvfrom, peer, buf, 100, 0, NULL, NULL);
	expect("recvfrom/tcp", "recvfrom_x", "res=6 data='to\\x20you' tuple=127.0.0.1|%d>127.0.0.1|4001 fd=%ld size=100", port, peer);
	raw(SYS_recvfrom, peer, buf, 70000, MSG_DONTWAIT, NULL, NULL);
	expect("recvfrom/again", "recvfrom_x", "res=-11 data=- tuple=- fd=%ld size=70000", peer);
	raw(SYS_sendto, 99, "lost", 4, 0, &at, sizeof(at));
	expect("sendto/bad", "sendto_x", "res=-9 data='lost' fd=99 size=4 tuple=-");

	struct iovec iov[] = { { "one", 3 }, { "two", 3 } }, into = { buf, 5 };
	struct msghdr out = { .msg_iov = iov, .msg_iovlen = 2 }, in = { .msg_iov = &into, .msg_iovlen = 1 };

	raw(SYS_sendmsg, client, &out, 0);
	expect("sendmsg", "sendmsg_x", "res=6 data='onetwo' fd=%ld size=6 tuple=127.0.0.1|%d>127.0.0.1|4001", client, port);
	raw(SYS_sendmsg, client, NULL, 0);
	expect("sendmsg/null", "sendmsg_x", "res=-14 data=- size=- tuple=- rec=fault");
	raw(SYS_recvmsg, peer, &in, 0);
	expect("recvmsg", "recvmsg_x", "res=5 size=5 data='onetw' tuple=127.0.0.1|%d>127.0.0.1|4001 msgcontrol=- fd=%ld", port, peer);
	raw(SYS_recvmsg, 99, &in, 0);
	expect("recvmsg/bad", "recvmsg_x", "res=-9 size=0 data=- tuple=- msgcontrol=- fd=99");

	/* Two wait while nobody accepts. */
	long waiting = raw(SYS_socket, AF_INET, SOCK_STREAM, 0);

	expect("socket/waiting", "socket_x", "fd=%ld", waiting);
	raw(SYS_connect, waiting, &at, sizeof(at));
	expect("connect/waiting/enter", "connect_e", "fd=%ld", waiting);
	expect("connect/waiting", "connect_x", "res=0 fd=%ld", waiting);
	raw(SYS_accept4, server, NULL, NULL, 64);
	expect("accept4/invalid", "accept4_x", "fd=-22 tuple=- queuepct=0 queuelen=1 queuemax=3 flags=0");
	peer = raw(SYS_accept4, server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	expect("accept4", "accept4_x", "fd=%ld tuple=127.0.0.1|%d>127.0.0.1|4001 queuelen=0 flags=%d", peer,
	       port_of(waiting), S_CLOEXEC | S_NONBLOCK);
	raw(SYS_shutdown, peer, SHUT_RDWR);
	expect("shutdown", "shutdown_x", "res=0 fd=%ld how=2", peer);
}

static void act_tcp6(void)
{
	struct sockaddr_in6 at = in6("::1", 4002);
	long server = raw(SYS_socket, AF_INET6, SOCK_STREAM, 0), client, peer;
	int port;

	raw(SYS_bind, server, &at, sizeof(at));
	expect("bind/inet6", "bind_x", "res=0 addr=::1|4002");
	raw(SYS_listen, server, 1);
	client = raw(SYS_socket, AF_INET6, SOCK_STREAM, 0);
	raw(SYS_connect, client, &at, sizeof(at));
	port = port_of(client);
	expect("connect/inet6/enter", "connect_e", "addr=::1|4002");
	expect("connect/inet6", "connect_x", "res=0 tuple=::1|%d>::1|4002 addr=::1|4002", port);
	peer = accept_raw(server, NULL, NULL);
	expect("accept/inet6", "accept_x", "fd=%ld tuple=::1|%d>::1|4002 queuemax=1", peer, port);
	raw(SYS_sendto, peer, "back", 4, 0, NULL, 0);
	expect("sendto/inet6", "sendto_x", "res=4 tuple=::1|4002>::1|%d", port);
}

static void act_udp(void)
{
	struct sockaddr_in at = in4("127.0.0.1", 4003), from;
	struct sockaddr_in6 at6 = in6("::1", 4003), from6;
	long server = raw(SYS_socket, AF_INET, SOCK_DGRAM, 0), client = raw(SYS_socket, AF_INET, SOCK_DGRAM, 0);
	long server6 = raw(SYS_socket, AF_INET6, SOCK_DGRAM, 0), client6 = raw(SYS_socket, AF_INET6, SOCK_DGRAM, 0);
	socklen_t len = sizeof(from), len6 = sizeof(from6);
	static char buf[100], control[64];
	int port;

	raw(SYS_bind, server, &at, sizeof(at));
	raw(SYS_bind, server6, &at6, sizeof(at6));
	raw(SYS_sendto, client, "datagram", 8, 0, &at, sizeof(at));
	port = port_of(client);
	expect("sendto/udp", "sendto_x", "res=8 data='datagram' tuple=0.0.0.0|%d>127.0.0.1|4003", port);
	raw(SYS_recvfrom, server, buf, 100, 0, &from, &len);
	expect("recvfrom/udp", "recvfrom_x", "res=8 tuple=127.0.0.1|%d>127.0.0.1|4003", port);
	raw(SYS_sendto, client6, "six", 3, 0, &at6, sizeof(at6));
	port = port_of(client6);
	expect("sendto/udp6", "sendto_x", "res=3 tuple=::|%d>::1|4003", port);
	raw(SYS_recvfrom, server6, buf, 100, 0, &from6, &len6);
	expect("recvfrom/udp6", "recvfrom_x", "res=3 tuple=::1|%d>::1|4003", port);

	struct iovec iov = { "message", 7 }, into = { buf, 100 };
	struct msghdr out = { .msg_name = &at, .msg_namelen = sizeof(at), .msg_iov = &iov, .msg_iovlen = 1 };
	struct msghdr in = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &into, .msg_iovlen = 1,
			     .msg_control = control, .msg_controllen = sizeof(control) };

	port = port_of(client);
	raw(SYS_sendmsg, client, &out, 0);
	expect("sendmsg/udp", "sendmsg_x", "res=7 tuple=0.0.0.0|%d>127.0.0.1|4003", port);
	int on = 1;

	raw(SYS_setsockopt, server, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on));
	raw(SYS_recvmsg, server, &in, 0);
	expect("recvmsg/udp", "recvmsg_x", "res=7 size=7 data='message' tuple=127.0.0.1|%d>127.0.0.1|4003 msgcontrol=?", port);

	/* An event for each message: the result is its length. */
	struct iovec longer = { "another one", 11 };
	struct mmsghdr several[2] = { { .msg_hdr = out }, { .msg_hdr = out } };
	struct mmsghdr arrive[2] = { { .msg_hdr = in }, { .msg_hdr = in } };
	static char second[100];
	struct iovec into_second = { second, 100 };

	several[1].msg_hdr.msg_iov = &longer;
	arrive[1].msg_hdr.msg_iov = &into_second;
	raw(SYS_sendmmsg, client, several, 2, 0);
	expect("sendmmsg/first", "sendmmsg_x", "res=7 fd=%ld size=7 data='message' tuple=0.0.0.0|%d>127.0.0.1|4003", client, port);
	expect("sendmmsg/second", "sendmmsg_x", "res=11 fd=%ld size=11 data='another\\x20one' tuple=0.0.0.0|%d>127.0.0.1|4003", client, port);
	CALL("sendmmsg/closed", "sendmmsg_x", (SYS_sendmmsg, 99, several, 2, 0), "res=-9 fd=99 size=0 data=- tuple=-");
	CALL("sendmmsg/none", "sendmmsg_x", (SYS_sendmmsg, client, several, 0, 0), "res=0 fd=%ld size=0 data=- tuple=-", client);
	CALL("sendmmsg/bad", "sendmmsg_x", (SYS_sendmmsg, client, BAD, 2, 0), "res=-14 fd=%ld size=0 data=- tuple=-", client);
	raw(SYS_recvmmsg, server, arrive, 2, 0, NULL);
	expect("recvmmsg/first", "recvmmsg_x", "res=7 fd=%ld size=7 data='message' tuple=127.0.0.1|%d>127.0.0.1|4003 msgcontrol=~\\x00", server, port);
	expect("recvmmsg/second", "recvmmsg_x", "res=11 fd=%ld size=11 data='another\\x20one' tuple=127.0.0.1|%d>127.0.0.1|4003 msgcontrol=~\\x00", server, port);
	CALL("recvmmsg/closed", "recvmmsg_x", (SYS_recvmmsg, 99, arrive, 1, 0, NULL), "res=-9 fd=99 size=0 data=- tuple=- msgcontrol=-");
	CALL("recvmmsg/again", "recvmmsg_x", (SYS_recvmmsg, server, arrive, 2, MSG_DONTWAIT, NULL), "res=-11 fd=%ld size=0 data=-", server);
}

static struct sockaddr_un un(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, path);
	return a;
}

static void act_unix(void)
{
	struct sockaddr_un at = un("/tmp/sock"), at2 = un("/tmp/sock2"), hidden = un(""), full;
	long server = raw(SYS_socket, AF_UNIX, SOCK_STREAM, 0), client = raw(SYS_socket, AF_UNIX, SOCK_STREAM, 0), peer;
	static char buf[100];

	raw(SYS_bind, server, &at, sizeof(at));
	expect("bind/unix", "bind_x", "res=0 addr=unix:/tmp/sock");
	raw(SYS_listen, server, 1);
	raw(SYS_connect, client, &at, sizeof(at));
	expect("connect/unix/enter", "connect_e", "addr=unix:/tmp/sock");
	expect("connect/unix", "connect_x", "res=0 tuple=unix tuple.dst=@server tuple.src=@client tuple.path='/tmp/sock' addr=unix:/tmp/sock");
	peer = accept_raw(server, NULL, NULL);
	expect("accept/unix", "accept_x", "fd=%ld tuple=unix tuple.dst=@server tuple.src=@client tuple.path='/tmp/sock'", peer);
	raw(SYS_sendto, client, "hi", 2, 0, NULL, 0);
	expect("sendto/unix", "sendto_x", "res=2 tuple.dst=@server tuple.src=@client tuple.path='/tmp/sock'");
	raw(SYS_recvfrom, peer, buf, 100, 0, NULL, NULL);
	expect("recvfrom/unix", "recvfrom_x", "res=2 tuple.dst=@server tuple.src=@client tuple.path='/tmp/sock'");
	raw(SYS_sendto, peer, "ho", 2, 0, NULL, 0);
	expect("sendto/unix/back", "sendto_x", "res=2 tuple.dst=@client tuple.src=@server tuple.path=''");

	/* An abstract name, and one that fills the address to its last byte. */
	long abstract = raw(SYS_socket, AF_UNIX, SOCK_DGRAM, 0), dgram = raw(SYS_socket, AF_UNIX, SOCK_DGRAM, 0);

	memcpy(hidden.sun_path, "\0hidden", 7);
	raw(SYS_bind, abstract, &hidden, 2 + 7);
	expect("bind/abstract", "bind_x", "res=0 addr=unix:hidden");
	raw(SYS_sendto, dgram, "dg", 2, 0, &hidden, 2 + 7);
	expect("sendto/abstract", "sendto_x", "res=2 tuple=unix tuple.dst=0 tuple.src=+ tuple.path='hidden'");
	memset(&full, 'f', sizeof(full));
	full.sun_family = AF_UNIX;
	raw(SYS_bind, dgram, &full, sizeof(full));
	expect("bind/full", "bind_x", "res=? addr=unix:%.108s", full.sun_path);
	raw(SYS_connect, dgram, &at2, sizeof(at2));
	expect("connect/missing/enter", "connect_e", "addr=unix:/tmp/sock2");
	expect("connect/missing", "connect_x", "res=-2 tuple=- addr=unix:/tmp/sock2");

	int fds[2];

	raw(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, fds);
	expect("socketpair", "socketpair_x", "res=0 fd1=%d fd2=%d source=@left peer=@right domain=1 type=1 proto=0", fds[0], fds[1]);
	raw(SYS_sendto, fds[1], "pair", 4, 0, NULL, 0);
	expect("sendto/pair", "sendto_x", "res=4 tuple.dst=@left tuple.src=@right tuple.path=''");
	raw(SYS_socketpair, AF_INET, SOCK_STREAM, 6, fds);
	expect("socketpair/inet", "socketpair_x", "res=-95 fd1=-1 fd2=-1 source=0 peer=0 domain=2 type=1 proto=6");
	raw(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, NULL);
	expect("socketpair/null", "socketpair_x", "res=-14 fd1=-1 fd2=-1 source=0 peer=0");
}

static void act_names_of_sockets(void)
{
	static struct sockaddr_storage at;
	static socklen_t len = sizeof(at);
	long fd = raw(SYS_socket, AF_INET, SOCK_STREAM, 0);

	/* Their events have no parameters. */
	raw(SYS_getsockname, fd, &at, &len);
	expect("getsockname", "getsockname_x", "");
	raw(SYS_getsockname, 999, NULL, NULL);
	expect("getsockname/closed", "getsockname_x", "");
	raw(SYS_getpeername, fd, &at, &len);
	expect("getpeername", "getpeername_x", "");
}

/* Addresses that are short, long, of no family, of one without a form in the schema, or not there. */
static void act_addresses(void)
{
	static struct { uint16_t family; char rest[126]; } any;
	static char path[200];
	static const struct { const char *check; int family, len; const char *addr; } addresses[] = {
		{ "unspec", AF_UNSPEC, 16, "-" },
		{ "netlink", AF_NETLINK, 12, "-" },
		{ "packet", AF_PACKET, 20, "-" },
		{ "unknown", 999, 128, "-" },
		{ "inet-15", AF_INET, 15, "-" },
		{ "inet-16", AF_INET, 16, "120.120.120.120|30840" },
		{ "inet-128", AF_INET, 128, "120.120.120.120|30840" },
		{ "inet6-23", AF_INET6, 23, "-" },
		{ "inet6-24", AF_INET6, 24, "7878:7878:7878:7878:7878:7878:7878:7878|30840" },
		{ "inet6-28", AF_INET6, 28, "7878:7878:7878:7878:7878:7878:7878:7878|30840" },
		{ "unix-2", AF_UNIX, 2, "unix:" },
		{ "unix-5", AF_UNIX, 5, "unix:xxx" },
		{ "none", AF_INET, 0, "-" },
		{ "one", AF_INET, 1, "-" },
	};
	struct sockaddr_in6 mapped = in6("::ffff:1.2.3.4", 80);

	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		memset(&any, 'x', sizeof(any));
		any.family = addresses[i].family;
		snprintf(path, sizeof(path), "bind/%s", addresses[i].check);
		CALL(path, "bind_x", (SYS_bind, 999, &any, addresses[i].len), "res=-9 addr=%s fd=999", addresses[i].addr);
		snprintf(path, sizeof(path), "connect/%s", addresses[i].check);
		expect(path, "connect_e", "fd=999 addr=%s", addresses[i].addr);
		CALL(path, "connect_x", (SYS_connect, 999, &any, addresses[i].len), "res=-9 tuple=- fd=999 addr=%s", addresses[i].addr);
	}
	CALL("bind/mapped", "bind_x", (SYS_bind, 999, &mapped, sizeof(mapped)), "addr=::ffff:1.2.3.4|80");
	CALL("bind/bad", "bind_x", (SYS_bind, 999, BAD, 16), "addr=- fd=999 rec=fault");
	CALL("bind/null", "bind_x", (SYS_bind, 999, NULL, 16), "addr=- fd=999");
	CALL("bind/negative", "bind_x", (SYS_bind, 999, &mapped, -1), "addr=::ffff:1.2.3.4|80");
	expect("connect/bad/enter", "connect_e", "fd=-1 addr=- rec=fault");
	CALL("connect/bad", "connect_x", (SYS_connect, -1, BAD, 28), "res=-9 tuple=- fd=-1 addr=- rec=fault");
}

/* Sockets that have no tuple in the schema, and files that are no sockets. */
static void act_no_tuples(void)
{
	static struct { uint16_t family, pad; uint32_t pid, groups; } netlink = { .family = AF_NETLINK };
	static char message[16];
	long fd = raw(SYS_socket, AF_NETLINK, SOCK_RAW, 0), null = raw(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR), out;

	CALL("bind/netlink", "bind_x", (SYS_bind, fd, &netlink, sizeof(netlink)), "res=0 addr=- fd=%ld", fd);
	expect("connect/netlink/enter", "connect_e", "fd=%ld addr=-", fd);
	CALL("connect/netlink", "connect_x", (SYS_connect, fd, &netlink, sizeof(netlink)), "res=0 tuple=- fd=%ld addr=-", fd);
	out = raw(SYS_sendto, fd, message, 16, 0, NULL, 0);
	expect("sendto/netlink", "sendto_x", "^=%ld fd=%ld size=16 tuple=-", out, fd);
	CALL("recvfrom/netlink", "recvfrom_x", (SYS_recvfrom, fd, message, 16, MSG_DONTWAIT, NULL, NULL), "tuple=- fd=%ld size=16", fd);
	CALL("sendto/file", "sendto_x", (SYS_sendto, null, "x", 1, 0, NULL, 0), "res=-88 data='x' tuple=-");
	CALL("listen/closed", "listen_x", (SYS_listen, -1, -2), "res=-9 fd=-1 backlog=-2");
	CALL("shutdown/file", "shutdown_x", (SYS_shutdown, null, 1), "res=-88 fd=%ld how=1", null);
	CALL("accept4/file", "accept4_x", (SYS_accept4, null, NULL, NULL, 0), "fd=-88 tuple=- queuepct=0 queuelen=0 queuemax=0 flags=0");
}

static void act_mapped(void)
{
	struct sockaddr_in6 at = in6("::", 4006), to = in6("::ffff:127.0.0.1", 4006);
	long server = raw(SYS_socket, AF_INET6, SOCK_STREAM, 0), client = raw(SYS_socket, AF_INET6, SOCK_STREAM, 0), peer;
	int port;

	raw(SYS_bind, server, &at, sizeof(at));
	raw(SYS_listen, server, 5);
	raw(SYS_connect, client, &to, sizeof(to));
	port = port_of(client);
	expect("connect/mapped/enter", "connect_e", "fd=%ld addr=::ffff:127.0.0.1|4006", client);
	expect("connect/mapped", "connect_x", "res=0 tuple=::ffff:127.0.0.1|%d>::ffff:127.0.0.1|4006 fd=%ld", port, client);
	peer = raw(SYS_accept4, server, NULL, NULL, 0);
	expect("accept4/mapped", "accept4_x", "fd=%ld tuple=::ffff:127.0.0.1|%d>::ffff:127.0.0.1|4006 queuemax=5", peer, port);
}

/* A connection that is not there yet, and what waits for accept. */
static void act_waiting(void)
{
	struct sockaddr_in at = in4("127.0.0.1", 4007), far = in4("127.9.9.9", 9);
	long server = raw(SYS_socket, AF_INET, SOCK_STREAM, 0), client, peer;
	int port;

	raw(SYS_bind, server, &at, sizeof(at));
	raw(SYS_listen, server, 4);
	for (int i = 0; i < 4; i++) {
		client = raw(SYS_socket, AF_INET, SOCK_STREAM, 0);
		must("connect", raw(SYS_connect, client, &at, sizeof(at)));
		expect("connect/queue/enter", "connect_e", "fd=%ld", client);
		expect("connect/queue", "connect_x", "res=0 tuple=127.0.0.1|%d>127.0.0.1|4007 fd=%ld", port_of(client), client);
	}
	peer = raw(SYS_accept4, server, NULL, NULL, 0);
	expect("accept4/queue", "accept4_x", "fd=%ld tuple=? queuepct=75 queuelen=3 queuemax=4", peer);
	/* 0 is a descriptor like any other. */
	raw(SYS_close, 0);
	peer = accept_raw(server, NULL, NULL);
	expect("accept/queue", "accept_x", "fd=%ld tuple=? queuepct=50 queuelen=2 queuemax=4", peer);
	accept_raw(-1, NULL, NULL);
	expect("accept/closed", "accept_x", "fd=-9 tuple=- queuepct=0 queuelen=0 queuemax=0");

	client = raw(SYS_socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	raw(SYS_connect, client, &far, sizeof(far));
	port = port_of(client);
	expect("connect/progress/enter", "connect_e", "fd=%ld addr=127.9.9.9|9", client);
	expect("connect/progress", "connect_x", "res=? addr=127.9.9.9|9 fd=%ld", client);
	(void)port;
}

/* Descriptors, and who sent them, as control data. */
static void act_control(void)
{
	static char buf[100], control[256], out[CMSG_SPACE(sizeof(int))], want[4 * sizeof(control) + 1];
	struct iovec iov = { "c", 1 }, into = { buf, sizeof(buf) };
	struct msghdr to = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = out, .msg_controllen = sizeof(out) };
	struct msghdr from = { .msg_iov = &into, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&to);
	int fds[2];
	long n;

	*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
	*(int *)CMSG_DATA(c) = 1;
	raw(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
	expect("socketpair/seqpacket", "socketpair_x", "res=0 fd1=%d fd2=%d source=@one peer=@two domain=1 type=%d proto=0", fds[0], fds[1],
	       SOCK_SEQPACKET | SOCK_CLOEXEC);
	CALL("sendmsg/rights", "sendmsg_x", (SYS_sendmsg, fds[0], &to, 0), "res=1 data='c' fd=%d size=1 tuple.dst=@two tuple.src=@one tuple.path=''", fds[0]);
	n = raw(SYS_recvmsg, fds[1], &from, 0);
	/* The bytes of one control message: they are told as they lie in the buffer. */
	for (size_t i = 0, at = 0; i < from.msg_controllen; i++) {
		unsigned char b = control[i];

		at += b == 7 ? sprintf(want + at, "\\a") : b == 8 ? sprintf(want + at, "\\b") : b == 9 ? sprintf(want + at, "\\t") :
		      b == 10 ? sprintf(want + at, "\\n") : b == 11 ? sprintf(want + at, "\\v") : b == 12 ? sprintf(want + at, "\\f") :
		      b == 13 ? sprintf(want + at, "\\r") : b > 32 && b < 127 ? sprintf(want + at, "%c", b) : sprintf(want + at, "\\x%02x", b);
	}
	expect("recvmsg/rights", "recvmsg_x", "res=%ld size=1 data='c' tuple.dst=@two tuple.src=@one msgcontrol='%s' fd=%d", n, want, fds[1]);
	from.msg_control = NULL;
	from.msg_controllen = 0;
	CALL("sendmsg/plain", "sendmsg_x", (SYS_sendmsg, fds[0], &to, 0), "res=1");
	CALL("recvmsg/no-control", "recvmsg_x", (SYS_recvmsg, fds[1], &from, 0), "res=1 msgcontrol=-");
	CALL("recvmsg/null", "recvmsg_x", (SYS_recvmsg, fds[1], NULL, 0), "res=-14 size=0 data=- tuple=- msgcontrol=-");
	CALL("recvmsg/bad", "recvmsg_x", (SYS_recvmsg, fds[1], BAD, 0), "res=-14 size=0 data=- tuple=- msgcontrol=-");
	CALL("sendmsg/bad", "sendmsg_x", (SYS_sendmsg, fds[0], BAD, 0), "res=-14 data=- size=- tuple=- rec=fault");
	iov.iov_base = (void *)BAD;
	CALL("sendmsg/bad-data", "sendmsg_x", (SYS_sendmsg, fds[0], &to, 0), "res=-14 data=- size=1 tuple=- rec=fault");
	CALL("recvfrom/null", "recvfrom_x", (SYS_recvfrom, fds[1], NULL, 0, MSG_DONTWAIT, NULL, NULL), "res=-11 data=- tuple=- size=0");
	CALL("sendto/null", "sendto_x", (SYS_sendto, fds[0], NULL, 5, 0, NULL, 0), "res=-14 data=- size=5 tuple=-");
	CALL("sendto/bad", "sendto_x", (SYS_sendto, fds[0], BAD, 5, 0, NULL, 0), "res=-14 data=- size=5 tuple=- rec=fault");
	CALL("sendto/bad-address", "sendto_x", (SYS_sendto, 999, "x", 1, 0, BAD, 16), "res=-9 data='x' tuple=-");
}

static void act_socket(void)
{
	in_child(act_tcp);
	in_child(act_tcp6);
	in_child(act_udp);
	in_child(act_unix);
	in_child(act_names_of_sockets);
	in_child(act_addresses);
	in_child(act_no_tuples);
	in_child(act_mapped);
	in_child(act_waiting);
	in_child(act_control);
}
