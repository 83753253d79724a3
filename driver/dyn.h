/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * DYN parameters: a value behind a byte that says which of several types it
 * has. The selectors are the positions in the event's dyn line in events.tbl.
 */
#ifndef _FALCO_DYN_H
#define _FALCO_DYN_H

#include <linux/types.h>

struct falco_frame;

enum falco_ptrace_dyn {
	FALCO_PTRACE_UINT64,
	FALCO_PTRACE_SIGTYPE,
};

enum falco_sockopt_dyn {
	FALCO_SOCKOPT_BYTEBUF,
	FALCO_SOCKOPT_ERRNO,
	FALCO_SOCKOPT_UINT32,
	FALCO_SOCKOPT_UINT64,
	FALCO_SOCKOPT_RELTIME,
};

enum falco_keyctl_dyn {
	FALCO_KEYCTL_INT64,
	FALCO_KEYCTL_CHARBUF,
};

void falco_write_dyn_u8(struct falco_frame *f, u8 selector, u8 v);
void falco_write_dyn_u32(struct falco_frame *f, u8 selector, u32 v);
void falco_write_dyn_u64(struct falco_frame *f, u8 selector, u64 v);

/* As falco_write_user_str() and falco_write_user_bytes(); nothing: absent. */
void falco_write_dyn_user_str(struct falco_frame *f, u8 selector, u64 uptr);
void falco_write_dyn_user_bytes(struct falco_frame *f, u8 selector, u64 uptr, u64 n, u32 max);

#endif /* _FALCO_DYN_H */
