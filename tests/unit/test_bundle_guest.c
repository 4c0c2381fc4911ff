/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guest in a bundle: its memory is read by address, its vCPUs as fields, and what is wrong with either is a sentence. */
#include "gimstate.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SAMPLE "samples/hyperv-4.sav"
#define PAGE 4096u
enum { BUNDLE_MAX = 1 << 20 };
#define RAM_BYTES UINT64_C(0x8000000)

struct bundle {
	uint8_t bytes[BUNDLE_MAX];
	size_t size;
	struct gim_state *state;
	struct gim_memory *memory;
};

static uint8_t first[3 * PAGE], second[2 * PAGE];

static int collect(void *user, const void *bytes, size_t size)
{
	struct bundle *bundle = user;
	assert_true(size <= BUNDLE_MAX - bundle->size);
	memcpy(bundle->bytes + bundle->size, bytes, size);
	bundle->size += size;
	return 0;
}

/*
 * The machine.
 */
/* All that a vCPU must have, each register with a number of its own. */
static json_t *vcpu_json(unsigned base)
{
	static const char *const words[] = {"rax",  "rbx",  "rcx",      "rdx",       "rsi",      "rdi",      "rsp", "rbp",
	                                    "r8",   "r9",   "r10",      "r11",       "r12",      "r13",      "r14", "r15",
	                                    "rip",  "cr0",  "cr2",      "cr3",       "rflags",   "cr4",      "dr6", "dr7",
	                                    "xcr0", "efer", "gdt.base", "gdt.limit", "idt.base", "idt.limit"};
	static const char *const segments[] = {"cs", "ds", "es", "fs", "gs", "ss", "tr", "ldt"};
	static const struct {
		const char *name, *value;
	} parts[] = {{"base", "0x1000"}, {"limit", "0xffff"}, {"selector", "0x18"}, {"type", "0xb"}, {"s", "0x1"}, {"dpl", "0x3"},
	             {"present", "0x1"}, {"avl", "0x0"},      {"l", "0x1"},         {"db", "0x0"},   {"g", "0x1"}, {"unusable", "0x0"}};
	json_t *vcpu = json_object();
	char text[32];
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		(void)snprintf(text, sizeof(text), "0x%x", base + (unsigned)i);
		json_object_set_new(vcpu, words[i], json_string(text));
	}
	for (size_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++)
		for (size_t part = 0; part < sizeof(parts) / sizeof(parts[0]); part++) {
			(void)snprintf(text, sizeof(text), "%s.%s", segments[i], parts[part].name);
			json_object_set_new(vcpu, text, json_string(parts[part].value));
		}
	json_object_set_new(vcpu, "dr", json_pack("[s, s]", "0x11", "0x22"));
	json_object_set_new(vcpu, "msrs", json_pack("{s:s, s:s}", "0xc0000082", "0xffffffff81000000", "0x12345", "0x1"));
	return vcpu;
}

/* The sample has two vCPUs. */
static json_t *machine_json(void)
{
	return json_pack("{s:i, s:n, s:s, s:[o, o]}", "gimstate_machine", 1, "regions", "tsc", "0x123456789", "vcpus", vcpu_json(0x100),
	                 vcpu_json(0x200));
}

/*
 * Bundles of it.
 */
static int pack(struct bundle *bundle, const struct gim_pack_member *members, size_t count, const char *name)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = NULL;
	const struct gim_pack_options options = {.name = name, .members = members, .member_count = count};
	assert_int_equal(gim_state_open_settled(SAMPLE, &state, &error), 0);
	const int result = gim_state_pack(state, &options, collect, bundle, NULL, &error);
	gim_state_free(&state);
	return result;
}

static void open_bundle(struct bundle *bundle)
{
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_open_memory(bundle->bytes, bundle->size, &bundle->state, &error))
		fail_msg("the bundle cannot be opened: %s", error.text);
}

static void close_bundle(struct bundle *bundle)
{
	gim_memory_free(&bundle->memory);
	gim_state_free(&bundle->state);
	free(bundle);
}

