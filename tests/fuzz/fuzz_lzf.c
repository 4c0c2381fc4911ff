/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Property: LZF decoding stays within its buffers and fills its output or refuses, and the check without decoding says the same; and any bytes, once encoded,
 * decode to themselves. */
#include "vbox/lzf.h"

#include "fuzz.h"

/* The first two bytes are the size to expand to, 8 KiB at most. */
static void decode(const uint8_t *bytes, size_t size)
{
	if (size < 2)
		return;
	const size_t out_size = ((size_t)bytes[0] | (size_t)bytes[1] << 8) & 0x1fff;
	uint8_t *in = fuzz_copy(bytes + 2, size - 2), *out = calloc(1, out_size ? out_size : 1),
		*again = calloc(1, out_size ? out_size : 1);
	MUST(out && again);
	memset(again, 0xff, out_size);
	const bool good = gim_lzf_decode(in, size - 2, out, out_size);
	MUST(good == gim_lzf_decode(in, size - 2, again, out_size));
	if (good)
		MUST(!memcmp(out, again, out_size)); /* every byte was written */
	free(in);
	free(out);
	free(again);
}

/* In all lanes of a vector, and alone. */
static void check(const uint8_t *bytes, size_t size)
{
	enum { BLOCKS = 40 };
	struct gim_lzf_block blocks[BLOCKS];
	static uint8_t out[0x2000];
	uint8_t *in = calloc(1, size + GIM_LZF_SLACK);
	const size_t unpacked = size < 2 ? 0 : ((size_t)bytes[0] | (size_t)bytes[1] << 8) & 0x1fff;
	MUST(in);
	if (size > 2 && unpacked) {
		memcpy(in, bytes + 2, size - 2);
		const bool good = gim_lzf_decode(in, size - 2, out, unpacked);
		for (size_t i = 0; i < BLOCKS; i++)
			blocks[i] = (struct gim_lzf_block){0, (uint32_t)size - 2, (uint32_t)unpacked};
		MUST(gim_lzf_check(in, blocks, BLOCKS) == good);
		MUST(gim_lzf_check(in, blocks, 1) == good);
	}
	free(in);
}

static void encode(const uint8_t *bytes, size_t size)
{
	const size_t room = size + size / 32 + 1;
	uint8_t *packed = malloc(room), *back = malloc(size);
	MUST(packed && back);
	const size_t length = gim_lzf_encode(bytes, size, packed, room);
	MUST(length && length <= room);
	MUST(gim_lzf_decode(packed, length, back, size));
	MUST(!memcmp(back, bytes, size));
	uint8_t *tight = malloc(length);
	MUST(tight);
	MUST(gim_lzf_encode(bytes, size, tight, length) == length);
	MUST(!gim_lzf_encode(bytes, size, tight, length - 1));
	free(tight);
	free(packed);
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	decode(bytes, size);
	check(bytes, size);
	if (size && size <= 32768)
		encode(bytes, size);
	return 0;
}
