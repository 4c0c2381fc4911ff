/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results of check as tests: JUnit, a suite for each target, and TAP. */
#include "check_matrix.h"
#include "test_report.h"

#include <stdlib.h>
#include <string.h>

static const enum test_outcome outcomes[] = {[CHECK_FITS] = TEST_PASSED, [CHECK_DOES_NOT] = TEST_FAILED, [CHECK_UNKNOWN] = TEST_ERROR};

static const char *suite_of(const struct check_result *result)
{
	return result->target ? result->target : "any target";
}

/* Every error and warning on a line, each rule's first with how to mend it. The caller's; NULL: there are none. */
static char *details_of(const struct check_result *result)
{
	char *text = NULL;
	size_t size;
	if (!result->counts[GIM_ERROR] && !result->counts[GIM_WARNING])
		return NULL;
	FILE *stream = open_memstream(&text, &size);
	for (size_t i = 0; stream && i < result->count; i++) {
		const struct check_finding *finding = &result->findings[i];
		if (finding->accepted || finding->severity == GIM_NOTE)
			continue;
		char *line = check_finding_text(finding);
		fprintf(stream, "%s %s: ", severity_name(finding->severity), finding->rule->id);
		put_safe(stream, line ? line : "");
		fprintf(stream, " [mend: %s]\n", finding->rule->mend);
		free(line);
	}
	if (stream)
		(void)fclose(stream);
	return text;
}

/* What counts most: with warnings that count as errors do, the first of those. */
static const struct check_finding *worst_of(const struct check_result *result)
{
	for (int severity = GIM_ERROR; severity >= GIM_NOTE; severity--)
		for (size_t i = 0; i < result->count; i++)
			if ((int)result->findings[i].severity == severity && !result->findings[i].accepted)
				return &result->findings[i];
	return NULL;
}

static void put_result(const struct check_result *result, unsigned number, void (*put)(unsigned number, const struct test_case *test))
{
	const struct check_finding *worst = worst_of(result);
	char *name = check_state_text(result), *details = details_of(result);
	char *message = result->verdict == CHECK_UNKNOWN ? strdup(result->error.text) : worst ? check_finding_text(worst) : NULL;
	put(number, &(struct test_case){.suite = suite_of(result),
	                                .name = name ? name : result->state,
	                                .outcome = outcomes[result->verdict],
	                                .type = result->verdict == CHECK_UNKNOWN ? gim_code_name(result->error.code)
	                                        : worst                          ? worst->rule->id
	                                                                         : NULL,
	                                .message = message,
	                                .details = details});
	free(name);
	free(details);
	free(message);
}

static void tap_result(struct check_run *run, const struct check_result *result)
{
	put_result(result, (unsigned)run->told_count, tap_case);
}

static void begin_tap(struct check_run *run)
{
	(void)run;
	tap_begin();
}

static void end_tap(struct check_run *run)
{
	tap_plan((unsigned)run->told_count);
}

const struct check_form check_form_tap = {
    .option = offsetof(struct options, tap), .begin = begin_tap, .result = tap_result, .end = end_tap};

static void put_junit(unsigned number, const struct test_case *test)
{
	(void)number;
	junit_case(test);
}

static bool is_of(const struct check_result *result, const char *target)
{
	return target ? result->target && !strcmp(result->target, target) : !result->target;
}

/* The results for one target (NULL: for none), in one suite. */
static void put_suite(const struct check_run *run, const char *target)
{
	struct test_counts counts = {.of = {0}};
	const struct check_result *first = NULL;
	for (size_t i = 0; i < run->result_count; i++)
		if (is_of(&run->results[i], target)) {
			first = first ? first : &run->results[i];
			counts.of[outcomes[run->results[i].verdict]]++;
		}
	if (!first)
		return;
	junit_suite_begin(suite_of(first), &counts);
	for (size_t i = 0; i < run->result_count; i++)
		if (is_of(&run->results[i], target))
			put_result(&run->results[i], 0, put_junit);
	junit_suite_end();
}

static void junit_report(struct check_run *run)
{
	struct check_matrix matrix;
	struct test_counts counts = {.of = {0}};
	if (!check_matrix_make(&matrix, run)) {
		check_run_no_memory(run);
		return;
	}
	for (int verdict = CHECK_FITS; verdict <= CHECK_UNKNOWN; verdict++)
		counts.of[outcomes[verdict]] = run->verdicts[verdict];
	junit_begin("gimstate check", &counts);
	put_suite(run, NULL);
	for (size_t t = 0; t < matrix.target_count; t++)
		if (matrix.targets[t])
			put_suite(run, matrix.targets[t]);
	junit_end();
	check_matrix_free(&matrix);
}

const struct check_form check_form_junit = {.option = offsetof(struct options, junit), .end = junit_report};
