/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The built-in local APICs, for embedders that have none: edge-triggered fixed interrupts, priorities, EOI and IPIs. */
#ifndef GIM_LAPIC_H
#define GIM_LAPIC_H

#include "machine.h"

/* Bit n % 32 of word n / 32 is vector n, as in the APIC's own registers. */
struct gim_lapic {
	uint32_t irr[8], isr[8];
	uint32_t auto_eoi[8]; /* of those in irr: taking it ends it */
	uint64_t icr;
	uint32_t svr;
	uint8_t tpr;
};

void gim_lapic_reset(struct gim_lapic *lapic);

#endif
