/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate diff: two states side by side. */
#include "command.h"
#include "output.h"
#include "path.h"
#include "source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct comparison {
	const struct options *options;
	json_t *differences; /* NULL: print as text */
	struct gim_diff_counts counts;
	bool differs;
};

/* Columns for paths and values; what is longer pushes the rest of its line. */
enum { PATH_WIDTH = 32, VALUE_WIDTH = 34 };

/* How many columns text takes on a terminal: bytes that continue a UTF-8 character take none. */
static int columns(const char *text)
{
	int count = 0;
	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static void put_column(const char *text, int width, enum style style)
{
	put_styled(stdout, style, text);
	printf("%*s", columns(text) < width ? width - columns(text) : 0, "");
}

/* "path  a mark b", and below it, where they say something, what a and b mean. */
static void put_row(const char *path, const char *a, const char *mark, const char *b, enum style style)
{
	put_column(path, PATH_WIDTH, STYLE_NONE);
	putchar(' ');
	put_column(a, VALUE_WIDTH, STYLE_NONE);
	putchar(' ');
	put_styled(stdout, style, mark);
	if (*b) {
		putchar(' ');
		put_safe(stdout, b);
	}
	putchar('\n');
}

static void put_meanings(const char *a, const char *b)
{
	printf("%*s ", PATH_WIDTH, "");
	if (*b) {
		put_column(a, VALUE_WIDTH, STYLE_DIM);
		fputs("   ", stdout);
		put_styled(stdout, STYLE_DIM, b);
	} else {
		put_styled(stdout, STYLE_DIM, a);
	}
	putchar('\n');
}

/* As the columns of sdiff have them: | both and other, < only the first, > only the second; ~ is no difference. */
static const char *mark_of(const struct gim_difference *difference)
{
	if (!difference->counts)
		return "~";
	return difference->kind == GIM_DIFF_ONLY_A ? "<" : difference->kind == GIM_DIFF_ONLY_B ? ">" : "|";
}

/* What stands in the columns where a whole item, list or record differs. */
static void whole(const struct gim_difference *difference, bool is_b, char *text, size_t size)
{
	const bool here = difference->kind == (is_b ? GIM_DIFF_ONLY_B : GIM_DIFF_ONLY_A);
	const char *what = difference->kind == GIM_DIFF_ORDER     ? "in another order"
	                   : difference->kind == GIM_DIFF_APART   ? "only one state says something of it"
	                   : difference->kind == GIM_DIFF_DEFAULT ? "only one state has it, at its defaults"
	                   : here                                 ? "there"
	                                                          : "";
	(void)snprintf(text, size, "%s", is_b && !here ? "" : what);
}

static void put_difference(const struct gim_difference *difference)
{
	const struct gim_value *values[] = {difference->a, difference->b};
	char *texts[2], *meanings[2], place[512];
	(void)snprintf(place, sizeof(place), "%s%s%s%s", difference->path, *difference->key ? " (" : "", difference->key,
	               *difference->key ? ")" : "");
	for (int i = 0; i < 2; i++) {
		char text[64];
		whole(difference, i, text, sizeof(text));
		texts[i] = values[i] ? value_text(values[i]) : strdup(text);
		meanings[i] = values[i] ? value_meaning(values[i]) : strdup("");
	}
	if (!texts[0] || !texts[1] || !meanings[0] || !meanings[1]) {
		output_no_memory();
	} else {
		put_row(place, texts[0], mark_of(difference), texts[1], difference->counts ? STYLE_WARNING : STYLE_DIM);
		if (*meanings[0] || *meanings[1])
			put_meanings(meanings[0], meanings[1]);
	}
	for (int i = 0; i < 2; i++) {
		free(texts[i]);
		free(meanings[i]);
	}
}

static json_t *difference_json(const struct gim_difference *difference)
{
	json_t *json = json_pack("{s:s, s:s, s:b}", "path", difference->path, "kind", gim_difference_name(difference->kind), "counts",
	                         difference->counts);
	if (*difference->key)
		(void)json_object_set_new(json, "key", json_text(difference->key));
	if (difference->a && difference->b) {
		(void)json_object_set_new(json, "a", gim_value_json(difference->a));
		(void)json_object_set_new(json, "b", gim_value_json(difference->b));
	}
	return json;
}

static int take(void *user, const struct gim_difference *difference)
{
	struct comparison *comparison = (struct comparison *)user;
	if (!difference->counts && !comparison->options->all)
		return 0;
	if (comparison->differences)
		return json_array_append_new(comparison->differences, difference_json(difference)) ? GIM_E_MEMORY : 0;
	put_difference(difference);
	return ferror(stdout) ? GIM_E_STOPPED : 0;
}

static void add_counts(struct comparison *comparison, const struct gim_diff_counts *counts)
{
	for (int kind = 0; kind < GIM_DIFF_KINDS; kind++)
		comparison->counts.of[kind] += counts->of[kind];
}

static void put_summary(const struct comparison *comparison)
{
	static const struct {
		enum gim_difference_kind kind;
		const char *one, *many;
	} told[] = {
	    {GIM_DIFF_CLOCK, "clock that went on", "clocks that went on"},
	    {GIM_DIFF_DEFAULT, "default that one state cannot hold", "defaults that one state cannot hold"},
	    {GIM_DIFF_FORM, "field of how the states are written", "fields of how the states are written"},
	    {GIM_DIFF_ORDER, "list in another order", "lists in another order"},
	    {GIM_DIFF_APART, "record of which one state says nothing", "records of which one state says nothing"},
	};
	uint64_t counted = 0;
	for (int kind = 0; kind < (comparison->options->exact ? GIM_DIFF_KINDS : GIM_DIFF_BACK + 1); kind++)
		counted += comparison->counts.of[kind];
	if (counted)
		printf("%" PRIu64 " difference%s", counted, counted == 1 ? "" : "s");
	else
		fputs("the same", stdout);
	const char *before = "; not counted: ";
	for (size_t i = 0; !comparison->options->exact && i < sizeof(told) / sizeof(told[0]); i++) {
		const uint64_t count = comparison->counts.of[told[i].kind];
		if (!count)
			continue;
		printf("%s%" PRIu64 " %s", before, count, count == 1 ? told[i].one : told[i].many);
		before = ", ";
	}
	putchar('\n');
}

static json_t *document(struct comparison *comparison, char **files)
{
	json_t *body = json_object(), *counts = json_object();
	(void)json_object_set_new(body, "a", json_text(files[0]));
	(void)json_object_set_new(body, "b", json_text(files[1]));
	(void)json_object_set_new(body, "same", json_boolean(!comparison->differs));
	for (int kind = 0; kind < GIM_DIFF_KINDS; kind++)
		(void)json_object_set_new(counts, gim_difference_name((enum gim_difference_kind)kind),
		                          json_integer((json_int_t)comparison->counts.of[kind]));
	(void)json_object_set_new(body, "counts", counts);
	(void)json_object_set_new(body, "differences", comparison->differences);
	comparison->differences = NULL;
	return body;
}

/* Open and decode what the paths need, or all. A state without a guest interface can be compared too. */
static int read_state(const char *file, int count, char **paths, struct gim_state **state, struct gim_error *error)
{
	int result = source_open_paths(file, count, paths, state, error);
	unsigned parts = count ? 0 : GIM_PART_GIM | GIM_PART_GUEST | GIM_PART_INFO;
	for (int i = 0; !result && i < count; i++) {
		const unsigned own = gim_state_parts(*state, paths[i]);
		if (!own)
			return gim_field_missing(paths[i], error);
		parts |= own;
	}
	if (!result)
		result = gim_state_decode(*state, parts, NULL, NULL, error);
	if (result == GIM_E_NO_UNIT) {
		*error = (struct gim_error)GIM_ERROR_INIT;
		result = 0;
	}
	return result;
}

/* The paths one by one, or all at once. A path beyond the end of a list in both states is one where nothing differs. */
static int compare(struct comparison *comparison, struct gim_state *const states[2], int count, char **paths, struct gim_error *error)
{
	int result = 0;
	for (int i = 0; result >= 0 && i < (count ? count : 1); i++) {
		const struct gim_diff_options how = {.path = count ? paths[i] : NULL, .exact = comparison->options->exact};
		struct gim_diff_counts counts = {.steps = 0};
		struct gim_error own = GIM_ERROR_INIT;
		result = gim_state_diff(states[0], states[1], &how, take, comparison, &counts, &own);
		if (result == GIM_E_PATH && path_exists(how.path))
			result = 0;
		else if (result < 0)
			*error = own;
		comparison->differs |= result == 1;
		add_counts(comparison, &counts);
	}
	return result < 0 ? result : 0;
}

int run_diff(const struct options *options, int count, char **operands)
{
	struct gim_state *states[2] = {NULL, NULL};
	struct gim_error error = GIM_ERROR_INIT;
	struct comparison comparison = {.options = options, .differences = options->json ? json_array() : NULL};
	const char *file = NULL;
	int result = 0;
	for (int i = 0; !result && i < 2; i++) {
		file = operands[i];
		result = read_state(file, count - 2, operands + 2, &states[i], &error);
	}
	if (!result) {
		file = NULL;
		result = compare(&comparison, states, count - 2, operands + 2, &error);
	}
	if (result && result != GIM_E_STOPPED)
		(void)output_error(file, &error, options->json);
	else if (options->json)
		output_document(document(&comparison, operands), false);
	else
		put_summary(&comparison);
	json_decref(comparison.differences);
	gim_state_free(&states[0]);
	gim_state_free(&states[1]);
	return result ? EXIT_NO_ANSWER : comparison.differs ? EXIT_NO : EXIT_YES;
}
