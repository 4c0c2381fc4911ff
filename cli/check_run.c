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

void check_run_no_memory(struct check_run *run)
{
	(void)error_set(&run->failure, GIM_E_MEMORY, "out of memory: the report is not whole");
}

void check_run_begin(struct check_run *run)
{
	if (run->form->begin)
		run->form->begin(run);
}

void check_run_take(struct check_run *run, struct check_result *result)
{
	run->verdicts[result->verdict]++;
	run->told_count++;
	add_to_baseline(run, result);
	if (!run->failure.code)
		run->form->result(run, result);
	check_result_free(result);
}

int check_run_end(struct check_run *run)
{
	if (run->form->end)
		run->form->end(run);
	if (run->failure.code)
		(void)output_error(NULL, &run->failure, false);
	return run->failure.code || run->verdicts[CHECK_UNKNOWN] ? EXIT_NO_ANSWER : run->verdicts[CHECK_DOES_NOT] ? EXIT_NO : EXIT_YES;
}
