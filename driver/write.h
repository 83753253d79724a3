/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Bytes and bounds: a frame is one event being gathered into scratch memory,
 * in the layout that it will have in the ring (header, lengths, values).
 *
 * Each falco_write_*() below writes exactly one parameter. None of them can
 * fail towards its caller: what does not fit is cut or absent, and the frame
 * remembers that in its flags (FALCO_REC_FAULT, FALCO_REC_TRUNCATED).
 *
 * Behind the parameters there may be extensions, which the event's own length
 * leaves out. A frame belongs to one nesting level of one CPU from
 * falco_frame_begin() to the commit; nobody else sees it.
 */
#ifndef _FALCO_WRITE_H
#define _FALCO_WRITE_H

#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/string.h>
#include <linux/types.h>

#include "schema_gen.h"

#define FALCO_HEADER_SIZE 26    /* packed, see struct falco_event_header */
#define FALCO_PARAM_MAX   65000 /* bytes of one parameter */
#define FALCO_EVENT_MAX   65535 /* bytes of one event */
#define FALCO_PATH_MAX    PATH_MAX
#define FALCO_STR_MAX     16384 /* strings that are no paths */
#define FALCO_PARAM_RESERVE   8 /* bytes set aside for each parameter to come */

/* Events are copied, and strings are searched, by words. */
#define FALCO_FRAME_SLACK 8

/* The wire format's header: little endian, packed, no alignment. */
struct falco_event_header {
	u64 ts;
	u64 tid;
	u32 len;
	u16 type;
	u32 nparams;
} __packed;

struct falco_frame {
	u8 *buf;      /* the event, from its header on */
	u32 size;     /* bytes of buf that an event may use; FALCO_FRAME_SLACK more are there */
	u32 len;      /* bytes of the event: header, lengths, values */
	u32 ext;      /* bytes of TLVs behind it */
	u32 flags;    /* FALCO_REC_* of the record's prefix */
	u32 snaplen;  /* bytes of I/O data that the event may carry */
	u32 param;    /* index of the next one */
	u32 nparams;  /* of the table */
	u16 type;
	bool broken;  /* the fillers' contract was violated: count, don't send */
};

/*
 * Start an event of @type in @f, whose buf and size are set. Parameters that
 * the filler leaves out end up absent, after falco_frame_end().
 */
static inline void falco_frame_begin(struct falco_frame *f, u16 type, u64 tid, u32 snaplen)
{
	struct falco_event_header *h = (struct falco_event_header *)f->buf;
	u32 nparams = falco_events[type].nparams;

	BUILD_BUG_ON(sizeof(*h) != FALCO_HEADER_SIZE);
	f->type = type;
	f->nparams = nparams;
	f->param = 0;
	f->flags = 0;
	f->snaplen = snaplen;
	f->broken = false;
	f->ext = 0;
	f->len = FALCO_HEADER_SIZE + nparams * sizeof(u16);
	h->ts = 0; /* the commit knows */
	h->tid = tid;
	h->type = type;
	h->nparams = nparams;
}

void falco_frame_end(struct falco_frame *f);

static inline u16 *falco_param_length(const struct falco_frame *f, u32 param)
{
	/* The header's 26 bytes keep the array 2-aligned; buf itself is page-aligned. */
	return (u16 *)(f->buf + FALCO_HEADER_SIZE) + param;
}

/* Set aside for the parameters behind the next one. */
static inline u32 falco_param_reserved(const struct falco_frame *f)
{
	return (f->nparams - f->param - 1) * FALCO_PARAM_RESERVE;
}

/* Whether the next parameter may have @len bytes; in a debug build it is looked up. */
#ifdef FALCO_DEBUG
bool falco_param_fits(const struct falco_frame *f, u32 len);
#else
static inline bool falco_param_fits(const struct falco_frame *f, u32 len)
{
	return f->param < f->nparams;
}
#endif

/*
 * Integers, in the width that the parameter's type has. There always is room
 * for them: falco_param_begin() sets it aside.
 */
#define FALCO_WRITE_INTEGER(f, v)                                       \
	do {                                                            \
		if (unlikely(!falco_param_fits(f, sizeof(v)))) {        \
			(f)->broken = true;                             \
			break;                                          \
		}                                                       \
		memcpy((f)->buf + (f)->len, &(v), sizeof(v));           \
		*falco_param_length(f, (f)->param) = sizeof(v);         \
		(f)->len += sizeof(v);                                  \
		(f)->param++;                                           \
	} while (0)

static inline void falco_write_u8(struct falco_frame *f, u8 v)
{
	FALCO_WRITE_INTEGER(f, v);
}

