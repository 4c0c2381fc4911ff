/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record "guest" and its parts; where no source is named, the x86 manuals (Intel SDM, AMD APM) are it. */
#include "guest.h"

#include <inttypes.h>
#include <stdio.h>

#define FLAG(bit, name_, help_)                                                                                                            \
	{                                                                                                                                  \
		.low = bit, .width = 1, .name = name_, .help = help_                                                                       \
	}
#define BITS(low_, width_, name_, help_)                                                                                                   \
	{                                                                                                                                  \
		.low = low_, .width = width_, .name = name_, .help = help_                                                                 \
	}
#define END_BITS                                                                                                                           \
	{                                                                                                                                  \
		.name = NULL                                                                                                               \
	}

static const struct gim_bit bits_rflags[] = {
    FLAG(0, "cf", "carry"),
    FLAG(1, "always_one", "reads as 1"),
    FLAG(2, "pf", "parity"),
    FLAG(4, "af", "auxiliary carry"),
    FLAG(6, "zf", "zero"),
    FLAG(7, "sf", "sign"),
    FLAG(8, "tf", "trap"),
    FLAG(9, "if", "interrupts are enabled"),
    FLAG(10, "df", "direction"),
    FLAG(11, "of", "overflow"),
    BITS(12, 2, "iopl", "I/O privilege level"),
    FLAG(14, "nt", "nested task"),
    FLAG(16, "rf", "resume"),
    FLAG(17, "vm", "virtual 8086 mode"),
    FLAG(18, "ac", "alignment check"),
    FLAG(19, "vif", "virtual interrupt flag"),
    FLAG(20, "vip", "virtual interrupt pending"),
    FLAG(21, "id", "CPUID is available"),
    END_BITS,
};

static const struct gim_bit bits_cr0[] = {
    FLAG(0, "pe", "protected mode"),
    FLAG(1, "mp", "monitor coprocessor"),
    FLAG(2, "em", "emulate the FPU"),
    FLAG(3, "ts", "task switched"),
    FLAG(4, "et", "extension type"),
    FLAG(5, "ne", "numeric error"),
    FLAG(16, "wp", "write protect"),
    FLAG(18, "am", "alignment mask"),
    FLAG(29, "nw", "not write-through"),
    FLAG(30, "cd", "cache disable"),
    FLAG(31, "pg", "paging"),
    END_BITS,
};

static const struct gim_bit bits_cr4[] = {
    FLAG(0, "vme", "virtual 8086 mode extensions"),
    FLAG(1, "pvi", "protected-mode virtual interrupts"),
    FLAG(2, "tsd", "time stamp disable"),
    FLAG(3, "de", "debugging extensions"),
    FLAG(4, "pse", "page size extensions"),
    FLAG(5, "pae", "physical address extension"),
    FLAG(6, "mce", "machine check"),
    FLAG(7, "pge", "global pages"),
    FLAG(8, "pce", "performance counters for all"),
    FLAG(9, "osfxsr", "the system saves SSE state"),
    FLAG(10, "osxmmexcpt", "the system takes SIMD exceptions"),
    FLAG(11, "umip", "user-mode instruction prevention"),
    FLAG(12, "la57", "57-bit linear addresses"),
    FLAG(13, "vmxe", "VMX"),
    FLAG(14, "smxe", "SMX"),
    FLAG(16, "fsgsbase", "RDFSBASE and its like"),
    FLAG(17, "pcide", "process-context ids"),
    FLAG(18, "osxsave", "XSAVE"),
    FLAG(20, "smep", "no execution of user pages"),
    FLAG(21, "smap", "no access to user pages"),
    FLAG(22, "pke", "protection keys"),
    FLAG(23, "cet", "control-flow enforcement"),
    FLAG(24, "pks", "supervisor protection keys"),
    END_BITS,
};

static const struct gim_bit bits_xcr0[] = {
    FLAG(0, "x87", "x87 state"),
    FLAG(1, "sse", "XMM registers"),
    FLAG(2, "avx", "YMM registers"),
    FLAG(3, "bndregs", "bound registers"),
    FLAG(4, "bndcsr", "bound configuration"),
    FLAG(5, "opmask", "AVX-512 mask registers"),
    FLAG(6, "zmm_high", "upper halves of ZMM0 to ZMM15"),
    FLAG(7, "zmm16", "ZMM16 to ZMM31"),
    FLAG(9, "pkru", "protection key rights"),
    END_BITS,
};

static const struct gim_bit bits_efer[] = {
    FLAG(0, "sce", "SYSCALL"),
    FLAG(8, "lme", "long mode is enabled"),
    FLAG(10, "lma", "long mode is active"),
    FLAG(11, "nxe", "no-execute pages"),
    FLAG(12, "svme", "SVM"),
    FLAG(13, "lmsle", "long mode segment limits"),
    FLAG(14, "ffxsr", "fast FXSAVE"),
    FLAG(15, "tce", "translation cache extension"),
    END_BITS,
};

