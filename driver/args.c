// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Six arguments and a number, whoever asks: 64-bit callers, 32-bit ones with
 * their own numbers, x32, and the calls that hide inside socketcall(2).
 */
#include "args.h"

#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/uio.h>

#include <asm/unistd.h>

#include "compat/syscall.h"
#include "compat/uaccess.h"

/* By SC code, the call's number on this architecture; entries of calls that have none are 0. */
static u16 native_nr[FALCO_SC_MAX];

void falco_args_init(void)
{
	unsigned int nr;

	/* Downwards: where two numbers share a row, the lower one is the row's. */
	for (nr = FALCO_NR_MAX; nr-- > 0;)
		native_nr[falco_syscalls[nr].sc] = nr;
}

static u16 native(u16 sc, u32 nr)
{
	u16 n = native_nr[sc];

	return sc != FALCO_SC_UNKNOWN && falco_syscalls[n].sc == sc ? n : nr;
}

#ifdef CONFIG_X86_64
/* x32 has numbers of its own where the structures differ, from 512 on. */
static const u16 x32_nr[] = {
	__NR_rt_sigaction, __NR_rt_sigreturn, __NR_ioctl, __NR_readv, __NR_writev, __NR_recvfrom,
	__NR_sendmsg, __NR_recvmsg, __NR_execve, __NR_ptrace, __NR_rt_sigpending,
	__NR_rt_sigtimedwait, __NR_rt_sigqueueinfo, __NR_sigaltstack, __NR_timer_create,
	__NR_mq_notify, __NR_kexec_load, __NR_waitid, __NR_set_robust_list, __NR_get_robust_list,
	__NR_vmsplice, __NR_move_pages, __NR_preadv, __NR_pwritev, __NR_rt_tgsigqueueinfo,
	__NR_recvmmsg, __NR_sendmmsg, __NR_process_vm_readv, __NR_process_vm_writev,
	__NR_setsockopt, __NR_getsockopt, __NR_io_setup, __NR_io_submit, __NR_execveat,
	__NR_preadv2, __NR_pwritev2,
};

#define X32_FIRST 512
#define X32_BIT   0x40000000 /* __X32_SYSCALL_BIT, which older headers give a type */

static bool x32_own(u32 nr)
{
	nr &= ~X32_BIT;
	return nr >= X32_FIRST && nr < X32_FIRST + ARRAY_SIZE(x32_nr);
}

/*
 * The 64-bit number of an x32 call, or of one that the kernel takes for it: the
 * own numbers work without the bit too. @nr is at least FALCO_NR_MAX.
 */
u32 falco_args_x32_nr(u32 nr)
{
	if (x32_own(nr)) {
		nr = (nr & ~X32_BIT) - X32_FIRST;
		return x32_nr[array_index_nospec(nr, ARRAY_SIZE(x32_nr))];
	}
	return nr & X32_BIT ? nr & ~X32_BIT : nr;
}

#endif /* CONFIG_X86_64 */

/*
 * 32-bit callers have calls whose ids are 16 bits wide, with the same numbers on
 * x86 and ARM: a bit for each argument that is one. The kernel looks at no more
 * of them, and takes 65535 for -1: who asks for uid 65536 there becomes root.
 */
static u32 narrow_ids(u32 nr)
{
	switch (nr) {
	case 23: /* setuid */
	case 46: /* setgid */
		return 0x1;
	case 70: /* setreuid */
	case 71: /* setregid */
		return 0x3;
	case 16:  /* lchown */
	case 95:  /* fchown */
	case 182: /* chown */
		return 0x6;
	case 164: /* setresuid */
	case 170: /* setresgid */
		return 0x7;
	}
	return 0;
}

static void widen_ids(struct falco_call *c)
{
	u32 narrow = narrow_ids(c->nr);
	unsigned int i;

	for (i = 0; narrow >> i; i++)
		if (narrow & BIT(i))
			c->args[i] = (u16)c->args[i] == U16_MAX ? U32_MAX : (u16)c->args[i];
}

