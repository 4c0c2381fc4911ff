/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MSRs of a machine: the index over the provider's rows, reading and writing by it, and their reset. */
#include "machine_parts.h"

#include "error.h"
#include "visit.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No interface has as many MSRs; the slots stay at most half full, so that looking up ends soon. */
enum { MSRS_MAX = 255, SLOT_BITS = 9, SLOTS = 1 << SLOT_BITS };

static uint32_t slot_of(uint32_t number)
{
	return (number * UINT32_C(0x9e3779b1)) >> (32 - SLOT_BITS);
}

static struct gim_msr_entry *find_msr(const struct gim_machine *machine, uint32_t number)
{
	for (uint32_t slot = slot_of(number);; slot = (slot + 1) % SLOTS) {
		const uint16_t at = machine->msr_slots[slot];
		if (!at)
			return NULL;
		if (machine->msrs[at - 1].number == number)
			return &machine->msrs[at - 1];
	}
}

static int compare_numbers(const void *a, const void *b)
{
	const uint32_t left = ((const struct gim_msr_entry *)a)->number, right = ((const struct gim_msr_entry *)b)->number;
	return (left > right) - (left < right);
}

int gim_msr_index(struct gim_machine *machine, struct gim_error *error)
{
	const struct gim_msr_row *rows = machine->provider->runtime->msrs;
	machine->msrs = calloc(MSRS_MAX, sizeof(*machine->msrs));
	machine->msr_slots = calloc(SLOTS, sizeof(*machine->msr_slots));
	if (!machine->msrs || !machine->msr_slots)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	for (const struct gim_msr_row *row = rows; row && row->name; row++)
		for (uint32_t i = 0; i < (row->count ? row->count : 1); i++) {
			assert(machine->msr_count < MSRS_MAX);
			machine->msrs[machine->msr_count++] =
			    (struct gim_msr_entry){.number = row->first + i * (row->stride ? row->stride : 1), .index = i, .row = row};
		}
	qsort(machine->msrs, machine->msr_count, sizeof(*machine->msrs), compare_numbers);
	for (unsigned i = 0; i < machine->msr_count; i++) {
		uint32_t slot = slot_of(machine->msrs[i].number);
		while (machine->msr_slots[slot])
			slot = (slot + 1) % SLOTS;
		machine->msr_slots[slot] = (uint16_t)(i + 1);
	}
	return 0;
}

/* Where the entry's member begins in its record's struct. */
static uint32_t member_offset(const struct gim_msr_entry *entry)
{
	const struct gim_msr_row *row = entry->row;
	return row->offset + entry->index * (row->step ? row->step : row->width);
}

static uint8_t *member_of(const struct gim_machine *machine, const struct gim_msr_entry *entry, uint32_t vcpu)
{
	uint8_t *data = entry->row->flags & GIM_MSR_VCPU ? gim_machine_vcpu(machine, vcpu) : machine->object.data;
	return data + member_offset(entry);
}

bool gim_gate_open(const struct gim_machine *machine, const struct gim_gate *gate)
{
	uint32_t word;
	if (!gate->mask)
		return true;
	memcpy(&word, machine->object.data + gate->offset, sizeof(word));
	return (word & gate->mask) == gate->mask;
}

static bool is_open(const struct gim_machine *machine, const struct gim_msr_row *row)
{
	if (row->flags & GIM_MSR_VBOX && machine->gating == GIM_GATING_PRODUCER)
		return true;
	return gim_gate_open(machine, &row->gate[0]) && gim_gate_open(machine, &row->gate[1]);
}

static enum gim_access read_msr(struct gim_machine *machine, const struct gim_msr_entry *entry, uint32_t vcpu, uint64_t *value)
{
	const struct gim_msr_row *row = entry->row;
	if (!(row->flags & GIM_MSR_READ) || !is_open(machine, row))
		return GIM_ACCESS_GP;
	uint64_t number = row->record ? gim_number_load(member_of(machine, entry, vcpu), row->width) : 0;
	const enum gim_access access = row->read ? row->read(machine, vcpu, entry->index, &number) : GIM_ACCESS_DONE;
	if (access == GIM_ACCESS_DONE)
		*value = number;
	return access;
}

