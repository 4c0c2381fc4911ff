/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decodes a stream: the guest interface by its providers' layouts, the guest by ours, and every device by the description. */
#include "qemu/decode.h"

#include "error.h"
#include "guest.h"
#include "qemu/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct decoding {
	struct gim_state *state;
	struct qemu_stream *stream;
	struct qemu_items items;
	gim_report_fn *report;
	void *user;
};

static int starved(const struct gim_arena *arena, struct gim_error *error)
{
	return GIM_ARENA_FAIL(arena, error, GIM_UNKNOWN, "the state does not fit into the memory limit");
}

static struct qemu_info *info_of(struct decoding *decoding, struct gim_object **object, struct gim_error *error)
{
	*object = gim_state_object(decoding->state, &qemu_info_record, error);
	return *object ? (struct qemu_info *)(void *)(*object)->data : NULL;
}

/* The row of the list whose items are these. */
static const struct gim_field *list_field(const struct gim_record *item)
{
	const struct gim_field *field = qemu_info_record.fields;
	while (field->record != item)
		field++;
	return field;
}

/*
 * Items.
 */
static int decode_layout(struct decoding *decoding, const struct gim_layout *layout, const struct gim_record *record,
                         struct gim_error *error)
{
	const struct gim_items items = {.get = qemu_items_get, .user = &decoding->items};
	struct gim_codec codec = decoding->state->codec;
	struct gim_object *object = gim_state_object(decoding->state, record, error);
	size_t used;
	uint32_t version;
	if (!object)
		return GIM_E_MEMORY;
	codec.items = &items;
	codec.version = layout->last;
	const struct gim_object root = *object;
	return gim_decode(layout->frames[0].rows, &codec, &root, 1, &decoding->state->arena, NULL, 0, &used, &version, error);
}

/* Is there a subsection with it? A register that is of no use yet may hold another value than that of none: a masked interrupt. */
static bool is_written(struct qemu_items *items, const struct qemu_enlightenment *each)
{
	char name[128];
	const uint32_t count = qemu_items_count(items, each->section);
	(void)snprintf(name, sizeof(name), "%s:%s", each->section, each->field);
	for (uint32_t i = 0; i < count; i++) {
		struct qemu_place place;
		if (!qemu_items_locate(items, name, i, 0, &place, NULL) && place.presence == GIM_STORED && place.loaded->part_count > 1 &&
		    place.at >= place.loaded->parts[1].head)
			return true;
	}
	return false;
}

/* An interface of which there is nothing is not shown: its fields would all be at their defaults. */
static bool provider_in_use(struct decoding *decoding, const struct gim_provider *provider)
{
	const struct gim_layout *layout = gim_layout_of(provider, "qemu");
	const bool kvm = qemu_items_count(&decoding->items, "kvmclock");
	for (const struct qemu_enlightenment *each = qemu_enlightenments; layout && each->property; each++)
		if (!strcmp(each->provider, provider->name) && (kvm || !each->kvm_only) &&
		    (qemu_in_use(&decoding->items, each) || is_written(&decoding->items, each)))
			return true;
	return layout && kvm && !strcmp(provider->name, "kvm");
}

static size_t append(char *text, size_t size, size_t used, const char *word)
{
	used += (size_t)snprintf(text + used, size - used, "%s%s", used ? " " : "", word);
	return used < size ? used : size - 1;
}

