/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The reference time, by the guest's TSC: its MSR, the reference TSC page, and what a migration to another TSC frequency does (TLFS, timers). */
#include "runtime.h"

#include "bytes.h"
#include "error.h"

#include <inttypes.h>
#include <string.h>

#define TIME_HZ UINT64_C(10000000) /* units of 100 ns in a second */

/* (a << 64) / b for a < b, rounded up; at most all ones. */
static uint64_t div_high_up(uint64_t a, uint64_t b)
{
	const uint64_t quotient = gim_div_high(a, b);
	return quotient + (quotient != UINT64_MAX && gim_mul_high(quotient, b) < a);
}

uint64_t hv_time_at(const struct gim_machine *machine, uint64_t tsc)
{
	const struct hv_state *state = hv_state(machine);
	return gim_mul_high(tsc, state->tsc_scale) + state->tsc_offset;
}

uint64_t hv_time(const struct gim_machine *machine)
{
	return hv_time_at(machine, gim_machine_tsc(machine));
}

uint64_t hv_time_tsc(const struct gim_machine *machine, uint64_t time)
{
	const struct hv_state *state = hv_state(machine);
	const bool before_zero = state->tsc_offset >> 63; /* the time's zero lies at a TSC above 0 */
	const uint64_t units = time - state->tsc_offset;
	if (!before_zero && time <= state->tsc_offset)
		return 0;
	if ((before_zero && units < time) || units >= state->tsc_scale)
		return GIM_UNKNOWN;
	return div_high_up(units, state->tsc_scale);
}

/* Rounded up, so that a second's ticks are a second; what is too much stays below a unit in the TSC's whole life. */
static uint64_t scale_of(uint64_t tsc_hz)
{
	return div_high_up(TIME_HZ, tsc_hz);
}

/* From now on it is `time` at `tsc`. */
static void set_clock(struct hv_state *state, uint64_t scale, uint64_t tsc, uint64_t time)
{
	state->tsc_scale = scale;
	state->tsc_offset = time - gim_mul_high(tsc, scale);
}

/*
 * The page. A sequence of 0 tells the guest to use the MSR, and so did all ones in the days of the first interface.
 */
static bool is_sequence(uint32_t sequence)
{
	return sequence && sequence != UINT32_MAX;
}

static void next_sequence(struct hv_state *state)
{
	do
		state->tsc_sequence++;
	while (!is_sequence(state->tsc_sequence));
}

static void fill_page(const struct gim_machine *machine)
{
	const struct hv_state *state = hv_state(machine);
	uint8_t *bytes = machine->pages[HV_PAGE_TSC].bytes;
	memset(bytes, 0, GIM_PAGE_BYTES);
	gim_store(bytes, state->tsc_sequence, 4);
	gim_store(bytes + 8, state->tsc_scale, 8);
	gim_store(bytes + 16, state->tsc_offset, 8);
}

enum gim_access hv_clock_write_page(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)vcpu;
	(void)index;
	struct hv_state *state = hv_state(machine);
	const uint64_t gpa = *value & HV_PAGE_MASK;
	const uint32_t sequence = state->tsc_sequence;
	if (!(*value & HV_ENABLE)) {
		gim_page_unmap(machine, HV_PAGE_TSC);
		return GIM_ACCESS_DONE;
	}
	if (machine->pages[HV_PAGE_TSC].gpa == gpa)
		return GIM_ACCESS_DONE;
	next_sequence(state);
	fill_page(machine);
	if (gim_page_map(machine, HV_PAGE_TSC, gpa, NULL)) {
		state->tsc_sequence = sequence;
		fill_page(machine);
		return GIM_ACCESS_GP;
	}
	state->tsc_page.gpa = gpa;
	return GIM_ACCESS_DONE;
}

enum gim_access hv_clock_read_time(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)vcpu;
	(void)index;
	*value = hv_time(machine);
	return GIM_ACCESS_DONE;
}

/*
 * Another TSC frequency than the guest's clock is made for. While the guest asks for emulation (of the TSC by the embedder, at the old frequency), the clock
 * stays as it is; it follows once the guest has said that it knows.
 */
static void follow_frequency(struct gim_machine *machine)
{
	struct hv_state *state = hv_state(machine);
	const uint64_t scale = scale_of(machine->tsc_hz), tsc = gim_machine_tsc(machine);
	if (scale == state->tsc_scale)
		return;
	set_clock(state, scale, tsc, hv_time_at(machine, tsc));
	next_sequence(state);
	fill_page(machine);
	if (machine->pages[HV_PAGE_TSC].gpa != GIM_UNKNOWN)
		gim_page_changed(machine, HV_PAGE_TSC);
}

static void end_emulation(struct gim_machine *machine)
{
	struct hv_state *state = hv_state(machine);
	if (!state->reenlightenment.emulation_status)
		return;
	state->reenlightenment.emulation_status = 0;
	follow_frequency(machine);
	gim_log(machine, GIM_NOTE, "the guest ends the emulation of its old TSC frequency: it knows of %" PRIu64 " Hz", machine->tsc_hz);
}

enum gim_access hv_clock_write_emulation_control(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)vcpu;
	(void)index;
	if (!*value)
		end_emulation(machine);
	return GIM_ACCESS_DONE;
}

enum gim_access hv_clock_write_emulation_status(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)vcpu;
	(void)index;
	(void)value; /* the row lets 0 pass only */
	end_emulation(machine);
	return GIM_ACCESS_DONE;
}

/* Once CPUID told the guest of an invariant TSC, there is no way back. */
enum gim_access hv_clock_write_invariant(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)vcpu;
	(void)index;
	return hv_state(machine)->tsc_invariant_control && !*value ? GIM_ACCESS_GP : GIM_ACCESS_DONE;
}

