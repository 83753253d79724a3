// SPDX-License-Identifier: Apache-2.0
/*
 * Each flag and each value that the schema has a name for, once: the host's
 * word as it is passed, and the schema's as it must arrive. Most calls fail,
 * which their flags do not mind. Where a set has values that the host's headers
 * know by another name, or not yet, they stand as numbers.
 */
#include "acts.h"

#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <linux/quota.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>

/* The kernel's own, of which the C library of 64-bit programs makes 0. */
#define LARGEFILE 0100000

static const struct flag open_flags[] = {
	F(O_RDONLY, S_RDONLY),
	F(O_WRONLY, S_WRONLY),
	F(O_RDWR, S_RDWR),
	F(O_ACCMODE, S_RDONLY),
	F(O_CREAT, S_RDONLY | S_CREAT),
	F(O_EXCL, S_RDONLY | S_EXCL),
	F(O_TRUNC, S_RDONLY | S_TRUNC),
	F(O_APPEND, S_RDONLY | S_APPEND),
	F(O_NONBLOCK, S_RDONLY | S_NONBLOCK),
	F(O_DSYNC, S_RDONLY | S_DSYNC),
	F(O_SYNC, S_RDONLY | S_SYNC | S_DSYNC),
	F(O_DIRECT, S_RDONLY | S_DIRECT),
	F(LARGEFILE, S_RDONLY | S_LARGEFILE),
	F(O_DIRECTORY, S_RDONLY | S_DIRECTORY),
	F(O_CLOEXEC, S_RDONLY | S_CLOEXEC),
	F(O_TMPFILE, S_RDONLY | S_TMPFILE | S_DIRECTORY),
	F(O_PATH, S_RDONLY),
	F(O_NOFOLLOW, S_RDONLY),
	F(O_NOATIME, S_RDONLY),
	F(O_NOCTTY, S_RDONLY),
	F(O_ASYNC, S_RDONLY),
};

/* A mode counts where a file can come into being. */
static unsigned int mode_with(const struct flag *f, unsigned int mode)
{
	return f->host & O_CREAT || (f->host & O_TMPFILE) == O_TMPFILE ? mode : 0;
}

static void act_open_flags(void)
{
	static struct open_how how;

	EACH (f, open_flags) {
		expect(of("openat/enter", f), "openat_e", "dirfd=-7 name='none' flags=%u mode=%u", f->schema, mode_with(f, 0642));
		CALL(of("openat", f), "openat_x", (SYS_openat, -7, "none", f->host, 0642), "flags=%u mode=%u dev=0 ino=0", f->schema,
		     mode_with(f, 0642));
		expect(of("open/enter", f), "open_e", "name='/none/x' flags=%u mode=%u", f->schema, mode_with(f, 0555));
		CALL(of("open", f), "open_x", (SYS_open, "/none/x", f->host, 0555), "flags=%u mode=%u dev=0 ino=0", f->schema,
		     mode_with(f, 0555));
		how = (struct open_how){ .flags = f->host, .mode = 07777 };
		expect(of("openat2/enter", f), "openat2_e", "flags=%u mode=%u resolve=0", f->schema, mode_with(f, 07777));
		CALL(of("openat2", f), "openat2_x", (SYS_openat2, -7, "none", &how, sizeof(how)), "flags=%u mode=%u resolve=0",
		     f->schema, mode_with(f, 07777));
		CALL(of("open_by_handle_at", f), "open_by_handle_at_x", (SYS_open_by_handle_at, -7, NULL, f->host), "mountfd=-7 flags=%u path=-",
		     f->schema);
	}
}

static const struct flag resolve_flags[] = {
	F(RESOLVE_NO_XDEV, 0x10),
	F(RESOLVE_NO_MAGICLINKS, 0x4),
	F(RESOLVE_NO_SYMLINKS, 0x8),
	F(RESOLVE_BENEATH, 0x1),
	F(RESOLVE_IN_ROOT, 0x2),
	F(RESOLVE_CACHED, 0x20),
	F(0x80000000, 0),
};

static void act_resolve_flags(void)
{
	static struct open_how how;

	EACH (f, resolve_flags) {
		how = (struct open_how){ .flags = O_PATH, .resolve = f->host };
		expect(of("openat2/enter", f), "openat2_e", "flags=1 mode=0 resolve=%u", f->schema);
		CALL(of("openat2", f), "openat2_x", (SYS_openat2, -7, "none", &how, sizeof(how)), "resolve=%u", f->schema);
	}
}

static const struct flag mode_bits[] = {
	F(S_IXOTH, 0x1), F(S_IWOTH, 0x2), F(S_IROTH, 0x4), F(S_IXGRP, 0x8), F(S_IWGRP, 0x10), F(S_IRGRP, 0x20),
	F(S_IXUSR, 0x40), F(S_IWUSR, 0x80), F(S_IRUSR, 0x100), F(S_ISVTX, 0x200), F(S_ISGID, 0x400), F(S_ISUID, 0x800),
	F(0170000, 0), /* a type is no mode */
};

