/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changing migration streams: what is set is what is read again, in whatever shape the stream's description puts it. */
#include "../qemu_stream.h"
#include "qemu/stream.h"
#include "state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int collect(void *user, const void *bytes, size_t size)
{
	gim_buffer_bytes(user, bytes, size);
	return 0;
}

static struct gim_state *open_bytes(const struct gim_buffer *bytes)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_state_open_memory(bytes->bytes, bytes->size, &state, &error) || gim_state_decode(state, GIM_PART_GIM, NULL, NULL, &error))
		fail_msg("%s", error.text);
	return state;
}

/* What the stream is with this value in that field; an error's code, and nothing written. */
static int set(const struct gim_buffer *bytes, const char *path, const char *value, struct gim_buffer *out)
{
	struct gim_state *state = open_bytes(bytes);
	*out = (struct gim_buffer){.bytes = NULL};
	int result = gim_state_set(state, path, value, NULL);
	if (!result)
		result = gim_state_write(state, NULL, collect, out, NULL);
	gim_state_free(&state);
	return result;
}

static uint64_t value_of(const struct gim_buffer *bytes, const char *path)
{
	struct gim_state *state = open_bytes(bytes);
	const struct gim_value value = gim_state_value(state, path);
	gim_state_free(&state);
	return value.number;
}

/* A subsection of ours with more in it than we know of, which the description says in some way. */
static void made_odd_subsection(struct made_stream *made, size_t more, const char *described)
{
	struct gim_buffer payload = {.big = true};
	char description[512];
	made_begin(made, "pc");
	made_ram(made);
	for (size_t i = 0; i < MADE_CPU_BYTES; i++)
		gim_buffer_number(&payload, 0, 1);
	gim_buffer_number(&payload, 5, 1);
	made_name(&payload, "cpu/msr_hyperv_time");
	gim_buffer_number(&payload, 1, 4);
	gim_buffer_number(&payload, 0x7001, 8);
	for (size_t i = 0; i < more; i++)
		gim_buffer_number(&payload, 0, 1);
	(void)snprintf(
	    description, sizeof(description),
	    "\"fields\": [{\"name\": \"head\", \"type\": \"buffer\", \"size\": %d}], \"subsections\": [{\"vmsd_name\": "
	    "\"cpu/msr_hyperv_time\", \"version\": 1, \"fields\": [{\"name\": \"env.msr_hv_tsc\", \"type\": \"uint64\", \"size\": 8}, "
	    "{\"name\": \"more\", %s}]}]",
	    MADE_CPU_BYTES, described);
	made_section(made, "cpu", 0, 12, &payload, description);
	gim_buffer_free(&payload);
	made_end(made, true);
}

/* A subsection that is described as more than we know is changed, and stays even when what we know of it says nothing. */
static void odd_subsections(void **unused)
{
	static const struct {
		size_t more;
		const char *described;
	} cases[] = {{100, "\"type\": \"buffer\", \"size\": 100"},
	             {8, "\"type\": \"uint64\", \"size\": 8"},
	             {16, "\"array_len\": 2, \"type\": \"uint64\", \"size\": 8"},
	             {0, "\"array_len\": 4294967295, \"type\": \"buffer\", \"size\": 0"}};
	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct made_stream made;
		struct gim_buffer out;
		made_odd_subsection(&made, cases[i].more, cases[i].described);
		assert_int_equal(set(&made.out, "hyperv.reference_tsc", "0x8001", &out), 0);
		assert_int_equal(out.size, made.out.size);
		assert_int_equal(value_of(&out, "hyperv.reference_tsc"), 0x8001);
		gim_buffer_free(&out);
		assert_int_equal(set(&made.out, "hyperv.reference_tsc", "0", &out), 0);
		if (cases[i].more)
			assert_int_equal(out.size, made.out.size);
		gim_buffer_free(&out);
		gim_buffer_free(&made.out);
	}
}

/*
 * Taking the interface from another state, as the shell does at each change.
 */
