/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of a guest kernel's addresses: a System.map, as nm and Linux's build write it. */
#ifndef SYMBOLS_H
#define SYMBOLS_H

#include "gimstate.h"

struct symbols;

/* Read the file at path; *symbols is the caller's: symbols_free. */
int symbols_open(const char *path, struct symbols **symbols, struct gim_error *error);
void symbols_free(struct symbols **symbols);

/* The name at or below address, and how far below; NULL: there is none. */
const char *symbols_find(const struct symbols *symbols, uint64_t address, uint64_t *offset);

#endif
