/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packed data by libarchive, loaded by name: the one file that knows its functions. */
#include "packed.h"

#include "digest.h"
#include "error.h"
#include "loaded.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIBARCHIVE "libarchive.so.13"
enum { BLOCK_BYTES = 64 * 1024, FILE_MODE = 0644 };

#define EACH_CALL(CALL)                                                                                                                    \
	CALL(archive_read_new)                                                                                                             \
	CALL(archive_read_support_filter_gzip)                                                                                             \
	CALL(archive_read_support_filter_bzip2)                                                                                            \
	CALL(archive_read_support_filter_xz)                                                                                               \
	CALL(archive_read_support_filter_zstd)                                                                                             \
	CALL(archive_read_support_format_raw)                                                                                              \
	CALL(archive_read_support_format_empty)                                                                                            \
	CALL(archive_read_support_format_tar)                                                                                              \
	CALL(archive_read_support_format_zip)                                                                                              \
	CALL(archive_read_set_read_callback)                                                                                               \
	CALL(archive_read_set_seek_callback)                                                                                               \
	CALL(archive_read_set_skip_callback)                                                                                               \
	CALL(archive_read_set_callback_data)                                                                                               \
	CALL(archive_read_open1)                                                                                                           \
	CALL(archive_read_next_header)                                                                                                     \
	CALL(archive_read_data)                                                                                                            \
	CALL(archive_read_free)                                                                                                            \
	CALL(archive_format)                                                                                                               \
	CALL(archive_filter_bytes)                                                                                                         \
	CALL(archive_error_string)                                                                                                         \
	CALL(archive_errno)                                                                                                                \
	CALL(archive_write_new)                                                                                                            \
	CALL(archive_write_add_filter_gzip)                                                                                                \
	CALL(archive_write_add_filter_bzip2)                                                                                               \
	CALL(archive_write_add_filter_xz)                                                                                                  \
	CALL(archive_write_add_filter_zstd)                                                                                                \
	CALL(archive_write_set_format_raw)                                                                                                 \
	CALL(archive_write_set_format_ustar)                                                                                               \
	CALL(archive_write_set_format_zip)                                                                                                 \
	CALL(archive_write_set_filter_option)                                                                                              \
	CALL(archive_write_set_bytes_in_last_block)                                                                                        \
	CALL(archive_write_open)                                                                                                           \
	CALL(archive_write_header)                                                                                                         \
	CALL(archive_write_data)                                                                                                           \
	CALL(archive_write_close)                                                                                                          \
	CALL(archive_write_fail)                                                                                                           \
	CALL(archive_write_free)                                                                                                           \
	CALL(archive_entry_new)                                                                                                            \
	CALL(archive_entry_free)                                                                                                           \
	CALL(archive_entry_pathname)                                                                                                       \
	CALL(archive_entry_pathname_utf8)                                                                                                  \
	CALL(archive_entry_filetype)                                                                                                       \
	CALL(archive_entry_hardlink)                                                                                                       \
	CALL(archive_entry_sparse_count)                                                                                                   \
	CALL(archive_entry_size_is_set)                                                                                                    \
	CALL(archive_entry_size)                                                                                                           \
	CALL(archive_entry_set_pathname)                                                                                                   \
	CALL(archive_entry_set_size)                                                                                                       \
	CALL(archive_entry_set_filetype)                                                                                                   \
	CALL(archive_entry_set_perm)                                                                                                       \
	CALL(archive_entry_set_mtime)

#define POINTER(name) __typeof__(&name) name;
#define SYMBOL(name) {#name, offsetof(struct calls, name)},

struct calls {
	EACH_CALL(POINTER)
};

static int load(struct calls *calls, struct gim_error *error)
{
	static const struct gim_symbol symbols[] = {EACH_CALL(SYMBOL)};
	return gim_load(LIBARCHIVE, symbols, sizeof(symbols) / sizeof(symbols[0]), calls, "what is packed", error);
}

int gim_packed_load(struct gim_error *error)
{
	struct calls calls;
	return load(&calls, error);
}

