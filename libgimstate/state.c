/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening a state, choosing its container format, and handing the public calls on to it. */
#include "state.h"

#include "error.h"
#include "layer.h"
#include "pages.h"
#include "visit.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct gim_format *highest_bidder(const uint8_t *head, size_t size)
{
	const struct gim_format *best = NULL;
	int highest = 0;
	for (const struct gim_format *const *each = gim_formats; *each; each++) {
		int bid = (*each)->bid(head, size);
		if (bid > highest) {
			highest = bid;
			best = *each;
		}
	}
	return best;
}

int gim_format_find(struct gim_input *input, const struct gim_format **format, struct gim_error *error)
{
	uint8_t head[GIM_BID_BYTES];
	size_t size;
	const struct gim_layer_kind *within = NULL;
	for (unsigned depth = 0;; depth++) {
		int result = gim_input_peek(input, head, sizeof(head), &size, error);
		if (result)
			return result;
		const struct gim_format *best = highest_bidder(head, size);
		if (best)
			return *format = best, 0;
		const struct gim_layer_kind *kind = gim_layer_find(head, size, false);
		if (!kind)
			return gim_fail(error, GIM_E_FORMAT, 0, "%s%s%s", within ? within->within : "", within ? ", " : "",
			                gim_foreign_guess(head, size));
		/* Unpacked once, it is not compressed any more, however often it was. */
		if (kind == within && kind->once)
			return gim_fail(error, GIM_E_FORMAT, 0,
			                "it is compressed in a way that is not known (gzip, bzip2, xz, zstd and lzop are), or its "
			                "beginning is damaged");
		if (depth == GIM_LAYERS_MAX)
			return gim_fail(error, GIM_E_LIMIT, 0, "what is wrapped in more than %d others is not opened: unwrap it first",
			                GIM_LAYERS_MAX);
		result = gim_layer_open(input, kind, NULL, error);
		if (result)
			return result;
		within = kind;
	}
}

/* What wraps states and is damaged, or holds several, has one that cannot be reached without more ado. */
static bool wraps_state(const struct gim_error *failure)
{
	for (unsigned i = 0; i < GIM_LAYER_RULES; i++)
		if (failure->rule == &gim_layer_rules[i])
			return i != GIM_LAYER_EMPTY;
	return failure->code == GIM_E_ARGUMENT;
}

int gim_state_probe(const char *path, struct gim_error *error)
{
	struct gim_input input = {.fd = -1};
	const struct gim_format *format = NULL;
	struct gim_error own = GIM_ERROR_INIT;
	int result = gim_input_open(&input, path, &own);
	if (!result && (result = gim_format_find(&input, &format, &own)) && wraps_state(&own)) {
		gim_input_close(&input);
		return 1;
	}
	if (!result)
		result = format->probe ? format->probe(&input, &own) : 1;
	gim_input_close(&input);
	if (gim_is_world(result))
		return gim_fail(error, result, own.offset, "%s", own.text);
	return result > 0;
}

static int open_state(struct gim_state *state, struct gim_error *error)
{
	state->codec = (struct gim_codec){.address_bytes = 8};
	int result = gim_format_find(&state->input, &state->format, error);
	if (!result && state->settled)
		result = gim_input_settle(&state->input, error);
	if (!result)
		result = state->format->open(state, error);
	return result;
}

/* Finish any of the three ways to open: on failure nothing is left. */
static int finish_open(struct gim_state *opened, int result, struct gim_state **state, struct gim_error *error)
{
	if (!result)
		result = open_state(opened, error);
	if (result)
		gim_state_free(&opened);
	else
		*state = opened;
	return result;
}

static struct gim_state *new_state(struct gim_error *error)
{
	struct gim_state *state = calloc(1, sizeof(*state));
	if (!state)
		(void)gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	else
		state->input.fd = -1;
	return state;
}

int gim_state_new(const char *format, struct gim_state **state, struct gim_error *error)
{
	struct gim_state *made = new_state(error);
	if (!made)
		return GIM_E_MEMORY;
	for (const struct gim_format *const *each = gim_formats; *each; each++)
		if (!strcmp((*each)->name, format))
			made->format = *each;
	assert(made->format);
	made->fields_only = true;
	made->decoded = GIM_PART_GIM | GIM_PART_GUEST | GIM_PART_INFO | GIM_PART_PAGES;
	made->codec = (struct gim_codec){.address_bytes = 8};
	*state = made;
	return 0;
}

int gim_state_open(const char *path, struct gim_state **state, struct gim_error *error)
{
	struct gim_state *opened = new_state(error);
	return opened ? finish_open(opened, gim_input_open(&opened->input, path, error), state, error) : GIM_E_MEMORY;
}

