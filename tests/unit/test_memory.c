/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests guest memory: every form in which VirtualBox saved it, whatever records its bytes are in, and what is wrong with it. */
#include "../pgm.h"
#include "gimstate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define HOLE 0x20000000u

/*
 * States around payloads.
 */
/* How the payload's bytes come into records. */
enum framing { AS_VIRTUALBOX, ONE_RAW, SMALL_RAW, BLOCKS, FRAMINGS };

static const char *const framing_names[] = {"as VirtualBox does", "one raw record", "records of 1000 bytes", "packed, at any place"};

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

static struct ssm_writer *new_file(struct gim_buffer *file, bool live)
{
	const struct ssm_write_options options = {7, 2, 22, 175245, 64, 8, 8, true, live, 1};
	struct ssm_writer *writer = NULL;
	assert_int_equal(ssm_writer_new(&options, collect, file, &writer, NULL), 0);
	return writer;
}

static void write_bytes(struct ssm_writer *writer, enum framing framing, const uint8_t *bytes, size_t size)
{
	const size_t step = framing == ONE_RAW ? size : framing == SMALL_RAW ? 1000 : framing == BLOCKS ? 4096 : 512;
	for (size_t at = 0; at < size; at += step) {
		const size_t now = size - at < step ? size - at : step;
		const enum ssm_write_as as = framing == ONE_RAW || framing == SMALL_RAW ? SSM_WRITE_RAW : SSM_WRITE_AUTO;
		assert_int_equal(ssm_writer_data(writer, as, bytes + at, now, NULL), 0);
	}
}

/* VirtualBox puts pages by themselves: pages says where in the payload they begin. */
struct payload {
	struct gim_buffer bytes;
	size_t pages[256];
	size_t count;
};

static void write_unit(struct ssm_writer *writer, enum framing framing, uint32_t version, uint32_t pass, const struct payload *payload)
{
	assert_int_equal(ssm_writer_unit(writer, "pgm", 1, version, pass, NULL), 0);
	size_t at = 0;
	for (size_t i = 0; framing == AS_VIRTUALBOX && i < payload->count; i++) {
		write_bytes(writer, framing, payload->bytes.bytes + at, payload->pages[i] - at);
		assert_int_equal(ssm_writer_data(writer, SSM_WRITE_AUTO, payload->bytes.bytes + payload->pages[i], PGM_PAGE, NULL), 0);
		at = payload->pages[i] + PGM_PAGE;
	}
	write_bytes(writer, framing, payload->bytes.bytes + at, payload->bytes.size - at);
}

static void put_ram(struct payload *payload, unsigned type, uint64_t gpa, const uint8_t *page)
{
	pgm_ram(&payload->bytes, type, gpa, page);
	if (page)
		payload->pages[payload->count++] = payload->bytes.size - PGM_PAGE;
}

static void put_device(struct payload *payload, unsigned type, uint8_t id, uint32_t index, uint8_t protection, const uint8_t *page)
{
	pgm_device(&payload->bytes, type, id, index, protection, page);
	if (page)
		payload->pages[payload->count++] = payload->bytes.size - PGM_PAGE;
}

static void put_end(struct payload *payload)
{
	gim_buffer_number(&payload->bytes, PGM_END, 1);
}

/* A page of its own kind: text that packs, noise that does not, zeros, or a mixture. */
static const uint8_t *page_of(unsigned number)
{
	static uint8_t page[PGM_PAGE];
	uint64_t state = 88172645463325252u + number;
	for (size_t i = 0; i < PGM_PAGE; i++) {
		state ^= state << 13, state ^= state >> 7, state ^= state << 17;
		page[i] = number % 4 == 0   ? (uint8_t)(number + i / 16)
		          : number % 4 == 1 ? (uint8_t)(state >> 32)
		          : number % 4 == 2 ? 0
		                            : (uint8_t)(i < 2048 ? state >> 32 : i / 64);
	}
	memcpy(page, &number, sizeof(number));
	return page;
}

static void expect_page(struct gim_memory *memory, uint64_t gpa, enum gim_memory_kind kind, const uint8_t *expected)
{
	static const uint8_t zeros[PGM_PAGE];
	uint8_t bytes[PGM_PAGE];
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_memory_at(memory, gpa, NULL) != kind)
		fail_msg("0x%llx is %s, not %s", (unsigned long long)gpa, gim_memory_kind_name(gim_memory_at(memory, gpa, NULL)),
		         gim_memory_kind_name(kind));
	if (gim_memory_read(memory, gpa, bytes, PGM_PAGE, &error))
		fail_msg("0x%llx: %s", (unsigned long long)gpa, error.text);
	assert_memory_equal(bytes, expected ? expected : zeros, PGM_PAGE);
}

