/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 by nettle, loaded by name. */
#include "digest.h"

#include "error.h"
#include "loaded.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static int load(struct calls *calls, struct gim_error *error)
{
	return gim_load(NETTLE, symbols, sizeof(symbols) / sizeof(symbols[0]), calls, "SHA-256", error);
}

int gim_digest_load(struct gim_error *error)
{
	struct calls calls;
	return load(&calls, error);
}

int gim_digest_new(struct gim_digest **digest, struct gim_error *error)
{
	struct gim_digest *made = calloc(1, sizeof(*made));
	if (!made)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	int result = load(&made->calls, error);
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

static int add_file(struct gim_digest *digest, int fd, const char *path, struct gim_error *error)
{
	enum { PIECE = 1 << 16 };
	uint8_t *piece = malloc(PIECE);
	ssize_t got = 0;
	int result = piece ? 0 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	while (!result && (got = read(fd, piece, PIECE)) != 0)
		if (got > 0)
			gim_digest_add(digest, piece, (size_t)got);
		else if (errno != EINTR)
			result = gim_fail(error, GIM_E_IO, GIM_UNKNOWN, "cannot read %s: %s", path, strerror(errno));
	free(piece);
	return result;
}

static void end_as_text(struct gim_digest *digest, char text[GIM_DIGEST_TEXT])
{
	uint8_t sha256[GIM_SHA256_BYTES];
	gim_digest_end(digest, sha256);
	gim_sha256_text(sha256, text);
}

int gim_digest_file(const char *path, char text[GIM_DIGEST_TEXT], struct gim_error *error)
{
	struct gim_digest *digest = NULL;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	int result =
	    fd < 0 ? gim_fail(error, GIM_E_IO, GIM_UNKNOWN, "cannot open it: %s", strerror(errno)) : gim_digest_new(&digest, error);
	if (!result)
		result = add_file(digest, fd, path, error);
	if (!result)
		end_as_text(digest, text);
	gim_digest_free(&digest);
	if (fd >= 0)
		(void)close(fd);
	return result;
}

int gim_digest_memory(const void *bytes, size_t size_bytes, char text[GIM_DIGEST_TEXT], struct gim_error *error)
{
	struct gim_digest *digest = NULL;
	const int result = gim_digest_new(&digest, error);
	if (!result) {
		gim_digest_add(digest, bytes, size_bytes);
		end_as_text(digest, text);
	}
	gim_digest_free(&digest);
	return result;
}
