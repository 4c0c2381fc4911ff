/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every unit of the old container becomes one of the new: the same name, instance, version and payload, in records; its order stays. */
#include "vbox/ssm_convert.h"

#include "error.h"
#include "vbox/rules.h"
#include "vbox/ssm_ahead.h"
#include "vbox/ssm_parts.h"
#include "vbox/ssm_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 64 * 1024 };

/* Container 1.1 was written up to VirtualBox 2.0. An old revision keeps loaders on what they know of old files. */
static const struct ssm_header defaults = {.major = 2, .minor = 0, .build = 0, .revision = 1, .host_bits = 64};

static int parse_producer(const char *text, struct ssm_header *header, struct gim_error *error)
{
	unsigned major, minor, build, revision;
	char rest;
	if (sscanf(text, "%4u.%4u.%7ur%8u%c", &major, &minor, &build, &revision, &rest) != 4 || major < 1 || major > 1000 || minor > 1000 ||
	    build > 1048576 || revision < 1 || revision > 10000000)
		return gim_fail(
		    error, GIM_E_ARGUMENT, GIM_UNKNOWN,
		    "%s is no producer: VERSIONrREVISION is expected, as 7.2.22r175245, with numbers up to 1000.1000.1048576r10000000",
		    text);
	header->major = (uint16_t)major;
	header->minor = (uint16_t)minor;
	header->build = build;
	header->revision = revision;
	return 0;
}

static void supplied(const struct gim_write_options *options, const char *path, bool given, const char *text)
{
	gim_report(options->report, options->report_user, &gim_convert_rules[GIM_CONVERT_SUPPLIED], GIM_UNKNOWN, NULL, path,
	           "supplied %s: %s; container 1.1 does not say it", given ? "as asked for" : "by default", text);
}

static void producer_text(const struct ssm_header *header, char *text, size_t size)
{
	(void)snprintf(text, size, "%u.%u.%ur%u", header->major, header->minor, header->build, header->revision);
}

/* What the options or the defaults give, in place of what container 1.1 does not say. */
static void supply(struct ssm_header *made, const struct ssm_header *given, const struct gim_write_options *options)
{
	char text[64];
	made->major = given->major;
	made->minor = given->minor;
	made->build = given->build;
	made->revision = given->revision;
	made->host_bits = options->host_bits ? (uint8_t)options->host_bits : given->host_bits;
	producer_text(made, text, sizeof(text));
	supplied(options, "source.producer", options->producer, text);
	(void)snprintf(text, sizeof(text), "%u", made->host_bits);
	supplied(options, "source.host_bits", options->host_bits, text);
	(void)snprintf(text, sizeof(text), "%u", made->address_bytes);
	supplied(options, "source.address_bytes", false, text);
	(void)snprintf(text, sizeof(text), "%u", made->pointer_bytes);
	supplied(options, "source.pointer_bytes", false, text);
}

int ssm_convert_header(const struct ssm_header *header, const struct gim_write_options *options, struct ssm_header *made,
                       struct gim_error *error)
{
	struct ssm_header given = defaults;
	int result = options->producer ? parse_producer(options->producer, &given, error) : 0;
	if (!result && options->host_bits && options->host_bits != 32 && options->host_bits != 64)
		result = gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "a host has 32 or 64 bits, not %u", options->host_bits);
	if (result)
		return result;
	*made = *header;
	if (header->version != SSM_V2_0)
		gim_report(options->report, options->report_user, &gim_convert_rules[GIM_CONVERT_CONTAINER], GIM_UNKNOWN, NULL,
		           "source.container", "1.%d -> 2.0", header->version - SSM_V1_1 + 1);
	if (header->version == SSM_V1_1) {
		supply(made, &given, options);
	} else if (options->producer || options->host_bits) {
		char text[64];
		producer_text(header, text, sizeof(text));
		gim_report(options->report, options->report_user, &gim_convert_rules[GIM_CONVERT_SUPPLIED], GIM_UNKNOWN, NULL,
		           "source.producer", "the file says itself that it is by %s on a host of %u bits; what was given is not used",
		           text, header->host_bits);
	}
	return 0;
}

struct conversion {
	struct ssm_stream stream;
	struct ssm_writer *writer;
	const struct gim_changes *changes;
	size_t done; /* of changes */
};

