/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cuts a section's payload into its fields and subsections, going by what the stream says, not by what it should hold. */
#include "error.h"
#include "qemu/schema.h"
#include "qemu/stream.h"

#include <string.h>

/* The head of a subsection at this place. */
struct mark {
	char name[256];
	uint32_t version;
	size_t size; /* of the head */
};

struct split {
	const struct qemu_vmsd *described, *table; /* either may be NULL */
	const uint8_t *bytes;
	size_t size;
	const char *name; /* of the section */
	struct qemu_part *parts;
	size_t *count;
	struct gim_error *error;
};

/* As QEMU's loader tells a subsection from what follows the section: by its mark, and a name that begins with its parent's. */
static bool is_subsection(const struct split *split, const char *parent, size_t at, struct mark *mark)
{
	if (split->size - at < 2 || split->bytes[at] != QEMU_SUBSECTION_MARK)
		return false;
	const size_t length = split->bytes[at + 1], head = 2 + length + 4, parent_length = strlen(parent);
	if (split->size - at < head || length < parent_length || memcmp(split->bytes + at + 2, parent, parent_length) != 0)
		return false;
	memcpy(mark->name, split->bytes + at + 2, length);
	mark->name[length] = '\0';
	mark->version = (uint32_t)qemu_number(split->bytes + at + 2 + length, 4);
	mark->size = head;
	return strlen(mark->name) == length;
}

static int add_part(const struct split *split, const struct qemu_vmsd *vmsd, const struct mark *mark, bool described, size_t at)
{
	const uint64_t bytes = qemu_fields_bytes(vmsd);
	const size_t fields = at + (mark ? mark->size : 0);
	if (*split->count == QEMU_PARTS_MAX)
		return qemu_fail(split->error, QEMU_SUBSECTION, at, "the section has more than the %d subsections that are read at most",
		                 QEMU_PARTS_MAX - 1);
	if (bytes > split->size - fields)
		return qemu_fail(split->error, QEMU_END_OF_FILE, at, "%zu bytes are left of the stream, %s has 0x%llx",
		                 split->size - fields, vmsd->name ? vmsd->name : "the section", (unsigned long long)bytes);
	split->parts[(*split->count)++] = (struct qemu_part){vmsd, mark ? mark->version : vmsd->version, fields, bytes, at, described};
	return 0;
}

static int split_subsections(const struct split *split, const struct qemu_vmsd *described, const struct qemu_vmsd *table, size_t *at);

static int split_subsection(const struct split *split, const struct qemu_vmsd *described, const struct qemu_vmsd *table,
                            const struct mark *mark, size_t *at)
{
	uint32_t index;
	const struct qemu_vmsd *own = described ? qemu_subsection_find(described, mark->name, &index) : NULL;
	const struct qemu_vmsd *known = table ? qemu_subsection_find(table, mark->name, &index) : NULL;
	const struct qemu_vmsd *vmsd = own ? own : known;
	if (!vmsd)
		return qemu_fail(split->error, QEMU_SUBSECTION, *at, "VM subsection '%s' in '%s' does not exist", mark->name, split->name);
	if (!vmsd->field_count)
		return gim_fail(split->error, GIM_E_UNSUPPORTED, *at, "neither the description nor a table says how long subsection %s is",
		                mark->name);
	int result = add_part(split, vmsd, mark, own, *at);
	if (!result) {
		*at = (size_t)(split->parts[*split->count - 1].offset + split->parts[*split->count - 1].size);
		result = split_subsections(split, own, known, at);
	}
	return result;
}

static int split_subsections(const struct split *split, const struct qemu_vmsd *described, const struct qemu_vmsd *table, size_t *at)
{
	const char *parent = described && described->name ? described->name : table ? table->name : NULL;
	struct mark mark;
	int result = 0;
	while (!result && parent && is_subsection(split, parent, *at, &mark))
		result = split_subsection(split, described, table, &mark, at);
	return result;
}

int qemu_split(const char *name, uint32_t version, const struct qemu_device *device, bool by_tables, const uint8_t *bytes, size_t size,
               struct qemu_part *parts, size_t *count, size_t *used, struct gim_error *error)
{
	const struct split split = {
	    .described = device ? &device->vmsd : NULL,
	    .table = qemu_schema_find(name, version),
	    .name = name,
	    .bytes = bytes,
	    .size = size,
	    .parts = parts,
	    .count = count,
	    .error = error,
	};
	const struct qemu_vmsd *own = split.table && (by_tables || !device) ? split.table : split.described;
	*count = 0;
	*used = 0;
	if (!own)
		return gim_fail(error, GIM_E_UNSUPPORTED, 0, "neither a description nor a table says how long section %s is in version %u",
		                name, version);
	/* Its description says nothing of its own version. */
	int result = add_part(&split, own, NULL, own == split.described, 0);
	if (!result) {
		parts[0].version = version;
		*used = (size_t)parts[0].size;
		result = split_subsections(&split, by_tables ? NULL : split.described, split.table, used);
	}
	return result;
}
