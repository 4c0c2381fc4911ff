/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Documents read back: odd values survive, presence survives, and what a document may not hold is refused by rule and path. */
#include "hyperv/hyperv.h"
#include "json.h"
#include "state.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SAMPLE "samples/hyperv-4.sav"

static struct gim_state *open_sample(void)
{
	struct gim_state *state = NULL;
	assert_int_equal(gim_state_open(SAMPLE, &state, NULL), 0);
	assert_int_equal(gim_state_decode(state, GIM_PART_GIM, NULL, NULL, NULL), 0);
	return state;
}

static json_t *document_of(const struct gim_state *state)
{
	json_t *json = NULL;
	assert_int_equal(gim_state_json(state, NULL, &json, NULL), 0);
	assert_int_equal(json_object_set_new(json, "gimstate", json_integer(1)), 0);
	assert_int_equal(json_object_del(json, "source"), 0);
	return json;
}

static struct gim_state *open_document(const json_t *json)
{
	char *text = json_dumps(json, JSON_ENSURE_ASCII);
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	assert_non_null(text);
	if (gim_state_open_memory(text, strlen(text), &state, &error) || gim_state_decode(state, GIM_PART_GIM, NULL, NULL, &error))
		fail_msg("%s: %s", error.path, error.text);
	free(text);
	return state;
}

static void assert_survives(const struct gim_state *state)
{
	json_t *before = document_of(state);
	struct gim_state *document = open_document(before);
	json_t *after = document_of(document);
	if (!json_equal(before, after))
		fail_msg("other fields: %s", json_dumps(after, JSON_INDENT(2)));
	json_decref(before);
	json_decref(after);
	gim_state_free(&document);
}

static void odd_values(void **unused)
{
	(void)unused;
	static const char *const odd[][2] = {
	    {"hyperv.hypercall_page.raw_mode", "100"},
	    {"hyperv.tsc_page.raw_mode", "1"},
	    {"hyperv.debug.reply", "0x99"},
	    {"hyperv.features.base", "0xffffffff"},
	    {"hyperv.features.power", "0x80000000"},
	    {"hyperv.guest_os_id", "0xffffffffffffffff"},
	    {"hyperv.vp[1].sint[15]", "0"},
	    {"gim.delimiter", "0x17"},
	};
	static const char bytes[] = "\0\x01\x1f \"\\/\x7f\x80\xbf\xc0\xff";
	struct gim_state *state = open_sample();
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		assert_int_equal(gim_state_set(state, odd[i][0], odd[i][1], NULL), 0);
	struct hv_state *hyperv = (struct hv_state *)(void *)gim_state_find(state, &hv_state_record)->data;
	struct gim *gim = (struct gim *)(void *)gim_state_find(state, &gim_record)->data;
	hyperv->hypercall_page.description = (struct gim_text){bytes, sizeof(bytes)};
	hyperv->tsc_page.description = (struct gim_text){bytes, 0};
	gim->trailing = (struct gim_text){bytes + 4, 6};
	assert_survives(state);

	json_t *json = document_of(state);
	struct gim_state *document = open_document(json);
	struct gim_buffer was = {.bytes = NULL}, is = {.bytes = NULL};
	assert_int_equal(gim_unit_encode(state, &state->codec, &was, NULL), 0);
	assert_int_equal(gim_unit_encode(document, &document->codec, &is, NULL), 0);
	assert_int_equal(was.size, is.size);
	assert_memory_equal(was.bytes, is.bytes, is.size);
	gim_buffer_free(&was);
	gim_buffer_free(&is);
	json_decref(json);
	gim_state_free(&document);
	gim_state_free(&state);
}

/* "hyperv.vp.1.simp": the value there becomes text's (NULL: it goes). */
static void edit(json_t *json, const char *path, const char *text)
{
	char name[64];
	size_t length;
	for (; path[length = strcspn(path, ".")]; path += length + 1) {
		(void)snprintf(name, sizeof(name), "%.*s", (int)length, path);
		json = json_is_array(json) ? json_array_get(json, strtoul(name, NULL, 10)) : json_object_get(json, name);
		assert_non_null(json);
	}
	json_t *value = text ? json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
	assert_true(!text || value);
	if (json_is_array(json))
		assert_int_equal(json_array_set_new(json, strtoul(path, NULL, 10), value), 0);
	else if (value)
		assert_int_equal(json_object_set_new(json, path, value), 0);
	else
		assert_int_equal(json_object_del(json, path), 0);
}

