/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changing fields of the guest interface. */
#include "error.h"
#include "state.h"
#include "value.h"
#include "visit.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Values from text.
 */
static bool parse_number(const char *text, size_t length, uint64_t *number)
{
	char copy[32], *end;
	if (!length || length >= sizeof(copy) || !isdigit((unsigned char)*text))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	errno = 0;
	/* No octal: 010 is ten to everybody who writes a state's fields. */
	*number = strtoull(copy, &end, !strncmp(copy, "0x", 2) || !strncmp(copy, "0X", 2) ? 16 : 10);
	return !*end && !errno;
}

static int refuse(struct gim_error *error, const struct gim_field *field, const char *path, const char *text, size_t length)
{
	char takes[200];
	gim_field_takes(field, takes, sizeof(takes));
	if (!length)
		(void)gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "a value is missing; it takes %s", takes);
	else
		(void)gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "it does not take %.*s; it takes %s", (int)(length < 40 ? length : 40),
		               text, takes);
	gim_error_path(error, path);
	return GIM_E_VALUE;
}

static int refuse_mixed(struct gim_error *error, const char *path, const char *text, size_t length)
{
	(void)gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "%.*s: either each word has + or -, which adds it or takes it away, or none has",
	               (int)(length < 40 ? length : 40), text);
	gim_error_path(error, path);
	return GIM_E_VALUE;
}

/* One word: a number, a value's name, or a bit's. */
static bool parse_word(const struct gim_field *field, const char *text, size_t length, uint64_t *number)
{
	const struct gim_name *name = gim_name_find(field->names, text, length);
	const struct gim_bit *bit = gim_bit_find(field->bits, text, length);
	if (name)
		*number = name->value;
	else if (bit)
		*number = UINT64_C(1) << bit->low;
	else if (field->show == GIM_BOOL && length == 4 && !memcmp(text, "true", 4))
		*number = 1;
	else if (field->show == GIM_BOOL && length == 5 && !memcmp(text, "false", 5))
		*number = 0;
	else if (field->show == GIM_ADDRESS && length == 4 && !memcmp(text, "none", 4))
		*number = UINT64_MAX;
	else
		return parse_number(text, length, number);
	return true;
}

/* Words between commas: all of them together, or each added to or taken from what there is. */
static int parse_value(const struct gim_field *field, const char *path, const char *text, uint64_t *value, struct gim_error *error)
{
	const bool relative = *text == '+' || *text == '-';
	uint64_t result = relative ? *value : 0;
	for (const char *word = text;; word++) {
		const bool minus = *word == '-', sign = minus || *word == '+';
		const size_t length = strcspn(word, ",");
		uint64_t number = 0;
		if (relative != sign && length && field->bits)
			return refuse_mixed(error, path, word, length);
		if (relative != sign || !parse_word(field, word + sign, length - sign, &number))
			return refuse(error, field, path, word, length);
		if ((relative || word != text || word[length]) && !field->bits)
			return refuse(error, field, path, text, strlen(text)); /* only bits can be put together */
		result = minus ? result & ~number : result | number;
		word += length;
		if (!*word)
			break;
	}
	if (result > gim_number_largest(field->width))
		return refuse(error, field, path, text, strlen(text));
	*value = result;
	return 0;
}

/*
 * Setting.
 */
struct place {
	uint8_t *data, *presence;
	const struct gim_field *field;
	char path[128];
	unsigned count;
};

static int keep_place(void *user, const char *path, const struct gim_object *object, const struct gim_field *field, uint32_t index)
{
	struct place *place = (struct place *)user;
	const size_t at = field->offset + (size_t)index * field->width;
	if (!place->count++) {
		place->data = object->data + at;
		place->presence = object->presence + at;
		place->field = field;
		(void)snprintf(place->path, sizeof(place->path), "%s", path);
	}
	return 0;
}

static int store(struct gim_arena *arena, const struct place *place, const char *text, struct gim_error *error)
{
	if (place->field->kind == GIM_TEXT) {
		const size_t length = strlen(text);
		const char *copy = gim_arena_copy(arena, text, length);
		if (!copy || length > UINT32_MAX)
			return gim_fail(error, GIM_E_LIMIT, GIM_UNKNOWN, "%s: the text has %zu bytes, for which there is no memory",
			                place->path, length);
		*(struct gim_text *)(void *)place->data = (struct gim_text){copy, (uint32_t)length};
		return 0;
	}
	uint64_t number = gim_number_load(place->data, place->field->width);
	int result = parse_value(place->field, place->path, text, &number, error);
	if (!result)
		gim_number_store(place->data, place->field->width, number);
	return result;
}

