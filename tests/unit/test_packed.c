/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Packed data: what is written is read again, the same each time; truncation, limits, and what a member must be; archives in archives. */
#include "cursor.h"
#include "digest.h"
#include "packed.h"

#include <archive.h>
#include <archive_entry.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const enum gim_filter filters[] = {GIM_FILTER_NONE, GIM_FILTER_GZIP, GIM_FILTER_BZIP2, GIM_FILTER_XZ, GIM_FILTER_ZSTD};
enum { FILTERS = sizeof(filters) / sizeof(filters[0]), CONTENT_BYTES = 100000 };

static uint8_t content[CONTENT_BYTES];

static int make_content(void **user)
{
	(void)user;
	uint32_t random = 1;
	for (size_t i = 0; i < sizeof(content); i++) {
		random = random * 1664525 + 1013904223;
		content[i] = (uint8_t)(random >> 24 & (i % 3 ? 0xff : 3));
	}
	return 0;
}

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

static struct gim_buffer pack(enum gim_archive archive, enum gim_filter filter, const void *bytes, size_t size)
{
	struct gim_buffer packed = {.bytes = NULL};
	struct gim_packer *packer = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	assert_int_equal(gim_packer_new(archive, filter, collect, &packed, &packer, &error), 0);
	for (unsigned i = 0; i < 3 && archive != GIM_ARCHIVE_NONE; i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "%u/member", i);
		assert_int_equal(gim_packer_member(packer, name, i, &error), 0);
		assert_int_equal(gim_packer_write(packer, "ab", i, &error), 0);
	}
	if (archive != GIM_ARCHIVE_NONE)
		assert_int_equal(gim_packer_member(packer, "wanted", size, &error), 0);
	for (size_t done = 0; done < size; done += 1000)
		assert_int_equal(gim_packer_write(packer, (const char *)bytes + done, size - done < 1000 ? size - done : 1000, &error), 0);
	assert_int_equal(gim_packer_finish(&packer, &error), 0);
	assert_null(packer);
	assert_false(packed.failed);
	return packed;
}

static struct gim_unpacker *start(const struct gim_buffer *packed, size_t size, enum gim_packed kind,
                                  const struct gim_unpack_limits *limits)
{
	struct gim_input input;
	struct gim_unpacker *unpacker = NULL;
	gim_input_open_memory(&input, packed->bytes, size);
	assert_int_equal(gim_unpacker_new(&input, kind, limits, &unpacker, NULL), 0);
	return unpacker;
}

/* All of a member, in pieces of some size. Returns what reading did. */
static int read_all(struct gim_unpacker *unpacker, size_t piece, struct gim_buffer *all, struct gim_error *error)
{
	uint8_t bytes[4096];
	size_t got = piece;
	int result = 0;
	while (!result && got == piece) {
		result = gim_unpacker_read(unpacker, bytes, piece, &got, error);
		if (!result)
			gim_buffer_bytes(all, bytes, got);
	}
	return result;
}

static void test_streams(void **user)
{
	(void)user;
	for (size_t f = 1; f < FILTERS; f++)
		for (size_t size = 0; size <= CONTENT_BYTES; size = size * 50 + 40) {
			struct gim_buffer once = pack(GIM_ARCHIVE_NONE, filters[f], content, size);
			struct gim_buffer again = pack(GIM_ARCHIVE_NONE, filters[f], content, size), all = {.bytes = NULL};
			struct gim_unpacked member;
			assert_int_equal(once.size, again.size);
			assert_memory_equal(once.bytes, again.bytes, once.size);
			struct gim_unpacker *unpacker = start(&once, once.size, GIM_PACKED_STREAM, NULL);
			const int more = gim_unpacker_next(unpacker, &member, NULL);
			assert_true(more == 1 || (!size && !more));
			assert_int_equal(read_all(unpacker, 777, &all, NULL), 0);
			assert_int_equal(all.size, size);
			assert_true(!size || !memcmp(all.bytes, content, size));
			gim_unpacker_free(&unpacker);
			gim_buffer_free(&once);
			gim_buffer_free(&again);
			gim_buffer_free(&all);
		}
}

