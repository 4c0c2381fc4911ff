/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A guest from inside: what running it (guest_vm.c) and saving it (guest_state.c) both know. */
#ifndef GUEST_PARTS_H
#define GUEST_PARTS_H

#include "apic.h"
#include "board.h"
#include "guest_log.h"
#include "guest_vm.h"
#include "vm.h"

#include <pthread.h>

struct guest;

enum activity { VCPU_RUNS, VCPU_HALTS, VCPU_WAITS /* for a start-up IPI */ };

struct guest_vcpu {
	struct guest *guest;
	uint32_t id;
	pthread_t thread;
	bool has_thread;
	bool inside, kicked; /* the guest; to come out */
	bool exited;         /* of the last entry something is not complete */
	bool running;        /* the machine was told that it runs */
	/* What is saved. */
	enum activity activity;
	bool interruptible; /* it halts with interrupts enabled */
	bool init, nmi;     /* arrived, and not taken */
	int startup;        /* the vector of a start-up IPI, -1: none */
};

struct guest {
	const struct guest_options *options;
	struct gim_error *error;
	struct vm vm;
	struct gim_machine *machine;
	struct apics apics;
	struct board board;
	struct guest_vcpu *vcpus;
	void *pristine; /* a vCPU's segments and control registers at power-on: struct kvm_sregs */
	bool kernel_clock;
	struct json_t *document; /* of what is resumed; or NULL */
	/* Of a guest that another hypervisor saved. */
	bool foreign;
	struct gim_memory *memory;
	struct guest_log log;
	struct guest_debug *debug; /* a debugger may come; or NULL */
	struct gim_state *before;  /* its guest interface when it began to run */
	enum guest_end end;        /* when it failed: why */

	/* One thread at a time has the machine and all that follows; none has it in the guest. */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a vCPU may have something to do; also: fewer are inside */
	pthread_cond_t clock;   /* something ended, or is due earlier */
	unsigned holding, inside;
	uint64_t for_ns;      /* how long it runs as asked; 0: until it ends */
	bool stop;            /* all threads shall end */
	bool ended, finished; /* the guest by itself, or by failure: result is set */
	int failure;          /* negative: error has it */
	bool in_core;         /* the core must not be called back */
	int ended_vector;     /* of an EOI by the core's MSR, to be told after it; -1: none */
	uint64_t clock_until; /* the TSC that the clock waits for */
};

struct image;

/* The first failure ends the guest. With the lock, as all of these. */
void guest_fail(struct guest *guest, int result);
/* Somebody has something for a vCPU: it comes out, or looks again. */
void guest_kick(struct guest_vcpu *vcpu);
/* The clock waits no longer than to what is due first. */
void guest_set_clock(struct guest *guest);
/* Has the vCPU something to do? */
bool guest_can_run(const struct guest *guest, const struct guest_vcpu *vcpu);
/* Complete what it exited for last, without running it. */
int guest_complete(struct guest *guest, struct guest_vcpu *vcpu, struct gim_error *error);
/* Serve what it exited for. */
int guest_serve_exit(struct guest *guest, struct guest_vcpu *vcpu, struct gim_error *error);

/* A vCPU's thread; without the lock. */
void *guest_run_vcpu(void *vcpu);

/* The first vCPU as a boot loader leaves it. */
int guest_boot_registers(struct guest *guest, const struct image *image, struct gim_error *error);
/* What a vCPU is after INIT, and where a start-up IPI sends it. */
int guest_init_vcpu(struct guest *guest, uint32_t vcpu, struct gim_error *error);

/* Show the vCPUs the machine's CPUID; before their registers are set. */
int guest_set_cpuid(struct guest *guest, struct gim_error *error);

/* Write the guest, all of whose vCPUs stand, to the bundle at path. */
int guest_save(struct guest *guest, const char *path, struct gim_error *error);
/* Remember what its RAM and its guest interface are before it runs; then tell the options what it did. why: what ended it, or "". */
int guest_remember(struct guest *guest, struct gim_error *error);
int guest_tell_report(struct guest *guest, const char *why, struct gim_error *error);
/* Read machine.json of options->state_path into guest->document; it says who serves the clock. Before there is a VM. GIM_E_NO_UNIT: there is none. */
int guest_read_document(struct guest *guest, struct gim_error *error);
/* Make the guest, whose machine is new, the one that options->state_path holds; options->state is open on it. */
int guest_restore(struct guest *guest, struct gim_error *error);

#endif
