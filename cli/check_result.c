/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results of check: findings gathered, weighed by what the caller wishes, and told apart by fingerprints. */
#include "check_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *check_verdict_name(enum check_verdict verdict)
{
	static const char *const names[] = {[CHECK_FITS] = "fits", [CHECK_DOES_NOT] = "does-not-fit", [CHECK_UNKNOWN] = "unknown"};
	return names[verdict];
}

struct gathering {
	struct check_result *result;
	const struct check_wishes *wishes;
	bool failed;
};

static bool listed(const char *const *ids, unsigned count, const char *id)
{
	for (unsigned i = 0; i < count; i++)
		if (!strcmp(ids[i], id))
			return true;
	return false;
}

static bool matches(const char *wanted, const char *text)
{
	return !wanted || (text && !strcmp(wanted, text));
}

static bool is_accepted(const struct gathering *gathering, const struct gim_finding *finding)
{
	const struct check_result *result = gathering->result;
	for (size_t i = 0; i < gathering->wishes->accepted_count; i++) {
		const struct check_accepted *one = &gathering->wishes->accepted[i];
		if (matches(one->rule, finding->rule->id) && matches(one->state, result->state) && matches(one->target, result->target) &&
		    matches(one->unit, finding->unit) && matches(one->path, finding->path))
			return true;
	}
	return false;
}

/* FNV-1a, with an end after each text, so that no two lists of texts run into the same one. */
static uint64_t hash(uint64_t sum, const char *text)
{
	for (const char *at = text ? text : ""; *at; at++)
		sum = (sum ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
	return (sum ^ 0xff) * UINT64_C(0x100000001b3);
}

static void fingerprint(const struct check_result *result, const struct gim_finding *finding, char text[17])
{
	const char *const parts[] = {finding->rule->id, result->state, result->target, finding->unit, finding->path};
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		sum = hash(sum, parts[i]);
	(void)snprintf(text, 17, "%016" PRIx64, sum);
}

static struct check_finding *grow(struct check_result *result)
{
	/* The capacity is a power of two. */
	if (!(result->count & (result->count - 1))) {
		struct check_finding *findings = realloc(result->findings, (result->count ? 2 * result->count : 1) * sizeof(*findings));
		if (!findings)
			return NULL;
		result->findings = findings;
	}
	return &result->findings[result->count++];
}

static char *copy(struct gathering *gathering, const char *text)
{
	char *own = text ? strdup(text) : NULL;
	gathering->failed |= text && !own;
	return own;
}

static void gather(void *user, const struct gim_finding *finding)
{
	struct gathering *gathering = (struct gathering *)user;
	const struct check_wishes *wishes = gathering->wishes;
	struct check_result *result = gathering->result;
	if (listed(wishes->ignored, wishes->ignored_count, finding->rule->id))
		return;
	struct check_finding *own = grow(result);
	if (!own) {
		gathering->failed = true;
		return;
	}
	const bool raised = listed(wishes->errors, wishes->error_count, finding->rule->id);
	*own = (struct check_finding){.rule = finding->rule,
	                              .severity = raised ? GIM_ERROR : finding->severity,
	                              .offset = finding->offset,
	                              .unit = copy(gathering, finding->unit),
	                              .path = copy(gathering, finding->path),
	                              .text = copy(gathering, finding->text),
	                              .accepted = is_accepted(gathering, finding)};
	fingerprint(result, finding, own->fingerprint);
	if (own->accepted)
		result->accepted++;
	else
		result->counts[own->severity]++;
}

/* A file that is no state at all was not judged. */
static void not_a_state(struct check_result *result)
{
	const struct check_finding *first = result->count ? &result->findings[0] : NULL;
	if (!first || first->severity != GIM_ERROR || first->offset != 0)
		return;
	if (first->rule->code == GIM_E_FORMAT)
		(void)error_set(&result->error, GIM_E_FORMAT, "%s", first->text);
	else if (first->rule->code == GIM_E_TRUNCATED)
		(void)error_set(&result->error, GIM_E_FORMAT, "the file is empty");
	if (result->error.code)
		result->verdict = CHECK_UNKNOWN;
}

void check_result_make(struct check_result *result, const struct check_wishes *wishes, struct gim_check *check,
                       const struct gim_target *target, const struct gim_error *error)
{
	struct gathering gathering = {result, wishes, false};
	int judged = GIM_E_ARGUMENT;
	result->error = error ? *error : (struct gim_error)GIM_ERROR_INIT;
	if (!result->error.code && check)
		judged = gim_check_target(check, target, gather, &gathering, &result->error);
	if (gathering.failed)
		judged = error_set(&result->error, GIM_E_MEMORY, "out of memory");
	const bool refused = result->counts[GIM_ERROR] || (wishes->strict && result->counts[GIM_WARNING]);
	result->verdict = judged < 0 ? CHECK_UNKNOWN : refused ? CHECK_DOES_NOT : CHECK_FITS;
	if (judged >= 0)
		not_a_state(result);
}

void check_result_free(struct check_result *result)
{
	for (size_t i = 0; i < result->count; i++) {
		free(result->findings[i].unit);
		free(result->findings[i].path);
		free(result->findings[i].text);
	}
	free(result->findings);
	result->findings = NULL;
	result->count = 0;
}
