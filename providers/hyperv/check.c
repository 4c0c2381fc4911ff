/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What check judges of the Hyper-V interface, beyond what holds for every interface. */
#include "check.h"
#include "guest.h"
#include "guest_pages.h"
#include "hyperv.h"
#include "machine.h"
#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ENABLED 1
#define PAGE(msr) ((msr)&UINT64_C(0xfffffffffffff000))
#define MASKED 0x10000
#define LOWEST_VECTOR 16

static const struct hv_state *hv_of(const struct gim_judging *judging, const struct gim_object **object)
{
	*object = GIM_OBJECT_OF(judging->state, hv_state);
	return *object ? GIM_DATA(*object, hv_state) : NULL;
}

/* The pages that VirtualBox lays over guest memory when it loads: the register that enables each, and where VirtualBox keeps that it is. */
static const struct overlay {
	const char *name, *path;
	uint32_t msr, gpa; /* offsets of members */
} overlays[] = {
    {"hypercall page", "hyperv.hypercall_page.gpa", offsetof(struct hv_state, hypercall), offsetof(struct hv_state, hypercall_page.gpa)},
    {"reference TSC page", "hyperv.tsc_page.gpa", offsetof(struct hv_state, reference_tsc), offsetof(struct hv_state, tsc_page.gpa)},
};

/* Is the overlay enabled, and where does VirtualBox put it? */
static bool overlay_is_on(const struct gim_object *object, const struct overlay *overlay, uint64_t *msr, uint64_t *gpa)
{
	if (!object || !object->presence[overlay->msr] || !object->presence[overlay->gpa])
		return false;
	*msr = *(const uint64_t *)(const void *)(object->data + overlay->msr);
	*gpa = *(const uint64_t *)(const void *)(object->data + overlay->gpa);
	return *msr & ENABLED;
}

static void judge_overlays(struct gim_judging *judging)
{
	const struct gim_object *object = GIM_OBJECT_OF(judging->state, hv_state);
	for (size_t i = 0; gim_judging_is(judging, "vbox") && i < sizeof(overlays) / sizeof(overlays[0]); i++) {
		uint64_t msr, gpa;
		if (overlay_is_on(object, &overlays[i], &msr, &gpa) && !gim_judging_is_ram(judging, gpa))
			gim_judge(judging, GIM_NO_UNIT, overlays[i].path,
			          "the %s is to be put at 0x%" PRIx64 ", where the VM has no RAM (it has %" PRIu64 " bytes)",
			          overlays[i].name, gpa, gim_judging_ram(judging));
	}
}

static void judge_regions(struct gim_judging *judging)
{
	const struct gim_object *object = GIM_OBJECT_OF(judging->state, hv_state);
	for (size_t i = 0; i < sizeof(overlays) / sizeof(overlays[0]); i++) {
		uint64_t msr, gpa;
		if (overlay_is_on(object, &overlays[i], &msr, &gpa) && PAGE(msr) != gpa)
			gim_judge(judging, GIM_NO_UNIT, overlays[i].path, "the %s is at 0x%" PRIx64 ", and the register says 0x%" PRIx64,
			          overlays[i].name, gpa, PAGE(msr));
	}
}

static void judge_os_id(struct gim_judging *judging)
{
	const struct gim_object *object;
	const struct hv_state *hv = hv_of(judging, &object);
	if (GIM_HAS(object, hv_state, hypercall) && GIM_HAS(object, hv_state, guest_os_id) && hv->hypercall & ENABLED && !hv->guest_os_id)
		gim_judge(judging, GIM_NO_UNIT, "hyperv.hypercall", "the hypercall page is enabled, and the guest OS id is 0");
}

static void judge_hypercall_page(struct gim_judging *judging)
{
	const struct gim_object *object;
	const struct hv_state *hv = hv_of(judging, &object);
	const struct gim_text *wanted = &gim_target_profile(judging->target)->hypervisor;
	const char *own = gim_judging_hypervisor(judging->state);
	if (GIM_HAS(object, hv_state, hypercall) && hv->hypercall & ENABLED && gim_judging_other_hypervisor(judging))
		gim_judge(judging, GIM_NO_UNIT, "hyperv.hypercall",
		          "the hypercall page at 0x%" PRIx64 " holds the instructions of %s, and the target is %.*s", PAGE(hv->hypercall),
		          own, (int)wanted->length, wanted->bytes);
}

