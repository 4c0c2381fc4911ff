/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A VM's settings file (.vbox) as far as it says what a state can be loaded into: the machine's own settings and those of its snapshots. */
#include "vbox/settings.h"

#include "error.h"
#include "target.h"
#include "vbox/guest_type.h"
#include "xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Larger than any settings file, and elements nested deeper than the longest chain of snapshots. */
enum { SETTINGS_MAX = 16 << 20, DEPTH_MAX = 1024, SETUPS_MAX = 4096 };

extern const struct gim_format gim_format_vbox;

/* One machine's or snapshot's settings, as they are written. */
struct setup {
	char *snapshot, *state; /* NULL: it is the machine; it has none */
	char provider[32], debug[256], chipset[16];
	unsigned long vcpus, ram_mib;
	bool nested, has_hardware;
};

struct reader {
	struct gim_xml xml;
	struct setup *setups;
	size_t count, capacity;
	size_t owners[DEPTH_MAX]; /* the setup that an element at this depth belongs to; SIZE_MAX: none */
	unsigned depth, hardware; /* hardware: depth of the element Hardware that is open, or 0 */
	char os_type[64];
	bool old; /* the file's version is below 1.16: what it does not say of the interface is Legacy, and since then Default */
};

bool vbox_settings_bid(const uint8_t *head, size_t size)
{
	static const char *const beginnings[] = {"<?xml", "<VirtualBox", "\xef\xbb\xbf<"};
	return gim_xml_begins(head, size, beginnings, sizeof(beginnings) / sizeof(beginnings[0]));
}

static void copy(char *to, size_t size, const char *from)
{
	if (from)
		(void)snprintf(to, size, "%s", from);
}

/* A whole number; anything else is refused. */
static unsigned long number(struct reader *reader, const char *text, unsigned long most, const char *what)
{
	char *end;
	if (!text)
		return 0;
	const unsigned long value = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && value <= most)
		return value;
	gim_xml_refuse(&reader->xml, GIM_E_VALUE, what);
	return 0;
}

static size_t begin_setup(struct reader *reader, const char *snapshot, const char *state)
{
	if (reader->count == SETUPS_MAX) {
		gim_xml_refuse(&reader->xml, GIM_E_LIMIT, "the settings file has more than 4095 snapshots");
		return SIZE_MAX;
	}
	if (reader->count == reader->capacity) {
		const size_t capacity = reader->capacity ? 2 * reader->capacity : 8;
		struct setup *setups = realloc(reader->setups, capacity * sizeof(*setups));
		if (!setups) {
			gim_xml_refuse(&reader->xml, GIM_E_MEMORY, "out of memory");
			return SIZE_MAX;
		}
		reader->setups = setups;
		reader->capacity = capacity;
	}
	/* What the file does not say. */
	struct setup *setup = &reader->setups[reader->count];
	*setup = (struct setup){.vcpus = 1, .chipset = "PIIX3"};
	copy(setup->provider, sizeof(setup->provider), reader->old ? "Legacy" : "Default");
	setup->snapshot = snapshot ? strdup(snapshot) : NULL;
	setup->state = state && *state ? strdup(state) : NULL;
	if ((snapshot && !setup->snapshot) || (state && *state && !setup->state))
		gim_xml_refuse(&reader->xml, GIM_E_MEMORY, "out of memory");
	return reader->count++;
}

/* An element within Hardware, at whatever depth this version of the file has it. */
static void hardware_element(struct reader *reader, struct setup *setup, const char *name, const XML_Char **attributes)
{
	const char *text;
	if (!strcmp(name, "CPU") && (text = gim_xml_attribute(attributes, "count")))
		setup->vcpus = number(reader, text, GIM_VCPUS_MAX, "the number of processors is none of 1 to 1024");
	else if (!strcmp(name, "Memory"))
		setup->ram_mib = number(reader, gim_xml_attribute(attributes, "RAMSize"), 64ul << 20,
		                        "the size of memory is no number of MiB that a VM can have");
	else if (!strcmp(name, "Paravirt")) {
		copy(setup->provider, sizeof(setup->provider), gim_xml_attribute(attributes, "provider"));
		copy(setup->debug, sizeof(setup->debug), gim_xml_attribute(attributes, "debug"));
	} else if (!strcmp(name, "Chipset"))
		copy(setup->chipset, sizeof(setup->chipset), gim_xml_attribute(attributes, "type"));
	else if (!strcmp(name, "NestedHWVirt") && (text = gim_xml_attribute(attributes, "enabled")))
		setup->nested = !strcmp(text, "true") || !strcmp(text, "1");
}

