/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows HV-ST: synthetic timers, by messages and, where that is offered, directly; each on all vCPUs at once. "short": fewer expirations. */
#include "hyperv.h"

#define MS 10000u /* of reference time */
enum { SINT_1 = 2, SINT_2 = 3, VECTOR_1 = 0xf1, VECTOR_2 = 0xf2, DIRECT_1 = 0xf3, DIRECT_2 = 0xf4 };

struct timer {
	volatile uint32_t fired;
};

static struct timer timers[VCPUS_MAX][4];
static volatile uint32_t bad[VCPUS_MAX], direct_messages;
static volatile bool failed[VCPUS_MAX];
static uint32_t rounds = 1000;

/* What the message is, and whether it is sound. */
static void take_message(uint32_t sint)
{
	const uint32_t vcpu = this_vcpu();
	struct hv_message *slot = hv_slot(vcpu, sint);
	const struct hv_timer_payload *payload = (const struct hv_timer_payload *)(const void *)(uintptr_t)slot->payload;
	const uint32_t type = slot->type;
	if (type == HV_MESSAGE_TIMER && slot->size >= sizeof(*payload) && payload->timer < 4)
		timers[vcpu][payload->timer].fired++;
	else if (type)
		bad[vcpu]++;
	slot->type = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (slot->flags & HV_MESSAGE_PENDING)
		wrmsr(HV_EOM, 0);
}

static void on_1(void)
{
	take_message(SINT_1);
}

static void on_2(void)
{
	take_message(SINT_2);
}

static void on_direct(uint32_t timer)
{
	timers[this_vcpu()][timer].fired++;
	if (hv_slot(this_vcpu(), SINT_1)->type || hv_slot(this_vcpu(), SINT_2)->type)
		direct_messages++;
}

static void on_direct_1(void)
{
	on_direct(0);
}

static void on_direct_2(void)
{
	on_direct(1);
}

static bool direct;

static uint64_t config_of(uint32_t timer, uint64_t flags)
{
	if (direct)
		return flags | HV_STIMER_DIRECT | HV_STIMER_VECTOR(timer ? DIRECT_2 : DIRECT_1);
	return flags | HV_STIMER_SINT(timer ? SINT_2 : SINT_1);
}

static void set_config(uint32_t timer, uint64_t config)
{
	wrmsr(HV_STIMER0_CONFIG + 2 * timer, config);
}

static void set_count(uint32_t timer, uint64_t count)
{
	wrmsr(HV_STIMER0_COUNT + 2 * timer, count);
}

static void wait_ms(uint32_t ms)
{
	const uint64_t end = rdmsr(HV_TIME_REF_COUNT) + (uint64_t)ms * MS;
	while (rdmsr(HV_TIME_REF_COUNT) < end)
		pause();
}

/* An expiration may be on its way when the timer is stopped. */
static void stop(uint32_t timer)
{
	set_config(timer, 0);
	wait_ms(2);
	timers[this_vcpu()][timer].fired = 0;
}

static void wait_for(uint32_t timer, uint32_t count)
{
	while (timers[this_vcpu()][timer].fired < count)
		pause();
}

/* The second one is stopped first: its interrupts come before the first one's, of which one may still be on its way, and a slow host has always another. */
static void periodic(void)
{
	set_count(0, MS);
	set_config(0, config_of(0, HV_ENABLE | HV_STIMER_PERIODIC));
	set_count(1, MS);
	set_config(1, config_of(1, HV_ENABLE | HV_STIMER_PERIODIC));
	wait_for(0, rounds);
	wait_for(1, rounds);
	stop(1);
	stop(0);
}

static void one_shot(void)
{
	set_count(0, rdmsr(HV_TIME_REF_COUNT) + MS);
	set_config(0, config_of(0, HV_ENABLE));
	wait_for(0, 1);
	failed[this_vcpu()] = rdmsr(HV_STIMER0_CONFIG) & HV_ENABLE;
	stop(0);
}

static void auto_one_shot(void)
{
	set_config(0, config_of(0, HV_STIMER_AUTO));
	set_count(0, rdmsr(HV_TIME_REF_COUNT) + MS);
	wait_for(0, 1);
	stop(0);
}

static void auto_periodic(void)
{
	set_config(0, config_of(0, HV_STIMER_AUTO | HV_STIMER_PERIODIC));
	set_count(0, MS);
	wait_for(0, rounds);
	stop(0);
}

/* A slot that is not empty: the timer's message waits, and says so. */
static void busy(void)
{
	const uint32_t vcpu = this_vcpu();
	struct hv_message *slot = hv_slot(vcpu, SINT_1);
	slot->size = 0;
	slot->flags = 0;
	slot->type = 0x12345678;
	set_count(0, rdmsr(HV_TIME_REF_COUNT) + MS);
	set_config(0, config_of(0, HV_ENABLE));
	while (!(slot->flags & HV_MESSAGE_PENDING))
		pause();
	wait_ms(2);
	failed[vcpu] = timers[vcpu][0].fired || slot->type != 0x12345678;
	slot->type = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wrmsr(HV_EOM, 0);
	wait_for(0, 1);
	stop(0);
}

static void set_up(void)
{
	hv_synic_on();
	hv_set_sint(SINT_1, VECTOR_1, false);
	hv_set_sint(SINT_2, VECTOR_2, true);
}

static bool all_well(void)
{
	bool well = true;
	for (uint32_t vcpu = 0; vcpu < vcpus; vcpu++)
		well = well && !bad[vcpu] && !failed[vcpu];
	return well;
}

void guest_main(void)
{
	if (!hv_has("HV-ST", HV_HAS_SYNIC | HV_HAS_STIMER | HV_HAS_TIME_REF, 0))
		return;
	if (has_word("short"))
		rounds = 50;
	set_handler(VECTOR_1, on_1, true);
	set_handler(VECTOR_2, on_2, false);
	set_handler(DIRECT_1, on_direct_1, true);
	set_handler(DIRECT_2, on_direct_2, true);
	on_all(set_up);
	on_all(periodic);
	report("HV-ST-1", all_well());
	on_all(one_shot);
	report("HV-ST-2", all_well());
	on_all(auto_one_shot);
	report("HV-ST-3", all_well());
	on_all(auto_periodic);
	report("HV-ST-4", all_well());
	on_all(busy);
	report("HV-ST-5", all_well());
	report("HV-ST-6", all_well());
	if (hv_has("HV-ST-7", 0, HV_HAS_DIRECT)) {
		direct = true;
		on_all(periodic);
		on_all(one_shot);
		on_all(auto_one_shot);
		on_all(auto_periodic);
		report("HV-ST-7", all_well() && !direct_messages);
	}
	on_all(hv_synic_off);
}
