// SPDX-License-Identifier: Apache-2.0
/* Acts on mounts and quotas. */
#include "acts.h"

#include <linux/quota.h>
#include <sys/mount.h>

static void act_mounts(void)
{
	raw(SYS_unshare, CLONE_NEWNS);
	raw(SYS_mkdir, "/tmp/mnt", 0755);
	CALL("mount", "mount_x", (SYS_mount, "dev", "/tmp/mnt", "tmpfs", 0xC0ED0000 | MS_NOSUID, "size=1m"),
	     "res=0 dev='dev' dir='/tmp/mnt' type='tmpfs' flags=2");
	CALL("mount/remount", "mount_x", (SYS_mount, NULL, "/tmp/mnt", NULL, MS_REMOUNT | MS_RDONLY, NULL),
	     "res=0 dev=- dir='/tmp/mnt' type=- flags=33");
	CALL("mount/bind", "mount_x", (SYS_mount, "/tmp", "/tmp/mnt", "", MS_BIND | MS_REC, NULL),
	     "res=0 dev='/tmp' dir='/tmp/mnt' type='' flags=%d", MS_BIND | MS_REC);
	CALL("mount/bad", "mount_x", (SYS_mount, BAD, BAD, BAD, 0, NULL), "res=-14 dev=- dir=- type=- flags=0 rec=fault");
	CALL("mount/nowhere", "mount_x", (SYS_mount, "", NULL, "tmpfs", 0, NULL), "res=-14 dev='' dir=- type='tmpfs'");
	CALL("umount2", "umount2_x", (SYS_umount2, "/tmp/mnt", MNT_DETACH), "res=0 name='/tmp/mnt' flags=2");
	CALL("umount2/null", "umount2_x", (SYS_umount2, NULL, 0), "res=-14 name=- flags=0");
	CALL("umount2/bad", "umount2_x", (SYS_umount2, BAD, 0), "res=-14 name=- flags=0 rec=fault");
	CALL("umount2/not-mounted", "umount2_x", (SYS_umount2, "/tmp", -1), "res=-22 name='/tmp' flags=15");
#if NARROW
	CALL("umount", "umount_x", (SYS_umount, "/tmp/mnt"), "res=0 name='/tmp/mnt'");
	CALL("umount/null", "umount_x", (SYS_umount, NULL), "res=-14 name=-");
	CALL("umount/bad", "umount_x", (SYS_umount, BAD), "res=-14 name=- rec=fault");
#endif
	CALL("chroot/missing", "chroot_x", (SYS_chroot, "/tmp/none"), "res=-2 path='/tmp/none'");
	CALL("chroot/null", "chroot_x", (SYS_chroot, NULL), "res=-14 path=-");
	CALL("chroot/bad", "chroot_x", (SYS_chroot, BAD), "res=-14 path=- rec=fault");
	CALL("chroot", "chroot_x", (SYS_chroot, "/tmp"), "res=0 path='/tmp'");
}

/* A file system by the newer calls, of which one has an event of its own. */
static void act_mount_api(void)
{
	static char blob[100] = "blob";
	long fd = must("fsopen", raw(SYS_fsopen, "tmpfs", 0));

	CALL("fsconfig/flag", "fsconfig_x", (SYS_fsconfig, fd, 0, "ro", NULL, 0), "res=0 fd=%ld cmd=0 key='ro' value_bytebuf=- value_charbuf=- aux=0", fd);
	CALL("fsconfig/string", "fsconfig_x", (SYS_fsconfig, fd, 1, "size", "2m", 0),
	     "res=0 fd=%ld cmd=1 key='size' value_bytebuf=- value_charbuf='2m' aux=0", fd);
	CALL("fsconfig/invalid", "fsconfig_x", (SYS_fsconfig, fd, 1, "nonsense", "v", 3), "res=-22 key='nonsense' value_bytebuf=- value_charbuf=- aux=3");
	CALL("fsconfig/binary", "fsconfig_x", (SYS_fsconfig, fd, 2, "size", blob, sizeof(blob)), "res=-22 cmd=2 key='size' value_bytebuf=- aux=100");
	CALL("fsconfig/path", "fsconfig_x", (SYS_fsconfig, fd, 3, "size", "/tmp", AT_FDCWD), "res=-22 cmd=3 value_charbuf=- aux=-100");
	CALL("fsconfig/create", "fsconfig_x", (SYS_fsconfig, fd, 6, NULL, NULL, 0), "res=0 cmd=6 key=- value_bytebuf=- value_charbuf=- aux=0");
	CALL("fsconfig/bad", "fsconfig_x", (SYS_fsconfig, fd, 0, BAD, NULL, 0), "res=-14 cmd=0 key=- rec=fault");
}