static void judge_tsc_page(struct gim_judging *judging)
{
	const struct gim_object *object;
	const struct hv_state *hv = hv_of(judging, &object);
	uint64_t own, wanted;
	if (GIM_HAS(object, hv_state, reference_tsc) && hv->reference_tsc & ENABLED && gim_judging_tsc_differs(judging, &own, &wanted))
		gim_judge(judging, GIM_NO_UNIT, "hyperv.reference_tsc",
		          "the page's scale is for %" PRIu64 " Hz, and the target's TSC runs with %" PRIu64 " Hz", own, wanted);
}

#define TICKS_PER_S 10000000 /* of reference time */

static uint64_t tsc_hz_of(const struct gim_judging *judging)
{
	const struct gim_object *guest = GIM_OBJECT_OF(judging->state, guest);
	return GIM_HAS(guest, guest, tsc_hz) ? GIM_DATA(guest, guest)->tsc_hz : 0;
}

static void judge_scale(struct gim_judging *judging)
{
	enum { PPM = 1000000 };
	const struct gim_object *object;
	const struct hv_state *hv = hv_of(judging, &object);
	const uint64_t tsc_hz = tsc_hz_of(judging);
	if (!GIM_HAS(object, hv_state, tsc_scale) || !hv->tsc_scale || tsc_hz <= TICKS_PER_S)
		return;
	const uint64_t right = gim_div_high(TICKS_PER_S, tsc_hz);
	const uint64_t apart = right > hv->tsc_scale ? right - hv->tsc_scale : hv->tsc_scale - right;
	if (apart > right / PPM)
		gim_judge(judging, GIM_NO_UNIT, "hyperv.tsc_scale",
		          "the scale is 0x%" PRIx64 ", and of a TSC of %" PRIu64 " Hz it is 0x%" PRIx64, hv->tsc_scale, tsc_hz, right);
}

/* The reference time that the target will show when the first vCPU's TSC is what it was; false: it cannot be told. */
static bool time_after_load(const struct gim_judging *judging, uint64_t tsc, uint64_t *ticks)
{
	const struct gim_object *object;
	const struct hv_state *hv = hv_of(judging, &object);
	const uint64_t tsc_hz = tsc_hz_of(judging);
	if (gim_judging_is(judging, "vbox")) {
		/* It counts from the TSC, by a divisor without a fraction. */
		if (tsc_hz < TICKS_PER_S)
			return false;
		*ticks = tsc / (tsc_hz / TICKS_PER_S);
		return true;
	}
	if (!GIM_HAS(object, hv_state, tsc_scale) || !GIM_HAS(object, hv_state, tsc_offset) || !hv->tsc_scale)
		return false;
	*ticks = gim_mul_high(tsc, hv->tsc_scale) + hv->tsc_offset;
	return true;
}

static void judge_reference_time(struct gim_judging *judging)
{
	const struct gim_object *object, *guest = GIM_OBJECT_OF(judging->state, guest);
	const struct hv_state *hv = hv_of(judging, &object);
	const struct gim_list *vcpus = guest ? &GIM_DATA(guest, guest)->vcpu : NULL;
	uint64_t ticks;
	if (!GIM_HAS(object, hv_state, time_ref_count) || !vcpus || !vcpus->count || !vcpus->presence[offsetof(struct guest_vcpu, tsc)] ||
	    !time_after_load(judging, ((const struct guest_vcpu *)vcpus->items)->tsc, &ticks))
		return;
	/* The one was rounded down from the other. */
	if (ticks + 1 < hv->time_ref_count)
		gim_judge(judging, GIM_NO_UNIT, "hyperv.time_ref_count",
		          "the guest was shown %" PRIu64 " (%.6g s), and the target will show it %" PRIu64 " (%.6g s)", hv->time_ref_count,
		          (double)hv->time_ref_count / TICKS_PER_S, ticks, (double)ticks / TICKS_PER_S);
}

