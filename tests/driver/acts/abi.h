/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between the two programs that the acts are compiled to: how a
 * call is made, which number it has, and how a 64-bit argument is passed.
 */
#ifndef ABI_H
#define ABI_H

#include <sys/syscall.h>

#ifdef __i386__

#define COMM   "acts32"
#define OTHER  "/files/acts"
#define NARROW 1

static inline long raw6(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret;

	__asm__ volatile("pushl %[f]\n\tpushl %%ebp\n\tmovl 4(%%esp), %%ebp\n\tint $0x80\n\tpopl %%ebp\n\taddl $4, %%esp"
			 : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), [f] "m"(f) : "memory");
	return ret;
}

/* A 64-bit number takes two arguments, the low half first. */
#define WIDE(n) ((uint64_t)(n) & 0xffffffff), ((uint64_t)(n) >> 32)

/* Of several calls of one name, the one whose arguments are as wide as everywhere else. */
#undef SYS_chown
#define SYS_chown __NR_chown32
#undef SYS_lchown
#define SYS_lchown __NR_lchown32
#undef SYS_fchown
#define SYS_fchown __NR_fchown32
#undef SYS_getuid
#define SYS_getuid __NR_getuid32
#undef SYS_geteuid
#define SYS_geteuid __NR_geteuid32
#undef SYS_getgid
#define SYS_getgid __NR_getgid32
#undef SYS_getegid
#define SYS_getegid __NR_getegid32
#undef SYS_setuid
#define SYS_setuid __NR_setuid32
#undef SYS_setgid
#define SYS_setgid __NR_setgid32
#undef SYS_setreuid
#define SYS_setreuid __NR_setreuid32
#undef SYS_setregid
#define SYS_setregid __NR_setregid32
#undef SYS_setresuid
#define SYS_setresuid __NR_setresuid32
#undef SYS_setresgid
#define SYS_setresgid __NR_setresgid32
#undef SYS_getresuid
#define SYS_getresuid __NR_getresuid32
#undef SYS_getresgid
#define SYS_getresgid __NR_getresgid32
#undef SYS_fcntl
#define SYS_fcntl __NR_fcntl64
#undef SYS_stat
#define SYS_stat __NR_stat64
#undef SYS_lstat
#define SYS_lstat __NR_lstat64
#undef SYS_fstat
#define SYS_fstat __NR_fstat64
#undef SYS_mmap
#define SYS_mmap __NR_mmap2
#undef SYS_getrlimit
#define SYS_getrlimit __NR_ugetrlimit
#undef SYS_newfstatat
#define SYS_newfstatat __NR_fstatat64
#undef SYS_sendfile
#define SYS_sendfile __NR_sendfile64

#else /* x86_64 */

#define COMM   "acts"
#define OTHER  "/files/acts32"
#define NARROW 0

static inline long raw6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define WIDE(n) (n)

/* The call as a 32-bit program makes it. Pointers must be below 4 GB. */
static inline long raw32_6(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret;

	__asm__ volatile("push %%rbp\n\tmov %[f], %%rbp\n\tint $0x80\n\tpop %%rbp"
			 : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), [f] "r"(f)
			 : "r8", "r9", "r10", "r11", "memory");
	return (int)ret;
}

#define RAW32_7(nr, a, b, c, d, e, f, ...) \
	raw32_6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define raw32(...) RAW32_7(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

#endif

#define RAW_7(nr, a, b, c, d, e, f, ...) \
	raw6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define RAW_(...) RAW_7(__VA_ARGS__)
#define raw(...) RAW_(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

#endif
