// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Mount events that need code, and quotas.
 */
#include <linux/kernel.h>
#include <uapi/linux/dqblk_xfs.h>
#include <uapi/linux/quota.h>

#include "compat/mount.h"
#include "fill.h"

/* Bytes of a binary option that are worth keeping. */
#define BINARY_MAX 4096

#define FSCONFIG_PATH_EMPTY 4 /* FSCONFIG_SET_PATH_EMPTY */

/* quota_fmt parameters of calls that have no quota format. */
#define FMT_NOT_USED 1

/* Schema values of dqi_flags. */
#define DQI_NONE    0x1
#define DQI_RSQUASH 0x2

/* The upper half of flags can be the magic word of very old callers. */
void falco_fill_mount_x(struct falco_frame *f, const struct falco_call *c)
{
	u32 flags = c->args[3];

	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~MS_MGC_MSK;
	falco_write_s64(f, c->ret);
	falco_write_user_str(f, c->args[0], FALCO_STR_MAX);
	falco_write_user_str(f, c->args[1], FALCO_PATH_MAX);
	falco_write_user_str(f, c->args[2], FALCO_STR_MAX);
	falco_write_u32(f, flags);
}

void falco_fill_fsconfig_x(struct falco_frame *f, const struct falco_call *c)
{
	u32 cmd = c->args[1];

	falco_write_s64(f, c->ret);
	falco_write_fd(f, c->args[0]);
	falco_write_u32(f, cmd);
	falco_write_user_str(f, c->args[2], FALCO_STR_MAX);
	if (c->ret >= 0 && cmd == FSCONFIG_SET_BINARY)
		falco_write_user_bytes(f, c->args[3], (u32)c->args[4], BINARY_MAX);
	else
		falco_write_absent(f);
	if (c->ret >= 0 && (cmd == FSCONFIG_SET_STRING || cmd == FSCONFIG_SET_PATH ||
			    cmd == FSCONFIG_PATH_EMPTY))
		falco_write_user_str(f, c->args[3], FALCO_STR_MAX);
	else
		falco_write_absent(f);
	falco_write_s32(f, c->args[4]);
}

/* Only the members that the call's valid bits vouch for. */
static void write_dqblk(struct falco_frame *f, const struct if_dqblk *b)
{
	bool blimits = b->dqb_valid & QIF_BLIMITS, ilimits = b->dqb_valid & QIF_ILIMITS;

	falco_write_u64(f, blimits ? b->dqb_bhardlimit : 0);
	falco_write_u64(f, blimits ? b->dqb_bsoftlimit : 0);
	falco_write_u64(f, b->dqb_valid & QIF_SPACE ? b->dqb_curspace : 0);
	falco_write_u64(f, ilimits ? b->dqb_ihardlimit : 0);
	falco_write_u64(f, ilimits ? b->dqb_isoftlimit : 0);
	falco_write_u64(f, b->dqb_valid & QIF_BTIME ? b->dqb_btime : 0);
	falco_write_u64(f, b->dqb_valid & QIF_ITIME ? b->dqb_itime : 0);
}

static void write_dqinfo(struct falco_frame *f, const struct if_dqinfo *i)
{
	u8 flags = 0;

	if (i->dqi_valid & IIF_FLAGS)
		flags = i->dqi_flags & 1 ? DQI_RSQUASH : DQI_NONE;
	falco_write_u64(f, i->dqi_valid & IIF_BGRACE ? i->dqi_bgrace : 0);
	falco_write_u64(f, i->dqi_valid & IIF_IGRACE ? i->dqi_igrace : 0);
	falco_write_u8(f, flags);
}

/* cmd holds the command and, in its low byte, the type. */
void falco_fill_quotactl_x(struct falco_frame *f, const struct falco_call *c)
{
	u32 cmd = (u32)c->args[0] >> SUBCMDSHIFT;
	u64 addr = c->args[3];
	struct if_dqblk block = {};
	struct if_dqinfo info = {};
	u32 fmt = 0;

	falco_write_s64(f, c->ret);
	falco_write_user_str(f, c->args[1], FALCO_STR_MAX);
	if (cmd == Q_QUOTAON)
		falco_write_user_str(f, addr, FALCO_PATH_MAX);
	else
		falco_write_absent(f);

	if (addr && (cmd == Q_GETQUOTA || cmd == Q_SETQUOTA))
		falco_read_user(f, &block, addr, sizeof(block));
	write_dqblk(f, &block);
	if (addr && (cmd == Q_GETINFO || cmd == Q_SETINFO))
		falco_read_user(f, &info, addr, sizeof(info));
	write_dqinfo(f, &info);

	if (addr && cmd == Q_GETFMT && falco_read_user(f, &fmt, addr, sizeof(fmt)))
		falco_write_u8(f, falco_map(FALCO_MAP_QUOTACTL_FMT, fmt));
	else
		falco_write_u8(f, FMT_NOT_USED);
	falco_write_u16(f, falco_map(FALCO_MAP_QUOTACTL_CMD, cmd));
	falco_write_u8(f, falco_map(FALCO_MAP_QUOTACTL_TYPE, c->args[0] & SUBCMDMASK));
	if (cmd == Q_GETQUOTA || cmd == Q_SETQUOTA || cmd == Q_XGETQUOTA || cmd == Q_XSETQLIM)
		falco_write_u32(f, c->args[2]);
	else
		falco_write_u32(f, 0);
	if (cmd == Q_QUOTAON)
		falco_write_u8(f, falco_map(FALCO_MAP_QUOTACTL_FMT, (u32)c->args[2]));
	else
		falco_write_u8(f, FMT_NOT_USED);
}
