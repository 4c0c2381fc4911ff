/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bundles that are not as they should be: each is refused by its rule, whether it is opened, verified or unpacked, and nothing of it is taken for good. */
#include "bundle/manifest.h"
#include "digest.h"
#include "packed.h"

#include <archive.h>
#include <archive_entry.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define SAMPLE "samples/hyperv-1.sav"
enum { FILES_MAX = 8, NAME_BYTES = 160 };

/* A file of an archive. */
struct file {
	char name[NAME_BYTES];
	unsigned type;       /* AE_IFREG… */
	bool hardlink;       /* to what stands before it */
	uint64_t zero_bytes; /* after its bytes, */
	bool sparse;         /* as a hole */
	struct gim_buffer bytes;
};

/* What an archive is made of: a sound bundle, until a case changes it. */
struct parts {
	json_t *manifest;
	struct file files[FILES_MAX]; /* the manifest is the first, its bytes are made last */
	size_t count;
	bool manifest_as_it_is; /* its bytes are there */
};

static struct parts sound; /* of the sample: gim.bin, state.json, tm and mm as units */

/*
 * Making them.
 */
static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

static int take_member(void *user, const char *name, uint64_t size, gim_sink_fn **sink, void **sink_user, struct gim_error *error)
{
	struct parts *parts = user;
	struct file *file = &parts->files[parts->count++];
	(void)size;
	(void)error;
	assert_true(parts->count <= FILES_MAX);
	(void)snprintf(file->name, sizeof(file->name), "%s", name);
	file->type = AE_IFREG;
	*sink = collect;
	*sink_user = &file->bytes;
	return 0;
}

static int memory_file(const struct gim_buffer *bytes, char *path, size_t size)
{
	const int fd = memfd_create("bundle", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes->bytes, bytes->size), bytes->size);
	(void)snprintf(path, size, "/proc/self/fd/%d", fd);
	return fd;
}

static struct gim_buffer pack_sample(bool whole, json_t **manifest)
{
	struct gim_buffer bundle = {.bytes = NULL};
	struct gim_state *state = NULL;
	struct gim_unit units[2];
	struct gim_error error = GIM_ERROR_INIT;
	assert_int_equal(gim_state_open_settled(SAMPLE, &state, &error), 0);
	assert_int_equal(gim_unit_find(state, "tm", 1, GIM_PASS_FINAL, &units[0], &error), 0);
	assert_int_equal(gim_unit_find(state, "mm", 1, GIM_PASS_FINAL, &units[1], &error), 0);
	const struct gim_pack_options options = {.source_name = "a.sav", .units = units, .unit_count = whole ? 0 : 2, .whole = whole};
	assert_int_equal(gim_state_pack(state, &options, collect, &bundle, manifest, &error), 0);
	gim_state_free(&state);
	return bundle;
}

static int make_sound(void **user)
{
	char path[64];
	struct gim_buffer bundle = pack_sample(false, &sound.manifest);
	const int fd = memory_file(&bundle, path, sizeof(path));
	(void)user;
	assert_int_equal(gim_bundle_read(path, take_member, &sound, NULL), 0);
	assert_int_equal(sound.count, 5);
	(void)close(fd);
	gim_buffer_free(&bundle);
	return 0;
}

static int free_sound(void **user)
{
	(void)user;
	for (size_t i = 0; i < sound.count; i++)
		gim_buffer_free(&sound.files[i].bytes);
	json_decref(sound.manifest);
	return 0;
}

static struct parts copy_sound(void)
{
	struct parts parts = sound;
	parts.manifest = json_deep_copy(sound.manifest);
	for (size_t i = 0; i < parts.count; i++) {
		struct gim_buffer copy = {.bytes = NULL};
		gim_buffer_bytes(&copy, parts.files[i].bytes.bytes, parts.files[i].bytes.size);
		parts.files[i].bytes = copy;
	}
	return parts;
}

static void free_parts(struct parts *parts)
{
	for (size_t i = 0; i < parts->count; i++)
		gim_buffer_free(&parts->files[i].bytes);
	json_decref(parts->manifest);
}