const struct gim_rule gim_packed_rules[GIM_PACKED_RULES] = {
    [GIM_PACKED_DAMAGED] = {"PACKED-DAMAGED", GIM_ERROR, GIM_E_CORRUPT, .help = "what is packed can be unpacked",
                            .why = "what follows the damage is lost", .mend = "take another copy of the file",
                            .source = "the packing's own checks, as libarchive makes them"},
    [GIM_PACKED_LIMIT] = {"PACKED-LIMIT", GIM_ERROR, GIM_E_LIMIT, .help = "packed data stay within the limits of size and ratio",
                          .why = "a small file could fill a disk",
                          .mend = "where it can be trusted, unpack it with the program that packed it", .source = "gimstate-bundle(5)"},
    [GIM_PACKED_SIZE] = {"PACKED-SIZE", GIM_ERROR, GIM_E_CORRUPT, .help = "a member is as long as the manifest says",
                         .why = "it is not what was packed", .mend = "pack the state again", .source = "gimstate-bundle(5)"},
    [GIM_PACKED_SHA256] = {"PACKED-SHA256", GIM_ERROR, GIM_E_CORRUPT, .help = "a member has the SHA-256 that the manifest says",
                           .why = "it is not what was packed", .mend = "pack the state again", .source = "gimstate-bundle(5)"},
};

/*
 * Reading.
 */
struct gim_unpacker {
	struct gim_layer layer; /* below: what it is packed in */
	struct calls calls;
	struct archive *archive;
	enum gim_packed packed;
	uint64_t at;           /* below, where the next block is read */
	uint64_t packed_bytes; /* read so far */
	uint64_t member_bytes; /* unpacked so far: of this member, and of all */
	uint64_t all_bytes;
	uint64_t told_bytes; /* how long the archive says that it is; GIM_UNKNOWN: it does not */
	bool ended;          /* the member */
	bool sparse;         /* it has holes, one perhaps at its end */
	bool broken;         /* it failed, and that was told: then it is at its end */
	struct gim_unpack_limits limits;
	struct gim_error failure; /* of reading input */
	struct gim_digest *digest;
	uint64_t expected_bytes; /* GIM_UNKNOWN: nothing is expected */
	uint8_t expected[GIM_SHA256_BYTES];
	uint8_t block[BLOCK_BYTES];
};

static int read_layer(struct gim_layer *layer, uint64_t offset, void *bytes, size_t size_bytes, size_t *got, struct gim_error *error)
{
	(void)offset;
	return gim_unpacker_read((struct gim_unpacker *)(void *)layer, bytes, size_bytes, got, error);
}

static void end_layer(struct gim_layer *layer)
{
	struct gim_unpacker *unpacker = (struct gim_unpacker *)(void *)layer;
	if (unpacker->archive)
		(void)unpacker->calls.archive_read_free(unpacker->archive);
	if (unpacker->digest)
		gim_digest_free(&unpacker->digest);
}

/* No input is told to be one by its first bytes: who opens it decides. */
static const struct gim_layer_kind unpacker_kinds[] = {
    [GIM_PACKED_STREAM] = {.within = "unpacked", .read = read_layer, .end = end_layer},
    [GIM_PACKED_ARCHIVE] = {.within = "in the archive", .more = true, .read = read_layer, .end = end_layer},
};

void gim_unpacker_free(struct gim_unpacker **unpacker)
{
	if (*unpacker)
		gim_layer_free(&(*unpacker)->layer);
	*unpacker = NULL;
}

void gim_unpacker_input(struct gim_unpacker *unpacker, struct gim_input *input)
{
	*input = (struct gim_input){.fd = -1, .size = GIM_UNKNOWN, .layer = &unpacker->layer};
}

struct gim_unpacker *gim_unpacker_of(const struct gim_input *input)
{
	return input->layer && input->layer->kind->read == read_layer ? (struct gim_unpacker *)(void *)input->layer : NULL;
}

bool gim_unpacker_return(struct gim_unpacker **unpacker, struct gim_input *input)
{
	if (!(*unpacker)->layer.below.seekable)
		return false;
	*input = (*unpacker)->layer.below;
	(*unpacker)->layer.below = (struct gim_input){.fd = -1};
	gim_unpacker_free(unpacker);
	return true;
}

