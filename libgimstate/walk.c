/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The walk over a layout's rows: decoding, encoding and covering are its three modes. */
#include "field.h"

#include "error.h"
#include "value.h"
#include "visit.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum mode { DECODE, ENCODE, COVER };

/* The objects that rows may address, innermost first; a list's item also knows which list it is of, for paths. */
struct scope {
	struct gim_object object;
	const struct scope *outer;
	const struct gim_object *owner; /* of the list; NULL for a root */
	uint32_t list_offset, index;
};

struct walk {
	enum mode mode;
	const struct gim_codec *codec;
	uint32_t version;
	struct gim_cursor in;
	struct gim_buffer *out;
	size_t out_end; /* of the region being written; SIZE_MAX outside regions */
	struct gim_arena *arena;
	const struct gim_object *roots;
	size_t root_count;
	bool stopped; /* by GIM_ROW_STOP or GIM_ROW_OPEN: unwind */
	struct gim_error *error;
};

static int walk_rows(struct walk *walk, const struct gim_row *rows, const struct scope *scope, bool region);

static const struct gim_object *object_of(const struct walk *walk, const struct scope *scope, const struct gim_record *record)
{
	for (; scope; scope = scope->outer)
		if (scope->object.record == record)
			return &scope->object;
	for (size_t i = 0; i < walk->root_count; i++)
		if (walk->roots[i].record == record)
			return &walk->roots[i];
	assert(false && "a row's record is among its roots");
	return NULL;
}

/* The path of the member at `offset` of an object of this scope, list indices included. */
static void scope_path(const struct scope *scope, const struct gim_object *object, size_t offset, char *path, size_t size)
{
	while (scope && scope->object.data != object->data)
		scope = scope->outer;
	if (!scope || !scope->owner) {
		gim_object_path(object, offset, path, size);
		return;
	}
	char leaf[64];
	gim_object_path(object, offset, leaf, sizeof(leaf));
	scope_path(scope->outer, scope->owner, scope->list_offset, path, size);
	size_t used = strlen(path);
	const char *dot = strchr(leaf, '.'); /* the item record's own name is no part of a path */
	(void)snprintf(path + used, size - used, "[%u]%s", scope->index, dot ? dot : "");
}

static int fail_member(struct walk *walk, const struct scope *scope, const struct gim_object *object, size_t offset)
{
	if (walk->error) {
		char path[sizeof(walk->error->path)];
		scope_path(scope, object, offset, path, sizeof(path));
		gim_error_path(walk->error, path);
	}
	return walk->error ? walk->error->code : GIM_E_CORRUPT;
}

/* Bytes that may still be read or written in this region. */
static size_t left(const struct walk *walk)
{
	switch (walk->mode) {
	case DECODE:
		return gim_cursor_left(&walk->in);
	case ENCODE:
		return walk->out_end == SIZE_MAX ? SIZE_MAX : walk->out_end - walk->out->size;
	default:
		return SIZE_MAX;
	}
}

static int fail_truncated(struct walk *walk, size_t wanted)
{
	return gim_fail(walk->error, GIM_E_TRUNCATED, walk->in.position, "the data ends here: %zu bytes left, %zu needed",
	                gim_cursor_left(&walk->in), wanted);
}

static unsigned wire_bytes(const struct walk *walk, const struct gim_row *row)
{
	if (row->wire == GIM_WIRE_ADDRESS)
		return walk->codec->address_bytes;
	return row->wire ? row->wire : row->width;
}

static int walk_number(struct walk *walk, uint8_t *data, unsigned width, unsigned wire)
{
	if (walk->mode == DECODE) {
		if (left(walk) < wire)
			return fail_truncated(walk, wire);
		size_t at = walk->in.position;
		uint64_t value = gim_cursor_number(&walk->in, wire);
		if (width < 8 && value >> (8 * width))
			return gim_fail(walk->error, GIM_E_CORRUPT, at, "0x%" PRIx64 " is too large: at most %u bits are possible", value,
			                8 * width);
		gim_number_store(data, width, value);
	} else if (walk->mode == ENCODE) {
		uint64_t value = gim_number_load(data, width);
		if (wire < 8 && value >> (8 * wire))
			return gim_fail(walk->error, GIM_E_VALUE, GIM_UNKNOWN, "0x%" PRIx64 " does not fit into %u bits of this layout",
			                value, 8 * wire);
		gim_buffer_number(walk->out, value, wire);
	}
	return 0;
}

