/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The header of a qcow2 image and its table of snapshots (QEMU: docs/interop/qcow2.txt). */
#include "qcow2.h"

#include "cursor.h"
#include "error.h"
#include "layer.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC "QFI\373"
enum { HEADER_V2 = 72, HEADER_V3 = 104, HEADER_MAX = 112 };
enum { CLUSTER_BITS_MIN = 9, CLUSTER_BITS_MAX = 21 };
/* QEMU's own limits. */
enum { SNAPSHOTS_MAX = 65536, EXTRA_MAX = 1024, ENTRY_BYTES = 40, TEXTS_MAX = 2 * UINT16_MAX };

enum feature { DIRTY = 1, DAMAGED = 2, DATA_FILE = 4, COMPRESSION = 8, EXTENDED_L2 = 16, ALL_FEATURES = 31 };

bool qcow2_bid(const uint8_t *head, size_t size)
{
	return size >= 4 && !memcmp(head, MAGIC, 4);
}

static int refuse_features(uint64_t features, uint32_t encryption, struct gim_error *error)
{
	if (encryption)
		return gim_fail(error, GIM_E_UNSUPPORTED, 32,
		                "the qcow2 image is encrypted (%s): load the snapshot in QEMU (-loadvm), and save it by migrate",
		                encryption == 1   ? "AES"
		                : encryption == 2 ? "LUKS"
		                                  : "in a way that is not known");
	if (features & DATA_FILE)
		return gim_fail(error, GIM_E_UNSUPPORTED, 72,
		                "the qcow2 image keeps its data in an external data file, which is not read: load the snapshot in QEMU "
		                "(-loadvm), and save it by migrate");
	if (features & ~(uint64_t)ALL_FEATURES)
		return gim_fail(error, GIM_E_UNSUPPORTED, 72,
		                "the qcow2 image needs features 0x%llx, which are not known: load the snapshot in QEMU (-loadvm), and save "
		                "it by migrate",
		                (unsigned long long)(features & ~(uint64_t)ALL_FEATURES));
	return 0;
}

/* Version 3 says more. */
static int read_features(struct gim_cursor *cursor, uint32_t encryption, struct qcow2 *image, struct gim_error *error)
{
	const uint64_t features = image->version >= 3 ? gim_cursor_u64(cursor) : 0;
	int result = refuse_features(features, encryption, error);
	if (result)
		return result;
	image->extended = features & EXTENDED_L2;
	if (!(features & COMPRESSION))
		return 0;
	cursor->position = HEADER_V3 - 4;
	const uint32_t length = gim_cursor_u32(cursor);
	const uint8_t type = length > HEADER_V3 ? gim_cursor_u8(cursor) : 0;
	if (type > 1 || cursor->failed)
		return gim_fail(error, GIM_E_UNSUPPORTED, HEADER_V3,
		                "the qcow2 image is compressed in way %u; 0 (deflate) and 1 (zstd) are known", type);
	image->zstd = type;
	return 0;
}

static int read_backing(struct gim_input *input, uint64_t offset, uint32_t size, struct qcow2 *image, struct gim_error *error)
{
	size_t got = 0;
	image->backed = offset;
	if (!offset)
		return 0;
	size = size < sizeof(image->backing) ? size : sizeof(image->backing) - 1;
	int result = gim_input_read(input, offset, image->backing, size, &got, error);
	image->backing[got] = '\0';
	return result;
}

int qcow2_read_header(struct gim_input *input, struct qcow2 *image, struct gim_error *error)
{
	uint8_t bytes[HEADER_MAX];
	size_t got;
	int result = gim_input_read(input, 0, bytes, sizeof(bytes), &got, error);
	if (result)
		return result;
	struct gim_cursor cursor = {.bytes = bytes, .size = got, .position = 4, .big = true};
	struct qcow2 read = {.version = gim_cursor_u32(&cursor), .file_bytes = input->size};
	const uint64_t backing = gim_cursor_u64(&cursor);
	const uint32_t backing_bytes = gim_cursor_u32(&cursor);
	read.cluster_bits = gim_cursor_u32(&cursor);
	read.disk_bytes = gim_cursor_u64(&cursor);
	const uint32_t encryption = gim_cursor_u32(&cursor);
	cursor.position = got < 60 ? got : 60;
	read.snapshot_count = gim_cursor_u32(&cursor);
	read.snapshots_offset = gim_cursor_u64(&cursor);
	if (cursor.failed || (read.version >= 3 && got < HEADER_V3))
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_CUT], got,
		                     "the qcow2 image ends within its header, of which %zu bytes are there and at least %d are expected",
		                     got, read.version >= 3 ? HEADER_V3 : HEADER_V2);
	if (read.version != 2 && read.version != 3)
		return gim_fail(error, GIM_E_VERSION, 4, "the qcow2 image has version %u, and 2 and 3 are known", read.version);
	if (read.cluster_bits < CLUSTER_BITS_MIN || read.cluster_bits > CLUSTER_BITS_MAX)
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_DAMAGED], 20,
		                     "the qcow2 image has clusters of 2^%u bytes; 2^%d to 2^%d are possible", read.cluster_bits,
		                     CLUSTER_BITS_MIN, CLUSTER_BITS_MAX);
	result = read_features(&cursor, encryption, &read, error);
	if (!result)
		result = read_backing(input, backing, backing_bytes, &read, error);
	if (result)
		return result;
	read.table_bits = read.cluster_bits - (read.extended ? 4 : 3);
	if (read.snapshot_count > SNAPSHOTS_MAX)
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_LIMIT], 60,
		                     "the qcow2 image has %u snapshots; QEMU makes at most %d", read.snapshot_count, SNAPSHOTS_MAX);
	if (read.snapshot_count &&
	    (read.snapshots_offset & ((UINT64_C(1) << read.cluster_bits) - 1) || read.snapshots_offset >= input->size))
		return gim_fail_rule(
		    error, &gim_layer_rules[GIM_LAYER_DAMAGED], 64,
		    "the qcow2 image's table of snapshots is said to stand at 0x%llx; expected is a multiple of 0x%llx within the file",
		    (unsigned long long)read.snapshots_offset, 1ULL << read.cluster_bits);
	*image = read;
	return 0;
}