static int decode_interfaces(struct decoding *decoding, struct gim_error *error)
{
	char interfaces[64] = "", layouts[128] = "", layout_name[64];
	size_t interfaces_used = 0, layouts_used = 0;
	int result = 0;
	for (const struct gim_provider *const *each = gim_providers; !result && *each; each++) {
		if (!provider_in_use(decoding, *each))
			continue;
		const struct gim_layout *layout = gim_layout_of(*each, "qemu");
		result = decode_layout(decoding, layout, (*each)->record, error);
		(void)snprintf(layout_name, sizeof(layout_name), "%s-%u", layout->name, layout->last);
		interfaces_used = append(interfaces, sizeof(interfaces), interfaces_used, (*each)->name);
		layouts_used = append(layouts, sizeof(layouts), layouts_used, layout_name);
	}
	if (!result && gim_is_world(decoding->items.failure.code)) /* what is in use was not told from what could not be read */
		result = gim_fail_as(error, &decoding->items.failure);
	struct gim_object *head = result ? NULL : gim_state_object(decoding->state, &gim_record, error);
	if (!result && !head)
		result = GIM_E_MEMORY;
	if (!result)
		result = gim_store_text(decoding->state, head, offsetof(struct gim, interfaces), interfaces, error);
	if (!result && layouts_used)
		result = gim_store_text(decoding->state, head, offsetof(struct gim, layout), layouts, error);
	if (!result)
		result = qemu_compare_vcpus(&decoding->items, decoding->report, decoding->user, error);
	decoding->state->gim_whole = !result;
	return result;
}

/*
 * The guest.
 */
/* The machine's memory, beside which there are ROMs, tables for firmware and memory of devices. */
static uint64_t ram_bytes(const struct qemu_ram *ram)
{
	uint64_t largest = 0;
	for (uint32_t i = 0; i < ram->block_count; i++) {
		if (!strcmp(ram->blocks[i].name, "pc.ram"))
			return ram->blocks[i].used_bytes;
		if (ram->blocks[i].used_bytes > largest)
			largest = ram->blocks[i].used_bytes;
	}
	return largest;
}

static int decode_guest(struct decoding *decoding, struct gim_error *error)
{
	struct gim_object *object = gim_state_object(decoding->state, &guest_record, error);
	if (!object)
		return GIM_E_MEMORY;
	const uint32_t vcpus = decoding->state->codec.vcpus;
	if (vcpus)
		GIM_STORE(object, guest, vcpus, vcpus);
	if (decoding->stream->ram_known)
		GIM_STORE(object, guest, ram_bytes, ram_bytes(&decoding->stream->ram));
	int result = vcpus ? decode_layout(decoding, &qemu_layout_guest, &guest_record, error) : 0;
	object = gim_state_object(decoding->state, &guest_record, error);
	/* A frequency that is not said is no frequency of 0. */
	if (object && !((const struct guest *)(const void *)object->data)->tsc_hz)
		object->presence[offsetof(struct guest, tsc_hz)] = GIM_ABSENT;
	return result;
}

/*
 * The machine.
 */
static int store_accelerator(struct decoding *decoding, struct gim_object *object, struct gim_error *error)
{
	const uint32_t vcpus = decoding->state->codec.vcpus;
	uint64_t tsc = 0;
	bool kvm = qemu_items_count(&decoding->items, "kvmclock");
	for (uint32_t i = 0; !kvm && i < vcpus; i++)
		kvm = qemu_items_get(&decoding->items, "cpu:env.tsc", i, 0, &tsc, NULL) == GIM_STORED && tsc;
	/* An emulated CPU's TSC is not kept in its section. */
	return vcpus ? gim_store_text(decoding->state, object, offsetof(struct qemu_info, accelerator), kvm ? "kvm" : "tcg", error) : 0;
}

static int store_run_state(struct decoding *decoding, struct gim_object *object, struct gim_error *error)
{
	const struct qemu_sections *devices = &decoding->stream->devices;
	char text[101] = "";
	for (size_t i = 0; i < devices->count; i++) {
		uint8_t *bytes;
		const struct qemu_section *section = &devices->items[i];
		if (strcmp(section->name, "globalstate") != 0 || section->size_bytes < 4 + 32)
			continue;
		int result = qemu_read_payload(decoding->stream, section, &bytes, error);
		if (result)
			return result;
		/* The text has a zero behind it, and newer releases have something else behind its first 32 bytes. */
		(void)snprintf(text, sizeof(text), "%.*s", 32, (const char *)bytes + 4);
		free(bytes);
		return gim_store_text(decoding->state, object, offsetof(struct qemu_info, run_state), text, error);
	}
	return 0;
}

