/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table engine on tables of the test's own: every kind of row decodes, encodes back, and fails on every truncation with an offset. */
#include "error.h"
#include "field.h"
#include "visit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct leaf {
	uint64_t config;
	uint16_t small;
};

struct item {
	uint32_t id;
	uint8_t flag;
	uint64_t words[3];
	struct leaf leaf[2];
};

struct top {
	uint32_t count, size;
	uint8_t mode;
	uint64_t address, extra, inside[4];
	struct gim_text text, rest, fixed;
	struct gim_list counted, wired, ended, items;
};

static const struct gim_field leaf_fields[] = {FIELD(leaf, config, .help = "c"), FIELD(leaf, small, .help = "s", .reset = 7)};
static RECORD(leaf, "leaf", "a leaf");
static const struct gim_field item_fields[] = {FIELD(item, id, .help = "i"), FIELD(item, flag, .help = "f"),
                                               FIELD(item, words, .help = "w", .reset = 0x10000), SUBS(item, leaf, leaf, .help = "l")};
static RECORD(item, "item", "an item");
static const struct gim_field top_fields[] = {
    FIELD(top, count, .help = "h"),
    FIELD(top, size, .help = "h"),
    FIELD(top, mode, .help = "h"),
    FIELD(top, address, .help = "h", .show = GIM_ADDRESS),
    FIELD(top, extra, .help = "h", .reset = 5),
    FIELD(top, inside, .help = "h"),
    FIELD(top, text, .help = "h"),
    FIELD(top, rest, .help = "h"),
    FIELD(top, fixed, .help = "h"),
    LIST(top, counted, item, .help = "h"),
    LIST(top, wired, item, .help = "h"),
    LIST(top, ended, item, .help = "h"),
    LIST(top, items, item, .help = "h"),
};
static RECORD(top, "top", "the top");

static const struct gim_row short_item[] = {ON_(item, id, .wire = 1), ON_(item, words[1], .since = 2), END_ROWS};
static const struct gim_row full_item[] = {ON(item, id), ON(item, words), ON(item, leaf[1].small), END_ROWS};
static const struct gim_row region[] = {ON(top, inside), END_ROWS};
static const struct gim_row when_mode[] = {ON(top, extra), END_ROWS};
static const struct gim_row rows[] = {
    LAYOUT_VERSION,
    ON(top, count),
    ON(top, mode),
    ON_GPA(top, address),
    ON(top, text),
    ON_BYTES(top, fixed, 3),
    CONSTANT(4, 0x19200102),
    GROUP(when_mode, WHEN(GIM_WHEN_ANY, top, mode, 4, 0)),
    ON(top, size),
    WITHIN(top, size, region, .bias = -1),
    EACH(top, counted, item, short_item, COUNTED_BY(top, count)),
    EACH(top, wired, item, full_item, .count = GIM_COUNT_WIRE),
    EACH(top, ended, item, short_item, .count = GIM_COUNT_UNTIL, .wire = 1, .value = 0xff),
    EACH(top, items, item, full_item, .count = GIM_COUNT_REST),
    CONSTANT(1, 0xee, .since = 2),
    END_ROWS,
};

/* The same by hand: bytes that share no code with the engine. */
static size_t build(uint8_t *out, unsigned version, unsigned mode)
{
	uint8_t *at = out;
#define PUT(width, number)                                                                                                                 \
	for (unsigned put = 0; put < (width); put++)                                                                                       \
	*at++ = (uint8_t)((uint64_t)(number) >> 8 * put)
	PUT(4, version);
	PUT(4, 2);    /* count */
	PUT(1, mode); /* mode */
	PUT(4, 0x12345000);
	PUT(4, 5);
	memcpy(at, "hello", 5), at += 5;
	memcpy(at, "abc", 3), at += 3;
	PUT(4, 0x19200102);
	if (mode & 4)
		PUT(8, 77);
	PUT(4, 17); /* a region of 16 bytes: two words */
	PUT(8, 1);
	PUT(8, 2);
	for (unsigned i = 0; i < 2; i++) {
		PUT(1, 10 + i);
		if (version >= 2)
			PUT(8, 100 + i);
	}
	PUT(4, 1);
	PUT(4, 0xabc);
	PUT(8, 1);
	PUT(8, 2);
	PUT(8, 3);
	PUT(2, 4);
	PUT(1, 9);
	if (version >= 2)
		PUT(8, 99);
	PUT(1, 0xff);
	for (unsigned i = 0; i < 3; i++) {
		PUT(4, i);
		PUT(8, i + 1);
		PUT(8, i + 2);
		PUT(8, i + 3);
		PUT(2, i + 4);
	}
	if (version >= 2)
		PUT(1, 0xee);
	return (size_t)(at - out);
}

