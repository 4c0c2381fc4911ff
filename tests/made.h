/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Made-up GIM units of any provider and layout version, filled from a sequence of random numbers. */
#ifndef MADE_H
#define MADE_H

#include "state.h"
#include "visit.h"

#include <string.h>

/* Xorshift: *seed is never 0. */
static inline uint64_t made_number(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * UINT64_C(0x2545f4914f6cdd1d);
}

/* Often a number at an edge, and every fourth time the default: then a layout may drop it without losing anything. */
static inline uint64_t made_value(const struct gim_field *field, uint64_t *seed)
{
	const uint64_t number = made_number(seed);
	switch (number >> 61) {
	case 0:
	case 1:
		return field->reset;
	case 2:
		return 0;
	case 3:
		return UINT64_MAX;
	case 4:
		return UINT64_C(1) << (number & 63);
	default:
		return made_number(seed);
	}
}

static inline bool made_text(struct gim_arena *arena, struct gim_text *text, uint64_t *seed)
{
	char bytes[25]; /* every description has room for it */
	const uint32_t length = (uint32_t)(made_number(seed) >> 32) % (sizeof(bytes) + 1);
	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (char)(made_number(seed) >> 56);
	*text = (struct gim_text){gim_arena_copy(arena, bytes, length), length};
	return text->bytes;
}

/* Fill all leaves that are stored. */
static inline bool made_fill(struct gim_arena *arena, const struct gim_object *object, uint64_t *seed)
{
	for (uint32_t f = 0; f < object->record->field_count; f++) {
		const struct gim_field *field = &object->record->fields[f];
		for (uint32_t i = 0; i < gim_object_count(object, field); i++) {
			const size_t at = field->offset + (size_t)i * field->width;
			if (field->record) {
				const struct gim_object item = gim_object_item(object, field, i);
				if (!made_fill(arena, &item, seed))
					return false;
			} else if (object->presence[at] == GIM_ABSENT) {
				continue;
			} else if (field->kind == GIM_TEXT) {
				if (!made_text(arena, (struct gim_text *)(void *)(object->data + at), seed))
					return false;
			} else {
				gim_number_store(object->data + at, field->width, made_value(field, seed));
			}
		}
	}
	return true;
}

/* What the layout holds is stored: the provider's record, of so many vCPUs, and of the head its delimiter. */
static inline bool made_interface(struct gim_state *state, const struct gim_provider *provider, unsigned vcpus)
{
	const struct gim_row *rows = provider->layouts[0]->frames[0].rows;
	char path[128];
	if (!gim_state_object(state, provider->record, NULL))
		return false;
	const struct gim_object roots[] = {*gim_state_find(state, provider->record), *gim_state_find(state, &gim_record)};
	struct gim_list *list = (struct gim_list *)(uintptr_t)gim_unit_vcpus(state, path, sizeof(path));
	for (const struct gim_row *row = rows; list && row->op != GIM_ROW_END; row++)
		if (row->op == GIM_ROW_EACH && gim_list_grow(&state->arena, list, row->item, vcpus, NULL))
			return false;
	return !gim_cover(rows, &state->codec, roots, 2, NULL);
}

/* Append a unit's payload: of a provider (whose first layout is VirtualBox's) in a version of its layout. False: it cannot be made. */
static inline bool made_payload(const struct gim_provider *provider, uint32_t version, unsigned vcpus, uint64_t *seed,
                                struct gim_buffer *payload)
{
	struct gim_state state = {
	    .format = gim_formats[0], .layout_version = version, .codec = {.version = version, .address_bytes = 8, .vcpus = vcpus}};
	struct gim_object *head = gim_state_object(&state, &gim_record, NULL);
	bool made = head;
	if (made)
		GIM_STORE(head, gim, provider, provider->vbox_id);
	made = made && (!provider->record || made_interface(&state, provider, vcpus));
	for (size_t i = 0; made && i < state.object_count; i++)
		made = made_fill(&state.arena, &state.objects[i], seed);
	if (made)
		GIM_STORE(gim_state_find(&state, &gim_record), gim, provider, provider->vbox_id);
	made = made && !gim_unit_encode(&state, &state.codec, payload, NULL);
	gim_arena_free(&state.arena);
	return made;
}

#endif
