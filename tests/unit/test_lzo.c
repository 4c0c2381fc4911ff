/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests the decoder of LZO1X with blocks of all its instructions made at random, both buffers between pages that cannot be touched, and the layer of lzop's
 * files in every form of its header and checksums. */
#include "cursor.h"
#include "layer.h"
#include "lzo.h"

#include <libdeflate.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

enum { AREA = 1 << 20, GUARD = 65536 };

static uint8_t *in_area, *out_area;

static uint8_t *guarded(void)
{
	uint8_t *map = mmap(NULL, AREA + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED || mprotect(map + GUARD, AREA, PROT_READ | PROT_WRITE))
		abort();
	return map + GUARD;
}

static int make_areas(void **unused)
{
	(void)unused;
	in_area = guarded();
	out_area = guarded();
	return 0;
}

/* A block that is made, and what it unpacks to. */
struct made {
	struct gim_buffer packed, plain;
	unsigned last; /* literals behind the last match, 4: a run of them, 5: nothing yet */
	uint32_t random;
};

static uint32_t draw(struct made *made, uint32_t limit)
{
	made->random = made->random * 1664525 + 1013904223;
	return (made->random >> 8) % limit;
}

static void put(struct made *made, unsigned byte)
{
	gim_buffer_number(&made->packed, byte & 0xff, 1);
}

static void put_literals(struct made *made, size_t count)
{
	for (; count; count--) {
		const uint8_t byte = (uint8_t)draw(made, 256);
		put(made, byte);
		gim_buffer_bytes(&made->plain, &byte, 1);
	}
}

static void put_more(struct made *made, size_t rest)
{
	for (; rest > 255; rest -= 255)
		put(made, 0);
	put(made, (unsigned)rest);
}

/* In the byte of the instruction, when it fits below `most`, else in bytes of its own. */
static void put_length(struct made *made, unsigned code, size_t value, size_t most)
{
	put(made, code | (value <= most ? (unsigned)value : 0));
	if (value > most)
		put_more(made, value - most);
}

static void put_run(struct made *made, size_t count)
{
	if (made->last == 5 && count < 239) {
		put(made, (unsigned)count + 17);
		made->last = count < 4 ? (unsigned)count : 4;
	} else {
		put_length(made, 0, count - 3, 15);
		made->last = 4;
	}
	put_literals(made, count);
}

static void put_pair(struct made *made, size_t value, unsigned literals)
{
	put(made, (unsigned)(value << 2 & 0xff) | literals);
	put(made, (unsigned)(value >> 6));
}

/* A match of this form, as far back as it is drawn. */
static void put_match(struct made *made, unsigned form, size_t length, unsigned literals)
{
	static const struct {
		size_t nearest, furthest;
	} forms[] = {{1, 1024}, {2049, 3072}, {1, 2048}, {1, 2048}, {1, 16384}, {16385, 49151}};
	const size_t most = made->plain.size < forms[form].furthest ? made->plain.size : forms[form].furthest;
	if (most < forms[form].nearest)
		return;
	const size_t from = forms[form].nearest, distance = from + draw(made, (uint32_t)(most - from + 1)), rest = distance - from;
	switch (form) {
	case 0:
	case 1:
		put(made, (unsigned)(rest & 3) << 2 | literals);
		put(made, (unsigned)(rest >> 2));
		length = form ? 3 : 2;
		break;
	case 2:
	case 3:
		length = (form == 2 ? 3 : 5) + length % (form == 2 ? 2 : 4);
		put(made, (form == 2 ? 64u | (unsigned)(length - 3) << 5 : 128u | (unsigned)(length - 5) << 5) | (unsigned)(rest & 7) << 2 |
		              literals);
		put(made, (unsigned)(rest >> 3));
		break;
	case 4:
		put_length(made, 32, length - 2, 31);
		put_pair(made, rest, literals);
		break;
	default:
		put_length(made, 16u | (unsigned)((rest + 1) >> 14) << 3, length - 2, 7);
		put_pair(made, (rest + 1) & 0x3fff, literals);
	}
	for (; length; length--) {
		const uint8_t byte = made->plain.bytes[made->plain.size - distance];
		gim_buffer_bytes(&made->plain, &byte, 1);
	}
	made->last = literals;
	put_literals(made, literals);
}

