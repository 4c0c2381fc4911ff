/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows HV-SY: the synthetic interrupt controller's registers, and interrupts of all its sources on all vCPUs.
 * "rounds=N": so often. */
#include "hyperv.h"

#define VECTOR_FIRST 0xb0
#define AUTO_EOI (1u << 3 | 1u << 8 | 1u << 10 | 1u << 14)

static volatile uint32_t taken[VCPUS_MAX], seen[VCPUS_MAX], faults;
static uint32_t rounds;

static void take(uint32_t sint)
{
	seen[this_vcpu()] |= 1u << sint;
	taken[this_vcpu()]++;
}

/* clang-format off */
#define HANDLER(n) static void take_##n(void) { take(n); }
HANDLER(0) HANDLER(1) HANDLER(2) HANDLER(3) HANDLER(4) HANDLER(5) HANDLER(6) HANDLER(7)
HANDLER(8) HANDLER(9) HANDLER(10) HANDLER(11) HANDLER(12) HANDLER(13) HANDLER(14) HANDLER(15)
    /* clang-format on */

    static void (*const handlers[HV_SINTS])(void) = {take_0, take_1, take_2,  take_3,  take_4,  take_5,  take_6,  take_7,
                                                     take_8, take_9, take_10, take_11, take_12, take_13, take_14, take_15};

static void read_all(void)
{
	static const uint32_t msrs[] = {HV_SVERSION, HV_SIMP, HV_SIEFP, HV_SCONTROL};
	uint64_t value;
	for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
		faults += rdmsr_safe(msrs[i], &value) != 0;
	for (uint32_t sint = 0; sint < HV_SINTS; sint++)
		faults += rdmsr_safe(HV_SINT0 + sint, &value) != 0;
}

static void read_eom(void)
{
	uint64_t value = 1;
	faults += rdmsr_safe(HV_EOM, &value) != 0 || value != 0;
}

static void set_up(void)
{
	hv_synic_on();
	for (uint32_t sint = 0; sint < HV_SINTS; sint++)
		hv_set_sint(sint, (uint8_t)(VECTOR_FIRST + sint), AUTO_EOI >> sint & 1);
}

/* Raise all of the vCPU at the other end, one after the other. */
static void pulse(void)
{
	const uint32_t target = vcpus - 1 - this_vcpu();
	for (uint32_t i = 0; i < rounds * HV_SINTS; i++) {
		hv_test(HV_TEST_ROUTE, target, i % HV_SINTS, 0);
		hv_test(HV_TEST_RAISE, target, i % HV_SINTS, 0);
		while (taken[target] == i)
			pause();
		hv_test(HV_TEST_UNROUTE, target, i % HV_SINTS, 0);
	}
}

static void clean_up(void)
{
	faults += wrmsr_safe(HV_SCONTROL, 0) != 0;
	faults += wrmsr_safe(HV_SIMP, 0) != 0;
	faults += wrmsr_safe(HV_SIEFP, 0) != 0;
}

void guest_main(void)
{
	bool all = true;
	if (!hv_has("HV-SY", HV_HAS_SYNIC, 0))
		return;
	rounds = (uint32_t)word_number("rounds=", 1);
	for (uint32_t sint = 0; sint < HV_SINTS; sint++)
		set_handler((uint8_t)(VECTOR_FIRST + sint), handlers[sint], !(AUTO_EOI >> sint & 1));
	on_all(read_all);
	report("HV-SY-1", !faults);
	on_all(read_eom);
	report("HV-SY-2", !faults);
	on_all(set_up);
	on_all(pulse);
	for (uint32_t vcpu = 0; vcpu < vcpus; vcpu++)
		all = all && taken[vcpu] == HV_SINTS * rounds && seen[vcpu] == 0xffff;
	report("HV-SY-3", all);
	on_all(clean_up);
	report("HV-SY-4", !faults);
}
