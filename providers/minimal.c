/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two providers that save nothing: none at all, and Minimal, whose CPUID leaves only tell the guest two frequencies. */
#include "machine.h"

extern const struct gim_provider gim_provider_none, gim_provider_minimal;

static const struct gim_layout *const no_layouts[] = {NULL};

static const struct gim_runtime none_runtime = {.newest_version = 0};

const struct gim_provider gim_provider_none = {
    .name = "none", .title = "no guest interface", .vbox_id = 0, .layouts = no_layouts, .runtime = &none_runtime};

/* The timing leaf, which other hypervisors have there too, is the last one; those before it are empty. */
enum { LEAF_FIRST = 0x40000000, LEAF_TIMING = 0x40000010 };

static enum gim_access minimal_cpuid(struct gim_machine *machine, uint32_t vcpu, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	(void)vcpu;
	(void)subleaf;
	if (leaf < LEAF_FIRST || leaf > LEAF_TIMING)
		return GIM_ACCESS_NOT_OURS;
	if (leaf == LEAF_FIRST)
		regs[GIM_EAX] = LEAF_TIMING;
	if (leaf == LEAF_TIMING) {
		regs[GIM_EAX] = (uint32_t)(machine->tsc_hz / 1000);
		regs[GIM_EBX] = (uint32_t)((machine->config.apic_hz + 500) / 1000);
	}
	return GIM_ACCESS_DONE;
}

static const struct gim_runtime minimal_runtime = {.newest_version = 1, .cpuid = minimal_cpuid};

const struct gim_provider gim_provider_minimal = {
    .name = "minimal", .title = "VirtualBox Minimal", .vbox_id = 1, .layouts = no_layouts, .runtime = &minimal_runtime};