/* MAJOR.MINOR-SYSTEM. A file without one is no newer than those that have it. */
static void read_version(struct reader *reader, const char *version)
{
	unsigned major = 1, minor = 0;
	if (version && sscanf(version, "%4u.%4u", &major, &minor) < 1)
		minor = 0;
	reader->old = major < 1 || (major == 1 && minor < 16);
}

static void start_element(void *user, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *reader = (struct reader *)user;
	size_t owner = reader->depth ? reader->owners[reader->depth - 1] : SIZE_MAX;
	if (reader->depth == DEPTH_MAX) {
		gim_xml_refuse(&reader->xml, GIM_E_LIMIT, "elements are nested deeper than 1024");
		return;
	}
	if (!reader->depth && strcmp(name, "VirtualBox") != 0) {
		gim_xml_refuse(&reader->xml, GIM_E_FORMAT, "this is XML, but no settings file of a VirtualBox VM");
		return;
	}
	if (!reader->depth)
		read_version(reader, gim_xml_attribute(attributes, "version"));
	if (!strcmp(name, "Machine") && reader->depth == 1 && !reader->count) {
		copy(reader->os_type, sizeof(reader->os_type), gim_xml_attribute(attributes, "OSType"));
		owner = begin_setup(reader, NULL, gim_xml_attribute(attributes, "stateFile"));
	} else if (!strcmp(name, "Snapshot") && owner != SIZE_MAX && !reader->hardware) {
		const char *snapshot = gim_xml_attribute(attributes, "name");
		owner = begin_setup(reader, snapshot ? snapshot : "", gim_xml_attribute(attributes, "stateFile"));
	} else if (!strcmp(name, "Hardware") && owner != SIZE_MAX && !reader->hardware) {
		reader->hardware = reader->depth + 1;
		reader->setups[owner].has_hardware = true;
	} else if (reader->hardware && owner != SIZE_MAX) {
		hardware_element(reader, &reader->setups[owner], name, attributes);
	}
	reader->owners[reader->depth++] = owner;
}

static void end_element(void *user, const XML_Char *name)
{
	struct reader *reader = (struct reader *)user;
	(void)name;
	if (reader->hardware == reader->depth)
		reader->hardware = 0;
	reader->depth--;
}

/* Entities are declared in a document type; without one there are none to expand, and nothing else to fetch. */
static void start_doctype(void *user, const XML_Char *name, const XML_Char *system, const XML_Char *public, int has_subset)
{
	(void)name, (void)system, (void)public, (void)has_subset;
	gim_xml_refuse(&((struct reader *)user)->xml, GIM_E_FORMAT,
	               "the settings file declares a document type, which VirtualBox never writes");
}

static int parse(struct reader *reader, struct gim_input *input, struct gim_error *error)
{
	int result = 0;
	uint64_t offset = 0;
	bool more = true;
	while (!result && more) {
		size_t got;
		char *piece = XML_GetBuffer(reader->xml.parser, 16384);
		result = piece ? gim_input_read(input, offset, piece, 16384, &got, error)
		               : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
		if (result)
			break;
		offset += got;
		more = got == 16384;
		if (offset > SETTINGS_MAX)
			result = gim_fail(error, GIM_E_LIMIT, GIM_UNKNOWN, "the settings file is larger than 16 MiB");
		else if (XML_ParseBuffer(reader->xml.parser, (int)got, !more) == XML_STATUS_ERROR)
			result = gim_xml_failure(&reader->xml, "the settings file");
	}
	return result;
}

/* The path of a state file, which the settings give from their own folder. The caller frees it. */
static char *state_path(const char *settings, const char *state)
{
	const char *slash = strrchr(settings, '/');
	const int folder = *state != '/' && slash ? (int)(slash - settings) + 1 : 0;
	char *path = NULL;
	if (asprintf(&path, "%.*s%s", folder, settings, state) < 0)
		return NULL;
	for (char *at = path + folder; *at; at++)
		if (*at == '\\')
			*at = '/';
	return path;
}

