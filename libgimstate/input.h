/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the bytes of a container come from: a file read by offset, a stream read forward, memory, or what a layer makes of another input. */
#ifndef GIM_INPUT_H
#define GIM_INPUT_H

#include "gimstate.h"

/* More than the first header of a tar archive. */
#define GIM_HEAD_BYTES 512

struct gim_layer;

struct gim_input {
	int fd;                  /* -1: memory, or a layer reads it */
	bool owned;              /* close fd at the end */
	bool seekable;           /* any offset can be read; false for streams */
	uint64_t size;           /* in bytes; GIM_UNKNOWN for a stream that has not ended */
	uint64_t position;       /* of a stream: how far it was read */
	uint64_t base;           /* where its first byte stands in the file that its writer wrote: what absolute offsets in it count from */
	const uint8_t *memory;   /* of `size` bytes, not owned */
	struct gim_layer *layer; /* what it is wrapped in, down to the file (layer.h), owned; also when fd is a copy of what that gives */
	uint8_t head[GIM_HEAD_BYTES]; /* of a stream: bytes that were peeked at and not yet read */
	size_t head_size;
};

/*
 * path "-" is standard input, "FILE//NAME" a part of a file with parts (a member of an archive, a snapshot in an image), which may have parts in turn. A directory,
 * a device or an unreadable file is an error whose sentence says so, and leaves an input that is closed.
 */
int gim_input_open(struct gim_input *input, const char *path, struct gim_error *error);
int gim_input_open_fd(struct gim_input *input, int fd, struct gim_error *error);
void gim_input_open_memory(struct gim_input *input, const void *bytes, size_t size_bytes);
void gim_input_close(struct gim_input *input);

/* Read up to size_bytes at offset into bytes; *got is less only at the end of the input. EINTR and short reads are dealt with. On a stream, offset
 * must be input->position. Safe to call from several threads at once when seekable. */
int gim_input_read(struct gim_input *input, uint64_t offset, void *bytes, size_t size_bytes, size_t *got, struct gim_error *error);

/* Look at the first bytes (at most GIM_HEAD_BYTES) without consuming them; before any read. */
int gim_input_peek(struct gim_input *input, uint8_t *bytes, size_t size_bytes, size_t *got, struct gim_error *error);

/* Replace an input that nothing was read of by the part of it that has that name. It is closed on failure. (layer.c) */
int gim_input_member(struct gim_input *input, const char *name, struct gim_error *error);

/* Replace a stream that nothing was read of by a copy of it in a file without a name, in $TMPDIR or /var/tmp, so that any offset can be read. */
int gim_input_settle(struct gim_input *input, struct gim_error *error);

/* A file without a name, open for reading and writing, in $TMPDIR or /var/tmp; a negative code on failure. The descriptor is the caller's. */
int gim_unnamed_open(struct gim_error *error);
int gim_unnamed_write(int fd, const void *bytes, size_t size_bytes, struct gim_error *error);

#endif
