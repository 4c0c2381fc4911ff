/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CRC-32 (IEEE 802.3, as zlib's crc32): of bytes, and of two runs of bytes put together. */
#ifndef GIM_CRC_H
#define GIM_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Continue crc (0 at the start) over bytes. */
uint32_t gim_crc32(uint32_t crc, const void *bytes, size_t size_bytes);

/* The CRC of A followed by B, from the CRC of each and B's length. */
uint32_t gim_crc32_join(uint32_t crc_a, uint32_t crc_b, uint64_t b_size_bytes);

#endif
