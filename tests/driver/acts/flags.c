// SPDX-License-Identifier: Apache-2.0
/*
 * Each flag and each value that the schema has a name for, once: the host's
 * word as it is passed, and the schema's as it must arrive. Those of calls on
 * files and memory are here, all others in values.c. Most calls fail,
 * which their flags do not mind. Where a set has values that the host's headers
 * know by another name, or not yet, they stand as numbers.
 */
#include "acts.h"

#include <linux/close_range.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
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
	/* A word that is negative is refused, and none of its bits is a flag. */
	static const struct flag negative[] = { F(-1, 0), F(0x80000000 | O_NONBLOCK, 0), F(0x80000000 | O_CLOEXEC, 0) };

	EACH (f, negative) {
		CALL(of("inotify_init1", f), "inotify_init1_x", (SYS_inotify_init1, f->host), "res=-22 flags=0");
		CALL(of("eventfd2", f), "eventfd2_x", (SYS_eventfd2, 7, f->host), "res=-22 flags=0 initval=7");
		CALL(of("signalfd4", f), "signalfd4_x", (SYS_signalfd4, -1, &mask, 8, f->host), "res=-22 flags=0 fd=-1");
		CALL(of("pipe2", f), "pipe2_x", (SYS_pipe2, NULL, f->host), "res=-22 flags=0");
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

static void act_flags(void)
{
	in_child(act_open_flags);
	in_child(act_resolve_flags);
	in_child(act_modes);
	in_child(act_descriptor_flags);
	in_child(act_memory_flags);
	in_child(act_path_flags);
	in_child(act_io_flags);
}
