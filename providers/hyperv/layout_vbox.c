/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How VirtualBox writes the Hyper-V interface in its GIM unit: blob versions 1 (5.0), 2 (5.1), 3 (5.2) and 4 (6.0 and later). */
#include "hyperv.h"

#include "state.h"

static const struct gim_row vp_rows[] = {
    ON(hv_vp, simp),
    ON_(hv_vp, sint[2], .until = 2),
    SINCE(3, hv_vp, sint),
    END_ROWS,
};

/* Loaders take descriptions into 32 bytes, the end included. */
#define DESCRIPTION_LIMIT 31

#define PAGE_SIZE_RULE .value = 0x1000, .rule = &gim_unit_rules[GIM_UNIT_PAGE_SIZE]

static const struct gim_row rows[] = {
    LAYOUT_VERSION,
    ON(hv_state, guest_os_id),
    ON(hv_state, hypercall),
    ON(hv_state, reference_tsc),
    ON(hv_state, features.base),
    ON(hv_state, features.partition),
    ON(hv_state, features.power),
    ON(hv_state, features.misc),
    ON(hv_state, features.hints),
    ON(hv_state, features.host),
    ON(hv_state, hypercall_page.index),
    ON(hv_state, hypercall_page.raw_mode),
    ON_(hv_state, hypercall_page.size, PAGE_SIZE_RULE),
    ON_GPA(hv_state, hypercall_page.gpa),
    ON_(hv_state, hypercall_page.description, .limit = DESCRIPTION_LIMIT),
    ON(hv_state, tsc_page.index),
    ON(hv_state, tsc_page.raw_mode),
    ON_(hv_state, tsc_page.size, PAGE_SIZE_RULE),
    ON_GPA(hv_state, tsc_page.gpa),
    ON_(hv_state, tsc_page.description, .limit = DESCRIPTION_LIMIT, .overlooked = true),
    ON(hv_state, tsc_sequence),
    SINCE(2, hv_state, debug.pending_buffer),
    SINCE(2, hv_state, debug.send_buffer),
    SINCE(2, hv_state, debug.receive_buffer),
    SINCE(2, hv_state, debug.status),
    SINCE(2, hv_state, debug.reply),
    SINCE(2, hv_state, debug.bootp_xid),
    SINCE(2, hv_state, debug.guest_ip4),
    SINCE(4, hv_state, debug.udp_guest_dst_port),
    SINCE(4, hv_state, debug.udp_guest_src_port),
    EACH(hv_state, vp, hv_vp, vp_rows, .count = GIM_COUNT_REST, .since = 2),
    ON_(gim, delimiter, .since = 2, .value = 0xff, .rule = &gim_unit_rules[GIM_UNIT_DELIMITER]),
    END_ROWS,
};

static const struct gim_frame frames[] = {{.name = "GIM", .rows = rows}};

static const struct gim_release releases[] = {{5, 0, 1}, {5, 1, 2}, {5, 2, 3}, {6, 0, 4}, {0, 0, 0}};

/* VirtualBox 5.0 offered crash MSRs in its last builds only. */
static const struct gim_offer offers[] = {
    OFFER(hv_state, features.misc, 0x400, 5, 1),
    OFFER(hv_state, features.hints, 0x100, 5, 2),
    OFFER(hv_state, features.partition, 0x100000, 6, 0),
    {.bits = 0},
};

const struct gim_layout hv_layout_vbox = {
    .name = "vbox-hyperv",
    .format = "vbox",
    .first = 1,
    .last = 4,
    .releases = releases,
    .offers = offers,
    .frames = frames,
    .frame_count = 1,
};
