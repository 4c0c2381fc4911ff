/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Targets: made from a release, a settings file, a profile or a state, and written as a profile. */
#include "check.h"

#include "error.h"
#include "guest.h"
#include "json.h"
#include "layer.h"
#include "visit.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int gim_target_new(const char *name, struct gim_target **target, struct gim_error *error)
{
	struct gim_target *made = calloc(1, sizeof(*made));
	if (!made)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	made->state.input.fd = -1;
	(void)snprintf(made->name, sizeof(made->name), "%s", name);
	int result = gim_object_new(&made->state.arena, &profile_record, &made->profile, error);
	if (result)
		gim_target_free(&made);
	else
		*target = made;
	return result;
}

void gim_target_free(struct gim_target **target)
{
	if (!target || !*target)
		return;
	gim_arena_free(&(*target)->state.arena);
	free(*target);
	*target = NULL;
}

const char *gim_target_name(const struct gim_target *target)
{
	return target->name;
}

bool gim_target_is_for_state(const struct gim_target *target)
{
	return target->for_state;
}

bool gim_target_since(const struct gim_target *target, unsigned major, unsigned minor)
{
	return target->major > major || (target->major == major && target->minor >= minor);
}

bool gim_target_before(const struct gim_target *target, unsigned major, unsigned minor)
{
	return target->major && !gim_target_since(target, major, minor);
}

/*
 * Saying what a target has.
 */
struct setting {
	uint64_t number;
};

static int store_leaf(void *user, const char *path, const struct gim_object *object, const struct gim_field *field, uint32_t index)
{
	const struct setting *setting = (const struct setting *)user;
	const size_t at = field->offset + (size_t)index * field->width;
	(void)path;
	gim_number_store(object->data + at, field->width, setting->number);
	object->presence[at] = GIM_STORED;
	return 0;
}

int gim_target_set(struct gim_target *target, const char *path, uint64_t number, struct gim_error *error)
{
	const size_t length = strcspn(path, ".[");
	unsigned parts;
	struct setting setting = {number};
	const struct gim_record *record = gim_record_find(path, length, &parts);
	if (!strncmp(path, "profile.", length + 1))
		return gim_object_leaves(&target->profile, path + length, store_leaf, &setting, error);
	if (!record)
		return gim_field_missing(path, error);
	const struct gim_object *object = gim_state_object(&target->state, record, error);
	return object ? gim_object_leaves(object, path + length, store_leaf, &setting, error) : GIM_E_MEMORY;
}

int gim_target_set_provider(struct gim_target *target, const char *provider, struct gim_error *error)
{
	for (const struct gim_provider *const *each = gim_providers; *each; each++)
		if (!strcmp((*each)->name, provider))
			return gim_target_set(target, "gim.provider", (*each)->vbox_id, error);
	return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "%s is no guest interface: none, minimal, hyperv and kvm are", provider);
}

int gim_target_set_text(struct gim_target *target, size_t offset, const char *text, struct gim_error *error)
{
	return gim_store_text(&target->state, &target->profile, offset, text, error);
}

static bool is_text(const struct gim_text *text, const char *other)
{
	return text->length == strlen(other) && !memcmp(text->bytes, other, text->length);
}

int gim_target_add_unit(struct gim_target *target, const char *name, uint32_t instance, uint32_t version, struct gim_error *error)
{
	struct gim_list *list = &((struct profile *)(void *)target->profile.data)->unit;
	struct profile_unit *units = (struct profile_unit *)list->items;
	for (uint32_t i = 0; i < list->count; i++)
		if (is_text(&units[i].name, name) && units[i].instance == instance) {
			units[i].version = units[i].version > version ? units[i].version : version;
			return 0;
		}
	int result = gim_list_grow(&target->state.arena, list, &profile_unit_record, list->count + 1, error);
	if (result)
		return result;
	struct gim_object item =
	    gim_object_item(&target->profile, gim_record_field(&profile_record, offsetof(struct profile, unit)), list->count - 1);
	GIM_STORE(&item, profile_unit, instance, instance);
	GIM_STORE(&item, profile_unit, version, version);
	return gim_store_text(&target->state, &item, offsetof(struct profile_unit, name), name, error);
}

int gim_target_set_product(struct gim_target *target, const struct gim_format *format, struct gim_error *error)
{
	target->state.format = format;
	return gim_target_set_text(target, offsetof(struct profile, hypervisor), format->name, error);
}

