/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Measures verify: against zlib's crc32 over the same file, against decoding alone when all is packed, and against VirtualBox's own validation. */
#include "bench.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

enum { ROUNDS = 5, PIECE = 256 * 1024 };

static double zlib_s(const char *path)
{
	static uint8_t piece[PIECE];
	const int fd = open(path, O_RDONLY);
	const double start = now_s();
	uLong crc = 0;
	ssize_t got;
	while ((got = read(fd, piece, sizeof(piece))) > 0)
		crc = crc32(crc, piece, (uInt)got);
	(void)close(fd);
	must(crc && !got, "cannot read the state");
	return now_s() - start;
}

static double verify_s(const char *path, unsigned threads)
{
	const struct gim_verify_options options = {.threads = threads};
	const double start = now_s();
	must(gim_verify(path, &options, NULL, NULL, NULL) == 0, "the state that was made is not sound");
	return now_s() - start;
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

static double size_of(const char *path)
{
	struct stat status;
	must(!stat(path, &status), "cannot look at the state");
	return (double)status.st_size;
}

static double command_s(const char *command)
{
	const double start = now_s();
	return system(command) ? 0 : now_s() - start;
}

/* Its script copies the state, so that a copy is timed too, and taken away. */
static void against_virtualbox(const char *path, unsigned lzf_percent, double ours_s, double bytes)
{
	const char *folder = getenv("GIMSTATE_ORACLE");
	char tool[1024], validate[2048], copy[2048];
	(void)snprintf(tool, sizeof(tool), "%s/validate", folder ? folder : "../shared/oracle/virtualbox");
	(void)snprintf(validate, sizeof(validate), "'%s' '%s' >/dev/null 2>&1", tool, path);
	(void)snprintf(copy, sizeof(copy), "cat '%s' >'%s.copy' && rm '%s.copy'", path, path, path);
	double theirs_s = 1e9;
	for (unsigned i = 0; i < 3; i++) {
		const double all_s = access(tool, X_OK) ? 0 : command_s(validate);
		if (all_s <= 0) {
			printf("verify, beside VirtualBox: SKIP no VirtualBox is set up (GIMSTATE_ORACLE names its folder)\n");
			return;
		}
		theirs_s = least(theirs_s, all_s - command_s(copy));
	}
	printf("verify, %2u %% LZF     %5.2f x VirtualBox's validation (goal 4)  %6.2f GB/s, VirtualBox %5.2f\n", lzf_percent,
	       theirs_s / ours_s, bytes / ours_s / 1e9, bytes / theirs_s / 1e9);
}

static void mostly_raw(uint64_t size_bytes, unsigned lzf_percent)
{
	const char *path = bench_path("bench-raw.sav");
	double zlib = 1e9, one = 1e9, all = 1e9;
	bench_state(path, size_bytes, lzf_percent);
	const double bytes = size_of(path);
	for (unsigned i = 0; i < ROUNDS; i++) {
		zlib = least(zlib, zlib_s(path));
		one = least(one, verify_s(path, 1));
		all = least(all, verify_s(path, 0));
	}
	printf("verify, %2u %% LZF     %5.2f x zlib crc32 (goal 3)  %6.2f GB/s, one thread %5.2f, zlib %5.2f\n", lzf_percent, zlib / all,
	       bytes / all / 1e9, bytes / one / 1e9, bytes / zlib / 1e9);
	against_virtualbox(path, lzf_percent, all, bytes);
	(void)unlink(path);
}

static void all_packed(uint64_t size_bytes)
{
	enum { PAGES = 256 };
	static uint8_t pages[PAGES][PAGE], packed[PAGES][PAGE], out[PAGE];
	size_t sizes[PAGES], stored = 0;
	uint64_t state = 88172645463325252u;
	const char *path = bench_path("bench-packed.sav");
	double decode = 1e9, verify = 1e9;
	bench_state(path, size_bytes, 100);
	const double bytes = size_of(path);
	for (size_t i = 0; i < PAGES; i++) {
		page_fill(pages[i], (enum page_kind)(i % PAGE_ZERO), &state);
		stored += sizes[i] = gim_lzf_encode(pages[i], PAGE, packed[i], PAGE);
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		double start = now_s();
		size_t read = 0;
		for (size_t page = 0; (double)read < bytes; page += 2) {
			must(gim_lzf_decode(packed[page % PAGES], sizes[page % PAGES], out, PAGE), "a page does not decode");
			read += sizes[page % PAGES];
		}
		decode = least(decode, now_s() - start);
		verify = least(verify, verify_s(path, 0));
	}
	printf("verify, all LZF      %5.2f x decoding alone  %6.2f GB/s of the file\n", decode / verify, bytes / verify / 1e9);
	(void)unlink(path);
}

int main(int count, char **words)
{
	const uint64_t mib = count > 1 ? strtoull(words[1], NULL, 10) : 1024;
	struct rusage usage;
	for (unsigned lzf_percent = 0; lzf_percent <= 10; lzf_percent += 5)
		mostly_raw(mib << 20, lzf_percent);
	all_packed(mib << 18);
	(void)getrusage(RUSAGE_SELF, &usage);
	printf("verify               %5.1f MiB resident at most (limit 32), both states and the measuring included\n",
	       (double)usage.ru_maxrss / 1024);
	return 0;
}