static int check_limits(struct gim_unpacker *unpacker, struct gim_error *error)
{
	const struct gim_unpack_limits *limits = &unpacker->limits;
	/* What is passed over costs time, too. */
	const la_int64_t passed = unpacker->archive ? unpacker->calls.archive_filter_bytes(unpacker->archive, 0) : 0;
	const uint64_t unpacked = (uint64_t)passed > unpacker->all_bytes ? (uint64_t)passed : unpacker->all_bytes;
	if (unpacked > limits->size_bytes)
		return gim_fail_rule(error, &gim_packed_rules[GIM_PACKED_LIMIT], unpacker->member_bytes,
		                     "unpacked it is longer than %llu bytes: unpack it first", (unsigned long long)limits->size_bytes);
	if (unpacked > limits->free_bytes && unpacked / limits->ratio > unpacker->packed_bytes)
		return gim_fail_rule(error, &gim_packed_rules[GIM_PACKED_LIMIT], unpacker->member_bytes,
		                     "unpacked it is more than %llu times as long: if it is not made to fill disks, unpack it first",
		                     (unsigned long long)limits->ratio);
	return 0;
}

static la_ssize_t read_block(struct archive *archive, void *user, const void **bytes)
{
	struct gim_unpacker *unpacker = (struct gim_unpacker *)user;
	size_t got;
	(void)archive;
	if (check_limits(unpacker, &unpacker->failure) ||
	    gim_input_read(&unpacker->layer.below, unpacker->at, unpacker->block, BLOCK_BYTES, &got, &unpacker->failure))
		return ARCHIVE_FATAL;
	unpacker->at += got;
	unpacker->packed_bytes += got;
	*bytes = unpacker->block;
	return (la_ssize_t)got;
}

static la_int64_t seek(struct archive *archive, void *user, la_int64_t offset, int whence)
{
	struct gim_unpacker *unpacker = (struct gim_unpacker *)user;
	const la_int64_t size = (la_int64_t)unpacker->layer.below.size;
	const la_int64_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (la_int64_t)unpacker->at : size;
	(void)archive;
	if (offset < -from || offset > size - from)
		return ARCHIVE_FATAL;
	unpacker->at = (uint64_t)(from + offset);
	return from + offset;
}

static la_int64_t skip(struct archive *archive, void *user, la_int64_t wanted)
{
	struct gim_unpacker *unpacker = (struct gim_unpacker *)user;
	const uint64_t left = unpacker->layer.below.size - unpacker->at, step = (uint64_t)wanted < left ? (uint64_t)wanted : left;
	(void)archive;
	unpacker->at += step;
	unpacker->packed_bytes += step; /* it was there to be read */
	return (la_int64_t)step;
}

/*
 * libarchive has failed: by our own callback, over the data, or without memory. It does not give a reason for every damage, nor always without memory: then
 * malloc's mark in errno, which was 0 before the call, tells the two apart.
 */
static int fail_unpacking(struct gim_unpacker *unpacker, struct gim_error *error)
{
	const int mark = errno;
	const char *reason = unpacker->calls.archive_error_string(unpacker->archive);
	if (unpacker->failure.code)
		return gim_fail_as(error, &unpacker->failure);
	if (unpacker->calls.archive_errno(unpacker->archive) == ENOMEM || (!reason && mark == ENOMEM))
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory while unpacking");
	if (unpacker->packed == GIM_PACKED_ARCHIVE && !unpacker->calls.archive_format(unpacker->archive))
		return gim_fail(error, GIM_E_FORMAT, GIM_UNKNOWN,
		                "this is no tar or zip archive and no disk image, or one whose beginning is damaged");
	return gim_fail_rule(error, &gim_packed_rules[GIM_PACKED_DAMAGED], unpacker->member_bytes, "it cannot be unpacked further: %s",
	                     reason ? reason : "no reason is given");
}

/* A libarchive that would run another program for a format does not know it. */
static int open_archive(struct gim_unpacker *unpacker, struct gim_error *error)
{
	const struct calls *calls = &unpacker->calls;
	struct archive *archive = unpacker->archive = calls->archive_read_new();
	if (!archive)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (calls->archive_read_support_filter_gzip(archive) || calls->archive_read_support_filter_bzip2(archive) ||
	    calls->archive_read_support_filter_xz(archive) || calls->archive_read_support_filter_zstd(archive))
		return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN, "this system's " LIBARCHIVE " lacks gzip, bzip2, xz or zstd");
	(void)calls->archive_read_support_format_empty(archive);
	if (unpacker->packed == GIM_PACKED_STREAM) {
		(void)calls->archive_read_support_format_raw(archive);
	} else {
		(void)calls->archive_read_support_format_tar(archive);
		(void)calls->archive_read_support_format_zip(archive);
	}
	(void)calls->archive_read_set_read_callback(archive, read_block);
	if (unpacker->layer.below.seekable) {
		(void)calls->archive_read_set_seek_callback(archive, seek);
		(void)calls->archive_read_set_skip_callback(archive, skip);
	}
	(void)calls->archive_read_set_callback_data(archive, unpacker);
	errno = 0;
	return calls->archive_read_open1(archive) == ARCHIVE_OK ? 0 : fail_unpacking(unpacker, error);
}

