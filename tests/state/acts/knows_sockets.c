// SPDX-License-Identifier: Apache-2.0
/* Sockets of every kind, and descriptors that travel through them. */

struct end {
	struct sockaddr_storage addr;
	char host[INET6_ADDRSTRLEN];
	int port;
};

static void look(struct end *e)
{
	struct sockaddr_in *v4 = (void *)&e->addr;
	struct sockaddr_in6 *v6 = (void *)&e->addr;

	if (e->addr.ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, e->host, sizeof(e->host));
		e->port = ntohs(v4->sin_port);
	} else {
		inet_ntop(AF_INET6, &v6->sin6_addr, e->host, sizeof(e->host));
		e->port = ntohs(v6->sin6_port);
	}
}

/* connection says who is client and who is server of a socket with a peer. */
static void connection(const char *label, int fd, int server, const char *l4)
{
	struct end here = { 0 }, there = { 0 };
	const struct end *c = server ? &there : &here, *s = server ? &here : &there;
	socklen_t size = sizeof(here.addr);

	if (getsockname(fd, (void *)&here.addr, &size))
		return;
	size = sizeof(there.addr);
	if (getpeername(fd, (void *)&there.addr, &size))
		return;
	look(&here);
	look(&there);
	descriptor(label, fd, "\tfd.type=%s\tfd.name=%s:%d->%s:%d\tfd.cip=%s\tfd.cport=%d\tfd.sip=%s\tfd.sport=%d\tfd.l4proto=%s\tfd.connected=true",
		   here.addr.ss_family == AF_INET ? "ipv4" : "ipv6", c->host, c->port, s->host, s->port, c->host, c->port, s->host, s->port, l4);
}

static int loopback(int family, int type, struct end *e)
{
	struct sockaddr_in *v4 = (void *)&e->addr;
	struct sockaddr_in6 *v6 = (void *)&e->addr;
	socklen_t size = sizeof(e->addr);
	int fd = socket(family, type, 0);

	memset(e, 0, sizeof(*e));
	e->addr.ss_family = family;
	if (family == AF_INET)
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		v6->sin6_addr = in6addr_loopback;
	/* Port 0 is no server yet, for those who only see the call. */
	if (family == AF_INET)
		v4->sin_port = htons(4100 + type);
	else
		v6->sin6_port = htons(4200 + type);
	if (fd < 0 || bind(fd, (void *)&e->addr, size) || getsockname(fd, (void *)&e->addr, &size)) {
		close(fd);
		return -1;
	}
	look(e);
	return fd;
}

static void streams(int family, const char *v)
{
	char label[64];
	struct end e;
	int l = loopback(family, SOCK_STREAM, &e), c, s;

	if (l < 0) {
		mark("no-ipv6", "%s", "");
		return;
	}
	listen(l, 5);
	snprintf(label, sizeof(label), "%s-listen", v);
	descriptor(label, l, "\tfd.type=%s\tfd.name=%s:%d\tfd.sport=%d\tfd.is_server=true", v, e.host, e.port, e.port);
	c = socket(family, SOCK_STREAM, 0);
	snprintf(label, sizeof(label), "%s-fresh", v);
	descriptor(label, c, "\tfd.type=%s\tfd.name=\tfd.connected=false\tfd.sip=-", v);
	if (connect(c, (void *)&e.addr, sizeof(e.addr)))
		return;
	s = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	snprintf(label, sizeof(label), "%s-connect", v);
	connection(label, c, 0, "tcp");
	snprintf(label, sizeof(label), "%s-accept", v);
	connection(label, s, 1, "tcp");
	close(l);
	close(c);
	close(s);
}

