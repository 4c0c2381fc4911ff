/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate convert: the state in another container or another version of its layout, with a list of what that fills, drops, loses and supplies. */
#include "command.h"
#include "output.h"
#include "source.h"

#include <stdlib.h>
#include <string.h>

struct conversion {
	char before[64], after[64]; /* layouts; "": not looked at */
	struct remarks remarks;
	bool lost;
	const char *blamed; /* the file that a failure is about */
};

static void take_finding(void *user, const struct gim_finding *finding)
{
	struct conversion *conversion = (struct conversion *)user;
	remarks_take(&conversion->remarks, finding);
	conversion->lost |= !strcmp(finding->rule->id, "CONVERT-LOST");
}

/* The guest interface, from what to what. A state without one has nothing that a release could write in another way. */
static int convert_interface(struct gim_state *state, const struct options *options, struct conversion *conversion, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	int result = gim_state_decode(state, GIM_PART_GIM, NULL, NULL, &own);
	if (result == GIM_E_NO_UNIT && options->to)
		return 0;
	if (result)
		return *error = own, result;
	struct gim_value value;
	if (!value_look_up(state, "gim.provider", &value) && !options->layout)
		return 0; /* there is no unit that would have a layout */
	if (value_look_up(state, "gim.layout", &value))
		(void)snprintf(conversion->before, sizeof(conversion->before), "%.*s", (int)value.length_bytes, value.bytes);
	(void)snprintf(conversion->after, sizeof(conversion->after), "%s", options->layout ? options->layout : "");
	if (options->to)
		result = gim_layout_of_release(state, options->to, conversion->after, sizeof(conversion->after), error);
	if (!result && strcmp(conversion->before, conversion->after) != 0)
		result = gim_state_convert(state, conversion->after, remarks_take, &conversion->remarks, error);
	conversion->lost = result > 0;
	return result < 0 ? result : 0;
}

/* Without an option nothing is decoded: all bytes are copied, whatever is in them. */
static int convert_state(struct gim_state *state, const struct options *options, struct conversion *conversion, struct gim_error *error)
{
	int result = options->layout || options->to ? convert_interface(state, options, conversion, error) : 0;
	if (!result && options->to)
		result = gim_state_check_release(state, options->to, take_finding, conversion, error);
	return result < 0 ? result : 0;
}

static struct gim_write_options write_options(const struct options *options, struct conversion *conversion)
{
	return (struct gim_write_options){
	    .gim_only = options->gim_only,
	    .container = options->container,
	    .release = options->to,
	    .producer = options->producer,
	    .host_bits = options->host_bits ? (unsigned)strtoul(options->host_bits, NULL, 10) : 0,
	    .report = remarks_take,
	    .report_user = &conversion->remarks,
	};
}

/* In the shell: the state that it holds becomes the converted one. What that will mean for the file is found out now, not when it is saved. */
static int keep(struct gim_state *state, const struct gim_write_options *how, const struct conversion *conversion, struct gim_error *error)
{
	char what[80];
	const struct source_form form = {how->gim_only, how->container, how->release, how->producer, how->host_bits};
	const char *to = how->release ? how->release : *conversion->after ? conversion->after : how->container;
	(void)snprintf(what, sizeof(what), "convert to %s", to ? to : "itself");
	int result = gim_state_write(state, how, NULL, NULL, error);
	return result ? result : source_edit(state, what, &form, error);
}

static int convert(const char *in, const char *out, const struct options *options, struct conversion *conversion, struct gim_error *error)
{
	const struct gim_write_options how = write_options(options, conversion);
	struct gim_state *state = NULL;
	if (out && input_is(in, out))
		return error_set(error, GIM_E_ARGUMENT, "%s is the input itself: name another OUT", out);
	if (source_open(in, SOURCE_FIELDS, true, &state, error))
		return error->code;
	int result = convert_state(state, options, conversion, error);
	const bool writes = !options->dry_run && (!conversion->lost || options->lossy);
	if (!result && writes && !out)
		result = keep(state, &how, conversion, error);
	else if (!result)
		result =
		    writes ? output_state(state, &how, in, out, options->force, error) : gim_state_write(state, &how, NULL, NULL, error);
	if (writes && !result && out && !options->json)
		output_tell_form(state, out);
	gim_state_free(&state);
	return result;
}

