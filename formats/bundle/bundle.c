/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bundles as a container format of the library. A bundle of a whole state is that state: once the manifest is read, its file takes the place of the input. Of
 * any other the guest interface comes from the packed payload, all else from what was decoded when it was packed, and units are there to be looked at.
 */
#include "bundle/bundle.h"

#include "error.h"
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct gim_format gim_format_bundle;

struct bundle *bundle_of(const struct gim_state *state)
{
	return state->format == &gim_format_bundle ? (struct bundle *)state->container : NULL;
}

/* The name of the first file: in a tar archive it begins it, in a zip archive it follows a header of 30 bytes. */
static int bundle_bid(const uint8_t *head, size_t size)
{
	static const char name[] = BUNDLE_MANIFEST;
	enum { NAME_BYTES = sizeof(name) - 1, TAR_MAGIC = 257, ZIP_NAME_BYTES = 26, ZIP_NAME = 30 };
	if (size >= TAR_MAGIC + 5 && !memcmp(head, name, sizeof(name)) && !memcmp(head + TAR_MAGIC, "ustar", 5))
		return 90;
	if (size >= ZIP_NAME + NAME_BYTES && !memcmp(head, "PK\003\004", 4) && head[ZIP_NAME_BYTES] == NAME_BYTES &&
	    !head[ZIP_NAME_BYTES + 1] && !memcmp(head + ZIP_NAME, name, NAME_BYTES))
		return 90;
	return 0;
}

/*
 * Opening.
 */
/* What comes before the file of the whole state is not needed: that says it all. */
static int open_whole(struct gim_state *state, struct bundle *bundle, struct gim_error *error)
{
	const struct bundle_member *member = NULL;
	int result;
	do
		result = bundle_next(bundle, &member, error);
	while (result > 0 && member->role != BUNDLE_WHOLE);
	if (result < 0)
		return result;
	gim_unpacker_input(bundle->unpacker, &state->input);
	bundle->unpacker = NULL;
	const struct gim_format *inner = NULL;
	result = gim_format_find(&state->input, &inner, error);
	if (!result && inner == &gim_format_bundle)
		result = gim_fail_rule(error, &bundle_rules[BUNDLE_RULE_MEMBER], GIM_UNKNOWN, "the whole state in the bundle is a bundle");
	if (!result && state->settled)
		result = gim_input_settle(&state->input, error);
	if (result)
		return result;
	bundle_end(bundle);
	free(bundle);
	state->container = NULL;
	state->format = inner;
	return inner->open(state, error);
}

static int store_source(struct gim_state *state, const struct bundle *bundle, struct gim_error *error)
{
	struct gim_object *object = gim_state_attach(state, &bundle->manifest.source);
	if (!object)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	const struct source *source = (const struct source *)(const void *)object->data;
	if (object->presence[offsetof(struct source, address_bytes)] && source->address_bytes == 4)
		state->codec.address_bytes = 4;
	state->codec.vcpus = bundle->manifest.vcpus;
	state->unit_format = bundle->inner ? bundle->inner->name : NULL;
	if (object->presence[offsetof(struct source, format)])
		return 0;
	int result = gim_store_text(state, object, offsetof(struct source, format), gim_format_bundle.name, error);
	return result ? result : gim_store_text(state, object, offsetof(struct source, container), gim_format_bundle.title, error);
}

/* What is small, and nearly always asked for. */
static int open_parts(struct gim_state *state, struct bundle *bundle, struct gim_error *error)
{
	const struct bundle_member *gim = bundle_member_gim(&bundle->manifest), *member = NULL;
	bool has_gim = !gim, has_state = false;
	state->fields_only = !gim;
	int result = store_source(state, bundle, error);
	while (!result && (!has_gim || !has_state)) {
		result = bundle_next(bundle, &member, error);
		if (result <= 0)
			break;
		if (member != gim && member->role != BUNDLE_STATE)
			return gim_fail_rule(error, &bundle_rules[BUNDLE_RULE_MEMBER], GIM_UNKNOWN,
			                     "the member %s stands before the unit GIM or the decoded state", member->name);
		has_gim |= member == gim;
		has_state |= member->role == BUNDLE_STATE;
		result = bundle_keep(bundle, member, &state->arena, error);
	}
	bundle->held = bundle->next;
	state->input = (struct gim_input){.fd = -1, .seekable = true}; /* everything is in the bundle */
	return result;
}

