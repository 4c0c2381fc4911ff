/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* KVM's hypercalls: a row each, and what opens it (KVM hypercalls.rst). */
#include "runtime.h"

/* Error numbers of the interface. */
#define KVM_EPERM 1
#define KVM_ENOSYS 1000

static uint64_t poll_irq(struct gim_machine *machine, const uint64_t arguments[4])
{
	(void)machine;
	(void)arguments;
	return 0;
}

/* arguments: flags, and the APIC id of the vCPU that shall run. One that is not there is nobody's mistake but the guest's. */
static uint64_t kick_cpu(struct gim_machine *machine, const uint64_t arguments[4])
{
	if (arguments[1] < machine->vcpus && machine->host.wake)
		machine->host.wake(machine->host.user, (uint32_t)arguments[1]);
	return 0;
}

/* The guest gives up its turn: that it left is all that there is to do. */
static uint64_t sched_yield(struct gim_machine *machine, const uint64_t arguments[4])
{
	(void)machine;
	(void)arguments;
	return 0;
}

static const struct {
	uint32_t number;
	struct gim_gate gate;
	uint64_t (*call)(struct gim_machine *machine, const uint64_t arguments[4]);
} calls[] = {
    {1, {0, 0}, poll_irq},
    {5, GATE(kvm_state, features.base, KVM_PV_UNHALT), kick_cpu},
    {11, GATE(kvm_state, features.base, KVM_PV_SCHED_YIELD), sched_yield},
};

static uint64_t call(struct gim_machine *machine, uint64_t number, const uint64_t arguments[4])
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].number == number)
			return gim_gate_open(machine, &calls[i].gate) ? calls[i].call(machine, arguments) : (uint64_t)-KVM_ENOSYS;
	return (uint64_t)-KVM_ENOSYS;
}

enum gim_access kvm_hypercall(struct gim_machine *machine, uint32_t vcpu, struct gim_registers *registers)
{
	const uint64_t mask = registers->long_mode ? UINT64_MAX : UINT32_MAX;
	const uint64_t arguments[4] = {registers->rbx & mask, registers->rcx & mask, registers->rdx & mask, registers->rsi & mask};
	(void)vcpu;
	const uint64_t result = registers->cpl ? (uint64_t)-KVM_EPERM : call(machine, registers->rax & mask, arguments);
	registers->rax = result & mask;
	return GIM_ACCESS_DONE;
}
