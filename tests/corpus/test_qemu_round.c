/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guest interface of every real stream goes into JSON, a bundle of fields and a bundle of all, and back: into the stream that it is from, which keeps its bytes, and into one
 * in which it was changed meanwhile. */
#include "corpus.h"

#include "gimstate.h"
#include "state.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Of what a stream was wrapped in there is nothing in its bytes. */
static struct gim_buffer bytes_of(struct gim_state *state, const char *path)
{
	struct gim_buffer bytes = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	uint8_t piece[65536];
	size_t got = sizeof(piece);
	while (got == sizeof(piece)) {
		if (gim_input_read(&state->input, bytes.size, piece, sizeof(piece), &got, &error))
			fail_msg("%s: %s", path, error.text);
		gim_buffer_bytes(&bytes, piece, got);
	}
	return bytes;
}

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes(user, bytes, size);
	return 0;
}

static void decode(struct gim_state *state, const char *path)
{
	struct gim_error error = GIM_ERROR_INIT;
	const int result = gim_state_decode(state, GIM_PART_GIM, NULL, NULL, &error);
	if (result && result != GIM_E_NO_UNIT)
		fail_msg("%s: %s", path, error.text);
}

static struct gim_state *open_bytes(const struct gim_buffer *bytes, const char *path)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_open_memory(bytes->bytes, bytes->size, &state, &error))
		fail_msg("%s: %s", path, error.text);
	decode(state, path);
	return state;
}

static struct gim_buffer written(struct gim_state *state, const char *path)
{
	struct gim_buffer bytes = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_write(state, NULL, collect, &bytes, &error))
		fail_msg("%s: %s %s", path, error.path, error.text);
	return bytes;
}

/* The forms that it goes into. */
static struct gim_buffer as_json(struct gim_state *state, const char *path)
{
	struct gim_buffer bytes = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	json_t *json = NULL;
	if (gim_state_json(state, NULL, &json, &error))
		fail_msg("%s: %s", path, error.text);
	(void)json_object_set_new(json, "gimstate", json_integer(1));
	char *text = json_dumps(json, 0);
	gim_buffer_bytes(&bytes, text, strlen(text));
	free(text);
	json_decref(json);
	return bytes;
}

static struct gim_buffer packed(struct gim_state *state, bool whole, const char *path)
{
	const struct gim_pack_options options = {.source_name = path, .whole = whole};
	struct gim_buffer bytes = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_pack(state, &options, collect, &bytes, NULL, &error))
		fail_msg("%s: %s %s", path, error.path, error.text);
	return bytes;
}

static struct gim_buffer as_fields(struct gim_state *state, const char *path)
{
	return packed(state, false, path);
}

static struct gim_buffer as_whole(struct gim_state *state, const char *path)
{
	return packed(state, true, path);
}

static struct gim_buffer (*const forms[])(struct gim_state *state, const char *path) = {as_json, as_fields, as_whole};
enum { FORMS = sizeof(forms) / sizeof(forms[0]) };

/* A stream without the section would get it, and that of a machine with the clock keeps it, whatever interface is put into it. */
static bool is_section(const char *path)
{
	return !strcmp(path, "kvm.clock_ns");
}

/* Other values, a subsection more and one less, where the stream has a place for them. */
static struct gim_buffer changed(const struct gim_buffer *bytes, const char *path)
{
	static const char *const changes[][2] = {
	    {"kvm.clock_ns", "5000000000"}, {"kvm.wall_clock", "0x7000"},         {"kvm.vcpu[0].steal_time", "0"},
	    {"hyperv.guest_os_id", "0"},    {"kvm.vcpu[0].poll_control", "0"},    {"hyperv.vp[0].sint[2]", "0x20052"},
	    {"kvm.vcpu[0].pv_eoi", "0x5"},  {"hyperv.vp[0].vp_assist", "0x9001"}, {"hyperv.reference_tsc", "0x8001"},
	};
	struct gim_state *state = open_bytes(bytes, path);
	unsigned count = 0;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		if (!is_section(changes[i][0]) || gim_state_value(state, changes[i][0]).presence)
			count += !gim_state_set(state, changes[i][0], changes[i][1], NULL);
	assert_true(count > 0);
	struct gim_buffer made = written(state, path);
	gim_state_free(&state);
	return made;
}

/* Both have the same interfaces, and all fields of them are the same. */
static void check_interfaces(const struct gim_state *wanted, const struct gim_state *got, const char *path)
{
	for (const struct gim_provider *const *each = gim_providers; *each; each++) {
		const struct gim_record *record = (*each)->record;
		if (!record)
			continue;
		const struct gim_diff_options options = {.path = record->name, .exact = true};
		if (!gim_state_find(wanted, record) != !gim_state_find(got, record))
			fail_msg("%s: %s is only in one of them", path, record->name);
		if (gim_state_find(wanted, record) && gim_state_diff(wanted, got, &options, NULL, NULL, NULL, NULL))
			fail_msg("%s: %s is another", path, record->name);
	}
}

/* What comes of it when the interface is put into a stream. */
static struct gim_buffer put(struct gim_state *from, const struct gim_buffer *into, const char *path)
{
	struct gim_state *state = open_bytes(into, path);
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_set_from(state, from, false, &error))
		fail_msg("%s: %s %s", path, error.path, error.text);
	struct gim_buffer made = written(state, path);
	gim_state_free(&state);
	return made;
}

/* Into the stream itself; nothing changes. */
static void put_back(struct gim_state *from, const struct gim_buffer *stream, const char *path)
{
	struct gim_buffer made = put(from, stream, path);
	if (made.size != stream->size || memcmp(made.bytes, stream->bytes, made.size) != 0)
		fail_msg("%s: other bytes", path);
	gim_buffer_free(&made);
}

/* Into one in which it is another. (A register of the VM then stands in the section of each vCPU.) */
static void put_over(struct gim_state *from, const struct gim_buffer *other, const struct gim_state *wanted, const char *path)
{
	struct gim_buffer made = put(from, other, path);
	struct gim_state *state = open_bytes(&made, path);
	check_interfaces(wanted, state, path);
	gim_state_free(&state);
	gim_buffer_free(&made);
}

static void check_stream(const char *path)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_open_settled(path, &state, &error))
		fail_msg("%s: %s", path, error.text);
	decode(state, path);
	struct gim_buffer stream = bytes_of(state, path), other = changed(&stream, path);
	for (size_t i = 0; i < FORMS; i++) {
		struct gim_buffer bytes = forms[i](state, path);
		struct gim_state *from = open_bytes(&bytes, path);
		check_interfaces(state, from, path);
		put_back(from, &stream, path);
		put_over(from, &other, state, path);
		gim_state_free(&from);
		gim_buffer_free(&bytes);
	}
	gim_buffer_free(&stream);
	gim_buffer_free(&other);
	gim_state_free(&state);
}

static void test_round(void **unused)
{
	(void)unused;
	assert_true(corpus_each_stream(check_stream) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_round)};
	corpus_require();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
