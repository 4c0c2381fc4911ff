/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How VirtualBox writes the KVM interface in its GIM unit: blob version 1, the only one (5.0 and later). */
#include "kvm.h"

static const struct gim_row vcpu_rows[] = {
    ON(kvm_vcpu, system_time), ON(kvm_vcpu, tsc), ON(kvm_vcpu, virtual_ns), ON_GPA(kvm_vcpu, gpa), ON(kvm_vcpu, version),
    ON(kvm_vcpu, flags),       END_ROWS,
};

static const struct gim_row rows[] = {
    LAYOUT_VERSION,
    EACH(kvm_state, vcpu, kvm_vcpu, vcpu_rows, .count = GIM_COUNT_REST),
    ON(kvm_state, wall_clock),
    ON(kvm_state, features.base),
    END_ROWS,
};

static const struct gim_frame frames[] = {{.name = "GIM", .rows = rows}};

static const struct gim_release releases[] = {{5, 0, 1}, {0, 0, 0}};

const struct gim_layout kvm_layout_vbox = {
    .name = "vbox-kvm",
    .format = "vbox",
    .first = 1,
    .last = 1,
    .releases = releases,
    .frames = frames,
    .frame_count = 1,
};
