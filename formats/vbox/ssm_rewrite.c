/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A rewrite goes through the units with the reader, and copies the records that it has passed; only a terminator's CRC, a unit header's place and
 * sums, the directory's places and the footer are made anew.
 */
#include "vbox/ssm_rewrite.h"

#include "error.h"
#include "vbox/crc.h"
#include "vbox/ssm_parts.h"
#include "vbox/ssm_write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 256 * 1024, RAW_RECORD_BYTES = 4096, TERMINATOR_REST = SSM_TERMINATOR_BYTES - 2 };

struct rewrite {
	struct ssm_stream stream;
	const struct gim_changes *changes;
	size_t done;                      /* of changes */
	uint64_t ends[GIM_CHANGES_MAX];   /* of the changed units, in the input */
	uint64_t shifts[GIM_CHANGES_MAX]; /* how far what stands behind each changed unit moves, modulo 2^64 */
	gim_sink_fn *sink;
	void *user;
	uint64_t offset;         /* of what is written next */
	uint32_t crc;            /* of all that was written */
	uint8_t *piece;          /* on its way from the input to the output */
	uint64_t copied, passed; /* of the input: how far it was copied, and how far the reader is */
	struct gim_error *error; /* of the copying that the reader has started */
	int failed;              /* how that failed; 0: it did not */
};

static int put(struct rewrite *rewrite, const void *bytes, size_t size, struct gim_error *error)
{
	if (size && rewrite->sink(rewrite->user, bytes, size))
		return gim_fail(error, GIM_E_STOPPED, rewrite->offset, "the output does not take more bytes");
	rewrite->crc = gim_crc32(rewrite->crc, bytes, size);
	rewrite->offset += size;
	return 0;
}

/* The input from `copied` up to `end`, as it is. */
static int copy(struct rewrite *rewrite, uint64_t end, struct gim_error *error)
{
	int result = 0;
	while (!result && rewrite->copied < end) {
		const uint64_t left = end - rewrite->copied;
		const size_t want = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
		size_t got;
		result = gim_input_read(rewrite->stream.input, rewrite->copied, rewrite->piece, want, &got, error);
		if (!result && got < want)
			result = ssm_fail(error, SSM_END_OF_FILE, rewrite->copied + got, "the file became shorter");
		if (!result)
			result = put(rewrite, rewrite->piece, want, error);
		rewrite->copied += want;
	}
	return result;
}

static int begin(struct rewrite *rewrite, struct gim_error *error)
{
	rewrite->piece = malloc(PIECE_BYTES);
	return rewrite->piece ? 0 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
}

int ssm_copy(struct gim_input *input, gim_sink_fn *sink, void *user, struct gim_error *error)
{
	struct rewrite rewrite = {.stream = {.input = input}, .sink = sink, .user = user};
	int result = begin(&rewrite, error);
	if (!result)
		result = copy(&rewrite, input->size, error);
	free(rewrite.piece);
	return result;
}

