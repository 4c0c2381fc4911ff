/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests rewriting states with other payloads in some of their units. */
#include "../sparse.h"
#include "vbox/crc.h"
#include "vbox/ssm_rewrite.h"
#include "vbox/ssm_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { UNITS = 6, LARGEST = 300000 };

/* Of every kind: nothing, small, more than a block, live, with all kinds of records, and more than the copy holds at once. */
static const struct {
	const char *name;
	uint32_t instance, pass;
	size_t size;
} made[UNITS] = {{"first", 0, GIM_PASS_FINAL, 8},       {"live", 1, 0, 5000},
                 {"empty", 0, GIM_PASS_FINAL, 0},       {"middle", 0, GIM_PASS_FINAL, 8},
                 {"large", 1, GIM_PASS_FINAL, LARGEST}, {"last", 7, GIM_PASS_FINAL, 4097}};

struct out {
	struct gim_buffer bytes;
	size_t limit; /* 0: none */
};

static int collect(void *user, const void *bytes, size_t size)
{
	struct out *out = (struct out *)user;
	if (out->limit && out->bytes.size + size > out->limit)
		return 1;
	gim_buffer_bytes(&out->bytes, bytes, size);
	return 0;
}

/* Blocks of zeros, of one byte, and of noise. */
static uint8_t *payload_of(size_t unit)
{
	static uint8_t bytes[LARGEST];
	uint32_t noise = (uint32_t)unit + 1;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		noise = noise * 1664525 + 1013904223;
		bytes[i] = i / 4096 % 3 == 1 ? 0 : i / 4096 % 3 ? (uint8_t)(noise >> 24) : (uint8_t)unit;
	}
	return bytes;
}

static struct gim_buffer state_of(bool checksummed)
{
	const struct ssm_write_options options = {7, 1, 6, 167084, 64, 8, 8, checksummed, true, UNITS};
	struct out out = {.limit = 0};
	struct ssm_writer *writer = NULL;
	assert_int_equal(ssm_writer_new(&options, collect, &out, &writer, NULL), 0);
	for (size_t i = 0; i < UNITS; i++) {
		assert_int_equal(ssm_writer_unit(writer, made[i].name, made[i].instance, 1, made[i].pass, NULL), 0);
		assert_int_equal(ssm_writer_data(writer, SSM_WRITE_AUTO, payload_of(i), made[i].size, NULL), 0);
	}
	assert_int_equal(ssm_writer_finish(writer, NULL), 0);
	ssm_writer_free(&writer);
	return out.bytes;
}

static struct gim_state *open_bytes(const struct gim_buffer *bytes)
{
	struct gim_state *state = NULL;
	assert_int_equal(gim_state_open_memory(bytes->bytes, bytes->size, &state, NULL), 0);
	return state;
}

static void complain(void *user, const struct gim_finding *finding)
{
	(void)user;
	print_error("%s at 0x%llx: %s\n", finding->rule->id, (unsigned long long)finding->offset, finding->text);
}

static void find(struct gim_state *state, size_t i, struct gim_unit *unit)
{
	assert_int_equal(gim_unit_find(state, made[i].name, made[i].instance, made[i].pass, unit, NULL), 0);
}

/* The file holds all units with their payloads, but for those that were changed. */
static void assert_units(const struct gim_buffer *bytes, const struct gim_changes *changes, const size_t *which)
{
	struct gim_state *state = open_bytes(bytes);
	assert_int_equal(gim_verify_memory(bytes->bytes, bytes->size, NULL, complain, NULL, NULL), 0);
	for (size_t i = 0; i < UNITS; i++) {
		struct gim_unit unit;
		struct out payload = {.limit = 0};
		const uint8_t *expected = payload_of(i);
		size_t size = made[i].size;
		for (size_t c = 0; changes && c < changes->count; c++)
			if (which[c] == i) {
				expected = changes->items[c].payload;
				size = changes->items[c].size;
			}
		find(state, i, &unit);
		assert_int_equal(gim_unit_read(state, &unit, collect, &payload, NULL), 0);
		assert_int_equal(payload.bytes.size, size);
		if (size)
			assert_memory_equal(payload.bytes.bytes, expected, size);
		gim_buffer_free(&payload.bytes);
	}
	gim_state_free(&state);
}

static struct gim_buffer rewrite(const struct gim_buffer *before, const struct gim_changes *changes)
{
	struct gim_input input;
	struct gim_error error = GIM_ERROR_INIT;
	struct out out = {.limit = 0};
	gim_input_open_memory(&input, before->bytes, before->size);
	if (ssm_rewrite(&input, changes, collect, &out, &error))
		fail_msg("%s", error.text);
	return out.bytes;
}