/* A stream that is cut never passes for a whole one; its failure is told once, and then it is at its end. */
static void test_truncation(void **user)
{
	enum { SIZE = 3000 };
	(void)user;
	for (size_t f = 1; f < FILTERS; f++) {
		struct gim_buffer packed = pack(GIM_ARCHIVE_NONE, filters[f], content, SIZE);
		for (size_t size = 24; size < packed.size; size += 7) { /* fewer bytes are not known for what they are */
			struct gim_unpacker *unpacker = NULL;
			struct gim_input input;
			struct gim_unpacked member;
			struct gim_error error = GIM_ERROR_INIT;
			struct gim_buffer all = {.bytes = NULL};
			gim_input_open_memory(&input, packed.bytes, size);
			int result = gim_unpacker_new(&input, GIM_PACKED_STREAM, NULL, &unpacker, &error);
			if (!result)
				result = gim_unpacker_next(unpacker, &member, &error);
			if (result >= 0)
				result = read_all(unpacker, 100, &all, &error);
			assert_true(result == GIM_E_CORRUPT || (!result && all.size == SIZE));
			assert_true(!result || error.rule == &gim_packed_rules[GIM_PACKED_DAMAGED]);
			if (result && unpacker) {
				uint8_t byte;
				size_t got = 1;
				assert_int_equal(gim_unpacker_read(unpacker, &byte, 1, &got, NULL), 0);
				assert_int_equal(got, 0);
			}
			gim_unpacker_free(&unpacker);
			gim_buffer_free(&all);
		}
		gim_buffer_free(&packed);
	}
}

static int read_limited(const struct gim_buffer *packed, enum gim_packed kind, const struct gim_unpack_limits *limits)
{
	struct gim_unpacker *unpacker = start(packed, packed->size, kind, limits);
	struct gim_unpacked member = {.name = ""};
	struct gim_buffer all = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	int result;
	do
		result = gim_unpacker_next(unpacker, &member, &error);
	while (result > 0 && kind == GIM_PACKED_ARCHIVE && strcmp(member.name, "wanted") != 0);
	if (result > 0)
		result = read_all(unpacker, 4096, &all, &error);
	assert_true(!result || error.rule == &gim_packed_rules[GIM_PACKED_LIMIT]);
	assert_true(result || all.size == CONTENT_BYTES);
	assert_true(!result || all.size < CONTENT_BYTES);
	gim_unpacker_free(&unpacker);
	gim_buffer_free(&all);
	return result;
}

static void test_limits(void **user)
{
	static const uint8_t zeros[CONTENT_BYTES];
	const struct gim_unpack_limits small = {CONTENT_BYTES / 2, UINT64_MAX, 1}, exact = {CONTENT_BYTES, UINT64_MAX, 1},
				       ratio = {UINT64_MAX, 10000, 20}, free = {UINT64_MAX, CONTENT_BYTES, 20};
	(void)user;
	for (size_t f = 1; f < FILTERS; f++) {
		struct gim_buffer bomb = pack(GIM_ARCHIVE_NONE, filters[f], zeros, CONTENT_BYTES);
		struct gim_buffer sound = pack(GIM_ARCHIVE_NONE, filters[f], content, CONTENT_BYTES);
		struct gim_buffer zip = pack(GIM_ARCHIVE_ZIP, GIM_FILTER_NONE, zeros, CONTENT_BYTES);
		assert_int_equal(read_limited(&sound, GIM_PACKED_STREAM, &small), GIM_E_LIMIT);
		assert_int_equal(read_limited(&sound, GIM_PACKED_STREAM, &exact), 0);
		assert_int_equal(read_limited(&sound, GIM_PACKED_STREAM, &ratio), 0);
		assert_int_equal(read_limited(&bomb, GIM_PACKED_STREAM, &ratio), GIM_E_LIMIT);
		assert_int_equal(read_limited(&bomb, GIM_PACKED_STREAM, &free), 0);
		assert_int_equal(read_limited(&bomb, GIM_PACKED_STREAM, NULL), 0);
		assert_int_equal(read_limited(&zip, GIM_PACKED_ARCHIVE, &ratio), GIM_E_LIMIT);
		assert_int_equal(read_limited(&zip, GIM_PACKED_ARCHIVE, &small), GIM_E_LIMIT);
		gim_buffer_free(&bomb);
		gim_buffer_free(&sound);
		gim_buffer_free(&zip);
	}
}