/* One vCPU and its clock. */
static void made_small(struct made_stream *made)
{
	static const struct made_cpu cpu = {.tsc = 1000, .system_time = 0x200001, .poll_control = 1};
	made_begin(made, "pc");
	made_ram(made);
	made_vcpu(made, 0, &cpu);
	made_kvmclock(made, 5);
	made_end(made, true);
}

static void taken_from_another(void **unused)
{
	struct made_stream made;
	struct gim_buffer out = {.bytes = NULL};
	struct gim_error error = GIM_ERROR_INIT;
	(void)unused;
	made_kvm_stream(&made, "pc", true);
	struct gim_state *state = open_bytes(&made.out), *source = open_bytes(&made.out);
	assert_int_equal(gim_state_set(source, "kvm.clock_reliable", "false", NULL), 0);
	assert_int_equal(gim_state_set(source, "kvm.clock_ns", "77", NULL), 0);
	assert_int_equal(gim_state_set(source, "hyperv.vp[1].vp_assist", "0x5001", NULL), 0);
	assert_int_equal(gim_state_set_from(state, source, false, NULL), 0);
	assert_int_equal(gim_state_write(state, NULL, collect, &out, NULL), 0);
	assert_int_equal(value_of(&out, "kvm.clock_reliable"), 0);
	assert_int_equal(value_of(&out, "kvm.clock_ns"), 77);
	assert_int_equal(value_of(&out, "hyperv.vp[1].vp_assist"), 0x5001);
	gim_buffer_free(&out);
	gim_state_free(&source);

	/* What has no place in it is refused, and then nothing of it is taken. */
	source = open_bytes(&made.out);
	gim_buffer_free(&made.out);
	made_small(&made);
	struct gim_state *small = open_bytes(&made.out);
	assert_int_equal(gim_state_set(source, "kvm.clock_ns", "88", NULL), 0);
	assert_int_equal(gim_state_set(source, "kvm.vcpu[1].pv_eoi", "0x3001", NULL), 0);
	assert_int_equal(gim_state_set_from(small, source, false, &error), GIM_E_VALUE);
	assert_string_equal(error.path, "kvm.vcpu[1].system_time");
	assert_int_equal(gim_state_write(small, NULL, collect, &out, NULL), 0);
	assert_int_equal(out.size, made.out.size);
	assert_memory_equal(out.bytes, made.out.bytes, out.size);
	gim_buffer_free(&out);
	gim_buffer_free(&made.out);
	gim_state_free(&small);
	gim_state_free(&source);
	gim_state_free(&state);
}

/*
 * Sections that come and go.
 */
static bool holds(const struct gim_buffer *bytes, const char *text)
{
	const size_t length = strlen(text);
	for (size_t i = 0; i + length <= bytes->size; i++)
		if (!memcmp(bytes->bytes + i, text, length))
			return true;
	return false;
}

/* Taken out and put back, the stream is the same, whatever it has of footers and descriptions. */
static void section_goes_and_comes(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < 4; i++) {
		struct made_stream made;
		struct gim_buffer gone, back;
		made_kvm_stream(&made, i & 1 ? "pc-i440fx-7.2" : NULL, i & 2);
		assert_int_equal(set(&made.out, "kvm.clock_ns", "absent", &gone), 0);
		assert_false(holds(&gone, "kvmclock"));
		struct gim_state *state = open_bytes(&gone);
		struct gim_unit unit;
		assert_int_equal(gim_state_value(state, "kvm.clock_ns").presence, GIM_ABSENT);
		assert_int_equal(gim_state_value(state, "kvm.clock_reliable").presence, GIM_ABSENT);
		assert_int_equal(gim_state_value(state, "kvm.vcpu[1].system_time").number, 0x200041);
		assert_int_equal(gim_unit_find(state, "0000:00:01.0/../../etc", 0, GIM_PASS_FINAL, &unit, NULL), 0);
		/* The machine of a stream without a configuration is too old to say whether its clock is reliable. */
		assert_int_equal(gim_state_set(state, "kvm.clock_ns", "20000000000", NULL), 0);
		assert_int_equal(gim_state_value(state, "kvm.clock_reliable").number, i & 1);
		assert_int_equal(gim_state_set(state, "kvm.clock_reliable", "true", NULL), 0);
		back = (struct gim_buffer){.bytes = NULL};
		assert_int_equal(gim_state_write(state, NULL, collect, &back, NULL), 0);
		assert_int_equal(back.size, made.out.size);
		assert_memory_equal(back.bytes, made.out.bytes, back.size);
		gim_state_free(&state);
		gim_buffer_free(&gone);
		gim_buffer_free(&back);
		gim_buffer_free(&made.out);
	}
}

