/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The page records of the unit pgm, versions 9 to 14. A live save has them in many passes, of which a later one knows better; which pages there are is said once, in the first
 * pass that there is.
 */
#include "vbox/pgm.h"

#include "error.h"
#include "guest.h"
#include "vbox/rules.h"
#include "vbox/ssm_pieces.h"
#include "vbox/units.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

/*
 * Places. Most pages are a record of their own, or stored as they are: their offset says all. For the others a list says more.
 */
enum { FORM_BITS = 2 };

struct odd_places {
	struct ssm_place *items;
	size_t count, capacity;
};

static int keep_odd(struct odd_places *odd, const struct ssm_place *place, struct gim_error *error)
{
	if (odd->count == odd->capacity) {
		const size_t capacity = odd->capacity ? 2 * odd->capacity : 256;
		struct ssm_place *items = realloc(odd->items, capacity * sizeof(*items));
		if (!items)
			return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
		odd->items = items;
		odd->capacity = capacity;
	}
	odd->items[odd->count++] = *place;
	return 0;
}

static int pgm_page(struct gim_page_reader *reader, uint64_t number, uint8_t *page, struct gim_error *error)
{
	const struct odd_places *odd = (const struct odd_places *)gim_memory_own(reader->memory);
	const enum ssm_version version = vbox_stream(gim_memory_state(reader->memory))->header.version;
	struct ssm_place place = {.form = (enum ssm_place_form)(number & ((1 << FORM_BITS) - 1)), .at = number >> FORM_BITS};
	if (place.form == SSM_PLACE_WITHIN)
		place = odd->items[place.at];
	return ssm_place_read(version, &reader->window, &place, reader->scratch, page, error);
}

static void pgm_free(void *own)
{
	struct odd_places *odd = (struct odd_places *)own;
	free(odd->items);
	free(odd);
}

/*
 * In an index that is kept: of an odd place what it is, 8 bytes and 4.
 */
enum { KEPT_BYTES = 12 };

static void pgm_keep(const void *own, struct gim_buffer *bytes)
{
	const struct odd_places *odd = (const struct odd_places *)own;
	for (size_t i = 0; i < odd->count; i++) {
		gim_buffer_number(bytes, odd->items[i].at, 8);
		gim_buffer_number(bytes, odd->items[i].skip, 4);
	}
}

static int pgm_take(struct gim_memory *memory, const uint8_t *bytes, size_t size, struct gim_error *error)
{
	const uint64_t end = gim_memory_state(memory)->input.size;
	struct gim_cursor cursor = {.bytes = bytes, .size = size};
	struct odd_places *odd = calloc(1, sizeof(*odd));
	if (!odd)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	gim_memory_set_own(memory, odd);
	int result = size % KEPT_BYTES ? gim_fail(error, GIM_E_CORRUPT, GIM_UNKNOWN, "the index of guest memory is damaged") : 0;
	while (!result && gim_cursor_left(&cursor)) {
		struct ssm_place place = {.form = SSM_PLACE_WITHIN};
		place.at = gim_cursor_u64(&cursor);
		place.skip = gim_cursor_u32(&cursor);
		result = place.at < end ? keep_odd(odd, &place, error)
		                        : gim_fail(error, GIM_E_CORRUPT, GIM_UNKNOWN, "the index of guest memory leads out of the state");
	}
	return result;
}

static bool pgm_sound(const struct gim_memory *memory, uint64_t number)
{
	const struct odd_places *odd = (const struct odd_places *)gim_memory_own(memory);
	const bool within = (number & ((1 << FORM_BITS) - 1)) == SSM_PLACE_WITHIN;
	return number >> FORM_BITS < (within ? odd->count : gim_memory_state(memory)->input.size);
}

/*
 * Ranges.
 */
enum { RAM_RANGES = 3, IDS = 256, ROM_PAGES_MAX = 16384 };

/* A page of a ROM that RAM may shadow: what is in the ROM, what in the RAM, and which of them the guest reads. */
struct rom_page {
	struct {
		enum gim_page_state state;
		uint64_t place;
	} original, shadow;
	uint8_t protection;
};