/* What is passed over counts, too. */
static void test_limit_of_skipping(void **user)
{
	static const uint8_t zeros[CONTENT_BYTES];
	const struct gim_unpack_limits limits = {CONTENT_BYTES / 2, UINT64_MAX, 1};
	struct gim_buffer packed = pack(GIM_ARCHIVE_TAR, GIM_FILTER_GZIP, zeros, CONTENT_BYTES);
	struct gim_unpacker *unpacker = start(&packed, packed.size, GIM_PACKED_ARCHIVE, &limits);
	struct gim_unpacked member;
	struct gim_error error = GIM_ERROR_INIT;
	int result;
	(void)user;
	while ((result = gim_unpacker_next(unpacker, &member, &error)) > 0)
		;
	/* Its end is met in the same block, or the limit. */
	assert_true(!result || error.rule == &gim_packed_rules[GIM_PACKED_LIMIT]);
	gim_unpacker_free(&unpacker);
	gim_buffer_free(&packed);
}

static void test_members(void **user)
{
	static const enum gim_archive archives[] = {GIM_ARCHIVE_TAR, GIM_ARCHIVE_ZIP};
	(void)user;
	for (size_t a = 0; a < 2; a++)
		for (size_t f = 0; f < (archives[a] == GIM_ARCHIVE_ZIP ? 1 : FILTERS); f++) {
			struct gim_buffer packed = pack(archives[a], filters[f], content, 5000);
			struct gim_unpacker *unpacker = start(&packed, packed.size, GIM_PACKED_ARCHIVE, NULL);
			struct gim_unpacked member;
			struct gim_buffer all = {.bytes = NULL};
			uint8_t byte;
			size_t got;
			for (unsigned i = 0; i < 3; i++) {
				char name[32];
				(void)snprintf(name, sizeof(name), "%u/member", i);
				assert_int_equal(gim_unpacker_next(unpacker, &member, NULL), 1);
				assert_string_equal(member.name, name);
				assert_int_equal(member.kind, GIM_MEMBER_FILE);
				assert_int_equal(gim_unpacker_read(unpacker, &byte, i == 2, &got, NULL), 0); /* left before its end */
			}
			assert_int_equal(gim_unpacker_next(unpacker, &member, NULL), 1);
			assert_string_equal(member.name, "wanted");
			assert_int_equal(read_all(unpacker, 333, &all, NULL), 0);
			assert_int_equal(all.size, 5000);
			assert_memory_equal(all.bytes, content, 5000);
			assert_int_equal(gim_unpacker_next(unpacker, &member, NULL), 0);
			gim_unpacker_free(&unpacker);
			gim_buffer_free(&packed);
			gim_buffer_free(&all);
		}
}

static int read_expected(uint64_t size, const uint8_t *sha256, const struct gim_rule **rule)
{
	struct gim_buffer packed = pack(GIM_ARCHIVE_TAR, GIM_FILTER_ZSTD, content, 5000), all = {.bytes = NULL};
	struct gim_unpacker *unpacker = start(&packed, packed.size, GIM_PACKED_ARCHIVE, NULL);
	struct gim_unpacked member;
	struct gim_error error = GIM_ERROR_INIT;
	do
		assert_int_equal(gim_unpacker_next(unpacker, &member, NULL), 1);
	while (strcmp(member.name, "wanted") != 0);
	assert_int_equal(gim_unpacker_expect(unpacker, size, sha256, NULL), 0);
	int result = read_all(unpacker, 1000, &all, &error);
	*rule = error.rule;
	gim_unpacker_free(&unpacker);
	gim_buffer_free(&packed);
	gim_buffer_free(&all);
	return result;
}