static const struct gim_codec codec = {.first = 1, .last = 2, .address_bytes = 4, .vcpus = 3};

struct decoded {
	struct gim_arena arena;
	struct gim_object object;
	struct gim_error error;
	size_t used;
	uint32_t version;
	int result;
};

static void decode(struct decoded *decoded, const uint8_t *bytes, size_t size)
{
	*decoded = (struct decoded){.error = GIM_ERROR_INIT};
	assert_int_equal(gim_object_new(&decoded->arena, &top_record, &decoded->object, NULL), 0);
	/* A heap copy of the exact size: the sanitizer sees a read behind it. */
	uint8_t *copy = malloc(size ? size : 1);
	assert_non_null(copy);
	memcpy(copy, bytes, size);
	decoded->result =
	    gim_decode(rows, &codec, &decoded->object, 1, &decoded->arena, copy, size, &decoded->used, &decoded->version, &decoded->error);
	free(copy);
}

static void round_trip(void **unused)
{
	(void)unused;
	for (unsigned version = 1; version <= 2; version++)
		for (unsigned mode = 0; mode <= 4; mode += 4) {
			uint8_t bytes[512];
			size_t size = build(bytes, version, mode);
			struct decoded decoded;
			decode(&decoded, bytes, size);
			if (decoded.result)
				fail_msg("%s (%s)", decoded.error.text, decoded.error.path);
			assert_int_equal(decoded.used, size);
			assert_int_equal(decoded.version, version);
			const struct top *top = (const struct top *)(void *)decoded.object.data;
			assert_int_equal(top->address, 0x12345000);
			assert_int_equal(top->extra, mode ? 77 : 5);
			assert_int_equal(decoded.object.presence[offsetof(struct top, extra)], mode ? GIM_STORED : GIM_ABSENT);
			assert_int_equal(decoded.object.presence[offsetof(struct top, inside) + 8], GIM_STORED);
			assert_int_equal(decoded.object.presence[offsetof(struct top, inside) + 16], GIM_ABSENT);
			assert_int_equal(top->counted.count, 2);
			assert_int_equal(top->wired.count, 1);
			assert_int_equal(top->ended.count, 1);
			assert_int_equal(top->items.count, 3);
			const struct item *items = top->items.items;
			assert_int_equal(items[2].words[2], 5);
			assert_int_equal(items[2].leaf[1].small, 6);
			assert_int_equal(items[2].leaf[0].small, 7);
			const struct item *counted = top->counted.items;
			assert_int_equal(counted[1].words[1], version >= 2 ? 101 : 0x10000);
			struct gim_buffer buffer = {0};
			struct gim_codec own = codec;
			own.version = version;
			assert_int_equal(gim_encode(rows, &own, &decoded.object, 1, &buffer, NULL), 0);
			assert_int_equal(buffer.size, size);
			assert_memory_equal(buffer.bytes, bytes, size);
			gim_buffer_free(&buffer);
			gim_arena_free(&decoded.arena);
		}
}

static void every_truncation_fails(void **unused)
{
	(void)unused;
	uint8_t bytes[512];
	size_t size = build(bytes, 2, 4);
	for (size_t cut = 0; cut < size; cut++) {
		struct decoded decoded;
		decode(&decoded, bytes, cut);
		assert_int_not_equal(decoded.result, 0);
		assert_true(decoded.error.payload_offset <= cut);
		assert_int_equal(decoded.result, decoded.error.code);
		gim_arena_free(&decoded.arena);
	}
}

static void damage_names_its_field(void **unused)
{
	(void)unused;
	uint8_t bytes[512];
	size_t size = build(bytes, 2, 4);
	struct decoded decoded;
	decode(&decoded, bytes, size - 3);
	assert_int_equal(decoded.result, GIM_E_TRUNCATED);
	assert_string_equal(decoded.error.path, "top.items[2].leaf[1].small");
	gim_arena_free(&decoded.arena);

	bytes[0] = 3;
	decode(&decoded, bytes, size);
	assert_int_equal(decoded.result, GIM_E_VERSION);
	assert_int_equal(decoded.error.payload_offset, 0);
	gim_arena_free(&decoded.arena);

	bytes[0] = 2;
	bytes[13] = 0x80; /* the text's length: 2 GiB */
	bytes[16] = 0x80;
	decode(&decoded, bytes, size);
	assert_int_equal(decoded.result, GIM_E_LIMIT);
	assert_string_equal(decoded.error.path, "top.text");
	gim_arena_free(&decoded.arena);
}

