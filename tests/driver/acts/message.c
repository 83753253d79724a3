// SPDX-License-Identifier: Apache-2.0
/* Acts on messages: datagrams, and what comes along with data. socket.c comes before. */
#include "acts.h"

#include <netinet/in.h>
#include <sys/socket.h>

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

static void act_message(void)
{
	in_child(act_udp);
	in_child(act_control);
}
