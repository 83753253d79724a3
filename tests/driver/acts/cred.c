// SPDX-License-Identifier: Apache-2.0
/* Acts on credentials, capabilities and keys. */
#include "acts.h"

#include <linux/capability.h>
#include <linux/keyctl.h>

static unsigned int a, b, c; /* where calls put ids */

static void act_users(void)
{
	CALL("setresuid", "setresuid_x", (SYS_setresuid, 1, 0, 5), "res=0 ruid=1 euid=0 suid=5");
	CALL("getresuid", "getresuid_x", (SYS_getresuid, &a, &b, &c), "res=0 ruid=1 euid=0 suid=5");
	CALL("getresuid/fault", "getresuid_x", (SYS_getresuid, NULL, &b, BAD), "res=-14 ruid=- suid=- rec=fault");
	raw(SYS_getuid);
	expect("getuid", "getuid_x", "uid=1");
	raw(SYS_geteuid);
	expect("geteuid", "geteuid_x", "euid=0");
	CALL("setreuid", "setreuid_x", (SYS_setreuid, -1, 0), "res=0 ruid=4294967295 euid=0");
	CALL("setuid", "setuid_x", (SYS_setuid, 70001), "res=0 uid=70001");
	raw(SYS_geteuid);
	expect("geteuid/other", "geteuid_x", "euid=70001");
	CALL("setuid/refused", "setuid_x", (SYS_setuid, 0), "res=-1 uid=0");
	CALL("setuid/invalid", "setuid_x", (SYS_setuid, -1), "res=-22 uid=4294967295");
	CALL("setreuid/refused", "setreuid_x", (SYS_setreuid, 3, 4), "res=-1 ruid=3 euid=4");
	CALL("setresuid/refused", "setresuid_x", (SYS_setresuid, 0, -1, 7), "res=-1 ruid=0 euid=4294967295 suid=7");
}

static void act_groups(void)
{
	CALL("setresgid", "setresgid_x", (SYS_setresgid, 70000, 0, 4), "res=0 rgid=70000 egid=0 sgid=4");
	CALL("getresgid", "getresgid_x", (SYS_getresgid, &a, &b, &c), "res=0 rgid=70000 egid=0 sgid=4");
	CALL("getresgid/fault", "getresgid_x", (SYS_getresgid, BAD, &b, NULL), "res=-14 rgid=- egid=? sgid=- rec=fault");
	raw(SYS_getgid);
	expect("getgid", "getgid_x", "gid=70000");
	raw(SYS_getegid);
	expect("getegid", "getegid_x", "egid=0");
	CALL("setregid", "setregid_x", (SYS_setregid, -1, 9), "res=0 rgid=4294967295 egid=9");
	raw(SYS_getegid);
	expect("getegid/other", "getegid_x", "egid=9");
	CALL("setgid", "setgid_x", (SYS_setgid, 11), "res=0 gid=11");
	raw(SYS_setresuid, 1, 1, 1);
	CALL("setgid/refused", "setgid_x", (SYS_setgid, 12), "res=-1 gid=12");
	CALL("setregid/refused", "setregid_x", (SYS_setregid, 0, 0), "res=-1 rgid=0 egid=0");
	CALL("setresgid/refused", "setresgid_x", (SYS_setresgid, 0, 0, 0), "res=-1 rgid=0 egid=0 sgid=0");
}

#if NARROW
/* The same calls for ids of 16 bits, as programs of the nineties make them. */
static void act_short_ids(void)
{
	static uint16_t x = 0xffff, y = 0xffff, z = 0xffff;

	CALL("getresuid16", "getresuid_x", (__NR_getresuid, &x, &y, &z), "res=0 ruid=0 euid=0 suid=0");
	CALL("getresgid16", "getresgid_x", (__NR_getresgid, &x, &y, &z), "res=0 rgid=0 egid=0 sgid=0");
	CALL("setresuid16", "setresuid_x", (__NR_setresuid, 1, 0, 2), "res=0 ruid=1 euid=0 suid=2");
	CALL("setresgid16", "setresgid_x", (__NR_setresgid, 3, 0, 4), "res=0 rgid=3 egid=0 sgid=4");
	CALL("setreuid16", "setreuid_x", (__NR_setreuid, 5, 0), "res=0 ruid=5 euid=0");
	CALL("setregid16", "setregid_x", (__NR_setregid, 6, 0), "res=0 rgid=6 egid=0");
	/* What is left as it is, and what the kernel does not look at. */
	CALL("setreuid16/keep", "setreuid_x", (__NR_setreuid, 65535, 0), "res=0 ruid=4294967295 euid=0");
	CALL("setresuid16/wide", "setresuid_x", (__NR_setresuid, 65535, 65535, 65536 + 2), "res=0 ruid=4294967295 euid=4294967295 suid=2");
	raw(__NR_getuid);
	expect("getuid16", "getuid_x", "uid=5");
	raw(__NR_geteuid);
	expect("geteuid16", "geteuid_x", "euid=0");
	raw(__NR_getgid);
	expect("getgid16", "getgid_x", "gid=6");
	raw(__NR_getegid);
	expect("getegid16", "getegid_x", "egid=0");
	CALL("setgid16", "setgid_x", (__NR_setgid, 7), "res=0 gid=7");
	CALL("setuid16", "setuid_x", (__NR_setuid, 8), "res=0 uid=8");
	CALL("chown16", "chown_x", (__NR_chown, "/none/x", 9, 10), "res=-2 path='/none/x' uid=9 gid=10");
	CALL("lchown16", "lchown_x", (__NR_lchown, "/none/x", 9, 10), "res=-2 path='/none/x' uid=9 gid=10");
	CALL("fchown16", "fchown_x", (__NR_fchown, 999, 9, 10), "res=-9 fd=999 uid=9 gid=10");
}
#endif

