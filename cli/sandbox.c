/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The sandbox: Landlock leaves a command the files that its words name, and seccomp the system calls that reading, judging and writing take. Both are
 * inherited by every thread, and nothing takes them back.
 */
#include "sandbox.h"

#include "output.h"
#include "shell.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Since Linux 5.19 and 6.2: the headers of Debian 12 have the first, older ones neither. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

enum { MODE_AUTO, MODE_REQUIRE, MODE_OFF };
static size_t mode;

bool sandbox_mode(const char *name)
{
	static const char *const names[] = {[MODE_AUTO] = "auto", [MODE_REQUIRE] = "require", [MODE_OFF] = "off"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i])) {
			mode = i;
			return true;
		}
	return false;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* There when coverage is counted; its counts are written where the objects are, at the end. */
extern void __gcov_init(void *) __attribute__((weak));

/* What of ours does not get on with it; NULL: nothing. */
static const char *obstacle(void)
{
	const char *preload = getenv("LD_PRELOAD");
	if (SANITIZED)
		return "this build has a sanitizer, which needs more";
	if (__gcov_init)
		return "this build counts its coverage, which is written at the end";
	if (preload && strstr(preload, "/vgpreload_"))
		return "valgrind, under which this runs, needs more";
	return NULL;
}

/*
 * Landlock.
 */
enum {
	READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	WRITE = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
	        LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE,
	SCRATCH = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
	          LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE,
	OF_FILES = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_EXECUTE,
};

/* The kernel's version of it; 0: none. */
static int landlock_version(void)
{
	const long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	return version > 0 ? (int)version : 0;
}

struct fence {
	int fd;
	uint64_t handled; /* all that it forbids where no rule allows it */
};

static int fence_new(struct fence *fence, struct gim_error *error)
{
	const int version = landlock_version();
	if (!version)
		return error_set(error, GIM_E_UNSUPPORTED, "the kernel has no Landlock");
	fence->handled = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
	fence->handled |= version >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0;
	fence->handled |= version >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0;
	const struct landlock_ruleset_attr attributes = {.handled_access_fs = fence->handled};
	fence->fd = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
	return fence->fd >= 0 ? 0 : error_set(error, GIM_E_IO, "Landlock: %s", strerror(errno));
}