struct device_range {
	bool known;
	uint32_t number;
	uint64_t pages;
	struct rom_page *rom; /* of a ROM; NULL: no record yet */
};

struct indexing {
	struct gim_state *state;
	struct gim_memory *memory;
	struct odd_places *odd;
	struct gim_window window;
	struct ssm_pieces pieces;
	uint8_t *block;
	bool live, configured;
	struct {
		uint64_t gpa, size;
		uint32_t number;
	} ram[RAM_RANGES];
	unsigned ram_count;
	struct device_range rom[IDS], mmio2[IDS];
	uint64_t rom_pages;
	/* Where the next page is that does not say it. */
	uint64_t gpa;   /* GIM_UNKNOWN: nowhere */
	unsigned id;    /* IDS: nowhere */
	uint64_t index; /* of the page in that range */
};

/* A failure at the byte of the payload that was taken last. */
static int fail(const struct indexing *indexing, struct gim_error *error, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int fail(const struct indexing *indexing, struct gim_error *error, const char *format, ...)
{
	char text[200];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	const uint64_t at = indexing->pieces.payload_bytes;
	int result = gim_fail(error, GIM_E_CORRUPT, GIM_UNKNOWN, "%s", text);
	gim_error_payload(error, at ? at - 1 : 0);
	gim_error_unit(error, "pgm", 1);
	return result;
}

static int add_ram(struct indexing *indexing, uint64_t gpa, uint64_t size, struct gim_error *error)
{
	const struct gim_memory_range range = {.kind = GIM_MEMORY_RAM, .gpa = gpa, .size_bytes = size, .name = "RAM"};
	uint32_t number;
	int result = gim_memory_add_range(indexing->memory, &range, &number, error);
	if (result)
		return result;
	indexing->ram[indexing->ram_count].gpa = gpa;
	indexing->ram[indexing->ram_count].size = size;
	indexing->ram[indexing->ram_count++].number = number;
	return 0;
}

/* RAM as a PC has it: without the hole below 1 MiB and the one below 4 GiB. */
static int lay_ram(struct indexing *indexing, uint64_t ram, uint64_t hole, struct gim_error *error)
{
	if (hole <= MIB(16) || hole > MIB(4032) || hole % MIB(4))
		return fail(indexing, error, "the hole in RAM has %" PRIu64 " bytes: 20 MiB to 4032 MiB, in steps of 4, are possible",
		            hole);
	if (!ram || ram % GIM_PAGE_BYTES)
		return fail(indexing, error, "RAM of %" PRIu64 " bytes: whole pages of %d bytes are expected", ram, GIM_PAGE_BYTES);
	const uint64_t start = GIB(4) - hole, low = ram < start ? ram : start;
	int result = add_ram(indexing, 0, low < KIB(640) ? low : KIB(640), error);
	if (!result && low > MIB(1))
		result = add_ram(indexing, MIB(1), low - MIB(1), error);
	if (!result && ram > start)
		result = add_ram(indexing, GIB(4), ram - start, error);
	return result;
}

static int add_device(struct indexing *indexing, struct device_range *device, enum gim_memory_kind kind, uint64_t gpa, uint64_t size,
                      const struct gim_text *name, struct gim_error *error)
{
	struct gim_memory_range range = {.kind = kind, .gpa = gpa, .size_bytes = size};
	(void)snprintf(range.name, sizeof(range.name), "%.*s", (int)name->length, name->bytes);
	if (device->known)
		return fail(indexing, error, "two ranges of memory have the same number (%s)", range.name);
	device->known = true;
	device->pages = size / GIM_PAGE_BYTES;
	return gim_memory_add_range(indexing->memory, &range, &device->number, error);
}

/* The size of RAM, where pgm does not say it. */
static int ram_bytes(struct gim_state *state, uint64_t *bytes, struct gim_error *error)
{
	int result = gim_state_decode(state, GIM_PART_INFO, NULL, NULL, error);
	const struct gim_value value = gim_state_value(state, "guest.ram_bytes");
	if (!result && value.presence == GIM_ABSENT)
		result =
		    gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN, "the state does not say how much RAM its guest has: it has no unit mm/1");
	*bytes = value.number;
	return result;
}

