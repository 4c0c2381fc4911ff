/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects of a record: making them, their lists, and finding and visiting their leaves by path. */
#include "error.h"
#include "state.h"
#include "visit.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void store_reset(const struct gim_record *record, uint8_t *data)
{
	for (uint32_t f = 0; f < record->field_count; f++) {
		const struct gim_field *field = &record->fields[f];
		uint32_t count = field->count ? field->count : 1;
		if (field->kind != GIM_SUB && !field->reset)
			continue; /* zero, or empty */
		for (uint32_t i = 0; i < count; i++) {
			uint8_t *at = data + field->offset + i * field->width;
			if (field->kind == GIM_SUB)
				store_reset(field->record, at);
			else
				gim_number_store(at, field->width, field->reset);
		}
	}
}

uint64_t gim_number_load(const uint8_t *data, unsigned width)
{
	uint16_t half;
	uint32_t word;
	uint64_t number;
	switch (width) {
	case 1:
		return *data;
	case 2:
		return memcpy(&half, data, sizeof(half)), half;
	case 4:
		return memcpy(&word, data, sizeof(word)), word;
	default:
		assert(width == 8);
		return memcpy(&number, data, sizeof(number)), number;
	}
}

void gim_number_store(uint8_t *data, unsigned width, uint64_t number)
{
	const uint16_t half = (uint16_t)number;
	const uint32_t word = (uint32_t)number;
	switch (width) {
	case 1:
		*data = (uint8_t)number;
		break;
	case 2:
		memcpy(data, &half, sizeof(half));
		break;
	case 4:
		memcpy(data, &word, sizeof(word));
		break;
	default:
		assert(width == 8);
		memcpy(data, &number, sizeof(number));
	}
}

int gim_object_new(struct gim_arena *arena, const struct gim_record *record, struct gim_object *object, struct gim_error *error)
{
	uint8_t *data = gim_arena_array(arena, 2, record->size);
	if (!data)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "no memory for %s", record->name);
	*object = (struct gim_object){record, data, data + record->size};
	store_reset(record, data);
	return 0;
}

/* Lists have room for a power of two of items, so that growing one by one stays linear. */
static uint32_t capacity(uint32_t count)
{
	uint32_t room = 1;
	while (room < count)
		room *= 2;
	return count ? room : 0;
}

int gim_list_grow(struct gim_arena *arena, struct gim_list *list, const struct gim_record *item, uint32_t count, struct gim_error *error)
{
	if (count <= list->count)
		return 0;
	if (count > GIM_LIST_MAX)
		return gim_fail(error, GIM_E_LIMIT, GIM_UNKNOWN, "%u items, where at most %u are possible", count, GIM_LIST_MAX);
	if (count > capacity(list->count)) {
		uint8_t *items = gim_arena_array(arena, capacity(count), item->size);
		uint8_t *presence = gim_arena_array(arena, capacity(count), item->size);
		if (!items || !presence)
			return GIM_ARENA_FAIL(arena, error, GIM_UNKNOWN, "a list of %u items exceeds the memory limit", count);
		if (list->count) {
			memcpy(items, list->items, (size_t)list->count * item->size);
			memcpy(presence, list->presence, (size_t)list->count * item->size);
		}
		list->items = items;
		list->presence = presence;
	}
	for (; list->count < count; list->count++)
		store_reset(item, (uint8_t *)list->items + (size_t)list->count * item->size);
	return 0;
}

static const struct gim_list *list_of(const struct gim_object *object, const struct gim_field *field)
{
	return (const struct gim_list *)(const void *)(object->data + field->offset);
}

uint32_t gim_object_count(const struct gim_object *object, const struct gim_field *field)
{
	if (field->kind == GIM_LIST)
		return list_of(object, field)->count;
	return field->count ? field->count : 1;
}

struct gim_object gim_object_item(const struct gim_object *object, const struct gim_field *field, uint32_t index)
{
	assert(index < gim_object_count(object, field));
	const size_t at = (size_t)index * field->width;
	if (field->kind == GIM_LIST) {
		const struct gim_list *list = list_of(object, field);
		return (struct gim_object){field->record, (uint8_t *)list->items + at, list->presence + at};
	}
	return (struct gim_object){field->record, object->data + field->offset + at, object->presence + field->offset + at};
}

/* What the flat copy still shares with its original. */
static int copy_outside(struct gim_arena *arena, const struct gim_object *copy, struct gim_error *error);

static int copy_list(struct gim_arena *arena, const struct gim_record *item, struct gim_list *list, struct gim_error *error)
{
	const struct gim_list shared = *list;
	*list = (struct gim_list){.count = 0};
	int result = gim_list_grow(arena, list, item, shared.count, error);
	if (result || !shared.count)
		return result;
	memcpy(list->items, shared.items, (size_t)shared.count * item->size);
	memcpy(list->presence, shared.presence, (size_t)shared.count * item->size);
	return 0;
}

