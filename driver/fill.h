/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A filler writes the parameters of one event: all of them, in table order,
 * each with exactly one falco_write_*() or falco_param_begin()/end() pair.
 *
 * It runs with preemption off, between a tracepoint and the commit: it must not
 * sleep, take a lock that can sleep, fault, or print. What it cannot find out
 * it writes as absent; the event goes out all the same.
 *
 * The falco_fill_<event>() prototypes are in schema_gen.h: an event without its
 * filler does not link, and a filler without its event warns.
 */
#ifndef _FALCO_FILL_H
#define _FALCO_FILL_H

#include "args.h"
#include "write.h"

typedef void (*falco_fill_t)(struct falco_frame *f, const struct falco_call *c);

#include "schema_gen.h"

/* Walks the event's rows in events.tbl; serves every event marked "auto". */
void falco_fill_auto(struct falco_frame *f, const struct falco_call *c);

#endif /* _FALCO_FILL_H */
