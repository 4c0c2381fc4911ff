/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of check that hold for every provider and container: one a row, with what judges it. */
#include "check.h"
#include "check_judges.h"

#include "bytes.h"
#include "error.h"
#include "guest.h"
#include "machine.h"
#include "status.h"
#include "visit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * What several rules ask.
 */
const struct gim_provider *gim_judging_provider(const struct gim_state *state)
{
	return gim_unit_provider(state);
}

void gim_judging_interfaces(struct gim_judging *judging, gim_judge_interface_fn *judge)
{
	const bool named = gim_state_value(judging->state, "gim.provider").presence != GIM_ABSENT;
	for (const struct gim_provider *const *each = gim_providers; *each; each++) {
		const struct gim_object *own = (*each)->record ? gim_state_find(judging->state, (*each)->record) : NULL;
		if (own && (!named || *each == gim_judging_provider(judging->state)))
			judge(judging, *each, own);
	}
}

uint32_t gim_judging_vcpus(const struct gim_state *state)
{
	const struct gim_object *guest = GIM_OBJECT_OF(state, guest);
	if (GIM_HAS(guest, guest, vcpus))
		return GIM_DATA(guest, guest)->vcpus;
	return state->codec.vcpus;
}

const char *gim_judging_hypervisor(const struct gim_state *state)
{
	if (state->unit_format)
		return state->unit_format;
	return state->format->releases ? state->format->name : NULL;
}

static const char *who_runs(const char *hypervisor)
{
	return strcmp(hypervisor, "qemu") ? hypervisor : "kvm";
}

bool gim_judging_other_hypervisor(const struct gim_judging *judging)
{
	const struct gim_text *text = &gim_target_profile(judging->target)->hypervisor;
	const char *own = gim_judging_hypervisor(judging->state);
	char wanted[32];
	(void)snprintf(wanted, sizeof(wanted), "%.*s", (int)text->length, text->bytes ? text->bytes : "");
	return own && *wanted && strcmp(who_runs(own), who_runs(wanted)) != 0;
}

bool gim_judging_is(const struct gim_judging *judging, const char *format)
{
	return judging->target->state.format && !strcmp(judging->target->state.format->name, format);
}

static uint64_t ram_of(const struct gim_state *state)
{
	const struct gim_object *guest = GIM_OBJECT_OF(state, guest);
	return GIM_HAS(guest, guest, ram_bytes) ? GIM_DATA(guest, guest)->ram_bytes : 0;
}

uint64_t gim_judging_ram(const struct gim_judging *judging)
{
	const uint64_t ram = ram_of(&judging->target->state);
	return ram ? ram : ram_of(judging->state);
}

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

bool gim_judging_is_ram(const struct gim_judging *judging, uint64_t gpa)
{
	/* The widest hole below 4 GiB that VirtualBox and QEMU's chipsets leave is 2 GiB; VirtualBox's own is 512 MiB. */
	const uint64_t ram = gim_judging_ram(judging), hole = gim_judging_is(judging, "vbox") ? MIB(512) : GIB(2);
	if (!ram)
		return true;
	if (gpa < MIB(1))
		return gpa < KIB(640) && gpa < ram;
	if (gpa < GIB(4) - hole)
		return gpa < ram;
	if (gim_judging_is(judging, "vbox"))
		return gpa >= GIB(4) && ram > GIB(4) - hole && gpa - GIB(4) < ram - (GIB(4) - hole);
	return gpa < ram || (gpa >= GIB(4) && gpa - GIB(4) < ram);
}

bool gim_judging_same(const struct gim_judging *judging)
{
	return judging->target->state.format == judging->state->format;
}

/*
 * Containers, releases and units.
 */
static void judge_container(struct gim_judging *judging)
{
	const struct gim_format *loader = judging->target->state.format;
	if (loader && !gim_judging_same(judging))
		gim_judge(judging, GIM_NO_UNIT, NULL, "this is a %s, and the target loads a %s", judging->state->format->title,
		          loader->title);
}

