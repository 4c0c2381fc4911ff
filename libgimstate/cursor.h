/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bounds-checked reading and writing of bytes: the only way the library touches input. */
#ifndef GIM_CURSOR_H
#define GIM_CURSOR_H

#include "gimstate.h"

/*
 * Reads little-endian (or, with `big`, big-endian) values from bytes. Sticky: after the first read past the end, every read gives zeros and the
 * cursor stays where it failed; test `failed` once at the end.
 */
struct gim_cursor {
	const uint8_t *bytes;
	size_t size, position;
	bool big;
	bool failed;
};

static inline size_t gim_cursor_left(const struct gim_cursor *cursor)
{
	return cursor->size - cursor->position;
}

/* An unsigned value of width_bytes (1 to 8). */
uint64_t gim_cursor_number(struct gim_cursor *cursor, unsigned width_bytes);

/* The next size_bytes bytes, in place; NULL (and failed) when there are fewer. */
const uint8_t *gim_cursor_bytes(struct gim_cursor *cursor, size_t size_bytes);

static inline uint8_t gim_cursor_u8(struct gim_cursor *cursor)
{
	return (uint8_t)gim_cursor_number(cursor, 1);
}
static inline uint16_t gim_cursor_u16(struct gim_cursor *cursor)
{
	return (uint16_t)gim_cursor_number(cursor, 2);
}
static inline uint32_t gim_cursor_u32(struct gim_cursor *cursor)
{
	return (uint32_t)gim_cursor_number(cursor, 4);
}
static inline uint64_t gim_cursor_u64(struct gim_cursor *cursor)
{
	return gim_cursor_number(cursor, 8);
}

/*
 * A growing byte buffer for writing; zero-initialise. Sticky: when memory runs out it stays as it is and `failed` is set.
 */
struct gim_buffer {
	uint8_t *bytes;
	size_t size, capacity;
	bool big;
	bool failed;
};

void gim_buffer_number(struct gim_buffer *buffer, uint64_t value, unsigned width_bytes);
void gim_buffer_bytes(struct gim_buffer *buffer, const void *bytes, size_t size_bytes);
/* Overwrite a value that was written before, e.g. a size or a checksum. */
void gim_buffer_patch(struct gim_buffer *buffer, size_t position, uint64_t value, unsigned width_bytes);
void gim_buffer_free(struct gim_buffer *buffer);

#endif
