/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The old containers: no records, no directory; a unit is its size, its name, and one compressed stream. */
#include "error.h"
#include "vbox/crc.h"
#include "vbox/lzf.h"
#include "vbox/ssm_ahead.h"
#include "vbox/ssm_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_V1_1 = 64, HEADER_V1_2 = 80, CRC_START = 44, UNIT_HEADER = 28, PACKED_MAX = 16374 };

int ssm_v1_header(struct ssm_stream *stream, struct gim_error *error)
{
	struct ssm_header *header = &stream->header;
	const uint8_t *bytes;
	size_t got;
	header->size_bytes = header->version == SSM_V1_1 ? HEADER_V1_1 : HEADER_V1_2;
	int result = ssm_peek(stream, header->size_bytes, &bytes, &got, error);
	if (result)
		return result;
	if (got < header->size_bytes)
		return ssm_fail(error, SSM_HEADER_END, got, "the file ends within its header");
	struct gim_cursor cursor = {.bytes = bytes, .size = got, .position = 32};
	const uint64_t size = gim_cursor_u64(&cursor);
	header->crc = gim_cursor_u32(&cursor);
	static const uint8_t nil[16];
	if (memcmp(bytes + 48, nil, sizeof(nil)) != 0)
		result = ssm_object(stream, error, SSM1_UUID, 48, "the machine's UUID is not nil, as every release wrote it");
	if (!result && stream->input->size != GIM_UNKNOWN && size != stream->input->size)
		result = ssm_object(stream, error, SSM1_SIZE, 32, "the header says %" PRIu64 " bytes, the file has %" PRIu64, size,
		                    stream->input->size);
	if (result)
		return result;
	header->address_bytes = header->pointer_bytes = 8;
	header->checksummed = true;
	stream->end = stream->input->size != GIM_UNKNOWN ? stream->input->size : size;
	if (header->version == SSM_V1_1)
		return 0;
	cursor.position = 64;
	ssm_read_producer(header, &cursor);
	return 0;
}

int ssm_v1_crc(struct ssm_stream *stream, struct ssm_ahead *ahead, uint32_t *crc, struct gim_error *error)
{
	/* As many bytes as the file has without its header, but from here on. */
	const uint64_t end = stream->end - stream->header.size_bytes + CRC_START;
	uint32_t before, all;
	int result = ssm_ahead_crc(ahead, CRC_START, &before, error);
	if (!result)
		result = ssm_ahead_crc(ahead, end, &all, error);
	/* Of two runs put together the first one's share can be taken out again. */
	if (!result)
		*crc = all ^ gim_crc32_join(before, 0, end - CRC_START);
	return result;
}

int ssm_v1_next(struct ssm_stream *stream, struct gim_unit *unit, struct gim_error *error)
{
	const uint8_t *bytes;
	size_t got;
	if (stream->in_unit)
		ssm_seek(stream, stream->next_unit); /* leftover data is tolerated */
	const uint64_t offset = stream->position;
	int result = ssm_peek(stream, UNIT_HEADER, &bytes, &got, error);
	if (result)
		return result;
	if (got < UNIT_HEADER)
		return ssm_fail(error, SSM_END_OF_FILE, offset + got, "the file ends where a unit header is expected");
	if (!memcmp(bytes, ssm_end_magic, 8))
		return 0;
	if (memcmp(bytes, ssm_unit_magic, 8) != 0)
		return ssm_fail(error, SSM_UNIT_MAGIC, offset, "neither a unit's magic nor the end's");
	struct gim_cursor cursor = {.bytes = bytes, .size = UNIT_HEADER, .position = 8};
	const uint64_t size = gim_cursor_u64(&cursor);
	*unit = (struct gim_unit){.offset = offset, .stored_bytes = size, .payload_bytes = GIM_UNKNOWN, .pass = GIM_PASS_FINAL};
	unit->version = gim_cursor_u32(&cursor);
	unit->instance = gim_cursor_u32(&cursor);
	const uint32_t name_size = gim_cursor_u32(&cursor);
	if (name_size < 2 || name_size > SSM_NAME_MAX)
		return ssm_fail(error, SSM_UNIT_NAME, offset + 24, "a unit name of %u bytes is impossible", name_size);
	if (size < UNIT_HEADER + name_size || size > stream->end - offset)
		return ssm_fail(error, SSM1_UNIT_SIZE, offset + 8, "a unit of %" PRIu64 " bytes does not fit into the file", size);
	result = ssm_take(stream, UNIT_HEADER + name_size, &bytes, "a unit header", error);
	if (result)
		return result;
	if (bytes[UNIT_HEADER + name_size - 1])
		return ssm_fail(error, SSM_UNIT_NAME, offset + UNIT_HEADER, "the unit's name is not terminated");
	memcpy(unit->name, bytes + UNIT_HEADER, name_size);
	stream->in_unit = true;
	stream->finished = size == UNIT_HEADER + name_size;
	stream->data_offset = stream->position;
	stream->unit_end = stream->next_unit = offset + size;
	stream->payload_bytes = 0;
	stream->method = 0;
	stream->block_at = stream->block_size = 0;
	return 1;
}

void ssm_v1_close(struct ssm_stream *stream)
{
	if (stream->inflate) {
		(void)inflateEnd(stream->inflate);
		free(stream->inflate);
		stream->inflate = NULL;
	}
}

