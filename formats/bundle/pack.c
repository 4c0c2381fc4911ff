/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packing: what goes in is listed and measured first, since the manifest comes first and says it all; then it is written, and must be the same. Nothing goes in
 * that is not of the state (no time, no owner, no path), so that the same state gives the same bytes.
 */
#include "bundle/bundle.h"

#include "error.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_BYTES = 64 * 1024 };

/* Where a member's bytes come from. */
struct piece {
	struct gim_buffer bytes;              /* when it is held, */
	const struct gim_change *change;      /* or changed, */
	bool is_unit;                         /* or a unit as it is, */
	const struct gim_pack_member *member; /* or the embedder's, */
	struct gim_input *input;              /* or a file */
};

struct packing {
	struct gim_state *state;
	const struct gim_changes *changes;
	const struct gim_pack_options *options;
	struct gim_arena arena;
	struct bundle_manifest manifest;
	struct piece *pieces; /* of the manifest's members */
	size_t capacity;
	struct gim_digest *digest;
	struct gim_input written; /* the whole state with its changes, in a file without a name */
	struct gim_packer *packer;
};

/* A sum of what passes, on its way to the packer or to nowhere. */
struct measure {
	struct packing *packing;
	bool pack;
	uint64_t size_bytes;
	struct gim_error *error;
};

static int measure_bytes(void *user, const void *bytes, size_t size)
{
	struct measure *measure = (struct measure *)user;
	gim_digest_add(measure->packing->digest, bytes, size);
	measure->size_bytes += size;
	return measure->pack ? gim_packer_write(measure->packing->packer, bytes, size, measure->error) : 0;
}

static int feed_input(struct gim_input *input, struct measure *measure, struct gim_error *error)
{
	uint8_t *piece = malloc(PIECE_BYTES);
	size_t got = PIECE_BYTES;
	int result = piece ? 0 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	while (!result && got == PIECE_BYTES) {
		result = gim_input_read(input, measure->size_bytes, piece, PIECE_BYTES, &got, error);
		if (!result)
			result = measure_bytes(measure, piece, got);
	}
	free(piece);
	return result;
}

static int feed(struct packing *packing, size_t index, struct measure *measure, struct gim_error *error)
{
	const struct piece *piece = &packing->pieces[index];
	if (piece->input)
		return feed_input(piece->input, measure, error);
	if (piece->member)
		return measure_bytes(measure, piece->member->bytes, (size_t)piece->member->size_bytes);
	if (piece->change)
		return measure_bytes(measure, piece->change->payload, piece->change->size);
	if (!piece->is_unit)
		return measure_bytes(measure, piece->bytes.bytes, piece->bytes.size);
	struct gim_error own = GIM_ERROR_INIT;
	int result = gim_unit_read(packing->state, &packing->manifest.members[index].unit, measure_bytes, measure, &own);
	/* What stopped the reading is told by the packer. */
	return result && (result != GIM_E_STOPPED || !error || !error->code) ? gim_fail_as(error, &own) : result;
}

/*
 * What goes in.
 */
static struct piece *add(struct packing *packing, enum bundle_role role, const char *name, struct gim_error *error)
{
	struct bundle_manifest *manifest = &packing->manifest;
	if (manifest->count == packing->capacity) {
		(void)gim_fail(error, GIM_E_LIMIT, GIM_UNKNOWN, "a bundle holds %d members at most", BUNDLE_MEMBERS_MAX);
		return NULL;
	}
	struct bundle_member *member = &manifest->members[manifest->count];
	*member = (struct bundle_member){.role = role};
	(void)snprintf(member->name, sizeof(member->name), "%s", name);
	return &packing->pieces[manifest->count++];
}

/* The number keeps names apart in which the same characters were replaced. */
static void name_unit(const struct gim_unit *unit, size_t index, char *name, size_t size)
{
	char plain[sizeof(unit->name)], pass[16] = "";
	(void)snprintf(plain, sizeof(plain), "%s", unit->name);
	for (char *at = plain; *at; at++)
		*at = isalnum((unsigned char)*at) || *at == '-' ? *at : '_';
	if (unit->pass != GIM_PASS_FINAL)
		(void)snprintf(pass, sizeof(pass), ".pass%u", unit->pass);
	(void)snprintf(name, size, "units/%02zu-%.48s.%u%s.bin", index, plain, unit->instance, pass);
}

