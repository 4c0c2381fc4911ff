/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Both ends of a saved state: the file header, and the directory and footer of 2.0. */
#include "error.h"
#include "vbox/crc.h"
#include "vbox/ssm_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char magic_common[] = "\177VirtualBox SavedState ";
static const struct {
	const char *text;
	enum ssm_version version;
} magics[] = {{"V2.0\n\0\0\0", SSM_V2_0}, {"V1.2\n\0\0\0", SSM_V1_2}, {"V1.1\n\0\0\0", SSM_V1_1}};
enum { MAGIC_BYTES = 32, COMMON_BYTES = 23 };

const char ssm_directory_magic[8] = "\nDir\n\0\0";
static const char footer_magic[8] = "\nFooter";

uint32_t ssm_crc_without(const uint8_t *bytes, size_t size, size_t crc_offset)
{
	static const uint8_t zeros[4];
	uint32_t crc = gim_crc32(0, bytes, crc_offset);
	crc = gim_crc32(crc, zeros, 4);
	return gim_crc32(crc, bytes + crc_offset + 4, size - crc_offset - 4);
}

/*
 * The file header.
 */
static int check_magic(const uint8_t *bytes, size_t size, enum ssm_version *version, struct gim_error *error)
{
	if (!size || (size < COMMON_BYTES && !memcmp(bytes, magic_common, size)))
		return ssm_fail(error, SSM_HEADER_END, size, "the file ends within its header");
	if (size < COMMON_BYTES || memcmp(bytes, magic_common, COMMON_BYTES) != 0)
		return ssm_fail(error, SSM_MAGIC, 0, "this is no VirtualBox saved state: its magic is missing");
	if (size < MAGIC_BYTES)
		return ssm_fail(error, SSM_HEADER_END, size, "the file ends within its header");
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (!memcmp(bytes + COMMON_BYTES, magics[i].text, 8) && bytes[31] == 0) {
			*version = magics[i].version;
			return 0;
		}
	return ssm_fail(error, SSM_VERSION, COMMON_BYTES, "container version %.4s: 1.1, 1.2 and 2.0 are known",
	                (const char *)bytes + COMMON_BYTES);
}

void ssm_read_producer(struct ssm_header *header, struct gim_cursor *cursor)
{
	header->major = gim_cursor_u16(cursor);
	header->minor = gim_cursor_u16(cursor);
	header->build = gim_cursor_u32(cursor);
	header->revision = gim_cursor_u32(cursor);
	header->host_bits = gim_cursor_u8(cursor);
	header->address_bytes = gim_cursor_u8(cursor);
	header->pointer_bytes = gim_cursor_u8(cursor);
}

static int read_header_v2(struct ssm_stream *stream, const uint8_t *bytes, struct gim_error *error)
{
	struct ssm_header *header = &stream->header;
	struct gim_cursor cursor = {.bytes = bytes, .size = SSM_HEADER_BYTES, .position = MAGIC_BYTES};
	ssm_read_producer(header, &cursor);
	const uint8_t reserved = gim_cursor_u8(&cursor);
	header->units = gim_cursor_u32(&cursor);
	const uint32_t flags = gim_cursor_u32(&cursor), block = gim_cursor_u32(&cursor), crc = gim_cursor_u32(&cursor);
	const uint32_t computed = ssm_crc_without(bytes, SSM_HEADER_BYTES, 60);
	header->checksummed = flags & 1;
	header->live = flags & 2;
	header->size_bytes = SSM_HEADER_BYTES;
	int result = 0;
	if (crc != computed)
		result = ssm_object(stream, error, SSM_HEADER_CRC, 60, "the file header's CRC is 0x%08x, but its bytes give 0x%08x", crc,
		                    computed);
	if (!result && (reserved || flags & ~3u))
		result = ssm_object(stream, error, SSM_HEADER_FLAGS, reserved ? 47 : 52,
		                    "reserved bits are set in the file header: byte 0x%02x, flags 0x%08x", reserved, flags);
	if (!result && (block < 1024 || block > 4096 || block % 256))
		result = ssm_object(stream, error, SSM_HEADER_FLAGS, 56, "block size %u: 1024 to 4096 in steps of 256 are possible", block);
	return result;
}

