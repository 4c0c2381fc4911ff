/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a state is judged for a target: rules with what judges them, in tables of the library, of providers and of formats. */
#ifndef GIM_CHECK_H
#define GIM_CHECK_H

#include "target.h"

struct gim_judging;

/* Where in the loading of a unit something is met. */
enum gim_stage {
	GIM_STAGE_HEADER, /* that there is such a unit, in this version */
	GIM_STAGE_HEAD,   /* the first thing that its loader compares */
	GIM_STAGE_DATA,   /* what it reads */
	GIM_STAGE_END,    /* that it read all, and no more */
	GIM_STAGES
};

/* A rule of check: a row of a table that an empty row ends. */
struct gim_check_rule {
	struct gim_rule rule;
	const char *unit; /* NAME/INSTANCE, where VirtualBox's loader meets it; NULL: it does not, or at no place of its own */
	enum gim_stage stage;
	const char *except; /* the format whose own rows judge this for its loader; NULL: none's */
	/* The rule by which verify, which knows no target, asks for the same; NULL: none. What it found is not told where the target has met it. */
	const struct gim_rule *asked_by;
	bool (*met)(const struct gim_judging *judging);
	/* Report what breaks the rule (gim_judge). Not called where a rule before it in rule.after is broken. */
	void (*judge)(struct gim_judging *judging);
};
extern const struct gim_check_rule gim_check_rules[];

/* One state and one target, while rules judge. */
struct gim_judging {
	const struct gim_state *state;
	const struct gim_target *target;
	const struct gim_check_rule *row; /* whose turn it is */
	const struct gim_unit *units;     /* of the container, in its order */
	size_t unit_count;
	void *verdict; /* for gim_judge */
};

/* Report that the row is broken. unit: the index of the unit in which a loader meets it, where the row does not name one; NO_UNIT
 * otherwise. */
#define GIM_NO_UNIT SIZE_MAX
void gim_judge(struct gim_judging *judging, size_t unit, const char *path, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Judge a decoded state with these units, as gim_check_target does what a file holds. */
int gim_judge_state(const struct gim_state *state, const struct gim_unit *units, size_t unit_count, const struct gim_target *target,
                    gim_report_fn *report, void *user, struct gim_error *error);

/* The object of a record in the state or the target, as its struct; NULL when nothing is known of it. */
#define GIM_OBJECT_OF(state_, type) gim_state_find(state_, &type##_record)
/* Does an object (may be NULL) hold a member, and what? */
#define GIM_HAS(object, type, member) ((object) && (object)->presence[offsetof(struct type, member)] != GIM_ABSENT)
#define GIM_DATA(object, type) ((const struct type *)(const void *)(object)->data)

/* The provider that the state's, or the target's, interface is; NULL: not known. */
const struct gim_provider *gim_judging_provider(const struct gim_state *state);

/* Judge each interface that the state holds: the one that its GIM unit names, or in a container without such a unit all of them. own: its record's object. */
typedef void gim_judge_interface_fn(struct gim_judging *judging, const struct gim_provider *provider, const struct gim_object *own);
void gim_judging_interfaces(struct gim_judging *judging, gim_judge_interface_fn *judge);

/* How many vCPUs it has; 0: not known. */
uint32_t gim_judging_vcpus(const struct gim_state *state);

/* Which hypervisor's state it is, e.g. "vbox"; NULL: not known, as of a JSON document that names no layout. */
const char *gim_judging_hypervisor(const struct gim_state *state);

/* Are both known, and the target's another one? What QEMU saves and loads is KVM's. */
bool gim_judging_other_hypervisor(const struct gim_judging *judging);

/* The layout that the target's release writes and loads of this provider, and its version; NULL: not known. */
const struct gim_layout *gim_judging_layout(const struct gim_judging *judging, const struct gim_provider *provider, uint16_t *version);

/* Is the state loaded by the product that the format is of? */
bool gim_judging_is(const struct gim_judging *judging, const char *format);

/* Is the state in the container that the target's loader reads? */
bool gim_judging_same(const struct gim_judging *judging);

/* The size of RAM, of the target where it is known, else of the state; 0: not known. */
uint64_t gim_judging_ram(const struct gim_judging *judging);

/* Do the TSC frequencies of state and target differ by more than the target tolerates? False where one is not known. */
bool gim_judging_tsc_differs(const struct gim_judging *judging, uint64_t *own, uint64_t *wanted);

/* The CPUID leaf as the guest sees it, by enum gim_cpuid_register; false: the state does not say. */
bool gim_judging_leaf(const struct gim_state *state, uint32_t leaf, uint32_t registers[4]);

/* Is there RAM at a guest-physical address, as PCs have it: without the hole below 1 MiB and the one below 4 GiB? True when its size
 * is not known. */
bool gim_judging_is_ram(const struct gim_judging *judging, uint64_t gpa);

/* Report what is judged of any loader, for a row of a format's own: each MSR that the guest uses and the target does not serve, and
 * another number of vCPUs or size of RAM. */
void gim_judge_used(struct gim_judging *judging);
void gim_judge_vcpus(struct gim_judging *judging);
void gim_judge_ram(struct gim_judging *judging);

#endif
