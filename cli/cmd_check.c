/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate check: will these states load into these targets, and run there? */
#include "check_jobs.h"
#include "near.h"
#include "source.h"
#include "stop.h"
#include "walk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More threads, or parts of the work, than anyone has a use for. */
enum { THREADS_MAX = 256, SHARDS_MAX = 1000000 };

/* All that is to be checked, on its way to the pool. */
struct round {
	struct check_run run;
	struct check_pool *pool;
	unsigned long shard, shards; /* shards 0: all of it */
	bool alone;
	size_t met; /* jobs so far, of all shards */
	struct gim_error error;
};

/* Which part a state belongs to follows from its name alone, so that it stays there when others come and go. */
static bool is_ours(const struct round *round, const struct check_job *job)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	const char *const texts[] = {job->state, job->snapshot ? job->snapshot : ""};
	for (size_t i = 0; i < 2; i++)
		for (const char *at = texts[i]; *at; at++)
			sum = (sum ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
	/* The low bits of such a sum are poor. */
	return !round->shards || (sum ^ sum >> 32) % round->shards == round->shard - 1;
}

static bool is_over(const struct round *round)
{
	return round->error.code || round->run.failure.code || ferror(stdout) || stop_wanted;
}

static int add(struct round *round, const struct check_job *job)
{
	round->met++;
	if (is_ours(round, job))
		(void)check_pool_add(round->pool, job, &round->error);
	return is_over(round);
}

/*
 * Operands: a folder, a settings file, a state.
 */
static int add_found(void *user, const char *path, bool called, uint64_t size, const struct gim_error *error)
{
	return add(
	    (struct round *)user,
	    &(struct check_job){.state = (char *)(uintptr_t)path, .found = !called, .small = size < CHECK_SMALL_BYTES, .error = *error});
}

static int add_failed(struct round *round, const char *operand, const struct gim_error *error)
{
	return add(round, &(struct check_job){.state = (char *)(uintptr_t)operand, .error = *error});
}

static void add_folder(struct round *round, const char *folder)
{
	struct gim_error error = GIM_ERROR_INIT;
	check_pool_finish(round->pool);
	const size_t before = check_pool_states(round->pool);
	(void)walk_folder(folder, add_found, round);
	check_pool_finish(round->pool);
	if (check_pool_states(round->pool) != before || round->shards || is_over(round))
		return;
	(void)error_set(&error, GIM_E_FORMAT, "there are no saved states in this folder");
	(void)add_failed(round, folder, &error);
}

struct tour {
	struct round *round;
	const char *settings;
	unsigned states;
};

static int add_setup(void *user, const char *snapshot, const char *state)
{
	struct tour *tour = (struct tour *)user;
	tour->states += state != NULL;
	return state ? add(tour->round, &(struct check_job){.state = (char *)(uintptr_t)state,
	                                                    .snapshot = (char *)(uintptr_t)snapshot,
	                                                    .settings = (char *)(uintptr_t)tour->settings})
	             : 0;
}

/* A state that the shell holds is read where it put what it is now. */
static void add_state(struct round *round, const char *operand)
{
	struct gim_error error = GIM_ERROR_INIT;
	const char *path = source_path(operand, &error);
	(void)add(round, &(struct check_job){.state = (char *)(uintptr_t)operand,
	                                     .path = path == operand ? NULL : (char *)(uintptr_t)path,
	                                     .alone = round->alone,
	                                     .error = error});
}

static void add_operand(struct round *round, const char *operand)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct tour tour = {round, operand, 0};
	const bool is_stream = *operand == '-' && gim_path_file(operand) == 1;
	if (walk_is_folder(operand)) {
		if (round->run.options->recursive) {
			add_folder(round, operand);
			return;
		}
		(void)error_set(&error, GIM_E_ARGUMENT, "this is a folder: -r finds the states in it");
		(void)add_failed(round, operand, &error);
		return;
	}
	const int result = is_stream ? GIM_E_FORMAT : gim_settings_visit(operand, add_setup, &tour, &error);
	if (result >= 0) {
		if (!tour.states && round->run.form == &check_form_text) {
			put_safe(stdout, operand);
			puts(": it has no saved states");
		}
	} else if (!tour.states && result == GIM_E_FORMAT && error.offset == GIM_UNKNOWN) {
		add_state(round, operand);
	} else {
		(void)add_failed(round, operand, &error);
	}
}

