// SPDX-License-Identifier: Apache-2.0
/* Acts on sockets and their connections; sockets' addresses are in address.c, their messages in message.c. */
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

/* More sockets than the module remembers ids of. */
static void act_pairs(void)
{
	static char check[64];
	int fds[2], first = -1;

	for (int i = 0; i < 200; i++) {
		must("socketpair", raw(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, fds));
		first = i ? first : fds[0];
		snprintf(check, sizeof(check), "socketpair/%d", i);
		expect(check, "socketpair_x", "res=0 fd1=%d fd2=%d source=@left%d peer=@right%d", fds[0], fds[1], i, i);
	}
	must("send", raw(SYS_sendto, first, "first", 5, 0, NULL, 0));
	expect("sendto/pair-0", "sendto_x", "res=5 tuple.dst=@right0 tuple.src=@left0");
}

/* Sockets of which many have an end in common: nobody has the id of another. */
static void act_ids(void)
{
	struct sockaddr_un at = un("/tmp/ids");
	static char check[64];
	long server = raw(SYS_socket, AF_UNIX, SOCK_DGRAM, 0);

	must("bind", raw(SYS_bind, server, &at, sizeof(at)));
	for (int i = 0; i < 300; i++) {
		long client = must("socket", raw(SYS_socket, AF_UNIX, SOCK_DGRAM, 0));

		must("connect", raw(SYS_connect, client, &at, sizeof(at)));
		snprintf(check, sizeof(check), "connect/id-%d", i);
		expect(check, "connect_x", "res=0 tuple.dst=@common-end tuple.src=@client%d", i);
	}
}

#if NARROW
/* The words of a socketcall are unsigned: our stack is in the upper half of what we can address. */
static void act_socketcall(void)
{
	char text[] = "upper";
	int fds[2];

	must("socketpair", raw(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, fds));
	unsigned int words[4] = { fds[0], (unsigned int)text, 5, 0 };

	must("send", raw(__NR_socketcall, 9, words));
	expect("socketcall/upper", "send_x", "res=5 data='upper' fd=%d size=5", fds[0]);
}
#endif

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

static void act_socket(void)
{
	in_child(act_tcp);
	in_child(act_tcp6);
	in_child(act_unix);
	in_child(act_pairs);
	in_child(act_ids);
#if NARROW
	in_child(act_socketcall);
#endif
	in_child(act_waiting);
}