int gim_unpacker_new(struct gim_input *input, enum gim_packed packed, const struct gim_unpack_limits *limits,
                     struct gim_unpacker **unpacker, struct gim_error *error)
{
	static const struct gim_unpack_limits usual = GIM_UNPACK_LIMITS;
	struct gim_unpacker *made = calloc(1, sizeof(*made));
	if (!made) {
		gim_input_close(input);
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	}
	made->layer = (struct gim_layer){&unpacker_kinds[packed], *input};
	*input = (struct gim_input){.fd = -1};
	made->packed = packed;
	made->limits = limits ? *limits : usual;
	made->expected_bytes = GIM_UNKNOWN;
	made->failure.offset = GIM_UNKNOWN;
	int result = load(&made->calls, error);
	if (!result)
		result = open_archive(made, error);
	if (result)
		gim_unpacker_free(&made);
	else
		*unpacker = made;
	return result;
}

static enum gim_member_kind kind_of(const struct calls *calls, struct archive_entry *entry)
{
	const __LA_MODE_T type = calls->archive_entry_filetype(entry);
	if (calls->archive_entry_hardlink(entry))
		return GIM_MEMBER_OTHER;
	return type == AE_IFREG ? GIM_MEMBER_FILE : type == AE_IFDIR ? GIM_MEMBER_FOLDER : GIM_MEMBER_OTHER;
}

int gim_unpacker_next(struct gim_unpacker *unpacker, struct gim_unpacked *member, struct gim_error *error)
{
	const struct calls *calls = &unpacker->calls;
	struct archive_entry *entry;
	if (unpacker->broken)
		return 0;
	errno = 0;
	const int result = calls->archive_read_next_header(unpacker->archive, &entry);
	unpacker->ended = true;
	if (result == ARCHIVE_EOF)
		return 0;
	if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
		return fail_unpacking(unpacker, error);
	if (check_limits(unpacker, error))
		return GIM_E_LIMIT;
	unpacker->member_bytes = 0;
	unpacker->ended = false;
	unpacker->expected_bytes = GIM_UNKNOWN;
	unpacker->told_bytes = calls->archive_entry_size_is_set(entry) ? (uint64_t)calls->archive_entry_size(entry) : GIM_UNKNOWN;
	const char *name = calls->archive_entry_pathname(entry);
	name = name ? name : calls->archive_entry_pathname_utf8(entry);
	*member = (struct gim_unpacked){
	    .name = name ? name : "",
	    .kind = kind_of(calls, entry),
	    .size_bytes = unpacker->told_bytes,
	    .sparse = calls->archive_entry_sparse_count(entry) > 0,
	};
	unpacker->sparse = member->sparse;
	return 1;
}

int gim_unpacker_expect(struct gim_unpacker *unpacker, uint64_t size_bytes, const uint8_t *sha256, struct gim_error *error)
{
	uint8_t ignored[GIM_SHA256_BYTES];
	if (!unpacker->digest) {
		int result = gim_digest_new(&unpacker->digest, error);
		if (result)
			return result;
	}
	gim_digest_end(unpacker->digest, ignored); /* of a member that was left before its end */
	memcpy(unpacker->expected, sha256, sizeof(unpacker->expected));
	unpacker->expected_bytes = size_bytes;
	return 0;
}

static int check_expected(struct gim_unpacker *unpacker, struct gim_error *error)
{
	uint8_t found[GIM_SHA256_BYTES];
	char text[GIM_SHA256_TEXT];
	if (unpacker->member_bytes != unpacker->expected_bytes)
		return gim_fail_rule(error, &gim_packed_rules[GIM_PACKED_SIZE], GIM_UNKNOWN,
		                     "it has %s %llu bytes, where the manifest says %llu", unpacker->ended ? "only" : "more than",
		                     (unsigned long long)unpacker->member_bytes, (unsigned long long)unpacker->expected_bytes);
	gim_digest_end(unpacker->digest, found);
	gim_sha256_text(found, text);
	if (memcmp(found, unpacker->expected, sizeof(found)) != 0)
		return gim_fail_rule(error, &gim_packed_rules[GIM_PACKED_SHA256], GIM_UNKNOWN,
		                     "its SHA-256 is %s, which is not the manifest's", text);
	return 0;
}