/*
 * The command line.
 */
static bool parse_number(const char *text, const char *end, unsigned long most, unsigned long *number)
{
	char *stop;
	*number = strtoul(text, &stop, 10);
	return *text >= '0' && *text <= '9' && stop == end && *number >= 1 && *number <= most;
}

/* NULL, or what is wrong. */
static const char *read_numbers(struct round *round, unsigned long *threads)
{
	const struct options *options = round->run.options;
	const char *slash = options->shard ? strchr(options->shard, '/') : NULL;
	if (options->jobs && !parse_number(options->jobs, options->jobs + strlen(options->jobs), THREADS_MAX, threads))
		return "--jobs takes a number from 1 to 256";
	if (options->shard && (!slash || !parse_number(options->shard, slash, SHARDS_MAX, &round->shard) ||
	                       !parse_number(slash + 1, slash + strlen(slash), SHARDS_MAX, &round->shards) || round->shard > round->shards))
		return "--shard takes K/N, e.g. 2/8: K from 1 to N";
	return NULL;
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
				return near_no_rule("", lists[l].words->items[i], error);
			lists[l].texts[(*lists[l].count)++] = lists[l].words->items[i];
		}
	if (options->target.count)
		wishes->target_count = 0;
	for (unsigned i = 0; i < options->target.count; i++)
		wishes->targets[wishes->target_count++] = options->target.items[i];
	wishes->strict |= options->strict;
	return 0;
}

static unsigned default_threads(const struct options *options, int count)
{
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	return (count < 2 && !options->recursive) || processors < 1 ? 1 : processors > THREADS_MAX ? THREADS_MAX : (unsigned)processors;
}

/* Everything between the options and the verdict: the exit status. What fails before the report begins keeps anything from being judged. */
static int check_all(struct round *round, unsigned threads, int count, char **operands)
{
	struct check_run *run = &round->run;
	if (run->options->cache && check_cache_new(run->options->cache, &run->cache, &round->error))
		return EXIT_NO_ANSWER;
	for (; run->goal_count < run->wishes->target_count; run->goal_count++)
		check_goal_open(&run->goals[run->goal_count], run->wishes->targets[run->goal_count], NULL, run->cache);
	if (check_pool_new(run, threads, &round->pool, &round->error))
		return EXIT_NO_ANSWER;
	check_run_begin(run);
	for (int i = 0; i < count && !is_over(round); i++)
		add_operand(round, operands[i]);
	check_pool_free(&round->pool);
	/* From now on a failure belongs to the report. */
	if (round->error.code && !run->failure.code)
		run->failure = round->error;
	round->error = (struct gim_error)GIM_ERROR_INIT;
	return check_run_end(run);
}

int run_check(const struct options *options, int count, char **operands)
{
	struct check_wishes wishes = {.strict = false};
	struct round round = {.run = {.options = options, .wishes = &wishes, .form = check_form_find(options)}, .error = GIM_ERROR_INIT};
	unsigned long threads = default_threads(options, count);
	const char *wrong = !round.run.form ? "a report has one form: choose one of them (merge makes the others of --ndjson)"
	                                    : read_numbers(&round, &threads);
	if (wrong)
		return usage_error(command_find("check"), options->json, "%s", wrong);
	bool begun = false;
	int status = EXIT_NO_ANSWER;
	round.alone = count == 1 && threads == 1;
	round.run.baseline = options->write_baseline ? json_array() : NULL;
	if (options->write_baseline)
		(void)output_check(options->write_baseline, options->force, &round.error);
	if (!round.error.code && !read_wishes(options, &wishes, &round.error)) {
		status = check_all(&round, (unsigned)threads, count, operands);
		begun = !round.error.code;
	}
	if (begun && !round.run.failure.code && round.run.baseline)
		(void)check_config_write(options->write_baseline, options->force, &wishes, round.run.baseline, &round.error);
	if (round.error.code) {
		(void)output_error(NULL, &round.error, options->json && !begun);
		status = EXIT_NO_ANSWER;
	}
	for (unsigned i = 0; i < round.run.goal_count; i++)
		gim_target_free(&round.run.goals[i].target);
	check_cache_free(&round.run.cache);
	json_decref(round.run.baseline);
	check_wishes_free(&wishes);
	return status;
}
