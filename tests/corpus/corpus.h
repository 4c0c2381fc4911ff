/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the real states for the tests are: $GIMSTATE_CORPUS, or the folder shared/corpus beside the project. */
#ifndef CORPUS_H
#define CORPUS_H

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Visit every sound state of VirtualBox; returns how many there are, 0 when a folder is missing. */
static inline unsigned corpus_each_state(void (*visit)(const char *path))
{
	static const char *const folders[] = {"real", "writer", "old-format", "no-crc"};
	unsigned count = 0;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char path[PATH_MAX];
		(void)snprintf(path, sizeof(path), "%s/virtualbox/%s", corpus_folder(), folders[i]);
		DIR *folder = opendir(path);
		const struct dirent *entry;
		if (!folder)
			return 0;
		while ((entry = readdir(folder))) {
			const size_t length = strlen(entry->d_name);
			if (length < 4 || strcmp(entry->d_name + length - 4, ".sav") != 0)
				continue;
			(void)snprintf(path, sizeof(path), "%s/virtualbox/%s/%s", corpus_folder(), folders[i], entry->d_name);
			visit(path);
			count++;
		}
		(void)closedir(folder);
	}
	return count;
}

#endif
