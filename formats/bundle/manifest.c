/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading and writing the manifest of a bundle. It comes from anywhere, so every name in it is looked at before anybody uses it. */
#include "bundle/manifest.h"

#include "error.h"
#include "guest.h"
#include "json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE "gimstate-bundle(5)"
const struct gim_rule bundle_rules[BUNDLE_RULES] = {
    [BUNDLE_RULE_MANIFEST] = {"BUNDLE-MANIFEST", GIM_ERROR, GIM_E_CORRUPT, .help = "the manifest is as its specification says",
                              .why = "without it nothing in the bundle can be trusted to be what it seems", .mend = "pack the state again",
                              .source = PAGE},
    [BUNDLE_RULE_VERSION] = {"BUNDLE-VERSION", GIM_ERROR, GIM_E_VERSION, .help = "the bundle's format version is a known one",
                             .why = "a later release may have given things another meaning",
                             .mend = "use the release that packed it, or a later one", .source = PAGE},
    [BUNDLE_RULE_NAME] = {"BUNDLE-NAME", GIM_ERROR, GIM_E_CORRUPT, .help = "members have plain, relative names, each its own",
                          .why = "another name could write outside the folder that the bundle is unpacked to",
                          .mend = "find out who made the bundle: it may be an attack", .source = PAGE},
    [BUNDLE_RULE_MEMBER] = {"BUNDLE-MEMBER", GIM_ERROR, GIM_E_CORRUPT,
                            .help = "the archive holds the files that the manifest lists, in its order, and nothing else",
                            .why = "something was lost, or added", .mend = "pack the state again", .source = PAGE},
    [BUNDLE_RULE_STATE] = {"BUNDLE-STATE", GIM_ERROR, GIM_E_CORRUPT, .help = "the decoded state is that of the packed payload",
                           .why = "different readers would see different states", .mend = "pack the state again", .source = PAGE},
};

static const char *const role_names[BUNDLE_ROLES] = {
    [BUNDLE_UNIT] = "unit", [BUNDLE_STATE] = "state", [BUNDLE_WHOLE] = "whole", [BUNDLE_MACHINE] = "machine", [BUNDLE_MEMORY] = "memory"};

static int fail(struct gim_error *error, const char *path, const char *reason)
{
	int result = gim_fail_rule(error, &bundle_rules[BUNDLE_RULE_MANIFEST], GIM_UNKNOWN, "in the manifest: %s", reason);
	gim_error_path(error, path);
	return result;
}

/*
 * Names.
 */
static bool ends_with(const char *name, const char *suffix)
{
	const size_t length = strlen(name), own = strlen(suffix);
	return length > own && !strcmp(name + length - own, suffix);
}

/* Letters, digits and a few others; "." begins no component, so that there is no ".." and nothing is hidden. */
static bool is_plain(const char *name)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
	const size_t length = strlen(name);
	if (!length || length >= BUNDLE_NAME_MAX)
		return false;
	for (const char *at = name;; at++) {
		const size_t part = strspn(at, plain);
		if (!part || *at == '.')
			return false;
		at += part;
		if (!*at)
			break;
		if (*at != '/')
			return false;
	}
	bool ends = ends_with(name, ".bin") || ends_with(name, ".json");
	for (const struct gim_format *const *each = gim_formats; *each; each++)
		ends |= (*each)->suffix && ends_with(name, (*each)->suffix);
	return ends;
}

/* Is one of them the other, or a folder on the way to it, where upper and lower case are the same? */
static bool clash(const char *a, const char *b)
{
	const size_t length_a = strlen(a), length_b = strlen(b), shorter = length_a < length_b ? length_a : length_b;
	const char *longer = length_a < length_b ? b : a;
	return !strncasecmp(a, b, shorter) && (!longer[shorter] || longer[shorter] == '/');
}

static int check_name(const struct bundle_manifest *manifest, size_t index, struct gim_error *error)
{
	const char *name = manifest->members[index].name;
	if (!is_plain(name))
		return gim_fail_rule(
		    error, &bundle_rules[BUNDLE_RULE_NAME], GIM_UNKNOWN,
		    "the member %s: letters, digits, - _ . and / between them are expected, and .bin, .json or .sav at the end", name);
	bool twice = clash(name, BUNDLE_MANIFEST);
	for (size_t i = 0; i < index; i++)
		twice |= clash(name, manifest->members[i].name);
	return twice ? gim_fail_rule(error, &bundle_rules[BUNDLE_RULE_NAME], GIM_UNKNOWN, "the name %s stands there more than once", name)
	             : 0;
}

/*
 * Reading.
 */
