/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing a file so that its name always stands for the whole old one or the whole new one: a temporary beside it, synced, renamed. */
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024, AHEAD_BYTES = 8 << 20 };

struct gim_output {
	char *path, *temporary;
	int fd;
	bool replace;
	uint8_t *buffer;
	size_t buffered;
	uint64_t written, begun; /* begun: what the disk was told to write already */
	int failed;              /* errno of the first refused write, 0: none */
};

void gim_output_discard(struct gim_output **output)
{
	if (!output || !*output)
		return;
	if ((*output)->fd >= 0) {
		(void)close((*output)->fd);
		(void)unlink((*output)->temporary);
	}
	free((*output)->buffer);
	free((*output)->temporary);
	free((*output)->path);
	free(*output);
	*output = NULL;
}

static int check_target(const char *path, bool replace, struct gim_error *error)
{
	struct stat status;
	if (!*path)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "an empty name is no file");
	if (lstat(path, &status))
		return 0;
	if (S_ISDIR(status.st_mode))
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "%s is a directory; name a file in it", path);
	if (!S_ISREG(status.st_mode))
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "%s is no regular file; name one", path);
	if (!replace)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "%s exists; --force overwrites it", path);
	return 0;
}

int gim_output_new(const char *path, bool replace, struct gim_output **output, struct gim_error *error)
{
	int result = check_target(path, replace, error);
	if (result)
		return result;
	struct gim_output *made = calloc(1, sizeof(*made));
	if (!made)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	made->fd = -1;
	made->replace = replace;
	made->path = strdup(path);
	made->buffer = malloc(BUFFER_BYTES);
	if (!made->path || !made->buffer || asprintf(&made->temporary, "%s.XXXXXX", path) < 0) {
		made->temporary = NULL;
		result = gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	} else if ((made->fd = mkostemp(made->temporary, O_CLOEXEC)) < 0) {
		result = gim_fail_errno(error, "cannot create a file beside %s", path);
	}
	if (result)
		gim_output_discard(&made);
	else
		*output = made;
	return result;
}

/* The disk works while we do, so that the sync at the end need not wait for all of it. Only a hint. */
static void begin_writing(struct gim_output *output)
{
	if (output->written - output->begun < AHEAD_BYTES)
		return;
	(void)sync_file_range(output->fd, (off_t)output->begun, (off_t)(output->written - output->begun), SYNC_FILE_RANGE_WRITE);
	output->begun = output->written;
}

static int write_all(struct gim_output *output, const uint8_t *bytes, size_t size)
{
	while (size && !output->failed) {
		const ssize_t count = write(output->fd, bytes, size);
		if (count < 0 && errno != EINTR)
			output->failed = errno;
		if (count > 0) {
			bytes += count;
			size -= (size_t)count;
			output->written += (uint64_t)count;
		}
	}
	begin_writing(output);
	return output->failed;
}

static int flush(struct gim_output *output)
{
	const size_t size = output->buffered;
	output->buffered = 0;
	return write_all(output, output->buffer, size);
}

int gim_output_write(void *user, const void *bytes, size_t size_bytes)
{
	struct gim_output *output = (struct gim_output *)user;
	if (output->failed)
		return output->failed;
	if (output->buffered + size_bytes > BUFFER_BYTES && flush(output))
		return output->failed;
	if (size_bytes >= BUFFER_BYTES)
		return write_all(output, bytes, size_bytes);
	if (size_bytes)
		memcpy(output->buffer + output->buffered, bytes, size_bytes);
	output->buffered += size_bytes;
	return 0;
}

/* A file that is replaced keeps its mode, a new one gets what the process gives new files. */
static mode_t mode_of(const char *path)
{
	struct stat status;
	const mode_t mask = umask(0);
	(void)umask(mask);
	return stat(path, &status) ? 0666 & ~mask : status.st_mode & 07777;
}

/* The folder's entry must last too, else the new name can be lost with the power. */
static int sync_folder(const char *path)
{
	char *copy = strdup(path);
	const int folder = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	const int result = folder < 0 ? -1 : fsync(folder);
	const int reason = errno;
	if (folder >= 0)
		(void)close(folder);
	free(copy);
	errno = reason;
	return result;
}

static int finish(struct gim_output *output, struct gim_error *error)
{
	if (output->failed || flush(output)) {
		errno = output->failed;
		return gim_fail_errno(error, "cannot write %s", output->path);
	}
	if (fchmod(output->fd, mode_of(output->path)) || fsync(output->fd))
		return gim_fail_errno(error, "cannot write %s", output->path);
	int result = check_target(output->path, output->replace, error);
	if (result)
		return result;
	if (rename(output->temporary, output->path))
		return gim_fail_errno(error, "cannot rename it to %s", output->path);
	(void)close(output->fd);
	output->fd = -1; /* the temporary has no name of its own any more */
	if (sync_folder(output->path))
		return gim_fail_errno(error, "cannot sync the folder of %s", output->path);
	return 0;
}

int gim_output_commit(struct gim_output **output, struct gim_error *error)
{
	int result = finish(*output, error);
	gim_output_discard(output);
	return result;
}
