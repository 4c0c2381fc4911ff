/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guest memory as VirtualBox's page manager saves it: the unit pgm. */
#ifndef GIM_VBOX_PGM_H
#define GIM_VBOX_PGM_H

#include "memory.h"
#include "vbox/ssm.h"

/* As struct gim_format wants it. */
extern const struct gim_memory_format vbox_memory;

/* The container of an open state (vbox.c). */
struct ssm_stream *vbox_stream(const struct gim_state *state);

#endif
