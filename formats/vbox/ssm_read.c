/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading saved states forward: the window over the input, the unit headers and records of 2.0. */
#include "error.h"
#include "vbox/crc.h"
#include "vbox/lzf.h"
#include "vbox/ssm_ahead.h"
#include "vbox/ssm_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW_BYTES = 64 * 1024, FIRST_READ_BYTES = 4 * 1024 };

const char ssm_unit_magic[8] = "\nUnit\n\0";
const char ssm_end_magic[8] = "\nTheEnd";

int ssm_pass_on(struct ssm_stream *stream, struct gim_error *error, int code)
{
	const struct gim_error own = stream->objection;
	stream->objection = (struct gim_error)GIM_ERROR_INIT;
	if (stream->complain)
		return stream->complain(stream->complain_user, &own), 0;
	(void)gim_fail_as(error, &own);
	return code;
}

/*
 * The window.
 */
static int peek_window(struct ssm_stream *stream, size_t size, const uint8_t **bytes, size_t *got, struct gim_error *error)
{
	uint64_t at = stream->position;
	size_t have = 0, start = 0;
	if (at >= stream->window_offset && at - stream->window_offset <= stream->window_size) {
		start = (size_t)(at - stream->window_offset);
		have = stream->window_size - start;
	}
	if (have < size) {
		/* Small reads where we jump about, large ones where we go on. */
		size_t want = have || stream->window_size == WINDOW_BYTES ? WINDOW_BYTES
		              : size > FIRST_READ_BYTES                   ? size
		                                                          : FIRST_READ_BYTES;
		memmove(stream->window, stream->window + start, have);
		stream->window_offset = at;
		stream->window_size = have;
		start = 0;
		if (!stream->input->seekable)
			want = size > have ? size : have;
		size_t more = 0;
		int result = gim_input_read(stream->input, at + have, stream->window + have, want - have, &more, error);
		if (result)
			return result;
		have += more;
		stream->window_size = have;
	}
	*bytes = stream->window + start;
	*got = have;
	return 0;
}

int ssm_peek(struct ssm_stream *stream, size_t size, const uint8_t **bytes, size_t *got, struct gim_error *error)
{
	return stream->ahead ? ssm_ahead_peek(stream->ahead, stream->position, size, bytes, got, error)
	                     : peek_window(stream, size, bytes, got, error);
}

int ssm_take(struct ssm_stream *stream, size_t size, const uint8_t **bytes, const char *what, struct gim_error *error)
{
	size_t got;
	int result = ssm_peek(stream, size, bytes, &got, error);
	if (result)
		return result;
	if (got < size)
		return ssm_fail(error, SSM_END_OF_FILE, stream->position + got, "the file ends within %s: %zu bytes left, %zu needed", what,
		                got, size);
	if (!stream->ahead && !stream->tap)
		stream->crc = gim_crc32(stream->crc, *bytes, size);
	stream->position += size;
	if (stream->tap && stream->tap(stream->tap_user, *bytes, size))
		return gim_fail(error, GIM_E_STOPPED, stream->position, "stopped");
	return 0;
}

/*
 * A wrong CRC says by how much everything after it is off, too: so that one damaged place is one finding, later CRCs are compared with
 * this difference carried on. When the stored CRC was itself the damage, they agree without it.
 */
int ssm_crc_agrees(struct ssm_stream *stream, uint32_t stored, bool *agrees, struct gim_error *error)
{
	if (!stream->ahead) {
		*agrees = stream->tap || stream->crc == stored;
		return 0;
	}
	const uint64_t at = stream->position;
	uint32_t crc;
	int result = ssm_ahead_crc(stream->ahead, at, &crc, error);
	if (result)
		return result;
	const uint32_t difference = crc ^ stored;
	*agrees = difference == gim_crc32_join(stream->known.difference, 0, at - stream->known.at);
	if (!*agrees && stream->suspected.difference &&
	    difference == gim_crc32_join(stream->suspected.difference, 0, at - stream->suspected.at)) {
		*agrees = true;
		stream->known = stream->suspected;
	}
	stream->suspected.difference = *agrees ? 0 : difference;
	stream->suspected.at = at;
	return 0;
}

int ssm_begin(struct ssm_stream *stream, struct gim_input *input, struct gim_error *error)
{
	*stream = (struct ssm_stream){.input = input, .end = input->size, .objection = GIM_ERROR_INIT};
	stream->window = malloc(WINDOW_BYTES);
	stream->block = malloc(SSM_BLOCK_MAX);
	return stream->window && stream->block ? 0 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
}

