// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A ladder up and the same ladder down.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>

#include "args.h"
#include "consumer.h"
#include "device.h"
#include "flat.h"
#include "probe.h"
#include "selftest/selftest.h"
#include "sock.h"

#ifndef CONFIG_64BIT
#error "falco: 64-bit kernels only"
#endif

static int __init falco_init(void)
{
	int err;

	/* Tracepoints may run preemptible there, but we do not: see README.md. */
	if (IS_ENABLED(CONFIG_PREEMPT_RT)) {
		pr_err("not on PREEMPT_RT: looking a path up may sleep there, and an event must not\n");
		return -EOPNOTSUPP;
	}

	falco_args_init();
	falco_flat_init();
	falco_sock_init();
	err = falco_selftest();
	if (err)
		return err;
	err = falco_probe_init();
	if (err)
		return err;
	err = falco_consumer_init();
	if (err)
		goto err_consumer;
	err = falco_device_init();
	if (err)
		goto err_device;
	return 0;

err_device:
	falco_consumer_exit();
err_consumer:
	falco_probe_exit();
	pr_err("not loaded: error %d\n", err);
	return err;
}

/* Nothing is open: no consumer is started and no hook attached, but hooks may still be running. */
static void __exit falco_exit(void)
{
	falco_device_exit();
	falco_probe_exit();
	falco_consumer_exit();
}

module_init(falco_init);
module_exit(falco_exit);

MODULE_DESCRIPTION("System calls of all tasks, as events in per-CPU rings");
MODULE_AUTHOR("The falco-go authors");
MODULE_LICENSE("Dual MIT/GPL");
MODULE_VERSION(FALCO_VERSION);
MODULE_INFO(features, FALCO_FEATURES); /* what compat/probes.c found; for bug reports */
