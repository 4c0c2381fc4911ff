/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Measures LZF decoding against liblzf on the same pages, which liblzf packed. */
#include "bench.h"

#include <liblzf/lzf.h>

enum { PAGES = 2048, ROUNDS = 15 };

static uint8_t pages[PAGES][PAGE], packed[PAGES][PAGE + 256], out[PAGE];
static unsigned sizes[PAGES];

static bool ours(const uint8_t *in, unsigned size)
{
	return gim_lzf_decode(in, size, out, PAGE);
}

static bool theirs(const uint8_t *in, unsigned size)
{
	return lzf_decompress(in, size, out, PAGE) == PAGE;
}

/* Seconds for all pages once. */
static double once(bool (*decode)(const uint8_t *in, unsigned size))
{
	const double start = now_s();
	for (size_t i = 0; i < PAGES; i++)
		if (!decode(packed[i], sizes[i]) || memcmp(out, pages[i], 16)) {
			fprintf(stderr, "page %zu does not decode\n", i);
			exit(2);
		}
	return now_s() - start;
}

/* Adds both times to the sums. */
static void measure(enum page_kind kind, double *sum_ours, double *sum_theirs)
{
	uint64_t state = 88172645463325252u;
	double best_ours = 1e9, best_theirs = 1e9;
	size_t stored = 0;
	for (size_t i = 0; i < PAGES; i++) {
		page_fill(pages[i], kind, &state);
		sizes[i] = lzf_compress(pages[i], PAGE, packed[i], sizeof(packed[i]));
		stored += sizes[i];
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		const double a = once(ours), b = once(theirs);
		best_ours = a < best_ours ? a : best_ours;
		best_theirs = b < best_theirs ? b : best_theirs;
	}
	const double bytes = (double)PAGES * PAGE;
	*sum_ours += best_ours;
	*sum_theirs += best_theirs;
	printf("lzf decode, %-9s %5.2f x liblzf (goal 2)  %6.2f GB/s, liblzf %5.2f; packed to %2.0f %%\n", page_kind_names[kind],
	       best_theirs / best_ours, bytes / best_ours / 1e9, bytes / best_theirs / 1e9, 100.0 * (double)stored / bytes);
}

int main(void)
{
	double sum_ours = 0, sum_theirs = 0;
	for (enum page_kind kind = PAGE_TEXT; kind <= PAGE_ZERO; kind++)
		measure(kind, &sum_ours, &sum_theirs);
	printf("lzf decode, all kinds %5.2f x liblzf (goal 2)\n", sum_theirs / sum_ours);
	return 0;
}
