/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Products and quotients of 128 bits from operations of 64 bits. */
#include "scale.h"

uint64_t gim_mul_high_portable(uint64_t a, uint64_t b)
{
	const uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
	const uint64_t middle = a_high * b_low + (a_low * b_low >> 32);
	return a_high * b_high + (middle >> 32) + ((a_low * b_high + (uint32_t)middle) >> 32);
}

/* Bit by bit, as on paper: what is left stays below the divisor, but for the bit that a shift pushes out. */
uint64_t gim_div_wide_portable(uint64_t high, uint64_t low, uint64_t divisor)
{
	uint64_t left = high % divisor, quotient = 0;
	for (int bit = 63; bit >= 0; bit--) {
		const uint64_t out = left >> 63;
		left = left << 1 | (low >> bit & 1);
		if (out || left >= divisor) {
			left -= divisor;
			quotient |= UINT64_C(1) << bit;
		}
	}
	return quotient;
}