static int store_enlightenments(struct decoding *decoding, struct gim_object *object, struct gim_error *error)
{
	const bool kvm = qemu_items_count(&decoding->items, "kvmclock");
	char text[512] = "";
	const char *last = "";
	size_t used = 0;
	for (const struct qemu_enlightenment *each = qemu_enlightenments; each->property; each++) {
		if ((!kvm && each->kvm_only) || !strcmp(each->property, last) || !qemu_in_use(&decoding->items, each))
			continue;
		last = each->property;
		used = append(text, sizeof(text), used, last);
	}
	return gim_store_text(decoding->state, object, offsetof(struct qemu_info, enlightenments), text, error);
}

static int store_configuration(struct decoding *decoding, struct gim_object *object, struct gim_error *error)
{
	const struct qemu_configuration *configuration = &decoding->stream->configuration;
	int result = configuration->present
	                 ? gim_store_text(decoding->state, object, offsetof(struct qemu_info, machine), configuration->machine, error)
	                 : 0;
	if (!result && configuration->present)
		result =
		    gim_store_text(decoding->state, object, offsetof(struct qemu_info, capabilities), configuration->capabilities, error);
	const char *uuid = gim_arena_copy(&decoding->state->arena, configuration->uuid, sizeof(configuration->uuid));
	if (!uuid)
		return starved(&decoding->state->arena, error);
	if (configuration->has_uuid)
		GIM_STORE(object, qemu_info, uuid, ((struct gim_text){uuid, sizeof(configuration->uuid)}));
	GIM_STORE(object, qemu_info, described, decoding->stream->described);
	return result;
}

static int store_blocks(struct decoding *decoding, struct gim_object *object, struct gim_error *error)
{
	const struct qemu_ram *ram = &decoding->stream->ram;
	struct qemu_info *info = (struct qemu_info *)(void *)object->data;
	int result = gim_list_grow(&decoding->state->arena, &info->ram_block, &qemu_ram_entry_record, ram->block_count, error);
	for (uint32_t i = 0; !result && i < ram->block_count; i++) {
		struct gim_object item = gim_object_item(object, list_field(&qemu_ram_entry_record), i);
		result = gim_store_text(decoding->state, &item, offsetof(struct qemu_ram_entry, name), ram->blocks[i].name, error);
		GIM_STORE(&item, qemu_ram_entry, used_bytes, ram->blocks[i].used_bytes);
	}
	return result;
}

static int decode_machine(struct decoding *decoding, struct gim_error *error)
{
	struct gim_object *object;
	if (!info_of(decoding, &object, error))
		return GIM_E_MEMORY;
	int result = store_configuration(decoding, object, error);
	if (!result)
		result = store_accelerator(decoding, object, error);
	if (!result)
		result = store_run_state(decoding, object, error);
	if (!result)
		result = store_enlightenments(decoding, object, error);
	if (!result)
		result = qemu_decode_configured(decoding->state, &decoding->items, object, decoding->report, decoding->user, error);
	if (!result)
		result = store_blocks(decoding, object, error);
	return result;
}

/*
 * Devices.
 */
struct leaves {
	struct gim_arena *arena;
	struct qemu_device_entry *entry;
	const uint8_t *bytes;
	uint64_t size;
	uint32_t count;
	struct gim_error *error;
};

static int count_leaf(void *user, const char *path, const struct qemu_field *field, uint64_t offset)
{
	struct leaves *leaves = user;
	(void)path;
	(void)field;
	(void)offset;
	return ++leaves->count > GIM_LIST_MAX ? gim_fail(leaves->error, GIM_E_LIMIT, GIM_UNKNOWN,
	                                                 "a device has more than the %d fields that are decoded at most", GIM_LIST_MAX)
	                                      : 0;
}

static bool copy_text(struct gim_arena *arena, struct gim_text *text, const void *bytes, size_t size)
{
	const char *copy = gim_arena_copy(arena, bytes, size);
	*text = (struct gim_text){copy, (uint32_t)size};
	return copy;
}

/* What is shown as a number. Many a type that is not in this list has bytes of its own making. */
static bool is_number(const struct qemu_field *field)
{
	static const char *const kinds[] = {"uint", "int", "bool", "timer"};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strncmp(field->type, kinds[i], strlen(kinds[i])))
			return field->size && field->size <= 8;
	return false;
}