static struct bundle *new_bundle(void)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	assert_non_null(bundle);
	return bundle;
}

/* With the machine where it usually is, or behind the memory. */
static struct bundle *make_bundle(const json_t *machine, bool behind)
{
	char *text = json_dumps(machine, 0);
	struct gim_pack_member members[3];
	members[behind ? 2 : 0] = (struct gim_pack_member){.name = "machine.json", .bytes = text, .size_bytes = strlen(text)};
	members[behind ? 0 : 1] =
	    (struct gim_pack_member){.name = "memory/1.bin", .memory = true, .gpa = 0x1000, .bytes = first, .size_bytes = sizeof(first)};
	members[behind ? 1 : 2] = (struct gim_pack_member){
	    .name = "memory/2.bin", .memory = true, .gpa = RAM_BYTES - sizeof(second), .bytes = second, .size_bytes = sizeof(second)};
	struct bundle *bundle = new_bundle();
	assert_int_equal(pack(bundle, members, 3, "a.tar"), 0);
	free(text);
	open_bundle(bundle);
	return bundle;
}

static int keep_number(void *user, const char *path, const struct gim_value *value)
{
	(void)path;
	*(uint64_t *)user = value->presence == GIM_ABSENT ? GIM_UNKNOWN : value->number;
	return 0;
}

static void expect_field(struct gim_state *state, const char *path, uint64_t expected)
{
	uint64_t number = GIM_UNKNOWN;
	assert_int_equal(gim_state_visit(state, path, keep_number, &number, NULL), 0);
	if (number != expected)
		fail_msg("%s is 0x%llx, not 0x%llx", path, (unsigned long long)number, (unsigned long long)expected);
}

static void expect_bytes(struct gim_memory *memory, uint64_t gpa, const uint8_t *expected, size_t size)
{
	static uint8_t bytes[4 * PAGE];
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_memory_read(memory, gpa, bytes, size, &error))
		fail_msg("0x%llx: %s", (unsigned long long)gpa, error.text);
	assert_memory_equal(bytes, expected, size);
}

static void reads(void **user)
{
	static const uint8_t zeros[PAGE];
	(void)user;
	for (int round = 0; round < 4; round++) {
		json_t *machine = machine_json();
		struct bundle *bundle = make_bundle(machine, round & 1);
		struct gim_error error = GIM_ERROR_INIT;
		uint64_t size;
		if (round & 2) /* before the memory, or after it */
			assert_int_equal(gim_state_decode(bundle->state, GIM_PART_GUEST, NULL, NULL, &error), 0);
		if (gim_memory_open(bundle->state, NULL, &bundle->memory, &error))
			fail_msg("%s", error.text);
		expect_bytes(bundle->memory, 0x1000, first, sizeof(first));
		expect_bytes(bundle->memory, RAM_BYTES - sizeof(second), second, sizeof(second));
		expect_bytes(bundle->memory, 0x4000, zeros, PAGE);
		assert_int_equal(gim_memory_at(bundle->memory, 0x4000, &size), GIM_MEMORY_ZERO);
		assert_int_equal(size, RAM_BYTES - sizeof(second) - 0x4000);
		assert_int_equal(gim_memory_ram_bytes(bundle->memory), RAM_BYTES);
		assert_int_equal(gim_memory_read(bundle->memory, RAM_BYTES, first, 1, NULL), GIM_E_ARGUMENT);
		assert_int_equal(gim_state_decode(bundle->state, GIM_PART_GUEST, NULL, NULL, &error), 0);
		expect_field(bundle->state, "guest.vcpu[0].rax", 0x100);
		expect_field(bundle->state, "guest.vcpu[1].rip", 0x210);
		expect_field(bundle->state, "guest.vcpu[1].ldtr.selector", 0x18);
		expect_field(bundle->state, "guest.vcpu[1].cs.attributes", 0xa0fb);
		expect_field(bundle->state, "guest.vcpu[0].dr1", 0x22);
		expect_field(bundle->state, "guest.vcpu[0].dr3", 0);
		expect_field(bundle->state, "guest.vcpu[0].msr.lstar", 0xffffffff81000000);
		expect_field(bundle->state, "guest.vcpu[0].msr.star", GIM_UNKNOWN);
		expect_field(bundle->state, "guest.vcpu[1].tsc", 0x123456789);
		close_bundle(bundle);
		json_decref(machine);
	}
}

