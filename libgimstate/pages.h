/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Structures that a guest interface keeps in guest memory: their records and layouts, and finding them. */
#ifndef GIM_PAGES_H
#define GIM_PAGES_H

#include "memory.h"

/* A structure; a provider's table of them ends with a NULL name. */
struct gim_page_layout {
	const char *name; /* as mem --as calls it, e.g. "pvclock" */
	const char *help;
	const struct gim_record *record;
	const struct gim_row *rows;
	uint32_t size_bytes;
	/* Fill in what follows from what was decoded; may be NULL. */
	void (*derive)(const struct gim_object *object);
};

/* What a provider has of it. */
struct gim_page_provider {
	const struct gim_record *record; /* a top record of all that its structures hold */
	const struct gim_page_layout *layouts;
	/* Find the structures that the state's registers say are in use, and load each. */
	int (*load)(struct gim_state *state, struct gim_memory *memory, const struct gim_object *pages, struct gim_error *error);
};

/* Decode the structure at an address into an object of the layout's record, whose member `gpa`, a uint64_t, is at that offset. Where a guest has no memory, all but the address stays
 * absent. */
int gim_page_load(struct gim_state *state, struct gim_memory *memory, uint64_t gpa, const struct gim_page_layout *layout,
                  const struct gim_object *object, size_t gpa_offset, struct gim_error *error);
#define GIM_PAGE_LOAD(state, memory, gpa_, layout, type, object, error)                                                                    \
	gim_page_load(state, memory, gpa_, layout, object, offsetof(struct type, gpa), error)

/* The object that is a SUB of another one. */
struct gim_object gim_page_part(const struct gim_object *object, const struct gim_record *record, size_t offset);

/* Take away those items of a list of which `keep` says so; it may change those that stay. index: where it stood. */
void gim_page_sift(struct gim_list *list, const struct gim_record *item, bool (*keep)(void *data, uint8_t *presence, uint32_t index));

/* Decode the pages of all interfaces that the state holds (GIM_PART_PAGES); they themselves are decoded already. GIM_E_NO_UNIT: it holds no memory. */
int gim_pages_decode(struct gim_state *state, struct gim_error *error);

#endif
