/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What differs in the old containers 1.1 and 1.2 (releases 1.4 to 3.0), and what the readers share. */
#ifndef GIM_SSM_V1_H
#define GIM_SSM_V1_H

#include "vbox/ssm.h"

int ssm_v1_header(struct ssm_stream *stream, struct gim_error *error);
int ssm_v1_next(struct ssm_stream *stream, struct gim_unit *unit, struct gim_error *error);
int ssm_v1_read(struct ssm_stream *stream, uint8_t *bytes, size_t size, size_t *got, struct gim_error *error);
void ssm_v1_close(struct ssm_stream *stream);

/* Of ssm_read.c. */
int ssm_peek(struct ssm_stream *stream, size_t size, const uint8_t **bytes, size_t *got, struct gim_error *error);
int ssm_take(struct ssm_stream *stream, size_t size, const uint8_t **bytes, const char *what, struct gim_error *error);

#endif
