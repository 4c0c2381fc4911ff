/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What check judges of a migration stream where QEMU is the target: what it refuses, and what it drops without a word. */
#include "check.h"
#include "guest.h"
#include "qemu/configure.h"
#include "qemu/record.h"
#include "qemu/rules.h"
#include "qemu/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What the stream says of its machine, where the target is QEMU; NULL: it is not, or the state is no stream's. */
static const struct qemu_info *info_of(const struct gim_judging *judging, const struct gim_object **object)
{
	*object = GIM_OBJECT_OF(judging->state, qemu_info);
	return *object && gim_judging_is(judging, "qemu") ? GIM_DATA(*object, qemu_info) : NULL;
}

static bool is_text(const struct gim_text *text, const char *other)
{
	return text->length == strlen(other) && !memcmp(text->bytes, other, text->length);
}

/* The text of a member, terminated; "" where it is not said. */
#define TEXT_MAX 256
static const char *text_of(const struct gim_text *text, char buffer[TEXT_MAX])
{
	(void)snprintf(buffer, TEXT_MAX, "%.*s", (int)text->length, text->bytes ? text->bytes : "");
	return buffer;
}

/* The unit of that name and instance; GIM_NO_UNIT: there is none. */
static size_t find_unit(const struct gim_judging *judging, const char *name, uint32_t instance)
{
	for (size_t i = 0; i < judging->unit_count; i++)
		if (judging->units[i].instance == instance && !strcmp(judging->units[i].name, name))
			return i;
	return GIM_NO_UNIT;
}

/* The number at a path; false: it is not stored. */
static bool number_at(const struct gim_state *state, const char *path, uint64_t *number)
{
	const struct gim_value value = gim_state_value(state, path);
	*number = value.number;
	return value.presence == GIM_STORED;
}

/*
 * The machine.
 */
static const char *target_machine(const struct gim_judging *judging, char buffer[TEXT_MAX])
{
	char name[TEXT_MAX];
	qemu_machine_name(judging->target, text_of(&gim_target_profile(judging->target)->machine, name), buffer, TEXT_MAX);
	return buffer;
}

/* QEMU compares as many characters as it was sent. */
static void judge_machine(struct gim_judging *judging)
{
	const struct gim_object *object;
	const struct qemu_info *info = info_of(judging, &object);
	char own[TEXT_MAX], wanted[TEXT_MAX];
	if (!info || !*text_of(&info->machine, own) || !*target_machine(judging, wanted) || !strncmp(own, wanted, strlen(own)))
		return;
	gim_judge(judging, GIM_NO_UNIT, "qemu.machine", "the state is of a machine %s, and the target is a %s", own, wanted);
}

/* The release that a machine type is named after. */
static bool machine_release(const char *machine, unsigned *major, unsigned *minor)
{
	const char *dash = strrchr(machine, '-');
	return dash && sscanf(dash, "-%u.%u", major, minor) == 2;
}

static void judge_machine_release(struct gim_judging *judging)
{
	const struct gim_object *object;
	const struct qemu_info *info = info_of(judging, &object);
	char own[TEXT_MAX];
	unsigned major, minor;
	if (info && machine_release(text_of(&info->machine, own), &major, &minor) && gim_target_before(judging->target, major, minor))
		gim_judge(judging, GIM_NO_UNIT, "qemu.machine", "the machine %s is new in qemu:%u.%u, and the target is qemu:%u.%u", own,
		          major, minor, judging->target->major, judging->target->minor);
}

/*
 * Sections.
 */
/* Is there KVM's clock in the machine that is loaded into? Since 5.2 in every machine under KVM, before where the guest was shown it. */
static bool lacks_clock(const struct gim_judging *judging, const char **why)
{
	enum { CLOCK_BITS = 1 << 0 | 1 << 3 };
	const struct gim_object *object;
	const struct qemu_info *info = info_of(judging, &object);
	char machine[TEXT_MAX];
	unsigned major, minor;
	uint64_t features;
	*why = "runs its guest by TCG";
	if (is_text(&gim_target_profile(judging->target)->accelerator, "tcg"))
		return true;
	if (!*target_machine(judging, machine))
		(void)text_of(&info->machine, machine);
	*why = "does not show its guest kvmclock, and its machine is older than 5.2";
	return machine_release(machine, &major, &minor) && (major < 5 || (major == 5 && minor < 2)) &&
	       number_at(&judging->target->state, "kvm.features.base", &features) && !(features & CLOCK_BITS);
}

