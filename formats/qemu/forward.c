/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walks through a stream from its beginning: what a loader does, and what is left to do where no description says where sections are. */
#include "error.h"
#include "qemu/parts.h"
#include "qemu/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTIONS_MAX = 1 << 18, SECTION_HEAD = 14 };

int qemu_sections_add(struct qemu_sections *sections, const struct qemu_section *section, struct gim_error *error)
{
	if (sections->count == SECTIONS_MAX)
		return gim_fail(error, GIM_E_LIMIT, section->offset,
		                "the stream has more than the %d sections and pieces of them that are read at most", SECTIONS_MAX);
	if (sections->count == sections->capacity) {
		const size_t capacity = sections->capacity ? sections->capacity * 2 : 64;
		struct qemu_section *grown = realloc(sections->items, capacity * sizeof(*grown));
		if (!grown)
			return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
		sections->items = grown;
		sections->capacity = capacity;
	}
	sections->items[sections->count++] = *section;
	return 0;
}

static void complain(const struct qemu_walk *walk, enum qemu_rule rule, uint64_t offset, const struct qemu_section *section,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));

static void complain(const struct qemu_walk *walk, enum qemu_rule rule, uint64_t offset, const struct qemu_section *section,
                     const char *format, ...)
{
	char text[256];
	va_list arguments;
	if (!walk->complain)
		return;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	walk->complain(walk->user, rule, offset, section, text);
}

static struct qemu_reader *reader_of(const struct qemu_walk *walk)
{
	return &walk->stream->reader;
}

/*
 * What follows a section.
 */
/* Could an element begin like this? size: of the bytes that are there; at the end of the input anything that begins well will do. */
static bool plausible(const uint8_t *bytes, size_t size)
{
	if (!size)
		return false;
	switch (bytes[0]) {
	case QEMU_EOF:
		return true; /* whatever follows the end */
	case QEMU_SECTION_START:
	case QEMU_SECTION_FULL:
		if (size < SECTION_HEAD || !bytes[5] || size < SECTION_HEAD + (size_t)bytes[5] || bytes[1] || bytes[2])
			return false;
		for (unsigned i = 0; i < bytes[5]; i++)
			if (bytes[6 + i] < 0x20 || bytes[6 + i] >= 0x7f)
				return false;
		/* No section ever had a version above a few dozen. */
		return !bytes[10 + bytes[5]] && !bytes[11 + bytes[5]] && !bytes[12 + bytes[5]];
	case QEMU_SECTION_PART:
	case QEMU_SECTION_END:
		return size >= 5 && !bytes[1] && !bytes[2];
	case QEMU_COMMAND_MARK:
		return size >= 5 && !bytes[1] && bytes[2] && bytes[2] < 32;
	default:
		return false;
	}
}

/* Where no footers are, and an end is searched, a whole header tells it, or an end mark with all that follows. */
static bool surely(const uint8_t *bytes, size_t size)
{
	if (size && bytes[0] == QEMU_EOF)
		return size == 1 || (size > 6 && bytes[1] == QEMU_VMDESCRIPTION && bytes[6] == '{');
	return plausible(bytes, size) && (bytes[0] == QEMU_SECTION_START || bytes[0] == QEMU_SECTION_FULL);
}

/* How much of what follows must be seen to tell. */
enum { SEEN_BYTES = QEMU_FOOTER_BYTES + SECTION_HEAD + 255 };

static bool footer_here(const struct qemu_section *section, const uint8_t *bytes, size_t size)
{
	return size >= QEMU_FOOTER_BYTES && bytes[0] == QEMU_SECTION_FOOTER && qemu_number(bytes + 1, 4) == section->id;
}

/* Where does a section end of which nothing says how long it is? At its footer, behind which something sensible follows; where there are no footers, at
 * the next such thing. Moves the reader there. */
