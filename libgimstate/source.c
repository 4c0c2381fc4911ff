/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The records "source" (where a state comes from) and "gim" (the GIM unit's head). */
#include "state.h"

static const struct gim_field source_fields[] = {
    FIELD(source, format, .change = GIM_CHANGE_FORM, .show = GIM_STRING,
          .help = "container family: the first part of layout and release names"),
    FIELD(source, container, .change = GIM_CHANGE_FORM, .show = GIM_STRING, .help = "container and its version"),
    FIELD(source, producer, .change = GIM_CHANGE_FORM, .show = GIM_STRING, .help = "version and revision of the program that wrote it"),
    FIELD(source, release, .change = GIM_CHANGE_FORM, .show = GIM_STRING, .help = "its release, as targets are named"),
    FIELD(source, host_os, .change = GIM_CHANGE_FORM, .show = GIM_STRING, .help = "operating system and architecture it ran on"),
    FIELD(source, size_bytes, .change = GIM_CHANGE_FORM, .show = GIM_SIZE, .help = "size of the file"),
    FIELD(source, units, .change = GIM_CHANGE_FORM, .show = GIM_DEC,
          .help = "units registered when it was written, as the header counts them"),
    FIELD(source, host_bits, .change = GIM_CHANGE_FORM, .show = GIM_DEC, .help = "word size of the host"),
    FIELD(source, address_bytes, .change = GIM_CHANGE_FORM, .show = GIM_DEC, .help = "size of a guest-physical address in it"),
    FIELD(source, pointer_bytes, .change = GIM_CHANGE_FORM, .show = GIM_DEC, .help = "size of a guest pointer in it"),
    FIELD(source, checksummed, .change = GIM_CHANGE_FORM, .show = GIM_BOOL, .help = "the stream carries CRC-32 checksums"),
    FIELD(source, live, .change = GIM_CHANGE_FORM, .show = GIM_BOOL,
          .help = "saved while the guest ran: snapshot or teleport, in several passes"),
};
RECORD(source, "source", "Where the state comes from: what its container's header says.");

static const struct gim_name provider_names[] = {
    {0, "none", "no paravirtual interface"},
    {1, "minimal", "VirtualBox's Minimal: TSC and APIC frequency"},
    {2, "hyperv", "Microsoft Hyper-V"},
    {3, "kvm", "KVM"},
    {0, NULL, NULL},
};

static const struct gim_field gim_fields[] = {
    FIELD(gim, unit_version, .show = GIM_DEC, .reset = 1, .max = 1, .help = "version of the unit: 1 in every release that has it"),
    FIELD(gim, provider, .show = GIM_ENUM, .names = provider_names, .max = 3, .help = "guest-interface provider"),
    FIELD(gim, provider_version, .show = GIM_DEC, .help = "provider's implementation version; 0 stands for the newest of its release"),
    FIELD(gim, layout, .change = GIM_CHANGE_FORM, .show = GIM_STRING, .help = "layout of the provider's payload: FORMAT-PROVIDER-VERSION"),
    FIELD(gim, interfaces, .change = GIM_CHANGE_FORM, .show = GIM_STRING, .help = "interfaces in use, of containers that have no GIM unit"),
    FIELD(gim, trailing, .help = "bytes after the payload: none in a sound unit"),
    FIELD(gim, delimiter, .change = GIM_CHANGE_FORM, .reset = 0xff,
          .help = "byte that ends the payload of HyperV blobs 2 to 4: 0xff; no release checks it"),
};
RECORD(gim, "gim", "VirtualBox's GIM unit: its head, and what stands around the provider's payload.");
