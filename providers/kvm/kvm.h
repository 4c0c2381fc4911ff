/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The KVM guest interface as state: what any hypervisor saves of it, as structs and their records. */
#ifndef GIM_KVM_H
#define GIM_KVM_H

#include "check.h"

struct kvm_vcpu {
	uint64_t system_time;
	uint64_t tsc, virtual_ns; /* the clock's anchor, as it stands in the time structure */
	uint64_t gpa;
	uint32_t version;
	uint8_t flags;
	uint8_t async_pf_pending, pv_eoi_pending;
	uint64_t async_pf, async_pf_int, steal_time, steal_ns, pv_eoi, poll_control;
};

struct kvm_features {
	uint32_t base;
};

struct kvm_state {
	struct gim_list vcpu;
	uint64_t wall_clock;
	struct kvm_features features;
	uint64_t clock_ns, migration_control;
	uint8_t clock_reliable;
};

extern const struct gim_record kvm_vcpu_record, kvm_features_record, kvm_state_record;
extern const struct gim_layout kvm_layout_vbox, kvm_layout_qemu;
extern const struct gim_cpuid_row kvm_cpuid[];
extern const struct gim_check_rule kvm_checks[];
extern const struct gim_bit kvm_bits_flags[];

#endif
