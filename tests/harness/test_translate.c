/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What KVM and our APICs are given of a saved vCPU's fields, without KVM. */
#include "harness/cpuid_names.h"
#include "harness/guest_registers.h"
#include "harness/guest_resume.h"
#include "harness/resume_fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifdef __x86_64__

#define NOTHING UINT64_C(0xffffffff) /* no vector, no error code */

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

/* What was being delivered, as either product says it, and what the vCPU did then. */
static void test_events(void **unused)
{
	enum { NONE = -1, VIRTUALBOX, QEMU };
	enum { RUNS_STATE = 1, HALTED = 6, WAITS_STATE = 7, MP_HALTED = 3, MP_RUNNABLE = 0 };
	static const struct {
		int by;
		uint64_t vector, type, error_code, address; /* VirtualBox */
		uint64_t exception, interrupt, nmi;         /* QEMU */
		uint64_t state, mp_state;
		int wanted_exception, wanted_interrupt;
		bool has_error_code, wanted_nmi;
		int activity;
	} rows[] = {
	    {VIRTUALBOX, 0x41, 1, NOTHING, 0, 0, 0, 0, RUNS_STATE, 0, NONE, 0x41, false, false, VCPU_RUNS},
	    {VIRTUALBOX, 14, 0, 6, 0xcafe000, 0, 0, 0, RUNS_STATE, 0, 14, NONE, true, false, VCPU_RUNS},
	    {VIRTUALBOX, 3, 0, NOTHING, 0, 0, 0, 0, RUNS_STATE, 0, 3, NONE, false, false, VCPU_RUNS},
	    {VIRTUALBOX, 2, 0, NOTHING, 0, 0, 0, 0, RUNS_STATE, 0, NONE, NONE, false, true, VCPU_RUNS},
	    {VIRTUALBOX, 2, 3, NOTHING, 0, 0, 0, 0, RUNS_STATE, 0, NONE, NONE, false, true, VCPU_RUNS},
	    {VIRTUALBOX, 0x80, 2, NOTHING, 0, 0, 0, 0, RUNS_STATE, 0, NONE, NONE, false, false, VCPU_RUNS}, /* INT n runs again */
	    {VIRTUALBOX, NOTHING, 0, NOTHING, 0, 0, 0, 0, HALTED, 0, NONE, NONE, false, false, VCPU_HALTS},
	    {VIRTUALBOX, NOTHING, 0, NOTHING, 0, 0, 0, 0, WAITS_STATE, 0, NONE, NONE, false, false, VCPU_WAITS},
	    {VIRTUALBOX, 0x41, 1, NOTHING, 0, 0, 0, 0, HALTED, 0, NONE, 0x41, false, false, VCPU_RUNS}, /* which ends the wait */
	    {QEMU, 0, 0, 5, 0, 13, NOTHING, 0, 0, MP_RUNNABLE, 13, NONE, true, false, VCPU_RUNS},
	    {QEMU, 0, 0, 0, 0, NOTHING, 0xec, 0, 0, MP_RUNNABLE, NONE, 0xec, false, false, VCPU_RUNS},
	    {QEMU, 0, 0, 0, 0, NOTHING, NOTHING, 1, 0, MP_RUNNABLE, NONE, NONE, false, true, VCPU_RUNS},
	    {QEMU, 0, 0, 0, 0, NOTHING, NOTHING, 0, 0, MP_HALTED, NONE, NONE, false, false, VCPU_HALTS},
	    {QEMU, 0, 0, 0, 0, NOTHING, NOTHING, 0, 0, 1, NONE, NONE, false, false, VCPU_WAITS},
	};
	struct guest_options options = {.resume = true};
	struct guest guest = {.options = &options, .vm = {.tsc_hz = 1000000000}};
	struct saved_vcpu *saved = calloc(1, sizeof(*saved));
	(void)unused;
	assert_non_null(saved);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const bool qemu = rows[i].by == QEMU;
		const struct resume_clocks clocks = {.tsc_hz = 1000000000};
		struct resume_vcpu from = {.rflags = 0x202};
		from.apic.timer_expiry = UINT64_MAX;
		from.event.vector = qemu ? NOTHING : rows[i].vector;
		from.event.type = rows[i].type;
		from.event.error_code = rows[i].error_code;
		from.event.address = rows[i].address;
		from.injected.exception = qemu ? rows[i].exception : NOTHING;
		from.injected.has_error_code = qemu && rows[i].has_error_code;
		from.injected.interrupt = qemu ? rows[i].interrupt : NOTHING;
		from.injected.nmi = rows[i].nmi;
		from.run.state = rows[i].state;
		from.run.mp_state = rows[i].mp_state;
		guest_translate_vcpu(&guest, 0, &from, &clocks, 1000, saved);
		const struct kvm_vcpu_events *events = &saved->events;
		if ((events->exception.injected ? events->exception.nr : NONE) != rows[i].wanted_exception ||
		    (events->interrupt.injected ? events->interrupt.nr : NONE) != rows[i].wanted_interrupt ||
		    (events->exception.injected && events->exception.has_error_code) != rows[i].has_error_code ||
		    events->nmi.injected != rows[i].wanted_nmi || saved->activity != rows[i].activity)
			fail_msg("row %zu: exception %d, interrupt %d, activity %u", i,
			         events->exception.injected ? events->exception.nr : NONE,
			         events->interrupt.injected ? events->interrupt.nr : NONE, saved->activity);
		if (rows[i].has_error_code)
			assert_int_equal(events->exception.error_code, rows[i].error_code);
		if (rows[i].address)
			assert_int_equal(saved->sregs.cr2, rows[i].address);
	}
	free(saved);
}

/* Bits that a table which slipped by one would have wrong; and no two bits of one name. */
static void test_feature_names(void **unused)
{
	static const uint32_t leaves[] = {1, 7, 0x80000001};
	static const struct {
		uint32_t leaf;
		unsigned reg, bit;
		const char *name;
	} rows[] = {{1, 2, 0, "sse3"},
	            {1, 2, 26, "xsave"},
	            {1, 2, 31, "hypervisor"},
	            {1, 3, 26, "sse2"},
	            {1, 3, 31, "pbe"},
	            {7, 1, 5, "avx2"},
	            {7, 1, 31, "avx512vl"},
	            {7, 2, 16, "la57"},
	            {7, 2, 22, "rdpid"},
	            {7, 3, 31, "ssbd"},
	            {0x80000001, 2, 5, "lzcnt"},
	            {0x80000001, 3, 27, "rdtscp"},
	            {1, 2, 16, NULL},
	            {1, 0, 0, NULL},
	            {2, 2, 0, NULL},
	            {1, 2, 32, NULL}};
	const char *seen[3 * 4 * 32];
	unsigned count = 0;
	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *name = cpuid_feature_name(rows[i].leaf, rows[i].reg, rows[i].bit);
		if (rows[i].name)
			assert_string_equal(name, rows[i].name);
		else
			assert_null(name);
	}
	for (unsigned i = 0; i < 3 * 4 * 32; i++) {
		const char *name = cpuid_feature_name(leaves[i / 128], i / 32 % 4, i % 32);
		for (unsigned k = 0; name && k < count; k++)
			assert_string_not_equal(name, seen[k]);
		if (name)
			seen[count++] = name;
	}
	assert_true(count > 100);
}

#endif

int main(void)
{
#ifdef __x86_64__
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_timers), cmocka_unit_test(test_events),
	                                   cmocka_unit_test(test_feature_names)};
	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("SKIP guests are code of x86-64");
	return 77;
#endif
}
