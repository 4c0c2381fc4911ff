/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bundle that is read: members in their order, each checked against the manifest. */
#ifndef GIM_BUNDLE_H
#define GIM_BUNDLE_H

#include "bundle/manifest.h"
#include "json.h"
#include "packed.h"

struct bundle {
	struct gim_unpacker *unpacker; /* NULL: it became the input of a whole state */
	struct bundle_manifest manifest;
	size_t next;                    /* the member that comes next in the archive */
	struct gim_buffer gim;          /* payload of the unit GIM */
	struct gim_document state;      /* what was decoded when it was packed */
	struct gim_buffer machine;      /* machine.json, once it is asked for */
	size_t held;                    /* so many members, the first ones, were handed to somebody and are not in the file below */
	int unnamed;                    /* a file with all other members, one after another; -1: not made yet */
	const struct gim_format *inner; /* of the container that the units are from; NULL: not known */
};

/* Read the manifest. The input is taken over. Its text is given to sink, unless that is NULL. */
int bundle_begin(struct bundle *bundle, struct gim_input *input, struct gim_arena *arena, gim_sink_fn *sink, void *user,
                 struct gim_error *error);
void bundle_end(struct bundle *bundle);

/* Go to the next member, which must be the next one of the manifest. 1: it is *member, 0: all were read, and the archive is at its end. */
int bundle_next(struct bundle *bundle, const struct bundle_member **member, struct gim_error *error);

/* Hand the bytes of the member that bundle_next gave to sink; NULL: only check them. */
int bundle_read(struct bundle *bundle, const struct bundle_member *member, gim_sink_fn *sink, void *user, struct gim_error *error);

/* gim_sink_fn: append to the struct gim_buffer. */
int bundle_collect(void *user, const void *bytes, size_t size);

/* Keep a member that is held whole: the payload of the unit GIM, or the decoded state. Reads its bytes. */
int bundle_keep(struct bundle *bundle, const struct bundle_member *member, struct gim_arena *arena, struct gim_error *error);

/* Copy all members that were not read yet to the file without a name. It is done once, and what failed is not tried again. */
int bundle_load_rest(struct bundle *bundle, struct gim_error *error);

/* Where a member that was copied begins in that file. */
uint64_t bundle_place(const struct bundle *bundle, const struct bundle_member *member);

/* Read machine.json, if there is one; once. */
int bundle_load_machine(struct bundle *bundle, struct gim_error *error);

/* Store what it says of its vCPUs in the list's; there must be as many as expected, unless that is 0. */
int bundle_machine_vcpus(const struct gim_buffer *text, uint32_t expected, struct gim_arena *arena, struct gim_list *vcpus,
                         struct gim_error *error);

/* Where the guest has memory, by rising address; non-zero stops. *any: it says so. */
typedef int bundle_region_fn(void *user, const struct gim_memory_range *range, struct gim_error *error);
int bundle_machine_regions(const struct gim_buffer *text, bundle_region_fn *region, void *user, bool *any, struct gim_error *error);

/* Store them in the state's guest, if the bundle holds a machine. */
int bundle_machine_show(struct gim_state *state, struct gim_error *error);

/* A member of memory lies in whole pages, where no earlier one does. */
int bundle_memory_check(const struct bundle_manifest *manifest, const struct bundle_member *member, struct gim_error *error);

extern const struct gim_memory_format bundle_memory;

int bundle_verify(struct gim_input *input, const struct gim_verify_options *options, gim_report_fn *report, void *user,
                  struct gim_error *error);

int bundle_pack(struct gim_state *state, const struct gim_changes *changes, const struct gim_pack_options *options, gim_sink_fn *sink,
                void *user, struct json_t **manifest, struct gim_error *error);

/* The bundle of a state that was opened from one; NULL: it was not, or it is a whole one. */
struct bundle *bundle_of(const struct gim_state *state);

#endif
