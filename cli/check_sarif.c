/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results of check as a SARIF 2.1.0 log, which code hosts show: a run with the rules that found something, and a result for each finding. */
#include "check_report.h"

#include <stdlib.h>
#include <string.h>

#define SCHEMA "https://json.schemastore.org/sarif-2.1.0.json"

static void set(json_t *json, const char *key, json_t *value)
{
	(void)json_object_set_new(json, key, value);
}

static json_t *message(const char *text)
{
	return json_pack("{s:o}", "text", json_text(text));
}

/* A path as a URI reference: relative ones stay so, since hosts look for them in the repository. */
static json_t *uri(const char *path)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
	char *text = malloc(3 * strlen(path) + sizeof("file://"));
	if (!text)
		return NULL;
	while (path[0] == '.' && path[1] == '/')
		path += 2 + strspn(path + 2, "/");
	char *end = text + sprintf(text, "%s", *path == '/' ? "file://" : "");
	for (; *path; path++)
		end += strchr(plain, *path) ? sprintf(end, "%c", *path) : sprintf(end, "%%%02X", (unsigned char)*path);
	json_t *json = json_string(text);
	free(text);
	return json;
}

/* A state has no lines; hosts that show only lines show it at the first. */
static json_t *location(const char *state, uint64_t offset, const char *unit, const char *path)
{
	json_t *region = json_pack("{s:i}", "startLine", 1), *logical = json_array();
	if (offset != GIM_UNKNOWN)
		set(region, "byteOffset", size_json(offset));
	json_t *location = json_pack("{s:{s:{s:o}, s:o}}", "physicalLocation", "artifactLocation", "uri", uri(state), "region", region);
	if (unit && *unit)
		(void)json_array_append_new(logical, json_pack("{s:o, s:s}", "fullyQualifiedName", json_text(unit), "kind", "module"));
	if (path && *path)
		(void)json_array_append_new(logical, json_pack("{s:o, s:s}", "fullyQualifiedName", json_text(path), "kind", "member"));
	if (json_array_size(logical))
		(void)json_object_set(location, "logicalLocations", logical);
	json_decref(logical);
	return json_pack("[o]", location);
}

static json_t *help_of(const struct gim_rule *rule)
{
	char *text = NULL, *markdown = NULL;
	if (asprintf(&text, "Why: %s. Mend: %s.", rule->why, rule->mend) < 0)
		text = NULL;
	if (asprintf(&markdown, "**Why:** %s.\n\n**Mend:** %s.%s%s", rule->why, rule->mend, rule->source ? "\n\nSource: " : "",
	             rule->source ? rule->source : "") < 0)
		markdown = NULL;
	json_t *help = json_pack("{s:o, s:o}", "text", json_text(text ? text : ""), "markdown", json_text(markdown ? markdown : ""));
	free(text);
	free(markdown);
	return help;
}

static json_t *sarif_rule(const struct gim_rule *rule)
{
	json_t *json = json_pack("{s:s, s:o, s:o, s:o, s:{s:s}, s:{s:[s]}}", "id", rule->id, "shortDescription", message(rule->help),
	                         "fullDescription", message(rule->help), "help", help_of(rule), "defaultConfiguration", "level",
	                         severity_name(rule->severity), "properties", "tags", "saved-state");
	if (rule->status_name) {
		set(json_object_get(json, "properties"), "status", json_integer(rule->status));
		set(json_object_get(json, "properties"), "statusName", json_string(rule->status_name));
	}
	return json;
}

/* The rule's place in the list, where it is put at its first use; numbers holds places by id. */
static json_int_t rule_index(json_t *rules, json_t *numbers, const struct gim_rule *rule)
{
	const json_t *number = json_object_get(numbers, rule->id);
	if (number)
		return json_integer_value(number);
	(void)json_array_append_new(rules, sarif_rule(rule));
	(void)json_object_set_new(numbers, rule->id, json_integer((json_int_t)json_array_size(rules) - 1));
	return (json_int_t)json_array_size(rules) - 1;
}

