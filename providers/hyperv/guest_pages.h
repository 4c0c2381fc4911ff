/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What Hyper-V's interface keeps in guest memory (TLFS). */
#ifndef GIM_HYPERV_GUEST_PAGES_H
#define GIM_HYPERV_GUEST_PAGES_H

#include "check.h"
#include "pages.h"

enum hv_call_instruction { HV_CALL_NONE, HV_CALL_VMCALL, HV_CALL_VMMCALL, HV_CALL_OTHER };

struct hv_hypercall_page {
	uint64_t gpa;
	struct gim_text code;
	uint32_t instruction;
};

struct hv_reference_page {
	uint64_t gpa, scale, offset, tsc_hz;
	uint32_t sequence, reserved;
};

/* A slot of the message page that holds one. */
struct hv_slot {
	uint64_t origin;
	struct gim_text payload;
	uint32_t type;
	uint16_t reserved;
	uint8_t sint, payload_bytes, flags;
};

/* A SINT of the event flags page with flags that are set. */
struct hv_event {
	struct gim_text flags;
	uint32_t set;
	uint8_t sint;
};

struct hv_message_page {
	uint64_t gpa;
	struct gim_list message;
};

struct hv_event_page {
	uint64_t gpa;
	struct gim_list event;
};

struct hv_vp_pages {
	struct hv_message_page messages;
	struct hv_event_page events;
};

struct hv_pages {
	struct hv_hypercall_page hypercall;
	struct hv_reference_page tsc;
	struct gim_list vp;
};

extern const struct gim_record hv_hypercall_page_record, hv_reference_page_record, hv_slot_record, hv_event_record, hv_message_page_record,
    hv_event_page_record, hv_vp_pages_record, hv_pages_record;

extern const struct gim_page_provider hv_page_provider;

/* What judges them (check_pages.c). */
void hv_judge_call(struct gim_judging *judging);
void hv_judge_call_vendor(struct gim_judging *judging);
void hv_judge_page_frequency(struct gim_judging *judging);
void hv_judge_page_sequence(struct gim_judging *judging);
void hv_judge_messages(struct gim_judging *judging);
void hv_judge_slots(struct gim_judging *judging);
void hv_judge_events(struct gim_judging *judging);

#endif