static struct made make(uint32_t seed, unsigned count)
{
	struct made made = {.last = 5, .random = seed};
	put_run(&made, 1 + draw(&made, seed % 3 ? 400 : 4));
	for (unsigned i = 0; i < count; i++) {
		const unsigned form = draw(&made, 7), literals = draw(&made, 4);
		const size_t length = 3 + draw(&made, draw(&made, 8) ? 20 : 3000);
		if (form == 6 && !made.last)
			put_run(&made, 4 + draw(&made, draw(&made, 8) ? 30 : 3000));
		else if (form == 0 ? made.last > 0 && made.last < 4 : form == 1 ? made.last == 4 : form < 6)
			put_match(&made, form, length, literals);
	}
	put(&made, 17);
	put(&made, 0);
	put(&made, 0);
	assert_true(made.packed.size <= AREA && made.plain.size <= AREA);
	return made;
}

static void drop(struct made *made)
{
	gim_buffer_free(&made->packed);
	gim_buffer_free(&made->plain);
}

/* Both buffers end where nothing may be touched. */
static int decode(const uint8_t *in, size_t in_bytes, size_t out_bytes, size_t *at)
{
	uint8_t *from = in_area + AREA - in_bytes;
	if (in_bytes)
		memcpy(from, in, in_bytes);
	return gim_lzo_decode(from, in_bytes, out_area + AREA - out_bytes, out_bytes, at);
}

static void test_all_instructions(void **user)
{
	(void)user;
	for (uint32_t seed = 0; seed < 300; seed++) {
		struct made made = make(seed, seed % 5 ? seed : 2000);
		size_t at;
		assert_int_equal(decode(made.packed.bytes, made.packed.size, made.plain.size, &at), 0);
		assert_memory_equal(out_area + AREA - made.plain.size, made.plain.bytes, made.plain.size);
		assert_int_equal(at, made.packed.size);
		drop(&made);
	}
}

/* Too short, too long, cut, or with a byte behind it. */
static void test_sizes(void **user)
{
	(void)user;
	for (uint32_t seed = 0; seed < 20; seed++) {
		struct made made = make(seed, 40);
		size_t at;
		assert_int_equal(decode(made.packed.bytes, made.packed.size, made.plain.size - 1, &at), -1);
		assert_int_equal(decode(made.packed.bytes, made.packed.size, made.plain.size + 1, &at), -1);
		assert_int_equal(decode(made.packed.bytes, made.packed.size, 0, &at), -1);
		for (size_t size = 0; size < made.packed.size; size++) {
			assert_int_equal(decode(made.packed.bytes, size, made.plain.size, &at), -1);
			assert_true(at <= size);
		}
		put(&made, 0);
		assert_int_equal(decode(made.packed.bytes, made.packed.size, made.plain.size, &at), -1);
		drop(&made);
	}
}

/* Whatever is changed, nothing else is touched. */
static void test_damage(void **user)
{
	(void)user;
	for (uint32_t seed = 0; seed < 40; seed++) {
		struct made made = make(seed, 60);
		for (unsigned i = 0; i < 500; i++) {
			uint8_t *byte = &made.packed.bytes[draw(&made, (uint32_t)made.packed.size)], before = *byte;
			size_t at;
			*byte ^= (uint8_t)(1u << draw(&made, 8));
			(void)decode(made.packed.bytes, made.packed.size, made.plain.size, &at);
			assert_true(at <= made.packed.size);
			*byte = draw(&made, 2) ? before : *byte;
		}
		drop(&made);
	}
}

/*
 * lzop's files.
 */
enum flag {
	ADLER32_OUT = 1,
	ADLER32_IN = 2,
	EXTRA = 0x40,
	CRC32_OUT = 0x100,
	CRC32_IN = 0x200,
	MULTIPART = 0x400,
	FILTER = 0x800,
	HEADER_CRC32 = 0x1000
};