static const struct gim_bit bits_misc_enable[] = {
    FLAG(0, "fast_strings", "fast string operations"),
    FLAG(3, "thermal_control", "automatic thermal control"),
    FLAG(7, "performance_monitoring", "performance monitoring is available"),
    FLAG(11, "no_bts", "branch trace storage is unavailable"),
    FLAG(12, "no_pebs", "precise event sampling is unavailable"),
    FLAG(16, "speedstep", "enhanced SpeedStep"),
    FLAG(18, "monitor", "MONITOR and MWAIT"),
    FLAG(22, "limit_cpuid", "CPUID leaves above 3 are hidden"),
    FLAG(23, "no_xtpr", "xTPR messages are off"),
    FLAG(34, "no_xd", "the execute-disable bit is off"),
    END_BITS,
};

static const struct gim_bit bits_mtrr_def_type[] = {
    BITS(0, 8, "type", "memory type where no MTRR says another"),
    FLAG(10, "fixed_enabled", "the fixed ranges count"),
    FLAG(11, "enabled", "MTRRs count"),
    END_BITS,
};

static const struct gim_bit bits_mtrr_cap[] = {
    BITS(0, 8, "variable", "number of variable ranges"),
    FLAG(8, "fixed", "there are fixed ranges"),
    FLAG(10, "write_combining", "the write-combining type is available"),
    FLAG(11, "smrr", "there are SMM range registers"),
    END_BITS,
};

static const struct gim_bit bits_mtrr_base[] = {
    BITS(0, 8, "type", "memory type"),
    {.low = 12, .width = 52, .name = "base", .help = "first byte of the range", .in_place = true},
    END_BITS,
};

static const struct gim_bit bits_mtrr_mask[] = {
    FLAG(11, "valid", "the range counts"),
    {.low = 12, .width = 52, .name = "mask", .help = "address bits that are compared", .in_place = true},
    END_BITS,
};

static const struct gim_bit bits_spec_ctrl[] = {
    FLAG(0, "ibrs", "indirect branch restricted speculation"),
    FLAG(1, "stibp", "single thread indirect branch predictors"),
    FLAG(2, "ssbd", "speculative store bypass disable"),
    END_BITS,
};

static const struct gim_bit bits_arch_capabilities[] = {
    FLAG(0, "rdcl_no", "not susceptible to Meltdown"),
    FLAG(1, "ibrs_all", "enhanced IBRS"),
    FLAG(2, "rsba", "return predictions may come from elsewhere"),
    FLAG(3, "skip_l1dfl_vmentry", "no L1D flush is needed on VM entry"),
    FLAG(4, "ssb_no", "not susceptible to speculative store bypass"),
    FLAG(5, "mds_no", "not susceptible to MDS"),
    END_BITS,
};

static const struct gim_bit bits_apic_base[] = {
    FLAG(8, "bsp", "the bootstrap processor"),
    FLAG(10, "x2apic", "x2APIC mode"),
    FLAG(11, "enabled", "the APIC is on"),
    {.low = 12, .width = 52, .name = "base", .help = "guest-physical address of the registers", .in_place = true},
    END_BITS,
};

static const struct gim_bit bits_svr[] = {
    BITS(0, 8, "vector", "vector of spurious interrupts"),
    FLAG(8, "enabled", "the APIC is enabled by software"),
    FLAG(9, "focus_off", "focus processor checking is off"),
    FLAG(12, "suppress_eoi", "EOI broadcasts are suppressed"),
    END_BITS,
};

static const struct gim_name names_delivery[] = {
    {0, "fixed", "the vector"}, {2, "smi", "system management interrupt"}, {4, "nmi", "non-maskable interrupt"},
    {5, "init", "INIT"},        {7, "extint", "the PIC gives the vector"}, {0, NULL, NULL},
};

static const struct gim_bit bits_lvt[] = {
    BITS(0, 8, "vector", "interrupt vector"),
    {.low = 8, .width = 3, .name = "delivery", .help = "how it is delivered", .names = names_delivery},
    FLAG(12, "pending", "delivery is pending"),
    FLAG(13, "active_low", "polarity"),
    FLAG(14, "remote_irr", "accepted and not yet ended"),
    FLAG(15, "level", "level-triggered"),
    FLAG(16, "masked", "no interrupt is raised"),
    END_BITS,
};

static const struct gim_name names_timer_mode[] = {
    {0, "one_shot", "counts down once"},
    {1, "periodic", "starts again at zero"},
    {2, "tsc_deadline", "fires when the TSC reaches a deadline"},
    {0, NULL, NULL},
};

