/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Property: any bytes can be opened, listed, read and decoded, whole or in part; a failure has a code and a sentence, and what was decoded can be printed. */
#include "gimstate.h"

#include "fuzz.h"

#include <jansson.h>

/* A failure is explained, a success is not. */
static void check(int result, const struct gim_error *error)
{
	MUST(result >= 0 ? !error->code : error->code == result && *error->text && *gim_code_name(result));
}

static int count_bytes(void *user, const void *bytes, size_t size)
{
	uint64_t *count = user;
	volatile uint8_t last = size ? ((const uint8_t *)bytes)[size - 1] : 0;
	(void)last;
	*count += size;
	return 0;
}

static int print_leaf(void *user, const char *path, const struct gim_value *value)
{
	char text[64], meaning[64];
	(void)user;
	MUST(*path);
	MUST(value->field);
	(void)gim_value_text(value, text, sizeof(text));
	(void)gim_value_meaning(value, meaning, sizeof(meaning));
	MUST(strlen(text) < sizeof(text) && strlen(meaning) < sizeof(meaning));
	return 0;
}

static void print_all(const struct gim_state *state)
{
	struct gim_error error = GIM_ERROR_INIT;
	json_t *json = NULL;
	check(gim_state_visit(state, NULL, print_leaf, NULL, &error), &error);
	check(gim_state_json(state, NULL, &json, &error), &error);
	MUST(json);
	char *text = json_dumps(json, JSON_COMPACT);
	MUST(text);
	free(text);
	json_decref(json);
}

static struct gim_state *open_state(const uint8_t *bytes, size_t size)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	int result = gim_state_open_memory(bytes, size, &state, &error);
	check(result, &error);
	MUST(!result == !!state);
	return state;
}

/* Walk over the units, read each, and decode it alone in a state of its own. */
static void walk(const uint8_t *bytes, size_t size)
{
	struct gim_state *state = open_state(bytes, size), *other = open_state(bytes, size);
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_unit unit = {.name = ""};
	int result = 0;
	for (unsigned i = 0; i < 64 && state && other && (result = gim_unit_next(state, &unit, &error)) > 0; i++) {
		struct gim_error own = GIM_ERROR_INIT;
		uint64_t count = 0;
		int read = gim_unit_read(other, &unit, count_bytes, &count, &own);
		check(read, &own);
		own = (struct gim_error)GIM_ERROR_INIT;
		check(gim_state_decode_unit(other, &unit, NULL, NULL, &own), &own);
	}
	check(result, &error);
	if (other)
		print_all(other);
	gim_state_free(&state);
	gim_state_free(&other);
}

static void decode(const uint8_t *bytes, size_t size, unsigned parts)
{
	struct gim_state *state = open_state(bytes, size);
	struct gim_error error = GIM_ERROR_INIT;
	if (!state)
		return;
	check(gim_state_decode(state, parts, NULL, NULL, &error), &error);
	print_all(state);
	gim_state_free(&state);
}

FUZZ_STATES

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = fuzz_copy(bytes, size);
	for (unsigned round = 0; round < 2; round++) {
		decode(copy, size, GIM_PART_GIM | GIM_PART_GUEST | GIM_PART_INFO);
		decode(copy, size, GIM_PART_INFO);
		walk(copy, size);
		fuzz_reseal(copy, size);
	}
	free(copy);
	return 0;
}
