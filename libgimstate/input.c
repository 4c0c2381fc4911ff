/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a container's bytes by pread, never by mapping: a file that shrinks under us is a short read, not a signal. */
#include "input.h"

#include "error.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int gim_input_open_fd(struct gim_input *input, int fd, struct gim_error *error)
{
	struct stat status;
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

int gim_input_open(struct gim_input *input, const char *path, struct gim_error *error)
{
	if (!strcmp(path, "-"))
		return gim_input_open_fd(input, STDIN_FILENO, error);
	int fd = (int)TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
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

void gim_input_open_memory(struct gim_input *input, const void *bytes, size_t size_bytes)
{
	*input = (struct gim_input){.fd = -1, .seekable = true, .size = size_bytes, .memory = bytes};
}

void gim_input_close(struct gim_input *input)
{
	if (input->owned)
		(void)close(input->fd);
	*input = (struct gim_input){.fd = -1};
}

static int read_fully(struct gim_input *input, uint64_t offset, char *bytes, size_t size_bytes, size_t *got, struct gim_error *error)
{
	size_t done = 0;
	while (done < size_bytes) {
		ssize_t count = input->seekable ? pread(input->fd, bytes + done, size_bytes - done, (off_t)(offset + done))
		                                : read(input->fd, bytes + done, size_bytes - done);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return gim_fail_errno(error, "cannot read %zu bytes at byte 0x%llx", size_bytes - done,
			                      (unsigned long long)(offset + done));
		if (count == 0)
			break;
		done += (size_t)count;
	}
	*got = done;
	return 0;
}

int gim_input_read(struct gim_input *input, uint64_t offset, void *bytes, size_t size_bytes, size_t *got, struct gim_error *error)
{
	if (input->fd < 0) {
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
		return gim_fail(error, GIM_E_UNSUPPORTED, offset, "standard input can only be read forward; give a file instead");
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
