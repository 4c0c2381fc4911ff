/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Would packed blocks unpack? Only their control bytes are looked at. A block is a chain, in which each control byte says where the next one is, so
 * many blocks are followed at once, one in each lane of a vector.
 */
#include "vbox/lzf.h"

static bool check_one(const uint8_t *in, size_t size, size_t unpacked)
{
	size_t at = 0, out = 0;
	while (at < size) {
		const unsigned control = in[at++];
		if (control < 0x20) {
			at += control + 1;
			out += control + 1;
			continue;
		}
		size_t length = (control >> 5) + 2;
		if (length == 9 && at < size)
			length += in[at++];
		if (at == size || ((control & 0x1f) << 8 | in[at]) >= out)
			return false;
		at++;
		out += length;
	}
	return at == size && out == unpacked;
}

static bool check_each(const uint8_t *base, const struct gim_lzf_block *blocks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!check_one(base + blocks[i].at, blocks[i].size, blocks[i].unpacked))
			return false;
	return true;
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

/* Blocks that no lane has begun. */
struct queue {
	const struct gim_lzf_block *next, *end;
};

#define LANES 8
#define TARGET "avx2"
#define NAMED(name) name##_avx2
#define GATHER(base, at) _mm256_i32gather_epi32((const int *)(const void *)(base), (__m256i)(at), 1)
#define NEGATIVE(vector) (unsigned)_mm256_movemask_ps((__m256)(vector))
#include "vbox/lzf_lanes.inc"

#define LANES 16
#define TARGET "avx512f"
#define NAMED(name) name##_avx512
#define GATHER(base, at) _mm512_i32gather_epi32((__m512i)(at), (const void *)(base), 1)
#define NEGATIVE(vector) (unsigned)_mm512_cmplt_epi32_mask((__m512i)(vector), _mm512_setzero_si512())
#include "vbox/lzf_lanes.inc"

bool gim_lzf_check(const uint8_t *base, const struct gim_lzf_block *blocks, size_t count)
{
	if (count >= 16 && __builtin_cpu_supports("avx512f"))
		return check_avx512(base, blocks, count);
	if (count >= 8 && __builtin_cpu_supports("avx2"))
		return check_avx2(base, blocks, count);
	return check_each(base, blocks, count);
}
#else
bool gim_lzf_check(const uint8_t *base, const struct gim_lzf_block *blocks, size_t count)
{
	return check_each(base, blocks, count);
}
#endif
