/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading ahead what reading a file may take, for a program that gives up its rights before it reads. */
#include "digest.h"
#include "error.h"
#include "input.h"
#include "layer.h"
#include "packed.h"
#include "state.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* By its first bytes alone. */
static bool is_packed(const uint8_t *head, size_t size)
{
	if (gim_layer_find(head, size, false))
		return true;
	for (const struct gim_format *const *format = gim_formats; *format; format++)
		if ((*format)->packed && (*format)->bid(head, size) > 0)
			return true;
	return false;
}

/* A pipe cannot be looked at without reading it. */
static bool may_be_packed(int fd)
{
	uint8_t head[GIM_HEAD_BYTES];
	struct stat status;
	const ssize_t size = !fstat(fd, &status) && S_ISREG(status.st_mode) ? pread(fd, head, sizeof(head), 0) : -1;
	return size < 0 || is_packed(head, (size_t)size);
}

static bool path_may_be_packed(const char *path)
{
	const size_t length = gim_path_file(path);
	if (path[length])
		return true;
	if (!strcmp(path, "-"))
		return may_be_packed(STDIN_FILENO);
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const bool packed = fd >= 0 && may_be_packed(fd);
	if (fd >= 0)
		(void)close(fd);
	return packed;
}

int gim_prepare(const char *path, struct gim_error *error)
{
	if (path && !path_may_be_packed(path))
		return 0;
	int result = gim_packed_load(error);
	if (!result)
		result = gim_digest_load(error);
	for (const struct gim_layer_kind *const *each = gim_layers; !result && *each; each++)
		result = (*each)->load ? (*each)->load(error) : 0;
	return result ? result : 1;
}
