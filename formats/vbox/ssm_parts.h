/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of the container's reader share: its ends (ssm_ends.c), units and records (ssm_read.c), the old containers (ssm_v1.c), the judge
 * (ssm_verify.c). */
#ifndef GIM_SSM_PARTS_H
#define GIM_SSM_PARTS_H

#include "vbox/rules.h"
#include "vbox/ssm.h"

extern const char ssm_unit_magic[8], ssm_end_magic[8], ssm_directory_magic[8];

/* Types of records of 2.0: the low four bits of what leads them. */
enum ssm_record_type { SSM_TERMINATOR_RECORD = 1, SSM_RAW, SSM_LZF, SSM_ZERO, SSM_NAMED };

/* What begins a record. */
struct ssm_record {
	uint8_t lead, head; /* head: bytes of type and size */
	uint32_t size;      /* of what follows */
};
enum { SSM_RECORD_HEAD_MAX = 7 };

/* Its type, and its size as UTF-8 stretched to 31 bits, as leniently as VirtualBox reads it. got: how many bytes there are, fewer than SSM_RECORD_HEAD_MAX only at
 * the end of the file; at: where they stand in it. */
int ssm_record_parse(const uint8_t *bytes, size_t got, uint64_t at, struct ssm_record *record, struct gim_error *error);

/* CRC of bytes in which the four at crc_offset count as zero. */
uint32_t ssm_crc_without(const uint8_t *bytes, size_t size, size_t crc_offset);

/* Make at least size bytes (at most 64 KiB) visible at the position; *got: how many there are, fewer only at the end. */
int ssm_peek(struct ssm_stream *stream, size_t size, const uint8_t **bytes, size_t *got, struct gim_error *error);
/* size bytes at the position, which moves behind them. */
int ssm_take(struct ssm_stream *stream, size_t size, const uint8_t **bytes, const char *what, struct gim_error *error);

/* Does the file up to the position have this CRC, as far as that can be told? *agrees: the answer. */
int ssm_crc_agrees(struct ssm_stream *stream, uint32_t stored, bool *agrees, struct gim_error *error);

/* Something is wrong that the reader could pass over: a failure, or while verifying a complaint and 0. */
#define ssm_object(stream, error, ...) ssm_pass_on(stream, error, ssm_fail(&(stream)->objection, __VA_ARGS__))
int ssm_pass_on(struct ssm_stream *stream, struct gim_error *error, int code);

/* The steps of ssm_open. */
int ssm_begin(struct ssm_stream *stream, struct gim_input *input, struct gim_error *error);
int ssm_read_header(struct ssm_stream *stream, struct gim_error *error);
/* What wrote the file and on what host: product version to size of pointers. */
void ssm_read_producer(struct ssm_header *header, struct gim_cursor *cursor);
int ssm_check_producer(struct ssm_stream *stream, struct gim_error *error);
/* The footer at the end of a file that can be seeked. */
int ssm_find_footer(struct ssm_stream *stream, struct gim_error *error);
/* The directory before it. */
int ssm_find_directory(struct ssm_stream *stream, struct gim_error *error);

/* The same two as they follow the units. */
int ssm_next_directory(struct ssm_stream *stream, struct gim_error *error);
int ssm_next_footer(struct ssm_stream *stream, struct gim_error *error);

/* The old containers: how a unit is compressed, and what begins a block of LZF. */
enum ssm1_method { SSM1_STORE = 2, SSM1_ZLIB = 3, SSM1_BZLIB = 4, SSM1_LZF = 5, SSM1_LZJB = 6, SSM1_LZO = 7, SSM1_DEFLATE = 8 };
enum { SSM1_BLOCK_HEADER_BYTES = 10 };
int ssm_v1_block(const uint8_t *bytes, uint64_t at, uint32_t *packed, uint32_t *unpacked, struct gim_error *error);
int ssm_v1_header(struct ssm_stream *stream, struct gim_error *error);
int ssm_v1_next(struct ssm_stream *stream, struct gim_unit *unit, struct gim_error *error);
int ssm_v1_read(struct ssm_stream *stream, uint8_t *bytes, size_t size, size_t *got, struct gim_error *error);
void ssm_v1_close(struct ssm_stream *stream);
/* The CRC of the bytes that the header's CRC covers; reads them all. */
int ssm_v1_crc(struct ssm_stream *stream, struct ssm_ahead *ahead, uint32_t *crc, struct gim_error *error);

#endif
