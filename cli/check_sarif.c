/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results of check as a SARIF 2.1.0 log, which code hosts show: a run with the rules that found something, and a result for each finding. */
#include "check_report.h"
#include "json_put.h"
#include "spool.h"

#include <stdlib.h>
#include <string.h>

#define SCHEMA "https://json.schemastore.org/sarif-2.1.0.json"

/* Of a notification: log, runs, run, invocations, invocation, notifications. */
enum { FAILURE_DEPTH = 6 };

static void set(json_t *json, const char *key, json_t *value)
{
	(void)json_object_set_new(json, key, value);
}

static json_t *message(const char *text)
{
	return json_pack("{s:o}", "text", json_text(text));
}

/* A path as a URI reference: relative ones stay so, since hosts look for them in the repository. */
static void put_uri(struct json_put *put, const char *path)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
	char *text = malloc(3 * strlen(path) + sizeof("file://"));
	while (path[0] == '.' && path[1] == '/')
		path += 2 + strspn(path + 2, "/");
	char *end = text ? stpcpy(text, *path == '/' ? "file://" : "") : NULL;
	for (; text && *path; path++) {
		if (strchr(plain, *path))
			*end++ = *path;
		else
			end += sprintf(end, "%%%02X", (unsigned char)*path);
	}
	if (text)
		*end = '\0';
	json_put_text(put, "uri", text ? text : "");
	free(text);
}

static void put_logical(struct json_put *put, const char *name, const char *kind, bool *begun)
{
	if (!name || !*name)
		return;
	if (!*begun)
		json_put_begin(put, "logicalLocations", '[');
	*begun = true;
	json_put_begin(put, NULL, '{');
	json_put_text(put, "fullyQualifiedName", name);
	json_put_text(put, "kind", kind);
	json_put_end(put, '{');
}

/* A state has no lines; hosts that show only lines show it at the first. */
static void put_location(struct json_put *put, const char *state, uint64_t offset, const char *unit, const char *path)
{
	bool logical = false;
	json_put_begin(put, "locations", '[');
	json_put_begin(put, NULL, '{');
	json_put_begin(put, "physicalLocation", '{');
	json_put_begin(put, "artifactLocation", '{');
	put_uri(put, state);
	json_put_end(put, '{');
	json_put_begin(put, "region", '{');
	json_put_number(put, "startLine", 1);
	if (offset != GIM_UNKNOWN)
		json_put_number(put, "byteOffset", (int64_t)offset);
	json_put_end(put, '{');
	json_put_end(put, '{');
	put_logical(put, unit, "module", &logical);
	put_logical(put, path, "member", &logical);
	if (logical)
		json_put_end(put, '[');
	json_put_end(put, '{');
	json_put_end(put, '[');
}

static void put_message(struct json_put *put, const char *text)
{
	json_put_begin(put, "message", '{');
	json_put_text(put, "text", text);
	json_put_end(put, '{');
}