static int configure(struct indexing *indexing, const struct gim_unit *unit, const struct vbox_pgm *pgm, struct gim_error *error)
{
	enum { SIZES_SINCE = 11 };
	uint64_t ram = pgm->ram_bytes, hole = pgm->hole_bytes;
	int result = 0;
	if (unit->version < SIZES_SINCE) {
		hole = MIB(512);
		result = ram_bytes(indexing->state, &ram, error);
	}
	result = result ? result : lay_ram(indexing, ram, hole, error);
	const struct vbox_rom *roms = (const struct vbox_rom *)pgm->rom.items;
	for (uint32_t i = 0; !result && i < pgm->rom.count; i++) {
		indexing->rom_pages += roms[i].size / GIM_PAGE_BYTES;
		if (roms[i].size > GIM_MEMORY_LIMIT || indexing->rom_pages > ROM_PAGES_MAX)
			return fail(indexing, error, "ROMs of more than %d pages", ROM_PAGES_MAX);
		result = add_device(indexing, &indexing->rom[roms[i].id], GIM_MEMORY_ROM, roms[i].gpa, roms[i].size, &roms[i].description,
		                    error);
	}
	const struct vbox_mmio2 *ranges = (const struct vbox_mmio2 *)pgm->mmio2.items;
	for (uint32_t i = 0; !result && i < pgm->mmio2.count; i++)
		result = add_device(indexing, &indexing->mmio2[ranges[i].id], GIM_MEMORY_DEVICE, GIM_UNKNOWN, ranges[i].size,
		                    &ranges[i].description, error);
	indexing->configured = !result;
	return result;
}

/*
 * What stands before the records.
 */
/* Go on at this byte of the payload. */
static int go_to(struct indexing *indexing, size_t offset, struct gim_error *error)
{
	uint8_t scratch[512];
	size_t got = 1;
	int result = ssm_pieces_begin(&indexing->pieces, vbox_stream(indexing->state), &indexing->window, indexing->block, error);
	for (size_t left = offset; !result && left && got; left -= got)
		result = ssm_pieces_take(&indexing->pieces, scratch, left < sizeof(scratch) ? left : sizeof(scratch), &got, error);
	return result;
}

static int decode_head(struct indexing *indexing, const struct gim_unit *unit, const struct gim_frame *frame, struct gim_arena *arena,
                       uint8_t *bytes, struct gim_error *error)
{
	struct gim_object roots[2];
	struct gim_error own = GIM_ERROR_INIT;
	size_t size, used;
	uint32_t version;
	int result = go_to(indexing, 0, error);
	if (!result)
		result = ssm_pieces_take(&indexing->pieces, bytes, VBOX_PGM_LIMIT, &size, error);
	if (!result)
		result = gim_object_new(arena, &guest_record, &roots[0], error);
	if (!result)
		result = gim_object_new(arena, &vbox_record, &roots[1], error);
	if (result)
		return result;
	const struct gim_codec codec = vbox_codec_for(indexing->state, unit, size == VBOX_PGM_LIMIT);
	result = gim_decode(frame->rows, &codec, roots, 2, arena, bytes, size, &used, &version, &own);
	if (result) {
		gim_error_unit(&own, unit->name, unit->instance);
		return gim_fail_as(error, &own);
	}
	result = go_to(indexing, used, error);
	const bool configures = unit->version > 9 && (frame->flags == VBOX_FRAME_LIVE || !indexing->live);
	if (!result && configures && indexing->configured)
		result = fail(indexing, error, "the configuration of memory comes twice");
	if (!result && configures)
		result = configure(indexing, unit, &((const struct vbox *)(const void *)roots[1].data)->pgm, error);
	return result;
}

