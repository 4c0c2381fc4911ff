/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The runtime core by a provider of the tests' own: order of life, what is refused, dispatch of MSRs, CPUID and calls, counters. */
#include "test_provider.h"

#include <jansson.h>

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

static int no_apic(void *user, uint32_t vcpu, uint32_t offset, uint64_t value)
{
	(void)user;
	(void)vcpu;
	(void)offset;
	(void)value;
	return -1;
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(order_of_life),   cmocka_unit_test(refusals), cmocka_unit_test(msr_dispatch), cmocka_unit_test(msr_list),
	    cmocka_unit_test(cpuid_and_calls), cmocka_unit_test(minimal),  cmocka_unit_test(counters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
