/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A rewrite goes through the units with the reader, which hands every byte of records that it passes to the copy; only a terminator's CRC, a
 * unit header's place and sums, the directory's places and the footer are made anew.
 */
#include "vbox/ssm_rewrite.h"

#include "error.h"
#include "vbox/crc.h"
#include "vbox/ssm_parts.h"
#include "vbox/ssm_write.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 64 * 1024, RAW_RECORD_BYTES = 4096, HELD_BYTES = SSM_TERMINATOR_BYTES - 2 };

struct rewrite {
	struct ssm_stream stream;
	const struct ssm_change *change;
	gim_sink_fn *sink;
	void *user;
	uint64_t offset; /* of what is written next */
	uint32_t crc;    /* of all that was written */
	int64_t shift;   /* how far what stands behind the changed unit moves */
	/* The reader's last bytes wait, since a terminator is to be changed. */
	uint8_t held[HELD_BYTES];
	size_t held_size;
	int failed;
};

static int put(struct rewrite *rewrite, const void *bytes, size_t size, struct gim_error *error)
{
	if (size && rewrite->sink(rewrite->user, bytes, size))
		return gim_fail(error, GIM_E_STOPPED, rewrite->offset, "the output does not take more bytes");
	rewrite->crc = gim_crc32(rewrite->crc, bytes, size);
	rewrite->offset += size;
	return 0;
}

/* The file up to `end`, as it is. */
static int copy_head(struct rewrite *rewrite, uint64_t end, struct gim_error *error)
{
	uint8_t *piece = malloc(PIECE_BYTES);
	int result = piece ? 0 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	while (!result && rewrite->offset < end) {
		const uint64_t left = end - rewrite->offset;
		const size_t want = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
		size_t got;
		result = gim_input_read(rewrite->stream.input, rewrite->offset, piece, want, &got, error);
		if (!result && got < want)
			result = ssm_fail(error, SSM_END_OF_FILE, rewrite->offset + got, "the file became shorter");
		if (!result)
			result = put(rewrite, piece, want, error);
	}
	free(piece);
	return result;
}

int ssm_copy(struct gim_input *input, gim_sink_fn *sink, void *user, struct gim_error *error)
{
	struct rewrite rewrite = {.stream = {.input = input}, .sink = sink, .user = user};
	return copy_head(&rewrite, input->size, error);
}

/* The reader passes records on: all but the last bytes, which may be a terminator's, go out. */
static int take(void *user, const void *bytes, size_t size)
{
	struct rewrite *rewrite = (struct rewrite *)user;
	uint8_t together[2 * HELD_BYTES];
	if (rewrite->held_size + size <= HELD_BYTES) {
		memcpy(rewrite->held + rewrite->held_size, bytes, size);
		rewrite->held_size += size;
		return 0;
	}
	if (size >= HELD_BYTES) {
		rewrite->failed |= put(rewrite, rewrite->held, rewrite->held_size, NULL);
		rewrite->failed |= put(rewrite, bytes, size - HELD_BYTES, NULL);
		memcpy(rewrite->held, (const uint8_t *)bytes + size - HELD_BYTES, HELD_BYTES);
		rewrite->held_size = HELD_BYTES;
	} else {
		memcpy(together, rewrite->held, rewrite->held_size);
		memcpy(together + rewrite->held_size, bytes, size);
		const size_t all = rewrite->held_size + size;
		rewrite->failed |= put(rewrite, together, all - HELD_BYTES, NULL);
		memcpy(rewrite->held, together + all - HELD_BYTES, HELD_BYTES);
		rewrite->held_size = HELD_BYTES;
	}
	return rewrite->failed;
}

static uint32_t running_crc(const struct rewrite *rewrite)
{
	return rewrite->stream.header.checksummed ? rewrite->crc : 0;
}

/* Write what was built, and free it. */
static int put_buffer(struct rewrite *rewrite, struct gim_buffer *buffer, struct gim_error *error)
{
	int result =
	    buffer->failed ? gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory") : put(rewrite, buffer->bytes, buffer->size, error);
	gim_buffer_free(buffer);
	return result;
}

/* The header at `offset` of the input, with place and sums as they are now. */
static int put_header(struct rewrite *rewrite, uint64_t offset, size_t size, struct gim_error *error)
{
	uint8_t bytes[SSM_UNIT_HEADER_BYTES + SSM_NAME_MAX];
	struct gim_buffer buffer = {.bytes = NULL};
	size_t got;
	int result = gim_input_read(rewrite->stream.input, offset, bytes, size, &got, error);
	if (result || got < size)
		return result ? result : ssm_fail(error, SSM_END_OF_FILE, offset + got, "the file became shorter");
	gim_buffer_bytes(&buffer, bytes, size);
	if (!buffer.failed) {
		gim_buffer_patch(&buffer, 8, rewrite->offset, 8);
		gim_buffer_patch(&buffer, 16, running_crc(rewrite), 4);
		gim_buffer_patch(&buffer, 20, ssm_crc_without(buffer.bytes, buffer.size, 20), 4);
	}
	return put_buffer(rewrite, &buffer, error);
}