/* A hole at the end of a sparse file is not filled by libarchive. */
static la_ssize_t fill_hole(const struct gim_unpacker *unpacker, void *bytes, size_t size)
{
	const uint64_t left = unpacker->sparse && unpacker->told_bytes != GIM_UNKNOWN && unpacker->member_bytes < unpacker->told_bytes
	                          ? unpacker->told_bytes - unpacker->member_bytes
	                          : 0;
	size = size < left ? size : (size_t)left;
	memset(bytes, 0, size);
	return (la_ssize_t)size;
}

int gim_unpacker_read(struct gim_unpacker *unpacker, void *bytes, size_t size_bytes, size_t *got, struct gim_error *error)
{
	const bool expected = unpacker->expected_bytes != GIM_UNKNOWN;
	size_t done = 0;
	int result = 0;
	while (!result && done < size_bytes && !unpacker->ended && !unpacker->broken) {
		errno = 0;
		la_ssize_t more = unpacker->calls.archive_read_data(unpacker->archive, (char *)bytes + done, size_bytes - done);
		if (!more)
			more = fill_hole(unpacker, (char *)bytes + done, size_bytes - done);
		if (more < 0) {
			result = fail_unpacking(unpacker, error);
			break;
		}
		unpacker->ended = !more;
		unpacker->member_bytes += (uint64_t)more;
		unpacker->all_bytes += (uint64_t)more;
		if (expected)
			gim_digest_add(unpacker->digest, (char *)bytes + done, (size_t)more);
		done += (size_t)more;
		result = check_limits(unpacker, error);
		if (!result && unpacker->ended && unpacker->told_bytes != GIM_UNKNOWN && unpacker->member_bytes < unpacker->told_bytes)
			result = gim_fail_rule(error, &gim_packed_rules[GIM_PACKED_DAMAGED], unpacker->member_bytes,
			                       "the archive holds %llu bytes of it, where it says %llu",
			                       (unsigned long long)unpacker->member_bytes, (unsigned long long)unpacker->told_bytes);
		if (!result && expected && (unpacker->ended || unpacker->member_bytes > unpacker->expected_bytes))
			result = check_expected(unpacker, error);
	}
	unpacker->broken |= result != 0;
	if (!result)
		*got = done;
	return result;
}

/*
 * Writing.
 */
struct gim_packer {
	struct calls calls;
	struct archive *archive;
	enum gim_archive format;
	gim_sink_fn *sink;
	void *user;
	bool refused; /* by sink; or nothing is to be written any more */
};

enum gim_filter gim_filter_of(const char *path)
{
	static const struct {
		const char *suffix;
		enum gim_filter filter;
	} suffixes[] = {
	    {".gz", GIM_FILTER_GZIP}, {".tgz", GIM_FILTER_GZIP}, {".bz2", GIM_FILTER_BZIP2},
	    {".xz", GIM_FILTER_XZ},   {".zst", GIM_FILTER_ZSTD}, {".gimb", GIM_FILTER_ZSTD},
	};
	const size_t length = strlen(path);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		const size_t own = strlen(suffixes[i].suffix);
		if (length > own && !strcmp(path + length - own, suffixes[i].suffix))
			return suffixes[i].filter;
	}
	return GIM_FILTER_NONE;
}

/* libarchive loses memory when this fails, so that it never does: who calls libarchive looks at refused. */
static la_ssize_t write_block(struct archive *archive, void *user, const void *bytes, size_t size)
{
	struct gim_packer *packer = (struct gim_packer *)user;
	(void)archive;
	packer->refused = packer->refused || packer->sink(packer->user, bytes, size);
	return (la_ssize_t)size;
}

/* Without memory it does not always have a reason. */
static int fail_packing(const struct gim_packer *packer, struct gim_error *error)
{
	const char *reason = packer->calls.archive_error_string(packer->archive);
	if (packer->refused)
		return gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "the output does not take more bytes");
	if (packer->calls.archive_errno(packer->archive) == ENOMEM || !reason)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory while packing");
	return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN, "it cannot be packed: %s", reason);
}

