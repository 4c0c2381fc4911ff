/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The progress line: on stderr, only when that is a terminal, and only after a second. */
#include "progress.h"

#include "output.h"
#include "stop.h"

#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec time;
	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void progress_start(struct progress *progress, const char *what)
{
	*progress = (struct progress){.what = what, .start_s = now(), .terminal = isatty(STDERR_FILENO)};
}

/* Begin the line anew, when it is time for that; returns the seconds that passed, 0: it is not. */
static double begin_line(struct progress *progress)
{
	if (!progress->terminal)
		return 0;
	const double time_s = now(), passed_s = time_s - progress->start_s;
	if (passed_s < 1 || time_s - progress->shown_s < 0.1)
		return 0;
	progress->shown_s = time_s;
	progress->visible = true;
	fputc('\r', stderr);
	put_safe(stderr, progress->what);
	return passed_s;
}

int progress_step(void *user, uint64_t done_bytes, uint64_t total_bytes)
{
	struct progress *progress = (struct progress *)user;
	if (stop_wanted)
		return -1;
	const double passed_s = begin_line(progress);
	if (passed_s == 0)
		return 0;
	if (total_bytes && total_bytes != GIM_UNKNOWN)
		fprintf(stderr, ": %.0f%%", 100.0 * (double)done_bytes / (double)total_bytes);
	fprintf(stderr, ", %.1f MiB at %.0f MiB/s\033[K", (double)done_bytes / (1 << 20), (double)done_bytes / (1 << 20) / passed_s);
	(void)fflush(stderr);
	return 0;
}

void progress_count(struct progress *progress, uint64_t done, const char *things)
{
	const double passed_s = begin_line(progress);
	if (passed_s == 0)
		return;
	fprintf(stderr, ": %llu %s, %.0f a second\033[K", (unsigned long long)done, things, (double)done / passed_s);
	(void)fflush(stderr);
}

void progress_clear(struct progress *progress)
{
	if (progress->visible)
		fputs("\r\033[K", stderr);
	progress->visible = false;
}