static void fill_entry(struct archive_entry *entry, const struct file *file, const char *before)
{
	archive_entry_set_pathname(entry, file->name);
	archive_entry_set_filetype(entry, file->type);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_size(entry, file->hardlink || file->type != AE_IFREG ? 0 : (la_int64_t)(file->bytes.size + file->zero_bytes));
	if (file->type == AE_IFLNK)
		archive_entry_set_symlink(entry, "/etc/passwd");
	if (file->hardlink)
		archive_entry_set_hardlink(entry, before);
	if (file->sparse)
		archive_entry_sparse_add_entry(entry, 0, (la_int64_t)file->bytes.size);
}

enum kind { TAR, TAR_ZSTD, ZIP, KINDS, TAR_PAX = KINDS };

/* buffer is the caller's. */
static struct gim_buffer make_archive(struct parts *parts, enum kind kind)
{
	enum { ROOM = 32 << 20 };
	struct archive *archive = archive_write_new();
	struct gim_buffer made = {.bytes = malloc(ROOM)};
	if (!parts->manifest_as_it_is) {
		char *text = json_dumps(parts->manifest, JSON_INDENT(1));
		parts->files[0].bytes.size = 0;
		gim_buffer_bytes(&parts->files[0].bytes, text, strlen(text));
		free(text);
	}
	assert_int_equal(kind == ZIP       ? archive_write_set_format_zip(archive)
	                 : kind == TAR_PAX ? archive_write_set_format_pax_restricted(archive)
	                                   : archive_write_set_format_gnutar(archive),
	                 ARCHIVE_OK);
	if (kind == TAR_ZSTD)
		assert_int_equal(archive_write_add_filter_zstd(archive), ARCHIVE_OK);
	assert_int_equal(archive_write_set_bytes_in_last_block(archive, 1), ARCHIVE_OK);
	assert_int_equal(archive_write_open_memory(archive, made.bytes, ROOM, &made.size), ARCHIVE_OK);
	for (size_t i = 0; i < parts->count; i++) {
		const struct file *file = &parts->files[i];
		struct archive_entry *entry = archive_entry_new();
		fill_entry(entry, file, i ? parts->files[i - 1].name : "");
		const int result = archive_write_header(archive, entry);
		assert_true(result == ARCHIVE_OK || result == ARCHIVE_WARN || kind == ZIP);
		if (file->type == AE_IFREG && !file->hardlink && file->bytes.size)
			assert_int_equal(archive_write_data(archive, file->bytes.bytes, file->bytes.size), file->bytes.size);
		for (uint64_t done = 0; file->type == AE_IFREG && !file->sparse && done < file->zero_bytes;) {
			static const uint8_t zeros[1 << 16];
			const uint64_t left = file->zero_bytes - done;
			const la_ssize_t more = archive_write_data(archive, zeros, left < sizeof(zeros) ? (size_t)left : sizeof(zeros));
			if (more <= 0)
				break;
			done += (uint64_t)more;
		}
		archive_entry_free(entry);
	}
	assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
	archive_write_free(archive);
	return made;
}

/*
 * Looking at them.
 */
struct verdict {
	char rules[256]; /* ids of the findings, a space after each */
};

static void take_finding(void *user, const struct gim_finding *finding)
{
	struct verdict *verdict = user;
	const size_t used = strlen(verdict->rules);
	assert_true(*finding->text);
	(void)snprintf(verdict->rules + used, sizeof(verdict->rules) - used, "%s ", finding->rule->id);
}

static int count_sink(void *user, const void *bytes, size_t size)
{
	*(uint64_t *)user += size;
	(void)bytes;
	return 0;
}

static int look_at_member(void *user, const char *name, uint64_t size, gim_sink_fn **sink, void **sink_user, struct gim_error *error)
{
	(void)size;
	(void)error;
	/* Whatever the manifest and the archive say: no name that was given could lead out of a folder. */
	assert_true(*name && *name != '/' && *name != '.' && !strstr(name, "..") && !strstr(name, "//") && !strchr(name, '\\') &&
	            strlen(name) < BUNDLE_NAME_MAX);
	*sink = count_sink;
	*sink_user = user;
	return 0;
}

static int unpack(const struct gim_buffer *bundle, struct gim_error *error)
{
	char path[64];
	uint64_t bytes = 0;
	const int fd = memory_file(bundle, path, sizeof(path));
	int result = gim_bundle_read(path, look_at_member, &bytes, error);
	(void)close(fd);
	return result;
}

