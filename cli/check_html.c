/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results of check as one page that needs nothing else: a matrix of states and targets, below it what was found in each cell, then the rules. */
#include "check_matrix.h"
#include "page.h"
#include "spool.h"
#include "test_report.h"

#include <stdlib.h>

static void put(FILE *stream, const char *text)
{
	put_xml(stream, text ? text : "");
}

/* What is told of a result, whether it is still there or only its cell. */
static const char *class_of(enum check_verdict verdict, unsigned warnings)
{
	return verdict == CHECK_UNKNOWN ? "unknown" : verdict == CHECK_DOES_NOT ? "refused" : warnings ? "warned" : "fits";
}

static bool has_section(enum check_verdict verdict, size_t findings)
{
	return verdict == CHECK_UNKNOWN || findings;
}

static bool has_only_notes(const struct check_result *result)
{
	return result->verdict == CHECK_FITS && !result->counts[GIM_WARNING] && !result->accepted;
}

static void put_head(const struct check_run *run, const struct check_matrix *matrix)
{
	page_begin("gimstate check");
	const size_t states = matrix->states.count, targets = matrix->targets.count ? matrix->targets.count : matrix->count != 0;
	puts("<a class=\"skip\" href=\"#findings\">Skip to the findings</a>\n<main>\n<h1>gimstate check</h1>");
	printf("<p class=\"sum\">%zu state%s, %zu target%s: %u fit, %u do not fit, %u cannot be judged.</p>\n", states,
	       states == 1 ? "" : "s", targets, targets == 1 ? "" : "s", run->verdicts[CHECK_FITS], run->verdicts[CHECK_DOES_NOT],
	       run->verdicts[CHECK_UNKNOWN]);
}

static void put_filter(void)
{
	static const char *const verdicts[][2] = {
	    {"fits", "fits"}, {"warned", "fits, with warnings"}, {"refused", "does not fit"}, {"unknown", "cannot be judged"}};
	puts("<form class=\"filter\" hidden role=\"search\">\n"
	     "<label class=\"name\">States whose name contains <input type=\"search\" name=\"name\"></label>\n"
	     "<fieldset><legend>with a cell that</legend>");
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		printf("<label><input type=\"checkbox\" name=\"verdict\" value=\"%s\" checked> %s</label>\n", verdicts[i][0],
		       verdicts[i][1]);
	puts("</fieldset>\n<fieldset><legend>findings</legend><label><input type=\"checkbox\" name=\"notes\"> show "
	     "notes</label></fieldset>\n"
	     "</form>\n<p class=\"shown\" role=\"status\"></p>");
}

static void put_count(unsigned count, const char *what, const char **separator)
{
	if (count)
		printf("%s%u %s%s", *separator, count, what, count == 1 ? "" : "s");
	*separator = count ? ", " : *separator;
}

static void put_cell(const struct check_matrix *matrix, const struct check_cell *cell)
{
	const char *separator = "<small>";
	if (!cell) {
		puts("<td>not judged</td>");
		return;
	}
	const bool linked = has_section(cell->verdict, cell->findings);
	printf("<td class=\"%s\">", class_of(cell->verdict, cell->counts[GIM_WARNING]));
	if (linked)
		printf("<a href=\"#r%zu\">", (size_t)(cell - matrix->cells));
	fputs(check_verdict_text(cell->verdict), stdout);
	fputs(linked ? "</a>" : "", stdout);
	put_count(cell->counts[GIM_ERROR], "error", &separator);
	put_count(cell->counts[GIM_WARNING], "warning", &separator);
	put_count(cell->counts[GIM_NOTE], "note", &separator);
	if (cell->accepted) {
		printf("%s%u accepted", separator, cell->accepted);
		separator = ", ";
	}
	puts(*separator == ',' ? "</small></td>" : "</td>");
}

static void put_heads(const struct check_matrix *matrix)
{
	fputs("<thead><tr><th scope=\"col\">state</th>", stdout);
	if (!matrix->columns)
		fputs("<th scope=\"col\">verdict</th>", stdout);
	for (size_t t = 0; t < matrix->columns; t++) {
		fputs("<th scope=\"col\">", stdout);
		put(stdout, check_matrix_target(matrix, t));
		fputs("</th>", stdout);
	}
	puts("</tr></thead>");
}

/* With too many targets for columns a row is a result, and says for which target. */
static void put_row(const struct check_matrix *matrix, size_t row)
{
	const struct check_cell *own = matrix->columns ? NULL : &matrix->cells[row];
	const size_t state = own ? own->state : row;
	printf("<tr data-row=\"%zu\"><th scope=\"row\">", state);
	put(stdout, matrix->states.texts[state]);
	if (own) {
		fputs(" on ", stdout);
		put(stdout, check_matrix_target(matrix, own->target));
	}
	puts("</th>");
	for (size_t t = 0; t < (own ? 1 : matrix->columns); t++)
		put_cell(matrix, check_matrix_cell(matrix, row, t));
	puts("</tr>");
}

static void put_matrix(const struct check_matrix *matrix)
{
	puts("<div class=\"matrix\" role=\"region\" aria-label=\"Matrix of states and targets\" tabindex=\"0\">\n<table>\n"
	     "<caption>Will the state load into the target, and run there?</caption>");
	put_heads(matrix);
	puts("<tbody>");
	for (size_t row = 0; row < matrix->rows; row++)
		put_row(matrix, row);
	puts("</tbody>\n</table>\n</div>");
}

