/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vCPUs of a machine in a bundle, machine.json of gimstate-bundle(5), as fields guest.vcpu. What KVM alone understands of them is left to whoever goes on with it. */
#include "bundle/bundle.h"
#include "error.h"
#include "guest.h"
#include "memory.h"
#include "visit.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { MACHINE_VERSION = 1 };

/* A number of the document, and where it goes. */
struct row {
	const char *name;
	uint32_t msr; /* without a name: of the object msrs, which has those that the host knows */
	uint16_t offset;
	uint8_t width; /* of the member, in bytes */
	uint8_t bits;  /* of the number */
	uint8_t shift; /* of bits of a word: they are or-ed in there */
	bool part;
};
#define ROW(member) .offset = offsetof(struct guest_vcpu, member), .width = sizeof(GIM_MEMBER(guest_vcpu, member))
#define NAMED(text, member)                                                                                                                \
	{                                                                                                                                  \
		.name = text, ROW(member), .bits = 8 * sizeof(GIM_MEMBER(guest_vcpu, member))                                              \
	}
#define SAME(member) NAMED(#member, member)
#define PART(text, member, low, width_bits)                                                                                                \
	{                                                                                                                                  \
		.name = text, ROW(member), .bits = width_bits, .shift = low, .part = true                                                  \
	}
#define MSR(number, member)                                                                                                                \
	{                                                                                                                                  \
		.msr = number, ROW(msr.member), .bits = 64                                                                                 \
	}
/* The attributes are bits of the descriptor, and above them that the register holds none. */
#define SEGMENT(text, member)                                                                                                              \
	NAMED(text ".base", member.base), NAMED(text ".limit", member.limit), NAMED(text ".selector", member.selector),                    \
	    PART(text ".type", member.attributes, 0, 4), PART(text ".s", member.attributes, 4, 1),                                         \
	    PART(text ".dpl", member.attributes, 5, 2), PART(text ".present", member.attributes, 7, 1),                                    \
	    PART(text ".avl", member.attributes, 12, 1), PART(text ".l", member.attributes, 13, 1),                                        \
	    PART(text ".db", member.attributes, 14, 1), PART(text ".g", member.attributes, 15, 1),                                         \
	    PART(text ".unusable", member.attributes, 16, 1)

static const struct row rows[] = {
    SAME(rax),
    SAME(rbx),
    SAME(rcx),
    SAME(rdx),
    SAME(rsi),
    SAME(rdi),
    SAME(rsp),
    SAME(rbp),
    SAME(r8),
    SAME(r9),
    SAME(r10),
    SAME(r11),
    SAME(r12),
    SAME(r13),
    SAME(r14),
    SAME(r15),
    SAME(rip),
    SAME(rflags),
    SEGMENT("cs", cs),
    SEGMENT("ds", ds),
    SEGMENT("es", es),
    SEGMENT("fs", fs),
    SEGMENT("gs", gs),
    SEGMENT("ss", ss),
    SEGMENT("tr", tr),
    SEGMENT("ldt", ldtr),
    NAMED("gdt.base", gdtr.base),
    NAMED("gdt.limit", gdtr.limit),
    NAMED("idt.base", idtr.base),
    NAMED("idt.limit", idtr.limit),
    SAME(cr0),
    SAME(cr2),
    SAME(cr3),
    SAME(cr4),
    SAME(dr6),
    SAME(dr7),
    SAME(xcr0),
    NAMED("efer", msr.efer),
    MSR(0xc0000081, star),
    MSR(0x277, pat),
    MSR(0xc0000082, lstar),
    MSR(0xc0000083, cstar),
    MSR(0xc0000084, sfmask),
    MSR(0xc0000102, kernel_gs_base),
    MSR(0x174, sysenter_cs),
    MSR(0x175, sysenter_esp),
    MSR(0x176, sysenter_eip),
    MSR(0xc0000103, tsc_aux),
    MSR(0x1a0, misc_enable),
};

