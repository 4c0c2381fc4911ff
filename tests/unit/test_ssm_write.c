/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests the 2.0 writer: the smallest useful file byte for byte, record forms and sizes, and what our own reader and verifier say of its files. */
#include "cursor.h"
#include "vbox/ssm_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BLOCK 4096

static const struct ssm_write_options checksummed = {7, 1, 6, 167084, 64, 8, 8, true, false, 2};
static const struct ssm_write_options unchecked = {7, 1, 6, 167084, 64, 8, 8, false, false, 2};
static const struct ssm_write_options live = {7, 1, 6, 167084, 64, 8, 8, true, true, 2};

#define ZERO4 "\0\0\0\0"
#define FINAL "\xff\xff\xff\xff"

/* Units SSM and GIM, the latter with no provider. VirtualBox 7.1.6 accepts these bytes. */
static const char smallest[] = "\x7f"
			       "VirtualBox SavedState V2.0\n" ZERO4 "\x07\0\x01\0\x06\0\0\0\xac\x8c\x02\0" /* 7.1.6 r167084 */
			       "\x40\x08\x08\0\x02\0\0\0\x01\0\0\0\0\x10\0\0" /* 64 bit, 2 units, checksummed, blocks of 4096 */
			       "\x4e\x98\x91\xf7"                             /* header CRC */
			       "\nUnit\n\0\0\x40\0\0\0\0\0\0\0\xec\x82\xd9\x34\xff\xa1\xfc\xf8" /* offset, running CRC, header CRC */
			       "\x01\0\0\0" ZERO4 FINAL ZERO4 "\x04\0\0\0SSM\0"                 /* version, instance, pass, flags */
			       "\x92\x3b\x0a\0\0\0Build Type\x07\0\0\0release\x07\0\0\0Host OS\x0b\0\0\0linux.amd64" ZERO4 ZERO4
			       "\x91\x0e\x01\0\xef\x64\xda\x1a\x4d\0\0\0\0\0\0\0" /* terminator: CRC, 77 bytes */
			       "\nUnit\n\0\0\xbd\0\0\0\0\0\0\0\xf6\xc4\x5f\x38\x66\x0c\xe9\xf4"
			       "\x01\0\0\0" ZERO4 FINAL ZERO4 "\x04\0\0\0GIM\0"
			       "\x92\x08" ZERO4 ZERO4 "\x91\x0e\x01\0\x91\xa5\x4d\x7f\x1a\0\0\0\0\0\0\0"
			       "\nTheEnd\0\x07\x01\0\0\0\0\0\0\x1d\x12\x22\x27\x7c\xf6\x30\x8a" ZERO4 ZERO4 FINAL ZERO4 ZERO4
			       "\nDir\n\0\0\0\xbc\xe5\x37\xd0\x02\0\0\0"     /* directory CRC, 2 entries */
			       "\x40\0\0\0\0\0\0\0" ZERO4 "\x41\x7a\x40\x08" /* offset, instance, CRC of "SSM" */
			       "\xbd\0\0\0\0\0\0\0" ZERO4 "\x36\x8b\x42\xa3" /* … of "GIM" */
			       "\nFooter\0\x63\x01\0\0\0\0\0\0\x1e\xcf\x33\xc9\x02\0\0\0" ZERO4 "\xbc\xfc\x25\x6c";

static const char ssm_payload[] = "\x0a\0\0\0Build Type\x07\0\0\0release\x07\0\0\0Host OS\x0b\0\0\0linux.amd64" ZERO4 ZERO4;

/* A sink that collects, and refuses what goes beyond its limit. */
struct file {
	struct gim_buffer bytes;
	size_t limit;
};

static int collect(void *user, const void *bytes, size_t size)
{
	struct file *file = user;
	if (file->limit && file->bytes.size + size > file->limit)
		return 1;
	gim_buffer_bytes(&file->bytes, bytes, size);
	return 0;
}

static struct ssm_writer *begin(const struct ssm_write_options *options, struct file *file)
{
	struct ssm_writer *writer = NULL;
	*file = (struct file){.limit = 0};
	assert_int_equal(ssm_writer_new(options, collect, file, &writer, NULL), 0);
	return writer;
}

static void finish(struct ssm_writer *writer)
{
	assert_int_equal(ssm_writer_finish(writer, NULL), 0);
	ssm_writer_free(&writer);
	assert_null(writer);
}