static void test_expectation(void **user)
{
	struct gim_digest *digest = NULL;
	const struct gim_rule *rule;
	uint8_t sha256[GIM_SHA256_BYTES], again[GIM_SHA256_BYTES];
	char text[GIM_SHA256_TEXT];
	(void)user;
	assert_int_equal(gim_digest_new(&digest, NULL), 0);
	gim_digest_add(digest, "abc", 3);
	gim_digest_end(digest, sha256);
	gim_sha256_text(sha256, text);
	assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); /* FIPS 180-4 */
	assert_true(gim_sha256_parse(text, again));
	assert_memory_equal(sha256, again, sizeof(sha256));
	text[5] = 'G';
	assert_false(gim_sha256_parse(text, again));
	assert_false(gim_sha256_parse("", again));
	gim_digest_add(digest, content, 5000);
	gim_digest_end(digest, sha256);
	gim_digest_free(&digest);
	assert_int_equal(read_expected(5000, sha256, &rule), 0);
	assert_int_equal(read_expected(4999, sha256, &rule), GIM_E_CORRUPT);
	assert_ptr_equal(rule, &gim_packed_rules[GIM_PACKED_SIZE]);
	assert_int_equal(read_expected(5001, sha256, &rule), GIM_E_CORRUPT);
	assert_ptr_equal(rule, &gim_packed_rules[GIM_PACKED_SIZE]);
	sha256[31] ^= 1;
	assert_int_equal(read_expected(5000, sha256, &rule), GIM_E_CORRUPT);
	assert_ptr_equal(rule, &gim_packed_rules[GIM_PACKED_SHA256]);
}

/*
 * Inputs.
 */
static void test_settled(void **user)
{
	struct gim_buffer packed = pack(GIM_ARCHIVE_NONE, GIM_FILTER_XZ, content, CONTENT_BYTES);
	struct gim_input input;
	uint8_t head[16], bytes[1000];
	size_t got;
	(void)user;
	gim_input_open_memory(&input, packed.bytes, packed.size);
	assert_int_equal(gim_layer_open(&input, gim_layer_find(packed.bytes, packed.size, false), NULL, NULL), 0);
	assert_false(input.seekable);
	assert_int_equal(gim_input_peek(&input, head, sizeof(head), &got, NULL), 0);
	assert_memory_equal(head, content, sizeof(head));
	assert_int_equal(gim_input_settle(&input, NULL), 0);
	assert_true(input.seekable);
	assert_int_equal(input.size, CONTENT_BYTES);
	for (size_t at = CONTENT_BYTES; at >= 1000; at -= 900) {
		assert_int_equal(gim_input_read(&input, at - 1000, bytes, sizeof(bytes), &got, NULL), 0);
		assert_int_equal(got, sizeof(bytes));
		assert_memory_equal(bytes, content + at - 1000, sizeof(bytes));
	}
	gim_input_close(&input);
	gim_buffer_free(&packed);
}

/* A tar archive with one of each: a file, and what is none. */
static size_t make_tar(uint8_t *bytes, size_t size)
{
	static const struct {
		const char *name;
		unsigned type;
		const char *symlink, *hardlink;
	} entries[] = {{"file", AE_IFREG, NULL, NULL},      {"folder/", AE_IFDIR, NULL, NULL},
	               {"symlink", AE_IFLNK, "file", NULL}, {"hardlink", AE_IFREG, NULL, "file"},
	               {"device", AE_IFCHR, NULL, NULL},    {"fifo", AE_IFIFO, NULL, NULL},
	               {"./dotted", AE_IFREG, NULL, NULL},  {"a/name with spaces", AE_IFREG, NULL, NULL}};
	struct archive *archive = archive_write_new();
	size_t used = 0;
	assert_int_equal(archive_write_set_format_pax_restricted(archive), ARCHIVE_OK);
	assert_int_equal(archive_write_open_memory(archive, bytes, size, &used), ARCHIVE_OK);
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		struct archive_entry *entry = archive_entry_new();
		const bool plain = entries[i].type == AE_IFREG && !entries[i].hardlink;
		archive_entry_set_pathname(entry, entries[i].name);
		archive_entry_set_filetype(entry, entries[i].type);
		archive_entry_set_perm(entry, 0644);
		if (entries[i].symlink)
			archive_entry_set_symlink(entry, entries[i].symlink);
		if (entries[i].hardlink)
			archive_entry_set_hardlink(entry, entries[i].hardlink);
		archive_entry_set_size(entry, plain ? 5 : 0);
		assert_true(archive_write_header(archive, entry) >= ARCHIVE_WARN);
		if (plain)
			assert_int_equal(archive_write_data(archive, "hello", 5), 5);
		archive_entry_free(entry);
	}
	assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
	archive_write_free(archive);
	return used;
}