static int walk_text(struct walk *walk, const struct gim_row *row, struct gim_text *text, bool rest)
{
	const uint32_t limit = row->limit ? row->limit : 1u << 20;
	size_t length = row->length;
	if (walk->mode == DECODE) {
		size_t at = walk->in.position;
		if (rest)
			length = left(walk);
		else if (!length) {
			if (left(walk) < 4)
				return fail_truncated(walk, 4);
			length = gim_cursor_u32(&walk->in);
			if (length > limit && walk->codec->exact && row->overlooked)
				length = 0;
			if (length > limit)
				return gim_fail(walk->error, GIM_E_LIMIT, at, "a text of %zu bytes, where at most %u are possible", length,
				                limit);
		}
		if (left(walk) < length)
			return fail_truncated(walk, length);
		const uint8_t *bytes = gim_cursor_bytes(&walk->in, length);
		char *copy = gim_arena_copy(walk->arena, bytes, length);
		if (!copy)
			return GIM_ARENA_FAIL(walk->arena, walk->error, at, "%zu bytes do not fit into the memory limit", length);
		*text = (struct gim_text){copy, (uint32_t)length};
	} else if (walk->mode == ENCODE) {
		if (!rest && !length)
			gim_buffer_number(walk->out, text->length, 4);
		else if (!rest && text->length != length) {
			/* Never stored, so there is nothing to keep: zeros of the right length. */
			if (text->length)
				return gim_fail(walk->error, GIM_E_VALUE, GIM_UNKNOWN, "%u bytes, where this layout holds %zu",
				                text->length, length);
			for (size_t i = 0; i < length; i++)
				gim_buffer_number(walk->out, 0, 1);
			return 0;
		}
		gim_buffer_bytes(walk->out, text->bytes, text->length);
	}
	return 0;
}

static int walk_field(struct walk *walk, const struct gim_row *row, const struct scope *scope, bool region)
{
	const struct gim_object *object = object_of(walk, scope, row->record);
	uint8_t *data = object->data + row->offset, *presence = object->presence + row->offset;
	if (row->kind == GIM_TEXT) {
		if (region && row->op == GIM_ROW_FIELD && left(walk) < (row->length ? row->length : 4))
			return 0;
		if (walk_text(walk, row, (struct gim_text *)(void *)data, row->op == GIM_ROW_REST))
			return fail_member(walk, scope, object, row->offset);
		if (walk->mode != ENCODE)
			*presence = GIM_STORED;
		return 0;
	}
	const unsigned wire = wire_bytes(walk, row);
	for (uint32_t at = 0; at < row->size; at += row->width) {
		if (region && left(walk) < wire)
			return 0;
		if (walk_number(walk, data + at, row->width, wire))
			return fail_member(walk, scope, object, row->offset + at);
		if (walk->mode != ENCODE)
			presence[at] = GIM_STORED;
	}
	return 0;
}

/* Which vCPU's it is: the innermost list's item. */
static uint32_t instance_of(const struct scope *scope)
{
	while (scope && !scope->owner)
		scope = scope->outer;
	return scope ? scope->index : GIM_ITEM_ALL;
}

static int walk_element(struct walk *walk, const struct gim_row *row, const struct scope *scope, uint32_t element, uint8_t *data,
                        uint8_t *presence)
{
	const struct gim_items *items = walk->codec->items;
	const uint32_t instance = instance_of(scope), index = row->first + element, scale = row->scale ? row->scale : 1;
	uint64_t number = gim_number_load(data, row->width);
	if (walk->mode == ENCODE && *presence == GIM_IMPLIED)
		return items->omit(items->user, row->name, instance, index, walk->error);
	if (walk->mode == ENCODE)
		return *presence ? items->put(items->user, row->name, instance, index, number / scale, walk->error) : 0;
	int found = items->get(items->user, row->name, instance, index, &number, walk->error);
	if (found <= 0)
		return found; /* absent, or a failure */
	if (number > gim_number_largest(row->width) / scale)
		return gim_fail(walk->error, GIM_E_CORRUPT, GIM_UNKNOWN, "0x%" PRIx64 " is too large: at most 0x%" PRIx64 " is possible",
		                number, gim_number_largest(row->width) / scale);
	gim_number_store(data, row->width, number * scale);
	*presence = (uint8_t)found;
	return 0;
}

static int walk_named(struct walk *walk, const struct gim_row *row, const struct scope *scope)
{
	const struct gim_object *object = object_of(walk, scope, row->record);
	for (uint32_t at = 0; at < row->size; at += row->width) {
		uint8_t *data = object->data + row->offset + at, *presence = object->presence + row->offset + at;
		if (walk->mode == COVER)
			*presence = GIM_STORED;
		else if (walk_element(walk, row, scope, at / row->width, data, presence))
			return fail_member(walk, scope, object, row->offset + at);
	}
	return 0;
}

