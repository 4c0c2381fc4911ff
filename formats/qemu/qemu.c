/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's migration streams as a container format of the library: opening, listing, finding and reading sections. */
#include "error.h"
#include "qemu/configure.h"
#include "qemu/decode.h"
#include "qemu/libvirt.h"
#include "qemu/schema.h"
#include "qemu/verify.h"
#include "qemu/write.h"
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct gim_format gim_format_qemu;

static struct qemu_stream *stream_of(const struct gim_state *state)
{
	return (struct qemu_stream *)state->container;
}

/* One wrong byte of the magic is told as such. */
static int qemu_bid(const uint8_t *head, size_t size)
{
	static const uint8_t magic[] = {'Q', 'E', 'V', 'M', 0, 0, 0};
	unsigned equal = 0;
	for (size_t i = 0; i < sizeof(magic) && i < size; i++)
		equal += head[i] == magic[i];
	return size < 8 ? 0 : !memcmp(head, magic, 4) ? 100 : equal == sizeof(magic) - 1 && head[7] == 3 ? 20 : 0;
}

/*
 * Where it comes from.
 */
/* The configuration is described since QEMU 8.2, and a machine type is as old as its release or older. */
static void describe_producer(const struct qemu_stream *stream, char *text, size_t size)
{
	unsigned major, minor;
	qemu_machine_release(&stream->configuration, &major, &minor);
	const bool before = major < 8 || (major == 8 && minor < 2);
	*text = '\0';
	if (stream->description.configuration && before)
		(void)snprintf(text, size, "QEMU 8.2 or later");
	else if (major && stream->described && before)
		(void)snprintf(text, size, "QEMU %u.%u to 8.1", major, minor);
	else if (major)
		(void)snprintf(text, size, "QEMU %u.%u or later", major, minor);
	else if (stream->described)
		(void)snprintf(text, size, "QEMU 2.2 to 8.1");
}

static int store_source(struct gim_state *state, struct gim_error *error)
{
	struct gim_object *object = gim_state_object(state, &source_record, error);
	char producer[64];
	if (!object)
		return GIM_E_MEMORY;
	describe_producer(stream_of(state), producer, sizeof(producer));
	int result = gim_store_text(state, object, offsetof(struct source, format), gim_format_qemu.name, error);
	if (!result)
		result = gim_store_text(state, object, offsetof(struct source, container), "QEMU migration stream 3", error);
	if (!result && *producer)
		result = gim_store_text(state, object, offsetof(struct source, producer), producer, error);
	GIM_STORE(object, source, size_bytes, state->input.size);
	return result;
}

static int qemu_open(struct gim_state *state, struct gim_error *error)
{
	struct qemu_stream *stream = calloc(1, sizeof(*stream));
	if (!stream)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	state->container = stream;
	state->codec.big = true;
	int result = qemu_stream_open(stream, &state->input, &state->arena, error);
	return result ? result : store_source(state, error);
}

static void qemu_close(struct gim_state *state)
{
	if (!state->container)
		return;
	qemu_stream_close(stream_of(state));
	free(state->container);
	state->container = NULL;
}

/*
 * Units.
 */
/* The first section behind an offset; NULL: there is none. */
static const struct qemu_section *section_behind(const struct qemu_sections *sections, uint64_t offset)
{
	size_t low = 0, high = sections->count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (sections->items[middle].offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < sections->count ? &sections->items[low] : NULL;
}

static int qemu_unit_next(struct gim_state *state, struct gim_unit *unit, struct gim_error *error)
{
	struct qemu_stream *stream = stream_of(state);
	int result = qemu_find_all(stream, error);
	if (result)
		return result;
	const struct qemu_section *next = section_behind(&stream->all, unit->offset);
	if (!next)
		return stream->failure.code ? gim_fail_as(error, &stream->failure) : 0;
	qemu_fill_unit(stream, next, unit);
	return 1;
}

static bool is_unit(const struct gim_unit *unit, const char *name, uint32_t instance, uint32_t pass)
{
	return !strcmp(unit->name, name) && unit->instance == instance && unit->pass == pass;
}

static int find_among(const struct qemu_stream *stream, const struct qemu_sections *sections, const char *name, uint32_t instance,
                      uint32_t pass, struct gim_unit *unit)
{
	for (size_t i = 0; i < sections->count; i++) {
		struct gim_unit found;
		if (strcmp(sections->items[i].name, name) != 0)
			continue;
		qemu_fill_unit(stream, &sections->items[i], &found);
		if (is_unit(&found, name, instance, pass))
			return *unit = found, 1;
	}
	return 0;
}

/* Device sections are found without going through RAM. */
static int qemu_unit_find(struct gim_state *state, const char *name, uint32_t instance, uint32_t pass, struct gim_unit *unit,
                          struct gim_error *error)
{
	struct qemu_stream *stream = stream_of(state);
	int result = qemu_find_devices(stream, error);
	if (result || find_among(stream, &stream->devices, name, instance, pass, unit))
		return result;
	result = qemu_find_all(stream, error);
	if (result || find_among(stream, &stream->all, name, instance, pass, unit))
		return result;
	if (stream->failure.code)
		return gim_fail_as(error, &stream->failure);
	return gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN, "there is no section %s/%u: gimstate units lists them", name, instance);
}

