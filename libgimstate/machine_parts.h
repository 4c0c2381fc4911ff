/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the runtime core have from each other, and nobody else. */
#ifndef GIM_MACHINE_PARTS_H
#define GIM_MACHINE_PARTS_H

#include "machine.h"
#include "machine_record.h"

/* As gim_machine_new, of a provider that need not be registered. */
int gim_machine_new_of(const struct gim_provider *provider, const struct gim_machine_config *config, const struct gim_host *host,
                       struct gim_machine **machine, struct gim_error *error);

/* GIM_E_ARGUMENT, with a sentence, unless the machine is in one of these phases (1 << enum gim_phase). */
int gim_machine_expect(const struct gim_machine *machine, unsigned phases, const char *what, struct gim_error *error);

/* Index the provider's rows (machine_msr.c). What it allocates is the machine's, also after a failure. */
int gim_msr_index(struct gim_machine *machine, struct gim_error *error);
/* Every member that has a row goes to its record's reset value. */
void gim_msr_reset(struct gim_machine *machine);
/* The MSR's name, with its index. */
void gim_msr_name(const struct gim_msr_entry *entry, char *name, size_t size);

/* Allocate the counters (machine_counters.c). */
int gim_counters_new(struct gim_machine *machine, struct gim_error *error);

/* The name of the provider's per-vCPU list, e.g. "vp"; "vcpu" when it has none. */
const char *gim_machine_list_name(const struct gim_machine *machine);

#endif
