/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A provider of the tests' own, which has little of each thing that the runtime core dispatches, and machines of it. */
#ifndef TEST_PROVIDER_H
#define TEST_PROVIDER_H

#include "machine_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * The provider: a gated MSR, one for each vCPU, four of a kind, pages, an alarm.
 */
struct test_vcpu {
	uint64_t own, several[4];
};
struct test_state {
	struct gim_list vcpu;
	uint32_t word;
	uint64_t gated, alarm;
};
extern const struct gim_record test_vcpu_record, test_state_record;
static const struct gim_field test_vcpu_fields[] = {
    FIELD(test_vcpu, own, .reset = 7, .help = "one"),
    FIELD(test_vcpu, several, .help = "four"),
};
RECORD(test_vcpu, "vcpu", "a vCPU's part");
static const struct gim_field test_state_fields[] = {
    LIST(test_state, vcpu, test_vcpu, .help = "per vCPU"),
    FIELD(test_state, word, .help = "CPUID 0x40000001 ebx: what opens MSRs"),
    FIELD(test_state, gated, .help = "gated"),
    FIELD(test_state, alarm, .reset = UINT64_MAX, .help = "when"),
};
RECORD(test_state, "test", "the test's provider");

#define ALARMS_MAX 16
struct test_own {
	unsigned completed, resets;
	uint64_t rung[ALARMS_MAX];
	unsigned alarms;
	uint8_t ended[ALARMS_MAX];
	unsigned ends;
};
static inline struct test_state *registers(const struct gim_machine *machine)
{
	return (struct test_state *)(void *)machine->object.data;
}
static inline struct test_own *own(const struct gim_machine *machine)
{
	return gim_machine_own(machine);
}

static inline enum gim_access read_constant(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)machine;
	(void)index;
	*value = 100 + vcpu;
	return GIM_ACCESS_DONE;
}
static inline enum gim_access write_several(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)machine;
	(void)vcpu;
	if (*value == 13)
		return GIM_ACCESS_GP;
	if (*value == 14)
		return GIM_ACCESS_NOT_OURS;
	*value += index;
	return GIM_ACCESS_DONE;
}
static inline enum gim_access write_alarm(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)vcpu;
	(void)index;
	gim_count(machine, 0, 1);
	return *value <= gim_machine_tsc(machine) ? GIM_ACCESS_GP : GIM_ACCESS_DONE;
}

static const struct gim_msr_row msrs[] = {
    {.first = 0x40000010,
     .name = "TEST_GATED",
     GIM_MSR_MEMBER(test_state, gated),
     .gate = {GATE(test_state, word, 3), GATE(test_state, word, 5)},
     .reserved = 0xff00,
     .flags = GIM_MSR_READ | GIM_MSR_WRITE | GIM_MSR_VBOX},
    {.first = 0x40000002, .name = "TEST_CONSTANT", .flags = GIM_MSR_READ, .read = read_constant},
    {.first = 0x11, .name = "TEST_OWN", GIM_MSR_MEMBER(test_vcpu, own), .flags = GIM_MSR_READ | GIM_MSR_WRITE | GIM_MSR_VCPU},
    {.first = 0x40000020,
     .count = 4,
     .stride = 2,
     .name = "TEST#_SEVERAL",
     GIM_MSR_MEMBER(test_vcpu, several),
     .flags = GIM_MSR_READ | GIM_MSR_WRITE | GIM_MSR_VCPU,
     .write = write_several},
    {.first = 0x40000030, .name = "TEST_ALARM", GIM_MSR_MEMBER(test_state, alarm), .flags = GIM_MSR_WRITE, .write = write_alarm},
    {.name = NULL},
};

static inline int set_word(struct gim_machine *machine, const char *value, struct gim_error *error)
{
	(void)error;
	registers(machine)->word = (uint32_t)strtoul(value, NULL, 0);
	return 0;
}
static const struct gim_setting_row settings[] = {{"word", "what opens MSRs", set_word}, {NULL, NULL, NULL}};

