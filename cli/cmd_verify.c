/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate verify: all findings on each file, and a verdict. */
#include "command.h"
#include "output.h"
#include "progress.h"
#include "snapshots.h"
#include "source.h"

#include <inttypes.h>

struct verdict {
	const char *file;
	unsigned counts[GIM_ERROR + 1]; /* by severity */
	json_t *findings;               /* NULL: print them as text */
	struct progress progress;
};

static const enum style styles[] = {[GIM_NOTE] = STYLE_DIM, [GIM_WARNING] = STYLE_WARNING, [GIM_ERROR] = STYLE_BAD};

static void put_finding(const char *file, const struct gim_finding *finding)
{
	put_safe(stdout, file);
	fputs(": ", stdout);
	put_styled(stdout, styles[finding->severity], severity_name(finding->severity));
	fputs(": ", stdout);
	const char *const prefixes[] = {finding->unit, finding->path};
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (prefixes[i] && *prefixes[i]) {
			fputs(i ? "" : "unit ", stdout);
			put_safe(stdout, prefixes[i]);
			fputs(": ", stdout);
		}
	put_safe(stdout, finding->text);
	if (finding->offset != GIM_UNKNOWN)
		printf(" (at byte 0x%" PRIx64 ")", finding->offset);
	printf(" [%s%s%s]\n", finding->rule->id, finding->rule->status_name ? " " : "",
	       finding->rule->status_name ? finding->rule->status_name : "");
}

static void take(void *user, const struct gim_finding *finding)
{
	struct verdict *verdict = (struct verdict *)user;
	verdict->counts[finding->severity]++;
	if (verdict->findings) {
		(void)json_array_append_new(verdict->findings, finding_json(finding));
	} else {
		progress_clear(&verdict->progress);
		put_finding(verdict->file, finding);
	}
}

static void put_verdict(const struct verdict *verdict)
{
	const unsigned errors = verdict->counts[GIM_ERROR], warnings = verdict->counts[GIM_WARNING];
	put_safe(stdout, verdict->file);
	fputs(": ", stdout);
	put_styled(stdout, errors ? STYLE_BAD : STYLE_GOOD, errors ? "corrupt" : "ok");
	if (errors)
		printf(" (%u error%s, %u warning%s)", errors, errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
	else if (warnings)
		printf(" (%u warning%s)", warnings, warnings == 1 ? "" : "s");
	putchar('\n');
	output_flush();
}

static json_t *verdict_json(const struct verdict *verdict, int result, const struct gim_error *error)
{
	static const char *const counted[] = {[GIM_NOTE] = "notes", [GIM_WARNING] = "warnings", [GIM_ERROR] = "errors"};
	json_t *json = json_object();
	(void)json_object_set_new(json, "file", json_text(verdict->file));
	(void)json_object_set_new(json, "verdict", json_string(result < 0 ? "unknown" : result ? "corrupt" : "ok"));
	for (int severity = GIM_ERROR; severity >= GIM_NOTE; severity--)
		(void)json_object_set_new(json, counted[severity], json_integer(verdict->counts[severity]));
	(void)json_object_set_new(json, "findings", verdict->findings);
	if (result < 0)
		(void)json_object_set_new(json, "error", error_json(verdict->file, error));
	return json;
}

static int verify_file(const struct options *options, const char *file, json_t *files);

/* An image with several snapshots is as many states. */
static int verify_states(const struct options *options, char **states, json_t *files)
{
	int worst = EXIT_YES;
	for (size_t i = 0; states[i] && !ferror(stdout); i++) {
		const int status = verify_file(options, states[i], files);
		worst = status > worst ? status : worst;
	}
	snapshots_states_free(states);
	return worst;
}

/* files: the document's list, or NULL. */
static int verify_file(const struct options *options, const char *file, json_t *files)
{
	const bool json = options->json || options->ndjson;
	struct verdict verdict = {.file = file, .findings = json ? json_array() : NULL};
	struct gim_error error = GIM_ERROR_INIT;
	progress_start(&verdict.progress, file);
	const struct gim_verify_options how = {.quick = options->quick, .progress = progress_step, .progress_user = &verdict.progress};
	const char *path = source_path(file, &error);
	const int result = path ? gim_verify(path, &how, take, &verdict, &error) : error.code;
	progress_clear(&verdict.progress);
	char **states = result == GIM_E_ARGUMENT && path == file ? snapshots_states(file) : NULL;
	if (states) {
		json_decref(verdict.findings);
		return verify_states(options, states, files);
	}
	if (options->ndjson) {
		output_document(verdict_json(&verdict, result, &error), true);
		output_flush();
	} else if (json) {
		(void)json_array_append_new(files, verdict_json(&verdict, result, &error));
	} else if (result < 0) {
		(void)output_error(file, &error, false);
	} else {
		put_verdict(&verdict);
	}
	return result < 0 ? EXIT_NO_ANSWER : result ? EXIT_NO : EXIT_YES;
}

/* The first error of a file is the document's too, so that a failure is found at one place in every document. */
static json_t *document(json_t *files)
{
	json_t *body = json_pack("{s:o}", "files", files);
	for (size_t i = 0; i < json_array_size(files); i++) {
		json_t *error = json_object_get(json_array_get(files, i), "error");
		if (error && !json_object_get(body, "error"))
			(void)json_object_set(body, "error", error);
	}
	return body;
}

int run_verify(const struct options *options, int count, char **operands)
{
	if (options->json && options->ndjson)
		return usage_error(command_find("verify"), true, "--json and --ndjson exclude each other");
	json_t *files = options->json ? json_array() : NULL;
	int worst = EXIT_YES;
	for (int i = 0; i < count && !ferror(stdout); i++) {
		const int status = verify_file(options, operands[i], files);
		worst = status > worst ? status : worst;
	}
	if (files)
		output_document(document(files), false);
	return worst;
}
