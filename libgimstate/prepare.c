/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading ahead what reading a file may take, for a program that gives up its rights before it reads. */
#include "digest.h"
#include "error.h"
#include "input.h"
#include "layer.h"
#include "packed.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum need { NOTHING, A_COPY, LIBRARIES };

/* By its first bytes alone. */
static enum need need_of(const uint8_t *head, size_t size)
{
	if (gim_layer_find(head, size, false))
		return LIBRARIES;
	for (const struct gim_format *const *format = gim_formats; *format; format++)
		if (((*format)->packed || (*format)->copied) && (*format)->bid(head, size) > 0)
			return (*format)->packed ? LIBRARIES : A_COPY;
	return NOTHING;
}

/* A pipe cannot be looked at without reading it. Nothing but this reads a file before rights are given up, and it is no more than these bytes. */
static enum need need_of_file(int fd)
{
	uint8_t head[GIM_HEAD_BYTES];
	struct stat status;
	size_t size = 0;
	ssize_t count = !fstat(fd, &status) && S_ISREG(status.st_mode) ? 1 : -1;
	while (count > 0 && size < sizeof(head)) {
		count = TEMP_FAILURE_RETRY(pread(fd, head + size, sizeof(head) - size, (off_t)size));
		size += count > 0 ? (size_t)count : 0;
	}
	return count < 0 ? LIBRARIES : need_of(head, size);
}

static enum need need_of_path(const char *path)
{
	const size_t length = gim_path_file(path);
	if (path[length])
		return LIBRARIES;
	if (!strcmp(path, "-"))
		return need_of_file(STDIN_FILENO);
	const int fd = (int)TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
	const enum need need = fd >= 0 ? need_of_file(fd) : NOTHING;
	if (fd >= 0)
		(void)close(fd);
	return need;
}

int gim_prepare(const char *path, struct gim_error *error)
{
	const enum need need = path ? need_of_path(path) : LIBRARIES;
	if (need != LIBRARIES)
		return need == A_COPY;
	int result = gim_packed_load(error);
	if (!result)
		result = gim_digest_load(error);
	for (const struct gim_layer_kind *const *each = gim_layers; !result && *each; each++)
		result = (*each)->load ? (*each)->load(error) : 0;
	return result ? result : 1;
}
