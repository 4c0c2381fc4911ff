/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results of check in Markdown, for the summaries and comments of code hosts: a matrix, then what was found in each of its cells. */
#include "check_matrix.h"

#include <stdlib.h>

/* ASCII that could be markup, anywhere in a line. */
static const char *escape(char byte)
{
	static const char *const escaped[128] = {
	    ['\\'] = "\\\\", ['`'] = "\\`",   ['*'] = "\\*", ['_'] = "\\_", ['['] = "\\[", [']'] = "\\]", ['<'] = "&lt;",
	    ['>'] = "&gt;",  ['&'] = "&amp;", ['#'] = "\\#", ['|'] = "\\|", ['~'] = "\\~", ['!'] = "\\!", ['@'] = "&#64;"};
	return (unsigned char)byte < 128 ? escaped[(unsigned char)byte] : NULL;
}

static void put(const char *text)
{
	put_replaced(stdout, text ? text : "", escape);
}

static void put_count(unsigned count, const char *what, const char **separator)
{
	if (count)
		printf("%s%u %s%s", *separator, count, what, count == 1 ? "" : "s");
	*separator = count ? ", " : *separator;
}

static void put_verdict(const struct check_result *result)
{
	static const char *const marks[] = {[CHECK_FITS] = "✅", [CHECK_DOES_NOT] = "❌", [CHECK_UNKNOWN] = "❓"};
	const char *separator = ": ";
	if (!result) {
		fputs("–", stdout);
		return;
	}
	printf("%s %s", marks[result->verdict], check_verdict_text(result->verdict));
	put_count(result->counts[GIM_ERROR], "error", &separator);
	put_count(result->counts[GIM_WARNING], "warning", &separator);
}

static void put_state(const struct check_result *result)
{
	char *name = check_state_text(result);
	put(name);
	free(name);
}

static void put_table(const struct check_matrix *matrix)
{
	fputs("| state |", stdout);
	for (size_t t = 0; t < matrix->target_count; t++) {
		putchar(' ');
		put(matrix->targets[t] ? matrix->targets[t] : "any target");
		fputs(" |", stdout);
	}
	fputs("\n|---|", stdout);
	for (size_t t = 0; t < matrix->target_count; t++)
		fputs("---|", stdout);
	for (size_t s = 0; s < matrix->state_count; s++) {
		fputs("\n| ", stdout);
		put_state(matrix->states[s]);
		fputs(" |", stdout);
		for (size_t t = 0; t < matrix->target_count; t++) {
			putchar(' ');
			put_verdict(check_matrix_cell(matrix, s, t));
			fputs(" |", stdout);
		}
	}
	puts("");
}

static void put_finding(const struct check_finding *finding)
{
	char *text = check_finding_text(finding);
	printf("* **%s** `%s`%s%s: ", severity_name(finding->severity), finding->rule->id, finding->rule->status_name ? " " : "",
	       finding->rule->status_name ? finding->rule->status_name : "");
	put(text);
	fputs("  \n  mend: ", stdout);
	put(finding->rule->mend);
	puts("");
	free(text);
}

static void put_findings(const struct check_result *result)
{
	if (result->verdict != CHECK_UNKNOWN && !result->counts[GIM_ERROR] && !result->counts[GIM_WARNING])
		return;
	fputs("\n### ", stdout);
	put_state(result);
	fputs(result->target ? " on " : "", stdout);
	put(result->target);
	printf(": %s\n\n", check_verdict_text(result->verdict));
	if (result->verdict == CHECK_UNKNOWN) {
		fputs("* ", stdout);
		put(result->error.text);
		puts("");
		return;
	}
	for (int severity = GIM_ERROR; severity > GIM_NOTE; severity--)
		for (size_t i = 0; i < result->count; i++)
			if ((int)result->findings[i].severity == severity && !result->findings[i].accepted)
				put_finding(&result->findings[i]);
}

static void markdown_report(struct check_run *run)
{
	struct check_matrix matrix;
	if (!check_matrix_make(&matrix, run)) {
		check_run_no_memory(run);
		return;
	}
	printf("## gimstate check\n\n%u fit, %u do not, %u cannot be judged.\n\n", run->verdicts[CHECK_FITS], run->verdicts[CHECK_DOES_NOT],
	       run->verdicts[CHECK_UNKNOWN]);
	if (matrix.state_count)
		put_table(&matrix);
	for (size_t i = 0; i < run->result_count; i++)
		put_findings(&run->results[i]);
	check_matrix_free(&matrix);
}

const struct check_form check_form_markdown = {.option = offsetof(struct options, markdown), .end = markdown_report};