/* Any bytes at all: no crash, bounded memory, and what decodes encodes back. */
static void random_bytes(void **unused)
{
	(void)unused;
	uint32_t seed = 1;
	for (unsigned round = 0; round < 20000; round++) {
		uint8_t bytes[512];
		size_t size = build(bytes, 1 + round % 2, round & 4);
		for (unsigned i = 0; i < 3; i++) {
			seed = seed * 1664525 + 1013904223;
			bytes[(seed >> 8) % size] = (uint8_t)(seed >> 20);
		}
		struct decoded decoded;
		decode(&decoded, bytes, size);
		struct gim_buffer buffer = {0};
		struct gim_codec own = codec;
		own.version = decoded.version;
		/* A region shorter than a whole number of rows loses its last bytes, as no row holds them. */
		const struct top *top = (const struct top *)(void *)decoded.object.data;
		bool whole = top->size && (top->size - 1) % 8 == 0 && top->size - 1 <= sizeof(top->inside);
		if (!decoded.result && whole) {
			assert_int_equal(gim_encode(rows, &own, &decoded.object, 1, &buffer, NULL), 0);
			assert_int_equal(buffer.size, decoded.used);
			assert_memory_equal(buffer.bytes, bytes, buffer.size);
		}
		gim_buffer_free(&buffer);
		gim_arena_free(&decoded.arena);
	}
}

static int count_leaf(void *user, const char *path, const struct gim_value *value)
{
	(void)path;
	(void)value;
	++*(unsigned *)user;
	return 0;
}

static int keep_number(void *user, const char *path, const struct gim_value *value)
{
	(void)path;
	*(uint64_t *)user = value->number;
	return 0;
}

static void paths(void **unused)
{
	(void)unused;
	static const struct {
		const char *path;
		int result;
	} cases[] = {
	    {".items[2].words[2]", 0},
	    {".items[2].words", 0},
	    {".items", 0},
	    {".address", 0},
	    {"", 0},
	    {".items[3]", GIM_E_PATH},
	    {".items[18446744073709551617]", GIM_E_PATH},
	    {".items[", GIM_E_PATH},
	    {".items[]", GIM_E_PATH},
	    {".items[1", GIM_E_PATH},
	    {".items.id", GIM_E_PATH},
	    {".items[1]id", GIM_E_PATH},
	    {".items[1].id.more", GIM_E_PATH},
	    {".items[1].id[0]", GIM_E_PATH},
	    {".nothing", GIM_E_PATH},
	    {".addres", GIM_E_PATH},
	    {".addresss", GIM_E_PATH},
	    {".", GIM_E_PATH},
	    {"..address", GIM_E_PATH},
	};
	uint8_t bytes[512];
	struct decoded decoded;
	decode(&decoded, bytes, build(bytes, 2, 4));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned count = 0;
		struct gim_error error = GIM_ERROR_INIT;
		int result = gim_object_visit(&decoded.object, cases[i].path, count_leaf, &count, &error);
		if (result != cases[i].result)
			fail_msg("%s: %d, %s", cases[i].path, result, error.text);
		assert_true(result ? error.text[0] != '\0' : count > 0);
	}
	uint64_t number = 0;
	assert_int_equal(gim_object_visit(&decoded.object, ".items[2].words[2]", keep_number, &number, NULL), 0);
	assert_int_equal(number, 5);
	gim_arena_free(&decoded.arena);
}

/* A count that the input cannot hold must not make us allocate for it. */
static void huge_counts(void **unused)
{
	(void)unused;
	uint8_t bytes[512];
	size_t size = build(bytes, 1, 0);
	memset(bytes + 4, 0xff, 4);
	struct decoded decoded;
	decode(&decoded, bytes, size);
	assert_int_equal(decoded.result, GIM_E_LIMIT);
	assert_string_equal(decoded.error.path, "top.counted");
	gim_arena_free(&decoded.arena);
	bytes[4] = 0xff, bytes[5] = 0x7f, bytes[6] = bytes[7] = 0;
	decode(&decoded, bytes, size);
	assert_int_equal(decoded.result, GIM_E_TRUNCATED);
	assert_true(decoded.arena.used_bytes < 1u << 20);
	gim_arena_free(&decoded.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(round_trip),
	    cmocka_unit_test(every_truncation_fails),
	    cmocka_unit_test(damage_names_its_field),
	    cmocka_unit_test(random_bytes),
	    cmocka_unit_test(paths),
	    cmocka_unit_test(huge_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
