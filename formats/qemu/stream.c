/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opens a stream: header, configuration, description; and finds its sections in the cheapest way that there is. */
#include "error.h"
#include "qemu/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VERSION = 3, OBSOLETE = 2, PAGE_BYTES = 4096 };

/*
 * The head.
 */
static int take_magic(struct qemu_reader *reader, struct gim_error *error)
{
	static const char magic[4] = "QEVM";
	uint64_t found = 0, version = 0;
	int result = qemu_take(reader, 4, &found, "the header", error);
	if (!result && found != qemu_number((const uint8_t *)magic, 4))
		result = qemu_fail(error, QEMU_MAGIC, 0, "Not a migration stream: magic %08llx, expected is %08llx (QEVM)",
		                   (unsigned long long)found, (unsigned long long)qemu_number((const uint8_t *)magic, 4));
	if (!result)
		result = qemu_take(reader, 4, &version, "the header", error);
	if (!result && version == OBSOLETE)
		result = qemu_fail(error, QEMU_VERSION, 4, "SaveVM v2 format is obsolete and no longer supported");
	else if (!result && version != VERSION)
		result = qemu_fail(error, QEMU_VERSION, 4, "Unsupported migration stream version: file version %llu, expected is 3",
		                   (unsigned long long)version);
	return result;
}

static int take_capabilities(struct qemu_stream *stream, struct gim_error *error)
{
	struct qemu_configuration *configuration = &stream->configuration;
	const uint64_t at = stream->reader.position;
	uint64_t count;
	size_t used = 0;
	int result = qemu_take(&stream->reader, 4, &count, "the capabilities", error);
	if (!result && count > 64)
		result =
		    qemu_fail(error, QEMU_CONFIGURATION, at, "%llu capabilities, where at most 64 are expected", (unsigned long long)count);
	for (uint64_t i = 0; !result && i < count; i++) {
		char name[256];
		result = qemu_take_name(&stream->reader, name, "a capability's name", error);
		if (result)
			break;
		configuration->mapped_ram |= !strcmp(name, "mapped-ram");
		configuration->ignore_shared |= !strcmp(name, "x-ignore-shared");
		used += (size_t)snprintf(configuration->capabilities + used, sizeof(configuration->capabilities) - used, "%s%s",
		                         used ? " " : "", name);
		used = used < sizeof(configuration->capabilities) ? used : sizeof(configuration->capabilities) - 1;
	}
	return result;
}

static int take_uuid(struct qemu_stream *stream, struct gim_error *error)
{
	const uint8_t *bytes;
	int result = qemu_take_bytes(&stream->reader, sizeof(stream->configuration.uuid), &bytes, "the UUID", error);
	if (!result)
		memcpy(stream->configuration.uuid, bytes, sizeof(stream->configuration.uuid));
	stream->configuration.has_uuid = !result;
	return result;
}

static int take_page_bits(struct qemu_stream *stream, struct gim_error *error)
{
	uint64_t bits;
	const uint64_t at = stream->reader.position;
	int result = qemu_take(&stream->reader, 4, &bits, "the page size", error);
	if (!result && (bits < 9 || bits > 24))
		result = qemu_fail(error, QEMU_CONFIGURATION, at, "pages of 2^%llu bytes, where 2^9 to 2^24 are expected",
		                   (unsigned long long)bits);
	if (!result)
		stream->configuration.page_bits = (uint32_t)bits;
	return result;
}

static const struct {
	const char *name;
	int (*take)(struct qemu_stream *stream, struct gim_error *error);
} configuration_parts[] = {
    {"configuration/target-page-bits", take_page_bits},
    {"configuration/capabilities", take_capabilities},
    {"configuration/uuid", take_uuid},
};

/* 1: there was one. */
static int take_configuration_part(struct qemu_stream *stream, struct gim_error *error)
{
	char name[256];
	const uint8_t *bytes;
	size_t got;
	uint64_t version;
	int result = qemu_look(&stream->reader, 1, &bytes, &got, error);
	if (result || !got || bytes[0] != QEMU_SUBSECTION_MARK)
		return result;
	const uint64_t at = stream->reader.position;
	qemu_pass(&stream->reader, 1);
	result = qemu_take_name(&stream->reader, name, "the configuration", error);
	if (!result)
		result = qemu_take(&stream->reader, 4, &version, "the configuration", error);
	for (size_t i = 0; !result && i < sizeof(configuration_parts) / sizeof(configuration_parts[0]); i++)
		if (!strcmp(name, configuration_parts[i].name)) {
			result = configuration_parts[i].take(stream, error);
			return result ? result : 1;
		}
	return result ? result : qemu_fail(error, QEMU_CONFIGURATION, at, "VM subsection '%s' in 'configuration' does not exist", name);
}

