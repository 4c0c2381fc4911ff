/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Property: a sound state with any bytes as its GIM unit can be decoded, printed and verified; what decodes encodes back byte for byte. */
#include "state.h"

#include "../wrap.h"
#include "fuzz.h"

#include <jansson.h>

static void ignore(void *user, const struct gim_finding *finding)
{
	(void)user;
	MUST(*finding->rule->id && *finding->text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct gim_buffer file = {.bytes = NULL}, back = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = NULL;
	json_t *json = NULL;
	if (!size)
		return 0;
	const unsigned vcpus = bytes[0] % 17;
	bytes++, size--;
	MUST(wrap_payload(vcpus, bytes, size, &file));
	MUST(gim_verify_memory(file.bytes, file.size, NULL, ignore, NULL, NULL) >= 0);
	MUST(!gim_state_open_memory(file.bytes, file.size, &state, NULL));
	const int result = gim_state_decode(state, GIM_PART_GIM, ignore, NULL, &error);
	MUST(result ? result == error.code && *error.text : !error.code);
	MUST(!gim_state_json(state, NULL, &json, NULL));
	json_decref(json);
	if (!result) {
		MUST(!gim_unit_encode(state, &state->codec, &back, NULL));
		MUST(back.size == size && (!size || !memcmp(back.bytes, bytes, size)));
	}
	gim_state_free(&state);
	gim_buffer_free(&file);
	gim_buffer_free(&back);
	return 0;
}
