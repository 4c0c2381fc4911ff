/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests CRC-32: known values, any cutting into pieces, and joining. */
#include "vbox/crc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void known_values(void **unused)
{
	(void)unused;
	assert_int_equal(gim_crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(gim_crc32(0, "SSM", 3), 0x08407a41);
	assert_int_equal(gim_crc32(0, "GIM", 3), 0xa3428b36);
	assert_int_equal(gim_crc32(0, "\0\0\0\0", 4), 0x2144df1c);
}

static void no_bytes_change_nothing(void **unused)
{
	(void)unused;
	assert_int_equal(gim_crc32(0, NULL, 0), 0);
	assert_int_equal(gim_crc32(0x12345678, NULL, 0), 0x12345678);
	assert_int_equal(gim_crc32(0x12345678, "", 0), 0x12345678);
	assert_int_equal(gim_crc32_join(0x12345678, 0, 0), 0x12345678);
}

/* Wherever a run of bytes is cut, at any alignment, continuing and joining agree with the whole. */
static void pieces_make_the_whole(void **unused)
{
	uint8_t bytes[300];
	(void)unused;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 3));
	for (size_t begin = 0; begin < 17; begin++) {
		const size_t size = sizeof(bytes) - begin;
		const uint32_t whole = gim_crc32(0, bytes + begin, size);
		for (size_t cut = 0; cut <= size; cut++) {
			const uint32_t first = gim_crc32(0, bytes + begin, cut);
			assert_int_equal(gim_crc32(first, bytes + begin + cut, size - cut), whole);
			assert_int_equal(gim_crc32_join(first, gim_crc32(0, bytes + begin + cut, size - cut), size - cut), whole);
		}
	}
}

/* The CRC of 2^n zeros, by joining halves. */
static uint32_t zeros(unsigned n)
{
	const uint32_t half = n ? zeros(n - 1) : 0;
	return n ? gim_crc32_join(half, half, UINT64_C(1) << (n - 1)) : gim_crc32(0, "", 1);
}

/* Lengths beyond 32 bits: the order of joining does not matter. */
static void long_runs_join(void **unused)
{
	static const uint8_t page[4096];
	(void)unused;
	assert_int_equal(zeros(12), gim_crc32(0, page, sizeof(page)));
	const uint32_t a = gim_crc32(0, "start", 5), b = zeros(33), c = zeros(34);
	const uint64_t b_size = UINT64_C(1) << 33, c_size = UINT64_C(1) << 34;
	assert_int_equal(gim_crc32_join(gim_crc32_join(a, b, b_size), c, c_size),
	                 gim_crc32_join(a, gim_crc32_join(b, c, c_size), b_size + c_size));
	assert_int_not_equal(gim_crc32_join(a, b, b_size), gim_crc32_join(a, b, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_values),
	    cmocka_unit_test(no_bytes_change_nothing),
	    cmocka_unit_test(pieces_make_the_whole),
	    cmocka_unit_test(long_runs_join),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