static void put_checksum(struct gim_buffer *file, bool crc, const void *bytes, size_t size)
{
	gim_buffer_number(file, crc ? libdeflate_crc32(0, bytes, size) : libdeflate_adler32(1, bytes, size), 4);
}

static void put_block(struct gim_buffer *file, uint32_t flags, const struct gim_buffer *plain, const struct gim_buffer *packed)
{
	const bool stored = packed->size >= plain->size;
	const struct gim_buffer *data = stored ? plain : packed;
	gim_buffer_number(file, plain->size, 4);
	gim_buffer_number(file, data->size, 4);
	for (unsigned crc = 0; crc < 2; crc++)
		if (flags & (crc ? CRC32_OUT : ADLER32_OUT))
			put_checksum(file, crc, plain->bytes, plain->size);
	for (unsigned crc = 0; crc < 2; crc++)
		if (!stored && flags & (crc ? CRC32_IN : ADLER32_IN))
			put_checksum(file, crc, data->bytes, data->size);
	gim_buffer_bytes(file, data->bytes, data->size);
}

struct header {
	unsigned version, method;
	uint32_t flags, filter;
};

static void put_header(struct gim_buffer *file, const struct header *header)
{
	const bool old = header->version < 0x940;
	file->big = true;
	gim_buffer_bytes(file, "\x89LZO\0\r\n\x1a\n", 9);
	gim_buffer_number(file, header->version, 2);
	gim_buffer_number(file, 0x20a0, 2);
	if (!old)
		gim_buffer_number(file, 0x940, 2);
	gim_buffer_number(file, header->method, 1);
	if (!old)
		gim_buffer_number(file, 5, 1);
	gim_buffer_number(file, header->flags, 4);
	if (header->flags & FILTER)
		gim_buffer_number(file, header->filter, 4);
	gim_buffer_number(file, 0100644, 4);
	gim_buffer_number(file, 1700000000, 4);
	if (!old)
		gim_buffer_number(file, 0, 4);
	gim_buffer_number(file, 4, 1);
	gim_buffer_bytes(file, "name", 4);
	put_checksum(file, header->flags & HEADER_CRC32, file->bytes + 9, file->size - 9);
	if (header->flags & EXTRA) {
		gim_buffer_number(file, 5, 4);
		gim_buffer_bytes(file, "extra", 5);
		gim_buffer_number(file, 0, 4);
	}
}

/* Blocks made at random, every third one stored as it is. */
static struct gim_buffer make_file(const struct header *header, unsigned blocks, struct gim_buffer *all)
{
	struct gim_buffer file = {.bytes = NULL};
	put_header(&file, header);
	for (unsigned i = 0; i < blocks; i++) {
		struct made made = make(i, 50);
		while (i % 3 == 2 && made.packed.size < made.plain.size)
			put(&made, 0);
		gim_buffer_bytes(all, made.plain.bytes, made.plain.size);
		put_block(&file, header->flags, &made.plain, &made.packed);
		drop(&made);
	}
	gim_buffer_number(&file, 0, 4);
	return file;
}

static int open_file(const struct gim_buffer *file, struct gim_input *input, struct gim_error *error)
{
	gim_input_open_memory(input, file->bytes, file->size);
	return gim_layer_open(input, gim_layer_find(file->bytes, file->size, false), NULL, error);
}

/* What reading all of it says. */
static int read_file(const struct gim_buffer *file, struct gim_buffer *all, struct gim_error *error)
{
	struct gim_input input;
	uint8_t bytes[1000];
	size_t got = sizeof(bytes);
	int result = open_file(file, &input, error);
	while (!result && got == sizeof(bytes)) {
		result = gim_input_read(&input, input.position, bytes, sizeof(bytes), &got, error);
		if (!result)
			gim_buffer_bytes(all, bytes, got);
	}
	gim_input_close(&input);
	return result;
}

