/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Stands between the command and the system calls by which it writes files (linked with --wrap), writes each down, and makes one of them fail.
 *
 *   FAULT=N:WHAT  the Nth of them fails: WHAT is an error's number, "short" (a write takes one byte only) or "kill" (SIGKILL comes instead)
 *   FAULT_LOG=F   the name of each is a line of the file F
 *   FAULT_OLD=1   the filesystem knows neither files without a name nor renames that replace nothing
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRAP(type, name, ...)                                                                                                              \
	type __real_##name(__VA_ARGS__);                                                                                                   \
	type __wrap_##name(__VA_ARGS__);                                                                                                   \
	type __wrap_##name(__VA_ARGS__)

int __real_open(const char *path, int flags, ...);
int __real_openat(int folder, const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *bytes, size_t size);
int __real_close(int fd);
int __wrap_open(const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...);

static unsigned count;

static void write_down(const char *name)
{
	const char *path = getenv("FAULT_LOG");
	const int log = path ? __real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
	char line[64];
	if (log < 0)
		return;
	(void)snprintf(line, sizeof(line), "%s\n", name);
	(void)!__real_write(log, line, strlen(line));
	(void)__real_close(log);
}

/* Is it this call's turn? errno is what it is to fail with, 0: it is to be short. */
static bool fails(const char *name)
{
	const char *fault = getenv("FAULT");
	const int before = errno;
	write_down(name);
	errno = before;
	count++;
	if (!fault || (unsigned)atoi(fault) != count)
		return false;
	const char *what = strchr(fault, ':') + 1;
	if (!strcmp(what, "kill"))
		(void)raise(SIGKILL);
	errno = atoi(what); /* "short" is 0 */
	return errno || !strcmp(name, "write");
}

static bool is_old(void)
{
	return getenv("FAULT_OLD");
}

static mode_t mode_of(int flags, va_list arguments)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

int __wrap_open(const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	const mode_t mode = mode_of(flags, arguments);
	va_end(arguments);
	return fails("open") ? -1 : __real_open(path, flags, mode);
}

int __wrap_openat(int folder, const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	const mode_t mode = mode_of(flags, arguments);
	va_end(arguments);
	if (fails("openat"))
		return -1;
	if (is_old() && (flags & O_TMPFILE) == O_TMPFILE)
		return errno = EOPNOTSUPP, -1;
	return __real_openat(folder, path, flags, mode);
}

WRAP(ssize_t, write, int fd, const void *bytes, size_t size)
{
	if (!fails("write"))
		return __real_write(fd, bytes, size);
	return errno ? -1 : __real_write(fd, bytes, size != 0);
}

WRAP(int, fsync, int fd)
{
	return fails("fsync") ? -1 : __real_fsync(fd);
}

WRAP(int, fchmod, int fd, mode_t mode)
{
	return fails("fchmod") ? -1 : __real_fchmod(fd, mode);
}

/* It closes all the same. */
WRAP(int, close, int fd)
{
	const bool failed = fails("close");
	const int reason = errno, result = __real_close(fd);
	return failed ? errno = reason, -1 : result;
}

WRAP(int, linkat, int from, const char *old, int to, const char *new, int flags)
{
	return fails("linkat") ? -1 : __real_linkat(from, old, to, new, flags);
}

WRAP(int, chmod, const char *path, mode_t mode)
{
	return fails("chmod") ? -1 : __real_chmod(path, mode);
}

WRAP(int, mkdir, const char *path, mode_t mode)
{
	return fails("mkdir") ? -1 : __real_mkdir(path, mode);
}

WRAP(int, rename, const char *old, const char *new)
{
	return fails("rename") ? -1 : __real_rename(old, new);
}

WRAP(int, renameat, int from, const char *old, int to, const char *new)
{
	return fails("renameat") ? -1 : __real_renameat(from, old, to, new);
}

WRAP(int, renameat2, int from, const char *old, int to, const char *new, unsigned flags)
{
	if (fails("renameat2"))
		return -1;
	return is_old() && flags ? errno = EINVAL, -1 : __real_renameat2(from, old, to, new, flags);
}
