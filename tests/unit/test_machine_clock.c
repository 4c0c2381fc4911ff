/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The runtime core's clock and deadlines, and the arithmetic with 128 bits under them. */
#include "test_provider.h"

static void built_in_clock(void **unused)
{
	(void)unused;
	struct gim_machine *machine = running(&(struct gim_machine_config){.vcpus = 1, .tsc_hz = 2000000000}, NULL);
	assert_true(gim_machine_deadline(machine) == GIM_UNKNOWN);
	gim_machine_step(machine, 5000);
	assert_int_equal(gim_machine_tsc(machine), 5000);
	assert_int_equal(gim_machine_utc_ns(machine), 2500);
	assert_int_equal(gim_machine_virtual_ns(machine), 2500);
	assert_int_equal(gim_machine_wrmsr(machine, 0, 0x40000030, 4999), GIM_ACCESS_GP);
	assert_int_equal(gim_machine_wrmsr(machine, 0, 0x40000030, 6000), GIM_ACCESS_DONE);
	assert_int_equal(gim_machine_deadline(machine), 6000);
	gim_machine_step(machine, 999);
	assert_int_equal(own(machine)->alarms, 0);
	/* Each at its own time, in one step. */
	gim_machine_step(machine, 10000);
	assert_int_equal(own(machine)->alarms, 3);
	assert_int_equal(own(machine)->rung[0], 6000);
	assert_int_equal(own(machine)->rung[1], 7000);
	assert_int_equal(own(machine)->rung[2], 8000);
	assert_int_equal(gim_machine_tsc(machine), 15999);
	gim_machine_step(machine, UINT64_MAX);
	assert_true(gim_machine_tsc(machine) == UINT64_MAX - 1);
	gim_machine_free(&machine);
}

static uint64_t host_tsc(void *user)
{
	return *(uint64_t *)user;
}
static uint64_t host_utc(void *user)
{
	return *(uint64_t *)user * 10;
}

static void host_clock(void **unused)
{
	(void)unused;
	uint64_t now = 1000000;
	const struct gim_host host = {.user = &now, .tsc = host_tsc, .utc_ns = host_utc};
	struct gim_machine *machine = running(&plain, &host);
	assert_int_equal(gim_machine_tsc(machine), 1000000);
	assert_int_equal(gim_machine_utc_ns(machine), 10000000);
	assert_int_equal(gim_machine_wrmsr(machine, 0, 0x40000030, 1000500), GIM_ACCESS_DONE);
	now = 1000700;
	gim_machine_step(machine, 5); /* the clock is not the machine's */
	assert_int_equal(own(machine)->alarms, 0);
	assert_int_equal(gim_machine_deadline(machine), 1000500);
	gim_machine_advance(machine);
	assert_int_equal(own(machine)->alarms, 1);
	assert_int_equal(own(machine)->rung[0], 1000700);
	gim_machine_advance(machine);
	assert_int_equal(own(machine)->alarms, 1);
	gim_machine_free(&machine);
}

static uint64_t noise(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed >> (*seed % 61);
}

static void scale(void **unused)
{
	(void)unused;
	uint64_t seed = 88172645463325252u;
	assert_true(gim_mul_high_portable(UINT64_MAX, UINT64_MAX) == UINT64_MAX - 1);
	assert_true(gim_div_wide_portable(UINT64_MAX - 1, UINT64_MAX, UINT64_MAX) == UINT64_MAX);
	assert_true(gim_div_wide_portable(0, 7, 2) == 3);
	assert_true(gim_mul_div(UINT64_MAX, 1000, UINT64_MAX) == 1000);
	assert_true(gim_div_high(1, 2) == UINT64_C(1) << 63);
	for (unsigned i = 0; i < 200000; i++) {
		const uint64_t a = noise(&seed), b = noise(&seed), c = noise(&seed) | 1;
		assert_true(gim_mul_high_portable(a, b) == gim_mul_high(a, b));
		assert_true(gim_div_wide_portable(a, b, c) == gim_div_wide(a, b, c));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(built_in_clock),
	    cmocka_unit_test(host_clock),
	    cmocka_unit_test(scale),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
