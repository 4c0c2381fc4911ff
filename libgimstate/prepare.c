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

/* A pipe cannot be looked at without reading it. */
static enum need need_of_file(int fd)
{
	uint8_t head[GIM_HEAD_BYTES];
	struct gim_input input;
	size_t size;
	const bool refused =
	    gim_input_open_fd(&input, fd, NULL) || !input.seekable || gim_input_read(&input, 0, head, sizeof(head), &size, NULL);
	return refused ? LIBRARIES : need_of(head, size);
}

static enum need need_of_path(const char *path)
{
	const size_t length = gim_path_file(path);
	if (path[length])
		return LIBRARIES;
	if (!strcmp(path, "-"))
		return need_of_file(STDIN_FILENO);
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
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
