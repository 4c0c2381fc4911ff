/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading saved states forward: the window over the input, headers, records; and the directory of a 2.0 file that can be seeked. */
#include "vbox/ssm.h"

#include "error.h"
#include "vbox/crc.h"
#include "vbox/lzf.h"
#include "vbox/ssm_v1.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW_BYTES = 64 * 1024, FIRST_READ_BYTES = 4 * 1024 };

static const char magic_common[] = "\177VirtualBox SavedState ";
static const struct {
	const char *text;
	enum ssm_version version;
} magics[] = {{"V2.0\n\0\0\0", SSM_V2_0}, {"V1.2\n\0\0\0", SSM_V1_2}, {"V1.1\n\0\0\0", SSM_V1_1}};
enum { MAGIC_BYTES = 32, COMMON_BYTES = 23 };

static const char unit_magic[8] = "\nUnit\n\0";
static const char end_magic[8] = "\nTheEnd";
static const char directory_magic[8] = "\nDir\n\0\0";
static const char footer_magic[8] = "\nFooter";

/*
 * The window.
 */
/* Make at least size bytes (at most WINDOW_BYTES) visible at the position; *got: how many there are, fewer only at the end. */
int ssm_peek(struct ssm_stream *stream, size_t size, const uint8_t **bytes, size_t *got, struct gim_error *error)
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

/* size bytes at the position, which moves behind them. */
int ssm_take(struct ssm_stream *stream, size_t size, const uint8_t **bytes, const char *what, struct gim_error *error)
{
	size_t got;
	int result = ssm_peek(stream, size, bytes, &got, error);
	if (result)
		return result;
	if (got < size)
		return gim_fail(error, GIM_E_TRUNCATED, stream->position + got, "the file ends within %s: %zu bytes left, %zu needed", what,
		                got, size);
	stream->crc = gim_crc32(stream->crc, *bytes, size);
	stream->position += size;
	return 0;
}

/*
 * The file header.
 */
static int check_magic(const uint8_t *bytes, size_t size, enum ssm_version *version, struct gim_error *error)
{
	if (size < MAGIC_BYTES || memcmp(bytes, magic_common, COMMON_BYTES) != 0)
		return gim_fail(error, GIM_E_FORMAT, 0, "this is no VirtualBox saved state: its magic is missing");
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (!memcmp(bytes + COMMON_BYTES, magics[i].text, 8) && bytes[31] == 0) {
			*version = magics[i].version;
			return 0;
		}
	return gim_fail(error, GIM_E_VERSION, COMMON_BYTES, "container version %.4s: 1.1, 1.2 and 2.0 are known",
	                (const char *)bytes + COMMON_BYTES);
}

/* CRC of bytes in which the four at crc_offset count as zero. */
static uint32_t crc_without(const uint8_t *bytes, size_t size, size_t crc_offset)
{
	static const uint8_t zeros[4];
	uint32_t crc = gim_crc32(0, bytes, crc_offset);
	crc = gim_crc32(crc, zeros, 4);
	return gim_crc32(crc, bytes + crc_offset + 4, size - crc_offset - 4);
}

static int read_header_v2(struct ssm_header *header, const uint8_t *bytes, struct gim_error *error)
{
	struct gim_cursor cursor = {.bytes = bytes, .size = SSM_HEADER_BYTES, .position = MAGIC_BYTES};
	header->major = gim_cursor_u16(&cursor);
	header->minor = gim_cursor_u16(&cursor);
	header->build = gim_cursor_u32(&cursor);
	header->revision = gim_cursor_u32(&cursor);
	header->host_bits = gim_cursor_u8(&cursor);
	header->address_bytes = gim_cursor_u8(&cursor);
	header->pointer_bytes = gim_cursor_u8(&cursor);
	uint8_t reserved = gim_cursor_u8(&cursor);
	header->units = gim_cursor_u32(&cursor);
	uint32_t flags = gim_cursor_u32(&cursor), block = gim_cursor_u32(&cursor), crc = gim_cursor_u32(&cursor);
	uint32_t computed = crc_without(bytes, SSM_HEADER_BYTES, 60);
	header->checksummed = flags & 1;
	header->live = flags & 2;
	header->size_bytes = SSM_HEADER_BYTES;
	if (crc != computed)
		return gim_fail(error, GIM_E_CORRUPT, 60, "the file header's CRC is 0x%08x, but its bytes give 0x%08x", crc, computed);
	if (reserved || flags & ~3u)
		return gim_fail(error, GIM_E_CORRUPT, reserved ? 47 : 52, "reserved bits are set in the file header");
	if (block < 1024 || block > 4096 || block % 256)
		return gim_fail(error, GIM_E_CORRUPT, 56, "block size %u: 1024 to 4096 in steps of 256 are possible", block);
	return 0;
}

