/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate check: will these states load into these targets, and run there? */
#include "check_report.h"
#include "harness/host.h"
#include "progress.h"
#include "source.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static void open_goal(struct check_goal *goal, const char *name, const char *state)
{
	*goal = (struct check_goal){.name = name, .error = GIM_ERROR_INIT};
	if (!strcmp(name, "host"))
		(void)host_target(&goal->target, &goal->error);
	else
		(void)gim_target_open(name, state, &goal->target, &goal->error);
}

/*
 * The settings file beside a state: the one that names it, in its folder or the one above; else the one called like it.
 */
struct beside {
	const char *state;
	char found[4096];
	bool named;
};

static int compare_state(void *user, const char *snapshot, const char *state)
{
	struct beside *beside = (struct beside *)user;
	(void)snapshot;
	beside->named |= state && input_is(beside->state, state);
	return beside->named;
}

static bool ends_with(const char *text, const char *end)
{
	const size_t length = strlen(text), own = strlen(end);
	return length > own && !strcmp(text + length - own, end);
}

static void look_in(struct beside *beside, const char *folder)
{
	char path[sizeof(beside->found)];
	DIR *open = opendir(folder);
	const struct dirent *entry;
	while (open && !beside->named && (entry = readdir(open))) {
		if (!ends_with(entry->d_name, ".vbox") || snprintf(path, sizeof(path), "%s%s%s", strcmp(folder, ".") ? folder : "",
		                                                   strcmp(folder, ".") ? "/" : "", entry->d_name) >= (int)sizeof(path))
			continue;
		(void)gim_settings_visit(path, compare_state, beside, NULL);
		if (beside->named)
			(void)snprintf(beside->found, sizeof(beside->found), "%s", path);
	}
	if (open)
		(void)closedir(open);
}

static void look_beside(struct beside *beside)
{
	char folder[sizeof(beside->found)], above[sizeof(beside->found)];
	const char *slash = strrchr(beside->state, '/'), *dot = strrchr(slash ? slash : beside->state, '.');
	(void)snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - beside->state) : 1, slash ? beside->state : ".");
	slash = strrchr(folder, '/');
	(void)snprintf(above, sizeof(above), "%.*s", slash ? (int)(slash - folder) : 2, slash ? folder : strcmp(folder, ".") ? "." : "..");
	look_in(beside, folder);
	if (!beside->named)
		look_in(beside, above);
	if (beside->named || !dot)
		return;
	(void)snprintf(beside->found, sizeof(beside->found), "%.*s.vbox", (int)(dot - beside->state), beside->state);
	if (gim_settings_visit(beside->found, compare_state, beside, NULL) < 0)
		beside->found[0] = '\0';
}

/*
 * One state.
 */
static void add_to_baseline(struct check_run *run, const struct check_result *result)
{
	for (size_t i = 0; run->baseline && i < result->count; i++) {
		const struct check_finding *finding = &result->findings[i];
		if (finding->severity == GIM_NOTE)
			continue;
		json_t *entry = json_pack("{s:s}", "rule", finding->rule->id);
		(void)json_object_set_new(entry, "state", json_text(result->state));
		if (result->target)
			(void)json_object_set_new(entry, "target", json_text(result->target));
		if (finding->unit)
			(void)json_object_set_new(entry, "unit", json_text(finding->unit));
		if (finding->path)
			(void)json_object_set_new(entry, "path", json_text(finding->path));
		(void)json_array_append_new(run->baseline, entry);
	}
}

static void give(struct check_run *run, struct check_result *result, struct gim_check *check, const struct gim_target *target,
                 const struct gim_error *error)
{
	check_result_make(result, run->wishes, check, target, error);
	run->verdicts[result->verdict]++;
	add_to_baseline(run, result);
	run->form->result(run, result);
	check_result_free(result);
}

/* A settings file has other settings for other snapshots, so that it is opened again for each state. */
static void check_goal(struct check_run *run, struct check_result *result, struct gim_check *check, struct check_goal *goal)
{
	struct check_goal own = {.target = NULL};
	result->target = goal->name;
	result->target_failed = goal->error.code;
	result->told = goal->told;
	goal->told |= result->target_failed;
	if (goal->target && gim_target_is_for_state(goal->target)) {
		open_goal(&own, goal->name, result->state);
		goal = &own;
	}
	give(run, result, check, goal->target, goal->error.code ? &goal->error : NULL);
	gim_target_free(&own.target);
}

static void check_state(struct check_run *run, const char *state, const char *snapshot, struct check_goal *goals, unsigned count)
{
	struct gim_check *check = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	struct progress progress;
	progress_start(&progress, state);
	const struct gim_verify_options how = {.progress = progress_step, .progress_user = &progress};
	const char *path = source_path(state, &error);
	if (path)
		(void)gim_check_open(path, &how, &check, &error);
	progress_clear(&progress);
	if (error.code) {
		struct check_result result = {.state = state, .snapshot = snapshot};
		give(run, &result, NULL, NULL, &error);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		struct check_result result = {.state = state, .snapshot = snapshot};
		check_goal(run, &result, check, &goals[i]);
	}
	gim_check_free(&check);
}

