/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Migration streams: every way to find sections, all encodings of RAM, and what a hostile stream may try. */
#include "../qemu_stream.h"
#include "qemu/decode.h"
#include "qemu/stream.h"
#include "state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct gim_state *open_bytes(const struct gim_buffer *bytes)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_open_memory(bytes->bytes, bytes->size, &state, &error))
		fail_msg("%s", error.text);
	return state;
}

static uint64_t number(const struct gim_state *state, const char *path)
{
	const struct gim_value value = gim_state_value(state, path);
	if (!value.field || !value.presence)
		fail_msg("%s is absent", path);
	return value.number;
}

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes(user, bytes, size);
	return 0;
}

static void check_values(struct gim_state *state)
{
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_decode(state, GIM_PART_GIM | GIM_PART_INFO, NULL, NULL, &error))
		fail_msg("%s", error.text);
	assert_int_equal(number(state, "guest.vcpus"), 2);
	assert_int_equal(number(state, "guest.ram_bytes"), MADE_RAM_PAGES * MADE_PAGE);
	assert_int_equal(number(state, "guest.tsc_hz"), 2600000000);
	assert_int_equal(number(state, "guest.vcpu[1].tsc"), 1001);
	assert_int_equal(number(state, "kvm.vcpu[0].system_time"), 0x200001);
	assert_int_equal(number(state, "kvm.vcpu[1].system_time"), 0x200041);
	assert_int_equal(number(state, "kvm.vcpu[0].steal_time"), 0x202001);
	assert_int_equal(number(state, "kvm.wall_clock"), 0x201000);
	assert_int_equal(number(state, "kvm.clock_ns"), 20000000000);
	assert_int_equal(number(state, "kvm.clock_reliable"), 1);
	/* Left out, each stands for what QEMU would not write. */
	assert_int_equal(number(state, "kvm.vcpu[1].steal_time"), 0);
	assert_int_equal(gim_state_value(state, "kvm.vcpu[1].steal_time").presence, GIM_IMPLIED);
	assert_int_equal(number(state, "kvm.vcpu[0].poll_control"), 0);
	assert_int_equal(number(state, "kvm.vcpu[1].poll_control"), 1);
	assert_int_equal(gim_state_value(state, "hyperv.reference_tsc").presence, GIM_ABSENT);
}

static void check_same_name(struct gim_state *state)
{
	static const char *const held[] = {"one", "the other"};
	static const uint32_t passes[] = {GIM_PASS_FINAL, 1};
	for (size_t i = 0; i < 2; i++) {
		struct gim_unit unit;
		struct gim_buffer payload = {.bytes = NULL};
		assert_int_equal(gim_unit_find(state, "slirp", 0, passes[i], &unit, NULL), 0);
		assert_int_equal(gim_unit_read(state, &unit, collect, &payload, NULL), 0);
		assert_int_equal(payload.size, strlen(held[i]));
		assert_memory_equal(payload.bytes, held[i], payload.size);
		gim_buffer_free(&payload);
	}
}

/* Described or not, with footers or without, from memory or a pipe, with bytes behind it: the same is found. */
static void every_way(void **unused)
{
	(void)unused;
	for (unsigned way = 0; way < 16; way++) {
		const bool described = way & 1, footers = way & 2, trailing = way & 4, piped = way & 8;
		struct made_stream made;
		struct gim_state *state = NULL;
		made_kvm_stream(&made, footers ? "pc-i440fx-7.2" : NULL, described);
		for (unsigned i = 0; trailing && i < 700; i++)
			gim_buffer_number(&made.out, i, 1);
		if (!described && !footers)
			goto next; /* then nothing tells where a device ends that no table knows */
		if (piped) {
			int ends[2];
			assert_int_equal(pipe(ends), 0);
			assert_true(made.out.size < 65536);
			assert_int_equal(write(ends[1], made.out.bytes, made.out.size), made.out.size);
			(void)close(ends[1]);
			assert_int_equal(gim_state_open_fd(ends[0], &state, NULL), 0);
			(void)close(ends[0]);
		} else {
			state = open_bytes(&made.out);
		}
		check_values(state);
		assert_int_equal(((const struct qemu_stream *)state->container)->fits, described);
		check_same_name(state);
		gim_state_free(&state);
	next:
		gim_buffer_free(&made.out);
	}
}

/*
 * RAM.
 */
struct pages {
	unsigned of[QEMU_PAGE_KINDS];
	uint64_t places[8];
	unsigned count;
};

