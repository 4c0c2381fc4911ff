/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The layer of what is compressed by gzip, bzip2, xz or zstd, perhaps several times: a stream. */
#include "layer.h"
#include "packed.h"

#include <string.h>

static bool bid(const uint8_t *head, size_t size, bool part)
{
	static const char *const magics[] = {"\037\213", "\3757zXZ", "\050\265\057\375", "BZh"};
	(void)part;
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (size >= strlen(magics[i]) && !memcmp(head, magics[i], strlen(magics[i])))
			return true;
	return false;
}

static int open_stream(struct gim_input *input, const char *part, struct gim_error *error)
{
	struct gim_unpacker *unpacker = NULL;
	struct gim_unpacked stream;
	(void)part;
	int result = gim_unpacker_new(input, GIM_PACKED_STREAM, NULL, &unpacker, error);
	if (!result)
		result = gim_unpacker_next(unpacker, &stream, error);
	if (unpacker)
		gim_unpacker_input(unpacker, input);
	return result < 0 ? result : 0;
}

const struct gim_layer_kind gim_layer_compressed = {
    .within = "unpacked",
    .bid = bid,
    .once = true,
    .open = open_stream,
};
