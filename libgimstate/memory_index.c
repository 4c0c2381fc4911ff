/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The index of guest memory as a file beside the state, so that page records need not be gone through again. It is only an aid: it says of which bytes it was made, and nothing in it is
 * believed that would lead out of these.
 *
 *	"GIMINDEX", u32 version, the state's identity; then a count of ranges, each u32 kind, u64 address, u64 size, 96 bytes of name; u8: pages of which none speaks are zero;
 *	u64 size and the format's own bytes; slabs: u32 range, u32 number, 512 words, ended by a range of all ones; CRC-32 of all of it. Little-endian.
 */
#include "memory.h"

#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

static const uint8_t magic[8] = {'G', 'I', 'M', 'I', 'N', 'D', 'E', 'X'};
enum { VERSION = 1, FORMAT_BYTES = 16, END_BYTES = 64 * 1024, SAMPLES = 64, SAMPLE_BYTES = 4096, PIECE_BYTES = 256 * 1024 };
#define SLABS_END UINT32_MAX

/* Of which bytes it was made. */
struct identity {
	char format[FORMAT_BYTES];
	uint64_t size_bytes, changed_ns; /* 0: it is in no file of its own */
	uint32_t crc;                    /* of its beginning, its end, where containers have their checksums, and of samples between */
};

static int sum_bytes(struct gim_input *input, uint64_t at, size_t size, uint8_t *bytes, uint32_t *crc, struct gim_error *error)
{
	size_t got;
	int result = gim_input_read(input, at, bytes, size, &got, error);
	if (!result)
		*crc = (uint32_t)crc32(*crc, bytes, (unsigned)got);
	return result;
}

static int identify(struct gim_state *state, struct identity *identity, struct gim_error *error)
{
	struct gim_input *input = &state->input;
	const uint64_t size = input->size, end = size < END_BYTES ? 0 : size - END_BYTES;
	struct stat status;
	uint8_t *bytes = malloc(END_BYTES);
	*identity = (struct identity){.size_bytes = size};
	(void)snprintf(identity->format, sizeof(identity->format), "%s", state->format->name);
	if (!bytes)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (input->fd >= 0 && !fstat(input->fd, &status) && S_ISREG(status.st_mode) && status.st_nlink)
		identity->changed_ns = (uint64_t)status.st_mtim.tv_sec * 1000000000u + (uint64_t)status.st_mtim.tv_nsec;
	int result = sum_bytes(input, 0, END_BYTES, bytes, &identity->crc, error);
	for (uint64_t i = 1; !result && i < SAMPLES && size > 2 * END_BYTES; i++)
		result = sum_bytes(input, size / SAMPLES * i, SAMPLE_BYTES, bytes, &identity->crc, error);
	if (!result)
		result = sum_bytes(input, end, END_BYTES, bytes, &identity->crc, error);
	free(bytes);
	return result;
}

static bool keeps_index(const struct gim_state *state)
{
	return state->format && state->format->memory && state->format->memory->keep;
}

static int no_index(struct gim_error *error)
{
	return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN, "of this container no index is kept: it has to be read whole each time");
}

/*
 * Writing.
 */
struct writing {
	struct gim_buffer piece;
	gim_sink_fn *sink;
	void *user;
	uint32_t crc;
};

static int flush(struct writing *writing, struct gim_error *error)
{
	struct gim_buffer *piece = &writing->piece;
	if (piece->failed)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	writing->crc = (uint32_t)crc32_z(writing->crc, piece->bytes, piece->size);
	const bool refused = piece->size && writing->sink(writing->user, piece->bytes, piece->size);
	piece->size = 0;
	return refused ? gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "stopped") : 0;
}

static void put_identity(struct gim_buffer *to, const struct identity *identity)
{
	gim_buffer_bytes(to, identity->format, FORMAT_BYTES);
	gim_buffer_number(to, identity->size_bytes, 8);
	gim_buffer_number(to, identity->changed_ns, 8);
	gim_buffer_number(to, identity->crc, 4);
}

static int write_ranges(struct writing *writing, const struct gim_memory *memory, struct gim_error *error)
{
	const uint32_t count = gim_memory_range_count(memory);
	gim_buffer_number(&writing->piece, count, 4);
	for (uint32_t number = 0; number < count; number++) {
		const struct gim_memory_range *range = gim_memory_range_numbered(memory, number);
		gim_buffer_number(&writing->piece, (uint64_t)range->kind, 4);
		gim_buffer_number(&writing->piece, range->gpa, 8);
		gim_buffer_number(&writing->piece, range->size_bytes, 8);
		gim_buffer_bytes(&writing->piece, range->name, sizeof(range->name));
	}
	gim_buffer_number(&writing->piece, gim_memory_is_rest_zero(memory), 1);
	return flush(writing, error);
}