static int bundle_open(struct gim_state *state, struct gim_error *error)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	if (!bundle)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	bundle->unnamed = -1;
	state->container = bundle;
	struct gim_origin *origin = gim_arena_alloc(&state->arena, sizeof(*origin));
	if (!origin)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	int result = bundle_begin(bundle, &state->input, &state->arena, NULL, NULL, error);
	if (result)
		return result;
	*origin = bundle->manifest.origin;
	state->origin = origin;
	return bundle_member_of(&bundle->manifest, BUNDLE_WHOLE) ? open_whole(state, bundle, error) : open_parts(state, bundle, error);
}

static void bundle_close(struct gim_state *state)
{
	if (!state->container)
		return;
	bundle_end(bundle_of(state));
	free(state->container);
	state->container = NULL;
}

/*
 * Units.
 */
static int give_unit(const struct bundle *bundle, const struct bundle_member *member, struct gim_unit *unit)
{
	*unit = member->unit;
	unit->decodable = bundle->inner && bundle->inner->decodable && bundle->inner->decodable(unit);
	return 1;
}

/* The next one is that which follows the one with this offset. */
static int bundle_unit_next(struct gim_state *state, struct gim_unit *unit, struct gim_error *error)
{
	const struct bundle *bundle = bundle_of(state);
	bool passed = !*unit->name;
	(void)error;
	for (size_t i = 0; i < bundle->manifest.count; i++) {
		const struct bundle_member *member = &bundle->manifest.members[i];
		if (member->role != BUNDLE_UNIT)
			continue;
		if (passed)
			return give_unit(bundle, member, unit);
		passed = member->unit.offset == unit->offset;
	}
	return 0;
}

static const struct bundle_member *find_unit(const struct bundle *bundle, const char *name, uint32_t instance, uint32_t pass)
{
	for (size_t i = 0; i < bundle->manifest.count; i++) {
		const struct bundle_member *member = &bundle->manifest.members[i];
		const struct gim_unit *unit = &member->unit;
		if (member->role == BUNDLE_UNIT && !strcmp(unit->name, name) && unit->instance == instance && unit->pass == pass)
			return member;
	}
	return NULL;
}

static int bundle_unit_find(struct gim_state *state, const char *name, uint32_t instance, uint32_t pass, struct gim_unit *unit,
                            struct gim_error *error)
{
	const struct bundle *bundle = bundle_of(state);
	const struct bundle_member *member = find_unit(bundle, name, instance, pass);
	if (!member)
		return gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN, "there is no unit %s/%u in the bundle", name, instance);
	(void)give_unit(bundle, member, unit);
	return 0;
}

struct copy {
	int fd;
	struct gim_error *error;
};

static int copy_piece(void *user, const void *bytes, size_t size)
{
	const struct copy *copy = (const struct copy *)user;
	return gim_unnamed_write(copy->fd, bytes, size, copy->error);
}

int bundle_load_rest(struct bundle *bundle, struct gim_error *error)
{
	const struct bundle_member *member = NULL;
	if (bundle->unnamed >= 0)
		return 0;
	bundle->unnamed = gim_unnamed_open(error);
	if (bundle->unnamed < 0)
		return bundle->unnamed;
	struct gim_error own = GIM_ERROR_INIT;
	struct copy copy = {bundle->unnamed, &own};
	int result;
	while ((result = bundle_next(bundle, &member, &own)) > 0)
		if ((result = bundle_read(bundle, member, copy_piece, &copy, &own)))
			break;
	if (result)
		(void)gim_fail_as(error, &own);
	return result;
}

