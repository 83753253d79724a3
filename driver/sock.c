// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Questions to a struct sock. Only fields are read, never ->getname(), which
 * takes the socket's lock.
 */
#include "sock.h"

#include <linux/file.h>
#include <linux/hash.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/net.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/socket.h>
#include <linux/un.h>
#include <net/af_unix.h>
#include <net/inet_sock.h>
#include <net/sock.h>

#include "compat/fs.h"
#include "compat/net.h"
#include "compat/uaccess.h"
#include "file.h"
#include "schema_gen.h"
#include "write.h"

/* An inet6 address without its scope, which old callers leave out. */
#define SIN6_MIN offsetof(struct sockaddr_in6, sin6_scope_id)

/* The longest tuple; of the destination's path at least the NUL is there. */
struct unix_tuple {
	u8 family;
	u64 destination;
	u64 source;
	u8 path[];
} __packed;

#define TUPLE_MAX (sizeof(struct unix_tuple) + UNIX_PATH_MAX + 1)

/* One end of an internet connection, as it stands in a tuple. */
struct endpoint {
	u8 addr[16];
	u16 port;
};

/* An address out of the caller's memory. */
struct user_addr {
	u32 len; /* 0: there is none, or it cannot be read */
	bool given;
	union {
		struct sockaddr_storage storage;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
};

static siphash_key_t endpoint_key;

void falco_sock_init(void)
{
	get_random_bytes(&endpoint_key, sizeof(endpoint_key));
}

/*
 * Ids that this CPU has made lately: an id depends on nothing but the address,
 * and a call on a socket is seldom alone.
 */
struct known_id {
	const void *sk;
	u64 id;
};

#define KNOWN_BITS 6
static DEFINE_PER_CPU(struct known_id [1 << KNOWN_BITS], known_ids);

static noinline u64 make_id(struct known_id *known, const void *sk)
{
	known->id = siphash_1u64((unsigned long)sk, &endpoint_key) ?: 1;
	known->sk = sk;
	return known->id;
}

/* Preemption is off, and no interrupt asks for an id. */
static __always_inline u64 endpoint_id(const void *sk)
{
	struct known_id *known;

	if (!sk)
		return 0;
	known = this_cpu_ptr(&known_ids[hash_ptr(sk, KNOWN_BITS)]);
	if (likely(known->sk == sk))
		return known->id;
	return make_id(known, sk);
}

static void read_addr(struct falco_frame *f, struct user_addr *addr, u64 uptr, u64 len)
{
	len = min_t(u64, (u32)len, sizeof(addr->storage));
	addr->len = 0;
	addr->given = uptr && len >= sizeof(sa_family_t);
	memset(&addr->storage, 0, sizeof(addr->storage));
	if (addr->given && falco_read_user(f, &addr->storage, uptr, len))
		addr->len = len;
}

/* Pieces of a value; each returns the bytes that it wrote. */

static __always_inline u32 put_port(u8 *p, u16 port)
{
	p[0] = port;
	p[1] = port >> 8;
	return sizeof(port);
}

/*
 * A name in a unix socket's address of @len bytes, family included; it may lie
 * at @p already. Abstract names lose their leading NUL: the schema has no place
 * to tell.
 */
static u32 put_unix_path(u8 *p, const char *path, u32 len)
{
	u32 n;

	len = min_t(u32, len - min_t(u32, len, offsetof(struct sockaddr_un, sun_path)),
		    UNIX_PATH_MAX);
	if (len && !path[0]) {
		path++;
		len--;
	}
	n = strnlen(path, len);
	memmove(p, path, n);
	p[n] = '\0';
	return n + 1;
}

void falco_write_sockaddr(struct falco_frame *f, u64 uptr, u64 len)
{
	struct user_addr addr;
	u32 room, n = 0;
	u8 *p;

	read_addr(f, &addr, uptr, len);
	p = falco_param_begin(f, &room);
	switch (addr.len ? addr.storage.ss_family : AF_UNSPEC) {
	case AF_INET:
		if (addr.len < sizeof(addr.in))
			break;
		p[n++] = FALCO_AF_INET;
		memcpy(p + n, &addr.in.sin_addr, 4);
		n += 4;
		n += put_port(p + n, ntohs(addr.in.sin_port));
		break;
	case AF_INET6:
		if (addr.len < SIN6_MIN)
			break;
		p[n++] = FALCO_AF_INET6;
		memcpy(p + n, &addr.in6.sin6_addr, 16);
		n += 16;
		n += put_port(p + n, ntohs(addr.in6.sin6_port));
		break;
	case AF_UNIX:
		p[n++] = FALCO_AF_UNIX;
		n += put_unix_path(p + n, addr.un.sun_path, addr.len);
		break;
	}
	falco_param_end(f, n);
}

/*
 * The end of the tuple that the caller named, in the forms that the kernel
 * takes: an inet socket takes an address without a family, an inet6 one an
 * inet address. If it cannot be read the end stays unknown.
 */
static void endpoint_of_user(struct endpoint *end, const struct user_addr *addr, u16 family)
{
	u16 given;

	memset(end, 0, sizeof(*end));
	if (!addr)
		return;
	given = addr->storage.ss_family;
	if (family == AF_INET6 && given == AF_INET6 && addr->len >= SIN6_MIN) {
		memcpy(end->addr, &addr->in6.sin6_addr, 16);
		end->port = ntohs(addr->in6.sin6_port);
	} else if (family == AF_INET6 && given == AF_INET && addr->len >= sizeof(addr->in)) {
		memset(end->addr + 10, 0xff, 2);
		memcpy(end->addr + 12, &addr->in.sin_addr, 4);
		end->port = ntohs(addr->in.sin_port);
	} else if (family == AF_INET && (given == AF_INET || given == AF_UNSPEC) &&
		   addr->len >= sizeof(addr->in)) {
		memcpy(end->addr, &addr->in.sin_addr, 4);
		end->port = ntohs(addr->in.sin_port);
	}
}

/* Whether the call's address, if it has one, counts although the socket has a peer. */
static __always_inline bool told_where(const struct sock *sk, const struct user_addr *addr,
				       enum falco_direction direction)
{
	if (!addr || direction != FALCO_SENT || !addr->given)
		return false;
	/* An inet6 socket takes an address without a family for none. */
	if (sk->sk_family == AF_INET6 && addr->len && addr->storage.ss_family == AF_UNSPEC)
		return false;
	return sk->sk_type == SOCK_DGRAM || sk->sk_type == SOCK_RAW;
}

/* A tuple of two ends, whose addresses have @size bytes. */
static u32 put_ends(u8 *p, u8 family, u32 size, const struct endpoint *local,
		    const struct endpoint *peer, enum falco_direction direction)
{
	const struct endpoint *src = direction == FALCO_INBOUND ? peer : local;
	const struct endpoint *dst = direction == FALCO_INBOUND ? local : peer;
	u32 n = 0;

	p[n++] = family;
	memcpy(p + n, src->addr, size);
	n += size;
	n += put_port(p + n, src->port);
	memcpy(p + n, dst->addr, size);
	n += size;
	n += put_port(p + n, dst->port);
	return n;
}

static noinline u32 put_inet(u8 *p, const struct sock *sk, const struct user_addr *addr,
			     enum falco_direction direction)
{
	const struct inet_sock *inet = inet_sk(sk);
	struct endpoint local = {}, peer = {};
	__be32 ip;

