/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's memory in a bundle, by address: members hold what is not zero of it, and machine.json may say where there is any. */
#include "memory.h"
#include "bundle/bundle.h"
#include "error.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int fail(struct gim_error *error, const struct bundle_member *member, const char *what)
{
	return gim_fail_rule(error, &bundle_rules[BUNDLE_RULE_MEMBER], GIM_UNKNOWN,
	                     "the member %s, memory of %" PRIu64 " bytes at 0x%" PRIx64 ", %s", member->name, member->size_bytes,
	                     member->gpa, what);
}

int bundle_memory_check(const struct bundle_manifest *manifest, const struct bundle_member *member, struct gim_error *error)
{
	if (member->gpa % GIM_PAGE_BYTES || member->size_bytes % GIM_PAGE_BYTES)
		return fail(error, member, "is not of whole pages");
	if (member->gpa > GIM_MEMORY_LIMIT || member->size_bytes > GIM_MEMORY_LIMIT - member->gpa)
		return fail(error, member, "lies where no machine has any");
	for (const struct bundle_member *other = manifest->members; other != member; other++)
		if (other->role == BUNDLE_MEMORY && other->gpa < member->gpa + member->size_bytes &&
		    member->gpa < other->gpa + other->size_bytes)
			return fail(error, member, "overlaps an earlier one");
	return 0;
}

/* What the state says, and, where it says nothing, up to where members are. */
static int find_size(struct gim_state *state, const struct bundle_manifest *manifest, uint64_t *size, struct gim_error *error)
{
	int result = gim_state_decode(state, GIM_PART_INFO, NULL, NULL, error);
	const struct gim_value value = gim_state_value(state, "guest.ram_bytes");
	const bool known = value.presence != GIM_ABSENT;
	*size = known ? value.number : 0;
	for (size_t i = 0; !result && i < manifest->count; i++) {
		const struct bundle_member *member = &manifest->members[i];
		if (member->role != BUNDLE_MEMORY)
			continue;
		result = bundle_memory_check(manifest, member, error);
		if (!result && known && member->gpa + member->size_bytes > *size)
			result = fail(error, member, "does not lie in the RAM that the state says there is");
		else if (!result && !known && member->gpa + member->size_bytes > *size)
			*size = member->gpa + member->size_bytes;
	}
	return result;
}

struct indexing {
	struct bundle *bundle;
	struct gim_memory *memory;
};

/* What a member holds of a range. Members reach over what lies between ranges, where the guest sees nothing of them. */
static int set_pages(const struct indexing *indexing, uint32_t number, const struct gim_memory_range *range,
                     const struct bundle_member *member, struct gim_error *error)
{
	const uint64_t range_end = range->gpa + range->size_bytes, member_end = member->gpa + member->size_bytes;
	const uint64_t from = member->gpa > range->gpa ? member->gpa : range->gpa, end = member_end < range_end ? member_end : range_end;
	const uint64_t place = bundle_place(indexing->bundle, member);
	int result = 0;
	for (uint64_t gpa = from; !result && gpa < end; gpa += GIM_PAGE_BYTES)
		result = gim_memory_set_page(indexing->memory, number, (gpa - range->gpa) / GIM_PAGE_BYTES, GIM_PAGE_DATA,
		                             place + (gpa - member->gpa), error);
	return result;
}

static int add_range(void *user, const struct gim_memory_range *range, struct gim_error *error)
{
	const struct indexing *indexing = (const struct indexing *)user;
	const struct bundle_manifest *manifest = &indexing->bundle->manifest;
	uint32_t number = 0;
	int result = gim_memory_add_range(indexing->memory, range, &number, error);
	for (size_t i = 0; !result && i < manifest->count; i++)
		if (manifest->members[i].role == BUNDLE_MEMORY)
			result = set_pages(indexing, number, range, &manifest->members[i], error);
	return result;
}

/* What the manifest says is only believed when the bytes are there: so all is loaded before any page is taken down. */
static int index_members(struct bundle *bundle, struct gim_memory *memory, uint64_t size, struct gim_error *error)
{
	const struct gim_memory_range ram = {.kind = GIM_MEMORY_RAM, .size_bytes = size, .name = "RAM"};
	struct indexing indexing = {bundle, memory};
	bool any = false;
	struct gim_input *copy = malloc(sizeof(*copy));
	if (!copy)
		return gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	*copy = (struct gim_input){.fd = -1};
	gim_memory_set_own(memory, copy);
	gim_memory_rest_is_zero(memory);
	int result = bundle_load_machine(bundle, error);
	if (!result)
		result = bundle_load_rest(bundle, error);
	if (!result)
		result = gim_input_open_fd(copy, bundle->unnamed, error);
	if (!result)
		result = bundle_machine_regions(&bundle->machine, add_range, &indexing, &any, error);
	return result || any ? result : add_range(&indexing, &ram, error);
}

static int bundle_memory_index(struct gim_state *state, struct gim_memory *memory, struct gim_error *error)
{
	struct bundle *bundle = bundle_of(state);
	uint64_t size;
	if (!bundle_member_of(&bundle->manifest, BUNDLE_MEMORY))
		return gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN,
		                "the bundle holds no memory of its guest: replay --resume --save-after or --save-at writes one that does");
	int result = find_size(state, &bundle->manifest, &size, error);
	return result ? result : index_members(bundle, memory, size, error);
}

static int bundle_memory_page(struct gim_page_reader *reader, uint64_t place, uint8_t *page, struct gim_error *error)
{
	const uint8_t *bytes;
	size_t got;
	reader->window.input = (struct gim_input *)gim_memory_own(reader->memory);
	int result = gim_window_peek(&reader->window, place, GIM_PAGE_BYTES, &bytes, &got, error);
	if (!result && got < GIM_PAGE_BYTES) /* an earlier failure left it short */
		result = gim_fail(error, GIM_E_CORRUPT, GIM_UNKNOWN, "the bundle is damaged before this page: verify says where");
	if (!result)
		memcpy(page, bytes, GIM_PAGE_BYTES);
	return result;
}

const struct gim_memory_format bundle_memory = {.index = bundle_memory_index, .page = bundle_memory_page, .free = free};