int gim_target_set_release(struct gim_target *target, const char *release, struct gim_error *error)
{
	const struct gim_format *format = NULL;
	const struct gim_release *known = NULL;
	int result = gim_release_find(release, &format, &known, error);
	if (!result)
		result = gim_target_set_text(target, offsetof(struct profile, release), release, error);
	if (!result)
		result = gim_target_set_product(target, format, error);
	if (!result) {
		target->major = known->major;
		target->minor = known->minor;
	}
	return result;
}

/*
 * From a profile.
 */
/* Words that the profile does not give are those of its leaves. */
static int take_leaf(struct gim_target *target, const struct profile_leaf *leaf, struct gim_error *error)
{
	const uint32_t registers[] = {[GIM_EAX] = leaf->eax, [GIM_EBX] = leaf->ebx, [GIM_ECX] = leaf->ecx, [GIM_EDX] = leaf->edx};
	for (const struct gim_provider *const *each = gim_providers; *each; each++) {
		if (!is_text(&leaf->interface, (*each)->name))
			continue;
		for (const struct gim_cpuid_row *row = (*each)->cpuid; row && row->leaf; row++) {
			const struct gim_object *object =
			    row->leaf == leaf->leaf ? gim_state_object(&target->state, row->record, error) : NULL;
			if (row->leaf == leaf->leaf && !object)
				return GIM_E_MEMORY;
			if (!object || object->presence[row->offset])
				continue;
			gim_number_store(object->data + row->offset, sizeof(uint32_t), registers[row->reg]);
			object->presence[row->offset] = GIM_STORED;
		}
		return 0;
	}
	return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "a leaf of the interface %.*s, which is not known: minimal, hyperv and kvm are",
	                (int)leaf->interface.length, leaf->interface.bytes);
}

static int take_leaves(struct gim_target *target, struct gim_error *error)
{
	const struct gim_list *list = &gim_target_profile(target)->leaf;
	int result = 0;
	for (uint32_t i = 0; !result && i < list->count; i++)
		result = take_leaf(target, &((const struct profile_leaf *)list->items)[i], error);
	return result;
}

static int take_document(struct gim_target *target, const struct gim_document *document, struct gim_error *error)
{
	int result = 0;
	for (size_t i = 0; !result && i < document->count; i++) {
		if (document->objects[i].record == &profile_record)
			target->profile = document->objects[i];
		else if (!gim_state_attach(&target->state, &document->objects[i]))
			result = gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	}
	const struct gim_object *guest = gim_state_find(&target->state, &guest_record);
	const struct gim_text *release = &gim_target_profile(target)->release, *hypervisor = &gim_target_profile(target)->hypervisor;
	char text[32];
	if (!result && GIM_HAS(guest, guest, vcpus) && (!GIM_DATA(guest, guest)->vcpus || GIM_DATA(guest, guest)->vcpus > GIM_VCPUS_MAX)) {
		result = gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "%" PRIu32 " vCPUs, where 1 to %d are possible",
		                  GIM_DATA(guest, guest)->vcpus, GIM_VCPUS_MAX);
		gim_error_path(error, "guest.vcpus");
	}
	if (!result)
		result = take_leaves(target, error);
	for (const struct gim_format *const *each = gim_formats; *each; each++)
		if ((*each)->releases && is_text(hypervisor, (*each)->name))
			target->state.format = *each;
	if (result || !release->length)
		return result;
	(void)snprintf(text, sizeof(text), "%.*s", (int)release->length, release->bytes);
	return gim_target_set_release(target, text, error);
}

int gim_target_open_json(const char *name, const char *json, size_t size_bytes, struct gim_target **target, struct gim_error *error)
{
	struct gim_target *made = NULL;
	struct gim_document document;
	int result = gim_target_new(name, &made, error);
	if (!result)
		result = gim_json_read(&made->state.arena, &profile_record, json, size_bytes, &document, error);
	if (!result)
		result = take_document(made, &document, error);
	if (result)
		gim_target_free(&made);
	else
		*target = made;
	return result;
}

/*
 * From a state: what saved it, and as what.
 */
