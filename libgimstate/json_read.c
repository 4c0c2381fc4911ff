/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects from JSON, strictly by docs/gimstate-json.md: what json.c writes, and nothing else. */
#include "json.h"

#include "error.h"
#include "guest.h"
#include "value.h"
#include "visit.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE .source = "docs/gimstate-json.md"

const struct gim_rule gim_json_rules[GIM_JSON_RULES] = {
    [GIM_JSON_SYNTAX] = {"JSON-SYNTAX", GIM_ERROR, GIM_E_FORMAT, 0, NULL, "the text is JSON",
                         .why = "what follows could mean anything, so that nothing of it is read",
                         .mend = "correct it at the line and column that are named", SOURCE},
    [GIM_JSON_LIMIT] = {"JSON-LIMIT", GIM_ERROR, GIM_E_LIMIT, 0, NULL, "the document is small enough to be read whole",
                        .why = "reading it would take more memory than a command may",
                        .mend = "leave out what is not needed: the record guest, mostly", SOURCE},
    [GIM_JSON_FORM] = {"JSON-FORM", GIM_ERROR, GIM_E_FORMAT, 0, NULL, "the document is one of a state",
                       .why = "it holds nothing that could be shown or taken", .mend = "give what gimstate dump --json printed", SOURCE},
    [GIM_JSON_VERSION] = {"JSON-VERSION", GIM_ERROR, GIM_E_VERSION, 0, NULL, "the form of the document is a known one",
                          .why = "a later form has fields that this release would lose",
                          .mend = "read it with the release that wrote it, or a later one", SOURCE},
    [GIM_JSON_REPEATED] = {"JSON-REPEATED", GIM_ERROR, GIM_E_FORMAT, 0, NULL, "every key stands there once",
                           .why = "it is not known which of the values is meant", .mend = "take out the one that is not meant", SOURCE},
    [GIM_JSON_UNKNOWN] = {"JSON-UNKNOWN", GIM_ERROR, GIM_E_PATH, 0, NULL, "every key is a field of its record",
                          .why = "its value would be lost without a word", .mend = "correct the name; gimstate fields lists them", SOURCE},
    [GIM_JSON_MISSING] = {"JSON-MISSING", GIM_ERROR, GIM_E_VALUE, 0, NULL, "every field of a record has its key",
                          .why = "a field that was forgotten would get a default without a word",
                          .mend = "add the key, with null where the field has no value", SOURCE},
    [GIM_JSON_VALUE] = {"JSON-VALUE", GIM_ERROR, GIM_E_VALUE, 0, NULL, "every field has a value that it can hold",
                        .why = "the field cannot be set to it", .mend = "write the value in the form that is expected", SOURCE},
    [GIM_JSON_DAMAGED] = {"JSON-DAMAGED", GIM_ERROR, GIM_E_CORRUPT, 0, NULL, "the state was read whole when the document was written",
                          .why = "the fields behind the damage are not known",
                          .mend = "see to the state that it was made of; what it holds can be shown and compared", SOURCE},
};

/*
 * The text before it is parsed: what the parsed document will take, and where in the document a place of the text is. This looks at the
 * few characters that matter, and lets any text pass that they are in.
 */
enum { DEPTH_MAX = 16 };

struct level {
	const char *key; /* of an object's current member; NULL: none yet */
	size_t key_length;
	uint32_t index; /* of an array's current element */
	bool is_array, after_colon;
};

struct scan {
	struct level levels[DEPTH_MAX];
	unsigned depth;
	size_t cost_bytes;
};

/* Upper bounds of what jansson allocates for one of each, with its place in what holds it. */
enum { CONTAINER_BYTES = 256, MEMBER_BYTES = 192, ELEMENT_BYTES = 96 };

static size_t skip_string(const char *text, size_t size, size_t at)
{
	while (at < size && text[at] != '"')
		at += text[at] == '\\' ? 2 : 1;
	return at < size ? at : size;
}