/* A native state: fields that no VirtualBox layout holds, and no unit. */
static void native_state(void **unused)
{
	(void)unused;
	struct gim_state *sample = open_sample();
	json_t *json = document_of(sample);
	edit(json, "gim", NULL);
	edit(json, "hyperv.vp.0.scontrol", "\"0x1\"");
	edit(json, "hyperv.vp.1.stimer.3.count", "\"0xffffffffffffffff\"");
	edit(json, "hyperv.vp.1.sint.4", "null");
	edit(json, "hyperv.crash.p4", "\"0x0\"");
	edit(json, "hyperv.time_ref_count", "\"0x123\"");
	edit(json, "hyperv.tsc_page.description", "null");
	struct gim_state *native = open_document(json);
	assert_null(gim_state_find(native, &gim_record));
	assert_int_equal(gim_state_value(native, "hyperv.vp[0].scontrol").presence, GIM_STORED);
	assert_int_equal(gim_state_value(native, "hyperv.vp[0].siefp").presence, GIM_ABSENT);
	assert_int_equal(gim_state_value(native, "hyperv.vp[1].sint[4]").presence, GIM_ABSENT);
	assert_int_equal(gim_state_value(native, "hyperv.vp[1].sint[5]").presence, GIM_STORED);
	assert_int_equal(gim_state_value(native, "hyperv.crash.p4").presence, GIM_STORED);
	assert_int_equal(gim_state_value(native, "hyperv.tsc_page.description").presence, GIM_ABSENT);
	assert_survives(native);
	/* It names no provider, so that it is no unit. */
	struct gim_error error = GIM_ERROR_INIT;
	assert_int_equal(gim_state_set_from(sample, native, true, &error), GIM_E_VALUE);
	assert_string_equal(error.path, "gim.provider");
	json_decref(json);
	gim_state_free(&native);
	gim_state_free(&sample);
}

static void check_text(const char *text, size_t size, enum gim_json_rule rule, const char *path, const char *what)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	if (!gim_state_open_memory(text, size, &state, &error))
		fail_msg("%s: it is read", what);
	if (error.rule != &gim_json_rules[rule] || strcmp(error.path, path) != 0)
		fail_msg("%s: %s at \"%s\": %s", what, error.rule ? error.rule->id : "no rule", error.path, error.text);
	assert_null(state);
	assert_int_equal(error.code, gim_json_rules[rule].code);
}