/* In whatever place of the description: first, last, alone, several at once. The sections that are left are found by it. */
static void sections_of_any_place(void **unused)
{
	static const char *const orders[] = {"k", "kc", "ck", "kck", "kkc", "ckk", "kkk", "ckckc"};
	static const struct made_cpu cpu = {.tsc = 1000, .poll_control = 1};
	(void)unused;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct made_stream made;
		struct gim_buffer gone;
		uint32_t vcpus = 0;
		made_begin(&made, "pc");
		made_ram(&made);
		for (const char *each = orders[i]; *each; each++) {
			if (*each == 'k')
				made_kvmclock(&made, 5);
			else
				made_vcpu(&made, vcpus++, &cpu);
		}
		made_end(&made, true);
		assert_int_equal(set(&made.out, "kvm.clock_ns", "absent", &gone), 0);
		assert_false(holds(&gone, "kvmclock"));
		struct gim_state *state = open_bytes(&gone);
		const struct qemu_stream *stream = state->container;
		assert_true(stream->described);
		assert_int_equal(stream->description.device_count, vcpus);
		assert_true(stream->fits || !vcpus);
		gim_state_free(&state);
		gim_buffer_free(&gone);
		gim_buffer_free(&made.out);
	}
}

/* What is not there does not go, what has no place does not come, and a value that is refused leaves none. */
static void no_place(void **unused)
{
	struct made_stream made;
	struct gim_buffer out;
	struct gim_error error = GIM_ERROR_INIT;
	(void)unused;
	made_begin(&made, "pc");
	made_ram(&made);
	made_device(&made, "slirp", 0, 4, "one", 3);
	made_end(&made, true);
	assert_int_equal(set(&made.out, "kvm.clock_ns", "5", &out), GIM_E_UNSUPPORTED);
	struct gim_state *state = open_bytes(&made.out);
	assert_int_equal(gim_state_set(state, "kvm.clock_reliable", "true", &error), GIM_E_PATH);
	assert_non_null(strstr(error.text, "kvm.clock_ns"));
	assert_int_equal(gim_state_set(state, "kvm.clock_ns", "five", NULL), GIM_E_VALUE);
	assert_int_equal(gim_state_value(state, "kvm.clock_ns").presence, GIM_ABSENT);
	assert_int_equal(gim_state_set(state, "kvm.wall_clock", "5", NULL), GIM_E_PATH);
	assert_int_equal(gim_state_set(state, "kvm.clock_ns", "absent", NULL), 0);
	gim_state_free(&state);
	gim_buffer_free(&made.out);
	made_small(&made);
	assert_int_equal(set(&made.out, "kvm.wall_clock", "absent", &out), GIM_E_VALUE);
	assert_int_equal(set(&made.out, "kvm.clock_reliable", "absent", &out), GIM_E_VALUE);
	gim_buffer_free(&made.out);
}

/* Another section has the next number: the new one gets one that nobody has. */
static void numbers_are_not_shared(void **unused)
{
	static const struct made_cpu cpu = {.tsc = 1000, .system_time = 1, .poll_control = 1};
	struct made_stream made;
	struct gim_buffer out;
	(void)unused;
	made_begin(&made, "pc");
	made_ram(&made);
	made_vcpu(&made, 0, &cpu);
	made_device(&made, "next", 0, 1, "x", 1);
	made_device(&made, "last", 0, 1, "y", 1);
	made_end(&made, true);
	assert_int_equal(set(&made.out, "kvm.clock_ns", "5", &out), 0);
	struct gim_state *state = open_bytes(&out);
	const struct qemu_sections *devices = &((const struct qemu_stream *)state->container)->devices;
	assert_int_equal(devices->count, 4);
	assert_string_equal(devices->items[1].name, "kvmclock");
	assert_int_equal(devices->items[1].id, 6);
	assert_true(devices->items[1].footer);
	gim_state_free(&state);
	gim_buffer_free(&out);
	gim_buffer_free(&made.out);
}

