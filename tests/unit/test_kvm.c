/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The KVM interface alive, as its guest sees it, and through loading and saving. */
#include "kvm/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	WALL_CLOCK_OLD = 0x11,
	SYSTEM_TIME_OLD = 0x12,
	WALL_CLOCK = 0x4b564d00,
	SYSTEM_TIME,
	ASYNC_PF,
	STEAL_TIME,
	PV_EOI,
	POLL_CONTROL,
	ASYNC_PF_INT,
	ASYNC_PF_ACK,
	MIGRATION_CONTROL,
};
enum { RAM_BYTES = 32 * 4096, VCPUS = 3 };
#define TSC_HZ UINT64_C(2600000000)
#define SECOND UINT64_C(1000000000)

struct embedder {
	unsigned wakes[VCPUS], flushes;
	uint64_t waited_ns[VCPUS];
	char log[256];
};
static struct embedder embedder;

static void wake(void *user, uint32_t vcpu)
{
	((struct embedder *)user)->wakes[vcpu]++;
}
static void flush(void *user, const struct gim_flush *what)
{
	struct embedder *own = (struct embedder *)user;
	assert_true(what->all_spaces && what->global_too && what->range_count == 0);
	own->flushes += what->vcpus[0] == UINT64_C(1) << what->vcpu;
}
static uint64_t waited(void *user, uint32_t vcpu)
{
	return ((struct embedder *)user)->waited_ns[vcpu];
}
static void take_log(void *user, enum gim_severity severity, const char *text)
{
	(void)severity;
	(void)snprintf(((struct embedder *)user)->log, sizeof(embedder.log), "%s", text);
}

static struct gim_machine *with(const char *features, uint64_t tsc_hz)
{
	const struct gim_setting setting = {"features.base", features};
	const struct gim_machine_config config = {.provider = "kvm",
	                                          .vcpus = VCPUS,
	                                          .tsc_hz = tsc_hz,
	                                          .ram_bytes = RAM_BYTES,
	                                          .settings = &setting,
	                                          .setting_count = features ? 1 : 0};
	const struct gim_host host = {.user = &embedder, .wake = wake, .flush = flush, .vcpu_waited_ns = waited, .log = take_log};
	struct gim_machine *machine = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	memset(&embedder, 0, sizeof(embedder));
	if (gim_machine_new(&config, &host, &machine, &error) || gim_machine_init(machine, &error) ||
	    gim_machine_init_completed(machine, &error))
		fail_msg("%s", error.text);
	return machine;
}

static struct gim_machine *start(void)
{
	return with(NULL, TSC_HZ);
}

static void write_ok(struct gim_machine *machine, uint32_t vcpu, uint32_t msr, uint64_t value)
{
	uint64_t back = ~value;
	assert_int_equal(gim_machine_wrmsr(machine, vcpu, msr, value), GIM_ACCESS_DONE);
	assert_int_equal(gim_machine_rdmsr(machine, vcpu, msr, &back), GIM_ACCESS_DONE);
	assert_true(back == value);
}

static void write_gp(struct gim_machine *machine, uint32_t msr, uint64_t value)
{
	uint64_t before, after;
	assert_int_equal(gim_machine_rdmsr(machine, 0, msr, &before), GIM_ACCESS_DONE);
	assert_int_equal(gim_machine_wrmsr(machine, 0, msr, value), GIM_ACCESS_GP);
	assert_int_equal(gim_machine_rdmsr(machine, 0, msr, &after), GIM_ACCESS_DONE);
	assert_true(before == after);
}

static uint64_t load(struct gim_machine *machine, uint64_t gpa, unsigned width)
{
	uint8_t bytes[8];
	uint64_t number = 0;
	assert_int_equal(gim_machine_read(machine, gpa, bytes, width, NULL), 0);
	for (unsigned i = width; i-- > 0;)
		number = number << 8 | bytes[i];
	return number;
}

static void store(struct gim_machine *machine, uint64_t gpa, unsigned width, uint64_t number)
{
	uint8_t bytes[8];
	for (unsigned i = 0; i < width; i++)
		bytes[i] = (uint8_t)(number >> 8 * i);
	assert_int_equal(gim_machine_write(machine, gpa, bytes, width, NULL), 0);
}