/* What follows a terminator's first two bytes. flags: as the terminator had them. */
static int put_terminator(struct rewrite *rewrite, uint32_t flags, uint64_t unit_size, struct gim_error *error)
{
	struct gim_buffer buffer = {.bytes = NULL};
	gim_buffer_number(&buffer, flags, 2);
	gim_buffer_number(&buffer, flags & 1 ? running_crc(rewrite) : 0, 4);
	gim_buffer_number(&buffer, unit_size, 8);
	int result =
	    buffer.failed ? gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory") : put(rewrite, buffer.bytes, buffer.size, error);
	gim_buffer_free(&buffer);
	return result;
}

/* The changed unit's records and terminator, in raw records of a block, as VirtualBox writes them. */
static int put_payload(struct rewrite *rewrite, struct gim_error *error)
{
	enum { TERMINATOR = 1, RAW = 2 };
	const struct ssm_change *change = rewrite->change;
	const uint64_t start = rewrite->offset;
	uint8_t head[8];
	int result = 0;
	for (size_t done = 0; !result && done < change->size;) {
		const size_t left = change->size - done, size = left < RAW_RECORD_BYTES ? left : RAW_RECORD_BYTES;
		const size_t length = ssm_record_header(head, RAW, size);
		result = put(rewrite, head, length, error);
		if (!result)
			result = put(rewrite, change->payload + done, size, error);
		done += size;
	}
	if (!result)
		result = put(rewrite, head, ssm_record_header(head, TERMINATOR, HELD_BYTES), error);
	return result ? result : put_terminator(rewrite, rewrite->stream.header.checksummed, rewrite->offset - start + HELD_BYTES, error);
}

/* The unit whose header the reader has just read. */
static int rewrite_unit(struct rewrite *rewrite, const struct gim_unit *unit, struct gim_error *error)
{
	struct ssm_stream *stream = &rewrite->stream;
	int result = put_header(rewrite, unit->offset, (size_t)(stream->data_offset - unit->offset), error);
	if (result)
		return result;
	if (unit->offset == rewrite->change->offset) {
		result = ssm_skip(stream, error);
		return result ? result : put_payload(rewrite, error);
	}
	rewrite->held_size = 0;
	stream->tap = take;
	stream->tap_user = rewrite;
	result = ssm_skip(stream, error);
	stream->tap = NULL;
	if (!result && rewrite->failed)
		result = gim_fail(error, GIM_E_STOPPED, rewrite->offset, "the output does not take more bytes");
	struct gim_cursor cursor = {.bytes = rewrite->held, .size = HELD_BYTES};
	const uint32_t flags = gim_cursor_u16(&cursor);
	(void)gim_cursor_u32(&cursor);
	const uint64_t unit_size = gim_cursor_u64(&cursor);
	return result ? result : put_terminator(rewrite, flags, unit_size, error);
}

static int put_directory(struct rewrite *rewrite, struct gim_error *error)
{
	const struct ssm_stream *stream = &rewrite->stream;
	struct gim_buffer buffer = {.bytes = NULL};
	ssm_directory_begin(&buffer, stream->directory_count);
	for (uint32_t i = 0; i < stream->directory_count; i++) {
		const struct ssm_directory_entry *entry = &stream->directory[i];
		const bool moved = entry->offset > rewrite->change->offset;
		ssm_directory_entry(&buffer, entry->offset + (moved ? (uint64_t)rewrite->shift : 0), entry->instance, entry->name_crc);
	}
	ssm_directory_seal(&buffer);
	return put_buffer(rewrite, &buffer, error);
}

static int put_footer(struct rewrite *rewrite, struct gim_error *error)
{
	struct gim_buffer buffer = {.bytes = NULL};
	ssm_footer(&buffer, rewrite->offset, running_crc(rewrite), rewrite->stream.directory_count);
	return put_buffer(rewrite, &buffer, error);
}

static int rewrite_rest(struct rewrite *rewrite, struct gim_error *error)
{
	struct ssm_stream *stream = &rewrite->stream;
	struct gim_unit unit;
	int more, result = 0;
	ssm_seek(stream, rewrite->change->offset);
	while (!result && (more = ssm_next(stream, &unit, error))) {
		result = more < 0 ? more : rewrite_unit(rewrite, &unit, error);
		if (unit.offset == rewrite->change->offset)
			rewrite->shift = (int64_t)(rewrite->offset - stream->position);
	}
	if (!result && !stream->no_end_unit)
		result = put_header(rewrite, stream->position - SSM_END_BYTES, SSM_END_BYTES, error);
	if (!result)
		result = put_directory(rewrite, error);
	return result ? result : put_footer(rewrite, error);
}

int ssm_rewrite(struct gim_input *input, const struct ssm_change *change, gim_sink_fn *sink, void *user, struct gim_error *error)
{
	struct rewrite rewrite = {.change = change, .sink = sink, .user = user};
	int result = ssm_open(&rewrite.stream, input, error);
	if (!result && rewrite.stream.header.version != SSM_V2_0)
		result = gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN,
		                  "units of container 1.x cannot be changed in place; convert it to container 2.0 first");
	if (!result)
		result = copy_head(&rewrite, change->offset, error);
	if (!result)
		result = rewrite_rest(&rewrite, error);
	ssm_close(&rewrite.stream);
	return result;
}
