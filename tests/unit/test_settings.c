/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests the reader of VMs' settings files: what each setting makes of a target, snapshots, the choice by guest type, and hostile files. */
#include "target.h"
#include "vbox/guest_type.h"
#include "vbox/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VM(attributes, inside)                                                                                                             \
	"<?xml version=\"1.0\"?><VirtualBox version=\"1.15-linux\"><Machine " attributes ">" inside "</Machine></VirtualBox>"
#define HARDWARE(inside) "<Hardware>" inside "</Hardware>"

/* What is said of one set of settings, as one line. */
struct heard {
	unsigned count;
	char lines[1024];
};

static uint64_t number(const struct gim_target *target, const char *path)
{
	const struct gim_value value = gim_state_value(&target->state, path);
	return value.presence == GIM_ABSENT ? 999 : value.number;
}

static int take(void *user, struct gim_setup *setup)
{
	struct heard *heard = (struct heard *)user;
	const struct gim_target *target = setup->target;
	const struct profile *profile = gim_target_profile(target);
	const size_t used = strlen(heard->lines);
	heard->count++;
	(void)snprintf(heard->lines + used, sizeof(heard->lines) - used,
	               "%s %s provider %u vcpus %u mib %u chipset %u nested %u debug %u %.*s|", setup->snapshot ? setup->snapshot : "-",
	               setup->state ? setup->state : "-", (unsigned)number(target, "gim.provider"), (unsigned)number(target, "guest.vcpus"),
	               (unsigned)(number(target, "guest.ram_bytes") >> 20), profile->chipset, profile->nested, profile->debug,
	               (int)profile->reason.length, profile->reason.bytes ? profile->reason.bytes : "");
	return 0;
}

static int read_settings(const char *xml, size_t size, struct heard *heard, struct gim_error *error)
{
	struct gim_input input;
	*heard = (struct heard){.count = 0};
	gim_input_open_memory(&input, xml, size);
	const int result = vbox_settings(&input, "folder/vm.vbox", take, heard, error);
	gim_input_close(&input);
	return result;
}

static void expect(const char *xml, const char *lines)
{
	struct heard heard;
	struct gim_error error = GIM_ERROR_INIT;
	if (read_settings(xml, strlen(xml), &heard, &error))
		fail_msg("%s: %s", xml, error.text);
	assert_string_equal(heard.lines, lines);
}

static void machines(void **unused)
{
	(void)unused;
	/* What the file does not say. */
	expect(VM("", HARDWARE("")), "- - provider 0 vcpus 1 mib 0 chipset 0 nested 0 debug 0 Legacy for a guest of type Other|");
	expect(VM("stateFile=\"Snapshots/a.sav\"",
	          HARDWARE("<CPU count=\"4\"><PAE/></CPU><Memory RAMSize=\"2048\"/><Paravirt provider=\"HyperV\"/>")),
	       "- folder/Snapshots/a.sav provider 2 vcpus 4 mib 2048 chipset 0 nested 0 debug 0 |");
	/* Wherever in Hardware a version of the file has it; paths of another system, and those that need no folder. */
	expect(VM("stateFile=\"Snapshots\\a.sav\" OSType=\"Ubuntu_64\"",
	          HARDWARE("<Platform><Chipset type=\"ICH9\"/><CPU count=\"2\"><x86><NestedHWVirt enabled=\"true\"/></x86></CPU></Platform>"
	                   "<Paravirt provider=\"Default\" debug=\"vendor=x,enabled=1\"/>")),
	       "- folder/Snapshots/a.sav provider 3 vcpus 2 mib 0 chipset 1 nested 1 debug 1 Default for a guest of type Ubuntu_64|");
	expect(VM("stateFile=\"/elsewhere/a.sav\"", HARDWARE("<Paravirt provider=\"None\" debug=\"enabled=0\"/>")),
	       "- /elsewhere/a.sav provider 0 vcpus 1 mib 0 chipset 0 nested 0 debug 0 |");
}

static void snapshots(void **unused)
{
	(void)unused;
	expect(
	    VM("OSType=\"MacOS_64\"",
	       "<Snapshot name=\"one\" stateFile=\"1.sav\">" HARDWARE(
		   "<CPU count=\"2\"/><Paravirt provider=\"KVM\"/>") "<Snapshots>"
	                                                             "<Snapshot name=\"two\">" HARDWARE(
									 "<Paravirt provider=\"Minimal\"/>") "</Snapshot>"
	                                                                                                     "<Snapshot "
	                                                                                                     "stateFile=\"3."
	                                                                                                     "sav\">" HARDWARE(
														 "<CPU "
														 "count="
														 "\"8\"/"
														 ">") "</"
	                                                                                                              "Sn"
	                                                                                                              "ap"
	                                                                                                              "sh"
	                                                                                                              "ot"
	                                                                                                              "><"
	                                                                                                              "/S"
	                                                                                                              "na"
	                                                                                                              "ps"
	                                                                                                              "ho"
	                                                                                                              "ts"
	                                                                                                              "><"
	                                                                                                              "/S"
	                                                                                                              "na"
	                                                                                                              "ps"
	                                                                                                              "ho"
	                                                                                                              "t"
	                                                                                                              ">" HARDWARE(
															  "<CPU "
															  "count=\"3\"/>")),
	    "- - provider 1 vcpus 3 mib 0 chipset 0 nested 0 debug 0 Legacy for a guest of type MacOS_64|"
	    "one folder/1.sav provider 3 vcpus 2 mib 0 chipset 0 nested 0 debug 0 |"
	    "two - provider 1 vcpus 1 mib 0 chipset 0 nested 0 debug 0 |"
	    " folder/3.sav provider 1 vcpus 8 mib 0 chipset 0 nested 0 debug 0 Legacy for a guest of type MacOS_64|");
}

