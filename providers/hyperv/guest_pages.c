/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The structures that Hyper-V's interface keeps in guest memory: records, layouts, and where the registers say that they are. */
#include "hyperv/guest_pages.h"

#include "hyperv/hyperv.h"
#include "hyperv/tlfs.h"
#include "scale.h"

#include <string.h>

#define HYPERCALLS "TLFS, hypercall interface"
#define TIMERS "TLFS, timers"
#define SYNIC "TLFS, SynIC"

/*
 * Records.
 */
static const struct gim_name names_instruction[] = {
    {HV_CALL_NONE, "none", "the page is empty"},
    {HV_CALL_VMCALL, "vmcall", "VMCALL and a return: of a hypervisor on Intel's processors"},
    {HV_CALL_VMMCALL, "vmmcall", "VMMCALL and a return: of a hypervisor on AMD's processors"},
    {HV_CALL_OTHER, "other", "something else"},
    {0, NULL, NULL},
};

static const struct gim_field hv_hypercall_page_fields[] = {
    FIELD(hv_hypercall_page, gpa, .show = GIM_ADDRESS, .help = "where it is"),
    FIELD(hv_hypercall_page, instruction, .show = GIM_ENUM, .names = names_instruction, .source = HYPERCALLS,
          .help = "how the page calls the hypervisor, whatever stands before the call"),
    FIELD(hv_hypercall_page, code, .source = HYPERCALLS, .help = "the page's first bytes"),
};
RECORD(hv_hypercall_page, "hypercall", "the hypercall page");

static const struct gim_field hv_reference_page_fields[] = {
    FIELD(hv_reference_page, gpa, .show = GIM_ADDRESS, .help = "where it is"),
    FIELD(hv_reference_page, sequence, .show = GIM_DEC, .source = TIMERS, .help = "0: the guest shall read the MSR instead"),
    FIELD(hv_reference_page, reserved, .help = "unused"),
    FIELD(hv_reference_page, scale, .source = TIMERS, .help = "units of 100 ns for each tick of the TSC, in units of 1/2^64"),
    FIELD(hv_reference_page, offset, .source = TIMERS, .help = "what is added, in units of 100 ns"),
    FIELD(hv_reference_page, tsc_hz, .show = GIM_HZ, .help = "TSC frequency that the scale is for"),
};
RECORD(hv_reference_page, "tsc", "the reference TSC page");

static const struct gim_name names_message[] = {
    {0x1, "vmbus", "of the virtual bus"},
    {0x80000000, "unmapped_gpa", "an access to memory that there is not"},
    {0x80000001, "gpa_intercept", "an intercepted access to memory"},
    {0x80000010, "timer_expired", "a synthetic timer"},
    {0x80000020, "invalid_vp_register", "a register that cannot be"},
    {0x80000021, "unrecoverable_exception", "an exception that cannot be handled"},
    {0x80000022, "unsupported_feature", "something that the hypervisor cannot do"},
    {0x80010000, "io_port_intercept", "an intercepted access to a port"},
    {0x80010001, "msr_intercept", "an intercepted access to an MSR"},
    {0x80010002, "cpuid_intercept", "an intercepted CPUID"},
    {0x80010003, "exception_intercept", "an intercepted exception"},
    {0, NULL, NULL},
};
static const struct gim_bit bits_message[] = {{.low = 0, .width = 1, .name = "pending", .help = "further messages wait for the slot"},
                                              {.name = NULL}};

static const struct gim_field hv_slot_fields[] = {
    FIELD(hv_slot, sint, .show = GIM_DEC, .max = HV_SINTS - 1, .key = true, .source = SYNIC, .help = "whose slot it is"),
    FIELD(hv_slot, type, .show = GIM_ENUM, .names = names_message, .source = SYNIC, .help = "what it is about"),
    FIELD(hv_slot, payload_bytes, .show = GIM_DEC, .max = HV_MESSAGE_PAYLOAD, .source = SYNIC, .help = "size of its payload"),
    FIELD(hv_slot, flags, .show = GIM_FLAGS, .bits = bits_message, .source = SYNIC, .help = "flags"),
    FIELD(hv_slot, reserved, .help = "unused"),
    FIELD(hv_slot, origin, .source = SYNIC, .help = "who sent it: a partition, or a port"),
    FIELD(hv_slot, payload, .source = SYNIC, .help = "all bytes of the slot that a payload may have"),
};
RECORD(hv_slot, "message", "a message that waits in its slot");

static const struct gim_field hv_event_fields[] = {
    FIELD(hv_event, sint, .show = GIM_DEC, .max = HV_SINTS - 1, .key = true, .source = SYNIC, .help = "whose flags they are"),
    FIELD(hv_event, set, .show = GIM_DEC, .max = HV_EVENT_FLAGS, .help = "how many are set"),
    FIELD(hv_event, flags, .source = SYNIC, .help = "the flags, a bit each"),
};
RECORD(hv_event, "event", "event flags that are set");

