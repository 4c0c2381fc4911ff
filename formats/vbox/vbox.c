/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VirtualBox saved states as a container format of the library: opening, listing, finding and reading units. */
#include "error.h"
#include "state.h"
#include "vbox/crc.h"
#include "vbox/pgm.h"
#include "vbox/rules.h"
#include "vbox/settings.h"
#include "vbox/ssm.h"
#include "vbox/ssm_convert.h"
#include "vbox/ssm_rewrite.h"
#include "vbox/units.h"
#include "vbox/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct gim_format gim_format_vbox;

struct ssm_stream *vbox_stream(const struct gim_state *state)
{
	return (struct ssm_stream *)state->container;
}

static int vbox_bid(const uint8_t *head, size_t size)
{
	static const char magic[] = "\177VirtualBox SavedState ";
	return size >= sizeof(magic) - 1 && !memcmp(head, magic, sizeof(magic) - 1) ? 100 : 0;
}

static int store_texts(struct gim_state *state, struct gim_object *object, const struct ssm_header *header, struct gim_error *error)
{
	char text[64];
	int result = gim_store_text(state, object, offsetof(struct source, format), gim_format_vbox.name, error);
	(void)snprintf(text, sizeof(text), "%s %u.%u", gim_format_vbox.title, (unsigned)header->version / 10,
	               (unsigned)header->version % 10);
	if (!result)
		result = gim_store_text(state, object, offsetof(struct source, container), text, error);
	if (result || header->version == SSM_V1_1)
		return result; /* 1.1 does not say what wrote it */
	(void)snprintf(text, sizeof(text), "%u.%u.%ur%u", header->major, header->minor, header->build, header->revision);
	result = gim_store_text(state, object, offsetof(struct source, producer), text, error);
	(void)snprintf(text, sizeof(text), "%s:%u.%u", gim_format_vbox.name, header->major, header->minor);
	return result ? result : gim_store_text(state, object, offsetof(struct source, release), text, error);
}

static int store_source(struct gim_state *state, const struct ssm_header *header, struct gim_error *error)
{
	struct gim_object *object = gim_state_object(state, &source_record, error);
	if (!object)
		return GIM_E_MEMORY;
	int result = store_texts(state, object, header, error);
	if (result)
		return result;
	if (state->input.size != GIM_UNKNOWN)
		GIM_STORE(object, source, size_bytes, state->input.size);
	GIM_STORE(object, source, checksummed, header->checksummed);
	GIM_STORE(object, source, live, header->live);
	if (header->version == SSM_V1_1)
		return 0;
	GIM_STORE(object, source, host_bits, header->host_bits);
	GIM_STORE(object, source, address_bytes, header->address_bytes);
	GIM_STORE(object, source, pointer_bytes, header->pointer_bytes);
	if (header->version == SSM_V2_0)
		GIM_STORE(object, source, units, header->units);
	return 0;
}

static int vbox_open(struct gim_state *state, struct gim_error *error)
{
	struct ssm_stream *stream = calloc(1, sizeof(*stream));
	if (!stream)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	state->container = stream;
	int result = ssm_open(stream, &state->input, error);
	if (!result)
		result = store_source(state, &stream->header, error);
	if (!result)
		state->codec.address_bytes = stream->header.address_bytes;
	return result;
}

static void vbox_close(struct gim_state *state)
{
	if (!state->container)
		return;
	ssm_close(vbox_stream(state));
	free(state->container);
	state->container = NULL;
}

/* Walk on from the unit that was given last; its successor is found behind its data. */
static int vbox_unit_next(struct gim_state *state, struct gim_unit *unit, struct gim_error *error)
{
	struct ssm_stream *stream = vbox_stream(state);
	if (state->input.seekable)
		ssm_seek(stream, unit->offset ? unit->offset + unit->stored_bytes : stream->header.size_bytes);
	struct gim_unit next;
	int result = ssm_next(stream, &next, error);
	if (result <= 0)
		return result;
	next.decodable = vbox_unit_decodable(&next);
	if (state->input.seekable) {
		/* Its sizes are known only once its records were read. */
		int read = ssm_skip(stream, error);
		if (read) {
			gim_error_unit(error, next.name, next.instance);
			return read;
		}
		next.payload_bytes = stream->payload_bytes;
		if (next.stored_bytes == GIM_UNKNOWN)
			next.stored_bytes = stream->position - next.offset;
	}
	*unit = next;
	return result;
}

static bool is_unit(const struct gim_unit *unit, const char *name, uint32_t instance, uint32_t pass)
{
	return !strcmp(unit->name, name) && unit->instance == instance && unit->pass == pass;
}

/* The unit that an entry of the directory stands for. 1: *unit is it, 0: there is none where it points to. */
static int listed_unit(struct ssm_stream *stream, uint32_t index, struct gim_unit *unit, struct gim_error *error)
{
	const struct ssm_directory_entry *entry = &stream->directory[index];
	if (entry->offset < stream->header.size_bytes || entry->offset >= stream->end)
		return ssm_fail(error, SSM_DIRECTORY_ENTRY, stream->end + 16 + index * SSM_DIRECTORY_ENTRY_BYTES,
		                "the directory's entry points to 0x%llx, outside the units", (unsigned long long)entry->offset);
	ssm_seek(stream, entry->offset);
	return ssm_next(stream, unit, error);
}