static json_t *sarif_result(const struct check_result *result, const struct check_finding *finding, json_int_t index)
{
	char *about = check_finding_text(finding), *text = NULL;
	if (asprintf(&text, "%s%s%s%s%s%s", result->snapshot ? "snapshot " : "", result->snapshot ? result->snapshot : "",
	             result->snapshot ? ": " : "", result->target ? "on " : "", result->target ? result->target : "",
	             result->target ? ": " : "") < 0)
		text = NULL;
	char *whole = NULL;
	if (asprintf(&whole, "%s%s", text ? text : "", about ? about : finding->text) < 0)
		whole = NULL;
	json_t *json = json_pack("{s:s, s:I, s:s, s:o, s:o, s:{s:s}, s:{}}", "ruleId", finding->rule->id, "ruleIndex", index, "level",
	                         severity_name(finding->severity), "message", message(whole ? whole : finding->text), "locations",
	                         location(result->state, finding->offset, finding->unit, finding->path), "partialFingerprints",
	                         "gimstateFinding/v1", finding->fingerprint, "properties");
	if (result->target)
		set(json_object_get(json, "properties"), "target", json_text(result->target));
	if (result->snapshot)
		set(json_object_get(json, "properties"), "snapshot", json_text(result->snapshot));
	if (finding->accepted)
		set(json, "suppressions", json_pack("[{s:s, s:s}]", "kind", "external", "status", "accepted"));
	free(about);
	free(text);
	free(whole);
	return json;
}

/* What could not be judged is the tool's failure, not a finding. A target's is told once; seen holds those that were. */
static void notify(json_t *failures, json_t *seen, const struct check_result *result)
{
	const struct gim_error *error = &result->error;
	char *text = NULL;
	if (result->target_failed && json_object_get(seen, result->target))
		return;
	if (asprintf(&text, "%s%s%s", result->target_failed ? result->target : "", result->target_failed ? ": " : "", error->text) < 0)
		text = NULL;
	json_t *json = json_pack("{s:s, s:o}", "level", "error", "message", message(text ? text : error->text));
	if (result->target_failed)
		(void)json_object_set_new(seen, result->target, json_true());
	else
		set(json, "locations", location(result->state, error->unit[0] ? GIM_UNKNOWN : error->offset, error->unit, error->path));
	(void)json_array_append_new(failures, json);
	free(text);
}

static void sarif_report(struct check_run *run)
{
	json_t *rules = json_array(), *numbers = json_object(), *results = json_array(), *failures = json_array(), *seen = json_object();
	for (size_t i = 0; i < run->result_count; i++) {
		const struct check_result *result = &run->results[i];
		if (result->verdict == CHECK_UNKNOWN)
			notify(failures, seen, result);
		for (size_t f = 0; result->verdict != CHECK_UNKNOWN && f < result->count; f++) {
			const json_int_t index = rule_index(rules, numbers, result->findings[f].rule);
			(void)json_array_append_new(results, sarif_result(result, &result->findings[f], index));
		}
	}
	const bool whole = !json_array_size(failures);
	json_t *invocation = json_pack("{s:b, s:o}", "executionSuccessful", whole, "toolExecutionNotifications", failures);
	json_t *driver =
	    json_pack("{s:s, s:s, s:s, s:o}", "name", "gimstate", "version", GIM_VERSION, "semanticVersion", GIM_VERSION, "rules", rules);
	json_t *log = json_pack("{s:s, s:s, s:[{s:{s:o}, s:[o], s:s, s:o}]}", "$schema", SCHEMA, "version", "2.1.0", "runs", "tool",
	                        "driver", driver, "invocations", invocation, "columnKind", "unicodeCodePoints", "results", results);
	if (!log)
		check_run_no_memory(run);
	else if (!json_dumpf(log, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII))
		putchar('\n');
	json_decref(log);
	json_decref(numbers);
	json_decref(seen);
}

const struct check_form check_form_sarif = {.option = offsetof(struct options, sarif), .end = sarif_report};
