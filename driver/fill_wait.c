// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Calls that wait: sleep and poll.
 */
#include <linux/kernel.h>
#include <linux/poll.h>
#include <linux/string.h>
#include <linux/time64.h>

#include "fill.h"

#define BATCH 16 /* pollfds on the stack */

/* Calls of 32-bit callers whose timespec has 32-bit words; newer ones have a time64. */
#define NARROW_NANOSLEEP 162
#ifdef CONFIG_ARM64
#define NARROW_PPOLL     336
#else
#define NARROW_PPOLL     309
#endif

struct timespec_wide {
	s64 sec;
	s64 nsec;
};

struct timespec_narrow {
	s32 sec;
	s32 nsec;
};

/* ns in the timespec at @uptr, 0 if there is none or it cannot be read. */
static u64 read_timespec(struct falco_frame *f, const struct falco_call *c, u64 uptr)
{
	struct timespec_wide wide = {};
	struct timespec_narrow narrow;

	if (!uptr)
		return 0;
	if (c->compat && (c->nr == NARROW_NANOSLEEP || c->nr == NARROW_PPOLL)) {
		falco_read_user(f, &narrow, uptr, sizeof(narrow));
		wide.sec = narrow.sec;
		wide.nsec = narrow.nsec;
	} else {
		falco_read_user(f, &wide, uptr, sizeof(wide));
	}
	return (u64)wide.sec * NSEC_PER_SEC + (u64)wide.nsec;
}

void falco_fill_nanosleep_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_s64(f, c->ret);
	falco_write_u64(f, read_timespec(f, c, c->args[0]));
}

/*
 * An FDLIST: how many, then a descriptor and what happened to it for each. As
 * many as can be read and fit; whoever polls more descriptors is cut.
 */
static void write_fdlist(struct falco_frame *f, u64 uptr, u32 nfds)
{
	struct pollfd fds[BATCH];
	u32 i, n, room, done = 0, len = sizeof(u16);
	u8 *p = falco_param_begin(f, &room);
	s64 fd;
	u16 flags, count;

	while (uptr && done < nfds) {
		n = min_t(u32, nfds - done, BATCH);
		if (len + n * (sizeof(fd) + sizeof(flags)) > room) {
			f->flags |= FALCO_REC_TRUNCATED;
			break;
		}
		if (!falco_read_user(f, fds, uptr + (u64)done * sizeof(*fds), n * sizeof(*fds)))
			break;
		for (i = 0; i < n; i++) {
			fd = fds[i].fd;
			flags = falco_map(FALCO_MAP_POLL_EVENTS, (u16)fds[i].revents);
			memcpy(p + len, &fd, sizeof(fd));
			len += sizeof(fd);
			memcpy(p + len, &flags, sizeof(flags));
			len += sizeof(flags);
		}
		done += n;
	}
	count = done;
	memcpy(p, &count, sizeof(count));
	falco_param_end(f, len);
}

void falco_fill_poll_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_s64(f, c->ret);
	write_fdlist(f, c->args[0], c->args[1]);
	falco_write_s64(f, (s32)c->args[2]);
}

void falco_fill_ppoll_x(struct falco_frame *f, const struct falco_call *c)
{
	u32 mask = 0;

	falco_write_s64(f, c->ret);
	write_fdlist(f, c->args[0], c->args[1]);
	falco_write_u64(f, read_timespec(f, c, c->args[2]));
	if (c->args[3])
		falco_read_user(f, &mask, c->args[3], sizeof(mask));
	falco_write_u32(f, mask);
}
