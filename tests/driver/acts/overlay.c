// SPDX-License-Identifier: Apache-2.0
/* Acts on an overlay, whose module the test has loaded. */
#include "acts.h"

#include <sys/mount.h>

static void put(const char *path, int mode)
{
	int from = open(PROGRAM, O_RDONLY), to = open(path, O_CREAT | O_WRONLY, mode);

	while (sendfile(to, from, NULL, 1 << 20) > 0)
		;
	close(from);
	close(to);
}

static void from_lower(void)
{
	raw(SYS_execve, "/tmp/ovl/m/lower", five, env);
}

static void from_upper(void)
{
	raw(SYS_execve, "/tmp/ovl/m/upper", five, env);
}

static void act_layers(void)
{
	long fd, pid;

	must("mkdir", mkdir("/tmp/ovl", 0755));
	must("mount tmpfs", mount("t", "/tmp/ovl", "tmpfs", 0, NULL));
	mkdir("/tmp/ovl/l", 0755);
	mkdir("/tmp/ovl/u", 0755);
	mkdir("/tmp/ovl/w", 0755);
	mkdir("/tmp/ovl/m", 0755);
	put("/tmp/ovl/l/lower", 0755);
	put("/tmp/ovl/u/upper", 0755);
	must("mount overlay", mount("o", "/tmp/ovl/m", "overlay", 0, "lowerdir=/tmp/ovl/l,upperdir=/tmp/ovl/u,workdir=/tmp/ovl/w"));

	fd = raw(SYS_open, "/tmp/ovl/m/lower", O_RDONLY);
	expect("overlay/lower/enter", "open_e", "flags=1");
	expect("overlay/lower", "open_x", "fd=%ld flags=%d", fd, S_RDONLY | S_LOWER);
	fd = raw(SYS_open, "/tmp/ovl/m/upper", O_RDONLY);
	expect("overlay/upper/enter", "open_e", "flags=1");
	expect("overlay/upper", "open_x", "fd=%ld flags=%d", fd, S_RDONLY | S_UPPER);
	fd = raw(SYS_creat, "/tmp/ovl/m/new", 0600);
	expect("overlay/creat/enter", "creat_e", "mode=%d", 0600);
	expect("overlay/creat", "creat_x", "fd=%ld creat_flags=1", fd);
	pid = execute(from_lower);
	expect_of(pid, "overlay/exec-lower", "execve_x", "res=0 flags=9 trusted_exepath='/tmp/ovl/m/lower'");
	pid = execute(from_upper);
	expect_of(pid, "overlay/exec-upper", "execve_x", "res=0 flags=3 trusted_exepath='/tmp/ovl/m/upper'");
	/* Opened for writing, the lower one is copied up. */
	fd = raw(SYS_open, "/tmp/ovl/m/lower", O_WRONLY);
	expect("overlay/copy-up/enter", "open_e", "flags=2");
	expect("overlay/copy-up", "open_x", "fd=%ld flags=%d", fd, S_WRONLY | S_UPPER);
	umount2("/tmp/ovl/m", MNT_DETACH);
}

static void act_overlay(void)
{
	in_child(act_layers);
}
