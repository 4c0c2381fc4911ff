/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables as a list: every field with its kind, display, help, and the layouts that can hold it. */
#include "error.h"
#include "layer.h"
#include "pages.h"
#include "state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {
    [GIM_U8] = "u8", [GIM_U16] = "u16", [GIM_U32] = "u32", [GIM_U64] = "u64", [GIM_TEXT] = "bytes", [GIM_SUB] = "", [GIM_LIST] = ""};

static const char *const show_names[] = {
    [GIM_HEX] = "hex",     [GIM_DEC] = "decimal",   [GIM_ADDRESS] = "address", [GIM_NS] = "ns",     [GIM_HZ] = "hz",
    [GIM_SIZE] = "size",   [GIM_IP4] = "ip4",       [GIM_PORT] = "port",       [GIM_BOOL] = "bool", [GIM_ENUM] = "enum",
    [GIM_FLAGS] = "flags", [GIM_STRING] = "string", [GIM_PNG] = "png",
};

/* One version of a layout, applied to an empty state of its records: what it covers. */
struct cover {
	char name[48];
	const struct gim_layout *layout;
	uint32_t version;
	struct gim_object *objects; /* one for each top record, in their order */
};

struct tables {
	const struct gim_record *records[16];
	size_t record_count;
	struct gim_arena arena;
	struct cover *covers;
	size_t cover_count;
};

static void add_record(struct tables *tables, const struct gim_record *record)
{
	if (!record)
		return;
	for (size_t i = 0; i < tables->record_count; i++)
		if (tables->records[i] == record)
			return;
	assert(tables->record_count < sizeof(tables->records) / sizeof(tables->records[0]));
	tables->records[tables->record_count++] = record;
}

static void add_records(struct tables *tables)
{
	add_record(tables, &source_record);
	add_record(tables, &gim_record);
	for (const struct gim_provider *const *each = gim_providers; *each; each++)
		add_record(tables, (*each)->record);
	for (const struct gim_provider *const *each = gim_providers; *each; each++)
		add_record(tables, (*each)->pages ? (*each)->pages->record : NULL);
	add_record(tables, &guest_record);
	add_record(tables, &machine_state_record);
	for (const struct gim_format *const *format = gim_formats; *format; format++)
		for (const struct gim_record *const *each = (*format)->records; each && *each; each++)
			add_record(tables, *each);
	for (const struct gim_layer_kind *const *each = gim_layers; *each; each++)
		add_record(tables, (*each)->record);
}

/* An object in which every list, at any depth, has one item, so that a cover reaches all rows. */
static int fill_lists(struct gim_arena *arena, const struct gim_object *object, struct gim_error *error)
{
	for (uint32_t f = 0; f < object->record->field_count; f++) {
		const struct gim_field *field = &object->record->fields[f];
		if (field->kind == GIM_LIST) {
			struct gim_list *list = (struct gim_list *)(void *)(object->data + field->offset);
			int result = gim_list_grow(arena, list, field->record, 2, error);
			if (result)
				return result;
		}
		if (!field->record)
			continue;
		for (uint32_t i = 0; i < gim_object_count(object, field); i++) {
			struct gim_object item = gim_object_item(object, field, i);
			int result = fill_lists(arena, &item, error);
			if (result)
				return result;
		}
	}
	return 0;
}

static int add_cover(struct tables *tables, const struct gim_layout *layout, const struct gim_frame *frame, uint32_t version,
                     struct gim_error *error)
{
	struct cover *covers = realloc(tables->covers, (tables->cover_count + 1) * sizeof(*covers));
	if (!covers)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	tables->covers = covers;
	struct cover *cover = &covers[tables->cover_count++];
	cover->layout = frame->first ? NULL : layout;
	cover->version = version;
	if (frame->first)
		(void)snprintf(cover->name, sizeof(cover->name), "%s-%s-%u", layout->format, frame->name, version);
	else
		(void)snprintf(cover->name, sizeof(cover->name), "%s-%u", layout->name, version);
	cover->objects = gim_arena_array(&tables->arena, tables->record_count, sizeof(*cover->objects));
	if (!cover->objects)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	for (size_t i = 0; i < tables->record_count; i++) {
		int result = gim_object_new(&tables->arena, tables->records[i], &cover->objects[i], error);
		if (!result)
			result = fill_lists(&tables->arena, &cover->objects[i], error);
		if (result)
			return result;
	}
	const struct gim_codec codec = {.version = version, .address_bytes = 8, .vcpus = 2, .flags = frame->flags};
	return gim_cover(frame->rows, &codec, cover->objects, tables->record_count, error);
}

