/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests the frames of VirtualBox's units on payloads made from the tables themselves, handed over by a container of our own. */
#include "guest.h"
#include "vbox/units.h"

#include "error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define VCPUS 2
#define CONTEXT_BYTES 532

/* A container that holds one unit. */
static struct gim_unit the_unit;
static struct gim_buffer the_payload;

static int find_unit(struct gim_state *state, const char *name, uint32_t instance, uint32_t pass, struct gim_unit *unit,
                     struct gim_error *error)
{
	(void)state;
	if (strcmp(name, the_unit.name) != 0 || instance != the_unit.instance || pass != the_unit.pass)
		return gim_fail(error, GIM_E_NO_UNIT, GIM_UNKNOWN, "no such unit");
	*unit = the_unit;
	return 0;
}

static int read_unit(struct gim_state *state, const struct gim_unit *unit, gim_sink_fn *sink, void *user, struct gim_error *error)
{
	(void)state, (void)unit, (void)error;
	const size_t half = the_payload.size / 2;
	int result = sink(user, the_payload.bytes, half);
	return result ? result : sink(user, the_payload.bytes + half, the_payload.size - half);
}

static const struct gim_format one_unit = {.name = "vbox", .title = "one unit", .unit_find = find_unit, .unit_read = read_unit};

struct heard {
	unsigned count;
	char rules[256], last[256];
};

static void hear(void *user, const struct gim_finding *finding)
{
	struct heard *heard = user;
	heard->count++;
	(void)snprintf(heard->last, sizeof(heard->last), "%s %s", finding->rule->id, finding->text);
	size_t used = strlen(heard->rules);
	(void)snprintf(heard->rules + used, sizeof(heard->rules) - used, "%s ", finding->rule->id);
}

static void begin(struct gim_state *state, uint32_t vcpus)
{
	*state = (struct gim_state){.format = &one_unit, .codec = {.address_bytes = 8, .vcpus = vcpus}};
	state->input.seekable = true;
}

static void end(struct gim_state *state)
{
	gim_arena_free(&state->arena);
	gim_buffer_free(&the_payload);
	the_payload = (struct gim_buffer){0};
}

/* Lists of two items, texts of the length that rows ask for, and every conditional part switched on. */
static void fill(struct gim_arena *arena, struct gim_object *guest_object, struct gim_object *vbox_object)
{
	assert_int_equal(gim_object_new(arena, &guest_record, guest_object, NULL), 0);
	assert_int_equal(gim_object_new(arena, &vbox_record, vbox_object, NULL), 0);
	struct guest *guest = (struct guest *)(void *)guest_object->data;
	struct vbox *vbox = (struct vbox *)(void *)vbox_object->data;
	static char context[CONTEXT_BYTES];
	guest->vcpus = vbox->apic.vcpus = VCPUS;
	vbox->cpum.msr_bytes = 400;
	assert_int_equal(gim_list_grow(arena, &guest->vcpu, &guest_vcpu_record, VCPUS, NULL), 0);
	assert_int_equal(gim_list_grow(arena, &guest->cpuid, &guest_cpuid_record, 2, NULL), 0);
	assert_int_equal(gim_list_grow(arena, &vbox->cpum.host_standard, &vbox_words_record, 16, NULL), 0);
	assert_int_equal(gim_list_grow(arena, &vbox->cpum.host_extended, &vbox_words_record, 32, NULL), 0);
	assert_int_equal(gim_list_grow(arena, &vbox->property, &vbox_property_record, 1, NULL), 0);
	assert_int_equal(gim_list_grow(arena, &vbox->folder, &vbox_folder_record, 1, NULL), 0);
	assert_int_equal(gim_list_grow(arena, &vbox->pgm.rom, &vbox_rom_record, 2, NULL), 0);
	assert_int_equal(gim_list_grow(arena, &vbox->pgm.mmio2, &vbox_mmio2_record, 2, NULL), 0);
	assert_int_equal(gim_list_grow(arena, &vbox->pdm.device, &vbox_device_record, 2, NULL), 0);
	assert_int_equal(gim_list_grow(arena, &vbox->display.monitor, &vbox_monitor_record, 2, NULL), 0);
	assert_int_equal(gim_list_grow(arena, &vbox->display.screenshot, &vbox_screenshot_record, 2, NULL), 0);
	struct guest_vcpu *vcpus = guest->vcpu.items;
	for (uint32_t i = 0; i < VCPUS; i++) {
		vcpus[i].private.trpm = (struct gim_text){context, 36};
		vcpus[i].private.context = (struct gim_text){context, CONTEXT_BYTES};
		vcpus[i].xsave_mask = i ? 0xdf : 0;
		vcpus[i].apic.base = i ? 0xfee00c00 : 0xfee00900;
		vcpus[i].apic.timer_state = i ? 7 : 4;
		vcpus[i].rip = 0x1000 + i;
	}
	struct vbox_property *property = vbox->property.items;
	property->name = (struct gim_text){"Host OS", 7};
	property->value = (struct gim_text){"linux.amd64", 11};
	struct vbox_screenshot *shots = vbox->display.screenshot.items;
	shots[0].size = 12;
	shots[0].image = (struct gim_text){"\x89PNG", 4};
	shots[1].size = 8;
}