static void refused_values(void **unused)
{
	(void)unused;
	static const struct {
		const char *place, *value;
		enum gim_json_rule rule;
		const char *path;
	} cases[] = {
	    {"gimstate", NULL, GIM_JSON_FORM, ""},
	    {"gimstate", "2", GIM_JSON_VERSION, "gimstate"},
	    {"gimstate", "\"1\"", GIM_JSON_VERSION, "gimstate"},
	    {"nosuch", "{}", GIM_JSON_UNKNOWN, "nosuch"},
	    {"hyperv", "[]", GIM_JSON_VALUE, "hyperv"},
	    {"hyperv", "null", GIM_JSON_VALUE, "hyperv"},
	    {"kvm", "{}", GIM_JSON_MISSING, "kvm.vcpu"},
	    {"gim.nosuch", "1", GIM_JSON_UNKNOWN, "gim.nosuch"},
	    {"gim.layout", NULL, GIM_JSON_MISSING, "gim.layout"},
	    {"hyperv.vp.1.simp", NULL, GIM_JSON_MISSING, "hyperv.vp[1].simp"},
	    {"hyperv.vp.1.nosuch", "null", GIM_JSON_UNKNOWN, "hyperv.vp[1].nosuch"},
	    {"hyperv.vp.0.stimer.3.config", NULL, GIM_JSON_MISSING, "hyperv.vp[0].stimer[3].config"},
	    {"hyperv.vp", "{}", GIM_JSON_VALUE, "hyperv.vp"},
	    {"hyperv.vp.0", "null", GIM_JSON_VALUE, "hyperv.vp[0]"},
	    {"hyperv.vp.0.sint", "[]", GIM_JSON_VALUE, "hyperv.vp[0].sint"},
	    {"hyperv.vp.0.sint", "null", GIM_JSON_VALUE, "hyperv.vp[0].sint"},
	    {"hyperv.vp.0.sint.15", "[]", GIM_JSON_VALUE, "hyperv.vp[0].sint[15]"},
	    {"hyperv.vp.0.stimer", "[null, null, null, null]", GIM_JSON_VALUE, "hyperv.vp[0].stimer[0]"},
	    {"hyperv.crash", "null", GIM_JSON_VALUE, "hyperv.crash"},
	    {"gim.delimiter", "256", GIM_JSON_VALUE, "gim.delimiter"},
	    {"gim.delimiter", "-1", GIM_JSON_VALUE, "gim.delimiter"},
	    {"gim.delimiter", "1.0", GIM_JSON_VALUE, "gim.delimiter"},
	    {"gim.delimiter", "true", GIM_JSON_VALUE, "gim.delimiter"},
	    {"gim.delimiter", "\"0xff\"", GIM_JSON_VALUE, "gim.delimiter"},
	    {"gim.unit_version", "4294967296", GIM_JSON_VALUE, "gim.unit_version"},
	    {"gim.provider", "\"nosuch\"", GIM_JSON_VALUE, "gim.provider"},
	    {"gim.provider", "\"hyperv\\u0000\"", GIM_JSON_VALUE, "gim.provider"},
	    {"hyperv.guest_os_id", "5", GIM_JSON_VALUE, "hyperv.guest_os_id"},
	    {"hyperv.guest_os_id", "\"5\"", GIM_JSON_VALUE, "hyperv.guest_os_id"},
	    {"hyperv.guest_os_id", "\"0x\"", GIM_JSON_VALUE, "hyperv.guest_os_id"},
	    {"hyperv.guest_os_id", "\"0X5\"", GIM_JSON_VALUE, "hyperv.guest_os_id"},
	    {"hyperv.guest_os_id", "\"0x5g\"", GIM_JSON_VALUE, "hyperv.guest_os_id"},
	    {"hyperv.guest_os_id", "\"0x5\\u0000\"", GIM_JSON_VALUE, "hyperv.guest_os_id"},
	    {"hyperv.guest_os_id", "\"0x11112222333344445\"", GIM_JSON_VALUE, "hyperv.guest_os_id"},
	    {"hyperv.features.base", "5", GIM_JSON_VALUE, "hyperv.features.base"},
	    {"hyperv.features.base", "\"0x5\"", GIM_JSON_VALUE, "hyperv.features.base"},
	    {"hyperv.features.base", "[1]", GIM_JSON_VALUE, "hyperv.features.base"},
	    {"hyperv.features.base", "[\"nosuch\"]", GIM_JSON_VALUE, "hyperv.features.base"},
	    {"hyperv.features.base", "[\"0x1000000\", \"0x2000000\"]", GIM_JSON_VALUE, "hyperv.features.base"},
	    {"hyperv.features.base", "[\"0x100000000\"]", GIM_JSON_VALUE, "hyperv.features.base"},
	    {"hyperv.features.base", "[\"access_vp_index\", \"access_vp_index\"]", GIM_JSON_VALUE, "hyperv.features.base"},
	    {"hyperv.features.base", "[\"access_vp_index\", \"0x40\"]", GIM_JSON_VALUE, "hyperv.features.base"},
	    {"hyperv.hypercall_page.raw_mode", "256", GIM_JSON_VALUE, "hyperv.hypercall_page.raw_mode"},
	    {"hyperv.hypercall_page.raw_mode", "\"true\"", GIM_JSON_VALUE, "hyperv.hypercall_page.raw_mode"},
	    {"hyperv.hypercall_page.description", "\"\\u0100\"", GIM_JSON_VALUE, "hyperv.hypercall_page.description"},
	    {"hyperv.hypercall_page.description", "\"\\ud83d\\ude00\"", GIM_JSON_VALUE, "hyperv.hypercall_page.description"},
	    {"hyperv.hypercall_page.description", "5", GIM_JSON_VALUE, "hyperv.hypercall_page.description"},
	};
	struct gim_state *sample = open_sample();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *json = document_of(sample);
		edit(json, cases[i].place, cases[i].value);
		char *text = json_dumps(json, 0), what[128];
		assert_non_null(text);
		(void)snprintf(what, sizeof(what), "%s = %s", cases[i].place, cases[i].value ? cases[i].value : "nothing");
		check_text(text, strlen(text), cases[i].rule, cases[i].path, what);
		free(text);
		json_decref(json);
	}
	gim_state_free(&sample);
}