static int open_and_read(const struct gim_buffer *bundle, struct gim_error *error)
{
	struct gim_state *state = NULL;
	struct gim_unit unit = {.name = ""};
	int more, result = gim_state_open_memory(bundle->bytes, bundle->size, &state, error);
	if (result)
		return result;
	result = gim_state_decode(state, GIM_PART_GIM | GIM_PART_GUEST, NULL, NULL, error);
	while (!result && (more = gim_unit_next(state, &unit, error))) {
		uint64_t bytes = 0;
		result = more < 0 ? more : gim_unit_read(state, &unit, count_sink, &bytes, error);
	}
	gim_state_free(&state);
	return result;
}

/* What breaks a rule keeps it from being unpacked and read, or only read, or is only found by verify. */
enum consequence { FAILS, CANNOT_BE_READ, IS_FOUND };

static void expect_failure(bool fails, int result, const struct gim_error *error, const char *rule)
{
	assert_int_equal(result < 0, fails);
	assert_true(!fails || (error->rule && !strcmp(error->rule->id, rule)));
}

/* The rule that a bundle breaks. "": it is sound. */
static void expect(struct parts *parts, enum kind kind, const char *rule, enum consequence consequence)
{
	struct gim_buffer bundle = make_archive(parts, kind);
	struct verdict verdict = {.rules = ""};
	struct gim_error error = GIM_ERROR_INIT, opened = GIM_ERROR_INIT, unpacked = GIM_ERROR_INIT;
	const int result = gim_verify_memory(bundle.bytes, bundle.size, NULL, take_finding, &verdict, &error);
	char expected[64];
	(void)snprintf(expected, sizeof(expected), "%s%s", rule, *rule ? " " : "");
	assert_string_equal(verdict.rules, expected);
	assert_int_equal(result, *rule != '\0');
	const int read = open_and_read(&bundle, &opened), unpack_result = unpack(&bundle, &unpacked);
	expect_failure(*rule && consequence != IS_FOUND, read, &opened, rule);
	expect_failure(*rule && consequence == FAILS, unpack_result, &unpacked, rule);
	gim_buffer_free(&bundle);
	free_parts(parts);
}

static json_t *member(const struct parts *parts, size_t index)
{
	return json_array_get(json_object_get(parts->manifest, "members"), index);
}

/* The manifest says of a file what is true. */
static void measure(struct parts *parts, size_t index)
{
	const struct file *file = &parts->files[index];
	struct gim_digest *digest = NULL;
	uint8_t sha256[GIM_SHA256_BYTES];
	char text[GIM_SHA256_TEXT];
	assert_int_equal(gim_digest_new(&digest, NULL), 0);
	gim_digest_add(digest, file->bytes.bytes, file->bytes.size);
	gim_digest_end(digest, sha256);
	gim_digest_free(&digest);
	gim_sha256_text(sha256, text);
	json_object_set_new(member(parts, index - 1), "sha256", json_string(text));
	json_object_set_new(member(parts, index - 1), "size_bytes", json_integer((json_int_t)file->bytes.size));
}

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

/* The archive may say something else than the manifest: links, devices, folders, sparse files, in the place of a member or of the manifest. */
static void test_types(void **user)
{
	static const unsigned types[] = {AE_IFLNK, AE_IFDIR, AE_IFCHR, AE_IFBLK, AE_IFIFO};
	(void)user;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		for (size_t at = 1; at < 5; at++) {
			struct parts parts = copy_sound();
			parts.files[at].type = types[i];
			expect(&parts, TAR, "BUNDLE-MEMBER", FAILS);
		}
	struct parts parts = copy_sound();
	parts.files[2].hardlink = true;
	expect(&parts, TAR_ZSTD, "BUNDLE-MEMBER", FAILS);
	for (size_t at = 1; at < 5; at++) { /* sparse, and larger than any disk */
		parts = copy_sound();
		parts.files[at].sparse = true;
		parts.files[at].zero_bytes = UINT64_C(1) << 50;
		expect(&parts, TAR_PAX, "BUNDLE-MEMBER", FAILS);
	}
}

