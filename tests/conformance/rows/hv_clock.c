/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Conformance of the reference time: the counter, the TSC page, and what a restore does to both. */
#include "../conformance.h"

#include <stddef.h>
#include <string.h>

enum {
	UNITS_PER_S = 10000000,
	CLOSE = 100000, /* 10 ms */
};
#define NS_PER_S 1000000000u

static uint64_t counter(struct guest *guest, uint32_t vcpu)
{
	return guest_rdmsr(guest, vcpu, HV_TIME_REF_COUNT);
}

/* A guest that has said who it is, some time after its start, with its TSC page on. */
static void clock_on(struct guest *guest)
{
	guest_start(guest, &guest_hyperv);
	guest_step_ns(guest, NS_PER_S / 7);
	guest_wrmsr(guest, 0, HV_GUEST_OS_ID, HV_LINUX_OS_ID);
	guest_wrmsr(guest, 0, HV_REFERENCE_TSC, GUEST_TSC_PAGE | 1);
}

/*
 * HV-CK.
 */
static void ck_read_back(struct guest *guest, const void *data)
{
	(void)data;
	clock_on(guest);
	expect_number(guest, "REFERENCE_TSC", guest_rdmsr(guest, 1, HV_REFERENCE_TSC), GUEST_TSC_PAGE | 1);
}

static void ck_sequence(struct guest *guest, const void *data)
{
	struct hv_tsc_page page;
	(void)data;
	clock_on(guest);
	hv_tsc_page(guest, &page);
	expect(guest, page.sequence && page.sequence != UINT32_MAX, "the sequence is 0x%x, neither 0 nor 0xffffffff is expected",
	       page.sequence);
}

static void ck_agree(struct guest *guest, const void *data)
{
	enum { ROUNDS = 20000 };
	uint64_t last = 0, noise = 1;
	(void)data;
	clock_on(guest);
	for (unsigned i = 0; i < ROUNDS && !*guest->failure; i++) {
		const uint32_t vcpu = i % guest->vcpus;
		const uint64_t before = hv_page_time(guest);
		noise = noise * 6364136223846793005u + 1442695040888963407u;
		guest->tsc += noise >> (i % 64 ? 58 : 42); /* a few ticks, and now and then up to 1.6 ms */
		const uint64_t between = counter(guest, vcpu);
		guest->tsc += noise >> 60;
		const uint64_t after = hv_page_time(guest);
		expect(guest, last <= before && before <= between && between <= after,
		       "the page says %llu, then %llu, the counter %llu, and the page %llu", (unsigned long long)last,
		       (unsigned long long)before, (unsigned long long)between, (unsigned long long)after);
		last = after;
	}
	/* That was nearly all of the time that it should be. */
	const uint64_t expected = mul_div(guest->tsc, UNITS_PER_S, GUEST_TSC_HZ);
	expect(guest, last <= expected + 1 && expected <= last + 10, "the time is %llu, %llu is expected", (unsigned long long)last,
	       (unsigned long long)expected);
}

static void ck_off(struct guest *guest, const void *data)
{
	(void)data;
	clock_on(guest);
	guest_wrmsr(guest, 0, HV_REFERENCE_TSC, 0);
	expect_number(guest, "REFERENCE_TSC", guest_rdmsr(guest, 0, HV_REFERENCE_TSC), 0);
}

/*
 * HV-HC.
 */
static void hc_frequency(struct guest *guest, const void *data)
{
	(void)data;
	guest_start(guest, &guest_hyperv);
	expect_number(guest, "TSC_FREQUENCY", guest_rdmsr(guest, 0, HV_TSC_FREQUENCY), GUEST_TSC_HZ);
}

static void hc_rate(struct guest *guest, const void *data)
{
	(void)data;
	clock_on(guest);
	const uint64_t tsc = guest->tsc, time = counter(guest, 0);
	guest_step_ns(guest, NS_PER_S / 10);
	const double ratio = (double)(counter(guest, 0) - time) * GUEST_TSC_HZ / UNITS_PER_S / (double)(guest->tsc - tsc);
	expect(guest, ratio > 0.99 && ratio < 1.01, "the counter runs at %.3f of the TSC's rate", ratio);
}

