/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Conformance of the SynIC, of synthetic timers, and of messages and events by hypercall. */
#include "../conformance.h"

#include <stddef.h>
#include <string.h>

enum {
	PERIODIC = 2,
	AUTO_ENABLE = 8,
	ENABLE = 1,
	DIRECT = 1 << 12,
	MS = 10000, /* in units of 100 ns */
};
#define TIMER_MESSAGE 0x80000010u
#define NS_PER_MS 1000000u

/*
 * HV-SY.
 */
static void sy_read(struct guest *guest, const void *data)
{
	(void)data;
	guest_start(guest, &guest_hyperv);
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++) {
		expect_number(guest, "SVERSION", guest_rdmsr(guest, vcpu, HV_SVERSION), 1);
		expect_number(guest, "SIMP", guest_rdmsr(guest, vcpu, HV_SIMP), 0);
		expect_number(guest, "SIEFP", guest_rdmsr(guest, vcpu, HV_SIEFP), 0);
		expect_number(guest, "SCONTROL", guest_rdmsr(guest, vcpu, HV_SCONTROL), 0);
		for (uint32_t sint = 0; sint < 16; sint++)
			expect_number(guest, "a SINT", guest_rdmsr(guest, vcpu, HV_SINT + sint), 0x10000);
	}
}

static void sy_read_eom(struct guest *guest, const void *data)
{
	(void)data;
	guest_start(guest, &guest_hyperv);
	expect_number(guest, "EOM", guest_rdmsr(guest, 0, HV_EOM), 0);
	expect_number(guest, "EOM", guest_rdmsr(guest, 1, HV_EOM), 0);
}

static bool is_auto_eoi(unsigned sint)
{
	return sint == 3 || sint == 8 || sint == 10 || sint == 14;
}

static void sint_handler(struct guest *guest, uint32_t vcpu, uint8_t vector)
{
	if (!is_auto_eoi(vector - 0xb0u))
		guest_wrmsr(guest, vcpu, HV_EOI, 0);
}

static void sy_pulse(struct guest *guest, const void *data)
{
	static const struct guest_kind kind = {.provider = "hyperv", .vcpus = 4};
	(void)data;
	guest_start(guest, &kind);
	guest->handler = sint_handler;
	hv_synic_on(guest);
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++)
		for (uint8_t sint = 0; sint < 16; sint++)
			hv_sint(guest, vcpu, sint, (uint8_t)(0xb0 + sint), is_auto_eoi(sint));
	for (uint32_t vcpu = 0; guest->machine && vcpu < guest->vcpus; vcpu++)
		for (uint8_t sint = 0; sint < 16; sint++)
			expect_number(guest, "a pulse's status", gim_machine_raise(guest->machine, guest->vcpus - 1 - vcpu, sint), 0);
	guest_take_interrupts(guest);
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++)
		for (unsigned vector = 0; vector < 256; vector++)
			expect(guest, guest->interrupts[vcpu][vector] == (vector >= 0xb0 && vector < 0xc0),
			       "vCPU %u took vector 0x%x %u times", vcpu, vector, guest->interrupts[vcpu][vector]);
}

static void sy_cleanup(struct guest *guest, const void *data)
{
	(void)data;
	guest_start(guest, &guest_hyperv);
	hv_synic_on(guest);
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++)
		for (uint32_t msr = HV_SCONTROL; msr <= HV_SIMP; msr++)
			if (msr != HV_SVERSION) {
				guest_wrmsr(guest, vcpu, msr, 0);
				expect_number(guest, "a page register after the cleanup", guest_rdmsr(guest, vcpu, msr), 0);
			}
}

/*
 * HV-ST: timers that send messages to a SINT, or interrupts themselves.
 */
struct timers {
	unsigned messages[GUEST_VCPUS_MAX][4], odd;
	uint64_t earliest; /* reference time before which none may expire */
};

static const struct {
	uint8_t sint, vector;
	bool auto_eoi;
} timer_sints[2] = {{2, 0xf1, false}, {3, 0xf2, true}};

