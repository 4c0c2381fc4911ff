/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds the description at the end of a stream, and by it the device sections, backwards and without touching RAM. */
#include "error.h"
#include "qemu/parts.h"

#include <stdlib.h>
#include <string.h>

enum {
	PIECE_BYTES = 1 << 20,
	SEARCH_BYTES = 64 << 20,          /* how far back a description is looked for */
	DESCRIPTION_MAX = 16 << 20,       /* of a machine with hundreds of vCPUs */
	HEAD_BYTES = 6,                   /* the end mark, the description's mark and its length */
	SECTION_HEAD = 1 + 4 + 1 + 4 + 4, /* type, id, length of the name, instance, version */
};

static bool read_exactly(struct qemu_stream *stream, uint64_t at, void *bytes, size_t size)
{
	size_t got;
	return !gim_input_read(stream->input, at, bytes, size, &got, &stream->refused) && got == size;
}

/* Parse what seems to be a description; why it is none is kept, as nothing else looks like one. */
static int try_description(struct qemu_stream *stream, uint64_t at, uint32_t length, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	char *text = length <= DESCRIPTION_MAX ? malloc(length ? length : 1) : NULL;
	if (length > DESCRIPTION_MAX)
		return (void)gim_fail(&stream->description_error, GIM_E_LIMIT, at, "a description of %u bytes is not read: %d at most",
		                      length, DESCRIPTION_MAX),
		       0;
	int result = text ? 0 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (!result && read_exactly(stream, at + HEAD_BYTES - 1, text, length)) {
		if (!qemu_description_parse(stream->arena, text, length, &stream->description, &own)) {
			stream->described = true;
			stream->described_at = at;
			stream->description_bytes = length;
			stream->end = at + HEAD_BYTES - 1 + length;
		} else if (own.code == GIM_E_MEMORY) {
			result = gim_fail_as(error, &own);
		} else {
			own.offset = own.offset == GIM_UNKNOWN ? at : own.offset + at + HEAD_BYTES - 1;
			own.rule = own.code == GIM_E_CORRUPT ? &qemu_rules[QEMU_DESCRIPTION] : NULL;
			(void)gim_fail_as(&stream->description_error, &own);
		}
	}
	free(text);
	return result;
}

/* Is this the end mark, the description's mark, a length that fits, and a brace at both its ends? */
static bool looks_like_one(struct qemu_stream *stream, const uint8_t *head, uint64_t at, uint32_t *length)
{
	uint8_t last;
	if (head[0] != QEMU_EOF || head[1] != QEMU_VMDESCRIPTION || head[HEAD_BYTES] != '{')
		return false;
	*length = (uint32_t)qemu_number(head + 2, 4);
	return *length >= 2 && *length <= stream->size - at - HEAD_BYTES && read_exactly(stream, at + HEAD_BYTES + *length - 1, &last, 1) &&
	       last == '}';
}

static int search_piece(struct qemu_stream *stream, const uint8_t *piece, uint64_t at, size_t size, struct gim_error *error)
{
	int result = 0;
	for (size_t i = size; !result && !stream->described && i-- > 0;) {
		uint32_t length;
		if (piece[i] == QEMU_EOF && looks_like_one(stream, piece + i, at + i, &length))
			result = try_description(stream, at + i + 1, length, error);
	}
	return result;
}

int qemu_find_description(struct qemu_stream *stream, struct gim_error *error)
{
	uint8_t *piece = malloc(PIECE_BYTES + HEAD_BYTES);
	const uint64_t size = stream->size;
	int result = piece ? 0 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	stream->described_at = GIM_UNKNOWN;
	for (uint64_t end = size; !result && !stream->described && end > stream->first && size - end < SEARCH_BYTES;) {
		const uint64_t from = end - stream->first > PIECE_BYTES ? end - PIECE_BYTES : stream->first;
		size_t got = 0;
		/* A head may begin in this piece and end in the one behind it. */
		result = gim_input_read(stream->input, from, piece, (size_t)(end - from) + HEAD_BYTES, &got, error);
		if (!result && got > HEAD_BYTES)
			result = search_piece(stream, piece, from, got - HEAD_BYTES < end - from ? got - HEAD_BYTES : (size_t)(end - from),
			                      error);
		end = from;
	}
	free(piece);
	return !result && stream->refused.code ? gim_fail_as(error, &stream->refused) : result;
}

