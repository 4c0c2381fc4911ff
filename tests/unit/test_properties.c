/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Properties of random units, over every provider, every version of its layout, and 0 to 1024 vCPUs. GIMSTATE_SEED=N gives others; a failure names the seed. */
#include "../made.h"
#include "../sparse.h"
#include "../wrap.h"

#include <inttypes.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* One random unit, and what is said of it when a property does not hold. */
struct unit {
	const struct gim_provider *provider;
	uint32_t version;
	unsigned vcpus;
	struct gim_buffer payload, file;
};

static uint64_t first_seed;
static char about[160];

/* cmocka's own messages do not say which unit it was. */
#define HOLDS(condition)                                                                                                                   \
	do {                                                                                                                               \
		if (!(condition))                                                                                                          \
			fail_msg("%s: broken: %s", about, #condition);                                                                     \
	} while (0)

static struct gim_state *open_bytes(const struct gim_buffer *bytes)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_open_memory(bytes->bytes, bytes->size, &state, &error) || gim_state_decode(state, GIM_PART_GIM, NULL, NULL, &error))
		fail_msg("%s: %s: %s", about, error.path, error.text);
	return state;
}

static struct gim_buffer write_state(struct gim_state *state)
{
	struct gim_buffer file = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_write(state, NULL, wrap_collect, &file, &error))
		fail_msg("%s: %s: %s", about, error.path, error.text);
	return file;
}

static bool same_bytes(const struct gim_buffer *a, const struct gim_buffer *b)
{
	return a->size == b->size && (!a->size || !memcmp(a->bytes, b->bytes, a->size));
}

/*
 * Each test is run on units of all providers, versions and numbers of vCPUs.
 */
static void with_unit(const struct gim_provider *provider, uint32_t version, unsigned vcpus, uint64_t *seed,
                      void (*test)(const struct unit *))
{
	struct unit unit = {.provider = provider, .version = version, .vcpus = vcpus};
	(void)snprintf(about, sizeof(about), "GIMSTATE_SEED=%" PRIu64 ", %s %u, %u vCPUs", first_seed, provider->name, version, vcpus);
	HOLDS(made_payload(provider, version, vcpus, seed, &unit.payload));
	HOLDS(wrap_payload(vcpus, unit.payload.bytes, unit.payload.size, &unit.file));
	test(&unit);
	gim_buffer_free(&unit.payload);
	gim_buffer_free(&unit.file);
}

static void with_all_units(void (*test)(const struct unit *))
{
	const bool some = sparse() > 1;
	const unsigned most = some ? 100 : 1024, others = some ? 1 : 4, counts[] = {0, 1, 2, 3, some ? 8 : 64, most};
	uint64_t seed = first_seed;
	for (const struct gim_provider *const *each = gim_providers; *each; each++) {
		const struct gim_layout *layout = (*each)->record ? (*each)->layouts[0] : NULL;
		for (uint32_t version = layout ? layout->first : 0; version <= (layout ? layout->last : 0u); version++) {
			for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
				with_unit(*each, version, counts[i], &seed, test);
			for (unsigned i = 0; i < others; i++)
				with_unit(*each, version, (unsigned)(made_number(&seed) % (most + 1)) >> (2 + i), &seed, test);
		}
	}
}

/*
 * Decoding and encoding.
 */
static void check_coding(const struct unit *unit)
{
	struct gim_buffer again = {.bytes = NULL};
	struct gim_state *state = open_bytes(&unit->file);
	HOLDS(!gim_unit_encode(state, &state->codec, &again, NULL) && same_bytes(&unit->payload, &again));
	struct gim_buffer file = write_state(state);
	HOLDS(same_bytes(&unit->file, &file));
	gim_buffer_free(&again);
	gim_buffer_free(&file);
	gim_state_free(&state);
}

/*
 * JSON.
 */
static char *text_of(const struct gim_state *state)
{
	json_t *json = NULL;
	HOLDS(!gim_state_json(state, NULL, &json, NULL) && !json_object_set_new(json, "gimstate", json_integer(1)));
	(void)json_object_del(json, "source");
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(json);
	HOLDS(text);
	return text;
}

