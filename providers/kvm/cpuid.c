/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CPUID leaves of the KVM interface (KVM cpuid.rst): its signature, and which show words of its record. */
#include "runtime.h"

enum { LEAF_SIGNATURE = 0x40000000, LEAF_FEATURES = 0x40000001 };

const struct gim_cpuid_row kvm_cpuid[] = {
    CPUID(LEAF_FEATURES, GIM_EAX, kvm_state, features.base),
    END_CPUID,
};

enum gim_access kvm_cpuid_leaf(struct gim_machine *machine, uint32_t vcpu, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	static const uint8_t signature[12] = "KVMKVMKVM";
	(void)machine;
	(void)vcpu;
	(void)subleaf;
	if (leaf != LEAF_SIGNATURE)
		return GIM_ACCESS_NOT_OURS;
	regs[GIM_EAX] = LEAF_FEATURES;
	for (unsigned i = 0; i < sizeof(signature); i++)
		regs[GIM_EBX + i / 4] |= (uint32_t)signature[i] << i % 4 * 8;
	return GIM_ACCESS_DONE;
}
