/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verify: choose the container format and hand on to it. */
#include "error.h"
#include "state.h"

#include <stdio.h>

struct tally {
	gim_report_fn *report;
	void *user;
	bool errors;
	const char *guess; /* what an input without a known magic looks like; NULL: it has one */
};

static void count(void *user, const struct gim_finding *finding)
{
	struct tally *tally = (struct tally *)user;
	struct gim_finding own = *finding;
	char text[2 * sizeof(((struct gim_error *)NULL)->text)];
	/* The format that stands in for none says that its magic is missing. */
	if (tally->guess && !tally->errors && finding->rule->code == GIM_E_FORMAT) {
		(void)snprintf(text, sizeof(text), "%s; %s", finding->text, tally->guess);
		own.text = text;
	}
	tally->errors |= finding->severity == GIM_ERROR;
	if (tally->report)
		tally->report(tally->user, &own);
}

/* What keeps the input from being read may be its own fault. */
static int judge_failure(const struct gim_error *own, struct tally *tally, struct gim_error *error)
{
	if (!own->rule)
		return gim_fail_as(error, own);
	gim_report(count, tally, own->rule, own->offset, NULL, *own->path ? own->path : NULL, "%s", own->text);
	return 0;
}

static int verify(struct gim_input *input, const struct gim_verify_options *options, struct tally *tally, struct gim_error *error)
{
	static const struct gim_verify_options defaults;
	const struct gim_format *format;
	struct gim_error unknown = GIM_ERROR_INIT;
	int result = gim_format_find(input, &format, &unknown);
	if (result == GIM_E_FORMAT && !unknown.rule) {
		/* A missing magic is a finding, not a refusal to answer: the first format says so in its own terms. */
		format = gim_formats[0];
		tally->guess = unknown.text;
		result = 0;
	}
	if (!result && options && options->hooks)
		options->hooks->begin(options->hooks->user, format);
	if (result)
		result = judge_failure(&unknown, tally, error);
	else
		result = format->verify(input, options ? options : &defaults, count, tally, error);
	return result ? result : tally->errors;
}

int gim_verify(const char *path, const struct gim_verify_options *options, gim_report_fn *report, void *user, struct gim_error *error)
{
	struct tally tally = {.report = report, .user = user};
	struct gim_error own = GIM_ERROR_INIT;
	struct gim_input input;
	if (gim_input_open(&input, path, &own)) {
		int result = judge_failure(&own, &tally, error);
		return result ? result : tally.errors;
	}
	int result = verify(&input, options, &tally, error);
	gim_input_close(&input);
	return result;
}

int gim_verify_memory(const void *bytes, size_t size_bytes, const struct gim_verify_options *options, gim_report_fn *report, void *user,
                      struct gim_error *error)
{
	struct tally tally = {.report = report, .user = user};
	struct gim_input input;
	gim_input_open_memory(&input, bytes, size_bytes);
	int result = verify(&input, options, &tally, error);
	gim_input_close(&input);
	return result;
}