/* One of a virtual processor's parts, with its path. */
static const struct hv_vp *vp_of(const struct gim_object *object, uint32_t index, const uint8_t **presence)
{
	const struct gim_list *list = &GIM_DATA(object, hv_state)->vp;
	*presence = list->presence + (size_t)index * sizeof(struct hv_vp);
	return &((const struct hv_vp *)list->items)[index];
}

static void judge_vectors(struct gim_judging *judging)
{
	const struct gim_object *object;
	const struct hv_state *hv = hv_of(judging, &object);
	for (uint32_t v = 0; hv && v < hv->vp.count; v++) {
		const uint8_t *presence;
		const struct hv_vp *vp = vp_of(object, v, &presence);
		for (unsigned s = 0; s < HV_SINTS; s++) {
			char path[64];
			(void)snprintf(path, sizeof(path), "hyperv.vp[%" PRIu32 "].sint[%u]", v, s);
			/* A stream that leaves the sints out implies 0: of a guest without a SynIC, whose registers they are not. */
			if (presence[offsetof(struct hv_vp, sint) + s * sizeof(uint64_t)] == GIM_STORED && !(vp->sint[s] & MASKED) &&
			    (vp->sint[s] & 0xff) < LOWEST_VECTOR)
				gim_judge(judging, GIM_NO_UNIT, path,
				          "vector 0x%" PRIx64 " is none that an interrupt can have: 0x10 to 0xff are", vp->sint[s] & 0xff);
		}
	}
}

/* Does the virtual processor use synthetic interrupts? */
static bool uses_synic(const struct hv_vp *vp, const uint8_t *presence)
{
	bool used = presence[offsetof(struct hv_vp, simp)] && vp->simp & ENABLED;
	for (unsigned s = 0; s < HV_SINTS; s++)
		used |= presence[offsetof(struct hv_vp, sint) + s * sizeof(uint64_t)] && !(vp->sint[s] & MASKED) && vp->sint[s];
	return used;
}

static void judge_synic(struct gim_judging *judging)
{
	const struct gim_object *object;
	const struct hv_state *hv = hv_of(judging, &object);
	for (uint32_t v = 0; hv && v < hv->vp.count; v++) {
		const uint8_t *presence;
		const struct hv_vp *vp = vp_of(object, v, &presence);
		char path[64];
		if (!uses_synic(vp, presence) || presence[offsetof(struct hv_vp, scontrol)])
			continue;
		(void)snprintf(path, sizeof(path), "hyperv.vp[%" PRIu32 "].scontrol", v);
		gim_judge(judging, GIM_NO_UNIT, path,
		          "the guest uses synthetic interrupts, and the state holds neither their control nor event pages, assist pages or "
		          "timers");
		return;
	}
}

static void judge_timers(struct gim_judging *judging)
{
	const struct gim_object *object;
	const struct hv_state *hv = hv_of(judging, &object);
	for (uint32_t v = 0; hv && v < hv->vp.count; v++) {
		const uint8_t *presence;
		const struct hv_vp *vp = vp_of(object, v, &presence);
		for (unsigned t = 0; t < HV_STIMERS; t++) {
			char path[64];
			const struct hv_stimer *timer = &vp->stimer[t];
			(void)snprintf(path, sizeof(path), "hyperv.vp[%" PRIu32 "].stimer[%u]", v, t);
			if (presence[offsetof(struct hv_vp, stimer) + t * sizeof(*timer)] && timer->config & ENABLED && timer->count)
				gim_judge(judging, GIM_NO_UNIT, path, "timer %u is running (%s 0x%" PRIx64 ")", t,
				          timer->config & 2 ? "period" : "expires at", timer->count);
		}
	}
}