/* The time by the structure at gpa, computed as guests do. */
static uint64_t read_clock(struct gim_machine *machine, uint64_t gpa)
{
	const int8_t shift = (int8_t)load(machine, gpa + 28, 1);
	uint64_t ticks = gim_machine_tsc(machine) - load(machine, gpa + 8, 8);
	assert_int_equal(load(machine, gpa, 4) & 1, 0);
	ticks = shift < 0 ? ticks >> -shift : ticks << shift;
	return load(machine, gpa + 16, 8) + gim_mul_div(ticks, load(machine, gpa + 24, 4), UINT64_C(1) << 32);
}

static void features(void **unused)
{
	(void)unused;
	struct gim_machine *machine = start();
	uint32_t regs[4];
	assert_int_equal(gim_machine_cpuid(machine, 0, 0x40000000, 0, regs), GIM_ACCESS_DONE);
	assert_int_equal(regs[0], 0x40000001);
	assert_int_equal(regs[1], 0x4b4d564b);
	assert_int_equal(regs[2], 0x564b4d56);
	assert_int_equal(regs[3], 0x4d);
	assert_int_equal(gim_machine_cpuid(machine, 0, 0x40000001, 0, regs), GIM_ACCESS_DONE);
	assert_int_equal(regs[0], 0x010272f9);
	assert_int_equal(regs[1] | regs[2] | regs[3], 0);
	assert_int_equal(gim_machine_cpuid(machine, 0, 0x40000002, 0, regs), GIM_ACCESS_NOT_OURS);
	gim_machine_free(&machine);
	machine = with("clocksource,pv_unhalt,nop_io_delay", TSC_HZ);
	assert_int_equal(gim_machine_cpuid(machine, 0, 0x40000001, 0, regs), GIM_ACCESS_DONE);
	assert_int_equal(regs[0], 0x83);
	gim_machine_free(&machine);

	static const struct {
		const char *key, *value, *text;
	} bad[] = {{"features.base", "0x800", "features.base has bits 0x800, which are not served here"},
	           {"features.base", "colour", "colour"},
	           {"features.base", "0x100000000", "0x100000000"},
	           {"catch_up", "maybe", "the setting catch_up does not take maybe: true or false"}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct gim_setting setting = {bad[i].key, bad[i].value};
		const struct gim_machine_config config = {
		    .provider = "kvm", .vcpus = 1, .tsc_hz = TSC_HZ, .settings = &setting, .setting_count = 1};
		struct gim_error error = GIM_ERROR_INIT;
		assert_int_equal(gim_machine_new(&config, NULL, &machine, &error), GIM_E_VALUE);
		if (!strstr(error.text, bad[i].text))
			fail_msg("%s", error.text);
	}
}

/* Each bit opens its MSRs, and nothing else does. */
static void gates(void **unused)
{
	(void)unused;
	static const struct {
		uint32_t msr;
		unsigned bit;
	} gated[] = {{WALL_CLOCK_OLD, 0},    {SYSTEM_TIME_OLD, 0}, {WALL_CLOCK, 3},    {SYSTEM_TIME, 3},   {ASYNC_PF, 4},
	             {STEAL_TIME, 5},        {PV_EOI, 6},          {POLL_CONTROL, 12}, {ASYNC_PF_INT, 14}, {ASYNC_PF_ACK, 14},
	             {MIGRATION_CONTROL, 17}};
	struct gim_machine *machine = start();
	uint64_t value;
	for (unsigned bit = 0; bit < 32; bit++)
		for (size_t i = 0; i < sizeof(gated) / sizeof(gated[0]); i++) {
			const enum gim_access expected = bit == gated[i].bit ? GIM_ACCESS_DONE : GIM_ACCESS_GP;
			kvm_state(machine)->features.base = 1u << bit;
			machine->gating = GIM_GATING_WORDS;
			assert_int_equal(gim_machine_rdmsr(machine, 0, gated[i].msr, &value), expected);
			assert_int_equal(gim_machine_wrmsr(machine, 0, gated[i].msr, 0), expected);
			/* VirtualBox has the clocks, whatever it shows, and none of the others. */
			machine->gating = GIM_GATING_PRODUCER;
			assert_int_equal(gim_machine_rdmsr(machine, 0, gated[i].msr, &value),
			                 gated[i].bit <= 3 ? GIM_ACCESS_DONE : expected);
		}
	assert_int_equal(gim_machine_rdmsr(machine, 0, 0x4b564d09, &value), GIM_ACCESS_NOT_OURS);
	gim_machine_free(&machine);
}

