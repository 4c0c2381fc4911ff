/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verify finds every truncation and every flipped bit, says each damaged place once and where it is, and goes on behind it. */
#include "../sparse.h"
#include "gimstate.h"
#include "state.h"
#include "vbox/crc.h"
#include "vbox/ssm_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SAMPLE_MAX = 8192, LARGE_RECORD = 1 << 20, LARGE_RECORDS = 24 };

struct heard {
	unsigned errors, warnings, with_offset;
	char said[512];  /* "RULE unit, " of each */
	uint64_t offset; /* of the last */
};

static void hear(void *user, const struct gim_finding *finding)
{
	struct heard *heard = (struct heard *)user;
	const size_t used = strlen(heard->said);
	heard->errors += finding->rule->severity == GIM_ERROR;
	heard->warnings += finding->rule->severity == GIM_WARNING;
	heard->with_offset += finding->offset != GIM_UNKNOWN;
	heard->offset = finding->offset;
	(void)snprintf(heard->said + used, sizeof(heard->said) - used, "%s %s, ", finding->rule->id, finding->unit ? finding->unit : "-");
}

static int verify(const uint8_t *bytes, size_t size, struct heard *heard)
{
	*heard = (struct heard){.errors = 0};
	return gim_verify_memory(bytes, size, NULL, hear, heard, NULL);
}

static size_t load(const char *path, uint8_t *bytes)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	const size_t size = fread(bytes, 1, SAMPLE_MAX, file);
	assert_true(size && size < SAMPLE_MAX);
	(void)fclose(file);
	return size;
}

/* Errors, each with its offset. */
static void assert_refused(const uint8_t *bytes, size_t size, const char *what, size_t at)
{
	struct heard heard;
	/* Exactly as much memory as there are bytes, for the sanitizer. */
	uint8_t *exact = malloc(size ? size : 1);
	assert_non_null(exact);
	if (size)
		memcpy(exact, bytes, size);
	const int result = verify(exact, size, &heard);
	if (result != 1 || !heard.errors || heard.with_offset != heard.errors + heard.warnings)
		fail_msg("%s %zu: result %d, %u errors, said %s", what, at, result, heard.errors, heard.said);
	free(exact);
}

static const char *const checksummed[] = {"samples/hyperv-4.sav", "samples/hyperv-1.sav", "samples/kvm-live.sav", "samples/minimal.sav"};

static void every_truncation(void **unused)
{
	(void)unused;
	const size_t step = sparse();
	for (size_t i = 0; i < sizeof(checksummed) / sizeof(checksummed[0]); i++) {
		uint8_t bytes[SAMPLE_MAX];
		const size_t size = load(checksummed[i], bytes);
		for (size_t cut = 0; cut < size; cut += step)
			assert_refused(bytes, cut, checksummed[i], cut);
	}
}

