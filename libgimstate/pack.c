/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packing a state and reading a bundle: finds what is to be packed as, and hands on to the format of bundles. */
#include "error.h"
#include "state.h"

#include <string.h>

bool gim_bundle_is_name(const char *path)
{
	static const char *const suffixes[] = {".gimb", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst"};
	const size_t length = strlen(path);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		const size_t own = strlen(suffixes[i]);
		if (length > own && !strcmp(path + length - own, suffixes[i]))
			return true;
	}
	return false;
}

static const struct gim_format *bundle_format(void)
{
	const struct gim_format *const *each = gim_formats;
	while (!(*each)->pack)
		each++;
	return *each;
}

/* A state without a guest interface may be packed, one with a damaged one not: its document would hold a part of it. */
static int decode(struct gim_state *state, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	int result = gim_state_decode(state, GIM_PART_GIM, NULL, NULL, &own);
	if (result && result != GIM_E_NO_UNIT)
		return gim_fail_as(error, &own);
	if (state->damaged & GIM_PART_GIM && result != GIM_E_NO_UNIT)
		return gim_fail(
		    error, GIM_E_CORRUPT, GIM_UNKNOWN,
		    "the guest interface is damaged, so that it is not packed: verify says where, and --whole packs the file as it is");
	/* Of other units what can be decoded is enough, unless it is the world that fails. */
	own = (struct gim_error)GIM_ERROR_INIT;
	result = gim_state_decode(state, GIM_PART_GUEST, NULL, NULL, &own);
	return result == GIM_E_MEMORY || result == GIM_E_IO ? gim_fail_as(error, &own) : 0;
}

int gim_state_pack(struct gim_state *state, const struct gim_pack_options *options, gim_sink_fn *sink, void *user, struct json_t **manifest,
                   struct gim_error *error)
{
	struct gim_changes changes = {.count = 0};
	if (!state->input.seekable && (state->input.fd >= 0 || state->input.layer))
		return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN, "a stream cannot be packed; give a file");
	int result = decode(state, error);
	if (!result)
		result = gim_state_changes(state, &options->write, &changes, error);
	if (!result)
		result = bundle_format()->pack(state, &changes, options, sink, user, manifest, error);
	gim_changes_free(&changes);
	return result;
}

int gim_bundle_read(const char *path, gim_member_fn *member, void *user, struct gim_error *error)
{
	const struct gim_format *format = NULL;
	struct gim_input input;
	int result = gim_input_open(&input, path, error);
	if (result)
		return result;
	result = gim_format_find(&input, &format, error);
	if (!result && !format->unpack)
		result = gim_fail(error, GIM_E_FORMAT, GIM_UNKNOWN, "this is a %s, and no bundle", format->title);
	if (!result)
		result = format->unpack(&input, member, user, error);
	gim_input_close(&input);
	return result;
}
