/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The run of check or merge: takes results, counts them, and hands them to the form that was chosen. */
#include "check_report.h"

#include <stdlib.h>

static const struct check_form *const check_forms[] = {&check_form_json, &check_form_ndjson, &check_form_junit,   &check_form_sarif,
                                                       &check_form_tap,  &check_form_html,   &check_form_markdown};

const struct check_form *check_form_find(const struct options *options)
{
	const struct check_form *found = &check_form_text;
	for (size_t i = 0; i < sizeof(check_forms) / sizeof(check_forms[0]); i++) {
		if (!*(const bool *)((const char *)options + check_forms[i]->option))
			continue;
		if (found != &check_form_text)
			return NULL;
		found = check_forms[i];
	}
	return found;
}

static void add_to_baseline(struct check_run *run, const struct check_result *result)
{
	for (size_t i = 0; run->baseline && i < result->count; i++) {
		const struct check_finding *finding = &result->findings[i];
		if (finding->severity == GIM_NOTE)
			continue;
		json_t *entry = json_pack("{s:s}", "rule", finding->rule->id);
		(void)json_object_set_new(entry, "state", json_text(result->state));
		if (result->target)
			(void)json_object_set_new(entry, "target", json_text(result->target));
		if (finding->unit)
			(void)json_object_set_new(entry, "unit", json_text(finding->unit));
		if (finding->path)
			(void)json_object_set_new(entry, "path", json_text(finding->path));
		(void)json_array_append_new(run->baseline, entry);
	}
}

/* The capacity is a power of two. */
static bool keep(struct check_run *run, struct check_result *result)
{
	if (!(run->result_count & (run->result_count - 1))) {
		struct check_result *results = realloc(run->results, (run->result_count ? 2 * run->result_count : 1) * sizeof(*results));
		if (!results)
			return false;
		run->results = results;
	}
	run->results[run->result_count++] = *result;
	return true;
}

void check_run_no_memory(struct check_run *run)
{
	struct gim_error error = GIM_ERROR_INIT;
	(void)error_set(&error, GIM_E_MEMORY, "out of memory: the report is not whole");
	(void)output_error(NULL, &error, false);
	run->verdicts[CHECK_UNKNOWN]++;
}

void check_run_take(struct check_run *run, struct check_result *result)
{
	run->verdicts[result->verdict]++;
	run->told_count++;
	add_to_baseline(run, result);
	if (run->form->result) {
		run->form->result(run, result);
		check_result_free(result);
	} else if (!keep(run, result)) {
		check_run_no_memory(run);
		check_result_free(result);
	}
}

int check_run_end(struct check_run *run)
{
	if (run->form->end)
		run->form->end(run);
	for (size_t i = 0; i < run->result_count; i++)
		check_result_free(&run->results[i]);
	free(run->results);
	return run->verdicts[CHECK_UNKNOWN] ? EXIT_NO_ANSWER : run->verdicts[CHECK_DOES_NOT] ? EXIT_NO : EXIT_YES;
}