static void registers_of_state(void **unused)
{
	(void)unused;
	struct gim_machine *machine = start();
	uint64_t value;
	assert_int_equal(gim_machine_rdmsr(machine, 1, POLL_CONTROL, &value), GIM_ACCESS_DONE);
	assert_int_equal(value, 1);
	write_ok(machine, 1, POLL_CONTROL, 0);
	write_gp(machine, POLL_CONTROL, 2);
	assert_int_equal(gim_machine_rdmsr(machine, 1, MIGRATION_CONTROL, &value), GIM_ACCESS_DONE);
	assert_int_equal(value, 1);
	write_ok(machine, 1, MIGRATION_CONTROL, 0);
	write_gp(machine, MIGRATION_CONTROL, 3);
	assert_int_equal(gim_machine_reset(machine, NULL), 0);
	assert_int_equal(kvm_vcpu(machine, 1)->poll_control, 1);
	assert_int_equal(kvm_state(machine)->migration_control, 1);
	gim_machine_free(&machine);
}

static void scales(void **unused)
{
	(void)unused;
	static const struct {
		uint64_t hz;
		int8_t shift;
		uint32_t mul;
	} known[] = {{2600000000, -1, 3303820996}, {1000000000, 1, 2147483648},    {2000000000, 0, 2147483648},
	             {1000000001, 0, 4294967291},  {4000000000, -1, 2147483648},   {5000000000, -2, 3435973836},
	             {10000001, 7, 3355442864},    {1000000000000, -9, 2199023255}};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const struct kvm_scale scale = kvm_scale_of(known[i].hz);
		assert_int_equal(scale.shift, known[i].shift);
		assert_int_equal(scale.mul, known[i].mul);
		/* A second's ticks are a second, less what the factor loses. */
		const uint64_t ns = kvm_scale_ticks(scale, known[i].hz);
		assert_true(ns <= SECOND && ns > SECOND - 600);
	}
}

static void system_time(void **unused)
{
	(void)unused;
	struct gim_machine *machine = start();
	gim_machine_step(machine, 3 * TSC_HZ);
	write_ok(machine, 0, SYSTEM_TIME, 0x1000 | 1);
	assert_int_equal(load(machine, 0x1000, 4), 2);
	assert_int_equal(load(machine, 0x1004, 4), 0);
	assert_int_equal(load(machine, 0x1018, 4), 3303820996);
	assert_int_equal((int8_t)load(machine, 0x101c, 1), -1);
	assert_int_equal(load(machine, 0x101d, 1), 1);
	assert_int_equal(load(machine, 0x101e, 2), 0);
	assert_in_range(read_clock(machine, 0x1000), 3 * SECOND - 3, 3 * SECOND);
	gim_machine_step(machine, TSC_HZ / 2);
	/* The old number is the same register, and all vCPUs have one time. */
	write_ok(machine, 1, SYSTEM_TIME_OLD, 0x2000 | 1);
	for (unsigned i = 0; i < 1000; i++) {
		gim_machine_step(machine, i * 7);
		assert_true(read_clock(machine, 0x1000) == read_clock(machine, 0x2000));
	}
	/* Off and on again; a version that no one has seen. */
	write_ok(machine, 0, SYSTEM_TIME, 0x1000);
	assert_int_equal(load(machine, 0x1000, 4), 2);
	write_ok(machine, 0, SYSTEM_TIME, 0x1000 | 1);
	assert_int_equal(load(machine, 0x1000, 4), 4);
	/* Where no RAM is there is no time either, but no #GP. */
	assert_string_equal(embedder.log, "");
	write_ok(machine, 0, SYSTEM_TIME, (RAM_BYTES - 16) | 1);
	assert_string_equal(embedder.log, "vCPU 0: its time structure at 0x1fff0 is not in RAM");
	assert_int_equal(gim_machine_reset(machine, NULL), 0);
	assert_int_equal(kvm_vcpu(machine, 1)->system_time, 0);
	assert_int_equal(kvm_vcpu(machine, 1)->version, 0);
	gim_machine_free(&machine);
}

