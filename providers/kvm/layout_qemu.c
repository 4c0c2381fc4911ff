/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the KVM interface is in a QEMU migration stream: MSRs in each vCPU's section, the clock in one of its own. */
#include "kvm.h"

static const struct gim_row vcpu_items[] = {
    ITEM(kvm_vcpu, system_time, "cpu:env.system_time_msr"),
    ITEM(kvm_vcpu, async_pf, "cpu:env.async_pf_en_msr"),
    ITEM(kvm_vcpu, async_pf_int, "cpu:env.async_pf_int_msr"),
    ITEM(kvm_vcpu, steal_time, "cpu:env.steal_time_msr"),
    ITEM(kvm_vcpu, pv_eoi, "cpu:env.pv_eoi_en_msr"),
    ITEM(kvm_vcpu, poll_control, "cpu:env.poll_control_msr"),
    END_ROWS,
};

static const struct gim_row items[] = {
    EACH(kvm_state, vcpu, kvm_vcpu, vcpu_items, .count = GIM_COUNT_CODEC),
    ITEM(kvm_state, wall_clock, "cpu:env.wall_clock_msr"),
    ITEM(kvm_state, clock_ns, "kvmclock:clock"),
    ITEM(kvm_state, clock_reliable, "kvmclock:clock_is_reliable"),
    END_ROWS,
};

/* The same in all releases that were looked at, from 7.2 to 11.1. */
static const struct gim_release releases[] = {{7, 2, 1}, {0, 0, 0}};

static const struct gim_frame frames[] = {{.name = "cpu", .rows = items}};

const struct gim_layout kvm_layout_qemu = {
    .name = "qemu-kvm",
    .format = "qemu",
    .first = 1,
    .last = 1,
    .releases = releases,
    .frames = frames,
    .frame_count = 1,
};
