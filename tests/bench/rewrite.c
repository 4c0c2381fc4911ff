/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Measures writing a large state again: beside cp of the same file, synced, in turn; what is copied as it is, what is changed behind, and what is changed before the pages. */
#include "bench.h"
#include "vbox/ssm_rewrite.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

struct cost {
	double wall_s;
	long resident_kib;
};

static char *large, *again;

/* The first unit with its own payload, as a change: all records behind it go through the reader. */
static int change_first(void)
{
	struct gim_state *state = NULL;
	struct gim_output *output = NULL;
	struct gim_unit unit = {.offset = 0};
	static uint8_t payload[8]; /* of the unit SSM: nothing but its end */
	must(!gim_state_open(large, &state, NULL) && !gim_output_new(again, true, &output, NULL), "cannot open the states");
	must(!gim_unit_find(state, "SSM", 0, GIM_PASS_FINAL, &unit, NULL), "there is no unit SSM");
	const struct gim_changes changes = {{{unit.offset, payload, sizeof(payload)}}, 1};
	must(!ssm_rewrite(&state->input, &changes, gim_output_write, output, NULL), "cannot rewrite");
	must(!gim_output_commit(&output, NULL), "cannot commit");
	gim_state_free(&state);
	return 0;
}

static struct cost run(int (*work)(void), char *const *words)
{
	struct rusage usage;
	pid_t child;
	int status = 0;
	const double start = now_s();
	if (work) {
		child = fork();
		if (!child)
			_exit(work());
	} else {
		posix_spawn_file_actions_t quiet;
		(void)posix_spawn_file_actions_init(&quiet);
		(void)posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
		must(!posix_spawnp(&child, words[0], &quiet, NULL, words, environ), "cannot start a command");
		(void)posix_spawn_file_actions_destroy(&quiet);
	}
	must(wait4(child, &status, 0, &usage) == child && !status, "what is measured failed");
	return (struct cost){now_s() - start, usage.ru_maxrss};
}

static struct cost better(struct cost a, struct cost b)
{
	return (struct cost){a.wall_s < b.wall_s ? a.wall_s : b.wall_s, a.resident_kib > b.resident_kib ? a.resident_kib : b.resident_kib};
}

/* What the run before left to the disk is not this one's. */
static void start_anew(void)
{
	(void)unlink(again);
	sync();
}

static void measure(unsigned lzf_percent, uint64_t size_bytes)
{
	char *gimstate = getenv("GIMSTATE");
	char copying[1200];
	(void)snprintf(copying, sizeof(copying), "cp '%s' '%s' && sync '%s'", large, again, again);
	char *copy[] = {"sh", "-c", copying, NULL};
	char *convert[] = {gimstate, "convert", large, again, "--force", NULL};
	char *set[] = {gimstate, "set", large, "kvm.wall_clock=0x10080", "-o", again, "--force", NULL};
	const struct {
		const char *name;
		char *const *words;
		int (*work)(void);
	} ways[] = {{"cp and sync", copy, NULL},
	            {"convert, unchanged", convert, NULL},
	            {"set one field", set, NULL},
	            {"the first unit changed", NULL, change_first}};
	enum { COPY, FIRST, WAYS = sizeof(ways) / sizeof(ways[0]) };
	struct cost best[WAYS];
	bench_state(large, size_bytes, lzf_percent);
	(void)run(NULL, copy); /* the input is in memory for all */
	/* Each comes first once: what ran before has its share in how fast one is. */
	for (size_t turn = 0; turn < (size_t)WAYS * WAYS; turn++) {
		const size_t i = (turn + turn / WAYS) % WAYS;
		start_anew();
		const struct cost cost = run(ways[i].work, ways[i].words);
		best[i] = turn < WAYS ? cost : better(best[i], cost);
	}
	for (size_t i = FIRST; i < WAYS; i++)
		printf("rewrite, %3u %% LZF   %5.2f x cp and sync (limit 1.5)  %.2f s, cp %.2f s; %.1f MiB resident (limit 32); %s\n",
		       lzf_percent, best[i].wall_s / best[COPY].wall_s, best[i].wall_s, best[COPY].wall_s,
		       (double)best[i].resident_kib / 1024, ways[i].name);
	(void)unlink(large);
	(void)unlink(again);
}

int main(int count, char **words)
{
	const uint64_t mib = count > 1 ? strtoull(words[1], NULL, 10) : 1024;
	must(getenv("GIMSTATE"), "GIMSTATE names the command to measure");
	large = strdup(bench_path("bench-large.sav"));
	again = strdup(bench_path("bench-again.sav"));
	measure(10, mib << 20);
	measure(100, mib << 20);
	return 0;
}
