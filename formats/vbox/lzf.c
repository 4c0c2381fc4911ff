/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LZF: a control byte below 0x20 starts a run of literals, any other a copy from up to 8 KiB back. */
#include "vbox/lzf.h"

#include <string.h>

/* A control byte, its longest operands, and what wide copies may write beyond what was asked for. */
enum { FAST_IN = 40, FAST_OUT = 320 };

static void copy8(uint8_t *to, const uint8_t *from)
{
	memcpy(to, from, 8);
}

/* A copy that overlaps itself within 8 bytes: after its first 8 bytes stand there, the pattern is as far away as it must be. Writes up to 8 bytes too many. */
static void copy_near(uint8_t *to, size_t distance, size_t length)
{
	const uint8_t *from = to - distance;
	size_t done = 0;
	for (; done < 8; done++)
		to[done] = from[done];
	/* The largest multiple of the distance that is not above 8 + distance - 1 and at least 8. */
	const size_t far = distance * ((7 + distance) / distance);
	for (; done < length; done += 8)
		copy8(to + done, to + done - far);
}

/* Decode while input and room are ample, so that copies may be wide; returns false for a copy from before the start. */
static bool decode_fast(const uint8_t **in_at, const uint8_t *in_end, uint8_t *out, uint8_t **out_at, const uint8_t *out_end)
{
	const uint8_t *in = *in_at;
	uint8_t *at = *out_at;
	bool sound = true;
	while (in_end - in >= FAST_IN && out_end - at >= FAST_OUT) {
		size_t control = *in++;
		if (control < 0x20) {
			copy8(at, in);
			copy8(at + 8, in + 8);
			if (control >= 16) {
				copy8(at + 16, in + 16);
				copy8(at + 24, in + 24);
			}
			at += control + 1;
			in += control + 1;
			/* After literals a copy is to be expected, and gets a branch of its own to be predicted. */
			control = *in;
			if (control < 0x20)
				continue;
			in++;
		}
		size_t length = (control >> 5) + 2;
		if (length == 9)
			length += *in++;
		const size_t distance = (control & 0x1f) << 8 | *in++;
		if (distance >= (size_t)(at - out)) {
			sound = false;
			break;
		}
		const uint8_t *from = at - distance - 1;
		if (distance >= 7) {
			copy8(at, from);
			for (size_t done = 8; done < length; done += 8)
				copy8(at + done, from + done);
		} else {
			copy_near(at, distance + 1, length);
		}
		at += length;
	}
	*in_at = in;
	*out_at = at;
	return sound;
}

bool gim_lzf_decode(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size)
{
	if (!in_size || !out_size)
		return !in_size && !out_size; /* every control byte gives at least one byte */
	const uint8_t *const in_end = in + in_size;
	uint8_t *const out_end = out + out_size, *at = out;
	if (!decode_fast(&in, in_end, out, &at, out_end))
		return false;
	while (in < in_end) {
		const size_t control = *in++, in_left = (size_t)(in_end - in), room = (size_t)(out_end - at);
		if (control < 0x20) {
			if (control >= in_left || control >= room)
				return false;
			memcpy(at, in, control + 1);
			at += control + 1;
			in += control + 1;
			continue;
		}
		size_t length = (control >> 5) + 2;
		if (in_left < (length == 9 ? 2 : 1))
			return false;
		if (length == 9)
			length += *in++;
		const size_t distance = ((control & 0x1f) << 8 | *in++) + 1;
		if (distance > (size_t)(at - out) || length > room)
			return false;
		const uint8_t *from = at - distance;
		if (distance == 1)
			memset(at, *from, length);
		else if (distance >= length)
			memcpy(at, from, length);
		else
			for (size_t i = 0; i < length; i++)
				at[i] = from[i];
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