static void judge_producer(struct gim_judging *judging)
{
	const struct gim_value value = gim_state_value(judging->state, "source.release");
	unsigned major, minor;
	char release[32];
	if (!gim_judging_same(judging) || value.presence == GIM_ABSENT)
		return;
	(void)snprintf(release, sizeof(release), "%.*s", (int)value.length_bytes, value.bytes);
	if (sscanf(release, "%*[a-z]:%u.%u", &major, &minor) == 2 && gim_target_before(judging->target, major, minor))
		gim_judge(judging, GIM_NO_UNIT, "source.release", "%s wrote the state, and the target is the older %s:%u.%u", release,
		          judging->target->state.format->name, judging->target->major, judging->target->minor);
}

/* The unit as the target knows it; NULL: it does not. */
static const struct profile_unit *known_unit(const struct gim_target *target, const struct gim_unit *unit)
{
	const struct gim_list *list = &gim_target_profile(target)->unit;
	const struct profile_unit *units = (const struct profile_unit *)list->items;
	for (uint32_t i = 0; i < list->count; i++)
		if (units[i].instance == unit->instance && units[i].name.length == strlen(unit->name) &&
		    !memcmp(units[i].name.bytes, unit->name, units[i].name.length))
			return &units[i];
	return NULL;
}

/* What a live save tells about its progress is no unit of any VM, but of the loader. */
static bool is_loaders(const struct gim_unit *unit)
{
	return !strcmp(unit->name, "SSMLiveControl");
}

static void judge_units(struct gim_judging *judging)
{
	if (!gim_target_profile(judging->target)->unit.count)
		return;
	for (size_t i = 0; i < judging->unit_count; i++) {
		const struct gim_unit *unit = &judging->units[i];
		if (!is_loaders(unit) && !known_unit(judging->target, unit))
			gim_judge(judging, i, NULL, "the target has no unit %s, instance %" PRIu32, unit->name, unit->instance);
	}
}

/* A unit without a version is loaded in any. */
static bool has_version(const struct gim_target *target, const struct profile_unit *unit)
{
	const struct gim_list *list = &gim_target_profile(target)->unit;
	const size_t index = (size_t)(unit - (const struct profile_unit *)list->items);
	return list->presence[index * sizeof(*unit) + offsetof(struct profile_unit, version)] != GIM_ABSENT;
}

static void judge_unit_versions(struct gim_judging *judging)
{
	for (size_t i = 0; i < judging->unit_count; i++) {
		const struct gim_unit *unit = &judging->units[i];
		const struct profile_unit *known = known_unit(judging->target, unit);
		if (known && unit->version > known->version && has_version(judging->target, known))
			gim_judge(judging, i, NULL, "the unit has version %" PRIu32 ", and the target loads versions up to %" PRIu32,
			          unit->version, known->version);
	}
}

/*
 * The provider and its layout.
 */
static void judge_provider(struct gim_judging *judging)
{
	const struct gim_provider *wanted = gim_judging_provider(&judging->target->state);
	const struct gim_value own = gim_state_value(judging->state, "gim.provider");
	const struct gim_text *reason = &gim_target_profile(judging->target)->reason;
	char text[64];
	if (!wanted || own.presence == GIM_ABSENT || own.number == wanted->vbox_id)
		return;
	(void)gim_value_text(&own, text, sizeof(text));
	gim_judge(judging, GIM_NO_UNIT, "gim.provider", "the state has the interface %s, and the target has %s%s%.*s%s", text, wanted->name,
	          reason->length ? " (" : "", (int)reason->length, reason->bytes ? reason->bytes : "", reason->length ? ")" : "");
}

const struct gim_layout *gim_judging_layout(const struct gim_judging *judging, const struct gim_provider *provider, uint16_t *version)
{
	const struct gim_format *loader = judging->target->state.format;
	*version = 0;
	for (const struct gim_layout *const *each = provider ? provider->layouts : NULL; loader && each && *each; each++) {
		if (strcmp((*each)->format, loader->name) != 0)
			continue;
		for (const struct gim_release *one = (*each)->releases; one && one->version; one++)
			if (!judging->target->major || gim_target_since(judging->target, one->major, one->minor))
				*version = one->version;
		return *version ? *each : NULL;
	}
	return NULL;
}