static int begin_method(struct ssm_stream *stream, struct gim_error *error)
{
	static const char *const names[] = {"none", "auto", "store", "zlib", "bzlib", "LZF", "LZJB", "LZO", "headerless zlib"};
	const uint64_t at = stream->position;
	const uint8_t *bytes;
	int result = ssm_take(stream, 1, &bytes, "a unit", error);
	if (result)
		return result;
	stream->method = bytes[0];
	if (stream->method == SSM1_BZLIB || stream->method == SSM1_LZJB || stream->method == SSM1_LZO)
		return ssm_fail(error, SSM1_UNSUPPORTED, at,
		                "the unit is compressed by %s, which no release wrote: only store, zlib and LZF are read",
		                names[stream->method]);
	if (stream->method < SSM1_STORE || stream->method > SSM1_DEFLATE)
		return ssm_fail(error, SSM1_METHOD, at, "compression method %d is unknown", stream->method);
	if (stream->method != SSM1_ZLIB && stream->method != SSM1_DEFLATE)
		return 0;
	ssm_v1_close(stream);
	stream->inflate = calloc(1, sizeof(*stream->inflate));
	if (!stream->inflate || inflateInit2(stream->inflate, stream->method == SSM1_ZLIB ? 15 : -15) != Z_OK)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	return 0;
}

int ssm_v1_block(const uint8_t *bytes, uint64_t at, uint32_t *packed, uint32_t *unpacked, struct gim_error *error)
{
	struct gim_cursor cursor = {.bytes = bytes, .size = SSM1_BLOCK_HEADER_BYTES, .position = 2};
	*packed = gim_cursor_u16(&cursor);
	cursor.position = 8;
	*unpacked = gim_cursor_u16(&cursor);
	if (bytes[0] != 'Z' || bytes[1] != 'V' || !*packed || *packed > PACKED_MAX || !*unpacked || *unpacked > SSM_BLOCK_MAX)
		return ssm_fail(error, SSM1_DATA, at, "a malformed block: %u bytes to expand to %u", *packed, *unpacked);
	return 0;
}

static int next_block(struct ssm_stream *stream, struct gim_error *error)
{
	const uint64_t at = stream->position;
	const uint8_t *bytes;
	uint32_t packed, unpacked;
	if (stream->unit_end - at < SSM1_BLOCK_HEADER_BYTES)
		return ssm_fail(error, SSM1_DATA, at, "the unit ends within a block's header");
	int result = ssm_take(stream, SSM1_BLOCK_HEADER_BYTES, &bytes, "a block's header", error);
	if (!result)
		result = ssm_v1_block(bytes, at, &packed, &unpacked, error);
	if (result)
		return result;
	if (packed > stream->unit_end - stream->position)
		return ssm_fail(error, SSM1_DATA, at, "the unit ends within a block");
	result = ssm_take(stream, packed, &bytes, "a block", error);
	if (result)
		return result;
	if (!gim_lzf_decode(bytes, packed, stream->block, unpacked))
		return ssm_fail(error, SSM1_DATA, at, "LZF data that does not expand to %u bytes", unpacked);
	stream->block_at = 0;
	stream->block_size = unpacked;
	return 0;
}

static int next_inflated(struct ssm_stream *stream, struct gim_error *error)
{
	const uint64_t at = stream->position;
	const uint8_t *bytes;
	size_t got;
	int result = ssm_peek(stream, 4096, &bytes, &got, error);
	if (result)
		return result;
	const uint64_t left = stream->unit_end - at;
	got = got < left ? got : (size_t)left;
	z_stream *inflating = stream->inflate;
	inflating->next_in = (Bytef *)(uintptr_t)bytes; /* zlib's pointer is not const, but it does not write */
	inflating->avail_in = (uInt)got;
	inflating->next_out = stream->block;
	inflating->avail_out = SSM_BLOCK_MAX;
	int status = inflate(inflating, Z_NO_FLUSH);
	if (status != Z_OK && status != Z_STREAM_END)
		return ssm_fail(error, SSM1_DATA, at, "zlib data is damaged: %s", inflating->msg ? inflating->msg : "it ends too early");
	stream->block_at = 0;
	stream->block_size = SSM_BLOCK_MAX - inflating->avail_out;
	result = ssm_take(stream, got - inflating->avail_in, &bytes, "a unit", error);
	if (status == Z_STREAM_END)
		stream->unit_end = stream->position;
	return result;
}

static int next_stored(struct ssm_stream *stream, struct gim_error *error)
{
	const uint8_t *bytes;
	const uint64_t left = stream->unit_end - stream->position;
	size_t step = left < SSM_BLOCK_MAX ? (size_t)left : SSM_BLOCK_MAX;
	int result = ssm_take(stream, step, &bytes, "a unit", error);
	if (result)
		return result;
	memcpy(stream->block, bytes, step);
	stream->block_at = 0;
	stream->block_size = step;
	return 0;
}

int ssm_v1_read(struct ssm_stream *stream, uint8_t *bytes, size_t size, size_t *got, struct gim_error *error)
{
	size_t done = 0;
	int result = 0;
	while (!result && done < size && !stream->finished) {
		if (stream->block_at < stream->block_size) {
			size_t left = stream->block_size - stream->block_at, step = size - done < left ? size - done : left;
			memcpy(bytes + done, stream->block + stream->block_at, step);
			stream->block_at += step;
			done += step;
		} else if (stream->position >= stream->unit_end) {
			stream->finished = true;
		} else if (!stream->method) {
			result = begin_method(stream, error);
		} else if (stream->method == SSM1_LZF) {
			result = next_block(stream, error);
		} else if (stream->method == SSM1_STORE) {
			result = next_stored(stream, error);
		} else {
			result = next_inflated(stream, error);
		}
	}
	*got = done;
	return result;
}
