/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a program must load before it gives up its rights is told by the first bytes of what it will read, and by its path. */
#include "gimstate.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/gimstate-prepare-XXXXXX";

/* A file that begins with these bytes. */
static const char *file_of(const void *bytes, size_t size)
{
	static char path[sizeof(folder) + 8];
	(void)snprintf(path, sizeof(path), "%s/file", folder);
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	assert_int_equal(close(fd), 0);
	return path;
}

static void by_first_bytes(void **unused)
{
	(void)unused;
	static const struct {
		const char *what, *bytes;
		size_t size;
		int needed;
	} files[] = {
	    {"nothing", "", 0, 0},
	    {"VirtualBox's container", "\177VirtualBox SavedState V2.0\n\0\0\0\0\0", 32, 0},
	    {"no format", "what is this?", 13, 0},
	    {"gzip", "\037\213\010\0\0\0\0\0\0\3", 10, 1},
	    {"zstd", "\050\265\057\375\4\0", 6, 1},
	    {"xz", "\3757zXZ\0", 6, 1},
	    {"a disk image", "QFI\373\0\0\0\3", 8, 1},
	    {"a migration stream, which may be a pipe's", "QEVM\0\0\0\3", 8, 1},
	};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct gim_error error = GIM_ERROR_INIT;
		const int needed = gim_prepare(file_of(files[i].bytes, files[i].size), &error);
		if (needed != files[i].needed)
			fail_msg("%s: %d, %d is expected %s", files[i].what, needed, files[i].needed, error.text);
	}
}

static void by_path(void **unused)
{
	(void)unused;
	char path[sizeof(folder) + 16];
	/* Some names are those of files that are written later, and of none at all. */
	(void)snprintf(path, sizeof(path), "%s/missing", folder);
	assert_int_equal(gim_prepare(path, NULL), 0);
	assert_int_equal(gim_prepare(folder, NULL), 1);
	/* A part of a file, whatever that is. */
	(void)snprintf(path, sizeof(path), "%s//part", file_of("what is this?", 13));
	assert_int_equal(gim_prepare(path, NULL), 1);
	/* A pipe, which nobody writes to: it is not waited for. */
	(void)snprintf(path, sizeof(path), "%s/pipe", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(gim_prepare(path, NULL), 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(gim_prepare(NULL, NULL), 1);
}

static void standard_input(void **unused)
{
	(void)unused;
	const int kept = dup(STDIN_FILENO), fd = open(file_of("what is this?", 13), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
	assert_int_equal(gim_prepare("-", NULL), 0);
	assert_int_equal(lseek(STDIN_FILENO, 0, SEEK_CUR), 0); /* what is read is still there to read */
	assert_int_equal(close(fd), 0);
	int ends[2];
	char first = 0;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_true(dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
	assert_int_equal(gim_prepare("-", NULL), 1);
	assert_true(read(STDIN_FILENO, &first, 1) == 1 && first == 'x');
	(void)close(ends[0]);
	(void)close(ends[1]);
	(void)(kept >= 0 ? dup2(kept, STDIN_FILENO) : close(STDIN_FILENO));
	(void)close(kept);
}

static int make_folder(void **unused)
{
	(void)unused;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **unused)
{
	(void)unused;
	(void)unlink(file_of("", 0));
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(by_first_bytes), cmocka_unit_test(by_path), cmocka_unit_test(standard_input)};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
