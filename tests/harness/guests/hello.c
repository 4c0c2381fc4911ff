/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The least: all vCPUs come, run something, and interrupt each other. */
#include "guest.h"

static volatile uint32_t ran, hits[VCPUS_MAX];

static void count(void)
{
	__atomic_fetch_add(&ran, 1, __ATOMIC_SEQ_CST);
}

static void hit(void)
{
	hits[this_vcpu()]++;
}

static void ring(void)
{
	const uint32_t next = (this_vcpu() + 1) % vcpus;
	for (uint32_t i = 1; i <= 50; i++) {
		send_ipi(next, 0x40);
		while (hits[next] < i)
			pause();
	}
}

void guest_main(void)
{
	uint64_t value;
	set_handler(0x40, hit, true);
	on_all(count);
	report("GU-1", ran == vcpus);
	on_all(ring);
	for (uint32_t i = 0; i < vcpus; i++)
		if (hits[i] != 50)
			print("vCPU %u: %u\n", i, hits[i]);
	report("GU-2", hits[0] == 50 && hits[vcpus - 1] == 50);
	report("GU-3", rdmsr_safe(0x400001ff, &value) == 13 && wrmsr_safe(0x400001ff, 0) == 13);
	report("GU-4", inb(0x2f8) == 0xff && *(volatile uint32_t *)0xfec00000 == UINT32_MAX);
}