static void hc_not_enabled(struct guest *guest, const void *data)
{
	struct hv_tsc_page page;
	(void)data;
	guest_start(guest, &guest_hyperv);
	guest_wrmsr(guest, 0, HV_GUEST_OS_ID, HV_LINUX_OS_ID);
	guest_wrmsr(guest, 0, HV_REFERENCE_TSC, GUEST_TSC_PAGE);
	hv_tsc_page(guest, &page);
	expect(guest, !page.sequence && !page.scale && !page.offset, "the page was written without the enable bit");
}

static void expect_close(struct guest *guest)
{
	const uint64_t page = hv_page_time(guest), msr = counter(guest, 0);
	expect(guest, msr >= page && msr - page <= CLOSE, "the page says %llu and then the counter %llu", (unsigned long long)page,
	       (unsigned long long)msr);
}

static void hc_enabled(struct guest *guest, const void *data)
{
	struct hv_tsc_page page;
	(void)data;
	clock_on(guest);
	hv_tsc_page(guest, &page);
	expect(guest, page.sequence != 0, "the sequence is 0");
	expect_close(guest);
}

static void hc_clock_zero(struct guest *guest, const void *data)
{
	static const struct guest_field zero[] = {{"hyperv.time_ref_count", 0}};
	struct hv_tsc_page before, after;
	(void)data;
	clock_on(guest);
	hv_tsc_page(guest, &before);
	guest_restore(guest, zero, 1);
	hv_tsc_page(guest, &after);
	expect(guest, after.offset != before.offset, "the page's offset is still %lld", (long long)after.offset);
	expect(guest, hv_page_time(guest) < CLOSE, "the page says %llu after the clock was set to 0",
	       (unsigned long long)hv_page_time(guest));
	expect_close(guest);
}

static void hc_emulated(struct guest *guest, const void *data)
{
	static const struct guest_field zero[] = {{"hyperv.time_ref_count", 0}};
	struct hv_tsc_page before, after;
	(void)data;
	clock_on(guest);
	guest_wrmsr(guest, 0, HV_REENLIGHTENMENT_CONTROL, 0xff | 1 << 16);
	guest_wrmsr(guest, 0, HV_TSC_EMULATION_CONTROL, 1);
	hv_tsc_page(guest, &before);
	guest_restore(guest, zero, 1);
	hv_tsc_page(guest, &after);
	expect(guest, after.offset == before.offset && after.scale == before.scale, "the page was written while the TSC is emulated");
	expect_close(guest);
}

static void hc_off(struct guest *guest, const void *data)
{
	static const struct guest_field zero[] = {{"hyperv.time_ref_count", 0}};
	static const uint8_t nothing[GUEST_PAGE];
	(void)data;
	clock_on(guest);
	guest_wrmsr(guest, 0, HV_REENLIGHTENMENT_CONTROL, 0);
	guest_wrmsr(guest, 0, HV_TSC_EMULATION_CONTROL, 0);
	guest_wrmsr(guest, 0, HV_REFERENCE_TSC, 0);
	guest_clear_page(guest, GUEST_TSC_PAGE);
	guest_restore(guest, zero, 1);
	if (guest->machine) {
		uint8_t page[GUEST_PAGE];
		expect(guest,
		       !gim_machine_read(guest->machine, GUEST_TSC_PAGE, page, sizeof(page), NULL) && !memcmp(page, nothing, sizeof(page)),
		       "the page was written though the guest turned it off");
	}
}

const struct row hv_clock_rows[] = {
    ROW("HV-CK-1", "REFERENCE_TSC reads back what was written", .run = ck_read_back),
    ROW("HV-CK-2", "the page's sequence is valid", .run = ck_sequence),
    ROW("HV-CK-3", "page and counter agree and never go back", .run = ck_agree),
    ROW("HV-CK-4", "REFERENCE_TSC can be turned off", .run = ck_off),
    ROW("HV-CK-5", "how many page reads there are in a second", .skip = "it measures a processor's speed, and judges nothing"),
    ROW("HV-HC-1", "TSC_FREQUENCY is not 0", .run = hc_frequency),
    ROW("HV-HC-2", "the counter runs at the TSC's rate", .run = hc_rate),
    ROW("HV-HC-3", "without the enable bit the page is not written", .run = hc_not_enabled),
    ROW("HV-HC-4", "page and counter are close", .run = hc_enabled),
    ROW("HV-HC-5", "the clock set to 0 moves the page's offset", .run = hc_clock_zero),
    ROW("HV-HC-6", "the page stays while the TSC is emulated", .run = hc_emulated),
    ROW("HV-HC-7", "a page that was turned off is not written again", .run = hc_off),
    ROW_END,
};