static int add_layout(struct tables *tables, const struct gim_layout *layout, struct gim_error *error)
{
	int result = 0;
	for (uint32_t f = 0; f < layout->frame_count; f++) {
		const struct gim_frame *frame = &layout->frames[f];
		const uint32_t first = frame->first ? frame->first : layout->first, last = frame->first ? frame->last : layout->last;
		for (uint32_t version = first; !result && version <= last; version++)
			result = add_cover(tables, layout, frame, version, error);
	}
	return result;
}

static int add_layouts(struct tables *tables, struct gim_error *error)
{
	int result = 0;
	for (const struct gim_provider *const *provider = gim_providers; *provider; provider++)
		for (const struct gim_layout *const *each = (*provider)->layouts; !result && each && *each; each++)
			result = add_layout(tables, *each, error);
	for (const struct gim_format *const *format = gim_formats; *format; format++)
		for (const struct gim_layout *const *each = (*format)->layouts; !result && each && *each; each++)
			result = add_layout(tables, *each, error);
	return result;
}

void gim_records_visit(gim_record_fn *visit, void *user)
{
	struct tables tables = {0};
	add_records(&tables);
	for (size_t i = 0; i < tables.record_count; i++)
		visit(user, tables.records[i]);
}

struct walk {
	const struct tables *tables;
	const char *wanted;
	gim_field_info_fn *visit;
	void *user;
};

/* The same place in every cover: an object for each of them. */
static int visit_fields(struct walk *walk, const struct gim_record *record, const struct gim_object *covers, const char *prefix);

static void append_name(char *names, size_t size, const char *name)
{
	size_t used = strlen(names);
	(void)snprintf(names + used, size - used, "%s%s", used ? " " : "", name);
}

/* Does any element of the field hold a place in the layout? */
static bool covered(const struct gim_object *object, const struct gim_field *field)
{
	for (uint32_t i = 0; i < gim_object_count(object, field); i++)
		if (gim_object_value(object, field, i).presence != GIM_ABSENT)
			return true;
	return false;
}

/* Is it the layout of that name, or one that a known release writes: "qemu:7.2", or "qemu-7.2"? */
static bool is_wanted(const struct cover *cover, const char *wanted)
{
	const size_t length = cover->layout ? strlen(cover->layout->format) : 0;
	const struct gim_format *format;
	const struct gim_release *release;
	unsigned major, minor, version = 0;
	char rest, name[40];
	if (!strcmp(wanted, cover->name))
		return true;
	if (!length || strncmp(wanted, cover->layout->format, length) != 0 || !strchr(":-", wanted[length]) ||
	    sscanf(wanted + length + 1, "%u.%u%c", &major, &minor, &rest) != 2)
		return false;
	(void)snprintf(name, sizeof(name), "%s:%u.%u", cover->layout->format, major, minor);
	if (gim_release_find(name, &format, &release, NULL))
		return false;
	for (const struct gim_release *one = cover->layout->releases; one && one->version; one++)
		if (one->major < major || (one->major == major && one->minor <= minor))
			version = one->version;
	return version == cover->version;
}

static int visit_leaf(struct walk *walk, const struct gim_field *field, const struct gim_object *covers, const char *path)
{
	char layouts[1024] = "";
	const struct tables *tables = walk->tables;
	bool wanted = !walk->wanted;
	for (size_t i = 0; i < tables->cover_count; i++) {
		if (!covered(&covers[i], field))
			continue;
		wanted |= walk->wanted && is_wanted(&tables->covers[i], walk->wanted);
		append_name(layouts, sizeof(layouts), tables->covers[i].name);
	}
	if (!wanted)
		return 0;
	const struct gim_field_info info = {
	    .path = path,
	    .kind = field->kind == GIM_TEXT && field->show == GIM_STRING ? "text" : kind_names[field->kind],
	    .show = show_names[field->show],
	    .help = field->help,
	    .reset = field->reset,
	    .layouts = layouts,
	    .source = field->source ? field->source : "",
	};
	return walk->visit(walk->user, &info);
}

