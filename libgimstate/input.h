/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the bytes of a container come from: a file read by offset, a stream read forward, or memory. */
#ifndef GIM_INPUT_H
#define GIM_INPUT_H

#include "gimstate.h"

struct gim_input {
	int fd;                /* -1: memory */
	bool owned;            /* close fd at the end */
	bool seekable;         /* any offset can be read; false for pipes */
	uint64_t size;         /* in bytes; GIM_UNKNOWN for a stream that has not ended */
	uint64_t position;     /* of a stream: how far it was read */
	const uint8_t *memory; /* of `size` bytes, not owned */
	uint8_t head[64];      /* of a stream: bytes that were peeked at and not yet read */
	size_t head_size;
};

/* path "-" is standard input. A directory, a device or an unreadable file is an error whose sentence says so. */
int gim_input_open(struct gim_input *input, const char *path, struct gim_error *error);
int gim_input_open_fd(struct gim_input *input, int fd, struct gim_error *error);
void gim_input_open_memory(struct gim_input *input, const void *bytes, size_t size_bytes);
void gim_input_close(struct gim_input *input);

/* Read up to size_bytes at offset into bytes; *got is less only at the end of the input. EINTR and short reads are dealt with. On a stream, offset
 * must be input->position. Safe to call from several threads at once when seekable. */
int gim_input_read(struct gim_input *input, uint64_t offset, void *bytes, size_t size_bytes, size_t *got, struct gim_error *error);

/* Look at the first bytes (at most 64) without consuming them; before any read. */
int gim_input_peek(struct gim_input *input, uint8_t *bytes, size_t size_bytes, size_t *got, struct gim_error *error);

#endif
