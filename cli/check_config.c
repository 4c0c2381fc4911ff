/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The configuration of check: targets, severities, and a baseline of findings that are accepted. */
#include "check_report.h"
#include "near.h"
#include "written.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_PATH ".gimstate.json"

static int refuse(struct gim_error *error, const char *key, const char *what)
{
	return error_set(error, GIM_E_VALUE, "%s: %s", key, what);
}

static int check_rule(const char *id, const char *key, struct gim_error *error)
{
	char prefix[64];
	(void)snprintf(prefix, sizeof(prefix), "%s: ", key);
	return gim_rule_find(id) ? 0 : near_no_rule(prefix, id, error);
}

/* An array of texts, at most `room` of them. */
static int read_texts(const json_t *json, const char *key, bool rules, const char **texts, unsigned *count, unsigned room,
                      struct gim_error *error)
{
	if (!json_is_array(json))
		return refuse(error, key, "an array of texts is expected");
	for (size_t i = 0; i < json_array_size(json); i++) {
		const char *text = json_string_value(json_array_get(json, i));
		if (!text)
			return refuse(error, key, "an array of texts is expected");
		if (*count == room)
			return error_set(error, GIM_E_VALUE, "%s: at most %u are read, and more are there", key, room);
		if (rules && check_rule(text, key, error))
			return error->code;
		texts[(*count)++] = text;
	}
	return 0;
}

static int read_accepted(const json_t *json, struct check_accepted *accepted, struct gim_error *error)
{
	const char *key;
	json_t *value;
	if (!json_is_object(json))
		return refuse(error, "baseline", "an array of objects is expected");
	json_object_foreach((json_t *)(uintptr_t)json, key, value)
	{
		const char *text = json_string_value(value);
		if (!text)
			return refuse(error, "baseline", "what is accepted is described by texts");
		if (!strcmp(key, "rule"))
			accepted->rule = text;
		else if (!strcmp(key, "state"))
			accepted->state = text;
		else if (!strcmp(key, "target"))
			accepted->target = text;
		else if (!strcmp(key, "unit"))
			accepted->unit = text;
		else if (!strcmp(key, "path"))
			accepted->path = text;
		else if (strcmp(key, "reason") != 0)
			return error_set(error, GIM_E_VALUE, "baseline: there is no %s; rule, state, target, unit, path and reason are",
			                 key);
	}
	if (!accepted->rule)
		return refuse(error, "baseline", "every entry names a rule");
	return check_rule(accepted->rule, "baseline", error);
}

static int read_baseline(const json_t *json, struct check_wishes *wishes, struct gim_error *error)
{
	if (!json_is_array(json))
		return refuse(error, "baseline", "an array of objects is expected");
	wishes->accepted = calloc(json_array_size(json) + 1, sizeof(*wishes->accepted));
	if (!wishes->accepted)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	for (size_t i = 0; i < json_array_size(json); i++)
		if (read_accepted(json_array_get(json, i), &wishes->accepted[wishes->accepted_count++], error))
			return error->code;
	return 0;
}

static int read_config(const json_t *config, struct check_wishes *wishes, struct gim_error *error)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)config, key, value)
	{
		if (!strcmp(key, "targets"))
			(void)read_texts(value, key, false, wishes->targets, &wishes->target_count, WORDS_MAX, error);
		else if (!strcmp(key, "error"))
			(void)read_texts(value, key, true, wishes->errors, &wishes->error_count, WORDS_MAX, error);
		else if (!strcmp(key, "ignore"))
			(void)read_texts(value, key, true, wishes->ignored, &wishes->ignored_count, WORDS_MAX, error);
		else if (!strcmp(key, "baseline"))
			(void)read_baseline(value, wishes, error);
		else if (!strcmp(key, "strict") && json_is_boolean(value))
			wishes->strict |= json_is_true(value);
		else if (!strcmp(key, "strict"))
			(void)refuse(error, key, "true or false is expected");
		else
			(void)error_set(error, GIM_E_VALUE,
			                "there is no %s in a configuration; targets, error, ignore, strict and baseline are", key);
		if (error->code)
			return error->code;
	}
	return 0;
}

int check_config_read(const char *path, struct check_wishes *wishes, struct gim_error *error)
{
	json_error_t own;
	if (!path && access(DEFAULT_PATH, F_OK))
		return 0;
	path = path ? path : DEFAULT_PATH;
	FILE *file = fopen(path, "r");
	if (!file)
		return error_set(error, GIM_E_IO, "cannot open the configuration %s: %s", path, strerror(errno));
	wishes->document = json_loadf(file, JSON_REJECT_DUPLICATES, &own);
	(void)fclose(file);
	if (!wishes->document)
		return error_set(error, GIM_E_VALUE, "the configuration %s is broken JSON: line %d, column %d: %s", path, own.line,
		                 own.column, own.text);
	const json_t *version = json_object_get(wishes->document, "gimstate"), *config = json_object_get(wishes->document, "config");
	if (json_integer_value(version) != 1 || !json_is_object(config) || json_object_size(wishes->document) != 2)
		return error_set(error, GIM_E_VALUE, "%s is no configuration: {\"gimstate\": 1, \"config\": {...}} is expected", path);
	struct gim_error within = GIM_ERROR_INIT;
	return read_config(config, wishes, &within) ? error_set(error, within.code, "%s: %s", path, within.text) : 0;
}

static json_t *texts_json(const char *const *texts, unsigned count)
{
	json_t *json = json_array();
	for (unsigned i = 0; i < count; i++)
		(void)json_array_append_new(json, json_text(texts[i]));
	return json;
}

int check_config_write(const char *path, bool replace, const struct check_wishes *wishes, const json_t *baseline, struct gim_error *error)
{
	struct gim_output *output;
	json_t *config = json_object(), *document = json_pack("{s:i}", "gimstate", 1);
	if (wishes->target_count)
		(void)json_object_set_new(config, "targets", texts_json(wishes->targets, wishes->target_count));
	if (wishes->error_count)
		(void)json_object_set_new(config, "error", texts_json(wishes->errors, wishes->error_count));
	if (wishes->ignored_count)
		(void)json_object_set_new(config, "ignore", texts_json(wishes->ignored, wishes->ignored_count));
	if (wishes->strict)
		(void)json_object_set_new(config, "strict", json_true());
	(void)json_object_set(config, "baseline", (json_t *)(uintptr_t)baseline);
	(void)json_object_set_new(document, "config", config);
	char *text = json_dumps(document, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	int result = text ? written_new(path, replace, &output, error) : error_set(error, GIM_E_MEMORY, "out of memory");
	if (!result) {
		const bool refused = gim_output_write(output, text, strlen(text)) || gim_output_write(output, "\n", 1);
		result = output_end(output, refused ? GIM_E_STOPPED : 0, error);
	}
	free(text);
	json_decref(document);
	return result;
}

void check_wishes_free(struct check_wishes *wishes)
{
	json_decref(wishes->document);
	free(wishes->accepted);
}