struct opened {
	struct gim_buffer file;
	struct gim_state *state;
	struct gim_memory *memory;
};

static int open_file(struct opened *opened, struct gim_error *error)
{
	int result = gim_state_open_memory(opened->file.bytes, opened->file.size, &opened->state, error);
	return result ? result : gim_memory_open(opened->state, NULL, &opened->memory, error);
}

static void must_open(struct opened *opened, const char *what)
{
	struct gim_error error = GIM_ERROR_INIT;
	if (open_file(opened, &error))
		fail_msg("%s: %s (%s, byte 0x%llx)", what, error.text, error.unit, (unsigned long long)error.offset);
}

static void close_file(struct opened *opened)
{
	gim_memory_free(&opened->memory);
	gim_state_free(&opened->state);
	gim_buffer_free(&opened->file);
}

static void finish(struct ssm_writer *writer)
{
	assert_int_equal(ssm_writer_finish(writer, NULL), 0);
	ssm_writer_free(&writer);
}

/*
 * What a final pass holds.
 */
static const struct pgm_range roms[] = {{"Net Boot ROM", 0xe2000, 3 * PGM_PAGE}, {"BIOS", 0xfffff000, PGM_PAGE}, {NULL, 0, 0}};
static const struct pgm_range devices[] = {{"VRam", 0, 4 * PGM_PAGE}, {NULL, 0, 0}};

/* 8 MiB, of which some pages have records of every kind. */
static void make_final(struct payload *payload, uint32_t version)
{
	pgm_head(&payload->bytes, version, 2);
	pgm_config(&payload->bytes, version, 8 * MIB, HOLE, roms, devices);
	put_device(payload, PGM_ADDRESS | PGM_ROM, 1, 0, 1, page_of(100));
	put_device(payload, PGM_ROM, 1, 1, 4, page_of(101));
	put_device(payload, PGM_ROM, 1, 2, 3, page_of(103));
	put_device(payload, PGM_ADDRESS | PGM_ROM, 2, 0, 1, page_of(104));
	put_device(payload, PGM_ADDRESS | PGM_SHADOW, 1, 0, 1, page_of(105));
	put_device(payload, PGM_SHADOW, 1, 1, 4, page_of(107));
	put_device(payload, PGM_SHADOW_ZERO, 1, 2, 3, NULL);
	put_device(payload, PGM_ADDRESS | PGM_MMIO2, 1, 1, 0, page_of(108));
	put_device(payload, PGM_MMIO2_ZERO, 1, 2, 0, NULL);
	put_device(payload, PGM_MMIO2, 1, 3, 0, page_of(109));
	put_ram(payload, PGM_ADDRESS | PGM_RAM, 0, page_of(0));
	for (unsigned i = 1; i < 160; i++)
		put_ram(payload, i % 3 ? PGM_RAM : PGM_RAM_ZERO, 0, i % 3 ? page_of(i) : NULL);
	put_ram(payload, PGM_RAM_ZERO, 0, NULL); /* at 640 KiB: old releases have that, too */
	put_ram(payload, PGM_ADDRESS | PGM_RAM, MIB, page_of(1));
	put_ram(payload, version >= 12 ? PGM_BALLOONED : PGM_RAM_ZERO, 0, NULL);
	put_ram(payload, PGM_RAM, 0, page_of(3));
	put_ram(payload, PGM_ADDRESS | PGM_RAM, 8 * MIB - PGM_PAGE, page_of(5));
	put_end(payload);
}

static void expect_final(struct gim_memory *memory, uint32_t version)
{
	assert_int_equal(gim_memory_ram_bytes(memory), 8 * MIB - (uint64_t)(384 << 10));
	assert_int_equal(gim_memory_end(memory), 4 * GIB);
	for (unsigned i = 0; i < 160; i++)
		expect_page(memory, (uint64_t)i * PGM_PAGE, i % 3 || !i ? GIM_MEMORY_RAM : GIM_MEMORY_ZERO,
		            i % 3 || !i ? page_of(i) : NULL);
	expect_page(memory, MIB, GIM_MEMORY_RAM, page_of(1));
	expect_page(memory, MIB + PGM_PAGE, version >= 12 ? GIM_MEMORY_BALLOONED : GIM_MEMORY_ZERO, NULL);
	expect_page(memory, MIB + 2 * PGM_PAGE, GIM_MEMORY_RAM, page_of(3));
	expect_page(memory, MIB + 3 * PGM_PAGE, GIM_MEMORY_MISSING, NULL);
	expect_page(memory, 8 * MIB - PGM_PAGE, GIM_MEMORY_RAM, page_of(5));
	/* The guest reads the ROM, the RAM that shadows it, and that as zeros. */
	expect_page(memory, 0xe2000, GIM_MEMORY_ROM, page_of(100));
	expect_page(memory, 0xe3000, GIM_MEMORY_ROM, page_of(107));
	expect_page(memory, 0xe4000, GIM_MEMORY_ROM, NULL);
	expect_page(memory, 0xfffff000, GIM_MEMORY_ROM, page_of(104));
	uint64_t size;
	assert_int_equal(gim_memory_at(memory, 640 << 10, &size), GIM_MEMORY_HOLE);
	assert_int_equal(size, 0xe2000 - (640 << 10));
	assert_int_equal(gim_memory_at(memory, MIB + 3 * PGM_PAGE + 5, &size), GIM_MEMORY_MISSING);
	assert_int_equal(size, 7 * MIB - 4 * PGM_PAGE - 5);
	assert_int_equal(gim_memory_at(memory, 4 * GIB, &size), GIM_MEMORY_HOLE);
	assert_true(size == GIM_UNKNOWN);
}

