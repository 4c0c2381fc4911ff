/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing saved states, container version 2.0: header, units of records, END, directory, footer. */
#ifndef GIM_SSM_WRITE_H
#define GIM_SSM_WRITE_H

#include "gimstate.h"

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

#endif
