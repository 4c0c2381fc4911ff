/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON documents as a container format: a state that dump --json printed, or another program wrote, with records and no units. */
#include "error.h"
#include "guest.h"
#include "json_read.h"

#include <stdio.h>
#include <string.h>

extern const struct gim_format gim_format_json;

/* An object whose first member has a name. */
static int json_bid(const uint8_t *head, size_t size)
{
	static const char space[] = " \t\r\n";
	bool open = false;
	for (size_t i = 0; i < size; i++) {
		if (head[i] && strchr(space, head[i]))
			continue;
		if (open || head[i] != '{')
			return open && (head[i] == '"' || head[i] == '}') ? 50 : 0;
		open = true;
	}
	return open ? 50 : 0;
}

static int read_text(struct gim_input *input, struct gim_buffer *text, struct gim_error *error)
{
	uint8_t piece[16384];
	size_t got;
	int result;
	/* One piece more than the limit is read, so that the reader sees that it is too much. */
	do {
		result = gim_input_read(input, text->size, piece, sizeof(piece), &got, error);
		if (!result)
			gim_buffer_bytes(text, piece, got);
	} while (!result && got == sizeof(piece) && text->size <= GIM_JSON_TEXT_LIMIT && !text->failed);
	return !result && text->failed ? gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory") : result;
}

static int read_input(struct gim_input *input, struct gim_arena *arena, struct gim_document *document, struct gim_error *error)
{
	struct gim_buffer text = {.bytes = NULL};
	int result = read_text(input, &text, error);
	if (!result)
		result = gim_json_read(arena, (const char *)text.bytes, text.size, document, error);
	gim_buffer_free(&text);
	return result;
}

static int store_source(struct gim_state *state, struct gim_error *error)
{
	struct gim_object *object = gim_state_object(state, &source_record, error);
	if (!object)
		return GIM_E_MEMORY;
	if (state->input.size != GIM_UNKNOWN)
		GIM_STORE(object, source, size_bytes, state->input.size);
	int result = gim_store_text(state, object, offsetof(struct source, format), gim_format_json.name, error);
	return result ? result : gim_store_text(state, object, offsetof(struct source, container), gim_format_json.title, error);
}

static int json_open(struct gim_state *state, struct gim_error *error)
{
	struct gim_document *document = gim_arena_alloc(&state->arena, sizeof(*document));
	if (!document)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	state->container = document;
	int result = read_input(&state->input, &state->arena, document, error);
	return result ? result : store_source(state, error);
}

static void json_close(struct gim_state *state)
{
	state->container = NULL; /* it is in the arena */
}

static int json_unit_next(struct gim_state *state, struct gim_unit *unit, struct gim_error *error)
{
	(void)state;
	(void)unit;
	(void)error;
	return 0;
}

static int no_unit(const char *name, uint32_t instance, struct gim_error *error)
{
	return gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN, "there is no unit %s/%u: a JSON document holds fields, not units", name,
	                instance);
}

static int json_unit_find(struct gim_state *state, const char *name, uint32_t instance, uint32_t pass, struct gim_unit *unit,
                          struct gim_error *error)
{
	(void)state;
	(void)pass;
	(void)unit;
	return no_unit(name, instance, error);
}

static int json_unit_read(struct gim_state *state, const struct gim_unit *unit, gim_sink_fn *sink, void *user, struct gim_error *error)
{
	(void)state;
	(void)sink;
	(void)user;
	return no_unit(unit->name, unit->instance, error);
}

static int json_decode_unit(struct gim_state *state, const struct gim_unit *unit, gim_report_fn *report, void *user,
                            struct gim_error *error)
{
	(void)state;
	(void)report;
	(void)user;
	return no_unit(unit->name, unit->instance, error);
}

static int fail_damaged(const struct gim_document *document, struct gim_error *error)
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

/* Everything was read when the document was opened; now its records are shown. */
static int json_decode(struct gim_state *state, unsigned parts, gim_report_fn *report, void *user, struct gim_error *error)
{
	const struct gim_document *document = (const struct gim_document *)state->container;
	unsigned shown = 0;
	(void)report;
	(void)user;
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
	if (*document->damage)
		return fail_damaged(document, error);
	if (parts & GIM_PART_GIM && !(shown & GIM_PART_GIM))
		return gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN, "the document holds no guest interface");
	return 0;
}

static int json_verify(struct gim_input *input, const struct gim_verify_options *options, gim_report_fn *report, void *user,
                       struct gim_error *error)
{
	struct gim_arena arena = {.blocks = NULL};
	struct gim_document document;
	struct gim_error own = GIM_ERROR_INIT;
	(void)options;
	int result = read_input(input, &arena, &document, &own);
	if (!result && *document.damage)
		result = fail_damaged(&document, &own);
	if (result && own.rule)
		gim_report(report, user, own.rule, own.offset, NULL, *own.path ? own.path : NULL, "%s", own.text);
	gim_arena_free(&arena);
	return result && !own.rule ? gim_fail_as(error, &own) : 0;
}

const struct gim_format gim_format_json = {
    .name = "json",
    .title = "gimstate JSON",
    .bid = json_bid,
    .open = json_open,
    .close = json_close,
    .unit_next = json_unit_next,
    .unit_find = json_unit_find,
    .unit_read = json_unit_read,
    .decode = json_decode,
    .decode_unit = json_decode_unit,
    .verify = json_verify,
    .rules = gim_json_rules,
    .rule_count = GIM_JSON_RULES,
};