static void expect_device(struct gim_memory *memory)
{
	struct gim_memory_range range;
	uint8_t bytes[4 * PGM_PAGE], expected[4 * PGM_PAGE] = {0};
	unsigned i = 0;
	while (gim_memory_range(memory, i, &range) && strcmp(range.name, "VRam") != 0)
		i++;
	assert_true(range.kind == GIM_MEMORY_DEVICE && range.gpa == GIM_UNKNOWN);
	assert_false(gim_memory_range(memory, i + 1, &range));
	memcpy(expected + PGM_PAGE, page_of(108), PGM_PAGE);
	memcpy(expected + 3 * PGM_PAGE, page_of(109), PGM_PAGE);
	assert_int_equal(gim_memory_read_range(memory, i, 0, bytes, sizeof(bytes), NULL), 0);
	assert_memory_equal(bytes, expected, sizeof(bytes));
	assert_int_equal(gim_memory_read_range(memory, i, 1, bytes, sizeof(bytes), NULL), GIM_E_ARGUMENT);
}

static void final_pass(void **test)
{
	(void)test;
	for (uint32_t version = 11; version <= 14; version++)
		for (enum framing framing = 0; framing < FRAMINGS; framing++) {
			struct opened opened = {.state = NULL};
			struct payload payload = {.count = 0};
			struct ssm_writer *writer = new_file(&opened.file, false);
			make_final(&payload, version);
			write_unit(writer, framing, version, GIM_PASS_FINAL, &payload);
			finish(writer);
			must_open(&opened, framing_names[framing]);
			expect_final(opened.memory, version);
			expect_device(opened.memory);
			gim_buffer_free(&payload.bytes);
			close_file(&opened);
		}
}

/* Any bytes, over borders of pages and of ranges, but not over holes. */
static void any_range(void **test)
{
	(void)test;
	struct opened opened = {.state = NULL};
	struct payload payload = {.count = 0};
	struct ssm_writer *writer = new_file(&opened.file, false);
	struct gim_error error = GIM_ERROR_INIT;
	uint8_t bytes[3 * PGM_PAGE];
	make_final(&payload, 14);
	write_unit(writer, AS_VIRTUALBOX, 14, GIM_PASS_FINAL, &payload);
	finish(writer);
	must_open(&opened, "a state");
	assert_int_equal(gim_memory_read(opened.memory, PGM_PAGE - 2, bytes, PGM_PAGE + 4, NULL), 0);
	assert_memory_equal(bytes, page_of(0) + PGM_PAGE - 2, 2);
	assert_memory_equal(bytes + 2, page_of(1), PGM_PAGE);
	assert_memory_equal(bytes + 2 + PGM_PAGE, page_of(2), 2);
	assert_int_equal(gim_memory_read(opened.memory, (640 << 10) - 1, bytes, 2, &error), GIM_E_ARGUMENT);
	assert_non_null(strstr(error.text, "no memory at 0xa0000"));
	assert_int_equal(gim_memory_read(opened.memory, 4 * GIB - 1, bytes, 1, NULL), 0);
	assert_int_equal(gim_memory_read(opened.memory, 4 * GIB - 1, bytes, 2, NULL), GIM_E_ARGUMENT);
	assert_int_equal(gim_memory_read(opened.memory, UINT64_MAX, bytes, 2, NULL), GIM_E_ARGUMENT);
	gim_buffer_free(&payload.bytes);
	close_file(&opened);
}