/* The words and numbers that rules compare, so that the state itself need not stay. */
static int take_values(struct gim_target *target, const struct gim_state *state, struct gim_error *error)
{
	static const char *const paths[] = {"gim.provider", "guest.vcpus", "guest.ram_bytes", "guest.tsc_hz"};
	int result = 0;
	for (size_t i = 0; !result && i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct gim_value value = gim_state_value(state, paths[i]);
		if (value.presence != GIM_ABSENT)
			result = gim_target_set(target, paths[i], value.number, error);
	}
	/* Where no unit says the number itself, those that hold something of each vCPU do. */
	if (!result && state->codec.vcpus && !gim_judging_vcpus(&target->state))
		result = gim_target_set(target, "guest.vcpus", state->codec.vcpus, error);
	for (const struct gim_provider *const *each = gim_providers; !result && *each; each++) {
		const struct gim_object *object = (*each)->record ? gim_state_find(state, (*each)->record) : NULL;
		for (const struct gim_cpuid_row *row = object ? (*each)->cpuid : NULL; !result && row && row->leaf; row++) {
			char path[128];
			gim_object_path(object, row->offset, path, sizeof(path));
			if (object->presence[row->offset])
				result = gim_target_set(target, path, gim_number_load(object->data + row->offset, sizeof(uint32_t)), error);
		}
	}
	return result;
}

/* More than any VM has. */
enum { UNITS_MAX = 4096 };

static int take_units(struct gim_target *target, struct gim_state *state, struct gim_error *error)
{
	struct gim_unit unit = {.offset = 0};
	int more = 0;
	while ((more = gim_unit_next(state, &unit, error)) == 1)
		if (gim_target_profile(target)->unit.count == UNITS_MAX)
			return gim_fail(error, GIM_E_LIMIT, unit.offset, "more than %d different units, which no VM has", UNITS_MAX);
		else if (gim_target_add_unit(target, unit.name, unit.instance, unit.version, error))
			return GIM_E_MEMORY;
	return more;
}

/* Nothing is known of releases older than the guest interface. */
static void take_release(struct gim_target *target, const struct gim_state *state)
{
	const struct gim_value value = gim_state_value(state, "source.release");
	char release[32];
	if (value.presence == GIM_ABSENT || value.length_bytes >= sizeof(release))
		return;
	(void)snprintf(release, sizeof(release), "%.*s", (int)value.length_bytes, value.bytes);
	(void)gim_target_set_release(target, release, NULL);
}

static int take_state(struct gim_target *target, const char *path, struct gim_error *error)
{
	struct gim_state *state = NULL;
	int result = gim_state_open_settled(path, &state, error);
	if (!result)
		result = gim_state_decode(state, GIM_PART_GIM | GIM_PART_INFO | GIM_PART_GUEST, NULL, NULL, error);
	if (!result)
		result = take_values(target, state, error);
	if (!result && state->format->releases) /* a bundle may hold some of them only */
		result = take_units(target, state, error);
	if (!result && state->format->releases)
		result = gim_target_set_product(target, state->format, error);
	if (!result)
		take_release(target, state);
	gim_state_free(&state);
	return result;
}

/*
 * From a settings file.
 */
static const struct gim_format *settings_format(const uint8_t *head, size_t size)
{
	for (const struct gim_format *const *each = gim_formats; *each; each++)
		if ((*each)->settings && (*each)->settings_bid(head, size))
			return *each;
	return NULL;
}

/* Visit the sets of settings of the file at path. 1 in *is_other: it is no settings file, and nothing was visited. */
static int visit_settings(const char *path, gim_setup_visit_fn *visit, void *user, bool *is_other, struct gim_error *error)
{
	struct gim_input input;
	uint8_t head[GIM_BID_BYTES];
	size_t got = 0;
	const struct gim_format *found = NULL;
	int result = gim_input_open(&input, path, error);
	if (result)
		return result;
	result = gim_input_peek(&input, head, sizeof(head), &got, error);
	if (!result)
		found = settings_format(head, got);
	*is_other = !result && !found;
	if (found)
		result = found->settings(&input, path, visit, user, error);
	gim_input_close(&input);
	return result;
}

/* Visit those that what a state is wrapped in has of its VM. */
static int visit_described(const char *path, gim_setup_visit_fn *visit, void *user, struct gim_error *error)
{
	struct gim_input input, description;
	struct gim_text text;
	int result = gim_input_open(&input, path, error);
	if (result)
		return result;
	result = gim_layers_settings(&input, &text, error);
	const struct gim_format *format = result ? NULL : settings_format((const uint8_t *)text.bytes, text.length);
	if (!result && !format)
		result = gim_fail(error, GIM_E_FORMAT, GIM_UNKNOWN,
		                  "what describes the VM in it is neither VirtualBox's settings nor a libvirt domain");
	if (!result) {
		gim_input_open_memory(&description, text.bytes, text.length);
		result = format->settings(&description, path, visit, user, error);
		gim_input_close(&description);
	}
	gim_input_close(&input);
	return result;
}

