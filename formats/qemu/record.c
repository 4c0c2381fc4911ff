/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record "qemu" and what it consists of. */
#include "qemu/record.h"

#define SOURCE "QEMU's migration stream"

static const struct gim_field qemu_ram_entry_fields[] = {
    FIELD(qemu_ram_entry, name, .key = true, .show = GIM_STRING, .source = SOURCE, .help = "name of the RAM block"),
    FIELD(qemu_ram_entry, used_bytes, .show = GIM_SIZE, .source = SOURCE, .help = "how much of it is in use"),
};
RECORD(qemu_ram_entry, "ram_block", "a block of the machine's RAM or ROM");

static const struct gim_field qemu_field_entry_fields[] = {
    FIELD(qemu_field_entry, path, .key = true, .show = GIM_STRING, .source = SOURCE,
          .help = "the field as the description names it; a subsection's name ends in a colon"),
    FIELD(qemu_field_entry, type, .change = GIM_CHANGE_FORM, .show = GIM_STRING, .source = SOURCE, .help = "its type, as QEMU calls it"),
    FIELD(qemu_field_entry, value, .source = SOURCE, .help = "a number of up to 8 bytes, without its sign"),
    FIELD(qemu_field_entry, bytes, .source = SOURCE, .help = "what is no number"),
};
RECORD(qemu_field_entry, "field", "a number or a byte string of a device");

static const struct gim_field qemu_device_entry_fields[] = {
    FIELD(qemu_device_entry, name, .key = true, .show = GIM_STRING, .source = SOURCE, .help = "name of the section"),
    FIELD(qemu_device_entry, instance, .key = true, .show = GIM_DEC, .source = SOURCE, .help = "which one of that name"),
    FIELD(qemu_device_entry, order, .key = true, .show = GIM_DEC, .source = SOURCE,
          .help = "which one of that name and instance, as QEMU 7.2 may have several"),
    FIELD(qemu_device_entry, version, .change = GIM_CHANGE_FORM, .show = GIM_DEC, .source = SOURCE, .help = "version of the section"),
    FIELD(qemu_device_entry, size_bytes, .change = GIM_CHANGE_FORM, .show = GIM_SIZE, .source = SOURCE, .help = "bytes of its payload"),
    LIST(qemu_device_entry, field, qemu_field_entry, .help = "what it holds, as the description says"),
};
RECORD(qemu_device_entry, "device", "a device's section");

static const struct gim_field qemu_info_fields[] = {
    FIELD(qemu_info, machine, .show = GIM_STRING, .source = SOURCE, .help = "machine type; machines up to 2.3 do not say it"),
    FIELD(qemu_info, accelerator, .show = GIM_STRING, .source = SOURCE, .help = "kvm or tcg, as the sections tell"),
    FIELD(qemu_info, run_state, .show = GIM_STRING, .source = SOURCE, .help = "what the machine was doing when it was saved"),
    FIELD(qemu_info, capabilities, .change = GIM_CHANGE_FORM, .show = GIM_STRING, .source = SOURCE,
          .help = "migration capabilities that the loader must have, too"),
    FIELD(qemu_info, uuid, .source = SOURCE, .help = "UUID of the machine"),
    FIELD(qemu_info, enlightenments, .show = GIM_STRING, .source = SOURCE,
          .help = "CPU properties that the guest has made use of, as the state tells; the stream does not say which ones it was offered"),
    FIELD(qemu_info, configured, .show = GIM_STRING, .source = "libvirt's domain XML",
          .help = "CPU properties of the guest interface that libvirt configures, where the stream is in its save image"),
    FIELD(qemu_info, described, .change = GIM_CHANGE_FORM, .show = GIM_BOOL, .max = 1, .source = SOURCE,
          .help = "a description of the sections follows the stream's end"),
    LIST(qemu_info, ram_block, qemu_ram_entry, .help = "blocks of RAM and ROM"),
    LIST(qemu_info, device, qemu_device_entry, .help = "sections, in their order"),
};
RECORD(qemu_info, "qemu", "What a migration stream says of its machine and devices.");
