/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decoding what guest interfaces keep in guest memory: all that a state uses, or bytes that somebody takes for such a structure. */
#include "pages.h"

#include "error.h"
#include "visit.h"

#include <stdlib.h>
#include <string.h>

struct gim_object gim_page_part(const struct gim_object *object, const struct gim_record *record, size_t offset)
{
	return (struct gim_object){.record = record, .data = object->data + offset, .presence = object->presence + offset};
}

void gim_page_sift(struct gim_list *list, const struct gim_record *item, bool (*keep)(void *data, uint8_t *presence, uint32_t index))
{
	uint8_t *data = (uint8_t *)list->items;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < list->count; i++) {
		uint8_t *from = data + (size_t)i * item->size, *presence = list->presence + (size_t)i * item->size;
		if (!keep(from, presence, i))
			continue;
		memmove(data + (size_t)kept * item->size, from, item->size);
		memmove(list->presence + (size_t)kept * item->size, presence, item->size);
		kept++;
	}
	list->count = kept;
}

static int decode(const struct gim_page_layout *layout, struct gim_arena *arena, const uint8_t *bytes, size_t size,
                  const struct gim_object *object, struct gim_error *error)
{
	const struct gim_codec codec = {.version = 1, .address_bytes = 8};
	size_t used;
	uint32_t version;
	int result = gim_decode(layout->rows, &codec, object, 1, arena, bytes, size, &used, &version, error);
	if (!result && layout->derive)
		layout->derive(object);
	return result;
}

int gim_page_load(struct gim_state *state, struct gim_memory *memory, uint64_t gpa, const struct gim_page_layout *layout,
                  const struct gim_object *object, size_t gpa_offset, struct gim_error *error)
{
	uint8_t bytes[GIM_PAGE_BYTES];
	struct gim_error own = GIM_ERROR_INIT;
	memcpy(object->data + gpa_offset, &gpa, sizeof(gpa));
	object->presence[gpa_offset] = GIM_STORED;
	int result = gim_memory_read(memory, gpa, bytes, layout->size_bytes, &own);
	if (result)
		return result == GIM_E_ARGUMENT ? 0 : gim_fail_as(error, &own);
	return decode(layout, &state->arena, bytes, layout->size_bytes, object, error);
}

int gim_pages_decode(struct gim_state *state, struct gim_error *error)
{
	struct gim_memory *memory = NULL;
	int result = 0;
	for (const struct gim_provider *const *each = gim_providers; !result && *each; each++) {
		const struct gim_page_provider *pages = (*each)->pages;
		if (!pages || !gim_state_find(state, (*each)->record))
			continue;
		if (!memory)
			result = gim_memory_open(state, NULL, &memory, error);
		const struct gim_object *object = result ? NULL : gim_state_object(state, pages->record, error);
		if (!result)
			result = object ? pages->load(state, memory, object, error) : GIM_E_MEMORY;
	}
	gim_memory_free(&memory);
	return result;
}

/*
 * Bytes as a structure.
 */
static const struct gim_page_layout *find_layout(const char *name)
{
	for (const struct gim_provider *const *each = gim_providers; *each; each++)
		for (const struct gim_page_layout *one = (*each)->pages ? (*each)->pages->layouts : NULL; one && one->name; one++)
			if (!strcmp(one->name, name))
				return one;
	return NULL;
}

int gim_page_kinds_visit(gim_page_kind_fn *visit, void *user)
{
	int result = 0;
	for (const struct gim_provider *const *each = gim_providers; *each; each++)
		for (const struct gim_page_layout *one = (*each)->pages ? (*each)->pages->layouts : NULL; !result && one && one->name;
		     one++)
			result = visit(user, one->name, one->help, one->size_bytes);
	return result;
}

int gim_page_decode(const char *kind, const void *bytes, size_t size_bytes, gim_visit_fn *visit, void *user, struct gim_error *error)
{
	const struct gim_page_layout *layout = find_layout(kind);
	struct gim_arena arena = {.blocks = NULL};
	struct gim_object object;
	if (!layout)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "no interface has a structure %s in guest memory", kind);
	if (size_bytes < layout->size_bytes)
		return gim_fail(error, GIM_E_TRUNCATED, size_bytes, "%zu bytes: %s has %u", size_bytes, kind, layout->size_bytes);
	int result = gim_object_new(&arena, layout->record, &object, error);
	if (!result)
		result = decode(layout, &arena, (const uint8_t *)bytes, layout->size_bytes, &object, error);
	if (!result)
		result = gim_object_visit(&object, "", visit, user, error);
	gim_arena_free(&arena);
	return result;
}