static int walk_constant(struct walk *walk, const struct gim_row *row)
{
	if (walk->mode == ENCODE)
		gim_buffer_number(walk->out, row->value, row->wire);
	if (walk->mode != DECODE)
		return 0;
	size_t at = walk->in.position;
	if (left(walk) < row->wire)
		return fail_truncated(walk, row->wire);
	uint64_t value = gim_cursor_number(&walk->in, row->wire);
	if (value != row->value)
		return gim_fail(walk->error, GIM_E_CORRUPT, at, "found 0x%" PRIx64 ", expected 0x%" PRIx64, value, row->value);
	return 0;
}

static int walk_version(struct walk *walk)
{
	if (walk->mode == ENCODE)
		gim_buffer_number(walk->out, walk->codec->version, 4);
	if (walk->mode != DECODE)
		return 0;
	size_t at = walk->in.position;
	if (left(walk) < 4)
		return fail_truncated(walk, 4);
	uint32_t version = gim_cursor_u32(&walk->in);
	walk->version = version;
	if (version < walk->codec->first || version > walk->codec->last)
		return gim_fail(walk->error, GIM_E_VERSION, at, "version 0x%x of the data is unknown: %u to %u are known", version,
		                walk->codec->first, walk->codec->last);
	return 0;
}

static bool row_in_version(const struct walk *walk, const struct gim_row *row)
{
	return walk->version >= row->since && (!row->until || walk->version <= row->until);
}

static bool holds(const struct walk *walk, const struct gim_when *when, const struct scope *scope)
{
	if (when->test == GIM_WHEN_ALWAYS)
		return true;
	if (when->test == GIM_WHEN_CODEC)
		return (walk->codec->flags & when->mask) == when->value;
	uint64_t number = gim_number_load(object_of(walk, scope, when->record)->data + when->offset, when->width);
	switch (when->test) {
	case GIM_WHEN_ANY:
		return number & when->mask;
	case GIM_WHEN_EQUAL:
		return (number & when->mask) == when->value;
	case GIM_WHEN_NOT:
		return (number & when->mask) != when->value;
	default:
		assert(when->test == GIM_WHEN_ABOVE);
		return number > when->value;
	}
}

/* Bytes on the wire of rows that are all of constant size. */
static size_t constant_size(const struct walk *walk, const struct gim_row *rows)
{
	size_t size = 0;
	for (const struct gim_row *row = rows; row->op != GIM_ROW_END; row++) {
		if (!row_in_version(walk, row))
			continue;
		assert((row->op == GIM_ROW_FIELD && (row->kind != GIM_TEXT || row->length)) || row->op == GIM_ROW_CONST);
		if (row->op == GIM_ROW_CONST)
			size += row->wire;
		else
			size += row->kind == GIM_TEXT ? row->length : (size_t)row->size / row->width * wire_bytes(walk, row);
	}
	return size;
}

/* How many items are there to decode? UINT32_MAX: until or while a value is found. */
static int count_items(struct walk *walk, const struct gim_row *row, const struct scope *scope, uint32_t *count)
{
	switch (row->count) {
	case GIM_COUNT_FIELD: {
		const struct gim_object *counter = object_of(walk, scope, row->counter_record);
		*count = (uint32_t)gim_number_load(counter->data + row->counter_offset, 4);
		break;
	}
	case GIM_COUNT_WIRE:
		if (left(walk) < 4)
			return fail_truncated(walk, 4);
		*count = gim_cursor_u32(&walk->in);
		break;
	case GIM_COUNT_REST: {
		size_t tail = constant_size(walk, row + 1), item = constant_size(walk, row->rows);
		size_t space = left(walk) < tail ? 0 : left(walk) - tail;
		size_t whole = space / item;
		/* Too few bytes for the vCPUs that there are: go by their number, and fail where the data ends. */
		bool by_number = walk->codec->vcpus > row->first && (walk->codec->exact || whole < walk->codec->vcpus - row->first);
		*count = row->first + (uint32_t)(by_number              ? walk->codec->vcpus - row->first
		                                 : whole > GIM_LIST_MAX ? GIM_LIST_MAX + 1
		                                                        : whole);
		break;
	}
	case GIM_COUNT_CODEC:
		if (!walk->codec->vcpus && !walk->codec->items)
			return gim_fail(walk->error, GIM_E_UNSUPPORTED, walk->in.position,
			                "the number of vCPUs is not known, as no other unit says it");
		*count = walk->codec->vcpus;
		break;
	default:
		*count = UINT32_MAX;
		return 0;
	}
	if (*count > GIM_LIST_MAX)
		return gim_fail(walk->error, GIM_E_LIMIT, walk->in.position, "%u items, where at most %u are possible", *count,
		                GIM_LIST_MAX);
	return 0;
}