static void judge_clock_section(struct gim_judging *judging)
{
	const struct gim_object *object;
	const size_t unit = find_unit(judging, "kvmclock", 0);
	const char *why;
	if (info_of(judging, &object) && unit != GIM_NO_UNIT && lacks_clock(judging, &why))
		gim_judge(judging, unit, NULL, "the state has the section kvmclock, and the target has none, as it %s", why);
}

static bool has_block(const struct qemu_info *info, const char *prefix)
{
	const struct qemu_ram_entry *blocks = (const struct qemu_ram_entry *)info->ram_block.items;
	for (uint32_t i = 0; i < info->ram_block.count; i++)
		if (blocks[i].name.length >= strlen(prefix) && !memcmp(blocks[i].name.bytes, prefix, strlen(prefix)))
			return true;
	return false;
}

static void judge_synic_blocks(struct gim_judging *judging)
{
	enum { SYNIC_BIT = 1 << 2 };
	const struct gim_object *object;
	const struct qemu_info *info = info_of(judging, &object);
	uint64_t features;
	if (info && has_block(info, "synic-") && number_at(&judging->target->state, "hyperv.features.base", &features) &&
	    !(features & SYNIC_BIT))
		gim_judge(judging, GIM_NO_UNIT, "qemu.ram_block",
		          "the state has RAM blocks of the synthetic interrupt controller (synic-...), and the target is without hv-synic");
}

/* The subsection of the section itself that a field is in: "cpu/xen_vcpu" of "cpu/xen_vcpu:env.xen_vcpu_info_gpa"; "": it is in none. */
static const char *subsection_of(const struct qemu_device_entry *device, const struct gim_text *path, char buffer[TEXT_MAX])
{
	const size_t length = device->name.length;
	const char *colon = path->length > length ? memchr(path->bytes, ':', path->length) : NULL;
	const bool own = colon && !memcmp(path->bytes, device->name.bytes, length) && path->bytes[length] == '/';
	(void)snprintf(buffer, TEXT_MAX, "%.*s", own ? (int)(colon - path->bytes) : 0, path->bytes);
	return buffer;
}

static void judge_newer(struct gim_judging *judging, const struct qemu_device_entry *device, const char *section, const char *subsection)
{
	const struct gim_release release = {(uint16_t)judging->target->major, (uint16_t)judging->target->minor, 0};
	struct qemu_newer newer;
	char what[2 * TEXT_MAX];
	if (qemu_knows(section, *subsection ? subsection : NULL, &release, &newer) != QEMU_NEWER)
		return;
	(void)snprintf(what, sizeof(what), "%s%ssection %s/%" PRIu32, subsection, *subsection ? " in " : "", section, device->instance);
	gim_judge(judging, find_unit(judging, section, device->instance), NULL, "%s is %s qemu:%u.%u, and the target is qemu:%u.%u", what,
	          newer.major ? "new in" : "newer than", newer.major ? newer.major : QEMU_TABLES_MAJOR,
	          newer.major ? newer.minor : QEMU_TABLES_MINOR, release.major, release.minor);
}

/* Of each section itself, and of each of its subsections once: their fields stand together. */
static void judge_newer_sections(struct gim_judging *judging)
{
	const struct gim_object *object;
	const struct qemu_info *info = info_of(judging, &object);
	const struct qemu_device_entry *devices = info ? (const struct qemu_device_entry *)info->device.items : NULL;
	for (uint32_t i = 0; info && judging->target->major && i < info->device.count; i++) {
		const struct qemu_field_entry *fields = (const struct qemu_field_entry *)devices[i].field.items;
		char section[TEXT_MAX], last[TEXT_MAX] = "", subsection[TEXT_MAX];
		judge_newer(judging, &devices[i], text_of(&devices[i].name, section), "");
		for (uint32_t f = 0; f < devices[i].field.count; f++) {
			if (!strcmp(last, subsection_of(&devices[i], &fields[f].path, subsection)))
				continue;
			memcpy(last, subsection, sizeof(last));
			if (*subsection)
				judge_newer(judging, &devices[i], section, subsection);
		}
	}
}

/*
 * vCPUs.
 */
