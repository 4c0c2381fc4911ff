/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Converting a state's guest interface: what is told of fields that are filled, dropped and lost, and that a refusal changes nothing. */
#include "gimstate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct heard {
	unsigned notes, errors;
	char lost[256];
};

static void hear(void *user, const struct gim_finding *finding)
{
	struct heard *heard = user;
	const size_t used = strlen(heard->lost);
	if (finding->severity == GIM_ERROR)
		(void)snprintf(heard->lost + used, sizeof(heard->lost) - used, "%s ", finding->path);
	heard->errors += finding->severity == GIM_ERROR;
	heard->notes += finding->severity == GIM_NOTE;
}

static int keep(void *user, const char *path, const struct gim_value *value)
{
	(void)path;
	*(struct gim_value *)user = *value;
	return 0;
}

static struct gim_value value_of(const struct gim_state *state, const char *path)
{
	struct gim_value value = {.presence = GIM_ABSENT};
	(void)gim_state_visit(state, path, keep, &value, NULL);
	return value;
}

static struct gim_state *open_sample(const char *path)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_open(path, &state, &error) || gim_state_decode(state, GIM_PART_GIM, NULL, NULL, &error))
		fail_msg("%s: %s", path, error.text);
	return state;
}

/* The debugger's ports came with layout 4; what they were is lost, and another layout that holds them fills in defaults. */
static void down_and_up(void **unused)
{
	struct gim_state *state = open_sample("samples/hyperv-4.sav");
	struct heard heard = {0};
	(void)unused;
	assert_int_equal(value_of(state, "hyperv.debug.udp_guest_dst_port").number, 0x50c3);
	assert_int_equal(gim_state_convert(state, "vbox-hyperv-3", hear, &heard, NULL), 1);
	assert_string_equal(heard.lost, "hyperv.debug.udp_guest_dst_port hyperv.debug.udp_guest_src_port ");
	assert_int_equal(value_of(state, "hyperv.debug.udp_guest_dst_port").presence, GIM_ABSENT);
	assert_int_equal(value_of(state, "hyperv.vp[1].sint[2]").number, 0x20052);
	heard = (struct heard){0};
	assert_int_equal(gim_state_convert(state, "vbox-hyperv-4", hear, &heard, NULL), 0);
	assert_int_equal(heard.errors, 0);
	assert_int_equal(heard.notes, 2);
	assert_int_equal(value_of(state, "hyperv.debug.udp_guest_dst_port").number, 0);
	assert_int_equal(value_of(state, "hyperv.guest_os_id").number, 0x1040a00004a65);
	gim_state_free(&state);
}

static void refusals(void **unused)
{
	static const char *const layouts[] = {"", "vbox-hyperv-9", "vbox-hyperv", "nothing"};
	struct gim_state *state = open_sample("samples/hyperv-4.sav");
	(void)unused;
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		struct gim_error error = GIM_ERROR_INIT;
		if (gim_state_convert(state, layouts[i], NULL, NULL, &error) >= 0)
			fail_msg("\"%s\" is no layout, and is taken", layouts[i]);
		assert_true(*error.text);
		assert_int_equal(value_of(state, "hyperv.debug.udp_guest_dst_port").number, 0x50c3);
	}
	gim_state_free(&state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(down_and_up),
	    cmocka_unit_test(refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
