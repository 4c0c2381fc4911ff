/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an engine is: it executes a guest's operations against a machine, in a real VM or on the runtime core alone. */
#ifndef ENGINE_H
#define ENGINE_H

#include "gimstate.h"

/* How an operation ended in the guest. */
enum guest_fault { FAULT_NONE, FAULT_GP, FAULT_UD, FAULT_PF };

/* What a guest can be made to do. */
enum guest_act { ACT_RDMSR, ACT_WRMSR, ACT_CPUID, ACT_RDTSC, ACT_READ, ACT_WRITE, ACT_HYPERCALL };

#define GUEST_BYTES_MAX 256

struct guest_operation {
	enum guest_act act;
	uint32_t number;                /* of the MSR, the CPUID leaf */
	uint32_t subleaf;               /* of CPUID */
	uint64_t value;                 /* WRMSR */
	uint64_t gpa;                   /* READ, WRITE: where; the guest's addresses are physical */
	uint32_t size_bytes;            /* READ, WRITE: 1 to GUEST_BYTES_MAX; 1, 2, 4 and 8 are one access */
	uint8_t bytes[GUEST_BYTES_MAX]; /* WRITE */
	struct gim_registers registers; /* HYPERCALL: before it */
};

struct guest_outcome {
	enum guest_fault fault;
	uint64_t rip, error_code, address; /* of a fault, where the engine has them; address: CR2 */
	uint64_t value;                    /* RDMSR, RDTSC */
	uint32_t regs[4];                  /* CPUID */
	uint8_t bytes[GUEST_BYTES_MAX];    /* READ */
	struct gim_registers registers;    /* HYPERCALL: after it */
};

struct engine_config {
	struct gim_machine_config machine; /* ram must be NULL: it is the engine's */
	bool kernel_clock;                 /* KVM's own MSRs are served by the kernel */
	unsigned watchdog_ms;              /* what one call may take beyond the time it waits for; 0: 10 s */
	/* A sentence on what the host can and cannot do; may be NULL. */
	void (*note)(void *user, const char *text);
	void *note_user;
	/* What happens in the machine: interrupts that are taken, messages that are read, what the interface logs; may be NULL. */
	void (*trace)(void *user, const char *text);
	void *trace_user;
};

/* A vCPU's handler of synthetic interrupts reads and clears the message slot of this SINT when `vector` comes, as a guest's does. */
struct engine_ack {
	uint32_t vcpu;
	uint8_t vector, sint;
};
#define ENGINE_ACKS_MAX 64

struct engine {
	const struct engine_kind *kind;
	struct gim_machine *machine; /* the hypervisor; the caller may use it between calls, when the guest stands still */
	uint32_t vcpus;
	uint64_t tsc_hz, ram_bytes; /* tsc_hz: what open made of the wanted one */
	void *ram;                  /* of ram_bytes, without the interface's pages */
	void (*trace)(void *user, const char *text);
	void *trace_user;
	uint64_t loaded_tsc[2];   /* before and after the last load let the clocks go on */
	struct gim_state *loaded; /* what the machine made of it: every field, and the clocks as they stood then */
	unsigned watchdog_ms;
	uint64_t (*taken)[256];   /* interrupts, by vCPU and vector */
	uint64_t (*messages)[16]; /* read by handlers, by vCPU and SINT */
	struct engine_ack acks[ENGINE_ACKS_MAX];
	unsigned ack_count;
};

typedef void engine_capability_fn(void *user, const char *name, int value);

/*
 * What an engine does itself; the functions below put it together. Codes and errors as in gimstate.h; GIM_E_UNSUPPORTED: not on this host,
 * GIM_E_STOPPED: the watchdog or a person (stop.h) ended it.
 */
