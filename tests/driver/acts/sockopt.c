// SPDX-License-Identifier: Apache-2.0
/* Acts on the options of sockets. */
#include "acts.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static void act_options(void)
{
	struct { long sec, usec; } timeout = { 2, 500 };
	struct { int onoff, linger; } linger = { 1, 5 };
	long fd = raw(SYS_socket, AF_INET, SOCK_STREAM, 0);
	int on = 1, value = -1;
	socklen_t len;
	uint64_t cookie;

	raw(SYS_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &on, 4);
	expect("setsockopt/int", "setsockopt_x", "res=0 fd=%ld level=1 optname=2 val=2:1 optlen=4", fd);
	raw(SYS_setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	expect("setsockopt/timeout", "setsockopt_x", "res=0 level=1 optname=20 val=4:2000500000 optlen=%zu", sizeof(timeout));
	raw(SYS_setsockopt, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	expect("setsockopt/raw", "setsockopt_x", "res=0 optname=13 val=0:'\\x01\\x00\\x00\\x00\\x05\\x00\\x00\\x00' optlen=8");
	raw(SYS_setsockopt, fd, SOL_TCP, TCP_NODELAY, &on, 4);
	expect("setsockopt/tcp", "setsockopt_x", "res=0 level=2 optname=0 val=0:'\\x01\\x00\\x00\\x00' optlen=4");
	raw(SYS_setsockopt, fd, 99, 99, NULL, 4);
	expect("setsockopt/unknown", "setsockopt_x", "res=? level=0 optname=0 val=- optlen=4");
	len = 4;
	raw(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, &value, &len);
	expect("getsockopt/error", "getsockopt_x", "res=0 fd=%ld level=1 optname=4 val=1:0 optlen=4", fd);
	len = 8;
	raw(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	expect("getsockopt/cookie", "getsockopt_x", "res=0 optname=53 val=3:%llu optlen=8", (unsigned long long)cookie);
	len = 4;
	raw(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &value, &len);
	expect("getsockopt/type", "getsockopt_x", "res=0 optname=3 val=2:1 optlen=4");
	raw(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &value, NULL);
	expect("getsockopt/null", "getsockopt_x", "res=-14 optlen=0");
}

/* Each option that has a type in the schema, and the value of 4 bytes, or what it is given, that arrives. */
static const struct flag int_options[] = {
	F(SO_DEBUG, 1), F(SO_REUSEADDR, 2), F(SO_TYPE, 3), F(SO_DONTROUTE, 5), F(SO_BROADCAST, 6), F(SO_SNDBUF, 7), F(SO_RCVBUF, 8),
	F(SO_KEEPALIVE, 9), F(SO_OOBINLINE, 10), F(SO_NO_CHECK, 11), F(SO_PRIORITY, 12), F(SO_BSDCOMPAT, 14), F(SO_REUSEPORT, 15),
	F(SO_PASSCRED, 16), F(SO_RCVLOWAT, 18), F(SO_SNDLOWAT, 19), F(SO_SECURITY_AUTHENTICATION, 22),
	F(SO_SECURITY_ENCRYPTION_TRANSPORT, 23), F(SO_SECURITY_ENCRYPTION_NETWORK, 24), F(SO_BINDTODEVICE, 25), F(SO_DETACH_FILTER, 27),
	F(29, 29), F(SO_ACCEPTCONN, 30), F(SO_PEERSEC, 31), F(SO_SNDBUFFORCE, 32), F(SO_RCVBUFFORCE, 33), F(SO_PASSSEC, 34), F(35, 35),
	F(SO_MARK, 36), F(37, 37), F(SO_PROTOCOL, 38), F(SO_DOMAIN, 39), F(SO_RXQ_OVFL, 40), F(SO_WIFI_STATUS, 41), F(SO_PEEK_OFF, 42),
	F(SO_NOFCS, 43), F(SO_LOCK_FILTER, 44), F(SO_SELECT_ERR_QUEUE, 45), F(SO_BUSY_POLL, 46), F(SO_MAX_PACING_RATE, 47),
	F(SO_BPF_EXTENSIONS, 48), F(SO_INCOMING_CPU, 49),
};

static const struct flag raw_options[] = {
	F(SO_LINGER, 13), F(SO_PEERCRED, 17), F(SO_ATTACH_FILTER, 26), F(SO_PEERNAME, 28), F(SO_ATTACH_BPF, 50), F(SO_MEMINFO, 52),
	F(SO_PEERGROUPS, 51), F(200, 0),
};

static void act_option_types(void)
{
	static const uint32_t value = 0x81020304;
	static const int64_t wide[2] = { 3, 250000 };
	static const long narrow[2] = { 4, 7 };
	socklen_t len = 4;

	/* On no socket: what is told is what was passed. */
	EACH (f, int_options) {
		CALL(of("setsockopt", f), "setsockopt_x", (SYS_setsockopt, 999, SOL_SOCKET, f->host, &value, 4),
		     "res=-9 fd=999 level=1 optname=%u val=2:2164392708 optlen=4", f->schema);
		CALL(of("getsockopt", f), "getsockopt_x", (SYS_getsockopt, 999, SOL_SOCKET, f->host, &value, &len),
		     "res=-9 fd=999 level=1 optname=%u val=2:2164392708 optlen=4", f->schema);
	}
	EACH (f, raw_options)
		CALL(of("setsockopt", f), "setsockopt_x", (SYS_setsockopt, 999, SOL_SOCKET, f->host, "raw", 3),
		     "res=-9 level=1 optname=%u val=0:'raw' optlen=3", f->schema);
	CALL("setsockopt/error", "setsockopt_x", (SYS_setsockopt, 999, SOL_SOCKET, SO_ERROR, (int[]){ 111 }, 4), "optname=4 val=1:-111 optlen=4");
	CALL("setsockopt/cookie", "setsockopt_x", (SYS_setsockopt, 999, SOL_SOCKET, SO_COOKIE, wide, 8), "optname=53 val=3:3 optlen=8");
	CALL("setsockopt/rcvtimeo", "setsockopt_x", (SYS_setsockopt, 999, SOL_SOCKET, 20, narrow, sizeof(narrow)), "optname=20 val=4:4000007000");
	CALL("setsockopt/sndtimeo", "setsockopt_x", (SYS_setsockopt, 999, SOL_SOCKET, 21, narrow, sizeof(narrow)), "optname=21 val=4:4000007000");
	CALL("setsockopt/rcvtimeo-new", "setsockopt_x", (SYS_setsockopt, 999, SOL_SOCKET, 66, wide, 16), "optname=20 val=4:3250000000 optlen=16");
	CALL("setsockopt/sndtimeo-new", "setsockopt_x", (SYS_setsockopt, 999, SOL_SOCKET, 67, wide, 16), "optname=21 val=4:3250000000 optlen=16");
	CALL("setsockopt/bad", "setsockopt_x", (SYS_setsockopt, 999, SOL_SOCKET, SO_DEBUG, BAD, 4), "val=2:0 optlen=4 rec=fault");
	CALL("setsockopt/bad-raw", "setsockopt_x", (SYS_setsockopt, 999, SOL_SOCKET, SO_LINGER, BAD, 8), "val=- optlen=8 rec=fault");
	CALL("setsockopt/nothing", "setsockopt_x", (SYS_setsockopt, 999, SOL_SOCKET, SO_LINGER, "x", 0), "val=- optlen=0");
	CALL("setsockopt/ip", "setsockopt_x", (SYS_setsockopt, 999, 0, SO_REUSEADDR, "ab", 2), "level=0 optname=0 val=0:'ab' optlen=2");
	CALL("getsockopt/bad", "getsockopt_x", (SYS_getsockopt, 999, SOL_SOCKET, SO_TYPE, &value, BAD), "val=2:2164392708 optlen=0 rec=fault");
	CALL("getsockopt/bad-value", "getsockopt_x", (SYS_getsockopt, 999, SOL_SOCKET, SO_ERROR, BAD, &len), "val=1:0 optlen=4 rec=fault");
}

static void act_sockopt(void)
{
	in_child(act_options);
	in_child(act_option_types);
}
