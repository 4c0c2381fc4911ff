/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing a 2.0 state again with another payload in one unit: all other units' records are copied as they are. */
#ifndef GIM_SSM_REWRITE_H
#define GIM_SSM_REWRITE_H

#include "input.h"

/* What is to be another: the payload of the unit whose header is at `offset`. */
struct ssm_change {
	uint64_t offset;
	const uint8_t *payload;
	size_t size;
};

/* input: one that can be seeked. The directory's, units' and footer's offsets and all checksums are made anew; what stands before the changed unit is copied. */
int ssm_rewrite(struct gim_input *input, const struct ssm_change *change, gim_sink_fn *sink, void *user, struct gim_error *error);

/* All bytes as they are. */
int ssm_copy(struct gim_input *input, gim_sink_fn *sink, void *user, struct gim_error *error);

#endif