static int take_page(void *user, const struct qemu_page *page)
{
	struct pages *pages = user;
	pages->of[page->kind]++;
	if (pages->count < 8)
		pages->places[pages->count++] = page->at;
	assert_true(page->offset < page->block->used_bytes);
	return 0;
}

static struct pages walk_pages(const struct gim_buffer *bytes)
{
	struct gim_state *state = open_bytes(bytes);
	struct qemu_stream *stream = state->container;
	struct gim_unit unit = {.offset = 0};
	struct pages pages = {.count = 0};
	struct gim_error error = GIM_ERROR_INIT;
	while (gim_unit_next(state, &unit, &error) > 0) {
		if (strcmp(unit.name, "ram") != 0)
			continue;
		const uint64_t head = unit.stored_bytes - unit.payload_bytes - (stream->footers ? 5 : 0);
		qemu_reader_seek(&stream->reader, unit.offset + head);
		if (qemu_ram_walk(&stream->ram, &stream->reader, take_page, &pages, &error))
			fail_msg("%s", error.text);
		assert_int_equal(stream->reader.position, unit.offset + head + unit.payload_bytes);
	}
	assert_int_equal(error.code, 0);
	gim_state_free(&state);
	return pages;
}

static void encodings(void **unused)
{
	struct made_stream made;
	(void)unused;
	made_kvm_stream(&made, "pc", true);
	const struct pages pages = walk_pages(&made.out);
	assert_int_equal(pages.of[QEMU_PAGE_RAW], 1);
	assert_int_equal(pages.of[QEMU_PAGE_ZERO], 1);
	assert_int_equal(pages.of[QEMU_PAGE_XBZRLE], 1);
	assert_int_equal(pages.of[QEMU_PAGE_ZLIB], 1);
	assert_int_equal(made.out.bytes[pages.places[0] + 1], 7);
	assert_int_equal(made.out.bytes[pages.places[2] + 1], 3); /* of changed bytes, behind 3 unchanged ones */
	gim_buffer_free(&made.out);
}

/* Pages of mapped RAM are at places that count from the beginning of the file; with zeros that nobody reads between. */
static void mapped_ram(void **unused)
{
	enum { BITMAP = 200, PAGES = 8192, PAGE = 4096, COUNT = 3 };
	struct made_stream made;
	(void)unused;
	made_begin(&made, "pc");
	gim_buffer_number(&made.out, 5, 1);
	made_name(&made.out, "configuration/capabilities");
	gim_buffer_number(&made.out, 1, 4);
	gim_buffer_number(&made.out, 1, 4);
	made_name(&made.out, "mapped-ram");
	made_head(&made, 1, 2, "ram", 0, 4);
	made_word(&made, COUNT * PAGE, 4);
	made_name(&made.out, "pc.ram");
	gim_buffer_number(&made.out, COUNT * PAGE, 8);
	gim_buffer_number(&made.out, 1, 4);
	gim_buffer_number(&made.out, PAGE, 8);
	gim_buffer_number(&made.out, BITMAP, 8);
	gim_buffer_number(&made.out, PAGES, 8);
	while (made.out.size < PAGES + COUNT * PAGE)
		gim_buffer_number(&made.out, made.out.size == BITMAP ? 5 : 0, 1);
	made_word(&made, 0, 0x10);
	made_footer(&made, 2);
	made_ram_piece(&made, 3);
	made_ram_piece_end(&made);
	made_kvmclock(&made, 1);
	made_end(&made, true);
	const struct pages pages = walk_pages(&made.out);
	assert_int_equal(pages.of[QEMU_PAGE_MAPPED], 2);
	assert_int_equal(pages.places[0], PAGES);
	assert_int_equal(pages.places[1], PAGES + 2 * PAGE);
	gim_buffer_free(&made.out);
}

/* A background snapshot ends RAM without an END, and postcopy packs what follows into a command. */
static void odd_ends(void **unused)
{
	struct made_stream made;
	(void)unused;
	made_begin(&made, "pc");
	made_ram_start(&made);
	made_ram_piece(&made, 2);
	made_ram_pages(&made);
	made_ram_piece_end(&made);
	gim_buffer_number(&made.out, 8, 1);
	gim_buffer_number(&made.out, 7, 2);
	gim_buffer_number(&made.out, 4, 2);
	gim_buffer_number(&made.out, 100, 4);
	made_kvmclock(&made, 77);
	made_end(&made, false);
	struct gim_state *state = open_bytes(&made.out);
	assert_int_equal(gim_state_decode(state, GIM_PART_GIM, NULL, NULL, NULL), 0);
	assert_int_equal(number(state, "kvm.clock_ns"), 77);
	gim_state_free(&state);
	gim_buffer_free(&made.out);
}

