/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Judging a saved state's integrity: the reader goes through the whole file in the order in which VirtualBox's loader does, so that the first
 * finding is what the loader would say; what cannot be passed over is a finding too, and reading goes on at the next unit that can be found.
 */
#include "error.h"
#include "state.h"
#include "vbox/crc.h"
#include "vbox/rules.h"
#include "vbox/ssm_ahead.h"
#include "vbox/ssm_parts.h"
#include "vbox/units.h"
#include "vbox/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FINDINGS_MAX = 1000, PAYLOAD_MAX = 1 << 20, THREADS_MAX = 4 };

extern const struct gim_format gim_format_vbox;

struct verify {
	struct ssm_stream stream;
	const struct gim_verify_options *options;
	gim_report_fn *report; /* NULL: only whether there is any finding is asked */
	void *user;
	unsigned findings, errors;
	const struct gim_unit *unit; /* that is being read, or NULL */
	struct gim_state state;      /* only for decoding payloads */
	uint8_t *payload;            /* of PAYLOAD_MAX bytes, once a unit needs it */
	uint64_t final_units;
	bool damaged;                 /* something in the bytes since the last sound CRC was reported already */
	const struct gim_error *stop; /* why a payload's reading ended, while it is judged */
	bool told;                    /* that was reported already */
};

/*
 * Reporting.
 */
static bool is_crc_of_stream(const struct gim_rule *rule)
{
	return rule == &vbox_rules[SSM_UNIT_RUNNING_CRC] || rule == &vbox_rules[SSM_TERMINATOR_CRC] || rule == &vbox_rules[SSM_STREAM_CRC];
}

static void put(struct verify *verify, const struct gim_rule *rule, uint64_t offset, const char *unit, const char *path, const char *text)
{
	const struct gim_finding finding = {
	    .rule = rule, .severity = rule->severity, .offset = offset, .unit = unit, .path = path, .text = text};
	verify->errors += rule->severity == GIM_ERROR;
	if (verify->findings++ < FINDINGS_MAX && verify->report)
		verify->report(verify->user, &finding);
}

static void found(struct verify *verify, const struct gim_error *error)
{
	/* One damaged place is one finding: that the sums over it are wrong is no news. */
	const bool news = !is_crc_of_stream(error->rule) || !verify->damaged;
	char name[GIM_UNIT_NAME_BYTES + 16] = "";
	if (verify->unit)
		(void)snprintf(name, sizeof(name), "%s/%u", verify->unit->name, verify->unit->instance);
	verify->damaged = true;
	if (news)
		put(verify, error->rule, error->offset, *name ? name : NULL, NULL, error->text);
}

static void complain(void *user, const struct gim_error *error)
{
	found((struct verify *)user, error);
}

/* The loader meets what is wrong with a payload before what ends it, but for what it does not look at, and for a payload that ends too early. */
static void judge(void *user, const struct gim_finding *finding)
{
	struct verify *verify = (struct verify *)user;
	const uint64_t offset = finding->offset == GIM_UNKNOWN ? verify->unit->offset : finding->offset;
	const bool later = !finding->rule->status || finding->rule->code == GIM_E_TRUNCATED;
	if (verify->stop && later && !verify->told) {
		found(verify, verify->stop);
		verify->told = true;
	}
	put(verify, finding->rule, offset, finding->unit, finding->path, finding->text);
}

/* Reading failed: is that a finding, after which one may go on? */
static bool is_finding(const struct gim_error *error)
{
	return error->rule;
}

/*
 * Units.
 */
