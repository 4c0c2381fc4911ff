/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results of check as one JSON document. */
#include "check_report.h"

static json_t *result_finding_json(const struct check_finding *finding)
{
	const struct gim_finding own = {.rule = finding->rule,
	                                .severity = finding->severity,
	                                .offset = finding->offset,
	                                .unit = finding->unit,
	                                .path = finding->path,
	                                .text = finding->text};
	json_t *json = finding_json(&own);
	(void)json_object_set_new(json, "fingerprint", json_string(finding->fingerprint));
	if (finding->accepted)
		(void)json_object_set_new(json, "accepted", json_true());
	return json;
}

static void set(json_t *json, const char *key, const char *text)
{
	if (text)
		(void)json_object_set_new(json, key, json_text(text));
}

static void json_result(struct check_run *run, const struct check_result *result)
{
	static const char *const counted[] = {[GIM_NOTE] = "notes", [GIM_WARNING] = "warnings", [GIM_ERROR] = "errors"};
	json_t *json = json_object(), *findings = json_array();
	set(json, "state", result->state);
	set(json, "snapshot", result->snapshot);
	set(json, "target", result->target);
	set(json, "verdict", check_verdict_name(result->verdict));
	for (int severity = GIM_ERROR; severity >= GIM_NOTE; severity--)
		(void)json_object_set_new(json, counted[severity], json_integer(result->counts[severity]));
	(void)json_object_set_new(json, "accepted", json_integer(result->accepted));
	for (size_t i = 0; i < result->count; i++)
		(void)json_array_append_new(findings, result_finding_json(&result->findings[i]));
	(void)json_object_set_new(json, "findings", findings);
	if (result->verdict == CHECK_UNKNOWN)
		(void)json_object_set_new(json, "error",
		                          error_json(result->target_failed ? result->target : result->state, &result->error));
	(void)json_array_append_new(run->results, json);
}

static void json_begin(struct check_run *run)
{
	run->results = json_array();
}

/* The first error is the document's too, so that a failure is found at one place in every document. */
static void json_end(struct check_run *run)
{
	json_t *body = json_pack("{s:O}", "results", run->results);
	for (size_t i = 0; i < json_array_size(run->results); i++) {
		json_t *error = json_object_get(json_array_get(run->results, i), "error");
		if (error && !json_object_get(body, "error"))
			(void)json_object_set(body, "error", error);
	}
	output_document(body, false);
}

const struct check_form check_form_json = {.name = "json", .begin = json_begin, .result = json_result, .end = json_end};