/* For a target that the state itself leads to. */
static void check_for(struct check_run *run, const char *state, const char *snapshot, const char *target)
{
	struct check_goal goal;
	open_goal(&goal, target, state);
	check_state(run, state, snapshot, &goal, 1);
	gim_target_free(&goal.target);
}

static void check_beside(struct check_run *run, const char *state)
{
	struct beside beside = {.state = state};
	struct gim_error error = GIM_ERROR_INIT;
	look_beside(&beside);
	if (*beside.found) {
		check_for(run, state, NULL, beside.found);
		return;
	}
	struct check_result result = {.state = state};
	(void)error_set(&error, GIM_E_ARGUMENT,
	                "what shall it be loaded into? There is no .vbox beside it: name a --target, e.g. vbox:7.2");
	give(run, &result, NULL, NULL, &error);
}

/*
 * The states of a settings file.
 */
struct tour {
	struct check_run *run;
	const char *settings;
	unsigned states;
};

static int check_setup(void *user, const char *snapshot, const char *state)
{
	struct tour *tour = (struct tour *)user;
	struct check_run *run = tour->run;
	if (!state)
		return 0;
	tour->states++;
	if (run->goal_count)
		check_state(run, state, snapshot, run->goals, run->goal_count);
	else
		check_for(run, state, snapshot, tour->settings);
	return ferror(stdout);
}

static void check_operand(struct check_run *run, const char *operand)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct tour tour = {run, operand, 0};
	const int result = strcmp(operand, "-") ? gim_settings_visit(operand, check_setup, &tour, &error) : GIM_E_FORMAT;
	if (result >= 0) {
		if (!tour.states && run->form == &check_form_text) {
			put_safe(stdout, operand);
			puts(": it has no saved states");
		}
	} else if (!tour.states && result == GIM_E_FORMAT && error.offset == GIM_UNKNOWN) {
		if (run->goal_count)
			check_state(run, operand, NULL, run->goals, run->goal_count);
		else
			check_beside(run, operand);
	} else {
		struct check_result unread = {.state = operand};
		give(run, &unread, NULL, NULL, &error);
	}
}

/* The command line comes before the configuration. */
static int read_wishes(const struct options *options, struct check_wishes *wishes, struct gim_error *error)
{
	const struct {
		const struct words *words;
		const char **texts;
		unsigned *count;
	} lists[] = {{&options->error, wishes->errors, &wishes->error_count}, {&options->ignore, wishes->ignored, &wishes->ignored_count}};
	if (check_config_read(options->config, wishes, error))
		return error->code;
	for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++)
		for (unsigned i = 0; i < lists[l].words->count; i++) {
			if (!gim_rule_find(lists[l].words->items[i]))
				return error_set(error, GIM_E_ARGUMENT, "there is no rule %s; gimstate rules lists them",
				                 lists[l].words->items[i]);
			lists[l].texts[(*lists[l].count)++] = lists[l].words->items[i];
		}
	if (options->target.count)
		wishes->target_count = 0;
	for (unsigned i = 0; i < options->target.count; i++)
		wishes->targets[wishes->target_count++] = options->target.items[i];
	wishes->strict |= options->strict;
	return 0;
}

int run_check(const struct options *options, int count, char **operands)
{
	struct check_wishes wishes = {.strict = false};
	struct gim_error error = GIM_ERROR_INIT;
	if (read_wishes(options, &wishes, &error)) {
		check_wishes_free(&wishes);
		(void)output_error(NULL, &error, options->json);
		return EXIT_NO_ANSWER;
	}
	struct check_run run = {.options = options,
	                        .wishes = &wishes,
	                        .form = options->json ? &check_form_json : &check_form_text,
	                        .baseline = options->write_baseline ? json_array() : NULL};
	for (; run.goal_count < wishes.target_count; run.goal_count++)
		open_goal(&run.goals[run.goal_count], wishes.targets[run.goal_count], NULL);
	if (run.form->begin)
		run.form->begin(&run);
	for (int i = 0; i < count && !ferror(stdout); i++)
		check_operand(&run, operands[i]);
	if (run.form->end)
		run.form->end(&run);
	int status = run.verdicts[CHECK_UNKNOWN] ? EXIT_NO_ANSWER : run.verdicts[CHECK_DOES_NOT] ? EXIT_NO : EXIT_YES;
	if (run.baseline && check_config_write(options->write_baseline, options->force, &wishes, run.baseline, &error)) {
		(void)output_error(NULL, &error, false);
		status = EXIT_NO_ANSWER;
	}
	for (unsigned i = 0; i < run.goal_count; i++)
		gim_target_free(&run.goals[i].target);
	json_decref(run.results);
	json_decref(run.baseline);
	check_wishes_free(&wishes);
	return status;
}
