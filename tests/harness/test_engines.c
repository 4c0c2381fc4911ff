/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The replay harness: states come to life on both engines, the engines agree, and a state with one wrong value is caught. */
#include "harness/builtin.h"
#include "harness/engine.h"
#include "harness/probe.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t tsc_hz = 2600000000; /* the host's, where there is a VM: both engines then show the guest the same numbers */
#define RAM_BYTES (UINT64_C(16) << 20)

static const struct engine_kind *const both[] = {&engine_core, &engine_kvm};

/* Here, or the test says why it is not run on it. */
static bool can_use(const struct engine_kind *kind)
{
	struct gim_error error = GIM_ERROR_INIT;
	if (!kind->probe(&error))
		return true;
	print_message("SKIP  the engine %s: %s\n", kind->name, error.text);
	return false;
}

static struct gim_state *open_state(const char *path)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = NULL;
	if (gim_state_open(path, &state, &error) || gim_state_decode(state, GIM_PART_GIM | GIM_PART_INFO, NULL, NULL, &error))
		fail_msg("%s: %s", path, error.text);
	return state;
}

static struct engine *open_engine(const struct engine_kind *kind, const char *provider, uint32_t vcpus)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct engine *engine = NULL;
	const struct engine_config config = {
	    .machine = {.provider = provider, .vcpus = vcpus, .ram_bytes = RAM_BYTES, .tsc_hz = tsc_hz, .gating = GIM_GATING_WORDS}};
	if (engine_open(kind, &config, &engine, &error))
		fail_msg("%s: %s", kind->name, error.text);
	return engine;
}

static void load(struct engine *engine, struct gim_state *state)
{
	struct gim_error error = GIM_ERROR_INIT;
	if (engine_load(engine, state, NULL, NULL, &error))
		fail_msg("%s: %s", engine->kind->name, error.text);
}

/* What ran, a line each, without what no two runs share. */
struct transcript {
	char text[1 << 16];
	size_t used;
	bool print_failures;
};

static void keep_step(void *user, const struct probe_step *step)
{
	struct transcript *transcript = (struct transcript *)user;
	const char *const verdicts[] = {"", "met", "FAILED", "SKIPPED"};
	if (step->verdict == PROBE_FAILED && transcript->print_failures)
		print_error("%s:%u: @%u %s: %s\n", step->probe, step->line, step->vcpu, step->operation, step->reason);
	const size_t room = sizeof(transcript->text) - transcript->used;
	/* The lines of the probe "time" hold values of this run's clock. */
	const bool time = step->time || !strcmp(step->probe, "time");
	const int length = snprintf(transcript->text + transcript->used, room, "%s:%u @%u %s = %s %s\n", step->probe, step->line,
	                            step->vcpu, time ? "(time)" : step->operation, time ? "" : step->result, verdicts[step->verdict]);
	transcript->used += length > 0 && (size_t)length < room ? (size_t)length : 0;
}

static struct probe_run run_probe(struct engine *engine, const struct probe *probe, struct transcript *transcript)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct probe_run run = {.engine = engine, .step = keep_step, .step_user = transcript};
	if (probe_execute(&run, probe, &error))
		fail_msg("%s: %s", probe_name(probe), error.text);
	return run;
}

static struct probe_run run_script(struct engine *engine, const char *script, struct transcript *transcript)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct probe *probe = NULL;
	if (probe_parse("script", script, strlen(script), &probe, &error))
		fail_msg("%s", error.text);
	const struct probe_run run = run_probe(engine, probe, transcript);
	probe_free(&probe);
	return run;
}

/* The built-in probe of that name, as the state says, on the engine. */
static struct probe_run run_builtin(const char *name, struct gim_state *state, struct engine *engine, struct transcript *transcript)
{
	struct probe_run run = {.engine = engine};
	for (const struct builtin *builtin = builtins; builtin->name; builtin++) {
		struct gim_error error = GIM_ERROR_INIT;
		struct probe *probe = NULL;
		const struct builtin_context context = {state, engine, false};
		if (strcmp(builtin->name, name) != 0)
			continue;
		if (builtin_probe(builtin, &context, &probe, &error))
			fail_msg("%s: %s", name, error.text);
		if (probe)
			run = run_probe(engine, probe, transcript);
		if (probe)
			probe_free(&probe);
	}
	return run;
}

