/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tables say of a value's field, and where the specification that it is from can be read. */
#include "field.h"
#include "gimstate.h"

#include <string.h>

#define TLFS "https://learn.microsoft.com/en-us/virtualization/hyper-v-on-windows/tlfs/"
#define KVM "https://docs.kernel.org/virt/kvm/"

/* By how a source begins; the first that fits. */
static const struct {
	const char *source, *url;
} urls[] = {
    {"TLFS, timers", TLFS "timers"},
    {"TLFS, SynIC", TLFS "inter-partition-communication"},
    {"TLFS, feature discovery", TLFS "feature-discovery"},
    {"TLFS, hypercall interface", TLFS "hypercall-interface"},
    {"TLFS, extended hypercalls", TLFS "hypercall-interface"},
    {"TLFS, guest OS identity", TLFS "hypercall-interface"},
    {"TLFS, guest crash MSRs", TLFS "partition-properties"},
    {"TLFS, virtual processors", TLFS "vp-properties"},
    {"TLFS", TLFS "tlfs"},
    {"KVM msr.rst", KVM "x86/msr.html"},
    {"KVM cpuid.rst", KVM "x86/cpuid.html"},
    {"KVM api.rst", KVM "api.html"},
    {"Intel SDM", "https://www.intel.com/content/www/us/en/developer/articles/technical/intel-sdm.html"},
};

const char *gim_value_help(const struct gim_value *value)
{
	return value->field && value->field->help ? value->field->help : "";
}

const char *gim_value_source(const struct gim_value *value)
{
	return value->field && value->field->source ? value->field->source : "";
}

const char *gim_source_url(const char *source)
{
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
		if (!strncmp(source, urls[i].source, strlen(urls[i].source)))
			return urls[i].url;
	return NULL;
}