/* Where another hypervisor's guest has memory: nothing is between, and a ROM is one. */
static void regions(void **user)
{
	json_t *machine = machine_json();
	struct gim_error error = GIM_ERROR_INIT;
	(void)user;
	json_object_set_new(machine, "regions",
	                    json_pack("[{s:s, s:s, s:b}, {s:s, s:s, s:b}]", "gpa", "0x1000", "size", "0x1000", "rom", 0, "gpa", "0x3000",
	                              "size", "0x2000", "rom", 1));
	struct bundle *bundle = make_bundle(machine, false);
	if (gim_memory_open(bundle->state, NULL, &bundle->memory, &error))
		fail_msg("%s", error.text);
	assert_int_equal(gim_memory_at(bundle->memory, 0x1000, NULL), GIM_MEMORY_RAM);
	assert_int_equal(gim_memory_at(bundle->memory, 0x2000, NULL), GIM_MEMORY_HOLE);
	assert_int_equal(gim_memory_at(bundle->memory, 0x3000, NULL), GIM_MEMORY_ROM);
	assert_int_equal(gim_memory_end(bundle->memory), 0x5000);
	expect_bytes(bundle->memory, 0x1000, first, PAGE);
	expect_bytes(bundle->memory, 0x3000, first + 2 * PAGE, PAGE);
	assert_int_equal(gim_memory_read(bundle->memory, 0x1000, first, PAGE + 1, NULL), GIM_E_ARGUMENT);
	close_bundle(bundle);
	json_decref(machine);
}

/*
 * What is wrong with members.
 */
struct place {
	uint64_t gpa, size;
};
static const struct {
	const char *text;
	struct place places[2];
} misplaced[] = {
    {"is not of whole pages", {{0x1001, PAGE}}},
    {"is not of whole pages", {{0x1000, PAGE - 1}}},
    {"overlaps an earlier one", {{0x1000, 2 * PAGE}, {0x2000, PAGE}}},
    {"overlaps an earlier one", {{0x2000, PAGE}, {0x1000, 2 * PAGE}}},
    {"overlaps an earlier one", {{0x1000, PAGE}, {0x1000, PAGE}}},
    {"the RAM that the state says", {{RAM_BYTES, PAGE}}},
    {"the RAM that the state says", {{RAM_BYTES - PAGE, 2 * PAGE}}},
    {"where no machine has any", {{UINT64_MAX - PAGE + 1, PAGE}}},
    {"where no machine has any", {{UINT64_C(1) << 63, PAGE}}},
};

static void wrong_places(void **user)
{
	(void)user;
	for (size_t i = 0; i < sizeof(misplaced) / sizeof(misplaced[0]); i++) {
		struct gim_pack_member members[2];
		struct gim_error error = GIM_ERROR_INIT;
		struct bundle *bundle = new_bundle();
		size_t count = 0;
		for (; count < 2 && misplaced[i].places[count].size; count++)
			members[count] = (struct gim_pack_member){.name = count ? "memory/2.bin" : "memory/1.bin",
			                                          .memory = true,
			                                          .gpa = misplaced[i].places[count].gpa,
			                                          .bytes = first,
			                                          .size_bytes = misplaced[i].places[count].size};
		assert_int_equal(pack(bundle, members, count, "a.tar"), 0);
		open_bundle(bundle);
		const int result = gim_memory_open(bundle->state, NULL, &bundle->memory, &error);
		if (result != GIM_E_CORRUPT || !strstr(error.text, misplaced[i].text) || bundle->memory)
			fail_msg("%s: %d, %s", misplaced[i].text, result, error.text);
		/* How much RAM there is is another member's. */
		assert_int_equal(gim_verify_memory(bundle->bytes, bundle->size, NULL, NULL, NULL, &error),
		                 !strstr(misplaced[i].text, "the RAM that the state says"));
		close_bundle(bundle);
	}
}

