/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests guest memory that is not as it should be: what is wrong is told, and nothing is opened. */
#include "vbox_memory.h"

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
	assert_string_equal(error.text, "the state holds no memory of its guest: a saved state, or a bundle with memory, does");
	close_file(&opened);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refused),
	    cmocka_unit_test(without_memory),
	};
	return cmocka_run_group_tests_name("memory that is refused", tests, NULL, NULL);
}
