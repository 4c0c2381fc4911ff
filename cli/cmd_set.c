/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate set: change fields, and write the state with them. */
#include "command.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>

/* The old text of a leaf, for the list of changes. */
static int keep_text(void *user, const char *path, const struct gim_value *value)
{
	char **text = (char **)user;
	(void)path;
	free(*text);
	*text = value_text(value);
	return 0;
}

static char *text_of(const struct gim_state *state, const char *path)
{
	char *text = NULL;
	(void)gim_state_visit(state, path, keep_text, &text, NULL);
	return text;
}

/*
 * What the guest sees of the feature words it reads by CPUID, and those leaves are saved in the unit cpum. A word that is changed in one of the two
 * places only makes the guest and its hypervisor disagree.
 */
static int check_cpuid(struct gim_state *state, const char *path, const struct options *options, struct gim_error *error)
{
	struct gim_unit unit;
	if (options->gim_only || !strstr(path, ".features.") || gim_unit_find(state, "cpum", 1, GIM_PASS_FINAL, &unit, NULL))
		return 0;
	return error_set(error, GIM_E_VALUE,
	                 "%s stands in the CPUID leaves of the unit cpum/1 too, which this command does not change; --gim-only changes it "
	                 "in the GIM unit alone",
	                 path);
}

static int change(struct gim_state *state, const struct options *options, char *assignment, json_t *changes, struct gim_error *error)
{
	char *equals = strchr(assignment, '=');
	if (!equals)
		return error_set(error, GIM_E_ARGUMENT, "%s: PATH=VALUE is expected", assignment);
	*equals = '\0';
	char *before = text_of(state, assignment);
	int result = check_cpuid(state, assignment, options, error);
	if (!result)
		result = gim_state_set(state, assignment, equals + 1, error);
	if (!result) {
		char *after = text_of(state, assignment);
		(void)json_array_append_new(changes, json_pack("{s:s, s:s*, s:s*}", "path", assignment, "from", before, "to", after));
		free(after);
	}
	free(before);
	*equals = '=';
	return result;
}

static int set(const char *file, const struct options *options, int count, char **assignments, json_t *changes, struct gim_error *error)
{
	struct gim_state *state = NULL;
	const char *output = options->in_place ? file : options->output;
	int result = 0;
	if (!options->in_place && input_is(file, output))
		return error_set(error, GIM_E_ARGUMENT, "%s is the input itself; --in-place changes it", output);
	if (gim_state_open(file, &state, error))
		return error->code;
	result = gim_state_decode(state, GIM_PART_GIM, NULL, NULL, error);
	for (int i = 0; !result && i < count; i++)
		result = change(state, options, assignments[i], changes, error);
	if (!result)
		result = output_state(state, output, options->in_place || options->force, error);
	gim_state_free(&state);
	return result;
}

static void put_changes(const json_t *changes)
{
	for (size_t i = 0; i < json_array_size(changes); i++) {
		const json_t *one = json_array_get(changes, i);
		put_safe(stdout, json_string_value(json_object_get(one, "path")));
		fputs(": ", stdout);
		put_safe(stdout, json_string_value(json_object_get(one, "from")));
		fputs(" -> ", stdout);
		put_safe(stdout, json_string_value(json_object_get(one, "to")));
		putchar('\n');
	}
}

int run_set(const struct options *options, int count, char **operands)
{
	struct gim_error error = GIM_ERROR_INIT;
	if (!options->output == !options->in_place)
		return usage_error(command_find("set"), options->json, "set needs one of -o OUT and --in-place");
	json_t *changes = json_array();
	if (set(operands[0], options, count - 1, operands + 1, changes, &error)) {
		json_decref(changes);
		return output_error(operands[0], &error, options->json);
	}
	if (options->json)
		output_document(json_pack("{s:s, s:s, s:O}", "file", operands[0], "output",
		                          options->in_place ? operands[0] : options->output, "changes", changes),
		                false);
	else
		put_changes(changes);
	json_decref(changes);
	return EXIT_YES;
}
