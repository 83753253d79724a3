// SPDX-License-Identifier: Apache-2.0
/* Each flag and each value, continued: those of processes, sockets, limits, semaphores, quotas, rings, mounts. */
#include "acts.h"

#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/quota.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>

static const struct flag clone_flags[] = {
	F(CLONE_VM, 0x8000), F(CLONE_FS, 0x2), F(CLONE_FILES, 0x1), F(CLONE_SIGHAND, 0x800), F(CLONE_PTRACE, 0x400),
	F(CLONE_VFORK, 0x8000000), F(CLONE_PARENT, 0x100), F(CLONE_THREAD, 0x2000), F(CLONE_NEWNS, 0x20), F(CLONE_SYSVSEM, 0x1000),
	F(CLONE_SETTLS, 0x2000000), F(CLONE_PARENT_SETTID, 0x200), F(CLONE_CHILD_CLEARTID, 0x800000), F(CLONE_UNTRACED, 0x4000),
	F(CLONE_CHILD_SETTID, 0x1000000), F(CLONE_NEWCGROUP, 0x10000000), F(CLONE_NEWUTS, 0x80), F(CLONE_NEWIPC, 0x8),
	F(CLONE_NEWUSER, 0x100000), F(CLONE_NEWPID, 0x40), F(CLONE_NEWNET, 0x10), F(CLONE_IO, 0x4),
};

#define DETACHED 0x400000 /* CLONE_DETACHED, which clone3 refuses */

static void act_clone_flags(void)
{
	static struct { uint64_t flags, rest[7]; } args;

	EACH (f, clone_flags) {
		CALL(of("unshare", f), "unshare_x", (SYS_unshare, f->host | 1), "res=-22 flags=%u", f->schema);
		CALL(of("setns", f), "setns_x", (SYS_setns, 999, f->host), "res=-9 fd=999 nstype=%u", f->schema);
		args.flags = f->host | DETACHED;
		CALL(of("clone3", f), "clone3_x", (SYS_clone3, &args, sizeof(args)), "res=-22 exe='' args=- flags=%u", f->schema);
		/* Of two flags that exclude each other one is not the flag at hand. */
		if (f->host != CLONE_SIGHAND && f->host != CLONE_VM)
			CALL(of("clone", f), "clone_x", (SYS_clone, f->host | CLONE_SIGHAND, 0, 0, 0, 0), "res=-22 flags=%u", f->schema | 0x800);
	}
}

static const struct flag families[] = {
	F(AF_UNIX, 1), F(AF_INET, 2), F(AF_AX25, 3), F(AF_IPX, 4), F(AF_APPLETALK, 5), F(AF_NETROM, 6), F(AF_BRIDGE, 7), F(AF_ATMPVC, 8),
	F(AF_X25, 9), F(AF_INET6, 10), F(AF_ROSE, 11), F(AF_DECnet, 12), F(AF_NETBEUI, 13), F(AF_SECURITY, 14), F(AF_KEY, 15),
	F(AF_NETLINK, 16), F(AF_PACKET, 17), F(AF_ASH, 18), F(AF_ECONET, 19), F(AF_ATMSVC, 20), F(AF_RDS, 21), F(AF_SNA, 22),
	F(AF_IRDA, 23), F(AF_PPPOX, 24), F(AF_WANPIPE, 25), F(AF_LLC, 26), F(AF_CAN, 29), F(AF_TIPC, 30), F(AF_BLUETOOTH, 31),
	F(AF_IUCV, 32), F(AF_RXRPC, 33), F(AF_ISDN, 34), F(AF_PHONET, 35), F(AF_IEEE802154, 36), F(AF_CAIF, 37), F(AF_ALG, 38),
	F(AF_NFC, 39), F(AF_UNSPEC, 0), F(AF_VSOCK, 0), F(999, 0),
};

static const struct flag shutdowns[] = { F(SHUT_RD, 0), F(SHUT_WR, 1), F(SHUT_RDWR, 2), F(3, 255) };

static void act_socket_flags(void)
{
	EACH (f, families) {
		/* A type that no family has. */
		CALL(of("socket", f), "socket_x", (SYS_socket, f->host, 15, 77), "domain=%u type=15 proto=77 flags=0", f->schema);
		CALL(of("socketpair", f), "socketpair_x", (SYS_socketpair, f->host, 15, 77, NULL),
		     "fd1=-1 fd2=-1 source=0 peer=0 domain=%u type=15 proto=77", f->schema);
	}
	EACH (f, shutdowns)
		CALL(of("shutdown", f), "shutdown_x", (SYS_shutdown, 999, f->host), "res=-9 fd=999 how=%u", f->schema);
}

