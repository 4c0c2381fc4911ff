/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests the guest's memory in a migration stream, of a made-up stream with every way to say a page. */
#include "gimstate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

enum { PAGE = 4096, ZERO = 2, SIZES = 4, RAW = 8, EOS = 0x10, XBZRLE = 0x40, ZLIB = 0x100, RAM_BYTES = 1 << 20 };

struct stream {
	uint8_t bytes[1 << 18];
	size_t size;
};

static void put(struct stream *stream, const void *bytes, size_t size)
{
	assert_true(stream->size + size <= sizeof(stream->bytes));
	memcpy(stream->bytes + stream->size, bytes, size);
	stream->size += size;
}

static void put_number(struct stream *stream, unsigned width, uint64_t number)
{
	while (width--) {
		const uint8_t byte = (uint8_t)(number >> 8 * width);
		put(stream, &byte, 1);
	}
}

static void put_name(struct stream *stream, const char *name)
{
	put_number(stream, 1, strlen(name));
	put(stream, name, strlen(name));
}

static void put_page(struct stream *stream, const char *block, uint64_t offset, unsigned flag)
{
	put_number(stream, 8, offset | flag);
	put_name(stream, block);
}

static void put_raw(struct stream *stream, const char *block, uint64_t offset, char fill)
{
	uint8_t page[PAGE];
	memset(page, fill, sizeof(page));
	put_page(stream, block, offset, RAW);
	put(stream, page, sizeof(page));
}

static void put_changes(struct stream *stream, uint64_t offset, const char *changes, size_t size)
{
	put_page(stream, "pc.ram", offset, XBZRLE);
	put_number(stream, 1, 1);
	put_number(stream, 2, size);
	put(stream, changes, size);
}

static void put_packed(struct stream *stream, uint64_t offset, char fill)
{
	uint8_t page[PAGE], packed[PAGE];
	uLongf size = sizeof(packed);
	memset(page, fill, sizeof(page));
	assert_int_equal(compress(packed, &size, page, sizeof(page)), Z_OK);
	put_page(stream, "pc.ram", offset, ZLIB);
	put_number(stream, 4, size);
	put(stream, packed, size);
}

static void begin(struct stream *stream, const char *machine, uint64_t ram_bytes)
{
	stream->size = 0;
	put(stream, "QEVM\0\0\0\3\7", 9);
	put_number(stream, 4, strlen(machine));
	put(stream, machine, strlen(machine));
	put(stream, "\1\0\0\0\2", 5);
	put_name(stream, "ram");
	put_number(stream, 4, 0);
	put_number(stream, 4, 4);
	put_number(stream, 8, (ram_bytes + 2 * PAGE) | SIZES);
	put_name(stream, "pc.ram");
	put_number(stream, 8, ram_bytes);
	put_name(stream, "pc.bios");
	put_number(stream, 8, PAGE);
	put_name(stream, "vga.vram");
	put_number(stream, 8, PAGE);
	put_number(stream, 8, EOS);
	put(stream, "\x7e\0\0\0\2\3\0\0\0\2", 10);
}

static struct gim_memory *finish(struct stream *stream, struct gim_state **state)
{
	struct gim_memory *memory = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	put_number(stream, 8, EOS);
	put(stream, "\x7e\0\0\0\2\0", 6);
	if (gim_state_open_memory(stream->bytes, stream->size, state, &error) || gim_memory_open(*state, NULL, &memory, &error))
		fail_msg("%s", error.text);
	return memory;
}

static void expect(struct gim_memory *memory, uint64_t gpa, enum gim_memory_kind kind, const char *bytes)
{
	char read[16] = "";
	struct gim_error error = GIM_ERROR_INIT;
	assert_int_equal(gim_memory_at(memory, gpa, NULL), kind);
	if (kind == GIM_MEMORY_HOLE)
		return;
	if (gim_memory_read(memory, gpa, read, strlen(bytes), &error))
		fail_msg("at 0x%llx: %s", (unsigned long long)gpa, error.text);
	assert_string_equal(read, bytes);
}