/* The one leaf at `rest` (as in gim_object_visit) of an object. */
static int find_place(const struct gim_object *object, const char *rest, struct place *place, struct gim_error *error)
{
	int result = gim_object_leaves(object, rest, keep_place, place, error);
	if (!result && place->count != 1)
		result = gim_fail(error, GIM_E_PATH, GIM_UNKNOWN, "%s%s is %u fields; name one of them", object->record->name, rest,
		                  place->count);
	return result;
}

int gim_object_set(struct gim_arena *arena, const struct gim_object *object, const char *rest, const char *text, struct gim_error *error)
{
	struct place place = {.count = 0};
	int result = find_place(object, rest, &place, error);
	if (!result)
		result = store(arena, &place, text, error);
	if (!result)
		*place.presence = GIM_STORED;
	return result;
}

/* An interface of which a container holds nothing yet may have its place in it all the same. */
static int show_interface(struct gim_state *state, const char *path, size_t length, struct gim_error *error)
{
	int result = 0;
	for (const struct gim_provider *const *each = gim_providers; !result && state->format->interface && *each; each++) {
		const struct gim_record *record = (*each)->record;
		if (record && strlen(record->name) == length && !memcmp(record->name, path, length) && !gim_state_find(state, record))
			result = state->format->interface(state, *each, error);
	}
	return result;
}

/* The name that the container has for a number at this place of an object itself; NULL: none. */
static const char *item_of(const struct gim_layout *layout, size_t offset)
{
	for (const struct gim_row *row = layout ? layout->frames[0].rows : NULL; row && row->op != GIM_ROW_END; row++)
		if (row->op == GIM_ROW_ITEM && row->offset == offset)
			return row->name;
	return NULL;
}

/* Let the container have a place for it that it has not now, or have none any more. 1: its place does not come and go. */
static int make_place(struct gim_state *state, const struct gim_object *object, const struct place *place, bool there,
                      struct gim_error *error)
{
	const uint8_t *end = object->data + object->record->size;
	if (!state->format->place || place->data < object->data || place->data >= end)
		return 1;
	for (const struct gim_provider *const *each = gim_providers; *each; each++) {
		const char *item = (*each)->record == object->record
		                       ? item_of(gim_layout_of(*each, state->format->name), (size_t)(place->data - object->data))
		                       : NULL;
		if (item)
			return state->format->place(state, *each, item, there, error);
	}
	return 1;
}

int gim_state_set(struct gim_state *state, const char *path, const char *text, struct gim_error *error)
{
	const size_t length = strcspn(path, ".[");
	const struct gim_object *object = NULL;
	struct place place = {.count = 0};
	if (!gim_state_parts(state, path))
		return gim_field_missing(path, error);
	if (gim_state_parts(state, path) != GIM_PART_GIM)
		return gim_fail(error, GIM_E_PATH, GIM_UNKNOWN, "%s cannot be changed: gim, and the provider's record, can", path);
	if (state->format->write && !state->gim_whole)
		return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN,
		                "the unit GIM is damaged, so that nothing in it can be changed: verify says where");
	int result = show_interface(state, path, length, error);
	if (result)
		return result;
	for (size_t i = 0; i < state->object_count; i++)
		if (strlen(state->objects[i].record->name) == length && !memcmp(state->objects[i].record->name, path, length))
			object = &state->objects[i];
	if (!object)
		return gim_fail(error, GIM_E_PATH, GIM_UNKNOWN, "the state does not hold %.*s: dump shows what it holds", (int)length,
		                path);
	result = find_place(object, path + length, &place, error);
	if (result)
		return result;
	const bool goes = place.field->kind != GIM_TEXT && !strcmp(text, "absent"), comes = !goes && !*place.presence;
	result = goes || comes ? make_place(state, object, &place, comes, error) : 1;
	if (result < 0)
		gim_error_path(error, place.path);
	if (result < 0 || (goes && !result))
		return result;
	const bool made = !result;
	/* Without a layout there is none that could not hold it. */
	if (!*place.presence && !(state->fields_only && !state->layout_version)) {
		(void)gim_fail(error, GIM_E_PATH, GIM_UNKNOWN,
		               "the state's layout cannot hold it: gimstate fields says of a field which layouts can");
		gim_error_path(error, place.path);
		return GIM_E_PATH;
	}
	result = store(&state->arena, &place, text, error);
	if (!result)
		*place.presence = GIM_STORED;
	else if (made)
		(void)make_place(state, object, &place, false, NULL);
	return result;
}

