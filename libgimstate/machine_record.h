/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the runtime core keeps beside the guest interface. The record "machine" of native states; no other container holds it. */
#ifndef GIM_MACHINE_RECORD_H
#define GIM_MACHINE_RECORD_H

#include "field.h"

/* Enabled: a guest that reaches its APIC only through the interface cannot enable it itself. */
#define GIM_APIC_SVR_RESET 0x1ffu

/* A local APIC: bit n % 32 of word n / 32 is vector n, as in its own registers. */
struct machine_apic {
	uint32_t irr[8], isr[8];
	uint32_t auto_eoi[8];
	uint64_t icr;
	uint32_t svr;
	uint8_t tpr;
};

struct machine_state {
	uint64_t tsc, utc_ns;
	uint8_t gating, newest;
	struct gim_list apic;
};

extern const struct gim_record machine_apic_record, machine_state_record;

#endif
