/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CPUID leaves that the unit cpum saves: where in its payload they are, and changing words of them. */
#include "error.h"
#include "guest.h"
#include "vbox/units.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIT "cpum"
enum { INSTANCE = 1, LEAF_BYTES = 32 };

static const char *const register_names[] = {"eax", "ebx", "ecx", "edx"};

const struct gim_frame *vbox_tail_frame(const struct gim_unit *unit)
{
	for (uint32_t f = 0; f < vbox_layout_units.frame_count; f++) {
		const struct gim_frame *frame = &vbox_layout_units.frames[f];
		if (frame->flags == VBOX_FRAME_TAIL && !strcmp(frame->name, unit->name) && unit->version >= frame->first &&
		    unit->version <= frame->last)
			return frame;
	}
	return NULL;
}

/*
 * The leaves are found from the payload's end: behind them stand the default leaf and the host's leaves, 792 bytes on x86 hosts and 24 on others;
 * before them their size and number. A leaf's own words may look like these two; so the place with the most leaves behind it is the likeliest.
 */
size_t vbox_find_cpuid(const uint8_t *bytes, size_t size, size_t after, size_t *from)
{
	static const size_t tails[] = {16 + 4 + 256 + 4 + 512, 16 + 4 + 4};
	size_t places = 0;
	for (size_t t = 0; t < sizeof(tails) / sizeof(tails[0]); t++)
		for (size_t count = 0; after + 8 + count * LEAF_BYTES + tails[t] <= size; count++) {
			const size_t at = size - tails[t] - count * LEAF_BYTES - 8;
			struct gim_cursor cursor = {.bytes = bytes, .size = size, .position = at};
			if (gim_cursor_u32(&cursor) != LEAF_BYTES || gim_cursor_u32(&cursor) != count)
				continue;
			*from = places++ && *from < at ? *from : at;
		}
	return places;
}

/* One unit's leaves while they are changed. */
struct leaves {
	struct gim_state *state;
	const struct gim_unit *unit;
	const struct gim_cpuid_word *words;
	size_t word_count;
	gim_report_fn *report;
	void *user;
	struct gim_error *error;
};

