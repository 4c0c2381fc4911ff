/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Hyper-V interface as these guests use it (TLFS), and the test device at port 0x3000. */
#ifndef HYPERV_H
#define HYPERV_H

#include "guest.h"

enum {
	HV_GUEST_OS_ID = 0x40000000,
	HV_HYPERCALL = 0x40000001,
	HV_VP_INDEX = 0x40000002,
	HV_TIME_REF_COUNT = 0x40000020,
	HV_REFERENCE_TSC = 0x40000021,
	HV_SCONTROL = 0x40000080,
	HV_SVERSION = 0x40000081,
	HV_SIEFP = 0x40000082,
	HV_SIMP = 0x40000083,
	HV_EOM = 0x40000084,
	HV_SINT0 = 0x40000090,
	HV_STIMER0_CONFIG = 0x400000b0,
	HV_STIMER0_COUNT = 0x400000b1,
};

#define HV_ENABLE 1u
#define HV_SINT_MASKED 0x10000u
#define HV_SINT_AUTO_EOI 0x20000u
#define HV_SINTS 16
#define HV_STIMER_PERIODIC 2u
#define HV_STIMER_AUTO 8u
#define HV_STIMER_DIRECT 0x1000u
#define HV_STIMER_SINT(sint) ((uint64_t)(sint) << 16)
#define HV_STIMER_VECTOR(vector) ((uint64_t)(vector) << 4)
#define HV_MESSAGE_TIMER 0x80000010u
#define HV_MESSAGE_PENDING 1u
/* CPUID 0x40000003: of eax; of edx. */
#define HV_HAS_TIME_REF 2u
#define HV_HAS_SYNIC 4u
#define HV_HAS_STIMER 8u
#define HV_HAS_HYPERCALL 0x20u
#define HV_HAS_REFERENCE_TSC 0x200u
#define HV_HAS_DIRECT 0x80000u

struct hv_message {
	volatile uint32_t type;
	volatile uint8_t size;
	volatile uint8_t flags;
	volatile uint16_t reserved;
	volatile uint64_t origin;
	volatile uint8_t payload[240];
};

struct hv_timer_payload {
	uint32_t timer, reserved;
	uint64_t expiration, delivery;
};

struct hv_reference_tsc {
	volatile uint32_t sequence, reserved;
	volatile uint64_t scale;
	volatile int64_t offset;
};

/* Of each vCPU a page, aligned. */
extern uint8_t hv_message_pages[VCPUS_MAX][4096], hv_event_pages[VCPUS_MAX][4096];

static inline struct hv_message *hv_slot(uint32_t vcpu, uint32_t sint)
{
	return (struct hv_message *)(void *)(hv_message_pages[vcpu] + sint * 256);
}

/* Is all of this offered? Else the row is skipped, with why. */
bool hv_has(const char *id, uint32_t eax, uint32_t edx);
/* This vCPU's SynIC with both pages; and off again, all SINTs masked. */
void hv_synic_on(void);
void hv_synic_off(void);
void hv_set_sint(uint32_t sint, uint8_t vector, bool auto_eoi);

enum {
	HV_TEST_ROUTE = 1,
	HV_TEST_UNROUTE,
	HV_TEST_RAISE,
	HV_TEST_CONNECT_MESSAGE,
	HV_TEST_DISCONNECT_MESSAGE,
	HV_TEST_CONNECT_EVENT,
	HV_TEST_DISCONNECT_EVENT
};
void hv_test(uint32_t action, uint32_t vcpu, uint32_t sint, uint32_t connection);

/* Reference time, 100 ns, by the page: in a loop until it is the same before and after. */
uint64_t hv_page_time(const struct hv_reference_tsc *page);

#endif