void ssm_close(struct ssm_stream *stream)
{
	ssm_v1_close(stream);
	ssm_ahead_free(stream->ahead);
	free(stream->window);
	free(stream->block);
	free(stream->directory);
	*stream = (struct ssm_stream){.input = NULL};
}

void ssm_seek(struct ssm_stream *stream, uint64_t offset)
{
	stream->position = offset;
	stream->in_unit = stream->finished = false;
}

/*
 * Unit headers of 2.0.
 */
struct unit_header {
	uint64_t offset;
	uint32_t running_crc, crc, flags, name_size;
	bool end;
};

static int end_units(struct ssm_stream *stream, const struct gim_unit *unit, const struct unit_header *header, struct gim_error *error)
{
	const uint8_t *bytes;
	if (unit->version || unit->instance || unit->pass != GIM_PASS_FINAL)
		return ssm_object(stream, error, SSM_END_UNIT, header->offset + 24,
		                  "the header that ends the units says version %u, instance %u, pass %u", unit->version, unit->instance,
		                  unit->pass);
	return ssm_take(stream, SSM_END_BYTES, &bytes, "the header that ends the units", error);
}

/* The fields of a header after its magic; bytes hold `size` of the file, as many as the longest header or all that is left. */
static int parse_header(struct ssm_stream *stream, struct unit_header *header, struct gim_unit *unit, const uint8_t *bytes, size_t size,
                        struct gim_error *error)
{
	struct gim_cursor cursor = {.bytes = bytes, .size = SSM_UNIT_HEADER_BYTES, .position = 8};
	const uint64_t at = header->offset, own = gim_cursor_u64(&cursor);
	header->running_crc = gim_cursor_u32(&cursor);
	header->crc = gim_cursor_u32(&cursor);
	unit->version = gim_cursor_u32(&cursor);
	unit->instance = gim_cursor_u32(&cursor);
	unit->pass = gim_cursor_u32(&cursor);
	header->flags = gim_cursor_u32(&cursor);
	header->name_size = gim_cursor_u32(&cursor);
	const size_t whole = SSM_UNIT_HEADER_BYTES + (size_t)header->name_size;
	if (header->name_size > SSM_NAME_MAX || (header->end && header->name_size))
		return ssm_fail(error, header->end ? SSM_END_UNIT : SSM_UNIT_NAME, at + 40, "a unit name of %u bytes is impossible",
		                header->name_size);
	if (whole > size)
		return ssm_fail(error, SSM_END_OF_FILE, at + size, "the file ends within a unit's name");
	if (header->name_size && bytes[whole - 1])
		return ssm_fail(error, SSM_UNIT_NAME, at + SSM_UNIT_HEADER_BYTES, "the unit's name is not terminated");
	const uint32_t computed = ssm_crc_without(bytes, whole, 20);
	if (header->crc != computed)
		return ssm_fail(error, SSM_UNIT_CRC, at + 20, "the unit header's CRC is 0x%08x, but its bytes give 0x%08x", header->crc,
		                computed);
	memcpy(unit->name, bytes + SSM_UNIT_HEADER_BYTES, header->name_size);
	if (own != at)
		return ssm_object(stream, error, SSM_UNIT_OFFSET, at + 8, "the unit header says that it is at 0x%" PRIx64, own);
	return 0;
}

static int check_header(struct ssm_stream *stream, const struct unit_header *header, struct gim_error *error)
{
	const uint64_t at = header->offset;
	bool agrees = true;
	int result = 0;
	if (stream->ahead && stream->header.checksummed)
		result = ssm_crc_agrees(stream, header->running_crc, &agrees, error);
	if (!result && !agrees)
		result = ssm_object(stream, error, SSM_UNIT_RUNNING_CRC, at + 16, "the file up to here has another CRC than 0x%08x",
		                    header->running_crc);
	if (!result && header->flags)
		result = ssm_object(stream, error, SSM_UNIT_FLAGS, at + 36, "the unit's flags are 0x%x", header->flags);
	if (!result && !header->end && header->name_size < 2)
		result = ssm_fail(error, SSM_UNIT_NAMELESS, at + 40, "the unit has no name");
	return result;
}