static void scan_string(struct scan *scan, const char *key, size_t length)
{
	struct level *level = scan->depth ? &scan->levels[scan->depth - 1] : NULL;
	if (level && !level->is_array && !level->after_colon) {
		level->key = key;
		level->key_length = length;
	}
}

/* A character outside strings. False: too deep. */
static bool scan_character(struct scan *scan, char character)
{
	struct level *level = scan->depth ? &scan->levels[scan->depth - 1] : NULL;
	switch (character) {
	case '{':
	case '[':
		scan->cost_bytes += CONTAINER_BYTES;
		if (scan->depth == DEPTH_MAX)
			return false;
		scan->levels[scan->depth++] = (struct level){.is_array = character == '['};
		return true;
	case '}':
	case ']':
		scan->depth -= scan->depth > 0;
		return true;
	case ':':
		scan->cost_bytes += MEMBER_BYTES;
		if (level)
			level->after_colon = true;
		return true;
	case ',':
		scan->cost_bytes += ELEMENT_BYTES;
		if (level) {
			level->index++;
			level->after_colon = false;
		}
		return true;
	default:
		return true;
	}
}

static bool scan_text(struct scan *scan, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] != '"') {
			if (!scan_character(scan, text[i]))
				return false;
			continue;
		}
		const size_t end = skip_string(text, size, i + 1);
		scan_string(scan, text + i + 1, end - i - 1);
		i = end;
	}
	return true;
}

static void scan_path(const struct scan *scan, char *path, size_t size)
{
	size_t used = 0;
	path[0] = '\0';
	for (unsigned i = 0; i < scan->depth && used < size; i++) {
		const struct level *level = &scan->levels[i];
		const int length = level->key_length < 64 ? (int)level->key_length : 64;
		if (level->is_array)
			used += (size_t)snprintf(path + used, size - used, "[%" PRIu32 "]", level->index);
		else if (level->key)
			used += (size_t)snprintf(path + used, size - used, "%s%.*s", used ? "." : "", length, level->key);
	}
}

static int check_size(const char *text, size_t size, struct gim_error *error)
{
	struct scan scan = {.depth = 0};
	if (size > GIM_JSON_TEXT_LIMIT)
		return gim_fail_rule(error, &gim_json_rules[GIM_JSON_LIMIT], GIM_UNKNOWN,
		                     "the document has more than the %u MiB that are read", GIM_JSON_TEXT_LIMIT >> 20);
	if (!scan_text(&scan, text, size))
		return gim_fail_rule(error, &gim_json_rules[GIM_JSON_LIMIT], GIM_UNKNOWN,
		                     "more than %d arrays and objects stand within one another", DEPTH_MAX);
	if (scan.cost_bytes > GIM_JSON_VALUES_LIMIT)
		return gim_fail_rule(error, &gim_json_rules[GIM_JSON_LIMIT], GIM_UNKNOWN,
		                     "the document holds more values than fit into %u MiB", GIM_JSON_VALUES_LIMIT >> 20);
	return 0;
}

int gim_json_parse(const char *text, size_t size, struct json_t **document, struct gim_error *error)
{
	json_error_t own;
	int result = check_size(text, size, error);
	if (result)
		return result;
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &own);
	if (json) {
		*document = json;
		return 0;
	}
	if (json_error_code(&own) == json_error_out_of_memory)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	struct scan scan = {.depth = 0};
	char path[128];
	(void)scan_text(&scan, text, own.position > 0 && (size_t)own.position < size ? (size_t)own.position : size);
	scan_path(&scan, path, sizeof(path));
	if (json_error_code(&own) == json_error_duplicate_key)
		result = gim_fail_rule(error, &gim_json_rules[GIM_JSON_REPEATED], GIM_UNKNOWN,
		                       "line %d, column %d: the key stands there a second time", own.line, own.column);
	else
		result = gim_fail_rule(error, &gim_json_rules[GIM_JSON_SYNTAX], GIM_UNKNOWN, "line %d, column %d: %s", own.line, own.column,
		                       own.text);
	gim_error_path(error, path);
	return result;
}