static const struct gim_field hv_message_page_fields[] = {
    FIELD(hv_message_page, gpa, .show = GIM_ADDRESS, .help = "where it is"),
    LIST(hv_message_page, message, hv_slot, .help = "messages that the guest has not taken"),
};
RECORD(hv_message_page, "messages", "a virtual processor's message page");

static const struct gim_field hv_event_page_fields[] = {
    FIELD(hv_event_page, gpa, .show = GIM_ADDRESS, .help = "where it is"),
    LIST(hv_event_page, event, hv_event, .help = "SINTs with flags that the guest has not cleared"),
};
RECORD(hv_event_page, "events", "a virtual processor's event flags page");

static const struct gim_field hv_vp_pages_fields[] = {
    SUB(hv_vp_pages, messages, hv_message_page, .help = "the message page"),
    SUB(hv_vp_pages, events, hv_event_page, .help = "the event flags page"),
};
RECORD(hv_vp_pages, "vp", "a virtual processor's pages");

static const struct gim_field hv_pages_fields[] = {
    SUB(hv_pages, hypercall, hv_hypercall_page, .help = "the hypercall page"),
    SUB(hv_pages, tsc, hv_reference_page, .help = "the reference TSC page"),
    LIST(hv_pages, vp, hv_vp_pages, .help = "per virtual processor"),
};
RECORD(hv_pages, "hyperv_pages", "what the Hyper-V interface keeps in guest memory");

/*
 * Layouts.
 */
enum { CODE_BYTES = 16, FLAG_BYTES = HV_EVENT_FLAGS / 8 };

static const struct gim_row hypercall_rows[] = {ON_BYTES(hv_hypercall_page, code, CODE_BYTES), OPEN_END, END_ROWS};
static const struct gim_row tsc_rows[] = {
    ON(hv_reference_page, sequence),
    ON(hv_reference_page, reserved),
    ON(hv_reference_page, scale),
    ON(hv_reference_page, offset),
    OPEN_END,
    END_ROWS,
};
static const struct gim_row slot_rows[] = {
    ON(hv_slot, type),
    ON(hv_slot, payload_bytes),
    ON(hv_slot, flags),
    ON(hv_slot, reserved),
    ON(hv_slot, origin),
    ON_BYTES(hv_slot, payload, HV_MESSAGE_PAYLOAD),
    END_ROWS,
};
static const struct gim_row messages_rows[] = {EACH(hv_message_page, message, hv_slot, slot_rows, .count = GIM_COUNT_REST), END_ROWS};
static const struct gim_row event_rows[] = {ON_BYTES(hv_event, flags, FLAG_BYTES), END_ROWS};
static const struct gim_row events_rows[] = {EACH(hv_event_page, event, hv_event, event_rows, .count = GIM_COUNT_REST), END_ROWS};

/* What stands before the call, as KVM does when it serves Xen's calls too: OR EAX, 0x80000000. */
static const char prefix[] = "\x0d\0\0\0\x80";

static void derive_hypercall(const struct gim_object *object)
{
	static const char empty[CODE_BYTES];
	struct hv_hypercall_page *page = (struct hv_hypercall_page *)(void *)object->data;
	const char *code = page->code.bytes;
	if (!memcmp(code, prefix, sizeof(prefix) - 1))
		code += sizeof(prefix) - 1;
	page->instruction = !memcmp(page->code.bytes, empty, CODE_BYTES) ? HV_CALL_NONE
	                    : !memcmp(code, "\x0f\x01\xc1\xc3", 4)       ? HV_CALL_VMCALL
	                    : !memcmp(code, "\x0f\x01\xd9\xc3", 4)       ? HV_CALL_VMMCALL
	                                                                 : HV_CALL_OTHER;
	object->presence[offsetof(struct hv_hypercall_page, instruction)] = GIM_STORED;
}

static void derive_tsc(const struct gim_object *object)
{
	enum { TICKS_PER_S = 10000000 };
	struct hv_reference_page *page = (struct hv_reference_page *)(void *)object->data;
	if (page->scale <= TICKS_PER_S)
		return;
	page->tsc_hz = gim_div_high(TICKS_PER_S, page->scale);
	object->presence[offsetof(struct hv_reference_page, tsc_hz)] = GIM_STORED;
}

static bool keep_message(void *data, uint8_t *presence, uint32_t index)
{
	struct hv_slot *slot = (struct hv_slot *)data;
	slot->sint = (uint8_t)index;
	presence[offsetof(struct hv_slot, sint)] = GIM_STORED;
	return slot->type;
}

static void derive_messages(const struct gim_object *object)
{
	gim_page_sift(&((struct hv_message_page *)(void *)object->data)->message, &hv_slot_record, keep_message);
}