static void check_json(const struct unit *unit)
{
	struct gim_buffer again = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = open_bytes(&unit->file);
	char *text = text_of(state);
	const struct gim_buffer bytes = {.bytes = (uint8_t *)text, .size = strlen(text)};
	struct gim_state *document = open_bytes(&bytes);
	char *second = text_of(document);
	HOLDS(!strcmp(text, second));
	HOLDS(!gim_unit_encode(document, &document->codec, &again, NULL) && same_bytes(&unit->payload, &again));
	if (gim_state_set_from(state, document, false, &error))
		fail_msg("%s: %s: %s", about, error.path, error.text);
	struct gim_buffer file = write_state(state);
	HOLDS(same_bytes(&unit->file, &file));
	gim_buffer_free(&again);
	gim_buffer_free(&file);
	gim_state_free(&document);
	gim_state_free(&state);
	free(second);
	free(text);
}

/*
 * Converting. What each conversion says is kept by path: the name of the rule.
 */
static void hear(void *user, const struct gim_finding *finding)
{
	HOLDS(!json_object_get((json_t *)user, finding->path));
	HOLDS(!json_object_set_new((json_t *)user, finding->path, json_string(finding->rule->id)));
}

static bool heard(const json_t *said, const char *path, const char *rule)
{
	const char *text = json_string_value(json_object_get(said, path));
	return text && !strcmp(text, rule);
}

struct comparison {
	const struct gim_state *other;
	const json_t *said;
	unsigned lost;
};

static bool same_value(const struct gim_value *a, const struct gim_value *b)
{
	if (a->presence != b->presence || a->presence == GIM_ABSENT)
		return a->presence == b->presence;
	if (a->kind == GIM_VALUE_NUMBER)
		return a->number == b->number;
	return a->length_bytes == b->length_bytes && (!a->length_bytes || !memcmp(a->bytes, b->bytes, a->length_bytes));
}

/* A leaf before, which one conversion may have made absent: it says so, and by its value, in what words. */
static int check_leaf_down(void *user, const char *path, const struct gim_value *value)
{
	struct comparison *comparison = (struct comparison *)user;
	const struct gim_value after = gim_state_value(comparison->other, path);
	const bool is_default = value->kind == GIM_VALUE_NUMBER ? value->number == value->field->reset : !value->length_bytes;
	if (!strcmp(path, "gim.layout") || value->presence == GIM_ABSENT || !strncmp(path, "source.", 7))
		return 0;
	if (after.presence == GIM_ABSENT)
		HOLDS(heard(comparison->said, path, is_default ? "CONVERT-DROPPED" : "CONVERT-LOST"));
	else
		HOLDS(same_value(value, &after));
	comparison->lost += heard(comparison->said, path, "CONVERT-LOST");
	return 0;
}

/* A leaf after: it was there before, or it is filled with its default and that is said. */
static int check_leaf_up(void *user, const char *path, const struct gim_value *value)
{
	const struct comparison *comparison = (const struct comparison *)user;
	const bool is_default = value->kind == GIM_VALUE_NUMBER ? value->number == value->field->reset : !value->length_bytes;
	if (value->presence == GIM_ABSENT || gim_state_value(comparison->other, path).presence != GIM_ABSENT)
		return 0;
	HOLDS(heard(comparison->said, path, "CONVERT-FILLED") && is_default);
	return 0;
}

/* A leaf before the way down and up: where it differs now, the way down lost it. */
static int check_leaf_back(void *user, const char *path, const struct gim_value *value)
{
	const struct comparison *comparison = (const struct comparison *)user;
	const struct gim_value after = gim_state_value(comparison->other, path);
	HOLDS(same_value(value, &after) || heard(comparison->said, path, "CONVERT-LOST"));
	return 0;
}

static struct gim_buffer convert(struct gim_state *state, const struct unit *unit, uint32_t version, json_t *said, int *result)
{
	struct gim_error error = GIM_ERROR_INIT;
	char layout[64];
	(void)snprintf(layout, sizeof(layout), "%s-%u", unit->provider->layouts[0]->name, version);
	*result = gim_state_convert(state, layout, hear, said, &error);
	if (*result < 0)
		fail_msg("%s to version %u: %s: %s", about, version, error.path, error.text);
	return write_state(state);
}

