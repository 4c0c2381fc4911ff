/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fuzzes the decoder of LZO1X, and the layer of lzop's files, whose header's checksum is made right. */
#include "fuzz.h"

#include "layer.h"
#include "lzo.h"

#include <libdeflate.h>

enum { OUT_MAX = 1 << 16, MAGIC = 9, NAME_SIZE = 33 };

static void decode(const uint8_t *bytes, size_t size)
{
	static uint8_t before;
	const size_t out_bytes = (size_t)(bytes[0] | bytes[1] << 8) % OUT_MAX;
	uint8_t *in = fuzz_copy(bytes + 2, size - 2), *out = calloc(1, out_bytes + 1);
	size_t at = SIZE_MAX;
	MUST(out);
	out[out_bytes] = ++before;
	(void)gim_lzo_decode(in, size - 2, out, out_bytes, &at);
	MUST(at <= size - 2 && out[out_bytes] == before);
	free(in);
	free(out);
}

/* The header ends behind its name. */
static void seal(uint8_t *file, size_t size)
{
	const size_t end = size > NAME_SIZE ? NAME_SIZE + (size_t)1 + file[NAME_SIZE] : SIZE_MAX - 4;
	if (end + 4 > size)
		return;
	const uint32_t sum = libdeflate_adler32(1, file + MAGIC, end - MAGIC);
	for (unsigned i = 0; i < 4; i++)
		file[end + i] = (uint8_t)(sum >> 8 * (3 - i));
}

static void read_all(const uint8_t *bytes, size_t size)
{
	struct gim_input input;
	struct gim_error error = GIM_ERROR_INIT;
	uint8_t *file = fuzz_copy(bytes, size), piece[4096];
	size_t got = sizeof(piece);
	seal(file, size);
	gim_input_open_memory(&input, file, size);
	int result = gim_layer_open(&input, gim_layer_find(file, size, false), NULL, &error);
	while (!result && got == sizeof(piece) && input.position < (16 << 20))
		result = gim_input_read(&input, input.position, piece, sizeof(piece), &got, &error);
	MUST((result < 0) == (error.code != 0));
	MUST(input.position <= (uint64_t)256 * size);
	gim_input_close(&input);
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (size >= MAGIC && !memcmp(bytes, "\x89LZO\0\r\n\x1a\n", MAGIC))
		read_all(bytes, size);
	else if (size >= 2)
		decode(bytes, size);
	return 0;
}
