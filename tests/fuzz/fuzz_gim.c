/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Property: a sound state with any bytes as its GIM unit can be decoded, printed and verified; what decodes encodes back byte for byte. */
#include "state.h"
#include "vbox/ssm_write.h"

#include "fuzz.h"

#include <jansson.h>

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes(user, bytes, size);
	return 0;
}

/* A state of two units: vmm, whose size tells how many vCPUs there are (0: leave it out), and GIM. */
static void wrap(unsigned vcpus, const uint8_t *bytes, size_t size, struct gim_buffer *file)
{
	static const uint8_t started[16 + 4] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0xff, 0xff, 0xff, 0xff};
	static const struct ssm_write_options options = {7, 1, 6, 167084, 64, 8, 8, true, false, 2};
	struct ssm_writer *writer = NULL;
	MUST(!ssm_writer_new(&options, collect, file, &writer, NULL));
	if (vcpus) {
		MUST(!ssm_writer_unit(writer, "vmm", 1, 4, GIM_PASS_FINAL, NULL));
		MUST(!ssm_writer_data(writer, SSM_WRITE_AUTO, started + 17 - vcpus, vcpus + 3, NULL));
	}
	MUST(!ssm_writer_unit(writer, "GIM", 0, 1, GIM_PASS_FINAL, NULL));
	MUST(!ssm_writer_data(writer, SSM_WRITE_AUTO, bytes, size, NULL));
	MUST(!ssm_writer_finish(writer, NULL));
	ssm_writer_free(&writer);
	MUST(!file->failed);
}

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
	wrap(vcpus, bytes, size, &file);
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
