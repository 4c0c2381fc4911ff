/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests the reader of QEMU's command line: which configuration each option becomes, and what is refused. */
#include "qemu/command_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct qemu_config config;

/* All that was read, as one line. */
static const char *line(void)
{
	static char text[2048];
	(void)snprintf(text, sizeof(text), "%s %s %u/%u %llu %s [%s] %s", config.machine, config.accel, config.vcpus, config.vcpus_max,
	               (unsigned long long)config.ram_bytes, config.uuid, config.capabilities, config.model);
	for (size_t i = 0; i < config.count; i++) {
		const size_t used = strlen(text);
		(void)snprintf(text + used, sizeof(text) - used, ",%s=%s", config.properties[i].name, config.properties[i].value);
	}
	return text;
}

static void expect(const char *options, const char *wanted)
{
	struct gim_error error = GIM_ERROR_INIT;
	memset(&config, 0, sizeof(config));
	if (qemu_command_line_read(options, &config, &error))
		fail_msg("%s: %s", options, error.text);
	assert_string_equal(line(), wanted);
}

static void refuse(const char *options, const char *words)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct qemu_config before;
	memset(&config, 0x5a, sizeof(config));
	before = config;
	const int result = qemu_command_line_read(options, &config, &error);
	assert_true(result < 0);
	assert_int_equal(result, error.code);
	if (!strstr(error.text, words))
		fail_msg("%s: %s", options, error.text);
	assert_memory_equal(&before, &config, sizeof(config));
}

static void test_words(void **user)
{
	(void)user;
	expect("", "  0/0 0  [] ");
	expect("  -smp 3\t-m  32 ", "  3/3 33554432  [] ");
	expect("--smp '3' -m \"3\"2", "  3/3 33554432  [] ");
	/* What has nothing to do with it is passed over, with its argument or without. */
	expect("-nodefaults -S -device virtio-rng-pci,id=r -name 'a vm -m 5' -smp 2", "  2/2 0  [] ");
	refuse("disk.img -smp 2", "\"disk.img\" is no option");
	refuse("-smp", "-smp lacks its argument");
	refuse("-name 'a", "the quote ' of the command line does not end");
}

static void test_machine(void **user)
{
	(void)user;
	expect("-M pc", "pc  0/0 0  [] ");
	expect("-machine type=q35,accel=kvm:tcg,smm=off", "q35 kvm 0/0 0  [] ");
	expect("-M pc-i440fx-7.2 -accel tcg,thread=multi -accel kvm", "pc-i440fx-7.2 tcg 0/0 0  [] ");
	expect("-enable-kvm -M accel=tcg", " kvm 0/0 0  [] ");
	expect("-uuid 0A1B2C3D-1111-2222-3333-445566778899", "  0/0 0 0a1b2c3d-1111-2222-3333-445566778899 [] ");
	expect("-global migration.x-ignore-shared=on -global migration.mapped-ram=true -global ide.x=1 -global migration.events=off",
	       "  0/0 0  [x-ignore-shared mapped-ram] ");
	refuse("-uuid 0a1b2c3d", "-uuid: \"0a1b2c3d\" is not a UUID");
}

static void test_sizes(void **user)
{
	(void)user;
	expect("-m 512", "  0/0 536870912  [] ");
	expect("-m size=1.5G,slots=2,maxmem=4G", "  0/0 1610612736  [] ");
	expect("-m 0x20", "  0/0 33554432  [] ");
	expect("-m 64k", "  0/0 65536  [] ");
	expect("-smp cpus=2,maxcpus=8", "  2/8 0  [] ");
	expect("-smp 4,sockets=2,cores=2,threads=1", "  4/4 0  [] ");
	expect("-smp sockets=2,cores=3,threads=2", "  12/12 0  [] ");
	expect("-smp maxcpus=6", "  6/6 0  [] ");
	refuse("-m much", "-m: \"much\" is not a size of memory");
	refuse("-m 99999999999T", "-m: \"99999999999T\"");
	refuse("-smp 0", "-smp: \"0\" is not a number of vCPUs");
	refuse("-smp sockets=200,cores=200", "vCPUs, where at most");
}

