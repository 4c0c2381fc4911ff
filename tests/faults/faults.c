/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running the command with the shim between it and the system, in a folder whose content can be compared. */
#include "faults.h"

#include "../sparse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

struct fault_plan *fault_plan;
char faults_case[2048];
unsigned faults_runs;

static unsigned failures;
static char scratch[4096], samples[4096], *command, *environment[4096];
static int out_fd, error_fd;

extern char **environ;

void faults_must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "faults: %s: %s: %s\n", faults_case, what, strerror(errno));
	exit(2);
}

void faults_fail(const struct outcome *outcome, const char *format, ...)
{
	enum { SHOWN = 40 };
	va_list arguments;
	if (++failures > SHOWN)
		return;
	printf("FAIL  %s: ", faults_case);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf(" (status %d)\n", outcome ? outcome->status : 0);
	if (outcome)
		printf("      %.*s\n", 1000, outcome->error);
	(void)fflush(stdout);
}

void faults_name(const char *const *words, const char *what)
{
	size_t at = 0;
	for (; *words && at < sizeof(faults_case); words++)
		at += (size_t)snprintf(faults_case + at, sizeof(faults_case) - at, "%s ", *words);
	if (at < sizeof(faults_case))
		(void)snprintf(faults_case + at, sizeof(faults_case) - at, "(%s)", what);
}

bool faults_skip(void)
{
	static unsigned asked;
	const char *wanted = getenv("FAULTS");
	return !(wanted && !strcmp(wanted, "all")) && asked++ % (sparse() > 1 ? 23 : 7) != 0;
}

const char *fault_text(int32_t what)
{
	return what == FAULT_SHORT    ? "short"
	       : what == FAULT_SHRINK ? "the file shrinks"
	       : what >= FAULT_SIGNAL ? strsignal(what - FAULT_SIGNAL)
	                              : strerror(what);
}

bool writes(const char *argument)
{
	return argument && (strstr(argument, "OUT") || strstr(argument, "DIR"));
}

static void copy(const char *from, const char *to, mode_t mode)
{
	static char piece[1 << 16];
	const int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	ssize_t got = -1;
	while (in >= 0 && out >= 0 && (got = read(in, piece, sizeof(piece))) > 0)
		faults_must(write(out, piece, (size_t)got) == got, to);
	faults_must(!got && !fchmod(out, mode), from);
	(void)close(in);
	(void)close(out);
}

/*
 * Beginning and ending.
 */
static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status, (void)type, (void)place;
	return remove(path);
}

