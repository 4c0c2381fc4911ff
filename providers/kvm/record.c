/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The records of the KVM interface with the names of its bits, and the provider itself. */
#include "kvm/guest_pages.h"
#include "runtime.h"

#define FLAG(bit, name_, help_)                                                                                                            \
	{                                                                                                                                  \
		.low = bit, .width = 1, .name = name_, .help = help_                                                                       \
	}
#define ADDRESS(low_, help_)                                                                                                               \
	{                                                                                                                                  \
		.low = low_, .width = 64 - low_, .name = "page", .help = help_, .in_place = true                                           \
	}
#define END_BITS                                                                                                                           \
	{                                                                                                                                  \
		.name = NULL                                                                                                               \
	}

static const struct gim_bit bits_system_time[] = {FLAG(0, "enabled", "the hypervisor keeps the structure up to date"),
                                                  ADDRESS(1, "guest-physical address of the time structure"), END_BITS};

const struct gim_bit kvm_bits_flags[] = {
    FLAG(0, "tsc_stable", "the clocks of all vCPUs agree"),
    FLAG(1, "guest_paused", "the guest was stopped by the host; it clears this"),
    END_BITS,
};

static const struct gim_bit bits_async_pf[] = {
    FLAG(0, "enabled", "asynchronous page faults may be sent"),
    FLAG(1, "send_always", "also while the guest runs at privilege level 0"),
    FLAG(2, "pf_vmexit", "delivered as page-fault exits to a nested hypervisor"),
    FLAG(3, "by_interrupt", "page-ready is told by an interrupt"),
    ADDRESS(6, "guest-physical address of the 64-byte area"),
    END_BITS,
};

static const struct gim_bit bits_async_pf_int[] = {{.low = 0, .width = 8, .name = "vector", .help = "interrupt vector of page-ready"},
                                                   END_BITS};

static const struct gim_bit bits_steal_time[] = {FLAG(0, "enabled", "the hypervisor keeps the structure up to date"),
                                                 ADDRESS(6, "guest-physical address of the 64-byte structure"), END_BITS};

static const struct gim_bit bits_pv_eoi[] = {FLAG(0, "enabled", "an EOI may be a cleared bit in memory"),
                                             ADDRESS(2, "guest-physical address of the word"), END_BITS};

static const struct gim_bit bits_poll_control[] = {FLAG(0, "host_polling", "the host may poll before it lets a vCPU sleep"), END_BITS};

static const struct gim_bit bits_migration_control[] = {FLAG(0, "ready", "the guest may be migrated"), END_BITS};

static const struct gim_bit bits_features[] = {
    FLAG(0, "clocksource", "kvmclock by MSRs 0x11 and 0x12"),
    FLAG(1, "nop_io_delay", "no delays are needed on port I/O"),
    FLAG(2, "mmu_op", "MMU hypercalls (deprecated)"),
    FLAG(3, "clocksource2", "kvmclock by MSRs 0x4b564d00 and 0x4b564d01"),
    FLAG(4, "async_pf", "asynchronous page faults"),
    FLAG(5, "steal_time", "steal time"),
    FLAG(6, "pv_eoi", "paravirtual EOI"),
    FLAG(7, "pv_unhalt", "paravirtual spin locks: kick a vCPU"),
    FLAG(9, "pv_tlb_flush", "paravirtual TLB flush"),
    FLAG(10, "async_pf_vmexit", "asynchronous page faults as page-fault exits"),
    FLAG(11, "pv_send_ipi", "IPIs by hypercall"),
    FLAG(12, "poll_control", "the guest may control host-side polling"),
    FLAG(13, "pv_sched_yield", "yield by hypercall"),
    FLAG(14, "async_pf_int", "asynchronous page faults by interrupt"),
    FLAG(15, "msi_ext_dest_id", "extended destination ids in MSI addresses"),
    FLAG(16, "hc_map_gpa_range", "hypercall to map ranges of guest memory"),
    FLAG(17, "migration_control", "the guest may forbid its migration"),
    FLAG(24, "clocksource_stable", "kvmclock never goes backwards between vCPUs"),
    END_BITS,
};