static inline int completed(struct gim_machine *machine, struct gim_error *error)
{
	(void)error;
	own(machine)->completed++;
	return 0;
}
static inline void reset(struct gim_machine *machine)
{
	own(machine)->resets++;
}
static inline uint64_t deadline(const struct gim_machine *machine)
{
	return registers(machine)->alarm;
}
static inline void advance(struct gim_machine *machine, uint64_t tsc)
{
	struct test_own *seen = own(machine);
	seen->rung[seen->alarms++ % ALARMS_MAX] = tsc;
	registers(machine)->alarm = seen->alarms % 3 ? tsc + 1000 : UINT64_MAX;
}
static inline void eoi(struct gim_machine *machine, uint32_t vcpu, uint8_t vector)
{
	(void)vcpu;
	own(machine)->ended[own(machine)->ends++ % ALARMS_MAX] = vector;
}
static inline enum gim_access cpuid(struct gim_machine *machine, uint32_t vcpu, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	(void)machine;
	(void)subleaf;
	if (leaf != 0x40000001)
		return GIM_ACCESS_NOT_OURS;
	regs[GIM_EAX] = 0x1234;
	regs[GIM_EDX] = vcpu;
	return GIM_ACCESS_DONE;
}

static const char *const page_names[] = {"test.first", "test.second", NULL};
static const char *const counter_names[] = {"alarms_set", NULL};
static const char *const vcpu_counter_names[] = {"first", "second", NULL};
static const struct gim_cpuid_row cpuid_rows[] = {CPUID(0x40000001, GIM_EBX, test_state, word), END_CPUID};
static const struct gim_runtime runtime = {
    .newest_version = 3,
    .settings = settings,
    .msrs = msrs,
    .list_offset = offsetof(struct test_state, vcpu),
    .list_item = &test_vcpu_record,
    .machine_bytes = sizeof(struct test_own),
    .vcpu_bytes = 24,
    .page_names = page_names,
    .counter_names = counter_names,
    .vcpu_counter_names = vcpu_counter_names,
    .init_completed = completed,
    .reset = reset,
    .cpuid = cpuid,
    .deadline = deadline,
    .advance = advance,
    .eoi = eoi,
};
static const struct gim_provider provider = {
    .name = "test", .title = "Test", .vbox_id = 77, .record = &test_state_record, .cpuid = cpuid_rows, .runtime = &runtime};

#define RAM_BYTES (16 * 4096)
static const struct gim_machine_config plain = {.vcpus = 3, .tsc_hz = 1000000000, .ram_bytes = RAM_BYTES};

static inline struct gim_machine *new_machine(const struct gim_machine_config *config, const struct gim_host *host)
{
	struct gim_machine *machine = NULL;
	assert_int_equal(gim_machine_new_of(&provider, config, host, &machine, NULL), 0);
	return machine;
}

static inline struct gim_machine *running(const struct gim_machine_config *config, const struct gim_host *host)
{
	struct gim_machine *machine = new_machine(config, host);
	assert_int_equal(gim_machine_init(machine, NULL), 0);
	assert_int_equal(gim_machine_register_device(machine, NULL), 0);
	assert_int_equal(gim_machine_init_completed(machine, NULL), 0);
	return machine;
}

static inline int no_read(void *user, uint64_t gpa, void *bytes, size_t size)
{
	(void)user;
	memset(bytes, 0x5a, size);
	return gpa >= 0x3000 ? -1 : 0;
}
static inline int no_write(void *user, uint64_t gpa, const void *bytes, size_t size)
{
	(void)bytes;
	*(uint64_t *)user += size;
	return gpa >= 0x3000 ? -1 : 0;
}

#define WITH(...) ((struct gim_machine_config){.vcpus = 3, .tsc_hz = 1000000000, .ram_bytes = RAM_BYTES, __VA_ARGS__})

static inline uint8_t byte_at(struct gim_machine *machine, uint64_t gpa)
{
	uint8_t byte = 0xee;
	assert_int_equal(gim_machine_read(machine, gpa, &byte, 1, NULL), 0);
	return byte;
}

#endif
