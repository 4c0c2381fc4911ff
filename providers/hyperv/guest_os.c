/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Spells out the guest OS id that a guest writes to MSR 0x40000000 (TLFS, guest OS identity). */
#include "hyperv.h"

#include <stdio.h>

static unsigned bits(uint64_t id, unsigned low, unsigned width)
{
	return (unsigned)(id >> low & ((UINT64_C(1) << width) - 1));
}

/* Releases of Windows NT by build number; a build between two is named after the lower one. */
static const struct {
	uint16_t build;
	const char *name;
} windows[] = {
    {2195, "Windows 2000"},
    {2600, "Windows XP"},
    {3790, "Windows Server 2003/XP x64"},
    {6000, "Windows Vista"},
    {6001, "Windows Vista SP1/Server 2008"},
    {6002, "Windows Vista SP2/Server 2008 SP2"},
    {7600, "Windows 7/Server 2008 R2"},
    {7601, "Windows 7 SP1/Server 2008 R2 SP1"},
    {9200, "Windows 8/Server 2012"},
    {9600, "Windows 8.1/Server 2012 R2"},
    {10240, "Windows 10 1507"},
    {10586, "Windows 10 1511"},
    {14393, "Windows 10 1607/Server 2016"},
    {15063, "Windows 10 1703"},
    {16299, "Windows 10 1709"},
    {17134, "Windows 10 1803"},
    {17763, "Windows 10 1809/Server 2019"},
    {18362, "Windows 10 1903"},
    {18363, "Windows 10 1909"},
    {19041, "Windows 10 2004"},
    {19042, "Windows 10 20H2"},
    {19043, "Windows 10 21H1"},
    {19044, "Windows 10 21H2"},
    {19045, "Windows 10 22H2"},
    {20348, "Windows Server 2022"},
    {22000, "Windows 11 21H2"},
    {22621, "Windows 11 22H2"},
    {22631, "Windows 11 23H2"},
    {25398, "Windows Server 23H2"},
    {26100, "Windows 11 24H2/Server 2025"},
    {26200, "Windows 11 25H2"},
};

/* Above the last known build nobody knows what is to come. */
static void windows_name(unsigned build, char *name, size_t size)
{
	const size_t count = sizeof(windows) / sizeof(windows[0]);
	size_t above = 0;
	while (above < count && windows[above].build <= build)
		above++;
	const bool later = above == count && build > windows[count - 1].build;
	(void)snprintf(name, size, "%s%s", above ? windows[above - 1].name : "Windows NT", later ? " or later" : "");
}

static void explain_microsoft(uint64_t id, char *text, size_t size)
{
	static const char *const systems[] = {"unknown Microsoft system", "MS-DOS", "Windows 3.x", "Windows 9x", NULL, "Windows CE"};
	const unsigned system = bits(id, 40, 8), major = bits(id, 32, 8), minor = bits(id, 24, 8), service = bits(id, 16, 8);
	const unsigned build = bits(id, 0, 16);
	char name[48];
	if (system == 4)
		windows_name(build, name, sizeof(name));
	else if (system < sizeof(systems) / sizeof(systems[0]))
		(void)snprintf(name, sizeof(name), "%s", systems[system]);
	else
		(void)snprintf(name, sizeof(name), "unknown Microsoft system %u", system);
	char pack[32] = "";
	if (service)
		(void)snprintf(pack, sizeof(pack), ", service pack %u", service);
	(void)snprintf(text, size, "%s (version %u.%u, build %u%s)", name, major, minor, build, pack);
}

static void explain_closed(uint64_t id, char *text, size_t size)
{
	static const struct {
		unsigned vendor;
		const char *name;
	} vendors[] = {{2, "HPE"}, {3, "BlackBerry"}, {0x200, "LANCOM Systems"}};
	const unsigned vendor = bits(id, 48, 15);
	if (vendor == 1) {
		explain_microsoft(id, text, size);
		return;
	}
	char name[32];
	(void)snprintf(name, sizeof(name), "unknown vendor 0x%x", vendor);
	for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++)
		if (vendors[i].vendor == vendor)
			(void)snprintf(name, sizeof(name), "%s", vendors[i].name);
	(void)snprintf(text, size, "%s, system %u, version %u.%u, service %u, build %u", name, bits(id, 40, 8), bits(id, 32, 8),
	               bits(id, 24, 8), bits(id, 16, 8), bits(id, 0, 16));
}

static void explain_open(uint64_t id, char *text, size_t size)
{
	const unsigned type = bits(id, 56, 7), distribution = bits(id, 48, 8), version = bits(id, 16, 32), build = bits(id, 0, 16);
	char name[64];
	switch (type) {
	case 1: /* LINUX_VERSION_CODE; the patch level has 8 bits */
		(void)snprintf(name, sizeof(name), "Linux %u.%u.%u", version >> 16, version >> 8 & 0xff, version & 0xff);
		break;
	case 2: /* __FreeBSD_version, e.g. 1400097 */
		(void)snprintf(name, sizeof(name), "FreeBSD %u.%u (%u)", version / 100000, version / 1000 % 100, version);
		break;
	case 3:
		(void)snprintf(name, sizeof(name), "Xen %u.%u", version >> 16, version & 0xffff);
		break;
	case 4:
		(void)snprintf(name, sizeof(name), "illumos, version 0x%x", version);
		break;
	default:
		(void)snprintf(name, sizeof(name), "unknown open-source system %u, version 0x%x", type, version);
	}
	char more[48] = "";
	size_t used = 0;
	if (distribution)
		used = (size_t)snprintf(more, sizeof(more), ", distribution 0x%x", distribution);
	if (build)
		(void)snprintf(more + used, sizeof(more) - used, ", build %u", build);
	(void)snprintf(text, size, "%s%s", name, more);
}

void hv_explain_guest_os(uint64_t id, char *text, size_t size)
{
	if (!id)
		(void)snprintf(text, size, "not set");
	else if (id >> 63)
		explain_open(id, text, size);
	else
		explain_closed(id, text, size);
}
