/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The runtime core's local APICs, and those of an embedder. */
#include "test_provider.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lapic_priorities),
	    cmocka_unit_test(lapic_auto_eoi),
	    cmocka_unit_test(lapic_ipis),
	    cmocka_unit_test(host_apic),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