static int fail_table(uint64_t offset, uint32_t index, struct gim_error *error)
{
	return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_CUT], offset,
	                     "the qcow2 image ends within its table of snapshots, in number %u", index + 1);
}

/* What follows the numbers of fixed sizes: more numbers, in later versions more of them, and two texts. */
static int read_rest(struct gim_cursor *cursor, uint32_t extra_bytes, size_t id_bytes, size_t name_bytes, char *texts,
                     struct qcow2_snapshot *snapshot)
{
	struct gim_cursor extra = {.bytes = gim_cursor_bytes(cursor, extra_bytes), .size = extra_bytes, .big = true};
	const uint8_t *id = gim_cursor_bytes(cursor, id_bytes), *name = gim_cursor_bytes(cursor, name_bytes);
	if (cursor->failed)
		return -1;
	if (extra_bytes >= 8)
		snapshot->shown.state_bytes = gim_cursor_u64(&extra);
	if (extra_bytes >= 16)
		snapshot->disk_bytes = gim_cursor_u64(&extra);
	if (extra_bytes >= 24)
		snapshot->icount = gim_cursor_u64(&extra);
	memcpy(texts, id, id_bytes);
	texts[id_bytes] = '\0';
	memcpy(texts + id_bytes + 1, name, name_bytes);
	texts[id_bytes + 1 + name_bytes] = '\0';
	snapshot->shown.id = texts;
	snapshot->shown.name = texts + id_bytes + 1;
	return 0;
}

/* *next: where the one behind it begins. */
static int read_entry(struct gim_input *input, uint64_t offset, uint32_t index, uint8_t *bytes, char *texts,
                      struct qcow2_snapshot *snapshot, uint64_t *next, struct gim_error *error)
{
	size_t got, more = 0;
	int result = gim_input_read(input, offset, bytes, ENTRY_BYTES, &got, error);
	if (result)
		return result;
	struct gim_cursor cursor = {.bytes = bytes, .size = got, .big = true};
	snapshot->offset = offset;
	snapshot->l1_offset = gim_cursor_u64(&cursor);
	snapshot->l1_entries = gim_cursor_u32(&cursor);
	const size_t id_bytes = gim_cursor_u16(&cursor), name_bytes = gim_cursor_u16(&cursor);
	snapshot->shown.date_s = gim_cursor_u32(&cursor);
	(void)gim_cursor_u32(&cursor);
	snapshot->shown.vm_clock_ns = gim_cursor_u64(&cursor);
	snapshot->shown.state_bytes = gim_cursor_u32(&cursor);
	const uint32_t extra_bytes = gim_cursor_u32(&cursor);
	if (cursor.failed)
		return fail_table(offset + got, index, error);
	if (extra_bytes > EXTRA_MAX)
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_LIMIT], offset + ENTRY_BYTES - 4,
		                     "number %u of the qcow2 image's snapshots has %u more bytes; QEMU knows at most %d", index + 1,
		                     extra_bytes, EXTRA_MAX);
	const size_t rest = extra_bytes + id_bytes + name_bytes;
	result = gim_input_read(input, offset + ENTRY_BYTES, bytes, rest, &more, error);
	cursor = (struct gim_cursor){.bytes = bytes, .size = more, .big = true};
	if (!result && read_rest(&cursor, extra_bytes, id_bytes, name_bytes, texts, snapshot))
		result = fail_table(offset + ENTRY_BYTES + more, index, error);
	*next = (offset + ENTRY_BYTES + rest + 7) & ~UINT64_C(7);
	return result;
}

int qcow2_visit(struct gim_input *input, const struct qcow2 *image, qcow2_snapshot_fn *visit, void *user, struct gim_error *error)
{
	uint64_t offset = image->snapshots_offset;
	uint8_t *bytes = malloc(ENTRY_BYTES + EXTRA_MAX + TEXTS_MAX);
	char *texts = malloc(TEXTS_MAX + 2);
	int result = bytes && texts ? 0 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	for (uint32_t i = 0; !result && i < image->snapshot_count; i++) {
		struct qcow2_snapshot snapshot = {.disk_bytes = image->disk_bytes, .icount = GIM_UNKNOWN};
		result = read_entry(input, offset, i, bytes, texts, &snapshot, &offset, error);
		if (!result)
			result = visit(user, &snapshot);
	}
	free(bytes);
	free(texts);
	return result;
}
