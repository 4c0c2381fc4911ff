/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a whole file once, front to back, with the CRC of everything up to any place: worker threads read slices ahead and sum them up, and
 * whoever walks through the file joins the sums. At most SSM_AHEAD_BYTES are held.
 */
#ifndef GIM_SSM_AHEAD_H
#define GIM_SSM_AHEAD_H

#include "input.h"

enum { SSM_SLICE_BYTES = 4 << 20, SSM_SLICES = 4, SSM_AHEAD_BYTES = SSM_SLICE_BYTES * SSM_SLICES, SSM_PEEK_MAX = 64 * 1024 };

struct ssm_ahead;

/* threads counts the caller's own; pipes, memory and small files are read by it alone. progress may be NULL. *ahead is the caller's. */
int ssm_ahead_new(struct gim_input *input, unsigned threads, gim_progress_fn *progress, void *progress_user, struct ssm_ahead **ahead,
                  struct gim_error *error);
void ssm_ahead_free(struct ssm_ahead *ahead);

/* Make size bytes (at most SSM_PEEK_MAX) at offset visible; *got: how many there are at *bytes, fewer only at the end of the file. The bytes live until the next call.
 * Neither this nor ssm_ahead_crc may go back behind the offset of an earlier call. */
int ssm_ahead_peek(struct ssm_ahead *ahead, uint64_t offset, size_t size, const uint8_t **bytes, size_t *got, struct gim_error *error);

/* The CRC of the file's first `offset` bytes, or of all when it is shorter. */
int ssm_ahead_crc(struct ssm_ahead *ahead, uint64_t offset, uint32_t *crc, struct gim_error *error);

/* Have the LZF data at offset checked by and by, whether it unpacks to so many bytes; a call of peek must have shown it. False: that cannot be put off, and the
 * caller must see for itself. */
bool ssm_ahead_check_later(struct ssm_ahead *ahead, uint64_t offset, size_t size, size_t unpacked);

/* Finish the checks that were put off, as far as the walker came. Did all of it unpack? */
bool ssm_ahead_sound(struct ssm_ahead *ahead);

#endif
