/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests the layer of qcow2 images with images made here: clusters of every kind and size, the choice of a snapshot, what is refused, and damage in every field. */
#include "cursor.h"
#include "input.h"
#include "layer.h"
#include "packed.h"
#include "state.h"

#include <libdeflate.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* How an image is made. What is 0 is usual. */
struct shape {
	unsigned cluster_bits;
	bool v2, extended, zstd, compressed;
	uint64_t disk_bytes;
	size_t state_bytes;
	unsigned snapshots; /* each with a state of its own */
};

struct made {
	struct gim_buffer file;
	struct shape shape;
	uint8_t *state;       /* what snapshot 0 holds */
	size_t entry, l1, l2; /* of snapshot 0 */
};

static size_t cluster_of(const struct shape *shape)
{
	return (size_t)1 << shape->cluster_bits;
}

static size_t end_cluster(struct made *made)
{
	while (made->file.size & (cluster_of(&made->shape) - 1))
		gim_buffer_number(&made->file, 0, 1);
	return made->file.size;
}

/* A cluster of kind i: data, data that compress well, zeros by their flag, nothing. */
enum kind { DATA, EVEN, ZERO, NONE, KINDS };

static void make_state(struct made *made, unsigned seed)
{
	const size_t cluster = cluster_of(&made->shape);
	uint32_t random = seed + 1;
	for (size_t i = 0; i < made->shape.state_bytes; i++) {
		random = random * 1664525 + 1013904223;
		const enum kind kind = i / cluster % KINDS;
		made->state[i] = kind == DATA ? (uint8_t)(random >> 24) : kind == EVEN ? (uint8_t)(i / 64 + seed) : 0;
	}
}

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

/* The packed bytes of a cluster; 0: they are no fewer. */
static size_t compress(const struct shape *shape, const uint8_t *bytes, uint8_t *packed)
{
	const size_t cluster = cluster_of(shape);
	size_t size;
	if (!shape->zstd) {
		struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
		size = libdeflate_deflate_compress(compressor, bytes, cluster, packed, cluster - 1);
		libdeflate_free_compressor(compressor);
		return size;
	}
	struct gim_buffer buffer = {.bytes = NULL};
	struct gim_packer *packer = NULL;
	assert_int_equal(gim_packer_new(GIM_ARCHIVE_NONE, GIM_FILTER_ZSTD, collect, &buffer, &packer, NULL), 0);
	assert_int_equal(gim_packer_write(packer, bytes, cluster, NULL), 0);
	assert_int_equal(gim_packer_finish(&packer, NULL), 0);
	size = buffer.size < cluster ? buffer.size : 0;
	memcpy(packed, buffer.bytes, size);
	gim_buffer_free(&buffer);
	return size;
}

/* Put a cluster into the file, and give its L2 entry, and its bitmap. */
static void put_cluster(struct made *made, const uint8_t *bytes, enum kind kind, uint64_t entry[2])
{
	const struct shape *shape = &made->shape;
	uint8_t *packed = malloc(cluster_of(shape));
	const size_t size = shape->compressed && kind == EVEN ? compress(shape, bytes, packed) : 0;
	entry[0] = entry[1] = 0;
	if (kind == ZERO && !shape->v2) {
		entry[0] = shape->extended ? 0 : 1;
		entry[1] = UINT64_C(0xffffffff) << 32;
	} else if (size) {
		gim_buffer_number(&made->file, 0, 3); /* it begins in the middle of a sector */
		const uint64_t at = made->file.size, sectors = ((at & 511) + size + 511) / 512;
		gim_buffer_bytes(&made->file, packed, size);
		entry[0] = at | (sectors - 1) << (62 - (shape->cluster_bits - 8)) | UINT64_C(1) << 62;
	} else if (kind != NONE) {
		entry[0] = end_cluster(made) | UINT64_C(1) << 63;
		entry[1] = 0xffffffff;
		gim_buffer_bytes(&made->file, bytes, cluster_of(shape));
	}
	free(packed);
}

