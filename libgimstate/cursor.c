/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cursor and the buffer. */
#include "cursor.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const uint8_t *gim_cursor_bytes(struct gim_cursor *cursor, size_t size_bytes)
{
	if (cursor->failed || size_bytes > gim_cursor_left(cursor)) {
		cursor->failed = true;
		return NULL;
	}
	const uint8_t *bytes = cursor->bytes + cursor->position;
	cursor->position += size_bytes;
	return bytes;
}

uint64_t gim_cursor_number(struct gim_cursor *cursor, unsigned width_bytes)
{
	assert(width_bytes >= 1 && width_bytes <= 8);
	const uint8_t *bytes = gim_cursor_bytes(cursor, width_bytes);
	uint64_t value = 0;
	if (bytes)
		for (unsigned i = 0; i < width_bytes; i++)
			value = value << 8 | bytes[cursor->big ? i : width_bytes - 1 - i];
	return value;
}

static bool reserve(struct gim_buffer *buffer, size_t size_bytes)
{
	if (buffer->failed)
		return false;
	if (size_bytes <= buffer->capacity - buffer->size)
		return true;
	if (size_bytes > SIZE_MAX / 2 - buffer->size) {
		buffer->failed = true;
		return false;
	}
	size_t capacity = buffer->capacity ? buffer->capacity : 256;
	while (capacity - buffer->size < size_bytes)
		capacity *= 2;
	uint8_t *bytes = realloc(buffer->bytes, capacity);
	if (!bytes) {
		buffer->failed = true;
		return false;
	}
	buffer->bytes = bytes;
	buffer->capacity = capacity;
	return true;
}

void gim_buffer_bytes(struct gim_buffer *buffer, const void *bytes, size_t size_bytes)
{
	if (!size_bytes || !reserve(buffer, size_bytes))
		return;
	memcpy(buffer->bytes + buffer->size, bytes, size_bytes);
	buffer->size += size_bytes;
}

void gim_buffer_patch(struct gim_buffer *buffer, size_t position, uint64_t value, unsigned width_bytes)
{
	if (buffer->failed)
		return;
	assert(width_bytes >= 1 && width_bytes <= 8 && position <= buffer->size && width_bytes <= buffer->size - position);
	for (unsigned i = 0; i < width_bytes; i++, value >>= 8)
		buffer->bytes[position + (buffer->big ? width_bytes - 1 - i : i)] = (uint8_t)value;
}

void gim_buffer_number(struct gim_buffer *buffer, uint64_t value, unsigned width_bytes)
{
	static const uint8_t zeros[8];
	gim_buffer_bytes(buffer, zeros, width_bytes);
	if (!buffer->failed)
		gim_buffer_patch(buffer, buffer->size - width_bytes, value, width_bytes);
}

void gim_buffer_free(struct gim_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct gim_buffer){.big = buffer->big};
}
