/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reports that CI systems read as tests: JUnit's XML, and TAP. */
#ifndef TEST_REPORT_H
#define TEST_REPORT_H

#include <stdio.h>

enum test_outcome { TEST_PASSED, TEST_FAILED, TEST_SKIPPED, TEST_ERROR, TEST_OUTCOMES };

struct test_case {
	const char *suite, *name;
	const char *joint; /* between the two in TAP; NULL: ": " */
	enum test_outcome outcome;
	const char *type, *message; /* of all but TEST_PASSED: what kind it is (may be NULL), and why */
	const char *details;        /* lines, or NULL */
};

/* How many cases there are of each outcome. */
struct test_counts {
	unsigned of[TEST_OUTCOMES];
};

void junit_begin(const char *name, const struct test_counts *counts);
void junit_suite_begin(const char *name, const struct test_counts *counts);
void junit_case(FILE *stream, const struct test_case *test);
void junit_suite_end(void);
void junit_end(void);

/* The plan stands before all cases or after them. */
void tap_begin(void);
void tap_plan(unsigned count);
/* After the cases: what kept the rest from being run. */
void tap_bail_out(const char *reason);
void tap_case(unsigned number, const struct test_case *test);

/* Text for XML and HTML, in attributes too. */
void put_xml(FILE *stream, const char *text);

#endif
