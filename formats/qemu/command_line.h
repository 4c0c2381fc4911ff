/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's command line, as a configuration. */
#ifndef QEMU_COMMAND_LINE_H
#define QEMU_COMMAND_LINE_H

#include "qemu/config.h"

/* Read options as a shell has them ("-M pc -cpu host,kvm=off -smp 3"). Those that have nothing to do with saved state are passed over. GIM_E_VALUE: one has an
 * argument that it does not take, or a word is no option. */
int qemu_command_line_read(const char *text, struct qemu_config *config, struct gim_error *error);

#endif