static const struct gim_field kvm_vcpu_fields[] = {
    FIELD(kvm_vcpu, system_time, .bits = bits_system_time, .source = "KVM msr.rst",
          .help = "MSR 0x4b564d01 or 0x12: the vCPU's time structure"),
    FIELD(kvm_vcpu, tsc, .clock = true, .help = "TSC in the time structure: of the moment whose time virtual_ns is",
          .note = "in VirtualBox when the clock was last enabled"),
    FIELD(kvm_vcpu, virtual_ns, .clock = true, .show = GIM_NS, .help = "system time in the time structure, when the TSC was that"),
    FIELD(kvm_vcpu, gpa, .show = GIM_ADDRESS, .help = "guest-physical address of the time structure"),
    FIELD(kvm_vcpu, version, .clock = true, .show = GIM_DEC, .help = "version in the time structure; even when it is consistent"),
    FIELD(kvm_vcpu, flags, .show = GIM_FLAGS, .bits = kvm_bits_flags, .source = "KVM msr.rst", .help = "flags in the time structure",
          .note = "read back from guest memory by VirtualBox 5.0 and 5.1, the host's copy since 5.2"),
    FIELD(kvm_vcpu, async_pf, .bits = bits_async_pf, .source = "KVM msr.rst", .help = "MSR 0x4b564d02: asynchronous page faults"),
    FIELD(kvm_vcpu, async_pf_int, .bits = bits_async_pf_int, .source = "KVM msr.rst",
          .help = "MSR 0x4b564d06: interrupt of asynchronous page faults"),
    FIELD(kvm_vcpu, steal_time, .bits = bits_steal_time, .source = "KVM msr.rst", .help = "MSR 0x4b564d03: steal time"),
    FIELD(kvm_vcpu, steal_ns, .show = GIM_NS, .help = "time that the vCPU has waited and its steal time does not tell yet"),
    FIELD(kvm_vcpu, pv_eoi, .bits = bits_pv_eoi, .source = "KVM msr.rst", .help = "MSR 0x4b564d04: paravirtual EOI"),
    FIELD(kvm_vcpu, poll_control, .bits = bits_poll_control, .reset = 1, .source = "KVM msr.rst",
          .help = "MSR 0x4b564d05: host-side polling"),
    FIELD(kvm_vcpu, async_pf_pending, .show = GIM_BOOL, .max = 1, .source = "KVM msr.rst",
          .help = "a page-ready interrupt waits for MSR 0x4b564d07, the acknowledgement"),
    FIELD(kvm_vcpu, pv_eoi_pending, .show = GIM_BOOL, .max = 1, .source = "KVM msr.rst",
          .help = "the word in memory says that the EOI of the interrupt in service may be its cleared bit"),
};
RECORD(kvm_vcpu, "vcpu", "a vCPU's part");

static const struct gim_field kvm_features_fields[] = {
    FIELD(kvm_features, base, .show = GIM_FLAGS, .bits = bits_features, .source = "KVM cpuid.rst",
          .help = "CPUID 0x40000001 eax: what the guest may use"),
};
RECORD(kvm_features, "features", "CPUID words as the guest was shown them");

static const struct gim_field kvm_state_fields[] = {
    LIST(kvm_state, vcpu, kvm_vcpu, .help = "per vCPU"),
    FIELD(kvm_state, wall_clock, .show = GIM_ADDRESS, .source = "KVM msr.rst",
          .help = "MSR 0x4b564d00 or 0x11: guest-physical address of the wall clock"),
    SUB(kvm_state, features, kvm_features, .help = "CPUID words as the guest was shown them"),
    FIELD(kvm_state, clock_ns, .clock = true, .change = GIM_CHANGE_CLOCK, .show = GIM_NS, .source = "KVM api.rst, KVM_GET_CLOCK",
          .help = "kvmclock of the VM"),
    FIELD(kvm_state, migration_control, .bits = bits_migration_control, .reset = 1, .source = "KVM msr.rst",
          .help = "MSR 0x4b564d08: what the guest says of its migration"),
    FIELD(kvm_state, clock_reliable, .clock = true, .show = GIM_BOOL, .max = 1,
          .help = "the clock was read from the host, not from guest memory"),
};
RECORD(kvm_state, "kvm", "the KVM interface");

/* The time structure is where its MSR says. */
static void carried(struct gim_object *object)
{
	const struct kvm_state *state = (const struct kvm_state *)(const void *)object->data;
	struct kvm_vcpu *vcpus = (struct kvm_vcpu *)state->vcpu.items;
	for (uint32_t i = 0; i < state->vcpu.count; i++)
		vcpus[i].gpa = kvm_structure_gpa(vcpus[i].system_time);
}

static const struct gim_layout *const layouts[] = {&kvm_layout_vbox, &kvm_layout_qemu, NULL};

extern const struct gim_provider gim_provider_kvm;
const struct gim_provider gim_provider_kvm = {
    .name = "kvm",
    .title = "KVM",
    .vbox_id = 3,
    .record = &kvm_state_record,
    .layouts = layouts,
    .cpuid = kvm_cpuid,
    .runtime = &kvm_runtime,
    .checks = kvm_checks,
    .carried = carried,
    .pages = &kvm_page_provider,
};
