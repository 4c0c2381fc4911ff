/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Replaying a state: a machine is made of it on an engine, and probes are run on that. */
#ifndef REPLAY_H
#define REPLAY_H

#include "probe.h"

#define REPLAY_PROBES_MAX 64

struct replay_options {
	const char *engine; /* "auto", "kvm", "core" */
	bool kernel_clock;
	unsigned watchdog_ms, repeat; /* repeat 0: once */
	const char *const *probes;    /* files; none: the built-in ones */
	unsigned probe_count;         /* at most REPLAY_PROBES_MAX */
	probe_step_fn *step;          /* called for each line that ran */
	void (*begin)(void *user, const char *probe);
	void (*note)(void *user, const char *text);
	engine_capability_fn *capability; /* what the engine found the host to be able to; once */
	void *user;                       /* of the four */
};

struct replay_result {
	const char *engine;
	uint32_t vcpus;
	uint64_t ram_bytes, tsc_hz;
	unsigned met, failed, skipped;
	bool by_probe; /* what ended it is told by its place in a file of the options */
};

/* What the state says of the machine that it wants, with defaults for what it does not say; config->provider is then `provider`. */
int replay_machine(struct gim_state *state, struct gim_machine_config *config, char provider[16], struct gim_error *error);

/* Run it. saved (may be NULL) gets the machine's state after probes that keep it: the caller's, gim_state_free. A failed expectation is no error; *result is
 * filled as far as it came. */
int replay(struct gim_state *state, const struct replay_options *options, struct replay_result *result, struct gim_state **saved,
           struct gim_error *error);

#endif
