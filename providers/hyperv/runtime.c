/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Hyper-V interface's life: its parts in the order in which they come up, are saved, loaded and reset. */
#include "runtime.h"

#include "error.h"
#include "hypercall.h"

#define DEBUG_BY_KERNEL 2 /* features.syndbg */

/* The embedder's count; without one, a virtual processor always runs. */
static uint64_t ran(const struct gim_machine *machine, uint32_t vcpu)
{
	const struct gim_host *host = &machine->host;
	return host->vcpu_ran_ns ? host->vcpu_ran_ns(host->user, vcpu) / 100 : hv_time(machine);
}

uint64_t hv_vp_runtime(const struct gim_machine *machine, uint32_t vcpu)
{
	return ran(machine, vcpu) + hv_vcpu(machine, vcpu)->runtime_base;
}

/* It goes on from the member. */
static void set_runtime(struct gim_machine *machine)
{
	for (uint32_t vcpu = 0; vcpu < machine->vcpus; vcpu++)
		hv_vcpu(machine, vcpu)->runtime_base = hv_vp(machine, vcpu)->runtime - ran(machine, vcpu);
}

static void set_debug_options(struct gim_machine *machine)
{
	hv_state(machine)->debug.options = hv_own(machine)->hypercall_debug ? HV_DEBUG_BY_HYPERCALLS : 0;
}

static int init(struct gim_machine *machine, struct gim_error *error)
{
	hv_clock_init(machine);
	hv_pages_init(machine);
	set_runtime(machine);
	set_debug_options(machine);
	hv_state(machine)->boot_zeroed = machine->ram_owned;
	(void)error;
	return 0;
}

/*
 * Loading.
 */
#define SOURCE "VirtualBox's GIM unit"

const struct gim_rule hv_rules[HV_RULES] = {
    [HV_RULE_PAGE_MSR] = {"HV-PAGE-MSR", GIM_WARNING, GIM_E_VALUE, 0, NULL, "a page lies where its MSR says",
                          .why = "loaders take the region's address, so that the guest does not find the page where it put it",
                          .mend = "set both to the same page", .source = SOURCE},
    [HV_RULE_TIME] = {"HV-TIME", GIM_ERROR, GIM_E_VALUE, 0, NULL, "the reference time is one that a machine can have reached",
                      .why = "time would go back to 0 soon", .mend = "set the time to what the guest last saw", .source = "TLFS, timers"},
};

/* VirtualBox neither heeds nor saves it: its guest's SynIC works once there is a message page. */
static void derive_scontrol(struct gim_machine *machine)
{
	const struct gim_list *list = &hv_state(machine)->vp;
	for (uint32_t i = 0; i < list->count; i++) {
		struct hv_vp *vp = (struct hv_vp *)list->items + i;
		if (!list->presence[i * sizeof(*vp) + offsetof(struct hv_vp, scontrol)] && vp->simp & HV_ENABLE)
			vp->scontrol = HV_ENABLE;
	}
}

/* Words that a layout cannot hold: what its guest saw, which had no hint on spin locks, and the debugger's leaf where it had the debugger's MSRs. */
static void derive_words(struct gim_machine *machine)
{
	static const struct gim_gate debug_msrs = GATE(hv_state, features.misc, 11);
	struct hv_features *features = &hv_state(machine)->features;
	const uint8_t *presence = machine->object.presence;
	if (!presence[offsetof(struct hv_state, features.spin_retries)])
		features->spin_retries = UINT32_MAX;
	if (!presence[offsetof(struct hv_state, features.syndbg)] && gim_gate_open(machine, &debug_msrs))
		features->syndbg = DEBUG_BY_KERNEL;
}

/* What can fail comes first, and the queues, which are taken over, last. */
static int loaded(struct gim_machine *machine, const struct gim_state *state, gim_report_fn *report, void *user, struct gim_error *error)
{
	int result = hv_pages_loaded(machine, report, user, error);
	if (!result)
		result = hv_clock_loaded(machine, state, error);
	if (result)
		return result;
	derive_scontrol(machine);
	derive_words(machine);
	if (!machine->object.presence[offsetof(struct hv_state, debug.options)])
		set_debug_options(machine);
	return hv_synic_loaded(machine, error);
}

static int load_done(struct gim_machine *machine, struct gim_error *error)
{
	int result = hv_pages_load_done(machine, error);
	if (!result)
		result = hv_clock_load_done(machine, error);
	if (result)
		return result;
	set_runtime(machine);
	hv_stimer_load_done(machine);
	return 0;
}

static int save(struct gim_machine *machine, struct gim_error *error)
{
	hv_state(machine)->time_ref_count = hv_time(machine);
	for (uint32_t vcpu = 0; vcpu < machine->vcpus; vcpu++)
		hv_vp(machine, vcpu)->runtime = hv_vp_runtime(machine, vcpu);
	return hv_synic_save(machine, error);
}

static void reset(struct gim_machine *machine)
{
	hv_clock_reset(machine);
	hv_pages_reset(machine);
	set_runtime(machine);
	set_debug_options(machine);
	hv_state(machine)->boot_zeroed = 0; /* the memory stays as it was */
	hv_synic_reset(machine);
}

static const char *const page_names[] = {[HV_PAGE_HYPERCALL] = "hyperv.hypercall_page", [HV_PAGE_TSC] = "hyperv.tsc_page", NULL};
static const char *const counter_names[] = {
    [HV_COUNT_MESSAGES] = "messages", [HV_COUNT_EVENTS] = "events", [HV_COUNT_CALLS] = HV_CALL_COUNTERS NULL};
static const char *const vcpu_counter_names[] = {
    [HV_COUNT_STIMER] = "stimer[0].expiries", "stimer[1].expiries", "stimer[2].expiries", "stimer[3].expiries", NULL};

const struct gim_runtime hv_runtime = {
    .newest_version = 1,
    .settings = hv_settings,
    .msrs = hv_msrs,
    .list_offset = offsetof(struct hv_state, vp),
    .list_item = &hv_vp_record,
    .machine_bytes = sizeof(struct hv_machine),
    .vcpu_bytes = sizeof(struct hv_vcpu),
    .page_names = page_names,
    .counter_names = counter_names,
    .vcpu_counter_names = vcpu_counter_names,
    .configure = hv_configure,
    .init = init,
    .loaded = loaded,
    .load_done = load_done,
    .save = save,
    .reset = reset,
    .term = hv_synic_term,
    .cpuid = hv_cpuid_leaf,
    .hypercall = hv_hypercall,
    .deadline = hv_stimer_deadline,
    .advance = hv_stimer_advance,
    .eoi = hv_synic_eoi,
    .debug_ready = hv_debug_ready,
    .connect = hv_synic_connect,
    .post = hv_synic_post,
    .signal = hv_synic_signal,
    .raise = hv_synic_raise,
};
