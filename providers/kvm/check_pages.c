/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What check judges of the structures that KVM's interface keeps in guest memory. */
#include "kvm/guest_pages.h"

#include "guest.h"
#include "kvm/kvm.h"
#include "kvm/runtime.h"
#include "scale.h"

#include <inttypes.h>
#include <stdio.h>

#define PRESENT(presence, type, member) ((presence)[offsetof(struct type, member)] != GIM_ABSENT)

/* Calls judge for each vCPU. */
typedef void vcpu_fn(struct gim_judging *judging, uint32_t index, const struct kvm_vcpu_pages *pages, const uint8_t *presence);

static void each_vcpu(struct gim_judging *judging, vcpu_fn *judge)
{
	const struct gim_object *object = GIM_OBJECT_OF(judging->state, kvm_pages);
	const struct gim_list *list = object ? &GIM_DATA(object, kvm_pages)->vcpu : NULL;
	for (uint32_t v = 0; list && v < list->count; v++)
		judge(judging, v, (const struct kvm_vcpu_pages *)list->items + v,
		      list->presence + (size_t)v * sizeof(struct kvm_vcpu_pages));
}

static const char *path_of(uint32_t index, const char *member, char path[64])
{
	(void)snprintf(path, 64, "kvm_pages.vcpu[%" PRIu32 "].%s", index, member);
	return path;
}

static void judge_version(struct gim_judging *judging, bool known, uint32_t version, const char *path)
{
	if (known && version & 1)
		gim_judge(judging, GIM_NO_UNIT, path, "version %" PRIu32 " is odd: it was being written", version);
}

static void judge_vcpu_versions(struct gim_judging *judging, uint32_t index, const struct kvm_vcpu_pages *pages, const uint8_t *presence)
{
	char path[64];
	judge_version(judging, PRESENT(presence, kvm_vcpu_pages, pvclock.version), pages->pvclock.version,
	              path_of(index, "pvclock.version", path));
	judge_version(judging, PRESENT(presence, kvm_vcpu_pages, steal_time.version), pages->steal_time.version,
	              path_of(index, "steal_time.version", path));
}

void kvm_judge_page_versions(struct gim_judging *judging)
{
	const struct gim_object *object = GIM_OBJECT_OF(judging->state, kvm_pages);
	if (object)
		judge_version(judging, GIM_HAS(object, kvm_pages, wall_clock.version), GIM_DATA(object, kvm_pages)->wall_clock.version,
		              "kvm_pages.wall_clock.version");
	each_vcpu(judging, judge_vcpu_versions);
}

static void judge_vcpu_frequency(struct gim_judging *judging, uint32_t index, const struct kvm_vcpu_pages *pages, const uint8_t *presence)
{
	enum { PPM = 500, MILLION = 1000000 }; /* a host's own correction of its clock is no more */
	const struct gim_object *guest = GIM_OBJECT_OF(judging->state, guest);
	const uint64_t tsc_hz = GIM_HAS(guest, guest, tsc_hz) ? GIM_DATA(guest, guest)->tsc_hz : 0, own = pages->pvclock.tsc_hz;
	const uint64_t apart = own > tsc_hz ? own - tsc_hz : tsc_hz - own;
	char path[64];
	if (tsc_hz && PRESENT(presence, kvm_vcpu_pages, pvclock.tsc_hz) && apart > gim_mul_div(tsc_hz, PPM, MILLION))
		gim_judge(judging, GIM_NO_UNIT, path_of(index, "pvclock.multiplier", path),
		          "multiplier and shift are those of a TSC of %" PRIu64 " Hz, and the state's runs with %" PRIu64 " Hz", own,
		          tsc_hz);
}

void kvm_judge_page_frequencies(struct gim_judging *judging)
{
	each_vcpu(judging, judge_vcpu_frequency);
}

