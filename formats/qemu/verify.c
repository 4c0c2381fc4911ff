/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Judging a stream: a walk through all of it in the order in which QEMU's loader goes, then what the sections say that a loader takes without a word. */
#include "qemu/verify.h"

#include "error.h"
#include "qemu/decode.h"
#include "qemu/parts.h"
#include "state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FINDINGS_MAX = 1000 };

struct verify {
	struct qemu_stream stream;
	struct qemu_items items;
	gim_report_fn *report;
	void *user;
	unsigned findings;
	bool cut_short; /* not all sections were met */
};

static void put(struct verify *verify, const struct gim_rule *rule, uint64_t offset, const char *unit, const char *path, const char *format,
                ...) __attribute__((format(printf, 6, 7)));

static void put(struct verify *verify, const struct gim_rule *rule, uint64_t offset, const char *unit, const char *path, const char *format,
                ...)
{
	char text[256];
	va_list arguments;
	if (verify->findings++ >= FINDINGS_MAX)
		return;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	gim_report(verify->report, verify->user, rule, offset, unit, path, "%s", text);
}

static void name_section(const struct qemu_section *section, char *name, size_t size)
{
	(void)snprintf(name, size, "%s/%u", section->name, section->instance);
}

static void take_complaint(void *user, enum qemu_rule rule, uint64_t offset, const struct qemu_section *section, const char *text)
{
	char name[GIM_UNIT_NAME_BYTES + 16];
	if (section)
		name_section(section, name, sizeof(name));
	put(user, &qemu_rules[rule], offset, section ? name : NULL, NULL, "%s", text);
}

static int put_failure(struct verify *verify, const struct gim_error *own, struct gim_error *error)
{
	if (!own->rule)
		return gim_fail_as(error, own);
	put(verify, own->rule, own->offset, *own->unit ? own->unit : NULL, *own->path ? own->path : NULL, "%s", own->text);
	return 0;
}

/*
 * The stream.
 */
/* What the description has and the stream has not. */
static void judge_missing(struct verify *verify)
{
	const struct qemu_stream *stream = &verify->stream;
	for (uint32_t d = 0; stream->described && d < stream->description.device_count; d++) {
		const struct qemu_device *device = &stream->description.devices[d];
		size_t i = 0;
		while (i < stream->all.count && stream->all.items[i].device != device)
			i++;
		if (i == stream->all.count)
			put(verify, &qemu_rules[QEMU_DESCRIPTION], stream->described_at, NULL, NULL,
			    "the description has section %s/%u, which the stream has not", device->name, device->instance);
	}
}

static void judge_end(struct verify *verify)
{
	const struct qemu_stream *stream = &verify->stream;
	const struct gim_error *why = &stream->description_error;
	if (!stream->described && why->code)
		put(verify, &qemu_rules[QEMU_DESCRIPTION], why->offset, NULL, NULL, "%s", why->text);
	else if (!stream->described && !stream->description_cut)
		put(verify, &qemu_rules[QEMU_NO_DESCRIPTION], stream->end, NULL, NULL, "Expected vmdescription section: none is here");
	if (stream->end < stream->size)
		put(verify, &qemu_rules[QEMU_TRAILING], stream->end, NULL, NULL, "%" PRIu64 " bytes follow the stream's end",
		    stream->size - stream->end);
}

static int walk(struct verify *verify, struct gim_error *error)
{
	struct qemu_stream *stream = &verify->stream;
	struct qemu_walk walk = {
	    .stream = stream, .sections = &stream->all, .complain = take_complaint, .user = verify, .stop = GIM_UNKNOWN};
	struct gim_error own = GIM_ERROR_INIT;
	int result = qemu_walk_all(&walk, &own);
	stream->all_known = true; /* as far as it goes */
	verify->cut_short = result;
	if (result)
		return put_failure(verify, &own, error);
	judge_missing(verify);
	judge_end(verify);
	return 0;
}

/*
 * What the sections say.
 */
static void judge_reenlightenment(struct verify *verify)
{
	enum { ENABLED = 1 << 16 };
	struct qemu_place place;
	for (uint32_t i = 0; i < qemu_items_count(&verify->items, "cpu"); i++) {
		char unit[32];
		(void)snprintf(unit, sizeof(unit), "cpu/%u", i);
		if (!qemu_items_locate(&verify->items, "cpu:env.msr_hv_reenlightenment_control", i, 0, &place, NULL) &&
		    place.presence == GIM_STORED && place.number & ENABLED)
			put(verify, &qemu_rules[QEMU_REENLIGHTENMENT], place.offset, unit, "hyperv.reenlightenment.control",
			    "Guest enabled re-enlightenment notifications, 'tsc-frequency=' has to be specified");
	}
}

