/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every state of the corpus is written again byte for byte; with a changed field it is sound, every other unit is the same, and changing it back gives the old bytes.
 * A changed feature word changes nothing but that word, wherever it stands. */
#include "corpus.h"

#include "gimstate.h"
#include "state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

static struct gim_buffer load(const char *path)
{
	struct gim_buffer file = {.bytes = NULL};
	uint8_t piece[65536];
	FILE *stream = fopen(path, "rb");
	assert_non_null(stream);
	for (size_t got; (got = fread(piece, 1, sizeof(piece), stream));)
		gim_buffer_bytes(&file, piece, got);
	(void)fclose(stream);
	return file;
}

/* The state in bytes, with path set to text (NULL: nothing). */
static struct gim_buffer rewrite(const struct gim_buffer *bytes, const char *path, const char *text)
{
	struct gim_buffer out = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = NULL;
	assert_int_equal(gim_state_open_memory(bytes->bytes, bytes->size, &state, NULL), 0);
	assert_int_equal(gim_state_decode(state, GIM_PART_GIM, NULL, NULL, NULL), 0);
	if (path && gim_state_set(state, path, text, &error))
		fail_msg("%s: %s", path, error.text);
	if (gim_state_write(state, NULL, collect, &out, &error))
		fail_msg("%s: %s", error.path, error.text);
	assert_false(out.failed);
	gim_state_free(&state);
	return out;
}

static void assert_same(const struct gim_buffer *a, const struct gim_buffer *b, const char *path)
{
	if (a->size != b->size || memcmp(a->bytes, b->bytes, a->size) != 0)
		fail_msg("%s: other bytes", path);
}

struct heard {
	unsigned errors, warnings;
};

static void hear(void *user, const struct gim_finding *finding)
{
	struct heard *heard = (struct heard *)user;
	heard->errors += finding->rule->severity == GIM_ERROR;
	heard->warnings += finding->rule->severity == GIM_WARNING;
}

/* Each unit's name and payload but GIM's, or that one's, too. */
static struct gim_buffer payloads(const struct gim_buffer *file, bool all_units)
{
	struct gim_buffer all = {.bytes = NULL};
	struct gim_state *state = NULL;
	struct gim_unit unit = {.offset = 0};
	assert_int_equal(gim_state_open_memory(file->bytes, file->size, &state, NULL), 0);
	while (gim_unit_next(state, &unit, NULL) == 1) {
		gim_buffer_bytes(&all, unit.name, sizeof(unit.name));
		gim_buffer_number(&all, unit.instance, 4);
		gim_buffer_number(&all, unit.pass, 4);
		if (all_units || strcmp(unit.name, "GIM") != 0)
			assert_int_equal(gim_unit_read(state, &unit, collect, &all, NULL), 0);
	}
	gim_state_free(&state);
	return all;
}

/* A word that stands in the GIM unit, and for each unit cpum in one of its leaves: how often. */
static unsigned places_of_words(const struct gim_buffer *file)
{
	struct gim_state *state = NULL;
	struct gim_unit unit = {.offset = 0};
	unsigned places = 1;
	assert_int_equal(gim_state_open_memory(file->bytes, file->size, &state, NULL), 0);
	while (gim_unit_next(state, &unit, NULL) == 1)
		places += !strcmp(unit.name, "cpum");
	gim_state_free(&state);
	return places;
}

