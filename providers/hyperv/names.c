/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of the Hyper-V interface's bits and values; the source is the TLFS, and of the debug replies VirtualBox. */
#include "hyperv.h"

#define FLAG(bit, name_, help_)                                                                                                            \
	{                                                                                                                                  \
		.low = bit, .width = 1, .name = name_, .help = help_                                                                       \
	}
#define BITS(low_, width_, name_, help_)                                                                                                   \
	{                                                                                                                                  \
		.low = low_, .width = width_, .name = name_, .help = help_                                                                 \
	}
#define PAGE                                                                                                                               \
	{                                                                                                                                  \
		.low = 12, .width = 52, .name = "page", .help = "guest-physical address of the page", .in_place = true                     \
	}
#define END_BITS                                                                                                                           \
	{                                                                                                                                  \
		.name = NULL                                                                                                               \
	}

/* TLFS, feature discovery: CPUID 0x40000003 */
const struct gim_bit hv_bits_base[] = {
    FLAG(0, "access_vp_runtime", "HV_X64_MSR_VP_RUNTIME may be read"),
    FLAG(1, "access_time_ref_count", "HV_X64_MSR_TIME_REF_COUNT may be read"),
    FLAG(2, "access_synic", "SynIC MSRs: SCONTROL to EOM, SINT0 to SINT15"),
    FLAG(3, "access_stimer", "synthetic timer MSRs"),
    FLAG(4, "access_apic_msrs", "EOI, ICR and TPR as MSRs"),
    FLAG(5, "access_hypercall_msrs", "guest OS id and hypercall page MSRs"),
    FLAG(6, "access_vp_index", "HV_X64_MSR_VP_INDEX may be read"),
    FLAG(7, "access_reset", "HV_X64_MSR_RESET may be written"),
    FLAG(8, "access_stats", "statistics pages MSRs"),
    FLAG(9, "access_reference_tsc", "reference TSC page MSR"),
    FLAG(10, "access_guest_idle", "HV_X64_MSR_GUEST_IDLE may be read"),
    FLAG(11, "access_frequency_msrs", "TSC and APIC frequency MSRs"),
    FLAG(12, "access_debug_msrs", "synthetic debugger MSRs"),
    FLAG(13, "access_reenlightenment", "reenlightenment and TSC emulation MSRs"),
    FLAG(14, "access_root_scheduler", "root scheduler MSRs"),
    FLAG(15, "access_tsc_invariant", "HV_X64_MSR_TSC_INVARIANT_CONTROL"),
    END_BITS,
};

const struct gim_bit hv_bits_partition[] = {
    FLAG(0, "create_partitions", "may create partitions"),
    FLAG(1, "access_partition_id", "may ask for its partition id"),
    FLAG(2, "access_memory_pool", "may use the memory pool"),
    FLAG(3, "adjust_message_buffers", "may adjust message buffers"),
    FLAG(4, "post_messages", "may call HvPostMessage"),
    FLAG(5, "signal_events", "may call HvSignalEvent"),
    FLAG(6, "create_port", "may create ports"),
    FLAG(7, "connect_port", "may connect to ports"),
    FLAG(8, "access_stats", "may map statistics pages"),
    FLAG(11, "debugging", "may use the debug hypercalls"),
    FLAG(12, "cpu_management", "may manage virtual processors"),
    FLAG(13, "configure_profiler", "may configure the profiler"),
    FLAG(15, "extended_gva_ranges", "may flush extended address ranges"),
    FLAG(16, "access_vsm", "virtual secure mode"),
    FLAG(17, "access_vp_registers", "may read and write registers of virtual processors"),
    FLAG(19, "fast_hypercall_output", "fast hypercalls may return output in registers"),
    FLAG(20, "extended_hypercalls", "extended hypercalls (0x8001 and up)"),
    FLAG(21, "start_virtual_processor", "may start virtual processors"),
    FLAG(22, "isolation", "the partition is isolated"),
    END_BITS,
};

const struct gim_bit hv_bits_power[] = {
    FLAG(5, "invariant_mperf", "MPERF counts at a constant rate"),
    FLAG(6, "supervisor_shadow_stack", "supervisor shadow stacks"),
    FLAG(7, "architectural_pmu", "architectural performance counters"),
    FLAG(8, "exception_trap_intercept", "exception trap intercepts"),
    END_BITS,
};

