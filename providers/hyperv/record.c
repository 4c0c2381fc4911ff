/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The records of the Hyper-V interface, and the provider itself. */
#include "hyperv/guest_pages.h"
#include "runtime.h"

static const struct gim_field hv_features_fields[] = {
    FIELD(hv_features, base, .show = GIM_FLAGS, .bits = hv_bits_base, .source = "TLFS, feature discovery",
          .help = "CPUID 0x40000003 eax: MSRs the guest may use"),
    FIELD(hv_features, partition, .show = GIM_FLAGS, .bits = hv_bits_partition, .source = "TLFS, feature discovery",
          .help = "CPUID 0x40000003 ebx: partition privileges"),
    FIELD(hv_features, power, .show = GIM_FLAGS, .bits = hv_bits_power, .source = "TLFS, feature discovery",
          .help = "CPUID 0x40000003 ecx: power management"),
    FIELD(hv_features, misc, .show = GIM_FLAGS, .bits = hv_bits_misc, .source = "TLFS, feature discovery",
          .help = "CPUID 0x40000003 edx: further features"),
    FIELD(hv_features, hints, .show = GIM_FLAGS, .bits = hv_bits_hints, .source = "TLFS, feature discovery",
          .help = "CPUID 0x40000004 eax: recommendations to the guest"),
    FIELD(hv_features, spin_retries, .show = GIM_DEC, .source = "TLFS, feature discovery",
          .help = "CPUID 0x40000004 ebx: how often to try a spin lock before telling the hypervisor; all ones: never"),
    FIELD(hv_features, host, .show = GIM_FLAGS, .bits = hv_bits_host, .source = "TLFS, feature discovery",
          .help = "CPUID 0x40000006 eax: hardware features that the hypervisor uses"),
    FIELD(hv_features, nested, .bits = hv_bits_nested, .source = "TLFS, feature discovery",
          .help = "CPUID 0x4000000a eax: what a nested hypervisor may use"),
    FIELD(hv_features, syndbg, .show = GIM_FLAGS, .bits = hv_bits_syndbg, .source = "TLFS, synthetic debugger",
          .help = "CPUID 0x40000082 eax: the synthetic debugger"),
};
RECORD(hv_features, "features", "CPUID words as the guest was shown them");

static const struct gim_field hv_page_fields[] = {
    FIELD(hv_page, index, .change = GIM_CHANGE_FORM, .show = GIM_DEC,
          .help = "number of VirtualBox's MMIO2 region: 0 hypercall page, 1 TSC page"),
    FIELD(hv_page, raw_mode, .change = GIM_CHANGE_FORM, .show = GIM_BOOL, .max = 1, .help = "mapped for raw-mode execution too; always 0"),
    FIELD(hv_page, size, .show = GIM_SIZE, .reset = 0x1000, .help = "size of the region; loaders take 4096 only"),
    FIELD(hv_page, gpa, .show = GIM_ADDRESS, .reset = UINT64_MAX, .help = "guest-physical address of the page",
          .note = "survives disabling: an address with the MSR's enable bit clear is normal; a reset makes it none"),
    FIELD(hv_page, description, .change = GIM_CHANGE_FORM, .show = GIM_STRING, .help = "VirtualBox's name of the region"),
};
RECORD(hv_page, "page", "a page that the hypervisor lays over guest memory");

static const struct gim_field hv_debug_fields[] = {
    FIELD(hv_debug, pending_buffer, .show = GIM_ADDRESS, .help = "MSR 0x400000F5: where the hypervisor says that data waits",
          .source = "TLFS, synthetic debugger"),
    FIELD(hv_debug, send_buffer, .show = GIM_ADDRESS, .help = "MSR 0x400000F3: page of data to send", .source = "TLFS, synthetic debugger"),
    FIELD(hv_debug, receive_buffer, .show = GIM_ADDRESS, .help = "MSR 0x400000F4: page for data received",
          .source = "TLFS, synthetic debugger"),
    FIELD(hv_debug, status, .bits = hv_bits_debug_status, .help = "MSR 0x400000F2: result of the last transfer",
          .source = "TLFS, synthetic debugger"),
    FIELD(hv_debug, control, .bits = hv_bits_debug_control, .help = "MSR 0x400000F1: the last transfer asked for",
          .source = "TLFS, synthetic debugger"),
    FIELD(hv_debug, options, .bits = hv_bits_debug_options, .help = "MSR 0x400000FF: how the guest shall debug",
          .source = "TLFS, synthetic debugger"),
    FIELD(hv_debug, reply, .show = GIM_ENUM, .names = hv_names_debug_reply, .max = 6, .help = "what the transport answers next"),
    FIELD(hv_debug, bootp_xid, .help = "transaction id of the guest's DHCP request, as it was on the wire"),
    FIELD(hv_debug, guest_ip4, .show = GIM_IP4, .help = "the debugged guest's IPv4 address"),
    FIELD(hv_debug, udp_guest_dst_port, .show = GIM_PORT, .help = "UDP port that the guest sends to"),
    FIELD(hv_debug, udp_guest_src_port, .show = GIM_PORT, .help = "UDP port that the guest sends from"),
    FIELD(hv_debug, guest_mac, .help = "the debugged guest's Ethernet address"),
};
RECORD(hv_debug, "debug", "the debug transport");

