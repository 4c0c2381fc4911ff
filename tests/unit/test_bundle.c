/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bundles that are not as they should be: each is refused by its rule, whether it is opened, verified or unpacked, and nothing of it is taken for good. */
#include "bundle_parts.h"

static void test_sound(void **user)
{
	(void)user;
	for (enum kind kind = TAR; kind < KINDS; kind++) {
		struct parts parts = copy_sound();
		expect(&parts, kind, "", FAILS);
	}
}

static void test_names(void **user)
{
	static const char *const names[] = {
	    "../x.bin",
	    "/abs.bin",
	    "a/../b.bin",
	    "a/..",
	    "..",
	    ".hidden.bin",
	    "a/.hidden.bin",
	    "a//b.bin",
	    "dir/",
	    "",
	    "/",
	    "noending",
	    "a\\b.bin",
	    "a b.bin",
	    "a\nb.bin",
	    "C:x.bin",
	    ".bin",
	    "./a.bin",
	    "a.exe",
	    "\xc3\xa4.bin",
	    "state.json",
	    "STATE.JSON",
	    "state.json/x.bin",
	    "manifest.json",
	    "Manifest.json",
	    "gim.bin",
	    "a234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890.bin"};
	(void)user;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (enum kind kind = TAR; kind < KINDS; kind++) {
			struct parts parts = copy_sound();
			json_object_set_new(member(&parts, 2), "name", json_string(names[i]));
			(void)snprintf(parts.files[3].name, NAME_BYTES, "%s", *names[i] ? names[i] : "x");
			expect(&parts, kind, "BUNDLE-NAME", FAILS);
		}
}

static void set_at(json_t *manifest, const char *path, json_t *value)
{
	char copy[64], *key = copy;
	json_t *at = manifest;
	(void)snprintf(copy, sizeof(copy), "%s", path);
	for (char *dot; (dot = strchr(key, '.')); key = dot + 1) {
		*dot = '\0';
		at = json_is_array(at) ? json_array_get(at, (size_t)atoi(key)) : json_object_get(at, key);
		assert_non_null(at);
	}
	if (value)
		json_object_set_new(at, key, value);
	else
		json_object_del(at, key);
}