static void put(struct ssm_writer *writer, enum ssm_write_as as, const void *bytes, size_t size)
{
	struct gim_error error = GIM_ERROR_INIT;
	if (ssm_writer_data(writer, as, bytes, size, &error))
		fail_msg("%s", error.text);
}

static void unit(struct ssm_writer *writer, const char *name, uint32_t instance, uint32_t version, uint32_t pass)
{
	assert_int_equal(ssm_writer_unit(writer, name, instance, version, pass, NULL), 0);
}

/* SSM and a GIM unit of that payload. */
static void write_two(const struct ssm_write_options *options, const void *payload, size_t size, struct file *file)
{
	struct ssm_writer *writer = begin(options, file);
	unit(writer, "SSM", 0, 1, GIM_PASS_FINAL);
	put(writer, SSM_WRITE_AUTO, ssm_payload, sizeof(ssm_payload) - 1);
	unit(writer, "GIM", 0, 1, GIM_PASS_FINAL);
	put(writer, SSM_WRITE_AUTO, payload, size);
	finish(writer);
}

static void report(void *user, const struct gim_finding *finding)
{
	(void)user;
	print_error("%s at 0x%llx: %s\n", finding->rule->id, (unsigned long long)finding->offset, finding->text);
}

static void assert_sound(const struct file *file)
{
	assert_int_equal(gim_verify_memory(file->bytes.bytes, file->bytes.size, NULL, report, NULL, NULL), 0);
}

static void assert_payload(const struct file *file, const char *name, uint32_t instance, uint32_t pass, const void *bytes, size_t size)
{
	struct gim_state *state = NULL;
	struct gim_unit found = {.name = ""};
	struct file payload = {.limit = 0};
	assert_int_equal(gim_state_open_memory(file->bytes.bytes, file->bytes.size, &state, NULL), 0);
	assert_int_equal(gim_unit_find(state, name, instance, pass, &found, NULL), 0);
	assert_int_equal(gim_unit_read(state, &found, collect, &payload, NULL), 0);
	assert_int_equal(payload.bytes.size, size);
	if (size)
		assert_memory_equal(payload.bytes.bytes, bytes, size);
	gim_buffer_free(&payload.bytes);
	gim_state_free(&state);
}

static void smallest_file(void **unused)
{
	struct file file;
	(void)unused;
	write_two(&checksummed, ZERO4 ZERO4, 8, &file);
	assert_int_equal(sizeof(smallest) - 1, 387);
	assert_int_equal(file.bytes.size, 387);
	assert_memory_equal(file.bytes.bytes, smallest, 387);
	assert_sound(&file);
	gim_buffer_free(&file.bytes);
}

/* Only the checksums of structures stay: at the same places everything else is the same. */
static void smallest_file_unchecked(void **unused)
{
	static const struct {
		size_t offset, size;
		bool zero;
	} differ[] = {
	    {0x34, 1, true},  {0x3c, 4, false}, {0x50, 4, true},  {0x54, 4, false},  {0xaf, 6, true},  {0xcd, 4, true},
	    {0xd1, 4, false}, {0xf9, 6, true},  {0x117, 4, true}, {0x11b, 4, false}, {0x173, 4, true}, {0x17f, 4, false},
	};
	uint8_t expected[387];
	struct file file;
	(void)unused;
	write_two(&unchecked, ZERO4 ZERO4, 8, &file);
	assert_int_equal(file.bytes.size, sizeof(expected));
	memcpy(expected, smallest, sizeof(expected));
	for (size_t i = 0; i < sizeof(differ) / sizeof(differ[0]); i++) {
		const uint8_t *at = file.bytes.bytes + differ[i].offset;
		assert_memory_not_equal(at, expected + differ[i].offset, differ[i].size);
		memset(expected + differ[i].offset, 0, differ[i].size);
		if (!differ[i].zero)
			memcpy(expected + differ[i].offset, at, differ[i].size);
	}
	assert_memory_equal(file.bytes.bytes, expected, sizeof(expected));
	assert_sound(&file);
	gim_buffer_free(&file.bytes);
}

