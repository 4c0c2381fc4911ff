/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects as JSON, by docs/gimstate-json.md: the raw values, named where a name loses nothing. */
#include "json.h"

#include "error.h"
#include "value.h"
#include "visit.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *json_hex(uint64_t number)
{
	char text[24];
	(void)snprintf(text, sizeof(text), "0x%" PRIx64, number);
	return json_string(text);
}

/* Byte n becomes U+00nn, so that any bytes survive in a JSON text. */
static json_t *json_bytes(const char *bytes, size_t length)
{
	char *text = malloc(2 * length + 1);
	size_t used = 0;
	if (!text)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)bytes[i];
		if (byte < 0x80) {
			text[used++] = (char)byte;
		} else {
			text[used++] = (char)(0xc0 | byte >> 6);
			text[used++] = (char)(0x80 | (byte & 0x3f));
		}
	}
	json_t *json = json_stringn_nocheck(text, used);
	free(text);
	return json;
}

static json_t *json_flags(const struct gim_bit *bits, uint64_t number)
{
	json_t *json = json_array();
	for (; bits->name; bits++) {
		uint64_t mask = UINT64_C(1) << bits->low;
		if (bits->width == 1 && number & mask) {
			if (json_array_append_new(json, json_string(bits->name)))
				return json_decref(json), NULL;
			number &= ~mask;
		}
	}
	if (number && json_array_append_new(json, json_hex(number)))
		return json_decref(json), NULL;
	return json;
}

static json_t *json_leaf(const struct gim_value *value)
{
	const struct gim_field *field = value->field;
	if (value->presence == GIM_ABSENT)
		return json_null();
	if (value->kind == GIM_VALUE_BYTES)
		return json_bytes(value->bytes, value->length_bytes);
	if (field->show == GIM_FLAGS)
		return json_flags(field->bits, value->number);
	if (field->show == GIM_BOOL && value->number <= 1)
		return json_boolean(value->number);
	const struct gim_name *name = gim_name_of(field->names, value->number);
	if (name)
		return json_string(name->name);
	return value->width_bytes == 8 ? json_hex(value->number) : json_integer((json_int_t)value->number);
}

json_t *gim_value_json(const struct gim_value *value)
{
	return json_leaf(value);
}

/* Is anything of a field there? */
static bool is_known(const struct gim_object *object, const struct gim_field *field)
{
	for (uint32_t i = 0; i < gim_object_count(object, field); i++) {
		if (!field->record && object->presence[field->offset + i * field->width] != GIM_ABSENT)
			return true;
		if (field->kind == GIM_LIST)
			return true;
		const struct gim_object item = field->record ? gim_object_item(object, field, i) : *object;
		for (uint32_t f = 0; field->record && f < item.record->field_count; f++)
			if (is_known(&item, &item.record->fields[f]))
				return true;
	}
	return false;
}

static json_t *json_element(const struct gim_object *object, const struct gim_field *field, uint32_t index, bool sparse)
{
	if (field->record) {
		struct gim_object item = gim_object_item(object, field, index);
		return gim_object_json(&item, sparse);
	}
	struct gim_value value = gim_object_value(object, field, index);
	return json_leaf(&value);
}

static json_t *json_field(const struct gim_object *object, const struct gim_field *field, bool sparse)
{
	if (!field->count && field->kind != GIM_LIST)
		return json_element(object, field, 0, sparse);
	json_t *json = json_array();
	const uint32_t count = gim_object_count(object, field);
	for (uint32_t i = 0; i < count; i++)
		if (json_array_append_new(json, json_element(object, field, i, sparse)))
			return json_decref(json), NULL;
	return json;
}

json_t *gim_object_json(const struct gim_object *object, bool sparse)
{
	json_t *json = json_object();
	for (uint32_t f = 0; f < object->record->field_count; f++) {
		const struct gim_field *field = &object->record->fields[f];
		if (sparse && !is_known(object, field))
			continue;
		if (json_object_set_new(json, field->name, json_field(object, field, sparse)))
			return json_decref(json), NULL;
	}
	return json;
}

/* Is name one of a comma-separated list? */
static bool listed(const char *names, const char *name)
{
	const size_t length = strlen(name);
	while (names) {
		if (!strncmp(names, name, length) && (names[length] == ',' || !names[length]))
			return true;
		names = strchr(names, ',');
		names = names ? names + 1 : NULL;
	}
	return false;
}

int gim_state_json(const struct gim_state *state, const char *names, struct json_t **json, struct gim_error *error)
{
	json_t *all = json_object();
	for (size_t i = 0; all && i < state->object_count; i++) {
		const struct gim_object *object = &state->objects[i];
		if (names && !listed(names, object->record->name))
			continue;
		if (json_object_set_new(all, object->record->name, gim_object_json(object, false))) {
			json_decref(all);
			all = NULL;
		}
	}
	if (!all)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory while making JSON");
	*json = all;
	return 0;
}

struct printer {
	gim_sink_fn *sink;
	void *user;
};

static int print_piece(const char *text, size_t size, void *user)
{
	const struct printer *printer = (const struct printer *)user;
	return printer->sink(printer->user, text, size) ? -1 : 0;
}

int gim_json_print(const struct gim_state *state, const char *without, gim_sink_fn *sink, void *user, struct gim_error *error)
{
	const struct printer printer = {sink, user};
	json_t *records = NULL, *document = json_pack("{s:i}", "gimstate", 1);
	int result = gim_state_json(state, NULL, &records, error);
	if (!result)
		(void)json_object_del(records, source_record.name);
	for (size_t i = 0; !result && i < state->object_count; i++)
		if (without && listed(without, state->objects[i].record->name))
			(void)json_object_del(records, state->objects[i].record->name);
	if (!result && (!document || json_object_update(document, records)))
		result = gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory while making JSON");
	if (!result && (json_dump_callback(document, print_piece, (void *)(uintptr_t)&printer, JSON_ENSURE_ASCII | JSON_INDENT(2)) ||
	                sink(user, "\n", 1)))
		result = gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "the document was not taken");
	json_decref(records);
	json_decref(document);
	return result;
}