static void encodings(void **unused)
{
	static struct stream stream;
	struct gim_state *state = NULL;
	(void)unused;
	begin(&stream, "pc-i440fx-7.2", RAM_BYTES);
	put_raw(&stream, "pc.ram", 0x1000, 'A');
	put_changes(&stream, 0x1000,
	            "\x03\x02"
	            "BB",
	            4);
	put_changes(&stream, 0x1000,
	            "\x04\x01"
	            "C"
	            "\xc8\x01\x01"
	            "D",
	            7);
	put_page(&stream, "pc.ram", 0x2000, ZERO);
	put_number(&stream, 1, 0);
	put_changes(&stream, 0x2000,
	            "\x00\x02"
	            "EE",
	            4);
	put_packed(&stream, 0x3000, 'F');
	put_changes(&stream, 0x3000,
	            "\x01\x01"
	            "G",
	            3);
	put_raw(&stream, "pc.ram", 0x4000, 'H');
	put_page(&stream, "pc.ram", 0x4000, ZERO);
	put_number(&stream, 1, 0);
	put_raw(&stream, "pc.ram", 0xb0000, 'I'); /* under the display */
	put_raw(&stream, "pc.ram", 0xf0000, 'J');
	put_raw(&stream, "pc.bios", 0, 'K');
	put_raw(&stream, "vga.vram", 0, 'L');
	struct gim_memory *memory = finish(&stream, &state);
	expect(memory, 0x1000, GIM_MEMORY_RAM, "AAABCAAA");
	expect(memory, 0x1000 + 3 + 2 + 200 - 1, GIM_MEMORY_RAM, "ADA");
	expect(memory, 0x2000, GIM_MEMORY_RAM, "EE");
	expect(memory, 0x3000, GIM_MEMORY_RAM, "FGFF");
	expect(memory, 0x4000, GIM_MEMORY_ZERO, "");
	expect(memory, 0x5000, GIM_MEMORY_MISSING, "");
	expect(memory, 0xb0000, GIM_MEMORY_HOLE, NULL);
	expect(memory, 0xf0000, GIM_MEMORY_RAM, "JJJJ");
	expect(memory, 0xfffff000, GIM_MEMORY_ROM, "KKKK");
	assert_true(gim_memory_ram_bytes(memory) >= RAM_BYTES - (128 << 10));
	gim_memory_free(&memory);
	gim_state_free(&state);
}

/*
 * Mapped RAM: behind each block's length stands where its bitmap is, a bit for each page that is not zeros, and where its pages are, at places of their own in the file.
 * multifd lays it out the same, but its threads write the pages in any order. (QEMU has the pages at borders of 1 MiB; nothing here depends on that.)
 */
struct mapped_block {
	const char *name;
	uint64_t pages;
	uint64_t bitmap_at, pages_at;
};

static void begin_mapped(struct stream *stream, const struct mapped_block *blocks, size_t count)
{
	uint64_t total = 0;
	for (size_t i = 0; i < count; i++)
		total += blocks[i].pages * PAGE;
	stream->size = 0;
	put(stream, "QEVM\0\0\0\3\7\0\0\0\2pc\5", 16);
	put_name(stream, "configuration/capabilities");
	put_number(stream, 4, 1);
	put_number(stream, 4, 1);
	put_name(stream, "mapped-ram");
	put(stream, "\1\0\0\0\2", 5);
	put_name(stream, "ram");
	put_number(stream, 4, 0);
	put_number(stream, 4, 4);
	put_number(stream, 8, total | SIZES);
}

/* The block's record, and room for its pages, which are written later. */
static void put_mapped_block(struct stream *stream, const struct mapped_block *block)
{
	put_name(stream, block->name);
	put_number(stream, 8, block->pages * PAGE);
	put_number(stream, 4, 1);
	put_number(stream, 8, PAGE);
	put_number(stream, 8, block->bitmap_at);
	put_number(stream, 8, block->pages_at);
	assert_true(stream->size <= block->bitmap_at);
	while (stream->size < block->pages_at + block->pages * PAGE)
		put_number(stream, 1, 0);
}