/* Into the rest of another state. */
static int carry(const char *in, const char *out, const struct options *options, struct conversion *conversion, struct gim_error *error)
{
	const struct gim_write_options how = write_options(options, conversion);
	struct gim_state *from = NULL, *state = NULL;
	if (out && (input_is(in, out) || input_is(options->base, out)))
		return error_set(error, GIM_E_ARGUMENT, "%s is an input itself: name another OUT", out);
	int result = source_open(in, SOURCE_FIELDS, false, &from, error);
	if (!result)
		result = gim_state_decode(from, GIM_PART_GIM | GIM_PART_GUEST, NULL, NULL, error);
	if (!result) {
		result = gim_state_open_settled(options->base, &state, error);
		if (!result)
			result = gim_state_decode(state, GIM_PART_GIM | GIM_PART_GUEST, NULL, NULL, error);
		if (result)
			conversion->blamed = options->base;
	}
	if (!result)
		result = gim_state_carry(state, from, remarks_take, &conversion->remarks, error);
	conversion->lost = result > 0;
	if (result >= 0) {
		const bool writes = !options->dry_run && (!conversion->lost || options->lossy);
		result = writes ? output_state(state, &how, options->base, out, options->force, error)
		                : gim_state_write(state, &how, NULL, NULL, error);
		if (writes && !result && !options->json)
			output_tell_form(state, out);
	}
	gim_state_free(&from);
	gim_state_free(&state);
	return result;
}

static void put_conversion(const struct conversion *conversion)
{
	if (*conversion->before && !strcmp(conversion->before, conversion->after))
		printf("layout: %s, as it is\n", conversion->before);
	else if (*conversion->before)
		printf("layout: %s -> %s\n", conversion->before, conversion->after);
	remarks_put(&conversion->remarks);
}

static void put_document(const char *in, const char *out, const struct conversion *conversion)
{
	const char *before = *conversion->before ? conversion->before : NULL, *after = *conversion->after ? conversion->after : NULL;
	json_t *findings = conversion->remarks.findings ? json_incref(conversion->remarks.findings) : json_array();
	output_document(json_pack("{s:s, s:s?, s:s?, s:s?, s:b, s:o}", "file", in, "output", out, "from", before, "to", after, "lost",
	                          conversion->lost, "findings", findings),
	                false);
}

static int check_usage(const struct options *options, bool held, const char *out)
{
	const struct command *command = command_find("convert");
	/* The shell's state becomes the converted one, but not another file's. */
	const bool keeps = held && !out && !options->base;
	if (options->base && (options->layout || options->to || options->container))
		return usage_error(command, options->json,
		                   "--base carries the guest interface into a state that stays as it is written: no --to, --layout or "
		                   "--container goes with it");
	if (options->base && !options->gim_only)
		return usage_error(command, options->json, "--base carries over the guest interface alone, which --gim-only must say");
	if (options->layout && options->to)
		return usage_error(command, options->json, "--layout and --to exclude each other");
	if (!out == !options->dry_run && !keeps)
		return usage_error(command, options->json,
		                   out ? "--dry-run writes nothing, so there is no OUT" : "convert needs OUT, or --dry-run");
	if ((options->producer || options->host_bits) && !options->container && !options->to)
		return usage_error(command, options->json, "--producer and --host-bits need --container, or --to");
	if (options->host_bits && strcmp(options->host_bits, "32") != 0 && strcmp(options->host_bits, "64") != 0)
		return usage_error(command, options->json, "--host-bits takes 32 or 64, not %s", options->host_bits);
	return EXIT_YES;
}

int run_convert(const struct options *options, int count, char **operands)
{
	struct gim_error error = GIM_ERROR_INIT;
	const char *out = count > 1 ? operands[1] : NULL;
	struct conversion conversion = {.blamed = operands[0]};
	int status = check_usage(options, source_is_held(operands[0]), out);
	if (status)
		return status;
	if ((options->base ? carry : convert)(operands[0], out, options, &conversion, &error)) {
		status = output_error(conversion.blamed, &error, options->json);
		remarks_free(&conversion.remarks);
		return status;
	}
	const bool refused = conversion.lost && !options->lossy;
	if (options->json) {
		put_document(operands[0], refused ? NULL : out, &conversion);
	} else {
		put_conversion(&conversion);
		output_flush();
		if (refused)
			fprintf(stderr, "gimstate: values would be lost%s\n",
			        options->dry_run ? "" : ", so that nothing was written; --lossy does it all the same");
	}
	remarks_free(&conversion.remarks);
	return refused ? EXIT_NO : EXIT_YES;
}
