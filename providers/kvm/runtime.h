/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The KVM interface alive: its own memory beside the state, and what the files of this folder call in each other. */
#ifndef GIM_KVM_RUNTIME_H
#define GIM_KVM_RUNTIME_H

#include "kvm.h"
#include "machine.h"

/* Bits of features.base (KVM cpuid.rst). */
enum {
	KVM_CLOCKSOURCE = 0,
	KVM_NOP_IO_DELAY = 1,
	KVM_CLOCKSOURCE2 = 3,
	KVM_ASYNC_PF = 4,
	KVM_STEAL_TIME = 5,
	KVM_PV_EOI = 6,
	KVM_PV_UNHALT = 7,
	KVM_PV_TLB_FLUSH = 9,
	KVM_ASYNC_PF_VMEXIT = 10,
	KVM_POLL_CONTROL = 12,
	KVM_PV_SCHED_YIELD = 13,
	KVM_ASYNC_PF_INT = 14,
	KVM_MSI_EXT_DEST_ID = 15,
	KVM_MIGRATION_CONTROL = 17,
	KVM_CLOCKSOURCE_STABLE = 24,
};

/* Bit 0 of the MSRs that hold an address. */
#define KVM_ENABLED UINT64_C(1)

/* Where the time structure is, by its MSR; 0 while that is off. */
static inline uint64_t kvm_structure_gpa(uint64_t system_time)
{
	return system_time & KVM_ENABLED ? system_time & ~KVM_ENABLED : 0;
}

/* How ticks of the TSC become ns: shifted, then times mul, divided by 2^32. */
struct kvm_scale {
	uint32_t mul;
	int8_t shift;
};

struct kvm_machine {
	struct kvm_scale scale;
	uint64_t tsc, ns; /* the anchor of all vCPUs' clocks: then it was this time */
	bool catch_up;    /* after a load the clock goes on as if it had not stood in between */
};

struct kvm_vcpu_own {
	uint64_t waited_ns; /* what the embedder said when it was asked last */
};

static inline struct kvm_machine *kvm_own(const struct gim_machine *machine)
{
	return (struct kvm_machine *)gim_machine_own(machine);
}
static inline struct kvm_state *kvm_state(const struct gim_machine *machine)
{
	return (struct kvm_state *)(void *)machine->object.data;
}
static inline struct kvm_vcpu *kvm_vcpu(const struct gim_machine *machine, uint32_t vcpu)
{
	return (struct kvm_vcpu *)gim_machine_vcpu(machine, vcpu);
}
static inline struct kvm_vcpu_own *kvm_vcpu_own(const struct gim_machine *machine, uint32_t vcpu)
{
	return (struct kvm_vcpu_own *)gim_machine_vcpu_own(machine, vcpu);
}
/* Was the guest shown that feature? */
static inline bool kvm_has(const struct gim_machine *machine, unsigned feature)
{
	return kvm_state(machine)->features.base >> feature & 1;
}

/* As the members read and write of struct gim_msr_row, and the hooks of struct gim_runtime. */
typedef enum gim_access kvm_msr_fn(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value);

extern const struct gim_runtime kvm_runtime;
extern const struct gim_msr_row kvm_msrs[];
enum gim_access kvm_cpuid_leaf(struct gim_machine *machine, uint32_t vcpu, uint32_t leaf, uint32_t subleaf, uint32_t regs[4]);
enum gim_access kvm_hypercall(struct gim_machine *machine, uint32_t vcpu, struct gim_registers *registers);

/* Clocks (clock.c). */
struct kvm_scale kvm_scale_of(uint64_t tsc_hz);
uint64_t kvm_scale_ticks(struct kvm_scale scale, uint64_t ticks);
uint64_t kvm_clock_ns(const struct gim_machine *machine);
void kvm_clock_init(struct gim_machine *machine);
void kvm_clock_loaded(struct gim_machine *machine);
void kvm_clock_load_done(struct gim_machine *machine);
kvm_msr_fn kvm_write_system_time, kvm_write_wall_clock;

/* Asynchronous page faults (async_pf.c). */
kvm_msr_fn kvm_write_async_pf, kvm_write_async_pf_ack;
int kvm_async_fault(struct gim_machine *machine, uint32_t vcpu, uint32_t token, bool ready);

/* Steal time (steal_time.c). */
kvm_msr_fn kvm_write_steal_time;
void kvm_run(struct gim_machine *machine, uint32_t vcpu, bool running);
/* Of what a vCPU has waited at this embedder nothing is told yet; and what was not told is to be saved. */
void kvm_steal_time_load_done(struct gim_machine *machine);
void kvm_steal_time_save(struct gim_machine *machine);

/* EOI by a word in memory (pv_eoi.c). */
kvm_msr_fn kvm_write_pv_eoi;
void kvm_interrupt_wanted(struct gim_machine *machine, uint32_t vcpu);
void kvm_interrupt_taken(struct gim_machine *machine, uint32_t vcpu, uint8_t vector, bool others_wait);
void kvm_eoi(struct gim_machine *machine, uint32_t vcpu, uint8_t vector);

#endif
