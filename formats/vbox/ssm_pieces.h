/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A unit's payload by the pieces in which the container holds it, records of 2.0 and blocks of 1.x, which can be passed over without unpacking them, and found again. */
#ifndef GIM_SSM_PIECES_H
#define GIM_SSM_PIECES_H

#include "memory.h"
#include "vbox/ssm.h"

enum ssm_piece_kind { SSM_PIECE_END, SSM_PIECE_RAW, SSM_PIECE_PACKED, SSM_PIECE_ZERO };

struct ssm_piece {
	enum ssm_piece_kind kind;
	uint64_t at, data, next; /* in the file: its header, its data as they are stored, what follows */
	uint64_t size;           /* of the payload's bytes that it holds */
};

/* Walks over a payload. */
struct ssm_pieces {
	struct gim_window *window;
	enum ssm_version version;
	uint64_t unit_end; /* of 1.x */
	int method;
	struct ssm_piece piece;
	uint64_t used;          /* bytes of the piece that were taken */
	bool unpacked;          /* the block holds it */
	uint8_t *block;         /* of SSM_BLOCK_MAX, the caller's */
	uint64_t payload_bytes; /* taken so far */
};

/* Begin at the payload of the unit whose header the stream has just read. */
int ssm_pieces_begin(struct ssm_pieces *pieces, const struct ssm_stream *stream, struct gim_window *window, uint8_t *block,
                     struct gim_error *error);

/* Copy the next bytes. *got is less than size only at the payload's end. */
int ssm_pieces_take(struct ssm_pieces *pieces, void *bytes, size_t size, size_t *got, struct gim_error *error);

/* Where bytes of a payload are: enough to find them again. */
enum ssm_place_form {
	SSM_PLACE_PIECE,  /* all that the piece at `at` expands to */
	SSM_PLACE_STORED, /* at `at`, as they are */
	SSM_PLACE_WITHIN, /* from byte `skip` of the piece at `at` on, perhaps over several pieces */
	SSM_PLACE_ZERO,   /* nowhere: they are zeros */
};
struct ssm_place {
	enum ssm_place_form form;
	uint64_t at;
	uint32_t skip;
};

/* Pass over the next page without unpacking it; *place: where it is. Fails where the payload ends before. */
int ssm_pieces_page(struct ssm_pieces *pieces, struct ssm_place *place, struct gim_error *error);

/* Pass over the rest; *end: the file offset behind it. */
int ssm_pieces_skip(struct ssm_pieces *pieces, uint64_t *end, struct gim_error *error);

/* Read the page at a place. scratch: of SSM_BLOCK_MAX bytes. */
int ssm_place_read(enum ssm_version version, struct gim_window *window, const struct ssm_place *place, uint8_t *scratch, uint8_t *page,
                   struct gim_error *error);

#endif
