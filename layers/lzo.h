/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LZO1X: the decoder of lzop's blocks. */
#ifndef GIM_LZO_H
#define GIM_LZO_H

#include <stddef.h>
#include <stdint.h>

/* Unpack one block of LZO1X into exactly out_bytes bytes. 0, or -1: it is damaged, and *at is the offset in it where that shows. Neither buffer is left, whatever
 * stands in it. */
int gim_lzo_decode(const uint8_t *in, size_t in_bytes, uint8_t *out, size_t out_bytes, size_t *at);

#endif
