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
	const char *state, *snapshot; /* snapshot: its name where a settings file led to the state; NULL */
	const char *target;           /* NULL: it failed before there was one */
	bool target_failed, told;     /* the error is the target's; it was told for another state before */
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
struct check_goal {
	const char *name;
	struct gim_target *target;
	struct gim_error error;
	bool told;
};

/* The run of a command. */
struct check_run {
	const struct options *options;
	const struct check_wishes *wishes;
	const struct check_form *form;
	struct check_goal goals[WORDS_MAX];
	unsigned goal_count;
	unsigned verdicts[CHECK_UNKNOWN + 1];
	json_t *results;  /* of forms that print one document at the end */
	json_t *baseline; /* all that was found, for --write-baseline; NULL: it is not asked for */
};

/* A form in which results are told. A new one is a row of check_forms[], chosen by its option. */
struct check_form {
	const char *name;
	void (*begin)(struct check_run *run); /* may be NULL */
	void (*result)(struct check_run *run, const struct check_result *result);
	void (*end)(struct check_run *run); /* may be NULL */
};
extern const struct check_form check_form_text, check_form_json;

/* Judge check for target, and weigh what is found. error: why it cannot be judged, or NULL. The result's texts are freed by
 * check_result_free. */
void check_result_make(struct check_result *result, const struct check_wishes *wishes, struct gim_check *check,
                       const struct gim_target *target, const struct gim_error *error);
void check_result_free(struct check_result *result);

const char *check_verdict_name(enum check_verdict verdict);

#endif