/* Pages come in passes, and a later one knows better, whatever it says. */
static void live_passes(void **test)
{
	(void)test;
	for (enum framing framing = 0; framing < FRAMINGS; framing++) {
		struct opened opened = {.state = NULL};
		struct ssm_writer *writer = new_file(&opened.file, true);
		struct payload passes[4] = {{.count = 0}};
		pgm_config(&passes[0].bytes, 14, 5 * GIB, HOLE, roms, devices);
		put_device(&passes[0], PGM_ADDRESS | PGM_ROM, 1, 0, 1, page_of(100));
		put_end(&passes[0]);
		put_ram(&passes[1], PGM_ADDRESS | PGM_RAM, 0x10000, page_of(1));
		put_ram(&passes[1], PGM_RAM, 0, page_of(3));
		put_ram(&passes[1], PGM_RAM_ZERO, 0, NULL);
		put_ram(&passes[1], PGM_RAM, 0, page_of(4));
		put_ram(&passes[1], PGM_ADDRESS | PGM_RAM, 4 * GIB, page_of(5));
		put_end(&passes[1]);
		put_end(&passes[2]);
		pgm_head(&passes[3].bytes, 14, 1);
		put_device(&passes[3], PGM_ADDRESS | PGM_SHADOW, 1, 0, 1, page_of(105));
		put_device(&passes[3], PGM_ADDRESS | PGM_PROTECTION, 1, 0, 4, NULL);
		put_ram(&passes[3], PGM_ADDRESS | PGM_RAM_ZERO, 0x11000, NULL);
		put_ram(&passes[3], PGM_RAM, 0, page_of(7));
		put_ram(&passes[3], PGM_BALLOONED, 0, NULL);
		put_end(&passes[3]);
		for (uint32_t i = 0; i < 4; i++) {
			const uint32_t pass = i == 3 ? GIM_PASS_FINAL : i;
			assert_int_equal(ssm_writer_unit(writer, "SSMLiveControl", 0, 1, pass, NULL), 0);
			assert_int_equal(ssm_writer_data(writer, SSM_WRITE_AUTO, "\x10\x27", 2, NULL), 0);
			write_unit(writer, framing, 14, pass, &passes[i]);
			gim_buffer_free(&passes[i].bytes);
		}
		finish(writer);
		must_open(&opened, framing_names[framing]);
		expect_page(opened.memory, 0x10000, GIM_MEMORY_RAM, page_of(1));
		expect_page(opened.memory, 0x11000, GIM_MEMORY_ZERO, NULL);
		expect_page(opened.memory, 0x12000, GIM_MEMORY_RAM, page_of(7));
		expect_page(opened.memory, 0x13000, GIM_MEMORY_BALLOONED, NULL);
		expect_page(opened.memory, 4 * GIB, GIM_MEMORY_RAM, page_of(5));
		expect_page(opened.memory, 0xe2000, GIM_MEMORY_ROM, page_of(105));
		assert_int_equal(gim_memory_end(opened.memory), 4 * GIB + 5 * GIB - (4 * GIB - HOLE));
		/* 5 GiB of which hardly anything is said cost little. */
		assert_true(gim_memory_index_bytes(opened.memory) < 64 << 10);
		close_file(&opened);
	}
}

/*
 * Version 9, in containers of its time too.
 */
static void old_range(struct payload *payload, unsigned number, uint64_t first, uint64_t size, bool bits, const char *name)
{
	struct gim_buffer *buffer = &payload->bytes;
	gim_buffer_number(buffer, number, 4);
	gim_buffer_number(buffer, first, 8);
	gim_buffer_number(buffer, first + size - 1, 8);
	gim_buffer_number(buffer, size, 8);
	gim_buffer_number(buffer, bits, 1);
	pgm_text(buffer, name);
}

static void old_page(struct payload *payload, unsigned type, const uint8_t *page)
{
	if (type)
		gim_buffer_number(&payload->bytes, type, 1);
	put_ram(payload, page ? 1 : 0, 0, page);
}

static void make_old(struct payload *payload)
{
	pgm_head(&payload->bytes, 9, 1);
	old_range(payload, 0, 0, 64 * PGM_PAGE, false, "Base RAM");
	for (unsigned i = 0; i < 64; i++)
		old_page(payload, 1, i % 3 ? page_of(i) : NULL);
	old_range(payload, 1, 0xe0000000, 2 * PGM_PAGE, true, "VRam");
	old_page(payload, 1, page_of(70));
	gim_buffer_number(&payload->bytes, 3, 1); /* a ROM that is shadowed: protection, the page that is read, and the other */
	gim_buffer_number(&payload->bytes, 4, 1);
	old_page(payload, 0, page_of(71));
	old_page(payload, 0, page_of(72));
	gim_buffer_number(&payload->bytes, UINT32_MAX, 4);
}