static int read_hash(const char *text, uint8_t sha256[GIM_SHA256_BYTES], const char *path, struct gim_error *error)
{
	return gim_sha256_parse(text, sha256) ? 0 : fail(error, path, "64 hexadecimal digits are expected");
}

/* "" stands for null. */
static bool text_or_null(const json_t *json, size_t size, const char **text)
{
	*text = json_is_null(json) ? "" : json_string_value(json);
	return *text && strlen(*text) < size;
}

static int read_source(const json_t *json, struct bundle_manifest *manifest, struct gim_error *error)
{
	const char *name, *hash;
	json_int_t size;
	json_t *named;
	json_error_t own;
	manifest->origin.size_bytes = GIM_UNKNOWN;
	if (json_is_null(json))
		return 0;
	if (json_unpack_ex((json_t *)(uintptr_t)json, &own, JSON_STRICT, "{s:o, s:I, s:s}", "name", &named, "size_bytes", &size, "sha256",
	                   &hash))
		return fail(error, "source", own.text);
	if (!text_or_null(named, sizeof(manifest->origin.name), &name) || size < 0)
		return fail(error, "source", "a name of at most 255 characters, or null, and a size that is not negative are expected");
	manifest->origin.size_bytes = (uint64_t)size;
	(void)snprintf(manifest->origin.name, sizeof(manifest->origin.name), "%s", name);
	return read_hash(hash, manifest->origin.sha256, "source.sha256", error);
}

static int read_unit(const json_t *json, struct gim_unit *unit, const char *path, struct gim_error *error)
{
	const char *name;
	json_int_t instance, version, offset, pass_number;
	json_t *pass;
	json_error_t own;
	if (json_unpack_ex((json_t *)(uintptr_t)json, &own, JSON_STRICT, "{s:s, s:I, s:I, s:o, s:I}", "name", &name, "instance", &instance,
	                   "version", &version, "pass", &pass, "offset", &offset))
		return fail(error, path, own.text);
	const bool final = json_is_string(pass) && !strcmp(json_string_value(pass), "final");
	pass_number = final ? (json_int_t)GIM_PASS_FINAL : json_is_integer(pass) ? json_integer_value(pass) : -1;
	const json_int_t numbers[] = {instance, version, pass_number};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i] < 0 || numbers[i] > UINT32_MAX)
			return fail(error, path, "instance, version and pass are numbers of 32 bits, or \"final\"");
	if (offset < 0 || !*name || strlen(name) >= sizeof(unit->name))
		return fail(error, path, "an offset is not negative, and a name has 1 to 255 characters");
	*unit = (struct gim_unit){.instance = (uint32_t)instance,
	                          .version = (uint32_t)version,
	                          .pass = (uint32_t)pass_number,
	                          .offset = (uint64_t)offset,
	                          .stored_bytes = GIM_UNKNOWN};
	(void)snprintf(unit->name, sizeof(unit->name), "%s", name);
	return 0;
}

bool bundle_number(const char *text, uint64_t *number)
{
	if (!text || strncmp(text, "0x", 2) != 0 || strlen(text) > 18 || !text[2] ||
	    strspn(text + 2, "0123456789abcdefABCDEF") != strlen(text) - 2)
		return false;
	*number = strtoull(text, NULL, 16);
	return true;
}

/* What a role needs beside what every member has. */
static int read_role(const char *role, const json_t *unit, const char *gpa, struct bundle_member *member, const char *path,
                     struct gim_error *error)
{
	member->role = BUNDLE_UNIT;
	while (member->role < BUNDLE_ROLES && strcmp(role, role_names[member->role]) != 0)
		member->role++;
	if (member->role == BUNDLE_ROLES)
		return fail(error, path, "the role is none of unit, state, whole, machine and memory");
	if (!unit != (member->role != BUNDLE_UNIT) || !gpa != (member->role != BUNDLE_MEMORY))
		return fail(error, path, "a unit has the key unit, memory has gpa, and others have neither");
	if (gpa && !bundle_number(gpa, &member->gpa))
		return fail(error, path, "gpa is a string \"0x...\"");
	if (unit && read_unit(unit, &member->unit, path, error))
		return GIM_E_CORRUPT;
	member->unit.payload_bytes = member->size_bytes;
	return 0;
}

