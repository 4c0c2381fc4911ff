/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows KV-CK: KVM's wall clock, and its system time on all vCPUs at once, which no vCPU sees go back. "short": fewer reads. The clock word
 * "now=SECONDS" of the command line is the host's time. */
#include "kvm.h"

enum { MSR_WALL_CLOCK = 0x4b564d00, MSR_SYSTEM_TIME = 0x4b564d01 };
#define NS_PER_S UINT64_C(1000000000)

struct wall_clock {
	volatile uint32_t version, seconds, ns;
};

static struct kvm_clock clocks[VCPUS_MAX] __attribute__((aligned(64)));
static struct wall_clock wall __attribute__((aligned(4)));
static volatile uint64_t newest;
static volatile uint32_t warps, loops;

static uint64_t read_clock(void)
{
	uint64_t tsc;
	return kvm_clock_ns(&clocks[this_vcpu()], &tsc);
}

static void enable(void)
{
	wrmsr(MSR_SYSTEM_TIME, (uint64_t)(uintptr_t)&clocks[this_vcpu()] | 1);
}

static void disable(void)
{
	wrmsr(MSR_SYSTEM_TIME, 0);
}

/* What any vCPU has read is never less later, on any. */
static void look(void)
{
	for (uint32_t i = 0; i < loops; i++) {
		const uint64_t before = newest, now = read_clock();
		uint64_t last = newest;
		if (now < before)
			__atomic_fetch_add(&warps, 1, __ATOMIC_SEQ_CST);
		while (now > last && !__atomic_compare_exchange_n(&newest, &last, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			;
	}
}

void guest_main(void)
{
	uint32_t regs[4];
	const uint64_t now = word_number("now=", 0);
	cpuid(0x40000000, regs);
	if (regs[1] != KVM_SIGNATURE) {
		skip("KV-CK", "the hypervisor is not KVM");
		return;
	}
	loops = (uint32_t)word_number("loops=", has_word("short") ? 2000 : 20000);
	on_all(enable);
	wrmsr(MSR_WALL_CLOCK, (uint64_t)(uintptr_t)&wall);
	const uint64_t seconds = wall.seconds + (wall.ns + read_clock()) / NS_PER_S;
	if (now)
		report("KV-CK-1", wall.seconds && seconds + 5 >= now && seconds <= now + 5);
	else
		skip("KV-CK-1", "now= is not given");
	on_all(look);
	report("KV-CK-2", !warps);
	on_all(disable);
}