	ip = READ_ONCE(inet->inet_rcv_saddr);
	if (!ip)
		ip = READ_ONCE(inet->inet_saddr);
	memcpy(local.addr, &ip, 4);
	local.port = ntohs(READ_ONCE(inet->inet_sport));
	peer.port = ntohs(READ_ONCE(inet->inet_dport));
	if (peer.port && !told_where(sk, addr, direction)) {
		ip = READ_ONCE(inet->inet_daddr);
		memcpy(peer.addr, &ip, 4);
	} else {
		endpoint_of_user(&peer, addr, AF_INET);
	}
	return put_ends(p, FALCO_AF_INET, 4, &local, &peer, direction);
}

#if IS_ENABLED(CONFIG_IPV6)

static noinline u32 put_inet6(u8 *p, const struct sock *sk, const struct user_addr *addr,
			      enum falco_direction direction)
{
	const struct inet_sock *inet = inet_sk(sk);
	struct endpoint local = {}, peer = {};
	const struct ipv6_pinfo *np;

	memcpy(local.addr, &sk->sk_v6_rcv_saddr, 16);
	if (!memchr_inv(local.addr, 0, 16)) {
		np = READ_ONCE(inet->pinet6);
		if (np)
			memcpy(local.addr, &np->saddr, 16);
	}
	local.port = ntohs(READ_ONCE(inet->inet_sport));
	peer.port = ntohs(READ_ONCE(inet->inet_dport));
	if (peer.port && !told_where(sk, addr, direction))
		memcpy(peer.addr, &sk->sk_v6_daddr, 16);
	else
		endpoint_of_user(&peer, addr, AF_INET6);
	return put_ends(p, FALCO_AF_INET6, 16, &local, &peer, direction);
}

#else

static noinline u32 put_inet6(u8 *p, const struct sock *sk, const struct user_addr *addr,
			      enum falco_direction direction)
{
	return 0;
}

#endif

/* The socket's own name. An address, once set, stays until the socket goes. */
static u32 put_own_name(u8 *p, struct sock *sk)
{
	/* Pairs with the release of unix_bind(): the address is complete. */
	struct unix_address *addr = smp_load_acquire(&unix_sk(sk)->addr);

	if (!addr)
		return 0;
	return put_unix_path(p, addr->name->sun_path, addr->len);
}

/*
 * Whether @peer is still the peer of @sk, and with it, that what was copied out
 * of it until now was alive: @sk holds a reference to its peer.
 */
static bool still_peer(const struct sock *sk, const struct sock *peer)
{
	smp_rmb(); /* the copies come before this look */
	return READ_ONCE(unix_sk(sk)->peer) == peer;
}

/* For put_peer_name(): @peer had @addr when it was @sk's peer. */
static noinline notrace u32 copy_peer_name(u8 *p, const struct sock *sk, const struct sock *peer,
					   const struct unix_address *addr)
{
	const u32 head = offsetof(struct sockaddr_un, sun_path);
	int len;

	if (copy_from_kernel_nofault(&len, &addr->len, sizeof(len)))
		return 0;
	len = clamp_t(int, len, head, sizeof(struct sockaddr_un));
	if (copy_from_kernel_nofault(p, addr->name->sun_path, len - head) ||
	    !still_peer(sk, peer))
		return 0;
	return put_unix_path(p, (const char *)p, len);
}

/*
 * The name of @sk's peer. unix_peer_get() would take the state lock, and
 * without it the peer can be freed while we look. So nothing of the peer is
 * dereferenced: its memory is copied without trust (nofault), and a copy is
 * neither followed nor used before still_peer() has vouched for it.
 */
static __always_inline u32 put_peer_name(u8 *p, const struct sock *sk, const struct sock *peer)
{
	unsigned long addr;

	if (!peer || !read_word_nofault(&addr, &unix_sk(peer)->addr) ||
	    !still_peer(sk, peer) || !addr)
		return 0;
	return copy_peer_name(p, sk, peer, (const struct unix_address *)addr);
}

/* Of a destination that is named in the call nobody knows the id here. */
static __always_inline u32 put_unix(u8 *p, struct sock *sk, const struct user_addr *addr,
				    enum falco_direction direction)
{
	struct unix_tuple *tuple = (struct unix_tuple *)p;
	const struct sock *peer = READ_ONCE(unix_sk(sk)->peer);
	u32 path = 0;

