/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests what a guest OS id is spelled out as, for known and unknown systems, and in too little room. */
#include "hyperv/hyperv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void known(void **unused)
{
	(void)unused;
	static const struct {
		uint64_t id;
		const char *text;
	} cases[] = {
	    {0, "not set"},
	    {0x0001040a00004a61, "Windows 10 2004 (version 10.0, build 19041)"},
	    {0x0001040a00004f7c, "Windows Server 2022 (version 10.0, build 20348)"},
	    {0x0001040601011db1, "Windows 7 SP1/Server 2008 R2 SP1 (version 6.1, build 7601, service pack 1)"},
	    {0x0001040a0000ffff, "Windows 11 25H2 or later (version 10.0, build 65535)"},
	    {0x0001040400000100, "Windows NT (version 4.0, build 256)"},
	    {0x0001010600000000, "MS-DOS (version 6.0, build 0)"},
	    {0x0001ff0000000000, "unknown Microsoft system 255 (version 0.0, build 0)"},
	    {0x0200000102030004, "LANCOM Systems, system 0, version 1.2, service 3, build 4"},
	    {0x7fff000000000000, "unknown vendor 0x7fff, system 0, version 0.0, service 0, build 0"},
	    {0x8100000601000000, "Linux 6.1.0"},
	    {0x8100010203040506, "Linux 258.3.4, build 1286"},
	    {0x8180000601000000, "Linux 6.1.0, distribution 0x80"},
	    {0x8200000000000000 | (uint64_t)1400097 << 16, "FreeBSD 14.0 (1400097)"},
	    {0x8300000400110000, "Xen 4.17"},
	    {0x8400000000010000, "illumos, version 0x1"},
	    {0x8f00000000000000, "unknown open-source system 15, version 0x0"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[128];
		hv_explain_guest_os(cases[i].id, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
}

static void little_room(void **unused)
{
	(void)unused;
	char text[9] = "xxxxxxxx";
	hv_explain_guest_os(0x8100000601000000, text, 8);
	assert_string_equal(text, "Linux 6");
	assert_int_equal(text[8], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(known), cmocka_unit_test(little_room)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
