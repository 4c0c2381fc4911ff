/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Giving up what a command does not need, before it reads what others wrote. */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "command.h"

#include <stdio.h>

/* For this call of a command, from here to the end of the process and of all threads that it starts. 0, or a negative code: it was wanted, and cannot be had. */
int sandbox_enter(const struct command *command, const struct options *options, int count, char **operands, struct gim_error *error);

/* How far: "auto" as far as the system lets, with a warning where it does not; "require" all of it, or fail; "off". false: no such mode. */
bool sandbox_mode(const char *name);

/* Say what there is of it here. */
void sandbox_describe(FILE *stream);

#endif
