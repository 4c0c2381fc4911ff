/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Releases of VirtualBox that have the GIM unit, and the versions of other units that each was the first to write and load. */
#include "error.h"
#include "vbox/rules.h"
#include "vbox/ssm.h"
#include "vbox/units.h"

#include <stdio.h>
#include <string.h>

/* Their container is 2.0. */
const struct gim_release vbox_releases[] = {
    {5, 0, 20}, {5, 1, 20}, {5, 2, 20}, {6, 0, 20}, {6, 1, 20}, {7, 0, 20}, {7, 1, 20}, {7, 2, 20}, {0, 0, 0},
};

/* Later releases load the earlier ones' versions, too. A unit's oldest row stands for everything before it. */
static const struct vbox_unit_version {
	const char *name;
	uint32_t instance, version;
	uint16_t major, minor;
} versions[] = {
    {"SSM", 0, 1, 3, 1},   {"pgm", 1, 14, 4, 1},  {"tm", 1, 3, 2, 0},    {"GIM", 0, 1, 5, 0},   {"cpum", 1, 17, 5, 0},
    {"cpum", 1, 18, 6, 0}, {"cpum", 1, 19, 6, 1}, {"cpum", 1, 20, 6, 1}, {"cpum", 1, 21, 7, 0}, {"cpum", 1, 22, 7, 0},
    {"cpum", 1, 23, 7, 1}, {"cpum", 1, 24, 7, 2}, {"trpm", 1, 9, 4, 0},  {"trpm", 1, 10, 6, 1}, {"trpm", 1, 11, 7, 1},
    {"apic", 0, 3, 5, 0},  {"apic", 0, 4, 5, 1},  {"apic", 0, 5, 5, 1},
};

enum { VERSIONS = sizeof(versions) / sizeof(versions[0]) };

/* The row of the unit's own version, or the oldest one of a unit whose version is older; *known: there are rows of this unit. */
static const struct vbox_unit_version *find_version(const struct gim_unit *unit, bool *known)
{
	const struct vbox_unit_version *oldest = NULL;
	*known = false;
	for (size_t i = 0; i < VERSIONS; i++) {
		if (versions[i].instance != unit->instance || strcmp(versions[i].name, unit->name) != 0)
			continue;
		oldest = oldest ? oldest : &versions[i];
		*known = true;
		if (versions[i].version == unit->version)
			return &versions[i];
	}
	return oldest && unit->version < oldest->version ? oldest : NULL;
}

const struct gim_release *vbox_unit_since(const struct gim_unit *unit, struct gim_release *since)
{
	bool known;
	const struct vbox_unit_version *row = find_version(unit, &known);
	*since = row ? (struct gim_release){row->major, row->minor, 1} : (struct gim_release){.version = 0};
	return known ? since : NULL;
}

/* Names of units about which nothing is known. */
struct unknown {
	char names[160];
	size_t used;
	unsigned count;
};

static void add_unknown(struct unknown *unknown, const char *name)
{
	const size_t left = sizeof(unknown->names) - unknown->used;
	const int length = snprintf(unknown->names + unknown->used, left, "%s%s", unknown->count ? ", " : "", name);
	const bool fits = length > 0 && (size_t)length < left;
	unknown->names[unknown->used + (fits ? (size_t)length : 0)] = '\0';
	unknown->used += fits ? (size_t)length : 0;
	unknown->count++;
}

/* A release loads what it wrote itself, or an older one. */
static bool knows_all(const struct gim_state *state, const struct gim_release *release)
{
	const struct ssm_header *header = &((const struct ssm_stream *)state->container)->header;
	return header->major < release->major || (header->major == release->major && header->minor <= release->minor);
}

int vbox_check_release(struct gim_state *state, const struct gim_release *release, gim_report_fn *report, void *user,
                       struct gim_error *error)
{
	struct unknown unknown = {.count = 0};
	struct gim_unit unit;
	uint32_t index = 0;
	bool found = false, known;
	int more;
	if (!state->input.seekable)
		return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN, "a stream's units cannot be looked at twice; give a file");
	while ((more = vbox_header_next(state, &index, &unit, error)) == 1) {
		const struct vbox_unit_version *row = find_version(&unit, &known);
		char name[GIM_UNIT_NAME_BYTES + 16];
		(void)snprintf(name, sizeof(name), "%s/%u", unit.name, unit.instance);
		if (!known) {
			add_unknown(&unknown, name);
			continue;
		}
		if (row && (row->major < release->major || (row->major == release->major && row->minor <= release->minor)))
			continue;
		found = true;
		if (row)
			gim_report(report, user, &vbox_rules[RELEASE_UNIT], GIM_UNKNOWN, name, NULL,
			           "its version %u is new in vbox:%u.%u: vbox:%u.%u does not load it", unit.version, row->major, row->minor,
			           release->major, release->minor);
		else
			gim_report(report, user, &vbox_rules[RELEASE_UNIT], GIM_UNKNOWN, name, NULL,
			           "its version %u is none that a known release loads", unit.version);
	}
	if (more < 0)
		return more;
	if (knows_all(state, release))
		return found;
	if (unknown.count)
		gim_report(report, user, &vbox_rules[RELEASE_UNKNOWN], GIM_UNKNOWN, NULL, NULL,
		           "which releases load the versions of %u other units is not known: %s%s", unknown.count, unknown.names,
		           unknown.used < sizeof(unknown.names) - 64 ? "" : ", ...");
	return found || unknown.count;
}