int gim_state_open_settled(const char *path, struct gim_state **state, struct gim_error *error)
{
	struct gim_state *opened = new_state(error);
	if (!opened)
		return GIM_E_MEMORY;
	opened->settled = true;
	return finish_open(opened, gim_input_open(&opened->input, path, error), state, error);
}

int gim_state_open_fd(int fd, struct gim_state **state, struct gim_error *error)
{
	struct gim_state *opened = new_state(error);
	return opened ? finish_open(opened, gim_input_open_fd(&opened->input, fd, error), state, error) : GIM_E_MEMORY;
}

int gim_state_open_memory(const void *bytes, size_t size_bytes, struct gim_state **state, struct gim_error *error)
{
	struct gim_state *opened = new_state(error);
	if (!opened)
		return GIM_E_MEMORY;
	gim_input_open_memory(&opened->input, bytes, size_bytes);
	return finish_open(opened, 0, state, error);
}

void gim_state_free(struct gim_state **state)
{
	if (!state || !*state)
		return;
	if ((*state)->format)
		(*state)->format->close(*state);
	gim_input_close(&(*state)->input);
	gim_arena_free(&(*state)->arena);
	free(*state);
	*state = NULL;
}

int gim_unit_next(struct gim_state *state, struct gim_unit *unit, struct gim_error *error)
{
	return state->format->unit_next(state, unit, error);
}

int gim_unit_find(struct gim_state *state, const char *name, uint32_t instance, uint32_t pass, struct gim_unit *unit,
                  struct gim_error *error)
{
	return state->format->unit_find(state, name, instance, pass, unit, error);
}

int gim_unit_read(struct gim_state *state, const struct gim_unit *unit, gim_sink_fn *sink, void *user, struct gim_error *error)
{
	return state->format->unit_read(state, unit, sink, user, error);
}

struct collecting {
	struct gim_buffer *buffer;
	size_t limit;
	bool cut;
};

static int collect(void *user, const void *bytes, size_t size)
{
	struct collecting *collecting = (struct collecting *)user;
	collecting->cut = size > collecting->limit - collecting->buffer->size;
	if (!collecting->cut)
		gim_buffer_bytes(collecting->buffer, bytes, size);
	return collecting->cut || collecting->buffer->failed;
}

int gim_unit_buffer(struct gim_state *state, const struct gim_unit *unit, size_t limit, struct gim_buffer *buffer, struct gim_error *error)
{
	struct collecting collecting = {buffer, limit, false};
	struct gim_error own = GIM_ERROR_INIT;
	const int result = gim_unit_read(state, unit, collect, &collecting, &own);
	if (buffer->failed)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (collecting.cut)
		return gim_fail(error, GIM_E_LIMIT, GIM_UNKNOWN, "the unit %s/%u is longer than the %zu bytes of a unit that is changed",
		                unit->name, unit->instance, limit);
	return result ? gim_fail_as(error, &own) : 0;
}

int gim_state_decode(struct gim_state *state, unsigned parts, gim_report_fn *report, void *user, struct gim_error *error)
{
	/* Registers say where the pages are. */
	unsigned missing = (parts & GIM_PART_PAGES ? parts | GIM_PART_GIM : parts) & ~state->decoded;
	state->decoded |= missing;
	int result = missing & (GIM_PART_INFO | GIM_PART_GUEST) ? gim_layers_describe(state, error) : 0;
	if (!result && missing & ~(unsigned)GIM_PART_PAGES)
		result = state->format->decode(state, missing & ~(unsigned)GIM_PART_PAGES, report, user, error);
	if (!result && missing & GIM_PART_PAGES)
		result = gim_pages_decode(state, error);
	if (result && result != GIM_E_NO_UNIT)
		state->damaged |= missing;
	return result;
}

int gim_state_decode_unit(struct gim_state *state, const struct gim_unit *unit, gim_report_fn *report, void *user, struct gim_error *error)
{
	return state->format->decode_unit(state, unit, report, user, error);
}

/* Where a top record stands in the output, whatever the order in which units were decoded. */
static unsigned rank(const struct gim_record *record)
{
	unsigned order = 0;
	if (record == &source_record)
		return order;
	order++;
	if (record == &gim_record)
		return order;
	for (const struct gim_provider *const *each = gim_providers; *each; each++, order++)
		if ((*each)->record == record || ((*each)->pages && (*each)->pages->record == record))
			return order + 1;
	return record == &guest_record ? order + 1 : record == &machine_state_record ? order + 2 : order + 3;
}

static struct gim_object *find_object(struct gim_state *state, const struct gim_record *record)
{
	for (size_t i = 0; i < state->object_count; i++)
		if (state->objects[i].record == record)
			return &state->objects[i];
	return NULL;
}

