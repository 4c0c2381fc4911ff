/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Going on with a guest that another hypervisor saved: its memory and what of it is read-only, its processor as far as this host has it, its vCPUs, and its time. */
#include "guest_resume.h"

#include "cpuid_names.h"
#include "guest_registers.h"
#include "output.h"
#include "resume_fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void guest_note(struct guest *guest, const char *format, ...)
{
	char text[768];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (guest->options->note)
		guest->options->note(guest->options->user, text);
}

#ifdef __x86_64__

#define MIB UINT64_C(1048576)
#define PIECE_BYTES (UINT64_C(4) << 20)
#define GUEST_RAM_MAX (UINT64_C(1) << 40)

/*
 * Memory.
 */
int guest_resume_open(struct guest *guest, uint64_t *ram_bytes, struct gim_error *error)
{
	struct gim_memory_range range;
	uint64_t end = 0;
	int result = gim_memory_open(guest->options->state, NULL, &guest->memory, error);
	for (unsigned i = 0; !result && gim_memory_range(guest->memory, i, &range); i++)
		if (range.kind == GIM_MEMORY_RAM && range.gpa != GIM_UNKNOWN && range.gpa + range.size_bytes > end)
			end = range.gpa + range.size_bytes;
	if (result == GIM_E_NO_UNIT) /* the library says it of units */
		return result;
	if (!result && (!end || end > GUEST_RAM_MAX))
		result = error_set(error, GIM_E_VALUE, "the state's RAM ends at 0x%llx: a guest with that cannot be run",
		                   (unsigned long long)end);
	*ram_bytes = end;
	return result;
}

void guest_resume_close(struct guest *guest)
{
	guest_log_close(&guest->log);
	gim_state_free(&guest->before);
	gim_memory_free(&guest->memory);
}

/* Pages that are zero are not touched: they cost nothing as long as the guest does not write them. */
static int read_range(struct guest *guest, const struct gim_memory_range *range, uint8_t *to, struct gim_error *error)
{
	uint64_t at = 0, same = 0;
	int result = 0;
	while (!result && at < range->size_bytes) {
		const enum gim_memory_kind kind = gim_memory_at(guest->memory, range->gpa + at, &same);
		uint64_t size = range->size_bytes - at < same ? range->size_bytes - at : same;
		if (size > PIECE_BYTES)
			size = PIECE_BYTES;
		if (kind == GIM_MEMORY_RAM || kind == GIM_MEMORY_ROM)
			result = gim_memory_read(guest->memory, range->gpa + at, to + at, (size_t)size, error);
		at += size;
	}
	return result;
}

/* A ROM lies in the address space of the RAM, where there is none of it, or is apart. */
static int place_range(struct guest *guest, const struct gim_memory_range *range, struct gim_error *error)
{
	struct vm *vm = &guest->vm;
	const bool rom = range->kind == GIM_MEMORY_ROM, apart = range->gpa + range->size_bytes > vm->ram_bytes;
	uint8_t *memory = apart ? vm_add_memory(vm, range->size_bytes, error) : vm->ram + range->gpa;
	int result = memory ? read_range(guest, range, memory, error) : GIM_E_MEMORY;
	if (!result)
		result = vm_add_region(vm, range->gpa, range->size_bytes, memory, rom, error);
	return result;
}

static int place_memory(struct guest *guest, struct gim_error *error)
{
	struct gim_memory_range range;
	uint64_t hidden = 0;
	int result = 0;
	guest->vm.region_count = 0;
	for (unsigned i = 0; !result && gim_memory_range(guest->memory, i, &range); i++) {
		if (range.gpa == GIM_UNKNOWN || range.kind == GIM_MEMORY_DEVICE)
			hidden += range.size_bytes;
		else
			result = place_range(guest, &range, error);
	}
	if (hidden && !result)
		guest_note(guest, "%llu KiB of memory of devices are not there: they read as ones", (unsigned long long)(hidden >> 10));
	return result;
}

/*
 * The processor.
 */
enum { LOST_MAX = 600, LOST_NAME_MAX = 32 };
struct leaf {
	struct guest *guest;
	char item[32]; /* the path up to the leaf's number */
	uint32_t number, subleaf, regs[4];
	bool there;
	char lost[LOST_MAX]; /* features, each after a space */
};

/* By its name, or by its place where it has none. */
static void add_lost(struct leaf *leaf, unsigned reg, unsigned bit)
{
	static const char *const regs[] = {"eax", "ebx", "ecx", "edx"};
	const char *name = cpuid_feature_name(leaf->number, reg, bit);
	const size_t used = strlen(leaf->lost), left = sizeof(leaf->lost) - used;
	if (left < LOST_NAME_MAX)
		(void)snprintf(leaf->lost + used, left, "%s", leaf->lost[used - 1] == '.' ? "" : " ...");
	else if (name)
		(void)snprintf(leaf->lost + used, left, " %s", name);
	else
		(void)snprintf(leaf->lost + used, left, " 0x%x.%s[%u]", leaf->number, regs[reg], bit);
}

static void end_leaf(struct leaf *leaf)
{
	uint32_t lost[4] = {0};
	if (leaf->there)
		vm_adopt_cpuid(&leaf->guest->vm, leaf->number, leaf->subleaf, leaf->regs, lost);
	for (unsigned i = 0; i < 128; i++)
		if (lost[i / 32] >> (i % 32) & 1)
			add_lost(leaf, i / 32, i % 32);
	leaf->there = false;
}