/* Bit 31 is clear in every state, and has no name. */
static void check_words(const char *path, const struct gim_buffer *before)
{
	static const char *const words[] = {"hyperv.features.base", "hyperv.features.partition", "hyperv.features.power",
	                                    "hyperv.features.misc", "hyperv.features.hints",     "hyperv.features.host",
	                                    "kvm.features.base"};
	struct gim_state *state = NULL;
	assert_int_equal(gim_state_open_memory(before->bytes, before->size, &state, NULL), 0);
	assert_int_equal(gim_state_decode(state, GIM_PART_GIM, NULL, NULL, NULL), 0);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (gim_state_value(state, words[i]).presence != GIM_STORED)
			continue;
		struct gim_buffer changed = rewrite(before, words[i], "+0x80000000"), back = rewrite(&changed, words[i], "-0x80000000");
		struct gim_buffer was = payloads(before, true), is = payloads(&changed, true), again = payloads(&back, true);
		unsigned bytes = 0;
		assert_int_equal(was.size, is.size);
		for (size_t at = 0; at < was.size; at++)
			if (was.bytes[at] != is.bytes[at] && ++bytes)
				assert_int_equal(was.bytes[at] ^ is.bytes[at], 0x80);
		assert_int_equal(bytes, places_of_words(before));
		assert_same(&was, &again, path);
		assert_int_equal(gim_verify_memory(changed.bytes, changed.size, NULL, NULL, NULL, NULL), 0);
		struct gim_buffer *const all[] = {&changed, &back, &was, &is, &again};
		for (size_t b = 0; b < sizeof(all) / sizeof(all[0]); b++)
			gim_buffer_free(all[b]);
	}
	gim_state_free(&state);
}

/* The state in container 2.0. */
static struct gim_buffer renew(const struct gim_buffer *bytes, const char *producer)
{
	const struct gim_write_options options = {.container = "2.0", .producer = producer};
	struct gim_buffer out = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = NULL;
	assert_int_equal(gim_state_open_memory(bytes->bytes, bytes->size, &state, NULL), 0);
	if (gim_state_write(state, &options, collect, &out, &error))
		fail_msg("%s", error.text);
	gim_state_free(&state);
	return out;
}

/* An old container's units are those of the new one, which does not change when it is made again; a new one's bytes stay. */
static void check_container(const char *path, const struct gim_buffer *before, bool old)
{
	struct gim_buffer made = renew(before, NULL), again = renew(&made, "7.2.22r175245"), with = renew(before, "7.2.22r175245");
	struct gim_buffer was = payloads(before, true), is = payloads(&made, true);
	struct heard heard = {0, 0};
	assert_same(&was, &is, path);
	assert_same(&made, &again, path);
	assert_same(old ? &made : before, &made, path);
	assert_int_equal(made.size, with.size);
	if (old && gim_verify_memory(made.bytes, made.size, NULL, hear, &heard, NULL))
		fail_msg("%s: in container 2.0 it is not sound", path);
	struct gim_buffer *const all[] = {&made, &again, &with, &was, &is};
	for (size_t b = 0; b < sizeof(all) / sizeof(all[0]); b++)
		gim_buffer_free(all[b]);
}

static void check_file(const char *path)
{
	struct gim_buffer before = load(path), same = rewrite(&before, NULL, NULL);
	struct heard was = {0, 0}, is = {0, 0};
	assert_same(&before, &same, path);
	gim_buffer_free(&same);
	const bool old = !memcmp(before.bytes + 22, " V1.", 4);
	check_container(path, &before, old);
	if (old) { /* nothing else can be changed in it */
		gim_buffer_free(&before);
		return;
	}
	/* Longer by three bytes, so that all that follows moves. */
	struct gim_buffer changed = rewrite(&before, "gim.trailing", "abc"), back = rewrite(&changed, "gim.trailing", "");
	assert_true(changed.size == before.size + 3 || changed.size == before.size + 4);
	assert_int_equal(gim_verify_memory(before.bytes, before.size, NULL, hear, &was, NULL), 0);
	if (gim_verify_memory(changed.bytes, changed.size, NULL, hear, &is, NULL))
		fail_msg("%s: with a changed unit it is not sound", path);
	assert_true(is.warnings >= was.warnings);
	assert_same(&before, &back, path);
	struct gim_buffer all_before = payloads(&before, false), all_changed = payloads(&changed, false);
	assert_same(&all_before, &all_changed, path);
	check_words(path, &before);
	gim_buffer_free(&all_before);
	gim_buffer_free(&all_changed);
	gim_buffer_free(&changed);
	gim_buffer_free(&back);
	gim_buffer_free(&before);
}

static void all_states(void **state)
{
	(void)state;
	const unsigned count = corpus_each_state(check_file);
	print_message("%u states\n", count);
	assert_true(count > 40);
}

int main(void)
{
	corpus_require();
	const struct CMUnitTest tests[] = {cmocka_unit_test(all_states)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