/* Where things are in files with a HyperV blob 4 and a KVM blob, one vCPU each. */
static void known_places(void **unused)
{
	static const uint8_t payload[323] = {2, 0, 0, 0, 0, 0, 0, 0, 4};
	struct file file;
	(void)unused;
	write_two(&checksummed, payload, 323, &file);
	assert_int_equal(file.bytes.size, 703);
	assert_memory_equal(file.bytes.bytes + 0xed, "\x92\xc5\x83\x02", 4);
	assert_memory_equal(file.bytes.bytes + 0x233, "\x91\x0e", 2);
	assert_memory_equal(file.bytes.bytes + 0x233 + 8, "\x56\x01", 2);
	assert_memory_equal(file.bytes.bytes + 0x243, "\nTheEnd", 8);
	assert_memory_equal(file.bytes.bytes + 0x26f, "\nDir\n", 6);
	assert_memory_equal(file.bytes.bytes + 0x29f, "\nFooter", 8);
	gim_buffer_free(&file.bytes);

	write_two(&checksummed, payload, 61, &file);
	assert_int_equal(file.bytes.size, 440);
	assert_memory_equal(file.bytes.bytes + 0xed, "\x92\x3d", 2);
	assert_memory_equal(file.bytes.bytes + 0x12c + 8, "\x4f", 2);
	assert_memory_equal(file.bytes.bytes + 0x198, "\nFooter", 8);
	gim_buffer_free(&file.bytes);
}

/* Sizes take the shortest form of UTF-8 stretched to 31 bits. */
static void record_sizes(void **unused)
{
	static const struct {
		size_t size;
		const char *form;
	} rows[] = {
	    {0, "\x00"},
	    {0x7f, "\x7f"},
	    {0x80, "\xc2\x80"},
	    {0x7ff, "\xdf\xbf"},
	    {0x800, "\xe0\xa0\x80"},
	    {0x1000, "\xe1\x80\x80"},
	    {0xffff, "\xef\xbf\xbf"},
	    {0x10000, "\xf0\x90\x80\x80"},
	    {0x1fffff, "\xf7\xbf\xbf\xbf"},
	    {0x200000, "\xf8\x88\x80\x80\x80"},
	    {0x3ffffff, "\xfb\xbf\xbf\xbf\xbf"},
	    {0x4000000, "\xfc\x84\x80\x80\x80\x80"},
	};
	uint8_t *bytes = calloc(1, 0x4000000);
	(void)unused;
	assert_non_null(bytes);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct file file;
		struct ssm_writer *writer = begin(&checksummed, &file);
		unit(writer, "x", 0, 1, GIM_PASS_FINAL);
		put(writer, SSM_WRITE_RAW, bytes, rows[i].size);
		finish(writer);
		const size_t form = rows[i].size ? strlen(rows[i].form) : 1;
		const uint8_t *record = file.bytes.bytes + 64 + 44 + 2;
		assert_int_equal(record[0], 0x92);
		assert_memory_equal(record + 1, rows[i].form, form);
		assert_memory_equal(record + 1 + form + rows[i].size, "\x91\x0e\x01", 4);
		assert_sound(&file);
		gim_buffer_free(&file.bytes);
	}
	free(bytes);
}

static void fill_noise(uint8_t *bytes, size_t size)
{
	uint32_t state = 1;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)((state = state * 1664525 + 1013904223) >> 24);
}

