/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The built-in local APICs, for embedders that have none: edge-triggered fixed interrupts, priorities, EOI and IPIs. */
#ifndef GIM_LAPIC_H
#define GIM_LAPIC_H

#include "machine.h"
#include "machine_record.h"

void gim_lapic_reset(struct machine_apic *lapic);

#endif