static bool is_gim(const struct gim_unit *unit)
{
	return !strcmp(unit->name, "GIM") && !unit->instance && unit->pass == GIM_PASS_FINAL;
}

static int add_unit(struct packing *packing, const struct gim_unit *unit, struct gim_error *error)
{
	char name[BUNDLE_NAME_MAX] = "gim.bin";
	for (size_t i = 0; i < packing->manifest.count; i++)
		if (packing->manifest.members[i].role == BUNDLE_UNIT && packing->manifest.members[i].unit.offset == unit->offset)
			return 0; /* it was named twice */
	if (!is_gim(unit))
		name_unit(unit, packing->manifest.count, name, sizeof(name));
	struct piece *piece = add(packing, BUNDLE_UNIT, name, error);
	if (!piece)
		return GIM_E_LIMIT;
	packing->manifest.members[packing->manifest.count - 1].unit = *unit;
	piece->is_unit = true;
	for (size_t i = 0; i < packing->changes->count; i++)
		if (packing->changes->items[i].offset == unit->offset)
			piece->change = &packing->changes->items[i];
	return 0;
}

static int add_gim(struct packing *packing, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	struct gim_unit unit;
	int result = gim_unit_find(packing->state, "GIM", 0, GIM_PASS_FINAL, &unit, &own);
	if (result == GIM_E_NO_UNIT)
		return 0;
	return result ? gim_fail_as(error, &own) : add_unit(packing, &unit, error);
}

/* What only the container says is not in the document, and, when it would be too large to be read again, the rest of the machine neither. */
static int print_document(struct packing *packing, bool small, struct gim_buffer *text, struct gim_error *error)
{
	char without[256];
	size_t used = (size_t)snprintf(without, sizeof(without), "%s", small ? guest_record.name : "");
	for (const struct gim_format *const *format = gim_formats; *format; format++)
		for (const struct gim_record *const *each = (*format)->records; each && *each && used < sizeof(without); each++)
			used += (size_t)snprintf(without + used, sizeof(without) - used, ",%s", (*each)->name);
	return gim_json_print(packing->state, without, bundle_collect, text, error);
}

/* What is packed can be read again. */
static int add_document(struct packing *packing, struct gim_error *error)
{
	struct piece *piece = add(packing, BUNDLE_STATE, "state.json", error);
	if (!piece)
		return GIM_E_LIMIT;
	for (bool small = false;; small = true) {
		struct gim_arena arena = {.blocks = NULL};
		struct gim_document document;
		struct gim_error own = GIM_ERROR_INIT;
		int result = print_document(packing, small, &piece->bytes, error);
		if (result)
			return result;
		result = gim_json_read(&arena, NULL, (const char *)piece->bytes.bytes, piece->bytes.size, &document, &own);
		gim_arena_free(&arena);
		if (!result)
			return 0;
		if (result != GIM_E_LIMIT || small)
			return gim_fail_as(error, &own);
		gim_buffer_free(&piece->bytes);
		piece->bytes = (struct gim_buffer){.bytes = NULL};
	}
}

static int add_all_units(struct packing *packing, struct gim_error *error)
{
	struct gim_unit unit = {.name = ""};
	int more, result = 0;
	while (!result && (more = gim_unit_next(packing->state, &unit, error)))
		result = more < 0 ? more : add_unit(packing, &unit, error);
	return result;
}

struct file_sink {
	int fd;
	struct gim_error *error;
};

static int write_piece(void *user, const void *bytes, size_t size)
{
	const struct file_sink *file = (const struct file_sink *)user;
	return gim_unnamed_write(file->fd, bytes, size, file->error);
}

/* The state's file as it is, or with its changes written to a file without a name. */
static int add_file(struct packing *packing, struct gim_error *error)
{
	struct gim_state *state = packing->state;
	char name[BUNDLE_NAME_MAX];
	(void)snprintf(name, sizeof(name), "state%s", state->format->suffix);
	struct piece *piece = add(packing, BUNDLE_WHOLE, name, error);
	if (!piece)
		return GIM_E_LIMIT;
	piece->input = &state->input;
	/* Without a unit of the interface only writing finds what is changed. */
	if (!packing->changes->count && !packing->options->write.container && !state->format->interface)
		return 0;
	const int fd = gim_unnamed_open(error);
	if (fd < 0)
		return fd;
	struct gim_error own = GIM_ERROR_INIT, refused = GIM_ERROR_INIT;
	struct file_sink file = {fd, &refused};
	int result = state->format->write(state, packing->changes, &packing->options->write, write_piece, &file, &own);
	if (result)
		result = gim_fail_as(error, refused.code ? &refused : &own);
	else
		result = gim_input_open_fd(&packing->written, fd, error);
	if (result) {
		(void)close(fd);
		return result;
	}
	packing->written.owned = true;
	piece->input = &packing->written;
	return 0;
}

