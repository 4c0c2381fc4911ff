/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Hyper-V interface alive: its own memory beside the state, and what the files of this folder call in each other. */
#ifndef GIM_HYPERV_RUNTIME_H
#define GIM_HYPERV_RUNTIME_H

#include "hyperv.h"
#include "machine.h"
#include "synic.h"

/* Pages over guest memory, in the order of their names (runtime.c). */
enum { HV_PAGE_HYPERCALL, HV_PAGE_TSC };

/* The provider's counters, in the order of their names (runtime.c): the machine's, and each vCPU's. */
enum {
	HV_COUNT_MESSAGES, /* written to a slot */
	HV_COUNT_EVENTS,   /* flags set */
	HV_COUNT_CALLS,    /* + n: of the n-th hypercall (hypercall.h) */
};
enum {
	HV_COUNT_STIMER, /* + n: expiries of timer n */
};

#define HV_CODE_MAX 64

/* The machine's: what is configured, and what follows from the state. Zeroed before the settings. */
struct hv_machine {
	char vendor[12];
	bool hypercall_debug;      /* the guest shall debug by hypercalls, not MSRs */
	uint8_t code[HV_CODE_MAX]; /* of the hypercall page */
	uint32_t code_bytes;
	struct hv_synic synic;
};

/* A vCPU's. */
struct hv_vcpu {
	uint64_t runtime_base; /* vp.runtime less the time that the embedder says it ran */
	struct hv_synic_vp synic;
};

static inline struct hv_machine *hv_own(const struct gim_machine *machine)
{
	return (struct hv_machine *)gim_machine_own(machine);
}
static inline struct hv_state *hv_state(const struct gim_machine *machine)
{
	return (struct hv_state *)(void *)machine->object.data;
}
static inline struct hv_vp *hv_vp(const struct gim_machine *machine, uint32_t vcpu)
{
	return (struct hv_vp *)gim_machine_vcpu(machine, vcpu);
}
static inline struct hv_vcpu *hv_vcpu(const struct gim_machine *machine, uint32_t vcpu)
{
	return (struct hv_vcpu *)gim_machine_vcpu_own(machine, vcpu);
}

/*
 * Frame (runtime.c), MSRs (msr.c), CPUID (cpuid.c).
 */
extern const struct gim_runtime hv_runtime;
extern const struct gim_msr_row hv_msrs[];
enum gim_access hv_cpuid_leaf(struct gim_machine *machine, uint32_t vcpu, uint32_t leaf, uint32_t subleaf, uint32_t regs[4]);

/*
 * Clock (clock.c): the reference time, in units of 100 ns. The MSR and the page show the same.
 */
uint64_t hv_time(const struct gim_machine *machine);
uint64_t hv_time_at(const struct gim_machine *machine, uint64_t tsc);
/* The first TSC at which the reference time is `time` or later; GIM_UNKNOWN: no TSC reaches it. */
uint64_t hv_time_tsc(const struct gim_machine *machine, uint64_t time);

/*
 * SynIC (synic.c) and timers (stimer.c). The handlers are those of struct gim_msr_row: *value is what the guest writes, and the core stores it when they
 * return GIM_ACCESS_DONE. Reserved bits of the rows are checked before.
 */
enum gim_access hv_synic_write_scontrol(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value);
enum gim_access hv_synic_write_siefp(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value);
enum gim_access hv_synic_write_simp(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value);
enum gim_access hv_synic_write_eom(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value);
enum gim_access hv_synic_write_sint(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value);
enum gim_access hv_stimer_write_config(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value);
enum gim_access hv_stimer_write_count(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value);

/* The hooks of struct gim_runtime of the same names, for the SynIC, its queues and the timers together. */
/* Members of timers and queues that the state's layout could not hold; scontrol is settled. */
int hv_synic_loaded(struct gim_machine *machine, const struct gim_state *state, gim_report_fn *report, void *user, struct gim_error *error);
/* The clock goes on: timers run again. */
int hv_synic_load_done(struct gim_machine *machine, struct gim_error *error);
int hv_synic_save(struct gim_machine *machine, struct gim_error *error);
/* The members of vp[] are at their reset values: forget queues and timers. Connections stay. */
void hv_synic_reset(struct gim_machine *machine);
void hv_synic_term(struct gim_machine *machine);
void hv_synic_eoi(struct gim_machine *machine, uint32_t vcpu, uint8_t vector);
uint64_t hv_stimer_deadline(const struct gim_machine *machine);
void hv_stimer_advance(struct gim_machine *machine, uint64_t tsc);

/*
 * Hypercalls (hypercall.c): all checks included; #UD while the guest OS id is 0.
 */
enum gim_access hv_hypercall(struct gim_machine *machine, uint32_t vcpu, struct gim_registers *registers);

/*
 * Debug transport (debug.c). MSR 0x400000F1: sends or receives as it says, sets debug.status, and may be stored after. The buffers' MSRs, and the status, are
 * plain members. Pending: the byte at debug.pending_buffer.
 */
enum gim_access hv_debug_write_control(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value);
void hv_debug_ready(struct gim_machine *machine);
/* By hypercall: how many bytes of a packet were taken; the bytes of one that came, 0: none; and what comes is thrown away. */
uint32_t hv_debug_post(struct gim_machine *machine, const uint8_t *bytes, uint32_t size);
uint32_t hv_debug_retrieve(struct gim_machine *machine, uint8_t *bytes, uint32_t size);
void hv_debug_purge(struct gim_machine *machine);

#endif
