/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256, by nettle, which is loaded only when it is called (libarchive brings it along on most systems). */
#ifndef GIM_DIGEST_H
#define GIM_DIGEST_H

#include "gimstate.h"

enum { GIM_SHA256_BYTES = 32, GIM_SHA256_TEXT = 2 * GIM_SHA256_BYTES + 1 };

/* *digest is the caller's: gim_digest_free. */
struct gim_digest;
int gim_digest_load(struct gim_error *error); /* the library that makes it, for good */
int gim_digest_new(struct gim_digest **digest, struct gim_error *error);
void gim_digest_free(struct gim_digest **digest);

void gim_digest_add(struct gim_digest *digest, const void *bytes, size_t size_bytes);
/* What was added since new or the last end; begins anew. */
void gim_digest_end(struct gim_digest *digest, uint8_t sha256[GIM_SHA256_BYTES]);

/* As 64 small hexadecimal digits, and back; false: it is not that. */
void gim_sha256_text(const uint8_t sha256[GIM_SHA256_BYTES], char text[GIM_SHA256_TEXT]);
bool gim_sha256_parse(const char *text, uint8_t sha256[GIM_SHA256_BYTES]);

#endif
