/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manifest of a bundle, gimstate-bundle(5): what it is from, and what is in it. */
#ifndef GIM_BUNDLE_MANIFEST_H
#define GIM_BUNDLE_MANIFEST_H

#include "digest.h"
#include "state.h"

#define BUNDLE_MANIFEST "manifest.json"

enum {
	BUNDLE_VERSION = 1,
	BUNDLE_MANIFEST_MAX = 1 << 20, /* bytes */
	BUNDLE_MEMBERS_MAX = 1024,
	BUNDLE_NAME_MAX = 100,       /* NUL included: what the oldest tar archives can hold */
	BUNDLE_MEMORY_MAX = 8 << 20, /* bytes of a member that is read whole */
};

enum bundle_rule { BUNDLE_RULE_MANIFEST, BUNDLE_RULE_VERSION, BUNDLE_RULE_NAME, BUNDLE_RULE_MEMBER, BUNDLE_RULE_STATE, BUNDLE_RULES };
extern const struct gim_rule bundle_rules[BUNDLE_RULES];

enum bundle_role {
	BUNDLE_UNIT,    /* the payload of a unit of the state, unpacked */
	BUNDLE_STATE,   /* what was decoded, as dump --json prints it */
	BUNDLE_WHOLE,   /* the file of the state */
	BUNDLE_MACHINE, /* what else the embedder's machine is: vCPUs, devices */
	BUNDLE_MEMORY,  /* memory of the guest, from an address on */
	BUNDLE_ROLES
};

struct bundle_member {
	char name[BUNDLE_NAME_MAX];
	enum bundle_role role;
	uint64_t size_bytes;
	uint8_t sha256[GIM_SHA256_BYTES];
	struct gim_unit unit; /* of a unit */
	uint64_t gpa;         /* of memory */
};

struct bundle_manifest {
	struct gim_origin origin;
	struct gim_object source; /* the record "source" of the state in that file */
	char layout[64];          /* "": there is no guest interface, or it is in none */
	uint32_t vcpus;           /* 0: not known */
	struct bundle_member *members;
	size_t count;
};

/* Everything lives in arena. *manifest is only touched when all of it is sound. */
int bundle_manifest_read(struct gim_arena *arena, const char *text, size_t size, struct bundle_manifest *manifest, struct gim_error *error);

/* A new reference; NULL when memory is out. source: the record's JSON, not taken over. */
struct json_t *bundle_manifest_json(const struct bundle_manifest *manifest, const struct json_t *source);

/* A number "0x..."; false: it is none. text may be NULL. */
bool bundle_number(const char *text, uint64_t *number);

/* The one member of a role or of the unit GIM; NULL: there is none. */
const struct bundle_member *bundle_member_of(const struct bundle_manifest *manifest, enum bundle_role role);
const struct bundle_member *bundle_member_gim(const struct bundle_manifest *manifest);

#endif