static void every_bit(void **unused)
{
	(void)unused;
	const size_t step = sparse();
	for (size_t i = 0; i < sizeof(checksummed) / sizeof(checksummed[0]); i++) {
		uint8_t bytes[SAMPLE_MAX];
		const size_t size = load(checksummed[i], bytes);
		for (size_t bit = 0; bit < size * 8; bit += step) {
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_refused(bytes, size, checksummed[i], bit);
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

static const struct ssm_write_options options = {
    .major = 7, .minor = 2, .build = 4, .revision = 170995, .host_bits = 64, .address_bytes = 8, .pointer_bytes = 8, .checksummed = true};

/* Three units of memory with LZF and zero records, 24 MiB of raw ones in the second. */
static void write_large(struct gim_buffer *file)
{
	static uint8_t record[LARGE_RECORD], block[4096];
	struct ssm_writer *writer = NULL;
	for (size_t i = 0; i < sizeof(record); i++)
		record[i] = (uint8_t)(i * 2654435761u >> 13);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i / 64);
	*file = (struct gim_buffer){.bytes = NULL};
	assert_int_equal(ssm_writer_new(&options, collect, file, &writer, NULL), 0);
	for (uint32_t unit = 0; unit < 3; unit++) {
		assert_int_equal(ssm_writer_unit(writer, "memory", unit, 1, GIM_PASS_FINAL, NULL), 0);
		assert_int_equal(ssm_writer_data(writer, SSM_WRITE_LZF, block, sizeof(block), NULL), 0);
		assert_int_equal(ssm_writer_data(writer, SSM_WRITE_ZERO, NULL, 4096, NULL), 0);
		for (unsigned i = 0; unit == 1 && i < LARGE_RECORDS; i++)
			assert_int_equal(ssm_writer_data(writer, SSM_WRITE_RAW, record, sizeof(record), NULL), 0);
		assert_int_equal(ssm_writer_data(writer, SSM_WRITE_RAW, block, 100, NULL), 0);
	}
	assert_int_equal(ssm_writer_finish(writer, NULL), 0);
	ssm_writer_free(&writer);
}

static size_t find(const struct gim_buffer *file, const char *bytes, size_t size, size_t from)
{
	const uint8_t *at = memmem(file->bytes + from, file->size - from, bytes, size);
	assert_non_null(at);
	return (size_t)(at - file->bytes);
}

/* One damaged place is one finding, and two are two. */
static void each_place_once(void **unused)
{
	struct gim_buffer file;
	struct heard heard;
	(void)unused;
	write_large(&file);
	assert_int_equal(verify(file.bytes, file.size, &heard), 0);
	assert_string_equal(heard.said, "");

	const size_t second = find(&file, "\nUnit\n\0", 8, 100), third = find(&file, "\nUnit\n\0", 8, second + 8);
	file.bytes[second + 100000] ^= 1;
	assert_int_equal(verify(file.bytes, file.size, &heard), 1);
	assert_string_equal(heard.said, "SSM-TERMINATOR-CRC memory/1, ");
	assert_true(heard.offset > second && heard.offset < third);

	file.bytes[third + 44] ^= 1; /* its name */
	assert_int_equal(verify(file.bytes, file.size, &heard), 1);
	assert_string_equal(heard.said, "SSM-TERMINATOR-CRC memory/1, SSM-UNIT-CRC -, ");

	file.bytes[70] ^= 1; /* the first unit's header */
	assert_int_equal(verify(file.bytes, file.size, &heard), 1);
	assert_string_equal(heard.said, "SSM-UNIT-MAGIC -, SSM-TERMINATOR-CRC memory/1, SSM-UNIT-CRC -, ");
	gim_buffer_free(&file);
}

/* A directory that disagrees with a stream that is whole is a warning, since VirtualBox loads it. */
static void directory_that_disagrees(void **unused)
{
	uint8_t bytes[SAMPLE_MAX];
	struct heard heard;
	(void)unused;
	const size_t size = load("samples/hyperv-4-unchecked.sav", bytes);
	struct gim_buffer file = {.bytes = bytes, .size = size};
	const size_t directory = find(&file, "\nDir\n\0\0", 8, 0);
	bytes[directory + 16 + 8] ^= 1; /* the first entry's instance */
	/* Undo what that does to the directory's CRC: not to be checked here. */
	assert_int_equal(verify(bytes, size, &heard), 1);
	assert_string_equal(heard.said, "SSM-DIRECTORY-CRC -, SSM-DIRECTORY-ENTRY -, ");
	assert_int_equal(heard.warnings, 1);
}

struct progress {
	unsigned calls, stop_at, starts;
	uint64_t last;
};

static int step(void *user, uint64_t done, uint64_t total)
{
	struct progress *progress = (struct progress *)user;
	assert_true(total > LARGE_RECORDS * LARGE_RECORD);
	progress->starts += done <= progress->last || !progress->calls;
	progress->last = done;
	return ++progress->calls == progress->stop_at;
}

/* The same with any number of threads, from a file and from a pipe; it can be watched and stopped. */
static void threads_and_progress(void **unused)
{
	char path[] = "/tmp/gimstate-verify-XXXXXX";
	struct gim_buffer file;
	(void)unused;
	write_large(&file);
	file.bytes[file.size - 400] ^= 1; /* in the last unit */
	const int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, file.bytes, file.size), (ssize_t)file.size);
	(void)close(fd);
	for (unsigned threads = 1; threads <= 4; threads++) {
		struct progress progress = {.calls = 0};
		struct heard heard = {.errors = 0};
		struct gim_verify_options how = {.threads = threads, .progress = step, .progress_user = &progress};
		assert_int_equal(gim_verify(path, &how, hear, &heard, NULL), 1);
		assert_string_equal(heard.said, "SSM-TERMINATOR-CRC memory/2, ");
		assert_true(progress.calls > 5);
		assert_int_equal(progress.starts, 2); /* a damaged file is gone through twice */
		progress = (struct progress){.stop_at = 3};
		assert_int_equal(gim_verify(path, &how, hear, &heard, NULL), GIM_E_STOPPED);
		assert_int_equal(progress.calls, 3);
	}
	(void)unlink(path);
	gim_buffer_free(&file);
}

