// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Bytes and bounds of an event in scratch memory.
 *
 *   buf -> +--------+----+----+- -+----+---------+-------+- -
 *          | header | l0 | l1 |   | ln | value 0 | val 1 |      <- len grows
 *          +--------+----+----+- -+----+---------+-------+- -
 *            26       u16 each           no padding
 *
 * Extensions, {type, length, value} each, lie behind the last value.
 *
 * Room for the parameters still to come is set aside, so that a long string
 * can never push out the integers behind it.
 */
#include "write.h"

#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "compat/uaccess.h"
#include "schema_gen.h"

#define STRING_STEP  256 /* user strings are copied in steps that end at its multiples */
#define LATER_PARAM  8   /* bytes set aside for each parameter to come */

static u16 *length_of(struct falco_frame *f, u8 param)
{
	/* The header's 26 bytes keep the array 2-aligned; buf itself is page-aligned. */
	return (u16 *)(f->buf + FALCO_HEADER_SIZE) + param;
}

void falco_frame_begin(struct falco_frame *f, u16 type, u64 tid, u32 snaplen)
{
	struct falco_event_header *h = (struct falco_event_header *)f->buf;

	BUILD_BUG_ON(sizeof(*h) != FALCO_HEADER_SIZE);
	f->type = type;
	f->nparams = falco_events[type].nparams;
	f->param = 0;
	f->flags = 0;
	f->snaplen = snaplen;
	f->broken = false;
	f->ext = 0;
	f->len = FALCO_HEADER_SIZE + f->nparams * sizeof(u16);
	h->ts = 0; /* the commit knows */
	h->tid = tid;
	h->type = type;
	h->nparams = f->nparams;
	memset(length_of(f, 0), 0, f->nparams * sizeof(u16));
}

void falco_frame_end(struct falco_frame *f)
{
	struct falco_event_header *h = (struct falco_event_header *)f->buf;

	h->len = f->len;
#ifdef FALCO_DEBUG
	WARN_ONCE(f->broken || f->param != f->nparams,
		  "falco: filler of event %u wrote %u of %u parameters%s\n", f->type, f->param,
		  f->nparams, f->broken ? ", or wrong ones" : "");
#endif
}

u8 *falco_param_begin(struct falco_frame *f, u32 *room)
{
	u32 limit = min_t(u32, f->size, FALCO_EVENT_MAX);
	u32 later;

	if (f->param >= f->nparams) {
		f->broken = true;
		*room = 0;
		return f->buf + f->len;
	}
	later = (f->nparams - f->param - 1) * LATER_PARAM;
	*room = f->len + later < limit ? min_t(u32, limit - f->len - later, FALCO_PARAM_MAX) : 0;
	return f->buf + f->len;
}

#ifdef FALCO_DEBUG
/* Bytes of a type's values, 0 if that varies: as pkg/schema's ParamType.Width. */
static u32 width_of(u8 type)
{
	switch (type) {
	case FALCO_PT_INT8:
	case FALCO_PT_UINT8:
	case FALCO_PT_FLAGS8:
	case FALCO_PT_ENUMFLAGS8:
	case FALCO_PT_SIGTYPE:
		return 1;
	case FALCO_PT_INT16:
	case FALCO_PT_UINT16:
	case FALCO_PT_FLAGS16:
	case FALCO_PT_ENUMFLAGS16:
	case FALCO_PT_SYSCALLID:
	case FALCO_PT_PORT:
		return 2;
	case FALCO_PT_INT32:
	case FALCO_PT_UINT32:
	case FALCO_PT_FLAGS32:
	case FALCO_PT_ENUMFLAGS32:
	case FALCO_PT_UID:
	case FALCO_PT_GID:
	case FALCO_PT_MODE:
	case FALCO_PT_SIGSET:
	case FALCO_PT_FD32:
	case FALCO_PT_PID32:
		return 4;
	case FALCO_PT_INT64:
	case FALCO_PT_UINT64:
	case FALCO_PT_RELTIME:
	case FALCO_PT_ABSTIME:
	case FALCO_PT_ERRNO:
	case FALCO_PT_FD:
	case FALCO_PT_PID:
		return 8;
	}
	return 0;
}

static bool has_width(const struct falco_frame *f, u32 len)
{
	u32 width = width_of(falco_events[f->type].params[f->param].type);
	bool ok = !width || !len || len == width;

	WARN_ONCE(!ok, "falco: event %u: parameter %u has %u bytes, its type %u\n", f->type,
		  f->param, len, width);
	return ok;
}
#endif

void falco_param_end(struct falco_frame *f, u32 len)
{
	u32 room;

	falco_param_begin(f, &room);
	if (f->param >= f->nparams || len > room) {
		f->broken = true;
		return;
	}
#ifdef FALCO_DEBUG
	if (!has_width(f, len))
		f->broken = true;
#endif
	*length_of(f, f->param++) = len;
	f->len += len;
}

