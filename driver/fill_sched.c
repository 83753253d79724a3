// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The scheduler's events.
 */
#include <linux/sched.h>

#include "fill.h"
#include "task.h"

/* From a tracepoint: task is the one that leaves. One without memory has none to tell. */
void falco_fill_switch_e(struct falco_frame *f, const struct falco_call *c)
{
	struct falco_memory memory;

	falco_task_memory(c->task, &memory);
	falco_write_s64(f, c->next->pid);
	falco_write_u64(f, READ_ONCE(c->task->maj_flt));
	falco_write_u64(f, READ_ONCE(c->task->min_flt));
	falco_write_u32(f, memory.size);
	falco_write_u32(f, memory.rss);
	falco_write_u32(f, memory.swap);
}