/*
 * States of our own making: a machine that did something, saved.
 */
static struct gim_state *made(const char *provider, uint32_t vcpus, const char *script)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = NULL;
	struct transcript transcript = {.used = 0, .print_failures = true};
	struct engine *engine = open_engine(&engine_core, provider, vcpus);
	const struct probe_run run = run_script(engine, script, &transcript);
	assert_int_equal(run.failed, 0);
	if (engine_save(engine, &state, &error))
		fail_msg("%s", error.text);
	engine_close(&engine);
	return state;
}

static const char hyperv_script[] = "wrmsr HV_X64_MSR_GUEST_OS_ID 0x8100010203040506\nexpect ok\n"
				    "wrmsr HV_X64_MSR_HYPERCALL 0x14001\nexpect ok\n"
				    "wrmsr HV_X64_MSR_REFERENCE_TSC 0x15001\nexpect ok\n"
				    "@1 wrmsr HV_X64_MSR_SCONTROL 1\nexpect ok\n"
				    "@1 wrmsr HV_X64_MSR_SIMP 0x20001\nexpect ok\n"
				    "@1 wrmsr HV_X64_MSR_SINT5 0x55\nexpect ok\n"
				    "wait 5ms\n"
				    "post 1 5 0x11 01\nexpect 0\npost 1 5 0x22 02\nexpect 0\npost 1 5 0x33 03\nexpect 0\n"
				    "crash: wrmsr HV_X64_MSR_CRASH_P2 0x1234\nexpect ok\n";

static const char kvm_script[] = "wrmsr 0x4b564d01 0x3001\nexpect ok\n@1 wrmsr 0x4b564d01 0x3041\nexpect ok\n"
				 "@2 wrmsr 0x4b564d01 0x3081\nexpect ok\nwrmsr 0x4b564d00 0x4000\nexpect ok\nwait 5ms\n";

/* The state's document with one member changed: path is object keys and array indices, value is JSON or NULL to take it away. */
static struct gim_state *altered(struct gim_state *state, char **text, const char *value, const char *const *path)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *result = NULL;
	json_t *document = NULL, *at, *parent = NULL;
	const char *key = NULL;
	assert_int_equal(gim_state_json(state, NULL, &document, &error), 0);
	at = document;
	for (; *path; path++) {
		parent = at;
		key = *path;
		at = json_is_array(at) ? json_array_get(at, strtoul(key, NULL, 10)) : json_object_get(at, key);
		assert_non_null(at);
	}
	json_t *new_value = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
	if (!value)
		assert_int_equal(json_array_remove(parent, strtoul(key, NULL, 10)), 0);
	else if (json_is_array(parent))
		assert_int_equal(json_array_set_new(parent, strtoul(key, NULL, 10), new_value), 0);
	else
		assert_int_equal(json_object_set_new(parent, key, new_value), 0);
	(void)json_object_set_new(document, "gimstate", json_integer(1));
	*text = json_dumps(document, 0);
	json_decref(document);
	if (gim_state_open_memory(*text, strlen(*text), &result, &error) || gim_state_decode(result, GIM_PART_GIM, NULL, NULL, &error))
		fail_msg("%s: %s", error.path, error.text);
	return result;
}

static uint64_t number_at(struct gim_state *state, const char *path);

static int keep_number(void *user, const char *path, const struct gim_value *value)
{
	(void)path;
	*(uint64_t *)user = value->number;
	return 1;
}

static uint64_t number_at(struct gim_state *state, const char *path)
{
	uint64_t number = 0;
	assert_int_equal(gim_state_visit(state, path, keep_number, &number, NULL), 1);
	return number;
}

/*
 * Tests.
 */
