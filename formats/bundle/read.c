/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a bundle's archive: the manifest, then exactly the members that it lists, each of the size and with the SHA-256 that it says. */
#include "bundle/bundle.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_BYTES = 64 * 1024 };

static int fail_member(struct gim_error *error, const char *name, const char *what)
{
	return gim_fail_rule(error, &bundle_rules[BUNDLE_RULE_MEMBER], GIM_UNKNOWN, "the member %s %s", name, what);
}

/* The next file of the archive, which must be this one; its size is checked by who reads it. */
static int next_file(struct bundle *bundle, const char *name, struct gim_error *error)
{
	struct gim_unpacked found;
	const int more = gim_unpacker_next(bundle->unpacker, &found, error);
	if (more < 0)
		return more;
	if (!more)
		return fail_member(error, name, "is missing: the archive ends before it");
	if (strcmp(found.name, name) != 0)
		return gim_fail_rule(error, &bundle_rules[BUNDLE_RULE_MEMBER], GIM_UNKNOWN, "%.80s was found, where %s is expected",
		                     found.name, name);
	if (found.kind != GIM_MEMBER_FILE || found.sparse)
		return fail_member(error, name, "is no plain file");
	return 0;
}

static int read_manifest(struct bundle *bundle, struct gim_buffer *text, struct gim_error *error)
{
	uint8_t piece[4096];
	size_t got = sizeof(piece);
	int result = next_file(bundle, BUNDLE_MANIFEST, error);
	while (!result && got == sizeof(piece)) {
		result = gim_unpacker_read(bundle->unpacker, piece, sizeof(piece), &got, error);
		if (!result)
			gim_buffer_bytes(text, piece, got);
		if (!result && text->size > BUNDLE_MANIFEST_MAX)
			result = gim_fail_rule(error, &bundle_rules[BUNDLE_RULE_MANIFEST], GIM_UNKNOWN,
			                       "the manifest is longer than the 1 MiB that are read");
	}
	return !result && text->failed ? gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory") : result;
}

/* No bundle is the container of its units. */
static const struct gim_format *format_of(const struct bundle_manifest *manifest)
{
	const struct gim_text *name = &((const struct source *)(const void *)manifest->source.data)->format;
	for (const struct gim_format *const *each = gim_formats; *each; each++)
		if (!(*each)->pack && strlen((*each)->name) == name->length && !memcmp((*each)->name, name->bytes, name->length))
			return *each;
	return NULL;
}

int bundle_begin(struct bundle *bundle, struct gim_input *input, struct gim_arena *arena, gim_sink_fn *sink, void *user,
                 struct gim_error *error)
{
	struct gim_buffer text = {.bytes = NULL};
	struct gim_error own = GIM_ERROR_INIT;
	*bundle = (struct bundle){.unnamed = -1};
	int result = gim_unpacker_new(input, GIM_PACKED_ARCHIVE, NULL, &bundle->unpacker, &own);
	if (!result)
		result = read_manifest(bundle, &text, &own);
	if (result == GIM_E_FORMAT) /* its first bytes were those of a bundle */
		return gim_fail_rule(error, &gim_packed_rules[GIM_PACKED_DAMAGED], 0, "the archive is damaged at its beginning");
	if (result)
		(void)gim_fail_as(error, &own);
	if (!result)
		result = bundle_manifest_read(arena, (const char *)text.bytes, text.size, &bundle->manifest, error);
	if (!result && sink && sink(user, text.bytes, text.size))
		result = gim_fail(error, GIM_E_STOPPED, GIM_UNKNOWN, "stopped");
	gim_buffer_free(&text);
	if (!result)
		bundle->inner = format_of(&bundle->manifest);
	return result;
}

void bundle_end(struct bundle *bundle)
{
	gim_unpacker_free(&bundle->unpacker);
	gim_buffer_free(&bundle->gim);
	gim_buffer_free(&bundle->machine);
	if (bundle->unnamed >= 0)
		(void)close(bundle->unnamed);
	bundle->unnamed = -1;
}

int bundle_next(struct bundle *bundle, const struct bundle_member **member, struct gim_error *error)
{
	struct gim_unpacked found;
	if (bundle->next < bundle->manifest.count) {
		const struct bundle_member *next = &bundle->manifest.members[bundle->next++];
		int result = next_file(bundle, next->name, error);
		if (!result)
			result = gim_unpacker_expect(bundle->unpacker, next->size_bytes, next->sha256, error);
		*member = next;
		return result ? result : 1;
	}
	const int more = gim_unpacker_next(bundle->unpacker, &found, error);
	if (more <= 0)
		return more;
	return gim_fail_rule(error, &bundle_rules[BUNDLE_RULE_MEMBER], GIM_UNKNOWN, "%.80s was found, which the manifest does not list",
	                     found.name);
}

int bundle_read(struct bundle *bundle, const struct bundle_member *member, gim_sink_fn *sink, void *user, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	uint8_t *piece = malloc(PIECE_BYTES);
	size_t got = PIECE_BYTES;
	int result = piece ? 0 : gim_fail(&own, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	while (!result && got == PIECE_BYTES) {
		result = gim_unpacker_read(bundle->unpacker, piece, PIECE_BYTES, &got, &own);
		if (!result && got && sink && sink(user, piece, got))
			result = sink == bundle_collect ? gim_fail(&own, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory")
			                                : gim_fail(&own, GIM_E_STOPPED, GIM_UNKNOWN, "stopped");
	}
	free(piece);
	if (result) {
		gim_error_path(&own, member->name);
		(void)gim_fail_as(error, &own);
	}
	return result;
}

int bundle_collect(void *user, const void *bytes, size_t size)
{
	struct gim_buffer *buffer = (struct gim_buffer *)user;
	gim_buffer_bytes(buffer, bytes, size);
	return buffer->failed;
}

int bundle_keep(struct bundle *bundle, const struct bundle_member *member, struct gim_arena *arena, struct gim_error *error)
{
	const bool is_state = member->role == BUNDLE_STATE;
	struct gim_buffer text = {.bytes = NULL};
	int result = bundle_read(bundle, member, bundle_collect, is_state ? &text : &bundle->gim, error);
	if (!result && is_state)
		result = gim_json_read(arena, NULL, (const char *)text.bytes, text.size, &bundle->state, error);
	gim_buffer_free(&text);
	return result;
}
