/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SIGKILL at random moments of a rewrite: the file is the whole old one or the whole new one each time. KILL_MIB and KILL_ROUNDS say how large the
 * state is and how often that is tried, KILL_FOLDER where.
 */
#include "../bench/bench.h"

#include "vbox/crc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char **environ;

enum { MIB = 32, ROUNDS = 100, SKIPPED = 77 };

static const char *const values[] = {"kvm.wall_clock=0x1000", "kvm.wall_clock=0x2000"};

static unsigned long number(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);
	return text ? strtoul(text, NULL, 10) : otherwise;
}

static pid_t start_rewrite(const char *path, unsigned which)
{
	char *words[] = {getenv("GIMSTATE"), "set", (char *)(uintptr_t)path, (char *)(uintptr_t)values[which], "--in-place", NULL};
	posix_spawn_file_actions_t actions;
	pid_t child;
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	must(!posix_spawn(&child, words[0], &actions, NULL, words, environ), "cannot start the command");
	(void)posix_spawn_file_actions_destroy(&actions);
	return child;
}

static uint32_t crc_of(const char *path)
{
	static uint8_t piece[1 << 20];
	const int fd = open(path, O_RDONLY);
	uint32_t crc = 0;
	ssize_t got;
	must(fd >= 0, "the file is gone");
	while ((got = read(fd, piece, sizeof(piece))) > 0)
		crc = gim_crc32(crc, piece, (size_t)got);
	must(!got && !close(fd), "cannot read the file");
	return crc;
}

/* What else stands in the folder; taken away. */
static unsigned left_behind(const char *folder, const char *name)
{
	DIR *entries = opendir(folder);
	unsigned count = 0;
	must(entries, "cannot read the folder");
	for (struct dirent *entry; (entry = readdir(entries));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && strcmp(entry->d_name, name) != 0) {
			count++;
			must(!unlinkat(dirfd(entries), entry->d_name, 0), "cannot remove what is left");
		}
	(void)closedir(entries);
	return count;
}

/* Whole rewrites with both values: how long the fastest takes, and what the file is after it. */
static double measure(const char *path, uint32_t crcs[2])
{
	double fastest_s = 1e9;
	for (unsigned i = 6; i-- > 0;) {
		const unsigned which = i % 2;
		const double start = now_s();
		int status;
		must(waitpid(start_rewrite(path, which), &status, 0) > 0 && !status, "a rewrite failed");
		const double took_s = now_s() - start;
		fastest_s = took_s < fastest_s ? took_s : fastest_s;
		crcs[which] = crc_of(path);
	}
	must(crcs[0] != crcs[1], "the rewrite changes nothing");
	return fastest_s;
}

int main(void)
{
	const uint64_t mib = number("KILL_MIB", MIB);
	const unsigned long rounds = number("KILL_ROUNDS", ROUNDS);
	uint64_t random = 88172645463325252u;
	uint32_t crcs[2];
	unsigned now = 0, killed = 0, done = 0, left = 0;
	char folder[512], path[600];
	if (!getenv("GIMSTATE"))
		return puts("SKIP  GIMSTATE names no command"), SKIPPED;
	const char *where = getenv("KILL_FOLDER");
	(void)snprintf(folder, sizeof(folder), "%s%s", where ? where : bench_path("kill"), where ? "/gimstate-kill" : "");
	(void)snprintf(path, sizeof(path), "%s/state.sav", folder);
	must(!mkdir(folder, 0777) || errno == EEXIST, "cannot make the folder");
	bench_state(path, mib << 20, 0);
	const double whole_s = measure(path, crcs);
	for (unsigned long round = 0; round < rounds; round++) {
		const double wait_s = 1.1 * whole_s * (double)(page_random(&random) >> 11) / 9007199254740992.0;
		const struct timespec wait = {(time_t)wait_s, (long)((wait_s - (double)(time_t)wait_s) * 1e9)};
		const pid_t child = start_rewrite(path, !now);
		int status;
		(void)nanosleep(&wait, NULL);
		(void)kill(child, SIGKILL);
		must(waitpid(child, &status, 0) == child, "the command is gone");
		must(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : !WEXITSTATUS(status), "the rewrite failed by itself");
		const uint32_t crc = crc_of(path);
		must(crc == crcs[0] || crc == crcs[1], "the file is neither the old one nor the new one");
		must(!WIFEXITED(status) || crc == crcs[!now], "the rewrite ended, and the file is the old one");
		now = crc == crcs[1];
		killed += WIFSIGNALED(status);
		done += WIFEXITED(status);
		left += left_behind(folder, "state.sav");
	}
	(void)unlink(path);
	(void)rmdir(folder);
	printf("%u killed, %u done before, of %llu MiB in %.3f s; %u times a file was left beside it\n", killed, done,
	       (unsigned long long)mib, whole_s, left);
	must(killed && left <= killed / 10 + 1, "files are left behind");
	return 0;
}
