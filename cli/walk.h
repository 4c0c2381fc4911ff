/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The walk through a folder: every file that may be a state, in the order of names, symbolic links followed. */
#ifndef WALK_H
#define WALK_H

#include "gimstate.h"

#include <stdbool.h>

/* called: by its name it is a state, and not to be passed over, whatever it begins with. error (may have no code): why there is nothing to be looked at. Non-zero
 * stops. */
typedef int walk_fn(void *user, const char *path, bool called, uint64_t size, const struct gim_error *error);
int walk_folder(const char *folder, walk_fn *visit, void *user);

/* Is it a folder? "-" is none, but a stream. */
bool walk_is_folder(const char *operand);

#endif