static const struct gim_bit bits_lvt_timer[] = {
    BITS(0, 8, "vector", "interrupt vector"),
    FLAG(12, "pending", "delivery is pending"),
    FLAG(16, "masked", "no interrupt is raised"),
    {.low = 17, .width = 2, .name = "mode", .help = "what the timer does", .names = names_timer_mode},
    END_BITS,
};

static const struct gim_name names_event_type[] = {
    {0, "exception", "CPU exception"},
    {1, "interrupt", "hardware interrupt"},
    {2, "software", "INT n"},
    {3, "nmi", "non-maskable interrupt"},
    {0, NULL, NULL},
};

static const struct gim_name names_run_state[] = {
    {1, "running", "just run"},
    {6, "halted", "HLT or MWAIT: resume into the wait"},
    {7, "wait_sipi", "waits for its start-up interrupt"},
    {0, NULL, NULL},
};

static const struct gim_name names_mp_state[] = {
    {0, "runnable", "just run"},
    {1, "uninitialized", "waits for INIT"},
    {2, "init_received", "waits for its start-up interrupt"},
    {3, "halted", "HLT: resume into the wait"},
    {4, "sipi_received", "its start-up interrupt has arrived"},
    {0, NULL, NULL},
};

static const struct gim_bit bits_hflags[] = {
    FLAG(3, "interrupt_shadow", "the last instruction was STI or MOV SS"),
    FLAG(4, "cs32", "32-bit code"),
    FLAG(5, "ss32", "32-bit stack"),
    FLAG(6, "segments_added", "not all segments are flat"),
    FLAG(7, "pe", "protected mode"),
    FLAG(14, "lma", "long mode"),
    FLAG(15, "cs64", "64-bit code"),
    FLAG(19, "smm", "system management mode"),
    FLAG(21, "guest", "nested guest"),
    END_BITS,
};

static const struct gim_bit bits_hflags2[] = {
    FLAG(0, "gif", "global interrupt flag"),
    FLAG(1, "hif", "the host's interrupt flag"),
    FLAG(2, "nmi", "NMIs are masked, since one is being handled"),
    FLAG(3, "vintr", "virtual interrupts are masked"),
    END_BITS,
};

static const struct gim_bit bits_mwait[] = {
    FLAG(0, "waiting", "in MWAIT"),
    FLAG(1, "break_on_interrupt", "an interrupt ends it even when IF is clear"),
    FLAG(2, "monitoring", "MONITOR is armed"),
    END_BITS,
};

static const struct gim_name names_paging[] = {
    {1, "real", "real mode"},
    {2, "protected", "protected mode without paging"},
    {3, "legacy", "32-bit paging"},
    {4, "pae", "PAE"},
    {5, "pae_nx", "PAE with no-execute"},
    {6, "amd64", "long mode"},
    {7, "amd64_nx", "long mode with no-execute"},
    {8, "nested_legacy", "nested, 32-bit"},
    {9, "nested_pae", "nested, PAE"},
    {10, "nested_amd64", "nested, long mode"},
    {11, "ept", "extended page tables"},
    {12, "none", "none"},
    {0, NULL, NULL},
};

static const struct gim_name names_timer_state[] = {
    {4, "stopped", "not armed"},
    {5, "stopped_old", "not armed, as old releases wrote it"},
    {7, "armed", "the expiry follows"},
    {8, "armed_old", "the expiry follows, as old releases wrote it"},
    {0, NULL, NULL},
};

static void explain_no_vector(uint64_t value, char *text, size_t size)
{
	if (value == UINT32_MAX)
		(void)snprintf(text, size, "no event pending");
	else
		(void)snprintf(text, size, "vector %" PRIu64, value);
}

static const struct gim_field guest_segment_fields[] = {
    FIELD(guest_segment, selector, .help = "selector"),
    FIELD(guest_segment, valid_selector, .help = "selector that base, limit and attributes belong to"),
    FIELD(guest_segment, flags, .help = "bit 0: the hidden part is valid"),
    FIELD(guest_segment, base, .help = "hidden base"),
    FIELD(guest_segment, limit, .help = "hidden limit, in bytes"),
    FIELD(guest_segment, attributes, .help = "hidden attributes: descriptor bits 40 to 55, bit 16 unusable"),
    FIELD(guest_segment, descriptor, .help = "the descriptor's upper word, where it is saved in place of the attributes"),
};
RECORD(guest_segment, "segment", "a segment register");

static const struct gim_field guest_table_fields[] = {
    FIELD(guest_table, base, .help = "linear address"),
    FIELD(guest_table, limit, .help = "size in bytes minus one"),
};
RECORD(guest_table, "table", "a descriptor table register");