static int write_own(struct writing *writing, const struct gim_memory *memory, struct gim_error *error)
{
	struct gim_buffer own = {.bytes = NULL};
	gim_memory_state(memory)->format->memory->keep(gim_memory_own(memory), &own);
	gim_buffer_number(&writing->piece, own.size, 8);
	if (own.size)
		gim_buffer_bytes(&writing->piece, own.bytes, own.size);
	writing->piece.failed |= own.failed;
	gim_buffer_free(&own);
	return flush(writing, error);
}

static int write_slabs(struct writing *writing, const struct gim_memory *memory, struct gim_error *error)
{
	int result = 0;
	for (uint32_t number = 0; !result && number < gim_memory_range_count(memory); number++) {
		const uint64_t slabs = gim_memory_slab_count(gim_memory_range_numbered(memory, number));
		for (uint64_t i = 0; !result && i < slabs; i++) {
			const uint64_t *slab = gim_memory_slab(memory, number, i);
			if (!slab)
				continue;
			gim_buffer_number(&writing->piece, number, 4);
			gim_buffer_number(&writing->piece, i, 4);
			for (size_t word = 0; word < GIM_SLAB_PAGES; word++)
				gim_buffer_number(&writing->piece, slab[word], 8);
			if (writing->piece.size >= PIECE_BYTES)
				result = flush(writing, error);
		}
	}
	gim_buffer_number(&writing->piece, SLABS_END, 4);
	return result ? result : flush(writing, error);
}

int gim_memory_index_write(struct gim_memory *memory, gim_sink_fn *sink, void *user, struct gim_error *error)
{
	struct writing writing = {.sink = sink, .user = user};
	struct identity identity;
	if (!keeps_index(gim_memory_state(memory)))
		return no_index(error);
	int result = identify(gim_memory_state(memory), &identity, error);
	if (result)
		return result;
	gim_buffer_bytes(&writing.piece, magic, sizeof(magic));
	gim_buffer_number(&writing.piece, VERSION, 4);
	put_identity(&writing.piece, &identity);
	result = write_ranges(&writing, memory, error);
	if (!result)
		result = write_own(&writing, memory, error);
	if (!result)
		result = write_slabs(&writing, memory, error);
	gim_buffer_number(&writing.piece, writing.crc, 4);
	if (!result)
		result = flush(&writing, error);
	gim_buffer_free(&writing.piece);
	return result;
}

/*
 * Reading.
 */
struct reading {
	struct gim_input input;
	uint64_t at;
	uint32_t crc;
	uint8_t *piece; /* of PIECE_BYTES */
};

static int damaged(const struct reading *reading, const char *what, struct gim_error *error)
{
	return gim_fail(error, GIM_E_CORRUPT, reading->at, "the index of guest memory is damaged: %s", what);
}

/* The next bytes, at most PIECE_BYTES; *cursor looks at them. */
static int take(struct reading *reading, size_t size, struct gim_cursor *cursor, struct gim_error *error)
{
	size_t got;
	int result = gim_input_read(&reading->input, reading->at, reading->piece, size, &got, error);
	if (!result && got < size)
		result = damaged(reading, "it ends early", error);
	if (result)
		return result;
	reading->at += size;
	reading->crc = (uint32_t)crc32_z(reading->crc, reading->piece, size);
	*cursor = (struct gim_cursor){.bytes = reading->piece, .size = size};
	return 0;
}

static int read_head(struct reading *reading, struct gim_state *state, struct gim_error *error)
{
	struct gim_cursor cursor;
	struct identity identity;
	struct gim_buffer expected = {.bytes = NULL};
	size_t got;
	int result = gim_input_read(&reading->input, 0, reading->piece, sizeof(magic), &got, error);
	if (!result && (got < sizeof(magic) || memcmp(reading->piece, magic, sizeof(magic)) != 0))
		result = gim_fail(error, GIM_E_FORMAT, 0, "it is no index of guest memory");
	if (!result)
		result = take(reading, sizeof(magic) + 4, &cursor, error);
	if (!result) {
		cursor.position = sizeof(magic);
		const uint32_t version = gim_cursor_u32(&cursor);
		if (version != VERSION)
			result = gim_fail(error, GIM_E_VERSION, sizeof(magic),
			                  "the index of guest memory has version %u; this release reads %d", version, VERSION);
	}
	if (!result)
		result = identify(state, &identity, error);
	if (result)
		return result;
	put_identity(&expected, &identity);
	if (expected.failed)
		result = gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	else
		result = take(reading, expected.size, &cursor, error);
	if (!result && memcmp(cursor.bytes, expected.bytes, expected.size) != 0)
		result = gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN,
		                  "the index of guest memory is of another state, or of this one before it changed");
	gim_buffer_free(&expected);
	return result;
}

