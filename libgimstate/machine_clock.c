/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A machine's time: the embedder's or the built-in clock, and doing what falls due. */
#include "machine.h"

#include <assert.h>

#define NS_PER_S UINT64_C(1000000000)

uint64_t gim_machine_tsc(const struct gim_machine *machine)
{
	return machine->host.tsc ? machine->host.tsc(machine->host.user) : machine->clock_tsc;
}

uint64_t gim_machine_utc_ns(const struct gim_machine *machine)
{
	if (machine->host.utc_ns)
		return machine->host.utc_ns(machine->host.user);
	return machine->clock_utc_ns + gim_mul_div(machine->clock_tsc - machine->clock_since_tsc, NS_PER_S, machine->tsc_hz);
}

uint64_t gim_machine_virtual_ns(const struct gim_machine *machine)
{
	if (machine->phase != GIM_PHASE_COMPLETED && machine->phase != GIM_PHASE_RUNNING)
		return machine->virtual_ns;
	return machine->virtual_ns + gim_mul_div(gim_machine_tsc(machine) - machine->virtual_since_tsc, NS_PER_S, machine->tsc_hz);
}

uint64_t gim_machine_deadline(const struct gim_machine *machine)
{
	const struct gim_runtime *runtime = machine->provider->runtime;
	if (machine->phase != GIM_PHASE_COMPLETED && machine->phase != GIM_PHASE_RUNNING)
		return GIM_UNKNOWN;
	return runtime->deadline ? runtime->deadline(machine) : GIM_UNKNOWN;
}

static void advance(struct gim_machine *machine, uint64_t tsc)
{
	if (gim_machine_deadline(machine) <= tsc && gim_machine_runs(machine)) {
		machine->provider->runtime->advance(machine, tsc);
		assert(gim_machine_deadline(machine) > tsc); /* else step would never end */
	}
}

void gim_machine_advance(struct gim_machine *machine)
{
	advance(machine, gim_machine_tsc(machine));
}

void gim_machine_step(struct gim_machine *machine, uint64_t ticks)
{
	const uint64_t end = ticks > GIM_UNKNOWN - 1 - machine->clock_tsc ? GIM_UNKNOWN - 1 : machine->clock_tsc + ticks;
	uint64_t due;
	while (!machine->host.tsc && (due = gim_machine_deadline(machine)) <= end) {
		if (due > machine->clock_tsc)
			machine->clock_tsc = due;
		advance(machine, machine->clock_tsc);
	}
	machine->clock_tsc = end;
}
