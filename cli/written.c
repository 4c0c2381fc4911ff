/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a signal must take away: files that have a name which is not yet the one that they are for. */
#include "written.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { SIGNALS = sizeof(signals) / sizeof(signals[0]), FILES_MAX = 4 };

/* Changed only while the signals are held; the handler reads them. */
static struct gim_output *volatile files[FILES_MAX];

struct name {
	struct name *older;
	char path[];
};
static struct name *volatile names;

/*
 * A signal that one thread holds comes to another, which waits for all that hold it, and lets none begin any more.
 */
static atomic_uint holders;
static atomic_bool ending;

static _Noreturn void wait_for_end(void)
{
	for (;;)
		(void)pause();
}

/* By who called, or from the beginning of the program; then no thread gets any of them. */
static bool are_held(const sigset_t *mask)
{
	int held = 0;
	for (int i = 0; i < SIGNALS; i++)
		held += sigismember(mask, signals[i]) == 1;
	return held == SIGNALS;
}

void written_hold(sigset_t *before)
{
	sigset_t set;
	(void)sigemptyset(&set);
	for (int i = 0; i < SIGNALS; i++)
		(void)sigaddset(&set, signals[i]);
	(void)pthread_sigmask(SIG_BLOCK, &set, before);
	if (are_held(before))
		return;
	(void)atomic_fetch_add(&holders, 1);
	if (atomic_load(&ending)) {
		(void)atomic_fetch_sub(&holders, 1);
		wait_for_end();
	}
}

void written_resume(const sigset_t *before)
{
	if (!are_held(before))
		(void)atomic_fetch_sub(&holders, 1);
	(void)pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* Then the signal does what it would have done. */
void written_end(int number)
{
	static const struct timespec moment = {.tv_nsec = 1000000};
	if (atomic_exchange(&ending, true))
		wait_for_end();
	while (atomic_load(&holders))
		(void)nanosleep(&moment, NULL);
	for (int i = 0; i < FILES_MAX; i++)
		if (files[i])
			gim_output_abandon(files[i]);
	for (const struct name *name = names; name; name = name->older)
		if (unlink(name->path))
			(void)rmdir(name->path);
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

/* Whoever ignores a signal, or has a handler of its own, goes on with that. */
void written_catch(void)
{
	struct sigaction old, catch = {.sa_handler = written_end, .sa_flags = SA_RESTART};
	(void)sigfillset(&catch.sa_mask);
	for (int i = 0; i < SIGNALS; i++)
		if (!sigaction(signals[i], NULL, &old) && !(old.sa_flags & SA_SIGINFO) && old.sa_handler == SIG_DFL)
			(void)sigaction(signals[i], &catch, NULL);
}

static void replace_file(const struct gim_output *old, struct gim_output *made)
{
	for (int i = 0; i < FILES_MAX; i++)
		if (files[i] == old) {
			files[i] = made;
			return;
		}
}

int written_new(const char *path, bool replace, struct gim_output **output, struct gim_error *error)
{
	sigset_t before;
	written_hold(&before);
	int result = gim_output_new(path, replace, output, error);
	if (!result) {
		replace_file(NULL, *output);
		written_catch();
	}
	written_resume(&before);
	return result;
}

int written_commit(struct gim_output **output, struct gim_error *error)
{
	sigset_t before;
	written_hold(&before);
	replace_file(*output, NULL);
	int result = gim_output_commit(output, error);
	written_resume(&before);
	return result;
}

void written_discard(struct gim_output **output)
{
	sigset_t before;
	written_hold(&before);
	if (output && *output)
		replace_file(*output, NULL);
	gim_output_discard(output);
	written_resume(&before);
}

bool written_for_now(const char *path)
{
	const size_t size = strlen(path) + 1;
	struct name *name = malloc(sizeof(*name) + size);
	sigset_t before;
	if (!name)
		return false;
	memcpy(name->path, path, size);
	written_hold(&before);
	name->older = names;
	names = name;
	written_catch();
	written_resume(&before);
	return true;
}

void written_to_stay(void)
{
	sigset_t before;
	written_hold(&before);
	while (names) {
		struct name *older = names->older;
		free(names);
		names = older;
	}
	written_resume(&before);
}