static void judge_layout(struct gim_judging *judging)
{
	uint16_t version;
	const struct gim_provider *provider = gim_judging_provider(judging->state);
	if (!gim_judging_same(judging) || !gim_judging_layout(judging, provider, &version) || judging->state->layout_version <= version)
		return;
	gim_judge(judging, GIM_NO_UNIT, "gim.layout",
	          "the interface is saved in version %" PRIu32 ", and the target loads versions up to %u", judging->state->layout_version,
	          version);
}

static void judge_no_interface(struct gim_judging *judging)
{
	const struct gim_provider *wanted = gim_judging_provider(&judging->target->state);
	if (!GIM_OBJECT_OF(judging->state, gim) && wanted && wanted->record)
		gim_judge(judging, GIM_NO_UNIT, NULL, "the state says nothing of a guest interface, and the target has %s", wanted->name);
}

/*
 * vCPUs, memory, frequencies.
 */
void gim_judge_vcpus(struct gim_judging *judging)
{
	const uint32_t own = gim_judging_vcpus(judging->state), wanted = gim_judging_vcpus(&judging->target->state);
	if (own && wanted && own != wanted)
		gim_judge(judging, GIM_NO_UNIT, "guest.vcpus", "the state has %" PRIu32 " vCPU%s, and the target has %" PRIu32, own,
		          own == 1 ? "" : "s", wanted);
}

void gim_judge_ram(struct gim_judging *judging)
{
	const uint64_t own = ram_of(judging->state), wanted = ram_of(&judging->target->state);
	if (own && wanted && own != wanted)
		gim_judge(judging, GIM_NO_UNIT, "guest.ram_bytes",
		          "the state has %" PRIu64 " bytes of RAM (%.6g MiB), and the target has %" PRIu64 " (%.6g MiB)", own,
		          (double)own / (double)MIB(1), wanted, (double)wanted / (double)MIB(1));
}

static uint64_t tsc_of(const struct gim_state *state)
{
	const struct gim_object *guest = GIM_OBJECT_OF(state, guest);
	return GIM_HAS(guest, guest, tsc_hz) ? GIM_DATA(guest, guest)->tsc_hz : 0;
}

bool gim_judging_tsc_differs(const struct gim_judging *judging, uint64_t *own, uint64_t *wanted)
{
	const struct gim_object *profile = &judging->target->profile;
	const uint64_t tolerance = GIM_DATA(profile, profile)->tsc_tolerance_ppm;
	*own = tsc_of(judging->state);
	*wanted = tsc_of(&judging->target->state);
	const uint64_t apart = *own > *wanted ? *own - *wanted : *wanted - *own;
	return *own && *wanted && apart > gim_mul_div(*own, tolerance, 1000000);
}

static void judge_tsc(struct gim_judging *judging)
{
	const struct gim_object *profile = &judging->target->profile;
	const bool fixed = GIM_HAS(profile, profile, tsc_fixed) ? GIM_DATA(profile, profile)->tsc_fixed : !gim_judging_is(judging, "vbox");
	uint64_t own, wanted;
	if (fixed && gim_judging_tsc_differs(judging, &own, &wanted))
		gim_judge(judging, GIM_NO_UNIT, "guest.tsc_hz",
		          "the guest knows a TSC of %" PRIu64 " Hz, and the target's runs with %" PRIu64 " Hz; %" PRIu32
		          " ppm are tolerated",
		          own, wanted, GIM_DATA(profile, profile)->tsc_tolerance_ppm);
}

