/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The layer of a file that lzop compressed: blocks of LZO1X behind a header, with checksums; a stream. */
#include "cursor.h"
#include "error.h"
#include "layer.h"
#include "lzo.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

enum { MAGIC_BYTES = 9, FIXED_MAX = 36, HEADER_MAX = FIXED_MAX + 255 + 4 };
/* lzop's own limit. */
#define BLOCK_MAX (UINT32_C(64) << 20)
/* A byte of LZO1X stands for 255 at most, but for the first few. */
enum { RATIO_MAX = 256 };

enum flag {
	ADLER32_OUT = 0x1,
	ADLER32_IN = 0x2,
	EXTRA_FIELD = 0x40,
	CRC32_OUT = 0x100,
	CRC32_IN = 0x200,
	MULTIPART = 0x400,
	FILTER = 0x800,
	HEADER_CRC32 = 0x1000,
};

static const uint8_t magic[MAGIC_BYTES] = {0x89, 'L', 'Z', 'O', 0, '\r', '\n', 0x1a, '\n'};

struct lzop {
	struct gim_layer layer;
	uint32_t flags;
	uint64_t at;             /* of the next block in the input below */
	uint8_t *packed, *block; /* of the block that is read now */
	size_t packed_room, block_room;
	size_t block_bytes, given;
	bool ended;
};

static bool bid(const uint8_t *head, size_t size, bool part)
{
	(void)part;
	return size >= MAGIC_BYTES && !memcmp(head, magic, MAGIC_BYTES);
}

static int read_whole(struct lzop *lzop, void *bytes, size_t size, struct gim_error *error)
{
	size_t got = 0;
	int result = gim_input_read(&lzop->layer.below, lzop->at, bytes, size, &got, error);
	lzop->at += got;
	if (!result && got < size)
		result = gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_CUT], lzop->at, "the lzop file ends here, in the middle");
	return result;
}

static int read_number(struct lzop *lzop, uint32_t *number, struct gim_error *error)
{
	uint8_t bytes[4];
	int result = read_whole(lzop, bytes, sizeof(bytes), error);
	if (!result)
		*number = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
	return result;
}

static uint32_t checksum(bool crc, const void *bytes, size_t size)
{
	return crc ? libdeflate_crc32(0, bytes, size) : libdeflate_adler32(1, bytes, size);
}

/*
 * The header.
 */
/* Read `size` more bytes of it. */
static int read_more(struct lzop *lzop, struct gim_cursor *cursor, uint8_t *bytes, size_t size, struct gim_error *error)
{
	int result = read_whole(lzop, bytes + cursor->size, size, error);
	if (!result)
		cursor->size += size;
	return result;
}

static int read_fields(struct lzop *lzop, struct gim_cursor *cursor, uint8_t *bytes, uint32_t *method, uint32_t *filter,
                       struct gim_error *error)
{
	enum { OLD = 0x940 };
	int result = read_more(lzop, cursor, bytes, 2, error);
	const uint16_t version = result ? 0 : gim_cursor_u16(cursor);
	const bool old = version < OLD;
	if (!result)
		result = read_more(lzop, cursor, bytes, old ? 2 + 1 + 4 : 2 + 2 + 1 + 1 + 4, error);
	if (result)
		return result;
	(void)gim_cursor_number(cursor, old ? 2 : 4); /* the library's version, and which lzop it needs */
	*method = gim_cursor_u8(cursor);
	if (!old)
		(void)gim_cursor_u8(cursor); /* level */
	lzop->flags = gim_cursor_u32(cursor);
	const size_t filter_bytes = lzop->flags & FILTER ? 4 : 0;
	result = read_more(lzop, cursor, bytes, filter_bytes + (old ? 8 : 12) + 1, error);
	if (result)
		return result;
	*filter = filter_bytes ? gim_cursor_u32(cursor) : 0;
	cursor->position = cursor->size - 1;                                 /* mode and time of the file */
	return read_more(lzop, cursor, bytes, gim_cursor_u8(cursor), error); /* its name */
}

/* More data, which nobody writes, with a checksum of their own. */
static int skip_extra(struct lzop *lzop, struct gim_error *error)
{
	uint8_t bytes[4096];
	uint32_t size, ignored;
	int result = read_number(lzop, &size, error);
	while (!result && size) {
		const uint32_t piece = size < sizeof(bytes) ? size : (uint32_t)sizeof(bytes);
		result = read_whole(lzop, bytes, piece, error);
		size -= piece;
	}
	return result ? result : read_number(lzop, &ignored, error);
}

static int read_header(struct lzop *lzop, struct gim_error *error)
{
	uint8_t bytes[HEADER_MAX], head[MAGIC_BYTES];
	struct gim_cursor cursor = {.bytes = bytes, .big = true};
	uint32_t method = 0, filter = 0, wanted = 0;
	int result = read_whole(lzop, head, sizeof(head), error);
	if (!result)
		result = read_fields(lzop, &cursor, bytes, &method, &filter, error);
	if (!result)
		result = read_number(lzop, &wanted, error);
	if (result)
		return result;
	const uint32_t found = checksum(lzop->flags & HEADER_CRC32, bytes, cursor.size);
	if (found != wanted)
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_DAMAGED], lzop->at - 4,
		                     "the lzop file's header has the checksum 0x%08x, and says 0x%08x", found, wanted);
	if (method < 1 || method > 3)
		return gim_fail(error, GIM_E_UNSUPPORTED, MAGIC_BYTES, "the lzop file is compressed by method %u; 1 to 3 (LZO1X) are read",
		                method);
	if (filter || lzop->flags & MULTIPART)
		return gim_fail(error, GIM_E_UNSUPPORTED, MAGIC_BYTES, "the lzop file is %s, which is not read",
		                filter ? "filtered before it was compressed" : "one part of several");
	return lzop->flags & EXTRA_FIELD ? skip_extra(lzop, error) : 0;
}