/*
 * Objects from values, along the records.
 */
struct reader {
	struct gim_arena *arena;
	struct gim_error *error;
	const struct gim_record *profile; /* NULL: the document is a state's */
	char path[256];
};

static int refuse(struct reader *reader, enum gim_json_rule rule, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int refuse(struct reader *reader, enum gim_json_rule rule, const char *format, ...)
{
	char text[256];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	(void)gim_fail_rule(reader->error, &gim_json_rules[rule], GIM_UNKNOWN, "%s", text);
	gim_error_path(reader->error, reader->path);
	return gim_json_rules[rule].code;
}

/* What stands there, for people. */
static void describe(const json_t *json, char *text, size_t size)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		(void)snprintf(text, size, "an object");
		break;
	case JSON_ARRAY:
		(void)snprintf(text, size, "an array");
		break;
	case JSON_STRING:
		(void)snprintf(text, size, "\"%.40s\"", json_string_value(json));
		break;
	case JSON_INTEGER:
		(void)snprintf(text, size, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
		break;
	case JSON_REAL:
		(void)snprintf(text, size, "%g", json_real_value(json));
		break;
	default:
		(void)snprintf(text, size, "%s", json_is_null(json) ? "null" : json_is_true(json) ? "true" : "false");
	}
}

static int refuse_value(struct reader *reader, const json_t *json, const char *expected)
{
	char found[64];
	describe(json, found, sizeof(found));
	return refuse(reader, GIM_JSON_VALUE, "%s was found, expected is %s", found, expected);
}

/* "0x" and 1 to 16 digits; more than the width is no match. */
static bool parse_hex(const json_t *json, unsigned width, uint64_t *number)
{
	const char *text = json_string_value(json);
	const size_t length = json_string_length(json);
	if (length < 3 || length > 18 || text[0] != '0' || text[1] != 'x' || strspn(text + 2, "0123456789abcdefABCDEF") != length - 2)
		return false;
	*number = strtoull(text + 2, NULL, 16);
	return *number <= gim_number_largest(width);
}

static int refuse_number(struct reader *reader, const struct gim_field *field, const json_t *json)
{
	char found[64], takes[160] = "";
	describe(json, found, sizeof(found));
	if (field->show == GIM_FLAGS) {
		gim_field_names(field, takes, sizeof(takes));
		return refuse(reader, GIM_JSON_VALUE, "%s was found, expected is an array of names, then \"0x...\" for other bits: %s",
		              found, takes);
	}
	gim_field_takes(field, takes, sizeof(takes));
	return refuse(reader, GIM_JSON_VALUE, "%s was found, expected is %s%s", found, field->width == 8 ? "a string \"0x...\", " : "",
	              takes);
}

/* A newer release may know the name of a bit that was written as a number, so that named bits may be in the number too. */
static int read_flags(struct reader *reader, const struct gim_field *field, const json_t *json, uint64_t *number)
{
	size_t i;
	const json_t *word;
	uint64_t flags = 0;
	json_array_foreach(json, i, word)
	{
		uint64_t more = 0;
		const struct gim_bit *bit =
		    json_is_string(word) ? gim_bit_find(field->bits, json_string_value(word), json_string_length(word)) : NULL;
		if (bit)
			more = UINT64_C(1) << bit->low;
		else if (!json_is_string(word) || i + 1 < json_array_size(json) || !parse_hex(word, field->width, &more))
			return refuse_number(reader, field, word);
		if (flags & more)
			return refuse_value(reader, word, "every bit once");
		flags |= more;
	}
	*number = flags;
	return 0;
}

