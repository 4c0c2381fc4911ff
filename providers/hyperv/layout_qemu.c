/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the Hyper-V interface is in a QEMU migration stream: MSRs in subsections of each vCPU's section; CPUID is not in it at all. */
#include "hyperv.h"

#define TIMER(n)                                                                                                                           \
	ITEM(hv_vp, stimer[n].config, "cpu:env.msr_hv_stimer_config", .first = n),                                                         \
	    ITEM(hv_vp, stimer[n].count, "cpu:env.msr_hv_stimer_count", .first = n)

static const struct gim_row vp_items[] = {
    ITEM(hv_vp, scontrol, "cpu:env.msr_hv_synic_control"),
    ITEM(hv_vp, siefp, "cpu:env.msr_hv_synic_evt_page"),
    ITEM(hv_vp, simp, "cpu:env.msr_hv_synic_msg_page"),
    ITEM(hv_vp, sint, "cpu:env.msr_hv_synic_sint"),
    ITEM(hv_vp, vp_assist, "cpu:env.msr_hv_vapic"),
    TIMER(0),
    TIMER(1),
    TIMER(2),
    TIMER(3),
    ITEM(hv_vp, runtime, "cpu:env.msr_hv_runtime"),
    END_ROWS,
};

static const struct gim_row items[] = {
    ITEM(hv_state, guest_os_id, "cpu:env.msr_hv_guest_os_id"),
    ITEM(hv_state, hypercall, "cpu:env.msr_hv_hypercall"),
    ITEM(hv_state, reference_tsc, "cpu:env.msr_hv_tsc"),
    EACH(hv_state, vp, hv_vp, vp_items, .count = GIM_COUNT_CODEC),
    ITEM(hv_state, crash.p0, "cpu:env.msr_hv_crash_params", .first = 0),
    ITEM(hv_state, crash.p1, "cpu:env.msr_hv_crash_params", .first = 1),
    ITEM(hv_state, crash.p2, "cpu:env.msr_hv_crash_params", .first = 2),
    ITEM(hv_state, crash.p3, "cpu:env.msr_hv_crash_params", .first = 3),
    ITEM(hv_state, crash.p4, "cpu:env.msr_hv_crash_params", .first = 4),
    ITEM(hv_state, reenlightenment.control, "cpu:env.msr_hv_reenlightenment_control"),
    ITEM(hv_state, reenlightenment.emulation_control, "cpu:env.msr_hv_tsc_emulation_control"),
    ITEM(hv_state, reenlightenment.emulation_status, "cpu:env.msr_hv_tsc_emulation_status"),
    END_ROWS,
};

/* The same in all releases that were looked at, from 7.2 to 11.1. */
static const struct gim_release releases[] = {{7, 2, 1}, {0, 0, 0}};

static const struct gim_frame frames[] = {{.name = "cpu", .rows = items}};

const struct gim_layout hv_layout_qemu = {
    .name = "qemu-hyperv",
    .format = "qemu",
    .first = 1,
    .last = 1,
    .releases = releases,
    .frames = frames,
    .frame_count = 1,
};