static void test_files(void **user)
{
	static const struct header headers[] = {
	    {0x1040, 1, ADLER32_OUT | ADLER32_IN, 0},
	    {0x1040, 3, CRC32_OUT | CRC32_IN | HEADER_CRC32, 0},
	    {0x1040, 2, 0, 0},
	    {0x930, 1, ADLER32_OUT, 0},
	    {0x1040, 1, FILTER | EXTRA | CRC32_IN, 0},
	    {0x1040, 1, ADLER32_OUT | ADLER32_IN | CRC32_OUT | CRC32_IN, 0},
	};
	(void)user;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		for (unsigned blocks = 0; blocks < 7; blocks += 3) {
			struct gim_buffer all = {.bytes = NULL}, read = {.bytes = NULL};
			struct gim_buffer file = make_file(&headers[i], blocks, &all);
			struct gim_error error = GIM_ERROR_INIT;
			assert_int_equal(read_file(&file, &read, &error), 0);
			assert_int_equal(read.size, all.size);
			assert_true(!all.size || !memcmp(read.bytes, all.bytes, all.size));
			gim_buffer_free(&all);
			gim_buffer_free(&read);
			gim_buffer_free(&file);
		}
}

static void refuse(const struct gim_buffer *file, int code, uint64_t offset, const char *words)
{
	struct gim_buffer read = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	assert_int_equal(read_file(file, &read, &error), code);
	assert_int_equal(error.offset, offset);
	assert_non_null(strstr(error.text, words));
	gim_buffer_free(&read);
}

static void test_refused(void **user)
{
	static const struct {
		struct header header;
		int code;
		uint64_t offset;
		const char *words;
	} rows[] = {
	    {{0x1040, 4, 0, 0}, GIM_E_UNSUPPORTED, 9, "method 4"},
	    {{0x1040, 1, FILTER, 7}, GIM_E_UNSUPPORTED, 9, "filtered"},
	    {{0x1040, 1, MULTIPART, 0}, GIM_E_UNSUPPORTED, 9, "one part of several"},
	};
	static const struct header usual = {0x1040, 1, ADLER32_OUT, 0};
	static const struct {
		uint32_t unpacked, packed;
	} blocks[] = {{(64u << 20) + 1, 1 << 20}, {100, 0}, {100, 101}, {1 << 20, 1000}, {UINT32_MAX, UINT32_MAX}};
	struct gim_buffer all = {.bytes = NULL};
	(void)user;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gim_buffer file = make_file(&rows[i].header, 1, &all);
		refuse(&file, rows[i].code, rows[i].offset, rows[i].words);
		gim_buffer_free(&file);
	}
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		struct gim_buffer file = {.bytes = NULL};
		put_header(&file, &usual);
		const uint64_t begin = file.size;
		gim_buffer_number(&file, blocks[i].unpacked, 4);
		gim_buffer_number(&file, blocks[i].packed, 4);
		refuse(&file, GIM_E_CORRUPT, begin, "impossible");
		gim_buffer_free(&file);
	}
	gim_buffer_free(&all);
}

/* With checksums of both, each change of a byte is found, and each cut. */
static void test_changed(void **user)
{
	static const struct header header = {0x1040, 1, ADLER32_OUT | CRC32_IN, 0};
	struct gim_buffer all = {.bytes = NULL}, file = make_file(&header, 3, &all);
	(void)user;
	for (size_t at = 9; at < file.size; at++) {
		struct gim_buffer read = {.bytes = NULL};
		struct gim_error error = GIM_ERROR_INIT;
		file.bytes[at] ^= 0x20;
		assert_true(read_file(&file, &read, &error) < 0);
		file.bytes[at] ^= 0x20;
		gim_buffer_free(&read);
	}
	for (size_t size = 9; size < file.size; size++) {
		const struct gim_buffer cut = {.bytes = file.bytes, .size = size};
		struct gim_buffer read = {.bytes = NULL};
		struct gim_error error = GIM_ERROR_INIT;
		assert_int_equal(read_file(&cut, &read, &error), GIM_E_TRUNCATED);
		assert_int_equal(error.offset, size);
		gim_buffer_free(&read);
	}
	gim_buffer_free(&all);
	gim_buffer_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_instructions), cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_damage),           cmocka_unit_test(test_files),
	    cmocka_unit_test(test_refused),          cmocka_unit_test(test_changed),
	};
	return cmocka_run_group_tests(tests, make_areas, NULL);
}
