/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Property: any archive can be opened, verified and unpacked as a bundle; no name leads out of a folder, nothing is longer than the manifest says, what verify
 * finds sound can be unpacked, read and packed again, and that is sound too. Tar archives are tried a second time with their sums made right. */
#include "cursor.h"
#include "digest.h"
#include "fuzz.h"
#include "gimstate.h"

#include <jansson.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCK = 512, SIZE_AT = 124, SUM_AT = 148, SUM_BYTES = 8, HASHES_MAX = 8 };

static void check(int result, const struct gim_error *error)
{
	MUST(result >= 0 ? !error->code : error->code == result && *error->text && *gim_code_name(result));
}

/*
 * Making sums right.
 */
static size_t entry_size(const uint8_t *header)
{
	size_t size = 0;
	for (size_t i = SIZE_AT; i < SIZE_AT + 11 && header[i] >= '0' && header[i] <= '7'; i++)
		size = size * 8 + (size_t)(header[i] - '0');
	return size;
}

static void seal_header(uint8_t *header)
{
	unsigned sum = 0;
	char text[SUM_BYTES + 1];
	memset(header + SUM_AT, ' ', SUM_BYTES);
	for (size_t i = 0; i < BLOCK; i++)
		sum += header[i];
	(void)snprintf(text, sizeof(text), "%06o", sum);
	memcpy(header + SUM_AT, text, 7);
}

/* The nth hash that the text holds. */
static void put_hash(uint8_t *text, size_t size, unsigned n, const char *hash)
{
	static const char key[] = "\"sha256\": \"";
	for (size_t at = 0; at + sizeof(key) - 1 + 64 <= size; at++)
		if (!memcmp(text + at, key, sizeof(key) - 1) && !n--) {
			memcpy(text + at + sizeof(key) - 1, hash, 64);
			return;
		}
}

/* Of headers, and, in the manifest, of what the members hold. The source's hash, which comes first in the manifest, stays. */
static void reseal(uint8_t *tar, size_t size)
{
	struct gim_digest *digest = NULL;
	uint8_t *manifest = tar + BLOCK;
	const size_t manifest_size = size > BLOCK ? entry_size(tar) : 0;
	unsigned count = 0;
	MUST(!gim_digest_new(&digest, NULL));
	for (size_t at = 0; at + BLOCK <= size && tar[at];) {
		const size_t length = entry_size(tar + at), blocks = (length + BLOCK - 1) / BLOCK;
		if (length > size - at - BLOCK)
			break;
		if (at && manifest_size <= size - BLOCK && count < HASHES_MAX) {
			uint8_t sha256[GIM_SHA256_BYTES];
			char text[GIM_SHA256_TEXT];
			gim_digest_add(digest, tar + at + BLOCK, length);
			gim_digest_end(digest, sha256);
			gim_sha256_text(sha256, text);
			put_hash(manifest, manifest_size, ++count, text);
		}
		at += BLOCK + blocks * BLOCK;
	}
	for (size_t at = 0; at + BLOCK <= size && tar[at];) {
		const size_t length = entry_size(tar + at);
		seal_header(tar + at);
		if (length > size - at - BLOCK)
			break;
		at += BLOCK + (length + BLOCK - 1) / BLOCK * BLOCK;
	}
	gim_digest_free(&digest);
}

/*
 * What is done with it.
 */
struct unpacking {
	uint64_t left; /* of the member, by what was said of it */
	unsigned members;
};

static int take_bytes(void *user, const void *bytes, size_t size)
{
	struct unpacking *unpacking = user;
	(void)bytes;
	MUST(size <= unpacking->left);
	unpacking->left -= size;
	return 0;
}

static int take_member(void *user, const char *name, uint64_t size, gim_sink_fn **sink, void **sink_user, struct gim_error *error)
{
	struct unpacking *unpacking = user;
	(void)error;
	MUST(!unpacking->left); /* of the one before */
	MUST(*name && *name != '/' && *name != '.' && !strstr(name, "/.") && !strstr(name, "//") && name[strlen(name) - 1] != '/');
	for (const char *at = name; *at; at++)
		MUST(*at > ' ' && *at < 0x7f && *at != '\\');
	MUST(!strcmp(name, "manifest.json") == !unpacking->members);
	unpacking->left = size;
	unpacking->members++;
	*sink = take_bytes;
	*sink_user = user;
	return 0;
}