static int read_number(struct reader *reader, const struct gim_field *field, const json_t *json, uint8_t *data)
{
	uint64_t number = 0;
	const bool is_string = json_is_string(json);
	const struct gim_name *name = is_string ? gim_name_find(field->names, json_string_value(json), json_string_length(json)) : NULL;
	int result = 0;
	if (field->show == GIM_FLAGS && json_is_array(json))
		result = read_flags(reader, field, json, &number);
	else if (name)
		number = name->value;
	else if (field->show == GIM_BOOL && json_is_boolean(json))
		number = json_is_true(json);
	else if (field->width < 8 && field->show != GIM_FLAGS && json_is_integer(json) && json_integer_value(json) >= 0 &&
	         (uint64_t)json_integer_value(json) <= gim_number_largest(field->width))
		number = (uint64_t)json_integer_value(json);
	else if (field->width < 8 || field->show == GIM_FLAGS || !is_string || !parse_hex(json, 8, &number))
		result = refuse_number(reader, field, json);
	if (!result)
		gim_number_store(data, field->width, number);
	return result;
}

/* The character U+00nn is byte n. */
static int read_bytes(struct reader *reader, const json_t *json, struct gim_text *text)
{
	const unsigned char *from = (const unsigned char *)json_string_value(json);
	const size_t size = json_string_length(json);
	if (!json_is_string(json))
		return refuse_value(reader, json, "a string");
	char *to = gim_arena_alloc(reader->arena, size);
	uint32_t used = 0;
	if (!to)
		return GIM_ARENA_FAIL(reader->arena, reader->error, GIM_UNKNOWN, "%zu bytes exceed the memory limit", size);
	for (size_t i = 0; i < size; i++) {
		if (from[i] >= 0xc4)
			return refuse(reader, GIM_JSON_VALUE, "a character above U+00ff was found; U+0000 to U+00ff stand for bytes");
		if (from[i] >= 0xc0) {
			to[used++] = (char)((from[i] & 3) << 6 | (from[i + 1] & 0x3f));
			i++;
		} else {
			to[used++] = (char)from[i];
		}
	}
	*text = (struct gim_text){to, used};
	return 0;
}

static int read_leaf(struct reader *reader, const struct gim_object *object, const struct gim_field *field, uint32_t index,
                     const json_t *json)
{
	const size_t at = field->offset + (size_t)index * field->width;
	int result = 0;
	if (json_is_null(json))
		return 0;
	if (field->kind == GIM_TEXT)
		result = read_bytes(reader, json, (struct gim_text *)(void *)(object->data + at));
	else
		result = read_number(reader, field, json, object->data + at);
	if (!result)
		object->presence[at] = GIM_STORED;
	return result;
}

static int read_object(struct reader *reader, const struct gim_object *object, const json_t *json, size_t used);

static int read_element(struct reader *reader, const struct gim_object *object, const struct gim_field *field, uint32_t index,
                        const json_t *json, size_t used)
{
	if (!field->record)
		return read_leaf(reader, object, field, index, json);
	const struct gim_object item = gim_object_item(object, field, index);
	return read_object(reader, &item, json, used);
}

static int read_array(struct reader *reader, const struct gim_object *object, const struct gim_field *field, const json_t *json,
                      size_t used)
{
	const size_t size = json_array_size(json);
	int result = 0;
	if (!json_is_array(json))
		return refuse_value(reader, json, "an array");
	if (field->kind == GIM_LIST && size > GIM_LIST_MAX)
		return refuse(reader, GIM_JSON_LIMIT, "an array of %zu was found, at most %u are possible", size, GIM_LIST_MAX);
	if (field->kind != GIM_LIST && size != field->count)
		return refuse(reader, GIM_JSON_VALUE, "an array of %zu was found, expected is one of %u", size, field->count);
	if (field->kind == GIM_LIST)
		result = gim_list_grow(reader->arena, (struct gim_list *)(void *)(object->data + field->offset), field->record,
		                       (uint32_t)size, reader->error);
	for (uint32_t i = 0; !result && i < size; i++) {
		const int more = snprintf(reader->path + used, sizeof(reader->path) - used, "[%" PRIu32 "]", i);
		result = read_element(reader, object, field, i, json_array_get(json, i), used + (size_t)more);
	}
	return result;
}

