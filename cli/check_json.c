/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results of check as JSON, one document or one a line, and back. */
#include "check_report.h"
#include "json_put.h"

#include <stdlib.h>
#include <string.h>

static void put_finding(struct json_put *put, const struct check_finding *finding)
{
	const struct gim_finding own = {.rule = finding->rule,
	                                .severity = finding->severity,
	                                .offset = finding->offset,
	                                .unit = finding->unit,
	                                .path = finding->path,
	                                .text = finding->text};
	json_put_begin(put, NULL, '{');
	finding_members(&own, &put->members);
	json_put_text(put, "fingerprint", finding->fingerprint);
	if (finding->accepted)
		json_put_true(put, "accepted");
	json_put_end(put, '{');
}

static void put_error(struct json_put *put, const char *file, const struct gim_error *error)
{
	json_put_begin(put, "error", '{');
	error_members(file, error, &put->members);
	json_put_end(put, '{');
}

/* What the error is about. */
static const char *culprit(const struct check_result *result)
{
	return result->target_failed ? result->target : result->state;
}

static void put_members(struct json_put *put, const struct check_result *result)
{
	static const char *const counted[] = {[GIM_NOTE] = "notes", [GIM_WARNING] = "warnings", [GIM_ERROR] = "errors"};
	const char *const texts[][2] = {{"state", result->state}, {"snapshot", result->snapshot}, {"target", result->target}};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i][1])
			json_put_text(put, texts[i][0], texts[i][1]);
	json_put_text(put, "verdict", check_verdict_name(result->verdict));
	for (int severity = GIM_ERROR; severity >= GIM_NOTE; severity--)
		json_put_number(put, counted[severity], result->counts[severity]);
	json_put_number(put, "accepted", result->accepted);
	json_put_begin(put, "findings", '[');
	for (size_t i = 0; i < result->count; i++)
		put_finding(put, &result->findings[i]);
	json_put_end(put, '[');
	if (result->verdict == CHECK_UNKNOWN)
		put_error(put, culprit(result), &result->error);
}

/*
 * One document. The first error is the document's too, so that a failure is found at one place in every document.
 */
struct json_report {
	struct json_put put;
	struct gim_error first; /* without a code: there was none */
	char *file;             /* what it is about */
};

static void json_begin(struct check_run *run)
{
	struct json_report *report = calloc(1, sizeof(*report));
	run->report = report;
	if (!report) {
		check_run_no_memory(run);
		return;
	}
	json_put_start(&report->put, stdout, false);
	json_put_begin(&report->put, NULL, '{');
	json_put_number(&report->put, "gimstate", 1);
	json_put_begin(&report->put, "results", '[');
}

static void json_result(struct check_run *run, const struct check_result *result)
{
	struct json_report *report = run->report;
	json_put_begin(&report->put, NULL, '{');
	put_members(&report->put, result);
	json_put_end(&report->put, '{');
	if (result->verdict != CHECK_UNKNOWN || report->first.code)
		return;
	report->first = result->error;
	report->file = culprit(result) ? strdup(culprit(result)) : NULL;
}

static void json_end(struct check_run *run)
{
	struct json_report *report = run->report;
	if (!report)
		return;
	json_put_end(&report->put, '[');
	if (run->failure.code)
		put_error(&report->put, NULL, &run->failure);
	else if (report->first.code)
		put_error(&report->put, report->file, &report->first);
	json_put_end(&report->put, '{');
	putchar('\n');
	free(report->file);
	free(report);
}

const struct check_form check_form_json = {
    .option = offsetof(struct options, json), .begin = json_begin, .result = json_result, .end = json_end};

/*
 * One document a line.
 */
static void begin_line(struct json_put *put)
{
	json_put_start(put, stdout, true);
	json_put_begin(put, NULL, '{');
	json_put_number(put, "gimstate", 1);
}

static void end_line(struct json_put *put)
{
	json_put_end(put, '{');
	putchar('\n');
}

static void ndjson_result(struct check_run *run, const struct check_result *result)
{
	struct json_put put;
	(void)run;
	begin_line(&put);
	put_members(&put, result);
	end_line(&put);
}

static void ndjson_end(struct check_run *run)
{
	struct json_put put;
	begin_line(&put);
	json_put_begin(&put, "summary", '{');
	for (enum check_verdict verdict = CHECK_FITS; verdict <= CHECK_UNKNOWN; verdict++)
		json_put_number(&put, check_verdict_name(verdict), run->verdicts[verdict]);
	json_put_end(&put, '{');
	end_line(&put);
}

const struct check_form check_form_ndjson = {.option = offsetof(struct options, ndjson), .result = ndjson_result, .end = ndjson_end};

/*
 * Back. A report may be of another version, whose rules are not all known here.
 */
struct check_rules {
	struct gim_rule rule;
	struct check_rules *next;
	char texts[]; /* of the id, and the status' name */
};

