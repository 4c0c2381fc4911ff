/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a QEMU VM is configured, as far as that bears on saved state: in the words of QEMU's command line, whoever said it. */
#ifndef QEMU_CONFIG_H
#define QEMU_CONFIG_H

#include "gimstate.h"

/* More than there are features of processors and enlightenments. */
enum { QEMU_PROPERTIES_MAX = 512 };

/* A property of -cpu as written: "hv-spinlocks", "0x1fff"; a switch is "on" or "off". */
struct qemu_property {
	char name[40];
	char value[40];
};

/* What is not said is 0 or "". */
struct qemu_config {
	char name[64];    /* the VM's */
	char machine[64]; /* -M, e.g. "pc-i440fx-7.2" */
	char accel[16];   /* "kvm" or "tcg" */
	char model[64];   /* -cpu, its first word, e.g. "host" */
	uint32_t vcpus;   /* -smp: that are there at the start */
	uint32_t vcpus_max;
	uint64_t ram_bytes;       /* -m */
	char uuid[40];            /* -uuid, in small letters */
	char capabilities[256];   /* of the migration that are on, a space between them */
	char overlooked[256];     /* options that were passed over, likewise; "..." at the end: and others */
	bool hypervisor_defaults; /* the Hyper-V interface is what the host offers: hv-passthrough, or libvirt's host-model */
	size_t globals;           /* so many of the first properties are those of -global, which -cpu does not take the place of */
	size_t count;             /* of properties, in their order: of two with one name the last counts */
	struct qemu_property properties[QEMU_PROPERTIES_MAX];
};

/* Add a property. GIM_E_LIMIT, GIM_E_VALUE: there are too many, or it is too long. */
int qemu_config_add(struct qemu_config *config, const char *name, const char *value, struct gim_error *error);

/* The value that a property has; NULL: nothing is said of it. */
const char *qemu_config_value(const struct qemu_config *config, const char *name);

/* A property's value as a switch. */
enum qemu_switch { QEMU_UNSAID, QEMU_OFF, QEMU_ON };
enum qemu_switch qemu_config_switch(const struct qemu_config *config, const char *name);

#endif
