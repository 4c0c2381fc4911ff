/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing a state of the old containers 1.1 and 1.2 as one of container 2.0. */
#ifndef GIM_SSM_CONVERT_H
#define GIM_SSM_CONVERT_H

#include "state.h"
#include "vbox/ssm.h"

/* What the new header says; header: of the old file. Reports what was changed, and what was supplied since container 1.1 does not say it. GIM_E_ARGUMENT: the options do not make sense. */
int ssm_convert_header(const struct ssm_header *header, const struct gim_write_options *options, struct ssm_header *made,
                       struct gim_error *error);

/* All units of the old file, with the changes, under the header that was made. input: one that can be seeked. */
int ssm_convert(struct gim_input *input, const struct ssm_header *made, const struct gim_changes *changes, gim_sink_fn *sink, void *user,
                struct gim_error *error);

#endif
