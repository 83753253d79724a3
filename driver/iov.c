// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The caller's iovec arrays and message headers, in both widths.
 *
 * Arrays are read a few entries at a time, so that neither the stack nor a
 * scratch page limits how long they may be; the kernel's own limit does.
 */
#include "iov.h"

#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/uio.h>

#include "args.h"
#include "write.h"

#define BATCH 8 /* entries on the stack */

/*
 * What the messages of one call may cost together, since they are told with
 * preemption off: entries looked at, and bytes of data.
 */
#define CALL_ENTRIES 8192
#define CALL_BYTES   (2 * 1024 * 1024)

#define CONTROL_MAX 4096 /* bytes of control data: nobody looks further */

/* The structures of both kinds of caller, which no kernel header has both of. */
struct iovec64 {
	u64 base;
	u64 len;
};

struct iovec32 {
	u32 base;
	u32 len;
};

struct msghdr64 {
	u64 name;
	u32 namelen;
	u32 pad0;
	u64 iov;
	u64 iovlen;
	u64 control;
	u64 controllen;
	u32 flags;
	u32 pad1;
};

struct msghdr32 {
	u32 name;
	u32 namelen;
	u32 iov;
	u32 iovlen;
	u32 control;
	u32 controllen;
	u32 flags;
};

static u32 share(const struct falco_call *c, u32 total)
{
	return total / max_t(u32, c->nmessages, 1);
}

struct falco_iov falco_iov(const struct falco_call *c, u64 base, u64 count)
{
	return (struct falco_iov){
		.base = base,
		.count = count,
		.entries = clamp_t(u32, share(c, CALL_ENTRIES), BATCH, UIO_MAXIOV),
		.bytes = share(c, CALL_BYTES),
		.compat = c->compat,
	};
}

bool falco_msghdr_read(struct falco_frame *f, const struct falco_call *c, u64 uptr,
		       struct falco_msghdr *hdr)
{
	struct msghdr64 h64;
	struct msghdr32 h32;

	memset(hdr, 0, sizeof(*hdr));
	hdr->controlmax = min_t(u32, CONTROL_MAX, share(c, CALL_BYTES));
	if (c->compat) {
		if (!falco_read_user(f, &h32, uptr, sizeof(h32)))
			return false;
		hdr->name = h32.name;
		hdr->namelen = h32.namelen;
		hdr->iov = falco_iov(c, h32.iov, h32.iovlen);
		hdr->control = h32.control;
		hdr->controllen = h32.controllen;
	} else {
		if (!falco_read_user(f, &h64, uptr, sizeof(h64)))
			return false;
		hdr->name = h64.name;
		hdr->namelen = h64.namelen;
		hdr->iov = falco_iov(c, h64.iov, h64.iovlen);
		hdr->control = h64.control;
		hdr->controllen = h64.controllen;
	}
	return true;
}

/*
 * Entries [first, first + n) of the array, widened; returns how many could be
 * read, at most BATCH.
 */
static u32 read_batch(struct falco_frame *f, const struct falco_iov *iov, u32 first,
		      struct iovec64 batch[BATCH])
{
	struct iovec32 narrow[BATCH];
	u64 count = min_t(u64, iov->count, iov->entries);
	u32 i, n;

	if (!iov->base)
		return 0;
	if (first >= count) {
		if (first < iov->count)
			f->flags |= FALCO_REC_TRUNCATED;
		return 0;
	}
	n = min_t(u64, count - first, BATCH);
	if (!iov->compat)
		return falco_read_user(f, batch, iov->base + first * sizeof(*batch),
				       n * sizeof(*batch)) ? n : 0;

	if (!falco_read_user(f, narrow, iov->base + first * sizeof(*narrow),
			     n * sizeof(*narrow)))
		return 0;
	for (i = 0; i < n; i++) {
		batch[i].base = narrow[i].base;
		batch[i].len = narrow[i].len;
	}
	return n;
}

u32 falco_iov_size(struct falco_frame *f, const struct falco_iov *iov)
{
	struct iovec64 batch[BATCH];
	u32 first, i, n;
	u64 sum = 0;

	for (first = 0; (n = read_batch(f, iov, first, batch)); first += n) {
		for (i = 0; i < n; i++) {
			if (batch[i].len > U32_MAX - sum)
				return U32_MAX;
			sum += batch[i].len;
		}
	}
	return sum;
}

void falco_write_iov(struct falco_frame *f, const struct falco_iov *iov, u64 max)
{
	struct iovec64 batch[BATCH];
	u32 first, i, n, want, got, room, len = 0;
	u8 *p = falco_param_begin(f, &room);

	max = min_t(u64, max, f->snaplen);
	room = min3((u64)room, (u64)iov->bytes, max);
	for (first = 0; len < room && (n = read_batch(f, iov, first, batch)); first += n) {
		for (i = 0; i < n && len < room; i++) {
			want = min_t(u64, batch[i].len, room - len);
			got = falco_read_pages(p + len, batch[i].base, want);
			len += got;
			if (got < want) {
				f->flags |= FALCO_REC_FAULT;
				goto out;
			}
		}
	}
	if (iov->count && len == room && len < max)
		f->flags |= FALCO_REC_TRUNCATED;
out:
	falco_param_end(f, len);
}