/* As in reading: no other programs. Nothing that differs from one run to the next goes in. */
static int add_filter(struct gim_packer *packer, enum gim_filter filter)
{
	const struct calls *calls = &packer->calls;
	switch (filter) {
	case GIM_FILTER_GZIP:
		return calls->archive_write_add_filter_gzip(packer->archive) ||
		       calls->archive_write_set_filter_option(packer->archive, "gzip", "timestamp", NULL);
	case GIM_FILTER_BZIP2:
		return calls->archive_write_add_filter_bzip2(packer->archive);
	case GIM_FILTER_XZ:
		return calls->archive_write_add_filter_xz(packer->archive);
	case GIM_FILTER_ZSTD:
		return calls->archive_write_add_filter_zstd(packer->archive);
	default:
		return 0;
	}
}

static int set_format(const struct gim_packer *packer, enum gim_archive format)
{
	switch (format) {
	case GIM_ARCHIVE_TAR:
		return packer->calls.archive_write_set_format_ustar(packer->archive);
	case GIM_ARCHIVE_ZIP:
		return packer->calls.archive_write_set_format_zip(packer->archive);
	default:
		return packer->calls.archive_write_set_format_raw(packer->archive);
	}
}

static int start_packing(struct gim_packer *packer, enum gim_archive format, enum gim_filter filter, struct gim_error *error)
{
	const struct calls *calls = &packer->calls;
	packer->archive = calls->archive_write_new();
	if (!packer->archive)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (set_format(packer, format) || add_filter(packer, filter) || calls->archive_write_set_bytes_in_last_block(packer->archive, 1) ||
	    calls->archive_write_open(packer->archive, packer, NULL, write_block, NULL))
		return fail_packing(packer, error);
	return format == GIM_ARCHIVE_NONE ? gim_packer_member(packer, "data", GIM_UNKNOWN, error) : 0;
}

int gim_packer_new(enum gim_archive archive, enum gim_filter filter, gim_sink_fn *sink, void *user, struct gim_packer **packer,
                   struct gim_error *error)
{
	struct gim_packer *made = calloc(1, sizeof(*made));
	if (!made)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	made->format = archive;
	made->sink = sink;
	made->user = user;
	int result = load(&made->calls, error);
	if (!result)
		result = start_packing(made, archive, filter, error);
	if (result)
		gim_packer_discard(&made);
	else
		*packer = made;
	return result;
}

int gim_packer_member(struct gim_packer *packer, const char *name, uint64_t size_bytes, struct gim_error *error)
{
	const struct calls *calls = &packer->calls;
	struct archive_entry *entry = calls->archive_entry_new();
	if (!entry)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	calls->archive_entry_set_pathname(entry, name);
	calls->archive_entry_set_filetype(entry, AE_IFREG);
	calls->archive_entry_set_perm(entry, FILE_MODE);
	calls->archive_entry_set_mtime(entry, 0, 0);
	if (size_bytes != GIM_UNKNOWN)
		calls->archive_entry_set_size(entry, (la_int64_t)size_bytes);
	const int result = calls->archive_write_header(packer->archive, entry);
	calls->archive_entry_free(entry);
	return result == ARCHIVE_OK && !packer->refused ? 0 : fail_packing(packer, error);
}

int gim_packer_write(struct gim_packer *packer, const void *bytes, size_t size_bytes, struct gim_error *error)
{
	for (size_t done = 0; done < size_bytes;) {
		const la_ssize_t more = packer->calls.archive_write_data(packer->archive, (const char *)bytes + done, size_bytes - done);
		if (more < 0 || packer->refused)
			return fail_packing(packer, error);
		if (!more)
			return gim_fail(error, GIM_E_IO, GIM_UNKNOWN, "it became longer while it was packed");
		done += (size_t)more;
	}
	return 0;
}

void gim_packer_discard(struct gim_packer **packer)
{
	if (!*packer)
		return;
	if ((*packer)->archive) {
		(*packer)->refused = true;
		if ((*packer)->format == GIM_ARCHIVE_TAR) /* a member that was begun would be filled up with zeros */
			(void)(*packer)->calls.archive_write_fail((*packer)->archive);
		(void)(*packer)->calls.archive_write_close((*packer)->archive);
		(void)(*packer)->calls.archive_write_free((*packer)->archive);
	}
	free(*packer);
	*packer = NULL;
}

int gim_packer_finish(struct gim_packer **packer, struct gim_error *error)
{
	int result = 0;
	if ((*packer)->calls.archive_write_close((*packer)->archive) != ARCHIVE_OK || (*packer)->refused)
		result = fail_packing(*packer, error);
	gim_packer_discard(packer);
	return result;
}
