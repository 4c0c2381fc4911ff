/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What check judges of the KVM interface, beyond what holds for every interface. */
#include "check.h"
#include "bytes.h"
#include "guest.h"
#include "guest_pages.h"
#include "kvm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ENABLED 1

/* Calls judge for each vCPU whose clock is enabled. */
struct clock {
	const struct kvm_vcpu *vcpu;
	const uint8_t *presence;
	uint32_t index;
};
#define CLOCK_HAS(clock, member) ((clock)->presence[offsetof(struct kvm_vcpu, member)] != GIM_ABSENT)

static void each_clock(struct gim_judging *judging, void (*judge)(struct gim_judging *judging, const struct clock *clock))
{
	const struct gim_object *object = GIM_OBJECT_OF(judging->state, kvm_state);
	const struct gim_list *list = object ? &GIM_DATA(object, kvm_state)->vcpu : NULL;
	for (uint32_t v = 0; list && v < list->count; v++) {
		const struct clock clock = {&((const struct kvm_vcpu *)list->items)[v],
		                            list->presence + (size_t)v * sizeof(struct kvm_vcpu), v};
		if (CLOCK_HAS(&clock, system_time) && clock.vcpu->system_time & ENABLED)
			judge(judging, &clock);
	}
}

static const char *path_of(const struct clock *clock, const char *member, char path[64])
{
	(void)snprintf(path, 64, "kvm.vcpu[%" PRIu32 "].%s", clock->index, member);
	return path;
}

static void judge_anchor(struct gim_judging *judging, const struct clock *clock)
{
	const struct gim_object *object = GIM_OBJECT_OF(judging->state, guest);
	const struct guest *guest = object ? GIM_DATA(object, guest) : NULL;
	char path[64];
	if (GIM_HAS(object, guest, virtual_ns) && CLOCK_HAS(clock, virtual_ns) && clock->vcpu->virtual_ns > guest->virtual_ns) {
		gim_judge(judging, GIM_NO_UNIT, path_of(clock, "virtual_ns", path),
		          "the clock was enabled at %" PRIu64 " ns, and it is %" PRIu64 " ns now", clock->vcpu->virtual_ns,
		          guest->virtual_ns);
		return;
	}
	if (!object || clock->index >= guest->vcpu.count || !CLOCK_HAS(clock, tsc))
		return;
	const struct guest_vcpu *vcpu = &((const struct guest_vcpu *)guest->vcpu.items)[clock->index];
	const size_t at = (size_t)clock->index * sizeof(*vcpu) + offsetof(struct guest_vcpu, tsc);
	if (guest->vcpu.presence[at] && clock->vcpu->tsc > vcpu->tsc)
		gim_judge(judging, GIM_NO_UNIT, path_of(clock, "tsc", path),
		          "the clock was enabled at TSC 0x%" PRIx64 ", and it is 0x%" PRIx64 " now", clock->vcpu->tsc, vcpu->tsc);
}

static void judge_anchors(struct gim_judging *judging)
{
	each_clock(judging, judge_anchor);
}

static void judge_version(struct gim_judging *judging, const struct clock *clock)
{
	char path[64];
	if (CLOCK_HAS(clock, version) && clock->vcpu->version & 1)
		gim_judge(judging, GIM_NO_UNIT, path_of(clock, "version", path), "version %" PRIu32 " is odd", clock->vcpu->version);
}

static void judge_versions(struct gim_judging *judging)
{
	each_clock(judging, judge_version);
}

static void judge_place(struct gim_judging *judging, const struct clock *clock)
{
	const uint64_t wanted = clock->vcpu->system_time & ~(uint64_t)ENABLED;
	char path[64];
	if (CLOCK_HAS(clock, gpa) && clock->vcpu->gpa != wanted)
		gim_judge(judging, GIM_NO_UNIT, path_of(clock, "gpa", path),
		          "the time structure is at 0x%" PRIx64 ", and the register says 0x%" PRIx64, clock->vcpu->gpa, wanted);
}

static void judge_places(struct gim_judging *judging)
{
	each_clock(judging, judge_place);
}

static void judge_signature(struct gim_judging *judging)
{
	enum { VENDOR_LEAF = 0x40000000 };
	uint32_t registers[4];
	char vendor[13] = "";
	if (!GIM_OBJECT_OF(judging->state, kvm_state) || !gim_judging_leaf(judging->state, VENDOR_LEAF, registers))
		return;
	gim_store(vendor, registers[GIM_EBX], 4);
	gim_store(vendor + 4, registers[GIM_ECX], 4);
	gim_store(vendor + 8, registers[GIM_EDX], 4);
	if (strcmp(vendor, "KVMKVMKVM") != 0)
		gim_judge(judging, GIM_NO_UNIT, "guest.cpuid",
		          "CPUID 0x40000000 shows the guest another hypervisor than KVM (0x%08" PRIx32 ")", registers[GIM_EBX]);
}

#define NO_STATUS 0, NULL

const struct gim_check_rule kvm_checks[] = {
    {{"GIM-CLOCK-001", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "a clock was enabled before the state was saved",
      .why = "the guest's clock jumps, or goes back",
      .mend = "find out which unit was changed, or take the file again from where it was made", .source = "KVM msr.rst"},
     .judge = judge_anchors},
    {{"GIM-CLOCK-002", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "a time structure's version is even",
      .why = "an odd version says that the structure is being written: the guest waits for that to end",
      .mend = "set the version to an even number", .source = "KVM msr.rst"},
     .judge = judge_versions},
    {{"GIM-PAGE-004", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the time structure is where the guest's register says",
      .why = "VirtualBox goes by its own address, and the guest by the register", .mend = "set gpa to the register's address",
      .source = "VirtualBox's loader"},
     .judge = judge_places},
    {{"GIM-CPUID-003", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "CPUID shows the guest that there is KVM's interface",
      .why = "the guest was shown another interface than the one that it is said to use",
      .mend = "find out which unit was changed, or take the file again from where it was made", .source = "KVM cpuid.rst"},
     .judge = judge_signature},
    {{"GIM-MEM-001", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "no structure in guest memory was being written",
      .why = "an odd version says so: the guest waits for that to end", .mend = "save the state again", .source = "KVM msr.rst"},
     .judge = kvm_judge_page_versions},
    {{"GIM-MEM-002", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the time structures in guest memory are made for the state's TSC frequency",
      .why = "the guest's clock runs too fast or too slow until the hypervisor writes the structure anew",
      .mend = "find out which of them was changed, or take the file again from where it was made", .source = "KVM msr.rst"},
     .judge = kvm_judge_page_frequencies},
    {{"GIM-MEM-003", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the time structures in guest memory hold what the state says",
      .why = "the hypervisor goes on from what the state says, and the guest's clock jumps, or goes back",
      .mend = "find out which of them was changed, or take the file again from where it was made", .source = "KVM msr.rst"},
     .judge = kvm_judge_page_copies},
    {{"GIM-MEM-004", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the wall clock in guest memory is a time",
      .why = "the guest's time of day is wrong", .mend = "have the guest set its clock, e.g. by NTP", .source = "KVM msr.rst"},
     .judge = kvm_judge_wall_clock},
    {{"GIM-MEM-005", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the clock goes on where the time structures in guest memory have come to",
      .why = "the guest's clock jumps when the state is loaded; what waits for a time waits too long, or is woken too early",
      .mend = "set kvm.clock_ns to what the guest has read, or take the file again from where it was made",
      .source = "KVM api.rst, KVM_SET_CLOCK"},
     .judge = kvm_judge_page_clocks},
    {.rule = {.id = NULL}},
};
