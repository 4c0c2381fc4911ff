/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the Hyper-V guests share. */
#include "hyperv.h"

uint8_t hv_message_pages[VCPUS_MAX][4096] __attribute__((aligned(4096)));
uint8_t hv_event_pages[VCPUS_MAX][4096] __attribute__((aligned(4096)));

bool hv_has(const char *id, uint32_t eax, uint32_t edx)
{
	uint32_t regs[4];
	cpuid(0x40000001, regs);
	if (regs[0] != 0x31237648)
		return skip(id, "the hypervisor's interface is not Hv#1"), false;
	cpuid(0x40000003, regs);
	if ((regs[0] & eax) != eax || (regs[3] & edx) != edx)
		return skip(id, "the hypervisor does not offer it"), false;
	return true;
}

void hv_synic_on(void)
{
	const uint32_t vcpu = this_vcpu();
	wrmsr(HV_SIMP, (uint64_t)(uintptr_t)hv_message_pages[vcpu] | HV_ENABLE);
	wrmsr(HV_SIEFP, (uint64_t)(uintptr_t)hv_event_pages[vcpu] | HV_ENABLE);
	wrmsr(HV_SCONTROL, HV_ENABLE);
}

void hv_synic_off(void)
{
	for (uint32_t sint = 0; sint < HV_SINTS; sint++)
		wrmsr(HV_SINT0 + sint, HV_SINT_MASKED | 0xff);
	wrmsr(HV_SCONTROL, 0);
	wrmsr(HV_SIMP, 0);
	wrmsr(HV_SIEFP, 0);
}

void hv_set_sint(uint32_t sint, uint8_t vector, bool auto_eoi)
{
	wrmsr(HV_SINT0 + sint, vector | (auto_eoi ? HV_SINT_AUTO_EOI : 0));
}

void hv_test(uint32_t action, uint32_t vcpu, uint32_t sint, uint32_t connection)
{
	outl(0x3000, connection << 24 | action << 16 | vcpu << 8 | sint);
}

uint64_t hv_page_time(const struct hv_reference_tsc *page)
{
	__extension__ typedef unsigned __int128 wide;
	for (;;) {
		const uint32_t sequence = page->sequence;
		barrier();
		const uint64_t tsc = rdtsc();
		const uint64_t time = (uint64_t)((wide)tsc * page->scale >> 64) + (uint64_t)page->offset;
		barrier();
		if (page->sequence == sequence)
			return time;
	}
}