static int unpack(const uint8_t *bytes, size_t size)
{
	struct unpacking unpacking = {0, 0};
	struct gim_error error = GIM_ERROR_INIT;
	char path[64];
	const int fd = memfd_create("fuzz", MFD_CLOEXEC);
	MUST(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int result = gim_bundle_read(path, take_member, &unpacking, &error);
	check(result, &error);
	MUST(result < 0 || (!unpacking.left && unpacking.members));
	(void)close(fd);
	return result;
}

static int count_bytes(void *user, const void *bytes, size_t size)
{
	(void)bytes;
	*(uint64_t *)user += size;
	return 0;
}

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

/* 0: all of it could be read. */
static int read_units(struct gim_state *state)
{
	struct gim_unit unit = {.name = ""};
	int more = 0;
	for (unsigned i = 0; i < 64; i++) {
		struct gim_error error = GIM_ERROR_INIT;
		uint64_t count = 0;
		more = gim_unit_next(state, &unit, &error);
		check(more, &error);
		if (more <= 0)
			break;
		const int result = gim_unit_read(state, &unit, count_bytes, &count, &error);
		check(result, &error);
		if (result)
			return result;
		MUST(unit.payload_bytes == GIM_UNKNOWN || count == unit.payload_bytes);
		if (unit.decodable) {
			struct gim_error damage = GIM_ERROR_INIT;
			check(gim_state_decode_unit(state, &unit, NULL, NULL, &damage), &damage);
		}
	}
	return more;
}

/* Of a sound bundle all pages can be read. */
static void read_memory(struct gim_state *state, int verdict)
{
	struct gim_memory *memory = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	uint64_t size;
	uint8_t page[4096];
	check(gim_memory_open(state, NULL, &memory, &error), &error);
	for (uint64_t gpa = 0, run = 0; memory && gpa < gim_memory_end(memory) && run < 64; gpa += size, run++) {
		const enum gim_memory_kind kind = gim_memory_at(memory, gpa, &size);
		error = (struct gim_error)GIM_ERROR_INIT;
		const int result = gim_memory_read(memory, gpa, page, sizeof(page), &error);
		check(result, &error);
		MUST(size && (kind == GIM_MEMORY_HOLE ? result == GIM_E_ARGUMENT : verdict || !result));
	}
	gim_memory_free(&memory);
}

static int verify(const uint8_t *bytes, size_t size)
{
	struct gim_error error = GIM_ERROR_INIT;
	int result = gim_verify_memory(bytes, size, NULL, NULL, NULL, &error);
	check(result, &error);
	return result;
}

static void pack_again(struct gim_state *state)
{
	const struct gim_pack_options options = {.whole = true};
	struct gim_buffer bundle = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	int result = gim_state_pack(state, &options, collect, &bundle, NULL, &error);
	check(result, &error);
	if (!result)
		MUST(!unpack(bundle.bytes, bundle.size));
	gim_buffer_free(&bundle);
}

static void look_at(const uint8_t *bytes, size_t size)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	const int verdict = verify(bytes, size), unpacked = unpack(bytes, size);
	int result = gim_state_open_memory(bytes, size, &state, &error);
	check(result, &error);
	MUST(verdict || !unpacked || unpacked == GIM_E_FORMAT); /* a sound state need not be a bundle */
	if (result)
		return;
	error = (struct gim_error)GIM_ERROR_INIT;
	result = gim_state_decode(state, GIM_PART_GIM | GIM_PART_GUEST, NULL, NULL, &error);
	check(result, &error);
	read_memory(state, verdict || unpacked);
	const int units = read_units(state);
	MUST(verdict || !units);
	if (!verdict && !result)
		pack_again(state);
	gim_state_free(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = fuzz_copy(bytes, size);
	look_at(copy, size);
	if (size > BLOCK) {
		reseal(copy, size);
		look_at(copy, size);
	}
	free(copy);
	return 0;
}
