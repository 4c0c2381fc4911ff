/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Measures what dump, info and get cost on a large state and on a small one: system calls, memory, time of the process against true's; and what starting costs, with the sandbox and without. */
#include "bench.h"
#include "process.h"

enum { ROUNDS = 100 };

/* Lines of strace's log; -1 when there is no strace. */
static long system_calls(char *const *words)
{
	static const char *log; /* one for all */
	log = log ? log : bench_path("bench.strace");
	char *traced[16] = {"strace", "-f", "-o", (char *)(uintptr_t)log};
	for (size_t i = 0; words[i] && i < 11; i++)
		traced[4 + i] = words[i];
	if (system("command -v strace >/dev/null"))
		return -1;
	(void)run(traced);
	FILE *file = fopen(log, "r");
	long lines = 0;
	must(file, "strace wrote nothing");
	for (int byte; (byte = getc(file)) != EOF;)
		lines += byte == '\n';
	(void)fclose(file);
	(void)unlink(log);
	return lines;
}

static void measure(const char *large, const char *small, const char *name, char *argument, double true_s)
{
	char *words[] = {getenv("GIMSTATE"), (char *)(uintptr_t)name, (char *)(uintptr_t)large, argument, NULL};
	const struct cost on_large = cheapest(words, ROUNDS);
	const long calls_large = system_calls(words);
	words[2] = (char *)(uintptr_t)small;
	const struct cost on_small = cheapest(words, ROUNDS);
	const long calls_small = system_calls(words);
	printf("%-5s 1 GiB / 256 kB  %5.2f x in time; %.2f ms, true %.2f ms (limit %.2f); %ld and %ld system calls; %.1f MiB resident "
	       "(limit 8)\n",
	       name, on_large.wall_s / on_small.wall_s, on_large.wall_s * 1e3, true_s * 1e3, true_s * 2e3 + 2, calls_large, calls_small,
	       (double)on_large.resident_kib / 1024);
}

/* In turn, so that whatever else the machine does meets all. */
static void measure_start(const char *small)
{
	char *path = (char *)(uintptr_t)small, *gimstate = getenv("GIMSTATE");
	char *with[] = {gimstate, "--sandbox", "require", "get", path, "gim.provider", NULL};
	char *without[] = {gimstate, "--sandbox", "off", "get", path, "gim.provider", NULL};
	char *nothing[] = {"true", NULL}, *python[] = {"/usr/bin/python3", "-S", "-c", "pass", NULL};
	char *const *const commands[] = {with, without, nothing, python};
	double best_ms[] = {1e9, 1e9, 1e9, 1e9};
	const unsigned kinds = access(python[0], X_OK) ? 3 : 4;
	for (unsigned i = 0; i < 3 * ROUNDS; i++)
		for (unsigned j = 0; j < kinds; j++) {
			const double ms = run(commands[j]).wall_s * 1e3;
			best_ms[j] = ms < best_ms[j] ? ms : best_ms[j];
		}
	printf("start  get of a small state, the whole process: %.2f ms in the sandbox (limit 1.5), %.2f without it, true %.2f", best_ms[0],
	       best_ms[1], best_ms[2]);
	if (kinds == 4)
		printf(", python3 that does nothing %.2f", best_ms[3]);
	printf("\n");
}

int main(int count, char **words)
{
	const uint64_t mib = count > 1 ? strtoull(words[1], NULL, 10) : 1024;
	const char *large = bench_path("bench-large.sav"), *small = bench_path("bench-small.sav");
	char *nothing[] = {"true", NULL};
	must(getenv("GIMSTATE"), "GIMSTATE names the command to measure");
	bench_state(large, mib << 20, 10);
	bench_state(small, 256 << 10, 10);
	const double true_s = cheapest(nothing, ROUNDS).wall_s;
	measure(large, small, "dump", NULL, true_s);
	measure(large, small, "info", NULL, true_s);
	measure(large, small, "get", "gim.provider", true_s);
	measure_start(small);
	(void)unlink(large);
	(void)unlink(small);
	return 0;
}
