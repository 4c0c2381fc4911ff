/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Local APICs of a guest that boots: interrupts with their priorities, EOI, IPIs and the timer, as xAPIC and x2APIC. They know nothing of KVM. */
#ifndef APIC_H
#define APIC_H

#include <stdbool.h>
#include <stdint.h>

enum { APIC_LVT_TIMER, APIC_LVT_THERMAL, APIC_LVT_COUNTERS, APIC_LVT_LINT0, APIC_LVT_LINT1, APIC_LVT_ERROR, APIC_LVTS };

/* Intel SDM, local APIC. auto_eoi: vectors in irr that will be in service for no time. */
struct apic {
	uint64_t base; /* IA32_APIC_BASE */
	uint64_t icr;
	uint64_t timer_due_tsc; /* 0: it stands */
	uint32_t id, tpr, ldr, dfr, svr, esr, divide, initial_count;
	uint32_t lvt[APIC_LVTS];
	uint32_t irr[8], isr[8], auto_eoi[8];
};

enum apic_signal { APIC_INIT, APIC_STARTUP, APIC_NMI };

/* The APICs of a machine, and what they do to its vCPUs. */
struct apics {
	struct apic *items;
	uint32_t count;
	uint64_t tsc_hz, timer_hz;
	void *user;
	void (*wake)(void *user, uint32_t vcpu); /* an interrupt waits */
	void (*signal)(void *user, uint32_t vcpu, enum apic_signal signal, uint8_t vector);
	void (*ended)(void *user, uint32_t vcpu, uint8_t vector); /* by an EOI */
};

#define APIC_BASE_GPA UINT64_C(0xfee00000)
enum { APIC_REGISTER_TPR = 0x80, APIC_REGISTER_EOI = 0xb0, APIC_REGISTER_ICR = 0x300 };

/* What it is after power-on; after INIT, which leaves its place and its id. */
void apic_reset(struct apic *apic, uint32_t id);
void apic_init(struct apic *apic);

bool apic_is_on(const struct apic *apic);
bool apic_is_x2(const struct apic *apic);
/* false: #GP. */
bool apic_write_base(struct apic *apic, uint64_t value);

/* A register by its offset in the xAPIC's page; in x2APIC mode ICR has 64 bits. false: there is none, or not so. */
bool apic_read(const struct apics *apics, uint32_t vcpu, uint32_t offset, uint64_t tsc, uint64_t *value);
bool apic_write(struct apics *apics, uint32_t vcpu, uint32_t offset, uint64_t tsc, uint64_t value);

/* The timer's other mode: the MSR IA32_TSC_DEADLINE. */
uint64_t apic_read_deadline(const struct apic *apic);
void apic_write_deadline(struct apics *apics, uint32_t vcpu, uint64_t tsc);

/* An edge-triggered interrupt arrives. */
void apic_raise(struct apics *apics, uint32_t vcpu, uint8_t vector, bool auto_eoi);
/* The vector that can be taken now, negative: none; taking it; true: it has ended with that. */
int apic_pending(const struct apic *apic);
bool apic_take(struct apic *apic, uint8_t vector);

/* When the earliest timer is due, UINT64_MAX: never; and what is due by then. */
uint64_t apics_deadline(const struct apics *apics);
void apics_advance(struct apics *apics, uint64_t tsc);

#endif
