/* SPDX-License-Identifier: GPL-3.0-or-later */
/* States of VirtualBox with memory, in every form, whatever records its bytes are in, for the tests of guest memory. */
#ifndef VBOX_MEMORY_H
#define VBOX_MEMORY_H

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

static inline int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

static inline struct ssm_writer *new_file(struct gim_buffer *file, bool live)
{
	const struct ssm_write_options options = {7, 2, 22, 175245, 64, 8, 8, true, live, 1};
	struct ssm_writer *writer = NULL;
	assert_int_equal(ssm_writer_new(&options, collect, file, &writer, NULL), 0);
	return writer;
}

static inline void write_bytes(struct ssm_writer *writer, enum framing framing, const uint8_t *bytes, size_t size)
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

static inline void write_unit(struct ssm_writer *writer, enum framing framing, uint32_t version, uint32_t pass,
                              const struct payload *payload)
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

static inline void put_ram(struct payload *payload, unsigned type, uint64_t gpa, const uint8_t *page)
{
	pgm_ram(&payload->bytes, type, gpa, page);
	if (page)
		payload->pages[payload->count++] = payload->bytes.size - PGM_PAGE;
}

static inline void put_device(struct payload *payload, unsigned type, uint8_t id, uint32_t index, uint8_t protection, const uint8_t *page)
{
	pgm_device(&payload->bytes, type, id, index, protection, page);
	if (page)
		payload->pages[payload->count++] = payload->bytes.size - PGM_PAGE;
}

static inline void put_end(struct payload *payload)
{
	gim_buffer_number(&payload->bytes, PGM_END, 1);
}

/* A page of its own kind: text that packs, noise that does not, zeros, or a mixture. */
static inline const uint8_t *page_of(unsigned number)
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

static inline void expect_page(struct gim_memory *memory, uint64_t gpa, enum gim_memory_kind kind, const uint8_t *expected)
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

static inline int open_file(struct opened *opened, struct gim_error *error)
{
	int result = gim_state_open_memory(opened->file.bytes, opened->file.size, &opened->state, error);
	return result ? result : gim_memory_open(opened->state, NULL, &opened->memory, error);
}

static inline void must_open(struct opened *opened, const char *what)
{
	struct gim_error error = GIM_ERROR_INIT;
	if (open_file(opened, &error))
		fail_msg("%s: %s (%s, byte 0x%llx)", what, error.text, error.unit, (unsigned long long)error.offset);
}

static inline void close_file(struct opened *opened)
{
	gim_memory_free(&opened->memory);
	gim_state_free(&opened->state);
	gim_buffer_free(&opened->file);
}

static inline void finish(struct ssm_writer *writer)
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
static inline void make_final(struct payload *payload, uint32_t version)
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

static inline void expect_final(struct gim_memory *memory, uint32_t version)
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

static inline void expect_device(struct gim_memory *memory)
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

static inline void open_final(struct opened *opened)
{
	struct payload payload = {.count = 0};
	struct ssm_writer *writer = new_file(&opened->file, false);
	make_final(&payload, 14);
	write_unit(writer, AS_VIRTUALBOX, 14, GIM_PASS_FINAL, &payload);
	finish(writer);
	gim_buffer_free(&payload.bytes);
	must_open(opened, "a state");
}

#endif
