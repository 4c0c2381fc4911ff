/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate verify: all findings on each file, and a verdict. */
#include "command.h"
#include "output.h"
#include "progress.h"
#include "snapshots.h"
#include "source.h"
#include "stop.h"
#include "walk.h"

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

/* files: the document's list, or NULL. */
static int put_result(const struct options *options, const struct verdict *verdict, int result, const struct gim_error *error,
                      json_t *files)
{
	if (options->ndjson) {
		output_document(verdict_json(verdict, result, error), true);
		output_flush();
	} else if (options->json) {
		(void)json_array_append_new(files, verdict_json(verdict, result, error));
	} else if (result < 0) {
		(void)output_error(verdict->file, error, false);
	} else {
		put_verdict(verdict);
	}
	return result < 0 ? EXIT_NO_ANSWER : result ? EXIT_NO : EXIT_YES;
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
	return put_result(options, &verdict, result, &error, files);
}

/*
 * Folders.
 */
struct tour {
	const struct options *options;
	json_t *files;
	unsigned states;
	int worst;
};

static int put_failure(const struct tour *tour, const char *file, const struct gim_error *error)
{
	const bool json = tour->options->json || tour->options->ndjson;
	const struct verdict verdict = {.file = file, .findings = json ? json_array() : NULL};
	return put_result(tour->options, &verdict, error->code, error, tour->files);
}

static int verify_found(void *user, const char *path, bool called, uint64_t size, const struct gim_error *error)
{
	struct tour *tour = (struct tour *)user;
	struct gim_error own = *error;
	(void)size;
	const int begins = own.code ? own.code : called ? 1 : gim_state_probe(path, &own);
	if (!begins)
		return 0;
	tour->states++;
	const int status = begins < 0 ? put_failure(tour, path, &own) : verify_file(tour->options, path, tour->files);
	tour->worst = status > tour->worst ? status : tour->worst;
	return ferror(stdout) || stop_wanted;
}

static int verify_folder(const struct options *options, const char *folder, json_t *files)
{
	struct tour tour = {.options = options, .files = files, .worst = EXIT_YES};
	struct gim_error error = GIM_ERROR_INIT;
	if (!options->recursive)
		(void)error_set(&error, GIM_E_ARGUMENT, "this is a folder: -r finds the states in it");
	else if (!walk_folder(folder, verify_found, &tour) && !tour.states)
		(void)error_set(&error, GIM_E_FORMAT, "there are no saved states in this folder");
	return error.code ? put_failure(&tour, folder, &error) : tour.worst;
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
		const int status = (walk_is_folder(operands[i]) ? verify_folder : verify_file)(options, operands[i], files);
		worst = status > worst ? status : worst;
	}
	if (files)
		output_document(document(files), false);
	return worst;
}
