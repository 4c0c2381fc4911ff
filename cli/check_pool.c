/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The threads of check: a ring of jobs, which they take in order, and from whose end results go to the run in order. */
#include "check_jobs.h"
#include "progress.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* So many jobs may wait for a slow one before them. */
enum { JOBS_PER_THREAD = 32 };

struct check_pool {
	struct check_run *run;
	unsigned threads, running;
	pthread_t *workers;
	pthread_mutex_t mutex;
	pthread_cond_t work, done;
	struct check_job *ring;
	size_t size;
	size_t added, taken, given; /* counts; a job's place is its number modulo size */
	bool ended;
	size_t states;
	struct progress progress;
};

static void *serve(void *user)
{
	struct check_pool *pool = (struct check_pool *)user;
	(void)pthread_mutex_lock(&pool->mutex);
	for (;;) {
		while (pool->taken == pool->added && !pool->ended)
			(void)pthread_cond_wait(&pool->work, &pool->mutex);
		if (pool->taken == pool->added)
			break;
		struct check_job *job = &pool->ring[pool->taken++ % pool->size];
		(void)pthread_mutex_unlock(&pool->mutex);
		check_job_judge(job, pool->run);
		(void)pthread_mutex_lock(&pool->mutex);
		job->done = true;
		(void)pthread_cond_signal(&pool->done);
	}
	(void)pthread_mutex_unlock(&pool->mutex);
	return NULL;
}

int check_pool_new(struct check_run *run, unsigned threads, struct check_pool **pool, struct gim_error *error)
{
	struct check_pool *made = calloc(1, sizeof(*made));
	const size_t size = (size_t)threads * JOBS_PER_THREAD;
	if (!made || !(made->ring = calloc(size, sizeof(*made->ring))) || !(made->workers = calloc(threads, sizeof(*made->workers)))) {
		if (made)
			free(made->ring);
		free(made);
		return error_set(error, GIM_E_MEMORY, "out of memory");
	}
	made->run = run;
	made->size = size;
	made->threads = threads;
	(void)pthread_mutex_init(&made->mutex, NULL);
	(void)pthread_cond_init(&made->work, NULL);
	(void)pthread_cond_init(&made->done, NULL);
	progress_start(&made->progress, "check");
	/* With fewer threads than were wished for it only takes longer. */
	while (threads > 1 && made->running < threads && !pthread_create(&made->workers[made->running], NULL, serve, made))
		made->running++;
	*pool = made;
	return 0;
}

/* A target that cannot be opened is told once, not for each state. */
static void give(struct check_pool *pool, struct check_job *job)
{
	struct check_run *run = pool->run;
	pool->states += job->count != 0;
	if (job->count)
		progress_clear(&pool->progress);
	for (size_t i = 0; i < job->count; i++) {
		for (unsigned g = 0; job->results[i].target_failed && job->results[i].target && g < run->goal_count; g++)
			if (!strcmp(run->goals[g].name, job->results[i].target)) {
				job->results[i].told = run->goals[g].told;
				run->goals[g].told = true;
				break;
			}
		check_run_take(run, &job->results[i]);
	}
	if (job->count)
		output_flush();
	free(job->results);
	free(job->state);
	free(job->snapshot);
	free(job->path);
	free(job->settings);
	*job = (struct check_job){.state = NULL};
	progress_count(&pool->progress, pool->given, "files");
}

/* Hand on the oldest job, when it is done. */
static void give_oldest(struct check_pool *pool)
{
	struct check_job *job = &pool->ring[pool->given % pool->size];
	(void)pthread_mutex_lock(&pool->mutex);
	while (!job->done)
		(void)pthread_cond_wait(&pool->done, &pool->mutex);
	(void)pthread_mutex_unlock(&pool->mutex);
	pool->given++;
	give(pool, job);
}

static bool copy_text(char **own, const char *text)
{
	*own = text ? strdup(text) : NULL;
	return !text || *own;
}

int check_pool_add(struct check_pool *pool, const struct check_job *job, struct gim_error *error)
{
	while (pool->added - pool->given == pool->size)
		give_oldest(pool);
	struct check_job *own = &pool->ring[pool->added % pool->size];
	*own = *job;
	const bool state = copy_text(&own->state, job->state), snapshot = copy_text(&own->snapshot, job->snapshot),
		   settings = copy_text(&own->settings, job->settings);
	if (!state || !snapshot || !settings) {
		free(own->state);
		free(own->snapshot);
		free(own->settings);
		return error_set(error, GIM_E_MEMORY, "out of memory");
	}
	if (!pool->running) {
		check_job_judge(own, pool->run);
		pool->added++;
		pool->given++;
		give(pool, own);
		return 0;
	}
	(void)pthread_mutex_lock(&pool->mutex);
	pool->added++;
	(void)pthread_cond_signal(&pool->work);
	(void)pthread_mutex_unlock(&pool->mutex);
	return 0;
}

void check_pool_finish(struct check_pool *pool)
{
	while (pool->given < pool->added)
		give_oldest(pool);
	progress_clear(&pool->progress);
}

size_t check_pool_states(const struct check_pool *pool)
{
	return pool->states;
}

void check_pool_free(struct check_pool **pool)
{
	struct check_pool *old = *pool;
	if (!old)
		return;
	check_pool_finish(old);
	(void)pthread_mutex_lock(&old->mutex);
	old->ended = true;
	(void)pthread_cond_broadcast(&old->work);
	(void)pthread_mutex_unlock(&old->mutex);
	for (unsigned i = 0; i < old->running; i++)
		(void)pthread_join(old->workers[i], NULL);
	(void)pthread_cond_destroy(&old->work);
	(void)pthread_cond_destroy(&old->done);
	(void)pthread_mutex_destroy(&old->mutex);
	free(old->workers);
	free(old->ring);
	free(old);
	*pool = NULL;
}
