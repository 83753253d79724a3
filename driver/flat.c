// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Which calls have events that are nothing but registers, or little more; and
 * those of them that no table makes. See flat.h.
 */
#include "flat.h"

#include <linux/cache.h>
#include <linux/kernel.h>
#include <linux/sched.h>

#include "compat/uaccess.h"
#include "fill.h"
#include "sock.h"

const struct falco_flat *falco_flat_calls[FALCO_NR_MAX] __ro_after_init;

struct generic_x {
	struct falco_event_header header;
	u16 lengths[2];
	u16 id;
	u16 native_id;
} __packed;

static notrace void put_generic_x(void *to, const struct pt_regs *regs, s64 ret)
{
	struct generic_x *e = to;
	unsigned long nr = falco_arg_nr(regs) & (FALCO_NR_MAX - 1);

	PUT_HEADER(e, FALCO_EV_GENERIC_X);
	PUT_LENGTH(e, 0, id);
	PUT_LENGTH(e, 1, native_id);
	e->id = falco_syscalls[nr].sc;
	e->native_id = nr;
}

static const struct falco_flat generic = FLAT(generic_x, FALCO_EV_GENERIC_X);

/* ---- read, write, and those at a position ---- */

struct io_x {
	struct falco_event_header header;
	u16 lengths[4];
	u64 res;
	u8 data[];
	/* u64 fd; u32 size; */
} __packed;

struct positioned_io_x {
	struct falco_event_header header;
	u16 lengths[5];
	u64 res;
	u8 data[];
	/* u64 fd; u32 size; u64 pos; */
} __packed;

struct io_tail {
	u64 fd;
	u32 size;
} __packed;

struct positioned_io_tail {
	u64 fd;
	u32 size;
	u64 pos;
} __packed;

/* Returns the bytes that were read of @want, and flags the record if that is not all. */
static __always_inline u32 get_data(u8 *to, u64 from, u32 want, u32 *flags)
{
	u32 got;

	if (!from)
		return 0;
	if (likely(copy_user_nofault(to, from, want)))
		return want;
	got = falco_read_pages(to, from, want);
	if (got < want)
		*flags |= FALCO_REC_FAULT;
	return got;
}

/* What was read is as long as the call says; of what could not be written, all is of interest. */
static __always_inline u64 length_in(const struct pt_regs *regs, s64 ret)
{
	return ret > 0 ? ret : 0;
}

static __always_inline u64 length_out(const struct pt_regs *regs, s64 ret)
{
	return ret > 0 ? ret : falco_arg(regs, 2);
}

/* Larger ones are left to the fillers. */
#define GET_DATA(n, e, length)                                                              \
	do {                                                                                \
		n = min_t(u64, length, snaplen);                                            \
		if (unlikely(n > FALCO_DATA_MAX))                                           \
			return FALCO_PUT_NONE;                                              \
		n = get_data((e)->data, falco_arg(regs, 1), n, &flags);                     \
	} while (0)

#define PUT_IO(e, tail, event_type, length)                                                 \
	do {                                                                                \
		u32 n;                                                                      \
											    \
		GET_DATA(n, e, length);                                                     \
		tail = (void *)((e)->data + n);                                             \
		(e)->header.type = event_type;                                              \
		(e)->header.nparams = ARRAY_SIZE((e)->lengths);                             \
		(e)->header.len = sizeof(*(e)) + n + sizeof(*(tail));                       \
		PUT_LENGTH(e, 0, res);                                                      \
		(e)->lengths[1] = n;                                                        \
		(e)->lengths[2] = sizeof((tail)->fd);                                       \
		(e)->lengths[3] = sizeof((tail)->size);                                     \
		(e)->res = ret;                                                             \
		(tail)->fd = (s32)falco_arg(regs, 0);                                       \
		(tail)->size = falco_arg(regs, 2);                                          \
	} while (0)

#define PUT_POSITION(e, tail)                                                               \
	do {                                                                                \
		(e)->lengths[4] = sizeof((tail)->pos);                                      \
		(tail)->pos = falco_arg(regs, 3);                                           \
	} while (0)

static notrace u32 put_read_x(void *to, const struct pt_regs *regs, s64 ret, u32 snaplen)
{
	struct io_x *e = to;
	struct io_tail *tail;
	u32 flags = 0;

	PUT_IO(e, tail, FALCO_EV_READ_X, length_in(regs, ret));
	return flags;
}

static notrace u32 put_write_x(void *to, const struct pt_regs *regs, s64 ret, u32 snaplen)
{
	struct io_x *e = to;
	struct io_tail *tail;
	u32 flags = 0;

	PUT_IO(e, tail, FALCO_EV_WRITE_X, length_out(regs, ret));
	return flags;
}

static notrace u32 put_pread_x(void *to, const struct pt_regs *regs, s64 ret, u32 snaplen)
{
	struct positioned_io_x *e = to;
	struct positioned_io_tail *tail;
	u32 flags = 0;

	PUT_IO(e, tail, FALCO_EV_PREAD_X, length_in(regs, ret));
	PUT_POSITION(e, tail);
	return flags;
}

