/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the real states for the tests are: $GIMSTATE_CORPUS, or the folder shared/corpus beside the project. */
#ifndef CORPUS_H
#define CORPUS_H

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
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

static inline bool corpus_ends_with(const char *name, const char *suffix)
{
	const size_t length = strlen(name), own = strlen(suffix);
	return length > own && !strcmp(name + length - own, suffix);
}

/* Visit what is in a folder of the corpus and has a name like this; returns how many, 0 when the folder is missing. */
static inline unsigned corpus_each(const char *name, const char *suffix, void (*visit)(const char *path))
{
	char path[PATH_MAX];
	unsigned count = 0;
	(void)snprintf(path, sizeof(path), "%s/%s", corpus_folder(), name);
	DIR *folder = opendir(path);
	const struct dirent *entry;
	while (folder && (entry = readdir(folder))) {
		if (!corpus_ends_with(entry->d_name, suffix))
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s/%s", corpus_folder(), name, entry->d_name);
		visit(path);
		count++;
	}
	if (folder)
		(void)closedir(folder);
	return count;
}

/* Visit every sound state of VirtualBox; returns how many there are, 0 when a folder is missing. */
static inline unsigned corpus_each_state(void (*visit)(const char *path))
{
	static const char *const folders[] = {"virtualbox/real", "virtualbox/writer", "virtualbox/old-format", "virtualbox/no-crc"};
	unsigned count = 0;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		const unsigned more = corpus_each(folders[i], ".sav", visit);
		if (!more)
			return 0;
		count += more;
	}
	return count;
}

/* Visit every sound migration stream, whatever it is wrapped in; returns how many there are, 0 when some kind is missing. */
static inline unsigned corpus_each_stream(void (*visit)(const char *path))
{
	static const char *const suffixes[] = {".mig", ".mig.tar.xz", ".save", ".qcow2"};
	unsigned count = 0;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		const unsigned more = corpus_each("qemu/streams", suffixes[i], visit);
		if (!more)
			return 0;
		count += more;
	}
	return count;
}

#endif