static int search_end(const struct qemu_walk *walk, const struct qemu_section *section, struct gim_error *error)
{
	struct qemu_reader *reader = reader_of(walk);
	const uint64_t start = reader->position;
	const uint8_t *bytes;
	size_t got;
	do {
		int result = qemu_look(reader, QEMU_LOOK_MAX, &bytes, &got, error);
		if (result)
			return result;
		const size_t last = got < QEMU_LOOK_MAX ? got : got - SEEN_BYTES;
		for (size_t i = 0; i < last; i++) {
			const bool found = walk->stream->footers ? footer_here(section, bytes + i, got - i) &&
			                                               plausible(bytes + i + QEMU_FOOTER_BYTES, got - i - QEMU_FOOTER_BYTES)
			                                         : surely(bytes + i, got - i);
			if (found)
				return qemu_pass(reader, i), 0;
		}
		qemu_pass(reader, last);
	} while (got == QEMU_LOOK_MAX && reader->position - start <= QEMU_PAYLOAD_LIMIT);
	return qemu_fail(error, QEMU_END_OF_FILE, start, "the end of section %s/%u was not found in %llu bytes", section->name,
	                 section->instance, (unsigned long long)(reader->position - start));
}

/* The footer, or the lack of one. The reader stands behind the payload. */
static int take_footer(const struct qemu_walk *walk, struct qemu_section *section, struct gim_error *error)
{
	struct qemu_reader *reader = reader_of(walk);
	const uint64_t at = reader->position;
	const uint8_t *bytes;
	size_t got;
	int result = qemu_look(reader, SEEN_BYTES, &bytes, &got, error);
	if (result)
		return result;
	section->footer = footer_here(section, bytes, got);
	if (section->footer)
		return qemu_pass(reader, QEMU_FOOTER_BYTES), 0;
	if (!walk->stream->footers)
		return 0;
	if (got < QEMU_FOOTER_BYTES)
		return qemu_fail(error, QEMU_END_OF_FILE, at, "the stream ends where the footer of %s is expected", section->name);
	/* A wrong one takes the place of the right one. */
	section->footer = !surely(bytes, got);
	if (bytes[0] == QEMU_SECTION_FOOTER)
		complain(walk, QEMU_FOOTER_ID, at + 1, section, "Mismatched section id in footer for %s - read 0x%llx expected 0x%x",
		         section->name, (unsigned long long)qemu_number(bytes + 1, 4), section->id);
	else
		complain(walk, QEMU_FOOTER, at, section, "Missing section footer for %s: 0x%02x is here instead of 0x7e", section->name,
		         bytes[0]);
	if (section->footer)
		qemu_pass(reader, QEMU_FOOTER_BYTES);
	return 0;
}

/*
 * Device sections.
 */
/* Descriptions come in the order of sections; one that is left over belongs to a section that is missing. */
static const struct qemu_device *match_device(struct qemu_walk *walk, const struct qemu_section *section)
{
	const struct qemu_description *description = &walk->stream->description;
	for (uint32_t i = walk->next_device; walk->stream->described && i < description->device_count; i++) {
		const struct qemu_device *device = &description->devices[i];
		if (device->instance == section->instance && !strcmp(device->name, section->name))
			return walk->next_device = i + 1, device;
	}
	return NULL;
}

static void judge_version(const struct qemu_walk *walk, const struct qemu_section *section)
{
	const struct qemu_vmsd *newest = qemu_schema_newest(section->name);
	const uint64_t at = section->payload - 4;
	if (newest && section->version > newest->version)
		complain(walk, QEMU_SECTION_VERSION, at, section, "unsupported version %u for '%s' v%u", section->version, section->name,
		         newest->version);
	else if (newest && section->version < newest->minimum)
		complain(walk, QEMU_SECTION_VERSION, at, section, "%s: incoming version_id %u is too old for local minimum version_id %u",
		         section->name, section->version, newest->minimum);
}

