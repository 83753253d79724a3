// SPDX-License-Identifier: Apache-2.0
/* Acts on the addresses of sockets, and on sockets that have no tuple. socket.c comes before. */
#include "acts.h"

#include <netinet/in.h>
#include <sys/socket.h>

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

static void act_address(void)
{
	in_child(act_names_of_sockets);
	in_child(act_addresses);
	in_child(act_no_tuples);
	in_child(act_mapped);
}