static void without_memory(void **user)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct bundle *bundle = new_bundle();
	(void)user;
	assert_int_equal(pack(bundle, NULL, 0, "a.tar"), 0);
	open_bundle(bundle);
	assert_int_equal(gim_memory_open(bundle->state, NULL, &bundle->memory, &error), GIM_E_NO_UNIT);
	close_bundle(bundle);
}

/*
 * What is wrong with the machine.
 */
static void set(json_t *machine, const char *key, json_t *value)
{
	json_object_set_new(machine, key, value);
}
static void another_version(json_t *machine)
{
	set(machine, "gimstate_machine", json_integer(2));
}
static void no_tsc(json_t *machine)
{
	json_object_del(machine, "tsc");
}
static void one_vcpu(json_t *machine)
{
	json_array_remove(json_object_get(machine, "vcpus"), 1);
}
static void no_vcpus(json_t *machine)
{
	json_array_clear(json_object_get(machine, "vcpus"));
}
static json_t *last_vcpu(json_t *machine)
{
	return json_array_get(json_object_get(machine, "vcpus"), 1);
}
static void no_register(json_t *machine)
{
	json_object_del(last_vcpu(machine), "r11");
}
static void wide_limit(json_t *machine)
{
	set(last_vcpu(machine), "gdt.limit", json_string("0x10000"));
}
static void wide_part(json_t *machine)
{
	set(last_vcpu(machine), "cs.type", json_string("0x1000"));
}
static void part_beyond_its_bits(json_t *machine)
{
	set(last_vcpu(machine), "cs.type", json_string("0xff"));
}
static void number(json_t *machine)
{
	set(last_vcpu(machine), "rip", json_integer(1));
}
static void no_msrs(json_t *machine)
{
	set(last_vcpu(machine), "msrs", json_array());
}
static void wrong_msr(json_t *machine)
{
	set(json_object_get(last_vcpu(machine), "msrs"), "0xc0000082", json_string("lots"));
}
static void wrong_dr(json_t *machine)
{
	set(last_vcpu(machine), "dr", json_pack("[s]", "0xfffffffffffffffff"));
}
static void no_array(json_t *machine)
{
	set(machine, "vcpus", json_object());
}
static void no_object(json_t *machine)
{
	json_array_set_new(json_object_get(machine, "vcpus"), 1, json_string("none"));
}

static const struct {
	void (*change)(json_t *machine);
	const char *path;
} machines[] = {
    {another_version, "gimstate_machine"},
    {no_tsc, "tsc"},
    {one_vcpu, "vcpus"},
    {no_vcpus, "vcpus"},
    {no_array, "vcpus"},
    {no_object, "vcpus[1]"},
    {no_register, "vcpus[1].r11"},
    {wide_limit, "vcpus[1].gdt.limit"},
    {wide_part, "vcpus[1].cs.type"},
    {part_beyond_its_bits, "vcpus[1].cs.type"},
    {number, "vcpus[1].rip"},
    {no_msrs, "vcpus[1]"},
    {wrong_msr, "vcpus[1].0xc0000082"},
    {wrong_dr, "vcpus[1]"},
};

/* The guest interface can be read all the same, and so can memory. */
static void wrong_machines(void **user)
{
	(void)user;
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		struct gim_error error = GIM_ERROR_INIT;
		json_t *machine = machine_json();
		machines[i].change(machine);
		struct bundle *bundle = make_bundle(machine, false);
		assert_int_equal(gim_state_decode(bundle->state, GIM_PART_GIM, NULL, NULL, &error), 0);
		const int result = gim_state_decode(bundle->state, GIM_PART_GUEST, NULL, NULL, &error);
		if (result != GIM_E_CORRUPT || strcmp(error.path, machines[i].path) != 0)
			fail_msg("%s: %d, %s: %s", machines[i].path, result, error.path, error.text);
		if (gim_memory_open(bundle->state, NULL, &bundle->memory, &error))
			fail_msg("%s: %s", machines[i].path, error.text);
		expect_bytes(bundle->memory, 0x1000, first, sizeof(first));
		close_bundle(bundle);
		json_decref(machine);
	}
}