static int qemu_unit_read(struct gim_state *state, const struct gim_unit *unit, gim_sink_fn *sink, void *user, struct gim_error *error)
{
	struct qemu_stream *stream = stream_of(state);
	int result = unit->decodable ? qemu_find_devices(stream, error) : qemu_find_all(stream, error);
	const struct qemu_section *section = NULL;
	if (!result && unit->offset)
		section = section_behind(unit->decodable ? &stream->devices : &stream->all, unit->offset - 1);
	if (!result && (!section || section->offset != unit->offset))
		return gim_fail(error, GIM_E_ARGUMENT, unit->offset, "there is no section here");
	if (!result && stream->settled && !strcmp(section->name, "ram"))
		return gim_fail(error, GIM_E_UNSUPPORTED, unit->offset, "the RAM of a stream from a pipe is not kept; give a file");
	uint8_t bytes[16384];
	for (uint64_t at = 0; !result && at < section->size_bytes;) {
		const uint64_t left = section->size_bytes - at;
		size_t got = 0;
		result = gim_input_read(stream->input, section->payload + at, bytes, left < sizeof(bytes) ? (size_t)left : sizeof(bytes),
		                        &got, error);
		if (!result && !got)
			result =
			    qemu_fail(error, QEMU_END_OF_FILE, section->payload + at, "the stream ends within section %s", section->name);
		if (!result && sink(user, bytes, got))
			result = gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "stopped");
		at += got;
	}
	return result;
}

static int keep(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes(user, bytes, size);
	return 0;
}

static int decode_packed(struct gim_state *state, const struct gim_unit *unit, gim_report_fn *report, void *user, struct gim_error *error)
{
	struct gim_buffer payload = {.bytes = NULL};
	int result =
	    unit->payload_bytes > QEMU_PAYLOAD_LIMIT
		? gim_fail(error, GIM_E_LIMIT, GIM_UNKNOWN, "section %s/%u has %llu bytes, and at most %llu are decoded", unit->name,
	                   unit->instance, (unsigned long long)unit->payload_bytes, (unsigned long long)QEMU_PAYLOAD_LIMIT)
		: gim_unit_read(state, unit, keep, &payload, error);
	if (!result && payload.failed)
		result = gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (!result)
		result = qemu_decode_packed(state, unit, payload.bytes, payload.size, report, user, error);
	gim_buffer_free(&payload);
	return result;
}

static int qemu_decode_unit(struct gim_state *state, const struct gim_unit *unit, gim_report_fn *report, void *user,
                            struct gim_error *error)
{
	if (state->format != &gim_format_qemu)
		return decode_packed(state, unit, report, user, error);
	struct qemu_stream *stream = stream_of(state);
	int result = qemu_find_devices(stream, error);
	const struct qemu_section *section = result || !unit->offset ? NULL : section_behind(&stream->devices, unit->offset - 1);
	if (!result && (!section || section->offset != unit->offset || !qemu_decodable(section)))
		return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN,
		                "neither a description nor a table says what section %s/%u holds in version %u: dump --hex shows its bytes",
		                unit->name, unit->instance, unit->version);
	return result ? result : qemu_decode_section(state, section, report, user, error);
}

static bool qemu_unit_decodable(const struct gim_unit *unit)
{
	return qemu_schema_find(unit->name, unit->version);
}

static const struct gim_record *const records[] = {&qemu_info_record, NULL};
static const struct gim_layout *const layouts[] = {&qemu_layout_guest, NULL};

/* The container is the same in all of them. */
#define RELEASE(major, minor)                                                                                                              \
	{                                                                                                                                  \
		major, minor, QEMU_STREAM_VERSION                                                                                          \
	}
enum { QEMU_STREAM_VERSION = 3 };

static const struct gim_release releases[] = {
    RELEASE(2, 0), RELEASE(2, 1),  RELEASE(2, 2),  RELEASE(2, 3),  RELEASE(2, 4),  RELEASE(2, 5),  RELEASE(2, 6), RELEASE(2, 7),
    RELEASE(2, 8), RELEASE(2, 9),  RELEASE(2, 10), RELEASE(2, 11), RELEASE(2, 12), RELEASE(3, 0),  RELEASE(3, 1), RELEASE(4, 0),
    RELEASE(4, 1), RELEASE(4, 2),  RELEASE(5, 0),  RELEASE(5, 1),  RELEASE(5, 2),  RELEASE(6, 0),  RELEASE(6, 1), RELEASE(6, 2),
    RELEASE(7, 0), RELEASE(7, 1),  RELEASE(7, 2),  RELEASE(8, 0),  RELEASE(8, 1),  RELEASE(8, 2),  RELEASE(9, 0), RELEASE(9, 1),
    RELEASE(9, 2), RELEASE(10, 0), RELEASE(10, 1), RELEASE(10, 2), RELEASE(11, 0), RELEASE(11, 1), {0, 0, 0},
};

const struct gim_format gim_format_qemu = {
    .name = "qemu",
    .title = "QEMU migration stream",
    .suffix = ".mig",
    .copied = true,
    .bid = qemu_bid,
    .open = qemu_open,
    .close = qemu_close,
    .unit_next = qemu_unit_next,
    .unit_find = qemu_unit_find,
    .unit_read = qemu_unit_read,
    .decode = qemu_decode,
    .decode_unit = qemu_decode_unit,
    .decodable = qemu_unit_decodable,
    .layouts = layouts,
    .records = records,
    .write = qemu_write,
    .interface = qemu_interface,
    .place = qemu_place_make,
    .check_release = qemu_check_release,
    .verify = qemu_verify,
    .memory = &qemu_memory,
    .settings_bid = qemu_libvirt_bid,
    .settings = qemu_target_settings,
    .options = qemu_target_options,
    .releases = releases,
    .checks = qemu_checks,
    .rules = qemu_rules,
    .rule_count = QEMU_RULES,
};