static const struct gim_field guest_fpu_fields[] = {
    FIELD(guest_fpu, fcw, .help = "x87 control word", .reset = 0x37f),
    FIELD(guest_fpu, fsw, .help = "x87 status word"),
    FIELD(guest_fpu, ftw, .help = "x87 tag word, abridged"),
    FIELD(guest_fpu, fop, .help = "last x87 opcode"),
    FIELD(guest_fpu, ip, .help = "last x87 instruction pointer"),
    FIELD(guest_fpu, cs, .help = "its code segment"),
    FIELD(guest_fpu, reserved1, .help = "in 64-bit images bits 48 to 63 of the pointer"),
    FIELD(guest_fpu, dp, .help = "last x87 data pointer"),
    FIELD(guest_fpu, ds, .help = "its data segment"),
    FIELD(guest_fpu, reserved2, .help = "in 64-bit images bits 48 to 63 of the pointer"),
    FIELD(guest_fpu, mxcsr, .help = "SSE control and status", .reset = 0x1f80),
    FIELD(guest_fpu, mxcsr_mask, .help = "bits of MXCSR that may be set"),
    FIELD(guest_fpu, st, .help = "ST0 to ST7, two words each"),
    FIELD(guest_fpu, physical, .help = "the registers in the order of the tag word, two words each, where they are saved so"),
    FIELD(guest_fpu, xmm, .help = "XMM0 to XMM15, two words each"),
    FIELD(guest_fpu, reserved3, .help = "first word of the software-reserved area"),
};
RECORD(guest_fpu, "fpu", "x87 and SSE state");

static const struct gim_field guest_xsave_fields[] = {
    FIELD(guest_xsave, components, .bits = bits_xcr0, .help = "XSTATE_BV: components that are not in their initial state"),
    FIELD(guest_xsave, ymm_high, .help = "upper halves of YMM0 to YMM15, two words each"),
    FIELD(guest_xsave, bound, .help = "BND0 to BND3, two words each"),
    FIELD(guest_xsave, bound_config, .help = "BNDCFGU and BNDSTATUS"),
    FIELD(guest_xsave, opmask, .help = "mask registers K0 to K7"),
    FIELD(guest_xsave, zmm_high, .help = "upper halves of ZMM0 to ZMM15, four words each"),
    FIELD(guest_xsave, zmm16, .help = "ZMM16 to ZMM31, eight words each"),
    FIELD(guest_xsave, pkru, .help = "protection key rights"),
};
RECORD(guest_xsave, "xsave", "extended processor state");

static const struct gim_field guest_mtrr_fields[] = {
    FIELD(guest_mtrr, base, .bits = bits_mtrr_base, .help = "MTRR_PHYSBASEn"),
    FIELD(guest_mtrr, mask, .bits = bits_mtrr_mask, .help = "MTRR_PHYSMASKn"),
};
RECORD(guest_mtrr, "mtrr", "a variable memory type range");

