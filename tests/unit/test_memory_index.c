/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The index of guest memory as a file: by it the same bytes are read as by the records, and one of another state, a damaged or a hostile one leads nowhere. */
#include "../pgm.h"
#include "gimstate.h"
#include "vbox/ssm_write.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

enum { PAGE = 4096, INDEX_MAX = 1 << 20, MUTATIONS = 3000, HEAD_BYTES = 12, IDENTITY_BYTES = 36 };

struct index {
	uint8_t bytes[INDEX_MAX];
	size_t size;
};

/*
 * States.
 */
static void put_big(struct gim_buffer *to, unsigned width, uint64_t number)
{
	while (width--)
		gim_buffer_number(to, number >> 8 * width & 0xff, 1);
}

static void put_name(struct gim_buffer *to, const char *name)
{
	put_big(to, 1, strlen(name));
	gim_buffer_bytes(to, name, strlen(name));
}

/* A migration stream with a page in each encoding that its streams have, and pages that were changed twice. */
static void make_stream(struct gim_buffer *to)
{
	enum { ZERO = 2, SIZES = 4, RAW = 8, EOS = 0x10, XBZRLE = 0x40, ZLIB = 0x100 };
	uint8_t page[PAGE], packed[PAGE];
	uLongf size = sizeof(packed);
	gim_buffer_bytes(to, "QEVM\0\0\0\3\7\0\0\0\2pc\1\0\0\0\2", 20);
	put_name(to, "ram");
	put_big(to, 4, 0);
	put_big(to, 4, 4);
	put_big(to, 8, 0x100000 | SIZES);
	put_name(to, "pc.ram");
	put_big(to, 8, 0x100000);
	put_big(to, 8, EOS);
	gim_buffer_bytes(to, "\x7e\0\0\0\2\3\0\0\0\2", 10);
	memset(page, 'A', sizeof(page));
	put_big(to, 8, 0x1000 | RAW);
	put_name(to, "pc.ram");
	gim_buffer_bytes(to, page, PAGE);
	assert_int_equal(compress(packed, &size, page, PAGE), Z_OK);
	put_big(to, 8, 0x2000 | ZLIB);
	put_name(to, "pc.ram");
	put_big(to, 4, size);
	gim_buffer_bytes(to, packed, size);
	put_big(to, 8, 0x4000 | ZERO);
	put_name(to, "pc.ram");
	put_big(to, 1, 0);
	for (unsigned i = 0; i < 9; i++) {
		put_big(to, 8, (uint64_t)(1 + i % 3 + i % 3 / 2) * 0x1000 | XBZRLE);
		put_name(to, "pc.ram");
		put_big(to, 1, 1);
		put_big(to, 2, 4);
		put_big(to, 1, i);
		gim_buffer_bytes(to, "\2xy", 3);
	}
	put_big(to, 8, EOS);
	gim_buffer_bytes(to, "\x7e\0\0\0\2\0", 6);
}

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

/* A saved state whose pages lie across records. */
static void make_odd(struct gim_buffer *to)
{
	enum { STEP = 700, PAGES = 9 };
	static const struct ssm_write_options options = {7, 2, 22, 175245, 64, 8, 8, false, false, 1};
	struct ssm_writer *writer = NULL;
	struct gim_buffer payload = {.bytes = NULL};
	uint8_t page[PAGE];
	pgm_head(&payload, 14, 1);
	pgm_config(&payload, 14, 0x200000, 0x20000000, NULL, NULL);
	for (unsigned i = 0; i < PAGES; i++) {
		for (unsigned b = 0; b < PAGE; b++)
			page[b] = (uint8_t)(b / (i + 1));
		pgm_ram(&payload, PGM_RAM | (i ? 0 : PGM_ADDRESS), 0x1000, page);
	}
	gim_buffer_number(&payload, PGM_END, 1);
	assert_int_equal(ssm_writer_new(&options, collect, to, &writer, NULL), 0);
	assert_int_equal(ssm_writer_unit(writer, "pgm", 1, 14, GIM_PASS_FINAL, NULL), 0);
	for (size_t at = 0; at < payload.size; at += STEP)
		assert_int_equal(
		    ssm_writer_data(writer, SSM_WRITE_AUTO, payload.bytes + at, payload.size - at < STEP ? payload.size - at : STEP, NULL),
		    0);
	assert_int_equal(ssm_writer_finish(writer, NULL), 0);
	ssm_writer_free(&writer);
	gim_buffer_free(&payload);
}

static const struct {
	const char *path; /* NULL: */
	void (*make)(struct gim_buffer *to);
} states[] = {
    {"samples/kvm-ram.sav", NULL}, {"samples/hyperv-ram.sav", NULL}, {"samples/qemu-kvm.mig", NULL}, {NULL, make_odd}, {NULL, make_stream}};
enum { STATES = sizeof(states) / sizeof(states[0]) };

struct opened {
	struct gim_buffer bytes;
	struct gim_state *state;
	struct gim_memory *memory;
};