/* What is written otherwise by this release, and means the same. */
static void other_spellings(void **unused)
{
	(void)unused;
	struct gim_state *sample = open_sample();
	json_t *json = document_of(sample), *expected = document_of(sample);
	edit(json, "gim.provider", "2");
	edit(json, "hyperv.features.base", "[\"0xaf2\"]");
	edit(json, "hyperv.hypercall", "\"0x000000000007F001\"");
	edit(json, "hyperv.tsc_page.raw_mode", "0");
	edit(json, "source", "\"is ignored\"");
	edit(json, "findings", "[]");
	struct gim_state *document = open_document(json);
	json_t *read = document_of(document);
	assert_true(json_equal(read, expected));
	json_decref(json);
	json_decref(expected);
	json_decref(read);
	gim_state_free(&document);
	gim_state_free(&sample);
}

static void refused_texts(void **unused)
{
	(void)unused;
	static const struct {
		const char *text;
		enum gim_json_rule rule;
		const char *path, *said;
	} cases[] = {
	    {"{", GIM_JSON_SYNTAX, "", "line 1,"},
	    {"{\"gimstate\": 1", GIM_JSON_SYNTAX, "gimstate", "line 1,"},
	    {"{\"gimstate\": 1}\n}", GIM_JSON_SYNTAX, "", "line 2,"},
	    {"{\"gimstate\": 1,\n\"kvm\": {\"vcpu\": [{}, {\"tsc\": 0x5}]}}", GIM_JSON_SYNTAX, "kvm.vcpu[1].tsc", "line 2,"},
	    {"{\"gimstate\": 1, \"kvm\": {\"wall_clock\": 99999999999999999999}}", GIM_JSON_SYNTAX, "kvm.wall_clock", "line 1,"},
	    {"{\"gimstate\": 1, \"gimstate\": 1}", GIM_JSON_REPEATED, "gimstate", "line 1,"},
	    {"{\"gimstate\": 1, \"kvm\": {\"vcpu\": [\n{\"tsc\": null, \"gpa\": [], \"tsc\": null}]}}", GIM_JSON_REPEATED,
	     "kvm.vcpu[0].tsc", "line 2,"},
	    {"{\"gimstate\": 1, \"kvm\": {\"vcpu\": [\n{\"t\\\"\": {}, \"t\\\"\": null}]}}", GIM_JSON_REPEATED, "kvm.vcpu[0].t\\\"",
	     "line 2,"},
	    {"{\"gimstate\": 1}", GIM_JSON_FORM, "", "no record"},
	    {"{}", GIM_JSON_FORM, "", "\"gimstate\": 1 is missing"},
	    {"{\"gimstate\": 1, \"error\": {\"text\": \"the reason\"}}", GIM_JSON_FORM, "", "the reason"},
	    {"{\"gimstate\": 1, \"error\": null}", GIM_JSON_FORM, "", "only an error"},
	    {"{\"a\": [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", GIM_JSON_LIMIT, "", "within one another"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gim_document document;
		struct gim_arena arena = {.blocks = NULL};
		struct gim_error error = GIM_ERROR_INIT;
		check_text(cases[i].text, strlen(cases[i].text), cases[i].rule, cases[i].path, cases[i].text);
		assert_true(gim_json_read(&arena, NULL, cases[i].text, strlen(cases[i].text), &document, &error) < 0);
		if (!strstr(error.text, cases[i].said))
			fail_msg("%s: %s", cases[i].text, error.text);
		gim_arena_free(&arena);
	}
}

/* A text that is too long, and ones that would be too much once parsed. */
static void refused_sizes(void **unused)
{
	(void)unused;
	static const char *const pieces[] = {" ", "[],", "{},", "0,", "\"\","};
	char *text = malloc(GIM_JSON_TEXT_LIMIT + 8);
	assert_non_null(text);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		const size_t length = strlen(pieces[i]), size = i ? GIM_JSON_TEXT_LIMIT - 8 : GIM_JSON_TEXT_LIMIT + 1;
		memcpy(text, "{\"a\":[", 6);
		for (size_t at = 6; at < size; at++)
			text[at] = pieces[i][(at - 6) % length];
		check_text(text, size, GIM_JSON_LIMIT, "", pieces[i]);
	}
	free(text);
}

