/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LZO1X by its published description (Linux: Documentation/staging/lzo.rst): literals and matches, told apart by an instruction's first byte. */
#include "lzo.h"

#include <stdbool.h>
#include <string.h>

struct lzo {
	const uint8_t *in;
	size_t in_bytes, at;
	uint8_t *out;
	size_t out_bytes, done;
	bool broken; /* sticky */
};

static unsigned next_byte(struct lzo *lzo)
{
	if (lzo->at == lzo->in_bytes) {
		lzo->broken = true;
		return 0;
	}
	return lzo->in[lzo->at++];
}

/* A length that does not fit into the instruction: each zero byte stands for 255 more. */
static size_t long_length(struct lzo *lzo, size_t least)
{
	size_t length = least;
	unsigned byte;
	while (!(byte = next_byte(lzo)) && !lzo->broken)
		length += 255; /* no more often than there are bytes */
	return length + byte;
}

static void copy_literals(struct lzo *lzo, size_t count)
{
	if (count > lzo->in_bytes - lzo->at || count > lzo->out_bytes - lzo->done) {
		lzo->broken = true;
		return;
	}
	memcpy(lzo->out + lzo->done, lzo->in + lzo->at, count);
	lzo->at += count;
	lzo->done += count;
}

/* A match may reach into what it writes: it repeats itself then. */
static void copy_match(struct lzo *lzo, size_t distance, size_t count)
{
	if (distance > lzo->done || count > lzo->out_bytes - lzo->done) {
		lzo->broken = true;
		return;
	}
	uint8_t *to = lzo->out + lzo->done;
	lzo->done += count;
	if (distance >= count) {
		memcpy(to, to - distance, count);
		return;
	}
	for (; count; count--, to++)
		*to = *(to - distance);
}

/* The two bytes behind an instruction: 14 bits of a distance, and how many literals follow. */
static unsigned next_pair(struct lzo *lzo)
{
	const unsigned low = next_byte(lzo);
	return low | next_byte(lzo) << 8;
}

/* How many literals the last instruction copied: 0 to 3 behind a match, or a run of its own. */
enum { RUN = 4 };

/* An instruction below 16 means something else behind each kind of the last one. Returns the literals that follow it. */
static unsigned short_instruction(struct lzo *lzo, unsigned code, unsigned last)
{
	if (!last) {
		copy_literals(lzo, code ? code + 3 : long_length(lzo, 18));
		return RUN;
	}
	const size_t distance = (code >> 2) + ((size_t)next_byte(lzo) << 2) + 1;
	copy_match(lzo, last == RUN ? distance + 2048 : distance, last == RUN ? 3 : 2);
	return code & 3;
}

/* All others are matches. *end: it was the block's last. */
static unsigned match(struct lzo *lzo, unsigned code, bool *end)
{
	if (code >= 64) {
		const size_t distance = ((size_t)next_byte(lzo) << 3) + (code >> 2 & 7) + 1;
		copy_match(lzo, distance, code >= 128 ? 5 + (code >> 5 & 3) : 3 + (code >> 5 & 1));
		return code & 3;
	}
	const unsigned mask = code >= 32 ? 31 : 7;
	const size_t length = code & mask ? 2 + (code & mask) : long_length(lzo, 2 + mask);
	const unsigned pair = next_pair(lzo);
	const size_t far = code >= 32 ? 1 : 16384 + ((size_t)(code & 8) << 11);
	*end = code < 32 && far + (pair >> 2) == 16384;
	if (!*end)
		copy_match(lzo, far + (pair >> 2), length);
	return pair & 3;
}

int gim_lzo_decode(const uint8_t *in, size_t in_bytes, uint8_t *out, size_t out_bytes, size_t *at)
{
	struct lzo lzo = {.in = in, .in_bytes = in_bytes, .out = out, .out_bytes = out_bytes};
	bool end = false;
	unsigned last = 0;
	/* The first byte may be a run of literals of its own kind. */
	if (in_bytes && in[0] > 17) {
		const unsigned count = next_byte(&lzo) - 17;
		copy_literals(&lzo, count);
		last = count < RUN ? count : RUN;
	}
	while (!end && !lzo.broken) {
		const unsigned code = next_byte(&lzo);
		if (code < 16) {
			const bool run = !last;
			last = short_instruction(&lzo, code, last);
			if (run)
				continue;
		} else {
			last = match(&lzo, code, &end);
		}
		copy_literals(&lzo, end ? 0 : last);
	}
	*at = lzo.at;
	return lzo.broken || lzo.at != in_bytes || lzo.done != out_bytes ? -1 : 0;
}
