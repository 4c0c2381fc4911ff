/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CPUID leaves of the Hyper-V interface: which show words of the state, and what the others say (TLFS, feature discovery). */
#include "runtime.h"

#include <string.h>

const struct gim_cpuid_row hv_cpuid[] = {
    CPUID(0x40000003, GIM_EAX, hv_state, features.base),
    CPUID(0x40000003, GIM_EBX, hv_state, features.partition),
    CPUID(0x40000003, GIM_ECX, hv_state, features.power),
    CPUID(0x40000003, GIM_EDX, hv_state, features.misc),
    CPUID(0x40000004, GIM_EAX, hv_state, features.hints),
    CPUID(0x40000004, GIM_EBX, hv_state, features.spin_retries), /* all ones: never */
    CPUID(0x40000006, GIM_EAX, hv_state, features.host),
    CPUID(0x4000000a, GIM_EAX, hv_state, features.nested),
    CPUID(0x40000082, GIM_EAX, hv_state, features.syndbg),
    END_CPUID,
};

enum {
	LEAF_MAXIMUM = 0x40000000,
	LEAF_INTERFACE,
	LEAF_IDENTITY,
	LEAF_LIMITS = 0x40000005,
	LEAF_HARDWARE,
	LEAF_NESTED = 0x4000000a,
	LEAF_SYNDBG_VENDOR = 0x40000080,
	LEAF_SYNDBG_INTERFACE,
	LEAF_SYNDBG_FEATURES,
};

#define FOUR(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

/* What a hypervisor of this interface calls itself to guests that ask for its version: Windows Server 2016. */
#define IDENTITY_BUILD 14393
#define IDENTITY_VERSION (10u << 16 | 0)

static uint32_t last_leaf(const struct gim_machine *machine)
{
	const struct hv_features *features = &hv_state(machine)->features;
	return features->syndbg ? LEAF_SYNDBG_FEATURES : features->nested ? LEAF_NESTED : LEAF_HARDWARE;
}

static void put_vendor(uint32_t regs[4], const char vendor[12])
{
	for (unsigned i = 0; i < 3; i++) {
		const unsigned char *four = (const unsigned char *)vendor + i * 4;
		regs[GIM_EBX + i] = FOUR(four[0], four[1], four[2], four[3]);
	}
}

/* It is all zero until the guest has said who it is. VirtualBox then says the guest's own version instead of a hypervisor's; a guest that lives on must not see
 * another. */
static void put_identity(const struct gim_machine *machine, uint32_t regs[4])
{
	const uint64_t id = hv_state(machine)->guest_os_id;
	if (!id)
		return;
	if (machine->gating != GIM_GATING_PRODUCER) {
		regs[GIM_EAX] = IDENTITY_BUILD;
		regs[GIM_EBX] = IDENTITY_VERSION;
		return;
	}
	const uint32_t build = id & 0xffff, service = id >> 16 & 0xff;
	regs[GIM_EAX] = build;
	regs[GIM_EBX] = (uint32_t)((id >> 32 & 0xff) << 16 | (id >> 24 & 0xff));
	regs[GIM_ECX] = service;
	regs[GIM_EDX] = service | build << 24;
}

enum gim_access hv_cpuid_leaf(struct gim_machine *machine, uint32_t vcpu, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	(void)vcpu;
	(void)subleaf;
	const uint32_t last = last_leaf(machine);
	if (leaf < LEAF_MAXIMUM || leaf > last)
		return GIM_ACCESS_NOT_OURS;
	switch (leaf) {
	case LEAF_MAXIMUM:
		regs[GIM_EAX] = last;
		put_vendor(regs, hv_own(machine)->vendor);
		break;
	case LEAF_INTERFACE:
		regs[GIM_EAX] = FOUR('H', 'v', '#', '1');
		break;
	case LEAF_IDENTITY:
		put_identity(machine, regs);
		break;
	case LEAF_LIMITS:
		if (machine->gating != GIM_GATING_PRODUCER) /* VirtualBox tells none */
			regs[GIM_EAX] = GIM_VCPUS_MAX;
		break;
	case LEAF_SYNDBG_VENDOR:
		regs[GIM_EAX] = last;
		put_vendor(regs, "Microsoft VS");
		break;
	case LEAF_SYNDBG_INTERFACE:
		regs[GIM_EAX] = FOUR('V', 'S', '#', '1');
		break;
	default:
		break; /* words of the state, which the machine lays over it, or nothing */
	}
	return GIM_ACCESS_DONE;
}