/* Read a payload whose content is judged. */
static int read_judged(struct verify *verify, struct gim_error *stop)
{
	struct ssm_stream *stream = &verify->stream;
	size_t size = 0, got = 1;
	int result = 0;
	if (!verify->payload && !(verify->payload = malloc(PAYLOAD_MAX)))
		return gim_fail(stop, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	stream->complain = NULL;
	while (!result && got && size < PAYLOAD_MAX) {
		result = ssm_read(stream, verify->payload + size, PAYLOAD_MAX - size, &got, stop);
		size += got;
	}
	stream->complain = complain;
	if (!result && got)
		return ssm_skip(stream, stop); /* longer than anything that is judged */
	if (result && !is_finding(stop))
		return result;
	const struct gim_verify_hooks *hooks = verify->options->hooks;
	const bool whole = !result || stop->rule == &vbox_rules[SSM_TERMINATOR] || stop->rule == &vbox_rules[SSM_TERMINATOR_CRC];
	if (hooks && vbox_unit_is_gim(verify->unit)) {
		const bool more = stream->empty || (result && stop->rule == &vbox_rules[SSM_UNPACK]);
		hooks->interface(hooks->user, verify->payload, size, whole, more);
		return result;
	}
	verify->stop = result ? stop : NULL;
	const int judged = vbox_judge_unit(&verify->state, verify->unit, verify->payload, size, whole, judge, verify);
	verify->stop = NULL;
	if (judged) {
		*stop = (struct gim_error)GIM_ERROR_INIT;
		result = gim_fail(stop, judged, GIM_UNKNOWN, "out of memory");
	}
	return result;
}

static int read_unit(struct verify *verify, const struct gim_unit *unit, struct gim_error *stop)
{
	const struct gim_verify_hooks *hooks = verify->options->hooks;
	if (hooks)
		hooks->unit(hooks->user, unit);
	verify->unit = unit;
	verify->final_units += unit->pass == GIM_PASS_FINAL && strcmp(unit->name, "SSMLiveControl") != 0;
	return vbox_unit_judged(&verify->state, unit) ? read_judged(verify, stop) : ssm_skip(&verify->stream, stop);
}

/* Does a unit header or the end of units begin at bytes? It says its own offset, so chance is no concern. */
static bool begins_unit(const uint8_t *bytes, uint64_t offset, enum ssm_version version)
{
	struct gim_cursor cursor = {.bytes = bytes, .size = 16, .position = 8};
	const bool end = !memcmp(bytes, ssm_end_magic, 8);
	if (!end && memcmp(bytes, ssm_unit_magic, 8) != 0)
		return false;
	return version != SSM_V2_0 || gim_cursor_u64(&cursor) == offset;
}

/* Go to the next unit header at or behind the position. 1: it is there, 0: there is none. */
static int find_unit(struct verify *verify, struct gim_error *error)
{
	enum { STEP = 32 * 1024, NEEDED = 16 };
	struct ssm_stream *stream = &verify->stream;
	ssm_seek(stream, stream->position);
	for (;;) {
		const uint8_t *bytes, *at;
		size_t got;
		int result = ssm_peek(stream, STEP, &bytes, &got, error);
		if (result)
			return result;
		if (got < NEEDED)
			return 0;
		const uint8_t *last = bytes + got - NEEDED;
		for (at = bytes; at <= last && (at = memchr(at, '\n', (size_t)(last - at) + 1)); at++)
			if (begins_unit(at, stream->position + (uint64_t)(at - bytes), stream->header.version)) {
				stream->position += (uint64_t)(at - bytes);
				return 1;
			}
		stream->position += got - NEEDED + 1;
	}
}

/* All units. 1: the end of units was met, 0: it was not. */
static int verify_units(struct verify *verify, struct gim_error *error)
{
	struct ssm_stream *stream = &verify->stream;
	for (;;) {
		struct gim_unit unit = {.offset = 0};
		struct gim_error stop = GIM_ERROR_INIT;
		const uint64_t start = stream->position;
		verify->unit = NULL;
		verify->told = false;
		int more = ssm_next(stream, &unit, &stop);
		if (!more)
			return 1;
		verify->damaged &= more < 0; /* its header's sum told of all that stands before it */
		int result = more < 0 ? more : read_unit(verify, &unit, &stop);
		if (result && !is_finding(&stop))
			return gim_fail_as(error, &stop);
		if (result && !verify->told)
			found(verify, &stop);
		if (result) {
			if (stream->position == start)
				stream->position++;
			result = find_unit(verify, error);
			if (result <= 0)
				return result;
		}
		if (verify->findings >= (verify->report ? FINDINGS_MAX : 1))
			return 0;
	}
}

/*
 * Directory and footer.
 */
/* VirtualBox reads the directory but does not compare it, until it looks for a single unit. */
static int compare_entry(struct verify *verify, uint64_t at, const struct ssm_directory_entry *entry, struct gim_error *error)
{
	uint8_t bytes[SSM_UNIT_HEADER_BYTES + SSM_NAME_MAX];
	struct gim_error own = GIM_ERROR_INIT;
	size_t got;
	if (!entry->offset || entry->offset >= verify->stream.end)
		return 0; /* reported already */
	int result = gim_input_read(verify->stream.input, entry->offset, bytes, sizeof(bytes), &got, error);
	if (result)
		return result;
	struct gim_cursor cursor = {.bytes = bytes, .size = got, .position = 28};
	const uint32_t instance = gim_cursor_u32(&cursor);
	cursor.position = 40;
	const uint32_t name_size = gim_cursor_u32(&cursor);
	if (got < SSM_UNIT_HEADER_BYTES || memcmp(bytes, ssm_unit_magic, 8) != 0 || instance != entry->instance)
		(void)ssm_fail(&own, SSM_DIRECTORY_ENTRY, at,
		               "no unit of instance %u begins at 0x%llx, where the directory's entry points to", entry->instance,
		               (unsigned long long)entry->offset);
	else if (name_size && name_size <= got - SSM_UNIT_HEADER_BYTES &&
	         gim_crc32(0, bytes + SSM_UNIT_HEADER_BYTES, name_size - 1) != entry->name_crc)
		(void)ssm_fail(&own, SSM_DIRECTORY_NAME, at, "the unit at 0x%llx has another name than the directory's entry says",
		               (unsigned long long)entry->offset);
	if (own.code)
		found(verify, &own);
	return 0;
}

static int compare_directory(struct verify *verify, uint64_t offset, struct gim_error *error)
{
	struct ssm_stream *stream = &verify->stream;
	int result = 0;
	stream->end = offset;
	for (uint32_t i = 0; !result && i < stream->directory_count && stream->input->seekable; i++)
		result = compare_entry(verify, offset + SSM_DIRECTORY_HEADER_BYTES + (uint64_t)i * SSM_DIRECTORY_ENTRY_BYTES,
		                       &stream->directory[i], error);
	if (!result && !stream->header.live && stream->directory_count < verify->final_units) {
		struct gim_error own = GIM_ERROR_INIT;
		(void)ssm_fail(&own, SSM_DIRECTORY_MISSING, offset + 12, "the directory lists %u units, the file holds %llu",
		               stream->directory_count, (unsigned long long)verify->final_units);
		found(verify, &own);
	}
	return result;
}

/* What follows the units of 2.0. footer_known: it was judged when the file was opened. */
static int verify_end(struct verify *verify, bool footer_known, struct gim_error *error)
{
	struct ssm_stream *stream = &verify->stream;
	struct gim_error stop = GIM_ERROR_INIT;
	verify->unit = NULL;
	if (stream->no_end_unit)
		(void)ssm_object(stream, &stop, SSM_NO_END_UNIT, stream->position, "the directory follows the last unit");
	const uint64_t offset = stream->position;
	const bool whole = !verify->errors;
	int result = ssm_next_directory(stream, &stop);
	if (!result && whole)
		result = compare_directory(verify, offset, &stop);
	if (!result)
		result = ssm_next_footer(stream, &stop);
	if (!result)
		return 0;
	if (!is_finding(&stop))
		return gim_fail_as(error, &stop);
	if (footer_known || stop.rule->status != vbox_rules[SSM_FOOTER].status)
		found(verify, &stop);
	return 0;
}

/* Units were not read to their end, so only the footer's sum over everything is left to compare. */
static int verify_sum(struct verify *verify, struct gim_error *error)
{
	struct ssm_stream *stream = &verify->stream;
	struct gim_error own = GIM_ERROR_INIT;
	uint32_t crc;
	int result = ssm_ahead_crc(stream->ahead, stream->footer.offset, &crc, error);
	if (!result && crc != stream->footer.stream_crc && !verify->findings) {
		(void)ssm_fail(&own, SSM_STREAM_CRC, stream->footer.offset + 16, "the file up to here has CRC 0x%08x, not 0x%08x", crc,
		               stream->footer.stream_crc);
		found(verify, &own);
	}
	return result;
}

/*
 * The whole.
 */
static unsigned thread_count(const struct gim_verify_options *options)
{
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	if (options->threads)
		return options->threads;
	return processors < 1 ? 1 : processors > THREADS_MAX ? THREADS_MAX : (unsigned)processors;
}

static int start_ahead(struct verify *verify, struct ssm_ahead **ahead, struct gim_error *error)
{
	const struct gim_verify_options *options = verify->options;
	return ssm_ahead_new(verify->stream.input, options->quick ? 1 : thread_count(options), options->progress, options->progress_user,
	                     ahead, error);
}

/* The old containers have one sum, over nearly everything; VirtualBox looks at it first. */
static int verify_v1_crc(struct verify *verify, struct ssm_ahead *ahead, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	uint32_t crc;
	int result = ssm_v1_crc(&verify->stream, ahead, &crc, error);
	if (!result && crc != verify->stream.header.crc) {
		(void)ssm_fail(&own, SSM1_CRC, 40, "the file's CRC is 0x%08x, but its bytes give 0x%08x", verify->stream.header.crc, crc);
		found(verify, &own);
	}
	return result;
}

static int verify_v1(struct verify *verify, struct gim_error *error)
{
	struct ssm_stream *stream = &verify->stream;
	struct ssm_ahead *first = NULL;
	int result = 0;
	/* A pipe is read but once, so that there the sum comes last. */
	if (stream->input->seekable) {
		result = start_ahead(verify, &first, error);
		if (!result)
			result = verify_v1_crc(verify, first, error);
		ssm_ahead_free(first);
	}
	if (!result && !verify->options->quick)
		result = verify_units(verify, error);
	if (result >= 0 && !stream->input->seekable)
		result = verify_v1_crc(verify, stream->ahead, error);
	return result < 0 ? result : 0;
}

static int verify_v2(struct verify *verify, bool footer_known, struct gim_error *error)
{
	struct ssm_stream *stream = &verify->stream;
	if (verify->options->quick)
		return 0; /* opening does not look at the directory */
	int result = verify_units(verify, error);
	if (result > 0)
		result = verify_end(verify, footer_known, error);
	else if (!result && footer_known && stream->header.checksummed)
		result = verify_sum(verify, error);
	return result;
}

/* What opening checks. 0: go on; *footer_known: the file ends with a sound footer. 1: it cannot be read any further. */
static int verify_opening(struct verify *verify, bool *footer_known, struct gim_error *error)
{
	struct ssm_stream *stream = &verify->stream;
	struct gim_error stop = GIM_ERROR_INIT;
	int result = ssm_read_header(stream, &stop);
	if (result && is_finding(&stop))
		return found(verify, &stop), 1;
	if (result)
		return gim_fail_as(error, &stop);
	if (stream->header.version == SSM_V2_0 && stream->input->seekable) {
		result = ssm_find_footer(stream, &stop);
		if (result && !is_finding(&stop))
			return gim_fail_as(error, &stop);
		*footer_known = !result;
		if (result)
			found(verify, &stop);
	}
	(void)ssm_check_producer(stream, NULL);
	return 0;
}

static int verify_once(struct verify *verify, struct gim_input *input, struct gim_error *error)
{
	bool footer_known = false;
	int result = ssm_begin(&verify->stream, input, error);
	verify->stream.complain = complain;
	verify->stream.complain_user = verify;
	verify->stream.put_off = !verify->report;
	if (!result)
		result = start_ahead(verify, &verify->stream.ahead, error);
	if (!result)
		result = verify_opening(verify, &footer_known, error);
	verify->state.codec.address_bytes = verify->stream.header.address_bytes == 4 ? 4 : 8;
	if (!result)
		result = verify->stream.header.version == SSM_V2_0 ? verify_v2(verify, footer_known, error) : verify_v1(verify, error);
	if (result >= 0 && verify->stream.put_off && !ssm_ahead_sound(verify->stream.ahead))
		verify->findings++;
	ssm_close(&verify->stream);
	gim_arena_free(&verify->state.arena);
	free(verify->payload);
	return result < 0 ? result : 0;
}

/*
 * Nearly every state is sound, so that is found out first, with the checks in whatever order is the fastest. Only if it is not, the file is gone through
 * again, in the loader's order.
 */
int ssm_verify(struct gim_input *input, const struct gim_verify_options *options, gim_report_fn *report, void *user,
               struct gim_error *error)
{
	struct verify first = {.options = options, .state = {.format = &gim_format_vbox}};
	int result = 0;
	if (input->seekable && !options->quick) {
		result = verify_once(&first, input, error);
		if (result || !first.findings)
			return result;
	}
	if (options->hooks)
		options->hooks->begin(options->hooks->user, &gim_format_vbox);
	struct verify verify = {.options = options, .report = report, .user = user, .state = {.format = &gim_format_vbox}};
	result = verify_once(&verify, input, error);
	if (!result && verify.findings >= FINDINGS_MAX) {
		verify.findings = 0;
		put(&verify, &vbox_rules[SSM_MANY], GIM_UNKNOWN, NULL, NULL, vbox_rules[SSM_MANY].help);
	}
	return result;
}