/* Behind those that are in the file before. */
uint64_t bundle_place(const struct bundle *bundle, const struct bundle_member *wanted)
{
	uint64_t place = 0;
	for (const struct bundle_member *member = &bundle->manifest.members[bundle->held]; member < wanted; member++)
		place += member->size_bytes;
	return place;
}

static int read_unnamed(struct bundle *bundle, const struct bundle_member *member, gim_sink_fn *sink, void *user, struct gim_error *error)
{
	uint8_t piece[16384];
	struct gim_input input;
	uint64_t at = bundle_place(bundle, member), left = member->size_bytes;
	int result = bundle_load_rest(bundle, error);
	if (!result)
		result = gim_input_open_fd(&input, bundle->unnamed, error);
	while (!result && left) {
		size_t got, size = left < sizeof(piece) ? (size_t)left : sizeof(piece);
		result = gim_input_read(&input, at, piece, size, &got, error);
		if (!result && got < size) /* an earlier failure left it short */
			result = gim_fail(error, GIM_E_CORRUPT, GIM_UNKNOWN, "the bundle is damaged before this unit: verify says where");
		if (!result && sink(user, piece, size))
			result = gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "stopped");
		at += size;
		left -= size;
	}
	return result;
}

/* It comes without the others where it is the next one, as it usually is. */
int bundle_load_machine(struct bundle *bundle, struct gim_error *error)
{
	const struct bundle_member *member = bundle_member_of(&bundle->manifest, BUNDLE_MACHINE), *next = NULL;
	int result = 0;
	if (!member || bundle->machine.size)
		return 0;
	if (bundle->unnamed < 0 && member == &bundle->manifest.members[bundle->next]) {
		result = bundle_next(bundle, &next, error);
		bundle->held = bundle->next;
		result = result < 0 ? result : bundle_read(bundle, member, bundle_collect, &bundle->machine, error);
	} else {
		result = read_unnamed(bundle, member, bundle_collect, &bundle->machine, error);
	}
	return bundle->machine.failed ? gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory") : result;
}

static int bundle_unit_read(struct gim_state *state, const struct gim_unit *unit, gim_sink_fn *sink, void *user, struct gim_error *error)
{
	struct bundle *bundle = bundle_of(state);
	const struct bundle_member *member = find_unit(bundle, unit->name, unit->instance, unit->pass);
	int result = 0;
	if (!member)
		result = gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "there is no such unit in the bundle");
	else if (member != bundle_member_gim(&bundle->manifest))
		result = read_unnamed(bundle, member, sink, user, error);
	else if (bundle->gim.size && sink(user, bundle->gim.bytes, bundle->gim.size))
		result = gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "stopped");
	if (result && result != GIM_E_STOPPED)
		gim_error_unit(error, unit->name, unit->instance);
	return result;
}

/*
 * Decoding.
 */
static int decode_gim(struct gim_state *state, const struct bundle *bundle, const struct bundle_member *member, gim_report_fn *report,
                      void *user, struct gim_error *error)
{
	struct gim_codec codec = state->codec;
	if (!bundle->inner)
		return gim_fail(
		    error, GIM_E_UNSUPPORTED, GIM_UNKNOWN,
		    "the bundle is of a container that this release does not know: its state.json, by unpack, is what can be read");
	codec.version = member->unit.version;
	int result = gim_unit_decode(state, &codec, member->unit.version, bundle->gim.bytes, bundle->gim.size, report, user, error);
	if (result)
		gim_error_unit(error, member->unit.name, member->unit.instance);
	return result;
}