static void judge_debugger(struct gim_judging *judging)
{
	const struct gim_object *object, *profile = &judging->target->profile;
	const struct hv_state *hv = hv_of(judging, &object);
	if (GIM_HAS(object, hv_state, debug.send_buffer) &&
	    (hv->debug.send_buffer || hv->debug.receive_buffer || hv->debug.pending_buffer) && GIM_HAS(profile, profile, debug) &&
	    !GIM_DATA(profile, profile)->debug)
		gim_judge(judging, GIM_NO_UNIT, "hyperv.debug", "the guest has set up its debugger, and the target has no debug transport");
}

static void judge_signature(struct gim_judging *judging)
{
	enum { SIGNATURE_LEAF = 0x40000001, SIGNATURE = 0x31237648 };
	uint32_t registers[4];
	if (GIM_OBJECT_OF(judging->state, hv_state) && gim_judging_leaf(judging->state, SIGNATURE_LEAF, registers) &&
	    registers[GIM_EAX] != SIGNATURE)
		gim_judge(judging, GIM_NO_UNIT, "guest.cpuid",
		          "CPUID 0x40000001 shows the guest 0x%08" PRIx32 ", and Hyper-V's interface is 0x%08x (\"Hv#1\")",
		          registers[GIM_EAX], (unsigned)SIGNATURE);
}

#define NO_STATUS 0, NULL
#define LOADER "VirtualBox's loader"

