/* SPDX-License-Identifier: Apache-2.0 */
/* Acts on paths. */
#include "acts.h"

#include <linux/openat2.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/ioctl.h>

static char long_path[5000];

static void act_openat(void)
{
	struct object o;
	long fd;

	fd = raw(SYS_openat, AT_FDCWD, "/tmp/a", O_CREAT | O_RDWR | O_EXCL | O_CLOEXEC, 0640);
	must("create /tmp/a", fd);
	o = object_of(fd);
	expect("openat/create/enter", "openat_e", "dirfd=-100 name='/tmp/a' flags=%d mode=%d",
	       S_RDWR | S_CREAT | S_EXCL | S_CLOEXEC, 0640);
	expect("openat/create", "openat_x", "fd=%ld dirfd=-100 name='/tmp/a' flags=%d mode=%d dev=%lu ino=%lu",
	       fd, S_RDWR | S_CREAT | S_EXCL | S_CLOEXEC | S_CREATED, 0640, o.dev, o.ino);
	raw(SYS_close, fd);

	fd = raw(SYS_openat, AT_FDCWD, "/tmp/a", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	expect("openat/truncate/enter", "openat_e", "flags=%d", S_WRONLY | S_CREAT | S_TRUNC | S_APPEND);
	expect("openat/truncate", "openat_x", "fd=%ld flags=%d mode=%d dev=%lu ino=%lu", fd,
	       S_WRONLY | S_CREAT | S_TRUNC | S_APPEND, 0600, o.dev, o.ino);
	raw(SYS_close, fd);

	fd = raw(SYS_openat, AT_FDCWD, "/tmp/none", O_RDONLY, 0777);
	expect("openat/missing/enter", "openat_e", "name='/tmp/none' mode=0");
	expect("openat/missing", "openat_x", "fd=-2 name='/tmp/none' flags=1 mode=0 dev=0 ino=0");

	raw(SYS_openat, 7, NULL, O_RDONLY);
	expect("openat/null/enter", "openat_e", "dirfd=7 name=-");
	expect("openat/null", "openat_x", "fd=-14 dirfd=7 name=-");

	raw(SYS_openat, -1, 16, O_RDONLY);
	expect("openat/fault/enter", "openat_e", "dirfd=-1 name=- rec=fault");
	expect("openat/fault", "openat_x", "fd=-14 name=- rec=fault");

	raw(SYS_openat, AT_FDCWD, "", O_RDONLY);
	expect("openat/empty/enter", "openat_e", "name=''");
	expect("openat/empty", "openat_x", "fd=-2 name=''");

	memset(long_path, 'x', sizeof(long_path) - 1);
	raw(SYS_openat, AT_FDCWD, long_path, O_RDONLY);
	expect("openat/long/enter", "openat_e", "name='%.4095s' rec=cut", long_path);
	expect("openat/long", "openat_x", "fd=-36 name='%.4095s' rec=cut", long_path);

	fd = raw(SYS_openat, AT_FDCWD, "/tmp", O_DIRECTORY, 0777);
	o = object_of(fd);
	expect("openat/directory/enter", "openat_e", "flags=%d mode=0", S_RDONLY | S_DIRECTORY);
	expect("openat/directory", "openat_x", "fd=%ld flags=%d mode=0 dev=%lu ino=%lu", fd,
	       S_RDONLY | S_DIRECTORY, o.dev, o.ino);
	raw(SYS_close, fd);

	fd = raw(SYS_openat, AT_FDCWD, "/tmp", O_PATH);
	expect("openat/path/enter", "openat_e", "flags=1");
	expect("openat/path", "openat_x", "fd=%ld flags=1 dev=%lu ino=%lu", fd, o.dev, o.ino);

	fd = raw(SYS_openat, fd, "a", O_RDWR | O_SYNC);
	expect("openat/sync/enter", "openat_e", "dirfd=%ld name='a'", fd - 1);
	expect("openat/sync", "openat_x", "fd=%ld dirfd=%ld name='a' flags=%d", fd, fd - 1, S_RDWR | S_SYNC | S_DSYNC);
	raw(SYS_close, fd);
	raw(SYS_close, fd - 1);

	fd = raw(SYS_openat, AT_FDCWD, "/tmp/a", O_DSYNC | O_NONBLOCK);
	expect("openat/dsync/enter", "openat_e", "flags=%d", S_RDONLY | S_DSYNC | S_NONBLOCK);
	expect("openat/dsync", "openat_x", "fd=%ld flags=%d", fd, S_RDONLY | S_DSYNC | S_NONBLOCK);
	raw(SYS_close, fd);

	fd = raw(SYS_openat, AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR, 0600);
	expect("openat/tmpfile/enter", "openat_e", "flags=%d mode=%d", S_RDWR | S_TMPFILE | S_DIRECTORY, 0600);
	expect("openat/tmpfile", "openat_x", "fd=%ld flags=%d mode=%d", fd, S_RDWR | S_TMPFILE | S_DIRECTORY, 0600);
	raw(SYS_close, fd);
}

/*
 * The name goes while the call waits for the other end of a fifo. In its place
 * there is nothing, or memory whose faults nobody answers.
 */
static char *vanishing;
static bool unanswered;

static long watch_page(void *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .range = { (uintptr_t)page, 4096 }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	long fd = raw(SYS_userfaultfd, O_CLOEXEC), ret;

	if (fd < 0)
		return fd;
	if (mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != page)
		return -ENOMEM;
	ret = ioctl(fd, UFFDIO_API, &api) ? -errno : 0;
	return ret ? ret : ioctl(fd, UFFDIO_REGISTER, &range) ? -errno : 0;
}

static void *make_vanish(void *thread)
{
	char state = 0, path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/stat", (long)thread);
	while (state != 'S') {
		char text[256] = "", *paren;

		fd = raw(SYS_open, path, O_RDONLY);
		raw(SYS_read, fd, text, sizeof(text) - 1);
		raw(SYS_close, fd);
		paren = strrchr(text, ')');
		state = paren ? paren[2] : 0;
	}
	raw(SYS_munmap, vanishing, 4096);
	if (unanswered)
		must("userfaultfd", watch_page(vanishing));
	raw(SYS_open, "/tmp/fifo", O_WRONLY);
	return NULL;
}

static void vanish(void)
{
	struct object o;
	pthread_t thread;
	long fd;

	raw(SYS_mknodat, AT_FDCWD, "/tmp/fifo", S_IFIFO | 0600, 0);
	vanishing = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(vanishing, "/tmp/fifo");
	pthread_create(&thread, NULL, make_vanish, (void *)self);
	fd = raw(SYS_openat, AT_FDCWD, vanishing, O_RDONLY);
	must("open /tmp/fifo", fd);
	pthread_join(thread, NULL);
	o = object_of(fd);
	expect(unanswered ? "openat/unanswered/enter" : "openat/vanished/enter", "openat_e", "name='/tmp/fifo'");
	expect(unanswered ? "openat/unanswered" : "openat/vanished", "openat_x", "fd=%ld name='/tmp/fifo' flags=1 dev=%lu ino=%lu rec=fault",
	       fd, o.dev, o.ino);
}

static void act_vanish(void)
{
	vanish();
}

static void act_vanish_unanswered(void)
{
	unanswered = true;
	vanish();
}

static void act_open(void)
{
	struct object o;
	long fd;

	fd = raw(SYS_open, "/tmp/b", O_CREAT | O_WRONLY, 0604);
	o = object_of(fd);
	expect("open/create/enter", "open_e", "name='/tmp/b' flags=%d mode=%d", S_WRONLY | S_CREAT, 0604);
	expect("open/create", "open_x", "fd=%ld name='/tmp/b' flags=%d mode=%d dev=%lu ino=%lu", fd,
	       S_WRONLY | S_CREAT | S_CREATED, 0604, o.dev, o.ino);
	raw(SYS_close, fd);
	raw(SYS_open, "/tmp/none/b", O_RDWR);
	expect("open/missing/enter", "open_e", "name='/tmp/none/b'");
	expect("open/missing", "open_x", "fd=-2 flags=3 mode=0 dev=0 ino=0");

	fd = raw(SYS_creat, "/tmp/c", 0666);
	o = object_of(fd);
	expect("creat/enter", "creat_e", "name='/tmp/c' mode=%d", 0666);
	expect("creat", "creat_x", "fd=%ld name='/tmp/c' mode=%d dev=%lu ino=%lu creat_flags=0", fd, 0666, o.dev, o.ino);
	raw(SYS_close, fd);
	raw(SYS_creat, NULL, 0666);
	expect("creat/null/enter", "creat_e", "name=-");
	expect("creat/null", "creat_x", "fd=-14 name=- mode=%d dev=0 ino=0", 0666);
}

static void act_openat2(void)
{
	struct open_how how = { .flags = O_RDWR | O_CREAT, .mode = 0611, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH };
	struct object o;
	long dir = raw(SYS_open, "/tmp", O_PATH), fd;

	fd = raw(SYS_openat2, dir, "d", &how, sizeof(how));
	must("openat2", fd);
	o = object_of(fd);
	expect("openat2/create/enter", "openat2_e", "dirfd=%ld name='d' flags=%d mode=%d resolve=9", dir,
	       S_RDWR | S_CREAT, 0611);
	expect("openat2/create", "openat2_x", "fd=%ld dirfd=%ld name='d' flags=%d mode=%d resolve=9 dev=%lu ino=%lu",
	       fd, dir, S_RDWR | S_CREAT | S_CREATED, 0611, o.dev, o.ino);
	raw(SYS_close, fd);
	raw(SYS_openat2, dir, "d", 16, sizeof(how));
	expect("openat2/fault/enter", "openat2_e", "name='d' flags=- mode=- resolve=- rec=fault");
	expect("openat2/fault", "openat2_x", "fd=-14 name='d' flags=- mode=- resolve=- dev=0 ino=0 rec=fault");
	raw(SYS_close, dir);
}

/* 0 is a descriptor like any other. */
static void act_open_zero(void)
{
	struct object o;

	raw(SYS_close, 0);
	raw(SYS_openat, AT_FDCWD, "/tmp/zero", O_CREAT | O_RDWR, 0600);
	o = object_of(0);
	expect("openat/zero/enter", "openat_e", "name='/tmp/zero'");
	expect("openat/zero", "openat_x", "fd=0 name='/tmp/zero' flags=%d dev=%lu ino=%lu", S_RDWR | S_CREAT | S_CREATED, o.dev, o.ino);
}

static void act_handle(void)
{
	struct { struct file_handle h; char bytes[MAX_HANDLE_SZ]; } handle = { .h.handle_bytes = MAX_HANDLE_SZ };
	long dir = raw(SYS_open, "/tmp", O_RDONLY), fd;
	struct object o;
	int mount;

	if (raw(SYS_name_to_handle_at, AT_FDCWD, "/tmp/a", &handle, &mount, 0) == 0) {
		fd = raw(SYS_open_by_handle_at, dir, &handle, O_RDWR);
		must("open_by_handle_at", fd);
		o = object_of(fd);
		expect("open_by_handle_at", "open_by_handle_at_x",
		       "fd=%ld mountfd=%ld flags=3 path='/tmp/a' dev=%lu ino=%lu", fd, dir, o.dev, o.ino);
	}
	raw(SYS_open_by_handle_at, 99, &handle, O_RDONLY);
	expect("open_by_handle_at/failed", "open_by_handle_at_x", "fd=-9 mountfd=99 flags=1 path=- dev=0 ino=0");
}

static void act_names(void)
{
	long fd;

	raw(SYS_mknod, "/tmp/pipe", S_IFIFO | 0622, 0);
	expect("mknod/fifo", "mknod_x", "res=0 path='/tmp/pipe' mode=%d dev=0", 0x1000 | 0622);
	raw(SYS_mknod, "/tmp/null", S_IFCHR | 0666, 0x103);
	expect("mknod/null", "mknod_x", "res=0 mode=%d dev=%d", 0x2000 | 0666, 0x103);
	raw(SYS_mknod, "/tmp/sda1", S_IFBLK | 0600, 0x801);
	expect("mknod/block", "mknod_x", "res=0 mode=%d dev=%d", 0x6000 | 0600, 0x801);
	raw(SYS_mknod, "/tmp/plain", 0644, 0);
	expect("mknod/plain", "mknod_x", "res=0 mode=%d", 0x8000 | 0644);
	raw(SYS_mknod, "/tmp/dir", S_IFDIR | 0755, 0);
	expect("mknod/directory", "mknod_x", "res=-1 mode=%d", 0755);
	raw(SYS_mknodat, AT_FDCWD, NULL, S_IFSOCK | 0700, 5);
	expect("mknodat/null", "mknodat_x", "res=-14 dirfd=-100 path=- mode=%d dev=5", 0xc000 | 0700);

	static char cwd[256];

	raw(SYS_mkdir, "/tmp/dir", 0751);
	expect("mkdir", "mkdir_x", "res=0 path='/tmp/dir' mode=%d", 0751);
	raw(SYS_chdir, "/tmp/dir");
	expect("chdir", "chdir_x", "res=0 path='/tmp/dir'");
	raw(SYS_getcwd, cwd, sizeof(cwd));
	expect("getcwd", "getcwd_x", "res=9 path='/tmp/dir'");
	raw(SYS_getcwd, cwd, 2);
	expect("getcwd/range", "getcwd_x", "res=-34 path=-");
	fd = raw(SYS_open, "/", O_RDONLY);
	raw(SYS_fchdir, fd);
	expect("fchdir", "fchdir_x", "res=0 fd=%ld", fd);
	raw(SYS_close, fd);
	expect("close", "close_x", "res=0 fd=%ld", fd);
	raw(SYS_close, 999);
	expect("close/bad", "close_x", "res=-9 fd=999");
	raw(SYS_mkdirat, AT_FDCWD, "/tmp/dir/in", 0700);
	expect("mkdirat", "mkdirat_x", "res=0 dirfd=-100 path='/tmp/dir/in' mode=%d", 0700);
	raw(SYS_rmdir, "/tmp/dir/in");
	expect("rmdir", "rmdir_x", "res=0 path='/tmp/dir/in'");
	raw(SYS_rename, "/tmp/plain", "/tmp/plain2");
	expect("rename", "rename_x", "res=0 oldpath='/tmp/plain' newpath='/tmp/plain2'");
	raw(SYS_renameat, AT_FDCWD, "/tmp/plain2", 3, "/tmp/plain");
	expect("renameat", "renameat_x", "res=0 olddirfd=-100 oldpath='/tmp/plain2' newdirfd=3 newpath='/tmp/plain'");
	raw(SYS_renameat2, AT_FDCWD, "/tmp/plain", AT_FDCWD, "/tmp/null", 2);
	expect("renameat2", "renameat2_x", "res=0 oldpath='/tmp/plain' newpath='/tmp/null' flags=2");
	raw(SYS_link, "/tmp/null", "/tmp/hard");
	expect("link", "link_x", "res=0 oldpath='/tmp/null' newpath='/tmp/hard'");
	raw(SYS_linkat, AT_FDCWD, "/tmp/null", AT_FDCWD, "/tmp/hard2", AT_SYMLINK_FOLLOW);
	expect("linkat", "linkat_x", "res=0 olddir=-100 oldpath='/tmp/null' newdir=-100 newpath='/tmp/hard2' flags=%d",
	       AT_SYMLINK_FOLLOW);
	raw(SYS_symlink, "/etc/shadow", "/tmp/soft");
	expect("symlink", "symlink_x", "res=0 target='/etc/shadow' linkpath='/tmp/soft'");
	raw(SYS_symlinkat, "/etc", AT_FDCWD, "/tmp/soft2");
	expect("symlinkat", "symlinkat_x", "res=0 target='/etc' linkdirfd=-100 linkpath='/tmp/soft2'");
	raw(SYS_unlink, "/tmp/soft");
	expect("unlink", "unlink_x", "res=0 path='/tmp/soft'");
	raw(SYS_unlinkat, AT_FDCWD, "/tmp/soft2", 0);
	expect("unlinkat", "unlinkat_x", "res=0 dirfd=-100 name='/tmp/soft2' flags=0");
	raw(SYS_unlinkat, AT_FDCWD, "/tmp/dir", AT_REMOVEDIR);
	expect("unlinkat/dir", "unlinkat_x", "res=0 name='/tmp/dir' flags=512");
	raw(SYS_chmod, "/tmp/a", 04755);
	expect("chmod", "chmod_x", "res=0 filename='/tmp/a' mode=%d", 04755);
	raw(SYS_fchmodat, AT_FDCWD, "/tmp/a", 0600);
	expect("fchmodat", "fchmodat_x", "res=0 dirfd=-100 filename='/tmp/a' mode=%d", 0600);
	fd = raw(SYS_open, "/tmp/a", O_RDONLY);
	raw(SYS_fchmod, fd, 02644);
	expect("fchmod", "fchmod_x", "res=0 fd=%ld mode=%d", fd, 02644);
	raw(SYS_fchown, fd, 1, 2);
	expect("fchown", "fchown_x", "res=0 fd=%ld uid=1 gid=2", fd);
	raw(SYS_chown, "/tmp/a", 3, -1);
	expect("chown", "chown_x", "res=0 path='/tmp/a' uid=3 gid=4294967295");
	raw(SYS_lchown, "/tmp/a", 0, 0);
	expect("lchown", "lchown_x", "res=0 path='/tmp/a' uid=0 gid=0");
	raw(SYS_fchownat, AT_FDCWD, "/tmp/a", 0, 0, AT_SYMLINK_NOFOLLOW);
	expect("fchownat", "fchownat_x", "res=0 dirfd=-100 pathname='/tmp/a' uid=0 gid=0 flags=%d", 0x400);
}

static void act_stat(void)
{
	static char status[256], entries[512];
	long fd = raw(SYS_open, "/tmp", O_RDONLY);

	raw(SYS_symlink, "/tmp", "/tmp/link");
	CALL("stat", "stat_x", (SYS_stat, "/tmp", status), "res=0 path='/tmp'");
	CALL("stat/missing", "stat_x", (SYS_stat, "/tmp/none", status), "res=-2 path='/tmp/none'");
	CALL("stat/null", "stat_x", (SYS_stat, NULL, NULL), "res=-14 path=-");
	CALL("stat/bad", "stat_x", (SYS_stat, BAD, status), "res=-14 path=- rec=fault");
	CALL("lstat", "lstat_x", (SYS_lstat, "/tmp/link", status), "res=0 path='/tmp/link'");
	CALL("lstat/empty", "lstat_x", (SYS_lstat, "", status), "res=-2 path=''");
	CALL("lstat/bad", "lstat_x", (SYS_lstat, BAD, status), "res=-14 path=- rec=fault");
	CALL("fstat", "fstat_x", (SYS_fstat, fd, status), "res=0 fd=%ld", fd);
	CALL("fstat/closed", "fstat_x", (SYS_fstat, 999, status), "res=-9 fd=999");
#if NARROW
	CALL("stat/old", "stat_x", (__NR_stat, "/tmp", status), "res=0 path='/tmp'");
	CALL("lstat/old", "lstat_x", (__NR_lstat, "/tmp/link", status), "res=0 path='/tmp/link'");
	CALL("fstat/old", "fstat_x", (__NR_fstat, fd, status), "res=0 fd=%ld", fd);
#endif
	CALL("newfstatat", "newfstatat_x", (SYS_newfstatat, fd, "link", status, AT_SYMLINK_NOFOLLOW), "res=0 dirfd=%ld path='link' flags=256", fd);
	CALL("newfstatat/self", "newfstatat_x", (SYS_newfstatat, fd, "", status, AT_EMPTY_PATH), "res=0 dirfd=%ld path='' flags=4096", fd);
	CALL("newfstatat/cwd", "newfstatat_x", (SYS_newfstatat, AT_FDCWD, "/tmp/none", status, 0), "res=-2 dirfd=-100 path='/tmp/none' flags=0");
	CALL("newfstatat/bad", "newfstatat_x", (SYS_newfstatat, -1, BAD, status, 0), "dirfd=-1 path=- rec=fault");
	CALL("access", "access_x", (SYS_access, "/tmp", R_OK | W_OK | X_OK), "res=0 name='/tmp' mode=7");
	CALL("access/null", "access_x", (SYS_access, NULL, 0), "res=-14 name=- mode=0");
	CALL("access/bad", "access_x", (SYS_access, BAD, 0), "res=-14 name=- rec=fault");
	raw(SYS_getdents, fd, entries, sizeof(entries));
	expect("getdents", "getdents_x", "res=+ fd=%ld", fd);
	CALL("getdents/closed", "getdents_x", (SYS_getdents, 999, entries, sizeof(entries)), "res=-9 fd=999");
	CALL("getdents64", "getdents64_x", (SYS_getdents64, fd, entries, sizeof(entries)), "fd=%ld", fd);
	CALL("getdents64/small", "getdents64_x", (SYS_getdents64, -1, NULL, 0), "res=-9 fd=-1");
}

static void act_path(void)
{
	in_child(act_openat);
	in_child(act_open);
	in_child(act_openat2);
	in_child(act_open_zero);
	in_child(act_handle);
	in_child(act_names);
	in_child(act_stat);
	in_child(act_vanish);
	in_child(act_vanish_unanswered);
}
