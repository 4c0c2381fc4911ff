/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kvmclock: one clock that all vCPUs' time structures show, and the wall clock (KVM msr.rst). */
#include "bytes.h"
#include "runtime.h"

#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

/* struct pvclock_vcpu_time_info; its fields are little-endian, as those of every structure here. */
enum { TIME_BYTES = 32, TIME_FLAGS = 29 };
enum { FLAG_TSC_STABLE = 1, FLAG_GUEST_PAUSED = 2 };

/* A factor between 2^31 and 2^32 keeps the most bits. */
struct kvm_scale kvm_scale_of(uint64_t tsc_hz)
{
	struct kvm_scale scale = {0, 0};
	while (tsc_hz > 2 * NS_PER_S) {
		tsc_hz >>= 1;
		scale.shift--;
	}
	while (tsc_hz <= NS_PER_S) {
		tsc_hz <<= 1;
		scale.shift++;
	}
	scale.mul = (uint32_t)((NS_PER_S << 32) / tsc_hz);
	return scale;
}

uint64_t kvm_scale_ticks(struct kvm_scale scale, uint64_t ticks)
{
	ticks = scale.shift < 0 ? ticks >> -scale.shift : ticks << scale.shift;
	return gim_mul_high(ticks, (uint64_t)scale.mul << 32);
}

uint64_t kvm_clock_ns(const struct gim_machine *machine)
{
	const struct kvm_machine *own = kvm_own(machine);
	/* A TSC that goes back, of an embedder that should not, must not look like one of centuries. */
	const uint64_t tsc = gim_machine_tsc(machine);
	return own->ns + (tsc > own->tsc ? kvm_scale_ticks(own->scale, tsc - own->tsc) : 0);
}

void kvm_clock_init(struct gim_machine *machine)
{
	struct kvm_machine *own = kvm_own(machine);
	own->scale = kvm_scale_of(machine->tsc_hz);
	own->tsc = gim_machine_tsc(machine);
	own->ns = 0;
}

/* Write a structure that begins with its version: odd while the rest changes. */
static int write_versioned(struct gim_machine *machine, uint64_t gpa, uint8_t *bytes, size_t size, uint32_t version)
{
	gim_store(bytes, version - 1, 4);
	if (gim_ram_write(machine, gpa, bytes, size))
		return -1;
	gim_store(bytes, version, 4);
	return gim_ram_write(machine, gpa, bytes, 4);
}

/* Once the guest has seen that it was paused, it clears the flag in its structure, and it must not come again. */
static uint8_t next_flags(struct gim_machine *machine, const struct kvm_vcpu *vcpu)
{
	uint8_t seen = 0;
	if (!(vcpu->flags & FLAG_GUEST_PAUSED) || gim_ram_read(machine, vcpu->gpa + TIME_FLAGS, &seen, 1))
		return vcpu->flags;
	return seen & FLAG_GUEST_PAUSED ? vcpu->flags : vcpu->flags & (uint8_t)~FLAG_GUEST_PAUSED;
}

/* Show the clock in the vCPU's structure. All have the same anchor, so that they agree to the ns. */
static void show_clock(struct gim_machine *machine, uint32_t index)
{
	const struct kvm_machine *own = kvm_own(machine);
	struct kvm_vcpu *vcpu = kvm_vcpu(machine, index);
	uint8_t time[TIME_BYTES] = {0};
	vcpu->tsc = own->tsc;
	vcpu->virtual_ns = own->ns;
	vcpu->version = (vcpu->version & ~1u) + 2;
	gim_store(time + 8, vcpu->tsc, 8);
	gim_store(time + 16, vcpu->virtual_ns, 8);
	gim_store(time + 24, own->scale.mul, 4);
	time[28] = (uint8_t)own->scale.shift;
	time[TIME_FLAGS] = vcpu->flags | FLAG_TSC_STABLE;
	if (write_versioned(machine, vcpu->gpa, time, sizeof(time), vcpu->version))
		gim_log(machine, GIM_WARNING, "vCPU %u: its time structure at 0x%llx is not in RAM", index, (unsigned long long)vcpu->gpa);
}

/* Whatever the address: a guest that enables a bad one reads no time there, but gets no #GP either. */
enum gim_access kvm_write_system_time(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	(void)index;
	if (!(*value & KVM_ENABLED))
		return GIM_ACCESS_DONE;
	struct kvm_vcpu *registers = kvm_vcpu(machine, vcpu);
	registers->flags = next_flags(machine, registers);
	registers->gpa = kvm_structure_gpa(*value);
	show_clock(machine, vcpu);
	return GIM_ACCESS_DONE;
}

