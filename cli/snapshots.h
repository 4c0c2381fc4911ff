/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The snapshots of a disk image: as info shows them, and as the states that they are. */
#ifndef SNAPSHOTS_H
#define SNAPSHOTS_H

#include "gimstate.h"

#include <jansson.h>

/* A list of the snapshots in the image that path names or names a snapshot of; NULL: it is no such image, or it cannot be read. The caller's. */
json_t *snapshots_list(const char *path);

/* A line for each; chosen (NULL: none): the one whose state is shown. */
void snapshots_put(const json_t *list, const char *chosen_id);

/* The states in an image of which path names none, where there are several (at most 1000): FILE//NAME of each, a NULL at the end. NULL: it is no such image. The caller's. */
char **snapshots_states(const char *path);
void snapshots_states_free(char **states);

#endif
