/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A configuration of QEMU as a target. */
#ifndef QEMU_CONFIGURE_H
#define QEMU_CONFIGURE_H

#include "check.h"
#include "qemu/config.h"

/* Say of the target what the configuration says; what that leaves open stays unknown, but for the processor's features: those of a model are QEMU's defaults. */
int qemu_target_configure(struct gim_target *target, const struct qemu_config *config, struct gim_error *error);

/* What options of QEMU's command line say, as a format's hook: see struct gim_format. */
int qemu_target_options(struct gim_target *target, const char *options, struct gim_error *error);

/* libvirt's XML as a settings file: see struct gim_format. */
int qemu_target_settings(struct gim_input *input, const char *path, gim_setup_visit_fn *visit, void *user, struct gim_error *error);

extern const struct gim_format gim_format_qemu;
extern const struct gim_check_rule qemu_checks[];

/* The machine type that a name stands for in the target's release: "pc" and "q35" are the release's own. */
void qemu_machine_name(const struct gim_target *target, const char *name, char *machine, size_t size);

#endif
