/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The probe language: a script of what a guest does and what must come of it, and running it on an engine. */
#ifndef PROBE_H
#define PROBE_H

#include "engine.h"

#include <stdio.h>

/*
 * A line is
 *
 *	[LABEL:] [@VCPU] [~]OPERATION [ARGUMENTS]     # comment
 *
 * and its operation a row of the table in probe_operations.c, which gimstate-probe(5) explains. An expectation judges the operation before it.
 */
struct probe;

/* Parse a script of length bytes; name is for errors, which tell the line. *probe is the caller's: probe_free. */
int probe_parse(const char *name, const char *text, size_t length, struct probe **probe, struct gim_error *error);
/* Read and parse a file ("-": standard input). */
int probe_read(const char *path, struct probe **probe, struct gim_error *error);
void probe_free(struct probe **probe);
const char *probe_name(const struct probe *probe);

enum probe_verdict { PROBE_DONE, PROBE_MET, PROBE_FAILED, PROBE_SKIPPED };

/* One line that was run. */
struct probe_step {
	const char *probe; /* its name */
	unsigned line;
	const char *label; /* the last one before it, or "" */
	uint32_t vcpu;
	const char *operation;      /* the line without its comment, label and vCPU */
	const char *result;         /* what came of it; "" for nothing */
	unsigned judges;            /* an expectation: the line of the operation that it judges; 0: what came since the script began */
	bool time;                  /* the result is a time, which no two runs share */
	enum probe_verdict verdict; /* DONE: no expectation */
	const char *reason;         /* of a failure or a skip: what was expected, and where the guest stood */
};
typedef void probe_step_fn(void *user, const struct probe_step *step);

struct probe_run {
	struct engine *engine;
	/* Save the machine and load it into a new one, as the operation "reload" wants; NULL: it is skipped. */
	int (*reload)(void *user, struct gim_error *error);
	void *user;
	probe_step_fn *step;
	void *step_user;
	unsigned met, failed, skipped; /* expectations so far */
};

/* Run it. A failed expectation is no error, and does not end it; what cannot run does. */
int probe_execute(struct probe_run *run, const struct probe *probe, struct gim_error *error);

/* The same line by line, as a person types them: what is kept and what was done last stays from one to the next. *session is the caller's:
 * probe_session_free; run must live as long. */
struct probe_session;
int probe_session_new(struct probe_run *run, struct probe_session **session, struct gim_error *error);
int probe_session_line(struct probe_session *session, const char *text, struct gim_error *error);
void probe_session_free(struct probe_session **session);

/* A time as "500us", "10ms", "2s"; false: it is none. */
bool probe_time(const char *word, uint64_t *ns);

/* Visit the operations; non-zero stops, and is returned. */
typedef int probe_operation_fn(void *user, const char *name, const char *arguments, const char *help);
int probe_operations(probe_operation_fn *visit, void *user);

/* How a line is made, and the operations with their arguments and help. */
void probe_help(FILE *stream);

#endif
