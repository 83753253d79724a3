// SPDX-License-Identifier: Apache-2.0
/* Deeds with sockets. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static struct sockaddr_in local(int port)
{
	return (struct sockaddr_in){ AF_INET, htons(port), { htonl(INADDR_LOOPBACK) } };
}

/* A socket bound to @port; 0 for one that is not. */
static int bound(int type, int port)
{
	struct sockaddr_in at = local(port);
	int fd = must("socket", socket(AF_INET, type, 0)), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (port)
		must("bind", bind(fd, (void *)&at, sizeof(at)));
	return fd;
}

#define MESSAGES 1024

static struct mmsghdr messages[MESSAGES + 10];
static struct iovec parts[MESSAGES + 10];
static struct sockaddr_in names[MESSAGES + 10];
static char texts[MESSAGES + 10][64];
static struct iovec many[1024];

/* Message i goes to port 5000 + i % 2, and has i % 50 + 1 bytes. */
static void set_messages(void)
{
	for (int i = 0; i < MESSAGES + 10; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%04d%056d", i, i);
		parts[i] = (struct iovec){ texts[i], i % 50 + 1 };
		names[i] = local(5000 + i % 2);
		messages[i] = (struct mmsghdr){ { &names[i], sizeof(names[i]), &parts[i], 1 } };
	}
}

static void deed_messages(void)
{
	int out = bound(SOCK_DGRAM, 4999), in = bound(SOCK_DGRAM, 5000), other = bound(SOCK_DGRAM, 5001);

	(void)other;
	set_messages();
	fact("out", out);
	fact("in", in);
	fact("sent", syscall(SYS_sendmmsg, out, messages, MESSAGES + 10, 0));
	messages[2].msg_hdr.msg_iov = (void *)16;
	fact("partial", syscall(SYS_sendmmsg, out, messages, 5, 0));
	fact("none", syscall(SYS_sendmmsg, out, messages + 2, 1, 0));
	fact("zero", syscall(SYS_sendmmsg, out, messages, 0, 0));
	memset(names, 0, sizeof(names));
	set_messages();
	fact("received", syscall(SYS_recvmmsg, in, messages, 20, MSG_DONTWAIT, NULL));
	for (int i = 0; i < 64; i++) /* empty it */
		syscall(SYS_recvmmsg, in, messages, 1024, MSG_DONTWAIT, NULL);
}

/* Each message as long a vector as can be. */
static void deed_vectors(void)
{
	int out = bound(SOCK_DGRAM, 4999), in = bound(SOCK_DGRAM, 5000);
	static char byte = 'v';

	(void)in;
	set_messages();
	for (unsigned int i = 0; i < LENGTH(many); i++)
		many[i] = (struct iovec){ &byte, 1 };
	for (int i = 0; i < MESSAGES; i++) {
		messages[i].msg_hdr.msg_iov = many;
		messages[i].msg_hdr.msg_iovlen = LENGTH(many);
	}
	fact("one", syscall(SYS_sendmmsg, out, messages, 1, 0));
	fact("all", syscall(SYS_sendmmsg, out, messages, MESSAGES, 0));
}

/* Who sends to whom, whatever the socket is connected to. */
static void deed_sendto(void)
{
	struct sockaddr_in a = local(6001), b = local(6002), none;
	struct sockaddr_in6 six = { AF_INET6, htons(6001), 0, IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_un x = { AF_UNIX, "/tmp/deed.x" }, y = { AF_UNIX, "/tmp/deed.y" };
	int udp = bound(SOCK_DGRAM, 6000), tcp = bound(SOCK_STREAM, 0), server = bound(SOCK_STREAM, 6001);
	int udp6 = must("socket", socket(AF_INET6, SOCK_DGRAM, 0)), un = must("socket", socket(AF_UNIX, SOCK_DGRAM, 0));
	int peer = must("socket", socket(AF_UNIX, SOCK_DGRAM, 0)), peer2 = must("socket", socket(AF_UNIX, SOCK_DGRAM, 0));
	struct iovec part = { "m", 1 };
	struct msghdr message = { &b, sizeof(b), &part, 1 };

	bound(SOCK_DGRAM, 6001);
	bound(SOCK_DGRAM, 6002);
	none = b;
	none.sin_family = AF_UNSPEC;
	must("connect", connect(udp, (void *)&a, sizeof(a)));
	must("sendto", syscall(SYS_sendto, udp, "1", 1, 0, NULL, 0));
	syscall(SYS_sendto, udp, "2", 1, 0, &b, sizeof(b));
	syscall(SYS_sendto, udp, "3", 1, 0, &none, sizeof(none));
	syscall(SYS_sendmsg, udp, &message, 0);

	must("listen", listen(server, 5));
	must("connect", connect(tcp, (void *)&a, sizeof(a)));
	must("sendto", syscall(SYS_sendto, tcp, "4", 1, 0, &b, sizeof(b)));

	must("connect", connect(udp6, (void *)&six, sizeof(six)));
	syscall(SYS_sendto, udp6, "5", 1, 0, &b, sizeof(b));

	unlink(x.sun_path);
	unlink(y.sun_path);
	must("bind", bind(peer, (void *)&x, sizeof(x)));
	must("bind", bind(peer2, (void *)&y, sizeof(y)));
	must("connect", connect(un, (void *)&x, sizeof(x)));
	must("sendto", syscall(SYS_sendto, un, "6", 1, 0, NULL, 0));
	must("sendto", syscall(SYS_sendto, un, "7", 1, 0, &y, sizeof(y)));
}