/* The state of a snapshot, its L2 tables and its L1 table, whose place it returns. */
static size_t put_snapshot(struct made *made, unsigned number, uint32_t *l1_entries)
{
	const struct shape *shape = &made->shape;
	const unsigned table_bits = shape->cluster_bits - (shape->extended ? 4 : 3), reach = shape->cluster_bits + table_bits;
	const size_t cluster = cluster_of(shape), clusters = (shape->state_bytes + cluster - 1) / cluster;
	const size_t first = (size_t)((shape->disk_bytes + (UINT64_C(1) << reach) - 1) >> reach);
	const size_t tables = (clusters + ((size_t)1 << table_bits) - 1) >> table_bits;
	uint64_t *l1 = calloc(first + tables, sizeof(*l1));
	make_state(made, number);
	for (size_t t = 0; t < tables; t++) {
		struct gim_buffer l2 = {.big = true};
		for (size_t i = 0; i < (size_t)1 << table_bits; i++) {
			const size_t at = (t << table_bits) + i;
			uint64_t entry[2] = {0};
			if (at < clusters)
				put_cluster(made, made->state + at * cluster, at % KINDS, entry);
			gim_buffer_number(&l2, entry[0], 8);
			if (shape->extended)
				gim_buffer_number(&l2, entry[1], 8);
		}
		l1[first + t] = end_cluster(made) | UINT64_C(1) << 63;
		if (!t && !number)
			made->l2 = made->file.size;
		gim_buffer_bytes(&made->file, l2.bytes, l2.size);
		gim_buffer_free(&l2);
	}
	const size_t place = end_cluster(made);
	for (size_t i = 0; i < first + tables; i++)
		gim_buffer_number(&made->file, l1[i], 8);
	*l1_entries = (uint32_t)(first + tables);
	free(l1);
	return place;
}

static void put_entry(struct made *made, unsigned number, uint64_t l1, uint32_t l1_entries)
{
	struct gim_buffer *file = &made->file;
	char id[8], name[16];
	(void)snprintf(id, sizeof(id), "%u", number + 1);
	(void)snprintf(name, sizeof(name), "snap%c", 'A' + number);
	gim_buffer_number(file, l1, 8);
	gim_buffer_number(file, l1_entries, 4);
	gim_buffer_number(file, strlen(id), 2);
	gim_buffer_number(file, strlen(name), 2);
	gim_buffer_number(file, 1700000000, 4);
	gim_buffer_number(file, 5, 4);
	gim_buffer_number(file, 123456789, 8);
	gim_buffer_number(file, (uint32_t)made->shape.state_bytes, 4);
	gim_buffer_number(file, 24, 4);
	gim_buffer_number(file, made->shape.state_bytes, 8);
	gim_buffer_number(file, made->shape.disk_bytes, 8);
	gim_buffer_number(file, UINT64_MAX, 8);
	gim_buffer_bytes(file, id, strlen(id));
	gim_buffer_bytes(file, name, strlen(name));
	while (file->size & 7)
		gim_buffer_number(file, 0, 1);
}

static struct made make(struct shape shape)
{
	struct made made = {.file = {.big = true}};
	size_t l1[4];
	uint32_t entries[4];
	shape.cluster_bits = shape.cluster_bits ? shape.cluster_bits : 12;
	shape.state_bytes = shape.state_bytes ? shape.state_bytes : 10 * ((size_t)1 << shape.cluster_bits) - 100;
	shape.snapshots = shape.snapshots ? shape.snapshots : 1;
	made.shape = shape;
	made.state = calloc(1, shape.state_bytes + cluster_of(&shape));
	struct gim_buffer *file = &made.file;
	gim_buffer_bytes(file, "QFI\373", 4);
	gim_buffer_number(file, shape.v2 ? 2 : 3, 4);
	gim_buffer_number(file, 0, 8);
	gim_buffer_number(file, 0, 4);
	gim_buffer_number(file, shape.cluster_bits, 4);
	gim_buffer_number(file, shape.disk_bytes, 8);
	while (file->size < 60)
		gim_buffer_number(file, 0, 4);
	gim_buffer_number(file, shape.snapshots, 4);
	gim_buffer_number(file, 0, 8);
	gim_buffer_number(file, (shape.zstd ? 8 : 0) | (shape.extended ? 16 : 0), 8);
	while (file->size < 100)
		gim_buffer_number(file, 0, 4);
	gim_buffer_number(file, 112, 4);
	gim_buffer_number(file, shape.zstd, 1);
	(void)end_cluster(&made);
	for (unsigned i = shape.snapshots; i--;)
		l1[i] = put_snapshot(&made, i, &entries[i]);
	made.l1 = l1[0];
	made.entry = end_cluster(&made);
	gim_buffer_patch(file, 64, made.entry, 8);
	for (unsigned i = 0; i < shape.snapshots; i++)
		put_entry(&made, i, l1[i], entries[i]);
	return made;
}