static int take_leaf(void *user, const char *path, const struct gim_value *value)
{
	struct leaf *leaf = (struct leaf *)user;
	const char *name = strrchr(path, '.');
	const size_t item = name ? (size_t)(name - path) : 0;
	static const struct {
		const char *name;
		size_t offset;
	} rows[] = {{".leaf", offsetof(struct leaf, number)}, {".subleaf", offsetof(struct leaf, subleaf)},
	            {".eax", offsetof(struct leaf, regs[0])}, {".ebx", offsetof(struct leaf, regs[1])},
	            {".ecx", offsetof(struct leaf, regs[2])}, {".edx", offsetof(struct leaf, regs[3])}};
	if (!item || item >= sizeof(leaf->item) || value->presence == GIM_ABSENT)
		return 0;
	if (strncmp(leaf->item, path, item) != 0 || leaf->item[item]) {
		end_leaf(leaf);
		memcpy(leaf->item, path, item);
		leaf->item[item] = '\0';
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i].name, name)) {
			const uint32_t number = (uint32_t)value->number;
			memcpy((char *)leaf + rows[i].offset, &number, sizeof(number));
			leaf->there = true;
		}
	return 0;
}

static int find_processor(struct guest *guest, struct gim_error *error)
{
	struct leaf leaf = {.guest = guest};
	int result = vm_read_host_cpuid(&guest->vm, error);
	if (!result)
		(void)gim_state_visit(guest->options->state, "guest.cpuid", take_leaf, &leaf, NULL);
	end_leaf(&leaf);
	if (*leaf.lost)
		guest_note(guest, "this host's KVM has not all features of the guest's processor: it lacks%s", leaf.lost);
	return result;
}

/*
 * vCPUs and time.
 */
/* Address bits that a processor does not have are reserved in its MTRRs. */
static uint64_t fitting(const struct guest *guest, uint32_t msr, uint64_t value)
{
	const bool is_mtrr = msr >= 0x200 && msr < 0x200 + 2 * RESUME_MTRRS;
	return is_mtrr ? value & ((UINT64_C(1) << vm_address_bits(&guest->vm)) - 1) : value;
}

/* What is refused to all vCPUs is told once. */
static void set_msrs(struct guest *guest, uint32_t id, const struct resume_vcpu *vcpu, const struct resume_vcpu *first)
{
	for (unsigned i = 0; i < vcpu->msr_count; i++)
		if (!guest_set_msr(guest, id, vcpu->msrs[i].number, fitting(guest, vcpu->msrs[i].number, vcpu->msrs[i].value)) &&
		    vcpu->msrs[i].value && (vcpu == first || first->msrs[i].value != vcpu->msrs[i].value))
			guest_note(guest, "vCPU %u: this host's KVM does not take 0x%llx for MSR 0x%x", id,
			           (unsigned long long)vcpu->msrs[i].value, vcpu->msrs[i].number);
}

static int set_vcpu(struct guest *guest, uint32_t id, const struct resume_vcpu *vcpu, const struct resume_vcpu *first,
                    struct saved_vcpu *saved, struct gim_error *error)
{
	int result = guest_set_registers(guest, id, saved, error);
	if (result)
		return result;
	set_msrs(guest, id, vcpu, first);
	return guest_set_events(guest, id, saved, error);
}

/* A host whose TSC has another frequency shows the guest another clock; the interface's clocks know of it. */
static void note_tsc(struct guest *guest, const struct resume_clocks *clocks)
{
	const uint64_t was = clocks->tsc_hz, is = guest->vm.tsc_hz, apart = was > is ? was - is : is - was;
	if (was && apart > was / 200)
		guest_note(guest,
		           "the guest's TSC ran at %.4f GHz, and runs at %.4f GHz here: what the guest itself took from it goes wrong",
		           (double)was / 1e9, (double)is / 1e9);
}

static int load_machine(struct guest *guest, struct gim_error *error)
{
	int result = gim_machine_load(guest->machine, guest->options->state, NULL, NULL, error);
	return result ? result : gim_machine_load_done(guest->machine, error);
}

/* Time stands until the machine's load is done, which comes last of what is not KVM's. */
static int set_all(struct guest *guest, struct resume_vcpu *vcpus, struct saved_vcpu *saved, struct gim_error *error)
{
	const uint32_t count = guest->vm.vcpu_count;
	struct resume_clocks clocks;
	int result = resume_read(guest->options->state, vcpus, count, &clocks, error);
	uint64_t tsc = 0;
	for (uint32_t i = 0; !result && i < count; i++)
		tsc = vcpus[i].tsc > tsc ? vcpus[i].tsc : tsc;
	if (!result)
		result = guest_set_tsc(guest, tsc, error);
	if (!result)
		result = find_processor(guest, error);
	if (!result)
		result = place_memory(guest, error);
	if (!result)
		result = load_machine(guest, error);
	if (!result)
		result = guest_set_cpuid(guest, error);
	if (result)
		return result;
	note_tsc(guest, &clocks);
	for (uint32_t i = 0; !result && i < count; i++) {
		const uint64_t now = vm_tsc(&guest->vm);
		guest_translate_vcpu(guest, i, &vcpus[i], &clocks, now, saved);
		guest_take_vcpu(guest, i, saved, now);
		result = set_vcpu(guest, i, &vcpus[i], &vcpus[0], saved, error);
	}
	return result;
}

int guest_resume(struct guest *guest, struct gim_error *error)
{
	struct resume_vcpu *vcpus = calloc(guest->vm.vcpu_count, sizeof(*vcpus));
	struct saved_vcpu *saved = calloc(1, sizeof(*saved));
	int result = vcpus && saved ? set_all(guest, vcpus, saved, error) : error_set(error, GIM_E_MEMORY, "out of memory");
	free(vcpus);
	free(saved);
	return result;
}

#endif
