/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate convert: the state in another version of its layout, with a list of what that fills, drops and loses. */
#include "command.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>

struct conversion {
	char before[64], after[64]; /* layouts */
	json_t *findings;
	bool lost;
};

static void take(void *user, const struct gim_finding *finding)
{
	(void)json_array_append_new(((struct conversion *)user)->findings, finding_json(finding));
}

static int keep_layout(void *user, const char *path, const struct gim_value *value)
{
	(void)path;
	(void)snprintf((char *)user, 64, "%.*s", (int)value->length_bytes, value->bytes ? value->bytes : "");
	return 0;
}

/* From what to what. */
static int convert_state(struct gim_state *state, const struct options *options, struct conversion *conversion, struct gim_error *error)
{
	int result = gim_state_decode(state, GIM_PART_GIM, NULL, NULL, error);
	if (!result)
		(void)gim_state_visit(state, "gim.layout", keep_layout, conversion->before, NULL);
	(void)snprintf(conversion->after, sizeof(conversion->after), "%s", options->layout ? options->layout : conversion->before);
	if (!result && options->to)
		result = gim_layout_of_release(state, options->to, conversion->after, sizeof(conversion->after), error);
	if (!result && strcmp(conversion->before, conversion->after) != 0)
		result = gim_state_convert(state, conversion->after, take, conversion, error);
	conversion->lost = result > 0;
	return result < 0 ? result : 0;
}

static int convert(const char *in, const char *out, const struct options *options, struct conversion *conversion, struct gim_error *error)
{
	struct gim_state *state = NULL;
	if (out && input_is(in, out))
		return error_set(error, GIM_E_ARGUMENT, "%s is the input itself", out);
	if (gim_state_open(in, &state, error))
		return error->code;
	int result = convert_state(state, options, conversion, error);
	if (!result && !options->dry_run && (!conversion->lost || options->lossy))
		result = output_state(state, NULL, out, options->force, error);
	gim_state_free(&state);
	return result;
}

static const char *text_of(const json_t *finding, const char *key)
{
	const char *text = json_string_value(json_object_get(finding, key));
	return text ? text : "";
}

static void put_conversion(const struct conversion *conversion)
{
	printf("layout: %s -> %s\n", conversion->before, conversion->after);
	for (size_t i = 0; i < json_array_size(conversion->findings); i++) {
		const json_t *finding = json_array_get(conversion->findings, i);
		put_safe(stdout, text_of(finding, "path"));
		fputs(": ", stdout);
		put_safe(stdout, text_of(finding, "text"));
		putchar('\n');
	}
}

int run_convert(const struct options *options, int count, char **operands)
{
	struct gim_error error = GIM_ERROR_INIT;
	const struct command *command = command_find("convert");
	const char *out = count > 1 ? operands[1] : NULL;
	if (options->layout && options->to)
		return usage_error(command, options->json, "--layout and --to exclude each other");
	if (!out == !options->dry_run)
		return usage_error(command, options->json,
		                   out ? "--dry-run writes nothing, so there is no OUT" : "convert needs OUT, or --dry-run");
	struct conversion conversion = {.findings = json_array()};
	const int result = convert(operands[0], out, options, &conversion, &error);
	const bool refused = conversion.lost && !options->lossy;
	if (result) {
		(void)output_error(operands[0], &error, options->json);
	} else if (options->json) {
		output_document(json_pack("{s:s, s:s?, s:s, s:s, s:b, s:O}", "file", operands[0], "output", refused ? NULL : out, "from",
		                          conversion.before, "to", conversion.after, "lost", conversion.lost, "findings",
		                          conversion.findings),
		                false);
	} else {
		put_conversion(&conversion);
		output_flush();
		if (refused)
			fprintf(stderr, "gimstate: values would be lost%s\n",
			        options->dry_run ? "" : ", so that nothing was written; --lossy does it all the same");
	}
	json_decref(conversion.findings);
	return result ? EXIT_NO_ANSWER : refused ? EXIT_NO : EXIT_YES;
}