static void drop(struct made *made)
{
	gim_buffer_free(&made->file);
	free(made->state);
}

static int open_part(struct made *made, const char *part, struct gim_input *input, struct gim_error *error)
{
	gim_input_open_memory(input, made->file.bytes, made->file.size);
	return gim_layer_open(input, gim_layer_find(made->file.bytes, made->file.size, false), part, error);
}

static void expect_state(struct made *made, const char *part)
{
	struct gim_input input;
	struct gim_error error = GIM_ERROR_INIT;
	const size_t size = made->shape.state_bytes;
	uint8_t *read = malloc(size + 1);
	size_t got;
	const int result = open_part(made, part, &input, &error);
	if (result)
		print_error("%s\n", error.text);
	assert_int_equal(result, 0);
	assert_true(input.seekable);
	assert_int_equal(input.size, size);
	assert_int_equal(gim_input_read(&input, 0, read, size + 1, &got, &error), 0);
	assert_int_equal(got, size);
	assert_memory_equal(read, made->state, size);
	/* From behind, in pieces that begin anywhere. */
	for (size_t at = size, piece = 1; at >= piece; at -= piece, piece = piece * 3 % 7001 + 1) {
		assert_int_equal(gim_input_read(&input, at - piece, read, piece, &got, &error), 0);
		assert_int_equal(got, piece);
		assert_memory_equal(read, made->state + at - piece, piece);
	}
	assert_int_equal(gim_input_read(&input, UINT64_MAX - 5, read, 100, &got, &error), 0);
	assert_int_equal(got, 0);
	gim_input_close(&input);
	free(read);
}

static void test_shapes(void **user)
{
	static const struct shape shapes[] = {
	    {.cluster_bits = 0},
	    {.v2 = true},
	    {.disk_bytes = 1},
	    {.disk_bytes = UINT64_C(37) << 20},
	    {.compressed = true},
	    {.compressed = true, .zstd = true},
	    {.cluster_bits = 14, .extended = true, .disk_bytes = 5 << 20},
	    {.cluster_bits = 16, .extended = true, .compressed = true},
	    {.cluster_bits = 9, .state_bytes = 100000}, /* several L2 tables */
	    {.cluster_bits = 9, .state_bytes = 100000, .compressed = true},
	    {.cluster_bits = 16, .state_bytes = 1000001, .compressed = true, .zstd = true},
	    {.cluster_bits = 21, .state_bytes = (4 << 20) + 1, .compressed = true},
	    {.state_bytes = 1},
	};
	(void)user;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct made made = make(shapes[i]);
		expect_state(&made, NULL);
		drop(&made);
	}
}

/* Half of a cluster with a bitmap may be data, and the other half zeros. */
static void test_subclusters(void **user)
{
	(void)user;
	struct made made = make((struct shape){.cluster_bits = 14, .extended = true});
	const size_t bitmap = made.l2 + 8, cluster = 1 << 14, part = cluster / 32;
	gim_buffer_patch(&made.file, bitmap, UINT64_C(0xfffffffd) | UINT64_C(2) << 32, 8);
	memset(made.state + part, 0, part);
	expect_state(&made, NULL);
	gim_buffer_patch(&made.file, bitmap, UINT64_C(0x0000ffff), 8);
	memset(made.state + 16 * part, 0, 16 * part);
	gim_buffer_patch(&made.file, bitmap, UINT64_C(0x0000fffd), 8);
	expect_state(&made, NULL);
	drop(&made);
}

