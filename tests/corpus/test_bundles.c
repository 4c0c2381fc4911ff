/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every state of the corpus goes into a bundle and comes out again: a whole one byte for byte, and of parts every field of the guest interface and of the guest. */
#include "corpus.h"

#include "gimstate.h"
#include "layer.h"
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

static struct gim_state *open_state(const char *path)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_open_settled(path, &state, &error))
		fail_msg("%s: %s", path, error.text);
	return state;
}

static struct gim_state *open_bundle(const struct gim_buffer *bundle, const char *path)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_open_memory(bundle->bytes, bundle->size, &state, &error))
		fail_msg("%s: %s", path, error.text);
	return state;
}

static struct gim_buffer pack(struct gim_state *state, bool whole, const char *path)
{
	const struct gim_pack_options options = {.source_name = path, .whole = whole};
	struct gim_buffer bundle = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_pack(state, &options, collect, &bundle, NULL, &error))
		fail_msg("%s: %s %s", path, error.path, error.text);
	assert_int_equal(gim_verify_memory(bundle.bytes, bundle.size, NULL, NULL, NULL, &error), 0);
	return bundle;
}

static int take_whole(void *user, const char *name, uint64_t size, gim_sink_fn **sink, void **sink_user, struct gim_error *error)
{
	(void)size;
	(void)error;
	if (corpus_ends_with(name, ".sav") || corpus_ends_with(name, ".mig")) {
		*sink = collect;
		*sink_user = user;
	}
	return 0;
}

/* What the state was wrapped in is not packed. */
static struct gim_buffer load(struct gim_state *state, const char *path)
{
	struct gim_buffer file = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	uint8_t piece[65536];
	for (size_t got = sizeof(piece); got == sizeof(piece);) {
		if (gim_input_read(&state->input, file.size, piece, sizeof(piece), &got, &error))
			fail_msg("%s: %s", path, error.text);
		gim_buffer_bytes(&file, piece, got);
	}
	return file;
}

static void check_whole(struct gim_state *state, const char *path)
{
	struct gim_buffer bundle = pack(state, true, path), file = load(state, path), again = {.bytes = NULL};
	const char *scratch = getenv("TMPDIR");
	char name[PATH_MAX];
	(void)snprintf(name, sizeof(name), "%s/gimstate-test-XXXXXX", scratch ? scratch : "/tmp");
	const int fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bundle.bytes, bundle.size), bundle.size);
	(void)close(fd);
	const int result = gim_bundle_read(name, take_whole, &again, NULL);
	(void)unlink(name);
	assert_int_equal(result, 0);
	if (again.size != file.size || memcmp(again.bytes, file.bytes, file.size) != 0)
		fail_msg("%s: other bytes come out", path);
	gim_buffer_free(&bundle);
	gim_buffer_free(&file);
	gim_buffer_free(&again);
}

/* Of a record that both hold. */
static void compare(const struct gim_state *state, const struct gim_state *packed, const char *name, const char *path)
{
	const struct gim_diff_options options = {.path = name, .exact = true};
	struct gim_error error = GIM_ERROR_INIT;
	const int result = gim_state_diff(state, packed, &options, NULL, NULL, NULL, &error);
	if (result)
		fail_msg("%s: %s is other in the bundle: %d %s", path, name, result, error.text);
}

/* What a container or layer says of itself stays there. */
static bool is_of_container(const struct gim_record *record)
{
	for (const struct gim_format *const *format = gim_formats; *format; format++)
		for (const struct gim_record *const *each = (*format)->records; each && *each; each++)
			if (*each == record)
				return true;
	for (const struct gim_layer_kind *const *layer = gim_layers; *layer; layer++)
		if ((*layer)->record == record)
			return true;
	return record == &source_record;
}

static void check_parts(struct gim_state *state, const char *path)
{
	struct gim_buffer bundle = pack(state, false, path);
	struct gim_state *packed = open_bundle(&bundle, path);
	struct gim_error error = GIM_ERROR_INIT;
	const int decoded = gim_state_decode(packed, GIM_PART_GIM | GIM_PART_GUEST, NULL, NULL, &error);
	if (decoded && decoded != GIM_E_NO_UNIT)
		fail_msg("%s: %s", path, error.text);
	for (size_t i = 0; i < state->object_count; i++)
		if (!is_of_container(state->objects[i].record))
			compare(state, packed, state->objects[i].record->name, path);
	gim_state_free(&packed);
	gim_buffer_free(&bundle);
}

static unsigned packed_states;

static void check_state(const char *path)
{
	struct gim_state *state = open_state(path);
	struct gim_error error = GIM_ERROR_INIT;
	const int decoded = gim_state_decode(state, GIM_PART_GIM, NULL, NULL, &error);
	if (decoded && decoded != GIM_E_NO_UNIT)
		fail_msg("%s: %s", path, error.text);
	check_parts(state, path);
	check_whole(state, path);
	packed_states++;
	gim_state_free(&state);
}

static void test_bundles(void **user)
{
	(void)user;
	assert_true(corpus_each_state(check_state) > 0);
	assert_true(corpus_each_stream(check_state) > 0);
	printf("%u states\n", packed_states);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bundles)};
	corpus_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