const struct gim_bit hv_bits_misc[] = {
    FLAG(1, "guest_debugging", "guest debugging is supported"),
    FLAG(2, "performance_monitor", "performance monitor is supported"),
    FLAG(3, "cpu_dynamic_partitioning", "virtual processors can be added and removed"),
    FLAG(4, "xmm_hypercall_input", "hypercall input in XMM registers"),
    FLAG(5, "guest_idle", "virtual processor idle state"),
    FLAG(6, "hypervisor_sleep", "hypervisor sleep state"),
    FLAG(7, "numa_distance", "NUMA distances can be asked for"),
    FLAG(8, "timer_frequencies", "TSC and APIC timer frequencies are available"),
    FLAG(9, "inject_machine_check", "synthetic machine checks"),
    FLAG(10, "crash_msrs", "guest crash MSRs"),
    FLAG(11, "debug_msrs", "synthetic debugger MSRs"),
    FLAG(12, "npiep", "non-privileged instruction execution prevention"),
    FLAG(13, "disable_hypervisor", "the hypervisor can be disabled"),
    FLAG(14, "extended_gva_ranges", "address range flushes with extended ranges"),
    FLAG(15, "xmm_hypercall_output", "hypercall output in XMM registers"),
    FLAG(17, "sint_polling", "SINTs can be polled"),
    FLAG(18, "hypercall_msr_lock", "the hypercall MSR can be locked"),
    FLAG(19, "direct_stimers", "synthetic timers in direct mode"),
    FLAG(23, "time_unhalted_timer", "time-unhalted timer"),
    END_BITS,
};

/* TLFS, feature discovery: CPUID 0x40000004 */
const struct gim_bit hv_bits_hints[] = {
    FLAG(0, "hypercall_address_switch", "switch address spaces by hypercall"),
    FLAG(1, "hypercall_local_flush", "flush the local TLB by hypercall"),
    FLAG(2, "hypercall_remote_flush", "flush remote TLBs by hypercall"),
    FLAG(3, "apic_msrs", "use the MSRs for EOI, ICR and TPR"),
    FLAG(4, "reset_msr", "use the MSR for a reset"),
    FLAG(5, "relaxed_timing", "disable watchdogs that count on timely delivery"),
    FLAG(6, "dma_remapping", "use DMA remapping"),
    FLAG(7, "interrupt_remapping", "use interrupt remapping"),
    FLAG(8, "x2apic_msrs", "use the x2APIC MSRs"),
    FLAG(9, "deprecate_auto_eoi", "do not use automatic EOI"),
    FLAG(10, "cluster_ipi", "send IPIs by hypercall"),
    FLAG(11, "ex_processor_masks", "use the hypercalls with sparse processor sets"),
    FLAG(12, "nested", "runs below another hypervisor"),
    FLAG(13, "int_mbec", "use INT for MBEC system calls"),
    FLAG(14, "enlightened_vmcs", "use the enlightened VMCS"),
    FLAG(15, "synced_timeline", "timelines of virtual processors are synchronised"),
    FLAG(17, "local_flush_entire", "flush the whole local TLB directly"),
    FLAG(18, "no_nonarch_core_sharing", "virtual processors never share a core unless they are SMT siblings"),
    END_BITS,
};

/* TLFS, feature discovery: CPUID 0x40000006 */
const struct gim_bit hv_bits_host[] = {
    FLAG(0, "apic_overlay", "APIC overlay assist"),
    FLAG(1, "msr_bitmaps", "MSR bitmaps"),
    FLAG(2, "performance_counters", "architectural performance counters"),
    FLAG(3, "nested_paging", "second level address translation"),
    FLAG(4, "dma_remapping", "DMA remapping"),
    FLAG(5, "interrupt_remapping", "interrupt remapping"),
    FLAG(6, "memory_scrubber", "memory patrol scrubber"),
    FLAG(7, "dma_protection", "DMA protection"),
    FLAG(8, "hpet", "HPET"),
    FLAG(9, "volatile_stimers", "synthetic timers are volatile"),
    END_BITS,
};

/* TLFS, feature discovery: CPUID 0x4000000a */
const struct gim_bit hv_bits_nested[] = {
    BITS(0, 8, "evmcs_low", "lowest version of the enlightened VMCS"),
    BITS(8, 8, "evmcs_high", "highest version of the enlightened VMCS"),
    FLAG(17, "direct_flush", "a nested guest's flush hypercalls are handled directly"),
    FLAG(18, "guest_physical_flush", "flushes of guest-physical address spaces"),
    FLAG(19, "msr_bitmap", "the enlightened MSR bitmap"),
    FLAG(20, "combined_ve", "virtualization exceptions combined with page faults"),
    FLAG(21, "debugctl", "IA32_DEBUGCTL of a nested guest"),
    FLAG(22, "enlightened_tlb", "the enlightened TLB of AMD processors"),
    END_BITS,
};