static notrace u32 put_pwrite_x(void *to, const struct pt_regs *regs, s64 ret, u32 snaplen)
{
	struct positioned_io_x *e = to;
	struct positioned_io_tail *tail;
	u32 flags = 0;

	PUT_IO(e, tail, FALCO_EV_PWRITE_X, length_out(regs, ret));
	PUT_POSITION(e, tail);
	return flags;
}

/* ---- sending and receiving, of those who give no address ---- */

struct send_tail {
	u64 fd;
	u32 size;
	u8 tuple[FALCO_TUPLE_MAX];
} __packed;

static notrace u32 put_sendto_x(void *to, const struct pt_regs *regs, s64 ret, u32 snaplen)
{
	struct positioned_io_x *e = to; /* what follows the data differs */
	struct send_tail *tail;
	u32 n, tuple = 0, flags = 0;

	if (falco_arg(regs, 4))
		return FALCO_PUT_NONE;
	GET_DATA(n, e, length_out(regs, ret));
	tail = (void *)(e->data + n);
	if (ret >= 0)
		tuple = falco_put_socktuple(tail->tuple, (s32)falco_arg(regs, 0), FALCO_SENT);
	e->header.type = FALCO_EV_SENDTO_X;
	e->header.nparams = ARRAY_SIZE(e->lengths);
	e->header.len = sizeof(*e) + n + offsetof(struct send_tail, tuple) + tuple;
	PUT_LENGTH(e, 0, res);
	e->lengths[1] = n;
	e->lengths[2] = sizeof(tail->fd);
	e->lengths[3] = sizeof(tail->size);
	e->lengths[4] = tuple;
	e->res = ret;
	tail->fd = (s32)falco_arg(regs, 0);
	tail->size = falco_arg(regs, 2);
	return flags;
}

static notrace u32 put_recvfrom_x(void *to, const struct pt_regs *regs, s64 ret, u32 snaplen)
{
	struct positioned_io_x *e = to;
	struct io_tail *tail;
	u32 n, tuple = 0, flags = 0;

	if (falco_arg(regs, 4))
		return FALCO_PUT_NONE;
	GET_DATA(n, e, length_in(regs, ret));
	if (ret >= 0)
		tuple = falco_put_socktuple(e->data + n, (s32)falco_arg(regs, 0), FALCO_INBOUND);
	tail = (void *)(e->data + n + tuple);
	e->header.type = FALCO_EV_RECVFROM_X;
	e->header.nparams = ARRAY_SIZE(e->lengths);
	e->header.len = sizeof(*e) + n + tuple + sizeof(*tail);
	PUT_LENGTH(e, 0, res);
	e->lengths[1] = n;
	e->lengths[2] = tuple;
	e->lengths[3] = sizeof(tail->fd);
	e->lengths[4] = sizeof(tail->size);
	e->res = ret;
	tail->fd = (s32)falco_arg(regs, 0);
	tail->size = falco_arg(regs, 2);
	return flags;
}

s32 notrace falco_put_string(u8 *p, u64 uptr, u32 max)
{
	bool whole;
	u32 n;

	if (!uptr)
		return 0;
	n = falco_read_words(p, uptr, max, &whole);
	return whole ? n : -1;
}

#define IO(event, event_type, head, tail)                                                   \
	DATA(event, event_type, sizeof(struct head) + sizeof(struct tail))

static const struct falco_data data[] = {
	IO(read_x, FALCO_EV_READ_X, io_x, io_tail),
	IO(write_x, FALCO_EV_WRITE_X, io_x, io_tail),
	IO(pread_x, FALCO_EV_PREAD_X, positioned_io_x, positioned_io_tail),
	IO(pwrite_x, FALCO_EV_PWRITE_X, positioned_io_x, positioned_io_tail),
	IO(sendto_x, FALCO_EV_SENDTO_X, positioned_io_x, send_tail),
	IO(recvfrom_x, FALCO_EV_RECVFROM_X, positioned_io_x, send_tail),
};

const struct falco_data *falco_data_calls[FALCO_NR_MAX] __ro_after_init;

void __init falco_flat_init(void)
{
	unsigned int nr, i;

	for (nr = 0; nr < FALCO_NR_MAX; nr++) {
		u16 type = falco_syscalls[nr].exit;

		if (!type || type == FALCO_EV_GENERIC_X)
			falco_flat_calls[nr] = &generic;
		else if (falco_flats[type].put)
			falco_flat_calls[nr] = &falco_flats[type];
		/* The path of what was opened is for those who have a frame. */
		else if (falco_strings[type].put && !falco_opens_file(type))
			falco_data_calls[nr] = &falco_strings[type];
		for (i = 0; i < ARRAY_SIZE(data); i++)
			if (type == data[i].type)
				falco_data_calls[nr] = &data[i];
	}
}
