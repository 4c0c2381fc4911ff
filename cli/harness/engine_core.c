/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine "core": the guest's operations are calls to the machine, and its clock only moves when it is told to. Works anywhere. */
#include "engine.h"

#include "output.h"

#include <string.h>
#include <sys/mman.h>

struct core {
	struct engine engine;
	void *ram;
	size_t ram_bytes;
	uint64_t operation_ticks; /* what an operation takes */
};

static struct core *core_of(struct engine *engine)
{
	return (struct core *)engine;
}

static int core_probe(struct gim_error *error)
{
	(void)error;
	return 0;
}

static int core_open(struct engine *engine, const struct engine_config *config, struct gim_error *error)
{
	struct core *core = core_of(engine);
	struct gim_machine_config own = config->machine;
	const struct gim_host host = {.user = engine, .log = engine_log};
	/* A real machine's memory: most of it is never touched, and then costs nothing. */
	core->ram_bytes = (size_t)own.ram_bytes;
	core->ram =
	    mmap(NULL, core->ram_bytes ? core->ram_bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (core->ram == MAP_FAILED)
		return core->ram = NULL,
		       error_set(error, GIM_E_MEMORY, "no address space for %llu bytes of guest RAM", (unsigned long long)own.ram_bytes);
	own.ram = engine->ram = core->ram;
	core->operation_ticks = own.tsc_hz / 1000000;
	return engine_machine(&own, &host, &engine->machine, error);
}

static void core_close(struct engine *engine)
{
	struct core *core = core_of(engine);
	if (core->ram)
		(void)munmap(core->ram, core->ram_bytes ? core->ram_bytes : 1);
}

static uint64_t core_tsc(struct engine *engine)
{
	return gim_machine_tsc(engine->machine);
}

static enum guest_fault fault_of(enum gim_access access)
{
	return access == GIM_ACCESS_DONE ? FAULT_NONE : access == GIM_ACCESS_UD ? FAULT_UD : FAULT_GP;
}

static int core_execute(struct engine *engine, uint32_t vcpu, const struct guest_operation *operation, struct guest_outcome *outcome,
                        struct gim_error *error)
{
	struct gim_machine *machine = engine->machine;
	(void)error;
	*outcome = (struct guest_outcome){.fault = FAULT_NONE};
	gim_machine_step(machine, core_of(engine)->operation_ticks);
	switch (operation->act) {
	case ACT_RDMSR: /* no MSR of the interface: this guest's vCPU has no other */
		outcome->fault = fault_of(gim_machine_rdmsr(machine, vcpu, operation->number, &outcome->value));
		break;
	case ACT_WRMSR:
		outcome->fault = fault_of(gim_machine_wrmsr(machine, vcpu, operation->number, operation->value));
		break;
	case ACT_CPUID:
		(void)gim_machine_cpuid(machine, vcpu, operation->number, operation->subleaf, outcome->regs);
		break;
	case ACT_RDTSC:
		outcome->value = core_tsc(engine);
		break;
	case ACT_READ:
		if (gim_machine_read(machine, operation->gpa, outcome->bytes, operation->size_bytes, NULL)) {
			outcome->fault = FAULT_PF;
			outcome->address = operation->gpa;
		}
		break;
	case ACT_WRITE:
		if (gim_machine_write(machine, operation->gpa, operation->bytes, operation->size_bytes, NULL)) {
			outcome->fault = FAULT_PF;
			outcome->address = operation->gpa;
		}
		break;
	case ACT_HYPERCALL:
		outcome->registers = operation->registers;
		outcome->fault = fault_of(gim_machine_hypercall(machine, vcpu, &outcome->registers));
		break;
	}
	return 0;
}

static int core_enter(struct engine *engine, uint32_t vcpu, uint8_t vector, struct gim_error *error)
{
	(void)engine, (void)vcpu, (void)vector, (void)error;
	return 0;
}

static int core_leave(struct engine *engine, uint32_t vcpu, struct gim_error *error)
{
	(void)engine, (void)vcpu, (void)error;
	return 0;
}

static int core_sleep(struct engine *engine, uint64_t tsc, struct gim_error *error)
{
	const uint64_t now = core_tsc(engine);
	(void)error;
	if (tsc > now)
		gim_machine_step(engine->machine, tsc - now);
	return 0;
}

const struct engine_kind engine_core = {
    .name = "core",
    .help = "the runtime core alone, with a clock of its own: works everywhere",
    .size_bytes = sizeof(struct core),
    .probe = core_probe,
    .open = core_open,
    .close = core_close,
    .execute = core_execute,
    .enter = core_enter,
    .leave = core_leave,
    .tsc = core_tsc,
    .sleep = core_sleep,
};
