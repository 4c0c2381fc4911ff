/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pages of memory like those in real states, by kind; the same every time. */
#ifndef PAGES_H
#define PAGES_H

#include <stdint.h>
#include <string.h>

enum { PAGE = 4096 };
enum page_kind { PAGE_TEXT, PAGE_POINTERS, PAGE_SPARSE, PAGE_MIXED, PAGE_ZERO, PAGE_NOISE, PAGE_KINDS };

static const char *const page_kind_names[] = {"text", "pointers", "sparse", "mixed", "zero", "noise"};

/* xorshift64 */
static inline uint64_t page_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

static inline void page_text(uint8_t *bytes, size_t size, uint64_t *state)
{
	static const char *const words[] = {"the ",       "guest ",      "interface ",  "of ",     "a ",      "hypervisor ",
	                                    "is ",        "saved, ",     "and ",        "loaded ", "when ",   "it ",
	                                    "resumes.\n", "static int ", "return 0;\n", "clock ",  "page ",   "state ",
	                                    "0x400000",   "value ",      "register ",   "if (",    "result ", "kernel: "};
	for (size_t at = 0; at < size;) {
		const char *word = words[page_random(state) % (sizeof(words) / sizeof(words[0]))];
		for (; *word && at < size; word++)
			bytes[at++] = (uint8_t)*word;
	}
}

/* Addresses from a few ranges, with a small number or a null between them. */
static inline void page_pointers(uint8_t *bytes, size_t size, uint64_t *state)
{
	for (size_t at = 0; at + 8 <= size; at += 8) {
		const uint64_t random = page_random(state), kind = random % 8;
		uint64_t value = UINT64_C(0xffff888100000000) + (random >> 32 & 0x3ffff8);
		if (kind == 0)
			value = 0;
		else if (kind == 1)
			value = random >> 16 & 0xff;
		memcpy(bytes + at, &value, 8);
	}
}

static inline void page_sparse(uint8_t *bytes, size_t size, uint64_t *state)
{
	memset(bytes, 0, size);
	for (size_t i = 0; i < size / 64; i++) {
		const uint64_t random = page_random(state);
		bytes[random % size] = (uint8_t)(random >> 32);
	}
}

static inline void page_noise(uint8_t *bytes, size_t size, uint64_t *state)
{
	for (size_t at = 0; at + 8 <= size; at += 8) {
		const uint64_t random = page_random(state);
		memcpy(bytes + at, &random, 8);
	}
}

static inline void page_fill(uint8_t *page, enum page_kind kind, uint64_t *state)
{
	switch (kind) {
	case PAGE_TEXT:
		page_text(page, PAGE, state);
		break;
	case PAGE_POINTERS:
		page_pointers(page, PAGE, state);
		break;
	case PAGE_SPARSE:
		page_sparse(page, PAGE, state);
		break;
	case PAGE_MIXED: /* a slab: something of each */
		page_text(page, 1024, state);
		page_pointers(page + 1024, 1536, state);
		page_sparse(page + 2560, 1024, state);
		page_noise(page + 3584, 512, state);
		break;
	case PAGE_NOISE:
		page_noise(page, PAGE, state);
		break;
	default:
		memset(page, 0, PAGE);
		break;
	}
}

#endif
