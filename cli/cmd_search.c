/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate search: where in guest memory a text, bytes or a number stand; all processors look, and places come in the order of addresses. */
#include "command.h"
#include "guest_memory.h"
#include "output.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PATTERN_MAX = 4096, CONTEXT = 16 };

struct pattern {
	uint8_t bytes[PATTERN_MAX];
	size_t size, step; /* step: a place is a multiple of it */
};

struct searching {
	struct pattern pattern;
	struct guest_memory memory;
	const struct options *options;
	uint64_t found, most;
	json_t *places;
	struct gim_error failure; /* a place could not be read */
};

/*
 * The pattern.
 */
static int text_pattern(struct pattern *pattern, const char *text)
{
	pattern->size = strlen(text);
	if (pattern->size > PATTERN_MAX)
		return -1;
	memcpy(pattern->bytes, text, pattern->size);
	return 0;
}

/* As Windows keeps texts: two bytes each, of characters below U+0080. */
static int utf16_pattern(struct pattern *pattern, const char *text)
{
	for (; *text; text++) {
		if (pattern->size + 2 > PATTERN_MAX || *text & 0x80)
			return -1;
		pattern->bytes[pattern->size++] = (uint8_t)*text;
		pattern->bytes[pattern->size++] = 0;
	}
	return 0;
}

static int hex_pattern(struct pattern *pattern, const char *text)
{
	unsigned digits = 0;
	if (text[0] == '0' && (text[1] | 0x20) == 'x')
		text += 2;
	for (; *text; text++) {
		if (*text == ' ' && digits % 2 == 0)
			continue;
		if (!isxdigit((unsigned char)*text) || pattern->size + !(digits % 2) > PATTERN_MAX)
			return -1;
		const unsigned value = isdigit((unsigned char)*text) ? (unsigned)(*text - '0') : (unsigned)((*text | 0x20) - 'a' + 10);
		if (digits++ % 2)
			pattern->bytes[pattern->size - 1] = (uint8_t)((unsigned)pattern->bytes[pattern->size - 1] << 4 | value);
		else
			pattern->bytes[pattern->size++] = (uint8_t)value;
	}
	return digits % 2 ? -1 : 0;
}

static int number_pattern(struct pattern *pattern, const char *text, size_t width)
{
	uint64_t number;
	if (!memory_number(text, &number) || (width < 8 && number >> 8 * width))
		return -1;
	for (size_t i = 0; i < width; i++)
		pattern->bytes[i] = (uint8_t)(number >> 8 * i);
	pattern->size = pattern->step = width;
	return 0;
}

static int u32_pattern(struct pattern *pattern, const char *text)
{
	return number_pattern(pattern, text, 4);
}

static int u64_pattern(struct pattern *pattern, const char *text)
{
	return number_pattern(pattern, text, 8);
}

static const struct {
	const char *name;
	int (*read)(struct pattern *pattern, const char *text);
	const char *expected;
} forms[] = {
    {"text", text_pattern, "a text of 1 to 4096 bytes"},
    {"utf16", utf16_pattern, "a text of 1 to 2048 ASCII characters"},
    {"hex", hex_pattern, "1 to 4096 bytes, two hexadecimal digits each"},
    {"u32", u32_pattern, "a number below 4294967296"},
    {"u64", u64_pattern, "a number"},
};

static int read_pattern(struct pattern *pattern, const struct options *options, const char *text)
{
	const char *as = options->as ? options->as : "text";
	pattern->step = 1;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (!strcmp(as, forms[i].name)) {
			if (!forms[i].read(pattern, text) && pattern->size)
				return 0;
			return usage_error(command_find("search"), options->json, "\"%s\" is no pattern: expected is %s", text,
			                   forms[i].expected);
		}
	return usage_error(command_find("search"), options->json, "--as %s: text, utf16, hex, u32 and u64 can be searched", as);
}

/*
 * Looking.
 */
struct places {
	size_t count, room;
	uint64_t items[];
};

static struct places *add_place(struct places *places, uint64_t gpa)
{
	if (!places || places->count == places->room) {
		const size_t room = places ? 2 * places->room : 64;
		struct places *grown = realloc(places, sizeof(*grown) + room * sizeof(grown->items[0]));
		if (!grown) {
			free(places);
			return NULL;
		}
		if (!places)
			grown->count = 0;
		grown->room = room;
		places = grown;
	}
	places->items[places->count++] = gpa;
	return places;
}

