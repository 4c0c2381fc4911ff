/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Property: any bytes can be verified, but for what is wrapped in a form that we do not know; the answer is "no" exactly when an error was reported, and in what
 * is sound every unit can be read.
 */
#include "gimstate.h"

#include "fuzz.h"

static void count_errors(void *user, const struct gim_finding *finding)
{
	unsigned *errors = user;
	MUST(finding->rule && *finding->rule->id && finding->text && *finding->text);
	*errors += finding->rule->severity == GIM_ERROR;
}

static int verify(const uint8_t *bytes, size_t size, bool quick)
{
	const struct gim_verify_options options = {.quick = quick, .threads = 1};
	struct gim_error error = GIM_ERROR_INIT;
	unsigned errors = 0;
	int result = gim_verify_memory(bytes, size, &options, count_errors, &errors, &error);
	MUST(result == 0 || result == 1 || result == GIM_E_VERSION || result == GIM_E_UNSUPPORTED);
	MUST(error.code == (result < 0 ? result : 0));
	MUST(result < 0 || result == (errors > 0));
	return result;
}

static int swallow(void *user, const void *bytes, size_t size)
{
	(void)user, (void)bytes, (void)size;
	return 0;
}

static void read_all(const uint8_t *bytes, size_t size)
{
	struct gim_state *state = NULL;
	struct gim_unit unit = {.name = ""};
	int result;
	MUST(!gim_state_open_memory(bytes, size, &state, NULL));
	while ((result = gim_unit_next(state, &unit, NULL)) > 0)
		MUST(!gim_unit_read(state, &unit, swallow, NULL, NULL));
	MUST(!result);
	gim_state_free(&state);
}

FUZZ_STATES

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = fuzz_copy(bytes, size);
	for (unsigned round = 0; round < 2; round++) {
		const int quick = verify(copy, size, true), full = verify(copy, size, false);
		MUST(full >= quick);
		if (!full)
			read_all(copy, size);
		fuzz_reseal(copy, size);
	}
	free(copy);
	return 0;
}
