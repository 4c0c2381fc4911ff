/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Programs KVM's paravirtual MSRs on all vCPUs, and at each byte "r" from the serial line reports what it finds, in the words of a dump: registers, and
 * the time by each vCPU's clock. "q": it ends. What it reports before it was saved is to be compared with what it reports after. */
#include "kvm.h"

#include <stddef.h>

#define PORT_SERIAL 0x3f8
#define VECTOR_ASYNC_PF 0xec
#define MSR_ASYNC_PF_ACK 0x4b564d07
#define NO_AREA SIZE_MAX

/* What a vCPU shares with KVM; each part begins a line of the cache. */
struct shared {
	struct kvm_clock clock __attribute__((aligned(64)));
	uint8_t steal_time[64] __attribute__((aligned(64)));
	uint8_t async_pf[64] __attribute__((aligned(64)));
	uint32_t pv_eoi __attribute__((aligned(64)));
};

static struct shared areas[VCPUS_MAX] __attribute__((aligned(4096)));
static volatile uint32_t wall[4] __attribute__((aligned(64)));
static uint32_t features;

/* The registers by the names of their fields: what is written is where their area is, with the low bits; opened by a bit of the feature leaf. */
static const struct row {
	const char *name;
	uint32_t msr, bit;
	size_t area;
	uint64_t low;
} rows[] = {
    {"system_time", 0x4b564d01, 3, offsetof(struct shared, clock), 1},
    {"async_pf_int", 0x4b564d06, 14, NO_AREA, VECTOR_ASYNC_PF},
    {"async_pf", 0x4b564d02, 14, offsetof(struct shared, async_pf), 9}, /* its pages come by an interrupt */
    {"steal_time", 0x4b564d03, 5, offsetof(struct shared, steal_time), 1},
    {"pv_eoi", 0x4b564d04, 6, offsetof(struct shared, pv_eoi), 1},
    {"poll_control", 0x4b564d05, 12, NO_AREA, 0},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]), MSR_WALL_CLOCK = 0x4b564d00, MSR_SYSTEM_TIME = 0x4b564d01, CLOCK_BIT = 3 };

static bool has(uint32_t bit)
{
	return features >> bit & 1;
}

static void acknowledge(void)
{
	wrmsr(MSR_ASYNC_PF_ACK, 1);
}

static void program(void)
{
	for (size_t i = 0; i < ROWS; i++) {
		const uint64_t area = rows[i].area == NO_AREA ? 0 : (uint64_t)(uintptr_t)&areas[this_vcpu()] + rows[i].area;
		if (has(rows[i].bit))
			wrmsr(rows[i].msr, area | rows[i].low);
	}
}

static void say(const char *list, uint32_t vcpu, const char *member, uint64_t value)
{
	print("%s[%u]%s%s = 0x%llx\n", list, vcpu, *member ? "." : "", member, (unsigned long long)value);
}

static void report_vcpu(void)
{
	const uint32_t vcpu = this_vcpu();
	uint64_t value, tsc, system_time;
	for (size_t i = 0; i < ROWS; i++)
		if (!rdmsr_safe(rows[i].msr, &value))
			say("kvm.vcpu", vcpu, rows[i].name, value);
	/* Its clock is where the register says: it may have been moved since. */
	if (!has(CLOCK_BIT) || rdmsr_safe(MSR_SYSTEM_TIME, &system_time) || !(system_time & 1))
		return;
	const struct kvm_clock *clock = (const struct kvm_clock *)(uintptr_t)(system_time - 1);
	value = kvm_clock_ns(clock, &tsc);
	say("clock", vcpu, "", value);
	say("tsc", vcpu, "", tsc);
	say("page", vcpu, "", clock->tsc);
}

static void report_all(void)
{
	uint64_t value;
	if (!rdmsr_safe(MSR_WALL_CLOCK, &value))
		print("kvm.wall_clock = 0x%llx\n", (unsigned long long)value);
	/* In their order: a line is a vCPU's alone. */
	for (uint32_t i = 0; i < vcpus; i++)
		on_vcpu(i, report_vcpu);
	print("end\n");
}

static char get(void)
{
	while (!(inb(PORT_SERIAL + 5) & 1))
		pause();
	return (char)inb(PORT_SERIAL);
}

void guest_main(void)
{
	features = kvm_features();
	set_handler(VECTOR_ASYNC_PF, acknowledge, true);
	on_all(program);
	if (has(CLOCK_BIT))
		wrmsr(MSR_WALL_CLOCK, (uint64_t)(uintptr_t)wall);
	print("ready\n");
	for (char c = get(); c != 'q'; c = get())
		if (c == 'r')
			report_all();
}
