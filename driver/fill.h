/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A filler writes the parameters of one event: all of them, in table order,
 * each with exactly one falco_write_*() or falco_param_begin()/end() pair.
 *
 * It runs with preemption off, between a tracepoint and the commit: it must not
 * sleep, take a lock that can sleep, fault, or print. What it cannot find out
 * it writes as absent; the event goes out all the same.
 *
 * falco_fill_t and the falco_fill_<event>() prototypes are in schema_gen.h: an
 * event without its filler does not link, and a filler without its event warns.
 * falco_fill_auto() walks the event's rows of events.tbl; it serves every event
 * that is marked "auto" there.
 */
#ifndef _FALCO_FILL_H
#define _FALCO_FILL_H

#include "args.h"
#include "write.h"

#include "schema_gen.h"

/* ---- extensions: what events have behind their parameters ---- */

/* Whether events of @type tell of a call that returns a descriptor of a file it opened. */
static inline bool falco_opens_file(u16 type)
{
	return type == FALCO_EV_OPENAT_X || type == FALCO_EV_OPEN_X ||
	       type == FALCO_EV_OPENAT2_X || type == FALCO_EV_CREAT_X ||
	       type == FALCO_EV_OPEN_BY_HANDLE_AT_X;
}

/* FALCO_EXT_REALPATH of the file behind @fd. */
void falco_ext_realpath(struct falco_frame *f, s64 fd);

#endif /* _FALCO_FILL_H */