/* Has the state a list of the machine's vCPUs, as ACPI's hotplug of them keeps one? It has no count of its own. */
static bool has_hotplug(const struct qemu_info *info)
{
	const struct qemu_device_entry *devices = (const struct qemu_device_entry *)info->device.items;
	for (uint32_t i = 0; i < info->device.count; i++) {
		const struct qemu_field_entry *fields = (const struct qemu_field_entry *)devices[i].field.items;
		for (uint32_t f = 0; f < devices[i].field.count; f++)
			if (memmem(fields[f].path.bytes, fields[f].path.length, "/cpuhp:", strlen("/cpuhp:")))
				return true;
	}
	return false;
}

static bool vcpus_differ(const struct gim_judging *judging, uint32_t *own, uint32_t *wanted)
{
	*own = gim_judging_vcpus(judging->state);
	*wanted = gim_judging_vcpus(&judging->target->state);
	return gim_judging_is(judging, "qemu") && *own && *wanted && *own != *wanted;
}

static void judge_fewer_vcpus(struct gim_judging *judging)
{
	const struct gim_object *object;
	const struct qemu_info *info = info_of(judging, &object);
	uint32_t own, wanted;
	if (!vcpus_differ(judging, &own, &wanted))
		return;
	if (own > wanted || !info)
		gim_judge_vcpus(judging);
	else if (has_hotplug(info))
		gim_judge(judging, GIM_NO_UNIT, "guest.vcpus",
		          "the state has a list of its %" PRIu32 " vCPUs for their hotplug, which the target, with %" PRIu32
		          ", expects to be longer",
		          own, wanted);
}

static void judge_more_vcpus(struct gim_judging *judging)
{
	uint32_t own, wanted;
	if (vcpus_differ(judging, &own, &wanted) && own < wanted)
		gim_judge(judging, GIM_NO_UNIT, "guest.vcpus",
		          "the state has %" PRIu32 " vCPU%s, and the target has %" PRIu32 ": nothing is loaded into the others", own,
		          own == 1 ? "" : "s", wanted);
}

static void judge_ram(struct gim_judging *judging)
{
	if (gim_judging_is(judging, "qemu"))
		gim_judge_ram(judging);
}

/*
 * The TSC's frequency.
 */
enum { HZ_PER_KHZ = 1000 };

static void judge_frequency(struct gim_judging *judging)
{
	uint64_t own, wanted;
	if (gim_judging_is(judging, "qemu") && number_at(judging->state, "guest.tsc_hz", &own) && own &&
	    number_at(&judging->target->state, "guest.tsc_hz", &wanted) && own / HZ_PER_KHZ != wanted / HZ_PER_KHZ)
		gim_judge(judging, GIM_NO_UNIT, "guest.tsc_hz",
		          "the guest's TSC runs with %" PRIu64 " kHz, and the target has tsc-frequency=%" PRIu64 " (%" PRIu64 " kHz)",
		          own / HZ_PER_KHZ, wanted, wanted / HZ_PER_KHZ);
}

/* Is more known of the target than its release? */
static bool is_configured(const struct gim_judging *judging)
{
	const struct gim_object *profile = &judging->target->profile;
	uint64_t features;
	return GIM_HAS(profile, profile, machine) || GIM_HAS(profile, profile, accelerator) || GIM_HAS(profile, profile, capabilities) ||
	       number_at(&judging->target->state, "kvm.features.base", &features);
}

/* Who does not run QEMU needs no option of its. */
static bool has_frequency(const struct gim_judging *judging)
{
	uint64_t wanted;
	return !gim_judging_is(judging, "qemu") || number_at(&judging->target->state, "guest.tsc_hz", &wanted);
}

static void judge_reenlightenment(struct gim_judging *judging)
{
	enum { ENABLED_BIT = 1 << 16 };
	uint64_t control;
	if (!has_frequency(judging) && is_configured(judging) && number_at(judging->state, "hyperv.reenlightenment.control", &control) &&
	    control & ENABLED_BIT)
		gim_judge(judging, GIM_NO_UNIT, "hyperv.reenlightenment.control",
		          "the guest wants to hear of migrations (0x%" PRIx64 "), and the target has no tsc-frequency=", control);
}

/*
 * Capabilities and UUID.
 */
static bool has_word(const char *words, const char *word)
{
	const size_t length = strlen(word);
	for (const char *at = words; (at = strstr(at, word)); at += length)
		if ((at == words || at[-1] == ' ') && (!at[length] || at[length] == ' '))
			return true;
	return false;
}