static void refuse(struct made *made, const char *part, int code, uint64_t offset, const char *words)
{
	struct gim_input input;
	struct gim_error error = GIM_ERROR_INIT;
	uint8_t bytes[100];
	size_t got;
	int result = open_part(made, part, &input, &error);
	if (!result) {
		result = gim_input_read(&input, 0, bytes, sizeof(bytes), &got, &error);
		gim_input_close(&input);
	}
	assert_int_equal(result, code);
	if (!strstr(error.text, words))
		print_error("%s\n", error.text);
	assert_non_null(strstr(error.text, words));
	assert_int_equal(error.offset, offset);
}

static void test_choice(void **user)
{
	(void)user;
	struct made made = make((struct shape){.snapshots = 3});
	refuse(&made, NULL, GIM_E_ARGUMENT, GIM_UNKNOWN, "3 snapshots of a VM: snapA, snapB, snapC; choose one");
	refuse(&made, "snapD", GIM_E_ARGUMENT, GIM_UNKNOWN, "no snapshot snapD; it has snapA, snapB, snapC");
	expect_state(&made, "snapA");
	expect_state(&made, "1");
	make_state(&made, 1);
	expect_state(&made, "snapB");
	expect_state(&made, "2");
	/* The first is one of the disk alone; then the third is called as the second's id. */
	gim_buffer_patch(&made.file, made.entry + 32, 0, 4);
	gim_buffer_patch(&made.file, made.entry + 40, 0, 8);
	refuse(&made, "snapA", GIM_E_ARGUMENT, GIM_UNKNOWN, "disk alone");
	refuse(&made, NULL, GIM_E_ARGUMENT, GIM_UNKNOWN, "2 snapshots of a VM: snapB, snapC;");
	gim_buffer_patch(&made.file, 60, 2, 4);
	expect_state(&made, NULL);
	gim_buffer_patch(&made.file, 60, 1, 4);
	refuse(&made, NULL, GIM_E_FORMAT, 60, "of the disk alone");
	gim_buffer_patch(&made.file, 60, 0, 4);
	refuse(&made, NULL, GIM_E_FORMAT, 60, "without snapshots");
	refuse(&made, "snapA", GIM_E_ARGUMENT, GIM_UNKNOWN, "it has none of a VM");
	gim_buffer_patch(&made.file, 60, 3, 4);
	uint8_t *name = made.file.bytes + made.entry;
	for (size_t i = 0; made.entry + i + 5 <= made.file.size && i < 300; i++)
		if (!memcmp(name + i, "snapC", 5))
			name[i + 4] = 'B';
	refuse(&made, "snapB", GIM_E_ARGUMENT, GIM_UNKNOWN, "2 snapshots that are called snapB: choose one by its id");
	expect_state(&made, "2");
	drop(&made);
}

