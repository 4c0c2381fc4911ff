/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What check judges of VirtualBox's own units, where VirtualBox is the target. */
#include "check.h"
#include "status.h"
#include "vbox/settings.h"
#include "vbox/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The record of VirtualBox's units, where both the state and the target are VirtualBox's; NULL: they are not, or it was not decoded. */
static const struct vbox *vbox_of(const struct gim_judging *judging)
{
	const struct gim_object *object = GIM_OBJECT_OF(judging->state, vbox);
	return object && gim_judging_is(judging, "vbox") && judging->state->format == judging->target->state.format ? GIM_DATA(object, vbox)
	                                                                                                            : NULL;
}

static bool is_text(const struct gim_text *text, const char *other)
{
	return text->length == strlen(other) && !memcmp(text->bytes, other, text->length);
}

static bool has_device(const struct vbox *vbox, const char *name)
{
	const struct vbox_device *devices = (const struct vbox_device *)vbox->pdm.device.items;
	for (uint32_t i = 0; i < vbox->pdm.device.count; i++)
		if (is_text(&devices[i].name, name))
			return true;
	return false;
}

static bool has_mmio2(const struct vbox *vbox, const char *device)
{
	const struct vbox_mmio2 *ranges = (const struct vbox_mmio2 *)vbox->pgm.mmio2.items;
	for (uint32_t i = 0; i < vbox->pgm.mmio2.count; i++)
		if (is_text(&ranges[i].device, device))
			return true;
	return false;
}

/* Versions of units that the release does not load; of a live save, whichever pass. */
static void judge_versions(struct gim_judging *judging)
{
	const struct gim_target *target = judging->target;
	if (!target->major || !gim_judging_is(judging, "vbox") || judging->state->format != target->state.format)
		return;
	for (size_t i = 0; i < judging->unit_count; i++) {
		struct gim_release since;
		const struct gim_unit *unit = &judging->units[i];
		if (!vbox_unit_since(unit, &since))
			continue;
		if (!since.version)
			gim_judge(judging, i, NULL, "the unit's version %" PRIu32 " is none that a known release loads", unit->version);
		else if (gim_target_before(target, since.major, since.minor))
			gim_judge(judging, i, NULL, "the unit's version %" PRIu32 " is new in vbox:%u.%u", unit->version, since.major,
			          since.minor);
	}
}

/* Of units that a release is not known to load, or not to, a word is enough. */
static void judge_unknown(struct gim_judging *judging)
{
	char names[160] = "";
	size_t used = 0;
	unsigned count = 0;
	if (!judging->target->major || !gim_judging_is(judging, "vbox") || gim_target_profile(judging->target)->unit.count)
		return;
	for (size_t i = 0; i < judging->unit_count; i++) {
		struct gim_release since;
		const struct gim_unit *unit = &judging->units[i];
		if (vbox_unit_since(unit, &since) || !strcmp(unit->name, "SSMLiveControl"))
			continue;
		count++;
		if (used < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s/%" PRIu32, used ? ", " : "", unit->name,
			                         unit->instance);
	}
	if (count)
		gim_judge(judging, GIM_NO_UNIT, NULL, "of %u unit%s it is not known which releases load them: %s%s", count,
		          count == 1 ? "" : "s", names, used < sizeof(names) ? "" : "...");
}

/* VirtualBox's device that carries the interface. */
#define DEVICE "GIMDev"

static void judge_device(struct gim_judging *judging)
{
	const struct vbox *vbox = vbox_of(judging);
	const struct gim_provider *wanted = gim_judging_provider(&judging->target->state);
	if (!vbox || !wanted || !vbox->pdm.device.count)
		return;
	const bool there = has_device(vbox, DEVICE), needed = wanted->vbox_id != 0;
	if (there != needed)
		gim_judge(judging, GIM_NO_UNIT, "vbox.pdm.device",
		          "the state %s the device " DEVICE ", and a VM with the interface %s %s it", there ? "has" : "does not have",
		          wanted->name, needed ? "has" : "does not have");
}

/* Only Hyper-V's interface has pages of the device. */
static void judge_pages(struct gim_judging *judging)
{
	const struct vbox *vbox = vbox_of(judging);
	const struct gim_provider *wanted = gim_judging_provider(&judging->target->state);
	if (vbox && wanted && strcmp(wanted->name, "hyperv") != 0 && has_mmio2(vbox, DEVICE))
		gim_judge(judging, GIM_NO_UNIT, "vbox.pgm.mmio2",
		          "the state has memory of the device " DEVICE ", and a VM with the interface %s has none", wanted->name);
}

