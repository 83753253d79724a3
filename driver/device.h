/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * /dev/falco. The conversation is told in uapi/falco.h.
 */
#ifndef _FALCO_DEVICE_H
#define _FALCO_DEVICE_H

int falco_device_init(void);
void falco_device_exit(void);

#endif /* _FALCO_DEVICE_H */
