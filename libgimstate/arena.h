/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that lives as long as a state and is freed in one go. */
#ifndef GIM_ARENA_H
#define GIM_ARENA_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialise to make an empty arena. */
struct gim_arena {
	struct gim_arena_block *blocks;
	size_t used_bytes;  /* handed out so far, all blocks together */
	bool starved;       /* it was the system that had no more, not the limit */
	size_t limit_bytes; /* refuse to go beyond; 0: GIM_ARENA_LIMIT */
};

/* Keeps a hostile input below the 64 MiB that the commands promise. */
#define GIM_ARENA_LIMIT ((size_t)48 << 20)

/* Zeroed memory, aligned for any type; NULL when memory or the limit is exhausted. size_bytes may be 0. */
void *gim_arena_alloc(struct gim_arena *arena, size_t size_bytes);

/* Zeroed memory for count items; NULL also when the product overflows. */
void *gim_arena_array(struct gim_arena *arena, size_t count, size_t item_bytes);

/* A copy; NULL when exhausted. */
void *gim_arena_copy(struct gim_arena *arena, const void *bytes, size_t size_bytes);

/* What an allocation that failed comes to: GIM_E_MEMORY, or GIM_E_LIMIT with that sentence. */
#define GIM_ARENA_FAIL(arena, error, offset, ...)                                                                                          \
	((arena)->starved ? gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory") : gim_fail(error, GIM_E_LIMIT, offset, __VA_ARGS__))

/* Take over all that another arena holds, which is empty then; false, and nothing changes, when that exceeds the limit. */
bool gim_arena_join(struct gim_arena *arena, struct gim_arena *other);

void gim_arena_free(struct gim_arena *arena);

#endif
