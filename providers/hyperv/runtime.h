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

/* The hypercall page's code has at most so many bytes. */
#define HV_CODE_MAX 64

/* The machine's: what is configured. Zeroed before the settings. */
struct hv_machine {
	char vendor[12];
	bool no_vs_interface;      /* the synthetic debugger is not offered */
	bool hypercall_debug;      /* the guest shall debug by hypercalls, not MSRs */
	uint8_t code[HV_CODE_MAX]; /* of the hypercall page */
	uint32_t code_bytes;
	bool clock_kept; /* the loaded state says how its reference time follows from the TSC */
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

/* A handler of struct gim_msr_row: *value is what the guest writes, and is stored when it returns GIM_ACCESS_DONE; the rows' reserved bits were checked. */
typedef enum gim_access hv_msr_fn(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value);

/*
 * Frame (runtime.c), settings (settings.c), MSRs (msr.c), CPUID (cpuid.c).
 */
extern const struct gim_runtime hv_runtime;
extern const struct gim_setting_row hv_settings[];
extern const struct gim_msr_row hv_msrs[];
/* After the settings: what they left open, and the words that the guest is shown. */
int hv_configure(struct gim_machine *machine, struct gim_error *error);
enum gim_access hv_cpuid_leaf(struct gim_machine *machine, uint32_t vcpu, uint32_t leaf, uint32_t subleaf, uint32_t regs[4]);

/* How long a virtual processor has run, in units of 100 ns (runtime.c). */
uint64_t hv_vp_runtime(const struct gim_machine *machine, uint32_t vcpu);

/* What loading a state may find (runtime.c). */
enum hv_rule { HV_RULE_PAGE_MSR, HV_RULE_TIME, HV_RULES };
extern const struct gim_rule hv_rules[HV_RULES];

/*
 * Pages over guest memory and in it (pages.c).
 */
hv_msr_fn hv_page_write_guest_os_id, hv_page_write_hypercall, hv_page_write_vp_assist;
/* What a new state says of both pages that is no reset value. */
void hv_pages_carried(struct gim_object *object);
void hv_pages_fresh(struct gim_object *object);
/* What is under both pages' names when no state said it. */
void hv_pages_init(struct gim_machine *machine);
/* Judge the loaded state's pages, and lay them where it has them. */
int hv_pages_loaded(struct gim_machine *machine, gim_report_fn *report, void *user, struct gim_error *error);
int hv_pages_load_done(struct gim_machine *machine, struct gim_error *error);
void hv_pages_reset(struct gim_machine *machine);

/*
 * Clock (clock.c): the reference time, in units of 100 ns. The MSR and the page show the same.
 */
uint64_t hv_time(const struct gim_machine *machine);
uint64_t hv_time_at(const struct gim_machine *machine, uint64_t tsc);
/* The first TSC at which the reference time is `time` or later; GIM_UNKNOWN: no TSC reaches it. */
uint64_t hv_time_tsc(const struct gim_machine *machine, uint64_t time);

hv_msr_fn hv_clock_read_time, hv_clock_write_page, hv_clock_write_emulation_control, hv_clock_write_emulation_status,
    hv_clock_write_invariant;
/* Time begins now. */
void hv_clock_init(struct gim_machine *machine);
/* Derive the reference time where the state does not hold it; it goes on from there with load_done. */
int hv_clock_loaded(struct gim_machine *machine, const struct gim_state *from, struct gim_error *error);
int hv_clock_load_done(struct gim_machine *machine, struct gim_error *error);
/* Time goes on through a reset; emulation of another TSC frequency does not. */
void hv_clock_reset(struct gim_machine *machine);

/*
 * SynIC (synic.c) and timers (stimer.c).
 */
hv_msr_fn hv_synic_write_scontrol, hv_synic_write_siefp, hv_synic_write_simp, hv_synic_write_eom, hv_synic_write_sint,
    hv_stimer_write_config, hv_stimer_write_count;

/* The hooks of struct gim_runtime of the same names, for the SynIC, its queues and the timers together.
 * Take the queues, connections and timers over, or fail and change nothing; scontrol and time_ref_count are settled. */
int hv_synic_loaded(struct gim_machine *machine, struct gim_error *error);
/* The clock goes on: timers run again. */
void hv_stimer_load_done(struct gim_machine *machine);
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
hv_msr_fn hv_debug_write_control;
void hv_debug_ready(struct gim_machine *machine);
/* By hypercall: how many bytes of a packet were taken; the bytes of one that came, 0: none; and what comes is thrown away. */
uint32_t hv_debug_post(struct gim_machine *machine, const uint8_t *bytes, uint32_t size);
uint32_t hv_debug_retrieve(struct gim_machine *machine, uint8_t *bytes, uint32_t size);
void hv_debug_purge(struct gim_machine *machine);

#endif