static void expect_old(struct gim_memory *memory)
{
	for (unsigned i = 0; i < 64; i++)
		expect_page(memory, (uint64_t)i * PGM_PAGE, i % 3 ? GIM_MEMORY_RAM : GIM_MEMORY_ZERO, i % 3 ? page_of(i) : NULL);
	expect_page(memory, 0xe0000000, GIM_MEMORY_DEVICE, page_of(70));
	expect_page(memory, 0xe0001000, GIM_MEMORY_DEVICE, page_of(71));
}

static void version_9(void **test)
{
	(void)test;
	for (enum framing framing = 0; framing < FRAMINGS; framing++) {
		struct opened opened = {.state = NULL};
		struct payload payload = {.count = 0};
		struct ssm_writer *writer = new_file(&opened.file, false);
		make_old(&payload);
		write_unit(writer, framing, 9, GIM_PASS_FINAL, &payload);
		finish(writer);
		must_open(&opened, framing_names[framing]);
		expect_old(opened.memory);
		gim_buffer_free(&payload.bytes);
		close_file(&opened);
	}
}

/* A block of LZF that holds bytes as they are. */
static void put_block(struct gim_buffer *file, const uint8_t *bytes, size_t size)
{
	gim_buffer_bytes(file, "ZV", 2);
	gim_buffer_number(file, size + (size + 31) / 32, 2);
	gim_buffer_number(file, 0, 4);
	gim_buffer_number(file, size, 2);
	for (size_t at = 0; at < size; at += 32) {
		const size_t step = size - at < 32 ? size - at : 32;
		gim_buffer_number(file, step - 1, 1);
		gim_buffer_bytes(file, bytes + at, step);
	}
}

static void old_container(void **test)
{
	(void)test;
	enum { STORE = 2, LZF = 5 };
	for (unsigned method = STORE; method <= LZF; method += LZF - STORE) {
		struct opened opened = {.state = NULL};
		struct gim_buffer *file = &opened.file;
		struct payload payload = {.count = 0};
		make_old(&payload);
		gim_buffer_bytes(file, "\177VirtualBox SavedState V1.1\n\0\0\0", 32);
		for (unsigned i = 0; i < 4; i++)
			gim_buffer_number(file, 0, 8);
		gim_buffer_bytes(file, "\nUnit\n\0", 8);
		const size_t size_at = file->size;
		gim_buffer_number(file, 0, 8);
		gim_buffer_number(file, 9, 4);
		gim_buffer_number(file, 1, 4);
		gim_buffer_number(file, 4, 4);
		gim_buffer_bytes(file, "pgm", 4);
		gim_buffer_number(file, method, 1);
		for (size_t at = 0; method == LZF && at < payload.bytes.size; at += 10000)
			put_block(file, payload.bytes.bytes + at, payload.bytes.size - at < 10000 ? payload.bytes.size - at : 10000);
		if (method == STORE)
			gim_buffer_bytes(file, payload.bytes.bytes, payload.bytes.size);
		gim_buffer_patch(file, size_at, file->size - size_at + 8, 8);
		gim_buffer_bytes(file, "\nTheEnd", 8);
		for (unsigned i = 0; i < 5; i++)
			gim_buffer_number(file, i ? 0 : 28, i ? 4 : 8);
		gim_buffer_patch(file, 32, file->size, 8);
		must_open(&opened, "container 1.1");
		expect_old(opened.memory);
		gim_buffer_free(&payload.bytes);
		close_file(&opened);
	}
}

/*
 * What is wrong.
 */
struct wrong {
	const char *what;
	void (*make)(struct payload *payload);
	int code;
	const char *text;
};

static void begin_wrong(struct payload *payload, uint64_t ram, uint32_t hole)
{
	pgm_head(&payload->bytes, 14, 1);
	pgm_config(&payload->bytes, 14, ram, hole, roms, devices);
}