/*
 * Sections by the description.
 */
/* The section of this device that begins here, in head bytes. */
static bool is_section(struct qemu_stream *stream, const struct qemu_device *device, uint64_t at, struct qemu_section *section)
{
	uint8_t head[SECTION_HEAD + 255];
	const size_t length = strlen(device->name), size = SECTION_HEAD + length;
	if (length > 255 || !read_exactly(stream, at, head, size) || head[0] != QEMU_SECTION_FULL || head[5] != length ||
	    memcmp(head + 6, device->name, length) != 0)
		return false;
	*section = (struct qemu_section){
	    .name = device->name,
	    .type = head[0],
	    .id = (uint32_t)qemu_number(head + 1, 4),
	    .instance = (uint32_t)qemu_number(head + 6 + length, 4),
	    .version = (uint32_t)qemu_number(head + 10 + length, 4),
	    .offset = at,
	    .payload = at + size,
	    .device = device,
	};
	return section->instance == device->instance;
}

static bool has_footer(struct qemu_stream *stream, uint64_t at, uint32_t *id)
{
	uint8_t footer[QEMU_FOOTER_BYTES];
	if (!read_exactly(stream, at, footer, sizeof(footer)) || footer[0] != QEMU_SECTION_FOOTER)
		return false;
	*id = (uint32_t)qemu_number(footer + 1, 4);
	return true;
}

/* The section of this device that ends here. */
static bool ends_here(struct qemu_stream *stream, const struct qemu_device *device, uint64_t end, struct qemu_section *section)
{
	const uint64_t size = qemu_vmsd_bytes(&device->vmsd), head = SECTION_HEAD + strlen(device->name);
	uint32_t id = 0;
	if (size == GIM_UNKNOWN)
		return false;
	for (unsigned footer = 0; footer < 2; footer++) {
		const uint64_t whole = head + size + (footer ? QEMU_FOOTER_BYTES : 0);
		if (end < stream->first || whole > end - stream->first || (footer && !has_footer(stream, end - QEMU_FOOTER_BYTES, &id)) ||
		    !is_section(stream, device, end - whole, section) || (footer && section->id != id))
			continue;
		section->size_bytes = size;
		section->footer = footer;
		return true;
	}
	return false;
}

/* Devices that must be there before RAM have their sections before it. */
static bool find_early(struct qemu_stream *stream, uint32_t count, uint64_t at, uint64_t end, struct qemu_section *sections)
{
	uint8_t head[5];
	uint32_t id;
	for (uint32_t i = 0; i < count; i++) {
		/* Commands stand between. */
		while (read_exactly(stream, at, head, sizeof(head)) && head[0] == QEMU_COMMAND_MARK)
			at += 5 + qemu_number(head + 3, 2);
		const uint64_t size = qemu_vmsd_bytes(&stream->description.devices[i].vmsd);
		if (!is_section(stream, &stream->description.devices[i], at, &sections[i]) || size > end - at)
			return false;
		sections[i].size_bytes = size;
		at = sections[i].payload + size;
		sections[i].footer = has_footer(stream, at, &id) && id == sections[i].id;
		at += sections[i].footer ? QEMU_FOOTER_BYTES : 0;
	}
	return true;
}

int qemu_find_described(struct qemu_stream *stream, struct gim_error *error)
{
	const struct qemu_description *description = &stream->description;
	uint32_t i = description->device_count;
	uint64_t end = stream->described_at - 1;
	stream->fits = false;
	if (!stream->described || !i)
		return 0;
	struct qemu_section *sections = calloc(i, sizeof(*sections));
	if (!sections)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	while (i && ends_here(stream, &description->devices[i - 1], end, &sections[i - 1]))
		end = sections[--i].offset;
	if (find_early(stream, i, stream->first, end, sections)) {
		stream->devices = (struct qemu_sections){sections, description->device_count, description->device_count};
		stream->fits = stream->ended = true;
		return 0;
	}
	free(sections);
	return stream->refused.code ? gim_fail_as(error, &stream->refused) : 0;
}
