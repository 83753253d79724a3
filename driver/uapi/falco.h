/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _UAPI_FALCO_H
#define _UAPI_FALCO_H
#include "../schema_gen.h"
#endif
