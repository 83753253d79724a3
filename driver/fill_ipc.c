// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * System V semaphores and futexes.
 */
#include <linux/kernel.h>
#include <uapi/linux/futex.h>
#include <uapi/linux/sem.h>

#include "fill.h"

#define SEMOPS_SHOWN 2

#ifndef IPC_64
#define IPC_64 0x100 /* or'ed into a command by old C libraries */
#endif

void falco_fill_futex_x(struct falco_frame *f, const struct falco_call *c)
{
	u32 op = c->args[1];

	falco_write_s64(f, c->ret);
	falco_write_u64(f, c->args[0]);
	falco_write_u16(f, falco_map(FALCO_MAP_FUTEX_OP, op & FUTEX_CMD_MASK & 0x7f) |
			   (op & (FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)));
	falco_write_u64(f, c->args[2]);
}

/* The first two operations, zeros where the call did not get that far. */
void falco_fill_semop_x(struct falco_frame *f, const struct falco_call *c)
{
	struct sembuf ops[SEMOPS_SHOWN] = {};
	u32 n = min_t(u32, c->args[2], SEMOPS_SHOWN);
	int i;

	if (!c->ret && c->args[1] && n)
		falco_read_user(f, ops, c->args[1], n * sizeof(*ops));
	falco_write_s64(f, c->ret);
	falco_write_u32(f, c->args[2]);
	for (i = 0; i < SEMOPS_SHOWN; i++) {
		falco_write_u16(f, ops[i].sem_num);
		falco_write_s16(f, ops[i].sem_op);
		falco_write_u16(f, falco_map(FALCO_MAP_SEMOP_FLAGS, (u16)ops[i].sem_flg));
	}
	falco_write_s32(f, c->args[0]);
}

void falco_fill_semctl_x(struct falco_frame *f, const struct falco_call *c)
{
	u32 cmd = c->args[2] & ~IPC_64;

	falco_write_s64(f, c->ret);
	falco_write_s32(f, c->args[0]);
	falco_write_s32(f, c->args[1]);
	falco_write_u16(f, falco_map(FALCO_MAP_SEMCTL_CMD, cmd));
	falco_write_s32(f, cmd == SETVAL ? c->args[3] : 0);
}
