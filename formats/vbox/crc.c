/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CRC-32 by libdeflate, the fastest well-kept library that is packaged everywhere; joining by zlib. */
#include "vbox/crc.h"

#include <libdeflate.h>
#include <zlib.h>

uint32_t gim_crc32(uint32_t crc, const void *bytes, size_t size_bytes)
{
	/* A NULL buffer asks libdeflate for the initial value. */
	return size_bytes ? libdeflate_crc32(crc, bytes, size_bytes) : crc;
}

uint32_t gim_crc32_join(uint32_t crc_a, uint32_t crc_b, uint64_t b_size_bytes)
{
	return (uint32_t)crc32_combine(crc_a, crc_b, (z_off_t)b_size_bytes);
}