static const struct flag rlimits[] = {
	F(RLIMIT_CPU, 0), F(RLIMIT_FSIZE, 1), F(RLIMIT_DATA, 2), F(RLIMIT_STACK, 3), F(RLIMIT_CORE, 4), F(RLIMIT_RSS, 5),
	F(RLIMIT_NPROC, 6), F(RLIMIT_NOFILE, 7), F(RLIMIT_MEMLOCK, 8), F(RLIMIT_AS, 9), F(RLIMIT_LOCKS, 10), F(RLIMIT_SIGPENDING, 11),
	F(RLIMIT_MSGQUEUE, 12), F(RLIMIT_NICE, 13), F(RLIMIT_RTPRIO, 14), F(RLIMIT_RTTIME, 15), F(16, 255), F(-1, 255),
};

static void act_limit_flags(void)
{
	EACH (f, rlimits) {
		CALL(of("getrlimit", f), "getrlimit_x", (SYS_getrlimit, f->host, NULL), "cur=-1 max=-1 resource=%u", f->schema);
		CALL(of("setrlimit", f), "setrlimit_x", (SYS_setrlimit, f->host, NULL), "res=-14 cur=0 max=0 resource=%u", f->schema);
		CALL(of("prlimit", f), "prlimit_x", (SYS_prlimit64, 99999, f->host, NULL, NULL), "newcur=0 oldcur=-1 pid=99999 resource=%u",
		     f->schema);
	}
}

static const struct flag futexes[] = {
	F(FUTEX_WAIT, 0), F(FUTEX_WAKE, 1), F(FUTEX_FD, 2), F(FUTEX_REQUEUE, 3), F(FUTEX_CMP_REQUEUE, 4), F(FUTEX_WAKE_OP, 5),
	F(FUTEX_LOCK_PI, 6), F(FUTEX_UNLOCK_PI, 7), F(FUTEX_TRYLOCK_PI, 8), F(FUTEX_WAIT_BITSET, 9), F(FUTEX_WAKE_BITSET, 10),
	F(FUTEX_WAIT_REQUEUE_PI, 11), F(FUTEX_CMP_REQUEUE_PI, 12), F(13, 0), F(FUTEX_PRIVATE_FLAG | FUTEX_WAKE, 129),
	F(FUTEX_CLOCK_REALTIME | FUTEX_WAIT_BITSET, 265),
};

static const struct flag semctls[] = {
	F(IPC_RMID, 4), F(IPC_SET, 2), F(IPC_STAT, 1), F(IPC_INFO, 8), F(GETPID, 256), F(GETVAL, 512), F(GETALL, 64), F(GETNCNT, 128),
	F(GETZCNT, 1024), F(SETVAL, 4096), F(SETALL, 2048), F(SEM_STAT, 32), F(SEM_INFO, 16), F(99, 0), F(IPC_STAT | 0x100, 1),
};

static void act_ipc_flags(void)
{
	/* An address that is not aligned is refused before anybody waits. */
	EACH (f, futexes)
		CALL(of("futex", f), "futex_x", (SYS_futex, 1, f->host, 3, NULL, NULL, 0), "addr=1 op=%u val=3", f->schema);
	EACH (f, semctls)
		CALL(of("semctl", f), "semctl_x", (SYS_semctl, -1, -2, f->host, NULL), "semid=-1 semnum=-2 cmd=%u val=0", f->schema);
}

static const struct flag quota_commands[] = {
	F(0x5801, 256), F(0x5802, 512), F(0x5803, 1024), F(0x5804, 2048), F(0x5805, 4096), F(0x5806, 8192), F(0x5807, 16384),
	F(Q_SYNC, 128), F(Q_QUOTAON, 1), F(Q_QUOTAOFF, 2), F(Q_GETFMT, 4), F(Q_GETINFO, 8), F(Q_SETINFO, 16), F(Q_GETQUOTA, 32),
	F(Q_SETQUOTA, 64), F(0x123, 0),
};

static const struct flag quota_formats[] = { F(QFMT_VFS_OLD, 2), F(QFMT_VFS_V0, 4), F(QFMT_VFS_V1, 8), F(77, 1) };