static bool has_field(const struct gim_record *record, const char *name)
{
	for (uint32_t f = 0; f < record->field_count; f++)
		if (!strcmp(record->fields[f].name, name))
			return true;
	return false;
}

/* A key that is no field, before one that is missing: a wrong name is both. */
static int check_keys(struct reader *reader, const struct gim_record *record, const json_t *json, size_t used)
{
	for (void *at = json_object_iter((json_t *)(uintptr_t)json); at; at = json_object_iter_next((json_t *)(uintptr_t)json, at)) {
		const char *key = json_object_iter_key(at);
		if (has_field(record, key))
			continue;
		(void)snprintf(reader->path + used, sizeof(reader->path) - used, ".%.64s", key);
		return refuse(reader, GIM_JSON_UNKNOWN, "the record has no such field; gimstate fields lists those that it has");
	}
	return 0;
}

/* reader->path names the object, in `used` characters. */
static int read_object(struct reader *reader, const struct gim_object *object, const json_t *json, size_t used)
{
	reader->path[used] = '\0';
	if (!json_is_object(json))
		return refuse_value(reader, json, "an object");
	int result = check_keys(reader, object->record, json, used);
	for (uint32_t f = 0; !result && f < object->record->field_count; f++) {
		const struct gim_field *field = &object->record->fields[f];
		const json_t *value = json_object_get(json, field->name);
		const size_t more = used + (size_t)snprintf(reader->path + used, sizeof(reader->path) - used, ".%s", field->name);
		if (!value && reader->profile)
			continue;
		if (!value)
			result =
			    refuse(reader, GIM_JSON_MISSING, "the key is missing; null stands for a field that the layout cannot hold");
		else if (field->count || field->kind == GIM_LIST)
			result = read_array(reader, object, field, value, more);
		else
			result = read_element(reader, object, field, 0, value, more);
	}
	return result;
}

int gim_json_read_members(struct gim_arena *arena, const struct gim_object *object, const struct json_t *json, const char *path,
                          struct gim_error *error)
{
	struct reader reader = {.arena = arena, .error = error};
	const size_t used = (size_t)snprintf(reader.path, sizeof(reader.path) / 2, "%s", path);
	int result = json_is_object(json) ? 0 : refuse_value(&reader, json, "an object");
	for (uint32_t f = 0; !result && f < object->record->field_count; f++) {
		const struct gim_field *field = &object->record->fields[f];
		const json_t *value = json_object_get(json, field->name);
		(void)snprintf(reader.path + used, sizeof(reader.path) - used, ".%s", field->name);
		if (value && !field->count && field->kind != GIM_LIST && !field->record)
			result = read_leaf(&reader, object, field, 0, value);
	}
	return result;
}

/*
 * The document.
 */
static int check_version(struct reader *reader, const json_t *document)
{
	const json_t *version = json_object_get(document, "gimstate");
	char found[64];
	if (!version)
		return refuse(reader, GIM_JSON_FORM, "this is JSON, but no state: \"gimstate\": 1 is missing");
	(void)snprintf(reader->path, sizeof(reader->path), "gimstate");
	if (json_is_integer(version) && json_integer_value(version) == 1)
		return 0;
	describe(version, found, sizeof(found));
	return refuse(reader, GIM_JSON_VERSION, "the document has the form %s; this release reads 1", found);
}

/* What only informs, and the records that this program itself decided on when it read the file. */
static bool is_ignored(const char *key)
{
	return !strcmp(key, "gimstate") || !strcmp(key, "findings") || !strcmp(key, source_record.name);
}