static const struct gim_field guest_msr_fields[] = {
    FIELD(guest_msr, efer, .bits = bits_efer, .help = "MSR 0xC0000080: extended features"),
    FIELD(guest_msr, star, .help = "MSR 0xC0000081: SYSCALL selectors"),
    FIELD(guest_msr, pat, .reset = 0x0007040600070406, .help = "MSR 0x277: page attribute table"),
    FIELD(guest_msr, lstar, .help = "MSR 0xC0000082: SYSCALL target of 64-bit code"),
    FIELD(guest_msr, cstar, .help = "MSR 0xC0000083: SYSCALL target of compatibility mode"),
    FIELD(guest_msr, sfmask, .help = "MSR 0xC0000084: flags that SYSCALL clears"),
    FIELD(guest_msr, kernel_gs_base, .help = "MSR 0xC0000102: what SWAPGS exchanges"),
    FIELD(guest_msr, sysenter_cs, .help = "MSR 0x174: SYSENTER selector"),
    FIELD(guest_msr, sysenter_eip, .help = "MSR 0x176: SYSENTER target"),
    FIELD(guest_msr, sysenter_esp, .help = "MSR 0x175: SYSENTER stack"),
    FIELD(guest_msr, tsc_aux, .help = "MSR 0xC0000103: what RDTSCP returns in ecx"),
    FIELD(guest_msr, misc_enable, .bits = bits_misc_enable, .help = "MSR 0x1A0: miscellaneous enables"),
    FIELD(guest_msr, mtrr_def_type, .bits = bits_mtrr_def_type, .help = "MSR 0x2FF: default memory type"),
    FIELD(guest_msr, mtrr_fix_64k_00000, .help = "MSR 0x250: a memory type per 64 KiB"),
    FIELD(guest_msr, mtrr_fix_16k_80000, .help = "MSR 0x258: a memory type per 16 KiB"),
    FIELD(guest_msr, mtrr_fix_16k_a0000, .help = "MSR 0x259: a memory type per 16 KiB"),
    FIELD(guest_msr, mtrr_fix_4k_c0000, .help = "MSR 0x268: a memory type per 4 KiB"),
    FIELD(guest_msr, mtrr_fix_4k_c8000, .help = "MSR 0x269: a memory type per 4 KiB"),
    FIELD(guest_msr, mtrr_fix_4k_d0000, .help = "MSR 0x26A: a memory type per 4 KiB"),
    FIELD(guest_msr, mtrr_fix_4k_d8000, .help = "MSR 0x26B: a memory type per 4 KiB"),
    FIELD(guest_msr, mtrr_fix_4k_e0000, .help = "MSR 0x26C: a memory type per 4 KiB"),
    FIELD(guest_msr, mtrr_fix_4k_e8000, .help = "MSR 0x26D: a memory type per 4 KiB"),
    FIELD(guest_msr, mtrr_fix_4k_f0000, .help = "MSR 0x26E: a memory type per 4 KiB"),
    FIELD(guest_msr, mtrr_fix_4k_f8000, .help = "MSR 0x26F: a memory type per 4 KiB"),
    FIELD(guest_msr, pkg_cst_config_control, .help = "MSR 0xE2: package C-state configuration"),
    FIELD(guest_msr, spec_ctrl, .bits = bits_spec_ctrl, .help = "MSR 0x48: speculation control"),
    FIELD(guest_msr, arch_capabilities, .bits = bits_arch_capabilities, .help = "MSR 0x10A: what the processor is not susceptible to"),
    FIELD(guest_msr, mtrr_cap, .bits = bits_mtrr_cap, .help = "MSR 0xFE: what MTRRs there are"),
    FIELD(guest_msr, tsc_adjust, .help = "MSR 0x3B: what the guest added to its time stamp counter"),
    FIELD(guest_msr, tsc_deadline, .help = "MSR 0x6E0: time stamp at which the APIC's timer fires; 0: none"),
    FIELD(guest_msr, feature_control, .help = "MSR 0x3A: feature control"),
    FIELD(guest_msr, smbase, .help = "MSR 0x9E: base of the memory of system management mode"),
    FIELD(guest_msr, xss, .help = "MSR 0xDA0: supervisor components that XSAVES saves"),
    FIELD(guest_msr, mcg_cap, .help = "MSR 0x179: what machine checks there are"),
    FIELD(guest_msr, mcg_status, .help = "MSR 0x17A: machine check status"),
    FIELD(guest_msr, mcg_ctl, .help = "MSR 0x17B: machine check control"),
    SUBS(guest_msr, mtrr, guest_mtrr, .help = "MSR 0x200 + 2n: variable memory type ranges"),
};
RECORD(guest_msr, "msr", "model-specific registers");

static const struct gim_field guest_apic_fields[] = {
    FIELD(guest_apic, base, .bits = bits_apic_base, .help = "MSR 0x1B: APIC base"),
    FIELD(guest_apic, internal_esr, .help = "errors since the last write to the error register"),
    FIELD(guest_apic, id, .show = GIM_DEC, .help = "APIC id"),
    FIELD(guest_apic, physical_id, .show = GIM_DEC, .help = "APIC id that physical destinations name, where it is saved by itself"),
    FIELD(guest_apic, arbitration_id, .show = GIM_DEC, .help = "arbitration id"),
    FIELD(guest_apic, version, .help = "version register"),
    FIELD(guest_apic, tpr, .help = "task priority"),
    FIELD(guest_apic, apr, .help = "arbitration priority; xAPIC mode only"),
    FIELD(guest_apic, ppr, .help = "processor priority"),
    FIELD(guest_apic, ldr, .help = "logical destination"),
    FIELD(guest_apic, dfr, .reset = UINT32_MAX, .help = "destination format; xAPIC mode only"),
    FIELD(guest_apic, logical_id, .help = "logical destination: its highest byte, where the register is not saved"),
    FIELD(guest_apic, destination_model, .help = "destination format: its highest bits, where the register is not saved"),
    FIELD(guest_apic, svr, .bits = bits_svr, .reset = 0xff, .help = "spurious interrupts"),
    FIELD(guest_apic, isr, .help = "interrupts in service: bit v % 32 of word v / 32"),
    FIELD(guest_apic, tmr, .help = "interrupts that are level-triggered"),
    FIELD(guest_apic, irr, .help = "interrupts requested"),
    FIELD(guest_apic, esr, .help = "error status"),
    FIELD(guest_apic, icr_low, .help = "interrupt command, low word"),
    FIELD(guest_apic, icr_high, .help = "interrupt command, destination"),
    FIELD(guest_apic, lvt_timer, .bits = bits_lvt_timer, .reset = 0x10000, .help = "local vector: timer"),
    FIELD(guest_apic, lvt_thermal, .bits = bits_lvt, .reset = 0x10000, .help = "local vector: thermal sensor"),
    FIELD(guest_apic, lvt_performance, .bits = bits_lvt, .reset = 0x10000, .help = "local vector: performance counters"),
    FIELD(guest_apic, lvt_lint0, .bits = bits_lvt, .reset = 0x10000, .help = "local vector: LINT0"),
    FIELD(guest_apic, lvt_lint1, .bits = bits_lvt, .reset = 0x10000, .help = "local vector: LINT1"),
    FIELD(guest_apic, lvt_error, .bits = bits_lvt, .reset = 0x10000, .help = "local vector: errors"),
    FIELD(guest_apic, timer_initial_count, .show = GIM_DEC, .help = "timer: initial count"),
    FIELD(guest_apic, timer_current_count, .show = GIM_DEC, .help = "timer: current count as stored; reads are computed"),
    FIELD(guest_apic, timer_divide, .help = "timer: divide configuration"),
    FIELD(guest_apic, timer_shift, .show = GIM_DEC, .help = "timer: the divide configuration as a shift"),
    FIELD(guest_apic, timer_start, .show = GIM_NS, .help = "virtual-sync time when the initial count was written"),
    FIELD(guest_apic, timer_state, .show = GIM_ENUM, .names = names_timer_state, .help = "whether the timer is armed"),
    FIELD(guest_apic, timer_next, .show = GIM_NS, .help = "virtual-sync time when it fires next, whether it is armed or not"),
    FIELD(guest_apic, timer_expiry, .show = GIM_NS, .help = "virtual-sync time when it fires"),
    FIELD(guest_apic, wait_for_sipi, .show = GIM_BOOL, .max = 1, .help = "the vCPU waits for its start-up interrupt"),
    FIELD(guest_apic, lint0, .show = GIM_BOOL, .max = 1, .help = "the LINT0 line is active"),
    FIELD(guest_apic, lint1, .show = GIM_BOOL, .max = 1, .help = "the LINT1 line is active"),
};
RECORD(guest_apic, "apic", "the local interrupt controller");