static bool has_id(unsigned int cmd)
{
	return cmd == Q_GETQUOTA || cmd == Q_SETQUOTA || cmd == 0x5803 || cmd == 0x5804;
}

static void act_quota_flags(void)
{
	EACH (f, quota_commands) {
		CALL(of("quotactl/user", f), "quotactl_x", (SYS_quotactl, f->host << 8, "/none/x", 55, NULL),
		     "special='/none/x' cmd=%u type=1 id=%d", f->schema, has_id(f->host) ? 55 : 0);
		CALL(of("quotactl/group", f), "quotactl_x", (SYS_quotactl, f->host << 8 | 1, NULL, -1, NULL),
		     "special=- cmd=%u type=2 id=%u", f->schema, has_id(f->host) ? -1U : 0);
	}
	CALL("quotactl/project", "quotactl_x", (SYS_quotactl, QCMD(Q_SYNC, PRJQUOTA), "/none/x", 0, NULL), "cmd=128 type=0");
	EACH (f, quota_formats)
		CALL(of("quotactl/format", f), "quotactl_x", (SYS_quotactl, QCMD(Q_QUOTAON, 0), "/none/x", f->host, "file"),
		     "quotafilepath='file' quota_fmt_out=1 id=0 quota_fmt=%u", f->schema);
	EACH (f, quota_formats) {
		static uint32_t format;

		format = f->host;
		CALL(of("quotactl/format-out", f), "quotactl_x", (SYS_quotactl, QCMD(Q_GETFMT, 0), "/none/x", 0, &format),
		     "quotafilepath=- quota_fmt_out=%u quota_fmt=1", f->schema);
	}
}

static const struct flag ptrace_requests[] = {
	F(PTRACE_PEEKTEXT, 2), F(PTRACE_PEEKDATA, 3), F(PTRACE_PEEKUSER, 4), F(PTRACE_POKETEXT, 5), F(PTRACE_POKEDATA, 6),
	F(PTRACE_POKEUSER, 7), F(PTRACE_CONT, 8), F(PTRACE_KILL, 9), F(PTRACE_SINGLESTEP, 10), F(PTRACE_GETREGS, 26),
	F(PTRACE_SETREGS, 27), F(PTRACE_GETFPREGS, 28), F(PTRACE_SETFPREGS, 29), F(PTRACE_ATTACH, 11), F(PTRACE_DETACH, 12),
	F(PTRACE_GETFPXREGS, 30), F(PTRACE_SETFPXREGS, 31), F(21, 32), F(PTRACE_SYSCALL, 13), F(25, 33), F(26, 34), F(30, 35), F(31, 36),
	F(32, 37), F(33, 38), F(PTRACE_SETOPTIONS, 14), F(PTRACE_GETEVENTMSG, 15), F(PTRACE_GETSIGINFO, 16), F(PTRACE_SETSIGINFO, 17),
	F(PTRACE_GETREGSET, 18), F(PTRACE_SETREGSET, 19), F(PTRACE_SEIZE, 20), F(PTRACE_INTERRUPT, 21), F(PTRACE_LISTEN, 22),
	F(PTRACE_PEEKSIGINFO, 23), F(PTRACE_GETSIGMASK, 24), F(PTRACE_SETSIGMASK, 25), F(9999, 0),
};

static void act_ptrace_flags(void)
{
	EACH (f, ptrace_requests)
		CALL(of("ptrace", f), "ptrace_x", (SYS_ptrace, f->host, 99999, 1, 2), "res=-3 addr=0:0 data=0:0 request=%u pid=99999", f->schema);
}

static const struct flag setup_flags[] = {
	F(IORING_SETUP_IOPOLL, 1), F(IORING_SETUP_SQPOLL, 2), F(IORING_SETUP_SQ_AFF, 8), F(IORING_SETUP_CQSIZE, 16),
	F(IORING_SETUP_CLAMP, 32), F(IORING_SETUP_ATTACH_WQ, 64), F(IORING_SETUP_R_DISABLED, 128), F(0x80000000, 0),
};

static const struct flag feature_flags[] = {
	F(0x1, 1), F(0x2, 2), F(0x4, 4), F(0x8, 8), F(0x10, 0x10), F(0x20, 0x20), F(0x40, 0x40), F(0x80, 0x80), F(0x100, 0x100),
	F(0x200, 0x200), F(0x400, 0x400), F(0x800, 0),
};