static int add_member(struct packing *packing, const struct gim_pack_member *member, struct gim_error *error)
{
	struct piece *piece = add(packing, member->memory ? BUNDLE_MEMORY : BUNDLE_MACHINE, member->name, error);
	if (!piece)
		return GIM_E_LIMIT;
	piece->member = member;
	packing->manifest.members[packing->manifest.count - 1].gpa = member->gpa;
	return 0;
}

static bool has_file(const struct packing *packing)
{
	return packing->state->format->suffix && !packing->state->fields_only;
}

static int list_members(struct packing *packing, struct gim_error *error)
{
	const struct gim_pack_options *options = packing->options;
	const bool file = options->whole && has_file(packing);
	packing->capacity = BUNDLE_MEMBERS_MAX;
	packing->manifest.members = gim_arena_array(&packing->arena, packing->capacity, sizeof(*packing->manifest.members));
	packing->pieces = gim_arena_array(&packing->arena, packing->capacity, sizeof(*packing->pieces));
	if (!packing->manifest.members || !packing->pieces)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	int result = add_gim(packing, error);
	if (!result)
		result = add_document(packing, error);
	for (size_t i = 0; !result && i < options->unit_count; i++)
		result = add_unit(packing, &options->units[i], error);
	if (!result && options->whole && !file)
		result = add_all_units(packing, error);
	if (!result && file)
		result = add_file(packing, error);
	for (size_t i = 0; !result && i < options->member_count; i++)
		result = add_member(packing, &options->members[i], error);
	return result;
}

/*
 * The manifest.
 */
static int measure_member(struct packing *packing, size_t index, struct gim_error *error)
{
	struct bundle_member *member = &packing->manifest.members[index];
	struct measure measure = {packing, false, 0, error};
	int result = feed(packing, index, &measure, error);
	member->size_bytes = measure.size_bytes;
	gim_digest_end(packing->digest, member->sha256);
	const bool read_whole = member->role == BUNDLE_STATE || member->role == BUNDLE_MACHINE || is_gim(&member->unit);
	if (!result && read_whole && member->size_bytes > BUNDLE_MEMORY_MAX)
		result = gim_fail(error, GIM_E_LIMIT, GIM_UNKNOWN, "%s would be longer than the 8 MiB that are read", member->name);
	return result;
}

/* The file that is packed; of a bundle, the one that it was packed from. */
static int measure_source(struct packing *packing, struct gim_error *error)
{
	struct bundle_manifest *manifest = &packing->manifest;
	struct gim_origin *origin = &manifest->origin;
	struct gim_input *input = &packing->state->input;
	struct measure measure = {packing, false, 0, error};
	const struct bundle_member *last = manifest->count ? &manifest->members[manifest->count - 1] : NULL;
	if (packing->state->origin) {
		*origin = *packing->state->origin;
		return 0;
	}
	origin->size_bytes = GIM_UNKNOWN;
	if (input->fd < 0 && !input->memory)
		return 0; /* a machine's state was in no file */
	const char *slash = packing->options->source_name ? strrchr(packing->options->source_name, '/') : NULL;
	(void)snprintf(origin->name, sizeof(origin->name), "%s",
	               slash                           ? slash + 1
	               : packing->options->source_name ? packing->options->source_name
	                                               : "");
	if (last && last->role == BUNDLE_WHOLE && packing->pieces[manifest->count - 1].input == input) {
		memcpy(origin->sha256, last->sha256, sizeof(last->sha256)); /* it was measured already */
		origin->size_bytes = last->size_bytes;
		return 0;
	}
	int result = feed_input(input, &measure, error);
	gim_digest_end(packing->digest, origin->sha256);
	origin->size_bytes = measure.size_bytes;
	return result;
}

static void fill_manifest(struct packing *packing)
{
	const struct gim_value layout = gim_state_value(packing->state, "gim.layout");
	if (layout.presence != GIM_ABSENT)
		(void)snprintf(packing->manifest.layout, sizeof(packing->manifest.layout), "%.*s", (int)layout.length_bytes, layout.bytes);
	packing->manifest.vcpus = packing->state->codec.vcpus;
}