/* What a file does not say is Default since version 1.16 of the file. */
static void versions(void **unused)
{
	static const struct {
		const char *version, *setting;
	} rows[] = {{"version=\"1.15-linux\"", "Legacy"}, {"version=\"1.16-windows\"", "Default"},
	            {"version=\"1.9\"", "Legacy"},        {"version=\"2.0\"", "Default"},
	            {"version=\"x\"", "Legacy"},          {"", "Legacy"}};
	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char xml[256], wanted[64];
		struct heard heard;
		(void)snprintf(xml, sizeof(xml), "<VirtualBox %s><Machine OSType=\"Debian\"/></VirtualBox>", rows[i].version);
		(void)snprintf(wanted, sizeof(wanted), "%s for a guest of type Debian|", rows[i].setting);
		assert_int_equal(read_settings(xml, strlen(xml), &heard, NULL), 0);
		if (!strstr(heard.lines, wanted))
			fail_msg("%s: %s", rows[i].version, heard.lines);
	}
}

/* What VirtualBox 7.2 chooses for every guest type that it lists. */
static void guest_types(void **unused)
{
	FILE *list = fopen("tests/unit/guest_types.txt", "r");
	char type[64], by_default[16], legacy[16];
	unsigned count = 0;
	(void)unused;
	assert_non_null(list);
	for (; fscanf(list, "%63s %15s %15s", type, by_default, legacy) == 3; count++)
		if (strcmp(vbox_guest_provider(type, false), by_default) != 0 || strcmp(vbox_guest_provider(type, true), legacy) != 0)
			fail_msg("%s: %s and %s", type, vbox_guest_provider(type, false), vbox_guest_provider(type, true));
	(void)fclose(list);
	assert_true(count > 200);
	assert_string_equal(vbox_guest_provider("", false), "none");
	assert_string_equal(vbox_guest_provider("Unheard", true), "none");
}

static void refuse(const char *xml, size_t size, int code, const char *part)
{
	struct heard heard;
	struct gim_error error = GIM_ERROR_INIT;
	const int result = read_settings(xml, size, &heard, &error);
	if (result != code || !strstr(error.text, part))
		fail_msg("%.60s: %d %s", xml, result, error.text);
	assert_int_equal(heard.count, 0);
}

#define REFUSE(xml, code, part) refuse(xml, strlen(xml), code, part)

static void bad_files(void **unused)
{
	(void)unused;
	REFUSE("", GIM_E_FORMAT, "broken XML in line 1");
	REFUSE("<VirtualBox><Machine>", GIM_E_FORMAT, "broken XML");
	REFUSE("<VirtualBox/>", GIM_E_FORMAT, "no machine");
	REFUSE("<html/>", GIM_E_FORMAT, "no settings file of a VirtualBox VM");
	REFUSE(VM("", HARDWARE("<CPU count=\"1025\"/>")), GIM_E_VALUE, "1 to 1024");
	REFUSE(VM("", HARDWARE("<CPU count=\"-1\"/>")), GIM_E_VALUE, "1 to 1024");
	REFUSE(VM("", HARDWARE("<Memory RAMSize=\"many\"/>")), GIM_E_VALUE, "MiB");
	REFUSE(VM("", HARDWARE("<Paravirt provider=\"Xen\"/>")), GIM_E_VALUE, "Xen is not known");
	/* Entities that grow, and files of others: there is no document type. */
	REFUSE("<!DOCTYPE VirtualBox [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]><VirtualBox>&b;</VirtualBox>", GIM_E_FORMAT,
	       "document type");
	REFUSE("<!DOCTYPE VirtualBox SYSTEM \"file:///etc/passwd\"><VirtualBox/>", GIM_E_FORMAT, "document type");
}

static void large_files(void **unused)
{
	enum { DEPTH = 2000, LARGE = (16 << 20) + 1, SNAPSHOTS = 5000 };
	char *text = malloc(LARGE + 64);
	size_t used = 0;
	(void)unused;
	assert_non_null(text);
	used = (size_t)sprintf(text, "<VirtualBox>");
	for (int i = 0; i < DEPTH; i++)
		used += (size_t)sprintf(text + used, "<a>");
	refuse(text, used, GIM_E_LIMIT, "deeper");
	used = (size_t)sprintf(text, "<VirtualBox><Machine>");
	for (int i = 0; i < SNAPSHOTS; i++)
		used += (size_t)sprintf(text + used, "<Snapshot/>");
	refuse(text, used, GIM_E_LIMIT, "4095 snapshots");
	memset(text, ' ', LARGE);
	memcpy(text, "<VirtualBox>", 12);
	refuse(text, LARGE, GIM_E_LIMIT, "16 MiB");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(machines),    cmocka_unit_test(snapshots), cmocka_unit_test(versions),
	    cmocka_unit_test(guest_types), cmocka_unit_test(bad_files), cmocka_unit_test(large_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
