/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running the command with something that goes wrong in it, and seeing what came of that. */
#ifndef FAULTS_H
#define FAULTS_H

#include "command.h"
#include "plan.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

enum { FAULTS_SKIPPED = 77, FAULTS_WORDS = 24 };

/* What the command did. Texts are the caller's until the next call. */
struct outcome {
	int status; /* its exit status, or the signal that ended it, below zero */
	bool hung;  /* it had to be ended */
	char *out, *error;
	size_t out_size;
};

/* What goes wrong, shared with the command. Its fields are the test's between runs. */
extern struct fault_plan *fault_plan;

/* Make a folder of our own, and go there: "folder" in it is what a command works in. 77: this cannot be done here, and why is printed. */
int faults_begin(void);
/* Take it away; returns the exit status of the test. */
int faults_end(void);

/* Run the command; words end with NULL. input: what is its standard input, -1: nothing. with_plan false: nothing goes wrong. */
void faults_run(const char *const *words, int input, bool with_plan, struct outcome *outcome);
/* The same; standard input is a pipe that gives half of the file and stalls. Once it has been read the signal comes. ends: of the pipe, are closed. */
void faults_stall(const char *const *words, const int ends[2], const char *file, int number, struct outcome *outcome);
void outcome_free(struct outcome *outcome);

/* Begin a plan anew: these calls count, the first-th and every so many after it fail. */
void plan_set(uint32_t calls, uint32_t first, uint32_t every, int32_t what);

/* Fill "folder": make it, with a copy of each file: "NAME=FILE", separated by spaces; FILE under samples/, or after "made/" what faults_make made. */
void folder_fill(const char *files);
/* All that is in "folder", as a text: names, modes, what files hold, but for the files whose names begin with except (NULL: none). The caller's. */
char *folder_text(const char *except);
/* Is each file of the text as in one of the other two? */
bool folder_is_either(const char *text, const char *before, const char *after);
/* Take a file of "folder" aside: "FILE=NAME" makes it made/NAME. FILE "-": what was printed. */
void folder_keep(const char *keep, const struct outcome *outcome);

/* A failed expectation: is printed with the case that runs, and remembered. */
extern char faults_case[2048];
extern unsigned faults_runs;
void faults_fail(const struct outcome *outcome, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The rest of the test is meaningless. */
void faults_must(bool holds, const char *what);

/* Is this fault left out of a short run? FAULTS=all leaves none out, else every seventh is tried, and where tests are slow (sparse.h) fewer. */
bool faults_skip(void);

/* Texts of a word list, and of a fault, for faults_case. */
void faults_name(const char *const *words, const char *what);
const char *fault_text(int32_t what);

/* Is the option, or the operand of that kind, one that the command writes? As the sandbox sees it. */
bool writes(const char *argument);

#endif