static bool uses_clock(struct verify *verify)
{
	struct qemu_place place;
	for (uint32_t i = 0; i < qemu_items_count(&verify->items, "cpu"); i++)
		if (!qemu_items_locate(&verify->items, "cpu:env.system_time_msr", i, 0, &place, NULL) && place.number & 1)
			return true;
	return false;
}

static void judge_clock(struct verify *verify)
{
	struct qemu_place place;
	if (!uses_clock(verify))
		return;
	if (!qemu_items_count(&verify->items, "kvmclock") && verify->cut_short && !verify->stream.fits)
		return;
	if (!qemu_items_count(&verify->items, "kvmclock"))
		put(verify, &qemu_rules[QEMU_NO_KVMCLOCK], GIM_UNKNOWN, NULL, "kvm.clock_ns",
		    "the guest uses kvmclock, but the stream has no section kvmclock: the guest's clock will jump back");
	else if (!qemu_items_locate(&verify->items, "kvmclock:clock_is_reliable", 0, 0, &place, NULL) && !place.number)
		put(verify, &qemu_rules[QEMU_CLOCK_UNRELIABLE], GIM_UNKNOWN, "kvmclock/0", "kvm.clock_reliable",
		    "kvmclock is not said to be reliable: QEMU computes it anew from the guest's memory");
}

/* With hv-synic on, its pages are RAM blocks of their own. */
static void judge_synic(struct verify *verify)
{
	const struct qemu_ram *ram = &verify->stream.ram;
	struct qemu_place place;
	for (uint32_t i = 0; verify->stream.ram_known && i < qemu_items_count(&verify->items, "cpu"); i++) {
		char unit[32], path[64], block[32];
		uint32_t b = 0;
		(void)snprintf(unit, sizeof(unit), "cpu/%u", i);
		(void)snprintf(path, sizeof(path), "hyperv.vp[%u].scontrol", i);
		(void)snprintf(block, sizeof(block), "synic-%u-msg-page", i);
		while (b < ram->block_count && strcmp(ram->blocks[b].name, block) != 0)
			b++;
		if (b == ram->block_count && !qemu_items_locate(&verify->items, "cpu:env.msr_hv_synic_control", i, 0, &place, NULL) &&
		    place.presence == GIM_STORED && place.number & 1)
			put(verify, &qemu_rules[QEMU_SYNIC_BLOCKS], place.offset, unit, path,
			    "the guest uses the synthetic interrupt controller, but there is no RAM block %s: the machine was run without "
			    "hv-synic",
			    block);
	}
}

static int judge_items(struct verify *verify, struct gim_error *error)
{
	int result = qemu_items_open(&verify->items, &verify->stream, error);
	if (result)
		return result;
	judge_reenlightenment(verify);
	judge_clock(verify);
	judge_synic(verify);
	result = qemu_compare_vcpus(&verify->items, verify->report, verify->user, error);
	qemu_items_close(&verify->items);
	return result;
}

/* Who listens in is told of the sections. */
static void tell_units(struct verify *verify, const struct gim_verify_options *options)
{
	struct gim_unit unit;
	for (size_t i = 0; options->hooks && options->hooks->unit && i < verify->stream.all.count; i++) {
		qemu_fill_unit(&verify->stream, &verify->stream.all.items[i], &unit);
		options->hooks->unit(options->hooks->user, &unit);
	}
}

int qemu_verify(struct gim_input *input, const struct gim_verify_options *options, gim_report_fn *report, void *user,
                struct gim_error *error)
{
	struct verify verify = {.report = report, .user = user};
	struct gim_error own = GIM_ERROR_INIT;
	int result = qemu_stream_open(&verify.stream, input, NULL, &own);
	if (result) {
		result = put_failure(&verify, &own, error);
	} else {
		verify.stream.reader.progress = options->progress;
		verify.stream.reader.progress_user = options->progress_user;
		if (!options->quick)
			result = walk(&verify, error);
		if (!result)
			result = qemu_find_devices(&verify.stream, error);
		if (!result && options->quick && verify.stream.failure.code)
			result = put_failure(&verify, &verify.stream.failure, error);
		if (!result)
			result = qemu_find_ram(&verify.stream, error);
		if (!result)
			tell_units(&verify, options);
		if (!result && !options->quick)
			result = judge_items(&verify, error);
	}
	qemu_stream_close(&verify.stream);
	return result;
}