/* As a thread of multifd does: a page at its place, and its bit. */
static void put_mapped(struct stream *stream, const struct mapped_block *block, uint64_t page, char fill)
{
	memset(stream->bytes + block->pages_at + page * PAGE, fill, PAGE);
	stream->bytes[block->bitmap_at + page / 8] |= (uint8_t)(1u << page % 8);
}

static void mapped(void **unused)
{
	static const struct mapped_block ram = {"pc.ram", 40, 200, 8192};
	static struct stream stream;
	struct gim_state *state = NULL;
	(void)unused;
	begin_mapped(&stream, &ram, 1);
	put_mapped_block(&stream, &ram);
	for (unsigned i = 0; i < 3; i++)
		put_mapped(&stream, &ram, (const uint8_t[]){0, 2, 39}[i], "ACh"[i]);
	put_number(&stream, 8, EOS);
	put(&stream, "\x7e\0\0\0\2\3\0\0\0\2", 10);
	struct gim_memory *memory = finish(&stream, &state);
	expect(memory, 0, GIM_MEMORY_RAM, "AAAA");
	expect(memory, PAGE, GIM_MEMORY_ZERO, "");
	expect(memory, 2 * PAGE, GIM_MEMORY_RAM, "CCCC");
	expect(memory, 38 * PAGE, GIM_MEMORY_ZERO, "");
	expect(memory, 39 * PAGE, GIM_MEMORY_RAM, "hhhh");
	expect(memory, 40 * PAGE, GIM_MEMORY_HOLE, NULL);
	gim_memory_free(&memory);
	gim_state_free(&state);
}

/* With multifd: several blocks, whose pages come in no order, one of them twice with other bytes, and one that has become zeros, whose old bytes stay. A mark
 * to flush says nothing, wherever it stands. */
static void multifd(void **unused)
{
	enum { FLUSH = 0x200 };
	static const struct mapped_block ram = {"pc.ram", 24, 256, 4096}, vram = {"vga.vram", 3, 103000, 106496},
					 bios = {"pc.bios", 2, 119000, 122880};
	static const struct {
		const struct mapped_block *block;
		uint64_t page;
		char fill;
	} writes[] = {{&bios, 1, 'b'}, {&ram, 17, 'q'}, {&vram, 2, 'v'}, {&ram, 1, 'x'}, {&ram, 9, 'i'},
	              {&ram, 23, 'w'}, {&bios, 0, 'a'}, {&ram, 1, 'B'},  {&ram, 8, 'h'}, {&ram, 5, 'z'}};
	const struct mapped_block blocks[] = {ram, vram, bios};
	static struct stream stream;
	struct gim_state *state = NULL;
	(void)unused;
	begin_mapped(&stream, blocks, 3);
	for (size_t i = 0; i < 3; i++)
		put_mapped_block(&stream, &blocks[i]);
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		put_mapped(&stream, writes[i].block, writes[i].page, writes[i].fill);
	stream.bytes[ram.bitmap_at] &= (uint8_t) ~(1u << 5);
	put_number(&stream, 8, FLUSH);
	put_number(&stream, 8, EOS);
	put(&stream, "\x7e\0\0\0\2\2\0\0\0\2", 10);
	put_number(&stream, 8, FLUSH);
	put_number(&stream, 8, EOS);
	put(&stream, "\x7e\0\0\0\2\3\0\0\0\2", 10);
	put_number(&stream, 8, FLUSH);
	struct gim_memory *memory = finish(&stream, &state);
	expect(memory, 0, GIM_MEMORY_ZERO, "");
	expect(memory, PAGE, GIM_MEMORY_RAM, "BBBB");
	expect(memory, 5 * PAGE, GIM_MEMORY_ZERO, "");
	expect(memory, 8 * PAGE, GIM_MEMORY_RAM, "hhhh");
	expect(memory, 10 * PAGE - 2, GIM_MEMORY_RAM, "ii");
	expect(memory, 17 * PAGE, GIM_MEMORY_RAM, "qqqq");
	expect(memory, 24 * PAGE - 4, GIM_MEMORY_RAM, "wwww");
	expect(memory, 24 * PAGE, GIM_MEMORY_HOLE, NULL);
	expect(memory, 0xffffe000, GIM_MEMORY_ROM, "aaaa");
	expect(memory, 0xfffff000, GIM_MEMORY_ROM, "bbbb");
	/* Nobody but the block says where the frame buffer is. */
	struct gim_memory_range range;
	char bytes[5] = "";
	unsigned i = 0;
	while (gim_memory_range(memory, i, &range) && strcmp(range.name, "vga.vram") != 0)
		i++;
	assert_int_equal(range.size_bytes, vram.pages * PAGE);
	assert_int_equal(gim_memory_read_range(memory, i, 2 * PAGE, bytes, 4, NULL), 0);
	assert_string_equal(bytes, "vvvv");
	gim_memory_free(&memory);
	gim_state_free(&state);
}

