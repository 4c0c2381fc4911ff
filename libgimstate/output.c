/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing a file so that its name always stands for the whole old one or the whole new one: the new one is written without a name (or, where the
 * filesystem cannot do that, under one of its own), synced, and renamed. All names are looked up in the folder as it was opened, so that nobody can
 * lead them elsewhere by a symbolic link.
 */
#include "error.h"
#include "packed.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024, AHEAD_BYTES = 8 << 20, DIRECT_BYTES = 8 << 20, NEW_FILE_MODE = 0666, NAME_ATTEMPTS = 16 };

struct gim_output {
	char *path;         /* as it was given, for sentences */
	char *copy, *name;  /* name: the last component of copy */
	int folder, fd;     /* fd -1: closed */
	char temporary[32]; /* its name while it has one, or "" */
	bool replace;
	uint8_t *buffer;
	size_t buffered;
	struct gim_packer *packer; /* NULL: its name does not ask for one */
	struct gim_error packing;  /* what it failed with */
	uint64_t written, begun;   /* begun: what the disk was told to write already */
	bool direct;               /* written past the page cache, from the first place on */
	int failed;                /* errno of the first refused write, 0: none */
};

void gim_output_discard(struct gim_output **output)
{
	if (!output || !*output)
		return;
	if ((*output)->fd >= 0)
		(void)close((*output)->fd);
	if (*(*output)->temporary)
		(void)unlinkat((*output)->folder, (*output)->temporary, 0);
	if ((*output)->folder >= 0)
		(void)close((*output)->folder);
	gim_packer_discard(&(*output)->packer);
	free((*output)->buffer);
	free((*output)->copy);
	free((*output)->path);
	free(*output);
	*output = NULL;
}

void gim_output_abandon(const struct gim_output *output)
{
	if (*output->temporary)
		(void)unlinkat(output->folder, output->temporary, 0);
}

/*
 * The name.
 */
static int refuse(struct gim_error *error, const char *path, const char *why)
{
	return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "%s %s", path, why);
}

/* A symbolic link is neither replaced, which would cut off the file it stands for, nor followed, which may lead anywhere. */
static int check_target(const struct gim_output *output, bool *exists, mode_t *mode, struct gim_error *error)
{
	struct stat status;
	*mode = NEW_FILE_MODE;
	*exists = !fstatat(output->folder, output->name, &status, AT_SYMLINK_NOFOLLOW);
	if (!*exists)
		return 0;
	if (S_ISDIR(status.st_mode))
		return refuse(error, output->path, "is a directory; name a file in it");
	if (S_ISLNK(status.st_mode))
		return refuse(error, output->path, "is a symbolic link; name the file that it stands for");
	if (!S_ISREG(status.st_mode))
		return refuse(error, output->path, "is no regular file; name one");
	if (!output->replace)
		return refuse(error, output->path, "exists; --force overwrites it");
	*mode = status.st_mode & 0777;
	return 0;
}

