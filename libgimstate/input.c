/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a container's bytes by pread, never by mapping: a file that shrinks under us is a short read, not a signal. */
#include "input.h"

#include "error.h"
#include "layer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int gim_input_open_fd(struct gim_input *input, int fd, struct gim_error *error)
{
	struct stat status;
	*input = (struct gim_input){.fd = -1};
	if (fstat(fd, &status))
		return gim_fail_errno(error, "cannot look at the file");
	if (S_ISDIR(status.st_mode))
		return gim_fail(error, GIM_E_FORMAT, GIM_UNKNOWN, "this is a directory; name a saved-state file in it");
	bool regular = S_ISREG(status.st_mode);
	*input = (struct gim_input){
	    .fd = fd,
	    .seekable = regular,
	    .size = regular ? (uint64_t)status.st_size : GIM_UNKNOWN,
	};
	return 0;
}

/*
 * Paths.
 */
size_t gim_path_file(const char *path)
{
	struct stat status;
	const size_t length = strlen(path);
	if (!strstr(path, "//") || !stat(path, &status))
		return length;
	for (const char *at = path; (at = strstr(at, "//")); at += 2) {
		char *file = strndup(path, (size_t)(at - path));
		const bool ends = file && (!strcmp(file, "-") || (!stat(file, &status) && !S_ISDIR(status.st_mode)));
		free(file);
		if (ends)
			return (size_t)(at - path);
	}
	return length;
}

static int open_file(struct gim_input *input, const char *path, struct gim_error *error)
{
	*input = (struct gim_input){.fd = -1};
	if (!strcmp(path, "-"))
		return gim_input_open_fd(input, STDIN_FILENO, error);
	const int fd = (int)TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
	if (fd < 0)
		return gim_fail_errno(error, "cannot open it");
	int result = gim_input_open_fd(input, fd, error);
	if (result) {
		(void)close(fd);
		return result;
	}
	input->owned = true;
	return 0;
}

/* A path with its // cut apart: the file, the member of it, a member of that… */
static int open_parts(struct gim_input *input, char *parts, size_t file_length, struct gim_error *error)
{
	enum { DEPTH_MAX = 4 };
	char *member = parts + file_length;
	*member = '\0';
	int result = open_file(input, parts, error);
	for (unsigned depth = 0; !result && member; depth++) {
		char *name = member + 2, *next = strstr(name, "//");
		if (next)
			*next = '\0';
		if (depth == DEPTH_MAX) {
			gim_input_close(input);
			return gim_fail(error, GIM_E_LIMIT, GIM_UNKNOWN, "parts in more than %u others are not opened: take them out first",
			                DEPTH_MAX);
		}
		result = gim_input_member(input, name, error);
		member = next;
	}
	return result;
}

int gim_input_open(struct gim_input *input, const char *path, struct gim_error *error)
{
	const size_t file_length = gim_path_file(path);
	if (!path[file_length])
		return open_file(input, path, error);
	char *parts = strdup(path);
	if (!parts)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	int result = open_parts(input, parts, file_length, error);
	free(parts);
	return result;
}

void gim_input_open_memory(struct gim_input *input, const void *bytes, size_t size_bytes)
{
	*input = (struct gim_input){.fd = -1, .seekable = true, .size = size_bytes, .memory = bytes};
}

void gim_input_close(struct gim_input *input)
{
	if (input->owned)
		(void)close(input->fd);
	gim_layer_free(input->layer);
	*input = (struct gim_input){.fd = -1};
}

/*
 * Reading.
 */
static int read_fully(struct gim_input *input, uint64_t offset, char *bytes, size_t size_bytes, size_t *got, struct gim_error *error)
{
	size_t done = 0;
	if (input->fd < 0)
		return input->layer->kind->read(input->layer, offset, bytes, size_bytes, got, error);
	while (done < size_bytes) {
		ssize_t count = input->seekable ? pread(input->fd, bytes + done, size_bytes - done, (off_t)(offset + done))
		                                : read(input->fd, bytes + done, size_bytes - done);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return gim_fail_errno(error, "cannot read %zu bytes at byte 0x%llx", size_bytes - done,
			                      (unsigned long long)(offset + done));
		if (count == 0 && input->seekable && offset + done < input->size)
			return gim_fail(error, GIM_E_IO, offset + done, "the file has become shorter while it was read: it had %llu bytes",
			                (unsigned long long)input->size);
		if (count == 0)
			break;
		done += (size_t)count;
	}
	*got = done;
	return 0;
}

