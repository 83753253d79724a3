/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _FALCO_COMPAT_NET_H
#define _FALCO_COMPAT_NET_H

#include <linux/net.h>
#include <linux/socket.h>

#ifndef FALCO_HAVE_SOCK_FROM_FILE_1 /* 5.11: no separate error */
static inline struct socket *falco_sock_from_file(struct file *file)
{
	int err;

	return sock_from_file(file, &err);
}

#define sock_from_file falco_sock_from_file
#endif

/* 5.1 called those of 32-bit time old. They are macros everywhere, hence no probe. */
#ifndef SO_TIMESTAMP_OLD
#define SO_TIMESTAMP_OLD    SO_TIMESTAMP
#define SO_TIMESTAMPNS_OLD  SO_TIMESTAMPNS
#define SO_TIMESTAMPING_OLD SO_TIMESTAMPING
#endif

#endif /* _FALCO_COMPAT_NET_H */
