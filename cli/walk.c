/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The walk through folders: files in the order of their names, links followed, and each folder entered once, so that it ends. */
#include "walk.h"

#include "output.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder that was entered; within: it is not left yet. */
struct folder {
	dev_t device;
	ino_t inode;
	bool within;
};

struct walk {
	walk_fn *visit;
	void *user;
	void *folders;      /* a tree of struct folder */
	struct stat output; /* where the report goes: that is no state, though it may be empty still */
	int stopped;
};

static int compare_folders(const void *left, const void *right)
{
	const struct folder *a = left, *b = right;
	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	return a->inode < b->inode ? -1 : a->inode > b->inode;
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* reason: the system's, or NULL. */
static void tell(struct walk *walk, const char *path, const char *what, const char *reason)
{
	struct gim_error error = GIM_ERROR_INIT;
	(void)error_set(&error, GIM_E_IO, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
	walk->stopped = walk->visit(walk->user, path, false, 0, &error);
}

/* The names in a folder, sorted; NULL at the end. NULL: it was told why not. */
static char **read_names(struct walk *walk, const char *path)
{
	DIR *folder = opendir(path);
	char **names = calloc(1, sizeof(*names));
	const struct dirent *entry;
	size_t count = 0;
	bool whole = folder && names;
	while (whole && (errno = 0, entry = readdir(folder))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		char **more = realloc(names, (count + 2) * sizeof(*names));
		names = more ? more : names;
		whole = more && (names[count] = strdup(entry->d_name));
		count += whole;
	}
	if (!whole || errno)
		tell(walk, path, "cannot read this folder", strerror(errno));
	if (folder)
		(void)closedir(folder);
	if (names) {
		names[count] = NULL;
		qsort(names, count, sizeof(*names), compare_names);
	}
	return names;
}

static void enter_folder(struct walk *walk, const char *path, const struct stat *status);

static bool is_called_state(const char *path)
{
	const size_t length = strlen(path);
	return length > 4 && !strcmp(path + length - 4, ".sav");
}

static void walk_file(struct walk *walk, const char *path, const char *name, const struct stat *status)
{
	struct gim_error none = GIM_ERROR_INIT;
	if (status->st_dev == walk->output.st_dev && status->st_ino == walk->output.st_ino)
		return;
	/* Pipes, sockets and devices are no files that a state is kept in; an empty hidden file keeps a folder or marks something. */
	if (!S_ISREG(status->st_mode) || (!status->st_size && *name == '.'))
		return;
	if (!status->st_size)
		tell(walk, path, "the file is empty", NULL);
	else
		walk->stopped = walk->visit(walk->user, path, is_called_state(path), (uint64_t)status->st_size, &none);
}

/* One name of a folder; links: only if it is one, or only if it is none. */
static void walk_name(struct walk *walk, const char *folder, const char *name, bool links)
{
	char path[PATH_MAX];
	struct stat status;
	const char *separator = folder[strlen(folder) - 1] == '/' ? "" : "/";
	if (snprintf(path, sizeof(path), "%s%s%s", folder, separator, name) >= (int)sizeof(path)) {
		if (!links)
			tell(walk, folder, "there are names in it that are too long for the system", NULL);
		return;
	}
	const bool failed = lstat(path, &status), is_link = !failed && S_ISLNK(status.st_mode);
	if (is_link != links)
		return;
	if (failed || (is_link && stat(path, &status)))
		tell(walk, path, is_link && errno == ELOOP ? "a symbolic link that leads to itself" : "cannot look at it", strerror(errno));
	else if (S_ISDIR(status.st_mode))
		enter_folder(walk, path, &status);
	else
		walk_file(walk, path, name, &status);
}

/* May the folder be entered? One that is being walked through is told, one that was is not. */
static struct folder *enter(struct walk *walk, const char *path, const struct stat *status)
{
	struct folder *own = malloc(sizeof(*own));
	if (own)
		*own = (struct folder){status->st_dev, status->st_ino, true};
	struct folder *const *found = own ? tsearch(own, &walk->folders, compare_folders) : NULL;
	if (!found) {
		tell(walk, path, "out of memory", NULL);
	} else if (*found == own) {
		return own;
	} else if ((*found)->within) {
		tell(walk, path, "a symbolic link that leads back to a folder around it: it is not followed", NULL);
	}
	free(own);
	return NULL;
}

/* Links come last, so that what they lead to goes by its own name. */
static void enter_folder(struct walk *walk, const char *path, const struct stat *status)
{
	struct folder *own = enter(walk, path, status);
	char **names = own ? read_names(walk, path) : NULL;
	for (int links = 0; links < 2; links++)
		for (size_t i = 0; names && names[i] && !walk->stopped; i++)
			walk_name(walk, path, names[i], links);
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
	if (own)
		own->within = false;
}

int walk_folder(const char *folder, walk_fn *visit, void *user)
{
	struct walk walk = {.visit = visit, .user = user};
	struct stat status;
	(void)fstat(STDOUT_FILENO, &walk.output);
	if (stat(folder, &status))
		tell(&walk, folder, "cannot look at it", strerror(errno));
	else
		enter_folder(&walk, folder, &status);
	tdestroy(walk.folders, free);
	return walk.stopped;
}

bool walk_is_folder(const char *operand)
{
	struct stat status;
	const bool is_stream = *operand == '-' && gim_path_file(operand) == 1;
	return !is_stream && !stat(operand, &status) && S_ISDIR(status.st_mode);
}