/* Take the message as a guest does: copy, free the slot, and say so when another waits. */
static void timer_handler(struct guest *guest, uint32_t vcpu, uint8_t vector)
{
	struct timers *timers = (struct timers *)guest->handler_data;
	const unsigned which = vector == timer_sints[1].vector, sint = timer_sints[which].sint;
	struct hv_message message;
	hv_message(guest, vcpu, sint, &message);
	if (message.type) {
		const uint32_t index = (uint32_t)message.payload[0];
		const bool good = message.type == TIMER_MESSAGE && message.size >= 24 && index < 4;
		expect(guest, good, "a message has type 0x%x, %u bytes, timer %u", message.type, message.size, index);
		expect(guest, message.payload[2] >= message.payload[1] && message.payload[1] >= timers->earliest,
		       "a timer that expires at %llu is delivered at %llu", (unsigned long long)message.payload[1],
		       (unsigned long long)message.payload[2]);
		timers->messages[vcpu][index & 3]++;
		guest_store(guest, hv_message_slot(vcpu, sint), 4, 0);
		if (message.flags & 1)
			guest_wrmsr(guest, vcpu, HV_EOM, 0);
	}
	if (!timer_sints[which].auto_eoi)
		guest_wrmsr(guest, vcpu, HV_EOI, 0);
}

static void timers_on(struct guest *guest, struct timers *timers)
{
	guest_start(guest, &guest_hyperv);
	guest->handler = timer_handler;
	guest->handler_data = timers;
	hv_synic_on(guest);
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++)
		for (unsigned i = 0; i < 2; i++)
			hv_sint(guest, vcpu, timer_sints[i].sint, timer_sints[i].vector, timer_sints[i].auto_eoi);
}

static uint64_t sint_of(unsigned which)
{
	return (uint64_t)timer_sints[which].sint << 16;
}

static void set_timer(struct guest *guest, uint32_t vcpu, unsigned timer, uint64_t config, uint64_t count, bool count_first)
{
	if (count_first)
		guest_wrmsr(guest, vcpu, HV_STIMER_COUNT + 2 * timer, count);
	guest_wrmsr(guest, vcpu, HV_STIMER_CONFIG + 2 * timer, config);
	if (!count_first)
		guest_wrmsr(guest, vcpu, HV_STIMER_COUNT + 2 * timer, count);
}

/* Until so many ms have passed, in steps in which a guest takes its interrupts. */
static void pass_ms(struct guest *guest, unsigned ms)
{
	for (unsigned i = 0; i < ms * 4 && !*guest->failure; i++)
		guest_step_ns(guest, NS_PER_MS / 4);
}

static void expect_messages(struct guest *guest, const struct timers *timers, unsigned timer, unsigned least, unsigned most)
{
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++)
		expect(guest, timers->messages[vcpu][timer] >= least && timers->messages[vcpu][timer] <= most,
		       "timer %u of vCPU %u expired %u times, %u to %u are expected", timer, vcpu, timers->messages[vcpu][timer], least,
		       most);
}

static void st_periodic(struct guest *guest, const void *data)
{
	struct timers timers = {.odd = 0};
	(void)data;
	timers_on(guest, &timers);
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++)
		for (unsigned i = 0; i < 2; i++)
			set_timer(guest, vcpu, i, PERIODIC | ENABLE | sint_of(i), MS, true);
	pass_ms(guest, 1001);
	for (unsigned i = 0; i < 2; i++)
		expect_messages(guest, &timers, i, 1000, 1001);
}

static void st_one_shot(struct guest *guest, const void *data)
{
	struct timers timers = {.odd = 0};
	(void)data;
	timers_on(guest, &timers);
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++) {
		const uint64_t due = guest_rdmsr(guest, vcpu, HV_TIME_REF_COUNT) + MS;
		timers.earliest = due;
		set_timer(guest, vcpu, 0, ENABLE | sint_of(0), due, true);
	}
	guest_step_ns(guest, NS_PER_MS / 2);
	expect_messages(guest, &timers, 0, 0, 0);
	pass_ms(guest, 3);
	expect_messages(guest, &timers, 0, 1, 1);
	expect_number(guest, "the enable bit after the expiry", guest_rdmsr(guest, 0, HV_STIMER_CONFIG) & ENABLE, 0);
}

static void st_auto_one_shot(struct guest *guest, const void *data)
{
	struct timers timers = {.odd = 0};
	(void)data;
	timers_on(guest, &timers);
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++)
		set_timer(guest, vcpu, 0, AUTO_ENABLE | sint_of(0), guest_rdmsr(guest, vcpu, HV_TIME_REF_COUNT) + MS, false);
	expect_number(guest, "the enable bit after writing COUNT", guest_rdmsr(guest, 1, HV_STIMER_CONFIG) & ENABLE, ENABLE);
	pass_ms(guest, 3);
	expect_messages(guest, &timers, 0, 1, 1);
}

