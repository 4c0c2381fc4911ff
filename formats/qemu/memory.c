/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's memory in a migration stream, by address: which record says last what a page holds, and its bytes in any encoding. */
#include "memory.h"

#include "error.h"
#include "qemu/decode.h"
#include "qemu/parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define KIB(n) ((uint64_t)(n) << 10)
#define GIB(n) ((uint64_t)(n) << 30)

/* A page's place: how its bytes are stored, and where. */
enum store { STORE_RAW, STORE_ZLIB, STORE_DELTAS };
enum { STORE_BITS = 2, SIZE_BYTES = 4, PACKED_MAX = 2 * GIM_PAGE_BYTES };

/* A page that is said by what changed of it, as xbzrle does. */
struct delta {
	uint64_t at, before; /* of its bytes in the input; the place of the page that it changes */
	uint16_t size_bytes;
	bool first; /* it changes a page of zeros */
};
/* No page is sent so often. */
enum { DELTAS_MAX = 1 << 22, CHAIN_MAX = 4096 };

struct deltas {
	struct delta *items;
	size_t count, capacity;
};

/* A piece of a block that the guest sees at one place, or nowhere. */
struct piece {
	uint64_t offset, size; /* in the block */
	uint32_t block, number;
};

struct indexing {
	struct gim_memory *memory;
	struct deltas *deltas;
	const struct qemu_ram *ram;
	struct piece *pieces;
	uint32_t piece_count;
	bool has_pages;
	struct gim_error *error;
};

/*
 * Where blocks are (QEMU's machines pc and q35).
 */
static int add_piece(struct indexing *indexing, uint32_t block, enum gim_memory_kind kind, uint64_t offset, uint64_t gpa, uint64_t size)
{
	struct gim_memory_range range = {.kind = kind, .gpa = gpa, .size_bytes = size};
	struct piece *piece = &indexing->pieces[indexing->piece_count];
	(void)snprintf(range.name, sizeof(range.name), "%s", indexing->ram->blocks[block].name);
	*piece = (struct piece){.offset = offset, .size = size, .block = block};
	int result = gim_memory_add_range(indexing->memory, &range, &piece->number, indexing->error);
	indexing->piece_count += !result;
	return result;
}

/* Between 640 and 768 KiB the guest sees the display; RAM that does not fit below the devices goes on at 4 GiB. */
static int add_ram(struct indexing *indexing, uint32_t block, uint64_t size, bool q35)
{
	const uint64_t most = q35 ? UINT64_C(0xb0000000) : UINT64_C(0xe0000000), split = q35 ? GIB(2) : GIB(3);
	const uint64_t low = size < most ? size : split;
	int result = add_piece(indexing, block, GIM_MEMORY_RAM, 0, 0, low < KIB(640) ? low : KIB(640));
	if (!result && low > KIB(768))
		result = add_piece(indexing, block, GIM_MEMORY_RAM, KIB(768), KIB(768), low - KIB(768));
	if (!result && size > low)
		result = add_piece(indexing, block, GIM_MEMORY_RAM, low, GIB(4), size - low);
	return result;
}

/* The block that is the machine's RAM: it has that name, unless it was given by a memory backend. */
static uint32_t main_block(const struct qemu_ram *ram)
{
	uint32_t main = 0;
	for (uint32_t i = 0; i < ram->block_count; i++) {
		if (!strcmp(ram->blocks[i].name, "pc.ram"))
			return i;
		if (ram->blocks[i].used_bytes > ram->blocks[main].used_bytes)
			main = i;
	}
	return main;
}

static int add_blocks(struct indexing *indexing, bool q35)
{
	const struct qemu_ram *ram = indexing->ram;
	const uint32_t main = main_block(ram);
	int result = 0;
	for (uint32_t i = 0; !result && i < ram->block_count; i++) {
		const uint64_t size = (ram->blocks[i].used_bytes + GIM_PAGE_BYTES - 1) / GIM_PAGE_BYTES * GIM_PAGE_BYTES;
		const bool bios = !strcmp(ram->blocks[i].name, "pc.bios") && size && size <= KIB(16 * 1024);
		if (i == main)
			result = add_ram(indexing, i, size, q35);
		else if (size)
			result =
			    add_piece(indexing, i, bios ? GIM_MEMORY_ROM : GIM_MEMORY_DEVICE, 0, bios ? GIB(4) - size : GIM_UNKNOWN, size);
	}
	return result;
}

/*
 * Pages.
 */
