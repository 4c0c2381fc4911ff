/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing a stream again, with the guest interface as it is now. */
#ifndef GIM_QEMU_WRITE_H
#define GIM_QEMU_WRITE_H

#include "state.h"

/* As the format's write. */
int qemu_write(struct gim_state *state, const struct gim_changes *changes, const struct gim_write_options *options, gim_sink_fn *sink,
               void *user, struct gim_error *error);

#endif