static void test_order(void **user)
{
	(void)user;
	for (size_t at = 1; at < 5; at++) { /* missing */
		struct parts parts = copy_sound();
		gim_buffer_free(&parts.files[at].bytes);
		memmove(&parts.files[at], &parts.files[at + 1], (--parts.count - at) * sizeof(parts.files[0]));
		expect(&parts, TAR, "BUNDLE-MEMBER", FAILS);
	}
	for (size_t at = 1; at <= 5; at++) { /* one too many: a stranger, or a member again */
		for (unsigned again = 0; again < 2; again++) {
			struct parts parts = copy_sound();
			memmove(&parts.files[at + 1], &parts.files[at], (parts.count++ - at) * sizeof(parts.files[0]));
			parts.files[at] = (struct file){.name = "more.bin", .type = AE_IFREG};
			if (again)
				(void)snprintf(parts.files[at].name, NAME_BYTES, "%s", parts.files[at - 1].name);
			expect(&parts, TAR_ZSTD, "BUNDLE-MEMBER", FAILS);
		}
	}
	for (size_t at = 1; at < 4; at++) { /* in another order */
		struct parts parts = copy_sound();
		const struct file file = parts.files[at];
		parts.files[at] = parts.files[at + 1];
		parts.files[at + 1] = file;
		expect(&parts, ZIP, "BUNDLE-MEMBER", FAILS);
	}
}

