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

#include <asm/word-at-a-time.h>

#include "compat/uaccess.h"
#include "schema_gen.h"

#define STRING_STEP 64 /* user strings are copied in steps that end at its multiples */

void falco_frame_end(struct falco_frame *f)
{
	struct falco_event_header *h = (struct falco_event_header *)f->buf;

#ifdef FALCO_DEBUG
	WARN_ONCE(f->broken || f->param != f->nparams,
		  "falco: filler of event %u wrote %u of %u parameters%s\n", f->type, f->param,
		  f->nparams, f->broken ? ", or wrong ones" : "");
#endif
	while (unlikely(f->param < f->nparams))
		*falco_param_length(f, f->param++) = 0;
	h->len = f->len;
	memset(f->buf + f->len, 0, FALCO_FRAME_SLACK);
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

bool falco_param_fits(const struct falco_frame *f, u32 len)
{
	u32 width;
	bool ok;

	if (f->param >= f->nparams)
		return false;
	width = width_of(falco_events[f->type].params[f->param].type);
	ok = !width || !len || len == width;
	WARN_ONCE(!ok, "falco: event %u: parameter %u has %u bytes, its type %u\n", f->type,
		  f->param, len, width);
	return ok;
}
#endif

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
	memset(f->buf + f->len + f->ext, 0, FALCO_FRAME_SLACK);
}

bool falco_read_user(struct falco_frame *f, void *dst, u64 uptr, u32 n)
{
	if (likely(copy_user_nofault(dst, uptr, n)))
		return true;
	memset(dst, 0, n);
	f->flags |= FALCO_REC_FAULT;
	return false;
}

u32 notrace falco_read_pages(u8 *dst, u64 uptr, u32 n)
{
	u32 done = 0, step;

	while (done < n) {
		step = min_t(u32, n - done, PAGE_SIZE - offset_in_page(uptr + done));
		if (unlikely(!copy_user_nofault(dst + done, uptr + done, step)))
			break;
		done += step;
	}
	return done;
}

#ifdef FALCO_HAVE_ACCESS_OK_2 /* 5.0: and so unsafe_get_user() for everybody */
u32 falco_read_words(u8 *dst, u64 uptr, u32 max, bool *whole)
{
	const struct word_at_a_time constants = WORD_AT_A_TIME_CONSTANTS;
	const u8 __user *src = (const u8 __user *)(unsigned long)uptr;
	unsigned long word, bits;
	u32 n = 0;

	*whole = false;
	pagefault_disable();
	if (!user_access_begin(src, max))
		goto out;
	for (; n + sizeof(word) <= max; n += sizeof(word)) {
		unsafe_get_user(word, (const unsigned long __user *)(src + n), fault);
		memcpy(dst + n, &word, sizeof(word));
		if (has_zero(word, &bits, &constants)) {
			bits = create_zero_mask(prep_zero_mask(word, bits, &constants));
			n += find_zero(bits) + 1;
			*whole = true;
			break;
		}
	}
fault:
	user_access_end();
out:
	pagefault_enable();
	return n;
}
#else
u32 falco_read_words(u8 *dst, u64 uptr, u32 max, bool *whole)
{
	*whole = false;
	return 0;
}
#endif

/*
 * A copy that stops at a fault is worth nothing beyond the boundary where the
 * fault was, so each step ends at one. Steps are small, since most strings are.
 */
u32 falco_read_user_str(struct falco_frame *f, u8 *dst, u64 uptr, u32 max)
{
	bool whole;
	u32 n;

	if (!uptr || !max)
		return 0;
	n = falco_read_words(dst, uptr, max, &whole);
	if (likely(whole))
		return n;
	while (n < max) {
		u32 step = min_t(u32, max - n, STRING_STEP - (uptr + n) % STRING_STEP);
		u32 len;

		if (unlikely(!copy_user_nofault(dst + n, uptr + n, step))) {
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
	u32 room, want, got;
	u8 *p = falco_param_begin(f, &room);

	want = min3(n, (u64)max, (u64)room);
	if (want < n && want != f->snaplen)
		f->flags |= FALCO_REC_TRUNCATED;
	if (!uptr)
		want = 0;
	got = falco_read_pages(p, uptr, want);
	if (unlikely(got < want))
		f->flags |= FALCO_REC_FAULT;
	falco_param_end(f, got);
}