/* Every set of units, each with a payload of another size. */
static void any_units(void **unused)
{
	static const size_t sizes[UNITS] = {20, 0, 5000, 139, 10000, 1};
	static uint8_t payloads[UNITS][10000];
	(void)unused;
	for (unsigned checksummed = 0; checksummed < 2; checksummed++) {
		struct gim_buffer before = state_of(checksummed);
		struct gim_state *state = open_bytes(&before);
		for (unsigned set = 1; set < 1u << UNITS; set++) {
			struct gim_changes changes = {.count = 0};
			size_t which[UNITS];
			for (size_t i = 0; i < UNITS; i++) {
				struct gim_unit unit;
				if (!(set & 1u << i))
					continue;
				find(state, i, &unit);
				memset(payloads[i], (int)(0xa0 + i), sizes[i]);
				which[changes.count] = i;
				changes.items[changes.count++] = (struct gim_change){unit.offset, payloads[i], sizes[i]};
			}
			struct gim_buffer after = rewrite(&before, &changes);
			assert_units(&after, &changes, which);
			gim_buffer_free(&after);
		}
		gim_state_free(&state);
		gim_buffer_free(&before);
	}
}

/* Changes that put in the payload that is there already, in one raw record as it was: the same bytes. */
static void the_same_again(void **unused)
{
	(void)unused;
	struct gim_buffer before = state_of(true);
	struct gim_state *state = open_bytes(&before);
	struct gim_unit first, last;
	find(state, 0, &first);
	find(state, 3, &last);
	uint8_t payload[8]; /* payload_of gives one at a time */
	memcpy(payload, payload_of(0), sizeof(payload));
	const struct gim_changes changes = {{{first.offset, payload, sizeof(payload)}, {last.offset, payload_of(3), 8}}, 2};
	struct gim_buffer after = rewrite(&before, &changes);
	assert_int_equal(after.size, before.size);
	assert_memory_equal(after.bytes, before.bytes, before.size);
	gim_buffer_free(&after);
	gim_state_free(&state);
	gim_buffer_free(&before);
}

static uint8_t one_byte[] = {0};

static int try_rewrite(const struct gim_buffer *before, const struct gim_changes *changes, size_t limit, struct gim_error *error)
{
	struct gim_input input;
	struct out out = {.limit = limit};
	*error = (struct gim_error)GIM_ERROR_INIT;
	gim_input_open_memory(&input, before->bytes, before->size);
	int result = ssm_rewrite(&input, changes, collect, &out, error);
	gim_buffer_free(&out.bytes);
	return result;
}

/* New checksums would hide that what they cover was damaged: whatever byte it is, the rewrite finds it. */
static void damage_is_found(void **unused)
{
	(void)unused;
	struct gim_buffer before = state_of(true);
	struct gim_state *state = open_bytes(&before);
	struct gim_unit unit;
	find(state, 3, &unit);
	const struct gim_changes change = {{{unit.offset, one_byte, 1}}, 1};
	gim_state_free(&state);
	for (size_t at = 0; at < before.size; at += (at < 8000 || before.size - at < 8000 ? 1 : 997) * sparse()) {
		struct gim_error error;
		before.bytes[at] ^= 0x10;
		int result = try_rewrite(&before, &change, 0, &error);
		if (!result || !error.code)
			fail_msg("byte 0x%zx is damaged, and nobody says so", at);
		before.bytes[at] ^= 0x10;
	}
	gim_buffer_free(&before);
}

static void refused(void **unused)
{
	(void)unused;
	struct gim_buffer before = state_of(true);
	struct gim_state *state = open_bytes(&before);
	struct gim_error error;
	struct gim_unit unit;
	find(state, 1, &unit);
	gim_state_free(&state);
	/* An output that takes no more, at any place. */
	const struct gim_changes change = {{{unit.offset, one_byte, 1}}, 1};
	for (size_t limit = 1; limit < before.size - 5000; limit += 1 + limit / 50)
		assert_int_equal(try_rewrite(&before, &change, limit, &error), GIM_E_STOPPED);
	const struct gim_changes between = {{{unit.offset + 1, one_byte, 1}}, 1}, behind = {{{before.size - 100, one_byte, 1}}, 1};
	assert_int_not_equal(try_rewrite(&before, &between, 0, &error), 0);
	assert_int_not_equal(try_rewrite(&before, &behind, 0, &error), 0);
	/* Two changes of which the second one is nowhere. */
	const struct gim_changes two = {{{unit.offset, one_byte, 1}, {unit.offset + 1, one_byte, 1}}, 2};
	assert_int_equal(try_rewrite(&before, &two, 0, &error), GIM_E_ARGUMENT);
	gim_buffer_free(&before);
}

