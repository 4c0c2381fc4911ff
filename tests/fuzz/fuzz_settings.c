/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fuzzes the reader of VMs' settings files, and the profiles that it makes. */
#include "fuzz.h"

#include "target.h"
#include "vbox/settings.h"

#include <jansson.h>

static int take(void *user, struct gim_setup *setup)
{
	json_t *json = NULL;
	(void)user;
	if (!gim_target_json(setup->target, &json, NULL))
		json_decref(json);
	return setup->snapshot && setup->snapshot[0] == '!';
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct gim_input input;
	struct gim_error error = GIM_ERROR_INIT;
	gim_input_open_memory(&input, bytes, size);
	const int result = vbox_settings(&input, "folder/vm.vbox", take, NULL, &error);
	MUST((result < 0) == (error.code != 0));
	gim_input_close(&input);
	return 0;
}
