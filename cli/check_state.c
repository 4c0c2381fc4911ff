/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Judging one state for its targets: those of the run, or the settings that belong to it. */
#include "check_jobs.h"
#include "harness/host.h"
#include "progress.h"
#include "snapshots.h"
#include "source.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

void check_goal_open(struct check_goal *goal, const char *name, const char *state, bool keyed)
{
	*goal = (struct check_goal){.name = name, .error = GIM_ERROR_INIT};
	if (!strcmp(name, "host"))
		(void)host_target(&goal->target, &goal->error);
	else
		(void)gim_target_open(name, state, &goal->target, &goal->error);
	if (goal->target && keyed)
		check_cache_key(goal->target, goal->key);
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
 * Results.
 */
static struct check_result *add_result(struct check_job *job, const char *target)
{
	struct check_result *results = realloc(job->results, (job->count + 1) * sizeof(*results));
	if (!results)
		return NULL;
	job->results = results;
	check_result_start(&results[job->count], job->state, job->snapshot, target);
	return &results[job->count++];
}

void check_job_clear(struct check_job *job)
{
	for (size_t i = 0; i < job->count; i++)
		check_result_free(&job->results[i]);
	free(job->results);
	job->results = NULL;
	job->count = 0;
}

/* One result in place of all others: there is no target for which it could be judged. */
static void fail(struct check_job *job, const struct gim_error *error)
{
	check_job_clear(job);
	struct check_result *result = add_result(job, NULL);
	if (result && !result->error.code)
		result->error = *error;
}

/*
 * Judging. A settings file has other settings for other snapshots, so that it is opened again for each state.
 */
struct judging {
	struct check_job *job;
	struct check_entry *entry; /* of the cache, or NULL */
	struct gim_check *check;   /* opened when the first finding is needed that no cache has */
};

static const char *path_of(const struct check_job *job)
{
	return job->path ? job->path : job->state;
}

static int open_state(struct judging *judging, struct gim_error *error)
{
	struct progress progress;
	if (judging->check)
		return 0;
	progress_start(&progress, judging->job->state);
	const struct gim_verify_options how = {
	    .threads = judging->job->alone ? 0 : 1, .progress = judging->job->alone ? progress_step : NULL, .progress_user = &progress};
	const int result = gim_check_open(path_of(judging->job), &how, &judging->check, error);
	progress_clear(&progress);
	return result;
}

static int judge(struct judging *judging, const struct check_goal *goal, struct check_result *result, struct gim_error *error)
{
	result->target_failed = goal->error.code;
	if (goal->error.code)
		result->error = goal->error;
	if (goal->error.code || check_entry_find(judging->entry, goal, result))
		return 0;
	if (open_state(judging, error))
		return error->code;
	check_result_judge(result, judging->check, goal->target);
	check_entry_add(judging->entry, goal, result);
	return 0;
}

static int judge_goal(struct judging *judging, const struct check_goal *goal, struct gim_error *error)
{
	struct check_goal own = {.target = NULL};
	struct check_result *result = add_result(judging->job, goal->name);
	if (!result)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	if (goal->target && gim_target_is_for_state(goal->target)) {
		check_goal_open(&own, goal->name, judging->job->state, judging->entry);
		goal = &own;
	}
	const int failed = judge(judging, goal, result, error);
	gim_target_free(&own.target);
	return failed;
}

static void judge_goals(struct check_job *job, const struct check_goal *goals, unsigned count, struct check_entry *entry)
{
	struct judging judging = {.job = job, .entry = entry};
	struct gim_error error = GIM_ERROR_INIT;
	for (unsigned i = 0; i < count && !error.code; i++)
		(void)judge_goal(&judging, &goals[i], &error);
	if (error.code)
		fail(job, &error);
	gim_check_free(&judging.check);
}

/* A save image of libvirt says itself which VM it is of. */
static bool open_described(const struct check_job *job, char *name, size_t size, struct check_goal *goal, bool keyed)
{
	(void)snprintf(name, size, "libvirt:%s", job->state);
	check_goal_open(goal, name, job->state, keyed);
	return goal->target;
}

static bool copy_text(const struct gim_state *state, const char *path, char *text, size_t size)
{
	struct gim_value value;
	if (!source_value(state, path, &value) || value.kind != GIM_VALUE_BYTES || !value.length_bytes || value.length_bytes >= size)
		return false;
	(void)snprintf(text, size, "%.*s", (int)value.length_bytes, value.bytes);
	return true;
}

/* A target for the state, as an example: the release that wrote it; of a migration stream, which does not say that, the one that its machine is named after. */
static void name_example(const struct gim_state *state, char *text, size_t size)
{
	char format[16], release[32], machine[80] = "pc";
	unsigned major = 7, minor = 2;
	if (!copy_text(state, "source.format", format, sizeof(format)) || strcmp(format, "qemu") != 0) {
		const bool said = copy_text(state, "source.release", release, sizeof(release));
		(void)snprintf(text, size, "%s", said ? release : "vbox:7.2");
		return;
	}
	const char *dash = copy_text(state, "qemu.machine", machine, sizeof(machine)) ? strrchr(machine, '-') : NULL;
	if (!dash || sscanf(dash, "-%u.%u", &major, &minor) != 2)
		(void)snprintf(machine, sizeof(machine), "pc");
	(void)snprintf(text, size, "'qemu:%u.%u -M %s', with what else it is started with, or libvirt:VM.xml", major, minor, machine);
}

static void ask_for_target(const struct check_job *job, struct gim_error *error)
{
	struct gim_state *state = NULL;
	char example[160] = "vbox:7.2 or qemu:7.2";
	if (!gim_state_open(path_of(job), &state, NULL)) {
		(void)gim_state_decode(state, GIM_PART_INFO, NULL, NULL, NULL);
		name_example(state, example, sizeof(example));
	}
	gim_state_free(&state);
	(void)error_set(error, GIM_E_ARGUMENT,
	                "what shall it be loaded into? There is no description of its VM, in it or beside it: name a --target, e.g. %s",
	                example);
}

/* For the settings that the state itself leads to. */
static void judge_beside(struct check_job *job, struct check_entry *entry)
{
	struct beside beside = {.state = job->state};
	char described[sizeof(beside.found) + 8];
	struct check_goal goal;
	if (!job->settings)
		look_beside(&beside);
	if (job->settings || *beside.found) {
		check_goal_open(&goal, job->settings ? job->settings : beside.found, job->state, entry);
	} else if (!open_described(job, described, sizeof(described), &goal, entry)) {
		struct gim_error error = GIM_ERROR_INIT;
		ask_for_target(job, &error);
		fail(job, &error);
		return;
	}
	judge_goals(job, &goal, 1, entry);
	gim_target_free(&goal.target);
}

/* What fails alike for every target, as a file that is no state does, is told once. */
static void join_failures(struct check_job *job)
{
	for (size_t i = 0; i < job->count; i++)
		if (!job->results[i].error.code || job->results[i].target_failed ||
		    strcmp(job->results[i].error.text, job->results[0].error.text) != 0)
			return;
	if (job->count < 2)
		return;
	const struct gim_error error = job->results[0].error;
	fail(job, &error);
}

/* Is there anything to judge? What the cache knows needs no look; what is large is looked at before it is all read for the cache. */
static bool is_state(struct check_job *job, struct check_cache *cache, struct check_entry **entry)
{
	if (job->error.code)
		return false;
	if (!job->found || job->small)
		*entry = check_entry_open(cache, path_of(job));
	if (!job->found || check_entry_is_known(*entry))
		return true;
	const int begins = gim_state_probe(path_of(job), &job->error);
	if (begins > 0 && !*entry)
		*entry = check_entry_open(cache, path_of(job));
	return begins > 0;
}

static void judge_job(struct check_job *job, const struct check_run *run)
{
	struct check_entry *entry = NULL;
	const bool begins = is_state(job, run->cache, &entry);
	if (job->error.code)
		fail(job, &job->error);
	else if (begins && run->goal_count)
		judge_goals(job, run->goals, run->goal_count, entry);
	else if (begins)
		judge_beside(job, entry);
	check_entry_close(&entry);
}

static bool append(struct check_job *job, struct check_job *other)
{
	struct check_result *results = realloc(job->results, (job->count + other->count) * sizeof(*results));
	if (!results) {
		check_job_clear(other);
		return false;
	}
	memcpy(results + job->count, other->results, other->count * sizeof(*results));
	free(other->results);
	job->results = results;
	job->count += other->count;
	return true;
}

/* An image with several snapshots is as many states. */
static void judge_snapshots(struct check_job *job, const struct check_run *run, char **states)
{
	struct gim_error memory = GIM_ERROR_INIT;
	bool whole = true;
	(void)error_set(&memory, GIM_E_MEMORY, "out of memory");
	check_job_clear(job);
	for (size_t i = 0; whole && states[i]; i++) {
		struct check_job own = {.state = states[i], .alone = job->alone, .error = GIM_ERROR_INIT};
		judge_job(&own, run);
		join_failures(&own);
		whole = append(job, &own);
	}
	if (!whole)
		fail(job, &memory);
}

/* Only of what could not be opened as it was named it is asked whether it is such an image. */
static bool may_be_several(const struct check_job *job)
{
	return !job->path && job->count == 1 && job->results[0].error.code == GIM_E_ARGUMENT && !job->results[0].target_failed;
}

void check_job_judge(struct check_job *job, const struct check_run *run)
{
	judge_job(job, run);
	char **states = may_be_several(job) ? snapshots_states(job->state) : NULL;
	if (states)
		judge_snapshots(job, run, states);
	else
		join_failures(job);
	for (size_t i = 0; i < job->count; i++)
		check_result_weigh(&job->results[i], run->wishes);
	snapshots_states_free(states);
}
