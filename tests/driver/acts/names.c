// SPDX-License-Identifier: Apache-2.0
/* Acts on names that are not there, cannot be read, or are too long. */
#include "acts.h"

/* Each path that can be none, and each that cannot be read. */
static void act_no_names(void)
{
	static const struct { const char *check, *event, *params; long nr; int first; } calls[] = {
		{ "mkdir", "mkdir_x", "path=", SYS_mkdir, 0 },
		{ "rmdir", "rmdir_x", "path=", SYS_rmdir, 0 },
		{ "unlink", "unlink_x", "path=", SYS_unlink, 0 },
		{ "chdir", "chdir_x", "path=", SYS_chdir, 0 },
		{ "chmod", "chmod_x", "filename=", SYS_chmod, 0 },
		{ "chown", "chown_x", "path=", SYS_chown, 0 },
		{ "lchown", "lchown_x", "path=", SYS_lchown, 0 },
		{ "creat", "creat_x", "name=", SYS_creat, 0 },
		{ "mknod", "mknod_x", "path=", SYS_mknod, 0 },
		{ "mkdirat", "mkdirat_x", "dirfd=-100 path=", SYS_mkdirat, 1 },
		{ "unlinkat", "unlinkat_x", "dirfd=-100 name=", SYS_unlinkat, 1 },
		{ "fchmodat", "fchmodat_x", "dirfd=-100 filename=", SYS_fchmodat, 1 },
		{ "fchownat", "fchownat_x", "dirfd=-100 pathname=", SYS_fchownat, 1 },
		{ "mknodat", "mknodat_x", "dirfd=-100 path=", SYS_mknodat, 1 },
		{ "openat", "openat_x", "dirfd=-100 name=", SYS_openat, 1 },
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		static const struct flag addresses[] = { F(0, 0), F(BAD, 1) };

		EACH (f, addresses) {
			char check[64];
			long ret = calls[i].first ? raw(calls[i].nr, AT_FDCWD, f->host, 0) : raw(calls[i].nr, f->host, 0);

			snprintf(check, sizeof(check), "%s/%s", calls[i].check, f->host ? "bad" : "null");
			if (calls[i].nr == SYS_openat)
				expect(check, "openat_e", "dirfd=-100 name=- rec=%s", f->host ? "fault" : "-");
			if (calls[i].nr == SYS_creat)
				expect(check, "creat_e", "name=- rec=%s", f->host ? "fault" : "-");
			EXPECT_RET(ret, check, calls[i].event, "%s- rec=%s", calls[i].params, f->host ? "fault" : "-");
		}
	}
}

/* The same for calls with two names: one is there, the other is not. */
static void act_two_names(void)
{
	CALL("rename/null", "rename_x", (SYS_rename, NULL, "b"), "res=-14 oldpath=- newpath='b'");
	CALL("rename/bad", "rename_x", (SYS_rename, "a", BAD), "oldpath='a' newpath=- rec=fault");
	CALL("rename/empty", "rename_x", (SYS_rename, "", ""), "res=-2 oldpath='' newpath=''");
	CALL("renameat/null", "renameat_x", (SYS_renameat, -5, NULL, 6, "b"), "olddirfd=-5 oldpath=- newdirfd=6 newpath='b'");
	CALL("renameat/bad", "renameat_x", (SYS_renameat, 999, "a", -100, BAD), "olddirfd=999 oldpath='a' newdirfd=-100 newpath=- rec=fault");
	CALL("renameat2/bad", "renameat2_x", (SYS_renameat2, 999, BAD, 998, BAD, -1), "olddirfd=999 oldpath=- newdirfd=998 newpath=- flags=4294967295 rec=fault");
	CALL("link/null", "link_x", (SYS_link, NULL, "b"), "res=-14 oldpath=- newpath='b'");
	CALL("link/bad", "link_x", (SYS_link, "/none/a", BAD), "oldpath='/none/a' newpath=- rec=fault");
	CALL("linkat/null", "linkat_x", (SYS_linkat, -5, NULL, 6, NULL, 0), "olddir=-5 oldpath=- newdir=6 newpath=- flags=0");
	CALL("linkat/bad", "linkat_x", (SYS_linkat, -5, BAD, 6, "b", 0), "olddir=-5 oldpath=- newdir=6 newpath='b' rec=fault");
	CALL("symlink/null", "symlink_x", (SYS_symlink, NULL, "/none/b"), "res=-14 target=- linkpath='/none/b'");
	CALL("symlink/bad", "symlink_x", (SYS_symlink, "a", BAD), "res=-14 target='a' linkpath=- rec=fault");
	CALL("symlinkat/null", "symlinkat_x", (SYS_symlinkat, "a", 999, NULL), "target='a' linkdirfd=999 linkpath=-");
	CALL("symlinkat/bad", "symlinkat_x", (SYS_symlinkat, BAD, -1, "b"), "res=-14 target=- linkdirfd=-1 linkpath='b' rec=fault");
	CALL("fchmod/closed", "fchmod_x", (SYS_fchmod, -1, 0), "res=-9 fd=-1 mode=0");
	CALL("fchown/closed", "fchown_x", (SYS_fchown, -1, -1, -1), "res=-9 fd=-1 uid=4294967295 gid=4294967295");
	CALL("fchdir/closed", "fchdir_x", (SYS_fchdir, -1), "res=-9 fd=-1");
	CALL("getcwd/null", "getcwd_x", (SYS_getcwd, NULL, 4096), "res=-14 path=-");
}

/* Names of the greatest length, one byte less, and one that ends at the end of what can be read. */
static void act_long_names(void)
{
	static char name[5000];
	char *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(edge + 4096, 4096, PROT_NONE);
	for (size_t i = 0; i < sizeof(name) - 1; i++)
		name[i] = i % 200 ? 'a' + i % 26 : '/';
	name[4095] = '\0';
	CALL("mkdir/4095", "mkdir_x", (SYS_mkdir, name, 0), "res=-2 path='%s'", name);
	name[4095] = 'z';
	name[4096] = '\0';
	CALL("mkdir/4096", "mkdir_x", (SYS_mkdir, name, 0), "res=-36 path='%.4095s' rec=cut", name);
	CALL("rename/4096", "rename_x", (SYS_rename, name, name), "res=-36 oldpath='%.4095s' newpath='%.4095s' rec=cut", name, name);
	CALL("symlink/4096", "symlink_x", (SYS_symlink, name, name), "res=-36 target='%s' linkpath='%.4095s' rec=cut", name, name);
	strcpy(edge + 4096 - 8, "/none/x");
	CALL("rmdir/edge", "rmdir_x", (SYS_rmdir, edge + 4096 - 8), "res=-2 path='/none/x'");
	edge[4095] = 'y';
	CALL("rmdir/over-edge", "rmdir_x", (SYS_rmdir, edge + 4096 - 8), "res=-14 path=- rec=fault");
	CALL("mkdir/letters", "mkdir_x", (SYS_mkdir, "/none/\xc3\xa4\xff\n'\"", 0), "res=-2 path='/none/\u00e4\\xff\\n\\x27\"'");
}

static void act_name(void)
{
	in_child(act_no_names);
	in_child(act_two_names);
	in_child(act_long_names);
}