/* For lists that a value ends: is there another item? */
static int another(struct walk *walk, const struct gim_row *row, bool *more)
{
	if (row->count != GIM_COUNT_UNTIL && row->count != GIM_COUNT_WHILE) {
		*more = true;
		return 0;
	}
	if (left(walk) < row->wire) {
		*more = false;
		return row->count == GIM_COUNT_WHILE ? 0 : fail_truncated(walk, row->wire);
	}
	struct gim_cursor peek = walk->in;
	bool equal = gim_cursor_number(&peek, row->wire) == row->value;
	if (row->count == GIM_COUNT_UNTIL && equal)
		walk->in = peek;
	*more = equal == (row->count == GIM_COUNT_WHILE);
	return 0;
}

static int walk_item(struct walk *walk, const struct gim_row *row, const struct scope *scope, const struct gim_object *owner,
                     const struct gim_list *list, uint32_t index)
{
	const size_t size = row->item->size;
	const struct scope item = {
	    .object = {row->item, (uint8_t *)list->items + index * size, list->presence + index * size},
	    .outer = scope,
	    .owner = owner,
	    .list_offset = row->offset,
	    .index = index,
	};
	return walk_rows(walk, row->rows, &item, false);
}

static int decode_list(struct walk *walk, const struct gim_row *row, const struct scope *scope, const struct gim_object *owner,
                       struct gim_list *list)
{
	const uint32_t before = list->count;
	uint32_t count = 0, i = row->first;
	int result = count_items(walk, row, scope, &count);
	if (!result && count <= left(walk)) /* memory at once for what the input can hold: no item is without a byte */
		result = gim_list_grow(walk->arena, list, row->item, count, walk->error);
	for (; !result && i < count && !walk->stopped; i++) {
		bool more;
		result = another(walk, row, &more);
		if (result || !more)
			break;
		if (i >= GIM_LIST_MAX)
			return gim_fail(walk->error, GIM_E_LIMIT, walk->in.position, "more than %u items", GIM_LIST_MAX);
		result = gim_list_grow(walk->arena, list, row->item, i + 1, walk->error);
		if (!result)
			result = walk_item(walk, row, scope, owner, list, i);
	}
	if (list->count > i) /* what was not reached is not there */
		list->count = before > i ? before : i;
	return result;
}

static int encode_list(struct walk *walk, const struct gim_row *row, const struct scope *scope, const struct gim_object *owner,
                       const struct gim_list *list)
{
	uint64_t said = list->count;
	if (row->count == GIM_COUNT_FIELD)
		said = gim_number_load(object_of(walk, scope, row->counter_record)->data + row->counter_offset, 4);
	else if (row->count == GIM_COUNT_CODEC && walk->codec->vcpus)
		said = walk->codec->vcpus;
	if (walk->mode == ENCODE && said != list->count)
		return gim_fail(walk->error, GIM_E_VALUE, GIM_UNKNOWN, "there are %u items, but the count says %" PRIu64, list->count,
		                said);
	if (walk->mode == ENCODE && row->count == GIM_COUNT_WIRE)
		gim_buffer_number(walk->out, list->count, 4);
	int result = 0;
	for (uint32_t i = row->first; !result && i < list->count && !walk->stopped; i++)
		result = walk_item(walk, row, scope, owner, list, i);
	if (!result && walk->mode == ENCODE && row->count == GIM_COUNT_UNTIL)
		gim_buffer_number(walk->out, row->value, row->wire);
	return result;
}

static int walk_list(struct walk *walk, const struct gim_row *row, const struct scope *scope)
{
	const struct gim_object *owner = object_of(walk, scope, row->record);
	struct gim_list *list = (struct gim_list *)(void *)(owner->data + row->offset);
	int result = walk->mode == DECODE ? decode_list(walk, row, scope, owner, list) : encode_list(walk, row, scope, owner, list);
	return result ? fail_member(walk, scope, owner, row->offset), result : 0;
}

