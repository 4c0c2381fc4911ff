/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The built-in probes: scripts in the probe language that follow from a state, its machine's MSRs and its pages. */
#ifndef BUILTIN_H
#define BUILTIN_H

#include "probe.h"

/* What they are made of. */
struct builtin_context {
	struct gim_state *state; /* as the file has it: what the machine must be */
	struct engine *engine;   /* with that state loaded */
	bool kernel_clock;
};

struct builtin {
	const char *name, *help;
	bool alters; /* the guest's state is another one after it: not on a machine that will be saved */
	/* Write the script; nothing when it has nothing to say of this state. Non-zero: memory is out. */
	int (*write)(FILE *script, const struct builtin_context *context);
};
extern const struct builtin builtins[]; /* ended by a NULL name */

/* Each with its help, one a line. */
void builtin_help(FILE *stream);

/* Write and parse one. *probe is the caller's, NULL when it has nothing to say. */
int builtin_probe(const struct builtin *builtin, const struct builtin_context *context, struct probe **probe, struct gim_error *error);

#endif
