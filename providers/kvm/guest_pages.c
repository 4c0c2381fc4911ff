/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The structures that KVM's interface keeps in guest memory: records, layouts, and where the registers say that they are. */
#include "kvm/guest_pages.h"

#include "kvm/kvm.h"
#include "scale.h"

#include <stdio.h>

#define SOURCE "KVM msr.rst"

/*
 * Records.
 */
static void explain_shift(uint64_t value, char *text, size_t size)
{
	(void)snprintf(text, size, "ticks are shifted %s by %u", value & 0x80 ? "right" : "left",
	               value & 0x80 ? 256 - (unsigned)value : (unsigned)value);
}

static const struct gim_field kvm_pvclock_fields[] = {
    FIELD(kvm_pvclock, gpa, .show = GIM_ADDRESS, .help = "where it is"),
    FIELD(kvm_pvclock, version, .show = GIM_DEC, .source = SOURCE, .help = "odd while the hypervisor writes the rest"),
    FIELD(kvm_pvclock, reserved, .help = "unused"),
    FIELD(kvm_pvclock, tsc, .change = GIM_CHANGE_CLOCK, .source = SOURCE, .help = "TSC of the moment whose time system_ns is"),
    FIELD(kvm_pvclock, system_ns, .change = GIM_CHANGE_CLOCK, .show = GIM_NS, .source = SOURCE, .help = "time when the TSC was that"),
    FIELD(kvm_pvclock, multiplier, .source = SOURCE, .help = "ns for each shifted tick, in units of 1/2^32"),
    FIELD(kvm_pvclock, shift, .explain = explain_shift, .source = SOURCE, .help = "shift of ticks before they are multiplied, signed"),
    FIELD(kvm_pvclock, tsc_hz, .show = GIM_HZ, .help = "TSC frequency that multiplier and shift are for"),
    FIELD(kvm_pvclock, flags, .show = GIM_FLAGS, .bits = kvm_bits_flags, .source = SOURCE, .help = "flags"),
};
RECORD(kvm_pvclock, "pvclock", "a vCPU's time structure");

static const struct gim_field kvm_wall_clock_fields[] = {
    FIELD(kvm_wall_clock, gpa, .show = GIM_ADDRESS, .help = "where it is"),
    FIELD(kvm_wall_clock, version, .show = GIM_DEC, .source = SOURCE, .help = "odd while the hypervisor writes the rest"),
    FIELD(kvm_wall_clock, seconds, .show = GIM_DEC, .source = SOURCE, .help = "of UTC when system time was 0"),
    FIELD(kvm_wall_clock, nanoseconds, .show = GIM_DEC, .max = 999999999, .source = SOURCE, .help = "and its nanoseconds"),
};
RECORD(kvm_wall_clock, "wall_clock", "the wall clock");

static const struct gim_bit bits_preempted[] = {
    {.low = 0, .width = 1, .name = "preempted", .help = "the vCPU does not run"},
    {.low = 1, .width = 1, .name = "flush_tlb", .help = "another vCPU wants its TLB flushed before it runs"},
    {.name = NULL},
};

static const struct gim_field kvm_steal_time_fields[] = {
    FIELD(kvm_steal_time, gpa, .show = GIM_ADDRESS, .help = "where it is"),
    FIELD(kvm_steal_time, steal_ns, .change = GIM_CHANGE_CLOCK, .show = GIM_NS, .source = SOURCE,
          .help = "time that the vCPU wanted to run and could not"),
    FIELD(kvm_steal_time, version, .show = GIM_DEC, .source = SOURCE, .help = "odd while the hypervisor writes the rest"),
    FIELD(kvm_steal_time, flags, .source = SOURCE, .help = "none is defined"),
    FIELD(kvm_steal_time, preempted, .show = GIM_FLAGS, .bits = bits_preempted, .source = SOURCE, .help = "whether the vCPU runs"),
};
RECORD(kvm_steal_time, "steal_time", "a vCPU's steal time");

static const struct gim_bit bits_pv_eoi_word[] = {
    {.low = 0, .width = 1, .name = "pending", .help = "the guest may clear this bit instead of an EOI"}, {.name = NULL}};