/*
 * Descriptions.
 */
struct leaves {
	char paths[512];
	uint64_t last;
};

static int take_leaf(void *user, const char *path, const struct qemu_field *field, uint64_t offset)
{
	struct leaves *leaves = user;
	const size_t used = strlen(leaves->paths);
	(void)field;
	(void)snprintf(leaves->paths + used, sizeof(leaves->paths) - used, "%s@%llu ", path, (unsigned long long)offset);
	leaves->last = offset;
	return 0;
}

static int parse(const char *text, struct gim_arena *arena, struct qemu_description *description, struct gim_error *error)
{
	return qemu_description_parse(arena, text, strlen(text), description, error);
}

/* A queue says its keys once an element: all of them are kept, in their order; and so are arrays, structures and subsections in them. */
static void repeated_keys(void **unused)
{
	static const char text[] =
	    "{\"devices\": [{\"name\": \"d\", \"instance_id\": 0, \"vmsd_name\": \"d\", \"version\": 1, \"fields\": ["
	    "{\"name\": \"queue\", \"type\": \"qtailq\", \"vmsd_name\": \"e\", \"version\": 1, \"fields\": [{\"name\": \"a\", \"type\": "
	    "\"uint8\", \"size\": 1}], "
	    "\"vmsd_name\": \"e\", \"version\": 1, \"fields\": [{\"name\": \"a\", \"type\": \"uint8\", \"size\": 1}, {\"name\": \"b\", "
	    "\"type\": \"uint32\", "
	    "\"size\": 4}], \"size\": 9}, "
	    "{\"name\": \"array\", \"array_len\": 2, \"type\": \"struct\", \"struct\": {\"vmsd_name\": \"s\", \"version\": 1, \"fields\": "
	    "[{\"name\": \"x\", "
	    "\"type\": \"uint16\", \"size\": 2}], \"subsections\": [{\"vmsd_name\": \"s/t\", \"version\": 1, \"fields\": [{\"name\": "
	    "\"y\", \"type\": \"bool\", "
	    "\"size\": 1}]}]}, \"size\": 12}]}]}";
	struct gim_arena arena = {.blocks = NULL};
	struct qemu_description description;
	struct leaves leaves = {.last = 0};
	uint64_t offset;
	(void)unused;
	assert_int_equal(parse(text, &arena, &description, NULL), 0);
	const struct qemu_vmsd *vmsd = &description.devices[0].vmsd;
	assert_int_equal(qemu_vmsd_bytes(vmsd), 9 + 24);
	assert_int_equal(qemu_visit_leaves(vmsd, false, 0, take_leaf, &leaves), 0);
	assert_string_equal(leaves.paths,
	                    "queue[0].a@1 queue[1].a@3 queue[1].b@4 array[0].x@9 array[0].s/t:y@20 array[1].x@21 array[1].s/t:y@32 ");
	assert_non_null(qemu_find_leaf(vmsd, "array[1].x", 0, &offset));
	assert_int_equal(offset, 21);
	assert_null(qemu_find_leaf(vmsd, "array[2].x", 0, &offset));
	assert_null(qemu_find_leaf(vmsd, "arra", 0, &offset));
	gim_arena_free(&arena);
}

/* Sizes that overflow are no sizes, and what is not well formed says where. */
static void hostile_descriptions(void **unused)
{
	static const char *const broken[] = {
	    "",
	    "{",
	    "[]",
	    "{\"devices\": [{}]}",
	    "{\"devices\": [{\"name\": 1}]}",
	    "{\"devices\": [{\"name\": \"a\", \"instance_id\": 4294967296}]}",
	    "{\"devices\": [{\"name\": \"a\", \"instance_id\": -1}]}",
	    "{\"devices\": [{\"name\": \"a\", \"fields\": [{\"name\": \"f\", \"size\": 18446744073709551617}]}]}",
	    "{\"devices\": [{\"name\": \"a\", \"fields\": [{\"name\": \"f\", \"size\": 2199023255552}]}]}",
	    "{\"devices\": [{\"name\": \"a\", \"subsections\": [{\"version\": 1}]}]}",
	    "{\"devices\": []} x",
	    "{\"devices\": [\"unterminated]}",
	    "{\"a\\q\": 1}",
	    "{\"a\": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
	};
	static const char huge[] =
	    "{\"devices\": [{\"name\": \"a\", \"fields\": [{\"name\": \"f\", \"array_len\": 4294967295, \"size\": 1099511627775}]}]}";
	struct gim_arena arena = {.blocks = NULL};
	struct qemu_description description = {.device_count = 7};
	(void)unused;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct gim_error error = GIM_ERROR_INIT;
		if (!parse(broken[i], &arena, &description, &error) || !error.code || error.offset > strlen(broken[i]))
			fail_msg("taken: %s", broken[i]);
		assert_int_equal(description.device_count, 7);
	}
	assert_int_equal(parse(huge, &arena, &description, NULL), 0);
	assert_int_equal(qemu_vmsd_bytes(&description.devices[0].vmsd), GIM_UNKNOWN);
	gim_arena_free(&arena);
}

