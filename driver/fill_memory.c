// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Memory events that need code: calls that say how big the process has become,
 * and page faults.
 */
#include <linux/kernel.h>

#include "fill.h"
#include "task.h"

/* 32-bit callers map with the offset in pages; on x86 also with their arguments in memory. */
#define OLD_MMAP   90
#define MMAP2      192
#define MMAP2_SHIFT 12 /* of those pages, whatever the machine's are */

static void write_memory(struct falco_frame *f, struct task_struct *task)
{
	struct falco_memory memory;

	falco_task_memory(task, &memory);
	falco_write_u32(f, memory.size);
	falco_write_u32(f, memory.rss);
	falco_write_u32(f, memory.swap);
}

void falco_fill_brk_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_u64(f, c->ret);
	write_memory(f, c->task);
	falco_write_u64(f, c->args[0]);
}

static void write_mmap(struct falco_frame *f, const struct falco_call *c, const u64 args[6])
{
	falco_write_s64(f, c->ret);
	write_memory(f, c->task);
	falco_write_u64(f, args[0]);
	falco_write_u64(f, args[1]);
	falco_write_u32(f, falco_map(FALCO_MAP_PROT_FLAGS, args[2]));
	falco_write_u32(f, falco_map(FALCO_MAP_MMAP_FLAGS, args[3]));
	falco_write_fd(f, args[4]);
	falco_write_u64(f, args[5]);
}

void falco_fill_mmap_x(struct falco_frame *f, const struct falco_call *c)
{
	u32 narrow[6];
	u64 args[6];
	int i;

	memcpy(args, c->args, sizeof(args));
	if (c->compat && c->nr == OLD_MMAP) {
		falco_read_user(f, narrow, c->args[0], sizeof(narrow));
		for (i = 0; i < 6; i++)
			args[i] = narrow[i];
	} else if (c->compat && c->nr == MMAP2) {
		args[5] <<= MMAP2_SHIFT;
	}
	write_mmap(f, c, args);
}

/* The offset counts pages, and the parameter's name says so. */
void falco_fill_mmap2_x(struct falco_frame *f, const struct falco_call *c)
{
	write_mmap(f, c, c->args);
}

void falco_fill_munmap_x(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_s64(f, c->ret);
	write_memory(f, c->task);
	falco_write_u64(f, c->args[0]);
	falco_write_u64(f, c->args[1]);
}

/* From a tracepoint: args are the address, the instruction, the error code. */
void falco_fill_page_fault_e(struct falco_frame *f, const struct falco_call *c)
{
	falco_write_u64(f, c->args[0]);
	falco_write_u64(f, c->args[1]);
	falco_write_u32(f, falco_map(FALCO_MAP_PF_FLAGS, c->args[2]));
}