static void judge_parts(const struct qemu_walk *walk, const struct qemu_section *section, const struct qemu_part *parts, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		const struct qemu_vmsd *vmsd = parts[i].vmsd, *known = qemu_schema_newest(section->name);
		uint32_t index, newest = vmsd->version;
		const struct qemu_vmsd *table = known ? qemu_subsection_find(known, vmsd->name, &index) : NULL;
		newest = table ? table->version : newest;
		if (parts[i].version > newest)
			complain(walk, QEMU_SUBSECTION_VERSION, section->payload + parts[i].offset - 4, section,
			         "%s: incoming version_id %u is too new for local version_id %u", vmsd->name, parts[i].version, newest);
	}
}

/* One way to tell the size: does something sensible follow when it is believed? */
struct guess {
	struct qemu_part parts[QEMU_PARTS_MAX];
	size_t count, used;
	bool split, ends;
	struct gim_error error;
};

static void try_size(const struct qemu_walk *walk, const struct qemu_section *section, bool by_tables, const uint8_t *bytes, size_t size,
                     struct guess *guess)
{
	guess->error = (struct gim_error)GIM_ERROR_INIT;
	guess->ends = false;
	guess->split = !qemu_split(section->name, section->version, section->device, by_tables, bytes, size, guess->parts, &guess->count,
	                           &guess->used, &guess->error);
	if (guess->split)
		guess->ends = walk->stream->footers ? footer_here(section, bytes + guess->used, size - guess->used)
		                                    : plausible(bytes + guess->used, size - guess->used);
}

/* A section that does not fit into what can be looked at is believed to be what the description says, if the stream has so much. */
static int measure_long(const struct qemu_walk *walk, struct qemu_section *section, struct gim_error *error)
{
	const uint64_t size = section->device ? qemu_vmsd_bytes(&section->device->vmsd) : GIM_UNKNOWN;
	const struct qemu_reader *reader = reader_of(walk);
	if (size == GIM_UNKNOWN || size <= QEMU_LOOK_MAX - SEEN_BYTES ||
	    (reader->size != GIM_UNKNOWN && size > reader->size - reader->position))
		return 0;
	section->size_bytes = size;
	return qemu_skip(reader_of(walk), size, section->name, error);
}

static int measure(const struct qemu_walk *walk, struct qemu_section *section, struct gim_error *error)
{
	struct qemu_reader *reader = reader_of(walk);
	struct guess *guess = malloc(sizeof(*guess));
	const uint8_t *bytes;
	size_t got;
	int result = guess ? measure_long(walk, section, error) : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (result || section->size_bytes)
		goto out;
	result = qemu_look(reader, QEMU_LOOK_MAX, &bytes, &got, error);
	if (result)
		goto out;
	try_size(walk, section, false, bytes, got, guess);
	section->doubted = guess->split && !guess->ends;
	if (!guess->ends)
		try_size(walk, section, true, bytes, got, guess);
	section->doubted |= guess->split && !guess->ends;
	if (!guess->ends)
		try_size(walk, section, false, bytes, got, guess); /* what it says of a failure is nearer to the truth */
	judge_parts(walk, section, guess->parts, guess->count);
	const bool wrong_footer = guess->split && got - guess->used > QEMU_FOOTER_BYTES &&
	                          surely(bytes + guess->used + QEMU_FOOTER_BYTES, got - guess->used - QEMU_FOOTER_BYTES);
	if (guess->ends || wrong_footer) {
		section->size_bytes = guess->used;
		qemu_pass(reader, guess->used);
		goto out;
	}
	if (!guess->split && guess->error.code == GIM_E_CORRUPT)
		complain(walk, QEMU_SUBSECTION, section->payload + guess->error.offset, section, "%s", guess->error.text);
	result = search_end(walk, section, error);
	section->size_bytes = reader->position - section->payload;
out:
	free(guess);
	return result;
}

static int take_device(struct qemu_walk *walk, struct qemu_section *section, struct gim_error *error)
{
	section->device = match_device(walk, section);
	judge_version(walk, section);
	int result = measure(walk, section, error);
	if (result)
		return result;
	const uint64_t described = section->device ? qemu_vmsd_bytes(&section->device->vmsd) : section->size_bytes;
	if (described != section->size_bytes)
		complain(walk, QEMU_SECTION_SIZE, section->payload, section, "it has %llu bytes, but the description says %llu",
		         (unsigned long long)section->size_bytes, (unsigned long long)described);
	return 0;
}