static const char *text_of(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static const struct gim_rule *made_up_rule(const json_t *json, const char *id, struct check_rules **unknown)
{
	const char *name = text_of(json, "status_name");
	const size_t id_bytes = strlen(id) + 1, name_bytes = name ? strlen(name) + 1 : 0;
	for (const struct check_rules *each = *unknown; each; each = each->next)
		if (!strcmp(each->rule.id, id))
			return &each->rule;
	struct check_rules *made = calloc(1, sizeof(*made) + id_bytes + name_bytes);
	if (!made)
		return NULL;
	memcpy(made->texts, id, id_bytes);
	if (name)
		memcpy(made->texts + id_bytes, name, name_bytes);
	made->rule = (struct gim_rule){.id = made->texts,
	                               .severity = GIM_NOTE,
	                               .status = (int)json_integer_value(json_object_get(json, "status")),
	                               .status_name = name ? made->texts + id_bytes : NULL,
	                               .help = "a rule of another version of gimstate",
	                               .why = "only the version that made the report knows it",
	                               .mend = "ask that version: gimstate rules"};
	made->next = *unknown;
	*unknown = made;
	return &made->rule;
}

void check_rules_free(struct check_rules **unknown)
{
	while (*unknown) {
		struct check_rules *next = (*unknown)->next;
		free(*unknown);
		*unknown = next;
	}
}

static int refuse(struct gim_error *error, const char *what)
{
	return error_set(error, GIM_E_VALUE, "that is no result of check: %s", what);
}

static bool parse_severity(const char *text, enum gim_severity *severity)
{
	for (enum gim_severity each = GIM_NOTE; text && each <= GIM_ERROR; each++)
		if (!strcmp(text, severity_name(each)))
			return *severity = each, true;
	return false;
}

static uint64_t parse_offset(const json_t *json, const char *member)
{
	const json_t *offset = json_object_get(json, member);
	return json_is_integer(offset) ? (uint64_t)json_integer_value(offset) : GIM_UNKNOWN;
}

static int parse_finding(const json_t *json, struct check_rules **unknown, struct check_result *result, struct gim_error *error)
{
	const char *id = text_of(json, "rule");
	struct gim_finding finding = {.unit = text_of(json, "unit"), .path = text_of(json, "path"), .text = text_of(json, "text")};
	if (!id || !parse_severity(text_of(json, "severity"), &finding.severity))
		return refuse(error, "each finding must have a rule and a severity");
	finding.rule = gim_rule_find(id);
	if (!finding.rule)
		finding.rule = made_up_rule(json, id, unknown);
	if (!finding.rule)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	finding.offset = parse_offset(json, "offset");
	check_result_add(result, &finding);
	if (result->error.code)
		return error_set(error, result->error.code, "%s", result->error.text);
	struct check_finding *own = &result->findings[result->count - 1];
	own->accepted = json_is_true(json_object_get(json, "accepted"));
	result->accepted += own->accepted;
	result->counts[own->severity] += !own->accepted;
	return 0;
}

static void parse_error(const json_t *json, struct check_result *result)
{
	const char *file = text_of(json, "file"), *text = text_of(json, "text"), *unit = text_of(json, "unit"),
		   *path = text_of(json, "path");
	(void)error_set(&result->error, GIM_E_IO, "%s", text ? text : "it was not judged, and the report does not say why");
	(void)snprintf(result->error.unit, sizeof(result->error.unit), "%s", unit ? unit : "");
	(void)snprintf(result->error.path, sizeof(result->error.path), "%s", path ? path : "");
	result->error.offset = parse_offset(json, "offset");
	result->error.payload_offset = parse_offset(json, "payload_offset");
	for (int code = 0; code > -100; code--)
		if (text_of(json, "code") && !strcmp(text_of(json, "code"), gim_code_name(code)))
			result->error.code = code;
	result->target_failed = file && result->target && strcmp(file, result->state) != 0;
}

int check_result_parse(const json_t *json, struct check_rules **unknown, struct check_result *result, struct gim_error *error)
{
	const char *state = text_of(json, "state"), *verdict = text_of(json, "verdict");
	const json_t *findings = json_object_get(json, "findings"), *failure = json_object_get(json, "error");
	if (!state || !verdict || !json_is_array(findings))
		return refuse(error, "state, verdict and findings are expected");
	check_result_start(result, state, text_of(json, "snapshot"), text_of(json, "target"));
	int failed = result->error.code ? error_set(error, GIM_E_MEMORY, "out of memory") : 0;
	for (size_t i = 0; !failed && i < json_array_size(findings); i++)
		failed = parse_finding(json_array_get(findings, i), unknown, result, error);
	for (enum check_verdict each = CHECK_FITS; each <= CHECK_UNKNOWN; each++)
		if (!strcmp(verdict, check_verdict_name(each)))
			result->verdict = each;
	if (!failed && result->verdict == CHECK_UNKNOWN && !json_is_object(failure))
		failed = refuse(error, "a verdict of unknown comes with the error that is its reason");
	if (failed) {
		check_result_free(result);
		return failed;
	}
	if (result->verdict == CHECK_UNKNOWN)
		parse_error(failure, result);
	check_result_identify(result);
	return 0;
}