static void open_state(struct opened *opened, size_t which)
{
	struct gim_error error = GIM_ERROR_INIT;
	*opened = (struct opened){.state = NULL};
	if (states[which].make)
		states[which].make(&opened->bytes);
	if (states[which].path ? gim_state_open_settled(states[which].path, &opened->state, &error)
	                       : gim_state_open_memory(opened->bytes.bytes, opened->bytes.size, &opened->state, &error))
		fail_msg("state %zu: %s", which, error.text);
	if (gim_memory_open(opened->state, NULL, &opened->memory, &error))
		fail_msg("state %zu: %s", which, error.text);
}

static void close_state(struct opened *opened)
{
	gim_memory_free(&opened->memory);
	gim_state_free(&opened->state);
	gim_buffer_free(&opened->bytes);
}

/*
 * Indexes.
 */
static int keep(void *user, const void *bytes, size_t size)
{
	struct index *index = user;
	assert_true(size <= INDEX_MAX - index->size);
	memcpy(index->bytes + index->size, bytes, size);
	index->size += size;
	return 0;
}

static struct index *write_index(struct gim_memory *memory)
{
	struct index *index = calloc(1, sizeof(*index));
	struct gim_error error = GIM_ERROR_INIT;
	assert_non_null(index);
	if (gim_memory_index_write(memory, keep, index, &error))
		fail_msg("%s", error.text);
	return index;
}

static void seal(struct index *index)
{
	const uint32_t crc = (uint32_t)crc32(0, index->bytes, (unsigned)(index->size - 4));
	for (unsigned i = 0; i < 4; i++)
		index->bytes[index->size - 4 + i] = (uint8_t)(crc >> 8 * i);
}