static void wall_clock(void **unused)
{
	(void)unused;
	struct gim_machine *machine = start();
	machine->clock_utc_ns = 1700000000 * SECOND + 123456789;
	gim_machine_step(machine, 10 * TSC_HZ);
	store(machine, 0x3000, 4, 7);
	write_ok(machine, 0, WALL_CLOCK, 0x3000);
	/* When the machine began, not when it asked. */
	assert_int_equal(load(machine, 0x3000, 4), 8);
	assert_int_equal(load(machine, 0x3004, 4), 1700000000);
	assert_in_range(load(machine, 0x3008, 4), 123456789, 123456789 + 10);
	write_ok(machine, 1, WALL_CLOCK_OLD, 0x3000);
	assert_int_equal(load(machine, 0x3000, 4), 10);
	write_gp(machine, WALL_CLOCK, 0x3002);
	write_gp(machine, WALL_CLOCK, RAM_BYTES - 8);
	write_gp(machine, WALL_CLOCK, UINT64_MAX - 3);
	write_ok(machine, 0, WALL_CLOCK, 0);
	gim_machine_free(&machine);
}

static void async_page_faults(void **unused)
{
	(void)unused;
	struct gim_machine *machine = start();
	assert_int_equal(gim_machine_async_fault(machine, 0, 5, false), 1);
	write_gp(machine, ASYNC_PF, 0x4000 | 0x10);
	write_gp(machine, ASYNC_PF, 0x4000 | 4 | 1); /* no such feature */
	write_gp(machine, ASYNC_PF, RAM_BYTES | 9);
	write_gp(machine, ASYNC_PF_INT, 0x100);
	write_ok(machine, 0, ASYNC_PF_INT, 0xf3);
	write_ok(machine, 0, ASYNC_PF, 0x4000 | 1);
	assert_int_equal(gim_machine_async_fault(machine, 0, 5, false), 1); /* not without the interrupt */
	write_ok(machine, 0, ASYNC_PF, 0x4000 | 9);
	assert_int_equal(gim_machine_async_fault(machine, 0, 5, false), 0);
	assert_int_equal(load(machine, 0x4000, 4), 1);
	assert_int_equal(gim_machine_async_fault(machine, 0, 6, false), 1); /* the first was not seen */
	store(machine, 0x4000, 4, 0);
	assert_int_equal(gim_machine_async_fault(machine, 0, 0x12345678, true), 0);
	assert_int_equal(load(machine, 0x4004, 4), 0x12345678);
	assert_int_equal(gim_machine_interrupt(machine, 0), 0xf3);
	gim_machine_eoi(machine, 0, 0);
	store(machine, 0x4004, 4, 0);
	assert_int_equal(gim_machine_async_fault(machine, 0, 6, true), 1); /* not acknowledged */
	assert_int_equal(gim_machine_wrmsr(machine, 0, ASYNC_PF_ACK, 0), GIM_ACCESS_DONE);
	assert_int_equal(gim_machine_async_fault(machine, 0, 6, true), 1);
	assert_int_equal(gim_machine_wrmsr(machine, 0, ASYNC_PF_ACK, 1), GIM_ACCESS_DONE);
	store(machine, 0x4004, 4, 9);
	assert_int_equal(gim_machine_async_fault(machine, 0, 6, true), 1); /* the token was not taken */
	store(machine, 0x4004, 4, 0);
	assert_int_equal(gim_machine_async_fault(machine, 0, 6, true), 0);
	write_ok(machine, 0, ASYNC_PF, 0);
	assert_int_equal(kvm_vcpu(machine, 0)->async_pf_pending, 0);
	assert_int_equal(gim_machine_async_fault(machine, 0, 7, true), 1);
	gim_machine_free(&machine);
}

static void steal_time(void **unused)
{
	(void)unused;
	struct gim_machine *machine = start();
	embedder.waited_ns[1] = 5000; /* before the guest asked */
	for (unsigned bit = 1; bit < 6; bit++)
		write_gp(machine, STEAL_TIME, 0x5000 | 1u << bit | 1);
	write_gp(machine, STEAL_TIME, RAM_BYTES | 1);
	write_ok(machine, 1, STEAL_TIME, 0x5040 | 1);
	assert_int_equal(load(machine, 0x5040, 8), 0);
	assert_int_equal(load(machine, 0x5048, 4), 2);
	gim_machine_run(machine, 1, false);
	assert_int_equal(load(machine, 0x5050, 1), 1);
	embedder.waited_ns[1] += 777;
	gim_machine_run(machine, 1, true);
	assert_int_equal(load(machine, 0x5040, 8), 777);
	assert_int_equal(load(machine, 0x5048, 4), 4);
	assert_int_equal(load(machine, 0x504c, 4), 0);
	assert_int_equal(load(machine, 0x5050, 1), 0);
	assert_int_equal(embedder.flushes, 0);
	/* Another vCPU wants its translations flushed. */
	gim_machine_run(machine, 1, false);
	store(machine, 0x5050, 1, 3);
	gim_machine_run(machine, 1, true);
	assert_int_equal(embedder.flushes, 1);
	assert_int_equal(load(machine, 0x5050, 1), 0);
	/* A version that the guest spoiled is even again. */
	store(machine, 0x5048, 4, 0xffffffff);
	gim_machine_run(machine, 1, true);
	assert_int_equal(load(machine, 0x5048, 4), 0);
	write_ok(machine, 1, STEAL_TIME, 0);
	gim_machine_run(machine, 1, false);
	assert_int_equal(load(machine, 0x5050, 1), 0);
	gim_machine_free(&machine);
}

