/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Property: any text can be opened as a document; one that is read gives the same document again, and its unit is taken by a state or refused with a reason. An
 * input is either a text, or edits of a sound document, so that it stays near to what is read whatever fields there are. */
#include "../made.h"
#include "../wrap.h"
#include "fuzz.h"

#include <jansson.h>

static void check(int result, const struct gim_error *error)
{
	MUST(result >= 0 ? !error->code : error->code == result && *error->text && *gim_code_name(result));
}

/* The document of what was decoded; the caller's. */
static char *text_of(const struct gim_state *state)
{
	json_t *json = NULL;
	MUST(!gim_state_json(state, NULL, &json, NULL) && !json_object_set_new(json, "gimstate", json_integer(1)));
	(void)json_object_del(json, "source");
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(json);
	MUST(text);
	return text;
}

/* A state of a made-up unit: the file's bytes are the caller's and outlive it. */
static struct gim_state *make_state(uint8_t choice, struct gim_buffer *file)
{
	const struct gim_provider *const *provider = gim_providers;
	struct gim_buffer payload = {.bytes = NULL};
	struct gim_state *state = NULL;
	uint64_t seed = 1 + choice;
	for (unsigned i = choice % 4; i && provider[1]; i--)
		provider++;
	const unsigned last = (*provider)->record ? (*provider)->layouts[0]->last : 0, vcpus = choice >> 6;
	const unsigned version = last ? 1 + (choice >> 2) % last : 0;
	MUST(made_payload(*provider, version, vcpus, &seed, &payload) && wrap_payload(vcpus, payload.bytes, payload.size, file));
	MUST(!gim_state_open_memory(file->bytes, file->size, &state, NULL));
	MUST(!gim_state_decode(state, GIM_PART_GIM, NULL, NULL, NULL));
	gim_buffer_free(&payload);
	return state;
}

/* Take away what stands at `at` up to where a value ends, when there is one. */
static size_t value_length(const char *text, size_t at)
{
	return text[at] == '"' ? strcspn(text + at + 1, "\"") + 2 : strcspn(text + at, ",]}");
}

/* Three bytes an edit: where, in 64ths of a kilobyte of the document and what is nearest there, and what is put there instead. */
static void edit(struct gim_buffer *text, const char *document, const uint8_t *bytes, size_t size)
{
	static const char *const values[] = {
	    "null",
	    "true",
	    "1",
	    "-1",
	    "256",
	    "4294967296",
	    "99999999999999999999",
	    "1.5",
	    "\"0x1\"",
	    "\"0xffffffffffffffff\"",
	    "[]",
	    "[[]]",
	    "{}",
	    "\"",
	    "\"\\u0000\"",
	    "\"\\u00ff\"",
	    "\"\\u0100\"",
	    "\"hyperv\"",
	    "[\"0x80000000\"]",
	    "[\"0x1\",\"0x2\"]",
	    "",
	    "\"x\"",
	    "[null]",
	    ",",
	    "\"a\":1",
	    "}",
	    "]",
	    "\"\\ud800\"",
	    "\xff",
	    "\"vbox-hyperv-2\"",
	};
	const size_t length = strlen(document);
	size_t done = 0;
	for (; size >= 3 && done < length; bytes += 3, size -= 3) {
		size_t at = done + ((size_t)bytes[0] << 4 | bytes[1] >> 4);
		at = at < length ? at : length;
		at += strcspn(document + at, bytes[1] & 8 ? ":" : bytes[1] & 4 ? "[" : "\"");
		at += at < length && bytes[1] & 12;
		gim_buffer_bytes(text, document + done, at - done);
		const char *value = values[bytes[2] % (sizeof(values) / sizeof(values[0]))];
		gim_buffer_bytes(text, value, strlen(value));
		done = at < length && !(bytes[1] & 2) ? at + value_length(document, at) : at;
		done = done < length ? done : length;
	}
	gim_buffer_bytes(text, document + done, length - done);
}

static void check_document(struct gim_state *document, struct gim_state *state)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *again = NULL;
	char *before = text_of(state);
	check(gim_state_decode(document, GIM_PART_GIM | GIM_PART_GUEST, NULL, NULL, &error), &error);
	char *text = text_of(document);
	if (document->object_count > 1) {
		MUST(!gim_state_open_memory(text, strlen(text), &again, NULL));
		(void)gim_state_decode(again, GIM_PART_GIM | GIM_PART_GUEST, NULL, NULL, NULL);
		char *second = text_of(again);
		MUST(!strcmp(text, second));
		free(second);
	}
	error = (struct gim_error)GIM_ERROR_INIT;
	const int result = gim_state_set_from(state, document, true, &error);
	check(result, &error);
	char *after = text_of(state);
	if (result) {
		MUST(!strcmp(before, after));
	} else {
		/* What is taken can be written, and what is written is sound. */
		const struct gim_write_options how = {.gim_only = true};
		struct gim_buffer file = {.bytes = NULL};
		MUST(!gim_state_write(state, &how, wrap_collect, &file, NULL));
		MUST(!gim_verify_memory(file.bytes, file.size, NULL, NULL, NULL, NULL));
		gim_buffer_free(&file);
	}
	gim_state_free(&again);
	free(after);
	free(text);
	free(before);
}

/* Not changed, a document is written as it is. */
static void check_copy(struct gim_state *document, const uint8_t *bytes, size_t size)
{
	struct gim_buffer copy = {.bytes = NULL};
	MUST(!gim_state_write(document, NULL, wrap_collect, &copy, NULL));
	MUST(copy.size == size && !memcmp(copy.bytes, bytes, size));
	gim_buffer_free(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct gim_buffer file = {.bytes = NULL}, text = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *document = NULL;
	struct gim_state *state = make_state(size ? bytes[0] : 0, &file);
	if (size && bytes[0] != '{') {
		char *sound = text_of(state);
		edit(&text, sound, bytes + 1, size - 1);
		free(sound);
	} else {
		gim_buffer_bytes(&text, bytes, size);
	}
	uint8_t *exact = fuzz_copy(text.bytes, text.size);
	const int result = gim_state_open_memory(exact, text.size, &document, &error);
	check(result, &error);
	if (!result && !strcmp(document->format->name, "json")) {
		check_document(document, state);
		check_copy(document, exact, text.size);
	}
	gim_state_free(&document);
	gim_state_free(&state);
	gim_buffer_free(&file);
	gim_buffer_free(&text);
	free(exact);
	return 0;
}
