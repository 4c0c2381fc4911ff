/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers as a guest has them in its memory and registers: little-endian, whatever the host is. */
#ifndef GIM_BYTES_H
#define GIM_BYTES_H

#include <stdint.h>

static inline uint64_t gim_load(const void *bytes, unsigned width)
{
	uint64_t number = 0;
	for (unsigned i = width; i-- > 0;)
		number = number << 8 | ((const uint8_t *)bytes)[i];
	return number;
}

static inline void gim_store(void *bytes, uint64_t number, unsigned width)
{
	for (unsigned i = 0; i < width; i++)
		((uint8_t *)bytes)[i] = (uint8_t)(number >> 8 * i);
}

#endif