static int check_sizes(const struct ssm_header *header, struct gim_error *error)
{
	if (header->version == SSM_V1_1)
		return 0; /* has none */
	if (header->major < 1 || header->major > 1000 || header->minor > 1000 || header->build > 1048576 || header->revision < 1 ||
	    header->revision > 10000000)
		return gim_fail(error, GIM_E_CORRUPT, 32, "product version %u.%u.%u r%u is impossible", header->major, header->minor,
		                header->build, header->revision);
	if ((header->host_bits != 32 && header->host_bits != 64) || (header->address_bytes != 4 && header->address_bytes != 8) ||
	    (header->pointer_bytes != 4 && header->pointer_bytes != 8))
		return gim_fail(error, GIM_E_CORRUPT, 44, "host of %u bits, addresses of %u and pointers of %u bytes are impossible",
		                header->host_bits, header->address_bytes, header->pointer_bytes);
	return 0;
}

/*
 * Footer and directory.
 */
static int read_at(struct ssm_stream *stream, uint64_t offset, void *bytes, size_t size, const char *what, struct gim_error *error)
{
	size_t got;
	int result = gim_input_read(stream->input, offset, bytes, size, &got, error);
	if (!result && got < size)
		result = gim_fail(error, GIM_E_TRUNCATED, offset + got, "the file ends within %s", what);
	return result;
}

static int read_directory(struct ssm_stream *stream, uint64_t footer_offset, uint32_t count, struct gim_error *error)
{
	const size_t size = 16 + (size_t)count * SSM_DIRECTORY_ENTRY_BYTES;
	if (count >= 65536 || size > footer_offset)
		return gim_fail(error, GIM_E_CORRUPT, footer_offset + 20, "a directory of %u entries is impossible", count);
	const uint64_t offset = footer_offset - size;
	uint8_t *bytes = malloc(size);
	struct ssm_directory_entry *entries = calloc(count ? count : 1, sizeof(*entries));
	int result = bytes && entries ? read_at(stream, offset, bytes, size, "the directory", error)
	                              : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	struct gim_cursor cursor = {.bytes = bytes, .size = size, .position = 8};
	if (!result && memcmp(bytes, directory_magic, 8) != 0)
		result = gim_fail(error, GIM_E_CORRUPT, offset, "the directory's magic is missing");
	if (!result && gim_cursor_u32(&cursor) != crc_without(bytes, size, 8))
		result = gim_fail(error, GIM_E_CORRUPT, offset + 8, "the directory's CRC is wrong");
	if (!result && gim_cursor_u32(&cursor) != count)
		result = gim_fail(error, GIM_E_CORRUPT, offset + 12, "directory and footer count different numbers of entries");
	for (uint32_t i = 0; !result && i < count; i++) {
		entries[i].offset = gim_cursor_u64(&cursor);
		entries[i].instance = gim_cursor_u32(&cursor);
		entries[i].name_crc = gim_cursor_u32(&cursor);
	}
	free(bytes);
	if (result) {
		free(entries);
		return result;
	}
	stream->directory = entries;
	stream->directory_count = count;
	stream->end = offset;
	return 0;
}