static void test_processor(void **user)
{
	(void)user;
	expect("-cpu host", " kvm 0/0 0  [] host");
	expect("-accel tcg -cpu host", " tcg 0/0 0  [] host");
	expect("-cpu qemu64,+kvm_pv_eoi,-kvmclock,hv-time,hv_vapic=on,kvm=off",
	       "  0/0 0  [] qemu64,kvm-pv-eoi=on,kvmclock=off,hv-time=on,hv-vapic=on,kvm=off");
	expect("-cpu max,tsc-frequency=2599998000", "  0/0 0  [] max,tsc-frequency=2599998000");
	expect("-cpu max,tsc-freq=2.6G", "  0/0 0  [] max,tsc-frequency=2600000000");
	refuse("-cpu max,tsc-frequency=fast", "-cpu: \"fast\" is not a frequency in Hz");
	expect("-cpu host,hv-passthrough", " kvm 0/0 0  [] host,hv-passthrough=on");
	assert_true(config.hypervisor_defaults);
}

/* Of several -cpu the last counts, whole; what -global says of processors stays, and -cpu counts before it. */
static void test_globals(void **user)
{
	(void)user;
	expect("-cpu host,kvm=off,hv-passthrough -cpu max,hv-time", " kvm 0/0 0  [] max,hv-time=on");
	assert_false(config.hypervisor_defaults);
	expect("-cpu qemu64,hv-time -global x86_64-cpu.hv_time=off -global cpu.kvm=off",
	       "  0/0 0  [] qemu64,hv-time=off,kvm=off,hv-time=on");
	assert_int_equal(qemu_config_switch(&config, "hv-time"), QEMU_ON);
	expect("-global driver=host-x86_64-cpu,property=kvmclock,value=off -cpu host -cpu max", " kvm 0/0 0  [] max,kvmclock=off");
	expect("-global driver=migration,property=mapped-ram,value=on", "  0/0 0  [mapped-ram] ");
	expect("-global cpu.tsc-frequency=2G", "  0/0 0  [] ,tsc-frequency=2000000000");
	expect("-global kvm-pit.lost_tick_policy=delay -global cpu -global cpu. -global =,= -global driver=cpu", "  0/0 0  [] ");
	expect("-global cpu.hv-passthrough=on", "  0/0 0  [] ,hv-passthrough=on");
	assert_true(config.hypervisor_defaults);
	refuse("-global cpu.tsc-frequency=soon", "is not a frequency");
}

/* What is not looked at is told. */
static void test_overlooked(void **user)
{
	char text[2000] = "-machine pc";
	(void)user;
	expect("-foo bar -cpu host -nographic --baz -enable-kvm", " kvm 0/0 0  [] host");
	assert_string_equal(config.overlooked, "-foo -nographic --baz");
	expect("-M pc -smp 2", "pc  2/2 0  [] ");
	assert_string_equal(config.overlooked, "");
	for (int i = 0; i < 80; i++)
		(void)strcat(text, " -device vga");
	expect(text, "pc  0/0 0  [] ");
	assert_int_equal(strlen(config.overlooked), 31 * strlen("-device ") + strlen("..."));
	assert_string_equal(config.overlooked + strlen(config.overlooked) - strlen("-device ..."), "-device ...");
	(void)snprintf(text, sizeof(text), "-%0500d -a", 1);
	expect(text, "  0/0 0  [] ");
	assert_string_equal(config.overlooked, "...");
}

/* A word, a property and a list that are longer than any. */
static void test_limits(void **user)
{
	(void)user;
	char *text = calloc(1, 20000);
	assert_non_null(text);
	(void)strcpy(text, "-cpu a");
	for (int i = 0; i < 600; i++)
		(void)strcat(text, ",b");
	refuse(text, "more than 512 properties");
	(void)strcpy(text, "-name ");
	memset(text + 6, 'x', 5000);
	refuse(text, "is too long");
	(void)snprintf(text, 20000, "-cpu a,%0100d", 1);
	refuse(text, "longer than any that QEMU has");
	(void)snprintf(text, 20000, "-M %0100d", 1);
	refuse(text, "-M: ");
	*text = '\0';
	for (int i = 0; i < 20; i++)
		(void)strcat(text, "-global migration.a-capability-of-that-name=on ");
	refuse(text, "capabilities");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_words),     cmocka_unit_test(test_machine), cmocka_unit_test(test_sizes),
	                                   cmocka_unit_test(test_processor), cmocka_unit_test(test_globals), cmocka_unit_test(test_limits),
	                                   cmocka_unit_test(test_overlooked)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