static void remove_tree(const char *path)
{
	(void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Hundreds of syncs are quick where there is no disk. */
static void make_scratch(void)
{
	const char *wanted = getenv("TMPDIR");
	if (!wanted || !*wanted)
		wanted = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
	(void)snprintf(scratch, sizeof(scratch), "%s/gimstate-faults-XXXXXX", wanted);
	faults_must(mkdtemp(scratch) && !chdir(scratch) && !mkdir("made", 0777) && !mkdir("spool", 0777), "cannot make a folder");
}

/* The command's environment: ours, the shim, and where it finds the plan. */
static void make_environment(const char *shim, int plan)
{
	static char preload[4200], number[64], spool[4200];
	size_t count = 0;
	for (char **entry = environ; *entry && count < sizeof(environment) / sizeof(environment[0]) - 6; entry++)
		if (strncmp(*entry, "TMPDIR=", 7) != 0 && strncmp(*entry, "LC_", 3) != 0 && strncmp(*entry, "LD_PRELOAD=", 11) != 0)
			environment[count++] = *entry;
	(void)snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", shim);
	(void)snprintf(number, sizeof(number), FAULT_PLAN "=%d", plan);
	(void)snprintf(spool, sizeof(spool), "TMPDIR=%s/spool", scratch);
	environment[count++] = preload;
	environment[count++] = number;
	environment[count++] = spool;
	static char locale[] = "LC_ALL=C", order[] = "ASAN_OPTIONS=verify_asan_link_order=0:allocator_may_return_null=1";
	environment[count++] = locale;
	environment[count++] = order;
}

int faults_begin(void)
{
	static char shim[4096];
	const char *program = getenv("GIMSTATE"), *build = getenv("O");
	if (!program || !build || !(command = realpath(program, NULL)) || !realpath("samples", samples))
		return puts("SKIP  GIMSTATE names no command, or O no folder"), FAULTS_SKIPPED;
	(void)snprintf(shim, sizeof(shim), "%s/tests/faults/shim.so", build);
	char *place = realpath(shim, NULL);
	if (!place)
		return printf("SKIP  there is no %s\n", shim), FAULTS_SKIPPED;
	(void)umask(022);
	make_scratch();
	const int plan = memfd_create("plan", 0);
	faults_must(plan >= 0 && !ftruncate(plan, sizeof(*fault_plan)), "cannot make the plan");
	fault_plan = mmap(NULL, sizeof(*fault_plan), PROT_READ | PROT_WRITE, MAP_SHARED, plan, 0);
	out_fd = memfd_create("out", MFD_CLOEXEC);
	error_fd = memfd_create("error", MFD_CLOEXEC);
	faults_must(fault_plan != MAP_FAILED && out_fd >= 0 && error_fd >= 0, "cannot make the plan");
	make_environment(place, plan);
	free(place);
	(void)snprintf(shim, sizeof(shim), "%s/guests/hello.elf", build);
	if (!access(shim, R_OK))
		copy(shim, "made/hello.elf", 0644);
	return 0;
}

int faults_end(void)
{
	faults_must(!chdir("/"), "cannot leave");
	remove_tree(scratch);
	free(command);
	printf("%u runs, %u failures\n", faults_runs, failures);
	return failures ? 1 : 0;
}

/*
 * Running.
 */
void plan_set(uint32_t calls, uint32_t first, uint32_t every, int32_t what)
{
	fault_plan->calls = calls;
	fault_plan->first = first;
	fault_plan->every = every;
	fault_plan->what = what;
}

static char *take(int fd, size_t *size)
{
	struct stat status;
	faults_must(!fstat(fd, &status), "cannot look at what was printed");
	char *text = malloc((size_t)status.st_size + 1);
	faults_must(text && pread(fd, text, (size_t)status.st_size, 0) == status.st_size, "cannot read what was printed");
	text[status.st_size] = '\0';
	if (size)
		*size = (size_t)status.st_size;
	return text;
}

static pid_t start(const char *const *words, int input)
{
	char *given[FAULTS_WORDS + 2] = {command};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t all;
	pid_t child;
	size_t count = 1;
	for (; *words; words++) {
		faults_must(count <= FAULTS_WORDS, "too many words");
		given[count++] = (char *)(uintptr_t)*words;
	}
	faults_must(!ftruncate(out_fd, 0) && !ftruncate(error_fd, 0) && !lseek(out_fd, 0, SEEK_SET) && !lseek(error_fd, 0, SEEK_SET),
	            "cannot begin");
	(void)posix_spawn_file_actions_init(&actions);
	if (input >= 0)
		(void)posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	else
		(void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, error_fd, STDERR_FILENO);
	/* Whoever began us, a shell in the background perhaps, may have ignored signals; the command is to meet them as at a terminal. */
	(void)sigfillset(&all);
	(void)posix_spawnattr_init(&attributes);
	(void)posix_spawnattr_setsigdefault(&attributes, &all);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	errno = posix_spawn(&child, command, &actions, &attributes, given, environment);
	faults_must(!errno, "cannot start the command");
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return child;
}

/* Wait for it, but not for ever. */
static void await(pid_t child, struct outcome *outcome)
{
	const int watch = (int)syscall(SYS_pidfd_open, child, 0);
	struct pollfd ended = {.fd = watch, .events = POLLIN};
	int status;
	if (watch >= 0 && poll(&ended, 1, PATIENCE_MS) == 0) {
		outcome->hung = true;
		(void)kill(child, SIGKILL);
	}
	if (watch >= 0)
		(void)close(watch);
	faults_must(waitpid(child, &status, 0) == child, "the command is gone");
	outcome->status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* What came of the command. */
static void conclude(struct outcome *outcome)
{
	outcome->out = take(out_fd, &outcome->out_size);
	outcome->error = take(error_fd, NULL);
	faults_must(fault_plan->begun, "the shim was not loaded");
	faults_runs++;
	if (outcome->hung)
		faults_fail(outcome, "it does not come to an end");
	else if (outcome->status < 0 && outcome->status != -SIGKILL && outcome->status != -SIGTERM && outcome->status != -SIGINT &&
	         outcome->status != -SIGHUP)
		faults_fail(outcome, "it crashes");
}

static void give_half(int pipe, const char *file)
{
	static uint8_t bytes[1 << 15];
	const int fd = open(file, O_RDONLY | O_CLOEXEC);
	const ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
	faults_must(got > 1 && write(pipe, bytes, (size_t)got / 2) == got / 2, file);
	(void)close(fd);
}

/* It has read all that there is, and waits for more: a read has begun, and its process sleeps. */
static bool is_waiting(pid_t child, int pipe)
{
	char path[64], line[512] = "";
	int left = 1;
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	faults_must(fd >= 0 && read(fd, line, sizeof(line) - 1) > 0 && !ioctl(pipe, FIONREAD, &left), path);
	(void)close(fd);
	const char *state = strrchr(line, ')');
	return state && (state[2] == 'S' || state[2] == 'Z') && !left && fault_plan->count;
}

void faults_stall(const char *const *words, const int ends[2], const char *file, int number, struct outcome *outcome)
{
	outcome_free(outcome);
	fault_plan->count = fault_plan->begun = 0;
	give_half(ends[1], file);
	const pid_t child = start(words, ends[0]);
	for (unsigned waited_ms = 0; waited_ms < PATIENCE_MS && !is_waiting(child, ends[0]); waited_ms++)
		(void)poll(NULL, 0, 1);
	(void)kill(child, number);
	await(child, outcome);
	(void)close(ends[0]);
	(void)close(ends[1]);
	conclude(outcome);
}

void faults_run(const char *const *words, int input, bool with_plan, struct outcome *outcome)
{
	const uint32_t first = fault_plan->first;
	outcome_free(outcome);
	fault_plan->count = fault_plan->begun = 0;
	fault_plan->first = with_plan ? first : 0;
	await(start(words, input), outcome);
	fault_plan->first = first;
	conclude(outcome);
}

void outcome_free(struct outcome *outcome)
{
	free(outcome->out);
	free(outcome->error);
	*outcome = (struct outcome){.out = NULL};
}

/*
 * The folder.
 */
void folder_fill(const char *files)
{
	char list[512], path[600], from[5000], *rest = list;
	remove_tree("folder");
	faults_must(!mkdir("folder", 0777), "cannot make the folder");
	(void)snprintf(list, sizeof(list), "%s", files);
	for (char *name; (name = strsep(&rest, " "));) {
		char *file = strchr(name, '=');
		if (!file)
			continue;
		*file++ = '\0';
		(void)snprintf(path, sizeof(path), "folder/%s", name);
		if (!strncmp(file, "made/", 5))
			(void)snprintf(from, sizeof(from), "%s", file);
		else
			(void)snprintf(from, sizeof(from), "%s/%s", samples, file);
		copy(from, path, !strncmp(name, "out", 3) ? 0640 : 0644);
	}
}

void folder_keep(const char *keep, const struct outcome *outcome)
{
	char from[600], to[600];
	const char *name = strchr(keep, '=');
	(void)snprintf(from, sizeof(from), "folder/%.*s", (int)(name - keep), keep);
	(void)snprintf(to, sizeof(to), "made/%s", name + 1);
	if (*keep != '-') {
		copy(from, to, 0644);
		return;
	}
	FILE *file = fopen(to, "w");
	faults_must(file && fwrite(outcome->out, 1, outcome->out_size, file) == outcome->out_size && !fclose(file), to);
}

/* Of a file's pages that are not zeros, wherever its holes are. */
static uint64_t sum_of(const char *path)
{
	enum { PAGE_BYTES = 4096 };
	static uint8_t page[PAGE_BYTES];
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t sum = 14695981039346656037u; /* FNV-1a */
	off_t at = 0, data;
	ssize_t got = fd < 0 ? -1 : 0;
	while (fd >= 0 && (data = lseek(fd, at, SEEK_DATA)) >= 0 && (got = pread(fd, page, PAGE_BYTES, at = data & -PAGE_BYTES)) > 0) {
		const bool zeros = !page[0] && !memcmp(page, page + 1, (size_t)got - 1);
		for (ssize_t i = 0; i < got && !zeros; i++)
			sum = (sum ^ page[i] ^ (uint64_t)at) * 1099511628211u;
		at += PAGE_BYTES;
	}
	faults_must(got >= 0, path);
	(void)close(fd);
	return sum;
}

static void put_folder(FILE *stream, const char *folder, const char *except)
{
	struct dirent **entries;
	const int count = scandir(folder, &entries, NULL, alphasort);
	faults_must(count >= 0, folder);
	for (int i = 0; i < count; i++) {
		char path[8192];
		struct stat status;
		const char *name = entries[i]->d_name;
		(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !(except && !strncmp(name, except, strlen(except)))) {
			faults_must(!lstat(path, &status), path);
			fprintf(stream, "%s %o", path, status.st_mode & 07777);
			if (S_ISDIR(status.st_mode)) {
				fputs(" folder\n", stream);
				put_folder(stream, path, except);
			} else {
				/* An index has in it which file it is of, by more than its name. */
				const uint64_t sum = strcmp(name, "index") != 0 ? sum_of(path) : 0;
				fprintf(stream, " %lld bytes %016llx\n", (long long)status.st_size, (unsigned long long)sum);
			}
		}
		free(entries[i]);
	}
	free(entries);
}

char *folder_text(const char *except)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);
	faults_must(stream, "out of memory");
	put_folder(stream, "folder", except);
	faults_must(!fclose(stream), "out of memory");
	return text;
}

static bool has_line(const char *text, const char *line, size_t length)
{
	while (*text && strncmp(text, line, length) != 0)
		text = strchr(text, '\n') + 1;
	return *text;
}

bool folder_is_either(const char *text, const char *before, const char *after)
{
	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		const size_t length = (size_t)(strchr(line, '\n') - line) + 1;
		if (!has_line(before, line, length) && !has_line(after, line, length))
			return false;
	}
	return true;
}
