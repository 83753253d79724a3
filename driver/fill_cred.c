// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Credential events that need code, and keys.
 */
#include <linux/kernel.h>
#include <linux/nospec.h>

#include "dyn.h"
#include "fill.h"
#include "task.h"

/* 32-bit callers have these calls for ids of 16 bits as well. */
#define NARROW_GETRESUID 165
#define NARROW_GETRESGID 171

/* The id that the kernel stored at @uptr; absent if that cannot be read. */
static void write_id(struct falco_frame *f, u64 uptr, u32 width)
{
	u32 id = 0; /* little-endian: a narrow one fills the low half */

	if (uptr && falco_read_user(f, &id, uptr, width))
		falco_write_u32(f, id);
	else
		falco_write_absent(f);
}

static void write_ids(struct falco_frame *f, const struct falco_call *c, u32 narrow)
{
	u32 width = c->compat && c->nr == narrow ? sizeof(u16) : sizeof(u32);
	int i;

	falco_write_s64(f, c->ret);
	for (i = 0; i < 3; i++)
		write_id(f, c->args[i], width);
}

void falco_fill_getresuid_x(struct falco_frame *f, const struct falco_call *c)
{
	write_ids(f, c, NARROW_GETRESUID);
}

void falco_fill_getresgid_x(struct falco_frame *f, const struct falco_call *c)
{
	write_ids(f, c, NARROW_GETRESGID);
}

/* The sets as they are after the call. */
void falco_fill_capset_x(struct falco_frame *f, const struct falco_call *c)
{
	struct falco_creds creds;

	falco_task_creds(c->task, &creds);
	falco_write_s64(f, c->ret);
	falco_write_u64(f, creds.inheritable);
	falco_write_u64(f, creds.permitted);
	falco_write_u64(f, creds.effective);
}

/* Arguments 1 to 4 of keyctl by operation: i number, s string, - none. */
static const char keyctl_args[][5] = {
	"ii--", /* GET_KEYRING_ID */
	"s---", /* JOIN_SESSION_KEYRING */
	"iii-", /* UPDATE */
	"i---", /* REVOKE */
	"iii-", /* CHOWN */
	"ii--", /* SETPERM */
	"iii-", /* DESCRIBE */
	"i---", /* CLEAR */
	"ii--", /* LINK */
	"ii--", /* UNLINK */
	"issi", /* SEARCH */
	"iii-", /* READ */
	"iiii", /* INSTANTIATE */
	"iii-", /* NEGATE */
	"i---", /* SET_REQKEY_KEYRING */
	"ii--", /* SET_TIMEOUT */
	"i---", /* ASSUME_AUTHORITY */
	"iii-", /* GET_SECURITY */
	"----", /* SESSION_TO_PARENT */
	"iiii", /* REJECT */
	"iiii", /* INSTANTIATE_IOV */
	"i---", /* INVALIDATE */
	"ii--", /* GET_PERSISTENT */
	"iiii", /* DH_COMPUTE */
	"iis-", /* PKEY_QUERY */
	"isii", /* PKEY_ENCRYPT */
	"isii", /* PKEY_DECRYPT */
	"isii", /* PKEY_SIGN */
	"isii", /* PKEY_VERIFY */
	"iss-", /* RESTRICT_KEYRING */
	"iiii", /* MOVE */
	"ii--", /* CAPABILITIES */
	"iii-", /* WATCH_KEY */
};

void falco_fill_keyctl_x(struct falco_frame *f, const struct falco_call *c)
{
	u32 op = c->args[0];
	const char *kinds = "----";
	int i;

	if (op < ARRAY_SIZE(keyctl_args))
		kinds = keyctl_args[array_index_nospec(op, ARRAY_SIZE(keyctl_args))];

	falco_write_s64(f, c->ret);
	falco_write_u32(f, op);
	for (i = 0; i < 4; i++) {
		u64 arg = c->args[1 + i];

		switch (kinds[i]) {
		case 'i':
			falco_write_dyn_u64(f, FALCO_KEYCTL_INT64, c->compat ? (s32)arg : arg);
			break;
		case 's':
			falco_write_dyn_user_str(f, FALCO_KEYCTL_CHARBUF, arg);
			break;
		default:
			falco_write_dyn_u64(f, FALCO_KEYCTL_INT64, 0);
			break;
		}
	}
}
