/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate merge: joins reports of check into one, in any form. */
#include "check_report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The run, and rules of other versions that the reports name. */
struct merge {
	struct check_run run;
	struct check_rules *unknown;
	char *origin;    /* what stands before the states' names; NULL: nothing */
	bool unfinished; /* lines came that no sum followed */
};

static bool put_origin(struct check_result *result, const char *origin)
{
	char *state;
	if (asprintf(&state, "%s:%s", origin, result->state) < 0)
		return false;
	free(result->state);
	result->state = state;
	check_result_identify(result);
	return true;
}

static int merge_result(struct merge *merge, const json_t *json, struct gim_error *error)
{
	struct check_result result;
	if (check_result_parse(json, &merge->unknown, &result, error))
		return error->code;
	if (merge->origin && !put_origin(&result, merge->origin)) {
		check_result_free(&result);
		return error_set(error, GIM_E_MEMORY, "out of memory");
	}
	check_run_take(&merge->run, &result);
	return 0;
}

/* A line of --ndjson: a result, or the sum at the end; or the document of --json. */
static int merge_document(struct merge *merge, const json_t *document, struct gim_error *error)
{
	const json_t *results = json_object_get(document, "results");
	if (json_integer_value(json_object_get(document, "gimstate")) != 1)
		return error_set(error, GIM_E_FORMAT, "that is no report of check --ndjson or --json");
	const bool is_sum = json_object_get(document, "summary");
	if (is_sum || !json_is_array(results)) {
		merge->unfinished = !is_sum;
		return is_sum ? 0 : merge_result(merge, document, error);
	}
	for (size_t i = 0; i < json_array_size(results); i++)
		if (merge_result(merge, json_array_get(results, i), error))
			return error->code;
	return 0;
}

static int merge_stream(struct merge *merge, FILE *stream, struct gim_error *error)
{
	json_error_t own;
	size_t number = 1;
	merge->unfinished = false;
	for (int byte; (byte = getc(stream)) != EOF && !ferror(stdout);) {
		if (strchr(" \t\r\n", byte))
			continue;
		(void)ungetc(byte, stream);
		json_t *document = json_loadf(stream, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &own);
		if (!document)
			return error_set(error, GIM_E_FORMAT, "its document %zu is broken JSON: %s", number, own.text);
		const int failed = merge_document(merge, document, error);
		json_decref(document);
		if (failed)
			return failed;
		number++;
	}
	if (ferror(stream))
		return error_set(error, GIM_E_IO, "cannot be read: %s", strerror(errno));
	if (number == 1)
		return error_set(error, GIM_E_FORMAT, "the report is empty");
	return merge->unfinished
	           ? error_set(error, GIM_E_TRUNCATED, "the report lacks its last line, the sum: the run that wrote it was cut short")
	           : 0;
}

/* The report's name without folders and ending. */
static char *origin_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
	return strndup(name, dot && dot != name ? (size_t)(dot - name) : strlen(name));
}

static int merge_report(struct merge *merge, const char *path, struct gim_error *error)
{
	FILE *stream = strcmp(path, "-") ? fopen(path, "r") : stdin;
	if (!stream)
		return error_set(error, GIM_E_IO, "cannot be opened: %s", strerror(errno));
	merge->origin = merge->run.options->origin ? origin_of(path) : NULL;
	const int failed = merge_stream(merge, stream, error);
	free(merge->origin);
	merge->origin = NULL;
	if (stream != stdin)
		(void)fclose(stream);
	return failed;
}

int run_merge(const struct options *options, int count, char **operands)
{
	struct merge merge = {.run = {.options = options, .form = check_form_find(options)}};
	int failed = 0;
	if (!merge.run.form)
		return usage_error(command_find("merge"), options->json,
		                   "a report has one form: choose one of them (merge makes the others of --ndjson)");
	check_run_begin(&merge.run);
	for (int i = 0; i < count && !ferror(stdout) && !merge.run.failure.code; i++) {
		struct gim_error error = GIM_ERROR_INIT;
		struct check_result lost;
		if (!merge_report(&merge, operands[i], &error))
			continue;
		/* What it held is not known, which the joined report says too. */
		check_result_start(&lost, operands[i], NULL, NULL);
		lost.error = error;
		check_run_take(&merge.run, &lost);
		failed++;
	}
	const int status = check_run_end(&merge.run);
	check_rules_free(&merge.unknown);
	return failed ? EXIT_NO_ANSWER : status;
}