static int read_head(struct indexing *indexing, const struct gim_unit *unit, struct gim_error *error)
{
	if (unit->pass != GIM_PASS_FINAL && unit->pass)
		return go_to(indexing, 0, error);
	const bool old = unit->version == vbox_pgm_9.first && unit->pass == GIM_PASS_FINAL;
	const struct gim_frame *frame = old ? &vbox_pgm_9 : vbox_next_frame(NULL, unit);
	if (!frame)
		return gim_fail(error, GIM_E_VERSION, unit->offset, "memory in version %" PRIu32 " of the unit pgm: 9 to 14 are read",
		                unit->version);
	struct gim_arena arena = {.limit_bytes = VBOX_SCRATCH_LIMIT};
	uint8_t *bytes = malloc(VBOX_PGM_LIMIT);
	int result =
	    bytes ? decode_head(indexing, unit, frame, &arena, bytes, error) : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	free(bytes);
	gim_arena_free(&arena);
	return result;
}

/*
 * Records since version 10.
 */
enum record_type {
	RAM_ZERO,
	RAM_DATA,
	MMIO2_DATA,
	MMIO2_ZERO,
	ROM_ORIGINAL,
	ROM_SHADOW,
	ROM_SHADOW_ZERO,
	ROM_PROTECTION,
	RAM_BALLOONED,
	RECORD_TYPES,
	POSITION = 0x80,
	RECORDS_END = 0xff
};

/* What follows the type and the position. */
static const struct {
	enum gim_page_state state;
	bool protection;
} types[RECORD_TYPES] = {
    [RAM_ZERO] = {GIM_PAGE_ZERO, false},       [RAM_DATA] = {GIM_PAGE_DATA, false},      [MMIO2_DATA] = {GIM_PAGE_DATA, false},
    [MMIO2_ZERO] = {GIM_PAGE_ZERO, false},     [ROM_ORIGINAL] = {GIM_PAGE_DATA, true},   [ROM_SHADOW] = {GIM_PAGE_DATA, true},
    [ROM_SHADOW_ZERO] = {GIM_PAGE_ZERO, true}, [ROM_PROTECTION] = {GIM_PAGE_ZERO, true}, [RAM_BALLOONED] = {GIM_PAGE_BALLOONED, false},
};

static int take_number(struct indexing *indexing, unsigned width, uint64_t *number, struct gim_error *error)
{
	uint8_t bytes[8];
	size_t got;
	int result = ssm_pieces_take(&indexing->pieces, bytes, width, &got, error);
	if (!result && got < width) {
		result = gim_fail(error, GIM_E_TRUNCATED, GIM_UNKNOWN, "the unit ends within its page records");
		gim_error_payload(error, indexing->pieces.payload_bytes);
		gim_error_unit(error, "pgm", 1);
	}
	struct gim_cursor cursor = {.bytes = bytes, .size = width};
	if (!result)
		*number = gim_cursor_number(&cursor, width);
	return result;
}

/* Pass over the page's bytes, if it has some. */
static int take_page(struct indexing *indexing, enum gim_page_state *state, uint64_t *number, struct gim_error *error)
{
	struct ssm_place place;
	*number = 0;
	if (*state != GIM_PAGE_DATA)
		return 0;
	int result = ssm_pieces_page(&indexing->pieces, &place, error);
	if (result)
		return result;
	if (place.form == SSM_PLACE_ZERO)
		*state = GIM_PAGE_ZERO;
	else if (place.form == SSM_PLACE_WITHIN)
		result = keep_odd(indexing->odd, &place, error);
	*number = (place.form == SSM_PLACE_WITHIN ? indexing->odd->count - 1 : place.at) << FORM_BITS | place.form;
	return result;
}

