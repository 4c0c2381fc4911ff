/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a state would be loaded into, from inside: as far as it is known, a state like others, and beside it what no state says. */
#ifndef GIM_TARGET_H
#define GIM_TARGET_H

#include "state.h"

/* A unit that the target can load, in this version and in older ones. */
struct profile_unit {
	struct gim_text name;
	uint32_t instance, version;
};

/* An MSR of a guest interface that the target serves. */
struct profile_msr {
	uint64_t number;
};

/* A CPUID leaf that the target offers with an interface. */
struct profile_leaf {
	struct gim_text interface;
	uint32_t leaf, eax, ebx, ecx, edx;
};

struct profile {
	struct gim_text name;
	struct gim_text release;                                  /* "vbox:7.2": which loader it is */
	struct gim_text hypervisor;                               /* whose product it is: "vbox", "kvm" */
	struct gim_text cpu_vendor;                               /* of the host, e.g. "GenuineIntel" */
	struct gim_text reason;                                   /* how its interface was chosen */
	struct gim_text machine, accelerator, uuid, capabilities; /* of QEMU's */
	struct gim_text overlooked;                               /* options of its command line of which nothing is known here */
	uint32_t tsc_tolerance_ppm;
	uint8_t tsc_fixed, chipset, nested, debug;
	struct gim_list unit;
	struct gim_list msr;
	struct gim_list leaf;
};
extern const struct gim_record profile_record, profile_unit_record, profile_msr_record, profile_leaf_record;

enum profile_chipset { PROFILE_PIIX3, PROFILE_ICH9 };

struct gim_target {
	struct gim_state state; /* gim, guest, and the interfaces' CPUID words; format: whose loader it is, NULL: not known */
	struct gim_object profile;
	unsigned major, minor; /* of the release; 0: not known */
	bool for_state;        /* another state may make another target of the same file */
	char name[512];
};

/* The target's profile. */
static inline const struct profile *gim_target_profile(const struct gim_target *target)
{
	return (const struct profile *)(const void *)target->profile.data;
}

/* Is the target known to be at least, or to be below, this release? */
bool gim_target_since(const struct gim_target *target, unsigned major, unsigned minor);
bool gim_target_before(const struct gim_target *target, unsigned major, unsigned minor);

/* A new one, of which nothing is known. */
int gim_target_new(const char *name, struct gim_target **target, struct gim_error *error);

/* Say what the target has: a number at a path of a state, the interface by its provider's name, a unit (the same one again: the
 * newer version counts). */
int gim_target_set(struct gim_target *target, const char *path, uint64_t number, struct gim_error *error);
int gim_target_set_provider(struct gim_target *target, const char *provider, struct gim_error *error);
int gim_target_set_text(struct gim_target *target, size_t offset, const char *text, struct gim_error *error);
int gim_target_add_unit(struct gim_target *target, const char *name, uint32_t instance, uint32_t version, struct gim_error *error);

/* Whose loader it is. */
int gim_target_set_product(struct gim_target *target, const struct gim_format *format, struct gim_error *error);

/* The release "FORMAT:MAJOR.MINOR", and what follows from it. */
int gim_target_set_release(struct gim_target *target, const char *release, struct gim_error *error);

/* One set of settings in a settings file, while it is visited: the target that it makes, and whose it is. */
struct gim_setup {
	struct gim_target *target; /* a visitor that keeps it makes it NULL here */
	const char *snapshot;      /* NULL: the machine's own */
	const char *state;         /* path of its state file; NULL: it has none */
};
#endif
