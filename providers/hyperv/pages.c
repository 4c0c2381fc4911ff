/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest OS id with the hypercall page that depends on it, the virtual processor assist page, and the pages of a loaded state. */
#include "runtime.h"

#include "error.h"

#include <inttypes.h>
#include <string.h>

#define LOCKED UINT64_C(2)

/*
 * The hypercall page.
 */
static void disable_hypercall_page(struct gim_machine *machine)
{
	gim_page_unmap(machine, HV_PAGE_HYPERCALL);
	hv_state(machine)->hypercall &= ~HV_ENABLE;
}

enum gim_access hv_page_write_guest_os_id(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)vcpu;
	(void)index;
	if (!*value)
		disable_hypercall_page(machine);
	return GIM_ACCESS_DONE;
}

/* The lock bit is an ordinary one, kept, where the guest was not told that it locks. */
static bool is_locked(const struct gim_machine *machine)
{
	static const struct gim_gate lock = GATE(hv_state, features.misc, 18);
	return hv_state(machine)->hypercall & LOCKED && gim_gate_open(machine, &lock);
}

enum gim_access hv_page_write_hypercall(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)vcpu;
	(void)index;
	struct hv_state *state = hv_state(machine);
	if (is_locked(machine))
		return GIM_ACCESS_GP;
	if (!state->guest_os_id)
		*value &= ~HV_ENABLE;
	if (!(*value & HV_ENABLE)) {
		disable_hypercall_page(machine);
		return GIM_ACCESS_DONE;
	}
	const uint64_t gpa = *value & HV_PAGE_MASK;
	if (machine->pages[HV_PAGE_HYPERCALL].gpa != gpa && gim_page_map(machine, HV_PAGE_HYPERCALL, gpa, NULL))
		return GIM_ACCESS_GP;
	state->hypercall_page.gpa = gpa;
	return GIM_ACCESS_DONE;
}

/*
 * The assist page is the guest's own memory. Only its first word, the EOI assist, is the hypervisor's to begin with: a nested hypervisor may have filled in the
 * rest before.
 */
enum gim_access hv_page_write_vp_assist(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)vcpu;
	(void)index;
	static const uint8_t no_assist[4];
	if (!(*value & HV_ENABLE))
		return GIM_ACCESS_DONE;
	if (!gim_ram_is(machine, *value & HV_PAGE_MASK, GIM_PAGE_BYTES))
		return GIM_ACCESS_GP;
	return gim_ram_write(machine, *value & HV_PAGE_MASK, no_assist, sizeof(no_assist)) ? GIM_ACCESS_GP : GIM_ACCESS_DONE;
}

/*
 * The two pages of a state.
 */
static const struct {
	uint32_t msr, page; /* in struct hv_state */
	const char *description;
	const char *msr_path, *gpa_path;
} regions[] = {
    [HV_PAGE_HYPERCALL] = {offsetof(struct hv_state, hypercall), offsetof(struct hv_state, hypercall_page), "Hyper-V hypercall page",
                           "hyperv.hypercall", "hyperv.hypercall_page.gpa"},
    [HV_PAGE_TSC] = {offsetof(struct hv_state, reference_tsc), offsetof(struct hv_state, tsc_page), "Hyper-V TSC page",
                     "hyperv.reference_tsc", "hyperv.tsc_page.gpa"},
};

static struct hv_page *page_of(const struct gim_machine *machine, unsigned index)
{
	return (struct hv_page *)(void *)(machine->object.data + regions[index].page);
}

static uint64_t msr_of(const struct gim_machine *machine, unsigned index)
{
	uint64_t value;
	memcpy(&value, machine->object.data + regions[index].msr, sizeof(value));
	return value;
}

/* What VirtualBox's layouts say of the regions beside their addresses. */
static void describe(const struct gim_object *object, unsigned index)
{
	struct hv_page *page = (struct hv_page *)(void *)(object->data + regions[index].page);
	page->index = (uint8_t)index;
	page->description = (struct gim_text){regions[index].description, (uint32_t)strlen(regions[index].description)};
}

