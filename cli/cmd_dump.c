/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate dump: the fields of the guest interface, of one unit, or of all; or a unit's bytes. */
#include "command.h"
#include "output.h"
#include "source.h"
#include "unit_name.h"

#include <inttypes.h>

static int put_raw(void *user, const void *bytes, size_t size)
{
	(void)user;
	return fwrite(bytes, 1, size, stdout) != size;
}

/* What was decoded, then what is odd about it, then the error that ended it. */
static int print_state(struct gim_state *state, const char *file, const struct options *options, const struct remarks *remarks,
                       struct gim_error *error)
{
	if (options->json) {
		json_t *body = NULL;
		if (gim_state_json(state, NULL, &body, error))
			return output_error(file, error, true);
		remarks_json(remarks, error, body);
		if (error->code)
			(void)json_object_set_new(body, "error", error_json(file, error));
		output_document(body, false);
		return error_decode_status(error);
	}
	/* Of one unit only what it holds: all else is absent because other units hold it. */
	struct fields fields = {.meanings = true, .stored_only = options->unit, .skip = options->unit ? "source." : NULL};
	(void)gim_state_visit(state, NULL, fields_put, &fields, error);
	fields_end(&fields);
	remarks_print(remarks, error);
	if (error->code)
		(void)output_error(file, error, false);
	return error_decode_status(error);
}

/* A unit that no table knows: its size and its bytes. */
static int print_bytes(struct gim_state *state, const char *file, const struct gim_unit *unit, const struct options *options,
                       struct gim_error *error)
{
	struct hex hex = {.offset = 0};
	if (options->json) {
		output_document(json_pack("{s:o}", "unit", unit_json(unit)), false);
		return EXIT_YES;
	}
	const int result = gim_unit_read(state, unit, options->raw ? put_raw : hex_put, &hex, error);
	hex_end(&hex);
	return result && result != GIM_E_STOPPED ? output_error(file, error, false) : EXIT_YES;
}

static int dump_unit(struct gim_state *state, const char *file, const struct options *options, struct remarks *remarks,
                     struct gim_error *error)
{
	struct gim_unit unit;
	if (unit_by_name(state, options->unit ? options->unit : "GIM", &unit, error))
		return output_error(file, error, options->json);
	if (options->raw || options->hex)
		return print_bytes(state, file, &unit, options, error);
	if (!unit.decodable) {
		if (!options->json)
			fprintf(stderr, "# note: no table knows version %" PRIu32 " of this unit; these are its bytes\n", unit.version);
		return print_bytes(state, file, &unit, options, error);
	}
	(void)gim_state_decode_unit(state, &unit, remarks_take, remarks, error);
	return print_state(state, file, options, remarks, error);
}

int run_dump(const struct options *options, int count, char **operands)
{
	(void)count;
	const char *file = operands[0];
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	struct remarks remarks = {NULL};
	const bool whole = options->all || options->unit || options->raw || options->hex;
	int status;
	if (options->all + options->raw + options->hex > 1 || (options->all && options->unit))
		return usage_error(command_find("dump"), options->json,
		                   "--all, --raw and --hex exclude each other, and --all excludes --unit");
	if (options->pages && (options->unit || options->raw || options->hex))
		return usage_error(command_find("dump"), options->json, "--pages shows the guest interface's, not a unit's");
	if (options->json && (options->raw || options->hex))
		return usage_error(command_find("dump"), true,
		                   "--raw and --hex print bytes, --json prints a document: only one is possible");
	if (source_open(file, whole ? SOURCE_WHOLE : SOURCE_FIELDS, options->pages, &state, &error)) {
		status = output_error(file, &error, options->json);
	} else if (options->unit || options->raw || options->hex) {
		status = dump_unit(state, file, options, &remarks, &error);
	} else {
		const unsigned parts = GIM_PART_GIM | (options->all ? GIM_PART_GUEST : 0) | (options->pages ? GIM_PART_PAGES : 0);
		(void)gim_state_decode(state, parts, remarks_take, &remarks, &error);
		status = print_state(state, file, options, &remarks, &error);
	}
	remarks_free(&remarks);
	gim_state_free(&state);
	return status;
}
