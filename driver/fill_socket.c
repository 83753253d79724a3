// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Socket events.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/socket.h>
#include <linux/string.h>
#include <linux/time64.h>

#include "compat/net.h"
#include "dyn.h"
#include "fill.h"
#include "iov.h"
#include "sock.h"

/* Bytes of unknown option values: nobody looks further. */
#define OPTION_MAX 4096

/* The caller's struct mmsghdr: where the length of a message stands, and its size. */
#define MSG_LEN_64   56
#define MSG_LEN_32   28
#define MMSG_SIZE_64 64
#define MMSG_SIZE_32 32

/* The forms of timeout options, by their numbers on x86_64 and arm64. */
#define RCVTIMEO_OLD 20
#define SNDTIMEO_OLD 21
#define RCVTIMEO_NEW 66
#define SNDTIMEO_NEW 67

struct timeval64 {
	s64 sec;
	s64 usec;
};

struct timeval32 {
	s32 sec;
	s32 usec;
};

void falco_fill_bind_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_s64(f, c->ret);
	falco_write_sockaddr(f, c->args[1], c->args[2]);
	falco_write_fd(f, c->args[0]);
}

void falco_fill_connect_e(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_fd(f, c->args[0]);
	falco_write_sockaddr(f, c->args[1], c->args[2]);
}

void falco_fill_connect_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_s64(f, c->ret);
	if (!c->ret || c->ret == -EINPROGRESS)
		falco_write_socktuple(f, (s32)c->args[0], FALCO_OUTBOUND,
				      c->args[1], c->args[2]);
	else
		falco_write_absent(f);
	falco_write_fd(f, c->args[0]);
	falco_write_sockaddr(f, c->args[1], c->args[2]);
}

void falco_fill_accept_x(struct falco_frame *f, const struct falco_call *c)
{
	struct falco_backlog backlog;
	u64 percent = 0;

	falco_sock_backlog((s32)c->args[0], &backlog);
	if (c->ret >= 0 && backlog.max)
		percent = min_t(u64, 100ULL * backlog.len / backlog.max, U8_MAX);

	falco_write_s64(f, c->ret);
	if (c->ret >= 0)
		falco_write_socktuple(f, c->ret, FALCO_INBOUND, 0, 0);
	else
		falco_write_absent(f);
	falco_write_u8(f, percent);
	falco_write_u32(f, backlog.len);
	falco_write_u32(f, backlog.max);
}

void falco_fill_accept4_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_fill_accept_x(f, c);
	falco_write_u32(f, falco_map(FALCO_MAP_SOCKET_FLAGS, c->args[3]));
}

void falco_fill_socketpair_x(struct falco_frame *f, const struct falco_call *c)
{
	s32 fds[2];
	u64 id = 0, peer = 0;

	if (!c->ret && falco_read_user(f, fds, c->args[3], sizeof(fds)))
		falco_sock_pair(fds[0], &id, &peer);
	else
		memset(fds, -1, sizeof(fds));
	falco_write_s64(f, c->ret);
	falco_write_s64(f, fds[0]);
	falco_write_s64(f, fds[1]);
	falco_write_u64(f, id);
	falco_write_u64(f, peer);
	falco_write_u32(f, falco_map(FALCO_MAP_SOCKET_FAMILY, c->args[0]));
	falco_write_u32(f, c->args[1]);
	falco_write_u32(f, c->args[2]);
}

/* res, data, fd, size of what went out; the peer's address is at @uptr if any. */
static void write_send(struct falco_frame *f, const struct falco_call *c, u64 uptr, u64 len)
{
	falco_write_s64(f, c->ret);
	falco_write_user_bytes(f, c->args[1], c->ret > 0 ? c->ret : c->args[2], f->snaplen);
	falco_write_fd(f, c->args[0]);
	falco_write_u32(f, c->args[2]);
	if (c->ret >= 0)
		falco_write_socktuple(f, (s32)c->args[0], FALCO_SENT, uptr, len);
	else
		falco_write_absent(f);
}

void falco_fill_send_x(struct falco_frame *f, const struct falco_call *c)
{
	write_send(f, c, 0, 0);
}

void falco_fill_sendto_x(struct falco_frame *f, const struct falco_call *c)
{
	write_send(f, c, c->args[4], c->args[5]);
}

static void write_received(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_s64(f, c->ret);
	if (c->ret > 0)
		falco_write_user_bytes(f, c->args[1], c->ret, f->snaplen);
	else
		falco_write_absent(f);
}

void falco_fill_recv_x(struct falco_frame *f, const struct falco_call *c)
{
	write_received(f, c);
	falco_write_fd(f, c->args[0]);
	falco_write_u32(f, c->args[2]);
	if (c->ret >= 0)
		falco_write_socktuple(f, (s32)c->args[0], FALCO_INBOUND, 0, 0);
	else
		falco_write_absent(f);
}

