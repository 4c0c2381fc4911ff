/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every state of the corpus is written again byte for byte; with a changed field it is sound, every other unit is the same, and changing it back gives the old bytes. */
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
	if (gim_state_write(state, collect, &out, &error))
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

/* Each unit's name and payload but GIM's. */
static struct gim_buffer others(const struct gim_buffer *file)
{
	struct gim_buffer all = {.bytes = NULL};
	struct gim_state *state = NULL;
	struct gim_unit unit = {.offset = 0};
	assert_int_equal(gim_state_open_memory(file->bytes, file->size, &state, NULL), 0);
	while (gim_unit_next(state, &unit, NULL) == 1) {
		gim_buffer_bytes(&all, unit.name, sizeof(unit.name));
		gim_buffer_number(&all, unit.instance, 4);
		gim_buffer_number(&all, unit.pass, 4);
		if (strcmp(unit.name, "GIM") != 0)
			assert_int_equal(gim_unit_read(state, &unit, collect, &all, NULL), 0);
	}
	gim_state_free(&state);
	return all;
}

static void check_file(const char *path)
{
	struct gim_buffer before = load(path), same = rewrite(&before, NULL, NULL);
	struct heard was = {0, 0}, is = {0, 0};
	assert_same(&before, &same, path);
	gim_buffer_free(&same);
	if (!memcmp(before.bytes + 22, " V1.", 4)) { /* only copied */
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
	struct gim_buffer all_before = others(&before), all_changed = others(&changed);
	assert_same(&all_before, &all_changed, path);
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