static void test_manifest(void **user)
{
	static const char *const paths[] = {"gimstate_bundle",
	                                    "producer",
	                                    "source",
	                                    "source.size_bytes",
	                                    "source.sha256",
	                                    "source.name",
	                                    "container",
	                                    "layout",
	                                    "vcpus",
	                                    "members",
	                                    "members.0.name",
	                                    "members.0.role",
	                                    "members.0.size_bytes",
	                                    "members.0.sha256",
	                                    "members.0.unit",
	                                    "members.0.unit.name",
	                                    "members.0.unit.instance",
	                                    "members.0.unit.version",
	                                    "members.0.unit.pass",
	                                    "members.0.unit.offset",
	                                    "members.1.sha256"};
	static const char *const unknown[] = {"more",           "source.more",  "members.0.more", "members.0.unit.more",
	                                      "members.1.unit", "members.1.gpa"};
	static const struct {
		const char *path, *value;
	} wrong[] = {{"gimstate_bundle", "\"1\""},
	             {"gimstate_bundle", "1.0"},
	             {"producer", "1"},
	             {"source", "[]"},
	             {"source.size_bytes", "-1"},
	             {"source.size_bytes", "\"1\""},
	             {"source.sha256", "\"d5b1\""},
	             {"source.name", "1"},
	             {"container", "7"},
	             {"container.address_bytes", "\"8\""},
	             {"container.address_bytes", "300"},
	             {"container.format", "1"},
	             {"layout", "1"},
	             {"layout", "\"0123456789012345678901234567890123456789012345678901234567890123456789\""},
	             {"vcpus", "-1"},
	             {"vcpus", "1000000"},
	             {"vcpus", "null"},
	             {"members", "{}"},
	             {"members", "[]"},
	             {"members", "[1]"},
	             {"members.0.role", "\"nothing\""},
	             {"members.0.role", "\"state\""},
	             {"members.1.role", "\"unit\""},
	             {"members.1.role", "\"memory\""},
	             {"members.0.size_bytes", "-1"},
	             {"members.0.size_bytes", "8388609"},
	             {"members.1.size_bytes", "9223372036854775807"},
	             {"members.0.sha256", "\"D5B1C6424C69AF14C4E10F4BD5234A39DF12D0445758FF5433D8806902FC93FB\""},
	             {"members.0.unit", "null"},
	             {"members.0.unit.name", "\"\""},
	             {"members.0.unit.name", "\"0000000000000000000000000000000000000000000000000000000000000000"
	                                     "1111111111111111111111111111111111111111111111111111111111111111"
	                                     "2222222222222222222222222222222222222222222222222222222222222222"
	                                     "3333333333333333333333333333333333333333333333333333333333333333\""},
	             {"members.0.unit.instance", "4294967296"},
	             {"members.0.unit.version", "-1"},
	             {"members.0.unit.pass", "\"last\""},
	             {"members.0.unit.pass", "-1"},
	             {"members.0.unit.offset", "-1"},
	             {"members.2.unit.offset", "1e3"}};
	(void)user;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct parts parts = copy_sound();
		set_at(parts.manifest, paths[i], NULL);
		expect(&parts, TAR, "BUNDLE-MANIFEST", FAILS);
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		struct parts parts = copy_sound();
		set_at(parts.manifest, unknown[i], json_string("0x0"));
		expect(&parts, TAR, "BUNDLE-MANIFEST", FAILS);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct parts parts = copy_sound();
		set_at(parts.manifest, wrong[i].path, json_loads(wrong[i].value, JSON_DECODE_ANY, NULL));
		expect(&parts, TAR, "BUNDLE-MANIFEST", FAILS);
	}
	struct parts parts = copy_sound(); /* two units at one place */
	set_at(parts.manifest, "members.2.unit.offset", json_incref(json_object_get(json_object_get(member(&parts, 0), "unit"), "offset")));
	expect(&parts, TAR, "BUNDLE-MANIFEST", FAILS);
	parts = copy_sound(); /* the decoded state is missing */
	json_array_remove(json_object_get(parts.manifest, "members"), 1);
	expect(&parts, TAR, "BUNDLE-MANIFEST", FAILS);
	parts = copy_sound(); /* more is known of the container */
	set_at(parts.manifest, "container.more", json_string("later"));
	expect(&parts, TAR, "", FAILS);
}

static void test_texts(void **user)
{
	static const char *const texts[] = {"",
	                                    "{",
	                                    "[]",
	                                    "null",
	                                    "{\"gimstate_bundle\": 1}",
	                                    "{\"gimstate_bundle\": 1, \"gimstate_bundle\": 1}",
	                                    "\xff\xfe",
	                                    "{\"gimstate_bundle\": 1} x"};
	static const char *const versions[] = {"0", "2", "-1", "1000000000000"};
	(void)user;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct parts parts = copy_sound();
		parts.manifest_as_it_is = true;
		parts.files[0].bytes.size = 0;
		gim_buffer_bytes(&parts.files[0].bytes, texts[i], strlen(texts[i]));
		expect(&parts, TAR, "BUNDLE-MANIFEST", FAILS);
	}
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		struct parts parts = copy_sound();
		set_at(parts.manifest, "gimstate_bundle", json_loads(versions[i], JSON_DECODE_ANY, NULL));
		set_at(parts.manifest, "more", json_string("of a later release"));
		expect(&parts, TAR, "BUNDLE-VERSION", FAILS);
	}
	struct parts parts = copy_sound(); /* too long, though only spaces */
	parts.manifest_as_it_is = true;
	for (unsigned i = 0; i < 3 << 19; i++)
		gim_buffer_bytes(&parts.files[0].bytes, " ", 1);
	expect(&parts, TAR_ZSTD, "BUNDLE-MANIFEST", FAILS);
}

