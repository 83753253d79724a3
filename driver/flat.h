/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Events that are nothing but registers: a number, the result, arguments. Most
 * events are, by kind and by count. There is nothing to gather, no length to
 * find out and no memory to read, so they are put straight into the ring.
 *
 * Some are nearly of that kind: registers, and a few bytes of user memory or a
 * short string. These are read into the ring's free space, and it is taken
 * afterwards. What is longer, or cannot be read, is left to the fillers.
 *
 * flat_gen.c has each one's layout as a struct and a function that fills it,
 * from the same rows that fill_auto.c walks for all other callers (32-bit ones,
 * x32, several listeners); the self-tests hold the two against each other.
 */
#ifndef _FALCO_FLAT_H
#define _FALCO_FLAT_H

#include <linux/kernel.h>
#include <linux/types.h>

#include "compat/syscall.h"
#include "schema_gen.h"
#include "write.h"

/* Everything of the event but its time and thread, of a native call. */
typedef void (*falco_put_t)(void *event, const struct pt_regs *regs, s64 ret);

struct falco_flat {
	falco_put_t put; /* NULL: an event of another kind */
	u16 type;
	u16 size;        /* of the record: prefix, event, padding */
	u32 count;       /* where the ring counts the type */
};

extern const struct falco_flat falco_flats[FALCO_EV_MAX]; /* by event type */

/* By native number of the call, NULL where the event is of another kind. */
extern const struct falco_flat *falco_flat_calls[FALCO_NR_MAX];

/* Most bytes of user memory in an event that is put together in the ring. */
#define FALCO_DATA_MAX 256

/*
 * As falco_put_t, with @snaplen bytes of I/O data at most. Returns the record's
 * flags, or FALCO_PUT_NONE if a frame must be filled instead.
 */
#define FALCO_PUT_NONE U32_MAX
typedef u32 (*falco_put_data_t)(void *event, const struct pt_regs *regs, s64 ret, u32 snaplen);

struct falco_data {
	falco_put_data_t put;
	u16 type;
	u16 bound;       /* the record has no more bytes */
	u32 count;       /* where the ring counts the type */
};

extern const struct falco_data falco_strings[FALCO_EV_MAX]; /* those with strings, by event type */

extern const struct falco_data *falco_data_calls[FALCO_NR_MAX];

void falco_flat_init(void);

/* ---- for flat_gen.c ---- */

/* What is constant goes first and together: the compiler makes few words of it. */
#define PUT_HEADER(e, event_type)                                  \
	do {                                                       \
		(e)->header.len = sizeof(*(e));                    \
		(e)->header.type = event_type;                     \
		(e)->header.nparams = ARRAY_SIZE((e)->lengths);    \
	} while (0)

#define PUT_LENGTH(e, i, member) ((e)->lengths[i] = sizeof((e)->member))

/*
 * With strings there is no struct: @p walks from value to value. @left is what
 * all strings together may still have.
 */
#define PUT_VALUE(i, type, v)                                      \
	do {                                                       \
		type value = (v);                                  \
								   \
		memcpy(p, &value, sizeof(value));                  \
		lengths[i] = sizeof(type);                         \
		p += sizeof(type);                                 \
	} while (0)

#define PUT_STRING(i, uptr)                                        \
	do {                                                       \
		s32 n = falco_put_string(p, uptr, left);           \
								   \
		if (unlikely(n < 0))                               \
			return FALCO_PUT_NONE;                     \
		lengths[i] = n;                                    \
		p += n;                                            \
		left -= n;                                         \
	} while (0)

#define PUT_END(event_type, n)                                     \
	do {                                                       \
		header->len = p - (u8 *)to;                        \
		header->type = event_type;                         \
		header->nparams = n;                               \
	} while (0)

/* @size: of the event without its data. */
#define DATA(event, event_type, size)                              \
	{                                                          \
		put_##event, event_type,                           \
		__ALIGN_KERNEL(sizeof(struct falco_record_prefix) + (size) + FALCO_DATA_MAX, 8), \
		event_type * sizeof(struct falco_count)            \
	}

/* With strings and @n parameters: of each a length, and of those that are no strings a value. */
#define STRINGS(event, event_type, n)                              \
	DATA(event, event_type,                                    \
	     sizeof(struct falco_event_header) + (n) * (sizeof(u16) + sizeof(u64)))

/* The string and its NUL; 0 if it is NULL, -1 if it is not there or has more than @max bytes. */
s32 falco_put_string(u8 *p, u64 uptr, u32 max);

#define FLAT(event, event_type)                                    \
	{                                                          \
		put_##event, event_type,                           \
		__ALIGN_KERNEL(sizeof(struct falco_record_prefix) + sizeof(struct event), 8), \
		event_type * sizeof(struct falco_count)            \
	}

#endif /* _FALCO_FLAT_H */
