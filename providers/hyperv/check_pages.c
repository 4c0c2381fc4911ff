/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What check judges of the structures that Hyper-V's interface keeps in guest memory. */
#include "hyperv/guest_pages.h"

#include "bytes.h"
#include "guest.h"
#include "hyperv/hyperv.h"
#include "hyperv/tlfs.h"
#include "scale.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct hv_pages *pages_of(const struct gim_judging *judging, const struct gim_object **object)
{
	*object = GIM_OBJECT_OF(judging->state, hv_pages);
	return *object ? GIM_DATA(*object, hv_pages) : NULL;
}

/*
 * The hypercall page.
 */
void hv_judge_call(struct gim_judging *judging)
{
	const struct gim_object *object;
	const struct hv_pages *pages = pages_of(judging, &object);
	if (!GIM_HAS(object, hv_pages, hypercall.instruction))
		return;
	const struct hv_hypercall_page *page = &pages->hypercall;
	if (page->instruction == HV_CALL_NONE)
		gim_judge(judging, GIM_NO_UNIT, "hyperv_pages.hypercall.code", "the hypercall page at 0x%" PRIx64 " is empty", page->gpa);
	else if (page->instruction == HV_CALL_OTHER)
		gim_judge(judging, GIM_NO_UNIT, "hyperv_pages.hypercall.code",
		          "the hypercall page at 0x%" PRIx64 " begins with neither VMCALL nor VMMCALL and a return", page->gpa);
}

void hv_judge_call_vendor(struct gim_judging *judging)
{
	static const struct {
		const char *ebx, *calls;
		enum hv_call_instruction instruction;
	} vendors[] = {{"Genu", "VMCALL", HV_CALL_VMCALL},
	               {"Cent", "VMCALL", HV_CALL_VMCALL},
	               {"Auth", "VMMCALL", HV_CALL_VMMCALL},
	               {"Hygo", "VMMCALL", HV_CALL_VMMCALL}};
	const struct gim_object *object;
	const struct hv_pages *pages = pages_of(judging, &object);
	uint32_t registers[4];
	if (!GIM_HAS(object, hv_pages, hypercall.instruction) || !gim_judging_leaf(judging->state, 0, registers))
		return;
	const uint32_t own = pages->hypercall.instruction;
	for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++)
		if (gim_load(vendors[i].ebx, 4) == registers[GIM_EBX] && (own == HV_CALL_VMCALL || own == HV_CALL_VMMCALL) &&
		    own != vendors[i].instruction)
			gim_judge(judging, GIM_NO_UNIT, "hyperv_pages.hypercall.instruction",
			          "the page calls by %s, and the guest's processor by %s", own == HV_CALL_VMCALL ? "VMCALL" : "VMMCALL",
			          vendors[i].calls);
}

/*
 * The reference TSC page.
 */
static bool is_sequence(uint32_t sequence)
{
	return sequence && sequence != UINT32_MAX;
}

void hv_judge_page_frequency(struct gim_judging *judging)
{
	enum { PPM = 100, MILLION = 1000000 };
	const struct gim_object *object, *guest = GIM_OBJECT_OF(judging->state, guest);
	const struct hv_pages *pages = pages_of(judging, &object);
	const uint64_t tsc_hz = GIM_HAS(guest, guest, tsc_hz) ? GIM_DATA(guest, guest)->tsc_hz : 0;
	if (!tsc_hz || !GIM_HAS(object, hv_pages, tsc.scale) || !is_sequence(pages->tsc.sequence))
		return;
	const uint64_t own = GIM_HAS(object, hv_pages, tsc.tsc_hz) ? pages->tsc.tsc_hz : 0;
	const uint64_t apart = own > tsc_hz ? own - tsc_hz : tsc_hz - own;
	if (apart > gim_mul_div(tsc_hz, PPM, MILLION))
		gim_judge(judging, GIM_NO_UNIT, "hyperv_pages.tsc.scale",
		          "the page's scale 0x%" PRIx64 " is that of a TSC of %" PRIu64 " Hz, and the state's runs with %" PRIu64 " Hz",
		          pages->tsc.scale, own, tsc_hz);
}

