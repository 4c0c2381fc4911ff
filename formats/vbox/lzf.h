/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LZF compression as saved states use it: decoding to an exact length, and encoding. */
#ifndef GIM_LZF_H
#define GIM_LZF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Expand in to exactly out_size bytes. False when the input is malformed or expands to another length; out then holds rubbish within its bounds. */
bool gim_lzf_decode(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size);

/* Where a packed block lies, from a common base on, and to how much it must expand. None of them is empty, and all lie within the first GiB. */
struct gim_lzf_block {
	uint32_t at, size, unpacked;
};

/* Would all blocks be decoded? GIM_LZF_SLACK bytes behind each block can be read, too. */
enum { GIM_LZF_SLACK = 4 };
bool gim_lzf_check(const uint8_t *base, const struct gim_lzf_block *blocks, size_t count);

/* Compress in; returns the size, or 0 when it would exceed out_size. */
size_t gim_lzf_encode(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size);

#endif
