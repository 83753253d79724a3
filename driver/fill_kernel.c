// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Calls that change the kernel, and those that have no event of their own.
 */
#include "fill.h"

void falco_fill_generic_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_u16(f, c->sc);
	falco_write_u16(f, c->native_nr);
}

/* A module's image is megabytes: it is data, and cut like data. */
void falco_fill_init_module_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_s64(f, c->ret);
	falco_write_user_bytes(f, c->args[0], c->args[1], f->snaplen);
	falco_write_u64(f, c->args[1]);
	falco_write_user_str(f, c->args[2], FALCO_STR_MAX);
}