static int fail(struct gim_error *error, const char *path, const char *expected)
{
	int result = gim_fail_rule(error, &bundle_rules[BUNDLE_RULE_MEMBER], GIM_UNKNOWN, "in the machine: %s", expected);
	gim_error_path(error, path);
	return result;
}

static void store(const struct row *row, struct gim_object *vcpu, uint64_t number)
{
	uint8_t *at = vcpu->data + row->offset;
	/* Parts of a word come after each other, the first of them not in what was there before. */
	if (row->part)
		number = (row->shift ? gim_number_load(at, row->width) : 0) | number << row->shift;
	gim_number_store(at, row->width, number);
	vcpu->presence[row->offset] = GIM_STORED;
}

static int read_row(const struct row *row, const json_t *json, const json_t *msrs, const char *path, struct gim_object *vcpu,
                    struct gim_error *error)
{
	char key[16], where[64], expected[80];
	uint64_t number;
	(void)snprintf(key, sizeof(key), "0x%" PRIx32, row->msr);
	const json_t *value = row->name ? json_object_get(json, row->name) : json_object_get(msrs, key);
	if (!value && !row->name)
		return 0;
	if (bundle_number(json_string_value(value), &number) && (row->bits == 64 || !(number >> row->bits)))
		return store(row, vcpu, number), 0;
	(void)snprintf(where, sizeof(where), "%s.%s", path, row->name ? row->name : key);
	(void)snprintf(expected, sizeof(expected), "a number \"0x...\" of at most %u bits is expected", row->bits);
	return fail(error, where, expected);
}

static int read_vcpu(const json_t *json, const char *path, uint64_t tsc, struct gim_object *vcpu, struct gim_error *error)
{
	const json_t *msrs = json_object_get(json, "msrs");
	int result = json_is_object(msrs) ? 0 : fail(error, path, "an object with an object msrs is expected");
	for (size_t i = 0; !result && i < sizeof(rows) / sizeof(rows[0]); i++)
		result = read_row(&rows[i], json, msrs, path, vcpu, error);
	const json_t *dr = json_object_get(json, "dr");
	static const size_t addresses[] = {offsetof(struct guest_vcpu, dr0), offsetof(struct guest_vcpu, dr1),
	                                   offsetof(struct guest_vcpu, dr2), offsetof(struct guest_vcpu, dr3)};
	for (size_t i = 0; !result && i < 4; i++) {
		const json_t *one = json_array_get(dr, i);
		uint64_t address = 0; /* zeros at the end of an array are left out */
		if (!json_is_array(dr) || (one && !bundle_number(json_string_value(one), &address)))
			return fail(error, path, "an array dr of numbers \"0x...\" is expected");
		gim_number_store(vcpu->data + addresses[i], 8, address);
		vcpu->presence[addresses[i]] = GIM_STORED;
	}
	if (!result)
		GIM_STORE(vcpu, guest_vcpu, tsc, tsc);
	return result;
}

static int read_vcpus(const json_t *json, uint32_t expected, struct gim_arena *arena, struct gim_list *vcpus, struct gim_error *error)
{
	const json_t *array = json_object_get(json, "vcpus");
	const size_t count = json_array_size(array);
	uint64_t tsc;
	if (json_integer_value(json_object_get(json, "gimstate_machine")) != MACHINE_VERSION)
		return fail(error, "gimstate_machine", "it is of another version than 1, which this release reads");
	if (!bundle_number(json_string_value(json_object_get(json, "tsc")), &tsc))
		return fail(error, "tsc", "a number \"0x...\" is expected");
	if (!count || count > GIM_VCPUS_MAX)
		return fail(error, "vcpus", "an array of 1 to 1024 vCPUs is expected");
	if (expected && count != expected)
		return fail(error, "vcpus", "there are not as many as the state has");
	int result = gim_list_grow(arena, vcpus, &guest_vcpu_record, (uint32_t)count, error);
	for (size_t i = 0; !result && i < count; i++) {
		struct gim_object vcpu = {.record = &guest_vcpu_record,
		                          .data = (uint8_t *)((struct guest_vcpu *)vcpus->items + i),
		                          .presence = vcpus->presence + i * sizeof(struct guest_vcpu)};
		char path[32];
		(void)snprintf(path, sizeof(path), "vcpus[%zu]", i);
		result = read_vcpu(json_array_get(array, i), path, tsc, &vcpu, error);
	}
	return result;
}