/* In a thread of its own. */
static int look(void *user, const struct gim_memory_chunk *chunk, void **kept, struct gim_error *error)
{
	const struct searching *searching = (const struct searching *)user;
	const struct pattern *pattern = &searching->pattern;
	const uint8_t *const end = chunk->bytes + chunk->size_bytes + chunk->more_bytes, *at = chunk->bytes;
	struct places *places = NULL;
	while ((at = memmem(at, (size_t)(end - at), pattern->bytes, pattern->size)) && at < chunk->bytes + chunk->size_bytes) {
		const uint64_t gpa = chunk->gpa + (uint64_t)(at - chunk->bytes);
		if (gpa % pattern->step == 0 && !(places = add_place(places, gpa)))
			return error_set(error, GIM_E_MEMORY, "out of memory");
		at++;
	}
	*kept = places;
	return 0;
}

static void put_place(struct searching *searching, uint64_t gpa)
{
	uint8_t bytes[CONTEXT];
	char text[32];
	size_t size = CONTEXT;
	if (searching->options->json) {
		(void)snprintf(text, sizeof(text), "0x%" PRIx64, gpa);
		(void)json_array_append_new(searching->places, json_string(text));
		return;
	}
	struct gim_error error = GIM_ERROR_INIT;
	while (size && guest_memory_read(&searching->memory, gpa, bytes, size, &error) && error.code > GIM_E_IO) {
		error.code = GIM_OK;
		size--;
	}
	if (error.code) {
		searching->failure = error;
		return;
	}
	struct hex hex = {.offset = gpa};
	(void)hex_put(&hex, bytes, size);
	hex_end(&hex);
}

static int take_places(void *user, const struct gim_memory_chunk *chunk, void *kept)
{
	struct searching *searching = (struct searching *)user;
	struct places *places = (struct places *)kept;
	(void)chunk;
	if (places && searching->found < searching->most)
		progress_clear(&searching->memory.progress);
	for (size_t i = 0; places && i < places->count && searching->found < searching->most; i++, searching->found++)
		put_place(searching, places->items[i]);
	free(places);
	return searching->found == searching->most || searching->failure.code;
}

static void drop(void *user, void *kept)
{
	(void)user;
	free(kept);
}

static int search(struct searching *searching, const char *file, uint64_t from, uint64_t to, struct gim_error *error)
{
	int result = guest_memory_open(&searching->memory, file, searching->options->index, error);
	if (!result && searching->memory.machine)
		result = error_set(error, GIM_E_UNSUPPORTED, "search looks through a file's memory: stop the machine first");
	const struct gim_memory_walk walk = {.gpa = from,
	                                     .end = to,
	                                     .more_bytes = searching->pattern.size - 1,
	                                     .skip_zeros = searching->pattern.bytes[0], /* so none begins in zeros */
	                                     .look = look,
	                                     .done = take_places,
	                                     .drop = drop,
	                                     .user = searching,
	                                     .progress = progress_step,
	                                     .progress_user = &searching->memory.progress};
	if (!result)
		result = gim_memory_walk(searching->memory.memory, &walk, error);
	progress_clear(&searching->memory.progress);
	if (searching->failure.code)
		return *error = searching->failure, error->code;
	return result == GIM_E_STOPPED && searching->found == searching->most ? 0 : result;
}

int run_search(const struct options *options, int count, char **operands)
{
	struct searching searching = {.options = options, .most = UINT64_MAX};
	struct gim_error error = GIM_ERROR_INIT;
	uint64_t from = 0, to = 0;
	(void)count;
	const struct {
		const char *name, *text;
		uint64_t *number;
	} numbers[] = {{"from", options->from, &from}, {"to", options->to, &to}, {"max", options->max, &searching.most}};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].text && !memory_number(numbers[i].text, numbers[i].number))
			return usage_error(command_find("search"), options->json, "--%s takes a number, not %s", numbers[i].name,
			                   numbers[i].text);
	if (!searching.most)
		return usage_error(command_find("search"), options->json, "--max takes the number of places, 1 or more");
	if (options->to && to <= from)
		return usage_error(command_find("search"), options->json, "there is nothing from %s to %s: --to is an address after --from",
		                   options->from ? options->from : "0", options->to);
	int status = read_pattern(&searching.pattern, options, operands[1]);
	if (status)
		return status;
	searching.places = json_array();
	if (search(&searching, operands[0], from, to, &error)) {
		status = memory_failed(&searching.memory, operands[0], &error, options->json);
	} else {
		if (options->json)
			output_document(json_pack("{s:o, s:o, s:O}", "file", json_text(operands[0]), "found", size_json(searching.found),
			                          "places", searching.places),
			                false);
		status = searching.found ? EXIT_YES : EXIT_NO;
	}
	json_decref(searching.places);
	guest_memory_free(&searching.memory);
	return status;
}