/* What could be read of a damaged state is shown again, and so is that it was damaged. */
static void damaged_state(void **unused)
{
	(void)unused;
	struct gim_state *sample = open_sample(), *document = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	json_t *json = document_of(sample);
	edit(json, "hyperv.vp", "[]");
	edit(json, "error", "{\"text\": \"the data ends here\"}");
	char *text = json_dumps(json, 0);
	assert_int_equal(gim_state_open_memory(text, strlen(text), &document, NULL), 0);
	assert_int_equal(gim_state_decode(document, GIM_PART_GIM, NULL, NULL, &error), GIM_E_CORRUPT);
	assert_non_null(strstr(error.text, "the data ends here"));
	assert_true(gim_state_value(document, "hyperv.hypercall").number == 0x7f001);
	free(text);
	json_decref(json);
	gim_state_free(&document);
	gim_state_free(&sample);
}

/* Taking a document's unit: a layout holds certain fields, no more and no fewer; on failure nothing has changed. */
static void refused_units(void **unused)
{
	(void)unused;
	static const struct {
		const char *place, *value, *path;
	} cases[] = {
	    {"hyperv.vp.0.scontrol", "\"0x1\"", "hyperv.vp[0].scontrol"},
	    {"hyperv.time_ref_count", "\"0x0\"", "hyperv.time_ref_count"},
	    {"hyperv.vp.1.sint.3", "null", "hyperv.vp[1].sint[3]"},
	    {"hyperv.tsc_page.description", "null", "hyperv.tsc_page.description"},
	    {"hyperv.tsc_page.description", "\"12345678901234567890123456789012\"", "hyperv.tsc_page.description"},
	    {"gim.delimiter", "null", "gim.delimiter"},
	    {"gim.interfaces", "\"hyperv\"", "gim.interfaces"},
	    {"gim.trailing", "null", "gim.trailing"},
	    {"gim.unit_version", "2", "gim.unit_version"},
	    {"gim.provider", "\"kvm\"", "gim.provider"},
	    {"gim.provider", "7", "gim.provider"},
	    {"gim.provider", "null", "gim.provider"},
	    {"gim.layout", "null", "gim.layout"},
	    {"gim.layout", "\"vbox-hyperv-5\"", "gim.layout"},
	    {"gim.layout", "\"vbox-hyperv-3\"", "hyperv.debug.udp_guest_dst_port"},
	    {"gim.layout", "\"vbox-hyperv-1\"", "gim.delimiter"},
	    {"gim.layout", "\"vbox-kvm-1\"", "gim.layout"},
	    {"hyperv.vp", "[]", "hyperv.vp"},
	    {"hyperv", NULL, ""},
	};
	struct gim_state *sample = open_sample();
	json_t *before = document_of(sample);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gim_error error = GIM_ERROR_INIT;
		json_t *json = document_of(sample);
		edit(json, cases[i].place, cases[i].value);
		struct gim_state *document = open_document(json);
		if (!gim_state_set_from(sample, document, false, &error))
			fail_msg("%s = %s is taken", cases[i].place, cases[i].value);
		if (strcmp(error.path, cases[i].path) != 0)
			fail_msg("%s = %s: %s: %s", cases[i].place, cases[i].value, error.path, error.text);
		json_decref(json);
		gim_state_free(&document);
	}
	json_t *after = document_of(sample);
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	gim_state_free(&sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(odd_values),      cmocka_unit_test(native_state),  cmocka_unit_test(refused_values),
	    cmocka_unit_test(other_spellings), cmocka_unit_test(refused_texts), cmocka_unit_test(refused_sizes),
	    cmocka_unit_test(damaged_state),   cmocka_unit_test(refused_units),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