/* What does not exist needs no rule: opening it fails as it would. */
static bool allow(const struct fence *fence, const char *path, uint64_t access)
{
	struct stat seen;
	const int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (!fstat(fd, &seen) && !S_ISDIR(seen.st_mode))
		access &= OF_FILES;
	const struct landlock_path_beneath_attr rule = {.allowed_access = access & fence->handled, .parent_fd = fd};
	(void)syscall(SYS_landlock_add_rule, fence->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	(void)close(fd);
	return true;
}

/*
 * What a command's words name. Each word is tried as every form that names a file; one that names none allows nothing.
 */
struct words_of {
	const struct fence *fence;
	bool host;   /* the target "host" is among them, which asks /dev/kvm */
	bool copied; /* one of them may be packed, or can only be read once */
};

/* "ARCHIVE//NAME", "state:FILE", "FILE@RELEASE". */
static void allow_input(struct words_of *words, const char *word)
{
	if (!strncmp(word, "state:", 6))
		word += 6;
	words->host = words->host || !strcmp(word, "host") || !strncmp(word, "host@", 5);
	words->copied = gim_prepare(word, NULL) || words->copied;
	char *file = strndup(word, gim_path_file(word));
	if (!file || allow(words->fence, file, READ)) {
		free(file);
		return;
	}
	char *release = strrchr(file, '@');
	if (release) {
		*release = '\0';
		words->copied = gim_prepare(file, NULL) || words->copied;
		(void)allow(words->fence, file, READ);
	}
	free(file);
}

/* It is made in its folder under another name, and renamed; a folder that is written into may be there already. */
static void allow_output(const struct words_of *words, const char *word)
{
	char *copy = strdup(word);
	(void)gim_prepare(NULL, NULL); /* its name may say that it is packed, and a cache has digests */
	if (copy)
		(void)allow(words->fence, dirname(copy), READ | WRITE);
	free(copy);
	(void)allow(words->fence, word, READ | WRITE);
}

/* kind: as usage calls the word. */
static void allow_word(struct words_of *words, const char *kind, const char *word)
{
	if (!word)
		return;
	if (strstr(kind, "OUT") || strstr(kind, "DIR"))
		allow_output(words, word);
	else
		allow_input(words, word);
}

/* Names of outputs are the last operands ("IN [OUT]"). */
static void allow_operands(struct words_of *words, const char *arguments, int count, char **operands)
{
	for (int i = 0; i < count; i++) {
		const size_t length = strcspn(arguments, " ");
		char kind[32];
		(void)snprintf(kind, sizeof(kind), "%.*s", (int)length, arguments);
		allow_word(words, kind, operands[i]);
		if (arguments[length])
			arguments += length + 1;
	}
}

static void allow_options(struct words_of *words, const struct command *command, const struct options *options)
{
	for (const struct option_row *row = command->options; row->name; row++) {
		const void *slot = (const char *)options + row->offset;
		const struct words *many = row->argument && strstr(row->argument, "...") ? slot : NULL;
		for (unsigned i = 0; many && i < many->count; i++)
			allow_word(words, row->argument, many->items[i]);
		if (row->argument && !many)
			allow_word(words, row->argument, *(const char *const *)slot);
	}
}

/* Where files without a name are made. */
static void allow_scratch(const struct fence *fence)
{
	const char *folder = secure_getenv("TMPDIR");
	(void)allow(fence, folder && *folder ? folder : "/var/tmp", SCRATCH);
}

static int enter_landlock(const struct command *command, const struct options *options, int count, char **operands, bool *host,
                          struct gim_error *error)
{
	struct fence fence;
	struct words_of words = {.fence = &fence};
	int result = fence_new(&fence, error);
	if (result)
		return result;
	allow_operands(&words, command->arguments, count, operands);
	allow_options(&words, command, options);
	if (options->in_place && count)
		allow_output(&words, operands[0]);
	if (command->access == ACCESS_AROUND)
		(void)allow(&fence, "/", READ);
	if (words.copied || command->access > ACCESS_NAMED)
		allow_scratch(&fence);
	if (words.host)
		(void)allow(&fence, "/dev/kvm", READ | WRITE);
	*host = words.host;
	(void)allow(&fence, "/dev/null", READ | WRITE);
	if (syscall(SYS_landlock_restrict_self, fence.fd, 0))
		result = error_set(error, GIM_E_IO, "Landlock: %s", strerror(errno));
	(void)close(fence.fd);
	return result;
}

/*
 * seccomp. What is not in the table is refused with ENOSYS, for which the C library has a way out.
 */
static const int calls[] = {
    SCMP_SYS(read),
    SCMP_SYS(pread64),
    SCMP_SYS(readv),
    SCMP_SYS(lseek),
    SCMP_SYS(write),
    SCMP_SYS(pwrite64),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(close_range),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(fcntl),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64),
    SCMP_SYS(getcwd),
    SCMP_SYS(chdir),
    SCMP_SYS(fchdir),
    SCMP_SYS(fadvise64),
    SCMP_SYS(readahead),
    SCMP_SYS(statfs),
    SCMP_SYS(fstatfs),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(sync_file_range),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),
    SCMP_SYS(copy_file_range),
    SCMP_SYS(flock),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),
    SCMP_SYS(chmod),
    SCMP_SYS(fchown),
    SCMP_SYS(utimensat),
    SCMP_SYS(link),
    SCMP_SYS(linkat),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(rmdir),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(umask),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(get_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(membarrier),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrandom),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage),
    SCMP_SYS(_llseek),
    SCMP_SYS(fstat64),
    SCMP_SYS(stat64),
    SCMP_SYS(lstat64),
    SCMP_SYS(fstatat64),
    SCMP_SYS(fcntl64),
    SCMP_SYS(ftruncate64),
    SCMP_SYS(fadvise64_64),
    SCMP_SYS(statfs64),
    SCMP_SYS(fstatfs64),
    SCMP_SYS(ugetrlimit),
    SCMP_SYS(clock_gettime64),
    SCMP_SYS(clock_nanosleep_time64),
    SCMP_SYS(futex_time64),
    SCMP_SYS(ppoll_time64),
    SCMP_SYS(getuid32),
    SCMP_SYS(geteuid32),
    SCMP_SYS(getgid32),
    SCMP_SYS(getegid32),
    SCMP_SYS(fchown32),
};

