/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hyper-V's reference time: its MSR and its page, through saving, loading, other TSC frequencies and the emulation of an old one. */
#include "hyperv.h"

#include <stdlib.h>

#define PAGE UINT64_C(0x15000)

static uint64_t random64(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* The embedder's TSC. */
static uint64_t tsc_now(void *user)
{
	return *(uint64_t *)user;
}

static struct gim_machine *machine_at(uint64_t *tsc, uint64_t tsc_hz)
{
	return hv_test_new(&(struct hv_test){.tsc_hz = tsc_hz, .host = {.user = tsc, .tsc = tsc_now}});
}

/* As a guest reads the page. */
static uint64_t page_time(struct gim_machine *machine, uint64_t gpa, uint64_t tsc)
{
	const uint64_t scale = peek(machine, gpa + 8, 8), offset = peek(machine, gpa + 16, 8);
	return gim_mul_high(tsc, scale) + offset;
}

static void time_of_ticks(void **unused)
{
	(void)unused;
	static const uint64_t frequencies[] = {10000001,   33333333,   999999999,  1000000000,
	                                       2500000000, 2999999999, 5200000000, 1000000000000};
	for (size_t i = 0; i < sizeof(frequencies) / sizeof(frequencies[0]); i++) {
		uint64_t tsc = 123456789012345;
		struct gim_machine *machine = machine_at(&tsc, frequencies[i]);
		assert_int_equal(rdmsr(machine, 0, 0x40000020), 0);
		tsc += frequencies[i] * 1000;
		assert_in_range(rdmsr(machine, 0, 0x40000020), UINT64_C(10000000000), UINT64_C(10000000001));
		tsc += frequencies[i] * 86400;
		assert_in_range(rdmsr(machine, 1, 0x40000020), UINT64_C(874000000000), UINT64_C(874000000001));
		gim_machine_free(&machine);
	}
	/* From a TSC of 0, whole seconds are exact. */
	for (size_t i = 0; i < sizeof(frequencies) / sizeof(frequencies[0]); i++) {
		uint64_t tsc = 0;
		struct gim_machine *machine = machine_at(&tsc, frequencies[i]);
		tsc = frequencies[i] * 77;
		assert_int_equal(rdmsr(machine, 0, 0x40000020), 770000000);
		tsc--;
		assert_int_equal(rdmsr(machine, 0, 0x40000020), 769999999);
		gim_machine_free(&machine);
	}
}

/* hv_time_tsc finds the very first tick. */
static void first_tick_of_a_time(void **unused)
{
	(void)unused;
	uint64_t seed = 88172645463325252, tsc = 0;
	struct gim_machine *machine = machine_at(&tsc, TSC_HZ);
	struct hv_state *state = hv_state(machine);
	for (unsigned i = 0; i < 20000; i++) {
		state->tsc_scale = random64(&seed) >> random64(&seed) % 40 | 1;
		state->tsc_offset = random64(&seed) >> (1 + random64(&seed) % 60);
		if (i % 2)
			state->tsc_offset = 0 - state->tsc_offset;
		const uint64_t time = random64(&seed) >> (1 + random64(&seed) % 60), first = hv_time_tsc(machine, time);
		if (first != GIM_UNKNOWN)
			assert_true(hv_time_at(machine, first) - time < UINT64_C(1) << 63);
		if (first)
			assert_true((int64_t)(hv_time_at(machine, first - 1) - time) < 0 || first == GIM_UNKNOWN);
	}
	state->tsc_offset = 0;
	state->tsc_scale = 0;
	assert_int_equal(hv_time_tsc(machine, 1), GIM_UNKNOWN);
	assert_int_equal(hv_time_tsc(machine, 0), 0);
	state->tsc_offset = UINT64_MAX; /* -1 */
	assert_int_equal(hv_time_tsc(machine, UINT64_MAX), GIM_UNKNOWN);
	state->tsc_offset = 5;
	assert_int_equal(hv_time_tsc(machine, 4), 0);
	assert_int_equal(hv_time_tsc(machine, 5), 0);
	gim_machine_free(&machine);
}

static void page_and_msr_agree(void **unused)
{
	(void)unused;
	uint64_t seed = 42, tsc = 987654321;
	struct gim_machine *machine = machine_at(&tsc, 2999999999);
	wrmsr(machine, 0, 0x40000021, PAGE | 1);
	uint64_t before = 0;
	for (unsigned i = 0; i < 10000; i++) {
		tsc += random64(&seed) >> random64(&seed) % 40 % 64 >> 24;
		const uint64_t time = rdmsr(machine, i % 2, 0x40000020);
		assert_int_equal(page_time(machine, PAGE, tsc), time);
		assert_true(time >= before);
		before = time;
	}
	gim_machine_free(&machine);
}

static void page_content(void **unused)
{
	(void)unused;
	uint64_t tsc = 5000000000;
	struct gim_machine *machine = machine_at(&tsc, TSC_HZ);
	poke(machine, PAGE, UINT64_MAX, 8);
	poke(machine, PAGE + 0xff8, UINT64_MAX, 8);
	wrmsr(machine, 0, 0x40000021, PAGE);
	assert_int_equal(rdmsr(machine, 1, 0x40000021), PAGE);
	assert_int_equal(peek(machine, PAGE, 8), UINT64_MAX);
	wrmsr(machine, 0, 0x40000021, PAGE | 0xffb);
	assert_int_equal(rdmsr(machine, 1, 0x40000021), PAGE | 0xffb);
	assert_int_equal(peek(machine, PAGE, 8), 1); /* the sequence, and a reserved word */
	assert_int_equal(peek(machine, PAGE + 8, 8), UINT64_MAX / 250 + 1);
	assert_int_equal(peek(machine, PAGE + 16, 8), UINT64_C(0) - 20000000);
	for (uint64_t at = 24; at < 4096; at += 8)
		assert_int_equal(peek(machine, PAGE + at, 8), 0);
	poke(machine, PAGE, 0, 8); /* ignored */
	assert_int_equal(peek(machine, PAGE, 8), 1);
	wrmsr(machine, 0, 0x40000021, PAGE | 1);
	assert_int_equal(peek(machine, PAGE, 8), 1); /* where it is already */
	wrmsr(machine, 0, 0x40000021, 0x16001);
	assert_int_equal(peek(machine, 0x16000, 8), 2);
	assert_int_equal(peek(machine, PAGE, 8), UINT64_MAX); /* what was below */
	no_wrmsr(machine, 0, 0x40000021, RAM_BYTES | 1);
	no_wrmsr(machine, 0, 0x40000021, UINT64_MAX);
	assert_int_equal(rdmsr(machine, 0, 0x40000021), 0x16001);
	assert_int_equal(peek(machine, 0x16000, 8), 2);
	wrmsr(machine, 0, 0x40000021, 0);
	assert_int_equal(peek(machine, 0x16000, 8), 0);
	gim_machine_free(&machine);
}

/* Two pages cannot lie in one place. */
static void pages_keep_apart(void **unused)
{
	(void)unused;
	uint64_t tsc = 0;
	struct gim_machine *machine = machine_at(&tsc, TSC_HZ);
	wrmsr(machine, 0, 0x40000000, LINUX_ID);
	wrmsr(machine, 0, 0x40000001, PAGE | 1);
	no_wrmsr(machine, 0, 0x40000021, PAGE | 1);
	assert_int_equal(rdmsr(machine, 0, 0x40000021), 0);
	assert_int_equal(peek(machine, PAGE, 4), 0xc3c1010f);
	gim_machine_free(&machine);
}

static void sequence_avoids_odd_values(void **unused)
{
	(void)unused;
	uint64_t tsc = 0;
	struct gim_machine *machine = machine_at(&tsc, TSC_HZ);
	hv_state(machine)->tsc_sequence = 0xfffffffd;
	wrmsr(machine, 0, 0x40000021, PAGE | 1);
	assert_int_equal(peek(machine, PAGE, 4), 0xfffffffe);
	wrmsr(machine, 0, 0x40000021, 0x16001);
	assert_int_equal(peek(machine, 0x16000, 4), 1);
	gim_machine_free(&machine);
}

static void time_goes_through_reset(void **unused)
{
	(void)unused;
	uint64_t tsc = 0;
	struct gim_machine *machine = machine_at(&tsc, TSC_HZ);
	wrmsr(machine, 0, 0x40000021, PAGE | 1);
	tsc = TSC_HZ;
	assert_int_equal(gim_machine_reset(machine, NULL), 0);
	assert_int_equal(rdmsr(machine, 0, 0x40000020), 10000000);
	assert_int_equal(rdmsr(machine, 0, 0x40000021), 0);
	assert_int_equal(peek(machine, PAGE, 8), 0);
	gim_machine_free(&machine);
}

/*
 * Saving and loading. A machine is saved, what the test wants is set in the state, and another machine takes it over.
 */
struct change {
	const char *path, *value;
};

static struct gim_state *saved_with(struct gim_machine *machine, const struct change *changes, size_t count)
{
	struct gim_error error = GIM_ERROR_INIT;
	struct gim_state *state = NULL;
	assert_int_equal(gim_machine_save(machine, &state, NULL), 0);
	for (size_t i = 0; i < count; i++)
		if (gim_state_set(state, changes[i].path, changes[i].value, &error))
			fail_msg("%s", error.text);
	return state;
}

static void load(struct gim_machine *machine, struct gim_state *state)
{
	struct gim_error error = GIM_ERROR_INIT;
	if (gim_machine_load(machine, state, NULL, NULL, &error) || gim_machine_load_done(machine, &error))
		fail_msg("%s", error.text);
	gim_state_free(&state);
}

/* The same TSC: to the guest nothing has happened, down to the page's bytes. */
static void exact_continuation(void **unused)
{
	(void)unused;
	uint64_t seed = 7;
	for (unsigned i = 0; i < 200; i++) {
		uint64_t tsc = random64(&seed) >> 20;
		const uint64_t hz = 10000001 + random64(&seed) % 5000000000;
		struct gim_machine *one = machine_at(&tsc, hz), *other = machine_at(&tsc, hz);
		wrmsr(one, 0, 0x40000021, PAGE | 1);
		tsc += random64(&seed) >> 24;
		uint8_t before[4096], after[4096];
		assert_int_equal(gim_machine_read(one, PAGE, before, sizeof(before), NULL), 0);
		load(other, saved_with(one, NULL, 0));
		assert_int_equal(gim_machine_read(other, PAGE, after, sizeof(after), NULL), 0);
		assert_memory_equal(before, after, sizeof(before));
		for (unsigned step = 0; step < 20; step++) {
			tsc += random64(&seed) >> 40;
			assert_int_equal(rdmsr(one, 0, 0x40000020), rdmsr(other, 1, 0x40000020));
			assert_int_equal(rdmsr(one, 1, 0x40000010), rdmsr(other, 1, 0x40000010));
		}
		gim_machine_free(&one);
		gim_machine_free(&other);
	}
}

/* Another TSC, of another frequency: time stands while the machine does, and goes on at the same rate; the page says it with a new sequence. */
static void continuation_elsewhere(void **unused)
{
	(void)unused;
	uint64_t seed = 11;
	for (unsigned i = 0; i < 200; i++) {
		uint64_t tsc = random64(&seed) >> 20, other_tsc = random64(&seed) >> 20;
		const uint64_t hz = 10000001 + random64(&seed) % 5000000000, other_hz = 10000001 + random64(&seed) % 5000000000;
		struct gim_machine *one = machine_at(&tsc, hz), *other = machine_at(&other_tsc, other_hz);
		wrmsr(one, 0, 0x40000021, PAGE | 1);
		tsc += random64(&seed) >> 24;
		const uint64_t time = rdmsr(one, 0, 0x40000020), runtime = rdmsr(one, 1, 0x40000010);
		load(other, saved_with(one, NULL, 0));
		assert_int_equal(rdmsr(other, 0, 0x40000020), time);
		assert_int_equal(rdmsr(other, 1, 0x40000010), runtime);
		assert_int_equal(page_time(other, PAGE, other_tsc), time);
		assert_int_equal(peek(other, PAGE, 4), 2);
		other_tsc += other_hz;
		assert_in_range(rdmsr(other, 0, 0x40000020) - time, 9999999, 10000001);
		assert_int_equal(page_time(other, PAGE, other_tsc), rdmsr(other, 0, 0x40000020));
		assert_int_equal(rdmsr(other, 0, 0x40000022), other_hz);
		gim_machine_free(&one);
		gim_machine_free(&other);
	}
}

static void time_set_back(void **unused)
{
	(void)unused;
	static const struct change zero[] = {{"hyperv.time_ref_count", "0"}};
	uint64_t tsc = 0;
	struct gim_machine *one = machine_at(&tsc, TSC_HZ), *other = machine_at(&tsc, TSC_HZ);
	wrmsr(one, 0, 0x40000021, PAGE | 1);
	tsc = 10 * TSC_HZ;
	load(other, saved_with(one, zero, 1));
	assert_int_equal(rdmsr(other, 0, 0x40000020), 0);
	assert_int_equal(page_time(other, PAGE, tsc), 0);
	assert_int_not_equal(peek(other, PAGE + 16, 8), peek(one, PAGE + 16, 8));
	gim_machine_free(&one);
	gim_machine_free(&other);
}

static void impossible_time(void **unused)
{
	(void)unused;
	static const struct change never[] = {{"hyperv.time_ref_count", "0x8000000000000000"}};
	uint64_t tsc = 0;
	struct gim_machine *one = machine_at(&tsc, TSC_HZ), *other = machine_at(&tsc, TSC_HZ);
	struct gim_state *state = saved_with(one, never, 1);
	struct gim_error error = GIM_ERROR_INIT;
	assert_int_equal(gim_machine_load(other, state, NULL, NULL, &error), GIM_E_VALUE);
	assert_string_equal(error.rule->id, "HV-TIME");
	assert_string_equal(error.path, "hyperv.time_ref_count");
	gim_state_free(&state);
	gim_machine_free(&one);
	gim_machine_free(&other);
}

/*
 * Reenlightenment: a guest that asks for the emulation of its TSC keeps its clock until it has been told.
 */
static void emulation_until_told(void **unused)
{
	(void)unused;
	uint64_t tsc = 3 * TSC_HZ;
	struct gim_machine *one = machine_at(&tsc, TSC_HZ), *other = machine_at(&tsc, TSC_HZ / 2);
	wrmsr(one, 0, 0x40000021, PAGE | 1);
	wrmsr(one, 0, 0x40000106, UINT64_C(1) << 32 | 0x100ee);
	wrmsr(one, 0, 0x40000107, 1);
	assert_int_equal(rdmsr(one, 0, 0x40000108), 0);
	uint8_t before[4096], after[4096];
	assert_int_equal(gim_machine_read(one, PAGE, before, sizeof(before), NULL), 0);
	tsc += TSC_HZ;
	load(other, saved_with(one, NULL, 0));
	assert_int_equal(gim_machine_read(other, PAGE, after, sizeof(after), NULL), 0);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(rdmsr(other, 0, 0x40000108), 1);
	assert_int_equal(gim_machine_interrupt(other, 1), 0xee);
	assert_int_equal(gim_machine_interrupt(other, 0), -1);
	tsc += TSC_HZ; /* emulated: the old frequency */
	assert_int_equal(rdmsr(other, 0, 0x40000020), 20000000);
	assert_int_equal(page_time(other, PAGE, tsc), 20000000);
	wrmsr(other, 1, 0x40000108, 0);
	assert_int_equal(rdmsr(other, 0, 0x40000108), 0);
	assert_int_equal(rdmsr(other, 0, 0x40000020), 20000000);
	assert_int_equal(page_time(other, PAGE, tsc), 20000000);
	assert_int_equal(peek(other, PAGE, 4), 2);
	tsc += TSC_HZ / 2; /* its own */
	assert_int_equal(rdmsr(other, 0, 0x40000020), 30000000);
	assert_int_equal(page_time(other, PAGE, tsc), 30000000);
	gim_machine_free(&one);
	gim_machine_free(&other);
}

/* Without its wish, the clock follows at once; it is told all the same. Turning emulation off ends it like the status does, and so does a reset. */
static void emulation_by_wish_only(void **unused)
{
	(void)unused;
	uint64_t tsc = TSC_HZ;
	struct gim_machine *one = machine_at(&tsc, TSC_HZ), *other = machine_at(&tsc, TSC_HZ * 2);
	wrmsr(one, 0, 0x40000106, 0x100ee);
	tsc += TSC_HZ;
	load(other, saved_with(one, NULL, 0));
	assert_int_equal(rdmsr(other, 0, 0x40000108), 0);
	assert_int_equal(gim_machine_interrupt(other, 0), 0xee);
	tsc += 2 * TSC_HZ;
	assert_int_equal(rdmsr(other, 0, 0x40000020), 20000000);
	gim_machine_free(&other);
	wrmsr(one, 0, 0x40000107, 1);
	const uint64_t time = rdmsr(one, 0, 0x40000020);
	for (unsigned way = 0; way < 2; way++) {
		other = machine_at(&tsc, TSC_HZ * 2);
		load(other, saved_with(one, NULL, 0));
		assert_int_equal(rdmsr(other, 0, 0x40000108), 1);
		if (way)
			wrmsr(other, 0, 0x40000107, 0);
		else
			assert_int_equal(gim_machine_reset(other, NULL), 0);
		assert_int_equal(rdmsr(other, 0, 0x40000108), 0);
		assert_int_equal(rdmsr(other, 0, 0x40000020), time);
		tsc += TSC_HZ * 2;
		assert_int_equal(rdmsr(other, 0, 0x40000020), time + 10000000);
		tsc -= TSC_HZ * 2;
		gim_machine_free(&other);
	}
	gim_machine_free(&one);
}

/* Emulated or not, time never goes back. */
static void emulation_needs_the_tsc(void **unused)
{
	(void)unused;
	uint64_t tsc = 50 * TSC_HZ, other_tsc = 0;
	struct gim_machine *one = machine_at(&tsc, TSC_HZ), *other = machine_at(&other_tsc, TSC_HZ / 2);
	wrmsr(one, 0, 0x40000021, PAGE | 1);
	wrmsr(one, 0, 0x40000107, 1);
	tsc += TSC_HZ;
	load(other, saved_with(one, NULL, 0));
	assert_int_equal(rdmsr(other, 0, 0x40000020), 10000000);
	assert_int_equal(page_time(other, PAGE, other_tsc), 10000000);
	assert_int_equal(rdmsr(other, 0, 0x40000108), 0);
	gim_machine_free(&one);
	gim_machine_free(&other);
}

/* Scales and offsets of a state are only believed where they fit. */
static void hostile_clocks(void **unused)
{
	(void)unused;
	static const char *const numbers[] = {"0", "1", "0x7fffffffffffffff", "0x8000000000000000", "0xffffffffffffffff"};
	enum { COUNT = sizeof(numbers) / sizeof(numbers[0]) };
	for (unsigned i = 0; i < COUNT * COUNT * 2; i++) {
		const struct change changes[] = {{"hyperv.tsc_scale", numbers[i % COUNT]},
		                                 {"hyperv.tsc_offset", numbers[i / COUNT % COUNT]},
		                                 {"hyperv.reenlightenment.emulation_control", i / COUNT / COUNT ? "1" : "0"},
		                                 {"hyperv.reenlightenment.control", "0xffffffff000100ff"}};
		uint64_t tsc = TSC_HZ;
		struct gim_machine *one = machine_at(&tsc, TSC_HZ), *other = machine_at(&tsc, TSC_HZ);
		wrmsr(one, 0, 0x40000021, PAGE | 1);
		tsc += TSC_HZ;
		load(other, saved_with(one, changes, 4));
		uint64_t before = rdmsr(other, 0, 0x40000020);
		assert_true(before >= 10000000 && before <= INT64_MAX);
		wrmsr(other, 0, 0x40000107, 0);
		assert_int_equal(page_time(other, PAGE, tsc), before);
		tsc += TSC_HZ;
		assert_in_range(rdmsr(other, 0, 0x40000020) - before, 9999999, 10000001);
		gim_machine_free(&one);
		gim_machine_free(&other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(time_of_ticks),           cmocka_unit_test(first_tick_of_a_time),
	    cmocka_unit_test(page_and_msr_agree),      cmocka_unit_test(page_content),
	    cmocka_unit_test(pages_keep_apart),        cmocka_unit_test(sequence_avoids_odd_values),
	    cmocka_unit_test(time_goes_through_reset), cmocka_unit_test(exact_continuation),
	    cmocka_unit_test(continuation_elsewhere),  cmocka_unit_test(time_set_back),
	    cmocka_unit_test(impossible_time),         cmocka_unit_test(emulation_until_told),
	    cmocka_unit_test(emulation_by_wish_only),  cmocka_unit_test(emulation_needs_the_tsc),
	    cmocka_unit_test(hostile_clocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