static int copy_text(struct gim_arena *arena, struct gim_text *text, struct gim_error *error)
{
	const char *bytes = gim_arena_copy(arena, text->bytes, text->length);
	if (!bytes)
		return GIM_ARENA_FAIL(arena, error, GIM_UNKNOWN, "%u bytes exceed the memory limit", text->length);
	text->bytes = bytes;
	return 0;
}

static int copy_outside(struct gim_arena *arena, const struct gim_object *copy, struct gim_error *error)
{
	int result = 0;
	for (uint32_t f = 0; !result && f < copy->record->field_count; f++) {
		const struct gim_field *field = &copy->record->fields[f];
		uint8_t *at = copy->data + field->offset;
		if (field->kind == GIM_TEXT)
			result = copy_text(arena, (struct gim_text *)(void *)at, error);
		else if (field->kind == GIM_LIST)
			result = copy_list(arena, field->record, (struct gim_list *)(void *)at, error);
		for (uint32_t i = 0; !result && field->record && i < gim_object_count(copy, field); i++) {
			const struct gim_object item = gim_object_item(copy, field, i);
			result = copy_outside(arena, &item, error);
		}
	}
	return result;
}

int gim_object_copy(struct gim_arena *arena, const struct gim_object *object, struct gim_object *copy, struct gim_error *error)
{
	struct gim_object made;
	int result = gim_object_new(arena, object->record, &made, error);
	if (result)
		return result;
	memcpy(made.data, object->data, object->record->size);
	memcpy(made.presence, object->presence, object->record->size);
	result = copy_outside(arena, &made, error);
	if (!result)
		*copy = made;
	return result;
}

void gim_object_store_all(const struct gim_object *object)
{
	const struct gim_record *record = object->record;
	memset(object->presence, GIM_STORED, record->size);
	for (uint32_t f = 0; f < record->field_count; f++)
		if (record->fields[f].kind == GIM_LIST)
			for (uint32_t i = 0; i < gim_object_count(object, &record->fields[f]); i++) {
				const struct gim_object item = gim_object_item(object, &record->fields[f], i);
				gim_object_store_all(&item);
			}
}

struct gim_value gim_object_value(const struct gim_object *object, const struct gim_field *field, uint32_t index)
{
	const size_t at = field->offset + (size_t)index * field->width;
	struct gim_value value = {.field = field, .presence = (enum gim_presence)object->presence[at]};
	if (field->kind == GIM_TEXT) {
		const struct gim_text *text = (const struct gim_text *)(const void *)(object->data + at);
		value.kind = GIM_VALUE_BYTES;
		value.bytes = text->bytes;
		value.length_bytes = text->length;
	} else {
		value.kind = GIM_VALUE_NUMBER;
		value.width_bytes = field->width;
		value.number = gim_number_load(object->data + at, field->width);
	}
	return value;
}

bool gim_value_at_default(const struct gim_value *value)
{
	return value->kind == GIM_VALUE_NUMBER ? value->number == value->field->reset : !value->length_bytes;
}

const struct gim_field *gim_record_field(const struct gim_record *record, size_t offset)
{
	for (uint32_t f = 0; f < record->field_count; f++)
		if (offset >= record->fields[f].offset && offset - record->fields[f].offset < record->fields[f].size)
			return &record->fields[f];
	return NULL;
}

const struct gim_field *gim_record_leaf(const struct gim_record *record, size_t offset)
{
	const struct gim_field *field = gim_record_field(record, offset);
	return field && field->kind == GIM_SUB ? gim_record_leaf(field->record, (offset - field->offset) % field->width) : field;
}

void gim_object_path(const struct gim_object *object, size_t offset, char *path, size_t size)
{
	const struct gim_record *record = object->record;
	size_t used = (size_t)snprintf(path, size, "%s", record->name);
	const struct gim_field *field;
	while (record && used < size && (field = gim_record_field(record, offset))) {
		used += (size_t)snprintf(path + used, size - used, ".%s", field->name);
		offset -= field->offset;
		if (field->count && used < size) {
			used += (size_t)snprintf(path + used, size - used, "[%zu]", offset / field->width);
			offset %= field->width;
		}
		record = field->kind == GIM_SUB ? field->record : NULL;
	}
}

/*
 * Visiting. One recursion serves the whole tree and a single path: `rest` is the part of the wanted path that is still to be matched, "" once all of it
 * was, and then everything below is visited.
 */
struct visitor {
	gim_leaf_fn *leaf;
	void *user;
	char path[256];
	struct gim_error *error;
};