/* The pages are where their MSRs say. */
void hv_pages_carried(struct gim_object *object)
{
	for (unsigned i = HV_PAGE_HYPERCALL; i <= HV_PAGE_TSC; i++) {
		struct hv_page *page = (struct hv_page *)(void *)(object->data + regions[i].page);
		uint64_t msr;
		memcpy(&msr, object->data + regions[i].msr, sizeof(msr));
		page->gpa = msr & HV_ENABLE ? msr & HV_PAGE_MASK : UINT64_MAX;
	}
}

void hv_pages_fresh(struct gim_object *object)
{
	for (unsigned i = HV_PAGE_HYPERCALL; i <= HV_PAGE_TSC; i++)
		describe(object, i);
}

void hv_pages_init(struct gim_machine *machine)
{
	const struct hv_machine *own = hv_own(machine);
	memcpy(machine->pages[HV_PAGE_HYPERCALL].bytes, own->code, own->code_bytes);
	hv_pages_fresh(&machine->object);
}

/* The pages' loader of VirtualBox takes the region's address, and never looks at the MSR's. It writes to the region, so there must be RAM. */
static int judge(struct gim_machine *machine, unsigned index, gim_report_fn *report, void *user, struct gim_error *error)
{
	const uint64_t gpa = page_of(machine, index)->gpa, msr = msr_of(machine, index);
	const char *why = NULL;
	if (!(msr & HV_ENABLE))
		return 0;
	if (!machine->device)
		why = "the device that carries it is not registered";
	else if (!gim_ram_is(machine, gpa & HV_PAGE_MASK, GIM_PAGE_BYTES))
		why = "no ordinary RAM is there";
	else if (index && msr_of(machine, 0) & HV_ENABLE && !((gpa ^ page_of(machine, 0)->gpa) & HV_PAGE_MASK))
		why = "the hypercall page is there";
	if (why) {
		(void)gim_fail_rule(error, &gim_load_rules[GIM_LOAD_PAGE], GIM_UNKNOWN,
		                    "the enabled page at 0x%" PRIx64 " cannot be laid there: %s", gpa, why);
		gim_error_path(error, regions[index].gpa_path);
		return gim_load_rules[GIM_LOAD_PAGE].code;
	}
	if (gpa != (msr & HV_PAGE_MASK))
		gim_report(report, user, &hv_rules[HV_RULE_PAGE_MSR], GIM_UNKNOWN, NULL, regions[index].gpa_path,
		           "the page is at 0x%" PRIx64 ", where %s says 0x%" PRIx64 "; it goes to 0x%" PRIx64, gpa, regions[index].msr_path,
		           msr & HV_PAGE_MASK, gpa & HV_PAGE_MASK);
	return 0;
}

int hv_pages_loaded(struct gim_machine *machine, gim_report_fn *report, void *user, struct gim_error *error)
{
	int result = 0;
	for (unsigned i = HV_PAGE_HYPERCALL; !result && i <= HV_PAGE_TSC; i++) {
		const uint8_t *presence = machine->object.presence + regions[i].page;
		if (!presence[offsetof(struct hv_page, description)])
			describe(&machine->object, i);
		if (!presence[offsetof(struct hv_page, gpa)] && msr_of(machine, i) & HV_ENABLE)
			page_of(machine, i)->gpa = msr_of(machine, i) & HV_PAGE_MASK;
		result = judge(machine, i, report, user, error);
	}
	return result;
}

int hv_pages_load_done(struct gim_machine *machine, struct gim_error *error)
{
	if (!(hv_state(machine)->hypercall & HV_ENABLE))
		return 0;
	return gim_page_map(machine, HV_PAGE_HYPERCALL, hv_state(machine)->hypercall_page.gpa & HV_PAGE_MASK, error);
}

/* The regions lie nowhere then; and disabling alone leaves their addresses, as VirtualBox does. */
void hv_pages_reset(struct gim_machine *machine)
{
	for (unsigned i = HV_PAGE_HYPERCALL; i <= HV_PAGE_TSC; i++)
		page_of(machine, i)->gpa = UINT64_MAX;
}
