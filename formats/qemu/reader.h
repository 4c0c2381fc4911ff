/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads a stream forward by looking at small pieces and skipping the rest; from a pipe too, of which a copy without page contents may be made meanwhile. */
#ifndef GIM_QEMU_READER_H
#define GIM_QEMU_READER_H

#include "input.h"

struct qemu_reader {
	struct gim_input *input;
	uint64_t position; /* of the next byte, in the input */
	uint64_t size;     /* of the input; GIM_UNKNOWN for a pipe */
	uint8_t *buffer;
	uint64_t buffer_at; /* of the buffer's first byte */
	size_t buffer_bytes;
	int copy;     /* a file that gets what is read, at its place; -1: none */
	bool copying; /* and not while this is false */
	gim_progress_fn *progress;
	void *progress_user;
	uint64_t told;
};

/* The most that can be looked at in one go. */
#define QEMU_LOOK_MAX ((size_t)256 << 10)

int qemu_reader_open(struct qemu_reader *reader, struct gim_input *input, struct gim_error *error);
void qemu_reader_close(struct qemu_reader *reader);

/* Copy what follows, or stop doing so. */
int qemu_reader_copy(struct qemu_reader *reader, bool copying, struct gim_error *error);

/* Go to any place of an input that can be seeked. */
void qemu_reader_seek(struct qemu_reader *reader, uint64_t position);

/* Look at the next bytes, at most QEMU_LOOK_MAX; *got is less than wanted only at the end of the input. They stay until the next call. */
int qemu_look(struct qemu_reader *reader, size_t wanted, const uint8_t **bytes, size_t *got, struct gim_error *error);

/* Pass bytes that were looked at. */
static inline void qemu_pass(struct qemu_reader *reader, size_t size)
{
	reader->position += size;
}

/* Pass bytes without a look; fails by rule when the input ends before. what: for the sentence. */
int qemu_skip(struct qemu_reader *reader, uint64_t size, const char *what, struct gim_error *error);

/* The next number of 1, 2, 4 or 8 bytes, or bytes, and past them; fails by rule when the input ends before. */
int qemu_take(struct qemu_reader *reader, unsigned width, uint64_t *number, const char *what, struct gim_error *error);
int qemu_take_bytes(struct qemu_reader *reader, size_t size, const uint8_t **bytes, const char *what, struct gim_error *error);

/* A counted string, terminated; it has no zero inside. */
int qemu_take_name(struct qemu_reader *reader, char name[256], const char *what, struct gim_error *error);

/* A big-endian number. */
uint64_t qemu_number(const uint8_t *bytes, unsigned width);

#endif
