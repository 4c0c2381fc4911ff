/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which CPUID leaves show words of the KVM interface (KVM cpuid.rst). */
#include "kvm.h"

const struct gim_cpuid_row kvm_cpuid[] = {
    CPUID(0x40000001, GIM_EAX, kvm_state, features.base),
    END_CPUID,
};