static const struct {
	const char *path;
	const char *provider;
	uint32_t vcpus;
} samples[] = {{"samples/hyperv-1.sav", "hyperv", 1}, {"samples/hyperv-2.sav", "hyperv", 2},    {"samples/hyperv-3.sav", "hyperv", 2},
               {"samples/hyperv-4.sav", "hyperv", 2}, {"samples/hyperv-cpum.sav", "hyperv", 2}, {"samples/kvm.sav", "kvm", 3},
               {"samples/kvm-live.sav", "kvm", 1},    {"samples/minimal.sav", "minimal", 1}};

/* All built-in probes of a state on an engine, each on a machine of its own. */
static unsigned run_all(const struct engine_kind *kind, struct gim_state *state, const char *provider, uint32_t vcpus,
                        struct transcript *transcript)
{
	unsigned met = 0;
	for (const struct builtin *builtin = builtins; builtin->name; builtin++) {
		struct engine *engine = open_engine(kind, provider, vcpus);
		load(engine, state);
		const struct probe_run run = run_builtin(builtin->name, state, engine, transcript);
		assert_int_equal(run.failed, 0);
		met += run.met;
		engine_close(&engine);
	}
	return met;
}

static void states_live(void **unused)
{
	(void)unused;
	for (size_t e = 0; e < 2; e++)
		for (size_t i = 0; can_use(both[e]) && i < sizeof(samples) / sizeof(samples[0]); i++) {
			struct transcript transcript = {.used = 0, .print_failures = true};
			struct gim_state *state = open_state(samples[i].path);
			assert_true(run_all(both[e], state, samples[i].provider, samples[i].vcpus, &transcript) > 8);
			gim_state_free(&state);
		}
}

static void vcpu_counts(void **unused)
{
	(void)unused;
	static const uint32_t counts[] = {1, 3, 4, 64};
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		char script[8192] = "";
		for (uint32_t vcpu = 0; vcpu < counts[i]; vcpu++)
			(void)snprintf(script + strlen(script), sizeof(script) - strlen(script), "@%u wrmsr 0x4b564d01 0x%x\nexpect ok\n",
			               vcpu, 0x3001 + 64 * vcpu);
		struct gim_state *state = made("kvm", counts[i], script);
		for (size_t e = 0; e < 2; e++) {
			struct transcript transcript = {.used = 0, .print_failures = true};
			if (can_use(both[e]))
				assert_true(run_all(both[e], state, "kvm", counts[i], &transcript) >= 5 * counts[i]);
		}
		gim_state_free(&state);
	}
}