static int take_configuration(struct qemu_stream *stream, struct gim_error *error)
{
	struct qemu_configuration *configuration = &stream->configuration;
	const uint8_t *bytes;
	size_t got;
	uint64_t length;
	int result = qemu_look(&stream->reader, 1, &bytes, &got, error);
	if (result || !got || bytes[0] != QEMU_CONFIGURATION_MARK)
		return result; /* machines up to 2.3 have none, nor footers */
	qemu_pass(&stream->reader, 1);
	const uint64_t at = stream->reader.position;
	configuration->present = true;
	result = qemu_take(&stream->reader, 4, &length, "the configuration", error);
	if (!result && length >= sizeof(configuration->machine))
		result = qemu_fail(error, QEMU_CONFIGURATION, at, "a machine's name of %llu bytes, where at most %zu are expected",
		                   (unsigned long long)length, sizeof(configuration->machine) - 1);
	if (!result)
		result = qemu_take_bytes(&stream->reader, (size_t)length, &bytes, "the configuration", error);
	if (result)
		return result;
	memcpy(configuration->machine, bytes, (size_t)length);
	do
		result = take_configuration_part(stream, error);
	while (result == 1);
	return result;
}

/*
 * A pipe.
 */
static int copy_rest(struct qemu_reader *reader, struct gim_error *error)
{
	const uint8_t *bytes;
	size_t got = 1;
	int result = qemu_reader_copy(reader, true, error);
	while (!result && got) {
		result = qemu_look(reader, QEMU_LOOK_MAX, &bytes, &got, error);
		if (!result)
			qemu_pass(reader, got);
	}
	return result;
}

/* Go through it once, and keep all but the pages in a file, which takes its place. The pieces of RAM that were met are known then. */
static int settle(struct qemu_stream *stream, struct gim_error *error)
{
	struct qemu_walk walk = {.stream = stream, .sections = &stream->pieces, .stop = GIM_UNKNOWN};
	struct gim_input copy;
	const int fd = gim_unnamed_open(error);
	if (fd < 0)
		return fd;
	stream->reader.copy = fd;
	int result = qemu_walk(&walk, &stream->pieces_failure);
	/* What the stream is to blame for is told when it is asked for. */
	result = result && !stream->pieces_failure.rule ? gim_fail_as(error, &stream->pieces_failure) : copy_rest(&stream->reader, error);
	if (!result && ftruncate(fd, (off_t)stream->reader.position))
		result = gim_fail_errno(error, "cannot make a copy of the stream");
	if (!result)
		result = gim_input_open_fd(&copy, fd, error);
	if (result) {
		(void)close(fd);
		return result;
	}
	copy.owned = true;
	copy.base = stream->input->base;
	copy.layer = stream->input->layer; /* what it says stays known */
	stream->input->layer = NULL;
	gim_input_close(stream->input);
	*stream->input = copy;
	stream->reader.copy = -1;
	stream->reader.size = stream->size = copy.size;
	stream->reader.buffer_bytes = 0;
	stream->settled = true;
	return 0;
}

/*
 * Opening.
 */
int qemu_stream_open(struct qemu_stream *stream, struct gim_input *input, struct gim_arena *arena, struct gim_error *error)
{
	*stream = (struct qemu_stream){.input = input, .described_at = GIM_UNKNOWN, .end = GIM_UNKNOWN};
	stream->arena = arena ? arena : &stream->own_arena;
	stream->description_error = stream->refused = stream->failure = stream->pieces_failure = (struct gim_error)GIM_ERROR_INIT;
	int result = qemu_reader_open(&stream->reader, input, error);
	if (!result)
		result = take_magic(&stream->reader, error);
	if (!result)
		result = take_configuration(stream, error);
	if (result)
		return result;
	const struct qemu_configuration *configuration = &stream->configuration;
	stream->first = stream->reader.position;
	stream->size = input->size;
	stream->footers = configuration->present;
	stream->ram = (struct qemu_ram){.arena = stream->arena,
	                                .page_bytes = configuration->page_bits ? 1u << configuration->page_bits : PAGE_BYTES,
	                                .base = input->base,
	                                .mapped = configuration->mapped_ram,
	                                .ignore_shared = configuration->ignore_shared};
	if (!input->seekable)
		result = settle(stream, error);
	return result ? result : qemu_find_description(stream, error);
}

