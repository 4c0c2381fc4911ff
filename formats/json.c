/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON documents as a container format: a state that dump --json printed, or another program wrote, with records and no units. */
#include "json.h"
#include "error.h"

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

/* What is open: the document, and its text, which is what is written as long as nothing is changed. */
struct json_container {
	struct gim_document document;
	struct gim_buffer text;
};

static struct json_container *container_of(const struct gim_state *state)
{
	return (struct json_container *)state->container;
}

static int read_container(struct gim_input *input, struct gim_arena *arena, struct json_container *container, struct gim_error *error)
{
	int result = read_text(input, &container->text, error);
	return result ? result
	              : gim_json_read(arena, NULL, (const char *)container->text.bytes, container->text.size, &container->document, error);
}

/* Our documents begin with their version. There are others than states: reports, profiles. */
static int json_probe(struct gim_input *input, struct gim_error *error)
{
	uint8_t head[GIM_BID_BYTES + 1];
	struct gim_arena arena = {.blocks = NULL};
	struct json_container container = {.text = {.bytes = NULL}};
	size_t size;
	int result = gim_input_peek(input, head, GIM_BID_BYTES, &size, error);
	if (result)
		return result;
	head[size] = '\0';
	const char *at = (const char *)head + strspn((const char *)head, "{ \t\r\n");
	if (strncmp(at, "\"gimstate\"", strlen("\"gimstate\"")) != 0)
		return 0;
	result = read_container(input, &arena, &container, error);
	gim_arena_free(&arena);
	gim_buffer_free(&container.text);
	return result ? result : 1;
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
	state->container = gim_arena_alloc(&state->arena, sizeof(struct json_container));
	if (!state->container)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	state->fields_only = true;
	int result = read_container(&state->input, &state->arena, container_of(state), error);
	return result ? result : store_source(state, error);
}

static void json_close(struct gim_state *state)
{
	if (state->container)
		gim_buffer_free(&container_of(state)->text);
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

/* Everything was read when the document was opened; now its records are shown. */
static int json_decode(struct gim_state *state, unsigned parts, gim_report_fn *report, void *user, struct gim_error *error)
{
	const struct gim_document *document = &container_of(state)->document;
	const unsigned shown = gim_document_show(state, document, parts);
	(void)report;
	(void)user;
	state->gim_whole |= shown & GIM_PART_GIM && !*document->damage;
	if (*document->damage)
		return gim_document_damaged(document, error);
	if (parts & GIM_PART_GIM && !(shown & GIM_PART_GIM))
		return gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN, "the document holds no guest interface");
	return 0;
}

/* Does the state differ from what its text says? 1: it does, 0: it does not, or negative. */
static int differs_from_text(const struct gim_state *state, struct gim_error *error)
{
	static const struct gim_diff_options options = {.exact = true};
	const struct gim_buffer *text = &container_of(state)->text;
	struct gim_state again = {.format = state->format};
	struct gim_document document;
	int result = gim_json_read(&again.arena, NULL, (const char *)text->bytes, text->size, &document, error);
	for (size_t i = 0; !result && i < document.count; i++)
		(void)gim_state_attach(&again, &document.objects[i]);
	if (!result) {
		(void)gim_state_attach(&again, gim_state_find(state, &source_record));
		result = gim_state_diff(state, &again, &options, NULL, NULL, NULL, error);
	}
	gim_arena_free(&again.arena);
	return result;
}

static int json_write(struct gim_state *state, const struct gim_changes *changes, const struct gim_write_options *options,
                      gim_sink_fn *sink, void *user, struct gim_error *error)
{
	(void)changes;
	if (options->container)
		return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN,
		                "a JSON document is no container of units: only the layout of its fields can be converted");
	/* All records are written; what cannot be shown of them cannot have been changed either. */
	(void)gim_state_decode(state, GIM_PART_GIM | GIM_PART_GUEST, NULL, NULL, NULL);
	const int result = state->container ? differs_from_text(state, error) : 1;
	if (result < 0 || !sink)
		return result < 0 ? result : 0;
	if (result)
		return gim_json_print(state, NULL, sink, user, error);
	const struct gim_buffer *text = &container_of(state)->text;
	return sink(user, text->bytes, text->size) ? gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "the document was not taken") : 0;
}

static int json_verify(struct gim_input *input, const struct gim_verify_options *options, gim_report_fn *report, void *user,
                       struct gim_error *error)
{
	struct gim_arena arena = {.blocks = NULL};
	struct json_container container = {.text = {.bytes = NULL}};
	struct gim_error own = GIM_ERROR_INIT;
	(void)options;
	int result = read_container(input, &arena, &container, &own);
	if (!result && *container.document.damage)
		result = gim_document_damaged(&container.document, &own);
	if (result && own.rule)
		gim_report(report, user, own.rule, own.offset, NULL, *own.path ? own.path : NULL, "%s", own.text);
	gim_arena_free(&arena);
	gim_buffer_free(&container.text);
	return result && !own.rule ? gim_fail_as(error, &own) : 0;
}

const struct gim_format gim_format_json = {
    .name = "json",
    .title = "gimstate JSON",
    .bid = json_bid,
    .probe = json_probe,
    .open = json_open,
    .close = json_close,
    .unit_next = json_unit_next,
    .unit_find = json_unit_find,
    .unit_read = json_unit_read,
    .decode = json_decode,
    .decode_unit = json_decode_unit,
    .write = json_write,
    .verify = json_verify,
    .rules = gim_json_rules,
    .rule_count = GIM_JSON_RULES,
};
