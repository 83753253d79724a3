/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Questions to a struct sock, and the two parameter types that answer them:
 * SOCKADDR (one address that the caller named) and SOCKTUPLE (both ends).
 */
#ifndef _FALCO_SOCK_H
#define _FALCO_SOCK_H

#include <linux/types.h>

struct falco_frame;

/* Which way data goes: it decides who stands first in a tuple. */
enum falco_direction {
	FALCO_OUTBOUND, /* connect: we are the source */
	FALCO_SENT,     /* the same, but datagrams go where the call says, if it does */
	FALCO_INBOUND,  /* accept, receive: we are the destination */
};

struct falco_backlog {
	u32 len;
	u32 max;
};

/* Draws the key of the endpoint ids. Before the first event. */
void falco_sock_init(void);

/* A SOCKADDR: the @len bytes of socket address at @uptr. */
void falco_write_sockaddr(struct falco_frame *f, u64 uptr, u64 len);

/*
 * A SOCKTUPLE: both ends of the socket behind @fd. Where the socket does not
 * know its peer, the address at @uptr stands in, if it is not NULL; for a
 * FALCO_SENT datagram it goes before the peer, as it does in the kernel. Absent
 * for anything that is not an inet, inet6 or unix socket.
 */
void falco_write_socktuple(struct falco_frame *f, s64 fd,
			   enum falco_direction direction, u64 uptr, u64 len);

/* The same to @p, which has room for FALCO_TUPLE_MAX bytes. Returns the length. */
#define FALCO_TUPLE_MAX 128
u32 falco_put_socktuple(u8 *p, s64 fd, enum falco_direction direction);

/* Connections that wait to be accepted on @fd; zeros if it is no socket. */
void falco_sock_backlog(s64 fd, struct falco_backlog *backlog);

/*
 * Endpoint ids of the unix socket behind @fd and of its peer; 0 where there is
 * none. An id is a keyed hash: equal for equal sockets until the module goes,
 * and of no use for finding the kernel's memory.
 */
void falco_sock_pair(s64 fd, u64 *id, u64 *peer);

#endif /* _FALCO_SOCK_H */
