/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's command line, as a configuration. */
#ifndef QEMU_COMMAND_LINE_H
#define QEMU_COMMAND_LINE_H

#include "qemu/config.h"

/* Read options as a shell has them ("-M pc -cpu host,kvm=off -smp 3"). Those that have nothing to do with saved state are passed over. GIM_E_VALUE: one has an
 * argument that it does not take, or a word is no option. */
int qemu_command_line_read(const char *text, struct qemu_config *config, struct gim_error *error);

/* The same word by word, of a command line that is none of one text: lay it out with zeros, take all words in their order, and end it. */
struct qemu_command_line {
	bool disks;                       /* words alone are taken for images of disks, as QEMU does, and passed over */
	bool passed;                      /* the last word was an option that does not matter: the next may be its argument */
	const struct qemu_option *option; /* that waits for its argument */
};
int qemu_command_line_take(struct qemu_command_line *line, const char *word, struct qemu_config *config, struct gim_error *error);
int qemu_command_line_end(const struct qemu_command_line *line, struct gim_error *error);

#endif