static int read_footer(struct ssm_stream *stream, struct gim_error *error)
{
	uint8_t bytes[SSM_FOOTER_BYTES];
	if (stream->input->size < SSM_HEADER_BYTES + SSM_FOOTER_BYTES)
		return gim_fail(error, GIM_E_TRUNCATED, stream->input->size, "the file ends before its footer");
	const uint64_t offset = stream->input->size - SSM_FOOTER_BYTES;
	int result = read_at(stream, offset, bytes, sizeof(bytes), "the footer", error);
	if (result)
		return result;
	struct gim_cursor cursor = {.bytes = bytes, .size = sizeof(bytes), .position = 8};
	uint64_t own = gim_cursor_u64(&cursor);
	uint32_t stream_crc = gim_cursor_u32(&cursor), count = gim_cursor_u32(&cursor), reserved = gim_cursor_u32(&cursor);
	if (memcmp(bytes, footer_magic, 8) != 0)
		return gim_fail(error, GIM_E_CORRUPT, offset, "the footer is missing: the file is truncated, or bytes follow it");
	if (own != offset || reserved || (stream_crc && !stream->header.checksummed))
		return gim_fail(error, GIM_E_CORRUPT, offset, "the footer is malformed");
	if (gim_cursor_u32(&cursor) != crc_without(bytes, sizeof(bytes), 28))
		return gim_fail(error, GIM_E_CORRUPT, offset + 28, "the footer's CRC is wrong");
	return read_directory(stream, offset, count, error);
}

int ssm_open(struct ssm_stream *stream, struct gim_input *input, struct gim_error *error)
{
	*stream = (struct ssm_stream){.input = input, .end = input->size};
	stream->window = malloc(WINDOW_BYTES);
	stream->block = malloc(SSM_BLOCK_MAX);
	const uint8_t *bytes;
	size_t got = 0;
	int result = stream->window && stream->block ? 0 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (!result)
		result = ssm_peek(stream, SSM_HEADER_BYTES, &bytes, &got, error);
	if (!result)
		result = check_magic(bytes, got, &stream->header.version, error);
	if (!result && got < SSM_HEADER_BYTES)
		result = gim_fail(error, GIM_E_TRUNCATED, got, "the file ends within its header");
	if (!result)
		result = stream->header.version == SSM_V2_0 ? read_header_v2(&stream->header, bytes, error) : ssm_v1_header(stream, error);
	if (!result)
		result = check_sizes(&stream->header, error);
	if (!result) {
		stream->position = 0;
		result = ssm_take(stream, stream->header.size_bytes, &bytes, "its header", error);
	}
	if (!result && stream->header.version == SSM_V2_0 && input->seekable)
		result = read_footer(stream, error);
	return result;
}

void ssm_close(struct ssm_stream *stream)
{
	ssm_v1_close(stream);
	free(stream->window);
	free(stream->block);
	free(stream->directory);
	*stream = (struct ssm_stream){.input = NULL};
}

/*
 * Units and records of 2.0.
 */
void ssm_seek(struct ssm_stream *stream, uint64_t offset)
{
	stream->position = offset;
	stream->in_unit = stream->finished = false;
}