struct engine_kind {
	const char *name, *help;
	size_t size_bytes; /* of its struct, which begins with a struct engine */
	bool has_kernel;   /* which can serve a clock: engine_config.kernel_clock */
	/* 0: it can be used here, else *error has the reason. */
	int (*probe)(struct gim_error *error);
	/* Make the VM, and its machine by engine_machine. What was made before a failure is left to close. */
	int (*open)(struct engine *engine, const struct engine_config *config, struct gim_error *error);
	void (*close)(struct engine *engine);
	/* What the host can: what it answered to each capability that was asked for. NULL: nothing was asked. */
	void (*describe)(const struct engine *engine, engine_capability_fn *take, void *user);
	/* The machine was loaded: take pages, MSRs and clocks over that it does not serve itself. NULL: nothing is to be done. */
	int (*loaded)(struct engine *engine, struct gim_error *error);
	/* The machine was saved: put into its state what the engine serves without it. NULL: nothing is to be done. */
	int (*saved)(struct engine *engine, struct gim_state *state, struct gim_error *error);
	/* Let the vCPU do it. A fault in the guest is an outcome. */
	int (*execute)(struct engine *engine, uint32_t vcpu, const struct guest_operation *operation, struct guest_outcome *outcome,
	               struct gim_error *error);
	/* Make the vCPU take an interrupt: what it executes from then on it does in the handler, until leave. */
	int (*enter)(struct engine *engine, uint32_t vcpu, uint8_t vector, struct gim_error *error);
	int (*leave)(struct engine *engine, uint32_t vcpu, struct gim_error *error);
	/* The guest's TSC, and letting time pass until it is reached. */
	uint64_t (*tsc)(struct engine *engine);
	int (*sleep)(struct engine *engine, uint64_t tsc, struct gim_error *error);
};

extern const struct engine_kind engine_core, engine_kvm;
extern const struct engine_kind *const engine_kinds[]; /* in order of preference, NULL-terminated */

/* Is it the name of an engine, or "auto"? */
bool engine_is_name(const char *name);
/* The engine of that name; "auto": the first that can be used here, with a note why an earlier one cannot. */
int engine_find(const char *name, const struct engine_config *config, const struct engine_kind **kind, struct gim_error *error);

/* Make a VM and its machine, which is ready to be loaded or run. *engine is the caller's: engine_close. */
int engine_open(const struct engine_kind *kind, const struct engine_config *config, struct engine **engine, struct gim_error *error);
void engine_close(struct engine **engine);
/* Load a state into the engine's machine, and let it go on. */
int engine_load(struct engine *engine, struct gim_state *state, gim_report_fn *report, void *user, struct gim_error *error);
/* The machine's state; *state is the caller's: gim_state_free. */
int engine_save(struct engine *engine, struct gim_state **state, struct gim_error *error);

/* Let a vCPU do something; interrupts that are due then are taken by all vCPUs, each handler counting and ending them. */
int engine_execute(struct engine *engine, uint32_t vcpu, const struct guest_operation *operation, struct guest_outcome *outcome,
                   struct gim_error *error);
/* The same without an operation: what the machine was made to do by its embedder's functions arrives. */
int engine_settle(struct engine *engine, struct gim_error *error);
/* Let all vCPUs idle for ns nanoseconds, taking what interrupts come. */
int engine_wait(struct engine *engine, uint64_t ns, struct gim_error *error);

/* Take over what was counted and set up in an engine that this one replaces. */
void engine_adopt(struct engine *engine, struct engine *old);
/* Put an engine with the machine's state in it in *engine's place; what was counted and set up goes on. On failure the old one stays. */
int engine_reload(struct engine **engine, const struct engine_config *config, struct gim_error *error);

/* For engines: gim_host's log; user is the struct engine. */
void engine_log(void *user, enum gim_severity severity, const char *text);
/* For engines: a person wants it to stop; fills *error then. */
int engine_stopped(struct gim_error *error);

/* For engines: a machine with their host callbacks, brought up; its hypercall page is `out %al, $0xf0; ret` (guest64.h). *machine is the caller's: gim_machine_free. */
int engine_machine(const struct gim_machine_config *config, const struct gim_host *host, struct gim_machine **machine,
                   struct gim_error *error);

#endif