/* The reader passes records on, and once there is a piece of them it is copied: then it is still in memory. What may be a terminator's rest waits. */
static int pass(void *user, const void *bytes, size_t size)
{
	struct rewrite *rewrite = (struct rewrite *)user;
	(void)bytes;
	rewrite->passed += size;
	if (rewrite->passed - rewrite->copied >= PIECE_BYTES + TERMINATOR_REST)
		rewrite->failed = copy(rewrite, rewrite->copied + PIECE_BYTES, rewrite->error);
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

/* A changed unit's records and terminator, in raw records of a block, as VirtualBox writes them. */
static int put_payload(struct rewrite *rewrite, const struct gim_change *change, struct gim_error *error)
{
	enum { TERMINATOR = 1, RAW = 2 };
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
		result = put(rewrite, head, ssm_record_header(head, TERMINATOR, TERMINATOR_REST), error);
	return result ? result
	              : put_terminator(rewrite, rewrite->stream.header.checksummed, rewrite->offset - start + TERMINATOR_REST, error);
}

/* The unit's records as they are, and a terminator with another CRC. The old one is compared: of two runs of bytes that end alike, the CRCs differ by what the beginnings'
 * difference comes to, so that one sum serves for both. */
static int copy_records(struct rewrite *rewrite, struct gim_error *error)
{
	struct ssm_stream *stream = &rewrite->stream;
	const uint32_t difference = stream->crc ^ rewrite->crc;
	uint8_t rest[TERMINATOR_REST];
	size_t got;
	rewrite->copied = rewrite->passed = stream->data_offset;
	rewrite->error = error;
	stream->tap = pass;
	stream->tap_user = rewrite;
	int result = ssm_skip(stream, error);
	stream->tap = NULL;
	if (rewrite->failed)
		result = rewrite->failed;
	if (!result)
		result = copy(rewrite, stream->position - TERMINATOR_REST, error);
	if (!result)
		result = gim_input_read(stream->input, rewrite->copied, rest, sizeof(rest), &got, error);
	if (!result && got < sizeof(rest))
		result = ssm_fail(error, SSM_END_OF_FILE, rewrite->copied + got, "the file became shorter");
	if (result)
		return result;
	struct gim_cursor cursor = {.bytes = rest, .size = sizeof(rest)};
	const uint32_t flags = gim_cursor_u16(&cursor), stored = gim_cursor_u32(&cursor);
	const uint32_t crc = rewrite->crc ^ gim_crc32_join(difference, 0, rewrite->copied - stream->data_offset);
	if (stream->header.checksummed && stored != crc)
		return ssm_fail(error, SSM_TERMINATOR_CRC, rewrite->copied + 2, "the file up to here has another CRC than 0x%08x", stored);
	return put_terminator(rewrite, flags, stream->position - stream->data_offset, error);
}

/* The unit whose header the reader has just read. */
static int rewrite_unit(struct rewrite *rewrite, const struct gim_unit *unit, struct gim_error *error)
{
	struct ssm_stream *stream = &rewrite->stream;
	const struct gim_change *change = rewrite->done < rewrite->changes->count ? &rewrite->changes->items[rewrite->done] : NULL;
	int result = put_header(rewrite, unit->offset, (size_t)(stream->data_offset - unit->offset), error);
	if (result)
		return result;
	if (!change || unit->offset < change->offset)
		return copy_records(rewrite, error);
	if (unit->offset > change->offset)
		return gim_fail(error, GIM_E_ARGUMENT, change->offset, "no unit that could be changed begins here");
	result = ssm_skip(stream, error);
	if (!result)
		result = put_payload(rewrite, change, error);
	rewrite->ends[rewrite->done] = stream->position;
	rewrite->shifts[rewrite->done++] = rewrite->offset - stream->position;
	return result;
}

/* Where what stood at `offset` of the input has come to. What stood within a changed unit is gone. */
static int moved(const struct rewrite *rewrite, uint64_t *offset, struct gim_error *error)
{
	const struct gim_change *changes = rewrite->changes->items;
	size_t before = 0;
	while (before < rewrite->changes->count && changes[before].offset < *offset)
		before++;
	if (before && *offset < rewrite->ends[before - 1])
		return ssm_fail(error, SSM_DIRECTORY_OFFSET, *offset,
		                "a directory entry points to 0x%" PRIx64 ", within the unit at 0x%" PRIx64, *offset,
		                changes[before - 1].offset);
	*offset += before ? rewrite->shifts[before - 1] : 0;
	return 0;
}

static int put_directory(struct rewrite *rewrite, struct gim_error *error)
{
	const struct ssm_stream *stream = &rewrite->stream;
	struct gim_buffer buffer = {.bytes = NULL};
	int result = 0;
	ssm_directory_begin(&buffer, stream->directory_count);
	for (uint32_t i = 0; !result && i < stream->directory_count; i++) {
		const struct ssm_directory_entry *entry = &stream->directory[i];
		uint64_t offset = entry->offset;
		result = moved(rewrite, &offset, error);
		ssm_directory_entry(&buffer, offset, entry->instance, entry->name_crc);
	}
	ssm_directory_seal(&buffer);
	if (!result)
		return put_buffer(rewrite, &buffer, error);
	gim_buffer_free(&buffer);
	return result;
}

static int put_footer(struct rewrite *rewrite, struct gim_error *error)
{
	struct gim_buffer buffer = {.bytes = NULL};
	ssm_footer(&buffer, rewrite->offset, running_crc(rewrite), rewrite->stream.directory_count);
	return put_buffer(rewrite, &buffer, error);
}

/*
 * Every CRC that is made anew would hide that what it covers was damaged. From the first changed unit on the reader compares all of them; what stands
 * before is only copied, and has the CRC that the unit's header says.
 */
static int check_head(struct rewrite *rewrite, uint32_t stored, struct gim_error *error)
{
	if (!rewrite->stream.header.checksummed || rewrite->crc == stored)
		return 0;
	return ssm_fail(error, SSM_UNIT_RUNNING_CRC, rewrite->offset + 16,
	                "the file up to here has another CRC than 0x%08x, so that it is damaged before this unit", stored);
}

static int rewrite_rest(struct rewrite *rewrite, struct gim_error *error)
{
	struct ssm_stream *stream = &rewrite->stream;
	struct gim_unit unit;
	int more, result = 0;
	bool first = true;
	ssm_seek(stream, rewrite->changes->items[0].offset);
	while (!result && (more = ssm_next(stream, &unit, error))) {
		result = more < 0 ? more : first ? check_head(rewrite, stream->running_crc, error) : 0;
		first = false;
		if (!result)
			result = rewrite_unit(rewrite, &unit, error);
	}
	if (!result && rewrite->done < rewrite->changes->count)
		result = gim_fail(error, GIM_E_ARGUMENT, rewrite->changes->items[rewrite->done].offset,
		                  "no unit that could be changed begins here");
	if (!result && !stream->no_end_unit)
		result = put_header(rewrite, stream->position - SSM_END_BYTES, SSM_END_BYTES, error);
	if (!result)
		result = put_directory(rewrite, error);
	return result ? result : put_footer(rewrite, error);
}

int ssm_rewrite(struct gim_input *input, const struct gim_changes *changes, gim_sink_fn *sink, void *user, struct gim_error *error)
{
	struct rewrite rewrite = {.changes = changes, .sink = sink, .user = user};
	int result = ssm_open(&rewrite.stream, input, error);
	if (!result)
		result = begin(&rewrite, error);
	if (!result)
		result = copy(&rewrite, changes->items[0].offset, error);
	if (!result)
		result = rewrite_rest(&rewrite, error);
	free(rewrite.piece);
	ssm_close(&rewrite.stream);
	return result;
}