static int unit_header_v2(struct ssm_stream *stream, struct gim_unit *unit, struct gim_error *error)
{
	const uint64_t offset = stream->position;
	const uint8_t *bytes;
	size_t got;
	int result = ssm_peek(stream, SSM_UNIT_HEADER_BYTES + SSM_NAME_MAX, &bytes, &got, error);
	if (result)
		return result;
	if (got >= 8 && !memcmp(bytes, directory_magic, 8))
		return 0; /* written through the write API: no END unit */
	if (got < SSM_UNIT_HEADER_BYTES)
		return gim_fail(error, GIM_E_TRUNCATED, offset + got, "the file ends where a unit header is expected");
	bool end = !memcmp(bytes, end_magic, 8);
	if (!end && memcmp(bytes, unit_magic, 8) != 0)
		return gim_fail(error, GIM_E_CORRUPT, offset, "neither a unit's magic nor the end's");
	struct gim_cursor cursor = {.bytes = bytes, .size = SSM_UNIT_HEADER_BYTES, .position = 8};
	uint64_t own = gim_cursor_u64(&cursor);
	uint32_t running = gim_cursor_u32(&cursor), crc = gim_cursor_u32(&cursor);
	*unit = (struct gim_unit){.offset = offset, .stored_bytes = GIM_UNKNOWN, .payload_bytes = GIM_UNKNOWN};
	unit->version = gim_cursor_u32(&cursor);
	unit->instance = gim_cursor_u32(&cursor);
	unit->pass = gim_cursor_u32(&cursor);
	uint32_t flags = gim_cursor_u32(&cursor), name_size = gim_cursor_u32(&cursor);
	if (name_size > SSM_NAME_MAX || (end ? name_size != 0 : name_size < 2) || SSM_UNIT_HEADER_BYTES + name_size > got)
		return gim_fail(error, GIM_E_CORRUPT, offset + 40, "a unit name of %u bytes is impossible", name_size);
	if (name_size && bytes[SSM_UNIT_HEADER_BYTES + name_size - 1])
		return gim_fail(error, GIM_E_CORRUPT, offset + 44, "the unit's name is not terminated");
	if (crc != crc_without(bytes, SSM_UNIT_HEADER_BYTES + name_size, 20))
		return gim_fail(error, GIM_E_CORRUPT, offset + 20, "the unit header's CRC is wrong");
	if (own != offset || flags)
		return gim_fail(error, GIM_E_CORRUPT, offset + 8, "the unit header says offset 0x%" PRIx64 ", flags 0x%x", own, flags);
	memcpy(unit->name, bytes + SSM_UNIT_HEADER_BYTES, name_size);
	if (end)
		return 0;
	stream->crc = running;
	result = ssm_take(stream, SSM_UNIT_HEADER_BYTES + name_size, &bytes, "a unit header", error);
	stream->in_unit = true;
	stream->finished = false;
	stream->data_offset = stream->position;
	stream->payload_bytes = 0;
	stream->raw_left = 0;
	stream->block_at = stream->block_size = 0;
	return result ? result : 1;
}

/* A record's size: UTF-8 stretched to 31 bits, as leniently as VirtualBox reads it. */
static int record_size(struct ssm_stream *stream, uint32_t *size, struct gim_error *error)
{
	static const uint32_t least[] = {0, 0, 0, 0, 0x10000, 0x200000, 0x4000000};
	const uint64_t at = stream->position;
	const uint8_t *bytes;
	int result = ssm_take(stream, 1, &bytes, "a record header", error);
	if (result)
		return result;
	uint32_t lead = bytes[0];
	if (lead < 0x80) {
		*size = lead;
		return 0;
	}
	unsigned length = 2;
	while (length < 7 && lead & 0x80u >> length)
		length++;
	if (length == 7)
		return gim_fail(error, GIM_E_CORRUPT, at, "0x%02x cannot begin a record's size", lead);
	uint32_t value = lead & (0x7fu >> length);
	result = ssm_take(stream, length - 1, &bytes, "a record header", error);
	for (unsigned i = 0; !result && i < length - 1; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return gim_fail(error, GIM_E_CORRUPT, at, "0x%02x cannot continue a record's size", bytes[i]);
		value = value << 6 | (bytes[i] & 0x3f);
	}
	if (!result && value < least[length])
		return gim_fail(error, GIM_E_CORRUPT, at, "the record's size is written longer than it need be");
	*size = value;
	return result;
}

static int read_terminator(struct ssm_stream *stream, uint64_t at, uint8_t lead, uint32_t size, struct gim_error *error)
{
	const uint32_t expected = stream->crc;
	const uint8_t *bytes;
	if (size != SSM_TERMINATOR_BYTES - 2 || lead != 0x91)
		return gim_fail(error, GIM_E_CORRUPT, at, "a malformed terminator");
	int result = ssm_take(stream, size, &bytes, "a terminator", error);
	if (result)
		return result;
	struct gim_cursor cursor = {.bytes = bytes, .size = size};
	uint32_t flags = gim_cursor_u16(&cursor), crc = gim_cursor_u32(&cursor);
	uint64_t unit_size = gim_cursor_u64(&cursor);
	if (flags & ~1u || (crc && !flags) || unit_size != stream->position - stream->data_offset)
		return gim_fail(error, GIM_E_CORRUPT, at, "the terminator says %" PRIu64 " bytes and flags 0x%x; there are %" PRIu64,
		                unit_size, flags, stream->position - stream->data_offset);
	if (stream->header.checksummed && flags && crc != expected)
		return gim_fail(error, GIM_E_CORRUPT, at + 4, "the unit's CRC is 0x%08x, but its bytes give 0x%08x", crc, expected);
	stream->finished = true;
	return 0;
}

