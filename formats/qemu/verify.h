/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Judging a migration stream's integrity. */
#ifndef GIM_QEMU_VERIFY_H
#define GIM_QEMU_VERIFY_H

#include "input.h"

/* As gim_verify, on an open input. */
int qemu_verify(struct gim_input *input, const struct gim_verify_options *options, gim_report_fn *report, void *user,
                struct gim_error *error);

#endif