static int ram_record(struct indexing *indexing, unsigned type, bool position, struct gim_error *error)
{
	enum gim_page_state state = types[type].state;
	uint64_t place;
	int result = 0;
	indexing->id = IDS;
	if (position)
		result = take_number(indexing, 8, &indexing->gpa, error);
	else if (indexing->gpa == GIM_UNKNOWN)
		result = fail(indexing, error, "the first page of RAM does not say where it is");
	else
		indexing->gpa += GIM_PAGE_BYTES;
	const uint64_t gpa = indexing->gpa;
	if (!result && gpa % GIM_PAGE_BYTES)
		result = fail(indexing, error, "a page of RAM at 0x%" PRIx64 ", where no page begins", gpa);
	if (!result)
		result = take_page(indexing, &state, &place, error);
	for (unsigned i = 0; !result && i < indexing->ram_count; i++)
		if (gpa - indexing->ram[i].gpa < indexing->ram[i].size)
			return gim_memory_set_page(indexing->memory, indexing->ram[i].number, (gpa - indexing->ram[i].gpa) / GIM_PAGE_BYTES,
			                           state, place, error);
	/* Old releases have RAM where ROMs and the screen are. */
	if (result || (type == RAM_ZERO && gpa >= KIB(640) && gpa < MIB(1)))
		return result;
	return fail(indexing, error, "a page of RAM at 0x%" PRIx64 ", where the guest has none", gpa);
}

static int rom_record(struct indexing *indexing, struct device_range *rom, unsigned type, uint64_t protection, enum gim_page_state state,
                      uint64_t place, struct gim_error *error)
{
	if (!protection || protection > 4)
		return fail(indexing, error, "a page of a ROM is protected by %" PRIu64 ": 1 to 4 are possible", protection);
	if (!rom->rom)
		rom->rom = calloc((size_t)rom->pages, sizeof(*rom->rom));
	if (!rom->rom)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	struct rom_page *page = &rom->rom[indexing->index];
	page->protection = (uint8_t)protection;
	if (type == ROM_ORIGINAL) {
		page->original.state = state;
		page->original.place = place;
	} else if (type != ROM_PROTECTION) {
		page->shadow.state = state;
		page->shadow.place = place;
	}
	return 0;
}

static int device_record(struct indexing *indexing, unsigned type, bool position, struct gim_error *error)
{
	enum gim_page_state state = types[type].state;
	uint64_t id = indexing->id, place, protection = 0;
	int result = 0;
	indexing->gpa = GIM_UNKNOWN;
	if (position) {
		result = take_number(indexing, 1, &id, error);
		result = result ? result : take_number(indexing, 4, &indexing->index, error);
		indexing->id = result ? IDS : (unsigned)id;
	} else if (indexing->id == IDS) {
		result = fail(indexing, error, "the first page of ROMs and devices does not say where it is");
	} else {
		indexing->index++;
	}
	if (result)
		return result;
	const bool mmio2 = type == MMIO2_DATA || type == MMIO2_ZERO;
	struct device_range *device = mmio2 ? &indexing->mmio2[id] : &indexing->rom[id];
	if (!device->known || indexing->index >= device->pages)
		return fail(indexing, error, "page %" PRIu64 " of %s %" PRIu64 ", which has %" PRIu64, indexing->index,
		            mmio2 ? "range" : "ROM", id, device->known ? device->pages : 0);
	if (types[type].protection)
		result = take_number(indexing, 1, &protection, error);
	if (!result)
		result = take_page(indexing, &state, &place, error);
	if (result)
		return result;
	return mmio2 ? gim_memory_set_page(indexing->memory, device->number, indexing->index, state, place, error)
	             : rom_record(indexing, device, type, protection, state, place, error);
}

static int read_records(struct indexing *indexing, struct gim_error *error)
{
	enum { STEP = 4096 };
	uint64_t type = 0;
	int result = 0;
	indexing->gpa = GIM_UNKNOWN;
	indexing->id = IDS;
	for (uint32_t count = 1; !result; count++) {
		result = take_number(indexing, 1, &type, error);
		if (result || type == RECORDS_END)
			return result;
		const unsigned plain = (unsigned)type & ~(unsigned)POSITION;
		if (plain >= RECORD_TYPES)
			return fail(indexing, error, "a page record of type 0x%02x: 0x%02x is the last that is known", (unsigned)type,
			            RECORD_TYPES - 1);
		if (plain == RAM_ZERO || plain == RAM_DATA || plain == RAM_BALLOONED)
			result = ram_record(indexing, plain, type & POSITION, error);
		else
			result = device_record(indexing, plain, type & POSITION, error);
		if (!result && count % STEP == 0)
			result = gim_memory_progress(indexing->memory, indexing->pieces.piece.at, error);
	}
	return result;
}