/* vCPUs' counters a second apart, where the guest takes them for one clock. */
static void judge_spread(struct gim_judging *judging)
{
	const struct gim_object *object = GIM_OBJECT_OF(judging->state, guest);
	const uint64_t tsc_hz = tsc_of(judging->state);
	uint64_t low = UINT64_MAX, high = 0;
	uint32_t which = 0;
	if (!object || !tsc_hz)
		return;
	const struct gim_list *list = &GIM_DATA(object, guest)->vcpu;
	for (uint32_t i = 0; i < list->count; i++) {
		const uint64_t tsc = ((const struct guest_vcpu *)list->items)[i].tsc;
		if (list->presence[i * sizeof(struct guest_vcpu) + offsetof(struct guest_vcpu, tsc)] == GIM_ABSENT)
			return;
		which = tsc > high ? i : which;
		low = tsc < low ? tsc : low;
		high = tsc > high ? tsc : high;
	}
	char path[64];
	(void)snprintf(path, sizeof(path), "guest.vcpu[%" PRIu32 "].tsc", which);
	if (high > low && high - low > tsc_hz)
		gim_judge(judging, GIM_NO_UNIT, path, "the vCPUs' TSCs are up to %.6g s apart", (double)(high - low) / (double)tsc_hz);
}

/*
 * CPUID: what the guest sees against what its interface is.
 */
bool gim_judging_leaf(const struct gim_state *state, uint32_t leaf, uint32_t registers[4])
{
	const struct gim_object *object = GIM_OBJECT_OF(state, guest);
	const struct gim_list *list = object ? &GIM_DATA(object, guest)->cpuid : NULL;
	const struct guest_cpuid *leaves = list ? (const struct guest_cpuid *)list->items : NULL;
	for (uint32_t i = 0; list && i < list->count; i++)
		if (leaves[i].leaf == leaf) {
			registers[GIM_EAX] = leaves[i].eax;
			registers[GIM_EBX] = leaves[i].ebx;
			registers[GIM_ECX] = leaves[i].ecx;
			registers[GIM_EDX] = leaves[i].edx;
			return true;
		}
	return false;
}

static void judge_interface_leaves(struct gim_judging *judging, const struct gim_provider *provider, const struct gim_object *own)
{
	(void)own;
	for (const struct gim_cpuid_row *row = provider->cpuid; row && row->leaf; row++) {
		const struct gim_object *object = gim_state_find(judging->state, row->record);
		uint32_t registers[4];
		char path[128];
		if (!object || !object->presence[row->offset] || !gim_judging_leaf(judging->state, row->leaf, registers))
			continue;
		const uint64_t word = gim_number_load(object->data + row->offset, sizeof(uint32_t));
		gim_object_path(object, row->offset, path, sizeof(path));
		if (word != registers[row->reg])
			gim_judge(judging, GIM_NO_UNIT, path,
			          "the word is 0x%" PRIx64 ", and CPUID 0x%08" PRIx32 " shows the guest 0x%" PRIx32, word, row->leaf,
			          registers[row->reg]);
	}
}

static void judge_leaves(struct gim_judging *judging)
{
	gim_judging_interfaces(judging, judge_interface_leaves);
}

static void judge_vendor(struct gim_judging *judging)
{
	const struct gim_text *wanted = &gim_target_profile(judging->target)->cpu_vendor;
	uint32_t registers[4];
	char own[13] = "";
	if (!wanted->length || !gim_judging_leaf(judging->state, 0, registers))
		return;
	gim_store(own, registers[GIM_EBX], 4);
	gim_store(own + 4, registers[GIM_EDX], 4);
	gim_store(own + 8, registers[GIM_ECX], 4);
	if (strlen(own) != wanted->length || memcmp(own, wanted->bytes, wanted->length) != 0)
		gim_judge(judging, GIM_NO_UNIT, "guest.cpuid", "the guest runs on a processor of %s, and the target's is of %.*s", own,
		          (int)wanted->length, wanted->bytes);
}

/*
 * Addresses that the guest gave, in registers with an enable bit.
 */
static int judge_address(void *user, const char *path, const struct gim_value *value)
{
	struct gim_judging *judging = (struct gim_judging *)user;
	const struct gim_bit *address = NULL, *enabled = NULL;
	for (const struct gim_bit *bit = value->field->bits; bit && bit->name; bit++) {
		if (bit->in_place)
			address = bit;
		if (!bit->low && bit->width == 1 && !strcmp(bit->name, "enabled"))
			enabled = bit;
	}
	if (value->presence == GIM_ABSENT || !address || !enabled || !(value->number & 1))
		return 0;
	const uint64_t gpa = value->number >> address->low << address->low;
	if (!gim_judging_is_ram(judging, gpa))
		gim_judge(judging, GIM_NO_UNIT, path, "the guest put it at 0x%" PRIx64 ", where it has no RAM (it has %" PRIu64 " bytes)",
		          gpa, gim_judging_ram(judging));
	return 0;
}

