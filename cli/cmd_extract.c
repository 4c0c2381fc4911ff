/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate extract: a unit's payload, a field's bytes or guest memory, to standard output or to a file that is written whole or not at all. */
#include "command.h"
#include "guest_memory.h"
#include "output.h"
#include "source.h"
#include "unit_name.h"
#include "written.h"

#include <stdlib.h>
#include <string.h>

struct sink {
	struct gim_output *output; /* NULL: standard output */
	uint64_t size;
};

static int put(void *user, const void *bytes, size_t size)
{
	struct sink *sink = (struct sink *)user;
	sink->size += size;
	return sink->output ? gim_output_write(sink->output, bytes, size) : fwrite(bytes, 1, size, stdout) != size;
}

/*
 * What is extracted.
 */
struct found {
	const char *wanted_magic; /* of a byte string; NULL: any */
	struct gim_value value;
	unsigned count;
};

static int keep_bytes(void *user, const char *path, const struct gim_value *value)
{
	struct found *found = (struct found *)user;
	(void)path;
	const size_t magic_bytes = found->wanted_magic ? strlen(found->wanted_magic) : 0;
	if (value->presence == GIM_ABSENT || value->kind != GIM_VALUE_BYTES || value->length_bytes < magic_bytes)
		return 0;
	if (magic_bytes && memcmp(value->bytes, found->wanted_magic, magic_bytes) != 0)
		return 0;
	if (!found->count++)
		found->value = *value;
	return 0;
}

static int write_field(struct gim_state *state, const struct options *options, struct sink *sink, struct gim_error *error)
{
	struct found found = {.wanted_magic = options->screenshot ? "\211PNG\r\n\032\n" : NULL};
	const unsigned parts = options->screenshot ? GIM_PART_GUEST : gim_state_parts(state, options->field);
	struct gim_error decoding = GIM_ERROR_INIT;
	if (parts)
		(void)gim_state_decode(state, parts, NULL, NULL, &decoding);
	if (gim_state_visit(state, options->field, keep_bytes, &found, error))
		return error->code;
	if (!found.count && decoding.code)
		return *error = decoding, decoding.code;
	if (!found.count && options->screenshot)
		return error_set(error, GIM_E_NO_UNIT, "it holds no screenshot");
	if (found.count != 1 && !options->screenshot)
		return error_set(error, found.count ? GIM_E_ARGUMENT : GIM_E_NO_UNIT,
		                 found.count ? "%s is more than one byte string; gimstate get lists them" : "%s holds no bytes",
		                 options->field);
	return put(sink, found.value.bytes, found.value.length_bytes) ? GIM_E_STOPPED : 0;
}

static int write_payload(struct gim_state *state, const struct options *options, struct sink *sink, struct gim_error *error)
{
	struct gim_unit unit;
	if (!options->unit)
		return write_field(state, options, sink, error);
	if (unit_by_name(state, options->unit, &unit, error))
		return error->code;
	return gim_unit_read(state, &unit, put, sink, error);
}

static int write_file(struct gim_state *state, const char *file, const struct options *options, struct sink *sink, struct gim_error *error)
{
	struct gim_output *output;
	if (input_is(file, options->output))
		return error_set(error, GIM_E_ARGUMENT, "%s is the input itself: name another OUT", options->output);
	if (written_new(options->output, options->force, &output, error))
		return error->code;
	sink->output = output;
	return output_end(output, write_payload(state, options, sink, error), error);
}

static int extract(const char *file, const struct options *options, struct sink *sink, struct gim_error *error)
{
	struct gim_state *state = NULL;
	if (source_open(file, SOURCE_WHOLE, false, &state, error))
		return error->code;
	int result = options->output ? write_file(state, file, options, sink, error) : write_payload(state, options, sink, error);
	gim_state_free(&state);
	/* A full standard output is told at the end, for all commands alike. */
	return result == GIM_E_STOPPED ? 0 : result;
}

/*
 * Guest memory.
 */
static int export_memory(struct guest_memory *memory, const struct options *options, const char *path, struct gim_error *error)
{
	struct gim_output *output;
	const struct gim_export_options how = {.progress = progress_step, .progress_user = &memory->progress};
	if (written_new(path, options->force, &output, error))
		return error->code;
	progress_start(&memory->progress, path);
	int result = gim_memory_export(memory->memory, options->elf ? GIM_EXPORT_ELF : GIM_EXPORT_RAW, &how, output, error);
	progress_clear(&memory->progress);
	return output_end(output, result, error);
}

static int run_extract_memory(const struct options *options, const char *file)
{
	struct guest_memory memory = {.state = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	const char *path = options->elf ? options->elf : options->output;
	int result = guest_memory_open(&memory, file, options->index, &error);
	if (!result && memory.machine)
		result = error_set(&error, GIM_E_UNSUPPORTED, "it is a file's memory that is extracted: stop the machine first");
	if (!result && input_is(file, path))
		result = error_set(&error, GIM_E_ARGUMENT, "%s is the input itself: name another OUT", path);
	if (!result)
		result = export_memory(&memory, options, path, &error);
	int status = result ? memory_failed(&memory, file, &error, options->json) : EXIT_YES;
	if (!result && options->json)
		output_document(json_pack("{s:o, s:o, s:o}", "file", json_text(file), "output", json_text(path), "size_bytes",
		                          size_json(gim_memory_ram_bytes(memory.memory))),
		                false);
	guest_memory_free(&memory);
	return status;
}

int run_extract(const struct options *options, int count, char **operands)
{
	(void)count;
	struct options own = *options;
	struct sink sink = {.output = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	const struct command *command = command_find("extract");
	if (!options->unit + !options->field + !options->screenshot + !options->ram + !options->elf != 4)
		return usage_error(command, options->json, "extract needs one of --unit, --field, --screenshot, --ram and --elf");
	if ((options->ram && (!options->output || !strcmp(options->output, "-"))) || (options->elf && options->output))
		return usage_error(command, options->json, "memory is written to one file: --ram -o OUT, or --elf OUT");
	if (options->ram || options->elf)
		return run_extract_memory(options, operands[0]);
	if (own.output && !strcmp(own.output, "-"))
		own.output = NULL;
	if (own.json && !own.output)
		return usage_error(command, true, "extract --json needs -o OUT: standard output cannot hold both");
	if (extract(operands[0], &own, &sink, &error))
		return output_error(operands[0], &error, own.json);
	if (own.json) {
		json_t *body = json_object();
		(void)json_object_set_new(body, "file", json_text(operands[0]));
		(void)json_object_set_new(body, "output", json_text(own.output));
		(void)json_object_set_new(body, "size_bytes", size_json(sink.size));
		output_document(body, false);
	}
	return EXIT_YES;
}
