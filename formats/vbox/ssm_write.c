/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The 2.0 writer: a forward stream with a running CRC; offsets, terminators, directory and footer follow from what was written. */
#include "vbox/ssm_write.h"

#include "error.h"
#include "vbox/crc.h"
#include "vbox/lzf.h"

#include <stdlib.h>
#include <string.h>

enum {
	BLOCK = 4096,        /* the size of a full block, and of the buffer that small puts gather in */
	SMALL_PUT = 512,     /* up to this size a put gathers */
	PACKED_LIMIT = 3840, /* a block that LZF does not bring below this stays raw, as VirtualBox does */
	NAME_MAX_BYTES = 48,
};

struct entry {
	char name[NAME_MAX_BYTES];
	uint64_t offset;
	uint32_t instance, name_crc;
};

struct ssm_writer {
	struct ssm_write_options options;
	gim_sink_fn *sink;
	void *user;
	uint64_t offset;
	uint32_t crc; /* of everything written so far */
	struct entry *entries;
	uint32_t entry_count;
	bool in_unit, finished;
	uint64_t data_offset;
	uint8_t gathered[BLOCK];
	size_t gathered_size;
};

static int put(struct ssm_writer *writer, const void *bytes, size_t size, struct gim_error *error)
{
	if (!size)
		return 0;
	if (writer->sink(writer->user, bytes, size))
		return gim_fail(error, GIM_E_STOPPED, writer->offset, "the output does not take more bytes");
	writer->crc = gim_crc32(writer->crc, bytes, size);
	writer->offset += size;
	return 0;
}

/* The CRC at crc_offset, over the whole of the structure with that field zero. */
static void seal(struct gim_buffer *structure, size_t crc_offset)
{
	if (!structure->failed)
		gim_buffer_patch(structure, crc_offset, gim_crc32(0, structure->bytes, structure->size), 4);
}

/* Write a structure and free it. */
static int put_buffer(struct ssm_writer *writer, struct gim_buffer *buffer, struct gim_error *error)
{
	int result =
	    buffer->failed ? gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory") : put(writer, buffer->bytes, buffer->size, error);
	gim_buffer_free(buffer);
	return result;
}

static int put_sealed(struct ssm_writer *writer, struct gim_buffer *buffer, size_t crc_offset, struct gim_error *error)
{
	seal(buffer, crc_offset);
	return put_buffer(writer, buffer, error);
}

size_t ssm_record_header(uint8_t *bytes, unsigned type, size_t size)
{
	size_t length = 1;
	bytes[0] = (uint8_t)(0x90 | type);
	while (size >= (length == 1 ? 0x80u : UINT64_C(1) << (5 * length + 1)))
		length++;
	for (size_t i = length; i > 1; i--, size >>= 6)
		bytes[i] = (uint8_t)(0x80 | (size & 0x3f));
	bytes[1] = (uint8_t)(length == 1 ? size : (0xff00u >> length & 0xff) | size);
	return 1 + length;
}

void ssm_directory_begin(struct gim_buffer *directory, uint32_t entries)
{
	gim_buffer_bytes(directory, "\nDir\n\0\0", 8);
	gim_buffer_number(directory, 0, 4);
	gim_buffer_number(directory, entries, 4);
}

void ssm_directory_entry(struct gim_buffer *directory, uint64_t offset, uint32_t instance, uint32_t name_crc)
{
	gim_buffer_number(directory, offset, 8);
	gim_buffer_number(directory, instance, 4);
	gim_buffer_number(directory, name_crc, 4);
}

void ssm_directory_seal(struct gim_buffer *directory)
{
	seal(directory, 8);
}

void ssm_footer(struct gim_buffer *footer, uint64_t offset, uint32_t stream_crc, uint32_t entries)
{
	gim_buffer_bytes(footer, "\nFooter", 8);
	gim_buffer_number(footer, offset, 8);
	gim_buffer_number(footer, stream_crc, 4);
	gim_buffer_number(footer, entries, 4);
	gim_buffer_number(footer, 0, 4);
	gim_buffer_number(footer, 0, 4);
	seal(footer, 28);
}

static uint32_t running_crc(const struct ssm_writer *writer)
{
	return writer->options.checksummed ? writer->crc : 0;
}

