/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Property: of any bytes, as a whole state and as the payload of VirtualBox's unit pgm, memory can be found and gone through; what is there can be read, or fails with a sentence that says why. */
#include "gimstate.h"
#include "vbox/ssm_write.h"

#include "fuzz.h"

enum { RANGES_MAX = 300, RUNS_MAX = 200, PAGE = 4096 };

static void check(int result, const struct gim_error *error)
{
	MUST(result >= 0 ? !error->code : error->code == result && *error->text && *gim_code_name(result));
}

/* Pages of the address space in order: each run is of one kind, and not empty. */
static void go_through(struct gim_memory *memory)
{
	const uint64_t end = gim_memory_end(memory);
	uint8_t page[PAGE];
	uint64_t size;
	for (uint64_t gpa = 0, run = 0; gpa < end && run < RUNS_MAX; gpa += size, run++) {
		struct gim_error error = GIM_ERROR_INIT;
		const enum gim_memory_kind kind = gim_memory_at(memory, gpa, &size);
		MUST(size && gpa + size > gpa && gim_memory_at(memory, gpa + size - 1, NULL) == kind);
		const int result = gim_memory_read(memory, gpa, page, sizeof(page), &error);
		check(result, &error);
		MUST((result == GIM_E_ARGUMENT) == (kind == GIM_MEMORY_HOLE));
	}
	MUST(gim_memory_at(memory, end, &size) == GIM_MEMORY_HOLE && size == GIM_UNKNOWN);
}

static int count_chunk(void *user, const struct gim_memory_chunk *chunk, void *kept)
{
	uint64_t *bytes = (uint64_t *)user;
	MUST(!kept && chunk->size_bytes && chunk->gpa >= bytes[1]);
	bytes[0] += chunk->size_bytes;
	bytes[1] = chunk->gpa + chunk->size_bytes;
	return bytes[0] > (uint64_t)16 << 20;
}

static void look(struct gim_state *state)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_memory *memory = NULL;
	struct gim_memory_range range;
	int result = gim_memory_open(state, NULL, &memory, &error);
	check(result, &error);
	MUST(!result == !!memory);
	if (!memory)
		return;
	for (unsigned i = 0; i < RANGES_MAX && gim_memory_range(memory, i, &range); i++) {
		uint8_t bytes[16];
		error = (struct gim_error)GIM_ERROR_INIT;
		check(gim_memory_read_range(memory, i, range.size_bytes / 2, bytes, sizeof(bytes), &error), &error);
	}
	go_through(memory);
	uint64_t bytes[2] = {0, 0};
	const struct gim_memory_walk walk = {.threads = 1, .more_bytes = 5, .skip_zeros = true, .done = count_chunk, .user = bytes};
	error = (struct gim_error)GIM_ERROR_INIT;
	check(gim_memory_walk(memory, &walk, &error), &error);
	gim_memory_free(&memory);
	error = (struct gim_error)GIM_ERROR_INIT;
	check(gim_state_decode(state, GIM_PART_PAGES, NULL, NULL, &error), &error);
}

static void open_and_look(const uint8_t *bytes, size_t size)
{
	struct gim_state *state = NULL;
	if (!gim_state_open_memory(bytes, size, &state, NULL))
		look(state);
	gim_state_free(&state);
}

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

/* The first byte says in which version, live or not, and in what records the rest is the payload. */
static void as_payload(const uint8_t *bytes, size_t size)
{
	static const enum ssm_write_as forms[] = {SSM_WRITE_AUTO, SSM_WRITE_RAW};
	const bool live = bytes[0] & 1;
	const uint32_t version = 9 + (bytes[0] >> 1) % 6;
	const enum ssm_write_as form = forms[bytes[0] >> 4 & 1];
	const struct ssm_write_options options = {7, 2, 22, 175245, 64, 8, 8, false, live, 1};
	struct gim_buffer file = {.bytes = NULL};
	struct ssm_writer *writer = NULL;
	MUST(!ssm_writer_new(&options, collect, &file, &writer, NULL));
	/* Of a live save the payload is both the first pass and the last. */
	for (uint32_t pass = live ? 0 : GIM_PASS_FINAL;; pass = GIM_PASS_FINAL) {
		MUST(!ssm_writer_unit(writer, "pgm", 1, version, pass, NULL));
		for (size_t at = 1, step; at < size; at += step) {
			step = size - at < 700 ? size - at : 700;
			MUST(!ssm_writer_data(writer, form, bytes + at, step, NULL));
		}
		if (pass == GIM_PASS_FINAL)
			break;
	}
	MUST(!ssm_writer_finish(writer, NULL));
	ssm_writer_free(&writer);
	open_and_look(file.bytes, file.size);
	gim_buffer_free(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = fuzz_copy(bytes, size);
	open_and_look(copy, size);
	fuzz_reseal(copy, size);
	open_and_look(copy, size);
	if (size)
		as_payload(copy, size);
	free(copy);
	return 0;
}