static const struct gim_field guest_event_fields[] = {
    FIELD(guest_event, vector, .explain = explain_no_vector, .reset = UINT32_MAX, .help = "vector; all ones: nothing is pending",
          .note = "the other fields are then leftovers"),
    FIELD(guest_event, type, .show = GIM_ENUM, .names = names_event_type, .help = "what kind of event"),
    FIELD(guest_event, error_code, .help = "error code of an exception; all ones when none is set"),
    FIELD(guest_event, error_code_high, .help = "its upper half, which older releases saved"),
    FIELD(guest_event, address, .help = "fault address (CR2); 0xdeadface when none is set"),
    FIELD(guest_event, instruction_bytes, .show = GIM_DEC, .help = "length of the instruction; 255 when not set"),
    FIELD(guest_event, icebp, .show = GIM_BOOL, .max = 1, .help = "raised by INT1"),
};
RECORD(guest_event, "event", "an event that is to be delivered before the first instruction");

static void explain_injected(uint64_t value, char *text, size_t size)
{
	if (value == UINT32_MAX)
		(void)snprintf(text, size, "none");
	else
		(void)snprintf(text, size, "vector %" PRIu64, value);
}

static const struct gim_field guest_injected_fields[] = {
    FIELD(guest_injected, exception, .explain = explain_injected, .reset = UINT32_MAX, .help = "exception that is being delivered"),
    FIELD(guest_injected, has_error_code, .show = GIM_BOOL, .max = 1, .help = "the exception has an error code"),
    FIELD(guest_injected, interrupt, .explain = explain_injected, .reset = UINT32_MAX, .help = "interrupt that is being delivered"),
    FIELD(guest_injected, soft_interrupt, .show = GIM_BOOL, .max = 1, .help = "the interrupt is an INT n"),
    FIELD(guest_injected, nmi, .show = GIM_BOOL, .max = 1, .help = "an NMI is being delivered"),
    FIELD(guest_injected, nmi_pending, .show = GIM_BOOL, .max = 1, .help = "an NMI waits"),
    FIELD(guest_injected, sipi_vector, .help = "vector of a start-up interrupt that has arrived"),
};
RECORD(guest_injected, "injected", "what is being delivered, as KVM keeps it");

static const struct gim_field guest_pending_fields[] = {
    FIELD(guest_pending, apic, .show = GIM_BOOL, .max = 1, .help = "an interrupt from the APIC"),
    FIELD(guest_pending, pic, .show = GIM_BOOL, .max = 1, .help = "an interrupt from the PIC"),
    FIELD(guest_pending, nmi, .show = GIM_BOOL, .max = 1, .help = "a non-maskable interrupt"),
    FIELD(guest_pending, smi, .show = GIM_BOOL, .max = 1, .help = "a system management interrupt"),
};
RECORD(guest_pending, "pending", "lines that are raised towards the vCPU");

