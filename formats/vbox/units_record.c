/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record "vbox": what a VirtualBox saved state says beyond the guest and its interface. */
#include "units.h"

static const struct gim_field vbox_property_fields[] = {
    FIELD(vbox_property, name, .key = true, .show = GIM_STRING, .help = "name"),
    FIELD(vbox_property, value, .change = GIM_CHANGE_FORM, .show = GIM_STRING, .help = "value"),
};
RECORD(vbox_property, "property", "a property of the program that wrote the state");

static const struct gim_field vbox_device_fields[] = {
    FIELD(vbox_device, index, .change = GIM_CHANGE_FORM, .show = GIM_DEC, .help = "position in the list"),
    FIELD(vbox_device, name, .key = true, .show = GIM_STRING, .help = "kind of device"),
    FIELD(vbox_device, instance, .key = true, .show = GIM_DEC, .help = "which one of its kind"),
};
RECORD(vbox_device, "device", "an emulated device");

static const struct gim_field vbox_rom_fields[] = {
    FIELD(vbox_rom, id, .change = GIM_CHANGE_FORM, .show = GIM_DEC, .help = "number that page records use"),
    FIELD(vbox_rom, device, .show = GIM_STRING, .help = "always empty"),
    FIELD(vbox_rom, instance, .show = GIM_DEC, .help = "always 0"),
    FIELD(vbox_rom, region, .show = GIM_DEC, .help = "always 0"),
    FIELD(vbox_rom, description, .key = true, .show = GIM_STRING, .help = "name by which a loader finds it"),
    FIELD(vbox_rom, gpa, .show = GIM_ADDRESS, .help = "where it is mapped"),
    FIELD(vbox_rom, size, .show = GIM_SIZE, .help = "its size"),
};
RECORD(vbox_rom, "rom", "a ROM");

static const struct gim_field vbox_mmio2_fields[] = {
    FIELD(vbox_mmio2, id, .change = GIM_CHANGE_FORM, .show = GIM_DEC, .help = "number that page records use"),
    FIELD(vbox_mmio2, device, .key = true, .show = GIM_STRING, .help = "device it belongs to"),
    FIELD(vbox_mmio2, instance, .key = true, .show = GIM_DEC, .help = "which one of its kind"),
    FIELD(vbox_mmio2, region, .key = true, .show = GIM_DEC, .help = "number of the device's region"),
    FIELD(vbox_mmio2, description, .show = GIM_STRING, .help = "name"),
    FIELD(vbox_mmio2, size, .show = GIM_SIZE, .help = "its size"),
};
RECORD(vbox_mmio2, "mmio2", "memory of a device");

static const struct gim_field vbox_folder_fields[] = {
    FIELD(vbox_folder, name_size, .show = GIM_DEC, .help = "length of the name and its end"),
    FIELD(vbox_folder, name, .key = true, .show = GIM_STRING, .help = "name that the guest sees"),
    FIELD(vbox_folder, path_size, .show = GIM_DEC, .help = "length of the path and its end"),
    FIELD(vbox_folder, path, .show = GIM_STRING, .help = "folder on the host"),
    FIELD(vbox_folder, writable, .show = GIM_BOOL, .max = 1, .help = "the guest may write to it"),
    FIELD(vbox_folder, auto_mount, .show = GIM_BOOL, .max = 1, .help = "the guest mounts it by itself"),
    FIELD(vbox_folder, mount_point_size, .show = GIM_DEC, .help = "length of the mount point and its end"),
    FIELD(vbox_folder, mount_point, .show = GIM_STRING, .help = "where the guest mounts it"),
};
RECORD(vbox_folder, "folder", "a shared folder");

static const struct gim_field vbox_monitor_fields[] = {
    FIELD(vbox_monitor, offset, .help = "where its part of the video memory begins"),
    FIELD(vbox_monitor, max_size, .show = GIM_SIZE, .help = "size of its framebuffer at most"),
    FIELD(vbox_monitor, info_size, .show = GIM_SIZE, .help = "size of its information block"),
    FIELD(vbox_monitor, width, .show = GIM_DEC, .help = "width in pixels"),
    FIELD(vbox_monitor, height, .show = GIM_DEC, .help = "height in pixels"),
    FIELD(vbox_monitor, x, .help = "left edge on the desktop, signed"),
    FIELD(vbox_monitor, y, .help = "upper edge on the desktop, signed"),
    FIELD(vbox_monitor, flags, .help = "flags"),
};
RECORD(vbox_monitor, "monitor", "a monitor");