/* What a container keeps of a structure beside the guest's own memory must be what stands there. */
static void judge_vcpu_copy(struct gim_judging *judging, uint32_t index, const struct kvm_vcpu_pages *pages, const uint8_t *presence)
{
	const struct gim_object *object = GIM_OBJECT_OF(judging->state, kvm_state);
	const struct gim_list *list = object ? &GIM_DATA(object, kvm_state)->vcpu : NULL;
	if (!list || index >= list->count || !PRESENT(presence, kvm_vcpu_pages, pvclock.version))
		return;
	const struct kvm_vcpu *vcpu = (const struct kvm_vcpu *)list->items + index;
	const uint8_t *own = list->presence + (size_t)index * sizeof(*vcpu);
	const struct kvm_pvclock *clock = &pages->pvclock;
	char path[64];
	if (PRESENT(own, kvm_vcpu, tsc) && vcpu->tsc != clock->tsc)
		gim_judge(judging, GIM_NO_UNIT, path_of(index, "pvclock.tsc", path),
		          "the guest reads TSC 0x%" PRIx64 ", and the state says 0x%" PRIx64, clock->tsc, vcpu->tsc);
	else if (PRESENT(own, kvm_vcpu, virtual_ns) && vcpu->virtual_ns != clock->system_ns)
		gim_judge(judging, GIM_NO_UNIT, path_of(index, "pvclock.system_ns", path),
		          "the guest reads %" PRIu64 " ns, and the state says %" PRIu64 " ns", clock->system_ns, vcpu->virtual_ns);
	else if (PRESENT(own, kvm_vcpu, version) && vcpu->version != clock->version)
		gim_judge(judging, GIM_NO_UNIT, path_of(index, "pvclock.version", path),
		          "the guest reads version %" PRIu32 ", and the state says %" PRIu32, clock->version, vcpu->version);
}

void kvm_judge_page_copies(struct gim_judging *judging)
{
	each_vcpu(judging, judge_vcpu_copy);
}

/* What the guest read from its time structure when its TSC stood still. */
static uint64_t clock_at(const struct kvm_pvclock *clock, uint64_t tsc)
{
	const struct kvm_scale scale = {clock->multiplier, (int8_t)clock->shift};
	return clock->system_ns + (tsc > clock->tsc ? kvm_scale_ticks(scale, tsc - clock->tsc) : 0);
}

/*
 * The clock is taken once the vCPUs stand, after their TSCs: it is ahead by some us, by ms when RAM was sent in between. Two ways to
 * reckon the same clock may be apart a little, too.
 */
static void judge_vcpu_clock(struct gim_judging *judging, uint32_t index, const struct kvm_vcpu_pages *pages, const uint8_t *presence)
{
	enum { MILLISECOND = 1000000, BEHIND = MILLISECOND, AHEAD = 1000 * MILLISECOND };
	const struct gim_object *state = GIM_OBJECT_OF(judging->state, kvm_state), *guest = GIM_OBJECT_OF(judging->state, guest);
	const struct gim_list *list = guest ? &GIM_DATA(guest, guest)->vcpu : NULL;
	if (!GIM_HAS(state, kvm_state, clock_ns) || !list || index >= list->count ||
	    list->presence[(size_t)index * sizeof(struct guest_vcpu) + offsetof(struct guest_vcpu, tsc)] == GIM_ABSENT ||
	    !PRESENT(presence, kvm_vcpu_pages, pvclock.system_ns) || !PRESENT(presence, kvm_vcpu_pages, pvclock.tsc_hz))
		return;
	const uint64_t saved = GIM_DATA(state, kvm_state)->clock_ns;
	const uint64_t read = clock_at(&pages->pvclock, ((const struct guest_vcpu *)list->items)[index].tsc);
	if (read > saved && read - saved > BEHIND)
		gim_judge(judging, GIM_NO_UNIT, "kvm.clock_ns",
		          "vCPU %" PRIu32 " has read %" PRIu64 " ns from its time structure, and the clock goes on at %" PRIu64
		          " ns: back by %" PRIu64 " ns",
		          index, read, saved, read - saved);
	else if (saved > read && saved - read > AHEAD)
		gim_judge(judging, GIM_NO_UNIT, "kvm.clock_ns",
		          "vCPU %" PRIu32 " has read %" PRIu64 " ns from its time structure, and the clock goes on at %" PRIu64
		          " ns: forward by %" PRIu64 " ns",
		          index, read, saved, saved - read);
}

void kvm_judge_page_clocks(struct gim_judging *judging)
{
	each_vcpu(judging, judge_vcpu_clock);
}

void kvm_judge_wall_clock(struct gim_judging *judging)
{
	enum { SECOND = 1000000000 };
	const struct gim_object *object = GIM_OBJECT_OF(judging->state, kvm_pages);
	const struct kvm_wall_clock *clock = object ? &GIM_DATA(object, kvm_pages)->wall_clock : NULL;
	if (!GIM_HAS(object, kvm_pages, wall_clock.nanoseconds))
		return;
	if (clock->nanoseconds >= SECOND)
		gim_judge(judging, GIM_NO_UNIT, "kvm_pages.wall_clock.nanoseconds", "%" PRIu32 " nanoseconds are more than a second",
		          clock->nanoseconds);
	else if (!clock->version)
		gim_judge(judging, GIM_NO_UNIT, "kvm_pages.wall_clock.version",
		          "nobody has written the wall clock since the guest asked for it");
}