void qemu_stream_close(struct qemu_stream *stream)
{
	qemu_reader_close(&stream->reader);
	free(stream->devices.items);
	free(stream->all.items);
	free(stream->pieces.items);
	gim_arena_free(&stream->own_arena);
}

/*
 * Finding sections.
 */
int qemu_walk_all(struct qemu_walk *walk, struct gim_error *error)
{
	qemu_reader_seek(&walk->stream->reader, walk->stream->first);
	memset(walk->stream->ram.pages, 0, sizeof(walk->stream->ram.pages));
	return qemu_walk(walk, error);
}

/* What the stream is to blame for is kept. */
static int walk_from_start(struct qemu_stream *stream, struct qemu_walk *walk, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	int result = qemu_walk_all(walk, &own);
	if (result && !own.rule && own.code != GIM_E_LIMIT)
		return gim_fail_as(error, &own);
	if (result && !stream->failure.code)
		stream->failure = own;
	return 0;
}

/* Devices are what is whole, and what comes in pieces and is no RAM. */
static int keep_devices(struct qemu_stream *stream, struct gim_error *error)
{
	int result = 0;
	for (size_t i = 0; !result && i < stream->all.count; i++)
		if (stream->all.items[i].type == QEMU_SECTION_FULL)
			result = qemu_sections_add(&stream->devices, &stream->all.items[i], error);
	return result;
}

int qemu_find_all(struct qemu_stream *stream, struct gim_error *error)
{
	if (stream->all_known)
		return 0;
	struct qemu_walk walk = {.stream = stream, .sections = &stream->all, .stop = GIM_UNKNOWN};
	int result = qemu_find_devices(stream, error);
	if (result || stream->all_known)
		return result;
	/* Where the description has said where devices are, only what stands before the last run of them is gone through. */
	size_t late = stream->devices.count;
	while (late &&
	       (late == stream->devices.count || stream->devices.items[late - 1].payload + stream->devices.items[late - 1].size_bytes +
	                                                 (stream->devices.items[late - 1].footer ? 5 : 0) ==
	                                             stream->devices.items[late].offset))
		late--;
	walk.stop = stream->devices.items[late].offset;
	result = walk_from_start(stream, &walk, error);
	for (size_t i = late; !result && !stream->failure.code && i < stream->devices.count; i++)
		result = qemu_sections_add(&stream->all, &stream->devices.items[i], error);
	stream->all_known = !result;
	return result;
}

int qemu_find_devices(struct qemu_stream *stream, struct gim_error *error)
{
	if (stream->devices_known)
		return 0;
	struct qemu_walk walk = {.stream = stream, .sections = &stream->all, .stop = GIM_UNKNOWN};
	int result = qemu_find_described(stream, error);
	if (!result && !stream->fits) {
		if (!stream->all_known)
			result = walk_from_start(stream, &walk, error);
		stream->all_known = !result;
		if (!result)
			result = keep_devices(stream, error);
	}
	stream->devices_known = !result;
	return result;
}

int qemu_find_ram(struct qemu_stream *stream, struct gim_error *error)
{
	struct qemu_sections ignored = {.items = NULL};
	struct qemu_walk walk = {.stream = stream, .sections = &ignored, .stop = GIM_UNKNOWN, .only_ram = true};
	const struct gim_error before = stream->failure;
	int result = stream->ram_known ? 0 : walk_from_start(stream, &walk, error);
	stream->failure = before; /* who goes on comes to it again */
	free(ignored.items);
	return result;
}

int qemu_read_payload(struct qemu_stream *stream, const struct qemu_section *section, uint8_t **bytes, struct gim_error *error)
{
	size_t got = 0;
	if (section->size_bytes > QEMU_PAYLOAD_LIMIT)
		return gim_fail(error, GIM_E_LIMIT, section->offset, "section %s/%u has more than the %llu bytes that are decoded at most",
		                section->name, section->instance, (unsigned long long)QEMU_PAYLOAD_LIMIT);
	uint8_t *read = malloc(section->size_bytes ? (size_t)section->size_bytes : 1);
	if (!read)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	int result = gim_input_read(stream->input, section->payload, read, (size_t)section->size_bytes, &got, error);
	if (!result && got < section->size_bytes)
		result = qemu_fail(error, QEMU_END_OF_FILE, section->payload + got, "the stream ends within section %s", section->name);
	if (result)
		free(read);
	else
		*bytes = read;
	return result;
}
