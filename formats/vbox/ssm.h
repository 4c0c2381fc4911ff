/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VirtualBox's saved-state container (SSM) 2.0, 1.2 and 1.1 as a forward reader: file header, unit headers, payload bytes. */
#ifndef GIM_SSM_H
#define GIM_SSM_H

#include "cursor.h"
#include "input.h"

#include <zlib.h>

enum ssm_version { SSM_V1_1 = 11, SSM_V1_2 = 12, SSM_V2_0 = 20 };

enum {
	SSM_HEADER_BYTES = 64, /* of 2.0 and 1.1; 1.2 has 80 */
	SSM_UNIT_HEADER_BYTES = 44,
	SSM_END_BYTES = 44,
	SSM_TERMINATOR_BYTES = 16,
	SSM_FOOTER_BYTES = 32,
	SSM_DIRECTORY_HEADER_BYTES = 16,
	SSM_DIRECTORY_ENTRY_BYTES = 16,
	SSM_DIRECTORY_MAX = 65535, /* entries */
	SSM_NAME_MAX = 48,         /* terminating NUL included */
	SSM_BLOCK_MAX = 32768,     /* of an unpacked LZF block of 1.x; 4096 in 2.0 */
};

struct ssm_header {
	enum ssm_version version;
	uint16_t major, minor;
	uint32_t build, revision, units;
	uint8_t host_bits, address_bytes, pointer_bytes;
	bool checksummed, live;
	uint32_t size_bytes;
	uint32_t crc; /* of 1.x: of all but the first 44 bytes and as many at the end as the header has more */
};

struct ssm_footer {
	uint64_t offset;
	uint32_t stream_crc, entries;
};

struct ssm_directory_entry {
	uint64_t offset;
	uint32_t instance, name_crc;
};

/* Is told of what is wrong, but does not keep the reader from going on. */
typedef void ssm_complain_fn(void *user, const struct gim_error *error);

struct ssm_stream {
	struct gim_input *input;
	struct ssm_header header;
	uint64_t end; /* where units must end: the directory's offset, or the file's size; GIM_UNKNOWN on a pipe */
	uint64_t position;
	uint8_t *window; /* bytes of the input around position */
	uint64_t window_offset;
	size_t window_size;
	uint32_t crc; /* over the bytes read since the unit's header, begun with the header's running CRC */
	struct ssm_footer footer;
	struct ssm_directory_entry *directory;
	uint32_t directory_count;

	/* The unit that is being read. */
	bool in_unit, finished;
	uint64_t data_offset, unit_end; /* unit_end: of 1.x, which says the size in advance */
	uint64_t payload_bytes;         /* handed out so far */
	uint32_t running_crc;           /* of 2.0: what its header says of the file up to it */
	uint32_t raw_left;              /* bytes of a raw record still to come */
	bool empty;                     /* the last record before the terminator holds nothing */
	uint8_t *block;                 /* an unpacked LZF or zero record */
	size_t block_at, block_size;
	uint64_t next_unit; /* of 1.x: where the unit ends by its header */
	int method;         /* of 1.x */
	z_stream *inflate;
	bool no_end_unit; /* the units ended at the directory */

	/* Gets the bytes of records as they are passed over; packed ones are not unpacked then, and nothing is summed up: whoever copies them does that. NULL:
	 * nobody does. */
	gim_sink_fn *tap;
	void *tap_user;

	/* Only while verifying: the whole file is read once, and what can be passed over is complained of. */
	struct ssm_ahead *ahead;
	bool put_off;  /* packed data that are passed over are checked later, by and by: ssm_ahead_sound */
	bool skipping; /* the payload is passed over */
	ssm_complain_fn *complain;
	void *complain_user;
	struct gim_error objection; /* on its way to complain */
	struct {
		uint32_t difference; /* from the true CRC of everything before `at` */
		uint64_t at;
	} known, suspected; /* what an earlier wrong CRC says of later ones */
};

/* Read and check the file header; with a seekable input also footer and directory. */
int ssm_open(struct ssm_stream *stream, struct gim_input *input, struct gim_error *error);
void ssm_close(struct ssm_stream *stream);

/* Go to a unit header; on a pipe only forward. */
void ssm_seek(struct ssm_stream *stream, uint64_t offset);

/* Read the next unit header (skipping what is left of the current unit). 1: *unit is it, 0: there are no more. */
int ssm_next(struct ssm_stream *stream, struct gim_unit *unit, struct gim_error *error);

/* Read up to size bytes of the unit's payload; *got is 0 at its end only. On failure *got says how many were read before the damage. */
int ssm_read(struct ssm_stream *stream, uint8_t *bytes, size_t size, size_t *got, struct gim_error *error);

/* Pass over the rest of the unit's payload; its size is then in stream->payload_bytes. */
int ssm_skip(struct ssm_stream *stream, struct gim_error *error);

#endif
