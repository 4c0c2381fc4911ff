/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compares what every vCPU's section says of the whole VM: a loader takes one of them, and which one depends on its release. */
#include "qemu/decode.h"

#include <stdio.h>
#include <string.h>

/* One number over all vCPUs; those that agree with the first say nothing. */
static int compare_item(struct qemu_items *items, const char *name, uint32_t index, gim_report_fn *report, void *user,
                        struct gim_error *error)
{
	const uint32_t vcpus = qemu_items_count(items, "cpu");
	uint64_t first = 0, number = 0;
	int result = qemu_items_get(items, name, 0, index, &first, error);
	for (uint32_t i = 1; result > GIM_ABSENT && i < vcpus; i++) {
		result = qemu_items_get(items, name, i, index, &number, error);
		if (result <= GIM_ABSENT || number == first)
			continue;
		char unit[32], element[16] = "";
		(void)snprintf(unit, sizeof(unit), "cpu/%u", i);
		if (index)
			(void)snprintf(element, sizeof(element), "[%u]", index);
		gim_report(report, user, &qemu_rules[QEMU_VCPUS_DIFFER], GIM_UNKNOWN, unit, NULL,
		           "%s%s is 0x%llx, but 0x%llx in the section of vCPU 0: it is one register of the whole VM", name + strlen("cpu:"),
		           element, (unsigned long long)number, (unsigned long long)first);
	}
	return result < 0 ? result : 0;
}

int qemu_compare_vcpus(struct qemu_items *items, gim_report_fn *report, void *user, struct gim_error *error)
{
	int result = 0;
	for (const struct gim_provider *const *each = gim_providers; !result && *each; each++) {
		const struct gim_layout *layout = gim_layout_of(*each, "qemu");
		for (const struct gim_row *row = layout ? layout->frames[0].rows : NULL; !result && row && row->op != GIM_ROW_END; row++)
			if (row->op == GIM_ROW_ITEM && !strncmp(row->name, "cpu:", strlen("cpu:")))
				result = compare_item(items, row->name, row->first, report, user, error);
	}
	return result;
}
