/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What fuzz targets share: the entry point, checks that hold in release builds too, and repairing checksums so that damage gets past them. */
#ifndef FUZZ_H
#define FUZZ_H

#include "vbox/crc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The fuzzer's own mutation of bytes, of which there may be `room`; and what a target has in its place. They return the new size. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t room, unsigned seed);

/* A mutation of a saved state that stays one: what is in it changes, and sizes, places and checksums are made anew. (mutate.c) */
size_t fuzz_mutate_state(uint8_t *bytes, size_t size, size_t room, unsigned seed);
#define FUZZ_STATES                                                                                                                        \
	size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t room, unsigned seed)                                            \
	{                                                                                                                                  \
		return fuzz_mutate_state(bytes, size, room, seed);                                                                         \
	}

/* A broken property is a crash. */
#define MUST(condition)                                                                                                                    \
	do {                                                                                                                               \
		if (!(condition)) {                                                                                                        \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);                                            \
			abort();                                                                                                           \
		}                                                                                                                          \
	} while (0)

/* Exactly this much, so that a sanitizer sees one byte too many; the caller's. */
static inline uint8_t *fuzz_copy(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = calloc(1, size ? size : 1);
	MUST(copy);
	if (size)
		memcpy(copy, bytes, size);
	return copy;
}

static inline void fuzz_put32(uint8_t *at, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static inline void fuzz_seal(uint8_t *structure, size_t size, size_t crc_offset)
{
	fuzz_put32(structure + crc_offset, 0);
	fuzz_put32(structure + crc_offset, gim_crc32(0, structure, size));
}

/* The size and the checksum in a 1.x file's header. */
static inline void fuzz_reseal_old(uint8_t *file, size_t size)
{
	const size_t header = file[26] == '1' ? 64 : 80;
	if (size < header)
		return;
	fuzz_put32(file + 32, (uint32_t)size);
	fuzz_put32(file + 36, 0);
	fuzz_put32(file + 40, gim_crc32(0, file + 44, size - header));
}

/* Make a 2.0 file an unchecked one, and correct the checksums and offsets of its structures wherever their magics stand. */
static inline void fuzz_reseal(uint8_t *file, size_t size)
{
	if (size >= 64 && !memcmp(file, "\177VirtualBox SavedState V1.", 26)) {
		fuzz_reseal_old(file, size);
		return;
	}
	if (size < 64 || memcmp(file, "\177VirtualBox SavedState V2.0", 27) != 0)
		return;
	file[52] &= (uint8_t)~1u;
	fuzz_seal(file, 64, 60);
	for (size_t i = 64; i < size; i++) {
		const size_t left = size - i;
		uint8_t *at = file + i;
		if (*at != '\n' || left < 16)
			continue;
		if (left >= 44 && (!memcmp(at, "\nUnit\n\0", 8) || !memcmp(at, "\nTheEnd", 8))) {
			const size_t whole = 44 + (size_t)at[40];
			fuzz_put32(at + 8, (uint32_t)i);
			fuzz_put32(at + 16, 0);
			if (whole <= left)
				fuzz_seal(at, whole, 20);
		} else if (!memcmp(at, "\nDir\n\0\0", 8)) {
			const size_t whole = 16 + 16 * ((size_t)at[12] | (size_t)at[13] << 8);
			if (whole <= left)
				fuzz_seal(at, whole, 8);
		} else if (left >= 32 && !memcmp(at, "\nFooter", 8)) {
			fuzz_put32(at + 8, (uint32_t)i);
			fuzz_put32(at + 16, 0);
			fuzz_seal(at, 32, 28);
		}
	}
}

#endif
