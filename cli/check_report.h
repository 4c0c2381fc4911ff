/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reports of check: what was found for a state and a target, the wishes that weigh it, and the forms in which it is told. */
#ifndef CHECK_REPORT_H
#define CHECK_REPORT_H

#include "command.h"
#include "output.h"

struct check_finding {
	const struct gim_rule *rule;
	enum gim_severity severity; /* as the wishes have it */
	uint64_t offset;            /* GIM_UNKNOWN: none */
	char *unit, *path, *text;   /* unit, path: NULL when none applies */
	bool accepted;              /* it is in the baseline, and counts for nothing */
	char fingerprint[17];       /* the same for the same rule, state, target and place, whatever the values there */
};

enum check_verdict { CHECK_FITS, CHECK_DOES_NOT, CHECK_UNKNOWN };

/* What there is to say about one state and one target. */
struct check_result {
	char *state, *snapshot;   /* snapshot: its name where a settings file led to the state; NULL */
	char *target;             /* NULL: it failed before there was one */
	bool target_failed, told; /* the error is the target's; it was told for another state before */
	enum check_verdict verdict;
	struct check_finding *findings; /* in the order in which a loader meets them */
	size_t count;
	unsigned counts[GIM_ERROR + 1]; /* by severity, without those that are accepted */
	unsigned accepted;
	struct gim_error error; /* of CHECK_UNKNOWN */
};

/* A finding that is accepted; NULL stands for any. */
struct check_accepted {
	const char *rule, *state, *target, *unit, *path;
};

/* What the caller wants of the rules, from the command line and the configuration. */
struct check_wishes {
	bool strict; /* warnings count as errors do */
	const char *errors[2 * WORDS_MAX], *ignored[2 * WORDS_MAX];
	unsigned error_count, ignored_count;
	const char *targets[WORDS_MAX];
	unsigned target_count;
	struct check_accepted *accepted;
	size_t accepted_count;
	json_t *document; /* the configuration, which owns the texts of the above; or NULL */
};

/* Read the configuration at path into wishes; NULL: .gimstate.json here, where there is one. */
int check_config_read(const char *path, struct check_wishes *wishes, struct gim_error *error);
/* Write a configuration to path that accepts everything in the baseline. */
int check_config_write(const char *path, bool replace, const struct check_wishes *wishes, const json_t *baseline, struct gim_error *error);
void check_wishes_free(struct check_wishes *wishes);

/* A target that was opened, or why it could not be. */
#define CHECK_KEY GIM_DIGEST_TEXT
struct check_goal {
	const char *name;
	struct gim_target *target;
	char key[CHECK_KEY]; /* of its content, for the cache; "": it is not known */
	struct gim_error error;
	bool told;
};

struct check_cache;

/* The run of a command. */
struct check_run {
	const struct options *options;
	const struct check_wishes *wishes;
	const struct check_form *form;
	struct check_goal goals[WORDS_MAX];
	unsigned goal_count;
	unsigned verdicts[CHECK_UNKNOWN + 1];
	size_t told_count;
	struct check_cache *cache; /* or NULL */
	json_t *baseline;          /* all that was found, for --write-baseline; NULL: it is not asked for */
	void *report;              /* what the form keeps, from begin to end */
	struct gim_error failure;  /* why the report is not whole; the first */
};

/*
 * A form in which results are told: a row of check_forms[]. No result is kept: what must wait for the end is set aside in a file without a name, so that memory does not grow with
 * what is found. A function that fails says so in the run's failure, which ends the run.
 */
struct check_form {
	size_t option;                        /* where in struct options it is chosen; 0: it is the one when none is */
	void (*begin)(struct check_run *run); /* may be NULL */
	void (*result)(struct check_run *run, const struct check_result *result);
	void (*end)(struct check_run *run); /* frees the report; may be NULL */
};
extern const struct check_form check_form_text, check_form_json, check_form_ndjson, check_form_junit, check_form_sarif, check_form_tap,
    check_form_markdown, check_form_html;

/* The form that the options choose; NULL when they choose several. */
const struct check_form *check_form_find(const struct options *options);

/* Begin to tell; before any result. */
void check_run_begin(struct check_run *run);
/* Take a result, which is the run's from now on: count it and tell it. */
void check_run_take(struct check_run *run, struct check_result *result);
/* The report is not whole for lack of memory. */
void check_run_no_memory(struct check_run *run);
/* Tell what is told at the end, free, and say with which status to exit. */
int check_run_end(struct check_run *run);

/* A result about these; the texts are copied. NULL: there is none. */
void check_result_start(struct check_result *result, const char *state, const char *snapshot, const char *target);
/* Judge check for target: all that is found, as the rules have it. */
void check_result_judge(struct check_result *result, struct gim_check *check, const struct gim_target *target);
/* Add a finding, whose texts are copied. */
void check_result_add(struct check_result *result, const struct gim_finding *finding);
/* Weigh what was found by the wishes; what the verdict is follows from that. */
void check_result_weigh(struct check_result *result, const struct check_wishes *wishes);
/* Name findings anew, after the result was. */
void check_result_identify(struct check_result *result);
/* Forget what was found. */
void check_result_clear(struct check_result *result);
void check_result_free(struct check_result *result);

const char *check_verdict_name(enum check_verdict verdict); /* "does-not-fit" */
const char *check_verdict_text(enum check_verdict verdict); /* "does not fit" */

/* A result from JSON; rules that are not known are made up, and kept in *unknown. */
struct check_rules;
int check_result_parse(const json_t *json, struct check_rules **unknown, struct check_result *result, struct gim_error *error);
void check_rules_free(struct check_rules **unknown);

/* The state's name with its snapshot's, "a.sav (snapshot X)", and what the finding is about, "gim.provider: sentence (at byte 0x1f0)". The caller's to free; NULL when
 * memory is out. */
char *check_state_text(const struct check_result *result);
char *check_finding_text(const struct check_finding *finding);

#endif