int ssm_writer_new(const struct ssm_write_options *options, gim_sink_fn *sink, void *user, struct ssm_writer **writer,
                   struct gim_error *error)
{
	static const char magic[32] = "\177VirtualBox SavedState V2.0\n";
	struct ssm_writer *made = calloc(1, sizeof(*made));
	if (!made)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	made->options = *options;
	made->sink = sink;
	made->user = user;
	struct gim_buffer header = {.bytes = NULL};
	gim_buffer_bytes(&header, magic, sizeof(magic));
	gim_buffer_number(&header, options->major, 2);
	gim_buffer_number(&header, options->minor, 2);
	gim_buffer_number(&header, options->build, 4);
	gim_buffer_number(&header, options->revision, 4);
	gim_buffer_number(&header, options->host_bits, 1);
	gim_buffer_number(&header, options->address_bytes, 1);
	gim_buffer_number(&header, options->pointer_bytes, 1);
	gim_buffer_number(&header, 0, 1);
	gim_buffer_number(&header, options->units, 4);
	gim_buffer_number(&header, (options->checksummed ? 1u : 0u) | (options->live ? 2u : 0u), 4);
	gim_buffer_number(&header, BLOCK, 4);
	gim_buffer_number(&header, 0, 4);
	int result = put_sealed(made, &header, 60, error);
	if (result)
		ssm_writer_free(&made);
	else
		*writer = made;
	return result;
}

static int put_unit_header(struct ssm_writer *writer, const char *magic, const char *name, uint32_t instance, uint32_t version,
                           uint32_t pass, struct gim_error *error)
{
	const size_t name_size = *name ? strlen(name) + 1 : 0;
	struct gim_buffer header = {.bytes = NULL};
	gim_buffer_bytes(&header, magic, 8);
	gim_buffer_number(&header, writer->offset, 8);
	gim_buffer_number(&header, running_crc(writer), 4);
	gim_buffer_number(&header, 0, 4);
	gim_buffer_number(&header, version, 4);
	gim_buffer_number(&header, instance, 4);
	gim_buffer_number(&header, pass, 4);
	gim_buffer_number(&header, 0, 4);
	gim_buffer_number(&header, name_size, 4);
	gim_buffer_bytes(&header, name, name_size);
	return put_sealed(writer, &header, 20, error);
}

static int put_record_header(struct ssm_writer *writer, unsigned type, size_t size, struct gim_error *error)
{
	uint8_t bytes[8];
	return put(writer, bytes, ssm_record_header(bytes, type, size), error);
}

static int put_raw(struct ssm_writer *writer, const void *bytes, size_t size, struct gim_error *error)
{
	int result = put_record_header(writer, 2, size, error);
	return result ? result : put(writer, bytes, size, error);
}

static int flush(struct ssm_writer *writer, struct gim_error *error)
{
	const size_t size = writer->gathered_size;
	writer->gathered_size = 0;
	return size ? put_raw(writer, writer->gathered, size, error) : 0;
}

static int end_unit(struct ssm_writer *writer, struct gim_error *error)
{
	static const uint8_t lead[] = {0x91, 14};
	if (!writer->in_unit)
		return 0;
	writer->in_unit = false;
	int result = flush(writer, error);
	if (!result)
		result = put(writer, lead, sizeof(lead), error);
	struct gim_buffer rest = {.bytes = NULL};
	gim_buffer_number(&rest, writer->options.checksummed, 2);
	gim_buffer_number(&rest, running_crc(writer), 4);
	gim_buffer_number(&rest, writer->offset + 14 - writer->data_offset, 8);
	if (!result)
		result =
		    rest.failed ? gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory") : put(writer, rest.bytes, rest.size, error);
	gim_buffer_free(&rest);
	return result;
}

static int list_unit(struct ssm_writer *writer, const char *name, uint32_t instance, struct gim_error *error)
{
	const uint32_t name_crc = gim_crc32(0, name, strlen(name));
	for (uint32_t i = 0; i < writer->entry_count; i++)
		if (writer->entries[i].name_crc == name_crc && writer->entries[i].instance == instance &&
		    !strcmp(writer->entries[i].name, name)) {
			writer->entries[i].offset = writer->offset;
			return 0;
		}
	struct entry *entries = realloc(writer->entries, (writer->entry_count + 1) * sizeof(*entries));
	if (!entries)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	writer->entries = entries;
	struct entry *entry = &entries[writer->entry_count++];
	*entry = (struct entry){.offset = writer->offset, .instance = instance, .name_crc = name_crc};
	memcpy(entry->name, name, strlen(name) + 1);
	return 0;
}

int ssm_writer_unit(struct ssm_writer *writer, const char *name, uint32_t instance, uint32_t version, uint32_t pass,
                    struct gim_error *error)
{
	static const char magic[8] = "\nUnit\n";
	if (writer->finished)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "the file is finished already");
	if (!*name || strlen(name) >= NAME_MAX_BYTES)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "a unit's name has 1 to %d characters", NAME_MAX_BYTES - 1);
	int result = end_unit(writer, error);
	/* Progress units are never listed, and of a live save's passes only the final one is. */
	if (!result && pass == GIM_PASS_FINAL && strcmp(name, "SSMLiveControl") != 0)
		result = list_unit(writer, name, instance, error);
	if (!result)
		result = put_unit_header(writer, magic, name, instance, version, pass, error);
	writer->in_unit = !result;
	writer->data_offset = writer->offset;
	return result;
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
	return !size || (!bytes[0] && !memcmp(bytes, bytes + 1, size - 1));
}

