/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine at one moment: its interface's state and what is in its memory. */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include "engine.h"

struct snapshot;

/* *snapshot is the caller's: snapshot_free. Memory that was never touched takes no room in it. */
int snapshot_take(struct engine *engine, struct snapshot **snapshot, struct gim_error *error);
/* Load it into a new engine, before anything has run there. */
int snapshot_load(const struct snapshot *snapshot, struct engine *engine, struct gim_error *error);
void snapshot_free(struct snapshot **snapshot);

#endif
