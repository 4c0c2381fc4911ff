/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The buffer between a stream's input and who walks through it. */
#include "qemu/reader.h"

#include "error.h"
#include "qemu/rules.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is read ahead: short enough to stay in a processor's cache, long enough to hide the system call. A look may need all of QEMU_LOOK_MAX. */
enum { PIECE_BYTES = 128 << 10, TELL_BYTES = 64 << 20 };

int qemu_reader_open(struct qemu_reader *reader, struct gim_input *input, struct gim_error *error)
{
	*reader = (struct qemu_reader){.input = input, .size = input->seekable ? input->size : GIM_UNKNOWN, .copy = -1};
	reader->position = input->seekable ? 0 : input->position;
	reader->buffer_at = reader->told = reader->position;
	reader->buffer = malloc(QEMU_LOOK_MAX);
	return reader->buffer ? 0 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
}

void qemu_reader_close(struct qemu_reader *reader)
{
	free(reader->buffer);
	reader->buffer = NULL;
}

void qemu_reader_seek(struct qemu_reader *reader, uint64_t position)
{
	assert(reader->input->seekable);
	reader->position = position;
}

static int copy_bytes(struct qemu_reader *reader, uint64_t at, const uint8_t *bytes, size_t size, struct gim_error *error)
{
	if (reader->copy < 0 || !reader->copying || !size)
		return 0;
	if (lseek(reader->copy, (off_t)at, SEEK_SET) < 0)
		return gim_fail_errno(error, "cannot seek in the copy");
	return gim_unnamed_write(reader->copy, bytes, size, error);
}

int qemu_reader_copy(struct qemu_reader *reader, bool copying, struct gim_error *error)
{
	if (reader->copying == copying)
		return 0;
	reader->copying = copying;
	const uint64_t end = reader->buffer_at + reader->buffer_bytes;
	if (!copying || reader->position < reader->buffer_at || reader->position > end)
		return 0;
	const uint8_t *bytes = reader->buffer + (reader->position - reader->buffer_at);
	return copy_bytes(reader, reader->position, bytes, (size_t)(end - reader->position), error);
}

static int tell(struct qemu_reader *reader, struct gim_error *error)
{
	if (!reader->progress || reader->position - reader->told < TELL_BYTES)
		return 0;
	reader->told = reader->position;
	return reader->progress(reader->progress_user, reader->position, reader->size)
	           ? gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "stopped")
	           : 0;
}

/* Read on behind the buffer, which begins at the position then. */
static int fill(struct qemu_reader *reader, size_t wanted, struct gim_error *error)
{
	const uint64_t end = reader->buffer_at + reader->buffer_bytes;
	size_t kept = 0, got;
	if (reader->position >= reader->buffer_at && reader->position < end) {
		kept = (size_t)(end - reader->position);
		memmove(reader->buffer, reader->buffer + (reader->position - reader->buffer_at), kept);
	}
	reader->buffer_at = reader->position;
	reader->buffer_bytes = kept;
	const size_t more = (wanted > PIECE_BYTES ? wanted : PIECE_BYTES) - kept;
	int result = tell(reader, error);
	if (!result)
		result = gim_input_read(reader->input, reader->position + kept, reader->buffer + kept, more, &got, error);
	if (!result)
		result = copy_bytes(reader, reader->position + kept, reader->buffer + kept, got, error);
	if (!result)
		reader->buffer_bytes += got;
	return result;
}

int qemu_look(struct qemu_reader *reader, size_t wanted, const uint8_t **bytes, size_t *got, struct gim_error *error)
{
	assert(wanted <= QEMU_LOOK_MAX);
	const uint64_t end = reader->buffer_at + reader->buffer_bytes;
	if (reader->position < reader->buffer_at || reader->position > end || end - reader->position < wanted) {
		int result = fill(reader, wanted, error);
		if (result)
			return result;
	}
	const size_t left = (size_t)(reader->buffer_at + reader->buffer_bytes - reader->position);
	*bytes = reader->buffer + (reader->position - reader->buffer_at);
	*got = left < wanted ? left : wanted;
	return 0;
}

static int fail_end(struct qemu_reader *reader, const char *what, struct gim_error *error)
{
	return qemu_fail(error, QEMU_END_OF_FILE, reader->position, "the stream ends within %s", what);
}

int qemu_skip(struct qemu_reader *reader, uint64_t size, const char *what, struct gim_error *error)
{
	const uint64_t end = reader->buffer_at + reader->buffer_bytes;
	const uint8_t *bytes;
	size_t got = 1;
	if (reader->position >= reader->buffer_at && reader->position <= end && size <= end - reader->position)
		return reader->position += size, 0;
	if (reader->input->seekable) {
		if (reader->position > reader->size || size > reader->size - reader->position)
			return fail_end(reader, what, error);
		return reader->position += size, 0;
	}
	while (size && got) {
		int result = qemu_look(reader, size < PIECE_BYTES ? (size_t)size : PIECE_BYTES, &bytes, &got, error);
		if (result)
			return result;
		qemu_pass(reader, got);
		size -= got;
	}
	return size ? fail_end(reader, what, error) : 0;
}

uint64_t qemu_number(const uint8_t *bytes, unsigned width)
{
	uint64_t number = 0;
	for (unsigned i = 0; i < width; i++)
		number = number << 8 | bytes[i];
	return number;
}

int qemu_take_bytes(struct qemu_reader *reader, size_t size, const uint8_t **bytes, const char *what, struct gim_error *error)
{
	size_t got;
	int result = qemu_look(reader, size, bytes, &got, error);
	if (!result && got < size)
		result = fail_end(reader, what, error);
	if (!result)
		qemu_pass(reader, size);
	return result;
}

int qemu_take(struct qemu_reader *reader, unsigned width, uint64_t *number, const char *what, struct gim_error *error)
{
	const uint8_t *bytes;
	int result = qemu_take_bytes(reader, width, &bytes, what, error);
	if (!result)
		*number = qemu_number(bytes, width);
	return result;
}

int qemu_take_name(struct qemu_reader *reader, char name[256], const char *what, struct gim_error *error)
{
	uint64_t length;
	const uint8_t *bytes;
	const uint64_t at = reader->position;
	int result = qemu_take(reader, 1, &length, what, error);
	if (!result)
		result = qemu_take_bytes(reader, (size_t)length, &bytes, what, error);
	if (!result && (!length || memchr(bytes, 0, (size_t)length)))
		result = qemu_fail(error, QEMU_ELEMENT, at, "%s is no text of at least one character", what);
	if (result)
		return result;
	memcpy(name, bytes, (size_t)length);
	name[length] = '\0';
	return 0;
}