/* A stream whose description says other sizes, or more than there is, is found all the same. */
static void wrong_descriptions(void **unused)
{
	static const char *const fields[] = {
	    "\"fields\": [{\"name\": \"f\", \"type\": \"buffer\", \"size\": 1099511627776}]",
	    "\"fields\": [{\"name\": \"f\", \"type\": \"buffer\", \"array_len\": 4294967295, \"size\": 1048576}]",
	    "\"fields\": [{\"name\": \"f\", \"type\": \"buffer\", \"size\": 2}]", "\"fields\": []"};
	(void)unused;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct made_stream made;
		struct gim_buffer payload = {.big = true};
		gim_buffer_bytes(&payload, "abcd", 4);
		made_begin(&made, "pc");
		made_ram(&made);
		made_section(&made, "odd", 0, 1, &payload, fields[i]);
		made_kvmclock(&made, 5);
		made_end(&made, true);
		struct gim_state *state = open_bytes(&made.out);
		struct gim_unit unit;
		(void)gim_state_decode(state, GIM_PART_GIM, NULL, NULL, NULL);
		assert_int_equal(number(state, "kvm.clock_ns"), 5);
		assert_int_equal(gim_unit_find(state, "odd", 0, GIM_PASS_FINAL, &unit, NULL), 0);
		assert_int_equal(unit.payload_bytes, 4);
		gim_state_free(&state);
		gim_buffer_free(&made.out);
		gim_buffer_free(&payload);
	}
}

/*
 * Damage.
 */
struct verdict {
	char first[32];
	uint64_t offset;
};

static void take_finding(void *user, const struct gim_finding *finding)
{
	struct verdict *verdict = user;
	if (finding->severity != GIM_ERROR || *verdict->first)
		return;
	(void)snprintf(verdict->first, sizeof(verdict->first), "%s", finding->rule->id);
	verdict->offset = finding->offset;
}

static struct verdict judge(const void *bytes, size_t size)
{
	struct verdict verdict = {.offset = 0};
	(void)gim_verify_memory(bytes, size, NULL, take_finding, &verdict, NULL);
	return verdict;
}

/* Cut anywhere before its end mark, a stream is no whole one, and where it ends is said. */
static void truncation(void **unused)
{
	struct made_stream made;
	(void)unused;
	made_kvm_stream(&made, "pc-i440fx-7.2", false);
	assert_string_equal(judge(made.out.bytes, made.out.size).first, "");
	for (size_t size = 8; size < made.out.size; size++) {
		const struct verdict verdict = judge(made.out.bytes, size);
		if (strcmp(verdict.first, "GIM-QEMU-END-OF-FILE") != 0 || verdict.offset > size)
			fail_msg("cut at 0x%zx: \"%s\" at 0x%llx", size, verdict.first, (unsigned long long)verdict.offset);
	}
	gim_buffer_free(&made.out);
}