static void st_auto_periodic(struct guest *guest, const void *data)
{
	struct timers timers = {.odd = 0};
	(void)data;
	timers_on(guest, &timers);
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++)
		set_timer(guest, vcpu, 1, AUTO_ENABLE | PERIODIC | sint_of(1), MS, false);
	pass_ms(guest, 1001);
	expect_messages(guest, &timers, 1, 1000, 1001);
}

static void st_busy(struct guest *guest, const void *data)
{
	struct timers timers = {.odd = 0};
	(void)data;
	timers_on(guest, &timers);
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++) {
		const uint64_t slot = hv_message_slot(vcpu, timer_sints[0].sint);
		guest_store(guest, slot, 4, TIMER_MESSAGE);
		set_timer(guest, vcpu, 0, ENABLE | sint_of(0), guest_rdmsr(guest, vcpu, HV_TIME_REF_COUNT) + MS, true);
	}
	/* Without its handler, as the slot is not the timer's yet. */
	guest->handler = NULL;
	pass_ms(guest, 3);
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++) {
		expect_number(guest, "the pending flag of the busy slot",
		              guest_load(guest, hv_message_slot(vcpu, timer_sints[0].sint) + 5, 1) & 1, 1);
		expect_number(guest, "interrupts while the slot is busy", guest->interrupts[vcpu][timer_sints[0].vector], 0);
	}
	guest->handler = timer_handler;
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++) {
		guest_store(guest, hv_message_slot(vcpu, timer_sints[0].sint), 4, 0);
		guest_wrmsr(guest, vcpu, HV_EOM, 0);
	}
	pass_ms(guest, 1);
	expect_messages(guest, &timers, 0, 1, 1);
}

static void st_messages(struct guest *guest, const void *data)
{
	struct timers timers = {.odd = 0};
	(void)data;
	timers_on(guest, &timers);
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++)
		for (unsigned timer = 0; timer < 4; timer++)
			set_timer(guest, vcpu, timer, PERIODIC | ENABLE | sint_of(timer % 2), MS + 777 * timer, true);
	pass_ms(guest, 50); /* the handler looks at each message */
	for (unsigned timer = 0; timer < 4; timer++)
		expect_messages(guest, &timers, timer, 35, 50);
}

static void direct_handler(struct guest *guest, uint32_t vcpu, uint8_t vector)
{
	(void)vector;
	guest_wrmsr(guest, vcpu, HV_EOI, 0);
}

static uint64_t direct(uint8_t vector)
{
	return DIRECT | (uint64_t)vector << 4;
}

static void st_direct(struct guest *guest, const void *data)
{
	enum { PERIODIC_VECTOR = 0xf3, ONE_SHOT_VECTOR = 0xf4 };
	static const uint8_t nothing[GUEST_PAGE];
	(void)data;
	guest_start(guest, &guest_hyperv);
	guest->handler = direct_handler;
	hv_synic_on(guest);
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++) {
		set_timer(guest, vcpu, 0, PERIODIC | ENABLE | direct(PERIODIC_VECTOR), MS, true);
		set_timer(guest, vcpu, 1, ENABLE | direct(ONE_SHOT_VECTOR), guest_rdmsr(guest, vcpu, HV_TIME_REF_COUNT) + MS, true);
		set_timer(guest, vcpu, 2, AUTO_ENABLE | direct(ONE_SHOT_VECTOR), guest_rdmsr(guest, vcpu, HV_TIME_REF_COUNT) + 2 * MS,
		          false);
	}
	pass_ms(guest, 1001);
	for (uint32_t vcpu = 0; vcpu < guest->vcpus; vcpu++) {
		expect(guest, guest->interrupts[vcpu][PERIODIC_VECTOR] >= 1000, "vCPU %u has %u of 1000 interrupts", vcpu,
		       guest->interrupts[vcpu][PERIODIC_VECTOR]);
		expect_number(guest, "one-shot interrupts", guest->interrupts[vcpu][ONE_SHOT_VECTOR], 2);
		if (guest->ram && memcmp(guest->ram + hv_message_page(vcpu), nothing, sizeof(nothing)) != 0)
			expect(guest, false, "a direct timer wrote to vCPU %u's message page", vcpu);
	}
}

/*
 * HV-CN: messages and events between vCPUs by hypercall.
 */
