/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole sections that come and go: in what was decoded, and among the sections that are written. */
#include "error.h"
#include "qemu/decode.h"
#include "qemu/schema.h"
#include "visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void qemu_machine_release(const struct qemu_configuration *configuration, unsigned *major, unsigned *minor)
{
	const char *dash = strrchr(configuration->machine, '-');
	if (!dash || sscanf(dash + 1, "%u.%u", major, minor) != 2)
		*major = *minor = 0;
}

/* Has the machine what machines have since that release? One without a configuration is older than all that we ask about; one that names no release is new. */
static bool machine_since(const struct qemu_configuration *configuration, unsigned since_major, unsigned since_minor)
{
	unsigned major, minor;
	qemu_machine_release(configuration, &major, &minor);
	return configuration->present && (!major || major > since_major || (major == since_major && minor >= since_minor));
}

/* The optional section that an item is in, when it is what the section is there for. */
static const struct qemu_optional *optional_of(const char *item)
{
	const size_t length = strcspn(item, ":");
	const struct qemu_optional *optional = qemu_optional_find(item, length);
	return optional && item[length] && !strcmp(item + length + 1, optional->field) ? optional : NULL;
}

/*
 * In what was decoded.
 */
static void show(const struct gim_object *object, const struct gim_row *row, enum gim_presence presence, uint64_t number)
{
	object->presence[row->offset] = (uint8_t)presence;
	gim_number_store(object->data + row->offset, row->width, presence ? number : 0);
}

static bool in_section(const struct gim_row *row, const struct qemu_optional *optional)
{
	return row->op == GIM_ROW_ITEM && qemu_optional_find(row->name, strcspn(row->name, ":")) == optional;
}

/* What is in the section comes only with what the section is there for. */
static int comes_with(const struct gim_layout *layout, const struct gim_object *object, const struct qemu_optional *optional,
                      struct gim_error *error)
{
	char path[128] = "";
	for (const struct gim_row *row = layout->frames[0].rows; row->op != GIM_ROW_END; row++)
		if (in_section(row, optional) && optional_of(row->name))
			gim_object_path(object, row->offset, path, sizeof(path));
	return gim_fail(error, GIM_E_PATH, GIM_UNKNOWN, "the stream has no section %s that would hold it: setting %s first makes one",
	                optional->section, path);
}

int qemu_place_make(struct gim_state *state, const struct gim_provider *provider, const char *item, bool there, struct gim_error *error)
{
	const struct qemu_stream *stream = state->container;
	const struct gim_layout *layout = gim_layout_of(provider, "qemu");
	const struct gim_object *object = gim_state_find(state, provider->record);
	const struct qemu_optional *optional = qemu_optional_find(item, strcspn(item, ":"));
	if (!optional || !layout || !object || (!there && !optional_of(item)))
		return 1;
	if (!optional_of(item))
		return comes_with(layout, object, optional, error);
	const bool beside = machine_since(&stream->configuration, optional->beside_major, optional->beside_minor);
	for (const struct gim_row *row = layout->frames[0].rows; row->op != GIM_ROW_END; row++) {
		const bool second = !optional_of(row->name ? row->name : "");
		if (in_section(row, optional))
			show(object, row,
			     !there              ? GIM_ABSENT
			     : second && !beside ? GIM_IMPLIED
			                         : GIM_STORED,
			     second && beside ? optional->beside_number : 0);
	}
	return 0;
}

/*
 * Among the sections that are written.
 */
int qemu_items_remove(struct qemu_items *items, const struct gim_layout *layout, const struct gim_object *object, struct gim_error *error)
{
	int result = 0;
	for (const struct gim_row *row = layout->frames[0].rows; !result && row->op != GIM_ROW_END; row++) {
		const struct qemu_optional *optional = row->op == GIM_ROW_ITEM ? optional_of(row->name) : NULL;
		struct qemu_place place;
		if (!optional || object->presence[row->offset])
			continue;
		/* What cannot be read is absent, too, and stays. */
		result = qemu_items_locate(items, row->name, 0, 0, &place, error);
		for (size_t i = 0; !result && place.presence && i < items->stream->devices.count; i++)
			items->loaded[i].removed = !strcmp(items->stream->devices.items[i].name, optional->section);
	}
	return result;
}

static bool is_one_of(const char *name, const char *const *names)
{
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names;
}

static const struct qemu_section *last_of(const struct qemu_sections *sections, const char *const *names)
{
	for (size_t i = sections->count; i-- > 0;)
		if (is_one_of(sections->items[i].name, names))
			return &sections->items[i];
	return NULL;
}

/* QEMU numbers sections as devices come, and newer releases write them in another order. Where the next number is another's, one that nobody has. */
static uint32_t free_id(const struct qemu_sections *sections, const char *const *names)
{
	uint32_t next = 0, largest = 0;
	for (size_t i = 0; i < sections->count; i++) {
		const uint32_t behind = sections->items[i].id + 1;
		largest = behind > largest ? behind : largest;
		next = behind > next && is_one_of(sections->items[i].name, names) ? behind : next;
	}
	for (size_t i = 0; i < sections->count; i++)
		if (sections->items[i].id == next)
			return largest;
	return next;
}

static int begin(struct qemu_added *added, const struct qemu_vmsd *vmsd, struct gim_error *error)
{
	added->loaded.section = &added->section;
	added->loaded.size = (size_t)qemu_fields_bytes(vmsd);
	added->loaded.bytes = calloc(added->loaded.size, 1);
	if (!added->loaded.bytes)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	return qemu_loaded_split(&added->loaded, error);
}

int qemu_items_add(struct qemu_items *items, const char *name, struct gim_error *error)
{
	const struct qemu_optional *optional = optional_of(name);
	if (!optional || items->added || qemu_items_count(items, optional->section))
		return 1;
	const struct qemu_vmsd *vmsd = qemu_schema_newest(optional->section);
	const struct qemu_section *behind = last_of(&items->stream->devices, optional->behind);
	if (!behind)
		return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN,
		                "the stream has no section of a vCPU, behind which QEMU would write %s", optional->section);
	if (items->stream->described && !behind->device)
		return gim_fail(error, GIM_E_UNSUPPORTED, behind->offset,
		                "the description lacks section %s/%u, behind which it would describe %s", behind->name, behind->instance,
		                optional->section);
	struct qemu_added *added = calloc(1, sizeof(*added));
	if (!added)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	added->behind = behind;
	added->section = (struct qemu_section){
	    .name = vmsd->name,
	    .id = free_id(&items->stream->devices, optional->behind),
	    .version = vmsd->version,
	    .type = QEMU_SECTION_FULL,
	    .footer = behind->footer,
	    .offset = GIM_UNKNOWN,
	    .payload = GIM_UNKNOWN,
	};
	items->added = added;
	return begin(added, vmsd, error);
}
