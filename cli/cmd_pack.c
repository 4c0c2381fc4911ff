/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate pack: a state, or parts of it, as a portable bundle. */
#include "command.h"
#include "output.h"
#include "source.h"
#include "unit_name.h"
#include "written.h"

#include <string.h>

static int find_units(struct gim_state *state, const struct words *names, struct gim_unit *units, struct gim_error *error)
{
	int result = 0;
	for (unsigned i = 0; !result && i < names->count; i++)
		result = unit_by_name(state, names->items[i], &units[i], error);
	return result;
}

static int pack(const char *file, const struct options *options, json_t **manifest, struct gim_error *error)
{
	struct gim_unit units[WORDS_MAX];
	const struct gim_pack_options how = {.name = options->output,
	                                     .source_name = strcmp(file, "-") ? file : NULL,
	                                     .units = units,
	                                     .unit_count = options->with.count,
	                                     .whole = options->whole};
	struct gim_state *state = NULL;
	struct gim_output *output;
	if (input_is(file, options->output))
		return error_set(error, GIM_E_ARGUMENT, "%s is the input itself: name another OUT", options->output);
	int result = source_open(file, SOURCE_WHOLE, true, &state, error);
	if (!result)
		result = find_units(state, &options->with, units, error);
	if (!result)
		result = written_new(options->output, options->force, &output, error);
	if (!result)
		result = output_end(output, gim_state_pack(state, &how, gim_output_write, output, manifest, error), error);
	gim_state_free(&state);
	return result;
}

int run_pack(const struct options *options, int count, char **operands)
{
	(void)count;
	const struct command *command = command_find("pack");
	struct gim_error error = GIM_ERROR_INIT;
	json_t *manifest = NULL;
	int status = EXIT_YES;
	if (!options->output)
		return usage_error(command, options->json, "pack needs -o OUT");
	if (!gim_bundle_is_name(options->output))
		return usage_error(
		    command, options->json,
		    "%s does not say how it is packed: .gimb, .zip, .tar, or .tar.gz, .bz2, .xz or .zst is expected at its end",
		    options->output);
	if (options->whole && options->with.count)
		return usage_error(command, options->json, "--whole packs all units, so that --with says nothing more");
	if (pack(operands[0], options, &manifest, &error))
		status = output_error(operands[0], &error, options->json);
	else if (options->json)
		output_document(json_pack("{s:o, s:o, s:O}", "file", json_text(operands[0]), "output", json_text(options->output),
		                          "manifest", manifest),
		                false);
	else
		members_put(json_object_get(manifest, "members"));
	json_decref(manifest);
	return status;
}
