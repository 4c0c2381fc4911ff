/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What units beside GIM say of the provider: the device list, the ranges of memory that devices lay over the guest's, and the CPUID leaves. */
#include "error.h"
#include "guest.h"
#include "vbox/rules.h"
#include "vbox/units.h"

#include <stdio.h>
#include <string.h>

/* VirtualBox's own device for every provider. */
static const char gim_device[] = "GIMDev";

/* The leaf whose ebx, ecx and edx are the hypervisor's signature. */
enum { SIGNATURE_LEAF = 0x40000000 };

static bool is_device(const struct gim_text *name)
{
	return name->length == sizeof(gim_device) - 1 && !memcmp(name->bytes, gim_device, name->length);
}

static void check_devices(const struct vbox *vbox, const struct gim_provider *provider, gim_report_fn *report, void *user)
{
	const struct vbox_device *devices = vbox->pdm.device.items;
	const bool wanted = provider->vbox_id != 0;
	bool listed = false;
	for (uint32_t i = 0; i < vbox->pdm.device.count; i++)
		listed |= is_device(&devices[i].name);
	if (vbox->pdm.device.count && listed != wanted)
		gim_report(report, user, &vbox_rules[PROVIDER_DEVICE], GIM_UNKNOWN, "pdm/1", NULL,
		           listed ? "its device list has GIMDev, which a VM with %s has not"
		                  : "its device list lacks GIMDev, which a VM with %s has",
		           provider->name);
}

static void check_ranges(const struct vbox *vbox, const struct gim_provider *provider, gim_report_fn *report, void *user)
{
	const struct vbox_mmio2 *ranges = vbox->pgm.mmio2.items;
	for (uint32_t i = 0; i < vbox->pgm.mmio2.count; i++)
		if (is_device(&ranges[i].device))
			gim_report(report, user, &vbox_rules[PROVIDER_RANGE], GIM_UNKNOWN, "pgm/1", NULL,
			           "it has the range \"%.*s\" of GIMDev, which a VM with %s has not", (int)ranges[i].description.length,
			           ranges[i].description.bytes, provider->name);
}

static void check_leaves(const struct guest *guest, const struct gim_provider *provider, gim_report_fn *report, void *user)
{
	const struct guest_cpuid *leaves = guest->cpuid.items;
	for (uint32_t i = 0; i < guest->cpuid.count; i++) {
		const uint32_t words[] = {leaves[i].ebx, leaves[i].ecx, leaves[i].edx};
		char signature[sizeof(words) + 1] = "";
		if (leaves[i].leaf != SIGNATURE_LEAF)
			continue;
		for (size_t at = 0; at < sizeof(words); at++) {
			const uint8_t byte = (uint8_t)(words[at / 4] >> at % 4 * 8);
			signature[at] = (char)(byte >= ' ' && byte < 0x7f ? byte : byte ? '.' : '\0');
		}
		gim_report(report, user, &vbox_rules[PROVIDER_LEAVES], GIM_UNKNOWN, "cpum/1", NULL,
		           "its CPUID leaves from 0x%08x on, by \"%s\", are what the guest goes on to see, not those of %s", SIGNATURE_LEAF,
		           signature, provider->name);
	}
}

int vbox_check_provider(struct gim_state *state, const struct gim_provider *provider, gim_report_fn *report, void *user,
                        struct gim_error *error)
{
	(void)error;
	/* What cannot be read says nothing of the provider. */
	(void)gim_state_decode(state, GIM_PART_GUEST, NULL, NULL, NULL);
	const struct gim_object *vbox = gim_state_find(state, &vbox_record), *guest = gim_state_find(state, &guest_record);
	if (vbox) {
		check_devices((const struct vbox *)(const void *)vbox->data, provider, report, user);
		check_ranges((const struct vbox *)(const void *)vbox->data, provider, report, user);
	}
	if (guest)
		check_leaves((const struct guest *)(const void *)guest->data, provider, report, user);
	return 0;
}