/* AUTO stores as VirtualBox does: small puts together, full blocks by their content, a tail raw. */
static void automatic_records(void **unused)
{
	static uint8_t noise[4 * BLOCK], payload[8 * BLOCK];
	size_t size = 0;
	struct file file;
	struct ssm_writer *writer = begin(&checksummed, &file);
	(void)unused;
	fill_noise(noise, sizeof(noise));
	unit(writer, "data", 3, 1, GIM_PASS_FINAL);
	/* Nine puts of 512 bytes: eight fill a record, the ninth begins another, which the big put ends. */
	for (unsigned i = 0; i < 9; i++, size += 512) {
		memset(payload + size, (int)i, 512);
		put(writer, SSM_WRITE_AUTO, payload + size, 512);
	}
	memcpy(payload + size, noise, BLOCK);
	memset(payload + size + BLOCK, 0, BLOCK);
	memset(payload + size + 2 * BLOCK, 7, BLOCK);
	memcpy(payload + size + 3 * BLOCK, noise, 100);
	put(writer, SSM_WRITE_AUTO, payload + size, 3 * BLOCK + 100);
	size += 3 * BLOCK + 100;
	finish(writer);

	const uint8_t *at = file.bytes.bytes + 64 + 44 + 5;
	assert_memory_equal(at, "\x92\xe1\x80\x80", 4);
	at += 4 + BLOCK;
	assert_memory_equal(at, "\x92\xc8\x80", 3);
	at += 3 + 512;
	assert_memory_equal(at, "\x92\xe1\x80\x80", 4);
	at += 4 + BLOCK;
	assert_memory_equal(at, "\x94\x01\x04", 3);
	at += 3;
	assert_int_equal(at[0], 0x93);
	assert_int_equal(at[1] & 0x80, 0); /* sevens pack to few bytes */
	assert_int_equal(at[2], 4);
	at += 2 + at[1];
	assert_memory_equal(at, "\x92\x64", 2);
	at += 2 + 100;
	assert_memory_equal(at, "\x91\x0e", 2);
	assert_payload(&file, "data", 3, GIM_PASS_FINAL, payload, size);
	assert_sound(&file);
	gim_buffer_free(&file.bytes);
}

static void packed_records(void **unused)
{
	static uint8_t noise[BLOCK], payload[3 * 10 * 1024];
	size_t size = 0;
	struct file file;
	struct ssm_writer *writer = begin(&checksummed, &file);
	(void)unused;
	fill_noise(noise, sizeof(noise));
	unit(writer, "x", 0, 1, GIM_PASS_FINAL);
	put(writer, SSM_WRITE_ZERO, NULL, 0);
	for (size_t kib = 1; kib <= 4; kib++) {
		memset(payload + size, (int)('a' + kib), 1024 * kib);
		put(writer, SSM_WRITE_LZF, payload + size, 1024 * kib);
		size += 1024 * kib;
		put(writer, SSM_WRITE_ZERO, NULL, 1024 * kib);
		memset(payload + size, 0, 1024 * kib);
		size += 1024 * kib;
	}
	assert_int_equal(ssm_writer_data(writer, SSM_WRITE_LZF, noise, BLOCK, NULL), GIM_E_VALUE);
	assert_int_equal(ssm_writer_data(writer, SSM_WRITE_LZF, payload, 1000, NULL), GIM_E_VALUE);
	assert_int_equal(ssm_writer_data(writer, SSM_WRITE_LZF, payload, 0, NULL), GIM_E_VALUE);
	assert_int_equal(ssm_writer_data(writer, SSM_WRITE_ZERO, NULL, 5 * 1024, NULL), GIM_E_VALUE);
	assert_int_equal(ssm_writer_data(writer, SSM_WRITE_RAW, NULL, 0x80000000u, NULL), GIM_E_VALUE);
	finish(writer);
	assert_payload(&file, "x", 0, GIM_PASS_FINAL, payload, size);
	assert_sound(&file);
	gim_buffer_free(&file.bytes);
}

/* The directory lists final-pass units in their order, and nothing else. */
static void live_passes_are_not_listed(void **unused)
{
	struct file file;
	struct ssm_writer *writer = begin(&live, &file);
	(void)unused;
	unit(writer, "SSM", 0, 1, 0);
	put(writer, SSM_WRITE_AUTO, ssm_payload, sizeof(ssm_payload) - 1);
	unit(writer, "SSMLiveControl", 0, 1, 0);
	put(writer, SSM_WRITE_AUTO, "\x10\x27", 2);
	unit(writer, "SSM", 0, 1, GIM_PASS_FINAL);
	put(writer, SSM_WRITE_AUTO, ssm_payload, sizeof(ssm_payload) - 1);
	unit(writer, "SSMLiveControl", 0, 1, GIM_PASS_FINAL);
	put(writer, SSM_WRITE_AUTO, "\x10\x27", 2);
	unit(writer, "b", 1, 1, GIM_PASS_FINAL);
	unit(writer, "a", 2, 1, GIM_PASS_FINAL);
	put(writer, SSM_WRITE_AUTO, "abc", 3);
	finish(writer);

	struct gim_cursor directory = {.bytes = file.bytes.bytes, .size = file.bytes.size, .position = file.bytes.size - 32 - 16 * 3 - 16};
	assert_memory_equal(gim_cursor_bytes(&directory, 8), "\nDir\n\0\0", 8);
	gim_cursor_u32(&directory);
	assert_int_equal(gim_cursor_u32(&directory), 3);
	static const struct {
		const char *name;
		uint32_t instance;
	} order[] = {{"SSM", 0}, {"b", 1}, {"a", 2}};
	for (size_t i = 0; i < 3; i++) {
		const uint64_t offset = gim_cursor_u64(&directory);
		assert_string_equal((const char *)file.bytes.bytes + offset + 44, order[i].name);
		assert_memory_equal(file.bytes.bytes + offset + 32, FINAL, 4);
		assert_int_equal(gim_cursor_u32(&directory), order[i].instance);
		gim_cursor_u32(&directory);
	}
	assert_payload(&file, "SSM", 0, 0, ssm_payload, sizeof(ssm_payload) - 1);
	assert_payload(&file, "a", 2, GIM_PASS_FINAL, "abc", 3);
	assert_payload(&file, "b", 1, GIM_PASS_FINAL, "", 0);
	assert_sound(&file);
	gim_buffer_free(&file.bytes);
}

