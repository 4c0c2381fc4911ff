/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a vCPU has, between KVM, our own APICs, and what was saved. */
#ifndef GUEST_REGISTERS_H
#define GUEST_REGISTERS_H

#include "guest_parts.h"

struct json_t;

#define GUEST_DOCUMENT "machine.json"

/* A number of a document as "0x..." of at most width bytes; false: it is none. */
struct json_t *guest_hex(uint64_t value);
bool guest_read_hex(const struct json_t *json, unsigned width, uint64_t *value);
/* What is wrong with the document in a bundle. */
int guest_bad(struct gim_error *error, const char *path, const char *expected);

#ifdef __x86_64__

#include <linux/kvm.h>

struct saved_vcpu {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_debugregs debug;
	struct kvm_vcpu_events events;
	struct kvm_xcrs xcrs;
	uint32_t xsave[1024]; /* struct kvm_xsave, which has no end that C knows */
	struct apic apic;
	uint8_t activity, interruptible, init, nmi;
	uint32_t startup; /* 0x100: none */
};
#define NO_STARTUP 0x100u

/* A vCPU that stands, as a member of the document, and back. */
int guest_vcpu_json(struct guest *guest, uint32_t id, struct json_t **json, struct gim_error *error);
int guest_read_vcpu(const struct json_t *json, struct saved_vcpu *saved, struct gim_error *error);

/* Make a vCPU what was saved when the TSC was saved_tsc: what is no register of KVM's, and what is one. The MSRs are by themselves. */
void guest_take_vcpu(struct guest *guest, uint32_t id, const struct saved_vcpu *saved, uint64_t saved_tsc);
int guest_set_registers(struct guest *guest, uint32_t id, struct saved_vcpu *saved, struct gim_error *error);
int guest_set_events(struct guest *guest, uint32_t id, const struct saved_vcpu *saved, struct gim_error *error);
/* All MSRs of a document; each must be taken. */
int guest_set_msrs(struct guest *guest, uint32_t id, const struct json_t *json, struct gim_error *error);
/* One; false: the host does not take it, and does not have that value already. */
bool guest_set_msr(struct guest *guest, uint32_t id, uint32_t msr, uint64_t value);

/* The guest's TSC goes on where it was, or, where the host cannot do that, with the host's, if that is later. */
int guest_set_tsc(struct guest *guest, uint64_t saved, struct gim_error *error);

#endif

#endif