static int store_leaf(void *user, const char *path, const struct qemu_field *field, uint64_t offset)
{
	struct leaves *leaves = user;
	struct gim_list *list = &leaves->entry->field;
	if (offset > leaves->size || field->size > leaves->size - offset) {
		const int result = qemu_fail(leaves->error, QEMU_END_OF_FILE, GIM_UNKNOWN, "%s is beyond the section's end", path);
		gim_error_payload(leaves->error, offset);
		return result;
	}
	struct qemu_field_entry *item = (struct qemu_field_entry *)list->items + leaves->count;
	uint8_t *presence = list->presence + leaves->count * sizeof(*item);
	leaves->count++;
	if (!copy_text(leaves->arena, &item->path, path, strlen(path)))
		return starved(leaves->arena, leaves->error);
	item->type = (struct gim_text){field->type, (uint32_t)strlen(field->type)};
	presence[offsetof(struct qemu_field_entry, path)] = presence[offsetof(struct qemu_field_entry, type)] = GIM_STORED;
	if (is_number(field)) {
		item->value = qemu_number(leaves->bytes + offset, (unsigned)field->size);
		presence[offsetof(struct qemu_field_entry, value)] = GIM_STORED;
		return 0;
	}
	presence[offsetof(struct qemu_field_entry, bytes)] = GIM_STORED;
	return copy_text(leaves->arena, &item->bytes, leaves->bytes + offset, (size_t)field->size) ? 0
	                                                                                           : starved(leaves->arena, leaves->error);
}

/* Go through the leaves of all parts. */
static int visit_parts(const struct qemu_part *parts, size_t count, qemu_leaf_fn *leaf, struct leaves *leaves)
{
	int result = 0;
	for (size_t i = 0; !result && i < count; i++)
		result = qemu_visit_leaves(parts[i].vmsd, i > 0, parts[i].offset, leaf, leaves);
	return result;
}

static int decode_fields(struct decoding *decoding, const struct qemu_section *section, const uint8_t *bytes,
                         struct qemu_device_entry *entry, struct gim_error *error)
{
	struct qemu_part *parts = calloc(QEMU_PARTS_MAX, sizeof(*parts));
	struct leaves leaves = {
	    .arena = &decoding->state->arena, .entry = entry, .bytes = bytes, .size = section->size_bytes, .error = error};
	size_t count = 0, used = 0;
	int result = parts ? 0 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (!result) {
		(void)qemu_split(section->name, section->version, section->device, false, bytes, (size_t)section->size_bytes, parts, &count,
		                 &used, NULL);
		result = visit_parts(parts, count, count_leaf, &leaves);
	}
	if (!result)
		result = gim_list_grow(leaves.arena, &entry->field, &qemu_field_entry_record, leaves.count, error);
	leaves.count = 0;
	if (!result)
		result = visit_parts(parts, count, store_leaf, &leaves);
	if (!result && used < section->size_bytes && decoding->report)
		gim_report(decoding->report, decoding->user, &qemu_rules[QEMU_UNDECODED], section->payload + used, section->name, NULL,
		           "%llu bytes of section %s/%u are left undecoded, as nothing says what they are",
		           (unsigned long long)(section->size_bytes - used), section->name, section->instance);
	free(parts);
	return result;
}

static int decode_payload(struct decoding *decoding, const struct qemu_section *section, uint32_t order, const uint8_t *bytes,
                          struct gim_error *error)
{
	struct gim_object *object;
	struct qemu_info *info = info_of(decoding, &object, error);
	if (!info)
		return GIM_E_MEMORY;
	const uint32_t at = info->device.count;
	int result = gim_list_grow(&decoding->state->arena, &info->device, &qemu_device_entry_record, at + 1, error);
	if (result)
		return result;
	struct gim_object item = gim_object_item(object, list_field(&qemu_device_entry_record), at);
	result = gim_store_text(decoding->state, &item, offsetof(struct qemu_device_entry, name), section->name, error);
	GIM_STORE(&item, qemu_device_entry, instance, section->instance);
	GIM_STORE(&item, qemu_device_entry, order, order);
	GIM_STORE(&item, qemu_device_entry, version, section->version);
	GIM_STORE(&item, qemu_device_entry, size_bytes, section->size_bytes);
	if (!result)
		result = decode_fields(decoding, section, bytes, (struct qemu_device_entry *)(void *)item.data, error);
	return result;
}

