/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows HV-CK: the reference TSC page beside the reference counter, on all vCPUs at once. "short": for a tenth of a second. */
#include "hyperv.h"

static uint8_t page_bytes[4096] __attribute__((aligned(4096)));
static const struct hv_reference_tsc *const page = (const struct hv_reference_tsc *)(const void *)page_bytes;
static volatile uint32_t backwards[VCPUS_MAX], loops[VCPUS_MAX];
static uint32_t length = 10000000;

static void compare(void)
{
	const uint32_t vcpu = this_vcpu();
	uint64_t last = hv_page_time(page);
	const uint64_t end = last + length;
	while (last < end) {
		const uint64_t first = hv_page_time(page), counter = rdmsr(HV_TIME_REF_COUNT), second = hv_page_time(page);
		if (first < last || counter < first || second < counter) {
			if (!backwards[vcpu]++)
				print("vCPU %u: %llx, page %llx, counter %llx, page %llx\n", vcpu, (unsigned long long)last,
				      (unsigned long long)first, (unsigned long long)counter, (unsigned long long)second);
		}
		last = second;
		loops[vcpu]++;
	}
}

static void spin(void)
{
	const uint32_t vcpu = this_vcpu();
	const uint64_t end = hv_page_time(page) + length;
	loops[vcpu] = 0;
	while (hv_page_time(page) < end)
		loops[vcpu]++;
}

void guest_main(void)
{
	const uint64_t value = (uint64_t)(uintptr_t)page_bytes | HV_ENABLE;
	uint32_t sum = 0, most = 0;
	if (!hv_has("HV-CK", HV_HAS_TIME_REF | HV_HAS_REFERENCE_TSC, 0))
		return;
	if (has_word("short"))
		length /= 10;
	wrmsr(HV_GUEST_OS_ID, UINT64_C(0x8f00) << 48);
	wrmsr(HV_REFERENCE_TSC, value);
	report("HV-CK-1", rdmsr(HV_REFERENCE_TSC) == value);
	report("HV-CK-2", page->sequence != 0 && page->sequence != UINT32_MAX);
	on_all(compare);
	for (uint32_t vcpu = 0; vcpu < vcpus; vcpu++)
		sum += backwards[vcpu];
	report("HV-CK-3", !sum);
	on_all(spin);
	for (uint32_t vcpu = 0; vcpu < vcpus; vcpu++)
		most = loops[vcpu] > most ? loops[vcpu] : most;
	report("HV-CK-5", most > 0);
	wrmsr(HV_REFERENCE_TSC, 0);
	report("HV-CK-4", rdmsr(HV_REFERENCE_TSC) == 0);
}
