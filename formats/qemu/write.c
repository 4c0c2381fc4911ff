/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes a stream: all bytes are copied, but for sections in which something is changed, and for the description of those that have other subsections then. */
#include "qemu/write.h"

#include "error.h"
#include "qemu/decode.h"
#include "qemu/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 256 << 10 };

struct writing {
	struct qemu_stream *stream;
	struct qemu_items items;
	gim_sink_fn *sink;
	void *user;
	uint64_t copied; /* of the input */
	struct gim_error *error;
};

static int put(struct writing *writing, const void *bytes, size_t size)
{
	return writing->sink(writing->user, bytes, size) ? gim_fail(writing->error, GIM_E_STOPPED, GIM_UNKNOWN, "the stream was not taken")
	                                                 : 0;
}

/* Copy up to a place of the input. */
static int copy(struct writing *writing, uint64_t end)
{
	uint8_t *piece = malloc(PIECE_BYTES);
	int result = piece ? 0 : gim_fail(writing->error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	while (!result && writing->copied < end) {
		const uint64_t left = end - writing->copied;
		size_t got = 0;
		result = gim_input_read(writing->stream->input, writing->copied, piece, left < PIECE_BYTES ? (size_t)left : PIECE_BYTES,
		                        &got, writing->error);
		if (!result && !got)
			result = gim_fail(writing->error, GIM_E_IO, writing->copied,
			                  "the input ends here now, and did not before: it was changed meanwhile, so do it again");
		if (!result)
			result = put(writing, piece, got);
		writing->copied += got;
	}
	free(piece);
	return result;
}

/*
 * The description.
 */
struct text {
	struct gim_buffer made;
	char *was;
	size_t copied;
};

static void append(struct gim_buffer *buffer, const char *text)
{
	gim_buffer_bytes(buffer, text, strlen(text));
}

/* As QEMU describes it, but for the brace at its end: names have nothing in them that would have to be escaped, as they are ours. */
static void describe_fields(struct gim_buffer *made, const struct qemu_vmsd *vmsd)
{
	char text[256];
	(void)snprintf(text, sizeof(text), "\"vmsd_name\": \"%s\", \"version\": %u, \"fields\": [", vmsd->name, vmsd->version);
	append(made, text);
	for (uint32_t i = 0; i < vmsd->field_count; i++) {
		const struct qemu_field *field = &vmsd->fields[i];
		char elements[32] = "";
		if (field->count > 1)
			(void)snprintf(elements, sizeof(elements), "\"array_len\": %u, ", field->count);
		(void)snprintf(text, sizeof(text), "%s{\"name\": \"%s\", %s\"type\": \"%s\", \"size\": %u}", i ? ", " : "", field->name,
		               elements, field->type, (unsigned)field->size);
		append(made, text);
	}
	append(made, "]");
}

static void describe_subsection(struct gim_buffer *made, const struct qemu_vmsd *vmsd)
{
	append(made, "{");
	describe_fields(made, vmsd);
	append(made, "}");
}

static void describe_added(struct gim_buffer *made, const struct qemu_added *added)
{
	const struct qemu_loaded *loaded = &added->loaded;
	char text[320];
	(void)snprintf(text, sizeof(text), ", {\"name\": \"%s\", \"instance_id\": %u, ", added->section.name, added->section.instance);
	append(made, text);
	describe_fields(made, loaded->parts[0].vmsd);
	append(made, loaded->part_count > 1 ? ", \"subsections\": [" : "");
	for (size_t i = 1; i < loaded->part_count; i++) {
		append(made, i > 1 ? ", " : "");
		describe_subsection(made, loaded->parts[i].vmsd);
	}
	append(made, loaded->part_count > 1 ? "]}" : "}");
}

/* Does a section have the subsections that its description says? */
static bool as_described(const struct qemu_loaded *loaded)
{
	const struct qemu_vmsd *described = &loaded->section->device->vmsd;
	uint32_t found = 0;
	for (size_t i = 1; i < loaded->part_count; i++) {
		uint32_t index;
		if (!loaded->parts[i].described &&
		    qemu_subsection_find(qemu_schema_newest(loaded->section->name), loaded->parts[i].vmsd->name, &index))
			return false;
		found += qemu_subsection_find(described, loaded->parts[i].vmsd->name, &index) != NULL;
	}
	return found == described->subsection_count;
}

static void describe_section(struct text *text, const struct qemu_loaded *loaded)
{
	const struct qemu_vmsd *vmsd = &loaded->section->device->vmsd;
	const bool none = !vmsd->subsections_end;
	const size_t from = none ? loaded->section->device->text_end - 1 : vmsd->subsections_text;
	gim_buffer_bytes(&text->made, text->was + text->copied, from - text->copied);
	append(&text->made, none ? ", \"subsections\": [" : "[");
	bool first = true;
	for (size_t i = 1; i < loaded->part_count; i++) {
		const struct qemu_part *part = &loaded->parts[i];
		if (!qemu_part_own(loaded, part))
			continue;
		append(&text->made, first ? "" : ", ");
		first = false;
		if (part->described)
			gim_buffer_bytes(&text->made, text->was + part->vmsd->text, part->vmsd->text_end - part->vmsd->text);
		else
			describe_subsection(&text->made, part->vmsd);
	}
	append(&text->made, "]");
	text->copied = none ? from : vmsd->subsections_end;
}

/* Without a section's device, and the comma beside it. removed: how many before it are not there any more. */
static void remove_device(struct text *text, const struct qemu_description *description, const struct qemu_device *device, size_t removed)
{
	const size_t at = (size_t)(device - description->devices), next = at + 1;
	const bool first = at == removed;
	const size_t from = first ? device->text : device[-1].text_end;
	const size_t to = first && next < description->device_count ? device[1].text : device->text_end;
	gim_buffer_bytes(&text->made, text->was + text->copied, from - text->copied);
	text->copied = to;
}

static void describe_devices(struct text *text, const struct qemu_items *items)
{
	const struct qemu_stream *stream = items->stream;
	size_t removed = 0;
	for (size_t i = 0; i < stream->devices.count; i++) {
		const struct qemu_section *section = &stream->devices.items[i];
		const struct qemu_loaded *loaded = &items->loaded[i];
		if (section->device && loaded->removed)
			remove_device(text, &stream->description, section->device, removed++);
		else if (section->device && loaded->changed && !as_described(loaded))
			describe_section(text, loaded);
		if (!items->added || items->added->behind != section)
			continue;
		gim_buffer_bytes(&text->made, text->was + text->copied, section->device->text_end - text->copied);
		text->copied = section->device->text_end;
		describe_added(&text->made, items->added);
	}
}

static int put_description(struct writing *writing)
{
	struct qemu_stream *stream = writing->stream;
	const uint64_t at = stream->described_at + 5;
	struct text text = {.was = malloc((size_t)stream->description_bytes)};
	size_t got = 0;
	int result = text.was ? gim_input_read(stream->input, at, text.was, (size_t)stream->description_bytes, &got, writing->error)
	                      : gim_fail(writing->error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (!result && got < stream->description_bytes)
		result = qemu_fail(writing->error, QEMU_END_OF_FILE, at + got, "the stream ends within its description");
	if (!result)
		describe_devices(&text, &writing->items);
	if (!result) {
		uint8_t head[5] = {QEMU_VMDESCRIPTION};
		gim_buffer_bytes(&text.made, text.was + text.copied, (size_t)stream->description_bytes - text.copied);
		for (unsigned i = 0; i < 4; i++)
			head[4 - i] = (uint8_t)(text.made.size >> 8 * i);
		result = text.made.failed ? gim_fail(writing->error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory")
		                          : put(writing, head, sizeof(head));
	}
	if (!result)
		result = put(writing, text.made.bytes, text.made.size);
	free(text.was);
	gim_buffer_free(&text.made);
	writing->copied = at + stream->description_bytes;
	return result;
}

/*
 * The stream.
 */
static uint64_t end_of(const struct qemu_section *section)
{
	return section->payload + section->size_bytes + (section->footer ? QEMU_FOOTER_BYTES : 0);
}

static int put_added(struct writing *writing, const struct qemu_added *added)
{
	const struct qemu_section *section = &added->section;
	struct gim_buffer bytes = {.big = true};
	gim_buffer_number(&bytes, section->type, 1);
	gim_buffer_number(&bytes, section->id, 4);
	gim_buffer_number(&bytes, strlen(section->name), 1);
	gim_buffer_bytes(&bytes, section->name, strlen(section->name));
	gim_buffer_number(&bytes, section->instance, 4);
	gim_buffer_number(&bytes, section->version, 4);
	gim_buffer_bytes(&bytes, added->loaded.bytes, added->loaded.size);
	if (section->footer) {
		gim_buffer_number(&bytes, QEMU_SECTION_FOOTER, 1);
		gim_buffer_number(&bytes, section->id, 4);
	}
	int result =
	    bytes.failed ? gim_fail(writing->error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory") : copy(writing, end_of(added->behind));
	if (!result)
		result = put(writing, bytes.bytes, bytes.size);
	gim_buffer_free(&bytes);
	return result;
}

/* A section as it is now, and one that is added behind it. */
static int put_section(struct writing *writing, const struct qemu_section *section, const struct qemu_loaded *loaded)
{
	int result = 0;
	if (loaded->removed) {
		result = copy(writing, section->offset);
		writing->copied = end_of(section);
	} else if (loaded->changed) {
		result = copy(writing, section->payload);
		if (!result)
			result = put(writing, loaded->bytes, loaded->size);
		writing->copied = section->payload + section->size_bytes;
	}
	const struct qemu_added *added = writing->items.added;
	return !result && added && added->behind == section ? put_added(writing, added) : result;
}

static int put_sections(struct writing *writing)
{
	const struct qemu_stream *stream = writing->stream;
	bool described_anew = writing->items.added;
	int result = 0;
	for (size_t i = 0; !result && i < stream->devices.count; i++) {
		const struct qemu_section *section = &stream->devices.items[i];
		const struct qemu_loaded *loaded = &writing->items.loaded[i];
		described_anew |= section->device && (loaded->removed || (loaded->changed && !as_described(loaded)));
		result = put_section(writing, section, loaded);
	}
	if (!result && described_anew && stream->described) {
		result = copy(writing, stream->described_at);
		if (!result)
			result = put_description(writing);
	}
	return result ? result : copy(writing, stream->size);
}

/* A package says how many bytes it has, and would go on saying so. */
static int check_package(const struct writing *writing)
{
	bool resized = writing->items.added;
	for (size_t i = 0; i < writing->stream->devices.count; i++) {
		const struct qemu_loaded *loaded = &writing->items.loaded[i];
		resized |= loaded->removed || (loaded->changed && loaded->size != loaded->section->size_bytes);
	}
	return resized && writing->stream->packaged
	           ? gim_fail(
			 writing->error, GIM_E_UNSUPPORTED, GIM_UNKNOWN,
			 "the sections are in a package of postcopy, in which nothing can be added or left out: numbers can be changed")
	           : 0;
}

/* Without footers a section's end is told by what follows. Where that decided against what is known of its size, other bytes could decide otherwise, and
 * the stream would be read as another one. */
static int check_ends(const struct writing *writing)
{
	const struct qemu_section *doubted = NULL;
	bool changed = writing->items.added;
	for (size_t i = writing->stream->devices.count; i-- > 0;) {
		changed |= writing->items.loaded[i].removed || writing->items.loaded[i].changed;
		if (writing->stream->devices.items[i].doubted)
			doubted = &writing->stream->devices.items[i];
	}
	return changed && doubted && !writing->stream->footers
	           ? gim_fail(writing->error, GIM_E_UNSUPPORTED, doubted->offset,
	                      "section %s/%u is not as long as it should be, and has no footer: where it ends is a guess, which a change "
	                      "could make wrong",
	                      doubted->name, doubted->instance)
	           : 0;
}

/* What the state holds, into the sections that hold it. */
static int change_items(struct writing *writing, const struct gim_state *state)
{
	const struct gim_items items = {.put = qemu_items_put, .omit = qemu_items_omit, .user = &writing->items};
	struct gim_codec codec = state->codec;
	int result = 0;
	codec.items = &items;
	for (const struct gim_provider *const *each = gim_providers; !result && *each; each++) {
		const struct gim_layout *layout = gim_layout_of(*each, "qemu");
		const struct gim_object *object = layout ? gim_state_find(state, (*each)->record) : NULL;
		struct gim_buffer nothing = {.bytes = NULL};
		codec.version = layout ? layout->last : 0;
		if (object)
			result = qemu_items_remove(&writing->items, layout, object, writing->error);
		if (!result && object)
			result = gim_encode(layout->frames[0].rows, &codec, object, 1, &nothing, writing->error);
		gim_buffer_free(&nothing);
	}
	return result;
}

int qemu_write(struct gim_state *state, const struct gim_changes *changes, const struct gim_write_options *options, gim_sink_fn *sink,
               void *user, struct gim_error *error)
{
	struct writing writing = {.stream = state->container, .sink = sink, .user = user, .error = error};
	const struct gim_format *format = state->format;
	const struct gim_release *release = NULL;
	(void)changes;
	if (options->container)
		return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN,
		                "a migration stream has one container: --container is for states of VirtualBox");
	if (writing.stream->settled)
		return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN,
		                "a stream from a pipe is read once, and cannot be written again; give a file");
	int result = options->release ? gim_release_find(options->release, &format, &release, error) : 0;
	if (!result && format != state->format)
		return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN, "%s loads no migration streams: a release as qemu:7.2 is expected",
		                options->release);
	if (!result && (state->gim_whole || release))
		result = qemu_find_devices(writing.stream, error);
	if (!result)
		result = qemu_items_open(&writing.items, writing.stream, error);
	if (!result && state->gim_whole)
		result = change_items(&writing, state);
	if (!result && release)
		result = qemu_leave_out(&writing.items, release, NULL, NULL, error);
	if (result >= 0)
		result = check_package(&writing);
	if (!result)
		result = check_ends(&writing);
	if (!result && sink)
		result = put_sections(&writing);
	qemu_items_close(&writing.items);
	return result;
}