static int decode_device(struct decoding *decoding, const struct qemu_section *section, struct gim_error *error)
{
	uint8_t *bytes = NULL;
	int result = qemu_read_payload(decoding->stream, section, &bytes, error);
	if (!result)
		result = decode_payload(decoding, section, qemu_order(decoding->stream, section), bytes, error);
	free(bytes);
	if (result)
		gim_error_unit(error, section->name, section->instance);
	return result;
}

/*
 * All of it.
 */
static int open_decoding(struct decoding *decoding, struct gim_error *error)
{
	struct qemu_stream *stream = decoding->stream;
	int result = qemu_find_devices(stream, error);
	if (!result)
		result = qemu_find_ram(stream, error);
	if (!result)
		result = qemu_items_open(&decoding->items, stream, error);
	if (!result) {
		const uint32_t vcpus = qemu_items_count(&decoding->items, "cpu");
		decoding->state->codec.vcpus = vcpus < GIM_VCPUS_MAX ? vcpus : GIM_VCPUS_MAX;
	}
	return result;
}

int qemu_decode(struct gim_state *state, unsigned parts, gim_report_fn *report, void *user, struct gim_error *error)
{
	struct decoding decoding = {.state = state, .stream = state->container, .report = report, .user = user};
	int result = open_decoding(&decoding, error);
	if (result)
		return result;
	const struct qemu_stream *stream = decoding.stream;
	if (!result && parts & GIM_PART_GIM)
		result = decode_interfaces(&decoding, error);
	if (!result && parts & (GIM_PART_GUEST | GIM_PART_INFO))
		result = decode_guest(&decoding, error);
	if (!result && parts & (GIM_PART_GUEST | GIM_PART_INFO))
		result = decode_machine(&decoding, error);
	for (size_t i = 0; !result && parts & GIM_PART_GUEST && i < stream->devices.count; i++)
		result = decode_device(&decoding, &stream->devices.items[i], error);
	qemu_items_close(&decoding.items);
	/* What stands before the damage is shown, and then the damage. */
	return !result && stream->failure.code ? gim_fail_as(error, &stream->failure) : result;
}

int qemu_decode_section(struct gim_state *state, const struct qemu_section *section, gim_report_fn *report, void *user,
                        struct gim_error *error)
{
	struct decoding decoding = {.state = state, .stream = state->container, .report = report, .user = user};
	return decode_device(&decoding, section, error);
}

int qemu_decode_packed(struct gim_state *state, const struct gim_unit *unit, const uint8_t *bytes, size_t size, gim_report_fn *report,
                       void *user, struct gim_error *error)
{
	enum { HEAD_BYTES = 14 }; /* beside the name */
	struct decoding decoding = {.state = state, .report = report, .user = user};
	const struct qemu_section section = {
	    .name = unit->name,
	    .type = QEMU_SECTION_FULL,
	    .instance = unit->instance,
	    .version = unit->version,
	    .offset = unit->offset,
	    .payload = unit->offset + HEAD_BYTES + strlen(unit->name),
	    .size_bytes = size,
	};
	int result = decode_payload(&decoding, &section, unit->pass == GIM_PASS_FINAL ? 0 : unit->pass, bytes, error);
	if (result)
		gim_error_unit(error, unit->name, unit->instance);
	return result;
}

int qemu_interface(struct gim_state *state, const struct gim_provider *provider, struct gim_error *error)
{
	struct decoding decoding = {.state = state, .stream = state->container};
	const struct gim_layout *layout = gim_layout_of(provider, "qemu");
	int result = layout ? open_decoding(&decoding, error) : 0;
	if (!result && layout) {
		result = decode_layout(&decoding, layout, provider->record, error);
		qemu_items_close(&decoding.items);
	}
	return result;
}