static void make_payload(const struct gim_frame *frame, uint32_t version)
{
	struct gim_arena arena = {0};
	struct gim_object roots[2];
	fill(&arena, &roots[0], &roots[1]);
	const struct gim_codec codec = {.version = version, .address_bytes = 8, .vcpus = VCPUS};
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_encode(frame->rows, &codec, roots, 2, &the_payload, &error))
		fail_msg("%s %u: %s", frame->name, version, error.text);
	gim_arena_free(&arena);
	the_unit = (struct gim_unit){
	    .instance = frame->instance, .version = version, .pass = frame->flags == VBOX_FRAME_LIVE ? 0 : GIM_PASS_FINAL};
	(void)snprintf(the_unit.name, sizeof(the_unit.name), "%s", frame->name);
}

static const struct gim_frame *frame_of(const char *name, uint32_t flags)
{
	for (uint32_t f = 0; f < vbox_layout_units.frame_count; f++)
		if (!strcmp(vbox_layout_units.frames[f].name, name) && vbox_layout_units.frames[f].flags == flags)
			return &vbox_layout_units.frames[f];
	fail_msg("no frame %s", name);
	return NULL;
}

/* Every frame in every version: what the tables write they read, to the last byte, and to the same bytes again. */
static void round_trips(void **unused)
{
	(void)unused;
	for (uint32_t f = 0; f < vbox_layout_units.frame_count; f++) {
		const struct gim_frame *frame = &vbox_layout_units.frames[f];
		const bool partial = f && frame->flags != VBOX_FRAME_LIVE && !strcmp(frame[-1].name, frame->name) &&
		                     frame[-1].first <= frame->last && frame[-1].last >= frame->first;
		if (partial || frame->flags == VBOX_FRAME_TAIL)
			continue;
		for (uint32_t version = frame->first; version <= frame->last; version++) {
			make_payload(frame, version);
			assert_true(vbox_unit_decodable(&the_unit));
			struct gim_state state;
			begin(&state, VCPUS);
			struct heard heard = {0};
			struct gim_error error = GIM_ERROR_INIT;
			if (vbox_decode_unit(&state, &the_unit, hear, &heard, &error) || heard.count)
				fail_msg("%s %u: %s %s %s", frame->name, version, error.path, error.text, heard.last);
			const struct gim_object roots[] = {*gim_state_find(&state, &guest_record), *gim_state_find(&state, &vbox_record)};
			const struct gim_codec codec = {.version = version, .address_bytes = 8, .vcpus = VCPUS};
			struct gim_buffer again = {0};
			assert_int_equal(gim_encode(frame->rows, &codec, roots, 2, &again, &error), 0);
			assert_int_equal(again.size, the_payload.size);
			assert_memory_equal(again.bytes, the_payload.bytes, again.size);
			gim_buffer_free(&again);
			end(&state);
		}
	}
}

/* Sizes that real files and the descriptions of old releases have; the second vCPU of fill() has an armed timer. */
static void sizes(void **unused)
{
	static const struct {
		const char *unit;
		uint32_t version;
		size_t bytes;
	} rows[] = {
	    {"trpm", 9, VCPUS * (24 + 36)},
	    {"trpm", 10, VCPUS * 22},
	    {"trpm", 11, VCPUS * 22},
	    {"em", 2, VCPUS},
	    {"em", 3, VCPUS * 5},
	    {"em", 5, VCPUS * 49},
	    {"apic", 1, VCPUS * 177 + 8},
	    {"apic", 2, VCPUS * 187 + 8},
	    {"apic", 3, 9 + VCPUS * 187 + 8},
	    {"apic", 4, 9 + 193 + 191 + 8},
	    {"apic", 5, 9 + 195 + 193 + 8},
	};
	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct gim_frame *frame = NULL;
		for (uint32_t f = 0; f < vbox_layout_units.frame_count && !frame; f++)
			if (!strcmp(vbox_layout_units.frames[f].name, rows[i].unit) &&
			    vbox_layout_units.frames[f].first <= rows[i].version && vbox_layout_units.frames[f].last >= rows[i].version)
				frame = &vbox_layout_units.frames[f];
		assert_non_null(frame);
		make_payload(frame, rows[i].version);
		if (the_payload.size != rows[i].bytes)
			fail_msg("%s %u: %zu bytes, %zu expected", rows[i].unit, rows[i].version, the_payload.size, rows[i].bytes);
		gim_buffer_free(&the_payload);
		the_payload = (struct gim_buffer){0};
	}
}