/* The directory says where final-pass units are. 1: found, 0: not listed. */
static int find_in_directory(struct ssm_stream *stream, const char *name, uint32_t instance, struct gim_unit *unit, struct gim_error *error)
{
	const uint32_t crc = gim_crc32(0, name, strlen(name));
	for (uint32_t i = 0; i < stream->directory_count; i++) {
		const struct ssm_directory_entry *entry = &stream->directory[i];
		if (entry->instance != instance || entry->name_crc != crc)
			continue;
		struct gim_unit found;
		int result = listed_unit(stream, i, &found, error);
		if (result < 0)
			return result;
		if (!result || !is_unit(&found, name, instance, GIM_PASS_FINAL))
			return ssm_fail(error, SSM_DIRECTORY_ENTRY, entry->offset,
			                "the directory names another unit than the one that is here");
		*unit = found;
		return 1;
	}
	return 0;
}

int vbox_header_next(struct gim_state *state, uint32_t *index, struct gim_unit *unit, struct gim_error *error)
{
	struct ssm_stream *stream = vbox_stream(state);
	int result;
	if (stream->directory)
		return *index < stream->directory_count ? listed_unit(stream, (*index)++, unit, error) : 0;
	if (!(*index)++)
		ssm_seek(stream, stream->header.size_bytes);
	while ((result = ssm_next(stream, unit, error)) == 1 && unit->pass != GIM_PASS_FINAL)
		;
	return result;
}

static int vbox_unit_find(struct gim_state *state, const char *name, uint32_t instance, uint32_t pass, struct gim_unit *unit,
                          struct gim_error *error)
{
	struct ssm_stream *stream = vbox_stream(state);
	struct gim_unit found = {.offset = 0};
	int result = 0;
	if (pass == GIM_PASS_FINAL && stream->directory)
		result = find_in_directory(stream, name, instance, &found, error);
	else if (state->input.seekable)
		ssm_seek(stream, stream->header.size_bytes);
	if ((pass != GIM_PASS_FINAL || !stream->directory))
		while ((result = ssm_next(stream, &found, error)) > 0 && !is_unit(&found, name, instance, pass))
			;
	if (result < 0)
		return result;
	if (!result)
		return gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN, "there is no unit %s/%u", name, instance);
	found.decodable = vbox_unit_decodable(&found);
	*unit = found;
	return 0;
}

static int vbox_unit_read(struct gim_state *state, const struct gim_unit *unit, gim_sink_fn *sink, void *user, struct gim_error *error)
{
	struct ssm_stream *stream = vbox_stream(state);
	uint8_t bytes[16384];
	size_t got = 1;
	int result = 0;
	/* find and next leave the stream at the unit's data: on a pipe there is no other way to it. */
	if (state->input.seekable) {
		struct gim_unit again;
		ssm_seek(stream, unit->offset);
		result = ssm_next(stream, &again, error);
		if (result == 0)
			result = gim_fail(error, GIM_E_ARGUMENT, unit->offset, "there is no unit here");
		result = result < 0 ? result : 0;
	}
	while (!result && got) {
		/* What stands before the damage is worth having. */
		result = ssm_read(stream, bytes, sizeof(bytes), &got, error);
		if (got && sink(user, bytes, got) && !result)
			result = gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "stopped");
	}
	if (result && result != GIM_E_STOPPED)
		gim_error_unit(error, unit->name, unit->instance);
	return result;
}

/* Is it to be container 2.0, the only one that is written? */
static int ask_container(const struct gim_write_options *options, bool *renew, struct gim_error *error)
{
	const struct gim_format *format = NULL;
	const struct gim_release *release = NULL;
	if (options->container && strcmp(options->container, "2.0") != 0)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "container %s cannot be written: 2.0 can", options->container);
	int result = options->release ? gim_release_find(options->release, &format, &release, error) : 0;
	*renew = options->container || (release && format == &gim_format_vbox && release->version == SSM_V2_0);
	return result;
}

static int vbox_write(struct gim_state *state, const struct gim_changes *changes, const struct gim_write_options *options,
                      gim_sink_fn *sink, void *user, struct gim_error *error)
{
	const struct ssm_header *header = &vbox_stream(state)->header;
	struct ssm_header made = *header;
	bool renew = false;
	int result = ask_container(options, &renew, error);
	if (!result && changes->count && !renew && header->version != SSM_V2_0)
		result = gim_fail(
		    error, GIM_E_UNSUPPORTED, GIM_UNKNOWN,
		    "units of container 1.x cannot be changed in it; convert the state to container 2.0 first (convert --container 2.0)");
	if (!result && renew)
		result = ssm_convert_header(header, options, &made, error);
	if (result || !sink)
		return result;
	if (renew && header->version != SSM_V2_0)
		return ssm_convert(&state->input, &made, changes, sink, user, error);
	return changes->count ? ssm_rewrite(&state->input, changes, sink, user, error) : ssm_copy(&state->input, sink, user, error);
}

const struct gim_format gim_format_vbox = {
    .name = "vbox",
    .title = "VirtualBox saved state",
    .suffix = ".sav",
    .bid = vbox_bid,
    .open = vbox_open,
    .close = vbox_close,
    .unit_next = vbox_unit_next,
    .unit_find = vbox_unit_find,
    .unit_read = vbox_unit_read,
    .decode = vbox_decode,
    .decode_unit = vbox_decode_unit,
    .decodable = vbox_unit_decodable,
    .write = vbox_write,
    .change_cpuid = vbox_change_cpuid,
    .check_provider = vbox_check_provider,
    .verify = ssm_verify,
    .check_release = vbox_check_release,
    .releases = vbox_releases,
    .memory = &vbox_memory,
    .layouts = vbox_layouts,
    .records = vbox_records,
    .settings_bid = vbox_settings_bid,
    .settings = vbox_settings,
    .rules = vbox_rules,
    .rule_count = VBOX_RULES,
    .checks = vbox_checks,
};
