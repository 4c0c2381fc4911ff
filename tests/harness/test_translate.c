/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What KVM and our APICs are given of a saved vCPU's fields, without KVM. */
#include "harness/guest_registers.h"
#include "harness/guest_resume.h"
#include "harness/resume_fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#ifdef __x86_64__

/* The APIC's timer in each of its modes: what it had left, by the TSC's speed here. Numbers that mean nothing come to no harm. */
static void test_timers(void **unused)
{
	static const struct {
		uint64_t lvt, tsc, deadline, state, expiry, now, due;
	} rows[] = {
	    {0x40040, 1000, 3000, 0, UINT64_MAX, 0, 1000000 + 4000 + 1}, /* a deadline; the TSC is twice as fast here */
	    {0x40040, 5000, 3000, 0, UINT64_MAX, 0, 1000000 + 1},        /* which is over */
	    {0x40040, 1000, 0, 0, UINT64_MAX, 0, 0},                     /* none */
	    {0x40040, 1000, 0, 7, 3000, 1000, 0},                        /* the other modes' timer is not of this one */
	    {0x40040, 0, UINT64_MAX, 0, 0, 0, 1000000 + (UINT64_C(1) << 62) + 1},
	    {0x20040, 1000, 3000, 0, 3000, 1000, 1000000 + 4000 + 1}, /* periodic, of a container without a state */
	    {0x20040, 1000, 3000, 0, UINT64_MAX, 1000, 0},
	    {0x00040, 1000, 3000, 7, 3000, 1000, 1000000 + 4000 + 1}, /* once, armed */
	    {0x00040, 1000, 3000, 4, 3000, 1000, 0},                  /* stopped */
	    {0x00040, 0, 0, 7, UINT64_MAX, 0, 1000000 + (UINT64_C(1) << 62) + 1},
	};
	struct guest_options options = {.resume = true};
	struct guest guest = {.options = &options, .vm = {.tsc_hz = 2000000000}};
	struct saved_vcpu *saved = calloc(1, sizeof(*saved));
	(void)unused;
	assert_non_null(saved);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct resume_clocks clocks = {.tsc_hz = 1000000000, .virtual_sync_ns = rows[i].now};
		struct resume_vcpu from = {.tsc = rows[i].tsc, .tsc_deadline = rows[i].deadline};
		from.apic.lvt_timer = rows[i].lvt;
		from.apic.timer_state = rows[i].state;
		from.apic.timer_expiry = rows[i].expiry;
		guest_translate_vcpu(&guest, 0, &from, &clocks, 1000000, saved);
		if (saved->apic.timer_due_tsc != rows[i].due)
			fail_msg("row %zu: due at %llu", i, (unsigned long long)saved->apic.timer_due_tsc);
	}
	free(saved);
}

#endif

int main(void)
{
#ifdef __x86_64__
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_timers)};
	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("SKIP guests are code of x86-64");
	return 77;
#endif
}