static void test_sums(void **user)
{
	(void)user;
	for (size_t at = 1; at < 5; at++)
		for (enum kind kind = TAR; kind < KINDS; kind++) {
			struct parts parts = copy_sound();
			parts.files[at].bytes.bytes[parts.files[at].bytes.size / 2] ^= 0x10;
			expect(&parts, kind, "PACKED-SHA256", FAILS);
			parts = copy_sound();
			gim_buffer_bytes(&parts.files[at].bytes, "x", 1);
			expect(&parts, kind, "PACKED-SIZE", FAILS);
			parts = copy_sound();
			parts.files[at].bytes.size--;
			expect(&parts, kind, "PACKED-SIZE", FAILS);
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

static void append_frame(struct gim_buffer *bundle, const uint8_t *bytes, size_t size)
{
	struct gim_packer *packer = NULL;
	assert_int_equal(gim_packer_new(GIM_ARCHIVE_NONE, GIM_FILTER_ZSTD, collect, bundle, &packer, NULL), 0);
	assert_int_equal(gim_packer_write(packer, bytes, size, NULL), 0);
	assert_int_equal(gim_packer_finish(&packer, NULL), 0);
}

/* The header of an empty file becomes one of a file of this size. */
static void set_size(uint8_t *header, unsigned long long size)
{
	unsigned sum = 0;
	(void)snprintf((char *)header + 124, 12, "%011llo", size);
	memset(header + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += header[i];
	(void)snprintf((char *)header + 148, 8, "%06o", sum);
}

/*
 * As much as it says, which is far too much for what it is packed in, before a whole state. It is put together of frames, so that nobody has to compress that
 * much; and it is passed over, since summing up a gibibyte takes its time.
 */
static void expand(void)
{
	enum { FRAME_BYTES = 64 << 20, FRAMES = 20 };
	const unsigned long long size = (unsigned long long)FRAME_BYTES * FRAMES;
	struct parts parts = copy_sound();
	struct gim_buffer bundle = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	uint8_t *zeros = calloc(1, FRAME_BYTES);
	parts.files[3].bytes.size = 0;
	json_object_set_new(member(&parts, 2), "size_bytes", json_integer((json_int_t)size));
	json_object_set_new(member(&parts, 3), "role", json_string("whole"));
	json_object_del(member(&parts, 3), "unit");
	struct gim_buffer tar = make_archive(&parts, TAR);
	uint8_t *header = memmem(tar.bytes + tar.size / 2, tar.size / 2, parts.files[3].name, strlen(parts.files[3].name) + 1);
	assert_non_null(header);
	set_size(header, size);
	append_frame(&bundle, tar.bytes, (size_t)(header + 512 - tar.bytes));
	for (unsigned i = 0; i < FRAMES; i++)
		append_frame(&bundle, zeros, FRAME_BYTES);
	append_frame(&bundle, header + 512, tar.size - (size_t)(header + 512 - tar.bytes));
	struct gim_state *state = NULL;
	assert_int_equal(gim_state_open_memory(bundle.bytes, bundle.size, &state, &error), GIM_E_LIMIT);
	assert_string_equal(error.rule->id, "PACKED-LIMIT");
	free(zeros);
	gim_buffer_free(&bundle);
	gim_buffer_free(&tar);
	free_parts(&parts);
}

static void test_bombs(void **user)
{
	static const uint8_t zeros[1 << 16];
	(void)user;
	/* More than the manifest says, by far: not all of it is unpacked. */
	for (enum kind kind = TAR_ZSTD; kind < KINDS; kind++) {
		struct parts parts = copy_sound();
		for (unsigned i = 0; i < 256; i++)
			gim_buffer_bytes(&parts.files[3].bytes, zeros, sizeof(zeros));
		expect(&parts, kind, "PACKED-SIZE", FAILS);
	}
	expand();
}

/* What follows the members says nothing of them: empty blocks in a tar archive, the list of what is in it in a zip archive. */
static size_t end_of_members(const struct gim_buffer *bundle, enum kind kind)
{
	if (kind == TAR)
		return bundle->size - 1024;
	return kind == ZIP ? (size_t)((uint8_t *)memmem(bundle->bytes, bundle->size, "PK\1\2", 4) - bundle->bytes) : bundle->size;
}

/* An archive whose members are cut is never taken for a whole one. */
static void test_truncation(void **user)
{
	(void)user;
	for (enum kind kind = TAR; kind < KINDS; kind++) {
		struct parts parts = copy_sound();
		struct gim_buffer bundle = make_archive(&parts, kind);
		const size_t end = end_of_members(&bundle, kind);
		for (size_t size = 0; size < end; size += 64) {
			const struct gim_buffer cut = {.bytes = bundle.bytes, .size = size};
			struct gim_error error = GIM_ERROR_INIT;
			struct verdict verdict = {.rules = ""};
			assert_true(unpack(&cut, &error) < 0);
			assert_true(error.code < 0 && *error.text);
			assert_int_equal(gim_verify_memory(cut.bytes, cut.size, NULL, take_finding, &verdict, NULL), 1);
		}
		gim_buffer_free(&bundle);
		free_parts(&parts);
	}
}

/* The same for a whole state; and every single bit of it counts. */
static void test_whole(void **user)
{
	json_t *manifest = NULL;
	struct gim_buffer bundle = pack_sample(true, &manifest);
	struct verdict verdict = {.rules = ""};
	(void)user;
	assert_int_equal(gim_verify_memory(bundle.bytes, bundle.size, NULL, take_finding, &verdict, NULL), 0);
	assert_int_equal(open_and_read(&bundle, NULL), 0);
	for (size_t size = 0; size < bundle.size - 1024; size += 64) {
		const struct gim_buffer cut = {.bytes = bundle.bytes, .size = size};
		assert_true(unpack(&cut, NULL) < 0);
		assert_int_equal(gim_verify_memory(cut.bytes, cut.size, NULL, NULL, NULL, NULL), 1);
	}
	const json_int_t last = json_integer_value(json_object_get(json_array_get(json_object_get(manifest, "members"), 2), "size_bytes"));
	const size_t whole = ((size_t)last + 511) & ~(size_t)511, from = bundle.size - 1024 - whole;
	for (size_t at = from; at < from + (size_t)last; at += 97) {
		bundle.bytes[at] ^= (uint8_t)(1u << at % 8);
		assert_int_equal(gim_verify_memory(bundle.bytes, bundle.size, NULL, NULL, NULL, NULL), 1);
		assert_true(unpack(&bundle, NULL) < 0);
		bundle.bytes[at] ^= (uint8_t)(1u << at % 8);
	}
	gim_buffer_free(&bundle);
	json_decref(manifest);
}

/* Memory of the guest is planned: it can be packed by others, and is checked and unpacked. */
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
	    cmocka_unit_test(test_sound),  cmocka_unit_test(test_names),      cmocka_unit_test(test_types),
	    cmocka_unit_test(test_order),  cmocka_unit_test(test_sums),       cmocka_unit_test(test_manifest),
	    cmocka_unit_test(test_texts),  cmocka_unit_test(test_contents),   cmocka_unit_test(test_in_itself),
	    cmocka_unit_test(test_bombs),  cmocka_unit_test(test_truncation), cmocka_unit_test(test_whole),
	    cmocka_unit_test(test_memory), cmocka_unit_test(test_suffixes),
	};
	return cmocka_run_group_tests(tests, make_sound, free_sound);
}
