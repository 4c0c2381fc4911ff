/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing a 2.0 state again with other payloads in some units: all other units' records are copied as they are. */
#ifndef GIM_SSM_REWRITE_H
#define GIM_SSM_REWRITE_H

#include "state.h"

/* input: a 2.0 state that can be seeked. changes: at least one. The directory's, units' and footer's offsets and all checksums are made anew; what
 * stands before the first changed unit is copied. */
int ssm_rewrite(struct gim_input *input, const struct gim_changes *changes, gim_sink_fn *sink, void *user, struct gim_error *error);

/* All bytes as they are. */
int ssm_copy(struct gim_input *input, gim_sink_fn *sink, void *user, struct gim_error *error);

#endif
