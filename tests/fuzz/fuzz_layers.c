/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fuzzes what a state may be wrapped in: images of disks with their snapshots, libvirt's save images, archives, and each of these in another. */
#include "fuzz.h"

#include "layer.h"
#include "state.h"

enum { READ_MAX = 1 << 20, SNAPSHOTS_MAX = 8 };

/* From the beginning, and, where that can be done, from the end. */
static void read_some(struct gim_input *input)
{
	uint8_t piece[5000];
	size_t got = sizeof(piece);
	int result = 0;
	for (uint64_t at = 0; !result && got == sizeof(piece) && at < READ_MAX; at += got) {
		struct gim_error error = GIM_ERROR_INIT;
		result = gim_input_read(input, at, piece, sizeof(piece), &got, &error);
		MUST((result < 0) == (error.code != 0));
		MUST(result || got <= sizeof(piece));
	}
	if (input->seekable && input->size > READ_MAX) {
		struct gim_error error = GIM_ERROR_INIT;
		result = gim_input_read(input, input->size - 100, piece, sizeof(piece), &got, &error);
		MUST(result < 0 ? error.code != 0 : got == 100);
	}
}

struct names {
	unsigned count;
	char names[SNAPSHOTS_MAX][64];
};

static int take(void *user, const struct gim_snapshot *snapshot)
{
	struct names *names = (struct names *)user;
	if (names->count < SNAPSHOTS_MAX)
		(void)snprintf(names->names[names->count++], sizeof(names->names[0]), "%s", snapshot->id);
	return 0;
}

/* Every snapshot of an image. */
static void open_parts(const uint8_t *bytes, size_t size, const struct gim_layer_kind *kind)
{
	struct gim_input input;
	struct names names = {.count = 0};
	gim_input_open_memory(&input, bytes, size);
	(void)kind->snapshots(&input, take, &names, NULL);
	gim_input_close(&input);
	for (unsigned i = 0; i < names.count; i++) {
		struct gim_error error = GIM_ERROR_INIT;
		gim_input_open_memory(&input, bytes, size);
		const int result = gim_layer_open(&input, kind, names.names[i], &error);
		MUST((result < 0) == (error.code != 0));
		if (!result)
			read_some(&input);
		gim_input_close(&input);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct gim_input input;
	const struct gim_format *format;
	struct gim_error error = GIM_ERROR_INIT;
	uint8_t *copy = fuzz_copy(bytes, size);
	const struct gim_layer_kind *kind = gim_layer_find(copy, size, false);
	gim_input_open_memory(&input, copy, size);
	const int result = gim_format_find(&input, &format, &error);
	MUST((result < 0) == (error.code != 0));
	if (!result)
		read_some(&input);
	gim_input_close(&input);
	if (kind && kind->snapshots)
		open_parts(copy, size, kind);
	free(copy);
	return 0;
}