static const struct gim_field kvm_pv_eoi_fields[] = {
    FIELD(kvm_pv_eoi, gpa, .show = GIM_ADDRESS, .help = "where it is"),
    FIELD(kvm_pv_eoi, word, .show = GIM_FLAGS, .bits = bits_pv_eoi_word, .source = SOURCE, .help = "the word of the paravirtual EOI"),
};
RECORD(kvm_pv_eoi, "pv_eoi", "a vCPU's paravirtual EOI");

static const struct gim_bit bits_async_pf_flags[] = {
    {.low = 0, .width = 1, .name = "page_not_present", .help = "a page fault that is due is about a page that is not there"},
    {.name = NULL}};

static const struct gim_field kvm_async_pf_fields[] = {
    FIELD(kvm_async_pf, gpa, .show = GIM_ADDRESS, .help = "where it is"),
    FIELD(kvm_async_pf, flags, .show = GIM_FLAGS, .bits = bits_async_pf_flags, .source = SOURCE, .help = "why a page fault came"),
    FIELD(kvm_async_pf, token, .source = SOURCE, .help = "of a page that has come; 0: none"),
};
RECORD(kvm_async_pf, "async_pf", "a vCPU's area of asynchronous page faults");

static const struct gim_field kvm_vcpu_pages_fields[] = {
    SUB(kvm_vcpu_pages, pvclock, kvm_pvclock, .help = "the time structure"),
    SUB(kvm_vcpu_pages, steal_time, kvm_steal_time, .help = "steal time"),
    SUB(kvm_vcpu_pages, pv_eoi, kvm_pv_eoi, .help = "paravirtual EOI"),
    SUB(kvm_vcpu_pages, async_pf, kvm_async_pf, .help = "asynchronous page faults"),
};
RECORD(kvm_vcpu_pages, "vcpu", "a vCPU's structures");

static const struct gim_field kvm_pages_fields[] = {
    SUB(kvm_pages, wall_clock, kvm_wall_clock, .help = "the wall clock"),
    LIST(kvm_pages, vcpu, kvm_vcpu_pages, .help = "per vCPU"),
};
RECORD(kvm_pages, "kvm_pages", "what the KVM interface keeps in guest memory");

/*
 * Layouts.
 */
static const struct gim_row pvclock_rows[] = {
    ON(kvm_pvclock, version),
    ON(kvm_pvclock, reserved),
    ON(kvm_pvclock, tsc),
    ON(kvm_pvclock, system_ns),
    ON(kvm_pvclock, multiplier),
    ON(kvm_pvclock, shift),
    ON(kvm_pvclock, flags),
    OPEN_END,
    END_ROWS,
};
static const struct gim_row wall_clock_rows[] = {
    ON(kvm_wall_clock, version),
    ON(kvm_wall_clock, seconds),
    ON(kvm_wall_clock, nanoseconds),
    END_ROWS,
};
static const struct gim_row steal_time_rows[] = {
    ON(kvm_steal_time, steal_ns), ON(kvm_steal_time, version), ON(kvm_steal_time, flags), ON(kvm_steal_time, preempted), OPEN_END, END_ROWS,
};
static const struct gim_row pv_eoi_rows[] = {ON(kvm_pv_eoi, word), END_ROWS};
static const struct gim_row async_pf_rows[] = {ON(kvm_async_pf, flags), ON(kvm_async_pf, token), OPEN_END, END_ROWS};

/* The frequency whose ticks, shifted and multiplied, are nanoseconds. */
static void derive_pvclock(const struct gim_object *object)
{
	struct kvm_pvclock *clock = (struct kvm_pvclock *)(void *)object->data;
	const unsigned right = clock->shift & 0x80 ? 256u - clock->shift : 0, left = right ? 0 : clock->shift;
	if (!clock->multiplier || right > 30 || left > 30)
		return;
	const uint64_t hz = (UINT64_C(1000000000) << 32) / clock->multiplier;
	clock->tsc_hz = right ? hz << right : hz >> left;
	object->presence[offsetof(struct kvm_pvclock, tsc_hz)] = GIM_STORED;
}