static __always_inline void write_value(struct falco_frame *f, const void *v, u32 n)
{
	u32 room;
	u8 *p = falco_param_begin(f, &room);

	if (likely(n <= room))
		memcpy(p, v, n);
	falco_param_end(f, n);
}

void falco_write_u8(struct falco_frame *f, u8 v)
{
	write_value(f, &v, sizeof(v));
}

void falco_write_u16(struct falco_frame *f, u16 v)
{
	write_value(f, &v, sizeof(v));
}

void falco_write_u32(struct falco_frame *f, u32 v)
{
	write_value(f, &v, sizeof(v));
}

void falco_write_u64(struct falco_frame *f, u64 v)
{
	write_value(f, &v, sizeof(v));
}

void falco_write_absent(struct falco_frame *f)
{
	falco_param_end(f, 0);
}

void falco_write_str(struct falco_frame *f, const char *s)
{
	u32 room, n;
	u8 *p;

	if (!s) {
		falco_write_absent(f);
		return;
	}
	p = falco_param_begin(f, &room);
	room = min_t(u32, room, FALCO_STR_MAX);
	if (!room) {
		f->flags |= FALCO_REC_TRUNCATED;
		falco_write_absent(f);
		return;
	}
	n = strnlen(s, room);
	if (n == room) {
		f->flags |= FALCO_REC_TRUNCATED;
		n--;
	}
	memcpy(p, s, n);
	p[n] = '\0';
	falco_param_end(f, n + 1);
}

void falco_write_bytes(struct falco_frame *f, const void *p, u32 n)
{
	u32 room;
	u8 *to = falco_param_begin(f, &room);

	if (n > room) {
		f->flags |= FALCO_REC_TRUNCATED;
		n = room;
	}
	memcpy(to, p, n);
	falco_param_end(f, n);
}

#define EXT_HEAD (2 * sizeof(u16)) /* type, length */

u8 *falco_ext_begin(struct falco_frame *f, u32 *room)
{
	u32 used = f->len + f->ext + EXT_HEAD;

	*room = used < f->size ? min_t(u32, f->size - used, FALCO_PARAM_MAX) : 0;
	return f->buf + used;
}

void falco_ext_end(struct falco_frame *f, u16 type, u32 len)
{
	u16 head[2] = { type, len };
	u32 room;

	falco_ext_begin(f, &room);
	if (!len || len > room)
		return;
	memcpy(f->buf + f->len + f->ext, head, EXT_HEAD);
	f->ext += EXT_HEAD + len;
	f->flags |= FALCO_REC_EXT;
}

static bool read_nofault(void *dst, u64 uptr, u32 n)
{
	/* Whatever the caller passed: copy_from_user_nofault() refuses kernel addresses. */
	return copy_from_user_nofault(dst, (const void __user *)(unsigned long)uptr, n) == 0;
}

bool falco_read_user(struct falco_frame *f, void *dst, u64 uptr, u32 n)
{
	if (likely(read_nofault(dst, uptr, n)))
		return true;
	memset(dst, 0, n);
	f->flags |= FALCO_REC_FAULT;
	return false;
}

/*
 * A copy that stops at a fault is worth nothing beyond the boundary where the
 * fault was, so each step ends at one. Steps are small, since most strings are.
 */
u32 falco_read_user_str(struct falco_frame *f, u8 *dst, u64 uptr, u32 max)
{
	u32 n = 0;

	if (!uptr || !max)
		return 0;
	while (n < max) {
		u32 step = min_t(u32, max - n, STRING_STEP - (uptr + n) % STRING_STEP);
		u32 len;

		if (unlikely(!read_nofault(dst + n, uptr + n, step))) {
			f->flags |= FALCO_REC_FAULT;
			return 0;
		}
		len = strnlen((const char *)dst + n, step);
		n += len;
		if (len < step)
			return n + 1;
	}
	f->flags |= FALCO_REC_TRUNCATED;
	dst[max - 1] = '\0';
	return max;
}

void falco_write_user_str(struct falco_frame *f, u64 uptr, u32 max)
{
	u32 room;
	u8 *p = falco_param_begin(f, &room);

	falco_param_end(f, falco_read_user_str(f, p, uptr, min(room, max)));
}

void falco_write_user_bytes(struct falco_frame *f, u64 uptr, u64 n, u32 max)
{
	u32 room, want, got = 0;
	u8 *p = falco_param_begin(f, &room);

	want = min3(n, (u64)max, (u64)room);
	if (want < n && want != f->snaplen)
		f->flags |= FALCO_REC_TRUNCATED;
	if (!uptr)
		want = 0;
	while (got < want) {
		u32 step = min_t(u32, want - got, PAGE_SIZE - (uptr + got) % PAGE_SIZE);

		if (unlikely(!read_nofault(p + got, uptr + got, step))) {
			f->flags |= FALCO_REC_FAULT;
			break;
		}
		got += step;
	}
	falco_param_end(f, got);
}