static void judge_interface_addresses(struct gim_judging *judging, const struct gim_provider *provider, const struct gim_object *own)
{
	(void)provider;
	(void)gim_object_visit(own, "", judge_address, judging, NULL);
}

static void judge_addresses(struct gim_judging *judging)
{
	gim_judging_interfaces(judging, judge_interface_addresses);
}

#define LOADER "VirtualBox's loader"
#define KVM_RULES "KVM api.rst and cpuid.rst"
#define NO_STATUS 0, NULL

const struct gim_check_rule gim_check_rules[] = {
    {{"GIM-FORM-001", GIM_ERROR, GIM_E_FORMAT, NO_STATUS, "the state is in the container that the target loads",
      .why = "the target takes the file for something else",
      .mend = "put the interface into a state of the target's container (gimstate convert --base, or set --from), or unpack or convert it",
      .source = "the containers"},
     .judge = judge_container},
    {{"GIM-VER-003", GIM_WARNING, GIM_E_VERSION, NO_STATUS, "the target is not older than what wrote the state",
      .why = "a release does not promise to load what newer ones write, and their devices may have units that it does not know",
      .mend = "load the state by the release that wrote it, or a newer one", .source = LOADER},
     .judge = judge_producer},
    {{"GIM-UNIT-001", GIM_ERROR, GIM_E_VERSION, STATUS(VERR_SSM_INTEGRITY_UNIT_NOT_FOUND),
      "every unit of the state is one that the target has",
      .why = "the loader looks for whom a unit belongs to, and stops where there is nobody",
      .mend = "give the VM the device that the unit is of", .source = LOADER},
     .stage = GIM_STAGE_HEADER,
     .judge = judge_units},
    {{"GIM-UNIT-002", GIM_ERROR, GIM_E_VERSION, STATUS(VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION),
      "every unit has a version that the target loads", .why = "a unit's loader refuses versions newer than its own",
      .mend = "load the state by the release that wrote it, or a newer one", .source = LOADER},
     .stage = GIM_STAGE_HEADER,
     .judge = judge_unit_versions},
    {{"GIM-UNIT-004", GIM_NOTE, GIM_E_NO_UNIT, NO_STATUS, "the state says what the target's interface was",
      .why = "the interface begins anew, and a guest that has set it up already does not know",
      .mend = "load the state into a VM without an interface, as it was saved by one", .source = LOADER},
     .judge = judge_no_interface},
    {{"GIM-PROV-001", GIM_ERROR, GIM_E_VALUE, STATUS(VERR_SSM_LOAD_CONFIG_MISMATCH), "the interface of the state is the target's",
      .why = "the guest set up one interface and would find another", .mend = "set the VM's paravirtualisation interface to the state's",
      .source = LOADER},
     .unit = "GIM/0",
     .stage = GIM_STAGE_HEAD,
     .judge = judge_provider},
    {{"GIM-VER-001", GIM_ERROR, GIM_E_VERSION, STATUS(VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION),
      "the interface is saved in a layout that the target loads", .why = "the loader refuses layouts newer than its own",
      .mend = "convert the state to the target's release: gimstate convert --to", .source = LOADER, .after = "GIM-PROV-001"},
     .unit = "GIM/0",
     .stage = GIM_STAGE_HEAD,
     .judge = judge_layout},
    {{"GIM-LOSS-001", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the target can hold all that the guest has set up",
      .why = "the guest does not find what it had set up", .mend = "have the guest set it up again, e.g. by loading the driver anew",
      .source = "the layouts", .after = "GIM-PROV-001 GIM-VER-001"},
     .judge = gim_judge_lost},
    {{"GIM-LOSS-003", GIM_NOTE, GIM_E_VALUE, NO_STATUS, "the state says all that the target holds",
      .why = "the guest finds the default, whatever it was",
      .mend = "nothing, where the guest did not use it; else set the field by gimstate set", .source = "the layouts",
      .after = "GIM-PROV-001 GIM-VER-001"},
     .judge = gim_judge_filled},
    {{"GIM-CPU-001", GIM_ERROR, GIM_E_VALUE, STATUS(VERR_SSM_UNEXPECTED_DATA), "the state has as many vCPUs as the target",
      .why = "each vCPU's registers belong to one of the target's", .mend = "give the VM as many vCPUs as the state has", .source = LOADER},
     .unit = "cpum/1",
     .stage = GIM_STAGE_HEAD,
     .judge = gim_judge_vcpus,
     .except = "qemu"},
    {{"GIM-CPU-002", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the target's processor is of the vendor that the guest knows",
      .why = "the guest uses what its processor had, and hypercall instructions differ between vendors",
      .mend = "load the state on a host with a processor of that vendor", .source = "CPUID leaf 0"},
     .judge = judge_vendor},
    {{"GIM-RAM-001", GIM_ERROR, GIM_E_VALUE, STATUS(VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH), "the state has as much RAM as the target",
      .why = "the guest's memory has to go where it was", .mend = "give the VM as much memory as the state has", .source = LOADER},
     .unit = "mm/1",
     .stage = GIM_STAGE_HEAD,
     .judge = gim_judge_ram,
     .except = "qemu"},
    {{"GIM-PAGE-002", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "what the guest shares with its hypervisor lies in RAM",
      .why = "the hypervisor writes it nowhere, and the guest reads something else", .mend = "give the target as much RAM as the state had",
      .source = "TLFS; " KVM_RULES, .after = "GIM-RAM-001"},
     .judge = judge_addresses},
    {{"GIM-TSC-001", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the target's TSC runs as fast as the guest knows it",
      .why = "the guest's clocks go wrong by the ratio", .mend = "load the state on a host of that frequency, or one that scales the TSC",
      .source = KVM_RULES},
     .judge = judge_tsc,
     .except = "qemu"},
    {{"GIM-CLOCK-004", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the vCPUs' TSCs are less than a second apart",
      .why = "a guest that takes them for one clock sees time go back when it moves to another vCPU",
      .mend = "find out which unit was changed, or take the file again from where it was made", .source = "TLFS, timers; " KVM_RULES},
     .judge = judge_spread},
    {{"GIM-CPUID-001", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "CPUID shows the guest the words of its interface",
      .why = "the guest acts by what CPUID shows, and the hypervisor by the words",
      .mend = "set the words by gimstate set, which changes both", .source = "TLFS, feature discovery; " KVM_RULES},
     .judge = judge_leaves},
    {{"GIM-FEAT-001", GIM_ERROR, GIM_E_VALUE, NO_STATUS, "the target has every MSR that the guest uses",
      .why = "the target refuses to load the MSR, or the guest faults when it next uses it",
      .mend = "choose a target that offers the feature, or give it the CPUID bit that opens the MSR",
      .source = "TLFS, feature discovery; " KVM_RULES, .after = "GIM-PROV-001"},
     .judge = gim_judge_used,
     .except = "qemu"},
    {{"GIM-FEAT-002", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the target offers every feature that the guest was shown",
      .why = "the guest faults when it begins to use the feature", .mend = "choose a target that offers the feature",
      .source = "TLFS, feature discovery; " KVM_RULES, .after = "GIM-PROV-001 GIM-FEAT-001"},
     .judge = gim_judge_words},
    {{"GIM-FEAT-003", GIM_NOTE, GIM_E_VALUE, NO_STATUS, "the guest uses only what it was shown",
      .why = "a hypervisor that goes by the CPUID words refuses what this guest does; VirtualBox does not go by them",
      .mend = "nothing on VirtualBox; elsewhere give the guest the CPUID bit", .source = "TLFS, feature discovery"},
     .judge = gim_judge_hidden},
    {.rule = {.id = NULL}},
};
