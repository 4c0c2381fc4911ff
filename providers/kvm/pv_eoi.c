/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* EOI without an exit: the guest clears a bit of a word in its memory instead, when no other interrupt waits (KVM msr.rst). */
#include "runtime.h"

#define ADDRESS_MASK (~UINT64_C(3))

/* Set or clear bit 0 of the vCPU's word; *was: how it stood. */
static int change(struct gim_machine *machine, const struct kvm_vcpu *vcpu, bool on, bool *was)
{
	const uint64_t gpa = vcpu->pv_eoi & ADDRESS_MASK;
	uint8_t byte;
	if (gim_ram_read(machine, gpa, &byte, 1))
		return -1;
	*was = byte & 1;
	byte = (uint8_t)((byte & ~1u) | on);
	return gim_ram_write(machine, gpa, &byte, 1);
}

enum gim_access kvm_write_pv_eoi(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	if (*value & KVM_ENABLED && !gim_ram_is(machine, *value & ADDRESS_MASK, 4))
		return GIM_ACCESS_GP;
	/* The guest has ended the interrupt by its old word, or will do so by the APIC. */
	kvm_interrupt_wanted(machine, vcpu);
	return GIM_ACCESS_DONE;
}

/* Did the guest clear the bit? Whether or not, from here on the word says nothing more. */
void kvm_interrupt_wanted(struct gim_machine *machine, uint32_t vcpu)
{
	struct kvm_vcpu *registers = kvm_vcpu(machine, vcpu);
	bool still_set = true;
	if (!registers->pv_eoi_pending)
		return;
	registers->pv_eoi_pending = 0;
	if (!change(machine, registers, false, &still_set) && !still_set)
		gim_machine_eoi(machine, vcpu, 0);
}

void kvm_interrupt_taken(struct gim_machine *machine, uint32_t vcpu, uint8_t vector, bool others_wait)
{
	struct kvm_vcpu *registers = kvm_vcpu(machine, vcpu);
	bool ignored;
	(void)vector;
	if (registers->pv_eoi & KVM_ENABLED && !others_wait)
		registers->pv_eoi_pending = !change(machine, registers, true, &ignored);
}

/* By the APIC: the word must not end the next one too. */
void kvm_eoi(struct gim_machine *machine, uint32_t vcpu, uint8_t vector)
{
	struct kvm_vcpu *registers = kvm_vcpu(machine, vcpu);
	bool ignored;
	(void)vector;
	if (registers->pv_eoi_pending)
		(void)change(machine, registers, false, &ignored);
	registers->pv_eoi_pending = 0;
}