	tuple->family = FALCO_AF_UNIX;
	if (direction == FALCO_INBOUND) {
		tuple->destination = endpoint_id(sk);
		tuple->source = endpoint_id(peer);
		path = put_own_name(tuple->path, sk);
	} else {
		tuple->source = endpoint_id(sk);
		if (told_where(sk, addr, direction)) {
			tuple->destination = 0;
		} else {
			tuple->destination = endpoint_id(peer);
			path = put_peer_name(tuple->path, sk, peer);
		}
	}
	if (addr && path <= 1 && addr->len && addr->storage.ss_family == AF_UNIX)
		path = put_unix_path(tuple->path, addr->un.sun_path, addr->len);
	if (!path)
		tuple->path[path++] = '\0';
	return sizeof(*tuple) + path;
}

/* The sock of @file, if it is one; lives as long as the reference to @file. */
static __always_inline struct sock *file_sock(struct file *file)
{
	struct socket *sock = file ? sock_from_file(file) : NULL;

	return sock ? READ_ONCE(sock->sk) : NULL;
}

/* Without an address it is half as long. */
static __always_inline u32 put_tuple(u8 *p, s64 fd, enum falco_direction direction,
				     const struct user_addr *addr)
{
	struct fd ref = {};
	struct sock *sk;
	u32 n = 0;

	BUILD_BUG_ON(TUPLE_MAX > FALCO_TUPLE_MAX);
	/* fdget() knows no O_PATH files, which are no sockets; a single thread needs no count. */
	if (fd >= 0 && fd <= INT_MAX && current->files)
		ref = fdget(fd);
	sk = file_sock(fd_file(ref));
	switch (sk ? READ_ONCE(sk->sk_family) : AF_UNSPEC) {
	case AF_UNIX:
		n = put_unix(p, sk, addr, direction);
		break;
	case AF_INET:
		n = put_inet(p, sk, addr, direction);
		break;
	case AF_INET6:
		n = put_inet6(p, sk, addr, direction);
		break;
	}
	fdput(ref);
	return n;
}

u32 notrace falco_put_socktuple(u8 *p, s64 fd, enum falco_direction direction)
{
	return put_tuple(p, fd, direction, NULL);
}

void falco_write_socktuple(struct falco_frame *f, s64 fd,
			   enum falco_direction direction, u64 uptr, u64 len)
{
	struct user_addr addr;
	u32 room;
	u8 *p;

	BUILD_BUG_ON(FALCO_TUPLE_MAX > 256); /* what falco_param_begin() promises */
	if (uptr)
		read_addr(f, &addr, uptr, len);
	p = falco_param_begin(f, &room);
	falco_param_end(f, uptr ? put_tuple(p, fd, direction, &addr) :
				  put_tuple(p, fd, direction, NULL));
}

void falco_sock_backlog(s64 fd, struct falco_backlog *backlog)
{
	struct file *file = falco_file_get(fd);
	struct sock *sk = file_sock(file);

	memset(backlog, 0, sizeof(*backlog));
	if (sk) {
		backlog->len = READ_ONCE(sk->sk_ack_backlog);
		backlog->max = READ_ONCE(sk->sk_max_ack_backlog);
	}
	if (file)
		fput(file);
}

void falco_sock_pair(s64 fd, u64 *id, u64 *peer)
{
	struct file *file = falco_file_get(fd);
	struct sock *sk = file_sock(file);

	*id = 0;
	*peer = 0;
	if (sk && READ_ONCE(sk->sk_family) == AF_UNIX) {
		*id = endpoint_id(sk);
		*peer = endpoint_id(READ_ONCE(unix_sk(sk)->peer));
	}
	if (file)
		fput(file);
}