static const struct flag enter_flags[] = {
	F(IORING_ENTER_GETEVENTS, 1), F(IORING_ENTER_SQ_WAKEUP, 2), F(IORING_ENTER_SQ_WAIT, 4), F(IORING_ENTER_EXT_ARG, 8), F(0x80000000, 0),
};

static void act_uring_flags(void)
{
	static struct io_uring_params p;

	/* No ring has 0 entries, and of what failed the structure is the caller's still. */
	EACH (f, setup_flags) {
		p = (struct io_uring_params){ .flags = f->host, .sq_thread_cpu = 3, .sq_thread_idle = 4, .sq_entries = 1, .cq_entries = 2 };
		CALL(of("io_uring_setup", f), "io_uring_setup_x", (SYS_io_uring_setup, 0, &p),
		     "entries=0 sq_entries=1 cq_entries=2 flags=%u sq_thread_cpu=3 sq_thread_idle=4", f->schema);
	}
	EACH (f, feature_flags) {
		p = (struct io_uring_params){ .features = f->host };
		CALL(of("io_uring_setup/feature", f), "io_uring_setup_x", (SYS_io_uring_setup, 0, &p), "features=%u", f->schema);
	}
	EACH (f, enter_flags)
		CALL(of("io_uring_enter", f), "io_uring_enter_x", (SYS_io_uring_enter, 999, 1, 2, f->host, 0x1000, 8),
		     "fd=999 to_submit=1 min_complete=2 flags=%u sig=4096", f->schema);
	for (unsigned int op = 0; op < 20; op++)
		CALL("io_uring_register/opcode", "io_uring_register_x", (SYS_io_uring_register, 999, op, 16, 1), "fd=999 opcode=%u arg=16 nr_args=1", op);
}

static const struct flag mount_flags[] = {
	F(1, 1), F(2, 2), F(4, 4), F(8, 8), F(16, 16), F(32, 32), F(64, 64), F(128, 128), F(1024, 1024), F(2048, 2048), F(4096, 4096),
	F(8192, 8192), F(16384, 16384), F(32768, 32768), F(1 << 16, 1 << 16), F(1 << 17, 1 << 17), F(1 << 18, 1 << 18),
	F(1 << 19, 1 << 19), F(1 << 20, 1 << 20), F(1 << 21, 1 << 21), F(1 << 23, 1 << 23), F(1 << 24, 1 << 24), F(0xC0ED0000, 0),
	F(0xC0ED0801, 0x801), F(0xC0EE0001, 0xC0EE0001),
};

static const struct flag module_flags[] = { F(1, 1), F(2, 2), F(4, 4), F(8, 0) };
static const struct flag delete_flags[] = { F(O_TRUNC, 1), F(O_NONBLOCK, 2), F(O_TRUNC | O_NONBLOCK, 3), F(O_RDWR, 0) };

static void act_kernel_flags(void)
{
	EACH (f, mount_flags)
		CALL(of("mount", f), "mount_x", (SYS_mount, "a", "/none/x", "b", f->host, NULL), "dev='a' dir='/none/x' type='b' flags=%u", f->schema);
	EACH (f, module_flags)
		CALL(of("finit_module", f), "finit_module_x", (SYS_finit_module, 999, "", f->host), "fd=999 uargs='' flags=%u", f->schema);
	EACH (f, delete_flags)
		CALL(of("delete_module", f), "delete_module_x", (SYS_delete_module, "none", f->host), "name='none' flags=%u", f->schema);
	/* Operations have the host's numbers. */
	for (unsigned int option = 1; option < 70; option++)
		if (option != PR_SET_NAME && option != PR_GET_NAME && option != PR_GET_CHILD_SUBREAPER && option != PR_SET_SECCOMP)
			CALL("prctl/option", "prctl_x", (SYS_prctl, option, BAD, BAD, BAD, BAD), "option=%u arg2_str=- arg2_int=16", option);
	for (unsigned int cmd = 0; cmd < 10; cmd++)
		CALL("fsconfig/cmd", "fsconfig_x", (SYS_fsconfig, 999, cmd, "key", NULL, -3), "fd=999 cmd=%u key='key' value_bytebuf=- value_charbuf=- aux=-3",
		     cmd);
}

static void act_values(void)
{
	in_child(act_clone_flags);
	in_child(act_socket_flags);
	in_child(act_limit_flags);
	in_child(act_ipc_flags);
	in_child(act_quota_flags);
	in_child(act_ptrace_flags);
	in_child(act_uring_flags);
	in_child(act_kernel_flags);
}
