/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate set: change fields, and write the state with them. */
#include "command.h"
#include "output.h"
#include "source.h"

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

static int change(struct gim_state *state, char *assignment, json_t *changes, struct gim_error *error)
{
	char *equals = strchr(assignment, '=');
	if (!equals)
		return error_set(error, GIM_E_ARGUMENT, "%s: PATH=VALUE is expected", assignment);
	*equals = '\0';
	char *before = text_of(state, assignment);
	int result = gim_state_set(state, assignment, equals + 1, error);
	if (!result) {
		char *after = text_of(state, assignment);
		(void)json_array_append_new(
		    changes, json_pack("{s:s, s:s, s:s*}", "path", assignment, "from", before ? before : "absent", "to", after));
		free(after);
	}
	free(before);
	*equals = '=';
	return result;
}

/*
 * All fields at once: what the state held before is kept by path, as text and as the value itself, and compared with what it holds then.
 */
static int keep_leaf(void *user, const char *path, const struct gim_value *value)
{
	if (value->presence == GIM_ABSENT)
		return 0;
	char *text = value_text(value); /* of long bytes only the beginning */
	const int result = json_object_set_new((json_t *)user, path, json_pack("[s, o]", text ? text : "", gim_value_json(value)));
	free(text);
	return result ? GIM_E_MEMORY : 0;
}

static json_t *leaves_of(const struct gim_state *state)
{
	json_t *leaves = json_object();
	if (leaves && !gim_state_visit(state, NULL, keep_leaf, leaves, NULL))
		return leaves;
	json_decref(leaves);
	return NULL;
}

static const char *leaf_text(const json_t *leaf)
{
	return leaf ? json_string_value(json_array_get(leaf, 0)) : "absent";
}

static void add_change(json_t *changes, const char *path, const json_t *from, const json_t *to)
{
	if (!json_equal(from, to))
		(void)json_array_append_new(changes,
		                            json_pack("{s:s, s:s, s:s}", "path", path, "from", leaf_text(from), "to", leaf_text(to)));
}

/* In the order of the new fields; then those that are no more. */
static void add_changes(json_t *changes, json_t *before, json_t *after)
{
	const char *path;
	json_t *leaf;
	json_object_foreach(after, path, leaf)
	{
		add_change(changes, path, json_object_get(before, path), leaf);
		(void)json_object_del(before, path);
	}
	json_object_foreach(before, path, leaf)
	{
		add_change(changes, path, leaf, NULL);
	}
}

static int take_all(struct gim_state *state, const struct gim_state *from, const struct options *options, json_t *changes,
                    struct gim_error *error)
{
	json_t *before = leaves_of(state), *after = NULL;
	int result = gim_state_set_from(state, from, options->gim_only, error);
	if (!result && (!before || !(after = leaves_of(state))))
		result = error_set(error, GIM_E_MEMORY, "out of memory");
	if (!result)
		add_changes(changes, before, after);
	json_decref(before);
	json_decref(after);
	return result;
}

static int take_from(struct gim_state *state, const struct options *options, json_t *changes, struct gim_error *error)
{
	struct gim_state *from = NULL;
	int result = gim_state_open(options->from, &from, error);
	if (!result)
		result = gim_state_decode(from, GIM_PART_GIM, NULL, NULL, error);
	if (!result)
		result = take_all(state, from, options, changes, error);
	gim_state_free(&from);
	return result;
}

/* In the shell: one change of the state that it holds. */
static int keep(struct gim_state *state, const struct options *options, int count, char **assignments, struct gim_error *error)
{
	const struct source_form form = {.gim_only = options->gim_only};
	char what[256];
	size_t used = (size_t)snprintf(what, sizeof(what), "set%s%s", options->from ? " --from " : "", options->from ? options->from : "");
	for (int i = 0; i < count && used < sizeof(what); i++)
		used += (size_t)snprintf(what + used, sizeof(what) - used, " %s", assignments[i]);
	return source_edit(state, what, &form, error);
}

/* *blamed becomes the file that a failure is about. */
static int set(const char *file, const struct options *options, int count, char **assignments, json_t *changes, struct remarks *remarks,
               const char **blamed, struct gim_error *error)
{
	const struct gim_write_options how = {.gim_only = options->gim_only, .report = remarks_take, .report_user = remarks};
	struct gim_state *state = NULL;
	const char *output = options->in_place ? file : options->output;
	int result = 0;
	const bool held = source_is_held(file);
	if (held && options->in_place)
		return error_set(error, GIM_E_ARGUMENT, "the shell changes the state in memory, and save writes it");
	if (options->in_place && (!strcmp(file, "-") || file[gim_path_file(file)]))
		return error_set(error, GIM_E_ARGUMENT, "only a file can be changed in place; -o OUT writes another one");
	if (output && !options->in_place && input_is(file, output))
		return error_set(error, GIM_E_ARGUMENT, "%s is the input itself; --in-place changes it", output);
	if (source_open(file, SOURCE_FIELDS, true, &state, error))
		return error->code;
	result = gim_state_decode(state, GIM_PART_GIM, NULL, NULL, error);
	if (!result && options->from && (result = take_from(state, options, changes, error)))
		*blamed = options->from;
	for (int i = 0; !result && i < count; i++)
		result = change(state, assignments[i], changes, error);
	if (!result && !output)
		result = keep(state, options, count, assignments, error);
	else if (!result)
		result = output_state(state, &how, file, output, options->in_place || options->force, error);
	gim_state_free(&state);
	return result;
}

static void put_changes(const json_t *changes, const struct remarks *remarks)
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
	remarks_put(remarks);
}

int run_set(const struct options *options, int count, char **operands)
{
	struct gim_error error = GIM_ERROR_INIT;
	const bool held = source_is_held(operands[0]);
	if ((options->output && options->in_place) || (!options->output && !options->in_place && !held))
		return usage_error(command_find("set"), options->json, "set needs one of -o OUT and --in-place");
	if (count < 2 && !options->from)
		return usage_error(command_find("set"), options->json, "set needs PATH=VALUE, or --from STATE");
	json_t *changes = json_array();
	const char *blamed = operands[0];
	struct remarks remarks = {.findings = NULL};
	int status = EXIT_YES;
	if (set(operands[0], options, count - 1, operands + 1, changes, &remarks, &blamed, &error)) {
		status = output_error(blamed, &error, options->json);
	} else if (options->json) {
		json_t *body = json_pack("{s:s, s:s?, s:O}", "file", operands[0], "output",
		                         options->in_place ? operands[0] : options->output, "changes", changes);
		remarks_json(&remarks, &error, body);
		output_document(body, false);
	} else {
		put_changes(changes, &remarks);
	}
	json_decref(changes);
	remarks_free(&remarks);
	return status;
}
