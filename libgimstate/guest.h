/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest as state: its vCPUs' registers, clocks and CPUID leaves. Neither a provider nor a container owns it. */
#ifndef GIM_GUEST_H
#define GIM_GUEST_H

#include "field.h"

struct guest_segment {
	uint64_t base;
	uint32_t limit, attributes, descriptor;
	uint16_t selector, valid_selector, flags;
};

/* GDTR or IDTR. */
struct guest_table {
	uint64_t base;
	uint16_t limit;
};

/* x87 and SSE. The 128-bit registers are pairs of words, the low one first. */
struct guest_fpu {
	uint16_t fcw, fsw, ftw, fop;
	uint32_t ip;
	uint16_t cs, reserved1;
	uint32_t dp;
	uint16_t ds, reserved2;
	uint32_t mxcsr, mxcsr_mask;
	uint64_t st[16];
	uint64_t physical[16];
	uint64_t xmm[32];
	uint32_t reserved3;
};

/* The extended state beyond x87 and SSE, in words, the low ones first. */
struct guest_xsave {
	uint64_t components;
	uint64_t ymm_high[32];
	uint64_t bound[8];
	uint64_t bound_config[2];
	uint64_t opmask[8];
	uint64_t zmm_high[64];
	uint64_t zmm16[128];
	uint32_t pkru;
};

struct guest_mtrr {
	uint64_t base, mask;
};

#define GUEST_MTRRS 16

struct guest_msr {
	uint64_t efer, star, pat, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_eip, sysenter_esp;
	uint64_t tsc_aux, misc_enable, mtrr_def_type;
	uint64_t mtrr_fix_64k_00000, mtrr_fix_16k_80000, mtrr_fix_16k_a0000, mtrr_fix_4k_c0000, mtrr_fix_4k_c8000, mtrr_fix_4k_d0000,
	    mtrr_fix_4k_d8000, mtrr_fix_4k_e0000, mtrr_fix_4k_e8000, mtrr_fix_4k_f0000, mtrr_fix_4k_f8000;
	uint64_t pkg_cst_config_control, spec_ctrl, arch_capabilities, mtrr_cap;
	uint64_t tsc_adjust, tsc_deadline, feature_control, smbase, xss;
	uint64_t mcg_cap, mcg_status, mcg_ctl;
	struct guest_mtrr mtrr[GUEST_MTRRS];
};

/* A layout has either the registers ldr and dfr or what stands in them: logical_id and destination_model. */
struct guest_apic {
	uint64_t base;
	uint32_t internal_esr, id, physical_id, arbitration_id, version, ldr, dfr, svr;
	uint8_t tpr, apr, ppr, logical_id, destination_model;
	uint32_t isr[8], tmr[8], irr[8];
	uint32_t esr, icr_low, icr_high;
	uint32_t lvt_timer, lvt_thermal, lvt_performance, lvt_lint0, lvt_lint1, lvt_error;
	uint32_t timer_initial_count, timer_current_count, timer_divide;
	uint32_t timer_shift, wait_for_sipi;
	uint64_t timer_start, timer_next, timer_expiry;
	uint8_t timer_state, lint0, lint1;
};

/* An event that was taken from the interrupt controller and not delivered yet. */
struct guest_event {
	uint32_t vector, type, error_code, error_code_high;
	uint64_t address;
	uint8_t instruction_bytes, icebp;
};

/* The same as KVM keeps it: one of each kind; all ones is none of a vector. */
struct guest_injected {
	uint32_t exception, interrupt, sipi_vector;
	uint8_t has_error_code, soft_interrupt, nmi, nmi_pending;
};

/* Lines that are raised towards the vCPU. */
struct guest_pending {
	uint32_t apic, pic, nmi, smi;
};

struct guest_run {
	uint32_t state, mwait_flags;
	uint64_t mwait_rax, mwait_rcx, monitor_rax, monitor_rcx, monitor_rdx;
	uint32_t mp_state, halted;
	uint8_t reserved;
};

struct guest_paging {
	uint64_t a20_mask;
	uint64_t pdpt[4];
	uint32_t mode;
	uint8_t a20;
};

/* What the producer keeps for itself and a guest never sees. */
struct guest_private {
	struct gim_text context;
	struct gim_text trpm;
	uint32_t use_flags, changed_flags;
	uint32_t hflags, hflags2;
};

struct guest_vcpu {
	uint64_t tsc;
	uint64_t rip, rflags, rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15;
	struct guest_segment cs, ds, es, fs, gs, ss, ldtr, tr;
	struct guest_table gdtr, idtr;
	uint64_t cr0, cr2, cr3, cr4;
	uint64_t dr0, dr1, dr2, dr3, dr6, dr7;
	uint64_t xcr0, xcr1, xsave_mask;
	uint64_t pdpte[4];
	struct guest_msr msr;
	struct guest_fpu fpu;
	struct guest_xsave xsave;
	struct guest_apic apic;
	struct guest_event event;
	struct guest_injected injected;
	struct guest_pending pending;
	struct guest_run run;
	struct guest_paging paging;
	struct guest_private private;
	uint8_t started;
};

struct guest_cpuid_words {
	uint32_t eax, ebx, ecx, edx;
};

struct guest_cpuid {
	uint32_t leaf, subleaf, subleaf_mask, eax, ebx, ecx, edx, flags;
};

struct guest {
	uint32_t vcpus;
	uint64_t ram_bytes, tsc_hz;
	uint64_t virtual_ns, virtual_sync_ns;
	struct gim_list vcpu;
	struct gim_list cpuid;
	struct guest_cpuid_words cpuid_default;
};

extern const struct gim_record guest_segment_record, guest_table_record, guest_fpu_record, guest_xsave_record, guest_mtrr_record,
    guest_msr_record, guest_apic_record, guest_event_record, guest_injected_record, guest_pending_record, guest_run_record,
    guest_paging_record, guest_private_record, guest_vcpu_record, guest_cpuid_words_record, guest_cpuid_record, guest_record;

#endif