static int next_v2(struct ssm_stream *stream, struct gim_unit *unit, struct gim_error *error)
{
	struct unit_header header = {.offset = stream->position};
	const uint8_t *bytes;
	size_t got;
	int result = ssm_peek(stream, SSM_UNIT_HEADER_BYTES + SSM_NAME_MAX, &bytes, &got, error);
	if (result)
		return result;
	if (got >= 8 && !memcmp(bytes, ssm_directory_magic, 8)) {
		stream->no_end_unit = true; /* written through the write API */
		return 0;
	}
	if (got < SSM_UNIT_HEADER_BYTES)
		return ssm_fail(error, SSM_END_OF_FILE, header.offset + got, "the file ends where a unit header is expected");
	header.end = !memcmp(bytes, ssm_end_magic, 8);
	if (!header.end && memcmp(bytes, ssm_unit_magic, 8) != 0)
		return ssm_fail(error, SSM_UNIT_MAGIC, header.offset, "neither a unit's magic nor the end's");
	*unit = (struct gim_unit){.offset = header.offset, .stored_bytes = GIM_UNKNOWN, .payload_bytes = GIM_UNKNOWN};
	result = parse_header(stream, &header, unit, bytes, got, error);
	if (!result)
		result = check_header(stream, &header, error);
	if (result)
		return result;
	if (header.end)
		return end_units(stream, unit, &header, error);
	stream->crc = stream->running_crc = header.running_crc;
	result = ssm_take(stream, SSM_UNIT_HEADER_BYTES + header.name_size, &bytes, "a unit header", error);
	stream->in_unit = true;
	stream->finished = false;
	stream->data_offset = stream->position;
	stream->payload_bytes = 0;
	stream->raw_left = 0;
	stream->empty = false;
	stream->block_at = stream->block_size = 0;
	return result ? result : 1;
}

/*
 * Records of 2.0.
 */
int ssm_record_parse(const uint8_t *bytes, size_t got, uint64_t at, struct ssm_record *record, struct gim_error *error)
{
	static const uint32_t least[] = {0, 0, 0, 0, 0x10000, 0x200000, 0x4000000};
	if (got && ((bytes[0] & 0xe0) != 0x80 || !(bytes[0] & 0xf) || (bytes[0] & 0xf) > 5))
		return ssm_fail(error, SSM_RECORD, at, "0x%02x begins no record", bytes[0]);
	unsigned length = 1; /* of the size */
	if (got > 1 && bytes[1] & 0x80)
		for (length = 2; length < SSM_RECORD_HEAD_MAX && bytes[1] & 0x80u >> length;)
			length++;
	if (length == SSM_RECORD_HEAD_MAX)
		return ssm_fail(error, SSM_RECORD, at + 1, "0x%02x cannot begin a record's size", bytes[1]);
	if (got < 1 + length)
		return ssm_fail(error, SSM_END_OF_FILE, at + got, "the file ends within a record header");
	uint32_t size = bytes[1];
	if (length > 1)
		size &= 0x7fu >> length;
	for (unsigned i = 2; i <= length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return ssm_fail(error, SSM_RECORD, at + i, "0x%02x cannot continue a record's size", bytes[i]);
		size = size << 6 | (bytes[i] & 0x3f);
	}
	if (size < least[length])
		return ssm_fail(error, SSM_RECORD, at + 1, "the record's size is written longer than it need be");
	*record = (struct ssm_record){.lead = bytes[0], .head = (uint8_t)(1 + length), .size = size};
	return 0;
}

/* What begins a record: its type, and its size. Takes both. */
static int record_header(struct ssm_stream *stream, uint8_t *lead, uint32_t *size, struct gim_error *error)
{
	struct ssm_record record = {.lead = 0};
	const uint8_t *bytes;
	size_t got;
	int result = ssm_peek(stream, SSM_RECORD_HEAD_MAX, &bytes, &got, error);
	if (!result)
		result = ssm_record_parse(bytes, got, stream->position, &record, error);
	*lead = record.lead;
	*size = record.size;
	return result ? result : ssm_take(stream, record.head, &bytes, "a record header", error);
}