int ssm_check_producer(struct ssm_stream *stream, struct gim_error *error)
{
	const struct ssm_header *header = &stream->header;
	if (header->version == SSM_V1_1)
		return 0; /* does not say what wrote it */
	const uint64_t at = header->version == SSM_V2_0 ? MAGIC_BYTES : 64;
	int result = 0;
	if (header->major < 1 || header->major > 1000 || header->minor > 1000 || header->build > 1048576 || header->revision < 1 ||
	    header->revision > 10000000)
		result = ssm_object(stream, error, SSM_PRODUCT, at, "product version %u.%u.%u r%u is impossible", header->major,
		                    header->minor, header->build, header->revision);
	if (!result &&
	    ((header->host_bits != 32 && header->host_bits != 64) || (header->address_bytes != 4 && header->address_bytes != 8) ||
	     (header->pointer_bytes != 4 && header->pointer_bytes != 8)))
		result =
		    ssm_object(stream, error, SSM_HOST, at + 12, "host of %u bits, addresses of %u and pointers of %u bytes are impossible",
		               header->host_bits, header->address_bytes, header->pointer_bytes);
	return result;
}

int ssm_read_header(struct ssm_stream *stream, struct gim_error *error)
{
	const uint8_t *bytes;
	size_t got = 0;
	int result = ssm_peek(stream, SSM_HEADER_BYTES, &bytes, &got, error);
	if (!result)
		result = check_magic(bytes, got, &stream->header.version, error);
	if (!result && got < SSM_HEADER_BYTES)
		result = ssm_fail(error, SSM_HEADER_END, got, "the file ends within its header");
	if (result)
		return result;
	result = stream->header.version == SSM_V2_0 ? read_header_v2(stream, bytes, error) : ssm_v1_header(stream, error);
	return result ? result : ssm_take(stream, stream->header.size_bytes, &bytes, "its header", error);
}

/*
 * The footer.
 */
static int check_footer(struct ssm_stream *stream, uint64_t offset, const uint8_t *bytes, struct gim_error *error)
{
	struct ssm_footer *footer = &stream->footer;
	struct gim_cursor cursor = {.bytes = bytes, .size = SSM_FOOTER_BYTES, .position = 8};
	footer->offset = gim_cursor_u64(&cursor);
	footer->stream_crc = gim_cursor_u32(&cursor);
	footer->entries = gim_cursor_u32(&cursor);
	const uint32_t reserved = gim_cursor_u32(&cursor), crc = gim_cursor_u32(&cursor);
	const uint32_t computed = ssm_crc_without(bytes, SSM_FOOTER_BYTES, 28);
	if (memcmp(bytes, footer_magic, 8) != 0)
		return ssm_fail(error, SSM_FOOTER, offset, "the footer is missing: the file is truncated, or bytes follow it");
	if (crc != computed)
		return ssm_fail(error, SSM_FOOTER_CRC, offset + 28, "the footer's CRC is 0x%08x, but its bytes give 0x%08x", crc, computed);
	if (footer->offset != offset || reserved || footer->entries > SSM_DIRECTORY_MAX)
		return ssm_fail(error, SSM_FOOTER, offset + 8, "the footer says offset 0x%" PRIx64 ", %u directory entries, reserved 0x%x",
		                footer->offset, footer->entries, reserved);
	if (footer->stream_crc && !stream->header.checksummed)
		return ssm_fail(error, SSM_FOOTER, offset + 16, "the footer says CRC 0x%08x, but the file is not checksummed",
		                footer->stream_crc);
	return 0;
}

static int read_at(struct ssm_stream *stream, uint64_t offset, void *bytes, size_t size, const char *what, struct gim_error *error)
{
	size_t got;
	int result = gim_input_read(stream->input, offset, bytes, size, &got, error);
	if (!result && got < size)
		result = ssm_fail(error, SSM_END_OF_FILE, offset + got, "the file ends within %s", what);
	return result;
}