static void put_finding(FILE *stream, const struct check_finding *finding)
{
	static const char *const classes[] = {[GIM_NOTE] = "note", [GIM_WARNING] = "warned", [GIM_ERROR] = "refused"};
	const bool is_note = finding->severity == GIM_NOTE;
	char *text = check_finding_text(finding);
	fprintf(stream, "<li%s><span class=\"tag %s\">%s</span> <a href=\"#rule-%s\"><code>%s</code></a>",
	        is_note ? " class=\"is-note\"" : "", finding->accepted ? "note" : classes[finding->severity],
	        severity_name(finding->severity), finding->rule->id, finding->rule->id);
	if (finding->rule->status_name)
		fprintf(stream, " <code>%s</code>", finding->rule->status_name);
	fputs(finding->accepted ? " (accepted)\n<p>" : "\n<p>", stream);
	put(stream, text);
	fputs("</p>\n<p class=\"mend\">Mend: ", stream);
	put(stream, finding->rule->mend);
	fputs("</p></li>\n", stream);
	free(text);
}

static void put_section(FILE *stream, const struct check_result *result, size_t number, size_t row)
{
	const char *class = class_of(result->verdict, result->counts[GIM_WARNING]);
	char *name = check_state_text(result);
	fprintf(stream,
	        "<section class=\"cell\" id=\"r%zu\" data-row=\"%zu\" data-verdict=\"%s\"%s aria-labelledby=\"h%zu\">\n<h3 id=\"h%zu\">",
	        number, row, class, has_only_notes(result) ? " data-only=\"notes\"" : "", number, number);
	put(stream, name);
	free(name);
	fputs(result->target ? " on " : "", stream);
	put(stream, result->target);
	fprintf(stream, ": <span class=\"tag %s\">%s</span></h3>\n", class, check_verdict_text(result->verdict));
	if (result->verdict == CHECK_UNKNOWN) {
		fputs("<p>", stream);
		put(stream, result->error.text);
		fputs("</p>\n", stream);
	} else {
		fputs("<ul class=\"findings\">\n", stream);
		for (int severity = GIM_ERROR; severity >= GIM_NOTE; severity--)
			for (size_t i = 0; i < result->count; i++)
				if ((int)result->findings[i].severity == severity)
					put_finding(stream, &result->findings[i]);
		fputs("</ul>\n", stream);
	}
	fputs("<p class=\"back\"><a href=\"#top\">to the matrix</a></p>\n</section>\n", stream);
}

static void put_rule(FILE *stream, const struct gim_rule *rule)
{
	fprintf(stream, "<dt id=\"rule-%s\"><code>%s</code>", rule->id, rule->id);
	if (rule->status_name)
		fprintf(stream, " <code>%s</code>", rule->status_name);
	fputs("</dt>\n<dd>", stream);
	put(stream, rule->help);
	fputs(".</dd>\n<dd>Why: ", stream);
	put(stream, rule->why);
	fputs(".</dd>\n<dd>Mend: ", stream);
	put(stream, rule->mend);
	fputs(".</dd>\n", stream);
}

/*
 * The report: sections and rules are set aside, since the matrix stands before them.
 */
struct html_report {
	struct check_matrix matrix;
	FILE *sections, *rules;
	struct check_names met; /* rules that were told */
};

static void html_begin(struct check_run *run)
{
	struct html_report *report = calloc(1, sizeof(*report));
	run->report = report;
	if (!report) {
		check_run_no_memory(run);
		return;
	}
	report->sections = spool_open(&run->failure);
	report->rules = spool_open(&run->failure);
}

static void html_result(struct check_run *run, const struct check_result *result)
{
	struct html_report *report = run->report;
	const size_t number = check_matrix_add(&report->matrix, result);
	if (number == CHECK_NO_NAME) {
		check_run_no_memory(run);
		return;
	}
	if (has_section(result->verdict, result->count))
		put_section(report->sections, result, number, report->matrix.cells[number].state);
	for (size_t f = 0; f < result->count; f++) {
		const size_t known = report->met.count;
		const size_t met = check_names_number(&report->met, result->findings[f].rule->id);
		if (met == CHECK_NO_NAME)
			check_run_no_memory(run);
		else if (met == known)
			put_rule(report->rules, result->findings[f].rule);
	}
}

static void put_page(struct check_run *run, struct html_report *report)
{
	put_head(run, &report->matrix);
	put_filter();
	put_matrix(&report->matrix);
	puts("<h2 id=\"findings\">Findings</h2>");
	(void)spool_print(report->sections, stdout, &run->failure);
	puts("<h2>Rules</h2>\n<dl class=\"rules\">");
	(void)spool_print(report->rules, stdout, &run->failure);
	puts("</dl>\n</main>");
	page_end(page_script);
}

static void html_end(struct check_run *run)
{
	struct html_report *report = run->report;
	if (!report)
		return;
	if (report->rules && check_matrix_lay_out(&report->matrix))
		put_page(run, report);
	else
		check_run_no_memory(run);
	if (report->sections)
		(void)fclose(report->sections);
	if (report->rules)
		(void)fclose(report->rules);
	check_matrix_free(&report->matrix);
	check_names_free(&report->met);
	free(report);
}

const struct check_form check_form_html = {
    .option = offsetof(struct options, html), .begin = html_begin, .result = html_result, .end = html_end};