/* Is an option of a list "a=1,b=2" on? */
static bool option_is(const char *options, const char *name, const char *value)
{
	const size_t length = strlen(name);
	while (options && *options) {
		if (!strncmp(options, name, length) && options[length] == '=')
			return !strncmp(options + length + 1, value, strlen(value));
		options = strchr(options, ',');
		options = options ? options + 1 : NULL;
	}
	return false;
}

static int set_provider(struct gim_target *target, const struct setup *setup, const char *os_type, struct gim_error *error)
{
	static const struct {
		const char *setting, *provider;
	} fixed[] = {{"None", "none"}, {"Minimal", "minimal"}, {"HyperV", "hyperv"}, {"KVM", "kvm"}};
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (!strcmp(setup->provider, fixed[i].setting))
			return gim_target_set_provider(target, fixed[i].provider, error);
	const bool legacy = !strcmp(setup->provider, "Legacy");
	if (!legacy && strcmp(setup->provider, "Default") != 0)
		return gim_fail(error, GIM_E_VALUE, GIM_UNKNOWN, "the VM's paravirtualisation provider %s is not known", setup->provider);
	char reason[128];
	(void)snprintf(reason, sizeof(reason), "%s for a guest of type %s", setup->provider, *os_type ? os_type : "Other");
	int result = gim_target_set_provider(target, vbox_guest_provider(os_type, legacy), error);
	return result ? result : gim_target_set_text(target, offsetof(struct profile, reason), reason, error);
}

static int fill_target(struct gim_target *target, const struct setup *setup, const char *os_type, struct gim_error *error)
{
	int result = set_provider(target, setup, os_type, error);
	if (!result)
		result = gim_target_set_product(target, &gim_format_vbox, error);
	if (!result)
		result = gim_target_set(target, "guest.vcpus", setup->vcpus, error);
	if (!result && setup->ram_mib)
		result = gim_target_set(target, "guest.ram_bytes", (uint64_t)setup->ram_mib << 20, error);
	if (!result)
		result = gim_target_set(target, "profile.chipset", !strcmp(setup->chipset, "ICH9") ? PROFILE_ICH9 : PROFILE_PIIX3, error);
	if (!result)
		result = gim_target_set(target, "profile.nested", setup->nested, error);
	if (!result)
		result = gim_target_set(target, "profile.debug", option_is(setup->debug, "enabled", "1"), error);
	return result;
}

static int give_setup(const char *path, const struct reader *reader, const struct setup *setup, gim_setup_visit_fn *visit, void *user,
                      struct gim_error *error)
{
	struct gim_target *target = NULL;
	char *state = setup->state ? state_path(path, setup->state) : NULL;
	int result = setup->state && !state ? gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory") : 0;
	if (!result)
		result = gim_target_new(path, &target, error);
	if (!result)
		result = fill_target(target, setup, reader->os_type, error);
	if (!result) {
		struct gim_setup given = {target, setup->snapshot, state};
		result = visit(user, &given);
		target = given.target;
	}
	gim_target_free(&target);
	free(state);
	return result;
}

int vbox_settings(struct gim_input *input, const char *path, gim_setup_visit_fn *visit, void *user, struct gim_error *error)
{
	struct reader reader = {.xml = {.parser = XML_ParserCreate(NULL), .error = error}};
	if (!reader.xml.parser)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	XML_SetUserData(reader.xml.parser, &reader);
	XML_SetElementHandler(reader.xml.parser, start_element, end_element);
	XML_SetStartDoctypeDeclHandler(reader.xml.parser, start_doctype);
	int result = parse(&reader, input, error);
	if (!result && !reader.count)
		result = gim_fail(error, GIM_E_FORMAT, GIM_UNKNOWN, "the settings file has no machine");
	for (size_t i = 0; !result && i < reader.count; i++)
		result = give_setup(path, &reader, &reader.setups[i], visit, user, error);
	for (size_t i = 0; i < reader.count; i++) {
		free(reader.setups[i].snapshot);
		free(reader.setups[i].state);
	}
	free(reader.setups);
	XML_ParserFree(reader.xml.parser);
	return result;
}
