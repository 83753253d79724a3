// SPDX-License-Identifier: Apache-2.0
/* Acts on memory, credentials, semaphores, mounts and the kernel. */
#include "acts.h"

#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/keyctl.h>
#include <linux/quota.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/sem.h>

static int statm;

/* Pages that the process maps, from /proc. */
static long mapped(void)
{
	char text[128] = "";

	raw(SYS_pread64, statm, text, sizeof(text) - 1, 0);
	return atol(text);
}

static void act_memory(void)
{
	long at, kb = sysconf(_SC_PAGESIZE) / 1024;

	statm = open("/proc/self/statm", O_RDONLY);
	mapped();
	at = raw(SYS_brk, 0);
	expect("brk", "brk_x", "res=%lu vm_size=%ld vm_rss=+ vm_swap=0 addr=0", at, mapped() * kb);
	at = raw(SYS_mmap, NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect("mmap", "mmap_x", "res=%ld vm_size=%ld vm_rss=+ vm_swap=0 addr=0 length=1048576 prot=3 flags=10 fd=-1 offset=0",
	       at, mapped() * kb);
	raw(SYS_mprotect, at, 4096, PROT_READ);
	expect("mprotect", "mprotect_x", "res=0 addr=%lu length=4096 prot=1", at);
	raw(SYS_mlock, at, 4096);
	expect("mlock", "mlock_x", "res=0 addr=%lu len=4096", at);
	raw(SYS_munmap, at, 1 << 20);
	expect("munmap", "munmap_x", "res=0 vm_size=%ld addr=%lu length=1048576", mapped() * kb, at);
	raw(SYS_munmap, 1, 1);
	expect("munmap/invalid", "munmap_x", "res=-22 addr=1 length=1");
	raw(SYS_mmap, NULL, 0, 0, 0, 77, 4096);
	expect("mmap/invalid", "mmap_x", "res=-9 length=0 prot=0 flags=0 fd=77 offset=4096");
	at = raw(SYS_memfd_create, "quiet", 1);
	expect("memfd_create", "memfd_create_x", "fd=%ld name=\"quiet\" flags=1", at);
}

static void act_creds(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	unsigned a, b, c;

	raw(SYS_setresuid, 1, 0, 5);
	expect("setresuid", "setresuid_x", "res=0 ruid=1 euid=0 suid=5");
	raw(SYS_getresuid, &a, &b, &c);
	expect("getresuid", "getresuid_x", "res=0 ruid=1 euid=0 suid=5");
	raw(SYS_getresuid, NULL, &b, 16);
	expect("getresuid/fault", "getresuid_x", "res=-14 ruid=- suid=- rec=%d", FAULT);
	raw(SYS_setresgid, 70000, 0, 4);
	expect("setresgid", "setresgid_x", "res=0 rgid=70000 egid=0 sgid=4");
	raw(SYS_getresgid, &a, &b, &c);
	expect("getresgid", "getresgid_x", "res=0 rgid=70000 egid=0 sgid=4");
	raw(SYS_getuid);
	expect("getuid", "getuid_x", "uid=1");
	raw(SYS_setgid, 0);
	expect("setgid", "setgid_x", "res=0 gid=0");
	raw(SYS_setregid, -1, 0);
	expect("setregid", "setregid_x", "res=0 rgid=4294967295 egid=0");

	raw(SYS_capget, &header, data);
	data[0].effective = 0x21;
	data[1].effective = 0;
	data[0].permitted = 0x23;
	data[1].permitted = 0x40;
	data[0].inheritable = 0x1;
	data[1].inheritable = 0;
	raw(SYS_capset, &header, data);
	expect("capset", "capset_x", "res=0 cap_inheritable=1 cap_permitted=%lu cap_effective=33", 0x23 | 0x40UL << 32);
	raw(SYS_capset, NULL, NULL);
	expect("capset/null", "capset_x", "res=-14 cap_effective=33");

	raw(SYS_setuid, 1);
	expect("setuid", "setuid_x", "res=? uid=1");
	raw(SYS_setreuid, 1, 1);
	expect("setreuid", "setreuid_x", "res=? ruid=1 euid=1");
}

static void act_keys(void)
{
	long ring = raw(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "ring");

	expect("keyctl/join", "keyctl_x", "res=%ld operation=1 arg2=1:\"ring\" arg3=0:0 arg4=0:0 arg5=0:0", ring);
	raw(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 9, 9);
	expect("keyctl/id", "keyctl_x", "res=%ld operation=0 arg2=0:-3 arg3=0:0 arg4=0:0 arg5=0:0", ring);
	raw(SYS_keyctl, KEYCTL_SEARCH, -3, "user", "none", 0);
	expect("keyctl/search", "keyctl_x", "res=-126 operation=10 arg2=0:-3 arg3=1:\"user\" arg4=1:\"none\" arg5=0:0");
	raw(SYS_keyctl, 1000, 1, 2, 3, 4);
	expect("keyctl/unknown", "keyctl_x", "res=-95 operation=1000 arg2=0:0 arg3=0:0 arg4=0:0 arg5=0:0");
	raw(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 16);
	expect("keyctl/fault", "keyctl_x", "res=-14 operation=1 arg2=- rec=%d", FAULT);
}

static void act_ipc(void)
{
	struct sembuf ops[] = { { 0, 3, IPC_NOWAIT }, { 1, 2, SEM_UNDO }, { 0, -1, 0 } };
	static int word;
	long id = raw(SYS_semget, IPC_PRIVATE, 2, IPC_CREAT | 0600);

	expect("semget", "semget_x", "res=%ld key=0 nsems=2 semflg=8192", id);
	raw(SYS_semop, id, ops, 3);
	expect("semop", "semop_x", "res=0 nsops=3 sem_num_0=0 sem_op_0=3 sem_flg_0=1 sem_num_1=1 sem_op_1=2 sem_flg_1=2 semid=%ld", id);
	raw(SYS_semop, id, ops + 2, 1);
	expect("semop/one", "semop_x", "res=0 nsops=1 sem_op_0=-1 sem_flg_0=0 sem_num_1=0 sem_op_1=0 sem_flg_1=0");
	raw(SYS_semop, id, NULL, 1);
	expect("semop/null", "semop_x", "res=-14 nsops=1 sem_op_0=0");
	raw(SYS_semctl, id, 1, SETVAL, 9);
	expect("semctl/setval", "semctl_x", "res=0 semid=%ld semnum=1 cmd=4096 val=9", id);
	raw(SYS_semctl, id, 1, GETVAL, 9);
	expect("semctl/getval", "semctl_x", "res=9 cmd=512 val=0");
	raw(SYS_semctl, id, 0, IPC_RMID, 0);
	expect("semctl/remove", "semctl_x", "res=0 cmd=4 val=0");
	raw(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
	expect("futex/wake", "futex_x", "res=0 addr=%lu op=129 val=1", (unsigned long)&word);
	raw(SYS_futex, &word, 127, 1, NULL, NULL, 0);
	expect("futex/unknown", "futex_x", "res=-38 op=0 val=1");
}

static void act_mount(void)
{
	struct if_dqblk block = { .dqb_bhardlimit = 11, .dqb_curspace = 13, .dqb_valid = QIF_BLIMITS };
	long fd;

	raw(SYS_unshare, CLONE_NEWNS);
	raw(SYS_mkdir, "/tmp/mnt", 0755);
	raw(SYS_mount, "dev", "/tmp/mnt", "tmpfs", 0xC0ED0000 | MS_NOSUID, "size=1m");
	expect("mount", "mount_x", "res=0 dev=\"dev\" dir=\"/tmp/mnt\" type=\"tmpfs\" flags=2");
	raw(SYS_mount, NULL, "/tmp/mnt", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	expect("mount/remount", "mount_x", "res=0 dev=- dir=\"/tmp/mnt\" type=- flags=33");
	raw(SYS_umount2, "/tmp/mnt", MNT_DETACH);
	expect("umount2", "umount2_x", "res=0 name=\"/tmp/mnt\" flags=2");
	raw(SYS_chroot, "/tmp/none");
	expect("chroot", "chroot_x", "res=-2 path=\"/tmp/none\"");

	fd = raw(SYS_fsopen, "tmpfs", 0);
	raw(SYS_fsconfig, fd, 1, "size", "2m", 0);
	expect("fsconfig/string", "fsconfig_x", "res=0 fd=%ld cmd=1 key=\"size\" value_bytebuf=- value_charbuf=\"2m\" aux=0", fd);
	raw(SYS_fsconfig, fd, 0, "ro", NULL, 0);
	expect("fsconfig/flag", "fsconfig_x", "res=0 cmd=0 key=\"ro\" value_bytebuf=- value_charbuf=-");
	raw(SYS_fsconfig, fd, 1, "nonsense", "v", 3);
	expect("fsconfig/invalid", "fsconfig_x", "res=-22 key=\"nonsense\" value_charbuf=- aux=3");

	raw(SYS_quotactl, QCMD(Q_SETQUOTA, USRQUOTA), "/dev/none", 1000, &block);
	expect("quotactl/set", "quotactl_x",
	       "res=-2 special=\"/dev/none\" quotafilepath=- dqb_bhardlimit=11 dqb_bsoftlimit=0 dqb_curspace=0 dqi_flags=0 "
	       "quota_fmt_out=1 cmd=64 type=1 id=1000 quota_fmt=1");
	raw(SYS_quotactl, QCMD(Q_QUOTAON, GRPQUOTA), "/dev/none", 2, "/quota");
	expect("quotactl/on", "quotactl_x", "res=-2 quotafilepath=\"/quota\" dqb_bhardlimit=0 cmd=1 type=2 id=0 quota_fmt=4");
}

static void act_kernel(void)
{
	static char image[200] = "not a module";

	raw(SYS_gettid);
	expect("generic/birth", "generic_x", "nativeID=%d", SYS_gettid); /* in_child() */
	expect("generic", "generic_x", "ID=140 nativeID=%d", SYS_gettid);
	raw(SYS_getrandom, NULL, 0, 0);
	expect("generic/getrandom", "generic_x", "ID=318 nativeID=%d", SYS_getrandom);

	raw(SYS_init_module, image, sizeof(image), "a=1");
	expect("init_module", "init_module_x", "res=-8 img=\"not\\x20a\\x20module*  length=200 uargs=\"a=1\"");
	raw(SYS_init_module, NULL, 0, NULL);
	expect("init_module/null", "init_module_x", "res=? img=- length=0 uargs=-");
	raw(SYS_finit_module, -1, "b", 1);
	expect("finit_module", "finit_module_x", "res=-9 fd=-1 uargs=\"b\" flags=1");
	raw(SYS_delete_module, "none", O_NONBLOCK);
	expect("delete_module", "delete_module_x", "res=-2 name=\"none\" flags=2");
	raw(SYS_bpf, 5, NULL, 0);
	expect("bpf", "bpf_x", "fd=? cmd=5");
	raw(SYS_socket, 0x100000002, SOCK_DGRAM, 0);
	expect("socket/upper-half", "socket_x", "fd=? domain=2");
}

static void act_rest(void)
{
	in_child(act_memory);
	in_child(act_creds);
	in_child(act_keys);
	in_child(act_ipc);
	in_child(act_mount);
	in_child(act_kernel);
}
