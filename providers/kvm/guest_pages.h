/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What KVM's interface keeps in guest memory (KVM msr.rst). */
#ifndef GIM_KVM_GUEST_PAGES_H
#define GIM_KVM_GUEST_PAGES_H

#include "check.h"
#include "pages.h"

struct kvm_pvclock {
	uint64_t gpa, tsc, system_ns, tsc_hz;
	uint32_t version, reserved, multiplier;
	uint8_t shift, flags;
};

struct kvm_wall_clock {
	uint64_t gpa;
	uint32_t version, seconds, nanoseconds;
};

struct kvm_steal_time {
	uint64_t gpa, steal_ns;
	uint32_t version, flags;
	uint8_t preempted;
};

struct kvm_pv_eoi {
	uint64_t gpa;
	uint32_t word;
};

struct kvm_async_pf {
	uint64_t gpa;
	uint32_t flags, token;
};

struct kvm_vcpu_pages {
	struct kvm_pvclock pvclock;
	struct kvm_steal_time steal_time;
	struct kvm_pv_eoi pv_eoi;
	struct kvm_async_pf async_pf;
};

struct kvm_pages {
	struct kvm_wall_clock wall_clock;
	struct gim_list vcpu;
};

extern const struct gim_record kvm_pvclock_record, kvm_wall_clock_record, kvm_steal_time_record, kvm_pv_eoi_record, kvm_async_pf_record,
    kvm_vcpu_pages_record, kvm_pages_record;

extern const struct gim_page_provider kvm_page_provider;

/* What judges them (check_pages.c). */
void kvm_judge_page_versions(struct gim_judging *judging);
void kvm_judge_page_frequencies(struct gim_judging *judging);
void kvm_judge_page_copies(struct gim_judging *judging);
void kvm_judge_page_clocks(struct gim_judging *judging);
void kvm_judge_wall_clock(struct gim_judging *judging);

#endif