void falco_fill_recvfrom_x(struct falco_frame *f, const struct falco_call *c)
{
	u32 len = 0;

	write_received(f, c);
	if (c->ret >= 0) {
		if (c->args[4] && c->args[5])
			falco_read_user(f, &len, c->args[5], sizeof(len));
		falco_write_socktuple(f, (s32)c->args[0], FALCO_INBOUND, c->args[4], len);
	} else {
		falco_write_absent(f);
	}
	falco_write_fd(f, c->args[0]);
	falco_write_u32(f, c->args[2]);
}

void falco_fill_sendmsg_x(struct falco_frame *f, const struct falco_call *c)
{
	struct falco_msghdr hdr;
	bool readable = falco_msghdr_read(f, c, c->args[1], &hdr);

	falco_write_s64(f, c->ret);
	falco_write_iov(f, &hdr.iov, U64_MAX);
	falco_write_fd(f, c->args[0]);
	if (readable)
		falco_write_u32(f, falco_iov_size(f, &hdr.iov));
	else
		falco_write_absent(f);
	if (readable && c->ret >= 0)
		falco_write_socktuple(f, (s32)c->args[0], FALCO_SENT, hdr.name, hdr.namelen);
	else
		falco_write_absent(f);
}

/* size, data, tuple, control of one message that brought @len bytes. */
static void write_recvmsg(struct falco_frame *f, const struct falco_call *c,
			  const struct falco_msghdr *hdr, u64 len)
{
	falco_write_u32(f, min_t(u64, falco_iov_size(f, &hdr->iov), len));
	falco_write_iov(f, &hdr->iov, len);
	falco_write_socktuple(f, (s32)c->args[0], FALCO_INBOUND, hdr->name, hdr->namelen);
	falco_write_user_bytes(f, hdr->control, hdr->controllen, hdr->controlmax);
}

static void write_recvmsg_failed(struct falco_frame *f)
{
	falco_write_u32(f, 0);
	falco_write_absent(f);
	falco_write_absent(f);
	falco_write_absent(f);
}

void falco_fill_recvmsg_x(struct falco_frame *f, const struct falco_call *c)
{
	struct falco_msghdr hdr;

	falco_write_s64(f, c->ret);
	if (c->ret >= 0) {
		falco_msghdr_read(f, c, c->args[1], &hdr);
		write_recvmsg(f, c, &hdr, c->ret);
	} else {
		write_recvmsg_failed(f);
	}
	falco_write_fd(f, c->args[0]);
}

/*
 * The calls for several messages are an event a message, of those that went out
 * or came in; one event if none did. @len is what was moved of this one.
 */
static bool read_message(struct falco_frame *f, const struct falco_call *c,
			 struct falco_msghdr *hdr, u32 *len)
{
	u64 uptr = c->args[1] + c->message * (c->compat ? MMSG_SIZE_32 : MMSG_SIZE_64);

	return c->ret > 0 && falco_msghdr_read(f, c, uptr, hdr) &&
	       falco_read_user(f, len, uptr + (c->compat ? MSG_LEN_32 : MSG_LEN_64), sizeof(*len));
}

void falco_fill_sendmmsg_x(struct falco_frame *f, const struct falco_call *c)
{
	struct falco_msghdr hdr;
	u32 len;

	if (read_message(f, c, &hdr, &len)) {
		falco_write_s64(f, len);
		falco_write_fd(f, c->args[0]);
		falco_write_u32(f, falco_iov_size(f, &hdr.iov));
		falco_write_iov(f, &hdr.iov, U64_MAX);
		falco_write_socktuple(f, (s32)c->args[0], FALCO_SENT, hdr.name, hdr.namelen);
	} else {
		falco_write_s64(f, c->ret);
		falco_write_fd(f, c->args[0]);
		falco_write_u32(f, 0);
		falco_write_absent(f);
		falco_write_absent(f);
	}
}

void falco_fill_recvmmsg_x(struct falco_frame *f, const struct falco_call *c)
{
	struct falco_msghdr hdr;
	u32 len;

	if (read_message(f, c, &hdr, &len)) {
		falco_write_s64(f, len);
		falco_write_fd(f, c->args[0]);
		write_recvmsg(f, c, &hdr, len);
	} else {
		falco_write_s64(f, c->ret);
		falco_write_fd(f, c->args[0]);
		write_recvmsg_failed(f);
	}
}

static u8 option_name(u64 level, u64 name)
{
	return (s32)level == SOL_SOCKET ? falco_map(FALCO_MAP_SOCKOPT_NAME, (u32)name) : 0;
}