static bool keep_event(void *data, uint8_t *presence, uint32_t index)
{
	struct hv_event *event = (struct hv_event *)data;
	event->sint = (uint8_t)index;
	for (uint32_t i = 0; i < event->flags.length; i++)
		for (unsigned byte = (unsigned char)event->flags.bytes[i]; byte; byte &= byte - 1)
			event->set++;
	presence[offsetof(struct hv_event, sint)] = presence[offsetof(struct hv_event, set)] = GIM_STORED;
	return event->set;
}

static void derive_events(const struct gim_object *object)
{
	gim_page_sift(&((struct hv_event_page *)(void *)object->data)->event, &hv_event_record, keep_event);
}

enum { HYPERCALL, TSC, MESSAGES, EVENTS };
static const struct gim_page_layout layouts[] = {
    [HYPERCALL] = {"hypercall-page", "Hyper-V's hypercall page", &hv_hypercall_page_record, hypercall_rows, GIM_PAGE_BYTES,
                   derive_hypercall},
    [TSC] = {"tsc-page", "Hyper-V's reference TSC page", &hv_reference_page_record, tsc_rows, GIM_PAGE_BYTES, derive_tsc},
    [MESSAGES] = {"sim-page", "Hyper-V's message page of a vCPU", &hv_message_page_record, messages_rows, GIM_PAGE_BYTES, derive_messages},
    [EVENTS] = {"sief-page", "Hyper-V's event flags page of a vCPU", &hv_event_page_record, events_rows, GIM_PAGE_BYTES, derive_events},
    {.name = NULL},
};

/*
 * Where they are: the page that a register with an enable bit says.
 */
static int load_page(struct gim_state *state, struct gim_memory *memory, bool known, uint64_t reg, unsigned layout,
                     const struct gim_object *part, size_t gpa_offset, struct gim_error *error)
{
	if (!known || !(reg & HV_ENABLE))
		return 0;
	return gim_page_load(state, memory, reg & HV_PAGE_MASK, &layouts[layout], part, gpa_offset, error);
}

static int load_vp(struct gim_state *state, struct gim_memory *memory, const struct hv_vp *vp, const uint8_t *presence,
                   const struct gim_object *pages, struct gim_error *error)
{
	const struct gim_object messages = gim_page_part(pages, &hv_message_page_record, offsetof(struct hv_vp_pages, messages));
	const struct gim_object events = gim_page_part(pages, &hv_event_page_record, offsetof(struct hv_vp_pages, events));
	int result = load_page(state, memory, presence[offsetof(struct hv_vp, simp)], vp->simp, MESSAGES, &messages,
	                       offsetof(struct hv_message_page, gpa), error);
	return result ? result
	              : load_page(state, memory, presence[offsetof(struct hv_vp, siefp)], vp->siefp, EVENTS, &events,
	                          offsetof(struct hv_event_page, gpa), error);
}

static int load(struct gim_state *state, struct gim_memory *memory, const struct gim_object *object, struct gim_error *error)
{
	const struct gim_object *own = gim_state_find(state, &hv_state_record);
	const struct hv_state *hv = GIM_DATA(own, hv_state);
	struct hv_pages *pages = (struct hv_pages *)(void *)object->data;
	const struct gim_object call = gim_page_part(object, &hv_hypercall_page_record, offsetof(struct hv_pages, hypercall));
	const struct gim_object tsc = gim_page_part(object, &hv_reference_page_record, offsetof(struct hv_pages, tsc));
	int result = gim_list_grow(&state->arena, &pages->vp, &hv_vp_pages_record, hv->vp.count, error);
	/* A machine of the runtime core lays these two over the guest's memory, which then holds something else. Of all that write states it alone knows the
	 * page's scale. */
	const bool laid_over = own->presence[offsetof(struct hv_state, tsc_scale)];
	if (!result)
		result = load_page(state, memory, !laid_over && own->presence[offsetof(struct hv_state, hypercall)], hv->hypercall,
		                   HYPERCALL, &call, offsetof(struct hv_hypercall_page, gpa), error);
	if (!result)
		result = load_page(state, memory, !laid_over && own->presence[offsetof(struct hv_state, reference_tsc)], hv->reference_tsc,
		                   TSC, &tsc, offsetof(struct hv_reference_page, gpa), error);
	for (uint32_t i = 0; !result && i < hv->vp.count; i++) {
		const size_t from = (size_t)i * sizeof(struct hv_vp), to = (size_t)i * sizeof(struct hv_vp_pages);
		const struct gim_object vp = {&hv_vp_pages_record, (uint8_t *)pages->vp.items + to, pages->vp.presence + to};
		result = load_vp(state, memory, (const struct hv_vp *)hv->vp.items + i, hv->vp.presence + from, &vp, error);
	}
	return result;
}

const struct gim_page_provider hv_page_provider = {.record = &hv_pages_record, .layouts = layouts, .load = load};
