/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Is preloaded into the command, and stands between it and the calls by which it reads and writes files and gets memory: it counts them, and makes some of them
 * fail, as the plan says that it shares with a test. It opens nothing and signals only its own process, so that it works in the sandbox.
 */
#include "plan.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static struct fault_plan *plan;
static _Thread_local unsigned loading; /* the C library loads another, which it cannot always do without memory, nor say so */

#define X(name) static __typeof__(name) *real_##name;
FAULT_CALLS(X)
#undef X

__attribute__((constructor)) static void begin(void)
{
	const char *number = getenv(FAULT_PLAN);
	/* POSIX has it that a function's address can be had as an object's. */
#define X(name) *(void **)&real_##name = dlsym(RTLD_NEXT, #name);
	FAULT_CALLS(X)
#undef X
	void *shared = number ? mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, atoi(number), 0) : MAP_FAILED;
	if (shared == MAP_FAILED)
		return;
	plan = shared;
	plan->begun = 1;
}

/* Now it goes wrong: a debugger's breakpoint. */
__attribute__((noinline)) static void strike(void)
{
	__asm__ volatile("");
}

/* Is it this call's turn to fail? errno is what it is to fail with, 0: it is to be short. */
static bool fails(enum fault_call call)
{
	if (!plan || !(plan->calls & 1u << call) || loading)
		return false;
	const uint32_t number = atomic_fetch_add(&plan->count, 1) + 1;
	if (number <= sizeof(plan->log))
		plan->log[number - 1] = (uint8_t)call;
	if (!plan->first || number < plan->first || (number != plan->first && (!plan->every || (number - plan->first) % plan->every != 0)))
		return false;
	const int before = errno;
	strike();
	if (plan->what >= FAULT_SIGNAL)
		(void)syscall(SYS_tgkill, getpid(), getpid(), plan->what - FAULT_SIGNAL); /* its first thread */
	if (plan->what == FAULT_SHRINK)
		(void)real_ftruncate(plan->input, plan->input_bytes);
	errno = before;
	if (plan->what >= FAULT_SIGNAL || plan->what == FAULT_SHRINK)
		return false;
	if (plan->what == FAULT_SHORT)
		return errno = 0,
		       call == CALL_read || call == CALL_pread || call == CALL_write || call == CALL_pwrite || call == CALL_writev;
	return errno = plan->what, true;
}

/* Names that a build with files of any size asks for are the same. */
#define ALSO(name, type, ...) type name##64(__VA_ARGS__) __attribute__((alias(#name)))

static mode_t mode_of(int flags, va_list arguments)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

/* What the sandbox looks at before it closes is only named, or opened without waiting; nothing depends on it, nor on what is no file. */
static bool is_input(const char *path, int flags)
{
	const size_t length = strlen(path);
	const bool coverage = length >= 5 && !strcmp(path + length - 5, ".gcda"); /* of a build that counts it */
	return !(flags & (O_PATH | O_NONBLOCK)) && !coverage && (strncmp(path, "/dev/", 5) != 0 || !strncmp(path, "/dev/shm/", 9));
}

int open(const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	const mode_t mode = mode_of(flags, arguments);
	va_end(arguments);
	if (is_input(path, flags) && fails(CALL_open))
		return -1;
	if (plan && plan->old && (flags & O_TMPFILE) == O_TMPFILE)
		return errno = EOPNOTSUPP, -1;
	return real_open(path, flags, mode);
}
ALSO(open, int, const char *, int, ...);

int openat(int folder, const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	const mode_t mode = mode_of(flags, arguments);
	va_end(arguments);
	if (fails(CALL_openat))
		return -1;
	if (plan && plan->old && (flags & O_TMPFILE) == O_TMPFILE)
		return errno = EOPNOTSUPP, -1;
	return real_openat(folder, path, flags, mode);
}
ALSO(openat, int, int, const char *, int, ...);

ssize_t read(int fd, void *bytes, size_t size)
{
	if (!fails(CALL_read))
		return real_read(fd, bytes, size);
	return errno ? -1 : real_read(fd, bytes, size != 0);
}

ssize_t pread(int fd, void *bytes, size_t size, off_t offset)
{
	if (!fails(CALL_pread))
		return real_pread(fd, bytes, size, offset);
	return errno ? -1 : real_pread(fd, bytes, size != 0, offset);
}
ALSO(pread, ssize_t, int, void *, size_t, off_t);