const struct gim_check_rule hv_checks[] = {
    {{"GIM-PAGE-001", GIM_ERROR, GIM_E_VALUE, STATUS(VERR_SSM_LOAD_CONFIG_MISMATCH),
      "the pages that VirtualBox writes when it loads lie in RAM",
      .why = "VirtualBox puts the hypercall and the TSC page where the state says, and fails where that is no RAM",
      .mend = "give the VM as much RAM as the state had; else set the page's gpa and its register to a page that the guest keeps free",
      .source = LOADER, .after = "GIM-PROV-001 GIM-RAM-001"},
     .unit = "GIM/0",
     .stage = GIM_STAGE_DATA,
     .judge = judge_overlays},
    {{"GIM-PAGE-003", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "VirtualBox's page is where the guest's register says",
      .why = "VirtualBox goes by its own address, and the guest by the register", .mend = "set the page's gpa to the register's address",
      .source = LOADER},
     .judge = judge_regions},
    {{"GIM-HCALL-001", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "a guest with a hypercall page has said which system it is",
      .why = "hypercalls are refused until the guest has said it, and a real hypervisor would not have enabled the page",
      .mend = "set hyperv.guest_os_id to what the guest had", .source = "TLFS, hypercall interface"},
     .judge = judge_os_id},
    {{"GIM-HCALL-002", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the hypercall page is of the target's hypervisor",
      .why = "the instructions in the page are those of the hypervisor and processor that wrote it; another one must write the page anew",
      .mend = "see that the target writes the page when it loads the register, as KVM does", .source = "TLFS, hypercall interface"},
     .judge = judge_hypercall_page},
    {{"GIM-TSC-002", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the reference TSC page's scale suits the target's TSC",
      .why = "a page that is written anew has another scale, and a guest that finds its old sequence (VirtualBox begins with 1 again) "
             "keeps the old one",
      .mend = "load the state on a host of that TSC frequency", .source = "TLFS, timers"},
     .judge = judge_tsc_page},
    {{"GIM-TSC-003", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the reference TSC page's scale is that of the state's own TSC frequency",
      .why = "the guest's time runs too fast or too slow by the ratio", .mend = "set hyperv.tsc_scale to what the frequency gives",
      .source = "TLFS, timers"},
     .judge = judge_scale},
    {{"GIM-CLOCK-003", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the reference time that the guest was shown does not go back",
      .why = "the guest takes it for monotonic: timers fire late, and waits take for ever",
      .mend = "load the state where the reference time is kept by an offset, not counted from the TSC", .source = "TLFS, timers"},
     .judge = judge_reference_time},
    {{"GIM-SINT-001", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "a synthetic interrupt that is not masked has a vector",
      .why = "vectors below 0x10 are exceptions; a hypervisor refuses the register",
      .mend = "set the sint to 0x10000, masked, or to its vector", .source = "TLFS, SynIC"},
     .judge = judge_vectors},
    {{"GIM-LOSS-002", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "a state whose guest uses synthetic interrupts holds all of them",
      .why = "VirtualBox does not save SCONTROL, event and assist pages and timers: after loading they are at their reset values",
      .mend = "nothing in the state; where the guest hangs, have it set up its synthetic interrupts again, e.g. by a reboot",
      .source = "VirtualBox's GIM unit"},
     .judge = judge_synic},
    {{"GIM-TIMER-001", GIM_NOTE, GIM_E_VALUE, NO_STATUS, "no synthetic timer is running",
      .why =
          "its expiry is a time of the saved clock: a timer that is due fires at once, a periodic one may fire for each period that passed",
      .mend = "nothing, where the clock goes on from where it was", .source = "TLFS, timers"},
     .judge = judge_timers},
    {{"GIM-DBG-001", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "a guest with a debugger finds its transport",
      .why = "the guest waits for a debugger that cannot answer", .mend = "set the VM's paravirtualisation debug options (enabled=1)",
      .source = "TLFS, synthetic debugger"},
     .judge = judge_debugger},
    {{"GIM-CPUID-002", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "CPUID shows the guest that there is Hyper-V's interface",
      .why = "the guest was shown another interface than the one that it is said to use",
      .mend = "find out which unit was changed, or take the file again from where it was made", .source = "TLFS, feature discovery"},
     .judge = judge_signature},
    {{"GIM-MEM-101", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the hypercall page in guest memory makes hypercalls",
      .why = "a guest that calls runs into whatever stands there, until a hypervisor writes the page anew",
      .mend = "see that the target writes the page when it loads the register, as VirtualBox and KVM do",
      .source = "TLFS, hypercall interface"},
     .judge = hv_judge_call},
    {{"GIM-MEM-102", GIM_NOTE, GIM_E_VALUE, NO_STATUS, "the hypercall page calls as the guest's processor does",
      .why = "the other vendor's instruction is an invalid one, which the hypervisor must catch and understand",
      .mend = "nothing where the target writes the page anew", .source = "TLFS, hypercall interface"},
     .judge = hv_judge_call_vendor},
    {{"GIM-MEM-103", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the reference TSC page in guest memory is made for the state's TSC frequency",
      .why = "the guest's time runs too fast or too slow by the ratio, until the hypervisor writes the page anew",
      .mend = "find out which of them was changed, or take the file again from where it was made", .source = "TLFS, timers"},
     .judge = hv_judge_page_frequency},
    {{"GIM-MEM-104", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the reference TSC page in guest memory has the sequence that the state says",
      .why = "a hypervisor that counts on from the state's may write one that the guest has seen, and the guest keeps the old scale",
      .mend = "set hyperv.tsc_sequence to the page's", .source = "TLFS, timers"},
     .judge = hv_judge_page_sequence},
    {{"GIM-MEM-105", GIM_NOTE, GIM_E_VALUE, NO_STATUS, "the guest has taken all synthetic messages",
      .why = "further messages to the SINT wait until the guest has taken it, and an interrupt that was lost will not come again",
      .mend = "nothing, where the interrupt is still pending", .source = "TLFS, SynIC"},
     .judge = hv_judge_messages},
    {{"GIM-MEM-106", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the guest can take every synthetic message that waits",
      .why = "no interrupt tells the guest of it, and the slot stays in use: further messages to the SINT never come",
      .mend = "have the guest set up its synthetic interrupts again, e.g. by a reboot", .source = "TLFS, SynIC"},
     .judge = hv_judge_slots},
    {{"GIM-MEM-107", GIM_NOTE, GIM_E_VALUE, NO_STATUS, "the guest has seen all event flags",
      .why = "a flag that is set already raises no interrupt when it is set again", .mend = "nothing, where the interrupt is still pending",
      .source = "TLFS, SynIC"},
     .judge = hv_judge_events},
    {.rule = {.id = NULL}},
};
