/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 by nettle, loaded by name. */
#include "digest.h"

#include "error.h"
#include "loaded.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NETTLE "libnettle.so.8"

/* The headers name functions by macros, the library has them under their long names. */
struct calls {
	__typeof__(&nettle_sha256_init) init;
	__typeof__(&nettle_sha256_update) update;
	__typeof__(&nettle_sha256_digest) digest;
};

static const struct gim_symbol symbols[] = {
    {"nettle_sha256_init", offsetof(struct calls, init)},
    {"nettle_sha256_update", offsetof(struct calls, update)},
    {"nettle_sha256_digest", offsetof(struct calls, digest)},
};

struct gim_digest {
	struct calls calls;
	struct sha256_ctx context;
};

int gim_digest_new(struct gim_digest **digest, struct gim_error *error)
{
	struct gim_digest *made = calloc(1, sizeof(*made));
	if (!made)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	int result = gim_load(NETTLE, symbols, sizeof(symbols) / sizeof(symbols[0]), &made->calls, "SHA-256", error);
	if (result) {
		free(made);
		return result;
	}
	made->calls.init(&made->context);
	*digest = made;
	return 0;
}

void gim_digest_free(struct gim_digest **digest)
{
	free(*digest);
	*digest = NULL;
}

void gim_digest_add(struct gim_digest *digest, const void *bytes, size_t size_bytes)
{
	if (size_bytes)
		digest->calls.update(&digest->context, size_bytes, bytes);
}

void gim_digest_end(struct gim_digest *digest, uint8_t sha256[GIM_SHA256_BYTES])
{
	digest->calls.digest(&digest->context, GIM_SHA256_BYTES, sha256);
}

void gim_sha256_text(const uint8_t sha256[GIM_SHA256_BYTES], char text[GIM_SHA256_TEXT])
{
	for (size_t i = 0; i < GIM_SHA256_BYTES; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", sha256[i]);
}

bool gim_sha256_parse(const char *text, uint8_t sha256[GIM_SHA256_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	if (strlen(text) != GIM_SHA256_TEXT - 1 || strspn(text, digits) != GIM_SHA256_TEXT - 1)
		return false;
	for (size_t i = 0; i < GIM_SHA256_BYTES; i++)
		sha256[i] = (uint8_t)((strchr(digits, text[2 * i]) - digits) << 4 | (strchr(digits, text[2 * i + 1]) - digits));
	return true;
}
