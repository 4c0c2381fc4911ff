/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A resumed guest under a debugger: it stands and goes at the debugger's word, which comes over a socket of this host alone. */
#ifndef GUEST_DEBUG_H
#define GUEST_DEBUG_H

#include "guest_parts.h"

/* Listen on port of 127.0.0.1, and hold the guest, whose threads have not begun, until a debugger lets it go. */
int guest_debug_open(struct guest *guest, uint16_t port, struct gim_error *error);
/* With the lock: its code is its own again, and the debugger has nothing more to say. Then, without it: end the connection. */
void guest_debug_end(struct guest *guest);
void guest_debug_close(struct guest *guest);

/* With the lock. An exit that a debugger may have wanted: a step, a breakpoint, or an instruction that nobody can run, which it is shown once. false: it is none of its own. */
bool guest_debug_exit(struct guest *guest, struct guest_vcpu *vcpu);
/* Does the debugger keep this vCPU back? And does it take a single step, in which no interrupt comes? */
bool guest_debug_holds(const struct guest *guest, uint32_t vcpu);
bool guest_debug_steps(const struct guest *guest);

#endif