/* One wrong byte, and what is found first. */
static void damage(void **unused)
{
	struct made_stream made;
	(void)unused;
	made_kvm_stream(&made, "pc", true);
	const size_t first = 4 + 4 + 1 + 4 + 2, ram = 17;
	const struct {
		size_t at;
		uint8_t value;
		const char *rule;
	} cases[] = {
	    {3, 'X', "GIM-QEMU-MAGIC"},
	    {7, 4, "GIM-QEMU-VERSION"},
	    {first, 9, "GIM-QEMU-ELEMENT"},
	    {first + ram + 7, 6, "GIM-QEMU-RAM-FLAGS"},
	    {first + ram + 6, 0x50, "GIM-QEMU-RAM-BLOCK"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint8_t before = made.out.bytes[cases[i].at];
		made.out.bytes[cases[i].at] = cases[i].value;
		const struct verdict verdict = judge(made.out.bytes, made.out.size);
		if (strcmp(verdict.first, cases[i].rule) != 0)
			fail_msg("%s at 0x%llx, expected is %s", verdict.first, (unsigned long long)verdict.offset, cases[i].rule);
		made.out.bytes[cases[i].at] = before;
	}
	gim_buffer_free(&made.out);
}

/* Parts of the configuration, and a machine's name, that are none. */
static void configuration(void **unused)
{
	static const struct {
		const char *name;
		uint64_t value;
		unsigned width_bytes;
		const char *rule;
	} parts[] = {
	    {"configuration/target-page-bits", 12, 4, ""},
	    {"configuration/target-page-bits", 8, 4, "GIM-QEMU-CONFIGURATION"},
	    {"configuration/target-page-bits", 25, 4, "GIM-QEMU-CONFIGURATION"},
	    {"configuration/uuid", 0x4142434445464748, 16, ""},
	    {"configuration/colour", 1, 4, "GIM-QEMU-CONFIGURATION"},
	};
	(void)unused;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct made_stream made;
		made_begin(&made, "pc");
		gim_buffer_number(&made.out, 5, 1);
		made_name(&made.out, parts[i].name);
		gim_buffer_number(&made.out, 1, 4);
		for (unsigned n = parts[i].width_bytes; n > 8; n -= 8)
			gim_buffer_number(&made.out, parts[i].value, 8);
		gim_buffer_number(&made.out, parts[i].value, parts[i].width_bytes < 8 ? parts[i].width_bytes : 8);
		made_kvmclock(&made, 1);
		made_end(&made, true);
		const struct verdict verdict = judge(made.out.bytes, made.out.size);
		if (strcmp(verdict.first, parts[i].rule) != 0)
			fail_msg("%s %llu: \"%s\", expected is \"%s\"", parts[i].name, (unsigned long long)parts[i].value, verdict.first,
			         parts[i].rule);
		if (parts[i].width_bytes == 16) {
			struct gim_state *state = open_bytes(&made.out);
			assert_int_equal(gim_state_decode(state, GIM_PART_INFO, NULL, NULL, NULL), 0);
			const struct gim_value uuid = gim_state_value(state, "qemu.uuid");
			assert_int_equal(uuid.presence, GIM_STORED);
			assert_int_equal(uuid.length_bytes, 16);
			assert_memory_equal(uuid.bytes, "ABCDEFGHABCDEFGH", 16);
			gim_state_free(&state);
		}
		gim_buffer_free(&made.out);
	}
	struct made_stream made;
	char machine[300];
	memset(machine, 'm', sizeof(machine));
	machine[sizeof(machine) - 1] = '\0';
	made_begin(&made, machine);
	made_end(&made, false);
	const struct verdict verdict = judge(made.out.bytes, made.out.size);
	assert_string_equal(verdict.first, "GIM-QEMU-CONFIGURATION");
	assert_int_equal(verdict.offset, 9);
	gim_buffer_free(&made.out);
}

/* A guest's page in no block, beyond its block, or of an impossible size; a first page that goes on with none. */
static void wrong_pages(void **unused)
{
	static const struct {
		uint64_t word;
		const char *name;
		const char *rule;
	} cases[] = {{0x08, "no.such", "GIM-QEMU-RAM-BLOCK"},      {0x28, NULL, "GIM-QEMU-RAM-BLOCK"},
	             {0x100000008, "pc.ram", "GIM-QEMU-RAM-PAGE"}, {0x100, "pc.ram", "GIM-QEMU-RAM-DATA"},
	             {0x80, "pc.ram", "GIM-QEMU-RAM-FLAGS"},       {0x0c, "pc.ram", "GIM-QEMU-RAM-FLAGS"}};
	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct made_stream made;
		made_begin(&made, "pc");
		made_ram_start(&made);
		made_ram_piece(&made, 2);
		gim_buffer_number(&made.out, cases[i].word, 8);
		if (cases[i].name)
			made_name(&made.out, cases[i].name);
		for (unsigned n = 0; n < MADE_PAGE; n++)
			gim_buffer_number(&made.out, 0xff, 1);
		made_ram_piece_end(&made);
		made_end(&made, false);
		assert_string_equal(judge(made.out.bytes, made.out.size).first, cases[i].rule);
		gim_buffer_free(&made.out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_way),          cmocka_unit_test(encodings),     cmocka_unit_test(mapped_ram),
	    cmocka_unit_test(odd_ends),           cmocka_unit_test(repeated_keys), cmocka_unit_test(hostile_descriptions),
	    cmocka_unit_test(wrong_descriptions), cmocka_unit_test(truncation),    cmocka_unit_test(damage),
	    cmocka_unit_test(configuration),      cmocka_unit_test(wrong_pages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