static int refuse(const struct leaves *leaves, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int refuse(const struct leaves *leaves, const char *format, ...)
{
	char why[160];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	(void)gim_fail(leaves->error, GIM_E_VALUE, GIM_UNKNOWN,
	               "the guest sees the feature words by CPUID, too, and %s; --gim-only changes the GIM unit alone", why);
	gim_error_unit(leaves->error, leaves->unit->name, leaves->unit->instance);
	return GIM_E_VALUE;
}

static uint32_t *word_of(struct guest_cpuid *leaf, unsigned reg)
{
	uint32_t *const registers[] = {&leaf->eax, &leaf->ebx, &leaf->ecx, &leaf->edx};
	return registers[reg];
}

static int change_word(const struct leaves *leaves, struct guest *guest, const struct gim_cpuid_word *word)
{
	struct guest_cpuid *found = NULL, *items = guest->cpuid.items;
	const char *name = register_names[word->row->reg];
	char unit[GIM_UNIT_NAME_BYTES + 32], path[128];
	for (uint32_t i = 0; i < guest->cpuid.count; i++) {
		if (items[i].leaf != word->row->leaf)
			continue;
		if (found || items[i].subleaf_mask)
			return refuse(leaves, "leaf 0x%08x has several subleaves", word->row->leaf);
		found = &items[i];
	}
	if (!found)
		return refuse(leaves, "no leaf 0x%08x is saved", word->row->leaf);
	uint32_t *place = word_of(found, word->row->reg);
	if (*place != word->before)
		return refuse(leaves, "leaf 0x%08x %s is 0x%x, where the GIM unit had 0x%x: they disagree already", word->row->leaf, name,
		              *place, word->before);
	*place = word->after;
	const struct gim_object *object = gim_state_find(leaves->state, word->row->record);
	(void)snprintf(unit, sizeof(unit), "%.255s/%u%s", leaves->unit->name, leaves->unit->instance, leaves->unit->pass ? "" : "@0");
	gim_object_path(object, word->row->offset, path, sizeof(path));
	gim_report(leaves->report, leaves->user, &gim_unit_rules[GIM_UNIT_CPUID], GIM_UNKNOWN, unit, path, "leaf 0x%08x %s: 0x%x -> 0x%x",
	           word->row->leaf, name, word->before, word->after);
	return 0;
}

/* Do the rows hold all of the bytes, leaves among them, and give them back as they are? The objects are then what they hold. */
static bool holds(const struct leaves *leaves, const struct gim_row *rows, const struct gim_object *roots, struct gim_arena *arena,
                  const uint8_t *bytes, size_t size)
{
	struct gim_codec codec = leaves->state->codec;
	struct gim_buffer again = {.bytes = NULL};
	size_t used = 0;
	uint32_t version;
	codec.version = leaves->unit->version;
	const struct guest *guest = (const struct guest *)(const void *)roots[0].data;
	bool same = !gim_decode(rows, &codec, roots, 2, arena, bytes, size, &used, &version, NULL) && used == size && guest->cpuid.count &&
	            !gim_encode(rows, &codec, roots, 2, &again, NULL) && again.size == size && !memcmp(again.bytes, bytes, size);
	gim_buffer_free(&again);
	return same;
}

static int fresh_objects(struct gim_arena *arena, struct gim_object roots[2], struct gim_error *error)
{
	gim_arena_free(arena);
	*arena = (struct gim_arena){.limit_bytes = VBOX_SCRATCH_LIMIT};
	int result = gim_object_new(arena, &guest_record, &roots[0], error);
	return result ? result : gim_object_new(arena, &vbox_record, &roots[1], error);
}

/*
 * Where the leaves are: by rows for the whole payload where one of the unit's frames has them, else from the payload's end, where they can
 * begin at one place only. *rows: NULL when it cannot be told.
 */
static int locate(const struct leaves *leaves, const struct gim_buffer *payload, struct gim_arena *arena, struct gim_object roots[2],
                  const struct gim_row **rows, size_t *from)
{
	const struct gim_frame *tail = vbox_tail_frame(leaves->unit);
	int result = 0;
	*from = 0;
	for (const struct gim_frame *frame = NULL; !result && (frame = vbox_next_frame(frame, leaves->unit)); frame++) {
		result = fresh_objects(arena, roots, leaves->error);
		if (!result && holds(leaves, frame->rows, roots, arena, payload->bytes, payload->size))
			return *rows = frame->rows, 0;
	}
	if (!result)
		result = fresh_objects(arena, roots, leaves->error);
	const bool one = !result && tail && vbox_find_cpuid(payload->bytes, payload->size, 0, from) == 1;
	*rows = one && holds(leaves, tail->rows, roots, arena, payload->bytes + *from, payload->size - *from) ? tail->rows : NULL;
	return result;
}

/* Decode the leaves, change the words, and put as many bytes in their place. */
static int change_leaves(const struct leaves *leaves, struct gim_buffer *payload)
{
	struct gim_arena arena = {.limit_bytes = VBOX_SCRATCH_LIMIT};
	struct gim_buffer again = {.bytes = NULL};
	struct gim_object roots[2];
	struct gim_codec codec = leaves->state->codec;
	const struct gim_row *rows = NULL;
	size_t from = 0;
	codec.version = leaves->unit->version;
	if (!vbox_tail_frame(leaves->unit))
		return refuse(leaves, "where its version %u has them is not known", leaves->unit->version);
	int result = payload->size ? locate(leaves, payload, &arena, roots, &rows, &from) : 0;
	if (!result && !rows)
		result = refuse(leaves, "its leaves cannot be told apart from the rest of this unit");
	for (size_t i = 0; !result && i < leaves->word_count; i++)
		result = change_word(leaves, (struct guest *)(void *)roots[0].data, &leaves->words[i]);
	if (!result)
		result = gim_encode(rows, &codec, roots, 2, &again, leaves->error);
	if (!result)
		memcpy(payload->bytes + from, again.bytes, again.size); /* as long as before, since only words changed */
	gim_buffer_free(&again);
	gim_arena_free(&arena);
	return result;
}

int vbox_change_cpuid(struct gim_state *state, const struct gim_cpuid_word *words, size_t count, struct gim_changes *changes,
                      gim_report_fn *report, void *user, struct gim_error *error)
{
	/* A live save has said them in its first pass already. */
	static const uint32_t passes[] = {0, GIM_PASS_FINAL};
	for (size_t i = vbox_is_live(state) ? 0 : 1; i < sizeof(passes) / sizeof(passes[0]); i++) {
		struct gim_unit unit;
		struct gim_error own = GIM_ERROR_INIT;
		struct gim_buffer payload = {.bytes = NULL};
		int result = gim_unit_find(state, UNIT, INSTANCE, passes[i], &unit, &own);
		if (result == GIM_E_NO_UNIT)
			continue;
		const struct leaves leaves = {state, &unit, words, count, report, user, error};
		if (result)
			result = gim_fail_as(error, &own);
		else
			result = gim_unit_buffer(state, &unit, VBOX_PAYLOAD_LIMIT, &payload, error);
		if (!result)
			result = change_leaves(&leaves, &payload);
		if (!result)
			result = gim_changes_add(changes, unit.offset, &payload, error);
		gim_buffer_free(&payload);
		if (result)
			return result;
	}
	return 0;
}
