/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small Hyper-V machine for tests: 4 MiB of its own RAM, the built-in clock and local APICs. */
#ifndef TEST_HYPERV_H
#define TEST_HYPERV_H

#include "hyperv/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TSC_HZ UINT64_C(2500000000)
#define TICKS_OF_100NS (TSC_HZ / 10000000)
#define RAM_BYTES UINT64_C(0x400000)
#define LINUX_ID UINT64_C(0x8100060001000000)

struct hv_test {
	uint32_t vcpus;
	uint64_t tsc_hz;
	enum gim_gating gating;
	bool keep_gating, no_device;
	const struct gim_setting *settings;
	size_t setting_count;
	struct gim_host host;
};

static inline struct gim_machine *hv_test_new(const struct hv_test *test)
{
	const struct gim_machine_config config = {.provider = "hyperv",
	                                          .vcpus = test->vcpus ? test->vcpus : 2,
	                                          .tsc_hz = test->tsc_hz ? test->tsc_hz : TSC_HZ,
	                                          .ram_bytes = RAM_BYTES,
	                                          .gating = test->gating,
	                                          .keep_gating = test->keep_gating,
	                                          .settings = test->settings,
	                                          .setting_count = test->setting_count};
	struct gim_machine *machine = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_machine_new(&config, &test->host, &machine, &error) || gim_machine_init(machine, &error) ||
	    (!test->no_device && gim_machine_register_device(machine, &error)) || gim_machine_init_completed(machine, &error))
		fail_msg("%s", error.text);
	return machine;
}

static inline uint64_t rdmsr(struct gim_machine *machine, uint32_t vcpu, uint32_t msr)
{
	uint64_t value = 0;
	assert_int_equal(gim_machine_rdmsr(machine, vcpu, msr, &value), GIM_ACCESS_DONE);
	return value;
}

static inline void wrmsr(struct gim_machine *machine, uint32_t vcpu, uint32_t msr, uint64_t value)
{
	assert_int_equal(gim_machine_wrmsr(machine, vcpu, msr, value), GIM_ACCESS_DONE);
}

static inline void no_rdmsr(struct gim_machine *machine, uint32_t vcpu, uint32_t msr)
{
	uint64_t value = 0x5a;
	assert_int_equal(gim_machine_rdmsr(machine, vcpu, msr, &value), GIM_ACCESS_GP);
	assert_int_equal(value, 0x5a);
}

static inline void no_wrmsr(struct gim_machine *machine, uint32_t vcpu, uint32_t msr, uint64_t value)
{
	assert_int_equal(gim_machine_wrmsr(machine, vcpu, msr, value), GIM_ACCESS_GP);
}

/* What the guest finds in its memory: a little-endian number. */
static inline uint64_t peek(struct gim_machine *machine, uint64_t gpa, unsigned width)
{
	uint8_t bytes[8];
	uint64_t value = 0;
	assert_int_equal(gim_machine_read(machine, gpa, bytes, width, NULL), 0);
	for (unsigned i = width; i; i--)
		value = value << 8 | bytes[i - 1];
	return value;
}

static inline void poke(struct gim_machine *machine, uint64_t gpa, uint64_t value, unsigned width)
{
	uint8_t bytes[8];
	for (unsigned i = 0; i < width; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	assert_int_equal(gim_machine_write(machine, gpa, bytes, width, NULL), 0);
}

#endif
