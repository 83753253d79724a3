/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The caller's iovec arrays and message headers, in both widths.
 */
#ifndef _FALCO_IOV_H
#define _FALCO_IOV_H

#include <linux/types.h>

struct falco_call;
struct falco_frame;

/* An iovec array where it lies: nothing of it has been read yet. */
struct falco_iov {
	u64 base;
	u64 count;
	u32 entries; /* that are looked at, */
	u32 bytes;   /* and of data */
	bool compat;
};

/* A msghdr, widened. */
struct falco_msghdr {
	u64 name;
	u32 namelen;
	struct falco_iov iov;
	u64 control;
	u64 controllen;
	u32 controlmax; /* bytes of it that are worth keeping */
};

/* The array of @count entries at @base, as the caller of @c passed it. */
struct falco_iov falco_iov(const struct falco_call *c, u64 base, u64 count);

/* Read the msghdr at @uptr; false and zeros if that cannot be done. */
bool falco_msghdr_read(struct falco_frame *f, const struct falco_call *c, u64 uptr,
		       struct falco_msghdr *hdr);

/* Sum of the lengths, saturated; of as many entries as could be read. */
u32 falco_iov_size(struct falco_frame *f, const struct falco_iov *iov);

/* Write a parameter: the data that the array points to, @max bytes at most. */
void falco_write_iov(struct falco_frame *f, const struct falco_iov *iov, u64 max);

#endif /* _FALCO_IOV_H */