/* When the clock began, so that wall clock and system time together are the time of day. */
enum gim_access kvm_write_wall_clock(struct gim_machine *machine, uint32_t vcpu, uint32_t index, uint64_t *value)
{
	uint8_t wall[12], old[4];
	(void)vcpu;
	(void)index;
	if (!*value)
		return GIM_ACCESS_DONE;
	if (*value % 4 || !gim_ram_is(machine, *value, sizeof(wall)) || gim_ram_read(machine, *value, old, sizeof(old)))
		return GIM_ACCESS_GP;
	const uint64_t utc = gim_machine_utc_ns(machine), since = kvm_clock_ns(machine), boot = utc > since ? utc - since : 0;
	const uint32_t version = (uint32_t)old[0] | (uint32_t)old[1] << 8 | (uint32_t)old[2] << 16 | (uint32_t)old[3] << 24;
	gim_store(wall + 4, boot / NS_PER_S, 4);
	gim_store(wall + 8, boot % NS_PER_S, 4);
	(void)write_versioned(machine, *value, wall, sizeof(wall), (version & ~1u) + 2);
	return GIM_ACCESS_DONE;
}

/*
 * Loading. A layout that holds no clock holds the anchors of the structures, and other units the TSC at which the state was saved.
 */
static bool vcpus_clock(const struct gim_machine *machine, uint32_t index, uint64_t *ns)
{
	const struct gim_saved_clock *saved = &machine->saved;
	const struct kvm_vcpu *vcpu = kvm_vcpu(machine, index);
	const struct kvm_scale scale = kvm_scale_of(saved->tsc_hz != GIM_UNKNOWN ? saved->tsc_hz : machine->tsc_hz);
	if (!(vcpu->system_time & KVM_ENABLED))
		return false;
	*ns = vcpu->virtual_ns;
	if (saved->tsc != GIM_UNKNOWN && saved->tsc > vcpu->tsc)
		*ns += kvm_scale_ticks(scale, saved->tsc - vcpu->tsc);
	return true;
}

static void find_structures(struct gim_machine *machine)
{
	const struct gim_list *list = &kvm_state(machine)->vcpu;
	for (uint32_t i = 0; i < list->count; i++) {
		struct kvm_vcpu *vcpu = (struct kvm_vcpu *)list->items + i;
		if (!list->presence[i * sizeof(*vcpu) + offsetof(struct kvm_vcpu, gpa)])
			vcpu->gpa = kvm_structure_gpa(vcpu->system_time);
	}
}

void kvm_clock_loaded(struct gim_machine *machine)
{
	struct kvm_state *state = kvm_state(machine);
	bool found = false;
	find_structures(machine);
	if (machine->object.presence[offsetof(struct kvm_state, clock_ns)])
		return;
	state->clock_reliable = 1;
	for (uint32_t vcpu = 0; vcpu < machine->vcpus; vcpu++) {
		uint64_t ns = 0;
		if (vcpus_clock(machine, vcpu, &ns) && (!found || ns > state->clock_ns)) {
			state->clock_ns = ns;
			found = true;
		}
	}
	if (!found && machine->saved.virtual_ns != GIM_UNKNOWN)
		state->clock_ns = machine->saved.virtual_ns;
}

/* Real time since the save, as with KVM_CLOCK_REALTIME (KVM api.rst): one that lies ahead counts for nothing, since no clock goes back. */
static uint64_t missed_ns(const struct gim_machine *machine)
{
	const uint64_t then = machine->saved.utc_ns, now = gim_machine_utc_ns(machine);
	return kvm_own(machine)->catch_up && then != GIM_UNKNOWN && now > then ? now - then : 0;
}

/* A layout without versions leaves 0, which no clock that is on has: the guest saw the one in its memory, and must see another if it was stopped while it read. */
static void find_version(struct gim_machine *machine, struct kvm_vcpu *vcpu)
{
	uint8_t seen[4];
	if (!vcpu->version && !gim_ram_read(machine, vcpu->gpa, seen, sizeof(seen)))
		vcpu->version = (uint32_t)gim_load(seen, sizeof(seen));
}

void kvm_clock_load_done(struct gim_machine *machine)
{
	kvm_clock_init(machine);
	kvm_own(machine)->ns = kvm_state(machine)->clock_ns + missed_ns(machine);
	for (uint32_t vcpu = 0; vcpu < machine->vcpus; vcpu++) {
		struct kvm_vcpu *registers = kvm_vcpu(machine, vcpu);
		registers->flags = next_flags(machine, registers);
		if (!(registers->system_time & KVM_ENABLED))
			continue;
		find_version(machine, registers);
		show_clock(machine, vcpu);
	}
}