static const struct flag mknod_types[] = {
	F(S_IFIFO, 0x1000), F(S_IFCHR, 0x2000), F(S_IFBLK, 0x6000), F(S_IFREG, 0x8000), F(S_IFSOCK, 0xc000), F(0, 0x8000),
	F(S_IFDIR, 0), F(S_IFLNK, 0), F(0170000, 0), F(0070000, 0),
};

static void act_modes(void)
{
	EACH (f, mode_bits) {
		CALL(of("chmod", f), "chmod_x", (SYS_chmod, "/none/x", f->host), "res=-2 filename='/none/x' mode=%u", f->schema);
		CALL(of("fchmod", f), "fchmod_x", (SYS_fchmod, 999, f->host), "res=-9 fd=999 mode=%u", f->schema);
		CALL(of("fchmodat", f), "fchmodat_x", (SYS_fchmodat, -7, "none", f->host), "res=-9 dirfd=-7 filename='none' mode=%u",
		     f->schema);
		expect(of("creat/enter", f), "creat_e", "name='/none/x' mode=%u", f->schema);
		CALL(of("creat", f), "creat_x", (SYS_creat, "/none/x", f->host), "fd=-2 mode=%u creat_flags=0", f->schema);
	}
	EACH (f, mknod_types) {
		CALL(of("mknod", f), "mknod_x", (SYS_mknod, "/none/x", f->host | 0511, 3), "path='/none/x' mode=%u dev=3", f->schema | 0511);
		CALL(of("mknodat", f), "mknodat_x", (SYS_mknodat, -7, "none", f->host, 0x12345678), "dirfd=-7 path='none' mode=%u dev=%u",
		     f->schema, 0x12345678);
	}
}

static const struct flag descriptor_flags[] = {
	F(0, 0), F(O_NONBLOCK, S_NONBLOCK), F(O_CLOEXEC, S_CLOEXEC), F(O_NONBLOCK | O_CLOEXEC, S_NONBLOCK | S_CLOEXEC), F(O_APPEND, 0),
};

static void act_descriptor_flags(void)
{
	static uint64_t mask;

	EACH (f, descriptor_flags) {
		CALL(of("inotify_init1", f), "inotify_init1_x", (SYS_inotify_init1, f->host), "flags=%u", f->schema);
		CALL(of("eventfd2", f), "eventfd2_x", (SYS_eventfd2, 7, f->host), "flags=%u initval=7", f->schema);
		CALL(of("signalfd4", f), "signalfd4_x", (SYS_signalfd4, -1, &mask, 8, f->host), "flags=%u fd=-1 mask=0", f->schema);
		CALL(of("timerfd_create", f), "timerfd_create_x", (SYS_timerfd_create, 1, f->host), "clockid=1 flags=%u",
		     f->schema & S_NONBLOCK);
		CALL(of("pipe2", f), "pipe2_x", (SYS_pipe2, NULL, f->host), "fd1=-1 fd2=-1 flags=%u", f->schema);
		CALL(of("dup3", f), "dup3_x", (SYS_dup3, 999, 998, f->host), "oldfd=999 newfd=998 flags=%u", f->schema & S_CLOEXEC);
		CALL(of("epoll_create1", f), "epoll_create1_x", (SYS_epoll_create1, f->host), "flags=%u", f->schema & S_CLOEXEC ? 1 : 0);
		CALL(of("socket", f), "socket_x", (SYS_socket, AF_UNIX, SOCK_STREAM | f->host, 0), "domain=1 type=%u proto=0 flags=%u",
		     SOCK_STREAM | f->host, f->schema);
		CALL(of("accept4", f), "accept4_x", (SYS_accept4, 999, NULL, NULL, f->host), "fd=-9 tuple=- queuemax=0 flags=%u", f->schema);
		CALL(of("pidfd_open", f), "pidfd_open_x", (SYS_pidfd_open, 0, f->host), "pid=0 flags=%u", f->schema & S_NONBLOCK ? 1 : 0);
		CALL(of("userfaultfd", f), "userfaultfd_x", (SYS_userfaultfd, f->host | 0x40000000), "res=-22 flags=%u", f->host | 0x40000000);
	}
	CALL("pipe2/direct", "pipe2_x", (SYS_pipe2, NULL, O_DIRECT), "flags=%d", S_DIRECT);
}

static const struct flag prot_flags[] = {
	F(0, 0), F(PROT_READ, 1), F(PROT_WRITE, 2), F(PROT_EXEC, 4), F(PROT_GROWSDOWN, 0x10), F(PROT_GROWSUP, 0x20), F(0x8, 8), F(0x80, 0),
};