/*
 * Version 9: a range at a time, each page with its type.
 */
static int old_page(struct indexing *indexing, uint32_t number, uint64_t index, struct gim_error *error)
{
	uint64_t has, place = 0;
	int result = take_number(indexing, 1, &has, error);
	if (!result && has > 1)
		result = fail(indexing, error, "a page is marked by %" PRIu64 ", where 0 or 1 is expected", has);
	enum gim_page_state state = has ? GIM_PAGE_DATA : GIM_PAGE_ZERO;
	if (!result)
		result = take_page(indexing, &state, &place, error);
	return result || number == UINT32_MAX ? result : gim_memory_set_page(indexing->memory, number, index, state, place, error);
}

static int old_pages(struct indexing *indexing, uint32_t number, uint64_t count, struct gim_error *error)
{
	enum { SHADOWED = 3, TYPES = 6 };
	uint64_t type, protection;
	int result = 0;
	for (uint64_t i = 0; !result && i < count; i++) {
		result = take_number(indexing, 1, &type, error);
		if (!result && (!type || type >= TYPES))
			result = fail(indexing, error, "a page of type %" PRIu64 ": 1 to %d are known", type, TYPES - 1);
		if (!result && type == SHADOWED)
			result = take_number(indexing, 1, &protection, error);
		/* The one that the guest reads comes first. */
		if (!result)
			result = old_page(indexing, number, i, error);
		if (!result && type == SHADOWED)
			result = old_page(indexing, UINT32_MAX, i, error);
	}
	return result;
}

static int old_range(struct indexing *indexing, struct gim_error *error)
{
	uint64_t first, last, size, bits, length;
	struct gim_memory_range range = {.kind = GIM_MEMORY_RAM};
	const unsigned width = indexing->state->codec.address_bytes;
	size_t got = 0;
	uint32_t number;
	int result = take_number(indexing, width, &first, error);
	result = result ? result : take_number(indexing, width, &last, error);
	result = result ? result : take_number(indexing, 8, &size, error);
	result = result ? result : take_number(indexing, 1, &bits, error);
	result = result ? result : take_number(indexing, 4, &length, error);
	if (!result && length >= sizeof(range.name))
		result = fail(indexing, error, "the name of a range of memory has %" PRIu64 " bytes: at most %zu are possible", length,
		              sizeof(range.name) - 1);
	if (!result)
		result = ssm_pieces_take(&indexing->pieces, range.name, (size_t)length, &got, error);
	if (!result && (last < first || last - first != size - 1))
		result = fail(indexing, error, "a range of memory from 0x%" PRIx64 " to 0x%" PRIx64 " is said to have %" PRIu64 " bytes",
		              first, last, size);
	if (result)
		return result;
	range.kind = bits ? GIM_MEMORY_DEVICE : GIM_MEMORY_RAM;
	range.gpa = first;
	range.size_bytes = size;
	result = gim_memory_add_range(indexing->memory, &range, &number, error);
	return result ? result : old_pages(indexing, number, size / GIM_PAGE_BYTES, error);
}

static int read_old(struct indexing *indexing, struct gim_error *error)
{
	uint64_t number = 0, expected = 0;
	int result;
	while (!(result = take_number(indexing, 4, &number, error)) && number != UINT32_MAX) {
		if (number != expected++)
			return fail(indexing, error, "range %" PRIu64 " of memory, where %" PRIu64 " is expected", number, expected - 1);
		result = old_range(indexing, error);
		if (result)
			return result;
	}
	return result;
}

/*
 * Units.
 */