static int read_terminator(struct ssm_stream *stream, uint64_t at, uint8_t lead, uint32_t size, struct gim_error *error)
{
	const uint8_t *bytes;
	bool agrees = true;
	size_t got;
	if (size != SSM_TERMINATOR_BYTES - 2 || lead != 0x91)
		return ssm_fail(error, SSM_TERMINATOR, at, "a terminator of type 0x%02x with %u bytes, where 0x91 with %d is expected",
		                lead, size, SSM_TERMINATOR_BYTES - 2);
	int result = ssm_peek(stream, size, &bytes, &got, error);
	if (result)
		return result;
	if (got < size)
		return ssm_fail(error, SSM_END_OF_FILE, stream->position + got, "the file ends within a terminator");
	struct gim_cursor cursor = {.bytes = bytes, .size = size};
	const uint32_t flags = gim_cursor_u16(&cursor), crc = gim_cursor_u32(&cursor);
	const uint64_t unit_size = gim_cursor_u64(&cursor), actual = stream->position + size - stream->data_offset;
	if (flags & ~1u || (crc && !flags) || unit_size != actual)
		result = ssm_object(stream, error, SSM_TERMINATOR, at,
		                    "the terminator says %" PRIu64 " bytes, flags 0x%x and CRC 0x%08x; there are %" PRIu64 " bytes",
		                    unit_size, flags, crc, actual);
	/* Without the flag the field is zero in a file that has CRCs, and VirtualBox compares it. */
	if (!result && stream->header.checksummed)
		result = ssm_crc_agrees(stream, crc, &agrees, error);
	if (!result && !agrees)
		result = ssm_object(stream, error, SSM_TERMINATOR_CRC, at + 4, "the file up to here has another CRC than 0x%08x", crc);
	if (!result)
		result = ssm_take(stream, size, &bytes, "a terminator", error);
	stream->finished = !result;
	return result;
}

/* Put off the check of packed data right before the position, when nobody wants what they expand to. */
static bool put_off(struct ssm_stream *stream, size_t size, size_t unpacked)
{
	return stream->skipping && stream->put_off && ssm_ahead_check_later(stream->ahead, stream->position - size, size, unpacked);
}

/* Expand an LZF or zero record of `size` bytes into the block. */
static int unpack(struct ssm_stream *stream, uint64_t at, unsigned type, uint32_t size, struct gim_error *error)
{
	const bool zero = type == SSM_ZERO;
	const uint8_t *bytes;
	if (size < (zero ? 1 : 2) || size > (zero ? 1 : 4098))
		return ssm_fail(error, SSM_UNPACK, at, "a%s record of %u bytes is impossible", zero ? " zero" : "n LZF", size);
	int result = ssm_take(stream, size, &bytes, "a record", error);
	if (result)
		return result;
	const size_t unpacked = (size_t)bytes[0] * 1024;
	if (unpacked > 4096 || (!zero && unpacked < size - 1))
		return ssm_object(stream, error, SSM_UNPACK, at, "a record of %u bytes that would expand to %zu", size, unpacked);
	if (zero && !stream->skipping)
		memset(stream->block, 0, unpacked);
	if (!zero && !stream->tap && !put_off(stream, size - 1, unpacked) && !gim_lzf_decode(bytes + 1, size - 1, stream->block, unpacked))
		result = ssm_object(stream, error, SSM_UNPACK, at, "LZF data that does not expand to %zu bytes", unpacked);
	stream->block_at = 0;
	stream->block_size = result ? 0 : unpacked;
	stream->empty = !unpacked;
	return result;
}

static int next_record(struct ssm_stream *stream, struct gim_error *error)
{
	const uint64_t at = stream->position;
	uint8_t lead = 0;
	uint32_t size = 0;
	int result = record_header(stream, &lead, &size, error);
	if (result)
		return result;
	const unsigned type = lead & 0xf;
	switch (type) {
	case SSM_TERMINATOR_RECORD:
		return read_terminator(stream, at, lead, size, error);
	case SSM_RAW:
		stream->raw_left = size;
		stream->empty = !size;
		return 0;
	case SSM_NAMED:
		return ssm_fail(error, SSM_RECORD_NAMED, at, "a named record: no release writes or reads them");
	default:
		return unpack(stream, at, type, size, error);
	}
}

static int read_v2(struct ssm_stream *stream, uint8_t *bytes, size_t size, size_t *got, struct gim_error *error)
{
	int result = 0;
	*got = 0;
	while (!result && *got < size && !stream->finished) {
		size_t step = size - *got;
		if (stream->block_at < stream->block_size) {
			size_t left = stream->block_size - stream->block_at;
			step = step < left ? step : left;
			memcpy(bytes + *got, stream->block + stream->block_at, step);
			stream->block_at += step;
			*got += step;
		} else if (stream->raw_left) {
			const uint8_t *raw;
			step = step < stream->raw_left ? step : stream->raw_left;
			step = step < WINDOW_BYTES / 2 ? step : WINDOW_BYTES / 2;
			result = ssm_take(stream, step, &raw, "a raw record", error);
			if (result)
				break;
			memcpy(bytes + *got, raw, step);
			stream->raw_left -= (uint32_t)step;
			*got += step;
		} else {
			result = next_record(stream, error);
		}
	}
	return result;
}

