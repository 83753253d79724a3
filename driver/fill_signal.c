// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Signals that arrive.
 */
#include <linux/sched/signal.h>
#include <linux/signal.h>

#include "compat/tracepoint.h"
#include "fill.h"

/* Stand for a siginfo where there is none; the third one went in 4.20. */
#define LAST_NO_INFO 2

/*
 * Whether si_pid is a process id: user space sent it, with kill, sigqueue,
 * mq_notify or tgkill. A timer has its own number in that place, for one.
 */
static bool from_process(const struct kernel_siginfo *info)
{
	switch (info->si_code) {
	case SI_USER:
	case SI_QUEUE:
	case SI_MESGQ:
	case SI_TKILL:
		return true;
	}
	return false;
}

/* Who sent it, as far as the kind of signal tells. */
static pid_t sender(int sig, const struct kernel_siginfo *info)
{
	if ((unsigned long)info <= LAST_NO_INFO)
		return 0;
	switch (sig) {
	case SIGKILL:
		return info->si_pid;
	case SIGCHLD:
		return info->si_code > 0 || from_process(info) ? info->si_pid : 0;
	case SIGTERM:
	case SIGHUP:
	case SIGINT:
	case SIGTSTP:
	case SIGQUIT:
		return from_process(info) ? info->si_pid : 0;
	}
	return sig >= SIGRTMIN && from_process(info) ? info->si_pid : 0;
}

/* From a tracepoint, with siglock held. */
void falco_fill_signaldeliver_e(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_s64(f, sender(c->args[0], c->info));
	falco_write_s64(f, c->task->pid);
	falco_write_u8(f, c->args[0]);
}