static void beyond_ram(struct payload *payload)
{
	begin_wrong(payload, 8 * MIB, HOLE);
	put_ram(payload, PGM_ADDRESS | PGM_RAM, 8 * MIB, page_of(1));
}
static void in_hole(struct payload *payload)
{
	begin_wrong(payload, 8 * MIB, HOLE);
	put_ram(payload, PGM_ADDRESS | PGM_RAM, 0xb8000, page_of(1));
}
static void crooked(struct payload *payload)
{
	begin_wrong(payload, 8 * MIB, HOLE);
	put_ram(payload, PGM_ADDRESS | PGM_RAM, 0x1001, page_of(1));
}
static void nowhere(struct payload *payload)
{
	begin_wrong(payload, 8 * MIB, HOLE);
	put_ram(payload, PGM_RAM_ZERO, 0, NULL);
}
static void nowhere_after_rom(struct payload *payload)
{
	begin_wrong(payload, 8 * MIB, HOLE);
	put_ram(payload, PGM_ADDRESS | PGM_RAM_ZERO, 0, NULL);
	put_device(payload, PGM_ADDRESS | PGM_ROM, 1, 0, 1, page_of(1));
	put_ram(payload, PGM_RAM_ZERO, 0, NULL);
}
static void unknown_type(struct payload *payload)
{
	begin_wrong(payload, 8 * MIB, HOLE);
	put_ram(payload, 9, 0, NULL);
}
static void unknown_range(struct payload *payload)
{
	begin_wrong(payload, 8 * MIB, HOLE);
	put_device(payload, PGM_ADDRESS | PGM_MMIO2_ZERO, 2, 0, 0, NULL);
}
static void beyond_range(struct payload *payload)
{
	begin_wrong(payload, 8 * MIB, HOLE);
	put_device(payload, PGM_ADDRESS | PGM_MMIO2_ZERO, 1, 4, 0, NULL);
}
static void protection(struct payload *payload)
{
	begin_wrong(payload, 8 * MIB, HOLE);
	put_device(payload, PGM_ADDRESS | PGM_ROM, 1, 0, 5, page_of(1));
}
static void no_end(struct payload *payload)
{
	begin_wrong(payload, 8 * MIB, HOLE);
	put_ram(payload, PGM_ADDRESS | PGM_RAM_ZERO, 0, NULL);
}
static void half_page(struct payload *payload)
{
	begin_wrong(payload, 8 * MIB, HOLE);
	put_ram(payload, PGM_ADDRESS | PGM_RAM, 0, page_of(1));
	payload->bytes.size -= PGM_PAGE / 2;
	payload->count = 0;
}
static void much_ram(struct payload *payload)
{
	begin_wrong(payload, UINT64_MAX & ~UINT64_C(0xfff), HOLE);
	put_end(payload);
}
static void odd_ram(struct payload *payload)
{
	begin_wrong(payload, 8 * MIB + 1, HOLE);
	put_end(payload);
}
static void odd_hole(struct payload *payload)
{
	begin_wrong(payload, 8 * MIB, 12345);
	put_end(payload);
}
static void overlap(struct payload *payload)
{
	static const struct pgm_range two[] = {{"one", 0xe0000, 2 * PGM_PAGE}, {"other", 0xe1000, PGM_PAGE}, {NULL, 0, 0}};
	pgm_head(&payload->bytes, 14, 1);
	pgm_config(&payload->bytes, 14, 8 * MIB, HOLE, two, NULL);
	put_end(payload);
}
static void big_rom(struct payload *payload)
{
	static const struct pgm_range rom[] = {{"rom", 0, UINT64_MAX}, {NULL, 0, 0}};
	pgm_head(&payload->bytes, 14, 1);
	pgm_config(&payload->bytes, 14, 8 * MIB, HOLE, rom, NULL);
	put_end(payload);
}

static const struct wrong wrongs[] = {
    {"a page behind the RAM", beyond_ram, GIM_E_CORRUPT, "a page of RAM at 0x800000, where the guest has none"},
    {"a page in the screen", in_hole, GIM_E_CORRUPT, "a page of RAM at 0xb8000, where the guest has none"},
    {"a page at no page's address", crooked, GIM_E_CORRUPT, "a page of RAM at 0x1001"},
    {"a page at no address", nowhere, GIM_E_CORRUPT, "does not say where it is"},
    {"a page at no address after a ROM's", nowhere_after_rom, GIM_E_CORRUPT, "does not say where it is"},
    {"a type that there is not", unknown_type, GIM_E_CORRUPT, "a page record of type 0x09"},
    {"a range that there is not", unknown_range, GIM_E_CORRUPT, "page 0 of range 2, which has 0"},
    {"a page behind its range", beyond_range, GIM_E_CORRUPT, "page 4 of range 1, which has 4"},
    {"a protection that there is not", protection, GIM_E_CORRUPT, "is protected by 5"},
    {"no end", no_end, GIM_E_TRUNCATED, "ends within its page records"},
    {"half a page", half_page, GIM_E_TRUNCATED, "ends within a page"},
    {"more RAM than there is", much_ram, GIM_E_LIMIT, "more memory than any machine has"},
    {"RAM of no whole pages", odd_ram, GIM_E_CORRUPT, "whole pages"},
    {"an odd hole", odd_hole, GIM_E_CORRUPT, "the hole in RAM has 12345 bytes"},
    {"ROMs over each other", overlap, GIM_E_CORRUPT, "ranges of memory overlap: one at 0xe0000 and other at 0xe1000"},
    {"a ROM as large as the world", big_rom, GIM_E_CORRUPT, "ROMs of more than"},
};