static void act_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = 0x21, .permitted = 0x23, .inheritable = 0x1 }, { .permitted = 0x40 },
	};

	CALL("capset", "capset_x", (SYS_capset, &header, data), "res=0 cap_inheritable=1 cap_permitted=%llu cap_effective=33",
	     0x23 | 0x40ULL << 32);
	CALL("capset/null", "capset_x", (SYS_capset, NULL, NULL), "res=-14 cap_inheritable=1 cap_effective=33");
	data[0].permitted = ~0;
	CALL("capset/refused", "capset_x", (SYS_capset, &header, data), "res=-1 cap_inheritable=1 cap_permitted=%llu cap_effective=33",
	     0x23 | 0x40ULL << 32);
	data[0] = (struct __user_cap_data_struct){ .inheritable = 0x1 };
	data[1].permitted = 0;
	CALL("capset/drop", "capset_x", (SYS_capset, &header, data), "res=0 cap_inheritable=1 cap_permitted=0 cap_effective=0");
}

static void act_keys(void)
{
	long ring = CALL("keyctl/join", "keyctl_x", (SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "ring"),
			 "operation=1 arg2=1:'ring' arg3=0:0 arg4=0:0 arg5=0:0");

	CALL("keyctl/id", "keyctl_x", (SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 9, 9),
	     "res=%ld operation=0 arg2=0:-3 arg3=0:0 arg4=0:0 arg5=0:0", ring);
	CALL("keyctl/search", "keyctl_x", (SYS_keyctl, KEYCTL_SEARCH, -3, "user", "none", 0),
	     "res=-126 operation=10 arg2=0:-3 arg3=1:'user' arg4=1:'none' arg5=0:0");
	CALL("keyctl/null", "keyctl_x", (SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL), "operation=1 arg2=-");
	CALL("keyctl/fault", "keyctl_x", (SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, BAD), "res=-14 operation=1 arg2=- rec=fault");
	CALL("keyctl/unknown", "keyctl_x", (SYS_keyctl, 1000, 1, 2, 3, 4), "res=-95 operation=1000 arg2=0:0 arg3=0:0 arg4=0:0 arg5=0:0");
}

/* What each operation's arguments are: i a number, s a string, - nothing. */
static const struct { unsigned int op; const char *kinds; } operations[] = {
	{ 0, "ii--" }, { 1, "s---" }, { 2, "iii-" }, { 3, "i---" }, { 4, "iii-" }, { 5, "ii--" }, { 6, "iii-" }, { 7, "i---" },
	{ 8, "ii--" }, { 9, "ii--" }, { 10, "issi" }, { 11, "iii-" }, { 12, "iiii" }, { 13, "iii-" }, { 14, "i---" }, { 15, "ii--" },
	{ 16, "i---" }, { 17, "iii-" }, { 18, "----" }, { 19, "iiii" }, { 20, "iiii" }, { 21, "i---" }, { 22, "ii--" }, { 23, "iiii" },
	{ 24, "iis-" }, { 25, "isii" }, { 26, "isii" }, { 27, "isii" }, { 28, "isii" }, { 29, "iss-" }, { 30, "iiii" }, { 31, "ii--" },
	{ 32, "iii-" }, { 33, "----" }, { -1, "----" },
};

static void act_key_operations(void)
{
	static char text[] = "no";
	long number = -(long)0x777; /* neither a key nor an address */

	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		const char *kinds = operations[i].kinds;
		char want[4][32], check[32];
		long args[4];

		for (int k = 0; k < 4; k++) {
			args[k] = kinds[k] == 's' ? (long)text : number;
			if (kinds[k] == 's')
				strcpy(want[k], "1:'no'");
			else
				snprintf(want[k], sizeof(want[k]), "0:%ld", kinds[k] == 'i' ? number : 0);
		}
		snprintf(check, sizeof(check), "keyctl/operation/%d", operations[i].op);
		CALL(check, "keyctl_x", (SYS_keyctl, operations[i].op, args[0], args[1], args[2], args[3]),
		     "operation=%u arg2=%s arg3=%s arg4=%s arg5=%s", operations[i].op, want[0], want[1], want[2], want[3]);
	}
}

static void act_cred(void)
{
	in_child(act_users);
	in_child(act_groups);
#if NARROW
	in_child(act_short_ids);
#endif
	in_child(act_capabilities);
	in_child(act_keys);
	in_child(act_key_operations);
}
