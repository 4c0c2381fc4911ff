/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results of check for people: findings by rule, each rule with how to mend it. */
#include "check_report.h"

#include <inttypes.h>
#include <string.h>

/* More places of one rule than these say nothing new. */
enum { PLACES_SHOWN = 8 };

static const enum style styles[] = {[GIM_NOTE] = STYLE_DIM, [GIM_WARNING] = STYLE_WARNING, [GIM_ERROR] = STYLE_BAD};

static bool is_shown(const struct check_run *run, const struct check_finding *finding)
{
	return !finding->accepted && (finding->severity != GIM_NOTE || run->options->notes);
}

static void put_place(const struct check_finding *finding)
{
	fputs("    ", stdout);
	if (finding->path || finding->unit) {
		fputs(finding->path ? "" : "unit ", stdout);
		put_safe(stdout, finding->path ? finding->path : finding->unit);
		fputs(": ", stdout);
	}
	put_safe(stdout, finding->text);
	if (finding->offset != GIM_UNKNOWN)
		printf(" (at byte 0x%" PRIx64 ")", finding->offset);
	putchar('\n');
}

static void put_said(const char *name, const char *text)
{
	fputs("    ", stdout);
	put_styled(stdout, STYLE_DIM, name);
	printf(": %s\n", text);
}

/* All that one rule found, where its first finding is. */
static void put_rule(const struct check_run *run, const struct check_result *result, size_t first)
{
	const struct check_finding *head = &result->findings[first];
	unsigned places = 0;
	fputs("  ", stdout);
	put_styled(stdout, styles[head->severity], severity_name(head->severity));
	printf(" %s%s%s\n", head->rule->id, head->rule->status_name ? " " : "", head->rule->status_name ? head->rule->status_name : "");
	for (size_t i = first; i < result->count; i++)
		if (result->findings[i].rule == head->rule && is_shown(run, &result->findings[i]) && ++places <= PLACES_SHOWN)
			put_place(&result->findings[i]);
	if (places > PLACES_SHOWN)
		printf("    ... and %u more\n", places - PLACES_SHOWN);
	put_said("why", head->rule->why);
	put_said("mend", head->rule->mend);
}

static bool is_first_of_rule(const struct check_run *run, const struct check_result *result, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (result->findings[i].rule == result->findings[index].rule && is_shown(run, &result->findings[i]))
			return false;
	return is_shown(run, &result->findings[index]);
}

static void put_count(unsigned count, const char *what, const char **separator)
{
	if (!count)
		return;
	printf("%s%u %s%s", *separator, count, what, count == 1 ? "" : "s");
	*separator = ", ";
}

static void put_head(const struct check_result *result)
{
	const enum style style = result->verdict == CHECK_FITS ? STYLE_GOOD : STYLE_BAD;
	const char *separator = " (";
	put_safe(stdout, result->state);
	if (result->snapshot) {
		fputs(" (snapshot ", stdout);
		put_safe(stdout, result->snapshot);
		putchar(')');
	}
	if (result->target) {
		fputs(" on ", stdout);
		put_safe(stdout, result->target);
	}
	fputs(": ", stdout);
	put_styled(stdout, style, check_verdict_text(result->verdict));
	put_count(result->counts[GIM_ERROR], "error", &separator);
	put_count(result->counts[GIM_WARNING], "warning", &separator);
	put_count(result->counts[GIM_NOTE], "note", &separator);
	if (result->accepted) {
		printf("%s%u accepted", separator, result->accepted);
		separator = ", ";
	}
	puts(*separator == ',' ? ")" : "");
}

static void text_result(struct check_run *run, const struct check_result *result)
{
	if (result->verdict == CHECK_UNKNOWN) {
		if (!result->told)
			(void)output_error(result->target_failed ? result->target : result->state, &result->error, false);
		return;
	}
	put_head(result);
	/* What keeps it from loading first, then what it loses. */
	for (int severity = GIM_ERROR; severity >= GIM_NOTE; severity--)
		for (size_t i = 0; i < result->count; i++)
			if ((int)result->findings[i].severity == severity && is_first_of_rule(run, result, i))
				put_rule(run, result, i);
}

static void text_end(struct check_run *run)
{
	const unsigned all = run->verdicts[CHECK_FITS] + run->verdicts[CHECK_DOES_NOT] + run->verdicts[CHECK_UNKNOWN];
	if (all < 2)
		return;
	printf("%u of %u fit", run->verdicts[CHECK_FITS], all);
	if (run->verdicts[CHECK_DOES_NOT])
		printf(", %u do%s not", run->verdicts[CHECK_DOES_NOT], run->verdicts[CHECK_DOES_NOT] == 1 ? "es" : "");
	if (run->verdicts[CHECK_UNKNOWN])
		printf(", %u cannot be judged", run->verdicts[CHECK_UNKNOWN]);
	putchar('\n');
}

const struct check_form check_form_text = {.result = text_result, .end = text_end};
