/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing saved states, container version 2.0: header, units of records, END, directory, footer. */
#ifndef GIM_SSM_WRITE_H
#define GIM_SSM_WRITE_H

#include "cursor.h"

struct ssm_writer;

struct ssm_write_options {
	uint16_t major, minor;
	uint32_t build, revision;
	uint8_t host_bits, address_bytes, pointer_bytes;
	bool checksummed, live;
	uint32_t units; /* as the header counts them; informative */
};

/* Begin a file; its bytes go to sink in order. *writer is the caller's: ssm_writer_free. */
int ssm_writer_new(const struct ssm_write_options *options, gim_sink_fn *sink, void *user, struct ssm_writer **writer,
                   struct gim_error *error);

/* Begin a unit. Final-pass units are listed in the directory (one entry per name and instance). */
int ssm_writer_unit(struct ssm_writer *writer, const char *name, uint32_t instance, uint32_t version, uint32_t pass,
                    struct gim_error *error);

/* How ssm_writer_data stores bytes. AUTO: small puts gather in raw records, full 4 KiB blocks become zero, LZF or raw records, as VirtualBox does. */
enum ssm_write_as { SSM_WRITE_AUTO, SSM_WRITE_RAW, SSM_WRITE_LZF, SSM_WRITE_ZERO };

/* Append payload to the unit. RAW: one raw record. LZF: one LZF record (1 to 4 KiB, a multiple of 1 KiB, compressible: else GIM_E_VALUE). ZERO: bytes may be NULL. */
int ssm_writer_data(struct ssm_writer *writer, enum ssm_write_as as, const void *bytes, size_t size_bytes, struct gim_error *error);

/* End the unit, if one is open, and the file: END unit, directory, footer. */
int ssm_writer_finish(struct ssm_writer *writer, struct gim_error *error);

void ssm_writer_free(struct ssm_writer **writer);

/*
 * Parts of a file, for whoever writes one in another way.
 */
/* A record's header: type, and the size (at most 0x7fffffff) as UTF-8 stretched to 31 bits, in its shortest form. Returns its length, at most 7. */
size_t ssm_record_header(uint8_t *bytes, unsigned type, size_t size);

/* A directory is begun for so many entries, gets each of them, and is sealed with its CRC. */
void ssm_directory_begin(struct gim_buffer *directory, uint32_t entries);
void ssm_directory_entry(struct gim_buffer *directory, uint64_t offset, uint32_t instance, uint32_t name_crc);
void ssm_directory_seal(struct gim_buffer *directory);

/* A whole footer. */
void ssm_footer(struct gim_buffer *footer, uint64_t offset, uint32_t stream_crc, uint32_t entries);

#endif
