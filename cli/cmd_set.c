/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate set: change fields, and write the state with them. */
#include "command.h"
#include "output.h"
#include "source.h"

#include <stdlib.h>
#include <string.h>

struct set {
	json_t *changes;
	struct remarks remarks;
	bool carried;       /* field by field from another state, of which the remarks say what became of each */
	bool lost;          /* and something of it is lost */
	size_t before;      /* of the changes, those that came of that */
	const char *blamed; /* the file that a failure is about */
};

static int change(struct gim_state *state, char *assignment, json_t *changes, struct gim_error *error)
{
	char *equals = strchr(assignment, '=');
	if (!equals)
		return error_set(error, GIM_E_ARGUMENT, "%s: PATH=VALUE is expected", assignment);
	*equals = '\0';
	char *before = value_text_at(state, assignment);
	int result = gim_state_set(state, assignment, equals + 1, error);
	if (!result) {
		char *after = value_text_at(state, assignment);
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

/* Without a unit of its own for the interface, as in a migration stream, each field has a place by itself. */
static bool has_unit(const struct gim_state *state)
{
	struct gim_value provider;
	return value_look_up(state, "gim.provider", &provider);
}

static int carry_from(struct gim_state *state, const struct gim_state *from, struct set *set, struct gim_error *error)
{
	int result = gim_state_carry(state, from, remarks_take, &set->remarks, error);
	set->carried = true;
	set->lost = result > 0;
	return result < 0 ? result : 0;
}

static int take_all(struct gim_state *state, const struct gim_state *from, const struct options *options, struct set *set,
                    struct gim_error *error)
{
	json_t *before = leaves_of(state), *after = NULL;
	int result = has_unit(state) ? gim_state_set_from(state, from, options->gim_only, error) : carry_from(state, from, set, error);
	if (!result && (!before || !(after = leaves_of(state))))
		result = error_set(error, GIM_E_MEMORY, "out of memory");
	if (!result)
		add_changes(set->changes, before, after);
	json_decref(before);
	json_decref(after);
	return result;
}

static int take_from(struct gim_state *state, const struct options *options, struct set *set, struct gim_error *error)
{
	/* Where the interface is carried over, clocks go on where the guest would have read them. */
	const unsigned parts = has_unit(state) ? GIM_PART_GIM : GIM_PART_GIM | GIM_PART_GUEST;
	struct gim_state *from = NULL;
	int result = gim_state_decode(state, parts, NULL, NULL, error);
	if (!result)
		result = gim_state_open(options->from, &from, error);
	if (!result)
		result = gim_state_decode(from, parts, NULL, NULL, error);
	if (!result)
		result = take_all(state, from, options, set, error);
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

static int set(const char *file, const struct options *options, int count, char **assignments, struct set *set, struct gim_error *error)
{
	const struct gim_write_options how = {.gim_only = options->gim_only, .report = remarks_take, .report_user = &set->remarks};
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
	if (!result && options->from && (result = take_from(state, options, set, error)))
		set->blamed = options->from;
	set->before = json_array_size(set->changes);
	for (int i = 0; !result && i < count; i++)
		result = change(state, assignments[i], set->changes, error);
	const bool writes = !result && (!set->lost || options->lossy);
	if (writes && !output)
		result = keep(state, options, count, assignments, error);
	else if (writes)
		result = output_state(state, &how, file, output, options->in_place || options->force, error);
	if (writes && !result && output && !options->json)
		output_tell_form(state, output);
	gim_state_free(&state);
	return result;
}

/* What became of fields that were carried over says more than their values. */
static void put_changes(const struct set *set)
{
	if (set->carried)
		remarks_put(&set->remarks);
	for (size_t i = set->carried ? set->before : 0; i < json_array_size(set->changes); i++) {
		const json_t *one = json_array_get(set->changes, i);
		put_safe(stdout, json_string_value(json_object_get(one, "path")));
		fputs(": ", stdout);
		put_safe(stdout, json_string_value(json_object_get(one, "from")));
		fputs(" -> ", stdout);
		put_safe(stdout, json_string_value(json_object_get(one, "to")));
		putchar('\n');
	}
	if (!set->carried)
		remarks_put(&set->remarks);
}

int run_set(const struct options *options, int count, char **operands)
{
	struct gim_error error = GIM_ERROR_INIT;
	const bool held = source_is_held(operands[0]);
	if ((options->output && options->in_place) || (!options->output && !options->in_place && !held))
		return usage_error(command_find("set"), options->json, "set needs one of -o OUT and --in-place");
	if (count < 2 && !options->from)
		return usage_error(command_find("set"), options->json, "set needs PATH=VALUE, or --from STATE");
	struct set done = {.changes = json_array(), .blamed = operands[0]};
	const int result = set(operands[0], options, count - 1, operands + 1, &done, &error);
	const bool refused = !result && done.lost && !options->lossy;
	if (result) {
		(void)output_error(done.blamed, &error, options->json);
	} else if (options->json) {
		const char *output = options->in_place ? operands[0] : options->output;
		json_t *body =
		    json_pack("{s:s, s:s?, s:O}", "file", operands[0], "output", refused ? NULL : output, "changes", done.changes);
		remarks_json(&done.remarks, &error, body);
		output_document(body, false);
	} else {
		put_changes(&done);
		output_flush();
		if (refused)
			fputs("gimstate: values would be lost, so that nothing was written; --lossy does it all the same\n", stderr);
	}
	json_decref(done.changes);
	remarks_free(&done.remarks);
	return result ? error_status(&error) : refused ? EXIT_NO : EXIT_YES;
}