int ssm_read(struct ssm_stream *stream, uint8_t *bytes, size_t size, size_t *got, struct gim_error *error)
{
	int result =
	    stream->header.version == SSM_V2_0 ? read_v2(stream, bytes, size, got, error) : ssm_v1_read(stream, bytes, size, got, error);
	stream->payload_bytes += *got;
	return result;
}

/* Raw bytes need only be looked at when nothing else reads them. */
static int skip_raw(struct ssm_stream *stream, struct gim_error *error)
{
	const uint8_t *bytes;
	size_t step = stream->raw_left, got;
	if (!stream->ahead) {
		step = step < WINDOW_BYTES / 2 ? step : WINDOW_BYTES / 2;
		int result = ssm_take(stream, step, &bytes, "a raw record", error);
		if (result)
			return result;
	} else {
		stream->position += step - 1;
		int result = ssm_peek(stream, 1, &bytes, &got, error);
		stream->position++;
		if (result || !got)
			return result ? result : ssm_fail(error, SSM_END_OF_FILE, stream->position, "the file ends within a raw record");
	}
	stream->raw_left -= (uint32_t)step;
	stream->payload_bytes += step;
	return 0;
}

/*
 * The many records of memory that nobody wants the content of, as far as they are visible at once and in VirtualBox's own form; whatever is not goes
 * the long way. Nothing is judged here but what next_record would let pass, too.
 */
static int skip_plain_records(struct ssm_stream *stream, struct gim_error *error)
{
	enum { RAW = 0x92, LZF = 0x93, ZERO = 0x94, HEAD = 4, RECORDS_AHEAD = 4 };
	const uint8_t *bytes;
	size_t left;
	int result = ssm_peek(stream, HEAD, &bytes, &left, error);
	const uint8_t *at = bytes, *const end = bytes + left;
	while (!result && end - at > HEAD) {
		uint32_t size = at[1];
		size_t head = 2;
		if ((size & 0xf0) == 0xe0 && (at[2] & 0xc0) == 0x80 && (at[3] & 0xc0) == 0x80) {
			size = (size & 0xf) << 12 | (uint32_t)(at[2] & 0x3f) << 6 | (at[3] & 0x3f);
			head = 4;
		} else if (size & 0x80) {
			break;
		}
		if (size > (size_t)(end - at) - head || !size)
			break;
		const uint8_t *data = at + head;
		if (at[0] == RAW) {
			/* The next records are likely to be of the same size. */
			__builtin_prefetch(at + RECORDS_AHEAD * (head + size));
			stream->payload_bytes += size;
		} else if (at[0] == ZERO && size == 1 && data[0] <= 4) {
			stream->payload_bytes += data[0] * 1024u;
		} else if (at[0] == LZF && size >= 2 && data[0] <= 4 && data[0] * 1024u >= size - 1 &&
		           ssm_ahead_check_later(stream->ahead, stream->position + (size_t)(data + 1 - bytes), size - 1, data[0] * 1024u)) {
			stream->payload_bytes += data[0] * 1024u;
		} else {
			break;
		}
		at = data + size;
	}
	stream->position += (size_t)(at - bytes);
	return result;
}

int ssm_skip(struct ssm_stream *stream, struct gim_error *error)
{
	uint8_t scratch[4096];
	size_t got = 1;
	int result = 0;
	if (stream->header.version != SSM_V2_0) {
		while (!result && got)
			result = ssm_read(stream, scratch, sizeof(scratch), &got, error);
		return result;
	}
	stream->skipping = true;
	while (!result && !stream->finished)
		if (stream->block_at < stream->block_size) {
			stream->payload_bytes += stream->block_size - stream->block_at;
			stream->block_at = stream->block_size;
		} else if (stream->raw_left) {
			result = skip_raw(stream, error);
		} else {
			if (stream->put_off)
				result = skip_plain_records(stream, error);
			result = result ? result : next_record(stream, error);
		}
	stream->skipping = false;
	return result;
}

int ssm_next(struct ssm_stream *stream, struct gim_unit *unit, struct gim_error *error)
{
	const bool skip = stream->header.version == SSM_V2_0 || !stream->input->seekable;
	int result = stream->in_unit && skip ? ssm_skip(stream, error) : 0;
	if (result)
		return result;
	return stream->header.version == SSM_V2_0 ? next_v2(stream, unit, error) : ssm_v1_next(stream, unit, error);
}