static void refused(void **test)
{
	(void)test;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		struct opened opened = {.state = NULL};
		struct payload payload = {.count = 0};
		struct ssm_writer *writer = new_file(&opened.file, false);
		struct gim_error error = GIM_ERROR_INIT;
		wrongs[i].make(&payload);
		write_unit(writer, AS_VIRTUALBOX, 14, GIM_PASS_FINAL, &payload);
		finish(writer);
		const int result = open_file(&opened, &error);
		if (result != wrongs[i].code || !strstr(error.text, wrongs[i].text) || opened.memory)
			fail_msg("%s: %d, %s", wrongs[i].what, result, error.text);
		gim_buffer_free(&payload.bytes);
		close_file(&opened);
	}
}

static void without_memory(void **test)
{
	(void)test;
	struct opened opened = {.state = NULL};
	struct ssm_writer *writer = new_file(&opened.file, false);
	struct gim_error error = GIM_ERROR_INIT;
	assert_int_equal(ssm_writer_unit(writer, "GIM", 0, 1, GIM_PASS_FINAL, NULL), 0);
	finish(writer);
	assert_int_equal(open_file(&opened, &error), GIM_E_NO_UNIT);
	close_file(&opened);
	error = (struct gim_error)GIM_ERROR_INIT;
	static const char document[] =
	    "{\"gimstate\": 1, \"gim\": {\"unit_version\": 1, \"provider\": \"none\", \"provider_version\": 0, \"layout\": \"vbox-none\", "
	    "\"interfaces\": null, \"trailing\": \"\", \"delimiter\": null}}";
	gim_buffer_bytes(&opened.file, document, sizeof(document) - 1);
	assert_int_equal(open_file(&opened, &error), GIM_E_NO_UNIT);
	assert_string_equal(error.text, "the state holds no memory of its guest");
	close_file(&opened);
}

/*
 * Going through it, and writing it.
 */
struct seen {
	struct gim_memory *memory;
	uint64_t next, chunks, bytes, most;
	size_t more;
	bool failed;
};

/* In any thread: a chunk holds what reading gives, and says what it is. */
static int compare_chunk(void *user, const struct gim_memory_chunk *chunk, void **kept, struct gim_error *error)
{
	struct seen *seen = (struct seen *)user;
	uint64_t *copy = malloc(sizeof(*copy));
	(void)error;
	*copy = chunk->size_bytes + chunk->more_bytes;
	*kept = copy;
	for (size_t i = 0; i < chunk->size_bytes / PGM_PAGE; i++)
		if (chunk->kinds[i] != gim_memory_at(seen->memory, chunk->gpa + i * PGM_PAGE, NULL))
			__atomic_store_n(&seen->failed, true, __ATOMIC_RELAXED);
	uint64_t sum = 0;
	for (size_t i = 0; i < *copy; i++)
		sum += chunk->bytes[i];
	*copy = sum;
	return 0;
}

static int take_chunk(void *user, const struct gim_memory_chunk *chunk, void *kept)
{
	struct seen *seen = (struct seen *)user;
	const size_t size = chunk->size_bytes + chunk->more_bytes;
	uint8_t *bytes = malloc(size);
	uint64_t sum = 0;
	assert_true(chunk->gpa >= seen->next && chunk->more_bytes <= seen->more);
	assert_int_equal(gim_memory_read(seen->memory, chunk->gpa, bytes, size, NULL), 0);
	for (size_t i = 0; i < size; i++)
		sum += bytes[i];
	assert_true(sum == *(uint64_t *)kept);
	seen->next = chunk->gpa + chunk->size_bytes;
	seen->bytes += chunk->size_bytes;
	free(bytes);
	free(kept);
	return ++seen->chunks == seen->most;
}

static void drop_chunk(void *user, void *kept)
{
	(void)user;
	free(kept);
}

static void open_final(struct opened *opened)
{
	struct payload payload = {.count = 0};
	struct ssm_writer *writer = new_file(&opened->file, false);
	make_final(&payload, 14);
	write_unit(writer, AS_VIRTUALBOX, 14, GIM_PASS_FINAL, &payload);
	finish(writer);
	gim_buffer_free(&payload.bytes);
	must_open(opened, "a state");
}