/* A region of a length that was read before: rows that do not fit are absent, and what the rows leave over is skipped (or zero). */
static int walk_region(struct walk *walk, const struct gim_row *row, const struct scope *scope)
{
	const struct gim_object *counter = object_of(walk, scope, row->counter_record);
	int64_t length = (int64_t)gim_number_load(counter->data + row->counter_offset, 4) + row->bias;
	size_t size = length > 0 ? (size_t)length : 0;
	if (walk->mode == COVER)
		return walk_rows(walk, row->rows, scope, true);
	if (walk->mode == DECODE) {
		if (left(walk) < size)
			return fail_truncated(walk, size), fail_member(walk, scope, counter, row->counter_offset);
		const size_t outer = walk->in.size;
		walk->in.size = walk->in.position + size;
		int result = walk_rows(walk, row->rows, scope, true);
		if (!result)
			walk->in.position = walk->in.size;
		walk->in.size = outer;
		return result;
	}
	if (left(walk) < size)
		return gim_fail(walk->error, GIM_E_VALUE, GIM_UNKNOWN, "a region of %zu bytes does not fit into the one around it", size);
	const size_t outer = walk->out_end;
	walk->out_end = walk->out->size + size;
	int result = walk_rows(walk, row->rows, scope, true);
	while (!result && !walk->out->failed && walk->out->size < walk->out_end)
		gim_buffer_number(walk->out, 0, 1);
	walk->out_end = outer;
	return result;
}

static int walk_row(struct walk *walk, const struct gim_row *row, const struct scope *scope, bool region)
{
	switch ((enum gim_row_op)row->op) {
	case GIM_ROW_FIELD:
	case GIM_ROW_REST:
		return walk_field(walk, row, scope, region);
	case GIM_ROW_VERSION:
		return walk_version(walk);
	case GIM_ROW_CONST:
		return walk_constant(walk, row);
	case GIM_ROW_EACH:
		return walk_list(walk, row, scope);
	case GIM_ROW_GROUP:
		return walk_rows(walk, row->rows, scope, region);
	case GIM_ROW_WITHIN:
		return walk_region(walk, row, scope);
	case GIM_ROW_ITEM:
		return walk_named(walk, row, scope);
	case GIM_ROW_OPEN:
	case GIM_ROW_STOP:
		walk->stopped = true;
		return 0;
	case GIM_ROW_END:
		break;
	}
	assert(false && "a row of a known kind");
	return GIM_E_ARGUMENT;
}

static int walk_rows(struct walk *walk, const struct gim_row *rows, const struct scope *scope, bool region)
{
	for (const struct gim_row *row = rows; row->op != GIM_ROW_END && !walk->stopped; row++) {
		if (!row_in_version(walk, row) || !holds(walk, &row->when, scope))
			continue;
		int result = walk_row(walk, row, scope, region);
		if (result)
			return result;
	}
	return 0;
}

int gim_decode(const struct gim_row *rows, const struct gim_codec *codec, const struct gim_object *roots, size_t root_count,
               struct gim_arena *arena, const uint8_t *bytes, size_t size, size_t *used, uint32_t *version, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	struct walk walk = {
	    .mode = DECODE,
	    .codec = codec,
	    .version = codec->version,
	    .in = {.bytes = bytes, .size = size, .big = codec->big},
	    .arena = arena,
	    .roots = roots,
	    .root_count = root_count,
	    .error = &own,
	};
	int result = walk_rows(&walk, rows, NULL, false);
	*used = walk.in.position;
	*version = walk.version;
	if (result && error && !error->code) {
		*error = own;
		error->offset = GIM_UNKNOWN;
		error->payload_offset = own.offset;
	}
	return result;
}

int gim_encode(const struct gim_row *rows, const struct gim_codec *codec, const struct gim_object *roots, size_t root_count,
               struct gim_buffer *buffer, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	struct walk walk = {
	    .mode = ENCODE,
	    .codec = codec,
	    .version = codec->version,
	    .out = buffer,
	    .out_end = SIZE_MAX,
	    .roots = roots,
	    .root_count = root_count,
	    .error = &own,
	};
	const size_t start = buffer->size;
	buffer->big = codec->big;
	int result = walk_rows(&walk, rows, NULL, false);
	if (!result && buffer->failed)
		result = gim_fail(&own, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory after %zu bytes", buffer->size - start);
	if (result) {
		buffer->size = start;
		if (error && !error->code)
			*error = own;
	}
	return result;
}

int gim_cover(const struct gim_row *rows, const struct gim_codec *codec, const struct gim_object *roots, size_t root_count,
              struct gim_error *error)
{
	struct walk walk = {
	    .mode = COVER,
	    .codec = codec,
	    .version = codec->version,
	    .roots = roots,
	    .root_count = root_count,
	    .error = error,
	};
	return walk_rows(&walk, rows, NULL, false);
}