static const struct gim_name names_image[] = {
    {0, "bitmap", "thumbnail, 4 bytes a pixel"},
    {1, "png", "PNG file"},
    {0, NULL, NULL},
};

static const struct gim_field vbox_screenshot_fields[] = {
    FIELD(vbox_screenshot, size, .show = GIM_SIZE, .help = "size of the picture with width and height"),
    FIELD(vbox_screenshot, type, .show = GIM_ENUM, .names = names_image, .help = "how it is encoded"),
    FIELD(vbox_screenshot, width, .show = GIM_DEC, .help = "width in pixels"),
    FIELD(vbox_screenshot, height, .show = GIM_DEC, .help = "height in pixels"),
    FIELD(vbox_screenshot, image, .show = GIM_PNG, .help = "the picture"),
};
RECORD(vbox_screenshot, "screenshot", "a picture of the screen");

static const struct gim_field vbox_words_fields[] = {
    FIELD(vbox_words, eax, .help = "eax"),
    FIELD(vbox_words, ebx, .help = "ebx"),
    FIELD(vbox_words, ecx, .help = "ecx"),
    FIELD(vbox_words, edx, .help = "edx"),
};
RECORD(vbox_words, "words", "what CPUID returned on the host");

static const struct gim_field vbox_cpum_fields[] = {
    FIELD(vbox_cpum, svm, .show = GIM_BOOL, .max = 1, .help = "the guest's processor has SVM: each vCPU has a block of nested state"),
    FIELD(vbox_cpum, vmx, .show = GIM_BOOL, .max = 1, .help = "the guest's processor has VMX: each vCPU has a block of nested state"),
    FIELD(vbox_cpum, msr_bytes, .show = GIM_SIZE, .help = "size of each vCPU's block of MSRs"),
    LIST(vbox_cpum, host_standard, vbox_words, .help = "the host's CPUID leaves from 0"),
    LIST(vbox_cpum, host_extended, vbox_words, .help = "the host's CPUID leaves from 0x80000000"),
};
RECORD(vbox_cpum, "cpum", "of the processor manager");

static const struct gim_field vbox_tm_fields[] = {
    FIELD(vbox_tm, virtual_hz, .show = GIM_HZ, .reset = 1000000000, .help = "ticks of virtual time; always nanoseconds"),
    FIELD(vbox_tm, sync_offset_ns, .show = GIM_NS, .help = "how far virtual-sync time lags behind virtual time"),
    FIELD(vbox_tm, sync_given_up_ns, .change = GIM_CHANGE_CLOCK, .show = GIM_NS, .help = "part of the lag that will not be caught up"),
    FIELD(vbox_tm, catchup_previous_ns, .change = GIM_CHANGE_CLOCK, .show = GIM_NS, .help = "virtual time when the lag was last looked at"),
    FIELD(vbox_tm, catchup, .show = GIM_BOOL, .max = 1, .help = "virtual-sync time is catching up"),
    FIELD(vbox_tm, real_hz, .show = GIM_HZ, .reset = 1000, .help = "ticks of real time; always milliseconds"),
};
RECORD(vbox_tm, "tm", "of the time manager");

static const struct gim_field vbox_mapping_fields[] = {
    FIELD(vbox_mapping, number, .show = GIM_DEC, .key = true, .change = GIM_CHANGE_FORM, .help = "which one it is"),
    FIELD(vbox_mapping, name, .show = GIM_STRING, .change = GIM_CHANGE_FORM, .help = "what it was for"),
    FIELD(vbox_mapping, address, .change = GIM_CHANGE_FORM, .help = "its address in the guest"),
    FIELD(vbox_mapping, old_address, .change = GIM_CHANGE_FORM, .help = "the second address of the entry"),
};
RECORD(vbox_mapping, "mapping", "a mapping of the hypervisor's own in the guest");

static const struct gim_field vbox_pgm_fields[] = {
    FIELD(vbox_pgm, mapping_fixed, .change = GIM_CHANGE_FORM, .show = GIM_BOOL, .max = 1,
          .help = "raw mode's mappings were fixed; 0 since 7.0"),
    FIELD(vbox_pgm, mapping_address, .change = GIM_CHANGE_FORM, .help = "guest address of those mappings"),
    FIELD(vbox_pgm, mapping_bytes, .change = GIM_CHANGE_FORM, .show = GIM_SIZE, .help = "size of those mappings"),
    FIELD(vbox_pgm, ballooned_pages, .show = GIM_DEC, .help = "pages that the guest gave back"),
    FIELD(vbox_pgm, hole_bytes, .show = GIM_SIZE, .reset = 0x20000000, .help = "size of the hole in RAM below 4 GiB"),
    FIELD(vbox_pgm, ram_bytes, .show = GIM_SIZE, .help = "size of the RAM"),
    LIST(vbox_pgm, rom, vbox_rom, .help = "ROMs"),
    LIST(vbox_pgm, mmio2, vbox_mmio2, .help = "memory of devices"),
    LIST(vbox_pgm, mapping, vbox_mapping, .help = "raw mode's mappings, until 4.0"),
};
RECORD(vbox_pgm, "pgm", "of the page manager");