/* What is well packed, and yet not right. */
static void test_contents(void **user)
{
	(void)user;
	struct parts parts = copy_sound(); /* the payload was changed, and its sum with it, but not the document */
	parts.files[1].bytes.bytes[8 + 4] ^= 1;
	measure(&parts, 1);
	expect(&parts, TAR, "BUNDLE-STATE", IS_FOUND);
	parts = copy_sound(); /* the document is none */
	parts.files[2].bytes.size = 20;
	measure(&parts, 2);
	expect(&parts, TAR, "JSON-SYNTAX", CANNOT_BE_READ);
}

/* A bundle is not the container of its own units, nor the whole state of another one. */
static void test_in_itself(void **user)
{
	struct gim_error error = GIM_ERROR_INIT;
	(void)user;
	struct parts parts = copy_sound();
	set_at(parts.manifest, "container.format", json_string("bundle"));
	struct gim_buffer bundle = make_archive(&parts, TAR);
	assert_int_equal(open_and_read(&bundle, &error), GIM_E_UNSUPPORTED);
	gim_buffer_free(&bundle);
	free_parts(&parts);

	json_t *manifest = NULL;
	struct gim_buffer whole = pack_sample(true, &manifest);
	struct parts outer = copy_sound();
	for (size_t i = 3; i < 5; i++)
		gim_buffer_free(&outer.files[i].bytes);
	json_decref(outer.manifest);
	outer.manifest = manifest;
	outer.count = 4;
	outer.files[3] = (struct file){.name = "state.sav", .type = AE_IFREG, .bytes = whole};
	measure(&outer, 3);
	expect(&outer, TAR, "BUNDLE-MEMBER", CANNOT_BE_READ);
}

/* Memory of the guest can be packed by others, and is checked and unpacked. */
static void test_memory(void **user)
{
	struct parts parts = copy_sound();
	json_t *memory = json_pack("{s:s, s:s, s:i, s:s, s:s}", "name", "memory/0x0.bin", "role", "memory", "size_bytes", 0, "sha256", "",
	                           "gpa", "0x100000");
	(void)user;
	json_array_append_new(json_object_get(parts.manifest, "members"), memory);
	parts.files[5] = (struct file){.name = "memory/0x0.bin", .type = AE_IFREG};
	parts.count = 6;
	for (unsigned i = 0; i < 4096; i++)
		gim_buffer_bytes(&parts.files[5].bytes, &i, 1);
	measure(&parts, 5);
	struct parts wrong = parts;
	wrong.manifest = json_deep_copy(parts.manifest);
	for (size_t i = 0; i < wrong.count; i++) {
		wrong.files[i].bytes = (struct gim_buffer){.bytes = NULL};
		gim_buffer_bytes(&wrong.files[i].bytes, parts.files[i].bytes.bytes, parts.files[i].bytes.size);
	}
	expect(&parts, TAR_ZSTD, "", FAILS);
	set_at(wrong.manifest, "members.4.gpa", json_string("100000"));
	expect(&wrong, TAR, "BUNDLE-MANIFEST", FAILS);
}

static void test_suffixes(void **user)
{
	(void)user;
	assert_true(gim_bundle_is_name("a.gimb") && gim_bundle_is_name("a.zip") && gim_bundle_is_name("x/a.tar") &&
	            gim_bundle_is_name("a.tar.xz"));
	assert_false(gim_bundle_is_name(".gimb") || gim_bundle_is_name("a.sav.xz") || gim_bundle_is_name("gimb") || gim_bundle_is_name(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sound),  cmocka_unit_test(test_names),    cmocka_unit_test(test_manifest),
	    cmocka_unit_test(test_texts),  cmocka_unit_test(test_contents), cmocka_unit_test(test_in_itself),
	    cmocka_unit_test(test_memory), cmocka_unit_test(test_suffixes),
	};
	return cmocka_run_group_tests(tests, make_sound, free_sound);
}
