/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _FALCO_COMPAT_UACCESS_H
#define _FALCO_COMPAT_UACCESS_H

#include <linux/errno.h>
#include <linux/kasan-checks.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#ifndef FALCO_HAVE_COPY_FROM_KERNEL_NOFAULT /* 5.8 */
#define copy_from_kernel_nofault probe_kernel_read
#endif

#ifndef FALCO_HAVE_COPY_FROM_USER_NOFAULT /* 5.8 */
#ifdef FALCO_HAVE_ACCESS_OK_2 /* 5.0 */
#define user_range_ok(p, n) access_ok(p, n)
#else
#define user_range_ok(p, n) access_ok(VERIFY_READ, p, n)
#endif

static inline long copy_from_user_nofault(void *dst, const void __user *src, size_t size)
{
	mm_segment_t fs = get_fs();
	long left = size;

	set_fs(USER_DS);
	if (user_range_ok(src, size)) {
		pagefault_disable();
		left = __copy_from_user_inatomic(dst, src, size);
		pagefault_enable();
	}
	set_fs(fs);
	return left ? -EFAULT : 0;
}
#endif

/*
 * copy_from_user_nofault(), but for the question whether @dst is an object of
 * the heap's and large enough: ours are frames with bounds of our own, and the
 * answer takes longer than most copies, and on some kernels a lock.
 */
static __always_inline bool copy_user_nofault(void *dst, u64 uptr, unsigned long n)
{
	const void __user *src = (const void __user *)(unsigned long)uptr;
#ifdef KERNEL_DS /* kernels whose access_ok() depends on what somebody has set */
	return copy_from_user_nofault(dst, src, n) == 0;
#else
	bool ok;

	kasan_check_write(dst, n);
	pagefault_disable();
	ok = access_ok(src, n) && raw_copy_from_user(dst, src, n) == 0;
	pagefault_enable();
	return ok;
#endif
}

/* One word of the kernel's half, copied without trust; false if there is no memory. */
static __always_inline bool read_word_nofault(unsigned long *to, const void *from)
{
#ifdef FALCO_HAVE_GET_KERNEL_NOFAULT_LABEL /* 5.8 */
	bool ok = false;

	pagefault_disable();
	__get_kernel_nofault(to, from, unsigned long, fault);
	ok = true;
fault:
	pagefault_enable();
	return ok;
#else
	return copy_from_kernel_nofault(to, from, sizeof(*to)) == 0;
#endif
}

#ifndef FALCO_HAVE_COPY_STRUCT_FROM_USER /* 5.4 */
static inline int copy_struct_from_user(void *dst, size_t ksize, const void __user *src,
					size_t usize)
{
	size_t size = min(ksize, usize);
	size_t at;
	u8 byte;

	for (at = size; at < usize; at++) {
		if (get_user(byte, (const u8 __user *)src + at))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	memset(dst + size, 0, ksize - size);
	return copy_from_user(dst, src, size) ? -EFAULT : 0;
}
#endif

#endif /* _FALCO_COMPAT_UACCESS_H */