static int read_member(struct reader *reader, const char *key, const json_t *json, struct gim_document *document)
{
	unsigned parts;
	if (is_ignored(key))
		return 0;
	if (!strcmp(key, "error")) {
		const char *text = json_string_value(json_object_get(json, "text"));
		(void)snprintf(document->damage, sizeof(document->damage), "%s", text ? text : "it does not say why");
		return 0;
	}
	const size_t used = (size_t)snprintf(reader->path, sizeof(reader->path), "%.64s", key);
	const struct gim_record *record = gim_record_find(key, strlen(key), &parts);
	if (reader->profile && !strcmp(key, reader->profile->name))
		record = reader->profile;
	if (!record)
		return refuse(reader, GIM_JSON_UNKNOWN, "a %s has no such record; dump --json shows which it has",
		              reader->profile ? "profile" : "state");
	struct gim_object *object = &document->objects[document->count];
	int result = gim_object_new(reader->arena, record, object, reader->error);
	if (!result)
		result = read_object(reader, object, json, used);
	document->count += !result;
	return result;
}

static int read_document(struct reader *reader, json_t *json, struct gim_document *document)
{
	const char *key;
	json_t *value;
	if (!json_is_object(json))
		return refuse(reader, GIM_JSON_FORM, "this is JSON, but no state: an object is expected");
	int result = check_version(reader, json);
	json_object_foreach(json, key, value)
	{
		if (!result)
			result = read_member(reader, key, value, document);
	}
	reader->path[0] = '\0';
	if (!result && !document->count)
		result = refuse(reader, GIM_JSON_FORM, "%s%s",
		                *document->damage ? "the document holds only an error: " : "the document holds no record of a state",
		                document->damage);
	return result;
}

int gim_json_read(struct gim_arena *arena, const struct gim_record *profile, const char *text, size_t size, struct gim_document *document,
                  struct gim_error *error)
{
	json_t *json = NULL;
	struct reader reader = {.arena = arena, .error = error, .profile = profile};
	struct gim_document read = {.count = 0};
	int result = gim_json_parse(text, size, &json, error);
	if (!result)
		result = read_document(&reader, json, &read);
	json_decref(json);
	if (!result)
		*document = read;
	return result;
}

int gim_document_damaged(const struct gim_document *document, struct gim_error *error)
{
	return gim_fail_rule(error, &gim_json_rules[GIM_JSON_DAMAGED], GIM_UNKNOWN,
	                     "the document holds what could be read of a damaged state: %s", document->damage);
}

/* The layout that the document names is the one in which its guest interface can be written; a native state names none. */
static void use_layout(struct gim_state *state)
{
	const struct gim_provider *provider = gim_unit_provider(state);
	const struct gim_value value = gim_state_value(state, "gim.layout");
	char name[64];
	uint32_t version;
	if (!provider || value.presence == GIM_ABSENT || value.length_bytes >= sizeof(name))
		return;
	(void)snprintf(name, sizeof(name), "%.*s", (int)value.length_bytes, value.bytes);
	const struct gim_layout *layout = gim_layout_find(provider, name, &version);
	if (!layout)
		return;
	state->unit_format = layout->format;
	state->layout_version = version;
}

unsigned gim_document_show(struct gim_state *state, const struct gim_document *document, unsigned parts)
{
	unsigned shown = 0;
	for (size_t i = 0; i < document->count; i++) {
		const struct gim_object *object = &document->objects[i];
		unsigned own;
		(void)gim_record_find(object->record->name, strlen(object->record->name), &own);
		if (object->record == &guest_record)
			own |= GIM_PART_INFO;
		if (!(own & parts))
			continue;
		shown |= own;
		if (!gim_state_find(state, object->record))
			(void)gim_state_attach(state, object);
		if (object->record == &guest_record && object->presence[offsetof(struct guest, vcpus)])
			state->codec.vcpus = ((const struct guest *)(const void *)object->data)->vcpus;
	}
	use_layout(state);
	return shown;
}