static const struct flag map_flags[] = {
	F(MAP_SHARED, 1), F(MAP_PRIVATE, 2), F(MAP_FIXED, 4), F(MAP_ANONYMOUS, 8), F(MAP_32BIT, 0x10), F(MAP_GROWSDOWN, 0x200),
	F(MAP_DENYWRITE, 0x400), F(MAP_EXECUTABLE, 0x800), F(MAP_LOCKED, 0x4000), F(MAP_NORESERVE, 0x40), F(MAP_POPULATE, 0x80),
	F(MAP_NONBLOCK, 0x100), F(MAP_STACK, 0),
};

static const struct flag lock_flags[] = { F(MCL_CURRENT, 1), F(MCL_FUTURE, 2), F(MCL_ONFAULT, 4) };
static const struct flag memfd_flags[] = { F(1, 1), F(2, 2), F(4, 4), F(8, 0) };

static void act_memory_flags(void)
{
	EACH (f, prot_flags) {
		CALL(of("mprotect", f), "mprotect_x", (SYS_mprotect, 1, 0, f->host), "addr=1 length=0 prot=%u", f->schema);
		CALL(of("mmap/prot", f), "mmap_x", (SYS_mmap, NULL, 0, f->host, 0, -1, 0), "length=0 prot=%u flags=0", f->schema);
	}
	EACH (f, map_flags)
		CALL(of("mmap", f), "mmap_x", (SYS_mmap, NULL, 0, 0, f->host, -1, 0), "length=0 prot=0 flags=%u", f->schema);
	EACH (f, lock_flags)
		CALL(of("mlockall", f), "mlockall_x", (SYS_mlockall, f->host | 0x1000), "res=-22 flags=%u", f->schema);
	EACH (f, memfd_flags)
		CALL(of("memfd_create", f), "memfd_create_x", (SYS_memfd_create, NULL, f->host), "name=- flags=%u", f->schema);
}

static const struct flag unlinkat_flags[] = { F(0, 0), F(AT_REMOVEDIR, 0x200), F(0x100, 0) };
static const struct flag linkat_flags[] = { F(0, 0), F(AT_SYMLINK_FOLLOW, 0x400), F(AT_EMPTY_PATH, 0x1000), F(0x100, 0) };
static const struct flag fchownat_flags[] = { F(0, 0), F(AT_SYMLINK_NOFOLLOW, 0x400), F(AT_EMPTY_PATH, 0x1000), F(AT_SYMLINK_FOLLOW, 0) };
static const struct flag access_flags[] = { F(F_OK, 0), F(X_OK, 1), F(W_OK, 2), F(R_OK, 4), F(8, 0) };
static const struct flag umount_flags[] = { F(1, 1), F(2, 2), F(4, 4), F(8, 8), F(16, 0) };
static const struct flag renameat2_flags[] = { F(1, 1), F(2, 2), F(4, 4), F(0x80000000, 0x80000000) };
static const struct flag fstatat_flags[] = {
	F(0, 0), F(AT_SYMLINK_NOFOLLOW, 0x100), F(AT_NO_AUTOMOUNT, 0x800), F(AT_EMPTY_PATH, 0x1000), F(AT_REMOVEDIR, 0),
};

static void act_path_flags(void)
{
	EACH (f, unlinkat_flags)
		CALL(of("unlinkat", f), "unlinkat_x", (SYS_unlinkat, -7, "none", f->host), "dirfd=-7 name='none' flags=%u", f->schema);
	EACH (f, linkat_flags)
		CALL(of("linkat", f), "linkat_x", (SYS_linkat, -7, "one", -8, "two", f->host),
		     "olddir=-7 oldpath='one' newdir=-8 newpath='two' flags=%u", f->schema);
	EACH (f, fchownat_flags)
		CALL(of("fchownat", f), "fchownat_x", (SYS_fchownat, -7, "none", 1, -1, f->host),
		     "dirfd=-7 pathname='none' uid=1 gid=4294967295 flags=%u", f->schema);
	EACH (f, access_flags)
		CALL(of("access", f), "access_x", (SYS_access, "/none/x", f->host), "name='/none/x' mode=%u", f->schema);
	EACH (f, umount_flags)
		CALL(of("umount2", f), "umount2_x", (SYS_umount2, "/none/x", f->host), "name='/none/x' flags=%u", f->schema);
	EACH (f, renameat2_flags)
		CALL(of("renameat2", f), "renameat2_x", (SYS_renameat2, -7, "one", -8, "two", f->host),
		     "olddirfd=-7 oldpath='one' newdirfd=-8 newpath='two' flags=%u", f->schema);
	EACH (f, fstatat_flags)
		CALL(of("newfstatat", f), "newfstatat_x", (SYS_newfstatat, -7, "none", NULL, f->host), "dirfd=-7 path='none' flags=%u", f->schema);
}

