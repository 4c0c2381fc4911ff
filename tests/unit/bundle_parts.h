/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A sound bundle in its parts, which a test changes, packs again, and has judged: verified, opened and unpacked. */
#ifndef BUNDLE_PARTS_H
#define BUNDLE_PARTS_H

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
static inline int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

static inline int take_member(void *user, const char *name, uint64_t size, gim_sink_fn **sink, void **sink_user, struct gim_error *error)
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

static inline int memory_file(const struct gim_buffer *bytes, char *path, size_t size)
{
	const int fd = memfd_create("bundle", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes->bytes, bytes->size), bytes->size);
	(void)snprintf(path, size, "/proc/self/fd/%d", fd);
	return fd;
}

static inline struct gim_buffer pack_sample(bool whole, json_t **manifest)
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

static inline int make_sound(void **user)
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

static inline int free_sound(void **user)
{
	(void)user;
	for (size_t i = 0; i < sound.count; i++)
		gim_buffer_free(&sound.files[i].bytes);
	json_decref(sound.manifest);
	return 0;
}

static inline struct parts copy_sound(void)
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

static inline void free_parts(struct parts *parts)
{
	for (size_t i = 0; i < parts->count; i++)
		gim_buffer_free(&parts->files[i].bytes);
	json_decref(parts->manifest);
}

static inline void fill_entry(struct archive_entry *entry, const struct file *file, const char *before)
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
static inline struct gim_buffer make_archive(struct parts *parts, enum kind kind)
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

static inline void take_finding(void *user, const struct gim_finding *finding)
{
	struct verdict *verdict = user;
	const size_t used = strlen(verdict->rules);
	assert_true(*finding->text);
	(void)snprintf(verdict->rules + used, sizeof(verdict->rules) - used, "%s ", finding->rule->id);
}

static inline int count_sink(void *user, const void *bytes, size_t size)
{
	*(uint64_t *)user += size;
	(void)bytes;
	return 0;
}

static inline int look_at_member(void *user, const char *name, uint64_t size, gim_sink_fn **sink, void **sink_user, struct gim_error *error)
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

static inline int unpack(const struct gim_buffer *bundle, struct gim_error *error)
{
	char path[64];
	uint64_t bytes = 0;
	const int fd = memory_file(bundle, path, sizeof(path));
	int result = gim_bundle_read(path, look_at_member, &bytes, error);
	(void)close(fd);
	return result;
}

static inline int open_and_read(const struct gim_buffer *bundle, struct gim_error *error)
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

static inline void expect_failure(bool fails, int result, const struct gim_error *error, const char *rule)
{
	assert_int_equal(result < 0, fails);
	assert_true(!fails || (error->rule && !strcmp(error->rule->id, rule)));
}

/* The rule that a bundle breaks. "": it is sound. */
static inline void expect(struct parts *parts, enum kind kind, const char *rule, enum consequence consequence)
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

static inline json_t *member(const struct parts *parts, size_t index)
{
	return json_array_get(json_object_get(parts->manifest, "members"), index);
}

/* The manifest says of a file what is true. */
static inline void measure(struct parts *parts, size_t index)
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

#endif
