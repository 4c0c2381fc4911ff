/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes and places of a section's fields, computed from its description. */
#include "qemu/vmsd.h"

#include <stdio.h>
#include <string.h>

static uint64_t add(uint64_t one, uint64_t other)
{
	return one > QEMU_SECTION_LIMIT || other > QEMU_SECTION_LIMIT - one ? GIM_UNKNOWN : one + other;
}

static uint64_t field_bytes(const struct qemu_field *field)
{
	if (field->size && field->count > QEMU_SECTION_LIMIT / field->size)
		return GIM_UNKNOWN;
	return field->size * field->count;
}

uint64_t qemu_fields_bytes(const struct qemu_vmsd *vmsd)
{
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < vmsd->field_count; i++)
		bytes = add(bytes, field_bytes(&vmsd->fields[i]));
	return bytes;
}

uint64_t qemu_subsection_head(const struct qemu_vmsd *subsection)
{
	enum { MARK = 1, LENGTH = 1, VERSION = 4 };
	return MARK + LENGTH + strlen(subsection->name) + VERSION;
}

uint64_t qemu_vmsd_bytes(const struct qemu_vmsd *vmsd)
{
	uint64_t bytes = qemu_fields_bytes(vmsd);
	for (uint32_t i = 0; i < vmsd->subsection_count; i++)
		bytes = add(bytes, add(qemu_subsection_head(&vmsd->subsections[i]), qemu_vmsd_bytes(&vmsd->subsections[i])));
	return bytes;
}

/*
 * Going through leaves.
 */
struct visit {
	char path[256];
	qemu_leaf_fn *leaf;
	void *user;
};

static int visit_vmsd(struct visit *visit, const struct qemu_vmsd *vmsd, size_t used, uint64_t offset, bool subsections);

static size_t append(struct visit *visit, size_t used, const char *text)
{
	const int length = snprintf(visit->path + used, sizeof(visit->path) - used, "%s", text);
	const size_t end = used + (size_t)(length < 0 ? 0 : length);
	return end < sizeof(visit->path) ? end : sizeof(visit->path) - 1;
}

static size_t append_index(struct visit *visit, size_t used, uint32_t index)
{
	char text[16];
	(void)snprintf(text, sizeof(text), "[%u]", index);
	return append(visit, used, text);
}

/* How the elements of a field lie: a structure fills it, and those of a queue have a mark before each and one behind the last. */
enum shape { SHAPE_LEAF, SHAPE_STRUCT, SHAPE_QUEUE };

static enum shape shape_of(const struct qemu_field *field)
{
	if (!field->inner)
		return SHAPE_LEAF;
	if (field->inner_count == 1 && qemu_vmsd_bytes(field->inner) == field->size)
		return SHAPE_STRUCT;
	uint64_t bytes = 1;
	for (uint32_t i = 0; i < field->inner_count; i++)
		bytes = add(bytes, add(1, qemu_vmsd_bytes(&field->inner[i])));
	/* Whatever else there is (a tree with keys) is bytes to us. */
	return field->count == 1 && bytes == field->size ? SHAPE_QUEUE : SHAPE_LEAF;
}

static int visit_queue(struct visit *visit, const struct qemu_field *field, size_t used, uint64_t offset)
{
	int result = 0;
	for (uint32_t i = 0; !result && i < field->inner_count; i++) {
		size_t end = append_index(visit, used, i);
		result = visit_vmsd(visit, &field->inner[i], append(visit, end, "."), offset + 1, true);
		offset += 1 + qemu_vmsd_bytes(&field->inner[i]);
	}
	return result;
}

static int visit_field(struct visit *visit, const struct qemu_field *field, size_t used, uint64_t offset)
{
	const enum shape shape = shape_of(field);
	int result = 0;
	used = append(visit, used, field->name);
	if (shape == SHAPE_QUEUE)
		return visit_queue(visit, field, used, offset);
	/* Elements without bytes are none, however many are said to be there. */
	const uint32_t count = field->size ? field->count : 0;
	for (uint32_t i = 0; !result && i < count; i++, offset += field->size) {
		const size_t end = count > 1 ? append_index(visit, used, i) : used;
		visit->path[end] = '\0';
		result = shape == SHAPE_LEAF ? visit->leaf(visit->user, visit->path, field, offset)
		                             : visit_vmsd(visit, field->inner, append(visit, end, "."), offset, true);
	}
	return result;
}

static int visit_vmsd(struct visit *visit, const struct qemu_vmsd *vmsd, size_t used, uint64_t offset, bool subsections)
{
	int result = 0;
	for (uint32_t i = 0; !result && i < vmsd->field_count; i++) {
		result = visit_field(visit, &vmsd->fields[i], used, offset);
		offset += field_bytes(&vmsd->fields[i]);
	}
	for (uint32_t i = 0; !result && subsections && i < vmsd->subsection_count; i++) {
		const struct qemu_vmsd *subsection = &vmsd->subsections[i];
		const size_t end = append(visit, append(visit, used, subsection->name), ":");
		offset += qemu_subsection_head(subsection);
		result = visit_vmsd(visit, subsection, end, offset, true);
		offset += qemu_vmsd_bytes(subsection);
	}
	return result;
}

int qemu_visit_leaves(const struct qemu_vmsd *vmsd, bool subsection, uint64_t offset, qemu_leaf_fn *leaf, void *user)
{
	struct visit visit = {.leaf = leaf, .user = user};
	size_t used = 0;
	if (subsection)
		used = append(&visit, append(&visit, 0, vmsd->name), ":");
	return qemu_fields_bytes(vmsd) == GIM_UNKNOWN ? 0 : visit_vmsd(&visit, vmsd, used, offset, false);
}

/*
 * Finding one.
 */
static bool parse_index(const char **path, uint32_t *index)
{
	const char *at = *path;
	uint64_t value = 0;
	if (*at++ != '[' || *at < '0' || *at > '9')
		return false;
	for (; *at >= '0' && *at <= '9' && value <= UINT32_MAX; at++)
		value = value * 10 + (unsigned)(*at - '0');
	if (*at != ']' || value > UINT32_MAX)
		return false;
	*path = at + 1;
	*index = (uint32_t)value;
	return true;
}

/* Names have dots and brackets in them, so that only a whole name can be compared. */
const struct qemu_field *qemu_find_leaf(const struct qemu_vmsd *vmsd, const char *path, uint32_t index, uint64_t *offset)
{
	uint64_t at = 0;
	for (uint32_t i = 0; i < vmsd->field_count; at += field_bytes(&vmsd->fields[i++])) {
		const struct qemu_field *field = &vmsd->fields[i];
		const size_t length = strlen(field->name);
		const char *rest = path + length;
		uint32_t element = 0;
		uint64_t inside = 0;
		if (!length || strncmp(path, field->name, length) != 0)
			continue;
		const bool indexed = parse_index(&rest, &element);
		if (shape_of(field) == SHAPE_STRUCT && *rest == '.' && element < field->count) {
			const struct qemu_field *leaf = qemu_find_leaf(field->inner, rest + 1, index, &inside);
			if (leaf)
				return *offset = at + element * field->size + inside, leaf;
		}
		if (*rest || field->inner || (indexed && element >= field->count) || index >= field->count - element)
			continue;
		return *offset = at + (uint64_t)(element + index) * field->size, field;
	}
	return NULL;
}