enum gim_access gim_machine_rdmsr(struct gim_machine *machine, uint32_t vcpu, uint32_t msr, uint64_t *value)
{
	struct gim_msr_entry *entry = gim_machine_runs(machine) && vcpu < machine->vcpus ? find_msr(machine, msr) : NULL;
	if (!entry)
		return GIM_ACCESS_NOT_OURS;
	const enum gim_access access = read_msr(machine, entry, vcpu, value);
	entry->reads++;
	entry->faults += access != GIM_ACCESS_DONE;
	return access;
}

static enum gim_access write_msr(struct gim_machine *machine, const struct gim_msr_entry *entry, uint32_t vcpu, uint64_t value)
{
	const struct gim_msr_row *row = entry->row;
	if (!(row->flags & GIM_MSR_WRITE) || !is_open(machine, row) || value & row->reserved)
		return GIM_ACCESS_GP;
	const enum gim_access access = row->write ? row->write(machine, vcpu, entry->index, &value) : GIM_ACCESS_DONE;
	if (access == GIM_ACCESS_NOT_OURS)
		return GIM_ACCESS_DONE; /* the row stored it itself */
	if (access == GIM_ACCESS_DONE && row->record)
		gim_number_store(member_of(machine, entry, vcpu), row->width, value);
	return access;
}

enum gim_access gim_machine_wrmsr(struct gim_machine *machine, uint32_t vcpu, uint32_t msr, uint64_t value)
{
	struct gim_msr_entry *entry = gim_machine_runs(machine) && vcpu < machine->vcpus ? find_msr(machine, msr) : NULL;
	if (!entry)
		return GIM_ACCESS_NOT_OURS;
	const enum gim_access access = write_msr(machine, entry, vcpu, value);
	entry->writes++;
	entry->faults += access != GIM_ACCESS_DONE;
	return access;
}

void gim_msr_reset(struct gim_machine *machine)
{
	for (unsigned i = 0; i < machine->msr_count; i++) {
		const struct gim_msr_entry *entry = &machine->msrs[i];
		const struct gim_msr_row *row = entry->row;
		const struct gim_field *field = row->record ? gim_record_leaf(row->record, member_offset(entry)) : NULL;
		for (uint32_t vcpu = 0; field && vcpu < (row->flags & GIM_MSR_VCPU ? machine->vcpus : 1); vcpu++)
			gim_number_store(member_of(machine, entry, vcpu), row->width, field->reset);
	}
}

void gim_msr_name(const struct gim_msr_entry *entry, char *name, size_t size)
{
	const char *mark = strchr(entry->row->name, '#');
	if (mark)
		(void)snprintf(name, size, "%.*s%u%s", (int)(mark - entry->row->name), entry->row->name, entry->index, mark + 1);
	else
		(void)snprintf(name, size, "%s", entry->row->name);
}

int gim_machine_msrs(const struct gim_machine *machine, uint32_t vcpu, gim_msr_fn *visit, void *user)
{
	for (unsigned i = 0; i < machine->msr_count; i++) {
		const struct gim_msr_entry *entry = &machine->msrs[i];
		const struct gim_msr_row *row = entry->row;
		const bool open = is_open(machine, row);
		char name[64], member[128], path[256] = "";
		gim_msr_name(entry, name, sizeof(name));
		if (row->record) {
			const struct gim_object shape = {.record = row->record};
			gim_object_path(&shape, member_offset(entry), member, sizeof(member));
			if (row->flags & GIM_MSR_VCPU)
				(void)snprintf(path, sizeof(path), "%s.%s[%u]%s", machine->provider->record->name,
				               gim_machine_list_name(machine), vcpu, member + strcspn(member, "."));
			else
				(void)snprintf(path, sizeof(path), "%s", member);
		}
		const struct gim_msr_info info = {.msr = entry->number,
		                                  .name = name,
		                                  .path = path,
		                                  .readable = open && row->flags & GIM_MSR_READ,
		                                  .writable = open && row->flags & GIM_MSR_WRITE,
		                                  .computed = row->read};
		int result = visit(user, &info);
		if (result)
			return result;
	}
	return 0;
}