/*
 * Blocks.
 */
struct sums {
	uint32_t adler32, crc32;
};

static int read_sums(struct lzop *lzop, uint32_t adler32, uint32_t crc32, struct sums *sums, struct gim_error *error)
{
	int result = lzop->flags & adler32 ? read_number(lzop, &sums->adler32, error) : 0;
	return !result && lzop->flags & crc32 ? read_number(lzop, &sums->crc32, error) : result;
}

static int check_sums(const struct lzop *lzop, uint32_t adler32, uint32_t crc32, const struct sums *sums, const void *bytes, size_t size,
                      uint64_t offset, struct gim_error *error)
{
	if ((lzop->flags & adler32 && checksum(false, bytes, size) != sums->adler32) ||
	    (lzop->flags & crc32 && checksum(true, bytes, size) != sums->crc32))
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_DAMAGED], offset,
		                     "the lzop file's block that begins here has another checksum than it says");
	return 0;
}

static int make_room(uint8_t **bytes, size_t *room, size_t size, struct gim_error *error)
{
	if (size <= *room)
		return 0;
	free(*bytes);
	*room = 0;
	*bytes = malloc(size);
	if (!*bytes)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	*room = size;
	return 0;
}

/* What is no smaller when it is compressed is stored as it is. */
static int unpack(struct lzop *lzop, size_t packed, size_t unpacked, uint64_t offset, struct gim_error *error)
{
	size_t at;
	if (packed == unpacked) {
		memcpy(lzop->block, lzop->packed, packed);
		return 0;
	}
	if (gim_lzo_decode(lzop->packed, packed, lzop->block, unpacked, &at))
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_DAMAGED], offset + at,
		                     "the lzop file's block cannot be unpacked further");
	return 0;
}

static int next_block(struct lzop *lzop, struct gim_error *error)
{
	const uint64_t begin = lzop->at;
	struct sums out = {0}, in = {0};
	uint32_t unpacked, packed = 0;
	int result = read_number(lzop, &unpacked, error);
	if (result)
		return result;
	lzop->ended = !unpacked;
	lzop->given = lzop->block_bytes = 0;
	if (lzop->ended)
		return 0;
	result = read_number(lzop, &packed, error);
	if (result)
		return result;
	if (unpacked > BLOCK_MAX || !packed || packed > unpacked || unpacked / RATIO_MAX > packed)
		return gim_fail_rule(error, &gim_layer_rules[GIM_LAYER_DAMAGED], begin,
		                     "the lzop file's block that begins here is said to have %u bytes, compressed %u, which is impossible",
		                     unpacked, packed);
	result = read_sums(lzop, ADLER32_OUT, CRC32_OUT, &out, error);
	if (!result && packed < unpacked)
		result = read_sums(lzop, ADLER32_IN, CRC32_IN, &in, error);
	if (!result)
		result = make_room(&lzop->packed, &lzop->packed_room, packed, error);
	const uint64_t data = lzop->at;
	if (!result)
		result = read_whole(lzop, lzop->packed, packed, error);
	if (!result && packed < unpacked)
		result = check_sums(lzop, ADLER32_IN, CRC32_IN, &in, lzop->packed, packed, begin, error);
	if (!result)
		result = make_room(&lzop->block, &lzop->block_room, unpacked, error);
	if (!result)
		result = unpack(lzop, packed, unpacked, data, error);
	if (!result)
		result = check_sums(lzop, ADLER32_OUT, CRC32_OUT, &out, lzop->block, unpacked, begin, error);
	lzop->block_bytes = result ? 0 : unpacked;
	return result;
}

static int read_stream(struct gim_layer *layer, uint64_t offset, void *bytes, size_t size_bytes, size_t *got, struct gim_error *error)
{
	struct lzop *lzop = (struct lzop *)(void *)layer;
	size_t done = 0;
	(void)offset;
	while (done < size_bytes && !lzop->ended) {
		int result = lzop->given == lzop->block_bytes ? next_block(lzop, error) : 0;
		if (result) {
			lzop->ended = true; /* it was told: then it is at its end */
			return result;
		}
		const size_t left = lzop->block_bytes - lzop->given, piece = size_bytes - done < left ? size_bytes - done : left;
		if (piece)
			memcpy((uint8_t *)bytes + done, lzop->block + lzop->given, piece);
		lzop->given += piece;
		done += piece;
	}
	*got = done;
	return 0;
}

static void end_stream(struct gim_layer *layer)
{
	struct lzop *lzop = (struct lzop *)(void *)layer;
	free(lzop->packed);
	free(lzop->block);
}

static int open_stream(struct gim_input *input, const char *part, struct gim_error *error)
{
	extern const struct gim_layer_kind gim_layer_lzop;
	struct lzop *lzop = calloc(1, sizeof(*lzop));
	(void)part;
	if (!lzop)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	gim_input_wrap(input, &lzop->layer, &gim_layer_lzop, false, GIM_UNKNOWN);
	return read_header(lzop, error);
}

const struct gim_layer_kind gim_layer_lzop = {
    .within = "unpacked",
    .bid = bid,
    .open = open_stream,
    .read = read_stream,
    .end = end_stream,
};
