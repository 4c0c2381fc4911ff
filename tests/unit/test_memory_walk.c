/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests going through guest memory by several threads, and writing it. */
#include "bytes.h"
#include "vbox_memory.h"

#include <sys/stat.h>

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
				const uint64_t offset = gim_load(bytes + header + 8, 8), address = gim_load(bytes + header + 24, 8),
					       length = gim_load(bytes + header + 32, 8);
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

/* A large file, which is written past the page cache where that can be done: bytes that are no whole blocks get there all the same, and what is between is a hole. */
static void placing(void **test)
{
	enum { SIZE = 32 << 20, LAST = SIZE - 3 };
	(void)test;
	char path[] = "/tmp/gimstate-places-XXXXXX";
	const int fd = mkstemp(path);
	struct gim_output *output = NULL;
	struct stat status;
	size_t size;
	uint8_t *block = aligned_alloc(PGM_PAGE, 2 * PGM_PAGE);
	assert_non_null(block);
	memset(block, 0x11, 2 * PGM_PAGE);
	assert_int_equal(gim_output_new(path, true, &output, NULL), 0);
	assert_int_equal(gim_output_write_at(output, 1, "ahead", 5, NULL), 0);
	assert_int_equal(gim_output_resize(output, SIZE, NULL), 0);
	assert_int_equal(gim_output_write_at(output, MIB, block, 2 * PGM_PAGE, NULL), 0);
	assert_int_equal(gim_output_write_at(output, 2 * MIB + 7, block + 1, 100, NULL), 0);
	assert_int_equal(gim_output_write_at(output, 4 * MIB, block, 2 * PGM_PAGE, NULL), 0);
	assert_int_equal(gim_output_write_at(output, LAST, "end", 3, NULL), 0);
	assert_int_equal(gim_output_commit(&output, NULL), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_true((uint64_t)status.st_blocks * 512 < MIB);
	uint8_t *bytes = read_whole(path, &size);
	assert_int_equal(size, SIZE);
	assert_memory_equal(bytes, "\0ahead\0", 7);
	assert_memory_equal(bytes + MIB, block, 2 * PGM_PAGE);
	assert_memory_equal(bytes + 2 * MIB + 7, block, 100);
	assert_memory_equal(bytes + 4 * MIB, block, 2 * PGM_PAGE);
	assert_memory_equal(bytes + LAST, "end", 3);
	unsigned others = 0;
	for (size_t i = 0; i < size; i++)
		others += bytes[i] != 0;
	assert_int_equal(others, 5 + 4 * PGM_PAGE + 100 + 3);
	free(bytes);
	free(block);
	(void)close(fd);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(walking),
	    cmocka_unit_test(damaged_page),
	    cmocka_unit_test(exporting),
	    cmocka_unit_test(placing),
	};
	return cmocka_run_group_tests_name("going through memory", tests, NULL, NULL);
}
