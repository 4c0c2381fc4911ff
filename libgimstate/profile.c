/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record "profile": what a target's document says beside what a state's says. */
#include "target.h"

static const struct gim_name chipset_names[] = {
    {PROFILE_PIIX3, "piix3", "PIIX3, VirtualBox's default"},
    {PROFILE_ICH9, "ich9", "ICH9"},
    {0, NULL, NULL},
};

static const struct gim_field profile_unit_fields[] = {
    FIELD(profile_unit, name, .show = GIM_STRING, .key = true, .help = "name of the unit"),
    FIELD(profile_unit, instance, .show = GIM_DEC, .key = true, .help = "which one of its name"),
    FIELD(profile_unit, version, .show = GIM_DEC, .help = "newest version that is loaded"),
};
RECORD(profile_unit, "unit", "a unit that the target loads");

static const struct gim_field profile_msr_fields[] = {
    FIELD(profile_msr, number, .key = true, .help = "number of the MSR"),
};
RECORD(profile_msr, "msr", "an MSR that the target serves");

static const struct gim_field profile_leaf_fields[] = {
    FIELD(profile_leaf, interface, .show = GIM_STRING, .key = true, .help = "interface that it belongs to, e.g. \"hyperv\""),
    FIELD(profile_leaf, leaf, .key = true, .help = "number of the leaf"),
    FIELD(profile_leaf, eax, .help = "eax"),
    FIELD(profile_leaf, ebx, .help = "ebx"),
    FIELD(profile_leaf, ecx, .help = "ecx"),
    FIELD(profile_leaf, edx, .help = "edx"),
};
RECORD(profile_leaf, "leaf", "a CPUID leaf that the target offers");

static const struct gim_field profile_fields[] = {
    FIELD(profile, name, .show = GIM_STRING, .help = "what the target is called"),
    FIELD(profile, release, .show = GIM_STRING, .help = "which loader it is, e.g. \"vbox:7.2\""),
    FIELD(profile, hypervisor, .show = GIM_STRING, .help = "which hypervisor it is, e.g. \"vbox\" or \"kvm\""),
    FIELD(profile, cpu_vendor, .show = GIM_STRING, .help = "CPUID vendor of the host, e.g. \"GenuineIntel\""),
    FIELD(profile, reason, .show = GIM_STRING, .help = "how its interface was chosen, where a setting leaves that open"),
    FIELD(profile, machine, .show = GIM_STRING, .help = "QEMU's machine type, e.g. \"pc-q35-7.2\""),
    FIELD(profile, accelerator, .show = GIM_STRING, .help = "what runs the guest's code: \"kvm\" or \"tcg\""),
    FIELD(profile, uuid, .show = GIM_STRING, .help = "UUID of the machine"),
    FIELD(profile, capabilities, .show = GIM_STRING, .help = "capabilities of the migration that are on, a space between them"),
    FIELD(profile, overlooked, .show = GIM_STRING, .help = "options of QEMU's command line that were passed over, a space between them"),
    FIELD(profile, tsc_tolerance_ppm, .show = GIM_DEC, .reset = 250,
          .help = "by how much TSC frequencies may differ, in parts per million"),
    FIELD(profile, tsc_fixed, .show = GIM_BOOL, .max = 1,
          .help = "the guest's TSC runs with the host's frequency, whatever the state says"),
    FIELD(profile, chipset, .show = GIM_ENUM, .names = chipset_names, .max = 1, .help = "emulated chipset"),
    FIELD(profile, nested, .show = GIM_BOOL, .max = 1, .help = "the guest's processor has hardware virtualisation of its own"),
    FIELD(profile, debug, .show = GIM_BOOL, .max = 1, .help = "the interface's debug transport is set up"),
    LIST(profile, unit, profile_unit, .help = "all units that the target loads; none: not known"),
    LIST(profile, msr, profile_msr, .help = "all MSRs of guest interfaces that the target serves; none: not known"),
    LIST(profile, leaf, profile_leaf, .help = "CPUID leaves from which words that are not given are taken"),
};
RECORD(profile, "profile", "a target, beside what it has of a state");
