/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asynchronous page faults: telling the guest that a page is not there, and that it has come (KVM msr.rst). */
#include "runtime.h"

/* The area: reason of a page fault at 0, token of a page that is ready at 4. */
enum { AREA_BYTES = 64, READY = 4, REASON_NOT_PRESENT = 1 };
#define ADDRESS_MASK (~UINT64_C(0x3f))
#define PF_VMEXIT UINT64_C(4)
#define BY_INTERRUPT UINT64_C(8)

/* Page-ready by a page fault is history: nothing is delivered without the interrupt. */
static bool is_on(const struct kvm_vcpu *vcpu)
{
	return (vcpu->async_pf & (KVM_ENABLED | BY_INTERRUPT)) == (KVM_ENABLED | BY_INTERRUPT);
}

enum gim_access kvm_write_async_pf(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	if ((*value & PF_VMEXIT && !kvm_has(machine, KVM_ASYNC_PF_VMEXIT)) ||
	    (*value & BY_INTERRUPT && !kvm_has(machine, KVM_ASYNC_PF_INT)))
		return GIM_ACCESS_GP;
	if (*value & KVM_ENABLED && !gim_ram_is(machine, *value & ADDRESS_MASK, AREA_BYTES))
		return GIM_ACCESS_GP;
	if (!(*value & KVM_ENABLED))
		kvm_vcpu(machine, vcpu)->async_pf_pending = 0;
	return GIM_ACCESS_DONE;
}

enum gim_access kvm_write_async_pf_ack(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	if (*value & 1)
		kvm_vcpu(machine, vcpu)->async_pf_pending = 0;
	return GIM_ACCESS_DONE;
}

/* Write a word of the area, unless the guest has not looked at what it holds. */
static bool tell(struct gim_machine *machine, uint64_t gpa, uint32_t word)
{
	const uint8_t bytes[4] = {(uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16), (uint8_t)(word >> 24)};
	uint8_t old[4];
	if (gim_ram_read(machine, gpa, old, sizeof(old)) || old[0] || old[1] || old[2] || old[3])
		return false;
	return !gim_ram_write(machine, gpa, bytes, sizeof(bytes));
}

int kvm_async_fault(struct gim_machine *machine, uint32_t vcpu, uint32_t token, bool ready)
{
	struct kvm_vcpu *registers = kvm_vcpu(machine, vcpu);
	const uint64_t area = registers->async_pf & ADDRESS_MASK;
	if (!is_on(registers))
		return 1;
	if (!ready)
		return !tell(machine, area, REASON_NOT_PRESENT);
	if (registers->async_pf_pending || !tell(machine, area + READY, token))
		return 1;
	registers->async_pf_pending = 1;
	gim_machine_raise_vector(machine, vcpu, (uint8_t)registers->async_pf_int, false);
	return 0;
}