static int read_member(const json_t *json, struct bundle_manifest *manifest, size_t index, struct gim_error *error)
{
	struct bundle_member *member = &manifest->members[index];
	const char *name, *role, *hash, *gpa = NULL;
	json_int_t size;
	json_t *unit = NULL;
	json_error_t own;
	char path[32];
	(void)snprintf(path, sizeof(path), "members[%zu]", index);
	if (json_unpack_ex((json_t *)(uintptr_t)json, &own, JSON_STRICT, "{s:s, s:s, s:I, s:s, s?o, s?s}", "name", &name, "role", &role,
	                   "size_bytes", &size, "sha256", &hash, "unit", &unit, "gpa", &gpa))
		return fail(error, path, own.text);
	if (size < 0)
		return fail(error, path, "the size is negative, where one of 0 or more is expected");
	member->size_bytes = (uint64_t)size;
	(void)snprintf(member->name, sizeof(member->name), "%s", strlen(name) < sizeof(member->name) ? name : "");
	int result = read_hash(hash, member->sha256, path, error);
	if (!result)
		result = read_role(role, unit, gpa, member, path, error);
	return result ? result : check_name(manifest, index, error);
}

/* Which roles there may be how often, how large, and together. */
static int check_roles(const struct bundle_manifest *manifest, struct gim_error *error)
{
	unsigned counts[BUNDLE_ROLES] = {0};
	for (size_t i = 0; i < manifest->count; i++) {
		const struct bundle_member *member = &manifest->members[i];
		counts[member->role]++;
		const bool read_whole =
		    member->role == BUNDLE_STATE || member->role == BUNDLE_MACHINE || member == bundle_member_gim(manifest);
		if (read_whole && member->size_bytes > BUNDLE_MEMORY_MAX)
			return fail(error, member->name, "it is longer than the 8 MiB that are read");
		for (size_t j = 0; j < i && member->role == BUNDLE_UNIT; j++)
			if (manifest->members[j].role == BUNDLE_UNIT && manifest->members[j].unit.offset == member->unit.offset)
				return fail(error, member->name, "two units have the same offset");
	}
	if (counts[BUNDLE_STATE] > 1 || counts[BUNDLE_WHOLE] > 1 || counts[BUNDLE_MACHINE] > 1)
		return fail(error, "members", "the roles state, whole and machine are there once at most");
	if (!counts[BUNDLE_STATE] && !counts[BUNDLE_WHOLE])
		return fail(error, "members", "neither state nor whole is there");
	return 0;
}

static int read_members(struct gim_arena *arena, const json_t *json, struct bundle_manifest *manifest, struct gim_error *error)
{
	const size_t count = json_array_size(json);
	int result = 0;
	if (!json_is_array(json) || !count || count > BUNDLE_MEMBERS_MAX)
		return fail(error, "members", "an array of 1 to 1024 members is expected");
	manifest->members = gim_arena_array(arena, count, sizeof(*manifest->members));
	if (!manifest->members)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	for (; !result && manifest->count < count; manifest->count++)
		result = read_member(json_array_get(json, manifest->count), manifest, manifest->count, error);
	return result ? result : check_roles(manifest, error);
}

/* The version comes first: of another one nothing else is known. */
static int check_version(const json_t *json, struct gim_error *error)
{
	const json_t *version = json_object_get(json, "gimstate_bundle");
	if (!json_is_integer(version))
		return fail(error, "gimstate_bundle", "a number is expected, the version of the bundle's format");
	if (json_integer_value(version) == BUNDLE_VERSION)
		return 0;
	return gim_fail_rule(error, &bundle_rules[BUNDLE_RULE_VERSION], GIM_UNKNOWN,
	                     "the bundle has format version %" JSON_INTEGER_FORMAT "; this release reads %d", json_integer_value(version),
	                     BUNDLE_VERSION);
}

static int read_document(struct gim_arena *arena, const json_t *json, struct bundle_manifest *manifest, struct gim_error *error)
{
	const char *producer, *name;
	json_int_t version, vcpus;
	json_t *source, *container, *layout, *members;
	json_error_t own;
	if (!json_is_object(json))
		return fail(error, "", "an object is expected");
	int result = check_version(json, error);
	if (result)
		return result;
	if (json_unpack_ex((json_t *)(uintptr_t)json, &own, JSON_STRICT, "{s:I, s:s, s:o, s:o, s:o, s:I, s:o}", "gimstate_bundle", &version,
	                   "producer", &producer, "source", &source, "container", &container, "layout", &layout, "vcpus", &vcpus, "members",
	                   &members))
		return fail(error, "", own.text);
	if (vcpus < 0 || vcpus > GIM_VCPUS_MAX)
		return fail(error, "vcpus", "the number is out of range");
	if (!text_or_null(layout, sizeof(manifest->layout), &name))
		return fail(error, "layout", "a name of at most 63 characters, or null, is expected");
	manifest->vcpus = (uint32_t)vcpus;
	(void)snprintf(manifest->layout, sizeof(manifest->layout), "%s", name);
	result = read_source(source, manifest, error);
	if (!result)
		result = gim_object_new(arena, &source_record, &manifest->source, error);
	if (!result)
		result = gim_json_read_members(arena, &manifest->source, container, "container", error);
	return result ? result : read_members(arena, members, manifest, error);
}