int ssm_find_footer(struct ssm_stream *stream, struct gim_error *error)
{
	uint8_t bytes[SSM_FOOTER_BYTES];
	if (stream->input->size < SSM_HEADER_BYTES + SSM_FOOTER_BYTES)
		return ssm_fail(error, SSM_FOOTER, stream->input->size, "the file ends before its footer");
	const uint64_t offset = stream->input->size - SSM_FOOTER_BYTES;
	int result = read_at(stream, offset, bytes, sizeof(bytes), "the footer", error);
	return result ? result : check_footer(stream, offset, bytes, error);
}

int ssm_next_footer(struct ssm_stream *stream, struct gim_error *error)
{
	const uint64_t offset = stream->position;
	bool agrees = true;
	const uint8_t *bytes;
	size_t more;
	int result = ssm_peek(stream, SSM_FOOTER_BYTES, &bytes, &more, error);
	if (!result && more < SSM_FOOTER_BYTES)
		result = ssm_fail(error, SSM_END_OF_FILE, offset + more, "the file ends within its footer");
	if (!result)
		result = check_footer(stream, offset, bytes, error);
	if (!result && stream->footer.entries != stream->directory_count)
		result = ssm_fail(error, SSM_FOOTER, offset + 20, "the footer says %u directory entries, the directory has %u",
		                  stream->footer.entries, stream->directory_count);
	if (!result && stream->header.checksummed)
		result = ssm_crc_agrees(stream, stream->footer.stream_crc, &agrees, error);
	if (!result && !agrees)
		result = ssm_object(stream, error, SSM_STREAM_CRC, offset + 16, "the file up to here has another CRC than 0x%08x",
		                    stream->footer.stream_crc);
	if (!result)
		result = ssm_take(stream, SSM_FOOTER_BYTES, &bytes, "the footer", error);
	if (!result)
		result = ssm_peek(stream, 1, &bytes, &more, error);
	if (!result && more)
		result = ssm_object(stream, error, SSM_FOOTER, stream->position, "bytes follow the footer");
	return result;
}

/*
 * The directory.
 */
static int check_entries(struct ssm_stream *stream, uint64_t offset, const uint8_t *bytes, uint32_t count, struct gim_error *error)
{
	/* Early builds left the offsets of units without data zero. */
	const bool zero_offsets = stream->header.revision < 53365;
	struct gim_cursor cursor = {.bytes = bytes,
	                            .size = SSM_DIRECTORY_HEADER_BYTES + (size_t)count * SSM_DIRECTORY_ENTRY_BYTES,
	                            .position = SSM_DIRECTORY_HEADER_BYTES};
	int result = 0;
	for (uint32_t i = 0; !result && i < count; i++) {
		struct ssm_directory_entry *entry = &stream->directory[i];
		const uint64_t at = offset + cursor.position;
		entry->offset = gim_cursor_u64(&cursor);
		entry->instance = gim_cursor_u32(&cursor);
		entry->name_crc = gim_cursor_u32(&cursor);
		if ((entry->offset < SSM_HEADER_BYTES && (entry->offset || !zero_offsets)) || entry->offset >= offset)
			result = ssm_object(stream, error, SSM_DIRECTORY_OFFSET, at,
			                    "a directory entry points to 0x%" PRIx64 ", outside the units", entry->offset);
	}
	return result;
}