/* A number written over a field, from the beginning of the file, an entry of the table of snapshots, L1 or L2. */
static void test_damage(void **user)
{
	enum from { HEADER, ENTRY, L1, L2 };
	static const struct {
		enum from from, told; /* told: where the error is */
		uint32_t at;
		unsigned width;
		uint64_t value;
		int code;
		uint64_t offset;
		const char *words;
	} rows[] = {
	    {HEADER, HEADER, 4, 4, 4, GIM_E_VERSION, 4, "version 4"},
	    {HEADER, HEADER, 20, 4, 8, GIM_E_CORRUPT, 20, "2^8"},
	    {HEADER, HEADER, 20, 4, 22, GIM_E_CORRUPT, 20, "2^22"},
	    {HEADER, HEADER, 20, 4, UINT32_MAX, GIM_E_CORRUPT, 20, "2^4294967295"},
	    {HEADER, HEADER, 32, 4, 1, GIM_E_UNSUPPORTED, 32, "AES"},
	    {HEADER, HEADER, 32, 4, 2, GIM_E_UNSUPPORTED, 32, "LUKS"},
	    {HEADER, HEADER, 72, 8, 4, GIM_E_UNSUPPORTED, 72, "external data file"},
	    {HEADER, HEADER, 72, 8, UINT64_C(1) << 40 | 1, GIM_E_UNSUPPORTED, 72, "0x10000000000"},
	    {HEADER, HEADER, 60, 4, 65537, GIM_E_LIMIT, 60, "65537 snapshots"},
	    {HEADER, HEADER, 64, 8, 4097, GIM_E_CORRUPT, 64, "0x1001"},
	    {HEADER, HEADER, 64, 8, UINT64_C(1) << 60, GIM_E_CORRUPT, 64, "0x1000000000000000"},
	    {ENTRY, ENTRY, 0, 8, 1, GIM_E_CORRUPT, 0, "0x1;"},
	    {ENTRY, ENTRY, 0, 8, UINT64_C(1) << 62, GIM_E_CORRUPT, 0, "have room for it"},
	    {ENTRY, ENTRY, 8, 4, 0, GIM_E_CORRUPT, 0, "has 0 entries, where 1 are needed"},
	    {ENTRY, ENTRY, 8, 4, UINT32_MAX, GIM_E_LIMIT, 8, "4294967295 entries"},
	    {ENTRY, ENTRY, 8, 4, 4 << 20, GIM_E_CORRUPT, 0, "4194304 entries"},
	    {ENTRY, ENTRY, 36, 4, 1025, GIM_E_LIMIT, 36, "1025 more bytes"},
	    {ENTRY, ENTRY, 40, 8, UINT64_MAX, GIM_E_CORRUPT, 0, "18446744073709551615 bytes of VM state"},
	    {ENTRY, ENTRY, 48, 8, UINT64_MAX, GIM_E_CORRUPT, 0, "18446744073709551615 of disk"},
	    {L1, L1, 0, 8, 513, GIM_E_CORRUPT, 0, "L2 table is said to stand at 0x200,"},
	    {L1, L1, 0, 8, UINT64_C(1) << 50, GIM_E_CORRUPT, 0, "behind the file's end"},
	    {L2, L2, 0, 8, 0x200, GIM_E_CORRUPT, 0, "data is said to stand at 0x200,"},
	    {L2, L2, 0, 8, UINT64_C(1) << 50, GIM_E_CORRUPT, 0, "behind the file's end"},
	    {L2, L2, 0, 8, UINT64_C(1) << 62 | UINT64_C(1) << 50, GIM_E_CORRUPT, 0, "behind the qcow2 image's end"},
	    {L2, HEADER, 0, 8, UINT64_C(1) << 62 | 512, GIM_E_CORRUPT, 512, "what deflate unpacks here is no cluster of 4096 bytes"},
	};
	(void)user;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct made made = make((struct shape){.disk_bytes = 0});
		const size_t from[] = {0, made.entry, made.l1, made.l2};
		gim_buffer_patch(&made.file, from[rows[i].from] + rows[i].at, rows[i].value, rows[i].width);
		refuse(&made, NULL, rows[i].code, from[rows[i].told] + rows[i].offset, rows[i].words);
		drop(&made);
	}
}

/* Tables that point to tables. */
static void test_cycles(void **user)
{
	(void)user;
	struct made made = make((struct shape){.disk_bytes = 0});
	gim_buffer_patch(&made.file, made.l1, made.l1, 8);
	refuse(&made, NULL, GIM_E_CORRUPT, made.l1, "where its header or a table is");
	gim_buffer_patch(&made.file, made.l1, made.l2, 8);
	gim_buffer_patch(&made.file, made.l2, made.l2, 8);
	refuse(&made, NULL, GIM_E_CORRUPT, made.l2, "where its header or a table is");
	gim_buffer_patch(&made.file, made.l2, made.l1, 8);
	refuse(&made, NULL, GIM_E_CORRUPT, made.l2, "where its header or a table is");
	drop(&made);
}