static int open_folder(struct gim_output *output, struct gim_error *error)
{
	char *copy = strdup(output->path);
	if (!copy)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	const char *folder = dirname(copy);
	output->folder = (int)TEMP_FAILURE_RETRY(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const int reason = errno;
	free(copy);
	errno = reason;
	return output->folder < 0 ? gim_fail_errno(error, "cannot open the folder of %s", output->path) : 0;
}

/* A name that nothing in the folder has; the next attempt takes another one. */
static bool choose_temporary(struct gim_output *output)
{
	uint64_t random;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return false;
	(void)snprintf(output->temporary, sizeof(output->temporary), ".gimstate-%016llx", (unsigned long long)random);
	return true;
}

static int open_named(struct gim_output *output, mode_t mode, struct gim_error *error)
{
	for (unsigned attempt = 0; attempt < NAME_ATTEMPTS && choose_temporary(output); attempt++) {
		output->fd = (int)TEMP_FAILURE_RETRY(
		    openat(output->folder, output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
		if (output->fd >= 0)
			return 0;
		output->temporary[0] = '\0'; /* it is not ours */
		if (errno != EEXIST)
			break;
	}
	return gim_fail_errno(error, "cannot create a file beside %s", output->path);
}

/* A file without a name goes away with us, however we end; it gets one through /proc. */
static int open_temporary(struct gim_output *output, mode_t mode, struct gim_error *error)
{
	if (!access("/proc/self/fd", X_OK)) {
		output->fd = (int)TEMP_FAILURE_RETRY(openat(output->folder, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, mode));
		if (output->fd >= 0)
			return 0;
		if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)
			return gim_fail_errno(error, "cannot create a file beside %s", output->path);
	}
	return open_named(output, mode, error);
}

static int name_temporary(struct gim_output *output, struct gim_error *error)
{
	char self[64];
	if (*output->temporary)
		return 0;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", output->fd);
	for (unsigned attempt = 0; attempt < NAME_ATTEMPTS && choose_temporary(output); attempt++) {
		if (!linkat(AT_FDCWD, self, output->folder, output->temporary, AT_SYMLINK_FOLLOW))
			return 0;
		output->temporary[0] = '\0';
		if (errno != EEXIST)
			break;
	}
	return gim_fail_errno(error, "cannot create a file beside %s", output->path);
}

/*
 * Writing.
 */
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
		const ssize_t count = TEMP_FAILURE_RETRY(write(output->fd, bytes, size));
		if (count <= 0) {
			output->failed = count ? errno : ENOSPC;
			break;
		}
		bytes += count;
		size -= (size_t)count;
		output->written += (uint64_t)count;
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

/* gim_sink_fn: bytes as they stand in the file. */
static int put(void *user, const void *bytes, size_t size_bytes)
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

static int prepare(struct gim_output *output, struct gim_error *error)
{
	bool exists;
	mode_t mode;
	int result = open_folder(output, error);
	if (!result)
		result = check_target(output, &exists, &mode, error);
	if (!result)
		result = open_temporary(output, mode, error);
	const enum gim_filter filter = gim_filter_of(output->name);
	return result || filter == GIM_FILTER_NONE ? result : gim_packer_new(GIM_ARCHIVE_NONE, filter, put, output, &output->packer, error);
}

int gim_output_new(const char *path, bool replace, struct gim_output **output, struct gim_error *error)
{
	const size_t length = strlen(path);
	if (!length)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "an empty name is no file");
	if (path[length - 1] == '/')
		return refuse(error, path, "is a directory; name a file in it");
	struct gim_output *made = calloc(1, sizeof(*made));
	if (!made)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	made->folder = made->fd = -1;
	made->packing.offset = GIM_UNKNOWN;
	made->replace = replace;
	made->path = strdup(path);
	made->copy = strdup(path);
	made->buffer = malloc(BUFFER_BYTES);
	int result;
	if (!made->path || !made->copy || !made->buffer) {
		result = gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	} else {
		made->name = basename(made->copy);
		result = prepare(made, error);
	}
	if (result)
		gim_output_discard(&made);
	else
		*output = made;
	return result;
}

int gim_output_write(void *user, const void *bytes, size_t size_bytes)
{
	struct gim_output *output = (struct gim_output *)user;
	return output->packer ? gim_packer_write(output->packer, bytes, size_bytes, &output->packing) : put(output, bytes, size_bytes);
}

bool gim_output_is_packed(const struct gim_output *output)
{
	return output->packer;
}

/* From here on with the page cache. False: that was tried. */
static bool leave_direct(const struct gim_output *output, bool *left)
{
	const int flags = fcntl(output->fd, F_GETFL);
	if (!output->direct || *left || flags < 0)
		return false;
	*left = true;
	return !fcntl(output->fd, F_SETFL, flags & ~O_DIRECT);
}

int gim_output_write_at(struct gim_output *output, uint64_t offset, const void *bytes, size_t size_bytes, struct gim_error *error)
{
	const uint8_t *from = (const uint8_t *)bytes;
	bool left = false;
	while (size_bytes) {
		const ssize_t count = TEMP_FAILURE_RETRY(pwrite(output->fd, from, size_bytes, (off_t)offset));
		/* What is not of whole blocks, or stands at no border of one, or is on a filesystem that cannot do it. */
		if (count < 0 && errno == EINVAL && leave_direct(output, &left))
			continue;
		if (count <= 0) {
			errno = count ? errno : ENOSPC;
			return gim_fail_errno(error, "cannot write %s", output->path);
		}
		from += count;
		offset += (uint64_t)count;
		size_bytes -= (size_t)count;
	}
	return 0;
}

/*
 * What is as large as a guest's memory would push all else out of the page cache, and must be on the disk at the end in any case: a copy less, and no new page for
 * each old one, which is most of the work. With its size known, places in it can be written by several threads at once. Not every filesystem can do that.
 */
int gim_output_resize(struct gim_output *output, uint64_t size_bytes, struct gim_error *error)
{
	if (TEMP_FAILURE_RETRY(ftruncate(output->fd, (off_t)size_bytes)))
		return gim_fail_errno(error, "cannot write %s", output->path);
	const int flags = fcntl(output->fd, F_GETFL);
	output->direct = flags >= 0 && size_bytes >= DIRECT_BYTES && !fcntl(output->fd, F_SETFL, flags | O_DIRECT);
	return 0;
}

/*
 * Making it last.
 */
/* Owner and mode of the file that is replaced. Another's file can be replaced by whoever may write to the folder, but not be given back. */
static int keep_attributes(const struct gim_output *output)
{
	struct stat old, new;
	if (fstatat(output->folder, output->name, &old, AT_SYMLINK_NOFOLLOW))
		return 0;
	if (fstat(output->fd, &new))
		return -1;
	mode_t kept = 07777;
	if ((old.st_uid != new.st_uid || old.st_gid != new.st_gid) && fchown(output->fd, old.st_uid, old.st_gid))
		kept = 0777;
	return fchmod(output->fd, old.st_mode & kept);
}

/* The bytes are where they survive the loss of power, under a name of their own. */
static int settle(struct gim_output *output, struct gim_error *error)
{
	if (output->packer && !output->packing.code)
		(void)gim_packer_finish(&output->packer, &output->packing);
	int result = gim_output_failure(output, error);
	if (!result && flush(output))
		result = gim_output_failure(output, error);
	if (result)
		return result;
	if (keep_attributes(output))
		return gim_fail_errno(error, "cannot give the new file the owner and the mode of %s", output->path);
	if (TEMP_FAILURE_RETRY(fsync(output->fd)))
		return gim_fail_errno(error, "cannot write %s", output->path);
	result = name_temporary(output, error);
	if (result)
		return result;
	/* An interrupted close has closed. */
	const bool closed = !close(output->fd) || errno == EINTR;
	output->fd = -1;
	return closed ? 0 : gim_fail_errno(error, "cannot write %s", output->path);
}

/* Give it the name, which stands for nothing yet unless it may be replaced. */
static int take_name(struct gim_output *output, struct gim_error *error)
{
	bool exists;
	mode_t mode;
	int result = check_target(output, &exists, &mode, error);
	if (result)
		return result;
	const unsigned flags = exists ? 0 : RENAME_NOREPLACE;
	int refused = renameat2(output->folder, output->temporary, output->folder, output->name, flags);
	if (refused && flags && (errno == EINVAL || errno == ENOSYS)) /* not every filesystem can do that */
		refused = renameat(output->folder, output->temporary, output->folder, output->name);
	if (refused)
		return gim_fail_errno(error, "cannot rename the new file to %s", output->path);
	output->temporary[0] = '\0';
	return 0;
}

static int finish(struct gim_output *output, struct gim_error *error)
{
	int result = settle(output, error);
	if (!result)
		result = take_name(output, error);
	/* The folder's entry must last too, else the new name can be lost with the power. */
	if (!result && TEMP_FAILURE_RETRY(fsync(output->folder)) && errno != EINVAL)
		result = gim_fail_errno(error, "%s is written, but a loss of power may undo that: cannot sync its folder", output->path);
	return result;
}

int gim_output_failure(const struct gim_output *output, struct gim_error *error)
{
	if (output->packing.code && !output->failed)
		return gim_fail_as(error, &output->packing);
	if (!output->failed)
		return 0;
	errno = output->failed;
	return gim_fail_errno(error, "cannot write %s", output->path);
}

int gim_output_commit(struct gim_output **output, struct gim_error *error)
{
	int result = finish(*output, error);
	gim_output_discard(output);
	return result;
}