/* A stream that names any of those that QEMU compares is compared in all. */
static void judge_capabilities(struct gim_judging *judging)
{
	static const char *const compared[] = {"x-ignore-shared", "mapped-ram"};
	const struct gim_object *object, *profile = &judging->target->profile;
	const struct qemu_info *info = info_of(judging, &object);
	char own[TEXT_MAX], wanted[TEXT_MAX];
	if (!info || !GIM_HAS(profile, profile, capabilities) || !*text_of(&info->capabilities, own))
		return;
	(void)text_of(&GIM_DATA(profile, profile)->capabilities, wanted);
	for (size_t i = 0; i < sizeof(compared) / sizeof(compared[0]); i++)
		if (has_word(own, compared[i]) != has_word(wanted, compared[i]))
			gim_judge(judging, GIM_NO_UNIT, "qemu.capabilities",
			          "the state was saved %s the capability %s, and the target is %s it",
			          has_word(own, compared[i]) ? "with" : "without", compared[i],
			          has_word(wanted, compared[i]) ? "with" : "without");
}

static void judge_uuid(struct gim_judging *judging)
{
	enum { BYTES = 16 };
	const struct gim_object *object, *profile = &judging->target->profile;
	const struct qemu_info *info = info_of(judging, &object);
	char own[TEXT_MAX] = "", wanted[TEXT_MAX];
	if (!info || !GIM_HAS(object, qemu_info, uuid) || info->uuid.length != BYTES || !GIM_HAS(profile, profile, uuid))
		return;
	for (unsigned i = 0, used = 0; i < BYTES; i++)
		used += (unsigned)snprintf(own + used, sizeof(own) - used, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
		                           (unsigned char)info->uuid.bytes[i]);
	if (strcmp(own, text_of(&GIM_DATA(profile, profile)->uuid, wanted)) != 0)
		gim_judge(judging, GIM_NO_UNIT, "qemu.uuid", "the state is of the machine %s, and the target is %s", own, wanted);
}

/*
 * What is not known of the target.
 */
static void judge_overlooked(struct gim_judging *judging)
{
	char options[TEXT_MAX];
	if (gim_judging_is(judging, "qemu") && *text_of(&gim_target_profile(judging->target)->overlooked, options))
		gim_judge(judging, GIM_NO_UNIT, NULL, "options of the target were passed over: %s", options);
}

/*
 * What is lost without a word.
 */
static void judge_lost(struct gim_judging *judging)
{
	if (gim_judging_is(judging, "qemu"))
		gim_judge_used(judging);
}

static void judge_stale(struct gim_judging *judging)
{
	const struct gim_object *object;
	const struct qemu_info *info = info_of(judging, &object);
	char names[TEXT_MAX];
	if (info && is_text(&info->accelerator, "tcg") && *text_of(&info->enlightenments, names))
		gim_judge(judging, GIM_NO_UNIT, "qemu.enlightenments",
		          "the state has registers of %s, and was saved by TCG, which has none of them", names);
}

#define NO_STATUS 0, NULL
#define LOADER "QEMU's loader"
#define DROPS "QEMU loads the stream and says nothing"

