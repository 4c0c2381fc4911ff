/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows HV-CN: HvPostMessage and HvSignalEvent by the hypercall page, to this vCPU and to the next one; each vCPU in its turn.
 * "rounds=N": so often. */
#include "hyperv.h"

enum { SINT_MESSAGE = 8, SINT_EVENT = 9, VECTOR_MESSAGE = 0xb0, VECTOR_EVENT = 0xb1, MESSAGES = 0x10, EVENTS = 0x20 };
enum { CALL_POST_MESSAGE = 0x5c, CALL_SIGNAL_EVENT = 0x5d, CALL_FAST = 0x10000 };
#define MESSAGE_TYPE 0x12345678u

struct post {
	uint32_t connection, reserved, type, size;
	uint8_t payload[240];
};

static uint8_t code[4096] __attribute__((aligned(4096)));
static struct post posts[VCPUS_MAX] __attribute__((aligned(512)));
static volatile uint32_t messages[VCPUS_MAX], events[VCPUS_MAX];
static volatile bool wrong[8];

static void on_message(void)
{
	messages[this_vcpu()]++;
}

static void on_event(void)
{
	events[this_vcpu()]++;
}

static uint64_t hypercall(uint64_t control, uint64_t input, uint64_t output)
{
	uint64_t result;
	register uint64_t r8 __asm__("r8") = output;
	__asm__ volatile("call *%4" : "=a"(result), "+c"(control), "+d"(input), "+r"(r8) : "r"(code) : "memory", "cc", "r9", "r10", "r11");
	return result & 0xffff;
}

static void prepare(void)
{
	const uint32_t vcpu = this_vcpu();
	hv_synic_on();
	hv_set_sint(SINT_MESSAGE, VECTOR_MESSAGE, false);
	hv_set_sint(SINT_EVENT, VECTOR_EVENT, false);
	hv_test(HV_TEST_CONNECT_MESSAGE, vcpu, SINT_MESSAGE, MESSAGES + vcpu);
	hv_test(HV_TEST_CONNECT_EVENT, vcpu, SINT_EVENT, EVENTS + vcpu);
}

static void finish(void)
{
	const uint32_t vcpu = this_vcpu();
	hv_test(HV_TEST_DISCONNECT_MESSAGE, vcpu, 0, MESSAGES + vcpu);
	hv_test(HV_TEST_DISCONNECT_EVENT, vcpu, 0, EVENTS + vcpu);
	hv_synic_off();
}

static uint64_t post(uint32_t to, uint8_t first)
{
	struct post *own = &posts[this_vcpu()];
	*own = (struct post){.connection = MESSAGES + to, .type = MESSAGE_TYPE, .size = 8};
	for (uint8_t i = 0; i < 8; i++)
		own->payload[i] = (uint8_t)(first + i);
	return hypercall(CALL_POST_MESSAGE, (uint64_t)(uintptr_t)own, 0);
}

/* Interrupts that should come come soon; that none comes is known a little later. */
static bool settles(const volatile uint32_t *count, uint32_t wanted)
{
	const uint64_t end = rdmsr(HV_TIME_REF_COUNT) + (wanted ? 10000000 : 20000);
	while (rdmsr(HV_TIME_REF_COUNT) < end && (!wanted || *count < wanted))
		pause();
	return *count == wanted;
}

static bool holds(uint32_t vcpu, uint8_t first, bool pending)
{
	const struct hv_message *slot = hv_slot(vcpu, SINT_MESSAGE);
	bool same = slot->type == MESSAGE_TYPE && slot->size == 8 && (slot->flags & HV_MESSAGE_PENDING) == pending;
	for (uint8_t i = 0; i < 8; i++)
		same = same && slot->payload[i] == (uint8_t)(first + i);
	return same;
}

static void empty(uint32_t vcpu)
{
	messages[vcpu] = events[vcpu] = 0;
	hv_slot(vcpu, SINT_MESSAGE)->type = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void end_message(void)
{
	wrmsr(HV_EOM, 0);
}

static volatile uint64_t *flags(uint32_t vcpu, uint32_t flag)
{
	return (volatile uint64_t *)(void *)(hv_event_pages[vcpu] + SINT_EVENT * 256) + flag / 64;
}

static bool signal(uint32_t to, uint32_t interrupts)
{
	const uint32_t flag = EVENTS + to;
	const uint64_t status = hypercall(CALL_SIGNAL_EVENT | CALL_FAST, flag, 0);
	return !status && settles(&events[to], interrupts) && *flags(to, flag) == UINT64_C(1) << flag % 64;
}

static void run(void)
{
	const uint32_t own = this_vcpu(), next = (own + 1) % vcpus;
	for (uint32_t row = 1; row <= 2; row++) {
		const uint32_t to = row == 1 ? own : next;
		empty(to);
		wrong[row] |= post(to, 0x10) || !settles(&messages[to], 1) || !holds(to, 0x10, false);
		empty(to);
	}
	empty(next);
	wrong[3] |= post(next, 0x20) || !settles(&messages[next], 1);
	messages[next] = 0;
	wrong[3] |= post(next, 0x30) || !settles(&messages[next], 0) || !holds(next, 0x20, true);
	empty(next);
	on_vcpu(next, end_message);
	wrong[4] |= !settles(&messages[next], 1) || !holds(next, 0x30, false);
	empty(next);
	for (uint32_t row = 5; row <= 6; row++) {
		const uint32_t to = row == 5 ? own : next;
		*flags(to, EVENTS + to) = 0;
		events[to] = 0;
		wrong[row] |= !signal(to, 1);
	}
	events[next] = 0;
	wrong[7] |= !signal(next, 0);
	*flags(own, EVENTS + own) = *flags(next, EVENTS + next) = 0;
}

void guest_main(void)
{
	static const char *const ids[] = {"HV-CN-0", "HV-CN-1", "HV-CN-2", "HV-CN-3", "HV-CN-4", "HV-CN-5", "HV-CN-6", "HV-CN-7"};
	if (!hv_has("HV-CN", HV_HAS_SYNIC | HV_HAS_HYPERCALL | HV_HAS_TIME_REF, 0))
		return;
	wrmsr(HV_GUEST_OS_ID, UINT64_C(0x8f00) << 48);
	wrmsr(HV_HYPERCALL, (uint64_t)(uintptr_t)code | HV_ENABLE);
	if (!report(ids[0], hypercall(CALL_SIGNAL_EVENT | CALL_FAST, 0x1234, 0) != 2))
		return;
	set_handler(VECTOR_MESSAGE, on_message, true);
	set_handler(VECTOR_EVENT, on_event, true);
	on_all(prepare);
	for (uint64_t rounds = word_number("rounds=", 1); rounds; rounds--)
		for (uint32_t vcpu = 0; vcpu < vcpus; vcpu++)
			on_vcpu(vcpu, run);
	for (unsigned row = 1; row < 8; row++)
		report(ids[row], !wrong[row]);
	on_all(finish);
}
