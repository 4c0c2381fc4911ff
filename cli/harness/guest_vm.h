/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Guests that boot: a VM in which an unmodified multiboot kernel runs, with the runtime core as its hypervisor; saving it and going on. */
#ifndef GUEST_VM_H
#define GUEST_VM_H

#include "gimstate.h"

struct guest_report;

struct guest_options {
	const char *provider;    /* of a new machine, when there is no state */
	struct gim_state *state; /* or the state whose guest interface it has; NULL */
	const char *state_path;  /* resume: the bundle that the state is from */
	bool resume;             /* go on where it was saved, instead of booting */
	const char *kernel, *append;
	uint32_t vcpus;     /* 0: the state's, or one */
	uint64_t ram_bytes; /* 0: the state's, or 128 MiB */
	bool kernel_clock;  /* KVM's own MSRs are served by the kernel */
	/* All from the start of the run; 0: not at all. */
	uint64_t for_ns;     /* end it then, as asked */
	uint64_t timeout_ns; /* end it then, as a failure */
	uint64_t save_ns;    /* save it then to `save`, and end it */
	const char *save;
	bool replace;                               /* `save` may stand for a file already */
	void (*serial)(void *user, char c);         /* what the guest writes to its serial line; called by any thread, one at a time */
	void (*note)(void *user, const char *text); /* a sentence on the host or the guest */
	void (*report)(void *user, const struct guest_report *report);
	void *user;             /* of all */
	const char *save_after; /* write it there at its end, unless the timeout is that */
	uint16_t gdb_port;      /* a debugger may connect there, and it waits for one; 0: none */
};

/* How it ended, when it was no failure. From GUEST_IDLE on only a guest that another hypervisor saved ends so; for others that is a failure. */
enum guest_end {
	GUEST_EXITED,
	GUEST_STOPPED, /* as asked */
	GUEST_SAVED,
	GUEST_IDLE,       /* every vCPU waits, and nothing will wake one */
	GUEST_RESET,      /* it asked for a reset */
	GUEST_SHUT_DOWN,  /* by a triple fault */
	GUEST_CRASHED,    /* and said so by its interface */
	GUEST_UNRUNNABLE, /* the host cannot run what comes next */
	GUEST_KILLED,     /* by the debugger */
};

/* A vCPU where it ended. */
struct guest_place {
	uint64_t rip, linear; /* with the code segment's base */
	const char *mode;     /* "real", "protected", "long", "compatibility" */
	const char *activity; /* "runs", "halts", "waits" */
};

struct guest_log;
struct gim_machine;

/* What a guest that another hypervisor saved has done; lives during the call. */
struct guest_report {
	const struct guest_log *log;
	const struct guest_place *vcpus;
	uint32_t vcpu_count;
	struct gim_machine *machine;
	const struct gim_state *before, *after; /* the guest interface when it began to run, and at the end */
	const char *why;                        /* it ended, a sentence; or "" */
};

struct guest_result {
	enum guest_end end;
	uint32_t value; /* GUEST_EXITED: what the guest wrote to its exit port, 0 for success */
	uint32_t vcpus;
	uint64_t ram_bytes, tsc_hz;
	uint64_t ran_ns;
	bool saved, saved_after; /* the file was written, also when it ended by a failure of its own */
};

/* Boot it, or go on with it, until it ends; no thread is left. GIM_E_STOPPED: the timeout ended it; GIM_E_UNSUPPORTED: this host cannot run it, or it crashed. */
int guest_run(const struct guest_options *options, struct guest_result *result, struct gim_error *error);

#endif