static void walking(void **test)
{
	(void)test;
	struct opened opened = {.state = NULL};
	open_final(&opened);
	const uint64_t all = 8 * MIB - (384 << 10) + 4 * PGM_PAGE;
	for (unsigned threads = 1; threads <= 3; threads++) {
		struct seen seen = {.memory = opened.memory, .more = 5000};
		struct gim_memory_walk walk = {
		    .more_bytes = 5000, .threads = threads, .look = compare_chunk, .done = take_chunk, .drop = drop_chunk, .user = &seen};
		assert_int_equal(gim_memory_walk(opened.memory, &walk, NULL), 0);
		assert_false(seen.failed);
		assert_int_equal(seen.bytes, all);
		/* A part of it, from within a page to within a page. */
		seen = (struct seen){.memory = opened.memory, .more = 5000};
		walk.gpa = 0x1234;
		walk.end = 0x3210;
		assert_int_equal(gim_memory_walk(opened.memory, &walk, NULL), 0);
		assert_int_equal(seen.bytes, 0x3210 - 0x1234);
		/* Without zeros: the pages that hold something, and those behind them in their chunks. */
		seen = (struct seen){.memory = opened.memory, .more = 5000};
		walk.gpa = walk.end = 0;
		walk.skip_zeros = true;
		assert_int_equal(gim_memory_walk(opened.memory, &walk, NULL), 0);
		assert_true(seen.bytes < all && seen.bytes >= (uint64_t)110 * PGM_PAGE);
		/* Stopped in the middle. */
		seen = (struct seen){.memory = opened.memory, .more = 5000, .most = 2};
		walk.skip_zeros = false;
		assert_int_equal(gim_memory_walk(opened.memory, &walk, NULL), GIM_E_STOPPED);
		assert_int_equal(seen.chunks, 2);
	}
	close_file(&opened);
}

/* A page that does not unpack fails the walk, in whichever thread, with its place; what comes before it is handed on. */
static void damaged_page(void **test)
{
	(void)test;
	struct opened opened = {.state = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	open_final(&opened);
	const struct gim_memory_walk walk = {.threads = 2};
	assert_int_equal(gim_memory_walk(opened.memory, &walk, NULL), 0);
	/* A copy from before the beginning, where the page's first control byte is: of the last page that packs to more than 2 KiB. */
	uint8_t *at = opened.file.bytes + opened.file.size - 8;
	while (at[0] != 0x93 || (at[1] & 0xf0) != 0xe0 || at[4] != 4)
		at--;
	at[5] = 0xff;
	assert_int_equal(gim_memory_walk(opened.memory, &walk, &error), GIM_E_CORRUPT);
	assert_int_equal(error.offset, at - opened.file.bytes);
	close_file(&opened);
}

static uint8_t *read_whole(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	(void)fseek(file, 0, SEEK_END);
	*size = (size_t)ftell(file);
	rewind(file);
	uint8_t *bytes = malloc(*size);
	assert_int_equal(fread(bytes, 1, *size, file), *size);
	(void)fclose(file);
	return bytes;
}

static void exporting(void **test)
{
	(void)test;
	struct opened opened = {.state = NULL};
	char path[] = "/tmp/gimstate-memory-XXXXXX";
	const int fd = mkstemp(path);
	open_final(&opened);
	for (enum gim_export form = GIM_EXPORT_RAW; form <= GIM_EXPORT_ELF; form++) {
		struct gim_output *output = NULL;
		size_t size;
		assert_int_equal(gim_output_new(path, true, &output, NULL), 0);
		assert_int_equal(gim_memory_export(opened.memory, form, NULL, output, NULL), 0);
		assert_int_equal(gim_output_commit(&output, NULL), 0);
		uint8_t *bytes = read_whole(path, &size), expected[PGM_PAGE];
		assert_true(form == GIM_EXPORT_ELF || size == 8 * MIB);
		/* Each page stands where the form says. */
		for (uint64_t gpa = 0, left; gpa < 4 * GIB; gpa += PGM_PAGE) {
			uint64_t at = gpa;
			if (gim_memory_at(opened.memory, gpa, &left) == GIM_MEMORY_HOLE) {
				gpa += left - PGM_PAGE;
				continue;
			}
			assert_int_equal(gim_memory_read(opened.memory, gpa, expected, PGM_PAGE, NULL), 0);
			for (size_t header = 64; form == GIM_EXPORT_ELF; header += 56) {
				uint64_t offset, address, length;
				memcpy(&offset, bytes + header + 8, 8);
				memcpy(&address, bytes + header + 24, 8);
				memcpy(&length, bytes + header + 32, 8);
				if (bytes[header] == 1 && gpa - address < length) {
					at = offset + (gpa - address);
					break;
				}
			}
			if (form == GIM_EXPORT_RAW && gpa >= 8 * MIB)
				break;
			assert_memory_equal(bytes + at, expected, PGM_PAGE);
		}
		free(bytes);
	}
	close_file(&opened);
	(void)close(fd);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(final_pass),    cmocka_unit_test(any_range), cmocka_unit_test(live_passes),    cmocka_unit_test(version_9),
	    cmocka_unit_test(old_container), cmocka_unit_test(refused),   cmocka_unit_test(without_memory), cmocka_unit_test(walking),
	    cmocka_unit_test(damaged_page),  cmocka_unit_test(exporting),
	};
	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
