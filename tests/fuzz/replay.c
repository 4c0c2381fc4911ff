/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A main for fuzz targets without a fuzzer: replays files and folders, and of each a number of mutations that are the same every time. */
#include "fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SIZE_MAX_BYTES = 1 << 20, PATH_BYTES = 512 };

/* gcc says it in one way, clang in another. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
/* So that the signal handler hears of it and can name the input. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "abort_on_error=1";
}
#else
#define SANITIZED 0
#endif

static unsigned rounds = 300;
static unsigned long inputs;
static char current[PATH_BYTES + 64];
static double slowest_s;

static void say_which(int signal_number)
{
	static const char words[] = "the input was ";
	(void)!write(STDERR_FILENO, words, sizeof(words) - 1);
	(void)!write(STDERR_FILENO, current, strlen(current));
	(void)!write(STDERR_FILENO, "\n", 1);
	(void)signal(signal_number, SIG_DFL);
	(void)raise(signal_number);
}

static double cpu_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void run(const char *path, unsigned round, const uint8_t *bytes, size_t size)
{
	(void)snprintf(current, sizeof(current), "%s, mutation %u", path, round);
	const double start = cpu_s();
	(void)alarm(120);
	LLVMFuzzerTestOneInput(bytes, size);
	(void)alarm(0);
	const double took = cpu_s() - start;
	slowest_s = took > slowest_s ? took : slowest_s;
	if (took > (SANITIZED ? 5.0 : 1.0)) {
		fprintf(stderr, "took %.1f s\n", took);
		abort();
	}
	inputs++;
}

static uint32_t random_state;

static uint32_t pick(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)random_state * below >> 32);
}

/* Bytes of which there are few move about: at most this many. */
enum { PIECE_MAX = 32, GROWTH = 8 * PIECE_MAX };

/* One change; bytes has room for PIECE_MAX more. Returns the new size. */
static size_t mutate(uint8_t *bytes, size_t size)
{
	static const uint8_t telling[] = {0, 1, 3, 0x7f, 0x80, 0xc0, 0xfe, 0xff};
	const size_t at = size ? pick((uint32_t)size) : 0;
	const size_t left = size - at, length = left ? 1 + pick((uint32_t)(left < PIECE_MAX ? left : PIECE_MAX)) : 0;
	switch (pick(8)) {
	case 0:
		return at;
	case 1: /* take out */
		memmove(bytes + at, bytes + at + length, left - length);
		return size - length;
	case 2: /* double */
		memmove(bytes + at + length, bytes + at, left);
		return size + length;
	case 3:
		memset(bytes + at, telling[pick(8)], length);
		return size;
	case 4: /* overwrite with a piece from elsewhere */
		if (size > length)
			memmove(bytes + at, bytes + pick((uint32_t)(size - length)), length);
		return size;
	case 5:
		for (size_t i = 0; i < length; i++)
			bytes[at + i] = (uint8_t)pick(256);
		return size;
	default:
		if (size)
			bytes[at] ^= (uint8_t)(1u << pick(8));
		return size;
	}
}

/* What a fuzzer would offer targets that mutate by themselves. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t room)
{
	for (uint32_t changes = 1 + pick(8); changes && size + PIECE_MAX <= room; changes--)
		size = mutate(bytes, size);
	return size;
}

#pragma weak LLVMFuzzerCustomMutator

static void replay_bytes(const char *path, const uint8_t *bytes, size_t size)
{
	const size_t room = size + size / 2 + GROWTH + 1024;
	uint8_t *mutant = malloc(room);
	MUST(mutant);
	run(path, 0, bytes, size);
	for (unsigned round = 1; round <= rounds; round++) {
		random_state = round;
		if (size)
			memcpy(mutant, bytes, size);
		const size_t now = LLVMFuzzerCustomMutator && round % 4 == 0 ? LLVMFuzzerCustomMutator(mutant, size, room, round)
		                                                             : LLVMFuzzerMutate(mutant, size, size + GROWTH);
		run(path, round, mutant, now);
	}
	free(mutant);
}

static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = malloc(SIZE_MAX_BYTES);
	if (!file || !bytes)
		return perror(path), free(bytes), file ? fclose(file) : 0, 1;
	const size_t size = fread(bytes, 1, SIZE_MAX_BYTES, file);
	(void)fclose(file);
	replay_bytes(path, bytes, size);
	free(bytes);
	return 0;
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int replay(const char *path)
{
	struct dirent **entries;
	struct stat status;
	if (stat(path, &status))
		return perror(path), 1;
	if (!S_ISDIR(status.st_mode))
		return replay_file(path);
	const int count = scandir(path, &entries, not_hidden, alphasort);
	int failed = count < 0;
	for (int i = 0; i < count; i++) {
		char inner[PATH_BYTES];
		(void)snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);
		failed |= replay(inner);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return failed;
}

int main(int count, char **words)
{
	int first = 1, failed = 0;
	if (count > 2 && !strcmp(words[1], "-n")) {
		rounds = (unsigned)strtoul(words[2], NULL, 10);
		first = 3;
	}
	(void)signal(SIGABRT, say_which);
	(void)signal(SIGSEGV, say_which);
	(void)signal(SIGBUS, say_which);
	(void)signal(SIGFPE, say_which);
	(void)signal(SIGALRM, say_which);
	replay_bytes("nothing", NULL, 0);
	for (int i = first; i < count; i++)
		failed |= replay(words[i]);
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	printf("%lu inputs, the slowest took %.3f s, %ld KiB resident\n", inputs, slowest_s, usage.ru_maxrss);
	if (!SANITIZED && usage.ru_maxrss > 64 << 10) {
		fprintf(stderr, "more than 64 MiB\n");
		failed = 1;
	}
	return failed;
}
