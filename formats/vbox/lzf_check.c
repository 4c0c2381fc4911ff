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

enum { LANES = 8, GROUPS = 3 };

typedef int32_t lanes __attribute__((vector_size(4 * LANES)));

/* What is known of the blocks in the lanes of a group: all offsets count from base. */
struct group {
	lanes at, end, out, unpacked;
	lanes wrong; /* negative: a copy from before the block's start */
	lanes busy;  /* all ones, or zero for a lane without a block */
};

struct queue {
	const struct gim_lzf_block *next, *end;
};

static void start_lane(struct group *group, int lane, struct queue *queue)
{
	const bool busy = queue->next < queue->end;
	const struct gim_lzf_block *block = queue->next;
	group->at[lane] = busy ? (int32_t)block->at : 0;
	group->end[lane] = busy ? (int32_t)(block->at + block->size) : 1;
	group->unpacked[lane] = busy ? (int32_t)block->unpacked : 0;
	group->out[lane] = 0;
	group->wrong[lane] = 0;
	group->busy[lane] = busy ? -1 : 0;
	queue->next += busy;
}

/* One control byte in each lane. */
__attribute__((target("avx2"), always_inline)) static inline void step(struct group *group, const uint8_t *base)
{
	const lanes bytes = (lanes)_mm256_i32gather_epi32((const int *)(const void *)base, (__m256i)group->at, 1);
	const lanes control = bytes & 0xff, second = bytes >> 8 & 0xff, third = bytes >> 16 & 0xff;
	const lanes literal = control<0x20, far = control> 0xdf;
	const lanes distance = (control & 0x1f) << 8 | (second & ~far) | (third & far);
	group->wrong |= (group->out - distance - 1) & ~literal & group->busy;
	group->out += ((control + 1) & literal) | (((control >> 5) + 2 + (second & far)) & ~literal);
	group->at += (2 + (control & literal) - far) & group->busy;
}

/* Judge the lanes whose blocks are done, and give them new ones. False: one is not sound. */
static bool turn_over(struct group *group, unsigned done, struct queue *queue)
{
	for (; done; done &= done - 1) {
		const int lane = __builtin_ctz(done);
		if (group->at[lane] != group->end[lane] || group->out[lane] != group->unpacked[lane] || group->wrong[lane] < 0)
			return false;
		start_lane(group, lane, queue);
	}
	return true;
}

__attribute__((target("avx2"))) static bool check_lanes(const uint8_t *base, const struct gim_lzf_block *blocks, size_t count)
{
	struct group groups[GROUPS];
	struct queue queue = {blocks, blocks + count};
	for (int g = 0; g < GROUPS; g++)
		for (int lane = 0; lane < LANES; lane++)
			start_lane(&groups[g], lane, &queue);
	for (;;) {
		lanes any, done[GROUPS];
		do {
			any = (lanes){0};
			for (int g = 0; g < GROUPS; g++) {
				step(&groups[g], base);
				any |= done[g] = groups[g].at >= groups[g].end;
			}
		} while (!_mm256_movemask_epi8((__m256i)any));
		int busy = 0;
		for (int g = 0; g < GROUPS; g++) {
			if (!turn_over(&groups[g], (unsigned)_mm256_movemask_ps((__m256)done[g]), &queue))
				return false;
			busy |= _mm256_movemask_ps((__m256)groups[g].busy);
		}
		if (!busy)
			return true;
	}
}

bool gim_lzf_check(const uint8_t *base, const struct gim_lzf_block *blocks, size_t count)
{
	return __builtin_cpu_supports("avx2") && count >= LANES ? check_lanes(base, blocks, count) : check_each(base, blocks, count);
}
#else
bool gim_lzf_check(const uint8_t *base, const struct gim_lzf_block *blocks, size_t count)
{
	return check_each(base, blocks, count);
}
#endif