int gim_input_read(struct gim_input *input, uint64_t offset, void *bytes, size_t size_bytes, size_t *got, struct gim_error *error)
{
	if (input->fd < 0 && !input->layer) {
		uint64_t left = offset < input->size ? input->size - offset : 0;
		size_t size = left < size_bytes ? (size_t)left : size_bytes;
		if (size)
			memcpy(bytes, input->memory + offset, size);
		*got = size;
		return 0;
	}
	if (input->seekable)
		return read_fully(input, offset, bytes, size_bytes, got, error);
	if (offset != input->position)
		return gim_fail(error, GIM_E_UNSUPPORTED, offset, "a stream can only be read forward; give a file instead");
	size_t peeked = 0;
	if (offset < input->head_size) {
		peeked = input->head_size - (size_t)offset;
		peeked = peeked < size_bytes ? peeked : size_bytes;
		memcpy(bytes, input->head + offset, peeked);
	}
	size_t more = 0;
	int result = read_fully(input, offset + peeked, (char *)bytes + peeked, size_bytes - peeked, &more, error);
	if (result)
		return result;
	input->position += peeked + more;
	*got = peeked + more;
	return 0;
}

int gim_input_peek(struct gim_input *input, uint8_t *bytes, size_t size_bytes, size_t *got, struct gim_error *error)
{
	assert(size_bytes <= sizeof(input->head) && !input->position);
	if (input->seekable)
		return gim_input_read(input, 0, bytes, size_bytes, got, error);
	int result = read_fully(input, 0, (char *)input->head, size_bytes, &input->head_size, error);
	if (result)
		return result;
	memcpy(bytes, input->head, input->head_size);
	*got = input->head_size;
	return 0;
}

/*
 * Files without a name.
 */
/* Where there may be much room. */
static const char *scratch_folder(void)
{
	const char *wanted = secure_getenv("TMPDIR");
	return wanted && *wanted ? wanted : "/var/tmp";
}

int gim_unnamed_open(struct gim_error *error)
{
	const char *folder = scratch_folder();
	char *path = NULL;
	int fd = (int)TEMP_FAILURE_RETRY(open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL) && asprintf(&path, "%s/gimstate-XXXXXX", folder) > 0) {
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0)
			(void)unlink(path);
		free(path);
	}
	return fd < 0 ? gim_fail_errno(error, "cannot make a file in %s for unpacking it (TMPDIR may name another folder)", folder) : fd;
}

int gim_unnamed_write(int fd, const void *bytes, size_t size_bytes, struct gim_error *error)
{
	for (size_t done = 0; done < size_bytes;) {
		const ssize_t count = TEMP_FAILURE_RETRY(write(fd, (const char *)bytes + done, size_bytes - done));
		if (count <= 0) {
			errno = count ? errno : ENOSPC;
			return gim_fail_errno(error, "cannot write to a file in %s for unpacking it (TMPDIR may name another folder)",
			                      scratch_folder());
		}
		done += (size_t)count;
	}
	return 0;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	return !size || (!bytes[0] && !memcmp(bytes, bytes + 1, size - 1));
}

/* A piece of the copy, or a hole. */
static int put_piece(int fd, const uint8_t *bytes, size_t size, struct gim_error *error)
{
	if (is_zero(bytes, size) && lseek(fd, (off_t)size, SEEK_CUR) >= 0)
		return 0;
	return gim_unnamed_write(fd, bytes, size, error);
}

static int copy_stream(struct gim_input *input, int fd, struct gim_error *error)
{
	enum { PIECE_BYTES = 256 * 1024 };
	uint8_t *piece = malloc(PIECE_BYTES);
	size_t got = PIECE_BYTES;
	int result = piece ? 0 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	while (!result && got == PIECE_BYTES) {
		result = gim_input_read(input, input->position, piece, PIECE_BYTES, &got, error);
		if (!result)
			result = put_piece(fd, piece, got, error);
	}
	free(piece);
	if (!result && TEMP_FAILURE_RETRY(ftruncate(fd, (off_t)input->position)))
		result = gim_fail_errno(error, "cannot write to a file in %s for unpacking it (TMPDIR may name another folder)",
		                        scratch_folder());
	return result;
}

int gim_input_settle(struct gim_input *input, struct gim_error *error)
{
	if (input->seekable)
		return 0;
	const int fd = gim_unnamed_open(error);
	if (fd < 0)
		return fd;
	int result = copy_stream(input, fd, error);
	struct gim_input copy;
	if (!result)
		result = gim_input_open_fd(&copy, fd, error);
	if (result) {
		(void)close(fd);
		return result;
	}
	copy.owned = true;
	copy.base = input->base;
	copy.layer = input->layer; /* what it says stays known */
	input->layer = NULL;
	gim_input_close(input);
	*input = copy;
	return 0;
}