int bundle_manifest_read(struct gim_arena *arena, const char *text, size_t size, struct bundle_manifest *manifest, struct gim_error *error)
{
	struct bundle_manifest read = {.count = 0};
	struct gim_error own = GIM_ERROR_INIT;
	json_t *json = NULL;
	int result = gim_json_parse(text, size, &json, &own);
	if (!result)
		result = read_document(arena, json, &read, &own);
	json_decref(json);
	if (!result)
		return *manifest = read, 0;
	if (own.code != GIM_E_MEMORY && (!own.rule || own.rule->id[0] == 'J')) { /* of JSON: as part of a bundle it has a rule of its own */
		const struct gim_error json_error = own;
		own = (struct gim_error)GIM_ERROR_INIT;
		result = fail(&own, json_error.path, json_error.text);
	}
	(void)gim_fail_as(error, &own);
	return result;
}

/*
 * Writing.
 */
static json_t *hash_json(const uint8_t sha256[GIM_SHA256_BYTES])
{
	char text[GIM_SHA256_TEXT];
	gim_sha256_text(sha256, text);
	return json_string(text);
}

/* Bytes that are no UTF-8 have no place in JSON. */
static json_t *name_json(const char *name)
{
	json_t *json = *name ? json_string(name) : json_null();
	return json ? json : json_null();
}

static json_t *source_json(const struct bundle_manifest *manifest)
{
	if (manifest->origin.size_bytes == GIM_UNKNOWN)
		return json_null();
	return json_pack("{s:o, s:I, s:o}", "name", name_json(manifest->origin.name), "size_bytes", (json_int_t)manifest->origin.size_bytes,
	                 "sha256", hash_json(manifest->origin.sha256));
}

static json_t *unit_json(const struct gim_unit *unit)
{
	json_t *pass = unit->pass == GIM_PASS_FINAL ? json_string("final") : json_integer(unit->pass);
	return json_pack("{s:s, s:I, s:I, s:o, s:I}", "name", unit->name, "instance", (json_int_t)unit->instance, "version",
	                 (json_int_t)unit->version, "pass", pass, "offset", (json_int_t)unit->offset);
}

static json_t *member_json(const struct bundle_member *member)
{
	json_t *json = json_pack("{s:s, s:s, s:I, s:o}", "name", member->name, "role", role_names[member->role], "size_bytes",
	                         (json_int_t)member->size_bytes, "sha256", hash_json(member->sha256));
	char gpa[32];
	(void)snprintf(gpa, sizeof(gpa), "0x%" PRIx64, member->gpa);
	if ((member->role == BUNDLE_UNIT && json_object_set_new(json, "unit", unit_json(&member->unit))) ||
	    (member->role == BUNDLE_MEMORY && json_object_set_new(json, "gpa", json_string(gpa)))) {
		json_decref(json);
		return NULL;
	}
	return json;
}

/* What the state's container says of itself: what it does not say is left out, and so is the size, which is the source's. */
static json_t *container_json(const json_t *source)
{
	json_t *json = json_object();
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)source, key, value)
	{
		if (json_is_null(value) || !json_object_set(json, key, value))
			continue;
		json_decref(json);
		return NULL;
	}
	(void)json_object_del(json, "size_bytes");
	return json;
}

struct json_t *bundle_manifest_json(const struct bundle_manifest *manifest, const struct json_t *source)
{
	json_t *members = json_array();
	for (size_t i = 0; i < manifest->count; i++) {
		if (!json_array_append_new(members, member_json(&manifest->members[i])))
			continue;
		json_decref(members);
		return NULL;
	}
	return json_pack("{s:i, s:s, s:o, s:o, s:o, s:I, s:o}", "gimstate_bundle", BUNDLE_VERSION, "producer", "gimstate " GIM_VERSION,
	                 "source", source_json(manifest), "container", container_json(source), "layout", name_json(manifest->layout),
	                 "vcpus", (json_int_t)manifest->vcpus, "members", members);
}

/*
 * Members.
 */
const struct bundle_member *bundle_member_of(const struct bundle_manifest *manifest, enum bundle_role role)
{
	for (size_t i = 0; i < manifest->count; i++)
		if (manifest->members[i].role == role)
			return &manifest->members[i];
	return NULL;
}

const struct bundle_member *bundle_member_gim(const struct bundle_manifest *manifest)
{
	for (size_t i = 0; i < manifest->count; i++) {
		const struct bundle_member *member = &manifest->members[i];
		if (member->role == BUNDLE_UNIT && !strcmp(member->unit.name, "GIM") && !member->unit.instance &&
		    member->unit.pass == GIM_PASS_FINAL)
			return member;
	}
	return NULL;
}