static const struct {
	const char *gpa, *size, *path;
} wrong_regions[] = {
    {"0x1001", "0x1000", "regions[1]"}, {"0x3000", "0x800", "regions[1]"},
    {"0x1000", "0x1000", "regions[1]"}, {"0x3000", "0xfffffffffffff000", "regions[1]"},
    {"0x3000", "4096", "regions[1]"},   {"0xfffffffffffff000", "0x1000", "regions[1]"},
};

static void wrong_region(void **user)
{
	(void)user;
	for (size_t i = 0; i < sizeof(wrong_regions) / sizeof(wrong_regions[0]); i++) {
		struct gim_error error = GIM_ERROR_INIT;
		json_t *machine = machine_json();
		json_object_set_new(machine, "regions",
		                    json_pack("[{s:s, s:s, s:b}, {s:s, s:s, s:b}]", "gpa", "0x0", "size", "0x2000", "rom", 0, "gpa",
		                              wrong_regions[i].gpa, "size", wrong_regions[i].size, "rom", 0));
		struct bundle *bundle = make_bundle(machine, false);
		const int result = gim_memory_open(bundle->state, NULL, &bundle->memory, &error);
		if (result != GIM_E_CORRUPT || strcmp(error.path, wrong_regions[i].path) != 0 || bundle->memory)
			fail_msg("%s: %d, %s: %s", wrong_regions[i].gpa, result, error.path, error.text);
		assert_int_equal(gim_verify_memory(bundle->bytes, bundle->size, NULL, NULL, NULL, &error), 1);
		close_bundle(bundle);
		json_decref(machine);
	}
}

/* No page of a bundle that ends early, or whose memory is not what the manifest says, is ever handed out. */
static void damaged(void **user)
{
	json_t *machine = machine_json();
	struct bundle *sound = make_bundle(machine, false);
	(void)user;
	const uint8_t *at = memmem(sound->bytes, sound->size, second, sizeof(second));
	assert_non_null(at);
	const size_t second_at = (size_t)(at - sound->bytes);
	for (int kind = 0; kind < 3; kind++) {
		struct gim_error error = GIM_ERROR_INIT;
		struct bundle *bundle = new_bundle();
		(void)collect(bundle, sound->bytes, kind ? sound->size : second_at + 100);
		if (kind == 1)
			bundle->bytes[second_at + 5] ^= 1;
		if (kind == 2) /* the archive says that the member is shorter than the manifest does */
			memcpy(bundle->bytes + second_at - 512 + 124, "00000010000", 11);
		open_bundle(bundle);
		const int result = gim_memory_open(bundle->state, NULL, &bundle->memory, &error);
		if (!result || !*error.text || bundle->memory)
			fail_msg("damage %d: %d, %s", kind, result, error.text);
		close_bundle(bundle);
	}
	close_bundle(sound);
	json_decref(machine);
}

static int fill(void **user)
{
	(void)user;
	for (size_t i = 0; i < sizeof(first); i++)
		first[i] = (uint8_t)(i * 7 + i / PAGE + 1);
	for (size_t i = 0; i < sizeof(second); i++)
		second[i] = (uint8_t)(i * 11 + i / PAGE + 2);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads),          cmocka_unit_test(regions),        cmocka_unit_test(wrong_places),
	    cmocka_unit_test(without_memory), cmocka_unit_test(wrong_machines), cmocka_unit_test(wrong_region),
	    cmocka_unit_test(damaged),
	};
	return cmocka_run_group_tests(tests, fill, NULL);
}