static void test_backing(void **user)
{
	struct gim_input input;
	struct gim_error error = GIM_ERROR_INIT;
	uint8_t byte;
	size_t got;
	(void)user;
	struct made made = make((struct shape){.disk_bytes = 0});
	memcpy(made.file.bytes + 200, "base.qcow2", 10);
	gim_buffer_patch(&made.file, 8, 200, 8);
	gim_buffer_patch(&made.file, 16, 10, 4);
	assert_int_equal(open_part(&made, NULL, &input, &error), 0);
	assert_int_equal(gim_input_read(&input, 0, &byte, 1, &got, &error), 0);
	assert_int_equal(gim_input_read(&input, 3 * 4096, &byte, 1, &got, &error), GIM_E_UNSUPPORTED); /* cluster 3 is not allocated */
	assert_non_null(strstr(error.text, "backing file base.qcow2"));
	assert_int_equal(error.offset, made.l2 + 3 * 8);
	gim_input_close(&input);
	drop(&made);
}

/* An image that is cut is told, wherever that is. */
static void test_truncation(void **user)
{
	(void)user;
	struct made made = make((struct shape){.cluster_bits = 9, .compressed = true});
	struct gim_buffer whole = made.file;
	uint8_t *read = malloc(made.shape.state_bytes);
	for (size_t size = 4; size < whole.size - 5; size += 11) {
		struct gim_input input;
		struct gim_error error = GIM_ERROR_INIT;
		size_t got;
		made.file.size = size;
		int result = open_part(&made, NULL, &input, &error);
		if (!result) {
			result = gim_input_read(&input, 0, read, made.shape.state_bytes, &got, &error);
			gim_input_close(&input);
		}
		assert_true(result == GIM_E_TRUNCATED || result == GIM_E_CORRUPT);
	}
	made.file = whole;
	free(read);
	drop(&made);
}

static int count(void *user, const struct gim_snapshot *snapshot)
{
	assert_int_equal(snapshot->date_s, 1700000000);
	assert_int_equal(snapshot->vm_clock_ns, 123456789);
	++*(unsigned *)user;
	return snapshot->name[4] == 'B' ? 5 : 0;
}

/* An image that is compressed is copied to a file, and its snapshots are the same. */
static void test_packed(void **user)
{
	(void)user;
	struct made made = make((struct shape){.snapshots = 3});
	struct gim_packer *packer = NULL;
	struct gim_buffer packed = {.bytes = NULL};
	struct gim_input input;
	struct gim_error error = GIM_ERROR_INIT;
	uint8_t bytes[64];
	size_t got;
	assert_int_equal(gim_packer_new(GIM_ARCHIVE_NONE, GIM_FILTER_XZ, collect, &packed, &packer, NULL), 0);
	assert_int_equal(gim_packer_write(packer, made.file.bytes, made.file.size, NULL), 0);
	assert_int_equal(gim_packer_finish(&packer, NULL), 0);
	gim_input_open_memory(&input, packed.bytes, packed.size);
	assert_int_equal(gim_input_member(&input, "snapC", &error), 0);
	make_state(&made, 2);
	assert_int_equal(gim_input_read(&input, 5, bytes, sizeof(bytes), &got, &error), 0);
	assert_memory_equal(bytes, made.state + 5, sizeof(bytes));
	gim_input_close(&input);
	char path[] = "/tmp/gimstate-XXXXXX";
	const int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(gim_unnamed_write(fd, packed.bytes, packed.size, NULL), 0);
	unsigned counted = 0;
	assert_int_equal(gim_snapshots_visit(path, count, &counted, &error), 5);
	assert_int_equal(counted, 2);
	char *named = NULL;
	assert_true(asprintf(&named, "%s//snapC", path) > 0);
	assert_int_equal(gim_snapshots_visit(named, count, &counted, &error), 5);
	assert_int_equal(counted, 4);
	free(named);
	(void)remove(path);
	gim_buffer_free(&packed);
	drop(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shapes),     cmocka_unit_test(test_subclusters), cmocka_unit_test(test_choice),
	    cmocka_unit_test(test_damage),     cmocka_unit_test(test_cycles),      cmocka_unit_test(test_backing),
	    cmocka_unit_test(test_truncation), cmocka_unit_test(test_packed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
