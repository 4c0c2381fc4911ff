/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of gimstate report: the map of a file, and its fields with what the tables say of them. */
#ifndef REPORT_H
#define REPORT_H

#include "gimstate.h"

#include <stddef.h>

/* Units as the map shows them; of more than REPORT_UNITS only their number and size are kept. */
enum { REPORT_UNITS = 4096 };

struct report_map {
	struct gim_unit *units;
	size_t count;
	uint64_t more, more_bytes;
	uint64_t file_bytes; /* 0: not known */
};

/* Walk over the units; what was found before a failure stays. */
int report_map_read(struct report_map *map, struct gim_state *state, struct gim_error *error);
void report_map_free(struct report_map *map);
/* As SVG, on stdout: a strip for each pass, the units in it by size. alone: a document, with the style that it needs. */
void report_map_put(const struct report_map *map, const char *title, bool alone);
/* As a table, on stdout. */
void report_units_put(const struct report_map *map);

/* Is anything stored at or below path? */
bool report_stores(const struct gim_state *state, const char *path);

/* Fields at or below path (NULL: all) as tables in <details>, on stdout: one for each item of a list and each record; or, where `but` is not NULL, coarser ones, and without what is at or below
 * those paths (ended by NULL). Of a list the first `items` are shown. Returns how many leaves are stored. */
size_t report_fields_put(const struct gim_state *state, const char *path, const char *const *but, size_t items, bool open);

/* "1.5 MiB" in 16 bytes. */
void report_size_text(uint64_t size_bytes, char text[16]);

#endif
