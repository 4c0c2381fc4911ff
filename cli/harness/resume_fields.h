/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The vCPUs that a state holds, as numbers: its fields guest.vcpu[i], whoever saved it. */
#ifndef RESUME_FIELDS_H
#define RESUME_FIELDS_H

#include "gimstate.h"

enum resume_segment { RESUME_ES, RESUME_CS, RESUME_SS, RESUME_DS, RESUME_FS, RESUME_GS, RESUME_LDTR, RESUME_TR, RESUME_SEGMENTS };
#define RESUME_MSRS_MAX 64
#define RESUME_MTRRS 16

/* A field that the state does not have is what a reset leaves. */
struct resume_vcpu {
	uint64_t rip; /* always there */
	uint64_t tsc, rflags;
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15;
	struct {
		uint64_t base, limit, attributes, descriptor, selector;
	} segments[RESUME_SEGMENTS];
	struct {
		uint64_t base, limit;
	} gdtr, idtr;
	uint64_t cr0, cr2, cr3, cr4, dr[4], dr6, dr7, xcr0, xsave_mask, efer;
	struct {
		uint64_t fcw, fsw, ftw, fop, ip, cs, dp, ds, mxcsr, st[16], physical[16], xmm[32];
	} fpu;
	struct {
		uint64_t components, ymm_high[32], bound[8], bound_config[2], opmask[8], zmm_high[64], zmm16[128], pkru;
	} xsave;
	struct {
		uint64_t base, id, tpr, ldr, logical_id, dfr, destination_model, svr, isr[8], irr[8], esr, icr_low, icr_high;
		uint64_t lvt_timer, lvt_thermal, lvt_performance, lvt_lint0, lvt_lint1, lvt_error;
		uint64_t timer_initial_count, timer_divide, timer_state, timer_next, timer_expiry, wait_for_sipi;
	} apic;
	struct {
		uint64_t vector, type, error_code, address;
	} event;
	struct {
		uint64_t exception, has_error_code, interrupt, soft_interrupt, nmi, nmi_pending;
	} injected;
	struct {
		uint64_t pic, nmi, smi;
	} pending;
	struct {
		uint64_t state, mwait_flags, mp_state, halted;
	} run;
	uint64_t hflags, hflags2, tsc_deadline;
	/* MSRs that KVM keeps, as far as the state has them. */
	struct {
		uint32_t number;
		uint64_t value;
	} msrs[RESUME_MSRS_MAX];
	unsigned msr_count;
};

/* What is not of one vCPU. */
struct resume_clocks {
	uint64_t tsc_hz, virtual_sync_ns; /* 0: not known */
};

/* Read the vCPUs of a state, of which GIM_PART_GUEST was decoded. GIM_E_VALUE: it holds fewer than count. */
int resume_read(struct gim_state *state, struct resume_vcpu *vcpus, uint32_t count, struct resume_clocks *clocks, struct gim_error *error);

/* Does it hold the registers of any vCPU? */
bool resume_has_vcpus(struct gim_state *state);

#endif