static int read_ranges(struct reading *reading, struct gim_memory *memory, struct gim_error *error)
{
	struct gim_cursor cursor;
	int result = take(reading, 4, &cursor, error);
	const uint32_t count = result ? 0 : gim_cursor_u32(&cursor);
	for (uint32_t i = 0; !result && i < count; i++) {
		struct gim_memory_range range = {.name = ""};
		uint32_t number;
		result = take(reading, 4 + 8 + 8 + sizeof(range.name), &cursor, error);
		if (result)
			return result;
		const uint32_t kind = gim_cursor_u32(&cursor);
		range.gpa = gim_cursor_u64(&cursor);
		range.size_bytes = gim_cursor_u64(&cursor);
		memcpy(range.name, cursor.bytes + cursor.position, sizeof(range.name) - 1);
		range.kind = (enum gim_memory_kind)kind;
		if (kind != GIM_MEMORY_RAM && kind != GIM_MEMORY_ROM && kind != GIM_MEMORY_DEVICE)
			return damaged(reading, "a range of no kind", error);
		result = gim_memory_add_range(memory, &range, &number, error);
	}
	if (!result)
		result = take(reading, 1, &cursor, error);
	if (!result && gim_cursor_u8(&cursor))
		gim_memory_rest_is_zero(memory);
	return result;
}

/* The format looks at each of its own bytes. */
static int read_own(struct reading *reading, struct gim_memory *memory, struct gim_error *error)
{
	struct gim_cursor cursor;
	int result = take(reading, 8, &cursor, error);
	const uint64_t size = result ? 0 : gim_cursor_u64(&cursor);
	if (!result && size > reading->input.size - reading->at)
		result = damaged(reading, "it ends early", error);
	uint8_t *own = result ? NULL : malloc((size_t)size + 1);
	if (!result && !own)
		result = gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	for (uint64_t done = 0, step; !result && done < size; done += step) {
		step = size - done < PIECE_BYTES ? size - done : PIECE_BYTES;
		result = take(reading, (size_t)step, &cursor, error);
		if (!result)
			memcpy(own + done, cursor.bytes, (size_t)step);
	}
	if (!result)
		result = gim_memory_state(memory)->format->memory->take(memory, own, (size_t)size, error);
	free(own);
	return result;
}

static int read_slab(struct reading *reading, struct gim_memory *memory, uint32_t number, struct gim_error *error)
{
	const struct gim_memory_format *format = gim_memory_state(memory)->format->memory;
	struct gim_cursor cursor;
	int result = take(reading, 4 + GIM_SLAB_PAGES * 8, &cursor, error);
	if (result)
		return result;
	if (number >= gim_memory_range_count(memory))
		return damaged(reading, "pages of a range that there is not", error);
	const uint64_t pages = gim_memory_range_numbered(memory, number)->size_bytes / GIM_PAGE_BYTES;
	const uint64_t first = (uint64_t)gim_cursor_u32(&cursor) * GIM_SLAB_PAGES;
	for (uint64_t i = 0; !result && i < GIM_SLAB_PAGES; i++) {
		enum gim_page_state state;
		uint64_t place;
		const uint64_t word = gim_cursor_u64(&cursor);
		if (!word)
			continue;
		if (first + i >= pages || !gim_memory_word(word, &state, &place) ||
		    (state == GIM_PAGE_DATA && !format->sound(memory, place)))
			return damaged(reading, "a page where none can be", error);
		result = gim_memory_set_page(memory, number, first + i, state, place, error);
	}
	return result;
}

static int read_slabs(struct reading *reading, struct gim_memory *memory, struct gim_error *error)
{
	struct gim_cursor cursor;
	int result;
	while (!(result = take(reading, 4, &cursor, error))) {
		const uint32_t number = gim_cursor_u32(&cursor);
		if (number == SLABS_END)
			break;
		if ((result = read_slab(reading, memory, number, error)))
			break;
	}
	if (result)
		return result;
	const uint32_t crc = reading->crc;
	result = take(reading, 4, &cursor, error);
	if (!result && gim_cursor_u32(&cursor) != crc)
		result = damaged(reading, "its checksum is another", error);
	if (!result && reading->at != reading->input.size)
		result = damaged(reading, "something stands behind it", error);
	return result;
}

static int read_index(struct gim_state *state, struct gim_memory *memory, void *user, struct gim_error *error)
{
	struct reading *reading = (struct reading *)user;
	int result = read_head(reading, state, error);
	if (!result)
		result = read_ranges(reading, memory, error);
	if (!result)
		result = read_own(reading, memory, error);
	return result ? result : read_slabs(reading, memory, error);
}

int gim_memory_open_index(struct gim_state *state, const char *path, struct gim_memory **memory, struct gim_error *error)
{
	struct reading reading = {.piece = malloc(PIECE_BYTES)};
	int result =
	    reading.piece ? gim_input_open(&reading.input, path, error) : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (!result) {
		result = reading.input.seekable ? 0 : gim_fail(error, GIM_E_FORMAT, GIM_UNKNOWN, "it is no file");
		if (!result && !keeps_index(state))
			result = no_index(error);
		if (!result)
			result = gim_memory_build(state, NULL, read_index, &reading, memory, error);
		gim_input_close(&reading.input);
	}
	free(reading.piece);
	return result;
}
