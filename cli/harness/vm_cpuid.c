/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The CPUID that a VM shows its vCPUs: the host's, what of it a saved guest had, and the machine's leaves. */
#include "vm_parts.h"

#include "output.h"

#include <stdlib.h>
#include <string.h>

#ifdef __x86_64__

#include <linux/kvm.h>
#include <sys/ioctl.h>

enum { CPUID_MAX = 256, FIRST_LEAF = 0x40000000, LAST_LEAF = 0x400000ff };
#define HYPERVISOR_PRESENT (1u << 31)
#define OSXSAVE (1u << 27)
#define TSC_DEADLINE (1u << 24)

int vm_read_host_cpuid(struct vm *vm, struct gim_error *error)
{
	if (vm->host_cpuid)
		return 0;
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + CPUID_MAX * sizeof(struct kvm_cpuid_entry2));
	uint32_t kept = 0;
	if (!cpuid)
		return error_set(error, GIM_E_MEMORY, "out of memory");
	cpuid->nent = CPUID_MAX;
	if (ioctl(vm->kvm, KVM_GET_SUPPORTED_CPUID, cpuid)) {
		free(cpuid);
		return vm_refuse(error, "KVM does not say which CPUID leaves it has");
	}
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];
		if (entry->function == 1)
			entry->ecx |= HYPERVISOR_PRESENT;
		if (entry->function < FIRST_LEAF || entry->function > LAST_LEAF)
			cpuid->entries[kept++] = *entry;
	}
	cpuid->nent = kept;
	vm->host_cpuid = cpuid;
	return 0;
}

/* The leaves that say which processor it is, by its APIC's id. The TSC-deadline timer would be the kernel's APIC's, unless its MSR comes to us. */
static void name_vcpu(struct vm *vm, uint32_t vcpu)
{
	for (uint32_t i = 0; i < vm->host_cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &vm->host_cpuid->entries[i];
		if (entry->function == 1) {
			entry->ebx = (entry->ebx & 0xffff) | (vm->vcpu_count < 255 ? vm->vcpu_count : 255) << 16 | vcpu << 24;
			entry->ecx = (entry->ecx & ~TSC_DEADLINE) | (vm->deadline ? TSC_DEADLINE : 0);
		} else if (entry->function == 0xb || entry->function == 0x1f) {
			entry->edx = vcpu;
		}
	}
}

static struct kvm_cpuid_entry2 *find_leaf(const struct vm *vm, uint32_t leaf, uint32_t subleaf)
{
	for (uint32_t i = 0; vm->host_cpuid && i < vm->host_cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &vm->host_cpuid->entries[i];
		if (entry->function == leaf && (!(entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || entry->index == subleaf))
			return entry;
	}
	return NULL;
}

/* Words that say which processor it is, and those whose bits are features; bits that are not the processor's alone stay. */
static const struct {
	uint32_t leaf;
	uint8_t reg; /* 0 to 3: eax to edx */
	bool features;
	uint32_t stay;
} adopted[] = {
    {0, 1, false, 0},
    {0, 2, false, 0},
    {0, 3, false, 0},
    {1, 0, false, 0},
    {1, 2, true, HYPERVISOR_PRESENT | OSXSAVE | TSC_DEADLINE},
    {1, 3, true, 0},
    {7, 1, true, 0},
    {7, 2, true, 0},
    {7, 3, true, 0},
    {0x80000001, 2, true, 0},
    {0x80000001, 3, true, 0},
    {0x80000002, 0, false, 0},
    {0x80000002, 1, false, 0},
    {0x80000002, 2, false, 0},
    {0x80000002, 3, false, 0},
    {0x80000003, 0, false, 0},
    {0x80000003, 1, false, 0},
    {0x80000003, 2, false, 0},
    {0x80000003, 3, false, 0},
    {0x80000004, 0, false, 0},
    {0x80000004, 1, false, 0},
    {0x80000004, 2, false, 0},
    {0x80000004, 3, false, 0},
};

void vm_adopt_cpuid(struct vm *vm, uint32_t leaf, uint32_t subleaf, const uint32_t regs[4], uint32_t lost[4])
{
	struct kvm_cpuid_entry2 *entry = find_leaf(vm, leaf, subleaf);
	memset(lost, 0, 4 * sizeof(lost[0]));
	for (size_t i = 0; entry && !subleaf && i < sizeof(adopted) / sizeof(adopted[0]); i++) {
		uint32_t *const words[] = {&entry->eax, &entry->ebx, &entry->ecx, &entry->edx};
		const unsigned reg = adopted[i].reg;
		if (adopted[i].leaf != leaf)
			continue;
		const uint32_t host = *words[reg], stay = adopted[i].stay;
		*words[reg] = (host & stay) | (regs[reg] & ~stay & (adopted[i].features ? host : UINT32_MAX));
		if (adopted[i].features)
			lost[reg] = regs[reg] & ~host & ~stay;
	}
}

uint64_t vm_xcr0(const struct vm *vm)
{
	const struct kvm_cpuid_entry2 *entry = find_leaf(vm, 0xd, 0);
	return entry ? entry->eax | (uint64_t)entry->edx << 32 : 1;
}

unsigned vm_address_bits(const struct vm *vm)
{
	const struct kvm_cpuid_entry2 *entry = find_leaf(vm, 0x80000008, 0);
	const unsigned bits = entry ? entry->eax & 0xff : 36;
	return bits >= 32 && bits <= 52 ? bits : 36;
}

bool vm_xsave_place(const struct vm *vm, unsigned component, uint32_t *at, uint32_t *bytes)
{
	const struct kvm_cpuid_entry2 *entry = vm_xcr0(vm) >> component & 1 ? find_leaf(vm, 0xd, component) : NULL;
	if (!entry)
		return false;
	*at = entry->ebx;
	*bytes = entry->eax;
	return *bytes;
}

int vm_set_cpuid(struct vm *vm, struct gim_machine *machine, uint32_t vcpu, struct gim_error *error)
{
	int result = vm_read_host_cpuid(vm, error);
	if (result)
		return result;
	struct kvm_cpuid2 *cpuid = vm->host_cpuid;
	const uint32_t host = cpuid->nent;
	uint32_t regs[4];
	name_vcpu(vm, vcpu);
	for (uint32_t leaf = FIRST_LEAF; leaf <= LAST_LEAF && cpuid->nent < CPUID_MAX; leaf++)
		if (gim_machine_cpuid(machine, vcpu, leaf, 0, regs) == GIM_ACCESS_DONE)
			cpuid->entries[cpuid->nent++] =
			    (struct kvm_cpuid_entry2){.function = leaf, .eax = regs[0], .ebx = regs[1], .ecx = regs[2], .edx = regs[3]};
	if (ioctl(vm->vcpus[vcpu].fd, KVM_SET_CPUID2, cpuid))
		result = vm_refuse(error, "a vCPU's CPUID is refused");
	cpuid->nent = host;
	return result;
}

#endif
