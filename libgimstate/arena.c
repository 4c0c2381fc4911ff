/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The arena: a chain of blocks, each filled from its start. */
#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct gim_arena_block {
	struct gim_arena_block *next;
	size_t used, size;
	alignas(max_align_t) unsigned char bytes[];
};

/* Most states need a few kilobytes; a block of this size keeps them to one allocation. */
enum { BLOCK_BYTES = 16 * 1024 };

void *gim_arena_alloc(struct gim_arena *arena, size_t size_bytes)
{
	const size_t align = alignof(max_align_t);
	const size_t limit = arena->limit_bytes ? arena->limit_bytes : GIM_ARENA_LIMIT;
	if (size_bytes > limit || arena->used_bytes > limit - size_bytes)
		return NULL;
	size_t size = (size_bytes + align - 1) / align * align;
	struct gim_arena_block *block = arena->blocks;
	if (!block || block->size - block->used < size) {
		size_t block_size = size > BLOCK_BYTES ? size : BLOCK_BYTES;
		block = calloc(1, sizeof(*block) + block_size);
		if (!block)
			return arena->starved = true, NULL;
		block->size = block_size;
		block->next = arena->blocks;
		arena->blocks = block;
	}
	void *memory = block->bytes + block->used;
	block->used += size;
	arena->used_bytes += size;
	return memory;
}

void *gim_arena_array(struct gim_arena *arena, size_t count, size_t item_bytes)
{
	if (item_bytes && count > SIZE_MAX / item_bytes)
		return NULL;
	return gim_arena_alloc(arena, count * item_bytes);
}

void *gim_arena_copy(struct gim_arena *arena, const void *bytes, size_t size_bytes)
{
	void *copy = gim_arena_alloc(arena, size_bytes);
	if (copy && size_bytes)
		memcpy(copy, bytes, size_bytes);
	return copy;
}

bool gim_arena_join(struct gim_arena *arena, struct gim_arena *other)
{
	const size_t limit = arena->limit_bytes ? arena->limit_bytes : GIM_ARENA_LIMIT;
	struct gim_arena_block **last = arena->blocks ? &arena->blocks->next : &arena->blocks; /* the first goes on being filled */
	if (arena->used_bytes > limit || other->used_bytes > limit - arena->used_bytes)
		return false;
	struct gim_arena_block *rest = *last;
	*last = other->blocks;
	while (*last)
		last = &(*last)->next;
	*last = rest;
	arena->used_bytes += other->used_bytes;
	*other = (struct gim_arena){.limit_bytes = other->limit_bytes};
	return true;
}

void gim_arena_free(struct gim_arena *arena)
{
	struct gim_arena_block *block = arena->blocks;
	while (block) {
		struct gim_arena_block *next = block->next;
		free(block);
		block = next;
	}
	*arena = (struct gim_arena){.limit_bytes = arena->limit_bytes};
}