static void act_quotas(void)
{
	static struct if_dqblk block = {
		.dqb_bhardlimit = 11, .dqb_bsoftlimit = 12, .dqb_curspace = 13, .dqb_ihardlimit = 14, .dqb_isoftlimit = 15,
		.dqb_curinodes = 16, .dqb_btime = 17, .dqb_itime = 18, .dqb_valid = QIF_ALL,
	};
	static struct if_dqinfo info = { .dqi_bgrace = 21, .dqi_igrace = 22, .dqi_flags = 1, .dqi_valid = IIF_ALL };
	static const struct flag valid[] = { F(QIF_BLIMITS, 0), F(QIF_SPACE, 0), F(QIF_ILIMITS, 0), F(QIF_INODES, 0), F(QIF_BTIME, 0), F(QIF_ITIME, 0) };

	CALL("quotactl/set", "quotactl_x", (SYS_quotactl, QCMD(Q_SETQUOTA, USRQUOTA), "/dev/none", 1000, &block),
	     "special='/dev/none' quotafilepath=- dqb_bhardlimit=11 dqb_bsoftlimit=12 dqb_curspace=13 dqb_ihardlimit=14 dqb_isoftlimit=15 "
	     "dqb_btime=17 dqb_itime=18 dqi_bgrace=0 dqi_igrace=0 dqi_flags=0 quota_fmt_out=1 cmd=64 type=1 id=1000 quota_fmt=1");
	EACH (f, valid) {
		unsigned int v = block.dqb_valid = f->host;

		CALL(of("quotactl/valid", f), "quotactl_x", (SYS_quotactl, QCMD(Q_GETQUOTA, GRPQUOTA), "/dev/none", 7, &block),
		     "dqb_bhardlimit=%d dqb_bsoftlimit=%d dqb_curspace=%d dqb_ihardlimit=%d dqb_isoftlimit=%d dqb_btime=%d dqb_itime=%d cmd=32 type=2 id=7",
		     v == QIF_BLIMITS ? 11 : 0, v == QIF_BLIMITS ? 12 : 0, v == QIF_SPACE ? 13 : 0, v == QIF_ILIMITS ? 14 : 0,
		     v == QIF_ILIMITS ? 15 : 0, v == QIF_BTIME ? 17 : 0, v == QIF_ITIME ? 18 : 0);
	}
	CALL("quotactl/info", "quotactl_x", (SYS_quotactl, QCMD(Q_SETINFO, USRQUOTA), "/dev/none", 5, &info),
	     "dqb_bhardlimit=0 dqb_btime=0 dqi_bgrace=21 dqi_igrace=22 dqi_flags=2 cmd=16 id=0");
	info.dqi_flags = 0;
	info.dqi_valid = IIF_FLAGS;
	CALL("quotactl/info/flags", "quotactl_x", (SYS_quotactl, QCMD(Q_GETINFO, USRQUOTA), "/dev/none", 5, &info),
	     "dqi_bgrace=0 dqi_igrace=0 dqi_flags=1 cmd=8");
	info.dqi_valid = IIF_BGRACE;
	CALL("quotactl/info/grace", "quotactl_x", (SYS_quotactl, QCMD(Q_GETINFO, USRQUOTA), "/dev/none", 5, &info),
	     "dqi_bgrace=21 dqi_igrace=0 dqi_flags=0");
	CALL("quotactl/on", "quotactl_x", (SYS_quotactl, QCMD(Q_QUOTAON, GRPQUOTA), "/dev/none", 2, "/quota"),
	     "quotafilepath='/quota' dqb_bhardlimit=0 cmd=1 type=2 id=0 quota_fmt=4");
	CALL("quotactl/on/null", "quotactl_x", (SYS_quotactl, QCMD(Q_QUOTAON, GRPQUOTA), "/dev/none", 2, NULL), "quotafilepath=- cmd=1");
	CALL("quotactl/bad", "quotactl_x", (SYS_quotactl, QCMD(Q_SETQUOTA, USRQUOTA), BAD, 3, BAD),
	     "special=- dqb_bhardlimit=0 dqb_itime=0 cmd=64 id=3 rec=fault");
}

static void act_mount(void)
{
	in_child(act_mounts);
	in_child(act_mount_api);
	in_child(act_quotas);
}
