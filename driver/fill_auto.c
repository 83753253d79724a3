// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The filler that walks the table: most events are their arguments, translated
 * and cut to a width. Adding such an event is adding rows to events.tbl.
 */
#include "fill.h"

/* Signed types are sign-extended from the 32 bits that a C caller's int has. */
static u64 value_of(const struct falco_param_desc *p, const struct falco_call *c)
{
	u64 v;

	switch (p->from) {
	case FALCO_FROM_RET:
		v = c->ret;
		break;
	case FALCO_FROM_ARG:
		v = c->args[p->arg];
		break;
	case FALCO_FROM_ARG32:
		return (u32)c->args[p->arg];
	default:
		return 0;
	}
	if (p->map != FALCO_MAP_NONE)
		return falco_map(p->map, v);
	switch (p->type) {
	case FALCO_PT_FD:
	case FALCO_PT_PID:
	case FALCO_PT_ERRNO:
	case FALCO_PT_INT64:
		return p->from == FALCO_FROM_ARG ? (u64)(s64)(s32)v : v;
	}
	return v;
}

static void write_param(struct falco_frame *f, const struct falco_call *c,
			const struct falco_param_desc *p)
{
	switch (p->type) {
	case FALCO_PT_INT8:
	case FALCO_PT_UINT8:
	case FALCO_PT_FLAGS8:
	case FALCO_PT_ENUMFLAGS8:
	case FALCO_PT_SIGTYPE:
		falco_write_u8(f, value_of(p, c));
		break;
	case FALCO_PT_INT16:
	case FALCO_PT_UINT16:
	case FALCO_PT_FLAGS16:
	case FALCO_PT_ENUMFLAGS16:
	case FALCO_PT_SYSCALLID:
	case FALCO_PT_PORT:
		falco_write_u16(f, value_of(p, c));
		break;
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
		falco_write_u32(f, value_of(p, c));
		break;
	case FALCO_PT_INT64:
	case FALCO_PT_UINT64:
	case FALCO_PT_RELTIME:
	case FALCO_PT_ABSTIME:
	case FALCO_PT_ERRNO:
	case FALCO_PT_FD:
	case FALCO_PT_PID:
		falco_write_u64(f, value_of(p, c));
		break;
	case FALCO_PT_FSPATH:
	case FALCO_PT_FSRELPATH:
		falco_write_user_str(f, value_of(p, c), FALCO_PATH_MAX);
		break;
	case FALCO_PT_CHARBUF:
		falco_write_user_str(f, value_of(p, c), FALCO_STR_MAX);
		break;
	default:
		falco_write_absent(f); /* the generator lets no row of this kind be "auto" */
	}
}

void falco_fill_auto(struct falco_frame *f, const struct falco_call *c)
{
	const struct falco_event_desc *event = &falco_events[f->type];
	unsigned int i;

	for (i = 0; i < event->nparams; i++)
		write_param(f, c, &event->params[i]);
}
