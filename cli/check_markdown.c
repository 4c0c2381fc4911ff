/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results of check in Markdown, for the summaries and comments of code hosts: a matrix, then what was found in each of its cells. */
#include "check_matrix.h"
#include "spool.h"

#include <stdlib.h>

/* ASCII that could be markup, anywhere in a line. */
static const char *escape(char byte)
{
	static const char *const escaped[128] = {
	    ['\\'] = "\\\\", ['`'] = "\\`",   ['*'] = "\\*", ['_'] = "\\_", ['['] = "\\[", [']'] = "\\]", ['<'] = "&lt;",
	    ['>'] = "&gt;",  ['&'] = "&amp;", ['#'] = "\\#", ['|'] = "\\|", ['~'] = "\\~", ['!'] = "\\!", ['@'] = "&#64;"};
	return (unsigned char)byte < 128 ? escaped[(unsigned char)byte] : NULL;
}

static void put(FILE *stream, const char *text)
{
	put_replaced(stream, text ? text : "", escape);
}

static void put_count(unsigned count, const char *what, const char **separator)
{
	if (count)
		printf("%s%u %s%s", *separator, count, what, count == 1 ? "" : "s");
	*separator = count ? ", " : *separator;
}

static void put_verdict(const struct check_cell *cell)
{
	static const char *const marks[] = {[CHECK_FITS] = "✅", [CHECK_DOES_NOT] = "❌", [CHECK_UNKNOWN] = "❓"};
	const char *separator = ": ";
	if (!cell) {
		fputs("–", stdout);
		return;
	}
	printf("%s %s", marks[cell->verdict], check_verdict_text(cell->verdict));
	put_count(cell->counts[GIM_ERROR], "error", &separator);
	put_count(cell->counts[GIM_WARNING], "warning", &separator);
}

static void put_column(const char *text)
{
	putchar(' ');
	put(stdout, text);
	fputs(" |", stdout);
}

/* A row for each result, when there are too many targets for columns. */
static void put_list(const struct check_matrix *matrix)
{
	fputs("| state | target | verdict |\n|---|---|---|", stdout);
	for (size_t i = 0; i < matrix->count; i++) {
		const struct check_cell *cell = &matrix->cells[i];
		fputs("\n|", stdout);
		put_column(matrix->states.texts[cell->state]);
		put_column(check_matrix_target(matrix, cell->target));
		putchar(' ');
		put_verdict(cell);
		fputs(" |", stdout);
	}
	puts("");
}

static void put_table(const struct check_matrix *matrix)
{
	fputs("| state |", stdout);
	for (size_t t = 0; t < matrix->columns; t++)
		put_column(check_matrix_target(matrix, t));
	fputs("\n|---|", stdout);
	for (size_t t = 0; t < matrix->columns; t++)
		fputs("---|", stdout);
	for (size_t s = 0; s < matrix->rows; s++) {
		fputs("\n|", stdout);
		put_column(matrix->states.texts[s]);
		for (size_t t = 0; t < matrix->columns; t++) {
			putchar(' ');
			put_verdict(check_matrix_cell(matrix, s, t));
			fputs(" |", stdout);
		}
	}
	puts("");
}

static void put_finding(FILE *stream, const struct check_finding *finding)
{
	char *text = check_finding_text(finding);
	fprintf(stream, "* **%s** `%s`%s%s: ", severity_name(finding->severity), finding->rule->id, finding->rule->status_name ? " " : "",
	        finding->rule->status_name ? finding->rule->status_name : "");
	put(stream, text);
	fputs("  \n  mend: ", stream);
	put(stream, finding->rule->mend);
	fputc('\n', stream);
	free(text);
}

static void put_findings(FILE *stream, const struct check_result *result)
{
	char *name = check_state_text(result);
	fputs("\n### ", stream);
	put(stream, name);
	free(name);
	fputs(result->target ? " on " : "", stream);
	put(stream, result->target);
	fprintf(stream, ": %s\n\n", check_verdict_text(result->verdict));
	if (result->verdict == CHECK_UNKNOWN) {
		fputs("* ", stream);
		put(stream, result->error.text);
		fputc('\n', stream);
		return;
	}
	for (int severity = GIM_ERROR; severity > GIM_NOTE; severity--)
		for (size_t i = 0; i < result->count; i++)
			if ((int)result->findings[i].severity == severity && !result->findings[i].accepted)
				put_finding(stream, &result->findings[i]);
}

/*
 * The report: what was found is set aside, since the table stands before it.
 */
struct markdown_report {
	struct check_matrix matrix;
	FILE *sections;
};

static void markdown_begin(struct check_run *run)
{
	struct markdown_report *report = calloc(1, sizeof(*report));
	run->report = report;
	if (!report)
		check_run_no_memory(run);
	else
		report->sections = spool_open(&run->failure);
}

static void markdown_result(struct check_run *run, const struct check_result *result)
{
	struct markdown_report *report = run->report;
	if (check_matrix_add(&report->matrix, result) == CHECK_NO_NAME)
		check_run_no_memory(run);
	else if (result->verdict == CHECK_UNKNOWN || result->counts[GIM_ERROR] || result->counts[GIM_WARNING])
		put_findings(report->sections, result);
}

static void markdown_end(struct check_run *run)
{
	struct markdown_report *report = run->report;
	if (!report)
		return;
	if (report->sections && check_matrix_lay_out(&report->matrix)) {
		printf("## gimstate check\n\n%u fit, %u do not, %u cannot be judged.\n\n", run->verdicts[CHECK_FITS],
		       run->verdicts[CHECK_DOES_NOT], run->verdicts[CHECK_UNKNOWN]);
		if (report->matrix.count && report->matrix.columns)
			put_table(&report->matrix);
		else if (report->matrix.count)
			put_list(&report->matrix);
		(void)spool_print(report->sections, stdout, &run->failure);
	} else {
		check_run_no_memory(run);
	}
	if (report->sections)
		(void)fclose(report->sections);
	check_matrix_free(&report->matrix);
	free(report);
}

const struct check_form check_form_markdown = {
    .option = offsetof(struct options, markdown), .begin = markdown_begin, .result = markdown_result, .end = markdown_end};
