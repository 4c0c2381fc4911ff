/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers of a stream by name: the section, and the field in it or in one of its subsections. */
#include "error.h"
#include "qemu/decode.h"
#include "qemu/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int qemu_items_open(struct qemu_items *items, struct qemu_stream *stream, struct gim_error *error)
{
	*items = (struct qemu_items){.stream = stream};
	items->loaded = calloc(stream->devices.count + 1, sizeof(*items->loaded));
	return items->loaded ? 0 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
}

void qemu_items_close(struct qemu_items *items)
{
	for (size_t i = 0; items->loaded && i < items->stream->devices.count; i++) {
		free(items->loaded[i].bytes);
		free(items->loaded[i].parts);
	}
	free(items->loaded);
	items->loaded = NULL;
	if (items->added) {
		free(items->added->loaded.bytes);
		free(items->added->loaded.parts);
	}
	free(items->added);
	items->added = NULL;
}

static bool is_named(const struct qemu_section *section, const char *name, size_t length)
{
	return strlen(section->name) == length && !memcmp(section->name, name, length);
}

uint32_t qemu_items_count(const struct qemu_items *items, const char *section)
{
	uint32_t count = 0;
	for (size_t i = 0; i < items->stream->devices.count; i++)
		count += is_named(&items->stream->devices.items[i], section, strlen(section));
	return count + (items->added && is_named(&items->added->section, section, strlen(section)));
}

int qemu_loaded_split(struct qemu_loaded *loaded, struct gim_error *error)
{
	struct qemu_part *parts = calloc(QEMU_PARTS_MAX, sizeof(*parts));
	if (!parts)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	/* What could be cut off before something unknown is what there is. */
	(void)qemu_split(loaded->section->name, loaded->section->version, loaded->section->device, false, loaded->bytes, loaded->size,
	                 parts, &loaded->part_count, &loaded->used, NULL);
	struct qemu_part *fitting = loaded->part_count ? realloc(parts, loaded->part_count * sizeof(*parts)) : NULL;
	free(loaded->parts);
	loaded->parts = fitting ? fitting : parts;
	return 0;
}

/* The sections of vCPUs are in the order of the stream. */
int qemu_items_load(struct qemu_items *items, const char *name, size_t name_length, uint32_t instance, struct qemu_loaded **loaded,
                    struct gim_error *error)
{
	const struct qemu_sections *devices = &items->stream->devices;
	size_t at = 0;
	*loaded = NULL;
	while (at < devices->count && (!is_named(&devices->items[at], name, name_length) || instance--))
		at++;
	if (at == devices->count) {
		if (items->added && !instance && is_named(&items->added->section, name, name_length))
			*loaded = &items->added->loaded;
		return 0;
	}
	return qemu_items_at(items, at, loaded, error);
}

int qemu_items_at(struct qemu_items *items, size_t index, struct qemu_loaded **loaded, struct gim_error *error)
{
	const struct qemu_section *section = &items->stream->devices.items[index];
	struct qemu_loaded *found = &items->loaded[index];
	if (!found->section) {
		int result = qemu_read_payload(items->stream, section, &found->bytes, error);
		if (result)
			return result;
		found->section = section;
		found->size = (size_t)section->size_bytes;
		result = qemu_loaded_split(found, error);
		if (result) {
			found->section = NULL;
			free(found->bytes);
			found->bytes = NULL;
			return result;
		}
	}
	*loaded = found;
	return 0;
}

bool qemu_part_own(const struct qemu_loaded *loaded, const struct qemu_part *part)
{
	uint32_t index;
	const struct qemu_device *device = loaded->section->device;
	const struct qemu_vmsd *table = qemu_schema_newest(loaded->section->name);
	return (device && qemu_subsection_find(&device->vmsd, part->vmsd->name, &index)) ||
	       (table && qemu_subsection_find(table, part->vmsd->name, &index));
}

/* A subsection that is left out stands for its default. */
static void find_implied(struct qemu_loaded *loaded, const char *field, uint32_t index, struct qemu_place *place)
{
	const struct qemu_vmsd *table = qemu_schema_newest(loaded->section->name);
	uint64_t offset;
	for (uint32_t i = 0; table && i < table->subsection_count; i++) {
		if (!qemu_find_leaf(&table->subsections[i], field, index, &offset))
			continue;
		*place = (struct qemu_place){.presence = GIM_IMPLIED,
		                             .number = qemu_schema_default(table->subsections[i].name),
		                             .loaded = loaded,
		                             .subsection = i,
		                             .offset = GIM_UNKNOWN};
		return;
	}
}

/* A part lies within the section's bytes, and its fields within the part; that holds of every place that is made here. */
static bool find_stored(struct qemu_loaded *loaded, const char *field, uint32_t index, struct qemu_place *place)
{
	for (size_t i = 0; i < loaded->part_count; i++) {
		const struct qemu_part *part = &loaded->parts[i];
		uint64_t offset;
		const struct qemu_field *leaf = qemu_find_leaf(part->vmsd, field, index, &offset);
		if (!leaf || leaf->size > 8 || !leaf->size || leaf->size > part->size || offset > part->size - leaf->size)
			continue;
		const size_t at = (size_t)(part->offset + offset);
		*place = (struct qemu_place){.presence = GIM_STORED,
		                             .number = qemu_number(loaded->bytes + at, (unsigned)leaf->size),
		                             .loaded = loaded,
		                             .at = at,
		                             .width = (unsigned)leaf->size,
		                             .offset = loaded->section->payload + at};
		return true;
	}
	return false;
}

int qemu_items_locate(struct qemu_items *items, const char *name, uint32_t instance, uint32_t index, struct qemu_place *place,
                      struct gim_error *error)
{
	const size_t length = strcspn(name, ":");
	struct qemu_loaded *loaded;
	*place = (struct qemu_place){.presence = GIM_ABSENT, .offset = GIM_UNKNOWN};
	struct gim_error own = GIM_ERROR_INIT;
	int result = qemu_items_load(items, name, length, instance, &loaded, &own);
	if (result) {
		(void)gim_fail_as(&items->failure, &own);
		return gim_fail_as(error, &own);
	}
	if (loaded && !find_stored(loaded, name + length + 1, index, place))
		find_implied(loaded, name + length + 1, index, place);
	return 0;
}

int qemu_items_get(void *user, const char *name, uint32_t instance, uint32_t index, uint64_t *number, struct gim_error *error)
{
	struct qemu_place place;
	/* What is the VM's is in the section of every vCPU; the first one's is taken. */
	int result = qemu_items_locate(user, name, instance == GIM_ITEM_ALL ? 0 : instance, index, &place, error);
	if (!result && place.presence)
		*number = place.number;
	return result ? result : (int)place.presence;
}

bool qemu_in_use(struct qemu_items *items, const struct qemu_enlightenment *enlightenment)
{
	char name[128];
	const uint32_t count = qemu_items_count(items, enlightenment->section);
	(void)snprintf(name, sizeof(name), "%s:%s", enlightenment->section, enlightenment->field);
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t n = 0; n < enlightenment->count; n++) {
			uint64_t number;
			if (qemu_items_get(items, name, i, n, &number, NULL) > GIM_ABSENT &&
			    (number & enlightenment->mask) != (enlightenment->reset & enlightenment->mask))
				return true;
		}
	return false;
}