static void pv_eoi(void **unused)
{
	(void)unused;
	struct gim_machine *machine = start();
	write_gp(machine, PV_EOI, 0x6000 | 3);
	write_gp(machine, PV_EOI, RAM_BYTES | 1);
	write_ok(machine, 0, PV_EOI, 0x6004 | 1);
	gim_machine_raise_vector(machine, 0, 0x51, false);
	assert_int_equal(gim_machine_interrupt(machine, 0), 0x51);
	assert_int_equal(load(machine, 0x6004, 4), 1);
	/* The guest clears it: that was the EOI. */
	store(machine, 0x6004, 4, 0);
	gim_machine_raise_vector(machine, 0, 0x41, false);
	gim_machine_raise_vector(machine, 0, 0x31, false);
	assert_int_equal(gim_machine_interrupt(machine, 0), 0x41);
	/* Another waits, so that the guest has to come. */
	assert_int_equal(load(machine, 0x6004, 4), 0);
	assert_int_equal(gim_machine_interrupt(machine, 0), -1);
	gim_machine_eoi(machine, 0, 0);
	assert_int_equal(gim_machine_interrupt(machine, 0), 0x31);
	assert_int_equal(load(machine, 0x6004, 4), 1);
	/* It was looked at before the guest was done: from then on by the APIC. */
	assert_int_equal(gim_machine_interrupt(machine, 0), -1);
	assert_int_equal(load(machine, 0x6004, 4), 0);
	gim_machine_eoi(machine, 0, 0);
	/* By the APIC all the same: the word does not stand for the next one. */
	gim_machine_raise_vector(machine, 0, 0x61, false);
	assert_int_equal(gim_machine_interrupt(machine, 0), 0x61);
	gim_machine_eoi(machine, 0, 0);
	assert_int_equal(load(machine, 0x6004, 4), 0);
	gim_machine_raise_vector(machine, 0, 0x61, false);
	assert_int_equal(gim_machine_interrupt(machine, 0), 0x61);
	store(machine, 0x6004, 4, 0);
	write_ok(machine, 0, PV_EOI, 0);
	gim_machine_raise_vector(machine, 0, 0x61, false);
	assert_int_equal(gim_machine_interrupt(machine, 0), 0x61);
	gim_machine_free(&machine);
}

static void hypercalls(void **unused)
{
	(void)unused;
	static const struct {
		struct gim_registers in;
		uint64_t rax;
	} calls[] = {
	    {{.rax = 5, .rcx = 1, .long_mode = true}, 0},
	    {{.rax = 5, .rcx = 99, .long_mode = true}, 0},
	    {{.rax = 5, .rcx = UINT64_C(1) << 32, .long_mode = true}, 0},
	    {{.rax = 0xffffffff00000005, .rcx = 0xffffffff00000001}, 0},
	    {{.rax = 0xffffffff00000005, .rcx = 1, .long_mode = true}, (uint64_t)-1000},
	    {{.rax = 1, .long_mode = true}, 0},
	    {{.rax = 11, .long_mode = true}, 0},
	    {{.rax = 10, .long_mode = true}, (uint64_t)-1000},
	    {{.rax = 9}, (uint32_t)-1000},
	    {{.rax = 5, .rcx = 0, .cpl = 3, .long_mode = true}, (uint64_t)-1},
	    {{.rax = 77, .cpl = 1}, (uint32_t)-1},
	};
	struct gim_machine *machine = start();
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct gim_registers registers = calls[i].in;
		assert_int_equal(gim_machine_hypercall(machine, 0, &registers), GIM_ACCESS_DONE);
		assert_true(registers.rax == calls[i].rax);
	}
	assert_int_equal(embedder.wakes[0], 0);
	assert_int_equal(embedder.wakes[1], 2);
	kvm_state(machine)->features.base = 0;
	struct gim_registers kick = {.rax = 5, .rcx = 1, .long_mode = true};
	assert_int_equal(gim_machine_hypercall(machine, 0, &kick), GIM_ACCESS_DONE);
	assert_true(kick.rax == (uint64_t)-1000);
	assert_int_equal(embedder.wakes[1], 2);
	gim_machine_free(&machine);
}

