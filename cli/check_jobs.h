/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How check gets through many states: jobs, the threads that do them, where states are found, and what is remembered of them. */
#ifndef CHECK_JOBS_H
#define CHECK_JOBS_H

#include "check_report.h"

enum { CHECK_SMALL_BYTES = 1 << 20 };

/* One state to be judged. */
struct check_job {
	char *state, *snapshot; /* snapshot: NULL when no settings file led to it */
	char *path;             /* where it is read, when that is not its name; NULL */
	char *settings;         /* the target where the run has none; NULL: the settings beside the state */
	bool found;             /* in a folder: it may be no state at all */
	bool small;             /* less than CHECK_SMALL_BYTES: to read it all costs no more than to look what it is */
	bool alone;             /* it may use all processors, and show how far it is */
	bool done;
	struct gim_error error;       /* why it cannot even be looked at */
	struct check_result *results; /* for each target, or one that says why there is none; none at all: it is no state */
	size_t count;
};

/* Judge the state for the run's goals or its own; safe to call from several threads, since the run is only read. */
void check_job_judge(struct check_job *job, const struct check_run *run);
void check_job_clear(struct check_job *job);

/* Open the target of that name for a state; keyed: find out its key for the cache. */
void check_goal_open(struct check_goal *goal, const char *name, const char *state, bool keyed);

/*
 * The pool judges jobs on several threads, and hands results to the run in the order of the jobs. It holds a bounded number of them.
 */
struct check_pool;
/* threads: 1 judges at once, without any. */
int check_pool_new(struct check_run *run, unsigned threads, struct check_pool **pool, struct gim_error *error);
/* Add a job, which is copied with its texts. What is no state is only counted. */
int check_pool_add(struct check_pool *pool, const struct check_job *job, struct gim_error *error);
/* Wait for all jobs so far. */
void check_pool_finish(struct check_pool *pool);
void check_pool_free(struct check_pool **pool);
/* How many files were looked at and were states. */
size_t check_pool_states(const struct check_pool *pool);

/*
 * The cache: findings as they were before wishes weigh them, by the content of a state and of a target, and by what judges.
 */
struct check_entry; /* what is remembered of one state */
int check_cache_new(const char *folder, struct check_cache **cache, struct gim_error *error);
void check_cache_free(struct check_cache **cache);
void check_cache_key(const struct gim_target *target, char key[CHECK_KEY]);
/* NULL: there is no cache, or the state cannot be read; the others take that. */
struct check_entry *check_entry_open(struct check_cache *cache, const char *state);
bool check_entry_is_known(const struct check_entry *entry); /* the same bytes were judged before, for whatever target */
bool check_entry_find(const struct check_entry *entry, const struct check_goal *goal, struct check_result *result);
void check_entry_add(struct check_entry *entry, const struct check_goal *goal, const struct check_result *result);
void check_entry_close(struct check_entry **entry);

#endif