static int put_zero(struct ssm_writer *writer, size_t size, struct gim_error *error)
{
	const uint8_t kib = (uint8_t)(size / 1024);
	int result = put_record_header(writer, 4, 1, error);
	return result ? result : put(writer, &kib, 1, error);
}

/* An LZF record, when the block packs to at most limit bytes; *packed tells. */
static int put_lzf(struct ssm_writer *writer, const uint8_t *bytes, size_t size, size_t limit, bool *packed, struct gim_error *error)
{
	uint8_t record[1 + BLOCK];
	record[0] = (uint8_t)(size / 1024);
	const size_t length = gim_lzf_encode(bytes, size, record + 1, limit);
	*packed = length;
	if (!length)
		return 0;
	int result = put_record_header(writer, 3, 1 + length, error);
	return result ? result : put(writer, record, 1 + length, error);
}

static int put_block(struct ssm_writer *writer, const uint8_t *bytes, struct gim_error *error)
{
	bool packed;
	if (all_zero(bytes, BLOCK))
		return put_zero(writer, BLOCK, error);
	int result = put_lzf(writer, bytes, BLOCK, PACKED_LIMIT, &packed, error);
	return result || packed ? result : put_raw(writer, bytes, BLOCK, error);
}

static int put_auto(struct ssm_writer *writer, const uint8_t *bytes, size_t size, struct gim_error *error)
{
	int result = 0;
	if (size <= SMALL_PUT) {
		if (writer->gathered_size + size > sizeof(writer->gathered))
			result = flush(writer, error);
		if (!result && size)
			memcpy(writer->gathered + writer->gathered_size, bytes, size);
		writer->gathered_size += result ? 0 : size;
		return result;
	}
	result = flush(writer, error);
	for (; !result && size >= BLOCK; bytes += BLOCK, size -= BLOCK)
		result = put_block(writer, bytes, error);
	return result || !size ? result : put_raw(writer, bytes, size, error);
}

int ssm_writer_data(struct ssm_writer *writer, enum ssm_write_as as, const void *bytes, size_t size_bytes, struct gim_error *error)
{
	bool packed = false;
	if (!writer->in_unit)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "data needs a unit around it");
	if (as == SSM_WRITE_AUTO)
		return put_auto(writer, bytes, size_bytes, error);
	int result = flush(writer, error);
	if (result)
		return result;
	if (as == SSM_WRITE_RAW)
		return size_bytes > 0x7fffffff ? gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "a record holds at most 2 GiB")
		                               : put_raw(writer, bytes, size_bytes, error);
	if (size_bytes > BLOCK || size_bytes % 1024)
		return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "%zu bytes: a packed record holds 1 to 4 KiB, a multiple of 1 KiB",
		                size_bytes);
	if (as == SSM_WRITE_ZERO)
		return put_zero(writer, size_bytes, error);
	result = put_lzf(writer, bytes, size_bytes, size_bytes, &packed, error);
	return result || packed ? result : gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "these bytes do not pack");
}

static int put_directory(struct ssm_writer *writer, struct gim_error *error)
{
	struct gim_buffer directory = {.bytes = NULL};
	ssm_directory_begin(&directory, writer->entry_count);
	for (uint32_t i = 0; i < writer->entry_count; i++) {
		const struct entry *entry = &writer->entries[i];
		ssm_directory_entry(&directory, entry->offset, entry->instance, entry->name_crc);
	}
	ssm_directory_seal(&directory);
	return put_buffer(writer, &directory, error);
}

int ssm_writer_finish(struct ssm_writer *writer, struct gim_error *error)
{
	if (writer->finished)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "the file is finished already");
	writer->finished = true;
	int result = end_unit(writer, error);
	if (!result)
		result = put_unit_header(writer, "\nTheEnd", "", 0, 0, GIM_PASS_FINAL, error);
	if (!result)
		result = put_directory(writer, error);
	if (result)
		return result;
	struct gim_buffer footer = {.bytes = NULL};
	ssm_footer(&footer, writer->offset, running_crc(writer), writer->entry_count);
	return put_buffer(writer, &footer, error);
}

void ssm_writer_free(struct ssm_writer **writer)
{
	if (!writer || !*writer)
		return;
	free((*writer)->entries);
	free(*writer);
	*writer = NULL;
}
