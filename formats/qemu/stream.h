/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An open migration stream: its configuration, its description, and where its sections are. */
#ifndef GIM_QEMU_STREAM_H
#define GIM_QEMU_STREAM_H

#include "qemu/ram.h"
#include "qemu/rules.h"
#include "qemu/vmsd.h"
#include "state.h"

/* The first byte of an element. */
enum qemu_element_type {
	QEMU_EOF = 0x00,
	QEMU_SECTION_START = 0x01,
	QEMU_SECTION_PART = 0x02,
	QEMU_SECTION_END = 0x03,
	QEMU_SECTION_FULL = 0x04,
	QEMU_SUBSECTION_MARK = 0x05,
	QEMU_VMDESCRIPTION = 0x06,
	QEMU_CONFIGURATION_MARK = 0x07,
	QEMU_COMMAND_MARK = 0x08,
	QEMU_SECTION_FOOTER = 0x7e,
};

#define QEMU_FOOTER_BYTES 5 /* its mark, and the section's id */

/* A section, or a piece of one that comes in several. */
struct qemu_section {
	const char *name;
	uint32_t id, instance, version;
	uint8_t type;                     /* START, PART, END or FULL */
	bool footer;                      /* one follows */
	bool doubted;                     /* a size that its description or a table gives was not believed, for what would follow then */
	uint32_t piece;                   /* of START (0), PART and END: which one of the section's */
	uint64_t offset;                  /* of its type byte in the input */
	uint64_t payload;                 /* of its payload */
	uint64_t size_bytes;              /* of its payload */
	const struct qemu_device *device; /* its description; NULL: there is none that fits it */
};

/* Sections of a growing list; owned by the stream. */
struct qemu_sections {
	struct qemu_section *items;
	size_t count, capacity;
};

/* What is found in a section by its rows: its own fields, or a subsection's. */
struct qemu_part {
	const struct qemu_vmsd *vmsd;
	uint32_t version; /* as the stream says it */
	uint64_t offset;  /* of the fields in the payload */
	uint64_t size;    /* of the fields */
	uint64_t head;    /* of the subsection's mark in the payload; the section's own: 0 */
	bool described;   /* the stream's description has it */
};
#define QEMU_PARTS_MAX 64

struct qemu_configuration {
	char machine[256];
	char capabilities[512]; /* names with spaces between */
	uint8_t uuid[16];
	bool present, has_uuid, mapped_ram, ignore_shared;
	uint32_t page_bits; /* 0: not said */
};

struct qemu_stream {
	struct gim_input *input;
	struct gim_arena *arena;
	struct gim_arena own_arena; /* where the caller has none */
	struct qemu_reader reader;
	struct qemu_configuration configuration;
	uint64_t first;                  /* of the first element behind the configuration */
	uint64_t size;                   /* of the input */
	struct qemu_sections pieces;     /* of a pipe: what was met while it was copied, of which RAM cannot be gone through again */
	struct gim_error pieces_failure; /* and where that ended too early */
	bool settled;                    /* a file stands for a pipe, in which RAM has no pages */

	struct qemu_description description;
	bool described;        /* it has one */
	uint64_t described_at; /* of the description's element, or GIM_UNKNOWN */
	uint64_t description_bytes;
	bool description_cut;               /* the stream ends within it */
	uint64_t end;                       /* behind the last byte of the stream; GIM_UNKNOWN: not known yet */
	struct gim_error refused;           /* why a place that was looked at could not be read */
	struct gim_error description_error; /* why there is none though there seems to be */

	struct qemu_ram ram;
	bool ram_known;  /* its blocks were read */
	bool footers;    /* sections have them */
	bool ended;      /* its end mark was met */
	bool switchover; /* command SWITCHOVER_START was met */
	bool postcopy;   /* so was POSTCOPY_ADVISE */
	bool packaged;   /* and PACKAGED, which says how many bytes of sections follow */

	struct qemu_sections devices; /* FULL sections in the order of the stream, and START sections of other names than ram */
	bool devices_known, fits;     /* fits: found by the description alone */
	struct qemu_sections all;     /* all pieces, once they were asked for */
	bool all_known;
	struct gim_error failure; /* where the walk ended too early; code 0: it did not */
};

/* Read the configuration, and find the description; a pipe is gone through and replaced by a copy without RAM. The arena is the caller's; NULL: the stream has
 * its own. */
int qemu_stream_open(struct qemu_stream *stream, struct gim_input *input, struct gim_arena *arena, struct gim_error *error);
void qemu_stream_close(struct qemu_stream *stream);

/* Find the device sections, without going through RAM when the description says where they are. What was found before a failure is there; the failure
 * is stream->failure. Fails only for other reasons. */
int qemu_find_devices(struct qemu_stream *stream, struct gim_error *error);

/* Find all sections and their pieces, by going through RAM. */
int qemu_find_all(struct qemu_stream *stream, struct gim_error *error);

/* Read the list of RAM blocks, which stands at the beginning. */
int qemu_find_ram(struct qemu_stream *stream, struct gim_error *error);

/* A section's payload; the caller's: free. Fails for more than QEMU_PAYLOAD_LIMIT. */
#define QEMU_PAYLOAD_LIMIT ((uint64_t)32 << 20)
int qemu_read_payload(struct qemu_stream *stream, const struct qemu_section *section, uint8_t **bytes, struct gim_error *error);

/* Cut a payload, of which at most size bytes are there, into the section's own fields and its subsections. *used: where the last one ends. parts has room for
 * QEMU_PARTS_MAX. device (may be NULL) and the tables say what there is; by_tables: the tables first. The error's offset is within bytes. */
int qemu_split(const char *name, uint32_t version, const struct qemu_device *device, bool by_tables, const uint8_t *bytes, size_t size,
               struct qemu_part *parts, size_t *count, size_t *used, struct gim_error *error);

#endif
