/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files without names. */
#include "spool.h"

#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *folder_of(void)
{
	const char *folder = getenv("TMPDIR");
	return folder && *folder ? folder : "/var/tmp";
}

/* Filesystems without O_TMPFILE give one that is unlinked at once. */
int spool_fd(struct gim_error *error)
{
	const char *folder = folder_of();
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		char *path;
		if (asprintf(&path, "%s/gimstate.XXXXXX", folder) < 0)
			return error_set(error, GIM_E_MEMORY, "out of memory"), -1;
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0)
			(void)unlink(path);
		free(path);
	}
	if (fd < 0)
		(void)error_set(error, GIM_E_IO, "cannot make a file in %s for what is set aside: %s (TMPDIR may name another folder)",
		                folder, strerror(errno));
	return fd;
}

static bool write_all(int fd, const char *bytes, size_t size)
{
	for (ssize_t written; size; bytes += written, size -= (size_t)written)
		if ((written = TEMP_FAILURE_RETRY(write(fd, bytes, size))) <= 0)
			return false;
	return true;
}

int spool_fill(int fd, int from, struct gim_error *error)
{
	char piece[1 << 16];
	ssize_t got;
	while ((got = TEMP_FAILURE_RETRY(read(from, piece, sizeof(piece)))) > 0)
		if (!write_all(fd, piece, (size_t)got))
			return error_set(error, GIM_E_IO,
			                 "cannot write to a file in %s for what is set aside: %s (TMPDIR may name another folder)",
			                 folder_of(), strerror(errno));
	return got < 0 ? error_set(error, GIM_E_IO, "cannot be read: %s", strerror(errno)) : 0;
}

FILE *spool_open(struct gim_error *error)
{
	const int fd = spool_fd(error);
	FILE *spool = fd >= 0 ? fdopen(fd, "w+") : NULL;
	if (fd >= 0 && !spool) {
		(void)close(fd);
		(void)error_set(error, GIM_E_MEMORY, "out of memory");
	}
	return spool;
}

static int fail(struct gim_error *error)
{
	return error_set(error, GIM_E_IO, "what was set aside in %s is lost: %s; the report is not whole", folder_of(),
	                 errno ? strerror(errno) : "it could not be written");
}

int spool_print_part(FILE *spool, uint64_t from, uint64_t size, FILE *stream, struct gim_error *error)
{
	char piece[1 << 14];
	errno = 0;
	if (fflush(spool) || ferror(spool))
		return fail(error);
	for (ssize_t got; size; size -= (uint64_t)got, from += (uint64_t)got) {
		got = pread(fileno(spool), piece, size < sizeof(piece) ? size : sizeof(piece), (off_t)from);
		if (got <= 0)
			return fail(error);
		(void)fwrite(piece, 1, (size_t)got, stream);
	}
	return 0;
}

int spool_print(FILE *spool, FILE *stream, struct gim_error *error)
{
	if (!spool) /* it could not be opened, which was told */
		return error->code;
	const off_t end = ftello(spool);
	return end < 0 ? fail(error) : spool_print_part(spool, 0, (uint64_t)end, stream, error);
}
