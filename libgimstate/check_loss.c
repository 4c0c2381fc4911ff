/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the target's layout cannot hold of the state, and what the state's layout does not hold of the target's. */
#include "check.h"
#include "check_judges.h"

#include "error.h"
#include "visit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct loss {
	struct gim_judging *judging;
	bool filled; /* look for what the target holds and the state does not */
	char path[256], first[256];
	unsigned count;
};

static void lose_object(struct loss *loss, const struct gim_object *own, const struct gim_object *cover, size_t used);

static void lose_leaf(struct loss *loss, const struct gim_object *own, const struct gim_object *cover, const struct gim_field *field,
                      uint32_t index)
{
	const struct gim_value value = gim_object_value(own, field, index);
	const bool held = cover->presence[field->offset + (size_t)index * field->width] != GIM_ABSENT;
	if (field->change == GIM_CHANGE_FORM || held == (value.presence != GIM_ABSENT) || held != loss->filled)
		return;
	if (!held && gim_value_at_default(&value))
		return;
	if (!loss->count++)
		(void)snprintf(loss->first, sizeof(loss->first), "%s", loss->path);
	if (held)
		return;
	char text[64];
	(void)gim_value_text(&value, text, sizeof(text));
	gim_judge(loss->judging, GIM_NO_UNIT, loss->path, "the target does not save it, and has nowhere to put %s", text);
}

static void lose_field(struct loss *loss, const struct gim_object *own, const struct gim_object *cover, const struct gim_field *field,
                       size_t used)
{
	used += (size_t)snprintf(loss->path + used, sizeof(loss->path) - used, ".%s", field->name);
	for (uint32_t i = 0; i < gim_object_count(own, field); i++) {
		size_t length = used;
		if (field->count || field->kind == GIM_LIST)
			length += (size_t)snprintf(loss->path + used, sizeof(loss->path) - used, "[%" PRIu32 "]", i);
		if (!field->record) {
			lose_leaf(loss, own, cover, field, i);
			continue;
		}
		const struct gim_object item = gim_object_item(own, field, i), held = gim_object_item(cover, field, i);
		lose_object(loss, &item, &held, length);
	}
}

static void lose_object(struct loss *loss, const struct gim_object *own, const struct gim_object *cover, size_t used)
{
	for (uint32_t f = 0; f < own->record->field_count; f++)
		lose_field(loss, own, cover, &own->record->fields[f], used);
}

/* Give every list of cover as many items as own has. */
static int shape(struct gim_arena *arena, const struct gim_object *own, const struct gim_object *cover)
{
	int result = 0;
	for (uint32_t f = 0; !result && f < own->record->field_count; f++) {
		const struct gim_field *field = &own->record->fields[f];
		if (field->kind == GIM_LIST)
			result = gim_list_grow(arena, (struct gim_list *)(void *)(cover->data + field->offset), field->record,
			                       gim_object_count(own, field), NULL);
		for (uint32_t i = 0; !result && field->record && i < gim_object_count(own, field); i++) {
			const struct gim_object item = gim_object_item(own, field, i), same = gim_object_item(cover, field, i);
			result = shape(arena, &item, &same);
		}
	}
	return result;
}

static void judge_cover(struct gim_judging *judging, struct loss *loss)
{
	uint16_t version;
	const struct gim_provider *provider = gim_judging_provider(judging->state);
	const struct gim_layout *layout = gim_judging_layout(judging, provider, &version);
	const struct gim_object *own = provider && provider->record ? gim_state_find(judging->state, provider->record) : NULL;
	struct gim_arena arena = {.limit_bytes = GIM_ARENA_LIMIT};
	struct gim_object cover[2];
	if (!layout || !own || (gim_judging_same(judging) && judging->state->layout_version == version))
		return;
	int result = gim_object_new(&arena, own->record, &cover[0], NULL);
	if (!result)
		result = gim_object_new(&arena, &gim_record, &cover[1], NULL);
	if (!result)
		result = shape(&arena, own, &cover[0]);
	const struct gim_codec codec = {.version = version, .address_bytes = 8};
	if (!result)
		result = gim_cover(layout->frames[0].rows, &codec, cover, 2, NULL);
	if (!result)
		lose_object(loss, own, &cover[0], (size_t)snprintf(loss->path, sizeof(loss->path), "%s", own->record->name));
	gim_arena_free(&arena);
}

void gim_judge_lost(struct gim_judging *judging)
{
	struct loss loss = {.judging = judging};
	judge_cover(judging, &loss);
}

void gim_judge_filled(struct gim_judging *judging)
{
	struct loss loss = {.judging = judging, .filled = true};
	judge_cover(judging, &loss);
	if (loss.count)
		gim_judge(judging, GIM_NO_UNIT, loss.first,
		          "the target has %u field%s that the state's layout does not hold; %s its default", loss.count,
		          loss.count == 1 ? "" : "s, this and others,", loss.count == 1 ? "it gets" : "each gets");
}