static bool same_file(const char *one, const char *two)
{
	struct stat a, b;
	return !stat(one, &a) && !stat(two, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

struct choice {
	const char *state;         /* that is to be checked; NULL: any */
	struct gim_target *chosen; /* the machine's own, or that of the snapshot that names the state */
};

static int choose_setup(void *user, struct gim_setup *setup)
{
	struct choice *choice = (struct choice *)user;
	const bool named = choice->state && setup->state && same_file(choice->state, setup->state);
	if (!named && setup->snapshot)
		return 0;
	gim_target_free(&choice->chosen);
	choice->chosen = setup->target;
	choice->chosen->for_state = true;
	setup->target = NULL;
	return named;
}

/* What a settings file, if it is one, makes of the state. */
static int open_settings(const char *path, const char *state, struct gim_target **target, bool *is_other, struct gim_error *error)
{
	struct choice choice = {state, NULL};
	const int result = visit_settings(path, choose_setup, &choice, is_other, error);
	if (result < 0)
		gim_target_free(&choice.chosen);
	else
		*target = choice.chosen;
	return result < 0 ? result : 0;
}

/* What libvirt says of a VM: in a file of its own, or around the VM's state in a save image. */
static int open_libvirt(const char *name, const char *path, struct gim_target **target, struct gim_error *error)
{
	struct choice choice = {NULL, NULL};
	bool is_other = false;
	int result = visit_settings(path, choose_setup, &choice, &is_other, error);
	if (is_other)
		result = visit_described(path, choose_setup, &choice, error);
	if (result < 0) {
		gim_target_free(&choice.chosen);
		return result;
	}
	choice.chosen->for_state = false;
	(void)snprintf(choice.chosen->name, sizeof(choice.chosen->name), "%s", name);
	*target = choice.chosen;
	return 0;
}

struct visitor {
	gim_setup_fn *visit;
	void *user;
};

static int visit_setup(void *user, struct gim_setup *setup)
{
	const struct visitor *visitor = (const struct visitor *)user;
	return visitor->visit(visitor->user, setup->snapshot, setup->state);
}

int gim_settings_visit(const char *path, gim_setup_fn *visit, void *user, struct gim_error *error)
{
	struct visitor visitor = {visit, user};
	bool is_other = false;
	const int result = visit_settings(path, visit_setup, &visitor, &is_other, error);
	return is_other ? gim_fail(error, GIM_E_FORMAT, GIM_UNKNOWN,
	                           "this is no settings file of a VM: VirtualBox's .vbox or libvirt's domain XML is expected")
	                : result;
}

/*
 * From what a text names.
 */
static int read_all(const char *path, struct gim_buffer *text, struct gim_error *error)
{
	struct gim_input input;
	uint8_t piece[16384];
	size_t got = sizeof(piece);
	int result = gim_input_open(&input, path, error);
	if (result)
		return result;
	while (!result && got == sizeof(piece) && text->size <= GIM_JSON_TEXT_LIMIT && !text->failed) {
		result = gim_input_read(&input, text->size, piece, sizeof(piece), &got, error);
		if (!result)
			gim_buffer_bytes(text, piece, got);
	}
	gim_input_close(&input);
	return !result && text->failed ? gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory") : result;
}

/* A JSON document is a profile when it says so, else a state's. */
static bool is_profile(const struct gim_buffer *text)
{
	static const char key[] = "\"profile\"";
	size_t space = 0;
	while (space < text->size && strchr(" \t\r\n", text->bytes[space]) && text->bytes[space])
		space++;
	return space < text->size && text->bytes[space] == '{' && memmem(text->bytes, text->size, key, sizeof(key) - 1);
}

static int open_state(const char *name, const char *path, struct gim_target **target, struct gim_error *error)
{
	struct gim_target *made = NULL;
	int result = gim_target_new(name, &made, error);
	if (!result)
		result = take_state(made, path, error);
	if (result)
		gim_target_free(&made);
	else
		*target = made;
	return result;
}

static int open_path(const char *path, const char *state, struct gim_target **target, struct gim_error *error)
{
	struct gim_buffer text = {.bytes = NULL};
	bool is_other = false;
	int result = open_settings(path, state, target, &is_other, error);
	if (result || !is_other)
		return result;
	result = read_all(path, &text, error);
	const bool profile = !result && is_profile(&text);
	if (profile)
		result = gim_target_open_json(path, (const char *)text.bytes, text.size, target, error);
	gim_buffer_free(&text);
	return result || profile ? result : open_state(path, path, target, error);
}

/* FORMAT:NUMBERS, whether such a release is known or not. */
static bool is_release(const char *text)
{
	const size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz");
	return length && text[length] == ':' && text[length + 1 + strspn(text + length + 1, "0123456789.")] == '\0';
}

/* "vbox7.2", "vbox-7.2" and "7.2" were meant as one. */
static bool is_nearly_release(const char *text)
{
	const size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz");
	const char *version = text + length + (length && strchr("-_ ", text[length]) ? 1 : 0);
	return *version && version[strspn(version, "0123456789.")] == '\0';
}

static int open_release(const char *release, struct gim_target **target, struct gim_error *error)
{
	struct gim_target *made = NULL;
	int result = gim_target_new(release, &made, error);
	if (!result)
		result = gim_target_set_release(made, release, error);
	if (result)
		gim_target_free(&made);
	else
		*target = made;
	return result;
}

/* RELEASE OPTIONS: a release, started with these options. */
static int open_command_line(const char *text, size_t release_length, struct gim_target **target, struct gim_error *error)
{
	struct gim_target *made = NULL;
	char release[64];
	(void)snprintf(release, sizeof(release), "%.*s", (int)release_length, text);
	int result = open_release(release, &made, error);
	if (!result && !made->state.format->options)
		result = gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "%s is not told by a command line: \"%s\" says nothing of it",
		                  release, text + release_length);
	if (!result)
		result = made->state.format->options(made, text + release_length, error);
	if (result) {
		gim_target_free(&made);
		return result;
	}
	(void)snprintf(made->name, sizeof(made->name), "%s", text);
	*target = made;
	return 0;
}

/* Does it begin with a release and a space? How long is the release? */
static bool is_command_line(const char *text, size_t *release_length)
{
	char release[64];
	*release_length = strcspn(text, " ");
	if (text[*release_length] != ' ' || *release_length >= sizeof(release))
		return false;
	(void)snprintf(release, sizeof(release), "%.*s", (int)*release_length, text);
	return is_release(release);
}

/* PATH@RELEASE: what path names, with the release that loads it. */
static int open_with_release(const char *text, const char *at, const char *state, struct gim_target **target, struct gim_error *error)
{
	struct gim_target *made = NULL;
	char *path = strndup(text, (size_t)(at - text));
	int result = path ? gim_target_open(path, state, &made, error) : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	free(path);
	if (!result)
		result = gim_target_set_release(made, at + 1, error);
	if (result) {
		gim_target_free(&made);
		return result;
	}
	(void)snprintf(made->name, sizeof(made->name), "%s", text);
	*target = made;
	return 0;
}

int gim_target_open(const char *text, const char *state, struct gim_target **target, struct gim_error *error)
{
	const char *at = strrchr(text, '@');
	size_t length;
	if (is_command_line(text, &length))
		return open_command_line(text, length, target, error);
	if (at && at > text && is_release(at + 1))
		return open_with_release(text, at, state, target, error);
	if (is_release(text))
		return open_release(text, target, error);
	if (!strncmp(text, "state:", 6))
		return open_state(text, text + 6, target, error);
	if (!strncmp(text, "libvirt:", 8))
		return open_libvirt(text, text + 8, target, error);
	if (!strcmp(text, "-"))
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "a target cannot come from standard input: give it a file");
	/* A word that is no file's name was meant as something else. */
	if ((!strpbrk(text, "/.") || is_nearly_release(text)) && access(text, F_OK))
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN,
		                "that is neither a file nor another target: vbox:7.2, qemu:7.2, a .vbox file, libvirt's XML, a profile, a "
		                "state and host are");
	return open_path(text, state, target, error);
}

/*
 * As a profile.
 */
/* What is not known is left out. */
int gim_target_json(const struct gim_target *target, struct json_t **json, struct gim_error *error)
{
	json_t *made = json_pack("{s:i}", "gimstate", 1);
	int result = json_object_set_new(made, profile_record.name, gim_object_json(&target->profile, true));
	for (size_t i = 0; !result && i < target->state.object_count; i++) {
		const struct gim_object *object = &target->state.objects[i];
		result = json_object_set_new(made, object->record->name, gim_object_json(object, true));
	}
	if (result) {
		json_decref(made);
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory while making JSON");
	}
	/* They are in the words. */
	(void)json_object_del(json_object_get(made, profile_record.name), "leaf");
	*json = made;
	return 0;
}