static int visit_object(struct visitor *visitor, const struct gim_object *object, size_t used, const char *rest);

static int no_such(struct visitor *visitor, const char *what)
{
	return gim_field_missing(what, visitor->error);
}

static int visit_element(struct visitor *visitor, const struct gim_object *object, const struct gim_field *field, uint32_t index,
                         size_t used, const char *rest)
{
	if (field->record) {
		struct gim_object item = gim_object_item(object, field, index);
		return visit_object(visitor, &item, used, rest);
	}
	if (*rest)
		return no_such(visitor, visitor->path);
	return visitor->leaf(visitor->user, visitor->path, object, field, index);
}

static size_t append_index(struct visitor *visitor, size_t used, uint32_t index)
{
	int more = snprintf(visitor->path + used, sizeof(visitor->path) - used, "[%u]", index);
	return used + (size_t)more;
}

/* Parse "[index]" at *rest. 1: there was one, 0: there is none, or negative. */
static int parse_index(struct visitor *visitor, const char **rest, uint32_t count, uint32_t *index)
{
	const char *at = *rest;
	if (*at != '[')
		return 0;
	uint64_t number = 0;
	const char *digits = ++at;
	for (; isdigit((unsigned char)*at) && number <= UINT32_MAX; at++)
		number = number * 10 + (uint64_t)(*at - '0');
	if (at == digits || *at != ']')
		return gim_fail(visitor->error, GIM_E_PATH, GIM_UNKNOWN, "a number in brackets is expected after %s", visitor->path);
	if (number >= count)
		return gim_fail(visitor->error, GIM_E_PATH, GIM_UNKNOWN, "%s has %u items, so there is no [%llu]", visitor->path, count,
		                (unsigned long long)number);
	*index = (uint32_t)number;
	*rest = at + 1;
	return 1;
}

static int visit_field(struct visitor *visitor, const struct gim_object *object, const struct gim_field *field, size_t used,
                       const char *rest)
{
	used += (size_t)snprintf(visitor->path + used, sizeof(visitor->path) - used, "%s%s", used ? "." : "", field->name);
	assert(used < sizeof(visitor->path) - 16);
	const uint32_t count = gim_object_count(object, field);
	if (!field->count && field->kind != GIM_LIST)
		return visit_element(visitor, object, field, 0, used, rest);
	uint32_t first = 0, end = count;
	int indexed = parse_index(visitor, &rest, count, &first);
	if (indexed < 0)
		return indexed;
	if (indexed)
		end = first + 1;
	else if (*rest)
		return gim_fail(visitor->error, GIM_E_PATH, GIM_UNKNOWN, "%s is a list: write %s[0]%s", visitor->path, visitor->path, rest);
	for (uint32_t i = first; i < end; i++) {
		int result = visit_element(visitor, object, field, i, append_index(visitor, used, i), rest);
		if (result)
			return result;
	}
	return 0;
}

static int visit_object(struct visitor *visitor, const struct gim_object *object, size_t used, const char *rest)
{
	visitor->path[used] = '\0';
	if (*rest && *rest != '.')
		return no_such(visitor, rest);
	const char *name = *rest ? rest + 1 : rest;
	const size_t length = strcspn(name, ".[");
	bool found = false;
	int result = 0;
	for (uint32_t f = 0; !result && f < object->record->field_count; f++) {
		const struct gim_field *field = &object->record->fields[f];
		if (*rest && (strlen(field->name) != length || memcmp(field->name, name, length) != 0))
			continue;
		found = true;
		result = visit_field(visitor, object, field, used, name + length);
	}
	if (!result && !found && *rest) {
		char what[128];
		(void)snprintf(what, sizeof(what), "%.*s.%.*s", (int)used, visitor->path, (int)length, name);
		return no_such(visitor, what);
	}
	return result;
}

int gim_object_leaves(const struct gim_object *object, const char *rest, gim_leaf_fn *leaf, void *user, struct gim_error *error)
{
	struct visitor visitor = {.leaf = leaf, .user = user, .error = error};
	size_t used = (size_t)snprintf(visitor.path, sizeof(visitor.path), "%s", object->record->name);
	return visit_object(&visitor, object, used, rest);
}

struct values {
	gim_visit_fn *visit;
	void *user;
};

static int give_value(void *user, const char *path, const struct gim_object *object, const struct gim_field *field, uint32_t index)
{
	const struct values *values = (const struct values *)user;
	const struct gim_value value = gim_object_value(object, field, index);
	return values->visit(values->user, path, &value);
}

int gim_object_visit(const struct gim_object *object, const char *rest, gim_visit_fn *visit, void *user, struct gim_error *error)
{
	struct values values = {visit, user};
	return gim_object_leaves(object, rest, give_value, &values, error);
}