static const struct gim_field vbox_pdm_fields[] = {
    FIELD(vbox_pdm, dma_pending, .show = GIM_BOOL, .max = 1, .help = "a DMA transfer is pending"),
    LIST(vbox_pdm, device, vbox_device, .help = "the emulated devices; GIMDev is among them when there is a provider"),
};
RECORD(vbox_pdm, "pdm", "of the device manager");

static const struct gim_name names_apic_mode[] = {
    {1, "none", "no APIC"},
    {2, "apic", "xAPIC at most"},
    {3, "x2apic", "x2APIC at most"},
    {0, NULL, NULL},
};

static const struct gim_field vbox_apic_fields[] = {
    FIELD(vbox_apic, vcpus, .show = GIM_DEC, .help = "number of vCPUs"),
    FIELD(vbox_apic, io_apic, .show = GIM_BOOL, .max = 1, .help = "there is an I/O APIC"),
    FIELD(vbox_apic, max_mode, .show = GIM_ENUM, .names = names_apic_mode, .help = "highest mode the guest may use"),
};
RECORD(vbox_apic, "apic", "of the interrupt controller");

static const struct gim_field vbox_display_fields[] = {
    LIST(vbox_display, monitor, vbox_monitor, .help = "monitors"),
    FIELD(vbox_display, input_x, .help = "left edge of the area that the pointer maps to, signed"),
    FIELD(vbox_display, input_y, .help = "its upper edge, signed"),
    FIELD(vbox_display, input_width, .show = GIM_DEC, .help = "its width"),
    FIELD(vbox_display, input_height, .show = GIM_DEC, .help = "its height"),
    FIELD(vbox_display, guest_caps, .help = "capabilities that the guest told"),
    FIELD(vbox_display, cursor_caps, .help = "the host's capabilities for the pointer"),
    LIST(vbox_display, screenshot, vbox_screenshot, .help = "pictures of the screen"),
};
RECORD(vbox_display, "display", "of the display");

static const struct gim_field vbox_hm_fields[] = {
    FIELD(vbox_hm, patch_memory, .change = GIM_CHANGE_FORM, .help = "guest address of the memory for patches"),
    FIELD(vbox_hm, patch_free, .change = GIM_CHANGE_FORM, .help = "first free byte of it"),
    FIELD(vbox_hm, patch_bytes, .change = GIM_CHANGE_FORM, .show = GIM_SIZE, .help = "size of it"),
    FIELD(vbox_hm, patches, .change = GIM_CHANGE_FORM, .show = GIM_DEC, .help = "number of patches"),
};
RECORD(vbox_hm, "hm", "of the hardware-assisted execution manager");

static const struct gim_field vbox_fields[] = {
    LIST(vbox, property, vbox_property, .help = "properties of the program that wrote the state"),
    FIELD(vbox, ram_pages, .show = GIM_DEC, .help = "pages of base memory, as the memory manager counts them"),
    FIELD(vbox, fixers, .help = "workarounds for old guests that are on, one bit each"),
    FIELD(vbox, trap_tables, .change = GIM_CHANGE_FORM, .help = "raw mode's tables of traps, by releases that had it"),
    SUB(vbox, hm, vbox_hm, .help = "of the hardware-assisted execution manager"),
    SUB(vbox, cpum, vbox_cpum, .help = "of the processor manager"),
    SUB(vbox, tm, vbox_tm, .help = "of the time manager"),
    SUB(vbox, pgm, vbox_pgm, .help = "of the page manager"),
    SUB(vbox, apic, vbox_apic, .help = "of the interrupt controller"),
    SUB(vbox, pdm, vbox_pdm, .help = "of the device manager"),
    LIST(vbox, folder, vbox_folder, .help = "shared folders"),
    SUB(vbox, display, vbox_display, .help = "of the display"),
};
RECORD(vbox, "vbox", "what VirtualBox says beyond the guest and its interface");

const struct gim_record *const vbox_records[] = {&vbox_record, NULL};
