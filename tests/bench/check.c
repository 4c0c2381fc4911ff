/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Measures check on a thousand small states and three targets on one core, beside sha256sum of the same files; its memory; and what the cache saves. */
#include "bench.h"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char **environ;

enum { STATES = 1000, ROUNDS = 5 };

/* The sample's units, and one more whose instance makes each state another content. */
static void make_state(const char *path, unsigned number)
{
	static const struct ssm_write_options options = {.major = 7,
	                                                 .minor = 1,
	                                                 .build = 6,
	                                                 .revision = 167084,
	                                                 .host_bits = 64,
	                                                 .address_bytes = 8,
	                                                 .pointer_bytes = 8,
	                                                 .checksummed = true};
	static const char *const samples[] = {"samples/hyperv-4.sav", "samples/kvm.sav", "samples/hyperv-cpum.sav"};
	FILE *file = fopen(path, "wb");
	struct gim_state *sample = NULL;
	struct ssm_writer *writer = NULL;
	struct gim_unit unit = {.offset = 0};
	must(file && !gim_state_open(samples[number % 3], &sample, NULL), "cannot open the sample or the state to make");
	must(!ssm_writer_new(&options, bench_to_file, file, &writer, NULL), "cannot write");
	while (gim_unit_next(sample, &unit, NULL) == 1) {
		must(!ssm_writer_unit(writer, unit.name, unit.instance, unit.version, unit.pass, NULL), "cannot write");
		must(!gim_unit_read(sample, &unit, bench_to_unit, writer, NULL), "cannot copy a unit");
	}
	must(!ssm_writer_unit(writer, "bench", number, 1, GIM_PASS_FINAL, NULL), "cannot write");
	must(!bench_to_unit(writer, &number, sizeof(number)), "cannot write");
	must(!ssm_writer_finish(writer, NULL) && !fclose(file), "cannot write");
	ssm_writer_free(&writer);
	gim_state_free(&sample);
}

static void make_states(const char *folder, unsigned count)
{
	char path[1024];
	(void)mkdir(folder, 0777);
	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(path, sizeof(path), "%s/%04u.sav", folder, i);
		make_state(path, i);
	}
}

struct cost {
	double wall_s, cpu_s;
	long resident_kib;
};

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static struct cost run(const char *line)
{
	char *words[] = {"sh", "-c", (char *)(uintptr_t)line, NULL};
	struct rusage usage;
	pid_t child;
	int status = 0;
	const double start = now_s();
	must(!posix_spawnp(&child, words[0], NULL, NULL, words, environ), "cannot start a command");
	must(wait4(child, &status, 0, &usage) == child && WIFEXITED(status) && WEXITSTATUS(status) <= 1, "a command failed");
	return (struct cost){now_s() - start, seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss};
}

static struct cost cheapest(const char *line, const char *before)
{
	struct cost best = {1e9, 1e9, 0};
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (before)
			(void)run(before);
		const struct cost cost = run(line);
		best.wall_s = cost.wall_s < best.wall_s ? cost.wall_s : best.wall_s;
		best.cpu_s = cost.cpu_s < best.cpu_s ? cost.cpu_s : best.cpu_s;
		best.resident_kib = cost.resident_kib > best.resident_kib ? cost.resident_kib : best.resident_kib;
	}
	return best;
}

/* The command over a folder in a form; cache NULL: without one. */
static void write_line(char line[4096], const char *folder, const char *form, const char *cache)
{
	(void)snprintf(line, 4096, "exec %s check -r %s -j1 -t vbox:7.2 -t vbox:6.1 -t samples/hyperv-4.sav %s%s%s >/dev/null",
	               getenv("GIMSTATE"), folder, form, cache ? " --cache " : "", cache ? cache : "");
}

static void measure_cache(const char *folder, const char *form, const char *name, const char *cache)
{
	char line[4096], clear[2048];
	(void)snprintf(clear, sizeof(clear), "rm -rf %s", cache);
	write_line(line, folder, form, NULL);
	const struct cost without = cheapest(line, NULL);
	write_line(line, folder, form, cache);
	const struct cost first = cheapest(line, clear), second = cheapest(line, NULL);
	/* By processor time: what else runs here delays such short runs too much. */
	printf("check  with a cache, %s: second run %.1f ms of processor time, %.1f x faster than the first, %.1f x than a run without one "
	       "(limit 5)\n",
	       name, second.cpu_s * 1e3, first.cpu_s / second.cpu_s, without.cpu_s / second.cpu_s);
}

int main(void)
{
	const char *many = bench_path("bench-many"), *few = bench_path("bench-few"), *cache = bench_path("bench-cache");
	char line[4096], sums[2048], clear[4096];
	cpu_set_t one;
	must(getenv("GIMSTATE"), "GIMSTATE names the command to measure");
	CPU_ZERO(&one);
	CPU_SET((unsigned)sched_getcpu(), &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
	(void)snprintf(sums, sizeof(sums), "exec sha256sum %s/*.sav >/dev/null", many);
	make_states(many, STATES);
	make_states(few, STATES / 10);
	write_line(line, many, "", NULL);
	const struct cost sha = cheapest(sums, NULL), all = cheapest(line, NULL);
	write_line(line, few, "", NULL);
	const struct cost part = cheapest(line, NULL);
	printf("check  %d states, 3 targets, one core: %.0f states/s (limit 1000); %.1f x sha256sum of the same files (%.1f ms, %.1f ms)\n",
	       STATES, STATES / all.wall_s, all.wall_s / sha.wall_s, all.wall_s * 1e3, sha.wall_s * 1e3);
	printf("check  memory: %.1f MiB for %d states, %.1f MiB for %d\n", (double)part.resident_kib / 1024, STATES / 10,
	       (double)all.resident_kib / 1024, STATES);
	measure_cache(many, "", "text", cache);
	measure_cache(many, "--ndjson", "NDJSON", cache);
	measure_cache(many, "--sarif", "SARIF", cache);
	(void)snprintf(clear, sizeof(clear), "rm -rf %s %s %s", cache, many, few);
	(void)run(clear);
	return 0;
}
