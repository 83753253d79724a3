// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Signals that arrive.
 */
#include <linux/sched/signal.h>
#include <linux/signal.h>

#include "fill.h"

/* Who sent it, as far as the kind of signal tells. */
static pid_t sender(int sig, const struct kernel_siginfo *info)
{
	if (info == SEND_SIG_NOINFO || info == SEND_SIG_PRIV)
		return 0;
	switch (sig) {
	case SIGKILL:
		return info->si_pid;
	case SIGTERM:
	case SIGHUP:
	case SIGINT:
	case SIGTSTP:
	case SIGQUIT:
		return info->si_code <= 0 ? info->si_pid : 0;
	case SIGCHLD:
		return info->si_pid;
	}
	return sig >= SIGRTMIN ? info->si_pid : 0;
}

/* From a tracepoint: args are the signal's number and its kernel_siginfo. */
void falco_fill_signaldeliver_e(struct falco_frame *f, const struct falco_call *c)
{
	int sig = c->args[0];

	falco_write_s64(f, sender(sig, (const struct kernel_siginfo *)(unsigned long)c->args[1]));
	falco_write_s64(f, c->task->pid);
	falco_write_u8(f, sig);
}
