/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LZF: a control byte below 0x20 starts a run of literals, any other a copy from up to 8 KiB back. */
#include "vbox/lzf.h"

#include <string.h>

enum { WIDE = 16 };

/* Copy length bytes from distance back, where source and target may overlap. Wide steps may write up to WIDE - 1 bytes too many, so they are taken only when
 * the target has that room. */
static void copy_back(uint8_t *to, size_t distance, size_t length, size_t room)
{
	const uint8_t *from = to - distance;
	if (distance >= WIDE && room >= length + WIDE) {
		for (size_t done = 0; done < length; done += WIDE)
			memcpy(to + done, from + done, WIDE);
	} else if (distance == 1) {
		memset(to, *from, length);
	} else if (distance >= length) {
		memcpy(to, from, length);
	} else if (distance >= 8 && room >= length + 8) {
		for (size_t done = 0; done < length; done += 8)
			memcpy(to + done, from + done, 8);
	} else {
		/* A pattern shorter than the copy: each round doubles what can be copied without overlap. */
		size_t done = 0;
		while (done < length) {
			size_t step = distance + done < length - done ? distance + done : length - done;
			memcpy(to + done, from, step);
			done += step;
		}
	}
}

bool gim_lzf_decode(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size)
{
	if (!in_size || !out_size)
		return !in_size && !out_size; /* every control byte gives at least one byte */
	const uint8_t *const in_end = in + in_size;
	uint8_t *const out_end = out + out_size, *at = out;
	while (in < in_end) {
		const unsigned control = *in++;
		if (control < 0x20) {
			const size_t length = control + 1;
			const size_t in_left = (size_t)(in_end - in), room = (size_t)(out_end - at);
			if (in_left >= 32 && room >= 32) {
				memcpy(at, in, 16);
				if (length > 16)
					memcpy(at + 16, in + 16, 16);
			} else if (length <= in_left && length <= room) {
				memcpy(at, in, length);
			} else {
				return false;
			}
			at += length;
			in += length;
			continue;
		}
		size_t length = control >> 5;
		if (length == 7) {
			if (in == in_end)
				return false;
			length += *in++;
		}
		length += 2;
		if (in == in_end)
			return false;
		const size_t distance = ((size_t)(control & 0x1f) << 8 | *in++) + 1, room = (size_t)(out_end - at);
		if (distance > (size_t)(at - out) || length > room)
			return false;
		copy_back(at, distance, length, room);
		at += length;
	}
	return at == out_end;
}

enum { HASH_BITS = 12, LITERALS_MAX = 32, DISTANCE_MAX = 8192, LENGTH_MAX = 264 };

static uint32_t hash3(const uint8_t *at)
{
	uint32_t key = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
	return key * 2654435761u >> (32 - HASH_BITS);
}

/* Literals gather behind a control byte that is filled in when the run ends. */
struct encoder {
	uint8_t *out, *end, *control;
	size_t literals;
};

static bool put_literal(struct encoder *encoder, uint8_t byte)
{
	if (!encoder->literals) {
		if (encoder->end - encoder->out < 2)
			return false;
		encoder->control = encoder->out++;
	} else if (encoder->out == encoder->end) {
		return false;
	}
	*encoder->out++ = byte;
	*encoder->control = (uint8_t)encoder->literals++;
	if (encoder->literals == LITERALS_MAX)
		encoder->literals = 0;
	return true;
}

static bool put_copy(struct encoder *encoder, size_t distance, size_t length)
{
	const unsigned offset = (unsigned)distance - 1, count = (unsigned)length - 2;
	encoder->literals = 0;
	if (encoder->end - encoder->out < (count < 7 ? 2 : 3))
		return false;
	*encoder->out++ = (uint8_t)((count < 7 ? count : 7) << 5 | offset >> 8);
	if (count >= 7)
		*encoder->out++ = (uint8_t)(count - 7);
	*encoder->out++ = (uint8_t)offset;
	return true;
}

size_t gim_lzf_encode(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size)
{
	uint32_t last[1u << HASH_BITS]; /* where three bytes were seen last, plus one */
	struct encoder encoder = {.out = out, .end = out + out_size};
	size_t at = 0;
	memset(last, 0, sizeof(last));
	while (at < in_size) {
		size_t length = 0, from = 0;
		if (in_size - at >= 3) {
			uint32_t *slot = &last[hash3(in + at)];
			from = *slot;
			*slot = (uint32_t)at + 1;
			if (from-- && at - from <= DISTANCE_MAX)
				while (length < LENGTH_MAX && at + length < in_size && in[from + length] == in[at + length])
					length++;
		}
		if (length >= 3) {
			if (!put_copy(&encoder, at - from, length))
				return 0;
			at += length;
		} else if (put_literal(&encoder, in[at])) {
			at++;
		} else {
			return 0;
		}
	}
	return (size_t)(encoder.out - out);
}