static int open_index(struct gim_state *state, const struct index *index, struct gim_memory **memory, struct gim_error *error)
{
	char path[64];
	const int fd = memfd_create("index", MFD_CLOEXEC);
	assert_true(fd >= 0 && write(fd, index->bytes, index->size) == (ssize_t)index->size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*error = (struct gim_error)GIM_ERROR_INIT;
	const int result = gim_memory_open_index(state, path, memory, error);
	assert_true(result ? *error->text && !*memory : !!*memory);
	(void)close(fd);
	return result;
}

/* All that can be read of it; what cannot has a reason. sound: it is what the other holds. */
static void go_through(struct gim_memory *memory, struct gim_memory *sound)
{
	uint8_t page[PAGE], expected[PAGE];
	uint64_t size, same;
	for (uint64_t gpa = 0, pages = 0; gpa < gim_memory_end(memory) && pages < 600; gpa += PAGE, pages++) {
		struct gim_error error = GIM_ERROR_INIT;
		const enum gim_memory_kind kind = gim_memory_at(memory, gpa, &size);
		const int result = gim_memory_read(memory, gpa, page, PAGE, &error);
		assert_true(!result || *error.text);
		if (!sound)
			continue;
		assert_int_equal(kind, gim_memory_at(sound, gpa, &same));
		assert_int_equal(size, same);
		assert_int_equal(result, gim_memory_read(sound, gpa, expected, PAGE, NULL));
		if (!result)
			assert_memory_equal(page, expected, PAGE);
	}
}

static void same_bytes(void **user)
{
	(void)user;
	for (size_t i = 0; i < STATES; i++) {
		struct opened opened;
		struct gim_memory *memory = NULL;
		struct gim_error error;
		open_state(&opened, i);
		struct index *index = write_index(opened.memory);
		if (open_index(opened.state, index, &memory, &error))
			fail_msg("state %zu: %s", i, error.text);
		assert_int_equal(gim_memory_end(memory), gim_memory_end(opened.memory));
		assert_int_equal(gim_memory_ram_bytes(memory), gim_memory_ram_bytes(opened.memory));
		assert_int_equal(gim_memory_index_bytes(memory), gim_memory_index_bytes(opened.memory));
		go_through(memory, opened.memory);
		struct index *again = write_index(memory);
		assert_int_equal(again->size, index->size);
		assert_memory_equal(again->bytes, index->bytes, index->size);
		gim_memory_free(&memory);
		free(again);
		free(index);
		close_state(&opened);
	}
}

static void of_another(void **user)
{
	(void)user;
	for (size_t i = 0; i < STATES; i++) {
		struct opened own, other;
		struct gim_memory *memory = NULL;
		struct gim_error error;
		open_state(&own, i);
		open_state(&other, (i + 1) % STATES);
		struct index *index = write_index(other.memory);
		assert_int_equal(open_index(own.state, index, &memory, &error), GIM_E_VALUE);
		free(index);
		close_state(&own);
		close_state(&other);
	}
}

/* The same name, and the same size: what changed is when it was written, or a byte of it. */
static void changed(void **user)
{
	char path[] = "/tmp/gimstate-index-XXXXXX";
	struct opened sound;
	struct gim_state *state = NULL;
	struct gim_memory *memory = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	const int fd = mkstemp(path);
	(void)user;
	open_state(&sound, STATES - 1);
	assert_true(fd >= 0 && write(fd, sound.bytes.bytes, sound.bytes.size) == (ssize_t)sound.bytes.size);
	assert_int_equal(futimens(fd, (const struct timespec[2]){{1000, 5}, {1000, 5}}), 0);
	assert_int_equal(gim_state_open_settled(path, &state, &error), 0);
	assert_int_equal(gim_memory_open(state, NULL, &memory, &error), 0);
	struct index *index = write_index(memory);
	gim_memory_free(&memory);
	assert_int_equal(open_index(state, index, &memory, &error), 0);
	gim_memory_free(&memory);
	assert_int_equal(futimens(fd, (const struct timespec[2]){{1000, 6}, {1000, 6}}), 0);
	assert_int_equal(open_index(state, index, &memory, &error), GIM_E_VALUE);
	assert_int_equal(pwrite(fd, "B", 1, (off_t)sound.bytes.size / 2), 1);
	assert_int_equal(futimens(fd, (const struct timespec[2]){{1000, 5}, {1000, 5}}), 0);
	assert_int_equal(open_index(state, index, &memory, &error), GIM_E_VALUE);
	gim_state_free(&state);
	(void)close(fd);
	(void)unlink(path);
	free(index);
	close_state(&sound);
}

static void damaged(void **user)
{
	(void)user;
	for (size_t i = 0; i < STATES; i++) {
		struct opened opened;
		struct gim_memory *memory = NULL;
		struct gim_error error;
		open_state(&opened, i);
		struct index *index = write_index(opened.memory);
		const size_t size = index->size;
		for (size_t cut = 0; cut < size; cut += 1 + size / 97) {
			index->size = cut;
			/* What ends within the first 8 bytes does not say what it was to be. */
			assert_int_equal(open_index(opened.state, index, &memory, &error), cut < 8 ? GIM_E_FORMAT : GIM_E_CORRUPT);
		}
		index->size = size + 1;
		assert_int_equal(open_index(opened.state, index, &memory, &error), GIM_E_CORRUPT);
		index->size = size;
		for (size_t at = 0; at < size; at += 1 + size / 499) {
			index->bytes[at] ^= 0x10;
			const int result = open_index(opened.state, index, &memory, &error);
			assert_int_equal(result == GIM_E_FORMAT, at < 8);
			assert_int_not_equal(result, 0);
			index->bytes[at] ^= 0x10;
		}
		index->bytes[8]++;
		seal(index);
		assert_int_equal(open_index(opened.state, index, &memory, &error), GIM_E_VERSION);
		free(index);
		close_state(&opened);
	}
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* The head and the format's own bytes are few, and slabs many: half of all changes are in the former. */
static void mutate(struct index *index, uint64_t *random, bool early)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
	enum { FIRST = HEAD_BYTES + IDENTITY_BYTES, EARLY = 1500 };
	const size_t end = index->size - 4, all = end - FIRST,
		     at = FIRST + (size_t)next_random(random) % (early && all > EARLY ? EARLY : all);
	const size_t length = 1 + (size_t)next_random(random) % 8;
	const bool any = next_random(random) & 1;
	for (size_t i = at; i < at + length && i < end; i++)
		index->bytes[i] = any ? (uint8_t)next_random(random) : values[next_random(random) % sizeof(values)];
}

/* Whoever can write it can make its checksum right: then pages are wrong or fail, and nothing else happens. */
static void hostile(void **user)
{
	uint64_t random = 88172645463325252u;
	struct index *index = malloc(sizeof(*index));
	unsigned taken = 0;
	(void)user;
	assert_non_null(index);
	for (size_t i = 0; i < STATES; i++) {
		struct opened opened;
		struct gim_error error;
		open_state(&opened, i);
		struct index *sound = write_index(opened.memory);
		for (unsigned round = 0; round < MUTATIONS / STATES; round++) {
			struct gim_memory *memory = NULL;
			memcpy(index->bytes, sound->bytes, sound->size);
			index->size = sound->size;
			for (unsigned times = 1 + round % 4; times--;)
				mutate(index, &random, round & 1);
			seal(index);
			if (!open_index(opened.state, index, &memory, &error))
				go_through(memory, NULL);
			taken += !!memory;
			gim_memory_free(&memory);
		}
		free(sound);
		close_state(&opened);
	}
	assert_true(taken > MUTATIONS / 20 && taken < MUTATIONS);
	free(index);
}

static void refused(void **user)
{
	struct opened opened;
	struct gim_memory *memory = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	(void)user;
	open_state(&opened, 0);
	assert_int_equal(gim_memory_open_index(opened.state, "samples/none", &memory, &error), GIM_E_IO);
	error = (struct gim_error)GIM_ERROR_INIT;
	assert_int_equal(gim_memory_open_index(opened.state, "samples/kvm.sav", &memory, &error), GIM_E_FORMAT);
	assert_null(memory);
	close_state(&opened);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(same_bytes), cmocka_unit_test(of_another), cmocka_unit_test(changed),
	    cmocka_unit_test(damaged),    cmocka_unit_test(hostile),    cmocka_unit_test(refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
