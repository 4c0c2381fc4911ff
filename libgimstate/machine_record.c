/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record "machine": the clock, the gating and the built-in local APICs of a saved machine. */
#include "machine_record.h"

static const struct gim_name names_gating[] = {
    {GIM_GATING_WORDS, "words", "what the CPUID words show is open to the guest"},
    {GIM_GATING_PRODUCER, "producer", "what VirtualBox serves without showing it is open too"},
    {0, NULL, NULL},
};

static const struct gim_field machine_apic_fields[] = {
    FIELD(machine_apic, irr, .source = "Intel SDM, local APIC", .help = "interrupts requested, a bit for each vector"),
    FIELD(machine_apic, isr, .source = "Intel SDM, local APIC", .help = "interrupts in service, a bit for each vector"),
    FIELD(machine_apic, auto_eoi, .help = "of those requested: ended as soon as they are taken"),
    FIELD(machine_apic, icr, .source = "Intel SDM, local APIC", .help = "interrupt command"),
    FIELD(machine_apic, svr, .reset = GIM_APIC_SVR_RESET, .source = "Intel SDM, local APIC",
          .help = "spurious interrupt vector, and bit 8: enabled"),
    FIELD(machine_apic, tpr, .source = "Intel SDM, local APIC", .help = "task priority"),
};
RECORD(machine_apic, "apic", "a built-in local APIC");

static const struct gim_field machine_state_fields[] = {
    FIELD(machine_state, tsc, .change = GIM_CHANGE_CLOCK, .show = GIM_DEC, .help = "the guest's TSC when the machine was saved"),
    FIELD(machine_state, utc_ns, .change = GIM_CHANGE_CLOCK, .show = GIM_NS, .help = "nanoseconds since 1970 when the machine was saved"),
    FIELD(machine_state, gating, .show = GIM_ENUM, .names = names_gating, .help = "what opens MSRs and hypercalls"),
    FIELD(machine_state, newest, .change = GIM_CHANGE_FORM, .show = GIM_BOOL, .max = 1,
          .help = "the provider version was given as 0, the newest; VirtualBox's layouts hold that"),
    LIST(machine_state, apic, machine_apic, .help = "the built-in local APICs, per vCPU; none with the embedder's own"),
};
RECORD(machine_state, "machine", "the machine around the guest interface");
