/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate units: the units in the order of the file, with their sizes. */
#include "command.h"
#include "output.h"
#include "source.h"

#include <inttypes.h>
#include <string.h>

enum { NAME_COLUMNS = 24 };

static void put_head(void)
{
	printf("%-*s %8s %5s %11s %12s %12s %6s\n", NAME_COLUMNS, "UNIT", "VERSION", "PASS", "OFFSET", "STORED", "UNPACKED", "SHARE");
}

static void put_size(uint64_t size)
{
	if (size == GIM_UNKNOWN)
		printf(" %12s", "?");
	else
		printf(" %12" PRIu64, size);
}

static void put_unit(const struct gim_unit *unit, uint64_t file_bytes)
{
	char name[GIM_UNIT_NAME_BYTES + 16], pass[16] = "final", offset[24];
	(void)snprintf(name, sizeof(name), "%s/%" PRIu32, unit->name, unit->instance);
	if (unit->pass != GIM_PASS_FINAL)
		(void)snprintf(pass, sizeof(pass), "%" PRIu32, unit->pass);
	(void)snprintf(offset, sizeof(offset), "0x%" PRIx64, unit->offset);
	put_safe(stdout, name);
	printf("%*s %8" PRIu32 " %5s %11s", strlen(name) < NAME_COLUMNS ? NAME_COLUMNS - (int)strlen(name) : 0, "", unit->version, pass,
	       offset);
	put_size(unit->stored_bytes);
	put_size(unit->payload_bytes);
	if (file_bytes && unit->stored_bytes != GIM_UNKNOWN)
		printf(" %5.1f%%", 100.0 * (double)unit->stored_bytes / (double)file_bytes);
	else
		printf(" %6s", "?");
	puts(unit->decodable ? "  decodable" : "");
}

static int list(struct gim_state *state, json_t *units, struct gim_error *error)
{
	struct gim_value size;
	const uint64_t file_bytes = value_look_up(state, "source.size_bytes", &size) ? size.number : 0;
	struct gim_unit unit = {.offset = 0};
	int result;
	if (!units)
		put_head();
	while ((result = gim_unit_next(state, &unit, error)) > 0 && !ferror(stdout)) {
		if (units)
			(void)json_array_append_new(units, unit_json(&unit));
		else
			put_unit(&unit, file_bytes);
	}
	return result < 0 ? result : 0;
}

int run_units(const struct options *options, int count, char **operands)
{
	(void)count;
	const char *file = operands[0];
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	json_t *body = NULL;
	if (source_open(file, SOURCE_WHOLE, false, &state, &error))
		return output_error(file, &error, options->json);
	json_t *units = options->json ? json_array() : NULL;
	(void)list(state, units, &error);
	if (!options->json) {
		if (error.code)
			(void)output_error(file, &error, false);
	} else {
		(void)gim_state_json(state, "source", &body, &error);
		body = body ? body : json_object();
		(void)json_object_set_new(body, "units", units);
		if (error.code)
			(void)json_object_set_new(body, "error", error_json(file, &error));
		output_document(body, false);
	}
	gim_state_free(&state);
	return error_decode_status(&error);
}