/* TLFS, synthetic debugger: CPUID 0x40000082 */
const struct gim_bit hv_bits_syndbg[] = {FLAG(1, "kernel_debugging", "the guest's kernel may use the synthetic debugger"), END_BITS};

const struct gim_bit hv_bits_hypercall[] = {
    FLAG(0, "enabled", "the hypercall page is in place"),
    FLAG(1, "locked", "the MSR is locked until a reset"),
    PAGE,
    END_BITS,
};

const struct gim_bit hv_bits_page_msr[] = {FLAG(0, "enabled", "the page is in place"), PAGE, END_BITS};

const struct gim_bit hv_bits_scontrol[] = {FLAG(0, "enabled", "the SynIC takes messages and events"), END_BITS};

const struct gim_bit hv_bits_sint[] = {
    BITS(0, 8, "vector", "interrupt vector, 16 to 255"),
    FLAG(16, "masked", "no interrupt is raised"),
    FLAG(17, "auto_eoi", "an EOI is implied on delivery"),
    FLAG(18, "polling", "messages are polled for"),
    END_BITS,
};

const struct gim_bit hv_bits_stimer[] = {
    FLAG(0, "enabled", "the timer runs"),
    FLAG(1, "periodic", "the count is a period; else an absolute time"),
    FLAG(2, "lazy", "expirations may be late"),
    FLAG(3, "auto_enable", "writing the count starts the timer"),
    BITS(4, 8, "apic_vector", "vector of direct mode"),
    FLAG(12, "direct", "raises an interrupt instead of a message"),
    BITS(16, 4, "sint", "SINT that takes the message"),
    END_BITS,
};

const struct gim_bit hv_bits_debug_status[] = {
    FLAG(0, "sent", "the last send succeeded"),
    FLAG(2, "received", "the last receive succeeded"),
    BITS(16, 16, "received_bytes", "length of what was received"),
    END_BITS,
};

const struct gim_bit hv_bits_debug_control[] = {
    FLAG(0, "send", "send what the send buffer holds"),
    FLAG(1, "receive", "receive into the receive buffer"),
    BITS(16, 16, "send_bytes", "length of what is to be sent"),
    END_BITS,
};

const struct gim_bit hv_bits_debug_options[] = {FLAG(2, "hypercalls", "debug by hypercalls instead of MSRs"), END_BITS};

const struct gim_bit hv_bits_crash_control[] = {
    BITS(58, 3, "pre_os_id", "which firmware or loader crashed"),
    FLAG(61, "no_dump", "no crash dump will be written"),
    FLAG(62, "message", "P3 and P4 are address and length of a message"),
    FLAG(63, "notify", "a write reports a crash"),
    END_BITS,
};

const struct gim_bit hv_bits_reenlightenment[] = {
    BITS(0, 8, "vector", "interrupt vector of the notification"),
    FLAG(16, "enabled", "the guest wants to be notified"),
    BITS(32, 32, "target_vp", "virtual processor that is notified"),
    END_BITS,
};

const struct gim_bit hv_bits_emulation_control[] = {FLAG(0, "enabled", "emulate the old TSC frequency after a migration"), END_BITS};

const struct gim_bit hv_bits_emulation_status[] = {FLAG(0, "in_progress", "TSC accesses are being emulated"), END_BITS};

const struct gim_bit hv_bits_unhalted_timer[] = {
    BITS(0, 8, "vector", "interrupt vector; 2 is the NMI"),
    FLAG(8, "enabled", "the timer runs"),
    END_BITS,
};

const struct gim_bit hv_bits_tsc_invariant[] = {FLAG(0, "exposed", "CPUID tells the guest that the TSC is invariant"), END_BITS};

const struct gim_name hv_names_debug_reply[] = {
    {0, "udp", "plain UDP data"},
    {1, "dhcp_offer", "a DHCP offer is due"},
    {2, "dhcp_offer_sent", "the DHCP offer was sent"},
    {3, "dhcp_ack", "a DHCP acknowledgement is due"},
    {4, "dhcp_ack_sent", "the DHCP acknowledgement was sent"},
    {5, "arp_reply", "an ARP reply is due"},
    {6, "arp_reply_sent", "the ARP reply was sent"},
    {0, NULL, NULL},
};

const struct gim_name hv_names_connection[] = {
    {GIM_CONNECTION_MESSAGE, "message", "HvPostMessage"},
    {GIM_CONNECTION_EVENT, "event", "HvSignalEvent"},
    {0, NULL, NULL},
};
