// SPDX-License-Identifier: Apache-2.0
/*
 * How much of the data is shown, for other lengths than the usual one: run with
 * "acts snaplen N", watched by watch -snaplen N.
 */
#include "acts.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define MOST 70000

static char sent[MOST + 1], received[MOST];

static void act_snaplen(void)
{
	int amounts[] = { 1, snaplen - 1, snaplen, snaplen + 1, 3 * snaplen, MOST }, fds[2];
	long null = raw(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY), fd = raw(SYS_openat, AT_FDCWD, "/tmp/snaplen", O_CREAT | O_RDWR, 0600);

	raw(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, fds);
	raw(SYS_pwrite64, fd, sent, MOST, WIDE(0));
	expect("snaplen/pwrite", "pwrite_x", "res=%d data='%.*s' size=%d", MOST, snaplen, sent, MOST);
	for (size_t i = 0; i < sizeof(amounts) / sizeof(*amounts); i++) {
		int n = amounts[i], shown = n < snaplen ? n : snaplen;
		struct iovec half[2] = { { sent, n / 2 }, { sent + n / 2, n - n / 2 } };

		if (n < 1 || n > MOST)
			continue;
		CALL("snaplen/write", "write_x", (SYS_write, null, sent, n), "res=%d data='%.*s' size=%d", n, shown, sent, n);
		CALL("snaplen/writev", "writev_x", (SYS_writev, null, half, 2), "res=%d data='%.*s' size=%d", n, shown, sent, n);
		CALL("snaplen/pread", "pread_x", (SYS_pread64, fd, received, n, WIDE(0)), "res=%d data='%.*s' size=%d", n, shown, sent, n);
		CALL("snaplen/sendto", "sendto_x", (SYS_sendto, fds[0], sent, n, MSG_DONTWAIT, NULL, 0), "res=%d data='%.*s' size=%d", n, shown, sent, n);
		CALL("snaplen/recvfrom", "recvfrom_x", (SYS_recvfrom, fds[1], received, n, MSG_DONTWAIT, NULL, NULL), "res=%d data='%.*s' size=%d", n, shown,
		     sent, n);
	}
}

/*
 * The messages of one call share two megabytes. What they cut off is marked,
 * what the consumer did not want is not.
 */
static void act_share(void)
{
	enum { MESSAGES = 40, LENGTH = 60000, SHARE = 2 * 1024 * 1024 / MESSAGES };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(4009), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	long server = raw(SYS_socket, AF_INET, SOCK_DGRAM, 0), client = raw(SYS_socket, AF_INET, SOCK_DGRAM, 0);
	struct iovec iov = { sent, LENGTH };
	struct mmsghdr messages[MESSAGES];
	int shown = snaplen < SHARE ? snaplen : SHARE;

	for (int i = 0; i < MESSAGES; i++)
		messages[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &at, .msg_namelen = sizeof(at), .msg_iov = &iov, .msg_iovlen = 1 } };
	raw(SYS_bind, server, &at, sizeof(at)); /* which keeps what has room, and drops the others */
	if (must("sendmmsg", raw(SYS_sendmmsg, client, messages, MESSAGES, 0)) != MESSAGES)
		abort();
	for (int i = 0; i < MESSAGES; i++) {
		const char *mark = shown < snaplen ? "cut" : "-";

		if (i % (MESSAGES - 1)) /* of all, the book would be so long that printing it fills the ring */
			expect("snaplen/share", "sendmmsg_x", "res=%d size=%d data=? rec=%s", LENGTH, LENGTH, mark);
		else
			expect("snaplen/share/data", "sendmmsg_x", "res=%d size=%d data='%.*s' rec=%s", LENGTH, LENGTH, shown, sent, mark);
	}
}

static void act_snaplens(void)
{
	for (int i = 0; i < MOST; i++)
		sent[i] = 'a' + i % 26;
	in_child(act_snaplen);
	in_child(act_share);
}