void hv_clock_init(struct gim_machine *machine)
{
	set_clock(hv_state(machine), scale_of(machine->tsc_hz), gim_machine_tsc(machine), 0);
}

void hv_clock_reset(struct gim_machine *machine)
{
	struct hv_state *state = hv_state(machine);
	follow_frequency(machine);
	state->tsc_sequence = 0;
}

/*
 * Loading.
 */
/* VirtualBox keeps no reference time: the guest saw one that follows from the TSC; through the page with a scale of 32 bits, through the MSR by a quotient of
 * whole numbers. It goes on where the guest has seen it last; so it does after a machine of this core, whose page has the whole scale, was saved like that. */
static uint64_t vbox_time(bool by_page, uint64_t tsc, uint64_t hz)
{
	const uint64_t khz = hz / 1000, exact = gim_mul_high(tsc, scale_of(hz));
	if (!by_page || khz <= 10000 || hz % TIME_HZ == 0) /* of a multiple of 10 MHz the quotient is the time itself */
		return tsc / (hz / TIME_HZ);
	const uint64_t page = gim_mul_high(tsc, (UINT64_C(10000) << 32) / khz << 32);
	return page > exact ? page : exact;
}

/* The reference time of a state that holds none. KVM's is its own clock's, whatever the guest's TSC is. */
static uint64_t absent_time(const struct gim_machine *machine, const struct gim_state *from, uint64_t tsc)
{
	const struct gim_saved_clock *saved = &machine->saved;
	const struct gim_value clock_ns = gim_state_value(from, "kvm.clock_ns");
	const bool known = saved->tsc_hz >= TIME_HZ && saved->tsc_hz != GIM_UNKNOWN;
	if (clock_ns.presence != GIM_ABSENT)
		return clock_ns.number / 100;
	return vbox_time(hv_state(machine)->reference_tsc & HV_ENABLE, tsc, known ? saved->tsc_hz : machine->tsc_hz);
}

int hv_clock_loaded(struct gim_machine *machine, const struct gim_state *from, struct gim_error *error)
{
	struct hv_state *state = hv_state(machine);
	const struct gim_saved_clock *saved = &machine->saved;
	const uint8_t *presence = machine->object.presence;
	const uint64_t tsc = saved->tsc <= INT64_MAX ? saved->tsc : gim_machine_tsc(machine);
	if (!presence[offsetof(struct hv_state, time_ref_count)])
		state->time_ref_count = absent_time(machine, from, tsc);
	hv_own(machine)->clock_kept =
	    presence[offsetof(struct hv_state, tsc_scale)] && presence[offsetof(struct hv_state, tsc_offset)] && state->tsc_scale;
	if (!hv_own(machine)->clock_kept)
		set_clock(state, scale_of(machine->tsc_hz), tsc, state->time_ref_count);
	if (state->time_ref_count <= INT64_MAX)
		return 0;
	(void)gim_fail_rule(error, &hv_rules[HV_RULE_TIME], GIM_UNKNOWN,
	                    "a reference time of 0x%" PRIx64 " was never reached: less than 2^63 is expected", state->time_ref_count);
	gim_error_path(error, "hyperv.time_ref_count");
	return GIM_E_VALUE;
}

/* The guest is told by an interrupt that its TSC has another frequency. */
static void notify(struct gim_machine *machine)
{
	const uint64_t control = hv_state(machine)->reenlightenment.control;
	const uint8_t vector = (uint8_t)control;
	if (control >> 16 & 1 && control >> 32 < machine->vcpus && vector >= 16)
		gim_machine_raise_vector(machine, (uint32_t)(control >> 32), vector, false);
}

/* May the clock stay as it is, for a guest that asks for the emulation of its TSC? Never so that time goes back. */
static bool may_stay(const struct gim_machine *machine, uint64_t tsc)
{
	const struct hv_state *state = hv_state(machine);
	const uint64_t time = hv_time_at(machine, tsc);
	return hv_own(machine)->clock_kept && state->reenlightenment.emulation_control & HV_ENABLE && time >= state->time_ref_count &&
	       time <= INT64_MAX;
}

/* Hypervisors that keep the page in the guest's RAM leave there what it saw last, where their layouts hold no sequence: the next one must be another, since a
 * guest may have been stopped while it read. */
static void find_sequence(struct gim_machine *machine, uint64_t gpa)
{
	struct hv_state *state = hv_state(machine);
	uint8_t seen[4];
	if (!is_sequence(state->tsc_sequence) && !gim_ram_read(machine, gpa, seen, sizeof(seen)))
		state->tsc_sequence = (uint32_t)gim_load(seen, sizeof(seen));
}

int hv_clock_load_done(struct gim_machine *machine, struct gim_error *error)
{
	struct hv_state *state = hv_state(machine);
	const uint64_t scale = scale_of(machine->tsc_hz), tsc = gim_machine_tsc(machine), offset = state->tsc_offset;
	const bool kept = hv_own(machine)->clock_kept, other_frequency = kept && state->tsc_scale != scale;
	const bool emulated = may_stay(machine, tsc);
	state->reenlightenment.emulation_status = emulated && other_frequency;
	if (!emulated)
		set_clock(state, scale, tsc, state->time_ref_count);
	if (other_frequency)
		notify(machine);
	if (!(state->reference_tsc & HV_ENABLE))
		return 0;
	const uint64_t gpa = state->tsc_page.gpa & HV_PAGE_MASK;
	const bool known = is_sequence(state->tsc_sequence);
	find_sequence(machine, gpa);
	if (!kept || state->tsc_offset != offset || (other_frequency && !emulated) || !known)
		next_sequence(state);
	fill_page(machine);
	return gim_page_map(machine, HV_PAGE_TSC, gpa, error);
}