const struct gim_check_rule qemu_checks[] = {
    {{"GIM-QEMU-001", GIM_ERROR, GIM_E_VALUE, NO_STATUS, "the state is of the target's machine type",
      .why = "QEMU says \"Machine type received is ... and local is ...\"", .mend = "start the target with -M and the state's machine type",
      .source = LOADER},
     .judge = judge_machine},
    {{"GIM-QEMU-002", GIM_ERROR, GIM_E_VERSION, NO_STATUS, "the state's machine type is one that the release has",
      .why = "a release does not know the machines of later ones",
      .mend = "load the state by the release that the machine is named after, or a newer one", .source = LOADER, .after = "GIM-QEMU-001"},
     .judge = judge_machine_release},
    {{"GIM-QEMU-003", GIM_ERROR, GIM_E_VALUE, NO_STATUS, "a state with KVM's clock is loaded into a machine that has it",
      .why = "QEMU says \"Unknown savevm section or instance 'kvmclock' 0\"",
      .mend = "start the target with -accel kvm, and without kvmclock=off or kvm=off", .source = LOADER},
     .stage = GIM_STAGE_HEADER,
     .judge = judge_clock_section},
    {{"GIM-QEMU-004", GIM_ERROR, GIM_E_VALUE, NO_STATUS, "the target has the state's vCPUs",
      .why = "QEMU says \"Unknown savevm section or instance\" of the first vCPU that it does not have, and \"Missing section footer\" "
             "where a list of vCPUs is too short",
      .mend = "start the target with -smp and the state's number", .source = LOADER},
     .judge = judge_fewer_vcpus},
    {{"GIM-QEMU-005", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the target has no more vCPUs than the state",
      .why = DROPS ": the others are what they are after a reset, and the guest does not know of them",
      .mend = "start the target with -smp and the state's number", .source = LOADER, .after = "GIM-QEMU-004"},
     .judge = judge_more_vcpus},
    {{"GIM-QEMU-006", GIM_ERROR, GIM_E_VALUE, NO_STATUS, "the target's TSC frequency, where it is set, is the state's",
      .why = "QEMU says \"Mismatch between user-specified TSC frequency and migrated TSC frequency\"",
      .mend = "start the target with the state's frequency, or without tsc-frequency=", .source = LOADER},
     .judge = judge_frequency},
    {{"GIM-QEMU-007", GIM_ERROR, GIM_E_VALUE, NO_STATUS, "a target for a guest that wants to hear of migrations has its TSC frequency set",
      .why = "QEMU says \"Guest enabled re-enlightenment notifications, 'tsc-frequency=' has to be specified\"",
      .mend = "start the target with -cpu ...,tsc-frequency= and the state's frequency", .source = LOADER},
     .asked_by = &qemu_rules[QEMU_REENLIGHTENMENT],
     .met = has_frequency,
     .judge = judge_reenlightenment},
    {{"GIM-QEMU-008", GIM_ERROR, GIM_E_VALUE, NO_STATUS, "state and target agree about the capabilities that are compared",
      .why = "QEMU says \"Capability ... is off, but received capability is on\"",
      .mend = "switch the capability on, or off, before loading (migrate-set-capabilities, or -global migration.NAME=on)",
      .source = LOADER},
     .judge = judge_capabilities},
    {{"GIM-QEMU-009", GIM_ERROR, GIM_E_VALUE, NO_STATUS, "a state with a UUID is of the target's machine",
      .why = "QEMU says \"UUID received is ... and local is ...\"", .mend = "start the target with the state's -uuid, or without one",
      .source = LOADER},
     .judge = judge_uuid},
    {{"GIM-QEMU-010", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the target has every MSR that the guest uses",
      .why = DROPS ". Newer releases do not hand the register on to KVM, so that the guest's clock stands still, or its interrupts stay "
                   "away; QEMU 7.2 does, but the "
                   "guest is no longer shown the feature",
      .mend = "give the target's -cpu the features that the state has in use: gimstate info lists them", .source = LOADER,
      .after = "GIM-QEMU-003"},
     .judge = judge_lost},
    {{"GIM-QEMU-011", GIM_WARNING, GIM_E_VALUE, NO_STATUS, "the registers of an interface are of a machine that has it",
      .why = "QEMU saves what it once loaded, also when no guest can use it: the registers may be older than the rest of the state",
      .mend = "nothing, where the guest does without; else take a state that KVM saved", .source = LOADER},
     .judge = judge_stale},
    {{"GIM-QEMU-012", GIM_ERROR, GIM_E_VALUE, NO_STATUS,
      "pages of the synthetic interrupt controller are loaded into a machine that has it", .why = "QEMU says \"Unknown ramblock\"",
      .mend = "start the target with hv-synic, and what it needs (hv-vpindex)", .source = LOADER},
     .judge = judge_synic_blocks},
    {{"GIM-QEMU-013", GIM_ERROR, GIM_E_VALUE, NO_STATUS, "the target has as much RAM as the state",
      .why = "QEMU says \"Size mismatch\", and names the block", .mend = "start the target with -m and the state's size", .source = LOADER},
     .judge = judge_ram},
    {{"GIM-QEMU-014", GIM_ERROR, GIM_E_VERSION, NO_STATUS, "the release knows the state's sections and subsections",
      .why = "QEMU says \"Unknown savevm section\" of a section, and \"error while loading state\" where a subsection is new to it",
      .mend = "load the state by a newer release, or have convert --to leave out what the release does not know", .source = LOADER,
      .after = "GIM-QEMU-002"},
     .judge = judge_newer_sections},
    {{"GIM-QEMU-015", GIM_NOTE, GIM_E_VALUE, NO_STATUS, "all options of the target's command line bear on what is judged",
      .why = "most options do not bear on the guest interface, but one that is misspelt is not looked at either",
      .mend = "look whether they are spelt as QEMU does; those of -M, -accel, -cpu, -smp, -m, -uuid and -global are looked at",
      .source = LOADER},
     .judge = judge_overlooked},
    {.rule = {.id = NULL}},
};