#ifdef CONFIG_X86_64
/* socketcall(2), net/socket.c: call number, then a pointer to that many words. */
static const struct {
	u16 sc;
	u8 nargs;
} socketcalls[] = {
	[1] = { FALCO_SC_SOCKET, 3 },       [2] = { FALCO_SC_BIND, 3 },
	[3] = { FALCO_SC_CONNECT, 3 },      [4] = { FALCO_SC_LISTEN, 2 },
	[5] = { FALCO_SC_ACCEPT, 3 },       [6] = { FALCO_SC_GETSOCKNAME, 3 },
	[7] = { FALCO_SC_GETPEERNAME, 3 },  [8] = { FALCO_SC_SOCKETPAIR, 4 },
	[9] = { FALCO_SC_SEND, 4 },         [10] = { FALCO_SC_RECV, 4 },
	[11] = { FALCO_SC_SENDTO, 6 },      [12] = { FALCO_SC_RECVFROM, 6 },
	[13] = { FALCO_SC_SHUTDOWN, 2 },    [14] = { FALCO_SC_SETSOCKOPT, 5 },
	[15] = { FALCO_SC_GETSOCKOPT, 5 },  [16] = { FALCO_SC_SENDMSG, 3 },
	[17] = { FALCO_SC_RECVMSG, 3 },     [18] = { FALCO_SC_ACCEPT4, 4 },
	[19] = { FALCO_SC_RECVMMSG, 5 },    [20] = { FALCO_SC_SENDMMSG, 4 },
};

/* send and recv have no number of their own here, hence no row. */
static const struct falco_syscall_desc send_desc = { FALCO_SC_SEND, FALCO_EV_SEND_X, 0 };
static const struct falco_syscall_desc recv_desc = { FALCO_SC_RECV, FALCO_EV_RECV_X, 0 };

static const struct falco_syscall_desc *socketcall_desc(u16 sc)
{
	if (sc == FALCO_SC_SEND)
		return &send_desc;
	if (sc == FALCO_SC_RECV)
		return &recv_desc;
	return &falco_syscalls[native_nr[sc]];
}

const struct falco_syscall_desc *falco_args_socketcall(unsigned int call)
{
	if (call == 0 || call >= ARRAY_SIZE(socketcalls))
		return NULL;
	return socketcall_desc(socketcalls[array_index_nospec(call, ARRAY_SIZE(socketcalls))].sc);
}

/* An unknown call, or one whose words cannot be read, stays a socketcall: the generic event. */
static const struct falco_syscall_desc *unpack_socketcall(struct falco_call *c,
							  const struct falco_syscall_desc *desc)
{
	const struct falco_syscall_desc *inner = falco_args_socketcall(c->args[0]);
	const void __user *from = (const void __user *)(unsigned long)c->args[1];
	u32 words[6] = {};
	unsigned int i, n;

	if (!inner)
		return desc;
	n = socketcalls[array_index_nospec(c->args[0], ARRAY_SIZE(socketcalls))].nargs;
	if (copy_from_user_nofault(words, from, n * sizeof(u32)))
		return desc;
	for (i = 0; i < ARRAY_SIZE(words); i++)
		c->args[i] = words[i];
	return inner;
}
#endif /* CONFIG_X86_64 */

const struct falco_syscall_desc *falco_args_get_foreign(struct falco_call *c, struct pt_regs *regs,
							int nr, enum falco_abi abi)
{
	const struct falco_syscall_desc *desc = falco_args_get_native(c, regs, nr);
	unsigned long args[6];
	unsigned int i;

	c->nr = syscall_get_nr(current, regs);
	syscall_get_arguments(current, regs, args);
	for (i = 0; i < ARRAY_SIZE(args); i++)
		c->args[i] = args[i];
	if (abi == FALCO_ABI_32) {
		desc = &falco_syscalls32[nr];
		c->compat = true;
		c->regs32 = true;
		for (i = 0; i < ARRAY_SIZE(args); i++)
			c->args[i] = (u32)c->args[i];
		widen_ids(c);
	}
#ifdef CONFIG_X86_64
	if (desc->sc == FALCO_SC_SOCKETCALL) {
		desc = unpack_socketcall(c, desc);
	} else if (abi == FALCO_ABI_NATIVE) {
		c->compat = x32_own(c->nr);
		c->nr &= ~X32_BIT;
	}
#endif
	c->sc = desc->sc;
	c->native_nr = native(c->sc, c->nr);
	return desc;
}

unsigned int falco_args_messages(const struct falco_call *c)
{
	if (c->ret <= 0 || (c->sc != FALCO_SC_SENDMMSG && c->sc != FALCO_SC_RECVMMSG))
		return 0;
	return min_t(s64, c->ret, UIO_MAXIOV); /* which is the kernel's own limit */
}

static bool returns_address(u16 sc)
{
	return sc == FALCO_SC_MMAP || sc == FALCO_SC_MMAP2 || sc == FALCO_SC_MREMAP ||
	       sc == FALCO_SC_BRK || sc == FALCO_SC_SHMAT;
}

s64 falco_args_ret(const struct falco_call *c, long ret)
{
	if (!c->compat)
		return ret;
	/* The upper half of what 32-bit callers can address is not negative. */
	if (returns_address(c->sc) && !IS_ERR_VALUE((long)(s32)ret))
		return (u32)ret;
	return (s32)ret;
}
