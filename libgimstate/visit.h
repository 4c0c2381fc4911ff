/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Going through an object's leaves, and loading and storing its numbers. */
#ifndef GIM_VISIT_H
#define GIM_VISIT_H

#include "field.h"

/* Visit the leaves at `rest` (what follows the record's name in a path: ".vp[1].sint", or "": all) of an object. */
int gim_object_visit(const struct gim_object *object, const char *rest, gim_visit_fn *visit, void *user, struct gim_error *error);

/* The same, with where the leaf lies: the element `index` of field in object. */
typedef int gim_leaf_fn(void *user, const char *path, const struct gim_object *object, const struct gim_field *field, uint32_t index);
int gim_object_leaves(const struct gim_object *object, const char *rest, gim_leaf_fn *leaf, void *user, struct gim_error *error);

/* Give the one leaf at `rest` the value that text says, as gim_state_set does, and mark it stored. */
int gim_object_set(struct gim_arena *arena, const struct gim_object *object, const char *rest, const char *text, struct gim_error *error);

/* The row of the member in which byte `offset` of a record's struct lies, and of the leaf, inside sub-records; NULL: none. */
const struct gim_field *gim_record_field(const struct gim_record *record, size_t offset);
const struct gim_field *gim_record_leaf(const struct gim_record *record, size_t offset);

/* An object in its JSON form, without what is absent when it is to be sparse; NULL when memory is out. */
struct json_t *gim_object_json(const struct gim_object *object, bool sparse);

/* Is it the field's reset value, or an empty text? Presence does not matter. */
bool gim_value_at_default(const struct gim_value *value);

/* A number member of width 1, 2, 4 or 8, in the machine's byte order. */
uint64_t gim_number_load(const uint8_t *data, unsigned width);
void gim_number_store(uint8_t *data, unsigned width, uint64_t number);

#endif