/* The one sum of an old container; a new one's would hide that it is wrong. */
static int check_crc(struct conversion *conversion, struct gim_error *error)
{
	struct ssm_ahead *ahead = NULL;
	uint32_t crc = 0;
	const uint32_t stored = conversion->stream.header.crc;
	int result = ssm_ahead_new(conversion->stream.input, 1, NULL, NULL, &ahead, error);
	if (!result)
		result = ssm_v1_crc(&conversion->stream, ahead, &crc, error);
	if (!result && crc != stored)
		result = ssm_fail(error, SSM1_CRC, 40, "the file's CRC is 0x%08x, but its bytes give 0x%08x", stored, crc);
	ssm_ahead_free(ahead);
	return result;
}

static int count_units(struct conversion *conversion, uint32_t *count, struct gim_error *error)
{
	struct gim_unit unit;
	int more;
	*count = 0;
	ssm_seek(&conversion->stream, conversion->stream.header.size_bytes);
	while ((more = ssm_next(&conversion->stream, &unit, error)) == 1)
		if (++*count > SSM_DIRECTORY_MAX)
			return gim_fail(error, GIM_E_LIMIT, unit.offset, "more than the %d units that a directory can list",
			                SSM_DIRECTORY_MAX);
	return more;
}

static int convert_payload(struct conversion *conversion, struct gim_error *error)
{
	uint8_t *piece = malloc(PIECE_BYTES);
	size_t got = PIECE_BYTES;
	int result = piece ? 0 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	while (!result && got == PIECE_BYTES) {
		result = ssm_read(&conversion->stream, piece, PIECE_BYTES, &got, error);
		if (!result)
			result = ssm_writer_data(conversion->writer, SSM_WRITE_AUTO, piece, got, error);
	}
	free(piece);
	return result;
}

static int convert_unit(struct conversion *conversion, const struct gim_unit *unit, struct gim_error *error)
{
	const struct gim_changes *changes = conversion->changes;
	const struct gim_change *change = conversion->done < changes->count ? &changes->items[conversion->done] : NULL;
	int result = ssm_writer_unit(conversion->writer, unit->name, unit->instance, unit->version, GIM_PASS_FINAL, error);
	if (result)
		return result;
	if (!change || change->offset != unit->offset)
		result = convert_payload(conversion, error);
	else
		result = ssm_writer_data(conversion->writer, SSM_WRITE_AUTO, change->payload, change->size, error);
	conversion->done += change && change->offset == unit->offset;
	if (result)
		gim_error_unit(error, unit->name, unit->instance);
	return result;
}

static int convert_units(struct conversion *conversion, struct gim_error *error)
{
	struct gim_unit unit;
	int more, result = 0;
	ssm_seek(&conversion->stream, conversion->stream.header.size_bytes);
	while (!result && (more = ssm_next(&conversion->stream, &unit, error)))
		result = more < 0 ? more : convert_unit(conversion, &unit, error);
	if (!result && conversion->done < conversion->changes->count)
		result = gim_fail(error, GIM_E_ARGUMENT, conversion->changes->items[conversion->done].offset,
		                  "no unit that could be changed begins here");
	return result ? result : ssm_writer_finish(conversion->writer, error);
}

int ssm_convert(struct gim_input *input, const struct ssm_header *made, const struct gim_changes *changes, gim_sink_fn *sink, void *user,
                struct gim_error *error)
{
	struct conversion conversion = {.changes = changes};
	struct ssm_write_options options = {
	    .major = made->major,
	    .minor = made->minor,
	    .build = made->build,
	    .revision = made->revision,
	    .host_bits = made->host_bits,
	    .address_bytes = made->address_bytes,
	    .pointer_bytes = made->pointer_bytes,
	    .checksummed = true,
	};
	int result = ssm_open(&conversion.stream, input, error);
	if (!result)
		result = check_crc(&conversion, error);
	if (!result)
		result = count_units(&conversion, &options.units, error);
	if (!result)
		result = ssm_writer_new(&options, sink, user, &conversion.writer, error);
	if (!result)
		result = convert_units(&conversion, error);
	ssm_writer_free(&conversion.writer);
	ssm_close(&conversion.stream);
	return result;
}
