/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layers: choosing the one that an input is, opening it, and the way from its top to what it says. */
#include "layer.h"

#include "error.h"
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct gim_rule gim_layer_rules[GIM_LAYER_RULES] = {
    [GIM_LAYER_DAMAGED] = {"WRAP-DAMAGED", GIM_ERROR, GIM_E_CORRUPT, .help = "what a state is wrapped in is not damaged",
                           .why = "the state in it cannot be read beyond that", .mend = "take another copy of the file",
                           .source = "QEMU's and libvirt's formats, as their own readers check them"},
    [GIM_LAYER_CUT] = {"WRAP-CUT", GIM_ERROR, GIM_E_TRUNCATED, .help = "what a state is wrapped in does not end too early",
                       .why = "what is missing is lost", .mend = "take another copy of the file",
                       .source = "QEMU's and libvirt's formats, as their own readers check them"},
    [GIM_LAYER_LIMIT] = {"WRAP-LIMIT", GIM_ERROR, GIM_E_LIMIT, .help = "sizes of what a state is wrapped in stay within limits",
                         .why = "a small file could ask for all memory", .mend = "nothing; nobody writes such a file",
                         .source = "the limits of QEMU, libvirt and lzop"},
    [GIM_LAYER_UNFINISHED] = {"WRAP-UNFINISHED", GIM_ERROR, GIM_E_TRUNCATED, .help = "the save came to its end",
                              .why = "libvirt does not restore such an image", .mend = "save the VM again",
                              .source = "libvirt src/qemu/qemu_saveimage.c"},
    [GIM_LAYER_EMPTY] = {"WRAP-EMPTY", GIM_ERROR, GIM_E_FORMAT, .help = "what could wrap a state does, and one alone",
                         .why = "there is no state to read, or it is not said which", .mend = "name the state, as in FILE//NAME",
                         .source = "gimstate"},
};

void gim_input_wrap(struct gim_input *input, struct gim_layer *layer, const struct gim_layer_kind *kind, bool seekable, uint64_t size)
{
	layer->kind = kind;
	layer->below = *input;
	*input = (struct gim_input){.fd = -1, .seekable = seekable, .size = size, .layer = layer};
}

void gim_layer_free(struct gim_layer *layer)
{
	if (!layer)
		return;
	if (layer->kind->end)
		layer->kind->end(layer);
	gim_input_close(&layer->below);
	free(layer);
}

const struct gim_layer_kind *gim_layer_find(const uint8_t *head, size_t size, bool part)
{
	for (const struct gim_layer_kind *const *each = gim_layers; *each; each++)
		if ((*each)->bid(head, size, part))
			return *each;
	return NULL;
}

int gim_layer_open(struct gim_input *input, const struct gim_layer_kind *kind, const char *part, struct gim_error *error)
{
	int result = kind->seeks ? gim_input_settle(input, error) : 0;
	if (!result)
		result = kind->open(input, part, error);
	if (result)
		gim_input_close(input);
	return result;
}

int gim_input_member(struct gim_input *input, const char *name, struct gim_error *error)
{
	enum { DEPTH_MAX = 4 };
	uint8_t head[GIM_HEAD_BYTES];
	size_t size;
	for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
		int result = gim_input_peek(input, head, sizeof(head), &size, error);
		if (result) {
			gim_input_close(input);
			return result;
		}
		const struct gim_layer_kind *kind = gim_layer_find(head, size, true);
		result = gim_layer_open(input, kind, kind->parts ? name : NULL, error);
		if (result || kind->parts)
			return result;
	}
	gim_input_close(input);
	return gim_fail(error, GIM_E_LIMIT, GIM_UNKNOWN, "what is packed more than %d times is not opened: unpack it first", DEPTH_MAX);
}

void gim_names_add(struct gim_names *names, const char *name)
{
	const size_t length = strlen(name), room = sizeof(names->text) - names->used;
	const bool full = names->used && names->text[names->used - 1] == '.', fits = length + sizeof(", , ...") <= room;
	names->count++;
	if (!full)
		names->used += (size_t)snprintf(names->text + names->used, room, "%s%s", names->used ? ", " : "", fits ? name : "...");
}

int gim_layers_settings(struct gim_input *input, struct gim_text *settings, struct gim_error *error)
{
	for (unsigned depth = 0; depth < GIM_LAYERS_MAX; depth++) {
		uint8_t head[GIM_HEAD_BYTES];
		size_t size;
		int result = gim_input_peek(input, head, sizeof(head), &size, error);
		const struct gim_layer_kind *kind = result ? NULL : gim_layer_find(head, size, false);
		if (!result && kind)
			result = gim_layer_open(input, kind, NULL, error);
		if (result)
			return result;
		if (kind && kind->settings)
			return *settings = kind->settings(input->layer), 0;
		if (!kind)
			break;
	}
	return gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN, "nothing in it describes a VM as libvirt does; a save image of libvirt's does");
}

/* A bundle is written as one again. */
bool gim_state_is_part(const struct gim_state *state)
{
	unsigned parts = 0;
	for (const struct gim_layer *each = state->input.layer; each; each = each->below.layer)
		parts += each->kind->more;
	return parts > (state->origin ? 1 : 0);
}

int gim_layers_describe(struct gim_state *state, struct gim_error *error)
{
	int result = 0;
	for (struct gim_layer *each = state->input.layer; !result && each; each = each->below.layer)
		if (each->kind->describe && !gim_state_find(state, each->kind->record))
			result = each->kind->describe(each, state, error);
	return result;
}

/* The input of what path names, down to the layer that has snapshots. */
static int visit_snapshots(const char *path, gim_snapshot_fn *visit, void *user, struct gim_error *error)
{
	struct gim_input input;
	int result = gim_input_open(&input, path, error);
	bool visited = false;
	while (!result && !visited) {
		uint8_t head[GIM_HEAD_BYTES];
		size_t size;
		result = gim_input_peek(&input, head, sizeof(head), &size, error);
		const struct gim_layer_kind *kind = result ? NULL : gim_layer_find(head, size, false);
		visited = kind && kind->snapshots;
		if (!result && !kind)
			result = gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN, "it has no snapshots: images of disks have, as qcow2");
		else if (visited && !(result = gim_input_settle(&input, error)))
			result = kind->snapshots(&input, visit, user, error);
		else if (!result && kind)
			result = gim_layer_open(&input, kind, NULL, error);
	}
	gim_input_close(&input);
	return result;
}

int gim_snapshots_visit(const char *path, gim_snapshot_fn *visit, void *user, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	int result = visit_snapshots(path, visit, user, &own);
	/* The last name may be that of a snapshot. */
	const size_t file = gim_path_file(path);
	if (result == GIM_E_NO_UNIT && path[file]) {
		const char *last = path + file;
		for (const char *at = last; (at = strstr(at, "//")); at += 2)
			last = at;
		char *image = strndup(path, (size_t)(last - path));
		own = (struct gim_error)GIM_ERROR_INIT;
		result = image ? visit_snapshots(image, visit, user, &own) : gim_fail(&own, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
		free(image);
	}
	return result < 0 ? gim_fail_as(error, &own) : result;
}