static void check_there_and_back(const struct unit *unit, uint32_t version)
{
	json_t *said = json_object(), *said_back = json_object(), *said_again = json_object();
	int lost, lost_back, lost_again;
	struct gim_state *before = open_bytes(&unit->file), *state = open_bytes(&unit->file);
	struct gim_buffer there = convert(state, unit, version, said, &lost);
	gim_state_free(&state);
	struct gim_state *after = open_bytes(&there);
	struct comparison down = {.other = after, .said = said}, up = {.other = before, .said = said};
	HOLDS(!gim_state_visit(before, NULL, check_leaf_down, &down, NULL));
	HOLDS(!gim_state_visit(after, NULL, check_leaf_up, &up, NULL));
	HOLDS(lost == (down.lost > 0));

	state = open_bytes(&there);
	struct gim_buffer again = convert(state, unit, version, said_again, &lost_again);
	HOLDS(!lost_again && !json_object_size(said_again) && same_bytes(&there, &again));
	gim_buffer_free(&again);

	struct gim_buffer back = convert(state, unit, unit->version, said_back, &lost_back);
	gim_state_free(&state);
	state = open_bytes(&back);
	const struct comparison round = {.other = state, .said = said};
	HOLDS(!lost_back);
	HOLDS(!gim_state_visit(before, "gim", check_leaf_back, (void *)(uintptr_t)&round, NULL));
	HOLDS(!gim_state_visit(before, unit->provider->record->name, check_leaf_back, (void *)(uintptr_t)&round, NULL));
	/* The records around the payload may be others than the writer's. */
	struct gim_buffer payload = {.bytes = NULL};
	HOLDS(!gim_unit_encode(state, &state->codec, &payload, NULL));
	HOLDS(lost || same_bytes(&unit->payload, &payload));
	gim_buffer_free(&payload);
	gim_buffer_free(&back);
	gim_buffer_free(&there);
	gim_state_free(&state);
	gim_state_free(&after);
	gim_state_free(&before);
	json_decref(said);
	json_decref(said_back);
	json_decref(said_again);
}

/* Does this version hold something of each vCPU? */
static bool counts_vcpus(const struct gim_layout *layout, uint32_t version)
{
	for (const struct gim_row *row = layout->frames[0].rows; row->op != GIM_ROW_END; row++)
		if (row->op == GIM_ROW_EACH)
			return version >= row->since;
	return false;
}

/* Nothing says how many vCPUs there are, so that the unit cannot be made; and stays what it was. */
static void check_unknown_vcpus(const struct unit *unit, const char *layout)
{
	struct gim_state *state = open_bytes(&unit->file);
	HOLDS(gim_state_convert(state, layout, NULL, NULL, NULL) == GIM_E_VALUE);
	struct gim_buffer same = write_state(state);
	HOLDS(same_bytes(&unit->file, &same));
	gim_buffer_free(&same);
	gim_state_free(&state);
}

static void check_converting(const struct unit *unit)
{
	const struct gim_layout *layout = unit->provider->record ? unit->provider->layouts[0] : NULL;
	for (uint32_t version = layout ? layout->first : 1; version <= (layout ? layout->last : 0u); version++) {
		char name[64];
		/* Of many vCPUs one conversion says as much as all. */
		if (unit->vcpus > 64 && version != unit->version % layout->last + 1)
			continue;
		(void)snprintf(name, sizeof(name), "%s-%u", layout->name, version);
		if (unit->vcpus || counts_vcpus(layout, version) == counts_vcpus(layout, unit->version))
			check_there_and_back(unit, version);
		else if (counts_vcpus(layout, version))
			check_unknown_vcpus(unit, name);
	}
}

static void coding_is_stable(void **unused)
{
	(void)unused;
	with_all_units(check_coding);
}

static void json_is_lossless(void **unused)
{
	(void)unused;
	with_all_units(check_json);
}

static void conversions_say_what_is_lost(void **unused)
{
	(void)unused;
	with_all_units(check_converting);
}

int main(void)
{
	const char *seed = getenv("GIMSTATE_SEED");
	first_seed = seed ? strtoull(seed, NULL, 0) : 0;
	first_seed = first_seed ? first_seed : 1;
	print_message("GIMSTATE_SEED=%" PRIu64 "\n", first_seed);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(coding_is_stable),
	    cmocka_unit_test(json_is_lossless),
	    cmocka_unit_test(conversions_say_what_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