static int bundle_decode(struct gim_state *state, unsigned parts, gim_report_fn *report, void *user, struct gim_error *error)
{
	const struct bundle *bundle = bundle_of(state);
	const struct bundle_member *gim = bundle_member_gim(&bundle->manifest);
	int result = 0;
	if (parts & GIM_PART_GIM && gim) {
		result = decode_gim(state, bundle, gim, report, user, error);
		parts &= ~(unsigned)GIM_PART_GIM;
	}
	const unsigned shown = gim_document_show(state, &bundle->state, parts);
	state->gim_whole |= shown & GIM_PART_GIM && !*bundle->state.damage;
	if (!result && parts & GIM_PART_GUEST)
		result = bundle_machine_show(state, error);
	if (!result && *bundle->state.damage)
		result = gim_document_damaged(&bundle->state, error);
	if (!result && parts & GIM_PART_GIM && !(shown & GIM_PART_GIM))
		result = gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN, "the bundle holds no guest interface");
	return result;
}

static int bundle_decode_unit(struct gim_state *state, const struct gim_unit *unit, gim_report_fn *report, void *user,
                              struct gim_error *error)
{
	const struct bundle *bundle = bundle_of(state);
	if (!bundle->inner || !bundle->inner->decodable)
		return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN, "no table knows units of this bundle's container");
	return bundle->inner->decode_unit(state, unit, report, user, error);
}

/*
 * Writing.
 */
static int bundle_write(struct gim_state *state, const struct gim_changes *changes, const struct gim_write_options *options,
                        gim_sink_fn *sink, void *user, struct gim_error *error)
{
	(void)changes;
	(void)options;
	if (!sink)
		return 0; /* as a bundle it can be written */
	if (state->fields_only)
		return gim_json_print(state, NULL, sink, user, error);
	return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN,
	                "the bundle holds parts of a state only, which make no file of its own: write a bundle, OUT.gimb");
}

static int bundle_change_cpuid(struct gim_state *state, const struct gim_cpuid_word *words, size_t count, struct gim_changes *changes,
                               gim_report_fn *report, void *user, struct gim_error *error)
{
	const struct bundle *bundle = bundle_of(state);
	return bundle->inner && bundle->inner->change_cpuid ? bundle->inner->change_cpuid(state, words, count, changes, report, user, error)
	                                                    : 0;
}

static int bundle_unpack(struct gim_input *input, gim_member_fn *member, void *user, struct gim_error *error)
{
	struct gim_arena arena = {.blocks = NULL};
	struct gim_buffer text = {.bytes = NULL};
	struct bundle bundle;
	const struct bundle_member *next = NULL;
	gim_sink_fn *sink = NULL;
	void *sink_user = NULL;
	int more = 0, result = bundle_begin(&bundle, input, &arena, bundle_collect, &text, error);
	if (!result)
		result = member(user, BUNDLE_MANIFEST, text.size, &sink, &sink_user, error);
	if (!result && sink && sink(sink_user, text.bytes, text.size))
		result = gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "stopped");
	while (!result && (more = bundle_next(&bundle, &next, error)) > 0) {
		sink = NULL;
		result = member(user, next->name, next->size_bytes, &sink, &sink_user, error);
		if (!result)
			result = bundle_read(&bundle, next, sink, sink_user, error);
	}
	bundle_end(&bundle);
	gim_buffer_free(&text);
	gim_arena_free(&arena);
	return result ? result : more;
}

const struct gim_format gim_format_bundle = {
    .name = "bundle",
    .title = "gimstate bundle",
    .packed = true,
    .bid = bundle_bid,
    .open = bundle_open,
    .close = bundle_close,
    .unit_next = bundle_unit_next,
    .unit_find = bundle_unit_find,
    .unit_read = bundle_unit_read,
    .decode = bundle_decode,
    .decode_unit = bundle_decode_unit,
    .write = bundle_write,
    .change_cpuid = bundle_change_cpuid,
    .verify = bundle_verify,
    .pack = bundle_pack,
    .unpack = bundle_unpack,
    .memory = &bundle_memory,
    .rules = bundle_rules,
    .rule_count = BUNDLE_RULES,
};