static void misuse_is_refused(void **unused)
{
	char name[49];
	struct file file;
	struct ssm_writer *writer = begin(&checksummed, &file);
	(void)unused;
	memset(name, 'n', sizeof(name));
	name[48] = 0;
	assert_int_equal(ssm_writer_data(writer, SSM_WRITE_AUTO, "x", 1, NULL), GIM_E_ARGUMENT);
	assert_int_equal(ssm_writer_unit(writer, "", 0, 1, GIM_PASS_FINAL, NULL), GIM_E_ARGUMENT);
	assert_int_equal(ssm_writer_unit(writer, name, 0, 1, GIM_PASS_FINAL, NULL), GIM_E_ARGUMENT);
	name[47] = 0;
	unit(writer, name, 0, 1, GIM_PASS_FINAL);
	put(writer, SSM_WRITE_AUTO, "x", 1);
	assert_int_equal(ssm_writer_finish(writer, NULL), 0);
	assert_int_equal(ssm_writer_finish(writer, NULL), GIM_E_ARGUMENT);
	assert_int_equal(ssm_writer_unit(writer, "y", 0, 1, GIM_PASS_FINAL, NULL), GIM_E_ARGUMENT);
	ssm_writer_free(&writer);
	ssm_writer_free(&writer);
	ssm_writer_free(NULL);
	assert_payload(&file, name, 0, GIM_PASS_FINAL, "x", 1);
	assert_sound(&file);
	gim_buffer_free(&file.bytes);
}

/* Wherever the output stops to take bytes, the writer says so and leaks nothing. */
static void a_full_output(void **unused)
{
	(void)unused;
	for (size_t limit = 1; limit < 387; limit++) {
		struct file file = {.limit = limit};
		struct ssm_writer *writer = NULL;
		struct gim_error error = GIM_ERROR_INIT;
		int result = ssm_writer_new(&checksummed, collect, &file, &writer, &error);
		if (!result)
			result = ssm_writer_unit(writer, "SSM", 0, 1, GIM_PASS_FINAL, &error);
		if (!result)
			result = ssm_writer_data(writer, SSM_WRITE_AUTO, ssm_payload, sizeof(ssm_payload) - 1, &error);
		if (!result)
			result = ssm_writer_unit(writer, "GIM", 0, 1, GIM_PASS_FINAL, &error);
		if (!result)
			result = ssm_writer_data(writer, SSM_WRITE_AUTO, ZERO4 ZERO4, 8, &error);
		if (!result)
			result = ssm_writer_finish(writer, &error);
		assert_int_equal(result, GIM_E_STOPPED);
		assert_int_equal(error.code, GIM_E_STOPPED);
		ssm_writer_free(&writer);
		gim_buffer_free(&file.bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(smallest_file),
	    cmocka_unit_test(smallest_file_unchecked),
	    cmocka_unit_test(known_places),
	    cmocka_unit_test(record_sizes),
	    cmocka_unit_test(automatic_records),
	    cmocka_unit_test(packed_records),
	    cmocka_unit_test(live_passes_are_not_listed),
	    cmocka_unit_test(misuse_is_refused),
	    cmocka_unit_test(a_full_output),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