/* The same operations on both engines: the same transcript, times aside. */
static void engines_agree(void **unused)
{
	static const char script[] =
	    "expect interrupts 0x55 0\n"
	    "@0 rdmsr HV_X64_MSR_VP_INDEX\nexpect 0\n@1 rdmsr HV_X64_MSR_VP_INDEX\nexpect 1\n"
	    "cpuid 0x40000000\ncpuid 0x40000003\ncpuid 0x40000004\n"
	    "rdmsr 0x40000050\nexpect #GP\nwrmsr HV_X64_MSR_VP_INDEX 1\nexpect #GP\nrdmsr 0x12345678\nexpect #GP\n"
	    "~rdtsc\n~rdmsr HV_X64_MSR_TIME_REF_COUNT\n"
	    "write 0x1000 hex 0102030405\nread 0x1000 5\nexpect bytes 0102030405\nread 0x1001 u16\nexpect 0x302\n"
	    "write 0x14000 u64 0x1122334455667788\nexpect ok\n"
	    "write 0x13ffe u32 0xaabbccdd\nread 0x13ffe u16\nexpect 0xccdd\n"
	    "read 0xffffff u8\nexpect ok\nread 0x1000000000 u8\nexpect #PF\n"
	    "hypercall rcx=0xbeef\nexpect rax 2\nhypercall rcx=0x1005d rdx=0x1234\nexpect rax 0x12\n"
	    "@1 ack 0x55 5\nconnect message 7 1 5\n@0 write 0x3000 u64 7\n@0 write 0x3008 u64 0x800000001\n"
	    "write 0x3010 u64 0x4142434445464748\nhypercall rcx=0x5c rdx=0x3000\nexpect rax 0\n"
	    "raise 1 5\n@1 wrmsr HV_X64_MSR_EOM 0\n@1 wrmsr HV_X64_MSR_SINT6 0x66\nraise 1 6\n@1 expect interrupts 0x66 1\n"
	    "@1 wrmsr HV_X64_MSR_SINT7 0x20067\nraise 1 7\nraise 1 7\n@1 expect interrupts 0x67 2\n"
	    "state hyperv.guest_os_id\nexpect 0x8100010203040506\n";
	(void)unused;
	static struct transcript transcripts[2];
	struct gim_state *state = made("hyperv", 2, hyperv_script);
	if (!can_use(&engine_kvm))
		skip();
	for (size_t e = 0; e < 2; e++) {
		struct engine *engine = open_engine(both[e], "hyperv", 2);
		transcripts[e] = (struct transcript){.used = 0, .print_failures = true};
		load(engine, state);
		assert_int_equal(run_script(engine, script, &transcripts[e]).failed, 0);
		engine_close(&engine);
		(void)run_all(both[e], state, "hyperv", 2, &transcripts[e]);
	}
	gim_state_free(&state);
	const char *core = transcripts[0].text, *kvm = transcripts[1].text;
	size_t at = 0;
	while (core[at] && core[at] == kvm[at])
		at++;
	while (at && core[at - 1] != '\n')
		at--;
	if (core[at] || kvm[at])
		fail_msg("core: %.*s\nkvm:  %.*s", (int)strcspn(core + at, "\n"), core + at, (int)strcspn(kvm + at, "\n"), kvm + at);
}

/* The probe of that name fails on a machine that was loaded with `wrong`, and is met on one with `right`. */
static void caught(const char *name, const char *provider, uint32_t vcpus, struct gim_state *right, struct gim_state *wrong)
{
	for (size_t e = 0; e < 2; e++) {
		if (!can_use(both[e]))
			continue;
		struct transcript transcript = {.used = 0, .print_failures = true};
		struct engine *engine = open_engine(both[e], provider, vcpus);
		load(engine, right);
		struct probe_run run = run_builtin(name, right, engine, &transcript);
		assert_int_equal(run.failed, 0);
		assert_true(run.met > 0);
		engine_close(&engine);
		transcript.print_failures = false;
		run.failed = 0;
		/* On a busy host, what is wrong by 1 ms can be hidden by a pause of more than that; not again and again. */
		for (unsigned tries = 0; tries < 10 && !run.failed; tries++) {
			engine = open_engine(both[e], provider, vcpus);
			load(engine, wrong);
			run = run_builtin(name, right, engine, &transcript);
			engine_close(&engine);
		}
		assert_true(run.failed > 0);
	}
}

#define PATH(...) ((const char *const[]){__VA_ARGS__, NULL})

static void wrong_msr(void **unused)
{
	(void)unused;
	char *text = NULL;
	struct gim_state *state = made("hyperv", 2, hyperv_script);
	struct gim_state *other = altered(state, &text, "\"0x1235\"", PATH("hyperv", "crash", "p2"));
	caught("state", "hyperv", 2, state, other);
	gim_state_free(&other);
	free(text);
	other = altered(state, &text, "\"0x56\"", PATH("hyperv", "vp", "1", "sint", "5"));
	caught("state", "hyperv", 2, state, other);
	gim_state_free(&other);
	free(text);
	gim_state_free(&state);
}

