/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results of check as tests: JUnit, a suite for each target, and TAP. */
#include "check_names.h"
#include "check_report.h"
#include "spool.h"
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
	if (!text)
		output_no_memory();
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

/* A result as a test, whose texts the caller frees. */
static struct test_case make_case(const struct check_result *result)
{
	const struct check_finding *worst = worst_of(result);
	const bool unknown = result->verdict == CHECK_UNKNOWN;
	return (struct test_case){.suite = suite_of(result),
	                          .name = check_state_text(result),
	                          .outcome = outcomes[result->verdict],
	                          .type = unknown ? gim_code_name(result->error.code)
	                                  : worst ? worst->rule->id
	                                          : NULL,
	                          .message = unknown ? strdup(result->error.text)
	                                     : worst ? check_finding_text(worst)
	                                             : NULL,
	                          .details = details_of(result)};
}

static void free_case(struct test_case *test)
{
	free((char *)(uintptr_t)test->name);
	free((char *)(uintptr_t)test->message);
	free((char *)(uintptr_t)test->details);
}

static void tap_result(struct check_run *run, const struct check_result *result)
{
	struct test_case test = make_case(result);
	if (test.name)
		tap_case((unsigned)run->told_count, &test);
	else
		check_run_no_memory(run);
	free_case(&test);
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

/*
 * JUnit: what a suite holds stands behind its counts, so the tests are set aside, and their places kept.
 */
struct junit_test {
	uint64_t from;
	uint32_t size, next; /* next: of the same suite, a number plus 1; 0: it is the last */
};

struct junit_suite {
	struct test_counts counts;
	uint32_t first, last; /* numbers plus 1 */
};

struct junit_report {
	struct check_names names; /* of the suites */
	struct junit_suite *suites;
	struct junit_test *tests;
	size_t count;
	FILE *spool;
};

static void begin_junit(struct check_run *run)
{
	struct junit_report *report = calloc(1, sizeof(*report));
	run->report = report;
	if (!report)
		check_run_no_memory(run);
	else
		report->spool = spool_open(&run->failure);
}

/* The suite of that name; NULL: out of memory. */
static struct junit_suite *find_suite(struct junit_report *report, const char *name)
{
	const size_t known = report->names.count, number = check_names_number(&report->names, name);
	if (number == CHECK_NO_NAME)
		return NULL;
	if (number == known) {
		struct junit_suite *suites = check_array_grow(report->suites, known, sizeof(*suites));
		if (!suites)
			return NULL;
		report->suites = suites;
		report->suites[number] = (struct junit_suite){.first = 0};
	}
	return &report->suites[number];
}

static bool add_test(struct junit_report *report, const struct test_case *test)
{
	struct junit_suite *suite = test->name ? find_suite(report, test->suite) : NULL;
	struct junit_test *tests = suite ? check_array_grow(report->tests, report->count, sizeof(*tests)) : NULL;
	if (!tests)
		return false;
	report->tests = tests;
	const off_t from = ftello(report->spool);
	junit_case(report->spool, test);
	tests[report->count++] = (struct junit_test){.from = (uint64_t)from, .size = (uint32_t)(ftello(report->spool) - from)};
	if (suite->last)
		tests[suite->last - 1].next = (uint32_t)report->count;
	else
		suite->first = (uint32_t)report->count;
	suite->last = (uint32_t)report->count;
	suite->counts.of[test->outcome]++;
	return true;
}

static void junit_result(struct check_run *run, const struct check_result *result)
{
	struct test_case test = make_case(result);
	if (!add_test(run->report, &test))
		check_run_no_memory(run);
	free_case(&test);
}

static void put_suite(struct junit_report *report, size_t number, struct gim_error *failure)
{
	junit_suite_begin(report->names.texts[number], &report->suites[number].counts);
	for (uint32_t i = report->suites[number].first; i; i = report->tests[i - 1].next)
		(void)spool_print_part(report->spool, report->tests[i - 1].from, report->tests[i - 1].size, stdout, failure);
	junit_suite_end();
}

static void end_junit(struct check_run *run)
{
	struct junit_report *report = run->report;
	struct test_counts counts = {.of = {0}};
	if (!report)
		return;
	for (int verdict = CHECK_FITS; verdict <= CHECK_UNKNOWN; verdict++)
		counts.of[outcomes[verdict]] = run->verdicts[verdict];
	if (report->spool) {
		junit_begin("gimstate check", &counts);
		for (size_t s = 0; s < report->names.count; s++)
			put_suite(report, s, &run->failure);
		junit_end();
		(void)fclose(report->spool);
	}
	check_names_free(&report->names);
	free(report->suites);
	free(report->tests);
	free(report);
}

const struct check_form check_form_junit = {
    .option = offsetof(struct options, junit), .begin = begin_junit, .result = junit_result, .end = end_junit};
