/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules that a migration stream must keep. */
#ifndef GIM_QEMU_RULES_H
#define GIM_QEMU_RULES_H

#include "gimstate.h"

enum qemu_rule {
	QEMU_MAGIC,
	QEMU_VERSION,
	QEMU_CONFIGURATION,
	QEMU_END_OF_FILE,
	QEMU_ELEMENT,
	QEMU_SECTION_ID,
	QEMU_COMMAND,
	QEMU_FOOTER,
	QEMU_FOOTER_ID,
	QEMU_SECTION_VERSION,
	QEMU_SUBSECTION,
	QEMU_SUBSECTION_VERSION,
	QEMU_SECTION_SIZE,
	QEMU_RAM_FLAGS,
	QEMU_RAM_BLOCK,
	QEMU_RAM_PAGE,
	QEMU_RAM_MAPPED,
	QEMU_RAM_DATA,
	QEMU_NO_DESCRIPTION,
	QEMU_DESCRIPTION,
	QEMU_TRAILING,
	QEMU_REENLIGHTENMENT,
	QEMU_NO_KVMCLOCK,
	QEMU_CLOCK_UNRELIABLE,
	QEMU_VCPUS_DIFFER,
	QEMU_SYNIC_BLOCKS,
	QEMU_UNDECODED,
	QEMU_CONFIGURED,
	QEMU_RELEASE_MACHINE,
	QEMU_RELEASE_UNKNOWN,
	QEMU_RULES
};

extern const struct gim_rule qemu_rules[QEMU_RULES];

/* Fail by a rule; returns its code. */
#define qemu_fail(error, rule, offset, ...) gim_fail_rule(error, &qemu_rules[rule], offset, __VA_ARGS__)

#endif