static const struct piece *find_piece(const struct indexing *indexing, const struct qemu_ram_block *block, uint64_t offset)
{
	for (uint32_t i = 0; i < indexing->piece_count; i++) {
		const struct piece *piece = &indexing->pieces[i];
		if (block == &indexing->ram->blocks[piece->block] && offset >= piece->offset && offset - piece->offset < piece->size)
			return piece;
	}
	return NULL;
}

static uint64_t place_of(enum store store, uint64_t where)
{
	return where << STORE_BITS | store;
}

static enum store store_of(uint64_t place)
{
	return (enum store)(place & ((1 << STORE_BITS) - 1));
}

static int add_delta(struct deltas *deltas, const struct delta *delta, struct gim_error *error)
{
	if (deltas->count == DELTAS_MAX)
		return gim_fail(error, GIM_E_LIMIT, delta->at,
		                "the stream has more than the %d pages sent as changes (xbzrle) that are read at most", DELTAS_MAX);
	if (deltas->count == deltas->capacity) {
		const size_t capacity = deltas->capacity ? 2 * deltas->capacity : 256;
		struct delta *items = realloc(deltas->items, capacity * sizeof(*items));
		if (!items)
			return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
		deltas->items = items;
		deltas->capacity = capacity;
	}
	deltas->items[deltas->count++] = *delta;
	return 0;
}

static int set_page(struct indexing *indexing, const struct qemu_page *page, uint64_t offset)
{
	const struct piece *piece = find_piece(indexing, page->block, page->offset + offset);
	indexing->has_pages = true;
	if (!piece)
		return 0; /* behind the display's window */
	const uint64_t index = (page->offset + offset - piece->offset) / GIM_PAGE_BYTES;
	uint64_t place = place_of(page->kind == QEMU_PAGE_ZLIB ? STORE_ZLIB : STORE_RAW, page->at + offset), before;
	if (page->kind == QEMU_PAGE_XBZRLE) {
		const enum gim_page_state state = gim_memory_page(indexing->memory, piece->number, index, &before);
		const struct delta delta = {page->at, before, (uint16_t)page->size_bytes, state != GIM_PAGE_DATA};
		int result = add_delta(indexing->deltas, &delta, indexing->error);
		if (result)
			return result;
		place = place_of(STORE_DELTAS, indexing->deltas->count - 1);
	}
	return gim_memory_set_page(indexing->memory, piece->number, index, page->kind == QEMU_PAGE_ZERO ? GIM_PAGE_ZERO : GIM_PAGE_DATA,
	                           place, indexing->error);
}

static int take_page(void *user, const struct qemu_page *page)
{
	struct indexing *indexing = (struct indexing *)user;
	const uint64_t size = page->kind == QEMU_PAGE_MAPPED ? page->size_bytes : GIM_PAGE_BYTES;
	int result = size < GIM_PAGE_BYTES
	                 ? gim_fail(indexing->error, GIM_E_UNSUPPORTED, page->at,
	                            "the stream has pages of %" PRIu64 " bytes, and %u at least are expected", size, GIM_PAGE_BYTES)
	                 : 0;
	for (uint64_t offset = 0; !result && offset < size && page->offset + offset < page->block->used_bytes; offset += GIM_PAGE_BYTES)
		result = set_page(indexing, page, offset);
	return result;
}

/* Of mapped RAM bitmaps say which pages are not zeros. */
static int walk_bitmaps(struct indexing *indexing, struct qemu_stream *stream)
{
	int result = 0;
	gim_memory_rest_is_zero(indexing->memory);
	for (uint32_t i = 0; !result && i < stream->ram.block_count; i++)
		result = qemu_ram_mapped_pages(&stream->ram, &stream->ram.blocks[i], stream->input, take_page, indexing, indexing->error);
	return result;
}

/* Once more through the sections of RAM. The list of blocks, with which they begin, comes again, too. */
static int walk_pages(struct indexing *indexing, struct qemu_stream *stream, struct qemu_ram *ram)
{
	int result = 0;
	for (size_t i = 0; !result && i < stream->all.count; i++) {
		const struct qemu_section *section = &stream->all.items[i];
		if (strcmp(section->name, "ram") != 0 || section->type == QEMU_SECTION_FULL)
			continue;
		qemu_reader_seek(&stream->reader, section->payload);
		result = qemu_ram_walk(ram, &stream->reader, take_page, indexing, indexing->error);
		if (!result)
			result = gim_memory_progress(indexing->memory, section->payload + section->size_bytes, indexing->error);
	}
	return result;
}