static int parse(const struct gim_buffer *text, json_t **json, struct gim_error *error)
{
	struct gim_error own = GIM_ERROR_INIT;
	int result = gim_json_parse((const char *)text->bytes, text->size, json, &own);
	if (!result || own.code == GIM_E_MEMORY)
		return result ? gim_fail_as(error, &own) : 0;
	return fail(error, own.path, own.text);
}

int bundle_machine_vcpus(const struct gim_buffer *text, uint32_t expected, struct gim_arena *arena, struct gim_list *vcpus,
                         struct gim_error *error)
{
	json_t *json = NULL;
	int result = parse(text, &json, error);
	if (!result)
		result = read_vcpus(json, expected, arena, vcpus, error);
	json_decref(json);
	return result;
}

static int read_region(const json_t *json, size_t index, uint64_t *end, struct gim_memory_range *range, struct gim_error *error)
{
	char path[32];
	const json_t *rom = json_object_get(json, "rom");
	(void)snprintf(path, sizeof(path), "regions[%zu]", index);
	*range = (struct gim_memory_range){.kind = json_is_true(rom) ? GIM_MEMORY_ROM : GIM_MEMORY_RAM};
	if (!json_is_boolean(rom) || !bundle_number(json_string_value(json_object_get(json, "gpa")), &range->gpa) ||
	    !bundle_number(json_string_value(json_object_get(json, "size")), &range->size_bytes))
		return fail(error, path, "an object of gpa and size, numbers \"0x...\", and rom, true or false, is expected");
	if (range->gpa % GIM_PAGE_BYTES || range->size_bytes % GIM_PAGE_BYTES || range->gpa < *end || range->gpa > GIM_MEMORY_LIMIT ||
	    range->size_bytes > GIM_MEMORY_LIMIT - range->gpa)
		return fail(error, path, "whole pages that some machine has are expected, by rising address");
	*end = range->gpa + range->size_bytes;
	(void)snprintf(range->name, sizeof(range->name), "%s", json_is_true(rom) ? "ROM" : "RAM");
	return 0;
}

int bundle_machine_regions(const struct gim_buffer *text, bundle_region_fn *region, void *user, bool *any, struct gim_error *error)
{
	json_t *json = NULL;
	uint64_t end = 0;
	*any = false;
	int result = text->size ? parse(text, &json, error) : 0;
	const json_t *regions = json_object_get(json, "regions");
	if (regions && !json_is_null(regions)) {
		*any = true;
		if (!json_is_array(regions) || json_array_size(regions) > GIM_MEMORY_RANGES_MAX)
			result = fail(error, "regions", "an array of at most 1024 regions, or null, is expected");
		for (size_t i = 0; !result && i < json_array_size(regions); i++) {
			struct gim_memory_range range;
			result = read_region(json_array_get(regions, i), i, &end, &range, error);
			if (!result)
				result = region(user, &range, error);
		}
	}
	json_decref(json);
	return result;
}

int bundle_machine_show(struct gim_state *state, struct gim_error *error)
{
	struct bundle *bundle = bundle_of(state);
	const struct gim_object *object = gim_state_find(state, &guest_record);
	if (!bundle_member_of(&bundle->manifest, BUNDLE_MACHINE) || !object)
		return 0;
	struct gim_list *vcpus = &((struct guest *)(void *)object->data)->vcpu;
	int result = bundle_load_machine(bundle, error);
	if (!result)
		result = bundle_machine_vcpus(&bundle->machine, bundle->manifest.vcpus, &state->arena, vcpus, error);
	return result;
}