static const struct flag poll_flags[] = {
	F(POLLIN, 1), F(POLLPRI, 2), F(POLLOUT, 4), F(POLLERR, 0x10), F(POLLHUP, 0x20), F(POLLNVAL, 0x40), F(POLLRDNORM, 0x80),
	F(POLLRDBAND, 0x100), F(POLLWRNORM, 0x200), F(POLLWRBAND, 0x400), F(POLLRDHUP, 8), F(POLLMSG, 0),
};

static const struct flag splice_flags[] = { F(0, 0), F(1, 1), F(2, 2), F(4, 4), F(8, 8), F(16, 0) };
static const struct flag flock_flags[] = { F(LOCK_SH, 1), F(LOCK_EX, 2), F(LOCK_NB, 4), F(LOCK_UN, 8), F(0x20, 0) };
static const struct flag whences[] = { F(SEEK_SET, 0), F(SEEK_CUR, 1), F(SEEK_END, 2), F(99, 0) };
static const struct flag close_range_flags[] = { F(CLOSE_RANGE_UNSHARE, 2), F(CLOSE_RANGE_CLOEXEC, 4), F(1, 0), F(8, 0) };

static const struct flag fcntl_commands[] = {
	F(F_DUPFD, 1), F(F_GETFD, 2), F(F_SETFD, 3), F(F_GETFL, 4), F(F_SETFL, 5), F(5, 6), F(6, 8), F(7, 9), F(F_SETOWN, 10),
	F(F_GETOWN, 12), F(F_SETSIG, 13), F(F_GETSIG, 15), F(F_SETOWN_EX, 21), F(F_GETOWN_EX, 22), F(F_OFD_GETLK, 30),
	F(F_OFD_SETLK, 31), F(F_OFD_SETLKW, 32), F(F_SETLEASE, 23), F(F_GETLEASE, 24), F(F_NOTIFY, 27), F(1029, 25),
	F(F_DUPFD_CLOEXEC, 26), F(F_SETPIPE_SZ, 28), F(F_GETPIPE_SZ, 29), F(9999, 0),
};

static void act_io_flags(void)
{
	/* A call that fails before it polls leaves the results as they were: here, as we want them. */
	static const struct timespec invalid = { 0, -1 };
	static struct pollfd polls[1];

	EACH (f, poll_flags) {
		polls[0] = (struct pollfd){ 5, 0, f->host };
		CALL(of("ppoll", f), "ppoll_x", (SYS_ppoll, polls, 1, &invalid, NULL, 8), "res=-22 fds=1,5:%u", f->schema);
	}
	EACH (f, splice_flags)
		CALL(of("splice", f), "splice_x", (SYS_splice, 999, NULL, 998, NULL, 9, f->host), "fd_in=999 fd_out=998 size=9 flags=%u", f->schema);
	EACH (f, flock_flags)
		CALL(of("flock", f), "flock_x", (SYS_flock, 999, f->host), "fd=999 operation=%u", f->schema);
	EACH (f, whences)
		CALL(of("lseek", f), "lseek_x", (SYS_lseek, 999, 5, f->host), "res=-9 fd=999 offset=5 whence=%u", f->schema);
#if NARROW
	EACH (f, whences)
		CALL(of("llseek", f), "llseek_x", (SYS__llseek, 999, 1, 2, NULL, f->host), "res=-9 fd=999 offset=4294967298 whence=%u", f->schema);
#endif
	EACH (f, close_range_flags)
		CALL(of("close_range", f), "close_range_x", (SYS_close_range, 500, 400, f->host), "res=-22 first=500 last=400 flags=%u", f->schema);
	EACH (f, fcntl_commands)
		CALL(of("fcntl", f), "fcntl_x", (SYS_fcntl, 999, f->host, 7), "res=-9 fd=999 cmd=%u arg=7", f->schema);
}

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
	F(IORING_SETUP_IOPOLL, 4), F(IORING_SETUP_SQPOLL, 2), F(IORING_SETUP_SQ_AFF, 8), F(IORING_SETUP_CQSIZE, 16),
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

static void act_flags(void)
{
	in_child(act_open_flags);
	in_child(act_resolve_flags);
	in_child(act_modes);
	in_child(act_descriptor_flags);
	in_child(act_memory_flags);
	in_child(act_path_flags);
	in_child(act_io_flags);
	in_child(act_clone_flags);
	in_child(act_socket_flags);
	in_child(act_limit_flags);
	in_child(act_ipc_flags);
	in_child(act_quota_flags);
	in_child(act_ptrace_flags);
	in_child(act_uring_flags);
	in_child(act_kernel_flags);
}
