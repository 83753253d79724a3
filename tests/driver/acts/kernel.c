// SPDX-License-Identifier: Apache-2.0
/* Acts on the kernel itself, and calls without an event of their own. */
#include "acts.h"

#include <linux/bpf.h>

static void act_modules(void)
{
	static char image[200] = "not a module at all, though one could think so by its length, which is well above eighty";

	raw(SYS_init_module, image, sizeof(image), "a=1");
	expect("init_module", "init_module_x", "res=-8 img='not\\x20a\\x20module\\x20at\\x20all,\\x20though\\x20one\\x20could\\x20think\\x20so\\x20by\\x20"
	       "its\\x20length,\\x20which\\x20is\\x20well\\x20abov' length=200 uargs='a=1'");
	CALL("init_module/null", "init_module_x", (SYS_init_module, NULL, 0, NULL), "img=- length=0 uargs=-");
	CALL("init_module/bad", "init_module_x", (SYS_init_module, BAD, 4096, BAD), "res=-14 img=- length=4096 uargs=- rec=fault");
	CALL("init_module/huge", "init_module_x", (SYS_init_module, image, -1L, ""), "img='not* length=%lu uargs=''", -1UL);
	CALL("finit_module", "finit_module_x", (SYS_finit_module, -1, "b", 1), "res=-9 fd=-1 uargs='b' flags=1");
	CALL("finit_module/null", "finit_module_x", (SYS_finit_module, 77, NULL, 0), "res=-9 fd=77 uargs=- flags=0");
	CALL("finit_module/bad", "finit_module_x", (SYS_finit_module, 77, BAD, 8), "res=-22 fd=77 uargs=- flags=0 rec=fault");
	CALL("delete_module", "delete_module_x", (SYS_delete_module, "none", O_NONBLOCK), "res=-2 name='none' flags=2");
	CALL("delete_module/null", "delete_module_x", (SYS_delete_module, NULL, 0), "res=-14 name=- flags=0");
	CALL("delete_module/bad", "delete_module_x", (SYS_delete_module, BAD, O_TRUNC | O_NONBLOCK), "res=-14 name=- flags=3 rec=fault");
}

static void act_bpf(void)
{
	static union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };
	static const struct flag commands[] = {
		F(BPF_MAP_LOOKUP_ELEM, 1), F(BPF_MAP_UPDATE_ELEM, 2), F(BPF_MAP_DELETE_ELEM, 3), F(BPF_MAP_GET_NEXT_KEY, 4),
		F(BPF_PROG_LOAD, 5), F(BPF_OBJ_PIN, 6), F(BPF_OBJ_GET, 7), F(BPF_PROG_ATTACH, 8), F(BPF_PROG_DETACH, 9),
		F(BPF_PROG_TEST_RUN, 10), F(BPF_PROG_GET_NEXT_ID, 11), F(BPF_BTF_LOAD, 18), F(BPF_LINK_CREATE, 28),
		F(BPF_ITER_CREATE, 33),
	};

	must("bpf", CALL("bpf/map", "bpf_x", (SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)), "cmd=0"));
	EACH (f, commands)
		CALL(of("bpf", f), "bpf_x", (SYS_bpf, f->host, NULL, 0), "cmd=%u", f->schema);
	CALL("bpf/unknown", "bpf_x", (SYS_bpf, -1, BAD, 8), "cmd=4294967295");
}

static void act_seccomp(void)
{
	static uint32_t action = 0x7fff0000; /* SECCOMP_RET_ALLOW */

	CALL("seccomp/available", "seccomp_x", (SYS_seccomp, 2, 0, &action), "res=0 op=2 flags=0");
	CALL("seccomp/filter", "seccomp_x", (SYS_seccomp, 1, 3, NULL), "op=1 flags=3");
	CALL("seccomp/unknown", "seccomp_x", (SYS_seccomp, -1, -1L, NULL), "res=-22 op=4294967295 flags=%lu", -1UL);
}

/*
 * Calls that have no event of their own are told by number: the schema's, and
 * the native one, which is x86_64's also for a 32-bit program, if it has the call.
 */
static void act_generic(void)
{
	raw(SYS_gettid);
	expect("generic", "generic_x", "ID=140 nativeID=186");
	raw(SYS_getrandom, NULL, 0, 0);
	expect("generic/getrandom", "generic_x", "ID=318 nativeID=318");
	raw(SYS_getpid);
	expect("generic/getpid", "generic_x", "ID=16 nativeID=39");
	raw(SYS_umask, 0);
	expect("generic/umask", "generic_x", "ID=37 nativeID=95");
	raw(SYS_statx, -1, NULL, 0, 0, NULL);
	expect("generic/statx", "generic_x", "ID=367 nativeID=332");
	raw(442, -1, NULL, 0, NULL, 0); /* mount_setattr, ENOSYS before 5.12 */
	expect("generic/mount_setattr", "generic_x", "ID=341 nativeID=442");
	raw(444, NULL, 0, 1); /* landlock_create_ruleset, ENOSYS before 5.13 */
	expect("generic/landlock", "generic_x", "ID=352 nativeID=444");
	raw(449, NULL, 0, 0, NULL, 0); /* futex_waitv, ENOSYS before 5.16 */
	expect("generic/futex_waitv", "generic_x", "ID=374 nativeID=449");
	raw(452, -1, NULL, 0, 0); /* fchmodat2, ENOSYS before 6.6 */
	expect("generic/fchmodat2", "generic_x", "ID=413 nativeID=452");
#if NARROW
	raw(SYS__newselect, -1, NULL, NULL, NULL, NULL);
	expect("generic/_newselect", "generic_x", "ID=283 nativeID=142");
	/* A call inside a call: there is none of this number, or nobody can tell which. */
	static unsigned long words[6];

	raw(SYS_socketcall, 99, words);
	expect("generic/socketcall", "generic_x", "ID=277 nativeID=102");
	raw(SYS_socketcall, 1, BAD);
	expect("generic/socketcall/bad", "generic_x", "ID=277 nativeID=102");
#else
	raw(SYS_pselect6, -1, NULL, NULL, NULL, NULL, NULL);
	expect("generic/pselect6", "generic_x", "ID=209 nativeID=270");
#endif
	/* Numbers that no table has. */
	raw(500);
	expect("generic/unknown", "generic_x", "ID=0 nativeID=500");
	raw(511);
	expect("generic/last", "generic_x", "ID=0 nativeID=511");
	raw(600);
	expect("generic/beyond", "generic_x", "ID=0 nativeID=600");
	raw(0x12345);
	expect("generic/far", "generic_x", "ID=0 nativeID=%d", 0x2345);
}

static void act_kernel(void)
{
	in_child(act_modules);
	in_child(act_bpf);
	in_child(act_seccomp);
	in_child(act_generic);
}