/* A hostile file may be wrong in more places than anybody wants to read. */
static void many_findings(void **unused)
{
	struct gim_buffer file = {.bytes = NULL};
	struct ssm_writer *writer = NULL;
	struct heard heard;
	(void)unused;
	assert_int_equal(ssm_writer_new(&options, collect, &file, &writer, NULL), 0);
	for (uint32_t unit = 0; unit < 3000; unit++)
		assert_int_equal(ssm_writer_unit(writer, "x", unit, 1, GIM_PASS_FINAL, NULL), 0);
	assert_int_equal(ssm_writer_finish(writer, NULL), 0);
	ssm_writer_free(&writer);
	for (size_t at = 64; (at = find(&file, "\nUnit\n\0", 8, at)) && at < 180000; at += 8)
		file.bytes[at + 24] ^= 1;
	assert_int_equal(verify(file.bytes, file.size, &heard), 1);
	assert_int_equal(heard.errors, 1001);
	gim_buffer_free(&file);
}

/* A unit whose name begins with its end is walked over like any other: it once sent the walk back to the start, for ever. */
static void unit_with_an_empty_name(void **unused)
{
	static const uint8_t zeros[4];
	struct ssm_write_options plain = options;
	struct gim_buffer file = {.bytes = NULL};
	struct ssm_writer *writer = NULL;
	struct gim_state *state = NULL;
	struct gim_unit unit = {.offset = 0};
	unsigned count = 0;
	(void)unused;
	plain.checksummed = false;
	assert_int_equal(ssm_writer_new(&plain, collect, &file, &writer, NULL), 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(ssm_writer_unit(writer, "abc", i, 1, GIM_PASS_FINAL, NULL), 0);
	assert_int_equal(ssm_writer_finish(writer, NULL), 0);
	ssm_writer_free(&writer);
	const size_t second = find(&file, "\nUnit\n\0", 8, 72), whole = 44 + 4;
	file.bytes[second + 44] = 0;
	memcpy(file.bytes + second + 20, zeros, 4);
	gim_buffer_patch(&file, second + 20, gim_crc32(0, file.bytes + second, whole), 4);
	assert_int_equal(gim_state_open_memory(file.bytes, file.size, &state, NULL), 0);
	while (count < 10 && gim_unit_next(state, &unit, NULL) == 1)
		count++;
	assert_int_equal(count, 3);
	gim_state_free(&state);
	gim_buffer_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_truncation),        cmocka_unit_test(every_bit),
	    cmocka_unit_test(each_place_once),         cmocka_unit_test(directory_that_disagrees),
	    cmocka_unit_test(threads_and_progress),    cmocka_unit_test(many_findings),
	    cmocka_unit_test(unit_with_an_empty_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