void hv_judge_page_sequence(struct gim_judging *judging)
{
	const struct gim_object *object, *own = GIM_OBJECT_OF(judging->state, hv_state);
	const struct hv_pages *pages = pages_of(judging, &object);
	const struct hv_state *hv = own ? GIM_DATA(own, hv_state) : NULL;
	/* VirtualBox always saves 0, since it looks for the sequence where it has not put it. */
	if (GIM_HAS(object, hv_pages, tsc.sequence) && GIM_HAS(own, hv_state, tsc_sequence) && hv->tsc_sequence &&
	    pages->tsc.sequence != hv->tsc_sequence)
		gim_judge(judging, GIM_NO_UNIT, "hyperv_pages.tsc.sequence",
		          "the guest reads sequence %" PRIu32 ", and the state says %" PRIu32, pages->tsc.sequence, hv->tsc_sequence);
}

/*
 * Message and event flags pages.
 */
typedef void vp_fn(struct gim_judging *judging, uint32_t index, const struct hv_vp_pages *pages);

static void each_vp(struct gim_judging *judging, vp_fn *judge)
{
	const struct gim_object *object;
	const struct hv_pages *pages = pages_of(judging, &object);
	for (uint32_t v = 0; pages && v < pages->vp.count; v++)
		judge(judging, v, (const struct hv_vp_pages *)pages->vp.items + v);
}

static const struct hv_slot *slot_of(const struct hv_vp_pages *pages, uint32_t index)
{
	return (const struct hv_slot *)pages->messages.message.items + index;
}

static void judge_messages(struct gim_judging *judging, uint32_t index, const struct hv_vp_pages *pages)
{
	char path[96];
	for (uint32_t i = 0; i < pages->messages.message.count; i++) {
		const struct hv_slot *slot = slot_of(pages, i);
		(void)snprintf(path, sizeof(path), "hyperv_pages.vp[%" PRIu32 "].messages.message[%" PRIu32 "]", index, i);
		gim_judge(judging, GIM_NO_UNIT, path,
		          "a message of type 0x%" PRIx32 " waits in the slot of SINT %u, and the guest has not taken it", slot->type,
		          slot->sint);
	}
}

void hv_judge_messages(struct gim_judging *judging)
{
	each_vp(judging, judge_messages);
}

/* Is the SINT of that virtual processor known to be masked? */
static bool is_masked(const struct gim_judging *judging, uint32_t index, uint8_t sint)
{
	const struct gim_object *object = GIM_OBJECT_OF(judging->state, hv_state);
	const struct gim_list *list = object ? &GIM_DATA(object, hv_state)->vp : NULL;
	if (!list || index >= list->count || sint >= HV_SINTS)
		return false;
	const size_t at = (size_t)index * sizeof(struct hv_vp) + offsetof(struct hv_vp, sint) + sint * sizeof(uint64_t);
	return list->presence[at] != GIM_ABSENT && ((const struct hv_vp *)list->items)[index].sint[sint] & HV_SINT_MASKED;
}

static void judge_slots(struct gim_judging *judging, uint32_t index, const struct hv_vp_pages *pages)
{
	char path[96];
	for (uint32_t i = 0; i < pages->messages.message.count; i++) {
		const struct hv_slot *slot = slot_of(pages, i);
		(void)snprintf(path, sizeof(path), "hyperv_pages.vp[%" PRIu32 "].messages.message[%" PRIu32 "].%s", index, i,
		               slot->payload_bytes > HV_MESSAGE_PAYLOAD ? "payload_bytes" : "sint");
		if (slot->payload_bytes > HV_MESSAGE_PAYLOAD)
			gim_judge(judging, GIM_NO_UNIT, path, "a message of %u bytes, where %d are possible", slot->payload_bytes,
			          HV_MESSAGE_PAYLOAD);
		else if (is_masked(judging, index, slot->sint))
			gim_judge(judging, GIM_NO_UNIT, path, "a message waits in the slot of SINT %u, which is masked", slot->sint);
	}
}

void hv_judge_slots(struct gim_judging *judging)
{
	each_vp(judging, judge_slots);
}

static void judge_events(struct gim_judging *judging, uint32_t index, const struct hv_vp_pages *pages)
{
	const struct hv_event *events = (const struct hv_event *)pages->events.event.items;
	char path[96];
	for (uint32_t i = 0; i < pages->events.event.count; i++) {
		(void)snprintf(path, sizeof(path), "hyperv_pages.vp[%" PRIu32 "].events.event[%" PRIu32 "]", index, i);
		gim_judge(judging, GIM_NO_UNIT, path, "%" PRIu32 " event flag%s of SINT %u %s set, and the guest has not cleared %s",
		          events[i].set, events[i].set == 1 ? "" : "s", events[i].sint, events[i].set == 1 ? "is" : "are",
		          events[i].set == 1 ? "it" : "them");
	}
}

void hv_judge_events(struct gim_judging *judging)
{
	each_vp(judging, judge_events);
}
