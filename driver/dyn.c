// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DYN parameters: a value behind a byte that says which type it has.
 */
#include "dyn.h"

#include <linux/kernel.h>
#include <linux/string.h>

#include "schema_gen.h"
#include "write.h"

static void write_dyn(struct falco_frame *f, u8 selector, const void *v, u32 n)
{
	u32 room;
	u8 *p = falco_param_begin(f, &room);

	p[0] = selector;
	memcpy(p + 1, v, n);
	falco_param_end(f, 1 + n);
}

void falco_write_dyn_u8(struct falco_frame *f, u8 selector, u8 v)
{
	write_dyn(f, selector, &v, sizeof(v));
}

void falco_write_dyn_u32(struct falco_frame *f, u8 selector, u32 v)
{
	write_dyn(f, selector, &v, sizeof(v));
}

void falco_write_dyn_u64(struct falco_frame *f, u8 selector, u64 v)
{
	write_dyn(f, selector, &v, sizeof(v));
}

void falco_write_dyn_user_str(struct falco_frame *f, u8 selector, u64 uptr)
{
	u32 room, n;
	u8 *p = falco_param_begin(f, &room);

	p[0] = selector;
	n = falco_read_user_str(f, p + 1, uptr, min_t(u32, room - 1, FALCO_STR_MAX));
	falco_param_end(f, n ? 1 + n : 0);
}

void falco_write_dyn_user_bytes(struct falco_frame *f, u8 selector, u64 uptr, u64 n, u32 max)
{
	u32 room, len;
	u8 *p = falco_param_begin(f, &room);

	max = min_t(u32, room - 1, max);
	len = min_t(u64, n, max);
	if (len < n)
		f->flags |= FALCO_REC_TRUNCATED;
	p[0] = selector;
	if (!uptr || !len || !falco_read_user(f, p + 1, uptr, len))
		len = 0;
	falco_param_end(f, len ? 1 + len : 0);
}