enum { PVCLOCK, WALL_CLOCK, STEAL_TIME, PV_EOI, ASYNC_PF };
static const struct gim_page_layout layouts[] = {
    [PVCLOCK] = {"pvclock", "KVM's time structure of a vCPU", &kvm_pvclock_record, pvclock_rows, 32, derive_pvclock},
    [WALL_CLOCK] = {"wall-clock", "KVM's wall clock", &kvm_wall_clock_record, wall_clock_rows, 12, NULL},
    [STEAL_TIME] = {"steal-time", "KVM's steal time of a vCPU", &kvm_steal_time_record, steal_time_rows, 64, NULL},
    [PV_EOI] = {"pv-eoi", "KVM's word of a paravirtual EOI", &kvm_pv_eoi_record, pv_eoi_rows, 4, NULL},
    [ASYNC_PF] = {"async-pf", "KVM's area of asynchronous page faults", &kvm_async_pf_record, async_pf_rows, 64, NULL},
    {.name = NULL},
};

/*
 * Where they are: a register with an enable bit, and an address above it.
 */
#define PART(register_, low_, layout_, member_)                                                                                            \
	{                                                                                                                                  \
		offsetof(struct kvm_vcpu, register_), low_, &layouts[layout_], offsetof(struct kvm_vcpu_pages, member_),                   \
		    offsetof(struct kvm_##member_, gpa)                                                                                    \
	}
static const struct {
	size_t reg;
	unsigned low; /* bit of the address */
	const struct gim_page_layout *layout;
	size_t part, gpa;
} parts[] = {
    PART(system_time, 1, PVCLOCK, pvclock),
    PART(steal_time, 6, STEAL_TIME, steal_time),
    PART(pv_eoi, 2, PV_EOI, pv_eoi),
    PART(async_pf, 6, ASYNC_PF, async_pf),
};

static int load_vcpu(struct gim_state *state, struct gim_memory *memory, const uint8_t *vcpu, const uint8_t *presence,
                     const struct gim_object *pages, struct gim_error *error)
{
	enum { ENABLED = 1 };
	int result = 0;
	for (size_t i = 0; !result && i < sizeof(parts) / sizeof(parts[0]); i++) {
		const uint64_t value = *(const uint64_t *)(const void *)(vcpu + parts[i].reg);
		const struct gim_object part = gim_page_part(pages, parts[i].layout->record, parts[i].part);
		if (presence[parts[i].reg] && value & ENABLED)
			result = gim_page_load(state, memory, value >> parts[i].low << parts[i].low, parts[i].layout, &part, parts[i].gpa,
			                       error);
	}
	return result;
}

static int load(struct gim_state *state, struct gim_memory *memory, const struct gim_object *object, struct gim_error *error)
{
	const struct gim_object *own = gim_state_find(state, &kvm_state_record);
	const struct kvm_state *kvm = GIM_DATA(own, kvm_state);
	struct kvm_pages *pages = (struct kvm_pages *)(void *)object->data;
	const struct gim_object wall = gim_page_part(object, &kvm_wall_clock_record, offsetof(struct kvm_pages, wall_clock));
	int result = gim_list_grow(&state->arena, &pages->vcpu, &kvm_vcpu_pages_record, kvm->vcpu.count, error);
	if (!result && own->presence[offsetof(struct kvm_state, wall_clock)] && kvm->wall_clock)
		result = GIM_PAGE_LOAD(state, memory, kvm->wall_clock, &layouts[WALL_CLOCK], kvm_wall_clock, &wall, error);
	for (uint32_t i = 0; !result && i < kvm->vcpu.count; i++) {
		const size_t from = (size_t)i * sizeof(struct kvm_vcpu), to = (size_t)i * sizeof(struct kvm_vcpu_pages);
		const struct gim_object vcpu = {&kvm_vcpu_pages_record, (uint8_t *)pages->vcpu.items + to, pages->vcpu.presence + to};
		result = load_vcpu(state, memory, (const uint8_t *)kvm->vcpu.items + from, kvm->vcpu.presence + from, &vcpu, error);
	}
	return result;
}

const struct gim_page_provider kvm_page_provider = {.record = &kvm_pages_record, .layouts = layouts, .load = load};