/* Of these no reader of files makes one by mistake: they end the process. */
static const int crimes[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(kill),
    SCMP_SYS(tkill),
    SCMP_SYS(socket),
    SCMP_SYS(socketpair),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(setuid),
    SCMP_SYS(setresuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setresgid),
    SCMP_SYS(capset),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(reboot),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(memfd_create),
    SCMP_SYS(shmat),
    SCMP_SYS(personality),
};

static int add_calls(scmp_filter_ctx filter)
{
	int result = 0;
	for (size_t i = 0; !result && i < sizeof(calls) / sizeof(calls[0]); i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	for (size_t i = 0; !result && i < sizeof(crimes) / sizeof(crimes[0]); i++)
		result = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, crimes[i], 0);
	return result;
}

/* Those of which the arguments matter: threads, but no processes; memory, but no code; what a terminal is, and its width. host: all of /dev/kvm. */
static int add_judged(scmp_filter_ctx filter, bool host)
{
	enum { THREAD = 0x00010000 /* CLONE_THREAD */ };
	static const unsigned requests[] = {TCGETS, TIOCGWINSZ};
#ifdef __s390x__
	const unsigned flags = 1;
#else
	const unsigned flags = 0;
#endif
	int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_CMP(flags, SCMP_CMP_MASKED_EQ, THREAD, THREAD));
	if (!result)
		result =
		    seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1, SCMP_CMP(flags, SCMP_CMP_MASKED_EQ, THREAD, 0));
	if (!result) /* as abort does */
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	const int mappers[] = {SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect)};
	for (size_t i = 0; !result && i < 3; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, mappers[i], 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	for (size_t i = 0; !result && i < 3; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), mappers[i], 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	for (size_t i = 0; !result && !host && i < 2; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, requests[i], 0));
	if (!result && host)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 0);
	if (!result) /* limits are read, not set */
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0, 0));
	return result;
}

static int enter_seccomp(bool host, struct gim_error *error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	if (!filter)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	int result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!result) /* a tree, which costs less than a list, here already: the kernel tries it on every number */
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!result)
		result = add_calls(filter);
	if (!result)
		result = add_judged(filter, host);
	if (!result)
		result = seccomp_load(filter);
	seccomp_release(filter);
	return result ? error_set(error, GIM_E_IO, "seccomp: %s", strerror(-result)) : 0;
}

/*
 * Both.
 */
static int enter(const struct command *command, const struct options *options, int count, char **operands, struct gim_error *error)
{
	bool host = false;
	if (obstacle())
		return error_set(error, GIM_E_UNSUPPORTED, "%s", obstacle());
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return error_set(error, GIM_E_IO, "no_new_privs: %s", strerror(errno));
	const int fenced = enter_landlock(command, options, count, operands, &host, error);
	const int filtered = enter_seccomp(host, error);
	return fenced ? fenced : filtered;
}

int sandbox_enter(const struct command *command, const struct options *options, int count, char **operands, struct gim_error *error)
{
	static bool warned;
	struct gim_error own = GIM_ERROR_INIT;
	if (command->access == ACCESS_ALL || mode == MODE_OFF || shell_is_running())
		return mode != MODE_REQUIRE || shell_is_running()
		           ? 0
		           : error_set(error, GIM_E_UNSUPPORTED, "%s has no sandbox: it needs too much of the system", command->name);
	if (!enter(command, options, count, operands, &own))
		return 0;
	if (mode == MODE_REQUIRE)
		return error_set(error, own.code, "no sandbox: %s; --sandbox auto goes on without", own.text);
	if (!obstacle() && !warned)
		fprintf(stderr, "gimstate: warning: the sandbox is not complete: %s; --sandbox off says that this is known\n", own.text);
	warned = true;
	return 0;
}

void sandbox_describe(FILE *stream)
{
	const int version = landlock_version();
	const struct scmp_version *seccomp = seccomp_version();
	fputs("sandbox    ", stream);
	if (mode == MODE_OFF || obstacle()) {
		fprintf(stream, "off: %s\n", obstacle() ? obstacle() : "--sandbox off");
		return;
	}
	fputs("no new privileges; ", stream);
	if (version)
		fprintf(stream, "Landlock %d; ", version);
	else
		fputs("no Landlock: the kernel has none; ", stream);
	if (seccomp_api_get())
		fprintf(stream, "seccomp by libseccomp %u.%u.%u\n", seccomp->major, seccomp->minor, seccomp->micro);
	else
		fputs("no seccomp: the kernel has none\n", stream);
}