static int read_unit(struct indexing *indexing, const struct gim_unit *unit, struct gim_error *error)
{
	int result = read_head(indexing, unit, error);
	if (!result && unit->version == 9)
		return read_old(indexing, error);
	if (!result && !indexing->configured)
		result = gim_fail(error, GIM_E_CORRUPT, unit->offset,
		                  "pages of memory come before what says how much there is: pass 0 is missing");
	return result ? result : read_records(indexing, error);
}

static bool is_pgm(const struct gim_unit *unit)
{
	return !strcmp(unit->name, "pgm") && unit->instance == 1;
}

static int no_unit(struct gim_error *error)
{
	return gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN, "the state holds no memory of its guest: there is no unit pgm/1");
}

/* All passes of a live save, which no directory knows. */
static int read_passes(struct indexing *indexing, struct gim_error *error)
{
	struct ssm_stream *stream = vbox_stream(indexing->state);
	struct gim_unit unit;
	bool final = false;
	int result;
	ssm_seek(stream, stream->header.size_bytes);
	while (!final && (result = ssm_next(stream, &unit, error)) == 1) {
		uint64_t end = unit.offset;
		if (is_pgm(&unit)) {
			result = read_unit(indexing, &unit, error);
			final = unit.pass == GIM_PASS_FINAL;
		} else {
			result = ssm_pieces_begin(&indexing->pieces, stream, &indexing->window, indexing->block, error);
		}
		if (!result)
			result = ssm_pieces_skip(&indexing->pieces, &end, error);
		if (!result)
			result = gim_memory_progress(indexing->memory, end, error);
		if (result)
			return result;
		ssm_seek(stream, end);
	}
	if (!final && !result)
		result = no_unit(error);
	return result < 0 ? result : 0;
}

static int read_final(struct indexing *indexing, struct gim_error *error)
{
	struct gim_unit unit;
	struct gim_error own = GIM_ERROR_INIT;
	int result = gim_unit_find(indexing->state, "pgm", 1, GIM_PASS_FINAL, &unit, &own);
	if (result == GIM_E_NO_UNIT)
		return no_unit(error);
	return result ? gim_fail_as(error, &own) : read_unit(indexing, &unit, error);
}

/* Of each page of the ROMs, what the guest reads. */
static int show_roms(struct indexing *indexing, struct gim_error *error)
{
	enum { READ_RAM = 3 };
	int result = 0;
	for (unsigned id = 0; id < IDS; id++)
		for (uint64_t i = 0; !result && indexing->rom[id].rom && i < indexing->rom[id].pages; i++) {
			const struct rom_page *page = &indexing->rom[id].rom[i];
			const bool shadow = page->protection >= READ_RAM;
			result = gim_memory_set_page(indexing->memory, indexing->rom[id].number, i,
			                             shadow ? page->shadow.state : page->original.state,
			                             shadow ? page->shadow.place : page->original.place, error);
		}
	return result;
}

static int pgm_index(struct gim_state *state, struct gim_memory *memory, struct gim_error *error)
{
	struct indexing *indexing = calloc(1, sizeof(*indexing));
	struct odd_places *odd = calloc(1, sizeof(*odd));
	if (!indexing || !odd) {
		free(indexing);
		free(odd);
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	}
	gim_memory_set_own(memory, odd);
	*indexing = (struct indexing){.state = state, .memory = memory, .odd = odd, .live = vbox_is_live(state)};
	indexing->block = malloc(SSM_BLOCK_MAX);
	int result = gim_window_new(&indexing->window, &state->input, true, error);
	if (!result && !indexing->block)
		result = gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (!result)
		result = indexing->live ? read_passes(indexing, error) : read_final(indexing, error);
	if (!result)
		result = show_roms(indexing, error);
	for (unsigned id = 0; id < IDS; id++)
		free(indexing->rom[id].rom);
	gim_window_free(&indexing->window);
	free(indexing->block);
	free(indexing);
	return result;
}

const struct gim_memory_format vbox_memory = {
    .scratch_bytes = SSM_BLOCK_MAX,
    .index = pgm_index,
    .page = pgm_page,
    .free = pgm_free,
    .keep = pgm_keep,
    .take = pgm_take,
    .sound = pgm_sound,
};
