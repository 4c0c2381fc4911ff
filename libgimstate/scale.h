/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Products and quotients of 128 bits: what scaled clocks are made of. */
#ifndef GIM_SCALE_H
#define GIM_SCALE_H

#include <stdint.h>

#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 gim_u128;
#endif

/* The ways for machines without a 128-bit type, which the tests hold against it. */
uint64_t gim_mul_high_portable(uint64_t a, uint64_t b);
uint64_t gim_div_wide_portable(uint64_t high, uint64_t low, uint64_t divisor);

/* (a * b) >> 64. */
static inline uint64_t gim_mul_high(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	return (uint64_t)((gim_u128)a * b >> 64);
#else
	return gim_mul_high_portable(a, b);
#endif
}

/* (high << 64 | low) / divisor, rounded down; its low 64 bits when high >= divisor. divisor is not 0. */
static inline uint64_t gim_div_wide(uint64_t high, uint64_t low, uint64_t divisor)
{
#ifdef __SIZEOF_INT128__
	return (uint64_t)(((gim_u128)high << 64 | low) / divisor);
#else
	return gim_div_wide_portable(high, low, divisor);
#endif
}

/* (a << 64) / b, for a < b. */
static inline uint64_t gim_div_high(uint64_t a, uint64_t b)
{
	return gim_div_wide(a, 0, b);
}

/* a * b / c, rounded down; its low 64 bits when it has more. c is not 0. */
static inline uint64_t gim_mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	return gim_div_wide(gim_mul_high(a, b), a * b, c);
}

#endif
