/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The KVM interface as these guests use it (KVM's documentation: cpuid, msr). */
#ifndef KVM_H
#define KVM_H

#include "guest.h"

#define KVM_SIGNATURE 0x4b4d564bu /* "KVMK" */

struct kvm_clock {
	volatile uint32_t version, pad;
	volatile uint64_t tsc, ns;
	volatile uint32_t multiplier;
	volatile int8_t shift;
	volatile uint8_t flags, pads[2];
};

/* The feature bits; 0 where there is no such interface. */
static inline uint32_t kvm_features(void)
{
	uint32_t regs[4];
	cpuid(0x40000000, regs);
	if (regs[1] != KVM_SIGNATURE)
		return 0;
	cpuid(0x40000001, regs);
	return regs[0];
}

/* The time, and the TSC that it was read at. */
static inline uint64_t kvm_clock_ns(const struct kvm_clock *clock, uint64_t *tsc)
{
	__extension__ typedef unsigned __int128 wide;
	for (;;) {
		const uint32_t version = clock->version;
		barrier();
		*tsc = rdtsc();
		uint64_t delta = *tsc - clock->tsc;
		delta = clock->shift < 0 ? delta >> -clock->shift : delta << clock->shift;
		const uint64_t ns = clock->ns + (uint64_t)((wide)delta * clock->multiplier >> 32);
		barrier();
		if (clock->version == version && !(version & 1))
			return ns;
	}
}

#endif