static void wrong_time(void **unused)
{
	(void)unused;
	char *text = NULL, value[32];
	struct gim_state *state = made("hyperv", 2, hyperv_script);
	(void)snprintf(value, sizeof(value), "\"0x%llx\"", (unsigned long long)number_at(state, "hyperv.time_ref_count") - 10000);
	struct gim_state *other = altered(state, &text, value, PATH("hyperv", "time_ref_count"));
	caught("time", "hyperv", 2, state, other);
	gim_state_free(&other);
	free(text);
	gim_state_free(&state);
	state = made("kvm", 3, kvm_script);
	(void)snprintf(value, sizeof(value), "\"0x%llx\"", (unsigned long long)number_at(state, "kvm.clock_ns") - 1000000);
	other = altered(state, &text, value, PATH("kvm", "clock_ns"));
	caught("time", "kvm", 3, state, other);
	gim_state_free(&other);
	free(text);
	gim_state_free(&state);
}

static void lost_message(void **unused)
{
	(void)unused;
	char *text = NULL;
	struct gim_state *state = made("hyperv", 2, hyperv_script);
	struct gim_state *other = altered(state, &text, NULL, PATH("hyperv", "message", "0"));
	caught("messages", "hyperv", 2, state, other);
	gim_state_free(&other);
	free(text);
	gim_state_free(&state);
}

/* One part in 10^5 of the reference TSC page's scale, written to the page itself. */
static void wrong_scale(void **unused)
{
	(void)unused;
	struct gim_state *state = made("hyperv", 2, hyperv_script);
	for (size_t e = 0; e < 2; e++) {
		struct transcript transcript = {.used = 0};
		struct gim_page page;
		uint64_t scale;
		if (!can_use(both[e]))
			continue;
		struct engine *engine = open_engine(both[e], "hyperv", 2);
		load(engine, state);
		unsigned index = 0;
		while (gim_machine_page(engine->machine, index, &page) && strcmp(page.name, "hyperv.tsc_page") != 0)
			index++;
		memcpy(&scale, page.bytes + 8, sizeof(scale));
		scale += scale / 100000;
		memcpy((uint8_t *)(uintptr_t)page.bytes + 8, &scale, sizeof(scale));
		assert_true(run_builtin("pages", state, engine, &transcript).failed > 0);
		engine_close(&engine);
	}
	gim_state_free(&state);
}

/* A page that the guest moves and takes away shows what was below. */
static void pages_move(void **unused)
{
	static const char script[] =
	    "write 0x14000 u64 0x1111\nwrite 0x16000 u64 0x2222\n"
	    "wrmsr HV_X64_MSR_GUEST_OS_ID 0x8100000000000000\nwrmsr HV_X64_MSR_HYPERCALL 0x14001\n"
	    "read 0x14000 u8\nexpect 1..0xff\nread 0x14000 u64\nset code\nwrite 0x14000 u64 0\nread 0x14000\nexpect $code\n"
	    "wrmsr HV_X64_MSR_HYPERCALL 0x16001\nread 0x14000\nexpect 0x1111\nread 0x16000\nexpect $code\n"
	    "hypercall rcx=0xbeef\nexpect rax 2\n"
	    "wrmsr HV_X64_MSR_HYPERCALL 0\nread 0x16000\nexpect 0x2222\n"
	    "wrmsr HV_X64_MSR_HYPERCALL 0x16001\nwrmsr HV_X64_MSR_GUEST_OS_ID 0\nread 0x16000\nexpect 0x2222\n"
	    "write 0x16000 u64 3\nread 0x16000\nexpect 3\n";
	(void)unused;
	for (size_t e = 0; e < 2; e++) {
		struct transcript transcript = {.used = 0, .print_failures = true};
		if (!can_use(both[e]))
			continue;
		struct engine *engine = open_engine(both[e], "hyperv", 1);
		assert_int_equal(run_script(engine, script, &transcript).failed, 0);
		engine_close(&engine);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(states_live), cmocka_unit_test(vcpu_counts),  cmocka_unit_test(engines_agree), cmocka_unit_test(wrong_msr),
	    cmocka_unit_test(wrong_time),  cmocka_unit_test(lost_message), cmocka_unit_test(wrong_scale),   cmocka_unit_test(pages_move),
	};
	if (can_use(&engine_kvm)) {
		struct engine *engine = open_engine(&engine_kvm, "none", 1);
		tsc_hz = engine->tsc_hz;
		engine_close(&engine);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