/*
 * Elements.
 */
static bool is_ram(const struct qemu_section *section)
{
	return !strcmp(section->name, "ram");
}

/* What was met when the pipe was copied. */
static int pass_copied_ram(const struct qemu_walk *walk, struct qemu_section *section, struct gim_error *error)
{
	const struct qemu_sections *pieces = &walk->stream->pieces;
	for (size_t i = 0; i < pieces->count; i++)
		if (pieces->items[i].payload == section->payload) {
			section->size_bytes = pieces->items[i].size_bytes;
			return qemu_skip(reader_of(walk), section->size_bytes, "a RAM section", error);
		}
	return walk->stream->pieces_failure.code
	           ? gim_fail_as(error, &walk->stream->pieces_failure)
	           : gim_fail(error, GIM_E_UNSUPPORTED, section->offset, "the RAM of a stream from a pipe is not kept; give a file");
}

static int take_ram(const struct qemu_walk *walk, struct qemu_section *section, struct gim_error *error)
{
	struct qemu_stream *stream = walk->stream;
	if (stream->settled)
		return pass_copied_ram(walk, section, error);
	/* A copy of the stream need not have pages in it. */
	int result = qemu_reader_copy(&stream->reader, false, error);
	if (!result)
		result = qemu_ram_walk(&stream->ram, &stream->reader, NULL, NULL, error);
	if (!result)
		result = qemu_reader_copy(&stream->reader, true, error);
	stream->ram_known |= !result;
	section->size_bytes = stream->reader.position - section->payload;
	return result;
}

static int take_payload(struct qemu_walk *walk, struct qemu_section *section, struct gim_error *error)
{
	section->payload = reader_of(walk)->position;
	int result = is_ram(section) ? take_ram(walk, section, error) : take_device(walk, section, error);
	if (result)
		gim_error_unit(error, section->name, section->instance);
	if (!result)
		result = take_footer(walk, section, error);
	return result ? result : qemu_sections_add(walk->sections, section, error);
}

static int take_section(struct qemu_walk *walk, struct qemu_section *section, struct gim_error *error)
{
	struct qemu_reader *reader = reader_of(walk);
	char name[256];
	uint64_t id, instance, version;
	int result = qemu_take(reader, 4, &id, "a section's header", error);
	if (!result)
		result = qemu_take_name(reader, name, "a section's name", error);
	if (!result)
		result = qemu_take(reader, 4, &instance, "a section's header", error);
	if (!result)
		result = qemu_take(reader, 4, &version, "a section's header", error);
	if (result)
		return result;
	section->name = gim_arena_copy(walk->stream->arena, name, strlen(name) + 1);
	if (!section->name)
		return GIM_ARENA_FAIL(walk->stream->arena, error, section->offset,
		                      "the names of sections do not fit into the memory limit");
	section->id = (uint32_t)id;
	section->instance = (uint32_t)instance;
	section->version = (uint32_t)version;
	return take_payload(walk, section, error);
}

/* A piece of a section that was begun before. */
static int take_piece(struct qemu_walk *walk, struct qemu_section *section, struct gim_error *error)
{
	uint64_t id;
	int result = qemu_take(reader_of(walk), 4, &id, "a section's header", error);
	if (result)
		return result;
	for (size_t i = walk->sections->count; i-- > 0;) {
		const struct qemu_section *before = &walk->sections->items[i];
		if (before->id != id || before->type == QEMU_SECTION_FULL)
			continue;
		section->name = before->name;
		section->id = before->id;
		section->instance = before->instance;
		section->version = before->version;
		section->piece = before->piece + 1;
		return take_payload(walk, section, error);
	}
	return qemu_fail(error, QEMU_SECTION_ID, section->offset, "section %u goes on here, but was never begun", (unsigned)id);
}

