/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _FALCO_COMPAT_MOUNT_H
#define _FALCO_COMPAT_MOUNT_H

/* The MS_ flags. */
#ifdef FALCO_HAVE_UAPI_MOUNT /* 5.0 */
#include <uapi/linux/mount.h>
#else
#include <uapi/linux/fs.h>
#endif

#ifndef FALCO_HAVE_FSCONFIG /* 5.2: no such call, but the event is compiled */
enum fsconfig_command {
	FSCONFIG_SET_STRING = 1,
	FSCONFIG_SET_BINARY = 2,
	FSCONFIG_SET_PATH = 3,
};
#endif

#endif /* _FALCO_COMPAT_MOUNT_H */