static int qemu_memory_index(struct gim_state *state, struct gim_memory *memory, struct gim_error *error)
{
	struct qemu_stream *stream = (struct qemu_stream *)state->container;
	struct deltas *deltas = calloc(1, sizeof(*deltas));
	struct indexing indexing = {.memory = memory, .deltas = deltas, .error = error};
	if (!deltas)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	gim_memory_set_own(memory, deltas);
	int result = qemu_find_all(stream, error);
	if (!result && stream->failure.code)
		result = gim_fail_as(error, &stream->failure);
	if (!result && (!stream->ram.block_count || stream->settled))
		result = gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN, "the stream holds no memory");
	if (!result && stream->ram.block_count > GIM_MEMORY_RANGES_MAX - 2)
		result =
		    gim_fail(error, GIM_E_LIMIT, GIM_UNKNOWN, "the stream has %" PRIu32 " blocks of memory, of which at most %u are read",
		             stream->ram.block_count, GIM_MEMORY_RANGES_MAX - 2);
	if (result)
		return result;
	struct qemu_ram ram = stream->ram;
	indexing.ram = &ram;
	indexing.pieces = calloc(GIM_MEMORY_RANGES_MAX, sizeof(*indexing.pieces));
	result = indexing.pieces ? add_blocks(&indexing, strstr(stream->configuration.machine, "q35") != NULL)
	                         : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (!result)
		result = ram.mapped ? walk_bitmaps(&indexing, stream) : walk_pages(&indexing, stream, &ram);
	if (!result && !indexing.has_pages)
		result =
		    gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN, "the stream lists its blocks of memory, and holds no page of them%s",
		             ram.ignore_shared ? ": it was saved with x-ignore-shared, by which they stay in the memory's own file" : "");
	free(indexing.pieces);
	return result;
}

/*
 * A page's bytes.
 */
static int peek(struct gim_page_reader *reader, uint64_t at, size_t size, const uint8_t **bytes, struct gim_error *error)
{
	size_t got;
	int result = gim_window_peek(&reader->window, at, size, bytes, &got, error);
	if (!result && got < size)
		result = qemu_fail(error, QEMU_END_OF_FILE, at + got, "the stream ends within a page");
	return result;
}

static int read_zlib(struct gim_page_reader *reader, uint64_t at, uint8_t *page, struct gim_error *error)
{
	const uint8_t *bytes;
	uLongf length = GIM_PAGE_BYTES;
	int result = peek(reader, at - SIZE_BYTES, SIZE_BYTES, &bytes, error);
	const size_t size = result ? 0 : (size_t)qemu_number(bytes, SIZE_BYTES);
	if (!result && size > PACKED_MAX)
		result = qemu_fail(error, QEMU_RAM_DATA, at,
		                   "a packed page of %zu bytes: the stream has changed since it was looked through", size);
	if (!result)
		result = peek(reader, at, size, &bytes, error);
	if (!result && (uncompress(page, &length, bytes, size) != Z_OK || length != GIM_PAGE_BYTES))
		result = qemu_fail(error, QEMU_RAM_DATA, at, "a packed page cannot be unpacked to %u bytes", GIM_PAGE_BYTES);
	return result;
}

/* A length of one or two bytes, seven bits in each; false: there is none. */
static bool take_length(const uint8_t *bytes, size_t size, size_t *at, size_t *length)
{
	if (*at >= size)
		return false;
	*length = bytes[*at] & 0x7f;
	if (!(bytes[(*at)++] & 0x80))
		return true;
	if (*at >= size || bytes[*at] & 0x80)
		return false;
	*length |= (size_t)bytes[(*at)++] << 7;
	return true;
}

/* Runs of bytes that stay and of bytes that change, in turn (QEMU's xbzrle.txt). */
static bool apply_delta(const uint8_t *bytes, size_t size, uint8_t *page)
{
	size_t at = 0, to = 0, length;
	while (at < size) {
		if (!take_length(bytes, size, &at, &length) || length > GIM_PAGE_BYTES - to)
			return false;
		to += length;
		if (at == size)
			return true; /* the rest stays */
		if (!take_length(bytes, size, &at, &length) || length > GIM_PAGE_BYTES - to || length > size - at)
			return false;
		memcpy(page + to, bytes + at, length);
		to += length;
		at += length;
	}
	return true;
}

static int read_stored(struct gim_page_reader *reader, uint64_t place, uint8_t *page, struct gim_error *error)
{
	const uint8_t *bytes;
	if (store_of(place) == STORE_ZLIB)
		return read_zlib(reader, place >> STORE_BITS, page, error);
	int result = peek(reader, place >> STORE_BITS, GIM_PAGE_BYTES, &bytes, error);
	if (!result)
		memcpy(page, bytes, GIM_PAGE_BYTES);
	return result;
}