static const struct gim_field hv_stimer_fields[] = {
    FIELD(hv_stimer, config, .bits = hv_bits_stimer, .source = "TLFS, timers", .help = "MSR 0x400000B0 + 2n: timer configuration"),
    FIELD(hv_stimer, count, .source = "TLFS, timers", .help = "MSR 0x400000B1 + 2n: expiry or period, in units of 100 ns"),
    FIELD(hv_stimer, adjustment, .show = GIM_DEC, .source = "TLFS, timers",
          .help = "how long after its time the next expiration is signalled, to catch up, in units of 100 ns"),
    FIELD(hv_stimer, expiration, .show = GIM_DEC, .source = "TLFS, timers",
          .help = "reference time of the next expiration, or of the one that waits; 0: the timer stands"),
    FIELD(hv_stimer, undelivered, .show = GIM_BOOL, .max = 1, .source = "TLFS, timers",
          .help = "an expiration's message waits for its slot"),
};
RECORD(hv_stimer, "stimer", "a synthetic timer");

static const struct gim_field hv_unhalted_timer_fields[] = {
    FIELD(hv_unhalted_timer, config, .bits = hv_bits_unhalted_timer, .source = "TLFS, timers",
          .help = "MSR 0x40000114: configuration of the time-unhalted timer"),
    FIELD(hv_unhalted_timer, count, .source = "TLFS, timers", .help = "MSR 0x40000115: its period, in units of 100 ns"),
};
RECORD(hv_unhalted_timer, "unhalted_timer", "the timer that counts only while the virtual processor runs");

static const struct gim_field hv_vp_fields[] = {
    FIELD(hv_vp, scontrol, .bits = hv_bits_scontrol, .source = "TLFS, SynIC", .help = "MSR 0x40000080: SynIC control",
          .note = "KVM sets bit 0 when the SynIC is activated"),
    FIELD(hv_vp, siefp, .bits = hv_bits_page_msr, .source = "TLFS, SynIC", .help = "MSR 0x40000082: event flags page"),
    FIELD(hv_vp, simp, .bits = hv_bits_page_msr, .source = "TLFS, SynIC", .help = "MSR 0x40000083: message page"),
    FIELD(hv_vp, sint, .bits = hv_bits_sint, .reset = 0x10000, .source = "TLFS, SynIC",
          .help = "MSR 0x40000090 + n: synthetic interrupt source"),
    FIELD(hv_vp, vp_assist, .bits = hv_bits_page_msr, .source = "TLFS, virtual processors",
          .help = "MSR 0x40000073: virtual processor assist page"),
    SUBS(hv_vp, stimer, hv_stimer, .help = "synthetic timers 0 to 3"),
    FIELD(hv_vp, runtime, .change = GIM_CHANGE_CLOCK, .show = GIM_DEC, .source = "TLFS, virtual processors",
          .help = "MSR 0x40000010: time the virtual processor ran, in units of 100 ns"),
    SUB(hv_vp, unhalted_timer, hv_unhalted_timer, .help = "the timer that counts only while the virtual processor runs"),
};
RECORD(hv_vp, "vp", "a virtual processor's part");

static const struct gim_field hv_message_fields[] = {
    FIELD(hv_message, vp, .show = GIM_DEC, .source = "TLFS, SynIC", .help = "virtual processor that it is for"),
    FIELD(hv_message, sint, .show = GIM_DEC, .max = HV_SINTS - 1, .source = "TLFS, SynIC", .help = "SINT that it is for"),
    FIELD(hv_message, type, .source = "TLFS, SynIC", .help = "the sender's type; bit 31 is the hypervisor's"),
    FIELD(hv_message, origin, .source = "TLFS, SynIC", .help = "port that it came through; 0: none"),
    FIELD(hv_message, payload, .source = "TLFS, SynIC", .help = "at most 240 bytes"),
};
RECORD(hv_message, "message", "a message that waits for its slot");

static const struct gim_field hv_connection_fields[] = {
    FIELD(hv_connection, kind, .show = GIM_ENUM, .names = hv_names_connection, .max = 1, .source = "TLFS, SynIC",
          .help = "what can be sent through it"),
    FIELD(hv_connection, id, .source = "TLFS, SynIC", .help = "connection id that the guest names"),
    FIELD(hv_connection, vp, .show = GIM_DEC, .source = "TLFS, SynIC", .help = "virtual processor that it reaches"),
    FIELD(hv_connection, sint, .show = GIM_DEC, .max = HV_SINTS - 1, .source = "TLFS, SynIC", .help = "SINT that it reaches"),
    FIELD(hv_connection, flag, .show = GIM_DEC, .max = 2047, .source = "TLFS, SynIC", .help = "event flag that it sets"),
};
RECORD(hv_connection, "connection", "what a guest's HvPostMessage or HvSignalEvent reaches");

