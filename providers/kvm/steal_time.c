/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steal time: how long a vCPU wanted to run and could not, and whether it runs now (KVM msr.rst). */
#include "bytes.h"
#include "runtime.h"

/* struct kvm_steal_time: steal u64 at 0, version u32 at 8, flags u32 at 12, preempted u8 at 16. */
enum { AREA_BYTES = 64, VERSION = 8, PREEMPTED = 16, PREEMPTED_NOW = 1, PREEMPTED_FLUSH = 2 };
#define ADDRESS_MASK (~UINT64_C(0x3f))

/* What the vCPU has waited since the embedder was asked last comes to what its steal time does not tell yet. */
static void ask(struct gim_machine *machine, uint32_t vcpu)
{
	struct kvm_vcpu_own *own = kvm_vcpu_own(machine, vcpu);
	const uint64_t waited = machine->host.vcpu_waited_ns ? machine->host.vcpu_waited_ns(machine->host.user, vcpu) : 0;
	kvm_vcpu(machine, vcpu)->steal_ns += waited > own->waited_ns ? waited - own->waited_ns : 0;
	own->waited_ns = waited;
}

/* From now on: what it has waited before is nothing to this guest. */
static void begin(struct gim_machine *machine, uint32_t vcpu, uint64_t steal_ns)
{
	ask(machine, vcpu);
	kvm_vcpu(machine, vcpu)->steal_ns = steal_ns;
}

/* Another vCPU asked for the flush while this one did not run. */
static void flush(struct gim_machine *machine, uint32_t vcpu)
{
	uint64_t vcpus[GIM_VCPUS_MAX / 64] = {0};
	vcpus[vcpu / 64] = UINT64_C(1) << vcpu % 64;
	const struct gim_flush all = {.vcpu = vcpu, .vcpus = vcpus, .all_spaces = true, .global_too = true};
	if (machine->host.flush)
		machine->host.flush(machine->host.user, &all);
}

static void set_preempted(struct gim_machine *machine, uint64_t area)
{
	static const uint8_t preempted = PREEMPTED_NOW;
	(void)gim_ram_write(machine, area + PREEMPTED, &preempted, 1);
}

/* It runs: what it waited is told, and the version is odd in between. */
static void tell(struct gim_machine *machine, uint32_t vcpu, uint64_t area)
{
	struct kvm_vcpu *registers = kvm_vcpu(machine, vcpu);
	uint8_t bytes[PREEMPTED + 1];
	if (gim_ram_read(machine, area, bytes, sizeof(bytes)))
		return;
	if (bytes[PREEMPTED] & PREEMPTED_FLUSH && kvm_has(machine, KVM_PV_TLB_FLUSH))
		flush(machine, vcpu);
	ask(machine, vcpu);
	const uint32_t version = (uint32_t)(gim_load(bytes + VERSION, 4) & ~UINT64_C(1)) + 2;
	bytes[PREEMPTED] = 0;
	gim_store(bytes, gim_load(bytes, 8) + registers->steal_ns, 8);
	registers->steal_ns = 0;
	gim_store(bytes + VERSION, version - 1, 4);
	(void)gim_ram_write(machine, area, bytes, sizeof(bytes));
	gim_store(bytes + VERSION, version, 4);
	(void)gim_ram_write(machine, area + VERSION, bytes + VERSION, 4);
}

void kvm_run(struct gim_machine *machine, uint32_t vcpu, bool running)
{
	const uint64_t value = kvm_vcpu(machine, vcpu)->steal_time;
	if (!(value & KVM_ENABLED))
		return;
	if (running)
		tell(machine, vcpu, value & ADDRESS_MASK);
	else
		set_preempted(machine, value & ADDRESS_MASK);
}

enum gim_access kvm_write_steal_time(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	if (!(*value & KVM_ENABLED))
		return GIM_ACCESS_DONE;
	if (!gim_ram_is(machine, *value & ADDRESS_MASK, AREA_BYTES))
		return GIM_ACCESS_GP;
	begin(machine, vcpu, 0);
	tell(machine, vcpu, *value & ADDRESS_MASK);
	return GIM_ACCESS_DONE;
}

void kvm_steal_time_load_done(struct gim_machine *machine)
{
	for (uint32_t vcpu = 0; vcpu < machine->vcpus; vcpu++)
		begin(machine, vcpu, kvm_vcpu(machine, vcpu)->steal_ns);
}

void kvm_steal_time_save(struct gim_machine *machine)
{
	for (uint32_t vcpu = 0; vcpu < machine->vcpus; vcpu++)
		if (kvm_vcpu(machine, vcpu)->steal_time & KVM_ENABLED)
			ask(machine, vcpu);
}