/*
 * Taking the guest interface from another state.
 */
static int refuse_at(struct gim_error *error, const char *path, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int refuse_at(struct gim_error *error, const char *path, const char *format, ...)
{
	char text[256];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	(void)gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "%s", text);
	gim_error_path(error, path);
	return GIM_E_VALUE;
}

static const struct gim_provider *check_providers(const struct gim_state *state, const struct gim_state *from, bool gim_only,
                                                  struct gim_error *error)
{
	const struct gim_provider *own = gim_unit_provider(state), *other = gim_unit_provider(from);
	if (!own)
		(void)gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN, "the state has no guest interface that could be replaced");
	else if (!other)
		(void)refuse_at(error, "gim.provider",
		                "no provider is named; the state has %s (convert --base carries over what has no unit)", own->name);
	else if (own != other && !gim_only)
		(void)refuse_at(error, "gim.provider",
		                "%s was found, expected is %s, by which other units of the state go too (gim-only takes any)", other->name,
		                own->name);
	else
		return other;
	return NULL;
}

/* The layout that `from` names must be one in which the state's unit can be written. *version: 0 when the provider saves nothing. */
static int check_layout(const struct gim_state *state, const struct gim_state *from, const struct gim_provider *provider, uint32_t *version,
                        struct gim_error *error)
{
	const struct gim_value value = gim_state_value(from, "gim.layout");
	const char *format = gim_unit_format(state);
	const int length = value.length_bytes < 40 ? (int)value.length_bytes : 40;
	char name[64];
	*version = 0;
	if (value.presence == GIM_ABSENT)
		return refuse_at(error, "gim.layout", "no layout is named, so that it is not known how the unit is to be written");
	(void)snprintf(name, sizeof(name), "%.*s", length, value.bytes);
	for (const struct gim_layout *const *each = provider->layouts; each && *each; each++) {
		if (strcmp((*each)->format, format) != 0)
			continue;
		if (gim_layout_find(provider, name, version) == *each)
			return 0;
		return refuse_at(error, "gim.layout", "%s was found, expected is one of %s-%u to %s-%u", name, (*each)->name,
		                 (*each)->first, (*each)->name, (*each)->last);
	}
	return provider->record ? refuse_at(error, "gim.layout", "no layout of this container holds %s", provider->name) : 0;
}

/* Copies of what the unit consists of, into a state of their own. */
static int copy_interface(struct gim_state *next, const struct gim_state *from, const struct gim_provider *provider,
                          struct gim_error *error)
{
	int result = 0;
	for (size_t i = 0; !result && i < from->object_count; i++) {
		const struct gim_record *record = from->objects[i].record;
		struct gim_object copy;
		unsigned parts;
		(void)gim_record_find(record->name, strlen(record->name), &parts);
		if (parts != GIM_PART_GIM)
			continue;
		if (record != &gim_record && record != provider->record)
			return refuse_at(error, record->name, "the unit of the provider %s does not hold it", provider->name);
		result = gim_object_copy(&next->arena, &from->objects[i], &copy, error);
		if (!result)
			(void)gim_state_attach(next, &copy);
	}
	return result;
}

/* As many vCPUs as the other units say, or as there were: a unit is loaded by that number, whatever it holds. */
static int check_vcpus(const struct gim_state *state, const struct gim_state *next, struct gim_error *error)
{
	char path[128], ignored[128];
	const struct gim_list *before = gim_unit_vcpus(state, ignored, sizeof(ignored)), *after = gim_unit_vcpus(next, path, sizeof(path));
	const uint32_t others = state->codec.vcpus;
	if (!after || !others || after->count == others || (before && after->count == before->count))
		return 0;
	return refuse_at(error, path, "%u vCPUs were found, expected are %u, as other units of the state say", after->count, others);
}

void gim_unit_adopt(struct gim_state *state, const struct gim_state *next)
{
	size_t kept = 0;
	for (size_t i = 0; i < state->object_count; i++) {
		const struct gim_record *record = state->objects[i].record;
		unsigned parts;
		(void)gim_record_find(record->name, strlen(record->name), &parts);
		if (parts != GIM_PART_GIM)
			state->objects[kept++] = state->objects[i];
	}
	state->object_count = kept;
	for (size_t i = 0; i < next->object_count; i++)
		(void)gim_state_attach(state, &next->objects[i]);
	state->unit_format = next->unit_format;
	state->layout_version = next->layout_version;
	state->gim_whole = true;
}

