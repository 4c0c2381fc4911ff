/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a command sets aside on its way to the output: files without names, in $TMPDIR or /var/tmp. */
#ifndef SPOOL_H
#define SPOOL_H

#include "gimstate.h"

#include <stdio.h>

/* A descriptor for reading and writing, the caller's; -1: it was said why not. */
int spool_fd(struct gim_error *error);
/* Copy all that `from` still holds to such a descriptor. */
int spool_fill(int fd, int from, struct gim_error *error);
/* A file without a name as a stream; NULL: it was said why not. */
FILE *spool_open(struct gim_error *error);
/* Print all that stands in it, or `size` bytes from `from` on. Returns a negative code when it was not written or cannot be read. */
int spool_print(FILE *spool, FILE *stream, struct gim_error *error);
int spool_print_part(FILE *spool, uint64_t from, uint64_t size, FILE *stream, struct gim_error *error);

#endif
