/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests LZF against a decoder that is too simple to be wrong, with both buffers between pages that cannot be touched. */
#include "../sparse.h"
#include "vbox/lzf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define AREA 16384
#define GUARD 65536 /* at least a page on every machine */
#define BLOCK 4096

static uint8_t *in_area, *out_area;

static uint8_t *guarded(void)
{
	uint8_t *map = mmap(NULL, AREA + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED || mprotect(map + GUARD, AREA, PROT_READ | PROT_WRITE))
		abort();
	return map + GUARD;
}

static int make_areas(void **unused)
{
	(void)unused;
	in_area = guarded();
	out_area = guarded();
	return 0;
}

/* Byte by byte, straight from the format's description. The size it expands to, or -1; never more than limit bytes are written. */
static long expand(const uint8_t *in, size_t size, uint8_t *out, size_t limit)
{
	size_t at = 0;
	for (size_t i = 0; i < size;) {
		const unsigned control = in[i++];
		size_t length = control + 1, distance = 0;
		if (control >= 0x20) {
			length = control >> 5;
			if (length == 7) {
				if (i == size)
					return -1;
				length += in[i++];
			}
			length += 2;
			if (i == size)
				return -1;
			distance = ((control & 0x1f) << 8 | in[i++]) + 1;
			if (distance > at)
				return -1;
		} else if (size - i < length) {
			return -1;
		}
		if (limit - at < length)
			return -1;
		for (; length; length--, at++)
			out[at] = distance ? out[at - distance] : in[i++];
	}
	return (long)at;
}

/* Decode into exactly out_size bytes, with each buffer touching a guard: once the one behind it, once the one before it. */
static bool decode(const uint8_t *in, size_t size, size_t out_size, uint8_t *copy)
{
	uint8_t *low_in = in_area, *high_in = in_area + AREA - size, *low_out = out_area, *high_out = out_area + AREA - out_size;
	memmove(high_in, in, size);
	memset(high_out, 0xa5, out_size);
	const bool high = gim_lzf_decode(high_in, size, high_out, out_size);
	if (high && copy)
		memcpy(copy, high_out, out_size);
	memmove(low_in, in, size);
	memset(low_out, 0x5a, out_size + 16);
	const bool low = gim_lzf_decode(low_in, size, low_out, out_size);
	assert_int_equal(low, high);
	if (high && copy)
		assert_memory_equal(low_out, copy, out_size);
	for (size_t i = 0; i < 16; i++)
		assert_int_equal(low_out[out_size + i], 0x5a);
	return high;
}

/* The verdict and the bytes are the simple decoder's, and no other length is accepted. */
static void compare(const uint8_t *in, size_t size)
{
	static uint8_t expected[BLOCK], got[BLOCK];
	const long length = expand(in, size, expected, sizeof(expected));
	if (length < 0) {
		assert_false(decode(in, size, BLOCK, NULL));
		return;
	}
	assert_true(decode(in, size, (size_t)length, got));
	assert_memory_equal(got, expected, (size_t)length);
	if (length < BLOCK)
		assert_false(decode(in, size, (size_t)length + 1, NULL));
	if (length)
		assert_false(decode(in, size, (size_t)length - 1, NULL));
}

static uint32_t random_state;

static uint32_t pick(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)random_state * below >> 32);
}

static void known_streams(void **unused)
{
	uint8_t out[300];
	(void)unused;
	assert_true(decode((const uint8_t *)"\x02"
	                                    "abc",
	                   4, 3, out));
	assert_memory_equal(out, "abc", 3);
	/* "ab", then five bytes from two back. */
	assert_true(decode((const uint8_t *)"\x01"
	                                    "ab\x60\x01",
	                   5, 7, out));
	assert_memory_equal(out, "abababa", 7);
	/* The longest copy, 264, from one back. */
	assert_true(decode((const uint8_t *)"\x00x\xe0\xff\x00", 5, 265, out));
	for (size_t i = 0; i < 265; i++)
		assert_int_equal(out[i], 'x');
	assert_true(gim_lzf_decode(NULL, 0, NULL, 0));
	assert_false(gim_lzf_decode(NULL, 0, out, 1));
}

