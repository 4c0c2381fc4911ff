/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results of check as one page that needs nothing else: a matrix of states and targets, below it what was found in each cell, then the rules. */
#include "check_matrix.h"
#include "test_report.h"

#include <stdlib.h>

extern const char page_style[], page_script[]; /* page.css and page.js */

static void put(const char *text)
{
	put_xml(stdout, text ? text : "");
}

static void put_state(const struct check_result *result)
{
	char *name = check_state_text(result);
	put(name);
	free(name);
}

/* The class of a cell: what is loaded with warnings is told apart. */
static const char *class_of(const struct check_result *result)
{
	return result->verdict == CHECK_UNKNOWN    ? "unknown"
	       : result->verdict == CHECK_DOES_NOT ? "refused"
	       : result->counts[GIM_WARNING]       ? "warned"
	                                           : "fits";
}

static bool has_section(const struct check_result *result)
{
	return result->verdict == CHECK_UNKNOWN || result->count;
}

static bool has_only_notes(const struct check_result *result)
{
	return result->verdict == CHECK_FITS && !result->counts[GIM_WARNING] && !result->accepted;
}

static void put_head(const struct check_run *run, const struct check_matrix *matrix)
{
	puts("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
	     "script-src "
	     "'unsafe-inline'\">\n"
	     "<title>gimstate check</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>");
	fputs(page_style, stdout);
	puts("</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#findings\">Skip to the findings</a>\n<main>\n<h1>gimstate check</h1>");
	printf("<p class=\"sum\">%zu state%s, %zu target%s: %u fit, %u do not fit, %u cannot be judged.</p>\n", matrix->state_count,
	       matrix->state_count == 1 ? "" : "s", matrix->target_count, matrix->target_count == 1 ? "" : "s", run->verdicts[CHECK_FITS],
	       run->verdicts[CHECK_DOES_NOT], run->verdicts[CHECK_UNKNOWN]);
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

static void put_cell(const struct check_run *run, const struct check_result *result)
{
	const char *separator = "<small>";
	if (!result) {
		puts("<td>not judged</td>");
		return;
	}
	printf("<td class=\"%s\">", class_of(result));
	if (has_section(result))
		printf("<a href=\"#r%zu\">", (size_t)(result - run->results));
	fputs(check_verdict_text(result->verdict), stdout);
	fputs(has_section(result) ? "</a>" : "", stdout);
	put_count(result->counts[GIM_ERROR], "error", &separator);
	put_count(result->counts[GIM_WARNING], "warning", &separator);
	put_count(result->counts[GIM_NOTE], "note", &separator);
	if (result->accepted) {
		printf("%s%u accepted", separator, result->accepted);
		separator = ", ";
	}
	puts(*separator == ',' ? "</small></td>" : "</td>");
}

static void put_matrix(const struct check_run *run, const struct check_matrix *matrix)
{
	puts("<div class=\"matrix\" role=\"region\" aria-label=\"Matrix of states and targets\" tabindex=\"0\">\n<table>\n"
	     "<caption>Will the state load into the target, and run there?</caption>\n<thead><tr><th scope=\"col\">state</th>");
	for (size_t t = 0; t < matrix->target_count; t++) {
		fputs("<th scope=\"col\">", stdout);
		put(matrix->targets[t] ? matrix->targets[t] : "any target");
		puts("</th>");
	}
	puts("</tr></thead>\n<tbody>");
	for (size_t s = 0; s < matrix->state_count; s++) {
		printf("<tr data-row=\"%zu\"><th scope=\"row\">", s);
		put_state(matrix->states[s]);
		puts("</th>");
		for (size_t t = 0; t < matrix->target_count; t++)
			put_cell(run, check_matrix_cell(matrix, s, t));
		puts("</tr>");
	}
	puts("</tbody>\n</table>\n</div>");
}

static void put_finding(const struct check_finding *finding)
{
	static const char *const classes[] = {[GIM_NOTE] = "note", [GIM_WARNING] = "warned", [GIM_ERROR] = "refused"};
	const bool is_note = finding->severity == GIM_NOTE;
	char *text = check_finding_text(finding);
	printf("<li%s><span class=\"tag %s\">%s</span> <a href=\"#rule-%s\"><code>%s</code></a>", is_note ? " class=\"is-note\"" : "",
	       finding->accepted ? "note" : classes[finding->severity], severity_name(finding->severity), finding->rule->id,
	       finding->rule->id);
	if (finding->rule->status_name)
		printf(" <code>%s</code>", finding->rule->status_name);
	fputs(finding->accepted ? " (accepted)\n<p>" : "\n<p>", stdout);
	put(text);
	fputs("</p>\n<p class=\"mend\">Mend: ", stdout);
	put(finding->rule->mend);
	puts("</p></li>");
	free(text);
}

static void put_section(const struct check_run *run, const struct check_result *result, size_t row)
{
	const size_t number = (size_t)(result - run->results);
	printf("<section class=\"cell\" id=\"r%zu\" data-row=\"%zu\" data-verdict=\"%s\"%s aria-labelledby=\"h%zu\">\n<h3 id=\"h%zu\">",
	       number, row, class_of(result), has_only_notes(result) ? " data-only=\"notes\"" : "", number, number);
	put_state(result);
	fputs(result->target ? " on " : "", stdout);
	put(result->target);
	printf(": <span class=\"tag %s\">%s</span></h3>\n", class_of(result), check_verdict_text(result->verdict));
	if (result->verdict == CHECK_UNKNOWN) {
		fputs("<p>", stdout);
		put(result->error.text);
		puts("</p>");
	} else {
		puts("<ul class=\"findings\">");
		for (int severity = GIM_ERROR; severity >= GIM_NOTE; severity--)
			for (size_t i = 0; i < result->count; i++)
				if ((int)result->findings[i].severity == severity)
					put_finding(&result->findings[i]);
		puts("</ul>");
	}
	puts("<p class=\"back\"><a href=\"#top\">to the matrix</a></p>\n</section>");
}

/* Cells row by row; a state that failed for all targets once. */
static void put_sections(const struct check_run *run, const struct check_matrix *matrix)
{
	puts("<h2 id=\"findings\">Findings</h2>");
	for (size_t s = 0; s < matrix->state_count; s++) {
		const struct check_result *last = NULL;
		for (size_t t = 0; t < matrix->target_count; t++) {
			const struct check_result *cell = check_matrix_cell(matrix, s, t);
			if (cell && cell != last && has_section(cell))
				put_section(run, cell, s);
			last = cell;
		}
	}
}

static void put_rule(const struct gim_rule *rule)
{
	printf("<dt id=\"rule-%s\"><code>%s</code>", rule->id, rule->id);
	if (rule->status_name)
		printf(" <code>%s</code>", rule->status_name);
	fputs("</dt>\n<dd>", stdout);
	put(rule->help);
	fputs(".</dd>\n<dd>Why: ", stdout);
	put(rule->why);
	fputs(".</dd>\n<dd>Mend: ", stdout);
	put(rule->mend);
	puts(".</dd>");
}

/* Each rule that found something, once. */
static void put_rules(const struct check_run *run)
{
	json_t *met = json_object();
	puts("<h2>Rules</h2>\n<dl class=\"rules\">");
	for (size_t i = 0; i < run->result_count; i++)
		for (size_t f = 0; f < run->results[i].count; f++) {
			const struct gim_rule *rule = run->results[i].findings[f].rule;
			if (json_object_get(met, rule->id))
				continue;
			(void)json_object_set_new(met, rule->id, json_true());
			put_rule(rule);
		}
	puts("</dl>");
	json_decref(met);
}

static void html_report(struct check_run *run)
{
	struct check_matrix matrix;
	if (!check_matrix_make(&matrix, run)) {
		check_run_no_memory(run);
		return;
	}
	put_head(run, &matrix);
	put_filter();
	put_matrix(run, &matrix);
	put_sections(run, &matrix);
	put_rules(run);
	puts("</main>\n<script>");
	fputs(page_script, stdout);
	puts("</script>\n</body>\n</html>");
	check_matrix_free(&matrix);
}

const struct check_form check_form_html = {.option = offsetof(struct options, html), .end = html_report};
