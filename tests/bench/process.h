/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What measurements of whole commands share: their time and memory, with what they print thrown away. */
#ifndef PROCESS_H
#define PROCESS_H

#include "bench.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

struct cost {
	double wall_s;
	long resident_kib;
};

static inline struct cost run(char *const *words)
{
	posix_spawn_file_actions_t actions;
	struct rusage usage;
	pid_t child;
	int status = 0;
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	const double start = now_s();
	must(!posix_spawnp(&child, words[0], &actions, NULL, words, environ), "cannot start a command");
	must(wait4(child, &status, 0, &usage) == child && !status, "a command failed");
	const struct cost cost = {now_s() - start, usage.ru_maxrss};
	(void)posix_spawn_file_actions_destroy(&actions);
	return cost;
}

/* The least time and the most memory of several runs. */
static inline struct cost cheapest(char *const *words, unsigned rounds)
{
	struct cost best = {1e9, 0};
	for (unsigned i = 0; i < rounds; i++) {
		const struct cost cost = run(words);
		best.wall_s = cost.wall_s < best.wall_s ? cost.wall_s : best.wall_s;
		best.resident_kib = cost.resident_kib > best.resident_kib ? cost.resident_kib : best.resident_kib;
	}
	return best;
}

#endif
