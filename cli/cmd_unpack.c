/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate unpack: the members of a bundle as files, all of them in a new folder or one by itself, once all of the bundle was found sound. */
#include "command.h"
#include "output.h"
#include "written.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct unpacking {
	const struct options *options;
	char *folder;              /* that the members gather in before it gets its name; NULL: only one is wanted */
	struct gim_output *output; /* of the member that is being read */
	bool found;
	json_t *members;
};

static int fail_system(struct gim_error *error, const char *what, const char *name)
{
	return error_set(error, GIM_E_IO, "%s %s: %s", what, name, strerror(errno));
}

/*
 * Folders.
 */
static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	(void)remove(path);
	return 0;
}

static int open_folder(const char *path)
{
	return (int)TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int sync_folder(int folder)
{
	return folder < 0 ? -1 : (int)TEMP_FAILURE_RETRY(fsync(folder));
}

/* The folder in which the one of that name is, or will be; the caller's. */
static char *parent_of(const char *path)
{
	char *copy = strdup(path);
	char *parent = copy ? strdup(dirname(copy)) : NULL;
	free(copy);
	return parent;
}

static int make_temporary(char *folder, const char *path, struct gim_error *error)
{
	sigset_t before;
	written_hold(&before);
	int result = mkdtemp(folder) ? 0 : fail_system(error, "cannot make a folder beside", path);
	if (!result && !written_for_now(folder)) {
		(void)rmdir(folder);
		result = error_set(error, GIM_E_MEMORY, "out of memory");
	}
	written_resume(&before);
	return result;
}

/* It is made beside the one that it will become, as accessible as that, or as any new folder. */
static int make_folder(struct unpacking *unpacking, struct gim_error *error)
{
	const char *path = unpacking->options->output;
	struct stat status;
	const bool exists = !lstat(path, &status);
	if (exists && !S_ISDIR(status.st_mode))
		return error_set(error, GIM_E_ARGUMENT, "%s is no folder; name a new one, or one member with --member", path);
	char *parent = parent_of(path), *folder = NULL;
	const mode_t mask = umask(0);
	(void)umask(mask);
	int result = 0;
	if (!parent || asprintf(&folder, "%s/.gimstate-XXXXXX", parent) < 0) {
		folder = NULL;
		result = error_set(error, GIM_E_MEMORY, "out of memory");
	} else if ((result = make_temporary(folder, path, error))) {
		free(folder);
		folder = NULL;
	} else if (chmod(folder, exists ? status.st_mode & 07777 : 0777 & ~mask)) {
		result = fail_system(error, "cannot make a folder beside", path);
	}
	free(parent);
	unpacking->folder = folder;
	return result;
}

/* An empty folder of that name may be there before. */
static int rename_folder(const struct unpacking *unpacking, int folder, int parent, struct gim_error *error)
{
	const char *path = unpacking->options->output;
	if (parent < 0 || sync_folder(folder))
		return fail_system(error, "cannot write", path);
	sigset_t before;
	written_hold(&before);
	const int refused = rename(unpacking->folder, path), reason = errno;
	if (!refused)
		written_to_stay();
	written_resume(&before);
	errno = reason;
	if (refused)
		return errno == ENOTEMPTY || errno == EEXIST ? error_set(error, GIM_E_ARGUMENT, "%s exists, and is not empty", path)
		                                             : fail_system(error, "cannot rename the new folder to", path);
	return 0;
}

static int name_folder(struct unpacking *unpacking, struct gim_error *error)
{
	const char *path = unpacking->options->output;
	char *parent_path = parent_of(path);
	const int parent = parent_path ? open_folder(parent_path) : -1, folder = open_folder(unpacking->folder);
	int result = rename_folder(unpacking, folder, parent, error);
	if (!result) {
		free(unpacking->folder);
		unpacking->folder = NULL;
		if (sync_folder(parent))
			result = error_set(error, GIM_E_IO, "%s is written, but a loss of power may undo that: cannot sync its folder: %s",
			                   path, strerror(errno));
	}
	if (parent >= 0)
		(void)close(parent);
	if (folder >= 0)
		(void)close(folder);
	free(parent_path);
	return result;
}

static void discard(struct unpacking *unpacking)
{
	written_discard(&unpacking->output);
	if (unpacking->folder)
		(void)nftw(unpacking->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(unpacking->folder);
	unpacking->folder = NULL;
	written_to_stay();
}

/*
 * Members.
 */
static int commit(struct unpacking *unpacking, struct gim_error *error)
{
	return unpacking->output ? written_commit(&unpacking->output, error) : 0;
}

/* Begin the file of a member in the folder, with the folders on the way to it. */
static int begin_inside(struct unpacking *unpacking, const char *name, struct gim_error *error)
{
	char *path;
	if (asprintf(&path, "%s/%s", unpacking->folder, name) < 0)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	int result = 0;
	for (char *slash = path + strlen(unpacking->folder) + 1; !result && (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (!written_for_now(path))
			result = error_set(error, GIM_E_MEMORY, "out of memory");
		else if (mkdir(path, 0777) && errno != EEXIST)
			result = fail_system(error, "cannot make the folder", path);
		*slash = '/';
	}
	if (!result && !written_for_now(path))
		result = error_set(error, GIM_E_MEMORY, "out of memory");
	if (!result)
		result = written_new(path, false, &unpacking->output, error);
	free(path);
	return result;
}

static int begin(void *user, const char *name, uint64_t size_bytes, gim_sink_fn **sink, void **sink_user, struct gim_error *error)
{
	struct unpacking *unpacking = (struct unpacking *)user;
	const struct options *options = unpacking->options;
	if (options->member && strcmp(name, options->member) != 0)
		return 0;
	/* All of a member was read and found right when the next one begins. The one that is wanted by itself waits for the others. */
	int result = options->member ? 0 : commit(unpacking, error);
	if (!result)
		result = options->member ? written_new(options->output, options->force, &unpacking->output, error)
		                         : begin_inside(unpacking, name, error);
	if (result)
		return result;
	unpacking->found = true;
	(void)json_array_append_new(unpacking->members, json_pack("{s:s, s:I}", "name", name, "size_bytes", (json_int_t)size_bytes));
	*sink = gim_output_write;
	*sink_user = unpacking->output;
	return 0;
}

static int unpack(const char *file, struct unpacking *unpacking, struct gim_error *error)
{
	const struct options *options = unpacking->options;
	if (input_is(file, options->output))
		return error_set(error, GIM_E_ARGUMENT, "%s is the input itself: name another OUT", options->output);
	int result = options->member ? 0 : make_folder(unpacking, error);
	if (!result)
		result = gim_bundle_read(file, begin, unpacking, error);
	struct gim_error why = GIM_ERROR_INIT;
	if (result == GIM_E_STOPPED && unpacking->output && gim_output_failure(unpacking->output, &why))
		*error = why;
	if (!result && !unpacking->found)
		result = error_set(error, GIM_E_ARGUMENT, "the bundle has no member %s", options->member);
	if (!result)
		result = commit(unpacking, error);
	if (!result && unpacking->folder)
		result = name_folder(unpacking, error);
	discard(unpacking);
	return result;
}

int run_unpack(const struct options *options, int count, char **operands)
{
	(void)count;
	struct gim_error error = GIM_ERROR_INIT;
	struct unpacking unpacking = {.options = options};
	int status = EXIT_YES;
	if (!options->output)
		return usage_error(command_find("unpack"), options->json, "unpack needs -o OUT");
	unpacking.members = json_array();
	if (unpack(operands[0], &unpacking, &error))
		status = output_error(operands[0], &error, options->json);
	else if (options->json)
		output_document(json_pack("{s:o, s:o, s:O}", "file", json_text(operands[0]), "output", json_text(options->output),
		                          "members", unpacking.members),
		                false);
	else
		members_put(unpacking.members);
	json_decref(unpacking.members);
	return status;
}
