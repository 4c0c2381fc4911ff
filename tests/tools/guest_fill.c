/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Prints what the interop tests' guest fills its memory with, from 2 MiB to so many MiB: of eight pages one of zeros, five of noise, one of its addresses, one half noise. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAGE_WORDS = 1024, KINDS = 8, ZEROS = 0, ADDRESSES = 6, HALF = 7 };

int main(int count, char **words)
{
	const unsigned long end = count == 2 ? strtoul(words[1], NULL, 10) << 20 : 0;
	uint32_t noise = 0x12345678;
	if (end < 2ul << 20 || end > 1ul << 31) {
		fprintf(stderr, "usage: guest_fill MIB (2 to 2048)\n");
		return 2;
	}
	for (uint32_t gpa = 2u << 20; gpa < end; gpa += 4 * PAGE_WORDS) {
		uint32_t page[PAGE_WORDS] = {0};
		const uint32_t kind = gpa / (4 * PAGE_WORDS) % KINDS, noisy = kind == HALF ? PAGE_WORDS / 2 : PAGE_WORDS;
		for (uint32_t i = 0; kind == ADDRESSES && i < PAGE_WORDS; i++)
			page[i] = (gpa + 4 * i) & 0xffffff00;
		for (uint32_t i = 0; kind != ADDRESSES && kind != ZEROS && i < noisy; i++) {
			noise ^= noise << 13;
			noise ^= noise >> 17;
			noise ^= noise << 5;
			page[i] = noise;
		}
		if (fwrite(page, sizeof(page), 1, stdout) != 1)
			return 2;
	}
	return fflush(stdout) ? 2 : 0;
}
