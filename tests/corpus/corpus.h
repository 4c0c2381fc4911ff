/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the real states for the tests are: $GIMSTATE_CORPUS, or the folder shared/corpus beside the project. */
#ifndef CORPUS_H
#define CORPUS_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline const char *corpus_folder(void)
{
	const char *folder = getenv("GIMSTATE_CORPUS");
	return folder ? folder : "../shared/corpus";
}

/* Exit as "skipped" when there is no corpus. */
static inline void corpus_require(void)
{
	if (access(corpus_folder(), R_OK)) {
		printf("SKIP there is no corpus at %s (set GIMSTATE_CORPUS)\n", corpus_folder());
		exit(77);
	}
}

#endif
