/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Profiles: any text is one or is refused with a sentence; one that is read is written, and read again as the same. */
#include "gimstate.h"

#include "fuzz.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct gim_target *target = NULL, *again = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	json_t *json = NULL, *second = NULL;
	const int result = gim_target_open_json("fuzzed", (const char *)bytes, size, &target, &error);
	MUST((result < 0) == (error.code != 0));
	if (result)
		return 0;
	MUST(!gim_target_json(target, &json, NULL));
	char *text = json_dumps(json, JSON_COMPACT);
	MUST(text && !gim_target_open_json("again", text, strlen(text), &again, NULL));
	MUST(!gim_target_json(again, &second, NULL) && json_equal(json, second));
	free(text);
	json_decref(json);
	json_decref(second);
	gim_target_free(&target);
	gim_target_free(&again);
	return 0;
}