/* The record "source" of what is packed: a container that was converted says something else of itself than the input. */
static int source_records(struct packing *packing, json_t **records, struct gim_error *error)
{
	struct gim_state *written = NULL;
	if (packing->written.fd < 0)
		return gim_state_json(packing->state, source_record.name, records, error);
	int result = gim_state_open_fd(packing->written.fd, &written, error);
	if (!result)
		(void)gim_state_decode(written, GIM_PART_INFO, NULL, NULL, NULL);
	if (!result)
		result = gim_state_json(written, source_record.name, records, error);
	gim_state_free(&written);
	return result;
}

static int make_manifest(struct packing *packing, json_t **json, char **text, struct gim_error *error)
{
	json_t *records = NULL;
	int result = 0;
	for (size_t i = 0; !result && i < packing->manifest.count; i++)
		result = measure_member(packing, i, error);
	if (!result)
		result = measure_source(packing, error);
	if (!result)
		result = source_records(packing, &records, error);
	if (result)
		return result;
	fill_manifest(packing);
	*json = bundle_manifest_json(&packing->manifest, json_object_get(records, source_record.name));
	*text = *json ? json_dumps(*json, JSON_INDENT(2) | JSON_ENSURE_ASCII) : NULL;
	json_decref(records);
	return *text ? 0 : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
}

/*
 * The archive.
 */
static int pack_member(struct packing *packing, size_t index, struct gim_error *error)
{
	const struct bundle_member *member = &packing->manifest.members[index];
	struct measure measure = {packing, true, 0, error};
	uint8_t sha256[GIM_SHA256_BYTES];
	int result = gim_packer_member(packing->packer, member->name, member->size_bytes, error);
	if (!result)
		result = feed(packing, index, &measure, error);
	gim_digest_end(packing->digest, sha256);
	if (!result && (measure.size_bytes != member->size_bytes || memcmp(sha256, member->sha256, sizeof(sha256)) != 0))
		result = gim_fail(error, GIM_E_IO, GIM_UNKNOWN, "the file changed while it was packed");
	return result;
}

static int pack_manifest(struct packing *packing, const char *text, struct gim_error *error)
{
	const size_t length = strlen(text);
	int result = gim_packer_member(packing->packer, BUNDLE_MANIFEST, length + 1, error);
	if (!result)
		result = gim_packer_write(packing->packer, text, length, error);
	return result ? result : gim_packer_write(packing->packer, "\n", 1, error);
}

static enum gim_archive archive_of(const char *name)
{
	const size_t length = name ? strlen(name) : 0;
	return length > 4 && !strcmp(name + length - 4, ".zip") ? GIM_ARCHIVE_ZIP : GIM_ARCHIVE_TAR;
}

static int pack_all(struct packing *packing, const char *text, gim_sink_fn *sink, void *user, struct gim_error *error)
{
	int result = gim_packer_new(archive_of(packing->options->name), GIM_FILTER_NONE, sink, user, &packing->packer, error);
	if (!result)
		result = pack_manifest(packing, text, error);
	for (size_t i = 0; !result && i < packing->manifest.count; i++)
		result = pack_member(packing, i, error);
	if (!result)
		result = gim_packer_finish(&packing->packer, error);
	return result;
}

static void end_packing(struct packing *packing)
{
	for (size_t i = 0; i < packing->manifest.count; i++)
		gim_buffer_free(&packing->pieces[i].bytes);
	gim_packer_discard(&packing->packer);
	gim_digest_free(&packing->digest);
	gim_input_close(&packing->written);
	gim_arena_free(&packing->arena);
}

int bundle_pack(struct gim_state *state, const struct gim_changes *changes, const struct gim_pack_options *options, gim_sink_fn *sink,
                void *user, struct json_t **manifest, struct gim_error *error)
{
	struct packing packing = {.state = state, .changes = changes, .options = options, .written = {.fd = -1}};
	json_t *json = NULL;
	char *text = NULL;
	int result = gim_digest_new(&packing.digest, error);
	if (!result)
		result = list_members(&packing, error);
	if (!result)
		result = make_manifest(&packing, &json, &text, error);
	if (!result)
		result = pack_all(&packing, text, sink, user, error);
	end_packing(&packing);
	free(text);
	if (!result && manifest)
		*manifest = json;
	else
		json_decref(json);
	return result;
}