struct gim_object *gim_state_attach(struct gim_state *state, const struct gim_object *object)
{
	size_t at = 0;
	while (at < state->object_count && rank(state->objects[at].record) <= rank(object->record))
		at++;
	assert(state->object_count < GIM_OBJECTS_MAX);
	memmove(&state->objects[at + 1], &state->objects[at], (state->object_count - at) * sizeof(*object));
	state->objects[at] = *object;
	state->object_count++;
	return &state->objects[at];
}

struct gim_object *gim_state_object(struct gim_state *state, const struct gim_record *record, struct gim_error *error)
{
	struct gim_object *found = find_object(state, record), object;
	if (found)
		return found;
	return gim_object_new(&state->arena, record, &object, error) ? NULL : gim_state_attach(state, &object);
}

const struct gim_object *gim_state_find(const struct gim_state *state, const struct gim_record *record)
{
	for (size_t i = 0; i < state->object_count; i++)
		if (state->objects[i].record == record)
			return &state->objects[i];
	return NULL;
}

int gim_store_text(struct gim_state *state, struct gim_object *object, size_t offset, const char *text, struct gim_error *error)
{
	const size_t length = strlen(text);
	const char *copy = gim_arena_copy(&state->arena, text, length);
	if (!copy)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	*(struct gim_text *)(void *)(object->data + offset) = (struct gim_text){copy, (uint32_t)length};
	object->presence[offset] = GIM_STORED;
	return 0;
}

void gim_report(gim_report_fn *report, void *user, const struct gim_rule *rule, uint64_t offset, const char *unit, const char *path,
                const char *format, ...)
{
	if (!report)
		return;
	char text[256];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	const struct gim_finding finding = {
	    .rule = rule, .severity = rule->severity, .offset = offset, .unit = unit, .path = path, .text = text};
	report(user, &finding);
}

static int keep_value(void *user, const char *path, const struct gim_value *value)
{
	(void)path;
	*(struct gim_value *)user = *value;
	return 0;
}

struct gim_value gim_state_value(const struct gim_state *state, const char *path)
{
	struct gim_value value = {.presence = GIM_ABSENT};
	(void)gim_state_visit(state, path, keep_value, &value, NULL);
	return value;
}

static bool is_named(const struct gim_record *record, const char *name, size_t length)
{
	return record && strlen(record->name) == length && !memcmp(record->name, name, length);
}

const struct gim_record *gim_record_find(const char *name, size_t length, unsigned *parts)
{
	const struct {
		const struct gim_record *record;
		unsigned parts;
	} fixed[] = {{&source_record, GIM_PART_INFO},
	             {&gim_record, GIM_PART_GIM},
	             {&guest_record, GIM_PART_GUEST},
	             {&machine_state_record, GIM_PART_GUEST | GIM_PART_INFO}};
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (is_named(fixed[i].record, name, length))
			return *parts = fixed[i].parts, fixed[i].record;
	for (const struct gim_provider *const *each = gim_providers; *each; each++)
		if (is_named((*each)->record, name, length))
			return *parts = GIM_PART_GIM, (*each)->record;
	for (const struct gim_provider *const *each = gim_providers; *each; each++)
		if ((*each)->pages && is_named((*each)->pages->record, name, length))
			return *parts = GIM_PART_GIM | GIM_PART_PAGES, (*each)->pages->record;
	for (const struct gim_format *const *format = gim_formats; *format; format++)
		for (const struct gim_record *const *each = (*format)->records; each && *each; each++)
			if (is_named(*each, name, length))
				return *parts = GIM_PART_GUEST, *each;
	for (const struct gim_layer_kind *const *each = gim_layers; *each; each++)
		if (is_named((*each)->record, name, length))
			return *parts = GIM_PART_INFO, (*each)->record;
	return NULL;
}

unsigned gim_state_parts(const struct gim_state *state, const char *path)
{
	unsigned parts = 0;
	(void)state;
	(void)gim_record_find(path, strcspn(path, ".["), &parts);
	return parts;
}

int gim_state_visit(const struct gim_state *state, const char *path, gim_visit_fn *visit, void *user, struct gim_error *error)
{
	if (!path) {
		for (size_t i = 0; i < state->object_count; i++) {
			int result = gim_object_visit(&state->objects[i], "", visit, user, error);
			if (result)
				return result;
		}
		return 0;
	}
	const size_t length = strcspn(path, ".[");
	unsigned parts;
	const struct gim_record *record = gim_record_find(path, length, &parts);
	if (!record)
		return gim_field_missing(path, error);
	const struct gim_object *object = gim_state_find(state, record);
	if (object)
		return gim_object_visit(object, path + length, visit, user, error);
	/* Not in this state: an empty object tells whether the path is right, and all of it is absent. */
	struct gim_arena arena = {0};
	struct gim_object empty;
	int result = gim_object_new(&arena, record, &empty, error);
	if (!result)
		result = gim_object_visit(&empty, path + length, visit, user, error);
	gim_arena_free(&arena);
	return result;
}