static void judge_chipset(struct gim_judging *judging)
{
	static const char *const devices[] = {[PROFILE_PIIX3] = "pci", [PROFILE_ICH9] = "ich9pci"};
	static const char *const names[] = {[PROFILE_PIIX3] = "PIIX3", [PROFILE_ICH9] = "ICH9"};
	const struct vbox *vbox = vbox_of(judging);
	const struct gim_object *profile = &judging->target->profile;
	if (!vbox || !GIM_HAS(profile, profile, chipset))
		return;
	const unsigned wanted = GIM_DATA(profile, profile)->chipset == PROFILE_ICH9 ? PROFILE_ICH9 : PROFILE_PIIX3, other = !wanted;
	for (size_t i = 0; i < judging->unit_count; i++)
		if (!strcmp(judging->units[i].name, devices[other])) {
			gim_judge(judging, i, NULL, "the unit %s is of the chipset %s, and the VM has %s", devices[other], names[other],
			          names[wanted]);
			return;
		}
}

static void judge_nested(struct gim_judging *judging)
{
	const struct vbox *vbox = vbox_of(judging);
	const struct gim_object *object = GIM_OBJECT_OF(judging->state, vbox), *profile = &judging->target->profile;
	if (!vbox || !GIM_HAS(object, vbox, cpum.svm) || !GIM_HAS(object, vbox, cpum.vmx) || !GIM_HAS(profile, profile, nested))
		return;
	const bool own = vbox->cpum.svm || vbox->cpum.vmx, wanted = GIM_DATA(profile, profile)->nested;
	if (own != wanted)
		gim_judge(judging, GIM_NO_UNIT, vbox->cpum.svm ? "vbox.cpum.svm" : "vbox.cpum.vmx",
		          "the guest's processor %s hardware virtualisation, and the VM's %s it", own ? "has" : "does not have",
		          wanted ? "has" : "does not have");
}

#define NO_STATUS 0, NULL
#define LOADER "VirtualBox's loader"

const struct gim_check_rule vbox_checks[] = {
    {{"GIM-VER-002", GIM_ERROR, GIM_E_VERSION, STATUS(VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION),
      "every unit has a version that the release loads", .why = "VirtualBox refuses a unit in a version that it does not know",
      .mend = "load the state by the release that wrote it, or a newer one; only the guest interface can be converted", .source = LOADER,
      .after = "GIM-UNIT-002"},
     .stage = GIM_STAGE_HEADER,
     .judge = judge_versions},
    {{"GIM-UNIT-003", GIM_NOTE, GIM_E_VERSION, NO_STATUS, "it is known which releases load every unit",
      .why = "a VM without the device that a unit is of refuses it, and so does a release that does not know its version",
      .mend = "check against the VM's settings, or a profile of the VM", .source = LOADER},
     .judge = judge_unknown},
    {{"GIM-CPU-003", GIM_ERROR, GIM_E_VALUE, STATUS(VERR_SSM_LOAD_CONFIG_MISMATCH),
      "the guest's processor has hardware virtualisation as the VM's",
      .why = "each vCPU's registers have a block more with it, and VirtualBox compares",
      .mend = "switch nested hardware virtualisation on, or off, as it was", .source = LOADER},
     .unit = "cpum/1",
     .stage = GIM_STAGE_HEADER,
     .judge = judge_nested},
    {{"GIM-DEV-002", GIM_ERROR, GIM_E_VALUE, STATUS(VERR_SSM_INTEGRITY_UNIT_NOT_FOUND), "the state is of a VM with the target's chipset",
      .why = "each chipset has a PCI bus of its own, with its own unit", .mend = "set the VM's chipset to the state's", .source = LOADER,
      .after = "GIM-UNIT-001"},
     .stage = GIM_STAGE_HEADER,
     .judge = judge_chipset},
    {{"GIM-DEV-003", GIM_ERROR, GIM_E_VALUE, STATUS(VERR_SSM_LOAD_CONFIG_MISMATCH), "memory of the interface's device is in the VM, too",
      .why = "VirtualBox looks for each of the devices' memories that the state has",
      .mend = "set the VM's paravirtualisation interface to the state's", .source = LOADER},
     .unit = "pgm/1",
     .stage = GIM_STAGE_DATA,
     .judge = judge_pages},
    {{"GIM-DEV-001", GIM_ERROR, GIM_E_VALUE, STATUS(VERR_SSM_LOAD_CONFIG_MISMATCH),
      "the interface's device is in the state as it is in the VM", .why = "VirtualBox compares the list of devices",
      .mend = "set the VM's paravirtualisation interface to the state's", .source = LOADER, .after = "GIM-PROV-001"},
     .unit = "pdm/1",
     .stage = GIM_STAGE_DATA,
     .judge = judge_device},
    {.rule = {.id = NULL}},
};
