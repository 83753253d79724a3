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
 * leaves out. A frame belongs to one nesting level of one CPU from falco_frame_begin() to
 * the commit; nobody else sees it.
 */
#ifndef _FALCO_WRITE_H
#define _FALCO_WRITE_H

#include <linux/limits.h>
#include <linux/types.h>

#define FALCO_HEADER_SIZE 26    /* packed, see struct falco_event_header */
#define FALCO_PARAM_MAX   65000 /* bytes of one parameter */
#define FALCO_EVENT_MAX   65535 /* bytes of one event */
#define FALCO_PATH_MAX    PATH_MAX
#define FALCO_STR_MAX     16384 /* strings that are no paths */

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
	u32 size;     /* bytes of buf */
	u32 len;      /* bytes of the event: header, lengths, values */
	u32 ext;      /* bytes of TLVs behind it */
	u32 flags;    /* FALCO_REC_* of the record's prefix */
	u32 snaplen;  /* bytes of I/O data that the event may carry */
	u16 type;
	u8 nparams;   /* of the table */
	u8 param;     /* index of the next one */
	bool broken;  /* the fillers' contract was violated: count, don't send */
};

/*
 * Start an event of @type in @f, whose buf and size are set. Parameters that
 * the filler leaves out end up absent, after falco_frame_end().
 */
void falco_frame_begin(struct falco_frame *f, u16 type, u64 tid, u32 snaplen);
void falco_frame_end(struct falco_frame *f);

/* Integers, in the width that the parameter's type has. */
void falco_write_u8(struct falco_frame *f, u8 v);
void falco_write_u16(struct falco_frame *f, u16 v);
void falco_write_u32(struct falco_frame *f, u32 v);
void falco_write_u64(struct falco_frame *f, u64 v);

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
void falco_write_absent(struct falco_frame *f);

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
u8 *falco_param_begin(struct falco_frame *f, u32 *room);
void falco_param_end(struct falco_frame *f, u32 len);

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
 * Copy a user string to @dst as falco_write_user_str() does, for composed
 * values. Returns its length with the NUL, 0 if there is none; flags the frame.
 */
u32 falco_read_user_str(struct falco_frame *f, u8 *dst, u64 uptr, u32 max);

#endif /* _FALCO_WRITE_H */