static void test_member(void **user)
{
	static uint8_t tar[64 * 1024];
	static const struct {
		const char *name;
		int result;
	} cases[] = {{"file", 0},    {"./file", 0},   {"/file", 0},    {"dotted", 0},    {"a/name with spaces", 0},
	             {"folder", -1}, {"folder/", -1}, {"symlink", -1}, {"hardlink", -1}, {"device", -1},
	             {"fifo", -1},   {"nothing", -1}, {"", -1},        {"fil", -1},      {"file/", -1}};
	const size_t size = make_tar(tar, sizeof(tar));
	(void)user;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gim_input input;
		struct gim_error error = GIM_ERROR_INIT;
		uint8_t bytes[8];
		size_t got;
		gim_input_open_memory(&input, tar, size);
		int result = gim_input_member(&input, cases[i].name, &error);
		assert_int_equal(result, cases[i].result ? GIM_E_ARGUMENT : 0);
		if (!result) {
			assert_int_equal(gim_input_read(&input, 0, bytes, sizeof(bytes), &got, NULL), 0);
			assert_int_equal(got, 5);
			assert_memory_equal(bytes, "hello", 5);
		} else {
			assert_true(strlen(error.text) > 20);
		}
		gim_input_close(&input);
	}
}

static void test_path(void **user)
{
	char folder[] = "/var/tmp/gimstate-test-XXXXXX", path[128];
	(void)user;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/file", folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	(void)fclose(file);
	const size_t length = strlen(path);
	assert_int_equal(gim_path_file(path), length);
	(void)snprintf(path, sizeof(path), "%s//file", folder); /* a folder, and a file in it */
	assert_int_equal(gim_path_file(path), length + 1);
	(void)snprintf(path, sizeof(path), "%s/file//a//b", folder);
	assert_int_equal(gim_path_file(path), length);
	(void)snprintf(path, sizeof(path), "%s//file//a//b", folder);
	assert_int_equal(gim_path_file(path), length + 1);
	(void)snprintf(path, sizeof(path), "%s/none//a", folder);
	assert_int_equal(gim_path_file(path), strlen(path));
	assert_int_equal(gim_path_file("-//a"), 1);
	assert_int_equal(gim_path_file("-"), 1);
	assert_int_equal(gim_path_file(""), 0);
	(void)snprintf(path, sizeof(path), "%s/file", folder);
	(void)unlink(path);
	(void)rmdir(folder);
}

static void test_suffixes(void **user)
{
	(void)user;
	assert_int_equal(gim_filter_of("a.sav"), GIM_FILTER_NONE);
	assert_int_equal(gim_filter_of("a.sav.gz"), GIM_FILTER_GZIP);
	assert_int_equal(gim_filter_of("a.tgz"), GIM_FILTER_GZIP);
	assert_int_equal(gim_filter_of("a.bz2"), GIM_FILTER_BZIP2);
	assert_int_equal(gim_filter_of("a.xz"), GIM_FILTER_XZ);
	assert_int_equal(gim_filter_of("a.zst"), GIM_FILTER_ZSTD);
	assert_int_equal(gim_filter_of("a.gimb"), GIM_FILTER_ZSTD);
	assert_int_equal(gim_filter_of(".zst"), GIM_FILTER_NONE);
	assert_int_equal(gim_filter_of("zst"), GIM_FILTER_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_streams),           cmocka_unit_test(test_truncation), cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_limit_of_skipping), cmocka_unit_test(test_members),    cmocka_unit_test(test_expectation),
	    cmocka_unit_test(test_settled),           cmocka_unit_test(test_member),     cmocka_unit_test(test_path),
	    cmocka_unit_test(test_suffixes),
	};
	return cmocka_run_group_tests(tests, make_content, NULL);
}
