/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the guest's registers and clocks are in a migration stream. */
#include "guest.h"
#include "qemu/record.h"

#define REGISTER(name, n) ITEM(guest_vcpu, name, "cpu:env.regs", .first = n)
#define DEBUG(name, n) ITEM(guest_vcpu, name, "cpu:env.dr", .first = n)

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
    END_ROWS,
};

static const struct gim_row items[] = {
    ITEM(guest, tsc_hz, "cpu:env.tsc_khz", .scale = 1000),
    ITEM(guest, virtual_ns, "timer:cpu_clock_offset"),
    EACH(guest, vcpu, guest_vcpu, vcpu_items, .count = GIM_COUNT_CODEC),
    END_ROWS,
};

static const struct gim_frame frames[] = {{.name = "cpu", .rows = items}};

const struct gim_layout qemu_layout_guest = {
    .name = "qemu-guest",
    .format = "qemu",
    .first = 1,
    .last = 1,
    .frames = frames,
    .frame_count = 1,
};