/* RAM that does not fit below the devices goes on at 4 GiB. */
static void above(void **unused)
{
	static struct stream stream;
	static const struct {
		const char *machine;
		uint64_t low;
	} rows[] = {{"pc-i440fx-7.2", UINT64_C(0xc0000000)}, {"pc-q35-7.2", UINT64_C(0x80000000)}};
	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gim_state *state = NULL;
		begin(&stream, rows[i].machine, UINT64_C(0xe0000000));
		put_raw(&stream, "pc.ram", rows[i].low - PAGE, 'A');
		put_raw(&stream, "pc.ram", rows[i].low, 'B');
		struct gim_memory *memory = finish(&stream, &state);
		expect(memory, rows[i].low - PAGE, GIM_MEMORY_RAM, "AA");
		expect(memory, rows[i].low, GIM_MEMORY_HOLE, NULL);
		expect(memory, UINT64_C(0x100000000), GIM_MEMORY_RAM, "BB");
		gim_memory_free(&memory);
		gim_state_free(&state);
	}
}

/* What a page is said by is wrong: found when it is read. */
static void damaged(void **unused)
{
	static const struct {
		const char *changes;
		size_t size;
	} rows[] = {{"\x03\x02"
	             "B",
	             3},
	            {"\xff\x7f\x01"
	             "B",
	             4},
	            {"\x83", 1},
	            {"\x83\x83\x01", 3}};
	static struct stream stream;
	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gim_state *state = NULL;
		struct gim_error error = GIM_ERROR_INIT;
		char read[4];
		begin(&stream, "pc-i440fx-7.2", RAM_BYTES);
		put_raw(&stream, "pc.ram", 0x1000, 'A');
		put_changes(&stream, 0x1000, rows[i].changes, rows[i].size);
		struct gim_memory *memory = finish(&stream, &state);
		assert_int_equal(gim_memory_read(memory, 0x1000, read, sizeof(read), &error), GIM_E_CORRUPT);
		assert_non_null(strstr(error.text, "do not fit"));
		gim_memory_free(&memory);
		gim_state_free(&state);
	}
}

/* A stream without pages holds no memory, which is another thing than memory of zeros. */
static void empty(void **unused)
{
	static struct stream stream;
	struct gim_state *state = NULL;
	struct gim_memory *memory = NULL;
	(void)unused;
	begin(&stream, "pc-i440fx-7.2", RAM_BYTES);
	put_number(&stream, 8, EOS);
	put(&stream, "\x7e\0\0\0\2\0", 6);
	assert_int_equal(gim_state_open_memory(stream.bytes, stream.size, &state, NULL), 0);
	assert_int_equal(gim_memory_open(state, NULL, &memory, NULL), GIM_E_NO_UNIT);
	gim_state_free(&state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(empty),   cmocka_unit_test(encodings), cmocka_unit_test(mapped),
	                                   cmocka_unit_test(multifd), cmocka_unit_test(above),     cmocka_unit_test(damaged)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
