/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Guest memory as commands read it: of a file, or in the shell of the machine that runs. */
#ifndef GUEST_MEMORY_H
#define GUEST_MEMORY_H

#include "gimstate.h"
#include "progress.h"

struct guest_memory {
	struct gim_state *state; /* of a file */
	struct gim_memory *memory;
	struct gim_machine *machine; /* or the shell's */
	struct progress progress;
};

/* Open what `file` names; index (NULL: none): by the index in this file, or, where that is of no use, keep one there. Free it, also on failure. */
int guest_memory_open(struct guest_memory *memory, const char *file, const char *index, struct gim_error *error);
void guest_memory_free(struct guest_memory *memory);

int guest_memory_read(struct guest_memory *memory, uint64_t gpa, void *bytes, size_t size, struct gim_error *error);

/* A number as it is typed: decimal or 0x…, and with suffix K, M or G after it. */
bool memory_number(const char *text, uint64_t *number);

/* Whatever went wrong with memory, there is no answer. */
int memory_failed(struct guest_memory *memory, const char *file, const struct gim_error *error, bool json);

#endif