static u64 read_timeout(struct falco_frame *f, u64 uptr, bool narrow)
{
	struct timeval64 t64;
	struct timeval32 t32;

	if (narrow) {
		falco_read_user(f, &t32, uptr, sizeof(t32));
		t64.sec = t32.sec;
		t64.usec = t32.usec;
	} else {
		falco_read_user(f, &t64, uptr, sizeof(t64));
	}
	return (u64)t64.sec * NSEC_PER_SEC + (u64)t64.usec * NSEC_PER_USEC;
}

/* Of the options only SOL_SOCKET's have types in the schema; an int is u32. */
static void write_option(struct falco_frame *f, const struct falco_call *c, u32 len)
{
	u64 uptr = c->args[3], v64 = 0;
	u32 v32 = 0;

	if ((s32)c->args[1] != SOL_SOCKET)
		goto raw;
	switch ((s32)c->args[2]) {
	case SO_ERROR:
		falco_read_user(f, &v32, uptr, sizeof(v32));
		falco_write_dyn_u64(f, FALCO_SOCKOPT_ERRNO, -(s64)(s32)v32);
		return;
	case RCVTIMEO_OLD:
	case SNDTIMEO_OLD:
		falco_write_dyn_u64(f, FALCO_SOCKOPT_RELTIME, read_timeout(f, uptr, c->regs32));
		return;
	case RCVTIMEO_NEW:
	case SNDTIMEO_NEW:
		falco_write_dyn_u64(f, FALCO_SOCKOPT_RELTIME, read_timeout(f, uptr, false));
		return;
	case SO_COOKIE:
		falco_read_user(f, &v64, uptr, sizeof(v64));
		falco_write_dyn_u64(f, FALCO_SOCKOPT_UINT64, v64);
		return;
	case SO_DEBUG:
	case SO_REUSEADDR:
	case SO_TYPE:
	case SO_DONTROUTE:
	case SO_BROADCAST:
	case SO_SNDBUF:
	case SO_RCVBUF:
	case SO_SNDBUFFORCE:
	case SO_RCVBUFFORCE:
	case SO_KEEPALIVE:
	case SO_OOBINLINE:
	case SO_NO_CHECK:
	case SO_PRIORITY:
	case SO_BSDCOMPAT:
	case SO_REUSEPORT:
	case SO_PASSCRED:
	case SO_RCVLOWAT:
	case SO_SNDLOWAT:
	case SO_SECURITY_AUTHENTICATION:
	case SO_SECURITY_ENCRYPTION_TRANSPORT:
	case SO_SECURITY_ENCRYPTION_NETWORK:
	case SO_BINDTODEVICE:
	case SO_DETACH_FILTER:
	case SO_TIMESTAMP_OLD:
	case SO_ACCEPTCONN:
	case SO_PEERSEC:
	case SO_PASSSEC:
	case SO_TIMESTAMPNS_OLD:
	case SO_MARK:
	case SO_TIMESTAMPING_OLD:
	case SO_PROTOCOL:
	case SO_DOMAIN:
	case SO_RXQ_OVFL:
	case SO_WIFI_STATUS:
	case SO_PEEK_OFF:
	case SO_NOFCS:
	case SO_LOCK_FILTER:
	case SO_SELECT_ERR_QUEUE:
	case SO_BUSY_POLL:
	case SO_MAX_PACING_RATE:
	case SO_BPF_EXTENSIONS:
	case SO_INCOMING_CPU:
		falco_read_user(f, &v32, uptr, sizeof(v32));
		falco_write_dyn_u32(f, FALCO_SOCKOPT_UINT32, v32);
		return;
	}
raw:
	falco_write_dyn_user_bytes(f, FALCO_SOCKOPT_BYTEBUF, uptr, len, OPTION_MAX);
}

static void write_sockopt(struct falco_frame *f, const struct falco_call *c, u32 len)
{
	falco_write_s64(f, c->ret);
	falco_write_fd(f, c->args[0]);
	falco_write_u8(f, falco_map(FALCO_MAP_SOCKOPT_LEVEL, c->args[1]));
	falco_write_u8(f, option_name(c->args[1], c->args[2]));
	write_option(f, c, len);
	falco_write_u32(f, len);
}

void falco_fill_setsockopt_x(struct falco_frame *f, const struct falco_call *c)
{
	write_sockopt(f, c, c->args[4]);
}

void falco_fill_getsockopt_x(struct falco_frame *f, const struct falco_call *c)
{
	u32 len = 0;

	if (c->args[4])
		falco_read_user(f, &len, c->args[4], sizeof(len));
	write_sockopt(f, c, len);
}