/*
 * Loading and saving.
 */
struct notes {
	unsigned count;
	char text[4096];
};

static void note(void *user, const struct gim_finding *finding)
{
	struct notes *notes = (struct notes *)user;
	const size_t used = strlen(notes->text);
	notes->count++;
	(void)snprintf(notes->text + used, sizeof(notes->text) - used, "%s %s: %s\n", finding->rule->id, finding->path, finding->text);
}

static void copy_ram(struct gim_machine *to, struct gim_machine *from)
{
	static uint8_t bytes[RAM_BYTES];
	assert_int_equal(gim_ram_read(from, 0, bytes, sizeof(bytes)), 0);
	assert_int_equal(gim_ram_write(to, 0, bytes, sizeof(bytes)), 0);
}

static void save_and_load(uint64_t tsc_hz)
{
	struct gim_machine *first = start(), *second = with(NULL, tsc_hz);
	struct gim_state *state = NULL;
	struct notes notes = {0, ""};
	write_ok(first, 1, SYSTEM_TIME, 0x1020 | 1);
	write_ok(first, 1, ASYNC_PF_INT, 0xf3);
	write_ok(first, 1, ASYNC_PF, 0x4000 | 9);
	write_ok(first, 1, PV_EOI, 0x6000 | 1);
	write_ok(first, 0, STEAL_TIME, 0x5000 | 1);
	gim_machine_step(first, 100 * TSC_HZ + 17);
	assert_int_equal(gim_machine_async_fault(first, 1, 0xabc, true), 0);
	assert_int_equal(gim_machine_interrupt(first, 1), 0xf3);
	gim_machine_raise_vector(first, 0, 0x44, false);
	assert_int_equal(gim_machine_save(first, &state, NULL), 0);
	const uint64_t before = read_clock(first, 0x1020);
	assert_true(gim_state_value(state, "kvm.clock_ns").number == before);
	assert_true(gim_state_value(state, "guest.tsc_hz").number == TSC_HZ);
	copy_ram(second, first);
	assert_int_equal(gim_machine_load(second, state, note, &notes, NULL), 0);
	assert_string_equal(notes.text, "");
	assert_int_equal(gim_machine_load_done(second, NULL), 0);
	/* The time goes on, to the ns, whatever the frequency is now, in a structure that has changed. */
	assert_true(read_clock(second, 0x1020) == before);
	assert_int_equal(load(second, 0x1020, 4), 4);
	assert_true(gim_machine_tsc(second) == gim_machine_tsc(first));
	assert_true(gim_machine_virtual_ns(second) == gim_machine_virtual_ns(first));
	assert_true(gim_machine_utc_ns(second) == gim_machine_utc_ns(first));
	gim_machine_step(second, tsc_hz);
	assert_in_range(read_clock(second, 0x1020), before + SECOND - 2, before + SECOND);
	/* What waits, waits; what is in service ends by the word in memory. */
	assert_int_equal(gim_machine_interrupt(second, 0), 0x44);
	gim_machine_raise_vector(second, 1, 0xf4, false);
	assert_int_equal(gim_machine_interrupt(second, 1), -1);
	assert_int_equal(gim_machine_async_fault(second, 1, 1, true), 1);
	gim_machine_eoi(second, 1, 0);
	assert_int_equal(gim_machine_interrupt(second, 1), 0xf4);
	/* Stolen time is counted from here. */
	embedder.waited_ns[0] = 100;
	gim_machine_run(second, 0, true);
	assert_int_equal(load(second, 0x5000, 8), 100);
	gim_state_free(&state);
	gim_machine_free(&first);
	gim_machine_free(&second);
}

static void same_frequency(void **unused)
{
	(void)unused;
	save_and_load(TSC_HZ);
}

static void other_frequency(void **unused)
{
	(void)unused;
	save_and_load(UINT64_C(3500000001));
}

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes((struct gim_buffer *)user, bytes, size);
	return 0;
}

static struct gim_state *open_sample(const char *path)
{
	struct gim_state *state = NULL;
	assert_int_equal(gim_state_open(path, &state, NULL), 0);
	return state;
}