/* bytes: the whole directory. */
static int check_directory(struct ssm_stream *stream, uint64_t offset, const uint8_t *bytes, uint32_t count, struct gim_error *error)
{
	struct gim_cursor cursor = {.bytes = bytes, .size = SSM_DIRECTORY_HEADER_BYTES, .position = 8};
	const uint32_t crc = gim_cursor_u32(&cursor), own_count = gim_cursor_u32(&cursor);
	const size_t size = SSM_DIRECTORY_HEADER_BYTES + (size_t)count * SSM_DIRECTORY_ENTRY_BYTES;
	int result = 0;
	if (memcmp(bytes, ssm_directory_magic, 8) != 0)
		return ssm_fail(error, SSM_DIRECTORY_MAGIC, offset, "the directory's magic is missing");
	if (crc != ssm_crc_without(bytes, size, 8))
		result = ssm_object(stream, error, SSM_DIRECTORY_CRC, offset + 8,
		                    "the directory's CRC is 0x%08x, but its bytes give 0x%08x", crc, ssm_crc_without(bytes, size, 8));
	if (!result && own_count != count)
		return ssm_fail(error, SSM_DIRECTORY_COUNT, offset + 12, "the directory says %u entries, the footer %u", own_count, count);
	free(stream->directory);
	stream->directory = calloc(count ? count : 1, sizeof(*stream->directory));
	stream->directory_count = count;
	if (!stream->directory)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	return result ? result : check_entries(stream, offset, bytes, count, error);
}

int ssm_find_directory(struct ssm_stream *stream, struct gim_error *error)
{
	const uint32_t count = stream->footer.entries;
	const size_t size = SSM_DIRECTORY_HEADER_BYTES + (size_t)count * SSM_DIRECTORY_ENTRY_BYTES;
	if (size + SSM_HEADER_BYTES > stream->footer.offset)
		return ssm_fail(error, SSM_DIRECTORY_COUNT, stream->footer.offset + 20,
		                "a directory of %u entries does not fit into the file", count);
	const uint64_t offset = stream->footer.offset - size;
	uint8_t *bytes = malloc(size);
	int result = bytes ? read_at(stream, offset, bytes, size, "the directory", error)
	                   : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (!result)
		result = check_directory(stream, offset, bytes, count, error);
	if (!result)
		stream->end = offset;
	free(bytes);
	return result;
}

int ssm_next_directory(struct ssm_stream *stream, struct gim_error *error)
{
	const uint64_t offset = stream->position;
	const uint8_t *piece;
	size_t got;
	int result = ssm_peek(stream, SSM_DIRECTORY_HEADER_BYTES, &piece, &got, error);
	if (result)
		return result;
	if (got < SSM_DIRECTORY_HEADER_BYTES)
		return ssm_fail(error, SSM_END_OF_FILE, offset + got, "the file ends within its directory");
	if (memcmp(piece, ssm_directory_magic, 8) != 0)
		return ssm_fail(error, SSM_DIRECTORY_MAGIC, offset, "the directory's magic is missing");
	struct gim_cursor cursor = {.bytes = piece, .size = SSM_DIRECTORY_HEADER_BYTES, .position = 12};
	const uint32_t count = gim_cursor_u32(&cursor);
	if (count > SSM_DIRECTORY_MAX)
		return ssm_fail(error, SSM_DIRECTORY_COUNT, offset + 12, "the directory says %u entries: at most %u are possible", count,
		                SSM_DIRECTORY_MAX);
	const size_t size = SSM_DIRECTORY_HEADER_BYTES + (size_t)count * SSM_DIRECTORY_ENTRY_BYTES;
	uint8_t *bytes = malloc(size);
	if (!bytes)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	for (size_t done = 0, step; !result && done < size; done += step) {
		step = size - done < 4096 ? size - done : 4096;
		result = ssm_take(stream, step, &piece, "its directory", error);
		if (!result)
			memcpy(bytes + done, piece, step);
	}
	if (!result)
		result = check_directory(stream, offset, bytes, count, error);
	free(bytes);
	return result;
}

int ssm_open(struct ssm_stream *stream, struct gim_input *input, struct gim_error *error)
{
	int result = ssm_begin(stream, input, error);
	if (!result)
		result = ssm_read_header(stream, error);
	const bool ends = input->seekable && stream->header.version == SSM_V2_0;
	if (!result && ends)
		result = ssm_find_footer(stream, error);
	if (!result)
		result = ssm_check_producer(stream, error);
	if (!result && ends)
		result = ssm_find_directory(stream, error);
	return result;
}
