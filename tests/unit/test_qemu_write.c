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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(taken_from_another),
	    cmocka_unit_test(odd_subsections),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