/* A state of VirtualBox: what it does not hold, and its payload again. */
static void virtualbox(void **unused)
{
	(void)unused;
	struct gim_machine *machine = start();
	struct gim_state *state = open_sample("samples/kvm.sav"), *saved = NULL;
	struct gim_buffer payload = {.bytes = NULL}, again = {.bytes = NULL};
	struct notes notes = {0, ""};
	struct gim_unit unit;
	assert_int_equal(gim_machine_load(machine, state, note, &notes, NULL), 0);
	assert_int_equal(machine->gating, GIM_GATING_PRODUCER);
	assert_non_null(strstr(
	    notes.text, "LOAD-ABSENT kvm.vcpu[0].poll_control: vbox-kvm-1 does not hold it; it became 0x1, as on the next 2 vCPUs\n"));
	assert_non_null(strstr(notes.text, "LOAD-ABSENT kvm.clock_ns: vbox-kvm-1 does not hold it; it became "));
	assert_int_equal(gim_machine_save(machine, &saved, NULL), 0);
	assert_int_equal(gim_unit_find(state, "GIM", 0, GIM_PASS_FINAL, &unit, NULL), 0);
	assert_int_equal(gim_unit_read(state, &unit, collect, &payload, NULL), 0);
	assert_int_equal(gim_state_payload(saved, "vbox-kvm-1", collect, &again, NULL), 0);
	assert_int_equal(payload.size, again.size);
	assert_memory_equal(payload.bytes, again.bytes, payload.size);
	assert_int_equal(gim_state_value(saved, "gim.provider_version").number, 1);
	assert_int_equal(gim_machine_load(machine, state, NULL, NULL, NULL), GIM_E_ARGUMENT); /* once */
	assert_int_equal(gim_machine_load_done(machine, NULL), 0);
	assert_int_equal(gim_machine_load_done(machine, NULL), GIM_E_ARGUMENT);
	gim_buffer_free(&payload);
	gim_buffer_free(&again);
	gim_state_free(&saved);
	gim_state_free(&state);
	gim_machine_free(&machine);
}

/* QEMU saves no version: the one that the guest saw is in its memory, and one that was stopped while it read must see another. */
static void version_goes_on_from_memory(void **unused)
{
	(void)unused;
	static const struct {
		uint32_t seen, shown;
	} versions[] = {{0, 2}, {2, 4}, {5, 6}, {0xfffffffe, 0}};
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		struct gim_machine *machine = start();
		struct gim_state *state = open_sample("samples/kvm.sav");
		assert_int_equal(gim_state_decode(state, GIM_PART_GIM | GIM_PART_INFO, NULL, NULL, NULL), 0);
		assert_int_equal(gim_state_set(state, "kvm.vcpu[0].system_time", "0x1001", NULL), 0);
		assert_int_equal(gim_state_set(state, "kvm.vcpu[0].gpa", "0x1000", NULL), 0);
		assert_int_equal(gim_state_set(state, "kvm.vcpu[0].version", "0", NULL), 0);
		store(machine, 0x1000, 4, versions[i].seen);
		assert_int_equal(gim_machine_load(machine, state, NULL, NULL, NULL), 0);
		assert_int_equal(gim_machine_load_done(machine, NULL), 0);
		assert_int_equal(load(machine, 0x1000, 4), versions[i].shown);
		gim_state_free(&state);
		gim_machine_free(&machine);
	}
}

/* QEMU saves no address of the time structures beside the MSRs. */
static void time_structures_of_qemu(void **unused)
{
	(void)unused;
	const struct gim_machine_config config = {.provider = "kvm", .vcpus = 2, .tsc_hz = TSC_HZ, .ram_bytes = 4 << 20};
	struct gim_state *state = open_sample("samples/qemu-kvm.mig");
	struct gim_machine *machine = NULL;
	struct notes notes = {0, ""};
	assert_int_equal(gim_machine_new(&config, NULL, &machine, NULL), 0);
	assert_int_equal(gim_machine_init(machine, NULL), 0);
	assert_int_equal(gim_machine_init_completed(machine, NULL), 0);
	store(machine, 0, 4, 0x1234);
	store(machine, 0x200040, 4, 6);
	assert_int_equal(gim_machine_load(machine, state, note, &notes, NULL), 0);
	assert_non_null(strstr(notes.text, "LOAD-ABSENT kvm.vcpu[1].gpa: qemu-kvm-1 does not hold it; it became 0x200040\n"));
	assert_int_equal(gim_machine_load_done(machine, NULL), 0);
	assert_int_equal(load(machine, 0, 4), 0x1234);
	assert_int_equal(load(machine, 0x200000, 4), 2);
	assert_int_equal(load(machine, 0x200040, 4), 8);
	assert_true(read_clock(machine, 0x200000) == kvm_state(machine)->clock_ns);
	gim_state_free(&state);
	gim_machine_free(&machine);
}