/* A package says how many bytes it has: numbers change in it, and nothing comes or goes. */
static void packages_keep_their_size(void **unused)
{
	static const struct made_cpu cpu = {.tsc = 1000, .system_time = 1, .poll_control = 1};
	struct made_stream made;
	struct gim_buffer out;
	(void)unused;
	made_begin(&made, "pc");
	made_ram(&made);
	gim_buffer_number(&made.out, 8, 1);
	gim_buffer_number(&made.out, 7, 2);
	gim_buffer_number(&made.out, 4, 2);
	const size_t at = made.out.size;
	gim_buffer_number(&made.out, 0, 4);
	made_vcpu(&made, 0, &cpu);
	made_kvmclock(&made, 5);
	gim_buffer_patch(&made.out, at, made.out.size - at - 4, 4);
	made_end(&made, false);
	assert_int_equal(set(&made.out, "kvm.clock_ns", "absent", &out), GIM_E_UNSUPPORTED);
	assert_int_equal(set(&made.out, "hyperv.vp[0].vp_assist", "0x5001", &out), GIM_E_UNSUPPORTED);
	assert_int_equal(set(&made.out, "kvm.clock_ns", "6", &out), 0);
	assert_int_equal(out.size, made.out.size);
	assert_int_equal(value_of(&out, "kvm.clock_ns"), 6);
	gim_buffer_free(&out);
	gim_buffer_free(&made.out);
}

/* Carried into a stream without the section, a clock that the guest reads is lost; a state of the same container says that it is there. */
static void clock_of_another(void **unused)
{
	struct made_stream made;
	struct gim_buffer gone, out = {.bytes = NULL};
	(void)unused;
	made_kvm_stream(&made, "pc", true);
	assert_int_equal(set(&made.out, "kvm.clock_ns", "absent", &gone), 0);
	struct gim_state *to = open_bytes(&gone), *from = open_bytes(&made.out);
	assert_int_equal(gim_state_carry(to, from, NULL, NULL, NULL), 1);
	assert_int_equal(gim_state_set_from(to, from, false, NULL), 0);
	assert_int_equal(gim_state_write(to, NULL, collect, &out, NULL), 0);
	assert_int_equal(out.size, made.out.size);
	assert_memory_equal(out.bytes, made.out.bytes, out.size);
	gim_state_free(&from);
	from = open_bytes(&gone);
	assert_int_equal(gim_state_set_from(to, from, false, NULL), 0);
	assert_int_equal(gim_state_value(to, "kvm.clock_ns").presence, GIM_ABSENT);
	gim_state_free(&from);
	gim_state_free(&to);
	gim_buffer_free(&out);
	gim_buffer_free(&gone);
	gim_buffer_free(&made.out);
}

/*
 * Streams for older releases.
 */
/* A vCPU with subsections of these names and 8 bytes, then a section of Xen's and the clock. */
static void made_for_newer(struct made_stream *made, const char *machine, bool describe)
{
	static const char *const names[] = {"cpu/steal_time_msr", "cpu/xen_vcpu", "cpu/of_tomorrow", "cpu/tsc_khz"};
	static const char *const fields[] = {"env.steal_time_msr", "env.xen", "env.new", "env.tsc_khz"};
	struct gim_buffer payload = {.big = true};
	char description[2048];
	made_begin(made, machine);
	made_ram(made);
	for (size_t i = 0; i < MADE_CPU_BYTES; i++)
		gim_buffer_number(&payload, 0, 1);
	(void)snprintf(description, sizeof(description),
	               "\"fields\": [{\"name\": \"head\", \"type\": \"buffer\", \"size\": %d}], \"subsections\": [", MADE_CPU_BYTES);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		made_subsection(&payload, description, sizeof(description), names[i], fields[i], 0x1000 + i);
	(void)snprintf(description + strlen(description), sizeof(description) - strlen(description), "]");
	made_section(made, "cpu", 0, 12, &payload, description);
	gim_buffer_free(&payload);
	made_device(made, "xen_overlay", 0, 1, "overlay", 7);
	made_kvmclock(made, 5);
	made_end(made, describe);
}