static json_t *help_of(const struct gim_rule *rule)
{
	char *text = NULL, *markdown = NULL;
	if (asprintf(&text, "Why: %s. Mend: %s.", rule->why, rule->mend) < 0)
		text = NULL;
	if (asprintf(&markdown, "**Why:** %s.\n\n**Mend:** %s.%s%s", rule->why, rule->mend, rule->source ? "\n\nSource: " : "",
	             rule->source ? rule->source : "") < 0)
		markdown = NULL;
	if (!text || !markdown)
		output_no_memory();
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

/*
 * The log: results come first in their run, so that they need not wait; the rules that they name are gathered, and what failed is set aside.
 */
struct sarif_report {
	struct json_put put, failed;
	json_t *rules, *numbers; /* numbers: the rules' places by id */
	json_t *seen;            /* targets that failed and were told */
	FILE *failures;          /* NULL: there are none */
};

/* The rule's place in the list, where it is put at its first use. */
static json_int_t rule_index(struct sarif_report *report, const struct gim_rule *rule)
{
	const json_t *number = json_object_get(report->numbers, rule->id);
	if (number)
		return json_integer_value(number);
	(void)json_array_append_new(report->rules, sarif_rule(rule));
	(void)json_object_set_new(report->numbers, rule->id, json_integer((json_int_t)json_array_size(report->rules) - 1));
	return (json_int_t)json_array_size(report->rules) - 1;
}

/* "snapshot X: on vbox:7.2: gim.provider: sentence (at byte 0x1f0)". The caller's; NULL: out of memory. */
static char *message_of(const struct check_result *result, const struct check_finding *finding)
{
	const bool snapshot = result->snapshot, target = result->target;
	char *about = check_finding_text(finding), *text;
	if (asprintf(&text, "%s%s%s%s%s%s%s", snapshot ? "snapshot " : "", snapshot ? result->snapshot : "", snapshot ? ": " : "",
	             target ? "on " : "", target ? result->target : "", target ? ": " : "", about ? about : finding->text) < 0)
		text = NULL;
	free(about);
	return text;
}

static void put_properties(struct json_put *put, const struct check_result *result)
{
	json_put_begin(put, "properties", '{');
	if (result->target)
		json_put_text(put, "target", result->target);
	if (result->snapshot)
		json_put_text(put, "snapshot", result->snapshot);
	json_put_end(put, '{');
}

static void put_result(struct sarif_report *report, const struct check_result *result, const struct check_finding *finding)
{
	struct json_put *put = &report->put;
	char *text = message_of(result, finding);
	json_put_begin(put, NULL, '{');
	json_put_text(put, "ruleId", finding->rule->id);
	json_put_number(put, "ruleIndex", rule_index(report, finding->rule));
	json_put_text(put, "level", severity_name(finding->severity));
	put_message(put, text ? text : finding->text);
	put_location(put, result->state, finding->offset, finding->unit, finding->path);
	json_put_begin(put, "partialFingerprints", '{');
	json_put_text(put, "gimstateFinding/v1", finding->fingerprint);
	json_put_end(put, '{');
	put_properties(put, result);
	if (finding->accepted)
		json_put_value(put, "suppressions", json_pack("[{s:s, s:s}]", "kind", "external", "status", "accepted"));
	json_put_end(put, '{');
	free(text);
}

static void set_failures_aside(struct sarif_report *report, struct gim_error *error)
{
	if (report->failures || !(report->failures = spool_open(error)))
		return;
	json_put_start(&report->failed, report->failures, false);
	report->failed.depth = FAILURE_DEPTH;
}

/* What could not be judged is the tool's failure, not a finding. A target's is told once. */
static void notify(struct sarif_report *report, const struct check_result *result, struct gim_error *failure)
{
	const struct gim_error *error = &result->error;
	char *text = NULL;
	if (result->target_failed && json_object_get(report->seen, result->target))
		return;
	set_failures_aside(report, failure);
	if (!report->failures)
		return;
	if (asprintf(&text, "%s%s%s", result->target_failed ? result->target : "", result->target_failed ? ": " : "", error->text) < 0)
		text = NULL;
	struct json_put *put = &report->failed;
	json_put_begin(put, NULL, '{');
	json_put_text(put, "level", "error");
	put_message(put, text ? text : error->text);
	if (result->target_failed)
		(void)json_object_set_new(report->seen, result->target, json_true());
	else
		put_location(put, result->state, error->offset, error->unit, error->path);
	json_put_end(put, '{');
	free(text);
}

static void sarif_begin(struct check_run *run)
{
	struct sarif_report *report = calloc(1, sizeof(*report));
	run->report = report;
	if (!report) {
		check_run_no_memory(run);
		return;
	}
	report->rules = json_array();
	report->numbers = json_object();
	report->seen = json_object();
	struct json_put *put = &report->put;
	json_put_start(put, stdout, false);
	json_put_begin(put, NULL, '{');
	json_put_text(put, "$schema", SCHEMA);
	json_put_text(put, "version", "2.1.0");
	json_put_begin(put, "runs", '[');
	json_put_begin(put, NULL, '{');
	json_put_text(put, "columnKind", "unicodeCodePoints");
	json_put_begin(put, "results", '[');
}

static void sarif_take(struct check_run *run, const struct check_result *result)
{
	struct sarif_report *report = run->report;
	if (result->verdict == CHECK_UNKNOWN)
		notify(report, result, &run->failure);
	for (size_t f = 0; result->verdict != CHECK_UNKNOWN && f < result->count; f++)
		put_result(report, result, &result->findings[f]);
}

static void put_invocation(struct check_run *run, struct sarif_report *report)
{
	struct json_put *put = &report->put;
	json_put_begin(put, "invocations", '[');
	json_put_begin(put, NULL, '{');
	json_put_value(put, "executionSuccessful", json_boolean(!report->failures && !run->failure.code));
	json_put_begin(put, "toolExecutionNotifications", '[');
	if (report->failures && !spool_print(report->failures, stdout, &run->failure))
		put->filled |= 1U << FAILURE_DEPTH;
	if (run->failure.code)
		json_put_value(put, NULL, json_pack("{s:s, s:o}", "level", "error", "message", message(run->failure.text)));
	json_put_end(put, '[');
	json_put_end(put, '{');
	json_put_end(put, '[');
}

static void sarif_end(struct check_run *run)
{
	struct sarif_report *report = run->report;
	if (!report)
		return;
	struct json_put *put = &report->put;
	json_put_end(put, '[');
	json_put_begin(put, "tool", '{');
	json_put_value(put, "driver",
	               json_pack("{s:s, s:s, s:s, s:O}", "name", "gimstate", "version", GIM_VERSION, "semanticVersion", GIM_VERSION,
	                         "rules", report->rules));
	json_put_end(put, '{');
	put_invocation(run, report);
	json_put_end(put, '{');
	json_put_end(put, '[');
	json_put_end(put, '{');
	putchar('\n');
	if (report->failures)
		(void)fclose(report->failures);
	json_decref(report->rules);
	json_decref(report->numbers);
	json_decref(report->seen);
	free(report);
}

const struct check_form check_form_sarif = {
    .option = offsetof(struct options, sarif), .begin = sarif_begin, .result = sarif_take, .end = sarif_end};
