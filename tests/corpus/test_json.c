/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every state of the corpus survives JSON: state to document to state gives the GIM unit's bytes again, and the same document. */
#include "corpus.h"

#include "gimstate.h"
#include "state.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

static struct gim_state *open_state(const char *path, unsigned parts)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_open(path, &state, &error) || gim_state_decode(state, parts, NULL, NULL, &error))
		fail_msg("%s: %s", path, error.text);
	return state;
}

/* The document, without the record that is ignored when it is read. */
static char *text_of(const struct gim_state *state)
{
	json_t *json = NULL;
	assert_int_equal(gim_state_json(state, NULL, &json, NULL), 0);
	assert_int_equal(json_object_set_new(json, "gimstate", json_integer(1)), 0);
	(void)json_object_del(json, "source");
	char *text = json_dumps(json, JSON_ENSURE_ASCII | JSON_INDENT(2));
	json_decref(json);
	assert_non_null(text);
	return text;
}

static struct gim_state *open_text(const char *path, const char *text, unsigned parts)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_open_memory(text, strlen(text), &state, &error) || gim_state_decode(state, parts, NULL, NULL, &error))
		fail_msg("%s as JSON: %s: %s", path, error.path, error.text);
	return state;
}

static void check_payload(const char *path, struct gim_state *original, const struct gim_state *state)
{
	struct gim_unit unit;
	struct gim_buffer was = {.bytes = NULL}, is = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	assert_int_equal(gim_unit_find(original, "GIM", 0, GIM_PASS_FINAL, &unit, NULL), 0);
	assert_int_equal(gim_unit_read(original, &unit, collect, &was, NULL), 0);
	if (gim_unit_encode(state, &original->codec, &is, &error))
		fail_msg("%s: %s", path, error.text);
	if (was.size != is.size || memcmp(was.bytes, is.bytes, is.size) != 0)
		fail_msg("%s: the payload has other bytes", path);
	gim_buffer_free(&was);
	gim_buffer_free(&is);
}

static void check_file(const char *path)
{
	struct gim_state *state = open_state(path, GIM_PART_GIM);
	char *text = text_of(state);
	struct gim_state *document = open_text(path, text, GIM_PART_GIM);
	char *again = text_of(document);
	struct gim_error error = GIM_ERROR_INIT;
	assert_string_equal(text, again);
	check_payload(path, state, document);
	/* And back into the file: nothing has changed. */
	if (gim_state_set_from(state, document, false, &error))
		fail_msg("%s: %s: %s", path, error.path, error.text);
	check_payload(path, state, state);
	gim_state_free(&document);
	free(again);
	again = text_of(state);
	assert_string_equal(text, again);
	free(again);
	free(text);
	gim_state_free(&state);
}

/* The other records have no encoder, but are read back as they were. */
static void check_all_records(const char *path)
{
	struct gim_state *state = open_state(path, GIM_PART_GIM | GIM_PART_GUEST);
	char *text = text_of(state);
	struct gim_state *document = open_text(path, text, GIM_PART_GIM | GIM_PART_GUEST);
	char *again = text_of(document);
	assert_string_equal(text, again);
	free(again);
	free(text);
	gim_state_free(&document);
	gim_state_free(&state);
}

static void guest_interfaces(void **unused)
{
	(void)unused;
	const unsigned count = corpus_each_state(check_file);
	print_message("%u states\n", count);
	assert_true(count > 40);
}

static void all_records(void **unused)
{
	(void)unused;
	assert_true(corpus_each_state(check_all_records) > 40);
}

int main(void)
{
	corpus_require();
	const struct CMUnitTest tests[] = {cmocka_unit_test(guest_interfaces), cmocka_unit_test(all_records)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