ssize_t write(int fd, const void *bytes, size_t size)
{
	if (fd <= STDERR_FILENO || !fails(CALL_write))
		return real_write(fd, bytes, size);
	return errno ? -1 : real_write(fd, bytes, size != 0);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	if (!fails(CALL_pwrite))
		return real_pwrite(fd, bytes, size, offset);
	return errno ? -1 : real_pwrite(fd, bytes, size != 0, offset);
}
ALSO(pwrite, ssize_t, int, const void *, size_t, off_t);

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
	if (!fails(CALL_writev))
		return real_writev(fd, pieces, count);
	return errno ? -1 : real_write(fd, pieces->iov_base, 1);
}

int fsync(int fd)
{
	return fails(CALL_fsync) ? -1 : real_fsync(fd);
}

int ftruncate(int fd, off_t size)
{
	return fails(CALL_ftruncate) ? -1 : real_ftruncate(fd, size);
}
ALSO(ftruncate, int, int, off_t);

int fchmod(int fd, mode_t mode)
{
	return fails(CALL_fchmod) ? -1 : real_fchmod(fd, mode);
}

int chmod(const char *path, mode_t mode)
{
	return fails(CALL_chmod) ? -1 : real_chmod(path, mode);
}

/* It closes all the same. What was only named does not count here either. */
int close(int fd)
{
	const int flags = fcntl(fd, F_GETFL);
	const bool failed = flags >= 0 && !(flags & (O_PATH | O_NONBLOCK)) && fails(CALL_close);
	const int reason = errno, result = real_close(fd);
	return failed ? errno = reason, -1 : result;
}

int linkat(int from, const char *old, int to, const char *new, int flags)
{
	return fails(CALL_linkat) ? -1 : real_linkat(from, old, to, new, flags);
}

int rename(const char *old, const char *new)
{
	return fails(CALL_rename) ? -1 : real_rename(old, new);
}

int renameat(int from, const char *old, int to, const char *new)
{
	return fails(CALL_renameat) ? -1 : real_renameat(from, old, to, new);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
	if (fails(CALL_renameat2))
		return -1;
	return plan && plan->old && flags ? errno = EINVAL, -1 : real_renameat2(from, old, to, new, flags);
}

int mkdir(const char *path, mode_t mode)
{
	return fails(CALL_mkdir) ? -1 : real_mkdir(path, mode);
}

char *mkdtemp(char *path)
{
	return fails(CALL_mkdtemp) ? NULL : real_mkdtemp(path);
}

int mkstemp(char *path)
{
	return fails(CALL_mkstemp) ? -1 : real_mkstemp(path);
}
ALSO(mkstemp, int, char *);

int mkostemp(char *path, int flags)
{
	return fails(CALL_mkostemp) ? -1 : real_mkostemp(path, flags);
}
ALSO(mkostemp, int, char *, int);

/* Whoever takes away a file that is only half can do no more than try: it is a moment for a signal, and does not fail. */
int unlink(const char *path)
{
	if (plan && plan->what >= FAULT_SIGNAL)
		(void)fails(CALL_unlink);
	return real_unlink(path);
}

int unlinkat(int folder, const char *path, int flags)
{
	if (plan && plan->what >= FAULT_SIGNAL)
		(void)fails(CALL_unlinkat);
	return real_unlinkat(folder, path, flags);
}

void *dlopen(const char *file, int mode)
{
	static __typeof__(dlopen) *real;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "dlopen");
	loading++;
	void *library = real(file, mode);
	loading--;
	return library;
}

/*
 * Memory. A sanitizer has its own, and what counts coverage takes some at the end.
 */
#if FAULT_MEMORY
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

/* What libarchive asks for, itself or by what it packs with: it does not always look whether it got it. */
static bool is_careless(const void *caller)
{
	static const char *const libraries[] = {"/libarchive.", "/libzstd.", "/liblzma.", "/libbz2.", "/libz."};
	Dl_info info;
	if (!plan || !(plan->calls & CALLS_MEMORY) || !dladdr(caller, &info) || !info.dli_fname)
		return true;
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
		if (strstr(info.dli_fname, libraries[i]))
			return true;
	return false;
}

static bool starves(const void *caller)
{
	return !is_careless(caller) && fails(CALL_malloc);
}

void *malloc(size_t size)
{
	return starves(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return starves(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return starves(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return starves(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}
#endif