/* A guest interface that is not understood to its end is copied, and nothing in it is changed. */
static void not_whole(void **unused)
{
	const struct ssm_write_options options = {7, 1, 6, 167084, 64, 8, 8, true, false, 1};
	static const uint8_t kvm[] = {3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0xaa}; /* ends within the wall clock */
	struct out out = {.limit = 0}, same = {.limit = 0};
	struct gim_error error = GIM_ERROR_INIT;
	struct ssm_writer *writer = NULL;
	(void)unused;
	assert_int_equal(ssm_writer_new(&options, collect, &out, &writer, NULL), 0);
	assert_int_equal(ssm_writer_unit(writer, "GIM", 0, 1, GIM_PASS_FINAL, NULL), 0);
	assert_int_equal(ssm_writer_data(writer, SSM_WRITE_AUTO, kvm, sizeof(kvm), NULL), 0);
	assert_int_equal(ssm_writer_finish(writer, NULL), 0);
	ssm_writer_free(&writer);
	struct gim_state *state = open_bytes(&out.bytes);
	assert_int_equal(gim_state_decode(state, GIM_PART_GIM, NULL, NULL, NULL), GIM_E_TRUNCATED);
	assert_int_equal(gim_state_set(state, "gim.provider_version", "1", &error), GIM_E_VALUE);
	assert_non_null(strstr(error.text, "the unit GIM is damaged"));
	assert_int_equal(gim_state_write(state, NULL, collect, &same, NULL), 0);
	assert_int_equal(same.bytes.size, out.bytes.size);
	assert_memory_equal(same.bytes.bytes, out.bytes.bytes, out.bytes.size);
	gim_buffer_free(&same.bytes);
	gim_buffer_free(&out.bytes);
	gim_state_free(&state);
}

/* A state of container 1.1 with so many empty units. */
static struct gim_buffer old_state(uint32_t units)
{
	enum { SIZE_AT = 32, CRC_AT = 40, CRC_START = 44, HEADER = 64, UNIT_HEADER = 28, NAME = 2 };
	static const uint8_t zeros[20];
	struct gim_buffer bytes = {.bytes = NULL};
	gim_buffer_bytes(&bytes, "\177VirtualBox SavedState V1.1\n\0\0\0\0", 32);
	gim_buffer_number(&bytes, 0, 8);
	gim_buffer_number(&bytes, 0, 4);
	gim_buffer_bytes(&bytes, zeros, 20);
	for (uint32_t i = 0; i < units; i++) {
		gim_buffer_bytes(&bytes, "\nUnit\n\0", 8);
		gim_buffer_number(&bytes, UNIT_HEADER + NAME, 8);
		gim_buffer_number(&bytes, 1, 4);
		gim_buffer_number(&bytes, i, 4);
		gim_buffer_number(&bytes, NAME, 4);
		gim_buffer_bytes(&bytes, "u", NAME);
	}
	gim_buffer_bytes(&bytes, "\nTheEnd", 8);
	gim_buffer_number(&bytes, UNIT_HEADER, 8);
	gim_buffer_bytes(&bytes, zeros, 12);
	assert_false(bytes.failed);
	gim_buffer_patch(&bytes, SIZE_AT, bytes.size, 8);
	gim_buffer_patch(&bytes, CRC_AT, gim_crc32(0, bytes.bytes + CRC_START, bytes.size - HEADER), 4);
	return bytes;
}

/* The new container has a directory, which lists at most 65535 units. */
static void too_many_units(void **unused)
{
	static const struct gim_write_options options = {.container = "2.0"};
	(void)unused;
	for (uint32_t units = 0; units <= 65536; units = units ? units * 256 : 1) {
		struct gim_buffer before = old_state(units);
		struct gim_error error = GIM_ERROR_INIT;
		struct gim_state *state = open_bytes(&before);
		struct out out = {.limit = 0};
		int result = gim_state_write(state, &options, collect, &out, &error);
		assert_int_equal(result, units == 65536 ? GIM_E_LIMIT : 0);
		if (result)
			assert_int_equal(out.bytes.size, 0);
		else
			assert_int_equal(gim_verify_memory(out.bytes.bytes, out.bytes.size, NULL, complain, NULL, NULL), 0);
		gim_buffer_free(&out.bytes);
		gim_buffer_free(&before);
		gim_state_free(&state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(not_whole),      cmocka_unit_test(too_many_units),  cmocka_unit_test(any_units),
	    cmocka_unit_test(the_same_again), cmocka_unit_test(damage_is_found), cmocka_unit_test(refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
