/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JUnit and TAP, for all commands that report tests. */
#include "test_report.h"

#include "output.h"

#include <stdlib.h>
#include <string.h>

static const char *xml_entity(char byte)
{
	return byte == '<' ? "&lt;" : byte == '>' ? "&gt;" : byte == '&' ? "&amp;" : byte == '"' ? "&quot;" : NULL;
}

void put_xml(FILE *stream, const char *text)
{
	put_replaced(stream, text, xml_entity);
}

static void put_counts(const struct test_counts *counts)
{
	unsigned tests = 0;
	for (int outcome = TEST_PASSED; outcome < TEST_OUTCOMES; outcome++)
		tests += counts->of[outcome];
	printf("\" tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\">\n", tests, counts->of[TEST_FAILED], counts->of[TEST_ERROR],
	       counts->of[TEST_SKIPPED]);
}

void junit_begin(const char *name, const struct test_counts *counts)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"", stdout);
	put_xml(stdout, name);
	put_counts(counts);
}

void junit_suite_begin(const char *name, const struct test_counts *counts)
{
	fputs("  <testsuite name=\"", stdout);
	put_xml(stdout, name);
	put_counts(counts);
}

/* Each line of text behind another. */
static void put_lines(FILE *stream, const char *text, const char *before, void (*put)(FILE *stream, const char *text))
{
	char *lines = strdup(text), *rest = lines;
	if (!lines)
		output_no_memory();
	for (const char *line; lines && (line = strsep(&rest, "\n"));) {
		if (!*line)
			continue;
		fputs(before, stream);
		put(stream, line);
		fputc('\n', stream);
	}
	free(lines);
}

void junit_case(FILE *stream, const struct test_case *test)
{
	static const char *const elements[] = {"system-out", "failure", "skipped", "error"};
	const char *element = elements[test->outcome];
	const bool speaks = test->outcome != TEST_PASSED || test->details;
	fputs("    <testcase classname=\"", stream);
	put_xml(stream, test->suite);
	fputs("\" name=\"", stream);
	put_xml(stream, test->name);
	fputs(speaks ? "\">\n" : "\"/>\n", stream);
	if (!speaks)
		return;
	fprintf(stream, "      <%s", element);
	if (test->outcome != TEST_PASSED && test->type) {
		fputs(" type=\"", stream);
		put_xml(stream, test->type);
		fputc('"', stream);
	}
	if (test->outcome != TEST_PASSED && test->message) {
		fputs(" message=\"", stream);
		put_xml(stream, test->message);
		fputc('"', stream);
	}
	if (test->details) {
		fputs(">\n", stream);
		put_lines(stream, test->details, "", put_xml);
		fprintf(stream, "      </%s>\n", element);
	} else {
		fputs("/>\n", stream);
	}
	fputs("    </testcase>\n", stream);
}

void junit_suite_end(void)
{
	puts("  </testsuite>");
}

void junit_end(void)
{
	puts("</testsuites>");
}

void tap_begin(void)
{
	puts("TAP version 13");
}

void tap_plan(unsigned count)
{
	printf("1..%u\n", count);
}

/* A description, in which no "# SKIP" or "# TODO" may stand that was not meant. */
static void put_tap(const char *text)
{
	char *own = strdup(text), *rest = own;
	for (char *part; own && (part = strsep(&rest, "#"));) {
		put_safe(stdout, part);
		if (!rest)
			continue;
		const char *word = rest + strspn(rest, " \t");
		fputs(!strncasecmp(word, "skip", 4) || !strncasecmp(word, "todo", 4) ? "\\#" : "#", stdout);
	}
	free(own);
}

void tap_case(unsigned number, const struct test_case *test)
{
	printf("%sok %u - ", test->outcome == TEST_FAILED || test->outcome == TEST_ERROR ? "not " : "", number);
	put_tap(test->suite);
	fputs(test->joint ? test->joint : ": ", stdout);
	put_tap(test->name);
	if (test->outcome == TEST_SKIPPED)
		fputs(" # SKIP ", stdout), put_safe(stdout, test->message);
	putchar('\n');
	if (test->outcome != TEST_SKIPPED && test->outcome != TEST_PASSED && test->message && !test->details)
		put_lines(stdout, test->message, "# ", put_safe);
	if (test->details)
		put_lines(stdout, test->details, "# ", put_safe);
}

void tap_bail_out(const char *reason)
{
	fputs("Bail out! ", stdout);
	put_safe(stdout, reason);
	putchar('\n');
}