static void reaching_before_the_start_is_refused(void **unused)
{
	(void)unused;
	assert_false(decode((const uint8_t *)"\x20\x00", 2, 3, NULL));
	for (unsigned distance = 1; distance <= 8192; distance++) {
		const uint8_t in[] = {0, 'a', (uint8_t)(0x20 | (distance - 1) >> 8), (uint8_t)(distance - 1)};
		assert_int_equal(decode(in, sizeof(in), 4, NULL), distance == 1);
	}
}

/* All inputs of up to two bytes; of three, those with a first byte of each kind. */
static void every_small_input(void **unused)
{
	static const uint8_t firsts[] = {0, 1, 2, 3, 0x1f, 0x20, 0x21, 0x3f, 0x40, 0xc0, 0xe0, 0xe1, 0xff};
	uint8_t in[3] = {0};
	const unsigned every = sparse() > 1 ? 5 : 1;
	(void)unused;
	compare(in, 0);
	for (unsigned i = 0; i < 0x10000; i++) {
		in[0] = (uint8_t)i;
		in[1] = (uint8_t)(i >> 8);
		compare(in, 1 + (i > 0xff));
	}
	for (size_t first = 0; first < sizeof(firsts); first++) {
		in[0] = firsts[first];
		for (unsigned i = 0; i < 0x10000; i += every * (first % 2 ? 1 : 7)) {
			in[1] = (uint8_t)i;
			in[2] = (uint8_t)(i >> 8);
			compare(in, 3);
		}
	}
}

/* Of this many random ones, those that a slow run does. */
static unsigned rounds(unsigned all)
{
	return sparse() > 1 ? all / 4 : all;
}

/* A valid stream of random runs and copies, most from close by; at most limit bytes of output. */
static size_t make_stream(uint8_t *in, size_t limit)
{
	size_t size = 0, at = 0;
	while (at < limit) {
		size_t length = 1 + pick(pick(2) ? 32 : 4);
		if (!at || !pick(4)) {
			if (length > limit - at)
				length = limit - at;
			in[size++] = (uint8_t)(length - 1);
			for (size_t i = 0; i < length; i++)
				in[size++] = (uint8_t)pick(256);
		} else {
			const size_t reach = at < 8192 ? at : 8192, near = reach < 40 ? reach : 40;
			const uint32_t offset = pick((uint32_t)(pick(3) ? near : reach));
			length = 3 + pick(pick(3) ? 16 : 262);
			if (length > limit - at)
				break;
			const unsigned count = (unsigned)length - 2;
			in[size++] = (uint8_t)((count < 7 ? count : 7) << 5 | offset >> 8);
			if (count >= 7)
				in[size++] = (uint8_t)(count - 7);
			in[size++] = (uint8_t)offset;
		}
		at += length;
	}
	return size;
}

