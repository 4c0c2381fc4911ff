/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which CPUID leaves show words of the Hyper-V interface (TLFS, feature discovery). */
#include "hyperv.h"

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