/* The commands: the length of each, or any. What PACKAGED holds are elements like others, and read as such. */
enum { ANY = -1, POSTCOPY_ADVISE = 3, PACKAGED = 7, SWITCHOVER_START = 11 };
static const int command_bytes[] = {ANY, 0, 4, ANY, 0, 0, ANY, 4, 0, 0, ANY, 0};

static int take_command(struct qemu_walk *walk, uint64_t at, struct gim_error *error)
{
	struct qemu_reader *reader = reader_of(walk);
	uint64_t command, length;
	int result = qemu_take(reader, 2, &command, "a command", error);
	if (!result)
		result = qemu_take(reader, 2, &length, "a command", error);
	if (result)
		return result;
	if (!command || command >= sizeof(command_bytes) / sizeof(command_bytes[0]))
		return qemu_fail(error, QEMU_COMMAND, at, "MIG_CMD 0x%llx unknown (len 0x%llx)", (unsigned long long)command,
		                 (unsigned long long)length);
	if (command_bytes[command] != ANY && (uint64_t)command_bytes[command] != length)
		return qemu_fail(error, QEMU_COMMAND, at, "command %llu has %llu bytes, expected are %d", (unsigned long long)command,
		                 (unsigned long long)length, command_bytes[command]);
	walk->stream->switchover |= command == SWITCHOVER_START;
	walk->stream->packaged |= command == PACKAGED;
	if (command == POSTCOPY_ADVISE)
		walk->stream->postcopy = walk->stream->ram.postcopy = true;
	return qemu_skip(reader, length, "a command", error);
}

static int take_end(const struct qemu_walk *walk, struct gim_error *error)
{
	struct qemu_stream *stream = walk->stream;
	const uint8_t *bytes;
	size_t got;
	stream->ended = true;
	if (stream->described && stream->described_at == stream->reader.position)
		return qemu_skip(&stream->reader, 5 + stream->description_bytes, "the description", error);
	int result = qemu_look(&stream->reader, 5, &bytes, &got, error);
	if (!result && got == 5 && bytes[0] == QEMU_VMDESCRIPTION) {
		struct gim_error own = GIM_ERROR_INIT;
		const uint64_t at = stream->reader.position, length = qemu_number(bytes + 1, 4);
		qemu_pass(&stream->reader, 5);
		result = qemu_skip(&stream->reader, length, "the description", &own);
		/* A loader has all by then. */
		stream->description_cut = result && own.rule;
		if (stream->description_cut)
			complain(walk, QEMU_DESCRIPTION, at, NULL,
			         "the stream ends within the description, of which %llu bytes should be there", (unsigned long long)length);
		result = result && !own.rule ? gim_fail_as(error, &own) : 0;
	}
	stream->end = stream->description_cut ? stream->size : stream->reader.position;
	return result;
}

/* 1: it was the last one. */
static int take_element(struct qemu_walk *walk, struct gim_error *error)
{
	struct qemu_section section = {.offset = reader_of(walk)->position};
	uint64_t type;
	int result = qemu_take(reader_of(walk), 1, &type, "the sections, without an end mark", error);
	if (result)
		return result;
	section.type = (uint8_t)type;
	switch (type) {
	case QEMU_EOF:
		result = take_end(walk, error);
		return result ? result : 1;
	case QEMU_SECTION_START:
	case QEMU_SECTION_FULL:
		return take_section(walk, &section, error);
	case QEMU_SECTION_PART:
	case QEMU_SECTION_END:
		return take_piece(walk, &section, error);
	case QEMU_COMMAND_MARK:
		return take_command(walk, section.offset, error);
	default:
		return qemu_fail(error, QEMU_ELEMENT, section.offset,
		                 "Unknown savevm section type %u: a section, a command or the end is expected", (unsigned)type);
	}
}

int qemu_walk(struct qemu_walk *walk, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	int result = qemu_reader_copy(reader_of(walk), true, &own);
	while (!result && reader_of(walk)->position < walk->stop && !(walk->only_ram && walk->stream->ram_known))
		result = take_element(walk, &own);
	return result < 0 ? gim_fail_as(error, &own) : 0;
}