static int check_next(const struct gim_state *state, const struct gim_state *next, struct gim_error *error)
{
	const struct gim_value unit_version = gim_state_value(state, "gim.unit_version");
	struct gim_buffer payload = {.bytes = NULL};
	int result = check_vcpus(state, next, error);
	if (!result)
		result = gim_unit_encode(next, &state->codec, &payload, error);
	if (!result)
		result = gim_unit_check(next, (uint32_t)unit_version.number, &payload, error);
	gim_buffer_free(&payload);
	return result;
}

/*
 * Without a unit: field by field, as when it is carried over from another hypervisor.
 */
static void keep_lost(void *user, const struct gim_finding *finding)
{
	struct gim_error *lost = (struct gim_error *)user;
	if (finding->rule != &gim_convert_rules[GIM_CONVERT_LOST] || lost->code)
		return;
	(void)gim_fail(lost, GIM_E_VALUE, GIM_UNKNOWN, "%s, as the state's container does not hold it", finding->text);
	gim_error_path(lost, finding->path);
}

/* What comes and goes in a container is there when it is in another state of the same container, e.g. in JSON. */
static int take_places(struct gim_state *state, const struct gim_state *from, const struct gim_provider *provider, struct gim_error *error)
{
	const struct gim_layout *layout = gim_layout_of(provider, state->format->name);
	const struct gim_object *other = layout ? gim_state_find(from, provider->record) : NULL;
	int result = other && !gim_state_find(state, provider->record) ? state->format->interface(state, provider, error) : 0;
	const struct gim_object *own = other ? gim_state_find(state, provider->record) : NULL;
	for (const struct gim_row *row = own ? layout->frames[0].rows : NULL; row && result >= 0 && row->op != GIM_ROW_END; row++)
		if (row->op == GIM_ROW_ITEM && !own->presence[row->offset] != !other->presence[row->offset])
			result = state->format->place(state, provider, row->name, other->presence[row->offset], error);
	return result < 0 ? result : 0;
}

static bool same_container(const struct gim_state *state, const struct gim_state *from)
{
	const struct gim_value layout = gim_state_value(from, "gim.layout");
	const size_t length = strlen(state->format->name);
	return layout.presence != GIM_ABSENT && layout.length_bytes > length && !memcmp(layout.bytes, state->format->name, length) &&
	       layout.bytes[length] == '-';
}

static int replace_fields(struct gim_state *state, const struct gim_state *from, struct gim_error *error)
{
	struct gim_state before = *state;
	struct gim_error lost = GIM_ERROR_INIT;
	int result = 0;
	for (size_t i = 0; !result && i < state->object_count; i++)
		result = gim_object_copy(&state->arena, &state->objects[i], &before.objects[i], error);
	if (result)
		return result;
	for (const struct gim_provider *const *each = gim_providers; !result && *each; each++)
		if (state->format->place && same_container(state, from))
			result = take_places(state, from, *each, error);
	if (!result)
		result = gim_state_carry(state, from, keep_lost, &lost, error);
	if (result > 0)
		result = gim_fail_as(error, &lost);
	if (result) {
		memcpy(state->objects, before.objects, sizeof(before.objects));
		state->object_count = before.object_count;
	}
	return result;
}

int gim_state_set_from(struct gim_state *state, const struct gim_state *from, bool gim_only, struct gim_error *error)
{
	if (state->gim_whole && gim_state_value(state, "gim.provider").presence == GIM_ABSENT)
		return replace_fields(state, from, error);
	struct gim_state next = {.format = state->format, .unit_format = state->unit_format, .codec = state->codec, .arena = state->arena};
	if (state->fields_only) {
		next.unit_format = from->unit_format ? from->unit_format : from->format->name;
		next.layout_version = from->layout_version;
	}
	const struct gim_provider *provider = check_providers(state, from, gim_only, error);
	if (!provider)
		return gim_unit_provider(state) ? GIM_E_VALUE : GIM_E_NO_UNIT;
	int result = state->fields_only ? 0 : check_layout(state, from, provider, &next.layout_version, error);
	if (!result)
		result = copy_interface(&next, from, provider, error);
	if (!result && !state->fields_only)
		result = check_next(state, &next, error);
	if (!result)
		gim_unit_adopt(state, &next);
	state->arena = next.arena;
	return result;
}
