/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate get: the values of fields, for scripts. */
#include "command.h"
#include "output.h"
#include "path.h"
#include "source.h"

#include <stdlib.h>
#include <string.h>

/* What a path holds. */
struct count {
	unsigned leaves, present;
};

static int count_leaf(void *user, const char *path, const struct gim_value *value)
{
	struct count *count = (struct count *)user;
	(void)path;
	count->leaves++;
	count->present += value->presence != GIM_ABSENT;
	return 0;
}

/* An index beyond the end, or a list of an interface that is not in use: absent, as long as the tables have such a field at all. */
static int count_leaves(struct gim_state *state, const char *path, struct count *count, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	*count = (struct count){0};
	int result = gim_state_visit(state, path, count_leaf, count, &own);
	if (result == GIM_E_PATH && path_exists(path))
		return 0;
	if (result && !error->code)
		*error = own;
	return result;
}

static int put_value(void *user, const char *path, const struct gim_value *value)
{
	char *text = value_text(value);
	(void)user;
	(void)path;
	if (text)
		puts(text);
	free(text);
	return text ? 0 : GIM_E_MEMORY;
}

static void put_path(struct gim_state *state, const char *path, const struct count *count, bool named)
{
	struct fields fields = {.within = path};
	if (!count->leaves)
		printf("%s%sabsent\n", named ? path : "", named ? " = " : "");
	else
		(void)gim_state_visit(state, path, named ? fields_put : put_value, &fields, NULL);
	fields_end(&fields);
}

/* The value at a path in the record's own JSON form. A new reference. */
static json_t *path_json(const struct gim_state *state, const char *path)
{
	char name[128];
	json_t *all = NULL;
	size_t length = strcspn(path, ".[");
	(void)snprintf(name, sizeof(name), "%.*s", (int)length, path);
	if (gim_state_json(state, name, &all, NULL))
		return json_null();
	json_t *json = json_object_get(all, name);
	for (path += length; json && *path; path += length) {
		length = 1 + strcspn(path + 1, ".[");
		(void)snprintf(name, sizeof(name), "%.*s", (int)length - 1, path + 1);
		json = *path == '[' ? json_array_get(json, strtoul(name, NULL, 10)) : json_object_get(json, name);
	}
	json = json ? json_incref(json) : json_null();
	json_decref(all);
	return json;
}

static int decode(struct gim_state *state, int count, char **paths, struct remarks *remarks, struct gim_error *error)
{
	unsigned parts = 0;
	for (int i = 0; i < count; i++) {
		const unsigned own = gim_state_parts(state, paths[i]);
		if (!own)
			return gim_field_missing(paths[i], error);
		parts |= own;
	}
	return gim_state_decode(state, parts, remarks_take, remarks, error);
}

/* Every path is looked at before anything is printed: a path that does not exist is no answer at all. */
static int get(struct gim_state *state, const struct options *options, int count, char **paths, json_t *values, struct gim_error *error)
{
	struct count *counts = calloc((size_t)count, sizeof(*counts));
	int status = EXIT_YES;
	if (!counts) {
		(void)error_set(error, GIM_E_MEMORY, "out of memory");
		return EXIT_NO_ANSWER;
	}
	for (int i = 0; i < count && status != EXIT_NO_ANSWER; i++) {
		if (count_leaves(state, paths[i], &counts[i], error))
			status = EXIT_NO_ANSWER;
		else if (!counts[i].present)
			status = EXIT_NO;
	}
	for (int i = 0; i < count && status != EXIT_NO_ANSWER; i++) {
		if (options->json)
			(void)json_object_set_new(values, paths[i], path_json(state, paths[i]));
		else
			put_path(state, paths[i], &counts[i], count > 1 || counts[i].leaves > 1);
	}
	free(counts);
	return status;
}

int run_get(const struct options *options, int count, char **operands)
{
	const char *file = operands[0];
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT, damage = GIM_ERROR_INIT;
	struct remarks remarks = {NULL};
	int status;
	if (source_open_paths(file, count - 1, operands + 1, &state, &error))
		return output_error(file, &error, options->json);
	(void)decode(state, count - 1, operands + 1, &remarks, &damage);
	json_t *body = json_object(), *values = json_object();
	(void)json_object_set_new(body, "values", values);
	if (damage.code == GIM_E_PATH || damage.code <= GIM_E_IO)
		error = damage, status = EXIT_NO_ANSWER;
	else
		status = get(state, options, count - 1, operands + 1, values, &error);
	/* What was asked for may have been read before the damage. */
	const struct gim_error *said = error.code ? &error : status == EXIT_NO && damage.code ? &damage : NULL;
	if (options->json && !error.code) {
		if (said)
			(void)json_object_set_new(body, "error", error_json(file, said));
		output_document(json_incref(body), false);
	} else if (said) {
		(void)output_error(file, said, options->json);
	}
	json_decref(body);
	remarks_free(&remarks);
	gim_state_free(&state);
	return status;
}