/* Back to the page that was sent whole, then forward through the changes. */
static int read_deltas(struct gim_page_reader *reader, uint64_t place, uint8_t *page, struct gim_error *error)
{
	const struct deltas *deltas = (const struct deltas *)gim_memory_own(reader->memory);
	const struct delta *chain[CHAIN_MAX];
	unsigned count = 0;
	int result = 0;
	for (bool more = true; more && !result;) {
		const struct delta *delta = &deltas->items[place >> STORE_BITS];
		if (count == CHAIN_MAX)
			return gim_fail(error, GIM_E_LIMIT, delta->at,
			                "a page was sent as changes more than the %d times that are followed", CHAIN_MAX);
		chain[count++] = delta;
		place = delta->before;
		more = !delta->first && store_of(place) == STORE_DELTAS;
	}
	if (chain[count - 1]->first)
		memset(page, 0, GIM_PAGE_BYTES);
	else
		result = read_stored(reader, place, page, error);
	while (!result && count--) {
		const uint8_t *bytes;
		result = peek(reader, chain[count]->at, chain[count]->size_bytes, &bytes, error);
		if (!result && !apply_delta(bytes, chain[count]->size_bytes, page))
			result = qemu_fail(error, QEMU_RAM_DATA, chain[count]->at, "the changes of a page do not fit into it");
	}
	return result;
}

static int qemu_memory_page(struct gim_page_reader *reader, uint64_t place, uint8_t *page, struct gim_error *error)
{
	return store_of(place) == STORE_DELTAS ? read_deltas(reader, place, page, error) : read_stored(reader, place, page, error);
}

static void qemu_memory_free(void *own)
{
	struct deltas *deltas = (struct deltas *)own;
	free(deltas->items);
	free(deltas);
}

/*
 * In an index that is kept: a delta's members in their order.
 */
enum { KEPT_BYTES = 8 + 8 + 2 + 1 };

static void qemu_memory_keep(const void *own, struct gim_buffer *bytes)
{
	const struct deltas *deltas = (const struct deltas *)own;
	for (size_t i = 0; i < deltas->count; i++) {
		gim_buffer_number(bytes, deltas->items[i].at, 8);
		gim_buffer_number(bytes, deltas->items[i].before, 8);
		gim_buffer_number(bytes, deltas->items[i].size_bytes, 2);
		gim_buffer_number(bytes, deltas->items[i].first, 1);
	}
}

/* Deltas change pages that were there before, so that no chain of them is endless. */
static bool qemu_memory_sound(const struct gim_memory *memory, uint64_t place)
{
	const struct deltas *deltas = (const struct deltas *)gim_memory_own(memory);
	const uint64_t where = place >> STORE_BITS, end = gim_memory_state(memory)->input.size;
	switch (store_of(place)) {
	case STORE_RAW:
		return where < end;
	case STORE_ZLIB:
		return where >= SIZE_BYTES && where < end;
	case STORE_DELTAS:
		return where < deltas->count;
	}
	return false;
}

static int qemu_memory_take(struct gim_memory *memory, const uint8_t *bytes, size_t size, struct gim_error *error)
{
	struct gim_cursor cursor = {.bytes = bytes, .size = size};
	struct deltas *deltas = calloc(1, sizeof(*deltas));
	if (!deltas)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	gim_memory_set_own(memory, deltas);
	int result = size % KEPT_BYTES ? gim_fail(error, GIM_E_CORRUPT, GIM_UNKNOWN, "the index of guest memory is damaged") : 0;
	while (!result && gim_cursor_left(&cursor)) {
		struct delta delta = {.at = gim_cursor_u64(&cursor)};
		delta.before = gim_cursor_u64(&cursor);
		delta.size_bytes = gim_cursor_u16(&cursor);
		delta.first = gim_cursor_u8(&cursor);
		if (delta.at >= gim_memory_state(memory)->input.size || (!delta.first && !qemu_memory_sound(memory, delta.before)))
			return gim_fail(error, GIM_E_CORRUPT, GIM_UNKNOWN, "the index of guest memory leads out of the state");
		result = add_delta(deltas, &delta, error);
	}
	return result;
}

const struct gim_memory_format qemu_memory = {
    .index = qemu_memory_index,
    .page = qemu_memory_page,
    .free = qemu_memory_free,
    .keep = qemu_memory_keep,
    .take = qemu_memory_take,
    .sound = qemu_memory_sound,
};