static const struct gim_field guest_run_fields[] = {
    FIELD(guest_run, state, .show = GIM_ENUM, .names = names_run_state, .help = "how to resume; every number but 6 and 7 means to run"),
    FIELD(guest_run, mwait_flags, .show = GIM_FLAGS, .bits = bits_mwait, .help = "state of MONITOR and MWAIT"),
    FIELD(guest_run, mwait_rax, .help = "MWAIT's hints"),
    FIELD(guest_run, mwait_rcx, .help = "MWAIT's extensions"),
    FIELD(guest_run, monitor_rax, .help = "MONITOR's address"),
    FIELD(guest_run, monitor_rcx, .help = "MONITOR's extensions"),
    FIELD(guest_run, monitor_rdx, .help = "MONITOR's hints"),
    FIELD(guest_run, mp_state, .show = GIM_ENUM, .names = names_mp_state, .help = "how to resume, as KVM keeps it"),
    FIELD(guest_run, halted, .show = GIM_BOOL, .max = 1, .help = "it halts"),
    FIELD(guest_run, reserved, .help = "a flag of the old recompiler; 0"),
};
RECORD(guest_run, "run", "what the vCPU was doing");

static const struct gim_field guest_paging_fields[] = {
    FIELD(guest_paging, mode, .show = GIM_ENUM, .names = names_paging, .help = "paging mode"),
    FIELD(guest_paging, a20, .show = GIM_BOOL, .max = 1, .help = "the A20 gate is open"),
    FIELD(guest_paging, a20_mask, .help = "address bits that pass the A20 gate"),
    FIELD(guest_paging, pdpt, .show = GIM_ADDRESS, .help = "cached addresses of PAE page directories"),
};
RECORD(guest_paging, "paging", "how the vCPU's addresses are translated");

static const struct gim_field guest_private_fields[] = {
    FIELD(guest_private, context, .change = GIM_CHANGE_FORM,
          .help = "VirtualBox's own register context with its markers; zeros since raw mode is gone"),
    FIELD(guest_private, trpm, .change = GIM_CHANGE_FORM, .help = "the trap manager's use of raw mode, by releases that had it"),
    FIELD(guest_private, use_flags, .change = GIM_CHANGE_FORM, .help = "VirtualBox's use of the processor; recalculated on load"),
    FIELD(guest_private, changed_flags, .change = GIM_CHANGE_FORM, .help = "what VirtualBox had to bring up to date; a hint"),
    FIELD(guest_private, hflags, .show = GIM_FLAGS, .bits = bits_hflags, .help = "QEMU's hidden flags"),
    FIELD(guest_private, hflags2, .show = GIM_FLAGS, .bits = bits_hflags2, .help = "more of them"),
};
RECORD(guest_private, "private", "what the producer keeps for itself");

