/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Going on with a guest that another hypervisor saved: its memory, its vCPUs and its guest interface, in a VM of ours. */
#ifndef GUEST_RESUME_H
#define GUEST_RESUME_H

#include "guest_parts.h"

/* Can it be gone on with? Finds the memory of options->state, which must have been opened settled, and says in *ram_bytes where its RAM ends. */
int guest_resume_open(struct guest *guest, uint64_t *ram_bytes, struct gim_error *error);
/* Make the guest, whose VM and machine are new, the one that the state holds. What cannot be as it was goes to options->note. */
int guest_resume(struct guest *guest, struct gim_error *error);
/* Free what resuming kept. */
void guest_resume_close(struct guest *guest);

/* Tell the guest's options of something, a sentence. */
void guest_note(struct guest *guest, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __x86_64__

struct saved_vcpu;
struct resume_vcpu;
struct resume_clocks;

/* What KVM and our APICs take of a vCPU; tsc and tsc_hz: the guest's now. Notes what they cannot take. */
void guest_translate_vcpu(struct guest *guest, uint32_t id, const struct resume_vcpu *from, const struct resume_clocks *clocks,
                          uint64_t tsc, struct saved_vcpu *to);

#endif

#endif
