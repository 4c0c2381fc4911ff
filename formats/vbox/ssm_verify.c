/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Judging a saved state's integrity: the reader goes through the whole file, and what stops it is a finding; then it goes on at the next unit. */
#include "error.h"
#include "state.h"
#include "vbox/crc.h"
#include "vbox/ssm.h"
#include "vbox/verify.h"

#include <string.h>

static void found(gim_report_fn *report, void *user, const char *rule, const struct gim_error *error)
{
	gim_report(report, user, rule, GIM_ERROR, error->offset, error->unit[0] ? error->unit : NULL, "%s", error->text);
}

int ssm_verify(struct gim_input *input, const struct gim_verify_options *options, gim_report_fn *report, void *user,
               struct gim_error *error)
{
	struct ssm_stream stream;
	struct gim_error stop = GIM_ERROR_INIT;
	int result = ssm_open(&stream, input, &stop);
	struct gim_unit unit = {.offset = 0};
	while (!result && !options->quick && (result = ssm_next(&stream, &unit, &stop)) > 0) {
		uint8_t bytes[16384];
		size_t got = 1;
		result = 0;
		while (!result && got)
			result = ssm_read(&stream, bytes, sizeof(bytes), &got, &stop);
		if (result)
			gim_error_unit(&stop, unit.name, unit.instance);
	}
	ssm_close(&stream);
	if (result == GIM_E_IO || result == GIM_E_MEMORY)
		return error && !error->code ? *error = stop, result : result;
	if (result)
		found(report, user, "SSM-STRUCTURE", &stop);
	return 0;
}
