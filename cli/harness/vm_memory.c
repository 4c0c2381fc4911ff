/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The memory of a VM: slots of RAM and ROM, and the pages that the machine lays over them. */
#include "vm_parts.h"

#include "output.h"

#include <string.h>

#ifdef __x86_64__

#include <linux/kvm.h>
#include <sys/ioctl.h>

static int set_slot(struct vm *vm, uint64_t gpa, uint64_t bytes, const void *memory, bool readonly, struct gim_error *error)
{
	const struct kvm_userspace_memory_region region = {.slot = vm->slot_count,
	                                                   .flags = readonly ? KVM_MEM_READONLY : 0,
	                                                   .guest_phys_addr = gpa,
	                                                   .memory_size = bytes,
	                                                   .userspace_addr = (uint64_t)(uintptr_t)memory};
	if (vm->slot_count == VM_SLOTS_MAX)
		return error_set(error, GIM_E_LIMIT, "more than %d memory slots", VM_SLOTS_MAX);
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region))
		return vm_refuse(error, "a memory slot is refused");
	vm->slot_count++;
	return 0;
}

/* Slots can be neither changed nor overlap, so all of them go. */
static int remove_slots(struct vm *vm, struct gim_error *error)
{
	for (; vm->slot_count; vm->slot_count--) {
		const struct kvm_userspace_memory_region none = {.slot = vm->slot_count - 1};
		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &none))
			return vm_refuse(error, "a memory slot cannot be removed");
	}
	return 0;
}

/* The lowest page of the machine at or above gpa. */
static bool next_page(const struct gim_machine *machine, uint64_t gpa, struct gim_page *next)
{
	struct gim_page page;
	next->gpa = GIM_UNKNOWN;
	for (unsigned i = 0; machine && gim_machine_page(machine, i, &page); i++)
		if (page.gpa != GIM_UNKNOWN && page.gpa >= gpa && page.gpa < next->gpa)
			*next = page;
	return next->gpa != GIM_UNKNOWN;
}

int vm_add_region(struct vm *vm, uint64_t gpa, uint64_t bytes, uint8_t *memory, bool readonly, struct gim_error *error)
{
	if (vm->region_count == VM_REGIONS_MAX)
		return error_set(error, GIM_E_LIMIT, "more than %d regions of memory", VM_REGIONS_MAX);
	vm->regions[vm->region_count++] = (struct vm_region){.gpa = gpa, .bytes = bytes, .memory = memory, .readonly = readonly};
	vm->pages_moved = true;
	return 0;
}

uint8_t *vm_add_memory(struct vm *vm, uint64_t bytes, struct gim_error *error)
{
	uint8_t *memory = vm->added_count < VM_REGIONS_MAX ? vm_reserve(bytes) : NULL;
	if (!memory) {
		(void)error_set(error, GIM_E_MEMORY, "no address space for %llu KiB of guest memory", (unsigned long long)(bytes >> 10));
		return NULL;
	}
	vm->added[vm->added_count].bytes = memory;
	vm->added[vm->added_count++].size = bytes;
	return memory;
}

int vm_hide(struct vm *vm, uint64_t gpa, uint64_t bytes, struct gim_error *error)
{
	const unsigned count = vm->region_count;
	struct vm_region old[VM_REGIONS_MAX];
	int result = 0;
	memcpy(old, vm->regions, sizeof(old));
	vm->region_count = 0;
	for (unsigned i = 0; !result && i < count; i++) {
		const uint64_t end = old[i].gpa + old[i].bytes, above = gpa + bytes;
		if (old[i].gpa < gpa)
			result = vm_add_region(vm, old[i].gpa, (end < gpa ? end : gpa) - old[i].gpa, old[i].memory, old[i].readonly, error);
		if (!result && end > above) {
			const uint64_t from = old[i].gpa > above ? old[i].gpa : above;
			result = vm_add_region(vm, from, end - from, old[i].memory + (from - old[i].gpa), old[i].readonly, error);
		}
	}
	return result;
}

/* A region but for the machine's pages in it. */
static int place_region(struct vm *vm, const struct vm_region *region, const struct gim_machine *machine, struct gim_error *error)
{
	const uint64_t end = region->gpa + region->bytes;
	struct gim_page page;
	uint64_t at = region->gpa;
	int result = 0;
	while (!result && at < end) {
		const uint64_t to = next_page(machine, at, &page) && page.gpa < end ? page.gpa : end;
		if (to > at)
			result = set_slot(vm, at, to - at, region->memory + (at - region->gpa), region->readonly, error);
		at = to == end ? end : to + PAGE_BYTES;
	}
	return result;
}

int vm_place_pages(struct vm *vm, const struct gim_machine *machine, struct gim_error *error)
{
	struct gim_page page;
	int result = remove_slots(vm, error);
	for (unsigned i = 0; !result && i < vm->region_count; i++)
		result = place_region(vm, &vm->regions[i], machine, error);
	for (uint64_t at = 0; !result && next_page(machine, at, &page) && page.gpa < vm->ram_bytes; at = page.gpa + PAGE_BYTES)
		result = set_slot(vm, page.gpa, PAGE_BYTES, page.bytes, true, error);
	if (!result && vm->extra_bytes)
		result = set_slot(vm, vm->extra_gpa, vm->extra_bytes, vm->extra, false, error);
	vm->pages_moved = result;
	return result;
}

#endif
