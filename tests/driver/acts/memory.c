// SPDX-License-Identifier: Apache-2.0
/* Acts on memory. */
#include "acts.h"

static void act_maps(void)
{
	unsigned long at;

	mapped();
	/* mlockall() makes what is mapped resident, and nothing comes between a call and the look at /proc. */
	at = raw(SYS_brk, 0);
	expect("brk", "brk_x", "res=%lu vm_size=%ld vm_rss=%ld±%d vm_swap=0 addr=0", at, mapped(), resident(), slack());
	raw(SYS_brk, at + 8192);
	expect("brk/more", "brk_x", "res=%lu vm_size=%ld vm_rss=%ld±%d addr=%lu", at + 8192, mapped(), resident(), slack(), at + 8192);
	raw(SYS_brk, at);
	expect("brk/less", "brk_x", "res=%lu vm_size=%ld addr=%lu", at, mapped(), at);
	CALL("brk/invalid", "brk_x", (SYS_brk, 1), "addr=1");

	at = raw(SYS_mmap, NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect("mmap", "mmap_x", "res=%lu vm_size=%ld vm_rss=%ld±%d vm_swap=0 addr=0 length=1048576 prot=3 flags=10 fd=-1 offset=0",
	       at, mapped(), resident(), slack());
	raw(SYS_mmap, at, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	expect("mmap/fixed", "mmap_x", "res=%lu addr=%lu length=4096 prot=0 flags=14 fd=-1", at, at);
	CALL("mmap/invalid", "mmap_x", (SYS_mmap, NULL, 0, 0, 0, 77, NARROW ? 1 : 4096),
	     "res=-9 length=0 prot=0 flags=0 fd=77 offset=4096");
	CALL("mmap/huge", "mmap_x", (SYS_mmap, NULL, -4096L, 0, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "res=-12 length=%lu", -4096UL);
	CALL("mprotect", "mprotect_x", (SYS_mprotect, at, 4096, PROT_READ), "res=0 addr=%lu length=4096 prot=1", at);
	CALL("mprotect/unmapped", "mprotect_x", (SYS_mprotect, 0, 4096, PROT_NONE), "res=-12 addr=0 length=4096 prot=0");
	CALL("mprotect/unaligned", "mprotect_x", (SYS_mprotect, 1, 2, -1), "res=-22 addr=1 length=2 prot=63");

	CALL("mlock", "mlock_x", (SYS_mlock, at, 4096), "res=0 addr=%lu len=4096", at);
	CALL("mlock/unmapped", "mlock_x", (SYS_mlock, 0, 4096), "res=-12 addr=0 len=4096");
	CALL("mlock/overflow", "mlock_x", (SYS_mlock, -4096L, -1L), "addr=%lu len=%lu", -4096UL, -1UL);
	CALL("mlock2", "mlock2_x", (SYS_mlock2, at, 8192, 1), "res=0 addr=%lu len=8192 flags=1", at);
	CALL("mlock2/none", "mlock2_x", (SYS_mlock2, at, 8192, 0), "res=0 flags=0");
	CALL("mlock2/invalid", "mlock2_x", (SYS_mlock2, 0, 1, 6), "res=-22 addr=0 len=1 flags=0");
	CALL("munlock", "munlock_x", (SYS_munlock, at, 4096), "res=0 addr=%lu len=4096", at);
	CALL("munlock/unmapped", "munlock_x", (SYS_munlock, 0, 4096), "res=-12 addr=0 len=4096");
	raw(SYS_munlockall);
	expect("munlockall", "munlockall_x", "res=0");
	raw(SYS_munmap, at, 1 << 20);
	expect("munmap", "munmap_x", "res=0 vm_size=%ld vm_rss=%ld±%d vm_swap=0 addr=%lu length=1048576", mapped(), resident(), slack(), at);
	CALL("munmap/invalid", "munmap_x", (SYS_munmap, 1, 1), "res=-22 addr=1 length=1");
	CALL("munmap/nothing", "munmap_x", (SYS_munmap, 4096, 0), "res=-22 addr=4096 length=0");

	at = raw(SYS_memfd_create, "quiet", 1);
	expect("memfd_create", "memfd_create_x", "fd=%ld name='quiet' flags=1", at);
	CALL("memfd_create/empty", "memfd_create_x", (SYS_memfd_create, "", 0), "name='' flags=0");
	CALL("memfd_create/null", "memfd_create_x", (SYS_memfd_create, NULL, 0), "fd=-14 name=- flags=0");
	CALL("memfd_create/bad", "memfd_create_x", (SYS_memfd_create, BAD, 0), "fd=-14 name=- rec=fault");
	CALL("memfd_create/invalid", "memfd_create_x", (SYS_memfd_create, "x", 0x80), "fd=-22 name='x' flags=0");
}

/* In a process of its own: it has brought its memory with it already. */
static void act_lock_all(void)
{
	CALL("mlockall", "mlockall_x", (SYS_mlockall, MCL_CURRENT | MCL_FUTURE), "res=0 flags=3");
	CALL("mlockall/onfault", "mlockall_x", (SYS_mlockall, MCL_CURRENT | MCL_ONFAULT), "res=0 flags=5");
	CALL("mlockall/none", "mlockall_x", (SYS_mlockall, 0), "res=-22 flags=0");
	CALL("mlockall/invalid", "mlockall_x", (SYS_mlockall, 8), "res=-22 flags=0");
}

static void act_memory(void)
{
	in_child(act_maps);
	in_child(act_lock_all);
}