static const struct gim_field hv_crash_fields[] = {
    FIELD(hv_crash, p0, .source = "TLFS, guest crash MSRs", .help = "MSR 0x40000100: parameter 0, by Windows the bug check code"),
    FIELD(hv_crash, p1, .source = "TLFS, guest crash MSRs", .help = "MSR 0x40000101: parameter 1"),
    FIELD(hv_crash, p2, .source = "TLFS, guest crash MSRs", .help = "MSR 0x40000102: parameter 2"),
    FIELD(hv_crash, p3, .source = "TLFS, guest crash MSRs", .help = "MSR 0x40000103: parameter 3, or a message's address"),
    FIELD(hv_crash, p4, .source = "TLFS, guest crash MSRs", .help = "MSR 0x40000104: parameter 4, or a message's length"),
    FIELD(hv_crash, control, .bits = hv_bits_crash_control, .source = "TLFS, guest crash MSRs", .help = "MSR 0x40000105: crash control"),
};
RECORD(hv_crash, "crash", "what a crashing guest reported");

static const struct gim_field hv_reenlightenment_fields[] = {
    FIELD(hv_reenlightenment, control, .bits = hv_bits_reenlightenment, .source = "TLFS, reenlightenment",
          .help = "MSR 0x40000106: notification after a migration"),
    FIELD(hv_reenlightenment, emulation_control, .bits = hv_bits_emulation_control, .source = "TLFS, reenlightenment",
          .help = "MSR 0x40000107: TSC emulation control"),
    FIELD(hv_reenlightenment, emulation_status, .bits = hv_bits_emulation_status, .source = "TLFS, reenlightenment",
          .help = "MSR 0x40000108: TSC emulation status"),
};
RECORD(hv_reenlightenment, "reenlightenment", "notification of migrations to nested hypervisors");

static const struct gim_field hv_state_fields[] = {
    FIELD(hv_state, guest_os_id, .explain = hv_explain_guest_os, .source = "TLFS, guest OS identity",
          .help = "MSR 0x40000000: which system the guest says it is"),
    FIELD(hv_state, hypercall, .bits = hv_bits_hypercall, .source = "TLFS, hypercall interface", .help = "MSR 0x40000001: hypercall page"),
    FIELD(hv_state, reference_tsc, .bits = hv_bits_page_msr, .source = "TLFS, timers", .help = "MSR 0x40000021: reference TSC page"),
    SUB(hv_state, features, hv_features, .help = "CPUID words as the guest was shown them"),
    SUB(hv_state, hypercall_page, hv_page, .help = "where VirtualBox put the hypercall page"),
    SUB(hv_state, tsc_page, hv_page, .help = "where VirtualBox put the reference TSC page"),
    FIELD(hv_state, tsc_sequence, .show = GIM_DEC, .source = "TLFS, timers", .help = "sequence of the reference TSC page",
          .note = "always 0 since VirtualBox 5.0: the saver looks at memory that is never filled"),
    FIELD(hv_state, tsc_scale, .source = "TLFS, timers", .help = "scale of the reference time: units of 100 ns a TSC tick, times 2^64"),
    FIELD(hv_state, tsc_offset, .source = "TLFS, timers",
          .help = "offset of the reference time, signed, in units of 100 ns: it is (TSC * scale >> 64) + offset"),
    SUB(hv_state, debug, hv_debug, .help = "the debug transport"),
    LIST(hv_state, vp, hv_vp, .help = "per virtual processor"),
    LIST(hv_state, message, hv_message, .help = "messages that wait for their slots, those of a SINT in their order"),
    LIST(hv_state, connection, hv_connection, .help = "what the guest's HvPostMessage and HvSignalEvent reach"),
    SUB(hv_state, crash, hv_crash, .help = "what a crashing guest reported"),
    SUB(hv_state, reenlightenment, hv_reenlightenment, .help = "notification of migrations to nested hypervisors"),
    FIELD(hv_state, time_ref_count, .clock = true, .change = GIM_CHANGE_CLOCK, .show = GIM_DEC, .source = "TLFS, timers",
          .help = "MSR 0x40000020: reference time, in units of 100 ns"),
    FIELD(hv_state, tsc_invariant_control, .bits = hv_bits_tsc_invariant, .source = "TLFS, timers",
          .help = "MSR 0x40000118: the guest relies on the TSC's constant rate"),
    FIELD(hv_state, boot_zeroed, .show = GIM_BOOL, .max = 1, .source = "TLFS, extended hypercalls",
          .help = "the guest's memory was zero when it booted"),
};
RECORD(hv_state, "hyperv", "the Hyper-V interface");

static const struct gim_layout *const layouts[] = {&hv_layout_vbox, &hv_layout_qemu, NULL};

extern const struct gim_provider gim_provider_hyperv;
const struct gim_provider gim_provider_hyperv = {
    .name = "hyperv",
    .title = "Microsoft Hyper-V",
    .vbox_id = 2,
    .record = &hv_state_record,
    .layouts = layouts,
    .cpuid = hv_cpuid,
    .runtime = &hv_runtime,
    .rules = hv_rules,
    .rule_count = HV_RULES,
    .fresh = hv_pages_fresh,
    .carried = hv_pages_carried,
    .checks = hv_checks,
    .pages = &hv_page_provider,
};
