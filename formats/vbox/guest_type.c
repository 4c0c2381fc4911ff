/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rule by which VirtualBox chooses an interface for a guest type: the first row whose name begins the type. */
#include "vbox/guest_type.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *type; /* without what may follow: versions, "_64", "_arm64" */
	const char *provider;
} rows[] = {
    {"MacOS", "minimal"},        {"WindowsVista", "hyperv"}, {"Windows7", "hyperv"},    {"Windows8", "hyperv"},
    {"Windows11_arm64", "none"}, {"Windows10", "hyperv"},    {"Windows11", "hyperv"},   {"Windows2008", "hyperv"},
    {"Windows2012", "hyperv"},   {"Windows2016", "hyperv"},  {"Windows2019", "hyperv"}, {"Windows2022", "hyperv"},
    {"Windows2025", "hyperv"},   {"Linux22", "none"},        {"Linux24", "none"},       {"Linux", "kvm"},
    {"ArchLinux", "kvm"},        {"Debian", "kvm"},          {"Fedora", "kvm"},         {"Gentoo", "kvm"},
    {"Mageia", "kvm"},           {"Mandriva", "kvm"},        {"Mandrake", "kvm"},       {"OpenMandriva", "kvm"},
    {"OpenSUSE", "kvm"},         {"SUSE_LE", "kvm"},         {"Oracle", "kvm"},         {"PCLinuxOS", "kvm"},
    {"RedHat", "kvm"},           {"Turbolinux", "kvm"},      {"Ubuntu", "kvm"},         {"Xubuntu", "kvm"},
    {"Lubuntu", "kvm"},          {"Xandros", "kvm"},
};

const char *vbox_guest_provider(const char *os_type, bool legacy)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strncmp(os_type, rows[i].type, strlen(rows[i].type)) != 0)
			continue;
		return !legacy || !strcmp(rows[i].provider, "minimal") ? rows[i].provider : "none";
	}
	return "none";
}