static void random_streams_truncations_and_flips(void **unused)
{
	static uint8_t in[2 * BLOCK];
	(void)unused;
	for (unsigned round = 0; round < rounds(400); round++) {
		random_state = round;
		const size_t size = make_stream(in, 1 + pick(round % 8 ? 200 : BLOCK));
		compare(in, size);
		const size_t step = 1 + size / 100;
		for (size_t cut = 0; cut < size; cut += step)
			compare(in, cut);
		for (size_t bit = 0; bit < 8 * size; bit += step) {
			in[bit / 8] ^= (uint8_t)(1u << bit % 8);
			compare(in, size);
			in[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

static void fill_page(uint8_t *page, size_t size, unsigned kind)
{
	for (size_t i = 0; i < size; i++)
		switch (kind % 6) {
		case 0:
			page[i] = 0;
			break;
		case 1:
			page[i] = (uint8_t)((size_t) "guest interface "[i % 16] + i / 512 % 3);
			break;
		case 2:
			page[i] = (uint8_t)(i % 8 < 3 ? pick(256) : 0x80);
			break;
		case 3:
			page[i] = (uint8_t)(pick(20) ? 0 : pick(256));
			break;
		case 4:
			page[i] = (uint8_t)pick(2);
			break;
		default:
			page[i] = (uint8_t)pick(256);
			break;
		}
}

/* What is encoded decodes to itself; the encoder uses its room to the last byte and not one more. */
static void what_is_encoded_decodes(void **unused)
{
	static uint8_t page[2 * BLOCK], packed[3 * BLOCK];
	static uint8_t back[BLOCK];
	(void)unused;
	for (unsigned round = 0; round < rounds(300); round++) {
		random_state = round;
		const size_t size = round % 3 ? 1 + pick(BLOCK) : BLOCK;
		fill_page(page, size, round);
		const size_t length = gim_lzf_encode(page, size, packed, sizeof(packed));
		assert_in_range(length, 1, size + size / 32 + 1);
		assert_true(decode(packed, length, size, back));
		assert_memory_equal(back, page, size);
		for (size_t room = length > 40 ? length - 40 : 0; room <= length; room++) {
			const size_t used = gim_lzf_encode(page, size, out_area + AREA - room, room);
			assert_int_equal(used, room == length ? length : 0);
		}
	}
	assert_int_equal(gim_lzf_encode(page, 0, packed, sizeof(packed)), 0);
}

/* Without decoding: blocks of all sizes in one go, sound ones, and with one of them damaged anywhere. */
static void checking_says_what_decoding_says(void **unused)
{
	enum { BLOCKS = 50, FEW = 12, ROOM = BLOCK + BLOCK / 32 + 1 };
	static uint8_t page[BLOCK], packed[BLOCKS * ROOM + GIM_LZF_SLACK], back[BLOCK];
	struct gim_lzf_block blocks[BLOCKS];
	unsigned refused = 0;
	(void)unused;
	for (unsigned round = 0; round < rounds(100); round++) {
		random_state = round;
		for (uint32_t i = 0; i < BLOCKS; i++) {
			const size_t size = 1 + pick(BLOCK);
			fill_page(page, size, i + round);
			const size_t length = gim_lzf_encode(page, size, packed + i * ROOM, ROOM);
			assert_true(length);
			blocks[i] = (struct gim_lzf_block){i * ROOM, (uint32_t)length, (uint32_t)size};
		}
		for (size_t count = 0; count <= BLOCKS; count++)
			assert_true(gim_lzf_check(packed, blocks, count));
		for (unsigned damage = 0; damage < 40; damage++) {
			const struct gim_lzf_block *block = &blocks[pick(BLOCKS)];
			uint8_t *byte = &packed[block->at + pick(block->size)], old = *byte;
			*byte ^= (uint8_t)(1 + pick(255));
			const bool good = decode(packed + block->at, block->size, block->unpacked, back);
			assert_int_equal(gim_lzf_check(packed, blocks, BLOCKS), good);
			assert_int_equal(gim_lzf_check(packed, block, 1), good);
			/* Few blocks are followed in another way than many. */
			const struct gim_lzf_block *few = block < &blocks[BLOCKS - FEW] ? block : &blocks[BLOCKS - FEW];
			assert_int_equal(gim_lzf_check(packed, few, FEW), good);
			refused += !good;
			*byte = old;
		}
	}
	assert_in_range(refused, 100, 3999);
}

static void repetition_packs_well(void **unused)
{
	static uint8_t page[BLOCK], packed[BLOCK];
	(void)unused;
	assert_in_range(gim_lzf_encode(page, BLOCK, packed, BLOCK), 1, 64);
	fill_page(page, BLOCK, 1);
	assert_in_range(gim_lzf_encode(page, BLOCK, packed, BLOCK), 1, 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_streams),
	    cmocka_unit_test(reaching_before_the_start_is_refused),
	    cmocka_unit_test(every_small_input),
	    cmocka_unit_test(random_streams_truncations_and_flips),
	    cmocka_unit_test(what_is_encoded_decodes),
	    cmocka_unit_test(repetition_packs_well),
	    cmocka_unit_test(checking_says_what_decoding_says),
	};
	return cmocka_run_group_tests(tests, make_areas, NULL);
}
