/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gimstate profile: a target as JSON, to keep and to check against. */
#include "command.h"
#include "harness/host.h"
#include "output.h"

#include <string.h>

int run_profile(const struct options *options, int count, char **operands)
{
	struct gim_target *target = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	json_t *json = NULL;
	(void)count;
	if (!strcmp(operands[0], "host"))
		(void)host_target(&target, &error);
	else
		(void)gim_target_open(operands[0], NULL, &target, &error);
	if (!error.code)
		(void)gim_target_json(target, &json, &error);
	gim_target_free(&target);
	if (error.code)
		return output_error(operands[0], &error, options->json), EXIT_NO_ANSWER;
	output_document(json, false);
	return EXIT_YES;
}