static void datagrams(int family, const char *v)
{
	char label[64], buf[16];
	struct end e, from = { 0 };
	int s = loopback(family, SOCK_DGRAM, &e), c = socket(family, SOCK_DGRAM, 0);
	socklen_t size = sizeof(from.addr);

	if (s < 0 || sendto(c, "ask", 3, 0, (void *)&e.addr, sizeof(e.addr)) != 3)
		return;
	if (recvfrom(s, buf, sizeof(buf), 0, (void *)&from.addr, &size) != 3)
		return;
	look(&from);
	snprintf(label, sizeof(label), "%s-udp-server", v);
	descriptor(label, s, "\tfd.type=%s\tfd.name=%s:%d->%s:%d\tfd.cport=%d\tfd.sport=%d\tfd.l4proto=udp", v, from.host, from.port, e.host, e.port,
		   from.port, e.port);
	if (sendto(s, "tell", 4, 0, (void *)&from.addr, sizeof(from.addr)) != 4 || recv(c, buf, sizeof(buf), 0) != 4)
		return;
	if (connect(c, (void *)&e.addr, sizeof(e.addr)))
		return;
	snprintf(label, sizeof(label), "%s-udp-client", v);
	connection(label, c, 0, "udp");
	close(s);
	close(c);
}

static void local(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "/tmp/knows/sock" };
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), s, pair[2];

	unlink(a.sun_path);
	if (bind(l, (void *)&a, sizeof(a)) || listen(l, 5))
		return;
	descriptor("unix-listen", l, "\tfd.type=unix\tfd.name=%s", a.sun_path);
	if (connect(c, (void *)&a, sizeof(a)))
		return;
	s = accept(l, NULL, NULL);
	descriptor("unix-connect", c, "\tfd.type=unix\tfd.name=*%s\tfd.sip=-", a.sun_path);
	descriptor("unix-accept", s, "\tfd.type=unix\tfd.name=*%s", a.sun_path);
	close(l);
	close(c);
	close(s);
	if (!socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)) {
		descriptor("socketpair", pair[0], "\tfd.type=unix\tfd.name=");
		descriptor("socketpair-other", pair[1], "\tfd.type=unix\tfd.name=");
	}
	close(pair[0]);
	close(pair[1]);
}

/* passing hands a descriptor to a child that could not know it. */
static void passing(void)
{
	char room[CMSG_SPACE(2 * sizeof(int))] __attribute__((aligned(8))), byte = 0;
	struct iovec io = { &byte, 1 };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
	struct cmsghdr *head;
	int pair[2], fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return;
	pid = fork();
	if (!pid) {
		close(pair[0]);
		if (recvmsg(pair[1], &m, 0) != 1 || !(head = CMSG_FIRSTHDR(&m)))
			_exit(1);
		memcpy(fds, CMSG_DATA(head), sizeof(fds));
		usleep(500000); /* what they are is read from /proc: that must still be there */
		file("passed", fds[0], "file");
		file("passed-too", fds[1], "directory");
		_exit(0);
	}
	close(pair[1]);
	fds[0] = open("/etc/passwd", O_RDONLY);
	fds[1] = open("/etc", O_RDONLY | O_DIRECTORY);
	head = CMSG_FIRSTHDR(&m);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(head), fds, sizeof(fds));
	if (sendmsg(pair[0], &m, 0) != 1)
		kill(pid, SIGKILL);
	child(pid);
	syscall(SYS_close_range, 3, ~0U, 0);
}

void sockets(void)
{
	int fd;

	syscall(SYS_close_range, 3, ~0U, 0);
	streams(AF_INET, "ipv4");
	streams(AF_INET6, "ipv6");
	datagrams(AF_INET, "ipv4");
	datagrams(AF_INET6, "ipv6");
	local();
	passing();
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	descriptor("netlink", fd, "\tfd.type=netlink\tfd.name=");
	close(fd);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd >= 0)
		descriptor("packet", fd, "\tfd.type=<NA>\tfd.typechar=o");
	close(fd);
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	descriptor("raw", fd, "\tfd.type=ipv4\tfd.name=\tfd.l4proto=raw");
	close(fd);
}