static const struct gim_field guest_vcpu_fields[] = {
    FIELD(guest_vcpu, tsc, .change = GIM_CHANGE_CLOCK, .help = "time stamp counter"),
    FIELD(guest_vcpu, rip, .help = "instruction pointer", .reset = 0xfff0),
    FIELD(guest_vcpu, rflags, .bits = bits_rflags, .help = "flags", .reset = 2),
    FIELD(guest_vcpu, rax, .help = "general register"),
    FIELD(guest_vcpu, rbx, .help = "general register"),
    FIELD(guest_vcpu, rcx, .help = "general register"),
    FIELD(guest_vcpu, rdx, .help = "general register"),
    FIELD(guest_vcpu, rsi, .help = "general register"),
    FIELD(guest_vcpu, rdi, .help = "general register"),
    FIELD(guest_vcpu, rbp, .help = "general register"),
    FIELD(guest_vcpu, rsp, .help = "stack pointer"),
    FIELD(guest_vcpu, r8, .help = "general register"),
    FIELD(guest_vcpu, r9, .help = "general register"),
    FIELD(guest_vcpu, r10, .help = "general register"),
    FIELD(guest_vcpu, r11, .help = "general register"),
    FIELD(guest_vcpu, r12, .help = "general register"),
    FIELD(guest_vcpu, r13, .help = "general register"),
    FIELD(guest_vcpu, r14, .help = "general register"),
    FIELD(guest_vcpu, r15, .help = "general register"),
    SUB(guest_vcpu, cs, guest_segment, .help = "code segment"),
    SUB(guest_vcpu, ds, guest_segment, .help = "data segment"),
    SUB(guest_vcpu, es, guest_segment, .help = "extra segment"),
    SUB(guest_vcpu, fs, guest_segment, .help = "extra segment"),
    SUB(guest_vcpu, gs, guest_segment, .help = "extra segment"),
    SUB(guest_vcpu, ss, guest_segment, .help = "stack segment"),
    SUB(guest_vcpu, ldtr, guest_segment, .help = "local descriptor table"),
    SUB(guest_vcpu, tr, guest_segment, .help = "task register"),
    SUB(guest_vcpu, gdtr, guest_table, .help = "global descriptor table"),
    SUB(guest_vcpu, idtr, guest_table, .help = "interrupt descriptor table"),
    FIELD(guest_vcpu, cr0, .bits = bits_cr0, .help = "control register 0", .reset = 0x60000010),
    FIELD(guest_vcpu, cr2, .help = "page fault address"),
    FIELD(guest_vcpu, cr3, .help = "page table root"),
    FIELD(guest_vcpu, cr4, .bits = bits_cr4, .help = "control register 4"),
    FIELD(guest_vcpu, dr0, .help = "breakpoint address"),
    FIELD(guest_vcpu, dr1, .help = "breakpoint address"),
    FIELD(guest_vcpu, dr2, .help = "breakpoint address"),
    FIELD(guest_vcpu, dr3, .help = "breakpoint address"),
    FIELD(guest_vcpu, dr6, .help = "debug status", .reset = 0xffff0ff0),
    FIELD(guest_vcpu, dr7, .help = "debug control", .reset = 0x400),
    FIELD(guest_vcpu, xcr0, .bits = bits_xcr0, .help = "extended control register 0", .reset = 1),
    FIELD(guest_vcpu, xcr1, .help = "extended control register 1"),
    FIELD(guest_vcpu, xsave_mask, .bits = bits_xcr0, .help = "components that the container holds"),
    FIELD(guest_vcpu, pdpte, .help = "PAE page directory pointers"),
    SUB(guest_vcpu, msr, guest_msr, .help = "model-specific registers"),
    SUB(guest_vcpu, fpu, guest_fpu, .help = "x87 and SSE state"),
    SUB(guest_vcpu, xsave, guest_xsave, .help = "extended processor state"),
    SUB(guest_vcpu, apic, guest_apic, .help = "the local interrupt controller"),
    SUB(guest_vcpu, event, guest_event, .help = "an event that is to be delivered before the first instruction"),
    SUB(guest_vcpu, injected, guest_injected, .help = "what is being delivered, as KVM keeps it"),
    SUB(guest_vcpu, pending, guest_pending, .help = "lines that are raised towards the vCPU"),
    SUB(guest_vcpu, run, guest_run, .help = "what the vCPU was doing"),
    SUB(guest_vcpu, paging, guest_paging, .help = "how the vCPU's addresses are translated"),
    SUB(guest_vcpu, private, guest_private, .help = "what the producer keeps for itself"),
    FIELD(guest_vcpu, started, .show = GIM_BOOL, .max = 1, .help = "the vCPU was started; the first one always is, and not listed"),
};
RECORD(guest_vcpu, "vcpu", "a vCPU");

static const struct gim_field guest_cpuid_words_fields[] = {
    FIELD(guest_cpuid_words, eax, .help = "eax"),
    FIELD(guest_cpuid_words, ebx, .help = "ebx"),
    FIELD(guest_cpuid_words, ecx, .help = "ecx"),
    FIELD(guest_cpuid_words, edx, .help = "edx"),
};
RECORD(guest_cpuid_words, "words", "what CPUID returns");

static const struct gim_field guest_cpuid_fields[] = {
    FIELD(guest_cpuid, leaf, .key = true, .help = "leaf"),
    FIELD(guest_cpuid, subleaf, .key = true, .help = "subleaf"),
    FIELD(guest_cpuid, subleaf_mask, .help = "bits of ecx that are compared with the subleaf; 0: it has none"),
    FIELD(guest_cpuid, eax, .help = "eax"),
    FIELD(guest_cpuid, ebx, .help = "ebx"),
    FIELD(guest_cpuid, ecx, .help = "ecx"),
    FIELD(guest_cpuid, edx, .help = "edx"),
    FIELD(guest_cpuid, flags, .help = "what the hypervisor fills in per vCPU"),
};
RECORD(guest_cpuid, "cpuid", "a CPUID leaf as the guest sees it");

static const struct gim_field guest_fields[] = {
    FIELD(guest, vcpus, .show = GIM_DEC, .help = "number of vCPUs"),
    FIELD(guest, ram_bytes, .show = GIM_SIZE, .help = "size of the RAM"),
    FIELD(guest, tsc_hz, .show = GIM_HZ, .help = "frequency of the time stamp counter"),
    FIELD(guest, virtual_ns, .change = GIM_CHANGE_CLOCK, .show = GIM_NS, .help = "virtual time: how long the guest ran"),
    FIELD(guest, virtual_sync_ns, .change = GIM_CHANGE_CLOCK, .show = GIM_NS, .help = "virtual-sync time: the clock of timer devices"),
    LIST(guest, vcpu, guest_vcpu, .help = "per vCPU"),
    LIST(guest, cpuid, guest_cpuid, .help = "CPUID leaves as the guest sees them"),
    SUB(guest, cpuid_default, guest_cpuid_words, .help = "what unknown leaves return"),
};
RECORD(guest, "guest", "the guest: vCPUs, clocks, CPUID leaves");
