/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Expectations that are checked inside the kernel when a debug build is loaded,
 * before the first hook is attached. Each prints "falco: <name> self-test: pass".
 */
#ifndef _FALCO_SELFTEST_H
#define _FALCO_SELFTEST_H

#include <linux/errno.h>
#include <linux/types.h>

#ifdef FALCO_DEBUG
bool falco_selftest_ring(void);
bool falco_selftest_write(void);
bool falco_selftest_schema(void);

static inline int falco_selftest(void)
{
	bool pass = falco_selftest_ring();

	pass &= falco_selftest_write();
	pass &= falco_selftest_schema();
	return pass ? 0 : -ENOTRECOVERABLE;
}
#else
static inline int falco_selftest(void)
{
	return 0;
}
#endif

#endif /* _FALCO_SELFTEST_H */