struct told {
	unsigned lost, unknown, machine;
};

static void tell(void *user, const struct gim_finding *finding)
{
	struct told *told = user;
	told->lost += !strcmp(finding->rule->id, "CONVERT-LOST");
	told->unknown += !strcmp(finding->rule->id, "GIM-QEMU-RELEASE-UNKNOWN");
	told->machine += !strcmp(finding->rule->id, "GIM-QEMU-RELEASE-MACHINE");
}

/* What a release does not know is named and left out, the description is that of the rest, and what is known of no release stays. */
static void left_out_for_a_release(void **unused)
{
	static const struct {
		const char *release, *machine;
		struct told told;
		bool xen, tomorrow;
	} cases[] = {{"qemu:11.1", "pc-i440fx-7.2", {0, 1, 0}, true, true},
	             {"qemu:8.0", "pc-i440fx-8.1", {0, 1, 1}, true, true},
	             {"qemu:7.2", "pc-i440fx-7.2", {3, 0, 0}, false, false},
	             {"qemu:6.2", "pc-i440fx-7.2", {3, 1, 1}, false, false}};
	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct gim_write_options options = {.release = cases[i].release};
		struct made_stream made;
		struct gim_buffer out = {.bytes = NULL};
		struct told told = {0, 0, 0};
		made_for_newer(&made, cases[i].machine, true);
		struct gim_state *state = open_bytes(&made.out);
		assert_int_equal(gim_state_check_release(state, cases[i].release, tell, &told, NULL), 1);
		assert_memory_equal(&told, &cases[i].told, sizeof(told));
		assert_int_equal(gim_state_write(state, &options, collect, &out, NULL), 0);
		gim_state_free(&state);
		assert_int_equal(holds(&out, "xen_overlay"), cases[i].xen);
		assert_int_equal(holds(&out, "cpu/xen_vcpu"), cases[i].xen);
		assert_int_equal(holds(&out, "cpu/of_tomorrow"), cases[i].tomorrow);
		if (cases[i].xen)
			assert_int_equal(out.size, made.out.size);
		state = open_bytes(&out);
		assert_true(((const struct qemu_stream *)state->container)->fits);
		assert_int_equal(gim_state_value(state, "kvm.vcpu[0].steal_time").number, 0x1000);
		assert_int_equal(gim_state_value(state, "kvm.clock_ns").number, 5);
		told = (struct told){0, 0, 0};
		assert_int_equal(gim_state_check_release(state, "qemu:11.1", tell, &told, NULL), cases[i].tomorrow);
		gim_state_free(&state);
		gim_buffer_free(&out);
		gim_buffer_free(&made.out);
	}
}

/* Another product's release loads no stream, and a stream is no other product's. */
static void releases_of_others(void **unused)
{
	const struct gim_write_options options = {.release = "vbox:7.2"};
	struct made_stream made;
	(void)unused;
	made_small(&made);
	struct gim_state *state = open_bytes(&made.out);
	assert_int_equal(gim_state_check_release(state, "vbox:7.2", NULL, NULL, NULL), GIM_E_ARGUMENT);
	assert_int_equal(gim_state_write(state, &options, NULL, NULL, NULL), GIM_E_UNSUPPORTED);
	gim_state_free(&state);
	gim_buffer_free(&made.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(left_out_for_a_release),   cmocka_unit_test(releases_of_others), cmocka_unit_test(section_goes_and_comes),
	    cmocka_unit_test(sections_of_any_place),    cmocka_unit_test(no_place),           cmocka_unit_test(numbers_are_not_shared),
	    cmocka_unit_test(packages_keep_their_size), cmocka_unit_test(clock_of_another),   cmocka_unit_test(taken_from_another),
	    cmocka_unit_test(odd_subsections),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
