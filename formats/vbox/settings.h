/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings files of VirtualBox's VMs. */
#ifndef GIM_VBOX_SETTINGS_H
#define GIM_VBOX_SETTINGS_H

#include "check.h"

/* As struct gim_format wants them. */
bool vbox_settings_bid(const uint8_t *head, size_t size);
int vbox_settings(struct gim_input *input, const char *path, gim_setup_visit_fn *visit, void *user, struct gim_error *error);
extern const struct gim_check_rule vbox_checks[];

#endif
