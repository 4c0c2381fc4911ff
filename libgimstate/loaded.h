/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions of other libraries that are looked up when they are needed, since linking them would slow every start of a program down. */
#ifndef GIM_LOADED_H
#define GIM_LOADED_H

#include "gimstate.h"

struct gim_symbol {
	const char *name;
	size_t offset; /* of the pointer to it in the table */
};

/* Load a library by its soname for good, and fill a table of pointers to its functions. what: what it is needed for, for the sentence of an error. */
int gim_load(const char *soname, const struct gim_symbol *symbols, size_t count, void *table, const char *what, struct gim_error *error);

#endif