static int next_record(struct ssm_stream *stream, struct gim_error *error)
{
	const uint64_t at = stream->position;
	const uint8_t *bytes;
	int result = ssm_take(stream, 1, &bytes, "a record header", error);
	if (result)
		return result;
	const uint8_t lead = bytes[0], type = lead & 0x0f;
	uint32_t size = 0;
	if ((lead & 0xe0) != 0x80 || type < 1 || type > 5)
		return gim_fail(error, GIM_E_CORRUPT, at, "0x%02x begins no record", lead);
	result = record_size(stream, &size, error);
	if (result)
		return result;
	if (type == 1)
		return read_terminator(stream, at, lead, size, error);
	if (type == 5)
		return gim_fail(error, GIM_E_CORRUPT, at, "a named record: no release writes or reads them");
	if (type == 2) {
		stream->raw_left = size;
		return 0;
	}
	if (size < (type == 3 ? 2 : 1) || size > (type == 3 ? 4098 : 1))
		return gim_fail(error, GIM_E_CORRUPT, at, "a%s record of %u bytes is impossible", type == 3 ? "n LZF" : " zero", size);
	result = ssm_take(stream, size, &bytes, "a record", error);
	if (result)
		return result;
	const size_t unpacked = (size_t)bytes[0] * 1024;
	if (unpacked > 4096 || (type == 3 && unpacked < size - 1))
		return gim_fail(error, GIM_E_CORRUPT, at, "a record that would expand to %zu bytes", unpacked);
	if (type == 4)
		memset(stream->block, 0, unpacked);
	else if (!gim_lzf_decode(bytes + 1, size - 1, stream->block, unpacked))
		return gim_fail(error, GIM_E_CORRUPT, at, "LZF data that does not expand to %zu bytes", unpacked);
	stream->block_at = 0;
	stream->block_size = unpacked;
	return 0;
}

static int read_v2(struct ssm_stream *stream, uint8_t *bytes, size_t size, size_t *got, struct gim_error *error)
{
	size_t done = 0;
	while (done < size && !stream->finished) {
		size_t step = size - done;
		if (stream->block_at < stream->block_size) {
			size_t left = stream->block_size - stream->block_at;
			step = step < left ? step : left;
			memcpy(bytes + done, stream->block + stream->block_at, step);
			stream->block_at += step;
		} else if (stream->raw_left) {
			const uint8_t *raw;
			step = step < stream->raw_left ? step : stream->raw_left;
			step = step < WINDOW_BYTES / 2 ? step : WINDOW_BYTES / 2;
			int result = ssm_take(stream, step, &raw, "a raw record", error);
			if (result)
				return result;
			memcpy(bytes + done, raw, step);
			stream->raw_left -= (uint32_t)step;
		} else {
			int result = next_record(stream, error);
			if (result)
				return result;
			continue;
		}
		done += step;
	}
	*got = done;
	return 0;
}

int ssm_read(struct ssm_stream *stream, uint8_t *bytes, size_t size, size_t *got, struct gim_error *error)
{
	int result =
	    stream->header.version == SSM_V2_0 ? read_v2(stream, bytes, size, got, error) : ssm_v1_read(stream, bytes, size, got, error);
	if (!result)
		stream->payload_bytes += *got;
	return result;
}

/* Pass over the rest of a unit; its size in payload_bytes is then known. */
static int finish_unit(struct ssm_stream *stream, struct gim_error *error)
{
	uint8_t scratch[4096];
	size_t got = 1;
	int result = 0;
	while (!result && got)
		result = ssm_read(stream, scratch, sizeof(scratch), &got, error);
	return result;
}

int ssm_next(struct ssm_stream *stream, struct gim_unit *unit, struct gim_error *error)
{
	const bool skip = stream->header.version == SSM_V2_0 || !stream->input->seekable;
	int result = stream->in_unit && skip ? finish_unit(stream, error) : 0;
	if (result)
		return result;
	return stream->header.version == SSM_V2_0 ? unit_header_v2(stream, unit, error) : ssm_v1_next(stream, unit, error);
}
