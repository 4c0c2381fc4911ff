/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results of check: findings gathered, weighed by what the caller wishes, and told apart by fingerprints. */
#include "check_report.h"
#include "output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *check_verdict_name(enum check_verdict verdict)
{
	static const char *const names[] = {[CHECK_FITS] = "fits", [CHECK_DOES_NOT] = "does-not-fit", [CHECK_UNKNOWN] = "unknown"};
	return names[verdict];
}

const char *check_verdict_text(enum check_verdict verdict)
{
	static const char *const texts[] = {[CHECK_FITS] = "fits", [CHECK_DOES_NOT] = "does not fit", [CHECK_UNKNOWN] = "cannot be judged"};
	return texts[verdict];
}

static int no_memory(struct check_result *result)
{
	result->verdict = CHECK_UNKNOWN;
	return error_set(&result->error, GIM_E_MEMORY, "out of memory");
}

static char *copy(struct check_result *result, const char *text)
{
	char *own = text ? strdup(text) : NULL;
	if (text && !own)
		(void)no_memory(result);
	return own;
}

void check_result_start(struct check_result *result, const char *state, const char *snapshot, const char *target)
{
	*result = (struct check_result){.verdict = CHECK_UNKNOWN, .error = GIM_ERROR_INIT};
	result->state = copy(result, state);
	result->snapshot = copy(result, snapshot);
	result->target = copy(result, target);
}

/*
 * Gathering.
 */
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

void check_result_add(struct check_result *result, const struct gim_finding *finding)
{
	struct check_finding *own = grow(result);
	if (!own) {
		(void)no_memory(result);
		return;
	}
	*own = (struct check_finding){.rule = finding->rule, .severity = finding->severity, .offset = finding->offset};
	own->unit = copy(result, finding->unit);
	own->path = copy(result, finding->path);
	own->text = copy(result, finding->text ? finding->text : "");
}

static void gather(void *user, const struct gim_finding *finding)
{
	check_result_add((struct check_result *)user, finding);
}

void check_result_judge(struct check_result *result, struct gim_check *check, const struct gim_target *target)
{
	if (!result->error.code)
		(void)gim_check_target(check, target, gather, result, &result->error);
}

/*
 * Weighing.
 */
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

static bool is_accepted(const struct check_result *result, const struct check_wishes *wishes, const struct check_finding *finding)
{
	for (size_t i = 0; i < wishes->accepted_count; i++) {
		const struct check_accepted *one = &wishes->accepted[i];
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

static void fingerprint(const struct check_result *result, struct check_finding *finding)
{
	const char *const parts[] = {finding->rule->id, result->state, result->target, finding->unit, finding->path};
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		sum = hash(sum, parts[i]);
	(void)snprintf(finding->fingerprint, sizeof(finding->fingerprint), "%016" PRIx64, sum);
}

void check_result_identify(struct check_result *result)
{
	for (size_t i = 0; i < result->count; i++)
		fingerprint(result, &result->findings[i]);
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
}

static void free_finding(struct check_finding *finding)
{
	free(finding->unit);
	free(finding->path);
	free(finding->text);
}

static void drop_ignored(struct check_result *result, const struct check_wishes *wishes)
{
	size_t kept = 0;
	for (size_t i = 0; i < result->count; i++) {
		if (listed(wishes->ignored, wishes->ignored_count, result->findings[i].rule->id))
			free_finding(&result->findings[i]);
		else
			result->findings[kept++] = result->findings[i];
	}
	/* The capacity follows from the count, so what is kept may not grow any more; nothing does after weighing. */
	result->count = kept;
}

void check_result_weigh(struct check_result *result, const struct check_wishes *wishes)
{
	if (!result->error.code)
		not_a_state(result);
	drop_ignored(result, wishes);
	for (size_t i = 0; i < result->count; i++) {
		struct check_finding *finding = &result->findings[i];
		if (listed(wishes->errors, wishes->error_count, finding->rule->id))
			finding->severity = GIM_ERROR;
		finding->accepted = is_accepted(result, wishes, finding);
		result->accepted += finding->accepted;
		result->counts[finding->severity] += !finding->accepted;
	}
	check_result_identify(result);
	const bool refused = result->counts[GIM_ERROR] || (wishes->strict && result->counts[GIM_WARNING]);
	result->verdict = result->error.code ? CHECK_UNKNOWN : refused ? CHECK_DOES_NOT : CHECK_FITS;
}

void check_result_clear(struct check_result *result)
{
	for (size_t i = 0; i < result->count; i++)
		free_finding(&result->findings[i]);
	free(result->findings);
	result->findings = NULL;
	result->count = 0;
}

void check_result_free(struct check_result *result)
{
	check_result_clear(result);
	free(result->state);
	free(result->snapshot);
	free(result->target);
	*result = (struct check_result){.verdict = CHECK_UNKNOWN};
}

/*
 * Texts that forms share.
 */
char *check_state_text(const struct check_result *result)
{
	char *text;
	const int length =
	    result->snapshot ? asprintf(&text, "%s (snapshot %s)", result->state, result->snapshot) : asprintf(&text, "%s", result->state);
	if (length >= 0)
		return text;
	output_no_memory();
	return NULL;
}

char *check_finding_text(const struct check_finding *finding)
{
	char *text, place[40] = "";
	if (finding->offset != GIM_UNKNOWN)
		(void)snprintf(place, sizeof(place), " (at byte 0x%" PRIx64 ")", finding->offset);
	const char *about = finding->path ? finding->path : finding->unit ? finding->unit : "";
	if (asprintf(&text, "%s%s%s%s%s", finding->path || !*about ? "" : "unit ", about, *about ? ": " : "", finding->text, place) >= 0)
		return text;
	output_no_memory();
	return NULL;
}
