/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a section of a migration stream consists of: fields and subsections, as the stream's own description says it or a table of ours. */
#ifndef GIM_QEMU_VMSD_H
#define GIM_QEMU_VMSD_H

#include "arena.h"
#include "gimstate.h"

struct qemu_vmsd;

/* A field, or an array of fields of the same shape. */
struct qemu_field {
	const char *name, *type;       /* type: QEMU's name for it, e.g. "uint64" */
	uint64_t size;                 /* bytes on the wire of one element, its subsections included */
	uint32_t count;                /* elements */
	const struct qemu_vmsd *inner; /* what an element consists of; NULL: it is a number or bytes */
	uint32_t inner_count;          /* more than 1: the elements of a queue, each with its own */
};

/* A group of fields with a name and a version: a section, a subsection, or a structure inside one. */
struct qemu_vmsd {
	const char *name; /* NULL: an old device that only says how many bytes it has */
	uint32_t version, minimum;
	const struct qemu_field *fields;
	uint32_t field_count;
	const struct qemu_vmsd *subsections; /* in the order of the stream */
	uint32_t subsection_count;
	uint32_t text, text_end;                    /* of a subsection: where it is in the description */
	uint32_t subsections_text, subsections_end; /* and where all its subsections are, brackets included; 0: nowhere */
};

/* A section by its description. */
struct qemu_device {
	const char *name;
	uint32_t instance;
	uint32_t text, text_end; /* from its first brace in the description, to behind its last one */
	struct qemu_vmsd vmsd;
};

/* The description at the end of a stream. */
struct qemu_description {
	const struct qemu_device *devices; /* in the order of the stream */
	uint32_t device_count;
	bool configuration; /* it describes the configuration, too: QEMU 8.2 and later */
	uint32_t page_bytes;
};

/* More than any device has, far less than would overflow. */
#define QEMU_SECTION_LIMIT ((uint64_t)1 << 40)

/* Bytes on the wire of the fields alone, and with all subsections; GIM_UNKNOWN when they are more than QEMU_SECTION_LIMIT. */
uint64_t qemu_fields_bytes(const struct qemu_vmsd *vmsd);
uint64_t qemu_vmsd_bytes(const struct qemu_vmsd *vmsd);

/* Bytes of a subsection's mark, name and version before its fields. */
uint64_t qemu_subsection_head(const struct qemu_vmsd *subsection);

/* Parse a description of size bytes, whose strings it keeps in the arena. Repeated keys are kept: queues write theirs once an element. The error's offset
 * is within text. */
int qemu_description_parse(struct gim_arena *arena, const char *text, size_t size, struct qemu_description *description,
                           struct gim_error *error);

/* Called for each number or byte string: its path inside the section, its row, and where it is. Non-zero stops, and is returned. */
typedef int qemu_leaf_fn(void *user, const char *path, const struct qemu_field *field, uint64_t offset);

/* Go through the leaves among the fields of a section or, with its name and a colon before their paths, of a subsection; structures in it are gone through
 * with their subsections. Offsets count from `offset`, which is that of the first field. */
int qemu_visit_leaves(const struct qemu_vmsd *vmsd, bool subsection, uint64_t offset, qemu_leaf_fn *leaf, void *user);

/* The leaf at a path among the fields, e.g. "env.segs[2].selector", and its offset; NULL: there is none. index: the element, added to one that the path
 * names. */
const struct qemu_field *qemu_find_leaf(const struct qemu_vmsd *vmsd, const char *path, uint32_t index, uint64_t *offset);

#endif
