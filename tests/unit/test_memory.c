/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests guest memory: every form in which VirtualBox saved it, whatever records its bytes are in. */
#include "vbox_memory.h"

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(final_pass), cmocka_unit_test(any_range),     cmocka_unit_test(live_passes),
	    cmocka_unit_test(version_9),  cmocka_unit_test(old_container),
	};
	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