/* Every truncation of a payload fails or says what is left undecoded; it never reads as whole. pgm ends in pages, so it may. */
static void truncations(void **unused)
{
	(void)unused;
	for (uint32_t f = 0; f < vbox_layout_units.frame_count; f++) {
		const struct gim_frame *frame = &vbox_layout_units.frames[f];
		if (frame->flags != VBOX_FRAME_FINAL || !strcmp(frame->name, "pgm"))
			continue;
		make_payload(frame, frame->last);
		const size_t whole = the_payload.size;
		const size_t step = whole > 500 ? 61 : 1;
		for (size_t size = 0; size < whole; size += step) {
			struct gim_state state;
			begin(&state, VCPUS);
			struct heard heard = {0};
			struct gim_error error = GIM_ERROR_INIT;
			the_payload.size = size;
			int result = vbox_decode_unit(&state, &the_unit, hear, &heard, &error);
			if (!result && !heard.count)
				fail_msg("%s: %zu of %zu bytes read as whole", frame->name, size, whole);
			gim_arena_free(&state.arena);
		}
		struct gim_state state = {0};
		end(&state);
	}
}

/* With a block of nested state of unknown length only the first vCPU's beginning and the CPUID leaves are certain. */
static void nested_virtualisation(void **unused)
{
	(void)unused;
	make_payload(frame_of("cpum", VBOX_FRAME_FINAL), 24);
	const size_t nested_at = 2 + 8 + CONTEXT_BYTES + 532 + 428 + 32; /* without extended state */
	struct gim_buffer longer = {0};
	gim_buffer_bytes(&longer, the_payload.bytes, nested_at);
	for (int i = 0; i < 1000; i++)
		gim_buffer_number(&longer, 0xa5, 1);
	gim_buffer_bytes(&longer, the_payload.bytes + nested_at, the_payload.size - nested_at);
	gim_buffer_free(&the_payload);
	the_payload = longer;
	the_payload.bytes[0] = 1;
	struct gim_state state;
	begin(&state, 0);
	struct heard heard = {0};
	struct gim_error error = GIM_ERROR_INIT;
	assert_int_equal(vbox_decode_unit(&state, &the_unit, hear, &heard, &error), 0);
	assert_string_equal(heard.rules, "UNIT-UNDECODED ");
	const struct guest *guest = (const struct guest *)(const void *)gim_state_find(&state, &guest_record)->data;
	assert_int_equal(guest->vcpus, VCPUS);
	assert_int_equal(state.codec.vcpus, VCPUS);
	assert_int_equal(guest->cpuid.count, 2);
	assert_int_equal(guest->vcpu.count, 1);
	assert_true(((const struct guest_vcpu *)guest->vcpu.items)->rip == 0x1000);
	end(&state);
}

/* A unit whose count is not the one that another gave first. */
static void disagreement(void **unused)
{
	(void)unused;
	make_payload(frame_of("tm", VBOX_FRAME_FINAL), 3);
	struct gim_state state;
	begin(&state, 1);
	struct heard heard = {0};
	assert_int_equal(vbox_decode_unit(&state, &the_unit, hear, &heard, NULL), 0);
	assert_string_equal(heard.rules, "GIM-VCPUS ");
	gim_arena_free(&state.arena);
	begin(&state, 3);
	struct gim_error error = GIM_ERROR_INIT;
	assert_int_equal(vbox_decode_unit(&state, &the_unit, NULL, NULL, &error), GIM_E_TRUNCATED);
	assert_string_equal(error.unit, "tm/1");
	end(&state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(round_trips),           cmocka_unit_test(sizes),        cmocka_unit_test(truncations),
	    cmocka_unit_test(nested_virtualisation), cmocka_unit_test(disagreement),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