static inline void falco_write_u16(struct falco_frame *f, u16 v)
{
	FALCO_WRITE_INTEGER(f, v);
}

static inline void falco_write_u32(struct falco_frame *f, u32 v)
{
	FALCO_WRITE_INTEGER(f, v);
}

static inline void falco_write_u64(struct falco_frame *f, u64 v)
{
	FALCO_WRITE_INTEGER(f, v);
}

static inline void falco_write_s16(struct falco_frame *f, s16 v)
{
	falco_write_u16(f, (u16)v);
}

static inline void falco_write_s32(struct falco_frame *f, s32 v)
{
	falco_write_u32(f, (u32)v);
}

static inline void falco_write_s64(struct falco_frame *f, s64 v)
{
	falco_write_u64(f, (u64)v);
}

/*
 * A descriptor argument: the register's low 32 bits, sign-extended. Also right
 * for directory descriptors, whose AT_FDCWD arrives as -100.
 */
static inline void falco_write_fd(struct falco_frame *f, u64 arg)
{
	falco_write_s64(f, (s32)arg);
}

/* A parameter of length 0. */
static inline void falco_write_absent(struct falco_frame *f)
{
	if (unlikely(!falco_param_fits(f, 0))) {
		f->broken = true;
		return;
	}
	*falco_param_length(f, f->param) = 0;
	f->param++;
}

/* A kernel string and its NUL; NULL is absent. Cut at FALCO_STR_MAX. */
void falco_write_str(struct falco_frame *f, const char *s);

/* Kernel bytes as they are; cut where the frame ends. */
void falco_write_bytes(struct falco_frame *f, const void *p, u32 n);

/*
 * A user string and its NUL, at most @max bytes with it (FALCO_PATH_MAX for
 * paths, FALCO_STR_MAX otherwise); longer ones are cut and flagged. NULL is
 * absent. A string that cannot be read to its end is absent and flagged.
 */
void falco_write_user_str(struct falco_frame *f, u64 uptr, u32 max);

/*
 * min(@n, @max) user bytes. NULL or nothing wanted is absent; a fault ends the
 * value where it happened and is flagged. Only a cut that is not the snaplen's
 * is flagged: pass @max = f->snaplen for I/O data.
 */
void falco_write_user_bytes(struct falco_frame *f, u64 uptr, u64 n, u32 max);

/*
 * For values put together from pieces. falco_param_begin() returns where the
 * value goes and the bytes that may be written there in @room (at least 256
 * in a frame whose filler is sane); falco_param_end() says how many were.
 * Nothing else may be written to the frame in between; falco_read_user() may
 * read into the space.
 */
static inline u8 *falco_param_begin(struct falco_frame *f, u32 *room)
{
	u32 used = f->len + falco_param_reserved(f);

	*room = 0;
	if (unlikely(f->param >= f->nparams))
		f->broken = true;
	else if (likely(used < f->size))
		*room = min_t(u32, f->size - used, FALCO_PARAM_MAX);
	return f->buf + f->len;
}

static inline void falco_param_end(struct falco_frame *f, u32 len)
{
	if (unlikely(!falco_param_fits(f, len) ||
		     (len && f->len + len + falco_param_reserved(f) > f->size))) {
		f->broken = true;
		return;
	}
	*falco_param_length(f, f->param) = len;
	f->param++;
	f->len += len;
}

/*
 * An extension: a TLV behind the parameters, all of which are written. As
 * falco_param_begin() and _end(); one of no bytes is left out.
 */
u8 *falco_ext_begin(struct falco_frame *f, u32 *room);
void falco_ext_end(struct falco_frame *f, u16 type, u32 len);

/*
 * Read @n user bytes without faulting. On failure @dst is zeroed, the frame is
 * flagged with FALCO_REC_FAULT and false is returned.
 */
bool falco_read_user(struct falco_frame *f, void *dst, u64 uptr, u32 n);

/*
 * As many of @n user bytes as can be read, page by page: a fault costs only
 * what lies behind it. Returns their number, and flags nothing.
 */
u32 falco_read_pages(u8 *dst, u64 uptr, u32 n);

/*
 * Copy a user string to @dst as falco_write_user_str() does, for composed
 * values. Returns its length with the NUL, 0 if there is none; flags the frame.
 */
u32 falco_read_user_str(struct falco_frame *f, u8 *dst, u64 uptr, u32 max);

/*
 * A user string word by word up to its first NUL, or until a word is not there
 * or would not fit: then what is left is for steps. Returns the bytes copied,
 * *@whole says that the NUL is the last of them.
 */
u32 falco_read_words(u8 *dst, u64 uptr, u32 max, bool *whole);

#endif /* _FALCO_WRITE_H */