static int visit_fields(struct walk *walk, const struct gim_record *record, const struct gim_object *covers, const char *prefix)
{
	const size_t count = walk->tables->cover_count;
	int result = 0;
	for (uint32_t f = 0; !result && f < record->field_count; f++) {
		const struct gim_field *field = &record->fields[f];
		char path[192];
		int used = snprintf(path, sizeof(path), "%s.%s", prefix, field->name);
		if (field->kind == GIM_LIST)
			(void)snprintf(path + used, sizeof(path) - (size_t)used, "[]");
		else if (field->count)
			(void)snprintf(path + used, sizeof(path) - (size_t)used, "[%u]", field->count);
		if (!field->record) {
			result = visit_leaf(walk, field, covers, path);
			continue;
		}
		struct gim_object *items = calloc(count ? count : 1, sizeof(*items));
		if (!items)
			return GIM_E_MEMORY;
		/* The second item of a list: rows that begin with the second (APs) are covered there too. */
		for (size_t i = 0; i < count; i++)
			items[i] = gim_object_item(&covers[i], field, field->kind == GIM_LIST ? 1 : 0);
		result = visit_fields(walk, field->record, items, path);
		free(items);
	}
	return result;
}

static int visit_all(struct walk *walk, struct gim_error *error)
{
	const struct tables *tables = walk->tables;
	struct gim_object *covers = calloc(tables->cover_count + 1, sizeof(*covers));
	if (!covers)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	int result = 0;
	for (size_t r = 0; !result && r < tables->record_count; r++) {
		for (size_t i = 0; i < tables->cover_count; i++)
			covers[i] = tables->covers[i].objects[r];
		result = visit_fields(walk, tables->records[r], covers, tables->records[r]->name);
	}
	free(covers);
	return result == GIM_E_MEMORY ? gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory") : result;
}

int gim_fields_visit(const char *layout, gim_field_info_fn *visit, void *user, struct gim_error *error)
{
	struct tables tables = {.arena = {.limit_bytes = (size_t)256 << 20}};
	add_records(&tables);
	int result = add_layouts(&tables, error);
	bool known = !layout;
	for (size_t i = 0; layout && i < tables.cover_count; i++)
		known |= is_wanted(&tables.covers[i], layout);
	if (!result && !known)
		result = gim_fail(
		    error, GIM_E_ARGUMENT, GIM_UNKNOWN,
		    "no layout %s is known, nor what a release of that name writes; gimstate fields says of a field which layouts hold it",
		    layout);
	struct walk walk = {.tables = &tables, .wanted = layout, .visit = visit, .user = user};
	if (!result)
		result = visit_all(&walk, error);
	free(tables.covers);
	gim_arena_free(&tables.arena);
	return result;
}

/* Follow a path of names; indices are skipped. */
static const struct gim_field *field_by_path(const char *path)
{
	struct tables tables = {0};
	add_records(&tables);
	const struct gim_record *record = NULL;
	size_t length = strcspn(path, ".[");
	for (size_t i = 0; i < tables.record_count; i++)
		if (strlen(tables.records[i]->name) == length && !memcmp(tables.records[i]->name, path, length))
			record = tables.records[i];
	const struct gim_field *field = NULL;
	for (path += strcspn(path, "."); record && *path == '.'; path += strcspn(path, ".")) {
		path++;
		length = strcspn(path, ".[");
		field = NULL;
		for (uint32_t f = 0; !field && f < record->field_count; f++)
			if (strlen(record->fields[f].name) == length && !memcmp(record->fields[f].name, path, length))
				field = &record->fields[f];
		record = field ? field->record : NULL;
	}
	return *path ? NULL : field;
}

int gim_names_visit(const char *path, gim_name_info_fn *visit, void *user, struct gim_error *error)
{
	const struct gim_field *field = field_by_path(path);
	if (!field)
		return gim_field_missing(path, error);
	int result = 0;
	for (const struct gim_bit *bit = field->bits; !result && bit && bit->name; bit++)
		result = visit(user, bit->name, bit->low, bit->width, bit->help);
	for (const struct gim_name *name = field->names; !result && name && name->name; name++)
		result = visit(user, name->name, name->value, 0, name->help);
	return result;
}