static void refused(struct gim_machine *machine, struct gim_state *state, const char *rule, int status, const char *text)
{
	struct gim_error error = GIM_ERROR_INIT;
	const uint64_t tsc = gim_machine_tsc(machine);
	const struct gim_object before = machine->object;
	assert_true(gim_machine_load(machine, state, NULL, NULL, &error) < 0);
	if (!error.rule || strcmp(error.rule->id, rule) != 0 || error.rule->status != status || !strstr(error.text, text))
		fail_msg("%s (%d): %s", error.rule ? error.rule->id : "no rule", error.rule ? error.rule->status : 0, error.text);
	assert_int_equal(machine->phase, GIM_PHASE_COMPLETED);
	assert_ptr_equal(machine->object.data, before.data);
	assert_true(gim_machine_tsc(machine) == tsc);
}

static void refusals(void **unused)
{
	(void)unused;
	struct gim_machine *machine = start();
	struct gim_state *state = open_sample("samples/hyperv-4.sav");
	refused(machine, state, "LOAD-PROVIDER", -1844, "the state's provider is hyperv, the machine's is kvm");
	gim_state_free(&state);
	state = open_sample("samples/none.sav");
	refused(machine, state, "LOAD-PROVIDER", -1844, "the state's provider is none, the machine's is kvm");
	gim_state_free(&state);
	/* A sound one loads after all of that. */
	state = open_sample("samples/kvm.sav");
	assert_int_equal(gim_state_decode(state, GIM_PART_GIM, NULL, NULL, NULL), 0);
	assert_int_equal(gim_state_set(state, "gim.provider_version", "9", NULL), 0);
	struct notes notes = {0, ""};
	assert_int_equal(gim_machine_load(machine, state, note, &notes, NULL), 0);
	assert_non_null(strstr(notes.text, "LOAD-VERSION gim.provider_version: version 9 was found, 1 is the newest that is known"));
	gim_machine_free(&machine);

	const struct gim_machine_config wide = {.provider = "kvm", .vcpus = VCPUS + 1, .tsc_hz = TSC_HZ};
	const struct gim_machine_config narrow = {.provider = "kvm", .vcpus = VCPUS - 1, .tsc_hz = TSC_HZ};
	assert_int_equal(gim_machine_new(&wide, NULL, &machine, NULL), 0);
	assert_int_equal(gim_machine_load(machine, state, NULL, NULL, NULL), GIM_E_ARGUMENT);
	assert_int_equal(gim_machine_init(machine, NULL), 0);
	assert_int_equal(gim_machine_init_completed(machine, NULL), 0);
	refused(machine, state, "LOAD-FEWER-VCPUS", -1831, "the state has 3 vCPUs, the machine has 4");
	gim_machine_free(&machine);
	assert_int_equal(gim_machine_new(&narrow, NULL, &machine, NULL), 0);
	assert_int_equal(gim_machine_init(machine, NULL), 0);
	assert_int_equal(gim_machine_init_completed(machine, NULL), 0);
	refused(machine, state, "LOAD-MORE-VCPUS", -1833, "the state has 3 vCPUs, the machine has 2");
	assert_int_equal(gim_state_set(state, "gim.unit_version", "2", NULL), 0);
	refused(machine, state, "GIM-UNIT-VERSION", -1840, "unit version 2: every release writes 1");
	gim_machine_free(&machine);
	gim_state_free(&state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(features),
	    cmocka_unit_test(gates),
	    cmocka_unit_test(registers_of_state),
	    cmocka_unit_test(scales),
	    cmocka_unit_test(system_time),
	    cmocka_unit_test(wall_clock),
	    cmocka_unit_test(async_page_faults),
	    cmocka_unit_test(steal_time),
	    cmocka_unit_test(pv_eoi),
	    cmocka_unit_test(hypercalls),
	    cmocka_unit_test(same_frequency),
	    cmocka_unit_test(other_frequency),
	    cmocka_unit_test(virtualbox),
	    cmocka_unit_test(version_goes_on_from_memory),
	    cmocka_unit_test(time_structures_of_qemu),
	    cmocka_unit_test(refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
