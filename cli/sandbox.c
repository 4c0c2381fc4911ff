/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The sandbox: Landlock leaves a command the files that its words name, and seccomp the system calls that reading, judging and writing take, and what
 * /dev/kvm and a terminal take where there is one. Both are inherited by every thread, and nothing takes them back.
 */
#include "sandbox.h"

#include "line.h"
#include "output.h"
#include "seccomp/filters.h"
#include "shell.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
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
	bool failed; /* out of memory */
};

/* "ARCHIVE//NAME", "state:FILE", "FILE@RELEASE". */
static void allow_input(struct words_of *words, const char *word)
{
	if (!strncmp(word, "state:", 6))
		word += 6;
	words->host = words->host || !strcmp(word, "host");
	words->copied = gim_prepare(word, NULL) || words->copied;
	char *file = strndup(word, gim_path_file(word));
	words->failed = words->failed || !file;
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
static void allow_output(struct words_of *words, const char *word)
{
	char *copy = strdup(word);
	(void)gim_prepare(NULL, NULL); /* its name may say that it is packed, and a cache has digests */
	words->failed = words->failed || !copy;
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

/* The same, by the first word of kinds. */
static void allow_kind(struct words_of *words, const char *kinds, const char *word)
{
	char kind[32];
	(void)snprintf(kind, sizeof(kind), "%.*s", (int)strcspn(kinds, " "), kinds);
	allow_word(words, kind, word);
}

/* Names of outputs are the last operands ("IN [OUT]"). */
static void allow_operands(struct words_of *words, const char *arguments, int count, char **operands)
{
	for (int i = 0; i < count; i++) {
		const size_t length = strcspn(arguments, " ");
		allow_kind(words, arguments, operands[i]);
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
		/* Of several words, as "MS OUT", each has its own. */
		const char *const *single = slot;
		for (const char *kind = many ? NULL : row->argument; kind; kind = strchr(kind, ' ') ? strchr(kind, ' ') + 1 : NULL)
			allow_kind(words, kind, *single++);
	}
}

/* Where files without a name are made. */
static void allow_scratch(const struct fence *fence)
{
	const char *folder = secure_getenv("TMPDIR");
	(void)allow(fence, folder && *folder ? folder : "/var/tmp", SCRATCH);
}

/* What lies in folders may be links, and is not known yet. */
static enum access access_of(const struct command *command, const struct options *options)
{
	return options->recursive && command->access == ACCESS_NAMED ? ACCESS_AROUND : command->access;
}

static int enter_landlock(const struct command *command, const struct options *options, int count, char **operands, bool *host,
                          struct gim_error *error)
{
	struct fence fence;
	const enum access access = access_of(command, options);
	struct words_of words = {.fence = &fence, .host = access == ACCESS_MACHINE};
	int result = fence_new(&fence, error);
	if (result)
		return result;
	allow_operands(&words, command->arguments, count, operands);
	allow_options(&words, command, options);
	if (options->in_place && count)
		allow_output(&words, operands[0]);
	if (access == ACCESS_AROUND)
		(void)allow(&fence, "/", READ);
	if (words.copied || access > ACCESS_NAMED)
		allow_scratch(&fence);
	if (words.host)
		(void)allow(&fence, "/dev/kvm", READ | WRITE);
	if (access == ACCESS_MACHINE) /* which of the guest's pages are there at all */
		(void)allow(&fence, "/proc/self/pagemap", READ);
	*host = words.host;
	(void)allow(&fence, "/dev/null", READ | WRITE);
	if (words.failed)
		result = error_set(error, GIM_E_MEMORY, "out of memory");
	else if (syscall(SYS_landlock_restrict_self, fence.fd, 0))
		result = error_set(error, GIM_E_IO, "Landlock: %s", strerror(errno));
	(void)close(fence.fd);
	return result;
}

/*
 * seccomp. The filters were made when gimstate was built (seccomp/filter.c), for the machine that it was built for.
 */
enum filter { FILTER_FILES, FILTER_HOST, FILTER_MACHINE, FILTER_SERVER, FILTER_SHELL };

#if FILTERS
#define PROGRAM(name)                                                                                                                      \
	{                                                                                                                                  \
		.len = sizeof(filter_##name) / sizeof(filter_##name[0]), .filter = filter_##name                                           \
	}
static const struct sock_fprog programs[] = {[FILTER_FILES] = PROGRAM(files),
                                             [FILTER_HOST] = PROGRAM(host),
                                             [FILTER_MACHINE] = PROGRAM(machine),
                                             [FILTER_SERVER] = PROGRAM(server),
                                             [FILTER_SHELL] = PROGRAM(shell)};

/* A process may signal itself, whose number is known only now. */
static void put_process(const struct sock_fprog *program)
{
	const uint32_t process = (uint32_t)getpid();
	for (size_t i = 0; i < program->len; i++)
		if (program->filter[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && program->filter[i].k == FILTER_PROCESS)
			program->filter[i].k = process;
}

/* NULL: it can be had. */
static const char *seccomp_obstacle(void)
{
	const uint32_t action = SECCOMP_RET_KILL_PROCESS;
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) ? "the kernel has none" : NULL;
}

static int enter_seccomp(enum filter filter, struct gim_error *error)
{
	const struct sock_fprog *program = &programs[filter];
	put_process(program);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, program))
		return error_set(error, GIM_E_IO, "seccomp: %s", strerror(errno));
	return 0;
}
#else
static const char *seccomp_obstacle(void)
{
	return "no filter could be made for this architecture when gimstate was built";
}

static int enter_seccomp(enum filter filter, struct gim_error *error)
{
	(void)filter;
	return error_set(error, GIM_E_UNSUPPORTED, "seccomp: %s", seccomp_obstacle());
}
#endif

/*
 * Both.
 */
static int load_nothing(void *user, uint64_t address, const uint8_t *bytes, size_t size_bytes, const char *text)
{
	(void)user, (void)address, (void)bytes, (void)size_bytes, (void)text;
	return 0;
}

/* Code can be mapped now, and no more then. What cannot be loaded is missed when it is needed. */
static void load_libraries(const struct command *command, const struct options *options)
{
	if (command->access == ACCESS_SESSION) {
		(void)gim_prepare(NULL, NULL);
		line_load();
	}
	if (command->access == ACCESS_SESSION || (options->as && !strcmp(options->as, "disasm")))
		(void)gim_disassemble("", 0, 0, 64, load_nothing, NULL, NULL);
}

static enum filter filter_of(const struct command *command, const struct options *options, bool host)
{
	if (command->access == ACCESS_SESSION)
		return FILTER_SHELL;
	if (command->access == ACCESS_MACHINE)
		return options->gdb ? FILTER_SERVER : FILTER_MACHINE;
	return host ? FILTER_HOST : FILTER_FILES;
}

static int enter(const struct command *command, const struct options *options, int count, char **operands, struct gim_error *error)
{
	bool host = false;
	int fenced = 0;
	if (obstacle())
		return error_set(error, GIM_E_UNSUPPORTED, "%s", obstacle());
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return error_set(error, GIM_E_IO, "no_new_privs: %s", strerror(errno));
	load_libraries(command, options);
	if (command->access != ACCESS_SESSION) /* which files are opened is said later */
		fenced = enter_landlock(command, options, count, operands, &host, error);
	const int filtered = enter_seccomp(filter_of(command, options, host), error);
	return fenced ? fenced : filtered;
}

int sandbox_enter(const struct command *command, const struct options *options, int count, char **operands, struct gim_error *error)
{
	static bool warned;
	struct gim_error own = GIM_ERROR_INIT;
	if (command->access == ACCESS_SHELL || mode == MODE_OFF || shell_is_running())
		return 0;
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
	if (seccomp_obstacle())
		fprintf(stream, "no seccomp: %s\n", seccomp_obstacle());
	else
		fprintf(stream, "seccomp by %s\n", FILTER_MAKER);
}