enum {
	POST_MESSAGE = 0x5c,
	SIGNAL_EVENT = 0x5d,
	MESSAGE_SINT = 8,
	MESSAGE_VECTOR = 0xb0,
	MESSAGE_TYPE = 0x12345678,
	EVENT_SINT = 9,
	EVENT_VECTOR = 0xb1,
	EVENT_FLAG = 37,
	CONNECTION = 0x10, /* and the vCPU's number */
};

static void eoi_handler(struct guest *guest, uint32_t vcpu, uint8_t vector)
{
	(void)vector;
	guest_wrmsr(guest, vcpu, HV_EOI, 0);
}

static void connections_on(struct guest *guest)
{
	guest_start(guest, &guest_hyperv);
	guest->handler = eoi_handler;
	guest_wrmsr(guest, 0, HV_GUEST_OS_ID, UINT64_C(0x8f00) << 48);
	guest_wrmsr(guest, 0, HV_HYPERCALL, GUEST_HYPERCALL_PAGE | 1);
	hv_synic_on(guest);
	for (uint32_t vcpu = 0; guest->machine && vcpu < guest->vcpus; vcpu++) {
		struct gim_error error = GIM_ERROR_INIT;
		hv_sint(guest, vcpu, MESSAGE_SINT, MESSAGE_VECTOR, false);
		hv_sint(guest, vcpu, EVENT_SINT, EVENT_VECTOR, false);
		expect(
		    guest,
		    !gim_machine_connect(guest->machine, GIM_CONNECTION_MESSAGE, CONNECTION + vcpu, vcpu, MESSAGE_SINT, 0, &error) &&
			!gim_machine_connect(guest->machine, GIM_CONNECTION_EVENT, CONNECTION + vcpu, vcpu, EVENT_SINT, EVENT_FLAG, &error),
		    "connecting vCPU %u: %s", vcpu, error.text);
	}
}

static uint64_t post(struct guest *guest, uint32_t from, uint32_t to, uint64_t payload)
{
	const uint64_t input[] = {CONNECTION + to, MESSAGE_TYPE | (uint64_t)sizeof(payload) << 32, payload};
	return hv_call(guest, from, POST_MESSAGE, input, sizeof(input) / sizeof(input[0]));
}

static uint64_t signal_event(struct guest *guest, uint32_t from, uint32_t to)
{
	const uint64_t input[] = {CONNECTION + to};
	return hv_call_fast(guest, from, SIGNAL_EVENT, input, 1);
}

static void expect_message(struct guest *guest, uint32_t vcpu, uint64_t payload, bool pending)
{
	struct hv_message message;
	hv_message(guest, vcpu, MESSAGE_SINT, &message);
	expect_number(guest, "the message's type", message.type, MESSAGE_TYPE);
	expect_number(guest, "the message's size", message.size, sizeof(payload));
	expect_number(guest, "the message's pending flag", message.flags & 1, pending);
	expect_number(guest, "the message's payload", message.payload[0], payload);
}

/* The interrupts of a vector since the last time that it was asked. */
static void expect_interrupts(struct guest *guest, uint32_t vcpu, uint8_t vector, unsigned expected)
{
	guest_take_interrupts(guest);
	expect_number(guest, "the number of interrupts", guest->interrupts[vcpu][vector], expected);
	guest->interrupts[vcpu][vector] = 0;
}

static void cn_supported(struct guest *guest, const void *data)
{
	const uint64_t input[] = {0x1234};
	(void)data;
	guest_start(guest, &guest_hyperv);
	guest_wrmsr(guest, 0, HV_GUEST_OS_ID, UINT64_C(0x8f00) << 48);
	guest_wrmsr(guest, 0, HV_HYPERCALL, GUEST_HYPERCALL_PAGE | 1);
	const uint64_t status = hv_call_fast(guest, 0, SIGNAL_EVENT, input, 1);
	expect_number(guest, "the status for a connection that is not there", status, 0x12);
}

/* data: how far the target is from the vCPU that posts or signals. */
static uint32_t target_of(const void *data)
{
	return *(const uint32_t *)data;
}

static void cn_post(struct guest *guest, const void *data)
{
	const uint32_t target = target_of(data);
	connections_on(guest);
	expect_number(guest, "the status", post(guest, 0, target, 0x1122334455667788), 0);
	expect_message(guest, target, 0x1122334455667788, false);
	expect_interrupts(guest, target, MESSAGE_VECTOR, 1);
	expect_interrupts(guest, 1 - target, MESSAGE_VECTOR, 0);
}

