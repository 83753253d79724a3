// SPDX-License-Identifier: Apache-2.0
/*
 * How much of the data is shown, for other lengths than the usual one: run with
 * "acts snaplen N", watched by watch -snaplen N.
 */
#include "acts.h"

#include <sys/socket.h>
#include <sys/uio.h>

#define MOST 70000

static char sent[MOST + 1], received[MOST];

static void act_snaplen(void)
{
	int amounts[] = { 1, snaplen - 1, snaplen, snaplen + 1, 3 * snaplen, MOST }, fds[2];
	long null = raw(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY), fd = raw(SYS_openat, AT_FDCWD, "/tmp/snaplen", O_CREAT | O_RDWR, 0600);

	for (int i = 0; i < MOST; i++)
		sent[i] = 'a' + i % 26;
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
