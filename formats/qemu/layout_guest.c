/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the guest's registers and clocks are in a migration stream. */
#include "guest.h"
#include "qemu/record.h"

#define REGISTER(name, n) ITEM(guest_vcpu, name, "cpu:env.regs", .first = n)
#define DEBUG(name, n) ITEM(guest_vcpu, name, "cpu:env.dr", .first = n)

#define SEGMENT(name, from)                                                                                                                \
	ITEM(guest_vcpu, name.selector, "cpu:" from ".selector"), ITEM(guest_vcpu, name.base, "cpu:" from ".base"),                        \
	    ITEM(guest_vcpu, name.limit, "cpu:" from ".limit"), ITEM(guest_vcpu, name.descriptor, "cpu:" from ".flags")
#define TABLE(name, from) ITEM(guest_vcpu, name.base, "cpu:" from ".base"), ITEM(guest_vcpu, name.limit, "cpu:" from ".limit")
#define ST(n)                                                                                                                              \
	ITEM(guest_vcpu, fpu.physical[2 * (n)], "cpu:env.fpregs[" #n "].tmp_mant"),                                                        \
	    ITEM(guest_vcpu, fpu.physical[2 * (n) + 1], "cpu:env.fpregs[" #n "].tmp_exp")
#define XMM(n)                                                                                                                             \
	ITEM(guest_vcpu, fpu.xmm[2 * (n)], "cpu:env.xmm_regs[0][" #n "]._q_ZMMReg[0]"),                                                    \
	    ITEM(guest_vcpu, fpu.xmm[2 * (n) + 1], "cpu:env.xmm_regs[0][" #n "]._q_ZMMReg[1]")
#define YMM(n)                                                                                                                             \
	ITEM(guest_vcpu, xsave.ymm_high[2 * (n)], "cpu:env.xmm_regs[1][" #n "]._q_ZMMReg[2]"),                                             \
	    ITEM(guest_vcpu, xsave.ymm_high[2 * (n) + 1], "cpu:env.xmm_regs[1][" #n "]._q_ZMMReg[3]")
#define ALL_16(row)                                                                                                                        \
	row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7), row(8), row(9), row(10), row(11), row(12), row(13), row(14), row(15)
#define MTRR(n)                                                                                                                            \
	ITEM(guest_vcpu, msr.mtrr[n].base, "cpu:env.mtrr_var[" #n "].base"),                                                               \
	    ITEM(guest_vcpu, msr.mtrr[n].mask, "cpu:env.mtrr_var[" #n "].mask")
#define FIXED(name, n) ITEM(guest_vcpu, msr.mtrr_fix_##name, "cpu:env.mtrr_fixed", .first = n)
#define LOCAL_VECTOR(name, n) ITEM(guest_vcpu, apic.lvt_##name, "apic:lvt", .first = n)

static const struct gim_row vcpu_items[] = {
    REGISTER(rax, 0),
    REGISTER(rcx, 1),
    REGISTER(rdx, 2),
    REGISTER(rbx, 3),
    REGISTER(rsp, 4),
    REGISTER(rbp, 5),
    REGISTER(rsi, 6),
    REGISTER(rdi, 7),
    REGISTER(r8, 8),
    REGISTER(r9, 9),
    REGISTER(r10, 10),
    REGISTER(r11, 11),
    REGISTER(r12, 12),
    REGISTER(r13, 13),
    REGISTER(r14, 14),
    REGISTER(r15, 15),
    ITEM(guest_vcpu, rip, "cpu:env.eip"),
    ITEM(guest_vcpu, rflags, "cpu:env.eflags"),
    ITEM(guest_vcpu, cr0, "cpu:env.cr[0]"),
    ITEM(guest_vcpu, cr2, "cpu:env.cr[2]"),
    ITEM(guest_vcpu, cr3, "cpu:env.cr[3]"),
    ITEM(guest_vcpu, cr4, "cpu:env.cr[4]"),
    DEBUG(dr0, 0),
    DEBUG(dr1, 1),
    DEBUG(dr2, 2),
    DEBUG(dr3, 3),
    DEBUG(dr6, 6),
    DEBUG(dr7, 7),
    ITEM(guest_vcpu, tsc, "cpu:env.tsc"),
    ITEM(guest_vcpu, xcr0, "cpu:env.xcr0"),
    ITEM(guest_vcpu, msr.efer, "cpu:env.efer"),
    ITEM(guest_vcpu, msr.star, "cpu:env.star"),
    ITEM(guest_vcpu, msr.lstar, "cpu:env.lstar"),
    ITEM(guest_vcpu, msr.cstar, "cpu:env.cstar"),
    ITEM(guest_vcpu, msr.sfmask, "cpu:env.fmask"),
    ITEM(guest_vcpu, msr.kernel_gs_base, "cpu:env.kernelgsbase"),
    ITEM(guest_vcpu, msr.pat, "cpu:env.pat"),
    ITEM(guest_vcpu, msr.sysenter_cs, "cpu:env.sysenter_cs"),
    ITEM(guest_vcpu, msr.sysenter_esp, "cpu:env.sysenter_esp"),
    ITEM(guest_vcpu, msr.sysenter_eip, "cpu:env.sysenter_eip"),
    ITEM(guest_vcpu, msr.tsc_aux, "cpu:env.tsc_aux"),
    ITEM(guest_vcpu, msr.mtrr_def_type, "cpu:env.mtrr_deftype"),
    ITEM(guest_vcpu, msr.misc_enable, "cpu:env.msr_ia32_misc_enable"),
    ITEM(guest_vcpu, msr.spec_ctrl, "cpu:env.spec_ctrl"),
    SEGMENT(es, "env.segs[0]"),
    SEGMENT(cs, "env.segs[1]"),
    SEGMENT(ss, "env.segs[2]"),
    SEGMENT(ds, "env.segs[3]"),
    SEGMENT(fs, "env.segs[4]"),
    SEGMENT(gs, "env.segs[5]"),
    SEGMENT(ldtr, "env.ldt"),
    SEGMENT(tr, "env.tr"),
    TABLE(gdtr, "env.gdt"),
    TABLE(idtr, "env.idt"),
    ITEM(guest_vcpu, fpu.fcw, "cpu:env.fpuc"),
    ITEM(guest_vcpu, fpu.fsw, "cpu:env.fpus_vmstate"),
    ITEM(guest_vcpu, fpu.ftw, "cpu:env.fptag_vmstate"),
    ITEM(guest_vcpu, fpu.mxcsr, "cpu:env.mxcsr"),
    ST(0),
    ST(1),
    ST(2),
    ST(3),
    ST(4),
    ST(5),
    ST(6),
    ST(7),
    ALL_16(XMM),
    ITEM(guest_vcpu, xsave.components, "cpu:env.xstate_bv"),
    ALL_16(YMM),
    FIXED(64k_00000, 0),
    FIXED(16k_80000, 1),
    FIXED(16k_a0000, 2),
    FIXED(4k_c0000, 3),
    FIXED(4k_c8000, 4),
    FIXED(4k_d0000, 5),
    FIXED(4k_d8000, 6),
    FIXED(4k_e0000, 7),
    FIXED(4k_e8000, 8),
    FIXED(4k_f0000, 9),
    FIXED(4k_f8000, 10),
    MTRR(0),
    MTRR(1),
    MTRR(2),
    MTRR(3),
    MTRR(4),
    MTRR(5),
    MTRR(6),
    MTRR(7),
    ITEM(guest_vcpu, msr.tsc_deadline, "cpu:env.tsc_deadline"),
    ITEM(guest_vcpu, msr.tsc_adjust, "cpu:env.tsc_adjust"),
    ITEM(guest_vcpu, msr.smbase, "cpu:env.smbase"),
    ITEM(guest_vcpu, msr.mcg_cap, "cpu:env.mcg_cap"),
    ITEM(guest_vcpu, msr.mcg_status, "cpu:env.mcg_status"),
    ITEM(guest_vcpu, msr.mcg_ctl, "cpu:env.mcg_ctl"),
    ITEM(guest_vcpu, injected.exception, "cpu:env.exception_nr"),
    ITEM(guest_vcpu, injected.has_error_code, "cpu:env.has_error_code"),
    ITEM(guest_vcpu, injected.interrupt, "cpu:env.interrupt_injected"),
    ITEM(guest_vcpu, injected.soft_interrupt, "cpu:env.soft_interrupt"),
    ITEM(guest_vcpu, injected.nmi, "cpu:env.nmi_injected"),
    ITEM(guest_vcpu, injected.nmi_pending, "cpu:env.nmi_pending"),
    ITEM(guest_vcpu, injected.sipi_vector, "cpu:env.sipi_vector"),
    ITEM(guest_vcpu, run.mp_state, "cpu:env.mp_state"),
    ITEM(guest_vcpu, run.halted, "cpu_common:halted"),
    ITEM(guest_vcpu, private.hflags, "cpu:env.hflags"),
    ITEM(guest_vcpu, private.hflags2, "cpu:env.hflags2"),
    ITEM(guest_vcpu, apic.base, "apic:apicbase"),
    ITEM(guest_vcpu, apic.id, "apic:id"),
    ITEM(guest_vcpu, apic.arbitration_id, "apic:arb_id"),
    ITEM(guest_vcpu, apic.tpr, "apic:tpr"),
    ITEM(guest_vcpu, apic.svr, "apic:spurious_vec"),
    ITEM(guest_vcpu, apic.logical_id, "apic:log_dest"),
    ITEM(guest_vcpu, apic.destination_model, "apic:dest_mode"),
    ITEM(guest_vcpu, apic.isr, "apic:isr"),
    ITEM(guest_vcpu, apic.tmr, "apic:tmr"),
    ITEM(guest_vcpu, apic.irr, "apic:irr"),
    LOCAL_VECTOR(timer, 0),
    LOCAL_VECTOR(thermal, 1),
    LOCAL_VECTOR(performance, 2),
    LOCAL_VECTOR(lint0, 3),
    LOCAL_VECTOR(lint1, 4),
    LOCAL_VECTOR(error, 5),
    ITEM(guest_vcpu, apic.esr, "apic:esr"),
    ITEM(guest_vcpu, apic.icr_low, "apic:icr", .first = 0),
    ITEM(guest_vcpu, apic.icr_high, "apic:icr", .first = 1),
    ITEM(guest_vcpu, apic.timer_divide, "apic:divide_conf"),
    ITEM(guest_vcpu, apic.timer_shift, "apic:count_shift"),
    ITEM(guest_vcpu, apic.timer_initial_count, "apic:initial_count"),
    ITEM(guest_vcpu, apic.timer_start, "apic:initial_count_load_time"),
    ITEM(guest_vcpu, apic.timer_next, "apic:next_time"),
    ITEM(guest_vcpu, apic.timer_expiry, "apic:timer_expiry"),
    ITEM(guest_vcpu, apic.wait_for_sipi, "apic:wait_for_sipi"),
    END_ROWS,
};

static const struct gim_row items[] = {
    ITEM(guest, tsc_hz, "cpu:env.tsc_khz", .scale = 1000),
    ITEM(guest, virtual_ns, "timer:cpu_clock_offset"),
    ITEM(guest, virtual_sync_ns, "timer:cpu_clock_offset"), /* it is the clock of timers, too */
    EACH(guest, vcpu, guest_vcpu, vcpu_items, .count = GIM_COUNT_CODEC),
    END_ROWS,
};

/* The same in all releases that were looked at, from 7.2 to 11.1. */
static const struct gim_release releases[] = {{7, 2, 1}, {0, 0, 0}};

static const struct gim_frame frames[] = {{.name = "cpu", .rows = items}};

const struct gim_layout qemu_layout_guest = {
    .name = "qemu-guest",
    .format = "qemu",
    .first = 1,
    .last = 1,
    .releases = releases,
    .frames = frames,
    .frame_count = 1,
};