static void cn_post_busy(struct guest *guest, const void *data)
{
	(void)data;
	connections_on(guest);
	expect_number(guest, "the status", post(guest, 0, 1, 1), 0);
	expect_interrupts(guest, 1, MESSAGE_VECTOR, 1);
	expect_number(guest, "the status with a busy slot", post(guest, 0, 1, 2), 0);
	expect_message(guest, 1, 1, true);
	expect_interrupts(guest, 1, MESSAGE_VECTOR, 0);
}

static void cn_eom(struct guest *guest, const void *data)
{
	(void)data;
	connections_on(guest);
	expect_number(guest, "the status", post(guest, 0, 1, 1), 0);
	expect_number(guest, "the status with a busy slot", post(guest, 0, 1, 2), 0);
	expect_interrupts(guest, 1, MESSAGE_VECTOR, 1);
	guest_store(guest, hv_message_slot(1, MESSAGE_SINT), 4, 0);
	guest_wrmsr(guest, 1, HV_EOM, 0);
	expect_message(guest, 1, 2, false);
	expect_interrupts(guest, 1, MESSAGE_VECTOR, 1);
}

static void expect_flag(struct guest *guest, uint32_t vcpu)
{
	const uint64_t page = hv_flags_page(vcpu) + EVENT_SINT * 256u;
	for (unsigned word = 0; word < 32; word++)
		expect(guest, guest_load(guest, page + 8 * word, 8) == (word == EVENT_FLAG / 64 ? UINT64_C(1) << EVENT_FLAG % 64 : 0),
		       "word %u of the event flags is 0x%llx", word, (unsigned long long)guest_load(guest, page + 8 * word, 8));
}

static void cn_signal(struct guest *guest, const void *data)
{
	const uint32_t target = target_of(data);
	connections_on(guest);
	expect_number(guest, "the status", signal_event(guest, 0, target), 0);
	expect_flag(guest, target);
	expect_interrupts(guest, target, EVENT_VECTOR, 1);
	expect_interrupts(guest, 1 - target, EVENT_VECTOR, 0);
}

static void cn_signal_again(struct guest *guest, const void *data)
{
	(void)data;
	connections_on(guest);
	expect_number(guest, "the status", signal_event(guest, 0, 1), 0);
	expect_interrupts(guest, 1, EVENT_VECTOR, 1);
	expect_number(guest, "the status of the second signal", signal_event(guest, 0, 1), 0);
	expect_flag(guest, 1);
	expect_interrupts(guest, 1, EVENT_VECTOR, 0);
}

static const uint32_t self = 0, next = 1;

const struct row hv_synic_rows[] = {
    ROW("HV-SY-1", "SVERSION, SIMP, SIEFP, SCONTROL and all SINTs can be read", .run = sy_read),
    ROW("HV-SY-2", "EOM reads 0", .run = sy_read_eom),
    ROW("HV-SY-3", "each vCPU pulses all SINTs of another, some with auto-EOI", .run = sy_pulse),
    ROW("HV-SY-4", "the SynIC and its pages can be turned off", .run = sy_cleanup),
    ROW("HV-ST-1", "two periodic timers send a thousand messages each", .run = st_periodic),
    ROW("HV-ST-2", "a one-shot timer, COUNT then CONFIG", .run = st_one_shot),
    ROW("HV-ST-3", "an auto-enabled one-shot timer, CONFIG then COUNT", .run = st_auto_one_shot),
    ROW("HV-ST-4", "an auto-enabled periodic timer", .run = st_auto_periodic),
    ROW("HV-ST-5", "a busy slot delays an expiry until EOM", .run = st_busy),
    ROW("HV-ST-6", "every message is a timer's", .run = st_messages),
    ROW("HV-ST-7", "direct timers interrupt and send no message", .run = st_direct),
    ROW("HV-CN-0", "signalling events is there", .run = cn_supported),
    ROW("HV-CN-1", "a message to oneself", .run = cn_post, .data = &self),
    ROW("HV-CN-2", "a message to the next vCPU", .run = cn_post, .data = &next),
    ROW("HV-CN-3", "a message to a busy slot", .run = cn_post_busy),
    ROW("HV-CN-4", "a queued message comes after EOM", .run = cn_eom),
    ROW("HV-CN-5", "an event to oneself", .run = cn_signal, .data = &self),
    ROW("HV-CN-6", "an event to the next vCPU", .run = cn_signal, .data = &next),
    ROW("HV-CN-7", "an event whose flag is set", .run = cn_signal_again),
    ROW_END,
};
