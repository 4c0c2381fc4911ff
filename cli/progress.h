/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A line of progress on a terminal, for work that takes over a second. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "gimstate.h"

struct progress {
	const char *what; /* a file's name */
	double start_s, shown_s;
	bool terminal, visible;
};

void progress_start(struct progress *progress, const char *what);

/* gim_progress_fn; user is a struct progress. */
int progress_step(void *user, uint64_t done_bytes, uint64_t total_bytes);

/* The same for things that are counted. */
void progress_count(struct progress *progress, uint64_t done, const char *things);

/* Take the line away, before something else is printed. */
void progress_clear(struct progress *progress);

#endif
