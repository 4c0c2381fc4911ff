/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The runtime core by a provider of the test's own: order of life, dispatch, pages, local APICs, clock, counters. */
#include "machine_parts.h"

#include <jansson.h>
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
static struct test_state *registers(const struct gim_machine *machine)
{
	return (struct test_state *)(void *)machine->object.data;
}
static struct test_own *own(const struct gim_machine *machine)
{
	return gim_machine_own(machine);
}

static enum gim_access read_constant(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)machine;
	(void)index;
	*value = 100 + vcpu;
	return GIM_ACCESS_DONE;
}
static enum gim_access write_several(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
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
static enum gim_access write_alarm(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
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

static int set_word(struct gim_machine *machine, const char *value, struct gim_error *error)
{
	(void)error;
	registers(machine)->word = (uint32_t)strtoul(value, NULL, 0);
	return 0;
}
static const struct gim_setting_row settings[] = {{"word", "what opens MSRs", set_word}, {NULL, NULL, NULL}};

static int completed(struct gim_machine *machine, struct gim_error *error)
{
	(void)error;
	own(machine)->completed++;
	return 0;
}
static void reset(struct gim_machine *machine)
{
	own(machine)->resets++;
}
static uint64_t deadline(const struct gim_machine *machine)
{
	return registers(machine)->alarm;
}
static void advance(struct gim_machine *machine, uint64_t tsc)
{
	struct test_own *seen = own(machine);
	seen->rung[seen->alarms++ % ALARMS_MAX] = tsc;
	registers(machine)->alarm = seen->alarms % 3 ? tsc + 1000 : UINT64_MAX;
}
static void eoi(struct gim_machine *machine, uint32_t vcpu, uint8_t vector)
{
	(void)vcpu;
	own(machine)->ended[own(machine)->ends++ % ALARMS_MAX] = vector;
}
static enum gim_access cpuid(struct gim_machine *machine, uint32_t vcpu, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
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

static struct gim_machine *new_machine(const struct gim_machine_config *config, const struct gim_host *host)
{
	struct gim_machine *machine = NULL;
	assert_int_equal(gim_machine_new_of(&provider, config, host, &machine, NULL), 0);
	return machine;
}

static struct gim_machine *running(const struct gim_machine_config *config, const struct gim_host *host)
{
	struct gim_machine *machine = new_machine(config, host);
	assert_int_equal(gim_machine_init(machine, NULL), 0);
	assert_int_equal(gim_machine_register_device(machine, NULL), 0);
	assert_int_equal(gim_machine_init_completed(machine, NULL), 0);
	return machine;
}

static void order_of_life(void **unused)
{
	(void)unused;
	struct gim_machine *machine = new_machine(&plain, NULL);
	struct gim_error error = GIM_ERROR_INIT;
	uint64_t value = 1;
	uint32_t regs[4] = {9, 9, 9, 9};
	assert_int_equal(machine->config.provider_version, 3);
	assert_int_equal(gim_machine_rdmsr(machine, 0, 0x11, &value), GIM_ACCESS_NOT_OURS);
	assert_int_equal(gim_machine_init_completed(machine, &error), GIM_E_ARGUMENT);
	assert_string_equal(error.text, "the end of initialisation is out of order: the machine is new");
	assert_int_equal(gim_machine_register_device(machine, NULL), GIM_E_ARGUMENT);
	assert_int_equal(gim_machine_reset(machine, NULL), GIM_E_ARGUMENT);
	assert_int_equal(gim_machine_init(machine, NULL), 0);
	assert_int_equal(gim_machine_init(machine, NULL), GIM_E_ARGUMENT);
	assert_int_equal(gim_machine_rdmsr(machine, 0, 0x11, &value), GIM_ACCESS_NOT_OURS);
	assert_int_equal(gim_machine_cpuid(machine, 0, 0x40000001, 0, regs), GIM_ACCESS_NOT_OURS);
	assert_true(gim_machine_deadline(machine) == GIM_UNKNOWN);
	assert_int_equal(gim_machine_register_device(machine, NULL), 0);
	assert_int_equal(gim_machine_register_device(machine, NULL), GIM_E_ARGUMENT);
	assert_int_equal(gim_machine_init_completed(machine, NULL), 0);
	assert_int_equal(gim_machine_init_completed(machine, NULL), GIM_E_ARGUMENT);
	assert_int_equal(own(machine)->completed, 1);
	assert_int_equal(gim_machine_rdmsr(machine, 0, 0x11, &value), GIM_ACCESS_DONE);
	assert_int_equal(value, 7);
	assert_int_equal(gim_machine_reset(machine, NULL), 0);
	assert_int_equal(own(machine)->resets, 1);
	gim_machine_free(&machine);
	assert_null(machine);
	gim_machine_free(&machine);
	gim_machine_free(NULL);
}

static void refused(struct gim_machine_config config, const struct gim_host *host, int code, const char *text)
{
	struct gim_machine *machine = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	assert_int_equal(gim_machine_new_of(&provider, &config, host, &machine, &error), code);
	assert_null(machine);
	if (!strstr(error.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, error.text);
}

static int no_read(void *user, uint64_t gpa, void *bytes, size_t size)
{
	(void)user;
	memset(bytes, 0x5a, size);
	return gpa >= 0x3000 ? -1 : 0;
}
static int no_write(void *user, uint64_t gpa, const void *bytes, size_t size)
{
	(void)bytes;
	*(uint64_t *)user += size;
	return gpa >= 0x3000 ? -1 : 0;
}
static int no_apic(void *user, uint32_t vcpu, uint32_t offset, uint64_t value)
{
	(void)user;
	(void)vcpu;
	(void)offset;
	(void)value;
	return -1;
}

#define WITH(...) ((struct gim_machine_config){.vcpus = 3, .tsc_hz = 1000000000, .ram_bytes = RAM_BYTES, __VA_ARGS__})

static void refusals(void **unused)
{
	(void)unused;
	static uint8_t ram[4096];
	static const struct gim_setting unknown[] = {{"colour", "red"}}, twice[] = {{"word", "1"}, {"word", "1"}};
	refused((struct gim_machine_config){.vcpus = 0, .tsc_hz = 1000000000}, NULL, GIM_E_ARGUMENT, "0 vCPUs: 1 to 1024");
	refused((struct gim_machine_config){.vcpus = 1025, .tsc_hz = 1000000000}, NULL, GIM_E_ARGUMENT, "1025 vCPUs");
	refused((struct gim_machine_config){.vcpus = 1, .tsc_hz = 10000000}, NULL, GIM_E_ARGUMENT, "more than 10 MHz");
	refused((struct gim_machine_config){.vcpus = 1, .tsc_hz = UINT64_MAX}, NULL, GIM_E_ARGUMENT, "at most 1 THz");
	refused(WITH(.provider_version = 4), NULL, GIM_E_VALUE, "version 4 of test is unknown: 3 is the newest");
	refused((struct gim_machine_config){.vcpus = 1, .tsc_hz = 1000000000, .ram_bytes = 4097}, NULL, GIM_E_ARGUMENT,
	        "a multiple of 4096");
	refused(WITH(.gating = (enum gim_gating)7), NULL, GIM_E_ARGUMENT, "a gating of 7");
	refused(WITH(.apic_hz = UINT64_MAX), NULL, GIM_E_ARGUMENT, "APIC timer");
	refused(WITH(.settings = unknown, .setting_count = 1), NULL, GIM_E_ARGUMENT, "test has no setting colour");
	refused(WITH(.settings = twice, .setting_count = 2), NULL, GIM_E_ARGUMENT, "word is given twice");
	refused(plain, &(struct gim_host){.memory_read = no_read}, GIM_E_ARGUMENT, "go together");
	refused(plain, &(struct gim_host){.apic_write = no_apic}, GIM_E_ARGUMENT, "go with interrupt");
	refused(WITH(.ram = ram), &(struct gim_host){.memory_read = no_read, .memory_write = no_write}, GIM_E_ARGUMENT,
	        "guest RAM is either");

	struct gim_machine *machine = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	const struct gim_machine_config other = {.provider = "Hyper-V", .vcpus = 1, .tsc_hz = 1000000000};
	assert_int_equal(gim_machine_new(&other, NULL, &machine, &error), GIM_E_ARGUMENT);
	assert_non_null(strstr(error.text, "no provider Hyper-V: none, minimal, hyperv and kvm are"));
}

static void msr_dispatch(void **unused)
{
	(void)unused;
	static const struct gim_setting set[] = {{"word", "0x20"}};
	struct gim_machine *machine = running(&WITH(.settings = set, .setting_count = 1), NULL);
	uint64_t value = 1;
	assert_int_equal(gim_machine_rdmsr(machine, 0, 0x12, &value), GIM_ACCESS_NOT_OURS);
	assert_int_equal(gim_machine_rdmsr(machine, 3, 0x11, &value), GIM_ACCESS_NOT_OURS);
	assert_int_equal(value, 1);
	/* Each vCPU has its own. */
	assert_int_equal(gim_machine_wrmsr(machine, 1, 0x11, 0x1234567890), GIM_ACCESS_DONE);
	assert_int_equal(gim_machine_rdmsr(machine, 1, 0x11, &value), GIM_ACCESS_DONE);
	assert_true(value == 0x1234567890);
	assert_int_equal(gim_machine_rdmsr(machine, 2, 0x11, &value), GIM_ACCESS_DONE);
	assert_int_equal(value, 7);
	/* Both gates, then reserved bits. */
	assert_int_equal(gim_machine_rdmsr(machine, 0, 0x40000010, &value), GIM_ACCESS_GP);
	assert_int_equal(gim_machine_wrmsr(machine, 0, 0x40000010, 5), GIM_ACCESS_GP);
	registers(machine)->word = 0x28;
	assert_int_equal(gim_machine_wrmsr(machine, 0, 0x40000010, 5), GIM_ACCESS_DONE);
	assert_int_equal(gim_machine_wrmsr(machine, 0, 0x40000010, 0x100), GIM_ACCESS_GP);
	assert_int_equal(gim_machine_rdmsr(machine, 2, 0x40000010, &value), GIM_ACCESS_DONE);
	assert_int_equal(value, 5);
	registers(machine)->word = 0;
	machine->gating = GIM_GATING_PRODUCER;
	assert_int_equal(gim_machine_rdmsr(machine, 2, 0x40000010, &value), GIM_ACCESS_DONE);
	/* Read only, write only. */
	assert_int_equal(gim_machine_rdmsr(machine, 2, 0x40000002, &value), GIM_ACCESS_DONE);
	assert_int_equal(value, 102);
	assert_int_equal(gim_machine_wrmsr(machine, 2, 0x40000002, 0), GIM_ACCESS_GP);
	assert_int_equal(gim_machine_rdmsr(machine, 2, 0x40000030, &value), GIM_ACCESS_GP);
	/* Several of a kind, two numbers apart. */
	assert_int_equal(gim_machine_wrmsr(machine, 0, 0x40000026, 40), GIM_ACCESS_DONE);
	assert_int_equal(gim_machine_wrmsr(machine, 0, 0x40000024, 13), GIM_ACCESS_GP);
	assert_int_equal(gim_machine_wrmsr(machine, 0, 0x40000024, 14), GIM_ACCESS_DONE);
	assert_int_equal(gim_machine_rdmsr(machine, 0, 0x40000025, &value), GIM_ACCESS_NOT_OURS);
	assert_int_equal(gim_machine_rdmsr(machine, 0, 0x40000024, &value), GIM_ACCESS_DONE);
	assert_int_equal(value, 0);
	assert_int_equal(gim_machine_rdmsr(machine, 0, 0x40000026, &value), GIM_ACCESS_DONE);
	assert_int_equal(value, 43);
	assert_int_equal(gim_machine_reset(machine, NULL), 0);
	assert_int_equal(gim_machine_rdmsr(machine, 1, 0x11, &value), GIM_ACCESS_DONE);
	assert_int_equal(value, 7);
	assert_int_equal(gim_machine_rdmsr(machine, 0, 0x40000026, &value), GIM_ACCESS_DONE);
	assert_int_equal(value, 0);
	gim_machine_free(&machine);
}

static int list_msr(void *user, const struct gim_msr_info *info)
{
	char *text = (char *)user;
	const size_t used = strlen(text);
	(void)snprintf(text + used, 1024 - used, "%x %s %s %c%c\n", info->msr, info->name, info->path, info->readable ? 'r' : '-',
	               info->writable ? 'w' : '-');
	return info->msr == 0x40000024;
}

static void msr_list(void **unused)
{
	(void)unused;
	struct gim_machine *machine = running(&plain, NULL);
	char text[1024] = "";
	assert_int_equal(gim_machine_msrs(machine, 2, list_msr, text), 1);
	assert_string_equal(text, "11 TEST_OWN test.vcpu[2].own rw\n"
	                          "40000002 TEST_CONSTANT  r-\n"
	                          "40000010 TEST_GATED test.gated --\n"
	                          "40000020 TEST0_SEVERAL test.vcpu[2].several[0] rw\n"
	                          "40000022 TEST1_SEVERAL test.vcpu[2].several[1] rw\n"
	                          "40000024 TEST2_SEVERAL test.vcpu[2].several[2] rw\n");
	gim_machine_free(&machine);
}

static void cpuid_and_calls(void **unused)
{
	(void)unused;
	static const struct gim_setting set[] = {{"word", "0xabcd"}};
	struct gim_machine *machine = running(&WITH(.settings = set, .setting_count = 1), NULL);
	struct gim_registers call = {.rax = 1};
	uint32_t regs[4] = {9, 9, 9, 9};
	assert_int_equal(gim_machine_cpuid(machine, 0, 1, 0, regs), GIM_ACCESS_NOT_OURS);
	assert_int_equal(regs[0], 9);
	assert_int_equal(gim_machine_cpuid(machine, 2, 0x40000001, 0, regs), GIM_ACCESS_DONE);
	assert_int_equal(regs[GIM_EAX], 0x1234);
	assert_int_equal(regs[GIM_EBX], 0xabcd);
	assert_int_equal(regs[GIM_ECX], 0);
	assert_int_equal(regs[GIM_EDX], 2);
	assert_int_equal(gim_machine_cpuid(machine, 3, 0x40000001, 0, regs), GIM_ACCESS_NOT_OURS);
	/* What the provider does not have. */
	assert_int_equal(gim_machine_hypercall(machine, 0, &call), GIM_ACCESS_UD);
	assert_int_equal(gim_machine_connect(machine, GIM_CONNECTION_EVENT, 1, 0, 2, 3, NULL), GIM_E_ARGUMENT);
	assert_int_equal(gim_machine_post(machine, 0, 2, 1, "", 0), 2);
	assert_int_equal(gim_machine_signal(machine, 0, 2, 1), 2);
	assert_int_equal(gim_machine_raise(machine, 0, 2), 2);
	assert_int_equal(gim_machine_async_fault(machine, 0, 1, true), GIM_E_ARGUMENT);
	gim_machine_debug_ready(machine);
	gim_machine_run(machine, 0, true);
	gim_machine_free(&machine);
}

static void minimal(void **unused)
{
	(void)unused;
	const struct gim_machine_config config = {.provider = "minimal", .vcpus = 1, .tsc_hz = 2599998499, .apic_hz = 24999500};
	struct gim_machine *machine = NULL;
	uint32_t regs[4];
	assert_int_equal(gim_machine_new(&config, NULL, &machine, NULL), 0);
	assert_int_equal(machine->config.provider_version, 1);
	assert_int_equal(gim_machine_init(machine, NULL), 0);
	assert_int_equal(gim_machine_init_completed(machine, NULL), 0);
	assert_int_equal(gim_machine_cpuid(machine, 0, 0x40000000, 0, regs), GIM_ACCESS_DONE);
	assert_int_equal(regs[GIM_EAX], 0x40000010);
	assert_int_equal(regs[GIM_EBX] | regs[GIM_ECX] | regs[GIM_EDX], 0);
	assert_int_equal(gim_machine_cpuid(machine, 0, 0x4000000f, 0, regs), GIM_ACCESS_DONE);
	assert_int_equal(regs[GIM_EAX], 0);
	assert_int_equal(gim_machine_cpuid(machine, 0, 0x40000010, 0, regs), GIM_ACCESS_DONE);
	assert_int_equal(regs[GIM_EAX], 2599998);
	assert_int_equal(regs[GIM_EBX], 25000); /* rounded */
	assert_int_equal(gim_machine_cpuid(machine, 0, 0x40000011, 0, regs), GIM_ACCESS_NOT_OURS);
	gim_machine_free(&machine);
}

/*
 * Memory and pages.
 */
static struct {
	unsigned calls;
	uint64_t gpa;
	char name[32];
} told;

static void page_told(void *user, const struct gim_page *page)
{
	(void)user;
	told.calls++;
	told.gpa = page->gpa;
	(void)snprintf(told.name, sizeof(told.name), "%s", page->name);
}

static void lay(struct gim_machine *machine, unsigned index, uint64_t gpa, uint8_t content)
{
	memset(machine->pages[index].bytes, content, GIM_PAGE_BYTES);
	assert_int_equal(gim_page_map(machine, index, gpa, NULL), 0);
}

static void unlaid(struct gim_machine *machine, unsigned index, uint64_t gpa, const char *why)
{
	struct gim_error error = GIM_ERROR_INIT;
	const uint64_t before = machine->pages[index].gpa;
	assert_int_equal(gim_page_map(machine, index, gpa, &error), GIM_E_ARGUMENT);
	if (!strstr(error.text, why))
		fail_msg("\"%s\" is not in \"%s\"", why, error.text);
	assert_true(machine->pages[index].gpa == before);
	struct gim_error own = GIM_ERROR_INIT;
	assert_int_equal(gim_page_check(machine, index, gpa, &own), GIM_E_VALUE);
	assert_string_equal(own.rule->id, "LOAD-PAGE");
	assert_int_equal(own.rule->status, -1844);
}

static uint8_t byte_at(struct gim_machine *machine, uint64_t gpa)
{
	uint8_t byte = 0xee;
	assert_int_equal(gim_machine_read(machine, gpa, &byte, 1, NULL), 0);
	return byte;
}

static void pages(void **unused)
{
	(void)unused;
	static uint8_t pattern[3 * GIM_PAGE_BYTES], back[3 * GIM_PAGE_BYTES];
	const struct gim_host host = {.page = page_told};
	struct gim_machine *machine = running(&plain, &host);
	struct gim_page page;
	memset(pattern, 0x11, sizeof(pattern));
	assert_int_equal(gim_machine_write(machine, 0x3000, pattern, sizeof(pattern), NULL), 0);
	memset(&told, 0, sizeof(told));
	lay(machine, 0, 0x4000, 0xaa);
	assert_int_equal(told.calls, 1);
	assert_true(told.gpa == 0x4000);
	assert_string_equal(told.name, "test.first");
	/* Read through, written around. */
	assert_int_equal(gim_machine_read(machine, 0x3000, back, sizeof(back), NULL), 0);
	assert_int_equal(back[0xfff], 0x11);
	assert_int_equal(back[0x1000], 0xaa);
	assert_int_equal(back[0x1fff], 0xaa);
	assert_int_equal(back[0x2000], 0x11);
	memset(pattern, 0x22, sizeof(pattern));
	assert_int_equal(gim_machine_write(machine, 0x3800, pattern, 0x2000, NULL), 0);
	assert_int_equal(byte_at(machine, 0x37ff), 0x11);
	assert_int_equal(byte_at(machine, 0x3fff), 0x22);
	assert_int_equal(byte_at(machine, 0x4000), 0xaa);
	assert_int_equal(byte_at(machine, 0x5000), 0x22);
	assert_int_equal(byte_at(machine, 0x5800), 0x11);
	/* Moved, what was below shows again, unwritten. */
	assert_int_equal(gim_page_map(machine, 0, 0x5000, NULL), 0);
	assert_int_equal(byte_at(machine, 0x4000), 0x11);
	assert_int_equal(byte_at(machine, 0x5fff), 0xaa);
	/* Two side by side. */
	lay(machine, 1, 0x6000, 0xbb);
	assert_int_equal(gim_machine_read(machine, 0x5fff, back, 2, NULL), 0);
	assert_int_equal(back[0], 0xaa);
	assert_int_equal(back[1], 0xbb);
	unlaid(machine, 0, 0x6000, "another page is there");
	unlaid(machine, 0, 0x6001, "not a multiple of 4096");
	unlaid(machine, 0, RAM_BYTES, "no ordinary RAM");
	unlaid(machine, 0, UINT64_MAX & ~UINT64_C(0xfff), "no ordinary RAM");
	assert_true(gim_machine_page(machine, 1, &page));
	assert_string_equal(page.name, "test.second");
	assert_int_equal(page.bytes[7], 0xbb);
	assert_int_equal((uintptr_t)page.bytes % 4096, 0);
	assert_false(gim_machine_page(machine, 2, &page));
	gim_page_unmap(machine, 0);
	assert_int_equal(byte_at(machine, 0x5000), 0x22);
	const unsigned calls = told.calls;
	gim_page_unmap(machine, 0); /* it is gone already */
	assert_int_equal(told.calls, calls);
	assert_int_equal(gim_machine_reset(machine, NULL), 0);
	assert_true(machine->pages[1].gpa == GIM_UNKNOWN);
	assert_true(told.gpa == GIM_UNKNOWN);
	gim_machine_free(&machine);
}

static void no_device(void **unused)
{
	(void)unused;
	struct gim_machine *machine = new_machine(&plain, NULL);
	assert_int_equal(gim_machine_init(machine, NULL), 0);
	assert_int_equal(gim_machine_init_completed(machine, NULL), 0);
	unlaid(machine, 0, 0x1000, "the device that carries the pages is not registered");
	gim_machine_free(&machine);
}

static void memory(void **unused)
{
	(void)unused;
	static uint8_t here[RAM_BYTES], there[RAM_BYTES];
	struct gim_machine *machine = running(&WITH(.ram = here), NULL);
	struct gim_error error = GIM_ERROR_INIT;
	uint8_t bytes[32] = {1};
	assert_int_equal(gim_machine_write(machine, RAM_BYTES - 32, bytes, 32, NULL), 0);
	assert_int_equal(here[RAM_BYTES - 32], 1);
	assert_int_equal(gim_machine_write(machine, RAM_BYTES - 31, bytes, 32, &error), GIM_E_ARGUMENT);
	assert_non_null(strstr(error.text, "not all of the 32 bytes at 0xffe1 is ordinary RAM"));
	assert_int_equal(gim_machine_read(machine, UINT64_MAX - 3, bytes, 8, NULL), GIM_E_ARGUMENT);
	assert_int_equal(gim_machine_read(machine, UINT64_MAX, bytes, 0, NULL), 0);
	/* Moved in the host. */
	memcpy(there, here, sizeof(here));
	memset(here, 0xff, sizeof(here));
	assert_int_equal(gim_machine_relocate(machine, NULL, NULL), GIM_E_ARGUMENT);
	assert_int_equal(gim_machine_relocate(machine, there, NULL), 0);
	assert_int_equal(byte_at(machine, RAM_BYTES - 32), 1);
	assert_int_equal(gim_ram_zero_page(machine, RAM_BYTES - 4096), 0);
	assert_int_equal(there[RAM_BYTES - 32], 0);
	assert_int_equal(here[0], 0xff);
	gim_machine_free(&machine);
	machine = running(&plain, NULL);
	assert_int_equal(gim_machine_relocate(machine, there, NULL), GIM_E_ARGUMENT);
	gim_machine_free(&machine);
}

static void callback_memory(void **unused)
{
	(void)unused;
	uint64_t written = 0;
	const struct gim_host host = {.user = &written, .memory_read = no_read, .memory_write = no_write};
	struct gim_machine *machine = running(&(struct gim_machine_config){.vcpus = 3, .tsc_hz = 1000000000}, &host);
	uint8_t bytes[2 * GIM_PAGE_BYTES];
	assert_true(gim_ram_is(machine, 0x1fff, 2));
	assert_true(gim_ram_is(machine, 0x2fff, 1));
	assert_false(gim_ram_is(machine, 0x2fff, 2));
	assert_false(gim_ram_is(machine, UINT64_MAX, 2));
	assert_int_equal(byte_at(machine, 0x10), 0x5a);
	lay(machine, 1, 0x1000, 0x77);
	assert_int_equal(gim_machine_write(machine, 0xff0, bytes, 0x1020, NULL), 0);
	assert_int_equal(written, 0x20);
	assert_int_equal(gim_machine_write(machine, 0x2ff0, bytes, 0x20, NULL), GIM_E_ARGUMENT);
	assert_int_equal(written, 0x20);
	assert_int_equal(gim_machine_relocate(machine, bytes, NULL), GIM_E_ARGUMENT);
	gim_machine_free(&machine);
}

/*
 * Local APICs.
 */
static void lapic_priorities(void **unused)
{
	(void)unused;
	struct gim_machine *machine = running(&plain, NULL);
	uint64_t value;
	assert_int_equal(gim_machine_interrupt(machine, 0), -1);
	gim_machine_raise_vector(machine, 0, 0x31, false);
	gim_machine_raise_vector(machine, 0, 0x31, false); /* one and the same */
	gim_machine_raise_vector(machine, 0, 0x35, false);
	gim_machine_raise_vector(machine, 0, 15, false);
	assert_int_equal(gim_machine_interrupt(machine, 1), -1);
	assert_int_equal(gim_machine_interrupt(machine, 0), 0x35);
	assert_int_equal(gim_machine_interrupt(machine, 0), -1); /* 0x31 is of the same class */
	assert_int_equal(gim_apic_read(machine, 0, 0xa0, &value), 0);
	assert_int_equal(value, 0x30);
	gim_machine_raise_vector(machine, 0, 0xf0, false);
	assert_int_equal(gim_machine_interrupt(machine, 0), 0xf0); /* nested */
	gim_machine_eoi(machine, 0, 0);
	assert_int_equal(own(machine)->ends, 1);
	assert_int_equal(own(machine)->ended[0], 0xf0);
	assert_int_equal(gim_apic_write(machine, 0, 0xb0, 0), 0);
	assert_int_equal(own(machine)->ended[1], 0x35);
	assert_int_equal(gim_apic_write(machine, 0, 0x80, 0x3f), 0);
	assert_int_equal(gim_machine_interrupt(machine, 0), -1);
	assert_int_equal(gim_apic_read(machine, 0, 0xa0, &value), 0);
	assert_int_equal(value, 0x3f);
	assert_int_equal(gim_apic_write(machine, 0, 0x80, 0x20), 0);
	assert_int_equal(gim_machine_interrupt(machine, 0), 0x31);
	gim_machine_eoi(machine, 0, 0);
	gim_machine_eoi(machine, 0, 0); /* there is none in service */
	assert_int_equal(own(machine)->ends, 3);
	gim_machine_free(&machine);
}

static void lapic_auto_eoi(void **unused)
{
	(void)unused;
	struct gim_machine *machine = running(&plain, NULL);
	gim_machine_raise_vector(machine, 0, 0x40, true);
	gim_machine_raise_vector(machine, 0, 0x41, false);
	assert_int_equal(gim_machine_interrupt(machine, 0), 0x41);
	gim_machine_eoi(machine, 0, 0);
	assert_int_equal(gim_machine_interrupt(machine, 0), 0x40);
	assert_int_equal(own(machine)->ends, 2); /* told, with nothing in service */
	assert_int_equal(own(machine)->ended[1], 0x40);
	gim_machine_raise_vector(machine, 0, 0x40, false);
	assert_int_equal(gim_machine_interrupt(machine, 0), 0x40);
	gim_machine_raise_vector(machine, 0, 0x40, false);
	assert_int_equal(gim_machine_interrupt(machine, 0), -1);
	/* Disabled, it takes nothing. */
	assert_int_equal(gim_apic_write(machine, 1, 0xf0, 0xff), 0);
	gim_machine_raise_vector(machine, 1, 0x50, false);
	assert_int_equal(gim_apic_write(machine, 1, 0xf0, 0x1ff), 0);
	assert_int_equal(gim_machine_interrupt(machine, 1), -1);
	gim_machine_free(&machine);
}

static void note_wake(void *user, uint32_t vcpu)
{
	((unsigned *)user)[vcpu]++;
}

static void lapic_ipis(void **unused)
{
	(void)unused;
	static const struct {
		uint64_t icr;
		bool at[3];
	} ipis[] = {
	    {0x02000000000000a1, {false, false, true}},
	    {0xff000000000000a2, {true, true, true}},
	    {0x00000000000400a3, {false, true, false}},
	    {0x00000000000800a4, {true, true, true}},
	    {0x00000000000c00a5, {true, false, true}},
	    {0x00000002000000a6, {false, false, true}},
	    {0x00000000000005a7, {false, false, false}} /* INIT */,
	    {0x01000000000008a8, {false, false, false}} /* logical */,
	    {0x09000000000000a9, {false, false, false}},
	    {0xffffffff000000aa, {true, true, true}},
	};
	unsigned wakes[3] = {0, 0, 0};
	const struct gim_host host = {.user = wakes, .wake = note_wake};
	struct gim_machine *machine = running(&plain, &host);
	for (size_t i = 0; i < sizeof(ipis) / sizeof(ipis[0]); i++) {
		uint64_t icr;
		assert_int_equal(gim_apic_write(machine, 1, 0x300, ipis[i].icr | 0x1000), 0);
		assert_int_equal(gim_apic_read(machine, 1, 0x300, &icr), 0);
		assert_true(icr == ipis[i].icr);
		for (uint32_t vcpu = 0; vcpu < 3; vcpu++) {
			const int vector = ipis[i].at[vcpu] ? (int)(ipis[i].icr & 0xff) : -1;
			assert_int_equal(gim_machine_interrupt(machine, vcpu), vector);
			gim_machine_eoi(machine, vcpu, 0);
		}
	}
	assert_int_equal(wakes[1], 4);
	assert_int_equal(gim_apic_write(machine, 1, 0x310, 0), -1);
	gim_machine_free(&machine);
}

static struct {
	uint32_t vcpu, offset;
	uint64_t value;
	bool auto_eoi;
} hosted;

static void host_interrupt(void *user, uint32_t vcpu, uint8_t vector, bool auto_eoi)
{
	(void)user;
	hosted.vcpu = vcpu;
	hosted.value = vector;
	hosted.auto_eoi = auto_eoi;
}
static int host_apic_read(void *user, uint32_t vcpu, uint32_t offset, uint64_t *value)
{
	(void)user;
	*value = vcpu * 1000 + offset;
	return 0;
}
static int host_apic_write(void *user, uint32_t vcpu, uint32_t offset, uint64_t value)
{
	(void)user;
	hosted.vcpu = vcpu;
	hosted.offset = offset;
	hosted.value = value;
	return 0;
}

static void host_apic(void **unused)
{
	(void)unused;
	struct gim_host host = {.interrupt = host_interrupt, .apic_read = host_apic_read, .apic_write = host_apic_write};
	struct gim_machine *machine = running(&plain, &host);
	uint64_t value;
	gim_machine_raise_vector(machine, 2, 0x99, true);
	assert_true(hosted.vcpu == 2 && hosted.value == 0x99 && hosted.auto_eoi);
	assert_int_equal(gim_machine_interrupt(machine, 2), -1);
	assert_int_equal(gim_apic_read(machine, 1, 0x80, &value), 0);
	assert_int_equal(value, 1128);
	assert_int_equal(gim_apic_write(machine, 1, 0xb0, 0), 0);
	assert_int_equal(hosted.offset, 0xb0);
	gim_machine_eoi(machine, 1, 0x77);
	assert_int_equal(own(machine)->ended[0], 0x77);
	gim_machine_free(&machine);
	host.apic_read = NULL;
	machine = running(&plain, &host);
	assert_int_equal(gim_apic_read(machine, 1, 0x80, &value), -1);
	gim_machine_free(&machine);
}

/*
 * Clock.
 */
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

/*
 * Counters.
 */
static int list_counter(void *user, const char *name, uint64_t value)
{
	char *text = (char *)user;
	const size_t used = strlen(text);
	if (value || !strncmp(name, "vcpu[2]", 7))
		(void)snprintf(text + used, 1024 - used, "%s=%u\n", name, (unsigned)value);
	return 0;
}

static int64_t sent(void *user, const void *bytes, size_t size)
{
	(void)user;
	(void)bytes;
	return size > 100 ? -1 : (int64_t)size;
}
static int64_t received(void *user, void *bytes, size_t size)
{
	(void)bytes;
	const unsigned which = (*(unsigned *)user)++;
	return which == 0 ? 40 : which == 1 ? 0 : (int64_t)size + 1;
}

static void counters(void **unused)
{
	(void)unused;
	unsigned packets = 0;
	const struct gim_host host = {.user = &packets, .debug_send = sent, .debug_receive = received};
	struct gim_machine *machine = running(&plain, &host);
	uint8_t buffer[200];
	uint64_t value;
	char text[1024] = "";
	json_t *json = NULL;
	(void)gim_machine_rdmsr(machine, 0, 0x11, &value);
	(void)gim_machine_rdmsr(machine, 1, 0x11, &value);
	(void)gim_machine_wrmsr(machine, 1, 0x40000026, 13);
	(void)gim_machine_wrmsr(machine, 1, 0x40000030, 100);
	gim_count_vcpu(machine, 1, 1, 5);
	assert_int_equal(gim_debug_send(machine, buffer, 60), 60);
	assert_int_equal(gim_debug_send(machine, buffer, 101), -1);
	assert_int_equal(gim_debug_receive(machine, buffer, sizeof(buffer)), 40);
	assert_int_equal(gim_debug_receive(machine, buffer, sizeof(buffer)), 0);
	assert_int_equal(gim_debug_receive(machine, buffer, sizeof(buffer)), -1); /* more than there was room for */
	assert_int_equal(gim_machine_counters(machine, list_counter, text), 0);
	assert_string_equal(text, "debug.packets_sent=1\n"
	                          "debug.bytes_sent=60\n"
	                          "debug.packets_received=1\n"
	                          "debug.bytes_received=40\n"
	                          "alarms_set=1\n"
	                          "vcpu[1].second=5\n"
	                          "vcpu[2].first=0\n"
	                          "vcpu[2].second=0\n"
	                          "msr.TEST_OWN.reads=2\n"
	                          "msr.TEST3_SEVERAL.writes=1\n"
	                          "msr.TEST3_SEVERAL.faults=1\n"
	                          "msr.TEST_ALARM.writes=1\n");
	assert_int_equal(gim_machine_counters_json(machine, &json, NULL), 0);
	assert_int_equal(json_integer_value(json_object_get(json, "debug.bytes_sent")), 60);
	assert_int_equal(json_integer_value(json_object_get(json, "msr.TEST_OWN.reads")), 2);
	assert_int_equal(json_integer_value(json_object_get(json, "vcpu[1].second")), 5);
	assert_true(json_is_integer(json_object_get(json, "hypercalls")));
	json_decref(json);
	gim_machine_free(&machine);
}

/*
 * 128 bits.
 */
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
	    cmocka_unit_test(order_of_life),   cmocka_unit_test(refusals),         cmocka_unit_test(msr_dispatch),
	    cmocka_unit_test(msr_list),        cmocka_unit_test(cpuid_and_calls),  cmocka_unit_test(minimal),
	    cmocka_unit_test(pages),           cmocka_unit_test(no_device),        cmocka_unit_test(memory),
	    cmocka_unit_test(callback_memory), cmocka_unit_test(lapic_priorities), cmocka_unit_test(lapic_auto_eoi),
	    cmocka_unit_test(lapic_ipis),      cmocka_unit_test(host_apic),        cmocka_unit_test(built_in_clock),
	    cmocka_unit_test(host_clock),      cmocka_unit_test(counters),         cmocka_unit_test(scale),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
