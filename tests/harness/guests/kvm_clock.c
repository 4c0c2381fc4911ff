/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows KV-CK: KVM's wall clock, and its system time on all vCPUs at once, which no vCPU sees go back. "short": fewer reads. The clock word
 * "now=SECONDS" of the command line is the host's time. */
#include "guest.h"

enum { MSR_WALL_CLOCK = 0x4b564d00, MSR_SYSTEM_TIME = 0x4b564d01 };
#define NS_PER_S UINT64_C(1000000000)

struct system_time {
	volatile uint32_t version, pad;
	volatile uint64_t tsc, ns;
	volatile uint32_t multiplier;
	volatile int8_t shift;
	volatile uint8_t flags, pads[2];
};

struct wall_clock {
	volatile uint32_t version, seconds, ns;
};

static struct system_time clocks[VCPUS_MAX] __attribute__((aligned(64)));
static struct wall_clock wall __attribute__((aligned(4)));
static volatile uint64_t newest;
static volatile uint32_t warps, loops;

static uint64_t read_clock(void)
{
	__extension__ typedef unsigned __int128 wide;
	const struct system_time *clock = &clocks[this_vcpu()];
	for (;;) {
		const uint32_t version = clock->version;
		barrier();
		uint64_t delta = rdtsc() - clock->tsc;
		delta = clock->shift < 0 ? delta >> -clock->shift : delta << clock->shift;
		const uint64_t ns = clock->ns + (uint64_t)((wide)delta * clock->multiplier >> 32);
		barrier();
		if (clock->version == version && !(version & 1))
			return ns;
	}
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
	if (regs[1] != 0x4b4d564b) {
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
